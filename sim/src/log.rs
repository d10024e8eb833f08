//! The log of a simulation: a hash of all events in order, and, on request, a line for each.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::env::Clock;

/// The number of lines kept for the report of a failure.
const LAST: usize = 60;
/// The longest line, in characters. Longer lines are cut off.
const WIDTH: usize = 180;

/// The environment variable that includes the lines of fika's own processes in the report of a
/// failure.
pub(crate) const SHOW_RUNTIME: &str = "FIKA_SIM_RUNTIME";

/// The subject of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Of {
    /// The simulated program, or the cluster.
    Program,
    /// Fika's own processes, such as `net_kernel`, and their connections. They have ten times as
    /// many lines as the program.
    Runtime,
}

/// The log of a simulation.
#[derive(Debug)]
pub(crate) struct Log {
    clock: Arc<Clock>,
    /// Whether the report of a failure includes the lines of fika's own processes.
    shows_runtime: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    hash: Fnv,
    /// The last lines, without turns, and without those of fika's own processes unless
    /// `shows_runtime`.
    recent: VecDeque<String>,
    /// Whether lines were left out of `recent`.
    is_shortened: bool,
    /// All lines; `None` if the log is not kept.
    lines: Option<Vec<String>>,
    /// The width of the column of the nodes.
    node_width: usize,
}

/// FNV-1a (Fowler, Noll and Vo), whose values don't change with Rust's versions.
#[derive(Debug)]
pub(crate) struct Fnv(u64);

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
        let shows_runtime = std::env::var_os(SHOW_RUNTIME).is_some();
        Log { clock, shows_runtime, state: Mutex::new(state) }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.state.lock().hash.finish()
    }

    /// Keeps all lines from now on.
    pub(crate) fn keep(&self) {
        self.state.lock().lines.get_or_insert_default();
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.state.lock().lines.is_some()
    }

    /// Returns all lines.
    pub(crate) fn text(&self) -> String {
        let state = self.state.lock();
        state.lines.iter().flatten().fold(String::new(), |text, line| text + line + "\n")
    }

    /// Returns whether lines of fika's own processes are left out of the last lines.
    pub(crate) fn is_shortened(&self) -> bool {
        self.state.lock().is_shortened
    }

    /// Returns the last lines, without turns.
    pub(crate) fn tail(&self) -> Vec<String> {
        self.state.lock().recent.iter().cloned().collect()
    }

    /// Makes the column of the nodes wide enough for this node.
    pub(crate) fn make_room_for(&self, node: &str) {
        let mut state = self.state.lock();
        state.node_width = state.node_width.max(node.len()).max(NODE_WIDTH);
    }

    /// Adds an event: `facts` go into the hash, `line` is for people.
    pub(crate) fn add(&self, of: Of, facts: &[u64], name: &str, line: impl FnOnce(&mut Line<'_>)) {
        let mut state = self.state.lock();
        state.hash.write_u64(self.clock.now());
        for fact in facts {
            state.hash.write_u64(*fact);
        }
        state.hash.write(name.as_bytes());
        self.say(&mut state, of, line);
    }

    /// Adds the turn of a process, which only the whole log shows.
    pub(crate) fn add_turn(&self, facts: &[u64], line: impl FnOnce(&mut Line<'_>)) {
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

    /// Adds something that was done to the cluster.
    pub(crate) fn note(&self, what: &str) {
        self.add(Of::Program, &[], what, |line| line.text.extend(["== ", what]));
    }

    /// Adds a line that does not go into the hash, since it may differ in the next run.
    pub(crate) fn report(&self, line: impl FnOnce(&mut Line<'_>)) {
        self.say(&mut self.state.lock(), Of::Program, line);
    }

    fn say(&self, state: &mut State, of: Of, line: impl FnOnce(&mut Line<'_>)) {
        let is_recent = self.shows_runtime || of == Of::Program;
        state.is_shortened |= !is_recent;
        if !is_recent {
            if state.lines.is_some() {
                let text = self.line(String::new(), state.node_width, line);
                state.lines.iter_mut().for_each(|lines| lines.push(text.clone()));
            }
            return;
        }
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

/// A line that is being written: time, node, process, event.
pub(crate) struct Line<'a> {
    pub(crate) text: &'a mut String,
    node_width: usize,
}

impl Line<'_> {
    /// Writes the columns before the event.
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

/// The smallest width of the column of the nodes: nodes that are added later may have longer names.
const NODE_WIDTH: usize = 12;
/// The width of the column of the processes.
const WHO_WIDTH: usize = 20;
