//! One connection to a node, from the first signal that wants to go there to its end.
//!
//! While it is pending, signals wait in it in their order. When it is up, senders put what they
//! have encoded into its output under its lock, and whatever a worker's turn has gathered goes
//! out in one write (`writing`); the worker that waits for the socket reads and routes
//! (`reading`). When it is down it stays so: the next signal to that node makes another one.
//!
//! It notes which local processes have links, monitors or requests over it, and tells them
//! of the loss; what they make of it is theirs. Which channel a node has is `table`'s to
//! know, and what its coming and going means is `net_kernel`'s.
//!
//! # Invariants
//! 1. No signal is delivered, nothing is reported and no code of the program or of its transport
//!    runs while `state` is locked, since all of these may use this channel. So a message is
//!    encoded before, with its type, and its value is dropped afterwards.
//! 2. `reading` is held from the read to the last delivery of what was read, so signals
//!    arrive in order, and a loss is told of after all of them.
//! 3. `writing` is held from when a batch is taken until it is written, so bytes go out in order.
//!    Its holder may lock `state`, never the other way around.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use fika_runtime::{
    Busy, Carried, Congested, ConnectionId, EncodeError, Envelope, ExitReason, Node,
    NodeDownReason, NodeId, NodeName, NodeType, Observed, Outlet, Pid, RemoteDest, Signal,
    SpawnError, SpawnRequest, Target, report,
};
use parking_lot::{Mutex, MutexGuard};

use super::congestion::{Congestion, OutputBytes, Way};
use super::reading::Reading;
use super::undecoded::Undecoded;
use super::writing::Writing;
use crate::dist::state::{Config, Net, NetHandler, Unsent};
use crate::io::{Handler, SocketOptions, Stream};
use crate::proto::connection::{Receiving, Refused, Sending};
use crate::proto::control::SendError;
use crate::proto::limits::Limits;
use crate::proto::parcel::{Cargo, Parcel, Payload};
use crate::proto::tick::Verdict;

/// The set of watchers is searched for the dead when it has grown to this and doubled.
const WATCHERS_KEPT: usize = 1024;

pub(crate) struct Channel {
    id: ConnectionId,
    pub(crate) peer: NodeName,
    pub(crate) net: Weak<Net>,
    pub(crate) this: Weak<Channel>,
    limits: Limits,
    pub(crate) state: Mutex<State>,
    /// What is read with, while the channel is up; see invariant 2.
    pub(crate) reading: Mutex<Option<Reading>>,
    /// The bytes that it has received.
    pub(crate) received: AtomicU64,
    /// What is being written; see invariant 3.
    pub(crate) writing: Outlet<Writing>,
    /// It is in the node's list of channels with output that nobody has begun to write.
    pub(crate) noted: AtomicBool,
    /// The transport has refused to take anything, and not for want of room.
    pub(crate) broken: AtomicBool,
    /// A user's word in what comes in.
    pub(crate) handler: Option<Arc<dyn NetHandler>>,
    pub(crate) observed: Observed,
    /// Counts of values that did not decode, on either side.
    pub(crate) undecodable: Undecoded,
}

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

/// What was sent waits, in order.
#[derive(Default)]
pub(crate) struct Pending {
    queue: Vec<Queued>,
    bytes: usize,
}

/// Something to be sent. A signal has a destination.
pub(crate) struct Queued {
    /// The process that sends it, if one does.
    pub(crate) sender: Option<Pid>,
    pub(crate) to: Option<RemoteDest>,
    pub(crate) parcel: Parcel,
}

pub(crate) struct Up {
    node: NodeId,
    hidden: bool,
    pub(crate) sending: Sending,
    stream: Arc<Stream>,
    /// Ends that are told when the connection is not congested any more (BUSY-5): a reason
    /// that many share is there once, as long as it is not encoded.
    deferred: VecDeque<(RemoteDest, Signal)>,
}

