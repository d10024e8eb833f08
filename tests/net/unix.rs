//! Nodes over Unix sockets: they do everything that they do over TCP, including the port mapper,
//! and no other host can reach them.
#![cfg(unix)]

use crate::support;

use std::net::TcpStream;
use std::path::PathBuf;

use fika::net::{NodeDownReason, Ping as PingAnswer, monitor_node, ping};
use fika::node::NodeName;
use fika::prelude::*;
use support::{Place, TestNode};

/// A directory for sockets, which is removed at the end of its test.
struct Directory(PathBuf);

impl Directory {
    fn new(place: Place) -> Directory {
        Directory(std::env::temp_dir().join(format!("fika-test-{}", place.ip)))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[remote]
async fn sizes() {
    loop {
        receive! { (from, bytes): (Pid, Vec<u8>) => send(from, bytes.len() as u64) }
    }
}

/// A node works with another program that starts the port mapper, is killed, and restarts.
#[test]
fn two_programs() {
    let place = Place::new();
    let directory = Directory::new(place);
    let mut b = place.os("b").unix_sockets(&directory.0).start();
    let a = TestNode::of(place.builder("a").unix_sockets(&directory.0));
    let peer: NodeName = place.name("b").parse().unwrap();
    assert!(TcpStream::connect(place.mapper_addr()).is_err(), "something listens on TCP");

    let to = peer.clone();
    a.block_on(async move {
        let there = spawn_on(to, sizes()).await;
        // More than the buffers of a socket hold.
        for size in [0_u64, 1, 10_000_000] {
            send(there, (self_pid(), vec![7_u8; size as usize]));
            receive! { answer: u64 => assert_eq!(answer, size) }
        }
    });
    b.kill();
    let to = peer.clone();
    a.block_on(async move {
        monitor_node(&to, true).unwrap();
        receive! {
            NodeDown { node, reason, .. } => {
                assert_eq!(node, to);
                let lost = [NodeDownReason::ConnectionClosed, NodeDownReason::ConnectionSetupFailed];
                assert!(lost.contains(&reason), "{reason}");
            }
        }
    });
    // The files that the old node has left behind do no harm.
    let _b = place.os("b").unix_sockets(&directory.0).start();
    support::until("it is found again", || {
        let to = peer.clone();
        a.block_on(async move { ping(to).await }) == PingAnswer::Pong
    });
}

#[test]
fn an_unusable_socket_directory() {
    let file = std::env::current_exe().unwrap();
    let error = Place::new().builder("a").unix_sockets(file).build().unwrap_err();
    assert!(matches!(error, fika::node::NodeError::Poller(_)), "{error:?}");
}
