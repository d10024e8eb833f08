//! What a node has for being one of many, whether it is so just now or not: the seam to the
//! runtime, the channels, and who is told of nodes. A [`Net`] is one period with a name.
//!
//! A node may get a name and lose it again while it runs, any number of times. Its processes
//! and their pids stay the same; what other nodes know of them ends with the name.
//!
//! Prior art: `net_kernel:start/2` and `stop/0`; `erts_set_this_node` in `dist.c`.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use fika_runtime::{
    Busy, Carried, Carrier, Conditions, ConnectionId, Creation, EncodeError, Env, Envelope, Local,
    LocalId, Message, Node, NodeDownReason, NodeId, NodeName, NotCarried, Observed, Pid,
    RemoteDest, Signal, SpawnRequest, Target, Undecodable, WeakNode,
};
use parking_lot::{Mutex, RwLock};

use super::config::Config;
use super::connections::Table;
use super::known::Known;
use super::logs::Unsent;
use super::net::Net;
use super::subscriptions::{Subscriptions, Wanted};
use crate::cookie::CookieError;
use crate::dist::control::Command;
use crate::dist::link::{
    Buffers, Channel, Queued, Sent, answer_stale, not_spawned, refused_message, refused_signal,
};
use crate::io::Network;
use crate::proto::parcel::{Cargo, Parcel, Payload};

/// Creations of earlier lives that are not used again. A node that peers name has a new life with
/// each such peer, so they are limited; that one of those before comes again is as good as excluded.
const CREATIONS_KEPT: usize = 256;

/// Gives the settings, each time the distribution starts.
pub(crate) type Configure = Box<dyn Fn() -> Result<Config, CookieError> + Send + Sync>;

/// A node's distribution, which is started and stopped.
pub struct Distribution {
    /// What the node's own pids carry, whatever its name is.
    pub(crate) id: NodeId,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) table: Table,
    /// The processes that are told of nodes that come and go.
    pub(crate) subscriptions: Mutex<Subscriptions>,
    /// The nodes that it was connected to, or has heard of.
    pub(crate) known: Known,
    pub(crate) configure: Configure,
    pub(crate) phase: Mutex<Phase>,
    /// The name that it has now, and all that goes with it.
    current: RwLock<Option<Arc<Net>>>,
    /// The creations that it has had, the last of them.
    creations: Mutex<Vec<Creation>>,
    node: WeakNode,
    pub(crate) observed: Observed,
    /// What is read with.
    pub(crate) buffers: Buffers,
    /// The ids of connections that were given out.
    connections: AtomicU64,
    /// Channels with output, and whether there are any.
    output: Mutex<Vec<Arc<Channel>>>,
    has_output: AtomicBool,
    this: Weak<Distribution>,
}

/// Where it is between two starts.
#[derive(Clone)]
pub(crate) enum Phase {
    /// The node is `nonode@nohost`.
    Off,
    /// It has been told to start under this name, or has it; the process, once it is there,
    /// that does that and will end it.
    On { name: NodeName, net_sup: Option<Pid> },
}

impl Distribution {
    /// The distribution of this node over a network, not started. It becomes the node's
    /// carrier. The settings are asked for each time it starts.
    pub fn new(
        node: &Node,
        network: Arc<dyn Network>,
        configure: impl Fn() -> Result<Config, CookieError> + Send + Sync + 'static,
    ) -> Arc<Distribution> {
        let distribution = Arc::new_cyclic(|this| Distribution {
            id: node.id(),
            network,
            env: node.env().clone(),
            table: Table::default(),
            subscriptions: Mutex::default(),
            known: Known::default(),
            configure: Box::new(configure),
            phase: Mutex::new(Phase::Off),
            current: RwLock::new(None),
            creations: Mutex::default(),
            node: node.downgrade(),
            observed: node.observed().clone(),
            buffers: Buffers::default(),
            connections: AtomicU64::new(0),
            output: Mutex::default(),
            has_output: AtomicBool::new(false),
            this: this.clone(),
        });
        node.set_carrier(distribution.clone());
        distribution
    }

    /// The distribution of a node, if it can have one.
    #[must_use]
    pub fn of(node: &Node) -> Option<Arc<Distribution>> {
        let carrier = node.carrier()?.as_any().downcast_ref::<Distribution>();
        carrier.and_then(|distribution| distribution.this.upgrade())
    }

