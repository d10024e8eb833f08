//! Two connections that talk to each other, and peers that break the rules.

mod hostile;
mod limits;
mod pieces;
mod signals;

use std::collections::VecDeque;
use std::io::IoSlice;

use fika_runtime::{
    Alias, ConnectionId, Creation, Encoded, Envelope, ExitReason, LocalId, Message, Pid, Priority,
    Reference, Signal, SpawnError, SpawnRequest, Target,
};

use super::*;
use crate::proto::control::SendError;
use crate::proto::error::ProtocolError;
use crate::proto::output::Batch;
use crate::proto::parcel::{Cargo, Parcel, Payload};
use crate::proto::tick::{TICK, Verdict};

/// Both halves of a connection, with the bytes between them and a test.
struct Connection {
    sending: Sending,
    receiving: Receiving,
    limits: Limits,
    batch: Batch,
    output: Vec<u8>,
    input: Vec<u8>,
    events: VecDeque<Event>,
}

impl Connection {
    fn new(config: Config) -> Connection {
        let (sending, receiving) = config.connection();
        let (batch, output, input) = (Batch::default(), Vec::new(), Vec::new());
        let limits = config.limits;
        Connection { sending, receiving, limits, batch, output, input, events: VecDeque::new() }
    }

    fn send(&mut self, target: &Target, signal: Signal) -> Result<(), SendError> {
        self.send_as(None, target, signal)
    }

    fn send_as(
        &mut self,
        sender: Option<Pid>,
        target: &Target,
        signal: Signal,
    ) -> Result<(), SendError> {
        // As a channel does.
        if let (Target::Pid(to), Signal::Message(message)) = (target, &signal)
            && to.node() == self.sending.peer()
        {
            let payload = Payload::message(message)?;
            payload.check(&self.limits)?;
            if self.sending.send_message(sender, to.local(), message, &payload)? {
                return Ok(());
            }
        }
        self.send_parcel(sender, target, signal)
    }

    fn send_parcel(
        &mut self,
        sender: Option<Pid>,
        target: &Target,
        signal: Signal,
    ) -> Result<(), SendError> {
        let parcel = Parcel::signal(signal, &self.limits, &mut None).map_err(|(why, _)| why)?;
        let sent = self.sending.send(sender, Some(target.clone()), parcel);
        sent.map_err(|refused| refused.0)
    }

    fn spawn(&mut self, request: SpawnRequest) -> Result<(), SendError> {
        let parcel = Parcel::spawn(request, &self.limits).map_err(|(why, _)| why)?;
        self.sending.send(None, None, parcel).map_err(|refused| {
            assert!(matches!(refused.1.cargo(), Cargo::Spawn(_)));
            refused.0
        })
    }

    /// Takes what is to be written next: one batch at most.
    fn take_batch(&mut self) {
        self.sending.take_output(&mut self.batch, &mut |error| panic!("{error}"));
        while !self.batch.is_empty() {
            let mut slices = [IoSlice::new(&[]); 3];
            let slices = self.batch.slices(&mut slices).iter();
            let bytes: Vec<u8> = slices.flat_map(|slice| slice.to_vec()).collect();
            self.batch.advance(bytes.len());
            self.sending.handle_written(bytes.len());
            self.output.extend(bytes);
        }
    }

    /// Returns all bytes that wait to be written.
    fn output(&mut self) -> &[u8] {
        while self.sending.output_bytes() > 0 {
            self.take_batch();
        }
        &self.output
    }

    fn output_bytes(&mut self) -> usize {
        self.output().len()
    }

    fn advance_output(&mut self, count: usize) {
        self.output.drain(..count);
    }

    fn queue_tick(&mut self) {
        // A check after which nothing was written requires a tick.
        if self.output().is_empty() {
            self.output.extend(TICK);
        }
    }

    fn handle_tick(&mut self) -> Verdict {
        self.receive();
        self.sending.handle_tick(self.receiving.bytes())
    }

    fn read_buffer(&mut self) -> &mut Vec<u8> {
        &mut self.input
    }

    fn receive(&mut self) -> Option<ProtocolError> {
        let mut events = Vec::new();
        let input = std::mem::take(&mut self.input);
        let result = self.receiving.handle(&input, &mut events);
        self.events.extend(events);
        result.err()
    }

    fn poll_event(&mut self) -> Result<Option<Event>, ProtocolError> {
        let error = self.receive();
        match (self.events.pop_front(), error) {
            (None, Some(error)) => Err(error),
            (event, _) => Ok(event),
        }
    }
}

fn node(name: &str, creation: u32) -> NodeId {
    NodeId::of(&name.parse().unwrap(), Creation(creation))
}

fn a() -> NodeId {
    node("a@h", 1)
}

fn b() -> NodeId {
    node("b@h", 2)
}

fn config(local: NodeId, peer: NodeId) -> Config {
    let limits = Limits::default();
    let id = ConnectionId(7);
    Config { id, local, peer, hidden: false, priority: true, intensity: 4, limits }
}

/// The two ends of a connection.
fn pair() -> (Connection, Connection) {
    (Connection::new(config(a(), b())), Connection::new(config(b(), a())))
}

fn pid(node: NodeId, slot: u32) -> Pid {
    Pid::new(node, LocalId { slot, generation: slot ^ 0xffff_0000 })
}

