//! Frames in the making: the output, and the numbers that stand for names in it.
//!
//! A value is encoded once, straight into the output. Which nodes it names is known only
//! afterwards, so their numbers follow it, and a definition that is needed then is put
//! in ahead of the frame, which happens once per node and connection. A frame is
//! committed whole or not at all, with the numbers that it defined.
//!
//! What the frames say, and who may say it, is `encoder`'s.

use std::sync::Arc;

use fika_runtime::message::encode_with_nodes;
use fika_runtime::{EncodeError, Encoded, Envelope, LocalId, Name, NodeId, WireType};

use super::{DEFINE_NAME, DEFINE_NODE, DEFINE_TYPE, SendError};
use crate::proto::atom_cache::{Number, SendCache, TypeCache};
use crate::proto::codec::Put as _;
use crate::proto::limits::{
    MESSAGE_NODES_MAX, NAME_BYTES_MAX, NAME_NUMBERS_MAX, NODE_NUMBERS_MAX, TAG_BYTES_MAX,
    TYPE_NUMBERS_MAX,
};
use crate::proto::output::{Output, Start};
use crate::proto::tick::TICK;

pub(super) struct Writer {
    body_bytes_max: usize,
    output: Output,
    nodes: SendCache<NodeId>,
    names: SendCache<Name>,
    types: TypeCache,
    /// The nodes of the payload that is being written; kept for its memory.
    payload_nodes: Vec<NodeId>,
    /// A frame is being written, or was when a value's own encoder panicked.
    open: bool,
}

impl Writer {
    pub(super) fn new(sender: NodeId, receiver: NodeId, body_bytes_max: usize) -> Writer {
        Writer {
            body_bytes_max,
            output: Output::default(),
            nodes: SendCache::new([sender, receiver], NODE_NUMBERS_MAX),
            names: SendCache::new([], NAME_NUMBERS_MAX),
            types: TypeCache::new(TYPE_NUMBERS_MAX),
            payload_nodes: Vec::new(),
            open: false,
        }
    }

    pub(super) fn output(&self) -> &Output {
        &self.output
    }

    pub(super) fn advance_output(&mut self, count: usize) {
        self.output.advance(count);
    }

    pub(super) fn tick(&mut self) {
        self.roll_back();
        self.output.bytes().extend_from_slice(&TICK);
        self.output.commit();
    }

    /// Lets `write` write one frame, which then counts whole or not at all.
    pub(super) fn whole_frame(
        &mut self,
        write: impl FnOnce(&mut Writer) -> Result<(), SendError>,
    ) -> Result<(), SendError> {
        self.roll_back();
        self.open = true;
        self.nodes.begin();
        self.names.begin();
        self.types.begin();
        let result = write(self);
        match result {
            Ok(()) => {
                self.output.commit();
                self.open = false;
            }
            Err(_) => self.roll_back(),
        }
        result
    }

    /// Gives up the frame that is being written, if one is, with what it defined.
    fn roll_back(&mut self) {
        if self.open {
            self.output.roll_back();
            self.nodes.roll_back();
            self.names.roll_back();
            self.types.roll_back();
            self.open = false;
        }
    }

    /// Begins the frame, after the definitions that it needs.
    pub(super) fn begin(&mut self, kind: u8) -> Start {
        self.output.begin(kind)
    }

    /// Ends a frame without a payload.
    pub(super) fn end(&mut self, start: Start) -> Result<(), SendError> {
        self.check_body(start)?;
        self.output.end(start);
        Ok(())
    }

    pub(super) fn put_u8(&mut self, value: u8) {
        self.output.bytes().put_u8(value);
    }

    pub(super) fn put_var(&mut self, value: impl Into<u64>) {
        self.output.bytes().put_var(value);
    }

    pub(super) fn put_process(&mut self, process: LocalId) {
        self.put_var(process.slot);
        self.put_var(process.generation);
    }

    /// Ends the frame with a payload that `encode` appends.
    pub(super) fn payload(
        &mut self,
        start: Start,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), SendError> {
        let at = self.begin_payload();
        let mut nodes = std::mem::take(&mut self.payload_nodes);
        nodes.clear();
        encode_with_nodes(&mut nodes, || encode(self.output.bytes()))?;
        let result = self.end_payload(start, at, &nodes);
        self.payload_nodes = nodes;
        result
    }

