//! A node, whole: its processes and its distribution.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::{Deref, RangeInclusive};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fika_net::{
    AutoConnect, Config, Cookie, CookieError, Distribution, NetHandler, Network, NodeKind, Poller,
    Resolver, SocketOptions, StartError,
};
use fika_runtime::{
    BuildError, Env, ExitReason, MailboxLimit, NodeId, NodeName, NodeNameError, SystemEnv,
};

/// A node: processes, and their connections to other nodes. A program may have many nodes. A `Node`
/// is cheap to clone, and all clones are the same node.
///
/// ```
/// use fika::prelude::*;
///
/// let node = Node::builder().workers(2).build()?;
/// let answer = node.block_on(async {
///     let me = self_pid();
///     spawn(async move { send(me, 42_u64) });
///     receive! { n: u64 => n }
/// });
/// assert_eq!(answer, 42);
/// node.stop();
/// # Ok::<(), fika::NodeError>(())
/// ```
///
/// # Threads
/// A node has one worker thread for each core, or as many as [`workers`](NodeBuilder::workers)
/// says, and one thread that watches the workers. Calls of
/// [`spawn_blocking`](crate::spawn_blocking) run on further threads, up to 512 at a time, which end
/// after 10 s without work.
///
/// # Its end
/// A node runs until `stop` is called, by any thread or process, or until the last handle to the
/// node is dropped. Handles that [`self_node`] returns inside the node's processes do not count.
/// Dropping a handle does not wait for the stop; to wait, call `stop`.
///
/// ```
/// use fika::prelude::*;
///
/// let node = Node::builder().workers(1).build()?;
/// node.spawn(async {
///     // Ready when the stop is asked for, before any process is killed.
///     self_node().run_until_stopped().await;
///     println!("up to 5 s to put things in order");
/// });
/// node.spawn(async {
///     sleep(millis(10)).await;
///     // Inside of a process this only begins the stop.
///     self_node().stop();
/// });
/// // Outside, this returns when the node has stopped.
/// node.run_until_stopped().wait();
/// # Ok::<(), fika::NodeError>(())
/// ```
#[derive(Clone)]
pub struct Node {
    node: fika_runtime::Node,
    /// `None` in handles of the node's own processes.
    _owner: Option<Arc<Owner>>,
}

/// Shared by the handles that keep the node running.
struct Owner(fika_runtime::Node);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.begin_stop();
    }
}

impl Node {
    fn owned(node: fika_runtime::Node) -> Node {
        Node { _owner: Some(Arc::new(Owner(node.clone()))), node }
    }

    /// Returns a builder with the default settings.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::default()
    }

    /// Returns the visible nodes that are connected (Erlang's `nodes/0`).
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeName> {
        self.distribution().map(|it| it.nodes_of(NodeKind::Visible)).unwrap_or_default()
    }

    /// Returns whether the node has a name, and so can be connected (Erlang's `is_alive/0`).
    #[must_use]
    pub fn is_distributed(&self) -> bool {
        self.distribution().is_some_and(|it| it.is_started())
    }

    /// Gives the node a name, as [`start_distribution`](crate::start_distribution) does inside
    /// of a process.
    ///
    /// ```standalone_crate
    /// use fika::prelude::*;
    ///
    /// # let ip = format!("127.1.{}.9", std::process::id() % 250);
    /// let node = Node::builder().cookie("a long and secret cookie").epmd_port(14_399).build()?;
    /// assert_eq!(node.name().as_str(), "nonode@nohost");
    /// # let name = format!("late@{ip}");
    /// # stringify! {
    /// let name = "late@127.0.0.1";
    /// # };
    /// node.start_distribution(&name)?;
    /// assert_eq!(node.name().as_str(), name);
    /// assert!(node.stop_distribution());
    /// assert!(!node.is_distributed());
    /// # node.stop();
    /// # Ok::<(), fika::NodeError>(())
    /// ```
    ///
    /// # Errors
    /// See [`start_distribution`](crate::start_distribution).
    ///
    /// # Panics
    /// Inside a process.
    pub fn start_distribution(&self, name: impl AsRef<str>) -> Result<(), NodeError> {
        let name = name.as_ref().parse()?;
        let Some(distribution) = self.distribution() else {
            return Err(StartError::NoNetwork.into());
        };
        match self.try_block_on_service(async move { distribution.start(name).await }) {
            Ok(started) => started.map_err(NodeError::from),
            Err(reason) => Err(NodeError::Ended(reason)),
        }
    }

    /// Takes the node's name away, as [`stop_distribution`](crate::stop_distribution) does
    /// inside of a process.
    ///
    /// # Panics
    /// Inside a process.
    pub fn stop_distribution(&self) -> bool {
        let Some(distribution) = self.distribution() else { return false };
        self.try_block_on_service(async move { distribution.stop().await }).unwrap_or(false)
    }

    fn distribution(&self) -> Option<Arc<Distribution>> {
        Distribution::of(&self.node)
    }
}

