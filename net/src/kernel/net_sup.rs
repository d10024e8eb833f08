//! Starts and ends the distribution of a node, by a process that stays for as long as the node
//! has its name.
//!
//! Starting:
//!
//! 1. The settings are asked for and checked, and the node listens.
//! 2. net_kernel starts.
//! 3. The node registers with the port mapper, or with what stands in its place.
//! 4. The node has its name; connections are made and accepted. Subscribers get `nodeup` of
//!    the own name.
//!
//! A node that is to be named by its first peer (DIST-4) does not listen, and is known nowhere, so
//! step 3 is none; step 4 comes with that connection, in net_kernel. When that connection is
//! lost net_kernel ends, and what follows is an ending as below and a start of its own, but for
//! the settings, which stay.
//!
//! Ending, on request, or when net_kernel or what accepts connections has ended:
//!
//! 1. What waits is written, and all connections are closed; links and monitors are told.
//! 2. net_kernel ends, and with it, by their links, all processes that make and take
//!    connections, and the one that keeps the node registered.
//! 3. The node is `nonode@nohost`.
//! 4. Subscribers get `nodedown` of each peer, then of the own name.
//!
//! Prior art: `erl_distribution.erl` (`net_sup`), `net_kernel:terminate/2`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use fika_runtime::{
    Down, Ended, ExitReason, Local, MailboxLimit, NodeDownReason, NodeName, NodeNameError,
    Reference, exit_process, mailbox_limit, monitor, register, spawn, spawn_monitor,
};

use super::ask::{Caller, ask};
use super::config::Config;
use super::congestion::OUTPUT_BYTES;
use super::distribution::{Distribution, Phase};
use super::net::Net;
use super::net_kernel::{Command, net_kernel};
use super::resolver::ResolveError;
use super::told::not_connected;
use super::{accept, mapper};
use crate::cookie::CookieError;
use crate::io::{Acceptor, EpmdBindError, EpmdError};
use crate::proto::limits::Limits;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Why a node could not become one of many.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It is one already, under this name.
    #[error("already started: the node is distributed as `{0}`")]
    AlreadyStarted(NodeName),
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NodeNameError),
    /// There is no cookie.
    #[error(transparent)]
    Cookie(#[from] CookieError),
    /// It can't listen.
    #[error("can't listen on {addr}: {error}{}", hint(error))]
    Listen {
        /// Where it was to listen.
        addr: SocketAddr,
        /// What the operating system says.
        error: io::Error,
    },
    /// All ports that it may listen on are taken.
    #[error("can't listen on {ip}: all ports from {} to {} are taken", ports.start(), ports.end())]
    NoPort {
        /// Where it was to listen.
        ip: IpAddr,
        /// On one of these.
        ports: RangeInclusive<u16>,
    },
    /// Another node of this host has the name.
    #[error("the name `{0}` is taken: another node of this host is registered under it")]
    NameTaken(NodeName),
    /// The port mapper is of no use.
    #[error(transparent)]
    Epmd(EpmdError),
    /// There is no port mapper, and none could be brought up.
    #[error("no port mapper answers, and none could be brought up: {0}")]
    Mapper(EpmdBindError),
    /// The resolver could not make the node known.
    #[error("the node could not be made known: {0}")]
    Resolver(ResolveError),
    /// A setting is out of its range.
    #[error("{0}")]
    Setting(&'static str),
    /// A process of the program has the name of the one that decides about connections.
    #[error("a process is registered as `net_kernel`: the node needs this name itself")]
    Registered,
    /// The node was made without what a distribution needs.
    #[error("the node has no network")]
    NoNetwork,
    /// A process that it needs ended, or could not be started.
    #[error("the distribution could not be started: {0}")]
    Ended(ExitReason),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; choose another port, or none to have one chosen",
        io::ErrorKind::AddrNotAvailable => "; this host does not have the address",
        _ => "",
    }
}

/// The distribution is to end.
struct Stop(Caller<bool>);

impl Distribution {
    /// Gives the node this name, under which others reach it from now on. To be awaited in a
    /// process of the node.
    ///
    /// # Errors
    /// When it has a name, when a setting is wrong, when it can't listen, or when the port
    /// mapper does not take the name.
    pub async fn start(&self, name: NodeName) -> Result<(), StartError> {
        let period = Period::begin(self.handle(), name)?;
        let (caller, started) = Caller::new();
        let (net_sup, ended) = Ended::spawn(net_sup(period, caller));
        if let Phase::On { net_sup: known, .. } = &mut *self.phase.lock() {
            *known = Some(net_sup);
        }
        match started.await {
            Some(started) => started,
            None => Err(StartError::Ended(ended.await)),
        }
    }

    /// Takes the node's name away; false if it has none. To be awaited in a process of the
    /// node.
    pub async fn stop(&self) -> bool {
        let Phase::On { net_sup: Some(net_sup), .. } = *self.phase.lock() else { return false };
        // It may be ended by another at this moment, which is as good.
        ask(net_sup, Stop).await.unwrap_or(true)
    }
}

