//! The limit of the running process's mailbox.

use crate::context;
use crate::exit_reason::ExitReason;
use crate::mailbox_limit::{MailboxLimit, WhenFull};
use crate::process::core::Running;

/// Sets the limit of the running process's mailbox, and returns the previous limit. This takes the
/// place of Erlang's `process_flag(max_heap_size, Max)`.
///
/// Messages that are in the mailbox already count. If there are more than the limit allows, and the
/// limit says [`WhenFull::Kill`], the process ends with `killed` at its next suspension point.
/// Otherwise no message comes in until there is room. A message that is being sent while the
/// process sets its first limit may come in without being counted.
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
    context::process("mailbox_limit", |me| limit_of(me, limit))
}

fn limit_of(me: Running<'_>, limit: MailboxLimit) -> MailboxLimit {
    let control = me.control;
    // No sender looks into the room of a process that is ending.
    if control.is_ending() || (limit.is_none() && !control.bounded.get()) {
        return MailboxLimit::NONE;
    }
    // From now on, senders count their messages. Those that arrived before are counted here.
    let before = control.begin_bounded(limit);
    me.take_signals_aside();
    let room = control.slot.room_or_make();
    let fits = room.take_anyway(control.count_messages());
    if !fits && limit.when_full == WhenFull::Kill {
        control.doom(ExitReason::Killed);
    }
    before
}
