//! What distribution adds to a node: its settings, its connections, and the carrier that
//! the runtime hands its signals to.
//!
//! Starting: listen, start net_kernel and the accepting process, register with the port
//! mapper, or with what stands in its place. Stopping: write what is left, close the connections, leave the mapper.

use std::any::Any;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use fika_runtime::{
    Carried, Carrier, Conditions, ConnectionId, Creation, EncodeError, Env, Local, Node,
    NodeDownReason, NodeId, NodeName, NotCarried, Pid, RemoteDest, Signal, SpawnRequest, Target,
    WeakNode, register, spawn,
};
use parking_lot::Mutex;

use super::channel::{Channel, Sent, stale};
use super::config::{AutoConnect, Config};
use super::congestion::OUTPUT_BYTES;
use super::net_kernel::{Command, net_kernel};
use super::resolver::ResolveError;
use super::subscriptions::Subscriptions;
use super::table::Table;
use super::{accept, mapper};
use crate::io::{Acceptor, EpmdBindError, EpmdError, Network};
use crate::proto::handshake::{Flags, Identity};
use crate::proto::limits::Limits;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Why a node could not become one of many.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It can't listen.
    #[error("can't listen on {addr}: {error}{}", hint(error))]
    Listen {
        /// Where it was to listen.
        addr: SocketAddr,
        /// What the operating system says.
        error: io::Error,
    },
    /// Another node of this host has the name.
    #[error("the name `{0}` is taken: another node of this host is registered under it")]
    NameTaken(NodeName),
    /// The port mapper is of no use.
    #[error(transparent)]
    Epmd(EpmdError),
    /// There is no port mapper, and none could be brought up.
    #[error("no port mapper answers, and none could be brought up: {0}")]
    Mapper(EpmdBindError),
    /// The resolver could not make the node known.
    #[error("the node could not be made known: {0}")]
    Resolver(ResolveError),
    /// A setting is out of its range.
    #[error("{0}")]
    Setting(&'static str),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; choose another port, or none to have one chosen",
        io::ErrorKind::AddrNotAvailable => "; this host does not have the address",
        _ => "",
    }
}

/// The distribution of one node.
pub struct Net {
    pub(super) config: Config,
    pub(super) id: NodeId,
    pub(super) name: NodeName,
    pub(super) network: Arc<dyn Network>,
    pub(super) env: Arc<dyn Env>,
    pub(super) table: Table,
    /// Who is told of nodes that come and go.
    pub(super) subscriptions: Mutex<Subscriptions>,
    node: WeakNode,
    net_kernel: OnceLock<Pid>,
    /// The ids of connections that were given out.
    connections: AtomicU64,
    /// Channels with output, and whether there are any.
    output: Mutex<Vec<Arc<Channel>>>,
    has_output: AtomicBool,
    /// It has begun to stop: connections are neither made nor taken any more.
    stopping: AtomicBool,
    this: Weak<Net>,
}

