//! One period of a node's distribution, from its start to its stop: the node's name and everything
//! that goes with it. It is the [`Owner`] of the period's channels.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use fika_runtime::{
    ConnectionId, Creation, ExitReason, Node, NodeDownReason, NodeId, NodeName, Pid,
    is_in_destructor, report, sleep,
};

use parking_lot::{Mutex, RwLock};

use super::allowed::Allowed;
use super::ask::{Caller, ask};
use super::base::Base;
use super::config::Config;
use super::cookies::Cookies;
use super::handler::{Decision, admit, decide};
use super::known::Heard;
use super::logs::Logs;
use super::told::Told;
use crate::dist::discovery::Site;
use crate::dist::link::{Admitted, Channel, LinkLogs, Owner, Shared};
use crate::io::{SocketOptions, Stream};
use crate::proto::connection::Event;
use crate::proto::handshake::{Flags, Identity, NAME_BYTES_MAX, Secret};

/// The pause between two checks of an asking process whether net_kernel was restarted. A restart
/// takes less than a millisecond.
const RESTART_PAUSE: Duration = Duration::from_millis(1);

/// A message of a [`Net`] to net_kernel.
pub(crate) enum Notice {
    /// A channel was made. net_kernel has to connect it.
    Connect(Arc<Channel>),
    /// A channel has ended. Its watchers have been notified.
    Lost { channel: Arc<Channel>, was_up: bool, reason: NodeDownReason },
}

/// The distribution of a node under one name.
pub(crate) struct Net {
    pub(crate) base: Arc<Base>,
    /// The facts about this node that discovery needs.
    pub(crate) site: Arc<Site>,
    pub(crate) config: Config,
    /// The name with which the period was started. `undefined@host` if the first peer will name the
    /// node.
    asked: NodeName,
    /// The name that the first peer has given, and its connection. The name is lost with that
    /// connection.
    given: OnceLock<(NodeName, ConnectionId)>,
    pub(crate) creation: Creation,
    pub(crate) cookies: RwLock<Cookies>,
    pub(crate) allowed: RwLock<Allowed>,
    pub(crate) socket_options: RwLock<SocketOptions>,
    /// The nodes that were connected, and are not connected automatically any more.
    pub(crate) barred: Mutex<BTreeSet<NodeName>>,
    /// The nodes whose `nodeup` has been sent to subscribers.
    pub(crate) told: Told,
    pub(crate) logs: Logs,
    net_kernel: RwLock<Option<Pid>>,
    /// Held while the node's name is given or taken away.
    naming: Mutex<()>,
    /// The reason why the period has ended, once it has. After that, no connections are made or
    /// accepted.
    ended: OnceLock<NodeDownReason>,
    /// The state that the channels of this period share.
    shared: Arc<Shared>,
    this: Weak<Net>,
}

impl Net {
    pub(crate) fn new(base: Arc<Base>, asked: NodeName, config: Config) -> Arc<Net> {
        let mut allowed = Allowed::default();
        allowed.add(config.allow.iter().cloned());
        let cookies = Cookies::new(config.cookie.clone(), config.cookies.clone());
        let options = config.socket_options;
        Net::with_settings(base, asked, config, (cookies, allowed, options))
    }

    /// Makes the next period of a node that gets its name from its first peer, with the current
    /// settings.
    pub(crate) fn nameless_again(&self) -> Arc<Net> {
        let cookies = self.cookies.read().clone();
        let settings = (cookies, self.allowed.read().clone(), *self.socket_options.read());
        Net::with_settings(self.base.clone(), self.asked.clone(), self.config.clone(), settings)
    }

    fn with_settings(
        base: Arc<Base>,
        asked: NodeName,
        config: Config,
        (cookies, allowed, socket_options): (Cookies, Allowed, SocketOptions),
    ) -> Arc<Net> {
        let shared = Arc::new(Shared {
            limits: config.limits(),
            output_high_bytes: config.output_high_bytes,
            output_low_bytes: config.output_low_bytes,
            has_handler: config.handler.is_some(),
            env: base.env.clone(),
            observed: base.observed.clone(),
            buffers: base.buffers.clone(),
            logs: LinkLogs::default(),
        });
        let site = Arc::new(Site {
            network: base.network.clone(),
            env: base.env.clone(),
            name: asked.clone(),
            hidden: config.hidden,
            listen: config.listen,
            epmd_port: config.epmd_port,
            start_epmd: config.start_epmd,
            resolver: config.resolver.clone(),
            setup_time: config.setup_time,
            registrations: Mutex::default(),
        });
        Arc::new_cyclic(|this| Net {
            creation: base.creation(&asked),
            site,
            base,
            cookies: RwLock::new(cookies),
            allowed: RwLock::new(allowed),
            socket_options: RwLock::new(socket_options),
            barred: Mutex::default(),
            config,
            asked,
            given: OnceLock::new(),
            told: Told::default(),
            logs: Logs::default(),
            net_kernel: RwLock::default(),
            naming: Mutex::default(),
            ended: OnceLock::new(),
            shared,
            this: this.clone(),
        })
    }

