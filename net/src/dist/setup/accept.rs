//! Accepts the connections of other nodes. One process accepts, and each handshake has its own
//! process.
//!
//! A peer that has not proved itself costs a process and a frame. Both its time and the number of
//! such peers are limited. At the limit, a random one of these peers is dropped. So a program that
//! opens many connections and stays silent does not keep other nodes out. The next connection is
//! served when the process of the dropped one has ended. Each address may begin only a limited
//! number of handshakes in a time (`accept_rate`).

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fika_runtime::{
    Down, ExitReason, NodeName, Pid, exit_process, link, monitor, report, self_pid, sleep,
    spawn_service, timeout, yield_now,
};
use parking_lot::Mutex;

use super::accept_rate::AcceptRate;
use super::attempt::{Attempt, Claimed, Handshaken};
use super::framed::{Failure, Framed};
use crate::dist::state::{BadCookie, Decision, Net, ask_linked};
use crate::io::{Acceptors, Stream, source_of};
use crate::proto::handshake::responder::{AwaitHello, AwaitProof, Greeted, Proved};
use crate::proto::handshake::{HandshakeError, Status};

/// The maximum number of handshakes in progress, from all addresses.
const HALF_OPEN_MAX: usize = 256;

/// The maximum number of handshakes in progress from one address. The nodes of this host are not
/// limited in this way, since many of them may start at the same time.
const HALF_OPEN_PER_ADDRESS_MAX: usize = 16;

/// The pause before the next accept after an error of the operating system, so that accepting does
/// not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The listener and its limits. They outlive the process that accepts connections, so that a
/// restart of that process neither closes the port nor resets a limit.
pub(crate) struct Entrance {
    listener: Mutex<Acceptors>,
    half_open: HalfOpen,
    /// The number of connections that have been accepted.
    accepted: AtomicU64,
}

/// The handshakes in progress of peers that have not proved themselves, and the rates at which
/// addresses may begin new ones.
#[derive(Clone, Default)]
struct HalfOpen(Arc<Mutex<BTreeMap<u64, Handshake>>>, Arc<Mutex<AcceptRate>>);

struct Handshake {
    ip: IpAddr,
    /// The process that does the handshake, known a moment after it was spawned.
    pid: Option<Pid>,
}

impl Entrance {
    pub(crate) fn new(listener: Acceptors) -> Arc<Entrance> {
        let (half_open, accepted) = (HalfOpen::default(), AtomicU64::new(0));
        Arc::new(Entrance { listener: Mutex::new(listener), half_open, accepted })
    }
}

