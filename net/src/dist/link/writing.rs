//! How a channel writes: one thread at a time, and no other thread waits for it.
//!
//! A sender's output is written at the end of its turn, or at once if there is much of it. If
//! another thread is already writing, that thread also writes the new output. So the lock of the
//! channel's state is never held during a system call, and a sender never waits for the system call
//! of another thread. A connection with a lot to write continues in its own process (`rest`).

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

/// Output of this size is written at once, not at the end of the turn, since it is still in the
/// processor's cache.
const EAGER_BYTES: usize = 128 << 10;

/// Output of this size is written at once if it includes large messages. Large messages are not in
/// the cache, so this limit is higher, for fewer system calls.
const EAGER_LARGE_BYTES: usize = BATCH_PIECES * PIECE_BYTES_MAX;

/// The maximum number of batches in a row before other connections get a turn.
const BATCHES_IN_A_ROW: usize = 4;

impl Channel {
    /// Returns whether the caller has to call [`has_output`](Self::has_output).
    pub(crate) fn is_to_know(&self, bytes: OutputBytes) -> bool {
        self.is_eager(bytes) || !self.noted.load(Ordering::Relaxed)
    }

    fn is_eager(&self, OutputBytes { small, all }: OutputBytes) -> bool {
        (small >= EAGER_BYTES || all >= EAGER_LARGE_BYTES) && !self.writing.is_blocked()
    }

    /// Called when the output has grown to this many bytes. It is written at the end of the turn at
    /// the latest.
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

    /// Continues a write that has waited for room, since the transport may have room now.
    pub(crate) fn has_room(&self) {
        let turn = self.writing.has_room(|writer| self.write_some(writer));
        self.rests(turn, Job::Write);
    }

    /// Writes as much as there is room for. If another thread is writing, that thread does it.
    pub(crate) fn write(&self) {
        let turn = self.writing.work(|writer| self.write_some(writer));
        self.rests(turn, Job::Write);
    }

    /// Writes as much as there is room for. Called before the channel ends. Waits for a thread that
    /// is writing.
    pub(crate) fn write_last(&self) {
        let _ = self.writing.change(|writer| self.write_some(writer));
    }

    /// Continues a turn that was kept.
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

    /// Writes until no output is left, there is no room, or other connections should get a turn.
    /// Adds the processes that may send again to `held_up`, and the signals that could not be sent
    /// to `unsent`.
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
                    unsent.add("a signal that waited could not be sent", error);
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
