//! How a channel writes: one thread at a time, and nobody waits for it.
//!
//! Whoever has put something into the output has it written at the end of his turn, or at once
//! when it is much. If another thread is writing, that one goes on with it. So the lock of the
//! channel's state is never held during a system call, and a sender is never held up by one of
//! another.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use fika_runtime::Pid;

use super::channel::{Channel, Phase, State};
use crate::io::Stream;
use crate::proto::output::Batch;

/// So much output goes out at once, and not only at the end of the turn: it still is in the
/// processor's cache.
const EAGER_BYTES: usize = 128 << 10;

/// Segments in one system call.
const SLICES: usize = 32;

/// What is being written.
#[derive(Default)]
pub(super) struct Writing {
    batch: Batch,
    stream: Option<Arc<Stream>>,
}

/// What threads tell each other about the output of a channel.
#[derive(Default)]
pub(super) struct Pace {
    /// It is in the node's list of channels with output that nobody has begun to write.
    noted: AtomicBool,
    /// Something has happened after which whoever writes is to look again.
    again: AtomicBool,
    /// The transport has no room, and will say when it has.
    blocked: AtomicBool,
}

impl Pace {
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }
}

impl Writing {
    pub(super) fn new(stream: Arc<Stream>) -> Writing {
        Writing { batch: Batch::default(), stream: Some(stream) }
    }
}

impl Channel {
    /// There is output, of so many bytes: it goes out at the end of the turn at the latest.
    pub(super) fn has_output(&self, bytes: usize) {
        if bytes >= EAGER_BYTES && !self.pace.is_blocked() {
            return self.write();
        }
        if !self.pace.noted.load(Ordering::Relaxed)
            && !self.pace.noted.swap(true, Ordering::AcqRel)
            && let (Some(net), Some(this)) = (self.net.upgrade(), self.this.upgrade())
        {
            net.note_output(&this);
        }
    }

    /// The turn is over.
    pub(super) fn flush(&self) {
        self.pace.noted.store(false, Ordering::Release);
        // Who finds it blocked has put his output there before the transport says that there is
        // room, and so before that is looked for.
        if !self.pace.is_blocked() {
            self.write();
        }
    }

    /// The transport may have room again: what has waited for that goes on.
    ///
    /// One packet that came usually says so as well, and then nothing has waited: what others
    /// have gathered is left to the ends of their turns.
    pub(super) fn has_room(&self) {
        if let Some(writing) = self.writing.try_lock() {
            // Only who has the lock changes it.
            let blocked = self.pace.is_blocked();
            drop(writing);
            // Somebody may have found the lock taken meanwhile, and left it to this thread.
            fence(Ordering::SeqCst);
            if !blocked && !self.pace.again.load(Ordering::Relaxed) {
                return;
            }
        }
        self.write();
    }

    /// Writes what there is room for, unless another thread does. That one looks again.
    pub(super) fn write(&self) {
        self.pace.again.store(true, Ordering::Relaxed);
        // Either this thread finds the lock free, or the other one, which looks after it has
        // freed it, finds the mark.
        fence(Ordering::SeqCst);
        while let Some(mut writing) = self.writing.try_lock() {
            self.pace.again.store(false, Ordering::Relaxed);
            self.pace.blocked.store(false, Ordering::Relaxed);
            let held_up = self.write_some(&mut writing);
            drop(writing);
            self.go_on(held_up);
            fence(Ordering::SeqCst);
            if !self.pace.again.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Who goes on, since there is room again, is returned.
    fn write_some(&self, writing: &mut Writing) -> BTreeSet<Pid> {
        let mut held_up = BTreeSet::new();
        let mut written = 0;
        while let Some(stream) = &writing.stream {
            let mut state = self.state.lock();
            let State { phase, congestion, .. } = &mut *state;
            let Phase::Up(up) = phase else {
                drop(state);
                *writing = Writing::default();
                break;
            };
            up.sending.handle_written(written);
            held_up.append(&mut congestion.written(up.sending.output_bytes()));
            if writing.batch.is_empty() {
                up.send_deferred(self.limits(), congestion);
                up.sending.take_output(&mut writing.batch);
            }
            drop(state);
            if writing.batch.is_empty() {
                break;
            }
            written = match write_once(stream, &writing.batch) {
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                // When there is room the network says so; when it is broken, as well.
                Err(_) => {
                    self.pace.blocked.store(true, Ordering::Relaxed);
                    break;
                }
            };
            writing.batch.advance(written);
        }
        held_up
    }
}

fn write_once(stream: &Stream, batch: &Batch) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    match batch.slices(&mut slices) {
        [one] => stream.try_write(one),
        more => stream.try_write_vectored(more),
    }
}