/// Moves all waiting bytes to the other end, and returns them.
fn carry(from: &mut Connection, to: &mut Connection) -> Vec<u8> {
    let bytes = from.output().to_vec();
    to.read_buffer().extend_from_slice(&bytes);
    from.advance_output(bytes.len());
    bytes
}

fn poll_all(connection: &mut Connection) -> Result<Vec<Event>, ProtocolError> {
    let mut events = Vec::new();
    while let Some(event) = connection.poll_event()? {
        events.push(event);
    }
    Ok(events)
}

fn send(connection: &mut Connection, target: &Target, signal: Signal) {
    connection.send(target, signal).unwrap();
}

fn message<M: Message>(message: M) -> Signal {
    Signal::Message(Envelope::new(message))
}

fn to_name(name: &str) -> Target {
    Target::Name(name.into())
}

/// An alias of a process of `b@h`.
fn to_alias(serial: u64, priority: bool) -> Target {
    Target::Alias(Alias { reference: Reference::owned(b(), serial, Some(3)), priority })
}

/// Returns whether the target can be an alias.
fn by_alias(signal: &Signal) -> bool {
    matches!(signal, Signal::Message(_) | Signal::Exit { by_link: false, .. })
}

/// Returns a copy of the signal, with its message encoded.
fn copy(signal: &Signal) -> Signal {
    match signal {
        Signal::Message(envelope) => {
            Signal::Message(Envelope::encoded(envelope.to_encoded().unwrap()))
        }
        Signal::Link { from } => Signal::Link { from: *from },
        Signal::Unlink { from, id } => Signal::Unlink { from: *from, id: *id },
        Signal::UnlinkAck { from, id } => Signal::UnlinkAck { from: *from, id: *id },
        Signal::Exit { from, reason, by_link } => {
            Signal::Exit { from: *from, reason: reason.clone(), by_link: *by_link }
        }
        Signal::Monitor { from, reference } => {
            Signal::Monitor { from: *from, reference: *reference }
        }
        Signal::Demonitor { from, reference } => {
            Signal::Demonitor { from: *from, reference: *reference }
        }
        Signal::Down { from, reference, reason } => {
            Signal::Down { from: *from, reference: *reference, reason: reason.clone() }
        }
        Signal::SpawnReply { connection, reference, result } => {
            Signal::SpawnReply { connection: *connection, reference: *reference, result: *result }
        }
        Signal::GroupLeader { leader } => Signal::GroupLeader { leader: *leader },
        other => panic!("{other:?} never crosses"),
    }
}

/// Describes an event, including the payload's bytes if there are any.
fn describe(event: &Event) -> String {
    match event {
        Event::Signal { target, signal: Signal::Message(envelope) } => {
            format!("{target:?} <- {:?}", envelope.as_encoded())
        }
        other => format!("{other:?}"),
    }
}

fn described(events: &[Event]) -> Vec<String> {
    events.iter().map(describe).collect()
}

/// One signal of each kind that crosses, from `a@h` to `b@h`.
fn every_signal() -> Vec<Signal> {
    let (from, reference, theirs) =
        (pid(a(), 3), Reference::new(a(), 1 << 40), Reference::owned(b(), 9, Some(u32::MAX - 1)));
    let reason = || ExitReason::term((pid(node("third@h", 3), 5), String::from("why")));
    let connection = Some(config(a(), b()).id);
    let mut signals = vec![
        message(String::from("text")),
        message(pid(node("third@h", 3), 5)),
        Signal::Message(Envelope::encoded(Encoded::new(&vec![from, pid(b(), 1)]).unwrap())),
        Signal::Link { from },
        Signal::Unlink { from, id: u64::MAX },
        Signal::UnlinkAck { from, id: 0 },
        Signal::Monitor { from, reference },
        Signal::Demonitor { from, reference: Reference::owned(a(), u64::MAX, Some(0)) },
        Signal::Down { from: None, reference: theirs, reason: ExitReason::Noproc },
        Signal::Down { from: Some(from), reference: theirs, reason: reason() },
        Signal::SpawnReply { connection, reference: theirs, result: Ok(from) },
        Signal::GroupLeader { leader: from },
        Signal::GroupLeader { leader: pid(node("fourth@h", 4), 6) },
    ];
    let errors =
        [SpawnError::Noconnection, SpawnError::Notsup, SpawnError::SystemLimit, SpawnError::Badarg];
    for error in errors {
        signals.push(Signal::SpawnReply { connection, reference: theirs, result: Err(error) });
    }
    let reasons =
        [ExitReason::Normal, ExitReason::Kill, ExitReason::Badarg("bad".into()), reason()];
    for (reason, by_link) in reasons.into_iter().zip([true, false].into_iter().cycle()) {
        signals.push(Signal::Exit { from, reason, by_link });
    }
    signals
}

fn request(link: bool, monitor: bool) -> SpawnRequest {
    SpawnRequest {
        reference: Reference::new(a(), 77),
        from: pid(a(), 3),
        group_leader: pid(node("leader@h", 8), 4),
        function: "crate::función".into(),
        args: Encoded::new(&(pid(b(), 1), 5_u64)).unwrap(),
        link,
        monitor,
        priority: Priority::Normal,
    }
}
