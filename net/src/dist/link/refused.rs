//! The answers to signals that can't be sent.

use fika_runtime::{
    ConnectionId, EncodeError, ExitReason, Pid, RemoteDest, Signal, SpawnError, SpawnRequest,
};

use super::unsent::Unsent;
use crate::proto::control::SendError;
use crate::proto::parcel::Cargo;

/// Returns the error for the caller of a signal that can't be sent.
pub(crate) fn refused_signal(why: SendError, signal: &Signal) -> EncodeError {
    match (why, signal) {
        (SendError::Encode(error), _) => error,
        (why, Signal::Message(message)) => refused_message(why, message.type_name()),
        (why, _) => EncodeError::refused("signal", why.to_string()),
    }
}

/// Returns the error for the caller of a message that can't be sent.
pub(crate) fn refused_message(why: SendError, type_name: &str) -> EncodeError {
    match why {
        SendError::Encode(error) => error,
        why => EncodeError::refused(type_name, why.to_string()),
    }
}

/// Returns the answer to a request to spawn that can't be sent, and the process that gets it.
pub(crate) fn not_spawned(
    connection: ConnectionId,
    why: &SendError,
    request: &SpawnRequest,
    unsent: &mut Unsent,
) -> (Pid, Signal) {
    let error = format_args!("{}: {why}", request.function);
    unsent.add("a request to spawn was not sent", error);
    let result = Err(SpawnError::SystemLimit);
    let (connection, reference) = (Some(connection), request.reference);
    (request.from, Signal::SpawnReply { connection, reference, result })
}

/// Returns the answer to a signal to a process of an earlier life of its node, and the process that
/// gets the answer. The receiver has ended with that life.
pub(crate) fn answer_stale(to: &RemoteDest, cargo: Cargo) -> Option<(Pid, Signal)> {
    let RemoteDest::Pid(dead) = *to else { return None };
    let Cargo::Signal(signal) = cargo else { return None };
    let reason = ExitReason::Noproc;
    match signal {
        Signal::Link { from } => Some((from, Signal::Exit { from: dead, reason, by_link: true })),
        Signal::Monitor { from, reference } => {
            Some((from, Signal::Down { from: Some(dead), reference, reason }))
        }
        Signal::Unlink { from, id } => Some((from, Signal::UnlinkAck { from: dead, id })),
        _ => None,
    }
}
