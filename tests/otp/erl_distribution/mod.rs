//! `erl_distribution_SUITE`: names, cookies, ticks, and the messages about nodes.

// The path of a case ends with its suite and its name. So the inner module has the name of the
// suite.
#[path = "."]
mod names {
    #[path = "names.rs"]
    mod erl_distribution;
}

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc;
use std::time::Duration;

use fika::net::{
    NodeDownReason, NodeKind, Ping as PingAnswer, disconnect_node, monitor_nodes, monitor_nodes_of,
    ping,
};
use fika::node::NodeName;
use fika::prelude::*;
use fika::process::{SpawnError, spawn_link_on, try_spawn_on, yield_now};

use crate::support::peer::{Hello, Peer, framed};
use crate::support::transport::{Way, Wrapped};
use crate::support::{
    self, Clock, LIMIT, Place, TestNode, answerer, assert_answers, down, nodedown, nodeup,
};

/// Returns how long a node takes to give up a frozen peer.
fn given_up_after(time: Duration, intensity: u32) -> Duration {
    let place = Place::new();
    let peer = place.os("peer").ticktime(time).intensity(intensity).start();
    let builder = place.builder("here").net_ticktime(time).net_tickintensity(intensity);
    let here = TestNode::of(builder);
    let (ready, is_ready) = mpsc::channel();
    let (gone, is_gone) = mpsc::channel();
    here.spawn(async move {
        monitor_nodes(true);
        assert_eq!(ping(place.name("peer")).await, PingAnswer::Pong);
        nodeup(&place.name("peer")).await;
        // A peer that sends only ticks for longer than the whole time is not given up.
        receive! {
            NodeDown { reason, .. } => panic!("a lively peer was given up: {reason}"),
            after time * 2 => {}
        }
        // The node hears from the peer right before the peer is frozen, however busy the machine
        // is.
        let there = spawn_on(place.name("peer"), answerer()).await;
        assert_answers(there, 1).await;
        ready.send(()).unwrap();
        gone.send(nodedown(&place.name("peer")).await.reason).unwrap();
    });
    is_ready.recv_timeout(LIMIT).unwrap();
    peer.freeze();
    let clock = Clock::new();
    let reason = is_gone.recv_timeout(LIMIT).unwrap();
    let after = clock.elapsed();
    assert_eq!(reason, NodeDownReason::NetTickTimeout);
    after
}

/// TICK-3, TICK-4: a frozen peer is given up in time. The upper bound leaves room for a busy
/// machine.
#[test]
fn tick() {
    let time = millis(800);
    let after = given_up_after(time, 4);
    assert!(after > time - time / 4 - millis(20), "too early: {after:?}");
    assert!(after < time + time / 4 + secs(1), "too late: {after:?}");
}

/// TICK-1, TICK-3: a higher intensity narrows the time in which a frozen peer is given up. An
/// intensity that is out of range is refused.
#[test]
fn tick_intensity() {
    let time = millis(1200);
    let after = given_up_after(time, 24);
    assert!(after > time - time / 24 - millis(20), "too early: {after:?}");
    assert!(after < time + time / 24 + secs(1), "too late: {after:?}");
    let place = Place::new();
    for intensity in [0, 3, 1001] {
        assert!(place.builder("here").net_tickintensity(intensity).build().is_err());
    }
}

/// Returns whether a node with this name starts.
fn starts(place: Place, name: &str) -> bool {
    match place.builder_of(name).build() {
        Ok(node) => {
            assert_eq!(node.name().as_str(), name);
            node.stop();
            true
        }
        Err(error) => {
            assert!(matches!(error, fika::node::NodeError::Name(_)), "{name}: {error}");
            false
        }
    }
}

/// DIST-2: a node starts with a valid name only.
#[test]
fn nodenames() {
    let place = Place::new();
    for alive in ["a", "a-b", "a_b", "1", "ÅÄÖ", "x2-_y", &"x".repeat(200)] {
        assert!(starts(place, &place.name(alive)), "{alive}");
    }
    for alive in ["", "a b", "a.b", "a/b", "a:b", "a@b", "a\0b", "a\n", "$", &"x".repeat(300)] {
        assert!(!starts(place, &place.name(alive)), "{alive:?}");
    }
}

