//! The registered process `net_kernel` decides which connections are made, and reports when nodes
//! connect and disconnect. It carries no bytes: channels read and write on their own.
//!
//! The first process that sends to a node makes the channel. net_kernel makes all other decisions
//! about a connection, one after the other:
//!
//! | message | from | result |
//! |---|---|---|
//! | `Notice::Connect` | the first use of a node | an attempt (`setup::connect`) |
//! | `Attempt::Prove` | our attempt, before its proof | the answer is whether our attempt should continue: not if a peer's attempt has taken the channel |
//! | `Attempt::Hello` | a peer's attempt, before its proof | the answer is whether there is a connection; nothing is kept |
//! | `Attempt::Claim` | a peer's attempt, after its proof | a channel, or a refusal if another connection survives |
//! | `Attempt::Up` | an attempt, at its end | `nodeup`, then the first signal, then the mesh |
//! | `Attempt::SetupFailed`, `ClaimFailed` | an attempt | the end of the channel, unless another attempt is in progress |
//! | `Mesh` | a peer that is up | attempts to connect, a few at a time: see `candidates` |
//! | `Ticks` | a peer that is up | a warning if its ticktime does not fit |
//! | `Notice::Lost` | a channel's end | `nodedown` |
//! | `Command::TakeOver` | net_sup, after a restart | attempts start again, and missed `nodedown` messages are sent |
//! | other `Command`s | functions of the program | see `command` |
//!
//! net_kernel keeps nothing for a peer that has not proved itself, and reveals nothing to such a
//! peer. A channel notifies processes with links and monitors of its loss before it notifies
//! net_kernel, so their signals come before `nodedown` (MON-16).
//!
//! All messages except `Mesh` and `Ticks` come as a `Local`, which no other node can send.
//!
//! Prior art: `net_kernel.erl`, `dist_util.erl`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fika_runtime::{
    ConnectionId, Down, Envelope, Exit, ExitReason, Local, Message, MonitorOpts, NodeDownReason,
    NodeName, NodeType, NodeUp, Object, Pid, RemoteDest, Signal, Tagged, Time, TimerRef,
    cancel_timer, exit, exit_process, monitor_with, report, self_pid, send_after,
    spawn_open_service, trap_exit,
};

use parking_lot::Mutex;

use super::candidates::Candidates;
use super::command::{Command, Mesh, Request, Ticks};
use super::ticktime::{SetTicktime, Ticktime, may_lose};
use crate::dist::link::{Channel, Queued};
use crate::dist::setup::{Attempt, Claimed, Framed, Handshaken, SetupFailure, connect};
use crate::dist::state::{Caller, Heard, INTENSITIES, Net, Notice, TICKS, TIMES, not_connected};
use crate::proto::connection;
use crate::proto::handshake::{Flags, Verdict, simultaneous};
use crate::proto::parcel::Parcel;

/// The purpose of a timer of net_kernel.
enum Due {
    /// Check the connections. The number is that of the timer.
    Check(u64),
    /// Send an extra tick to each peer.
    ExtraTick,
    /// End the change of the ticktime.
    TransitionEnd,
    /// Give up a peer that announced its own connection and has not made it in time.
    GiveUp(Arc<Channel>),
    /// Try the candidates that are due. The number is that of the timer.
    TryCandidates(u64),
}

/// The tag of the monitors of subscribers.
struct Subscriber;

/// The state that a net_kernel leaves for its successor in the same period of the distribution.
#[derive(Clone, Default)]
pub(crate) struct Legacy(Arc<Mutex<Option<Left>>>);

struct Left {
    candidates: Candidates,
    ticktime: Ticktime,
}

/// The attempts to connect one channel.
#[derive(Default)]
struct Making {
    /// The process of our own attempt.
    setup: Option<Pid>,
    /// The process of the peer's attempt that has proved itself and taken the channel.
    claimed: Option<Pid>,
    /// Our attempt waits until another attempt has given this node its name, or has failed.
    waits_for_name: bool,
    /// The processes that wait for the connection.
    callers: Vec<Caller<bool>>,
}

