//! Handles values of other nodes that do not decode.

use std::sync::atomic::Ordering::Relaxed;

use crate::carrier::ConnectionId;
use crate::node::Inner;
use crate::node_id::NodeId;
use crate::printable::printable;
use crate::report;
use crate::undecodable::{Undecodable, UndecodablePart};

impl Inner {
    /// Counts and logs the value, and notifies the node that it came from, if the connection over
    /// which it came still exists.
    #[cold]
    pub(crate) fn undecodable(
        &self,
        from: Option<NodeId>,
        connection: Option<ConnectionId>,
        lost: &Undecodable,
    ) {
        self.undecodable.fetch_add(1, Relaxed);
        let Undecodable { part, sender, receiver, tag, why } = lost;
        let (tag, error) = (printable(tag), why);
        let node = from.map(|node| tracing::field::display(node.name()));
        let sender = sender.map(tracing::field::display);
        let pid = receiver.map(tracing::field::display);
        self.messages_refused.line(self.env.now(), |left_out| match part {
            UndecodablePart::Message => report!(
                error, pid, node, sender, %tag, %error, left_out,
                "a message from another node was dropped"
            ),
            UndecodablePart::Arguments => report!(
                warn, function = %tag, from = sender, %error, left_out,
                "asked to spawn with other arguments"
            ),
            UndecodablePart::Reason => report!(
                error, pid, node, sender, %error, left_out,
                "an exit reason from another node was replaced"
            ),
        });
        if let (Some(carrier), Some((from, connection))) =
            (self.carrier.get(), from.zip(connection))
        {
            carrier.undecodable(from, connection, lost);
        }
    }
}
