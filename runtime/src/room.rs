//! The room in a bounded mailbox: how much is taken, and which senders wait for some.
//!
//! A *counted* message takes a place before it is put into the signal queue, and its word says so.
//! The receiver gives the place back when a receive has taken the message, or when it finds that
//! the message is not for the mailbox. So the queue and the mailbox together never exceed the
//! limit. When the process ends, all places are void: if the queue refuses a message, the sender
//! has nothing to give back.
//!
//! A slot of the table has one room, which serves those processes in the slot that have a limit. To
//! take a place, a sender passes the address of the message, which shows whether the message is for
//! the room's current process. Places taken from an earlier process are void.
//!
//! Senders that wait for room are served in the order in which they asked. A place that becomes
//! free goes to the first one at once, so no later sender can overtake it.
//!
//! A lock protects everything. Only processes with a limit and their senders take it, each for a
//! few instructions. No waker runs while it is held.
//!
//! This file does not know what a message or a process is.

use std::collections::VecDeque;
use std::task::{Poll, Waker};

use crate::contain::{contained, wake};
use crate::mailbox_limit::MailboxLimit;
use crate::message::By;
use crate::sync::Mutex;

/// The room of one slot.
#[derive(Debug, Default)]
pub(crate) struct Room(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The generation of the process that has the limit. `None` if no process of the slot has had
    /// one.
    owner: Option<u32>,
    limit: MailboxLimit,
    /// A message that could not wait has found no place since the limit was set.
    refused: bool,
    /// The number of places that are taken.
    used: usize,
    /// Aliases with lower serial numbers belong to earlier processes.
    since: u64,
    /// The waiting senders, in the order in which they asked, which is that of their tickets.
    waiters: VecDeque<Waiter>,
    /// How many senders have ever waited.
    tickets: u64,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    /// The sender has a place.
    granted: bool,
    waker: Option<Waker>,
}

/// The result of a request for a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Take {
    /// The message has a place, and is counted.
    Counted,
    /// The message needs no place: it is not for a process with a limit.
    Unlimited,
    /// The mailbox of the process of this generation is full.
    Full(u32),
}

/// Why it makes no sense to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoWait {
    /// The mailbox never has room.
    Never,
    /// The process has ended.
    Gone,
}

/// Tasks to wake when the lock is released.
type Wakers = Vec<Waker>;

impl State {
    fn is_for(&self, by: By) -> bool {
        match by {
            By::Pid(generation) => self.owner == Some(generation),
            By::Alias { serial, .. } => self.owner.is_some() && serial >= self.since,
        }
    }

    /// Gives free places to waiting senders.
    fn serve(&mut self) -> Wakers {
        let free = self.limit.messages.saturating_sub(self.used);
        let mut wakers = Wakers::new();
        for waiter in self.waiters.iter_mut().filter(|waiter| !waiter.granted).take(free) {
            waiter.granted = true;
            self.used += 1;
            wakers.extend(waiter.waker.take());
        }
        wakers
    }

    fn place_of(&self, ticket: u64) -> Option<usize> {
        self.waiters.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()
    }
}

impl Room {
    fn change<R>(&self, change: impl FnOnce(&mut State) -> (R, Wakers)) -> R {
        let mut state = self.0.lock();
        let (result, wakers) = change(&mut state);
        drop(state);
        wakers.into_iter().for_each(wake);
        result
    }

    /// Owner: sets the limit of the process of this generation. Returns the previous one.
    pub(crate) fn limit(&self, owner: u32, limit: MailboxLimit) -> MailboxLimit {
        self.change(|state| {
            state.owner = Some(owner);
            state.refused = false;
            (std::mem::replace(&mut state.limit, limit), state.serve())
        })
    }

    /// Owner: closes the room, since the process ends and its queue is closed. The aliases that the
    /// process has made have serial numbers below `since`. Waiting senders learn that the process
    /// is gone.
    pub(crate) fn close(&self, since: u64) {
        self.change(|state| {
            let tickets = state.tickets;
            let waiters = std::mem::take(&mut state.waiters);
            *state = State { since, tickets, ..State::default() };
            ((), waiters.into_iter().filter_map(|waiter| waiter.waker).collect())
        });
    }

    /// Takes a place for a message with this address.
    pub(crate) fn take(&self, by: By) -> Take {
        let mut state = self.0.lock();
        match state.owner {
            Some(owner) if state.is_for(by) => {
                if state.used >= state.limit.messages {
                    return Take::Full(owner);
                }
                state.used += 1;
                Take::Counted
            }
            _ => Take::Unlimited,
        }
    }

    /// Records that a message that can't wait has found no place. Returns the limit of the process
    /// if this is the first such message since the limit was set.
    pub(crate) fn first_refused(&self, owner: u32) -> Option<MailboxLimit> {
        let mut state = self.0.lock();
        let first = state.owner == Some(owner) && !std::mem::replace(&mut state.refused, true);
        first.then_some(state.limit)
    }

