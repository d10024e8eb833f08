//! How often an address may begin a handshake, and how often it may try to prove itself: so
//! nobody tries cookies by the thousand, nor makes a node work and fill its log.
//!
//! Each source has two purses, one for connections and one for proofs. A proof is paid for before
//! it is looked at, and the payment is given back if it was right; so however many handshakes run
//! side by side, no more wrong proofs are answered than the purse pays for. A source is an
//! address, or a /64 network of IPv6, which is what one host is commonly given.
//!
//! All loopback addresses are one source, since a program may choose among them. Its connections
//! are free, for all nodes of the host may start at once; its proofs are not, as another user of
//! the machine may try cookies, too. With that purse empty the programs of this node's own user
//! go on (`accept`): they can read the cookie's file, and have nothing to guess.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use fika_runtime::{LogRate, Time};

/// Connections: at once more than the nodes of one host, which connect when it starts.
const CONNECTIONS: Income = Income { at_once: 256, per_second: 64 };

/// Wrong proofs: a few for a mistake in a configuration, and slow enough for a short cookie.
const GUESSES: Income = Income { at_once: 16, per_second: 4 };

/// Sources that are kept in mind. Somebody who has more of them empties no purse of others: the
/// fullest is forgotten.
const SOURCES_MAX: usize = 1024;

#[derive(Default)]
pub(super) struct AcceptRate {
    sources: BTreeMap<IpAddr, Source>,
    /// A source is told of once while a purse of it is empty; somebody may have very many.
    log: LogRate,
}

/// What a full purse holds, and what comes into it in a second.
struct Income {
    at_once: u32,
    per_second: u32,
}

#[derive(Clone, Copy)]
struct Source {
    connections: Purse,
    guesses: Purse,
    /// Whether it was said that a purse is empty, since both were full.
    told: bool,
}

#[derive(Clone, Copy)]
struct Purse {
    holds: u32,
    /// Up to when its income is counted.
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

/// What stands for the source that an address belongs to.
fn source_of(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        ip if ip.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        ip => ip,
    }
}

impl AcceptRate {
    /// Whether a connection from this address is taken in now.
    pub(super) fn admits(&mut self, from: IpAddr, now: Time) -> bool {
        from.to_canonical().is_loopback() || self.take(from, now, |source| &mut source.connections)
    }

    /// Whether a proof from this address is looked at now. It counts as wrong until
    /// [`proved`](Self::proved) says otherwise.
    pub(super) fn may_prove(&mut self, from: IpAddr, now: Time) -> bool {
        self.take(from, now, |source| &mut source.guesses)
    }

    /// The proof was right.
    pub(super) fn proved(&mut self, from: IpAddr) {
        if let Some(source) = self.sources.get_mut(&source_of(from)) {
            source.guesses.holds = (source.guesses.holds + 1).min(GUESSES.at_once);
        }
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
            self.log.line(now, |left_out| {
                tracing::warn!(
                    %from, left_out,
                    "too many connections or wrong cookies: more are closed at once"
                );
            });
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
        assert_eq!(guesses(&mut rate, ip(2), at(0)), 16, "connections cost no proofs");
    }

    #[test]
    fn wrong_proofs() {
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

    /// A right proof costs nothing, while the purse has something in it.
    #[test]
    fn right_proofs() {
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

    /// Addresses among which one host may choose have one purse.
    #[test]
    fn sources() {
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

    /// Many addresses make it no larger, and one that guesses stays known.
    #[test]
    fn addresses() {
        let mut rate = AcceptRate::default();
        assert_eq!(guesses(&mut rate, ip(0), at(0)), 16);
        for n in 1..5000 {
            assert!(rate.admits(ip(n), at(0)));
            assert!(rate.sources.len() <= SOURCES_MAX);
        }
        assert!(!rate.may_prove(ip(0), at(0)), "it is not forgotten");
        // With time all are.
        assert!(rate.admits(ip(9999), at(60_000)));
        assert_eq!(rate.sources.len(), 1);
    }
}
