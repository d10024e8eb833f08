//! Tries several ways to connect, and takes the first that succeeds.
//!
//! Attempts start in order. Each one starts a short delay after the previous one, or as soon as an
//! attempt fails. So a first address that does not answer costs a quarter of a second, not a whole
//! timeout. This module sets no time limit: the caller sets one.
//!
//! Prior art: Happy Eyeballs version 2 (RFC 8305). Its sections on asking for A and AAAA records
//! do not apply, since the system's resolver answers with both, sorted by RFC 6724.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use fika_runtime::{Sleep, sleep};

/// The delay after which the next attempt starts while earlier ones are still in flight
/// (`Connection Attempt Delay`, RFC 8305, section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The maximum number of addresses that are tried for one host, so that a look-up with thousands of
/// results does not open thousands of sockets. If no attempt fails, at most 28 attempts start
/// within 7 s.
const WAYS_MAX: usize = 32;

/// Returns the result of the first attempt that succeeds, or all errors in the order in which the
/// attempts failed. Drops the other attempts.
pub(crate) async fn first<T, E, F>(attempts: impl IntoIterator<Item = F>) -> Result<T, Vec<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut waiting = attempts.into_iter();
    let mut running: Vec<Pin<Box<F>>> = Vec::new();
    let mut errors = Vec::new();
    let mut delay: Option<Sleep> = None;
    poll_fn(|cx| {
        loop {
            let mut n = 0;
            while let Some(attempt) = running.get_mut(n) {
                match attempt.as_mut().poll(cx) {
                    Poll::Ready(Ok(value)) => return Poll::Ready(Ok(value)),
                    Poll::Ready(Err(error)) => {
                        errors.push(error);
                        drop(running.remove(n));
                        delay = None;
                    }
                    Poll::Pending => n += 1,
                }
            }
            if let Some(delay) = &mut delay
                && Pin::new(delay).poll(cx).is_pending()
            {
                return Poll::Pending;
            }
            delay = None;
            match waiting.next() {
                Some(attempt) => {
                    running.push(Box::pin(attempt));
                    delay = Some(sleep(ATTEMPT_DELAY));
                }
                None if running.is_empty() => return Poll::Ready(Err(std::mem::take(&mut errors))),
                None => return Poll::Pending,
            }
        }
    })
    .await
}

/// Sorts the ways into the order in which they are tried. IPv4 and IPv6 take turns, starting with
/// the family of the first way. The order within a family is kept (RFC 8305, section 4). Removes
/// duplicates.
pub(crate) fn interleave<T: PartialEq>(ways: Vec<T>, is_ipv4: impl Fn(&T) -> bool) -> Vec<T> {
    let Some(first) = ways.first().map(&is_ipv4) else { return ways };
    let mut distinct: Vec<T> = Vec::new();
    for way in ways {
        let family = distinct.iter().filter(|other| is_ipv4(other) == is_ipv4(&way));
        if family.count() < WAYS_MAX && !distinct.contains(&way) {
            distinct.push(way);
        }
    }
    let (one, other): (Vec<T>, Vec<T>) =
        distinct.into_iter().partition(|way| is_ipv4(way) == first);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut ordered = Vec::new();
    loop {
        let pair = (one.next(), other.next());
        if let (None, None) = pair {
            ordered.truncate(WAYS_MAX);
            return ordered;
        }
        ordered.extend(pair.0);
        ordered.extend(pair.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    use fika_runtime::Node;
    use parking_lot::Mutex;

    fn in_turns(ways: &str) -> String {
        let ways = ways.split(' ').collect();
        interleave(ways, |way: &&str| way.starts_with('4')).join(" ")
    }

    #[test]
    fn address_families_alternate() {
        let cases = [
            ("4a", "4a"),
            ("4a 4b 6a", "4a 6a 4b"),
            ("6a 6b 6c 4a", "6a 4a 6b 6c"),
            ("6a 4a 4b 4c 6b", "6a 4a 6b 4b 4c"),
            ("4a 4a 6a 4a 6a", "4a 6a"),
        ];
        for (ways, expected) in cases {
            assert_eq!(in_turns(ways), expected, "{ways}");
        }
        let many: Vec<String> = (0..10_000).map(|n| format!("6{n}")).collect();
        let many = [many, vec!["4a".to_owned()]].concat();
        assert_eq!(interleave(many, |way| way.starts_with('4')).len(), WAYS_MAX);
    }

    /// Runs attempts that succeed or fail after these milliseconds. Returns the attempt that won or
    /// the attempts that failed, and the attempts that started.
    fn race(attempts: &[(u64, bool)]) -> (Result<usize, Vec<usize>>, Vec<usize>) {
        let node = Node::builder().workers(1).build().unwrap();
        let attempts = attempts.to_vec();
        let begun = Arc::<Mutex<Vec<usize>>>::default();
        let begins = begun.clone();
        let result = node.block_on(async move {
            let attempt = |(n, (ms, wins)): (usize, (u64, bool))| {
                let begins = begins.clone();
                async move {
                    begins.lock().push(n);
                    if ms > 0 {
                        sleep(Duration::from_millis(ms)).await;
                    }
                    if wins { Ok(n) } else { Err(n) }
                }
            };
            first(attempts.into_iter().enumerate().map(attempt)).await
        });
        node.stop();
        let begun = begun.lock().clone();
        (result, begun)
    }

    /// The times are far apart, so a busy machine does not matter. The delays are tested on a
    /// simulated clock (`tests/sim/addresses.rs`).
    #[test]
    fn the_first_success_wins() {
        assert_eq!(race(&[]), (Err(vec![]), vec![]));
        assert_eq!(race(&[(0, true), (0, true)]), (Ok(0), vec![0]), "the second never starts");
        assert_eq!(race(&[(0, false), (0, true)]), (Ok(1), vec![0, 1]));
        assert_eq!(race(&[(0, false), (1, false)]), (Err(vec![0, 1]), vec![0, 1]));
        assert_eq!(race(&[(60_000, true), (0, true)]), (Ok(1), vec![0, 1]), "the first continues");
        assert_eq!(race(&[(600, false), (5, false)]), (Err(vec![1, 0]), vec![0, 1]));
    }
}
