//! Options of the sockets between nodes (OTP's `inet_dist_connect_options` and
//! `inet_dist_listen_options`).

use std::io;

/// Options of a connection's socket. An option that is `None` is not changed.
///
/// ```
/// use fika_net::SocketOptions;
///
/// let options = SocketOptions { keepalive: Some(true), ..SocketOptions::default() };
/// assert!(!options.is_empty());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SocketOptions {
    /// Small writes are sent at once, and do not wait for the acknowledgements of earlier ones
    /// (`TCP_NODELAY`). True by default.
    pub nodelay: Option<bool>,
    /// The system probes an idle connection (`SO_KEEPALIVE`). False by default: ticks detect a dead
    /// peer sooner.
    pub keepalive: Option<bool>,
    /// The size of the system's send buffer (`SO_SNDBUF`), in bytes. Linux doubles it.
    pub send_buffer: Option<usize>,
    /// The size of the system's receive buffer (`SO_RCVBUF`), in bytes. Linux doubles it.
    pub recv_buffer: Option<usize>,
}

/// The largest size that the system call accepts. The system may grant less.
const BUFFER_BYTES_MAX: usize = i32::MAX as usize;

impl SocketOptions {
    /// Returns whether no option is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == SocketOptions::default()
    }

    pub(super) fn set_on(&self, socket: socket2::SockRef<'_>) -> io::Result<()> {
        if let Some(nodelay) = self.nodelay {
            socket.set_tcp_nodelay(nodelay)?;
        }
        if let Some(keepalive) = self.keepalive {
            socket.set_keepalive(keepalive)?;
        }
        if let Some(bytes) = self.send_buffer {
            socket.set_send_buffer_size(bytes.min(BUFFER_BYTES_MAX))?;
        }
        if let Some(bytes) = self.recv_buffer {
            socket.set_recv_buffer_size(bytes.min(BUFFER_BYTES_MAX))?;
        }
        Ok(())
    }

    pub(super) fn of(socket: socket2::SockRef<'_>) -> io::Result<SocketOptions> {
        Ok(SocketOptions {
            nodelay: Some(socket.tcp_nodelay()?),
            keepalive: Some(socket.keepalive()?),
            send_buffer: Some(socket.send_buffer_size()?),
            recv_buffer: Some(socket.recv_buffer_size()?),
        })
    }
}
