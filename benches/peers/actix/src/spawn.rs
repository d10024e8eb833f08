//! spawn: an actor that sends a message when it starts, and then stops.

use actix::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric};
use tokio::sync::mpsc::unbounded_channel;

use crate::echo::{Done, all_done};

struct Once(Done);

impl Actor for Once {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let _ = self.0.send(());
        context.stop();
    }
}

pub(crate) async fn run(p: Params) {
    let (n, batch) = (p.get("n"), p.get("batch"));
    batches(n / 10, batch).await;
    let watch = Stopwatch::start();
    batches(n, batch).await;
    metric("ns_per_process", watch.stop().ns_each(n));
}

async fn batches(n: u64, batch: u64) {
    let (done, mut all) = unbounded_channel();
    for _ in 0..n / batch {
        for _ in 0..batch {
            Once(done.clone()).start();
        }
        all_done(&mut all, batch).await;
    }
}
