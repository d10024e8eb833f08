//! What has happened, in order: a hash of all of it, and the lines that a person reads where
//! they are asked for.

use std::fmt::{self, Write as _};
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use fika_runtime::{ExitReason, Observer, Pid, Signal};
use parking_lot::Mutex;

use crate::checks::{Checks, Seen};
use crate::env::Clock;

/// So many lines are kept for the report of a failure.
const LAST: usize = 200;

/// The log of a simulation.
#[derive(Debug)]
pub(crate) struct Log {
    clock: Arc<Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    hash: Fnv,
    /// None where nobody wants to read.
    lines: Option<Vec<String>>,
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
    pub(crate) fn new(clock: Arc<Clock>, readable: bool) -> Log {
        let state = State { lines: readable.then(Vec::new), ..State::default() };
        Log { clock, state: Mutex::new(state) }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.state.lock().hash.finish()
    }

    /// From now on, there are lines.
    pub(crate) fn keep(&self) {
        self.state.lock().lines.get_or_insert_default();
    }

    /// All lines.
    pub(crate) fn text(&self) -> String {
        let state = self.state.lock();
        state.lines.iter().flatten().fold(String::new(), |text, line| text + line + "\n")
    }

    /// The last lines.
    pub(crate) fn tail(&self) -> Vec<String> {
        let state = self.state.lock();
        let lines = state.lines.as_deref().unwrap_or_default();
        lines[lines.len().saturating_sub(LAST)..].to_vec()
    }

    /// Something has happened: `facts` decide the hash, `line` is for people.
    pub(crate) fn add(&self, facts: &[u64], name: &str, line: impl FnOnce(&mut String)) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.hash.write_u64(now);
        for fact in facts {
            state.hash.write_u64(*fact);
        }
        state.hash.write(name.as_bytes());
        if let Some(lines) = &mut state.lines {
            let mut text = format!("{:>12}  ", Seconds(now).to_string());
            line(&mut text);
            lines.push(text);
        }
    }

    /// Something that is done to the cluster.
    pub(crate) fn note(&self, what: &str) {
        self.add(&[], what, |line| line.push_str(what));
    }
}

/// Nanoseconds, to read as seconds.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", Duration::from_nanos(self.0).as_secs_f64())
    }
}

/// Watches one life of a node.
pub(crate) struct Watch {
    pub(crate) log: Arc<Log>,
    /// Its number in the simulation.
    pub(crate) node: u64,
    pub(crate) name: String,
    pub(crate) checks: Checks,
    pub(crate) seen: Mutex<Seen>,
}

impl Watch {
    fn add(&self, kind: u64, pid: Pid, name: &str, what: impl FnOnce(&mut String)) {
        let local = pid.local();
        let facts = [self.node, kind, u64::from(local.slot), u64::from(local.generation)];
        self.log.add(&facts, name, |line| {
            let place = format!("<{}.{}>", local.slot, local.generation);
            let _ = write!(line, "{:<16} {place:<10} ", self.name);
            what(line);
        });
    }

    /// A process has a turn.
    pub(crate) fn turn(&self, pid: Pid) {
        self.add(0, pid, "", |line| line.push_str("runs"));
    }
}

impl Observer for Watch {
    fn started(&self, pid: Pid) {
        self.add(1, pid, "", |line| line.push_str("starts"));
        self.seen.lock().started(pid, &self.checks);
    }

    fn message(&self, to: Pid, type_name: &str) {
        self.add(2, to, type_name, |line| {
            let _ = write!(line, "<- {}", short(type_name));
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
    }
}
