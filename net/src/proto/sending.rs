//! The sending half of an established connection: signals in, bytes to write out.
//!
//! It does not know when to connect or whom to tell of a loss, reads no clock and suspends
//! nobody: the driver asks [`Sending::output_bytes`] and decides. What one sender sends goes out
//! in that order; large messages go in pieces, with those of others in between. What we are
//! asked to send can fail, and then changes nothing.
//!
//! Prior art: quinn-proto's `connection/mod.rs` for the form, `dist.c` for the matter.

use fika_runtime::{Envelope, LocalId, NodeId, Target, Undecodable};

use super::connection::Config;
use super::control::{Encoder, SendError};
use super::lanes::{Lanes, Next, Sender, Waiting};
use super::limits::{BATCH_PIECES, PIECE_BYTES_MAX};
use super::output::Batch;
use super::parcel::{Body, Parcel, Payload};
use super::tick::{Ticker, Traffic, Verdict};

/// What was not sent, and why.
pub(crate) type Refused = Box<(SendError, Parcel)>;

/// See the file's head.
///
/// - **Getters**: [`peer`](Self::peer), [`output_bytes`](Self::output_bytes).
/// - **Inputs**: every T/I comes [`handle_tick`](Self::handle_tick), and
///   [`handle_written`](Self::handle_written) when the transport has taken something.
/// - **Commands**: [`send`](Self::send), [`send_message`](Self::send_message),
///   [`send_undecodable`](Self::send_undecodable).
/// - **Outputs**: [`take_output`](Self::take_output), whenever the batch is empty.
pub(crate) struct Sending {
    peer: NodeId,
    encoder: Encoder,
    lanes: Lanes,
    ticker: Ticker,
    /// Bytes that the transport has taken, ever.
    written: u64,
    /// Bytes that are in a batch.
    taken: usize,
}

impl Sending {
    pub(super) fn new(config: &Config) -> Sending {
        let Config { local, peer, hidden, priority, intensity, limits, .. } = *config;
        Sending {
            peer,
            encoder: Encoder::new(local, peer, priority),
            lanes: Lanes::new(limits.partial_bytes_max()),
            ticker: Ticker::new(intensity, hidden),
            written: 0,
            taken: 0,
        }
    }

    /// The node at the other end.
    pub(crate) fn peer(&self) -> NodeId {
        self.peer
    }

    /// How many bytes wait to be written, about: the heads of frames that wait for large
    /// messages are not written yet.
    pub(crate) fn output_bytes(&self) -> usize {
        self.small_output_bytes() + self.lanes.bytes()
    }

    /// The same without large messages and what waits behind them: all else goes ahead of these.
    pub(crate) fn small_output_bytes(&self) -> usize {
        self.taken + self.encoder.output_bytes()
    }

    /// Whether a large message of this sender waits: what he sends now waits behind it.
    pub(crate) fn has_large(&self, sender: Sender) -> bool {
        self.lanes.has(sender)
    }

    /// Sends it, in order with all that this sender has sent. A signal has a target.
    ///
    /// # Errors
    /// When it can't be sent; the output is as it was, and the connection goes on.
    pub(crate) fn send(
        &mut self,
        sender: Sender,
        target: Option<Target>,
        parcel: Parcel,
    ) -> Result<(), Refused> {
        let waits = parcel.is_large() || self.lanes.has(sender);
        let checked = if waits {
            self.encoder.check(sender, target.as_ref(), &parcel)
        } else {
            self.encoder.frame(sender, target.as_ref(), &parcel, None)
        };
        if let Err(why) = checked {
            return Err(Box::new((why, parcel)));
        }
        if waits {
            self.lanes.push(sender, Waiting { sender, target, parcel });
        }
        Ok(())
    }

    /// Sends a message to a process of the peer; false, and nothing is done, if it does not go
    /// out at once.
    ///
    /// # Errors
    /// When it can't be sent; the output is as it was, and the connection goes on.
    pub(crate) fn send_message(
        &mut self,
        sender: Sender,
        to: LocalId,
        message: &Envelope,
        payload: &Payload,
    ) -> Result<bool, SendError> {
        if payload.is_large() || self.lanes.has(sender) {
            return Ok(false);
        }
        self.encoder.message(sender, to, message, payload)?;
        Ok(true)
    }

    /// Tells the peer that a value that it sent did not decode, and how many more there were.
    ///
    /// # Errors
    /// If a text is too long; the output is unchanged.
    pub(crate) fn send_undecodable(
        &mut self,
        lost: &Undecodable,
        more: u64,
    ) -> Result<(), SendError> {
        self.encoder.undecodable(lost, more)
    }

    /// One check, every T/I, with the bytes that have been received so far. A tick that is due
    /// is put into the output.
    pub(crate) fn handle_tick(&mut self, received: u64) -> Verdict {
        let (written, waiting) = (self.written, self.output_bytes());
        let verdict = self.ticker.check(Traffic { received, written, waiting });
        if verdict == Verdict::SendTick {
            self.encoder.tick();
        }
        verdict
    }

    /// Puts a tick into the output if nothing waits there.
    pub(crate) fn queue_tick(&mut self) {
        if self.output_bytes() == 0 {
            self.encoder.tick();
        }
    }

    /// Moves the bytes to write next into a batch: all small frames, and a few pieces. `failed` is
    /// called for each error of a signal that could not be sent.
    pub(crate) fn take_output(&mut self, batch: &mut Batch, failed: &mut dyn FnMut(SendError)) {
        let before = self.encoder.output_bytes();
        while !self.lanes.is_empty()
            && self.encoder.output_bytes() - before < BATCH_PIECES * PIECE_BYTES_MAX
        {
            let Some(next) = self.lanes.next() else { break };
            self.put(next, failed);
        }
        self.taken += self.encoder.output_bytes();
        self.encoder.take_output(batch);
    }

    /// The transport has taken so many bytes of the batch.
    pub(crate) fn handle_written(&mut self, count: usize) {
        self.taken -= count;
        self.written += count as u64;
    }

    fn put(&mut self, next: Next, failed: &mut dyn FnMut(SendError)) {
        let (large, waiting) = match next {
            Next::Piece { sequence, parts } => {
                return self.encoder.piece(sequence, &Body::Parts(parts));
            }
            Next::Head { sequence, waiting } => (Some(sequence), waiting),
            Next::Whole(waiting) => (None, waiting),
        };
        let Waiting { sender, target, parcel } = waiting;
        if let Err(error) = self.encoder.frame(sender, target.as_ref(), &parcel, large) {
            // It was tried before it came to wait, and depends on nothing that changes.
            failed(error);
            if large.is_some() {
                self.lanes.give_up();
            }
        }
    }
}
