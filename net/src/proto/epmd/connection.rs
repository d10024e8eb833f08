//! A client's connection, as the mapper sees it: bytes in, steps out.
//!
//! The driver (`io/epmd_server.rs`, or a test) owns the socket. It calls, in this order:
//! 1. [`ServerConnection::feed`] with the bytes that arrive, in pieces of any size. It performs
//!    each [`Step`] that is returned, until one that closes.
//! 2. [`ServerConnection::closed`] when the connection has ended, at either side.
//!
//! A connection carries one request. So the buffer need not handle bytes after the request: they
//! are a reason to close.

use super::registry::{ClientId, Listing, Registry};
use super::reply::{encode_found, encode_registered, has_large_creation};
use super::request::{REQUEST_BYTES_MAX, Request, RequestError};

/// The length that precedes a request.
const LENGTH_BYTES: usize = 2;

/// One client's side of the mapper.
#[derive(Debug)]
pub(crate) struct ServerConnection {
    client: ClientId,
    /// Whether the peer is on this host. Other peers may only query.
    local: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The bytes of the request so far. The buffer grows with the bytes, up to the limit.
    Reading(Vec<u8>),
    /// The request was answered, and nothing more is sent.
    Answered,
}

/// The next step for the driver.
#[derive(Debug)]
#[must_use]
pub(crate) enum Step {
    /// Wait for more bytes, within the idle limit.
    NeedMore,
    /// Send this, and close.
    Reply(Vec<u8>),
    /// Send the list, piece by piece, and close.
    List(Listing),
    /// Send this, and keep the connection until the client closes it.
    Registered(Vec<u8>),
    /// Send this, and let the client close the connection within the idle limit.
    Refused(Vec<u8>),
    /// Close that client's connection, send this, and close.
    Stopped(ClientId, Vec<u8>),
    /// Send this, close, and end the mapper.
    Killed(Vec<u8>),
    /// Close without a reply.
    Close,
}

impl ServerConnection {
    pub(crate) fn new(client: ClientId, local: bool) -> ServerConnection {
        ServerConnection { client, local, state: State::Reading(Vec::new()) }
    }

    /// Handles bytes that have arrived.
    pub(crate) fn feed(&mut self, bytes: &[u8], registry: &mut Registry) -> Step {
        let State::Reading(buffer) = &mut self.state else {
            // A client sends nothing on a connection that stays open only until its end.
            self.closed(registry);
            return Step::Close;
        };
        // Bytes beyond the limit need not be kept.
        buffer.extend(bytes.iter().take(LENGTH_BYTES + REQUEST_BYTES_MAX + 1 - buffer.len()));
        let Some((length, request)) = buffer.split_first_chunk::<LENGTH_BYTES>() else {
            return Step::NeedMore;
        };
        let length = usize::from(u16::from_be_bytes(*length));
        if length > REQUEST_BYTES_MAX || request.len() > length {
            self.state = State::Answered;
            return Step::Close;
        }
        if request.len() < length {
            return Step::NeedMore;
        }
        let step = answer(self.client, self.local, Request::decode(request), registry);
        self.state = State::Answered;
        step
    }

    /// Handles the end of the connection.
    pub(crate) fn closed(&mut self, registry: &mut Registry) {
        registry.unregister(self.client);
    }
}

