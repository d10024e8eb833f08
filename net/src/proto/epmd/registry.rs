//! What a mapper knows: which names are registered, and which were.
//!
//! Pure state. Who may ask for what, and what goes onto a wire, is the connection's
//! business.
//!
//! Invariants:
//!
//! 1. A name is registered once, and a client has registered one name at most.
//! 2. What is kept is bounded by the number of clients, which the server bounds, and by
//!    [`USED_NAMES_MAX`].
//! 3. Serial numbers rise along `registered` and along `used`, so that a list can be
//!    told in pieces while they change.

use std::collections::VecDeque;

use super::info::NodeInfo;
use super::reply::has_large_creation;

/// How many names that are no longer registered are remembered, for their 16-bit
/// creations: as many as Erlang's mapper remembers, at most 1 MiB of names.
const USED_NAMES_MAX: usize = 1000;

/// A list is told in pieces of about this size, so that a client that reads slowly holds
/// one piece, and not the names of a large cluster.
const PIECE_BYTES: usize = 16 << 10;

/// Creations below this are of the 16-bit kind.
const LARGE_CREATION_MIN: u32 = 4;

/// A client's connection, as the server numbers them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ClientId(pub(crate) usize);

/// The state of a mapper.
#[derive(Debug)]
pub(crate) struct Registry {
    /// The port of the mapper, which it tells with each list.
    port: u16,
    /// Whether clients may kill it while names are registered, and unregister others.
    relaxed: bool,
    /// The oldest first.
    registered: Vec<Registered>,
    /// The one that was unregistered first comes first. No name of `registered`.
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
    /// 1, 2 or 3: the creation for a node that knows no larger ones. It goes on with
    /// each registration of the name, whichever kind the node was given.
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

/// The name is registered already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NameTaken;

impl Registry {
    /// An empty mapper on this port. Creations go up from `seed`, which should be another
    /// one each time: a node that registers again must not get the creation that an
    /// earlier mapper gave it.
    pub(crate) fn new(port: u16, relaxed: bool, seed: u32) -> Registry {
        let (registered, used) = (Vec::new(), VecDeque::new());
        Registry { port, relaxed, registered, used, creation: seed, serial: 0 }
    }

    /// Whether it takes commands that harm registered nodes.
    pub(crate) fn relaxed(&self) -> bool {
        self.relaxed
    }

    /// Whether no name is registered.
    pub(crate) fn is_empty(&self) -> bool {
        self.registered.is_empty()
    }

    /// Registers a node for as long as its client's connection lives, and gives it a
    /// creation that the name did not have when it was last registered.
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

    /// Takes away what the client has registered, if it has.
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

    /// The node that is registered under a name.
    pub(super) fn lookup(&self, name: &str) -> Option<&NodeInfo> {
        self.client_of(name.as_bytes()).map(|registered| &registered.info)
    }

    /// Takes a name away from its client, which is returned so that it can be closed.
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

/// A list that is being told to a client.
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

/// What comes next in a list.
#[derive(Debug)]
enum Next {
    Port,
    /// Registered names, the newest first, with serial numbers below this one.
    Registered(u64),
    /// Former names, the one that was unregistered first, with serial numbers above
    /// this one.
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

    /// The next piece; none at the end. What is registered between two pieces is left
    /// out, and so is what is unregistered before its turn.
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
