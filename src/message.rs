//! Messages: the values that can be sent, their destinations, and the functions that send them.
//!
//! A message is a value of a type with the attribute [`#[fika::message]`](macro@crate::message), or
//! of one of the many types of std that are messages, such as `u64`, `String`, and tuples and
//! vectors of messages. [`Message`] lists them. [`send`] puts a message into the mailbox of a
//! process, and [`receive!`](crate::receive) takes it out.
//!
//! ```
//! use fika::prelude::*;
//!
//! #[message]
//! enum Account { Deposit(u64), Balance { to: Pid } }
//!
//! async fn account() {
//!     let mut balance = 0;
//!     loop {
//!         receive! {
//!             Account::Deposit(amount) => balance += amount,
//!             Account::Balance { to } => send(to, balance),
//!         }
//!     }
//! }
//!
//! #[fika::main]
//! async fn main() {
//!     let account = spawn(account());
//!     send(account, Account::Deposit(7));
//!     send(account, Account::Balance { to: self_pid() });
//!     receive! { balance: u64 => assert_eq!(balance, 7) }
//! }
//! ```
//!
//! # Order and delivery
//!
//! Messages from one process to another arrive in the order in which they were sent. `send` returns
//! immediately. A message to a process that has ended is dropped, as in Erlang. To learn that a
//! process has ended, monitor it. As in Erlang, three mistakes end the sender with `badarg`: a name
//! that is not registered on this node, an invalid node name, and a value that can't be sent to
//! another node. [`Node::send`](crate::Node::send) returns these errors.
//!
//! # Destinations
//!
//! A [`Dest`] is a [`Pid`](crate::Pid), a registered name, a name on another node (`("name",
//! "node@host")`), or an [`alias`] of a process, which the process can deactivate. A message to a
//! name on another node is dropped if the name is not registered there. A request usually carries a
//! [`Reference`], which the reply repeats; see the chapter [`requests`](crate::guide::requests).
//!
//! # On another node
//!
//! A message moves to a process of the same node without being encoded. For another node, it is
//! encoded once, by its sender. A value that can't leave its node, such as a socket, can be sent in
//! a [`Local`], or as a type with `#[message(local)]`. Sending it to another node ends the sender
//! with `badarg`.
//!
//! # Limits
//!
//! A mailbox has no limit unless [`mailbox_limit`](fn@mailbox_limit) or
//! [`SpawnOpts`](crate::process::SpawnOpts) sets one. [`try_send`], [`send_wait`] and
//! [`send_timeout`] tell the sender when the mailbox or the connection is full. The chapter
//! [`back_pressure`](crate::guide::back_pressure) says which one to use.

pub use fika_runtime::message::{
    Buffer, Letter, array, decode_postcard, decode_postcard_shared, encode_postcard, fingerprint_of,
};
pub use fika_runtime::{
    AliasOpts, Bytes, DecodeError, Dest, EncodeError, Encoded, Envelope, Local, MailboxLimit,
    NodeText, Part, ProcessText, Reference, SendError, SendOpts, TagClash, Tagged, Term,
    TrySendError, WhenFull, alias, alias_with, mailbox_limit, make_ref, open_message, send,
    send_priority, send_timeout, send_wait, send_with, try_send, unalias,
};

pub use fika_macros::Message;
pub use fika_runtime::Message;
