//! What has happened, in order: a hash of all of it, and the lines that a person reads where
//! they are asked for.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Write as _};
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use fika_runtime::{ExitReason, Observer, Pid, Signal};
use parking_lot::Mutex;

use crate::checks::{Checks, Seen};
use crate::env::Clock;

/// So many lines are kept for the report of a failure.
const LAST: usize = 60;
/// A line is cut here.
const WIDTH: usize = 180;

/// The log of a simulation.
#[derive(Debug)]
pub(crate) struct Log {
    clock: Arc<Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    hash: Fnv,
    /// The last lines, without those of mere turns.
    recent: VecDeque<String>,
    /// All lines; none where nobody wants to read them.
    lines: Option<Vec<String>>,
    /// How wide the column of the nodes is.
    node_width: usize,
}

/// FNV-1a (Fowler, Noll and Vo), whose values don't change with Rust's versions.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

impl Log {
    pub(crate) fn new(clock: Arc<Clock>, is_kept: bool) -> Log {
        let state = State { lines: is_kept.then(Vec::new), ..State::default() };
        Log { clock, state: Mutex::new(state) }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.state.lock().hash.finish()
    }

    /// From now on, all lines are kept.
    pub(crate) fn keep(&self) {
        self.state.lock().lines.get_or_insert_default();
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.state.lock().lines.is_some()
    }

    /// All lines.
    pub(crate) fn text(&self) -> String {
        let state = self.state.lock();
        state.lines.iter().flatten().fold(String::new(), |text, line| text + line + "\n")
    }

    /// The last lines, without those of mere turns.
    pub(crate) fn tail(&self) -> Vec<String> {
        self.state.lock().recent.iter().cloned().collect()
    }

    /// The columns are to have room for this node.
    pub(crate) fn make_room_for(&self, node: &str) {
        let mut state = self.state.lock();
        state.node_width = state.node_width.max(node.len());
    }

