//! Writes frames to the output, with numbers in place of names.
//!
//! The definitions of the numbers that a frame uses come before the frame. The frame is committed
//! with its definitions, or not at all. Its payload is already encoded, and comes last.
//!
//! `encoder` decides what the frames say, and whether they may.

use std::sync::Arc;

use fika_runtime::{LocalId, MessageType, Name, NodeId, WireType};

use super::{DEFINE_NAME, DEFINE_NODE, DEFINE_TYPE, LARGE, MESSAGE, PIECE, SendError};
use crate::proto::atom_cache::{Number, SendCache, TypeCache};
use crate::proto::codec::Put as _;
use crate::proto::limits::{
    NAME_BYTES_MAX, NAME_NUMBERS_MAX, NODE_NUMBERS_MAX, TAG_BYTES_MAX, TYPE_NUMBERS_MAX,
};
use crate::proto::output::{Batch, Output, Start};
use crate::proto::parcel::{Body, Payload};
use crate::proto::tick::TICK;

pub(super) struct Writer {
    output: Output,
    nodes: SendCache<NodeId>,
    names: SendCache<Name>,
    types: TypeCache,
    /// The numbers of the nodes of the payload. Kept to reuse the memory.
    numbers: Vec<u32>,
    /// Set if the frame is the head of a message in pieces with this sequence, and ends before the
    /// bytes of its payload.
    large: Option<u8>,
}

impl Writer {
    pub(super) fn new(sender: NodeId, receiver: NodeId) -> Writer {
        Writer {
            output: Output::default(),
            nodes: SendCache::new([sender, receiver], NODE_NUMBERS_MAX),
            names: SendCache::new([], NAME_NUMBERS_MAX),
            types: TypeCache::new(TYPE_NUMBERS_MAX),
            numbers: Vec::new(),
            large: None,
        }
    }

    pub(super) fn output_bytes(&self) -> usize {
        self.output.bytes()
    }

    pub(super) fn take_output(&mut self, batch: &mut Batch) {
        self.output.take(batch);
    }

    pub(super) fn tick(&mut self) {
        self.output.tail().extend_from_slice(&TICK);
        self.output.commit();
    }

    /// Writes a piece of a message whose head was written before.
    pub(super) fn piece(&mut self, sequence: u8, body: &Body) {
        let start = self.output.begin(PIECE);
        self.put_u8(sequence);
        self.output.end_with(start, body);
        self.output.commit();
    }

    /// Lets `write` write a frame, which then counts as a whole or not at all. `large` is the
    /// sequence if the frame is the head of a message in pieces.
    #[inline]
    pub(super) fn whole_frame(
        &mut self,
        large: Option<u8>,
        write: impl FnOnce(&mut Writer) -> Result<(), SendError>,
    ) -> Result<(), SendError> {
        self.large = large;
        self.nodes.begin();
        self.names.begin();
        self.types.begin();
        let result = write(self);
        match result {
            Ok(()) => self.output.commit(),
            Err(_) => self.roll_back(),
        }
        result
    }

    /// Gives up the current frame with its definitions.
    fn roll_back(&mut self) {
        self.output.roll_back();
        self.nodes.roll_back();
        self.names.roll_back();
        self.types.roll_back();
    }

    /// Writes the frame of a message to a process, the most frequent one.
    #[inline(always)]
    pub(super) fn message_to(
        &mut self,
        sender: Option<LocalId>,
        to: LocalId,
        of: &MessageType,
        payload: &Payload,
    ) -> Result<(), SendError> {
        let type_number = self.type_of(of, payload)?;
        self.define_nodes(payload);
        let start = self.begin(MESSAGE);
        self.put_process(to);
        self.put_sender(sender);
        self.put_var(type_number);
        self.end_with(start, payload)
    }

    /// Begins the frame. Its definitions were written before.
    #[inline]
    pub(super) fn begin(&mut self, kind: u8) -> Start {
        let Some(sequence) = self.large else { return self.output.begin(kind) };
        let start = self.output.begin(LARGE);
        self.put_u8(sequence);
        self.put_u8(kind);
        start
    }

    /// Ends a frame without a payload.
    pub(super) fn end(&mut self, start: Start) -> Result<(), SendError> {
        self.output.end(start);
        Ok(())
    }

    #[inline]
    pub(super) fn put_u8(&mut self, value: u8) {
        self.output.tail().put_u8(value);
    }

