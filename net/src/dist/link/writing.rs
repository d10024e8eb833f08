//! How a channel writes: one thread at a time, and nobody waits for it.
//!
//! A sender's output is written at the end of its turn, or at once if there is much. If another
//! thread is writing, that thread goes on with it. So the lock of the channel's state is never held
//! during a system call, and a sender never waits for the system call of another one.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fika_runtime::{Pid, Round};

use super::channel::{Channel, Phase, State};
use super::congestion::OutputBytes;
use crate::dist::control::More;
use crate::dist::state::Unsent;
use crate::io::Stream;
use crate::proto::limits::{BATCH_PIECES, PIECE_BYTES_MAX};
use crate::proto::output::Batch;

/// So much output goes out at once, and not only at the end of the turn: it still is in the
/// processor's cache.
const EAGER_BYTES: usize = 128 << 10;

/// The same of large messages, which are not there: the fewer system calls the better.
const EAGER_LARGE_BYTES: usize = BATCH_PIECES * PIECE_BYTES_MAX;

/// After so many batches in a row others have their turn; the rest is written in the next one.
const BATCHES_IN_A_ROW: usize = 4;

/// Segments in one system call.
const SLICES: usize = 32;

/// What is being written.
#[derive(Default)]
pub(crate) struct Writing {
    batch: Batch,
    stream: Option<Arc<Stream>>,
}

impl Writing {
    pub(crate) fn new(stream: Arc<Stream>) -> Writing {
        Writing { batch: Batch::default(), stream: Some(stream) }
    }
}

impl Channel {
    /// Whether [`has_output`](Self::has_output) has anything to do.
    pub(crate) fn is_to_know(&self, bytes: OutputBytes) -> bool {
        self.is_eager(bytes) || !self.noted.load(Ordering::Relaxed)
    }

    fn is_eager(&self, OutputBytes { small, all }: OutputBytes) -> bool {
        (small >= EAGER_BYTES || all >= EAGER_LARGE_BYTES) && !self.writing.is_blocked()
    }

    /// There is output, of so many bytes: it goes out at the end of the turn at the latest.
    pub(crate) fn has_output(&self, bytes: OutputBytes) {
        if self.is_eager(bytes) {
            return self.write();
        }
        if !self.noted.load(Ordering::Relaxed)
            && !self.noted.swap(true, Ordering::AcqRel)
            && let (Some(net), Some(this)) = (self.net.upgrade(), self.this.upgrade())
        {
            net.note_output(&this);
        }
    }

    /// The turn is over.
    pub(crate) fn flush(&self) {
        self.noted.store(false, Ordering::Release);
        self.writing.push(|writing| self.write_some(writing));
    }

    /// The transport may have room again: what has waited for that goes on.
    pub(crate) fn has_room(&self) {
        self.writing.has_room(|writing| self.write_some(writing));
    }

    /// Writes what there is room for, unless another thread does. That one looks again.
    pub(crate) fn write(&self) {
        self.writing.work(|writing| self.write_some(writing));
    }

    fn write_some(&self, writing: &mut Writing) -> Round {
        let (mut held_up, mut unsent) = (BTreeSet::new(), Unsent::default());
        let round = self.write_all(writing, &mut held_up, &mut unsent);
        self.go_on(held_up);
        unsent.report(self);
        round
    }

    /// Writes until nothing is left, or there is no room. Those who have waited for what goes out
    /// are added to `held_up`, and what could not be sent to `unsent`.
    fn write_all(
        &self,
        writing: &mut Writing,
        held_up: &mut BTreeSet<Pid>,
        unsent: &mut Unsent,
    ) -> Round {
        let (mut written, mut batches) = (0, 0);
        while let Some(stream) = &writing.stream {
            let mut state = self.state.lock();
            let State { phase, congestion, .. } = &mut *state;
            let up = match phase {
                Phase::Up(up) => up,
                Phase::Pending(_) => break,
                Phase::Down => {
                    drop(state);
                    *writing = Writing::default();
                    break;
                }
            };
            up.sending.handle_written(written);
            held_up.append(&mut congestion.written(up.output_bytes()));
            if writing.batch.is_empty() {
                batches += 1;
                up.send_deferred(self.limits(), congestion, unsent);
                up.sending.take_output(&mut writing.batch, &mut |error| {
                    unsent.add("something that waited could not be sent", error);
                });
            }
            drop(state);
            if writing.batch.is_empty() {
                break;
            }
            if batches > BATCHES_IN_A_ROW {
                self.write_later();
                break;
            }
            written = match write_once(stream, &writing.batch) {
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(error) => {
                    // When there is room the network says so; when it is broken, as well, and if
                    // it should not, the next check of the ticks finds it out.
                    if error.kind() != io::ErrorKind::WouldBlock {
                        self.broken.store(true, Ordering::Relaxed);
                    }
                    return Round::Blocked;
                }
            };
            writing.batch.advance(written);
        }
        Round::Done
    }

    fn write_later(&self) {
        if let (Some(net), Some(this)) = (self.net.upgrade(), self.this.upgrade()) {
            net.more(More::Write(this));
        }
    }
}

fn write_once(stream: &Stream, batch: &Batch) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    match batch.slices(&mut slices) {
        [one] => stream.try_write(one),
        more => stream.try_write_vectored(more),
    }
}
