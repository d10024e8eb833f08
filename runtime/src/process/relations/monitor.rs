//! Monitors. The process that holds a monitor makes it and takes it back.

use super::alias::make_alias;
use crate::carrier::RemoteDest;
use crate::context;
use crate::dest::Dest;
use crate::exit_reason::ExitReason;
use crate::message::{Envelope, Message};
use crate::name::Name;
use crate::node_name::NodeName;
use crate::pid::Pid;
use crate::process::core::Running;
use crate::process::core::relations::{Active, Delivery, Ends, LOCAL, Monitor, Spawning, Tag};
use crate::process::failure::refuse;
use crate::process::receive::make_marked_ref;
use crate::reference::Reference;
use crate::signal::Signal;
use crate::system_message::Object;

/// Options of a monitor, for [`monitor_with`] and for a process that is spawned with a monitor.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Down, MonitorOpts, Node, Tagged, monitor_with, spawn};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let worker = spawn(async {});
/// // The `Down` arrives in a `Tagged` with this value.
/// monitor_with(worker, MonitorOpts::new().tag("worker 1".to_string()));
/// receive! { Tagged::<String, Down> { tag, .. } => assert_eq!(tag, "worker 1") }
/// # });
/// ```
///
/// A server can answer to a monitor that is an alias:
///
/// ```
/// # use fika_runtime::{MonitorAlias, MonitorOpts, Node, monitor_with, self_pid, send, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// # let server = spawn(std::future::pending::<()>());
/// // The `Down` goes ahead of ordinary messages.
/// let opts = MonitorOpts::new().priority().alias(MonitorAlias::Demonitor);
/// let request = monitor_with(server, opts);
/// send(server, (request, "a question".to_owned()));
/// # });
/// ```
#[derive(Debug, Default)]
#[must_use = "options do nothing by themselves"]
pub struct MonitorOpts {
    pub(in crate::process) delivery: Delivery,
    pub(in crate::process) alias: Option<MonitorAlias>,
}

/// When the alias of a monitor ends (Erlang's `{alias, Mode}`). The monitor's reference is the
/// alias.
///
/// ```
/// # use fika_runtime::{MonitorAlias, MonitorOpts, Node, monitor_with, self_pid, send, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let server = spawn(std::future::pending::<()>());
/// // An address for one answer: it is useless after the answer, or after the server's end.
/// let request = monitor_with(server, MonitorOpts::new().alias(MonitorAlias::ReplyDemonitor));
/// send(server, (request, "a question".to_string()));
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MonitorAlias {
    /// By [`unalias`](crate::unalias) only. It outlives the monitor.
    ExplicitUnalias,
    /// With the monitor: by [`demonitor`], and when the `Down` is delivered.
    Demonitor,
    /// With the monitor, and with the first message that is received by it, which ends the
    /// monitor, too: neither a second message nor a `Down` follows the first.
    ReplyDemonitor,
}

impl MonitorOpts {
    /// Returns the options of an ordinary monitor.
    pub fn new() -> MonitorOpts {
        MonitorOpts::default()
    }

    /// Makes the `Down` arrive as a [`Tagged<T, Down>`](crate::Tagged) with this value (Erlang's
    /// `{tag, Tag}`).
    pub fn tag<T: Message>(mut self, tag: T) -> Self {
        self.delivery.tag = Some(Tag::new(tag));
        self
    }

    /// Makes the monitor's reference an alias of the running process as well (Erlang's `{alias,
    /// Mode}`).
    pub fn alias(mut self, alias: MonitorAlias) -> Self {
        self.alias = Some(alias);
        self
    }

    /// Puts the `Down` ahead of the ordinary messages (Erlang's `priority`). See
    /// [`send_priority`](crate::send_priority) for when that is of use.
    pub fn priority(mut self) -> Self {
        self.delivery.priority = true;
        self
    }
}

impl From<MonitorAlias> for Ends {
    fn from(alias: MonitorAlias) -> Ends {
        match alias {
            MonitorAlias::ExplicitUnalias => Ends::Never,
            MonitorAlias::Demonitor => Ends::WithMonitor,
            MonitorAlias::ReplyDemonitor => Ends::WithMonitorOrReply,
        }
    }
}

