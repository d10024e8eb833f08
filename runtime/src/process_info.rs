//! The information that a process gives about itself.

use std::panic::Location;
use std::sync::Arc;

use crate::message::node_codec::try_out;
use crate::message::{Encoded, Envelope, Message};
use crate::name::Name;
use crate::pid::Pid;
use crate::priority::Priority;
use crate::system_message::Object;

/// An item to ask about a process, for [`process_info`](crate::process_info()).
///
/// ```
/// # use fika_runtime::{InfoItem, Item, Node, process_info, self_pid, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let worker = spawn(std::future::pending::<()>());
/// let info = process_info(worker, &[Item::Status, Item::Parent]).await.unwrap();
/// assert_eq!(info[1], InfoItem::Parent(Some(self_pid())));
/// # });
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Item {
    /// The name under which the process is registered.
    RegisteredName,
    /// The activity of the process.
    Status,
    /// The number of messages in its mailbox.
    MessageQueueLen,
    /// The messages in its mailbox, oldest first.
    Messages,
    /// The processes that it is linked to.
    Links,
    /// The processes that it monitors.
    Monitors,
    /// The processes that monitor it, each once for each of its monitors.
    MonitoredBy,
    /// Whether it receives exit signals as messages.
    TrapExit,
    /// Its priority.
    Priority,
    /// Its group leader.
    GroupLeader,
    /// The process that spawned it.
    Parent,
    /// Its label.
    Label,
    /// Its dictionary, in the order of the keys.
    Dictionary,
    /// The value in its dictionary for this key.
    DictionaryKey(Name),
    /// How many bytes of memory the runtime uses for it.
    Memory,
    /// How much work it has done.
    Reductions,
    /// Where it was spawned.
    InitialCall,
    /// Where it waits.
    CurrentFunction,
    /// Whether it continues when it sends over a congested connection.
    AsyncDist,
    /// The processes that have suspended it.
    SuspendedBy,
    /// How many answers it waits for from other processes and nodes.
    Unanswered,
    /// How many messages from other nodes it lost because they could not be decoded.
    Undecodable,
}

/// Information about a process.
///
/// ```
/// # use fika_runtime::{InfoItem, Item, Node, process_info, self_pid, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let worker = spawn(std::future::pending::<()>());
/// for item in process_info(worker, &[Item::Status, Item::MessageQueueLen]).await.unwrap() {
///     match item {
///         InfoItem::Status(status) => println!("it is {status:?}"),
///         InfoItem::MessageQueueLen(len) => println!("{len} messages wait"),
///         _ => {}
///     }
/// }
/// # });
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum InfoItem {
    /// `None` for a process without a name.
    RegisteredName(Option<Name>),
    /// The activity of the process when it was asked.
    Status(Status),
    /// The number of messages in its mailbox.
    MessageQueueLen(usize),
    /// The messages of its mailbox.
    Messages(Vec<Snapshot>),
    /// The other ends of its links.
    Links(Vec<Pid>),
    /// The targets of its monitors, as in their `Down` messages.
    Monitors(Vec<Object>),
    /// The processes that monitor it.
    MonitoredBy(Vec<Pid>),
    /// Whether it receives exit signals as messages.
    TrapExit(bool),
    /// Its priority.
    Priority(Priority),
    /// Its group leader.
    GroupLeader(Pid),
    /// `None` if no process spawned it, but its node.
    Parent(Option<Pid>),
    /// `None` if it has no label.
    Label(Option<Arc<str>>),
    /// The keys and values.
    Dictionary(Vec<(Name, Snapshot)>),
    /// The key that was asked for, and its value.
    DictionaryKey(Name, Option<Snapshot>),
    /// The bytes of its slot, its control block and state, the runtime's allocations for it, and
    /// its mailbox. Excludes what the program's values have on the heap.
    Memory(usize),
    /// One for each turn, each message received and each other step; see
    /// [`bump_reductions`](crate::bump_reductions).
    Reductions(u64),
    /// The place in the source.
    InitialCall(&'static Location<'static>),
    /// The `receive!` in which it waits. `None` while it runs, or if it waits for something else.
    CurrentFunction(Option<&'static Location<'static>>),
    /// Whether it continues when it sends over a congested connection.
    AsyncDist(bool),
    /// The processes that have suspended it.
    SuspendedBy(Vec<Pid>),
    /// The number of removed links whose other ends have not confirmed the removal, plus the number
    /// of spawn requests in progress. Each is eventually answered, or ends with its connection, so
    /// an idle system has none.
    Unanswered(usize),
    /// The number of messages from other nodes that were for the process, but could not be decoded
    /// and were dropped: the type has another shape, or its own `Deserialize` refused the value.
    /// Each is logged on this node and on the sender's, at a limited rate.
    Undecodable(u64),
}

/// The activity of a process.
///
/// ```
/// # use fika_runtime::{Node, Status, info, spawn, yield_now};
/// # Node::builder().workers(1).build().unwrap().block_on(async {
/// let worker = spawn(std::future::pending::<()>());
/// match info::status(worker).await {
///     Some(Status::Waiting) => println!("it waits"),
///     Some(status) => println!("{status:?}"),
///     None => println!("it has ended"),
/// }
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Status {
    /// A worker runs it.
    Running,
    /// It is ready to run, and waits for a worker.
    Runnable,
    /// It waits for a message, or for something else.
    Waiting,
    /// Another process has suspended it, or it waits for room in the output of a connection.
    Suspended,
    /// It is about to end. Never returned, since a process that is ending does not answer.
    Exiting,
}

/// A message in a mailbox, or a value in a dictionary, as others see it: its type, and a copy if
/// the value can be sent to another node.
///
/// ```
/// # use fika_runtime::{Node, info, self_pid, send, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let worker = spawn(std::future::pending::<()>());
/// send(worker, 7_u64);
/// let messages = info::messages(worker).await.unwrap();
/// assert_eq!(messages[0].type_name(), "u64");
/// assert_eq!(messages[0].get::<u64>(), Some(7));
/// # });
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    type_name: Box<str>,
    copy: Option<Encoded>,
}

impl Snapshot {
    /// Returns a message or a value as other processes may see it. The program's code encodes it.
    /// If that code panics or calls `exit`, there is no copy.
    pub(crate) fn of(envelope: &Envelope) -> Snapshot {
        let copy = try_out(|| envelope.to_encoded().ok()).unwrap_or(None);
        Snapshot { type_name: envelope.type_name().into(), copy }
    }

    /// Returns the value's type: its Rust name, or its tag if it came from another node and was not
    /// decoded yet.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// Returns the value, if it is an `M`. Returns `None` for a [`Local`](crate::Local), which is
    /// not copied.
    #[must_use]
    pub fn get<M: Message>(&self) -> Option<M> {
        self.copy.as_ref()?.decode().ok()
    }
}
