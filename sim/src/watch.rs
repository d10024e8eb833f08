//! Observes one life of a node: for the log, for the checks, and for the end of its main process.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fika_runtime::{
    ConnectionId, Envelope, ExitReason, NodeId, Observer, Pid, Reference, RemoteDest, Signal,
    SignalRef, Target,
};
use parking_lot::Mutex;

use crate::checks::{Checks, Seen};
use crate::log::{Line, Log, Of};
use crate::order::Sent;

/// Observes one life of a node.
pub(crate) struct Watch {
    log: Arc<Log>,
    /// The node's number in the simulation.
    node: u64,
    name: String,
    life: NodeId,
    checks: Checks,
    seen: Mutex<Seen>,
    /// The most bytes that may wait on one connection.
    queued_bytes_max: AtomicUsize,
    /// The signal that is being given to the carrier.
    sending: Mutex<Option<Sent>>,
    /// The names of the node's processes.
    names: Mutex<BTreeMap<(u32, u32), String>>,
    /// Fika's own processes.
    own: Mutex<Own>,
    /// The main process, and how it has ended.
    main: Mutex<(Option<Pid>, Option<ExitReason>)>,
}

/// Fika's own processes on a node: those that start before the program, and their children.
#[derive(Default)]
struct Own {
    program_runs: bool,
    processes: BTreeSet<(u32, u32)>,
}

/// The names of the distribution's processes. A program may start these late.
const OWN_NAMES: [&str; 2] = ["net_sup", "net_kernel"];

impl Watch {
    pub(crate) fn new(log: Arc<Log>, checks: Checks, node: usize, life: NodeId) -> Watch {
        Watch {
            log,
            node: node as u64,
            name: life.name().to_string(),
            life,
            checks,
            seen: Mutex::default(),
            queued_bytes_max: AtomicUsize::new(usize::MAX),
            sending: Mutex::default(),
            names: Mutex::default(),
            own: Mutex::default(),
            main: Mutex::default(),
        }
    }

    /// Sets the main process.
    pub(crate) fn set_main(&self, pid: Option<Pid>) {
        self.main.lock().0 = pid;
    }

    /// Notes that the node is up, and that its main process runs the program.
    pub(crate) fn program_begins(&self) {
        self.own.lock().program_runs = true;
    }

    /// Returns whether the process is fika's own or the program's.
    fn of(&self, pid: Pid) -> Of {
        let local = pid.local();
        match self.own.lock().processes.contains(&(local.slot, local.generation)) {
            true => Of::Runtime,
            false => Of::Program,
        }
    }

    /// Returns how the main process has ended, if it has.
    pub(crate) fn main_end(&self) -> Option<ExitReason> {
        self.main.lock().1.clone()
    }

    /// Returns the name of a process for the log: its registered name, if it has one, and its
    /// number.
    pub(crate) fn called(&self, pid: Pid) -> String {
        let local = pid.local();
        let place = (local.slot, local.generation);
        match self.names.lock().get(&place) {
            Some(name) => format!("{name} <{}.{}>", place.0, place.1),
            None if self.main.lock().0 == Some(pid) => format!("main <{}.{}>", place.0, place.1),
            None => format!("<{}.{}>", place.0, place.1),
        }
    }

    /// Returns all registered names.
    pub(crate) fn names(&self) -> Vec<String> {
        self.names.lock().values().cloned().collect()
    }

    /// Sets the most bytes that may wait on one connection.
    pub(crate) fn set_queued_bytes_max(&self, max: usize) {
        self.queued_bytes_max.store(max, Ordering::Relaxed);
    }

    /// Returns the monitors that each process must have.
    pub(crate) fn monitors(&self) -> BTreeMap<Pid, HashSet<Reference>> {
        self.seen.lock().monitors.clone()
    }

    fn is_right(&self, wrong: Option<String>) {
        if let Some(wrong) = wrong {
            self.checks.violated(format!("{}: {wrong}", self.name));
        }
    }

    /// Writes the columns of the node and, if there is one, the process.
    pub(crate) fn begin_line(&self, line: &mut Line<'_>, pid: Option<Pid>) {
        line.of(&self.name, format_args!("{}", pid.map_or(String::new(), |pid| self.called(pid))));
    }

    fn facts(&self, kind: u64, pid: Pid) -> [u64; 4] {
        let local = pid.local();
        [self.node, kind, u64::from(local.slot), u64::from(local.generation)]
    }

    fn add(&self, kind: u64, pid: Pid, name: &str, what: impl FnOnce(&mut String)) {
        self.add_of(self.of(pid), kind, pid, name, what);
    }

    fn add_of(&self, of: Of, kind: u64, pid: Pid, name: &str, what: impl FnOnce(&mut String)) {
        self.log.add(of, &self.facts(kind, pid), name, |line| {
            self.begin_line(line, Some(pid));
            what(line.text);
        });
    }

    /// Notes that a process has a turn.
    pub(crate) fn turn(&self, pid: Pid) {
        self.log.add_turn(&self.facts(0, pid), |line| {
            self.begin_line(line, Some(pid));
            line.text.push_str("runs");
        });
    }
}