/// DIST-2: a node starts with a valid host only.
#[test]
fn hostnames() {
    let place = Place::on_localhost();
    for host in ["localhost", "127.0.0.1", "a.host.example", "host-1"] {
        assert!(starts(place, &format!("a@{host}")), "{host}");
    }
    for host in ["", "a b", "a/b", "a@b", "host!", "\u{7}"] {
        assert!(!starts(place, &format!("a@{host}")), "{host:?}");
    }
}

/// DIST-2: connecting to an illegal name fails without harm.
#[test]
fn illegal_nodenames() {
    let place = Place::new();
    place.node("here").block_on(async move {
        let own = place.name("here");
        for name in ["a@b@c", "nohost", "@", "a b@c", &format!("{own}@x"), ""] {
            assert_eq!(fika::net::connect_node(name).await, Some(false), "{name}");
            assert_eq!(ping(name).await, PingAnswer::Pang, "{name}");
        }
        assert!(nodes().is_empty());
    });
}

/// DIST-7: `connect_node` is true for the own node, which is not added to the lists.
#[test]
fn connect_node() {
    let place = Place::new();
    let there = place.node("there");
    place.node("here").block_on(async move {
        for connected in [0, 1] {
            assert_eq!(fika::net::connect_node(place.name("here")).await, Some(true));
            assert_eq!(fika::net::nodes_of(NodeKind::Connected).len(), connected);
            assert_eq!(fika::net::nodes_of(NodeKind::This).len(), 1);
            assert_eq!(fika::net::connect_node(place.name("there")).await, Some(true));
            assert_eq!(nodes().len(), 1);
        }
    });
    // Without distribution, the answer is neither true nor false.
    let nameless = TestNode::of(Node::builder());
    nameless.block_on(async move { assert_eq!(fika::net::connect_node("a@b").await, None) });
    drop(there);
}

/// DIST-18: pings of many missing nodes leave nothing behind.
#[test]
fn table_waste() {
    let place = Place::new();
    let there = place.node("there");
    let here = place.node("here");
    let processes = here.process_count();
    here.block_on(async move {
        for n in 0..500 {
            assert_eq!(ping(place.name(&format!("missing{n}"))).await, PingAnswer::Pang);
        }
        assert_eq!(ping(place.name("there")).await, PingAnswer::Pong);
        assert_eq!(nodes().len(), 1);
    });
    support::until("nothing is left of them", || here.process_count() <= processes);
    drop(there);
}

/// HS-12: a peer that accepts and never answers is given up after the setup time.
#[test]
fn net_setuptime() {
    for time in [millis(2000), millis(300)] {
        let place = Place::new();
        let here = TestNode::of(place.builder("here").net_setuptime(time));
        let silent = TcpListener::bind((place.ip, 0)).unwrap();
        let port = silent.local_addr().unwrap().port();
        let _registered = crate::epmd::register(place, "silent", port);
        let clock = Clock::new();
        here.block_on(async move {
            let name = place.name("silent");
            let monitor = fika::process::monitor(("x", &*name));
            assert_eq!(ping(&name).await, PingAnswer::Pang);
            // A process that waits for the connection is notified as well.
            assert_eq!(down(monitor).await, ExitReason::Noconnection);
            assert_eq!(
                try_spawn_on(place.name("none"), answerer()).await,
                Err(SpawnError::Noconnection)
            );
        });
        let after = clock.elapsed();
        assert!(after >= time && after < time + millis(700), "{time:?}: {after:?}");
    }
}