    #[inline]
    pub(super) fn put_var(&mut self, value: impl Into<u64>) {
        self.output.tail().put_var(value);
    }

    #[inline]
    pub(super) fn put_process(&mut self, process: LocalId) {
        self.put_var(process.slot);
        self.put_var(process.generation);
    }

    /// Writes the sender of a message, if it has one.
    #[inline(always)]
    pub(super) fn put_sender(&mut self, sender: Option<LocalId>) {
        let Some(LocalId { slot, generation }) = sender else { return self.put_u8(0) };
        self.put_var(u64::from(slot) + 1);
        self.put_var(generation);
    }

    pub(super) fn put_text(
        &mut self,
        what: &'static str,
        text: &str,
        max: usize,
    ) -> Result<(), SendError> {
        check_length(what, text, max)?;
        self.output.tail().put_bytes(text.as_bytes());
        Ok(())
    }

    /// Defines the nodes of a payload before the frame.
    #[inline]
    pub(super) fn define_nodes(&mut self, payload: &Payload) {
        self.numbers.clear();
        for node in &payload.nodes {
            let number = self.node(*node);
            self.numbers.push(number);
        }
    }

    /// Ends the frame with a payload whose nodes have been defined.
    #[inline]
    pub(super) fn end_with(&mut self, start: Start, payload: &Payload) -> Result<(), SendError> {
        let tail = self.output.tail();
        tail.put_var(self.numbers.len() as u64);
        self.numbers.iter().for_each(|number| tail.put_var(*number));
        // No message is as long as 4 GiB.
        tail.put_u32(payload.len() as u32);
        match self.large {
            Some(_) => self.output.end(start),
            None => self.output.end_with(start, &payload.body),
        }
        Ok(())
    }

    /// Returns the number of a name. Defines it if needed.
    pub(super) fn name(&mut self, what: &'static str, name: &Name) -> Result<u32, SendError> {
        check_length(what, name.as_str(), NAME_BYTES_MAX)?;
        let number = match self.names.number(name) {
            Number::Known(number) => return Ok(number),
            Number::New(number) => number,
        };
        let start = self.output.begin(DEFINE_NAME);
        self.put_var(number);
        self.output.tail().put_bytes(name.as_str().as_bytes());
        self.output.end(start);
        Ok(number)
    }

    /// Returns the number of a node. Defines it if needed.
    #[inline]
    pub(super) fn node(&mut self, node: NodeId) -> u32 {
        match self.nodes.number(&node) {
            Number::Known(number) => number,
            Number::New(number) => {
                let start = self.output.begin(DEFINE_NODE);
                self.put_var(number);
                self.output.tail().put_u32(node.creation().0);
                self.output.tail().put_bytes(node.name().as_str().as_bytes());
                self.output.end(start);
                number
            }
        }
    }

    /// Returns the number of a message's type. Defines it if needed. The message was encoded
    /// before, so no code of the program runs here.
    #[inline]
    pub(super) fn type_of(
        &mut self,
        of: &MessageType,
        payload: &Payload,
    ) -> Result<u32, SendError> {
        if let Some(described) = &payload.described {
            return self.wire_type(described);
        }
        let Some(rust_type) = of.rust_type() else { return self.wire_type(&of.wire_type()) };
        if let Some(number) = self.types.known(rust_type) {
            return Ok(number);
        }
        let number = self.wire_type(&of.wire_type())?;
        self.types.note(rust_type, number);
        Ok(number)
    }

    /// Returns the number of a wire type. Defines it if needed.
    pub(super) fn wire_type(&mut self, wire_type: &Arc<WireType>) -> Result<u32, SendError> {
        check_length("the tag of a message type", &wire_type.tag, TAG_BYTES_MAX)?;
        let number = match self.types.number(wire_type) {
            Number::Known(number) => return Ok(number),
            Number::New(number) => number,
        };
        let start = self.output.begin(DEFINE_TYPE);
        self.put_var(number);
        self.output.tail().put_u64(wire_type.fingerprint);
        self.output.tail().put_bytes(wire_type.tag.as_bytes());
        self.output.end(start);
        Ok(number)
    }
}

fn check_length(what: &'static str, text: &str, max: usize) -> Result<(), SendError> {
    let bytes = text.len();
    if bytes > max { Err(SendError::NameTooLong { what, bytes, max }) } else { Ok(()) }
}
