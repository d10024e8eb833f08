//! Looking at running processes, and pausing them: for tools, tests and debugging.
//!
//! [`processes`] lists the processes of a node, [`process_info`] describes one of them, and the
//! functions of [`info`] each return one item. [`set_label`] gives a process a label, by which
//! reports and tools name it. [`suspend_process`] pauses a process until [`resume_process`].
//!
//! ```
//! use fika::inspect::{info, is_process_alive, process_count, set_label};
//! use fika::prelude::*;
//!
//! #[fika::main]
//! async fn main() {
//!     let idle = spawn(async {
//!         set_label("idle");
//!         std::future::pending::<()>().await
//!     });
//!     send(idle, 1_u64);
//!     while info::label(idle).await.flatten().is_none() {}
//!     assert_eq!(info::message_queue_len(idle).await, Some(1));
//!     assert!(is_process_alive(idle).await);
//!     assert!(process_count() >= 2);
//! }
//! ```
//!
//! A process answers these questions itself, in the order of its signals. So a process that
//! computes without a pause answers late. The functions return `None` if the process has ended.

pub use fika_runtime::{
    InfoItem, Item, Processes, Snapshot, Status, SuspendError, bump_reductions, has_ended, info,
    is_process_alive, process_count, process_info, processes, processes_iter, resume_process,
    set_label, suspend_process,
};
