//! Lets a simulator observe a node from outside, for its log and its checks.
//!
//! An observer needs the feature `observe`. Without the feature, the calls compile to nothing.

use std::net::SocketAddr;

use crate::carrier::{ConnectionId, RemoteDest};
use crate::exit_reason::ExitReason;
use crate::message::Envelope;
use crate::node_id::NodeId;
use crate::pid::Pid;
use crate::reference::Reference;
use crate::signal::{Signal, Target};

/// A signal that an observer sees: a message in its envelope, or another signal. Both forms of a
/// message, an envelope and a [`Signal`], convert to this without a copy.
#[derive(Clone, Copy, Debug)]
pub enum SignalRef<'a> {
    /// A message.
    Message(&'a Envelope),
    /// Any other signal.
    Other(&'a Signal),
}

impl<'a> From<&'a Envelope> for SignalRef<'a> {
    fn from(message: &'a Envelope) -> SignalRef<'a> {
        SignalRef::Message(message)
    }
}

impl<'a> From<&'a Signal> for SignalRef<'a> {
    fn from(signal: &'a Signal) -> SignalRef<'a> {
        match signal {
            Signal::Message(message) => SignalRef::Message(message),
            other => SignalRef::Other(other),
        }
    }
}

/// Receives the events of a node, each on the thread where it happens.
pub trait Observer: Send + Sync + 'static {
    /// A process has begun. `parent` is the process that spawned it, possibly on another node, or
    /// `None` if it was spawned from outside a process.
    fn started(&self, pid: Pid, parent: Option<Pid>);
    /// A message is put into the queue of a process, which may have ended.
    fn message(&self, to: Pid, message: &Envelope);
    /// Another signal is put into the queue of a process, which may have ended.
    fn signal(&self, to: Pid, signal: &Signal);
    /// A process has been given a name.
    fn registered(&self, pid: Pid, name: &str);
    /// A process has ended.
    fn ended(&self, pid: Pid, reason: &ExitReason);
    /// A monitor's `Down` is put into the mailbox of the process that holds the monitor.
    fn down(&self, to: Pid, monitor: Reference);
    /// A signal is given to the carrier. `by` is the process that sends it, if a process does.
    /// [`sent`](Observer::sent) follows.
    fn sends(&self, by: Option<Pid>, to: &RemoteDest, signal: SignalRef<'_>);
    /// The carrier has taken the signal for this connection. `None` if the signal can't be encoded.
    fn sent(&self, over: Option<ConnectionId>);
    /// After a send, this many bytes wait to be written to a connection.
    fn queued(&self, over: ConnectionId, bytes: usize);
    /// A connection is about to go up between these two nodes, under the names that they gave each
    /// other, with their addresses. The local node and address come first.
    fn connected(&self, connection: ConnectionId, nodes: [NodeId; 2], ends: [SocketAddr; 2]);
    /// A signal has arrived over a connection.
    fn received(&self, over: ConnectionId, to: &Target, signal: SignalRef<'_>);
    /// A connection is lost. The affected processes are notified after this call.
    fn lost(&self, connection: ConnectionId);
    /// A peer sent something invalid over a connection.
    fn misbehaved(&self, connection: ConnectionId, why: &str);
}

/// The observer of a node, if it has one.
#[doc(hidden)]
#[derive(Clone, Default)]
pub struct Observed(#[cfg(feature = "observe")] Option<std::sync::Arc<dyn Observer>>);

impl Observed {
    #[cfg(feature = "observe")]
    pub(crate) fn by(observer: std::sync::Arc<dyn Observer>) -> Observed {
        Observed(Some(observer))
    }

    /// Calls `tell` with the observer, if there is one.
    #[inline]
    pub fn tell(&self, tell: impl FnOnce(&dyn Observer)) {
        #[cfg(feature = "observe")]
        if let Some(observer) = &self.0 {
            tell(&**observer);
        }
        #[cfg(not(feature = "observe"))]
        let _ = tell;
    }
}
