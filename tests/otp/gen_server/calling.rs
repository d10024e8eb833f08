//! Cases about calls, casts and plain messages.

use super::super::*;

/// GS-4, GS-7: replies, time limits, and servers that end during a call.
#[fika::test(workers = 2)]
async fn call() {
    trap_exit(true);
    let server = plain_server().await;
    assert_eq!(server.call(Ask::Get).await.unwrap(), 0);
    assert_eq!(server.call(Ask::ByAnother(5)).await.unwrap(), 5);
    let id = server.call(Ask::Later).send();
    assert_eq!(server.call(Ask::Release(8)).await.unwrap(), 0);
    assert_eq!(id.receive_response(LIMIT).await.unwrap(), 8);
    assert!(server.call(Ask::Never).await.unwrap_err().is_no_reply());
    assert!(server.call(Ask::Get).await.is_ok());

    // The error of a call that timed out says what the server is doing.
    let late = server.call(Ask::Hang).timeout(millis(300)).await.unwrap_err();
    assert!(late.is_timeout(), "{late}");
    let text = late.to_string();
    let request = std::any::type_name::<Ask>();
    for part in ["timeout", "`handle_call` of", request, "0 messages were waiting"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    exit_process(server.whereis().unwrap(), ExitReason::Kill);
    assert!(has_none::<Exit>().await);

    // The server replies and then ends, ends without a reply, or panics in its callback.
    let (server, monitor) = monitored().await;
    assert_eq!(server.call(Ask::Do(Then::Stop(reason("replied")))).await.unwrap(), 0);
    assert_eq!(down(monitor).await, reason("replied"));
    saw(Saw::Terminate(reason("replied"))).await;
    for ends in [reason("ends"), ExitReason::Normal, ExitReason::Shutdown] {
        let (server, monitor) = monitored().await;
        let kept = server.call(Ask::Later).send();
        let failed = server.call(Ask::End(ends.clone())).await.unwrap_err();
        assert_eq!(failed.exit_reason(), Some(&ends));
        // The server has ended when the caller gets the error.
        assert!(server.call(Ask::Get).await.unwrap_err().is_noproc());
        saw(Saw::Terminate(ends.clone())).await;
        let failed = kept.receive_response(LIMIT).await.unwrap_err();
        assert_eq!(failed.exit_reason(), Some(&ends));
        assert_eq!(down(monitor).await, ends);
    }
    let (server, monitor) = monitored().await;
    let failed = server.call(Ask::Panic).await.unwrap_err();
    assert!(matches!(failed.exit_reason(), Some(ExitReason::Panic(_))), "{failed}");
    assert!(matches!(down(monitor).await, ExitReason::Panic(_)));
    assert!(matches!(next::<Saw>().await, Saw::Terminate(ExitReason::Panic(_))));

    // When the server is killed, the requests that wait behind the current one fail, too.
    let (server, _) = monitored().await;
    let asks = [Ask::Hang, Ask::Get, Ask::Get].map(|ask| server.call(ask).send());
    exit_process(server.whereis().unwrap(), ExitReason::Kill);
    for ask in asks {
        let failed = ask.receive_response(LIMIT).await.unwrap_err();
        assert_eq!(failed.exit_reason(), Some(&ExitReason::Killed));
    }
    assert!(saw_nothing().await, "`terminate` does not run");

    // There is no server, by pid or by name.
    for nobody in [server, Ref::at("nobody"), Ref::via(Names::default().via(1))] {
        assert!(nobody.call(Ask::Get).await.unwrap_err().is_noproc());
    }
    // A caller that returns the error of a failed call ends with it.
    let caller = end_of(async {
        Ref::at("nobody").call(Ask::Get).await?;
        Ok::<(), CallError>(())
    });
    assert!(caller.await.to_string().contains("noproc"));
}

async fn monitored() -> (Ref, fika::message::Reference) {
    let args = (self_pid(), Begin::Ok(Then::GoOn));
    let started = server::start_monitor::<Server>(Start::new(), args).await.unwrap();
    saw(Saw::Init).await;
    started
}

/// GS-4: a request that the server does not list is refused at once, on this node and on another.
#[test]
fn an_unknown_request_is_refused() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        let far = server_on(&there, None).await;
        for pid in [plain_server().await.whereis().unwrap(), far] {
            let wrong = ServerRef::<Other>::pid(pid);
            let refused = wrong.call(Unlisted).no_timeout().await.unwrap_err();
            assert!(refused.is_unknown_request(), "{refused}");
            let refused = wrong.call(Unlisted).send().receive_response(LIMIT).await.unwrap_err();
            assert!(refused.is_unknown_request(), "{refused}");
            assert_eq!(Ref::pid(pid).call(Ask::Get).await.unwrap(), 0, "it goes on");
        }
        // A process that drops the request and is not a server.
        let plain = spawn(async {
            receive! { message => drop(message) };
            next::<()>().await
        });
        let refused = ServerRef::<Other>::pid(plain).call(Unlisted).await.unwrap_err();
        assert!(refused.is_unknown_request(), "{refused}");
    });
}

