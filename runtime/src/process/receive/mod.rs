//! Selective receive.

mod selective;
mod wanted;

#[cfg(feature = "observe")]
pub use selective::messages_looked_at;
pub use selective::{Next, Opened, Receive};
pub use wanted::{Wanted, is_wanted, open_wanted, wanted};
