//! A client of a port mapper, ours or Erlang's: registers a node and looks nodes up.
//!
//! The client has no time limits: it waits indefinitely for a mapper that does not answer, so the
//! caller sets a time limit. It retries nothing. The node decides what to do when its registration
//! is lost.
//!
//! Prior art: `erl_epmd.erl`.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use fika_runtime::Creation;

use super::network::Network;
use super::stream::Stream;
use crate::proto::epmd::{
    NAMES_BYTES_MAX, Names, NodeInfo, Registered, ReplyError, Request, decode_found,
    decode_registered,
};

/// The replies to commands are short words.
const WORD_BYTES_MAX: usize = 64;

/// The mapper at one address (Erlang's `erl_epmd`).
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use fika_net::{EpmdClient, EpmdConfig, EpmdServer, NodeInfo, Poller, PublishedType};
/// use fika_runtime::Node;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let poller = Poller::new()?;
/// let node = Node::builder().driver(Arc::new(poller.clone())).build()?;
/// let mapper = EpmdServer::bind(&poller, &EpmdConfig {
///     port: 0,
///     addrs: vec![[127, 0, 0, 1].into()],
///     relaxed: false,
///     idle: Duration::from_secs(60),
///     creation_seed: node.env().random() as u32,
/// })?;
/// let client = EpmdClient::new(Arc::new(poller), ([127, 0, 0, 1], mapper.port()).into());
/// node.spawn(mapper.run());
///
/// let me = NodeInfo::new("cache", 4001, PublishedType::NORMAL)?;
/// node.block_on(async move {
///     let registration = client.register(&me).await.unwrap();
///     assert_eq!(client.lookup("cache").await.unwrap(), Some(me));
///     drop(registration);
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EpmdClient {
    network: Arc<dyn Network>,
    mapper: SocketAddr,
}

/// Why a request to a mapper failed. Nothing is registered then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EpmdError {
    /// There is no mapper, or it can't be reached.
    #[error("no port mapper answers at {mapper}: {error}")]
    Unreachable {
        /// The mapper's expected address.
        mapper: SocketAddr,
        /// Why the connection failed.
        error: io::Error,
    },
    /// Another node is registered under the name.
    #[error("the port mapper has another node registered as `{name}`")]
    NameTaken {
        /// The part of the node's name before the `@`.
        name: String,
    },
    /// The mapper ended the connection before it had answered. A mapper does so if a peer on
    /// another host requests something that is only allowed on its own host.
    #[error("the port mapper at {mapper} closed the connection: {error}")]
    Closed {
        /// The mapper's address.
        mapper: SocketAddr,
        /// How the connection ended.
        error: io::Error,
    },
    /// The mapper's reply is invalid.
    #[error("the port mapper at {mapper} sent an invalid reply: {error}")]
    BadReply {
        /// The mapper's address.
        mapper: SocketAddr,
        /// The error in the reply.
        error: ReplyError,
    },
}

/// A node's registration. Dropping it ends the registration.
pub struct EpmdRegistration {
    stream: Stream,
    creation: Creation,
}

impl EpmdRegistration {
    /// Returns the creation, which distinguishes this life of the node from its others.
    #[must_use]
    pub fn creation(&self) -> Creation {
        self.creation
    }

    /// Returns when the mapper has gone, and with it the registration.
    pub async fn lost(&self) {
        // A mapper sends nothing on this connection, so anything that arrives is its end.
        let _ = self.stream.read(&mut [0]).await;
    }

    /// Ends the registration. Returns when the mapper has noticed, so that the name is free. Must
    /// not be called while a task waits in [`lost`](EpmdRegistration::lost).
    pub async fn end(&self) {
        if self.stream.shutdown(Shutdown::Write).is_ok() {
            self.lost().await;
        }
    }
}

