//! The functions that send messages and exit signals, at once, on conditions, or after a time.

mod exit_process;
mod message;
mod offer;
mod send_timeout;
mod send_with;
mod timers;
mod try_send;

pub use self::exit_process::{ExitDest, exit_process, exit_process_priority};
pub use self::message::{send, send_priority};
pub use self::send_timeout::send_timeout;
pub use self::send_with::{SendOpts, send_with};
pub use self::timers::{
    cancel_timer, cancel_timer_async, cancel_timer_no_info, read_timer, read_timer_async,
    send_after, send_at, start_timer, start_timer_at,
};
pub use self::try_send::{TrySendError, send_wait, try_send};
