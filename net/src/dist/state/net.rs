//! One period of a node's distribution, from its start to its stop: the node's name, and all
//! that goes with it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Deref;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use fika_runtime::{
    ConnectionId, Creation, ExitReason, NodeDownReason, NodeId, NodeName, Pid, is_in_destructor,
    report, sleep,
};

use parking_lot::{Mutex, RwLock};

use super::admission::Allowed;
use super::ask::{Caller, ask};
use super::config::Config;
use super::cookies::Cookies;
use super::distribution::Distribution;
use super::logs::Logs;
use super::told::Told;
use crate::dist::control::{Command, Legacy, More};
use crate::dist::link::Channel;
use crate::io::{EpmdRegistration, SocketOptions, Stream};
use crate::proto::handshake::{Flags, Identity, NAME_BYTES_MAX};

/// How often a process that asks net_kernel looks whether that has been restarted, which takes
/// less than a millisecond.
const RESTART_PAUSE: Duration = Duration::from_millis(1);

/// The distribution of a node under one name.
pub(crate) struct Net {
    distribution: Arc<Distribution>,
    pub(crate) config: Config,
    /// The name with which it was started: `undefined@host` if a peer is to give it one.
    asked: NodeName,
    /// The name that its first peer has given it, and the connection that it is lost with.
    given: OnceLock<(NodeName, ConnectionId)>,
    pub(crate) creation: Creation,
    pub(crate) cookies: RwLock<Cookies>,
    pub(crate) allowed: RwLock<Allowed>,
    pub(crate) socket_options: RwLock<SocketOptions>,
    /// The nodes that were connected, and are not connected by themselves again.
    pub(crate) barred: Mutex<BTreeSet<NodeName>>,
    /// The nodes of which subscribers have been told that they are up.
    pub(crate) told: Told,
    pub(crate) logs: Logs,
    /// The registrations with the port mappers of this host, while they last.
    pub(crate) registrations: Mutex<Vec<Arc<EpmdRegistration>>>,
    net_kernel: RwLock<Option<Pid>>,
    /// What net_kernel has left to the one that takes its place.
    pub(crate) legacy: Mutex<Option<Legacy>>,
    /// Why it stops, if it has begun to: connections are neither made nor taken any more.
    ended: OnceLock<NodeDownReason>,
    this: Weak<Net>,
}

impl Deref for Net {
    type Target = Distribution;

    fn deref(&self) -> &Distribution {
        &self.distribution
    }
}

impl Net {
    pub(crate) fn new(distribution: &Distribution, asked: NodeName, config: Config) -> Arc<Net> {
        let mut allowed = Allowed::default();
        allowed.add(config.allow.iter().cloned());
        let cookies = Cookies::new(config.cookie.clone(), config.cookies.clone());
        let options = config.socket_options;
        Net::with_settings(distribution, asked, config, (cookies, allowed, options))
    }

    /// The same node without a name again, with the settings that it has now.
    pub(crate) fn nameless_again(&self) -> Arc<Net> {
        let cookies = self.cookies.read().clone();
        let settings = (cookies, self.allowed.read().clone(), *self.socket_options.read());
        Net::with_settings(&self.distribution, self.asked.clone(), self.config.clone(), settings)
    }

    fn with_settings(
        distribution: &Distribution,
        asked: NodeName,
        config: Config,
        (cookies, allowed, socket_options): (Cookies, Allowed, SocketOptions),
    ) -> Arc<Net> {
        Arc::new_cyclic(|this| Net {
            creation: distribution.creation(&asked),
            distribution: distribution.handle(),
            cookies: RwLock::new(cookies),
            allowed: RwLock::new(allowed),
            socket_options: RwLock::new(socket_options),
            barred: Mutex::default(),
            config,
            asked,
            given: OnceLock::new(),
            told: Told::default(),
            logs: Logs::default(),
            registrations: Mutex::default(),
            net_kernel: RwLock::default(),
            legacy: Mutex::default(),
            ended: OnceLock::new(),
            this: this.clone(),
        })
    }