/// NMON-10: a nodedown names the reason of the loss.
#[test]
fn monitor_nodes_nodedown_reason() {
    let place = Place::new();
    let time = millis(400);
    let here = TestNode::of(place.builder("here").net_ticktime(time));
    for case in ["killed", "stopped", "disconnected there", "disconnected here", "frozen"] {
        let mut peer = place.os("peer").ticktime(time).start();
        let (ready, is_ready) = mpsc::channel();
        let (gone, is_gone) = mpsc::channel();
        here.spawn(async move {
            let name = place.name("peer");
            monitor_nodes(true);
            let there = spawn_on(&name, disconnects()).await;
            nodeup(&name).await;
            match case {
                "disconnected there" => send(there, self_node().name()),
                "disconnected here" => drop(disconnect_node(&name).await),
                _ => {}
            }
            ready.send(()).unwrap();
            gone.send(nodedown(&name).await.reason).unwrap();
            none!(NodeDown);
        });
        is_ready.recv_timeout(LIMIT).unwrap();
        let expected = match case {
            "disconnected here" => NodeDownReason::Disconnect,
            "frozen" => NodeDownReason::NetTickTimeout,
            _ => NodeDownReason::ConnectionClosed,
        };
        match case {
            "killed" => peer.kill(),
            "frozen" => peer.freeze(),
            "stopped" => {
                peer.stop();
                assert_eq!(is_gone.recv_timeout(LIMIT).unwrap(), expected, "{case}");
                continue;
            }
            _ => {}
        }
        assert_eq!(is_gone.recv_timeout(LIMIT).unwrap(), expected, "{case}");
    }
}

#[remote]
async fn disconnects() {
    let node = next!(NodeName);
    disconnect_node(node).await;
}

/// NMON-7, DIST-12: each subscription sees the nodes of its own kind.
#[test]
fn monitor_nodes_node_type() {
    let place = Place::new();
    let here = place.node("here");
    let (visible, hidden) =
        (place.node("visible"), TestNode::of(place.builder("hidden").hidden(true)));
    let (report, reports) = mpsc::channel();
    for kind in [NodeKind::Visible, NodeKind::Hidden, NodeKind::Connected] {
        let report = report.clone();
        here.spawn(async move {
            monitor_nodes_of(kind, true);
            // When the ping has been answered, the subscription exists.
            assert_eq!(ping(place.name("nobody")).await, PingAnswer::Pang);
            report.send((kind, 0, 0)).unwrap();
            let (mut ups, mut downs) = (0, 0);
            receive! { NodeUp { .. } => ups += 1, after LIMIT => panic!("no nodeup for {kind:?}") }
            if kind == NodeKind::Connected {
                next!(NodeUp);
                ups += 1;
            }
            for _ in 0..ups {
                next!(NodeDown);
                downs += 1;
            }
            none!(NodeUp);
            none!(NodeDown);
            report.send((kind, ups, downs)).unwrap();
        });
    }
    for _ in 0..3 {
        reports.recv_timeout(LIMIT).unwrap();
    }
    here.block_on(async move {
        assert_eq!(ping(place.name("hidden")).await, PingAnswer::Pong);
        assert_eq!(nodes(), []);
        assert_eq!(fika::net::nodes_of(NodeKind::Hidden).len(), 1);
        assert_eq!(ping(place.name("visible")).await, PingAnswer::Pong);
        assert_eq!(fika::net::nodes_of(NodeKind::Connected).len(), 2);
    });
    drop((visible, hidden));
    for _ in 0..3 {
        let (kind, ups, downs) = reports.recv_timeout(LIMIT).unwrap();
        let expected = if kind == NodeKind::Connected { 2 } else { 1 };
        assert_eq!((ups, downs), (expected, expected), "{kind:?}");
    }
}

/// SIG-12, MON-16: under load, the nodedown comes after everything else from the node.
#[test]
fn monitor_nodes_otp_6481() {
    let place = Place::new();
    let here = place.node("here");
    for _ in 0..3 {
        let mut peer = place.os("peer").start();
        let (flowing, flows) = mpsc::channel();
        let (done, is_done) = mpsc::channel();
        here.spawn(async move {
            let name = place.name("peer");
            monitor_nodes(true);
            trap_exit(true);
            let mut monitors = Vec::new();
            for _ in 0..20 {
                let pid = spawn_link_on(&name, floods(self_pid())).await;
                monitors.push(fika::process::monitor(pid));
            }
            nodeup(&name).await;
            for _ in 0..200 {
                next!(u64);
            }
            flowing.send(()).unwrap();
            nodedown(&name).await;
            // The exits, the Downs and the beginning of the flood have arrived, and nothing
            // follows.
            for monitor in monitors {
                receive! {
                    Down { monitor: m, reason, .. } if m == monitor =>
                        assert_eq!(reason, ExitReason::Noconnection),
                    after Duration::ZERO => panic!("a DOWN after the nodedown"),
                }
                receive! {
                    Exit { .. } => {}
                    after Duration::ZERO => panic!("an EXIT after the nodedown"),
                }
            }
            loop {
                receive! { _: u64 => {}, after Duration::ZERO => break }
            }
            // When a new connection has been used, any late message has arrived.
            done.send(()).unwrap();
            receive! {
                _: u64 => panic!("a message of the lost connection"),
                after millis(50) => done.send(()).unwrap(),
            }
        });
        flows.recv_timeout(LIMIT).unwrap();
        peer.kill();
        is_done.recv_timeout(LIMIT).unwrap();
        is_done.recv_timeout(LIMIT).expect("nothing came after the nodedown");
    }
}

