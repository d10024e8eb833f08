//! Sockets: the only part of net that has any.

mod epmd_client;
mod epmd_server;
mod listener;
mod poller;
mod readiness;
mod tcp;
#[cfg(test)]
mod testing;
mod wait;

pub use epmd_client::{EpmdClient, EpmdError, EpmdRegistration};
pub use epmd_server::{EpmdBindError, EpmdConfig, EpmdServer};
pub(crate) use listener::TcpListener;
pub(crate) use poller::Handler;
pub use poller::Poller;
pub(crate) use tcp::TcpStream;
