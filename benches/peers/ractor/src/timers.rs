//! Messages that are sent later.

use std::time::Duration;

use fika_bench_kit::{Clock, Params, Stopwatch, latency, metric};
use ractor::{Actor, ActorRef};
use tokio::sync::oneshot;

use crate::echo::{Handled, start};

struct Owner;

struct Owned {
    clock: Clock,
    late: Vec<u64>,
    n: usize,
    done: Option<oneshot::Sender<()>>,
}

/// The time at which the timer should fire, on the owner's clock.
struct Due(u64);

impl Actor for Owner {
    type Msg = Due;
    type State = Owned;
    type Arguments = Owned;

    async fn pre_start(&self, _: ActorRef<Due>, owned: Owned) -> Handled<Owned> {
        Ok(owned)
    }

    async fn handle(&self, _: ActorRef<Due>, due: Due, owned: &mut Owned) -> Handled {
        owned.late.push(owned.clock.ns().saturating_sub(due.0));
        if owned.late.len() == owned.n {
            latency("late", &owned.late);
            owned.done.take().map(|done| done.send(()));
        }
        Ok(())
    }
}

async fn owner(p: &Params, clock: Clock) -> (ActorRef<Due>, oneshot::Receiver<()>) {
    let (done, fired) = oneshot::channel();
    let owned = Owned { clock, late: Vec::new(), n: p.size("n"), done: Some(done) };
    (start(Owner, owned).await, fired)
}

pub(crate) async fn start_cancel(p: Params) {
    let n = p.get("n");
    let (owner, _) = owner(&p, Clock::start()).await;
    let after = |i: u64| Duration::from_millis(60_000 + i % 60_000);
    let watch = Stopwatch::start();
    let timers: Vec<_> = (0..n).map(|i| owner.send_after(after(i), move || Due(i))).collect();
    metric("ns_per_start", watch.stop().ns_each(n));
    let watch = Stopwatch::start();
    timers.iter().for_each(|timer| timer.abort());
    metric("ns_per_cancel", watch.stop().ns_each(n));
    let watch = Stopwatch::start();
    (0..n).for_each(|i| owner.send_after(after(i), move || Due(i)).abort());
    metric("ns_per_start_and_cancel", watch.stop().ns_each(n));
}

pub(crate) async fn fire(p: Params) {
    let (lead_ms, over_ms) = (p.get("lead_ms"), p.get("over_ms"));
    let clock = Clock::start();
    let (owner, fired) = owner(&p, clock).await;
    for i in 0..p.get("n") {
        let due = (lead_ms + i % over_ms) * 1_000_000;
        let after = Duration::from_nanos(due.saturating_sub(clock.ns()));
        drop(owner.send_after(after, move || Due(due)));
    }
    let _ = fired.await;
}
