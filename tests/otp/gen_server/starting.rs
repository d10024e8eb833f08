//! Cases about starting, and about turning a process into a server.

use std::time::Duration;

use fika::proc_lib::{self, InitAck};

use super::super::*;

/// GS-1, GS-2, GS-21: all ways to start, name forms, taken names, a time limit, ignore, stop, error.
#[fika::test(workers = 2)]
async fn start() {
    trap_exit(true);
    let me = self_pid();
    let args = |begin| (me, begin);
    let ok = || args(Begin::Ok(Then::GoOn));

    // Without a name: not linked, linked, monitored.
    let plain = plain_server().await;
    assert_eq!(plain.call(Ask::Get).await.unwrap(), 0);
    plain.stop(reason("over"), LIMIT).await.unwrap();
    saw(Saw::Terminate(reason("over"))).await;
    let linked = server::start_link::<Server>(Start::new(), ok()).await.unwrap();
    let pid = linked.whereis().unwrap();
    saw(Saw::Init).await;
    linked.stop(reason("linked"), LIMIT).await.unwrap();
    assert_eq!(exit_from(pid).await, reason("linked"));
    saw(Saw::Terminate(reason("linked"))).await;
    let (watched, monitor) = server::start_monitor::<Server>(Start::new(), ok()).await.unwrap();
    saw(Saw::Init).await;
    watched.stop(reason("watched"), LIMIT).await.unwrap();
    assert_eq!(down(monitor).await, reason("watched"));
    saw(Saw::Terminate(reason("watched"))).await;
    assert!(has_none::<Exit>().await && has_none::<Down>().await);

    // Names: registered before `init` runs, refused if they are taken, free after a failed start.
    let names = Names::default();
    let forms: [(fn() -> Start, _); 2] =
        [(|| Start::name("my server"), None), (Start::new, Some(names.via(7)))];
    for (plain, via) in forms {
        let opts = || via.clone().map_or_else(plain, Start::via);
        let at = || via.clone().map_or_else(|| Ref::at("my server"), Ref::via);
        let named = start_with(opts(), Begin::Ok(Then::GoOn)).await;
        let pid = named.whereis().unwrap();
        assert_eq!(at().whereis(), Some(pid));
        for again in [
            server::start::<Server>(opts(), ok()).await.unwrap_err(),
            server::start_link::<Server>(opts(), ok()).await.unwrap_err(),
            server::start_monitor::<Server>(opts(), ok()).await.unwrap_err(),
        ] {
            assert_eq!(again, StartError::AlreadyStarted(pid));
        }
        assert!(saw_nothing().await, "`init` did not run again");
        named.stop(ExitReason::Normal, LIMIT).await.unwrap();
        saw(Saw::Terminate(ExitReason::Normal)).await;
        if let Some(via) = &via {
            via.unregister().await;
        }
        for (begin, error) in [
            (Begin::Stop(reason("stop")), StartError::Failed(reason("stop"))),
            (Begin::Error(reason("error")), StartError::Failed(reason("error"))),
            (Begin::Exit(reason("exit")), StartError::Failed(reason("exit"))),
            (Begin::Ignore, StartError::Ignored),
        ] {
            let failed = server::start_link::<Server>(opts(), args(begin.clone())).await;
            assert_eq!(failed.unwrap_err(), error);
            assert_eq!(at().whereis(), None, "the name is free");
            let failed = server::start_monitor::<Server>(opts(), args(begin)).await;
            assert_eq!(failed.unwrap_err(), error);
            saw(Saw::Init).await;
            saw(Saw::Init).await;
        }
        let failed = server::start_link::<Server>(opts(), args(Begin::Panic)).await.unwrap_err();
        assert!(matches!(failed, StartError::Failed(ExitReason::Panic(_))), "{failed}");
        saw(Saw::Init).await;
    }
    assert!(has_none::<Exit>().await && has_none::<Down>().await && saw_nothing().await);

    // A time limit.
    let opts = Start::name("late").timeout(millis(20));
    let late = server::start_link::<Server>(opts.clone(), args(Begin::Hang)).await.unwrap_err();
    assert_eq!((late, whereis("late")), (StartError::Timeout, None));
    let late = server::start_monitor::<Server>(opts, args(Begin::Hang)).await.unwrap_err();
    assert_eq!((late, whereis("late")), (StartError::Timeout, None));
    assert!(has_none::<Exit>().await && has_none::<Down>().await);

    // A starter that does not trap exits survives a failed start.
    let survivor = end_of(async move {
        for begin in [Begin::Stop(reason("no")), Begin::Panic, Begin::Ignore] {
            server::start_link::<Server>(Start::new(), (me, begin)).await.unwrap_err();
        }
        let hangs = Start::new().timeout(millis(5));
        server::start_link::<Server>(hangs, (me, Begin::Hang)).await.unwrap_err();
    });
    assert_eq!(survivor.await, ExitReason::Normal);
}

/// GS-10, GS-11: `init` returns time limits, hibernation, and work to be done first.
#[fika::test(sim)]
async fn start_event_timeout() {
    for then in [Then::Timeout(1000), Then::TimeoutWith(1000, 7), Then::TimeoutAt(1000, 7)] {
        let began = self_node().env().now();
        let server = start_server(Begin::Ok(then.clone())).await;
        saw(if let Then::Timeout(_) = then { Saw::Timeout } else { Saw::Note(7) }).await;
        let took = self_node().env().now().since(began);
        assert!((millis(1000)..millis(1100)).contains(&took), "{took:?}");
        server.stop(ExitReason::Normal, None).await.unwrap();
        saw(Saw::Terminate(ExitReason::Normal)).await;
    }
    let server = start_server(Begin::Ok(Then::Hibernate)).await;
    sleep(secs(1)).await;
    assert!(saw_nothing().await);
    assert_eq!(server.call(Ask::Do(Then::Timeout(5))).await.unwrap(), 0);
    saw(Saw::Timeout).await;
    let _server = start_server(Begin::Ok(Then::Continue(2))).await;
    for n in [2, 1, 0] {
        saw(Saw::Continue(n)).await;
    }
}

