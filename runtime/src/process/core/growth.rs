//! The state in which `life::growth` remembers a long mailbox.

use std::cell::Cell;

/// The result of the last look at a long mailbox.
#[derive(Default)]
pub(in crate::process) struct Growth {
    /// The length at which to look again.
    pub(in crate::process) again_at: Cell<usize>,
    /// The oldest message at the last look.
    pub(in crate::process) oldest: Cell<usize>,
}
