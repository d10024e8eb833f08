//! `process_SUITE`: how processes begin and end.

use fika::process::{MonitorAlias, demonitor_flush};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use fika::message::{
    AliasOpts, Local, MailboxLimit, Reference, Tagged, alias, alias_with, mailbox_limit, make_ref,
    unalias,
};
use fika::prelude::*;
use fika::process::{
    MonitorOpts, Object, RegisterError, ReplyOn, RequestOpts, SpawnError, SpawnOpts, SpawnReply,
    monitor_with, registered, spawn_link_on, spawn_monitor_on, spawn_opt, spawn_opt_on,
    spawn_request, spawn_request_abandon, spawn_request_on, yield_now,
};

use crate::support::Place;
use crate::wait::{LIMIT, down, end_of, exit_from, has_none, next, serve, sync};

/// A reason that no buffer of fixed size holds.
fn huge() -> ExitReason {
    ExitReason::term((0..100_000_u64).collect::<Vec<_>>())
}

fn text(text: &str) -> ExitReason {
    ExitReason::term(text.to_owned())
}

/// PROC-9, PROC-6: nothing of a process is left when its end is seen.
#[fika::test]
async fn spawn_with_binaries() {
    let payload = Arc::new(vec![7_u8; 1 << 20]);
    for _ in 0..200 {
        let children: Vec<_> = (0..10)
            .map(|n| {
                let (argument, message) = (payload.clone(), Local(payload.clone()));
                let (child, monitor) = spawn_monitor(async move {
                    receive! { (): () => assert_eq!(argument.len(), 1 << 20) }
                    match n % 3 {
                        0 => exit(ExitReason::Kill),
                        1 => panic!("as it should"),
                        _ => {}
                    }
                });
                send(child, message);
                send(child, ());
                monitor
            })
            .collect();
        for monitor in children {
            down(monitor).await;
        }
        assert_eq!(Arc::strong_count(&payload), 1);
    }
}

/// EXIT-15, EXIT-10.
#[fika::test]
async fn t_exit_1() {
    trap_exit(true);
    for _ in 0..20 {
        let child = spawn_link(async { exit(huge()) });
        assert_eq!(exit_from(child).await, huge());
    }
}

/// EXIT-2, EXIT-15.
#[fika::test]
async fn t_exit_2_other() {
    trap_exit(true);
    for _ in 0..20 {
        let child = spawn_link(serve());
        exit_process(child, huge());
        assert_eq!(exit_from(child).await, huge());
    }
}

/// EXIT-3.
#[fika::test]
async fn t_exit_2_other_normal() {
    trap_exit(true);
    let child = spawn_link(serve());
    for _ in 0..1000 {
        exit_process(child, ExitReason::Normal);
        sync(child).await;
    }
    exit_process(child, ExitReason::Shutdown);
    assert_eq!(exit_from(child).await, ExitReason::Shutdown);
    assert!(has_none::<Exit>().await);
}

/// EXIT-10, EXIT-5.
#[fika::test]
async fn self_exit() {
    trap_exit(true);
    let me = self_pid();
    for n in 0..10_000_u64 {
        let reason = if n % 2 == 0 { ExitReason::Normal } else { ExitReason::term(n) };
        exit_process(me, reason.clone());
        assert_eq!(exit_from(me).await, reason);
    }
    assert!(has_none::<Exit>().await);
}

/// EXIT-6: nothing runs after it, whatever the reason.
#[fika::test]
async fn abnormal_suicide_exit() {
    let parent = self_pid();
    let cases = [
        (text("suicide"), text("suicide")),
        (huge(), huge()),
        (ExitReason::Normal, ExitReason::Normal),
        (ExitReason::Kill, ExitReason::Killed),
    ];
    for (reason, seen) in cases {
        let by_signal = reason.clone();
        let end = end_of(async move {
            exit_process(self_pid(), by_signal);
            send(parent, "still here".to_owned());
        });
        assert_eq!(end.await, seen);
        let by_leaving = reason.clone();
        assert_eq!(end_of(async { exit(by_leaving) }).await, reason);
        // It would have come before the Down.
        assert!(has_none::<String>().await);
    }
}

/// PROC-4, EXIT-15.
#[fika::test]
async fn trap_exit_badarg() {
    trap_exit(true);
    let argument = "x".repeat(1 << 20);
    let panics = argument.clone();
    let child = spawn_link(async move { panic!("{panics}") });
    match exit_from(child).await {
        ExitReason::Panic(panic) => {
            assert_eq!(panic.message, argument);
            let at = panic.location.as_deref().expect("it is known");
            assert!(at.contains("process.rs"), "{at}");
        }
        other => panic!("{other}"),
    }
}

