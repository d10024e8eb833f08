//! Sends signals of this node's processes to other nodes: [`Distribution`] as the node's
//! [`Carrier`].

use std::sync::Arc;

use fika_runtime::{
    Busy, Carried, Carrier, Conditions, ConnectionId, EncodeError, Envelope, LocalId,
    NodeDownReason, NodeId, NodeName, NotCarried, Pid, RemoteDest, Signal, SpawnRequest, Target,
    Undecodable,
};

use super::distribution::Distribution;
use super::net::Net;
use crate::dist::link::{
    Channel, Queued, Sent, Unsent, answer_stale, not_spawned, refused_message, refused_signal,
};
use crate::proto::parcel::{Cargo, Parcel, Payload};

impl Distribution {
    /// Sends over a channel. If the channel has gone down, sends over another one. With
    /// `nosuspend`, sends nothing if the sender would have to wait.
    fn send_over(
        &self,
        mut up: Option<Arc<Channel>>,
        sender: Option<Pid>,
        mut to: RemoteDest,
        mut ready: Ready,
        nosuspend: bool,
    ) -> Result<Carried, NotCarried> {
        loop {
            let channel = match up.take() {
                Some(channel) => channel,
                None => {
                    let name = to.node_name();
                    let Some(net) = self.current() else {
                        self.base.report_nameless(&name);
                        return Ok(self.barred(&ready.into_cargo()));
                    };
                    if name == *net.name() {
                        return Ok(self.send_home(&net, &to, ready.into_cargo()));
                    }
                    match net.auto_connect(&name) {
                        Some(channel) => channel,
                        None => return Ok(self.barred(&ready.into_cargo())),
                    }
                }
            };
            let parcel = ready.parcel(&channel)?;
            let sender = parcel.from().or(sender);
            let queued = Queued { sender, to: Some(to), parcel };
            match channel.send(queued, nosuspend).map_err(NotCarried::Encode)? {
                Sent::Yes { congested } => return Ok(channel.carried(congested)),
                Sent::Busy(back, way) => return Err(not_sent(back.parcel, channel.busy(way))),
                Sent::Gone(back) => match back.to {
                    Some(back_to) => (to, ready) = (back_to, Ready::Parcel(back.parcel)),
                    None => return Ok(channel.carried(false)),
                },
                Sent::Stale(back) => {
                    if let Some(to) = back.to {
                        self.answer_stale(&to, back.parcel.into_cargo());
                    }
                    return Ok(channel.carried(false));
                }
            }
        }
    }

    /// Returns the channel to the life of a node in a destination, if the channel is up.
    fn up(&self, to: &RemoteDest) -> Option<Arc<Channel>> {
        to.node().and_then(|node| self.base.connections.up(node))
    }

    /// Handles a signal for a node that is not connected and must not be connected automatically. A
    /// process that needs an answer is notified that the connection is lost.
    fn barred(&self, cargo: &Cargo) -> Carried {
        let connection = self.base.new_connection();
        match cargo {
            Cargo::Spawn(request) => self.tell_lost(request.from, connection),
            Cargo::Signal(Signal::Link { from } | Signal::Monitor { from, .. }) => {
                self.tell_lost(*from, connection);
            }
            Cargo::Signal(_) | Cargo::Message(_) => {}
        }
        Carried { connection, congested: None }
    }

    fn tell_lost(&self, pid: Pid, connection: ConnectionId) {
        self.deliver(Target::Pid(pid), Signal::ConnectionLost { node: None, connection });
    }

    fn deliver(&self, to: Target, signal: Signal) {
        if let Some(node) = self.base.node() {
            node.receive(&to, signal);
        }
    }

    fn answer_stale(&self, to: &RemoteDest, cargo: Cargo) {
        if let Some((pid, answer)) = answer_stale(to, cargo) {
            self.deliver(Target::Pid(pid), answer);
        }
    }

    /// Handles a signal whose destination has this node's name but not its id. The destination is
    /// of an earlier life, or it is a pid of this life that was parsed from a text.
    fn send_home(&self, net: &Net, to: &RemoteDest, cargo: Cargo) -> Carried {
        let carried = Carried { connection: self.base.new_connection(), congested: None };
        let Cargo::Signal(signal) = cargo else { return carried };
        let is_now = |node: NodeId| node.name() == *net.name() && node.creation() == net.creation;
        let own = |local: LocalId| Target::Pid(Pid::new(self.base.id, local));
        match to {
            RemoteDest::Name(..) => self.deliver(to.target(), signal),
            RemoteDest::Pid(pid) if is_now(pid.node()) => self.deliver(own(pid.local()), signal),
            _ => self.answer_stale(to, Cargo::Signal(signal)),
        }
        carried
    }
}

/// A signal that may be encoded already.
enum Ready {
    Signal(Signal),
    Parcel(Parcel),
}

impl Ready {
    /// Encodes the signal for this channel.
    fn parcel(self, channel: &Channel) -> Result<Parcel, NotCarried> {
        let signal = match self {
            Ready::Parcel(parcel) => return Ok(parcel),
            Ready::Signal(signal) => signal,
        };
        let (mut replaced, mut unsent) = (None, Unsent::default());
        let parcel = Parcel::signal(signal, &channel.shared().limits, &mut replaced);
        unsent.add_replaced(replaced);
        channel.report(unsent);
        parcel.map_err(|(why, signal)| NotCarried::Encode(refused_signal(why, &signal)))
    }

