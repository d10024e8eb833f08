//! Bounded mailboxes: what happens to a message that finds no room, and how a receiver gives room
//! back.
//!
//! A process without a limit keeps no count, and its senders only look at a mark in its slot.
//! `room` explains the counting.

use std::sync::atomic::Ordering;

use crate::exit_reason::ExitReason;
use crate::mailbox_limit::{MailboxLimit, WhenFull};
use crate::message::{Address, Envelope};
use crate::node::Inner;
use crate::pid::{LocalId, Pid};
use crate::process::core::{Control, Running, SlotRef};
use crate::process::failure::contain;
use crate::report;
use crate::room::Take;
use crate::signal::Signal;
use crate::table;

/// Gives a process that the caller is making this limit, instead of the node's.
#[cold]
pub(in crate::process) fn bound_new(node: &Inner, pid: Pid, limit: MailboxLimit) {
    if let Some(slot) = node.table.get(pid.local()) {
        slot.with_body(|body| body.control().begin_bounded(limit));
    }
}

/// Puts a message into the queue of a process of this node that has asked the runtime for
/// the message. There is always room for it.
pub(in crate::process) fn deliver_asked(node: &Inner, to: Pid, mut message: Envelope) {
    message.set_word(Address::pid(to.local().generation));
    let slot = node.table.get(to.local());
    let pushed = slot.map(|slot| node.enqueue(slot, message));
    if let Some(Err(message)) = pushed {
        contain(|| drop(message));
    }
}

impl Inner {
    /// Puts a signal into the queue of a process whose mailbox may be bounded. A message without
    /// room is dropped.
    #[cold]
    pub(super) fn push_bounded(
        &self,
        slot: SlotRef,
        mut envelope: Envelope,
    ) -> Result<(), Envelope> {
        if let Some(room) = slot.room().filter(|_| envelope.is_message()) {
            match room.take(envelope.word().address().by()) {
                Take::Counted => {
                    envelope.count();
                }
                Take::Unlimited => {}
                Take::Full(generation) => {
                    contain(|| drop(envelope));
                    self.refuse_message(slot, generation);
                    return Ok(());
                }
            }
        }
        slot.queue.push(envelope).map(|wake| slot.wake(wake))
    }

    /// Handles a message that finds no room in the mailbox of the process of this generation, and
    /// can't wait.
    fn refuse_message(&self, slot: SlotRef, generation: u32) {
        // The first refused message is enough: a signal for each would fill the queue.
        let Some(limit) = slot.room().and_then(|room| room.first_refused(generation)) else {
            return;
        };
        let pid = Pid::new(self.id, LocalId { slot: slot.id().slot, generation });
        if limit.log {
            log(pid, limit);
        }
        if limit.when_full == WhenFull::Kill {
            let reason = ExitReason::Kill;
            self.deliver(pid, Signal::Exit { from: pid, reason, by_link: false });
        }
    }

    /// Closes the room of a process that has ended, once its queue is closed.
    pub(in crate::process) fn room_ends(&self, slot: SlotRef) {
        if let Some(room) = slot.room() {
            room.close(self.references.load(Ordering::Relaxed));
        }
    }
}

fn log(pid: Pid, limit: MailboxLimit) {
    let MailboxLimit { messages, when_full, .. } = limit;
    match when_full {
        WhenFull::Kill => {
            report!(error, %pid, messages, "a mailbox is full, and its process is killed");
        }
        WhenFull::DropNewest => {
            report!(warn, %pid, messages, "a mailbox is full, and messages to it are dropped");
        }
        WhenFull::Wait => {
            report!(
                error, %pid, messages,
                "a mailbox is full, and messages to it are dropped: senders should use \
                 `send_wait`, which waits for room"
            );
        }
    }
}

impl Control {
    /// Sets the limit of a process that runs, or is being made. Returns the previous limit.
    #[cold]
    pub(in crate::process) fn begin_bounded(&self, limit: MailboxLimit) -> MailboxLimit {
        self.bounded.set(true);
        let before = self.slot.room_or_make().limit(self.pid.local().generation, limit);
        self.slot.mark(table::BOUNDED);
        before
    }

    /// Returns the address that most signals to this process have.
    pub(in crate::process) fn usual_address(&self) -> Address {
        if self.bounded.get() { self.address().counted() } else { self.address() }
    }
}

impl Running<'_> {
    /// Gives back the room of a message that does not go to the mailbox after all.
    pub(in crate::process) fn uncount(self, message: &Envelope) {
        if message.word().is_counted()
            && let Some(room) = self.control.slot.room()
        {
            room.give_back_of(message.word().address().by());
        }
    }

    /// Notes that a receive has taken this message, and may put it back.
    pub(in crate::process) fn took(self, message: &Envelope) {
        self.settle();
        if message.word().is_counted() {
            self.control.owes.set(true);
        }
    }

    /// Notes that a receive puts back the message that it took last.
    pub(in crate::process) fn keeps(self, message: &Envelope) {
        if message.word().is_counted() {
            self.control.owes.set(false);
        }
    }

    /// Gives back the room of the message that was taken last: it is not put back any more.
    pub(in crate::process) fn settle(self) {
        if self.control.owes.get() {
            self.give_back();
        }
    }

    #[cold]
    fn give_back(self) {
        self.control.owes.set(false);
        if let Some(room) = self.control.slot.room() {
            room.give_back();
        }
    }
}
