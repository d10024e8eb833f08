//! Servers, supervision trees, tasks and registries, as ordinary processes on the public API of
//! `fika_runtime` (OTP's `stdlib`).

#![forbid(unsafe_code)]

extern crate fika_runtime as fika;

pub mod agent;
mod r#gen;
pub mod gen_server;
pub mod proc_lib;
pub mod registry;
pub mod supervisor;
pub mod supervisor_bridge;
pub mod sys;
pub mod task;

pub use fika_macros::gen_server;
pub use r#gen::{
    CALL_TIMEOUT, CallError, Caller, Calling, Hop, InitAck, ReplyTo, Request, RequestId,
    RequestIds, ServerRef, Start, StartError, Via,
};
pub use gen_server::GenServer;

/// Used by the code that `#[gen_server]` makes. Not part of the public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::r#gen::behaviour::Behaviour;
    pub use crate::gen_server::{Handled, Kind, NoDebug, RequestName, State};
    pub use crate::supervisor::{StartArgs, child_spec};
}