/// Turns into a server with these options, and says whether `enter_loop` was reached.
async fn special(ack: InitAck<()>, opts: Start, owner: Pid) {
    let parent = ack.parent();
    ack.ok(());
    let state = Server { owner, n: 7, fails: false, kept: Vec::new() };
    enter_loop(state, opts, parent).await;
}

/// GS-22: a running process becomes a server, under each form of a name; with a wrong name, or if it
/// was not started by `proc_lib`, it ends with an error.
#[fika::test(workers = 2)]
async fn spec_init() {
    trap_exit(true);
    let me = self_pid();
    let names = Names::default();
    for opts in [Start::new(), Start::name("special"), Start::via(names.via(1))] {
        let entered = opts.clone();
        let child = move |ack| special(ack, entered, me);
        let (pid, ()) = proc_lib::start_link(opts, child).await.unwrap();
        let special = Ref::pid(pid);
        assert_eq!(special.call(Ask::Get).await.unwrap(), 7);
        let status = sys::get_status(&special).await.unwrap();
        assert_eq!((status.parent, status.state.as_str()), (Some(me), "formatted 7"));
        assert!(status.module.ends_with("Server"), "{}", status.module);
        assert_eq!(proc_lib::ancestors(pid), Some(vec![me]));
        special.stop(ExitReason::Shutdown, LIMIT).await.unwrap();
        saw(Saw::Terminate(ExitReason::Shutdown)).await;
        assert_eq!(exit_from(pid).await, ExitReason::Shutdown);
    }

    for wrong in [Start::name("another"), Start::via(names.via(2))] {
        let child = move |ack| special(ack, wrong, me);
        let (pid, ()) = proc_lib::start_link(Start::new(), child).await.unwrap();
        let ended = exit_from(pid).await;
        assert!(matches!(ended, ExitReason::Badarg(_)), "{ended}");
    }
    let plain = end_of(async move {
        let state = Server { owner: me, n: 0, fails: false, kept: Vec::new() };
        enter_loop(state, Start::new(), None).await;
    });
    let ended = plain.await;
    assert!(matches!(ended, ExitReason::Badarg(_)), "{ended}");
    assert!(saw_nothing().await);
}

/// GS-22, GS-13: the parent of a process that becomes a server has a name. Its end ends the server.
#[fika::test(workers = 2)]
async fn spec_init_local_registered_parent() {
    let me = self_pid();
    let parent = spawn(async move {
        register("the parent", self_pid()).unwrap();
        let child = move |ack: InitAck<()>| async move {
            trap_exit(true);
            special(ack, Start::new(), me).await;
        };
        let (pid, ()) = proc_lib::start_link(Start::new(), child).await.unwrap();
        send(me, pid);
        receive! { _: () => exit(reason("parent")) }
    });
    let pid: Pid = next().await;
    let monitor = monitor(pid);
    assert_eq!(Ref::pid(pid).call(Ask::Get).await.unwrap(), 7);
    assert_eq!(proc_lib::ancestors(pid), Some(vec![parent]));
    // An exit signal of a process other than the parent arrives as a message.
    exit_process(pid, reason("stranger"));
    saw(Saw::Exit(me, reason("stranger"))).await;
    send("the parent", ());
    saw(Saw::Terminate(reason("parent"))).await;
    assert_eq!(down(monitor).await, reason("parent"));
}

/// GS-20: an idle server hibernates after its time, and wakes for the next message.
#[fika::test(sim)]
async fn auto_hibernate() {
    async fn waits_in_receive(pid: Pid) -> bool {
        fika::inspect::info::current_function(pid).await.unwrap().is_some()
    }
    for begin in [Begin::Ok(Then::GoOn), Begin::Trap] {
        let server = start_with(Start::new().hibernate_after(secs(1)), begin).await;
        let pid = server.whereis().unwrap();
        for _ in 0..3 {
            sleep(millis(990)).await;
            assert!(waits_in_receive(pid).await);
            // A message begins the time again.
            server.cast(Tell(1, Then::GoOn));
            saw(Saw::Cast(1)).await;
            sleep(millis(990)).await;
            assert!(waits_in_receive(pid).await);
            sleep(millis(20)).await;
            assert!(!waits_in_receive(pid).await, "it hibernates");
            assert_eq!(server.call(Ask::Get).await.unwrap(), 1);
        }
        sleep(secs(2)).await;
        assert!(!waits_in_receive(pid).await);
        assert_eq!(sys::get_status(&server).await.unwrap().state, "formatted 1");
        sleep(Duration::from_millis(1010)).await;
        assert!(!waits_in_receive(pid).await, "after a system message, too");
    }
    // At once, by the result of a callback, and again after a system message.
    let server = plain_server().await;
    let pid = server.whereis().unwrap();
    assert!(waits_in_receive(pid).await);
    server.call(Ask::Do(Then::Hibernate)).await.unwrap();
    sleep(millis(1)).await;
    assert!(!waits_in_receive(pid).await);
    sys::get_status(&server).await.unwrap();
    sleep(millis(1)).await;
    assert!(!waits_in_receive(pid).await);
    server.call(Ask::Get).await.unwrap();
    sleep(millis(1)).await;
    assert!(waits_in_receive(pid).await);
}