    /// A creation for a node that starts: one that no earlier life of it had. Those up to
    /// 3 are left to old port mappers.
    #[must_use]
    pub fn fresh_creation(env: &dyn Env) -> Creation {
        let mut bytes = [0; 4];
        loop {
            env.secure_random(&mut bytes);
            let creation = u32::from_be_bytes(bytes);
            if creation > 3 {
                return Creation(creation);
            }
        }
    }

    /// Whether the node has a name, or gets one from its first peer (Erlang's `is_alive/0`).
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.current.read().is_some()
    }

    /// The creation under a name: that of the node's id where it was made for the name and
    /// has not been used, else one that it never had.
    pub(crate) fn creation(&self, name: &NodeName) -> Creation {
        let mut used = self.creations.lock();
        let own = Some(self.id).filter(|id| used.is_empty() && id.name() == *name);
        let mut creation = own.map_or_else(|| Self::fresh_creation(&*self.env), NodeId::creation);
        while used.contains(&creation) {
            creation = Self::fresh_creation(&*self.env);
        }
        if used.len() >= CREATIONS_KEPT {
            used.remove(0);
        }
        used.push(creation);
        creation
    }

    pub(crate) fn current(&self) -> Option<Arc<Net>> {
        self.current.read().clone()
    }

    pub(crate) fn set_name(&self, name: &NodeName, creation: Creation) {
        if let Some(node) = self.node() {
            node.set_name(name, creation);
        }
    }

    /// The node has this name from now on, unless this period of it is over.
    pub(crate) fn take_name(&self, net: &Net, name: &NodeName) -> bool {
        let current = self.current.read();
        let is_current = current.as_ref().is_some_and(|current| std::ptr::eq(&**current, net));
        let is_taken = is_current && !net.is_stopping();
        if is_taken {
            self.set_name(name, net.creation);
        }
        is_taken
    }

    /// The node has no name any more. The next period, of a node that may get a name, takes the
    /// place of the one that has ended.
    pub(crate) fn drop_name(&self, next: Option<Arc<Net>>) {
        let mut current = self.current.write();
        self.set_name(&NodeName::nonode(), Creation(0));
        *current = next;
    }

    pub(crate) fn set_current(&self, net: Option<Arc<Net>>) {
        *self.current.write() = net;
    }

    /// Adds a subscription to messages about nodes.
    pub(crate) fn subscribe(&self, pid: Pid, wanted: Wanted) {
        self.subscriptions.lock().subscribe(pid, wanted);
        match (self.current(), self.node()) {
            (Some(net), _) => net.command(Command::Subscribed(pid)),
            (None, Some(node)) => self.subscriptions.lock().prune(|pid| node.is_alive(pid)),
            (None, None) => {}
        }
    }

    pub(crate) fn handle(&self) -> Arc<Distribution> {
        self.this.upgrade().expect("it is borrowed, so it is there")
    }

    pub(crate) fn node(&self) -> Option<Node> {
        self.node.upgrade()
    }

    /// Sends to a process of this node, be it from within a process or not.
    pub(crate) fn tell(&self, pid: Pid, message: impl Message) {
        if let Some(node) = self.node() {
            // Nothing is to be encoded.
            let _ = node.send(pid, message);
        }
    }

    /// The same, for what can't leave this node.
    pub(crate) fn tell_local<T: Send + 'static>(&self, pid: Pid, message: T) {
        self.tell(pid, Local(message));
    }

    pub(crate) fn new_connection(&self) -> ConnectionId {
        ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn note_output(&self, channel: &Arc<Channel>) {
        self.output.lock().push(channel.clone());
        self.has_output.store(true, Ordering::Release);
    }

    /// Sends over a channel, and over another one where that has gone down meanwhile.
    /// `nosuspend`: not if the sender would have to wait.
    fn send_over(
        &self,
        mut up: Option<Arc<Channel>>,
        sender: Option<Pid>,
        mut to: RemoteDest,
        mut ready: Ready,
        nosuspend: bool,
    ) -> Result<Carried, NotCarried> {
        loop {
            let channel = match up.take() {
                Some(channel) => channel,
                None => {
                    let Some(net) = self.current() else {
                        return Ok(self.barred(&ready.into_cargo()));
                    };
                    let name = to.node_name();
                    if name == *net.name() {
                        return Ok(self.send_home(&net, &to, ready.into_cargo()));
                    }
                    match net.auto_connect(&name) {
                        Some(channel) => channel,
                        None => return Ok(self.barred(&ready.into_cargo())),
                    }
                }
            };
            let parcel = ready.parcel(&channel)?;
            let sender = parcel.from().or(sender);
            let queued = Queued { sender, to: Some(to), parcel };
            match channel.send(queued, nosuspend).map_err(NotCarried::Encode)? {
                Sent::Yes { congested } => return Ok(channel.carried(congested)),
                Sent::Busy(back, way) => return Err(not_sent(back.parcel, channel.busy(way))),
                Sent::Gone(back) => match back.to {
                    Some(back_to) => (to, ready) = (back_to, Ready::Parcel(back.parcel)),
                    None => return Ok(channel.carried(false)),
                },
                Sent::Stale(back) => {
                    if let Some(to) = back.to {
                        self.answer_stale(&to, back.parcel.into_cargo());
                    }
                    return Ok(channel.carried(false));
                }
            }
        }
    }

    /// The channel to the life of a node that a destination names, if it is up.
    fn up(&self, to: &RemoteDest) -> Option<Arc<Channel>> {
        to.node().and_then(|node| self.table.up(node))
    }

    /// There is no connection, and none is made.
    fn barred(&self, cargo: &Cargo) -> Carried {
        let connection = self.new_connection();
        match cargo {
            Cargo::Spawn(request) => self.tell_lost(request.from, connection),
            Cargo::Signal(Signal::Link { from } | Signal::Monitor { from, .. }) => {
                self.tell_lost(*from, connection);
            }
            Cargo::Signal(_) | Cargo::Message(_) => {}
        }
        Carried { connection, congested: None }
    }

    fn tell_lost(&self, pid: Pid, connection: ConnectionId) {
        self.deliver(Target::Pid(pid), Signal::ConnectionLost { node: None, connection });
    }

    fn deliver(&self, to: Target, signal: Signal) {
        if let Some(node) = self.node() {
            node.receive(&to, signal);
        }
    }

    fn answer_stale(&self, to: &RemoteDest, cargo: Cargo) {
        if let Some((pid, answer)) = answer_stale(to, cargo) {
            self.deliver(Target::Pid(pid), answer);
        }
    }

    /// Handles a signal to what has this node's name and not its id: it is of an earlier life,
    /// or a pid of this one that was written down as text and read back.
    fn send_home(&self, net: &Net, to: &RemoteDest, cargo: Cargo) -> Carried {
        let carried = Carried { connection: self.new_connection(), congested: None };
        let Cargo::Signal(signal) = cargo else { return carried };
        let is_now = |node: NodeId| node.name() == *net.name() && node.creation() == net.creation;
        let own = |local: LocalId| Target::Pid(Pid::new(self.id, local));
        match to {
            RemoteDest::Name(..) => self.deliver(to.target(), signal),
            RemoteDest::Pid(pid) if is_now(pid.node()) => self.deliver(own(pid.local()), signal),
            _ => self.answer_stale(to, Cargo::Signal(signal)),
        }
        carried
    }
}

