//! One connection to a node, from the first signal that wants to go there to its end.
//!
//! While it is pending, signals wait in it in their order. When it is up, senders encode
//! into its output under its lock, and whatever a worker's turn has gathered goes out in
//! one write; the worker that waits for the socket reads and routes. When it is down it stays
//! so: the next signal to that node makes another one.
//!
//! It notes which local processes have links, monitors or requests over it, and tells them
//! of the loss; what they make of it is theirs. Which channel a node has is `table`'s to
//! know, and what its coming and going means is `net_kernel`'s.
//!
//! # Invariants
//! 1. No signal is delivered while `state` is locked: an answer may come back to it.
//! 2. `reading` is held from the read to the last delivery of what was read, so signals
//!    arrive in order, and a loss is told of after all of them.

use std::collections::BTreeSet;
use std::io;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use fika_runtime::{
    Carried, Congested, ConnectionId, EncodeError, ExitReason, Node, NodeDownReason, NodeId,
    NodeName, NodeType, Observed, Pid, RemoteDest, Signal, SpawnRequest, Target,
};
use parking_lot::{Mutex, MutexGuard};

use super::config::Config;
use super::congestion::Congestion;
use super::handler::{NetHandler, admit};
use super::net::Net;
use super::net_kernel::Command;
use crate::io::{Handler, SocketOptions, Stream};
use crate::proto::connection::{Connection, Event};
use crate::proto::control::SendError;
use crate::proto::tick::Verdict;

/// What is read in one system call.
const READ_BYTES: usize = 64 << 10;

/// After so many reads in a row others have their turn; the rest is read in the next one.
const READS_IN_A_ROW: usize = 16;

/// The set of watchers is searched for the dead when it has grown to this and doubled.
const WATCHERS_KEPT: usize = 1024;

pub(super) struct Channel {
    id: ConnectionId,
    peer: NodeName,
    net: Weak<Net>,
    this: Weak<Channel>,
    /// What is read into; see invariant 2.
    reading: Mutex<Vec<u8>>,
    state: Mutex<State>,
    /// Has output that nobody has begun to write.
    dirty: AtomicBool,
    /// A user's word in what comes in.
    handler: Option<Arc<dyn NetHandler>>,
    observed: Observed,
}

struct State {
    phase: Phase,
    congestion: Congestion,
    watchers: Watchers,
}

enum Phase {
    /// What was sent waits, in order.
    Pending(Vec<Queued>),
    Up(Box<Up>),
    Down,
}

enum Queued {
    Signal(RemoteDest, Signal),
    Spawn(SpawnRequest),
}

struct Up {
    node: NodeId,
    hidden: bool,
    connection: Connection,
    stream: Stream,
}

/// Local processes with links, monitors or requests over a connection, and some that had.
#[derive(Default)]
struct Watchers {
    pids: BTreeSet<Pid>,
    /// How many were left when the dead were last thrown out.
    kept: usize,
}

/// What became of a signal.
pub(super) enum Sent {
    /// It is queued.
    Yes {
        /// More waits than is good.
        congested: bool,
    },
    /// It is not, since more waits already.
    Busy(Signal),
    /// It is for an earlier life of the node.
    Stale(Signal),
    /// The channel is down.
    Gone(Signal),
}

impl Channel {
    pub(super) fn new(
        id: ConnectionId,
        peer: NodeName,
        net: Weak<Net>,
        config: &Config,
        observed: Observed,
    ) -> Arc<Channel> {
        let congestion = Congestion::new(config.output_high_bytes, config.output_low_bytes);
        let phase = Phase::Pending(Vec::new());
        let state = State { phase, congestion, watchers: Watchers::default() };
        Arc::new_cyclic(|this| Channel {
            id,
            peer,
            net,
            this: this.clone(),
            reading: Mutex::default(),
            state: Mutex::new(state),
            dirty: AtomicBool::new(false),
            handler: config.handler.clone(),
            observed,
        })
    }

    pub(super) fn id(&self) -> ConnectionId {
        self.id
    }

    pub(super) fn peer(&self) -> &NodeName {
        &self.peer
    }

