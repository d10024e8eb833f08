//! Lets the poller wait for events or until a time, as precisely as the system can.
//!
//! mio waits for whole milliseconds, so timers would be late by up to one. On Linux this uses
//! `epoll_pwait2` on mio's own epoll instance, with times in nanoseconds. If the kernel has no such
//! call (before 5.11) or a sandbox refuses it, mio waits, as it does on other systems. This file
//! does not know the sources of the events.

use std::io;
use std::time::Duration;

use mio::{Poll, Registry, Token};

/// Something has happened to a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Event {
    pub(super) token: Token,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The peer has ended the connection, or it is broken.
    pub(super) ended: bool,
}

/// How many events one wait fetches: enough for an event from every peer of a large cluster, and
/// few enough (3 KiB) for a worker's stack. Further events come with the next wait.
const EVENTS_MAX: usize = 256;

/// The state for waiting.
pub(super) struct Wait {
    poll: Poll,
    /// The buffer of mio, if mio waits.
    coarse: Option<mio::Events>,
    /// The events of the last wait. Kept, so that a wait allocates nothing.
    fetched: Vec<Event>,
}

/// Prepares a thread that will wait. The system may delay wake-ups to combine them, and this limits
/// the delay to the precision of timers. The default, 50 µs on Linux, is meant for desktop
/// programs.
pub(super) fn thread_begins() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::set_current_timer_slack(Some(exact::SLACK_NS)) {
        tracing::debug!(%error, "timers may be late by another 50 µs");
    }
}

impl Wait {
    pub(super) fn new() -> io::Result<Wait> {
        let coarse = (!cfg!(target_os = "linux")).then(|| mio::Events::with_capacity(EVENTS_MAX));
        Ok(Wait { poll: Poll::new()?, coarse, fetched: Vec::with_capacity(EVENTS_MAX) })
    }

    pub(super) fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// Waits until there are events, or the time is over. Returns the events.
    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<&[Event]> {
        self.fetched.clear();
        #[cfg(target_os = "linux")]
        if self.coarse.is_none() {
            match exact::wait(self.poll.registry(), timeout, &mut self.fetched) {
                Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
                    tracing::debug!("no `epoll_pwait2` here: timers may be late by 1 ms");
                }
                result => return result.map(|()| &*self.fetched).map_err(io::Error::from),
            }
        }
        let events = self.coarse.get_or_insert_with(|| mio::Events::with_capacity(EVENTS_MAX));
        self.poll.poll(events, timeout)?;
        self.fetched.extend(events.iter().map(event));
        Ok(&self.fetched)
    }
}

fn event(event: &mio::event::Event) -> Event {
    let broken = event.is_error() || event.is_read_closed() || event.is_write_closed();
    Event {
        token: event.token(),
        readable: event.is_readable(),
        writable: event.is_writable(),
        ended: broken,
    }
}

/// Waits without mio, on the sources that it has registered.
#[cfg(target_os = "linux")]
mod exact {
    use std::mem::MaybeUninit;
    use std::num::NonZeroU64;
    use std::time::Duration;

    use mio::{Registry, Token};
    use rustix::event::epoll::{self, EventFlags};

    use super::{EVENTS_MAX, Event};

    /// Less than the tick of a timer, and more than the cost of a wake-up.
    pub(super) const SLACK_NS: NonZeroU64 = NonZeroU64::new(10_000).unwrap();

    pub(super) fn wait(
        registry: &Registry,
        timeout: Option<Duration>,
        fetched: &mut Vec<Event>,
    ) -> rustix::io::Result<()> {
        // A time that can't be converted is longer than any wait.
        let timeout = timeout.and_then(|timeout| timeout.try_into().ok());
        let mut buffer = [const { MaybeUninit::uninit() }; EVENTS_MAX];
        let (events, _) = epoll::wait(registry, &mut buffer, timeout.as_ref())?;
        fetched.extend(events.iter().map(event));
        Ok(())
    }

    /// mio keeps the token in the event's data.
    fn event(event: &epoll::Event) -> Event {
        let epoll::Event { flags, data, .. } = *event;
        let broken = flags.intersects(EventFlags::ERR | EventFlags::HUP | EventFlags::RDHUP);
        Event {
            token: Token(usize::try_from(data.u64()).unwrap_or(usize::MAX)),
            readable: flags.intersects(EventFlags::IN | EventFlags::PRI),
            writable: flags.intersects(EventFlags::OUT),
            ended: broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// TIM-8: never early and, if the kernel has a call for it, not late by a millisecond.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "this is about real time")]
    fn a_wait_is_neither_early_nor_late() {
        const TIME: Duration = Duration::from_micros(1_100);
        let mut wait = Wait::new().unwrap();
        let late = (0..50).map(|_| {
            let begun = Instant::now();
            assert_eq!(wait.wait(Some(TIME)).unwrap(), []);
            begun.elapsed().checked_sub(TIME).expect("it is not early")
        });
        // The machine may be busy, but not all the time.
        let least = late.min().unwrap();
        assert!(least < Duration::from_micros(500) || wait.coarse.is_some(), "{least:?}");
    }

    /// mio's wait reports the events that the system's own call reports.
    #[test]
    fn both_waits_report_equal_events() {
        let mut wait = Wait::new().unwrap();
        let waker = mio::Waker::new(wait.registry(), Token(7)).unwrap();
        for coarse in [None, Some(mio::Events::with_capacity(4))] {
            wait.coarse = coarse;
            waker.wake().unwrap();
            let told = wait.wait(None).unwrap();
            assert_eq!(
                told,
                [Event { token: Token(7), readable: true, writable: false, ended: false }]
            );
            assert_eq!(wait.wait(Some(Duration::ZERO)).unwrap(), [], "told twice");
        }
    }
}
