//! Monitors: made and taken back by the process that holds them.

use crate::carrier::RemoteDest;
use crate::context;
use crate::dest::Dest;
use crate::exit_reason::ExitReason;
use crate::message::{Envelope, Message};
use crate::name::Name;
use crate::node::Inner;
use crate::node_name::NodeName;
use crate::pid::Pid;
use crate::process::core::Running;
use crate::process::core::relations::Spawning;
use crate::process::core::relations::Tag;
use crate::process::core::relations::{Active, Ends};
use crate::process::core::relations::{Delivery, LOCAL, Monitor};
use crate::process::life::refuse;
use crate::reference::Reference;
use crate::signal::Signal;
use crate::system_message::Object;

/// Options of a monitor, for [`monitor_with`] and for a process that is spawned with one.
#[derive(Debug, Default)]
#[must_use = "options do nothing by themselves"]
pub struct MonitorOpts {
    pub(in crate::process) delivery: Delivery,
    pub(in crate::process) alias: Option<MonitorAlias>,
}

/// A monitor's reference as an alias: when it ends (Erlang's `{alias, Mode}`).
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
    /// An ordinary monitor.
    pub fn new() -> MonitorOpts {
        MonitorOpts::default()
    }

    /// The `Down` arrives as a [`Tagged<T, Down>`](crate::Tagged) with this value (Erlang's
    /// `{tag, Tag}`).
    pub fn tag<T: Message>(mut self, tag: T) -> Self {
        self.delivery.tag = Some(Tag::new(tag));
        self
    }

    /// The monitor's reference is an alias of the running process, too (Erlang's `{alias, Mode}`).
    pub fn alias(mut self, alias: MonitorAlias) -> Self {
        self.alias = Some(alias);
        self
    }

    /// The `Down` is put ahead of the ordinary messages (Erlang's `priority`). See
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

/// Monitors a process: its end gives one message [`Down`](crate::Down) (Erlang's `monitor/2`).
///
/// The target is a pid, a name on this node, or a name on another node. If there is no such
/// process the `Down` comes at once with `noproc`, and if its node can't be reached, or is
/// lost, with `noconnection`.
///
/// # Panics
/// Outside of a process. Ends the calling process with `badarg` if the name of a node is invalid,
/// if the target is a name on another node and this node has no name, or if the target is an alias.
#[track_caller]
pub fn monitor<'a>(target: impl Into<Dest<'a>>) -> Reference {
    context::process("monitor", |me| me.monitor(target.into(), MonitorOpts::new()))
}

/// As [`monitor`], with options (Erlang's `monitor/3`).
///
/// A request whose answer comes by an alias leaves nothing behind when it is given up:
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
/// As [`monitor`].
#[track_caller]
pub fn monitor_with<'a>(target: impl Into<Dest<'a>>, opts: MonitorOpts) -> Reference {
    context::process("monitor_with", |me| me.monitor(target.into(), opts))
}

/// Takes a monitor back: no `Down` for it is added to the mailbox any more (Erlang's
/// `demonitor/1`). True if the monitor was active. One that has fired may have left its
/// `Down` in the mailbox.
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn demonitor(monitor: Reference) -> bool {
    context::process("demonitor", |me| me.demonitor(monitor))
}

/// As [`demonitor`], and takes a `Down` of this monitor out of the mailbox (Erlang's
/// `demonitor(Ref, [flush, info])`).
///
/// # Panics
/// Outside of a process.
#[track_caller]
pub fn demonitor_flush(monitor: Reference) -> bool {
    context::process("demonitor_flush", |me| {
        let active = me.demonitor(monitor);
        if !active && monitor.node() == me.node.id {
            // Its `Down`, if there was one, has been received: what is still to be received
            // finds no monitor.
            let is_meant = |message: &Envelope| message.word().stamp().is_down(monitor.serial());
            // In a statement of its own: what it holds is not dropped under the borrow.
            let down = me.control.remove_since(monitor, is_meant);
            drop(down);
        }
        active
    })
}

/// Where a monitor's request goes.
enum Route {
    Here(Pid),
    There(RemoteDest),
    /// There is no such process on this node.
    Nowhere,
}

