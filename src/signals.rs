//! Ctrl-c and SIGTERM under `#[fika::main]`.
//!
//! The first one begins to stop the node. The second one ends the program at once. A program
//! whose main function does not return by itself meanwhile ends by the signal, once the node has
//! stopped, as it would have done without a handler: so a shell says 130 or 143, and a service
//! manager sees a regular end.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::Node;

/// The signals that this program has received.
pub(crate) struct Signals {
    /// The number of the first one, or 0.
    first: Arc<AtomicI32>,
}

impl Signals {
    /// From now on, signals stop the node.
    #[cfg(unix)]
    #[allow(clippy::disallowed_methods, reason = "a thread that waits for signals")]
    pub(crate) fn stop(node: &Node) -> Signals {
        use signal_hook::consts::{SIGINT, SIGTERM};

        let first = Arc::<AtomicI32>::default();
        let (received, node) = (first.clone(), node.downgrade());
        let (told, watches) = std::sync::mpsc::channel();
        let watch = move || {
            // Here, so that no signal is taken that no thread waits for.
            let watched = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]);
            let (mut watched, result) = match watched {
                Ok(watched) => (Some(watched), Ok(())),
                Err(error) => (None, Err(error)),
            };
            let _ = told.send(result);
            for signal in watched.iter_mut().flat_map(|watched| watched.forever()) {
                if received.swap(signal, Ordering::SeqCst) != 0 {
                    end_by(signal);
                }
                match node.upgrade() {
                    Some(node) => node.begin_stop(),
                    None => end_by(signal),
                }
            }
        };
        let thread = std::thread::Builder::new().name("fika signals".into()).spawn(watch);
        let result = thread.and_then(|_| watches.recv().unwrap_or(Ok(())));
        if let Err(error) = result {
            tracing::warn!(%error, "signals do not stop the node, but end the program");
        }
        Signals { first }
    }

    #[cfg(not(unix))]
    pub(crate) fn stop(_: &Node) -> Signals {
        Signals { first: Arc::default() }
    }

    /// Ends the program by the signal that it has received, if it has received one.
    pub(crate) fn end_by_received(&self) {
        match self.first.load(Ordering::SeqCst) {
            0 => {}
            signal => end_by(signal),
        }
    }
}

/// Ends the program as the signal does where it is not handled.
fn end_by(signal: i32) -> ! {
    // The first process of a container has no default handler.
    #[cfg(unix)]
    if std::process::id() != 1 {
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    }
    std::process::exit(128 + signal)
}
