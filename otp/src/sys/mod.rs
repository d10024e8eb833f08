//! System messages: looking at a behaviour process, and controlling it (OTP's `sys`).
//!
//! ```
//! use fika::prelude::*;
//! use fika::sys;
//!
//! struct Counter(i64);
//!
//! #[gen_server]
//! impl Counter {
//!     async fn init() -> Self {
//!         Counter(0)
//!     }
//!
//!     #[call]
//!     async fn add(&mut self, by: i64) -> i64 {
//!         self.0 += by;
//!         self.0
//!     }
//!
//!     fn format_status(&self) -> String {
//!         format!("at {}", self.0)
//!     }
//! }
//!
//! #[fika::main]
//! async fn main() -> fika::Result {
//!     let counter = Counter::start_link(Start::new()).await?;
//!     sys::suspend(&counter).await?;
//!     let request = counter.add(5).send();
//!     let status = sys::get_status(&counter).await?;
//!     assert!(status.suspended);
//!     assert_eq!(status.state, "at 0");
//!     sys::resume(&counter).await?;
//!     assert_eq!(request.receive_response(secs(5)).await?, 5);
//!     Ok(())
//! }
//! ```
//!
//! The process handles a system message between two others, so a process that is busy answers late.
//! These functions have the time limit of a call, and work on processes of other nodes.

use std::any::Any;

use fika_macros::Message;
use fika_runtime::{Envelope, ExitReason, Pid, open_message};
use serde::{Deserialize, Serialize};

use crate::r#gen::wire::{LocalCall, RemoteCall};
use crate::r#gen::{CallError, ReplyTo, Request, ServerRef};

/// A system message that any node may send.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::sys::System")]
pub(crate) enum System {
    Suspend,
    Resume,
    GetStatus,
    Terminate(ExitReason),
}

/// The answer to a [`System`] message.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::sys::SystemReply")]
pub(crate) enum SystemReply {
    Done,
    Status(Status),
}

/// The status of a behaviour process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The name of the Rust type that has the callbacks.
    pub module: String,
    /// The process that started it.
    pub parent: Option<Pid>,
    /// Whether it handles system messages only.
    pub suspended: bool,
    /// The state, as `format_status` shows it.
    pub state: String,
}

/// Work on the state of a process of this node.
#[derive(Message)]
#[message(local)]
pub(crate) struct OnState(Box<dyn FnOnce(&mut dyn Any) -> bool + Send>);

/// What a system message asks of the process's loop.
pub(crate) enum Order {
    Done,
    Suspend(bool),
    Stop(ExitReason),
    /// It is no system message.
    Unknown(Envelope),
}

/// Returns whether this is a system message.
pub(crate) fn is_system(message: &Envelope) -> bool {
    message.is::<LocalCall<System, SystemReply>>()
        || message.is::<RemoteCall<System, SystemReply>>()
        || message.is::<LocalCall<OnState, bool>>()
}

/// Handles a system message.
pub(crate) fn order<S: 'static>(
    message: Envelope,
    state: &mut S,
    parent: Option<Pid>,
    suspended: bool,
    status: impl FnOnce(&S, Option<Pid>, bool) -> Status,
) -> Order {
    let (from, system) = if message.is::<LocalCall<System, SystemReply>>() {
        let Some(LocalCall { from, request }) =
            open_message::<LocalCall<System, SystemReply>>(message)
        else {
            return Order::Done;
        };
        (from, request)
    } else if message.is::<RemoteCall<System, SystemReply>>() {
        let Some(RemoteCall { head, request, .. }) =
            open_message::<RemoteCall<System, SystemReply>>(message)
        else {
            return Order::Done;
        };
        (ReplyTo::there(head.caller, head.proxy), request)
    } else if message.is::<LocalCall<OnState, bool>>() {
        if let Some(LocalCall { from, request }) = open_message::<LocalCall<OnState, bool>>(message)
        {
            let done =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (request.0)(state)));
            match done {
                Ok(done) => from.reply(done),
                Err(payload) => {
                    std::mem::forget(payload);
                    from.reply(false);
                }
            }
        }
        return Order::Done;
    } else {
        return Order::Unknown(message);
    };
    match system {
        System::Suspend => {
            from.reply(SystemReply::Done);
            Order::Suspend(true)
        }
        System::Resume => {
            from.reply(SystemReply::Done);
            Order::Suspend(false)
        }
        System::GetStatus => {
            from.reply(SystemReply::Status(status(state, parent, suspended)));
            Order::Done
        }
        System::Terminate(reason) => {
            from.reply(SystemReply::Done);
            Order::Stop(reason)
        }
    }
}

fn system<S>(server: &ServerRef<S>, request: System) -> Request<'_, System, SystemReply> {
    Request::new(server.address(), request)
}

/// Makes a behaviour process handle system messages only (OTP's `sys:suspend/1`).
///
/// # Errors
/// As a call.
pub async fn suspend<S>(server: &ServerRef<S>) -> Result<(), CallError> {
    system(server, System::Suspend).await.map(drop)
}

/// Lets a suspended process go on (OTP's `sys:resume/1`).
///
/// # Errors
/// As a call.
pub async fn resume<S>(server: &ServerRef<S>) -> Result<(), CallError> {
    system(server, System::Resume).await.map(drop)
}

/// Returns the status of a behaviour process (OTP's `sys:get_status/1`).
///
/// # Errors
/// As a call.
pub async fn get_status<S>(server: &ServerRef<S>) -> Result<Status, CallError> {
    match system(server, System::GetStatus).await? {
        SystemReply::Status(status) => Ok(status),
        SystemReply::Done => unreachable!("a status is answered by one"),
    }
}

/// Ends a behaviour process with this reason, by its `terminate` (OTP's `sys:terminate/2`).
///
/// # Errors
/// As a call.
pub async fn terminate<S>(server: &ServerRef<S>, reason: ExitReason) -> Result<(), CallError> {
    system(server, System::Terminate(reason)).await.map(drop)
}
