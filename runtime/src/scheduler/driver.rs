//! The seam to whatever an idle worker waits in: sockets, or nothing but time.

use std::time::Duration;

/// Where an idle worker waits. `fika-net` implements it with a poller, so that the worker
/// that a packet wakes is the one that runs the packet's receiver.
///
/// One worker at a time calls [`park`](Driver::park); any thread may call
/// [`unpark`](Driver::unpark).
pub trait Driver: Send + Sync + 'static {
    /// The calling thread has begun, and will call [`park`](Driver::park) now and then.
    fn thread_begins(&self) {}

    /// Waits for an event, for [`unpark`](Driver::unpark), or for the time to pass, and
    /// handles what came. With a timeout of zero it only handles what is there. It may
    /// return early.
    fn park(&self, timeout: Option<Duration>);

    /// Makes the present `park` return, or the next one if there is none.
    fn unpark(&self);
}
