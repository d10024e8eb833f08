//! Continues reading or writing on a busy connection, in its own process.
//!
//! The scheduler runs these processes like all others, on any worker. So two busy connections are
//! served at the same time, and other processes and connections get their turns in between. Before
//! each turn the worker looks at the other sockets, since busy connections could keep all workers
//! from it. The process ends when the connection is not busy any more.

use std::sync::Arc;

use fika_runtime::{Turn, yield_to_driver};

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
}

impl Channel {
    /// Starts a process that continues a turn that is kept.
    pub(super) fn rests(&self, turn: Turn, job: Job) {
        if turn == Turn::Over {
            return;
        }
        let (Some(owner), Some(channel)) = (self.owner(), self.this()) else { return };
        let Some(node) = owner.node() else { return };
        let rest = Rest { channel, job, turn };
        // If the process can't start, dropping `rest` does all of the work now.
        let _ = node.spawn_root_service(owner.net_kernel(), rest.run());
    }
}

impl Rest {
    async fn run(mut self) {
        while self.turn == Turn::Kept {
            // Answers to signals from the last turn are written before the next turn.
            if let Some(owner) = self.channel.owner() {
                owner.flush();
            }
            yield_to_driver().await;
            self.go_on();
        }
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
