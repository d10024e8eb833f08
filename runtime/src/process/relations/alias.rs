//! Aliases: references to which others can send, for as long as the process that made them wants.

use crate::context;
use crate::process::core::Running;
use crate::process::core::relations::{Active, Ends};
use crate::process::receive::make_marked_alias_ref;
use crate::reference::Reference;

/// Options of an alias, for [`alias_with`].
///
/// ```
/// # use fika_runtime::{AliasOpts, Node, alias_with, send, send_priority};
/// # Node::builder().build().unwrap().block_on(async {
/// // An address that works for one message.
/// let once = alias_with(AliasOpts::new().reply());
/// send(once, 1_u64);
/// // An address by which messages may go ahead of others.
/// let urgent = alias_with(AliasOpts::new().priority());
/// send_priority(urgent, "stop".to_owned());
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[must_use = "options do nothing by themselves"]
pub struct AliasOpts {
    reply: bool,
    priority: bool,
}

impl AliasOpts {
    /// Returns the options of an alias that ends by [`unalias`] only (Erlang's `explicit_unalias`).
    pub fn new() -> AliasOpts {
        AliasOpts::default()
    }

    /// Makes the alias end with the first message that is received by it (Erlang's `reply`).
    pub fn reply(mut self) -> Self {
        self.reply = true;
        self
    }

    /// Allows messages by the alias ahead of ordinary messages (Erlang's `priority`). See
    /// [`send_priority`](crate::send_priority).
    pub fn priority(mut self) -> Self {
        self.priority = true;
        self
    }
}

/// Makes an alias of the running process: a reference to which others can send, from any node,
/// until [`unalias`] is called (Erlang's `alias/0`).
///
/// The alias has to be active when its owner receives the message, not when the message is sent. A
/// message that is in flight when the alias ends is dropped. So is a message to an alias of a
/// process that has ended.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use std::time::Duration;
/// # use fika::{Node, alias, send, spawn, unalias};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let answer_to = alias();
/// spawn(async move { send(answer_to, "the answer".to_owned()) });
/// receive! {
///     text: String => println!("{text}"),
///     after Duration::from_secs(1) => println!("no answer"),
/// }
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

/// Makes an alias with options (Erlang's `alias/1`). See [`alias`].
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{AliasOpts, Node, alias_with, send};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let once = alias_with(AliasOpts::new().reply());
/// send(once, 1_u64);
/// send(once, 2_u64);
/// receive! { n: u64 => assert_eq!(n, 1) }
/// receive! {
///     n: u64 => panic!("{n} came by an alias that is used up"),
///     after std::time::Duration::ZERO => {}
/// }
/// # });
/// ```
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
    context::process(function, |me| make_alias(me, Active { ends, priority }))
}

/// Ends an alias of the running process, and returns whether it was active (Erlang's `unalias/1`).
/// Messages by the alias that are in the mailbox stay, and messages that come later are dropped.
/// Only the owner of an alias can end it. If the alias is the reference of a monitor, the monitor
/// stays.
///
/// ```
/// # use fika_runtime::{Node, alias, send, unalias};
/// # Node::builder().build().unwrap().block_on(async {
/// let address = alias();
/// assert!(unalias(address));
/// // Dropped.
/// send(address, 1_u64);
/// # });
/// ```
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

/// Makes an alias of the process, which is active from now on.
pub(super) fn make_alias(me: Running<'_>, alias: Active) -> Reference {
    let reference = make_marked_alias_ref(me);
    me.control.relations().aliases.add(reference.serial(), alias);
    reference
}