impl Making {
    /// Returns whether our own attempt is in progress.
    fn is_ours(&self) -> bool {
        self.setup.is_some()
    }

    /// Returns whether this process makes the attempt that will bring the channel up.
    fn is_by(&self, process: Pid) -> bool {
        self.claimed.or(self.setup) == Some(process)
    }
}

struct Kernel {
    net: Arc<Net>,
    legacy: Legacy,
    attempts: BTreeMap<ConnectionId, Making>,
    candidates: Candidates,
    /// When the next attempt to connect to a candidate is due, and its timer.
    next_try: Option<(Time, Timer)>,
    ticktime: Ticktime,
    /// The timer of the next check.
    next_check: Option<Timer>,
    /// The number of timers that have been numbered so far.
    timers: u64,
}

/// A timer and its number, which distinguishes its message from those of earlier timers.
type Timer = (u64, TimerRef);

impl Drop for Kernel {
    fn drop(&mut self) {
        let candidates = std::mem::take(&mut self.candidates);
        *self.legacy.0.lock() = Some(Left { candidates, ticktime: self.ticktime });
    }
}

pub(crate) async fn net_kernel(net: Arc<Net>, legacy: Legacy) {
    // The processes that make and accept connections are linked to net_kernel, so they end with it.
    trap_exit(true);
    let left = legacy.0.lock().take();
    let Left { candidates, ticktime } = left.unwrap_or_else(|| Left {
        candidates: Candidates::default(),
        ticktime: Ticktime::new(net.config.ticktime, net.config.intensity),
    });
    let mut kernel = Kernel {
        net,
        legacy,
        attempts: BTreeMap::new(),
        candidates,
        next_try: None,
        ticktime,
        next_check: None,
        timers: 0,
    };
    kernel.start_check();
    loop {
        fika_macros::receive! {
            Local(notice): Local<Notice> => kernel.notice(notice),
            Local(attempt): Local<Attempt> => kernel.attempt(attempt),
            Local(command): Local<Command> => kernel.command(command),
            Mesh { nodes } => kernel.mesh(nodes),
            Ticks { node, time, intensity } => kernel.compare_ticks(&node, (time, intensity)),
            Local(due): Local<Due> => kernel.due(due),
            Tagged { tag: Local(Subscriber), message: Down { object, .. } }: Tagged<Local<Subscriber>, Down> => {
                if let Object::Pid(pid) = object {
                    kernel.net.base.subscriptions.lock().forget(pid);
                }
            }
            Exit { .. } => {}
            other => tracing::debug!(?other, "net_kernel dropped an unexpected message"),
        }
    }
}

/// Sends a message to the peer's net_kernel, only over this connection: if the peer has closed it
/// already, the message is not a reason to connect again.
fn send_to_peer(channel: &Arc<Channel>, message: impl Message) {
    let to = Some(RemoteDest::Name("net_kernel".into(), channel.peer().clone()));
    // A channel that has just gone down drops the message. Encoding these messages never fails.
    let message = Signal::Message(Envelope::new(message));
    if let Ok(parcel) = Parcel::signal(message, &channel.shared().limits, &mut None) {
        let _ = channel.send(Queued { sender: Some(self_pid()), to, parcel }, false);
    }
}

impl Kernel {
    /// Starts a timer with a number.
    fn start_timer(&mut self, time: Duration, due: fn(u64) -> Due) -> Timer {
        self.timers += 1;
        (self.timers, send_after(time, self_pid(), Local(due(self.timers))))
    }

    fn due(&mut self, due: Due) {
        let is_next = |timer: Option<Timer>, number| timer.is_some_and(|(next, _)| next == number);
        match due {
            Due::Check(number) if is_next(self.next_check, number) => {
                self.start_check();
                self.net.told.channels().iter().for_each(Channel::check);
            }
            Due::TryCandidates(number)
                if is_next(self.next_try.map(|(_, timer)| timer), number) =>
            {
                self.next_try = None;
                self.try_candidates();
            }
            // The message of a timer that has been replaced.
            Due::Check(_) | Due::TryCandidates(_) => {}
            Due::ExtraTick => self.extra_tick(),
            Due::TransitionEnd => {
                self.ticktime.end_transition();
                self.start_check();
            }
            Due::GiveUp(channel) => self.give_up(&channel),
        }
    }