impl Observer for Watch {
    fn started(&self, pid: Pid, parent: Option<Pid>) {
        if let Some(parent) = parent.filter(|parent| parent.node() == pid.node()) {
            let is_own = self.of(parent) == Of::Runtime;
            let (local, mut own) = (pid.local(), self.own.lock());
            if is_own || !own.program_runs {
                own.processes.insert((local.slot, local.generation));
            }
        }
        self.add(1, pid, "", |line| line.push_str("starts"));
        self.seen.lock().started(pid, &self.checks);
    }

    fn registered(&self, pid: Pid, name: &str) {
        let local = pid.local();
        self.names.lock().insert((local.slot, local.generation), name.to_owned());
        if OWN_NAMES.contains(&name) {
            self.own.lock().processes.insert((local.slot, local.generation));
        }
        self.add(5, pid, name, |line| line.push_str("has a name now"));
    }

    fn message(&self, to: Pid, message: &Envelope) {
        let type_name = message.type_name();
        // Answers of net_kernel.
        let of = if type_name.contains("fika_net::") { Of::Runtime } else { self.of(to) };
        self.add_of(of, 2, to, type_name, |line| {
            line.push_str("<- ");
            line.push_str(&short(type_name));
        });
        self.seen.lock().message(to, message, &self.checks);
    }

    fn signal(&self, to: Pid, signal: &Signal) {
        let kind = kind(signal);
        self.add(3, to, kind, |line| {
            let _ = write!(line, "<- {signal:?}");
        });
        self.seen.lock().signal(to, signal, &self.checks);
    }

    fn ended(&self, pid: Pid, reason: &ExitReason) {
        self.add(4, pid, &reason.to_string(), |line| {
            let _ = write!(line, "ends: {reason}");
        });
        self.seen.lock().ended(pid, &self.checks);
        let local = pid.local();
        self.names.lock().remove(&(local.slot, local.generation));
        self.own.lock().processes.remove(&(local.slot, local.generation));
        let mut main = self.main.lock();
        if main.0 == Some(pid) {
            main.1 = Some(reason.clone());
        }
    }

    fn down(&self, to: Pid, monitor: Reference) {
        self.seen.lock().down(to, monitor, &self.checks);
    }

    fn sends(&self, by: Option<Pid>, to: &RemoteDest, signal: SignalRef<'_>) {
        if let SignalRef::Other(signal) = signal {
            self.seen.lock().sends(signal);
        }
        *self.sending.lock() = Some(Sent::new(by, to, signal));
    }

    fn sent(&self, over: Option<ConnectionId>) {
        if let (Some(sent), Some(over)) = (self.sending.lock().take(), over) {
            self.checks.order.lock().sent((self.life, over), sent);
        }
    }

    fn queued(&self, over: ConnectionId, bytes: usize) {
        let (number, max) = (over.0, self.queued_bytes_max.load(Ordering::Relaxed));
        let what = || format!("{bytes} bytes wait on connection {number}, and {max} are allowed");
        self.is_right((bytes > max).then(what));
    }

    fn connected(&self, connection: ConnectionId, nodes: [NodeId; 2], ends: [SocketAddr; 2]) {
        let end = (self.life, connection);
        let wrong = self.checks.order.lock().connected(end, nodes, ends);
        self.is_right(wrong);
    }

    fn received(&self, over: ConnectionId, to: &Target, signal: SignalRef<'_>) {
        let wrong = self.checks.order.lock().received((self.life, over), to, signal);
        self.is_right(wrong);
    }

    fn lost(&self, connection: ConnectionId) {
        self.checks.order.lock().lost((self.life, connection));
    }

    fn misbehaved(&self, connection: ConnectionId, why: &str) {
        let number = connection.0;
        self.is_right(Some(format!("a node rejects the bytes of connection {number}: {why}")));
    }
}

/// Returns a type's name without the module paths of its parts.
fn short(type_name: &str) -> String {
    let mut short = String::new();
    let mut word = String::new();
    for c in type_name.chars() {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
        } else if c == ':' {
            word.clear();
        } else {
            short.push_str(&std::mem::take(&mut word));
            short.push(c);
        }
    }
    short + &word
}

pub(crate) fn kind(signal: &Signal) -> &'static str {
    match signal {
        Signal::Message(_) => "message",
        Signal::Link { .. } => "link",
        Signal::Unlink { .. } => "unlink",
        Signal::UnlinkAck { .. } => "unlink_ack",
        Signal::Exit { .. } => "exit",
        Signal::Monitor { .. } => "monitor",
        Signal::Demonitor { .. } => "demonitor",
        Signal::Down { .. } => "down",
        Signal::SpawnReply { .. } => "spawn_reply",
        Signal::GroupLeader { .. } => "group_leader",
        Signal::Request(_) => "request",
        Signal::ConnectionLost { .. } => "connection_lost",
        Signal::ConnectionRoom { .. } => "connection_room",
    }
}
