//! What a handshake with a peer is proved with: one cookie for all, and others for some.

use std::collections::BTreeMap;

use fika_runtime::NodeName;

use super::net::Net;
use crate::cookie::Cookie;
use crate::proto::handshake::Secret;

/// The node's cookies. A change is for the handshakes to come: connections stay (DIST-8).
#[derive(Clone)]
pub(crate) struct Cookies {
    default: Cookie,
    of_peers: BTreeMap<NodeName, Cookie>,
}

impl Cookies {
    pub(crate) fn new(default: Cookie, of_peers: BTreeMap<NodeName, Cookie>) -> Cookies {
        Cookies { default, of_peers }
    }

    /// Sets the cookie for all that have none of their own.
    pub(crate) fn set(&mut self, cookie: Cookie) {
        self.default = cookie;
    }

    /// Sets the cookie for one peer, in both directions.
    pub(crate) fn set_for(&mut self, peer: NodeName, cookie: Cookie) {
        self.of_peers.insert(peer, cookie);
    }

    fn with(&self, peer: &NodeName) -> &Cookie {
        self.of_peers.get(peer).unwrap_or(&self.default)
    }
}

impl Net {
    /// The secret that is shared with this peer, be it the one that we want to reach or the
    /// one that the initiator of a connection says it is.
    pub(crate) fn secret(&self, peer: &NodeName) -> Secret {
        let cookie = self.cookies.read().with(peer).clone();
        Secret { cookie, cluster_id: self.config.cluster_id.clone() }
    }
}
