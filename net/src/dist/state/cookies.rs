//! The cookies for the proofs of handshakes: a default for all peers, and cookies for single peers.

use std::collections::BTreeMap;

use fika_runtime::NodeName;

use crate::cookie::Cookie;

/// The node's cookies. A change affects only new handshakes: existing connections stay open
/// (DIST-8).
#[derive(Clone)]
pub(crate) struct Cookies {
    default: Cookie,
    of_peers: BTreeMap<NodeName, Cookie>,
}

impl Cookies {
    pub(crate) fn new(default: Cookie, of_peers: BTreeMap<NodeName, Cookie>) -> Cookies {
        Cookies { default, of_peers }
    }

    /// Sets the cookie for all peers that have no cookie of their own.
    pub(crate) fn set(&mut self, cookie: Cookie) {
        self.default = cookie;
    }

    /// Sets the cookie for one peer, in both directions.
    pub(crate) fn set_for(&mut self, peer: NodeName, cookie: Cookie) {
        self.of_peers.insert(peer, cookie);
    }

    /// Returns the cookie that is shared with a peer.
    pub(crate) fn with(&self, peer: &NodeName) -> &Cookie {
        self.of_peers.get(peer).unwrap_or(&self.default)
    }
}
