//! Processes, however they ended, and whole nodes leave nothing behind.
//!
//! The default run is short. `FIKA_LONG=1` makes it 10^6 panics and 10^7 processes, as
//! `scripts/verify leaks --long` does.
#![deny(warnings)]

use crate::alone;
use crate::counting;
use crate::wait;

use fika::inspect::process_count;
use fika::message::{Reference, alias};
use fika::node::{Env as _, SystemEnv};
use fika::prelude::*;
use fika::process::{registered, yield_now};

use wait::{LIMIT, down, next, serve};

fn is_long() -> bool {
    std::env::var_os("FIKA_LONG").is_some_and(|value| value == "1")
}

/// The number of simultaneous processes that come and go …
const BATCH: usize = 1000;

/// … and of those that stay, which make the node large: its heap is some MiB, so queues that grow
/// by doubling are a small part of it.
const IDLE: usize = 30_000;

/// Runs batches of processes. `child` makes the process of this number, and returns a monitor of
/// it.
async fn churn(count: usize, batch: usize, child: impl Fn(usize) -> Reference) {
    for first in (0..count).step_by(batch) {
        let ends: Vec<_> = (first..count.min(first + batch)).map(&child).collect();
        for end in ends {
            down(end).await;
        }
    }
}

/// The contents of an idle node.
#[derive(PartialEq, Eq, Debug)]
struct Counts {
    processes: usize,
    timers: usize,
    names: usize,
    messages: usize,
}

async fn counts() -> Counts {
    // Processes that have reported their end are gone, except for the last steps of some.
    let begun = self_node().env().now();
    while process_count() > IDLE + 2 {
        assert!(self_node().env().now().since(begun) < LIMIT, "{} processes", process_count());
        yield_now().await;
    }
    let info =
        fika::inspect::process_info(self_pid(), &[fika::inspect::Item::MessageQueueLen]).await;
    let messages = match info.as_deref() {
        Some([fika::inspect::InfoItem::MessageQueueLen(length)]) => *length,
        other => panic!("{other:?}"),
    };
    Counts {
        processes: process_count(),
        timers: self_node().timer_count(),
        names: registered().len(),
        messages,
    }
}

/// Runs a part of the churn until everything has grown to its size. Then runs it completely, and
/// compares.
fn leaves_nothing(count: usize, child: impl Fn(usize) -> Reference + Send + Sync + 'static) {
    let _alone = alone();
    let node = Node::builder().workers(2).build().unwrap();
    node.block_on(async move {
        for _ in 0..IDLE {
            spawn(serve());
        }
        churn(4 * BATCH, 4 * BATCH, &child).await;
        churn(count / 10, BATCH, &child).await;
        let (before, heap) = (counts().await, counting::live());
        let begun = self_node().env().now();
        churn(count, BATCH, &child).await;
        let took = self_node().env().now().since(begun);
        assert_eq!(counts().await, before);
        let now = counting::live();
        println!("{count} processes in {took:?}: live heap {heap} before, {now} after");
        // In a short run, queues that grow by doubling are more than a hundredth.
        let part = if is_long() { 100 } else { 20 };
        assert!((now - heap).abs() <= heap / part, "live heap {heap} before, {now} after");
    });
    assert!(node.stop());
}

/// Panics when it is dropped.
struct Explosive;

impl Drop for Explosive {
    fn drop(&mut self) {
        panic!("in a destructor, {}", "with a text of its own");
    }
}

/// PROC-4, PROC-9: panics leave nothing behind. A third of the processes each panic in the body, in
/// a destructor, and with a payload whose destructor panics.
#[test]
fn panics_leave_nothing() {
    let count = if is_long() { 1_000_000 } else { 30_000 };
    leaves_nothing(count, |n| {
        let (_, monitor) = spawn_monitor(async move {
            let local = vec![n; 10];
            match n % 3 {
                0 => panic!("in the body, with {}", local.len()),
                1 => drop(std::panic::AssertUnwindSafe((Explosive, local))),
                _ => std::panic::panic_any(Explosive),
            }
        });
        monitor
    });
}

/// PROC-9: processes of all kinds leave nothing behind: unreceived messages, links, monitors,
/// aliases, names and timers.
#[test]
fn processes_leave_nothing() {
    let count = if is_long() { 10_000_000 } else { 100_000 };
    leaves_nothing(count, |n| {
        let parent = self_pid();
        let (pid, monitor_of) = spawn_monitor(async move {
            match n % 8 {
                0 => send(self_pid(), vec![n; 5]),
                1 => {
                    link(spawn(async {
                        receive! { (): () => {}, after millis(50) => {} }
                    }));
                    exit(ExitReason::Shutdown);
                }
                2 => drop(monitor(parent)),
                3 => drop(alias()),
                4 => drop(register(format!("child {n}"), self_pid())),
                5 => drop(send_after(secs(60), self_pid(), n)),
                6 => drop(fika::process::dictionary::put("key", n)),
                _ => yield_now().await,
            }
        });
        send(pid, n);
        monitor_of
    });
}

/// Returns the number of threads of nodes without a name.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| {
        // A thread that ends meanwhile has no name.
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    });
    names.filter(|name| name.starts_with("nonode")).count()
}

/// A node with 100,000 processes, some of which have links, monitors, names and timers, stops
/// within a second and leaves neither threads nor memory. (A short run may take longer, since the
/// machine also runs other programs.)
#[test]
fn a_large_node_stops_within_a_second_and_leaves_nothing() {
    let _alone = alone();
    let limit = if is_long() { secs(1) } else { secs(30) };
    let clock = SystemEnv::new();
    let mut heap = 0;
    for round in 0..if is_long() { 20 } else { 3 } {
        assert_eq!(threads(), 0);
        let node = Node::builder().workers(2).build().unwrap();
        node.block_on(async {
            let me = self_pid();
            for n in 0..100_000_usize {
                let child = spawn(async move {
                    match n % 10 {
                        0 => link(spawn(serve())),
                        1 => drop(monitor(me)),
                        2 => drop(send_after(secs(60), self_pid(), ())),
                        3 if n % 100 == 3 => drop(register(format!("child {n}"), self_pid())),
                        _ => {}
                    }
                    send(me, ());
                    serve().await;
                });
                send(child, n);
            }
            for _ in 0..100_000 {
                next::<()>().await;
            }
        });
        assert!(node.process_count() >= 100_000);
        let begun = clock.now();
        assert!(node.stop());
        let took = clock.now().since(begun);
        println!("stopped in {took:?}");
        assert_eq!(node.process_count(), 0);
        drop(node);
        // A thread that has finished its work for the node may still be ending.
        while threads() > 0 {
            assert!(clock.now().since(begun) < LIMIT, "{} threads", threads());
            std::thread::yield_now();
        }
        assert!(took <= limit, "{took:?}");
        let now = counting::live();
        // The first node allocates memory that belongs to the program: thread-locals and the table
        // of names.
        if round == 1 {
            heap = now;
        } else if round > 1 {
            assert!((now - heap).abs() <= 500_000, "live heap {heap} before, {now} after");
        }
    }
}