#[remote]
async fn floods(to: Pid) {
    for n in 0_u64.. {
        send(to, n);
        yield_now().await;
    }
}

/// NMON-8, NMON-9: each of three subscriptions sees many nodes come up once and go down once.
#[test]
fn monitor_nodes_many() {
    const NODES: usize = 8;
    let place = Place::new();
    let here = place.node("here");
    let (report, reports) = mpsc::channel();
    let pid = here.spawn(async move {
        (0..3).for_each(|_| monitor_nodes(true));
        assert_eq!(ping(place.name("nobody")).await, PingAnswer::Pang);
        report.send(()).unwrap();
        for _ in 0..2 {
            let mut ups = std::collections::BTreeMap::new();
            for _ in 0..3 * NODES {
                *ups.entry(next!(NodeUp).node).or_insert(0) += 1;
            }
            none!(NodeDown);
            report.send(()).unwrap();
            let mut downs = std::collections::BTreeMap::new();
            for _ in 0..3 * NODES {
                *downs.entry(next!(NodeDown).node).or_insert(0) += 1;
            }
            assert!(ups.len() == NODES && ups.values().all(|count| *count == 3), "{ups:?}");
            assert_eq!(ups, downs);
            none!(NodeUp);
            report.send(()).unwrap();
        }
        monitor_nodes(false);
        receive! { _: () => {} }
    });
    let next = || reports.recv_timeout(LIMIT).unwrap();
    next();
    for _ in 0..2 {
        let nodes: Vec<_> = (0..NODES).map(|n| place.node(&format!("n{n}"))).collect();
        for node in &nodes {
            node.block_on(async move {
                assert_eq!(ping(place.name("here")).await, PingAnswer::Pong);
            });
        }
        next();
        drop(nodes);
        next();
    }
    here.send(pid.unwrap(), ()).unwrap();
}

/// HS-14, DIST-2: a handshake with an invalid name is refused.
#[test]
fn erl_1424() {
    let place = Place::new();
    let there = place.node("there");
    let addr = place.addr_of("there");
    for name in ["", "peer", "@", "peer@", "a b@c", "a@b@c", "peer@short"] {
        let mut peer = Peer::open(addr);
        peer.write(&framed(&Hello::new(name, &place.name("there")).body()));
        let answer = peer.until_closed();
        // The node closes the connection without an answer, or answers with a refusal.
        assert!(answer.is_empty() || answer[2..5] == [0xf2, 0, 0], "{name}: {answer:?}");
    }
    let mut peer = Peer::open(addr);
    peer.write(&framed(&Hello::new(&place.name("peer"), &place.name("another")).body()));
    assert_eq!(peer.until_closed()[2..5], [0xf2, 0, 0], "it is not the node that was wanted");
    assert!(there.nodes().is_empty());
    Peer::connected(addr, &place.name("peer"), &place.name("there"));
}

