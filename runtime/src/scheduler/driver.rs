//! The seam to what an idle worker waits for: sockets, or only time.

use std::time::Duration;

/// Lets an idle worker wait. `fika-net` implements it with a poller, so the worker that a packet
/// wakes is the one that runs the packet's receiver.
///
/// One worker at a time calls [`park`](Driver::park). Any thread may call
/// [`unpark`](Driver::unpark).
pub trait Driver: Send + Sync + 'static {
    /// Announces that the calling thread begins, and will call [`park`](Driver::park) now and then.
    fn thread_begins(&self) {}

    /// Waits for an event, for [`unpark`](Driver::unpark) or for the timeout, and handles the
    /// events. With a timeout of zero, it only handles the events that are ready. It may return
    /// early.
    fn park(&self, timeout: Option<Duration>);

    /// Makes the current `park` return, or the next one if no thread is parked.
    fn unpark(&self);
}
