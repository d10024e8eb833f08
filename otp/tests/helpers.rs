//! Tasks, registries and agents.

use std::collections::BTreeMap;
use std::time::Duration;

use fika::agent::Agent;
use fika::gen_server::{ServerRef, Start, StartError};
use fika::inspect::process_count;
use fika::message::Local;
use fika::node::Node;
use fika::prelude::*;
use fika::process::{Ended, exit_process};
use fika::registry::{AlreadyRegistered, Keys, Registry};
use fika::task::{Task, TaskStream, TaskSupervisor};

const LIMIT: Duration = Duration::from_secs(20);

fn run<F: Future<Output = ()> + Send + 'static>(test: F) {
    let node = Node::builder().build().unwrap();
    node.block_on(test);
    node.stop();
}

async fn forever() {
    std::future::pending().await
}

#[test]
fn a_task_gives_its_value_or_its_exit_reason() {
    run(async {
        assert_eq!(Task::spawn(async { 7 }).await, Ok(7));
        let failed = Task::spawn(async { exit(ExitReason::Timeout) });
        assert_eq!(failed.await, Err::<(), _>(ExitReason::Timeout));
        let panicked = Task::spawn(async { panic!("on request") }).await;
        assert!(matches!(panicked, Err::<(), _>(ExitReason::Panic(_))), "{panicked:?}");
        let killed = Task::spawn(forever());
        exit_process(killed.pid(), ExitReason::Kill);
        assert_eq!(killed.await, Err(ExitReason::Killed));
    });
}

#[test]
fn a_task_ends_with_its_handle_and_with_its_owner() {
    run(async {
        let task = Task::spawn(forever());
        let end = Ended::of(task.pid());
        drop(task);
        assert_eq!(end.await, ExitReason::Killed);

        let me = self_pid();
        let owner = spawn(async move {
            let (kept, detached) = (Task::spawn(forever()), Task::spawn(forever()));
            send(me, (kept.pid(), detached.pid()));
            detached.detach();
            let _kept = kept;
            forever().await
        });
        let (kept, detached) = receive! { pids: (Pid, Pid) => pids };
        let ends = (Ended::of(kept), Ended::of(detached));
        exit_process(owner, ExitReason::Kill);
        assert_eq!(ends.0.await, ExitReason::Shutdown);
        assert_eq!(ends.1.await, ExitReason::Shutdown);
    });
}

#[test]
fn a_task_is_waited_for_with_a_limit() {
    run(async {
        let mut task = Task::spawn(async {
            receive! { n: u64 => n }
        });
        assert_eq!(task.yield_for(Duration::from_millis(10)).await, None);
        send(task.pid(), 7_u64);
        assert_eq!(task.yield_for(LIMIT).await, Some(Ok(7)));

        let slow = Task::spawn(forever());
        let end = Ended::of(slow.pid());
        assert_eq!(slow.within(Duration::from_millis(10)).await, Err(ExitReason::Timeout));
        assert_eq!(end.await, ExitReason::Killed);

        let me = self_pid();
        let stubborn = Task::spawn(async move {
            trap_exit(true);
            send(me, ());
            forever().await
        });
        receive! { () => {} }
        let end = Ended::of(stubborn.pid());
        assert_eq!(stubborn.shutdown(Duration::from_millis(10)).await, None);
        assert_eq!(end.await, ExitReason::Killed);
        let polite = Task::spawn(async move {
            trap_exit(true);
            send(me, ());
            receive! { Exit { reason, .. } => reason }
        });
        receive! { () => {} }
        assert_eq!(polite.shutdown(LIMIT).await, Some(Ok(ExitReason::Shutdown)));
        let plain = Task::spawn(forever());
        assert_eq!(format!("{plain:?}"), format!("Task({})", plain.pid()));
        let end = Ended::of(plain.pid());
        assert_eq!(plain.shutdown(LIMIT).await, None);
        assert_eq!(end.await, ExitReason::Shutdown);
        let ready = Task::spawn(async { 7 });
        Ended::of(ready.pid()).await;
        assert_eq!(ready.shutdown(LIMIT).await, Some(Ok(7)));
    });
}

#[test]
fn a_stream_bounds_its_tasks_and_keeps_the_order() {
    run(async {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering};
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let (running_, most_) = (running.clone(), most.clone());
        let work = move |n: u64| {
            let (running, most) = (running_.clone(), most_.clone());
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                fika::process::yield_now().await;
                running.fetch_sub(1, Ordering::SeqCst);
                if n == 3 {
                    exit(ExitReason::Timeout);
                }
                n
            }
        };
        let results = TaskStream::new(0..100, 4, work.clone()).collect().await;
        let expected = |n| if n == 3 { Err(ExitReason::Timeout) } else { Ok(n) };
        assert_eq!(results, (0..100).map(expected).collect::<Vec<_>>());
        assert!(most.load(Ordering::SeqCst) <= 4);
        let mut unordered = TaskStream::new(0..100, 8, work).unordered().collect().await;
        unordered.sort_by_key(|result| result.clone().unwrap_or(3));
        assert_eq!(unordered, (0..100).map(expected).collect::<Vec<_>>());
    });
}

