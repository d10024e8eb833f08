//! With whom this node may be connected, and with whom it connects by itself.

use std::sync::Arc;

use fika_runtime::NodeName;

use super::config::AutoConnect;
use super::net::Net;
use crate::dist::link::Channel;

impl Net {
    pub(crate) fn permits(&self, node: &NodeName) -> bool {
        self.allowed.read().permits(node)
    }

    /// Returns the channel to a node, and makes it if a connection may be made automatically.
    pub(crate) fn auto_connect(&self, peer: &NodeName) -> Option<Arc<Channel>> {
        if self.is_stopping() {
            return None;
        }
        if self.config.auto_connect == AutoConnect::Always {
            return Some(self.connect(peer));
        }
        // In this order: a node is barred before its lost channel leaves the table.
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

    /// A node that was connected is not connected by itself a second time.
    pub(crate) fn bar(&self, peer: &NodeName) {
        if self.config.auto_connect == AutoConnect::Once {
            self.barred.lock().insert(peer.clone());
        }
    }

    /// It has been connected on request, or by itself.
    pub(crate) fn unbar(&self, peer: &NodeName) {
        if self.config.auto_connect == AutoConnect::Once {
            self.barred.lock().remove(peer);
        }
    }
}
