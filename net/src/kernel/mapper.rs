//! Keeps the node known to the port mappers of its host, and brings one up where none answers.
//!
//! Other nodes ask the mapper at the address to which they will connect. So the node registers at
//! each address on which it listens, and at the loopback address, where the nodes of this host and
//! `epmd -names` look. Which addresses a mapper serves is seen by asking at each of them:
//!
//! | at an address | then |
//! |---|---|
//! | a mapper takes the name | registered |
//! | the name is taken, by an entry with the mark of a registration that the node has | it is a mapper with which the node is registered already: known |
//! | the name is taken by another entry | the node can't have it |
//! | nobody answers | the node brings up a mapper, on those of its addresses where there is none |
//!
//! So it does not matter in which order nodes start, which of them serves which address, and
//! whether one of the mappers is Erlang's. A mapper serves no address on which its node does not
//! listen: a node on loopback opens nothing to the network, and the first one on another address
//! brings up a mapper there. When a mapper ends, each node that it knew goes over its addresses
//! again, and the first brings up another.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use fika_runtime::{Pid, link, sleep, spawn, timeout};

use super::net::Net;
use super::net_sup::StartError;
use super::reachable::{covers, everywhere};
use crate::io::{EpmdClient, EpmdConfig, EpmdError, EpmdRegistration, EpmdServer};
use crate::proto::epmd::{Mark, NodeInfo, PublishedType};

/// The longest time for one answer of the mapper (EPMD-18).
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// How often a lost registration is tried again (EPMD-17).
const RETRY_EVERY: Duration = Duration::from_secs(2);

/// How often a node that listens on all addresses looks whether its host has new ones.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What hinders a first registration may be over in a moment: a name is free only when the mapper
/// has noticed that its last holder is gone, and a mapper may end while it is asked.
const FIRST_TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// A mapper that is there says at once that it forgets a name.
const FORGETS_WITHIN: Duration = Duration::from_secs(1);

/// Registers the node, and returns the process that keeps it registered.
pub(super) async fn register(net: &Arc<Net>, listens: SocketAddr) -> Result<Pid, StartError> {
    let mut places = Places { net: net.clone(), listens, all: Vec::new() };
    places.look();
    places.register_first().await?;
    Ok(spawn(keep(places)))
}

/// Ends the registrations of a node that nobody [`keep`]s any more.
pub(super) async fn unregister(net: &Net) {
    let registrations = std::mem::take(&mut *net.registrations.lock());
    for registration in registrations {
        if timeout(FORGETS_WITHIN, registration.end()).await.is_err() {
            tracing::warn!(node = %net.name(), "the port mapper does not say that it forgets the node");
        }
    }
}

async fn keep(mut places: Places) {
    link(places.net.net_kernel());
    loop {
        match places.next_look() {
            None => places.lost().await,
            // Nothing is lost: it is time to look.
            Some(pause) => drop(timeout(pause, places.lost()).await),
        }
        places.look();
        places.register_again().await;
    }
}

/// The addresses at which the node has to be known.
struct Places {
    net: Arc<Net>,
    /// Where the node listens.
    listens: SocketAddr,
    all: Vec<Place>,
}

struct Place {
    ip: IpAddr,
    state: State,
    /// The node is known here, or was.
    was_known: bool,
    /// That the node is not known here has been logged.
    is_reported: bool,
}

enum State {
    Unknown,
    /// The host does not have this loopback address.
    Missing,
    /// The mapper here is one with which the node is registered at another address.
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
    /// Adds the addresses that the host has now, and removes those that it does not have any more.
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

    /// Has the node ask again wherever it was known by a registration that is gone now.
    fn doubt(&mut self) {
        for place in &mut self.all {
            if let State::Known | State::Missing = place.state {
                place.state = State::Unknown;
            }
        }
    }

    /// The addresses at which other nodes may look, the loopback one first.
    fn wanted(&self) -> Vec<IpAddr> {
        let listens = self.listens.ip();
        let mut wanted = vec![self.net.loopback()];
        if listens.is_ipv6() {
            wanted.push(Ipv6Addr::LOCALHOST.into());
        }
        if !listens.is_unspecified() {
            wanted.push(listens);
        } else if let Some(own) = self.net.own_ips() {
            wanted.extend(own.into_iter().filter(|ip| covers(listens, *ip)));
        } else {
            wanted.extend(self.all.iter().map(|place| place.ip));
        }
        wanted
    }

