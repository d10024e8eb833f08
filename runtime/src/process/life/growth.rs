//! Detects mailboxes that only grow, such as those of processes without a `receive!` for some
//! message type.
//!
//! A warning is logged when the mailbox reaches the node's threshold, and again each time its
//! length has doubled. There are two cases. The process waits in a receive that takes none of the
//! messages. Or it keeps running without taking any, so that the oldest message has not changed
//! since the length was half as large. A process that is merely slower than its senders causes no
//! warning.
//!
//! The mailbox knows its length, so the check is one comparison when a receive begins to wait, and
//! one in each turn.

use std::collections::BTreeMap;

use crate::process::core::Running;
use crate::report;
use crate::report::Cut;

/// How many of the oldest messages are examined to find the most frequent type.
const LOOKED_AT: usize = 10_000;

/// Checks the mailbox's length. `wants_none` says that a receive waits and takes none of the
/// messages.
#[inline]
pub(in crate::process) fn check_growth(me: Running<'_>, wants_none: bool) {
    let messages = me.control.mailbox.borrow().len();
    // A turn takes its first look at half the threshold, to know later whether a message was
    // taken.
    let threshold = me.node.settings.long_message_queue;
    if messages >= if wants_none { threshold } else { threshold / 2 } {
        check_long(me, messages, wants_none);
    }
}

#[cold]
fn check_long(me: Running<'_>, messages: usize, wants_none: bool) {
    let growth = &me.control.extras().growth;
    // The length is below half of what it was: the mailbox has shrunk, so start anew.
    let has_shrunk = messages < growth.again_at.get() / 4;
    if messages < growth.again_at.get() && !has_shrunk {
        return;
    }
    let oldest = me.control.mailbox.borrow().oldest_address();
    let stays = growth.oldest.replace(oldest) == oldest;
    growth.again_at.set(messages.saturating_mul(2));
    if messages >= me.node.settings.long_message_queue && (wants_none || stays) {
        me.node.logs.long_queues.line(me.node.env.now(), |left_out| {
            report_growth(me, messages, left_out);
        });
    }
}

fn report_growth(me: Running<'_>, messages: usize, left_out: Option<u64>) {
    let mut types: BTreeMap<String, usize> = BTreeMap::new();
    let mut looked_at = 0;
    me.control.mailbox.borrow().each(|message| {
        if looked_at < LOOKED_AT {
            looked_at += 1;
            match types.get_mut(message.type_name()) {
                Some(of) => *of += 1,
                None => drop(types.insert(message.type_name().to_owned(), 1)),
            }
        }
    });
    let Some((most, of)) = types.into_iter().max_by_key(|(_, of)| *of) else { return };
    let (pid, spawned) = (me.pid(), me.control.site);
    let name = me.node.registry.name_of(pid);
    let name = name.as_ref().map(crate::name::Name::as_str);
    let label = me.control.label();
    let label = label.as_deref().map(Cut).map(tracing::field::display);
    report!(
        warn, %pid, name, label, messages, ?most, %spawned, left_out,
        "a mailbox only grows: {of} of its oldest {looked_at} messages are of type {most:?}. Is \
         there a `receive!` that takes them?"
    );
}
