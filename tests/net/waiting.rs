//! Functions that wait for an answer: several can wait at the same time and beside a `receive!`,
//! and their cost does not depend on the length of the mailbox.
#![deny(warnings)]

use crate::support;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use fika::inspect::{Item, info, is_process_alive, process_info, resume_process, suspend_process};
use fika::message::{MailboxLimit, TrySendError, mailbox_limit, send_wait};
use fika::net::{
    Ping as PingAnswer, disconnect_node, get_net_ticktime, monitor_nodes, ping, set_net_ticktime,
    start_distribution, stop_distribution,
};
use fika::prelude::*;
use fika::process::{
    SpawnOpts, spawn_blocking, spawn_monitor_on, spawn_opt_on, try_spawn_on, yield_now,
};
use fika::timer;
use fika_runtime::messages_looked_at;

use support::{LIMIT, Place, answerer};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

fn task(future: impl Future<Output = ()> + Send + 'static) -> Task {
    Box::pin(future)
}

#[remote]
async fn idle() {
    receive! { (): () => {} }
}

#[remote]
async fn ready() {}

/// The names of a test's nodes, and processes to ask about.
#[derive(Clone)]
struct Others {
    near: String,
    /// Only `disconnect_node` uses it.
    lone: String,
    nowhere: String,
    pid: Pid,
    /// Its mailbox has a limit.
    bounded: Pid,
}

impl Others {
    async fn make(place: Place) -> Others {
        let bounded = async {
            mailbox_limit(MailboxLimit::messages(1 << 20));
            idle().await;
        };
        Others {
            near: place.name("b"),
            lone: place.name("c"),
            nowhere: place.name("nobody"),
            pid: spawn(idle().into_future()),
            bounded: spawn(bounded),
        }
    }

    /// Every function of the public interface that waits for an answer, by name.
    fn each(&self) -> Vec<(&'static str, Task)> {
        let Others { near, lone, nowhere, pid, bounded } = self.clone();
        let (to, again, other) = (near.clone(), near.clone(), near.clone());
        let monitored = near.clone();
        let with_opts = near.clone();
        vec![
            ("ping", task(async move { assert_eq!(ping(&to).await, PingAnswer::Pong) })),
            ("ping nobody", {
                let nowhere = nowhere.clone();
                task(async move { assert_eq!(ping(&nowhere).await, PingAnswer::Pang) })
            }),
            ("connect_node", {
                task(async move { assert_eq!(connect_node(&again).await, Some(true)) })
            }),
            ("disconnect_node", {
                task(async move {
                    assert!(disconnect_node(&lone).await.is_some());
                })
            }),
            (
                "spawn_on",
                task(async move {
                    let _ = spawn_on(&near, ready()).await;
                }),
            ),
            ("try_spawn_on", {
                task(async move {
                    assert!(try_spawn_on(&other, ready()).await.is_ok());
                })
            }),
            ("try_spawn_on nobody", {
                task(async move {
                    assert!(try_spawn_on(&nowhere, ready()).await.is_err());
                })
            }),
            ("spawn_monitor_on", {
                task(async move {
                    let (_, monitor) = spawn_monitor_on(&monitored, idle()).await;
                    assert!(demonitor(monitor));
                })
            }),
            ("spawn_opt_on", {
                task(async move {
                    let _ = spawn_opt_on(&with_opts, SpawnOpts::new(), ready()).await;
                })
            }),
            ("get_net_ticktime", task(async { assert!(get_net_ticktime().await.is_ok()) })),
            ("set_net_ticktime", {
                task(async { assert!(set_net_ticktime(secs(60), secs(1)).await.is_ok()) })
            }),
            ("start_distribution", {
                task(async { assert!(start_distribution("again@127.0.0.1").await.is_err()) })
            }),
            ("process_info", {
                task(async move { assert!(process_info(pid, &[Item::Status]).await.is_some()) })
            }),
            ("info::links", task(async move { assert!(info::links(pid).await.is_some()) })),
            ("is_process_alive", { task(async move { assert!(is_process_alive(pid).await) }) }),
            ("suspend_process", {
                task(async move {
                    suspend_process(pid).await.unwrap();
                    resume_process(pid).unwrap();
                })
            }),
            ("timer::cancel", {
                task(async {
                    let timer = timer::apply_after(secs(60), async {}).unwrap();
                    timer::cancel(timer).await.unwrap();
                })
            }),
            ("send_wait", {
                task(async move {
                    let sent: Result<(), TrySendError<u64>> = send_wait(bounded, 1_u64).await;
                    sent.unwrap();
                })
            }),
            ("spawn_blocking", task(async { assert_eq!(spawn_blocking(|| 7).await, 7) })),
            ("sleep", task(sleep(millis(1)))),
            ("timeout", {
                task(async {
                    assert!(timeout(millis(1), std::future::pending::<()>()).await.is_err())
                })
            }),
            ("yield_now", task(yield_now())),
        ]
    }
}

