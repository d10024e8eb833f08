//! Messages in pieces: the order of the output, and the handling of invalid pieces (BUSY-7,
//! BUSY-8).

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::proto::error::{InvalidMessage, PeerMisbehaved};
use crate::proto::limits::{BATCH_PIECES, PIECE_BYTES_MAX, SEQUENCES_MAX, WHOLE_BYTES_MAX};

fn from(slot: u32) -> Option<Pid> {
    Some(pid(a(), slot))
}

/// A message that contains its sender and its number.
fn numbered(sender: u32, number: u32, size: usize) -> Signal {
    let mut bytes = vec![sender as u8; size.max(8)];
    bytes[..4].copy_from_slice(&sender.to_be_bytes());
    bytes[4..8].copy_from_slice(&number.to_be_bytes());
    message(Bytes::from(bytes))
}

/// Returns the sender, the number and the length. Checks the rest.
fn number_of(event: &Event) -> (u32, u32, usize) {
    let Event::Signal { signal: Signal::Message(envelope), .. } = event else {
        panic!("{event:?}")
    };
    let bytes = &envelope.as_encoded().unwrap().bytes;
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    // Compared as a whole, since a loop would be slow in a test.
    assert!(bytes[8..] == vec![word(0) as u8; bytes.len() - 8], "whole, and nobody else's");
    (word(0), word(4), bytes.len())
}

fn to() -> Target {
    Target::Pid(pid(b(), 1))
}

/// A small message of another sender comes after few pieces of a large one. A second large message
/// also comes after few pieces. A message that the first sender sends afterwards comes after its
/// large message.
#[test]
fn large_messages_do_not_delay_small_ones() {
    let (mut at_a, mut at_b) = pair();
    let large = 160 * PIECE_BYTES_MAX;
    at_a.send_as(from(1), &to(), numbered(1, 0, large)).unwrap();
    at_a.send_as(from(1), &to_name("x"), numbered(1, 1, 8)).unwrap();
    at_a.send_as(from(2), &to(), numbered(2, 0, large)).unwrap();
    let mut seen = Vec::new();
    for batch in 0.. {
        if batch == 5 {
            at_a.send_as(from(3), &to(), numbered(3, 0, 100)).unwrap();
            at_a.send_as(from(4), &to(), numbered(4, 0, PIECE_BYTES_MAX)).unwrap();
            at_a.send_as(from(1), &to(), Signal::Link { from: pid(a(), 1) }).unwrap();
        }
        at_a.take_batch();
        assert!(
            at_a.output.len() < (BATCH_PIECES + 2) * PIECE_BYTES_MAX,
            "{} bytes",
            at_a.output.len()
        );
        if at_a.output.is_empty() {
            break;
        }
        let count = at_a.output.len();
        at_b.read_buffer().extend_from_slice(&at_a.output[..]);
        at_a.advance_output(count);
        seen.extend(poll_all(&mut at_b).unwrap().into_iter().map(|event| (batch, event)));
    }
    let link = |(_, event): &(i32, Event)| {
        matches!(event, Event::Signal { signal: Signal::Link { .. }, .. })
    };
    let linked = seen.iter().find(|seen| link(seen)).expect("it came").0;
    let at = |sender: u32, number: u32| {
        let is = |(_, event): &&(i32, Event)| {
            matches!(event, Event::Signal { signal: Signal::Message(_), .. })
                && number_of(event).0 == sender
                && number_of(event).1 == number
        };
        seen.iter().find(is).map(|(batch, _)| *batch).expect("it came")
    };
    assert_eq!(at(3, 0), 5, "in the next batch");
    assert!(at(4, 0) <= 7, "{}", at(4, 0));
    assert!(at(1, 0) > 20 && at(2, 0) > 20, "they take turns");
    assert!(at(1, 0) <= at(1, 1) && at(1, 1) <= linked, "in the order of sending");
}

/// The shared parts of a value are cut anywhere, and arrive in their place.
#[test]
fn shared_parts_are_split_anywhere() {
    let part = |byte: u8, length: usize| Bytes::from(vec![byte; length]);
    for first in [1, 4096, PIECE_BYTES_MAX - 4, PIECE_BYTES_MAX, PIECE_BYTES_MAX + 1] {
        let value = || {
            let text = "between".to_owned();
            (part(1, first), text, part(2, 3 * PIECE_BYTES_MAX + 7), (part(3, 4095), part(4, 5000)))
        };
        let (mut at_a, mut at_b) = pair();
        send(&mut at_a, &to(), message(value()));
        carry(&mut at_a, &mut at_b);
        let events = poll_all(&mut at_b).unwrap();
        let [Event::Signal { signal: Signal::Message(envelope), .. }] = &events[..] else {
            panic!("{} events", events.len())
        };
        let got = envelope.as_encoded().unwrap().decode::<(Bytes, String, Bytes, (Bytes, Bytes))>();
        assert!(got == Ok(value()), "{first}");
    }
}

