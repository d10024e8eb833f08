//! How a channel writes: one thread at a time, and no thread waits for it.
//!
//! A sender's output is written at the end of its turn, or at once if there is much. If another
//! thread is writing, that thread writes the new output, too. So the lock of the channel's state is
//! never held during a system call, and a sender never waits for the system call of another one. A
//! connection with a lot to write goes on in a process of its own (`rest`).

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use fika_runtime::{Pid, Round, Turn, contained};

use super::channel::Channel;
use super::congestion::OutputBytes;
use super::phase::{Phase, State};
use super::rest::Job;
use super::unsent::Unsent;
use super::writer::{Writer, Written};
use crate::proto::limits::{BATCH_PIECES, PIECE_BYTES_MAX};

/// This much output goes out at once, and not only at the end of the turn: it still is in the
/// processor's cache.
const EAGER_BYTES: usize = 128 << 10;

/// This much output of large messages goes out at once. These are not in the cache, so the fewer
/// system calls the better.
const EAGER_LARGE_BYTES: usize = BATCH_PIECES * PIECE_BYTES_MAX;

/// After so many batches in a row, others have their turn.
const BATCHES_IN_A_ROW: usize = 4;

impl Channel {
    /// Returns whether [`has_output`](Self::has_output) has anything to do.
    pub(crate) fn is_to_know(&self, bytes: OutputBytes) -> bool {
        self.is_eager(bytes) || !self.noted.load(Ordering::Relaxed)
    }

    fn is_eager(&self, OutputBytes { small, all }: OutputBytes) -> bool {
        (small >= EAGER_BYTES || all >= EAGER_LARGE_BYTES) && !self.writing.is_blocked()
    }

    /// Called when the output has grown to so many bytes: it goes out at the end of the turn at the
    /// latest.
    pub(crate) fn has_output(&self, bytes: OutputBytes) {
        if self.is_eager(bytes) {
            return self.write();
        }
        if !self.noted.load(Ordering::Relaxed)
            && !self.noted.swap(true, Ordering::AcqRel)
            && let (Some(owner), Some(this)) = (self.owner(), self.this())
        {
            owner.note_output(this);
        }
    }

    /// Writes at the end of a turn.
    pub(crate) fn flush(&self) {
        self.noted.store(false, Ordering::Release);
        let turn = self.writing.push(|writer| self.write_some(writer));
        self.rests(turn, Job::Write);
    }

    /// Writes what has waited for the transport to have room, as it may have now.
    pub(crate) fn has_room(&self) {
        let turn = self.writing.has_room(|writer| self.write_some(writer));
        self.rests(turn, Job::Write);
    }

    /// Writes what there is room for. If another thread is writing, that thread does it.
    pub(crate) fn write(&self) {
        let turn = self.writing.work(|writer| self.write_some(writer));
        self.rests(turn, Job::Write);
    }

    /// Writes what there is room for, since the channel is about to end. This waits for a thread
    /// that is writing.
    pub(crate) fn write_last(&self) {
        let _ = self.writing.change(|writer| self.write_some(writer));
    }

    /// Goes on with a turn that was kept.
    pub(super) fn go_on_writing(&self) -> Turn {
        self.writing.go_on(|writer| self.write_some(writer))
    }

    fn write_some(&self, writer: &mut Writer) -> Round {
        let (mut held_up, mut unsent) = (BTreeSet::new(), Unsent::default());
        let round = contained(|| self.write_batches(writer, &mut held_up, &mut unsent));
        self.go_on(held_up);
        self.report(unsent);
        round.unwrap_or_else(|| {
            self.write_panicked(writer);
            Round::Done
        })
    }

    /// Ends the channel after a write that panicked, by a read: a thread that reads already, which
    /// may be this one, would otherwise be waited for.
    #[cold]
    fn write_panicked(&self, writer: &mut Writer) {
        // Part of the batch may have been written.
        contained(|| *writer = Writer::default());
        self.panicked.store(true, Ordering::Release);
        // A thread that already ends the channel may be this one, too.
        if !self.is_ending.load(Ordering::Acquire)
            && let Some(this) = self.this()
        {
            this.read(false);
        }
    }

    /// Writes until nothing is left, there is no room, or others should have their turn. Adds the
    /// processes that may send again to `held_up`, and what could not be sent to `unsent`.
    fn write_batches(
        &self,
        writer: &mut Writer,
        held_up: &mut BTreeSet<Pid>,
        unsent: &mut Unsent,
    ) -> Round {
        let (mut written, mut batches) = (0, 0);
        while writer.has_stream() {
            let mut state = self.state.lock();
            let State { phase, congestion, .. } = &mut *state;
            let up = match phase {
                Phase::Up(up) => up,
                Phase::Pending(_) => break,
                Phase::Down => {
                    drop(state);
                    *writer = Writer::default();
                    break;
                }
            };
            up.sending.handle_written(written);
            held_up.append(&mut congestion.written(up.output_bytes()));
            if writer.batch.is_empty() {
                batches += 1;
                up.send_deferred(&self.shared().limits, congestion, unsent);
                up.sending.take_output(&mut writer.batch, &mut |error| {
                    unsent.add("something that waited could not be sent", error);
                });
            }
            drop(state);
            if writer.batch.is_empty() {
                break;
            }
            if batches > BATCHES_IN_A_ROW {
                return Round::More;
            }
            written = match writer.write() {
                Written::Bytes(written) => written,
                Written::NoRoom => return Round::Blocked,
                Written::Broken => {
                    // The network reports the end of a broken connection. If it does not, the next
                    // check of the ticks finds out.
                    self.broken.store(true, Ordering::Relaxed);
                    return Round::Blocked;
                }
            };
        }
        Round::Done
    }
}
