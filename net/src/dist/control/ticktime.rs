//! The interval at which connections are checked, and how it changes while the node runs (TICK-8).
//!
//! Peers that do not know of the change yet must not give this node up. So the node sends extra
//! ticks during a transition, at the faster of the two rates. When the time gets longer, the slower
//! checks start immediately. When it gets shorter, the faster checks start at the end of the
//! transition. Nothing here keeps time: net_kernel starts the timers.
//!
//! Prior art: `net_kernel:set_net_ticktime/2`.

use std::time::Duration;

/// The ticktime of a node.
///
/// ```
/// # use std::time::Duration;
/// use fika_net::NetTicktime;
///
/// fn ticktime(setting: NetTicktime) -> Duration {
///     match setting {
///         NetTicktime::Is(time) | NetTicktime::OngoingChangeTo(time) => time,
///     }
/// }
/// # assert_eq!(ticktime(NetTicktime::Is(Duration::ZERO)), Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NetTicktime {
    /// The ticktime. No change is in progress.
    Is(Duration),
    /// A change to this ticktime is in progress.
    OngoingChangeTo(Duration),
}

/// The result of setting the ticktime.
///
/// ```
/// # use std::time::Duration;
/// # use fika_net::{SetTicktime, SettingError, set_net_ticktime};
/// # async fn example() -> Result<(), SettingError> {
/// let (time, transition) = (Duration::from_secs(20), Duration::from_secs(60));
/// if let SetTicktime::OngoingChangeTo(other) = set_net_ticktime(time, transition).await? {
///     println!("an earlier change, to {other:?}, has not ended");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetTicktime {
    /// The ticktime had this value already.
    Unchanged,
    /// The transition to the new ticktime has begun.
    ChangeInitiated,
    /// Another change, to this ticktime, is in progress. Nothing was changed.
    OngoingChangeTo(Duration),
}

/// The ticktime, and the change that is in progress.
#[derive(Clone, Copy)]
pub(crate) struct Ticktime {
    time: Duration,
    intensity: u32,
    change: Option<Change>,
}

#[derive(Clone, Copy)]
struct Change {
    to: Duration,
    /// The interval between extra ticks.
    extra: Duration,
}

impl Ticktime {
    pub(crate) fn new(time: Duration, intensity: u32) -> Ticktime {
        Ticktime { time: rounded(time, intensity), intensity, change: None }
    }

    /// Returns the time between two checks.
    pub(crate) fn interval(&self) -> Duration {
        self.time / self.intensity
    }

    /// Returns the time between two extra ticks while a change is in progress.
    pub(crate) fn extra(&self) -> Option<Duration> {
        self.change.map(|change| change.extra)
    }

    pub(crate) fn get(&self) -> NetTicktime {
        match self.change {
            Some(change) => NetTicktime::OngoingChangeTo(change.to),
            None => NetTicktime::Is(self.time),
        }
    }

    /// Returns the ticktime, or the ticktime that a change leads to, and the intensity.
    pub(crate) fn ticks(&self) -> (Duration, u32) {
        (self.change.map_or(self.time, |change| change.to), self.intensity)
    }

    /// Begins a change. This may change the interval.
    pub(crate) fn set(&mut self, time: Duration) -> SetTicktime {
        if let Some(change) = self.change {
            return SetTicktime::OngoingChangeTo(change.to);
        }
        let to = rounded(time, self.intensity);
        if to == self.time {
            return SetTicktime::Unchanged;
        }
        self.change = Some(Change { to, extra: self.time.min(to) / self.intensity });
        self.time = self.time.max(to);
        SetTicktime::ChangeInitiated
    }

    /// Ends the transition. This may change the interval.
    pub(crate) fn end_transition(&mut self) {
        if let Some(change) = self.change.take() {
            self.time = change.to;
        }
    }
}

/// Returns whether a node may give a peer up that is idle but well. Each has a ticktime and a tick
/// intensity.
pub(crate) fn may_lose((time, intensity): (Duration, u32), peer: (Duration, u32)) -> bool {
    // A peer that has sent something just after one of its checks sends a tick two checks later.
    let silence = peer.0 / peer.1 * 2;
    silence >= time - time / intensity
}

/// Rounds a time up to a multiple of `intensity` milliseconds.
fn rounded(time: Duration, intensity: u32) -> Duration {
    let interval = time.as_nanos().div_ceil(1_000_000 * u128::from(intensity)).max(1);
    Duration::from_millis(u64::try_from(interval).unwrap_or(u64::MAX / 2000)) * intensity
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_longest_time_does_not_overflow() {
        let long = rounded(Duration::MAX, 4);
        assert_eq!(long, Duration::from_millis(u64::MAX / 2000) * 4);
    }

    /// TICK-8, TICK-9: a longer ticktime applies immediately, a shorter one after the transition,
    /// and `get` reports a change in progress.
    #[test]
    fn changes() {
        let mut ticktime = Ticktime::new(ms(60_000), 4);
        assert_eq!((ticktime.interval(), ticktime.extra()), (ms(15_000), None));
        assert_eq!(ticktime.set(ms(60_000)), SetTicktime::Unchanged);
        assert_eq!(ticktime.get(), NetTicktime::Is(ms(60_000)));
        // A longer time applies immediately.
        assert_eq!(ticktime.set(ms(80_000)), SetTicktime::ChangeInitiated);
        assert_eq!((ticktime.interval(), ticktime.extra()), (ms(20_000), Some(ms(15_000))));
        assert_eq!(ticktime.get(), NetTicktime::OngoingChangeTo(ms(80_000)));
        assert_eq!(ticktime.set(ms(8)), SetTicktime::OngoingChangeTo(ms(80_000)));
        ticktime.end_transition();
        assert_eq!((ticktime.interval(), ticktime.extra()), (ms(20_000), None));
        // A shorter time applies at the end of the transition.
        assert_eq!(ticktime.set(ms(40_000)), SetTicktime::ChangeInitiated);
        assert_eq!((ticktime.interval(), ticktime.extra()), (ms(20_000), Some(ms(10_000))));
        ticktime.end_transition();
        assert_eq!((ticktime.interval(), ticktime.extra()), (ms(10_000), None));
        assert_eq!(ticktime.get(), NetTicktime::Is(ms(40_000)));
    }

    #[test]
    fn nodes_that_differ_too_much() {
        let (usual, longer) = ((ms(60_000), 4), (ms(80_000), 4));
        assert!(!may_lose(usual, usual) && !may_lose(usual, longer) && !may_lose(longer, usual));
        assert!(may_lose(usual, (ms(90_000), 4)) && !may_lose((ms(90_000), 4), usual));
        // A peer that ticks more often may have a longer time.
        assert!(!may_lose(usual, (ms(900_000), 1000)));
        let most = (*crate::dist::state::TIMES.end(), 4);
        assert!(may_lose((ms(1), 1000), most) && !may_lose(most, (ms(1), 1000)));
    }

    /// TICK-8: times are rounded up to milliseconds that the intensity divides.
    #[test]
    fn rounding() {
        let cases =
            [(1000, 4, 1000), (1001, 4, 1004), (1, 4, 4), (0, 4, 4), (7, 24, 24), (25, 24, 48)];
        for (time, intensity, expected) in cases {
            assert_eq!(Ticktime::new(ms(time), intensity).get(), NetTicktime::Is(ms(expected)));
        }
        assert_eq!(rounded(Duration::from_micros(4_001), 4), ms(8));
    }
}
