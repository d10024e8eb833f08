//! A user's own transport, around another one. The node only relies on what `Network` promises, and
//! every byte goes through the transport, including those of the port mapper.

use crate::support;

use fika::net::transport::Poller;
use fika::net::{Ping as PingAnswer, ping};
use fika::node::{NodeBuilder, NodeName};
use fika::prelude::*;
use support::transport::{Way, Wrapped};
use support::{Place, TestNode};

fn scrambled(builder: NodeBuilder) -> NodeBuilder {
    builder.network(|poller: Poller| Ok(Wrapped(poller, Way::Scrambled)))
}

#[remote]
async fn echo() {
    loop {
        receive! { (from, bytes): (Pid, Vec<u8>) => send(from, bytes) }
    }
}

#[test]
fn a_cluster_over_a_custom_transport() {
    let place = Place::new();
    let [a, _b, c] = ["a", "b", "c"].map(|alive| TestNode::of(scrambled(place.builder(alive))));
    let peer: NodeName = place.name("b").parse().unwrap();
    let to = peer.clone();
    a.block_on(async move {
        let there = spawn_on(to, echo()).await;
        let monitor = monitor(there);
        for size in [0_usize, 1, 1000, 200_000] {
            let bytes: Vec<u8> = (0..size).map(|n| n as u8).collect();
            send(there, (self_pid(), bytes.clone()));
            receive! { answer: Vec<u8> => assert!(answer == bytes, "{size}") }
        }
        exit_process(there, ExitReason::Shutdown);
        receive! {
            Down { monitor: m, reason, .. } => {
                assert_eq!((m, reason), (monitor, ExitReason::Shutdown));
            }
        }
    });
    let to = peer.clone();
    c.block_on(async move { assert_eq!(ping(to).await, PingAnswer::Pong) });
    support::until("the mesh is full", || a.nodes().len() == 2 && c.nodes().len() == 2);
    // A peer that speaks plain TCP understands nothing here, not even the port mapper.
    assert!(place.builder("d").build().is_err());
    assert_eq!(a.nodes().len(), 2);
}
