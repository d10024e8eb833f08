//! Options of a node for a program's own command line.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::FromArgMatches as _;

use crate::{AutoConnect, MailboxLimit, Node, NodeBuilder, NodeName, NodeNameError, SocketOptions};

/// The id of the options in a command that has them: how [`parse_args`] finds out that a program's
/// own options include them.
const GROUP: &str = "fika::NodeArgs";

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
///
/// With [`#[fika::main]`](crate::main), the command line is the argument of `main`, and these
/// options are applied to the node of `main`:
///
/// ```no_run
/// # use clap::Parser;
/// # #[derive(Parser)]
/// # struct Cli {
/// #     #[command(flatten)]
/// #     node: fika::NodeArgs,
/// # }
/// #[fika::main]
/// async fn main(cli: Cli) {
///     // ..
/// }
/// ```
///
/// Some settings are only in [`NodeBuilder`]: the text of a cookie, which every user of the host
/// could read in the list of processes, and settings that are code, such as a resolver.
#[derive(Clone, Debug, Default, clap::Parser)]
#[command(about = None, long_about = None, next_help_heading = "Node options")]
#[group(id = GROUP)]
pub struct NodeArgs {
    /// Long name, alive@host: the host has a dot or is an address
    ///
    /// With undefined@host, the first node that it connects to gives it a name
    #[arg(long, value_name = "ALIVE@HOST", value_parser = long_name, conflicts_with = "sname")]
    pub name: Option<String>,

    /// Short name, alive or alive@host: the host has no dot
    ///
    /// With undefined, the first node that it connects to gives it a name
    #[arg(long, value_name = "ALIVE", value_parser = short_name)]
    pub sname: Option<String>,

    /// File with the cookie [default: ~/.fika.cookie]
    ///
    /// It is refused if others than its owner can read it
    #[arg(long, value_name = "FILE")]
    pub cookie_file: Option<PathBuf>,

    /// Accept a cookie of fewer than 16 bytes, with a warning
    #[arg(long)]
    pub allow_weak_cookie: bool,

    /// Cluster to connect within; nodes of other clusters are refused
    #[arg(long, value_name = "TEXT")]
    pub cluster_id: Option<String>,

    /// Connect only when asked, and be hidden from lists of nodes
    #[arg(long)]
    pub hidden: bool,

    /// Address to listen on; `[::]` is all [default: loopback]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,

    /// Ports to listen on, of which the first free one is taken
    #[arg(long, value_name = "MIN-MAX", value_parser = port_range)]
    pub listen_ports: Option<RangeInclusive<u16>>,

    /// Do not listen: only connect to others, and be hidden
    #[arg(long, conflicts_with_all = ["listen", "listen_ports"])]
    pub no_listen: bool,

    /// Use Unix sockets in this directory instead of TCP
    #[cfg(unix)]
    #[arg(long, value_name = "DIRECTORY", conflicts_with_all = ["listen", "listen_ports"])]
    pub unix_sockets: Option<PathBuf>,

    /// Do not start a port mapper where none answers
    #[arg(long)]
    pub no_start_epmd: bool,

    /// Cookie file for one node; may be given several times
    #[arg(long, value_name = "NODE=FILE", value_parser = peer_cookie)]
    pub cookie_file_for: Vec<(NodeName, PathBuf)>,

    /// Node, host or alive part that may connect [default: all]
    ///
    /// May be given several times. The alive part of a name is what stands before its @
    #[arg(long, value_name = "NODE")]
    pub allow: Vec<String>,

    /// When to connect unasked: always, once, never [default: always]
    #[arg(long, value_name = "WHEN", value_parser = auto_connect)]
    pub dist_auto_connect: Option<AutoConnect>,

    /// Do not connect to all nodes that peers know of
    #[arg(long)]
    pub no_connect_all: bool,

    /// Time after which a silent node is lost [default: 60]
    ///
    /// All nodes must have the same
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub net_ticktime: Option<Duration>,

