//! Runs a future as a process while a thread waits for it: the implementation of `Node::block_on`.
//!
//! The future runs in its own process. A second process monitors the first, so the thread learns
//! how the first one ended, whatever the reason.

use std::panic::Location;
use std::pin::Pin;

use crate::context;
use crate::exit_reason::ExitReason;
use crate::message::Envelope;
use crate::node::Node;
use crate::oneshot::Answer;
use crate::outcome::Outcome;
use crate::process::{self, NewProcess, Service, Start};
use crate::reference::Reference;
use crate::system_message::Down;
use crate::{Next, Opened, Receive};

impl Node {
    /// Runs a future as a process. Returns the future's value, or the process's exit reason if
    /// there is no value. A service does not count towards the process limit.
    #[track_caller]
    pub(crate) fn wait_for<T: Send + 'static>(
        &self,
        future: Pin<Box<dyn Future<Output = T> + Send>>,
        is_service: bool,
    ) -> Result<T, ExitReason> {
        let (answer, mut value) = Answer::new(None);
        let child = NewProcess::of()(async move {
            let value = future.await;
            // A process that has caught the unwinding of its own `exit` still ends with that
            // reason.
            if !context::process("block_on", |me| me.control.ends()) {
                answer.give(value);
            }
        });
        let reason = self.wait_for_end(child, is_service);
        value.take().and_then(|(value, _)| value).ok_or(reason)
    }

    /// Runs the future of `#[fika::main]` as a process, and waits for its end on the calling thread.
    /// The caller prints the failure of the process, so the process's own report goes only to a
    /// subscriber.
    ///
    /// # Panics
    /// Inside a process.
    #[doc(hidden)]
    #[track_caller]
    pub fn run<F>(&self, future: F) -> ExitReason
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let main = async move {
            context::process("main", |me| me.control.set_main());
            future.await
        };
        self.wait_for_end(NewProcess::of()(main), false)
    }

    #[track_caller]
    fn wait_for_end(&self, child: NewProcess, is_service: bool) -> ExitReason {
        assert!(
            context::try_process(|_| ()).is_none(),
            "`block_on` inside a process would block its worker: await the future instead"
        );
        let site = Location::caller();
        let service = is_service.then_some(Service::Deaf);
        let (sender, receiver) = crossbeam_channel::bounded(1);
        // This process only waits for the other one, so it does not count towards the process
        // limit.
        let waits = NewProcess::of()(async move {
            let started = context::process("block_on", |me| {
                me.start_monitored(Start { service, ..Start::child(me, site) }, child)
            });
            let reason = match started {
                Some((_, monitor)) => down(monitor).await,
                None => ExitReason::SystemLimit,
            };
            let _ = sender.send(reason);
        });
        let start = Start { service: Some(Service::Deaf), ..Start::new(None, site) };
        if process::start(self.inner(), start, waits, |_| ()).is_none() {
            return ExitReason::SystemLimit;
        }
        receiver.recv().unwrap_or(ExitReason::Killed)
    }
}

/// Waits for the `Down` of this monitor, and returns its reason.
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
