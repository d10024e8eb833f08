//! Back-pressure: what becomes of a sender that is faster than its receiver.
//!
//! [`send`](crate::send) never fails and never waits. So a sender can be faster than its receiver
//! for some time, and something has to give. What that is depends on where the receiver lives.
//!
//! # The receiver is on another node
//!
//! What a node sends to a peer waits in an output buffer of that connection. When more than 1 MiB
//! waits there (see [`output_bytes`](crate::NodeBuilder::output_bytes)), the connection is *busy*,
//! and **each process that sends over it is suspended** at its next `.await` of a function of this
//! crate, until half of the buffer has been written. This is Erlang's `busy_dist_port`. It keeps
//! memory bounded and needs no code, and most of the time it lasts for milliseconds.
//!
//! It can hurt. A peer that is frozen, or whose network is cut without a word, takes nothing, and
//! its connection is given up after [`net_ticktime`](crate::NodeBuilder::net_ticktime), which is 60
//! seconds or somewhat more. A server that sends to this peer is suspended all this time, and
//! serves nobody: not the nodes that are well, and not its own node. After one second of that the
//! node logs a warning that names the process and the peer, and
//! [`system_monitor`](crate::system_monitor()) tells a process of each suspension at once.
//!
//! So a process that serves many should not use plain `send` for much data to other nodes. There
//! are five ways out:
//!
//! | way | a busy connection | use it for |
//! |---|---|---|
//! | [`try_send`](crate::try_send) | gives the message back at once | what can be left out: samples, hints, caches |
//! | [`send_with`](crate::send_with) with [`nosuspend`](crate::SendOpts::nosuspend) | the same; mailboxes with a limit are not looked at | the same |
//! | [`send_timeout`](crate::send_timeout) | gives the message back after a time limit | what should arrive, if the peer is well |
//! | a process for each peer | suspends that process only | streams and replicas |
//! | [`async_dist`](crate::async_dist()) | is ignored: the message is buffered without a bound | few, small messages that must not wait |
//!
//! ## Leave the message out
//!
//! [`try_send`](crate::try_send) never suspends. It gives the message back where
//! [`send`](crate::send) would suspend:
//!
//! ```
//! use fika::prelude::*;
//!
//! fn publish(sample: u64, subscribers: &[Pid]) -> usize {
//!     let mut left_out = 0;
//!     for subscriber in subscribers {
//!         match try_send(*subscriber, sample) {
//!             Ok(()) => {}
//!             Err(error) if error.is_busy() || error.is_full() => left_out += 1,
//!             // The subscriber has ended: its monitor tells.
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
//! ## Wait, but not for ever
//!
//! [`send_timeout`](crate::send_timeout) waits for room in one connection, for a limited time. Only
//! the future waits, so several of them wait side by side, and one frozen peer costs no more than
//! the limit. `Err` means that the message was not sent; the error gives it back.
//!
//! ```
//! use fika::prelude::*;
//!
//! /// Gives the replicas that have not taken the update.
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
//! A process that does nothing but send to one peer may well be suspended. The server hands it the
//! messages, which is a send on the own node, and goes on. A
//! [`MailboxLimit`](crate::MailboxLimit) keeps what waits there bounded, and makes a full mailbox
//! something that the server sees:
//!
//! ```
//! use fika::prelude::*;
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
//! ## Do not wait at all
//!
//! After [`async_dist(true)`](crate::async_dist()) the process is never suspended, and what it
//! sends is buffered without a bound. It is for processes whose messages are few and small, and
//! must not wait, such as a supervisor's or a monitor's own. Erlang has the same in the process
//! flag `async_dist`.
//!
//! ```
//! use fika::prelude::*;
//!
//! #[fika::main]
//! async fn main() {
//!     assert!(!fika::async_dist(true), "it was off before");
//!     send(self_pid(), "it is well".to_owned());
//! }
//! ```
//!
//! # The receiver is on this node
//!
//! A mailbox without a limit takes all. With a [`MailboxLimit`](crate::MailboxLimit) its owner
//! decides what becomes of a message that finds it full: the owner is killed, the message is
//! dropped, or the sender is to wait. Senders learn of it by [`try_send`](crate::try_send), and wait
//! by [`send_wait`](crate::send_wait) or [`send_timeout`](crate::send_timeout). A receiver that
//! answers each request, and a sender that waits for the answer before it sends the next one, need
//! none of this.
