//! The functions that send.

mod priority;
mod send_timeout;
mod send_with;
mod timers;
mod try_send;

pub use priority::{ExitDest, exit_process_priority, send_priority};
pub use send_timeout::send_timeout;
pub use send_with::{SendOpts, send_with};
pub use timers::{
    cancel_timer, cancel_timer_async, cancel_timer_no_info, read_timer, read_timer_async,
    send_after, send_at, start_timer, start_timer_at,
};
pub use try_send::{TrySendError, send_wait, try_send};
