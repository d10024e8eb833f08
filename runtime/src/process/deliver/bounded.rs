//! Bounded mailboxes: what becomes of a message that finds no room, and how its receiver
//! gives room back.
//!
//! A process without a limit has nothing of this, and who sends to it does no more than look
//! at a mark in its slot. See `room` for who counts what.

use std::sync::atomic::Ordering;

use crate::context;
use crate::exit_reason::ExitReason;
use crate::mailbox_limit::{MailboxLimit, WhenFull};
use crate::message::{Address, Envelope};
use crate::node::Inner;
use crate::pid::{LocalId, Pid};
use crate::process::core::{Control, Running, SlotRef};
use crate::process::life::contain;
use crate::report;
use crate::room::Take;
use crate::signal::Signal;
use crate::table;

/// Sets the limit of the running process's mailbox; returns what was so before. (The place of
/// Erlang's `process_flag(max_heap_size, Max)`.)
///
/// What is in the mailbox already counts. If it is more than the limit allows and the limit
/// says [`WhenFull::Kill`], the process ends with `killed` at its next suspension point;
/// otherwise nothing comes in before there is room again. A message that is just being sent
/// while the process sets its first limit may come in without being counted.
///
/// ```
/// # use fika_runtime::{MailboxLimit, Node, mailbox_limit};
/// # Node::builder().build().unwrap().block_on(async {
/// let before = mailbox_limit(MailboxLimit::messages(1000));
/// assert_eq!(before, MailboxLimit::NONE);
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn mailbox_limit(limit: MailboxLimit) -> MailboxLimit {
    context::process("mailbox_limit", |me| me.limit_mailbox(limit))
}

impl Inner {
    /// Puts a signal into the queue of a process whose mailbox may be bounded. A message for
    /// which there is no room is gone.
    #[cold]
    pub(in crate::process) fn push_bounded(
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

    /// A process that is being made, by the caller, has this limit in place of the node's.
    #[cold]
    pub(in crate::process) fn bound_new(&self, pid: Pid, limit: MailboxLimit) {
        if let Some(slot) = self.table.get(pid.local()) {
            slot.with_body(|body| body.control().begin_bounded(limit));
        }
    }

    /// Puts a message into the queue of a process of this node that has asked the runtime for
    /// it: there is always room for it.
    pub(in crate::process) fn deliver_asked(&self, to: Pid, mut message: Envelope) {
        message.set_word(Address::pid(to.local().generation));
        let slot = self.table.get(to.local());
        let pushed = slot.map(|slot| slot.queue.push(message).map(|wake| slot.wake(wake)));
        if let Some(Err(message)) = pushed {
            contain(|| drop(message));
        }
    }

    /// A message finds no room in the mailbox of the process of this generation, and can't
    /// wait.
    fn refuse_message(&self, slot: SlotRef, generation: u32) {
        // Once is enough: more of them would fill the queue.
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

    /// The process in this slot has ended, and its queue is closed.
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
            report!(warn, %pid, messages, "a mailbox is full, and what is sent to it is dropped");
        }
        WhenFull::Wait => {
            report!(
                error, %pid, messages,
                "a mailbox is full, and what is sent to it is dropped: its senders are to wait, \
                 by `send_wait`"
            );
        }
    }
}

impl Control {
    /// The process is being made, or runs, and has this limit.
    #[cold]
    pub(in crate::process) fn begin_bounded(&self, limit: MailboxLimit) -> MailboxLimit {
        self.bounded.set(true);
        let before = self.slot.room_or_make().limit(self.pid.local().generation, limit);
        self.slot.mark(table::BOUNDED);
        before
    }

    /// How most signals to this process are addressed.
    pub(in crate::process) fn usual_address(&self) -> Address {
        if self.bounded.get() { self.address().counted() } else { self.address() }
    }
}

impl Running<'_> {
    fn limit_mailbox(self, limit: MailboxLimit) -> MailboxLimit {
        let control = self.control;
        // Nobody looks into the room of one that ends.
        if control.ending.get() || (limit.is_none() && !control.bounded.get()) {
            return MailboxLimit::NONE;
        }
        // Who sends from now on counts; what has come before is counted here.
        let before = control.begin_bounded(limit);
        self.take_signals_aside();
        let room = control.slot.room_or_make();
        let fits = room.take_anyway(control.count_messages());
        if !fits && limit.when_full == WhenFull::Kill {
            control.doom(ExitReason::Killed);
        }
        before
    }

    /// A message that may be counted turns out to be none for the mailbox.
    pub(in crate::process) fn uncount(self, message: &Envelope) {
        if message.word().is_counted()
            && let Some(room) = self.control.slot.room()
        {
            room.give_back_of(message.word().address().by());
        }
    }

    /// A receive has taken this message, and may put it back.
    pub(in crate::process) fn took(self, message: &Envelope) {
        self.settle();
        if message.word().is_counted() {
            self.control.owes.set(true);
        }
    }

    /// A receive puts the message back that it has taken last.
    pub(in crate::process) fn keeps(self, message: &Envelope) {
        if message.word().is_counted() {
            self.control.owes.set(false);
        }
    }

    /// The message that was taken last is not put back any more.
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