    /// Writes what is left, and closes all connections. Nobody makes one after it.
    pub(crate) fn close(&self, reason: &NodeDownReason) {
        // What was the first reason stays it.
        let _ = self.ended.set(reason.clone());
        fika_runtime::Carrier::flush(&*self.distribution);
        for channel in self.table.all() {
            channel.lose(reason.clone());
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.ended.get().is_some()
    }

    /// Why all connections are closed, if they are.
    pub(crate) fn ended(&self) -> Option<NodeDownReason> {
        self.ended.get().cloned()
    }

    /// The node's name, or `undefined@host` while it has none and may get one.
    pub(crate) fn name(&self) -> &NodeName {
        self.given.get().map_or(&self.asked, |(name, _)| name)
    }

    /// Whether its first peer is to give it one (DIST-4).
    pub(crate) fn is_nameless(&self) -> bool {
        self.name().is_undefined()
    }

    /// Has the name that the peer of this connection gives; false if the distribution has
    /// ended.
    pub(crate) fn take_name(&self, name: NodeName, connection: ConnectionId) -> bool {
        let is_taken = self.distribution.take_name(self, &name);
        is_taken && self.given.set((name, connection)).is_ok()
    }

    /// Whether its name is from the peer of this connection.
    pub(crate) fn is_named_by(&self, connection: ConnectionId) -> bool {
        self.given.get().is_some_and(|(_, by)| *by == connection)
    }

    /// A name for a node at this host that asks for one: one that no node has (DIST-4).
    pub(crate) fn new_name(&self, host: &str) -> Option<NodeName> {
        loop {
            // Nobody has to remember it: it is none of 2^64 that was there before.
            let name: NodeName = format!("{:016x}@{host}", self.env.random()).parse().ok()?;
            if self.table.get(&name).is_none() {
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
        self.env.secure_random(&mut nonce);
        nonce
    }

    /// Where to listen, and where to find the nodes of this host: the node's own address
    /// if that is a loopback one.
    pub(crate) fn loopback(&self) -> IpAddr {
        let own = self.name().host().parse().ok().filter(IpAddr::is_loopback);
        own.unwrap_or(Ipv4Addr::LOCALHOST.into())
    }

    pub(crate) fn set_net_kernel(&self, pid: Pid) {
        *self.net_kernel.write() = Some(pid);
    }

    /// The process net_kernel; another one if it has been restarted.
    pub(crate) fn net_kernel(&self) -> Pid {
        self.net_kernel.read().expect("set before anything can ask for a connection")
    }

    /// Ends net_kernel, if it was started.
    pub(crate) fn kill_net_kernel(&self) {
        if let (Some(net_kernel), Some(node)) = (*self.net_kernel.read(), self.node()) {
            node.exit_process(net_kernel, ExitReason::Kill);
        }
    }

    /// Tells net_kernel.
    pub(crate) fn command(&self, command: Command) {
        let net_kernel = *self.net_kernel.read();
        if let Some(net_kernel) = net_kernel {
            self.tell_local(net_kernel, command);
        }
    }

    /// Asks net_kernel. If net_kernel ends first, its successor is asked. `None` if the distribution
    /// has ended, and in a destructor, which does not wait.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl Fn(Caller<T>) -> Command,
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

    /// Others have their turn before it goes on.
    pub(crate) fn more(&self, more: More) {
        let net_kernel = *self.net_kernel.read();
        if let Some(net_kernel) = net_kernel {
            self.tell_local(net_kernel, more);
        }
    }

    /// Sets what is to be set on the sockets of connections.
    pub(crate) fn set_up_socket(&self, stream: &Stream) {
        let options = *self.socket_options.read();
        if !options.is_empty()
            && let Err(error) = stream.set_options(&options)
        {
            report!(warn, %error, ?options, "not all options of a socket could be set");
        }
    }

    /// A process watches a node, or takes one of its watches back.
    pub(crate) fn watch(&self, pid: Pid, node: NodeName, on: bool) {
        if on {
            self.subscriptions.lock().ask(pid, &node);
        }
        self.command(Command::MonitorNode { pid, node: node.clone(), on });
        // net_kernel may end without having heard of it.
        if let Some(reason) = self.ended().filter(|_| on) {
            self.tell_node_watchers(node, reason);
        }
    }

    fn new_channel(&self, peer: &NodeName) -> Arc<Channel> {
        let (id, this) = (self.new_connection(), self.this.clone());
        Channel::new(id, peer.clone(), this, &self.config, self.observed.clone())
    }

    /// Returns the channel to a node. If there is none, adds a pending one, which the caller has to
    /// set up; the flag says that the channel is new.
    pub(crate) fn reserve(&self, peer: &NodeName) -> (Arc<Channel>, bool) {
        let (channel, is_new) = self.table.get_or_make(peer, || self.new_channel(peer));
        self.lose_if_stopping(&channel);
        (channel, is_new)
    }

    /// The channel to a node; if there is none, one that is set up.
    pub(crate) fn connect(&self, peer: &NodeName) -> Arc<Channel> {
        let (channel, new) = self.table.get_or_make(peer, || self.new_channel(peer));
        if new {
            self.command(Command::Connect(channel.clone()));
            self.lose_if_stopping(&channel);
        }
        channel
    }

    /// Whoever stops the distribution closes the channels that it finds in the table; one that
    /// comes after that is closed here.
    fn lose_if_stopping(&self, channel: &Arc<Channel>) {
        if let Some(reason) = self.ended() {
            channel.lose(reason);
        }
    }

    /// A channel went down, which was up if there is a node; its watchers have been told.
    pub(crate) fn lost(
        &self,
        channel: &Arc<Channel>,
        node: Option<NodeId>,
        reason: NodeDownReason,
    ) {
        if node.is_some() {
            self.bar(channel.peer());
        }
        self.table.goes_down(node, channel);
        self.command(Command::Lost { channel: channel.clone(), was_up: node.is_some(), reason });
    }
}
