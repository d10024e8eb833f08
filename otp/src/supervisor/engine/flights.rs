//! The starts that have not returned: futures that the supervisor polls beside its mailbox. Most of
//! them return at their first poll. Each other one has its own waker, so the cost of a wake-up does
//! not depend on the number of starts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use fika_runtime::is_receiving;
use parking_lot::Mutex;

use super::children::Key;
use super::command::StartReply;
use super::decide::Occasion;
use crate::r#gen::ReplyTo;
use crate::supervisor::spec::starter::{Outcome, StartFn, Starting};

/// The starts that have not returned. A child has at most one.
#[derive(Default)]
pub(super) struct Flights {
    /// The starts that were not polled yet.
    new: VecDeque<(Key, Launch, Starting)>,
    /// The starts that wait for something.
    flying: BTreeMap<Key, Flight>,
    /// The starts that are about to be polled.
    batch: VecDeque<Key>,
    /// The start whose function is in a `receive!`, and the starts that wait until it is not: a
    /// process has one mailbox, and a second `receive!` would panic.
    receiver: Option<Key>,
    waiting: Vec<Key>,
    ready: Arc<Ready>,
    /// A copy of the waker in `ready`.
    parent: Option<Arc<Waker>>,
}

/// The reason for a start, and the caller that waits for it.
pub(super) struct Launch {
    pub(super) occasion: Occasion,
    pub(super) reply: Option<ReplyTo<StartReply>>,
}

struct Flight {
    launch: Launch,
    future: Starting,
    wakes: Arc<Wakes>,
    waker: Waker,
}

/// The starts that want to be polled.
#[derive(Default)]
struct Ready {
    keys: Mutex<Vec<Key>>,
    parent: Mutex<Option<Arc<Waker>>>,
}

struct Wakes {
    key: Key,
    /// Whether the key is in the list already.
    listed: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Pairs with the reset before the poll: the poll sees all that happened before the wake-up.
        if self.listed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.ready.keys.lock().push(self.key);
        let parent = self.ready.parent.lock().clone();
        if let Some(parent) = parent {
            parent.wake_by_ref();
        }
    }
}

/// A start that has returned, with its function if it is needed again.
pub(super) struct Landed {
    pub(super) key: Key,
    pub(super) launch: Launch,
    pub(super) start: Option<StartFn>,
    pub(super) outcome: Outcome,
}

impl Flights {
    /// Adds a start. It begins at the next poll.
    pub(super) fn add(&mut self, key: Key, launch: Launch, start: Starting) {
        self.new.push_back((key, launch, start));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.new.is_empty() && self.flying.is_empty()
    }

    /// Polls the starts that were woken, up to the first that has returned.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Landed> {
        while let Some((key, launch, mut future)) = self.new.pop_front() {
            if !is_receiving() {
                if let Poll::Ready((start, outcome)) = future.poll(context) {
                    return Poll::Ready(Landed { key, launch, start, outcome });
                }
                self.receiver = is_receiving().then_some(key);
            }
            // It is polled again below, to be woken by a waker of its own from now on.
            self.fly(key, launch, future);
        }
        if self.flying.is_empty() {
            return Poll::Pending;
        }
        if !self.parent.as_ref().is_some_and(|parent| parent.will_wake(context.waker())) {
            let parent = Some(Arc::new(context.waker().clone()));
            self.parent.clone_from(&parent);
            let old = std::mem::replace(&mut *self.ready.parent.lock(), parent);
            drop(old);
        }
        self.batch.extend(std::mem::take(&mut *self.ready.keys.lock()));
        loop {
            if !is_receiving() {
                self.receiver = None;
                self.batch.extend(self.waiting.drain(..));
            }
            let Some(key) = self.batch.pop_front() else { return Poll::Pending };
            if self.receiver.is_some_and(|receiver| receiver != key) {
                self.waiting.push(key);
                continue;
            }
            let Some(flight) = self.flying.get_mut(&key) else { continue };
            flight.wakes.listed.store(false, Ordering::Release);
            let mut context = Context::from_waker(&flight.waker);
            if let Poll::Ready((start, outcome)) = flight.future.poll(&mut context)
                && let Some(Flight { launch, .. }) = self.flying.remove(&key)
            {
                return Poll::Ready(Landed { key, launch, start, outcome });
            }
            if is_receiving() {
                self.receiver = Some(key);
            }
        }
    }

    fn fly(&mut self, key: Key, launch: Launch, future: Starting) {
        let wakes =
            Arc::new(Wakes { key, listed: AtomicBool::new(true), ready: self.ready.clone() });
        let waker = Waker::from(wakes.clone());
        self.flying.insert(key, Flight { launch, future, wakes, waker });
        self.batch.push_back(key);
    }
}
