//! How a channel reads: into a buffer of the thread that reads; then it routes the signals.

use std::io::{self, IoSliceMut};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fika_runtime::{
    Creation, Envelope, Node, NodeDownReason, NodeId, NodeName, Pid, Signal, Target,
};
use parking_lot::Mutex;

use super::channel::Channel;
use crate::dist::control::More;
use crate::dist::state::{Heard, Net, admit};
use crate::io::Stream;
use crate::proto::connection::{Event, Events, Receiving};

/// What is read in one system call.
const READ_BYTES: usize = 64 << 10;

/// What is read behind a piece that goes to its own place: the head of the next one, which then
/// has a place, too. More of it would be copied there.
const BEHIND_BYTES: usize = 4 << 10;

/// After so many reads in a row others have their turn; the rest is read in the next one.
const READS_IN_A_ROW: usize = 16;

/// Buffers that are kept: more threads than this seldom read at the same time.
const BUFFERS_KEPT: usize = 4;

/// The receiving half of a channel.
pub(crate) struct Reading {
    receiving: Receiving,
    stream: Arc<Stream>,
    from: IpAddr,
    /// What the peer has sent together with its handshake.
    early: Vec<u8>,
}

/// The buffers that are not in use.
#[derive(Default)]
pub(crate) struct Buffers(Mutex<Vec<Box<[u8]>>>);

/// What there is to do after a read.
enum Then {
    /// More may be there.
    More,
    /// It will be told.
    Wait,
    /// The connection has ended.
    End(NodeDownReason),
}

impl Buffers {
    fn take(&self) -> Box<[u8]> {
        let kept = self.0.lock().pop();
        kept.unwrap_or_else(|| vec![0; READ_BYTES].into())
    }

    fn give_back(&self, buffer: Box<[u8]>) {
        let mut kept = self.0.lock();
        if kept.len() < BUFFERS_KEPT {
            kept.push(buffer);
        }
    }
}

impl Reading {
    pub(crate) fn new(receiving: Receiving, stream: Arc<Stream>, early: &[u8]) -> Reading {
        let from = stream.peer_addr().ip();
        Reading { receiving, stream, from, early: early.to_vec() }
    }

    /// Reads once, and routes what it was. `is_open`: a read that is not full has read all that
    /// there was.
    fn once(
        &mut self,
        bytes: &mut [u8],
        events: &mut Router<'_>,
        is_open: bool,
    ) -> Result<Then, String> {
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            self.receiving.handle(&early, events).map_err(|error| error.to_string())?;
        }
        let (mut direct, mut room) = (0, bytes.len());
        let read = match self.receiving.direct() {
            None => self.stream.try_read(bytes),
            Some(mut place) => {
                direct = place.place().len();
                room = direct + BEHIND_BYTES;
                let behind = &mut bytes[..BEHIND_BYTES];
                let mut slices = [IoSliceMut::new(place.place()), IoSliceMut::new(behind)];
                let read = self.stream.try_read_vectored(&mut slices);
                let count = read.as_ref().map_or(0, |read| direct.min(*read));
                place.keep(count);
                read
            }
        };
        let read = match read {
            Ok(0) => return Ok(Then::End(NodeDownReason::ConnectionClosed)),
            Ok(read) => read,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(Then::Wait),
                io::ErrorKind::Interrupted => return Ok(Then::More),
                _ => return Ok(Then::End(closed_by(&error))),
            },
        };
        let direct = direct.min(read);
        let taken = match direct {
            0 => Ok(()),
            _ => self.receiving.handle_direct(direct, events),
        };
        let taken = taken.and_then(|()| self.receiving.handle(&bytes[..read - direct], events));
        taken.map_err(|error| error.to_string())?;
        Ok(if is_open && read < room { Then::Wait } else { Then::More })
    }
}

/// Where what comes goes to.
struct Router<'a> {
    channel: &'a Channel,
    /// The address of the peer.
    from: IpAddr,
    net: &'a Net,
    node: &'a Node,
}

