//! Starts and ends the distribution of a node. The process net_sup runs as long as the node has its
//! name.
//!
//! Starting:
//!
//! 1. net_sup gets and checks the settings, and the node starts to listen.
//! 2. net_kernel starts.
//! 3. The node registers with the port mapper, or with the program's resolver.
//! 4. The node has its name, and makes and accepts connections. Subscribers get the `nodeup` of the
//!    node's own name.
//!
//! A node that gets its name from its first peer (DIST-4) does not listen or register, so there is
//! no step 3. net_kernel does step 4 when the connection to that peer is up. When this connection
//! is lost, net_kernel ends. The distribution then ends as below, and starts again with the same
//! settings.
//!
//! A process of the distribution that crashes or is killed is restarted:
//!
//! | process that ends | result |
//! |---|---|
//! | net_kernel | its links end the other processes of this table, and all are restarted; the name, connections and subscriptions stay, and attempts to connect begin again |
//! | the process that accepts connections | it is restarted; the port stays open |
//! | the process that keeps the node registered | it is restarted; the registrations stay |
//! | a process that makes or accepts one connection | that attempt has failed |
//! | the port mapper | the registrations are lost: see `mapper` |
//!
//! After too many restarts the distribution ends. net_sup itself accepts no exit signals or links.
//! `process::guard` of the runtime decides what other nodes can do to these processes.
//!
//! Ending, on request, or when a process can't be restarted:
//!
//! 1. All connections write their waiting output and are closed. Processes with links and monitors
//!    are notified.
//! 2. net_kernel ends. Its links end all processes that make and accept connections, and the
//!    process that keeps the node registered.
//! 3. The node is `nonode@nohost`.
//! 4. Subscribers get the `nodedown` of each peer, then of the node's own name.
//!
//! Prior art: `erl_distribution.erl` (`net_sup`), `net_kernel:terminate/2`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use fika_runtime::{
    Down, Ended, ExitReason, Local, NodeDownReason, NodeName, Pid, Reference, Time, check_tags,
    exit_process, monitor, register, report, spawn_open_service_monitor, spawn_service,
};

use super::command::Command;
use super::net_kernel::{Legacy, net_kernel};
use crate::dist::discovery::{mapper, reachable};
use crate::dist::setup::{Entrance, accept};
use crate::dist::start_error::StartError;
use crate::dist::state::{Base, Caller, Distribution, Net, Started, ask, not_connected};
use crate::io::Acceptors;
use crate::proto::handshake::NAME_BYTES_MAX;

/// The error when the node has reached its limit of processes.
const NO_ROOM: StartError = StartError::Ended(ExitReason::SystemLimit);

/// The distribution ends if more than `RESTARTS_MAX` restarts are needed within this time. A bug
/// that ends a process may end it again and again.
const RESTARTS_MAX: usize = 10;
const RESTARTS_WITHIN: Duration = Duration::from_secs(10);

/// A process that net_sup restarts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Child {
    NetKernel,
    /// Accepts connections.
    Acceptor,
    /// Keeps the node registered with port mappers.
    Keeper,
}

impl Child {
    fn name(self) -> &'static str {
        match self {
            Child::NetKernel => "net_kernel",
            Child::Acceptor => "acceptor",
            Child::Keeper => "mapper",
        }
    }
}

/// A request to end the distribution.
struct Stop(Caller<bool>);

impl Distribution {
    /// Starts the distribution under this name, under which other nodes can then reach the node.
    /// Await this in a process of the node.
    ///
    /// # Errors
    /// If the node has a name already, if no other node could reach it under this name, or if a
    /// setting is invalid. If the node can't listen, if the port mapper refuses the name, or if two
    /// message types of the program have the same tag.
    pub async fn start(&self, name: NodeName) -> Result<(), StartError> {
        check_name(&name)?;
        check_tags()?;
        let supervisor = Supervisor::begin(self.handle(), name)?;
        let (caller, started) = Caller::new();
        let service = Ended::spawn_root_service(net_sup(supervisor, caller));
        let (net_sup, ended) = service.ok_or(StartError::Ended(ExitReason::SystemLimit))?;
        if let Started::Yes { net_sup: known, .. } = &mut *self.started.lock() {
            *known = Some(net_sup);
        }
        match started.await {
            Some(started) => started,
            None => Err(StartError::Ended(ended.await)),
        }
    }

