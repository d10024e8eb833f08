//! Full mailboxes of supervisors.

use super::*;

fn limits() -> [MailboxLimit; 4] {
    [
        MailboxLimit::messages(0).when_full(WhenFull::Wait),
        MailboxLimit::messages(0).when_full(WhenFull::DropNewest),
        MailboxLimit::messages(0).when_full(WhenFull::Kill),
        MailboxLimit::messages(3).when_full(WhenFull::DropNewest),
    ]
}

/// The ends of children, retries of restarts, system messages and the order to end pass the
/// full mailbox of a supervisor.
#[test]
fn a_supervisor_works_with_a_full_mailbox() {
    run(async {
        for limit in limits() {
            let broken = Arc::new(AtomicU32::new(0));
            let (fails, me) = (broken.clone(), self_pid());
            let fragile = ChildSpec::new("a", move || {
                let less = |left: u32| left.checked_sub(1);
                let fails = fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
                async move {
                    if fails {
                        return Err(StartError::Timeout);
                    }
                    let pid = spawn_link(child());
                    send(me, Up("a", pid));
                    Ok(pid)
                }
            });
            let opts = Start::name("full").mailbox_limit(limit);
            let flags = SupFlags::one_for_one().intensity(10);
            let top = supervisor::start_link(opts, flags, [fragile, worker("b")]).await.unwrap();
            let (pid, a, b) = (top.whereis().unwrap(), up("a").await, up("b").await);
            let full = || try_send(pid, 1_u64).is_err_and(|error| error.is_full());

            // A suspended supervisor leaves messages in its mailbox.
            sys::suspend(&top).await.unwrap();
            until("a full mailbox", || async { full() }).await;
            send(b, Stop(error()));
            end_of(b).await;
            assert!(sys::get_status(&top).await.unwrap().suspended);
            assert!(full(), "a system message gives no room back");
            sys::resume(&top).await.unwrap();
            up("b").await;

            // A restart that fails is tried again, though its message finds no room.
            broken.store(3, Ordering::SeqCst);
            send(a, Stop(error()));
            let a = up("a").await;

            sys::suspend(&top).await.unwrap();
            until("a full mailbox", || async { full() }).await;
            let watch = monitor(a);
            top.stop(ExitReason::Shutdown, Some(LIMIT)).await.unwrap();
            assert_eq!(exit_of(pid).await, ExitReason::Shutdown);
            receive! {
                Down { monitor, reason, .. } if monitor == watch => {
                    assert_eq!(reason, ExitReason::Shutdown);
                },
                after LIMIT => panic!("a child is left"),
            }
            assert_eq!(whereis("full"), None);
        }
    });
}

/// The exit signal of the parent passes the full mailbox of a supervisor and of a server.
#[test]
fn the_end_of_the_parent_passes_a_full_mailbox() {
    run(async {
        for limit in limits() {
            let me = self_pid();
            let (parent, _) = spawn_monitor(async move {
                trap_exit(true);
                let opts = Start::new().mailbox_limit(limit);
                let spec = ChildSpec::new("a", move || async move {
                    let pid = spawn_link(child());
                    send(me, Up("a", pid));
                    pid
                });
                let top = supervisor::start_link(opts, SupFlags::one_for_one(), [spec]).await;
                send(me, Up("top", top.unwrap().whereis().unwrap()));
                child().await;
            });
            let (a, top) = (up("a").await, up("top").await);
            let server = ServerRef::<Supervisor>::pid(top);
            sys::suspend(&server).await.unwrap();
            until("a full mailbox", || async {
                try_send(top, 1_u64).is_err_and(|error| error.is_full())
            })
            .await;
            let watches = [monitor(a), monitor(top)];
            send(parent, Stop(error()));
            for (watch, expected) in watches.into_iter().zip([ExitReason::Shutdown, error()]) {
                receive! {
                    Down { monitor, reason, .. } if monitor == watch => {
                        assert_eq!(reason, expected);
                    },
                    after LIMIT => panic!("a process is left"),
                }
            }
        }
    });
}
