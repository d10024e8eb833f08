//! How nodes find each other without a port mapper: by a table, by one port for all nodes, or by a
//! resolver of the program.
//!
//! Prior art: `erl_epmd.erl` as a callback module (`-epmd_module`), `-erl_epmd_port`.

use std::collections::BTreeMap;
use std::future::ready;
use std::net::SocketAddr;
use std::pin::Pin;
use std::{error, fmt};

use fika_runtime::{NodeName, NodeNameError};

/// The error of a [`Resolver`] that could not register or look up a node. Any error type converts
/// into it.
///
/// ```
/// use fika_net::{NodeAddr, ResolveError};
///
/// /// Reads a line such as `a=4001`.
/// fn read(line: &str) -> Result<NodeAddr, ResolveError> {
///     let (_, port) = line.split_once('=').ok_or("expected name=port")?;
///     Ok(NodeAddr::Port(port.parse()?))
/// }
///
/// assert_eq!(read("a=4001")?, NodeAddr::Port(4001));
/// assert!(read("a").is_err() && read("a=many").is_err());
/// # Ok::<(), ResolveError>(())
/// ```
pub type ResolveError = Box<dyn error::Error + Send + Sync>;

/// The future that the methods of a [`Resolver`] return.
///
/// ```
/// use std::collections::BTreeMap;
/// use fika_net::{NodeAddr, Resolving};
/// use fika_runtime::NodeName;
///
/// struct Ports(BTreeMap<NodeName, u16>);
///
/// impl Ports {
///     fn find<'a>(&'a self, node: &'a NodeName) -> Resolving<'a, Option<NodeAddr>> {
///         Box::pin(async move { Ok(self.0.get(node).map(|port| NodeAddr::Port(*port))) })
///     }
/// }
/// ```
pub type Resolving<'a, T> = Pin<Box<dyn Future<Output = Result<T, ResolveError>> + Send + 'a>>;

/// The address or port on which a node listens.
///
/// ```
/// use fika_net::{NodeAddr, resolver_fn};
///
/// // Each node listens on a port of its own, on the host of its name.
/// let resolver = resolver_fn(|node| async move {
///     Ok(match node.alive() {
///         "a" => Some(NodeAddr::Port(4001)),
///         "b" => Some(NodeAddr::At("10.0.0.2:4001".parse()?)),
///         _ => None,
///     })
/// });
/// # let _ = resolver;
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum NodeAddr {
    /// This port on the host in the node's name. All addresses of the host are tried.
    Port(u16),
    /// This address. The host in the node's name is ignored.
    At(SocketAddr),
    /// One of these addresses, for a host that has several. They are tried as in RFC 8305: IPv4 and
    /// IPv6 take turns, and an attempt begins 250 ms after the previous one, or as soon as an
    /// attempt fails. An empty list means that there is no such node.
    OneOf(Vec<SocketAddr>),
}

impl From<u16> for NodeAddr {
    fn from(port: u16) -> NodeAddr {
        NodeAddr::Port(port)
    }
}

impl From<SocketAddr> for NodeAddr {
    fn from(addr: SocketAddr) -> NodeAddr {
        NodeAddr::At(addr)
    }
}

impl From<Vec<SocketAddr>> for NodeAddr {
    fn from(addrs: Vec<SocketAddr>) -> NodeAddr {
        NodeAddr::OneOf(addrs)
    }
}

