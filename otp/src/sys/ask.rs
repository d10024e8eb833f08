//! Sending system messages to a process of this node or of another one.
//!
//! A system message takes no room in the mailbox of its receiver, so it can be sent to a full
//! mailbox. If the receiver is on another node, a process is spawned there that sends the message
//! and waits for the answer: only the receiver's node can access the mailbox.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use fika_macros::{Message, receive, remote};
use fika_runtime::{
    Answer, Down, Elapsed, Ended, ExitReason, Message, NodeName, Pid, SendOpts, SpawnError,
    Waiting, demonitor_flush, info, monitor, printable, self_node, self_pid, send, send_with,
    timeout, try_spawn_on, whereis,
};
use serde::{Deserialize, Serialize};

use super::wire::{System, SystemReply};
use crate::r#gen::CALL_TIMEOUT;
use crate::r#gen::call_error::{CallError, Late, Why};
use crate::r#gen::reply_to::ReplyTo;
use crate::r#gen::request::{Helper, PATIENCE, patient};
use crate::r#gen::server_ref::Address;
use crate::r#gen::waits;
use crate::r#gen::wire::LocalCall;

/// Work that concerns one process, done on its node.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::sys::Job")]
pub(super) enum Job {
    Ask(System),
    /// Asks the process to end with this reason, and waits for its end.
    Stop(ExitReason),
}

impl Job {
    /// The name of the request, for errors.
    fn name(&self) -> &'static str {
        match self {
            Job::Ask(System::Suspend) => "sys::suspend",
            Job::Ask(System::Resume) => "sys::resume",
            Job::Ask(System::GetStatus) => "sys::get_status",
            Job::Ask(System::Terminate(_)) => "sys::terminate",
            Job::Ask(System::Statistics(_) | System::GetStatistics) => "sys::statistics",
            Job::Ask(System::Log(_) | System::GetLog) => "sys::log",
            Job::Ask(System::Trace(_)) => "sys::trace",
            Job::Ask(System::NoDebug) => "sys::no_debug",
            Job::Stop(_) => "stop",
        }
    }
}

/// A process of the node that does a job.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::sys::Target")]
enum Target {
    Pid(Pid),
    Name(String),
}

/// Does a job on the process's node.
pub(super) async fn ask(
    to: &Address,
    job: Job,
    limit: Option<Duration>,
) -> Result<SystemReply, CallError> {
    let name = job.name();
    let me = self_pid();
    let (node, target) = match (to.whereis(), to) {
        (Some(pid), _) if pid.node() == me.node() => return do_here(to, pid, job, limit).await,
        (Some(pid), _) => (pid.node().name(), Target::Pid(pid)),
        (None, Address::NameAt(name, node)) if *node != self_node().name() => {
            (node.clone(), Target::Name(name.as_str().to_owned()))
        }
        (None, _) => return Err(CallError::new(to, name, Why::Noproc)),
    };
    let done = do_there(node, target, job, limit).await;
    done.map_err(|why| CallError::new(to, name, why))
}

async fn do_here(
    to: &Address,
    pid: Pid,
    job: Job,
    limit: Option<Duration>,
) -> Result<SystemReply, CallError> {
    let name = job.name();
    match job {
        Job::Ask(System::Statistics(Some(_))) => {
            let reductions = info::reductions(pid).await;
            ask_here(to, pid, name, System::Statistics(reductions), limit).await
        }
        Job::Ask(System::GetStatistics) => {
            let mut reply = ask_here(to, pid, name, System::GetStatistics, limit).await?;
            if let SystemReply::Statistics(Some(counts)) = &mut reply {
                let now = info::reductions(pid).await.unwrap_or_default();
                counts.reductions = now.saturating_sub(counts.reductions);
            }
            Ok(reply)
        }
        Job::Ask(system) => ask_here(to, pid, name, system, limit).await,
        Job::Stop(reason) => {
            let stopped = stop_here(pid, reason, limit).await;
            stopped.map(|()| SystemReply::Done).map_err(|why| CallError::new(to, name, why))
        }
    }
}

/// Calls a process of this node, even if its mailbox is full.
pub(super) async fn ask_here<R: Message, A: Message>(
    to: &Address,
    pid: Pid,
    name: &'static str,
    request: R,
    limit: Option<Duration>,
) -> Result<A, CallError> {
    let (answer, waiting) = Waiting::new();
    submit(pid, answer, request).map_err(|why| CallError::new(to, name, why))?;
    patient(to, pid, name, waiting, limit, Duration::ZERO).await
}

fn submit<R: Message, A: Message>(
    pid: Pid,
    answer: Answer<crate::r#gen::reply_to::Outcome<A>>,
    request: R,
) -> Result<(), Why> {
    let me = self_pid();
    if pid == me {
        return Err(Why::CallingSelf);
    }
    let call = LocalCall { from: ReplyTo::here(Some(me), answer), request };
    match send_with(pid, call, SendOpts::new().beyond_limit()) {
        Ok(()) => Ok(()),
        Err(error) if error.is_noproc() => Err(Why::Noproc),
        Err(error) => Err(Why::NotSent(error.to_string())),
    }
}

