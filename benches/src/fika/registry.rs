//! registry: the cost of a send for its sender, by pid and by name, and of looking up a name.

use std::hint::black_box;

use fika::message::Dest;
use fika::prelude::*;
use fika::process::yield_now;
use fika_bench_kit::{Params, Stopwatch, metric};

use super::echo::{Done, Go, all_done, wait_forever};

/// The sender yields after this many sends, as the BEAM would force it to.
const TURN: u64 = 1000;

pub(super) async fn run(p: Params) {
    let n = p.get("n");
    let by_pid = spawn(count(self_pid(), n));
    metric("ns_per_send_by_pid", flood(by_pid, n).await);
    let by_name = spawn(count(self_pid(), n));
    register("target", by_name).expect("the name is free");
    metric("ns_per_send_by_name", flood("target", n).await);
    register("idle", spawn(wait_forever())).expect("the name is free");
    let watch = Stopwatch::start();
    for _ in 0..n {
        black_box(whereis(black_box("idle")));
    }
    metric("ns_per_whereis", watch.stop().ns_each(n));
}

async fn count(home: Pid, n: u64) {
    for _ in 0..n {
        receive! { Go => {} }
    }
    send(home, Done);
}

async fn flood<'a>(to: impl Into<Dest<'a>> + Copy, n: u64) -> f64 {
    let watch = Stopwatch::start();
    for _ in 0..n / TURN {
        (0..TURN).for_each(|_| send(to, Go));
        yield_now().await;
    }
    let elapsed = watch.stop();
    all_done(1).await;
    elapsed.ns_each(n)
}
