//! `distribution_SUITE`: what crosses between nodes, by topic. Cases about two nodes run the second
//! node in another OS process.
//!
//! The path of a case ends with its suite and its name. So each file's module has the name of the
//! suite and lies inside a module with the name of the file.

#[path = "."]
mod bulk {
    #[path = "bulk.rs"]
    mod distribution;
}
#[path = "."]
mod congested {
    #[path = "congested.rs"]
    mod distribution;
}
#[path = "."]
mod connecting {
    #[path = "connecting.rs"]
    mod distribution;
}
#[path = "."]
mod epmd {
    #[path = "epmd.rs"]
    mod distribution;
}
#[path = "."]
mod malformed {
    #[path = "malformed.rs"]
    mod distribution;
}
#[path = "."]
mod names {
    #[path = "names.rs"]
    mod distribution;
}
#[path = "."]
mod terms {
    #[path = "terms.rs"]
    mod distribution;
}
#[path = "."]
mod values {
    #[path = "values.rs"]
    mod distribution;
}

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use fika::message::{Reference, make_ref};
use fika::net::{AutoConnect, BusyDist, async_dist};
use fika::node::NodeName;
use fika::prelude::*;
use fika::process::{Name, SpawnError, try_spawn_on};
use serde::{Deserialize, Serialize};

use crate::busy;
use crate::support::peer::{Hello, Peer, SPAWN, frame, framed, is_refusal, text, varint};
use crate::support::{
    self, Answer, Ask, EndWith, LIMIT, Place, TestNode, answerer, assert_answers, down, exit_of,
    named_answerer, nodedown,
};

/// Receives `count` binaries, and reports their total size and whether all were right.
#[remote]
async fn takes_bulk(count: u64, to: Pid) {
    let mut bytes = 0_usize;
    for n in 0..count {
        let (number, binary) = next!((u64, Vec<u8>));
        assert_eq!(number, n, "in order");
        assert!(binary.iter().all(|byte| *byte == n as u8), "whole");
        bytes += binary.len();
    }
    send(to, bytes);
}

/// Values of many kinds.
#[derive(Message, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[message(tag = "otp::Kinds")]
struct Kinds {
    nothing: (),
    numbers: (u8, i64, u64, i128, f64),
    texts: Vec<String>,
    pids: Vec<Pid>,
    references: Vec<Reference>,
    name: Name,
    node: NodeName,
    reason: ExitReason,
    deep: Vec<Vec<Vec<Option<u8>>>>,
}

impl Kinds {
    fn new(pid: Pid) -> Kinds {
        Kinds {
            nothing: (),
            numbers: (255, i64::MIN, u64::MAX, i128::MIN, f64::MIN_POSITIVE),
            texts: vec![String::new(), "räksmörgås 🦐".into(), "x".repeat(70_000)],
            pids: vec![pid; 3],
            references: (0..3).map(|_| make_ref()).collect(),
            name: "a name".into(),
            node: pid.node().name(),
            reason: ExitReason::term(7_u64),
            deep: vec![vec![], vec![vec![None], vec![Some(1), None]]],
        }
    }
}

/// Sends back each value that it receives.
#[remote]
async fn echo(registered: bool) {
    if registered {
        register("echo", self_pid()).unwrap();
    }
    loop {
        receive! {
            (from, kinds): (Pid, Kinds) => send(from, kinds),
            (from, text): (Pid, String) => send(from, text),
            (from, nothing): (Pid, ()) => send(from, nothing),
            (from, list): (Pid, Vec<()>) => send(from, list),
            (from, none): (Pid, Option<u8>) => send(from, none),
            (from, names): (Pid, Vec<Name>) => send(from, names),
            (from, pids): (Pid, Vec<Pid>) => send(from, pids),
            (from, references): (Pid, Vec<Reference>) => send(from, references),
            Ask { from, n } => send(from, Answer { from: self_pid(), n }),
        }
    }
}
