//! The names of processes and nodes: every function accepts the same types of strings.
#![deny(warnings)]
#![allow(noop_method_call, suspicious_double_ref_op, reason = "each kind of text is cloned")]

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use fika::Node;
use fika::message::{Dest, SendOpts, alias, send_priority, send_with, try_send};
use fika::net::discovery::StaticNodes;
use fika::net::{
    MonitorNodeError, Ping as PingAnswer, SocketOptions, disconnect_node, getopts, monitor_node,
    ping, set_cookie_for, setopts,
};
use fika::node::NodeName;
use fika::prelude::*;
use fika::process::{Name, demonitor_flush, spawn_monitor_on, unregister};
use fika::time::cancel_timer;

/// Evaluates an expression with each kind of string, and asserts that the values are equal.
macro_rules! with_each_text {
    ($text:expr, |$name:ident| $value:expr) => {{
        let text: &str = $text;
        let expected = { let $name = text; $value };
        let (string, cow) = (text.to_owned(), Cow::Borrowed(text));
        let (boxed, shared) = (Box::<str>::from(text), Arc::<str>::from(text));
        with_each_text!(@ expected, $name, $value;
            &text, &string, string.clone(), &cow, cow.clone(), &boxed, boxed.clone(), &shared,
            shared.clone());
        expected
    }};
    (@ $expected:ident, $name:ident, $value:expr; $($text:expr),+) => {
        $({ let $name = $text; assert_same(&$value, &$expected, stringify!($text)); })+
    };
}

/// Does so with each kind of string, and with a `Name`, which only processes have.
macro_rules! with_each_name {
    ($text:expr, |$name:ident| $value:expr) => {{
        let expected = with_each_text!($text, |$name| $value);
        let typed = Name::from($text);
        with_each_text!(@ expected, $name, $value; &typed, typed.clone());
        expected
    }};
}

/// Does so with each kind of string, and with a `NodeName`, which only nodes have.
macro_rules! with_each_node {
    ($text:expr, |$node:ident| $value:expr) => {{
        let expected = with_each_text!($text, |$node| $value);
        let typed: NodeName = $text.parse().expect("it is the name of a node");
        with_each_text!(@ expected, $node, $value; &typed, typed.clone());
        expected
    }};
}

fn assert_same<T: PartialEq + Debug>(value: &T, expected: &T, text: &str) {
    assert_eq!(value, expected, "with {text}");
}

fn dest<'a>(dest: impl Into<Dest<'a>>) -> String {
    dest.into().to_string()
}

#[test]
fn destinations() {
    assert_eq!(with_each_name!("counter", |name| dest(name)), "counter");
    let pair = with_each_name!("counter", |name| with_each_node!("b@host", |node| {
        dest((name.clone(), node))
    }));
    assert_eq!(pair, "{counter,b@host}");
    for known in [Dest::from("counter"), Dest::from(("counter", "b@host"))] {
        assert_eq!(dest(&known), dest(known));
    }
}

/// The conditions of `send_with` concern other nodes. They keep no message to an alias of this one.
#[fika::test]
async fn conditions_do_not_concern_an_alias_of_this_node() {
    let opts = SendOpts::new();
    for opts in [opts, opts.nosuspend(), opts.noconnect(), opts.nosuspend().noconnect()] {
        send_with(alias(), 7_u64, opts).unwrap();
        receive! { n: u64 => assert_eq!(n, 7), after secs(10) => panic!("{opts:?}: it is lost") }
    }
}

#[fika::test]
async fn processes_by_name() {
    let me = self_pid();
    let own = self_node().name();
    with_each_name!("counter", |name| {
        register(name.clone(), me).expect("the name is free");
        assert_eq!(whereis(name.clone()), Some(me));
        assert_eq!(self_node().whereis(name.clone()), Some(me));
        send(name.clone(), 1_u64);
        try_send(name.clone(), 2_u64).expect("there is room");
        send_priority(name.clone(), 3_u64);
        send((name.clone(), &own), 4_u64);
        self_node().send(name.clone(), 5_u64).expect("it is registered");
        demonitor_flush(monitor(name.clone()));
        let timer = send_after(secs(60), name.clone(), 6_u64);
        assert!(cancel_timer(timer).is_some());
        unregister(name.clone())
    })
    .expect("it was registered");
    let mut sum = 0;
    loop {
        receive! { n: u64 => sum += n, after Duration::ZERO => break }
    }
    assert_eq!(sum, 12 * (1 + 2 + 3 + 4 + 5));
    // An exit signal is for a process or an alias.
    let pid = spawn(std::future::pending::<()>());
    let end = monitor(pid);
    exit_process(pid, ExitReason::Kill);
    receive! { Down { monitor, .. } if monitor == end => {} }
}

#[fika::remote]
async fn nothing() {}

#[fika::test]
async fn nodes_by_name() {
    let node = "nobody@127.0.0.1";
    let alone = Err(MonitorNodeError::NotAlive);
    assert_eq!(with_each_node!(node, |node| monitor_node(node, true)), alone);
    assert_eq!(with_each_node!(node, |node| ping(node).await), PingAnswer::Pang);
    assert_eq!(with_each_node!(node, |node| connect_node(node).await), None);
    assert_eq!(with_each_node!(node, |node| disconnect_node(node).await), None);
    with_each_node!(node, |node| set_cookie_for(node, "a long enough cookie").is_err());
    with_each_node!(node, |node| fika::net::allow([node]).is_err());
    with_each_node!(node, |node| getopts(node).is_err());
    with_each_node!(node, |node| setopts(node, SocketOptions::default()).is_err());
    with_each_node!(node, |node| {
        let (_, end) = spawn_monitor_on(node.clone(), nothing()).await;
        spawn_on(node, nothing()).await;
        receive! { Down { monitor, reason, .. } if monitor == end => reason }
    });
    with_each_node!(node, |node| {
        let _ = Node::builder()
            .name(node.clone())
            .cookie_for(node.clone(), "a long enough cookie")
            .cookie_file_for(node.clone(), "no file")
            .allow([node.clone()]);
        true
    });
    with_each_text!("nobody@127.0.0.1:4001", |entry| StaticNodes::new([entry]).is_ok());
}

#[test]
fn a_node_that_starts_late() {
    // No port mapper listens at this port, and the node starts none.
    let builder = Node::builder().cookie("a long enough cookie").epmd_port(1).start_epmd(false);
    let node = builder.build().expect("it needs nothing");
    with_each_node!("late@127.0.0.1", |name| node.start_distribution(name).is_err());
    node.stop();
}
