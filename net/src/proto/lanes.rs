//! Sends large messages in pieces, and queues what the same senders send after them.
//!
//! A sender with a large message in progress has a *lane*, where everything that it sends
//! afterwards is queued. So the messages of each pair of processes stay in order, and other senders
//! are not delayed. The lanes take turns, and send one piece per turn.
//!
//! The number of messages in progress and their total size are limited, since the receiver buffers
//! the pieces until a message is complete. Further lanes wait in line.
//!
//! The numbers that stand for names are assigned when a frame is written. So a parcel is queued
//! unwritten, and the receiver reads the head of a large message before any later frame.
//!
//! Semantics BUSY-7. Prior art: the fragments of `dist.c`.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use fika_runtime::{Pid, Target};

use super::limits::{PIECE_BYTES_MAX, SEQUENCES_MAX};
use super::parcel::Parcel;

/// The sending process. `None` for a sender that is not a process.
pub(super) type Sender = Option<Pid>;

/// A queued parcel, with its sender and its target.
pub(super) struct Waiting {
    pub(super) sender: Sender,
    pub(super) target: Option<Target>,
    pub(super) parcel: Parcel,
}

#[derive(Default)]
struct Lane {
    /// The message in progress.
    open: Option<Open>,
    waiting: VecDeque<Waiting>,
}

struct Open {
    sequence: u8,
    total: usize,
    /// The bytes that remain to be sent.
    rest: VecDeque<Bytes>,
    rest_bytes: usize,
}

impl Open {
    fn new(sequence: u8, parts: Vec<Bytes>) -> Open {
        let total = parts.iter().map(Bytes::len).sum();
        Open { sequence, total, rest: parts.into(), rest_bytes: total }
    }

    fn take(&mut self) -> Vec<Bytes> {
        let mut room = PIECE_BYTES_MAX;
        let mut piece = Vec::with_capacity(self.rest.len().min(2));
        while room > 0
            && let Some(first) = self.rest.front_mut()
        {
            let part = first.split_to(room.min(first.len()));
            if first.is_empty() {
                self.rest.pop_front();
            }
            room -= part.len();
            piece.push(part);
        }
        self.rest_bytes -= PIECE_BYTES_MAX - room;
        piece
    }
}

pub(super) struct Lanes {
    lanes: BTreeMap<Sender, Lane>,
    /// The senders with a message in progress, in the order of their turns.
    turns: VecDeque<Sender>,
    /// The senders whose next message has not begun.
    line: VecDeque<Sender>,
    /// The head of the message at the front of `turns` was just sent. Its first piece comes next.
    begun: bool,
    /// A lane in progress has a turn before another message is begun.
    takes_turn: bool,
    /// The sequences in use, one bit each.
    sequences: u64,
    /// The total length of the messages in progress.
    open_bytes: usize,
    open_bytes_max: usize,
    /// The approximate number of queued bytes in all lanes.
    bytes: usize,
}

/// The next thing to send.
pub(super) enum Next {
    /// The head of a large message.
    Head { sequence: u8, waiting: Waiting },
    /// A piece of a large message.
    Piece { sequence: u8, parts: Vec<Bytes> },
    /// A parcel that was queued behind a large message.
    Whole(Waiting),
}

