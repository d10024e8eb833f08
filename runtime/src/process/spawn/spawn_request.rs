//! Requests to spawn: the answer is a message.

use std::panic::Location;

use super::spawn_opt::{SpawnOpts, spawn_reference, spawn_with};
use crate::carrier::{Carried, SpawnRequest};
use crate::context;
use crate::exit_reason::ExitReason;
use crate::message::Message;
use crate::node_name::NodeName;
use crate::outcome::Outcome;
use crate::pid::Pid;
use crate::priority::Priority;
use crate::process::core::relations::{ReplyOn, Spawning, Tag};
use crate::process::core::{NewProcess, Running};
use crate::process::deliver::deliver_asked;
use crate::process::failure::refuse;
use crate::reference::Reference;
use crate::remote::RemoteFn;
use crate::signal::SpawnError;
use crate::system_message::SpawnReply;

/// The options of a request to spawn: the options of the new process, and how the answer arrives. Made from
/// [`SpawnOpts`], by [`SpawnOpts::reply`], [`SpawnOpts::reply_tag`], or `into`.
///
/// ```
/// # use fika_runtime::{Node, ReplyOn, RequestOpts, SpawnOpts, spawn_request};
/// # Node::builder().build().unwrap().block_on(async {
/// // Only a failure is answered, with the name of the job.
/// let opts: RequestOpts = SpawnOpts::new().link().into();
/// let opts = opts.reply(ReplyOn::Error).reply_tag("job 7".to_owned());
/// spawn_request(opts, async { /* ... */ });
/// # });
/// ```
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
    /// Sets which answers arrive (Erlang's `{reply, Option}`).
    pub fn reply(mut self, reply: ReplyOn) -> Self {
        self.reply = reply;
        self
    }

    /// Makes the answer arrive as a [`Tagged<T, SpawnReply>`](crate::Tagged) with this value
    /// (Erlang's `{reply_tag, Tag}`).
    pub fn reply_tag<T: Message>(mut self, tag: T) -> Self {
        self.reply_tag = Some(Tag::new(tag));
        self
    }
}

impl SpawnOpts {
    /// For a request: sets which answers arrive (Erlang's `{reply, Option}`).
    ///
    /// ```
    /// # use fika_runtime::{Node, ReplyOn, SpawnOpts, spawn_request};
    /// # Node::builder().build().unwrap().block_on(async {
    /// // Nobody waits for the answer.
    /// spawn_request(SpawnOpts::new().reply(ReplyOn::Nothing), async { /* ... */ });
    /// # });
    /// ```
    pub fn reply(self, reply: ReplyOn) -> RequestOpts {
        RequestOpts::from(self).reply(reply)
    }

    /// For a request: makes the answer arrive as a [`Tagged<T, SpawnReply>`](crate::Tagged) with
    /// this value (Erlang's `{reply_tag, Tag}`).
    ///
    /// ```
    /// # extern crate fika_runtime as fika;
    /// # use fika::{Node, RequestOpts, SpawnOpts, SpawnReply, Tagged, spawn_request};
    /// # use fika_macros::receive;
    /// # Node::builder().build().unwrap().block_on(async {
    /// let opts: RequestOpts = SpawnOpts::new().reply_tag("worker 7".to_owned());
    /// spawn_request(opts, async { /* ... */ });
    /// receive! {
    ///     Tagged::<String, SpawnReply> { tag, message } => {
    ///         println!("{tag} has started: {}", message.result.is_ok())
    ///     }
    /// }
    /// # });
    /// ```
    pub fn reply_tag<T: Message>(self, tag: T) -> RequestOpts {
        RequestOpts::from(self).reply_tag(tag)
    }
}

/// Requests a process on this node (Erlang's `spawn_request/2`). The answer is a message
/// [`SpawnReply`] with the returned reference. It comes before anything that the new process sends.
/// If the options have a monitor, the reference is the monitor's, too.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, SpawnOpts, SpawnReply, spawn_request};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let request = spawn_request(SpawnOpts::new().link(), async { /* ... */ });
/// receive! {
///     SpawnReply { reference, result } if reference == request => match result {
///         Ok(pid) => println!("{pid} has started"),
///         Err(error) => println!("{error}"),
///     }
/// }
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
        let reference = spawn_reference(me, &opts.spawn);
        request_here(me, reference, site, opts, new);
        reference
    })
}