impl Deref for Node {
    type Target = fika_runtime::Node;

    fn deref(&self) -> &fika_runtime::Node {
        &self.node
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(f)
    }
}

/// Returns a handle to the node of the running process (for its name, Erlang's `node/0`, use
/// `self_node().name()`).
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn self_node() -> Node {
    Node { node: fika_runtime::self_node(), _owner: None }
}

/// Why a node could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The name is invalid.
    #[error(transparent)]
    Name(#[from] NodeNameError),
    /// There is no valid cookie.
    #[error(transparent)]
    Cookie(#[from] CookieError),
    /// The node's processes can't run.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The poller or the network could not be made.
    #[error("no sockets can be made: {0}")]
    Poller(io::Error),
    /// The distribution can't start.
    #[error(transparent)]
    Start(StartError),
    /// The process that was to start the distribution ended.
    #[error("the distribution could not be started: {0}")]
    Ended(ExitReason),
}

/// A name and a cookie have errors of their own, wherever they are found.
impl From<StartError> for NodeError {
    fn from(error: StartError) -> NodeError {
        match error {
            StartError::Name(error) => NodeError::Name(error),
            StartError::Cookie(error) => NodeError::Cookie(error),
            error => NodeError::Start(error),
        }
    }
}

/// A setting of the distribution, which is applied each time that it starts.
type Change = Box<dyn Fn(&mut Config) + Send + Sync>;

/// Makes the network of a node, on the poller in which its workers wait.
type MakeNetwork = Box<dyn FnOnce(Poller) -> io::Result<Arc<dyn Network>> + Send>;

/// The settings of a node. Those about other nodes matter only if it has a name.
#[derive(Default)]
#[must_use = "a node starts with `build`"]
pub struct NodeBuilder {
    name: Option<String>,
    cookie: Option<String>,
    cookie_file: Option<PathBuf>,
    peer_cookies: Vec<(String, CookieFrom)>,
    allow_weak_cookie: bool,
    workers: Option<usize>,
    process_limit: Option<usize>,
    mailbox_limit: MailboxLimit,
    long_message_queue: Option<usize>,
    async_dist: bool,
    encode_messages: Option<bool>,
    env: Option<Arc<dyn Env>>,
    network: Option<MakeNetwork>,
    changes: Vec<Change>,
    pub(crate) ignore_signals: bool,
}

impl NodeBuilder {
    /// Gives the node a name, `alive@host`, under which other nodes reach it. The host of a long
    /// name has a dot or is an IP address; the host of a short name has no dot. A node with a long
    /// name and a node with a short name can't connect. A name has at most 255 characters and 480
    /// bytes.
    ///
    /// With `undefined@host` the node gets its name from the first node that it connects to, as
    /// [`start_distribution`](crate::start_distribution) says (Erlang's `-sname undefined`).
    pub fn name(mut self, name: impl AsRef<str>) -> Self {
        self.name = Some(name.as_ref().to_owned());
        self
    }

    /// Sets the secret that the nodes of a cluster share; that of the cookie file if not set. A
    /// cookie of fewer than 16 bytes is refused, as it can be guessed.
    pub fn cookie(mut self, cookie: impl Into<String>) -> Self {
        self.cookie = Some(cookie.into());
        self
    }

    /// Sets the file that contains the cookie; `~/.fika.cookie` if not set, which is made with
    /// random content if it is missing. A file that other users can read is refused.
    pub fn cookie_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.cookie_file = Some(file.into());
        self
    }

    /// Sets whether a cookie of fewer than 16 bytes is accepted, with a warning; false if not set.
    /// An attacker who has recorded one handshake can try all short texts in little time.
    pub fn allow_weak_cookie(mut self, allow: bool) -> Self {
        self.allow_weak_cookie = allow;
        self
    }

    /// Sets the cluster of the node: any text, which need not be secret; empty if not set. Nodes of
    /// different clusters do not connect, even if they have the same cookie by mistake.
    pub fn cluster_id(self, id: impl Into<String>) -> Self {
        let id = id.into();
        self.change(move |config| config.cluster_id.clone_from(&id))
    }

    /// Sets the number of threads that run processes, from 1 to 1024; one for each core if not set.
    /// Each has a stack of 8 MiB, or of the size in bytes in the environment variable
    /// `RUST_MIN_STACK`.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Limits how many processes the program may have at the same time, from 1 to 134,217,727;
    /// 1,048,576 if not set (Erlang's `+P`). The node's own services, such as those that make and
    /// accept connections, do not count against this limit, but
    /// [`process_count`](crate::process_count) includes them.
    pub fn process_limit(mut self, limit: usize) -> Self {
        self.process_limit = Some(limit);
        self
    }

    /// Sets the mailbox limit of all processes that set no other by
    /// [`SpawnOpts::mailbox_limit`](crate::SpawnOpts::mailbox_limit) or
    /// [`mailbox_limit`](crate::mailbox_limit()); no limit if not set (the counterpart of Erlang's
    /// `+hmax`).
    pub fn mailbox_limit(mut self, limit: MailboxLimit) -> Self {
        self.mailbox_limit = limit;
        self
    }

    /// Sets how many messages must wait in a mailbox that only grows before a warning is reported;
    /// 10,000 if not set, and `usize::MAX` for never (the counterpart of `long_message_queue` in
    /// Erlang's system monitor).
    ///
    /// The warning names the process and the most frequent message type, which is usually one that
    /// no `receive!` takes. It is repeated each time that the number of messages has doubled.
    pub fn long_message_queue(mut self, messages: usize) -> Self {
        self.long_message_queue = Some(messages);
        self
    }

    /// Sets the clock and the random source; the operating system's if not set.
    pub fn env(mut self, env: Arc<dyn Env>) -> Self {
        self.env = Some(env);
        self
    }

    /// Sets whether the node is hidden; false if not set. A hidden node connects only when asked,
    /// is not in the `nodes()` of its peers, and takes no part in the mesh. To it, all its peers
    /// are hidden: they are in `nodes_of(NodeKind::Hidden)`, and
    /// `monitor_nodes_of(NodeKind::Hidden, true)` reports them.
    pub fn hidden(self, hidden: bool) -> Self {
        self.change(move |config| config.hidden = hidden)
    }

    /// Sets the address to listen on for other nodes; a loopback address and any port if not set.
    /// `0.0.0.0` stands for all IPv4 addresses of the host, and `[::]` for all addresses of both
    /// families.
    ///
    /// Other nodes look for this one at the addresses of the host in its name, so `addr` has to be
    /// one of these, or stand for all. [`build`](NodeBuilder::build) refuses a node whose name
    /// contains an address of this host on which it does not listen, and logs a warning if other
    /// nodes may not find the node.
    ///
    /// The port mapper that a node starts serves loopback and the addresses on which the node
    /// listens. If another mapper serves some of them, the node starts one for the others.
    pub fn listen(self, addr: SocketAddr) -> Self {
        self.change(move |config| config.listen = Some(addr))
    }

    /// Sets a range of ports. The node listens on the first free one, unless
    /// [`listen`](NodeBuilder::listen) names a port (OTP's `inet_dist_listen_min` and `_max`). So a
    /// firewall can let these ports through.
    pub fn listen_ports(self, ports: RangeInclusive<u16>) -> Self {
        self.change(move |config| config.listen_ports = Some(ports.clone()))
    }

    /// Sets whether the node listens for others at all; true if not set (OTP's `dist_listen`). A
    /// node that does not listen is hidden, and registers with no port mapper. It can connect to
    /// other nodes, and then works like any node.
    pub fn dist_listen(self, listens: bool) -> Self {
        self.change(move |config| config.listens = listens)
    }

    /// Sets whether the node starts a port mapper if none answers; true if not set (OTP's
    /// `-start_epmd`).
    pub fn start_epmd(self, start: bool) -> Self {
        self.change(move |config| config.start_epmd = start)
    }

    /// Sets the cookie for one peer, in both directions, in place of the node's own (OTP's
    /// `-setcookie` with a node); see [`set_cookie_for`](crate::set_cookie_for).
    pub fn cookie_for(mut self, node: impl AsRef<str>, cookie: impl Into<String>) -> Self {
        self.peer_cookies.push((node.as_ref().to_owned(), CookieFrom::Text(cookie.into())));
        self
    }

    /// Sets the cookie for one peer from a file, which other users must not be able to read.
    pub fn cookie_file_for(mut self, node: impl AsRef<str>, file: impl Into<PathBuf>) -> Self {
        self.peer_cookies.push((node.as_ref().to_owned(), CookieFrom::File(file.into())));
        self
    }

    /// Adds nodes that may be connected, in both directions, each by its name, its host, or the
    /// part of its name before the `@`; all if not set (OTP's `net_kernel:allow/1`).
    pub fn allow<T: AsRef<str>>(self, nodes: impl IntoIterator<Item = T>) -> Self {
        let nodes: Vec<String> = nodes.into_iter().map(|node| node.as_ref().to_owned()).collect();
        self.change(move |config| config.allow.extend(nodes.iter().cloned()))
    }

    /// Sets the options of the sockets between nodes (OTP's `inet_dist_connect_options` and
    /// `inet_dist_listen_options`). By default, small writes are sent at once, and all else is the
    /// operating system's default.
    pub fn socket_options(self, options: SocketOptions) -> Self {
        self.change(move |config| config.socket_options = options)
    }

    /// Sets a handler that takes part in decisions of net_kernel: nodes that come and go, requests
    /// to spawn, sends to registered names, and peers with a wrong cookie. See [`NetHandler`].
    pub fn net_handler(self, handler: impl NetHandler) -> Self {
        let handler: Arc<dyn NetHandler> = Arc::new(handler);
        self.change(move |config| config.handler = Some(handler.clone()))
    }

    /// Sets the port of the port mapper, on this host and on others; if not set, that in the
    /// environment variable `ERL_EPMD_PORT`, or 4369. If no mapper answers there, the node starts
    /// one.
    pub fn epmd_port(self, port: u16) -> Self {
        self.change(move |config| config.epmd_port = port)
    }

    /// Sets how nodes find each other without a port mapper: [`StaticNodes`](crate::StaticNodes),
    /// [`FixedPort`](crate::FixedPort), [`resolver_fn`](crate::resolver_fn), or your own
    /// [`Resolver`]. The node then neither uses nor starts a port mapper (OTP's `-start_epmd false`
    /// with `-epmd_module`).
    ///
    /// ```no_run
    /// use fika::prelude::*;
    /// use fika::{FixedPort, StaticNodes, resolver_fn};
    ///
    /// // A table.
    /// let nodes = StaticNodes::new(["a@10.0.0.1:4001", "b@10.0.0.2:4001"])?;
    /// let a = Node::builder().name("a@10.0.0.1").listen("10.0.0.1:4001".parse()?);
    /// let a = a.resolver(nodes).build()?;
    ///
    /// // Or each on a host of its own, and all on one port.
    /// let b = Node::builder().name("b@10.0.0.2").listen("10.0.0.2:0".parse()?);
    /// let b = b.resolver(FixedPort(4001)).build()?;
    ///
    /// // Or whatever the program asks.
    /// let find = |node: NodeName| async move {
    ///     let file = format!("/run/cluster/{node}");
    ///     let addr = spawn_blocking(move || std::fs::read_to_string(file)).await?;
    ///     let addr: std::net::SocketAddr = addr.trim().parse()?;
    ///     Ok(Some(addr.into()))
    /// };
    /// let c = Node::builder().name("c@10.0.0.3").resolver(resolver_fn(find)).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resolver(self, resolver: impl Resolver) -> Self {
        let resolver = Arc::new(resolver);
        self.change(move |config| config.resolver = Some(resolver.clone()))
    }

    /// Sets the network that carries the bytes between this node and others, including the port
    /// mapper's; TCP if not set. The function gets the poller of the node, which calls handlers.
    ///
    /// All nodes of a cluster have to use the same kind.
    pub fn network<N: Network>(
        mut self,
        make: impl FnOnce(Poller) -> io::Result<N> + Send + 'static,
    ) -> Self {
        self.network = Some(Box::new(|poller| Ok(Arc::new(make(poller)?))));
        self
    }

    /// Connects to other nodes over Unix sockets in this directory instead of TCP: other hosts and
    /// other users can't reach the node. See [`UnixSockets`](crate::UnixSockets).
    #[cfg(unix)]
    pub fn unix_sockets(self, directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        self.network(move |poller| fika_net::UnixSockets::new(&poller, directory))
    }

    /// Sets how long a peer may be silent before its connection is closed, from 1 ms to 365 days;
    /// 60 s if not set. All nodes must use the same (OTP's `net_ticktime`).
    pub fn net_ticktime(self, time: Duration) -> Self {
        self.change(move |config| config.ticktime = time)
    }

    /// Sets how often peers are checked in a ticktime, from 4 to 1000; 4 if not set (OTP's
    /// `net_tickintensity`).
    pub fn net_tickintensity(self, intensity: u32) -> Self {
        self.change(move |config| config.intensity = intensity)
    }

    /// Sets the size of the largest message between nodes, in bytes: from 4 KiB to 2 GiB; 16 MiB if
    /// not set. All nodes must use the same: a sender refuses a larger message, and a receiver
    /// closes the connection.
    pub fn message_bytes_max(self, bytes: usize) -> Self {
        self.change(move |config| config.message_bytes_max = bytes)
    }

    /// Sets the limits of the output of a connection: when more than `high` bytes wait to be sent
    /// to a node, the processes that send there are suspended until at most `low` bytes wait; 1 MiB
    /// and 512 KiB if not set (OTP's `+zdbbl`). Messages larger than 16 KiB, and later messages of
    /// the same senders, count only against processes that send such messages; small messages of
    /// others go between the pieces. `high` is from 64 KiB to 1 GiB, and `low` at most `high`. See
    /// also [`async_dist`](NodeBuilder::async_dist).
    pub fn output_bytes(self, low: usize, high: usize) -> Self {
        self.change(move |config| {
            (config.output_low_bytes, config.output_high_bytes) = (low, high);
        })
    }

    /// Sets whether new processes are not suspended when they send over a congested connection;
    /// false if not set (OTP's `+pad`). A process can change this for itself with
    /// [`async_dist`](crate::async_dist()).
    pub fn async_dist(mut self, on: bool) -> Self {
        self.async_dist = on;
        self
    }

    /// Sets whether messages between processes of this node are encoded and decoded, too; false if
    /// not set, and true under [`#[fika::test]`](crate::test) and in a simulation. Then a message
    /// that could not go to another node, or would not arrive there as it was sent, is an error at
    /// its sender: [`send`](crate::send) ends the sender with `badarg`. So a test on one node finds
    /// errors that otherwise show only between two.
    ///
    /// A message that may not leave the node, such as a [`Local`](crate::Local), is not encoded,
    /// and neither are the messages of timers, which stay on their node. Erlang has no such
    /// setting, since every term can be sent.
    pub fn encode_messages(mut self, on: bool) -> Self {
        self.encode_messages = Some(on);
        self
    }

    /// Sets [`encode_messages`](NodeBuilder::encode_messages) for a test, unless it was set.
    pub(crate) fn for_test(mut self) -> Self {
        self.encode_messages.get_or_insert(true);
        self
    }

    /// Sets the longest time for making a connection, from 1 ms to 365 days; 7 s if not set (OTP's
    /// `net_setuptime`).
    pub fn net_setuptime(self, time: Duration) -> Self {
        self.change(move |config| config.setup_time = time)
    }

    /// Sets the longest time for a peer to prove that it knows the cookie, from 1 ms to 365 days; 5
    /// s if not set.
    pub fn handshake_time(self, time: Duration) -> Self {
        self.change(move |config| config.handshake_time = time)
    }

    /// Sets whether the node connects to all nodes that its peers know, which makes a full mesh;
    /// true if not set (OTP's `connect_all`).
    ///
    /// These connections are made a few at a time. A failed attempt is retried after a pause that
    /// grows up to two minutes, ten attempts in all. If a process sends to a node, the connection
    /// is made at once. None is made that [`dist_auto_connect`](NodeBuilder::dist_auto_connect)
    /// bars.
    pub fn connect_all(self, all: bool) -> Self {
        self.change(move |config| config.connect_all = all)
    }

    /// Sets when connections are made automatically; always if not set (OTP's
    /// `dist_auto_connect`).
    pub fn dist_auto_connect(self, when: AutoConnect) -> Self {
        self.change(move |config| config.auto_connect = when)
    }

    fn change(mut self, change: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Sets whether ctrl-c (SIGINT) and SIGTERM stop the node of
    /// [`#[fika::main]`](macro@crate::main); true if not set. A node that is built in another way
    /// ignores this setting and handles no signals.
    pub fn stop_on_signals(mut self, stop: bool) -> Self {
        self.ignore_signals = !stop;
        self
    }

    /// Starts the node. A node with a name is registered and listens when this returns.
    ///
    /// # Errors
    /// If the name is invalid or already taken; if the cookie is missing or too short, or its file
    /// is readable by others; if the node can't listen, does not listen on the address in its name,
    /// or no port mapper serves that address; if a setting is out of range; and any error of a
    /// [`Resolver`] that makes the node known.
    pub fn build(self) -> Result<Node, NodeError> {
        let env = match &self.env {
            Some(env) => env.clone(),
            None => Arc::new(SystemEnv::try_new().map_err(BuildError::Random)?),
        };
        let mut runtime =
            fika_runtime::Node::builder().env(env.clone()).mailbox_limit(self.mailbox_limit);
        runtime = runtime.async_dist(self.async_dist);
        runtime = runtime.encode_messages(self.encode_messages.unwrap_or(false));
        if let Some(workers) = self.workers {
            runtime = runtime.workers(workers);
        }
        if let Some(messages) = self.long_message_queue {
            runtime = runtime.long_message_queue(messages);
        }
        if let Some(limit) = self.process_limit {
            runtime = runtime.process_limit(limit);
        }
        // Settings are checked before the node is built, where that is possible.
        let of_peers = self.peer_cookies.into_iter();
        let of_peers = of_peers.map(|(node, from)| Ok((node.parse()?, from)));
        let of_peers = of_peers.collect::<Result<_, NodeNameError>>()?;
        let poller = Poller::new().map_err(NodeError::Poller)?;
        runtime = runtime.driver(Arc::new(poller.clone()));
        if let Some(name) = &self.name {
            let name: NodeName = name.parse()?;
            if !name.is_undefined() {
                runtime = runtime.id(NodeId::of(&name, Distribution::fresh_creation(&*env)));
            }
        }
        let network: Arc<dyn Network> = match self.network {
            Some(make) => make(poller).map_err(NodeError::Poller)?,
            None => Arc::new(poller),
        };
        let node = Node::owned(runtime.build()?);
        let settings = Settings {
            cookie: self.cookie,
            file: self.cookie_file,
            of_peers,
            allow_weak: self.allow_weak_cookie,
            env,
        };
        let changes = self.changes;
        Distribution::new(&node, network, move || {
            let mut config = Config::new(settings.load_cookie()?);
            config.cookies = settings.load_peer_cookies()?;
            changes.iter().for_each(|change| change(&mut config));
            Ok(config)
        });
        if let Some(name) = self.name
            && let Err(error) = node.start_distribution(name)
        {
            node.stop();
            return Err(error);
        }
        Ok(node)
    }
}

