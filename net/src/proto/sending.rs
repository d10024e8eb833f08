//! The sending half of an established connection: signals in, bytes to write out.
//!
//! This half does not connect, reports no loss, reads no clock and suspends no process: the driver
//! looks at [`Sending::output_bytes`] and decides. The signals of one sender are sent in order.
//! Large messages are sent in pieces, with those of other senders in between. A signal that can't
//! be sent changes nothing.
//!
//! Prior art: quinn-proto's `connection/mod.rs` for the form, `dist.c` for the content.

use fika_runtime::{Envelope, LocalId, NodeId, Target, Undecodable};

use super::connection::Config;
use super::control::{Encoder, SendError};
use super::lanes::{Lanes, Next, Sender, Waiting};
use super::limits::{BATCH_PIECES, PIECE_BYTES_MAX};
use super::output::Batch;
use super::parcel::{Body, Parcel, Payload};
use super::tick::{Ticker, Traffic, Verdict};

/// The parcel that was not sent, and why.
pub(crate) type Refused = Box<(SendError, Parcel)>;

/// The sending half; see the head of the file.
///
/// - **Getters**: [`peer`](Self::peer), [`output_bytes`](Self::output_bytes).
/// - **Inputs**: [`handle_tick`](Self::handle_tick) every T/I, and
///   [`handle_written`](Self::handle_written) when the transport has accepted bytes.
/// - **Commands**: [`send`](Self::send), [`send_message`](Self::send_message),
///   [`send_undecodable`](Self::send_undecodable).
/// - **Outputs**: [`take_output`](Self::take_output), whenever the batch is empty.
pub(crate) struct Sending {
    peer: NodeId,
    encoder: Encoder,
    lanes: Lanes,
    ticker: Ticker,
    /// The total number of bytes that the transport has accepted.
    written: u64,
    /// The number of bytes in a batch.
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

    /// Returns the node at the other end.
    pub(crate) fn peer(&self) -> NodeId {
        self.peer
    }

    /// Returns roughly the number of bytes that wait to be written. The heads of frames that wait
    /// behind large messages are not written yet, so they are not included.
    pub(crate) fn output_bytes(&self) -> usize {
        self.small_output_bytes() + self.lanes.bytes()
    }

    /// Returns the number of waiting bytes without large messages and the frames behind them. All
    /// other output goes ahead of these.
    pub(crate) fn small_output_bytes(&self) -> usize {
        self.taken + self.encoder.output_bytes()
    }

    /// Returns whether a large message of this sender waits, so that the sender's next signal waits
    /// behind it.
    pub(crate) fn has_large(&self, sender: Sender) -> bool {
        self.lanes.has(sender)
    }

    /// Sends a parcel, in order with everything that this sender has sent. A signal has a target.
    ///
    /// # Errors
    /// If it can't be sent. The output is unchanged, and the connection continues.
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

    /// Sends a message to a process of the peer. Returns false, without doing anything, if the
    /// message has to wait.
    ///
    /// # Errors
    /// If it can't be sent. The output is unchanged, and the connection continues.
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

    /// Tells the peer that a value from it could not be decoded, and how many more there were.
    ///
    /// # Errors
    /// If a text is too long. The output is unchanged.
    pub(crate) fn send_undecodable(
        &mut self,
        lost: &Undecodable,
        more: u64,
    ) -> Result<(), SendError> {
        self.encoder.undecodable(lost, more)
    }

    /// Performs a check, every T/I, with the total number of bytes received. Puts a tick into the
    /// output if one is due.
    pub(crate) fn handle_tick(&mut self, received: u64) -> Verdict {
        let (written, waiting) = (self.written, self.output_bytes());
        let verdict = self.ticker.check(Traffic { received, written, waiting });
        if verdict == Verdict::SendTick {
            self.encoder.tick();
        }
        verdict
    }

    /// Puts a tick into the output if the output is empty.
    pub(crate) fn queue_tick(&mut self) {
        if self.output_bytes() == 0 {
            self.encoder.tick();
        }
    }

    /// Moves the bytes to write next into a batch: all small frames, and a few pieces. Calls
    /// `failed` with the error of each signal that could not be sent.
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

    /// Records that the transport has accepted `count` bytes of the batch.
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
            // It was tried before it began to wait, and depends on nothing that changes.
            failed(error);
            if large.is_some() {
                self.lanes.give_up();
            }
        }
    }
}
