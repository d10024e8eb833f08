//! How much a mailbox may hold, and what becomes of a message that finds it full.

/// A limit of the mailbox of a process (the place of Erlang's `max_heap_size`).
///
/// It bounds the messages that were sent to the process and that it has not received yet, be
/// they in its mailbox or on their way to it: there are never more of them. What comes of the
/// process's own links, monitors and requests to spawn always finds room and is not counted,
/// such as a [`Down`](crate::Down); nor is an [`Exit`](crate::Exit).
///
/// A process has the limit that it was spawned with
/// ([`SpawnOpts::mailbox_limit`](crate::SpawnOpts::mailbox_limit)), else the one of its node
/// ([`NodeBuilder::mailbox_limit`](crate::NodeBuilder::mailbox_limit)), else none; and it may
/// change it, by [`mailbox_limit`](crate::mailbox_limit).
///
/// ```
/// # use fika_runtime::{MailboxLimit, Node, SpawnOpts, WhenFull, spawn_opt};
/// let limit = MailboxLimit::messages(10_000).when_full(WhenFull::DropNewest);
/// # Node::builder().build().unwrap().block_on(async move {
/// spawn_opt(SpawnOpts::new().mailbox_limit(limit), async { /* receive, ... */ });
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MailboxLimit {
    pub(crate) messages: usize,
    pub(crate) when_full: WhenFull,
    pub(crate) log: bool,
}

/// What becomes of a message that finds the mailbox full.
///
/// [`try_send`](crate::try_send) gives it back and [`send_wait`](crate::send_wait) waits for
/// room, whatever the limit says here. This is about all that can't wait: a plain
/// [`send`](crate::send), the message of a timer, and one from another node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WhenFull {
    /// The message is dropped, and the receiver ends with reason `killed`, whether it traps
    /// exits or not (as with Erlang's `max_heap_size`).
    #[default]
    Kill,
    /// The message is dropped. The receiver takes it that it can be without.
    DropNewest,
    /// Senders are to wait, by [`send_wait`](crate::send_wait). What can't wait is dropped as
    /// well: `send` never waits, or two processes that send to each other might for ever. But
    /// that is a mistake of the sender's, and reported as such.
    Wait,
}

impl MailboxLimit {
    /// No limit.
    pub const NONE: MailboxLimit = MailboxLimit::messages(usize::MAX);

    /// No more messages than this.
    #[must_use]
    pub const fn messages(max: usize) -> MailboxLimit {
        MailboxLimit { messages: max, when_full: WhenFull::Kill, log: true }
    }

    /// What becomes of a message that finds the mailbox full; [`WhenFull::Kill`] if not set.
    #[must_use]
    pub const fn when_full(mut self, what: WhenFull) -> MailboxLimit {
        self.when_full = what;
        self
    }

    /// Whether the first message that finds the mailbox full, and is not sent by `try_send` or
    /// `send_wait`, is logged; true if not set.
    #[must_use]
    pub const fn log(mut self, log: bool) -> MailboxLimit {
        self.log = log;
        self
    }

    /// Whether it limits nothing.
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
