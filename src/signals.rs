//! Ctrl-c and SIGTERM under `#[fika::main]`.
//!
//! The first signal begins to stop the node. The second one ends the program immediately. If the
//! main function does not return before the node has stopped, the program then ends by the signal,
//! as without a handler. So a shell shows 130 or 143, and a service manager sees a regular end.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::Node;

/// The signals that this program has received.
pub(crate) struct Signals {
    /// The number of the first signal, or 0.
    first: Arc<AtomicI32>,
}

impl Signals {
    /// Starts a thread that stops the node when a signal arrives.
    #[cfg(unix)]
    #[allow(clippy::disallowed_methods, reason = "a thread that waits for signals")]
    pub(crate) fn stop(node: &Node) -> Signals {
        use signal_hook::consts::{SIGINT, SIGTERM};

        let first = Arc::<AtomicI32>::default();
        let (received, node) = (first.clone(), node.__runtime().downgrade());
        let (told, watches) = std::sync::mpsc::channel();
        let watch = move || {
            // Registered in this thread, so no signal is caught while no thread waits for it.
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
            fika_runtime::report!(warn, %error, "signals do not stop the node, but end the program");
        }
        Signals { first }
    }

    #[cfg(not(unix))]
    pub(crate) fn stop(_: &Node) -> Signals {
        Signals { first: Arc::default() }
    }

    /// Ends the program by the first signal that it has received, if there is one.
    pub(crate) fn end_by_received(&self) {
        match self.first.load(Ordering::SeqCst) {
            0 => {}
            signal => end_by(signal),
        }
    }
}

/// Ends the program as the signal does without a handler.
fn end_by(signal: i32) -> ! {
    // In the first process of a container, the default action of a signal does nothing.
    #[cfg(unix)]
    if std::process::id() != 1 {
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    }
    std::process::exit(128 + signal)
}
