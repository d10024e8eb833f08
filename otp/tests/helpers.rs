//! Tasks, registries and agents.

use std::time::Duration;

use fika::agent::Agent;
use fika::gen_server::{ServerRef, Start, StartError};
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

        let stubborn = Task::spawn(async {
            trap_exit(true);
            forever().await
        });
        assert_eq!(stubborn.shutdown(Duration::from_millis(10)).await, None);
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
fn a_task_supervisor_ends_its_tasks() {
    run(async {
        let me = self_pid();
        let holder = spawn(async move {
            let tasks = TaskSupervisor::start_link(Start::name("tasks")).await.unwrap();
            send(me, tasks.pid());
            forever().await
        });
        let supervisor = receive! { pid: Pid => pid };
        let again = TaskSupervisor::start_link(Start::name("tasks")).await.unwrap_err();
        assert_eq!(again, StartError::AlreadyStarted(supervisor));
        let tasks = TaskSupervisor::start_link(Start::new()).await.unwrap();
        assert_eq!(tasks.spawn(async { 7 }).await.unwrap().await, Ok(7));
        let task = tasks.spawn(forever()).await.unwrap();
        assert_eq!(tasks.children().await.unwrap(), [task.pid()]);
        let end = Ended::of(supervisor);
        exit_process(holder, ExitReason::Shutdown);
        assert_eq!(end.await, ExitReason::Shutdown);
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
        let _: &ServerRef<_> = agent.server();
    });
}
