//! The receiving half of a connection: reads from the socket and decodes what it has read.

use std::io::{self, IoSliceMut};
use std::net::IpAddr;
use std::sync::Arc;

use fika_runtime::NodeDownReason;
use parking_lot::Mutex;

use crate::io::Stream;
use crate::proto::connection::{Events, Receiving};

/// The maximum number of bytes that one system call reads.
const READ_BYTES: usize = 64 << 10;

/// The number of bytes to read behind a piece of a large message that is read directly into its
/// final place. This is enough for the head of the next piece. More bytes would be copied
/// needlessly: once its head is known, the rest of the next piece can be read directly, too.
const BEHIND_BYTES: usize = 4 << 10;

/// The maximum number of buffers that are kept. More threads seldom read at the same time.
const BUFFERS_KEPT: usize = 4;

pub(crate) struct Reader {
    receiving: Receiving,
    stream: Arc<Stream>,
    from: IpAddr,
    /// The bytes that the peer has sent together with its handshake.
    early: Vec<u8>,
}

/// Buffers for reading that are not in use.
#[derive(Default)]
pub(crate) struct Buffers(Mutex<Vec<Box<[u8]>>>);

/// The result of a read.
pub(crate) enum Read {
    /// There may be more to read.
    More,
    /// The socket will report when there is more.
    Wait,
    /// The connection has ended.
    End(NodeDownReason),
}

impl Buffers {
    pub(crate) fn take(&self) -> Box<[u8]> {
        let kept = self.0.lock().pop();
        kept.unwrap_or_else(|| vec![0; READ_BYTES].into())
    }

    pub(crate) fn give_back(&self, buffer: Box<[u8]>) {
        let mut kept = self.0.lock();
        if kept.len() < BUFFERS_KEPT {
            kept.push(buffer);
        }
    }
}

impl Reader {
    pub(crate) fn new(receiving: Receiving, stream: Arc<Stream>, early: &[u8]) -> Reader {
        let from = stream.peer_addr().ip();
        Reader { receiving, stream, from, early: early.to_vec() }
    }

    /// Returns the address of the peer.
    pub(crate) fn from(&self) -> IpAddr {
        self.from
    }

    /// Returns the number of bytes received so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.receiving.bytes()
    }

    /// Reads once, and passes the decoded events to `events`. If `is_open` is set, a read that does
    /// not fill its buffer has read everything.
    ///
    /// # Errors
    /// If the peer has broken the protocol. The text says how.
    pub(crate) fn read(
        &mut self,
        bytes: &mut [u8],
        events: &mut impl Events,
        is_open: bool,
    ) -> Result<Read, String> {
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            self.receiving.handle(&early, events).map_err(|error| error.to_string())?;
        }
        let (mut direct, mut room) = (0, bytes.len());
        let read = match self.receiving.direct() {
            None => self.stream.try_read(bytes),
            Some(mut place) => {
                direct = place.place().len();
                room = direct + BEHIND_BYTES;
                let behind = &mut bytes[..BEHIND_BYTES];
                let mut slices = [IoSliceMut::new(place.place()), IoSliceMut::new(behind)];
                let read = self.stream.try_read_vectored(&mut slices);
                let count = read.as_ref().map_or(0, |read| direct.min(*read));
                place.keep(count);
                read
            }
        };
        let read = match read {
            Ok(0) => return Ok(Read::End(NodeDownReason::ConnectionClosed)),
            Ok(read) => read,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(Read::Wait),
                io::ErrorKind::Interrupted => return Ok(Read::More),
                _ => return Ok(Read::End(closed_by(&error))),
            },
        };
        let direct = direct.min(read);
        let taken = match direct {
            0 => Ok(()),
            _ => self.receiving.handle_direct(direct, events),
        };
        let taken = taken.and_then(|()| self.receiving.handle(&bytes[..read - direct], events));
        taken.map_err(|error| error.to_string())?;
        Ok(if is_open && read < room { Read::Wait } else { Read::More })
    }
}

/// Returns the reason for the loss of a broken connection. An error of the operating system means
/// that the connection was closed. A transport of the program may give its own reason.
fn closed_by(error: &io::Error) -> NodeDownReason {
    match error.get_ref() {
        None => NodeDownReason::ConnectionClosed,
        Some(reason) => NodeDownReason::Other(reason.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_buffers_are_kept() {
        let buffers = Buffers::default();
        let taken = [(); BUFFERS_KEPT + 1].map(|()| buffers.take());
        taken.into_iter().for_each(|buffer| buffers.give_back(buffer));
        assert_eq!(buffers.0.lock().len(), BUFFERS_KEPT);
        assert_eq!(buffers.take().len(), READ_BYTES);
        assert_eq!(buffers.0.lock().len(), BUFFERS_KEPT - 1);
    }
}
