//! Work that any thread can request and only one thread at a time does, such as the reads or the
//! writes of a connection.
//!
//! A thread that has work requests a *round*. If no thread has the *turn*, it takes the turn and
//! does the rounds itself; otherwise the thread with the turn does one more round. So no thread
//! waits for another, and no work is forgotten.
//!
//! If the transport has no room ([`Round::Blocked`]), no thread tries again before the transport
//! reports room. A thread that has worked for long enough may stop and keep the turn
//! ([`Turn::Kept`]). Its caller then arranges a later call of [`go_on`](Outlet::go_on), on any
//! thread, so that other work of the threads is not delayed.
//!
//! The outlet does not know what the work or the transport is.
//!
//! # Invariants
//! - **O1** `rounds` is zero while no thread has the turn. The thread that raises it from zero has
//!   the turn until it sets `rounds` to zero again. It does that only if no other thread has asked
//!   for a round since its last round began. So a round sees everything that was there before the
//!   round was asked for.
//! - **O2** `blocked` changes only in a round. A thread that finds it set has made its work visible
//!   before the transport reports room, and the round after that report sees the work.
//! - **O3** A turn that is kept leaves `rounds` above zero. So until `go_on` is called, no other
//!   thread works and no second turn can be kept.

use crate::sync::{AtomicBool, AtomicUsize, Mutex, Ordering};

/// The number of rounds after which a thread stops if other threads keep requesting more.
const ROUNDS_IN_A_ROW: usize = if cfg!(loom) { 2 } else { 8 };

/// Work that one thread at a time does; see the head of this file. `T` is the state that the work
/// uses.
#[derive(Default)]
pub struct Outlet<T> {
    work: Mutex<T>,
    rounds: AtomicUsize,
    blocked: AtomicBool,
}

/// The result of a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Round {
    /// All work was done.
    Done,
    /// The transport has no room, and will report when it has.
    Blocked,
    /// There is more work, and this thread should do other things first.
    More,
}

/// Whether a thread still has the turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "the caller of a turn that is kept has to arrange a call of `go_on`"]
pub enum Turn {
    /// The turn has ended, or another thread has it.
    Over,
    /// The turn is kept: no work is done before [`Outlet::go_on`] is called.
    Kept,
}

impl<T> Outlet<T> {
    /// Does a round for something new, unless the transport has no room.
    pub fn push(&self, round: impl FnMut(&mut T) -> Round) -> Turn {
        if self.is_blocked() { Turn::Over } else { self.work(round) }
    }

    /// Does a round after the transport has reported room. The transport may report room when no
    /// thread has waited for it. Then there is nothing to do, since a thread with something new
    /// pushes it itself.
    pub fn has_room(&self, round: impl FnMut(&mut T) -> Round) -> Turn {
        if self.rounds.load(Ordering::Acquire) > 0 || self.is_blocked() {
            self.work(round)
        } else {
            Turn::Over
        }
    }

    /// Does a round. If another thread has the turn, that thread does it.
    pub fn work(&self, round: impl FnMut(&mut T) -> Round) -> Turn {
        if self.rounds.fetch_add(1, Ordering::AcqRel) > 0 {
            return Turn::Over;
        }
        self.turn(1, round)
    }

    /// Continues a turn that was kept.
    pub fn go_on(&self, round: impl FnMut(&mut T) -> Round) -> Turn {
        self.turn(self.rounds.load(Ordering::Acquire), round)
    }

    /// Does rounds until no other is asked for. The caller has the turn, and `asked` is the number
    /// of rounds that were asked for.
    fn turn(&self, mut asked: usize, mut round: impl FnMut(&mut T) -> Round) -> Turn {
        let unwound = Unwound(&self.rounds);
        for _ in 0..ROUNDS_IN_A_ROW {
            let mut work = self.work.lock();
            self.blocked.store(false, Ordering::Relaxed);
            let result = round(&mut work);
            if result == Round::Blocked {
                self.blocked.store(true, Ordering::Relaxed);
            }
            drop(work);
            if result == Round::More {
                break;
            }
            let left = self.rounds.compare_exchange(asked, 0, Ordering::AcqRel, Ordering::Acquire);
            match left {
                Ok(_) => {
                    std::mem::forget(unwound);
                    return Turn::Over;
                }
                Err(more) => asked = more,
            }
        }
        std::mem::forget(unwound);
        Turn::Kept
    }

