//! The builder of a node: its settings, and how it is started from them.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use fika_net::{
    Cookie, CookieError, Distribution, NetHandler, Network, Poller, Resolver, SocketOptions,
};
use fika_runtime::{BuildError, Env, NodeId, NodeName, NodeNameError, SystemEnv};

use crate::config::Config;
use crate::node::{Node, NodeError};

/// Makes the network of a node, on the poller in which its workers wait.
type MakeNetwork = Box<dyn FnOnce(Poller) -> io::Result<Arc<dyn Network>> + Send>;

/// Starts a node with settings of its own; returned by [`Node::builder`].
///
/// Most settings are data: [`Config`] has all of these, and for each of them there is a method of
/// the same name here. The others are code: [`env`](NodeBuilder::env),
/// [`network`](NodeBuilder::network), [`resolver`](NodeBuilder::resolver) and
/// [`net_handler`](NodeBuilder::net_handler). Settings about other nodes matter only if the node
/// has a name.
///
/// ```
/// use fika::node::{Config, Node};
///
/// let defaults = Config { workers: Some(1), ..Config::default() };
/// let node = Node::builder().config(defaults).process_limit(1000).build()?;
/// # node.stop();
/// # Ok::<(), fika::node::NodeError>(())
/// ```
///
/// # Processes
///
/// ```standalone_crate
/// use fika::message::MailboxLimit;
/// use fika::prelude::*;
///
/// let node = Node::builder()
///     .workers(2)
///     .process_limit(10_000)
///     .mailbox_limit(MailboxLimit::messages(100_000))
///     .long_message_queue(1000)
///     .async_dist(false)
///     .encode_messages(true) // in a test: finds messages that can't leave the node
///     .build()?;
/// # node.stop();
/// # Ok::<(), fika::node::NodeError>(())
/// ```
///
/// # Who may connect
///
/// ```no_run
/// use fika::prelude::*;
///
/// let node = Node::builder()
///     .name("cache@10.0.0.1")
///     .cluster_id("production")
///     .allow(["cache@10.0.0.2", "10.0.0.3"])
///     .cookie_file("/etc/cache/cookie")
///     .cookie_file_for("admin@10.0.0.9", "/etc/cache/admin.cookie")
///     .cookie_for("probe@10.0.0.9", std::env::var("PROBE_COOKIE")?)
///     .handshake_time(secs(2))
///     .build()?;
///
/// // A node that only looks around, and that nobody connects to.
/// let viewer = Node::builder().name("viewer@10.0.0.1").hidden(true).dist_listen(false).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Addresses and ports
///
/// ```no_run
/// use fika::prelude::*;
///
/// // Behind a firewall. The port mapper is a service of the host.
/// let node = Node::builder()
///     .name("cache@10.0.0.1")
///     .listen("10.0.0.1:0".parse()?)
///     .listen_ports(9100..=9105)
///     .epmd_port(4369)
///     .start_epmd(false)
///     .build()?;
/// # #[cfg(unix)]
/// # {
///
/// // All nodes are programs of one user on one host: no ports, and file permissions as the guard.
/// let local = Node::builder()
///     .name("a@localhost")
///     .unix_sockets("/run/user/1000/fika")
///     .cookie("short")
///     .allow_weak_cookie(true)
///     .build()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Connections
///
/// ```no_run
/// use fika::net::AutoConnect;
/// use fika::prelude::*;
///
/// // A large cluster over slow lines. Each node connects only to those that it is told to.
/// let node = Node::builder()
///     .name("sensor@10.0.7.1")
///     .connect_all(false)
///     .dist_auto_connect(AutoConnect::Never)
///     .net_setuptime(secs(20))
///     .net_ticktime(secs(120))
///     .net_tickintensity(8)
///     .message_bytes_max(1 << 20)
///     .output_bytes(64 << 10, 128 << 10)
///     .nodelay(false)
///     .keepalive(true)
///     .send_buffer(256 << 10)
///     .recv_buffer(256 << 10)
///     .build()?;
/// # Ok::<(), fika::node::NodeError>(())
/// ```
#[derive(Default)]
#[must_use = "a node starts with `build`"]
pub struct NodeBuilder {
    pub(crate) config: Config,
    env: Option<Arc<dyn Env>>,
    network: Option<MakeNetwork>,
    resolver: Option<Arc<dyn Resolver>>,
    handler: Option<Arc<dyn NetHandler>>,
}

