//! Tests a node that asks its first peer for a name (DIST-4): every answer that the peer can give.

use bytes::BytesMut;
use fika_runtime::{Creation, NodeName};

use super::initiator;
use super::responder::{self, Greeted};
use super::{Established, Flags, HandshakeError, Identity, Secret, Status, Transport, frame};
use crate::cookie::Cookie;
use crate::proto::error::{InvalidMessage, PeerIncompatible, PeerMisbehaved};

const NONCE: [u8; 32] = [0x11; 32];

fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

fn secret() -> Secret {
    Secret { cookie: Cookie::new("the same secret on both").unwrap(), cluster_id: String::new() }
}

fn body(bytes: Vec<u8>) -> Vec<u8> {
    frame(&mut BytesMut::from(&bytes[..])).unwrap().unwrap()
}

/// Returns an initiator with this name and these flags, and its hello.
fn start(own: &str, flags: Flags) -> (initiator::AwaitHello, Vec<u8>) {
    let identity = Identity { name: name(own), creation: Creation(7), flags };
    let started = initiator::AwaitHello::start(identity, name("b@h"), &secret(), NONCE);
    let (state, bytes) = started.unwrap();
    (state, body(bytes))
}

fn greet(hello: &[u8]) -> Greeted {
    let identity = Identity { name: name("b@h"), creation: Creation(8), flags: Flags::NONE };
    responder::AwaitHello::new(identity).handle(hello).unwrap()
}

/// Returns the initiator's result if the responder gives it the name `given`, or no name.
fn outcome(own: &str, flags: Flags, given: Option<&str>) -> Result<(), HandshakeError> {
    let (state, hello) = start(own, flags);
    // Only a responder that was asked for a name can give one, even if this initiator does not ask.
    let (_, asking) = start("undefined@h", Flags::NAME_ME);
    let (greeted, status) = match given {
        Some(given) => (greet(&asking).named(name(given)), Status::Named),
        None => (greet(&hello), Status::Ok),
    };
    let (_, answer) = greeted.accept(status, &secret(), Transport::Plain, NONCE);
    state.handle(&body(answer), Transport::Plain).map(|_| ())
}

/// DIST-4, HS-4: both ends know the initiator by the name that it was given.
#[test]
fn the_responder_names_the_initiator() {
    let (initiator, hello) = start("undefined@h", Flags::NAME_ME | Flags::HIDDEN);
    let greeted = greet(&hello);
    assert!(greeted.asks_for_name());
    assert_eq!(greeted.peer().host(), "h", "the host of the name");
    let greeted = greeted.named(name("given@h"));
    let (responder, answer) = greeted.accept(Status::Named, &secret(), Transport::Plain, NONCE);
    let (initiator, proof) = initiator.handle(&body(answer), Transport::Plain).unwrap();
    let (at_b, proof) = responder.handle(&body(proof)).unwrap().accept();
    let at_a = initiator.handle(&body(proof)).unwrap();
    assert_eq!((at_b.peer, at_b.given), (name("given@h"), None), "b has a name");
    let Established { peer, given, flags, .. } = at_a;
    assert_eq!((peer, given), (name("b@h"), Some(name("given@h"))));
    assert!(flags.contains(Flags::HIDDEN) && !flags.contains(Flags::NAME_ME));
    assert!(!greet(&start("a@h", Flags::NONE).1).asks_for_name());
}

/// The initiator accepts a name only if it asked for one and the name is at its own host.
#[test]
fn unrequested_and_foreign_names_are_refused() {
    let misbehaved = |why: PeerMisbehaved| HandshakeError::Misbehaved(why);
    let cases = [
        ("undefined@h", Flags::NAME_ME, Some("given@h"), None),
        ("a@h", Flags::NONE, None, None),
        ("undefined@h", Flags::NAME_ME, None, Some(PeerIncompatible::GivesNoName.into())),
        ("a@h", Flags::NONE, Some("given@h"), Some(misbehaved(PeerMisbehaved::NameNotAsked))),
        (
            "undefined@h",
            Flags::NAME_ME,
            Some("given@elsewhere"),
            Some(misbehaved(PeerMisbehaved::OtherName(name("given@elsewhere")))),
        ),
        (
            "undefined@h",
            Flags::NAME_ME,
            Some("undefined@h"),
            Some(misbehaved(PeerMisbehaved::OtherName(name("undefined@h")))),
        ),
    ];
    for (own, flags, given, error) in cases {
        assert_eq!(outcome(own, flags, given).err(), error, "{own} {given:?}");
    }
}

/// HS-14: status 6 with a missing or invalid name ends the handshake. Bytes after the name are
/// ignored, since later versions may use them.
#[test]
fn the_extension_with_the_name() {
    let (_, hello) = start("undefined@h", Flags::NAME_ME);
    let greeted = greet(&hello).named(name("given@h"));
    let (_, answer) = greeted.accept(Status::Named, &secret(), Transport::Plain, NONCE);
    let answer = body(answer);
    let head = answer.strip_suffix(b"\x08\x07given@h").expect("the name is the extension");
    let with = |extensions: &[u8]| {
        let answer = [head, &[extensions.len() as u8], extensions].concat();
        start("undefined@h", Flags::NAME_ME).0.handle(&answer, Transport::Plain).map(|_| ())
    };
    assert_eq!(with(b"\x07given@h"), Ok(()));
    assert_eq!(with(b"\x07given@hmore"), Ok(()));
    let missing = Err(HandshakeError::Invalid(InvalidMessage::MissingData(
        "the name that the responder gives",
    )));
    assert_eq!(with(b""), missing);
    assert_eq!(with(b"\x08given@h"), missing);
    assert!(matches!(
        with(b"\x05given"),
        Err(HandshakeError::Invalid(InvalidMessage::BadNodeName(_)))
    ));
}

/// DIST-4: the proofs cover the given name, so a change on the way is detected.
#[test]
fn the_proofs_cover_the_name() {
    let (initiator, hello) = start("undefined@h", Flags::NAME_ME);
    let greeted = greet(&hello).named(name("given@h"));
    let (responder, answer) = greeted.accept(Status::Named, &secret(), Transport::Plain, NONCE);
    let mut answer = body(answer);
    let at = answer.len() - 3;
    answer[at] = b'x';
    let (_, proof) =
        initiator.handle(&answer, Transport::Plain).expect("the changed name is valid, too");
    let error = responder.handle(&body(proof)).err();
    assert_eq!(error, Some(HandshakeError::BadProof { peer: name("given@h") }));
}
