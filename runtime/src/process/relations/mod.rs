//! The functions that make and end links, monitors and aliases.

mod alias;
mod link;
mod monitor;

pub use alias::{AliasOpts, alias, alias_with, unalias};
pub use link::{LinkOpts, link, link_with, unlink};
pub use monitor::{MonitorAlias, MonitorOpts, demonitor, demonitor_flush, monitor, monitor_with};
