//! Checks the signals that nodes send each other. The signals of each pair of processes arrive in
//! order and once. They arrive at the life of the node that they were sent to, and not after the
//! loss of the connection was reported.
//!
//! A message on the wire does not name its sender. So an arriving signal is matched with the
//! signals in flight on the same connection: with the first one that is equal and has no earlier
//! signal of the same pair before it. If none matches, a signal was overtaken, arrived twice, or
//! was changed on the way.

use fika_runtime::{
    ConnectionId, Encoded, Envelope, NodeId, NodeName, Pid, RemoteDest, Signal, SignalRef, Target,
};
use std::collections::{BTreeMap, VecDeque};
use std::hash::Hasher;
use std::net::SocketAddr;

use crate::log::Fnv;
use crate::watch::kind;

/// One end of a connection: a life of a node, and that node's number for the connection.
type End = (NodeId, ConnectionId);

/// A connection, as both of its ends know it: their names and addresses.
type Wire = [(NodeName, SocketAddr); 2];

/// All signals in flight between the nodes of a simulation.
#[derive(Default)]
pub(crate) struct Order {
    ways: BTreeMap<End, Way>,
    /// The ends of connections whose other end is not up yet.
    half: BTreeMap<Wire, End>,
}

/// The state of one end: the signals that it has sent, and its peer.
#[derive(Default)]
struct Way {
    under_way: VecDeque<Sent>,
    other: Option<End>,
    /// The id under which this end has introduced itself.
    own: Option<NodeId>,
    /// The loss of the connection was reported at this end.
    is_lost: bool,
}

/// A signal that was given to the carrier.
pub(crate) struct Sent {
    by: Option<Pid>,
    to: RemoteDest,
    what: What,
}

/// The parts of a signal by which it is recognized.
#[derive(PartialEq, Eq)]
struct What {
    kind: String,
    hash: u64,
}

impl Order {
    pub(crate) fn sent(&mut self, end: End, sent: Sent) {
        let way = self.ways.entry(end).or_default();
        let other = way.other;
        let is_heard = !way.is_lost && !other.is_some_and(|other| self.is_lost(other));
        if is_heard && let Some(way) = self.ways.get_mut(&end) {
            way.under_way.push_back(sent);
        }
    }

    pub(crate) fn is_lost(&self, end: End) -> bool {
        self.ways.get(&end).is_some_and(|way| way.is_lost)
    }

    /// Notes that an end is up; returns what is wrong with it.
    pub(crate) fn connected(
        &mut self,
        end: End,
        [own, peer]: [NodeId; 2],
        [local, remote]: [SocketAddr; 2],
    ) -> Option<String> {
        let mut wire = [(own.name(), local), (peer.name(), remote)];
        wire.sort_unstable();
        self.ways.entry(end).or_default().own = Some(own);
        let Some(other) = self.half.remove(&wire) else {
            self.half.insert(wire, end);
            return None;
        };
        self.ways.entry(end).or_default().other = Some(other);
        let way = self.ways.entry(other).or_default();
        way.other = Some(end);
        let is_right = way.own == Some(peer);
        (!is_right).then(|| format!("connected to {peer:?}, but the peer is {:?}", way.own))
    }

    pub(crate) fn lost(&mut self, end: End) {
        let way = self.ways.entry(end).or_default();
        way.is_lost = true;
        // The peer may still receive what this end has written. This end receives nothing more.
        let other = way.other;
        if let Some(way) = other.and_then(|other| self.ways.get_mut(&other)) {
            way.under_way.clear();
        }
    }

    /// Notes that a signal has arrived at this end; returns what is wrong with it.
    pub(crate) fn received(
        &mut self,
        end: End,
        to: &Target,
        signal: SignalRef<'_>,
    ) -> Option<String> {
        let what = What::of(signal);
        let said = || format!("{} to {to:?} over connection {}", what.kind, end.1.0);
        let way = self.ways.get(&end);
        if way.is_some_and(|way| way.is_lost) {
            return Some(format!(
                "{} arrives after the loss of the connection was reported",
                said()
            ));
        }
        let (own, other) = way.map_or((None, None), |way| (way.own, way.other));
        let Some(other) = other.and_then(|other| self.ways.get_mut(&other)) else {
            return Some(format!("{} arrives, but its other end is not up", said()));
        };
        let queue = &mut other.under_way;
        let is_it = |sent: &Sent| is_same(&sent.to, to) && sent.what == what;
        let same_pair = |a: &Sent, b: &Sent| a.by == b.by && a.to == b.to;
        let is_meant = |sent: &Sent| sent.to.node().is_none_or(|meant| Some(meant) == own);
        let is_next = |place: usize, sent: &Sent| {
            is_it(sent)
                && is_meant(sent)
                && !queue.iter().take(place).any(|before| same_pair(before, sent))
        };
        let next = queue.iter().enumerate().position(|(place, sent)| is_next(place, sent));
        if next.and_then(|place| queue.remove(place)).is_some() {
            return None;
        }
        // Messages between two net_kernels do not go through the carrier.
        if matches!(to, Target::Name(name) if name.as_str() == "net_kernel") {
            return None;
        }
        if let Some(earlier) = queue.iter().find(|sent| is_it(sent) && !is_meant(sent)) {
            return Some(format!("{} is for an earlier life: {:?}", said(), earlier.to));
        }
        let Some(late) = queue.iter().find(|sent| is_it(sent)) else {
            return Some(format!("{} arrives a second time, or was never sent", said()));
        };
        let first = queue.iter().find(|before| same_pair(before, late)).unwrap_or(late);
        Some(format!("{} of {:?} has overtaken an earlier {}", said(), late.by, first.what.kind))
    }

