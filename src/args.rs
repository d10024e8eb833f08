//! Options of a node for a program's own command line.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::{AutoConnect, MailboxLimit, Node, NodeBuilder, NodeName, NodeNameError, SocketOptions};

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
    /// Long name of the node: alive@host, where the host has a dot or is an address;
    /// undefined@host to be named by the first node that it connects to
    #[arg(long, value_name = "ALIVE@HOST", value_parser = long_name, conflicts_with = "sname")]
    pub name: Option<String>,

    /// Short name of the node: alive, or alive@host with a host without a dot; undefined to
    /// be named by the first node that it connects to
    #[arg(long, value_name = "ALIVE", value_parser = short_name)]
    pub sname: Option<String>,

    /// File with the cookie, readable by its owner only [default: ~/.fika.cookie]
    #[arg(long, value_name = "FILE")]
    pub cookie_file: Option<PathBuf>,

    /// Connect only when asked, and be in nobody's list of nodes
    #[arg(long)]
    pub hidden: bool,

    /// Address to listen on for other nodes; [::] is all addresses [default: loopback, any port]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,

    /// Ports to listen on, of which the first free one is taken
    #[arg(long, value_name = "MIN-MAX", value_parser = port_range)]
    pub listen_ports: Option<RangeInclusive<u16>>,

    /// Don't listen: connect to others only, and be hidden
    #[arg(long, conflicts_with_all = ["listen", "listen_ports"])]
    pub no_listen: bool,

    /// Don't bring up a port mapper where none answers
    #[arg(long)]
    pub no_start_epmd: bool,

    /// Cookie for one peer, from a file that is readable by its owner only; may be given again
    #[arg(long, value_name = "NODE=FILE", value_parser = peer_cookie)]
    pub cookie_file_for: Vec<(NodeName, PathBuf)>,

    /// Node, host, or name before the @ that may be connected; may be given again [default: all]
    #[arg(long, value_name = "NODE")]
    pub allow: Vec<String>,

    /// When connections are made by themselves [default: always]
    #[arg(long, value_name = "WHEN", value_parser = auto_connect)]
    pub dist_auto_connect: Option<AutoConnect>,

    /// Don't connect to all nodes that peers know
    #[arg(long)]
    pub no_connect_all: bool,

    /// Seconds after which a silent node is given up; the same on all nodes [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub net_ticktime: Option<Duration>,

    /// How often peers are looked at in this time, from 4 to 1000 [default: 4]
    #[arg(long, value_name = "TIMES", value_parser = clap::value_parser!(u32).range(4..=1000))]
    pub net_tickintensity: Option<u32>,

    /// Longest time for making a connection, in seconds [default: 7]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub net_setuptime: Option<Duration>,

    /// Let small writes between nodes wait for the answers to earlier ones
    #[arg(long)]
    pub no_nodelay: bool,

    /// Have the system look after connections on which nothing happens
    #[arg(long)]
    pub keepalive: bool,

    /// Bytes of the system's room for what a connection sends
    #[arg(long, value_name = "BYTES")]
    pub send_buffer: Option<usize>,

    /// Bytes of the system's room for what a connection receives
    #[arg(long, value_name = "BYTES")]
    pub recv_buffer: Option<usize>,

    /// Most messages in the mailbox of a process, which is killed by one more [default: any number]
    #[arg(long, value_name = "MESSAGES")]
    pub mailbox_limit: Option<usize>,

    /// Port of the port mapper [default: ERL_EPMD_PORT, or 4369]
    #[arg(long, value_name = "PORT")]
    pub epmd_port: Option<u16>,
}

impl NodeArgs {
    /// The settings that these options say.
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
        self.distribution(builder)
    }

    fn distribution(&self, mut builder: NodeBuilder) -> NodeBuilder {
        builder = builder
            .dist_listen(!self.no_listen)
            .start_epmd(!self.no_start_epmd)
            .connect_all(!self.no_connect_all)
            .allow(self.allow.iter().cloned())
            .socket_options(self.socket_options());
        if let Some(ports) = &self.listen_ports {
            builder = builder.listen_ports(ports.clone());
        }
        for (node, file) in &self.cookie_file_for {
            builder = builder.cookie_file_for(node.as_str(), file);
        }
        if let Some(when) = self.dist_auto_connect {
            builder = builder.dist_auto_connect(when);
        }
        if let Some(time) = self.net_ticktime {
            builder = builder.net_ticktime(time);
        }
        if let Some(intensity) = self.net_tickintensity {
            builder = builder.net_tickintensity(intensity);
        }
        if let Some(time) = self.net_setuptime {
            builder = builder.net_setuptime(time);
        }
        builder
    }

    fn socket_options(&self) -> SocketOptions {
        SocketOptions {
            nodelay: self.no_nodelay.then_some(false),
            keepalive: self.keepalive.then_some(true),
            send_buffer: self.send_buffer,
            recv_buffer: self.recv_buffer,
        }
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

/// As it is, if it is one.
fn long_name(text: &str) -> Result<String, String> {
    let name: NodeName = text.parse().map_err(|error: NodeNameError| error.to_string())?;
    match name.is_long() {
        true => Ok(text.to_owned()),
        false => Err("the host of a long name has a dot or is an address".into()),
    }
}

fn short_name(text: &str) -> Result<String, String> {
    let whole = if text.contains('@') { text.to_owned() } else { format!("{text}@localhost") };
    let name: NodeName = whole.parse().map_err(|error: NodeNameError| error.to_string())?;
    match name.is_long() {
        true => Err("the host of a short name has no dot and is no address".into()),
        false => Ok(text.to_owned()),
    }
}

fn port_range(text: &str) -> Result<RangeInclusive<u16>, &'static str> {
    let why = "write the lowest and the highest port, like 9100-9105";
    let (min, max) = text.split_once('-').ok_or(why)?;
    let (min, max) = (min.parse().map_err(|_| why)?, max.parse().map_err(|_| why)?);
    match min {
        0 => Err("port 0 stands for any port"),
        _ if min > max => Err("the lowest port is above the highest"),
        _ => Ok(min..=max),
    }
}

fn peer_cookie(text: &str) -> Result<(NodeName, PathBuf), String> {
    let (node, file) = text.split_once('=').ok_or("write alive@host=FILE")?;
    let node = node.parse().map_err(|error: NodeNameError| error.to_string())?;
    if file.is_empty() { Err("there is no file".into()) } else { Ok((node, file.into())) }
}

fn auto_connect(text: &str) -> Result<AutoConnect, &'static str> {
    match text {
        "always" => Ok(AutoConnect::Always),
        "once" => Ok(AutoConnect::Once),
        "never" => Ok(AutoConnect::Never),
        _ => Err("it is one of always, once, never"),
    }
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds: &f64| *seconds > 0.0);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or("write seconds, like 60 or 0.5")
}

/// This host's name up to its first dot.
fn short_host() -> String {
    let host = gethostname::gethostname();
    let host = host.to_string_lossy();
    host.split('.').next().filter(|host| !host.is_empty()).unwrap_or("localhost").to_owned()
}