async fn stop_here(pid: Pid, reason: ExitReason, limit: Option<Duration>) -> Result<(), Why> {
    let ended = Ended::of(pid);
    // The end of the process is the answer.
    let (answer, _waiting) = Waiting::<crate::r#gen::reply_to::Outcome<SystemReply>>::new();
    submit(pid, answer, System::Terminate(reason.clone()))?;
    match ends(ended, pid, limit).await? {
        Some(seen) if seen == reason => Ok(()),
        Some(ExitReason::Noproc) => Err(Why::Noproc),
        Some(seen) => Err(Why::Ended(seen)),
        None => Err(Why::Timeout(Late { after: limit.unwrap_or_default(), ..Late::default() })),
    }
}

/// Waits for the end of a process of this node. `None` if it takes too long.
async fn ends(
    mut ended: Ended,
    pid: Pid,
    limit: Option<Duration>,
) -> Result<Option<ExitReason>, Why> {
    let first = limit.map_or(PATIENCE, |limit| limit.min(PATIENCE));
    if let Ok(seen) = timeout(first, &mut ended).await {
        return Ok(Some(seen));
    }
    // The process may wait for the caller, in a callback or in its `terminate`.
    let (_entered, circle) = waits::enter(&self_node(), self_pid(), pid, "stop");
    let (mut circle, mut open) = (pin!(circle), true);
    let seen = poll_fn(|context| {
        if open && let Poll::Ready(found) = circle.as_mut().poll(context) {
            open = false;
            if let Some(hops) = found {
                return Poll::Ready(Err(Why::Cycle(hops)));
            }
        }
        pin!(&mut ended).poll(context).map(Ok)
    });
    match limit {
        Some(limit) => match timeout(limit.saturating_sub(first), seen).await {
            Ok(seen) => seen.map(Some),
            Err(Elapsed) => Ok(None),
        },
        None => seen.await.map(Some),
    }
}

/// The result of a job, on its way to another node.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::sys::JobDone")]
struct JobDone(Result<SystemReply, Failed>);

/// Why a job failed on the process's node.
#[derive(Debug, Serialize, Deserialize)]
enum Failed {
    Noproc,
    Timeout,
    Ended(ExitReason),
    NoReply,
    Unknown,
    Other(String),
}

/// Does a job, and sends its result.
#[remote(name = "fika_otp::sys::relay")]
async fn relay(result_to: Pid, target: Target, job: Job, limit: Option<Duration>) {
    let pid = match &target {
        Target::Pid(pid) => Some(*pid),
        Target::Name(name) => whereis(name.as_str()),
    };
    let job = async {
        match pid {
            // A peer may send the pid of a process on any node.
            Some(pid) if pid.node() == self_pid().node() => {
                let done = do_here(&Address::Pid(pid), pid, job, limit).await;
                done.map_err(|error| failed(error.into_why()))
            }
            Some(_) | None => Err(Failed::Noproc),
        }
    };
    // The caller may give up, or its node may be lost.
    let (mut job, mut gone) = (pin!(job), pin!(Ended::of(result_to)));
    let result = poll_fn(|context| match job.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => gone.as_mut().poll(context).map(|_| None),
    });
    if let Some(result) = result.await {
        send(result_to, JobDone(result));
    }
}

fn failed(why: Why) -> Failed {
    match why {
        Why::Noproc => Failed::Noproc,
        Why::Timeout(_) => Failed::Timeout,
        Why::Ended(reason) => Failed::Ended(reason),
        Why::NoReply => Failed::NoReply,
        Why::Unknown => Failed::Unknown,
        Why::NotSent(why) => Failed::Other(why),
        Why::CallingSelf | Why::Noconnection | Why::Cycle(_) | Why::FunctionFailed(_) => {
            Failed::Other("it can't be done on the process's node".to_owned())
        }
    }
}

async fn do_there(
    node: NodeName,
    target: Target,
    job: Job,
    limit: Option<Duration>,
) -> Result<SystemReply, Why> {
    let (answer, waiting) = Waiting::new();
    // Another process waits in place of the caller, so no message goes to the caller's mailbox.
    let _helper = Helper::spawn(async move {
        answer.give(fetch(node, target, job, limit).await);
    });
    let result = match limit {
        Some(limit) => timeout(limit, waiting).await.ok(),
        None => Some(waiting.await),
    };
    let late = || Why::Timeout(Late { after: limit.unwrap_or_default(), ..Late::default() });
    result.ok_or_else(late)?.unwrap_or(Err(Why::NoReply))
}

/// Spawns the relay, and waits for its result.
async fn fetch(
    node: NodeName,
    target: Target,
    job: Job,
    limit: Option<Duration>,
) -> Result<SystemReply, Why> {
    let relay = try_spawn_on(&node, relay(self_pid(), target, job, limit)).await;
    let relay = relay.map_err(|error| match error {
        SpawnError::Noconnection => Why::Noconnection,
        error => Why::NotSent(error.to_string()),
    })?;
    let watch = monitor(relay);
    let result = receive! {
        JobDone(result) => result.map_err(|failed| match failed {
            Failed::Noproc => Why::Noproc,
            Failed::Timeout => {
                Why::Timeout(Late { after: limit.unwrap_or_default(), ..Late::default() })
            }
            Failed::Ended(reason) => Why::Ended(reason),
            Failed::NoReply => Why::NoReply,
            Failed::Unknown => Why::Unknown,
            Failed::Other(why) => Why::NotSent(printable(why)),
        }),
        Down { monitor, reason, .. } if monitor == watch => Err(match reason {
            ExitReason::Noconnection => Why::Noconnection,
            reason => Why::Ended(reason),
        }),
    };
    demonitor_flush(watch);
    result
}

/// The time limit of system messages.
pub(super) const LIMIT: Option<Duration> = Some(CALL_TIMEOUT);
