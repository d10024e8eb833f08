//! The bytes that arrive over an established connection.

use fika_runtime::{ConnectionId, Creation, NodeId};

use crate::proto::connection::{Config, Receiving};
use crate::proto::limits::{FRAME_BYTES_MAX, Limits};

/// The first byte is the size of the pieces into which the rest is cut.
pub fn frames(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let whole = events(&[bytes]);
    let pieces: Vec<&[u8]> = bytes.chunks(usize::from(*size % 64) + 1).collect();
    assert_eq!(whole, events(&pieces), "the events depend on the pieces");
}

/// Returns the events of these pieces, and the final error if there is one.
fn events(pieces: &[&[u8]]) -> Vec<String> {
    let mut receiving = receiving(node("here@fuzz"), node("there@fuzz"));
    let mut said = Vec::new();
    for piece in pieces {
        let mut events = Vec::new();
        let result = receiving.handle(piece, &mut events);
        said.extend(events.drain(..).map(|event| format!("{event:?}")));
        if let Err(error) = result {
            assert_eq!(receiving.handle(piece, &mut events), Err(error.clone()));
            assert_eq!(receiving.kept_bytes(), 0, "invalid bytes are not kept");
            said.push(error.to_string());
            return said;
        }
        let kept = receiving.kept_bytes();
        let most = FRAME_BYTES_MAX + 4 + limits().partial_bytes_max();
        assert!(kept <= most, "{kept} bytes exceed the limit of unfinished messages");
    }
    said
}

pub(super) fn node(name: &str) -> NodeId {
    NodeId::of(&name.parse().expect("a valid node name"), Creation(7))
}

fn limits() -> Limits {
    Limits { message_bytes_max: *Limits::MESSAGE_BYTES.start() }
}

/// Returns the receiving half of a connection with low limits.
pub(super) fn receiving(local: NodeId, peer: NodeId) -> Receiving {
    let (id, limits) = (ConnectionId(1), limits());
    let config = Config { id, local, peer, hidden: false, priority: true, intensity: 4, limits };
    config.connection().1
}
