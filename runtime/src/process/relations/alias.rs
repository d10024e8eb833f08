//! Aliases: references that are destinations for as long as their maker wants.

use crate::context;
use crate::process::core::Running;
use crate::process::core::relations::{Active, Ends};
use crate::reference::Reference;

/// Options of an alias, for [`alias_with`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[must_use = "options do nothing by themselves"]
pub struct AliasOpts {
    reply: bool,
    priority: bool,
}

impl AliasOpts {
    /// An alias that ends by [`unalias`] only (Erlang's `explicit_unalias`).
    pub fn new() -> AliasOpts {
        AliasOpts::default()
    }

    /// It ends with the first message that is received by it (Erlang's `reply`).
    pub fn reply(mut self) -> Self {
        self.reply = true;
        self
    }

    /// Messages may be sent by it ahead of the ordinary ones (Erlang's `priority`); see
    /// [`send_priority`](crate::send_priority).
    pub fn priority(mut self) -> Self {
        self.priority = true;
        self
    }
}

/// Makes an alias of the running process: a reference to which others can send, from any
/// node, until [`unalias`] (Erlang's `alias/0`).
///
/// Whether an alias is active is decided when its owner receives the message, not when it is
/// sent: what is on its way when the alias ends is dropped, and so is a message to an alias of
/// a process that has ended.
///
/// ```
/// # use fika_runtime::{Node, alias, send, spawn, unalias};
/// # Node::builder().build().unwrap().block_on(async {
/// let answer_to = alias();
/// spawn(async move { send(answer_to, "the answer".to_owned()) });
/// // receive! { text: String => ..., after secs(1) => ... }
/// unalias(answer_to); // an answer that comes later does not arrive
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn alias() -> Reference {
    alias_of("alias", AliasOpts::new())
}

/// As [`alias`], with options (Erlang's `alias/1`).
///
/// # Panics
/// Outside of a process.
#[must_use]
#[track_caller]
pub fn alias_with(opts: AliasOpts) -> Reference {
    alias_of("alias_with", opts)
}

#[track_caller]
fn alias_of(function: &str, opts: AliasOpts) -> Reference {
    let ends = if opts.reply { Ends::WithReply } else { Ends::Never };
    let priority = opts.priority;
    context::process(function, |me| me.make_alias(Active { ends, priority }))
}

/// Ends an alias of the running process (Erlang's `unalias/1`). Messages by it that are in
/// the mailbox stay; those that have not been received are dropped. True if it was active;
/// only its owner can end it. A monitor whose reference it was stays.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn unalias(alias: Reference) -> bool {
    context::process("unalias", |me| {
        let relations = me.control.relations_if_any();
        let own = alias.node() == me.node.id;
        own && relations.is_some_and(|mut of| of.aliases.remove(alias.serial()))
    })
}

impl Running<'_> {
    pub(in crate::process) fn make_alias(self, alias: Active) -> Reference {
        let reference = self.make_alias_ref();
        self.control.relations().aliases.add(reference.serial(), alias);
        reference
    }
}