    pub(super) fn is_pending(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Pending(_))
    }

    pub(super) fn is_down(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Down)
    }

    /// The type of the node at the other end, while the channel is up.
    pub(super) fn node_type(&self) -> Option<NodeType> {
        match &self.state.lock().phase {
            Phase::Up(up) => Some(up.node_type()),
            Phase::Pending(_) | Phase::Down => None,
        }
    }

    /// How many bytes wait to be written.
    pub(super) fn output_bytes(&self) -> usize {
        self.state.lock().output_bytes()
    }

    /// What became of something that was sent over it.
    pub(super) fn carried(self: &Arc<Self>, congested: bool) -> Carried {
        let congested = congested.then(|| self.clone() as Arc<dyn Congested>);
        Carried { connection: self.id, congested }
    }

    /// Sends a signal, or has it wait. `nosuspend`: not if more waits than is good.
    pub(super) fn send(
        &self,
        to: &RemoteDest,
        signal: Signal,
        nosuspend: bool,
    ) -> Result<Sent, EncodeError> {
        let mut state = self.state.lock();
        if nosuspend && state.is_congested() {
            return Ok(Sent::Busy(signal));
        }
        if let Signal::Link { from } | Signal::Monitor { from, .. } = &signal {
            state.watch(*from, &self.net);
        }
        match &mut state.phase {
            Phase::Pending(queue) => queue.push(Queued::Signal(to.clone(), signal)),
            Phase::Down => return Ok(Sent::Gone(signal)),
            Phase::Up(up) if !up.is_for(to) => return Ok(Sent::Stale(signal)),
            Phase::Up(up) => {
                up.send(to, signal)?;
                return Ok(Sent::Yes { congested: self.sent(state) });
            }
        }
        Ok(Sent::Yes { congested: false })
    }

    /// Something was put into the output; true if more waits now than is good.
    fn sent(&self, mut state: MutexGuard<'_, State>) -> bool {
        let waiting = state.output_bytes();
        self.observed.tell(|observer| observer.queued(self.id, waiting));
        let congested = state.is_congested();
        drop(state);
        self.has_output();
        congested
    }

    /// Sends a request to spawn; true if more waits now than is good. Gives it back when the
    /// channel is down.
    pub(super) fn spawn(&self, request: SpawnRequest) -> Result<bool, Box<SpawnRequest>> {
        let mut state = self.state.lock();
        state.watch(request.from, &self.net);
        match &mut state.phase {
            Phase::Pending(queue) => queue.push(Queued::Spawn(request)),
            Phase::Down => return Err(request.into()),
            Phase::Up(up) => {
                let answer = up.spawn(request);
                let congested = self.sent(state);
                answer.into_iter().for_each(|(to, answer)| self.deliver(&Target::Pid(to), answer));
                return Ok(congested);
            }
        }
        Ok(false)
    }

    /// The handshake is over: what has waited goes out. Nothing is read before
    /// [`activate`](Channel::activate). False if the channel is not pending any more.
    pub(super) fn go_up(
        &self,
        connection: Connection,
        stream: Stream,
        hidden: bool,
    ) -> Option<NodeId> {
        let mut state = self.state.lock();
        let Phase::Pending(queue) = &mut state.phase else { return None };
        let queue = std::mem::take(queue);
        let node = connection.peer();
        if let Ok(local) = stream.local_addr() {
            let ends = [local, stream.peer_addr()];
            self.observed.tell(|observer| {
                if let Some(net) = self.net.upgrade() {
                    let own = NodeId::of(net.name(), net.creation);
                    observer.connected(self.id, [own, node], ends);
                }
            });
        }
        let mut up = Box::new(Up { node, hidden, connection, stream });
        let mut answers = Vec::new();
        for queued in queue {
            match queued {
                Queued::Spawn(request) => answers.extend(up.spawn(request)),
                Queued::Signal(to, signal) if up.is_for(&to) => {
                    if let Err(error) = up.send(&to, signal) {
                        tracing::error!(node = %self.peer, %error, "a signal was not sent");
                    }
                }
                Queued::Signal(to, signal) => answers.extend(stale(&to, signal)),
            }
        }
        state.phase = Phase::Up(up);
        drop(state);
        for (to, answer) in answers {
            self.deliver(&Target::Pid(to), answer);
        }
        self.has_output();
        Some(node)
    }

    /// From now on the driver reads, and what has come meanwhile is taken in.
    pub(super) fn activate(self: &Arc<Self>) {
        if let Phase::Up(up) = &self.state.lock().phase {
            up.stream.set_handler(self.clone());
        }
        self.ready(true, true);
    }

    /// Ends the channel: watchers are told, then net_kernel. Does nothing when it is down.
    pub(super) fn lose(self: &Arc<Self>, reason: NodeDownReason) {
        // After all that was read has been delivered.
        let _reading = self.reading.lock();
        self.lose_read(reason);
    }

    fn lose_read(self: &Arc<Self>, reason: NodeDownReason) {
        let mut state = self.state.lock();
        let phase = std::mem::replace(&mut state.phase, Phase::Down);
        let watchers = std::mem::take(&mut state.watchers);
        let held_up = state.congestion.end();
        drop(state);
        let node = match &phase {
            Phase::Down => return,
            Phase::Pending(_) => None,
            Phase::Up(up) => {
                up.stream.release_handler();
                // The peer may have closed it already.
                let _ = up.stream.shutdown(Shutdown::Both);
                Some(up.node)
            }
        };
        self.observed.tell(|observer| observer.lost(self.id));
        for pid in watchers.pids {
            let signal = Signal::ConnectionLost { node, connection: self.id };
            self.deliver(&Target::Pid(pid), signal);
        }
        self.go_on(held_up);
        if let Some(net) = self.net.upgrade() {
            net.lost(self, node, reason);
        }
    }

    /// Sends a tick if nothing else is about to go out.
    pub(super) fn tick(&self) {
        if let Phase::Up(up) = &mut self.state.lock().phase {
            up.connection.queue_tick();
        }
        self.write();
    }

    /// Sets options of the socket; none if the channel is not up.
    pub(super) fn set_options(&self, options: &SocketOptions) -> Option<io::Result<()>> {
        match &self.state.lock().phase {
            Phase::Up(up) => Some(up.stream.set_options(options)),
            Phase::Pending(_) | Phase::Down => None,
        }
    }

    /// The options of the socket; none if the channel is not up.
    pub(super) fn options(&self) -> Option<io::Result<SocketOptions>> {
        match &self.state.lock().phase {
            Phase::Up(up) => Some(up.stream.options()),
            Phase::Pending(_) | Phase::Down => None,
        }
    }

    /// One check of the ticks.
    pub(super) fn check(self: &Arc<Self>) {
        // After a stall of our own the peer's bytes are waiting to be read: they count.
        self.read();
        let mut state = self.state.lock();
        let Phase::Up(up) = &mut state.phase else { return };
        let verdict = up.connection.handle_tick();
        drop(state);
        match verdict {
            Verdict::Quiet => {}
            Verdict::SendTick => self.write(),
            Verdict::Dead => {
                tracing::error!(node = %self.peer, "nothing was heard for the whole ticktime");
                self.lose(NodeDownReason::NetTickTimeout);
            }
        }
    }

    /// There is output: it goes out at the end of the turn.
    fn has_output(&self) {
        if !self.dirty.swap(true, Ordering::AcqRel)
            && let (Some(net), Some(this)) = (self.net.upgrade(), self.this.upgrade())
        {
            net.note_output(&this);
        }
    }

    /// Writes what there is room for.
    pub(super) fn write(&self) {
        self.dirty.store(false, Ordering::Release);
        let mut state = self.state.lock();
        let State { phase, congestion, .. } = &mut *state;
        let Phase::Up(up) = phase else { return };
        up.write();
        let go_on = congestion.written(up.connection.output_bytes());
        drop(state);
        self.go_on(go_on);
    }

    /// There is room again for these.
    fn go_on(&self, held_up: BTreeSet<Pid>) {
        for pid in held_up {
            self.deliver(&Target::Pid(pid), Signal::ConnectionRoom { connection: self.id });
        }
    }

    /// Reads what is there, and routes it.
    fn read(self: &Arc<Self>) {
        let mut buffer = self.reading.lock();
        buffer.resize(READ_BYTES, 0);
        let mut events = Vec::new();
        for _ in 0..READS_IN_A_ROW {
            let read = self.read_once(&mut buffer, &mut events);
            events.drain(..).for_each(|event| self.route(event));
            match read {
                Ok(true) => {}
                Ok(false) => return,
                Err(reason) => return self.lose_read(reason),
            }
        }
        // More may be there, and the network will not say so again.
        if let Some(net) = self.net.upgrade() {
            net.command(Command::Read(self.clone()));
        }
    }

    /// Takes the events out of what has been read, be it by the handshake, and then reads more.
    /// True if there may be more events; an error if the connection has ended.
    fn read_once(
        &self,
        buffer: &mut [u8],
        events: &mut Vec<Event>,
    ) -> Result<bool, NodeDownReason> {
        let mut state = self.state.lock();
        let Phase::Up(up) = &mut state.phase else { return Ok(false) };
        loop {
            match up.connection.poll_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => {
                    if let Some(net) = self.net.upgrade() {
                        net.log_misbehaved(&self.peer, &error);
                    }
                    self.observed.tell(|observer| observer.misbehaved(self.id, &error.to_string()));
                    return Err(NodeDownReason::ConnectionClosed);
                }
            }
        }
        loop {
            match up.stream.try_read(buffer) {
                Ok(0) => return Err(NodeDownReason::ConnectionClosed),
                Ok(read) => {
                    up.connection.read_buffer().extend_from_slice(&buffer[..read]);
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(closed_by(&error)),
            }
        }
    }

    fn route(&self, event: Event) {
        let Some(node) = self.node() else { return };
        self.observed.tell(|observer| {
            if let Event::Signal { target, signal } = &event {
                observer.received(self.id, target, signal);
            }
        });
        // Without a handler, which is what most nodes are, this is all that is done for it.
        let event = match &self.handler {
            None => event,
            Some(handler) => match self.admit(&**handler, event) {
                Some(event) => event,
                None => return,
            },
        };
        let watcher = match event {
            Event::Signal { target, signal } => {
                let watches = matches!(signal, Signal::Link { .. } | Signal::Monitor { .. });
                node.receive(&target, signal).filter(|_| watches)
            }
            Event::Spawn(request) => {
                let watches = request.link || request.monitor;
                node.receive_spawn(request).filter(|_| watches)
            }
        };
        if let Some(watcher) = watcher {
            self.state.lock().watch(watcher, &self.net);
        }
    }

    /// What the user's handler lets through.
    fn admit(&self, handler: &dyn NetHandler, event: Event) -> Option<Event> {
        admit(handler, &*self.net.upgrade()?, &self.peer, event)
    }

    fn deliver(&self, to: &Target, signal: Signal) {
        if let Some(node) = self.node() {
            node.receive(to, signal);
        }
    }

    fn node(&self) -> Option<Node> {
        self.net.upgrade()?.node()
    }
}

