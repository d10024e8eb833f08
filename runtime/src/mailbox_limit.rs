//! How many messages a mailbox may hold, and what happens to a message that finds it full.

/// A limit of a process's mailbox, in place of Erlang's `max_heap_size`.
///
/// It bounds the number of messages that were sent to the process and not received yet, in its
/// mailbox or in its queue. Messages that result from the process's own links, monitors and spawn
/// requests always find room and don't count, for example a [`Down`](crate::Down). An
/// [`Exit`](crate::Exit) does not count either.
///
/// A process has the limit that it was spawned with
/// ([`SpawnOpts::mailbox_limit`](crate::SpawnOpts::mailbox_limit)). By default it has the limit of
/// its node ([`NodeBuilder::mailbox_limit`](crate::NodeBuilder::mailbox_limit)), and otherwise
/// none. It can change its limit with [`mailbox_limit`](crate::mailbox_limit).
///
/// ```
/// # use fika_runtime::{MailboxLimit, Node, SpawnOpts, WhenFull, spawn_opt};
/// let limit = MailboxLimit::messages(10_000).when_full(WhenFull::DropNewest).log(false);
/// # Node::builder().build().unwrap().block_on(async move {
/// spawn_opt(SpawnOpts::new().mailbox_limit(limit), async { /* receive, ... */ });
/// # });
/// assert!(MailboxLimit::default().is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MailboxLimit {
    pub(crate) messages: usize,
    pub(crate) when_full: WhenFull,
    pub(crate) log: bool,
}

/// The treatment of a message that finds the mailbox full.
///
/// It applies to messages that can't wait: those of a plain [`send`](crate::send), of a timer and
/// from another node. [`try_send`](crate::try_send) returns the message and
/// [`send_wait`](crate::send_wait) waits for room, whatever the limit says.
///
/// ```
/// use fika_runtime::{MailboxLimit, WhenFull};
///
/// // Readings of a sensor: the receiver can do without some of them.
/// let readings = MailboxLimit::messages(100).when_full(WhenFull::DropNewest).log(false);
/// // Jobs: their senders wait.
/// let jobs = MailboxLimit::messages(100).when_full(WhenFull::Wait);
/// # assert_ne!(readings, jobs);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WhenFull {
    /// The message is dropped, and the receiver ends with reason `killed`, even if it traps exits
    /// (as with Erlang's `max_heap_size`).
    #[default]
    Kill,
    /// The message is dropped. This suits a receiver that can do without it.
    DropNewest,
    /// Senders should wait, with [`send_wait`](crate::send_wait). A message that can't wait is
    /// dropped: if `send` waited, two processes that send to each other might wait forever. Such a
    /// drop is reported as a mistake of the sender.
    Wait,
}

impl MailboxLimit {
    /// No limit.
    pub const NONE: MailboxLimit = MailboxLimit::messages(usize::MAX);

    /// At most this many messages.
    #[must_use]
    pub const fn messages(max: usize) -> MailboxLimit {
        MailboxLimit { messages: max, when_full: WhenFull::Kill, log: true }
    }

    /// Sets what happens to a message that finds the mailbox full. By default, [`WhenFull::Kill`].
    #[must_use]
    pub const fn when_full(mut self, what: WhenFull) -> MailboxLimit {
        self.when_full = what;
        self
    }

    /// Sets whether to log the first message that finds the mailbox full and was not sent by
    /// `try_send` or `send_wait`. By default, true.
    #[must_use]
    pub const fn log(mut self, log: bool) -> MailboxLimit {
        self.log = log;
        self
    }

    /// Returns whether there is no limit.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.messages == usize::MAX
    }
}

/// No limit.
impl Default for MailboxLimit {
    fn default() -> MailboxLimit {
        MailboxLimit::NONE
    }
}