/// A server with a request that `Server` does not list.
struct Other;

impl GenServer for Other {
    type Args = ();
    type Receives = (Call<Unlisted>,);

    async fn init(_: ()) -> Init<Self> {
        Init::ok(Other)
    }
}

impl HandleCall<Unlisted> for Other {
    type Reply = String;

    async fn handle_call(&mut self, _: Unlisted, _: &mut Caller<'_, String>) -> Reply<String> {
        String::new().into()
    }
}

/// GS-5: calls to another node that time out, or whose caller ends, leave no process and no message
/// behind.
#[test]
#[allow(clippy::disallowed_methods, reason = "a thread that is not a process")]
fn calls_to_another_node_leave_nothing_behind() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        let far = Ref::pid(server_on(&there, None).await);
        far.call(Ask::Get).await.unwrap();
        let processes = fika::inspect::process_count();
        for _ in 0..1000 {
            let late = far.call(Ask::Later).timeout(Duration::ZERO).await.unwrap_err();
            assert!(late.is_timeout(), "{late}");
            drop(far.call(Ask::Later).send());
        }
        let callers = [(); 100].map(|()| {
            let far = far.clone();
            spawn_monitor(async move { far.call(Ask::Later).no_timeout().await.map(drop) })
        });
        far.call(Ask::Get).await.unwrap();
        for (caller, monitor) in callers {
            exit_process(caller, ExitReason::Kill);
            down(monitor).await;
        }
        far.call(Ask::Release(1)).await.unwrap();
        assert_eq!(far.call(Ask::Get).await.unwrap(), 0);
        let is_over = || fika::inspect::process_count() == processes;
        crate::support::until_in_process("their processes have ended", is_over).await;
        assert_eq!(fika::inspect::info::message_queue_len(self_pid()).await, Some(0));
        assert_eq!(fika::inspect::info::monitors(self_pid()).await, Some(vec![]));
        // A request that is dropped in a thread.
        let id = far.call(Ask::Later).send();
        std::thread::spawn(move || drop(id)).join().unwrap();
        crate::support::until_in_process("its process has ended", is_over).await;
    });
}

/// GS-6: a call from another node fails if the server passes the request to a process that ends
/// without a reply.
#[test]
fn a_request_of_another_node_is_dropped_elsewhere() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        let far = Ref::pid(server_on(&there, None).await);
        let failed = far.call(Ask::Lost).no_timeout().await.unwrap_err();
        assert!(failed.is_no_reply(), "{failed}");
        assert_eq!(far.call(Ask::Get).await.unwrap(), 0);
    });
}