/// Requests a process on a node (Erlang's `spawn_request/3`). The function must be marked
/// `#[remote]`, and its arguments are sent to the node. The answer comes as for [`spawn_request`].
///
/// Links and monitors are made when the answer is received. If the running process ends before
/// that, a child with a link gets an exit signal with its reason. If the node can't be reached, or
/// is lost before it answers, the answer is `noconnection`.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, SpawnOpts, SpawnReply, spawn_request_on};
/// # use fika_macros::{receive, remote};
/// #[remote]
/// async fn worker() { /* ... */ }
///
/// # Node::builder().build().unwrap().block_on(async {
/// # let node = fika::self_node().name();
/// let request = spawn_request_on(&node, SpawnOpts::new(), worker());
/// receive! {
///     SpawnReply { reference, result } if reference == request => match result {
///         Ok(pid) => println!("{pid} runs on {node}"),
///         Err(error) => println!("{error}"),
///     }
/// }
/// # });
/// ```
///
/// # Panics
/// Outside of a process. If `node` is not a node name, or the arguments can't be sent to another
/// node, the calling process ends with `badarg`.
#[track_caller]
pub fn spawn_request_on<F: RemoteFn>(
    node: impl AsRef<str>,
    opts: impl Into<RequestOpts>,
    function: F,
) -> Reference {
    let site = Location::caller();
    context::process("spawn_request_on", |me| {
        let opts = opts.into();
        let reference = spawn_reference(me, &opts.spawn);
        let node = match node.as_ref().parse::<NodeName>() {
            Ok(node) => node,
            Err(error) => {
                refuse(ExitReason::badarg(error));
                return reference;
            }
        };
        if me.node.is_called(node.as_str()) {
            request_here(me, reference, site, opts, NewProcess::of()(function));
            return reference;
        }
        let RequestOpts { spawn, reply, reply_tag } = opts;
        let monitor = spawn.monitor.map(|opts| opts.delivery);
        let mut spawning = Spawning::new(spawn.link, monitor);
        (spawning.reply, spawning.reply_tag) = (reply, reply_tag);
        request_there(me, &node, reference, spawning, spawn.priority, &function);
        reference
    })
}

/// Abandons a request of the running process, and returns whether its answer was still due
/// (Erlang's `spawn_request_abandon/1`). If so, no answer comes, and there will be no link and no
/// monitor. If the process is spawned nevertheless, and the request asked for a link, it gets an
/// exit signal with reason `abandoned`. Otherwise nothing changes.
///
/// ```
/// # use fika_runtime::{Node, SpawnOpts, spawn_request, spawn_request_abandon};
/// # Node::builder().build().unwrap().block_on(async {
/// let request = spawn_request(SpawnOpts::new(), async { /* ... */ });
/// // False if the answer has come already.
/// let was_open = spawn_request_abandon(request);
/// # let _ = was_open;
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn spawn_request_abandon(request: Reference) -> bool {
    context::process("spawn_request_abandon", |me| abandon(me, request))
}

fn request_here(
    me: Running<'_>,
    reference: Reference,
    site: &'static Location<'static>,
    opts: RequestOpts,
    new: NewProcess,
) {
    let Some(me) = me.unless_ending() else { return };
    let RequestOpts { spawn, reply, reply_tag } = opts;
    let answer = |result: Result<Pid, SpawnError>| {
        if reply.wants(result.is_ok()) {
            let reply = Tag::spawn_reply(reply_tag, SpawnReply { reference, result });
            reply.into_iter().for_each(|reply| deliver_asked(me.node, me.pid(), reply));
        }
    };
    // SPAWN-6: before the child can send anything.
    let mut answer = Some(answer);
    let before = |pid| answer.take().into_iter().for_each(|answer| answer(Ok(pid)));
    let spawned = spawn_with(me, reference, site, spawn, new, before);
    if let (Err(failed), Some(answer)) = (spawned, answer) {
        answer(Err(failed.error));
    }
}

/// Sends the request to another node.
pub(super) fn request_there<F: RemoteFn>(
    me: Running<'_>,
    node: &NodeName,
    reference: Reference,
    mut spawning: Spawning,
    priority: Priority,
    function: &F,
) {
    let Some(me) = me.unless_ending() else { return };
    let args = match function.args() {
        Ok(args) => args,
        Err(error) => return refuse(ExitReason::badarg(error)),
    };
    let Some(carrier) = me.node.carrier.get() else {
        return me.spawn_answered(reference, spawning, Err(SpawnError::Noconnection));
    };
    let (link, monitor) = (spawning.link.is_some(), spawning.is_monitor_asked());
    let (from, function) = (me.pid(), function.name().into());
    let group_leader = me.control.slot.vitals.group_leader();
    let request =
        SpawnRequest { reference, from, group_leader, function, args, link, monitor, priority };
    let Carried { connection, congested } = carrier.spawn(node, request);
    spawning.connection = connection;
    me.control.relations().add_spawn(reference, spawning);
    if let Some(congested) = congested {
        me.node.hold_up(connection, &congested);
    }
}

/// Abandons a request. Returns whether its answer was still due.
pub(in crate::process) fn abandon(me: Running<'_>, request: Reference) -> bool {
    let Some(mut relations) = me.control.relations_if_any() else { return false };
    let Some(spawning) = relations.pending_spawn(request) else { return false };
    let tags = spawning.abandon();
    relations.aliases.monitor_ended(request.serial());
    drop(relations);
    drop(tags);
    true
}
