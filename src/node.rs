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

/// A node: processes, and their connections to other nodes. A value, of which there may be
/// many in one program; cheap to clone, all clones are the same node.
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
#[derive(Clone)]
pub struct Node(fika_runtime::Node);

impl Node {
    /// The settings of a node to be.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::default()
    }

    /// The visible nodes that are connected (Erlang's `nodes/0`).
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeName> {
        self.distribution().map(|it| it.nodes_of(NodeKind::Visible)).unwrap_or_default()
    }

    /// Whether the node has a name, and so can be connected (Erlang's `is_alive/0`).
    #[must_use]
    pub fn is_distributed(&self) -> bool {
        self.distribution().is_some_and(|it| it.is_started())
    }

    /// Gives the node a name, as [`start_distribution`](crate::start_distribution) does inside
    /// of a process.
    ///
    /// ```
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
    /// As there.
    ///
    /// # Panics
    /// Inside a process.
    pub fn start_distribution(&self, name: impl Into<String>) -> Result<(), NodeError> {
        let name = name.into().parse()?;
        let Some(distribution) = self.distribution() else {
            return Err(StartError::NoNetwork.into());
        };
        match self.try_block_on(async move { distribution.start(name).await }) {
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
        self.try_block_on(async move { distribution.stop().await }).unwrap_or(false)
    }

    fn distribution(&self) -> Option<Arc<Distribution>> {
        Distribution::of(&self.0)
    }

    /// Stops the node: closes its connections, kills its processes, and ends its threads. True
    /// if all of them ended in time; a process that computes and never waits can't be ended.
    ///
    /// # Panics
    /// Inside a process of the node.
    pub fn stop(&self) -> bool {
        if let Some(distribution) = self.distribution() {
            distribution.halt();
        }
        self.0.stop()
    }
}

impl Deref for Node {
    type Target = fika_runtime::Node;