impl Handler for Channel {
    fn ready(&self, readable: bool, writable: bool) {
        let Some(this) = self.this.upgrade() else { return };
        if readable {
            this.read();
        }
        if writable {
            this.write();
        }
    }
}

impl Congested for Channel {
    fn node(&self) -> NodeName {
        self.peer.clone()
    }

    fn wait(&self, pid: Pid) -> bool {
        self.state.lock().congestion.wait(pid)
    }
}

impl Up {
    /// Writes what there is room for.
    fn write(&mut self) {
        while self.connection.output_bytes() > 0 {
            match self.stream.try_write(self.connection.output()) {
                Ok(0) => return,
                Ok(written) => self.connection.advance_output(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // When there is room the network says so; when it is broken, as well.
                Err(_) => return,
            }
        }
    }

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

    /// Sends a signal. An end is told in any case, if need be without its reason.
    fn send(&mut self, to: &RemoteDest, signal: Signal) -> Result<(), EncodeError> {
        let Err(why) = self.connection.send(&to.target(), &signal) else { return Ok(()) };
        let reason = ExitReason::SystemLimit;
        let instead = match signal {
            Signal::Exit { from, by_link, .. } => Signal::Exit { from, reason, by_link },
            Signal::Down { from, reference, .. } => Signal::Down { from, reference, reason },
            signal => return Err(refused(why, &signal)),
        };
        tracing::error!(error = %why, "an exit reason was replaced by system_limit");
        self.connection.send(&to.target(), &instead).map_err(|why| refused(why, &instead))
    }

    /// Sends a request to spawn; one that can't be sent is answered here.
    fn spawn(&mut self, request: SpawnRequest) -> Option<(Pid, Signal)> {
        let why = self.connection.spawn(&request).err()?;
        tracing::error!(function = %request.function, error = %why, "a request to spawn was not sent");
        let SpawnRequest { reference, from, .. } = request;
        let result = Err(fika_runtime::SpawnError::SystemLimit);
        Some((from, Signal::SpawnReply { reference, result }))
    }
}

impl State {
    fn output_bytes(&self) -> usize {
        match &self.phase {
            Phase::Up(up) => up.connection.output_bytes(),
            Phase::Pending(_) | Phase::Down => 0,
        }
    }

    fn is_congested(&mut self) -> bool {
        match &self.phase {
            Phase::Up(up) => self.congestion.is_congested(up.connection.output_bytes()),
            Phase::Pending(_) | Phase::Down => false,
        }
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

/// What a broken connection is called: an error of the operating system is one that the peer
/// could have caused, while a transport of a user's own may have a reason of its own.
fn closed_by(error: &io::Error) -> NodeDownReason {
    match error.get_ref() {
        None => NodeDownReason::ConnectionClosed,
        Some(reason) => NodeDownReason::Other(reason.to_string()),
    }
}

fn refused(why: SendError, signal: &Signal) -> EncodeError {
    match (why, signal) {
        (SendError::Encode(error), _) => error,
        (why, Signal::Message(message)) => {
            EncodeError::refused(message.type_name(), why.to_string())
        }
        (why, _) => EncodeError::refused("signal", why.to_string()),
    }
}

/// What answers a signal to a process of an earlier life of its node: there is no such
/// process any more.
pub(super) fn stale(to: &RemoteDest, signal: Signal) -> Option<(Pid, Signal)> {
    let RemoteDest::Pid(dead) = *to else { return None };
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
