//! Makes a connection to a node: one process for each attempt.

use std::sync::Arc;

use fika_runtime::{Pid, Priority, link, report, self_pid, set_priority, timeout};

use super::attempt::{Attempt, Handshaken, SetupFailure};
use super::framed::{Failure, Framed};
use crate::dist::link::Channel;
use crate::dist::state::{Net, ask_linked};
use crate::proto::handshake::initiator::AwaitHello;
use crate::proto::handshake::{HandshakeError, Status};

/// Reports an attempt that does not come to its own end: the program's resolver may panic, and any
/// process may be killed. Otherwise what waits for the connection would wait forever. The report
/// goes to the net_kernel that started the attempt, and not to one that was started later.
struct Unfinished(Option<(Arc<Net>, Arc<Channel>)>, Pid);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some((net, channel)) = self.0.take() {
            let failure = SetupFailure::Other;
            net.base.tell_local(self.1, Attempt::SetupFailed { channel, failure });
        }
    }
}

/// Connects the channel. An attempt whose process is killed before it runs fails like any other.
/// `is_patient`: only a peer has named the node, and no process waits for it.
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
        // With a wrong cookie the peer is the one that notices, and closes.
        Err(Failure::Io(error)) => net.logs.not_connected.line(net.base.env.now(), |left_out| {
            let why = "not connected; has the peer the same cookie?";
            report!(error, %node, %error, left_out, "{why}");
        }),
        Err(Failure::TooSlow) => net.logs.not_connected.line(net.base.env.now(), |left_out| {
            report!(warn, %node, left_out, "not connected: the setup time is over");
        }),
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
    // Names that a peer makes up, or that nobody answers for, hold up no other look-up: at low
    // priority they have a part of the threads only.
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
    // The peer's own connection may have come about while it answered: then it must not
    // take this one for a new life of this end.
    let wanted =
        ask_linked(net.net_kernel(), |caller| Attempt::Prove { channel: channel.clone(), caller });
    if !wanted.await {
        return Err(Failure::Superfluous);
    }
    let answer = step(net, framed.ask(&frame)).await?;
    let established = proof.handle(&answer)?;
    Ok(Handshaken { established, framed })
}

/// Each step has the setup time anew (HS-12).
async fn step<T>(net: &Net, step: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    timeout(net.config.setup_time, step).await.unwrap_or(Err(Failure::TooSlow))
}
