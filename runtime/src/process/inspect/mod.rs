//! The functions that look at other processes.

pub mod info;
mod process_info;
mod processes;
mod snapshot;
mod suspend;
mod system_monitor;

pub use process_info::{is_process_alive, process_info};
pub use processes::{Processes, processes, processes_iter};
pub(in crate::process) use snapshot::snapshot;
pub(in crate::process) use suspend::Suspensions;
pub use suspend::{SuspendError, resume_process, suspend_process};
pub use system_monitor::{SystemMonitor, system_monitor};
