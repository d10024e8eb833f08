//! The options of a link.

/// Options of a link, for [`link_with`](crate::link_with) and for a process that is spawned with a link.
///
/// ```
/// # use fika_runtime::{LinkOpts, Node, link_with, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let worker = spawn(std::future::pending::<()>());
/// // The worker's exit signal goes ahead of ordinary messages.
/// link_with(worker, LinkOpts::new().priority());
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[must_use = "options do nothing by themselves"]
pub struct LinkOpts {
    pub(in crate::process) priority: bool,
}

impl LinkOpts {
    /// Returns the options of an ordinary link.
    pub fn new() -> LinkOpts {
        LinkOpts::default()
    }

    /// Puts an [`Exit`](crate::Exit) that comes by the link ahead of the ordinary messages
    /// (Erlang's `priority`). This applies to the process that makes the link, not to its peer. See
    /// [`send_priority`](crate::send_priority) for when that is of use.
    pub fn priority(mut self) -> Self {
        self.priority = true;
        self
    }
}
