//! The machine's own operations, one by one.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, Thread};

use fika_bench_kit::{Params, Stopwatch, metric};

use crate::local::{hops, thread_to_thread};

pub(crate) fn allocation(p: &Params) {
    let n = p.get("n");
    let watch = Stopwatch::start();
    (0..n).for_each(|_| drop(black_box(Box::new([0_u8; 256]))));
    metric("ns_per_allocation", watch.stop().ns_each(n));
}

pub(crate) fn queue(p: &Params) {
    let n = p.get("n");
    let watch = Stopwatch::start();
    hops(n);
    metric("ns_per_push_and_pop", watch.stop().ns_each(n));
    let watch = Stopwatch::start();
    thread_to_thread(n);
    metric("thread_to_thread_per_s", watch.stop().per_s(n));
}

pub(crate) fn wake(p: &Params) {
    let n = u32::try_from(p.get("n")).expect("rounds have 32 bits");
    metric("ns_per_futex_round_trip", round_trips(n, futex_wait, |word, _| futex_wake(word)));
    metric(
        "ns_per_park_round_trip",
        round_trips(n, |_, _| thread::park(), |_, thread| thread.unpark()),
    );
    let spins = n.saturating_mul(10);
    metric("ns_per_spin_round_trip", round_trips(spins, |_, _| spin_loop(), |_, _| ()));
}

/// Two threads wake each other in turn, with one word for each. `wait` is called while the word
/// has the given value, and `wake` after the word has changed.
fn round_trips(
    n: u32,
    wait: impl Fn(&AtomicU32, u32) + Sync,
    wake: impl Fn(&AtomicU32, &Thread) + Sync,
) -> f64 {
    let (there, back) = (AtomicU32::new(0), AtomicU32::new(0));
    let until = |word: &AtomicU32, value: u32| {
        while word.load(Ordering::Acquire) != value {
            wait(word, value - 1);
        }
    };
    let set = |word: &AtomicU32, value: u32, thread: &Thread| {
        word.store(value, Ordering::Release);
        wake(word, thread);
    };
    let main = thread::current();
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            for i in 1..=n {
                until(&there, i);
                set(&back, i, &main);
            }
        });
        let watch = Stopwatch::start();
        for i in 1..=n {
            set(&there, i, other.thread());
            until(&back, i);
        }
        watch.stop().ns_each(u64::from(n))
    })
}

fn futex_wait(word: &AtomicU32, value: u32) {
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word is alive while the call looks at it, and no time limit is given.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, 0_usize) };
}

fn futex_wake(word: &AtomicU32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word's address only names it.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, 1) };
}