/// Monitors a process: when it ends, the running process gets one message [`Down`](crate::Down)
/// (Erlang's `monitor/2`).
///
/// The target is a pid, a name on this node, or a name on another node. The `Down` contains the
/// target as it was given: a pid, or a name and a node. If there is no such process, the `Down`
/// comes at once with `noproc`. If its node can't be reached, or the connection
/// is lost, the `Down` comes with `noconnection`.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Down, ExitReason, Node, monitor, spawn};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// let watch = monitor(spawn(async {}));
/// receive! {
///     Down { monitor, reason, .. } if monitor == watch => println!("it has ended: {reason}"),
/// }
/// # });
/// ```
///
/// # Panics
/// Outside of a process. The calling process ends with `badarg` if the target is an alias, or if
/// the name of a node is invalid. It ends with `badarg`, too, if the target is a name on another
/// node and this node has no name.
#[track_caller]
pub fn monitor<'a>(target: impl Into<Dest<'a>>) -> Reference {
    context::process("monitor", |me| monitor_as(me, target.into(), MonitorOpts::new()))
}

/// Monitors a process with options (Erlang's `monitor/3`). See [`monitor`].
///
/// A request whose answer comes by an alias leaves nothing in the mailbox when the caller gives up:
///
/// ```
/// # use fika_runtime as fika;
/// # use fika::{MonitorAlias, MonitorOpts, Node, demonitor, monitor_with, send, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// # let server = spawn(async {});
/// let request = monitor_with(server, MonitorOpts::new().alias(MonitorAlias::ReplyDemonitor));
/// send(server, (request, "the question".to_owned()));
/// // The server answers with `send(request, ..)`. Either that comes, or a `Down`. When
/// // neither comes in time:
/// demonitor(request);
/// // From now on an answer that comes too late is dropped.
/// # });
/// ```
///
/// # Panics
/// Outside of a process. The calling process ends with `badarg` if the target is an alias, or if
/// the name of a node is invalid. It ends with `badarg`, too, if the target is a name on another
/// node and this node has no name.
#[track_caller]
pub fn monitor_with<'a>(target: impl Into<Dest<'a>>, opts: MonitorOpts) -> Reference {
    context::process("monitor_with", |me| monitor_as(me, target.into(), opts))
}

/// Takes a monitor back, and returns whether it was active (Erlang's `demonitor/1`). No `Down` for
/// it is added to the mailbox any more. If the monitor has fired before, its `Down` may be in the
/// mailbox.
///
/// ```
/// # use fika_runtime::{Node, demonitor, monitor, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let watch = monitor(spawn(std::future::pending::<()>()));
/// demonitor(watch);
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn demonitor(monitor: Reference) -> bool {
    context::process("demonitor", |me| end_monitor(me, monitor))
}

/// Takes a monitor back like [`demonitor`], and takes its `Down` out of the mailbox (Erlang's
/// `demonitor(Ref, [flush, info])`).
///
/// ```
/// # use fika_runtime::{Node, demonitor_flush, monitor, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let watch = monitor(spawn(async {}));
/// // After this, the mailbox has no `Down` of this monitor, even if the process has ended.
/// demonitor_flush(watch);
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn demonitor_flush(monitor: Reference) -> bool {
    context::process("demonitor_flush", |me| {
        let active = end_monitor(me, monitor);
        if !active && monitor.node() == me.node.id {
            // A `Down` that has been received is in the mailbox. A `Down` that is received later
            // finds no monitor.
            let is_meant = |message: &Envelope| message.word().stamp().is_down(monitor.serial());
            // A separate statement, so that the message is not dropped under the borrow.
            let down = me.control.remove_since(monitor, is_meant);
            drop(down);
        }
        active
    })
}

/// Where the request of a monitor goes.
enum Route {
    Here(Pid),
    There(RemoteDest),
    /// There is no such process on this node.
    Nowhere,
}

