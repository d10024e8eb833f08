//! Makes a connection to a node. Each attempt has its own process.

use std::sync::Arc;

use fika_runtime::{Pid, Priority, link, report, self_pid, set_priority, timeout};

use super::attempt::{Attempt, Handshaken, SetupFailure};
use super::framed::{Failure, Framed};
use crate::dist::link::Channel;
use crate::dist::state::{Net, ask_linked};
use crate::proto::handshake::initiator::AwaitHello;
use crate::proto::handshake::{HandshakeError, Status};

/// Reports an attempt that ends without a result: the program's resolver may panic, and any process
/// may be killed. Without this report, signals and processes would wait for the connection forever.
/// The report goes to the net_kernel that started the attempt, not to a net_kernel that was started
/// later.
struct Unfinished(Option<(Arc<Net>, Arc<Channel>)>, Pid);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some((net, channel)) = self.0.take() {
            let failure = SetupFailure::Other;
            net.base.tell_local(self.1, Attempt::SetupFailed { channel, failure });
        }
    }
}

/// Connects the channel. If the process is killed before it runs, the attempt fails like any other.
/// `is_patient` is set if only a peer has named the node, so no process waits for the connection.
pub(crate) fn connect(
    net: Arc<Net>,
    channel: Arc<Channel>,
    is_patient: bool,
) -> impl Future<Output = ()> + Send {
    let unfinished = Unfinished(Some((net.clone(), channel.clone())), self_pid());
    run(net, channel, is_patient, unfinished)
}

async fn run(net: Arc<Net>, channel: Arc<Channel>, is_patient: bool, mut unfinished: Unfinished) {
    let net_kernel = unfinished.1;
    link(net_kernel);
    let node = channel.peer().clone();
    let attempt = handshake(&net, &channel, is_patient).await;
    unfinished.0 = None;
    let outcome = match &attempt {
        Err(Failure::Handshake(HandshakeError::Refused(Status::Nok))) => SetupFailure::Nok,
        Err(Failure::Handshake(_) | Failure::NotAllowed) => SetupFailure::Final,
        _ => SetupFailure::Other,
    };
    match attempt {
        Ok(handshaken) => {
            let by = self_pid();
            return net.base.tell_local(net_kernel, Attempt::Up { channel, handshaken, by });
        }
        Err(_) if outcome == SetupFailure::Nok => tracing::debug!(%node, "the peer connects"),
        Err(Failure::Handshake(error)) => report!(error, %node, %error, "not connected"),
        // If the cookies differ, the peer notices it first and closes the connection.
        Err(Failure::Io(error)) => net.logs.not_connected.line(net.base.env.now(), |left_out| {
            let why = "not connected; does the peer have the same cookie?";
            report!(error, %node, %error, left_out, "{why}");
        }),
        Err(Failure::TooSlow) => net.logs.not_connected.line(net.base.env.now(), |left_out| {
            report!(warn, %node, left_out, "not connected: the setup time is over");
        }),
        // A node that only a peer has named says nothing about this program.
        Err(Failure::UnknownHost(error)) if !is_patient => {
            net.logs.not_connected.line(net.base.env.now(), |left_out| {
                let why = "not connected: the host in the node's name is unknown";
                report!(warn, %node, %error, left_out, "{why}");
            });
        }
        Err(failure) => tracing::debug!(%node, %failure, "not connected"),
    }
    net.base.tell_local(net_kernel, Attempt::SetupFailed { channel, failure: outcome });
}

async fn handshake(
    net: &Net,
    channel: &Arc<Channel>,
    is_patient: bool,
) -> Result<Handshaken, Failure> {
    let peer = channel.peer();
    if !net.permits(peer) {
        return Err(Failure::NotAllowed);
    }
    let (hello, frame) =
        AwaitHello::start(net.identity(), peer.clone(), &net.secret(peer), net.nonce())?;
    // Look-ups at low priority get only a part of the threads. So names that a peer makes up do not
    // delay other look-ups.
    if is_patient {
        set_priority(Priority::Low);
    }
    let ways = step(net, async { Ok(net.site.ways(peer).await?) }).await;
    set_priority(Priority::Normal);
    let ways = ways?;
    let stream = net.site.reach(peer, ways).await?;
    net.set_up_socket(&stream);
    let mut framed = Framed::new(stream);
    let answer = step(net, framed.ask(&frame)).await?;
    let (proof, frame) = hello.handle(&answer, framed.transport())?;
    // The peer may have made its own connection while it answered. It must not mistake this
    // connection for a new life of this node.
    let wanted =
        ask_linked(net.net_kernel(), |caller| Attempt::Prove { channel: channel.clone(), caller });
    if !wanted.await {
        return Err(Failure::Superfluous);
    }
    let answer = step(net, framed.ask(&frame)).await?;
    let established = proof.handle(&answer)?;
    Ok(Handshaken { established, framed })
}

/// Runs a step of the setup. Each step may take the setup time (HS-12).
async fn step<T>(net: &Net, step: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    timeout(net.config.setup_time, step).await.unwrap_or(Err(Failure::TooSlow))
}
