//! Signals arrive as they were sent, and a signal that can't be sent changes nothing.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use fika_runtime::message::Buffer;
use fika_runtime::{
    ConnectionId, DecodeError, EncodeError, Local, Name, PanicReason, Term, WireType,
};

use super::*;
use crate::proto::limits::NAME_NUMBERS_MAX;

/// Returns a form of the signal that can be compared.
fn comparable(signal: &Signal) -> String {
    match signal {
        Signal::Message(envelope) => {
            let Encoded { wire_type, nodes, bytes, .. } = envelope.to_encoded().unwrap();
            // Without the connection over which it came.
            let WireType { tag, fingerprint, .. } = &*wire_type;
            format!("{tag} {fingerprint} {nodes:?} {bytes:?}")
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn every_signal_arrives() {
    let (mut at_a, mut at_b) = pair();
    for target in [Target::Pid(pid(b(), u32::MAX)), to_name("näme")] {
        for sent in every_signal() {
            at_a.send(&target, copy(&sent)).unwrap();
            carry(&mut at_a, &mut at_b);
            let event = at_b.poll_event().unwrap().unwrap();
            let Event::Signal { target: to, signal } = event else { panic!("{event:?}") };
            assert_eq!((to, comparable(&signal)), (target.clone(), comparable(&sent)));
            if let (Signal::Exit { reason, .. }, Signal::Exit { reason: sent, .. })
            | (Signal::Down { reason, .. }, Signal::Down { reason: sent, .. }) = (&signal, &sent)
            {
                assert_eq!(reason, sent);
            }
            assert!(matches!(at_b.poll_event(), Ok(None)));
        }
    }
    let lost = Signal::ConnectionLost { node: None, connection: ConnectionId(1) };
    assert_eq!(at_a.send(&to_name("x"), lost), Err(SendError::LocalOnly));
}

/// ALIAS-11, SIG-14: messages and exit signals cross with an alias as their target. A peer that
/// does not support priority messages gets ordinary ones.
#[test]
fn signals_to_an_alias_arrive() {
    for knows_priority in [false, true] {
        let config_at_a = Config { priority: knows_priority, ..config(a(), b()) };
        let (mut at_a, mut at_b) =
            (Connection::new(config_at_a), Connection::new(config(b(), a())));
        for (serial, priority) in [(0, false), (u64::MAX, true)] {
            let target = to_alias(serial, priority);
            let received = to_alias(serial, priority && knows_priority);
            for sent in every_signal() {
                if !by_alias(&sent) {
                    let refused = at_a.send(&target, copy(&sent));
                    assert_eq!(refused, Err(SendError::NotByAlias), "{sent:?}");
                    continue;
                }
                at_a.send(&target, copy(&sent)).unwrap();
                carry(&mut at_a, &mut at_b);
                let event = at_b.poll_event().unwrap().unwrap();
                let Event::Signal { target, signal } = event else { panic!("{event:?}") };
                assert_eq!((&target, comparable(&signal)), (&received, comparable(&sent)));
            }
        }
    }
    let (mut at_a, _) = pair();
    for (reference, error) in [
        (Reference::owned(a(), 1, Some(1)), SendError::NotThePeers(a())),
        (Reference::owned(node("b@h", 1), 1, Some(1)), SendError::NotThePeers(node("b@h", 1))),
        (Reference::new(b(), 1), SendError::NotByAlias),
    ] {
        let target = Target::Alias(Alias { reference, priority: false });
        assert_eq!(at_a.send(&target, message(1_u64)), Err(error));
    }
    assert_eq!(at_a.output_bytes(), 0);
}

#[test]
fn a_request_to_spawn_arrives() {
    let (mut at_a, mut at_b) = pair();
    for (link, monitor) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut sent = request(link, monitor);
        sent.priority = match (link, monitor) {
            (false, false) => Priority::Low,
            (true, false) => Priority::Normal,
            (false, true) => Priority::High,
            (true, true) => Priority::Max,
        };
        at_a.spawn(sent.clone()).unwrap();
        carry(&mut at_a, &mut at_b);
        let event = at_b.poll_event().unwrap();
        let Some(Event::Spawn(request)) = event else { panic!("{event:?}") };
        sent.args.from = Some(a());
        assert_eq!(*request, sent);
    }
}

#[test]
fn a_message_is_decoded_by_its_receiver() {
    let (mut at_a, mut at_b) = pair();
    let pids = vec![pid(a(), 1), pid(b(), 2), pid(node("third@h", 3), 3)];
    send(&mut at_a, &to_name("x"), message(pids.clone()));
    carry(&mut at_a, &mut at_b);
    let event = at_b.poll_event().unwrap().unwrap();
    let Event::Signal { signal: Signal::Message(envelope), .. } = event else { panic!() };
    assert!(envelope.is::<Vec<Pid>>());
    let encoded = envelope.as_encoded().unwrap();
    assert_eq!((encoded.from, encoded.decode::<Vec<Pid>>()), (Some(a()), Ok(pids)));
}

/// A message names its sender, whatever its target is, in pieces or not.
#[test]
fn a_message_names_its_sender() {
    let local = LocalId { slot: u32::MAX - 1, generation: 7 };
    let (ours, of_nobody) = (Pid::new(a(), local), Pid::new(node("third@h", 3), local));
    for target in [Target::Pid(pid(b(), 1)), to_name("x"), to_alias(7, true)] {
        for bytes in [1, 100_000] {
            for (sender, said) in [(Some(ours), Some(local)), (None, None), (Some(of_nobody), None)]
            {
                let (mut at_a, mut at_b) = pair();
                at_a.send_as(sender, &target, message("x".repeat(bytes))).unwrap();
                carry(&mut at_a, &mut at_b);
                let event = at_b.poll_event().unwrap().unwrap();
                let Event::Signal { signal: Signal::Message(envelope), .. } = event else {
                    panic!()
                };
                assert_eq!(envelope.as_encoded().unwrap().sender, said, "{target:?}");
            }
        }
    }
}

/// The exact bytes of a few frames, including definitions, as in `PROTOCOL.md`.
#[test]
fn test_vector() {
    let (mut at_a, _) = pair();
    let target = Target::Pid(Pid::new(b(), LocalId { slot: 300, generation: 2 }));
    let from = Pid::new(a(), LocalId { slot: 1, generation: 0 });
    let pids =
        || message((pid(b(), 0), Pid::new(node("c@h", 9), LocalId { slot: 5, generation: 6 })));
    let tag = b"tuple2<pid,pid>";
    let fingerprint = <(Pid, Pid)>::fingerprint().to_be_bytes();
    send(&mut at_a, &target, Signal::Link { from });
    assert_eq!(at_a.output(), b"\0\0\0\x06\x11\xac\x02\x02\x01\0");
    at_a.advance_output(10);

    send(&mut at_a, &to_name("x"), Signal::Unlink { from, id: 128 });
    assert_eq!(at_a.output(), b"\0\0\0\x04\x02\0\x01x\0\0\0\x06\x92\0\x01\0\x80\x01");
    at_a.advance_output(18);

    send(&mut at_a, &target, pids());
    let define_type = [&[0, 0, 0, 26, 3, 0][..], &fingerprint, &[15], tag].concat();
    let define_node = b"\0\0\0\x0a\x01\x02\0\0\0\x09\x03c@h";
    let body = b"\x10\xac\x02\x02\0\0\x02\x01\x02\0\0\0\x0a\0\0\x80\x80\xfc\xff\x0f\x01\x05\x06";
    let frame = [&[0, 0, 0, body.len() as u8], &body[..]].concat();
    assert_eq!(at_a.output(), [&define_type, &define_node[..], &frame].concat());
    at_a.output.clear();

    send(&mut at_a, &target, pids());
    assert_eq!(at_a.output(), frame, "nothing is defined twice");
    at_a.output.clear();

    let reference = Reference::owned(a(), 200, Some(1));
    send(&mut at_a, &target, Signal::Monitor { from, reference });
    assert_eq!(at_a.output(), b"\0\0\0\x09\x15\xac\x02\x02\x01\0\xc8\x01\x02");
    at_a.output.clear();

    let reference = Reference::owned(b(), 200, Some(300));
    let alias = Target::Alias(Alias { reference, priority: true });
    send(&mut at_a, &alias, Signal::Exit { from, reason: ExitReason::Kill, by_link: false });
    let body = b"\x54\xac\x02\xc8\x01\x01\x01\0\0\0\0\0\0\x01\x03";
    assert_eq!(at_a.output(), [&[0, 0, 0, body.len() as u8], &body[..]].concat());
    at_a.output.clear();

    let lost = fika_runtime::Undecodable {
        part: fika_runtime::UndecodablePart::Message,
        sender: Some(Pid::new(b(), LocalId { slot: 5, generation: 6 })),
        receiver: Some(from),
        tag: "t".into(),
        why: "why".into(),
    };
    at_a.sending.send_undecodable(&lost, 2).unwrap();
    assert_eq!(at_a.output(), b"\0\0\0\x0d\x06\0\x06\x06\x02\0\x01t\x03why\x02");
}

/// More names and types than there are numbers, each used several times, in an order that reassigns
/// numbers all the time.
#[test]
fn reused_numbers_never_mix_up_names() {
    let (mut at_a, mut at_b) = pair();
    let scripts = ["name", "näme", "имя", "名前", "🦀"];
    let name = |n: usize| format!("{}{n}", scripts[n % scripts.len()]);
    let mut sent = Vec::new();
    for round in 0..3 {
        for n in 0..NAME_NUMBERS_MAX + 500 {
            let n = (n * (2 * round + 1)) % (NAME_NUMBERS_MAX + 500);
            let tag = format!("type {}", name(n));
            let hash = fika_runtime::message::hash_tag(&tag);
            let wire_type = Arc::new(WireType {
                tag: tag.into(),
                hash,
                fingerprint: n as u64,
                connection: None,
            });
            let encoded = Encoded { wire_type, ..Encoded::new(&name(n)).unwrap() };
            let signal = Signal::Message(Envelope::encoded(encoded.clone()));
            send(&mut at_a, &Target::Name(name(n).into()), signal);
            sent.push((name(n), encoded));
            if n.is_multiple_of(7) {
                send(&mut at_a, &to_name("often"), message(name(n)));
                sent.push(("often".into(), Encoded::new(&name(n)).unwrap()));
            }
        }
        carry(&mut at_a, &mut at_b);
    }
    for (name, encoded) in sent {
        let event = at_b.poll_event().unwrap().unwrap();
        let Event::Signal { target, signal: Signal::Message(envelope) } = event else { panic!() };
        assert_eq!(target, Target::Name(name.into()));
        assert_eq!(envelope.as_encoded(), Some(&Encoded { from: Some(a()), ..encoded }));
    }
    assert!(matches!(at_b.poll_event(), Ok(None)));
}

/// This node refuses to speak for others, and to send to an earlier life of the peer.
#[test]
fn forged_and_misdirected_signals_are_refused() {
    let (mut at_a, _) = pair();
    let (to, third, earlier) = (Target::Pid(pid(b(), 1)), node("third@h", 3), node("b@h", 1));
    let (ours, theirs) = (Reference::new(a(), 1), Reference::new(b(), 1));
    let (from, reason) = (pid(third, 1), ExitReason::Normal);
    let forged = [
        Signal::Link { from },
        Signal::Unlink { from, id: 1 },
        Signal::UnlinkAck { from, id: 1 },
        Signal::Exit { from, reason: reason.clone(), by_link: true },
        Signal::Monitor { from, reference: ours },
        Signal::Demonitor { from, reference: ours },
        Signal::Monitor { from: pid(a(), 1), reference: Reference::new(third, 1) },
        Signal::Down { from: Some(from), reference: theirs, reason: reason.clone() },
        Signal::SpawnReply { connection: None, reference: theirs, result: Ok(from) },
    ];
    for signal in forged {
        assert_eq!(at_a.send(&to, signal), Err(SendError::NotOurs(third)));
    }
    let (connection, result) = (None, Ok(pid(a(), 1)));
    let astray = [
        Signal::Down { from: None, reference: Reference::new(earlier, 1), reason },
        Signal::SpawnReply { connection, reference: Reference::new(earlier, 1), result },
    ];
    for signal in astray {
        assert_eq!(at_a.send(&to, signal), Err(SendError::NotThePeers(earlier)));
    }
    let link = Signal::Link { from: pid(a(), 1) };
    for (target, node) in [(pid(earlier, 1), earlier), (pid(a(), 1), a())] {
        let refused = at_a.send(&Target::Pid(target), copy(&link));
        assert_eq!(refused, Err(SendError::NotThePeers(node)));
    }
    let request = SpawnRequest { from, ..request(false, false) };
    assert_eq!(at_a.spawn(request), Err(SendError::NotOurs(third)));
    assert_eq!(at_a.output_bytes(), 0);
}

/// A value that can't be encoded leaves neither bytes nor numbers behind.
#[test]
fn a_failed_send_changes_nothing() {
    let (mut at_a, mut at_b) = pair();
    send(&mut at_a, &to_name("first"), message(1_u64));
    let before = at_a.output().to_vec();
    let long: Name = "x".repeat(Name::BYTES_MAX + 1).into();
    let tag = Arc::from("x".repeat(1025));
    let wire_type = Arc::new(WireType { tag, ..WireType::default() });
    let bad_tag = Encoded { wire_type, ..Encoded::new(&1_u8).unwrap() };
    let failures = [
        (to_name("second"), message(Local(1_u32))),
        (Target::Name(long), message(1_u64)),
        (to_name("third"), Signal::Message(Envelope::encoded(bad_tag))),
        (to_name("fourth"), Signal::Link { from: pid(b(), 1) }),
    ];
    for (target, signal) in failures {
        assert!(at_a.send(&target, signal).is_err());
        assert_eq!(at_a.output(), before);
    }
    for name in ["second", "third", "fourth"] {
        send(&mut at_a, &to_name(name), message(String::from(name)));
    }
    carry(&mut at_a, &mut at_b);
    let events = poll_all(&mut at_b).unwrap();
    let names = events.iter().map(|event| match event {
        Event::Signal { target: Target::Name(name), .. } => name.to_string(),
        other => panic!("{other:?}"),
    });
    assert_eq!(names.collect::<Vec<_>>(), ["first", "second", "third", "fourth"]);
}

/// A message is encoded to equal bytes by its short path and by that of all signals. A failed
/// message leaves equal state on both paths.
#[test]
fn a_message_has_one_form() {
    let [mut short, mut long] = [pair().0, pair().0];
    let to = Target::Pid(pid(b(), 300));
    let thirds: Vec<Pid> = (0..9).map(|n| pid(node(&format!("third{n}@h"), n), n)).collect();
    let tag = Arc::from("x".repeat(1025));
    let wire_type = Arc::new(WireType { tag, ..WireType::default() });
    let bad_tag = Encoded { wire_type, ..Encoded::new(&(1_u8, thirds[8])).unwrap() };
    let messages = [
        message(()),
        message(pid(a(), 1)),
        message(thirds[..4].to_vec()),
        message(Local(1_u8)),
        Signal::Message(Envelope::encoded(bad_tag)),
        message(thirds.clone()),
        message(vec!["x".repeat(1000); 5]),
        message(()),
    ];
    for signal in messages {
        let again = match &signal {
            Signal::Message(message) if message.is::<Local<u8>>() => self::message(Local(1_u8)),
            signal => copy(signal),
        };
        let sent = [short.send(&to, signal), long.send_parcel(None, &to, again)];
        assert_eq!(sent[0].is_ok(), sent[1].is_ok());
        assert_eq!(short.output(), long.output());
    }
}

/// A value whose own code panics while it is encoded.
struct Grenade;

impl Message for Grenade {
    fn tag() -> Cow<'static, str> {
        "Grenade".into()
    }

    fn fingerprint() -> u64 {
        1
    }

    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
        out.put_slice(b"half of it");
        std::panic::resume_unwind(Box::new("on purpose"));
    }

    fn decode(_: &Bytes) -> Result<Self, DecodeError> {
        Ok(Grenade)
    }
}