    /// Writes the remaining output, and closes all connections. No connection is made afterwards.
    pub(crate) fn close(&self, reason: &NodeDownReason) {
        // The first reason stays.
        let _ = self.ended.set(reason.clone());
        self.base.flush();
        for channel in self.base.connections.all() {
            channel.write_last();
            channel.lose(reason.clone());
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.ended.get().is_some()
    }

    /// Returns the reason why all connections were closed, or `None` while the period lasts.
    pub(crate) fn ended(&self) -> Option<NodeDownReason> {
        self.ended.get().cloned()
    }

    /// Returns the node's name, or `undefined@host` while it waits for a name from its first peer.
    pub(crate) fn name(&self) -> &NodeName {
        self.given.get().map_or(&self.asked, |(name, _)| name)
    }

    /// Returns whether the node waits for a name from its first peer (DIST-4).
    pub(crate) fn is_nameless(&self) -> bool {
        self.name().is_undefined()
    }

    /// Sets the name that the peer of this connection has given. Returns false if the distribution
    /// has ended.
    pub(crate) fn take_name(&self, name: NodeName, connection: ConnectionId) -> bool {
        let _naming = self.naming.lock();
        if self.is_stopping() {
            return false;
        }
        self.base.set_name(&name, self.creation);
        self.given.set((name, connection)).is_ok()
    }

    /// Takes the node's name away. No peer can give it a name any more, since this period is
    /// stopping.
    pub(crate) fn drop_name(&self) {
        let _naming = self.naming.lock();
        self.base.set_name(&NodeName::nonode(), Creation(0));
    }

    /// Returns whether the peer of this connection has given the node its name.
    pub(crate) fn is_named_by(&self, connection: ConnectionId) -> bool {
        self.given.get().is_some_and(|(_, by)| *by == connection)
    }

    /// Returns a new name at this host for a node that asks for a name (DIST-4).
    pub(crate) fn new_name(&self, host: &str) -> Option<NodeName> {
        loop {
            // The chance that one of 2^64 names was used before is negligible.
            let name: NodeName = format!("{:016x}@{host}", self.base.env.random()).parse().ok()?;
            if self.base.connections.get(&name).is_none() {
                return Some(name).filter(|name| name.as_str().len() <= NAME_BYTES_MAX);
            }
        }
    }

    pub(crate) fn identity(&self) -> Identity {
        let hidden = if self.config.hidden { Flags::HIDDEN } else { Flags::NONE };
        let name_me = if self.is_nameless() { Flags::NAME_ME } else { Flags::NONE };
        let flags = hidden | name_me | Flags::PRIORITY;
        Identity { name: self.name().clone(), creation: self.creation, flags }
    }

    pub(crate) fn nonce(&self) -> [u8; 32] {
        let mut nonce = [0; 32];
        self.base.env.secure_random(&mut nonce);
        nonce
    }

    /// Returns the secret that this node shares with a peer. The peer may still have to prove its
    /// name: it is the name that this node wants to reach, or the name in the hello of an
    /// initiator.
    pub(crate) fn secret(&self, peer: &NodeName) -> Secret {
        let cookie = self.cookies.read().with(peer).clone();
        Secret { cookie, cluster_id: self.config.cluster_id.clone() }
    }

    pub(crate) fn set_net_kernel(&self, pid: Pid) {
        *self.net_kernel.write() = Some(pid);
    }

    /// Returns the pid of net_kernel. A restart changes the pid.
    pub(crate) fn net_kernel(&self) -> Pid {
        self.net_kernel.read().expect("net_kernel starts before the first connection")
    }

    /// Ends net_kernel, if it was started.
    pub(crate) fn kill_net_kernel(&self) {
        if let (Some(net_kernel), Some(node)) = (*self.net_kernel.read(), self.base.node()) {
            node.exit_process(net_kernel, ExitReason::Kill);
        }
    }

    /// Sends a message to net_kernel.
    pub(crate) fn tell_net_kernel<M: Send + 'static>(&self, message: M) {
        let net_kernel = *self.net_kernel.read();
        if let Some(net_kernel) = net_kernel {
            self.base.tell_local(net_kernel, message);
        }
    }

