//! Processes: how they begin, what they inherit, and which futures they can wait for.
#![deny(warnings)]

use crate::wait;

use std::sync::Arc;

use fika::inspect::process_count;
use fika::message::Local;
use fika::prelude::*;
use fika::process::{spawn_blocking, yield_now};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use wait::{LIMIT, down, end_of, exit_from, has_none, next, serve, sync};

/// Runs code when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// PROC-1: a message can be sent to a process that has not run yet.
#[fika::test]
async fn a_message_can_be_sent_before_the_process_has_run() {
    let me = self_pid();
    for n in 0..10_000_u64 {
        let child = spawn(async move {
            let n: u64 = next().await;
            send(me, n);
        });
        send(child, n);
        assert_eq!(next::<u64>().await, n);
    }
}

/// PROC-3: a return ends a process with the reason normal, unless it returns an error.
#[fika::test]
async fn a_return_without_an_error_is_a_normal_exit() {
    assert_eq!(end_of(async { 7 }).await, ExitReason::Normal);
    let failed = ExitReason::Error("failed".into());
    assert_eq!(end_of(async { Err::<(), _>("failed") }).await, failed);
    assert_eq!(end_of(async { None::<String> }).await, ExitReason::Normal);
    assert_eq!(end_of(async { ExitReason::Kill }).await, ExitReason::Normal);
}

/// PROC-5: a process inherits no flag, link, monitor, name or message.
#[fika::test]
async fn nothing_is_inherited() {
    trap_exit(true);
    let me = self_pid();
    register("parent", me).unwrap();
    send(me, 1_u64);
    let other = spawn_link(serve());
    let _ = monitor(other);
    let child = spawn(async move {
        assert!(!trap_exit(false), "no child traps exits");
        assert_eq!(whereis("parent"), Some(me));
        assert!(has_none::<u64>().await, "no child has messages");
        register("child", self_pid()).unwrap();
        send(me, ());
        serve().await;
    });
    let watch = monitor(child);
    next::<()>().await;
    exit_process(other, ExitReason::Shutdown);
    assert_eq!(exit_from(other).await, ExitReason::Shutdown);
    sync(child).await;
    assert!(trap_exit(true), "the parent's flag is as it was");
    exit_process(child, ExitReason::Shutdown);
    assert_eq!(down(watch).await, ExitReason::Shutdown);
}

/// PROC-9: a process's monitors and messages end with it.
#[fika::test]
async fn monitors_and_messages_end_with_their_process() {
    let target = spawn(serve());
    let held = Arc::new(());
    for _ in 0..100 {
        let message = Local(held.clone());
        let (watcher, monitor) = spawn_monitor(async move {
            let _ = fika::process::monitor(target);
            sync(target).await;
        });
        send(watcher, message);
        assert_eq!(down(monitor).await, ExitReason::Normal);
        assert_eq!(Arc::strong_count(&held), 1);
    }
    exit_process(target, ExitReason::Kill);
    down(monitor(target)).await;
    assert!(has_none::<Down>().await);
}

/// PROC-9, TIM-11: very many processes leave nothing behind.
#[fika::test]
async fn a_hundred_thousand_processes_leave_nothing_behind() {
    let node = self_node();
    for _ in 0..10 {
        let children: Vec<_> = (0..10_000)
            .map(|n| {
                spawn_monitor(async move {
                    match n % 4 {
                        0 => {}
                        1 => receive! { (): () => {}, after secs(3600) => {} },
                        2 => sleep(Duration::ZERO).await,
                        _ => exit(ExitReason::Shutdown),
                    }
                })
            })
            .collect();
        for (child, _) in &children {
            send(child, ());
        }
        for _ in children {
            next::<Down>().await;
        }
    }
    let begun = node.env().now();
    while process_count() > 2 || node.timer_count() > 0 {
        let (processes, timers) = (process_count(), node.timer_count());
        assert!(node.env().now().since(begun) < LIMIT, "{processes} processes, {timers} timers");
        yield_now().await;
    }
}

/// Values that can't leave the node reach its processes unchanged.
#[fika::test]
async fn local_values_reach_processes_of_the_node() {
    let me = self_pid();
    let (sender, receiver) = std::sync::mpsc::channel::<u64>();
    let child = spawn(async move {
        let Local(sender) = next::<Local<std::sync::mpsc::Sender<u64>>>().await;
        sender.send(7).unwrap();
        send(me, Local(Box::new(|n: u64| n + 1) as Box<dyn Fn(u64) -> u64 + Send>));
    });
    send(child, Local(sender));
    let Local(add) = next::<Local<Box<dyn Fn(u64) -> u64 + Send>>>().await;
    assert_eq!(add(receiver.recv().unwrap()), 8);
    // Each type of value is a type of message.
    send(me, Local(1_u8));
    send(me, Local(2_u16));
    assert_eq!(next::<Local<u16>>().await, Local(2));
    assert_eq!(next::<Local<u8>>().await, Local(1));
}

