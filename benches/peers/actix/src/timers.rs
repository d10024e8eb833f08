//! timers: messages that an actor sends to itself later.

use std::time::Duration;

use actix::prelude::*;
use fika_bench_kit::{Clock, Params, Stopwatch, latency, metric, watchdog};
use tokio::sync::oneshot;

struct Owner {
    clock: Clock,
    late: Vec<u64>,
    left: u64,
    done: Option<oneshot::Sender<()>>,
}

impl Actor for Owner {
    type Context = Context<Self>;
}

/// The time at which the timer should fire, on the owner's clock.
#[derive(Message)]
#[rtype(result = "()")]
struct Due(u64);

impl Handler<Due> for Owner {
    type Result = ();

    fn handle(&mut self, due: Due, _: &mut Self::Context) {
        self.late.push(self.clock.ns().saturating_sub(due.0));
        if self.late.len() as u64 == self.left {
            latency("late", &self.late);
            self.done.take().map(|done| done.send(()));
        }
    }
}

/// Starts and cancels timers, inside the actor that owns them.
#[derive(Message)]
#[rtype(result = "()")]
struct Run(Params);

impl Handler<Run> for Owner {
    type Result = ();

    fn handle(&mut self, run: Run, context: &mut Self::Context) {
        let n = run.0.get("n");
        let after = |i: u64| Duration::from_millis(60_000 + i % 60_000);
        let watch = Stopwatch::start();
        let timers: Vec<SpawnHandle> =
            (0..n).map(|i| context.notify_later(Due(i), after(i))).collect();
        metric("ns_per_start", watch.stop().ns_each(n));
        let watch = Stopwatch::start();
        for timer in timers {
            context.cancel_future(timer);
        }
        metric("ns_per_cancel", watch.stop().ns_each(n));
        let watch = Stopwatch::start();
        for i in 0..n {
            let timer = context.notify_later(Due(i), after(i));
            context.cancel_future(timer);
        }
        metric("ns_per_start_and_cancel", watch.stop().ns_each(n));
    }
}

/// Starts timers that fire, inside the actor that owns them.
#[derive(Message)]
#[rtype(result = "()")]
struct Fire(Params);

impl Handler<Fire> for Owner {
    type Result = ();

    fn handle(&mut self, fire: Fire, context: &mut Self::Context) {
        let (lead_ms, over_ms) = (fire.0.get("lead_ms"), fire.0.get("over_ms"));
        for i in 0..self.left {
            let due = (lead_ms + i % over_ms) * 1_000_000;
            let after = Duration::from_nanos(due.saturating_sub(self.clock.ns()));
            context.notify_later(Due(due), after);
        }
    }
}

fn owner(n: u64) -> (Addr<Owner>, oneshot::Receiver<()>) {
    let (done, fired) = oneshot::channel();
    let clock = Clock::start();
    let owner = Owner { clock, late: Vec::new(), left: n, done: Some(done) };
    (owner.start(), fired)
}

/// `cancel_future` only records which timer to cancel. When the actor runs next, it searches all
/// its timers for each recorded one.
pub(crate) async fn run_start_cancel(p: Params) {
    let why = "cancelling searches all timers for each cancelled one: it does not end for so many";
    watchdog(p.get("patience_s"), why);
    let (owner, _) = owner(p.get("n"));
    let _ = owner.send(Run(p)).await;
}

pub(crate) async fn run_fire(p: Params) {
    let (owner, fired) = owner(p.get("n"));
    let _ = owner.send(Fire(p)).await;
    let _ = fired.await;
}
