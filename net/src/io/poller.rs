//! The place where an idle worker waits for sockets: a mio poll, and the table of handlers. `wait`
//! implements the waiting.
//!
//! It reads and writes nothing itself, keeps no time, and knows no protocol. A source is
//! registered and given a [`SocketHandler`]; `park` waits, and calls the handlers of the sources
//! that something has happened to.
//!
//! Readiness is edge-triggered: an event says that something has changed, and is not repeated while
//! it stays so. A handler whose source is readable must read until `WouldBlock`, or remember that
//! it has not. Events may be spurious, and one packet usually reports the source as writable, too.
//!
//! Invariants:
//!
//! 1. A handler runs without any lock held but that of the parked worker, which only `park` takes,
//!    and only by `try_lock`. So a handler may register, swap and deregister sources, including its
//!    own, and wake any task.
//! 2. The slot of a source that is gone may be given to another source, but with another
//!    generation. So an event of the old source that was already fetched reaches no handler.
//!    Generations begin again after 2^32 registrations (2^16 on a 32-bit machine), and a fetched
//!    event is handled long before that.
//!
//! Prior art: Go's netpoller, tokio's io driver.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use fika_runtime::{Driver, contain_call, report};
use mio::event::Source;
use mio::{Interest, Registry, Token, Waker};
use parking_lot::Mutex;
use slab::Slab;

use super::network::SocketHandler;
use super::wait::{self, Event, Wait};

/// The lower half of a token is a slot, the upper half its generation.
const SLOT_BITS: u32 = usize::BITS / 2;
const SLOT_MASK: usize = (1 << SLOT_BITS) - 1;

/// The token of `unpark`. Its slot is never returned by [`Sources::insert`].
const WAKER: Token = Token(usize::MAX);

/// The poller of a node, which is also the network over TCP. A clone is the same poller.
///
/// ```
/// use fika_net::Poller;
///
/// // The TCP transport that nodes use by default.
/// let poller = Poller::new()?;
/// # let _ = poller;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Poller {
    shared: Arc<Shared>,
}

struct Shared {
    /// The state for waiting. Only `park` takes it.
    waiting: Mutex<Wait>,
    /// Adds and removes sources while a worker waits.
    registry: Registry,
    /// Ends a wait.
    waker: Waker,
    /// The sources and their handlers.
    sources: Mutex<Sources>,
}

#[derive(Default)]
struct Sources {
    entries: Slab<Entry>,
    /// Counts registrations, wrapping: the generation of the latest one.
    generation: usize,
}

struct Entry {
    /// The whole token, which is compared with that of an event.
    token: Token,
    /// `None` until a handler is set.
    handler: Option<Arc<dyn SocketHandler>>,
}

/// A source's place in the poller, from [`Poller::register`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Registration(Token);

impl Poller {
    /// Makes a poller without sources. It takes three file descriptors.
    ///
    /// # Errors
    /// If the system has none left.
    pub fn new() -> io::Result<Poller> {
        let wait = Wait::new()?;
        let registry = wait.registry().try_clone()?;
        let waker = Waker::new(&registry, WAKER)?;
        let shared =
            Shared { waiting: Mutex::new(wait), registry, waker, sources: Mutex::default() };
        Ok(Poller { shared: Arc::new(shared) })
    }

    /// Adds a source. Its events are dropped until it has a handler.
    pub(super) fn register(
        &self,
        source: &mut impl Source,
        interest: Interest,
    ) -> io::Result<Registration> {
        let registration = self.shared.sources.lock().insert()?;
        if let Err(error) = self.shared.registry.register(source, registration.0, interest) {
            self.release(registration);
            return Err(error);
        }
        Ok(registration)
    }

    /// Sets the handler, and replaces the present one. Another thread may call the new handler
    /// before this function returns. Earlier events are not repeated to the new handler, so the
    /// caller has to try each operation once. Does nothing if the registration no longer exists.
    pub(super) fn set_handler(&self, registration: Registration, handler: Arc<dyn SocketHandler>) {
        let mut sources = self.shared.sources.lock();
        let old = sources.entry(registration.0).map(|e| e.handler.replace(handler));
        // An old handler may own a socket, and dropping the socket takes this lock.
        drop(sources);
        drop(old);
    }

