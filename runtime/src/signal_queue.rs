//! The one queue into a process: many senders, one owner, and the process's run state
//! in the same word.
//!
//! Senders push onto a stack by compare-and-swap; the owner takes the whole stack with one swap and
//! reverses it, which restores the order of pushing. The word that is the stack's head also says
//! whether the process must be scheduled, so that a send costs one atomic operation:
//!
//! | word | meaning | push | notify |
//! |---|---|---|---|
//! | `CLOSED` | no process here | refused | nothing |
//! | `IDLE` | parked | → pointer, *schedule* | → `NOTIFIED`, *schedule* |
//! | `EMPTY` | scheduled or running | → pointer | → `NOTIFIED` |
//! | `NOTIFIED` | scheduled or running, and to be polled again | → pointer and mark | nothing |
//! | pointer | scheduled or running, with signals | → pointer | → pointer and mark |
//! | pointer and mark | as above, and to be polled again | → pointer and mark | nothing |
//!
//! The mark is the lowest bit of the pointer. It keeps a notification apart from signals that
//! require no poll, such as a request for information: these neither replace a notification nor
//! hide one.
//!
//! The thread that makes a transition marked *schedule* puts the process into a run queue. So the
//! process is in at most one run queue, and at most one worker runs it.
//!
//! This file does not know what signals do, nor what a slot is.
//!
//! # Invariants
//! - **Q1** Any word other than the four constants is, without its mark, an address from
//!   `Envelope::into_raw`. Its `next` is null or another such address, never with a mark. The queue
//!   owns all these envelopes.
//! - **Q2** The word and `next` hold addresses; their provenance means nothing. A sender may read
//!   the word and be delayed while the node there is taken and freed and another node is pushed at
//!   the same address. The sender's exchange then succeeds (ABA). The address is right: it is the
//!   head's address at the moment of the exchange, and only the owner takes nodes, always all of
//!   them. But the pointer that the sender read belongs to the freed node. So each push exposes the
//!   provenance of its node, and a take makes its pointers from addresses.
//! - **Q3** A push releases what its sender wrote; a take acquires it.
//!
//! Prior art: R. K. Treiber, "Systems Programming: Coping with Parallelism", 1986;
//! `erl_proc_sig_queue.c` for the outer and inner queue.
#![allow(unsafe_code)]

use std::ptr;

use crate::message::{Chain, Envelope, Header};
use crate::sync::{AtomicPtr, Ordering};

const EMPTY: *mut Header = ptr::null_mut();
const IDLE: *mut Header = ptr::without_provenance_mut(1);
const NOTIFIED: *mut Header = ptr::without_provenance_mut(2);
const CLOSED: *mut Header = ptr::without_provenance_mut(3);

/// Nodes are aligned to more than this, so no constant is the address of a node, marked or not.
const _: () = assert!(align_of::<Header>() > CLOSED_WORD);
const CLOSED_WORD: usize = 3;

/// Set in a pointer: a notification came as well.
const MARK: usize = 1;

fn is_node(word: *mut Header) -> bool {
    word.addr() > CLOSED_WORD
}

/// Returns whether the word says that the process is to be polled again.
fn is_notified(word: *mut Header) -> bool {
    word == NOTIFIED || (is_node(word) && word.addr() & MARK != 0)
}

fn marked(node: *mut Header) -> *mut Header {
    node.map_addr(|addr| addr | MARK)
}

/// Returns the node that a word points to, or null.
fn node_of(word: *mut Header) -> *mut Header {
    if is_node(word) { word.map_addr(|addr| addr & !MARK) } else { ptr::null_mut() }
}

/// The queue of one slot.
#[derive(Debug)]
pub(crate) struct SignalQueue(AtomicPtr<Header>);

/// The step that a sender has to take after a push or a notification.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wake {
    /// Put the process into a run queue.
    Schedule,
    /// Nothing: the process is in a run queue, is running, or has ended.
    Nothing,
}

/// The contents that the owner has taken.
pub(crate) struct Taken {
    /// The signals, in the order of their pushing.
    pub(crate) signals: Chain,
    /// Whether the process is to be polled, whatever the signals are.
    pub(crate) notified: bool,
}

impl SignalQueue {
    pub(crate) fn closed() -> SignalQueue {
        SignalQueue(AtomicPtr::new(CLOSED))
    }

