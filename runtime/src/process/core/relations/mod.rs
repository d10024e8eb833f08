//! The links, monitors, aliases and requests of one process, as tables.

mod alias_table;
mod pending_spawn;
mod table;
mod tag;
mod view;

pub(in crate::process) use alias_table::{Active, Ends};
pub use pending_spawn::ReplyOn;
pub(in crate::process) use pending_spawn::{Asked, Spawning};
pub(in crate::process) use table::{
    ByAlias, Delivery, Ending, LOCAL, Lost, Monitor, Relations, Unlink,
};
pub(in crate::process) use tag::Tag;
