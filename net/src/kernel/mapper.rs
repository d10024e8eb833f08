//! Keeps the node known to the port mapper, and brings one up where none answers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use fika_runtime::{Pid, link, sleep, spawn, timeout};

use super::backoff::Backoff;
use super::net::Net;
use super::net_sup::StartError;
use crate::io::{EpmdClient, EpmdConfig, EpmdError, EpmdRegistration, EpmdServer};
use crate::proto::epmd::{NodeInfo, PublishedType};

/// The longest time for one answer of the mapper (EPMD-18).
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// The pauses before a lost registration is made again. All nodes of a host lose theirs at the
/// same moment, so there is one before the first attempt as well.
const REGISTER_AGAIN: Backoff =
    Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(60) };

/// After a registration that has lasted for so long the pauses begin anew.
const LASTED: Duration = REGISTER_AGAIN.longest;

/// A name is free only when the mapper has noticed that its last holder is gone, which
/// may be a moment after the holder's end.
const TAKEN_TRIES: u32 = 5;
const TAKEN_PAUSE: Duration = Duration::from_millis(50);

/// A mapper that is there says at once that it forgets a name.
const FORGETS_WITHIN: Duration = Duration::from_secs(1);

/// Registers the node, and leaves this process behind, which keeps it registered.
pub(super) async fn register(net: &Arc<Net>, port: u16) -> Result<Pid, StartError> {
    let mut tries = 0;
    let registration = loop {
        match register_once(net, port).await {
            Err(StartError::NameTaken(_)) if tries < TAKEN_TRIES => tries += 1,
            result => break result?,
        }
        sleep(TAKEN_PAUSE).await;
    };
    let registration = Arc::new(registration);
    *net.registration.lock() = Some(registration.clone());
    Ok(spawn(keep(net.clone(), port, registration)))
}

/// Ends the registration of a node that nobody [`keep`]s any more.
pub(super) async fn unregister(net: &Net) {
    let registration = net.registration.lock().take();
    if let Some(registration) = registration
        && timeout(FORGETS_WITHIN, registration.end()).await.is_err()
    {
        tracing::warn!(node = %net.name(), "the port mapper does not say that it forgets the node");
    }
}

async fn keep(net: Arc<Net>, port: u16, mut registration: Arc<EpmdRegistration>) {
    link(net.net_kernel());
    let mut failures = 0;
    loop {
        let begun = net.env.now();
        registration.lost().await;
        tracing::warn!(node = %net.name(), "the port mapper is gone; registering again");
        if net.env.now().since(begun) >= LASTED {
            failures = 0;
        }
        registration = loop {
            failures += 1;
            sleep(REGISTER_AGAIN.pause(failures, net.env.random())).await;
            match register_once(&net, port).await {
                Ok(again) => {
                    let again = Arc::new(again);
                    *net.registration.lock() = Some(again.clone());
                    break again;
                }
                Err(error) => tracing::warn!(node = %net.name(), %error, "not registered"),
            }
        };
    }
}

async fn register_once(net: &Net, port: u16) -> Result<EpmdRegistration, StartError> {
    let node_type = if net.config.hidden { PublishedType::HIDDEN } else { PublishedType::NORMAL };
    let info = NodeInfo::new(net.name().alive(), port, node_type)
        .expect("a node's name keeps to what a mapper takes");
    let mapper = SocketAddr::new(net.loopback(), net.config.epmd_port);
    let client = EpmdClient::new(net.network.clone(), mapper);
    match ask(&client, mapper, &info).await {
        Err(EpmdError::Unreachable { .. }) if net.config.start_epmd => bring_up(net)?,
        result => return result.map_err(|error| failed(net, error)),
    }
    ask(&client, mapper, &info).await.map_err(|error| failed(net, error))
}

async fn ask(
    client: &EpmdClient,
    mapper: SocketAddr,
    info: &NodeInfo,
) -> Result<EpmdRegistration, EpmdError> {
    let error = || EpmdError::Closed { mapper, error: std::io::ErrorKind::TimedOut.into() };
    timeout(ANSWER_TIME, client.register(info)).await.unwrap_or_else(|_| Err(error()))
}

fn failed(net: &Net, error: EpmdError) -> StartError {
    match error {
        EpmdError::NameTaken { .. } => StartError::NameTaken(net.name().clone()),
        error => StartError::Epmd(error),
    }
}

/// Brings up a mapper in this node. Another node that does the same at the same moment is
/// as good.
fn bring_up(net: &Net) -> Result<(), StartError> {
    let listens = net.config.listen.map(|listen| listen.ip());
    let mut addrs: Vec<IpAddr> = vec![net.loopback()];
    addrs.extend(listens.filter(|ip| !ip.is_loopback()));
    if addrs.iter().any(IpAddr::is_unspecified) {
        addrs.retain(IpAddr::is_unspecified);
    }
    let config = EpmdConfig {
        port: net.config.epmd_port,
        addrs,
        relaxed: false,
        idle: EpmdConfig::IDLE,
        creation_seed: net.env.random() as u32,
    };
    match EpmdServer::bind(&*net.network, &config) {
        Ok(server) => {
            tracing::info!(node = %net.name(), port = config.port, "brought up a port mapper");
            spawn(server.run());
            Ok(())
        }
        Err(error) if error.is_in_use() => Ok(()),
        Err(error) => Err(StartError::Mapper(error)),
    }
}