#[test]
fn a_stream_gives_results_as_they_come_and_ends_its_tasks() {
    run(async {
        let me = self_pid();
        let work = move |n: u64| async move {
            send(me, (n, self_pid()));
            receive! { () => n }
        };
        let started = async |stream: &mut TaskStream<_, _, u64>| {
            let before = process_count();
            // Polled once, it starts as many as it may.
            assert!(timeout(Duration::ZERO, stream.next()).await.is_err());
            let mut pids = BTreeMap::new();
            for _ in 0..process_count() - before {
                let (n, pid) = receive! { started: (u64, Pid) => started };
                pids.insert(n, pid);
            }
            pids
        };
        let mut stream = TaskStream::new(0..3, 3, work).unordered();
        let pids = started(&mut stream).await;
        for n in [2, 1] {
            send(pids[&n], ());
            assert_eq!(stream.next().await, Some(Ok(n)));
        }
        let end = Ended::of(pids[&0]);
        drop(stream);
        assert_eq!(end.await, ExitReason::Killed);

        for most in [0, 1, 2] {
            let mut stream = TaskStream::new(0..3, most, work);
            let pids = started(&mut stream).await;
            assert_eq!(pids.len(), most.max(1), "no more than allowed, and at least one");
            let ends: Vec<Ended> = pids.values().map(|pid| Ended::of(*pid)).collect();
            drop(stream);
            for end in ends {
                assert_eq!(end.await, ExitReason::Killed);
            }
        }
    });
}

#[test]
fn a_task_supervisor_ends_its_tasks() {
    run(async {
        let me = self_pid();
        let holder = spawn(async move {
            let tasks = TaskSupervisor::start_link(Start::name("tasks")).await.unwrap();
            send(me, Local(tasks));
            forever().await
        });
        let Local(held) = receive! { tasks: Local<TaskSupervisor> => tasks };
        let supervisor = held.pid();
        let again = TaskSupervisor::start_link(Start::name("tasks")).await.unwrap_err();
        assert_eq!(again, StartError::AlreadyStarted(supervisor));
        let tasks = TaskSupervisor::start_link(Start::new()).await.unwrap();
        assert_eq!(tasks.spawn(async { 7 }).await.unwrap().await, Ok(7));
        let task = tasks.spawn(forever()).await.unwrap();
        assert_eq!(tasks.children().await.unwrap(), [task.pid()]);
        // A task that has ended is not listed, and one that was dropped ends.
        let ended = task.pid();
        let end = Ended::of(ended);
        drop(task);
        assert_eq!(end.await, ExitReason::Killed);
        let gone = async {
            while !tasks.children().await.unwrap().is_empty() {
                fika::process::yield_now().await;
            }
        };
        timeout(LIMIT, gone).await.unwrap();

        // The holder's end ends the supervisor and its tasks, also one that traps exits.
        let trapping = held.spawn(async move {
            trap_exit(true);
            send(me, ());
            forever().await
        });
        let trapping = trapping.await.unwrap();
        receive! { () => {} }
        let ends = (Ended::of(supervisor), Ended::of(trapping.pid()));
        exit_process(holder, ExitReason::Shutdown);
        assert_eq!(ends.0.await, ExitReason::Shutdown);
        assert_eq!(ends.1.await, ExitReason::Killed);
        assert_eq!(trapping.await, Err::<(), _>(ExitReason::Killed));
        assert_eq!(held.spawn(async {}).await.map(drop), Err(ExitReason::Noproc));
        assert_eq!(held.children().await, Err(ExitReason::Noproc));
    });
}

#[test]
fn a_unique_key_belongs_to_one_process_until_it_ends() {
    run(async {
        let names = Registry::<String, u64>::new(Keys::Unique);
        names.start_link(Start::new()).await.unwrap();
        let me = self_pid();
        let other = {
            let names = names.clone();
            spawn(async move {
                names.register("a".into(), 1).await.unwrap();
                send(me, ());
                forever().await
            })
        };
        receive! { () => {} }
        assert_eq!(names.register("a".into(), 2).await, Err(AlreadyRegistered(other)));
        assert_eq!(names.lookup(&"a".into()), [(other, 1)]);
        let end = Ended::of(other);
        exit_process(other, ExitReason::Kill);
        end.await;
        names.register("a".into(), 3).await.unwrap();
        assert!(names.update_value(&"a".into(), |value| *value += 1));
        assert_eq!(names.lookup(&"a".into()), [(me, 4)]);
        assert_eq!((names.keys(me), names.keys(other)), (vec!["a".into()], vec![]));
        names.unregister(&"a".into());
        assert_eq!((names.count(), names.whereis(&"a".into())), (0, None));
        assert_eq!(names.keys(me), [""; 0]);
        assert!(!names.update_value(&"a".into(), |_| panic!("it has no value")));
        for key in ["a", "b", "c"] {
            names.register(key.into(), 0).await.unwrap();
        }
        names.unregister(&"b".into());
        assert_eq!((names.count(), names.keys(me)), (2, vec!["a".into(), "c".into()]));
        let taken = AlreadyRegistered(me);
        assert_eq!(names.register("a".into(), 0).await, Err(taken.clone()));
        assert!(taken.to_string().contains(&me.to_string()), "{taken}");
        assert!(format!("{names:?}").contains("Unique"));
    });
}