    /// Removes the handler, without needing the source. No further events of the source are
    /// delivered. A call that has begun on another thread may still be running.
    pub(super) fn release(&self, registration: Registration) {
        let entry = self.shared.sources.lock().remove(registration.0);
        // Without the lock, for the reason in `set_handler`.
        drop(entry);
    }

    /// Removes the source and its handler.
    pub(super) fn deregister(&self, source: &mut impl Source, registration: Registration) {
        self.release(registration);
        if let Err(error) = self.shared.registry.deregister(source) {
            // Nothing is left to do: closing the source also removes it from the poll.
            tracing::debug!(%error, "a socket could not be deregistered");
        }
    }

    fn dispatch(&self, event: Event) {
        if event.token == WAKER {
            return;
        }
        let handler = self.shared.sources.lock().entry(event.token).map(|e| e.handler.clone());
        if let Some(Some(handler)) = handler {
            if event.ended {
                handler.ready(true, true);
            } else {
                handler.ready_and_open(event.readable, event.writable);
            }
        }
    }
}

impl Driver for Poller {
    fn thread_begins(&self) {
        wait::thread_begins();
    }

    fn park(&self, timeout: Option<Duration>) {
        // If the lock is taken, another worker waits, so this one need not.
        let Some(mut waiting) = self.shared.waiting.try_lock() else { return };
        match waiting.wait(timeout) {
            Ok(events) => {
                for event in events {
                    // Events are not repeated: a panic must not lose those of other sources.
                    contain_call("a handler of a socket", || self.dispatch(*event));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => report!(error, %error, "the poller could not wait"),
        }
    }

    fn unpark(&self) {
        if let Err(error) = self.shared.waker.wake() {
            report!(error, %error, "the poller could not be woken");
        }
    }
}

impl Sources {
    fn insert(&mut self) -> io::Result<Registration> {
        let slot = self.entries.vacant_key();
        if slot >= SLOT_MASK {
            return Err(io::Error::other("the poller has no room for another socket"));
        }
        self.generation = self.generation.wrapping_add(1);
        let token = Token(self.generation << SLOT_BITS | slot);
        self.entries.insert(Entry { token, handler: None });
        Ok(Registration(token))
    }

    fn entry(&mut self, token: Token) -> Option<&mut Entry> {
        self.entries.get_mut(token.0 & SLOT_MASK).filter(|entry| entry.token == token)
    }

    fn remove(&mut self, token: Token) -> Option<Entry> {
        self.entry(token)?;
        Some(self.entries.remove(token.0 & SLOT_MASK))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpStream;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use mio::net::TcpListener;

    use super::*;

    #[derive(Default)]
    struct Count {
        readable: AtomicUsize,
        writable: AtomicUsize,
    }

    impl SocketHandler for Count {
        fn ready(&self, readable: bool, writable: bool) {
            self.readable.fetch_add(usize::from(readable), Ordering::SeqCst);
            self.writable.fetch_add(usize::from(writable), Ordering::SeqCst);
        }
    }

    impl Count {
        fn readable(&self) -> usize {
            self.readable.load(Ordering::SeqCst)
        }
    }

    fn register(
        poller: &Poller,
        source: &mut impl Source,
        handler: Arc<dyn SocketHandler>,
    ) -> Registration {
        let registration = poller.register(source, Interest::READABLE).unwrap();
        poller.set_handler(registration, handler);
        registration
    }

    /// A bound listener, and a connection that makes it readable.
    fn pending_listener() -> (TcpListener, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener, client)
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the thread of a test")]
    fn unpark_ends_the_current_or_the_next_park() {
        let poller = Poller::new().unwrap();
        poller.unpark();
        poller.park(None);

        let other = poller.clone();
        let thread = thread::spawn(move || other.park(None));
        poller.unpark();
        thread.join().unwrap();
    }

    #[test]
    fn a_second_park_does_not_wait() {
        let poller = Poller::new().unwrap();
        let waiting = poller.shared.waiting.lock();
        poller.park(None);
        drop(waiting);
    }

    #[test]
    fn the_handler_of_the_source_is_called() {
        let poller = Poller::new().unwrap();
        let (mut listener, _client) = pending_listener();
        let (first, second) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let registration = register(&poller, &mut listener, first.clone());
        poller.park(None);
        assert_eq!(first.readable(), 1);

        // Edge-triggered: nothing is repeated, and the new handler gets the new events.
        poller.set_handler(registration, second.clone());
        assert_eq!(Arc::strong_count(&first), 1);
        poller.park(Some(Duration::ZERO));
        assert_eq!(second.readable(), 0);
        let _another = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        poller.park(None);
        assert_eq!((first.readable(), second.readable()), (1, 1));

        poller.deregister(&mut listener, registration);
        assert_eq!(Arc::strong_count(&second), 1);
        poller.set_handler(registration, second.clone());
        assert_eq!(Arc::strong_count(&second), 1, "a registration that is gone takes no handler");
    }

    #[test]
    fn a_hangup_is_readable_and_writable() {
        let poller = Poller::new().unwrap();
        let (listener, client) = pending_listener();
        let (mut server, _) = listener.accept().unwrap();
        let count = Arc::new(Count::default());
        register(&poller, &mut server, count.clone());
        (&client).write_all(b"x").unwrap();
        drop(client);
        while count.writable.load(Ordering::SeqCst) == 0 {
            poller.park(None);
        }
        assert!(count.readable() > 0);
    }

    /// Readiness is not reported twice, so a handler that panics only loses its own events.
    #[test]
    fn a_panicking_handler_loses_only_its_own_events() {
        struct Panics(AtomicUsize);
        impl SocketHandler for Panics {
            fn ready(&self, _: bool, _: bool) {
                self.0.fetch_add(1, Ordering::SeqCst);
                std::panic::resume_unwind(Box::new("a handler"));
            }
        }
        let poller = Poller::new().unwrap();
        let panics = Arc::new(Panics(AtomicUsize::new(0)));
        let count = Arc::new(Count::default());
        let mut sources = [(); 4].map(|()| pending_listener());
        for (source, n) in sources.iter_mut().zip(0..) {
            let handler: Arc<dyn SocketHandler> =
                if n % 2 == 0 { panics.clone() } else { count.clone() };
            register(&poller, &mut source.0, handler);
        }
        poller.park(None);
        assert_eq!((panics.0.load(Ordering::SeqCst), count.readable()), (2, 2));
    }

    /// The first handler that is called puts a new source into the slot of the other source, whose
    /// event was fetched at the same time and not delivered yet.
    #[test]
    fn an_event_of_an_old_source_never_reaches_a_new_one() {
        type Plan = Mutex<Option<([Registration; 2], Arc<Count>)>>;
        struct Replace {
            me: usize,
            poller: Poller,
            plan: Arc<Plan>,
        }
        impl SocketHandler for Replace {
            fn ready(&self, _: bool, _: bool) {
                let (registrations, fresh) = self.plan.lock().take().expect("called only once");
                let old = registrations[1 - self.me];
                self.poller.release(old);
                let new = self.poller.shared.sources.lock().insert().unwrap();
                self.poller.set_handler(new, fresh);
                assert_eq!(old.0.0 & SLOT_MASK, new.0.0 & SLOT_MASK, "the slot is used again");
                assert_ne!(old, new);
            }
        }
        let poller = Poller::new().unwrap();
        let mut sources = [pending_listener(), pending_listener()];
        let plan = Arc::new(Plan::default());
        let registrations = [0, 1].map(|me| {
            let replace = Replace { me, poller: poller.clone(), plan: plan.clone() };
            register(&poller, &mut sources[me].0, Arc::new(replace))
        });
        let fresh = Arc::new(Count::default());
        *plan.lock() = Some((registrations, fresh.clone()));
        poller.park(None);
        assert!(plan.lock().is_none(), "a handler was called");
        assert_eq!(fresh.readable(), 0);
        // The handlers own the poller, which owns them.
        registrations.into_iter().for_each(|registration| poller.release(registration));
    }
}