    /// Checks for silence in that time, from 4 to 1000 [default: 4]
    #[arg(long, value_name = "TIMES", value_parser = clap::value_parser!(u32).range(4..=1000))]
    pub net_tickintensity: Option<u32>,

    /// Longest time to make a connection [default: 7]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub net_setuptime: Option<Duration>,

    /// Longest time for a peer to prove its cookie [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub handshake_time: Option<Duration>,

    /// Largest message, from 4KiB to 2GiB [default: 16MiB]
    ///
    /// All nodes must have the same
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub message_bytes_max: Option<usize>,

    /// Bytes that may be queued for a node [default: 512KiB-1MiB]
    ///
    /// A process that sends above HIGH is suspended until only LOW are left
    #[arg(long, value_name = "LOW-HIGH", value_parser = byte_range)]
    pub output_bytes: Option<(usize, usize)>,

    /// Do not suspend processes that send over congested connections
    #[arg(long)]
    pub async_dist: bool,

    /// Let small writes wait for the answers to earlier ones
    #[arg(long)]
    pub no_nodelay: bool,

    /// Let the system probe connections that are idle
    #[arg(long)]
    pub keepalive: bool,

    /// Size of a connection's send buffer [default: the system's]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub send_buffer: Option<usize>,

    /// Size of a connection's receive buffer [default: the system's]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub recv_buffer: Option<usize>,

    /// Threads that run processes [default: one for each core]
    #[arg(long, value_name = "THREADS")]
    pub workers: Option<NonZeroUsize>,

    /// Most processes at the same time [default: 1048576]
    #[arg(long, value_name = "PROCESSES")]
    pub process_limit: Option<usize>,

    /// Warn of a mailbox with so many messages [default: 10000]
    #[arg(long, value_name = "COUNT")]
    pub long_message_queue: Option<usize>,

    /// Most messages in a mailbox; one more kills its process
    #[arg(long, value_name = "MESSAGES")]
    pub mailbox_limit: Option<usize>,

    /// Port of the port mapper [default: ERL_EPMD_PORT, or 4369]
    #[arg(long, value_name = "PORT")]
    pub epmd_port: Option<u16>,
}

impl NodeArgs {
    /// Returns a builder with the settings of these options.
    pub fn builder(&self) -> NodeBuilder {
        self.apply(Node::builder())
    }

    /// Changes only the settings that were given on the command line. So the settings that the
    /// builder has already are the program's defaults.
    ///
    /// ```
    /// use clap::Parser;
    /// use fika::{Node, NodeArgs};
    ///
    /// let args = NodeArgs::parse_from(["program", "--workers", "2"]);
    /// let builder = args.apply(Node::builder().workers(8).process_limit(1000));
    /// ```
    pub fn apply(&self, mut builder: NodeBuilder) -> NodeBuilder {
        if let Some(name) = self.full_name() {
            builder = builder.name(name);
        }
        if let Some(workers) = self.workers {
            builder = builder.workers(workers.get());
        }
        if let Some(messages) = self.long_message_queue {
            builder = builder.long_message_queue(messages);
        }
        if let Some(limit) = self.process_limit {
            builder = builder.process_limit(limit);
        }
        if let Some(messages) = self.mailbox_limit {
            builder = builder.mailbox_limit(MailboxLimit::messages(messages));
        }
        if self.async_dist {
            builder = builder.async_dist(true);
        }
        self.connections(self.addresses(self.secrets(builder)))
    }

    fn secrets(&self, mut builder: NodeBuilder) -> NodeBuilder {
        if let Some(file) = &self.cookie_file {
            builder = builder.cookie_file(file);
        }
        if self.allow_weak_cookie {
            builder = builder.allow_weak_cookie(true);
        }
        for (node, file) in &self.cookie_file_for {
            builder = builder.cookie_file_for(node, file);
        }
        if let Some(id) = &self.cluster_id {
            builder = builder.cluster_id(id);
        }
        builder
    }

