//! One connection to a node, from the first signal to that node to the end of the connection.
//!
//! While the channel is pending, it queues signals in their order. When it is up, senders append
//! encoded signals to its output under its lock. The output of a worker's turn is sent with one
//! write (`writing`). The worker that waits for the socket reads and routes (`reading`). A channel
//! that is down stays down: the next signal to that node makes another channel.
//!
//! The channel keeps a list of the local processes with links, monitors or requests over it, and
//! notifies them when the connection is lost. The processes themselves decide what the loss means.
//! The channel knows its node only as its [`Owner`]. The owner decides which channel a node has,
//! and what the end of a channel means.
//!
//! # Invariants
//! 1. While `state` is locked, no signal is delivered, nothing is reported, and no code of the
//!    program or of its transport runs, since all of these may use this channel. So a message and
//!    its type are encoded before the lock is taken, and the value is dropped after the lock is
//!    released.
//! 2. `reading` is held from a read until everything from that read is delivered. So signals arrive
//!    in order, and the loss of the connection is reported after all of them.
//! 3. `writing` is held from taking a batch until the batch is written, so bytes go out in order. A
//!    thread that holds `writing` may lock `state` or read. The other order is not allowed.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Shutdown};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use fika_runtime::{
    Busy, Carried, Congested, ConnectionId, Creation, EncodeError, Envelope, Node, NodeDownReason,
    NodeId, NodeName, NodeType, Outlet, Pid, RemoteDest, Signal, Target, contained, report,
};
use parking_lot::{Mutex, MutexGuard};

use super::congestion::{Congestion, OutputBytes, Way};
use super::phase::{Phase, Queued, State, Up};
use super::reader::Reader;
use super::refused::{answer_stale, not_spawned, refused_message, refused_signal};
use super::shared::Shared;
use super::undecoded::Undecoded;
use super::unsent::Unsent;
use super::writer::Writer;
use crate::io::{SocketHandler, SocketOptions, Stream};
use crate::proto::connection::{Event, Receiving, Sending};
use crate::proto::control::SendError;
use crate::proto::parcel::{Cargo, Parcel, Payload};
use crate::proto::tick::Verdict;

/// The interface of a channel to the node that it belongs to.
///
/// A channel never calls these methods while its `state` is locked.
pub(crate) trait Owner: Send + Sync + 'static {
    /// Returns the node, unless it has ended.
    fn node(&self) -> Option<Node>;

    /// Returns the process that decides about connections, if there is one.
    fn net_kernel(&self) -> Option<Pid>;

    /// Returns the node's own name and creation, as its peers know it.
    fn own_id(&self) -> NodeId;

    /// Arranges a call of [`Channel::flush`] at the end of the turn.
    fn note_output(&self, channel: Arc<Channel>);

    /// Writes the output that the turn has added to any channel.
    fn flush(&self);

    /// Returns the id of a life of a node that the peer at this address has named. Returns `None`
    /// if peers at the address have named too many nodes.
    fn meet(&self, life: (&NodeName, Creation), from: IpAddr) -> Option<NodeId>;

    /// Asks the program's handler about an event from `peer`. Called only if
    /// [`Shared::has_handler`] is set.
    fn admit(&self, peer: &NodeName, event: Event) -> Admitted;

    /// Called when a channel has ended, after its watchers were notified. `node` is the node at the
    /// other end, if the channel was up.
    fn lost(&self, channel: &Arc<Channel>, node: Option<NodeId>, reason: NodeDownReason);
}

/// The decision of the program's handler.
pub(crate) enum Admitted {
    /// The event is delivered.
    Yes(Event),
    /// The event is dropped.
    No,
    /// The event is dropped, and this process of the peer gets this answer.
    Answered(Pid, Signal),
}

pub(crate) struct Channel {
    id: ConnectionId,
    peer: NodeName,
    shared: Arc<Shared>,
    owner: Weak<dyn Owner>,
    this: Weak<Channel>,
    pub(super) state: Mutex<State>,
    /// The reader, while the channel is up; see invariant 2.
    pub(super) reading: Outlet<Option<Reader>>,
    /// The network may have reported the end of the connection, so a read has to continue until it
    /// finds the end.
    pub(super) may_have_ended: AtomicBool,
    /// A thread is ending the channel, so other threads stop reading.
    pub(super) is_ending: AtomicBool,
    /// The number of bytes received.
    pub(super) received: AtomicU64,
    /// The output that is being written; see invariant 3.
    pub(super) writing: Outlet<Writer>,
    /// Whether the channel is in its owner's list of channels with output that no thread has begun
    /// to write.
    pub(super) noted: AtomicBool,
    /// Whether a write has failed with an error other than lack of room.
    pub(super) broken: AtomicBool,
    /// A write has panicked. The next read ends the channel.
    pub(super) panicked: AtomicBool,
    /// Counts of values that either end could not decode.
    pub(super) undecoded: Undecoded,
}

