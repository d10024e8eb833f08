//! Servers, supervision trees, tasks and registries, as ordinary processes on the public API of
//! `fika_runtime` (OTP's `stdlib`).

#![forbid(unsafe_code)]

extern crate fika_runtime as fika;

mod r#gen;
pub mod gen_server;
pub mod sys;

/// Starting processes that report when they are ready (OTP's `proc_lib`).
///
/// ```
/// use fika::prelude::*;
/// use fika::proc_lib::{self, Bond, InitAck, StartError};
///
/// /// Makes its table, reports the number of its entries, and then serves.
/// async fn table(ack: InitAck<usize>, keys: Vec<String>) {
///     if keys.is_empty() {
///         let why = ExitReason::Badarg("there are no keys".into());
///         ack.fail(StartError::Failed(why.clone()), why).await;
///     }
///     ack.ok(keys.len());
///     loop {
///         receive! { (from, n): (Pid, u64) => send(from, keys.get(n as usize).cloned()) }
///     }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let opts = Start::new().timeout(secs(5));
///     let keys = vec!["a".to_owned(), "b".to_owned()];
///     let (pid, len) = proc_lib::start(&opts, Bond::Link, |ack| table(ack, keys)).await?;
///     assert_eq!(len, 2);
///     send(pid, (self_pid(), 1_u64));
///     receive! { key: Option<String> => assert_eq!(key.as_deref(), Some("b")) }
///
///     let failed = proc_lib::start(&opts, Bond::Link, |ack| table(ack, vec![])).await;
///     assert!(matches!(failed, Err(StartError::Failed(_))));
///     Ok(())
/// }
/// ```
///
/// The starter waits until the process has acknowledged by its [`InitAck`], and learns of a failed
/// start by an error, when the process has ended. The processes of the behaviours are started in this
/// way; most programs use [`gen_server`].
pub mod proc_lib {
    pub use crate::r#gen::{Bond, InitAck, Start, StartError, start};
}

pub use fika_macros::gen_server;
pub use r#gen::{
    Bond, CALL_TIMEOUT, CallError, Caller, Calling, Hop, InitAck, ReplyTo, Request, RequestId,
    RequestIds, ServerRef, Start, StartError, Via,
};
pub use gen_server::GenServer;

/// Used by the code that `#[gen_server]` makes. Not part of the public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::r#gen::behaviour::Behaviour;
    pub use crate::gen_server::{Handled, RequestName};
}
