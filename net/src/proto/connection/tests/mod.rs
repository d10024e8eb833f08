//! Two connections that talk to each other, and peers that do not keep to the rules.

mod hostile;
mod limits;
mod signals;

use fika_runtime::{
    Alias, Creation, Encoded, Envelope, ExitReason, LocalId, Message, Pid, Priority, Reference,
    SpawnError,
};

use super::*;

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
    Config { local, peer, hidden: false, priority: true, intensity: 4, limits }
}

/// The two ends of a connection.
fn pair() -> (Connection, Connection) {
    (Connection::new(config(a(), b())), Connection::new(config(b(), a())))
}

fn pid(node: NodeId, slot: u32) -> Pid {
    Pid::new(node, LocalId { slot, generation: slot ^ 0xffff_0000 })
}

/// Moves all bytes that wait, and returns them.
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
    connection.send(target, &signal).unwrap();
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

/// Whether an alias can be the target.
fn by_alias(signal: &Signal) -> bool {
    matches!(signal, Signal::Message(_) | Signal::Exit { by_link: false, .. })
}

/// What an event says, with the payload's bytes where there is one.
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
        Signal::SpawnReply { reference: theirs, result: Ok(from) },
        Signal::GroupLeader { leader: from },
        Signal::GroupLeader { leader: pid(node("fourth@h", 4), 6) },
    ];
    for error in [SpawnError::Noconnection, SpawnError::Notsup, SpawnError::SystemLimit] {
        signals.push(Signal::SpawnReply { reference: theirs, result: Err(error) });
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