/// LINK-7, PROC-4.
#[fika::test]
async fn trap_exit_badarg_in_bif() {
    trap_exit(true);
    for n in 0..2000 {
        let child = spawn_link(async move {
            if n % 2 == 0 {
                panic!("at once");
            }
            send("nobody has this name", ());
        });
        match exit_from(child).await {
            ExitReason::Panic(panic) if n % 2 == 0 => assert_eq!(panic.message, "at once"),
            ExitReason::Badarg(_) if n % 2 == 1 => {}
            other => panic!("{other}"),
        }
    }
}

/// EXIT-12.
#[fika::test]
async fn exit_twice() {
    trap_exit(true);
    for n in 0..3000_u64 {
        let child = match n % 3 {
            0 => spawn_link(serve()),
            1 => spawn_link(async {
                loop {
                    yield_now().await;
                }
            }),
            _ => spawn_link(async {
                sleep(secs(3600)).await;
            }),
        };
        let second = if n % 2 == 0 { ExitReason::Kill } else { text("second") };
        exit_process(child, text("first"));
        exit_process(child, second);
        assert_eq!(exit_from(child).await, text("first"));
    }
    assert!(has_none::<Exit>().await);
}

/// Sends what it is told to, and says when it has.
async fn sender() {
    loop {
        receive! {
            (to, n): (Reference, u64) => send(to, n),
            (to, n): (Pid, u64) => send(to, n),
            from: Pid => send(from, ()),
        }
    }
}

/// ALIAS-1, ALIAS-2, ALIAS-3, ALIAS-4.
#[fika::test]
async fn alias_bif() {
    let other = spawn(sender());
    // Until it is taken back.
    let active = alias();
    for n in 0..10_u64 {
        send(other, (active, n));
        assert_eq!(next::<u64>().await, n);
    }
    send(active, 10_u64);
    assert_eq!(next::<u64>().await, 10);
    assert!(unalias(active));
    assert!(!unalias(active));
    send(other, (active, 11_u64));
    sync(other).await;
    assert!(has_none::<u64>().await);

    // What is in the mailbox stays; what was only sent is dropped.
    let active = alias_with(AliasOpts::new());
    send(active, 1_u64);
    assert!(has_none::<()>().await, "the message has been received");
    send(active, 2_u64);
    assert!(unalias(active));
    send(active, 3_u64);
    assert_eq!(next::<u64>().await, 1);
    assert!(has_none::<u64>().await);

    // For one message.
    for n in 0..1000_u64 {
        let once = alias_with(AliasOpts::new().reply());
        for m in 0..3 {
            send(other, (once, n + m));
        }
        sync(other).await;
        assert_eq!(next::<u64>().await, n);
        assert!(has_none::<u64>().await);
        assert!(!unalias(once), "it ended with the message");
    }
    let once = alias_with(AliasOpts::new().reply());
    assert!(unalias(once) && !unalias(once));
    send(once, 1_u64);
    assert!(has_none::<u64>().await);

    // Nobody else can end it, and what is no alias is none.
    let active = alias();
    let not_theirs = end_of(async move { assert!(!unalias(active)) });
    assert_eq!(not_theirs.await, ExitReason::Normal);
    send(other, (active, 4_u64));
    assert_eq!(next::<u64>().await, 4);
    let plain = make_ref();
    assert!(!unalias(plain) && !unalias(monitor(other)));
    send(plain, 5_u64);
    assert!(has_none::<u64>().await);

    // The aliases of the dead lead nowhere, whoever has their place.
    let (owner, watch) = spawn_monitor(async {
        let parent: Pid = next().await;
        send(parent, alias());
    });
    send(owner, self_pid());
    let of_the_dead: Reference = next().await;
    assert_eq!(down(watch).await, ExitReason::Normal);
    send(of_the_dead, 6_u64);
    for _ in 0..1000 {
        let (child, watch) = spawn_monitor(async {
            next::<()>().await;
            assert!(has_none::<u64>().await);
        });
        send(of_the_dead, 7_u64);
        send(child, ());
        assert_eq!(down(watch).await, ExitReason::Normal);
    }
}

/// A process that ends when it is told to, and its monitor with this alias.
fn watched(alias: MonitorAlias) -> (Pid, Reference) {
    let target = spawn(serve());
    (target, monitor_with(target, MonitorOpts::new().alias(alias)))
}

