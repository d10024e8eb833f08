//! How often an address may begin a handshake: so nobody tries cookies by the thousand, nor has
//! a node do work and write its log for him.
//!
//! Each address has a purse. A connection takes one from it, a wrong proof more, and it fills
//! with time; whoever has an empty one is closed at once. This host's own connections are free,
//! since all its nodes may start at once, but its wrong proofs are not: another user of the
//! machine may try cookies, too.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use fika_runtime::Time;

/// What a full purse holds: more than the nodes of one host, which connect when it starts.
const PURSE: u32 = 256;

/// What comes into it in a second.
const INCOME: u32 = 64;

/// What a wrong proof costs beside its connection: four guesses a second, after a few at once.
const GUESS: u32 = 16;

/// Addresses that are kept in mind. Somebody who has more of them empties no purse of others:
/// the fullest is forgotten.
const ADDRESSES_MAX: usize = 1024;

#[derive(Default)]
pub(super) struct AcceptRate {
    purses: BTreeMap<IpAddr, Purse>,
    /// An address whose purse has become empty since this was last taken.
    emptied: Option<IpAddr>,
}

#[derive(Clone, Copy)]
struct Purse {
    holds: u32,
    /// Up to when its income is counted.
    at: Time,
    /// Whether it was said that it is empty, since it was full.
    told: bool,
}

impl Purse {
    fn fill(&mut self, now: Time) {
        let each = Duration::from_secs(1) / INCOME;
        let income = now.since(self.at).as_nanos() / each.as_nanos();
        let income = u32::try_from(income).unwrap_or(u32::MAX).min(PURSE);
        self.holds = (self.holds + income).min(PURSE);
        self.at = if self.holds == PURSE { now } else { self.at + each * income };
        self.told &= self.holds < PURSE;
    }
}

impl AcceptRate {
    /// Whether a connection from this address is taken in now.
    pub(super) fn admits(&mut self, from: IpAddr, now: Time) -> bool {
        if from.is_loopback() {
            // It has no purse unless it guessed.
            return self.purses.get_mut(&from).is_none_or(|purse| {
                purse.fill(now);
                purse.holds > 0
            });
        }
        self.take(from, 1, now)
    }

    /// A connection from this address had a wrong proof.
    pub(super) fn guessed(&mut self, from: IpAddr, now: Time) {
        self.take(from, GUESS, now);
    }

    /// An address that is to be reported: its purse was emptied. It is reported once until its
    /// purse is full again.
    pub(super) fn take_emptied(&mut self) -> Option<IpAddr> {
        self.emptied.take()
    }

    fn take(&mut self, from: IpAddr, price: u32, now: Time) -> bool {
        if !self.purses.contains_key(&from) {
            self.make_room(now);
        }
        let purse = self.purses.entry(from).or_insert(Purse { holds: PURSE, at: now, told: false });
        purse.fill(now);
        let paid = purse.holds > 0;
        purse.holds = purse.holds.saturating_sub(price);
        if purse.holds == 0 && !purse.told {
            purse.told = true;
            self.emptied = Some(from);
        }
        paid
    }

    fn make_room(&mut self, now: Time) {
        if self.purses.len() < ADDRESSES_MAX {
            return;
        }
        self.purses.retain(|_, purse| {
            purse.fill(now);
            purse.holds < PURSE
        });
        if self.purses.len() >= ADDRESSES_MAX {
            let fullest =
                self.purses.iter().max_by_key(|(_, purse)| purse.holds).map(|(ip, _)| *ip);
            fullest.map(|ip| self.purses.remove(&ip));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::new(Duration::from_millis(millis))
    }

    fn ip(n: u32) -> IpAddr {
        IpAddr::from((0x0a00_0000 + n).to_be_bytes())
    }

    fn admitted(rate: &mut AcceptRate, from: IpAddr, now: Time) -> usize {
        (0..2000).take_while(|_| rate.admits(from, now)).count()
    }

    /// At the limit and one above, and with time.
    #[test]
    fn connections() {
        let mut rate = AcceptRate::default();
        assert_eq!(admitted(&mut rate, ip(1), at(0)), 256);
        assert_eq!(admitted(&mut rate, ip(2), at(0)), 256, "each has its own");
        assert_eq!(admitted(&mut rate, ip(1), at(15)), 0);
        assert_eq!(admitted(&mut rate, ip(1), at(1000)), 64);
        assert_eq!(admitted(&mut rate, ip(1), at(1_000_000)), 256, "it holds no more");
        assert_eq!(admitted(&mut rate, "127.0.0.1".parse().unwrap(), at(0)), 2000);
    }

    #[test]
    fn guesses() {
        for from in [ip(1), "127.0.0.1".parse().unwrap(), "::1".parse().unwrap()] {
            let mut rate = AcceptRate::default();
            let mut guesses = |now| {
                let guess = |rate: &mut AcceptRate| {
                    let admits = rate.admits(from, now);
                    if admits {
                        rate.guessed(from, now);
                    }
                    admits
                };
                (0..100).take_while(|_| guess(&mut rate)).count()
            };
            assert!((15..=17).contains(&guesses(at(0))));
            assert_eq!(guesses(at(1)), 0);
            let later: usize = (1..=10).map(|second| guesses(at(second * 1000))).sum();
            assert!((30..=50).contains(&later), "{later} in ten seconds");
        }
    }

    /// Many addresses make it no larger, and whoever guesses stays known.
    #[test]
    fn addresses() {
        let mut rate = AcceptRate::default();
        assert_eq!(admitted(&mut rate, ip(0), at(0)), 256);
        for n in 1..5000 {
            assert!(rate.admits(ip(n), at(0)));
            assert!(rate.purses.len() <= ADDRESSES_MAX);
        }
        assert!(!rate.admits(ip(0), at(0)), "it is not forgotten");
        // With time all are.
        assert!(rate.admits(ip(9999), at(60_000)));
        assert_eq!(rate.purses.len(), 1);
    }
}
