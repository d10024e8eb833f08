//! timers: messages that an actor gets later.

use std::time::Duration;

use fika_bench_kit::{Clock, Params, Stopwatch, latency, metric};
use kameo::prelude::*;
use tokio::sync::oneshot;

use crate::echo::start;

#[derive(Actor)]
struct Owner {
    clock: Clock,
    late: Vec<u64>,
    n: usize,
    done: Option<oneshot::Sender<()>>,
}

/// The time at which the timer should fire, on the owner's clock.
struct Due(u64);

impl Message<Due> for Owner {
    type Reply = ();

    async fn handle(&mut self, due: Due, _: &mut Context<Self, ()>) {
        self.late.push(self.clock.ns().saturating_sub(due.0));
        if self.late.len() == self.n {
            latency("late", &self.late);
            self.done.take().map(|done| done.send(()));
        }
    }
}

fn owner(p: &Params, clock: Clock) -> (ActorRef<Owner>, oneshot::Receiver<()>) {
    let (done, fired) = oneshot::channel();
    (start(Owner { clock, late: Vec::new(), n: p.size("n"), done: Some(done) }), fired)
}

pub(crate) fn start_cancel(p: Params) {
    let n = p.get("n");
    let (owner, _) = owner(&p, Clock::start());
    let after = |i: u64| Duration::from_millis(60_000 + i % 60_000);
    let watch = Stopwatch::start();
    let timers: Vec<_> = (0..n).map(|i| owner.tell(Due(i)).send_after(after(i))).collect();
    metric("ns_per_start", watch.stop().ns_each(n));
    let watch = Stopwatch::start();
    timers.iter().for_each(|timer| timer.abort());
    metric("ns_per_cancel", watch.stop().ns_each(n));
    let watch = Stopwatch::start();
    (0..n).for_each(|i| owner.tell(Due(i)).send_after(after(i)).abort());
    metric("ns_per_start_and_cancel", watch.stop().ns_each(n));
}

pub(crate) async fn fire(p: Params) {
    let (lead_ms, over_ms) = (p.get("lead_ms"), p.get("over_ms"));
    let clock = Clock::start();
    let (owner, fired) = owner(&p, clock);
    for i in 0..p.get("n") {
        let due = (lead_ms + i % over_ms) * 1_000_000;
        let after = Duration::from_nanos(due.saturating_sub(clock.ns()));
        drop(owner.tell(Due(due)).send_after(after));
    }
    let _ = fired.await;
}
