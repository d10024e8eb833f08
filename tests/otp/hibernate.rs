//! `hibernate_SUITE`: a hibernating process uses as little memory as possible.

use fika::inspect::{Status, info, set_label};
use fika::message::{Local, Reference};
use fika::prelude::*;
use fika::process::{dictionary, hibernate, spawn_blocking, unlink, yield_now};

use crate::wait::{LIMIT, down, end_of, exit_from, has_none, next, serve, sync};

/// Returns the memory of a new process that runs `hibernates_for_ever` and waits.
async fn memory_when_new() -> usize {
    let pid = spawn(hibernates_for_ever());
    wait_until_waiting(pid).await;
    info::memory(pid).await.expect("it lives")
}

/// Hibernates, and serves a request after each time that it wakes up.
async fn hibernates_for_ever() {
    loop {
        hibernate().await;
        receive! {
            Local(todo): Local<Box<dyn FnOnce() + Send>> => todo(),
            from: Pid => send(from, ()),
            n: u64 => exit(ExitReason::term(n)),
            after LIMIT => panic!("woken for nothing"),
        }
    }
}

fn todo(todo: impl FnOnce() + Send + 'static) -> Local<Box<dyn FnOnce() + Send>> {
    Local(Box::new(todo))
}

async fn wait_until_waiting(pid: Pid) {
    while info::status(pid).await != Some(Status::Waiting) {
        yield_now().await;
    }
}

/// INFO-2: the process's state is there each time it wakes up.
#[fika::test(workers = 2)]
async fn basic() {
    trap_exit(true);
    let child = spawn_link(async {
        trap_exit(true);
        set_label("sleeper");
        dictionary::put("number", 7_u64);
        register("sleeper", self_pid()).unwrap();
        let watch = monitor("nobody");
        send(self_pid(), "stays".to_owned());
        // `hibernate` does not wait if there is a message, even an unwanted one.
        hibernate().await;
        hibernate().await;
        receive! { _: String => {} }
        receive! { Down { monitor, .. } => assert_eq!(monitor, watch) }
        for n in 0.. {
            hibernate().await;
            assert_eq!(info::message_queue_len(self_pid()).await, Some(1));
            assert_eq!(dictionary::get::<u64>("number"), Some(7));
            receive! {
                (from, m): (Pid, u64) => {
                    assert_eq!(m, n);
                    send(from, m);
                }
                Exit { reason, .. } => exit(reason),
            }
        }
    });
    for n in 0..2000_u64 {
        if n % 2 == 0 {
            wait_until_waiting(child).await;
        }
        send(child, (self_pid(), n));
        assert_eq!(next::<u64>().await, n);
    }
    wait_until_waiting(child).await;
    assert_eq!(info::links(child).await, Some(vec![self_pid()]));
    assert_eq!(info::label(child).await, Some(Some("sleeper".into())));
    assert_eq!(whereis("sleeper"), Some(child));
    exit_process(child, ExitReason::Shutdown);
    assert_eq!(exit_from(child).await, ExitReason::Shutdown);
    assert!(has_none::<Exit>().await);
}

/// INFO-2: state that the process no longer has takes no memory.
#[fika::test(workers = 2)]
async fn min_heap_size() {
    let small = memory_when_new().await;
    let child = spawn(hibernates_for_ever());
    let peers: Vec<_> = (0..200).map(|_| spawn(serve())).collect();
    let known = peers.clone();
    send(
        child,
        todo(move || {
            known.iter().copied().for_each(link);
            (0..100).for_each(|n| drop(dictionary::put(format!("key {n}"), vec![n; 50])));
            let monitors: Vec<_> = known.iter().copied().map(monitor).collect();
            dictionary::put("monitors", Local(monitors));
        }),
    );
    sync(child).await;
    let large = info::memory(child).await.unwrap();
    assert!(large > small + 200 * 20, "{large} bytes, and {small} of a new one");
    send(
        child,
        todo(move || {
            let monitors = dictionary::erase::<Local<Vec<Reference>>>("monitors").unwrap();
            monitors.0.into_iter().for_each(|monitor| assert!(demonitor(monitor)));
            dictionary::keys().iter().for_each(|key| {
                dictionary::erase::<Vec<i32>>(key.as_str()).expect("it was put in");
            });
            peers.into_iter().for_each(unlink);
        }),
    );
    sync(child).await;
    // The acknowledgements of the unlinks may still be on their way.
    let begun = self_node().env().now();
    while info::memory(child).await.unwrap() > small {
        let now = info::memory(child).await;
        assert!(self_node().env().now().since(begun) < LIMIT, "{now:?} bytes, and {small}");
        sync(child).await;
    }
}

/// INFO-2: a process without state keeps no memory, and still wakes up.
#[fika::test(workers = 2)]
async fn no_heap() {
    let small = memory_when_new().await;
    for n in 0..500_u64 {
        let (child, watch) = spawn_monitor(hibernates_for_ever());
        if n % 2 == 0 {
            wait_until_waiting(child).await;
            demonitor(watch);
            sync(child).await;
            wait_until_waiting(child).await;
            assert_eq!(info::memory(child).await, Some(small));
            let watch = monitor(child);
            send(child, n);
            assert_eq!(down(watch).await, ExitReason::term(n));
        } else {
            send(child, n);
            assert_eq!(down(watch).await, ExitReason::term(n));
        }
    }
    // A hibernating process can be ended.
    let (child, watch) = spawn_monitor(hibernates_for_ever());
    wait_until_waiting(child).await;
    exit_process(child, ExitReason::Shutdown);
    assert_eq!(down(watch).await, ExitReason::Shutdown);
}

/// INFO-2: a process that wakes up can go directly into a long operation that is interrupted.
#[fika::test(workers = 2)]
async fn wake_up_and_bif_trap() {
    let me = self_pid();
    for round in 0..200_u64 {
        let end = end_of(async move {
            let child = self_pid();
            spawn(async move {
                wait_until_waiting(child).await;
                send(child, round);
            });
            hibernate().await;
            match round % 3 {
                0 => assert_eq!(spawn_blocking(move || round).await, round),
                1 => {
                    for _ in 0..2000 {
                        fika::inspect::bump_reductions(100);
                        receive! { (): () => {}, after Duration::ZERO => {} }
                    }
                }
                _ => assert!(info::messages(me).await.is_some()),
            }
            assert_eq!(next::<u64>().await, round);
        });
        assert_eq!(end.await, ExitReason::Normal);
    }
}
