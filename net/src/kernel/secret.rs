//! What a handshake with a peer is proved with.

use fika_runtime::NodeName;

use super::net::Net;
use crate::proto::handshake::Secret;

impl Net {
    /// The secret that is shared with this peer, be it the one that we want to reach or the
    /// one that the initiator of a connection says it is.
    pub(super) fn secret(&self, _peer: &NodeName) -> Secret {
        Secret { cookie: self.config.cookie.clone(), cluster_id: self.config.cluster_id.clone() }
    }
}