/// ALIAS-5, ALIAS-6, ALIAS-7, ALIAS-8, ALIAS-9.
#[fika::test]
async fn monitor_alias() {
    use MonitorAlias::{Demonitor, ExplicitUnalias, ReplyDemonitor};
    let other = spawn(sender());
    let says = |to: Reference, n: u64| async move {
        send(other, (to, n));
        sync(other).await;
        let mut came = false;
        receive! { m: u64 => { assert_eq!(m, n); came = true }, after Duration::ZERO => {} }
        came
    };
    for n in 0..200_u64 {
        // It lives on, whatever becomes of the monitor.
        let (target, both) = watched(ExplicitUnalias);
        assert!(says(both, n).await && says(both, n).await);
        if n % 2 == 0 {
            assert!(demonitor(both) && !demonitor(both));
        } else {
            exit_process(target, ExitReason::Kill);
            assert_eq!(down(both).await, ExitReason::Killed);
        }
        assert!(says(both, n).await);
        assert!(unalias(both) && !unalias(both));
        assert!(!says(both, n).await);

        // It ends with the monitor.
        for alias in [Demonitor, ReplyDemonitor] {
            let (target, both) = watched(alias);
            if alias == Demonitor {
                assert!(says(both, n).await && says(both, n).await);
            }
            if n % 2 == 0 {
                assert!(demonitor(both) && !demonitor(both));
            } else {
                exit_process(target, ExitReason::Kill);
                assert_eq!(down(both).await, ExitReason::Killed);
            }
            assert!(!says(both, n).await);
            assert!(!unalias(both));
            assert!(!demonitor(both));
        }

        // The first message ends both.
        let (target, both) = watched(ReplyDemonitor);
        assert!(says(both, n).await);
        assert!(!says(both, n).await);
        assert!(!demonitor(both) && !unalias(both));
        exit_process(target, ExitReason::Kill);
        assert_eq!(down(monitor(target)).await, ExitReason::Noproc);
        assert!(has_none::<Down>().await);

        // Taken back, it leaves the monitor.
        for alias in [ExplicitUnalias, Demonitor, ReplyDemonitor] {
            let (target, both) = watched(alias);
            assert!(unalias(both) && !unalias(both));
            assert!(!says(both, n).await);
            exit_process(target, ExitReason::Kill);
            assert_eq!(down(both).await, ExitReason::Killed);
        }
    }
    // A monitor that fires at once, and one of oneself.
    let (dead, watch) = spawn_monitor(async {});
    down(watch).await;
    for (alias, outlives) in [(ExplicitUnalias, true), (Demonitor, false), (ReplyDemonitor, false)]
    {
        let both = monitor_with(dead, MonitorOpts::new().alias(alias));
        assert_eq!(down(both).await, ExitReason::Noproc);
        assert_eq!(says(both, 1).await, outlives);
        let both = monitor_with(self_pid(), MonitorOpts::new().alias(alias));
        assert!(says(both, 2).await);

        // At spawn.
        let opts = SpawnOpts::new().monitor_with(MonitorOpts::new().alias(alias));
        let both = spawn_opt(opts, async {}).monitor.unwrap();
        assert_eq!(down(both).await, ExitReason::Normal);
        assert_eq!(says(both, 3).await, outlives);
        let opts = SpawnOpts::new().monitor_with(MonitorOpts::new().alias(alias));
        let child = spawn_opt(opts, async {
            let to: Reference = next().await;
            send(to, 4_u64);
            exit(text("after the answer"));
        });
        let both = child.monitor.unwrap();
        send(child.pid, both);
        assert_eq!(next::<u64>().await, 4);
        if alias != ReplyDemonitor {
            assert_eq!(down(both).await, text("after the answer"));
        }
        assert_eq!(down(monitor(child.pid)).await, ExitReason::Noproc);
        assert!(has_none::<Down>().await);
    }
}

/// The next message with a tag of this type, which is not a message without one.
async fn tagged<T: Message, M: Message>() -> (T, M) {
    let Tagged { tag, message } = next::<Tagged<T, M>>().await;
    assert!(has_none::<M>().await);
    (tag, message)
}

