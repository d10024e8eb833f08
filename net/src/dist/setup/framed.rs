//! The frames of a handshake over a stream.

use std::io;

use bytes::BytesMut;

use crate::io::Stream;
use crate::proto::handshake::{HandshakeError, Status, Transport, frame};

/// A stream on which a handshake is under way.
pub(crate) struct Framed {
    pub(crate) stream: Stream,
    /// What has been read and not used.
    pub(crate) received: BytesMut,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
    #[error("the connection broke during the handshake: {0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Unreachable(String),
    /// The peer refused; after `nok` its own attempt follows.
    #[error("the peer refused the connection: {0:?}")]
    Refused(Status),
    /// This node's own list does not have it (HS-13).
    #[error("it is not in this node's list of those that are allowed")]
    NotAllowed,
    /// Another connection to the peer has come about meanwhile.
    #[error("another connection was made meanwhile")]
    Superfluous,
    /// Wrong proofs came from its address, and the limit of them is reached.
    #[error("too many wrong proofs came from its address")]
    TooManyGuesses,
    /// A step took longer than the setup time.
    #[error("it takes too long")]
    TooSlow,
}

impl Framed {
    pub(crate) fn new(stream: Stream) -> Framed {
        Framed { stream, received: BytesMut::new() }
    }

    /// What the proofs bind the connection to.
    pub(crate) fn transport(&self) -> Transport {
        self.stream.channel_binding().map_or(Transport::Plain, Transport::Bound)
    }

    /// The next frame's body.
    pub(crate) async fn read(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            if let Some(body) = frame(&mut self.received).map_err(HandshakeError::from)? {
                if self.received.is_empty() {
                    // Nothing is kept for a peer that has not proved itself.
                    self.received = BytesMut::new();
                }
                return Ok(body);
            }
            if self.stream.read_to(&mut self.received).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }

    pub(crate) async fn write(&self, frame: &[u8]) -> Result<(), Failure> {
        Ok(self.stream.write_all(frame).await?)
    }

    /// Writes a frame, and reads the one that answers it.
    pub(crate) async fn ask(&mut self, frame: &[u8]) -> Result<Vec<u8>, Failure> {
        self.write(frame).await?;
        self.read().await
    }

    /// Whether the peer has closed the stream already. It is asked while the peer has
    /// nothing to say.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut buffer = [0; 512];
        match self.stream.try_read(&mut buffer) {
            Ok(read) => {
                self.received.extend_from_slice(&buffer[..read]);
                read == 0
            }
            Err(error) => {
                !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
            }
        }
    }

    /// Tells the peer of an error that it should know of, before the connection is closed.
    pub(crate) async fn courtesy<T>(
        &self,
        result: Result<T, HandshakeError>,
    ) -> Result<T, Failure> {
        if let Some(answer) = result.as_ref().err().and_then(HandshakeError::answer) {
            let _ = self.write(answer).await;
        }
        Ok(result?)
    }
}