/// GS-8, GS-9: casts reach a server by all forms of its name, and may stop it. A cast to a missing
/// server has no effect.
#[test]
fn cast() {
    let place = Place::new();
    place.node("here").block_on(async move {
        let names = Names::default();
        let own = place.name("here");
        start_with(Start::name("casts"), Begin::Ok(Then::GoOn)).await;
        start_with(Start::via(names.via(1)), Begin::Ok(Then::GoOn)).await;
        let pid = whereis("casts").unwrap();
        let forms = [
            Ref::pid(pid),
            Ref::at("casts"),
            Ref::at(("casts", own.as_str())),
            Ref::via(names.via(1)),
        ];
        for (n, server) in (1..).zip(&forms) {
            server.cast(Tell(n, Then::GoOn));
            saw(Saw::Cast(n)).await;
            assert_eq!(server.call(Ask::Get).await.unwrap(), n);
        }
        // A cast, and then a call, are handled in this order.
        for n in 0..1000 {
            let server = &forms[n as usize % 3];
            server.cast(Tell(n, Then::GoOn));
            assert_eq!(server.call(Ask::Get).await.unwrap(), n);
            saw(Saw::Cast(n)).await;
        }
        for server in [&forms[1], &forms[3]] {
            server.cast(Tell(9, Then::Stop(reason("cast"))));
            saw(Saw::Cast(9)).await;
            saw(Saw::Terminate(reason("cast"))).await;
        }
        // There is no server, on this node and on a node that does not exist.
        let nodes = [place.name("here"), place.name("nobody")];
        for nobody in [Ref::pid(pid), Ref::at("casts"), Ref::via(names.via(9))] {
            nobody.cast(Tell(1, Then::GoOn));
        }
        for node in &nodes {
            Ref::at(("casts", node.as_str())).cast(Tell(1, Then::GoOn));
        }
        assert!(saw_nothing().await);
    });
}

/// GS-15: plain messages, `Down`, `Exit`, `NodeUp` and `NodeDown` go to `handle_info`.
#[test]
fn info() {
    let place = Place::new();
    place.node("here").block_on(async move {
        let server = start_server(Begin::Trap).await;
        let pid = server.whereis().unwrap();
        send(pid, note(1));
        saw(Saw::Note(1)).await;
        server.info(note(2));
        saw(Saw::Note(2)).await;
        let (me, stop) = (self_pid(), Note(3, Box::new(Then::GoOn)));
        send(pid, stop);
        saw(Saw::Note(3)).await;
        exit_process(pid, reason("a signal"));
        saw(Saw::Exit(me, reason("a signal"))).await;

        // The server watches a process and the nodes.
        sys::with_state(&server, |_| {
            let ended = spawn(async { exit(reason("watched")) });
            monitor(ended);
            fika::net::monitor_nodes(true);
        })
        .await
        .unwrap();
        match next::<Saw>().await {
            Saw::Down(ended) => assert!(ended == reason("watched") || ended == ExitReason::Noproc),
            other => panic!("{other:?}"),
        }
        let there = place.os("there").start();
        let name = there.name.clone();
        assert_eq!(connect_node(&name).await, Some(true));
        saw(Saw::NodeUp(name.clone())).await;
        drop(there);
        saw(Saw::NodeDown(name)).await;
        send(pid, Note(4, Box::new(Then::Stop(reason("a note")))));
        saw(Saw::Note(4)).await;
        saw(Saw::Terminate(reason("a note"))).await;
    });
}

