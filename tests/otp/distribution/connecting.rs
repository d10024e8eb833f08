//! Cases of `distribution_SUITE` about making connections, and failing to.

use super::super::*;
use fika::net::{Ping as PingAnswer, disconnect_node, monitor_node, monitor_nodes};
use fika::process::{spawn_link_on, spawn_monitor_on, unlink};

/// DIST-7, DIST-18: many pings of a missing node, of a present node and of the own node are
/// answered.
#[test]
fn ping() {
    const TIMES: usize = 1000;
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        for (name, answer) in [
            (place.name("missing"), PingAnswer::Pang),
            (place.name("there"), PingAnswer::Pong),
            (place.name("here"), PingAnswer::Pong),
        ] {
            for _ in 0..TIMES {
                assert_eq!(fika::net::ping(&name).await, answer, "{name}");
            }
        }
        assert_eq!(nodes().len(), 1);
    });
    drop(there);
}

/// LINK-5: each link to a dead process gives an exit.
#[test]
fn link_to_dead() {
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let pid = spawn_on(place.name("there"), answerer()).await;
        let monitor = fika::process::monitor(pid);
        send(pid, EndWith(ExitReason::Normal));
        assert_eq!(down(monitor).await, ExitReason::Normal);
        trap_exit(true);
        for _ in 0..2 {
            link(pid);
            assert_eq!(exit_of(pid).await, ExitReason::Noproc);
            none!(Exit);
        }
        // The exit is fatal to a process that does not trap exits.
        let (_, of_linker) = spawn_monitor(async move {
            link(pid);
            std::future::pending::<()>().await;
        });
        assert_eq!(down(of_linker).await, ExitReason::Noproc);
        assert_eq!(nodes().len(), 1);
    });
    drop(there);
}

/// Checks the effect of each operation on a node that can't be reached.
async fn check_all_fail(name: &str, dead: Pid) {
    trap_exit(true);
    assert_eq!(try_spawn_on(name, answerer()).await, Err(SpawnError::Noconnection));
    let none = spawn_on(name, answerer()).await;
    assert_eq!(none.node().name().as_str(), name);
    let none = spawn_link_on(name, answerer()).await;
    assert_eq!(exit_of(none).await, ExitReason::Noconnection);
    let (_, monitor) = spawn_monitor_on(name, answerer()).await;
    assert_eq!(down(monitor).await, ExitReason::Noconnection);
    assert_eq!(down(fika::process::monitor(dead)).await, ExitReason::Noconnection);
    assert_eq!(down(fika::process::monitor(("x", name))).await, ExitReason::Noconnection);
    link(dead);
    assert_eq!(exit_of(dead).await, ExitReason::Noconnection);
    send(("x", name), 1_u64);
    send(dead, 1_u64);
    exit_process(dead, ExitReason::Kill);
    unlink(dead);
    monitor_node(name, true).unwrap();
    nodedown(name).await;
    none!(Exit);
    none!(Down);
    none!(NodeDown);
}

/// SPAWN-2: no operation reaches a node that never existed, and each reports it in its way.
#[test]
fn trap_bif_1() {
    let place = Place::new();
    place.node("here").block_on(async move {
        let none = spawn_on(place.name("nobody"), answerer()).await;
        check_all_fail(&place.name("nobody"), none).await;
    });
}

/// SPAWN-2: no operation reaches a node that is down, and each reports it in its way.
#[test]
fn trap_bif_2() {
    let place = Place::new();
    let here = place.node("here");
    let mut there = place.os("there").start();
    let dead = here.block_on(async move { spawn_on(place.name("there"), answerer()).await });
    there.kill();
    here.block_on(async move { check_all_fail(&place.name("there"), dead).await });
}

/// SPAWN-2, DIST-18: repeated use of a dead node fails each time, and leaves nothing behind.
#[test]
fn trap_bif_3() {
    let place = Place::new();
    let here = place.node("here");
    let mut there = place.os("there").start();
    let dead = here.block_on(async move { spawn_on(place.name("there"), answerer()).await });
    there.kill();
    let processes = here.process_count();
    here.block_on(async move {
        for _ in 0..100 {
            check_all_fail(&place.name("there"), dead).await;
        }
    });
    support::until("nothing is left of it", || here.process_count() <= processes);
}

/// DIST-6: with `AutoConnect::Never`, only explicit connects work, and incoming connections are
/// accepted.
#[test]
fn dist_auto_connect_never() {
    let place = Place::new();
    let never = TestNode::of(place.builder("never").dist_auto_connect(AutoConnect::Never));
    let there = place.node("there");
    let answering = there.spawn(named_answerer_here()).unwrap();
    let downs = Arc::new(AtomicUsize::new(0));
    let counted = downs.clone();
    there.block_on(async {
        spawn(count_nodedowns(counted, self_pid()));
        receive! { (): () => {} }
    });
    let (never_name, there_name) = (place.name("never"), place.name("there"));
    let name = there_name.clone();
    never.block_on(async move {
        check_all_fail(&name, answering).await;
        assert!(nodes().is_empty());
        // An explicit connect works, and then every operation does.
        assert_eq!(connect_node(&name).await, Some(true));
        assert_answers(answering, 1).await;
        assert_eq!(disconnect_node(&name).await, Some(true));
        assert_eq!(down(fika::process::monitor(answering)).await, ExitReason::Noconnection);
        assert_eq!(fika::net::ping(&name).await, PingAnswer::Pang);
        assert!(nodes().is_empty());
    });
    // The node also lets other nodes connect to it. Signals that were sent before the peer saw the
    // end of the connection would be lost, so the test waits for that.
    support::until("the end is seen there", || downs.load(Ordering::SeqCst) == 1);
    assert!(there.nodes().is_empty(), "nobody there has a reason to connect again");
    there.block_on(async move {
        let pid = spawn_on(&never_name, answerer()).await;
        assert_answers(pid, 1).await;
    });
    never.block_on(async move { assert_answers(answering, 2).await });
}

/// Counts the ends of connections. Tells `starter` when the count begins.
async fn count_nodedowns(downs: Arc<AtomicUsize>, starter: Pid) {
    monitor_nodes(true);
    send(starter, ());
    loop {
        receive! { NodeDown { .. } => downs.fetch_add(1, Ordering::SeqCst) };
    }
}

async fn named_answerer_here() {
    register("x", self_pid()).unwrap();
    answerer().await;
}