    /// Takes the node's name away. Returns false if the node has none. Await this in a process of
    /// the node.
    pub async fn stop(&self) -> bool {
        let Started::Yes { net_sup: Some(net_sup), .. } = *self.started.lock() else {
            return false;
        };
        // If another process ends the distribution at this moment, the result is true, too.
        ask(net_sup, Stop).await.unwrap_or(true)
    }
}

async fn net_sup(mut supervisor: Supervisor, caller: Caller<Result<(), StartError>>) {
    if let Err(error) = supervisor.start().await {
        supervisor.end_in_order().await;
        return caller.answer(Err(error));
    }
    caller.answer(Ok(()));
    let stop = supervisor.until_stop().await;
    supervisor.end_in_order().await;
    if let Some(caller) = stop {
        caller.answer(true);
    }
}

/// The state of net_sup. Its destructor ends the distribution, even if net_sup panics or is killed.
struct Supervisor {
    distribution: Arc<Distribution>,
    name: NodeName,
    net: Option<Arc<Net>>,
    /// The state that a net_kernel leaves for its successor.
    legacy: Legacy,
    /// The processes that are restarted, each with its monitor. net_kernel is the first; the others
    /// end with it.
    processes: Vec<(Child, Pid, Reference)>,
    /// The listener for connections, if the node listens.
    entrance: Option<Arc<Entrance>>,
    /// The registrations with port mappers, if the node uses port mappers.
    kept: Option<mapper::Kept>,
    /// The times of recent restarts, the latest at the end.
    restarts: Vec<Time>,
    /// Whether connections are made and accepted. The node then has its name, or will get it from
    /// its first peer.
    is_current: bool,
    /// The reason in the `NodeDown` messages when the distribution ends.
    reason: NodeDownReason,
    has_ended: bool,
}

impl Supervisor {
    fn begin(distribution: Arc<Distribution>, name: NodeName) -> Result<Supervisor, StartError> {
        let mut started = distribution.started.lock();
        if let Started::Yes { name, .. } = &*started {
            return Err(StartError::AlreadyStarted(name.clone()));
        }
        *started = Started::Yes { name: name.clone(), net_sup: None };
        drop(started);
        Ok(Supervisor {
            distribution,
            name,
            net: None,
            legacy: Legacy::default(),
            processes: Vec::new(),
            entrance: None,
            kept: None,
            restarts: Vec::new(),
            is_current: false,
            reason: NodeDownReason::NetKernelTerminated,
            has_ended: false,
        })
    }

    fn base(&self) -> &Arc<Base> {
        &self.distribution.base
    }

    async fn start(&mut self) -> Result<(), StartError> {
        let config = (self.distribution.configure)()?;
        config.check()?;
        let net = Net::new(self.base().clone(), self.name.clone(), config.for_name(&self.name));
        let listener = listen(&net)?;
        let listens = listener.as_ref().map(Acceptors::local_addr);
        listens.map_or(Ok(()), |listens| reachable::check(&net.site, listens))?;
        let started = self.start_net_kernel(&net);
        self.net = Some(net.clone());
        started?;
        match (listens, &net.config.resolver) {
            // No other node needs to find this node.
            (None, _) => {}
            (Some(listens), None) => {
                self.kept = Some(mapper::register(&net.site, listens).await?);
                self.start_child(Child::Keeper, &net)?;
                if !listens.ip().is_loopback() && net.name().host().parse::<IpAddr>().is_err() {
                    // The process only logs warnings, so the node starts without it if it has
                    // reached its limit of processes.
                    let _ = spawn_service(reachable::check_host(
                        net.site.clone(),
                        net.net_kernel(),
                        listens,
                    ));
                }
            }
            (Some(listens), Some(resolver)) => {
                resolver.register(net.name(), listens).await.map_err(StartError::Resolver)?;
            }
        }
        if !net.is_nameless() {
            self.base().set_name(net.name(), net.creation);
        }
        self.distribution.set_current(Some(net.clone()));
        self.is_current = true;
        net.tell_net_kernel(Command::Named);
        self.entrance = listener.map(Entrance::new);
        self.start_child(Child::Acceptor, &net)?;
        if !net.is_nameless() {
            net.tell_own_name();
        }
        Ok(())
    }

    fn start_net_kernel(&mut self, net: &Arc<Net>) -> Result<(), StartError> {
        let started = spawn_open_service_monitor(net_kernel(net.clone(), self.legacy.clone()));
        let (pid, ended) = started.ok_or(NO_ROOM)?;
        net.set_net_kernel(pid);
        self.processes.push((Child::NetKernel, pid, ended));
        register("net_kernel", pid).map_err(|_| {
            net.kill_net_kernel();
            StartError::Registered
        })
    }

