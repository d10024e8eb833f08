//! A timer is a task that sleeps and then sends.

use std::time::Duration;

use fika_bench_kit::{Clock, Params, Stopwatch, latency, metric};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

pub(crate) fn start_cancel(p: Params) {
    let n = p.get("n");
    let (me, _mailbox) = unbounded_channel();
    let after = |i: u64| Duration::from_millis(60_000 + i % 60_000);
    let watch = Stopwatch::start();
    let timers: Vec<_> = (0..n).map(|i| send_after(after(i), &me, i)).collect();
    metric("ns_per_start", watch.stop().ns_each(n));
    let watch = Stopwatch::start();
    timers.iter().for_each(JoinHandle::abort);
    metric("ns_per_cancel", watch.stop().ns_each(n));
    let watch = Stopwatch::start();
    (0..n).for_each(|i| send_after(after(i), &me, i).abort());
    metric("ns_per_start_and_cancel", watch.stop().ns_each(n));
}

pub(crate) async fn fire(p: Params) {
    let (n, lead_ms, over_ms) = (p.get("n"), p.get("lead_ms"), p.get("over_ms"));
    let (me, mut mailbox) = unbounded_channel();
    let clock = Clock::start();
    for i in 0..n {
        let due = (lead_ms + i % over_ms) * 1_000_000;
        send_after(Duration::from_nanos(due.saturating_sub(clock.ns())), &me, due);
    }
    let mut late = Vec::with_capacity(p.size("n"));
    while late.len() < p.size("n")
        && let Some(due) = mailbox.recv().await
    {
        late.push(clock.ns().saturating_sub(due));
    }
    latency("late", &late);
}

fn send_after(time: Duration, to: &UnboundedSender<u64>, message: u64) -> JoinHandle<()> {
    let (to, sleep) = (to.clone(), tokio::time::sleep(time));
    tokio::spawn(async move {
        sleep.await;
        let _ = to.send(message);
    })
}
