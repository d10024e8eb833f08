//! Requests and replies: how to ask a process, and wait for its reply.
//!
//! A request carries the pid of the client and a [`Reference`](crate::message::Reference), and the
//! reply repeats the reference. The client monitors the server first and uses the monitor as the
//! reference. So it waits for one of three events: the reply, the end of the server, or the end of
//! its time limit.
//!
//! ```
//! use fika::message::Reference;
//! use fika::prelude::*;
//! use fika::process::demonitor_flush;
//!
//! #[message]
//! enum Request {
//!     Put { key: String, value: u64 },
//!     Get { from: Pid, reference: Reference, key: String },
//! }
//!
//! #[message]
//! struct Reply {
//!     reference: Reference,
//!     value: Option<u64>,
//! }
//!
//! async fn store() {
//!     let mut values = std::collections::HashMap::new();
//!     loop {
//!         receive! {
//!             Request::Put { key, value } => {
//!                 values.insert(key, value);
//!             }
//!             Request::Get { from, reference, key } => {
//!                 send(from, Reply { reference, value: values.get(&key).copied() });
//!             }
//!         }
//!     }
//! }
//!
//! async fn get(store: Pid, key: &str) -> Result<Option<u64>, ExitReason> {
//!     let call = monitor(store);
//!     send(store, Request::Get { from: self_pid(), reference: call, key: key.to_owned() });
//!     receive! {
//!         for call,
//!         Reply { reference, value } if reference == call => {
//!             demonitor_flush(call);
//!             Ok(value)
//!         }
//!         Down { monitor, reason, .. } if monitor == call => Err(reason),
//!         after secs(5) => {
//!             demonitor_flush(call);
//!             Err(ExitReason::Timeout)
//!         }
//!     }
//! }
//!
//! #[fika::main]
//! async fn main() {
//!     let store = spawn(store());
//!     send(store, Request::Put { key: "a".into(), value: 7 });
//!     assert_eq!(get(store, "a").await, Ok(Some(7)));
//!
//!     exit_process(store, ExitReason::Kill);
//!     assert!(get(store, "a").await.is_err());
//! }
//! ```
//!
//! - `for call,` lets the receive skip all messages that are older than the reference, so the cost
//!   does not depend on the length of the mailbox.
//! - [`demonitor_flush`](crate::process::demonitor_flush) removes the monitor, and its `Down` from
//!   the mailbox if it has already arrived.
//! - After a time limit, a late reply still arrives in the mailbox. To prevent this, use an alias
//!   as the address of the reply: the reference of a monitor with
//!   [`MonitorAlias::ReplyDemonitor`](crate::process::MonitorAlias) is also an alias.
//! - All of this works in the same way if the server runs on another node. If the node is lost, the
//!   reason of the `Down` is `noconnection`.