    /// Opens the queue of a slot for a new process, which its maker schedules.
    pub(crate) fn open(&self) {
        // Pairs with the acquire of a thread that pushes, which may then look at the slot.
        self.0.store(EMPTY, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.load(Ordering::SeqCst) == CLOSED
    }

    /// Returns whether the process is parked, and so has handled everything that came.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.load(Ordering::Acquire) == IDLE
    }

    /// Pushes a signal. Returns it if there is no process.
    pub(crate) fn push(&self, envelope: Envelope) -> Result<Wake, Envelope> {
        self.push_over(self.0.load(Ordering::Relaxed), envelope)
    }

    /// Pushes a signal. `word` is a recently read value of the queue's word.
    fn push_over(&self, mut word: *mut Header, envelope: Envelope) -> Result<Wake, Envelope> {
        let node = envelope.into_raw();
        loop {
            if word == CLOSED {
                // SAFETY: Q1: the pointer was made above, and was not published.
                return Err(unsafe { Envelope::from_raw(node) });
            }
            // SAFETY: we own the node until the exchange below publishes it.
            unsafe { (*node.as_ptr()).next = node_of(word) };
            // Q2.
            node.as_ptr().expose_provenance();
            let to = if is_notified(word) { marked(node.as_ptr()) } else { node.as_ptr() };
            // Release: Q3. Acquire, for the thread that schedules: the next worker of the process
            // sees what the owner wrote before it parked.
            match self.0.compare_exchange_weak(word, to, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(IDLE) => return Ok(Wake::Schedule),
                Ok(_) => return Ok(Wake::Nothing),
                Err(now) => word = now,
            }
        }
    }

    /// Ensures that the process is polled once more.
    pub(crate) fn notify(&self) -> Wake {
        self.notify_over(self.0.load(Ordering::Relaxed))
    }

    /// Notifies the process. `word` is a recently read value of the queue's word.
    fn notify_over(&self, mut word: *mut Header) -> Wake {
        loop {
            let (to, wake) = match word {
                IDLE => (NOTIFIED, Wake::Schedule),
                // The poll that follows must see what the notifier wrote before, so the exchange is
                // made even if the word does not change.
                EMPTY | NOTIFIED => (NOTIFIED, Wake::Nothing),
                CLOSED => return Wake::Nothing,
                node => (marked(node), Wake::Nothing),
            };
            match self.0.compare_exchange_weak(word, to, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return wake,
                Err(now) => word = now,
            }
        }
    }

    /// Owner, at the beginning of a turn: takes all signals, and with them any notification, since
    /// a poll follows.
    pub(crate) fn take(&self) -> Taken {
        if self.0.load(Ordering::Relaxed) == EMPTY {
            // SAFETY: Q1: an empty chain.
            let signals = unsafe { Chain::from_raw(ptr::null_mut()) };
            return Taken { signals, notified: false };
        }
        self.swap(EMPTY, Ordering::AcqRel)
    }

    /// Owner, in the middle of a turn: takes the signals, if there are any. A notification stays,
    /// since it may be for something that this turn's poll has already passed.
    pub(crate) fn take_signals(&self) -> Option<Chain> {
        if !is_node(self.0.load(Ordering::Relaxed)) {
            return None;
        }
        let Taken { signals, notified } = self.swap(EMPTY, Ordering::AcqRel);
        if notified {
            // The process is not parked, so there is nothing to schedule.
            let _ = self.notify();
        }
        Some(signals)
    }

