//! Requests to spawn: the answer is a message.

use std::panic::Location;

use super::spawn_opt::SpawnOpts;
use crate::carrier::{Carried, SpawnRequest};
use crate::context;
use crate::exit_reason::ExitReason;
use crate::message::Message;
use crate::node_name::NodeName;
use crate::outcome::Outcome;
use crate::pid::Pid;
use crate::priority::Priority;
use crate::process::core::relations::Tag;
use crate::process::core::relations::{ReplyOn, Spawning};
use crate::process::core::{NewProcess, Running};
use crate::process::life::refuse;
use crate::reference::Reference;
use crate::remote::RemoteFn;
use crate::signal::SpawnError;
use crate::system_message::SpawnReply;

/// What a request to spawn asks for, and how it is to be answered. Made from
/// [`SpawnOpts`], by [`SpawnOpts::reply`], [`SpawnOpts::reply_tag`], or `into`.
#[derive(Debug, Default)]
#[must_use = "options do nothing by themselves"]
pub struct RequestOpts {
    spawn: SpawnOpts,
    reply: ReplyOn,
    reply_tag: Option<Tag>,
}

impl From<SpawnOpts> for RequestOpts {
    fn from(spawn: SpawnOpts) -> RequestOpts {
        RequestOpts { spawn, ..RequestOpts::default() }
    }
}

impl RequestOpts {
    /// Which answers arrive (Erlang's `{reply, Option}`).
    pub fn reply(mut self, reply: ReplyOn) -> Self {
        self.reply = reply;
        self
    }

    /// The answer arrives as a [`Tagged<T, SpawnReply>`](crate::Tagged) with this value
    /// (Erlang's `{reply_tag, Tag}`).
    pub fn reply_tag<T: Message>(mut self, tag: T) -> Self {
        self.reply_tag = Some(Tag::new(tag));
        self
    }
}

impl SpawnOpts {
    /// For a request: which answers arrive (Erlang's `{reply, Option}`).
    pub fn reply(self, reply: ReplyOn) -> RequestOpts {
        RequestOpts::from(self).reply(reply)
    }

    /// For a request: the answer arrives as a [`Tagged<T, SpawnReply>`](crate::Tagged) with
    /// this value (Erlang's `{reply_tag, Tag}`).
    pub fn reply_tag<T: Message>(self, tag: T) -> RequestOpts {
        RequestOpts::from(self).reply_tag(tag)
    }
}

/// Asks for a process on this node (Erlang's `spawn_request/2`). The answer is a message
/// [`SpawnReply`] with the reference that is returned; it comes before anything that the new
/// process sends. The reference is the monitor's, too, if there is to be one.
///
/// ```
/// # use fika_runtime as fika;
/// # use fika::{Node, SpawnOpts, SpawnReply, spawn_request};
/// # Node::builder().build().unwrap().block_on(async {
/// let request = spawn_request(SpawnOpts::new().link(), async { /* ... */ });
/// // receive! {
/// //     SpawnReply { reference, result } if reference == request => match result {
/// //         Ok(pid) => ...,
/// //         Err(error) => ...,
/// //     }
/// // }
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn spawn_request<F>(opts: impl Into<RequestOpts>, future: F) -> Reference
where
    F: IntoFuture<Output: Outcome>,
    F::IntoFuture: Send + 'static,
{
    let (site, new) = (Location::caller(), NewProcess::of()(future));
    context::process("spawn_request", |me| {
        let opts = opts.into();
        let reference = me.spawn_reference(&opts.spawn);
        me.request_here(reference, site, opts, new);
        reference
    })
}

