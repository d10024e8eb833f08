//! Bytes that no correct peer sends, and correct bytes in any pieces.

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::proto::error::{InvalidMessage, PeerMisbehaved};

/// Returns a connection to `a@h` that has received this body, after the definitions of name 0 and
/// type 0.
fn received(body: &[u8]) -> Connection {
    let mut at_b = Connection::new(config(b(), a()));
    for body in [&b"\x02\0\x01x"[..], b"\x03\0\0\0\0\0\0\0\0\x01\x01t", body] {
        at_b.read_buffer().extend_from_slice(&(body.len() as u32).to_be_bytes());
        at_b.read_buffer().extend_from_slice(body);
    }
    at_b
}

#[test]
fn wrong_bodies_end_the_connection() {
    let undefined = |what, number| ProtocolError::from(PeerMisbehaved::Undefined { what, number });
    let definition =
        |what, number| ProtocolError::from(PeerMisbehaved::BadDefinition { what, number });
    let unknown = |what, value| ProtocolError::from(InvalidMessage::UnknownValue { what, value });
    let cases: [(&[u8], ProtocolError); 30] = [
        (b"\x00", unknown("the kind of a frame", 0)),
        (b"\x7f", unknown("the kind of a frame", 0x7f)),
        (b"\x81", unknown("the kind of a frame", 0x81)),
        (b"\xa0", unknown("the kind of a frame", 0xa0)),
        (b"\x11\x01", InvalidMessage::MissingData("the generation of a process").into()),
        (b"\x91\x01\0\0", undefined("name", 1)),
        (b"\x90\0\0\x01", undefined("message type", 1)),
        (b"\x90\0\x09\0\x01", undefined("message type", 1)),
        (b"\x90\0\0\0\x01\x02\0\0\0\0", undefined("node", 2)),
        (b"\x90\0\0\0\0\xff\xff\xff\xffx", InvalidMessage::MissingData("a payload").into()),
        (
            b"\x90\0\0\0\x81\x20\0\0\0\0",
            InvalidMessage::TooLong { what: "the nodes of a payload", length: 4097, max: 4096 }
                .into(),
        ),
        (b"\x91\0\0\0\0", InvalidMessage::TrailingData { what: "a signal", bytes: 1 }.into()),
        (b"\x94\0\0\0\x02", unknown("whether an exit comes by a link", 2)),
        (b"\x98\0\0\0\x05", unknown("the answer to a request to spawn", 5)),
        (b"\x06\x03", unknown("what did not decode", 3)),
        (b"\x06\0\0\0\0\0", InvalidMessage::MissingData("how many more did not decode").into()),
        (
            b"\x06\0\0\0\0\x81\x08",
            InvalidMessage::TooLong { what: "why it did not decode", length: 1025, max: 1024 }
                .into(),
        ),
        (
            b"\x06\0\0\0\0\0\0x",
            InvalidMessage::TrailingData { what: "a report of what did not decode", bytes: 1 }
                .into(),
        ),
        (b"\x51\0\0\0\0\0", unknown("the kind of a frame", 0x51)),
        (b"\x57\0\0\0\0\0", unknown("the kind of a frame", 0x57)),
        (b"\xd0\0\0\0\0\0", unknown("the kind of a frame", 0xd0)),
        (b"\x50\0", InvalidMessage::MissingData("the serial of an alias").into()),
        (b"\x50\0\0\x02", unknown("whether it goes ahead of ordinary messages", 2)),
        (
            b"\x54\0\0\0\0\0\x01\0\0\0\0\x01\0",
            unknown("whether an exit by an alias comes by a link", 1),
        ),
        (b"\x20\x10", unknown("the flags of a request to spawn", 16)),
        (b"\x01\0\0\0\0\x01\x03c@h", definition("node", 0)),
        (b"\x01\x03\0\0\0\x01\x03c@h", definition("node", 3)),
        (b"\x02\x80\x10\x01x", definition("name", 2048)),
        (
            b"\x02\x01\xfd\x07",
            InvalidMessage::TooLong { what: "a name", length: 1021, max: 1020 }.into(),
        ),
        (b"\x02\x01\x01\xff", InvalidMessage::NotUtf8("a name").into()),
    ];
    for (body, error) in cases {
        let mut at_b = received(body);
        assert_eq!(poll_all(&mut at_b).unwrap_err(), error, "{body:x?}");
        assert_eq!(at_b.poll_event().unwrap_err(), error);
    }
    let error = poll_all(&mut received(b"\x01\x02\0\0\0\x01\x03abc")).unwrap_err().to_string();
    assert!(error.starts_with("invalid message: `abc` is not a node name"), "{error}");
}