/// DIST-9: the cookie's file is found in the documented order, must be readable by its owner only,
/// and is made if there is none.
#[test]
fn xdg_cookie() {
    let place = Place::new();
    let home = std::env::temp_dir().join(format!("fika-home-{}", place.ip));
    let _ = fs::remove_dir_all(&home);
    let config = home.join("config");
    fs::create_dir_all(config.join("fika")).unwrap();
    let (home_text, config_text) = (home.to_str().unwrap(), config.to_str().unwrap());
    let node = |alive: &str| {
        let node = place.os(alive).without("FIKA_TEST_COOKIE");
        node.env("HOME", home_text).env("XDG_CONFIG_HOME", config_text)
    };
    let write = |path: &std::path::Path, cookie: &str, mode: u32| {
        fs::write(path, cookie).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let connects = |here: &TestNode, alive: &str| {
        let name = place.name(alive);
        here.block_on(async move { ping(name).await == PingAnswer::Pong })
    };
    let with = |alive: &str, cookie: &str| TestNode::of(place.builder(alive).cookie(cookie));

    // Only the file in the configuration directory exists.
    let (at_home, in_config) = (home.join(".fika.cookie"), config.join("fika/cookie"));
    write(&in_config, "the cookie in the configuration", 0o600);
    let a = node("a").start();
    assert!(connects(&with("x", "the cookie in the configuration"), "a"));
    // The file in the home directory goes first.
    write(&at_home, "the cookie at home, which is another", 0o600);
    let b = node("b").start();
    assert!(connects(&with("y", "the cookie at home, which is another"), "b"));
    assert!(!connects(&with("z", "the cookie in the configuration"), "b"));
    // A file that others can read is refused, even if there is another file.
    write(&at_home, "the cookie at home, which is another", 0o644);
    let log = node("c").try_start().err().expect("it is open to others");
    assert!(log.contains("chmod 600") && !log.contains("which is another"), "{log}");
    // If there is no file, the node makes one with a random cookie, for the owner only.
    fs::remove_file(&at_home).unwrap();
    fs::remove_file(&in_config).unwrap();
    let d = node("d").start();
    let made = [&at_home, &in_config].into_iter().find(|path| path.exists()).unwrap();
    assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o600);
    let cookie = fs::read_to_string(made).unwrap();
    assert!(cookie.trim().len() >= 32, "it is too short to be random");
    assert!(connects(&with("w", cookie.trim()), "d"));
    drop((a, b, d));
    fs::remove_dir_all(&home).unwrap();
}

/// Returns which pairs of nodes can connect, by their cookies.
fn connecting_pairs(nodes: &[(&str, &TestNode)], name: impl Fn(&str) -> String) -> Vec<String> {
    let mut pairs = Vec::new();
    for (from, node) in nodes {
        for (to, _) in nodes.iter().filter(|(to, _)| to != from) {
            let peer = name(to);
            let connected = node.block_on(async move {
                let connected = ping(&peer).await == PingAnswer::Pong;
                disconnect_node(&peer).await;
                connected
            });
            support::until("neither end has it", || {
                nodes.iter().all(|(_, n)| n.nodes().is_empty())
            });
            if connected {
                pairs.push(format!("{from}{to}"));
            }
        }
    }
    pairs
}

/// DIST-8, HS-3: cookies for all peers and for single peers decide about connections in both
/// directions. A change does not affect live connections.
#[test]
fn differing_cookies() {
    let place = Place::new();
    let node = |alive: &str, cookie: &str| TestNode::of(place.builder(alive).cookie(cookie));
    let name = |alive: &str| place.name(alive);
    let (a, b, c) = (
        node("a", "the cookie of node a"),
        node("b", "the cookie of node b"),
        node("c", "the cookie of node c"),
    );
    let nodes = [("a", &a), ("b", &b), ("c", &c)];
    assert_eq!(connecting_pairs(&nodes, name), [""; 0], "all differ");
    // A cookie on one side alone is not enough, whichever node begins.
    let b_name = name("b");
    a.block_on(async move { fika::net::set_cookie_for(b_name, "the cookie of node b").unwrap() });
    assert_eq!(connecting_pairs(&nodes, name), ["ab", "ba"], "b takes its own for all");
    let a_name = name("a");
    b.block_on(async move { fika::net::set_cookie_for(a_name, "the cookie of a and b").unwrap() });
    assert_eq!(connecting_pairs(&nodes, name), [""; 0]);
    let b_name = name("b");
    a.block_on(async move { fika::net::set_cookie_for(b_name, "the cookie of a and b").unwrap() });
    assert_eq!(connecting_pairs(&nodes, name), ["ab", "ba"]);
    // The default cookie of c changes. A cookie for the own node changes the default, too.
    c.block_on(async { fika::net::set_cookie("the cookie of node b").unwrap() });
    assert_eq!(connecting_pairs(&nodes, name), ["ab", "ba", "bc", "cb"]);
    let c_name = name("c");
    c.block_on(async move { fika::net::set_cookie_for(c_name, "the cookie of node a").unwrap() });
    assert_eq!(connecting_pairs(&nodes, name), ["ab", "ac", "ba", "ca"]);
    // A live connection stays up.
    let (a_name, c_name) = (name("a"), name("c"));
    a.block_on(async move {
        assert_eq!(ping(&c_name).await, PingAnswer::Pong);
        fika::net::set_cookie("a third cookie, quite another").unwrap();
        let there = spawn_on(&c_name, answerer()).await;
        assert_answers(there, 1).await;
        assert_eq!(disconnect_node(&c_name).await, Some(true));
        assert_eq!(ping(&c_name).await, PingAnswer::Pang);
        assert!(fika::net::set_cookie("short").is_err() && fika::net::set_cookie("").is_err());
        assert!(fika::net::set_cookie_for("no name", "the cookie of node c").is_err());
        let _ = a_name;
    });
}

