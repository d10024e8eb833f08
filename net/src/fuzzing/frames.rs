//! What comes over an established connection.

use fika_runtime::{Creation, NodeId};

use crate::proto::connection::{Config, Connection};
use crate::proto::limits::Limits;

/// The first byte says into pieces of which size the rest is cut.
pub fn frames(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let whole = events(&[bytes]);
    let pieces: Vec<&[u8]> = bytes.chunks(usize::from(*size % 64) + 1).collect();
    assert_eq!(whole, events(&pieces), "it depends on how the bytes come");
}

/// The events of these pieces, and the error at their end if there is one.
fn events(pieces: &[&[u8]]) -> Vec<String> {
    let mut connection = connection(node("here@fuzz"), node("there@fuzz"));
    let mut events = Vec::new();
    for piece in pieces {
        connection.read_buffer().extend_from_slice(piece);
        loop {
            match connection.poll_event() {
                Ok(Some(event)) => events.push(format!("{event:?}")),
                Ok(None) => break,
                Err(error) => {
                    events.push(error.to_string());
                    let again = connection.poll_event();
                    assert_eq!(again.err().map(|error| error.to_string()).as_ref(), events.last());
                    assert_eq!(connection.read_buffer().len(), 0, "what is wrong is not kept");
                    return events;
                }
            }
        }
        let kept = connection.read_buffer().len();
        assert!(kept <= 4 + Limits::MESSAGE_BYTES.start(), "{kept} bytes are no frame");
    }
    events
}

pub(super) fn node(name: &str) -> NodeId {
    NodeId::of(&name.parse().expect("it is a name"), Creation(7))
}

/// A connection whose limit is near.
pub(super) fn connection(local: NodeId, peer: NodeId) -> Connection {
    let limits = Limits { message_bytes_max: *Limits::MESSAGE_BYTES.start() };
    Connection::new(Config { local, peer, hidden: false, priority: true, intensity: 4, limits })
}
