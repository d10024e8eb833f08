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
    /// The distribution has started already, under this name.
    #[error("already started: the node is distributed as `{0}`")]
    AlreadyStarted(NodeName),
    /// The name is invalid.
    #[error(transparent)]
    Name(#[from] NodeNameError),
    /// There is no valid cookie.
    #[error(transparent)]
    Cookie(#[from] CookieError),
    /// It can't listen.
    #[error("can't listen on {addr}: {error}{}", hint(error))]
    Listen {
        /// Where it was to listen.
        addr: SocketAddr,
        /// What the operating system says.
        error: io::Error,
    },
    /// The host in the node's name is an address of this host on which the node does not listen, so
    /// no other node could find it.
    #[error(
        "the node's name says that it is at {host}, but it listens on {listens}: listen on {host}, \
         or on all addresses, or give the node the name of the address on which it listens"
    )]
    NotCovered {
        /// The host of its name.
        host: IpAddr,
        /// The address on which the node listens.
        listens: SocketAddr,
    },
    /// All ports that it may listen on are taken.
    #[error("can't listen on {ip}: all ports from {} to {} are taken; free one, or allow more", ports.start(), ports.end())]
    NoPort {
        /// Where it was to listen.
        ip: IpAddr,
        /// On one of these.
        ports: RangeInclusive<u16>,
    },
    /// Another node of this host has the name.
    #[error(
        "the name `{0}` is taken: another node of this host is registered under it; stop that node, or choose another name"
    )]
    NameTaken(NodeName),
    /// The port mapper is of no use.
    #[error(transparent)]
    Epmd(EpmdError),
    /// There is no port mapper, and none could be brought up.
    #[error("no port mapper answers, and none could be brought up: {0}")]
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
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What to write.
        why: &'static str,
    },
    /// The name can't be used for a node that others connect to.
    #[error("a node can't have the name `{name}`: {why}")]
    UnusableName {
        /// The name.
        name: NodeName,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A process of the program has the name of the one that decides about connections.
    #[error("a process is registered as `net_kernel`, which the node needs: give it another name")]
    Registered,
    /// The node was made without what a distribution needs.
    #[error("the node has no network")]
    NoNetwork,
    /// Two message types have the same tag.
    #[error(transparent)]
    MessageTag(#[from] TagClash),
    /// A process that it needs ended, or could not be started.
    #[error("the distribution could not be started: {0}")]
    Ended(ExitReason),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; choose another port, or none to have one chosen",
        io::ErrorKind::AddrNotAvailable => "; this host does not have the address",
        _ => "",
    }
}