/// A signal, encoded or not.
enum Ready {
    Signal(Signal),
    Parcel(Parcel),
}

impl Ready {
    /// Encodes the signal for this channel.
    fn parcel(self, channel: &Channel) -> Result<Parcel, NotCarried> {
        let signal = match self {
            Ready::Parcel(parcel) => return Ok(parcel),
            Ready::Signal(signal) => signal,
        };
        let (mut replaced, mut unsent) = (None, Unsent::default());
        let parcel = Parcel::signal(signal, channel.limits(), &mut replaced);
        unsent.add_replaced(replaced);
        unsent.report(channel);
        parcel.map_err(|(why, signal)| NotCarried::Encode(refused_signal(why, &signal)))
    }

    fn into_cargo(self) -> Cargo {
        match self {
            Ready::Signal(signal) => Cargo::Signal(signal),
            Ready::Parcel(parcel) => parcel.into_cargo(),
        }
    }
}

/// Why a signal was not sent on which there was no condition.
fn encode_error(not_carried: NotCarried) -> EncodeError {
    match not_carried {
        NotCarried::Encode(error) => error,
        NotCarried::Nosuspend(..) | NotCarried::Noconnect(_) => {
            unreachable!("there was no condition")
        }
    }
}

fn not_sent(parcel: Parcel, busy: Busy) -> NotCarried {
    match parcel.into_cargo() {
        Cargo::Signal(signal) => NotCarried::Nosuspend(signal, busy),
        Cargo::Spawn(_) | Cargo::Message(_) => unreachable!("it was sent as a signal"),
    }
}

impl Carrier for Distribution {
    fn send(
        &self,
        sender: Option<Pid>,
        to: RemoteDest,
        mut signal: Signal,
    ) -> Result<Carried, EncodeError> {
        let up = self.up(&to);
        if let Some(channel) = &up
            && matches!(signal, Signal::Exit { by_link: true, .. } | Signal::Down { .. })
        {
            match channel.defer(&to, signal) {
                Some(back) => signal = back,
                None => return Ok(channel.carried(false)),
            }
        }
        self.send_over(up, sender, to, Ready::Signal(signal), false).map_err(encode_error)
    }