/// DIST-8: a node can start with cookies for single peers.
#[test]
fn cmdline_setcookie_2() {
    let place = Place::new();
    let cookies = format!(
        "{}=the cookie of this pair;{}=another cookie, unused",
        place.name("here"),
        place.name("x")
    );
    let there =
        place.os("there").cookie("the cookie of there").env("FIKA_TEST_COOKIES_FOR", &cookies);
    let there = there.start();
    let connects = |alive: &str, cookie: &str, of_pair: Option<&str>| {
        let mut builder = place.builder(alive).cookie(cookie);
        if let Some(cookie) = of_pair {
            builder = builder.cookie_for(place.name("there"), cookie);
        }
        let name = place.name("there");
        TestNode::of(builder).block_on(async move { ping(name).await == PingAnswer::Pong })
    };
    assert!(connects("here", "some other cookie", Some("the cookie of this pair")));
    assert!(connects("here", "the cookie of this pair", None), "its own default is the same");
    assert!(!connects("here", "the cookie of there", None));
    assert!(!connects("x", "the cookie of there", Some("the cookie of this pair")));
    assert!(connects("y", "the cookie of there", None), "it has none of its own");
    assert!(connects("z", "a cookie of z's own", Some("the cookie of there")));
    // An invalid name is detected before anything starts.
    let bad = place.builder("bad").cookie_for("no name", "the cookie of nobody").build();
    assert!(matches!(bad, Err(fika::node::NodeError::Name(_))));
    drop(there);
}

/// DIST-20: `setopts` changes live connections, and `setopts_new` changes new ones.
#[test]
fn setopts() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        let (name, again) = (place.name("there"), fika::net::SocketOptions::default());
        let unknown = fika::net::getopts(&name).unwrap_err();
        assert!(matches!(unknown, fika::net::SettingError::NotConnected(_)), "{unknown}");
        assert!(fika::net::setopts("no name", again).is_err());
        assert_eq!(ping(&name).await, PingAnswer::Pong);
        let first = fika::net::getopts(&name).unwrap();
        assert_eq!((first.nodelay, first.keepalive), (Some(true), Some(false)), "the defaults");
        // Options of the live connection: unset fields stay as they are.
        fika::net::setopts(&name, fika::net::SocketOptions { keepalive: Some(true), ..again })
            .unwrap();
        fika::net::setopts(&name, fika::net::SocketOptions { nodelay: Some(false), ..again })
            .unwrap();
        let changed = fika::net::getopts(&name).unwrap();
        assert_eq!((changed.nodelay, changed.keepalive), (Some(false), Some(true)));
        assert_eq!(changed.recv_buffer, first.recv_buffer);
        assert_answers(spawn_on(&name, answerer()).await, 1).await;
        // Options of new connections: the live connection stays as it is.
        let new =
            fika::net::SocketOptions { keepalive: Some(true), recv_buffer: Some(20_000), ..again };
        fika::net::setopts_new(new).unwrap();
        assert_eq!(fika::net::getopts(&name).unwrap(), changed);
        assert_eq!(disconnect_node(&name).await, Some(true));
        assert_eq!(ping(&name).await, PingAnswer::Pong);
        let second = fika::net::getopts(&name).unwrap();
        assert_eq!((second.nodelay, second.keepalive), (Some(true), Some(true)));
        let bytes = second.recv_buffer.unwrap();
        assert!((20_000..=40_000).contains(&bytes), "{bytes}: Linux doubles it");
        assert_answers(spawn_on(&name, answerer()).await, 2).await;
    });
    drop(there);
}