    /// Returns whether the transport has no room, as far as is known.
    pub fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    /// Returns whether a thread has the turn, or the turn is kept.
    pub fn is_busy(&self) -> bool {
        self.rounds.load(Ordering::Acquire) > 0
    }

    /// Changes the state of the work between two rounds. Waits for the end of a current round.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.work.lock())
    }
}

/// Ends a turn whose round has panicked, so that the next event begins a new one.
struct Unwound<'a>(&'a AtomicUsize);

impl Drop for Unwound<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// O3: as long as a turn is kept, events only ask for a round, which the turn then does.
    #[test]
    fn events_during_a_kept_turn_only_request_a_round() {
        let outlet = Outlet::<Vec<u32>>::default();
        let round = |n, result| {
            move |done: &mut Vec<u32>| {
                done.push(n);
                result
            }
        };
        assert_eq!(outlet.work(round(1, Round::More)), Turn::Kept);
        assert_eq!(outlet.work(round(2, Round::Done)), Turn::Over);
        assert_eq!(outlet.has_room(round(3, Round::Done)), Turn::Over);
        assert_eq!(outlet.go_on(round(4, Round::More)), Turn::Kept);
        assert_eq!(outlet.go_on(round(5, Round::Done)), Turn::Over);
        assert_eq!(outlet.work(round(6, Round::Done)), Turn::Over);
        assert_eq!(outlet.change(std::mem::take), [1, 4, 5, 6]);
    }

    #[test]
    fn a_thread_yields_after_many_rounds_in_a_row() {
        let outlet = Outlet::<usize>::default();
        let again = |rounds: &mut usize| {
            *rounds += 1;
            assert_eq!(outlet.work(|_| Round::Done), Turn::Over, "this thread has the turn");
            Round::Done
        };
        assert_eq!(outlet.work(again), Turn::Kept);
        assert_eq!(outlet.change(|rounds| *rounds), ROUNDS_IN_A_ROW);
        assert_eq!(outlet.go_on(|_| Round::Done), Turn::Over);
    }

    /// A change during a round leads to one more round on the same thread.
    #[test]
    fn a_round_follows_each_that_was_asked_for() {
        for reports_room in [false, true] {
            let outlet = Outlet::<()>::default();
            let mut rounds = 0;
            let turn = outlet.work(|()| {
                rounds += 1;
                if rounds == 1 {
                    let none = |_: &mut ()| -> Round { unreachable!("this thread has the turn") };
                    let ask = if reports_room { Outlet::has_room } else { Outlet::push };
                    assert_eq!(ask(&outlet, none), Turn::Over);
                }
                Round::Done
            });
            assert_eq!((turn, rounds), (Turn::Over, 2));
        }
    }

    /// While the transport has no room, nothing new is tried before it reports room.
    #[test]
    fn a_blocked_outlet_waits_for_room() {
        let outlet = Outlet::<Vec<u32>>::default();
        let round = |n, result| {
            move |done: &mut Vec<u32>| {
                done.push(n);
                result
            }
        };
        // The transport reports room although nothing waits for it.
        assert_eq!(outlet.has_room(round(1, Round::Done)), Turn::Over);
        assert_eq!(outlet.push(round(2, Round::Blocked)), Turn::Over);
        assert!(outlet.is_blocked() && !outlet.is_busy());
        assert_eq!(outlet.push(round(3, Round::Done)), Turn::Over);
        assert_eq!(outlet.has_room(round(4, Round::Done)), Turn::Over);
        assert_eq!(outlet.push(round(5, Round::Done)), Turn::Over);
        assert_eq!(outlet.change(std::mem::take), [2, 4, 5]);
    }

    #[test]
    fn a_panic_ends_the_turn() {
        let outlet = Outlet::<()>::default();
        let panics = std::panic::AssertUnwindSafe(|| {
            let _ = outlet.work(|()| std::panic::resume_unwind(Box::new("a round")));
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        let mut is_done = false;
        let turn = outlet.work(|()| {
            is_done = true;
            Round::Done
        });
        assert!(turn == Turn::Over && is_done);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use std::sync::Arc;

    use loom::thread;

    use super::*;
    use crate::sync::model;

    /// Two threads that put something out, and a transport that takes one at a time.
    #[derive(Default)]
    struct Line {
        outlet: Outlet<()>,
        waiting: Mutex<usize>,
        transport: Mutex<Transport>,
        /// Kept turns, which any thread may continue.
        kept: AtomicUsize,
    }

    #[derive(Default)]
    struct Transport {
        room: usize,
        /// It has refused something, and reports when there is room.
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
            self.ends(self.outlet.push(|()| self.round()));
        }

        /// There is room. The transport reports it if it has refused something, and by chance
        /// otherwise.
        fn gets_room(&self, by_chance: bool) {
            let mut transport = self.transport.lock();
            transport.room += 1;
            let told = std::mem::take(&mut transport.refused) || by_chance;
            drop(transport);
            if told {
                self.ends(self.outlet.has_room(|()| self.round()));
            }
        }

        fn ends(&self, turn: Turn) {
            if turn == Turn::Kept {
                assert_eq!(self.kept.fetch_add(1, Ordering::AcqRel), 0, "O3");
            }
        }

        fn go_on(&self) {
            while self.kept.swap(0, Ordering::AcqRel) > 0 {
                self.ends(self.outlet.go_on(|()| self.round()));
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
            line.go_on();
            assert_eq!((*line.waiting.lock(), line.transport.lock().taken), (0, 2));
        });
    }

    #[test]
    fn everything_is_written_while_there_is_room() {
        all_goes_out(2, false);
    }

    #[test]
    fn everything_is_written_when_there_is_room_again() {
        all_goes_out(1, false);
        all_goes_out(0, false);
    }

    #[test]
    fn everything_is_written_despite_spurious_events() {
        all_goes_out(1, true);
    }

    /// A socket that is read one piece a turn, with two threads that get its events. One of the two
    /// threads continues the turns, as in a process that either of two workers runs.
    #[derive(Default)]
    struct Socket {
        /// The pieces that were read, in order.
        outlet: Outlet<Vec<usize>>,
        /// The number of pieces that have arrived.
        there: AtomicUsize,
        kept: AtomicUsize,
    }

    impl Socket {
        fn round(&self, read: &mut Vec<usize>) -> Round {
            if read.len() == self.there.load(Ordering::Acquire) {
                return Round::Done;
            }
            read.push(read.len());
            Round::More
        }

        fn arrives(&self) {
            self.there.fetch_add(1, Ordering::AcqRel);
            self.ends(self.outlet.work(|read| self.round(read)));
        }

        fn ends(&self, turn: Turn) {
            if turn == Turn::Kept {
                assert_eq!(self.kept.fetch_add(1, Ordering::AcqRel), 0, "O3: two turns are kept");
            }
        }

        fn go_on(&self) {
            while self.kept.swap(0, Ordering::AcqRel) > 0 {
                self.ends(self.outlet.go_on(|read| self.round(read)));
            }
        }
    }

    #[test]
    fn one_turn_at_a_time_reads_everything() {
        model(|| {
            let socket = Arc::new(Socket::default());
            let other = {
                let socket = socket.clone();
                thread::spawn(move || {
                    socket.arrives();
                    socket.go_on();
                })
            };
            socket.arrives();
            socket.go_on();
            other.join().unwrap();
            socket.go_on();
            assert_eq!(socket.outlet.change(std::mem::take), [0, 1]);
        });
    }
}
