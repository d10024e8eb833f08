//! Takes in the connections of others: one process accepts, and one does each handshake.
//!
//! A peer that has not proved itself costs a process and a frame, has a limited time, and
//! is one of a limited number. At the limit a random one of them is dropped, so that who
//! opens many and stays silent shuts nobody out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use fika_runtime::{ExitReason, Pid, exit_process, self_pid, sleep, spawn, timeout};
use parking_lot::Mutex;

use super::ask::ask;
use super::channel::Channel;
use super::framed::{Failure, Framed};
use super::net::Net;
use super::net_kernel::{Command, Handshaken};
use crate::io::{TcpListener, TcpStream};
use crate::proto::handshake::Status;
use crate::proto::handshake::responder::AwaitHello;

/// Handshakes under way, from all addresses.
const HALF_OPEN_MAX: usize = 256;

/// Handshakes under way from one address. This host's nodes are not counted so: many of
/// them may start at once.
const HALF_OPEN_PER_ADDRESS_MAX: usize = 16;

/// After an error of the system, accepting pauses for this long instead of spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The handshakes under way, by process.
type HalfOpen = Arc<Mutex<BTreeMap<Pid, IpAddr>>>;

pub(super) async fn accept(net: Arc<Net>, listener: TcpListener) {
    let half_open = HalfOpen::default();
    loop {
        match listener.accept().await {
            Ok(stream) => {
                make_room(&net, &half_open, stream.peer_addr().ip());
                spawn(serve(net.clone(), half_open.clone(), stream));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// At a limit, drops a random handshake.
fn make_room(net: &Net, half_open: &HalfOpen, from: IpAddr) {
    let half_open = half_open.lock();
    let same: Vec<Pid> =
        half_open.iter().filter(|(_, ip)| **ip == from).map(|(pid, _)| *pid).collect();
    let victims: Vec<Pid> = if !from.is_loopback() && same.len() >= HALF_OPEN_PER_ADDRESS_MAX {
        same
    } else if half_open.len() >= HALF_OPEN_MAX {
        half_open.keys().copied().collect()
    } else {
        return;
    };
    drop(half_open);
    let victim = victims[net.env.random() as usize % victims.len()];
    tracing::warn!(%from, "too many handshakes at the same time: one is dropped");
    exit_process(victim, ExitReason::Kill);
}

/// Takes the handshake off the list, however its process ends.
struct Listed(HalfOpen, Pid);

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.lock().remove(&self.1);
    }
}

async fn serve(net: Arc<Net>, half_open: HalfOpen, stream: TcpStream) {
    let from = stream.peer_addr();
    half_open.lock().insert(self_pid(), from.ip());
    let _listed = Listed(half_open, self_pid());
    let mut claimed = None;
    match timeout(net.config.handshake_time, respond(&net, stream, &mut claimed)).await {
        Ok(Ok(())) => return,
        Ok(Err(Failure::Handshake(error))) => {
            tracing::error!(%from, %error, "a connection was refused");
        }
        Ok(Err(failure)) => tracing::debug!(%from, %failure, "a connection was not made"),
        Err(_) => tracing::warn!(%from, "a connection was refused: its handshake took too long"),
    }
    if let Some(channel) = claimed {
        net.command(Command::ClaimFailed { channel });
    }
}

async fn respond(
    net: &Net,
    stream: TcpStream,
    claimed: &mut Option<Arc<Channel>>,
) -> Result<(), Failure> {
    let _ = stream.set_nodelay(true);
    let mut framed = Framed::new(stream);
    let hello = framed.read().await?;
    let greeted = framed.courtesy(AwaitHello::new(net.identity()).handle(&hello)).await?;
    let peer = greeted.peer().clone();
    let status: Status =
        ask(net.net_kernel(), |caller| Command::Hello { peer: peer.clone(), caller }).await;
    if status.is_refusal() {
        framed.write(&greeted.refuse(status)).await?;
        return Err(Failure::Refused(status));
    }
    let (proof, frame) = greeted.accept(status, &net.config.cookie, net.nonce());
    framed.write(&frame).await?;
    let (established, frame) = proof.handle(&framed.read().await?)?;
    *claimed = ask(net.net_kernel(), |caller| Command::Claim { peer, status, caller }).await;
    let Some(channel) = claimed.clone() else { return Err(Failure::Superfluous) };
    framed.write(&frame).await?;
    net.command(Command::Up { channel, handshaken: Handshaken { established, framed } });
    Ok(())
}