    fn start_check(&mut self) {
        if let Some((_, timer)) = self.next_check.take() {
            cancel_timer(timer);
        }
        self.next_check = Some(self.start_timer(self.ticktime.interval(), Due::Check));
    }

    fn set_ticktime(&mut self, time: Duration, transition: Duration) -> SetTicktime {
        let set = self.ticktime.set(time);
        if set == SetTicktime::ChangeInitiated {
            send_after(transition, self_pid(), Local(Due::TransitionEnd));
            self.start_check();
            self.extra_tick();
        }
        set
    }

    /// Sends an extra tick while a change of the ticktime is in progress. Peers that do not know of
    /// the change yet must not give this node up.
    fn extra_tick(&self) {
        if let Some(pause) = self.ticktime.extra() {
            send_after(pause, self_pid(), Local(Due::ExtraTick));
            self.net.told.channels().iter().for_each(|channel| channel.tick());
        }
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Connect(channel) => self.connect(&channel),
            Notice::Lost { channel, was_up, reason } => self.lost(&channel, was_up, reason),
        }
    }

    fn attempt(&mut self, attempt: Attempt) {
        match attempt {
            Attempt::Prove { channel, caller } => caller.answer(self.prove(&channel)),
            Attempt::Hello { peer, caller } => caller.answer(self.is_known(&peer)),
            Attempt::Claim { peer, replaces, caller } => {
                let claimed = self.claim(&peer, replaces, caller.pid());
                caller.answer(claimed);
            }
            Attempt::Up { channel, handshaken, by } => self.go_up(&channel, handshaken, by),
            Attempt::SetupFailed { channel, failure } => self.setup_failed(channel, failure),
            Attempt::ClaimFailed { peer, by } => self.claim_failed(&peer, by),
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::ConnectNode { node, request, caller } => {
                self.connect_node(&node, request, caller);
            }
            Command::DisconnectNode { node, caller } => caller.answer(self.disconnect_node(&node)),
            Command::MonitorNode { pid, node, on } => self.monitor_node(pid, node, on),
            Command::SetTicktime { time, transition, caller } => {
                caller.answer(self.set_ticktime(time, transition));
            }
            Command::Ticktime { caller } => caller.answer(self.ticktime.get()),
            Command::Subscribed(pid) => self.monitor(pid),
            Command::Attempts(caller) => {
                caller.answer((self.attempts.len(), self.candidates.len()));
            }
            Command::Named => self.monitor_subscribers(),
            Command::TakeOver => self.take_over(),
        }
    }

    fn monitor_subscribers(&mut self) {
        let subscribers = self.net.base.subscriptions.lock().unmonitored();
        subscribers.into_iter().for_each(|pid| self.monitor(pid));
    }

    /// Continues the work of an earlier net_kernel. The processes that made connections have ended
    /// with it, and the messages in its mailbox are lost.
    fn take_over(&mut self) {
        self.monitor_subscribers();
        self.ticktime.end_transition();
        self.start_check();
        let asked = self.net.base.subscriptions.lock().asked();
        asked.into_iter().for_each(|(pid, node)| self.monitor_node(pid, node, true));
        for channel in self.net.told.channels() {
            if channel.is_down() {
                self.net.tell_down(channel.peer(), NodeDownReason::ConnectionClosed);
            } else {
                // The earlier net_kernel may have ended before it activated the channel.
                channel.activate();
            }
        }
        for channel in self.net.base.connections.all() {
            let told = self.net.told.channel(channel.peer());
            if channel.is_pending() {
                self.connect(&channel);
            } else if told.is_none_or(|told| !Arc::ptr_eq(&told, &channel)) {
                channel.lose(NodeDownReason::ConnectionSetupFailed);
            }
        }
        let (now, table) = (self.net.base.env.now(), &self.net.base.connections);
        let watched = self.net.base.subscriptions.lock().watched();
        for node in watched.into_iter().filter(|node| table.get(node).is_none()) {
            self.net.base.tell_node_watchers(node, NodeDownReason::ConnectionSetupFailed);
        }
        self.candidates.lost_sight(now, |node| table.get(node).is_some());
        self.try_candidates();
    }

    fn connect(&mut self, channel: &Arc<Channel>) {
        if let Some(reason) = self.net.ended() {
            return channel.lose(reason);
        }
        // The first peer that answers names this node. Connections to all other peers wait for that
        // name.
        let waits = self.net.is_nameless() && self.attempts.values().any(Making::is_ours);
        let attempt = self.attempts.entry(channel.id()).or_default();
        attempt.waits_for_name = waits;
        if waits {
            return;
        }
        // A peer's attempt may have taken the channel before this message arrived.
        if attempt.setup.is_none() && attempt.claimed.is_none() && channel.is_pending() {
            let is_patient = self.candidates.is_under_way(channel.peer());
            attempt.setup =
                spawn_open_service(connect(self.net.clone(), channel.clone(), is_patient));
            if attempt.setup.is_none() {
                self.net.logs.no_process.line(self.net.base.env.now(), |left_out| {
                    report!(
                        warn, node = %channel.peer(), left_out,
                        "not connected: the node has no room for a process that connects"
                    );
                });
                channel.lose(NodeDownReason::ConnectionSetupFailed);
            }
        }
    }

    /// Starts the attempts that have waited for this node's name.
    fn connect_waiting(&mut self) {
        for channel in self.net.base.connections.all() {
            let attempt = self.attempts.get(&channel.id());
            if attempt.is_some_and(|attempt| attempt.waits_for_name) {
                self.connect(&channel);
            }
        }
    }

    /// Returns whether our attempt should continue.
    ///
    /// net_kernel decides this, not the channel, since a channel stays pending for a moment after a
    /// peer's attempt has taken it. The peer's end may be up already. The peer would then mistake
    /// our proof for the proof of a new life of this node.
    fn prove(&self, channel: &Arc<Channel>) -> bool {
        let attempt = self.attempts.get(&channel.id());
        channel.is_pending() && attempt.is_some_and(|attempt| attempt.claimed.is_none())
    }

    /// Returns whether a peer that has sent a hello is connected already, or about to be connected
    /// by an earlier attempt that has proved itself. A peer makes one attempt at a time, so it has
    /// given up or closed that earlier connection.
    fn is_known(&self, peer: &NodeName) -> bool {
        let Some(channel) = self.net.base.connections.get(peer) else { return false };
        let attempt = self.attempts.get(&channel.id());
        !channel.is_pending() || attempt.is_some_and(|attempt| attempt.claimed.is_some())
    }

    /// Decides about the connection of a peer that has proved itself.
    fn claim(&mut self, peer: &NodeName, replaces: bool, by: Pid) -> Claimed {
        if !self.net.permits(peer) {
            return Claimed::NotAllowed;
        }
        if let Some(channel) = self.net.base.connections.get(peer) {
            if !channel.is_pending() {
                // HS-7: a connection is replaced if it existed when the peer sent its hello.
                // Otherwise this attempt has lost a race, and the peer has that connection or will
                // have it.
                if !replaces {
                    return Claimed::Superfluous;
                }
                channel.lose(NodeDownReason::ConnectionClosed);
            } else if let Some(attempt) = self.attempts.get(&channel.id()) {
                // This also applies to a connection that is about to be up.
                if attempt.claimed.is_some() && !replaces {
                    return Claimed::Superfluous;
                }
                if attempt.setup.is_some()
                    && simultaneous(self.net.name(), peer) == Verdict::KeepOurs
                {
                    return Claimed::OursSurvives;
                }
            }
        }
        let (channel, _) = self.net.reserve(peer);
        let attempt = self.attempts.entry(channel.id()).or_default();
        let before = [attempt.setup.take(), attempt.claimed.replace(by)];
        for process in before.into_iter().flatten() {
            exit_process(process, ExitReason::Kill);
        }
        Claimed::Yes(channel)
    }

    fn go_up(&mut self, channel: &Arc<Channel>, handshaken: Handshaken, by: Pid) {
        if let Some(reason) = self.net.ended() {
            return channel.lose(reason);
        }
        // A later attempt may have taken the channel, and may be up already.
        if self.attempts.get(&channel.id()).is_none_or(|attempt| !attempt.is_by(by)) {
            return;
        }
        let Handshaken { mut established, mut framed } = handshaken;
        // The peer has closed the connection while this message was on its way.
        if framed.is_closed() {
            return channel.lose(NodeDownReason::ConnectionSetupFailed);
        }
        let (hidden, peer) = (established.hidden(), channel.peer().clone());
        let Framed { stream, received } = framed;
        let (life, from) = ((&peer, established.creation), stream.peer_addr().ip());
        let Some(peer_id) = self.net.base.meet(life, Heard::Itself, from) else {
            self.net.logs.too_many.line(self.net.base.env.now(), |left_out| {
                report!(
                    warn, node = %peer, %from, left_out,
                    "not connected: too many new nodes have connected from this address"
                );
            });
            return channel.lose(NodeDownReason::ConnectionSetupFailed);
        };
        let halves = connection::Config {
            id: channel.id(),
            local: self.net.base.id,
            peer: peer_id,
            hidden,
            priority: established.flags.contains(Flags::PRIORITY),
            intensity: self.net.config.intensity,
            limits: self.net.config.limits(),
        };
        // The loss of an older connection may still be unreported. Its `nodedown` comes first.
        if let Some(older) = self.net.told.channel(&peer) {
            older.lose(NodeDownReason::ConnectionClosed);
            self.net.tell_down(&peer, NodeDownReason::ConnectionClosed);
        }
        let node_type = if hidden { NodeType::Hidden } else { NodeType::Visible };
        let up = NodeUp { node: peer.clone(), node_type, connection: channel.id().0 };
        let Some(up) = self.net.admit_up(up) else {
            self.net.logs.unwanted.line(self.net.base.env.now(), |left_out| {
                report!(info, node = %peer, left_out, "not connected: the node's handler refused the node");
            });
            self.candidates.forget(&peer);
            return channel.lose(NodeDownReason::Disconnect);
        };
        if let Some(given) = established.given.take()
            && self.net.take_name(given, channel.id())
        {
            self.net.tell_own_name();
            self.connect_waiting();
        }
        let Some(node) = channel.go_up(halves.connection(), &received, stream, hidden) else {
            return;
        };
        self.net.base.connections.goes_up(node, channel);
        self.net.unbar(&peer);
        self.net.tell_up(channel, node_type, &up);
        self.candidates.forget(&peer);
        let attempt = self.attempts.remove(&channel.id()).unwrap_or_default();
        attempt.callers.into_iter().for_each(|caller| caller.answer(true));
        if node_type == NodeType::Visible && self.net.config.connect_all && !self.net.config.hidden
        {
            let mut nodes = self.net.told.visible();
            nodes.retain(|node| *node != peer);
            send_to_peer(channel, Mesh { nodes });
        }
        if node_type == NodeType::Visible && self.ticktime.ticks() != TICKS {
            self.send_ticks(channel);
        }
        channel.activate();
        self.try_candidates();
    }

    fn send_ticks(&self, channel: &Arc<Channel>) {
        let ((time, intensity), node) = (self.ticktime.ticks(), self.net.name().clone());
        send_to_peer(channel, Ticks { node, time, intensity });
    }

    /// Warns if the ticktime of a peer does not fit that of this node.
    fn compare_ticks(&self, peer: &NodeName, theirs: (Duration, u32)) {
        let Some(channel) = self.net.told.channel(peer) else { return };
        let ours = self.ticktime.ticks();
        // A peer may send any values.
        let are_valid = TIMES.contains(&theirs.0) && INTENSITIES.contains(&theirs.1);
        if !are_valid || !may_lose(ours, theirs) && !may_lose(theirs, ours) {
            return;
        }
        self.net.logs.ticks.line(self.net.base.env.now(), |left_out| {
            let ((here, _), (there, _)) = (ours, theirs);
            report!(
                warn, node = %peer, ?here, ?there, left_out,
                "the ticktimes of the two nodes differ too much: their connection may be lost while \
                 it is idle; give all nodes the same `net_ticktime`"
            );
        });
        // A node with the default ticks does not send them when it connects.
        if ours == TICKS {
            self.send_ticks(&channel);
        }
    }

    /// Adds the nodes of a peer to the candidates.
    fn mesh(&mut self, nodes: Vec<NodeName>) {
        if !self.net.config.connect_all || self.net.config.hidden {
            return;
        }
        let now = self.net.base.env.now();
        for node in nodes {
            if self.candidates.is_full() {
                break;
            }
            let is_new = node != *self.net.name() && self.net.base.connections.get(&node).is_none();
            if is_new && self.net.permits(&node) && self.net.may_auto_connect(&node) {
                self.candidates.add(node, now);
            }
        }
        self.try_candidates();
    }

    /// Starts the attempts to connect to candidates that are due.
    fn try_candidates(&mut self) {
        if self.net.is_stopping() {
            return;
        }
        while let Some(node) = self.candidates.next(&*self.net.base.env) {
            // If a process also needs this node, an attempt is in progress already.
            let (channel, is_new) = self.net.reserve(&node);
            if is_new {
                self.connect(&channel);
            } else if !channel.is_pending() {
                self.candidates.forget(&node);
            }
        }
        let due = self.candidates.next_due();
        if due != self.next_try.map(|(at, _)| at) {
            if let Some((_, (_, timer))) = self.next_try.take() {
                cancel_timer(timer);
            }
            self.next_try = due.map(|at| {
                let pause = at.since(self.net.base.env.now());
                (at, self.start_timer(pause, Due::TryCandidates))
            });
        }
    }

    fn setup_failed(&mut self, channel: Arc<Channel>, failure: SetupFailure) {
        let Some(attempt) = self.attempts.get_mut(&channel.id()) else { return };
        attempt.setup = None;
        if attempt.claimed.is_some() || !channel.is_pending() {
            return;
        }
        if failure == SetupFailure::Nok {
            // The peer's own connection is on its way.
            let time = self.net.config.setup_time;
            send_after(time, self_pid(), Local(Due::GiveUp(channel)));
            return;
        }
        if failure == SetupFailure::Final {
            self.candidates.forget(channel.peer());
        }
        channel.lose(NodeDownReason::ConnectionSetupFailed);
    }

    fn give_up(&self, channel: &Arc<Channel>) {
        if channel.is_pending() {
            report!(warn, node = %channel.peer(), "not connected: the peer announced its own connection, but did not make it");
            channel.lose(NodeDownReason::ConnectionSetupFailed);
        }
    }

    fn claim_failed(&self, peer: &NodeName, by: Pid) {
        let Some(channel) = self.net.base.connections.get(peer) else { return };
        let attempt = self.attempts.get(&channel.id());
        if channel.is_pending() && attempt.is_some_and(|attempt| attempt.claimed == Some(by)) {
            channel.lose(NodeDownReason::ConnectionSetupFailed);
        }
    }

    /// Handles the end of a channel. The channel has already notified its watchers.
    fn lost(&mut self, channel: &Arc<Channel>, was_up: bool, reason: NodeDownReason) {
        let peer = channel.peer();
        let attempt = self.attempts.remove(&channel.id()).unwrap_or_default();
        attempt.callers.into_iter().for_each(|caller| caller.answer(false));
        if let Some(setup) = attempt.setup {
            exit_process(setup, ExitReason::Kill);
        }
        match self.net.told.channel(peer) {
            Some(up) if Arc::ptr_eq(&up, channel) => self.net.tell_down(peer, reason),
            // The `nodedown` was sent before the successor of this channel went up.
            Some(_) => {}
            None if !was_up => self.net.base.tell_watchers(&not_connected(peer.clone(), reason)),
            None => {}
        }
        if self.net.is_named_by(channel.id()) {
            // The node loses its name with the connection that gave it the name: see `net_sup`.
            exit(ExitReason::Shutdown);
        }
        if self.net.is_nameless() {
            self.connect_waiting();
        }
        if !was_up {
            self.candidates.failed(channel.peer(), &*self.net.base.env);
        }
        self.try_candidates();
    }

    fn connect_node(&mut self, node: &NodeName, request: Request, caller: Caller<bool>) {
        if self.net.told.channel(node).is_some() {
            return caller.answer(true);
        }
        // If the connection is pending already, since another process needs it, the caller waits
        // for it.
        let may_connect = request == Request::Explicit || self.net.may_auto_connect(node);
        if !may_connect && self.net.base.connections.get(node).is_none() {
            return caller.answer(false);
        }
        let (channel, _) = self.net.reserve(node);
        self.attempts.entry(channel.id()).or_default().callers.push(caller);
        self.connect(&channel);
    }

    fn disconnect_node(&mut self, node: &NodeName) -> bool {
        self.candidates.forget(node);
        let up = self.net.told.channel(node);
        if let Some(channel) = &up {
            channel.lose(NodeDownReason::Disconnect);
        }
        up.is_some()
    }

    fn monitor_node(&mut self, pid: Pid, node: NodeName, on: bool) {
        if !on {
            return self.net.base.subscriptions.lock().unwatch(pid, &node);
        }
        self.monitor(pid);
        if !self.net.base.subscriptions.lock().watch(pid, &node) {
            return;
        }
        if self.net.auto_connect(&node).is_none() {
            let reason = self.net.ended().unwrap_or(NodeDownReason::ConnectionSetupFailed);
            self.net.base.tell_watchers(&not_connected(node, reason));
        }
    }

    /// Monitors a process that has subscribed, unless it is monitored already.
    fn monitor(&mut self, pid: Pid) {
        let mut subscriptions = self.net.base.subscriptions.lock();
        if subscriptions.needs_monitor(pid) {
            let opts = MonitorOpts::new().tag(Local(Subscriber));
            subscriptions.monitored(pid, monitor_with(pid, opts));
        }
    }
}