/// DIST-20: options in a node's settings apply to connections that it makes and accepts.
#[test]
fn inet_dist_options_options() {
    let place = Place::new();
    let options = fika::net::SocketOptions {
        nodelay: Some(false),
        keepalive: Some(true),
        send_buffer: Some(30_000),
        recv_buffer: Some(20_000),
    };
    let there = place.node("there");
    let here = TestNode::of(place.builder("here").socket_options(options));
    let check = |name: String| async move {
        assert_eq!(ping(&name).await, PingAnswer::Pong);
        let set = fika::net::getopts(&name).unwrap();
        assert_eq!((set.nodelay, set.keepalive), (Some(false), Some(true)));
        assert!((30_000..=60_000).contains(&set.send_buffer.unwrap()), "{set:?}");
        assert!((20_000..=40_000).contains(&set.recv_buffer.unwrap()), "{set:?}");
        assert_answers(spawn_on(&name, answerer()).await, 1).await;
        disconnect_node(&name).await;
    };
    here.block_on(check(place.name("there")));
    support::until("it is gone", || there.nodes().is_empty());
    let name = place.name("here");
    there.block_on(async move { assert_eq!(ping(name).await, PingAnswer::Pong) });
    here.block_on(check(place.name("there")));
}

/// NMON-6, DIST-13, DIST-14: messages about nodes carry their details, and each connection has an
/// identity of its own.
#[test]
fn monitor_nodes_misc() {
    let place = Place::new();
    let (visible, hidden) =
        (place.node("visible"), TestNode::of(place.builder("hidden").hidden(true)));
    place.node("here").block_on(async move {
        monitor_nodes_of(NodeKind::Connected, true);
        let mut ids = std::collections::BTreeSet::new();
        for _ in 0..3 {
            for (alive, node_type) in
                [("visible", fika::net::NodeType::Visible), ("hidden", fika::net::NodeType::Hidden)]
            {
                let name = place.name(alive);
                assert_eq!(ping(&name).await, PingAnswer::Pong);
                let up = nodeup(&name).await;
                assert_eq!(up.node_type, node_type);
                assert!(ids.insert(up.connection), "each connection has an id of its own");
                let known = fika::net::connected_nodes();
                let known = known.iter().find(|known| known.node.as_str() == name).unwrap();
                assert_eq!((known.node_type, known.connection), (node_type, up.connection));
                disconnect_node(&name).await;
                let down = nodedown(&name).await;
                assert_eq!((down.node_type, down.connection), (node_type, up.connection));
                assert_eq!(down.reason, NodeDownReason::Disconnect);
            }
        }
        assert_eq!(fika::net::connected_nodes(), []);
        monitor_nodes_of(NodeKind::Connected, false);
        assert_eq!(ping(place.name("visible")).await, PingAnswer::Pong);
        none!(NodeUp);
    });
    drop((visible, hidden));
}

/// Reports the size of each message, and echoes each small one.
#[remote(name = "test::measures")]
async fn measures() {
    loop {
        receive! { (from, bytes): (Pid, Vec<u8>) => send(from, bytes.len() as u64) }
    }
}

/// Runs everything that two programs do with each other over a transport, until one is killed.
fn smoke(here: TestNode, mut peer: crate::support::process::OsNode, largest: usize) {
    let name = peer.name.clone();
    let (ready, is_ready) = mpsc::channel();
    let (gone, is_gone) = mpsc::channel();
    here.spawn(async move {
        trap_exit(true);
        monitor_nodes(true);
        let there = spawn_link_on(&name, measures()).await;
        nodeup(&name).await;
        for size in [0, 1, 70_000, largest] {
            send(there, (self_pid(), vec![7_u8; size]));
            assert_eq!(next!(u64), size as u64);
        }
        let monitor = fika::process::monitor(there);
        let other = spawn_on(&name, answerer()).await;
        assert_answers(other, 1).await;
        ready.send(()).unwrap();
        assert_eq!(crate::support::exit_of(there).await, ExitReason::Noconnection);
        assert_eq!(down(monitor).await, ExitReason::Noconnection);
        gone.send(nodedown(&name).await.reason).unwrap();
    });
    is_ready.recv_timeout(LIMIT).unwrap();
    peer.kill();
    assert_eq!(is_gone.recv_timeout(LIMIT).unwrap(), NodeDownReason::ConnectionClosed);
}

