//! Cases of `process_SUITE` about inspecting processes.

use super::super::*;
use fika::message::{Local, make_ref};
use fika::process::{SpawnOpts, spawn_opt, yield_now};

use fika::inspect::{info, is_process_alive, process_info, processes, set_label};
use fika::process::{dictionary, hibernate, spawn_blocking, unlink};
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicU64;
use std::task::Poll;

use fika::inspect::{InfoItem, Item, Status, resume_process, suspend_process};
use fika::process::{Priority, group_leader, link_with, set_group_leader};

use crate::support::until_in_process;

/// Polls until the process reports this status.
async fn until_status(pid: Pid, status: Status) {
    let node = self_node();
    let begun = node.env().now();
    loop {
        let now = info::status(pid).await.expect("it lives");
        if now == status {
            return;
        }
        assert!(node.env().now().since(begun) < LIMIT, "{now:?}, and not {status:?}");
        yield_now().await;
    }
}

/// Polls a future for the first time, so that it sends its request.
async fn asked<F: Future>(mut future: Pin<&mut F>) {
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Pending => Poll::Ready(()),
        Poll::Ready(_) => panic!("it needs no waiting"),
    })
    .await;
}

/// Works until it is asked to end, and is always ready to run.
async fn busy() {
    loop {
        receive! { (): () => return, after Duration::ZERO => {} }
        yield_now().await;
    }
}

/// Waits until it is asked to end.
async fn idle() {
    next_forever::<()>().await;
}

async fn next_forever<M: Message>() -> M {
    receive! { message: M => message }
}

/// All items.
fn all_items() -> Vec<Item> {
    vec![
        Item::RegisteredName,
        Item::Status,
        Item::MessageQueueLen,
        Item::Messages,
        Item::Links,
        Item::Monitors,
        Item::MonitoredBy,
        Item::TrapExit,
        Item::Priority,
        Item::GroupLeader,
        Item::Parent,
        Item::Label,
        Item::Dictionary,
        Item::DictionaryKey("key".into()),
        Item::Memory,
        Item::Reductions,
        Item::InitialCall,
        Item::CurrentFunction,
        Item::SuspendedBy,
        Item::Unanswered,
    ]
}

/// PROC-12: a process that has used up its turn's work yields, even if it could continue.
#[fika::test(workers = 1)]
async fn bump_reductions() {
    const STEPS: usize = 2000;
    let turns = Arc::new(Mutex::new(Vec::new()));
    let children = [0, 1].map(|n| {
        let turns = turns.clone();
        spawn_monitor(async move {
            next::<()>().await;
            for _ in 0..STEPS {
                turns.lock().unwrap().push(n);
                fika::inspect::bump_reductions(1000);
                receive! { (): () => {}, after Duration::ZERO => {} }
            }
        })
    });
    for (child, _) in children {
        send(child, ());
    }
    for (_, monitor) in children {
        down(monitor).await;
    }
    let turns = turns.lock().unwrap().clone();
    let changes = turns.windows(2).filter(|pair| pair[0] != pair[1]).count();
    // A process that did not yield would make all its steps in a few turns.
    assert!(changes > STEPS, "{changes} changes in {} steps of two", 2 * STEPS);
    let before = info::reductions(self_pid()).await.unwrap();
    fika::inspect::bump_reductions(1_000_000);
    assert!(info::reductions(self_pid()).await.unwrap() >= before + 1_000_000);
}

/// INFO-4, PROC-5: a process has the priority, the link and the monitor of its spawn options, else
/// the defaults.
#[fika::test]
async fn otp_4725() {
    let plain = spawn(idle());
    assert_eq!(info::priority(plain).await, Some(Priority::Normal));
    assert_eq!(info::links(plain).await, Some(vec![]));
    for priority in [Priority::Low, Priority::Normal, Priority::High, Priority::Max] {
        let opts = SpawnOpts::new().link().monitor().priority(priority);
        let child = spawn_opt(opts, idle()).pid;
        let items = [Item::Priority, Item::Links, Item::MonitoredBy];
        let expected = vec![
            InfoItem::Priority(priority),
            InfoItem::Links(vec![self_pid()]),
            InfoItem::MonitoredBy(vec![self_pid()]),
        ];
        assert_eq!(process_info(child, &items).await, Some(expected));
        send(child, ());
        receive! { Down { reason, .. } => assert_eq!(reason, ExitReason::Normal) }
    }
}