    /// Owner: takes places for messages that are already in the mailbox. Returns whether there are
    /// that many.
    pub(crate) fn take_anyway(&self, places: usize) -> bool {
        let mut state = self.0.lock();
        state.used += places;
        state.used <= state.limit.messages
    }

    /// Owner: frees a place.
    pub(crate) fn give_back(&self) {
        self.change(|state| {
            state.used = state.used.saturating_sub(1);
            ((), state.serve())
        });
    }

    /// Owner: frees the place of a message with this address, if the place was taken here.
    pub(crate) fn give_back_of(&self, by: By) {
        let is_for = self.0.lock().is_for(by);
        // Only the owner changes the room's process.
        if is_for {
            self.give_back();
        }
    }

    /// Gets in line for a message with this address. The caller polls the ticket until it is ready,
    /// or leaves the line.
    pub(crate) fn wait(&self, by: By) -> Result<u64, NoWait> {
        self.change(|state| {
            if !state.is_for(by) {
                return (Err(NoWait::Gone), Wakers::new());
            }
            if state.limit.messages == 0 {
                return (Err(NoWait::Never), Wakers::new());
            }
            state.tickets += 1;
            let ticket = state.tickets;
            state.waiters.push_back(Waiter { ticket, granted: false, waker: None });
            (Ok(ticket), state.serve())
        })
    }

    /// Returns `Ready(true)` when the caller has a place, and `Ready(false)` if the process has
    /// ended.
    pub(crate) fn poll(&self, ticket: u64, waker: &Waker) -> Poll<bool> {
        // Cloned and dropped without the lock, since a waker may belong to any executor.
        let mut waker = Some(waker.clone());
        let mut state = self.0.lock();
        let Some(at) = state.place_of(ticket) else { return Poll::Ready(false) };
        if state.waiters[at].granted {
            state.waiters.remove(at);
            return Poll::Ready(true);
        }
        std::mem::swap(&mut state.waiters[at].waker, &mut waker);
        drop(state);
        Poll::Pending
    }

    /// Leaves the line. An unused place goes to the next sender.
    pub(crate) fn leave(&self, ticket: u64) {
        let left = self.change(|state| {
            let left = state.place_of(ticket).and_then(|at| state.waiters.remove(at));
            if left.as_ref().is_some_and(|waiter| waiter.granted) {
                state.used = state.used.saturating_sub(1);
            }
            (left, state.serve())
        });
        contained(|| drop(left));
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;

    use super::*;

    const PID: By = By::Pid(7);

    fn alias(serial: u64) -> By {
        By::Alias { serial, priority: false }
    }

    fn room(messages: usize) -> Room {
        let room = Room::default();
        room.limit(7, MailboxLimit::messages(messages));
        room
    }

    fn used(room: &Room) -> usize {
        room.0.lock().used
    }

    fn poll(room: &Room, ticket: u64) -> Poll<bool> {
        room.poll(ticket, Waker::noop())
    }

    #[test]
    fn a_message_for_another_process_takes_no_slot() {
        let room = room(1);
        assert_eq!(room.take(By::Pid(6)), Take::Unlimited);
        assert_eq!(room.take(PID), Take::Counted);
        assert_eq!(room.take(alias(3)), Take::Full(7));
        room.close(10);
        for by in [PID, alias(3), alias(10)] {
            assert_eq!((room.take(by), room.wait(by)), (Take::Unlimited, Err(NoWait::Gone)));
        }
        room.limit(8, MailboxLimit::messages(1));
        assert_eq!(room.take(alias(10)), Take::Counted, "places of the previous process are void");
        // Messages that were counted for the previous process, or not at all, free no place here.
        for by in [PID, alias(9)] {
            room.give_back_of(by);
            assert_eq!((room.take(by), room.wait(by)), (Take::Unlimited, Err(NoWait::Gone)));
        }
        assert_eq!(room.take(By::Pid(8)), Take::Full(8));
        room.give_back_of(alias(11));
        assert_eq!(used(&room), 0);
    }

    #[test]
    fn the_first_refusal_is_reported() {
        let room = room(0);
        let limit = MailboxLimit::messages(0);
        assert_eq!(room.first_refused(6), None);
        assert_eq!(room.first_refused(7), Some(limit));
        assert_eq!(room.first_refused(7), None);
        assert_eq!(room.limit(7, limit), limit);
        assert_eq!(room.first_refused(7), Some(limit));
        assert_eq!(room.wait(PID), Err(NoWait::Never));
    }

    #[test]
    fn a_limit_below_the_current_length_admits_nothing() {
        let room = room(1);
        assert!(!room.take_anyway(3));
        room.give_back();
        room.give_back();
        assert_eq!(room.take(PID), Take::Full(7));
        room.give_back();
        assert_eq!(room.take(PID), Take::Counted);
        room.limit(7, MailboxLimit::NONE);
        assert!(room.take_anyway(1000) && room.take(PID) == Take::Counted);
    }

    struct Woken(AtomicUsize);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_waiting_sender_is_woken_when_it_gets_a_slot() {
        let room = room(1);
        assert_eq!(room.take(PID), Take::Counted);
        let woken = Arc::new(Woken(AtomicUsize::new(0)));
        let tickets = [PID, alias(1), PID].map(|by| room.wait(by).unwrap());
        for ticket in tickets {
            assert!(room.poll(ticket, &woken.clone().into()).is_pending());
        }
        room.give_back();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert_eq!(room.take(PID), Take::Full(7), "the place belongs to the first sender");
        // The first sender leaves without using the place, so the next sender gets it.
        room.leave(tickets[0]);
        assert_eq!(woken.0.load(Ordering::SeqCst), 2);
        assert_eq!(poll(&room, tickets[0]), Poll::Ready(false));
        assert_eq!(poll(&room, tickets[1]), Poll::Ready(true));
        assert!(poll(&room, tickets[2]).is_pending());
        room.close(0);
        assert_eq!(poll(&room, tickets[2]), Poll::Ready(false));
        room.limit(8, MailboxLimit::messages(1));
        let later = room.wait(By::Pid(8)).unwrap();
        assert!(!tickets.contains(&later));
        tickets.into_iter().for_each(|ticket| room.leave(ticket));
        assert_eq!((poll(&room, later), used(&room)), (Poll::Ready(true), 1));
    }

    #[derive(Debug, Clone)]
    enum Op {
        Take,
        GiveBack,
        Wait,
        /// Polls one of the waiting senders.
        Poll(usize),
        Leave(usize),
        Limit(usize),
        Close,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            3 => Just(Op::Take),
            4 => Just(Op::GiveBack),
            4 => Just(Op::Wait),
            3 => any::<usize>().prop_map(Op::Poll),
            2 => any::<usize>().prop_map(Op::Leave),
            1 => (0..5_usize).prop_map(Op::Limit),
            1 => Just(Op::Close),
        ]
    }

