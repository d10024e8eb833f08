//! A node of a cluster, and the OS processes of the other nodes.

use fika_bench_kit::{Params, Peer, epoch_ms, free_port};
use ractor::{Actor, ActorRef};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{NodeServer, NodeServerMessage};

/// Larger than any message of a workload.
const FRAME_BYTES_MAX: u64 = 512 << 20;

/// The time from the start of the first node of a mesh until all nodes begin to connect.
const MESH_BEGIN_MS: u64 = 3000;

/// The other nodes, which are OS processes.
pub(crate) struct Others {
    pub(crate) peers: Vec<Peer>,
    /// The port of the first node.
    pub(crate) port: u16,
    /// The socket on which the nodes of a mesh report that they see all others.
    pub(crate) home: Option<std::net::UdpSocket>,
}

impl Others {
    /// Starts the other nodes. `None` for workloads that need no other node, or that ractor can't
    /// do.
    pub(crate) fn start_for(workload: &str, p: &Params) -> Option<Others> {
        let echoes = match workload {
            "remote.mesh" => return Some(Others::start_mesh(p)),
            "remote.pairs" => p.get("pairs"),
            "remote.pingpong" | "remote.headofline" => 1,
            _ if workload.starts_with("remote.nodedown.") => 1,
            _ if workload.starts_with("remote.oneway.") => p.get("senders"),
            _ if workload.starts_with("remote.bulk.") => p.get("senders"),
            _ => return None,
        };
        let port = free_port();
        let args = ["serve".to_owned(), format!("port={port}"), format!("echoes={echoes}")];
        Some(Others { peers: vec![Peer::start_server(port, args)], port, home: None })
    }

    fn start_mesh(p: &Params) -> Others {
        let home = std::net::UdpSocket::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let home_port = home.local_addr().expect("it is bound").port();
        let (first, begin_ms) = (free_port(), epoch_ms() + MESH_BEGIN_MS);
        let node = |i| {
            let port = if i == 0 { first } else { free_port() };
            Peer::start([
                "mesh_node".to_owned(),
                format!("node={i}"),
                format!("nodes={}", p.get("nodes")),
                format!("port={port}"),
                format!("first={first}"),
                format!("begin_ms={begin_ms}"),
                format!("home={home_port}"),
            ])
        };
        let peers = (0..p.get("nodes")).map(node).collect();
        Others { peers, port: first, home: Some(home) }
    }
}

/// Makes this program a node.
pub(crate) async fn start_node(
    name: &str,
    port: u16,
    mode: NodeConnectionMode,
) -> ActorRef<NodeServerMessage> {
    let (cookie, host) = ("fika-bench".to_owned(), "127.0.0.1".to_owned());
    let server = NodeServer::new(port, cookie, name.to_owned(), host, None, Some(mode))
        .with_listen_addr([127, 0, 0, 1].into())
        .with_max_inbound_frame_size(FRAME_BYTES_MAX);
    Actor::spawn(None, server, ()).await.expect("the port is free").0
}