/// Finds nodes without a port mapper (OTP's `-epmd_module`).
///
/// Use [`StaticNodes`], [`FixedPort`] or [`resolver_fn`], or implement this trait, for example for
/// DNS, Consul or Kubernetes.
///
/// The result is not trusted: the node at the address has to prove that it has the name and the
/// cookie. A port mapper also checks that names are unique; with a resolver, nothing checks this.
///
/// The methods are called in processes of the node, so they can send, wait and use
/// [`spawn_blocking`](fika_runtime::spawn_blocking). If [`resolve`](Resolver::resolve) panics, or
/// takes longer than the setup time of a connection, the attempt to connect fails.
///
/// Blocking calls of these methods run on 16 threads of their own. So these calls and the program's
/// blocking calls do not delay each other. A peer can cause such calls by naming nodes; these calls
/// get at most half of the threads. If a method is cancelled, its calls that have not begun never
/// begin.
///
/// ```
/// use std::future::ready;
/// use fika_net::{NodeAddr, Resolver, Resolving};
/// use fika_runtime::NodeName;
///
/// /// Each node listens on port 4001 of the host in its name.
/// struct SamePort;
///
/// impl Resolver for SamePort {
///     fn listen_port(&self, _: &NodeName) -> u16 {
///         4001
///     }
///
///     fn resolve<'a>(&'a self, _: &'a NodeName) -> Resolving<'a, Option<NodeAddr>> {
///         Box::pin(ready(Ok(Some(NodeAddr::Port(4001)))))
///     }
/// }
/// ```
///
/// A resolver that keeps a table itself learns of its nodes by the other two methods:
///
/// ```
/// use std::collections::BTreeMap;
/// use std::future::ready;
/// use std::net::SocketAddr;
/// use std::sync::{Arc, Mutex};
/// use fika_net::{NodeAddr, Resolver, Resolving};
/// use fika_runtime::NodeName;
///
/// /// The nodes of one program find each other in a table that they share.
/// #[derive(Clone, Default)]
/// struct Table(Arc<Mutex<BTreeMap<NodeName, SocketAddr>>>);
///
/// impl Resolver for Table {
///     fn register<'a>(&'a self, own: &'a NodeName, listens: SocketAddr) -> Resolving<'a, ()> {
///         self.0.lock().unwrap().insert(own.clone(), listens);
///         Box::pin(ready(Ok(())))
///     }
///
///     fn unregister<'a>(&'a self, own: &'a NodeName) -> Resolving<'a, ()> {
///         self.0.lock().unwrap().remove(own);
///         Box::pin(ready(Ok(())))
///     }
///
///     fn resolve<'a>(&'a self, node: &'a NodeName) -> Resolving<'a, Option<NodeAddr>> {
///         let addr = self.0.lock().unwrap().get(node).copied();
///         Box::pin(ready(Ok(addr.map(NodeAddr::At))))
///     }
/// }
/// ```
pub trait Resolver: Send + Sync + 'static {
    /// Returns the port on which this node should listen if its settings name no port (OTP's
    /// `listen_port_please/2`). The default implementation returns 0, which stands for any port.
    fn listen_port(&self, own: &NodeName) -> u16 {
        let _ = own;
        0
    }

    /// Makes the node known to others (OTP's `register_node/3`). Called once, before the node gets
    /// its name. If it returns an error, the distribution does not start. The default
    /// implementation does nothing.
    ///
    /// `listens` is the address on which the node listens; its IP address may be unspecified. To
    /// keep the node known, spawn a process here, and end it in
    /// [`unregister`](Resolver::unregister).
    fn register<'a>(&'a self, own: &'a NodeName, listens: SocketAddr) -> Resolving<'a, ()> {
        let _ = (own, listens);
        Box::pin(ready(Ok(())))
    }

    /// Called when the node gives up its name and continues without one. Not called when the node
    /// itself ends. The default implementation does nothing.
    fn unregister<'a>(&'a self, own: &'a NodeName) -> Resolving<'a, ()> {
        let _ = own;
        Box::pin(ready(Ok(())))
    }

    /// Returns the address on which a node listens, or `None` if there is no such node (OTP's
    /// `address_please/3`).
    fn resolve<'a>(&'a self, node: &'a NodeName) -> Resolving<'a, Option<NodeAddr>>;
}

impl fmt::Debug for dyn Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// Returns a resolver that calls a function to look up a node.
///
/// ```
/// use fika_net::{NodeAddr, resolver_fn};
/// use fika_runtime::{NodeName, spawn_blocking};
/// use std::net::ToSocketAddrs;
///
/// // The pods of a Kubernetes StatefulSet: cache-0@cache-0.caches, all on the same port.
/// let resolver = resolver_fn(|node: NodeName| async move {
///     let host = format!("{}.default.svc.cluster.local", node.host());
///     let addrs = spawn_blocking(move || (host, 4370).to_socket_addrs()).await?;
///     Ok(Some(NodeAddr::OneOf(addrs.collect())))
/// });
/// # let _ = resolver;
/// ```
#[must_use]
pub fn resolver_fn<F, R>(resolve: F) -> impl Resolver
where
    F: Fn(NodeName) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Option<NodeAddr>, ResolveError>> + Send + 'static,
{
    ResolverFn(resolve)
}

struct ResolverFn<F>(F);

impl<F, R> Resolver for ResolverFn<F>
where
    F: Fn(NodeName) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Option<NodeAddr>, ResolveError>> + Send + 'static,
{
    fn resolve<'a>(&'a self, node: &'a NodeName) -> Resolving<'a, Option<NodeAddr>> {
        Box::pin(self.0(node.clone()))
    }
}

/// A resolver for nodes that all listen on the same port, each on its own host or address (OTP's
/// `-erl_epmd_port`).
///
/// ```
/// use fika_net::{FixedPort, Resolver};
///
/// let resolver = FixedPort(4001);
/// assert_eq!(resolver.listen_port(&"a@10.0.0.1".parse()?), 4001);
/// # Ok::<(), fika_runtime::NodeNameError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FixedPort(pub u16);

impl Resolver for FixedPort {
    fn listen_port(&self, _: &NodeName) -> u16 {
        self.0
    }

    fn resolve<'a>(&'a self, _: &'a NodeName) -> Resolving<'a, Option<NodeAddr>> {
        Box::pin(ready(Ok(Some(NodeAddr::Port(self.0)))))
    }
}

