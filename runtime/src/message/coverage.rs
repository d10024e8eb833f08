//! The parts of its type that a value has.

/// A set of variants, of structs with their numbers of fields, and of fields that were left out. It
/// is a filter of 64 bits, so two of them may share a bit.
///
/// The encoder collects it on the way. The names are constants, so each part costs one instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Coverage(pub(super) u64);

impl Coverage {
    /// Adds a variant of an enum.
    #[inline(always)]
    pub(super) fn variant(&mut self, name: &'static str, index: u32) {
        self.note(name, index as usize, 1);
    }

    /// Adds a struct with this number of fields.
    #[inline(always)]
    pub(super) fn fields(&mut self, name: &'static str, fields: usize) {
        self.note(name, fields, 2);
    }

    /// Adds a field that was left out.
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

    /// Returns whether `other` has all parts of this set.
    #[inline]
    pub(super) fn is_within(self, other: Coverage) -> bool {
        self.0 & !other.0 == 0
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_coverage_is_within_a_larger_one() {
        let nothing = Coverage::default();
        let mut one = nothing;
        one.fields("Point", 2);
        let mut both = one;
        both.variant("Circle", 1);
        let chain = [nothing, one, both];
        for (n, less) in chain.iter().enumerate() {
            for (m, more) in chain.iter().enumerate() {
                assert_eq!(less.is_within(*more), n <= m, "{n} {m}");
            }
        }
    }
}
