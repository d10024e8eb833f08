//! How much a node keeps for its connections, for those who look for what is left over.

use std::sync::Arc;

use crate::dist::control::Command;
use crate::dist::link::Channel;
use crate::dist::state::Distribution;

/// How many entries each table has.
#[doc(hidden)]
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tables {
    /// Channels by the name of their node, pending ones included.
    pub by_name: usize,
    /// Channels that are up, by the life of their node.
    pub by_id: usize,
    /// Channels that are being made.
    pub pending: usize,
    /// What net_kernel keeps to make them.
    pub attempts: usize,
    /// Nodes that peers know and that net_kernel is to connect to.
    pub candidates: usize,
    /// Processes that are told of nodes, nodes that are watched, and monitors of both.
    pub subscriptions: usize,
    /// Bytes that wait to be written, for all nodes together.
    pub output_bytes: usize,
}

impl Distribution {
    /// What it has to each node, for those who look for why two are not connected.
    #[doc(hidden)]
    pub fn channels(&self) -> Vec<String> {
        let tell = |channel: &Arc<Channel>| match channel.output_bytes() {
            _ if channel.is_pending() => format!("not yet to {}", channel.peer()),
            0 => format!("to {}", channel.peer()),
            bytes => format!("to {} (bytes that wait: {bytes})", channel.peer()),
        };
        self.base.connections.all().iter().map(tell).collect()
    }

    /// Counts. To be awaited in a process of the node.
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