#[test]
fn a_panic_in_an_encoder_changes_nothing() {
    let (mut at_a, mut at_b) = pair();
    for round in 0..3 {
        let sending = AssertUnwindSafe(|| at_a.send(&to_name("new"), message(Grenade)));
        assert!(catch_unwind(sending).is_err());
        assert_eq!(at_a.output_bytes(), 0);
        match round {
            0 => at_a.queue_tick(),
            _ => send(&mut at_a, &to_name("new"), message(round)),
        }
        carry(&mut at_a, &mut at_b);
    }
    assert_eq!(poll_all(&mut at_b).unwrap().len(), 2);
}

/// An exit reason's number is its place in the enum, so a new reason goes to the end.
#[test]
fn exit_reasons_keep_their_numbers() {
    let term = || Term::new(&7_u8);
    let panic = PanicReason { message: "m".into(), location: Some("l".into()) };
    // The tag, the fingerprint, no nodes, the value, and its text.
    let term_bytes = b"\x02u8\x01\0\x01\x07\x017";
    let cases: [(ExitReason, &[u8]); 14] = [
        (ExitReason::Normal, b"\x00"),
        (ExitReason::Shutdown, b"\x01"),
        (ExitReason::ShutdownWith(term()), &[&[2], &term_bytes[..]].concat()),
        (ExitReason::Kill, b"\x03"),
        (ExitReason::Killed, b"\x04"),
        (ExitReason::Noproc, b"\x05"),
        (ExitReason::Noconnection, b"\x06"),
        (ExitReason::Timeout, b"\x07"),
        (ExitReason::Badarg("why".into()), b"\x08\x03why"),
        (ExitReason::SystemLimit, b"\x09"),
        (ExitReason::Notsup, b"\x0a"),
        (ExitReason::Abandoned, b"\x0b"),
        (ExitReason::Panic(panic.into()), b"\x0c\x01m\x01\x01l"),
        (ExitReason::Term(term()), &[&[13], &term_bytes[..]].concat()),
    ];
    for (reason, bytes) in cases {
        let mut encoded = Buffer::new();
        fika_runtime::message::encode_postcard(&reason, &mut encoded).unwrap();
        assert_eq!(encoded.into_bytes(), bytes, "{reason:?}");
    }
}
