//! A node's distribution. It is the node's carrier even while the node has no name. A [`Net`] is
//! one period with a name.
//!
//! Prior art: `net_kernel:start/2` and `stop/0`; `erts_set_this_node` in `dist.c`.

use std::sync::{Arc, Weak};

use fika_runtime::{Creation, Env, Node, NodeName, Pid};
use parking_lot::{Mutex, RwLock};

use super::base::{Base, fresh_creation};
use super::config::Config;
use super::net::Net;
use crate::cookie::CookieError;
use crate::io::Network;

/// Returns the settings. Called each time the distribution starts.
pub(crate) type Configure = Box<dyn Fn() -> Result<Config, CookieError> + Send + Sync>;

/// A node's distribution, which can be started and stopped.
pub struct Distribution {
    pub(crate) base: Arc<Base>,
    pub(crate) configure: Configure,
    pub(crate) started: Mutex<Started>,
    /// The period with a name, between a start and a stop.
    current: RwLock<Option<Arc<Net>>>,
    this: Weak<Distribution>,
}

/// Whether the distribution was started.
#[derive(Clone)]
pub(crate) enum Started {
    /// The node is `nonode@nohost`.
    No,
    /// The distribution starts or has started under this name. `net_sup` is the process that starts
    /// and ends it, `None` until it is spawned.
    Yes { name: NodeName, net_sup: Option<Pid> },
}

impl Distribution {
    /// Makes the distribution of this node over a network, and sets it as the node's carrier. Does
    /// not start it. `configure` returns the settings each time the distribution starts.
    pub fn new(
        node: &Node,
        network: Arc<dyn Network>,
        configure: impl Fn() -> Result<Config, CookieError> + Send + Sync + 'static,
    ) -> Arc<Distribution> {
        let distribution = Arc::new_cyclic(|this| Distribution {
            base: Base::new(node, network),
            configure: Box::new(configure),
            started: Mutex::new(Started::No),
            current: RwLock::new(None),
            this: this.clone(),
        });
        node.set_carrier(distribution.clone());
        node.extension_or_init(|| distribution.clone());
        distribution
    }

    /// Returns the distribution of a node, or `None` if the node was built without one.
    #[must_use]
    pub fn of(node: &Node) -> Option<Arc<Distribution>> {
        node.extension::<Arc<Distribution>>().cloned()
    }

    /// Returns a random creation for a node that starts. The creations up to 3 are reserved for old
    /// port mappers.
    #[must_use]
    pub fn fresh_creation(env: &dyn Env) -> Creation {
        fresh_creation(env)
    }

    /// Returns whether the node has a name, or will get one from its first peer (Erlang's
    /// `is_alive/0`).
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.current.read().is_some()
    }

    pub(crate) fn current(&self) -> Option<Arc<Net>> {
        self.current.read().clone()
    }

    pub(crate) fn set_current(&self, net: Option<Arc<Net>>) {
        *self.current.write() = net;
    }

    pub(crate) fn handle(&self) -> Arc<Distribution> {
        self.this.upgrade().expect("`self` is borrowed from an `Arc`")
    }
}

impl std::fmt::Debug for Distribution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Distribution({})", self.base.id.name())
    }
}