    /// Owner: parks the process, unless something arrived.
    #[must_use]
    pub(crate) fn park(&self) -> bool {
        // Release: the next owner, which acquires in `push` or `notify`, sees our writes.
        self.0.compare_exchange(EMPTY, IDLE, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Owner: closes the queue and takes what was in it.
    pub(crate) fn close(&self) -> Chain {
        // Sequentially consistent, as `is_closed` is: see `registry`.
        self.swap(CLOSED, Ordering::SeqCst).signals
    }

    fn swap(&self, word: *mut Header, ordering: Ordering) -> Taken {
        // Acquire: Q3. Release: see `park`.
        let was = self.0.swap(word, ordering);
        // SAFETY: Q1 and Q2: the swap took the nodes out, and we own them now.
        let signals = unsafe { Chain::from_stack(node_of(was).addr()) };
        Taken { signals, notified: is_notified(was) }
    }
}

impl Drop for SignalQueue {
    fn drop(&mut self) {
        drop(self.close());
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    fn numbers(chain: Chain) -> Vec<u64> {
        chain.map(|envelope| envelope.downcast::<u64>().unwrap().body).collect()
    }

    #[test]
    fn signals_are_taken_in_push_order() {
        let queue = SignalQueue::closed();
        assert!(queue.push(Envelope::new(0_u64)).is_err());
        queue.open();
        for n in 0..5_u64 {
            assert_eq!(queue.push(Envelope::new(n)).unwrap(), Wake::Nothing);
        }
        assert_eq!(numbers(queue.take().signals), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_first_signal_to_a_parked_process_schedules_it() {
        let queue = SignalQueue::closed();
        queue.open();
        assert!(queue.park());
        assert_eq!(queue.push(Envelope::new(1_u64)).unwrap(), Wake::Schedule);
        assert_eq!(queue.push(Envelope::new(2_u64)).unwrap(), Wake::Nothing);
        assert!(!queue.park());
        assert_eq!(numbers(queue.take().signals), [1, 2]);
        assert!(queue.park());
        assert_eq!(queue.notify(), Wake::Schedule);
        assert_eq!(queue.notify(), Wake::Nothing);
        assert!(!queue.park(), "a notification is not lost");
        assert!(queue.take().notified);
        assert!(queue.park());
    }

    #[test]
    fn a_notification_and_a_signal_do_not_hide_each_other() {
        let queue = SignalQueue::closed();
        queue.open();
        for first in [true, false] {
            assert!(queue.park());
            let notify = || assert_eq!(queue.notify() == Wake::Schedule, first);
            let push = |n: u64| {
                assert_eq!(queue.push(Envelope::new(n)).unwrap() == Wake::Schedule, !first);
                let _ = queue.push(Envelope::new(n + 1)).unwrap();
            };
            if first {
                notify();
                push(1);
            } else {
                push(1);
                notify();
            }
            let _ = queue.push(Envelope::new(3_u64)).unwrap();
            let taken = queue.take();
            assert!(taken.notified);
            assert_eq!(numbers(taken.signals), [1, 2, 3]);
        }
        assert!(queue.park());
        let _ = queue.push(Envelope::new(4_u64)).unwrap();
        assert!(!queue.take().notified, "a signal alone is not a notification");
    }

    #[test]
    fn signals_taken_in_the_middle_leave_the_notification() {
        let queue = SignalQueue::closed();
        queue.open();
        assert!(queue.take_signals().is_none());
        let _ = queue.notify();
        assert!(queue.take_signals().is_none());
        let _ = queue.push(Envelope::new(1_u64)).unwrap();
        assert_eq!(numbers(queue.take_signals().unwrap()), [1]);
        assert!(!queue.park());
        assert!(queue.take().notified);
        let _ = queue.push(Envelope::new(2_u64)).unwrap();
        assert_eq!(numbers(queue.take_signals().unwrap()), [2]);
        assert!(queue.park());
    }

    #[test]
    fn a_closed_queue_returns_signals_to_the_sender() {
        let queue = SignalQueue::closed();
        queue.open();
        let _ = queue.push(Envelope::new(1_u64)).unwrap();
        assert_eq!(numbers(queue.close()), [1]);
        assert!(queue.push(Envelope::new(2_u64)).unwrap_err().is::<u64>());
        assert_eq!(queue.notify(), Wake::Nothing);
        assert!(queue.is_closed());
    }

    /// Q2, for miri: a delayed sender succeeds, since another signal is at the address that it
    /// read.
    #[test]
    fn an_address_is_used_again_while_a_sender_is_delayed() {
        for notified in [false, true] {
            let queue = SignalQueue::closed();
            queue.open();
            let _ = queue.push(Envelope::new(1_u64)).unwrap();
            let seen = queue.0.load(Ordering::Relaxed);
            assert_eq!(numbers(queue.take().signals), [1]);
            let mut others = Vec::new();
            let again = (0..1000).find_map(|_| {
                let envelope = Envelope::new(2_u64);
                if envelope.address().addr() == seen.addr() {
                    return Some(envelope);
                }
                others.push(envelope);
                None
            });
            let Some(again) = again else {
                return eprintln!("skipped: the allocator does not use the address again");
            };
            let _ = queue.push(again).unwrap();
            if notified {
                let _ = queue.notify_over(seen);
            }
            let _ = queue.push_over(seen, Envelope::new(3_u64)).unwrap();
            assert_eq!(numbers(queue.take().signals), [2, 3]);
        }
    }

    /// SIG-1, with real threads: in order per sender, and nothing lost.
    #[test]
    fn two_senders_and_an_owner() {
        const EACH: u64 = if cfg!(miri) { 40 } else { 20_000 };
        let queue = SignalQueue::closed();
        queue.open();
        let mut last = [0_u64; 2];
        std::thread::scope(|scope| {
            for sender in 0..2_u64 {
                let queue = &queue;
                scope.spawn(move || {
                    for n in 1..=EACH {
                        let _ = queue.push(Envelope::new((sender, n))).unwrap();
                    }
                });
            }
            while last != [EACH; 2] {
                for envelope in queue.take().signals {
                    let (sender, n) = envelope.downcast::<(u64, u64)>().unwrap().body;
                    let last = &mut last[usize::try_from(sender).unwrap()];
                    assert_eq!(n, *last + 1);
                    *last = n;
                }
                std::hint::spin_loop();
            }
        });
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::sync::model_with_preemptions;
    use loom::sync::Arc;
    use loom::thread;

    fn model(check: impl Fn() + Send + Sync + 'static) {
        model_with_preemptions(3, check);
    }

    /// Runs the owner's side until it parks. Returns how many signals it took.
    fn run(queue: &SignalQueue) -> usize {
        let mut taken = 0;
        loop {
            taken += queue.take().signals.count();
            if queue.park() {
                return taken;
            }
        }
    }

    /// No wake-up is lost: a signal that is pushed while the owner parks is either taken by the
    /// owner, or the push returns `Wake::Schedule`.
    #[test]
    fn push_against_park() {
        model(|| {
            let queue = Arc::new(SignalQueue::closed());
            queue.open();
            let pushers: Vec<_> = (0..2)
                .map(|_| {
                    let queue = queue.clone();
                    thread::spawn(move || queue.push(Envelope::new(())).unwrap())
                })
                .collect();
            let mut taken = run(&queue);
            let wakes = pushers.into_iter().map(|p| p.join().unwrap());
            let wakes = wakes.filter(|wake| *wake == Wake::Schedule).count();
            if wakes > 0 {
                taken += run(&queue);
            }
            assert!(wakes <= 1 || taken == 2);
            assert_eq!(taken, 2);
        });
    }

    #[test]
    fn notify_against_park() {
        model(|| {
            let queue = Arc::new(SignalQueue::closed());
            queue.open();
            let flag = Arc::new(loom::sync::atomic::AtomicBool::new(false));
            let notifier = {
                let (queue, flag) = (queue.clone(), flag.clone());
                thread::spawn(move || {
                    flag.store(true, Ordering::Relaxed);
                    queue.notify()
                })
            };
            let mut seen = false;
            loop {
                drop(queue.take());
                seen |= flag.load(Ordering::Relaxed);
                if queue.park() {
                    break;
                }
            }
            if notifier.join().unwrap() == Wake::Schedule {
                drop(queue.take());
                seen |= flag.load(Ordering::Relaxed);
            }
            assert!(seen, "the poll after the notification sees what came before it");
        });
    }

    /// A notification that arrives with signals is seen at the end of the turn, even if the signals
    /// were taken in the middle of it.
    #[test]
    fn notify_and_push_against_taking() {
        model(|| {
            let queue = Arc::new(SignalQueue::closed());
            queue.open();
            let notifier = {
                let queue = queue.clone();
                thread::spawn(move || queue.notify())
            };
            let pusher = {
                let queue = queue.clone();
                thread::spawn(move || queue.push(Envelope::new(())).unwrap())
            };
            let (mut signals, mut notified, mut wakes) = (0, false, 0);
            signals += queue.take_signals().map_or(0, Iterator::count);
            if queue.park() {
                wakes += 1;
            }
            let woken = [notifier, pusher].map(|thread| thread.join().unwrap() == Wake::Schedule);
            assert!(woken.iter().filter(|woken| **woken).count() <= wakes);
            let rest = queue.take();
            signals += rest.signals.count();
            notified |= rest.notified;
            assert_eq!((signals, notified), (1, true));
        });
    }

    /// A signal is taken by the ending process, or returned to its sender.
    #[test]
    fn push_against_close() {
        model(|| {
            let queue = Arc::new(SignalQueue::closed());
            queue.open();
            let pusher = {
                let queue = queue.clone();
                thread::spawn(move || queue.push(Envelope::new(())).is_ok())
            };
            let taken = queue.close().count();
            assert_eq!(taken == 1, pusher.join().unwrap());
        });
    }
}
