//! mailbox: messages that wait in a mailbox: the cost of each, and their effect on a call.

use fika::prelude::*;
use fika::process::yield_now;
use fika_bench_kit::{Params, Stopwatch, metric, rss_bytes};

use super::echo::{Done, Go, all_done};
use super::selective::{Junk, calls, serve};

/// After this many sends the sender yields, so that the receiver can look at the messages.
const TURN: u64 = 1000;

/// Messages that are sent before measuring, so that one-time costs do not count for few messages.
const FIRST: u64 = 100;

pub(super) async fn run(p: Params) {
    let (n, calls) = (p.get("n"), p.get("calls"));
    once(FIRST, calls / 10, |_, _| ()).await;
    let before = rss_bytes();
    once(n / 10, calls / 10, |_, _| ()).await;
    once(n, calls, metric).await;
    metric("bytes_per_message", (rss_bytes() - before) / n as f64);
}

async fn once(n: u64, n_calls: u64, tell: fn(&str, f64)) {
    let (me, server) = (self_pid(), spawn(serve()));
    let receiver = spawn(async move {
        receive! { Go => {} }
        let watch = Stopwatch::start();
        calls(server, n_calls, true).await;
        tell("ns_per_call_by_ref", watch.stop().ns_each(n_calls));
        send(me, Done);
        receive! { Go => {} }
        let watch = Stopwatch::start();
        for _ in 0..n {
            receive! { Junk(_) => {} }
        }
        tell("ns_per_receive", watch.stop().ns_each(n));
        send(me, Done);
    });
    let watch = Stopwatch::start();
    for turn in 0..n.div_ceil(TURN) {
        (turn * TURN..n.min((turn + 1) * TURN)).for_each(|i| send(receiver, Junk(i)));
        yield_now().await;
    }
    tell("ns_per_send", watch.stop().ns_each(n));
    send(receiver, Go);
    all_done(1).await;
    send(receiver, Go);
    all_done(1).await;
    exit_process(server, ExitReason::Kill);
}