/// Settings that are not simple values.
impl NodeBuilder {
    /// Applies all settings that are set in `config`, in place of those that the builder has. The
    /// lists [`allow`](Config::allow), [`cookie_for`](Config::cookie_for) and
    /// [`cookie_file_for`](Config::cookie_file_for) are added to.
    ///
    /// ```
    /// use fika::node::{Config, Node};
    ///
    /// let config = Config { workers: Some(1), ..Config::default() };
    /// let node = Node::builder().workers(4).config(config).build()?;   // one worker
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    pub fn config(mut self, config: Config) -> Self {
        self.config.merge(config);
        self
    }

    /// Gives the node a name, `alive@host`; see [`Config::name`].
    pub fn name(mut self, name: impl AsRef<str>) -> Self {
        self.config.name = Some(name.as_ref().to_owned());
        self
    }

    /// Sets the cookie for one peer, in both directions, in place of the node's own (OTP's
    /// `-setcookie` with a node); see [`set_cookie_for`](crate::net::set_cookie_for).
    pub fn cookie_for(mut self, node: impl AsRef<str>, cookie: impl Into<String>) -> Self {
        self.config.cookie_for.push((node.as_ref().to_owned(), cookie.into()));
        self
    }

    /// Sets the cookie for one peer from a file, which other users must not be able to read.
    pub fn cookie_file_for(mut self, node: impl AsRef<str>, file: impl Into<PathBuf>) -> Self {
        self.config.cookie_file_for.push((node.as_ref().to_owned(), file.into()));
        self
    }

    /// Adds nodes that may be connected; see [`Config::allow`].
    pub fn allow<T: AsRef<str>>(mut self, nodes: impl IntoIterator<Item = T>) -> Self {
        self.config.allow.extend(nodes.into_iter().map(|node| node.as_ref().to_owned()));
        self
    }

    /// Sets the limits of the output of a connection, in bytes; see [`Config::output_bytes`].
    pub fn output_bytes(mut self, low: usize, high: usize) -> Self {
        self.config.output_bytes = Some((low, high));
        self
    }

    /// Sets the options of the sockets between nodes: [`nodelay`](NodeBuilder::nodelay),
    /// [`keepalive`](NodeBuilder::keepalive), [`send_buffer`](NodeBuilder::send_buffer) and
    /// [`recv_buffer`](NodeBuilder::recv_buffer) (OTP's `inet_dist_connect_options` and
    /// `inet_dist_listen_options`).
    ///
    /// ```
    /// use fika::net::SocketOptions;
    /// use fika::prelude::*;
    ///
    /// let options = SocketOptions { keepalive: Some(true), ..SocketOptions::default() };
    /// let node = Node::builder().socket_options(options).build()?;
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    pub fn socket_options(mut self, options: SocketOptions) -> Self {
        let SocketOptions { nodelay, keepalive, send_buffer, recv_buffer } = options;
        self.config.merge(Config {
            nodelay,
            keepalive,
            send_buffer,
            recv_buffer,
            ..Config::default()
        });
        self
    }