/// Reasons and the arguments of functions are also sent in pieces.
#[test]
fn all_payloads_are_sent_in_pieces() {
    let (mut at_a, mut at_b) = pair();
    let reason = || ExitReason::term((pid(node("third@h", 3), 5), vec![7_u8; 300_000]));
    let reference = Reference::new(b(), 5);
    for signal in [
        Signal::Exit { from: pid(a(), 1), reason: reason(), by_link: true },
        Signal::Exit { from: pid(a(), 1), reason: reason(), by_link: false },
        Signal::Down { from: Some(pid(a(), 1)), reference, reason: reason() },
    ] {
        send(&mut at_a, &to(), copy(&signal));
        carry(&mut at_a, &mut at_b);
        let events = poll_all(&mut at_b).unwrap();
        let [Event::Signal { target, signal: got }] = &events[..] else { panic!("{events:?}") };
        assert_eq!((target, format!("{got:?}")), (&to(), format!("{signal:?}")));
    }
    let mut sent = request(true, true);
    sent.args = Encoded::new(&(pid(node("third@h", 3), 5), vec![7_u8; 300_000])).unwrap();
    at_a.spawn(sent.clone()).unwrap();
    carry(&mut at_a, &mut at_b);
    let event = at_b.poll_event().unwrap();
    let Some(Event::Spawn(request)) = event else { panic!("{event:?}") };
    sent.args.from = Some(a());
    assert_eq!(*request, sent);
}

/// More senders than may have a message in progress, with more bytes than allowed.
#[test]
fn the_sender_keeps_to_the_limits() {
    let limits = Limits { message_bytes_max: 3 * PIECE_BYTES_MAX };
    let end = |local, peer| Connection::new(Config { limits, ..config(local, peer) });
    let (mut at_a, mut at_b) = (end(a(), b()), end(b(), a()));
    let senders = SEQUENCES_MAX as u32 + 10;
    for sender in 0..senders {
        for number in 0..2 {
            let size = if sender < 10 { 3 * PIECE_BYTES_MAX } else { WHOLE_BYTES_MAX + 1 };
            at_a.send_as(from(sender), &to(), numbered(sender, number, size)).unwrap();
        }
    }
    let mut next = vec![0; senders as usize];
    while at_a.sending.output_bytes() > 0 {
        at_a.take_batch();
        at_b.read_buffer().append(&mut at_a.output);
        for event in poll_all(&mut at_b).unwrap() {
            let (sender, number, _) = number_of(&event);
            assert_eq!(number, next[sender as usize]);
            next[sender as usize] += 1;
        }
    }
    assert!(next.iter().all(|count| *count == 2));
    assert_eq!(at_a.sending.output_bytes(), 0);
}

/// Returns the head of a message of `total` bytes to 1.0, of type 0.
fn head(sequence: u8, total: u32) -> Vec<u8> {
    let mut body = vec![4, sequence, 0x10, 1, 0, 0, 0, 0];
    body.extend_from_slice(&total.to_be_bytes());
    body
}

fn piece(sequence: u8, bytes: usize) -> Vec<u8> {
    [&[5, sequence][..], &vec![7; bytes]].concat()
}

fn receive(bodies: &[Vec<u8>]) -> Result<usize, ProtocolError> {
    let mut at_b = Connection::new(config(b(), a()));
    let define_type = b"\x03\0\0\0\0\0\0\0\0\x01\x01t".to_vec();
    for body in [&[define_type], bodies].concat() {
        at_b.read_buffer().extend_from_slice(&(body.len() as u32).to_be_bytes());
        at_b.read_buffer().extend_from_slice(&body);
    }
    poll_all(&mut at_b).map(|events| events.len())
}

#[test]
fn wrong_pieces_end_the_connection() {
    assert_eq!(receive(&[head(0, 5), piece(0, 3), head(63, 1), piece(0, 2), piece(63, 1)]), Ok(2));
    assert_eq!(receive(&[head(0, 5), piece(0, 5), head(0, 5), piece(0, 5)]), Ok(2));
    let max = Limits::MESSAGE_BYTES_MAX;
    let too_long =
        |what, length, max| Err(ProtocolError::from(InvalidMessage::TooLong { what, length, max }));
    let sequence = |n| Err(ProtocolError::from(PeerMisbehaved::BadSequence(n)));
    let cases = [
        (vec![piece(0, 1)], sequence(0)),
        (vec![head(64, 5)], sequence(64)),
        (vec![head(1, 5), head(1, 5)], sequence(1)),
        (vec![head(0, 5), piece(0, 5), piece(0, 1)], sequence(0)),
        (vec![head(0, 5), piece(1, 5)], sequence(1)),
        (vec![head(0, 5), piece(0, 3), piece(0, 3)], too_long("a piece of a message", 3, 2)),
        (vec![head(0, 5), piece(0, 0)], too_long("a piece of a message", 0, 5)),
        (vec![head(0, 0)], too_long("a message in pieces", 0, max)),
        (vec![head(0, max as u32 + 1)], too_long("a message in pieces", max as u64 + 1, max)),
        (
            (0..5).map(|n| head(n, max as u32)).collect(),
            Err(PeerMisbehaved::TooManyPartial(4 * max).into()),
        ),
        (
            vec![[&head(0, 5)[..], &[7]].concat()],
            Err(InvalidMessage::TrailingData { what: "a signal", bytes: 1 }.into()),
        ),
        (
            vec![vec![4, 0, 0x11, 1, 0, 1, 0]],
            Err(InvalidMessage::UnknownValue {
                what: "the kind of a message in pieces",
                value: 0x11,
            }
            .into()),
        ),
    ];
    for (bodies, error) in cases {
        assert_eq!(receive(&bodies), error, "{:x?}", bodies[0]);
    }
}