    fn into_cargo(self) -> Cargo {
        match self {
            Ready::Signal(signal) => Cargo::Signal(signal),
            Ready::Parcel(parcel) => parcel.into_cargo(),
        }
    }
}

/// Returns the error of a send without conditions.
fn encode_error(not_carried: NotCarried) -> EncodeError {
    match not_carried {
        NotCarried::Encode(error) => error,
        NotCarried::Nosuspend(..) | NotCarried::Noconnect(_) => {
            unreachable!("the send had no conditions")
        }
    }
}

fn not_sent(parcel: Parcel, busy: Busy) -> NotCarried {
    match parcel.into_cargo() {
        Cargo::Signal(signal) => NotCarried::Nosuspend(signal, busy),
        Cargo::Spawn(_) | Cargo::Message(_) => unreachable!("the parcel was made from a signal"),
    }
}

impl Carrier for Distribution {
    fn send(
        &self,
        sender: Option<Pid>,
        to: RemoteDest,
        mut signal: Signal,
    ) -> Result<Carried, EncodeError> {
        let up = self.up(&to);
        if let Some(channel) = &up
            && matches!(signal, Signal::Exit { by_link: true, .. } | Signal::Down { .. })
        {
            match channel.defer(&to, signal) {
                Some(back) => signal = back,
                None => return Ok(channel.carried(false)),
            }
        }
        self.send_over(up, sender, to, Ready::Signal(signal), false).map_err(encode_error)
    }

    fn send_message(
        &self,
        sender: Option<Pid>,
        to: Pid,
        message: Envelope,
    ) -> Result<Carried, EncodeError> {
        // The message is encoded before the table is locked. If encoding fails, or there is no
        // connection, `send` handles the message.
        let Ok(payload) = Payload::message(&message) else {
            return self.send(sender, RemoteDest::Pid(to), Signal::Message(message));
        };
        let sent = self.base.connections.with_up(to.node(), |channel| {
            let put = channel.put_message(sender, to, &message, &payload)?;
            let acts = put.is_none_or(|put| put.congested || channel.is_to_know(put.bytes));
            Ok((channel.id(), put, acts.then(|| channel.clone())))
        });
        match sent {
            Some(Ok((connection, Some(_), None))) => Ok(Carried { connection, congested: None }),
            Some(Ok((_, Some(put), Some(channel)))) => {
                channel.has_output(put.bytes);
                Ok(channel.carried(put.congested))
            }
            Some(Ok((_, None, up))) => {
                let ready = Ready::Parcel(Parcel::message(message, payload));
                let sent = self.send_over(up, sender, RemoteDest::Pid(to), ready, false);
                sent.map_err(encode_error)
            }
            Some(Err(why)) => Err(refused_message(why, message.type_name())),
            None => self.send(sender, RemoteDest::Pid(to), Signal::Message(message)),
        }
    }

    fn send_if(
        &self,
        sender: Option<Pid>,
        to: RemoteDest,
        signal: Signal,
        conditions: Conditions,
    ) -> Result<Carried, NotCarried> {
        let Conditions { nosuspend, noconnect } = conditions;
        let channel = self.up(&to).or_else(|| self.base.connections.get(&to.node_name()));
        match &channel {
            None if noconnect => return Err(NotCarried::Noconnect(signal)),
            // Checked before anything is encoded, and again after that.
            Some(channel) if nosuspend => {
                if let Some(way) = channel.congested_way(sender) {
                    return Err(NotCarried::Nosuspend(signal, channel.busy(way)));
                }
            }
            _ => {}
        }
        self.send_over(channel, sender, to, Ready::Signal(signal), nosuspend)
    }

    fn spawn(&self, node: &NodeName, request: SpawnRequest) -> Carried {
        let sender = Some(request.from);
        let mut cargo = Err(request);
        loop {
            let net = self.current();
            if net.is_none() {
                self.base.report_nameless(node);
            }
            let Some(channel) = net.and_then(|net| net.auto_connect(node)) else {
                let cargo = cargo.map_or_else(Cargo::Spawn, Parcel::into_cargo);
                return self.barred(&cargo);
            };
            let ready = match cargo {
                Ok(parcel) => Ok(parcel),
                Err(request) => Parcel::spawn(request, &channel.shared().limits),
            };
            let parcel = match ready {
                Ok(parcel) => parcel,
                Err((why, request)) => {
                    let mut unsent = Unsent::default();
                    let (pid, answer) = not_spawned(channel.id(), &why, &request, &mut unsent);
                    channel.report(unsent);
                    self.deliver(Target::Pid(pid), answer);
                    return channel.carried(false);
                }
            };
            match channel.send(Queued { sender, to: None, parcel }, false) {
                Ok(Sent::Gone(back)) => cargo = Ok(back.parcel),
                Ok(Sent::Yes { congested }) => return channel.carried(congested),
                Ok(Sent::Busy(..) | Sent::Stale(_)) | Err(_) => return channel.carried(false),
            }
        }
    }

    fn flush(&self) {
        self.base.flush();
    }

    /// Closes all connections. Peers see `connection_closed`.
    fn halt(&self) {
        if let Some(net) = self.current() {
            net.close(&NodeDownReason::NetKernelTerminated);
        }
    }

    fn is_alive(&self) -> bool {
        self.is_started()
    }

    fn undecodable(&self, node: NodeId, connection: ConnectionId, lost: &Undecodable) {
        let channel = self.base.connections.up(node).filter(|channel| channel.id() == connection);
        if let Some(channel) = channel {
            channel.tell_undecodable(lost, self.base.env.now());
        }
    }
}
