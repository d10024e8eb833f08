//! The errors of making a node.

/// Why a node could not be made.
///
/// ```
/// use fika_runtime::{BuildError, Node};
///
/// let error = Node::builder().workers(0).build().unwrap_err();
/// assert!(matches!(error, BuildError::Setting(_)), "{error}");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The operating system refused a thread.
    #[error("no thread can be started: {0}")]
    Thread(#[from] std::io::Error),
    /// The operating system gives no random bytes, without which no handshake is safe.
    #[error("the operating system gives no random bytes: {0}")]
    Random(std::io::Error),
    /// Two functions have the same name.
    #[error(
        "two #[remote] functions are called `{0}`; give one of them another name, with \
         #[remote(name = \"..\")]"
    )]
    RemoteFunction(&'static str),
    /// Two message types have the same tag.
    #[error(transparent)]
    MessageTag(#[from] crate::message::TagClash),
    /// A service did not start.
    #[error("the service `{name}` does not start: {error}")]
    Service {
        /// The service's name.
        name: String,
        /// Why it does not start.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A setting is out of its range.
    #[error("{0}")]
    Setting(&'static str),
}
