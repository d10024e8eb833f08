//! A process that a thread waits for: what `Node::block_on` does.
//!
//! The future runs in a process of its own, and another one waits for that one's end, so that the
//! thread hears of any end.

use std::panic::Location;
use std::pin::Pin;

use crate::context;
use crate::exit_reason::ExitReason;
use crate::message::Envelope;
use crate::node::Node;
use crate::oneshot::Oneshot;
use crate::process::{self, NewProcess, Start};
use crate::reference::Reference;
use crate::system_message::Down;
use crate::{Next, Opened, Receive};

impl Node {
    /// Runs a future as a process, and waits for its value or for the reason of its end. A service
    /// has room besides the process limit.
    #[track_caller]
    pub(crate) fn wait_for<T: Send + 'static>(
        &self,
        future: Pin<Box<dyn Future<Output = T> + Send>>,
        is_service: bool,
    ) -> Result<T, ExitReason> {
        assert!(
            context::try_process(|_| ()).is_none(),
            "`block_on` inside a process would block its worker: await the future instead"
        );
        let site = Location::caller();
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let value = Oneshot::default();
        let to = value.clone();
        let child = NewProcess::of()(async move { to.set(future.await) });
        // It only waits for the one that does the work, so it takes no room from the program.
        let waits = NewProcess::of()(async move {
            let started = context::process("block_on", |me| {
                me.start_monitored(Start { is_service, ..Start::child(me, site) }, child)
            });
            let reason = match started {
                Some((_, monitor)) => down(monitor).await,
                None => ExitReason::SystemLimit,
            };
            let _ = sender.send(reason);
        });
        let start = Start { is_service: true, ..Start::new(None, site) };
        if process::start(self.inner(), start, waits, |_| ()).is_none() {
            return Err(ExitReason::SystemLimit);
        }
        let reason = receiver.recv().unwrap_or(ExitReason::Killed);
        value.take().ok_or(reason)
    }
}

/// Waits for the `Down` of this monitor.
async fn down(monitor: Reference) -> ExitReason {
    let mut receive = Receive::begin();
    loop {
        if let Next::Message(message) = receive.next(Envelope::is::<Down>).await {
            match receive.open::<Down>(message) {
                Opened::Is(down) if down.body.monitor == monitor => return down.body.reason,
                Opened::Is(other) => receive.keep(other.into()),
                Opened::Other(other) => receive.keep(other),
                Opened::Gone => {}
            }
        }
    }
}
