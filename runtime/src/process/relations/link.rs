//! Links: made and removed by one of the two processes.

use crate::context;
use crate::pid::Pid;
use crate::process::core::Running;
use crate::process::core::relations::Unlink;
use crate::signal::Signal;

/// Options of a link, for [`link_with`] and for a process that is spawned with one.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[must_use = "options do nothing by themselves"]
pub struct LinkOpts {
    pub(in crate::process) priority: bool,
}

impl LinkOpts {
    /// An ordinary link.
    pub fn new() -> LinkOpts {
        LinkOpts::default()
    }

    /// An [`Exit`](crate::Exit) that comes by the link is put ahead of the ordinary messages
    /// (Erlang's `priority`), at the process that asks for it and not at its peer. See
    /// [`send_priority`](crate::send_priority) for when that is of use.
    pub fn priority(mut self) -> Self {
        self.priority = true;
        self
    }
}

/// Links the running process and `peer`: the end of either signals the other (Erlang's
/// `link/1`). Linking twice, or to oneself, does nothing.
///
/// A link to a process of this node that has ended ends the calling process with `noproc`,
/// or gives it the message [`Exit`](crate::Exit) if it traps exits. On another node the
/// same comes as an exit signal; if the node can't be reached, with `noconnection`. A process of
/// the runtime or of the distribution, such as `net_kernel`, answers other nodes with `noproc`.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn link(peer: Pid) {
    context::process("link", |me| me.link(peer, LinkOpts::new()));
}

/// As [`link`], with options (Erlang's `link/2`). On a link that is there already they replace
/// those that it had, as `link` without any does.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn link_with(peer: Pid, opts: LinkOpts) {
    context::process("link_with", |me| me.link(peer, opts));
}

/// Removes the link to `peer`, if there is one (Erlang's `unlink/1`). From then on no exit
/// signal by that link has an effect; an [`Exit`](crate::Exit) that is in the mailbox stays.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn unlink(peer: Pid) {
    context::process("unlink", |me| {
        if me.control.ending.get() {
            return;
        }
        let unlink = me.control.relations_if_any().and_then(|mut of| of.unlink(peer));
        if let Some(Unlink(id)) = unlink {
            me.node.signal(peer, Signal::Unlink { from: me.pid(), id });
        }
    });
}

impl Running<'_> {
    fn link(self, peer: Pid, opts: LinkOpts) {
        if peer == self.pid() || self.control.ending.get() {
            return;
        }
        if !self.control.relations().link(peer, opts.priority) {
            return;
        }
        let connection = self.node.signal(peer, Signal::Link { from: self.pid() });
        self.control.relations().linked_over(peer, connection);
        // A dead process of this node answers at once, and its answer takes effect here.
        self.take_signals_in_call();
    }
}
