//! The peer-to-peer network of remote actors.

use std::convert::Infallible;
use std::time::Duration;

use futures::StreamExt as _;
use kameo::remote;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, SwarmBuilder, identity, plaintext, tcp, yamux};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Larger than any message of a workload. The default is 1 MiB; larger messages are lost.
const MESSAGE_BYTES_MAX: u64 = 65 << 20;

/// More than the messages in flight, each of which is a stream. The default is 100; above it,
/// messages are refused.
const STREAMS_MAX: usize = 200_000;

#[derive(NetworkBehaviour)]
struct Behaviour {
    kameo: remote::Behaviour,
}

/// Listens, and dials another peer if one is given. The returned channel reports each lost
/// connection.
pub(crate) fn start(listen: u16, dial: Option<u16>) -> UnboundedReceiver<()> {
    let messaging = remote::messaging::Config::default()
        .with_request_size_maximum(MESSAGE_BYTES_MAX)
        .with_response_size_maximum(MESSAGE_BYTES_MAX)
        .with_max_concurrent_streams(STREAMS_MAX);
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), unencrypted, streams)
        .expect("the transport's settings are its defaults")
        .with_behaviour(|key| {
            let kameo = remote::Behaviour::new(key.public().to_peer_id(), messaging);
            Behaviour { kameo }
        })
        .expect("it is made without a failure")
        .with_swarm_config(|c| c.with_idle_connection_timeout(Duration::from_secs(300)))
        .build();
    swarm.behaviour().kameo.init_global();
    swarm.listen_on(address(listen)).expect("the port is free");
    if let Some(port) = dial {
        swarm.dial(address(port)).expect("the address is one");
    }
    let (lost, losses) = unbounded_channel();
    tokio::spawn(async move {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } => {
                    swarm.add_peer_address(peer_id, endpoint.get_remote_address().clone());
                }
                SwarmEvent::ConnectionClosed { .. } => drop(lost.send(())),
                SwarmEvent::OutgoingConnectionError { .. } => {
                    // The other node does not listen yet.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    let _ = dial.map(|port| swarm.dial(address(port)));
                }
                _ => {}
            }
        }
    });
    losses
}

/// Unencrypted, as the traffic of the other systems.
fn unencrypted(key: &identity::Keypair) -> Result<plaintext::Config, Infallible> {
    Ok(plaintext::Config::new(key))
}

#[allow(deprecated, reason = "there is no other way, and the default is 512")]
fn streams() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(STREAMS_MAX);
    config
}

fn address(port: u16) -> Multiaddr {
    format!("/ip4/127.0.0.1/tcp/{port}").parse().expect("that is an address")
}