    proptest! {
        /// Behaves as a counter and a line do: no more places are granted than there are, no sender
        /// waits while there is room, and senders are served in order.
        #[test]
        fn like_a_counter_and_a_queue(ops in proptest::collection::vec(op(), 1..80)) {
            let (mut generation, mut bound) = (0, 3);
            let (mut held, mut line, mut granted) = (0, Vec::new(), Vec::new());
            let room = Room::default();
            room.limit(generation, MailboxLimit::messages(bound));
            for op in ops {
                let by = By::Pid(generation);
                match op {
                    Op::Take => {
                        let fits = held + granted.len() < bound;
                        let take = if fits { Take::Counted } else { Take::Full(generation) };
                        prop_assert_eq!(room.take(by), take);
                        held += usize::from(fits);
                    }
                    Op::GiveBack if held > 0 => {
                        held -= 1;
                        room.give_back();
                    }
                    Op::GiveBack => {}
                    Op::Wait if bound > 0 => line.push(room.wait(by).unwrap()),
                    Op::Wait => prop_assert_eq!(room.wait(by), Err(NoWait::Never)),
                    Op::Poll(n) => {
                        let waiting = granted.len() + line.len();
                        if waiting > 0 {
                            let n = n % waiting;
                            if n < granted.len() {
                                prop_assert_eq!(poll(&room, granted.remove(n)), Poll::Ready(true));
                                held += 1;
                            } else {
                                prop_assert!(poll(&room, line[n - granted.len()]).is_pending());
                            }
                        }
                    }
                    Op::Leave(n) => {
                        let waiting = granted.len() + line.len();
                        if waiting > 0 {
                            let n = n % waiting;
                            let from_line = n.checked_sub(granted.len());
                            let ticket = match from_line {
                                Some(n) => line.remove(n),
                                None => granted.remove(n),
                            };
                            room.leave(ticket);
                        }
                    }
                    Op::Limit(to) => {
                        bound = to;
                        room.limit(generation, MailboxLimit::messages(bound));
                    }
                    Op::Close => {
                        room.close(0);
                        for ticket in granted.drain(..).chain(line.drain(..)) {
                            prop_assert_eq!(poll(&room, ticket), Poll::Ready(false));
                        }
                        (generation, held) = (generation + 1, 0);
                        room.limit(generation, MailboxLimit::messages(bound));
                    }
                }
                let free = bound.saturating_sub(held + granted.len()).min(line.len());
                granted.extend(line.drain(..free));
                prop_assert_eq!(used(&room), held + granted.len());
            }
        }
    }
}
