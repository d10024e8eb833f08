//! Keeps the node known to the port mappers of its host, and brings one up where none answers.
//!
//! Other nodes ask the mapper at the address to which they will connect. So the node registers at
//! each address on which it listens, and at the loopback address, where the nodes of this host and
//! `epmd -names` look. A mapper may serve several of these addresses, so the node asks at each:
//!
//! | at an address | then |
//! |---|---|
//! | a mapper takes the name | registered |
//! | the name is taken, by an entry with the mark of one of this node's registrations | the mapper knows the node already, from another address |
//! | the name is taken by another entry | the node can't have the name |
//! | nobody answers | the node starts a mapper, on those of its addresses that have none |
//!
//! So the order in which nodes start does not matter, nor which of them serves which address, nor
//! whether a mapper is Erlang's. A mapper serves only addresses on which its node listens, and
//! loopback: a node on loopback opens nothing to the network, and the first node on another address
//! starts a mapper there. When a mapper ends, each node that it knew goes over its addresses again,
//! and the first one starts a new mapper.

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

/// The longest time for one answer of the mapper (EPMD-18).
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// The pauses before a lost registration is retried (EPMD-17). All nodes of a host lose theirs at
/// the same moment, so there is a pause before the first attempt, too.
const REGISTER_AGAIN: Backoff =
    Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(60) };

/// After a registration that has lasted this long, the pauses start from the shortest again.
const LASTED: Duration = REGISTER_AGAIN.longest;

/// How often a node that listens on all addresses looks for new addresses of its host.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// A first registration is retried after short pauses: a name is free only when the mapper has
/// noticed that its last holder is gone, and a mapper may end while it is asked.
const FIRST_TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// A mapper that is there says at once that it forgets a name.
const FORGETS_WITHIN: Duration = Duration::from_secs(1);

/// What the process that keeps the node registered knows, for as long as there is no such process.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Option<Places>>>);

impl Kept {
    /// Starts the process that keeps the node registered.
    pub(crate) fn start(&self, net_kernel: Pid) -> Result<Pid, StartError> {
        spawn_service(keep(net_kernel, self.clone())).ok_or(NO_ROOM)
    }
}

/// The places while that process has them. They are given back however it ends, so that the next
/// one goes on with the registrations.
struct InUse(Option<Places>, Kept);

impl Drop for InUse {
    fn drop(&mut self) {
        *self.1.0.lock() = self.0.take();
    }
}

/// Registers the node. From then on a process has to keep it registered.
pub(crate) async fn register(site: &Arc<Site>, listens: SocketAddr) -> Result<Kept, StartError> {
    let (site, since) = (site.clone(), site.env.now());
    let mut places = Places { site, listens, all: Vec::new(), failures: 0, since };
    places.look();
    places.register_first().await?;
    let kept = Kept::default();
    *kept.0.lock() = Some(places);
    Ok(kept)
}

/// The error if there is no room for another process.
const NO_ROOM: StartError = StartError::Ended(ExitReason::SystemLimit);

/// Ends the registrations of a node after its [`keep`] process has ended.
pub(crate) async fn unregister(site: &Site) {
    let registrations = std::mem::take(&mut *site.registrations.lock());
    for registration in registrations {
        if timeout(FORGETS_WITHIN, registration.end()).await.is_err() {
            report!(warn, node = %site.name, "the port mapper has not confirmed that it forgets the node");
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

/// The addresses at which the node has to be known.
pub(crate) struct Places {
    site: Arc<Site>,
    /// Where the node listens.
    listens: SocketAddr,
    all: Vec<Place>,
    /// Losses and failed attempts since the last registration that lasted.
    failures: u32,
    /// The time since which the node is known wherever it has to be.
    since: Time,
}

struct Place {
    ip: IpAddr,
    state: State,
    /// The node is known here, or was.
    was_known: bool,
    /// It has been logged that the node is not known here.
    is_reported: bool,
}

enum State {
    Unknown,
    /// The host does not have this loopback address.
    Missing,
    /// The mapper here knows the node already, from another address.
    Known,
    /// The node has registered here, with this number in its mark.
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

    /// Makes the node ask again at the addresses where another registration made it known.
    fn doubt(&mut self) {
        for place in &mut self.all {
            if let State::Known | State::Missing = place.state {
                place.state = State::Unknown;
            }
        }
    }

    /// Returns the addresses at which other nodes may look, loopback first.
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

    /// Returns when to look again if no registration is lost; `None` for never.
    fn next_look(&self) -> Option<Duration> {
        if self.is_lacking() {
            Some(self.pause())
        } else {
            self.listens.ip().is_unspecified().then_some(LOOK_EVERY)
        }
    }

    /// Notes that a registration was lost, and returns how long to wait before the retry.
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

    /// Returns whether the node has to be known at this address. If a node listens on all
    /// addresses, other nodes may use only some of them.
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
            .expect("a node's name keeps to what a mapper takes")
            .with_mark(mark);
        let mapper = SocketAddr::new(self.all[n].ip, site.epmd_port);
        let client = EpmdClient::new(site.network.clone(), mapper);
        let mut result = ask(mapper, client.register(&info)).await;
        // If this node had no descriptor left for asking, there may be a mapper.
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

    /// Returns whether a mapper's entry is one of this node's current registrations. An entry of an
    /// ended registration does not count: the mapper is about to remove it.
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
        // Not under the lock: the sockets may be those of a transport of the program.
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
        report!(warn, %node, %address, "the port mapper is gone; registering again");
        self.all[lost].state = State::Unknown;
        self.doubt();
    }

    /// Logs once that the node is not known at some addresses.
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

    /// Returns whether the host lacks this address: it need not have both loopback addresses.
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

    /// Starts a mapper in this node, on those of its addresses that have none. If another node does
    /// so at the same moment, that mapper is used.
    fn bring_up(&self) -> Result<(), StartError> {
        let site = &self.site;
        let mut addrs = everywhere(self.listens.ip());
        // All of them are listed, since another mapper may have taken some: then listening on all
        // at once fails.
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
            report!(info, node = %site.name, port = config.port, "brought up a port mapper");
        }
        Ok(())
    }
}

/// Returns whether an error is likely to be gone after a short pause.
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
