//! The links, monitors, aliases and spawn requests of one process, as tables.
//!
//! Nothing here sends a signal: each change returns what has to be sent.

mod alias_table;
mod delivery;
mod link_opts;
mod pending_spawn;
mod table;
mod tag;
mod view;

pub(in crate::process) use self::alias_table::{Active, Ends};
pub(in crate::process) use self::delivery::{Delivery, LOCAL};
pub use self::link_opts::LinkOpts;
pub use self::pending_spawn::ReplyOn;
pub(in crate::process) use self::pending_spawn::{Asked, Spawning};
pub(in crate::process) use self::table::{ByAlias, Ending, Lost, Monitor, Relations, Unlink};
pub(in crate::process) use self::tag::Tag;
