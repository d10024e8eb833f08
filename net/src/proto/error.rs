//! What can be wrong with what a peer sent, split by whose fault it is: bytes that do
//! not parse, bytes that parse and are not allowed, and a peer that we have too little
//! in common with.
//!
//! Each of them ends the connection that it came over and touches nothing else (HS-14,
//! DIST-19). What is wrong with a value that we were asked to *send* is in
//! `control::SendError`, and does not end anything.
//!
//! Prior art: rustls' `error.rs`.

use fika_runtime::{NodeName, NodeNameError};

use super::handshake::Flags;

/// The bytes do not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidMessage {
    /// The first frame does not begin as ours do: an Erlang node, a browser, a scanner.
    /// Effect: connection closed.
    #[error("it does not speak fika's protocol")]
    NotFika,

    /// A frame that holds nothing, where something is needed. Effect: connection closed.
    #[error("an empty frame")]
    EmptyFrame,

    /// The bytes end before this value does. Effect: connection closed.
    #[error("the bytes end before {0} does")]
    MissingData(&'static str),

    /// Bytes after the last value. Effect: connection closed.
    #[error("too many bytes after {what}: {bytes}")]
    TrailingData { what: &'static str, bytes: usize },

    /// More than the named limit, in bytes or in entries. Effect: connection closed,
    /// before anything of that length is read or kept.
    #[error("{what} has a length of {length}, and the limit is {max}")]
    TooLong { what: &'static str, length: u64, max: usize },

    /// A number too large for its place, or not in its shortest form. Effect: connection
    /// closed.
    #[error("{0} is no number of its kind")]
    BadVarint(&'static str),

    /// A text that is not UTF-8. Effect: connection closed.
    #[error("{0} is not UTF-8")]
    NotUtf8(&'static str),

    /// A byte without a meaning here. Effect: connection closed.
    #[error("{what} can't be {value:#04x}")]
    UnknownValue { what: &'static str, value: u8 },

    /// A text that names no node. Effect: connection closed.
    #[error(transparent)]
    BadNodeName(#[from] NodeNameError),
}

/// The bytes parse, and a correct peer never sends them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PeerMisbehaved {
    /// It chose a version outside the range that we had offered. Effect: connection
    /// closed.
    #[error("it chose version {0}, which was not offered")]
    VersionNotOffered(u16),

    /// It claims to be us. Effect: connection closed.
    #[error("it uses our own name")]
    OurName,

    /// It gave us a name though we have one. Effect: connection closed.
    #[error("it gave a name that was not asked for")]
    NameNotAsked,

    /// It gave us a name that we can't have. Effect: connection closed.
    #[error("it gave the name `{0}`, which is none at this host")]
    OtherName(NodeName),

    /// A number that it never defined. Effect: connection closed.
    #[error("it used number {number} for a {what} without defining it")]
    Undefined { what: &'static str, number: u32 },

    /// A definition with a number that is fixed, too large, or not the next one. Effect:
    /// connection closed, before the number makes a table grow.
    #[error("it defined a {what} with the number {number}")]
    BadDefinition { what: &'static str, number: u32 },

    /// A message in pieces that was never begun, or one that is begun for the second time.
    /// Effect: connection closed.
    #[error("{0} is no sequence of a message in pieces that could be meant")]
    BadSequence(u8),

    /// More of messages that are not whole than it may have under way. Effect: connection
    /// closed, before any of it is kept.
    #[error("it has more than {0} bytes of messages in pieces under way")]
    TooManyPartial(usize),

    /// It named more lives of nodes than any cluster has. Effect: connection closed.
    #[error("it has named too many nodes that this node did not know")]
    TooManyNodes,
}

/// A peer that we can't talk to, without any fault of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PeerIncompatible {
    /// No version in common. Effect: connection closed.
    #[error("it speaks versions {lowest} to {highest}, and we {our_lowest} to {our_highest}")]
    NoCommonVersion { lowest: u16, highest: u16, our_lowest: u16, our_highest: u16 },

    /// The same, as the peer says when it is the one that was asked. Effect: connection
    /// closed.
    #[error(
        "it speaks versions up to {highest} and none of ours, which are {our_lowest} to {our_highest}"
    )]
    OtherVersion { highest: u16, our_lowest: u16, our_highest: u16 },

    /// It can't do something that we rely on (HS-10). Effect: connection closed.
    #[error("it lacks the mandatory flags {0}")]
    MissingFlags(Flags),

    /// We have no name, and it did not give us one (DIST-4). Effect: connection closed.
    #[error("it gives no names, and this node has none")]
    GivesNoName,

    /// One has a short name and the other a long one (DIST-2). Effect: connection closed.
    #[error("a node with a short name and one with a long name can't connect")]
    ShortAndLongNames,
}

/// Why an established connection can't go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProtocolError {
    /// The bytes do not parse.
    #[error("invalid message: {0}")]
    Invalid(#[from] InvalidMessage),

    /// They parse, and are not allowed.
    #[error("the peer misbehaved: {0}")]
    Misbehaved(#[from] PeerMisbehaved),
}
