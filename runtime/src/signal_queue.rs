//! The one queue into a process: many senders, one owner, and the process's run state
//! in the same word.
//!
//! Senders push onto a stack by compare-and-swap; the owner takes the whole stack with
//! one swap and turns it around, which gives the order of pushing. The word that is the
//! stack's head also says whether the process must be scheduled, so that a send costs
//! one atomic operation:
//!
//! | word | meaning | push | notify |
//! |---|---|---|---|
//! | `CLOSED` | no process here | refused | nothing |
//! | `IDLE` | parked | → pointer, *schedule* | → `EMPTY`, *schedule* |
//! | `EMPTY` | scheduled or running | → pointer | → `NOTIFIED` |
//! | `NOTIFIED` | the same, and to be polled again | → pointer | nothing |
//! | pointer | the same, with signals | → pointer | nothing |
//!
//! Whoever makes a transition marked *schedule* puts the process into a run queue, so it
//! is in at most one, and at most one worker runs it.
//!
//! The file does not know what signals do, nor what a slot is.
//!
//! # Invariants
//! - **Q1** A word that is none of the four constants is an `Envelope::into_raw`, whose
//!   `next` is null or such a pointer again. The queue owns them all.
//! - **Q2** Only the owner takes (`take`, `close`), and taking takes all; a pointer is
//!   never compared after its node has been taken and freed by another, except by a push
//!   that then links to whatever is head now. So reuse of an address does no harm.
//! - **Q3** A push releases what its sender wrote; a take acquires it.
//!
//! Prior art: R. K. Treiber, "Systems Programming: Coping with Parallelism", 1986;
//! `erl_proc_sig_queue.c` for the outer and inner queue.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use crate::message::{Chain, Envelope, Header};
use crate::sync::{AtomicPtr, Ordering};

const EMPTY: *mut Header = ptr::null_mut();
const IDLE: *mut Header = ptr::without_provenance_mut(1);
const NOTIFIED: *mut Header = ptr::without_provenance_mut(2);
const CLOSED: *mut Header = ptr::without_provenance_mut(3);

/// Nodes are aligned to at least this, so the constants are no addresses of theirs.
const _: () = assert!(align_of::<Header>() > CLOSED_WORD);
const CLOSED_WORD: usize = 3;

fn is_node(word: *mut Header) -> bool {
    word.addr() > CLOSED_WORD
}

/// The queue of one slot.
#[derive(Debug)]
pub(crate) struct SignalQueue(AtomicPtr<Header>);

/// What a sender has to do after a push or a notification.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wake {
    /// Put the process into a run queue.
    Schedule,
    /// Nothing: it is in one, or runs, or is no more.
    Nothing,
}

impl SignalQueue {
    pub(crate) fn closed() -> SignalQueue {
        SignalQueue(AtomicPtr::new(CLOSED))
    }

    /// Opens the queue of a slot for a new process, which its maker schedules.
    pub(crate) fn open(&self) {
        // Pairs with the acquire of whoever pushes: it may then look at the slot.
        self.0.store(EMPTY, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire) == CLOSED
    }

