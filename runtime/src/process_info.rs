//! What can be known of a process, and how it is told.

use std::panic::Location;
use std::sync::Arc;

use crate::message::node_codec::try_out;
use crate::message::{Encoded, Envelope, Message};
use crate::name::Name;
use crate::pid::Pid;
use crate::priority::Priority;
use crate::system_message::Object;

/// What to tell about a process, for [`process_info`](crate::process_info()).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Item {
    /// The name that it is registered under.
    RegisteredName,
    /// What it is doing.
    Status,
    /// How many messages its mailbox has.
    MessageQueueLen,
    /// The messages in its mailbox, oldest first.
    Messages,
    /// The processes that it is linked to.
    Links,
    /// The processes that it monitors.
    Monitors,
    /// The processes that monitor it, each once for each of its monitors.
    MonitoredBy,
    /// Whether it gets exit signals as messages.
    TrapExit,
    /// Its priority.
    Priority,
    /// Its group leader.
    GroupLeader,
    /// The process that spawned it.
    Parent,
    /// What it calls itself.
    Label,
    /// Its dictionary, in the order of the keys.
    Dictionary,
    /// What its dictionary has under this key.
    DictionaryKey(Name),
    /// How many bytes the runtime has for it.
    Memory,
    /// How much it has worked.
    Reductions,
    /// Where it was spawned.
    InitialCall,
    /// Where it waits.
    CurrentFunction,
    /// Whether it goes on where it sends over a congested connection.
    AsyncDist,
    /// The processes that have suspended it.
    SuspendedBy,
    /// How many answers other processes and nodes owe it.
    Unanswered,
    /// How many messages of other nodes the process lost because they did not decode.
    Undecodable,
}

/// What was told about a process.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum InfoItem {
    /// None for a process without a name.
    RegisteredName(Option<Name>),
    /// What it was doing when it was asked.
    Status(Status),
    /// The messages of its mailbox, counted.
    MessageQueueLen(usize),
    /// The messages of its mailbox.
    Messages(Vec<Snapshot>),
    /// The other ends of its links.
    Links(Vec<Pid>),
    /// What it monitors; as the `Down` will say it.
    Monitors(Vec<Object>),
    /// The processes that monitor it.
    MonitoredBy(Vec<Pid>),
    /// Whether it gets exit signals as messages.
    TrapExit(bool),
    /// Its priority.
    Priority(Priority),
    /// Its group leader.
    GroupLeader(Pid),
    /// `None` if its node spawned it, and not a process.
    Parent(Option<Pid>),
    /// `None` if it has set none.
    Label(Option<Arc<str>>),
    /// Keys and values.
    Dictionary(Vec<(Name, Snapshot)>),
    /// The key that was asked for, and its value.
    DictionaryKey(Name, Option<Snapshot>),
    /// Its slot, its control block and state, what it has behind pointers of the runtime, and
    /// its mailbox; not what values of the program have on the heap.
    Memory(usize),
    /// One for each turn, each message taken and each other step; see
    /// [`bump_reductions`](crate::bump_reductions).
    Reductions(u64),
    /// The place in the source.
    InitialCall(&'static Location<'static>),
    /// The `receive!` that it is in; none while it runs, and where it waits for anything else.
    CurrentFunction(Option<&'static Location<'static>>),
    /// Whether it goes on where it sends over a congested connection.
    AsyncDist(bool),
    /// The processes that have suspended it.
    SuspendedBy(Vec<Pid>),
    /// Its links that it has taken back and whose other ends have not confirmed that, which count
    /// no more, and its requests to spawn that are under way. Both are answered, or their
    /// connection is lost: where all is quiet there are none.
    Unanswered(usize),
    /// The messages of other nodes that the process would have received but that did not decode and
    /// were dropped: the type has another shape, or its own `Deserialize` refused the value. Each
    /// is logged on this node and on the sender's, at a limited rate.
    Undecodable(u64),
}

/// What a process is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Status {
    /// A worker runs it.
    Running,
    /// It could go on, and waits for a worker.
    Runnable,
    /// It waits for a message, or for anything else.
    Waiting,
    /// Another process has suspended it, or it waits for room in the output of a connection.
    Suspended,
    /// It is about to end. Nobody is told so: a process that ends answers no more.
    Exiting,
}

/// A message in a mailbox, or a value in a dictionary, as others see it: its type, and a copy
/// of it if it is one that could be sent to another node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    type_name: Box<str>,
    copy: Option<Encoded>,
}

impl Snapshot {
    /// Returns a message or a value as others may see it. What encodes it is the program's: if that
    /// panics or calls `exit`, there is no copy.
    pub(crate) fn of(envelope: &Envelope) -> Snapshot {
        let copy = try_out(|| envelope.to_encoded().ok()).unwrap_or(None);
        Snapshot { type_name: envelope.type_name().into(), copy }
    }

    /// The value's type: its Rust name, or its tag if it came from another node and has not
    /// been looked at.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// The value, if it is an `M`. None, too, for a [`Local`](crate::Local), of which there is
    /// no copy.
    #[must_use]
    pub fn get<M: Message>(&self) -> Option<M> {
        self.copy.as_ref()?.decode().ok()
    }
}