    fn deref(&self) -> &fika_runtime::Node {
        &self.0
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The node of the running process, as a handle (for its name, Erlang's `node/0`, use
/// `self_node().name()`).
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn self_node() -> Node {
    Node(fika_runtime::self_node())
}

/// Why a node could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NodeNameError),
    /// There is no cookie.
    #[error(transparent)]
    Cookie(#[from] CookieError),
    /// The node's processes can't run.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The operating system gave no poller, or what carries the bytes could not be made.
    #[error("no sockets can be had: {0}")]
    Poller(io::Error),
    /// It can't be one of many.
    #[error(transparent)]
    Start(StartError),
    /// The process that started the distribution ended.
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

/// A setting of the distribution, to be made each time it starts.
type Change = Box<dyn Fn(&mut Config) + Send + Sync>;

/// What makes the network of a node, on the poller in which its workers wait.
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
    async_dist: bool,
    env: Option<Arc<dyn Env>>,
    network: Option<MakeNetwork>,
    changes: Vec<Change>,
}

impl NodeBuilder {
    /// Gives the node a name, `alive@host`, under which other nodes reach it. A long name has
    /// a dot in its host (or an address for one), a short name has none; the two kinds never
    /// connect to each other.
    ///
    /// With `undefined@host` the node gets its name from the first node that it connects to, as
    /// [`start_distribution`](crate::start_distribution) says (Erlang's `-sname undefined`).
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The secret that the nodes of a cluster share; that of the cookie file if not set. One of
    /// fewer than 16 bytes is refused, as it can be guessed.
    pub fn cookie(mut self, cookie: impl Into<String>) -> Self {
        self.cookie = Some(cookie.into());
        self
    }

    /// The file that the cookie is in; `~/.fika.cookie` if not set, which is made with random
    /// content if it is missing. A file that others can read is refused.
    pub fn cookie_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.cookie_file = Some(file.into());
        self
    }

    /// Takes a cookie of fewer than 16 bytes, too, with a warning in the log: whoever has
    /// recorded one handshake tries all short texts in little time. False if not set.
    pub fn allow_weak_cookie(mut self, allow: bool) -> Self {
        self.allow_weak_cookie = allow;
        self
    }

    /// Which cluster the node is of: any text, which is no secret. Nodes of different clusters
    /// do not connect, even if they have the same cookie by mistake. Empty if not set.
    pub fn cluster_id(self, id: impl Into<String>) -> Self {
        let id = id.into();
        self.change(move |config| config.cluster_id.clone_from(&id))
    }

    /// How many threads run processes; as many as there are cores if not set.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// How many processes there may be at the same time; 1,048,576 if not set.
    pub fn process_limit(mut self, limit: usize) -> Self {
        self.process_limit = Some(limit);
        self
    }

    /// The limit of the mailboxes of all processes that get no other, by
    /// [`SpawnOpts::mailbox_limit`](crate::SpawnOpts::mailbox_limit) or
    /// [`mailbox_limit`](crate::mailbox_limit()); none if not set (the place of Erlang's
    /// `+hmax`).
    pub fn mailbox_limit(mut self, limit: MailboxLimit) -> Self {
        self.mailbox_limit = limit;
        self
    }

    /// The clock and the random source; the operating system's if not set.
    pub fn env(mut self, env: Arc<dyn Env>) -> Self {
        self.env = Some(env);
        self
    }

    /// A hidden node connects only when asked, is in nobody's `nodes()`, and takes no part in
    /// the mesh. To it, all its peers are hidden: they are in `nodes_of(NodeKind::Hidden)`, and
    /// `monitor_nodes_of(NodeKind::Hidden, true)` tells of them.
    pub fn hidden(self, hidden: bool) -> Self {
        self.change(move |config| config.hidden = hidden)
    }

    /// The address to listen on for other nodes; a loopback address and any port if not set.
    pub fn listen(self, addr: SocketAddr) -> Self {
        self.change(move |config| config.listen = Some(addr))
    }

    /// The ports of which the first free one is listened on, unless
    /// [`listen`](NodeBuilder::listen) names a port (OTP's `inet_dist_listen_min` and `_max`). So
    /// a firewall can let them through.
    pub fn listen_ports(self, ports: RangeInclusive<u16>) -> Self {
        self.change(move |config| config.listen_ports = Some(ports.clone()))
    }

    /// Whether the node listens for others at all; true if not set (OTP's `dist_listen`). One that
    /// does not is hidden, and known to no port mapper: it can connect to others, and then be
    /// used as any node.
    pub fn dist_listen(self, listens: bool) -> Self {
        self.change(move |config| config.listens = listens)
    }

    /// Whether the node brings up a port mapper where none answers; true if not set (OTP's
    /// `-start_epmd`).
    pub fn start_epmd(self, start: bool) -> Self {
        self.change(move |config| config.start_epmd = start)
    }

    /// The cookie that is shared with one peer, in both directions, in place of the node's own
    /// (OTP's `-setcookie` with a node); see [`set_cookie_for`](crate::set_cookie_for).
    pub fn cookie_for(mut self, node: impl Into<String>, cookie: impl Into<String>) -> Self {
        self.peer_cookies.push((node.into(), CookieFrom::Text(cookie.into())));
        self
    }

    /// The same from a file, which others must not be able to read.
    pub fn cookie_file_for(mut self, node: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        self.peer_cookies.push((node.into(), CookieFrom::File(file.into())));
        self
    }

    /// The nodes that may be connected, in both directions, each by its name, its host, or the
    /// part of its name before the `@`; all if not set (OTP's `net_kernel:allow/1`).
    pub fn allow<T: Into<String>>(self, nodes: impl IntoIterator<Item = T>) -> Self {
        let nodes: Vec<String> = nodes.into_iter().map(Into::into).collect();
        self.change(move |config| config.allow.extend(nodes.iter().cloned()))
    }

    /// Options of the sockets between nodes (OTP's `inet_dist_connect_options` and
    /// `inet_dist_listen_options`); without them, small writes go out at once, and all else is as
    /// the operating system has it.
    pub fn socket_options(self, options: SocketOptions) -> Self {
        self.change(move |config| config.socket_options = options)
    }

    /// A user's word in what net_kernel does: nodes that come and go, requests to spawn, sends to
    /// registered names, and peers with a bad cookie. See [`NetHandler`].
    pub fn net_handler(self, handler: impl NetHandler) -> Self {
        let handler: Arc<dyn NetHandler> = Arc::new(handler);
        self.change(move |config| config.handler = Some(handler.clone()))
    }

    /// The port of the port mapper, on this host and on others: `ERL_EPMD_PORT`, or 4369 if
    /// not set. If no mapper answers there, the node brings one up.
    pub fn epmd_port(self, port: u16) -> Self {
        self.change(move |config| config.epmd_port = port)
    }

    /// How nodes find each other without a port mapper: [`StaticNodes`](crate::StaticNodes),
    /// [`FixedPort`](crate::FixedPort), [`resolver_fn`](crate::resolver_fn), or a [`Resolver`]
    /// of one's own. The node neither looks for a port mapper nor brings one up (OTP's
    /// `-start_epmd false` with `-epmd_module`).
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

    /// What carries the bytes between this node and others, the port mapper's included; TCP if
    /// not set. The function is given the poller of the node, which calls handlers.
    ///
    /// All nodes of a cluster have to use the same kind.
    pub fn network<N: Network>(
        mut self,
        make: impl FnOnce(Poller) -> io::Result<N> + Send + 'static,
    ) -> Self {
        self.network = Some(Box::new(|poller| Ok(Arc::new(make(poller)?))));
        self
    }

    /// Talks to the other nodes over Unix sockets in this directory, and not over TCP: nobody
    /// on another host, and no other user, reaches the node. See
    /// [`UnixSockets`](crate::UnixSockets).
    #[cfg(unix)]
    pub fn unix_sockets(self, directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        self.network(move |poller| fika_net::UnixSockets::new(&poller, directory))
    }

    /// A peer that is silent for this long is given up; 60 s if not set. All nodes must use the
    /// same (OTP's `net_ticktime`).
    pub fn net_ticktime(self, time: Duration) -> Self {
        self.change(move |config| config.ticktime = time)
    }

    /// How often peers are looked at in a ticktime, from 4 to 1000; 4 if not set (OTP's
    /// `net_tickintensity`).
    pub fn net_tickintensity(self, intensity: u32) -> Self {
        self.change(move |config| config.intensity = intensity)
    }

    /// The largest message that can be sent to another node, in bytes: from 4 KiB to 2 GiB;
    /// 16 MiB if not set. All nodes must use the same: a sender refuses a larger one, and a
    /// receiver closes the connection.
    pub fn message_bytes_max(self, bytes: usize) -> Self {
        self.change(move |config| config.message_bytes_max = bytes)
    }

    /// How many bytes may wait to go to a node before the processes that send there are
    /// suspended, until no more than `low` wait: 1 MiB and 512 KiB if not set (OTP's `+zdbbl`).
    /// Messages of more than 16 KiB, and what their senders send behind them, count for those only
    /// who send some: the small ones of others go between their pieces. `high` is from 64 KiB to 1 GiB, and `low` not above it. See also
    /// [`async_dist`](NodeBuilder::async_dist).
    pub fn output_bytes(self, low: usize, high: usize) -> Self {
        self.change(move |config| {
            (config.output_low_bytes, config.output_high_bytes) = (low, high);
        })
    }

    /// Whether new processes go on where they send over a congested connection, and are not
    /// suspended; false if not set (OTP's `+pad`). A process changes it by
    /// [`async_dist`](crate::async_dist()).
    pub fn async_dist(mut self, on: bool) -> Self {
        self.async_dist = on;
        self
    }

    /// The longest time for making a connection; 7 s if not set (OTP's `net_setuptime`).
    pub fn net_setuptime(self, time: Duration) -> Self {
        self.change(move |config| config.setup_time = time)
    }

    /// The longest time for a peer to prove that it knows the cookie; 5 s if not set.
    pub fn handshake_time(self, time: Duration) -> Self {
        self.change(move |config| config.handshake_time = time)
    }

    /// Whether to connect to all nodes that peers know, so that a full mesh comes about;
    /// true if not set (OTP's `connect_all`).
    ///
    /// These connections are made a few at a time, and one that fails is tried again after a
    /// pause that grows up to two minutes, ten times in all. A node that a process sends to is
    /// connected to at once.
    pub fn connect_all(self, all: bool) -> Self {
        self.change(move |config| config.connect_all = all)
    }

    /// When connections are made by themselves (OTP's `dist_auto_connect`).
    pub fn dist_auto_connect(self, when: AutoConnect) -> Self {
        self.change(move |config| config.auto_connect = when)
    }

    fn change(mut self, change: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Starts the node. With a name, it has been registered and listens when this returns.
    ///
    /// # Errors
    /// When the name is none or is taken, there is no cookie, it can be guessed, or its file can be read by others,
    /// it can't listen, or a setting is out of its range; what keeps a [`Resolver`] from making
    /// it known.
    pub fn build(self) -> Result<Node, NodeError> {
        let env = self.env.clone().unwrap_or_else(|| Arc::new(SystemEnv::new()));
        let mut runtime =
            fika_runtime::Node::builder().env(env.clone()).mailbox_limit(self.mailbox_limit);
        runtime = runtime.async_dist(self.async_dist);
        if let Some(workers) = self.workers {
            runtime = runtime.workers(workers);
        }
        if let Some(limit) = self.process_limit {
            runtime = runtime.process_limit(limit);
        }
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
        let node = Node(runtime.build()?);
        let of_peers = self.peer_cookies.into_iter();
        let of_peers = of_peers.map(|(node, from)| Ok((node.parse()?, from)));
        let of_peers = of_peers.collect::<Result<_, NodeNameError>>()?;
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
