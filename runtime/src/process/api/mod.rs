//! The functions by which a process acts for itself.

mod flags;
mod group_leader;
mod hibernate;
mod own;

pub use flags::{async_dist, set_priority};
pub use group_leader::{group_leader, set_group_leader};
pub use hibernate::hibernate;
pub use own::{
    acting_node, exit, exit_process, make_ref, process_count, register, registered, self_node,
    self_pid, send, trap_exit, unregister, whereis,
};