/// Local processes with links, monitors or requests over a connection, and some that had.
#[derive(Default)]
struct Watchers {
    pids: BTreeSet<Pid>,
    /// How many were left when the dead were last thrown out.
    kept: usize,
}

/// What became of something that was to be sent.
pub(crate) enum Sent {
    /// It is queued.
    Yes {
        /// More waits than is good.
        congested: bool,
    },
    /// It is not sent: this way is congested already.
    Busy(Box<Queued>, Way),
    /// It is for an earlier life of the node.
    Stale(Box<Queued>),
    /// The channel is down.
    Gone(Box<Queued>),
}

/// Something was put into the output.
#[derive(Clone, Copy)]
pub(crate) struct Put {
    /// What waits there now: [`Channel::has_output`] is to be told, if it
    /// [cares](Channel::is_to_know).
    pub(crate) bytes: OutputBytes,
    /// That is more than is good.
    pub(crate) congested: bool,
}

impl Channel {
    pub(crate) fn new(
        id: ConnectionId,
        peer: NodeName,
        net: Weak<Net>,
        config: &Config,
        observed: Observed,
    ) -> Arc<Channel> {
        let congestion = Congestion::new(config.output_high_bytes, config.output_low_bytes);
        let phase = Phase::Pending(Pending::default());
        let state = State { phase, congestion, watchers: Watchers::default() };
        Arc::new_cyclic(|this| Channel {
            id,
            peer,
            net,
            this: this.clone(),
            limits: config.limits(),
            state: Mutex::new(state),
            reading: Mutex::default(),
            received: AtomicU64::new(0),
            writing: Outlet::default(),
            noted: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            handler: config.handler.clone(),
            observed,
            undecodable: Undecoded::default(),
        })
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    pub(crate) fn peer(&self) -> &NodeName {
        &self.peer
    }

    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Pending(_))
    }

    pub(crate) fn is_down(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Down)
    }

    /// Returns the way that a small message of this sender would take, if it is congested.
    pub(crate) fn congested_way(&self, sender: Option<Pid>) -> Option<Way> {
        let mut state = self.state.lock();
        let way = state.way(sender, false);
        state.is_congested(way).then_some(way)
    }

    /// Returns the error for a send that this congested way refuses.
    pub(crate) fn busy(self: &Arc<Self>, way: Way) -> Busy {
        let congested = Arc::new(CongestedWay { channel: self.clone(), way });
        Busy { connection: self.id, congested }
    }

    /// The type of the node at the other end, while the channel is up.
    pub(crate) fn node_type(&self) -> Option<NodeType> {
        match &self.state.lock().phase {
            Phase::Up(up) => Some(up.node_type()),
            Phase::Pending(_) | Phase::Down => None,
        }
    }

    /// Returns the node at the other end, while the channel is up.
    pub(crate) fn peer_id(&self) -> Option<NodeId> {
        match &self.state.lock().phase {
            Phase::Up(up) => Some(up.node),
            Phase::Pending(_) | Phase::Down => None,
        }
    }

    /// Returns the stream, while the channel is up.
    fn stream(&self) -> Option<Arc<Stream>> {
        match &self.state.lock().phase {
            Phase::Up(up) => Some(up.stream.clone()),
            Phase::Pending(_) | Phase::Down => None,
        }
    }

    /// How many bytes wait to be written.
    pub(crate) fn output_bytes(&self) -> usize {
        self.state.lock().output_bytes().all
    }

    /// What became of something that was sent over it.
    #[inline]
    pub(crate) fn carried(self: &Arc<Self>, congested: bool) -> Carried {
        let congested = congested.then(|| self.clone() as Arc<dyn Congested>);
        Carried { connection: self.id, congested }
    }

    /// The end of a process is told later, if the connection is congested.
    pub(crate) fn defer(&self, to: &RemoteDest, signal: Signal) -> Option<Signal> {
        let mut state = self.state.lock();
        let congested = state.is_congested(Way::Small);
        match &mut state.phase {
            Phase::Up(up) if up.is_for(to) && (congested || !up.deferred.is_empty()) => {
                up.deferred.push_back((to.clone(), signal));
                None
            }
            _ => Some(signal),
        }
    }

    /// Sends it, or has it wait. `nosuspend`: not if more waits than is good.
    pub(crate) fn send(&self, mut queued: Queued, nosuspend: bool) -> Result<Sent, EncodeError> {
        // Dropped after the lock is released.
        let value = queued.parcel.take_value();
        let back = |mut queued: Queued, value| {
            queued.parcel.put_back(value);
            Box::new(queued)
        };
        let mut state = self.state.lock();
        let way = state.way(queued.sender, queued.parcel.is_large());
        if nosuspend && state.is_congested(way) {
            return Ok(Sent::Busy(back(queued, value), way));
        }
        if let Some(watcher) = queued.watcher() {
            state.watch(watcher, &self.net);
        }
        match &mut state.phase {
            Phase::Pending(pending) => {
                pending.bytes += queued.parcel.size();
                pending.queue.push(queued);
                Ok(Sent::Yes { congested: state.is_congested(way) })
            }
            Phase::Down => Ok(Sent::Gone(back(queued, value))),
            Phase::Up(up) if !queued.to.as_ref().is_none_or(|to| up.is_for(to)) => {
                Ok(Sent::Stale(back(queued, value)))
            }
            Phase::Up(up) => {
                let refused = up.send(queued).err();
                let congested = self.sent(way, state);
                refused.map_or(Ok(()), |refused| self.refused(*refused))?;
                Ok(Sent::Yes { congested })
            }
        }
    }

    /// Handles something that can't be sent. A request to spawn is answered; for anything else the
    /// caller gets the error.
    fn refused(&self, (why, parcel): (SendError, Parcel)) -> Result<(), EncodeError> {
        match parcel.into_cargo() {
            Cargo::Signal(signal) => Err(refused_signal(why, &signal)),
            Cargo::Message(of) => Err(refused_message(why, of.name())),
            Cargo::Spawn(request) => {
                let mut unsent = Unsent::default();
                let (pid, answer) = not_spawned(&why, &request, &mut unsent);
                unsent.report(self);
                self.deliver(&Target::Pid(pid), answer);
                Ok(())
            }
        }
    }

    /// Puts a message to a process of the node at the other end into the output. None if it does
    /// not go out at once, and is to be sent in another way.
    ///
    /// Nothing is written here, since the caller holds the table; see [`Put`].
    pub(crate) fn put_message(
        &self,
        sender: Option<Pid>,
        to: Pid,
        message: &Envelope,
        payload: &Payload,
    ) -> Result<Option<Put>, SendError> {
        payload.check(&self.limits)?;
        let mut state = self.state.lock();
        let Phase::Up(up) = &mut state.phase else { return Ok(None) };
        let is_put = up.node == to.node()
            && up.sending.send_message(sender, to.local(), message, payload)?;
        // Only what is small goes out at once.
        Ok(is_put.then(|| self.put(Way::Small, state)))
    }

    /// Something was put into the output; true if more waits now than is good.
    fn sent(&self, way: Way, state: MutexGuard<'_, State>) -> bool {
        let Put { bytes, congested } = self.put(way, state);
        self.has_output(bytes);
        congested
    }

    fn put(&self, way: Way, mut state: MutexGuard<'_, State>) -> Put {
        let bytes = state.output_bytes();
        self.observed.tell(|observer| observer.queued(self.id, bytes.all));
        Put { bytes, congested: state.is_congested(way) }
    }

    /// The handshake is over: what has waited goes out. Nothing is read before
    /// [`activate`](Channel::activate). False if the channel is not pending any more.
    /// `early`: what the peer has sent together with its handshake.
    pub(crate) fn go_up(
        &self,
        (sending, receiving): (Sending, Receiving),
        early: &[u8],
        stream: Stream,
        hidden: bool,
    ) -> Option<NodeId> {
        let stream = Arc::new(stream);
        let ends = stream.local_addr().map(|local| [local, stream.peer_addr()]);
        let mut reading = self.reading.lock();
        let writing = Writing::new(stream.clone());
        self.writing.change(|before| *before = writing);
        let mut state = self.state.lock();
        let Phase::Pending(pending) = &mut state.phase else { return None };
        let queue = std::mem::take(&mut pending.queue);
        *reading = Some(Reading::new(receiving, stream.clone(), early));
        let node = sending.peer();
        if let Ok(ends) = ends {
            self.observed.tell(|observer| {
                if let Some(net) = self.net.upgrade() {
                    let own = NodeId::of(net.name(), net.creation);
                    observer.connected(self.id, [own, node], ends);
                }
            });
        }
        let deferred = VecDeque::new();
        let mut up = Box::new(Up { node, hidden, sending, stream, deferred });
        let (mut stale, mut refused) = (Vec::new(), Vec::new());
        for queued in queue {
            match queued.to {
                Some(to) if !up.is_for(&to) => stale.push((to, queued.parcel)),
                _ => refused.extend(up.send(queued).err()),
            }
        }
        state.phase = Phase::Up(up);
        drop(reading);
        self.sent(Way::Small, state);
        let mut unsent = Unsent::default();
        for refused in refused {
            if let Err(error) = self.refused(*refused) {
                unsent.add("a signal was not sent", error);
            }
        }
        unsent.report(self);
        for (to, parcel) in stale {
            if let Some((to, answer)) = answer_stale(&to, parcel.into_cargo()) {
                self.deliver(&Target::Pid(to), answer);
            }
        }
        Some(node)
    }

    /// From now on the driver reads, and what has come meanwhile is taken in.
    pub(crate) fn activate(self: &Arc<Self>) {
        if let Some(stream) = self.stream() {
            stream.set_handler(self.clone());
        }
        self.ready(true, true);
    }

    /// Ends the channel: watchers are told, then net_kernel. Does nothing when it is down.
    pub(crate) fn lose(self: &Arc<Self>, reason: NodeDownReason) {
        // After all that was read has been delivered.
        let mut reading = self.reading.lock();
        let left = self.lose_read(&mut reading, reason);
        drop(reading);
        drop(left);
    }

    /// Returns what is left of the channel: the caller drops it when `reading` is unlocked, since
    /// the destructors are partly those of the program and of its transport.
    #[must_use]
    pub(crate) fn lose_read(
        self: &Arc<Self>,
        reading: &mut Option<Reading>,
        reason: NodeDownReason,
    ) -> (Option<Reading>, Phase) {
        let reading = reading.take();
        let mut state = self.state.lock();
        let phase = std::mem::replace(&mut state.phase, Phase::Down);
        let watchers = std::mem::take(&mut state.watchers);
        let held_up = state.congestion.end();
        drop(state);
        let node = match &phase {
            Phase::Down => return (reading, phase),
            Phase::Pending(_) => None,
            Phase::Up(up) => {
                up.stream.release_handler();
                // The peer may have closed it already.
                let _ = up.stream.shutdown(Shutdown::Both);
                Some(up.node)
            }
        };
        self.observed.tell(|observer| observer.lost(self.id));
        // The thread that writes drops what is left.
        self.write();
        for pid in watchers.pids {
            let signal = Signal::ConnectionLost { node, connection: self.id };
            self.deliver(&Target::Pid(pid), signal);
        }
        self.go_on(held_up);
        if let Some(net) = self.net.upgrade() {
            net.lost(self, node, reason);
        }
        (reading, phase)
    }

    /// Sends a tick if nothing else is about to go out.
    pub(crate) fn tick(&self) {
        if let Phase::Up(up) = &mut self.state.lock().phase {
            up.sending.queue_tick();
        }
        self.write();
    }

    /// Sets options of the socket; none if the channel is not up.
    pub(crate) fn set_options(&self, options: &SocketOptions) -> Option<io::Result<()>> {
        self.stream().map(|stream| stream.set_options(options))
    }

    /// The options of the socket; none if the channel is not up.
    pub(crate) fn options(&self) -> Option<io::Result<SocketOptions>> {
        self.stream().map(|stream| stream.options())
    }

    /// One check of the ticks.
    pub(crate) fn check(self: &Arc<Self>) {
        // After a stall of our own the peer's bytes are waiting to be read: they count.
        let is_more_there = self.read(false);
        self.tell_untold();
        let mut state = self.state.lock();
        let Phase::Up(up) = &mut state.phase else { return };
        let verdict = up.sending.handle_tick(self.received.load(Ordering::Relaxed));
        drop(state);
        if verdict == Verdict::Dead {
            report!(error, node = %self.peer, "nothing was heard for the whole ticktime");
            return self.lose(NodeDownReason::NetTickTimeout);
        }
        if verdict == Verdict::SendTick {
            self.write();
        }
        // A connection that the peer has closed is broken as well: that is found out by reading.
        if self.broken.load(Ordering::Relaxed) && !is_more_there {
            report!(error, node = %self.peer, "no tick can be sent");
            self.lose(NodeDownReason::SendNetTickFailed);
        }
    }

    /// There is room again for these.
    pub(crate) fn go_on(&self, held_up: BTreeSet<Pid>) {
        for pid in held_up {
            self.deliver(&Target::Pid(pid), Signal::ConnectionRoom { connection: self.id });
        }
    }

    pub(crate) fn watch(&self, pid: Pid) {
        self.state.lock().watch(pid, &self.net);
    }

    fn deliver(&self, to: &Target, signal: Signal) {
        if let Some(node) = self.node() {
            node.receive(to, signal);
        }
    }

    pub(crate) fn node(&self) -> Option<Node> {
        self.net.upgrade()?.node()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl Handler for Channel {
    fn ready(&self, readable: bool, writable: bool) {
        let Some(this) = self.this.upgrade() else { return };
        if readable {
            this.read(false);
        }
        if writable {
            this.write();
        }
    }

    fn ready_and_open(&self, readable: bool, writable: bool) {
        let Some(this) = self.this.upgrade() else { return };
        if readable {
            this.read(true);
        }
        // One packet usually reports both: only what has waited for room is written.
        if writable {
            this.has_room();
        }
    }
}

impl Congested for Channel {
    fn node(&self) -> NodeName {
        self.peer.clone()
    }

    fn wait(&self, pid: Pid) -> bool {
        let mut state = self.state.lock();
        let way = state.way(Some(pid), false);
        state.congestion.wait(way, pid)
    }
}

/// One way of a channel, to wait for.
struct CongestedWay {
    channel: Arc<Channel>,
    way: Way,
}

impl Congested for CongestedWay {
    fn node(&self) -> NodeName {
        self.channel.peer.clone()
    }

    fn wait(&self, pid: Pid) -> bool {
        self.channel.state.lock().congestion.wait(self.way, pid)
    }
}

impl Queued {
    /// Returns the process to tell if the connection is lost.
    fn watcher(&self) -> Option<Pid> {
        match self.parcel.cargo() {
            Cargo::Spawn(request) => Some(request.from),
            Cargo::Signal(Signal::Link { from } | Signal::Monitor { from, .. }) => Some(*from),
            Cargo::Signal(_) | Cargo::Message(_) => None,
        }
    }
}

impl Up {
    fn node_type(&self) -> NodeType {
        if self.hidden { NodeType::Hidden } else { NodeType::Visible }
    }

    /// Whether a destination on this node's name is on this life of it.
    fn is_for(&self, to: &RemoteDest) -> bool {
        match to {
            RemoteDest::Name(..) => true,
            _ => to.node() == Some(self.node),
        }
    }

    pub(crate) fn output_bytes(&self) -> OutputBytes {
        let (small, all) = (self.sending.small_output_bytes(), self.sending.output_bytes());
        OutputBytes { small, all }
    }

    fn send(&mut self, queued: Queued) -> Result<(), Refused> {
        let Queued { sender, to, parcel } = queued;
        self.sending.send(sender, to.as_ref().map(RemoteDest::target), parcel)
    }

    /// Tells ends that have waited, as many as there is room for.
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
                unsent.add("the end of a process could not be told", error);
            }
        }
    }
}