/// A resolver with a table of all nodes. A node whose own name is in the table listens on the port
/// in the table.
///
/// ```
/// use fika_net::StaticNodes;
///
/// let nodes = StaticNodes::new(["a@10.0.0.1:4001", "a@10.0.0.2:4001", "b@10.0.0.2:4002"])?;
/// // A node whose name does not contain its address.
/// let nodes = nodes.with("c@cluster.local".parse()?, "10.0.0.3:4001".parse::<std::net::SocketAddr>()?);
/// # let _ = nodes;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StaticNodes(BTreeMap<NodeName, NodeAddr>);

/// An error in a table of nodes.
///
/// ```
/// use fika_net::{StaticNodes, StaticNodesError};
///
/// let error = StaticNodes::new(["cache@10.0.0.1"]).unwrap_err();
/// assert!(matches!(error, StaticNodesError::Port(_)));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StaticNodesError {
    /// An entry has no valid port at its end.
    #[error("`{0}` has no port; write alive@host:port, like cache@10.0.0.1:4001")]
    Port(String),
    /// The text before the port is an invalid node name.
    #[error(transparent)]
    Name(#[from] NodeNameError),
    /// Two entries have the same name.
    #[error("`{0}` is in the table twice")]
    Twice(NodeName),
}

impl StaticNodes {
    /// Makes a table of nodes. Each entry is written as `alive@host:port`.
    ///
    /// # Errors
    /// If an entry does not have this form, or if two entries have the same name.
    pub fn new<T: AsRef<str>>(
        nodes: impl IntoIterator<Item = T>,
    ) -> Result<StaticNodes, StaticNodesError> {
        let mut table = BTreeMap::new();
        for text in nodes {
            let (name, port) = parse(text.as_ref())?;
            if table.insert(name.clone(), NodeAddr::Port(port)).is_some() {
                return Err(StaticNodesError::Twice(name));
            }
        }
        Ok(StaticNodes(table))
    }

    /// Adds a node to the table, or replaces its address.
    #[must_use]
    pub fn with(mut self, node: NodeName, addr: impl Into<NodeAddr>) -> StaticNodes {
        self.0.insert(node, addr.into());
        self
    }
}

/// Splits an entry at its last colon, since an IPv6 address contains colons, too.
fn parse(text: &str) -> Result<(NodeName, u16), StaticNodesError> {
    let port = text.rsplit_once(':').and_then(|(name, port)| Some((name, port.parse().ok()?)));
    match port {
        Some((name, port @ 1..)) => Ok((name.parse()?, port)),
        _ => Err(StaticNodesError::Port(text.chars().take(300).collect())),
    }
}

impl Resolver for StaticNodes {
    fn listen_port(&self, own: &NodeName) -> u16 {
        match self.0.get(own) {
            Some(NodeAddr::Port(port)) => *port,
            Some(NodeAddr::At(addr)) => addr.port(),
            Some(NodeAddr::OneOf(addrs)) => addrs.first().map_or(0, SocketAddr::port),
            None => 0,
        }
    }

    fn resolve<'a>(&'a self, node: &'a NodeName) -> Resolving<'a, Option<NodeAddr>> {
        Box::pin(ready(Ok(self.0.get(node).cloned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(table: &StaticNodes, name: &str) -> u16 {
        table.listen_port(&name.parse().unwrap())
    }

    #[test]
    fn a_table_resolves_its_names() {
        let table = StaticNodes::new(["a@h:1", "b@10.0.0.1:65535", "c@::1:4001"]).unwrap();
        let addr: SocketAddr = "10.0.0.2:7".parse().unwrap();
        let table = table.with("d@h".parse().unwrap(), addr);
        let cases = [("a@h", 1), ("b@10.0.0.1", 65535), ("c@::1", 4001), ("d@h", 7), ("e@h", 0)];
        for (name, expected) in cases {
            assert_eq!(port(&table, name), expected, "{name}");
        }
        assert_eq!(port(&table.with("a@h".parse().unwrap(), 2), "a@h"), 2);
    }

    #[test]
    fn invalid_tables_are_refused() {
        for text in ["", ":", "a@h", "a@h:", "a@h:0", "a@h:65536", "a@h:-1", "a@h:x"] {
            let error = StaticNodes::new([text]).unwrap_err();
            assert_eq!(error, StaticNodesError::Port(text.into()));
        }
        for text in ["h:1", "@h:1", "a@:1", "a@b@c:1"] {
            let error = StaticNodes::new(["b@h:1", text]).unwrap_err();
            assert!(matches!(error, StaticNodesError::Name(_)), "{error}");
        }
        let twice = StaticNodes::new(["a@h:1", "a@h:2"]).unwrap_err();
        assert_eq!(twice.to_string(), "`a@h` is in the table twice");
    }
}