async fn net_sup(mut period: Period, caller: Caller<Result<(), StartError>>) {
    // A node's default is meant for the program's own processes.
    mailbox_limit(MailboxLimit::NONE);
    if let Err(error) = period.start().await {
        period.end_in_order().await;
        return caller.answer(Err(error));
    }
    caller.answer(Ok(()));
    let stop = period.until_stop().await;
    period.end_in_order().await;
    if let Some(caller) = stop {
        caller.answer(true);
    }
}

/// The time from a start to its end, however that comes about.
struct Period {
    distribution: Arc<Distribution>,
    name: NodeName,
    net: Option<Arc<Net>>,
    /// Monitors of the processes that end with net_kernel, which is the first of them.
    processes: Vec<Reference>,
    /// Connections are made and accepted. The node has its name, or gets it from its first peer.
    is_current: bool,
    /// The monitor of the process that accepts connections.
    acceptor: Option<Reference>,
    /// What those are told who hear of its end.
    reason: NodeDownReason,
    has_ended: bool,
}

impl Period {
    fn begin(distribution: Arc<Distribution>, name: NodeName) -> Result<Period, StartError> {
        let mut phase = distribution.phase.lock();
        if let Phase::On { name, .. } = &*phase {
            return Err(StartError::AlreadyStarted(name.clone()));
        }
        *phase = Phase::On { name: name.clone(), net_sup: None };
        drop(phase);
        Ok(Period {
            distribution,
            name,
            net: None,
            processes: Vec::new(),
            is_current: false,
            acceptor: None,
            reason: NodeDownReason::NetKernelTerminated,
            has_ended: false,
        })
    }

    async fn start(&mut self) -> Result<(), StartError> {
        let config = (self.distribution.configure)()?;
        check(&config)?;
        let net = Net::new(&self.distribution, self.name.clone(), config.for_name(&self.name));
        let listener = listen(&net)?;
        let listens = listener.as_ref().map(Acceptor::local_addr);
        let started = self.start_net_kernel(&net);
        self.net = Some(net.clone());
        started?;
        match (listens, &net.config.resolver) {
            // Nobody is to find it.
            (None, _) => {}
            (Some(listens), None) => {
                self.processes.push(monitor(mapper::register(&net, listens.port()).await?));
            }
            (Some(listens), Some(resolver)) => {
                resolver.register(net.name(), listens).await.map_err(StartError::Resolver)?;
            }
        }
        if !net.is_nameless() {
            self.distribution.set_name(net.name(), net.creation);
        }
        self.distribution.set_current(Some(net.clone()));
        self.is_current = true;
        net.command(Command::Named);
        if let Some(listener) = listener {
            let acceptor = monitor(spawn(accept::accept(net.clone(), listener)));
            self.processes.push(acceptor);
            self.acceptor = Some(acceptor);
        }
        if !net.is_nameless() {
            net.tell_own_name();
        }
        Ok(())
    }

    fn start_net_kernel(&mut self, net: &Arc<Net>) -> Result<(), StartError> {
        let (pid, ended) = spawn_monitor(net_kernel(net.clone()));
        net.set_net_kernel(pid);
        self.processes.push(ended);
        register("net_kernel", pid).map_err(|_| {
            exit_process(pid, ExitReason::Kill);
            StartError::Registered
        })
    }

    /// Waits for the request to stop; none if what it needs has ended by a mistake.
    async fn until_stop(&mut self) -> Option<Caller<bool>> {
        loop {
            let (net_kernel, acceptor) = (self.processes[0], self.acceptor);
            let (ended, why) = fika_macros::receive! {
                Local(Stop(caller)): Local<Stop> => return Some(caller),
                Down { monitor, reason, .. } if monitor == net_kernel || Some(monitor) == acceptor => {
                    (monitor, reason)
                }
            };
            self.processes.retain(|process| *process != ended);
            if Some(ended) == acceptor && self.has_net_kernel() {
                self.reason = NodeDownReason::NoNetwork;
                tracing::error!(node = %self.name, reason = %why, "nobody accepts connections any more, and so the node has no name any more");
                return None;
            }
            let is_lost = self.name.is_undefined() && why == ExitReason::Shutdown;
            if is_lost && self.go_on_nameless().await.is_ok() {
                continue;
            }
            tracing::error!(node = %self.name, reason = %why, "net_kernel has ended, and so the node has no name any more");
            return None;
        }
    }

    /// What ends with it may be known to have ended before it is.
    fn has_net_kernel(&self) -> bool {
        let node = self.distribution.node();
        self.net.as_ref().zip(node).is_some_and(|(net, node)| node.is_alive(net.net_kernel()))
    }

    /// The connection is lost by which the node came to its name. It gets another one from the
    /// next peer that it connects to.
    async fn go_on_nameless(&mut self) -> Result<(), StartError> {
        let Some(net) = self.net.clone() else { return Err(StartError::NoNetwork) };
        self.end_processes(&net).await;
        let next = net.nameless_again();
        self.start_net_kernel(&next)?;
        self.hand_over(Some(next));
        Ok(())
    }