fn answer(
    client: ClientId,
    local: bool,
    request: Result<Request<'_>, RequestError>,
    registry: &mut Registry,
) -> Step {
    match request {
        Ok(Request::Lookup(name)) => Step::Reply(encode_found(registry.lookup(name))),
        Ok(Request::Names) => Step::List(Listing::names()),
        _ if !local => Step::Close,
        Ok(Request::Register(info)) => {
            let large = has_large_creation(info.highest_version);
            match registry.register(client, info) {
                Ok(creation) => Step::Registered(encode_registered(large, Some(creation))),
                Err(_) => Step::Refused(encode_registered(large, None)),
            }
        }
        Err(RequestError::Refused { large_creation }) => {
            Step::Refused(encode_registered(large_creation, None))
        }
        Ok(Request::Dump) => Step::List(Listing::dump()),
        Ok(Request::Kill) if registry.relaxed() || registry.is_empty() => {
            Step::Killed(b"OK".into())
        }
        Ok(Request::Kill) => Step::Reply(b"NO".into()),
        Ok(Request::Stop(name)) if registry.relaxed() => match registry.stop(name) {
            Some(client) => Step::Stopped(client, b"STOPPED".into()),
            None => Step::Reply(b"NOEXIST".into()),
        },
        Ok(Request::Stop(_)) | Err(RequestError::Malformed) => Step::Close,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::info::{NodeInfo, PublishedType};
    use super::*;

    /// A mapper without sockets. Clients are numbered in order.
    struct Mapper {
        registry: Registry,
        clients: usize,
    }

    impl Mapper {
        fn new(relaxed: bool) -> Mapper {
            Mapper { registry: Registry::new(4369, relaxed, 0x100), clients: 0 }
        }

        fn connect(&mut self) -> ServerConnection {
            self.clients += 1;
            ServerConnection::new(ClientId(self.clients), true)
        }

        fn ask(&mut self, bytes: &[u8]) -> (ServerConnection, Step) {
            let mut connection = self.connect();
            let step = connection.feed(bytes, &mut self.registry);
            (connection, step)
        }

        /// Returns the whole reply to a request. `None` if the connection is closed without a
        /// reply.
        fn reply(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
            let step = self.ask(bytes).1;
            self.bytes(step)
        }

        fn bytes(&self, step: Step) -> Option<Vec<u8>> {
            match step {
                Step::Reply(bytes)
                | Step::Registered(bytes)
                | Step::Refused(bytes)
                | Step::Stopped(_, bytes)
                | Step::Killed(bytes) => Some(bytes),
                Step::List(mut listing) => {
                    Some(std::iter::from_fn(|| listing.piece(&self.registry)).flatten().collect())
                }
                Step::Close => None,
                Step::NeedMore => panic!("the request was complete"),
            }
        }

        fn register(&mut self, name: &str) -> (ServerConnection, Step) {
            self.register_version(name, 6)
        }

        fn register_version(&mut self, name: &str, highest: u16) -> (ServerConnection, Step) {
            let mut info = NodeInfo::new(name, 1234, PublishedType::NORMAL).unwrap();
            info.highest_version = highest;
            self.ask(&Request::Register(info).encode())
        }

        /// Registers a name, and ends the connection. Returns the creation.
        fn creation(&mut self, name: &str, highest: u16) -> u32 {
            let (mut connection, step) = self.register_version(name, highest);
            let Step::Registered(reply) = step else { panic!("{step:?}") };
            connection.closed(&mut self.registry);
            reply[2..].iter().fold(0, |creation, byte| creation << 8 | u32::from(*byte))
        }

        fn names(&mut self) -> String {
            let reply = self.reply(&Request::Names.encode()).unwrap();
            assert_eq!(reply[..4], 4369_u32.to_be_bytes());
            String::from_utf8(reply[4..].to_vec()).unwrap()
        }
    }

    /// EPMD-2, EPMD-5: a second registration of a name is refused with an error, and the first one
    /// stays.
    #[test]
    fn register_duplicate_name() {
        let mut mapper = Mapper::new(false);
        let (mut first, step) = mapper.register("a");
        assert!(matches!(step, Step::Registered(reply) if reply == b"v\0\0\0\x01\x01"));
        let (mut second, step) = mapper.register("a");
        assert!(matches!(step, Step::Refused(reply) if reply == b"v\x01\0\0\0\x63"));
        second.closed(&mut mapper.registry);
        assert_eq!(mapper.names(), "name a at port 1234\n", "the old registration stays");
        first.closed(&mut mapper.registry);
        assert_eq!(mapper.names(), "");
        assert!(matches!(mapper.register("a").1, Step::Registered(_)));
    }

    /// EPMD-3: 32-bit creations increase by one, and 16-bit creations cycle through 1, 2 and 3 for
    /// each name.
    #[test]
    fn creations() {
        let mut mapper = Mapper::new(false);
        let large: Vec<_> = ["a", "b", "a"].map(|name| mapper.creation(name, 6)).into();
        assert_eq!(large, [0x101, 0x102, 0x103]);
        let first = mapper.creation("c", 5);
        let mut expected = first;
        for highest in [5, 5, 6, 5, 5, 5] {
            expected = expected % 3 + 1;
            let creation = mapper.creation("c", highest);
            // The 16-bit creation also advances when the reply does not contain it.
            assert!(highest == 6 || creation == expected, "{creation} {expected}");
            mapper.creation("d", 5);
        }
    }

    /// A mapper with another seed begins with another 16-bit creation, too.
    #[test]
    fn small_creations_follow_the_seed() {
        let mut creations = [6, 7, 8].map(|seed| {
            let mut mapper = Mapper::new(false);
            mapper.registry = Registry::new(4369, false, seed);
            mapper.creation("a", 5)
        });
        creations.sort_unstable();
        assert_eq!(creations, [1, 2, 3]);
    }

    /// EPMD-3: when the 32-bit creations wrap, they skip zero and the small ones.
    #[test]
    fn creations_wrap() {
        let mut mapper = Mapper::new(false);
        mapper.registry = Registry::new(4369, false, u32::MAX - 1);
        let creations = ["a", "a", "a"].map(|name| mapper.creation(name, 6));
        assert_eq!(creations, [u32::MAX, 4, 5]);
    }

    /// EPMD-4: a registration ends with the connection, or with any byte on it.
    #[test]
    fn a_registration_lasts_as_long_as_its_connection() {
        let mut mapper = Mapper::new(false);
        let (mut first, _) = mapper.register("a");
        let (mut second, _) = mapper.register("b");
        first.closed(&mut mapper.registry);
        assert_eq!(mapper.names(), "name b at port 1234\n");
        assert!(matches!(second.feed(b"x", &mut mapper.registry), Step::Close));
        assert_eq!(mapper.names(), "");
    }

    /// EPMD-7: a look-up returns the node or "not found", and ignores one zero byte after the name.
    #[test]
    fn get_port_nr() {
        let mut mapper = Mapper::new(false);
        let _registered = mapper.register("ab");
        let found = b"w\0\x04\xd2\x4d\0\0\x06\0\x05\0\x02ab\0\0";
        assert_eq!(mapper.reply(b"\0\x03zab").unwrap(), found);
        assert_eq!(mapper.reply(b"\0\x04zab\0").unwrap(), found);
        assert_eq!(mapper.reply(b"\0\x02za").unwrap(), b"w\x01");
        assert_eq!(mapper.reply(b"\0\x01z"), None);
    }

    /// EPMD-8, EPMD-9: newest first. The dump also has the names that were registered before.
    #[test]
    fn lists() {
        let mut mapper = Mapper::new(false);
        let mut connections = ["a", "b", "c", "d"].map(|name| mapper.register(name).0);
        connections[2].closed(&mut mapper.registry);
        connections[0].closed(&mut mapper.registry);
        assert_eq!(mapper.names(), "name d at port 1234\nname b at port 1234\n");
        let dump = mapper.reply(b"\0\x01d").unwrap();
        let expected = "active name     <d> at port 1234, fd = 4\n\0\
            active name     <b> at port 1234, fd = 2\n\0\
            old/unused name <c>, port = 1234, fd = 3 \n\0\
            old/unused name <a>, port = 1234, fd = 1 \n\0";
        assert_eq!(String::from_utf8_lossy(&dump[4..]), expected);
    }

    /// EPMD-8: a client that reads slowly, while nodes come and go.
    #[test]
    fn stupid_names_req() {
        let mut mapper = Mapper::new(false);
        let mut connections: Vec<_> =
            (0..1000).map(|n| mapper.register(&format!("node{n}")).0).collect();
        let Step::List(mut listing) = mapper.ask(b"\0\x01n").1 else { panic!() };
        let first = listing.piece(&mapper.registry).unwrap();
        assert!((16 << 10..17 << 10).contains(&first.len()));
        connections[0].closed(&mut mapper.registry);
        connections[999].closed(&mut mapper.registry);
        let _late = mapper.register("late");
        let pieces: Vec<_> = std::iter::from_fn(|| listing.piece(&mapper.registry)).collect();
        assert!(!pieces.is_empty());
        let text = String::from_utf8([first, pieces.concat()].concat().split_off(4)).unwrap();
        let expected: String =
            (1..1000).rev().map(|n| format!("name node{n} at port 1234\n")).collect();
        assert_eq!(text, expected);
    }

    /// The dump of a mapper that has seen more names than it remembers.
    #[test]
    fn former_names_are_bounded() {
        let mut mapper = Mapper::new(false);
        for n in 0..1010 {
            mapper.creation(&format!("node{n}"), 6);
        }
        let dump = String::from_utf8(mapper.reply(b"\0\x01d").unwrap().split_off(4)).unwrap();
        let names: Vec<_> =
            dump.lines().map(|line| line.split(['<', '>']).nth(1).unwrap_or_default()).collect();
        let expected: Vec<_> = (10..1010).map(|n| format!("node{n}")).collect();
        assert_eq!(names[..1000], expected);
    }

    /// EPMD-10, EPMD-11: by default, a client can't kill a mapper with registered names, and can't
    /// unregister a name.
    #[test]
    fn no_live_killing() {
        let mut mapper = Mapper::new(false);
        let (mut connection, _) = mapper.register("a");
        assert_eq!(mapper.reply(b"\0\x01k").unwrap(), b"NO");
        assert_eq!(mapper.reply(b"\0\x02sa"), None);
        assert_eq!(mapper.names(), "name a at port 1234\n");
        connection.closed(&mut mapper.registry);
        assert!(matches!(mapper.ask(b"\0\x01k").1, Step::Killed(reply) if reply == b"OK"));
    }

    /// EPMD-10, EPMD-11: the relaxed mode.
    #[test]
    fn unregister_others_name() {
        let mut mapper = Mapper::new(true);
        let (connection, _) = mapper.register("a");
        let Step::Stopped(client, reply) = mapper.ask(b"\0\x02sa").1 else { panic!() };
        assert_eq!((client, &reply[..]), (connection.client, &b"STOPPED"[..]));
        assert_eq!(mapper.reply(b"\0\x02sa").unwrap(), b"NOEXIST");
        assert_eq!(mapper.names(), "");
        let _registered = mapper.register("a");
        assert!(matches!(mapper.ask(b"\0\x01k").1, Step::Killed(_)));
    }

    /// A stopped name may be registered again before its old connection has noticed.
    #[test]
    fn the_end_of_a_stopped_connection_does_not_harm_the_next_one() {
        let mut mapper = Mapper::new(true);
        let (mut old, _) = mapper.register("a");
        assert!(matches!(mapper.ask(b"\0\x02sa").1, Step::Stopped(..)));
        let _new = mapper.register("a");
        old.closed(&mut mapper.registry);
        assert_eq!(mapper.names(), "name a at port 1234\n");
    }

    /// EPMD-12: a client on another host can only look up and list names.
    #[test]
    fn no_nonlocal_commands() {
        let mut mapper = Mapper::new(true);
        let _registered = mapper.register("a");
        let info = NodeInfo::new("b", 1, PublishedType::NORMAL).unwrap();
        let cases = [
            (Request::Register(info), false),
            (Request::Dump, false),
            (Request::Kill, false),
            (Request::Stop(b"a"), false),
            (Request::Lookup("a"), true),
            (Request::Names, true),
        ];
        for (request, served) in cases {
            let mut connection = ServerConnection::new(ClientId(99), false);
            let step = connection.feed(&request.encode(), &mut mapper.registry);
            assert_eq!(!matches!(step, Step::Close), served, "{request:?}");
        }
        assert_eq!(mapper.names(), "name a at port 1234\n");
    }

    /// EPMD-13: a request of an invalid length or kind closes the connection.
    #[test]
    fn lengths() {
        let mut mapper = Mapper::new(false);
        let largest = [&[0x0b, 0xf1, b'n'], &[0; 3056][..]].concat();
        assert!(matches!(mapper.ask(&largest).1, Step::List(_)));
        let cases: [&[u8]; 5] = [b"\0\0", b"\x0b\xf2", b"\xf6\x18", b"\0\x01nn", b"\0\x01q"];
        for bytes in cases {
            assert!(matches!(mapper.ask(bytes).1, Step::Close), "{bytes:?}");
        }
        assert!(matches!(mapper.ask(&[&largest[..], b"x"].concat()).1, Step::Close));
        for bytes in [&b"\0"[..], b"\0\x03", b"\0\x03za"] {
            assert!(matches!(mapper.ask(bytes).1, Step::NeedMore), "{bytes:?}");
        }
    }

    proptest! {
        /// EPMD-18: a request has the same effect in pieces of any size.
        #[test]
        fn slow_get_port_nr(size in 1_usize..9, name in "[a-c]{1,2}") {
            let mut mapper = Mapper::new(false);
            let _registered = mapper.register("a");
            let request = Request::Lookup(&name).encode();
            let whole = mapper.reply(&request);
            let mut connection = mapper.connect();
            let steps = request.chunks(size).map(|c| connection.feed(c, &mut mapper.registry));
            let mut steps: Vec<_> = steps.collect();
            let last = steps.pop().unwrap();
            prop_assert!(steps.iter().all(|step| matches!(step, Step::NeedMore)));
            prop_assert_eq!(mapper.bytes(last), whole);
        }

        /// No input causes a panic, and the buffer stays within its limit.
        #[test]
        fn any_bytes_are_handled(pieces: Vec<Vec<u8>>, length: u16, tag in "[xzndksq]", local: bool) {
            let mut mapper = Mapper::new(true);
            let mut connection = ServerConnection::new(ClientId(1), local);
            let head = [&length.to_be_bytes()[..], tag.as_bytes()].concat();
            for piece in std::iter::once(head).chain(pieces) {
                let step = connection.feed(&piece, &mut mapper.registry);
                if let State::Reading(buffer) = &connection.state {
                    prop_assert!(buffer.len() <= LENGTH_BYTES + REQUEST_BYTES_MAX);
                }
                if !matches!(step, Step::NeedMore | Step::Registered(_) | Step::Refused(_)) {
                    break;
                }
            }
            connection.closed(&mut mapper.registry);
            prop_assert!(mapper.registry.is_empty());
        }
    }
}
