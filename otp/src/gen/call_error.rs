//! Why a call failed: [`CallError`].

use std::fmt;
use std::time::Duration;

use fika_runtime::{ExitReason, Pid};

use super::server_ref::Address;

/// Why a call to a server failed. Its text names the server and the request (in OTP, the exit
/// reason `{Reason, {gen_server, call, [..]}}`).
///
/// ```
/// use fika::agent::Agent;
/// use fika::gen_server::CallError;
///
/// fn advice(error: &CallError) -> String {
///     if error.is_noproc() || error.is_nodedown() {
///         "the server is gone: try again later".into()
///     } else if error.is_timeout() {
///         "the server is busy, and may still handle the request".into()
///     } else if let Some(reason) = error.exit_reason() {
///         format!("the server failed: {reason}")
///     } else if error.is_calling_self() || !error.cycle().is_empty() {
///         "servers wait for each other".into()
///     } else if error.is_unknown_request() || error.is_no_reply() {
///         "the server does not answer this request".into()
///     } else if let Some(reason) = error.function_failed() {
///         format!("the function for the state failed: {reason}")
///     } else {
///         error.to_string()
///     }
/// }
///
/// #[fika::main]
/// async fn main() {
///     let error = Agent::<u64>::at("nobody").get(|n| *n).await.unwrap_err();
///     assert_eq!(advice(&error), "the server is gone: try again later");
/// }
/// ```
///
/// In a process that returns a `Result`, `?` ends the process with this error's text: in OTP, too,
/// a failed call makes the caller exit. `ExitReason::from` converts the error to the reason alone.
#[derive(Clone)]
pub struct CallError(Box<Failed>);

#[derive(Clone)]
struct Failed {
    server: Address,
    request: &'static str,
    why: Why,
}

#[derive(Clone, Debug)]
pub(crate) enum Why {
    Noproc,
    Timeout(Late),
    CallingSelf,
    Noconnection,
    Ended(ExitReason),
    NoReply,
    Unknown,
    NotSent(String),
    Cycle(Vec<Hop>),
    /// A function of `sys` that works on the state has failed.
    FunctionFailed(ExitReason),
}

/// The state of the server when the call timed out, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Late {
    pub(crate) after: Duration,
    /// The callback that the server ran, and the least time for which it had run.
    pub(crate) work: Option<(String, Duration)>,
    /// The messages that waited in the server's mailbox.
    pub(crate) messages: Option<usize>,
}

/// One call in a cycle of calls; see [`CallError::cycle`].
///
/// ```
/// use fika::gen_server::Hop;
/// use fika::prelude::*;
///
/// struct Peer;
///
/// #[gen_server]
/// impl Peer {
///     async fn init() -> Self {
///         Peer
///     }
///
///     /// Asks the last of these servers to ask the others. Returns the length of a cycle.
///     #[call]
///     async fn ask(&mut self, mut others: Vec<PeerClient>) -> usize {
///         let Some(next) = others.pop() else { return 0 };
///         let Err(error) = next.ask(others).await else { return 0 };
///         for Hop { caller, request } in error.cycle() {
///             println!("{caller} waits in {request}");
///         }
///         error.cycle().len()
///     }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let (a, b) = (Peer::start_link(Start::new()).await?, Peer::start_link(Start::new()).await?);
///     // `a` asks `b`, which asks `a`, which is still waiting.
///     assert_eq!(a.ask(vec![a.clone(), b.clone()]).await?, 2);
///     Ok(())
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hop {
    /// The process that called.
    pub caller: Pid,
    /// The name of the request's type.
    pub request: &'static str,
}

impl CallError {
    pub(crate) fn new(server: &Address, request: &'static str, why: Why) -> CallError {
        CallError(Box::new(Failed { server: server.clone(), request, why }))
    }

    /// Returns whether there was no such process (OTP's `noproc`). No server got the
    /// request.
    #[must_use]
    pub fn is_noproc(&self) -> bool {
        matches!(self.0.why, Why::Noproc)
    }