    /// Starts a process that is linked to net_kernel, if the node needs that process.
    fn start_child(&mut self, child: Child, net: &Arc<Net>) -> Result<(), StartError> {
        let pid = match (child, &self.entrance, &self.kept) {
            (Child::Acceptor, Some(entrance), _) => {
                spawn_service(accept(net.clone(), entrance.clone())).ok_or(NO_ROOM)?
            }
            (Child::Keeper, _, Some(kept)) => kept.start(net.net_kernel())?,
            _ => return Ok(()),
        };
        self.processes.push((child, pid, monitor(pid)));
        Ok(())
    }

    /// Waits for the request to stop. `None` if a process that the node needs has ended and can't
    /// be restarted.
    async fn until_stop(&mut self) -> Option<Caller<bool>> {
        loop {
            let processes = &self.processes;
            let ended = |monitor| processes.iter().position(|(_, _, process)| *process == monitor);
            let (place, why) = fika_macros::receive! {
                Local(Stop(caller)): Local<Stop> => return Some(caller),
                Down { monitor, reason, .. } if ended(monitor).is_some() => (ended(monitor)?, reason),
            };
            let (child, ..) = self.processes.remove(place);
            let net = self.net.clone()?;
            if net.is_stopping() {
                return None;
            }
            let is_lost = self.name.is_undefined() && why == ExitReason::Shutdown;
            if is_lost {
                match self.go_on_nameless().await {
                    Ok(()) => continue,
                    // All connections are closed already, so there is nothing to restart.
                    Err(error) => {
                        report!(error, node = %self.name, %error, "the connection that named the node is lost, and the node can't wait for another one: the distribution ends");
                        return None;
                    }
                }
            }
            let (child, why, restarted) = self.restart(&net, child, why).await;
            let (node, process) = (&self.name, child.name());
            if let Err(error) = restarted {
                report!(error, %node, process, reason = %why, %error, "a process of the distribution has ended, so the node has lost its name");
                if child == Child::Acceptor {
                    self.reason = NodeDownReason::NoNetwork;
                }
                return None;
            }
            report!(error, %node, process, reason = %why, "a process of the distribution has ended, and is restarted: the node keeps its name and its connections");
        }
    }

    /// Restarts a process that has ended. If net_kernel has ended, restarts all processes. Returns
    /// the process that ended first, the reason, and the result of the restart.
    async fn restart(
        &mut self,
        net: &Arc<Net>,
        mut child: Child,
        mut why: ExitReason,
    ) -> (Child, ExitReason, Result<(), String>) {
        // A process that ended because of its link to net_kernel may be reported before net_kernel.
        let has_net_kernel = net.base.node().is_some_and(|node| node.is_alive(net.net_kernel()));
        if !has_net_kernel {
            let rest = std::mem::take(&mut self.processes);
            // Links have ended these processes already, unless net_kernel has ended with `normal`.
            rest.iter().for_each(|(_, pid, _)| exit_process(*pid, ExitReason::Kill));
            for (other, _, process) in rest {
                let reason = fika_macros::receive! {
                    Down { monitor, reason, .. } if monitor == process => reason,
                };
                if other == Child::NetKernel {
                    (child, why) = (other, reason);
                }
            }
        }
        let now = net.base.env.now();
        self.restarts.retain(|at| now.since(*at) < RESTARTS_WITHIN);
        if self.restarts.len() >= RESTARTS_MAX {
            let within = RESTARTS_WITHIN.as_secs();
            let error = format!("there were {RESTARTS_MAX} restarts within {within} s already");
            return (child, why, Err(error));
        }
        self.restarts.push(now);
        let restarted = match has_net_kernel {
            true => self.start_child(child, net),
            false => self.start_all(net),
        };
        (child, why, restarted.map_err(|error| error.to_string()))
    }

    /// Starts all processes again.
    fn start_all(&mut self, net: &Arc<Net>) -> Result<(), StartError> {
        self.base().subscriptions.lock().forget_monitors();
        self.start_net_kernel(net)?;
        net.tell_net_kernel(Command::TakeOver);
        self.start_child(Child::Keeper, net)?;
        self.start_child(Child::Acceptor, net)
    }