    /// Sets the clock and the random source; the operating system's if not set.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use fika::node::{Node, SystemEnv};
    ///
    /// // Two nodes with one clock.
    /// let env = Arc::new(SystemEnv::new());
    /// let one = Node::builder().env(env.clone()).build()?;
    /// let two = Node::builder().env(env).build()?;
    /// let before = one.env().now();
    /// assert!(two.env().now() >= before);
    /// # one.stop();
    /// # two.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    pub fn env(mut self, env: Arc<dyn Env>) -> Self {
        self.env = Some(env);
        self
    }

    /// Sets a handler that takes part in decisions of net_kernel: nodes that come and go, requests
    /// to spawn, sends to registered names, and peers with a wrong cookie. See [`NetHandler`].
    ///
    /// ```
    /// use fika::net::{Decision, NetHandler, SpawnAsked};
    /// use fika::prelude::*;
    ///
    /// /// Other nodes may send messages to this one, but not run code on it.
    /// struct NoSpawns;
    ///
    /// impl NetHandler for NoSpawns {
    ///     fn spawn(&self, _: SpawnAsked) -> Decision<SpawnAsked> {
    ///         Decision::Refuse
    ///     }
    /// }
    ///
    /// let node = Node::builder().net_handler(NoSpawns).build()?;
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    pub fn net_handler(mut self, handler: impl NetHandler) -> Self {
        self.handler = Some(Arc::new(handler));
        self
    }

    /// Sets how nodes find each other without a port mapper:
    /// [`StaticNodes`](crate::net::discovery::StaticNodes),
    /// [`FixedPort`](crate::net::discovery::FixedPort),
    /// [`resolver_fn`](crate::net::discovery::resolver_fn), or your own [`Resolver`]. The node then
    /// neither uses nor starts a port mapper (OTP's `-start_epmd false` with `-epmd_module`).
    ///
    /// ```no_run
    /// use fika::net::discovery::{FixedPort, StaticNodes, resolver_fn};
    /// use fika::node::NodeName;
    /// use fika::prelude::*;
    /// use fika::process::spawn_blocking;
    ///
    /// // A table.
    /// let nodes = StaticNodes::new(["a@10.0.0.1:4001", "b@10.0.0.2:4001"])?;
    /// let a = Node::builder().name("a@10.0.0.1").listen("10.0.0.1:4001".parse()?);
    /// let a = a.resolver(nodes).build()?;
    ///
    /// // The same port on every host.
    /// let b = Node::builder().name("b@10.0.0.2").listen("10.0.0.2:0".parse()?);
    /// let b = b.resolver(FixedPort(4001)).build()?;
    ///
    /// // A look-up of the program's own.
    /// let find = |node: NodeName| async move {
    ///     let file = format!("/run/cluster/{node}");
    ///     let addr = spawn_blocking(move || std::fs::read_to_string(file)).await?;
    ///     let addr: std::net::SocketAddr = addr.trim().parse()?;
    ///     Ok(Some(addr.into()))
    /// };
    /// let c = Node::builder().name("c@10.0.0.3").resolver(resolver_fn(find)).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Sets the network that carries the bytes between this node and others, including the port
    /// mapper's; TCP if not set. The function gets the poller of the node, which calls handlers.
    ///
    /// All nodes of a cluster have to use the same kind of network. This takes precedence over
    /// [`unix_sockets`](NodeBuilder::unix_sockets).
    ///
    /// ```
    /// use fika::prelude::*;
    ///
    /// // The poller is a network itself: TCP.
    /// let node = Node::builder().network(|poller| Ok(poller)).build()?;
    /// # node.stop();
    /// # Ok::<(), fika::node::NodeError>(())
    /// ```
    ///
    /// [`transport`](crate::net::transport) has an example with a network of its own.
    pub fn network<N: Network>(
        mut self,
        make: impl FnOnce(Poller) -> io::Result<N> + Send + 'static,
    ) -> Self {
        self.network = Some(Box::new(|poller| Ok(Arc::new(make(poller)?))));
        self
    }

    /// Turns [`encode_messages`](NodeBuilder::encode_messages) on for a test, unless the test has
    /// set it.
    pub(crate) fn for_test(mut self) -> Self {
        self.config.encode_messages.get_or_insert(true);
        self
    }

    /// Starts the node. A node with a name is registered and listens when this returns.
    ///
    /// # Errors
    /// - If the name is invalid or already taken.
    /// - If the cookie is missing or too short, or its file is readable by others.
    /// - If the node can't listen, does not listen on the address in its name, or no port mapper
    ///   serves that address.
    /// - If a setting is out of range.
    /// - If a [`Resolver`] that makes the node known returns an error.
    pub fn build(self) -> Result<Node, NodeError> {
        let NodeBuilder { config, env, network, resolver, handler } = self;
        let env = match env {
            Some(env) => env,
            None => Arc::new(SystemEnv::try_new().map_err(BuildError::Random)?),
        };
        // Settings are checked before the node is built, where that is possible.
        let cookies = Cookies::new(&config, env.clone())?;
        let poller = Poller::new().map_err(NodeError::Poller)?;
        let mut runtime = config.to_runtime(fika_runtime::Node::builder()).env(env.clone());
        runtime = runtime.driver(Arc::new(poller.clone()));
        if let Some(name) = &config.name {
            let name: NodeName = name.parse()?;
            if !name.is_undefined() {
                runtime = runtime.id(NodeId::of(&name, Distribution::fresh_creation(&*env)));
            }
        }
        let network = make_network(poller, network, &config).map_err(NodeError::Poller)?;
        let node = Node::owned(runtime.build()?);
        let name = config.name.clone();
        Distribution::new(node.__runtime(), network, move || {
            let mut settings = fika_net::Config::new(cookies.load()?);
            settings.cookies = cookies.load_of_peers()?;
            settings.allow.clone_from(&config.allow);
            settings.resolver.clone_from(&resolver);
            settings.handler.clone_from(&handler);
            config.to_net(&mut settings);
            Ok(settings)
        });
        if let Some(name) = name
            && let Err(error) = node.start_distribution(name)
        {
            node.stop();
            return Err(error);
        }
        Ok(node)
    }
}