    /// Something has happened: `facts` decide the hash, `line` is for people.
    pub(crate) fn add(&self, facts: &[u64], name: &str, line: impl FnOnce(&mut Line<'_>)) {
        let mut state = self.state.lock();
        state.hash.write_u64(self.clock.now());
        for fact in facts {
            state.hash.write_u64(*fact);
        }
        state.hash.write(name.as_bytes());
        self.say(&mut state, line);
    }

    /// A process has a turn: of interest to those who want to read everything.
    fn add_turn(&self, facts: &[u64], line: impl FnOnce(&mut Line<'_>)) {
        let mut state = self.state.lock();
        state.hash.write_u64(self.clock.now());
        for fact in facts {
            state.hash.write_u64(*fact);
        }
        if state.lines.is_some() {
            let text = self.line(String::new(), state.node_width, line);
            state.lines.iter_mut().for_each(|lines| lines.push(text.clone()));
        }
    }

    /// Something that is done to the cluster.
    pub(crate) fn note(&self, what: &str) {
        self.add(&[], what, |line| line.text.extend(["== ", what]));
    }

    /// Something that has no part in what happens, and may be different the next time.
    pub(crate) fn remark(&self, what: &str) {
        self.say(&mut self.state.lock(), |line| line.text.extend(["!! ", what]));
    }

    fn say(&self, state: &mut State, line: impl FnOnce(&mut Line<'_>)) {
        let room = match state.recent.len() {
            LAST.. => state.recent.pop_front().unwrap_or_default(),
            _ => String::new(),
        };
        let text = self.line(room, state.node_width, line);
        if let Some(lines) = &mut state.lines {
            lines.push(text.clone());
        }
        state.recent.push_back(text);
    }

    fn line(
        &self,
        mut text: String,
        node_width: usize,
        line: impl FnOnce(&mut Line<'_>),
    ) -> String {
        text.clear();
        let _ = write!(text, "{:>13.6}  ", Duration::from_nanos(self.clock.now()).as_secs_f64());
        line(&mut Line { text: &mut text, node_width });
        if text.len() > WIDTH {
            let end = (0..=WIDTH).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(end);
            text.push_str(" ..");
        }
        text
    }
}

/// A line that is being written: time, node, process, what.
pub(crate) struct Line<'a> {
    pub(crate) text: &'a mut String,
    node_width: usize,
}

impl Line<'_> {
    /// The columns before what has happened.
    pub(crate) fn of(&mut self, node: &str, who: fmt::Arguments<'_>) {
        let width = self.node_width;
        let _ = write!(self.text, "{node:<width$}  ");
        let from = self.text.len();
        let _ = write!(self.text, "{who}");
        for _ in self.text.len() - from..WHO_WIDTH {
            self.text.push(' ');
        }
        self.text.push_str("  ");
    }
}

/// How wide the column of the processes is.
const WHO_WIDTH: usize = 20;

/// Watches one life of a node.
pub(crate) struct Watch {
    log: Arc<Log>,
    /// Its number in the simulation.
    node: u64,
    name: String,
    checks: Checks,
    seen: Mutex<Seen>,
    /// The names that its processes have.
    names: Mutex<BTreeMap<(u32, u32), String>>,
    /// The process whose end is of interest, and how it has ended.
    main: Mutex<(Option<Pid>, Option<ExitReason>)>,
}

impl Watch {
    pub(crate) fn new(log: Arc<Log>, checks: Checks, node: usize, name: &str) -> Watch {
        Watch {
            log,
            node: node as u64,
            name: name.to_owned(),
            checks,
            seen: Mutex::default(),
            names: Mutex::default(),
            main: Mutex::default(),
        }
    }

    /// This is the main process.
    pub(crate) fn set_main(&self, pid: Option<Pid>) {
        self.main.lock().0 = pid;
    }

    /// How the main process has ended, if it has.
    pub(crate) fn main_end(&self) -> Option<ExitReason> {
        self.main.lock().1.clone()
    }

    /// What a person calls a process: its name, if it has one, and its number.
    pub(crate) fn called(&self, pid: Pid) -> String {
        let local = pid.local();
        let place = (local.slot, local.generation);
        match self.names.lock().get(&place) {
            Some(name) => format!("{name} <{}.{}>", place.0, place.1),
            None => format!("<{}.{}>", place.0, place.1),
        }
    }

    fn facts(&self, kind: u64, pid: Pid) -> [u64; 4] {
        let local = pid.local();
        [self.node, kind, u64::from(local.slot), u64::from(local.generation)]
    }

    fn add(&self, kind: u64, pid: Pid, name: &str, what: impl FnOnce(&mut String)) {
        self.log.add(&self.facts(kind, pid), name, |line| {
            line.of(&self.name, format_args!("{}", self.called(pid)));
            what(line.text);
        });
    }

    /// A process has a turn.
    pub(crate) fn turn(&self, pid: Pid) {
        self.log.add_turn(&self.facts(0, pid), |line| {
            line.of(&self.name, format_args!("{}", self.called(pid)));
            line.text.push_str("runs");
        });
    }
}

impl Observer for Watch {
    fn started(&self, pid: Pid) {
        self.add(1, pid, "", |line| line.push_str("starts"));
        self.seen.lock().started(pid, &self.checks);
    }

    fn registered(&self, pid: Pid, name: &str) {
        let local = pid.local();
        self.names.lock().insert((local.slot, local.generation), name.to_owned());
        self.add(5, pid, name, |line| line.push_str("has a name now"));
    }

    fn message(&self, to: Pid, type_name: &str) {
        self.add(2, to, type_name, |line| {
            line.push_str("<- ");
            line.push_str(&short(type_name));
        });
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
        let mut main = self.main.lock();
        if main.0 == Some(pid) {
            main.1 = Some(reason.clone());
        }
    }
}

/// A type's name without the modules that its parts are in.
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

fn kind(signal: &Signal) -> &'static str {
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
