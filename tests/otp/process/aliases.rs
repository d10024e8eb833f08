//! Cases of `process_SUITE` about aliases and tags.

use super::super::*;
use fika::message::{AliasOpts, Local, alias, alias_with, make_ref, unalias};
use fika::process::{
    MonitorAlias, MonitorOpts, SpawnOpts, demonitor_flush, monitor_with, spawn_opt, spawn_request,
};

/// Sends each number to its destination, and confirms on request.
async fn sender() {
    loop {
        receive! {
            (to, n): (Reference, u64) => send(to, n),
            (to, n): (Pid, u64) => send(to, n),
            from: Pid => send(from, ()),
        }
    }
}

/// ALIAS-1, ALIAS-2, ALIAS-3, ALIAS-4: an alias works until its owner removes it or until its first
/// message, and no longer than its owner.
#[fika::test]
async fn alias_bif() {
    let other = spawn(sender());
    // This alias works until `unalias`.
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

    // A message in the mailbox stays. A message in flight is dropped.
    let active = alias_with(AliasOpts::new());
    send(active, 1_u64);
    assert!(has_none::<()>().await, "the message has been received");
    send(active, 2_u64);
    assert!(unalias(active));
    send(active, 3_u64);
    assert_eq!(next::<u64>().await, 1);
    assert!(has_none::<u64>().await);

    // These aliases work for one message.
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

    // No other process can end an alias, and a reference that is not an alias does not become one.
    let active = alias();
    let not_theirs = end_of(async move { assert!(!unalias(active)) });
    assert_eq!(not_theirs.await, ExitReason::Normal);
    send(other, (active, 4_u64));
    assert_eq!(next::<u64>().await, 4);
    let plain = make_ref();
    assert!(!unalias(plain) && !unalias(monitor(other)));
    send(plain, 5_u64);
    assert!(has_none::<u64>().await);

    // An alias of a dead process reaches no process, even if another process has its slot.
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

/// Returns a process that ends on request, and a monitor of it with this alias.
fn watched(alias: MonitorAlias) -> (Pid, Reference) {
    let target = spawn(serve());
    (target, monitor_with(target, MonitorOpts::new().alias(alias)))
}

/// ALIAS-5, ALIAS-6, ALIAS-7, ALIAS-8, ALIAS-9: a monitor's alias ends as its option says.
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
        // An `ExplicitUnalias` alias outlives the monitor.
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

        // These aliases end with the monitor.
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

        // The first message ends the alias and the monitor.
        let (target, both) = watched(ReplyDemonitor);
        assert!(says(both, n).await);
        assert!(!says(both, n).await);
        assert!(!demonitor(both) && !unalias(both));
        exit_process(target, ExitReason::Kill);
        assert_eq!(down(monitor(target)).await, ExitReason::Noproc);
        assert!(has_none::<Down>().await);

        // An `unalias` leaves the monitor active.
        for alias in [ExplicitUnalias, Demonitor, ReplyDemonitor] {
            let (target, both) = watched(alias);
            assert!(unalias(both) && !unalias(both));
            assert!(!says(both, n).await);
            exit_process(target, ExitReason::Kill);
            assert_eq!(down(both).await, ExitReason::Killed);
        }
    }
    // The monitors are of a dead process, and of the process itself.
    let (dead, watch) = spawn_monitor(async {});
    down(watch).await;
    for (alias, outlives) in [(ExplicitUnalias, true), (Demonitor, false), (ReplyDemonitor, false)]
    {
        let both = monitor_with(dead, MonitorOpts::new().alias(alias));
        assert_eq!(down(both).await, ExitReason::Noproc);
        assert_eq!(says(both, 1).await, outlives);
        let both = monitor_with(self_pid(), MonitorOpts::new().alias(alias));
        assert!(says(both, 2).await);

        // The monitor is made at spawn.
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

/// MON-13, SPAWN-5: a monitor's tag is part of its Down, and a request's tag is part of its answer.
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
    // Monitors that fire at once, are flushed, are made at spawn, or have a tag that stays on this
    // node.
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

    // The request and its monitor each have a tag.
    let opts = SpawnOpts::new().monitor_with(monitored()).reply_tag(5_u64);
    let request = spawn_request(opts, async { exit(text("z")) });
    let (tag, reply) = tagged::<u64, SpawnReply>().await;
    assert_eq!((tag, reply.reference), (5, request));
    let (_, seen) = tagged::<String, Down>().await;
    assert_eq!((seen.monitor, seen.reason), (request, text("z")));
}

/// Sends messages of several sizes by this alias, and reports the end by its owner's pid.
#[remote(name = "process::sends_by_alias")]
async fn sends_by_alias(alias: Reference, owner: Pid) {
    for size in [0, 1000, 20_000, 65_536, 65_537, 3_000_000] {
        send(alias, vec![7_u8; size]);
    }
    send(owner, ());
}

/// ALIAS-11, BUSY-7: messages in pieces by an alias arrive whole and in order. None arrives after
/// the alias has ended.
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
