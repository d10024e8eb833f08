//! Does only the allocations and queue operations of each workload.

use std::hint::black_box;
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use fika_bench_kit::{Params, Stopwatch, metric, rss_bytes};

/// The memory of a small process.
type Block = [u8; 256];

pub(crate) fn spawn(p: &Params) {
    let n = p.get("n");
    let watch = Stopwatch::start();
    (0..n).for_each(|_| drop(black_box(Box::new([0_u8; size_of::<Block>()]))));
    metric("ns_per_process", watch.stop().ns_each(n));
}

pub(crate) fn idle(p: &Params) {
    let n = p.get("n");
    let mut blocks: Vec<Box<Block>> = Vec::with_capacity(p.size("n"));
    let before = rss_bytes();
    let watch = Stopwatch::start();
    blocks.extend((0..n).map(|_| Box::new([1; size_of::<Block>()])));
    metric("ns_per_spawn", watch.stop().ns_each(n));
    metric("bytes_per_process", (rss_bytes() - before) / n as f64);
    let (to, from) = unbounded();
    let watch = Stopwatch::start();
    for block in &blocks {
        hop(&to, &from, u64::from(block[0]));
        hop(&to, &from, u64::from(block[1]));
    }
    metric("wake_all_ns_each", watch.stop().ns_each(n));
}

/// Does one push and one pop.
fn hop(to: &Sender<u64>, from: &Receiver<u64>, message: u64) {
    let _ = to.send(message);
    let _ = black_box(from.recv());
}

pub(crate) fn hops(n: u64) {
    let (to, from) = unbounded();
    (0..n).for_each(|i| hop(&to, &from, i));
}

/// Passes messages between two threads: one pushes, and the other pops.
pub(crate) fn thread_to_thread(n: u64) {
    let (to, from) = unbounded();
    thread::scope(|scope| {
        scope.spawn(move || {
            for i in 0..n {
                let _ = to.send(i);
            }
        });
        for _ in 0..n {
            let _ = black_box(from.recv());
        }
    });
}

/// Does this many hops in total, in equal parts on every core.
fn hops_on_all_cores(n: u64) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| hops(n / cores as u64));
        }
    });
}

pub(crate) fn pingpong(p: &Params) {
    let n = p.get("n");
    hops(n / 10);
    let watch = Stopwatch::start();
    hops(2 * n);
    metric("ns_per_round_trip", watch.stop().ns_each(n));
}

pub(crate) fn pairs(p: &Params) {
    let n = p.get("pairs") * p.get("each");
    let watch = Stopwatch::start();
    hops_on_all_cores(2 * n);
    metric("round_trips_per_s", watch.stop().per_s(n));
}

pub(crate) fn ring(p: &Params) {
    let n = p.get("hops");
    let watch = Stopwatch::start();
    hops(n);
    metric("ns_per_hop", watch.stop().ns_each(n));
}

pub(crate) fn fanin(p: &Params) {
    let n = p.get("senders") * p.get("each");
    let watch = Stopwatch::start();
    thread_to_thread(n);
    metric("messages_per_s", watch.stop().per_s(n));
}

pub(crate) fn big(p: &Params) {
    let n = 2 * p.get("rounds") * p.get("n") * (p.get("n") - 1);
    let watch = Stopwatch::start();
    hops_on_all_cores(n);
    metric("messages_per_s", watch.stop().per_s(n));
}

pub(crate) fn call(p: &Params) {
    let n = p.get("clients") * p.get("each");
    let watch = Stopwatch::start();
    hops(2 * n);
    metric("calls_per_s", watch.stop().per_s(n));
}
