//! The frames of a handshake over a stream.

use std::io;

use bytes::BytesMut;

use crate::dist::discovery::NotReached;
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
    /// The peer is not in this node's own list (HS-13).
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

impl From<NotReached> for Failure {
    fn from(why: NotReached) -> Failure {
        match why {
            NotReached::Unreachable(why) => Failure::Unreachable(why),
            NotReached::TooSlow => Failure::TooSlow,
        }
    }
}

impl Framed {
    pub(crate) fn new(stream: Stream) -> Framed {
        Framed { stream, received: BytesMut::new() }
    }

    /// Returns what the proofs bind the connection to.
    pub(crate) fn transport(&self) -> Transport {
        self.stream.channel_binding().map_or(Transport::Plain, Transport::Bound)
    }

    /// Reads the body of the next frame.
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

    /// Returns whether the peer has closed the stream already. Called while the peer has nothing to
    /// say.
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

    /// Tells the peer about an error, if there is an answer for it, before the connection is
    /// closed.
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
