//! The private mailbox of a process: messages in order of arrival, with a cursor for
//! the receive that is under way.
//!
//! Only the process itself touches it. Messages are linked by the room that each
//! envelope has for that, so an empty mailbox and a full one cost no allocation.
//! What a receive wants is not known here; see `process::receive`.
//!
//! # Invariants
//! - **M1** `first` and everything that hangs on it by `next` are envelopes that the
//!   mailbox owns; the last one has a null `next`, and `last` points to it. Both are
//!   null when `len` is 0.
//! - **M2** `before` is null (the cursor is at the first message), or points to the
//!   message before the cursor.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use crate::message::{Chain, Envelope, Header};

/// Messages in order of arrival, and a cursor.
#[derive(Debug)]
pub(crate) struct Mailbox {
    first: *mut Header,
    last: *mut Header,
    before: *mut Header,
    len: usize,
}

// SAFETY: M1: it owns its messages, and messages are `Send`.
unsafe impl Send for Mailbox {}

impl Mailbox {
    pub(crate) const fn new() -> Mailbox {
        let null = ptr::null_mut();
        Mailbox { first: null, last: null, before: null, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Appends a message.
    pub(crate) fn push(&mut self, message: Envelope) {
        let node = message.into_raw().as_ptr();
        // SAFETY: M1: `last` is ours, and so is the new node now.
        unsafe {
            (*node).next = ptr::null_mut();
            match NonNull::new(self.last) {
                Some(last) => (*last.as_ptr()).next = node,
                None => self.first = node,
            }
        }
        self.last = node;
        self.len += 1;
    }

    /// Sets the cursor to the oldest message.
    pub(crate) fn rewind(&mut self) {
        self.before = ptr::null_mut();
    }

    /// Moves the cursor over messages that are not wanted, and takes the first that is.
    /// The cursor is then at the one behind it; at the end if there was none.
    pub(crate) fn take_next(&mut self, wanted: impl Fn(&Envelope) -> bool) -> Option<Envelope> {
        loop {
            let node = NonNull::new(self.at_cursor())?;
            // SAFETY: M1; the envelope is a view of the node, and never dropped.
            let view = std::mem::ManuallyDrop::new(unsafe { Envelope::from_raw(node) });
            if wanted(&view) {
                return Some(self.unlink(node));
            }
            self.before = node.as_ptr();
        }
    }

    /// Puts a message that `take_next` took back to its place, and the cursor behind it.
    pub(crate) fn put_back(&mut self, message: Envelope) {
        let next = self.at_cursor();
        let node = message.into_raw().as_ptr();
        // SAFETY: M1 and M2.
        unsafe {
            (*node).next = next;
            match NonNull::new(self.before) {
                Some(before) => (*before.as_ptr()).next = node,
                None => self.first = node,
            }
        }
        if next.is_null() {
            self.last = node;
        }
        self.before = node;
        self.len += 1;
    }

    /// Puts a message that `take_next` took back to its place, and leaves the cursor there.
    pub(crate) fn return_to_cursor(&mut self, message: Envelope) {
        let before = self.before;
        self.put_back(message);
        self.before = before;
    }

    /// Takes out the oldest message that is meant, wherever the cursor is.
    pub(crate) fn remove(&mut self, meant: impl Fn(&Envelope) -> bool) -> Option<Envelope> {
        let cursor = std::mem::replace(&mut self.before, ptr::null_mut());
        let removed = self.take_next(meant);
        let node = removed.as_ref().map(Envelope::address);
        // The cursor stood behind the message that is gone: it stands behind the one before.
        if node != Some(cursor) {
            self.before = cursor;
        }
        removed
    }

    fn at_cursor(&self) -> *mut Header {
        match NonNull::new(self.before) {
            // SAFETY: M2.
            Some(before) => unsafe { before.as_ref() }.next,
            None => self.first,
        }
    }

    /// Takes out the node at the cursor.
    fn unlink(&mut self, mut node: NonNull<Header>) -> Envelope {
        // SAFETY: M1 and M2: `node` is ours and follows `before`.
        unsafe {
            let next = std::mem::replace(&mut node.as_mut().next, ptr::null_mut());
            match NonNull::new(self.before) {
                Some(before) => (*before.as_ptr()).next = next,
                None => self.first = next,
            }
            if next.is_null() {
                self.last = self.before;
            }
            self.len -= 1;
            Envelope::from_raw(node)
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        // SAFETY: M1.
        drop(unsafe { Chain::from_raw(self.first) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(envelope: Envelope) -> u64 {
        envelope.downcast::<u64>().unwrap().body
    }

    fn drain(mailbox: &mut Mailbox) -> Vec<u64> {
        mailbox.rewind();
        std::iter::from_fn(|| mailbox.take_next(|_| true).map(number)).collect()
    }

    #[derive(Debug, Clone)]
    enum Op {
        Push(u64),
        /// Takes the next multiple, and puts it back if the flag says so.
        Take(u64, bool),
        Rewind,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            (0..30_u64).prop_map(Op::Push),
            ((1..4_u64), any::<bool>()).prop_map(|(of, back)| Op::Take(of, back)),
            Just(Op::Rewind),
        ]
    }

    proptest! {
        /// RECV-1, RECV-2 against a plain vector with an index.
        #[test]
        fn like_a_vector(ops in proptest::collection::vec(op(), 0..60)) {
            let (mut mailbox, mut model, mut cursor) = (Mailbox::new(), Vec::new(), 0);
            for op in ops {
                match op {
                    Op::Push(n) => {
                        mailbox.push(Envelope::new(n));
                        model.push(n);
                    }
                    Op::Rewind => {
                        mailbox.rewind();
                        cursor = 0;
                    }
                    Op::Take(of, back) => {
                        let is_wanted = |m: &Envelope| {
                            // A look without taking: the values are in the model.
                            m.is::<u64>()
                        };
                        let taken = mailbox.take_next(is_wanted).map(number);
                        let expected = (cursor < model.len()).then(|| model.remove(cursor));
                        prop_assert_eq!(taken, expected);
                        if let Some(n) = taken && (back || n % of != 0) {
                            mailbox.put_back(Envelope::new(n));
                            model.insert(cursor, n);
                            cursor += 1;
                        }
                    }
                }
                prop_assert_eq!(mailbox.len(), model.len());
            }
            prop_assert_eq!(drain(&mut mailbox), model);
        }
    }

    #[test]
    fn the_cursor_passes_what_is_not_wanted_once() {
        let mut mailbox = Mailbox::new();
        mailbox.push(Envelope::new(1_u64));
        mailbox.push(Envelope::new("x".to_string()));
        mailbox.push(Envelope::new(2_u64));
        let looks = std::cell::Cell::new(0);
        let wanted = |m: &Envelope| {
            looks.set(looks.get() + 1);
            m.is::<String>()
        };
        assert!(mailbox.take_next(wanted).is_some());
        assert!(mailbox.take_next(wanted).is_none());
        mailbox.push(Envelope::new(3_u64));
        assert!(mailbox.take_next(wanted).is_none());
        assert_eq!(looks.get(), 4, "RECV-10: each message is looked at once");
        assert_eq!(drain(&mut mailbox), [1, 2, 3]);
    }
}