/// The result of a send.
pub(crate) enum Sent {
    /// The signal is queued.
    Yes {
        /// Whether the way is congested now.
        congested: bool,
    },
    /// The signal is not sent, since this way is congested already.
    Busy(Box<Queued>, Way),
    /// The signal is for an earlier life of the node.
    Stale(Box<Queued>),
    /// The channel is down.
    Gone(Box<Queued>),
}

/// The state of the output after something was added.
#[derive(Clone, Copy)]
pub(crate) struct Put {
    /// The size of the output. The caller has to call [`Channel::has_output`] if
    /// [`Channel::is_to_know`] returns true.
    pub(crate) bytes: OutputBytes,
    /// Whether the way is congested now.
    pub(crate) congested: bool,
}

/// The remains of a channel that has ended. They are dropped after `reading` is unlocked, since
/// some of their destructors are code of the program and of its transport.
pub(super) type Lost = (Option<Reader>, Phase);

impl Channel {
    pub(crate) fn new(
        id: ConnectionId,
        peer: NodeName,
        shared: Arc<Shared>,
        owner: Weak<dyn Owner>,
    ) -> Arc<Channel> {
        let congestion = Congestion::new(shared.output_high_bytes, shared.output_low_bytes);
        Arc::new_cyclic(|this| Channel {
            id,
            peer,
            shared,
            owner,
            this: this.clone(),
            state: Mutex::new(State::new(congestion)),
            reading: Outlet::default(),
            may_have_ended: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
            received: AtomicU64::new(0),
            writing: Outlet::default(),
            noted: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            undecoded: Undecoded::default(),
        })
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    pub(crate) fn peer(&self) -> &NodeName {
        &self.peer
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn owner(&self) -> Option<Arc<dyn Owner>> {
        self.owner.upgrade()
    }

    pub(super) fn this(&self) -> Option<Arc<Channel>> {
        self.this.upgrade()
    }

    /// Returns the number of values that could not be decoded here, and at the peer.
    pub(crate) fn undecoded(&self) -> (u64, u64) {
        self.undecoded.counts()
    }

    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Pending(_))
    }

