//! Routes signals to their receivers: into a queue of this node, or to the carrier.

use std::fmt::Display;

use crate::carrier::{Carried, Conditions, ConnectionId, NotCarried, RemoteDest};
use crate::context;
use crate::dest::Dest;
use crate::exit_reason::ExitReason;
use crate::message::{Address, EncodeError, Envelope, Message};
use crate::name::Name;
use crate::node::Inner;
use crate::node_name::NodeName;
use crate::observe::SignalRef;
use crate::pid::Pid;
use crate::priority::Priority;
use crate::process::core::SlotRef;
use crate::process::core::relations::LOCAL;
use crate::process::failure::contain;
use crate::reference::Reference;
use crate::report;
use crate::report::Cut;
use crate::scheduler::is_worker_of;
use crate::signal::{Alias, Signal, Target};
use crate::signal_queue::Wake;
use crate::table;

/// Why a message could not be sent.
///
/// ```
/// # use fika_runtime::{Node, SendError};
/// let node = Node::builder().build()?;
/// match node.send("nobody", 1_u64) {
///     Ok(()) => {}
///     Err(error) => eprintln!("{error}"),
/// }
/// # node.stop();
/// # Ok::<(), fika_runtime::BuildError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No process of this node has the name.
    #[error("no process of this node is registered as `{0}`")]
    Unregistered(String),
    /// The node's name is invalid.
    #[error(transparent)]
    NodeName(#[from] crate::NodeNameError),
    /// The message can't be sent to another node.
    #[error(transparent)]
    Encode(#[from] crate::EncodeError),
}

/// Returns the process that runs on this thread, if any.
fn running_process() -> Option<Pid> {
    context::try_process(|me| me.pid())
}

/// A destination that has been looked up.
pub(in crate::process) enum Found {
    Local(Pid),
    /// An alias, of this node or another.
    Alias(Reference),
    Remote(RemoteDest),
    /// A name on this node that is not registered.
    Nobody,
}

impl Inner {
    #[inline]
    pub(in crate::process) fn find(&self, dest: &Dest<'_>) -> Result<Found, SendError> {
        let here = |name: &str| match self.registry.whereis(name) {
            Some(pid) => Found::Local(pid),
            None => Found::Nobody,
        };
        Ok(match dest {
            Dest::Pid(pid) if pid.node() == self.id => Found::Local(*pid),
            Dest::Pid(pid) => Found::Remote(RemoteDest::Pid(*pid)),
            Dest::Alias(alias) => Found::Alias(*alias),
            Dest::Name(name) => match here(name) {
                Found::Nobody => return Err(SendError::Unregistered(name.as_ref().into())),
                found => found,
            },
            Dest::NameAt(name, node) if self.is_called(node) => here(name),
            Dest::NameAt(name, node) => {
                let node: NodeName = node.parse()?;
                Found::Remote(RemoteDest::Name(Name::from(&**name), node))
            }
        })
    }

    /// Sends a message.
    #[inline]
    pub(crate) fn send<M: Message>(&self, dest: Dest<'_>, message: M) -> Result<(), SendError> {
        let message = Envelope::new(message);
        // The common cases, without the detour over `Found`.
        let here = match &dest {
            Dest::Pid(pid) if pid.node() == self.id => Some(*pid),
            Dest::Pid(pid) => return self.send_away(*pid, message),
            Dest::Name(name) => self.registry.whereis(name),
            _ => None,
        };
        match here {
            Some(pid) if !self.settings.encode_messages => {
                self.deliver_envelope(pid, message);
                Ok(())
            }
            _ => self.send_envelope(&dest, message),
        }
    }

    /// Returns the message unchanged, unless the node [encodes
    /// messages](crate::NodeBuilder::encode_messages): then, encodes and decodes it, as if it came
    /// from another node.
    #[inline]
    pub(in crate::process) fn as_encoded(
        &self,
        message: Envelope,
    ) -> Result<Envelope, EncodeError> {
        if self.settings.encode_messages { message.through_codec() } else { Ok(message) }
    }

    /// Sends a message to a process of another node.
    fn send_away(&self, to: Pid, message: Envelope) -> Result<(), SendError> {
        message.check_sendable()?;
        let Some(carrier) = self.carrier.get() else { return Ok(()) };
        self.send_out(to, message, true, |sender, to, message| {
            carrier.send_message(sender, to, message)
        })?;
        Ok(())
    }

    pub(crate) fn send_envelope(
        &self,
        dest: &Dest<'_>,
        message: Envelope,
    ) -> Result<(), SendError> {
        let found = self.find(dest)?;
        let message = match found {
            Found::Local(_) => self.as_encoded(message)?,
            _ => message,
        };
        self.send_to(found, message)
    }

    /// Sends a message. A process of this node gets it unchanged, even if the node encodes
    /// messages.
    pub(super) fn send_as_it_is(
        &self,
        dest: &Dest<'_>,
        message: Envelope,
    ) -> Result<(), SendError> {
        match self.find(dest) {
            Ok(found) => self.send_to(found, message),
            Err(error) => {
                // A panic in the message's destructor must not leak the error.
                contain(|| drop(message));
                Err(error)
            }
        }
    }

    #[inline]
    fn send_to(&self, found: Found, message: Envelope) -> Result<(), SendError> {
        match found {
            Found::Local(pid) => self.deliver_envelope(pid, message),
            Found::Alias(reference) => {
                self.send_alias(Alias { reference, priority: false }, Signal::Message(message))?;
            }
            Found::Remote(dest) => {
                message.check_sendable()?;
                self.try_carry(dest, Signal::Message(message), true)?;
            }
            Found::Nobody => {}
        }
        Ok(())
    }

    /// Sends a message with priority, if the destination is an alias that allows it.
    pub(in crate::process) fn send_priority<M: Message>(
        &self,
        dest: Dest<'_>,
        message: M,
    ) -> Result<(), SendError> {
        let Dest::Alias(reference) = dest else { return self.send(dest, message) };
        let alias = Alias { reference, priority: true };
        self.send_alias(alias, Signal::Message(Envelope::new(message)))
    }

    /// Sends a signal other than a message to an alias.
    pub(in crate::process) fn signal_alias(&self, alias: Alias, signal: Signal) {
        if let Err(error) = self.send_alias(alias, signal) {
            self.signal_not_sent(&error);
        }
    }

    fn send_alias(&self, alias: Alias, signal: Signal) -> Result<(), SendError> {
        if alias.reference.owner().is_none() {
            self.nobody(signal);
        } else if alias.reference.node() == self.id {
            let signal = match signal {
                Signal::Message(message) => Signal::Message(self.as_encoded(message)?),
                signal => signal,
            };
            self.deliver_to_alias(alias, signal);
        } else {
            if let Signal::Message(message) = &signal {
                message.check_sendable()?;
            }
            self.try_carry(RemoteDest::Alias(alias), signal, true)?;
        }
        Ok(())
    }

    /// Sends a signal to a process of any node, and returns the connection over which it was sent.
    pub(in crate::process) fn signal(&self, to: Pid, signal: Signal) -> ConnectionId {
        let waits = !signal.is_of_the_runtime();
        self.signal_as(to, signal, waits)
    }

    /// Sends a signal to a process of any node. If the connection is congested, the running process
    /// is suspended if `waits` is set.
    pub(in crate::process) fn signal_as(
        &self,
        to: Pid,
        signal: Signal,
        waits: bool,
    ) -> ConnectionId {
        if to.node() == self.id {
            self.deliver(to, signal);
            LOCAL
        } else {
            self.carry(RemoteDest::Pid(to), signal, waits)
        }
    }

    /// Sends a signal from outside a process.
    pub(crate) fn signal_out(&self, to: Pid, signal: Signal) {
        self.signal(to, signal);
    }

    /// Sends a signal other than a message to another node. If the connection is congested, the
    /// running process is suspended if `waits` is set.
    pub(in crate::process) fn carry(
        &self,
        to: RemoteDest,
        signal: Signal,
        waits: bool,
    ) -> ConnectionId {
        self.try_carry(to, signal, waits).unwrap_or_else(|error| {
            self.signal_not_sent(&error);
            Inner::NEVER_CONNECTED
        })
    }

    fn signal_not_sent(&self, error: &dyn Display) {
        self.logs.signals_refused.line(self.env.now(), |left_out| {
            report!(error, error = %Cut(error), left_out, "a signal to another node was not sent");
        });
    }

    fn try_carry(
        &self,
        to: RemoteDest,
        signal: Signal,
        waits: bool,
    ) -> Result<ConnectionId, EncodeError> {
        let Some(carrier) = self.carrier.get() else {
            self.not_carried(&signal);
            return Ok(Inner::NEVER_CONNECTED);
        };
        self.send_out(to, signal, waits, |sender, to, signal| carrier.send(sender, to, signal))
    }

    /// Passes a signal to the carrier. This is the only way out of the node. If the connection is
    /// congested, the running process is suspended if `waits` is set.
    #[inline]
    fn send_out<D, S, E>(
        &self,
        to: D,
        signal: S,
        waits: bool,
        carry: impl FnOnce(Option<Pid>, D, S) -> Result<Carried, E>,
    ) -> Result<ConnectionId, E>
    where
        D: Clone + Into<RemoteDest>,
        for<'a> &'a S: Into<SignalRef<'a>>,
    {
        let sender = running_process();
        self.observed.tell(|observer| {
            observer.sends(sender, &to.clone().into(), (&signal).into());
        });
        let carried = carry(sender, to, signal);
        self.observed.tell(|observer| {
            observer.sent(carried.as_ref().ok().map(|carried| carried.connection));
        });
        let Carried { connection, congested } = carried?;
        self.flush_outside();
        if let Some(congested) = congested.filter(|_| waits) {
            self.hold_up(connection, &congested);
        }
        Ok(connection)
    }

    /// Sends a message to another node if the conditions hold.
    pub(in crate::process) fn carry_if(
        &self,
        to: RemoteDest,
        message: Envelope,
        conditions: Conditions,
    ) -> Result<(), NotCarried> {
        let message = Signal::Message(message);
        let Some(carrier) = self.carrier.get() else {
            let noconnect = conditions.noconnect;
            return if noconnect { Err(NotCarried::Noconnect(message)) } else { Ok(()) };
        };
        let waits = !conditions.nosuspend;
        let nosuspend = conditions.nosuspend && self.may_be_held_up();
        let conditions = Conditions { nosuspend, ..conditions };
        // With `nosuspend` the process is not suspended: its next message is refused instead.
        self.send_out(to, message, waits, |sender, to, message| {
            carrier.send_if(sender, to, message, conditions)
        })?;
        Ok(())
    }

    /// Flushes the carrier if this thread is not a worker of the node. The node's own workers flush
    /// it at the end of a turn.
    pub(super) fn flush_outside(&self) {
        if !is_worker_of(&self.scheduler)
            && self.scheduler.by_steps().is_none()
            && let Some(carrier) = self.carrier.get()
        {
            carrier.flush();
        }
    }

    /// Handles a signal to another node when there is no carrier. The sender of a link or a monitor
    /// learns that the connection is lost.
    fn not_carried(&self, signal: &Signal) {
        if let Signal::Link { from } | Signal::Monitor { from, .. } = signal {
            let connection = Inner::NEVER_CONNECTED;
            self.deliver(*from, Signal::ConnectionLost { node: None, connection });
        }
    }

    /// Puts a signal into the queue of a process of this node.
    pub(crate) fn deliver(&self, to: Pid, signal: Signal) {
        if !matches!(signal, Signal::Message(_)) {
            self.observed.tell(|observer| observer.signal(to, &signal));
        }
        self.deliver_envelope(to, Envelope::signal(signal));
    }

    /// Puts a signal, in its envelope, into the queue of a process of this node.
    pub(crate) fn deliver_envelope(&self, to: Pid, envelope: Envelope) {
        self.push(to, self.table.get(to.local()), envelope);
    }

    /// Puts a message from another node into the queue of a process of this node.
    pub(crate) fn receive_message(&self, to: Pid, message: Envelope) {
        let slot = self.table.get(to.local());
        match slot {
            Some(slot) if slot.has_mark(table::DEAF) => self.refuse(to, Signal::Message(message)),
            slot => self.push(to, slot, message),
        }
    }

    /// Puts a signal into the queue of a process. `slot` is its slot, or `None` if it has ended.
    #[inline]
    fn push(&self, to: Pid, slot: Option<SlotRef>, mut envelope: Envelope) {
        debug_assert_eq!(to.node(), self.id);
        if envelope.is_message() {
            self.observed.tell(|observer| observer.message(to, &envelope));
        }
        envelope.set_word(Address::pid(to.local().generation));
        let refused = match slot {
            Some(slot) if slot.is_bounded() => self.push_bounded(slot, envelope),
            Some(slot) => slot.queue.push(envelope).map(|wake| slot.wake(wake)),
            None => Err(envelope),
        };
        if let Err(envelope) = refused {
            self.undeliverable(to, envelope.into_signal());
        }
    }

    /// Puts a message that has its address, and its room if the mailbox has a limit, into the queue of
    /// a process of this node. Returns the message if the process has ended.
    pub(in crate::process) fn enqueue(
        &self,
        slot: SlotRef,
        message: Envelope,
    ) -> Result<(), Envelope> {
        let to = Pid::new(self.id, slot.id());
        self.observed.tell(|observer| observer.message(to, &message));
        slot.queue.push(message).map(|wake| slot.wake(wake))
    }

    /// Puts a signal into the queue of a process of this node, which gets a turn of at least this
    /// priority to handle it. Returns the process's slot, and whether the slot was scheduled.
    /// `None` if there is no such process.
    pub(in crate::process) fn deliver_at(
        &self,
        to: Pid,
        signal: Signal,
        priority: Priority,
    ) -> Option<(SlotRef, Wake)> {
        let mut envelope = Envelope::signal(signal);
        envelope.set_word(Address::pid(to.local().generation));
        let slot = self.table.get(to.local())?;
        let wake = slot.queue.push(envelope).ok()?;
        slot.wake_at(wake, priority);
        Some((slot, wake))
    }

    /// Puts a signal into the queue of the process that owns this alias. Only the owner knows
    /// whether the alias is active.
    pub(super) fn deliver_to_alias(&self, alias: Alias, signal: Signal) {
        let Alias { reference, priority } = alias;
        let slot = reference.owner().and_then(|owner| self.table.get_any(owner));
        let (Some(slot), Some(address)) = (slot, Address::alias(reference.serial(), priority))
        else {
            return self.nobody(signal);
        };
        let mut envelope = Envelope::signal(signal);
        if envelope.is_message() {
            let to = Pid::new(self.id, slot.id());
            self.observed.tell(|observer| observer.message(to, &envelope));
        }
        envelope.set_word(address);
        let pushed = if slot.is_bounded() {
            self.push_bounded(slot, envelope)
        } else {
            slot.queue.push(envelope).map(|wake| slot.wake(wake))
        };
        if let Err(envelope) = pushed {
            self.nobody(envelope.into_signal());
        }
    }

    /// Delivers a signal from another node, and returns its receiver.
    pub(crate) fn receive(&self, target: &Target, signal: Signal) -> Option<Pid> {
        let pid = match target {
            Target::Pid(pid) => Some(*pid),
            Target::Alias(alias) => {
                self.deliver_to_alias(*alias, signal);
                return None;
            }
            Target::Name(name) => self.registry.whereis(name.as_str()),
        };
        match pid {
            Some(pid) if self.is_guarded(pid, &signal) => self.refuse(pid, signal),
            Some(pid) => self.deliver(pid, signal),
            None => self.nobody(signal),
        }
        pid
    }

    /// Handles a signal to a process that has ended. A sender that expects an answer gets one.
    pub(in crate::process) fn undeliverable(&self, to: Pid, signal: Signal) {
        match signal {
            Signal::Link { from } => {
                let reason = ExitReason::Noproc;
                self.signal(from, Signal::Exit { from: to, reason, by_link: true });
            }
            Signal::Unlink { from, id } => {
                self.signal(from, Signal::UnlinkAck { from: to, id });
            }
            Signal::SpawnReply { connection: Some(connection), reference, result } => {
                self.orphaned(to, connection, reference, result.ok());
            }
            Signal::ConnectionLost { connection, .. } => self.orphans_lost(to, connection),
            other => self.nobody(other),
        }
    }

    /// Drops a signal that has no receiver. The sender of a monitor gets a `Down`.
    pub(in crate::process) fn nobody(&self, signal: Signal) {
        match signal {
            Signal::Monitor { from, reference } => {
                let reason = ExitReason::Noproc;
                self.signal(from, Signal::Down { from: None, reference, reason });
            }
            other => contain(|| drop(other)),
        }
    }
}
