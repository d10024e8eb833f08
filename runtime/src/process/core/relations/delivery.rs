//! How the `Down` of a monitor arrives, and the connection id of relations without a connection.

use super::tag::Tag;
use crate::carrier::ConnectionId;

/// The connection id of a relation to a process of this node, or of a relation that the peer made.
pub(in crate::process) const LOCAL: ConnectionId = ConnectionId(0);

/// How the `Down` of a monitor arrives.
#[derive(Default, Debug)]
pub(in crate::process) struct Delivery {
    pub(in crate::process) tag: Option<Tag>,
    /// It goes ahead of the ordinary messages.
    pub(in crate::process) priority: bool,
}
