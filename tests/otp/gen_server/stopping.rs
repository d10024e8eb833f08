//! Cases about stopping servers.

use super::super::*;

/// PL-7, GS-12: stops a server without a name; stopping it again fails with `noproc`.
#[fika::test(workers = 2)]
async fn stop1() {
    let server = plain_server().await;
    server.stop(ExitReason::Normal, LIMIT).await.unwrap();
    saw(Saw::Terminate(ExitReason::Normal)).await;
    let again = server.stop(ExitReason::Normal, LIMIT).await.unwrap_err();
    assert!(again.is_noproc(), "{again}");
    assert!(server.call(Ask::Get).await.unwrap_err().is_noproc());
}

/// PL-7: stops a server with another reason than `normal`; with another one than it ends with.
#[fika::test(workers = 2)]
async fn stop2() {
    let (server, monitor) =
        server::start_monitor::<Server>(Start::new(), (self_pid(), Begin::Ok(Then::GoOn)))
            .await
            .unwrap();
    saw(Saw::Init).await;
    server.stop(reason("other"), None).await.unwrap();
    assert_eq!(down(monitor).await, reason("other"));
    saw(Saw::Terminate(reason("other"))).await;

    let server = plain_server().await;
    server.cast(FailLater);
    let failed = server.stop(ExitReason::Shutdown, LIMIT).await.unwrap_err();
    assert!(matches!(failed.exit_reason(), Some(ExitReason::Panic(_))), "{failed}");
    saw(Saw::Terminate(ExitReason::Shutdown)).await;
}

/// PL-7: a time limit that is over leaves the server alone. It still has the request, and ends later.
#[fika::test(workers = 2)]
async fn stop3() {
    let server = plain_server().await;
    let monitor = monitor(server.whereis().unwrap());
    // A process that is suspended by the runtime takes no message, not even of the system.
    fika::inspect::suspend_process(server.whereis().unwrap()).await.unwrap();
    for limit in [Duration::ZERO, millis(10)] {
        let late = server.stop(reason("late"), limit).await.unwrap_err();
        assert!(late.is_timeout(), "{late}");
    }
    assert!(saw_nothing().await && has_none::<Down>().await);
    fika::inspect::resume_process(server.whereis().unwrap()).unwrap();
    assert_eq!(down(monitor).await, reason("late"));
    saw(Saw::Terminate(reason("late"))).await;
    assert!(saw_nothing().await, "it ends once");
}

/// PL-7: stops a server by its registered name, which is free then.
#[fika::test(workers = 2)]
async fn stop4() {
    for _ in 0..100 {
        let server = start_with(Start::name("to stop"), Begin::Ok(Then::GoOn)).await;
        server.stop(ExitReason::Normal, LIMIT).await.unwrap();
        assert_eq!(whereis("to stop"), None);
        saw(Saw::Terminate(ExitReason::Normal)).await;
    }
    let again = Ref::at("to stop").stop(ExitReason::Normal, LIMIT).await.unwrap_err();
    assert!(again.is_noproc(), "{again}");
    assert!(again.to_string().contains("to stop"), "{again}");
}

/// PL-7, DIST-22: stops a server by its name and the node's own name.
#[test]
fn stop5() {
    let place = Place::new();
    place.node("own").block_on(async move {
        start_with(Start::name("to stop"), Begin::Ok(Then::GoOn)).await;
        let own = place.name("own");
        let server = Ref::at(("to stop", own.as_str()));
        server.stop(ExitReason::Normal, LIMIT).await.unwrap();
        saw(Saw::Terminate(ExitReason::Normal)).await;
        assert!(server.stop(ExitReason::Normal, LIMIT).await.unwrap_err().is_noproc());
    });
}

/// PL-7, GS-1: stops a server by a name in a registry.
#[fika::test(workers = 2)]
async fn stop7() {
    let names = Names::default();
    start_with(Start::via(names.via(3)), Begin::Ok(Then::GoOn)).await;
    let server = Ref::via(names.via(3));
    server.stop(ExitReason::Normal, LIMIT).await.unwrap();
    saw(Saw::Terminate(ExitReason::Normal)).await;
    assert!(server.stop(ExitReason::Normal, LIMIT).await.unwrap_err().is_noproc());
    names.via(3).unregister().await;
    let nobody = server.stop(ExitReason::Normal, LIMIT).await.unwrap_err();
    assert!(nobody.is_noproc() && nobody.to_string().contains("number 3"), "{nobody}");
}

