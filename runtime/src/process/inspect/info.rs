//! Functions that each return one item of what [`process_info`] tells about a process. `None` if
//! the process has ended.
//!
//! ```
//! # use fika_runtime::{Node, info, self_pid, set_label};
//! # Node::builder().build().unwrap().block_on(async {
//! set_label("main");
//! assert_eq!(info::label(self_pid()).await, Some(Some("main".into())));
//! assert_eq!(info::message_queue_len(self_pid()).await, Some(0));
//! # });
//! ```

use std::panic::Location;
use std::sync::Arc;

use super::process_info::process_info;
use crate::message::Message;
use crate::name::Name;
use crate::pid::Pid;
use crate::priority::Priority;
use crate::process_info::{InfoItem, Item, Snapshot, Status};
use crate::system_message::Object;

macro_rules! one_item {
    ($($(#[$doc:meta])* $name:ident: $item:ident -> $told:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Panics
        /// As [`process_info`].
        pub async fn $name(pid: Pid) -> Option<$told> {
            match process_info(pid, &[Item::$item]).await?.pop() {
                Some(InfoItem::$item(told)) => Some(told),
                _ => unreachable!("each item is answered by its like"),
            }
        }
    )*};
}

one_item! {
    /// The name that it is registered under. The inner `None` if it has no name.
    registered_name: RegisteredName -> Option<Name>;
    /// What it is doing.
    status: Status -> Status;
    /// How many messages its mailbox has, those that the running process has sent before
    /// among them.
    message_queue_len: MessageQueueLen -> usize;
    /// The messages in its mailbox, oldest first.
    messages: Messages -> Vec<Snapshot>;
    /// The processes that it is linked to.
    links: Links -> Vec<Pid>;
    /// What it monitors.
    monitors: Monitors -> Vec<Object>;
    /// The processes that monitor it, once for each of their monitors.
    monitored_by: MonitoredBy -> Vec<Pid>;
    /// Whether it gets exit signals as messages.
    trap_exit: TrapExit -> bool;
    /// Its priority.
    priority: Priority -> Priority;
    /// Its group leader.
    group_leader: GroupLeader -> Pid;
    /// The process that spawned it. The inner `None` if no process did.
    parent: Parent -> Option<Pid>;
    /// What it calls itself, if it does.
    label: Label -> Option<Arc<str>>;
    /// Its dictionary, in the order of the keys.
    dictionary: Dictionary -> Vec<(Name, Snapshot)>;
    /// How many bytes the runtime has for it; see [`InfoItem::Memory`].
    memory: Memory -> usize;
    /// How much it has worked; see [`InfoItem::Reductions`].
    reductions: Reductions -> u64;
    /// Where it was spawned.
    initial_call: InitialCall -> &'static Location<'static>;
    /// Where it waits; see [`InfoItem::CurrentFunction`].
    current_function: CurrentFunction -> Option<&'static Location<'static>>;
    /// Whether it goes on where it sends over a congested connection.
    async_dist: AsyncDist -> bool;
    /// How many answers it is owed; see [`InfoItem::Unanswered`].
    unanswered: Unanswered -> usize;
    /// How many messages of other nodes the process lost; see [`InfoItem::Undecodable`].
    undecodable: Undecodable -> u64;
    /// The processes that have suspended it.
    suspended_by: SuspendedBy -> Vec<Pid>;
}

/// Returns the value of this key in the process's dictionary. The inner `None` if there is none, or
/// it is not a `T`.
///
/// # Panics
/// As [`process_info`].
pub async fn dictionary_key<T: Message>(pid: Pid, key: impl Into<Name>) -> Option<Option<T>> {
    match process_info(pid, &[Item::DictionaryKey(key.into())]).await?.pop() {
        Some(InfoItem::DictionaryKey(_, value)) => Some(value.and_then(|value| value.get())),
        _ => unreachable!("each item is answered by its like"),
    }
}