/// PROC-11: while processes come and go, the list contains each process that stays alive, once, and
/// no process that is known to have ended. `until` is the number of processes that come and go.
async fn list_is_right(list: impl Fn() -> Vec<Pid>, until: u64) {
    trap_exit(true);
    let stable: BTreeSet<_> = (0..10).map(|_| spawn_link(idle())).collect();
    let suspended = spawn_link(idle());
    suspend_process(suspended).await.unwrap();
    let ended = Arc::new(AtomicU64::new(0));
    let loops: Vec<_> = (0..4).map(|_| spawn_link(come_and_go(ended.clone()))).collect();
    while ended.load(Ordering::Relaxed) < until {
        // This process has never run.
        let (fresh, of_fresh) = spawn_monitor(async {});
        let all = list();
        let once: BTreeSet<_> = all.iter().copied().collect();
        assert_eq!(all.len(), once.len(), "one is there twice");
        assert!(once.is_superset(&stable) && once.contains(&suspended));
        assert!(once.contains(&self_pid()));
        down(of_fresh).await;
        assert!(!list().contains(&fresh));
        let killed = spawn(idle());
        assert!(list().contains(&killed));
        exit_process(killed, ExitReason::Kill);
        assert!(!is_process_alive(killed).await);
        assert!(!list().contains(&killed), "it is about to end");
        // If there is no room for a process, it ends, and this process ends with it.
        receive! { Exit { reason, .. } => exit(reason), after Duration::ZERO => {} }
    }
    for pid in stable.into_iter().chain([suspended]).chain(loops) {
        exit_process(pid, ExitReason::Kill);
        exit_from(pid).await;
    }
}

