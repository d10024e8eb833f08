//! fanin: a hundred tasks on one arbiter send to an actor on another.

use actix::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric};
use tokio::sync::{mpsc::unbounded_channel, watch};

use crate::arbiters;
use crate::echo::{Done, all_done};

struct Receiver {
    left: u64,
    done: Done,
}

impl Actor for Receiver {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Item(u64);

impl Handler<Item> for Receiver {
    type Result = ();

    fn handle(&mut self, item: Item, _: &mut Self::Context) {
        std::hint::black_box(item.0);
        self.left -= 1;
        if self.left == 0 {
            let _ = self.done.send(());
        }
    }
}

pub(crate) async fn run(p: Params) {
    let (senders, each) = (p.get("senders"), p.get("each"));
    let arbiters = arbiters();
    let (done, mut all) = unbounded_channel();
    let left = senders * each;
    let receiver =
        Receiver::start_in_arbiter(&arbiters[0].handle(), move |_| Receiver { left, done });
    let (go, going) = watch::channel(());
    for _ in 0..senders {
        let (receiver, mut going) = (receiver.clone(), going.clone());
        arbiters[arbiters.len() - 1].spawn(async move {
            let _ = going.changed().await;
            (0..each).for_each(|i| receiver.do_send(Item(i)));
        });
    }
    let watch = Stopwatch::start();
    let _ = go.send(());
    all_done(&mut all, 1).await;
    metric("messages_per_s", watch.stop().per_s(left));
}
