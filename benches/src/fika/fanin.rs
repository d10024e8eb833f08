//! fanin: many processes send to one, as fast as they can.

use fika::prelude::*;
use fika::process::unregister;
use fika_bench_kit::{Elapsed, Params, Stopwatch, metric};
use serde::{Deserialize, Serialize};

use super::echo::{Done, Go, all_done};

const NAME: &str = "target";

#[derive(Message, Serialize, Deserialize)]
struct Item(u64);

/// How the senders address the receiver.
#[derive(Clone, Copy)]
enum By {
    Pid,
    Name,
}

pub(super) async fn run(p: Params) {
    let (senders, each) = (p.get("senders"), p.get("each"));
    let elapsed = fan_in(senders, each, By::Pid).await;
    metric("messages_per_s", elapsed.per_s(senders * each));
}

pub(super) async fn run_scale(p: Params) {
    let senders = p.get("n");
    let each = p.get("total") / senders;
    for (figure, by) in [("ns_per_message_by_name", By::Name), ("ns_per_message_by_pid", By::Pid)] {
        fan_in(senders, each.div_ceil(10), by).await;
        metric(figure, fan_in(senders, each, by).await.ns_each(senders * each));
    }
}

async fn fan_in(senders: u64, each: u64, by: By) -> Elapsed {
    let me = self_pid();
    let receiver = spawn(async move {
        for _ in 0..senders * each {
            receive! { Item(_) => {} }
        }
        send(me, Done);
    });
    if matches!(by, By::Name) {
        register(NAME, receiver).expect("the name is free");
    }
    let one = |_| {
        spawn(async move {
            receive! { Go => {} }
            match by {
                By::Pid => (0..each).for_each(|i| send(receiver, Item(i))),
                By::Name => (0..each).for_each(|i| send(NAME, Item(i))),
            }
        })
    };
    let senders: Vec<Pid> = (0..senders).map(one).collect();
    let watch = Stopwatch::start();
    senders.into_iter().for_each(|sender| send(sender, Go));
    all_done(1).await;
    let elapsed = watch.stop();
    // An error means that the name has already gone with its process.
    let _ = unregister(NAME);
    elapsed
}
