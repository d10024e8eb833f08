//! The arithmetic of ticks: when to send one, and when to give up the peer.
//!
//! The ticktime T is divided into I checks (the intensity). This file counts checks and bytes and
//! measures no time. The caller calls it every T/I.
//!
//! A peer is given up at the I-th check in a row that finds nothing received. Its last bytes came
//! between two checks, so it has been silent for more than T - T/I and less than T + T/I. A node
//! sends a tick whenever it has sent nothing for one interval, so a live peer would have been heard
//! several times.
//!
//! Semantics TICK-1 to TICK-4. Prior art: `dist_util:send_tick`.

/// The result of a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Verdict {
    /// There is nothing to do.
    Quiet,
    /// A tick has been put into the output.
    SendTick,
    /// The peer has been silent for the whole ticktime.
    Dead,
}

/// The traffic of a connection so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Traffic {
    /// The total number of bytes received.
    pub(super) received: u64,
    /// The total number of bytes that the transport has accepted.
    pub(super) written: u64,
    /// The number of bytes that wait to be written.
    pub(super) waiting: usize,
}

/// A tick on the wire: a frame of length 0.
pub(super) const TICK: [u8; 4] = [0; 4];

/// The state of one connection's checks.
#[derive(Debug)]
pub(super) struct Ticker {
    /// The number of silent checks in a row that end the connection.
    intensity: u32,
    /// A hidden peer may rely on our ticks alone (TICK-2).
    hidden: bool,
    /// The bytes received up to the last check.
    received: u64,
    /// The bytes written up to the last check, including the tick that it queued: a tick does not
    /// make the next one unnecessary.
    written: u64,
    /// The number of checks in a row that found nothing received.
    silent: u32,
}

impl Ticker {
    pub(super) fn new(intensity: u32, hidden: bool) -> Ticker {
        Ticker { intensity, hidden, received: 0, written: 0, silent: 0 }
    }

    /// Performs a check. After [`Verdict::SendTick`] the caller puts [`TICK`] into its output.
    pub(super) fn check(&mut self, traffic: Traffic) -> Verdict {
        let heard = traffic.received != self.received;
        self.received = traffic.received;
        self.silent = if heard { 0 } else { self.silent + 1 };
        if self.silent >= self.intensity {
            return Verdict::Dead;
        }
        let wrote = traffic.written > self.written;
        self.written = self.written.max(traffic.written);
        if traffic.waiting > 0 || (wrote && (heard || !self.hidden)) {
            return Verdict::Quiet;
        }
        self.written += TICK.len() as u64;
        Verdict::SendTick
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(received: u64, written: u64, waiting: usize) -> Traffic {
        Traffic { received, written, waiting }
    }

    /// TICK-2: a check sends a tick if nothing was written since the previous check and nothing
    /// waits.
    #[test]
    fn ticks_are_sent_when_nothing_else_is() {
        let mut ticker = Ticker::new(4, false);
        let checks = [
            (traffic(1, 0, 0), Verdict::SendTick),
            (traffic(2, 4, 0), Verdict::SendTick), // a tick is not traffic
            (traffic(3, 108, 0), Verdict::Quiet),  // other bytes were written
            (traffic(4, 108, 50), Verdict::Quiet), // bytes wait
            (traffic(5, 108, 50), Verdict::Quiet), // and are stuck
            (traffic(6, 158, 0), Verdict::Quiet),  // they were written
            (traffic(7, 158, 0), Verdict::SendTick),
            (traffic(8, 158, 4), Verdict::Quiet), // the tick is stuck
            (traffic(9, 162, 0), Verdict::SendTick), // and was written late
        ];
        for (number, (traffic, verdict)) in checks.into_iter().enumerate() {
            assert_eq!(ticker.check(traffic), verdict, "check {number}");
        }
    }

    /// TICK-2: on a hidden connection, silence also requires ticks.
    #[test]
    fn hidden_connections_tick_when_the_peer_is_silent() {
        for (hidden, verdict) in [(true, Verdict::SendTick), (false, Verdict::Quiet)] {
            let mut ticker = Ticker::new(4, hidden);
            assert_eq!(ticker.check(traffic(9, 9, 0)), Verdict::Quiet);
            assert_eq!(ticker.check(traffic(9, 18, 0)), verdict);
            assert_eq!(ticker.check(traffic(9, 99, 9)), Verdict::Quiet, "something waits");
        }
    }

    /// TICK-3, TICK-4: only received bytes count as a sign of life.
    #[test]
    fn a_silent_peer_is_given_up() {
        for intensity in [4, 7, 1000] {
            let mut ticker = Ticker::new(intensity, false);
            for round in 1..3 {
                for check in 0..intensity {
                    let verdict = ticker.check(traffic(round, u64::from(check) * 100, 0));
                    assert_ne!(verdict, Verdict::Dead, "{intensity} {round} {check}");
                }
            }
            assert_eq!(ticker.check(traffic(2, 1 << 40, 0)), Verdict::Dead);
        }
    }

    /// A peer that has sent nothing since the handshake is given up after I checks.
    #[test]
    fn a_peer_that_never_sends_is_given_up() {
        let mut ticker = Ticker::new(4, false);
        for _ in 0..3 {
            assert_ne!(ticker.check(traffic(0, 0, 0)), Verdict::Dead);
        }
        assert_eq!(ticker.check(traffic(0, 12, 0)), Verdict::Dead);
    }
}
