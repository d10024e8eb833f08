//! Counts of the state that a node keeps for its connections, for tests that look for leaks.

use std::sync::Arc;

use crate::dist::control::Command;
use crate::dist::link::Channel;
use crate::dist::state::Distribution;

/// The number of entries in each table of the distribution.
#[doc(hidden)]
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tables {
    /// Channels by the name of their node, including pending ones.
    pub by_name: usize,
    /// Channels that are up, by the id of their node.
    pub by_id: usize,
    /// Channels that are not connected yet.
    pub pending: usize,
    /// Entries of net_kernel for attempts to connect.
    pub attempts: usize,
    /// Nodes that peers have named and to which net_kernel will connect.
    pub candidates: usize,
    /// Subscriptions of processes, nodes that are watched, and monitors of these processes.
    pub subscriptions: usize,
    /// Bytes that wait to be written to all nodes together.
    pub output_bytes: usize,
}

impl Distribution {
    /// Describes the channel to each node. Use it to find out why two nodes are not connected.
    #[doc(hidden)]
    pub fn channels(&self) -> Vec<String> {
        let tell = |channel: &Arc<Channel>| match channel.output_bytes() {
            _ if channel.is_pending() => format!("connecting to {}", channel.peer()),
            0 => format!("to {}", channel.peer()),
            bytes => format!("connected to {} ({bytes} bytes wait)", channel.peer()),
        };
        self.base.connections.all().iter().map(tell).collect()
    }

    /// Counts the entries. Await this in a process of the node.
    #[doc(hidden)]
    pub async fn tables(&self) -> Tables {
        let (attempts, candidates) = match self.current() {
            Some(net) => net.ask(Command::Attempts).await.unwrap_or_default(),
            None => (0, 0),
        };
        let [by_name, by_id] = self.base.connections.counts();
        let channels = self.base.connections.all();
        Tables {
            by_name,
            by_id,
            pending: channels.iter().filter(|channel| channel.is_pending()).count(),
            attempts,
            candidates,
            subscriptions: self.base.subscriptions.lock().count(),
            output_bytes: channels.iter().map(|channel| channel.output_bytes()).sum(),
        }
    }
}
