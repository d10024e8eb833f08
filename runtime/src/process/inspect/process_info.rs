//! Telling about processes: `process_info` and `is_process_alive`.
//!
//! A process tells about itself, when it takes in its signals: so what it tells is one
//! consistent view, and comes after all that the asker has sent before.

use std::future::poll_fn;
use std::task::Poll;

use super::snapshot::snapshot;
use crate::context;
use crate::exit_reason::ExitReason;
use crate::pid::Pid;
use crate::process::core::Running;
use crate::process::core::gives_way;
use crate::process::life::refuse;
use crate::process::signals::Asked;
use crate::process_info::{InfoItem, Item, Snapshot, Status};
use crate::request::Kind;

/// Returns items about a process of this node, in the requested order, as a view of one moment
/// (Erlang's `process_info/2`). An item may be requested more than once. `None` if the process has
/// ended, or is about to.
///
/// The process itself answers, as soon as it waits or comes to a suspension point; nothing in
/// its mailbox changes by that, and it is answered for as well while it is suspended. What the
/// running process has sent to it before has had its effect. Asking oneself needs no waiting.
/// A process that computes and comes to no suspension point does not answer until it does: to
/// wait no longer than one wants, use [`timeout`](crate::timeout()).
///
/// For one item see the functions of [`info`](crate::info).
///
/// ```
/// # use fika_runtime::{InfoItem, Item, Node, Status, process_info, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let pid = spawn(std::future::pending::<()>());
/// let told = process_info(pid, &[Item::TrapExit, Item::MessageQueueLen]).await;
/// let expected = vec![InfoItem::TrapExit(false), InfoItem::MessageQueueLen(0)];
/// assert_eq!(told, Some(expected));
/// # });
/// ```
///
/// # Panics
/// Outside of a process. A pid of another node ends the calling process with `badarg`.
pub async fn process_info(pid: Pid, items: &[Item]) -> Option<Vec<InfoItem>> {
    let asked = context::process("process_info", |me| {
        if pid == me.pid() {
            return Whom::Oneself;
        }
        // One that ends need not be waited for: its destructors may take long.
        let ended = || me.node.table.is_known_alive(pid.local()) == Some(false);
        if !me.is_local(pid, "process_info") || ended() {
            return Whom::Nobody;
        }
        let seen_running = items.contains(&Item::Status) && me.node.is_running(pid);
        let items = items.into();
        Whom::Other(me.ask(pid, |answer| Kind::Info { items, seen_running, answer }))
    });
    match asked {
        Whom::Other(asked) => asked.answer().await,
        Whom::Oneself => Some(ask_oneself(|me| me.info(items, true)).await),
        Whom::Nobody => None,
    }
}

/// Whether a process of this node lives (Erlang's `is_process_alive/1`). A process that has
/// received a fatal signal does not, even if its destructors still run; so after
/// [`exit_process`](crate::exit_process) with a reason that ends it this is false.
///
/// It waits only if the process has signals that it has not taken in yet; see
/// [`process_info`].
///
/// # Panics
/// As [`process_info`].
pub async fn is_process_alive(pid: Pid) -> bool {
    let asked = context::process("is_process_alive", |me| {
        if pid == me.pid() {
            return Ok(Whom::Oneself);
        }
        if !me.is_local(pid, "is_process_alive") {
            return Ok(Whom::Nobody);
        }
        match me.node.table.is_known_alive(pid.local()) {
            Some(alive) => Err(alive),
            None => Ok(Whom::Other(me.ask(pid, Kind::IsAlive))),
        }
    });
    match asked {
        Ok(Whom::Other(asked)) => asked.answer().await.is_some(),
        Ok(Whom::Oneself) => ask_oneself(|_| true).await,
        Ok(Whom::Nobody) => false,
        Err(known) => known,
    }
}

/// The process that was asked.
enum Whom<T> {
    Other(Asked<T>),
    Oneself,
    /// It ends, or has ended. Or it is of another node, and the running process, which raises
    /// `badarg` for that, is in a destructor and can't.
    Nobody,
}

