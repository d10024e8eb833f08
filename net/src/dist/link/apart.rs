//! Reads a connection with large messages on a thread of its own.
//!
//! A worker that reads large messages uses the processor all the time. When it has used its share,
//! the operating system lets it wait until other programs have used theirs, which takes
//! milliseconds. Everything that the worker has begun waits as well, such as a handshake with
//! another node. If a thread of its own reads, workers that have little to do keep their share, so
//! the operating system runs them as soon as something happens.
//!
//! This is only worth it for large messages. A worker handles a small message itself, right after
//! it has read it, while a thread has to wake a worker.
//!
//! The thread reads a limited number of bytes for each turn of the connection's process (`rest`). So
//! a node with many busy processes reads less, and its peers have to wait.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fika_runtime::contained;

use super::channel::Channel;
use crate::io::Stream;

/// Signals of this size, on average, are read by a thread of its own. Messages of a quarter of this
/// size would cost 25% more CPU time, since each of them wakes a worker.
pub(super) const LARGE_BYTES: u64 = 256 << 10;

/// The number of bytes that the thread reads for each turn of the process. Reading them takes about
/// a millisecond.
pub(super) const BYTES: u64 = 4 << 20;

/// The maximum number of turns of the thread for each turn of the process. It is only reached if
/// little arrives at a time.
pub(super) const TURNS: usize = 64;

/// After this time without anything to read, the poller waits for the connection again.
const QUIET_TIME: Duration = Duration::from_millis(10);

/// The right of a thread to read a connection, which the network does not report meanwhile.
/// Dropping it returns the connection to the network.
pub(super) struct Apart {
    channel: Arc<Channel>,
    stream: Arc<Stream>,
}

impl Apart {
    /// Takes a connection from the network. Returns `None` if the network can't do this, or if
    /// there are as many such connections as workers: the threads must not use more than half of
    /// the processors while the workers are busy.
    pub(super) fn begin(channel: &Arc<Channel>) -> Option<Apart> {
        let (workers, stream) = (channel.node()?.workers(), channel.stream()?);
        if channel.is_apart.swap(true, Ordering::AcqRel) {
            return None;
        }
        let apart = Apart { channel: channel.clone(), stream };
        let others = channel.shared().apart.fetch_add(1, Ordering::Relaxed);
        (others < workers && apart.stream.report_reads(false).is_ok()).then_some(apart)
    }

    /// Waits until there is something to read. Returns `false` if there was nothing for some time,
    /// or if the connection has ended.
    pub(super) fn has_more(&self) -> bool {
        self.stream.wait_to_read(QUIET_TIME).unwrap_or(false) && !self.channel.is_down()
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // A network without this function has changed nothing.
        contained(|| self.stream.report_reads(true));
        self.channel.is_apart.store(false, Ordering::Release);
        self.channel.shared().apart.fetch_sub(1, Ordering::Relaxed);
    }
}
