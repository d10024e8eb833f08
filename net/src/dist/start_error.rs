//! Why the distribution of a node could not start.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use fika_runtime::{ExitReason, NodeName, NodeNameError, TagClash};

use crate::cookie::CookieError;
use crate::io::{EpmdBindError, EpmdError};

/// Why the distribution of a node could not start.
///
/// ```
/// # use fika_net::{StartError, start_distribution};
/// # async fn example() {
/// match start_distribution("a@127.0.0.1").await {
///     Ok(()) => println!("other nodes reach this node as a@127.0.0.1"),
///     Err(StartError::AlreadyStarted(name)) => println!("this node is {name}"),
///     Err(error) => eprintln!("{error}"),
/// }
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The distribution is already running under this name.
    #[error("already started: the node is distributed as `{0}`")]
    AlreadyStarted(NodeName),
    /// The name is invalid.
    #[error(transparent)]
    Name(#[from] NodeNameError),
    /// The cookie is missing or invalid.
    #[error(transparent)]
    Cookie(#[from] CookieError),
    /// The node can't listen on its address.
    #[error("can't listen on {addr}: {error}{}", hint(error))]
    Listen {
        /// The address on which the node tried to listen.
        addr: SocketAddr,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The host in the node's name is an address of this host, but the node does not listen on that
    /// address. No other node could find it.
    #[error(
        "the node's name says that it is at {host}, but it listens on {listens}: listen on {host}, \
         or on all addresses, or give the node the name of the address on which it listens"
    )]
    NotCovered {
        /// The host in the node's name.
        host: IpAddr,
        /// The address on which the node listens.
        listens: SocketAddr,
    },
    /// All ports that the node may listen on are taken.
    #[error("can't listen on {ip}: all ports from {} to {} are taken; free one, or allow more", ports.start(), ports.end())]
    NoPort {
        /// The IP address on which the node tried to listen.
        ip: IpAddr,
        /// The ports that the node may listen on.
        ports: RangeInclusive<u16>,
    },
    /// Another node of this host has the name.
    #[error(
        "the name `{0}` is taken: another node of this host is registered under it; stop that node, or choose another name"
    )]
    NameTaken(NodeName),
    /// A request to the port mapper failed.
    #[error(transparent)]
    Epmd(EpmdError),
    /// There is no port mapper, and the node could not start one.
    #[error("no port mapper answers, and the node could not start one: {0}")]
    Mapper(EpmdBindError),
    /// The resolver could not make the node known.
    #[error("the node could not be made known: {0}")]
    Resolver(Box<dyn Error + Send + Sync>),
    /// A setting is out of its range.
    #[error("{0}")]
    Setting(&'static str),
    /// An environment variable has an invalid value.
    #[error("the environment variable {name} is `{value}`: {why}")]
    Environment {
        /// The name of the variable.
        name: &'static str,
        /// The value of the variable.
        value: String,
        /// The valid values.
        why: &'static str,
    },
    /// The name is valid, but a node that others connect to can't have it.
    #[error("a node can't have the name `{name}`: {why}")]
    UnusableName {
        /// The name.
        name: NodeName,
        /// The reason why a node can't have the name.
        why: &'static str,
    },
    /// A process of the program is registered as `net_kernel`, the name of the process that decides
    /// about connections.
    #[error("a process is registered as `net_kernel`, which the node needs: give it another name")]
    Registered,
    /// The node was built without a network.
    #[error("the node has no network")]
    NoNetwork,
    /// Two message types have the same tag.
    #[error(transparent)]
    MessageTag(#[from] TagClash),
    /// A process that the distribution needs has ended, or could not be started.
    #[error("the distribution could not be started: {0}")]
    Ended(ExitReason),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; choose another port, or port 0 to let the system choose one",
        io::ErrorKind::AddrNotAvailable => "; this host does not have the address",
        _ => "",
    }
}
