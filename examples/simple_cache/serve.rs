//! `simple_cache serve`: one node of the cache, and a TCP port for people.
//!
//! The port has no authentication. Leave it on loopback unless everybody who can reach it may use
//! the cache.

use std::net::SocketAddr;

use async_net::TcpListener;
use fika::net::monitor_nodes;
use fika::node::NodeName;
use fika::prelude::*;

use crate::member::{self, MemberArgs};
use crate::{cache, client};

/// How long accepting pauses when the system has no room for another connection.
const ACCEPT_PAUSE: Duration = millis(100);

/// The options of `serve`.
#[derive(clap::Args)]
pub(crate) struct ServeArgs {
    /// The address on which to listen for clients; port 0 takes any free port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:7000")]
    tcp: SocketAddr,

    #[command(flatten)]
    member: MemberArgs,
}

/// Runs the node until something fails.
pub(crate) fn run(args: ServeArgs) -> fika::Result {
    let join = args.member.join()?;
    let node = args.member.builder()?.build()?;
    let ended = node.try_block_on(serve(args.tcp, join));
    node.stop();
    ended.unwrap_or_else(|reason| Err(format!("the main process ended: {reason}").into()))
}

/// The main process. All other processes that the node needs are linked to it. If one of them
/// fails, the program fails, too.
async fn serve(tcp: SocketAddr, join: Vec<NodeName>) -> fika::Result {
    let cannot = |error| format!("can't listen for clients on {tcp}: {error}");
    let listener = TcpListener::bind(tcp).await.map_err(cannot)?;
    let tcp = listener.local_addr()?;
    cache::start_link().await;
    println!("{} is up; its clients connect to {tcp}", self_node().name());
    spawn_link(tell_of_nodes());
    for node in join {
        spawn_link(member::join(node));
    }
    accept(listener).await
}

/// Spawns a process for each client. It is not linked, so that its failure affects no other
/// process.
async fn accept(listener: TcpListener) -> ! {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                spawn(client::run(stream));
            }
            Err(error) => {
                tracing::warn!("a client was not let in: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Prints which nodes come and go.
async fn tell_of_nodes() {
    monitor_nodes(true);
    loop {
        receive! {
            NodeUp { node, .. } => println!("nodeup {node}"),
            NodeDown { node, reason, .. } => println!("nodedown {node}: {reason}"),
        }
    }
}