/// A reason that can't be decoded closes nothing: its signal arrives, whole or in pieces, after the
/// event that reports it.
#[test]
fn a_reason_that_does_not_decode() {
    let whole = received(b"\x14\x01\0\x05\x06\0\0\0\0\0\x01\xff");
    let mut in_pieces = received(b"\x04\x09\x14\x01\0\x05\x06\0\0\0\0\0\x01");
    in_pieces.read_buffer().extend_from_slice(b"\0\0\0\x03\x05\x09\xff");
    for mut at_b in [whole, in_pieces] {
        let events = poll_all(&mut at_b).unwrap();
        let [Event::Undecodable(lost), Event::Signal { signal, .. }] = &events[..] else {
            panic!("{events:?}")
        };
        let from = Pid::new(a(), LocalId { slot: 5, generation: 6 });
        let to = Pid::new(b(), LocalId { slot: 1, generation: 0 });
        let parties = (lost.part, lost.sender, lost.receiver);
        assert_eq!(parties, (fika_runtime::UndecodablePart::Reason, Some(from), Some(to)));
        assert!(matches!(signal, Signal::Exit { reason: ExitReason::Badarg(_), .. }), "{signal:?}");
    }
}

/// One end reports what it could not decode, and the other end receives the report. Long texts are
/// refused.
#[test]
fn a_report_of_undecodable_values() {
    use crate::proto::limits::{TAG_BYTES_MAX, WHY_BYTES_MAX};
    let (mut at_a, mut at_b) = pair();
    let sender = Pid::new(b(), LocalId { slot: u32::MAX - 1, generation: u32::MAX });
    let lost = fika_runtime::Undecodable {
        part: fika_runtime::UndecodablePart::Message,
        sender: Some(sender),
        receiver: Some(pid(a(), 3)),
        tag: "t".repeat(TAG_BYTES_MAX).into(),
        why: "w".repeat(WHY_BYTES_MAX),
    };
    let nobody = fika_runtime::Undecodable {
        part: fika_runtime::UndecodablePart::Arguments,
        sender: Some(pid(a(), 1)),
        receiver: Some(sender),
        ..lost.clone()
    };
    for (lost, more, heard) in [
        (&lost, u64::MAX, lost.clone()),
        // A sender or receiver that is on the wrong node is left out.
        (&nobody, 0, fika_runtime::Undecodable { sender: None, receiver: None, ..nobody.clone() }),
    ] {
        at_a.sending.send_undecodable(lost, more).unwrap();
        carry(&mut at_a, &mut at_b);
        let events = poll_all(&mut at_b).unwrap();
        let [Event::NotTaken(told)] = &events[..] else { panic!("{events:?}") };
        assert_eq!((&told.lost, told.more), (&heard, more));
    }
    for (tag, why) in [(TAG_BYTES_MAX + 1, 0), (0, WHY_BYTES_MAX + 1)] {
        let (tag, why) = ("t".repeat(tag).into(), "w".repeat(why));
        let long = fika_runtime::Undecodable { tag, why, ..lost.clone() };
        assert!(at_a.sending.send_undecodable(&long, 0).is_err());
        assert!(at_a.output().is_empty());
    }
}

/// The frame of every signal, cut at every byte and made to look whole, or with an additional byte,
/// gives no signal and no panic.
#[test]
fn truncated_and_overlong_bodies() {
    /// Returns an alias where one is allowed, and otherwise a process.
    fn target_of(signal: &Signal) -> Target {
        if by_alias(signal) { to_alias(7, true) } else { Target::Pid(pid(b(), 1)) }
    }
    for signal in every_signal() {
        let (mut at_a, mut at_b) = pair();
        let target = target_of(&signal);
        send(&mut at_a, &target, Signal::Message(Envelope::new(pid(node("third@h", 3), 1))));
        at_a.send(&target, copy(&signal)).unwrap();
        // All frames but the last are definitions and the first message.
        let bytes = at_a.output().to_vec();
        let mut last = 0;
        let mut next = 0;
        while next < bytes.len() {
            last = next;
            next += 4 + u32::from_be_bytes(bytes[next..next + 4].try_into().unwrap()) as usize;
        }
        let (before, body) = (&bytes[..last], &bytes[last + 4..]);
        let outcome = |body: &[u8]| {
            let mut at_b = Connection::new(config(b(), a()));
            let length = (body.len() as u32).to_be_bytes();
            at_b.read_buffer().extend_from_slice(&[before, &length, body].concat());
            poll_all(&mut at_b).map(|events| events.len())
        };
        assert_eq!(outcome(body), Ok(2));
        assert!(outcome(&[body, b"\0"].concat()).is_err());
        for end in 1..body.len() {
            assert!(outcome(&body[..end]).is_err(), "{signal:?} cut at {end}");
        }
        // Cut without a change of its length, the frame is incomplete.
        at_b.read_buffer().extend_from_slice(&bytes[..bytes.len() - 1]);
        assert_eq!(poll_all(&mut at_b).unwrap().len(), 1);
        at_b.read_buffer().extend_from_slice(&bytes[bytes.len() - 1..]);
        assert_eq!(poll_all(&mut at_b).unwrap().len(), 1);
    }
}

