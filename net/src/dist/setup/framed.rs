//! Reads and writes the frames of a handshake over a stream.

use std::io;

use bytes::BytesMut;

use crate::dist::discovery::NotReached;
use crate::io::Stream;
use crate::proto::handshake::{HandshakeError, Status, Transport, frame};

/// A stream on which a handshake is in progress.
pub(crate) struct Framed {
    pub(crate) stream: Stream,
    /// Bytes that have been read and not used yet.
    pub(crate) received: BytesMut,
}

/// The reason why a connection was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
    #[error("the connection broke during the handshake: {0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Unreachable(String),
    #[error("the host in the node's name is unknown: {0}")]
    UnknownHost(io::Error),
    /// This node refused the connection. After `nok`, the peer waits for this node's own attempt.
    #[error("this node refused the connection: {0:?}")]
    Refused(Status),
    /// The peer is not in this node's list of allowed nodes (HS-13).
    #[error("the peer is not in this node's list of allowed nodes")]
    NotAllowed,
    /// Another connection to the peer was made meanwhile.
    #[error("another connection was made meanwhile")]
    Superfluous,
    /// The peer's address has reached its limit of wrong proofs.
    #[error("too many wrong proofs came from the peer's address")]
    TooManyGuesses,
    /// A step took longer than the setup time.
    #[error("the attempt took too long")]
    TooSlow,
}

impl From<NotReached> for Failure {
    fn from(why: NotReached) -> Failure {
        match why {
            NotReached::Unreachable(why) => Failure::Unreachable(why),
            NotReached::UnknownHost(error) => Failure::UnknownHost(error),
            NotReached::TooSlow => Failure::TooSlow,
        }
    }
}

impl Framed {
    pub(crate) fn new(stream: Stream) -> Framed {
        Framed { stream, received: BytesMut::new() }
    }

    /// Returns the transport to which the proofs bind the connection.
    pub(crate) fn transport(&self) -> Transport {
        self.stream.channel_binding().map_or(Transport::Plain, Transport::Bound)
    }

    /// Reads the body of the next frame.
    pub(crate) async fn read(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            if let Some(body) = frame(&mut self.received).map_err(HandshakeError::from)? {
                if self.received.is_empty() {
                    // Free the buffer: a peer that has not proved itself must not cost memory.
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

    /// Writes a frame, and reads the answer.
    pub(crate) async fn ask(&mut self, frame: &[u8]) -> Result<Vec<u8>, Failure> {
        self.write(frame).await?;
        self.read().await
    }

    /// Returns whether the peer has closed the stream already. Call this only while the peer has
    /// nothing to send.
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

    /// Sends the answer for an error to the peer, if there is one, before the connection is closed.
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