    fn send_message(
        &self,
        sender: Option<Pid>,
        to: Pid,
        message: Envelope,
    ) -> Result<Carried, EncodeError> {
        // It is encoded before the table is held. What fails, and what there is no connection for,
        // goes the long way.
        let Ok(payload) = Payload::message(&message) else {
            return self.send(sender, RemoteDest::Pid(to), Signal::Message(message));
        };
        let sent = self.table.with_up(to.node(), |channel| {
            let put = channel.put_message(sender, to, &message, &payload)?;
            let acts = put.is_none_or(|put| put.congested || channel.is_to_know(put.bytes));
            Ok((channel.id(), put, acts.then(|| channel.clone())))
        });
        match sent {
            Some(Ok((connection, Some(_), None))) => Ok(Carried { connection, congested: None }),
            Some(Ok((_, Some(put), Some(channel)))) => {
                channel.has_output(put.bytes);
                Ok(channel.carried(put.congested))
            }
            Some(Ok((_, None, up))) => {
                let ready = Ready::Parcel(Parcel::message(message, payload));
                let sent = self.send_over(up, sender, RemoteDest::Pid(to), ready, false);
                sent.map_err(encode_error)
            }
            Some(Err(why)) => Err(refused_message(why, message.type_name())),
            None => self.send(sender, RemoteDest::Pid(to), Signal::Message(message)),
        }
    }

    fn send_if(
        &self,
        sender: Option<Pid>,
        to: RemoteDest,
        signal: Signal,
        conditions: Conditions,
    ) -> Result<Carried, NotCarried> {
        let Conditions { nosuspend, noconnect } = conditions;
        let channel = self.up(&to).or_else(|| self.table.get(&to.node_name()));
        match &channel {
            None if noconnect => return Err(NotCarried::Noconnect(signal)),
            // Before anything is encoded; asked again when it is.
            Some(channel) if nosuspend => {
                if let Some(way) = channel.congested_way(sender) {
                    return Err(NotCarried::Nosuspend(signal, channel.busy(way)));
                }
            }
            _ => {}
        }
        self.send_over(channel, sender, to, Ready::Signal(signal), nosuspend)
    }

    fn spawn(&self, node: &NodeName, request: SpawnRequest) -> Carried {
        let sender = Some(request.from);
        let mut cargo = Err(request);
        loop {
            let Some(channel) = self.current().and_then(|net| net.auto_connect(node)) else {
                let cargo = cargo.map_or_else(Cargo::Spawn, Parcel::into_cargo);
                return self.barred(&cargo);
            };
            let ready = match cargo {
                Ok(parcel) => Ok(parcel),
                Err(request) => Parcel::spawn(request, channel.limits()),
            };
            let parcel = match ready {
                Ok(parcel) => parcel,
                Err((why, request)) => {
                    let mut unsent = Unsent::default();
                    let (pid, answer) = not_spawned(&why, &request, &mut unsent);
                    unsent.report(&channel);
                    self.deliver(Target::Pid(pid), answer);
                    return channel.carried(false);
                }
            };
            match channel.send(Queued { sender, to: None, parcel }, false) {
                Ok(Sent::Gone(back)) => cargo = Ok(back.parcel),
                Ok(Sent::Yes { congested }) => return channel.carried(congested),
                Ok(Sent::Busy(..) | Sent::Stale(_)) | Err(_) => return channel.carried(false),
            }
        }
    }

    fn flush(&self) {
        if self.has_output.load(Ordering::Acquire) && self.has_output.swap(false, Ordering::AcqRel)
        {
            let channels = std::mem::take(&mut *self.output.lock());
            for channel in channels {
                channel.flush();
            }
        }
    }

    /// Peers see `connection_closed`.
    fn halt(&self) {
        if let Some(net) = self.current() {
            net.close(&NodeDownReason::NetKernelTerminated);
        }
    }

    fn is_alive(&self) -> bool {
        self.is_started()
    }

    fn undecodable(&self, node: NodeId, connection: ConnectionId, lost: &Undecodable) {
        let channel = self.table.up(node).filter(|channel| channel.id() == connection);
        if let Some(channel) = channel {
            channel.tell_undecodable(lost, self.env.now());
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl std::fmt::Debug for Distribution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Distribution({})", self.id.name())
    }
}
