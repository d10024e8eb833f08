//! The limits, on both sides, and the ticks.

use bytes::Bytes;
use fika_runtime::NodeName;

use super::*;
use crate::proto::error::{InvalidMessage, PeerMisbehaved};
use crate::proto::limits::{FRAME_BYTES_MAX, MESSAGE_NODES_MAX};

fn limited(message_bytes_max: usize) -> (Connection, Connection) {
    let limits = Limits { message_bytes_max };
    let end = |local, peer| Connection::new(Config { limits, ..config(local, peer) });
    (end(a(), b()), end(b(), a()))
}

/// The sender refuses a message that is too large, and the receiver refuses it without waiting for
/// its bytes.
#[test]
fn messages_at_the_limit() {
    let (mut at_a, mut at_b) = limited(10_000);
    let target = Target::Pid(Pid::new(b(), LocalId { slot: 1, generation: 1 }));
    let payload = |bytes: usize| Bytes::from(vec![7; bytes]);
    send(&mut at_a, &target, message(payload(10_000)));
    let refused = at_a.send(&target, message(payload(10_001)));
    assert_eq!(refused, Err(SendError::TooLarge { bytes: 10_001, max: 10_000 }));
    let again = Encoded::new(&payload(10_001)).unwrap();
    let refused = at_a.send(&target, Signal::Message(Envelope::encoded(again)));
    assert_eq!(refused, Err(SendError::TooLarge { bytes: 10_001, max: 10_000 }));
    carry(&mut at_a, &mut at_b);
    let events = poll_all(&mut at_b).unwrap();
    let [Event::Signal { signal: Signal::Message(envelope), .. }] = &events[..] else { panic!() };
    assert_eq!(envelope.as_encoded().unwrap().bytes, payload(10_000));

    let length = FRAME_BYTES_MAX as u32 + 1;
    at_b.read_buffer().extend_from_slice(&length.to_be_bytes());
    let (what, length, max) = ("a frame", length.into(), FRAME_BYTES_MAX);
    let error = ProtocolError::Invalid(InvalidMessage::TooLong { what, length, max });
    assert_eq!(at_b.poll_event().unwrap_err(), error);
    at_b.read_buffer().extend_from_slice(&[0; 4]);
    assert_eq!(at_b.poll_event().unwrap_err(), error, "it stays so");
}

#[test]
fn nodes_in_one_message_at_the_limit() {
    let (mut at_a, mut at_b) = pair();
    let many = |count: usize, creation: usize| -> Vec<Pid> {
        (0..count).map(|n| pid(node("many@h", (creation + n) as u32), 1)).collect()
    };
    // Three times, so that the numbers run out and are reassigned.
    for round in 0..3 {
        let pids = many(MESSAGE_NODES_MAX, round * 4000);
        send(&mut at_a, &to_name("x"), message(pids.clone()));
        carry(&mut at_a, &mut at_b);
        let events = poll_all(&mut at_b).unwrap();
        let [Event::Signal { signal: Signal::Message(envelope), .. }] = &events[..] else {
            panic!()
        };
        assert_eq!(envelope.as_encoded().unwrap().decode::<Vec<Pid>>(), Ok(pids));
    }
    let refused = at_a.send(&to_name("x"), message(many(MESSAGE_NODES_MAX + 1, 0)));
    let too_many = SendError::TooManyNodes { nodes: MESSAGE_NODES_MAX + 1, max: MESSAGE_NODES_MAX };
    assert_eq!((refused, at_a.output_bytes()), (Err(too_many), 0));
}

/// A receiver that accepts only some nodes.
struct Takes(Vec<NodeId>);

impl Events for Takes {
    fn message(&mut self, _: Pid, _: Envelope) {}

    fn event(&mut self, _: Event) {}

    fn meet(&mut self, name: &NodeName, creation: Creation) -> Option<NodeId> {
        self.0
            .iter()
            .find(|node| (node.name(), node.creation()) == (name.clone(), creation))
            .copied()
    }
}

/// The receiver decides how many nodes a peer may name.
#[test]
fn a_refused_node_ends_the_connection() {
    let mut takes = Takes(vec![node("seen@h", 1)]);
    let (_, mut at_b) = config(b(), a()).connection();
    let mut define = |creation: u8| {
        let body = [&[1, 2, 0, 0, 0, creation][..], b"\x06seen@h"].concat();
        at_b.handle(&[&(body.len() as u32).to_be_bytes()[..], &body].concat(), &mut takes)
    };
    assert_eq!(define(1), Ok(()));
    assert_eq!(define(2), Err(PeerMisbehaved::TooManyNodes.into()));
}

/// TICK-2 to TICK-4: a connection that carries only ticks stays up.
#[test]
fn ticks_keep_a_quiet_connection_up() {
    let (mut at_a, mut at_b) = pair();
    for _ in 0..50 {
        assert_eq!(at_a.handle_tick(), Verdict::SendTick);
        assert_eq!(at_b.handle_tick(), Verdict::SendTick);
        assert_eq!(carry(&mut at_a, &mut at_b), [0; 4]);
        assert_eq!(carry(&mut at_b, &mut at_a), [0; 4]);
        assert!(matches!((at_a.poll_event(), at_b.poll_event()), (Ok(None), Ok(None))));
    }
    at_a.queue_tick();
    at_a.queue_tick();
    assert_eq!(at_a.output_bytes(), 4, "one is enough");
    // From now on, nothing arrives at b.
    let verdicts: Vec<_> = (0..5).map(|_| at_b.handle_tick()).collect();
    assert_eq!(verdicts[4], Verdict::Dead);
    assert!(!verdicts[..4].contains(&Verdict::Dead));
}

/// TICK-2: a hidden peer may rely on our ticks alone, so if it is silent, a tick is sent even
/// though other bytes were written.
#[test]
fn a_silent_hidden_peer_gets_ticks() {
    for (hidden, verdict) in [(true, Verdict::SendTick), (false, Verdict::Quiet)] {
        let mut at_a = Connection::new(Config { hidden, ..config(a(), b()) });
        send(&mut at_a, &to_name("x"), message(1_u64));
        let written = at_a.output_bytes();
        at_a.advance_output(written);
        assert_eq!(at_a.handle_tick(), verdict, "hidden: {hidden}");
    }
}

/// Received bytes count, even if they were not looked at yet.
#[test]
fn a_part_of_a_frame_is_a_sign_of_life() {
    let (mut at_a, mut at_b) = pair();
    send(&mut at_a, &to_name("x"), message(String::from("slowly, byte by byte")));
    for byte in at_a.output().to_vec() {
        at_b.read_buffer().extend_from_slice(&[byte]);
        assert_ne!(at_b.handle_tick(), Verdict::Dead);
        let _ = at_b.poll_event().unwrap();
    }
}