/// MON-13, SPAWN-5.
#[fika::test]
async fn monitor_tag() {
    let monitored = || MonitorOpts::new().tag("my tag".to_owned());
    for reason in [ExitReason::Normal, text("x")] {
        let ends = reason.clone();
        let target = spawn(async move {
            next::<()>().await;
            exit(ends);
        });
        register("target", target).unwrap();
        let plain = monitor(target);
        let other = monitor_with(target, MonitorOpts::new().tag((7_u64, self_pid())));
        let watches = [monitor_with(target, monitored()), monitor_with("target", monitored())];
        send(target, ());
        for watch in watches {
            let (tag, down): (String, Down) = receive! {
                for watch,
                Tagged::<String, Down> { tag, message } => (tag, message),
                after LIMIT => panic!("no Down"),
            };
            assert_eq!(
                (tag.as_str(), down.monitor, down.reason),
                ("my tag", watch, reason.clone())
            );
        }
        assert_eq!(down(plain).await, reason);
        let (tag, down) = tagged::<(u64, Pid), Down>().await;
        assert_eq!((tag, down.monitor), ((7, self_pid()), other));
    }
    // One that fires at once; one that is flushed; one at spawn; one that stays here.
    let (dead, watch) = spawn_monitor(async {});
    down(watch).await;
    let at_once = monitor_with(dead, monitored());
    let (_, seen) = tagged::<String, Down>().await;
    assert_eq!((seen.monitor, seen.reason), (at_once, ExitReason::Noproc));
    let flushed = monitor_with(dead, monitored());
    let kept = monitor_with(dead, monitored());
    assert_eq!(down(monitor(dead)).await, ExitReason::Noproc);
    assert!(!demonitor_flush(flushed));
    assert_eq!(tagged::<String, Down>().await.1.monitor, kept);
    let child = spawn_opt(SpawnOpts::new().monitor_with(monitored()), async { exit(text("y")) });
    let (_, seen) = tagged::<String, Down>().await;
    assert_eq!((Some(seen.monitor), seen.reason), (child.monitor, text("y")));
    let local = Arc::new(());
    let watch = monitor_with(spawn(serve()), MonitorOpts::new().tag(Local(local.clone())));
    assert_eq!(Arc::strong_count(&local), 2);
    assert!(demonitor(watch));
    assert_eq!(Arc::strong_count(&local), 1, "the tag goes with the monitor");
    assert!(has_none::<Tagged<String, Down>>().await);

    // Of a request, and of the monitor that was asked for.
    let opts = SpawnOpts::new().monitor_with(monitored()).reply_tag(5_u64);
    let request = spawn_request(opts, async { exit(text("z")) });
    let (tag, reply) = tagged::<u64, SpawnReply>().await;
    assert_eq!((tag, reply.reference), (5, request));
    let (_, seen) = tagged::<String, Down>().await;
    assert_eq!((seen.monitor, seen.reason), (request, text("z")));
}

/// Says who it is to this process, and ends when it is told to, or as those do that it is
/// linked to.
#[remote(name = "test::says_and_serves")]
async fn says_and_serves(to: Pid) {
    send(to, self_pid());
    receive! { reason: ExitReason => exit(reason) }
}

/// Ends at once.
#[remote(name = "test::ends_with")]
async fn ends_with(reason: ExitReason) {
    exit(reason);
}

/// Tells this process how it ends by a link.
#[remote(name = "test::tells_its_end")]
async fn tells_its_end(to: Pid, n: u64) {
    trap_exit(true);
    send(to, n);
    let Exit { reason, .. } = next().await;
    send(to, (n, reason));
}

/// A call of a function that no program has.
struct Unknown;

impl IntoFuture for Unknown {
    type Output = ();
    type IntoFuture = std::future::Ready<()>;

    fn into_future(self) -> Self::IntoFuture {
        std::future::ready(())
    }
}

impl fika::process::RemoteFn for Unknown {
    fn name(&self) -> &'static str {
        "test::no_such_function"
    }

    fn args(&self) -> Result<fika::message::Encoded, fika::message::EncodeError> {
        fika::message::Encoded::new(&())
    }
}

/// The answer to this request.
async fn reply_to(request: Reference) -> Result<Pid, SpawnError> {
    receive! {
        for request,
        SpawnReply { reference, result } if reference == request => result,
        after LIMIT => panic!("no answer"),
    }
}

