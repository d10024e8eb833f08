//! How a channel reads: one thread at a time, and no other thread waits for it.
//!
//! The thread that the socket's event wakes reads into a buffer, decodes and delivers. If another
//! thread is already reading, the other thread reads once more instead. A connection with a lot to
//! read continues in its own process (`rest`), so that other connections and processes need not
//! wait.
//!
//! Only [`Channel::lose`] waits for a read in progress, and makes it stop early.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fika_runtime::{
    Creation, Envelope, Node, NodeDownReason, NodeId, NodeName, Pid, Round, Signal, SignalRef,
    Target, Turn, contained, report,
};

use super::channel::{Admitted, Channel, Lost, Owner};
use super::reader::{Read, Reader};
use super::rest::Job;
use crate::proto::connection::{Event, Events};

/// The maximum number of reads in a row before other connections get a turn. Together these reads
/// take less than 0.1 ms. Other sockets may have to wait that long, so an attempt to connect may
/// wait that long at each of its steps. With 4 reads, small messages cost 4% more CPU time.
const READS_IN_A_ROW: usize = 8;

/// Why a channel ends after a panic.
const PANICKED: &str = "a panic while reading or writing";

/// Routes everything that arrives over a channel to processes of this node. There is no other way
/// into the node.
struct Router<'a> {
    channel: &'a Channel,
    /// The address of the peer.
    from: IpAddr,
    owner: &'a dyn Owner,
    node: &'a Node,
}

impl Events for Router<'_> {
    #[inline]
    fn message(&mut self, to: Pid, message: Envelope) {
        // A handler is not asked about messages to a pid.
        self.channel.shared().observed.tell(|observer| {
            observer.received(self.channel.id(), &Target::Pid(to), (&message).into());
        });
        self.node.receive_message(to, message);
    }

    fn event(&mut self, event: Event) {
        self.channel.shared().observed.tell(|observer| {
            if let Event::Signal { target, signal } = &event {
                observer.received(self.channel.id(), target, SignalRef::from(signal));
            }
        });
        // For nodes without a handler, which are most nodes, this test is the only cost.
        let event = if self.channel.shared().has_handler {
            match self.owner.admit(self.channel.peer(), event) {
                Admitted::Yes(event) => event,
                Admitted::No => return,
                Admitted::Answered(to, answer) => return self.channel.answer(to, answer),
            }
        } else {
            event
        };
        self.route(event);
    }

    fn meet(&mut self, name: &NodeName, creation: Creation) -> Option<NodeId> {
        self.owner.meet((name, creation), self.from)
    }
}

impl Router<'_> {
    fn route(&self, event: Event) {
        let watcher = match event {
            Event::Signal { target, mut signal } => {
                // No process was registered under the monitored name. The receiver has to know
                // which node reports this.
                if let Signal::Down { from: from @ None, .. } = &mut signal {
                    *from = self.channel.peer_id().map(Pid::nobody);
                }
                let watches = matches!(signal, Signal::Link { .. } | Signal::Monitor { .. });
                self.node.receive(&target, signal).filter(|_| watches)
            }
            Event::Spawn(request) => {
                let watches = request.link || request.monitor;
                self.node.receive_spawn(*request).filter(|_| watches)
            }
            Event::Undecodable(lost) => {
                if let Some(peer) = self.channel.peer_id() {
                    self.node.undecodable(peer, self.channel.id(), &lost);
                }
                None
            }
            Event::NotTaken(told) => {
                self.channel.not_taken(&told);
                None
            }
        };
        if let Some(watcher) = watcher {
            self.channel.watch(watcher);
        }
    }
}

impl Channel {
    /// Reads and delivers everything that has arrived. If another thread is reading, that thread
    /// reads once more. `is_open` is set if the network has reported that there is something to
    /// read and that the connection has not ended.
    pub(super) fn read(self: &Arc<Self>, is_open: bool) {
        if !is_open {
            // The thread that reads has to read until it finds the end.
            self.may_have_ended.store(true, Ordering::Release);
        }
        // The remains of a channel that has ended are dropped after the reader is unlocked.
        let mut left = None;
        let turn = self.reading.work(|reader| self.read_some(reader, &mut left));
        self.rests(turn, Job::Read);
    }

    /// Continues a turn of reading that was kept, since there was more to read.
    pub(super) fn go_on_reading(self: &Arc<Self>) -> Turn {
        let mut left = None;
        self.reading.go_on(|reader| self.read_some(reader, &mut left))
    }

    fn read_some(self: &Arc<Self>, reader: &mut Option<Reader>, left: &mut Option<Lost>) -> Round {
        let Some(owner) = self.owner() else { return Round::Done };
        let Some(node) = owner.node() else { return Round::Done };
        let Some(from) = reader.as_ref().map(Reader::from) else { return Round::Done };
        let is_open = !self.may_have_ended.swap(false, Ordering::AcqRel);
        let buffers = &self.shared().buffers;
        let mut buffer = buffers.take();
        let mut router = Router { channel: self, from, owner: &*owner, node: &node };
        let mut then = Read::More;
        for _ in 0..READS_IN_A_ROW {
            // A thread that ends the channel waits for this thread.
            let is_ending = self.is_ending.load(Ordering::Acquire);
            let Some(open) = reader.as_mut().filter(|_| !is_ending) else {
                then = Read::Wait;
                break;
            };
            if self.panicked.load(Ordering::Acquire) {
                then = self.ends_by_panic();
                break;
            }
            let read = contained(|| open.read(&mut buffer, &mut router, is_open));
            self.received.store(open.bytes(), Ordering::Relaxed);
            then = match read {
                Some(Ok(then)) => then,
                Some(Err(error)) => {
                    self.log_misbehaved(&error);
                    Read::End(NodeDownReason::ConnectionClosed)
                }
                None => self.ends_by_panic(),
            };
            if !matches!(then, Read::More) {
                break;
            }
        }
        buffers.give_back(buffer);
        match then {
            Read::Wait => Round::Done,
            Read::End(reason) => {
                *left = Some(self.lose_read(reader, reason));
                Round::Done
            }
            Read::More => {
                if !is_open {
                    self.may_have_ended.store(true, Ordering::Release);
                }
                Round::More
            }
        }
    }

    /// Logs that a read or a write has panicked, most likely in a transport of the program. No
    /// thread would continue where it stopped, so the connection ends.
    fn ends_by_panic(&self) -> Read {
        let shared = self.shared();
        shared.logs.panicked.line(shared.env.now(), |left_out| {
            report!(error, node = %self.peer(), left_out, "{PANICKED}: the connection is closed");
        });
        Read::End(NodeDownReason::Other(PANICKED.into()))
    }

    /// Logs that the peer has broken the protocol. Its connection is about to be closed.
    fn log_misbehaved(&self, error: &str) {
        let shared = self.shared();
        shared.logs.misbehaved.line(shared.env.now(), |left_out| {
            report!(error, node = %self.peer(), %error, left_out, "the connection is closed");
        });
        shared.observed.tell(|observer| observer.misbehaved(self.id(), error));
    }
}