/// Polls only tasks that were woken, as executors and `FuturesUnordered` do.
struct Tasks(Vec<(&'static str, Option<Task>, Arc<Woken>)>);

#[derive(Default)]
struct Woken {
    flag: AtomicBool,
    outer: std::sync::Mutex<Option<Waker>>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.flag.store(true, Ordering::SeqCst);
        if let Some(outer) = self.outer.lock().unwrap().take() {
            outer.wake();
        }
    }
}

impl Tasks {
    fn new(tasks: Vec<(&'static str, Task)>) -> Tasks {
        let woken = || Arc::new(Woken { flag: true.into(), ..Woken::default() });
        Tasks(tasks.into_iter().map(|(name, task)| (name, Some(task), woken())).collect())
    }

    fn left(&self) -> Vec<&'static str> {
        self.0.iter().filter(|(_, task, _)| task.is_some()).map(|(name, ..)| *name).collect()
    }
}

impl Future for Tasks {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        for (_, task, woken) in &mut self.0 {
            *woken.outer.lock().unwrap() = Some(context.waker().clone());
            if let Some(future) = task
                && woken.flag.swap(false, Ordering::SeqCst)
            {
                let waker = Waker::from(woken.clone());
                if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    *task = None;
                }
            }
        }
        if self.left().is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// All functions that wait, many times, and one receive beside them.
#[test]
fn waiting_functions_work_concurrently() {
    let place = Place::new();
    let _others = [place.node("b"), place.node("c")];
    place.node("a").block_on(async move {
        let others = Others::make(place).await;
        let me = self_pid();
        for _ in 0..3 {
            let mut all: Vec<_> = (0..4).flat_map(|_| others.each()).collect();
            all.push((
                "receive!",
                task(async {
                    for expected in 0..200_u64 {
                        receive! {
                            n: u64 => assert_eq!(n, expected),
                            after LIMIT => panic!("a message was not seen"),
                        }
                    }
                }),
            ));
            let mut all = Tasks::new(all);
            spawn(async move {
                for n in 0..200_u64 {
                    send(me, n);
                    sleep(millis(u64::from(n % 10 == 0))).await;
                }
            });
            let in_time = timeout(LIMIT, &mut all).await;
            assert!(in_time.is_ok(), "{:?} wait still", all.left());
        }
        // The waits leave nothing in the mailbox.
        receive! {
            other => panic!("{other:?} is left"),
            after Duration::ZERO => {}
        }
    });
}

/// A future that is dropped while it waits leaves nothing behind.
#[test]
fn dropped_futures_leave_nothing_behind() {
    let place = Place::new();
    let _others = [place.node("b"), place.node("c")];
    place.node("a").block_on(async move {
        let others = Others::make(place).await;
        // New processes must survive this.
        for _ in 0..20 {
            let mut all = Tasks::new(others.each());
            std::future::poll_fn(|context| {
                let _ = Pin::new(&mut all).poll(context);
                Poll::Ready(())
            })
            .await;
            drop(all);
            yield_now().await;
        }
        // A later answer of each asked process comes after the earlier ones.
        for (_, task) in others.each() {
            task.await;
        }
        receive! {
            other => panic!("{other:?} is left"),
            after Duration::ZERO => {}
        }
        let monitors = info::monitors(self_pid()).await.unwrap();
        assert!(monitors.is_empty(), "{monitors:?}");
    });
}

/// RECV-9: no function that waits for an answer looks at waiting messages.
#[test]
fn waiting_functions_do_not_scan_the_mailbox() {
    const MESSAGES: u64 = 200_000;
    let place = Place::new();
    let _others = [place.node("b"), place.node("c")];
    place.node("a").block_on(async move {
        let others = Others::make(place).await;
        for n in 0..MESSAGES {
            send(self_pid(), n);
        }
        for (name, task) in others.each() {
            let before = messages_looked_at();
            task.await;
            let looked_at = messages_looked_at() - before;
            assert_eq!(looked_at, 0, "`{name}` looked at {looked_at} messages");
        }
        // This function takes the name away, and ends all connections.
        let before = messages_looked_at();
        assert!(stop_distribution().await);
        assert_eq!(messages_looked_at(), before, "`stop_distribution`");
        // The count of messages that were looked at is right.
        receive! { (): () => {}, after Duration::ZERO => {} }
        assert!(messages_looked_at() >= before + MESSAGES);
    });
}

/// An answer is received after everything that its sender sent before.
#[test]
fn an_answer_does_not_overtake_earlier_messages() {
    let place = Place::new();
    let _b = place.node("b");
    place.node("a").block_on(async move {
        monitor_nodes(true);
        for _ in 0..50 {
            assert_eq!(connect_node(place.name("b")).await, Some(true));
            receive! {
                NodeUp { .. } => {}
                after Duration::ZERO => panic!("the answer came before `NodeUp`"),
            }
            assert_eq!(disconnect_node(place.name("b")).await, Some(true));
            receive! { NodeDown { .. } => {} after LIMIT => panic!("no `NodeDown`") }
        }
        // A child's message comes after its pid is known.
        let answerer = spawn_on(place.name("b"), answerer()).await;
        assert_eq!(answerer.node().name().as_str(), place.name("b"));
    });
}
