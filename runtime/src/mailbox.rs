//! The private mailbox of a process: messages in order of arrival, a cursor for the current
//! receive, and marks where references were made.
//!
//! Only the process itself uses it. Messages are linked through their envelopes, so adding one
//! allocates nothing. This file does not know what a receive wants; see `process::receive`.
//!
//! A message that contains a reference arrived after that reference was made. So a receive that
//! waits for a reference may begin at the mark that was set then, however many messages come before
//! it (RECV-9). If there is no mark, the receive looks at all messages. The mark may be gone, or
//! was never set because the mailbox was empty.
//!
//! # Invariants
//! - **M1** `first` and all envelopes linked from it by `next` are owned by the mailbox. The last
//!   one has a null `next`, and `last` points to it. Both are null when `len` is 0.
//! - **M2** `before` is null (the cursor is at the first message), or points to the message before
//!   the cursor.
//! - **M3** The `after` of a mark points to a message of the mailbox that is `marked`, or is null
//!   (the mark is before all messages). Taking out a marked message moves its marks to the message
//!   before it.
//!
//! Prior art: the receive markers of `erl_proc_sig_queue.c`.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use crate::message::{Chain, Envelope, Header};
use crate::reference::Reference;

/// How many references have marks: the latest ones. A process rarely has more calls in progress,
/// and few marks are quickly searched. OTP has as many.
const MARKS: usize = 8;

/// Messages in order of arrival, a cursor, and marks.
#[derive(Debug)]
pub(crate) struct Mailbox {
    first: *mut Header,
    last: *mut Header,
    before: *mut Header,
    len: usize,
    /// Allocated when a reference is made while messages wait.
    marks: Option<Box<Marks>>,
    /// How many messages were looked at. Each look counts.
    #[cfg(feature = "observe")]
    looked_at: u64,
}

/// The latest marks, as a ring.
#[derive(Debug)]
struct Marks {
    ring: [Mark; MARKS],
    made: usize,
}

/// The end of the mailbox at the time a reference was made.
#[derive(Clone, Copy, Debug)]
struct Mark {
    reference: Reference,
    after: *mut Header,
}

impl Default for Mailbox {
    fn default() -> Self {
        Mailbox::new()
    }
}

// SAFETY: M1: the mailbox owns its messages, and messages are `Send`.
unsafe impl Send for Mailbox {}

impl Mailbox {
    pub(crate) const fn new() -> Mailbox {
        let null = ptr::null_mut();
        Mailbox {
            first: null,
            last: null,
            before: null,
            len: 0,
            marks: None,
            #[cfg(feature = "observe")]
            looked_at: 0,
        }
    }