impl Lanes {
    pub(super) fn new(open_bytes_max: usize) -> Lanes {
        Lanes {
            lanes: BTreeMap::new(),
            turns: VecDeque::new(),
            line: VecDeque::new(),
            begun: false,
            takes_turn: false,
            sequences: 0,
            open_bytes: 0,
            open_bytes_max,
            bytes: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns whether this sender has a lane, so that its next parcel must be queued there.
    pub(super) fn has(&self, sender: Sender) -> bool {
        !self.lanes.is_empty() && self.lanes.contains_key(&sender)
    }

    /// Queues a parcel in its sender's lane.
    pub(super) fn push(&mut self, sender: Sender, waiting: Waiting) {
        self.bytes += waiting.parcel.size();
        let line = &mut self.line;
        let lane = self.lanes.entry(sender).or_insert_with(|| {
            line.push_back(sender);
            Lane::default()
        });
        lane.waiting.push_back(waiting);
    }

    /// Returns what to send next, or `None` if the lanes are empty. The caller must write it before
    /// it calls any other method.
    pub(super) fn next(&mut self) -> Option<Next> {
        let piece_first = self.begun || (self.takes_turn && !self.turns.is_empty());
        if !piece_first && let Some(next) = self.begin() {
            return Some(next);
        }
        (self.takes_turn, self.begun) = (self.begun, false);
        let sender = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&sender).expect("a sender in `turns` has a lane");
        let open = lane.open.as_mut().expect("a lane in `turns` has a message in progress");
        let (sequence, before) = (open.sequence, open.rest_bytes);
        let parts = open.take();
        self.bytes -= before - open.rest_bytes;
        if open.rest_bytes > 0 {
            self.turns.push_back(sender);
        } else {
            self.ends(sender);
        }
        Some(Next::Piece { sequence, parts })
    }

    /// Abandons the message whose head was returned last.
    pub(super) fn give_up(&mut self) {
        self.begun = false;
        if let Some(sender) = self.turns.pop_front() {
            self.bytes -= self.lanes[&sender].open.as_ref().map_or(0, |open| open.rest_bytes);
            self.ends(sender);
        }
    }

    /// Ends the message in progress of this sender.
    fn ends(&mut self, sender: Sender) {
        let lane = self.lanes.get_mut(&sender).expect("the sender has a lane");
        let Open { sequence, total, .. } = lane.open.take().expect("a message is in progress");
        self.sequences &= !(1 << sequence);
        self.open_bytes -= total;
        if lane.waiting.is_empty() {
            self.lanes.remove(&sender);
        } else {
            self.line.push_back(sender);
        }
    }

    /// Begins the message of the first sender in line, if there is room for it.
    fn begin(&mut self) -> Option<Next> {
        let sender = *self.line.front()?;
        let lane = self.lanes.get_mut(&sender).expect("a sender in `line` has a lane");
        let waiting = lane.waiting.front().expect("a lane in `line` has a parcel");
        if !waiting.parcel.is_large() {
            self.bytes -= waiting.parcel.size();
            let waiting = lane.waiting.pop_front().expect("it was at the front");
            if lane.waiting.is_empty() {
                self.line.pop_front();
                self.lanes.remove(&sender);
            }
            return Some(Next::Whole(waiting));
        }
        let total = waiting.parcel.payload.len();
        let free = (!self.sequences).trailing_zeros() as usize;
        // Any single message fits, so this only waits until other messages have ended.
        if free >= SEQUENCES_MAX || self.open_bytes + total > self.open_bytes_max {
            return None;
        }
        self.line.pop_front();
        let waiting = lane.waiting.pop_front().expect("it was at the front");
        let sequence = free as u8;
        self.sequences |= 1 << sequence;
        self.open_bytes += total;
        self.bytes -= waiting.parcel.size() - total;
        lane.open = Some(Open::new(sequence, waiting.parcel.payload.body.parts()));
        // The first piece follows its head directly, so that a message of one piece does not wait
        // for the turns of others.
        self.turns.push_front(sender);
        self.begun = true;
        Some(Next::Head { sequence, waiting })
    }
}

#[cfg(test)]
mod tests {
    use fika_runtime::message::NodeList;
    use fika_runtime::{Creation, Envelope, LocalId, NodeId};

    use super::*;
    use crate::proto::parcel::{Body, Payload};

    /// The length of a message that needs three pieces.
    const LARGE_BYTES: usize = 2 * PIECE_BYTES_MAX + 5;

    fn from(slot: u32) -> Sender {
        let node = NodeId::of(&"a@h".parse().unwrap(), Creation(1));
        Some(Pid::new(node, LocalId { slot, generation: 0 }))
    }

    fn waiting(slot: u32, bytes: usize) -> Waiting {
        let body = Body::Parts(vec![Bytes::from(vec![slot as u8; bytes])]);
        let payload = Payload { body, nodes: NodeList::new(), described: None };
        let parcel = Parcel::message(Envelope::new(()), payload);
        Waiting { sender: from(slot), target: None, parcel }
    }

    /// Returns lanes with these queued messages, each given by its sender and its length.
    fn lanes(open_bytes_max: usize, messages: &[(u32, usize)]) -> Lanes {
        let mut lanes = Lanes::new(open_bytes_max);
        for (slot, bytes) in messages {
            lanes.push(from(*slot), waiting(*slot, *bytes));
        }
        lanes
    }

