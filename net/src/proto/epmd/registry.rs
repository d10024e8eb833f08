//! The state of a port mapper: the registered names, and the former ones.
//!
//! This is pure state. `connection` decides which client may request what, and what is written to
//! the wire.
//!
//! Invariants:
//!
//! 1. A name is registered at most once, and a client registers at most one name.
//! 2. The memory is bounded by the number of clients, which the server limits, and by
//!    [`USED_NAMES_MAX`].
//! 3. Serial numbers increase within `registered` and within `used`, so that a list can be sent in
//!    pieces while names come and go.

use std::collections::VecDeque;

use super::info::NodeInfo;
use super::reply::has_large_creation;

/// How many former names are remembered, with their 16-bit creations: as many as in Erlang's
/// mapper, at most 1 MiB of names.
const USED_NAMES_MAX: usize = 1000;

/// A list is sent in pieces of about this size, so that a slow client costs the memory of one piece
/// instead of that of all names.
const PIECE_BYTES: usize = 16 << 10;

/// The lowest 32-bit creation. Lower ones are 16-bit creations.
const LARGE_CREATION_MIN: u32 = 4;

/// A client's connection, numbered by the server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ClientId(pub(crate) usize);

/// The state of a mapper.
#[derive(Debug)]
pub(crate) struct Registry {
    /// The port of the mapper, which each list contains.
    port: u16,
    /// Whether clients may kill the mapper while names are registered, and unregister the names of
    /// other clients.
    relaxed: bool,
    /// The registered names, oldest first.
    registered: Vec<Registered>,
    /// The former names, in the order in which they were unregistered. None of them is registered
    /// again.
    used: VecDeque<Used>,
    /// The 32-bit creation of the latest registration.
    creation: u32,
    /// The serial number of the latest change.
    serial: u64,
}

#[derive(Debug)]
struct Registered {
    serial: u64,
    client: ClientId,
    info: NodeInfo,
    /// 1, 2 or 3: the creation for a node that only knows 16-bit creations. It advances with each
    /// registration of the name, even if the node gets a 32-bit creation.
    small_creation: u16,
}

#[derive(Debug)]
struct Used {
    serial: u64,
    client: ClientId,
    name: Box<str>,
    port: u16,
    small_creation: u16,
}

/// The name is already registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NameTaken;

impl Registry {
    /// Makes the empty registry of a mapper on this port. Creations increase from `seed`. It should
    /// differ each time: a node that registers again must not get the creation that an earlier
    /// mapper gave it.
    pub(crate) fn new(port: u16, relaxed: bool, seed: u32) -> Registry {
        let (registered, used) = (Vec::new(), VecDeque::new());
        Registry { port, relaxed, registered, used, creation: seed, serial: 0 }
    }

    /// Returns whether the mapper accepts commands that harm registered nodes.
    pub(crate) fn relaxed(&self) -> bool {
        self.relaxed
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.registered.is_empty()
    }

    /// Registers a node until its client's connection ends, and returns the node's creation. The
    /// creation differs from that of the name's previous registration.
    pub(super) fn register(&mut self, client: ClientId, info: NodeInfo) -> Result<u32, NameTaken> {
        if self.lookup(info.name()).is_some() {
            return Err(NameTaken);
        }
        self.unregister(client);
        self.creation = self.creation.wrapping_add(1).max(LARGE_CREATION_MIN);
        let latest = self.used.iter().position(|used| *used.name == *info.name());
        let latest = latest.and_then(|position| self.used.remove(position));
        let latest = latest.map_or((self.creation % 3) as u16, |used| used.small_creation);
        let small_creation = latest % 3 + 1;
        let large = has_large_creation(info.highest_version);
        let serial = self.next_serial();
        self.registered.push(Registered { serial, client, info, small_creation });
        Ok(if large { self.creation } else { u32::from(small_creation) })
    }

    /// Removes the client's registration, if there is one.
    pub(crate) fn unregister(&mut self, client: ClientId) {
        let Some(position) = self.registered.iter().position(|r| r.client == client) else {
            return;
        };
        let Registered { client, info, small_creation, .. } = self.registered.remove(position);
        if self.used.len() == USED_NAMES_MAX {
            self.used.pop_front();
        }
        let (serial, NodeInfo { name, port, .. }) = (self.next_serial(), info);
        self.used.push_back(Used { serial, client, name, port, small_creation });
    }

    /// Returns the node that is registered under this name.
    pub(super) fn lookup(&self, name: &str) -> Option<&NodeInfo> {
        self.client_of(name.as_bytes()).map(|registered| &registered.info)
    }

    /// Unregisters a name. Returns its client, so that the connection can be closed.
    pub(super) fn stop(&mut self, name: &[u8]) -> Option<ClientId> {
        let client = self.client_of(name)?.client;
        self.unregister(client);
        Some(client)
    }

    fn client_of(&self, name: &[u8]) -> Option<&Registered> {
        self.registered.iter().find(|registered| registered.info.name.as_bytes() == name)
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

/// A list that is being sent to a client.
#[derive(Debug)]
pub(crate) struct Listing {
    kind: Kind,
    next: Next,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Names,
    Dump,
}

/// The next part of a list.
#[derive(Debug)]
enum Next {
    Port,
    /// The registered names with serial numbers below this one, newest first.
    Registered(u64),
    /// The former names with serial numbers above this one, in the order in which they were
    /// unregistered.
    Used(u64),
    End,
}

impl Listing {
    pub(super) fn names() -> Listing {
        Listing { kind: Kind::Names, next: Next::Port }
    }

    pub(super) fn dump() -> Listing {
        Listing { kind: Kind::Dump, next: Next::Port }
    }

    /// Returns the next piece, or `None` at the end. Omits names that are registered after the
    /// first piece, and names that are unregistered before their piece.
    pub(crate) fn piece(&mut self, registry: &Registry) -> Option<Vec<u8>> {
        let mut piece = Vec::new();
        while piece.len() < PIECE_BYTES && !matches!(self.next, Next::End) {
            self.next = match self.next {
                Next::Port => {
                    piece.extend(u32::from(registry.port).to_be_bytes());
                    Next::Registered(u64::MAX)
                }
                Next::Registered(below) => self.registered(registry, below, &mut piece),
                Next::Used(above) => used(registry, above, &mut piece),
                Next::End => Next::End,
            };
        }
        (!piece.is_empty()).then_some(piece)
    }

    fn registered(&self, registry: &Registry, below: u64, piece: &mut Vec<u8>) -> Next {
        let end = registry.registered.partition_point(|registered| registered.serial < below);
        for registered in registry.registered[..end].iter().rev() {
            if piece.len() >= PIECE_BYTES {
                return Next::Registered(registered.serial + 1);
            }
            let (NodeInfo { name, port, .. }, fd) = (&registered.info, registered.client.0);
            piece.extend(match self.kind {
                Kind::Names => format!("name {name} at port {port}\n").into_bytes(),
                Kind::Dump => {
                    format!("active name     <{name}> at port {port}, fd = {fd}\n\0").into_bytes()
                }
            });
        }
        if self.kind == Kind::Dump { Next::Used(0) } else { Next::End }
    }
}

fn used(registry: &Registry, above: u64, piece: &mut Vec<u8>) -> Next {
    let start = registry.used.partition_point(|used| used.serial <= above);
    for used in registry.used.range(start..) {
        if piece.len() >= PIECE_BYTES {
            return Next::Used(used.serial - 1);
        }
        let Used { name, port, client: ClientId(fd), .. } = used;
        piece.extend(format!("old/unused name <{name}>, port = {port}, fd = {fd} \n\0").bytes());
    }
    Next::End
}
