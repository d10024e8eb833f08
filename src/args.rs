//! Options of a node for a program's own command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::{MailboxLimit, Node, NodeBuilder};

/// The options of a node, to be put into a program's own clap command line:
///
/// ```
/// use clap::Parser;
///
/// #[derive(Parser)]
/// struct Cli {
///     #[command(flatten)]
///     node: fika::NodeArgs,
/// }
///
/// let cli = Cli::parse_from(["program", "--sname", "cache"]);
/// let builder = cli.node.builder();
/// ```
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Node options")]
pub struct NodeArgs {
    /// Long name of the node: alive@host, where the host has a dot or is an address
    #[arg(long, value_name = "ALIVE@HOST", conflicts_with = "sname")]
    pub name: Option<String>,

    /// Short name of the node: alive, or alive@host with a host without a dot
    #[arg(long, value_name = "ALIVE")]
    pub sname: Option<String>,

    /// File with the cookie, readable by its owner only [default: ~/.fika.cookie]
    #[arg(long, value_name = "FILE")]
    pub cookie_file: Option<PathBuf>,

    /// Connect only when asked, and be in nobody's list of nodes
    #[arg(long)]
    pub hidden: bool,

    /// Address to listen on for other nodes [default: loopback, any port]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,

    /// Most messages in the mailbox of a process, which is killed by one more [default: any number]
    #[arg(long, value_name = "MESSAGES")]
    pub mailbox_limit: Option<usize>,

    /// Port of the port mapper [default: ERL_EPMD_PORT, or 4369]
    #[arg(long, value_name = "PORT")]
    pub epmd_port: Option<u16>,
}

impl NodeArgs {
    /// The settings that these options say. A name that is none is found out by
    /// [`NodeBuilder::build`].
    pub fn builder(&self) -> NodeBuilder {
        let mut builder = Node::builder().hidden(self.hidden);
        if let Some(name) = self.full_name() {
            builder = builder.name(name);
        }
        if let Some(file) = &self.cookie_file {
            builder = builder.cookie_file(file);
        }
        if let Some(listen) = self.listen {
            builder = builder.listen(listen);
        }
        if let Some(messages) = self.mailbox_limit {
            builder = builder.mailbox_limit(MailboxLimit::messages(messages));
        }
        if let Some(port) = self.epmd_port {
            builder = builder.epmd_port(port);
        }
        builder
    }

    fn full_name(&self) -> Option<String> {
        match (&self.name, &self.sname) {
            (Some(name), _) => Some(name.clone()),
            (None, Some(sname)) if sname.contains('@') => Some(sname.clone()),
            (None, Some(sname)) => Some(format!("{sname}@{}", short_host())),
            (None, None) => None,
        }
    }
}

/// This host's name up to its first dot.
fn short_host() -> String {
    let host = gethostname::gethostname();
    let host = host.to_string_lossy();
    host.split('.').next().filter(|host| !host.is_empty()).unwrap_or("localhost").to_owned()
}
