//! Sends large messages in pieces, and keeps the frames that wait behind them.
//!
//! A sender with a large message in progress has a *lane*. Everything that it sends afterwards
//! waits there, in order. So messages stay in order for each pair of processes. Other senders are
//! not delayed. The lanes take turns, one piece each.
//!
//! The number of messages in progress and their total size are limited, since the receiver keeps
//! the pieces that have arrived. Further lanes wait in line.
//!
//! Numbers for names are assigned when a frame is written. So the waiting parcels are not written
//! yet, and a receiver reads the head of a large message before any later frame.
//!
//! Semantics BUSY-7. Prior art: the fragments of `dist.c`.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use fika_runtime::{Pid, Target};

use super::limits::{PIECE_BYTES_MAX, SEQUENCES_MAX};
use super::parcel::Parcel;

/// The process whose messages keep their order. `None` for a sender that is not a process.
pub(super) type Sender = Option<Pid>;

/// A parcel that waits.
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
    /// The bytes that are left to send.
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
    /// A message was just begun, at the front of `turns`. Its first piece comes next.
    begun: bool,
    /// The lanes in progress have a turn before another message is begun.
    takes_turn: bool,
    /// The sequences in use, one bit each.
    sequences: u64,
    /// The total length of the messages in progress.
    open_bytes: usize,
    open_bytes_max: usize,
    /// Roughly the number of bytes that wait in all lanes.
    bytes: usize,
}

/// The next thing to send.
pub(super) enum Next {
    /// The head of a large message.
    Head { sequence: u8, waiting: Waiting },
    /// A piece of a large message.
    Piece { sequence: u8, parts: Vec<Bytes> },
    /// A parcel that has waited behind a large message.
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

    /// Returns whether a new parcel of this sender has to wait.
    pub(super) fn has(&self, sender: Sender) -> bool {
        !self.lanes.is_empty() && self.lanes.contains_key(&sender)
    }

    /// Adds a waiting parcel.
    pub(super) fn push(&mut self, sender: Sender, waiting: Waiting) {
        self.bytes += waiting.parcel.size();
        let line = &mut self.line;
        let lane = self.lanes.entry(sender).or_insert_with(|| {
            line.push_back(sender);
            Lane::default()
        });
        lane.waiting.push_back(waiting);
    }

    /// Returns the next thing to send. `None` if nothing waits. The caller writes it at once.
    pub(super) fn next(&mut self) -> Option<Next> {
        let piece_first = self.begun || (self.takes_turn && !self.turns.is_empty());
        if !piece_first && let Some(next) = self.begin() {
            return Some(next);
        }
        (self.takes_turn, self.begun) = (self.begun, false);
        let sender = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&sender).expect("it has a turn");
        let open = lane.open.as_mut().expect("it has begun");
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

    /// Gives up the message that was begun last.
    pub(super) fn give_up(&mut self) {
        self.begun = false;
        if let Some(sender) = self.turns.pop_front() {
            self.bytes -= self.lanes[&sender].open.as_ref().map_or(0, |open| open.rest_bytes);
            self.ends(sender);
        }
    }

    /// Ends the message in progress of this lane.
    fn ends(&mut self, sender: Sender) {
        let lane = self.lanes.get_mut(&sender).expect("it had begun something");
        let Open { sequence, total, .. } = lane.open.take().expect("it had begun something");
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
        let lane = self.lanes.get_mut(&sender).expect("it is in line");
        let waiting = lane.waiting.front().expect("else it would not be there");
        if !waiting.parcel.is_large() {
            self.bytes -= waiting.parcel.size();
            let waiting = lane.waiting.pop_front().expect("it was there");
            if lane.waiting.is_empty() {
                self.line.pop_front();
                self.lanes.remove(&sender);
            }
            return Some(Next::Whole(waiting));
        }
        let total = waiting.parcel.payload.len();
        let free = (!self.sequences).trailing_zeros() as usize;
        // A single message is always below the limit.
        if free >= SEQUENCES_MAX || self.open_bytes + total > self.open_bytes_max {
            return None;
        }
        self.line.pop_front();
        let waiting = lane.waiting.pop_front().expect("it was there");
        let sequence = free as u8;
        self.sequences |= 1 << sequence;
        self.open_bytes += total;
        self.bytes -= waiting.parcel.size() - total;
        lane.open = Some(Open::new(sequence, waiting.parcel.payload.body.parts()));
        // The first piece follows the head directly, so a message of one piece is not delayed by
        // others.
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

    /// The length of a message of three pieces.
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

    /// Returns lanes in which these messages, given by sender and length, wait.
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

    /// Returns the order of sending, as the slots of the senders. `+` is a head, and `!` is a
    /// message in one piece. Checks the count of waiting bytes on the way.
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

    /// Only the sender of a large message waits.
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

    /// A head is followed by its first piece. Then the messages begun earlier have a turn.
    #[test]
    fn lanes_take_turns() {
        let messages = [(1, LARGE_BYTES), (2, LARGE_BYTES), (1, 9), (3, LARGE_BYTES), (2, 9)];
        let mut lanes = lanes(1 << 30, &messages);
        assert_eq!(order(&mut lanes), "+1 1 1 +2 2 1 +3 3 2 !1 3 2 !2 3");
        assert!(lanes.is_empty() && lanes.bytes() == 0);
    }

    /// No more bytes are begun than the receiver keeps. A message that fits exactly is begun.
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

    /// A message that is given up after its head leaves nothing behind: its sequence and its bytes
    /// are free, and its sender's next message is sent.
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
