//! What many threads put out and one at a time takes away: nobody waits for another, and nothing
//! stays behind.
//!
//! Whoever has put something where the work finds it has the work done. If another thread is at
//! it, that one goes round once more. What is taken away goes to a transport, which may have no
//! room; it tells when it has, and until then nobody tries.
//!
//! What is put out, where, and what the transport is, it does not know.
//!
//! # Invariants
//! - **O1** `rounds` is zero while nobody is at work. Who makes it more than that is at work
//!   until he makes it zero again, and does that only if nobody has asked for a round since his
//!   last one began. So what was put out before it was asked for is seen by a round.
//! - **O2** `blocked` is changed in a round only. Who finds it set has put his own out before
//!   the transport tells that there is room, and the round that follows sees it.

use crate::sync::{AtomicBool, AtomicUsize, Mutex, Ordering};

/// See the file's head. `T` is what the work is done with.
#[derive(Default)]
pub struct Outlet<T> {
    work: Mutex<T>,
    rounds: AtomicUsize,
    blocked: AtomicBool,
}

/// What the transport has said in a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Round {
    /// It has taken all that there was.
    Done,
    /// It has no room, and will say when it has.
    Blocked,
}

impl<T> Outlet<T> {
    /// Something was put out: it is taken away, now or when there is room.
    pub fn push(&self, round: impl FnMut(&mut T) -> Round) {
        if !self.is_blocked() {
            self.work(round);
        }
    }

    /// The transport may have room again. It also says so when nothing has waited for that, and
    /// then there is nothing to be done: what others have put out they push themselves.
    pub fn has_room(&self, round: impl FnMut(&mut T) -> Round) {
        if self.rounds.load(Ordering::Acquire) > 0 || self.is_blocked() {
            self.work(round);
        }
    }

    /// Takes away what there is room for, unless another thread does: that one looks again.
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

    /// Whether the transport has no room, as far as is known.
    pub fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    /// Changes what the work is done with, between two rounds.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.work.lock())
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// A second worker does not wait for the first, which goes round once more instead.
    #[test]
    fn one_at_a_time_is_at_work() {
        let outlet = Outlet::<()>::default();
        let mut rounds = 0;
        outlet.work(|()| {
            rounds += 1;
            if rounds == 1 {
                outlet.push(|()| unreachable!("there is a worker"));
            }
            Round::Done
        });
        assert_eq!(rounds, 2);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use std::sync::Arc;

    use loom::thread;

    use super::*;
    use crate::sync::model;

    /// Two who put out, and a transport that takes one at a time.
    #[derive(Default)]
    struct Line {
        outlet: Outlet<()>,
        waiting: Mutex<usize>,
        transport: Mutex<Transport>,
    }

    #[derive(Default)]
    struct Transport {
        room: usize,
        /// It has refused something, and tells when there is room.
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

        /// There is room, which is told if somebody was refused, and by chance otherwise.
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
