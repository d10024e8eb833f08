//! Selective receive: what `receive!` expands to.

mod mark;
mod selective;
mod wanted;

pub(in crate::process) use self::mark::{make_marked_alias_ref, make_marked_ref};
#[cfg(feature = "observe")]
pub use self::selective::messages_looked_at;
pub use self::selective::{Next, Opened, Receive, is_receiving, open_message};
pub use self::wanted::{Wanted, is_wanted, open_wanted, wanted};