    fn addresses(&self, mut builder: NodeBuilder) -> NodeBuilder {
        if let Some(listen) = self.listen {
            builder = builder.listen(listen);
        }
        if let Some(ports) = &self.listen_ports {
            builder = builder.listen_ports(ports.clone());
        }
        if self.no_listen {
            builder = builder.dist_listen(false);
        }
        #[cfg(unix)]
        if let Some(directory) = &self.unix_sockets {
            builder = builder.unix_sockets(directory);
        }
        if self.no_start_epmd {
            builder = builder.start_epmd(false);
        }
        if let Some(port) = self.epmd_port {
            builder = builder.epmd_port(port);
        }
        builder
    }

    fn connections(&self, mut builder: NodeBuilder) -> NodeBuilder {
        if self.hidden {
            builder = builder.hidden(true);
        }
        if !self.allow.is_empty() {
            builder = builder.allow(&self.allow);
        }
        if self.no_connect_all {
            builder = builder.connect_all(false);
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
        if let Some(time) = self.handshake_time {
            builder = builder.handshake_time(time);
        }
        if let Some(bytes) = self.message_bytes_max {
            builder = builder.message_bytes_max(bytes);
        }
        if let Some((low, high)) = self.output_bytes {
            builder = builder.output_bytes(low, high);
        }
        let options = self.socket_options();
        if options != SocketOptions::default() {
            builder = builder.socket_options(options);
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

/// Parses the command line of the program, and returns with it the options of a node that `T` has:
/// none if `T` is not [`NodeArgs`] and has no flattened `NodeArgs`. If the command line asks for
/// help, or is invalid, prints a message and ends the program, as [`clap::Parser::parse`] does.
#[doc(hidden)]
pub fn parse_args<T: clap::Parser>() -> (T, NodeArgs) {
    let command = T::command();
    let has_options = command.get_groups().any(|group| group.get_id() == GROUP);
    let matches = command.get_matches();
    let parsed = T::from_arg_matches(&matches).and_then(|cli| {
        let options = has_options.then(|| NodeArgs::from_arg_matches(&matches)).transpose()?;
        Ok((cli, options.unwrap_or_default()))
    });
    parsed.unwrap_or_else(|error| error.format(&mut T::command()).exit())
}

/// Applies the options of the command line to the builder of `#[fika::main]`.
#[doc(hidden)]
pub fn apply_args(args: &NodeArgs, builder: NodeBuilder) -> NodeBuilder {
    args.apply(builder)
}

/// Returns the options of a `main` with an argument and the setting `args`, without a value.
#[doc(hidden)]
pub fn args_of_main<T: IsNodeArgs>(cli: &T) -> &NodeArgs {
    cli.node_args()
}

/// Implemented by [`NodeArgs`] only.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`args` without a value needs a `main` whose argument is a `NodeArgs`, not a `{Self}`",
    label = "this is not a `NodeArgs`",
    note = "leave `args` out if `{Self}` has a `NodeArgs` with `#[command(flatten)]`: its options \
            are applied",
    note = "otherwise write where the `NodeArgs` is, as in `#[fika::main(args = cli.node)]`"
)]
pub trait IsNodeArgs {
    fn node_args(&self) -> &NodeArgs;
}

impl IsNodeArgs for NodeArgs {
    fn node_args(&self) -> &NodeArgs {
        self
    }
}

/// Returns the text if it is a valid long name.
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

/// Parses `4096`, `64KiB`, `16MiB` or `1GiB`.
fn bytes(text: &str) -> Result<usize, &'static str> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let bytes = digits.parse::<usize>().ok().and_then(|count| count.checked_mul(unit?));
    bytes.ok_or("write a number of bytes, like 4096, 64KiB, 16MiB or 1GiB")
}

fn byte_range(text: &str) -> Result<(usize, usize), &'static str> {
    let (low, high) = text.split_once('-').ok_or("write both limits, like 512KiB-1MiB")?;
    let (low, high) = (bytes(low)?, bytes(high)?);
    if low > high { Err("the lower limit is above the upper one") } else { Ok((low, high)) }
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