impl Net {
    /// The distribution of this node over a network, not started. It becomes the node's
    /// carrier.
    #[must_use]
    pub fn new(node: &Node, network: Arc<dyn Network>, config: Config) -> Arc<Net> {
        let net = Arc::new_cyclic(|this| Net {
            config,
            id: node.id(),
            name: node.name(),
            network,
            env: node.env().clone(),
            table: Table::default(),
            subscriptions: Mutex::default(),
            node: node.downgrade(),
            net_kernel: OnceLock::new(),
            connections: AtomicU64::new(0),
            output: Mutex::default(),
            has_output: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            this: this.clone(),
        });
        node.set_carrier(net.clone());
        net
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

    /// Starts it. To be awaited in a process of the node.
    ///
    /// # Errors
    /// When it can't listen, or the port mapper does not take the name.
    pub async fn start(self: Arc<Self>) -> Result<(), StartError> {
        if !(4..=1000).contains(&self.config.intensity) {
            return Err(StartError::Setting("the tick intensity must be in 4..=1000"));
        }
        if !Limits::MESSAGE_BYTES.contains(&self.config.message_bytes_max) {
            return Err(StartError::Setting("the largest message must be of 4 KiB to 2 GiB"));
        }
        let (low, high) = (self.config.output_low_bytes, self.config.output_high_bytes);
        if !OUTPUT_BYTES.contains(&high) || low > high {
            let why = "the output of a connection must be of 64 KiB to 1 GiB, and its low mark \
                       not above the high one";
            return Err(StartError::Setting(why));
        }
        let addr = self.listen_addr();
        let listener = Acceptor::listen(&*self.network, addr, BACKLOG)
            .map_err(|error| StartError::Listen { addr, error })?;
        if let Ok(host) = self.name.host().parse::<IpAddr>()
            && !host.is_loopback()
            && addr.ip().is_loopback()
        {
            tracing::warn!(
                node = %self.name, listen = %addr,
                "the node listens on loopback only; give it an address to listen on"
            );
        }
        let pid = spawn(net_kernel(self.clone()));
        let _ = register("net_kernel", pid);
        let _ = self.net_kernel.set(pid);
        let listens = listener.local_addr();
        match &self.config.resolver {
            None => mapper::register(&self, listens.port()).await?,
            Some(resolver) => {
                resolver.register(&self.name, listens).await.map_err(StartError::Resolver)?;
            }
        }
        spawn(accept::accept(self, listener));
        Ok(())
    }

    fn listen_addr(&self) -> SocketAddr {
        let mut addr = self.config.listen.unwrap_or(SocketAddr::new(self.loopback(), 0));
        if addr.port() == 0
            && let Some(resolver) = &self.config.resolver
        {
            addr.set_port(resolver.listen_port(&self.name));
        }
        addr
    }

    /// Writes what is left and closes all connections. Peers see `connection_closed`.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.flush();
        for channel in self.table.all() {
            channel.lose(NodeDownReason::NetKernelTerminated);
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(super) fn handle(&self) -> Arc<Net> {
        self.this.upgrade().expect("it is borrowed, so it is there")
    }

    pub(super) fn node(&self) -> Option<Node> {
        self.node.upgrade()
    }

    pub(super) fn identity(&self) -> Identity {
        let hidden = if self.config.hidden { Flags::HIDDEN } else { Flags::NONE };
        let flags = hidden | Flags::PRIORITY;
        Identity { name: self.name.clone(), creation: self.id.creation(), flags }
    }

    pub(super) fn nonce(&self) -> [u8; 32] {
        let mut nonce = [0; 32];
        self.env.secure_random(&mut nonce);
        nonce
    }

    /// Where to listen, and where to find the nodes of this host: the node's own address
    /// if that is a loopback one.
    pub(super) fn loopback(&self) -> IpAddr {
        let own = self.name.host().parse().ok().filter(IpAddr::is_loopback);
        own.unwrap_or(Ipv4Addr::LOCALHOST.into())
    }

    pub(super) fn net_kernel(&self) -> Pid {
        *self.net_kernel.get().expect("set before anything can ask for a connection")
    }

    /// Tells net_kernel.
    pub(super) fn command(&self, command: Command) {
        if let (Some(node), Some(net_kernel)) = (self.node(), self.net_kernel.get()) {
            // net_kernel is a process of this node: nothing is to be encoded.
            let _ = node.send(*net_kernel, Local(command));
        }
    }

    fn new_channel(&self, peer: &NodeName) -> Arc<Channel> {
        let id = ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed) + 1);
        Channel::new(id, peer.clone(), self.this.clone(), &self.config)
    }

    /// The channel to a node; a pending one, that nobody sets up, if there is none.
    pub(super) fn reserve(&self, peer: &NodeName) -> Arc<Channel> {
        self.table.get_or_make(peer, || self.new_channel(peer)).0
    }

    /// The channel to a node; if there is none, one that is set up.
    pub(super) fn connect(&self, peer: &NodeName) -> Arc<Channel> {
        let (channel, new) = self.table.get_or_make(peer, || self.new_channel(peer));
        if new {
            self.command(Command::Connect(channel.clone()));
        }
        channel
    }