    /// Returns what is wrong when all nodes are idle: a connection with only one end up, or a
    /// signal that was sent and has not arrived.
    pub(crate) fn left(&self, is_alive: impl Fn(NodeId) -> bool) -> Option<String> {
        let up = self.ways.iter().filter(|(end, way)| !way.is_lost && is_alive(end.0));
        let up = up.filter_map(|(end, way)| Some((end, way, way.other?)));
        up.into_iter().find_map(|((life, connection), way, other)| {
            let (name, number) = (life.name(), connection.0);
            if self.is_lost(other) || !is_alive(other.0) {
                return Some(format!(
                    "connection {number} of {name} to {:?} is up at one end only",
                    other.0
                ));
            }
            let own = self.ways.get(&other).and_then(|way| way.own);
            // Signals to a process of an earlier life are not sent.
            let is_due = |sent: &&Sent| sent.to.node().is_none_or(|node| Some(node) == own);
            let sent = way.under_way.iter().find(is_due)?;
            let (kind, by, to) = (&sent.what.kind, sent.by, &sent.to);
            Some(format!("{kind} of {by:?} to {to:?} over connection {number} has not arrived"))
        })
    }
}

impl Sent {
    pub(crate) fn new(by: Option<Pid>, to: &RemoteDest, signal: SignalRef<'_>) -> Sent {
        Sent { by: sender(signal).or(by), to: to.clone(), what: What::of(signal) }
    }
}

/// Returns the sender of a signal, if the signal names one.
fn sender(signal: SignalRef<'_>) -> Option<Pid> {
    let SignalRef::Other(signal) = signal else { return None };
    match signal {
        Signal::Link { from }
        | Signal::Unlink { from, .. }
        | Signal::UnlinkAck { from, .. }
        | Signal::Monitor { from, .. }
        | Signal::Demonitor { from, .. }
        | Signal::Exit { from, .. } => Some(*from),
        Signal::Down { from, .. } => *from,
        Signal::SpawnReply { result, .. } => result.ok(),
        _ => None,
    }
}

/// Returns whether `came` is the target `sent`, in this life of the receiver or another.
fn is_same(sent: &RemoteDest, came: &Target) -> bool {
    match (sent, came) {
        (RemoteDest::Pid(sent), Target::Pid(came)) => sent.local() == came.local(),
        (RemoteDest::Alias(sent), Target::Alias(came)) => {
            sent.reference.serial() == came.reference.serial()
        }
        (RemoteDest::Name(sent, _), Target::Name(came)) => sent == came,
        _ => false,
    }
}

impl What {
    fn of(signal: SignalRef<'_>) -> What {
        let mut hash = Fnv::default();
        let kind = match signal {
            SignalRef::Message(message) => {
                hash_message(message, &mut hash);
                message.wire_type().tag.to_string()
            }
            SignalRef::Other(signal) => {
                match signal {
                    // A reason has several encodings.
                    Signal::Exit { by_link, .. } => hash.write_u8((*by_link).into()),
                    Signal::Down { reference, .. } => hash.write_u64(reference.serial()),
                    // Only the receiver knows the connection.
                    Signal::SpawnReply { reference, result, .. } => {
                        hash.write(format!("{reference:?} {result:?}").as_bytes());
                    }
                    other => hash.write(format!("{other:?}").as_bytes()),
                }
                kind(signal).to_owned()
            }
        };
        if let Some(from) = sender(signal) {
            hash.write_u32(from.local().slot);
            hash.write_u32(from.local().generation);
        }
        What { kind, hash: hash.finish() }
    }
}

fn hash_message(message: &Envelope, hash: &mut Fnv) {
    // A message that can't be encoded is not sent.
    let Ok(Encoded { nodes, bytes, .. }) = message.to_encoded() else { return };
    for node in nodes {
        hash.write(node.name().as_str().as_bytes());
        hash.write_u32(node.creation().0);
    }
    hash.write(&bytes);
}
