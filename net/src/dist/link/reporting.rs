//! Reports values that could not be decoded to the other end of a connection.

use fika_runtime::{Time, Undecodable, printable, report};

use super::channel::Channel;
use super::phase::Phase;
use crate::proto::connection::NotTaken;

impl Channel {
    /// Counts a value of the peer that could not be decoded, and reports it to the peer at a
    /// limited rate. The number of values that were left out is part of a later report, or is sent
    /// at the next check of the ticks.
    pub(crate) fn tell_undecodable(&self, lost: &Undecodable, now: Time) {
        self.undecoded.count_here(lost);
        self.undecoded.told.line(now, |_| self.tell_untold());
    }

    /// Reports values that could not be decoded to the peer, unless the connection is congested.
    pub(crate) fn tell_untold(&self) {
        let mut untold = self.undecoded.untold.lock();
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
            // The texts have been cut to their limits, so this should not happen.
            Err(error) => report!(error, node = %self.peer(), %error, "a report was not sent"),
        }
    }

    /// Counts and reports a value of this node that the peer could not decode.
    pub(super) fn not_taken(&self, told: &NotTaken) {
        let NotTaken { lost, more } = told;
        self.undecoded.count_there(*more);
        let Undecodable { part, sender, receiver, tag, why } = lost;
        let (tag, error) = (printable(tag), printable(why));
        let sender = sender.map(tracing::field::display);
        let pid = receiver.map(tracing::field::display);
        let shared = self.shared();
        shared.logs.not_taken.line(shared.env.now(), |left_out| {
            report!(
                error, node = %self.peer(), pid, sender, %tag, %error, more = *more, left_out,
                "the peer could not decode {part}"
            );
        });
    }
}