/// A stream with every kind of frame, including ticks and a large message.
fn stream() -> Vec<u8> {
    let mut at_a = Connection::new(config(a(), b()));
    let mut bytes = Vec::new();
    for target in [Target::Pid(pid(b(), 1)), to_name("näme")] {
        for signal in every_signal() {
            at_a.queue_tick();
            at_a.send(&target, signal).unwrap();
            bytes.extend_from_slice(at_a.output());
            at_a.output.clear();
        }
        at_a.spawn(request(true, true)).unwrap();
        send(&mut at_a, &target, message(Bytes::from(vec![7; 5000])));
        send(&mut at_a, &target, message(Bytes::from(vec![8; 20_000])));
    }
    bytes.extend_from_slice(at_a.output());
    bytes
}

/// Returns the node that an event speaks for, and the node that it is for.
fn parties(event: &Event) -> (BTreeSet<NodeId>, BTreeSet<NodeId>) {
    let (mut from, mut to) = (BTreeSet::new(), BTreeSet::new());
    match event {
        Event::Spawn(request) => from.extend([request.from.node(), request.reference.node()]),
        Event::Undecodable(lost) => {
            from.extend(lost.sender.map(Pid::node));
            to.extend(lost.receiver.map(Pid::node));
        }
        Event::NotTaken(told) => {
            to.extend(told.lost.sender.map(Pid::node));
            from.extend(told.lost.receiver.map(Pid::node));
        }
        Event::Signal { target, signal } => {
            if let Target::Pid(pid) = target {
                to.insert(pid.node());
            }
            match signal {
                Signal::Message(envelope) => {
                    from.extend(envelope.as_encoded().unwrap().from);
                }
                Signal::Link { from: pid }
                | Signal::Unlink { from: pid, .. }
                | Signal::UnlinkAck { from: pid, .. }
                | Signal::Exit { from: pid, .. } => {
                    from.insert(pid.node());
                }
                Signal::Monitor { from: pid, reference }
                | Signal::Demonitor { from: pid, reference } => {
                    from.extend([pid.node(), reference.node()]);
                }
                Signal::Down { from: pid, reference, .. } => {
                    from.extend(pid.map(Pid::node));
                    to.insert(reference.node());
                }
                Signal::SpawnReply { reference, result, .. } => {
                    from.extend(result.ok().map(Pid::node));
                    to.insert(reference.node());
                }
                // The leader may be of any node, and the signal does not speak for it.
                Signal::GroupLeader { .. } => {}
                Signal::Request(_)
                | Signal::ConnectionLost { .. }
                | Signal::ConnectionRoom { .. } => panic!("this never crosses"),
            }
        }
    }
    (from, to)
}

proptest! {
    /// However the stream is cut, its events are equal.
    #[test]
    fn any_split_gives_the_same_events(cuts in proptest::collection::vec(1..700_usize, 1..60)) {
        let bytes = stream();
        let mut whole = Connection::new(config(b(), a()));
        whole.read_buffer().extend_from_slice(&bytes);
        let expected = described(&poll_all(&mut whole).unwrap());
        prop_assert_eq!(expected.len(), 2 * (every_signal().len() + 3));

        let mut at_b = Connection::new(config(b(), a()));
        let mut events = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            at_b.read_buffer().extend_from_slice(piece);
            events.extend(poll_all(&mut at_b).unwrap());
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(described(&events), expected);
    }

    /// A peer that sends garbage can only speak for itself.
    #[test]
    fn changed_bytes_do_not_panic_or_forge(changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..12)) {
        let mut bytes = stream();
        bytes.truncate(1500);
        for (at, value) in changes {
            let at = usize::from(at) % bytes.len();
            bytes[at] = value;
        }
        let mut at_b = Connection::new(config(b(), a()));
        at_b.read_buffer().extend_from_slice(&bytes);
        while let Ok(Some(event)) = at_b.poll_event() {
            let (from, to) = parties(&event);
            prop_assert!(from.iter().all(|node| *node == a()), "{event:?}");
            prop_assert!(to.iter().all(|node| *node == b()), "{event:?}");
        }
    }

    #[test]
    fn any_body_is_handled(kind: u8, bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let mut at_b = received(&[&[kind], &bytes[..]].concat());
        let first = poll_all(&mut at_b).map(|events| events.len());
        // A reason that can't be decoded is a separate event.
        prop_assert!(first.is_err() || matches!(first, Ok(1 | 2)) || kind < 6);
    }

    #[test]
    fn any_bytes_are_handled(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut at_b = Connection::new(config(b(), a()));
        at_b.read_buffer().extend_from_slice(&bytes);
        let _ = poll_all(&mut at_b);
    }
}