    /// Returns how many messages were looked at. Each look counts.
    #[cfg(feature = "observe")]
    pub(crate) fn looked_at(&self) -> u64 {
        self.looked_at
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the address of the oldest message, which tells later whether that message is still
    /// there. 0 if there is no message.
    pub(crate) fn oldest_address(&self) -> usize {
        self.first.addr()
    }

    pub(crate) fn push(&mut self, message: Envelope) {
        let node = message.into_raw().as_ptr();
        // SAFETY: M1: we own `last` and, from now on, the new node.
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

    /// Calls `look` with each message, oldest first.
    pub(crate) fn each(&self, mut look: impl FnMut(&Envelope)) {
        let mut at = self.first;
        while let Some(node) = NonNull::new(at) {
            // SAFETY: M1; the envelope is a view of the node, and never dropped.
            let view = std::mem::ManuallyDrop::new(unsafe { Envelope::from_raw(node) });
            look(&view);
            // SAFETY: M1.
            at = unsafe { node.as_ref() }.next;
        }
    }

    /// Calls `look` with each message, which it may change in place.
    pub(crate) fn each_mut(&mut self, mut look: impl FnMut(&mut Envelope)) {
        let mut at = self.first;
        while let Some(node) = NonNull::new(at) {
            // SAFETY: M1; the envelope is a view of the node, and never dropped.
            let mut view = std::mem::ManuallyDrop::new(unsafe { Envelope::from_raw(node) });
            look(&mut view);
            // SAFETY: M1.
            at = unsafe { node.as_ref() }.next;
        }
    }

    /// Frees what an empty mailbox does not need.
    pub(crate) fn shrink(&mut self) {
        if self.len == 0 {
            self.marks = None;
        }
    }

    /// Sets the cursor to the oldest message.
    pub(crate) fn rewind(&mut self) {
        self.before = ptr::null_mut();
    }

    /// Sets a mark at the end of the mailbox, where this reference was made.
    pub(crate) fn mark(&mut self, reference: Reference) {
        // If no message is before it, no mark is needed.
        let Some(last) = NonNull::new(self.last) else { return };
        // SAFETY: M1.
        unsafe { (*last.as_ptr()).word.set_marked(true) };
        let mark = Mark { reference, after: last.as_ptr() };
        match &mut self.marks {
            Some(marks) => {
                marks.ring[marks.made % MARKS] = mark;
                marks.made = marks.made.wrapping_add(1);
            }
            None => self.marks = Some(Box::new(Marks { ring: [mark; MARKS], made: 1 })),
        }
    }

    /// Moves the cursor to where this reference was made, or to the oldest message if that is not
    /// known.
    pub(crate) fn seek(&mut self, reference: Reference) {
        let marks = self.marks.iter().flat_map(|marks| &marks.ring);
        let mark = marks.into_iter().find(|mark| mark.reference == reference);
        self.before = mark.map_or(ptr::null_mut(), |mark| mark.after);
    }

    /// Moves the cursor over unwanted messages, and takes the first wanted one. The cursor is then
    /// after that message, or at the end if there was none.
    pub(crate) fn take_next(&mut self, wanted: impl Fn(&Envelope) -> bool) -> Option<Envelope> {
        loop {
            let node = NonNull::new(self.at_cursor())?;
            #[cfg(feature = "observe")]
            {
                self.looked_at += 1;
            }
            // SAFETY: M1; the envelope is a view of the node, and never dropped.
            let view = std::mem::ManuallyDrop::new(unsafe { Envelope::from_raw(node) });
            if wanted(&view) {
                return Some(self.unlink(node));
            }
            self.before = node.as_ptr();
        }
    }

    /// Returns a message that `take_next` took to its place, and moves the cursor after it.
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

    /// Returns a message that `take_next` took to its place, and leaves the cursor before it.
    pub(crate) fn return_to_cursor(&mut self, message: Envelope) {
        let before = self.before;
        self.put_back(message);
        self.before = before;
    }

    /// Takes out the oldest wanted message that came after this reference was made, wherever the
    /// cursor is.
    pub(crate) fn remove_since(
        &mut self,
        reference: Reference,
        meant: impl Fn(&Envelope) -> bool,
    ) -> Option<Envelope> {
        let cursor = self.before;
        self.seek(reference);
        let removed = self.take_next(meant);
        let node = removed.as_ref().map(Envelope::address);
        // If the cursor was directly after the removed message, it is now after the previous one.
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
        // SAFETY: M1 and M2: we own `node`, and it follows `before`.
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
            if node.as_ref().word.is_marked() {
                self.move_marks(node);
            }
            Envelope::from_raw(node)
        }
    }

    /// Moves the marks at the node to `before`, the message in front of it.
    #[cold]
    fn move_marks(&mut self, mut node: NonNull<Header>) {
        let to = self.before;
        // SAFETY: M1 and M2.
        unsafe {
            node.as_mut().word.set_marked(false);
            if !to.is_null() {
                (*to).word.set_marked(true);
            }
        }
        for mark in self.marks.iter_mut().flat_map(|marks| &mut marks.ring) {
            if mark.after == node.as_ptr() {
                mark.after = to;
            }
        }
    }
}

impl Mailbox {
    pub(crate) fn take_all(&mut self) -> Chain {
        let first = std::mem::replace(&mut self.first, ptr::null_mut());
        (self.last, self.before) = (ptr::null_mut(), ptr::null_mut());
        (self.len, self.marks) = (0, None);
        // SAFETY: M1. The mailbox has no messages any more.
        unsafe { Chain::from_raw(first) }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        drop(self.take_all());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_id::{Creation, NodeId};
    use proptest::prelude::*;

    fn number(envelope: Envelope) -> u64 {
        envelope.downcast::<u64>().unwrap().body
    }

    fn drain(mailbox: &mut Mailbox) -> Vec<u64> {
        mailbox.rewind();
        std::iter::from_fn(|| mailbox.take_next(|_| true).map(number)).collect()
    }

    fn reference(n: u64) -> Reference {
        let node = "a@b".parse().unwrap();
        Reference::new(NodeId::of(&node, Creation(1)), n)
    }

    #[derive(Debug, Clone)]
    enum Op {
        Push(u64),
        /// Takes the next multiple of the number, and puts it back if the flag says so.
        Take(u64, bool),
        Rewind,
        /// Makes a reference.
        Mark,
        /// Moves the cursor to where the reference was made that is this many before the last one.
        Seek(u64),
        /// Takes the first message that came after that reference.
        RemoveSince(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => (0..30_u64).prop_map(Op::Push),
            4 => ((1..4_u64), any::<bool>()).prop_map(|(of, back)| Op::Take(of, back)),
            1 => Just(Op::Rewind),
            2 => Just(Op::Mark),
            2 => (0..MARKS as u64 + 2).prop_map(Op::Seek),
            1 => (0..MARKS as u64 + 2).prop_map(Op::RemoveSince),
        ]
    }

    /// A mailbox as a vector with indices.
    #[derive(Default)]
    struct Model {
        messages: Vec<u64>,
        cursor: usize,
        /// The references that have marks, and how many messages are before each of them.
        marks: Vec<(u64, usize)>,
        references: u64,
    }

    impl Model {
        fn mark(&mut self) -> u64 {
            self.references += 1;
            if !self.messages.is_empty() {
                self.marks.push((self.references, self.messages.len()));
                let old = self.marks.len().saturating_sub(MARKS);
                self.marks.drain(..old);
            }
            self.references
        }

        fn place(&self, reference: u64) -> usize {
            self.marks.iter().find(|(of, _)| *of == reference).map_or(0, |(_, place)| *place)
        }

        fn remove(&mut self, at: usize) -> Option<u64> {
            let found = (at < self.messages.len()).then(|| self.messages.remove(at))?;
            let before = |place: &&mut usize| **place > at;
            let places = self.marks.iter_mut().map(|(_, place)| place);
            places.chain([&mut self.cursor]).filter(before).for_each(|place| *place -= 1);
            Some(found)
        }

        fn put_back(&mut self, message: u64) {
            let at = self.cursor;
            self.messages.insert(at, message);
            let places = self.marks.iter_mut().map(|(_, place)| place);
            places.filter(|place| **place > at).for_each(|place| *place += 1);
            self.cursor += 1;
        }
    }

    proptest! {
        /// RECV-1, RECV-2, RECV-9: behaves as a plain vector with indices does.
        #[test]
        fn like_a_vector(ops in proptest::collection::vec(op(), 0..80)) {
            let (mut mailbox, mut model) = (Mailbox::new(), Model::default());
            for op in ops {
                match op {
                    Op::Push(n) => {
                        mailbox.push(Envelope::new(n));
                        model.messages.push(n);
                    }
                    Op::Rewind => {
                        mailbox.rewind();
                        model.cursor = 0;
                    }
                    Op::Mark => mailbox.mark(reference(model.mark())),
                    Op::Seek(age) => {
                        let of = model.references.saturating_sub(age);
                        mailbox.seek(reference(of));
                        model.cursor = model.place(of);
                    }
                    Op::RemoveSince(age) => {
                        let of = model.references.saturating_sub(age);
                        let found = mailbox.remove_since(reference(of), |_| true).map(number);
                        prop_assert_eq!(found, model.remove(model.place(of)));
                    }
                    Op::Take(of, back) => {
                        let taken = mailbox.take_next(|_| true).map(number);
                        prop_assert_eq!(taken, model.remove(model.cursor));
                        if let Some(n) = taken && (back || n % of != 0) {
                            mailbox.put_back(Envelope::new(n));
                            model.put_back(n);
                        }
                    }
                }
                prop_assert_eq!(mailbox.len(), model.messages.len());
            }
            prop_assert_eq!(drain(&mut mailbox), model.messages);
        }
    }

    /// RECV-9: a receive looks at none of the messages before the reference, even though messages
    /// around the mark come and go.
    #[test]
    fn a_receive_for_a_reference_skips_older_messages() {
        let mut mailbox = Mailbox::new();
        (0..10_u64).for_each(|n| mailbox.push(Envelope::new(n)));
        mailbox.mark(reference(1));
        mailbox.push(Envelope::new(10_u64));
        mailbox.mark(reference(2));
        let takes = |mailbox: &mut Mailbox, of: u64| {
            mailbox.seek(reference(of));
            let taken = std::iter::from_fn(|| mailbox.take_next(|_| true)).map(number).collect();
            let taken: Vec<u64> = taken;
            taken
        };
        assert_eq!(takes(&mut mailbox, 2), []);
        mailbox.push(Envelope::new(11_u64));
        assert_eq!(takes(&mut mailbox, 2), [11]);
        // Removes the message at the first mark, and later all others before the reference.
        mailbox.rewind();
        let ninth = mailbox.take_next(|m| m.peek::<u64>() == Some(&9));
        assert_eq!(ninth.map(number), Some(9));
        assert_eq!(takes(&mut mailbox, 1), [10]);
        assert_eq!(drain(&mut mailbox).len(), 9);
        mailbox.push(Envelope::new(12_u64));
        assert_eq!(takes(&mut mailbox, 1), [12]);
        // The place of a reference that is too old is not known.
        mailbox.push(Envelope::new(13_u64));
        (3..3 + MARKS as u64).for_each(|n| mailbox.mark(reference(n)));
        assert_eq!(takes(&mut mailbox, 3), []);
        assert_eq!(takes(&mut mailbox, 2), [13]);
    }

    #[test]
    fn the_cursor_skips_each_message_once() {
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
        #[cfg(feature = "observe")]
        assert_eq!(mailbox.looked_at(), 4);
        assert_eq!(drain(&mut mailbox), [1, 2, 3]);
    }

    #[test]
    fn a_returned_message_is_taken_next() {
        let mut mailbox = Mailbox::new();
        (0..3_u64).for_each(|n| mailbox.push(Envelope::new(n)));
        mailbox.take_next(|m| m.peek::<u64>() == Some(&9));
        mailbox.rewind();
        let second = mailbox.take_next(|m| m.peek::<u64>() == Some(&1)).expect("it was pushed");
        mailbox.return_to_cursor(second);
        assert_eq!(mailbox.take_next(|_| true).map(number), Some(1));
        assert_eq!(drain(&mut mailbox), [0, 2]);
    }

    #[test]
    fn every_message_is_listed() {
        let mut mailbox = Mailbox::new();
        (0..3_u64).for_each(|n| mailbox.push(Envelope::new(n)));
        let (mut seen, mut seen_mut) = (Vec::new(), Vec::new());
        mailbox.each(|m| seen.extend(m.peek::<u64>()));
        mailbox.each_mut(|m| seen_mut.extend(m.peek::<u64>()));
        assert_eq!((seen, seen_mut), (vec![0, 1, 2], vec![0, 1, 2]));
        assert_eq!(drain(&mut mailbox), [0, 1, 2]);
    }

    #[test]
    fn the_oldest_address_is_that_of_the_first_message() {
        let mut mailbox = Mailbox::new();
        assert_eq!(mailbox.oldest_address(), 0);
        let message = Envelope::new(0_u64);
        let address = message.address().addr();
        mailbox.push(message);
        mailbox.push(Envelope::new(1_u64));
        assert_eq!(mailbox.oldest_address(), address);
        let _oldest = mailbox.take_next(|_| true);
        assert_ne!(mailbox.oldest_address(), address);
    }

    /// Marks are for the messages behind which they stand.
    #[test]
    fn shrinking_drops_marks_only_in_an_empty_mailbox() {
        let mut mailbox = Mailbox::new();
        mailbox.push(Envelope::new(0_u64));
        mailbox.mark(reference(1));
        mailbox.push(Envelope::new(1_u64));
        mailbox.shrink();
        mailbox.seek(reference(1));
        assert_eq!(mailbox.take_next(|_| true).map(number), Some(1));
        drain(&mut mailbox);
        mailbox.shrink();
        assert!(mailbox.marks.is_none());
    }
}
