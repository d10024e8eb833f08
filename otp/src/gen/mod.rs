//! The parts that all behaviours share: starting, calling, and the node's records of behaviours
//! (OTP's `gen` and `proc_lib`).

pub(crate) mod behaviour;
pub(crate) mod call_error;
pub(crate) mod contained;
pub(crate) mod crash;
pub(crate) mod reply_to;
pub(crate) mod request;
mod request_id;
pub(crate) mod server_ref;
pub(crate) mod start;
pub(crate) mod waits;
pub(crate) mod wire;

pub use call_error::{CallError, Hop};
pub use reply_to::{Caller, ReplyTo};
pub(crate) use request::name;
pub use request::{CALL_TIMEOUT, Calling, Request};
pub use request_id::{RequestId, RequestIds};
pub use server_ref::{ServerRef, Via};
pub(crate) use start::{Bond, start};
pub use start::{InitAck, Start, StartError};