/// GS-3: `handle_continue` runs before any other message is handled.
#[fika::test(workers = 2)]
async fn r#continue() {
    let counts = async |first: &[Saw], n: u64| {
        for saw_first in first {
            saw(saw_first.clone()).await;
        }
        for n in (0..=n).rev() {
            saw(Saw::Continue(n)).await;
        }
    };
    for round in 0..50 {
        let server = start_server(Begin::Ok(Then::Continue(3))).await;
        server.cast(Tell(1, Then::Continue(2)));
        server.cast(Tell(2, Then::GoOn));
        server.info(Note(3, Box::new(Then::Continue(1))));
        let id = server.call(Ask::Do(Then::Continue(round % 3))).send();
        server.cast(Tell(4, Then::GoOn));
        counts(&[], 3).await;
        counts(&[Saw::Cast(1)], 2).await;
        counts(&[Saw::Cast(2), Saw::Note(3)], 1).await;
        assert_eq!(id.receive_response(LIMIT).await.unwrap(), 2, "the reply comes first");
        counts(&[], round % 3).await;
        saw(Saw::Cast(4)).await;
        server.stop(ExitReason::Normal, None).await.unwrap();
        saw(Saw::Terminate(ExitReason::Normal)).await;
    }
}

/// GS-4: a process that calls itself gets an error at once, by its pid and by its names.
#[fika::test(workers = 2)]
async fn calling_self() {
    register("selfish", self_pid()).unwrap();
    let own_node = self_node().name();
    let names = Names::default();
    names.via(1).register(self_pid()).await.unwrap();
    for own in [
        Ref::pid(self_pid()),
        Ref::at("selfish"),
        Ref::at(("selfish", own_node.as_str())),
        Ref::via(names.via(1)),
    ] {
        let failed = own.call(Ask::Get).no_timeout().await.unwrap_err();
        assert!(failed.is_calling_self(), "{failed}");
        let failed = own.stop(ExitReason::Normal, None).await.unwrap_err();
        assert!(failed.is_calling_self(), "{failed}");
        let failed = sys::get_status(&own).await.unwrap_err();
        assert!(failed.is_calling_self(), "{failed}");
    }
}

/// GS-23: a call from a process with a huge mailbox looks at none of the messages in it.
#[fika::test(workers = 2)]
async fn call_with_huge_message_queue() {
    let server = plain_server().await;
    let looked = async || {
        let before = fika_runtime::messages_looked_at();
        for _ in 0..100 {
            assert_eq!(server.call(Ask::Get).await.unwrap(), 0);
            let id = server.call(Ask::Get).send();
            assert_eq!(id.receive_response(LIMIT).await.unwrap(), 0);
        }
        fika_runtime::messages_looked_at() - before
    };
    assert_eq!(looked().await, 0);
    for n in 0..100_000_u64 {
        send(self_pid(), n);
    }
    assert_eq!(looked().await, 0);
    assert_eq!(fika::inspect::info::message_queue_len(self_pid()).await, Some(100_000));
}

/// GS-6, ALIAS-7: replies that contain references reach the right call, even if a process other
/// than the server sends them.
#[fika::test(workers = 2)]
async fn reply_by_alias_with_payload() {
    let odd = server::start::<Odd>(Start::new(), ()).await.unwrap();
    let kept: Vec<_> = (0..10).map(|n| (n, odd.call(Shape(n)).send())).collect();
    for (n, id) in kept {
        let alias = id.receive_response(LIMIT).await.unwrap();
        assert_eq!(alias.len(), n);
    }
    assert_eq!(fika::inspect::info::message_queue_len(self_pid()).await, Some(0));
}

#[message]
struct Shape(usize);

struct Odd;

impl GenServer for Odd {
    type Args = ();
    type Receives = (Call<Shape>,);

    async fn init(_: ()) -> Init<Self> {
        Init::ok(Odd)
    }
}

type References = Vec<Option<fika::message::Reference>>;

impl HandleCall<Shape> for Odd {
    type Reply = References;

    async fn handle_call(
        &mut self,
        Shape(n): Shape,
        caller: &mut Caller<'_, References>,
    ) -> Reply<References> {
        let caller = caller.reply_later();
        spawn(async move {
            fika::process::yield_now().await;
            caller.reply((0..n).map(|n| (n % 2 == 0).then(fika::message::make_ref)).collect());
        });
        Reply::later()
    }
}