    /// Returns whether the call timed out (OTP's `timeout`). The server may have handled the
    /// request, or may still handle it. The error's text says what the server was doing.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.0.why, Why::Timeout(_))
    }

    /// Returns whether the process called itself (OTP's `calling_self`). Nothing was sent.
    #[must_use]
    pub fn is_calling_self(&self) -> bool {
        matches!(self.0.why, Why::CallingSelf)
    }

    /// Returns whether the server's node could not be reached, or was lost (OTP's
    /// `{nodedown, Node}`). The request may have been handled.
    #[must_use]
    pub fn is_nodedown(&self) -> bool {
        matches!(self.0.why, Why::Noconnection)
    }

    /// Returns whether the server dropped the request without a reply, and still runs.
    #[must_use]
    pub fn is_no_reply(&self) -> bool {
        matches!(self.0.why, Why::NoReply)
    }

    /// Returns whether the server has no handler for the request.
    #[must_use]
    pub fn is_unknown_request(&self) -> bool {
        matches!(self.0.why, Why::Unknown)
    }

    /// Returns why a function of [`sys`](crate::sys) that works on the server's state has failed.
    /// The state has not changed.
    #[must_use]
    pub fn function_failed(&self) -> Option<&ExitReason> {
        match &self.0.why {
            Why::FunctionFailed(reason) => Some(reason),
            _ => None,
        }
    }

    pub(crate) fn into_why(self) -> Why {
        self.0.why
    }

    /// Returns the server's exit reason, if it ended before it replied.
    #[must_use]
    pub fn exit_reason(&self) -> Option<&ExitReason> {
        match &self.0.why {
            Why::Ended(reason) => Some(reason),
            _ => None,
        }
    }

    /// Returns the calls that wait for each other in a circle, the caller's own call among them.
    /// Empty for every other error. Circles are found between processes of one node. In OTP, each
    /// of these calls times out.
    #[must_use]
    pub fn cycle(&self) -> &[Hop] {
        match &self.0.why {
            Why::Cycle(hops) => hops,
            _ => &[],
        }
    }
}

impl From<CallError> for ExitReason {
    /// The reason with which a caller ends in OTP, without the second part that names the call.
    fn from(error: CallError) -> ExitReason {
        match error.0.why {
            Why::Noproc => ExitReason::Noproc,
            Why::Timeout(_) => ExitReason::Timeout,
            Why::Noconnection => ExitReason::Noconnection,
            Why::Ended(reason) => reason,
            _ => ExitReason::Error(error.to_string().into()),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failed { server, request, why } = &*self.0;
        write!(f, "the call `{request}` of {server} failed: ")?;
        match why {
            Why::Noproc => f.write_str("noproc: there is no such process"),
            Why::Timeout(late) => late.fmt(f),
            Why::CallingSelf => f.write_str(
                "calling_self: the caller is the server itself, which can't reply while it waits: \
                 use `self`, without a call",
            ),
            Why::Noconnection => f.write_str("nodedown: its node can't be reached or was lost"),
            Why::Ended(reason) => write!(f, "the server ended: {reason}"),
            Why::NoReply => f.write_str(
                "the server dropped the request without a reply; a handler that returns \
                 `Reply::later()` must keep the `ReplyTo` of its caller until it replies",
            ),
            Why::Unknown => f.write_str(
                "the server has no handler for it: the server may have another type or version, or \
                 leaves the request out of its `Receives`",
            ),
            Why::NotSent(why) => f.write_str(why),
            Why::FunctionFailed(reason) => {
                write!(f, "the function failed, and the state is as it was: {reason}")
            }
            Why::Cycle(hops) => {
                f.write_str("deadlock: ")?;
                let Some(first) = hops.first() else { return Ok(()) };
                write!(f, "{}", first.caller)?;
                for (at, Hop { request, .. }) in hops.iter().enumerate() {
                    let which = if at == 0 { "" } else { ", which" };
                    let called = hops.get(at + 1).unwrap_or(first).caller;
                    write!(f, "{which} waits in `{request}` for {called}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timeout: no reply within {:?}", self.after)?;
        if let Some((work, time)) = &self.work {
            write!(f, "; the server was in {work} for at least {time:?}")?;
        }
        match self.messages {
            Some(1) => f.write_str("; 1 message was waiting"),
            Some(count) => write!(f, "; {count} messages were waiting"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for CallError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_server_is_described() {
        let mut late = Late { after: Duration::from_secs(5), work: None, messages: Some(1) };
        assert_eq!(late.to_string(), "timeout: no reply within 5s; 1 message was waiting");
        late.messages = Some(2);
        late.work = Some(("`handle_call` of `Add`".to_owned(), Duration::from_secs(4)));
        assert_eq!(
            late.to_string(),
            "timeout: no reply within 5s; the server was in `handle_call` of `Add` for at least 4s; 2 \
             messages were waiting"
        );
    }
}
