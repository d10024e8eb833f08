//! Both sides of the port mapper's protocol.

use crate::proto::epmd::{
    ClientId, Names, Registry, Request, ServerConnection, Step, decode_found, decode_registered,
};

/// Clients that send in turns. Each piece of the input is a byte, which says which client sends and
/// whether it then closes, a length, and the bytes that it sends.
pub fn epmd_server(mut bytes: &[u8]) {
    let relaxed = bytes.first().is_some_and(|byte| byte & 1 == 1);
    let mut registry = Registry::new(4369, relaxed, 0x100);
    let mut clients: [Option<ServerConnection>; 8] = Default::default();
    while let [selector, length, rest @ ..] = bytes {
        let (said, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        bytes = rest;
        let (number, goes, local) =
            (usize::from(selector % 8), selector & 8 != 0, selector & 16 == 0);
        let client =
            clients[number].get_or_insert_with(|| ServerConnection::new(ClientId(number), local));
        let closes = match client.feed(said, &mut registry) {
            Step::NeedMore | Step::Registered(_) | Step::Refused(_) => goes,
            Step::List(mut listing) => {
                while listing.piece(&registry).is_some() {}
                true
            }
            Step::Stopped(ClientId(other), _) => {
                if let Some(mut other) = clients[other].take() {
                    other.closed(&mut registry);
                }
                true
            }
            Step::Reply(_) | Step::Killed(_) | Step::Close => true,
        };
        if closes && let Some(mut client) = clients[number].take() {
            client.closed(&mut registry);
        }
    }
    clients.into_iter().flatten().for_each(|mut client| client.closed(&mut registry));
    assert!(registry.is_empty(), "a client that has gone still has a name");
}

/// The replies of a mapper.
pub fn epmd_client(bytes: &[u8]) {
    let _ = decode_registered(bytes);
    if let Ok(Some(Some(found))) = decode_found(bytes) {
        // Every node in a reply can be registered.
        let _ = Request::Register(found).encode();
    }
    if let Ok(names) = Names::decode(bytes) {
        let found = names.iter().map(|(name, _)| name.len()).sum::<usize>();
        assert!(found <= names.text().len());
    }
}
