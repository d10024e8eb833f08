//! Keeps the node registered with the port mappers of its host, and starts a port mapper where none
//! answers.
//!
//! Other nodes ask the mapper at the address to which they will connect. So the node registers at
//! each address on which it listens. It also registers at the loopback address, where the nodes of
//! this host and `epmd -names` look. A mapper may serve several of these addresses, so the node
//! asks at each:
//!
//! | at an address | the result |
//! |---|---|
//! | a mapper takes the name | registered |
//! | the name is taken, by an entry with the mark of one of this node's registrations | the mapper knows the node already, since the node has registered at another address |
//! | the name is taken by another entry | the node can't have the name |
//! | no mapper answers | the node starts a mapper on all of its addresses that have none |
//!
//! So nodes may start in any order, any of them may serve an address, and a mapper may be Erlang's.
//! A mapper serves only loopback and the addresses on which its node listens. So a node on loopback
//! opens no port to the network, and the first node on another address starts a mapper there. When
//! a mapper ends, each node that it knew registers at its addresses again, and the first of these
//! nodes starts a new mapper.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use fika_runtime::{ExitReason, Pid, Time, link, report, sleep, spawn_service, timeout};

use parking_lot::Mutex;

use super::backoff::Backoff;
use super::reachable::{covers, everywhere};
use super::site::Site;
use crate::dist::start_error::StartError;
use crate::io::{EpmdClient, EpmdConfig, EpmdError, EpmdRegistration, EpmdServer, is_exhausted};
use crate::proto::epmd::{Mark, NodeInfo, PublishedType};

/// The maximum time to wait for an answer of the mapper (EPMD-18).
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// The pauses before the node registers again after it has lost a registration (EPMD-17). All nodes
/// of a host lose their registrations at the same moment, so there is also a pause before the first
/// attempt.
const REGISTER_AGAIN: Backoff =
    Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(60) };

/// After a registration that has lasted this long, the pauses start from the shortest again.
const LASTED: Duration = REGISTER_AGAIN.longest;

/// The interval at which a node that listens on all addresses looks for new addresses of its host.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// A first registration is retried after short pauses. A name is not free before the mapper has
/// noticed that the last node of this name is gone, and a mapper may end before it answers.
const FIRST_TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The maximum time to wait until a mapper confirms that a name is unregistered. A running mapper
/// confirms it at once.
const FORGETS_WITHIN: Duration = Duration::from_secs(1);

/// The state of the process that keeps the node registered, while that process does not run.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Option<Places>>>);

impl Kept {
    /// Starts the process that keeps the node registered.
    pub(crate) fn start(&self, net_kernel: Pid) -> Result<Pid, StartError> {
        spawn_service(keep(net_kernel, self.clone())).ok_or(NO_ROOM)
    }
}

/// The places while the process has them. When the process ends in any way, they go back to
/// [`Kept`], so that the next process keeps the registrations.
struct InUse(Option<Places>, Kept);

impl Drop for InUse {
    fn drop(&mut self) {
        *self.1.0.lock() = self.0.take();
    }
}

/// Registers the node. The caller then has to start the process that keeps it registered.
pub(crate) async fn register(site: &Arc<Site>, listens: SocketAddr) -> Result<Kept, StartError> {
    let (site, since) = (site.clone(), site.env.now());
    let mut places = Places { site, listens, all: Vec::new(), failures: 0, since };
    places.look();
    places.register_first().await?;
    let kept = Kept::default();
    *kept.0.lock() = Some(places);
    Ok(kept)
}

/// The error when the node has reached its limit of processes.
const NO_ROOM: StartError = StartError::Ended(ExitReason::SystemLimit);

/// Ends the registrations of a node after its [`keep`] process has ended.
pub(crate) async fn unregister(site: &Site) {
    let registrations = std::mem::take(&mut *site.registrations.lock());
    for registration in registrations {
        if timeout(FORGETS_WITHIN, registration.end()).await.is_err() {
            report!(warn, node = %site.name, "the port mapper has not confirmed that the node is unregistered");
        }
    }
}

async fn keep(net_kernel: Pid, kept: Kept) {
    link(net_kernel);
    let places = kept.0.lock().take();
    let mut in_use = InUse(places, kept);
    let Some(places) = &mut in_use.0 else { return };
    loop {
        let is_lost = match places.next_look() {
            None => {
                places.lost().await;
                true
            }
            Some(pause) => timeout(pause, places.lost()).await.is_ok(),
        };
        if is_lost {
            sleep(places.pause_after_loss()).await;
        }
        places.look();
        places.register_again().await;
    }
}