fn make_network(
    poller: Poller,
    make: Option<MakeNetwork>,
    config: &Config,
) -> io::Result<Arc<dyn Network>> {
    if let Some(make) = make {
        return make(poller);
    }
    #[cfg(unix)]
    if let Some(directory) = &config.unix_sockets {
        return Ok(Arc::new(fika_net::UnixSockets::new(&poller, directory)?));
    }
    #[cfg(not(unix))]
    let _ = config;
    Ok(Arc::new(poller))
}

/// Where a cookie is from.
enum CookieFrom {
    Text(String),
    File(PathBuf),
}

/// Where the cookies are from. They are read each time that the distribution starts.
struct Cookies {
    /// `None` for the default file.
    own: Option<CookieFrom>,
    of_peers: Vec<(NodeName, CookieFrom)>,
    allow_weak: bool,
    env: Arc<dyn Env>,
}

impl Cookies {
    fn new(config: &Config, env: Arc<dyn Env>) -> Result<Cookies, NodeNameError> {
        let text = config.cookie.clone().map(CookieFrom::Text);
        let own = text.or_else(|| config.cookie_file.clone().map(CookieFrom::File));
        let texts =
            config.cookie_for.iter().map(|(node, text)| (node, CookieFrom::Text(text.clone())));
        let files = config.cookie_file_for.iter();
        let files = files.map(|(node, file)| (node, CookieFrom::File(file.clone())));
        let of_peers = texts.chain(files).map(|(node, from)| Ok((node.parse()?, from)));
        Ok(Cookies {
            own,
            of_peers: of_peers.collect::<Result<_, _>>()?,
            allow_weak: config.allow_weak_cookie.unwrap_or(false),
            env,
        })
    }

    fn load(&self) -> Result<Cookie, CookieError> {
        match &self.own {
            Some(from) => self.read(from),
            None => Cookie::load_default(&mut |bytes| self.env.secure_random(bytes)),
        }
    }

    fn load_of_peers(&self) -> Result<BTreeMap<NodeName, Cookie>, CookieError> {
        self.of_peers.iter().map(|(node, from)| Ok((node.clone(), self.read(from)?))).collect()
    }

    fn read(&self, from: &CookieFrom) -> Result<Cookie, CookieError> {
        match (from, self.allow_weak) {
            (CookieFrom::Text(text), true) => Cookie::new_weak(text),
            (CookieFrom::Text(text), false) => Cookie::new(text),
            (CookieFrom::File(file), true) => Cookie::from_file_weak(file),
            (CookieFrom::File(file), false) => Cookie::from_file(file),
        }
    }
}
