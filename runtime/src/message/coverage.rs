//! Which parts of its type a value had.

/// A set of variants, of structs by how many fields they had, and of fields that were left out.
/// It has 64 places for all of them, so two may share one.
///
/// The encoder notes them on its way, which costs an instruction each: the names are constants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Coverage(pub(super) u64);

impl Coverage {
    /// A variant of an enum.
    #[inline(always)]
    pub(super) fn variant(&mut self, name: &'static str, index: u32) {
        self.note(name, index as usize, 1);
    }

    /// A struct with so many fields.
    #[inline(always)]
    pub(super) fn fields(&mut self, name: &'static str, fields: usize) {
        self.note(name, fields, 2);
    }

    /// A field that was left out.
    pub(super) fn skip(&mut self, name: &'static str) {
        self.note(name, 0, 3);
    }

    #[inline(always)]
    fn note(&mut self, name: &'static str, number: usize, what: usize) {
        let (first, last) = match name.as_bytes() {
            [] => (0, 0),
            [only] => (*only, 0),
            [first, .., last] => (*first, *last),
        };
        let sum = usize::from(first) * 5 + usize::from(last) * 11 + name.len() * 3;
        self.0 |= 1 << ((sum + number + what * 17) % 64);
    }

    /// Whether all of it is in the other.
    #[inline]
    pub(super) fn is_within(self, other: Coverage) -> bool {
        self.0 & !other.0 == 0
    }
}
