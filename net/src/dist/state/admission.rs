//! The rules for which nodes may be connected, and which nodes are connected automatically.

use std::sync::Arc;

use fika_runtime::NodeName;

use super::config::AutoConnect;
use super::net::Net;
use crate::dist::link::Channel;

impl Net {
    pub(crate) fn permits(&self, node: &NodeName) -> bool {
        self.allowed.read().permits(node)
    }

    /// Returns the channel to a node. If there is none, makes one if the node may be connected
    /// automatically.
    pub(crate) fn auto_connect(&self, peer: &NodeName) -> Option<Arc<Channel>> {
        if self.is_stopping() {
            return None;
        }
        if self.config.auto_connect == AutoConnect::Always {
            return Some(self.connect(peer));
        }
        // The order matters: a node is barred before its lost channel leaves the table.
        let channel = self.base.connections.get(peer);
        channel.or_else(|| self.may_auto_connect(peer).then(|| self.connect(peer)))
    }

    /// Returns whether a connection to a node may be made without an explicit request (DIST-6).
    pub(crate) fn may_auto_connect(&self, peer: &NodeName) -> bool {
        match self.config.auto_connect {
            AutoConnect::Always => true,
            AutoConnect::Never => false,
            AutoConnect::Once => !self.barred.lock().contains(peer),
        }
    }

    /// Notes that a node was connected. Under [`AutoConnect::Once`], it is not connected
    /// automatically again.
    pub(crate) fn bar(&self, peer: &NodeName) {
        if self.config.auto_connect == AutoConnect::Once {
            self.barred.lock().insert(peer.clone());
        }
    }

    /// Notes that a node is up, after a request or a connection of the peer. The node is barred
    /// again when this connection is lost.
    pub(crate) fn unbar(&self, peer: &NodeName) {
        if self.config.auto_connect == AutoConnect::Once {
            self.barred.lock().remove(peer);
        }
    }
}
