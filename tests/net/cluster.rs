//! Several nodes in one program: how they find each other, and what crosses between them.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use fika::net::{NodeDownReason, Ping as PingAnswer, disconnect_node, monitor_nodes, ping};
use fika::node::NodeBuilder;
use fika::prelude::*;
use fika::process::{SpawnError, try_spawn_on};
use serde::{Deserialize, Serialize};

/// Returns a port for a port mapper of this test.
fn mapper_port() -> u16 {
    static LAST: AtomicU16 = AtomicU16::new(0);
    loop {
        let port = 20_000
            + (std::process::id() as u16 % 2_000) * 16
            + LAST.fetch_add(1, Ordering::Relaxed) % 16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn named(name: &str, mapper: u16) -> NodeBuilder {
    Node::builder().name(name).cookie("a cookie for tests").epmd_port(mapper).workers(2)
}

#[derive(Message, Serialize, Deserialize, Debug, PartialEq)]
struct Hello {
    from: Pid,
    text: String,
}

#[remote(name = "test::cluster::echo")]
async fn echo() {
    loop {
        receive! {
            Hello { from, text } => send(from, Hello { from: self_pid(), text }),
            Stop => return,
        }
    }
}

#[derive(Message, Serialize, Deserialize)]
#[message(tag = "test::cluster::Stop")]
struct Stop;

#[test]
fn two_nodes_talk() {
    let mapper = mapper_port();
    let a = named("a@127.0.0.1", mapper).build().unwrap();
    let b = named("b@127.0.0.1", mapper).build().unwrap();
    a.block_on(async {
        monitor_nodes(true);
        assert_eq!(ping("b@127.0.0.1").await, PingAnswer::Pong);
        receive! { NodeUp { node, .. } => assert_eq!(node.as_str(), "b@127.0.0.1") }
        let there = spawn_on("b@127.0.0.1", echo()).await;
        assert_eq!(there.node().name().as_str(), "b@127.0.0.1");
        let monitor = monitor(there);
        send(there, Hello { from: self_pid(), text: "hej".into() });
        receive! {
            Hello { from, text } => assert_eq!((from, text.as_str()), (there, "hej")),
            after secs(5) => panic!("no answer"),
        }
        send(there, Stop);
        receive! {
            Down { monitor: m, reason, .. } => assert_eq!((m, reason), (monitor, ExitReason::Normal)),
            after secs(5) => panic!("no DOWN"),
        }
        assert_eq!(try_spawn_on("c@127.0.0.1", echo()).await, Err(SpawnError::Noconnection));
        let there = spawn_on("b@127.0.0.1", echo()).await;
        trap_exit(true);
        link(there);
        let down = fika::process::monitor(there);
        assert_eq!(disconnect_node("b@127.0.0.1").await, Some(true));
        receive! { Exit { from, reason } => assert_eq!((from, reason), (there, ExitReason::Noconnection)) }
        receive! { Down { monitor, reason, .. } => assert_eq!((monitor, reason), (down, ExitReason::Noconnection)) }
        receive! { NodeDown { reason, .. } => assert_eq!(reason, NodeDownReason::Disconnect) }
        assert_eq!(nodes(), []);
    });
    b.stop();
    a.stop();
}