fn monitor_as(me: Running<'_>, target: Dest<'_>, opts: MonitorOpts) -> Reference {
    let reference = monitor_reference(me, opts.alias);
    monitor_by(me, reference, target, opts);
    reference
}

/// Monitors a process with an existing reference.
pub(in crate::process) fn monitor_by(
    me: Running<'_>,
    reference: Reference,
    target: Dest<'_>,
    opts: MonitorOpts,
) {
    let Some(me) = me.unless_ending() else { return };
    let (object, route) = match find_monitored(me, target) {
        Ok(found) => found,
        Err(reason) => {
            me.control.relations().aliases.remove(reference.serial());
            return refuse(reason);
        }
    };
    let target = match (&object, &route) {
        // A process's monitor of itself never fires (MON-8).
        (Object::Pid(pid), _) if *pid == me.pid() => return,
        (Object::Pid(pid), _) | (_, Route::Here(pid)) => Some(*pid),
        _ => None,
    };
    let monitor = Monitor { object, target, connection: LOCAL, delivery: opts.delivery };
    me.control.relations().add_monitor(reference, monitor);
    let signal = Signal::Monitor { from: me.pid(), reference };
    match route {
        Route::Here(pid) => me.node.deliver(pid, signal),
        Route::Nowhere => me.node.nobody(signal),
        Route::There(to) => {
            let connection = me.node.carry(to, signal, true);
            me.control.relations().monitored_over(reference, connection);
        }
    }
}

/// Makes the reference of a monitor. If `alias` is set, it is an active alias from now on.
pub(in crate::process) fn monitor_reference(
    me: Running<'_>,
    alias: Option<MonitorAlias>,
) -> Reference {
    let Some(alias) = alias else { return make_marked_ref(me) };
    make_alias(me, Active { ends: alias.into(), priority: false })
}

fn find_monitored(me: Running<'_>, target: Dest<'_>) -> Result<(Object, Route), ExitReason> {
    let here = |name: &str| match me.node.registry.whereis(name) {
        Some(pid) => Route::Here(pid),
        // MON-6: not an error.
        None => Route::Nowhere,
    };
    let own_node = || me.node.name();
    Ok(match target {
        Dest::Alias(_) => return Err(ExitReason::badarg("an alias can't be monitored")),
        Dest::Pid(pid) if pid.node() == me.node.id => (Object::Pid(pid), Route::Here(pid)),
        Dest::Pid(pid) => (Object::Pid(pid), Route::There(RemoteDest::Pid(pid))),
        Dest::Name(name) => (Object::Name(Name::from(&*name), own_node()), here(&name)),
        Dest::NameAt(name, node) if me.node.is_called(&node) => {
            (Object::Name(Name::from(&*name), own_node()), here(&name))
        }
        Dest::NameAt(name, node) => {
            let node: NodeName = node.parse().map_err(ExitReason::badarg)?;
            // A node without a name can't reach other nodes (MON-17).
            if !me.node.carrier.get().is_some_and(|carrier| carrier.is_alive()) {
                let why = "a name on another node can't be monitored: this node is not distributed";
                return Err(ExitReason::badarg(why));
            }
            let name = Name::from(&*name);
            let to = RemoteDest::Name(name.clone(), node.clone());
            (Object::Name(name, node), Route::There(to))
        }
    })
}

/// Takes a monitor back. Returns whether the monitor was active, or requested with a spawn.
pub(in crate::process) fn end_monitor(me: Running<'_>, reference: Reference) -> bool {
    // A process that ends takes all its monitors back.
    let Some(me) = me.unless_ending() else { return false };
    let Some(mut relations) = me.control.relations_if_any() else { return false };
    let held = relations.take_monitor(reference);
    // SPAWN-6: a monitor of a process that is being spawned on another node.
    let pending = relations.pending_spawn(reference).and_then(Spawning::demonitor);
    if pending.is_some() {
        relations.aliases.monitor_ended(reference.serial());
    }
    drop(relations);
    if let Some(held) = &held {
        me.node.demonitor(me.pid(), reference, held, true);
    }
    held.is_some() || pending.is_some()
}
