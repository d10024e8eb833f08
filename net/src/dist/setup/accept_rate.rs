//! Limits how often an address may begin a handshake, and how often it may try to prove itself. So
//! a peer can't try thousands of cookies, keep a node busy, or fill its log.
//!
//! Each source has two token buckets ("purses"), one for connections and one for proofs. A proof is
//! paid for before it is checked, and a right proof is refunded. So the limit holds for any number
//! of concurrent handshakes. A source is an IPv4 address, or a /64 network of IPv6, which is the
//! usual assignment for one host.
//!
//! All loopback addresses are one source, since a program may choose among them. Its connections
//! are free, because all nodes of the host may start at the same time. Its proofs are not, because
//! another user of the host may try cookies. If that purse is empty, programs of this node's own
//! user are still admitted (`accept`): they can read the cookie file, and need not guess.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use fika_runtime::Time;

use crate::io::source_of;

/// Connections. One host seldom has more nodes than `at_once`, and all of them may connect when the
/// host starts.
const CONNECTIONS: Income = Income { at_once: 256, per_second: 64 };

/// Wrong proofs. The limit allows for a mistake in a configuration, and is too low to guess a short
/// cookie.
const GUESSES: Income = Income { at_once: 16, per_second: 4 };

/// The number of sources that are remembered. Above that, the source with the fullest purses is
/// forgotten, so a peer with many addresses does not reset the limits of others.
const SOURCES_MAX: usize = 1024;

#[derive(Default)]
pub(crate) struct AcceptRate {
    sources: BTreeMap<IpAddr, Source>,
    /// A source that was refused, and has not been reported yet.
    emptied: Option<IpAddr>,
}

/// The capacity of a purse, and its refill rate.
struct Income {
    at_once: u32,
    per_second: u32,
}

#[derive(Clone, Copy)]
struct Source {
    connections: Purse,
    guesses: Purse,
    /// Whether an empty purse was reported since both purses were last full.
    told: bool,
}

#[derive(Clone, Copy)]
struct Purse {
    holds: u32,
    /// The time up to which the income of the purse is counted.
    at: Time,
}

impl Purse {
    fn fill(&mut self, income: &Income, now: Time) {
        let each = Duration::from_secs(1) / income.per_second;
        let due = now.since(self.at).as_nanos() / each.as_nanos();
        let due = u32::try_from(due).unwrap_or(u32::MAX).min(income.at_once);
        self.holds = (self.holds + due).min(income.at_once);
        self.at = if self.holds == income.at_once { now } else { self.at + each * due };
    }

    fn take(&mut self) -> bool {
        let paid = self.holds > 0;
        self.holds = self.holds.saturating_sub(1);
        paid
    }
}

impl Source {
    fn new(now: Time) -> Source {
        let full = |income: &Income| Purse { holds: income.at_once, at: now };
        Source { connections: full(&CONNECTIONS), guesses: full(&GUESSES), told: false }
    }

    fn fill(&mut self, now: Time) {
        self.connections.fill(&CONNECTIONS, now);
        self.guesses.fill(&GUESSES, now);
        self.told &= !self.is_full();
    }

    fn is_full(&self) -> bool {
        self.connections.holds == CONNECTIONS.at_once && self.guesses.holds == GUESSES.at_once
    }
}

impl AcceptRate {
    /// Returns whether a connection from this address is accepted now.
    pub(crate) fn admits(&mut self, from: IpAddr, now: Time) -> bool {
        from.to_canonical().is_loopback() || self.take(from, now, |source| &mut source.connections)
    }

    /// Returns whether a proof from this address is checked now. The proof counts as wrong until
    /// [`proved`](Self::proved) is called.
    pub(crate) fn may_prove(&mut self, from: IpAddr, now: Time) -> bool {
        self.take(from, now, |source| &mut source.guesses)
    }

    /// Refunds a proof that was right.
    pub(crate) fn proved(&mut self, from: IpAddr) {
        if let Some(source) = self.sources.get_mut(&source_of(from)) {
            source.guesses.holds = (source.guesses.holds + 1).min(GUESSES.at_once);
        }
    }

    /// Takes the refused source to report, if there is one. After that, a source is not reported
    /// again until both of its purses have been full.
    pub(crate) fn take_emptied(&mut self) -> Option<IpAddr> {
        self.emptied.take()
    }

    fn take(&mut self, from: IpAddr, now: Time, purse: fn(&mut Source) -> &mut Purse) -> bool {
        let from = source_of(from);
        if !self.sources.contains_key(&from) {
            self.make_room(now);
        }
        let source = self.sources.entry(from).or_insert(Source::new(now));
        source.fill(now);
        let paid = purse(source).take();
        if !paid && !source.told {
            source.told = true;
            self.emptied = Some(from);
        }
        paid
    }