    /// Ends the frame with a payload that is encoded already.
    pub(super) fn encoded_payload(
        &mut self,
        start: Start,
        encoded: &Encoded,
    ) -> Result<(), SendError> {
        let at = self.begin_payload();
        self.output.bytes().extend_from_slice(&encoded.bytes);
        self.end_payload(start, at, &encoded.nodes)
    }

    /// Leaves room for the payload's length, and returns where.
    fn begin_payload(&mut self) -> usize {
        let at = self.output.bytes().len();
        self.output.bytes().put_u32(0);
        at
    }

    fn end_payload(
        &mut self,
        mut start: Start,
        at: usize,
        nodes: &[NodeId],
    ) -> Result<(), SendError> {
        self.check_body(start)?;
        if nodes.len() > MESSAGE_NODES_MAX {
            let (nodes, max) = (nodes.len(), MESSAGE_NODES_MAX);
            return Err(SendError::TooManyNodes { nodes, max });
        }
        let length = self.output.bytes().len() - at - 4;
        self.output.set_u32(at, length as u32);
        self.put_var(nodes.len() as u64);
        for node in nodes {
            let number = match self.nodes.number(node) {
                Number::Known(number) => number,
                Number::New(number) => {
                    start = self.output.insert(start, &definition_of_node(number, *node));
                    number
                }
            };
            self.put_var(number);
        }
        self.end(start)
    }

    fn check_body(&self, start: Start) -> Result<(), SendError> {
        let (bytes, max) = (self.output.body_bytes(start), self.body_bytes_max);
        if bytes > max { Err(SendError::TooLarge { bytes, max }) } else { Ok(()) }
    }

    /// The number of a name, defined here if it has to be.
    pub(super) fn name(&mut self, what: &'static str, name: &Name) -> Result<u32, SendError> {
        check_length(what, name.as_str(), NAME_BYTES_MAX)?;
        let number = match self.names.number(name) {
            Number::Known(number) => return Ok(number),
            Number::New(number) => number,
        };
        let start = self.begin(DEFINE_NAME);
        self.put_var(number);
        self.output.bytes().put_bytes(name.as_str().as_bytes());
        self.output.end(start);
        Ok(number)
    }

    /// The number of a node, defined here if it has to be.
    pub(super) fn node(&mut self, node: NodeId) -> u32 {
        match self.nodes.number(&node) {
            Number::Known(number) => number,
            Number::New(number) => {
                self.output.bytes().extend_from_slice(&definition_of_node(number, node));
                number
            }
        }
    }

    /// The number of a message's type, defined here if it has to be.
    pub(super) fn type_of(&mut self, envelope: &Envelope) -> Result<u32, SendError> {
        if let Some(encoded) = envelope.as_encoded() {
            return self.wire_type(&encoded.wire_type);
        }
        let rust_type = envelope.type_id();
        if let Some(number) = self.types.known(rust_type) {
            return Ok(number);
        }
        let number = self.wire_type(&Arc::new(envelope.wire_type()))?;
        self.types.note(rust_type, number);
        Ok(number)
    }

    /// The number of a wire type, defined here if it has to be.
    pub(super) fn wire_type(&mut self, wire_type: &Arc<WireType>) -> Result<u32, SendError> {
        check_length("the tag of a message type", &wire_type.tag, TAG_BYTES_MAX)?;
        let number = match self.types.number(wire_type) {
            Number::Known(number) => return Ok(number),
            Number::New(number) => number,
        };
        let start = self.begin(DEFINE_TYPE);
        self.put_var(number);
        self.output.bytes().put_u64(wire_type.fingerprint);
        self.output.bytes().put_bytes(wire_type.tag.as_bytes());
        self.output.end(start);
        Ok(number)
    }
}

fn check_length(what: &'static str, text: &str, max: usize) -> Result<(), SendError> {
    let bytes = text.len();
    if bytes > max { Err(SendError::NameTooLong { what, bytes, max }) } else { Ok(()) }
}

/// A whole frame.
fn definition_of_node(number: u32, node: NodeId) -> Vec<u8> {
    let mut frame = Output::default();
    let start = frame.begin(DEFINE_NODE);
    frame.bytes().put_var(number);
    frame.bytes().put_u32(node.creation().0);
    frame.bytes().put_bytes(node.name().as_str().as_bytes());
    frame.end(start);
    frame.into_bytes()
}
