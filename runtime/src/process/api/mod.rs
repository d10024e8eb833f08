//! The functions by which a process asks or sets something of itself, or of its node.

mod catch;
mod flags;
mod group_leader;
mod hibernate;
mod mailbox_limit;
mod names;
mod own;

pub use self::catch::{catch_exit, exit_reason};
pub use self::flags::{async_dist, set_priority};
pub use self::group_leader::{group_leader, set_group_leader};
pub use self::hibernate::hibernate;
pub use self::mailbox_limit::mailbox_limit;
pub use self::names::{register, registered, unregister, whereis};
pub use self::own::{
    acting_node, current_node, exit, exit_async, make_ref, process_count, self_node, self_pid,
    trap_exit, try_self_pid,
};
