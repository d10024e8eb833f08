//! Output that many threads add and one thread at a time takes away. No thread waits for another,
//! and nothing is left behind.
//!
//! A thread that has added something calls `push`, and the work is done. If another thread is
//! already doing it, that thread makes one more round. The output goes to a transport, which may
//! have no room. The transport reports when it has room again, and until then no thread tries.
//!
//! This file does not know what the output is, where it is stored, and what the transport is.
//!
//! # Invariants
//! - **O1** `rounds` is zero while no thread is at work. The thread that raises it from zero is at
//!   work until it makes it zero again. It does that only if no thread has requested a round since
//!   its last one began. So a round sees everything that was added before the round was requested.
//! - **O2** `blocked` only changes in a round. A thread that finds it set has added its output
//!   before the transport reports room, and the round that follows sees that output.

use crate::sync::{AtomicBool, AtomicUsize, Mutex, Ordering};

/// An outlet; see the head of the file. `T` is the state that the work uses.
#[derive(Default)]
pub struct Outlet<T> {
    work: Mutex<T>,
    rounds: AtomicUsize,
    blocked: AtomicBool,
}

/// The transport's answer in a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Round {
    /// The transport has taken everything.
    Done,
    /// The transport has no room, and will report when it has.
    Blocked,
}

impl<T> Outlet<T> {
    /// Has the output that was just added taken away, now or when there is room.
    pub fn push(&self, round: impl FnMut(&mut T) -> Round) {
        if !self.is_blocked() {
            self.work(round);
        }
    }

    /// Called when the transport may have room again. If nothing has waited for that, there is
    /// nothing to do: threads that have added output call `push` themselves.
    pub fn has_room(&self, round: impl FnMut(&mut T) -> Round) {
        if self.rounds.load(Ordering::Acquire) > 0 || self.is_blocked() {
            self.work(round);
        }
    }

    /// Takes away what there is room for. If another thread is doing so, that thread makes one more
    /// round.
    pub fn work(&self, mut round: impl FnMut(&mut T) -> Round) {
        if self.rounds.fetch_add(1, Ordering::AcqRel) > 0 {
            return;
        }
        let mut asked = 1;
        loop {
            let mut work = self.work.lock();
            self.blocked.store(false, Ordering::Relaxed);
            if round(&mut work) == Round::Blocked {
                self.blocked.store(true, Ordering::Relaxed);
            }
            drop(work);
            let left = self.rounds.compare_exchange(asked, 0, Ordering::AcqRel, Ordering::Acquire);
            match left {
                Ok(_) => return,
                Err(more) => asked = more,
            }
        }
    }

    /// Returns whether the transport has no room, as far as known.
    pub fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    /// Changes the state that the work uses, between two rounds.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.work.lock())
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use std::sync::Arc;

    use loom::thread;

    use super::*;
    use crate::sync::model;

    /// Two threads that add output, and a transport that takes one item at a time.
    #[derive(Default)]
    struct Line {
        outlet: Outlet<()>,
        waiting: Mutex<usize>,
        transport: Mutex<Transport>,
    }

    #[derive(Default)]
    struct Transport {
        room: usize,
        /// The transport has refused something, and will report when it has room.
        refused: bool,
        taken: usize,
    }

    impl Line {
        fn round(&self) -> Round {
            loop {
                if *self.waiting.lock() == 0 {
                    return Round::Done;
                }
                let mut transport = self.transport.lock();
                if transport.room == 0 {
                    transport.refused = true;
                    return Round::Blocked;
                }
                transport.room -= 1;
                transport.taken += 1;
                drop(transport);
                *self.waiting.lock() -= 1;
            }
        }

        fn put(&self) {
            *self.waiting.lock() += 1;
            self.outlet.push(|()| self.round());
        }

        /// Makes room. Reports it if something was refused, and otherwise if `by_chance`.
        fn gets_room(&self, by_chance: bool) {
            let mut transport = self.transport.lock();
            transport.room += 1;
            let told = std::mem::take(&mut transport.refused) || by_chance;
            drop(transport);
            if told {
                self.outlet.has_room(|()| self.round());
            }
        }
    }

    fn all_goes_out(room: usize, by_chance: bool) {
        model(move || {
            let line = Arc::new(Line::default());
            line.transport.lock().room = room;
            let other = {
                let line = line.clone();
                thread::spawn(move || line.put())
            };
            let network = {
                let line = line.clone();
                thread::spawn(move || (room..2).for_each(|_| line.gets_room(by_chance)))
            };
            line.put();
            other.join().unwrap();
            network.join().unwrap();
            assert_eq!((*line.waiting.lock(), line.transport.lock().taken), (0, 2));
        });
    }

    #[test]
    fn all_goes_out_where_there_is_room() {
        all_goes_out(2, false);
    }

    #[test]
    fn all_goes_out_when_there_is_room_again() {
        all_goes_out(1, false);
        all_goes_out(0, false);
    }

    #[test]
    fn all_goes_out_though_room_is_told_too_often() {
        all_goes_out(1, true);
    }
}
