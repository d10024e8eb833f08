//! Every setting of a node at its extremes: it is refused with an error that names it, or it works.
#![deny(warnings)]

use crate::support;

use std::time::Duration;

use clap::Parser as _;
use fika::inspect::Status;
use fika::message::MailboxLimit;
use fika::net::{SettingError, SocketOptions, ping, set_net_ticktime, start_distribution};
use fika::node::{NodeArgs, NodeBuilder};
use fika::prelude::*;
use fika::process::yield_now;
use fika::time::cancel_timer;
use support::{COOKIE, LIMIT, Place, TestNode};

use Outcome::{Connects, Refused, Starts};

#[derive(Clone, Copy)]
enum Outcome {
    /// The node starts, and connects to another one.
    Connects,
    /// The node starts, but it might be too slow to connect.
    Starts,
    /// The node does not start, and the error contains this text.
    Refused(&'static str),
}

type Case = (&'static str, fn(NodeBuilder) -> NodeBuilder, Outcome);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const NS: Duration = Duration::from_nanos(1);

#[allow(clippy::reversed_empty_ranges, reason = "one that is refused")]
const CASES: &[Case] = &[
    ("workers 0", |b| b.workers(0), Refused("`workers`")),
    ("workers 1", |b| b.workers(1), Connects),
    ("workers 1025", |b| b.workers(1025), Refused("`workers`")),
    ("workers MAX", |b| b.workers(usize::MAX), Refused("`workers`")),
    ("process_limit 0", |b| b.process_limit(0), Refused("`process_limit`")),
    ("process_limit 1", |b| b.process_limit(1), Connects),
    ("process_limit most", |b| b.process_limit(134_217_727), Connects),
    ("process_limit more", |b| b.process_limit(134_217_728), Refused("`process_limit`")),
    ("process_limit MAX", |b| b.process_limit(usize::MAX), Refused("`process_limit`")),
    ("mailbox_limit 0", |b| b.mailbox_limit(MailboxLimit::messages(0)), Starts),
    ("mailbox_limit 1", |b| b.mailbox_limit(MailboxLimit::messages(1)), Starts),
    ("mailbox_limit MAX", |b| b.mailbox_limit(MailboxLimit::messages(usize::MAX)), Connects),
    ("mailbox_limit most", |b| b.mailbox_limit(MailboxLimit::messages(usize::MAX - 1)), Connects),
    ("async_dist", |b| b.async_dist(true), Connects),
    ("name empty", |b| b.name(""), Refused("node name")),
    ("name nonode@nohost", |b| b.name("nonode@nohost"), Refused("`nonode@nohost`")),
    (
        "name of 481 bytes",
        |b| b.name(format!("{}@{}", "ö".repeat(100), "ö".repeat(140))),
        Refused("480 bytes"),
    ),
    (
        "name of 256 characters",
        |b| b.name(format!("{}@b", "a".repeat(254))),
        Refused("255 characters"),
    ),
    ("cookie empty", |b| b.cookie(""), Refused("cookie")),
    ("cookie of a byte", |b| b.cookie("x"), Refused("cookie")),
    ("cookie of a byte, allowed", |b| b.cookie("x").allow_weak_cookie(true), Starts),
    ("cookie of a MiB", |b| b.cookie("x".repeat(1 << 20)), Starts),
    ("cookie_for nobody", |b| b.cookie_for("nobody", COOKIE), Refused("`nobody`")),
    ("cookie_for, empty", |b| b.cookie_for("a@b", ""), Refused("cookie")),
    ("cluster_id of a MiB", |b| b.cluster_id("x".repeat(1 << 20)), Starts),
    ("allow nobody", |b| b.allow([""]), Starts),
    ("listen_ports of none", |b| b.listen_ports(1..=0), Refused("`listen_ports`")),
    ("listen_ports from 0", |b| b.listen_ports(0..=u16::MAX), Refused("`listen_ports`")),
    ("listen_ports of all", |b| b.listen_ports(1..=u16::MAX), Connects),
    ("listen_ports of the last", |b| b.listen_ports(u16::MAX..=u16::MAX), Connects),
    ("epmd_port 0", |b| b.epmd_port(0), Refused("`epmd_port`")),
    ("epmd_port MAX", |b| b.epmd_port(u16::MAX), Starts),
    ("net_ticktime 0", |b| b.net_ticktime(Duration::ZERO), Refused("`net_ticktime`")),
    ("net_ticktime 1 ns", |b| b.net_ticktime(NS), Refused("`net_ticktime`")),
    ("net_ticktime 1 ms", |b| b.net_ticktime(millis(1)), Starts),
    ("net_ticktime most", |b| b.net_ticktime(365 * DAY), Connects),
    ("net_ticktime more", |b| b.net_ticktime(365 * DAY + NS), Refused("`net_ticktime`")),
    ("net_ticktime MAX", |b| b.net_ticktime(Duration::MAX), Refused("`net_ticktime`")),
    ("net_tickintensity 0", |b| b.net_tickintensity(0), Refused("`net_tickintensity`")),
    ("net_tickintensity 1", |b| b.net_tickintensity(1), Refused("`net_tickintensity`")),
    ("net_tickintensity least", |b| b.net_tickintensity(4), Connects),
    ("net_tickintensity most", |b| b.net_tickintensity(1000), Connects),
    ("net_tickintensity MAX", |b| b.net_tickintensity(u32::MAX), Refused("`net_tickintensity`")),
    ("message_bytes_max 0", |b| b.message_bytes_max(0), Refused("`message_bytes_max`")),
    ("message_bytes_max 1", |b| b.message_bytes_max(1), Refused("`message_bytes_max`")),
    ("message_bytes_max least", |b| b.message_bytes_max(4 << 10), Connects),
    ("message_bytes_max most", |b| b.message_bytes_max(2 << 30), Connects),
    ("message_bytes_max MAX", |b| b.message_bytes_max(usize::MAX), Refused("`message_bytes_max`")),
    ("output_bytes 0", |b| b.output_bytes(0, 0), Refused("`output_bytes`")),
    ("output_bytes 1", |b| b.output_bytes(1, 1), Refused("`output_bytes`")),
    ("output_bytes least", |b| b.output_bytes(0, 64 << 10), Connects),
    ("output_bytes most", |b| b.output_bytes(1 << 30, 1 << 30), Connects),
    ("output_bytes crossed", |b| b.output_bytes(1 << 20, 1 << 19), Refused("`output_bytes`")),
    ("output_bytes MAX", |b| b.output_bytes(usize::MAX, usize::MAX), Refused("`output_bytes`")),
    ("net_setuptime 0", |b| b.net_setuptime(Duration::ZERO), Refused("`net_setuptime`")),
    ("net_setuptime 1 ms", |b| b.net_setuptime(millis(1)), Starts),
    ("net_setuptime most", |b| b.net_setuptime(365 * DAY), Connects),
    ("net_setuptime MAX", |b| b.net_setuptime(Duration::MAX), Refused("`net_setuptime`")),
    ("handshake_time 0", |b| b.handshake_time(Duration::ZERO), Refused("`handshake_time`")),
    ("handshake_time 1 ms", |b| b.handshake_time(millis(1)), Starts),
    ("handshake_time most", |b| b.handshake_time(365 * DAY), Connects),
    ("handshake_time MAX", |b| b.handshake_time(Duration::MAX), Refused("`handshake_time`")),
    ("socket buffers 0", |b| b.socket_options(buffers(0)), Connects),
    ("socket buffers 1", |b| b.socket_options(buffers(1)), Connects),
    ("socket buffers MAX", |b| b.socket_options(buffers(usize::MAX)), Connects),
];

const fn buffers(bytes: usize) -> SocketOptions {
    let (nodelay, keepalive) = (None, None);
    SocketOptions { nodelay, keepalive, send_buffer: Some(bytes), recv_buffer: Some(bytes) }
}

fn pings(from: &TestNode, name: String) -> bool {
    from.block_on(async move { ping(name).await == fika::net::Ping::Pong })
}

fn check(place: Place, what: &str, builder: NodeBuilder, outcome: Outcome) {
    match (builder.build(), outcome) {
        (Err(error), Refused(text)) => {
            assert!(error.to_string().contains(text), "{what}: {error}");
        }
        (Ok(node), Starts | Connects) => {
            assert!(node.is_distributed(), "{what}");
            if let Connects = outcome {
                let name = place.name("other");
                let pong = node.block_on(async move { ping(name).await == fika::net::Ping::Pong });
                assert!(pong, "{what}");
            }
            assert!(node.stop(), "{what}");
        }
        (Ok(_), Refused(_)) => panic!("{what}: it is not refused"),
        (Err(error), _) => panic!("{what}: {error}"),
    }
}

#[test]
fn settings_of_the_builder() {
    let place = Place::new();
    let other = place.node("other");
    for (what, set, outcome) in CASES {
        check(place, what, set(place.builder("node")), *outcome);
    }
    // The other node still works.
    assert!(pings(&other, place.name("other")));
}

/// Options of a command line are refused like the settings of a builder.
#[test]
fn settings_of_the_command_line() {
    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        node: NodeArgs,
    }
    let place = Place::new();
    let _other = place.node("other");
    let most = u64::MAX.to_string();
    let cases: &[(&str, &str, Outcome)] = &[
        ("--net-ticktime", "0.0000001", Refused("`net_ticktime`")),
        ("--net-ticktime", "31536000", Connects),
        ("--net-ticktime", &most[..19], Refused("`net_ticktime`")),
        ("--net-setuptime", "0.0000001", Refused("`net_setuptime`")),
        ("--net-setuptime", &most[..19], Refused("`net_setuptime`")),
        ("--mailbox-limit", "0", Starts),
        ("--mailbox-limit", &most, Connects),
        ("--send-buffer", "0", Connects),
        ("--recv-buffer", &most, Connects),
        ("--epmd-port", "0", Refused("`epmd_port`")),
        ("--sname", "nonode@nohost", Refused("`nonode@nohost`")),
    ];
    for (option, value, outcome) in cases {
        let (name, port) = (place.name("node"), place.mapper.to_string());
        let mut arguments = vec!["program"];
        for (other, value) in [("--name", &name), ("--epmd-port", &port)] {
            if other != *option && !(other == "--name" && *option == "--sname") {
                arguments.extend([other, value]);
            }
        }
        arguments.extend([*option, value]);
        let cli = Cli::try_parse_from(arguments).unwrap_or_else(|error| panic!("{error}"));
        let what = format!("{option} {value}");
        check(place, &what, cli.node.builder().cookie(COOKIE).workers(2), *outcome);
    }
}

/// Extreme settings are refused, or work, when they are changed while the node runs.
#[test]
fn settings_of_a_running_node() {
    let place = Place::new();
    let (node, other) = (place.node("node"), place.node("other"));
    node.block_on(async move {
        for (time, transition) in [
            (Duration::ZERO, Duration::ZERO),
            (Duration::MAX, Duration::ZERO),
            (NS, secs(1)),
            (365 * DAY + NS, secs(1)),
            (secs(1), Duration::MAX),
        ] {
            let error = set_net_ticktime(time, transition).await.unwrap_err();
            assert!(matches!(error, SettingError::Range(_)), "{time:?}, {transition:?}: {error}");
        }
        set_net_ticktime(365 * DAY, 365 * DAY).await.unwrap();
        assert_eq!(ping(place.name("other")).await, fika::net::Ping::Pong);
        for bytes in [0, 1, usize::MAX] {
            fika::net::setopts(place.name("other"), buffers(bytes)).unwrap();
        }
        // No node can be reached under these names.
        let long = format!("{}@{}", "ö".repeat(100), "ö".repeat(140));
        for name in [long.as_str(), "nonode@nohost"] {
            assert_eq!(ping(name).await, fika::net::Ping::Pang, "{name}");
        }
        assert_eq!(ping(place.name("other")).await, fika::net::Ping::Pong, "net_kernel lives");
    });
    let nameless = Node::builder().build().unwrap();
    nameless.block_on(async {
        let error = start_distribution("nonode@nohost").await.unwrap_err();
        assert!(error.to_string().contains("`nonode@nohost`"), "{error}");
    });
    assert!(nameless.stop());
    drop(other);
}

/// Every function that takes a time accepts extreme times.
#[test]
fn extreme_times() {
    let node = Node::builder().workers(2).build().unwrap();
    node.block_on(async {
        let me = self_pid();
        for time in [Duration::MAX, 100 * 366 * DAY, 100 * 366 * DAY + NS] {
            let waiting = [
                spawn(sleep(time)),
                spawn(async move { _ = timeout(time, std::future::pending::<()>()).await }),
                spawn(async move {
                    receive! { (): () => {}, after time => {} }
                }),
            ];
            // Each process has begun to wait before it is killed.
            for pid in waiting {
                while fika::inspect::process_info(pid, &[fika::inspect::Item::Status]).await
                    != Some(vec![fika::inspect::InfoItem::Status(Status::Waiting)])
                {
                    yield_now().await;
                }
                let end = monitor(pid);
                exit_process(pid, ExitReason::Kill);
                assert_eq!(support::down(end).await, ExitReason::Killed);
            }
            // A time that is too far away is refused with an error.
            let (_, end) = spawn_monitor(async move {
                let timer = send_after(time, me, 7_u64);
                assert!(cancel_timer(timer).is_some());
            });
            let reason = support::down(end).await;
            let is_most = time == 100 * 366 * DAY;
            assert!(
                matches!(reason, ExitReason::Badarg(_)) != is_most
                    && (reason == ExitReason::Normal) == is_most,
                "{time:?}: {reason}"
            );
        }
        // The timers of others are not affected.
        timeout(LIMIT, sleep(millis(1))).await.unwrap();
    });
    assert!(node.stop());
}

/// Each value is read in a separate program, since the environment belongs to the whole program.
#[test]
fn the_environment_names_the_port_mapper() {
    let place = Place::new();
    for value in ["", "0", "65536", "-1", "epmd", "4369 ", "\u{fffd}"] {
        let log = place.os("node").without("FIKA_TEST_MAPPER").env("ERL_EPMD_PORT", value);
        let Err(log) = log.try_start() else { panic!("`{value}` is not refused") };
        assert!(log.contains(&format!("ERL_EPMD_PORT is `{value}`")), "{log}");
        // A node that is given another port does not read the variable.
        place.os("node").env("ERL_EPMD_PORT", value).start().stop();
    }
    let mut os = place.os("node").without("FIKA_TEST_MAPPER");
    os = os.env("ERL_EPMD_PORT", &place.mapper.to_string());
    let node = os.start();
    assert_eq!(place.names().len(), 1);
    node.stop();
}