impl Events for Router<'_> {
    #[inline]
    fn message(&mut self, to: Pid, message: Envelope) {
        // A handler has no word in what goes to a process.
        let message = Signal::Message(message);
        self.channel.observed.tell(|observer| {
            observer.received(self.channel.id(), &Target::Pid(to), &message);
        });
        if let Signal::Message(message) = message {
            self.node.receive_message(to, message);
        }
    }

    fn event(&mut self, event: Event) {
        self.channel.route(self.net, self.node, event);
    }

    fn meet(&mut self, name: &NodeName, creation: Creation) -> Option<NodeId> {
        self.net.meet((name, creation), Heard::Mentioned, self.from)
    }
}

impl Channel {
    /// Reads what is there, and routes it. `is_open`: the network has told that something is
    /// there, and that the connection has not ended. True if more may be there, which is read
    /// later.
    pub(crate) fn read(self: &Arc<Self>, is_open: bool) -> bool {
        let Some(net) = self.net.upgrade() else { return false };
        let Some(node) = net.node() else { return false };
        let mut reading = self.reading.lock();
        let Some(from) = reading.as_ref().map(|reading| reading.from) else { return false };
        let mut buffer = net.buffers.take();
        let mut router = Router { channel: self, from, net: &net, node: &node };
        let mut then = Then::More;
        for _ in 0..READS_IN_A_ROW {
            let Some(open) = &mut *reading else { break };
            let read = open.once(&mut buffer, &mut router, is_open);
            self.received.store(open.receiving.bytes(), Ordering::Relaxed);
            then = read.unwrap_or_else(|error| {
                net.log_misbehaved(&self.peer, &error);
                self.observed.tell(|observer| observer.misbehaved(self.id(), &error));
                Then::End(NodeDownReason::ConnectionClosed)
            });
            if !matches!(then, Then::More) {
                break;
            }
        }
        net.buffers.give_back(buffer);
        match then {
            Then::Wait => false,
            Then::End(reason) => {
                let left = self.lose_read(&mut reading, reason);
                drop(reading);
                drop(left);
                false
            }
            Then::More => {
                // The network will not say so again.
                net.more(More::Read(self.clone()));
                true
            }
        }
    }

    fn route(&self, net: &Net, node: &Node, event: Event) {
        self.observed.tell(|observer| {
            if let Event::Signal { target, signal } = &event {
                observer.received(self.id(), target, signal);
            }
        });
        // Without a handler, which is what most nodes are, this is all that is done for it.
        let event = match &self.handler {
            None => event,
            Some(handler) => match admit(&**handler, net, &self.peer, event) {
                Some(event) => event,
                None => return,
            },
        };
        let watcher = match event {
            Event::Signal { target, mut signal } => {
                // Nobody had the name that was monitored: the receiver is to know who says so.
                if let Signal::Down { from: from @ None, .. } = &mut signal {
                    *from = self.peer_id().map(Pid::nobody);
                }
                let watches = matches!(signal, Signal::Link { .. } | Signal::Monitor { .. });
                node.receive(&target, signal).filter(|_| watches)
            }
            Event::Spawn(request) => {
                let watches = request.link || request.monitor;
                node.receive_spawn(*request).filter(|_| watches)
            }
            Event::Undecodable(lost) => {
                if let Some(peer) = self.peer_id() {
                    node.undecodable(peer, self.id(), &lost);
                }
                None
            }
            Event::NotTaken(told) => {
                self.not_taken(net, &told);
                None
            }
        };
        if let Some(watcher) = watcher {
            self.watch(watcher);
        }
    }
}

/// What a broken connection is called: an error of the operating system is one that the peer
/// could have caused, while a transport of a user's own may have a reason of its own.
fn closed_by(error: &io::Error) -> NodeDownReason {
    match error.get_ref() {
        None => NodeDownReason::ConnectionClosed,
        Some(reason) => NodeDownReason::Other(reason.to_string()),
    }
}
