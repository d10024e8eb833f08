//! fanin: a hundred processes send to one, as fast as they can.

use fika::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric};

use super::echo::{Done, Go, all_done};

#[derive(Message, Serialize, Deserialize)]
struct Item(u64);

pub(super) async fn run(p: Params) {
    let (senders, each) = (p.get("senders"), p.get("each"));
    let me = self_pid();
    let receiver = spawn(async move {
        for _ in 0..senders * each {
            receive! { Item(_) => {} }
        }
        send(me, Done);
    });
    let one = |_| {
        spawn(async move {
            receive! { Go => {} }
            (0..each).for_each(|i| send(receiver, Item(i)));
        })
    };
    let senders: Vec<Pid> = (0..senders).map(one).collect();
    let n = senders.len() as u64 * each;
    let watch = Stopwatch::start();
    senders.into_iter().for_each(|sender| send(sender, Go));
    all_done(1).await;
    metric("messages_per_s", watch.stop().per_s(n));
}
