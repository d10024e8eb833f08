//! The functions that look at other processes, suspend them, or wait for their end.

mod ask;
mod ended;
pub mod info;
mod process_info;
mod processes;
mod suspend;

pub use self::ended::Ended;
pub use self::process_info::{has_ended, is_process_alive, process_info};
pub use self::processes::{Processes, processes, processes_iter};
pub use self::suspend::{SuspendError, resume_process, suspend_process};
