//! Continues reading or writing on a busy connection, in its own process.
//!
//! The scheduler runs these processes like all others, on any worker. So two busy connections are
//! served at the same time, and other processes and connections get their turns in between. Before
//! each turn the worker looks at the other sockets, since busy connections could keep all workers
//! from it. The process ends when the connection is not busy any more.
//!
//! If the messages that arrive are large, a thread reads in place of the process: see `apart`.

use std::sync::Arc;

use fika_runtime::{Turn, run_reader, yield_to_driver};

use super::apart::{self, Apart};
use super::channel::Channel;

/// The work of a turn that is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Job {
    Read,
    Write,
}

/// A turn that is kept.
struct Rest {
    channel: Arc<Channel>,
    job: Job,
    turn: Turn,
    /// The numbers of bytes and signals that were received before the latest turns.
    received: (u64, u64),
    /// Set while a thread does the turns.
    apart: Option<Apart>,
}

impl Channel {
    /// Starts a process that continues a turn that is kept.
    pub(super) fn rests(&self, turn: Turn, job: Job) {
        if turn == Turn::Over {
            return;
        }
        let (Some(owner), Some(channel)) = (self.owner(), self.this()) else { return };
        let Some(node) = owner.node() else { return };
        let received = channel.received();
        let rest = Rest { channel, job, turn, received, apart: None };
        // If the process can't start, dropping `rest` does all of the work now.
        let _ = node.spawn_root_service(owner.net_kernel(), rest.run());
    }
}

impl Rest {
    async fn run(mut self) {
        while self.turn == Turn::Kept || self.apart.is_some() {
            self.flush();
            yield_to_driver().await;
            if self.apart.is_some() {
                let Ok(rest) = run_reader(|| self.go_on_apart()).await else { return };
                self = rest;
            } else {
                self.go_on();
            }
            if !self.are_large() {
                self.apart = None;
            } else if self.apart.is_none() && self.turn == Turn::Kept && self.job == Job::Read {
                self.apart = Apart::begin(&self.channel);
            }
        }
    }

    /// Writes the answers to signals from the last turn.
    fn flush(&self) {
        if let Some(owner) = self.channel.owner() {
            owner.flush();
        }
    }

    /// Returns whether the signals of the latest turns were large, on average.
    fn are_large(&mut self) -> bool {
        let received @ (bytes, signals) = self.channel.received();
        let before = std::mem::replace(&mut self.received, received);
        bytes - before.0 >= apart::LARGE_BYTES * (signals - before.1).max(1)
    }

    /// Runs some turns on the calling thread, and waits for more to read between them.
    fn go_on_apart(mut self) -> Rest {
        for _ in 0..apart::TURNS {
            if self.channel.received().0 - self.received.0 >= apart::BYTES {
                break;
            }
            if self.turn == Turn::Kept {
                self.go_on();
            } else if !self.begins_turn() {
                self.apart = None;
                break;
            }
            self.flush();
        }
        self
    }

    /// Waits for something to read, and runs the first turn. Returns `false` if there was nothing
    /// to read, or if another thread is reading.
    fn begins_turn(&mut self) -> bool {
        if !self.apart.as_ref().is_some_and(Apart::has_more) {
            return false;
        }
        let Some(node) = self.channel.node() else { return false };
        self.turn = node.outside_process(|| self.channel.begin_reading());
        self.turn == Turn::Kept || !self.channel.reading.is_busy()
    }

    /// Runs one turn outside of the process, as the handler of a socket does. Delivery may run code
    /// of the program, and that code must not see this process as the running process.
    fn go_on(&mut self) {
        // If the turn panics, the outlet has ended it.
        self.turn = Turn::Over;
        let Some(node) = self.channel.node().filter(|node| !node.is_stopping()) else { return };
        self.turn = node.outside_process(|| match self.job {
            Job::Read => self.channel.go_on_reading(),
            Job::Write => self.channel.go_on_writing(),
        });
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        while self.turn == Turn::Kept {
            self.go_on();
        }
    }
}
