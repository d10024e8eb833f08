//! Code of the program that the runtime calls in the middle of other work: destructors and wakers.
//! Each of them is called, and its panic affects nothing else.
#![deny(warnings)]
#![allow(clippy::disallowed_methods, reason = "threads beside the nodes")]

use crate::wait;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};

use fika::inspect::process_info;
use fika::message::{
    AliasOpts, Local, MailboxLimit, WhenFull, alias, alias_with, mailbox_limit, send_priority,
    send_wait, unalias,
};
use fika::node::{Env as _, SystemEnv};
use fika::prelude::*;
use fika::process::{
    MonitorOpts, ReplyOn, SpawnOpts, dictionary, spawn_blocking, spawn_request_abandon,
    spawn_request_on, yield_now,
};
use futures_lite::future;

use wait::{LIMIT, down, next, serve, sync};

/// Counts its drop, and panics.
struct Explosive(Arc<AtomicUsize>);

impl Drop for Explosive {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
        panic!("a destructor");
    }
}

type Values = Arc<AtomicUsize>;

/// Puts three values into the process that drops it, and panics.
struct Puts(Values);

impl Drop for Puts {
    fn drop(&mut self) {
        for key in ["a", "b", "c"] {
            dictionary::put(key, value(&self.0));
        }
        panic!("a destructor");
    }
}

fn value(of: &Values) -> Local<Explosive> {
    Local(Explosive(of.clone()))
}

fn count(of: &AtomicUsize) {
    of.fetch_add(1, SeqCst);
}

/// A waker that calls a function, and may hold a value.
struct Wakes<F, V> {
    wake: F,
    _value: V,
}

impl<F: Fn() + Send + Sync + 'static, V: Send + Sync + 'static> Wake for Wakes<F, V> {
    fn wake(self: Arc<Self>) {
        (self.wake)();
    }
}

fn waker(wake: impl Fn() + Send + Sync + 'static) -> Waker {
    Arc::new(Wakes { wake, _value: () }).into()
}

/// A waker that holds a value.
fn holds(value: impl Send + Sync + 'static) -> Waker {
    Arc::new(Wakes { wake: || (), _value: value }).into()
}