/// HS-1, DIST-5: two programs can use a user's own transport.
#[test]
fn dist_ctrl_proc_smoke() {
    let place = Place::new();
    let peer = place.os("peer").env("FIKA_TEST_SCRAMBLED", "1").start();
    let wrap = |poller| Ok(Wrapped(poller, Way::Scrambled));
    smoke(TestNode::of(place.builder("here").network(wrap)), peer, 200_000);
}

/// HS-1: two programs can use Unix sockets.
#[test]
fn erl_uds_dist_smoke_test() {
    let place = Place::new();
    let directory = std::env::temp_dir().join(format!("fika-uds-{}", place.ip));
    let peer = place.os("peer").unix_sockets(&directory).start();
    assert!(std::net::TcpStream::connect(place.mapper_addr()).is_err(), "nothing is on TCP");
    // These messages are larger than the buffers of a socket.
    smoke(TestNode::of(place.builder("here").unix_sockets(&directory)), peer, 3_000_000);
    fs::remove_dir_all(&directory).unwrap();
}

/// HS-11: a peer that supports the mandatory features is connected, whatever else it supports. An
/// optional feature needs both sides, and a node is hidden if either side says so.
#[test]
fn dist_ctrl_proc_reject() {
    const MUST: u64 = crate::support::peer::SPAWN;
    let place = Place::new();
    let here = place.node("here");
    let addr = place.addr_of("here");
    let cases = [
        (MUST, fika::net::NodeType::Visible),
        (MUST | 1 << 2, fika::net::NodeType::Visible),
        (MUST | 1, fika::net::NodeType::Hidden),
        (MUST | 1 << 40 | 1 << 63, fika::net::NodeType::Visible),
    ];
    for (n, (flags, node_type)) in cases.into_iter().enumerate() {
        let name = place.name(&format!("peer{n}"));
        let hello = Hello { flags, ..Hello::new(&name, &place.name("here")) };
        let peer = Peer::connected_as(addr, &hello);
        here.block_on(async move {
            let is_up =
                || fika::net::connected_nodes().into_iter().find(|it| it.node.as_str() == name);
            support::until_in_process("it is up", || is_up().is_some()).await;
            assert_eq!(is_up().unwrap().node_type, node_type, "{flags:#x}");
        });
        drop(peer);
    }
}

/// NMON-10: the nodedown passes on the reason of a user's own transport.
#[test]
fn monitor_nodes_complex_nodedown_reason() {
    let place = Place::new();
    let there = place.os("there").start();
    let reason = std::sync::Arc::new(std::sync::Mutex::new(None));
    let breaks = Way::Breaking(reason.clone());
    let builder = place.builder("here").network(move |poller| Ok(Wrapped(poller, breaks.clone())));
    TestNode::of(builder).block_on(async move {
        monitor_nodes(true);
        let name = place.name("there");
        let remote = spawn_on(&name, answerer()).await;
        nodeup(&name).await;
        let unusual = "{an, [unusual], reason: 77}";
        *reason.lock().unwrap() = Some(unusual.to_owned());
        // The transport breaks when it sees the answer.
        send(remote, crate::support::Ask { from: self_pid(), n: 1 });
        assert_eq!(nodedown(&name).await.reason, NodeDownReason::Other(unusual.into()));
    });
    drop(there);
}

/// NMON-7: an invalid subscription ends the caller with `badarg`, and changes nothing.
#[test]
fn monitor_nodes_errors() {
    let place = Place::new();
    let there = place.node("there");
    place.node("here").block_on(async move {
        monitor_nodes(true);
        for on in [true, false] {
            let (_, monitor) = fika::process::spawn_monitor(async move {
                monitor_nodes_of(NodeKind::This, on);
            });
            assert!(matches!(down(monitor).await, ExitReason::Badarg(_)));
        }
        assert_eq!(ping(place.name("there")).await, PingAnswer::Pong);
        nodeup(&place.name("there")).await;
        assert!(fika::net::monitor_node("no name", true).is_err());
    });
    drop(there);
}