/// Shuts down the connection, so that the mapper notices at once. A mere close would not be enough
/// if a program is just being started, since it has a copy of the socket until it runs.
impl Drop for EpmdRegistration {
    fn drop(&mut self) {
        // If the registration is lost, the mapper has already closed the connection.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl EpmdClient {
    /// Makes a client of the mapper at this address. It does not connect yet.
    #[must_use]
    pub fn new(network: Arc<dyn Network>, mapper: SocketAddr) -> EpmdClient {
        EpmdClient { network, mapper }
    }

    /// Registers a node of this host until the returned registration is dropped.
    ///
    /// # Errors
    /// If the name is taken, or if no mapper answers correctly.
    pub async fn register(&self, node: &NodeInfo) -> Result<EpmdRegistration, EpmdError> {
        let stream = self.ask(&Request::Register(node.clone())).await?;
        match self.decode(&stream, decode_registered).await? {
            Registered::Ok(creation) => Ok(EpmdRegistration { stream, creation }),
            Registered::Refused => Err(EpmdError::NameTaken { name: node.name().into() }),
        }
    }

    /// Looks up the node with this name, the part before the `@`. Returns `None` if there is none.
    ///
    /// # Errors
    /// If no mapper answers correctly.
    pub async fn lookup(&self, alive: &str) -> Result<Option<NodeInfo>, EpmdError> {
        let stream = self.ask(&Request::Lookup(alive)).await?;
        self.decode(&stream, decode_found).await
    }

    /// Returns all registered nodes.
    ///
    /// # Errors
    /// If no mapper answers correctly.
    pub async fn names(&self) -> Result<Names, EpmdError> {
        let bytes = self.read_all(&Request::Names, NAMES_BYTES_MAX).await?;
        Names::decode(&bytes).map_err(|error| self.bad(error))
    }

    /// Ends the mapper. It answers `OK`, or `NO` if nodes are registered and it is not in relaxed
    /// mode.
    ///
    /// # Errors
    /// If the mapper can't be reached, or the connection to it breaks.
    pub async fn kill(&self) -> Result<String, EpmdError> {
        self.command(&Request::Kill).await
    }

    /// Unregisters another node's name. A mapper in relaxed mode answers `STOPPED`, or `NOEXIST` if
    /// there is no such name. Other mappers answer nothing.
    ///
    /// # Errors
    /// If the mapper can't be reached, or the connection to it breaks.
    pub async fn stop(&self, alive: &str) -> Result<String, EpmdError> {
        self.command(&Request::Stop(alive.as_bytes())).await
    }

    async fn command(&self, request: &Request<'_>) -> Result<String, EpmdError> {
        let bytes = self.read_all(request, WORD_BYTES_MAX).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn ask(&self, request: &Request<'_>) -> Result<Stream, EpmdError> {
        let stream = Stream::connect(&*self.network, self.mapper).await;
        let stream =
            stream.map_err(|error| EpmdError::Unreachable { mapper: self.mapper, error })?;
        stream.write_all(&request.encode()).await.map_err(|error| self.closed(error))?;
        Ok(stream)
    }

    /// Reads until `decode` has its result. `decode` limits the number of bytes.
    async fn decode<T>(
        &self,
        stream: &Stream,
        decode: impl Fn(&[u8]) -> Result<Option<T>, ReplyError>,
    ) -> Result<T, EpmdError> {
        let mut bytes = Vec::new();
        loop {
            if !self.read(stream, &mut bytes).await? {
                return Err(self.closed(io::ErrorKind::UnexpectedEof.into()));
            }
            if let Some(reply) = decode(&bytes).map_err(|error| self.bad(error))? {
                return Ok(reply);
            }
        }
    }

    /// Reads a reply that ends with the connection.
    async fn read_all(&self, request: &Request<'_>, max: usize) -> Result<Vec<u8>, EpmdError> {
        let stream = self.ask(request).await?;
        let mut bytes = Vec::new();
        while self.read(&stream, &mut bytes).await? {
            if bytes.len() > max {
                return Err(self.bad(ReplyError::TooLong));
            }
        }
        Ok(bytes)
    }

    /// Reads some bytes. Returns false at the end of the stream.
    async fn read(&self, stream: &Stream, bytes: &mut Vec<u8>) -> Result<bool, EpmdError> {
        let mut buf = [0; 4096];
        let read = stream.read(&mut buf).await.map_err(|error| self.closed(error))?;
        bytes.extend(&buf[..read]);
        Ok(read != 0)
    }

    fn closed(&self, error: io::Error) -> EpmdError {
        EpmdError::Closed { mapper: self.mapper, error }
    }

    fn bad(&self, error: ReplyError) -> EpmdError {
        EpmdError::BadReply { mapper: self.mapper, error }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::io::Poller;
    use crate::io::testing::block_on;
    use crate::proto::epmd::PublishedType;

    /// Makes a mapper that reads a request, writes these pieces one after the other, and closes.
    #[allow(clippy::disallowed_methods, reason = "the thread of a test")]
    fn fake(pieces: Vec<Vec<u8>>) -> (Poller, EpmdClient) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let poller = Poller::new().unwrap();
        let client = EpmdClient::new(Arc::new(poller.clone()), listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            stream.read_exact(&mut vec![0; u16::from_be_bytes(length).into()]).unwrap();
            for piece in pieces {
                // A client that has read enough may have closed the connection.
                if stream.write_all(&piece).is_err() {
                    break;
                }
            }
        });
        (poller, client)
    }

    const FOUND: &[u8] = b"w\0\0\x07\x4d\0\0\x06\0\x05\0\x01a\0\0";

    fn node() -> NodeInfo {
        NodeInfo::new("a", 7, PublishedType::NORMAL).unwrap()
    }

    /// EPMD-18: a reply byte by byte.
    #[test]
    fn a_reply_in_pieces() {
        let (poller, client) = fake(FOUND.chunks(1).map(<[u8]>::to_vec).collect());
        assert_eq!(block_on(&poller, client.lookup("a")).unwrap(), Some(node()));
        let (poller, client) = fake(b"v\0\0\0\x01\0".chunks(1).map(<[u8]>::to_vec).collect());
        let registration = block_on(&poller, client.register(&node())).unwrap();
        assert_eq!(registration.creation(), Creation(256));
        block_on(&poller, registration.lost());
    }

    #[test]
    fn a_mapper_that_closes() {
        for length in 0..FOUND.len() {
            let (poller, client) = fake(vec![FOUND[..length].to_vec()]);
            let error = block_on(&poller, client.lookup("a")).unwrap_err();
            assert!(matches!(error, EpmdError::Closed { .. }), "{length}: {error}");
        }
        let (poller, client) = fake(Vec::new());
        let error = block_on(&poller, client.register(&node())).err().unwrap();
        assert!(matches!(error, EpmdError::Closed { .. }), "{error}");
    }

    #[test]
    fn a_server_that_is_not_a_mapper() {
        let (poller, client) = fake(vec![b"SSH-2.0".to_vec()]);
        let error = block_on(&poller, client.lookup("a")).unwrap_err();
        assert!(matches!(error, EpmdError::BadReply { .. }), "{error}");
        // A list that never ends.
        let (poller, client) = fake(vec![vec![b'n'; 1 << 20]; 64]);
        let error = block_on(&poller, client.names()).unwrap_err();
        let too_long = matches!(error, EpmdError::BadReply { error: ReplyError::TooLong, .. });
        assert!(too_long, "{error}");
    }

    #[test]
    fn no_mapper() {
        let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let poller = Poller::new().unwrap();
        let client = EpmdClient::new(Arc::new(poller.clone()), addr);
        let error = block_on(&poller, client.register(&node())).err().unwrap();
        assert!(matches!(error, EpmdError::Unreachable { mapper, .. } if mapper == addr));
    }
}