impl Running<'_> {
    fn monitor(self, target: Dest<'_>, opts: MonitorOpts) -> Reference {
        let reference = self.monitor_reference(opts.alias);
        self.monitor_by(reference, target, opts);
        reference
    }

    /// Monitors a process with an existing reference.
    pub(in crate::process) fn monitor_by(
        self,
        reference: Reference,
        target: Dest<'_>,
        opts: MonitorOpts,
    ) {
        if self.control.ending.get() {
            return;
        }
        let (object, route) = match self.find_monitored(target) {
            Ok(found) => found,
            Err(reason) => {
                self.control.relations().aliases.remove(reference.serial());
                return refuse(reason);
            }
        };
        let target = match (&object, &route) {
            // MON-8.
            (Object::Pid(pid), _) if *pid == self.pid() => return,
            (Object::Pid(pid), _) | (_, Route::Here(pid)) => Some(*pid),
            _ => None,
        };
        let monitor = Monitor { object, target, connection: LOCAL, delivery: opts.delivery };
        self.control.relations().add_monitor(reference, monitor);
        let signal = Signal::Monitor { from: self.pid(), reference };
        match route {
            Route::Here(pid) => self.node.deliver(pid, signal),
            Route::Nowhere => self.node.nobody(signal),
            Route::There(to) => {
                let connection = self.node.carry(to, signal, true);
                self.control.relations().monitored_over(reference, connection);
            }
        }
    }

    /// A reference for a monitor, which is an alias from now on if it is to be one.
    pub(in crate::process) fn monitor_reference(self, alias: Option<MonitorAlias>) -> Reference {
        let Some(alias) = alias else { return self.make_ref() };
        self.make_alias(Active { ends: alias.into(), priority: false })
    }

    fn find_monitored(self, target: Dest<'_>) -> Result<(Object, Route), ExitReason> {
        let here = |name: &str| match self.node.registry.whereis(name) {
            Some(pid) => Route::Here(pid),
            // MON-6: that is no error.
            None => Route::Nowhere,
        };
        let own_node = || self.node.name();
        Ok(match target {
            Dest::Alias(_) => return Err(ExitReason::badarg("an alias can't be monitored")),
            Dest::Pid(pid) if pid.node() == self.node.id => (Object::Pid(pid), Route::Here(pid)),
            Dest::Pid(pid) => (Object::Pid(pid), Route::There(RemoteDest::Pid(pid))),
            Dest::Name(name) => (Object::Name(Name::from(&*name), own_node()), here(&name)),
            Dest::NameAt(name, node) if self.node.is_called(&node) => {
                (Object::Name(Name::from(&*name), own_node()), here(&name))
            }
            Dest::NameAt(name, node) => {
                let node: NodeName = node.parse().map_err(ExitReason::badarg)?;
                // MON-17.
                if !self.node.carrier.get().is_some_and(|carrier| carrier.is_alive()) {
                    let why =
                        "a name on another node can't be monitored: this node is not distributed";
                    return Err(ExitReason::badarg(why));
                }
                let name = Name::from(&*name);
                let to = RemoteDest::Name(name.clone(), node.clone());
                (Object::Name(name, node), Route::There(to))
            }
        })
    }

    pub(in crate::process) fn demonitor(self, reference: Reference) -> bool {
        // PROC-7: all its monitors are about to be taken back.
        let relations = self.control.relations_if_any().filter(|_| !self.control.ending.get());
        let Some(mut relations) = relations else { return false };
        let held = relations.take_monitor(reference);
        // SPAWN-6: one that is not there yet.
        let pending = relations.pending_spawn(reference).and_then(Spawning::demonitor);
        if pending.is_some() {
            relations.aliases.monitor_ended(reference.serial());
        }
        drop(relations);
        if let Some(held) = &held {
            self.node.demonitor(self.pid(), reference, held, true);
        }
        held.is_some() || pending.is_some()
    }
}

impl Inner {
    /// Tells the target of a monitor that it is not watched any more. If the running process
    /// has asked for that, it waits where there is no room.
    pub(in crate::process) fn demonitor(
        &self,
        from: Pid,
        reference: Reference,
        held: &Monitor,
        waits: bool,
    ) {
        let signal = Signal::Demonitor { from, reference };
        match (held.target, &held.object) {
            (Some(target), _) => drop(self.signal_as(target, signal, waits)),
            (None, Object::Name(name, at)) if !self.is_called(at.as_str()) => {
                self.carry(RemoteDest::Name(name.clone(), at.clone()), signal, waits);
            }
            (None, _) => {}
        }
    }
}