    /// Returns when to look again though nothing is lost; `None` for never.
    fn next_look(&self) -> Option<Duration> {
        let is_wanted = |place: &Place| place.was_known || self.is_needed(place.ip);
        if self.all.iter().any(|place| place.is_unknown() && is_wanted(place)) {
            Some(RETRY_EVERY)
        } else {
            self.listens.ip().is_unspecified().then_some(LOOK_EVERY)
        }
    }

    /// Whether the node is to be known at this address by all means. Of the addresses of a node
    /// that listens on all, other nodes may use some only.
    fn is_needed(&self, ip: IpAddr) -> bool {
        let is_named = self.net.name().host().parse() == Ok(ip);
        is_named || ip == self.net.loopback() || ip == self.listens.ip()
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
        let mut failures = Vec::new();
        for n in 0..self.all.len() {
            if self.all[n].is_unknown()
                && let Err(error) = self.register_at(n).await
            {
                failures.push((n, error));
            }
        }
        self.report(&failures);
    }

    /// Makes the node known at one address.
    async fn register_at(&mut self, n: usize) -> Result<(), StartError> {
        let net = &self.net;
        let node_type =
            if net.config.hidden { PublishedType::HIDDEN } else { PublishedType::NORMAL };
        let mark = Mark { id: net.env.random(), listens: self.listens.ip() };
        let info = NodeInfo::new(net.name().alive(), self.listens.port(), node_type)
            .expect("a node's name keeps to what a mapper takes")
            .with_mark(mark);
        let mapper = SocketAddr::new(self.all[n].ip, net.config.epmd_port);
        let client = EpmdClient::new(net.network.clone(), mapper);
        let mut result = ask(mapper, client.register(&info)).await;
        if let Err(EpmdError::Unreachable { .. }) = &result
            && net.config.start_epmd
        {
            self.bring_up()?;
            result = ask(mapper, client.register(&info)).await;
        }
        let state = match result {
            Ok(registration) => State::Registered(mark.id, Arc::new(registration)),
            Err(EpmdError::NameTaken { .. }) => {
                match ask(mapper, client.lookup(net.name().alive())).await {
                    Ok(Some(found)) if self.is_own(&found) => State::Known,
                    _ => return Err(StartError::NameTaken(net.name().clone())),
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

    /// Whether a mapper's entry is of a registration that the node has. One that it has given up
    /// is not: the mapper forgets it as soon as it notices.
    fn is_own(&self, found: &NodeInfo) -> bool {
        let is_of = |place: &Place| match (&place.state, found.mark()) {
            (State::Registered(id, _), Some(mark)) => *id == mark.id,
            _ => false,
        };
        self.all.iter().any(is_of)
    }

    /// Makes the registrations known to [`unregister`], which ends them.
    fn publish(&self) {
        let held = self.registrations().map(|(_, registration)| registration.clone());
        *self.net.registrations.lock() = held.collect();
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
        let (node, address) = (self.net.name(), self.all[lost].ip);
        tracing::warn!(%node, %address, "the port mapper is gone; registering again");
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
            tracing::warn!(
                node = %self.net.name(), why = why.join("; "),
                "not registered at all addresses on which the node listens: nodes that look for it \
                 at the others do not find it"
            );
        }
        for (n, error) in failures {
            self.all[*n].is_reported = true;
            if self.is_missing(self.all[*n].ip, error) {
                self.all[*n].state = State::Missing;
            }
        }
    }

    /// Whether it is the address that is missing: a host need not have both loopback addresses.
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

    /// Brings up a mapper in this node, on those of the addresses where there is none. Another
    /// node that does so at the same moment is as good.
    fn bring_up(&self) -> Result<(), StartError> {
        let net = &self.net;
        let mut addrs = everywhere(self.listens.ip());
        // Another mapper may have one of them: then it can't be had for all at once.
        addrs.extend(self.all.iter().map(|place| place.ip));
        let config = EpmdConfig {
            port: net.config.epmd_port,
            addrs,
            relaxed: false,
            idle: EpmdConfig::IDLE,
            creation_seed: net.env.random() as u32,
        };
        let server = EpmdServer::bind_free(&*net.network, &config).map_err(StartError::Mapper)?;
        if let Some(server) = server {
            tracing::info!(node = %net.name(), port = config.port, "brought up a port mapper");
            spawn(server.run());
        }
        Ok(())
    }
}

/// Whether an error may be gone in a moment.
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