    fn make_room(&mut self, now: Time) {
        if self.sources.len() < SOURCES_MAX {
            return;
        }
        self.sources.retain(|_, source| {
            source.fill(now);
            !source.is_full()
        });
        if self.sources.len() >= SOURCES_MAX {
            let fullness = |source: &Source| (source.guesses.holds, source.connections.holds);
            let fullest = self.sources.iter().max_by_key(|(_, source)| fullness(source));
            fullest.map(|(ip, _)| *ip).map(|ip| self.sources.remove(&ip));
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

    fn guesses(rate: &mut AcceptRate, from: IpAddr, now: Time) -> usize {
        (0..2000).take_while(|_| rate.may_prove(from, now)).count()
    }

    /// Checks the purse at its limit and one above it, and after some time.
    #[test]
    fn connections_are_limited() {
        let mut rate = AcceptRate::default();
        assert_eq!(admitted(&mut rate, ip(1), at(0)), 256);
        assert_eq!(admitted(&mut rate, ip(2), at(0)), 256, "each address has its own limit");
        assert_eq!(admitted(&mut rate, ip(1), at(15)), 0);
        assert_eq!(admitted(&mut rate, ip(1), at(1000)), 64);
        assert_eq!(admitted(&mut rate, ip(1), at(1_000_000)), 256, "the purse is full");
        assert_eq!(admitted(&mut rate, "127.0.0.1".parse().unwrap(), at(0)), 2000);
        assert_eq!(guesses(&mut rate, ip(2), at(0)), 16, "connections cost no proofs");
    }

    #[test]
    fn wrong_proofs_are_limited() {
        for from in [ip(1), "127.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()] {
            let mut rate = AcceptRate::default();
            assert_eq!(guesses(&mut rate, from, at(0)), 16);
            assert_eq!(guesses(&mut rate, from, at(249)), 0);
            assert_eq!(guesses(&mut rate, from, at(250)), 1);
            let later: usize = (1..=100).map(|n| guesses(&mut rate, from, at(250 + n * 100))).sum();
            assert_eq!(later, 40, "in ten seconds");
            assert!(rate.admits(from, at(20_000)));
        }
    }

    /// A right proof costs nothing, unless the purse is empty.
    #[test]
    fn right_proofs_are_free() {
        let mut rate = AcceptRate::default();
        for _ in 0..1000 {
            assert!(rate.may_prove(ip(1), at(0)));
            rate.proved(ip(1));
        }
        assert_eq!(guesses(&mut rate, ip(1), at(0)), 16);
        rate.proved(ip(1));
        assert_eq!(guesses(&mut rate, ip(1), at(0)), 1);
        rate.proved(ip(2));
        assert_eq!(guesses(&mut rate, ip(2), at(0)), 16, "no more than a full purse");
    }

    /// A source is reported once, and again after both purses were full.
    #[test]
    fn refusals_are_reported_once() {
        let (mut rate, from) = (AcceptRate::default(), source_of(ip(1)));
        admitted(&mut rate, ip(1), at(0));
        assert_eq!(rate.take_emptied(), Some(from));
        admitted(&mut rate, ip(1), at(1000));
        assert_eq!(rate.take_emptied(), None);
        admitted(&mut rate, ip(1), at(1_000_000));
        assert_eq!(rate.take_emptied(), Some(from));
    }

    /// The addresses that one host may use share a purse.
    #[test]
    fn addresses_of_one_host_share_a_purse() {
        let cases = [
            ("127.0.0.1", "127.9.8.7", true),
            ("127.0.0.1", "::1", true),
            ("127.0.0.1", "::ffff:127.0.0.2", true),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
            ("10.0.0.1", "10.0.0.2", false),
        ];
        for (one, other, same) in cases {
            let [one, other]: [IpAddr; 2] = [one, other].map(|ip| ip.parse().unwrap());
            let mut rate = AcceptRate::default();
            assert_eq!(guesses(&mut rate, one, at(0)), 16);
            assert_eq!(guesses(&mut rate, other, at(0)) == 0, same, "{one} {other}");
        }
    }

    /// The table of sources stays within its limit, and a source with wrong proofs is not
    /// forgotten.
    #[test]
    fn the_table_of_sources_is_limited() {
        let mut rate = AcceptRate::default();
        assert_eq!(guesses(&mut rate, ip(0), at(0)), 16);
        for n in 1..5000 {
            assert!(rate.admits(ip(n), at(0)));
            assert!(rate.sources.len() <= SOURCES_MAX);
        }
        assert!(!rate.may_prove(ip(0), at(0)), "it is not forgotten");
        // After some time all sources are forgotten.
        assert!(rate.admits(ip(9999), at(60_000)));
        assert_eq!(rate.sources.len(), 1);
    }
}