/// All kinds of requests to this node, which may be the own one.
async fn requests_are_answered(node: &str) {
    trap_exit(true);
    let me = self_pid();
    let plain = SpawnOpts::new;
    let request = |opts: RequestOpts| spawn_request_on(node, opts, says_and_serves(me));
    let fails = |opts: RequestOpts| spawn_request_on(node, opts, Unknown);
    let is_remote = self_node().name().as_str() != node;

    // The answer, and the process.
    let asked = request(plain().into());
    let child = reply_to(asked).await.expect("there is room");
    assert_eq!(next::<Pid>().await, child);
    assert_eq!(child.node().name().as_str(), node);
    send(child, ExitReason::Normal);
    if is_remote {
        assert_eq!(reply_to(fails(plain().into())).await, Err(SpawnError::Notsup));
    }
    // With a tag in place of the answer without one.
    let asked = request(plain().reply_tag("my tag".to_owned()));
    let (tag, reply) = tagged::<String, SpawnReply>().await;
    assert_eq!((tag.as_str(), reply.reference), ("my tag", asked));
    assert_eq!(reply.result, Ok(next::<Pid>().await));

    // Which answers come.
    for (on, of_success, of_error) in [
        (ReplyOn::Any, true, true),
        (ReplyOn::Nothing, false, false),
        (ReplyOn::Success, true, false),
        (ReplyOn::Error, false, true),
    ] {
        let asked = request(plain().monitor().reply(on));
        let child: Pid = next().await;
        let answer = || async {
            receive! { reply: SpawnReply => Some(reply), after Duration::ZERO => None }
        };
        // It would have come before what the child said.
        let reply = answer().await;
        assert_eq!(reply, of_success.then_some(SpawnReply { reference: asked, result: Ok(child) }));
        send(child, text("end"));
        assert_eq!(down(asked).await, text("end"));
        if is_remote {
            let asked = fails(plain().reply(on));
            // What comes after it is there.
            assert_eq!(reply_to(fails(plain().into())).await, Err(SpawnError::Notsup));
            let result = Err(SpawnError::Notsup);
            let reply = answer().await;
            assert_eq!(reply, of_error.then_some(SpawnReply { reference: asked, result }));
        }
    }

    // With a link, and with a monitor, or with none of them.
    for n in 0..8 {
        let (has_link, has_monitor, fails) = (n & 1 != 0, n & 2 != 0, n & 4 != 0 && is_remote);
        let opts = if has_link { plain().link() } else { plain() };
        let opts = if has_monitor { opts.monitor() } else { opts };
        if fails {
            let asked = spawn_request_on(node, opts, Unknown);
            assert_eq!(reply_to(asked).await, Err(SpawnError::Notsup));
            // No Exit and no Down: there was no child that could end.
            assert!(!demonitor(asked));
        } else {
            let asked = spawn_request_on(node, opts, says_and_serves(me));
            let child = reply_to(asked).await.unwrap();
            assert_eq!(next::<Pid>().await, child);
            send(child, text("end"));
            if has_monitor {
                assert_eq!(down(asked).await, text("end"));
            }
            if has_link {
                assert_eq!(exit_from(child).await, text("end"));
            }
            let late = down(monitor(child)).await;
            assert!([text("end"), ExitReason::Noproc].contains(&late), "{late}");
        }
        assert!(has_none::<Exit>().await && has_none::<Down>().await);
    }

    // The monitor's alias, of any kind, ends with a request that fails.
    for (alias, outlives) in
        [(MonitorAlias::ExplicitUnalias, true), (MonitorAlias::ReplyDemonitor, false)]
    {
        let opts = || plain().monitor_with(MonitorOpts::new().alias(alias));
        let asked = request(opts().into());
        // It can be used at once.
        send(asked, 1_u64);
        assert_eq!(next::<u64>().await, 1);
        let child = reply_to(asked).await.unwrap();
        assert_eq!(next::<Pid>().await, child);
        let watch = monitor(child);
        send(child, text("end"));
        assert_eq!(down(watch).await, text("end"));
        if outlives {
            assert_eq!(down(asked).await, text("end"));
            assert!(unalias(asked));
        }
        assert!(has_none::<Down>().await, "the reply ended the monitor");
        if is_remote {
            let asked = fails(opts().into());
            assert_eq!(reply_to(asked).await, Err(SpawnError::Notsup));
            send(asked, 2_u64);
            assert!(has_none::<u64>().await && !unalias(asked), "{alias:?}");
        }
    }
}