    pub(crate) fn is_down(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Down)
    }

    /// Returns the way that a small message of this sender would take, if that way is congested.
    pub(crate) fn congested_way(&self, sender: Option<Pid>) -> Option<Way> {
        let mut state = self.state.lock();
        let way = state.way(sender, false);
        state.is_congested(way).then_some(way)
    }

    /// Returns the error for a send that was refused because this way is congested.
    pub(crate) fn busy(self: &Arc<Self>, way: Way) -> Busy {
        let congested = Arc::new(CongestedWay { channel: self.clone(), way });
        Busy { connection: self.id, congested }
    }

    /// Returns the type of the node at the other end, while the channel is up.
    pub(crate) fn node_type(&self) -> Option<NodeType> {
        self.state.lock().up().map(Up::node_type)
    }

    /// Returns the node at the other end, while the channel is up.
    pub(crate) fn peer_id(&self) -> Option<NodeId> {
        self.state.lock().up().map(|up| up.node)
    }

    /// Returns the stream, while the channel is up.
    fn stream(&self) -> Option<Arc<Stream>> {
        self.state.lock().up().map(|up| up.stream.clone())
    }

    /// Returns how many bytes wait to be written.
    pub(crate) fn output_bytes(&self) -> usize {
        self.state.lock().output_bytes().all
    }

    /// Returns what the runtime needs to know about a send over this channel.
    #[inline]
    pub(crate) fn carried(self: &Arc<Self>, congested: bool) -> Carried {
        let congested = congested.then(|| self.clone() as Arc<dyn Congested>);
        Carried { connection: self.id, congested }
    }

    /// Keeps a signal that reports the end of a process, to send it later, if the connection is
    /// congested or earlier such signals are kept. Otherwise returns the signal.
    pub(crate) fn defer(&self, to: &RemoteDest, signal: Signal) -> Option<Signal> {
        let mut state = self.state.lock();
        let congested = state.is_congested(Way::Small);
        match &mut state.phase {
            Phase::Up(up) if up.is_for(to) && (congested || up.has_deferred()) => {
                up.defer(to.clone(), signal);
                None
            }
            _ => Some(signal),
        }
    }

    /// Sends a signal, or queues it until the channel is up. With `nosuspend`, sends nothing if the
    /// way is congested.
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
            state.watch(watcher, || self.node());
        }
        match &mut state.phase {
            Phase::Pending(pending) => {
                pending.push(queued);
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

    /// Handles a parcel that can't be sent. A request to spawn gets an answer. For anything else,
    /// returns the error.
    fn refused(&self, (why, parcel): (SendError, Parcel)) -> Result<(), EncodeError> {
        match parcel.into_cargo() {
            Cargo::Signal(signal) => Err(refused_signal(why, &signal)),
            Cargo::Message(of) => Err(refused_message(why, of.name())),
            Cargo::Spawn(request) => {
                let mut unsent = Unsent::default();
                let (pid, answer) = not_spawned(self.id, &why, &request, &mut unsent);
                self.report(unsent);
                self.deliver(&Target::Pid(pid), answer);
                Ok(())
            }
        }
    }

    /// Puts a message to a process of the node at the other end into the output. Returns `None` if
    /// the message can't go out immediately. The caller then has to use [`send`](Channel::send).
    ///
    /// Writes nothing to the socket, since the caller holds the table of connections; see [`Put`].
    pub(crate) fn put_message(
        &self,
        sender: Option<Pid>,
        to: Pid,
        message: &Envelope,
        payload: &Payload,
    ) -> Result<Option<Put>, SendError> {
        payload.check(&self.shared.limits)?;
        let mut state = self.state.lock();
        let Phase::Up(up) = &mut state.phase else { return Ok(None) };
        let is_put = up.node == to.node()
            && up.sending.send_message(sender, to.local(), message, payload)?;
        // Only small messages go out immediately.
        Ok(is_put.then(|| self.put(Way::Small, state)))
    }

    /// Called after something was put into the output. Returns whether the way is congested now.
    fn sent(&self, way: Way, state: MutexGuard<'_, State>) -> bool {
        let Put { bytes, congested } = self.put(way, state);
        self.has_output(bytes);
        congested
    }

    fn put(&self, way: Way, mut state: MutexGuard<'_, State>) -> Put {
        let bytes = state.output_bytes();
        self.shared.observed.tell(|observer| observer.queued(self.id, bytes.all));
        Put { bytes, congested: state.is_congested(way) }
    }

    /// Brings the channel up after the handshake, and sends the signals that have waited. Nothing
    /// is read before [`activate`](Channel::activate). `early` has the bytes that the peer has sent
    /// together with its handshake. Returns the node at the other end, or `None` if the channel was
    /// not pending any more.
    pub(crate) fn go_up(
        &self,
        (sending, receiving): (Sending, Receiving),
        early: &[u8],
        stream: Stream,
        hidden: bool,
    ) -> Option<NodeId> {
        let (stream, node) = (Arc::new(stream), sending.peer());
        let ends = stream.local_addr().map(|local| [local, stream.peer_addr()]);
        let writer = Writer::new(stream.clone());
        self.writing.change(|before| *before = writer);
        let (mut stale, mut refused) = (Vec::new(), Vec::new());
        self.reading.change(|reader| {
            let mut state = self.state.lock();
            let queue = state.take_pending()?;
            *reader = Some(Reader::new(receiving, stream.clone(), early));
            if let Ok(ends) = ends {
                self.shared.observed.tell(|observer| {
                    if let Some(owner) = self.owner() {
                        observer.connected(self.id, [owner.own_id(), node], ends);
                    }
                });
            }
            let mut up = Up::new(sending, stream, hidden);
            for queued in queue {
                match queued.to {
                    Some(to) if !up.is_for(&to) => stale.push((to, queued.parcel)),
                    _ => refused.extend(up.send(queued).err()),
                }
            }
            state.phase = Phase::Up(up);
            Some(())
        })?;
        self.sent(Way::Small, self.state.lock());
        let mut unsent = Unsent::default();
        for refused in refused {
            if let Err(error) = self.refused(*refused) {
                unsent.add("a signal was not sent", error);
            }
        }
        self.report(unsent);
        for (to, parcel) in stale {
            if let Some((to, answer)) = answer_stale(&to, parcel.into_cargo()) {
                self.deliver(&Target::Pid(to), answer);
            }
        }
        Some(node)
    }

    /// Registers this channel as the handler of its socket, and reads the bytes that have already
    /// arrived.
    pub(crate) fn activate(self: &Arc<Self>) {
        if let Some(stream) = self.stream() {
            stream.set_handler(self.clone());
        }
        self.ready(true, true);
    }

    /// Ends the channel: notifies its watchers, then its owner. Does nothing if the channel is
    /// down.
    pub(crate) fn lose(self: &Arc<Self>, reason: NodeDownReason) {
        self.is_ending.store(true, Ordering::Release);
        // Waits until everything that was read has been delivered.
        let left = self.reading.change(|reader| self.lose_read(reader, reason));
        drop(left);
    }

    /// Ends the channel. Called by the thread that holds `reading`.
    #[must_use]
    pub(super) fn lose_read(
        self: &Arc<Self>,
        reader: &mut Option<Reader>,
        reason: NodeDownReason,
    ) -> Lost {
        let reader = reader.take();
        let mut state = self.state.lock();
        let phase = std::mem::replace(&mut state.phase, Phase::Down);
        let watchers = state.take_watchers();
        let held_up = state.congestion.end();
        drop(state);
        let node = match &phase {
            Phase::Down => return (reader, phase),
            Phase::Pending(_) => None,
            Phase::Up(up) => {
                // Even if the transport panics, all watchers are notified of the loss.
                contained(|| up.stream.release_handler());
                // The peer may have closed it already.
                contained(|| up.stream.shutdown(Shutdown::Both));
                Some(up.node)
            }
        };
        self.shared.observed.tell(|observer| observer.lost(self.id));
        // The thread that writes drops the rest of the output.
        self.write();
        for pid in watchers {
            let signal = Signal::ConnectionLost { node, connection: self.id };
            self.deliver(&Target::Pid(pid), signal);
        }
        self.go_on(held_up);
        if let Some(owner) = self.owner() {
            owner.lost(self, node, reason);
        }
        (reader, phase)
    }

    /// Sends a tick, unless other output is waiting.
    pub(crate) fn tick(&self) {
        if let Phase::Up(up) = &mut self.state.lock().phase {
            up.sending.queue_tick();
        }
        self.write();
    }

    /// Sets options of the socket. Returns `None` if the channel is not up.
    pub(crate) fn set_options(&self, options: &SocketOptions) -> Option<io::Result<()>> {
        self.stream().map(|stream| stream.set_options(options))
    }

    /// Returns the options of the socket, or `None` if the channel is not up.
    pub(crate) fn options(&self) -> Option<io::Result<SocketOptions>> {
        self.stream().map(|stream| stream.options())
    }

    /// Checks whether the peer is alive, and whether it needs a tick.
    pub(crate) fn check(self: &Arc<Self>) {
        // If this node has stalled, bytes of the peer may wait to be read. They show that the peer
        // is alive.
        self.read(false);
        let is_more_there = self.reading.is_busy();
        self.tell_untold();
        let mut state = self.state.lock();
        let Phase::Up(up) = &mut state.phase else { return };
        let verdict = up.sending.handle_tick(self.received.load(Ordering::Relaxed));
        drop(state);
        if verdict == Verdict::Dead && !is_more_there {
            report!(error, node = %self.peer, "nothing was heard for the whole ticktime");
            return self.lose(NodeDownReason::NetTickTimeout);
        }
        if verdict == Verdict::SendTick {
            self.write();
        }
        // A write also fails if the peer has closed the connection. In that case, reading finds the
        // end first.
        if self.broken.load(Ordering::Relaxed) && !is_more_there {
            report!(error, node = %self.peer, "no tick can be sent");
            self.lose(NodeDownReason::SendNetTickFailed);
        }
    }

    /// Notifies suspended processes that there is room again.
    pub(super) fn go_on(&self, held_up: BTreeSet<Pid>) {
        for pid in held_up {
            self.deliver(&Target::Pid(pid), Signal::ConnectionRoom { connection: self.id });
        }
    }

    /// Adds a process to notify when the connection is lost.
    pub(super) fn watch(&self, pid: Pid) {
        self.state.lock().watch(pid, || self.node());
    }

    /// Sends a signal without a sender to a process of the peer.
    pub(super) fn answer(&self, to: Pid, signal: Signal) {
        let mut unsent = Unsent::default();
        let what = "an answer was not sent";
        match Parcel::signal(signal, &self.shared.limits, &mut None) {
            Ok(parcel) => {
                let queued = Queued { sender: None, to: Some(RemoteDest::Pid(to)), parcel };
                // If the channel is down, the process has already been notified.
                if let Err(error) = self.send(queued, false) {
                    unsent.add(what, error);
                }
            }
            Err((why, signal)) => unsent.add(what, refused_signal(why, &signal)),
        }
        self.report(unsent);
    }

    fn deliver(&self, to: &Target, signal: Signal) {
        if let Some(node) = self.node() {
            node.receive(to, signal);
        }
    }

    /// Reports signals that could not be sent.
    pub(crate) fn report(&self, unsent: Unsent) {
        unsent.report(&self.shared, &self.peer);
    }

    pub(super) fn node(&self) -> Option<Node> {
        self.owner()?.node()
    }
}

impl SocketHandler for Channel {
    fn ready(&self, readable: bool, writable: bool) {
        let Some(this) = self.this() else { return };
        if readable {
            this.read(false);
        }
        if writable {
            this.write();
        }
    }

    fn ready_and_open(&self, readable: bool, writable: bool) {
        let Some(this) = self.this() else { return };
        if readable {
            this.read(true);
        }
        // The network usually reports `writable` with every packet. So this only continues a write
        // that waited for room.
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

/// One way of a channel on which a process can wait for room.
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
