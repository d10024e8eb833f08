//! Handles values from other nodes that do not decode.

use std::sync::atomic::Ordering::Relaxed;

use crate::carrier::ConnectionId;
use crate::node::Inner;
use crate::node_id::NodeId;
use crate::printable::printable;
use crate::report;
use crate::undecodable::{Undecodable, UndecodablePart};

/// Counts and logs the value, and notifies the node that it came from, if the connection over
/// which it came still exists.
#[cold]
pub(crate) fn undecodable(
    node: &Inner,
    from: Option<NodeId>,
    connection: Option<ConnectionId>,
    lost: &Undecodable,
) {
    node.undecodable.fetch_add(1, Relaxed);
    let Undecodable { part, sender, receiver, tag, why } = lost;
    let (tag, error) = (printable(tag), why);
    let peer = from.map(|node| tracing::field::display(node.name()));
    let sender = sender.map(tracing::field::display);
    let pid = receiver.map(tracing::field::display);
    node.logs.messages_refused.line(node.env.now(), |left_out| match part {
        UndecodablePart::Message => report!(
            error, pid, node = peer, sender, %tag, %error, left_out,
            "a message from another node was dropped: it does not decode"
        ),
        UndecodablePart::Arguments => report!(
            warn, function = %tag, from = sender, %error, left_out,
            "a request to spawn was refused: its arguments do not decode"
        ),
        UndecodablePart::Reason => report!(
            error, pid, node = peer, sender, %error, left_out,
            "an exit reason from another node was replaced by badarg: it does not decode"
        ),
    });
    if let (Some(carrier), Some((from, connection))) = (node.carrier.get(), from.zip(connection)) {
        carrier.undecodable(from, connection, lost);
    }
}
