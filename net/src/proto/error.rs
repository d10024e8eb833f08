//! The errors in what a peer sends, by whose fault they are: bytes that do not parse, bytes that
//! parse but are not allowed, and a peer that has too little in common with us.
//!
//! Each of these errors ends the connection that it came over, and affects nothing else (HS-14,
//! DIST-19). The errors of values that this node was asked to *send* are in `control::SendError`,
//! and end nothing.
//!
//! Prior art: rustls' `error.rs`.

use fika_runtime::{NodeName, NodeNameError};

use super::handshake::Flags;

/// The bytes do not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidMessage {
    /// The first frame does not begin as ours do: it comes from an Erlang node, a browser, or a
    /// scanner. Effect: connection closed.
    #[error("it does not speak fika's protocol")]
    NotFika,

    /// A frame is empty where it must not be. Effect: connection closed.
    #[error("an empty frame")]
    EmptyFrame,

    /// The bytes end before the end of this value. Effect: connection closed.
    #[error("the bytes end before the end of {0}")]
    MissingData(&'static str),

    /// There are bytes after the last value. Effect: connection closed.
    #[error("too many bytes after {what}: {bytes}")]
    TrailingData { what: &'static str, bytes: usize },

    /// A value exceeds the named limit, in bytes or in entries. Effect: connection closed, before
    /// anything of that length is read or kept.
    #[error("{what} has a length of {length}, and the limit is {max}")]
    TooLong { what: &'static str, length: u64, max: usize },

    /// A number is too large for its place, or not in its shortest form. Effect: connection closed.
    #[error("{0} is not a valid number")]
    BadVarint(&'static str),

    /// A string is not UTF-8. Effect: connection closed.
    #[error("{0} is not UTF-8")]
    NotUtf8(&'static str),

    /// A byte has no meaning here. Effect: connection closed.
    #[error("{what} can't be {value:#04x}")]
    UnknownValue { what: &'static str, value: u8 },

    /// A string is not a valid node name. Effect: connection closed.
    #[error(transparent)]
    BadNodeName(#[from] NodeNameError),
}

/// The bytes parse, but a correct peer never sends them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PeerMisbehaved {
    /// The peer chose a version outside the range that we had offered. Effect: connection closed.
    #[error("it chose version {0}, which was not offered")]
    VersionNotOffered(u16),

    /// The peer claims to be us. Effect: connection closed.
    #[error("it uses our own name")]
    OurName,

    /// The peer gave us a name though we have one. Effect: connection closed.
    #[error("it gave a name that was not asked for")]
    NameNotAsked,

    /// The peer gave us a name that we can't have. Effect: connection closed.
    #[error("it gave the name `{0}`, which is not a name at this host")]
    OtherName(NodeName),

    /// The peer used a number that it never defined. Effect: connection closed.
    #[error("it used number {number} for a {what} without defining it")]
    Undefined { what: &'static str, number: u32 },

    /// The peer defined a number that is fixed, too large, or not the next one. Effect: connection
    /// closed, before the number makes a table grow.
    #[error("it defined a {what} with the number {number}")]
    BadDefinition { what: &'static str, number: u32 },

    /// A piece belongs to no message, or a message was begun twice. Effect: connection closed.
    #[error("{0} is not a valid sequence of a message in pieces")]
    BadSequence(u8),

    /// The peer has more unfinished messages than allowed. Effect: connection closed, before
    /// anything of the new message is kept.
    #[error("it has more than {0} bytes of unfinished messages in pieces")]
    TooManyPartial(usize),

    /// The peer named more lives of nodes than any cluster has. Effect: connection closed.
    #[error("it has named too many nodes that this node did not know")]
    TooManyNodes,
}

/// The peer is incompatible with us, without any fault of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PeerIncompatible {
    /// No version in common. Effect: connection closed.
    #[error(
        "it speaks versions {lowest} to {highest}, and this node {our_lowest} to {our_highest}"
    )]
    NoCommonVersion { lowest: u16, highest: u16, our_lowest: u16, our_highest: u16 },

    /// No version in common, as reported by the peer that we asked. Effect: connection closed.
    #[error("it speaks versions up to {highest}, and this node only {our_lowest} to {our_highest}")]
    OtherVersion { highest: u16, our_lowest: u16, our_highest: u16 },

    /// The peer lacks a feature that we rely on (HS-10). Effect: connection closed.
    #[error("it lacks the mandatory flags {0}")]
    MissingFlags(Flags),

    /// We have no name, and the peer did not give us one (DIST-4). Effect: connection closed.
    #[error("this node has no name yet, and the peer does not assign names")]
    GivesNoName,

    /// One node has a short name and the other a long one (DIST-2). Effect: connection closed.
    #[error("a node with a short name and one with a long name can't connect")]
    ShortAndLongNames,
}

/// Why an established connection can't continue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProtocolError {
    /// The bytes do not parse.
    #[error("invalid message: {0}")]
    Invalid(#[from] InvalidMessage),

    /// The bytes parse, but are not allowed.
    #[error("the peer misbehaved: {0}")]
    Misbehaved(#[from] PeerMisbehaved),
}
