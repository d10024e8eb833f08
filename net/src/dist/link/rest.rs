//! How a busy connection goes on reading or writing: in a process of its own.
//!
//! The scheduler runs these processes as all others, on any worker. So two busy connections are
//! served at the same time, and processes and other connections have their turns between. The
//! process ends when the connection is not busy any more.

use std::sync::Arc;

use fika_runtime::{Turn, yield_now};

use super::channel::Channel;

/// What a turn is kept for.
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
    /// Has a process go on with a turn that is kept.
    pub(super) fn rests(&self, turn: Turn, job: Job) {
        if turn == Turn::Over {
            return;
        }
        let (Some(owner), Some(channel)) = (self.owner(), self.this()) else { return };
        let Some(node) = owner.node() else { return };
        let rest = Rest { channel, job, turn };
        // Without room for a process, the drop of `rest` does everything now.
        let _ = node.spawn_root_service(owner.net_kernel(), rest.run());
    }
}

impl Rest {
    async fn run(mut self) {
        while self.turn == Turn::Kept {
            // The answers to what the last turn has read do not wait for the next turn.
            if let Some(owner) = self.channel.owner() {
                owner.flush();
            }
            yield_now().await;
            self.go_on();
        }
    }

    /// Has one turn, as the handler of a socket would: what is read may run code of the program,
    /// which must not take this process for its own.
    fn go_on(&mut self) {
        // The outlet ends a turn that panics.
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