    /// Pushes a signal, or gives it back when there is no process.
    pub(crate) fn push(&self, envelope: Envelope) -> Result<Wake, Envelope> {
        let node = envelope.into_raw();
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            if word == CLOSED {
                // SAFETY: Q1: the pointer was made above, and was not published.
                return Err(unsafe { Envelope::from_raw(node) });
            }
            let next = if is_node(word) { word } else { ptr::null_mut() };
            // SAFETY: the node is ours until it is published by the exchange below.
            unsafe { (*node.as_ptr()).next = next };
            // Release: Q3. Acquire, for the one who schedules: what the owner wrote
            // before it parked is seen by whoever runs the process next.
            match self.0.compare_exchange_weak(
                word,
                node.as_ptr(),
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(IDLE) => return Ok(Wake::Schedule),
                Ok(_) => return Ok(Wake::Nothing),
                Err(now) => word = now,
            }
        }
    }

    /// Sees to it that the process is polled once more.
    pub(crate) fn notify(&self) -> Wake {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let (to, wake) = match word {
                IDLE => (EMPTY, Wake::Schedule),
                // What the notifier wrote before must be seen by the poll that follows,
                // so the exchange is made even where the word does not change.
                EMPTY | NOTIFIED => (NOTIFIED, Wake::Nothing),
                CLOSED => return Wake::Nothing,
                node => (node, Wake::Nothing),
            };
            match self.0.compare_exchange_weak(word, to, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return wake,
                Err(now) => word = now,
            }
        }
    }

    /// Owner: whether there is nothing to take and no notification.
    pub(crate) fn is_quiet(&self) -> bool {
        self.0.load(Ordering::Relaxed) == EMPTY
    }

    /// Owner: takes all signals, in the order of their pushing, and with them any
    /// notification.
    pub(crate) fn take(&self) -> Chain {
        if self.is_quiet() {
            // SAFETY: Q1: an empty chain.
            return unsafe { Chain::from_raw(ptr::null_mut()) };
        }
        self.swap(EMPTY)
    }

    /// Owner: parks the process, unless something came in.
    #[must_use]
    pub(crate) fn park(&self) -> bool {
        // Release: the next owner, who acquires in `push` or `notify`, sees our writes.
        self.0.compare_exchange(EMPTY, IDLE, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Owner: closes the queue and takes what was in it.
    pub(crate) fn close(&self) -> Chain {
        self.swap(CLOSED)
    }

    fn swap(&self, word: *mut Header) -> Chain {
        // Acquire: Q3. Release: see `park`.
        let head = self.0.swap(word, Ordering::AcqRel);
        let head = NonNull::new(head).filter(|head| is_node(head.as_ptr()));
        // SAFETY: Q1 and Q2: the swap took the nodes out, and they are ours now.
        unsafe { Chain::from_raw(head.map_or(ptr::null_mut(), NonNull::as_ptr)) }.reversed()
    }
}

impl Drop for SignalQueue {
    fn drop(&mut self) {
        drop(self.close());
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn numbers(chain: Chain) -> Vec<u64> {
        chain.map(|envelope| envelope.downcast::<u64>().unwrap().body).collect()
    }

    #[test]
    fn the_order_is_that_of_pushing() {
        let queue = SignalQueue::closed();
        assert!(queue.push(Envelope::new(0_u64)).is_err());
        queue.open();
        for n in 0..5_u64 {
            assert_eq!(queue.push(Envelope::new(n)).unwrap(), Wake::Nothing);
        }
        assert_eq!(numbers(queue.take()), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_first_signal_to_a_parked_process_schedules_it() {
        let queue = SignalQueue::closed();
        queue.open();
        assert!(queue.park());
        assert_eq!(queue.push(Envelope::new(1_u64)).unwrap(), Wake::Schedule);
        assert_eq!(queue.push(Envelope::new(2_u64)).unwrap(), Wake::Nothing);
        assert!(!queue.park());
        assert_eq!(numbers(queue.take()), [1, 2]);
        assert!(queue.park());
        assert_eq!(queue.notify(), Wake::Schedule);
        assert_eq!(queue.notify(), Wake::Nothing);
        assert!(!queue.park(), "a notification is not lost");
        assert_eq!(numbers(queue.take()), []);
        assert!(queue.park());
    }

    #[test]
    fn a_closed_queue_gives_signals_back() {
        let queue = SignalQueue::closed();
        queue.open();
        let _ = queue.push(Envelope::new(1_u64)).unwrap();
        assert_eq!(numbers(queue.close()), [1]);
        assert!(queue.push(Envelope::new(2_u64)).unwrap_err().is::<u64>());
        assert_eq!(queue.notify(), Wake::Nothing);
        assert!(queue.is_closed());
    }

    /// SIG-1, with real threads: in order per sender, and nothing lost.
    #[test]
    fn two_senders_and_an_owner() {
        const EACH: u64 = 20_000;
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
                for envelope in queue.take() {
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
    use loom::sync::Arc;
    use loom::thread;

    fn model(check: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(check);
    }

    /// Runs the owner's side until it parks: gives what it took.
    fn run(queue: &SignalQueue) -> usize {
        let mut taken = 0;
        loop {
            taken += queue.take().count();
            if queue.park() {
                return taken;
            }
        }
    }

    /// No wake-up is lost: whatever is pushed while the owner parks is either taken by
    /// it, or its pusher is told to schedule.
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

    /// A signal is taken by the process that ends, or given back to its sender.
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
