//! `node_container_SUITE`: pids are never confused, and what timers hold is released.

// The path of a case ends with its suite and its name. So the inner module has the name of the
// suite.
#[path = "."]
mod dist {
    #[path = "dist.rs"]
    mod node_container;
}

use std::collections::HashSet;
use std::sync::Arc;

use fika::message::Local;
use fika::prelude::*;
use fika::process::yield_now;
use fika::time::{Timeout, cancel_timer, start_timer};

use crate::wait::{LIMIT, down, end_of, next, serve};

/// PROC-2: pids that are made at the same time differ.
#[fika::test(workers = 4)]
async fn unique_pid() {
    let me = self_pid();
    for _ in 0..8 {
        spawn(async move {
            let mut pids = Vec::new();
            for n in 0..2000 {
                pids.push(spawn(async {}));
                if n % 16 == 0 {
                    yield_now().await;
                }
            }
            send(me, pids);
        });
    }
    let mut seen = HashSet::new();
    for _ in 0..8 {
        for pid in next::<Vec<Pid>>().await {
            assert!(seen.insert(pid), "{pid} was two processes");
        }
    }
}

/// PROC-2, PROC-10: a pid of a dead process never means another process, even if a few slots are
/// reused thousands of times.
#[test]
fn pid_wrap() {
    let node = Node::builder().workers(2).process_limit(8).build().unwrap();
    node.block_on(async {
        let mut seen = HashSet::new();
        let mut dead = Vec::new();
        for n in 0..20_000_u64 {
            let (pid, monitor) = spawn_monitor(async { serve().await });
            assert!(seen.insert(pid), "{pid} was two processes");
            if n % 100 == 0 {
                // None of these pids means this process, which has taken over their slot.
                for pid in &dead {
                    exit_process(*pid, ExitReason::Kill);
                    send(pid, self_pid());
                }
                crate::wait::sync(pid).await;
                let old = dead.last().copied().unwrap_or(pid);
                if old != pid {
                    assert_eq!(down(fika::process::monitor(old)).await, ExitReason::Noproc);
                }
            }
            exit_process(pid, ExitReason::Kill);
            assert_eq!(down(monitor).await, ExitReason::Killed);
            dead.push(pid);
            if dead.len() > 100 {
                dead.remove(0);
            }
        }
    });
    node.stop();
}

/// PROC-2, TIM-11: a timer drops its value when it fires, is cancelled, or has no receiver.
#[fika::test]
async fn timer_refc() {
    let held = Arc::new(());
    let payload = || Local(held.clone());
    let timers: Vec<_> = (0..1000).map(|_| send_after(secs(60), self_pid(), payload())).collect();
    assert_eq!(Arc::strong_count(&held), 1001);
    for timer in timers {
        assert!(cancel_timer(timer).is_some());
    }
    assert_eq!(Arc::strong_count(&held), 1);

    for _ in 0..1000 {
        start_timer(millis(1), self_pid(), payload());
    }
    for _ in 0..1000 {
        next::<Timeout<Local<Arc<()>>>>().await;
    }
    assert_eq!(Arc::strong_count(&held), 1);

    let dead = spawn(async {});
    down(monitor(dead)).await;
    for _ in 0..500 {
        send_after(millis(1), dead, payload());
        send_after(millis(1), "nobody", payload());
    }
    // A timer with the same time was started last.
    let begun = self_node().env().now();
    while Arc::strong_count(&held) > 1 {
        assert!(self_node().env().now().since(begun) < LIMIT);
        sleep(millis(1)).await;
    }
    assert_eq!(end_of(async {}).await, ExitReason::Normal);
}