/// SPAWN-3, SPAWN-4, SPAWN-5, SPAWN-6, SPAWN-9, ALIAS-9.
#[test]
fn spawn_request_bif() {
    let place = Place::new();
    let _there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        requests_are_answered(&place.name("here")).await;
        requests_are_answered(&place.name("there")).await;
        // To a node that can't be reached.
        let nowhere = place.name("nowhere");
        let me = self_pid();
        for opts in [SpawnOpts::new(), SpawnOpts::new().link().monitor()] {
            let asked = spawn_request_on(&nowhere, opts, says_and_serves(me));
            assert_eq!(reply_to(asked).await, Err(SpawnError::Noconnection));
        }
        let asked = spawn_request_on(&nowhere, SpawnOpts::new().reply_tag(7_u64), Unknown);
        assert_eq!(tagged::<u64, SpawnReply>().await.1.reference, asked);
        assert!(has_none::<Exit>().await && has_none::<Down>().await);
        // A request on this node needs no remote function.
        let asked = spawn_request(SpawnOpts::new(), async move { send(me, self_pid()) });
        assert_eq!(reply_to(asked).await, Ok(next::<Pid>().await));
        // What is no node, and what can't travel.
        for node in ["no node", ""] {
            let end = end_of(async move {
                spawn_request_on(node, SpawnOpts::new(), ends_with(ExitReason::Normal));
            });
            assert!(matches!(end.await, ExitReason::Badarg(_)));
        }
    });
    // A node that is full, and one that is not distributed.
    let full = Node::builder().workers(1).process_limit(1).build().unwrap();
    full.block_on(async {
        let opts = || SpawnOpts::new().link().monitor();
        let asked = spawn_request(opts(), async {});
        assert_eq!(reply_to(asked).await, Err(SpawnError::SystemLimit));
        let asked = spawn_request_on("a@127.0.0.1", opts(), ends_with(ExitReason::Normal));
        assert_eq!(reply_to(asked).await, Err(SpawnError::Noconnection));
        assert!(has_none::<Down>().await);
    });
    full.stop();
}

/// The answers of many requests whose children end at once, here and there. `end` waits for
/// what follows the answer.
fn answers_come_first<F, E>(opts: fn() -> SpawnOpts, end: F)
where
    F: Fn(Reference, Pid) -> E + Send + 'static,
    E: Future<Output = ExitReason> + Send,
{
    let place = Place::new();
    let there = place.node("there");
    let here = place.node("here");
    here.block_on(async move {
        trap_exit(true);
        for name in [place.name("here"), place.name("there")] {
            for n in 0..1000_u64 {
                let reason = ExitReason::term(n);
                let asked = spawn_request_on(&name, opts(), ends_with(reason.clone()));
                // Whatever comes first is the answer.
                let result = receive! {
                    SpawnReply { reference, result } if reference == asked => result,
                    _: Down => panic!("the Down came first"),
                    _: Exit => panic!("the Exit came first"),
                    after LIMIT => panic!("no answer"),
                };
                let child = result.unwrap();
                assert_eq!(end(asked, child).await, reason);
            }
        }
        assert!(has_none::<Exit>().await && has_none::<Down>().await);
    });
    drop(there);
}

/// SPAWN-6.
#[test]
fn spawn_request_monitor_child_exit() {
    answers_come_first(|| SpawnOpts::new().monitor(), |asked, _| down(asked));
}

/// SPAWN-6, SPAWN-7.
#[test]
fn spawn_request_link_child_exit() {
    answers_come_first(|| SpawnOpts::new().link(), |_, child| exit_from(child));
}

/// How the child number `n` says that it has ended. None if the signal came before the child
/// was ready to trap it, which a machine with much to do may bring about.
async fn end_told(n: u64) -> Option<ExitReason> {
    receive! {
        (m, reason): (u64, ExitReason) if m == n => Some(reason),
        after secs(1) => None,
    }
}

/// Many of them, and all the same.
fn assert_told(told: &[Option<ExitReason>], expected: &ExitReason) {
    assert!(told.iter().flatten().all(|reason| reason == expected), "{told:?}");
    assert!(told.iter().flatten().count() * 3 >= told.len(), "{told:?}");
}