    /// Asks net_kernel, and waits for its answer. If net_kernel ends first, asks its successor.
    /// Returns `None` if the distribution has ended. Also returns `None` in a destructor, which
    /// must not wait.
    pub(crate) async fn ask<T: Send + 'static, Q: Send + 'static>(
        &self,
        question: impl Fn(Caller<T>) -> Q,
    ) -> Option<T> {
        loop {
            let net_kernel = self.net_kernel();
            if let Some(answer) = ask(net_kernel, &question).await {
                return Some(answer);
            }
            while self.net_kernel() == net_kernel {
                if self.is_stopping() || is_in_destructor() {
                    return None;
                }
                sleep(RESTART_PAUSE).await;
            }
        }
    }

    /// Asks the program's handler. A panic counts as a refusal.
    pub(crate) fn decide<T>(&self, ask: impl FnOnce() -> Decision<T>) -> Decision<T> {
        decide(&self.logs.handler, &*self.base.env, ask)
    }

    /// Sets the options of the socket of a new connection.
    pub(crate) fn set_up_socket(&self, stream: &Stream) {
        let options = *self.socket_options.read();
        if !options.is_empty()
            && let Err(error) = stream.set_options(&options)
        {
            report!(warn, %error, ?options, "not all options of a socket could be set");
        }
    }

    fn new_channel(&self, peer: &NodeName) -> Arc<Channel> {
        let id = self.base.new_connection();
        Channel::new(id, peer.clone(), self.shared.clone(), self.this.clone())
    }

    /// Returns the channel to a node. If there is none, adds a pending channel, which the caller
    /// has to connect. The flag is true if the channel is new.
    pub(crate) fn reserve(&self, peer: &NodeName) -> (Arc<Channel>, bool) {
        let (channel, is_new) = self.base.connections.get_or_make(peer, || self.new_channel(peer));
        self.lose_if_stopping(&channel);
        (channel, is_new)
    }

    /// Returns the channel to a node. If there is none, adds one and asks net_kernel to connect it.
    pub(crate) fn connect(&self, peer: &NodeName) -> Arc<Channel> {
        let (channel, new) = self.base.connections.get_or_make(peer, || self.new_channel(peer));
        if new {
            self.tell_net_kernel(Notice::Connect(channel.clone()));
            self.lose_if_stopping(&channel);
        }
        channel
    }

    /// Closes a channel that was added after the distribution was stopped, since
    /// [`close`](Net::close) has missed it.
    fn lose_if_stopping(&self, channel: &Arc<Channel>) {
        if let Some(reason) = self.ended() {
            channel.lose(reason);
        }
    }
}

impl Owner for Net {
    fn node(&self) -> Option<Node> {
        self.base.node()
    }

    fn net_kernel(&self) -> Option<Pid> {
        *self.net_kernel.read()
    }

    fn own_id(&self) -> NodeId {
        NodeId::of(self.name(), self.creation)
    }

    fn note_output(&self, channel: Arc<Channel>) {
        self.base.note_output(channel);
    }

    fn flush(&self) {
        self.base.flush();
    }

    fn meet(&self, life: (&NodeName, Creation), from: IpAddr) -> Option<NodeId> {
        self.base.meet(life, Heard::Mentioned, from)
    }

    fn admit(&self, peer: &NodeName, event: Event) -> Admitted {
        match &self.config.handler {
            None => Admitted::Yes(event),
            Some(handler) => admit(&**handler, (&self.logs.handler, &*self.base.env), peer, event),
        }
    }

    fn lost(&self, channel: &Arc<Channel>, node: Option<NodeId>, reason: NodeDownReason) {
        if node.is_some() {
            self.bar(channel.peer());
        }
        self.base.connections.goes_down(node, channel);
        self.tell_net_kernel(Notice::Lost {
            channel: channel.clone(),
            was_up: node.is_some(),
            reason,
        });
    }
}
