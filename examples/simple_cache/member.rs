//! Makes a node a member of the cluster: gives it a name, a cookie, and nodes to join.

use fika::net::{NodeDownReason, monitor_node};
use fika::node::{NodeName, NodeNameError};
use fika::prelude::*;

/// The time after which a node that does not answer is tried again.
const JOIN_AGAIN: Duration = secs(1);

/// The options of a member.
#[derive(clap::Args)]
pub(crate) struct MemberArgs {
    #[command(flatten)]
    node: fika::node::NodeArgs,

    /// A node to connect to, and through it to all nodes that it knows; may be given several times
    #[arg(long = "join", value_name = "NODE", help_heading = "Node options")]
    join: Vec<String>,
}

impl MemberArgs {
    /// Returns the settings of the node.
    pub(crate) fn builder(&self) -> fika::Result<fika::node::NodeBuilder> {
        if self.node.config().name.is_none() {
            let why = "the node has no name; give it one with --name alive@host or --sname alive";
            return Err(why.into());
        }
        Ok(self.node.builder())
    }

    /// Returns the nodes to join.
    pub(crate) fn join(&self) -> Result<Vec<NodeName>, NodeNameError> {
        self.join.iter().map(|node| node.parse()).collect()
    }
}

/// Connects to a node, and connects again whenever the connection is lost.
#[remote]
pub(crate) async fn join(node: NodeName) {
    let mut warned = false;
    loop {
        // Connects if necessary. One `NodeDown` follows: at once if connecting fails.
        monitor_node(&node, true).expect("a member has a name");
        receive! {
            NodeDown { reason: NodeDownReason::ConnectionSetupFailed, .. } => {
                if !warned {
                    tracing::warn!("{node} does not answer; trying again until it does");
                }
                warned = true;
            }
            NodeDown { .. } => warned = false,
        }
        sleep(JOIN_AGAIN).await;
    }
}
