//! `bif_SUITE`: calls that concern other processes.

use fika::inspect::processes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fika::inspect::info;
use fika::prelude::*;
use fika::process::{Priority, SpawnOpts, group_leader, set_group_leader, spawn_opt, yield_now};

use crate::support::until_in_process;
use crate::wait::{down, end_of, serve, sync};

/// PROC-8, SIG-9: after a fatal exit signal, `is_process_alive` by the same sender is false.
#[fika::test(workers = 2)]
async fn is_process_alive() {
    assert!(fika::inspect::is_process_alive(self_pid()).await);
    for round in 0..3000 {
        let (child, monitor) = spawn_monitor(async move {
            trap_exit(round % 3 == 0);
            serve().await;
        });
        if round % 2 == 0 {
            sync(child).await;
        }
        assert!(fika::inspect::is_process_alive(child).await);
        // This signal has no effect.
        exit_process(child, ExitReason::Normal);
        assert!(fika::inspect::is_process_alive(child).await);
        let reason = if round % 3 == 0 { ExitReason::Kill } else { ExitReason::Shutdown };
        exit_process(child, reason);
        assert!(!fika::inspect::is_process_alive(child).await, "round {round}");
        down(monitor).await;
        assert!(!fika::inspect::is_process_alive(child).await);
        // A new process takes the child's slot.
        let next = spawn(serve());
        assert!(fika::inspect::is_process_alive(next).await);
        assert!(!fika::inspect::is_process_alive(child).await);
        exit_process(next, ExitReason::Kill);
    }

    // An ending process is not alive, though its destructors still run.
    struct Waits(Arc<AtomicBool>, Arc<AtomicBool>);
    impl Drop for Waits {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
            while !self.1.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
        }
    }
    let (ends, may_end) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let waits = Waits(ends.clone(), may_end.clone());
    let (child, monitor) = spawn_monitor(async move {
        let _waits = waits;
        std::future::pending::<()>().await;
    });
    exit_process(child, ExitReason::Kill);
    until_in_process("it ends", || ends.load(Ordering::SeqCst)).await;
    assert!(!fika::inspect::is_process_alive(child).await);
    assert!(!processes().contains(&child));
    assert_eq!(info::status(child).await, None, "it answers no more");
    may_end.store(true, Ordering::SeqCst);
    down(monitor).await;

    let other_node = Node::builder().workers(1).build().unwrap();
    let elsewhere = other_node.spawn(serve()).expect("room for one");
    let reason = end_of(async move {
        let _ = fika::inspect::is_process_alive(elsewhere).await;
    })
    .await;
    assert!(matches!(reason, ExitReason::Badarg(_)), "{reason}");
    other_node.stop();
}

/// INFO-1, INFO-10: a process of any priority can set and read the group leader of a busy process
/// of any priority, while busy processes keep all workers occupied.
#[fika::test(workers = 2)]
async fn group_leader_prio() {
    let busy = || async {
        loop {
            yield_now().await;
        }
    };
    let all = [Priority::Low, Priority::Normal, Priority::High, Priority::Max];
    let hogs: Vec<_> = (0..8).map(|_| spawn(busy())).collect();
    for target in all {
        let target = spawn_opt(SpawnOpts::new().priority(target), busy()).pid;
        for asker in all {
            let leader = spawn(serve());
            let ask = async move {
                let first = group_leader();
                for n in 0..20 {
                    let new = if n % 2 == 0 { leader } else { first };
                    set_group_leader(new, target);
                    assert_eq!(info::group_leader(target).await, Some(new));
                }
            };
            let asker = spawn_opt(SpawnOpts::new().priority(asker).monitor(), ask);
            assert_eq!(down(asker.monitor.unwrap()).await, ExitReason::Normal);
        }
        exit_process(target, ExitReason::Kill);
    }
    hogs.into_iter().for_each(|pid| exit_process(pid, ExitReason::Kill));
}
