//! What makes a node a member of the cluster: a name, a cookie, and somebody to join.

use fika::net::{NodeDownReason, monitor_node};
use fika::node::{NodeName, NodeNameError};
use fika::prelude::*;

/// A node that does not answer is tried again after this time.
const JOIN_AGAIN: Duration = secs(1);

/// The options of a member.
#[derive(clap::Args)]
pub(crate) struct MemberArgs {
    #[command(flatten)]
    node: fika::node::NodeArgs,

    /// A node to connect to, and through it to all that it knows; may be given several times
    #[arg(long = "join", value_name = "NODE", help_heading = "Node options")]
    join: Vec<String>,
}

impl MemberArgs {
    /// The settings of the node.
    pub(crate) fn builder(&self) -> fika::Result<fika::node::NodeBuilder> {
        if self.node.config().name.is_none() {
            let why = "the node has no name; give it one with --name alive@host or --sname alive";
            return Err(why.into());
        }
        Ok(self.node.builder())
    }

    /// Whom to join.
    pub(crate) fn join(&self) -> Result<Vec<NodeName>, NodeNameError> {
        self.join.iter().map(|node| node.parse()).collect()
    }
}

/// Connects to a node, and again whenever the connection is lost.
#[remote]
pub(crate) async fn join(node: NodeName) {
    let mut warned = false;
    loop {
        // This connects if need be. One `NodeDown` follows: at once if it can't.
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
