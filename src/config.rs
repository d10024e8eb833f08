//! The settings of a node, each of which is listed once.
//!
//! The list is the call of `settings!` below. An entry becomes a field of [`Config`], the method of
//! `NodeBuilder` with that name, a key in a file, and an option of the command line. A setting that
//! is code, such as a resolver, is not data: only `NodeBuilder` has it.

mod value;

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use fika_net::{AutoConnect, Cookie};
use fika_runtime::MailboxLimit;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};

#[cfg(unix)]
use self::value::DIRECTORY;
use self::value::{
    ADDR, BYTE_RANGE, BYTES, ByNode, COUNT, FILE, FLAG, ListOf, MESSAGES, NODE, NODE_NAME, PORT,
    PORTS, Reads, SECONDS, TEXT, TIMES, WHEN,
};
use crate::builder::NodeBuilder;

/// Defines everything that has all settings. An entry is
///
/// ```text
/// name: Type = KIND, option "help" "more help", [setter], [place];
/// ```
///
/// - `KIND` says how the value is written in a file and on a command line.
/// - `option` stands before the help of a command line; `no_option` is for what has no place there,
///   such as a secret, which `ps` would show.
/// - The setter is the method of `NodeBuilder`: `takes T`, `into T` for what can be converted, and
///   `by_hand` for a method that is written in `builder`.
/// - The place is where the value goes. `runtime` is the method of that name of the runtime's
///   builder. `net field` is a field of `fika_net::Config`, and `net_option field` is such a field
///   that is an `Option`. A setting with `builder` is read by `NodeBuilder::build` itself.
macro_rules! settings {
    ($(
        $(#[doc = $doc:literal])*
        $(#[cfg($cfg:meta)])?
        $name:ident: $type:ty = $kind:expr, $option:ident $($help:literal)*, [$($setter:tt)*], [$($place:tt)*];
    )*) => {
        /// The settings of a node, as data: they can be cloned, read from a file, and taken from a
        /// command line.
        ///
        /// A field that is `None`, or an empty list, leaves the default of the node.
        /// [`NodeBuilder::config`] applies the settings, and the methods of [`NodeBuilder`] with
        /// the same names set them one by one. A setting that is code, such as a resolver, is only
        /// there.
        ///
        /// ```
        /// use fika::node::{Config, Node};
        ///
        /// let config = Config { workers: Some(1), process_limit: Some(1000), ..Config::default() };
        /// let one = Node::builder().config(config.clone()).build()?;
        /// let two = Node::builder().config(config).workers(2).build()?;
        /// # one.stop();
        /// # two.stop();
        /// # Ok::<(), fika::node::NodeError>(())
        /// ```
        ///
        /// # In a file
        /// `Config` can be deserialized, from a section of the program's own file, for example. The
        /// functions `from_toml` and `from_toml_file` need the feature `toml` (`fika = { version =
        /// "..", features = ["toml"] }` in `Cargo.toml`). They read:
        ///
        /// ```toml
        /// name = "cache@10.0.0.1"
        /// listen = "10.0.0.1:0"
        /// cookie_file = "/etc/cache/cookie"
        /// allow = ["cache@10.0.0.2", "10.0.0.3"]
        /// net_ticktime = 20
        /// message_bytes_max = "64MiB"
        ///
        /// [cookie_file_for]
        /// "admin@10.0.0.9" = "/etc/cache/admin.cookie"
        /// ```
        ///
        /// Times are numbers of seconds. Sizes are numbers of bytes, or texts such as `"64KiB"`.
        /// Ranges are texts such as `"9100-9105"`. An unknown key, a value of the wrong type, and a
        /// value out of range are errors, which name the line.
        ///
        /// # On a command line
        /// With the feature `clap`, `Config` has the options of
        /// [`NodeArgs`](crate::node::NodeArgs).
        #[derive(Clone, Default)]
        pub struct Config {$(
            $(#[doc = $doc])*
            $(#[cfg($cfg)])?
            pub $name: $type,
        )*}

        impl Config {
            /// Replaces each setting by that of `other`, if it is set there. Lists are appended.
            pub(crate) fn merge(&mut self, other: Config) {
                $($(#[cfg($cfg)])? Merge::merge(&mut self.$name, other.$name);)*
            }

            /// Applies the settings of the runtime.
            pub(crate) fn to_runtime(
                &self,
                mut builder: fika_runtime::NodeBuilder,
            ) -> fika_runtime::NodeBuilder {
                $($(#[cfg($cfg)])? { to_runtime!([$($place)*] builder, self.$name, $name); })*
                builder
            }

            /// Applies the settings of the distribution.
            pub(crate) fn to_net(&self, config: &mut fika_net::Config) {
                $($(#[cfg($cfg)])? { to_net!([$($place)*] config, self.$name); })*
                if let Some((low, high)) = self.output_bytes {
                    (config.output_low_bytes, config.output_high_bytes) = (low, high);
                }
            }

            /// The keys of a file.
            const KEYS: &[&str] = &[$($(#[cfg($cfg)])? stringify!($name)),*];

            /// Reads the value of a key. An error of `map` names the place in the file, so the range
            /// of a value is checked while it is read.
            fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
                match key {
                    $($(#[cfg($cfg)])? stringify!($name) => {
                        let check = |value| Config { $name: value, ..Config::default() }.check();
                        Reads::read($kind, map, &mut self.$name, check)
                    })*
                    _ => Err(unknown(key)),
                }
            }
        }

        impl fmt::Debug for Config {
            /// Shows the settings that are set, and no secrets.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut shown = f.debug_struct("Config");
                $($(#[cfg($cfg)])? { if self.$name != <$type>::default() {
                    match stringify!($name) {
                        name @ ("cookie" | "cookie_for") => shown.field(name, &format_args!("..")),
                        name => shown.field(name, &self.$name),
                    };
                } })*
                shown.finish_non_exhaustive()
            }
        }

        /// The settings of [`Config`], one by one.
        impl NodeBuilder {$(
            setter!([$($setter)*] $name, $(#[doc = $doc])* $(#[cfg($cfg)])?);
        )*}

        #[cfg(feature = "clap")]
        impl clap::Args for Config {
            fn augment_args(command: clap::Command) -> clap::Command {
                $($(#[cfg($cfg)])? let command = option!($option command, $name, $kind, $($help)*);)*
                command
            }

            fn augment_args_for_update(command: clap::Command) -> clap::Command {
                Config::augment_args(command)
            }
        }

        #[cfg(feature = "clap")]
        impl clap::FromArgMatches for Config {
            fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Config, clap::Error> {
                let mut config = Config::default();
                config.update_from_arg_matches(matches)?;
                Ok(config)
            }

            fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
                $($(#[cfg($cfg)])? { take!($option matches, self, $name, $kind); })*
                Ok(())
            }
        }
    };
}

macro_rules! to_runtime {
    ([runtime] $builder:ident, $value:expr, $name:ident) => {
        if let Some(value) = &$value {
            $builder = $builder.$name(value.clone());
        }
    };
    ([$($other:tt)*] $builder:ident, $value:expr, $name:ident) => {};
}

macro_rules! to_net {
    ([net $($field:ident).+] $config:ident, $value:expr) => {
        if let Some(value) = &$value {
            $config.$($field).+ = value.clone();
        }
    };
    ([net_option $($field:ident).+] $config:ident, $value:expr) => {
        if let Some(value) = &$value {
            $config.$($field).+ = Some(value.clone());
        }
    };
    ([$($other:tt)*] $config:ident, $value:expr) => {};
}

macro_rules! setter {
    ([takes $type:ty] $name:ident, $(#[$attr:meta])*) => {
        $(#[$attr])*
        pub fn $name(mut self, value: $type) -> Self {
            self.config.$name = Some(value);
            self
        }
    };
    ([into $type:ty] $name:ident, $(#[$attr:meta])*) => {
        $(#[$attr])*
        pub fn $name(mut self, value: impl Into<$type>) -> Self {
            self.config.$name = Some(value.into());
            self
        }
    };
    ([by_hand] $name:ident, $(#[$attr:meta])*) => {};
}

#[cfg(feature = "clap")]
macro_rules! option {
    (option $command:ident, $name:ident, $kind:expr, $help:literal $($more:literal)?) => {{
        let id = stringify!($name);
        let arg = clap::Arg::new(id).long(id.replace('_', "-")).help($help);
        $(let arg = arg.long_help(concat!($help, "\n\n", $more));)?
        $command.arg(Reads::option($kind, arg))
    }};
    (no_option $command:ident, $name:ident, $kind:expr,) => { $command };
}

#[cfg(feature = "clap")]
macro_rules! take {
    (option $matches:ident, $config:ident, $name:ident, $kind:expr) => {
        Reads::take($kind, $matches, stringify!($name), &mut $config.$name);
    };
    (no_option $matches:ident, $config:ident, $name:ident, $kind:expr) => {};
}

settings! {
    /// The name of the node, `alive@host`, under which other nodes reach it. The host of a long
    /// name has a dot or is an IP address; the host of a short name has no dot. A node with a long
    /// name and a node with a short name can't connect. A name has at most 255 characters and 480
    /// bytes.
    ///
    /// With `undefined@host` the node gets its name from the first node that it connects to, as
    /// [`start_distribution`](crate::net::start_distribution) says (Erlang's `-sname undefined`).
    name: Option<String> = NODE_NAME, option
        "Name of the node, alive@host"
        "The host of a long name has a dot or is an address.\n\n\
         With undefined@host, the first node that it connects to gives it a name",
        [by_hand], [builder];

    /// The secret that the nodes of a cluster share; the content of the cookie file if not set. A
    /// cookie of fewer than 16 bytes is refused, since it can be guessed.
    cookie: Option<String> = TEXT, no_option, [into String], [builder];

    /// The file that contains the cookie; `~/.fika.cookie` if not set, which is made with
    /// random content if it is missing. A file that other users can read is refused.
    cookie_file: Option<PathBuf> = FILE, option
        "File with the cookie [default: ~/.fika.cookie]"
        "A file that other users can read is refused",
        [into PathBuf], [builder];

    /// The cookies for single peers, in both directions, in place of the node's own (OTP's
    /// `-setcookie` with a node); see [`set_cookie_for`](crate::net::set_cookie_for).
    cookie_for: Vec<(String, String)> = ByNode(TEXT), no_option, [by_hand], [builder];

    /// The files with the cookies for single peers. Other users must not be able to read them.
    cookie_file_for: Vec<(String, PathBuf)> = ByNode(FILE), option
        "Cookie file for one node; may be given several times",
        [by_hand], [builder];

    /// Whether a cookie of fewer than 16 bytes is accepted, with a warning; false if not set.
    /// An attacker who has recorded one handshake can try all short texts in little time.
    allow_weak_cookie: Option<bool> = FLAG, option
        "Accept a cookie of fewer than 16 bytes, with a warning",
        [takes bool], [builder];

    /// The cluster of the node: any text, which need not be secret; empty if not set. Nodes of
    /// different clusters do not connect, even if they have the same cookie by mistake.
    cluster_id: Option<String> = TEXT, option
        "Cluster to connect within; nodes of other clusters are refused",
        [into String], [net cluster_id];

    /// The number of threads that run processes, from 1 to 1024; one for each core if not set.
    /// Each has a stack of 8 MiB, or of the size in bytes in the environment variable
    /// `RUST_MIN_STACK`.
    workers: Option<usize> = COUNT, option
        "Threads that run processes [default: one for each core]",
        [takes usize], [runtime];

    /// The most processes that the program may have at the same time, from 1 to 134,217,727;
    /// 1,048,576 if not set (Erlang's `+P`). The node's own services, such as those that make and
    /// accept connections, do not count against this limit, but
    /// [`process_count`](crate::inspect::process_count) includes them.
    process_limit: Option<usize> = COUNT, option
        "Maximum number of processes [default: 1048576]",
        [takes usize], [runtime];

    /// The mailbox limit of all processes that do not set their own, by
    /// [`SpawnOpts::mailbox_limit`](crate::process::SpawnOpts::mailbox_limit) or
    /// [`mailbox_limit`](crate::message::mailbox_limit()); no limit if not set (the counterpart of
    /// Erlang's `+hmax`). In a file and on a command line, it is the number of messages.
    mailbox_limit: Option<MailboxLimit> = MESSAGES, option
        "Messages allowed in a mailbox; one more kills its process",
        [takes MailboxLimit], [runtime];

    /// The number of messages that must wait in a mailbox that only grows before a warning is
    /// reported; 10,000 if not set, and `usize::MAX` for never (the counterpart of
    /// `long_message_queue` in Erlang's system monitor).
    ///
    /// The warning names the process and the most frequent message type, which is usually one that
    /// no `receive!` takes. It is repeated each time that the number of messages has doubled.
    long_message_queue: Option<usize> = COUNT, option
        "Warn when a mailbox has this many messages [default: 10000]",
        [takes usize], [runtime];

    /// Whether the node is hidden; false if not set. A hidden node connects only when asked,
    /// is not in the `nodes()` of its peers, and takes no part in the mesh. To it, all its peers
    /// are hidden: they are in `nodes_of(NodeKind::Hidden)`, and
    /// `monitor_nodes_of(NodeKind::Hidden, true)` reports them.
    hidden: Option<bool> = FLAG, option
        "Connect only when asked, and be hidden from lists of nodes",
        [takes bool], [net hidden];

    /// The address to listen on for other nodes; a loopback address and any port if not set.
    /// `0.0.0.0` stands for all IPv4 addresses of the host, and `[::]` for all addresses of both
    /// families.
    ///
    /// Other nodes look for this one at the addresses of the host in its name, so the address has
    /// to be one of these, or stand for all. [`build`](NodeBuilder::build) refuses a node whose
    /// name contains an address of this host on which it does not listen, and logs a warning if
    /// other nodes might not find the node.
    ///
    /// The port mapper that a node starts serves loopback and the addresses on which the node
    /// listens. If another mapper serves some of them, the node starts one for the others.
    listen: Option<SocketAddr> = ADDR, option
        "Address to listen on; `[::]` for all [default: loopback]",
        [takes SocketAddr], [net_option listen];

    /// A range of ports. The node listens on the first free one, unless
    /// [`listen`](NodeBuilder::listen) names a port (OTP's `inet_dist_listen_min` and `_max`). So a
    /// firewall can let these ports through.
    listen_ports: Option<RangeInclusive<u16>> = PORTS, option
        "Ports to listen on; the first free one is used",
        [takes RangeInclusive<u16>], [net_option listen_ports];

    /// Whether the node listens for others at all; true if not set (OTP's `dist_listen`). A
    /// node that does not listen is hidden, and registers with no port mapper. It can connect to
    /// other nodes, and then works like any node.
    dist_listen: Option<bool> = FLAG, option
        "Listen for other nodes [default: true]"
        "A node that does not listen is hidden",
        [takes bool], [net listens];

    /// The directory of Unix sockets over which the node connects to others instead of TCP: other
    /// hosts and other users can't reach it. See
    /// [`UnixSockets`](crate::net::transport::UnixSockets).
    #[cfg(unix)]
    unix_sockets: Option<PathBuf> = DIRECTORY, option
        "Use Unix sockets in this directory instead of TCP",
        [into PathBuf], [builder];

    /// Whether the node starts a port mapper if none answers; true if not set (OTP's
    /// `-start_epmd`).
    start_epmd: Option<bool> = FLAG, option
        "Start a port mapper if none answers [default: true]",
        [takes bool], [net start_epmd];

    /// The port of the port mapper, on this host and on others; if not set, the value of the
    /// environment variable `ERL_EPMD_PORT`, or 4369. If no mapper answers on this host, the node
    /// starts one.
    epmd_port: Option<u16> = PORT, option
        "Port of the port mapper [default: ERL_EPMD_PORT, or 4369]",
        [takes u16], [net epmd_port];

    /// The nodes that may be connected, in both directions, each by its name, its host, or the
    /// part of its name before the `@`; all if empty (OTP's `net_kernel:allow/1`).
    allow: Vec<String> = ListOf(NODE), option
        "Node, host or alive part that may connect [default: all]"
        "May be given several times. The alive part of a name is the part before the @",
        [by_hand], [builder];

    /// When connections are made automatically; always if not set (OTP's
    /// `dist_auto_connect`).
    dist_auto_connect: Option<AutoConnect> = WHEN, option
        "Automatic connections: always, once, never [default: always]",
        [takes AutoConnect], [net auto_connect];

    /// Whether the node connects to all nodes that its peers know, which makes a full mesh;
    /// true if not set (OTP's `connect_all`).
    ///
    /// These connections are made a few at a time. A failed attempt is retried after a pause that
    /// grows up to two minutes, ten attempts in all. If a process sends to a node, the connection
    /// is made immediately. Connections that [`dist_auto_connect`](NodeBuilder::dist_auto_connect)
    /// forbids are not made.
    connect_all: Option<bool> = FLAG, option
        "Connect to all nodes that peers know of [default: true]",
        [takes bool], [net connect_all];

    /// How long a peer may be silent before its connection is closed, from 1 ms to 365 days;
    /// 60 s if not set. All nodes must use the same (OTP's `net_ticktime`).
    net_ticktime: Option<Duration> = SECONDS, option
        "Silence after which a node is considered down [default: 60]"
        "All nodes must use the same time",
        [takes Duration], [net ticktime];

    /// How often peers are checked in a ticktime, from 4 to 1000; 4 if not set (OTP's
    /// `net_tickintensity`).
    net_tickintensity: Option<u32> = TIMES, option
        "Number of checks per net-ticktime, from 4 to 1000 [default: 4]",
        [takes u32], [net intensity];

    /// The longest time for making a connection, from 1 ms to 365 days; 7 s if not set (OTP's
    /// `net_setuptime`).
    net_setuptime: Option<Duration> = SECONDS, option
        "Time limit for making a connection [default: 7]",
        [takes Duration], [net setup_time];

    /// The longest time for a peer to prove that it knows the cookie, from 1 ms to 365 days;
    /// 5 s if not set.
    handshake_time: Option<Duration> = SECONDS, option
        "Time limit for a peer's proof of the cookie [default: 5]",
        [takes Duration], [net handshake_time];

    /// The size of the largest message between nodes, in bytes: from 4 KiB to 2 GiB; 16 MiB if
    /// not set. All nodes must use the same: a sender refuses a larger message, and a receiver
    /// closes the connection.
    message_bytes_max: Option<usize> = BYTES, option
        "Largest message, from 4KiB to 2GiB [default: 16MiB]"
        "All nodes must use the same size",
        [takes usize], [net message_bytes_max];

    /// The low and the high limit of the output of a connection, in bytes; 512 KiB and 1 MiB if not
    /// set (OTP's `+zdbbl`). When more bytes than the high limit wait to be sent to a node, the
    /// processes that send to it are suspended until the backlog has shrunk to the low limit.
    /// Messages larger than 16 KiB, and later messages of the same senders, count only against
    /// processes that send such messages; small messages of others go between the pieces. The high
    /// limit is from 64 KiB to 1 GiB, and the low one is not above it. See also
    /// [`async_dist`](NodeBuilder::async_dist).
    output_bytes: Option<(usize, usize)> = BYTE_RANGE, option
        "Bytes that may be queued for a node [default: 512KiB-1MiB]"
        "A process that sends above HIGH is suspended until only LOW are left",
        [by_hand], [builder];

    /// Whether new processes are not suspended when they send over a congested connection;
    /// false if not set (OTP's `+pad`). A process can change this for itself with
    /// [`async_dist`](crate::net::async_dist()).
    async_dist: Option<bool> = FLAG, option
        "Do not suspend processes that send over congested connections",
        [takes bool], [runtime];

    /// Whether small writes to another node are sent immediately (`TCP_NODELAY`), instead of
    /// waiting for the acknowledgements of earlier ones; true if not set.
    nodelay: Option<bool> = FLAG, option
        "Send small writes immediately [default: true]",
        [takes bool], [net_option socket_options.nodelay];

    /// Whether the operating system probes connections that are idle (`SO_KEEPALIVE`); false if not
    /// set, since ticks detect a lost peer sooner.
    keepalive: Option<bool> = FLAG, option
        "Let the system probe connections that are idle",
        [takes bool], [net_option socket_options.keepalive];

    /// The size of the send buffer of a connection's socket, in bytes; the operating system's
    /// default if not set.
    send_buffer: Option<usize> = BYTES, option
        "Size of a connection's send buffer [default: the system's]",
        [takes usize], [net_option socket_options.send_buffer];

    /// The size of the receive buffer of a connection's socket, in bytes; the operating system's
    /// default if not set.
    recv_buffer: Option<usize> = BYTES, option
        "Size of a connection's receive buffer [default: the system's]",
        [takes usize], [net_option socket_options.recv_buffer];

    /// Whether messages between processes of this node are encoded and decoded, too; false if not
    /// set, and true under [`#[fika::test]`](macro@crate::test) and in a simulation. Then a message
    /// that could not go to another node, or would not arrive there as it was sent, is an error at
    /// its sender: [`send`](crate::message::send) ends the sender with `badarg`. So a test on one
    /// node finds errors that otherwise show only between two.
    ///
    /// A message that can't leave the node, such as a [`Local`](crate::message::Local), is not
    /// encoded, and neither are the messages of timers, which stay on their node. Erlang has no
    /// such setting, since every term can be sent.
    encode_messages: Option<bool> = FLAG, no_option, [takes bool], [runtime];

    /// How long the processes that wait in [`run_until_stopped`](crate::Node::run_until_stopped)
    /// have to end when the node stops, up to 365 days; 5 s if not set (OTP's `-shutdown_time`).
    /// Then they are killed, like all others. The main process of a program that returns a
    /// supervisor is such a process, so this is the limit for the whole supervision tree.
    ///
    /// ```
    /// use fika::prelude::*;
    ///
    /// #[fika::main(shutdown_time = secs(20))]
    /// async fn main() {
    ///     // If a signal stops the program, there are 20 s to clean up.
    ///     # self_node().begin_stop();
    ///     self_node().run_until_stopped().await;
    /// }
    /// ```
    shutdown_time: Option<Duration> = SECONDS, option
        "Time for the program to clean up when it is stopped [default: 5]",
        [takes Duration], [runtime];

    /// Whether ctrl-c (SIGINT) and SIGTERM stop the node of
    /// [`#[fika::main]`](macro@crate::main); true if not set. A node that is built in another way
    /// ignores this setting and handles no signals.
    ///
    /// ```no_run
    /// #[fika::main(stop_on_signals = false)]
    /// async fn main() {
    ///     // Here ctrl-c ends the program at once.
    /// }
    /// ```
    stop_on_signals: Option<bool> = FLAG, no_option, [takes bool], [builder];
}

/// How the settings of another `Config` are added.
trait Merge {
    fn merge(&mut self, other: Self);
}

impl<T> Merge for Option<T> {
    fn merge(&mut self, other: Option<T>) {
        if other.is_some() {
            *self = other;
        }
    }
}

impl<T> Merge for Vec<T> {
    fn merge(&mut self, other: Vec<T>) {
        self.extend(other);
    }
}

impl<'de> serde::Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Config, D::Error> {
        deserializer.deserialize_map(Table)
    }
}

struct Table;

impl<'de> Visitor<'de> for Table {
    type Value = Config;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings of a node")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Config, A::Error> {
        let mut config = Config::default();
        let mut seen: Vec<String> = Vec::new();
        while let Some(key) = map.next_key_seed(Key)? {
            if seen.contains(&key) {
                return Err(A::Error::custom(format_args!("`{key}` is set twice")));
            }
            config.read(&key, &mut map)?;
            seen.push(key);
        }
        Ok(config)
    }
}

/// The name of a setting. It is checked while it is read, so that the error names its place in the
/// file.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a setting")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<String, E> {
        match Config::KEYS.contains(&key) {
            true => Ok(key.to_owned()),
            false => Err(unknown(key)),
        }
    }
}

/// Returns the error for an unknown setting: it names the setting that was probably meant, or all
/// settings.
fn unknown<E: Error>(key: &str) -> E {
    let distance = |known: &&&str| strsim::damerau_levenshtein(known, key);
    let nearest = Config::KEYS.iter().min_by_key(distance);
    match nearest.filter(|known| distance(known) * 3 <= known.len()) {
        Some(nearest) => {
            E::custom(format_args!("unknown setting `{key}`: did you mean `{nearest}`?"))
        }
        None => E::unknown_field(key, Config::KEYS),
    }
}

impl Config {
    /// Returns why a value is out of its range, in the words of the node's build.
    fn check(&self) -> Result<(), String> {
        let runtime = self.to_runtime(fika_runtime::Node::builder());
        runtime.check().map_err(|error| error.to_string())?;
        let cookie = Cookie::new("a cookie that is never used").expect("it is long enough");
        let mut net = fika_net::Config::new(cookie);
        // An invalid `ERL_EPMD_PORT` is not a mistake in the file.
        net.epmd_port = 1;
        self.to_net(&mut net);
        net.check().map_err(|error| error.to_string())
    }
}

#[cfg(feature = "toml")]
mod file {
    use std::io;
    use std::path::{Path, PathBuf};

    use super::Config;

    /// Why settings could not be read from a file. Needs the feature `toml`.
    ///
    /// ```
    /// use fika::node::Config;
    ///
    /// let error = Config::from_toml("workers = \"many\"").unwrap_err().to_string();
    /// assert!(error.contains("line 1") && error.contains("workers"), "{error}");
    /// ```
    #[derive(Debug, thiserror::Error)]
    #[non_exhaustive]
    pub enum ConfigError {
        /// The file can't be read.
        #[error("{}: the file can't be read: {error}", file.display())]
        Read {
            /// The file.
            file: PathBuf,
            /// The error of the operating system.
            error: io::Error,
        },
        /// The text is not TOML, has an unknown key, or a value of the wrong kind or out of range.
        /// The text of the error shows the line.
        #[error("{}{error}", file.as_ref().map(|file| format!("{}: ", file.display())).unwrap_or_default())]
        Toml {
            /// The file, if the text is from one.
            file: Option<PathBuf>,
            /// The error of the parser, with its place in the text.
            error: Box<toml::de::Error>,
        },
    }

    impl Config {
        /// Reads settings from TOML. Needs the feature `toml`.
        ///
        /// ```
        /// use std::time::Duration;
        /// use fika::node::Config;
        ///
        /// let config = Config::from_toml("name = 'a@127.0.0.1'\nnet_ticktime = 20")?;
        /// assert_eq!(config.net_ticktime, Some(Duration::from_secs(20)));
        /// # Ok::<(), fika::node::ConfigError>(())
        /// ```
        ///
        /// # Errors
        /// If the text is not TOML, or has an unknown key, a value of the wrong kind, or a value out
        /// of range. The error names the line.
        pub fn from_toml(text: &str) -> Result<Config, ConfigError> {
            let error = |error| ConfigError::Toml { file: None, error: Box::new(error) };
            toml::from_str(text).map_err(error)
        }

        /// Reads settings from a TOML file. Needs the feature `toml`. With the feature `clap`, too,
        /// [`NodeArgs`](crate::node::NodeArgs) reads the file that `--config` names.
        ///
        /// ```no_run
        /// use fika::node::{Config, Node};
        ///
        /// let config = Config::from_toml_file("/etc/cache/node.toml")?;
        /// let node = Node::builder().config(config).build()?;
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        ///
        /// # Errors
        /// If the file can't be read, is not TOML, or has an unknown key or a value of the wrong
        /// kind. The error names the file.
        pub fn from_toml_file(file: impl AsRef<Path>) -> Result<Config, ConfigError> {
            let file = file.as_ref();
            let text = std::fs::read_to_string(file)
                .map_err(|error| ConfigError::Read { file: file.to_owned(), error })?;
            toml::from_str(&text).map_err(|error| ConfigError::Toml {
                file: Some(file.to_owned()),
                error: Box::new(error),
            })
        }
    }
}

#[cfg(feature = "toml")]
pub use file::ConfigError;
