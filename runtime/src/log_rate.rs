//! Limits how often a line is logged that others can cause at will. A peer that keeps sending what
//! is refused can't fill the disk with log lines, nor hide other lines among them.
//!
//! A burst of lines is logged, and then one line per second. Each says how many lines of its kind
//! were left out before it. Only the line is left out: the event itself is handled as always. (The
//! Linux kernel limits its messages in the same way.)

use std::time::Duration;

use crate::env::Time;
use crate::sync::Mutex;

/// The number of lines in a burst: enough to see what is going on.
const AT_ONCE: u32 = 32;

/// After that, one line is logged per this interval.
const EACH: Duration = Duration::from_secs(1);

/// Limits the lines of one kind.
#[derive(Debug)]
pub struct LogRate {
    state: Mutex<State>,
    at_once: u32,
    each: Duration,
}

#[derive(Debug)]
struct State {
    /// The number of lines that may be logged now.
    lines: u32,
    /// The time up to which `lines` is counted.
    at: Time,
    left_out: u64,
}

impl LogRate {
    /// Calls `log` if a line may be logged, with the number of lines that were left out before it,
    /// if any.
    pub fn line(&self, now: Time, log: impl FnOnce(Option<u64>)) {
        // A separate statement, so that the lock is released before the program's subscriber runs.
        let due = self.state.lock().take(now, self.at_once, self.each);
        if let Some(left_out) = due {
            log((left_out > 0).then_some(left_out));
        }
    }

    /// Allows a burst of this many lines, and then one line per `each`.
    pub(crate) fn new(at_once: u32, each: Duration) -> LogRate {
        let state = State { lines: at_once, at: Time::default(), left_out: 0 };
        LogRate { state: Mutex::new(state), at_once, each }
    }

    /// Returns how many lines were left out since the last line, if any, and resets that count.
    pub(crate) fn take_left_out(&self) -> Option<u64> {
        let left_out = std::mem::take(&mut self.state.lock().left_out);
        (left_out > 0).then_some(left_out)
    }
}

impl Default for LogRate {
    fn default() -> LogRate {
        LogRate::new(AT_ONCE, EACH)
    }
}

impl State {
    /// Returns how many lines were left out, if a line may be logged.
    fn take(&mut self, now: Time, at_once: u32, each: Duration) -> Option<u64> {
        let due = now.since(self.at).as_nanos() / each.as_nanos();
        let due = u32::try_from(due).unwrap_or(u32::MAX);
        if due >= at_once - self.lines {
            (self.lines, self.at) = (at_once, now);
        } else {
            self.lines += due;
            self.at = self.at + each * due;
        }
        if self.lines == 0 {
            self.left_out += 1;
            return None;
        }
        self.lines -= 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// Logs `lines` lines. Returns how many were logged, and how many they report as left out.
    fn logged(rate: &LogRate, lines: u64, millis: u64) -> (u64, u64) {
        let (mut logged, mut told) = (0, 0);
        for _ in 0..lines {
            rate.line(Time::new(Duration::from_millis(millis)), |left_out| {
                logged += 1;
                assert_ne!(left_out, Some(0));
                told += left_out.unwrap_or(0);
            });
        }
        (logged, told)
    }

    /// At the limit, and with time.
    #[test]
    fn a_burst_is_allowed_and_then_one_line_a_second() {
        let rate = LogRate::default();
        assert_eq!(logged(&rate, 32, 0), (32, 0));
        assert_eq!(logged(&rate, 1, 0), (0, 0));
        assert_eq!(logged(&rate, 100, 999), (0, 0));
        assert_eq!(logged(&rate, 100, 1000), (1, 101));
        assert_eq!(logged(&rate, 100, 3500), (2, 99));
        assert_eq!(logged(&rate, 2, 4000), (1, 98), "the half second still counts");
        assert_eq!(logged(&rate, 100, 31_000), (27, 1));
        assert_eq!(logged(&rate, 100, 1_000_000), (32, 73), "at most 32 at once");
        assert_eq!(logged(&rate, 1, 900_000), (0, 0), "a clock that goes back allows no line");
    }

    /// Time that brings more lines than were used counts no further than to the limit.
    #[test]
    fn unused_lines_do_not_raise_the_limit() {
        let rate = LogRate::default();
        assert_eq!(logged(&rate, 12, 0), (12, 0));
        assert_eq!(logged(&rate, 100, 20_000), (32, 0));
    }

    /// An hour with a thousand lines a second.
    #[test]
    fn every_suppressed_line_is_counted() {
        let rate = LogRate::default();
        let (mut lines, mut left_out) = (0, 0);
        for second in 0..3600 {
            let (more, told) = logged(&rate, 1000, second * 1000);
            lines += more;
            left_out += told;
        }
        assert_eq!(lines, 32 + 3599);
        assert_eq!(lines + left_out, 3599 * 1000 + 1, "up to the last line");
    }
}