fn loud_waker() -> Waker {
    waker(|| panic!("a waker"))
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Waits until other code has counted this many events.
async fn until(count: &AtomicUsize, wanted: usize) {
    let begun = self_node().env().now();
    while count.load(SeqCst) < wanted {
        assert!(self_node().env().now().since(begun) < LIMIT, "{count:?} of {wanted}");
        sleep(millis(1)).await;
    }
}

/// Puts three values into the running process.
type Put = fn(Values) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// PROC-4, PROC-9: all values of a process are dropped at its end, though each panics, and watchers
/// are notified.
#[fika::test]
async fn the_values_of_a_process_are_dropped_one_at_a_time() {
    let places: &[(&str, Put)] = &[
        ("the dictionary", |values| {
            Box::pin(async move {
                for key in ["a", "b", "c"] {
                    dictionary::put(key, value(&values));
                }
            })
        }),
        ("the tags of monitors", |values| {
            Box::pin(async move {
                let other = spawn(serve());
                for _ in 0..3 {
                    fika::process::monitor_with(other, MonitorOpts::new().tag(value(&values)));
                }
            })
        }),
        ("the mailbox", |values| {
            Box::pin(async move {
                for _ in 0..3 {
                    send(self_pid(), value(&values));
                }
                process_info(self_pid(), &[fika::inspect::Item::MessageQueueLen]).await;
            })
        }),
        ("messages ahead of others", |values| {
            Box::pin(async move {
                let alias = alias_with(AliasOpts::new().priority());
                for _ in 0..3 {
                    send_priority(alias, value(&values));
                }
            })
        }),
        ("the queue", |values| {
            Box::pin(async move {
                for _ in 0..3 {
                    send(self_pid(), value(&values));
                }
            })
        }),
        ("messages to a reference that is not an alias", |values| {
            Box::pin(async move {
                let alias = alias();
                unalias(alias);
                for _ in 0..3 {
                    send(alias, value(&values));
                }
            })
        }),
        ("timers", |values| {
            Box::pin(async move {
                for _ in 0..3 {
                    send_after(secs(1000), self_pid(), value(&values));
                }
            })
        }),
        ("tasks that wait for messages", |values| {
            Box::pin(async move {
                for _ in 0..3 {
                    let mut receive = Box::pin(async {
                        receive! { (): () => {} }
                    });
                    assert!(poll(&mut receive, &holds(value(&values))).is_pending());
                }
            })
        }),
        ("tasks that wait for time", |values| {
            Box::pin(async move {
                for _ in 0..3 {
                    assert!(poll(&mut sleep(secs(1000)), &holds(value(&values))).is_pending());
                }
            })
        }),
        ("values that destructors put there", |values| {
            Box::pin(async move {
                dictionary::put("puts", Local(Puts(values)));
            })
        }),
        ("values that destructors of wakers put there", |values| {
            Box::pin(async move {
                let mut receive = Box::pin(async {
                    receive! { (): () => {} }
                });
                assert!(poll(&mut receive, &holds(Puts(values))).is_pending());
            })
        }),
        ("calls of which nobody takes the value", |values| {
            Box::pin(async move {
                for _ in 0..3 {
                    let value = value(&values);
                    // The call ends when its future is gone.
                    let (go, waits) = mpsc::channel::<()>();
                    drop(spawn_blocking(move || (waits.recv().is_err(), value)));
                    drop(go);
                }
                until(&values, 3).await;
            })
        }),
    ];
    let bystander = spawn(serve());
    for (place, put) in places {
        // The process ends by itself, by a signal, and by a panic. A local of its future panics as
        // well.
        for way in 0..3 {
            let (values, local) = (Values::default(), Values::default());
            let (values_too, local_too, me) = (values.clone(), local.clone(), self_pid());
            let (child, monitor) = spawn_monitor(async move {
                let _local = (way < 2).then(|| value(&local_too));
                put(values_too).await;
                send(me, ());
                match way {
                    0 => {}
                    1 => std::future::pending().await,
                    _ => panic!("the process"),
                }
            });
            let linked = spawn(async move {
                trap_exit(true);
                link(child);
                next::<Exit>().await;
            });
            let watch = fika::process::monitor(linked);
            next::<()>().await;
            exit_process(child, ExitReason::Kill);
            let reason = down(monitor).await;
            assert!(matches!(reason, ExitReason::Panic(_) | ExitReason::Killed), "{reason}");
            assert_eq!(down(watch).await, ExitReason::Normal, "{place}");
            let dropped = (values.load(SeqCst), local.load(SeqCst));
            assert_eq!(dropped, (3, usize::from(way < 2)), "{place}, {way}");
        }
        sync(bystander).await;
    }
}

/// Both tags of a request are dropped, even if the request fails.
#[fika::test(sim)]
async fn the_tags_of_a_request_are_dropped_one_at_a_time() {
    let values = Values::default();
    let opts = || {
        let spawn = SpawnOpts::new().monitor_with(MonitorOpts::new().tag(value(&values)));
        spawn.reply_tag(value(&values)).reply(ReplyOn::Success)
    };
    let request = spawn_request_on("nobody@nowhere", opts(), idle());
    assert!(spawn_request_abandon(request));
    assert_eq!(values.load(SeqCst), 2);
    // No node can be reached, and no process is notified.
    spawn_request_on("nobody@nowhere", opts(), idle());
    sleep(secs(60)).await;
    assert_eq!(values.load(SeqCst), 4);
    // A process that ends with a request in progress.
    let opts = opts();
    let (_, monitor) = spawn_monitor(async move {
        spawn_request_on("nobody@nowhere", opts, idle());
    });
    assert_eq!(down(monitor).await, ExitReason::Normal);
    assert_eq!(values.load(SeqCst), 6);
}

#[remote(name = "test::foreign_code::idle")]
async fn idle() {
    serve().await;
}

/// A stopping node drops everything that is left, one value at a time.
#[test]
fn a_stopping_node_drops_values_one_at_a_time() {
    let values = Values::default();
    let node = Node::builder().workers(1).build().unwrap();
    let held = values.clone();
    node.block_on(async move {
        for _ in 0..3 {
            send_after(secs(1000), "nobody", value(&held));
            let value = value(&held);
            spawn(async move {
                let _value = value;
                serve().await;
            });
        }
    });
    assert!(node.stop());
    assert_eq!(values.load(SeqCst), 6);
}

/// TIM-8: a waker that panics does not keep other timers from firing.
#[fika::test]
async fn a_panicking_waker_does_not_affect_other_timers() {
    let woken = Arc::new(AtomicUsize::new(0));
    let wakers = [
        loud_waker(),
        waker({
            let woken = woken.clone();
            move || count(&woken)
        }),
    ];
    // All of them fall due in one tick, or a few.
    let mut sleeps: Vec<_> = (0..200).map(|_| Box::pin(sleep(millis(20)))).collect();
    for (sleep, n) in sleeps.iter_mut().zip(0..) {
        assert!(poll(sleep, &wakers[n % 2]).is_pending());
    }
    let sent = 200;
    for _ in 0..sent {
        send_after(millis(20), self_pid(), ());
    }
    for _ in 0..sent {
        next::<()>().await;
    }
    until(&woken, 100).await;
}

/// The monitor fires timers while all workers are busy, and continues after a waker has panicked.
#[test]
fn a_panicking_waker_does_not_end_the_monitor() {
    let node = Node::builder().workers(1).build().unwrap();
    node.block_on(async {
        for _ in 0..5 {
            let woken = Arc::new(AtomicBool::new(false));
            let flag = woken.clone();
            let wakers = [loud_waker(), waker(move || flag.store(true, SeqCst))];
            let mut sleeps = [sleep(millis(1)), sleep(millis(1))];
            for (sleep, waker) in sleeps.iter_mut().zip(&wakers) {
                assert!(poll(sleep, waker).is_pending());
            }
            // The only worker is busy until the timers have fired.
            let clock = SystemEnv::new();
            while !woken.load(SeqCst) {
                assert!(clock.now().since_start() < LIMIT, "nobody fires the timers");
                std::hint::spin_loop();
            }
            yield_now().await;
        }
    });
    assert!(node.stop());
}

/// The wakers of asking processes affect neither the answers nor the processes that give them.
#[fika::test]
async fn a_panicking_waker_ends_no_process() {
    let bystander = spawn(serve());
    for _ in 0..3 {
        // The waker is called by a process that answers.
        let mut info = Box::pin(process_info(bystander, &[fika::inspect::Item::MessageQueueLen]));
        // Another worker may have answered by then.
        let answered = poll(&mut info, &loud_waker());
        sync(bystander).await;
        assert!(answered.is_ready() || info.await.is_some());
        // The waker is called at the end of a process.
        let (child, monitor) = spawn_monitor(async { next::<()>().await });
        let mut suspends = Box::pin(fika::inspect::suspend_process(child));
        let _ = poll(&mut suspends, &loud_waker());
        exit_process(child, ExitReason::Kill);
        assert_eq!(down(monitor).await, ExitReason::Killed);
        drop(suspends);
        // The waker is called by a thread of a blocking call.
        let (go, waits) = mpsc::channel::<()>();
        let mut call = spawn_blocking(move || waits.recv().is_err());
        assert!(poll(&mut call, &loud_waker()).is_pending());
        drop(go);
        assert!(call.await);
        // The waker is called by a process that makes room, which also serves the senders behind it
        // in the line.
        let (me, (go, waits)) = (self_pid(), mpsc::channel::<()>());
        let (full, watch) = spawn_monitor(async move {
            mailbox_limit(MailboxLimit::messages(1).when_full(WhenFull::Wait));
            send(me, ());
            spawn_blocking(move || waits.recv().is_err()).await;
            for _ in 0..3 {
                next::<u8>().await;
                send(me, ());
            }
        });
        next::<()>().await;
        send_wait(full, 1_u8).await.unwrap();
        let mut line = [2_u8, 3].map(|n| Box::pin(send_wait(full, n)));
        for waits in &mut line {
            assert!(poll(waits, &loud_waker()).is_pending());
        }
        drop(go);
        for waits in line {
            next::<()>().await;
            waits.await.unwrap();
        }
        next::<()>().await;
        assert_eq!(down(watch).await, ExitReason::Normal);
        // The waker is a task of a process that gets a message.
        let (child, monitor) = spawn_monitor(async move {
            let mut receives = Box::pin(async {
                receive! { (): () => {} }
            });
            assert!(poll(&mut receives, &loud_waker()).is_pending());
            send(me, ());
            future::poll_fn(|_| poll(&mut receives, &loud_waker())).await;
        });
        next::<()>().await;
        send(child, ());
        assert_eq!(down(monitor).await, ExitReason::Normal);
    }
    sync(bystander).await;
}

/// Everything that waits for the stop of a node is notified, and the stop is completed.
#[test]
fn a_panicking_waker_does_not_keep_a_node_from_stopping() {
    let node = Node::builder().workers(1).build().unwrap();
    let woken = Arc::new(AtomicUsize::new(0));
    let flag = woken.clone();
    let wakers = [loud_waker(), waker(move || count(&flag)), loud_waker()];
    let mut futures: Vec<_> = wakers.iter().map(|_| node.run_until_stopped()).collect();
    for (future, waker) in futures.iter_mut().zip(&wakers) {
        assert!(poll(future, waker).is_pending());
    }
    assert!(node.stop() && node.stop());
    assert_eq!(woken.load(SeqCst), 1);
}

/// Wakers and destructors may stop the node whose thread runs them. They do not wait for it.
#[test]
fn user_code_may_stop_the_node_that_runs_it() {
    struct Stops(Node, mpsc::Sender<(bool, bool)>);
    impl Stops {
        fn stop(&self) {
            let clock = SystemEnv::new();
            let stopped = self.0.stop();
            let _ = self.1.send((stopped, clock.now().since_start() < secs(1)));
        }
    }
    impl Drop for Stops {
        fn drop(&mut self) {
            self.stop();
        }
    }
    // The code runs on the monitor.
    let node = Node::builder().workers(1).build().unwrap();
    let (sender, results) = mpsc::channel();
    let (stops, busy) = (Stops(node.clone(), sender.clone()), Arc::new(AtomicBool::new(true)));
    let until = busy.clone();
    node.spawn(async move {
        let mut sleep = sleep(millis(1));
        assert!(poll(&mut sleep, &waker(move || stops.stop())).is_pending());
        // The only worker is busy until the monitor has fired the timer.
        while until.load(SeqCst) {
            std::hint::spin_loop();
        }
    });
    assert_eq!(results.recv_timeout(LIMIT), Ok((false, true)));
    busy.store(false, SeqCst);
    node.run_until_stopped().wait();
    // The code runs on the thread that stops the node.
    let node = Node::builder().workers(1).build().unwrap();
    let stops = Stops(node.clone(), sender);
    node.block_on(async move {
        send_after(secs(1000), "nobody", Local(stops));
    });
    let _ = results.try_iter().count();
    assert!(node.stop());
    assert_eq!(results.try_recv(), Ok((false, true)));
}