/// Where a cookie is from.
enum CookieFrom {
    Text(String),
    File(PathBuf),
}

/// Where the cookies are from.
struct Settings {
    of_peers: Vec<(NodeName, CookieFrom)>,
    cookie: Option<String>,
    file: Option<PathBuf>,
    allow_weak: bool,
    env: Arc<dyn Env>,
}

impl Settings {
    fn load_peer_cookies(&self) -> Result<BTreeMap<NodeName, Cookie>, CookieError> {
        let load = |from: &CookieFrom| match (from, self.allow_weak) {
            (CookieFrom::Text(text), true) => Cookie::new_weak(text),
            (CookieFrom::Text(text), false) => Cookie::new(text),
            (CookieFrom::File(file), true) => Cookie::from_file_weak(file),
            (CookieFrom::File(file), false) => Cookie::from_file(file),
        };
        self.of_peers.iter().map(|(node, from)| Ok((node.clone(), load(from)?))).collect()
    }

    fn load_cookie(&self) -> Result<Cookie, CookieError> {
        match (&self.cookie, &self.file) {
            (Some(cookie), _) if self.allow_weak => Cookie::new_weak(cookie),
            (Some(cookie), _) => Cookie::new(cookie),
            (None, Some(file)) if self.allow_weak => Cookie::from_file_weak(file),
            (None, Some(file)) => Cookie::from_file(file),
            (None, None) => Cookie::load_default(&mut |bytes| self.env.secure_random(bytes)),
        }
    }
}
