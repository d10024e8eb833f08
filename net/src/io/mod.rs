//! Sockets. No other part of the crate uses any.

mod acceptor;
mod epmd_client;
mod epmd_server;
mod network;
mod polled;
mod poller;
mod readiness;
mod socket_options;
mod socket_owner;
mod source;
mod spare;
mod stream;
mod tcp;
mod tcp_listener;
#[cfg(test)]
mod testing;
#[cfg(unix)]
mod unix;
mod wait;

pub(crate) use acceptor::{Acceptor, Acceptors};
pub use epmd_client::{EpmdClient, EpmdError, EpmdRegistration};
pub use epmd_server::{EpmdBindError, EpmdConfig, EpmdServer};
pub use network::{HostIps, Listener, Network, Socket, SocketHandler};
pub use poller::Poller;
pub use socket_options::SocketOptions;
pub(crate) use source::source_of;
pub(crate) use spare::is_exhausted;
pub(crate) use stream::Stream;
#[cfg(unix)]
pub use unix::UnixSockets;
