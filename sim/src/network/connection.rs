//! One connection: its two ends, and the packets between them.

use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::Arc;

use fika_net::SocketHandler;

use super::hosts::HostId;
use super::wires::LifeId;

/// One of the two ends: 0 is the end that has made the connection.
pub(super) type Side = usize;

/// A packet on its way to the other end.
#[derive(Debug)]
pub(super) enum Packet {
    Bytes(Vec<u8>),
    /// No bytes will follow.
    End,
    /// The connection was reset.
    Reset,
}

/// The state of an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Connecting,
    Open,
    /// Connecting has failed, or the connection has broken, and the program does not know yet.
    Failed(ErrorKind),
    /// The connection has failed or broken, and the program has got the error.
    Told,
}

/// One end, as its host keeps it.
pub(super) struct End {
    pub(super) life: LifeId,
    pub(super) host: HostId,
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
    pub(super) stage: Stage,
    pub(super) handler: Option<Arc<dyn SocketHandler>>,
    /// Bytes that have arrived and were not read.
    pub(super) inbox: VecDeque<u8>,
    /// Everything that the peer has written has arrived.
    pub(super) is_at_end: bool,
    pub(super) has_shut_reading: bool,
    pub(super) has_shut_writing: bool,
    /// No program has this end: it was not accepted yet, or the program has dropped it or has
    /// ended.
    pub(super) is_dropped: bool,
    /// The host has lost power since, and no longer knows this end.
    pub(super) is_forgotten: bool,
    /// Packets on the way to the other end, with their times of arrival.
    pub(super) out: VecDeque<(u64, Packet)>,
    /// Bytes that are on their way or in the other end's inbox.
    pub(super) unread: usize,
    /// When the path is free for the next packet.
    pub(super) free_at: u64,
    pub(super) last_arrival: u64,
    /// The next packet waits until the path is mended.
    pub(super) is_held: bool,
    /// Nothing from this end gets through, even if the path is open.
    pub(super) is_stalled: bool,
    /// A write returned `WouldBlock`.
    pub(super) waits_to_write: bool,
}

impl End {
    pub(super) fn new(life: LifeId, host: HostId, local: SocketAddr, peer: SocketAddr) -> End {
        End {
            life,
            host,
            local,
            peer,
            stage: Stage::Connecting,
            handler: None,
            inbox: VecDeque::new(),
            is_at_end: false,
            has_shut_reading: false,
            has_shut_writing: false,
            is_dropped: false,
            is_forgotten: false,
            out: VecDeque::new(),
            unread: 0,
            free_at: 0,
            last_arrival: 0,
            is_held: false,
            is_stalled: false,
            waits_to_write: false,
        }
    }

    /// Returns whether the connection is established.
    pub(super) fn connected(&mut self) -> Result<()> {
        match self.stage {
            Stage::Connecting => Err(ErrorKind::WouldBlock.into()),
            Stage::Open => Ok(()),
            Stage::Failed(_) => Err(self.failure()),
            Stage::Told => Err(ErrorKind::NotConnected.into()),
        }
    }

    fn failure(&mut self) -> Error {
        match std::mem::replace(&mut self.stage, Stage::Told) {
            Stage::Failed(kind) => kind.into(),
            _ => ErrorKind::BrokenPipe.into(),
        }
    }

    /// Reads up to `most` of the bytes that have arrived.
    pub(super) fn read(&mut self, buf: &mut [u8], most: usize) -> Result<usize> {
        match self.stage {
            Stage::Connecting => return Err(ErrorKind::WouldBlock.into()),
            Stage::Failed(_) => return Err(self.failure()),
            Stage::Told => return Ok(0),
            Stage::Open => {}
        }
        let n = buf.len().min(most).min(self.inbox.len());
        if n == 0 {
            let over = self.is_at_end || self.has_shut_reading;
            return if over { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        for (to, from) in buf.iter_mut().zip(self.inbox.drain(..n)) {
            *to = from;
        }
        Ok(n)
    }

    /// Returns how many bytes may be written now, if `window` bytes may be unread.
    pub(super) fn room(&mut self, window: usize) -> Result<usize> {
        match self.stage {
            Stage::Connecting => return Err(ErrorKind::WouldBlock.into()),
            Stage::Failed(_) => return Err(self.failure()),
            Stage::Told => return Err(ErrorKind::BrokenPipe.into()),
            Stage::Open => {}
        }
        if self.has_shut_writing {
            return Err(ErrorKind::BrokenPipe.into());
        }
        match window.saturating_sub(self.unread) {
            0 => {
                self.waits_to_write = true;
                Err(ErrorKind::WouldBlock.into())
            }
            room => Ok(room),
        }
    }

    /// Breaks this end. Bytes on their way from this end, and bytes that it has not read, are lost.
    pub(super) fn breaks(&mut self, why: ErrorKind) {
        if matches!(self.stage, Stage::Connecting | Stage::Open) {
            self.stage = Stage::Failed(why);
        }
        self.inbox.clear();
        self.out.clear();
    }

    pub(super) fn is_broken(&self) -> bool {
        matches!(self.stage, Stage::Failed(_) | Stage::Told)
    }
}

pub(super) struct Connection {
    pub(super) ends: [End; 2],
    /// The number of attempts to open the connection so far.
    pub(super) tries: u32,
}

impl Connection {
    /// Returns whether no program or host uses the connection any more.
    pub(super) fn is_over(&self) -> bool {
        self.ends.iter().all(|end| end.is_dropped && (end.out.is_empty() || end.is_forgotten))
    }
}
