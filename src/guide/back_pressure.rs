//! Back-pressure: what happens if a sender is faster than its receiver.
//!
//! [`send`](crate::message::send) returns immediately, whether or not the receiver keeps up. So a
//! sender can be faster than its receiver. The effect depends on where the receiver is.
//!
//! # The receiver is on another node
//!
//! Each connection has a buffer for its output. If it holds more than 1 MiB (see
//! [`output_bytes`](crate::node::NodeBuilder::output_bytes)), the connection is *busy*. **Each
//! process that sends over a busy connection is suspended** at its next `.await` of a function of
//! this crate, until half of the buffer has been written. This is Erlang's `busy_dist_port`. It
//! keeps memory bounded without any code of yours, and usually lasts for milliseconds.
//!
//! But it can suspend a process for too long. A peer that is frozen, or whose network is cut
//! silently, reads nothing, and its connection is closed only after
//! [`net_ticktime`](crate::node::NodeBuilder::net_ticktime), 60 seconds or somewhat more. A server
//! that sends to this peer is suspended all this time, and serves no process, not even one on its
//! own node. After one second the node logs a warning that names the process and the peer;
//! [`system_monitor`](crate::net::system_monitor()) reports each suspension immediately, to a
//! process.
//!
//! So a process that serves many others should not send much data to other nodes by plain `send`.
//! There are five alternatives:
//!
//! | way | a busy connection | use it for |
//! |---|---|---|
//! | [`try_send`](crate::message::try_send) | returns the message immediately | messages that can be dropped: samples, hints, caches |
//! | [`send_with`](crate::message::send_with) with [`nosuspend`](crate::message::SendOpts::nosuspend) | returns the message immediately; ignores mailbox limits | messages that can be dropped |
//! | [`send_timeout`](crate::message::send_timeout) | returns the message after a time limit | messages that should arrive if the peer works |
//! | a process for each peer | suspends that process only | streams and replicas |
//! | [`async_dist`](crate::net::async_dist()) | buffers the message without a bound | few, small messages that must not wait |
//!
//! ## Drop the message
//!
//! [`try_send`](crate::message::try_send) never suspends the process. It returns the message in an
//! error if [`send`](crate::message::send) would suspend it:
//!
//! ```
//! use fika::prelude::*;
//! use fika::message::try_send;
//!
//! fn publish(sample: u64, subscribers: &[Pid]) -> usize {
//!     let mut left_out = 0;
//!     for subscriber in subscribers {
//!         match try_send(*subscriber, sample) {
//!             Ok(()) => {}
//!             Err(error) if error.is_busy() || error.is_full() => left_out += 1,
//!             // The subscriber has ended, which its monitor reports.
//!             Err(_) => {}
//!         }
//!     }
//!     left_out
//! }
//!
//! #[fika::main]
//! async fn main() {
//!     assert_eq!(publish(7, &[self_pid()]), 0);
//! }
//! ```
//!
//! ## Wait for a limited time
//!
//! [`send_timeout`](crate::message::send_timeout) waits for room in one connection, for a limited
//! time. Only the future waits, so several can wait at the same time, and one frozen peer costs at
//! most the limit. `Err` means that the message was not sent; the error contains it.
//!
//! ```
//! use fika::prelude::*;
//! use fika::message::send_timeout;
//!
//! /// Returns the replicas that have not taken the update.
//! async fn replicate(update: Vec<u8>, replicas: Vec<Pid>) -> Vec<Pid> {
//!     let mut lagging = Vec::new();
//!     for replica in replicas {
//!         if send_timeout(replica, update.clone(), millis(200)).await.is_err() {
//!             lagging.push(replica);
//!         }
//!     }
//!     lagging
//! }
//!
//! #[fika::main]
//! async fn main() {
//!     assert!(replicate(vec![1, 2, 3], vec![self_pid()]).await.is_empty());
//! }
//! ```
//!
//! ## A process for each peer
//!
//! A process that only sends to one peer may be suspended without harm. The server passes the
//! messages to it, which is a send within the node, and continues. A
//! [`MailboxLimit`](crate::message::MailboxLimit) bounds the backlog, and `try_send` fails when it
//! is full:
//!
//! ```
//! use fika::prelude::*;
//! use fika::message::{MailboxLimit, WhenFull, mailbox_limit, try_send};
//!
//! /// Passes updates on to a replica.
//! async fn feed(replica: Pid) {
//!     mailbox_limit(MailboxLimit::messages(1000).when_full(WhenFull::Wait));
//!     loop {
//!         receive! { update: Vec<u8> => send(replica, update) }
//!     }
//! }
//!
//! #[fika::main]
//! async fn main() {
//!     let feeds = [spawn_link(feed(self_pid()))];
//!     for feed in feeds {
//!         match try_send(feed, vec![1_u8, 2, 3]) {
//!             Ok(()) => {}
//!             Err(error) if error.is_full() => { /* the replica needs a new copy of everything */ }
//!             Err(error) => panic!("{error}"),
//!         }
//!     }
//!     receive! { update: Vec<u8> => assert_eq!(update, [1, 2, 3]) }
//! }
//! ```
//!
//! ## Turn suspension off
//!
//! After [`async_dist(true)`](crate::net::async_dist()) the process is never suspended, and what it
//! sends is buffered without a bound. Use it for processes that send few and small messages and
//! must not wait, such as a supervisor. It is Erlang's process flag `async_dist`.
//!
//! ```
//! use fika::prelude::*;
//!
//! #[fika::main]
//! async fn main() {
//!     assert!(!fika::net::async_dist(true), "it was off before");
//!     send(self_pid(), "it is well".to_owned());
//! }
//! ```
//!
//! # The receiver is on this node
//!
//! A mailbox without a limit takes every message. With a
//! [`MailboxLimit`](crate::message::MailboxLimit), its owner decides what happens when the mailbox
//! is full: the owner is killed, the message is dropped, or the sender has to wait.
//! [`try_send`](crate::message::try_send) tells a sender that the mailbox is full. A sender waits
//! for room with [`send_wait`](crate::message::send_wait) or
//! [`send_timeout`](crate::message::send_timeout). A sender that waits for the answer to each
//! request before it sends the next one needs none of this.
