//! Cases of `process_SUITE` about turns, names and limits.

use super::super::*;
use fika::message::{Local, MailboxLimit, mailbox_limit};
use fika::process::{SpawnOpts, spawn_opt, yield_now};

/// Returns the turns of two processes that yield after each step, on this many workers.
async fn turns_of_two(steps: usize) -> Vec<u8> {
    let turns = Arc::new(Mutex::new(Vec::new()));
    let children = [0, 1].map(|n| {
        let turns = turns.clone();
        spawn_monitor(async move {
            next::<()>().await;
            for _ in 0..steps {
                turns.lock().unwrap().push(n);
                yield_now().await;
            }
        })
    });
    for (child, _) in children {
        send(child, ());
    }
    for (_, monitor) in children {
        down(monitor).await;
    }
    Arc::try_unwrap(turns).expect("both have ended").into_inner().unwrap()
}

/// PROC-12: with one worker the turns alternate. A busy machine may disturb this, because a worker
/// that the operating system delays for long is taken for a stuck one and gets help.
#[fika::test(workers = 1)]
async fn r#yield() {
    const STEPS: usize = 20_000;
    let turns = turns_of_two(STEPS).await;
    let both = turns.iter().rposition(|n| *n != turns[2 * STEPS - 1]).expect("both ran");
    let changes = turns[..both].windows(2).filter(|pair| pair[0] != pair[1]).count();
    // A process that ran on although it yields would make two changes at most.
    assert!(changes > both / 20, "{changes} changes in {both} turns of two");
}

/// PROC-12: no process starves, however many workers there are.
#[fika::test(workers = 2)]
async fn yield2() {
    let counts: Vec<_> = (0..8)
        .map(|_| {
            spawn(async {
                let mut count = 0_u64;
                loop {
                    count += 1;
                    yield_now().await;
                    receive! { from: Pid => return send(from, count), after Duration::ZERO => {} }
                }
            })
        })
        .collect();
    // The processes share time, so the test lets some time pass.
    sleep(millis(100)).await;
    for child in counts {
        send(child, self_pid());
        let count: u64 = next().await;
        assert!(count >= 20, "{count} turns in 100 ms");
    }
}

/// REG-1: an invalid registration fails and changes nothing.
#[fika::test]
async fn bad_register() {
    let (dead, monitor) = spawn_monitor(async {});
    down(monitor).await;
    let other_node = Node::builder().workers(1).build().unwrap();
    let elsewhere = other_node.spawn(serve()).expect("room for one");
    let named = spawn(serve());
    let free = spawn(serve());
    register("named", named).unwrap();
    let long = "x".repeat(1021);
    let cases = [
        ("", free, RegisterError::BadName),
        ("undefined", free, RegisterError::BadName),
        (&long, free, RegisterError::BadName),
        ("named", free, RegisterError::Taken),
        ("named", named, RegisterError::Taken),
        ("second name", named, RegisterError::Named),
        ("of the dead", dead, RegisterError::Noproc),
        ("elsewhere", elsewhere, RegisterError::Noproc),
    ];
    for (name, pid, error) in cases {
        assert_eq!(register(name, pid), Err(error), "{name}");
        assert_eq!(registered().len(), 1);
        assert_eq!(whereis("named"), Some(named));
    }
    register("x".repeat(1020), free).unwrap();
    other_node.stop();
}

/// PROC-6, REG-2: the resources of a process are free when its name is. A listening socket stands
/// for a table.
#[fika::test]
async fn otp_6237() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    drop(socket);
    for _ in 0..300 {
        let parent = self_pid();
        let owner = spawn(async move {
            let socket = TcpListener::bind(addr).expect("the owner before has let go of it");
            register("owner", self_pid()).unwrap();
            send(parent, ());
            next::<u64>().await;
            drop(socket);
        });
        next::<()>().await;
        exit_process(owner, ExitReason::Kill);
        let begun = self_node().env().now();
        while whereis("owner").is_some() {
            assert!(self_node().env().now().since(begun) < LIMIT);
            yield_now().await;
        }
    }
}

/// FLAG-3: a node's limit applies to all its processes, except for processes that have a limit of
/// their own.
#[test]
fn command_line_max_heap_size() {
    let limit = MailboxLimit::messages(5).log(false);
    let node = Node::builder().mailbox_limit(limit).build().unwrap();
    node.block_on(async move {
        trap_exit(true);
        let fill = |pid: Pid, messages: u64| (0..messages).for_each(|n| send(pid, n));
        let (others, monitor) = spawn_monitor(serve());
        fill(others, 6);
        assert_eq!(down(monitor).await, ExitReason::Killed);
        let linked = spawn_link(async {
            trap_exit(true);
            serve().await;
        });
        fill(linked, 6);
        assert_eq!(exit_from(linked).await, ExitReason::Killed);
        for own in [MailboxLimit::messages(10), MailboxLimit::NONE] {
            let opts = SpawnOpts::new().mailbox_limit(own).monitor();
            let spawned = spawn_opt(opts, serve());
            fill(spawned.pid, 9);
            sync(spawned.pid).await;
            let me = self_pid();
            let (changes, monitor) = spawn_monitor(async move {
                send(me, Local(mailbox_limit(own)));
                serve().await;
            });
            assert_eq!(next::<Local<MailboxLimit>>().await.0, limit);
            fill(changes, 9);
            sync(changes).await;
            exit_process(changes, ExitReason::Shutdown);
            assert_eq!(down(monitor).await, ExitReason::Shutdown);
        }
    });
    node.stop();
}