/// SPAWN-7, EXIT-15: a parent ends while its requests are under way.
#[test]
fn spawn_request_link_parent_exit_compound_reason() {
    const ROUNDS: u64 = 30;
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let compound =
            || ExitReason::term((vec!["a".to_owned(); 3], 7_u64, (0..99).collect::<Vec<u64>>()));
        let test = self_pid();
        let name = place.name("there");
        // The answer has come, or is on its way, and is not received.
        for n in 0..ROUNDS {
            let node = if n % 5 == 0 { place.name("here") } else { name.clone() };
            let go = Arc::new(AtomicBool::new(false));
            let gone = go.clone();
            let parent = spawn(async move {
                spawn_request_on(&node, SpawnOpts::new().link(), tells_its_end(test, n));
                while !gone.load(Ordering::SeqCst) {
                    std::hint::spin_loop();
                }
                exit(compound());
            });
            let watch = monitor(parent);
            // The child is there, and traps exits.
            assert_eq!(next::<u64>().await, n);
            go.store(true, Ordering::SeqCst);
            assert_eq!(down(watch).await, compound());
            assert_eq!(next::<(u64, ExitReason)>().await, (n, compound()));
        }
        // The answer can't have come.
        let mut told = Vec::new();
        for n in 0..ROUNDS {
            let node = name.clone();
            there.freeze();
            let end = end_of(async move {
                spawn_request_on(&node, SpawnOpts::new().link(), tells_its_end(test, n));
                // This one has no link, and nobody ends it.
                spawn_request_on(&node, SpawnOpts::new(), tells_its_end(test, n + ROUNDS));
                exit(compound());
            });
            assert_eq!(end.await, compound());
            there.thaw();
            told.push(end_told(n).await);
            while next::<u64>().await != n + ROUNDS {}
        }
        assert_told(&told, &compound());
        receive! {
            (n, reason): (u64, ExitReason) if n >= ROUNDS => panic!("{n} has no link: {reason}"),
            after Duration::ZERO => {}
        }
    });
}

/// SPAWN-8.
#[test]
fn spawn_request_abandon_bif() {
    const ROUNDS: u64 = 10;
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let test = self_pid();
        let (name, plain) = (place.name("there"), SpawnOpts::new);
        // What can't be given up: an answered request, one of another process, what is none.
        for node in [place.name("here"), name.clone()] {
            let asked = spawn_request_on(&node, plain().monitor(), says_and_serves(test));
            let others = end_of(async move { assert!(!spawn_request_abandon(asked)) });
            assert_eq!(others.await, ExitReason::Normal);
            let child = reply_to(asked).await.unwrap();
            assert_eq!(next::<Pid>().await, child);
            assert!(!spawn_request_abandon(asked));
            send(child, text("end"));
            assert_eq!(down(asked).await, text("end"), "the monitor is still there");
        }
        assert!(!spawn_request_abandon(make_ref()));
        let asked = spawn_request(plain(), async {});
        assert!(!spawn_request_abandon(asked), "one on this node is answered at once");
        assert!(reply_to(asked).await.is_ok());

        let mut told = Vec::new();
        for n in (0..).step_by(4).take(ROUNDS as usize) {
            there.freeze();
            let opts = plain()
                .link()
                .monitor_with(MonitorOpts::new().tag(1_u64).alias(MonitorAlias::Demonitor));
            let linked = spawn_request_on(&name, opts, tells_its_end(test, n));
            let watched = spawn_request_on(&name, plain().monitor(), says_and_serves(test));
            let kept = spawn_request_on(&name, plain().monitor(), tells_its_end(test, n + 1));
            for asked in [linked, watched] {
                assert!(spawn_request_abandon(asked) && !spawn_request_abandon(asked));
                assert!(!demonitor(asked), "no monitor is to come");
            }
            send(linked, "by an alias that has ended".to_owned());
            // Taken back, the monitor does not come, but the answer does.
            assert!(demonitor(kept) && !demonitor(kept));
            // Given up by one that ends then.
            let node = name.clone();
            let end = end_of(async move {
                let opts = SpawnOpts::new().link();
                let asked = spawn_request_on(&node, opts, tells_its_end(test, n + 2));
                assert!(spawn_request_abandon(asked));
                exit(text("another reason"));
            });
            assert_eq!(end.await, text("another reason"));
            // Given up by dropping the future.
            let opts = tells_its_end(test, n + 3);
            let waits = timeout(Duration::ZERO, spawn_link_on(&name, opts)).await;
            assert!(waits.is_err(), "nobody answers");
            there.thaw();
            assert!(reply_to(kept).await.is_ok());
            for n in [n, n + 2, n + 3] {
                told.push(end_told(n).await);
            }
            // Nobody ends the one without a link, nor sees its end.
            let child: Pid = next().await;
            let watch = monitor(child);
            send(child, text("end"));
            assert_eq!(down(watch).await, text("end"));
            assert!(has_none::<SpawnReply>().await && has_none::<Down>().await);
            assert!(has_none::<Tagged<u64, Down>>().await && has_none::<Exit>().await);
            assert!(has_none::<String>().await);
        }
        assert_told(&told, &ExitReason::Abandoned);
        receive! {
            (n, reason): (u64, ExitReason) if n % 4 == 1 => panic!("{n} has no link: {reason}"),
            after Duration::ZERO => {}
        }
    });
}

