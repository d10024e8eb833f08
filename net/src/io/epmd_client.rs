//! Asks a port mapper, ours or Erlang's: registers a node, looks nodes up.
//!
//! It keeps no time: a mapper that does not answer is waited for without end, and the
//! caller puts his limit around the call. Nothing is tried twice here, and what a node
//! does when its registration is lost is decided by the node.
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

/// The replies to commands are words.
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

/// What is wrong when a mapper has not done as it was asked. Nothing is registered then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EpmdError {
    /// There is no mapper, or it cannot be reached.
    #[error("no port mapper answers at {mapper}: {error}")]
    Unreachable {
        /// Where it was expected.
        mapper: SocketAddr,
        /// Why the connection failed.
        error: io::Error,
    },
    /// It did not take the name: another node is registered under it.
    #[error("the port mapper has another node registered as `{name}`")]
    NameTaken {
        /// The part before the `@`.
        name: String,
    },
    /// It ended the connection before it had answered. A mapper does so when it is asked
    /// for something that it does for peers on its own host only.
    #[error("the port mapper at {mapper} closed the connection: {error}")]
    Closed {
        /// Which mapper.
        mapper: SocketAddr,
        /// How the connection ended.
        error: io::Error,
    },
    /// It answered with something else than a mapper would.
    #[error("the port mapper at {mapper} answered with something else: {error}")]
    BadReply {
        /// Who answered.
        mapper: SocketAddr,
        /// What is wrong with the answer.
        error: ReplyError,
    },
}

/// A node's registration. It ends when this is dropped.
pub struct EpmdRegistration {
    stream: Stream,
    creation: Creation,
}

impl EpmdRegistration {
    /// What tells this life of the node from its others.
    #[must_use]
    pub fn creation(&self) -> Creation {
        self.creation
    }

    /// Returns when the mapper has gone, and with it the registration.
    pub async fn lost(&self) {
        // A mapper has nothing to say on this connection: whatever comes is its end.
        let _ = self.stream.read(&mut [0]).await;
    }

    /// Ends it, and returns when the mapper has taken note of that, so that the name is free.
    /// Nobody may wait for [`lost`](EpmdRegistration::lost) meanwhile.
    pub async fn end(&self) {
        if self.stream.shutdown(Shutdown::Write).is_ok() {
            self.lost().await;
        }
    }
}

/// The mapper hears of it at once. It would not by a mere close, if a program is being started
/// at this moment that has a copy of the socket until it runs.
impl Drop for EpmdRegistration {
    fn drop(&mut self) {
        // One that is lost has been closed by the mapper.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl EpmdClient {
    /// The mapper at this address of the network. Nothing is connected yet.
    #[must_use]
    pub fn new(network: Arc<dyn Network>, mapper: SocketAddr) -> EpmdClient {
        EpmdClient { network, mapper }
    }

    /// Registers a node of this host, for as long as the registration is kept.
    ///
    /// # Errors
    /// When the name is taken, or no mapper answers as it should.
    pub async fn register(&self, node: &NodeInfo) -> Result<EpmdRegistration, EpmdError> {
        let stream = self.ask(&Request::Register(node.clone())).await?;
        match self.decode(&stream, decode_registered).await? {
            Registered::Ok(creation) => Ok(EpmdRegistration { stream, creation }),
            Registered::Refused => Err(EpmdError::NameTaken { name: node.name().into() }),
        }
    }

    /// Looks up the node with this name, the part before the `@`; none if there is none.
    ///
    /// # Errors
    /// When no mapper answers as it should.
    pub async fn lookup(&self, alive: &str) -> Result<Option<NodeInfo>, EpmdError> {
        let stream = self.ask(&Request::Lookup(alive)).await?;
        self.decode(&stream, decode_found).await
    }

    /// All nodes that are registered.
    ///
    /// # Errors
    /// When no mapper answers as it should.
    pub async fn names(&self) -> Result<Names, EpmdError> {
        let bytes = self.read_all(&Request::Names, NAMES_BYTES_MAX).await?;
        Names::decode(&bytes).map_err(|error| self.bad(error))
    }

    /// Ends the mapper: it answers `OK`, or `NO` when nodes are registered and it is not
    /// in relaxed mode.
    ///
    /// # Errors
    /// When the mapper cannot be reached, or the connection to it breaks.
    pub async fn kill(&self) -> Result<String, EpmdError> {
        self.command(&Request::Kill).await
    }

    /// Takes a name away from its node: a mapper in relaxed mode answers `STOPPED`, or
    /// `NOEXIST` when there is none. One that is not answers nothing.
    ///
    /// # Errors
    /// When the mapper cannot be reached, or the connection to it breaks.
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

    /// Reads until `decode`, which bounds what it waits for, is satisfied.
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

    /// Reads a reply that ends where the connection does.
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

    /// False at the end.
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

    /// A mapper that takes one request, writes these pieces one after the other, and
    /// closes.
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
                // A client that has heard enough may have gone.
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
    fn a_mapper_that_is_none() {
        let (poller, client) = fake(vec![b"SSH-2.0".to_vec()]);
        let error = block_on(&poller, client.lookup("a")).unwrap_err();
        assert!(matches!(error, EpmdError::BadReply { .. }), "{error}");
        // A list without an end.
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