/// Futures of other crates work in a process, and messages arrive in between.
#[fika::test]
async fn a_foreign_future_works_in_a_process() {
    let listener = async_net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 5];
        while stream.read_exact(&mut buffer).await.is_ok() {
            stream.write_all(&buffer).await.unwrap();
        }
        serve().await;
    });
    let mut stream = async_net::TcpStream::connect(addr).await.unwrap();
    for n in 0..100_u64 {
        send(self_pid(), n);
        stream.write_all(b"hello").await.unwrap();
        let mut buffer = [0; 5];
        stream.read_exact(&mut buffer).await.unwrap();
        assert_eq!((&buffer, next::<u64>().await), (b"hello", n));
    }
    drop(stream);
    sync(server).await;
    exit_process(server, ExitReason::Kill);
    assert_eq!(down(monitor(server)).await, ExitReason::Noproc);
}

/// A thread may wake a future even after the future's process has ended.
#[fika::test]
#[allow(clippy::disallowed_methods, reason = "the thread of a test")]
async fn wakers_outlive_their_processes() {
    use std::task::{Poll, Waker};
    let (wakers, to_wake) = std::sync::mpsc::channel::<Waker>();
    let thread = std::thread::spawn(move || {
        let mut all = Vec::new();
        for waker in to_wake {
            waker.wake_by_ref();
            all.push(waker);
        }
        all.into_iter().for_each(Waker::wake);
    });
    for n in 0..2000 {
        let wakers = wakers.clone();
        let mut polls = 0;
        let (child, monitor) = spawn_monitor(std::future::poll_fn(move |context| {
            polls += 1;
            wakers.send(context.waker().clone()).unwrap();
            if polls > n % 3 { Poll::Ready(()) } else { Poll::Pending }
        }));
        if n % 7 == 0 {
            exit_process(child, ExitReason::Kill);
        }
        let reason = down(monitor).await;
        assert!(reason == ExitReason::Normal || (n % 7 == 0 && reason == ExitReason::Killed));
    }
    drop(wakers);
    spawn_blocking(move || thread.join().unwrap()).await;
}

/// A blocking call delays no other process and returns its value. Its panic ends only the process
/// that called it.
#[fika::test(workers = 1)]
async fn blocking_calls_do_not_delay_processes() {
    let (all_here, count) = std::sync::mpsc::channel();
    let go = Arc::new(std::sync::Barrier::new(21));
    let me = self_pid();
    for n in 0..20_u64 {
        let (go, all_here) = (go.clone(), all_here.clone());
        spawn(async move {
            let n = spawn_blocking(move || {
                all_here.send(()).unwrap();
                go.wait();
                n
            })
            .await;
            send(me, n);
        });
    }
    let other = spawn(serve());
    sync(other).await;
    // All twenty calls block at the same time.
    spawn_blocking(move || {
        for _ in 0..20 {
            count.recv().unwrap();
        }
        go.wait();
    })
    .await;
    let mut sum = 0;
    for _ in 0..20 {
        sum += next::<u64>().await;
    }
    assert_eq!(sum, 190);

    for _ in 0..100 {
        match end_of(async { spawn_blocking(|| panic!("inside")).await }).await {
            ExitReason::Panic(panic) => {
                assert_eq!(panic.message, "inside");
                assert!(
                    panic.location.as_deref().is_none_or(|at| at.contains("runtime/processes.rs"))
                );
            }
            other => panic!("{other}"),
        }
    }
    // A process that is killed while it waits for a call ends at once, and the call's value is
    // dropped.
    let (finish, finished) = std::sync::mpsc::channel::<()>();
    let (child, monitor) = spawn_monitor(async move {
        send(me, ());
        spawn_blocking(move || {
            finished.recv().unwrap();
            OnDrop(|| panic!("the value's destructor"))
        })
        .await;
    });
    next::<()>().await;
    exit_process(child, ExitReason::Kill);
    assert_eq!(down(monitor).await, ExitReason::Killed);
    finish.send(()).unwrap();
    assert_eq!(spawn_blocking(|| 7).await, 7);
}
