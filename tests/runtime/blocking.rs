//! Blocking calls: how they and their values affect the threads that run them, and what happens to
//! calls that wait.
#![deny(warnings)]

use crate::wait;

use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};

use fika::net::transport::{Network as _, Poller};
use fika::prelude::*;
use fika::process::{spawn_blocking, yield_now};

use wait::{LIMIT, down};

/// The maximum number of simultaneous calls.
const THREADS: usize = 512;

/// A value whose destructor panics.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a destructor");
    }
}

/// Waits until this many of these are dropped.
struct Gone(Arc<AtomicUsize>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

async fn works() {
    let calls: Vec<_> = (0..2 * THREADS as u64).map(|n| spawn_blocking(move || n)).collect();
    for (n, call) in (0..).zip(calls) {
        assert_eq!(timeout(LIMIT, call).await, Ok(n));
    }
}

/// The call's thread drops a value that nothing waits for any more. There are more calls of each
/// kind than the pool has threads.
#[fika::test]
async fn panicking_destructors_keep_the_pool_intact() {
    for n in 0..6 * THREADS {
        // The call ends when its future is gone.
        let (is_gone, until) = channel::<()>();
        match n % 3 {
            0 => drop(spawn_blocking(move || (until.recv().err(), Bomb))),
            1 => drop(spawn_blocking(move || panic_any((until.recv().err(), Bomb)))),
            _ => drop(spawn_blocking(move || drop((until.recv().err(), Bomb)))),
        }
        drop(is_gone);
    }
    works().await;
}

/// A panic of a call ends the waiting process.
#[fika::test]
async fn a_panic_in_a_call_ends_the_waiting_process() {
    let (_, monitor) = spawn_monitor(async {
        spawn_blocking(|| panic!("of the call")).await;
    });
    assert!(
        matches!(down(monitor).await, ExitReason::Panic(panic) if panic.message == "of the call")
    );
    works().await;
}

/// Occupies all threads of the pool until all senders are dropped.
async fn occupy() -> Vec<Sender<()>> {
    let begun = Arc::new(AtomicUsize::new(0));
    let occupied = |_| {
        let (to, until) = channel::<()>();
        let begun = begun.clone();
        drop(spawn_blocking(move || {
            begun.fetch_add(1, SeqCst);
            let _ = until.recv();
        }));
        to
    };
    let all = (0..THREADS).map(occupied).collect();
    while begun.load(SeqCst) < THREADS {
        yield_now().await;
    }
    all
}

/// The captured values of a call are dropped when the node stops, and may panic.
#[test]
fn no_call_starts_after_a_stop() {
    let node = Node::builder().workers(2).build().unwrap();
    let (begun, gone) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (has_begun, is_gone) = (begun.clone(), gone.clone());
    let occupied = node.block_on(async move {
        let occupied = occupy().await;
        for _ in 0..100 {
            let (begun, both) = (has_begun.clone(), (Gone(is_gone.clone()), Bomb));
            drop(spawn_blocking(move || {
                begun.fetch_add(1, SeqCst);
                drop(both);
            }));
        }
        occupied
    });
    assert!(node.stop());
    assert_eq!(gone.load(SeqCst), 100, "they are dropped");
    drop(occupied);
    assert_eq!(begun.load(SeqCst), 0);
}

/// A program whose blocking threads are all busy still finds its peers.
#[fika::test]
async fn host_lookups_do_not_wait_for_blocking_calls() {
    let occupied = occupy().await;
    let network = Poller::new().unwrap();
    let found = timeout(LIMIT, network.host_ips("localhost")).await;
    assert!(found.expect("it does not wait").unwrap()[0].is_loopback());
    assert!(timeout(millis(1), spawn_blocking(|| ())).await.is_err(), "but others do");
    drop(occupied);
    works().await;
}
