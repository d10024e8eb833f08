//! Models of several parts together: processes under loom, whole nodes under shuttle. The models of
//! one part are next to it.

#[cfg(loom)]
mod congestion;
#[cfg(shuttle)]
mod nodes;
#[cfg(loom)]
mod processes;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::env::{Env, Time};
use crate::message::{Envelope, Message};
use crate::{Next, Opened, Receive};

/// An environment whose clock advances by `step` each time it is read, and whose random numbers are
/// constant, so that all executions are alike.
struct Clock {
    now: AtomicU64,
    step: u64,
}

impl Clock {
    fn new(step: Duration) -> Clock {
        let step = u64::try_from(step.as_nanos()).expect("a short one");
        Clock { now: AtomicU64::new(0), step }
    }
}

impl Env for Clock {
    fn now(&self) -> Time {
        Time::new(Duration::from_nanos(self.now.fetch_add(self.step, Ordering::Relaxed)))
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn random(&self) -> u64 {
        7
    }

    fn secure_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// Returns the next message of this type.
async fn receive<M: Message>() -> M {
    receive_by(Receive::begin()).await.expect("a receive without a time limit returns a message")
}

/// Returns a message of this type, if the mailbox has one.
#[cfg(loom)]
async fn take<M: Message>() -> Option<M> {
    receive_by(Receive::begin_after(Duration::ZERO)).await
}

async fn receive_by<M: Message>(mut receive: Receive) -> Option<M> {
    loop {
        match receive.next(Envelope::is::<M>).await {
            Next::Timeout => return None,
            Next::Message(message) => match receive.open::<M>(message) {
                Opened::Is(node) => return Some(node.body),
                Opened::Other(other) => receive.keep(other),
                Opened::Gone => {}
            },
        }
    }
}