/// GS-19, PL-7: stops servers of another node, by pid and by name; when the node is gone, the error is
/// `nodedown`.
#[test]
fn stop8() {
    let place = Place::new();
    let mut there = place.os("there").start();
    place.node("here").block_on(async move {
        let pid = server_on(&there, None).await;
        Ref::pid(pid).stop(reason("by pid"), LIMIT).await.unwrap();
        saw(Saw::Terminate(reason("by pid"))).await;
        assert!(Ref::pid(pid).stop(reason("again"), LIMIT).await.unwrap_err().is_noproc());

        let by_name = Ref::at(("far", there.name.as_str()));
        assert!(by_name.stop(reason("too soon"), LIMIT).await.unwrap_err().is_noproc());
        server_on(&there, Some("far")).await;
        by_name.stop(reason("by name"), LIMIT).await.unwrap();
        saw(Saw::Terminate(reason("by name"))).await;

        let pid = server_on(&there, Some("far")).await;
        by_name.cast(FailLater);
        let failed = by_name.stop(ExitReason::Normal, LIMIT).await.unwrap_err();
        assert!(matches!(failed.exit_reason(), Some(ExitReason::Panic(_))), "{failed}");
        saw(Saw::Terminate(ExitReason::Normal)).await;
        assert!(Ref::pid(pid).stop(reason("again"), LIMIT).await.unwrap_err().is_noproc());

        // The node ends while the server has the request.
        let pid = server_on(&there, None).await;
        Ref::pid(pid).call(Ask::Hang).timeout(millis(1)).await.unwrap_err();
        let late = Ref::pid(pid).stop(reason("late"), millis(50)).await.unwrap_err();
        assert!(late.is_timeout(), "{late}");
        let me = self_pid();
        spawn(async move {
            let stopped = Ref::pid(pid).stop(reason("never"), None).await;
            send(me, stopped.unwrap_err().is_nodedown());
        });
        // The stopping process has asked when the other node knows the process that asks for it.
        fika::process::yield_now().await;
        there.kill();
        assert!(next::<bool>().await, "the node went down");
        let gone = Ref::pid(pid).stop(reason("gone"), LIMIT).await.unwrap_err();
        assert!(gone.is_nodedown(), "{gone}");
        let gone = by_name.stop(reason("gone"), LIMIT).await.unwrap_err();
        assert!(gone.is_nodedown(), "{gone}");
        assert!(has_none::<Down>().await && has_none::<Exit>().await);
    });
}

/// GS-12: a server without a `terminate` stops.
#[fika::test(workers = 2)]
async fn undef_terminate1() {
    let (bare, monitor) = server::start_monitor::<Bare>(Start::new(), ()).await.unwrap();
    bare.stop(ExitReason::Normal, LIMIT).await.unwrap();
    assert_eq!(down(monitor).await, ExitReason::Normal);
}

/// GS-12: a server without a `terminate` stops with any reason.
#[fika::test(workers = 2)]
async fn undef_terminate2() {
    let (bare, monitor) = server::start_monitor::<Bare>(Start::new(), ()).await.unwrap();
    bare.stop(reason("a reason"), LIMIT).await.unwrap();
    assert_eq!(down(monitor).await, reason("a reason"));
}

/// A server without anything.
struct Bare;

impl GenServer for Bare {
    type Args = ();
    type Receives = ();

    async fn init(_: ()) -> Init<Self> {
        Init::ok(Bare)
    }
}

/// GS-15: a server that lists no messages drops them and goes on.
#[test]
fn undef_handle_info() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        spawn_on(&there.name, bare_there(self_pid())).await;
        let pid: Pid = next().await;
        send(pid, note(1));
        send(pid, "text".to_owned());
        there.await_log("a server dropped a message for which it has no handler", 2);
        assert!(there.logged("Note") > 0, "the report names the type");
        let bare = ServerRef::<Bare>::pid(pid);
        assert!(sys::get_status(&bare).await.unwrap().module.ends_with("Bare"));
    });
}

#[remote(name = "test::gen_server_bare")]
async fn bare_there(owner: Pid) {
    let bare = server::start::<Bare>(Start::new(), ()).await.unwrap();
    send(owner, bare.whereis().unwrap());
}