    fn slot(waiting: &Waiting) -> u32 {
        waiting.sender.unwrap().local().slot
    }

    /// Sends everything, and returns the order: each sender's slot, with `+` for a head and `!` for
    /// a message in one piece. Checks the count of queued bytes after each step.
    fn order(lanes: &mut Lanes) -> String {
        let (mut order, mut senders) = (Vec::new(), BTreeMap::new());
        loop {
            let before = lanes.bytes();
            let Some(next) = lanes.next() else { break };
            let (what, written) = match next {
                Next::Head { sequence, waiting } => {
                    senders.insert(sequence, slot(&waiting));
                    let total = waiting.parcel.payload.len();
                    (format!("+{}", slot(&waiting)), waiting.parcel.size() - total)
                }
                Next::Piece { sequence, parts } => {
                    let bytes = parts.iter().map(Bytes::len).sum();
                    assert!(bytes > 0 && bytes <= PIECE_BYTES_MAX);
                    (senders[&sequence].to_string(), bytes)
                }
                Next::Whole(waiting) => (format!("!{}", slot(&waiting)), waiting.parcel.size()),
            };
            assert_eq!(lanes.bytes(), before - written, "{what} after {order:?}");
            order.push(what);
        }
        order.join(" ")
    }

    /// Only the sender of a large message has to wait.
    #[test]
    fn only_the_sender_of_a_large_message_waits() {
        let mut lanes = lanes(1 << 30, &[]);
        assert!(lanes.is_empty() && !lanes.has(from(1)) && lanes.bytes() == 0);
        let (large, small) = (waiting(1, LARGE_BYTES), waiting(1, 9));
        let sizes = [large.parcel.size(), small.parcel.size()];
        lanes.push(from(1), large);
        lanes.push(from(1), small);
        assert_eq!(lanes.bytes(), sizes.iter().sum());
        assert!(!lanes.is_empty() && lanes.has(from(1)));
        assert!(!lanes.has(from(2)) && !lanes.has(None));
        assert_eq!(order(&mut lanes), "+1 1 1 1 !1");
        assert!(lanes.is_empty() && !lanes.has(from(1)) && lanes.bytes() == 0);
    }

    /// A head is followed by its first piece, and then by a piece of each message in progress.
    #[test]
    fn lanes_take_turns() {
        let messages = [(1, LARGE_BYTES), (2, LARGE_BYTES), (1, 9), (3, LARGE_BYTES), (2, 9)];
        let mut lanes = lanes(1 << 30, &messages);
        assert_eq!(order(&mut lanes), "+1 1 1 +2 2 1 +3 3 2 !1 3 2 !2 3");
        assert!(lanes.is_empty() && lanes.bytes() == 0);
    }

    /// The messages in progress never exceed the limit in total, and may reach it.
    #[test]
    fn the_limit_of_begun_bytes() {
        let messages = [(1, LARGE_BYTES), (2, LARGE_BYTES), (3, LARGE_BYTES)];
        for (max, expected) in [
            (LARGE_BYTES, "+1 1 1 1 +2 2 2 2 +3 3 3 3"),
            (2 * LARGE_BYTES - 1, "+1 1 1 1 +2 2 2 2 +3 3 3 3"),
            (2 * LARGE_BYTES, "+1 1 1 +2 2 1 +3 3 2 3 2 3"),
        ] {
            let mut lanes = lanes(max, &messages);
            assert_eq!(order(&mut lanes), expected, "{max}");
            assert_eq!((lanes.sequences, lanes.open_bytes), (0, 0), "all of it is free again");
        }
    }

    /// A message that is abandoned after its head frees its sequence and its bytes, and its
    /// sender's next message is sent.
    #[test]
    fn a_cancelled_message_frees_its_sequence_and_bytes() {
        let mut lanes = lanes(LARGE_BYTES, &[(1, LARGE_BYTES), (1, 9), (2, LARGE_BYTES)]);
        assert!(matches!(lanes.next(), Some(Next::Head { sequence: 0, .. })));
        lanes.give_up();
        assert_eq!(order(&mut lanes), "+2 2 2 !1 2");
        assert!(lanes.is_empty() && lanes.bytes() == 0);
        lanes.give_up();
        assert_eq!(order(&mut lanes), "");
    }
}