#[test]
fn a_message_goes_to_all_processes_with_a_key() {
    run(async {
        let topics = Registry::<&str, u64>::new(Keys::Duplicate);
        topics.start_link(Start::new()).await.unwrap();
        let me = self_pid();
        let member = |key: &'static str, value| {
            let topics = topics.clone();
            spawn(async move {
                topics.register(key, value).await.unwrap();
                send(me, self_pid());
                loop {
                    receive! { text: String => send(me, (self_pid(), text)) }
                }
            })
        };
        let mut pids = Vec::new();
        for (key, value) in [("news", 1), ("news", 2), ("sports", 3)] {
            pids.push(member(key, value));
            receive! { _: Pid => {} }
        }
        assert_eq!(topics.lookup(&"news"), [(pids[0], 1), (pids[1], 2)]);
        assert_eq!(topics.whereis(&"news"), Some(pids[0]));
        assert_eq!(topics.dispatch(&"news", "hello".to_owned()), 2);
        let mut seen = Vec::new();
        for _ in 0..2 {
            seen.push(receive! { (pid, text): (Pid, String) if text == "hello" => pid });
        }
        seen.sort_unstable();
        assert_eq!(seen, pids[..2]);
        assert_eq!(topics.dispatch(&"weather", "hello".to_owned()), 0);
        // A process may have a key twice, with two values, and changes the first.
        topics.register("news", 4).await.unwrap();
        topics.register("news", 5).await.unwrap();
        assert!(topics.update_value(&"news", |value| *value = 6));
        let own: Vec<u64> = topics
            .lookup(&"news")
            .into_iter()
            .filter(|(pid, _)| *pid == me)
            .map(|(_, n)| n)
            .collect();
        assert_eq!(own, [6, 5]);
        topics.unregister(&"news");
        assert_eq!((topics.count(), topics.keys(me)), (3, vec![]));
    });
}

#[test]
fn a_registry_s_entries_survive_its_process() {
    run(async {
        trap_exit(true);
        let topics = Registry::<u8, ()>::new(Keys::Duplicate);
        let cleaner = topics.start_link(Start::new()).await.unwrap();
        let me = self_pid();
        let member = |topics: Registry<u8, ()>| {
            spawn(async move {
                topics.register(1, ()).await.unwrap();
                send(me, ());
                forever().await
            })
        };
        let (a, b) = (member(topics.clone()), member(topics.clone()));
        receive! { () => {} }
        receive! { () => {} }
        exit_process(cleaner, ExitReason::Kill);
        receive! { Exit { from, .. } if from == cleaner => {} }
        let end = Ended::of(a);
        exit_process(a, ExitReason::Kill);
        end.await;
        assert_eq!(topics.count(), 2);
        topics.start_link(Start::new()).await.unwrap();
        while topics.count() == 2 {
            fika::process::yield_now().await;
        }
        assert_eq!(topics.lookup(&1), [(b, ())]);
    });
}

#[test]
fn an_agent_keeps_a_value_and_can_have_a_name_in_a_registry() {
    run(async {
        trap_exit(true);
        let names = Registry::<u32>::new(Keys::Unique);
        names.start_link(Start::new()).await.unwrap();
        let start = || Agent::start_link(Start::via(names.via(7)), || 1_u64);
        let agent = start().await.unwrap();
        agent.update(|n| *n += 1).await.unwrap();
        assert_eq!(agent.get_and_update(|n| std::mem::replace(n, 9)).await.unwrap(), 2);
        let pid = names.whereis(&7).unwrap();
        assert_eq!(start().await.unwrap_err(), StartError::AlreadyStarted(pid));
        let failed = agent.get(|_| -> u64 { panic!("on request") }).await.unwrap_err();
        assert!(matches!(failed.exit_reason(), Some(ExitReason::Panic(_))), "{failed}");
        receive! { Exit { from, .. } if from == pid => {} }
        // The name is free again, and the old handle reaches the new agent.
        start().await.unwrap();
        assert_eq!(agent.get(|n| *n).await.unwrap(), 1);
        let server: &ServerRef<_> = agent.server();
        assert_eq!(server.whereis(), names.whereis(&7));
        agent.cast(|n| *n += 41);
        assert_eq!(agent.get(|n| *n).await.unwrap(), 42);
        assert_eq!(agent.clone().get(|n| *n).await.unwrap(), 42);
        assert!(format!("{agent:?}").contains('7'), "{agent:?}");
        let named = Agent::start_link(Start::name("agent"), || 5_u64).await.unwrap();
        named.update(|n| *n += 1).await.unwrap();
        assert_eq!(Agent::<u64>::at("agent").get(|n| *n).await.unwrap(), 6);
        // A key in use is free again when its agent ends.
        server.stop(ExitReason::Normal, None).await.unwrap();
        assert!(agent.get(|n| *n).await.unwrap_err().is_noproc());
    });
}
