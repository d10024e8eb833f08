//! The state that a channel keeps under its lock: the phase of its connection, the signals that
//! wait to be sent, and the processes to notify of the loss.
//!
//! Nothing here sends, delivers or reports: the channel does that after it has released the lock.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use fika_runtime::{Node, NodeId, NodeType, Pid, RemoteDest, Signal};

use super::congestion::{Congestion, OutputBytes, Way};
use super::unsent::Unsent;
use crate::io::Stream;
use crate::proto::connection::{Refused, Sending};
use crate::proto::limits::Limits;
use crate::proto::parcel::{Cargo, Parcel};

/// When the set of watchers has at least this many and has doubled since the last search, it is
/// searched for processes that no longer need to be notified.
const WATCHERS_KEPT: usize = 1024;

pub(crate) struct State {
    pub(crate) phase: Phase,
    pub(crate) congestion: Congestion,
    watchers: Watchers,
}

pub(crate) enum Phase {
    Pending(Pending),
    Up(Box<Up>),
    Down,
}

/// The signals that wait for the connection to be up, in order.
#[derive(Default)]
pub(crate) struct Pending {
    queue: Vec<Queued>,
    bytes: usize,
}

/// A parcel to send, with its sender. `to` is set for signals, and not for requests to spawn.
pub(crate) struct Queued {
    /// The process that sends the parcel, if a process does.
    pub(crate) sender: Option<Pid>,
    pub(crate) to: Option<RemoteDest>,
    pub(crate) parcel: Parcel,
}

pub(crate) struct Up {
    pub(crate) node: NodeId,
    hidden: bool,
    pub(crate) sending: Sending,
    pub(crate) stream: Arc<Stream>,
    /// The signals of ended processes that are sent when the connection is not congested any more
    /// (BUSY-5). They are encoded only then, so an exit reason that many signals share is kept
    /// once.
    deferred: VecDeque<(RemoteDest, Signal)>,
}

/// Local processes that have, or have had, links, monitors or requests over the connection.
#[derive(Default)]
struct Watchers {
    pids: BTreeSet<Pid>,
    /// The number of processes that were left after the last search.
    kept: usize,
}

impl State {
    pub(crate) fn new(congestion: Congestion) -> State {
        let phase = Phase::Pending(Pending::default());
        State { phase, congestion, watchers: Watchers::default() }
    }

    /// Returns the connection, if it is up.
    pub(crate) fn up(&self) -> Option<&Up> {
        match &self.phase {
            Phase::Up(up) => Some(up),
            Phase::Pending(_) | Phase::Down => None,
        }
    }

    /// Takes the signals that have waited for the connection. Returns `None` if the channel is not
    /// pending.
    pub(crate) fn take_pending(&mut self) -> Option<Vec<Queued>> {
        match &mut self.phase {
            Phase::Pending(pending) => Some(std::mem::take(&mut pending.queue)),
            Phase::Up(_) | Phase::Down => None,
        }
    }

    pub(crate) fn output_bytes(&self) -> OutputBytes {
        match &self.phase {
            Phase::Up(up) => up.output_bytes(),
            Phase::Pending(Pending { bytes, .. }) => OutputBytes { small: *bytes, all: *bytes },
            Phase::Down => OutputBytes::default(),
        }
    }

    /// Returns the way whose congestion suspends this sender. `is_large` is for the message that it
    /// sends now.
    pub(crate) fn way(&self, sender: Option<Pid>, is_large: bool) -> Way {
        match &self.phase {
            Phase::Up(up) if is_large || up.sending.has_large(sender) => Way::Large,
            _ => Way::Small,
        }
    }

    pub(crate) fn is_congested(&mut self, way: Way) -> bool {
        let bytes = self.output_bytes();
        self.congestion.is_congested(way, bytes)
    }

    /// Adds a process to notify when the connection is lost.
    pub(crate) fn watch(&mut self, pid: Pid, node: impl FnOnce() -> Option<Node>) {
        let watchers = &mut self.watchers;
        watchers.pids.insert(pid);
        if watchers.pids.len() >= WATCHERS_KEPT.max(2 * watchers.kept)
            && let Some(node) = node()
        {
            watchers.pids.retain(|pid| node.is_told_of_loss(*pid));
            watchers.kept = watchers.pids.len();
        }
    }

    pub(crate) fn take_watchers(&mut self) -> BTreeSet<Pid> {
        std::mem::take(&mut self.watchers).pids
    }
}

impl Pending {
    pub(crate) fn push(&mut self, queued: Queued) {
        self.bytes += queued.parcel.size();
        self.queue.push(queued);
    }
}

impl Queued {
    /// Returns the process to notify if the connection is lost.
    pub(crate) fn watcher(&self) -> Option<Pid> {
        match self.parcel.cargo() {
            Cargo::Spawn(request) => Some(request.from),
            Cargo::Signal(Signal::Link { from } | Signal::Monitor { from, .. }) => Some(*from),
            Cargo::Signal(_) | Cargo::Message(_) => None,
        }
    }
}

impl Up {
    pub(crate) fn new(sending: Sending, stream: Arc<Stream>, hidden: bool) -> Box<Up> {
        let (node, deferred) = (sending.peer(), VecDeque::new());
        Box::new(Up { node, hidden, sending, stream, deferred })
    }

    pub(crate) fn node_type(&self) -> NodeType {
        if self.hidden { NodeType::Hidden } else { NodeType::Visible }
    }

    /// Returns whether this destination, which is on a node with the peer's name, belongs to this
    /// life of the peer.
    pub(crate) fn is_for(&self, to: &RemoteDest) -> bool {
        match to {
            RemoteDest::Name(..) => true,
            _ => to.node() == Some(self.node),
        }
    }

    pub(crate) fn output_bytes(&self) -> OutputBytes {
        let (small, all) = (self.sending.small_output_bytes(), self.sending.output_bytes());
        OutputBytes { small, all }
    }

    pub(crate) fn send(&mut self, queued: Queued) -> Result<(), Refused> {
        let Queued { sender, to, parcel } = queued;
        self.sending.send(sender, to.as_ref().map(RemoteDest::target), parcel)
    }

    /// Returns whether signals of ended processes are waiting. Later ones must then wait, too.
    pub(crate) fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }

    pub(crate) fn defer(&mut self, to: RemoteDest, signal: Signal) {
        self.deferred.push_back((to, signal));
    }

    /// Sends deferred signals of ended processes while there is room.
    pub(crate) fn send_deferred(
        &mut self,
        limits: &Limits,
        congestion: &Congestion,
        unsent: &mut Unsent,
    ) {
        while congestion.has_room(self.output_bytes())
            && let Some((to, signal)) = self.deferred.pop_front()
        {
            let mut replaced = None;
            let parcel = Parcel::signal(signal, limits, &mut replaced);
            unsent.add_replaced(replaced);
            let sent = parcel.map_err(|(why, _)| why).and_then(|parcel| {
                let (sender, target) = (parcel.from(), Some(to.target()));
                self.sending.send(sender, target, parcel).map_err(|refused| refused.0)
            });
            if let Err(error) = sent {
                unsent.add("the signal of the end of a process could not be sent", error);
            }
        }
    }
}
