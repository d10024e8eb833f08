//! The functions that make and remove links, monitors and aliases. `core::relations` has the tables.

mod alias;
mod link;
mod monitor;

pub use self::alias::{AliasOpts, alias, alias_with, unalias};
pub use self::link::{link, link_with, unlink};
pub use self::monitor::{
    MonitorAlias, MonitorOpts, demonitor, demonitor_flush, monitor, monitor_with,
};
pub(in crate::process) use self::monitor::{end_monitor, monitor_by, monitor_reference};
