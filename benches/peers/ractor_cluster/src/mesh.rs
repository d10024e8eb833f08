//! mesh: each node connects to the first, and finds the others through it. The nodes begin at the
//! same time, and report by a packet when they see all others.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fika_bench_kit::{Params, epoch_ms, failed, metric, pss_bytes, rss_bytes_of};
use ractor_cluster::node::{NodeConnectionMode, NodeServerSessionInformation};
use ractor_cluster::{NodeEventSubscription, NodeServerMessage, client_connect};

use crate::cluster::{Others, start_node};

/// How often a node looks at its sessions, since there is no event for a complete mesh.
const LOOK_EVERY: Duration = Duration::from_millis(5);

struct Disconnects(Arc<AtomicU64>);

impl NodeEventSubscription for Disconnects {
    fn node_session_opened(&self, _: NodeServerSessionInformation) {}

    fn node_session_authenticated(&self, _: NodeServerSessionInformation) {}

    fn node_session_disconnected(&self, _: NodeServerSessionInformation) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs one of the nodes until it is killed.
pub(crate) async fn serve(p: Params) {
    let port = |name| u16::try_from(p.get(name)).expect("a port");
    let mode = NodeConnectionMode::Transitive;
    let node = start_node(&format!("n{}", p.get("node")), port("port"), mode).await;
    let lost = Arc::new(AtomicU64::new(0));
    let subscription = Box::new(Disconnects(lost.clone()));
    let subscribe = NodeServerMessage::SubscribeToEvents { id: "lost".into(), subscription };
    let _ = node.cast(subscribe);
    tokio::time::sleep(Duration::from_millis(p.get("begin_ms").saturating_sub(epoch_ms()))).await;
    if p.get("node") > 0 {
        let _ = client_connect(&node, ("127.0.0.1", port("first"))).await;
    }
    loop {
        let sessions = node.call(NodeServerMessage::GetSessions, None).await;
        let sessions = sessions.expect("the node's actor lives").expect("it answers");
        let names = sessions.values().filter_map(|session| session.peer_name.as_ref());
        let names: BTreeSet<&str> = names.map(|peer| peer.name.as_str()).collect();
        if names.len() as u64 == p.get("nodes") - 1 {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let full = format!("{} {}", epoch_ms() - p.get("begin_ms"), lost.load(Ordering::Relaxed));
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    socket.send_to(full.as_bytes(), ("127.0.0.1", port("home"))).expect("loopback is up");
    std::future::pending::<()>().await
}

pub(crate) async fn run(p: Params, others: Others) {
    let home = others.home.expect("a mesh has one");
    let (n, limit) = (others.peers.len(), Duration::from_secs(p.get("wait_s")));
    home.set_read_timeout(Some(limit)).expect("the limit is not zero");
    let told = tokio::task::spawn_blocking(move || told_by(&home, n)).await.unwrap_or_default();
    if told.len() < n {
        return failed(&format!("{} of {n} nodes saw all others in time", told.len()));
    }
    metric("ms_to_full_mesh", told.iter().map(|(ms, _)| *ms).max().unwrap_or(0) as f64);
    metric("disconnects", told.iter().map(|(_, lost)| *lost).sum::<u64>() as f64);
    tokio::time::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    let mean = |bytes: fn(u32) -> f64| {
        others.peers.iter().map(|peer| bytes(peer.id())).sum::<f64>() / n as f64 / 1_048_576.0
    };
    metric("rss_mib_per_node", mean(rss_bytes_of));
    metric("pss_mib_per_node", mean(pss_bytes));
}

/// Returns, for each node, the milliseconds until it saw all others, and the connections that it
/// had lost.
fn told_by(home: &UdpSocket, nodes: usize) -> Vec<(u64, u64)> {
    let mut told = Vec::new();
    let mut buffer = [0; 64];
    while told.len() < nodes
        && let Ok(length) = home.recv(&mut buffer)
    {
        let text = String::from_utf8_lossy(&buffer[..length]);
        let mut words = text.split(' ').filter_map(|word| word.parse().ok());
        told.extend(words.next().zip(words.next()));
    }
    told
}
