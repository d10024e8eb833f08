//! The messages of a process: ordinary messages, and messages ahead of them.
//!
//! Each kind has its own mailbox with its own cursor. So a message that is put ahead is looked at
//! once, and the ordinary messages are not looked at again. Only a process that has had a message
//! ahead has the second mailbox.

use super::control::Control;
use crate::message::{Chain, Envelope, Stamp};
use crate::reference::Reference;

impl Control {
    /// Appends an ordinary message.
    pub(in crate::process) fn put(&self, message: Envelope) {
        self.mailbox.borrow_mut().push(message);
    }

    /// Appends a message with a stamp, which says whether it goes ahead.
    pub(in crate::process) fn put_stamped(&self, mut message: Envelope, stamp: Stamp) {
        message.set_word(stamp);
        if stamp.has_priority() {
            self.rare().ahead.borrow_mut().push(message);
        } else {
            self.put(message);
        }
    }

    /// Returns how many messages the receives have looked at, counting every look.
    #[cfg(feature = "observe")]
    pub(in crate::process) fn looked_at(&self) -> u64 {
        let ahead = self.rare.get().map_or(0, |rare| rare.ahead.borrow().looked_at());
        ahead + self.mailbox.borrow().looked_at()
    }

    /// Calls `look` with each message, in the order of a receive.
    pub(in crate::process) fn each_message(&self, mut look: impl FnMut(&Envelope)) {
        if let Some(rare) = self.rare.get() {
            rare.ahead.borrow().each(&mut look);
        }
        self.mailbox.borrow().each(look);
    }

    /// Marks all messages as counted. Returns how many were not counted before.
    pub(in crate::process) fn count_messages(&self) -> usize {
        let mut counted = 0;
        let mut count = |message: &mut Envelope| counted += usize::from(message.count());
        if let Some(rare) = self.rare.get() {
            rare.ahead.borrow_mut().each_mut(&mut count);
        }
        self.mailbox.borrow_mut().each_mut(count);
        counted
    }

    /// Returns the number of messages.
    pub(in crate::process) fn message_count(&self) -> usize {
        let ahead = self.rare.get().map_or(0, |rare| rare.ahead.borrow().len());
        ahead + self.mailbox.borrow().len()
    }

    /// Sets the cursors to the oldest messages.
    pub(in crate::process) fn rewind(&self) {
        self.mailbox.borrow_mut().rewind();
        if let Some(rare) = self.rare.get() {
            rare.ahead.borrow_mut().rewind();
        }
    }

    /// Moves the cursors over messages that are not wanted, and takes the first message that is
    /// wanted.
    pub(in crate::process) fn take_next(
        &self,
        wanted: impl Fn(&Envelope) -> bool,
    ) -> Option<Envelope> {
        if let Some(rare) = self.rare.get() {
            // A separate statement, so that the borrow ends here.
            let ahead = rare.ahead.borrow_mut().take_next(&wanted);
            if ahead.is_some() {
                return ahead;
            }
        }
        self.mailbox.borrow_mut().take_next(wanted)
    }

    /// Puts a message that `take_next` took back in its place, and moves the cursor behind it.
    pub(in crate::process) fn put_back(&self, message: Envelope) {
        if message.word().stamp().has_priority() {
            self.rare().ahead.borrow_mut().put_back(message);
        } else {
            self.mailbox.borrow_mut().put_back(message);
        }
    }

    /// Puts a message that `take_next` took back in its place, and leaves the cursor at it.
    pub(in crate::process) fn return_to_cursor(&self, message: Envelope) {
        if message.word().stamp().has_priority() {
            self.rare().ahead.borrow_mut().return_to_cursor(message);
        } else {
            self.mailbox.borrow_mut().return_to_cursor(message);
        }
    }

    /// Marks the end of the ordinary messages as the place where this reference was made.
    pub(in crate::process) fn mark(&self, reference: Reference) {
        self.mailbox.borrow_mut().mark(reference);
    }

    /// Sets the cursor to where this reference was made. The few messages ahead are looked at from
    /// the oldest.
    pub(in crate::process) fn seek(&self, reference: Reference) {
        self.mailbox.borrow_mut().seek(reference);
    }

    /// Takes out the oldest message that `meant` selects, among the messages that came after this
    /// reference was made. The position of the cursors does not matter.
    pub(in crate::process) fn remove_since(
        &self,
        reference: Reference,
        meant: impl Fn(&Envelope) -> bool,
    ) -> Option<Envelope> {
        if let Some(rare) = self.rare.get() {
            // This mailbox has no mark, so all of its messages are considered.
            let ahead = rare.ahead.borrow_mut().remove_since(reference, &meant);
            if ahead.is_some() {
                return ahead;
            }
        }
        self.mailbox.borrow_mut().remove_since(reference, meant)
    }

    /// Returns whether the process may have values of the program besides its future.
    #[inline]
    pub(in crate::process) fn has_values(&self) -> bool {
        self.rare.get().is_some() || self.mailbox.borrow().len() > 0
    }

    /// Takes out all messages.
    pub(in crate::process) fn take_all(&self) -> impl Iterator<Item = Envelope> + use<> {
        let ahead = self.rare.get().map(|rare| rare.ahead.borrow_mut().take_all());
        let ordinary: Chain = self.mailbox.borrow_mut().take_all();
        ahead.into_iter().flatten().chain(ordinary)
    }
}
