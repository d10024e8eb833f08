//! The word in each envelope that says how a signal was sent and, later, what it is in its mailbox.
//!
//! While a signal is in flight, the word is its [`Address`]. When the receiver takes it in, the
//! word becomes its [`Stamp`] if the message is special. One word serves both, so an ordinary
//! message only stores the generation of the slot that it was sent to.

/// The serial number of an alias or a monitor takes the bits that the flags leave free.
const FLAGS: u64 = 0b1_1111 << SERIAL_BITS;
const SERIAL_BITS: u32 = 59;

const ALIAS: u64 = 1 << 63;
const PRIORITY: u64 = 1 << 62;
const DOWN: u64 = 1 << 61;
/// The mailbox has set a mark at this message.
const MARKED: u64 = 1 << 60;
/// The message takes up room in a bounded mailbox; see `room`.
const COUNTED: u64 = 1 << 59;

/// How a signal was sent to the process in a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Address(u64);

/// The contents of an [`Address`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum By {
    /// By pid: to the process of this generation.
    Pid(u32),
    /// By the alias with this serial number.
    Alias {
        serial: u64,
        /// The message goes ahead of the ordinary ones, if the alias allows it.
        priority: bool,
    },
}

impl Address {
    pub(crate) const fn pid(generation: u32) -> Address {
        Address(generation as u64)
    }

    /// Returns the address of an alias. `None` if no alias can have this serial number.
    pub(crate) fn alias(serial: u64, priority: bool) -> Option<Address> {
        let priority = if priority { PRIORITY } else { 0 };
        (serial & FLAGS == 0).then_some(Address(ALIAS | priority | serial))
    }

    /// Returns the address with the flag of a counted message set.
    pub(crate) fn counted(self) -> Address {
        Address(self.0 | COUNTED)
    }

    pub(crate) fn by(self) -> By {
        if self.0 & ALIAS != 0 {
            By::Alias { serial: self.0 & !FLAGS, priority: self.0 & PRIORITY != 0 }
        } else {
            By::Pid(u32::try_from(self.0 & !COUNTED).expect("made by `pid`"))
        }
    }
}

/// The kind of a message in its mailbox. An ordinary message has no stamp: it keeps its address,
/// which has no flag set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp(u64);

impl Stamp {
    /// An ordinary message.
    pub(crate) const NONE: Stamp = Stamp(0);

    /// Returns the stamp of a message that says that the target of the monitor with this serial
    /// number is down.
    pub(crate) fn down(serial: u64) -> Stamp {
        Stamp(DOWN | serial & !FLAGS)
    }

    /// Sets the flag of a priority message if `priority`.
    pub(crate) fn with_priority(self, priority: bool) -> Stamp {
        if priority { Stamp(self.0 | PRIORITY) } else { self }
    }

    /// Sets the flag of a counted message if `counted`.
    pub(crate) fn with_counted(self, counted: bool) -> Stamp {
        if counted { Stamp(self.0 | COUNTED) } else { self }
    }

    pub(crate) fn has_priority(self) -> bool {
        self.0 & PRIORITY != 0
    }

    /// Returns whether this is the `Down` of this monitor.
    pub(crate) fn is_down(self, serial: u64) -> bool {
        self.0 & !(PRIORITY | MARKED | COUNTED) == DOWN | serial
    }
}

/// The word itself: an [`Address`] or a [`Stamp`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Word(u64);

impl From<Address> for Word {
    fn from(address: Address) -> Word {
        Word(address.0)
    }
}

impl From<Stamp> for Word {
    fn from(stamp: Stamp) -> Word {
        Word(stamp.0)
    }
}

impl Word {
    pub(crate) fn address(self) -> Address {
        Address(self.0)
    }

    pub(crate) fn stamp(self) -> Stamp {
        Stamp(self.0)
    }

    /// Returns whether the message takes up room in a bounded mailbox.
    pub(crate) fn is_counted(self) -> bool {
        self.0 & COUNTED != 0
    }

    /// Counts the message. Returns false if it was counted before or is never counted.
    pub(crate) fn count(&mut self) -> bool {
        let counts = self.0 & (DOWN | COUNTED) == 0;
        self.0 |= if counts { COUNTED } else { 0 };
        counts
    }

    /// Returns whether the mailbox may have a mark at this message; see `mailbox`.
    pub(crate) fn is_marked(self) -> bool {
        self.0 & MARKED != 0
    }

    pub(crate) fn set_marked(&mut self, marked: bool) {
        self.0 = if marked { self.0 | MARKED } else { self.0 & !MARKED };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_round_trips() {
        for generation in [0, 7, u32::MAX] {
            assert_eq!(Address::pid(generation).by(), By::Pid(generation));
            let stamp = Word::from(Address::pid(generation)).stamp();
            assert!(!stamp.has_priority() && !stamp.is_down(generation.into()));
        }
        for (serial, priority) in [(1, false), (1 << 58, true), ((1 << 59) - 1, false)] {
            let address = Address::alias(serial, priority).unwrap();
            assert_eq!(address.by(), By::Alias { serial, priority });
        }
        for serial in [1 << 59, 1 << 61, u64::MAX] {
            assert_eq!(Address::alias(serial, false), None);
        }
    }

    #[test]
    fn a_mark_round_trips() {
        let stamp = Stamp::down(5);
        assert!(stamp.is_down(5) && !stamp.is_down(6) && !stamp.has_priority());
        let stamp = stamp.with_priority(true);
        assert!(stamp.is_down(5) && !stamp.is_down(4) && stamp.has_priority());
        assert!(Stamp::NONE.with_priority(true).has_priority());
        assert!(!Stamp::NONE.is_down(0) && !Stamp::NONE.with_priority(false).has_priority());
    }

    /// A message takes one slot of a bounded mailbox, and a `Down` takes none.
    #[test]
    fn messages_are_counted_and_downs_are_not() {
        for address in [Address::pid(7), Address::alias(9, true).unwrap()] {
            let mut word = Word::from(address);
            assert!(!word.is_counted() && word.count() && word.is_counted() && !word.count());
        }
        let mut down = Word::from(Stamp::down(5));
        assert!(!down.count() && !down.is_counted());
    }

    #[test]
    fn a_word_is_marked_and_unmarked() {
        let mut word = Word::from(Stamp::down(5));
        word.set_marked(true);
        assert!(word.is_marked() && word.stamp().is_down(5));
        word.set_marked(false);
        assert!(!word.is_marked() && word.stamp().is_down(5));
    }
}