/// The addresses at which the node registers.
pub(crate) struct Places {
    site: Arc<Site>,
    /// The address on which the node listens.
    listens: SocketAddr,
    all: Vec<Place>,
    /// The number of losses and failed attempts since the last registration that lasted.
    failures: u32,
    /// The time since which the node is known at all addresses at which it has to be known.
    since: Time,
}

struct Place {
    ip: IpAddr,
    state: State,
    /// Whether the mapper at this address knows the node, or has known it.
    was_known: bool,
    /// Whether the log already says that the node is not known at this address.
    is_reported: bool,
}

enum State {
    Unknown,
    /// The host does not have this loopback address.
    Missing,
    /// The mapper here knows the node already, since the node has registered at another address.
    Known,
    /// The node has registered here. The number is the id in its mark.
    Registered(u64, Arc<EpmdRegistration>),
}

impl Place {
    fn new(ip: IpAddr) -> Place {
        Place { ip, state: State::Unknown, was_known: false, is_reported: false }
    }

    fn is_unknown(&self) -> bool {
        matches!(self.state, State::Unknown)
    }
}

impl Places {
    /// Adds the new addresses of the host, and removes the ones that are gone.
    fn look(&mut self) {
        let wanted = self.wanted();
        let before = self.all.len();
        self.all.retain(|place| wanted.contains(&place.ip));
        if self.all.len() < before {
            self.doubt();
        }
        for ip in wanted {
            if self.all.iter().all(|place| place.ip != ip) {
                self.all.push(Place::new(ip));
            }
        }
        self.publish();
    }

    /// Marks the addresses without a registration of their own as unknown, so that the node asks
    /// there again.
    fn doubt(&mut self) {
        for place in &mut self.all {
            if let State::Known | State::Missing = place.state {
                place.state = State::Unknown;
            }
        }
    }

    /// Returns the addresses at which other nodes may look up this node, loopback first.
    fn wanted(&self) -> Vec<IpAddr> {
        let listens = self.listens.ip();
        let mut wanted = vec![self.site.loopback()];
        if listens.is_ipv6() {
            wanted.push(Ipv6Addr::LOCALHOST.into());
        }
        if !listens.is_unspecified() {
            wanted.push(listens);
        } else if let Some(own) = self.site.own_ips() {
            wanted.extend(own.into_iter().filter(|ip| covers(listens, *ip)));
        } else {
            wanted.extend(self.all.iter().map(|place| place.ip));
        }
        wanted
    }

    /// Returns the time until the next look if no registration is lost. `None` if no look is
    /// needed.
    fn next_look(&self) -> Option<Duration> {
        if self.is_lacking() {
            Some(self.pause())
        } else {
            self.listens.ip().is_unspecified().then_some(LOOK_EVERY)
        }
    }