/// Makes processes that end at once, forever, and counts them.
async fn come_and_go(ended: Arc<AtomicU64>) {
    loop {
        let (spawner, monitor) = spawn_monitor(async {
            let children: Vec<_> = (0..5).map(|_| spawn_monitor(async {})).collect();
            for (_, monitor) in children {
                down(monitor).await;
            }
        });
        down(monitor).await;
        assert!(!processes().contains(&spawner));
        ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// PROC-11: `processes` is right in a table of the default size.
#[fika::test(workers = 2)]
async fn processes_default_tab() {
    list_is_right(processes, 2000).await;
}

/// PROC-11: `processes` is right in a large table.
#[test]
fn processes_large_tab() {
    let node = Node::builder().workers(2).process_limit(1 << 24).build().unwrap();
    node.block_on(async {
        // Several chunks of slots are in use, and then most of the slots are free again.
        let many: Vec<_> = (0..3000).map(|_| spawn_monitor(async {})).collect();
        for (_, monitor) in many {
            down(monitor).await;
        }
        list_is_right(processes, 1000).await;
    });
    node.stop();
}

/// PROC-10, PROC-11: `processes` is right in a small table that is often full.
#[test]
fn processes_small_tab() {
    // There are two processes of the test, eleven that stay, and four that spawn. That leaves
    // little room for the processes that come and go.
    let node = Node::builder().workers(2).process_limit(2 + 11 + 4 + 14).build().unwrap();
    node.block_on(async {
        // A process that finds no room ends, and the test starts it again.
        let mut left = 20;
        while left > 0 {
            let reason = end_of(list_is_right(processes, 50)).await;
            if reason == ExitReason::Normal {
                left -= 1;
            } else {
                assert_eq!(reason, ExitReason::SystemLimit);
            }
            // The processes that it leaves end as well.
            until_in_process("there is room", || fika::inspect::process_count() <= 2).await;
        }
    });
    node.stop();
}

/// PROC-11: `processes` contains the processes of the runtime itself.
#[test]
fn processes_this_tab() {
    let place = Place::new();
    let node = place.node("this");
    node.block_on(async {
        let net_kernel = whereis("net_kernel").expect("it is a process");
        assert!(processes().contains(&net_kernel));
        list_is_right(processes, 500).await;
    });
    // The list can also be read from outside the node.
    let net_kernel = node.whereis("net_kernel").unwrap();
    assert!(node.processes().any(|pid| pid == net_kernel));
}

/// PROC-11: `processes_iter` is right, also while processes come and go.
#[fika::test(workers = 2)]
async fn processes_iter() {
    list_is_right(|| fika::inspect::processes_iter().collect(), 500).await;
    // The test keeps an iterator for long, while all but a few processes change.
    let stable: BTreeSet<_> = (0..300).map(|_| spawn(idle())).collect();
    let mut seen = Vec::new();
    let mut iter = fika::inspect::processes_iter();
    for pid in &mut iter {
        seen.push(pid);
        let (_, monitor) = spawn_monitor(async {});
        let more = spawn(idle());
        down(monitor).await;
        exit_process(more, ExitReason::Kill);
        if seen.len() > 2000 {
            break;
        }
    }
    let once: BTreeSet<_> = seen.iter().copied().collect();
    assert_eq!(seen.len(), once.len());
    assert!(once.is_superset(&stable));
}

/// INFO-8, INFO-10: requests do not disturb a process that mostly waits.
#[fika::test(workers = 2)]
async fn otp_7738_waiting() {
    let child = spawn(serve());
    let asker = spawn_link(async move {
        loop {
            assert!(matches!(
                info::status(child).await,
                Some(Status::Waiting | Status::Runnable | Status::Running)
            ));
        }
    });
    for _ in 0..20_000 {
        sync(child).await;
    }
    unlink(asker);
    exit_process(asker, ExitReason::Kill);
    until_status(child, Status::Waiting).await;
    // A process that waits for a time is neither delayed nor woken early by a request.
    let node = self_node();
    let begun = node.env().now();
    let (sleeper, monitor) = spawn_monitor(async { sleep(millis(50)).await });
    while info::status(sleeper).await.is_some() {}
    assert!(node.env().now().since(begun) >= millis(50));
    assert_eq!(down(monitor).await, ExitReason::Normal);
}

/// INFO-10, PROC-14: a suspended process answers requests and does not run.
#[fika::test(workers = 2)]
async fn otp_7738_suspended() {
    for _ in 0..500 {
        let me = self_pid();
        let child = spawn(async move {
            loop {
                receive! { n: u64 => send(me, n) }
            }
        });
        suspend_process(child).await.unwrap();
        send(child, 7_u64);
        for _ in 0..5 {
            let infos = process_info(child, &[Item::Status, Item::MessageQueueLen]).await;
            let expected = vec![InfoItem::Status(Status::Suspended), InfoItem::MessageQueueLen(1)];
            assert_eq!(infos, Some(expected));
        }
        assert!(has_none::<u64>().await);
        resume_process(child).unwrap();
        assert_eq!(next::<u64>().await, 7);
        exit_process(child, ExitReason::Kill);
    }
}

/// Lets processes of this priority send requests to processes of low priority, while processes that
/// always want to run keep all workers busy.
async fn check_requests_at(priority: Priority, askers: usize, times: usize) {
    let hogs: Vec<_> = (0..16).map(|_| spawn(busy())).collect();
    let targets: Vec<_> =
        (0..4).map(|_| spawn_opt(SpawnOpts::new().priority(Priority::Low), busy()).pid).collect();
    let askers: Vec<_> = (0..askers)
        .map(|_| {
            let targets = targets.clone();
            let ask = async move {
                for n in 0..times {
                    let target = targets[n % targets.len()];
                    assert_eq!(info::priority(target).await, Some(Priority::Low));
                    assert!(is_process_alive(target).await);
                }
            };
            spawn_opt(SpawnOpts::new().priority(priority).monitor(), ask)
        })
        .collect();
    for asker in askers {
        assert_eq!(down(asker.monitor.unwrap()).await, ExitReason::Normal);
    }
    for pid in hogs.into_iter().chain(targets) {
        send(pid, ());
    }
}

/// FLAG-2, INFO-10: a request from a process of high or max priority to a low one is answered.
#[fika::test(workers = 2)]
async fn no_priority_inversion() {
    check_requests_at(Priority::High, 1, 300).await;
    check_requests_at(Priority::Max, 1, 300).await;
}

/// FLAG-2, INFO-10: requests from many processes of high priority to low ones are answered.
#[fika::test(workers = 2)]
async fn no_priority_inversion2() {
    check_requests_at(Priority::High, 50, 20).await;
}

/// INFO-10: processes that wait, work or serve answer many requests at the same time.
#[fika::test(workers = 2)]
async fn system_task_blast() {
    for target in [spawn(idle()), spawn(busy()), spawn(serve())] {
        let askers: Vec<_> = (0..300)
            .map(|_| {
                spawn_monitor(async move {
                    for _ in 0..30 {
                        assert_eq!(info::message_queue_len(target).await, Some(0));
                    }
                })
            })
            .collect();
        for (_, monitor) in askers {
            assert_eq!(down(monitor).await, ExitReason::Normal);
        }
        exit_process(target, ExitReason::Kill);
    }
}

/// INFO-10, PROC-14: a suspended process answers many requests without a turn of its own.
#[fika::test(workers = 2)]
async fn system_task_on_suspended() {
    for target in [spawn(idle()), spawn(busy())] {
        suspend_process(target).await.unwrap();
        let reductions = info::reductions(target).await;
        let askers: Vec<_> = (0..200)
            .map(|_| {
                spawn_monitor(async move {
                    for _ in 0..20 {
                        assert_eq!(info::status(target).await, Some(Status::Suspended));
                        assert!(is_process_alive(target).await);
                    }
                })
            })
            .collect();
        for (_, monitor) in askers {
            assert_eq!(down(monitor).await, ExitReason::Normal);
        }
        assert_eq!(info::reductions(target).await, reductions, "it was polled");
        // An exit signal still ends the process.
        let watch = monitor(target);
        exit_process(target, ExitReason::Shutdown);
        assert_eq!(down(watch).await, ExitReason::Shutdown);
    }
}

/// INFO-4, INFO-7: a process's answer about itself has all items, in the order of the request.
#[fika::test]
async fn t_process_info() {
    let me = self_pid();
    register("t_process_info", me).unwrap();
    trap_exit(true);
    set_label("the one that is asked");
    dictionary::put("key", 5_u64);
    let (child, child_down) = spawn_monitor(idle());
    let linked = spawn_link(idle());
    let watch_by_name = monitor("nobody");
    send(me, "a message".to_owned());
    let infos = process_info(me, &all_items()).await.expect("it lives");
    assert_eq!(infos.len(), all_items().len());
    let expected = [
        InfoItem::RegisteredName(Some("t_process_info".into())),
        InfoItem::Status(Status::Running),
        // The `Down` of the missing process is the first message.
        InfoItem::MessageQueueLen(2),
    ];
    assert_eq!(infos[..3], expected);
    let InfoItem::Messages(messages) = &infos[3] else { panic!("{infos:?}") };
    assert_eq!(messages[0].get::<Down>().unwrap().monitor, watch_by_name);
    assert_eq!(messages[1].get::<String>().as_deref(), Some("a message"));
    let expected = [
        InfoItem::Links(vec![linked]),
        InfoItem::Monitors(vec![Object::Pid(child)]),
        InfoItem::MonitoredBy(info::monitored_by(me).await.unwrap()),
        InfoItem::TrapExit(true),
        InfoItem::Priority(Priority::Normal),
        InfoItem::GroupLeader(group_leader()),
        InfoItem::Parent(info::parent(me).await.unwrap()),
        InfoItem::Label(Some("the one that is asked".into())),
    ];
    assert_eq!(infos[4..12], expected);
    let InfoItem::Dictionary(entries) = &infos[12] else { panic!("{infos:?}") };
    assert_eq!((entries.len(), entries[0].1.get::<u64>()), (1, Some(5)));
    assert_eq!(infos[13], InfoItem::DictionaryKey("key".into(), Some(entries[0].1.clone())));
    let InfoItem::Memory(bytes) = infos[14] else { panic!("{infos:?}") };
    assert!((200..100_000).contains(&bytes), "{bytes}");
    let InfoItem::InitialCall(site) = infos[16] else { panic!("{infos:?}") };
    assert!(site.file().ends_with(".rs"));
    let last =
        [InfoItem::CurrentFunction(None), InfoItem::SuspendedBy(vec![]), InfoItem::Unanswered(0)];
    assert_eq!(infos[17..], last);
    demonitor(child_down);
    assert_eq!(info::monitors(me).await, Some(vec![]));
}

/// INFO-6, SIG-9: a request sees all messages that its sender sent before.
#[fika::test(workers = 2)]
async fn process_info_messages() {
    for round in 0..500_u64 {
        let child = spawn(idle());
        let count = round % 17;
        for n in 0..count {
            send(child, n);
        }
        let messages = info::messages(child).await.unwrap();
        let values: Vec<_> = messages.iter().map(|message| message.get::<u64>()).collect();
        assert_eq!(values, (0..count).map(Some).collect::<Vec<_>>());
        exit_process(child, ExitReason::Kill);
    }
}

/// INFO-3, INFO-4: the items of another process are right. A dead process has none, and a process
/// of another node is `badarg`.
#[fika::test]
async fn process_info_other() {
    let parent = self_pid();
    let site = std::panic::Location::caller().file();
    let child = spawn_link(async move {
        register("other", self_pid()).unwrap();
        monitor(parent);
        send(parent, ());
        idle().await;
    });
    next::<()>().await;
    until_status(child, Status::Waiting).await;
    let items = [
        Item::RegisteredName,
        Item::Links,
        Item::Monitors,
        Item::Parent,
        Item::GroupLeader,
        Item::TrapExit,
    ];
    let expected = vec![
        InfoItem::RegisteredName(Some("other".into())),
        InfoItem::Links(vec![parent]),
        InfoItem::Monitors(vec![Object::Pid(parent)]),
        InfoItem::Parent(Some(parent)),
        InfoItem::GroupLeader(group_leader()),
        InfoItem::TrapExit(false),
    ];
    assert_eq!(process_info(child, &items).await, Some(expected));
    assert_eq!(info::monitored_by(parent).await.unwrap().last(), Some(&child));
    assert_eq!(info::initial_call(child).await.unwrap().file(), site);
    let waits_at = info::current_function(child).await.unwrap().expect("in a receive");
    assert_eq!(waits_at.file(), site);
    // The process is dead.
    unlink(child);
    exit_process(child, ExitReason::Kill);
    assert_eq!(process_info(child, &items).await, None);
    assert_eq!(info::label(child).await, None);
    assert_eq!(info::messages(child).await, None);
    // The process belongs to another node.
    let other_node = Node::builder().workers(1).build().unwrap();
    let elsewhere = other_node.spawn(serve()).expect("room for one");
    for ends in [
        end_of(async move { drop(process_info(elsewhere, &[]).await) }).await,
        end_of(async move { _ = info::status(elsewhere).await }).await,
    ] {
        assert!(matches!(ends, ExitReason::Badarg(_)), "{ends}");
    }
    other_node.stop();
}

/// INFO-6: the messages of another process can be read as values.
#[fika::test]
async fn process_info_other_msg() {
    let child = spawn(idle());
    let value = (self_pid(), make_ref(), vec!["heap".to_owned(), "data".repeat(1000)]);
    send(child, value.clone());
    send(child, Local(value.clone()));
    send(child, "last".to_owned());
    let messages = info::messages(child).await.unwrap();
    assert_eq!(messages[0].get::<(Pid, Reference, Vec<String>)>(), Some(value));
    assert_eq!(messages[0].get::<u64>(), None);
    assert!(messages[1].type_name().contains("Local"), "{}", messages[1].type_name());
    assert!(messages[1].get::<Local<(Pid, Reference, Vec<String>)>>().is_none());
    assert_eq!(messages[2].get::<String>().as_deref(), Some("last"));
}

/// INFO-6: messages from another node can be read as values.
#[test]
fn process_info_other_dist_msg() {
    let place = Place::new();
    let (here, there) = (place.node("here"), place.node("there"));
    let target = there.spawn(idle()).expect("room");
    here.block_on(async move {
        let value = (self_pid(), vec![target; 3], "text".to_owned());
        for _ in 0..10 {
            send(target, value.clone());
        }
        let there = target.node().name();
        let probe = monitor(("nobody", &there));
        // The answer comes after the messages.
        assert_eq!(down(probe).await, ExitReason::Noproc);
    });
    let sender = here.id();
    there.block_on(async move {
        let messages = info::messages(target).await.unwrap();
        assert_eq!(messages.len(), 10);
        for message in messages {
            let (from, pids, text) = message.get::<(Pid, Vec<Pid>, String)>().expect("it is one");
            assert_eq!((from.node(), pids, &*text), (sender, vec![target; 3], "text"));
        }
    });
}

/// INFO-8: `status` tells whether a process runs, is ready to run, waits or is suspended.
#[fika::test(workers = 2)]
async fn process_info_other_status() {
    let waiting = spawn(idle());
    until_status(waiting, Status::Waiting).await;
    suspend_process(waiting).await.unwrap();
    assert_eq!(info::status(waiting).await, Some(Status::Suspended));
    resume_process(waiting).unwrap();
    until_status(waiting, Status::Waiting).await;

    // The process computes when it is asked, and answers at its next suspension point.
    let (computing, go_on) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (says, obeys) = (computing.clone(), go_on.clone());
    let computer = spawn(async move {
        says.store(true, Ordering::SeqCst);
        while !obeys.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
        yield_now().await;
        idle().await;
    });
    until_in_process("it runs", || computing.load(Ordering::SeqCst)).await;
    let mut status = pin!(info::status(computer));
    asked(status.as_mut()).await;
    go_on.store(true, Ordering::SeqCst);
    assert_eq!(status.await, Some(Status::Running));

    // Among other processes that want to run, a process mostly waits for its turn.
    let hogs: Vec<_> = (0..20).map(|_| spawn(busy())).collect();
    until_status(hogs[0], Status::Runnable).await;
    assert_eq!(info::status(self_pid()).await, Some(Status::Running));
}

/// INFO-8, INFO-10: a process stays waiting if a signal gives it nothing to do, and its program
/// does not run for the signal.
#[fika::test(workers = 2)]
async fn process_info_status_handled_signal() {
    let polls = Arc::new(AtomicU64::new(0));
    let counted = polls.clone();
    let child = spawn(async move {
        let mut waits = pin!(idle());
        poll_fn(|context| {
            counted.fetch_add(1, Ordering::SeqCst);
            waits.as_mut().poll(context)
        })
        .await;
    });
    until_status(child, Status::Waiting).await;
    let before = polls.load(Ordering::SeqCst);
    let leader = spawn(idle());
    for _ in 0..2000 {
        link(child);
        assert_eq!(info::status(child).await, Some(Status::Waiting));
        let watch = monitor(child);
        set_group_leader(leader, child);
        assert_eq!(info::status(child).await, Some(Status::Waiting));
        demonitor(watch);
        unlink(child);
        assert_eq!(info::status(child).await, Some(Status::Waiting));
        assert!(is_process_alive(child).await);
    }
    assert_eq!(polls.load(Ordering::SeqCst), before);
    // A trapped exit signal is a message, with a link or without.
    assert_eq!(info::message_queue_len(child).await, Some(0));
    link_with(child, fika::process::LinkOpts::new());
    unlink(child);
}

/// INFO-7: a list of items is answered in the order of the request, with duplicates.
#[fika::test]
async fn process_info_2_list() {
    let child = spawn(idle());
    until_status(child, Status::Waiting).await;
    assert_eq!(process_info(child, &[]).await, Some(vec![]));
    assert_eq!(info::registered_name(child).await, Some(None));
    let items = [
        Item::RegisteredName,
        Item::Links,
        Item::Status,
        Item::RegisteredName,
        Item::Status,
        Item::Links,
    ];
    let infos = |name: Option<&str>| {
        vec![
            InfoItem::RegisteredName(name.map(Into::into)),
            InfoItem::Links(vec![]),
            InfoItem::Status(Status::Waiting),
            InfoItem::RegisteredName(name.map(Into::into)),
            InfoItem::Status(Status::Waiting),
            InfoItem::Links(vec![]),
        ]
    };
    assert_eq!(process_info(child, &items).await, Some(infos(None)));
    register("listed", child).unwrap();
    assert_eq!(process_info(child, &items).await, Some(infos(Some("listed"))));
    let many = vec![Item::TrapExit; 10_000];
    assert_eq!(process_info(child, &many).await, Some(vec![InfoItem::TrapExit(false); 10_000]));
}

/// INFO-10: processes in a ring inspect each other at the same time, and all are answered.
#[fika::test(workers = 2)]
async fn process_info_lock_reschedule2() {
    const RING: usize = 60;
    let me = self_pid();
    let ring: Vec<_> = (0..RING)
        .map(|_| {
            spawn_link(async move {
                let next_one = next::<Pid>().await;
                for _ in 0..200 {
                    assert!(process_info(next_one, &all_items()).await.is_some());
                }
                send(me, ());
                // Other processes may still be running.
                idle().await;
            })
        })
        .collect();
    for (n, pid) in ring.iter().enumerate() {
        send(pid, ring[(n + 1) % RING]);
    }
    for _ in &ring {
        next::<()>().await;
    }
    ring.iter().for_each(|pid| send(pid, ()));
}

/// INFO-10: requests are answered while busy processes come and go.
#[fika::test(workers = 2)]
async fn process_info_lock_reschedule3() {
    let target = spawn(serve());
    let askers: Vec<_> = (0..8)
        .map(|_| {
            spawn_monitor(async move {
                for _ in 0..500 {
                    assert_eq!(info::trap_exit(target).await, Some(false));
                    assert!(info::status(target).await.is_some());
                }
            })
        })
        .collect();
    for round in 0..30 {
        let load: Vec<_> = (0..round).map(|_| spawn(busy())).collect();
        for _ in 0..10 {
            sync(target).await;
        }
        for pid in load {
            send(pid, ());
        }
    }
    for (_, monitor) in askers {
        assert_eq!(down(monitor).await, ExitReason::Normal);
    }
}

/// INFO-3, INFO-4: each item of processes in all states can be requested.
#[fika::test(workers = 2)]
async fn process_info_smoke_all() {
    trap_exit(true);
    let mut all = Vec::new();
    for n in 0..40_u64 {
        all.push(spawn_link(idle()));
        all.push(spawn(busy()));
        all.push(spawn(async move {
            set_label("one of many");
            dictionary::put("key", n);
            dictionary::put("local", Local(n));
            let _ = spawn_monitor(idle());
            let _ = monitor("nobody");
            send_after(secs(60), self_pid(), n);
            hibernate().await;
        }));
        let suspended = spawn(idle());
        suspend_process(suspended).await.unwrap();
        all.push(suspended);
        all.push(spawn(async move { spawn_blocking(|| ()).await }));
        let dies = spawn(idle());
        exit_process(dies, ExitReason::Kill);
        all.push(dies);
        let flooded = spawn(idle());
        for n in 0..50_u64 {
            send(flooded, (n, "text".to_owned()));
        }
        all.push(flooded);
    }
    all.push(self_pid());
    for pid in all.iter().copied().chain(processes()) {
        for item in all_items() {
            let one = process_info(pid, std::slice::from_ref(&item)).await;
            assert!(one.is_none_or(|one| one.len() == 1));
        }
        let infos = process_info(pid, &all_items()).await;
        assert!(infos.is_none_or(|infos| infos.len() == all_items().len()));
    }
}

/// INFO-4: the reductions grow with a process's work.
#[fika::test(workers = 2)]
async fn process_info_reductions() {
    let child = spawn(serve());
    let mut last = info::reductions(child).await.unwrap();
    for _ in 0..100 {
        sync(child).await;
        let now = info::reductions(child).await.unwrap();
        assert!(now > last, "{now} after {last}");
        last = now;
    }
    // Answering requests is not work.
    until_status(child, Status::Waiting).await;
    let before = info::reductions(child).await;
    assert_eq!(info::reductions(child).await, before);
    let mine = info::reductions(self_pid()).await.unwrap();
    yield_now().await;
    assert!(info::reductions(self_pid()).await.unwrap() > mine);
}

/// INFO-6, SIG-10: a process's message queue length counts its messages to itself at once.
#[fika::test]
async fn process_info_self_msgq_len() {
    let me = self_pid();
    for n in 0..100 {
        assert_eq!(info::message_queue_len(me).await, Some(n));
        send(me, n as u64);
    }
    let sender = spawn_monitor(async move { send(me, 100_u64) });
    // The Down comes after the message.
    down(sender.1).await;
    assert_eq!(info::message_queue_len(me).await, Some(101));
    for n in (0..=100).rev() {
        next::<u64>().await;
        assert_eq!(info::message_queue_len(me).await, Some(n));
    }
}

/// INFO-6: the message queue length equals the number of messages in one answer.
#[fika::test(workers = 2)]
async fn process_info_self_msgq_len_messages() {
    let me = self_pid();
    let flood = spawn_link(async move {
        for n in 0..1000_u64 {
            send(me, n);
            if n % 10 == 0 {
                yield_now().await;
            }
        }
        idle().await;
    });
    let mut count = 0;
    while count < 1000 {
        let infos = process_info(me, &[Item::MessageQueueLen, Item::Messages]).await;
        let infos = infos.expect("it lives");
        let [InfoItem::MessageQueueLen(len), InfoItem::Messages(messages)] = &infos[..] else {
            panic!("{infos:?}")
        };
        assert_eq!(*len, messages.len());
        assert!(*len >= count);
        count = *len;
        yield_now().await;
    }
    send(flood, ());
}

/// INFO-6: the message queue length is right wherever it is in the list of items.
#[fika::test]
async fn process_info_self_msgq_len_more() {
    let me = self_pid();
    for n in 0..20_usize {
        let items = [
            Item::Links,
            Item::MessageQueueLen,
            Item::Status,
            Item::MessageQueueLen,
            Item::MonitoredBy,
        ];
        let infos = process_info(me, &items).await.unwrap();
        assert_eq!(infos[1], InfoItem::MessageQueueLen(n));
        assert_eq!(infos[2], InfoItem::Status(Status::Running));
        assert_eq!(infos[3], infos[1]);
        send(me, ());
    }
}

/// INFO-4: the dictionary of another process can be read, by key and as a whole.
#[fika::test]
async fn process_info_dict_lookup() {
    let me = self_pid();
    let child = spawn(async move {
        dictionary::put("number", 17_u64);
        dictionary::put("text", "value".to_owned());
        dictionary::put("local", Local(()));
        send(me, ());
        receive! { (): () => dictionary::erase::<u64>("number") };
        send(me, ());
        idle().await;
    });
    next::<()>().await;
    assert_eq!(info::dictionary_key::<u64>(child, "number").await, Some(Some(17)));
    assert_eq!(info::dictionary_key::<String>(child, "number").await, Some(None));
    assert_eq!(info::dictionary_key::<String>(child, "text").await, Some(Some("value".to_owned())));
    assert_eq!(info::dictionary_key::<u64>(child, "none").await, Some(None));
    let entries = info::dictionary(child).await.unwrap();
    let keys: Vec<_> = entries.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["local", "number", "text"]);
    send(child, ());
    next::<()>().await;
    assert_eq!(info::dictionary_key::<u64>(child, "number").await, Some(None));
    exit_process(child, ExitReason::Kill);
    assert_eq!(info::dictionary_key::<u64>(child, "number").await, None);
}

/// INFO-9: a process's label can be read after each change, and a dead process has none.
#[fika::test]
async fn process_info_label() {
    let me = self_pid();
    let child = spawn(async move {
        receive! { label: String => set_label(label) }
        send(me, ());
        receive! { label: String => set_label(label) }
        send(me, ());
        idle().await;
    });
    assert_eq!(info::label(child).await, Some(None));
    for label in ["first", "second"] {
        send(child, label.to_owned());
        next::<()>().await;
        assert_eq!(info::label(child).await, Some(Some(label.into())));
    }
    exit_process(child, ExitReason::Kill);
    assert_eq!(info::label(child).await, None);
}