    /// Continues after the connection that named the node is lost. The next peer to which the node
    /// connects gives it another name.
    async fn go_on_nameless(&mut self) -> Result<(), StartError> {
        let Some(net) = self.net.clone() else { return Err(StartError::NoNetwork) };
        self.end_processes(&net).await;
        let next = net.nameless_again();
        self.legacy = Legacy::default();
        self.start_net_kernel(&next)?;
        self.hand_over(Some(next));
        Ok(())
    }

    /// Ends the processes that make and accept connections, and waits until they have ended.
    async fn end_processes(&mut self, net: &Net) {
        net.close(&self.reason);
        net.kill_net_kernel();
        for (_, _, process) in std::mem::take(&mut self.processes) {
            fika_macros::receive! { Down { monitor, .. } if monitor == process => {} }
        }
    }

    /// Ends the distribution, and waits until nothing is left of it.
    async fn end_in_order(mut self) {
        if let Some(net) = self.net.clone() {
            self.end_processes(&net).await;
            mapper::unregister(&net.site).await;
            if self.is_current
                && net.config.listens
                && let Some(resolver) = &net.config.resolver
                && let Err(error) = resolver.unregister(net.name()).await
            {
                report!(warn, node = %net.name(), %error, "the resolver still knows the node");
            }
        }
        self.end();
    }

    /// Ends the distribution, without waiting.
    fn end(&mut self) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        // When the node itself ends, no process is left to notify.
        if self.base().node().is_none_or(|node| node.is_stopping()) {
            return self.distribution.set_current(None);
        }
        if let Some(net) = &self.net {
            net.close(&self.reason);
            net.kill_net_kernel();
        }
        self.hand_over(None);
        *self.distribution.started.lock() = Started::No;
    }

    /// Takes the node's name away, if it has one, and notifies subscribers. When they are notified,
    /// `next` is already the current period.
    fn hand_over(&mut self, next: Option<Arc<Net>>) {
        let Some(net) = std::mem::replace(&mut self.net, next.clone()) else { return };
        let reason = self.reason.clone();
        if self.is_current {
            net.drop_name();
            self.distribution.set_current(next.clone());
        }
        net.tell_all_down(&reason);
        self.base().tell_all_watchers(&reason);
        self.base().subscriptions.lock().forget_monitors();
        if self.is_current && !net.is_nameless() {
            self.base().tell_nodedown(&not_connected(net.name().clone(), reason));
        }
        if let Some(next) = next {
            next.tell_net_kernel(Command::Named);
        }
    }
}

/// Ends the distribution if net_sup has not done it: the program's resolver may panic, and any
/// process may be killed. The node must not keep a name when no process serves it.
impl Drop for Supervisor {
    fn drop(&mut self) {
        if self.is_current
            && !self.has_ended
            && self.net.as_ref().is_some_and(|net| !net.is_stopping())
        {
            report!(error, node = %self.name, "net_sup has ended, so the node has lost its name");
        }
        self.end();
    }
}

/// Returns an error for a valid name that a node can't have.
fn check_name(name: &NodeName) -> Result<(), StartError> {
    let why = if *name == NodeName::nonode() {
        "this name stands for a node without a name"
    } else if name.as_str().len() > NAME_BYTES_MAX {
        "the name is longer than 480 bytes, so no node could connect to it"
    } else {
        return Ok(());
    };
    Err(StartError::UnusableName { name: name.clone(), why })
}

/// Listens on the address in the settings. Returns `None` if the node does not listen.
fn listen(net: &Net) -> Result<Option<Acceptors>, StartError> {
    if !net.config.listens {
        return Ok(None);
    }
    let mut addr = net.config.listen.unwrap_or(SocketAddr::new(net.site.loopback(), 0));
    if addr.port() == 0
        && let Some(resolver) = &net.config.resolver
    {
        addr.set_port(resolver.listen_port(net.name()));
    }
    let listener = match (&net.config.listen_ports, addr.port()) {
        (Some(ports), 0) => listen_on_one(net, addr.ip(), ports.clone())?,
        _ => reachable::listen(&net.site, addr)
            .map_err(|error| StartError::Listen { addr, error })?,
    };
    Ok(Some(listener))
}

/// Listens on the first of these ports that is free.
fn listen_on_one(
    net: &Net,
    ip: IpAddr,
    ports: RangeInclusive<u16>,
) -> Result<Acceptors, StartError> {
    for port in ports.clone() {
        let addr = SocketAddr::new(ip, port);
        match reachable::listen(&net.site, addr) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            result => return result.map_err(|error| StartError::Listen { addr, error }),
        }
    }
    Err(StartError::NoPort { ip, ports })
}
