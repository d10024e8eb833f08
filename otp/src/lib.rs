//! Servers, supervision trees, tasks and registries, as ordinary processes on the public API of
//! `fika_runtime` (OTP's `stdlib`).

#![forbid(unsafe_code)]

extern crate fika_runtime as fika;

mod r#gen;
pub mod gen_server;
pub mod supervisor;
pub mod sys;

/// Starting processes that report when they are ready (OTP's `proc_lib`).
pub mod proc_lib {
    pub use crate::r#gen::{Bond, InitAck, Start, StartError, start};
}

pub use r#gen::{
    Bond, CALL_TIMEOUT, CallError, Caller, Calling, Hop, InitAck, ReplyTo, Request, RequestId,
    RequestIds, ServerRef, Start, StartError, Via,
};
pub use gen_server::GenServer;