/// The example in `PROTOCOL.md`.
#[test]
fn test_vector_of_pieces() {
    let bytes = b"\0\0\0\x0c\x04\x03\x10\x01\0\0\0\0\0\0\0\x05\0\0\0\x04\x05\x03ab\0\0\0\0\0\0\0\x05\x05\x03cde";
    let mut at_b = Connection::new(config(b(), a()));
    at_b.read_buffer().extend_from_slice(b"\0\0\0\x0c\x03\0\0\0\0\0\0\0\0\x01\x01t");
    at_b.read_buffer().extend_from_slice(bytes);
    let events = poll_all(&mut at_b).unwrap();
    let [Event::Signal { signal: Signal::Message(envelope), target }] = &events[..] else {
        panic!("{events:?}")
    };
    let slot = LocalId { slot: 1, generation: 0 };
    assert_eq!(
        (target, &envelope.as_encoded().unwrap().bytes[..]),
        (&Target::Pid(Pid::new(b(), slot)), &b"abcde"[..])
    );
}

/// A message's number may be given to another name while the message is in progress.
#[test]
fn numbers_may_be_reassigned_during_a_message() {
    let (mut at_a, mut at_b) = pair();
    at_a.send_as(from(1), &to_name("first"), numbered(1, 0, 10 << 20)).unwrap();
    let names = crate::proto::limits::NAME_NUMBERS_MAX + 10;
    for n in 0..names {
        at_a.take_batch();
        at_a.send_as(from(2), &to_name(&format!("n{n}")), numbered(2, n as u32, 8)).unwrap();
    }
    carry(&mut at_a, &mut at_b);
    let events = poll_all(&mut at_b).unwrap();
    assert_eq!(events.len(), names + 1);
    for event in &events {
        let Event::Signal { target: Target::Name(name), .. } = event else { panic!() };
        let expected = match number_of(event) {
            (1, ..) => "first".to_owned(),
            (_, n, _) => format!("n{n}"),
        };
        assert_eq!(name.as_str(), expected);
    }
}

/// Bytes that are read directly into their place equal those that are copied there.
fn receive_in_steps(bytes: &[u8], steps: &[usize], directly: bool) -> Vec<(u32, u32, usize)> {
    let (_, mut receiving) = config(b(), a()).connection();
    let (mut events, mut rest) = (Vec::new(), bytes);
    for step in steps.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let count = (*step).min(rest.len());
        let mut direct = 0;
        if directly && let Some(mut place) = receiving.direct() {
            direct = place.place().len().min(count);
            place.place()[..direct].copy_from_slice(&rest[..direct]);
            place.keep(direct);
            receiving.handle_direct(direct, &mut events).unwrap();
        }
        receiving.handle(&rest[direct..count], &mut events).unwrap();
        rest = &rest[count..];
    }
    assert_eq!(receiving.bytes(), bytes.len() as u64);
    events.iter().map(number_of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Senders send messages of all sizes in any order while the output is taken. Each sender's
    /// messages arrive whole and in order, however the bytes are cut and read.
    #[test]
    fn interleavings_keep_order(
        sends in proptest::collection::vec((0..6_u32, 0..6_usize, 0..3_usize), 1..25),
        steps in proptest::collection::vec(1..100_000_usize, 1..20),
    ) {
        const SIZES: [usize; 6] =
            [8, 100, 5000, WHOLE_BYTES_MAX, WHOLE_BYTES_MAX + 1, 3 * PIECE_BYTES_MAX];
        let (mut at_a, _) = pair();
        let mut numbers = [0; 6];
        for (sender, size, batches) in &sends {
            let number = &mut numbers[*sender as usize];
            at_a.send_as(from(*sender), &to(), numbered(*sender, *number, SIZES[*size])).unwrap();
            *number += 1;
            (0..*batches).for_each(|_| at_a.take_batch());
        }
        let bytes = at_a.output().to_vec();
        let mut at_b = Connection::new(config(b(), a()));
        at_b.read_buffer().extend_from_slice(&bytes);
        let events = poll_all(&mut at_b).unwrap();
        prop_assert_eq!(events.len(), sends.len());
        let expected: Vec<_> = events.iter().map(number_of).collect();
        let mut next = [0; 6];
        for (sender, number, _) in expected.iter().copied() {
            prop_assert_eq!(number, next[sender as usize]);
            next[sender as usize] += 1;
        }
        prop_assert_eq!(&receive_in_steps(&bytes, &steps, false), &expected);
        prop_assert_eq!(&receive_in_steps(&bytes, &steps, true), &expected);
    }
}
