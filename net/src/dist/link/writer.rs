//! The sending half of a connection: the batch that is being written, and its socket.

use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::io::Stream;
use crate::proto::output::Batch;

/// The maximum number of segments in one system call.
const SLICES: usize = 32;

/// The batch that is being written, and the stream. The stream is `None` before the connection is
/// up and after it has ended.
#[derive(Default)]
pub(crate) struct Writer {
    pub(crate) batch: Batch,
    stream: Option<Arc<Stream>>,
}

/// The result of a write.
pub(crate) enum Written {
    /// The transport has taken this many bytes.
    Bytes(usize),
    /// The transport has no room. It will report when it has room again.
    NoRoom,
    /// The transport is broken, and accepts no more bytes.
    Broken,
}

impl Writer {
    pub(crate) fn new(stream: Arc<Stream>) -> Writer {
        Writer { batch: Batch::default(), stream: Some(stream) }
    }

    pub(crate) fn has_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// Writes once from the batch, which is not empty.
    pub(crate) fn write(&mut self) -> Written {
        let Some(stream) = &self.stream else { return Written::Broken };
        let mut slices = [IoSlice::new(&[]); SLICES];
        let written = match self.batch.slices(&mut slices) {
            [one] => stream.try_write(one),
            more => stream.try_write_vectored(more),
        };
        match written {
            Ok(written) => {
                self.batch.advance(written);
                Written::Bytes(written)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => Written::Bytes(0),
                io::ErrorKind::WouldBlock => Written::NoRoom,
                _ => Written::Broken,
            },
        }
    }
}
