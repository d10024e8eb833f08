//! Functions that each return one item of [`process_info`]. They return `None` if the process has
//! ended.
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
        /// Outside of a process. A pid of another node ends the calling process with `badarg`.
        pub async fn $name(pid: Pid) -> Option<$told> {
            match process_info(pid, &[Item::$item]).await?.pop() {
                Some(InfoItem::$item(told)) => Some(told),
                _ => unreachable!("the answer has the requested item"),
            }
        }
    )*};
}

one_item! {
    /// Returns the registered name of the process. The inner `None` if it has no name.
    registered_name: RegisteredName -> Option<Name>;
    /// Returns what the process is doing.
    status: Status -> Status;
    /// Returns how many messages its mailbox has, including all messages that the running process
    /// has sent to it before.
    message_queue_len: MessageQueueLen -> usize;
    /// Returns the messages in its mailbox, oldest first.
    messages: Messages -> Vec<Snapshot>;
    /// Returns the processes that it is linked to.
    links: Links -> Vec<Pid>;
    /// Returns the processes and names that it monitors.
    monitors: Monitors -> Vec<Object>;
    /// Returns the processes that monitor it, once for each monitor.
    monitored_by: MonitoredBy -> Vec<Pid>;
    /// Returns whether it gets exit signals as messages.
    trap_exit: TrapExit -> bool;
    /// Returns its priority.
    priority: Priority -> Priority;
    /// Returns its group leader.
    group_leader: GroupLeader -> Pid;
    /// Returns the process that spawned it. The inner `None` if no process did.
    parent: Parent -> Option<Pid>;
    /// Returns its label. The inner `None` if it has none.
    label: Label -> Option<Arc<str>>;
    /// Returns its dictionary, in the order of the keys.
    dictionary: Dictionary -> Vec<(Name, Snapshot)>;
    /// Returns how many bytes the runtime uses for it; see [`InfoItem::Memory`].
    memory: Memory -> usize;
    /// Returns how much it has worked; see [`InfoItem::Reductions`].
    reductions: Reductions -> u64;
    /// Returns where it was spawned.
    initial_call: InitialCall -> &'static Location<'static>;
    /// Returns where it waits; see [`InfoItem::CurrentFunction`].
    current_function: CurrentFunction -> Option<&'static Location<'static>>;
    /// Returns whether it keeps running when it sends over a congested connection.
    async_dist: AsyncDist -> bool;
    /// Returns how many of its requests have no answer yet; see [`InfoItem::Unanswered`].
    unanswered: Unanswered -> usize;
    /// Returns how many messages of other nodes it lost; see [`InfoItem::Undecodable`].
    undecodable: Undecodable -> u64;
    /// Returns the processes that have suspended it.
    suspended_by: SuspendedBy -> Vec<Pid>;
}

/// Returns the value of this key in the process's dictionary. The inner `None` if there is none, or
/// it is not a `T`.
///
/// ```
/// # use fika_runtime::{Node, dictionary, info, self_pid};
/// # Node::builder().build().unwrap().block_on(async {
/// dictionary::put("request", 17_u64);
/// let me = self_pid();
/// assert_eq!(info::dictionary_key::<u64>(me, "request").await, Some(Some(17)));
/// assert_eq!(info::dictionary_key::<u64>(me, "user").await, Some(None));
/// # });
/// ```
///
/// # Panics
/// Outside of a process. A pid of another node ends the calling process with `badarg`.
pub async fn dictionary_key<T: Message>(pid: Pid, key: impl Into<Name>) -> Option<Option<T>> {
    match process_info(pid, &[Item::DictionaryKey(key.into())]).await?.pop() {
        Some(InfoItem::DictionaryKey(_, value)) => Some(value.and_then(|value| value.get())),
        _ => unreachable!("the answer has the requested item"),
    }
}