/// MON-15, SPAWN-2, SPAWN-7.
#[test]
fn dist_spawn_monitor() {
    let place = Place::new();
    let mut there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        trap_exit(true);
        let name = place.name("there");
        for n in 0..300_u64 {
            let reason = ExitReason::term(n);
            let (child, watch) = spawn_monitor_on(&name, ends_with(reason.clone())).await;
            assert_eq!(child.node().name().as_str(), name);
            assert_eq!(down(watch).await, reason);
            let opts = SpawnOpts::new()
                .link()
                .monitor_with(MonitorOpts::new().tag(n).alias(MonitorAlias::Demonitor));
            let both = spawn_opt_on(&name, opts, ends_with(reason.clone())).await;
            let (tag, down) = tagged::<u64, Down>().await;
            assert_eq!((tag, Some(down.monitor), down.reason), (n, both.monitor, reason.clone()));
            assert_eq!(exit_from(both.pid).await, reason);
        }
        // The node goes while a child lives, while a request is under way, and before one.
        let (_, lives) = spawn_monitor_on(&name, says_and_serves(self_pid())).await;
        next::<Pid>().await;
        there.freeze();
        let opts = || SpawnOpts::new().link().monitor();
        let asked = spawn_request_on(&name, opts(), ends_with(ExitReason::Normal));
        there.kill();
        assert_eq!(down(lives).await, ExitReason::Noconnection);
        assert_eq!(reply_to(asked).await, Err(SpawnError::Noconnection));
        let opts = opts().monitor_with(MonitorOpts::new().tag("gone".to_owned()));
        let never = spawn_opt_on(&name, opts, ends_with(ExitReason::Normal)).await;
        let (_, down) = tagged::<String, Down>().await;
        assert_eq!(down.reason, ExitReason::Noconnection);
        assert_eq!((Some(down.monitor), down.object), (never.monitor, Object::Pid(never.pid)));
        assert_eq!(exit_from(never.pid).await, ExitReason::Noconnection);
        assert!(has_none::<Exit>().await && has_none::<Down>().await);
        assert!(has_none::<SpawnReply>().await);
    });
}

/// The turns of two processes that yield after each step, on this many workers.
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

/// PROC-12: with one worker the turns alternate. A worker that the operating system holds up
/// for long is taken for a stuck one and gets help, which may be seen under load.
#[fika::test(workers = 1)]
async fn r#yield() {
    const STEPS: usize = 20_000;
    let turns = turns_of_two(STEPS).await;
    let both = turns.iter().rposition(|n| *n != turns[2 * STEPS - 1]).expect("both ran");
    let changes = turns[..both].windows(2).filter(|pair| pair[0] != pair[1]).count();
    // One that runs on though it yields makes two changes at the most.
    assert!(changes > both / 20, "{changes} changes in {both} turns of two");
}

/// PROC-12: nobody is starved, however many workers there are.
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
    // Time is what is shared here.
    sleep(millis(100)).await;
    for child in counts {
        send(child, self_pid());
        let count: u64 = next().await;
        assert!(count >= 20, "{count} turns in 100 ms");
    }
}

/// REG-1: each error changes nothing.
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

/// PROC-6, REG-2: what a process owned is free when its name is. A listening socket stands
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

// What can be known of processes; the cases are of this suite, and so of this module.
include!("process_info.rs");

// Spawning with nodes of other releases; the cases are of this suite, too.
include!("process_releases.rs");
include!("process_flags.rs");

/// FLAG-3: a node's limit is that of all its processes, but for those that have another.
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

/// Sends so many bytes by this alias, and then says so by its owner's pid.
#[remote(name = "process::sends_by_alias")]
async fn sends_by_alias(alias: Reference, owner: Pid) {
    for size in [0, 1000, 20_000, 65_536, 65_537, 3_000_000] {
        send(alias, vec![7_u8; size]);
    }
    send(owner, ());
}

/// ALIAS-11, BUSY-7: messages in pieces by an alias arrive whole and in order, and none when it is
/// not active any more.
#[test]
fn dist_frag_alias() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        for active in [true, false] {
            let alias = alias();
            if !active {
                unalias(alias);
            }
            spawn_on(place.name("there"), sends_by_alias(alias, self_pid())).await;
            if active {
                for size in [0, 1000, 20_000, 65_536, 65_537, 3_000_000] {
                    assert_eq!(next!(Vec<u8>), vec![7_u8; size]);
                }
            }
            next!(());
            none!(Vec<u8>);
        }
    });
    drop(there);
}