impl State {
    pub(crate) fn output_bytes(&self) -> OutputBytes {
        match &self.phase {
            Phase::Up(up) => up.output_bytes(),
            Phase::Pending(Pending { bytes, .. }) => OutputBytes { small: *bytes, all: *bytes },
            Phase::Down => OutputBytes::default(),
        }
    }

    /// What a sender waits for who sends something, or has.
    fn way(&self, sender: Option<Pid>, is_large: bool) -> Way {
        match &self.phase {
            Phase::Up(up) if is_large || up.sending.has_large(sender) => Way::Large,
            _ => Way::Small,
        }
    }

    fn is_congested(&mut self, way: Way) -> bool {
        let bytes = self.output_bytes();
        self.congestion.is_congested(way, bytes)
    }

    /// Notes a process that is to be told of the loss.
    fn watch(&mut self, pid: Pid, net: &Weak<Net>) {
        let watchers = &mut self.watchers;
        watchers.pids.insert(pid);
        if watchers.pids.len() >= WATCHERS_KEPT.max(2 * watchers.kept)
            && let Some(node) = net.upgrade().and_then(|net| net.node())
        {
            watchers.pids.retain(|pid| node.is_told_of_loss(*pid));
            watchers.kept = watchers.pids.len();
        }
    }
}