/// Asks for a process on a node (Erlang's `spawn_request/3`). As [`spawn_request`], and as
/// [`spawn_on`](crate::spawn_on): the function must be marked `#[remote]`, and its arguments
/// travel.
///
/// Links and monitors are made when the answer is received. When the running process ends
/// before that, a child with a link gets an exit signal with its reason. When the node can't
/// be reached, or is lost before it answers, the answer is `noconnection`.
///
/// # Panics
/// Outside of a process. When `node` is no node name or the arguments can't travel, the
/// calling process ends with `badarg`.
#[track_caller]
pub fn spawn_request_on<F: RemoteFn>(
    node: impl AsRef<str>,
    opts: impl Into<RequestOpts>,
    function: F,
) -> Reference {
    let site = Location::caller();
    context::process("spawn_request_on", |me| {
        let opts = opts.into();
        let reference = me.spawn_reference(&opts.spawn);
        let node = match node.as_ref().parse::<NodeName>() {
            Ok(node) => node,
            Err(error) => {
                refuse(ExitReason::badarg(error));
                return reference;
            }
        };
        if me.node.is_called(node.as_str()) {
            me.request_here(reference, site, opts, NewProcess::of()(function));
            return reference;
        }
        let RequestOpts { spawn, reply, reply_tag } = opts;
        let monitor = spawn.monitor.map(|opts| opts.delivery);
        let mut spawning = Spawning::new(spawn.link, monitor);
        (spawning.reply, spawning.reply_tag) = (reply, reply_tag);
        me.request_there(&node, reference, spawning, spawn.priority, &function);
        reference
    })
}

/// Gives a request up (Erlang's `spawn_request_abandon/1`). True if its answer was still due:
/// no answer comes then, there will be no link and no monitor, and a process that was asked
/// for with a link, if it comes to be, gets an exit signal with reason `abandoned`. False,
/// and nothing changes, if the answer has been received, if the request was abandoned before,
/// or if it is not one of the running process.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn spawn_request_abandon(request: Reference) -> bool {
    context::process("spawn_request_abandon", |me| me.abandon(request))
}

impl Running<'_> {
    fn request_here(
        self,
        reference: Reference,
        site: &'static Location<'static>,
        opts: RequestOpts,
        new: NewProcess,
    ) {
        if self.control.ending.get() {
            return;
        }
        let RequestOpts { spawn, reply, reply_tag } = opts;
        let answer = |result: Result<Pid, SpawnError>| {
            if reply.wants(result.is_ok()) {
                let reply = Tag::spawn_reply(reply_tag, SpawnReply { reference, result });
                reply.into_iter().for_each(|reply| self.node.deliver_asked(self.pid(), reply));
            }
        };
        // SPAWN-6: before the child can send anything.
        let mut answer = Some(answer);
        let before = |pid| answer.take().into_iter().for_each(|answer| answer(Ok(pid)));
        let spawned = self.spawn_with(reference, site, spawn, new, before);
        if let (Err(failed), Some(answer)) = (spawned, answer) {
            answer(Err(failed.error));
        }
    }

    /// Asks another node.
    pub(in crate::process) fn request_there<F: RemoteFn>(
        self,
        node: &NodeName,
        reference: Reference,
        mut spawning: Spawning,
        priority: Priority,
        function: &F,
    ) {
        if self.control.ending.get() {
            return;
        }
        let args = match function.args() {
            Ok(args) => args,
            Err(error) => return refuse(ExitReason::badarg(error)),
        };
        let Some(carrier) = self.node.carrier.get() else {
            return self.spawn_answered(reference, spawning, Err(SpawnError::Noconnection));
        };
        let (link, monitor) = (spawning.link.is_some(), spawning.is_monitor_asked());
        let (from, function) = (self.pid(), function.name().into());
        let group_leader = self.control.slot.vitals.group_leader();
        let request =
            SpawnRequest { reference, from, group_leader, function, args, link, monitor, priority };
        let Carried { connection, congested } = carrier.spawn(node, request);
        spawning.connection = connection;
        self.control.relations().add_spawn(reference, spawning);
        if let Some(congested) = congested {
            self.node.hold_up(connection, &congested);
        }
    }

    pub(in crate::process) fn abandon(self, request: Reference) -> bool {
        let Some(mut relations) = self.control.relations_if_any() else { return false };
        let Some(spawning) = relations.pending_spawn(request) else { return false };
        let tags = spawning.abandon();
        relations.aliases.monitor_ended(request.serial());
        drop(relations);
        drop(tags);
        true
    }
}