pub(crate) async fn accept(net: Arc<Net>, entrance: Arc<Entrance>) {
    link(net.net_kernel());
    let half_open = &entrance.half_open;
    loop {
        match poll_fn(|cx| entrance.listener.lock().poll_accept(cx)).await {
            Ok(_) if net.is_stopping() => return,
            Ok(stream) => {
                let accepted = entrance.accepted.fetch_add(1, Ordering::Relaxed);
                let ip = stream.peer_addr().ip();
                // A connection that is not admitted is closed immediately. This costs less than any
                // request of the peer.
                let admitted = half_open.1.lock().admits(ip, net.base.env.now());
                half_open.tell_emptied(&net);
                if admitted {
                    half_open.make_room(&net, ip).await;
                    // The handshake is listed before its process runs, since many connections may
                    // be accepted before one of their processes runs.
                    let listed = half_open.list(accepted, ip);
                    match spawn_service(serve(net.clone(), listed, stream)) {
                        Some(pid) => half_open.found(accepted, pid),
                        // This connection is closed. There may be room for the next one.
                        None => net.logs.no_process.line(net.base.env.now(), |left_out| {
                            report!(
                                warn, %ip, left_out,
                                "a connection is closed: there is no room for a process to serve it"
                            );
                        }),
                    }
                }
                // While connections arrive without a pause, other processes run only here.
                yield_now().await;
            }
            Err(error) => {
                net.logs.not_accepted.line(net.base.env.now(), |left_out| {
                    report!(warn, %error, left_out, "a connection could not be accepted");
                });
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl HalfOpen {
    /// Reports an address that has reached its limit.
    fn tell_emptied(&self, net: &Net) {
        let emptied = self.1.lock().take_emptied();
        let Some(from) = emptied else { return };
        net.logs.pushy.line(net.base.env.now(), |left_out| {
            report!(
                warn, %from, left_out,
                "too many connections or wrong cookies: further connections are closed immediately"
            );
        });
    }

    /// Checks a peer's proof, unless too many wrong proofs have arrived from its address.
    fn prove(
        &self,
        net: &Net,
        stream: &Stream,
        responder: AwaitProof,
        proof: &[u8],
    ) -> Result<Proved, Failure> {
        let (from, now) = (stream.peer_addr().ip(), net.base.env.now());
        let is_paid = self.1.lock().may_prove(from, now);
        self.tell_emptied(net);
        if !is_paid && !stream.is_of_this_user() {
            return Err(Failure::TooManyGuesses);
        }
        let proved = responder.handle(proof)?;
        if is_paid {
            self.1.lock().proved(from);
        }
        Ok(proved)
    }

    fn list(&self, number: u64, ip: IpAddr) -> Listed {
        self.0.lock().insert(number, Handshake { ip, pid: None });
        Listed(self.clone(), number)
    }

    fn found(&self, number: u64, pid: Pid) {
        // The handshake may have ended already.
        if let Some(handshake) = self.0.lock().get_mut(&number) {
            handshake.pid = Some(pid);
        }
    }

    /// Drops a random handshake if a limit is reached, and waits until its process has ended.
    /// Without this wait, many processes that are killed and have not ended could pile up.
    async fn make_room(&self, net: &Net, from: IpAddr) {
        let Some(victim) = self.choose(net, from) else { return };
        net.logs.crowded.line(net.base.env.now(), |left_out| {
            report!(warn, %from, left_out, "too many handshakes at the same time: one is dropped");
        });
        let ended = monitor(victim);
        exit_process(victim, ExitReason::Kill);
        fika_macros::receive! { Down { monitor, .. } if monitor == ended => {} }
    }

    /// Chooses a random handshake to drop, if one has to be dropped.
    fn choose(&self, net: &Net, from: IpAddr) -> Option<Pid> {
        let mut all = self.0.lock();
        let candidates = crowd(&all, from);
        if candidates.is_empty() {
            return None;
        }
        all.remove(&candidates[net.base.env.random() as usize % candidates.len()])?.pid
    }
}

/// Returns the candidates to drop before another handshake from this address begins. The list is
/// empty if no limit is reached. A /64 network of IPv6 counts as one address.
fn crowd(all: &BTreeMap<u64, Handshake>, from: IpAddr) -> Vec<u64> {
    let source = source_of(from);
    let same = all.iter().filter(|(_, handshake)| source_of(handshake.ip) == source);
    let same: Vec<u64> = same.map(|(number, _)| *number).collect();
    if !source.is_loopback() && same.len() >= HALF_OPEN_PER_ADDRESS_MAX {
        same
    } else if all.len() >= HALF_OPEN_MAX {
        all.keys().copied().collect()
    } else {
        Vec::new()
    }
}

/// Removes the handshake from the list when its process ends in any way.
struct Listed(HalfOpen, u64);

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.0.lock().remove(&self.1);
    }
}

async fn serve(net: Arc<Net>, listed: Listed, stream: Stream) {
    link(net.net_kernel());
    let from = stream.peer_addr();
    // Boxed, since a future that is moved by value takes its space several times.
    let handshake = Box::pin(respond(&net, listed, stream));
    match timeout(net.config.handshake_time, handshake).await {
        Ok(Ok(())) => {}
        Ok(Err(Failure::Handshake(error))) => {
            if net.tells_of(&error, from) {
                net.logs.refused.line(net.base.env.now(), |left_out| {
                    report!(error, %from, %error, left_out, "a connection was refused");
                });
            }
        }
        Ok(Err(failure)) => tracing::debug!(%from, %failure, "a connection was not made"),
        Err(_) => net.logs.slow.line(net.base.env.now(), |left_out| {
            let why = "a connection was refused: its handshake took too long";
            report!(warn, %from, left_out, "{why}");
        }),
    }
}

impl Net {
    /// Returns whether to log an error of a handshake. For a bad cookie, the program's handler
    /// decides.
    fn tells_of(&self, error: &HandshakeError, from: SocketAddr) -> bool {
        match (&self.config.handler, error) {
            (Some(handler), HandshakeError::BadProof { peer }) => {
                let attempt = BadCookie { claimed: peer.clone(), from };
                self.decide(|| handler.bad_cookie(attempt)) != Decision::Refuse
            }
            _ => true,
        }
    }
}

/// The claim of this attempt to a channel, until the channel goes up. Dropping it tells net_kernel
/// that the attempt has failed. This also happens if the process is killed, or if its time is over
/// while net_kernel's answer is on its way.
struct Claim<'a> {
    net: &'a Net,
    peer: Option<NodeName>,
    by: Pid,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(peer) = self.peer.take() {
            self.net.tell_net_kernel(Attempt::ClaimFailed { peer, by: self.by });
        }
    }
}