#[cfg(test)]
mod tests {
    use fika_runtime::Node;

    use super::*;
    use crate::cookie::Cookie;
    use crate::dist::state::{Base, Config};
    use crate::io::Poller;

    /// In a rare race of threads, the loss of a connection is reported after its successor has gone
    /// up. The successor stays connected.
    #[test]
    fn a_late_loss_leaves_the_successor() {
        let node = Node::builder().workers(1).build().unwrap();
        let base = Base::new(&node, Arc::new(Poller::new().unwrap()));
        node.block_on(async {
            let config = Config::new(Cookie::new_weak("cookie").unwrap());
            let net = Net::new(base, "a@127.0.0.1".parse().unwrap(), config);
            let mut kernel = Kernel {
                net: net.clone(),
                legacy: Legacy::default(),
                attempts: BTreeMap::new(),
                candidates: Candidates::default(),
                next_try: None,
                ticktime: Ticktime::new(net.config.ticktime, net.config.intensity),
                next_check: None,
                timers: 0,
            };
            let peer = "b@127.0.0.1".parse().unwrap();
            let (replaced, _) = net.reserve(&peer);
            net.base.connections.goes_down(None, &replaced);
            let (successor, is_new) = net.reserve(&peer);
            assert!(is_new);
            net.told.insert(successor.clone(), NodeType::Visible);
            kernel.lost(&replaced, true, NodeDownReason::ConnectionClosed);
            assert!(net.told.channel(&peer).is_some_and(|told| Arc::ptr_eq(&told, &successor)));
            kernel.lost(&successor, true, NodeDownReason::ConnectionClosed);
            assert!(net.told.channel(&peer).is_none());
        });
        node.stop();
    }
}
