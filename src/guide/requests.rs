//! Requests and replies: how to ask a process, and wait for its reply.
//!
//! A process that answers requests is a [`gen_server`](mod@crate::gen_server). The attribute
//! [`#[gen_server]`](macro@crate::gen_server) makes it from the functions that handle the requests,
//! and makes a client with a method for each of them:
//!
//! ```
//! use std::collections::HashMap;
//!
//! use fika::prelude::*;
//!
//! struct Store {
//!     values: HashMap<String, u64>,
//! }
//!
//! #[gen_server]
//! impl Store {
//!     pub async fn init() -> Self {
//!         Store { values: HashMap::new() }
//!     }
//!
//!     #[cast]
//!     pub async fn put(&mut self, key: String, value: u64) {
//!         self.values.insert(key, value);
//!     }
//!
//!     #[call]
//!     pub async fn get(&mut self, key: String) -> Option<u64> {
//!         self.values.get(&key).copied()
//!     }
//! }
//!
//! #[fika::main]
//! async fn main() -> fika::Result {
//!     let store = Store::start(Start::name("store")).await?;
//!     store.put("a".into(), 7);
//!     assert_eq!(store.get("a".into()).await?, Some(7));
//!
//!     exit_process(store.whereis().unwrap(), ExitReason::Kill);
//!     let error = store.get("a".into()).timeout(secs(1)).await.unwrap_err();
//!     println!("{error}");
//!     Ok(())
//! }
//! ```
//!
//! # Outside of a process
//!
//! A call is made by a process. A thread makes one inside [`Node::block_on`](crate::Node::block_on), and
//! a task of another executor, such as the handler of a web server, inside
//! [`Node::run_process`](crate::Node::run_process). If the task drops that future, the call is given up.
//!
//! # What can go wrong
//!
//! A call waits for one of four things: the reply, the end of the server, the loss of its node, or the
//! end of its time limit, which is five seconds unless [`timeout`](crate::gen_server::Request::timeout)
//! says otherwise. The [`CallError`](crate::gen_server::CallError) says which one it was. With `?` in a
//! process that returns a `Result`, the process ends with that error, as the caller ends in OTP.
//!
//! After a timeout the server may still handle the request. Its reply is dropped. So repeat a request
//! only if handling it twice does no harm.
//!
//! A server handles one message at a time. While it calls another server, it handles none, and its own
//! callers wait. If that takes long, it can [reply later](crate::gen_server::Caller::reply_later), or
//! let another process do the work and reply.
//!
//! A `#[cast]` is not answered, and its sender does not learn whether it was handled. Casts and calls of
//! one client arrive in the order in which they were sent.
//!
//! # Many requests at once
//!
//! A request is a future, so several can wait side by side, in one process.
//! [`send`](crate::gen_server::Request::send) sends a request now, for a reply that is asked for later:
//!
//! ```
//! use fika::gen_server::RequestIds;
//! use fika::prelude::*;
//!
//! struct Worker(u64);
//!
//! #[gen_server]
//! impl Worker {
//!     async fn init(factor: u64) -> Self {
//!         Worker(factor)
//!     }
//!
//!     #[call]
//!     async fn times(&mut self, n: u64) -> u64 {
//!         self.0 * n
//!     }
//! }
//!
//! #[fika::main]
//! async fn main() -> fika::Result {
//!     let mut requests = RequestIds::new();
//!     for factor in 1..=3 {
//!         let worker = Worker::start_link(Start::new(), factor).await?;
//!         requests.add(factor, worker.times(10).send());
//!     }
//!     let mut sum = 0;
//!     while let Some((_factor, reply)) = requests.receive_response(secs(5)).await? {
//!         sum += reply?;
//!     }
//!     assert_eq!(sum, 60);
//!     Ok(())
//! }
//! ```
//!
//! # With messages alone
//!
//! A process that is not a `gen_server` is asked by two messages. The request carries the pid of the
//! client and a [`Reference`](crate::message::Reference), and the reply repeats the reference. The
//! client monitors the process first, and uses the monitor as the reference:
//!
//! ```
//! use fika::message::Reference;
//! use fika::prelude::*;
//! use fika::process::demonitor_flush;
//!
//! #[message]
//! struct Double { from: Pid, reference: Reference, n: u64 }
//!
//! #[message]
//! struct Doubled { reference: Reference, n: u64 }
//!
//! async fn doubler() {
//!     loop {
//!         receive! {
//!             Double { from, reference, n } => send(from, Doubled { reference, n: 2 * n }),
//!         }
//!     }
//! }
//!
//! async fn double(doubler: Pid, n: u64) -> Result<u64, ExitReason> {
//!     let call = monitor(doubler);
//!     send(doubler, Double { from: self_pid(), reference: call, n });
//!     receive! {
//!         for call,
//!         Doubled { reference, n } if reference == call => {
//!             demonitor_flush(call);
//!             Ok(n)
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
//!     let doubler = spawn(doubler());
//!     assert_eq!(double(doubler, 7).await, Ok(14));
//! }
//! ```
//!
//! - `for call,` lets the receive skip all messages that are older than the reference, so the cost
//!   does not depend on the length of the mailbox.
//! - [`demonitor_flush`](crate::process::demonitor_flush) takes the monitor back, and its `Down` out
//!   of the mailbox if it has come meanwhile.
//! - After a time limit, a late reply still arrives in the mailbox. To bar it, send the request with
//!   an alias as the address of the reply: a monitor with
//!   [`MonitorAlias::ReplyDemonitor`](crate::process::MonitorAlias) is both.
//! - All of this is the same if the process runs on another node. If the node is lost, the reason of
//!   the `Down` is `noconnection`.
