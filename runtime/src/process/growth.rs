//! Mailboxes that only grow: a message type that no `receive!` takes stays in the mailbox for ever.
//!
//! A process is warned about when as many messages as the node's threshold wait in its mailbox, and
//! again each time that the number has doubled, in two cases: it waits in a receive that wants none
//! of them, or it goes on to run and takes none of them: the oldest message has stayed since the
//! number was half as high. So a process that is only slower than its senders is not meant.
//!
//! The messages are counted already, so the check is one comparison where a receive begins to wait,
//! and one a turn.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::control::Running;
use crate::report;
use crate::report::Cut;

/// How many messages, from the oldest on, are looked at to find the most frequent type.
const LOOKED_AT: usize = 10_000;

/// What was last seen of a mailbox that is long.
#[derive(Default)]
pub(super) struct Growth {
    /// The number of messages from which on it is looked at again.
    again_at: Cell<usize>,
    /// The oldest message then.
    oldest: Cell<usize>,
}

impl Running<'_> {
    /// Looks at how many messages there are. `wants_none`: a receive waits, and wants none of them.
    pub(super) fn check_growth(self, wants_none: bool) {
        let messages = self.control.mailbox.borrow().len();
        // A turn takes note before there are too many, so as to know later whether any was taken.
        let threshold = self.node.long_message_queue;
        if messages >= if wants_none { threshold } else { threshold / 2 } {
            self.is_long(messages, wants_none);
        }
    }

    #[cold]
    fn is_long(self, messages: usize, wants_none: bool) {
        let growth = &self.control.extras().growth;
        // Half of what there were: it has become shorter since, and is looked at anew.
        let has_shrunk = messages < growth.again_at.get() / 4;
        if messages < growth.again_at.get() && !has_shrunk {
            return;
        }
        let oldest = self.control.mailbox.borrow().oldest_address();
        let stays = growth.oldest.replace(oldest) == oldest;
        growth.again_at.set(messages.saturating_mul(2));
        if messages >= self.node.long_message_queue && (wants_none || stays) {
            self.node.long_queues.line(self.node.env.now(), |left_out| {
                self.report_growth(messages, left_out);
            });
        }
    }

    fn report_growth(self, messages: usize, left_out: Option<u64>) {
        let mut types: BTreeMap<String, usize> = BTreeMap::new();
        let mut looked_at = 0;
        self.control.mailbox.borrow().each(|message| {
            if looked_at < LOOKED_AT {
                looked_at += 1;
                match types.get_mut(message.type_name()) {
                    Some(of) => *of += 1,
                    None => drop(types.insert(message.type_name().to_owned(), 1)),
                }
            }
        });
        let Some((most, of)) = types.into_iter().max_by_key(|(_, of)| *of) else { return };
        let (pid, spawned) = (self.pid(), self.control.site);
        let name = self.node.registry.name_of(pid);
        let name = name.as_ref().map(crate::name::Name::as_str);
        let label = self.control.label();
        let label = label.as_deref().map(Cut).map(tracing::field::display);
        report!(
            warn, %pid, name, label, messages, ?most, %spawned, left_out,
            "a mailbox only grows: {of} of its oldest {looked_at} messages are of type {most:?}. Is \
             there a `receive!` that takes them?"
        );
    }
}