/// Asks the running process itself, after it has taken in what it has sent to itself; does not
/// come back if there was a fatal signal among that.
async fn ask_oneself<T>(ask: impl Fn(Running<'_>) -> T) -> T {
    poll_fn(|context| {
        if gives_way(context) {
            return Poll::Pending;
        }
        context::process("process_info", |me| {
            me.take_signals_in_call();
            if me.control.stops() {
                me.wakes_with_signals(context);
                Poll::Pending
            } else {
                Poll::Ready(ask(me))
            }
        })
    })
    .await
}

impl Running<'_> {
    /// Whether the process is of this node; an error if not.
    fn is_local(self, pid: Pid, function: &str) -> bool {
        let is_local = pid.node() == self.node.id;
        if !is_local {
            refuse(ExitReason::badarg(format_args!("{function}: {pid} is not of this node")));
        }
        is_local
    }

    /// What this process tells about itself.
    pub(in crate::process) fn info(self, items: &[Item], seen_running: bool) -> Vec<InfoItem> {
        items.iter().map(|item| self.info_item(item, seen_running)).collect()
    }

    fn info_item(self, item: &Item, seen_running: bool) -> InfoItem {
        let control = self.control;
        let extras = control.extras_if_any();
        match item {
            Item::RegisteredName => {
                InfoItem::RegisteredName(self.node.registry.name_of(self.pid()))
            }
            Item::Status => InfoItem::Status(self.status(seen_running)),
            Item::MessageQueueLen => InfoItem::MessageQueueLen(control.message_count()),
            Item::Messages => InfoItem::Messages(self.messages()),
            Item::Links => InfoItem::Links(control.view(|relations| relations.links())),
            Item::Monitors => InfoItem::Monitors(control.view(|relations| relations.monitors())),
            Item::MonitoredBy => {
                InfoItem::MonitoredBy(control.view(|relations| relations.watchers()))
            }
            Item::TrapExit => InfoItem::TrapExit(control.trap_exit.get()),
            Item::Priority => InfoItem::Priority(control.slot.vitals.priority()),
            Item::GroupLeader => InfoItem::GroupLeader(control.slot.vitals.group_leader()),
            Item::Parent => InfoItem::Parent(control.parent),
            Item::Label => InfoItem::Label(control.label()),
            Item::Dictionary => InfoItem::Dictionary(
                extras.map_or_else(Vec::new, |extras| extras.dictionary.borrow().snapshots()),
            ),
            Item::DictionaryKey(key) => InfoItem::DictionaryKey(
                key.clone(),
                extras.and_then(|extras| extras.dictionary.borrow().snapshot(key)),
            ),
            Item::Memory => InfoItem::Memory(self.memory()),
            Item::Reductions => InfoItem::Reductions(control.reductions()),
            Item::InitialCall => InfoItem::InitialCall(control.site),
            // While it runs it is past that.
            Item::CurrentFunction if self.is_polled() => InfoItem::CurrentFunction(None),
            Item::CurrentFunction => InfoItem::CurrentFunction(control.receiving.get()),
            Item::AsyncDist => InfoItem::AsyncDist(control.slot.vitals.is_async_dist()),
            Item::Unanswered => {
                InfoItem::Unanswered(control.view(|relations| relations.unanswered()))
            }
            Item::Undecodable => {
                InfoItem::Undecodable(extras.map_or(0, |extras| extras.undecodable.get()))
            }
            Item::SuspendedBy => InfoItem::SuspendedBy(
                extras.map_or_else(Vec::new, |extras| extras.suspensions.borrow().suspenders()),
            ),
        }
    }

    fn messages(self) -> Vec<Snapshot> {
        let mut messages = Vec::new();
        self.control.each_message(|message| messages.push(snapshot(message)));
        messages
    }

    /// What the process was doing when it was asked. It has to run to answer, which does not
    /// count.
    fn status(self, seen_running: bool) -> Status {
        let control = self.control;
        match () {
            () if control.slot.vitals.is_suspended() => Status::Suspended,
            () if self.is_polled() => Status::Running,
            // Whoever only answers was seen as well.
            () if control.works.get() && seen_running => Status::Running,
            () if control.works.get() => Status::Runnable,
            () => Status::Waiting,
        }
    }
}