    /// The same, as far as connections are made by themselves.
    pub(super) fn auto_connect(&self, peer: &NodeName) -> Option<Arc<Channel>> {
        match self.config.auto_connect {
            AutoConnect::Always => Some(self.connect(peer)),
            AutoConnect::Never => self.table.get(peer),
        }
    }

    /// A channel went down, which was up if there is a node; its watchers have been told.
    pub(super) fn lost(
        &self,
        channel: &Arc<Channel>,
        node: Option<NodeId>,
        reason: NodeDownReason,
    ) {
        self.table.goes_down(node, channel);
        self.command(Command::Lost { channel: channel.clone(), was_up: node.is_some(), reason });
    }

    pub(super) fn note_output(&self, channel: &Arc<Channel>) {
        self.output.lock().push(channel.clone());
        self.has_output.store(true, Ordering::Release);
    }

    /// Sends over a channel, and over another one where that has gone down meanwhile.
    /// `nosuspend`: not if the sender would have to wait.
    fn send_over(
        &self,
        mut up: Option<Arc<Channel>>,
        to: &RemoteDest,
        mut signal: Signal,
        nosuspend: bool,
    ) -> Result<Carried, NotCarried> {
        loop {
            let channel = match up.take().or_else(|| self.auto_connect(&to.node_name())) {
                Some(channel) => channel,
                None => return Ok(self.barred(&signal)),
            };
            match channel.send(to, signal, nosuspend).map_err(NotCarried::Encode)? {
                Sent::Yes { congested } => return Ok(channel.carried(congested)),
                Sent::Busy(back) => return Err(NotCarried::Nosuspend(back)),
                Sent::Gone(back) => signal = back,
                Sent::Stale(back) => {
                    if let (Some((pid, answer)), Some(node)) = (stale(to, back), self.node()) {
                        node.receive(&Target::Pid(pid), answer);
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
    fn barred(&self, signal: &Signal) -> Carried {
        let connection = ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed) + 1);
        if let Signal::Link { from } | Signal::Monitor { from, .. } = signal {
            self.tell_lost(*from, connection);
        }
        Carried { connection, congested: None }
    }

    fn tell_lost(&self, pid: Pid, connection: ConnectionId) {
        if let Some(node) = self.node() {
            node.receive(&Target::Pid(pid), Signal::ConnectionLost { node: None, connection });
        }
    }
}

impl Carrier for Net {
    fn send(&self, to: RemoteDest, signal: Signal) -> Result<Carried, EncodeError> {
        self.send_over(self.up(&to), &to, signal, false).map_err(|not_carried| match not_carried {
            NotCarried::Encode(error) => error,
            NotCarried::Nosuspend(_) | NotCarried::Noconnect(_) => {
                unreachable!("there was no condition")
            }
        })
    }

    fn send_if(
        &self,
        to: RemoteDest,
        signal: Signal,
        conditions: Conditions,
    ) -> Result<Carried, NotCarried> {
        let mut channel = self.up(&to);
        if conditions.noconnect && channel.is_none() {
            channel = self.table.get(&to.node_name());
            if channel.is_none() {
                return Err(NotCarried::Noconnect(signal));
            }
        }
        self.send_over(channel, &to, signal, conditions.nosuspend)
    }

    fn spawn(&self, node: &NodeName, mut request: SpawnRequest) -> Carried {
        loop {
            let Some(channel) = self.auto_connect(node) else {
                let from = request.from;
                let connection = ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed) + 1);
                self.tell_lost(from, connection);
                return Carried { connection, congested: None };
            };
            match channel.spawn(request) {
                Ok(congested) => return channel.carried(congested),
                Err(back) => request = *back,
            }
        }
    }

    fn flush(&self) {
        if self.has_output.load(Ordering::Acquire) && self.has_output.swap(false, Ordering::AcqRel)
        {
            let channels = std::mem::take(&mut *self.output.lock());
            for channel in channels {
                channel.write();
            }
        }
    }

    fn undecodable(&self, node: NodeId, why: &str) {
        if let Some(channel) = self.table.up(node) {
            tracing::error!(node = %channel.peer(), error = why, "the connection is closed");
            channel.lose(NodeDownReason::ConnectionClosed);
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Net({})", self.name)
    }
}
