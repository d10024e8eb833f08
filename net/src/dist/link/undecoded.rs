//! Values that did not decode at either end of a connection: they are counted, and reported to the
//! node that sent them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use fika_runtime::{LogRate, Time, Undecodable, printable, report};
use parking_lot::Mutex;

use super::channel::{Channel, Phase};
use crate::dist::state::Net;
use crate::proto::connection::NotTaken;

/// The counts of a connection.
#[derive(Default)]
pub(crate) struct Undecoded {
    here: AtomicU64,
    there: AtomicU64,
    /// Limits how often the peer is told, since it may send any number of such values.
    told: LogRate,
    untold: Mutex<Untold>,
}

/// The values of which the peer has not been told yet.
#[derive(Default)]
struct Untold {
    count: u64,
    last: Option<Undecodable>,
}

impl Undecoded {
    /// Returns how many values did not decode here, and at the peer.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.here.load(Relaxed), self.there.load(Relaxed))
    }
}

impl Channel {
    /// Counts a value of the peer that did not decode, and tells the peer, at a limited rate. The
    /// count of values that were left out goes with a later one, or at the next check of the ticks.
    pub(crate) fn tell_undecodable(&self, lost: &Undecodable, now: Time) {
        let Undecoded { here, told, untold, .. } = &self.undecodable;
        here.fetch_add(1, Relaxed);
        let mut untold = untold.lock();
        untold.count += 1;
        untold.last = Some(lost.clone());
        drop(untold);
        told.line(now, |_| self.tell_untold());
    }

    /// Tells the peer of values that did not decode, unless the connection is congested.
    pub(crate) fn tell_untold(&self) {
        let mut untold = self.undecodable.untold.lock();
        if untold.count == 0 {
            return;
        }
        let mut state = self.state.lock();
        let has_room = state.congestion.has_room(state.output_bytes());
        let Phase::Up(up) = &mut state.phase else { return };
        let Some(lost) = untold.last.take_if(|_| has_room) else { return };
        let more = std::mem::take(&mut untold.count) - 1;
        drop(untold);
        let sent = up.sending.send_undecodable(&lost, more);
        let bytes = state.output_bytes();
        drop(state);
        match sent {
            Ok(()) => self.has_output(bytes),
            // The texts are cut to their limits before, so this should not happen.
            Err(error) => report!(error, node = %self.peer, %error, "a report was not sent"),
        }
    }

    /// Counts and reports a value of this node that the peer could not decode.
    pub(crate) fn not_taken(&self, net: &Net, told: &NotTaken) {
        let NotTaken { lost, more } = told;
        let there = &self.undecodable.there;
        let _ = there.fetch_update(Relaxed, Relaxed, |count| {
            Some(count.saturating_add(1).saturating_add(*more))
        });
        let Undecodable { part, sender, receiver, tag, why } = lost;
        let (tag, error) = (printable(tag), printable(why));
        let sender = sender.map(tracing::field::display);
        let pid = receiver.map(tracing::field::display);
        net.logs.not_taken.line(net.env.now(), |left_out| {
            report!(
                error, node = %self.peer, pid, sender, %tag, %error, more = *more, left_out,
                "{part} does not decode on the node that it was sent to"
            );
        });
    }
}