    /// Ends all that makes and takes connections, and waits until it has ended.
    async fn end_processes(&mut self, net: &Net) {
        net.close(&self.reason);
        exit_process(net.net_kernel(), ExitReason::Kill);
        for process in std::mem::take(&mut self.processes) {
            fika_macros::receive! { Down { monitor, .. } if monitor == process => {} }
        }
    }

    /// Ends it, and waits until nothing is left of it.
    async fn end_in_order(mut self) {
        if let Some(net) = self.net.clone() {
            self.end_processes(&net).await;
            mapper::unregister(&net).await;
            if self.is_current
                && net.config.listens
                && let Some(resolver) = &net.config.resolver
                && let Err(error) = resolver.unregister(net.name()).await
            {
                tracing::warn!(node = %net.name(), %error, "the resolver still knows the node");
            }
        }
        self.end();
    }

    /// Ends it, without waiting.
    fn end(&mut self) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        // When the node itself ends nobody is left to be told.
        let Some(node) = self.distribution.node().filter(|node| !node.is_stopping()) else {
            // The two know each other: neither is to keep the other in memory.
            return self.distribution.set_current(None);
        };
        if let Some(net) = &self.net {
            net.close(&self.reason);
            node.exit_process(net.net_kernel(), ExitReason::Kill);
        }
        self.hand_over(None);
        *self.distribution.phase.lock() = Phase::Off;
    }

    /// Takes the node's name away, if it has one, and tells of that; `next` is there then for who
    /// hears of it.
    fn hand_over(&mut self, next: Option<Arc<Net>>) {
        let Some(net) = std::mem::replace(&mut self.net, next.clone()) else { return };
        let reason = self.reason.clone();
        if self.is_current {
            self.distribution.drop_name(next.clone());
        }
        net.tell_all_down(&reason);
        self.distribution.tell_all_watchers(&reason);
        self.distribution.subscriptions.lock().forget_monitors();
        if self.is_current && !net.is_nameless() {
            self.distribution.tell_nodedown(&not_connected(net.name().clone(), reason));
        }
        if let Some(next) = next {
            next.command(Command::Named);
        }
    }
}

/// A user's resolver may panic, and any process may be killed. The node must not seem to have
/// a name then for which nothing is done.
impl Drop for Period {
    fn drop(&mut self) {
        self.end();
    }
}

fn check(config: &Config) -> Result<(), StartError> {
    if !(4..=1000).contains(&config.intensity) {
        return Err(StartError::Setting("the tick intensity must be in 4..=1000"));
    }
    if !Limits::MESSAGE_BYTES.contains(&config.message_bytes_max) {
        return Err(StartError::Setting("the largest message must be of 4 KiB to 2 GiB"));
    }
    if let Some(ports) = &config.listen_ports
        && (ports.is_empty() || *ports.start() == 0)
    {
        return Err(StartError::Setting(
            "the range of ports to listen on has none, or begins with 0",
        ));
    }
    let (low, high) = (config.output_low_bytes, config.output_high_bytes);
    if !OUTPUT_BYTES.contains(&high) || low > high {
        let why = "the output of a connection must be of 64 KiB to 1 GiB, and its low mark not \
                   above the high one";
        return Err(StartError::Setting(why));
    }
    Ok(())
}

/// Listens where the settings say; none if the node does not listen.
fn listen(net: &Net) -> Result<Option<Acceptor>, StartError> {
    if !net.config.listens {
        return Ok(None);
    }
    let mut addr = net.config.listen.unwrap_or(SocketAddr::new(net.loopback(), 0));
    if addr.port() == 0
        && let Some(resolver) = &net.config.resolver
    {
        addr.set_port(resolver.listen_port(net.name()));
    }
    let listener = match (&net.config.listen_ports, addr.port()) {
        (Some(ports), 0) => listen_on_one(net, addr.ip(), ports.clone())?,
        _ => Acceptor::listen(&*net.network, addr, BACKLOG)
            .map_err(|error| StartError::Listen { addr, error })?,
    };
    if let Ok(host) = net.name().host().parse::<IpAddr>()
        && !host.is_loopback()
        && addr.ip().is_loopback()
    {
        tracing::warn!(
            node = %net.name(), listen = %addr,
            "the node listens on loopback only; give it an address to listen on"
        );
    }
    Ok(Some(listener))
}

/// Listens on the first of these ports that is free.
fn listen_on_one(
    net: &Net,
    ip: IpAddr,
    ports: RangeInclusive<u16>,
) -> Result<Acceptor, StartError> {
    for port in ports.clone() {
        let addr = SocketAddr::new(ip, port);
        match Acceptor::listen(&*net.network, addr, BACKLOG) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            result => return result.map_err(|error| StartError::Listen { addr, error }),
        }
    }
    Err(StartError::NoPort { ip, ports })
}
