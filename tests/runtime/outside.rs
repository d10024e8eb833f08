//! Processes from outside of processes: `Node::run_process`, and calls of servers by threads and by
//! tasks of other executors.
#![deny(warnings)]
#![allow(clippy::disallowed_methods, reason = "threads beside the nodes")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;

use fika::gen_server::Caller;
use fika::gen_server::{Reply, ReplyTo};
use fika::prelude::*;
use futures_lite::future::{block_on, or, poll_once};

use crate::support::until;

struct Counter {
    n: u64,
    waiting: Vec<ReplyTo<u64>>,
}

#[gen_server]
impl Counter {
    async fn init(n: u64) -> Self {
        Counter { n, waiting: Vec::new() }
    }

    #[call]
    async fn add(&mut self, by: u64) -> u64 {
        self.n += by;
        self.n
    }

    /// Is never answered. Returns how many callers still wait.
    #[call]
    async fn wait(&mut self, caller: &mut Caller<'_, u64>) -> Reply<u64> {
        self.waiting.push(caller.reply_later());
        Reply::later()
    }

    #[call]
    async fn waiting(&mut self) -> usize {
        self.waiting.iter().filter(|caller| !caller.is_abandoned()).count()
    }
}

fn node() -> Node {
    Node::builder().workers(2).build().unwrap()
}

#[test]
fn a_task_of_another_executor_calls_a_server() {
    let node = node();
    let counter = node.block_on(Counter::start(Start::name("counter"), 5)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (node, counter) = (node.clone(), counter.clone());
            scope.spawn(move || {
                block_on(async {
                    for _ in 0..100 {
                        let counter = counter.clone();
                        let sum = node.run_process(async move { counter.add(1).await }).await;
                        assert!(sum.unwrap().unwrap() > 5);
                    }
                });
            });
        }
    });
    assert_eq!(node.block_on(async move { counter.add(0).await }).unwrap(), 405);
    node.stop();
}

/// A future that is dropped leaves neither a process nor a call behind.
#[test]
fn a_dropped_future_leaves_nothing_behind() {
    let node = node();
    let counter = node.block_on(Counter::start(Start::new(), 0)).unwrap();
    let waiting = || {
        let counter = counter.clone();
        node.block_on(async move { counter.waiting().await }).unwrap()
    };
    let processes = node.process_count();
    block_on(async {
        for _ in 0..10 {
            let counter = counter.clone();
            let mut call = pin!(node.run_process(async move { counter.wait().no_timeout().await }));
            assert!(poll_once(&mut call).await.is_none());
            let is_waiting = async {
                while waiting() == 0 {
                    std::thread::yield_now();
                }
                Ok(Ok(0))
            };
            // The call is never answered, so the other future is ready first.
            assert_eq!(or(&mut call, is_waiting).await.unwrap().unwrap(), 0);
        }
    });
    until("the calls have ended", || waiting() == 0);
    until("the processes have ended", || node.process_count() <= processes);
    node.stop();
}

#[test]
fn a_process_that_fails_gives_its_reason() {
    let node = node();
    let failed = block_on(node.run_process(async { exit(ExitReason::Timeout) }));
    assert_eq!(failed, Err::<(), _>(ExitReason::Timeout));
    let failed = block_on(node.run_process(async { panic!("a mistake") }));
    assert!(failed.is_err_and(|reason: ExitReason| reason.to_string().contains("a mistake")));
    // A process of another node waits, too.
    let other = self::node();
    let (of, id) = (node.clone(), node.id());
    other.block_on(async move {
        let pid = of.run_process(async { self_pid() }).await.unwrap();
        assert_eq!(pid.node(), id);
        assert_ne!(self_pid().node(), id);
    });
    other.stop();
    let waits = node.run_process(std::future::pending::<()>());
    node.stop();
    assert_eq!(block_on(waits), Err(ExitReason::Killed));
    assert_eq!(block_on(node.run_process(async {})), Err(ExitReason::SystemLimit));
}

/// A call that is awaited outside of a process says what to do.
#[test]
fn a_call_outside_of_a_process_says_what_to_do() {
    let node = node();
    let counter = node.block_on(Counter::start(Start::name("counter"), 0)).unwrap();
    let by_name = Counter::at("counter");
    for counter in [counter, by_name] {
        let calls: [&dyn Fn(); 2] =
            [&|| drop(block_on(counter.add(1).into_future())), &|| drop(counter.add(1).send())];
        for call in calls {
            let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap();
            assert!(text.starts_with("a process makes a request, and no process runs"), "{text}");
            assert!(text.contains("`Node::block_on`"), "{text}");
            assert!(text.contains("`Node::run_process`"), "{text}");
        }
    }
    node.stop();
}