async fn respond(net: &Net, listed: Listed, stream: Stream) -> Result<(), Failure> {
    net.set_up_socket(&stream);
    let mut framed = Framed::new(stream);
    let hello = framed.read().await?;
    let greeted = AwaitHello::new(net.identity()).handle(&hello);
    drop(hello);
    let greeted = framed.courtesy(greeted).await?;
    let greeted = name(net, &framed, greeted).await?;
    let (peer, is_named) = (greeted.peer().clone(), greeted.asks_for_name());
    let replaces: bool =
        ask_linked(net.net_kernel(), |caller| Attempt::Hello { peer: peer.clone(), caller }).await;
    if is_named && replaces {
        // Another node has got this name in the meantime.
        return refuse(&framed, greeted, Status::NotAllowed).await;
    }
    // A peer that has not proved itself gets an answer that does not reveal which nodes are
    // connected or allowed.
    let status = if is_named { Status::Named } else { Status::Ok };
    let (proof, frame) =
        greeted.accept(status, &net.secret(&peer), framed.transport(), net.nonce());
    framed.write(&frame).await?;
    drop(frame);
    let proved = {
        let proof_i = framed.read().await?;
        listed.0.prove(net, &framed.stream, proof, &proof_i)?
    };
    // The peer has proved itself, so it is not dropped to make room for another handshake any more.
    drop(listed);
    // Boxed, so that a peer that has not proved itself takes no memory for the next step.
    Box::pin(claim(net, framed, replaces, proved)).await
}

/// Claims the channel of a peer that has proved itself, and answers its proof.
async fn claim(
    net: &Net,
    mut framed: Framed,
    replaces: bool,
    proved: Proved,
) -> Result<(), Failure> {
    let peer = proved.peer().clone();
    // If this node was slow, the peer may have given up this attempt, and another connection may
    // have been made and lost. Then this connection has no peer any more.
    if framed.is_closed() {
        return Err(Failure::Superfluous);
    }
    let mut claim = Claim { net, peer: Some(peer.clone()), by: self_pid() };
    let answer =
        ask_linked(net.net_kernel(), |caller| Attempt::Claim { peer, replaces, caller }).await;
    let channel = match answer {
        Claimed::Yes(channel) => channel,
        Claimed::Superfluous => return Err(Failure::Superfluous),
        Claimed::OursSurvives => return refuse_proved(&framed, proved, Status::Nok).await,
        Claimed::NotAllowed => return refuse_proved(&framed, proved, Status::NotAllowed).await,
    };
    let (established, frame) = proved.accept();
    framed.write(&frame).await?;
    claim.peer = None;
    let handshaken = Handshaken { established, framed };
    net.tell_net_kernel(Attempt::Up { channel, handshaken, by: self_pid() });
    Ok(())
}

/// Gives the peer a name if it asks for one (DIST-4).
async fn name(net: &Net, framed: &Framed, greeted: Greeted) -> Result<Greeted, Failure> {
    if !greeted.asks_for_name() {
        return Ok(greeted);
    }
    match net.new_name(greeted.peer().host()) {
        Some(name) => Ok(greeted.named(name)),
        None => refuse(framed, greeted, Status::NotAllowed).await,
    }
}

async fn refuse_proved<T>(framed: &Framed, proved: Proved, status: Status) -> Result<T, Failure> {
    framed.write(&proved.refuse(status)).await?;
    Err(Failure::Refused(status))
}

async fn refuse<T>(framed: &Framed, greeted: Greeted, status: Status) -> Result<T, Failure> {
    framed.write(&greeted.refuse(status)).await?;
    Err(Failure::Refused(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(half_open: &HalfOpen, ips: impl IntoIterator<Item = IpAddr>) -> Vec<Listed> {
        (0..).zip(ips).map(|(number, ip)| half_open.list(number, ip)).collect()
    }

    fn crowd_of(half_open: &HalfOpen, from: &str) -> usize {
        crowd(&half_open.0.lock(), from.parse().unwrap()).len()
    }

    /// Checks each limit, and one handshake below it.
    #[test]
    fn concurrent_handshakes_are_limited() {
        let (near, far) = ("127.0.0.1".parse().unwrap(), "10.0.0.1".parse().unwrap());
        let half_open = HalfOpen::default();
        let mut listed = list(&half_open, vec![far; HALF_OPEN_PER_ADDRESS_MAX]);
        assert_eq!(crowd_of(&half_open, "10.0.0.1"), 16, "a handshake of this address is dropped");
        assert_eq!(crowd_of(&half_open, "10.0.0.2"), 0, "others are let in");
        listed.pop();
        assert_eq!(crowd_of(&half_open, "10.0.0.1"), 0, "one below the limit");
        drop(listed);
        let mut listed = list(&half_open, vec![near; HALF_OPEN_MAX]);
        assert_eq!(crowd_of(&half_open, "127.0.0.1"), 256, "a handshake of any address is dropped");
        assert_eq!(crowd_of(&half_open, "10.0.0.1"), 256);
        listed.pop();
        assert_eq!(crowd_of(&half_open, "127.0.0.1"), 0);
        drop(listed);
        assert!(half_open.0.lock().is_empty());
        // A /64 network of IPv6 counts as one address.
        let ip = |n: usize| format!("2001:db8:0:1::{n:x}").parse().unwrap();
        let _listed = list(&half_open, (0..HALF_OPEN_PER_ADDRESS_MAX).map(ip));
        assert_eq!(crowd_of(&half_open, "2001:db8:0:1:ffff::"), 16);
        assert_eq!(crowd_of(&half_open, "2001:db8:0:2::"), 0);
    }
}