/// What the caller is told of a signal that can't be sent.
pub(crate) fn refused_signal(why: SendError, signal: &Signal) -> EncodeError {
    match (why, signal) {
        (SendError::Encode(error), _) => error,
        (why, Signal::Message(message)) => refused_message(why, message.type_name()),
        (why, _) => EncodeError::refused("signal", why.to_string()),
    }
}

/// The same of a message.
pub(crate) fn refused_message(why: SendError, type_name: &str) -> EncodeError {
    match why {
        SendError::Encode(error) => error,
        why => EncodeError::refused(type_name, why.to_string()),
    }
}

/// The answer to a request to spawn that can't be sent.
pub(crate) fn not_spawned(
    why: &SendError,
    request: &SpawnRequest,
    unsent: &mut Unsent,
) -> (Pid, Signal) {
    let error = format_args!("{}: {why}", request.function);
    unsent.add("a request to spawn was not sent", error);
    let result = Err(SpawnError::SystemLimit);
    (request.from, Signal::SpawnReply { reference: request.reference, result })
}

/// What answers a signal to a process of an earlier life of its node: there is no such
/// process any more.
pub(crate) fn answer_stale(to: &RemoteDest, cargo: Cargo) -> Option<(Pid, Signal)> {
    let RemoteDest::Pid(dead) = *to else { return None };
    let Cargo::Signal(signal) = cargo else { return None };
    let reason = ExitReason::Noproc;
    match signal {
        Signal::Link { from } => Some((from, Signal::Exit { from: dead, reason, by_link: true })),
        Signal::Monitor { from, reference } => {
            Some((from, Signal::Down { from: Some(dead), reference, reason }))
        }
        Signal::Unlink { from, id } => Some((from, Signal::UnlinkAck { from: dead, id })),
        _ => None,
    }
}