    /// Counts the loss of a registration, and returns the pause before the retry.
    fn pause_after_loss(&mut self) -> Duration {
        if self.site.env.now().since(self.since) >= LASTED {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.pause()
    }

    fn pause(&self) -> Duration {
        REGISTER_AGAIN.pause(self.failures, self.site.env.random())
    }

    /// Returns whether the node is unknown at an address at which it has to be known.
    fn is_lacking(&self) -> bool {
        let is_wanted = |place: &Place| place.was_known || self.is_needed(place.ip);
        self.all.iter().any(|place| place.is_unknown() && is_wanted(place))
    }

    /// Returns whether the node has to be known at this address. A node that listens on all
    /// addresses need not be known at each of them, since other nodes may use only some.
    fn is_needed(&self, ip: IpAddr) -> bool {
        let is_named = self.site.name.host().parse() == Ok(ip);
        is_named || ip == self.site.loopback() || ip == self.listens.ip()
    }

    async fn register_first(&mut self) -> Result<(), StartError> {
        let mut failures = Vec::new();
        for n in 0..self.all.len() {
            let mut tries = 0;
            let result = loop {
                match self.register_at(n).await {
                    Err(error) if is_passing(&error) && tries < FIRST_TRIES => tries += 1,
                    result => break result,
                }
                sleep(FIRST_PAUSE).await;
            };
            let ip = self.all[n].ip;
            match result {
                Ok(()) => {}
                Err(error) if self.is_needed(ip) && !self.is_missing(ip, &error) => {
                    return Err(error);
                }
                Err(error) => failures.push((n, error)),
            }
        }
        self.report(&failures);
        Ok(())
    }

    async fn register_again(&mut self) {
        let is_lacking = self.is_lacking();
        if is_lacking {
            report!(info, node = %self.site.name, "registering with the port mapper again");
        }
        let mut failures = Vec::new();
        for n in 0..self.all.len() {
            if self.all[n].is_unknown()
                && let Err(error) = self.register_at(n).await
            {
                failures.push((n, error));
            }
        }
        self.report(&failures);
        if is_lacking {
            self.since = self.site.env.now();
        }
        if self.is_lacking() {
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// Makes the node known at one address.
    async fn register_at(&mut self, n: usize) -> Result<(), StartError> {
        let site = &self.site;
        let node_type = if site.hidden { PublishedType::HIDDEN } else { PublishedType::NORMAL };
        let mark = Mark { id: site.env.random(), listens: self.listens.ip() };
        let info = NodeInfo::new(site.name.alive(), self.listens.port(), node_type)
            .expect("a node's name is valid for a port mapper")
            .with_mark(mark);
        let mapper = SocketAddr::new(self.all[n].ip, site.epmd_port);
        let client = EpmdClient::new(site.network.clone(), mapper);
        let mut result = ask(mapper, client.register(&info)).await;
        // If the request failed because this node has no file descriptor left, a mapper may be
        // running.
        if let Err(EpmdError::Unreachable { error, .. }) = &result
            && site.start_epmd
            && !is_exhausted(error)
        {
            self.bring_up()?;
            result = ask(mapper, client.register(&info)).await;
        }
        let state = match result {
            Ok(registration) => State::Registered(mark.id, Arc::new(registration)),
            Err(EpmdError::NameTaken { .. }) => {
                match ask(mapper, client.lookup(site.name.alive())).await {
                    Ok(Some(found)) if self.is_own(&found) => State::Known,
                    _ => return Err(StartError::NameTaken(site.name.clone())),
                }
            }
            Err(error) => return Err(StartError::Epmd(error)),
        };
        self.all[n] = Place { state, was_known: true, ..Place::new(self.all[n].ip) };
        self.publish();
        Ok(())
    }

    fn registrations(&self) -> impl Iterator<Item = (usize, &Arc<EpmdRegistration>)> {
        self.all.iter().enumerate().filter_map(|(n, place)| match &place.state {
            State::Registered(_, registration) => Some((n, registration)),
            State::Unknown | State::Missing | State::Known => None,
        })
    }

    /// Returns whether a mapper's entry belongs to a current registration of this node. The entry
    /// of an ended registration does not count, since the mapper is about to remove it.
    fn is_own(&self, found: &NodeInfo) -> bool {
        let is_of = |place: &Place| match (&place.state, found.mark()) {
            (State::Registered(id, _), Some(mark)) => *id == mark.id,
            _ => false,
        };
        self.all.iter().any(is_of)
    }

    /// Stores the registrations for [`unregister`], which ends them.
    fn publish(&self) {
        let held = self.registrations().map(|(_, registration)| registration.clone()).collect();
        let before = std::mem::replace(&mut *self.site.registrations.lock(), held);
        // Dropped after the lock is released, since the sockets may belong to a transport of the
        // program.
        drop(before);
    }

    /// Waits until a registration is lost.
    async fn lost(&mut self) {
        let lost = {
            let held = self.registrations();
            let mut held: Vec<_> =
                held.map(|(n, registration)| (n, Box::pin(registration.lost()))).collect();
            poll_fn(|cx| {
                let mut held = held.iter_mut();
                let lost =
                    held.find_map(|(n, lost)| lost.as_mut().poll(cx).is_ready().then_some(*n));
                lost.map_or(Poll::Pending, Poll::Ready)
            })
            .await
        };
        let (node, address) = (&self.site.name, self.all[lost].ip);
        report!(warn, %node, %address, "the connection to the port mapper is lost; registering again");
        self.all[lost].state = State::Unknown;
        self.doubt();
    }

    /// Logs the addresses at which the node could not be registered, each address once.
    fn report(&mut self, failures: &[(usize, StartError)]) {
        let of_note = failures.iter().filter(|(n, error)| {
            !self.all[*n].is_reported && !self.is_missing(self.all[*n].ip, error)
        });
        let why: Vec<String> = of_note.map(|(_, error)| error.to_string()).collect();
        if !why.is_empty() {
            report!(
                warn, node = %self.site.name, why = why.join("; "),
                "the node is not registered at some of its addresses: nodes that look for it there \
                 do not find it"
            );
        }
        for (n, error) in failures {
            self.all[*n].is_reported = true;
            if self.is_missing(self.all[*n].ip, error) {
                self.all[*n].state = State::Missing;
            }
        }
    }

    /// Returns whether the host lacks this loopback address. A host need not have the loopback
    /// addresses of both families.
    fn is_missing(&self, ip: IpAddr, error: &StartError) -> bool {
        use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable};
        let error = match error {
            StartError::Epmd(EpmdError::Unreachable { error, .. }) => error,
            StartError::Mapper(error) => error.error(),
            _ => return false,
        };
        let is_missing =
            matches!(error.kind(), AddrNotAvailable | HostUnreachable | NetworkUnreachable);
        is_missing && ip.is_loopback() && ip != self.listens.ip()
    }

    /// Starts a mapper in this node, on all of its addresses that have none. If another node starts
    /// a mapper at the same moment, this node uses that mapper.
    fn bring_up(&self) -> Result<(), StartError> {
        let site = &self.site;
        let mut addrs = everywhere(self.listens.ip());
        // The single addresses are listed as well, since listening on the unspecified address fails
        // if another mapper has taken one of them.
        addrs.extend(self.all.iter().map(|place| place.ip));
        let config = EpmdConfig {
            port: site.epmd_port,
            addrs,
            relaxed: false,
            idle: EpmdConfig::IDLE,
            creation_seed: site.env.random() as u32,
        };
        let server = EpmdServer::bind_free(&*site.network, &config).map_err(StartError::Mapper)?;
        if let Some(server) = server {
            spawn_service(server.run()).ok_or(NO_ROOM)?;
            report!(info, node = %site.name, port = config.port, "started a port mapper");
        }
        Ok(())
    }
}

/// Returns whether a retry after a short pause is likely to succeed.
fn is_passing(error: &StartError) -> bool {
    match error {
        StartError::NameTaken(_) => true,
        StartError::Epmd(EpmdError::Closed { error, .. }) => {
            error.kind() != io::ErrorKind::TimedOut
        }
        _ => false,
    }
}

async fn ask<T>(
    mapper: SocketAddr,
    question: impl Future<Output = Result<T, EpmdError>>,
) -> Result<T, EpmdError> {
    let error = || EpmdError::Closed { mapper, error: io::ErrorKind::TimedOut.into() };
    timeout(ANSWER_TIME, question).await.unwrap_or_else(|_| Err(error()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use fika_runtime::SystemEnv;

    use super::*;
    use crate::io::Poller;

    /// A node that listens on all addresses need not be known at each of them. But where it was
    /// known once, peers have found it, so it soon registers there again.
    #[test]
    fn an_address_is_lacking_if_it_is_needed_or_was_known() {
        let site = Site {
            network: Arc::new(Poller::new().unwrap()),
            env: Arc::new(SystemEnv::new()),
            name: "a@10.0.0.1".parse().unwrap(),
            hidden: false,
            listen: None,
            epmd_port: 4369,
            start_epmd: true,
            resolver: None,
            setup_time: Duration::from_secs(7),
            registrations: Mutex::default(),
        };
        let since = site.env.now();
        let listens = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 4000);
        let mut places =
            Places { site: Arc::new(site), listens, all: Vec::new(), failures: 0, since };
        for (ip, was_known, is_lacking) in [
            ("127.0.0.1", false, true),
            ("10.0.0.1", false, true),
            ("10.0.0.2", false, false),
            ("10.0.0.2", true, true),
        ] {
            places.all = vec![Place { was_known, ..Place::new(ip.parse().unwrap()) }];
            assert_eq!(places.is_lacking(), is_lacking, "{ip}, {was_known}");
            assert!(is_lacking || places.next_look() == Some(LOOK_EVERY));
            places.all[0].state = State::Known;
            assert!(!places.is_lacking(), "{ip} is registered");
        }
    }
}
