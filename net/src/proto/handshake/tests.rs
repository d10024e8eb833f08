//! Tests both roles against each other, and every attack that the handshake must prevent.

use bytes::BytesMut;
use proptest::prelude::*;

use super::initiator;
use super::message::{HelloI, HelloR, Role};
use super::versions::Versions;
use super::*;
use crate::cookie::Cookie;
use crate::proto::error::{InvalidMessage, PeerIncompatible, PeerMisbehaved};

const NONCE_I: [u8; 32] = [0x11; 32];
const NONCE_R: [u8; 32] = [0x22; 32];

fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

fn identity(text: &str) -> Identity {
    Identity { name: name(text), creation: Creation(7), flags: Flags::NONE }
}

fn secret(text: &str) -> Secret {
    Secret { cookie: Cookie::new_weak(text).unwrap(), cluster_id: String::new() }
}

fn body(frame: Vec<u8>) -> Vec<u8> {
    let mut received = BytesMut::from(&frame[..]);
    let body = super::frame(&mut received).unwrap().unwrap();
    assert!(received.is_empty());
    body
}

/// The states and the frames of a handshake from `a@h` to `b@h`, up to the initiator's proof.
struct Halfway {
    initiator: initiator::AwaitProof,
    responder: responder::AwaitProof,
    hello_i: Vec<u8>,
    hello_r: Vec<u8>,
    proof_i: Vec<u8>,
}

struct Setup {
    identity_i: Identity,
    identity_r: Identity,
    secret_i: Secret,
    secret_r: Secret,
    transport_i: Transport,
    transport_r: Transport,
    status: Status,
    nonce_i: [u8; 32],
    nonce_r: [u8; 32],
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            identity_i: identity("a@h"),
            identity_r: Identity { creation: Creation(8), ..identity("b@h") },
            secret_i: secret("the same secret on both"),
            secret_r: secret("the same secret on both"),
            transport_i: Transport::Plain,
            transport_r: Transport::Plain,
            status: Status::Ok,
            nonce_i: NONCE_I,
            nonce_r: NONCE_R,
        }
    }
}

impl Setup {
    /// Runs a handshake up to the initiator's proof. `change` may alter the hellos on their way.
    fn run_with(self, change: impl Fn(Role, &mut Vec<u8>)) -> Result<Halfway, HandshakeError> {
        let wanted = self.identity_r.name.clone();
        let (initiator, frame) =
            initiator::AwaitHello::start(self.identity_i, wanted, &self.secret_i, self.nonce_i)?;
        let mut hello_i = body(frame);
        change(Role::Initiator, &mut hello_i);
        let greeted = responder::AwaitHello::new(self.identity_r).handle(&hello_i)?;
        let (responder, frame) =
            greeted.accept(self.status, &self.secret_r, self.transport_r, self.nonce_r);
        let mut hello_r = body(frame);
        change(Role::Responder, &mut hello_r);
        let (initiator, frame) = initiator.handle(&hello_r, self.transport_i)?;
        Ok(Halfway { initiator, responder, hello_i, hello_r, proof_i: body(frame) })
    }

    fn run(self) -> Halfway {
        self.run_with(|_, _| ()).unwrap()
    }
}

fn initiator(peer: &str) -> (initiator::AwaitHello, Vec<u8>) {
    let setup = Setup::default();
    let started =
        initiator::AwaitHello::start(setup.identity_i, name(peer), &setup.secret_i, NONCE_I);
    let (state, frame) = started.unwrap();
    (state, body(frame))
}

/// Runs a whole handshake, and returns the results of both sides.
fn run_to_the_end(setup: Setup) -> Result<(Established, Established), HandshakeError> {
    let halfway = setup.run_with(|_, _| ())?;
    let (at_b, frame) = halfway.responder.handle(&halfway.proof_i)?.accept();
    Ok((halfway.initiator.handle(&body(frame))?, at_b))
}

fn refusal(status: Status) -> Vec<u8> {
    let (_, hello_i) = initiator("b@h");
    let greeted = responder::AwaitHello::new(identity("b@h")).handle(&hello_i).unwrap();
    body(greeted.refuse(status))
}

#[test]
fn both_sides_are_established() {
    let halfway = Setup::default().run();
    let (at_b, frame) = halfway.responder.handle(&halfway.proof_i).unwrap().accept();
    let at_a = halfway.initiator.handle(&body(frame)).unwrap();
    let (flags, version) = (Flags::MANDATORY, 1);
    let creation = Creation(8);
    let b = Established { peer: name("b@h"), creation, flags, version, given: None };
    assert_eq!(at_a, b);
    let creation = Creation(7);
    let a = Established { peer: name("a@h"), creation, flags, version, given: None };
    assert_eq!(at_b, a);
}

/// HS-11: if one side is hidden, the connection is hidden.
#[test]
fn one_hidden_side_hides_the_connection() {
    let (hidden, none) = (Flags::HIDDEN, Flags::NONE);
    for (i, r) in [(hidden, none), (none, hidden), (hidden, hidden), (none, none)] {
        let is_hidden = (i, r) != (none, none);
        let mut setup = Setup::default();
        (setup.identity_i.flags, setup.identity_r.flags) = (i, r);
        let halfway = setup.run();
        let (at_b, frame) = halfway.responder.handle(&halfway.proof_i).unwrap().accept();
        let at_a = halfway.initiator.handle(&body(frame)).unwrap();
        assert_eq!((at_a.hidden(), at_b.hidden()), (is_hidden, is_hidden));
    }
    let (_, hello) = initiator("b@h");
    let hidden = Identity { flags: Flags::HIDDEN, ..identity("b@h") };
    let greeted = responder::AwaitHello::new(hidden).handle(&hello).unwrap();
    assert_eq!(greeted.peer(), &name("a@h"));
}

#[test]
fn refusals() {
    let before = initiator("b@h").0.handle(&refusal(Status::NotAllowed), Transport::Plain);
    assert_eq!(before.err(), Some(HandshakeError::Refused(Status::NotAllowed)));
    for status in [Status::Nok, Status::NotAllowed] {
        let halfway = Setup::default().run();
        let proved = halfway.responder.handle(&halfway.proof_i).unwrap();
        assert_eq!(proved.peer(), &name("a@h"));
        let error = halfway.initiator.handle(&body(proved.refuse(status))).unwrap_err();
        assert_eq!(error, HandshakeError::Refused(status));
    }
}

/// A refusal that depends on the responder's connections is sent only after the initiator's proof,
/// in a frame that is proved itself. It is never the status of a hello.
#[test]
fn a_refusal_after_the_proof_is_authenticated() {
    for status in [1, 2, 4] {
        let mut hello_r = Setup::default().run().hello_r;
        hello_r[47] = status;
        let error = initiator("b@h").0.handle(&hello_r, Transport::Plain).err().unwrap();
        let unknown = InvalidMessage::UnknownValue { what: "the status", value: status };
        assert_eq!(error, HandshakeError::Invalid(unknown));
    }
    let Halfway { initiator, responder, proof_i, .. } = Setup::default().run();
    let refusal = body(responder.handle(&proof_i).unwrap().refuse(Status::Nok));
    assert_eq!(initiator.handle(&refusal), Err(HandshakeError::Refused(Status::Nok)));
    for (at, bit) in (0..refusal.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut refusal = refusal.clone();
        refusal[at] ^= 1 << bit;
        let error = Setup::default().run().initiator.handle(&refusal).unwrap_err();
        assert!(!matches!(error, HandshakeError::Refused(_)), "byte {at} bit {bit}");
    }
    for end in 0..refusal.len() {
        let error = Setup::default().run().initiator.handle(&refusal[..end]).unwrap_err();
        assert!(matches!(error, HandshakeError::Invalid(_)), "cut at {end}");
    }
    let longer = [&refusal[..], b"\0"].concat();
    assert!(Setup::default().run().initiator.handle(&longer).is_err());
    // A refusal that was recorded in another handshake.
    let other = Setup { nonce_i: [0x55; 32], ..Setup::default() }.run();
    let error = other.initiator.handle(&refusal).unwrap_err();
    assert_eq!(error, HandshakeError::BadProof { peer: name("b@h") });
}

/// HS-8: each side detects by itself that the cookies differ.
#[test]
fn each_side_detects_a_wrong_cookie() {
    let halfway = Setup { secret_i: secret("another"), ..Setup::default() }.run();
    let error = halfway.responder.handle(&halfway.proof_i).map(|_| ()).unwrap_err();
    assert_eq!(error, HandshakeError::BadProof { peer: name("a@h") });
    assert_eq!(
        error.to_string(),
        "the handshake failed: a@h has another cookie, or belongs to another cluster"
    );

    // A responder that does not know the cookie, and accepts every proof.
    let proof_r = Role::Responder.encode(&[0x33; 32]);
    let error = halfway.initiator.handle(&proof_r).unwrap_err();
    assert_eq!(error, HandshakeError::BadProof { peer: name("b@h") });
}

/// Nodes of two clusters that have the same cookie by mistake do not connect.
#[test]
fn clusters_with_one_cookie_do_not_connect() {
    let of = |cluster: &str| Secret {
        cluster_id: cluster.to_owned(),
        ..secret("the same secret on both")
    };
    let run = |i, r| run_to_the_end(Setup { secret_i: of(i), secret_r: of(r), ..Setup::default() });
    assert!(run("blue", "blue").is_ok());
    for (i, r) in [("blue", "green"), ("", "blue"), ("blue", ""), ("blue", "blue ")] {
        assert!(matches!(run(i, r), Err(HandshakeError::BadProof { .. })), "{i:?} {r:?}");
    }
    // The boundary between cookie and cluster id is unambiguous.
    let a = Secret { cluster_id: "bc".to_owned(), ..secret("a") };
    let ab = Secret { cluster_id: "c".to_owned(), ..secret("ab") };
    assert!(run_to_the_end(Setup { secret_i: a, secret_r: ab, ..Setup::default() }).is_err());
}

/// Detects a man in the middle that has an encrypted connection with each end, and one that removes
/// the encryption.
#[test]
fn a_different_channel_binding_is_detected() {
    let run = |transport_i, transport_r| {
        run_to_the_end(Setup { transport_i, transport_r, ..Setup::default() })
    };
    let (a, b) = (Transport::Bound([7; 32]), Transport::Bound([8; 32]));
    assert!(run(a, a).is_ok());
    let zeros = Transport::Bound([0; 32]);
    for (i, r) in [(a, b), (a, Transport::Plain), (Transport::Plain, a), (zeros, Transport::Plain)]
    {
        assert!(matches!(run(i, r), Err(HandshakeError::BadProof { .. })), "{i:?} {r:?}");
    }
}

/// A recorded proof is rejected by a node that has chosen another nonce.
#[test]
fn replay() {
    let recorded = Setup::default().run();
    let fresh = Setup { nonce_r: [0x44; 32], ..Setup::default() }.run();
    assert!(fresh.responder.handle(&recorded.proof_i).is_err());

    let (_, proof_r) = recorded.responder.handle(&recorded.proof_i).unwrap().accept();
    let fresh = Setup { nonce_i: [0x55; 32], ..Setup::default() }.run();
    assert!(fresh.initiator.handle(&body(proof_r)).is_err());
}

/// A node's own frames, sent back to it, do not authenticate the sender.
#[test]
fn reflection() {
    // Our own hello comes back to our own listener.
    let (state, hello_i) = initiator("b@h");
    let error = responder::AwaitHello::new(identity("a@h")).handle(&hello_i).err().unwrap();
    assert!(matches!(error, HandshakeError::WrongName { .. }));
    // It comes back to the side that sent it.
    assert!(state.handle(&hello_i, Transport::Plain).is_err());
    // A hello in which the initiator has the responder's name.
    let (_, hello_i) = initiator("a@h");
    let error = responder::AwaitHello::new(identity("a@h")).handle(&hello_i).err().unwrap();
    assert_eq!(error, HandshakeError::Misbehaved(PeerMisbehaved::OurName));
    // Our own proof comes back as the responder's.
    let halfway = Setup::default().run();
    let proof_i = Role::Initiator.decode(&halfway.proof_i).unwrap();
    let reflected = Role::Responder.encode(&proof_i);
    let error = halfway.initiator.handle(&reflected).unwrap_err();
    assert_eq!(error, HandshakeError::BadProof { peer: name("b@h") });
}

/// An attacker relays between two honest nodes with the same cookie, and changes names so that each
/// node would believe that it talks to another one.
#[test]
fn relay() {
    // a@h wants b@h, but reaches c@h.
    let (_, hello_i) = initiator("b@h");
    let error = responder::AwaitHello::new(identity("c@h")).handle(&hello_i).err().unwrap();
    assert!(matches!(&error, HandshakeError::WrongName { wanted, found, .. }
        if (wanted, found) == (&name("b@h"), &name("c@h"))));
    // The attacker changes the names in both hellos so that they fit.
    let swap = |hello: &mut Vec<u8>| {
        for (from, to) in [(b"\x03x@h", b"\x03b@h"), (b"\x03c@h", b"\x03x@h")] {
            if let Some(at) = hello.windows(4).position(|w| w == from) {
                hello[at..at + 4].copy_from_slice(to);
            }
        }
    };
    let (state, mut hello_i) = initiator("x@h");
    swap(&mut hello_i);
    let greeted = responder::AwaitHello::new(identity("b@h")).handle(&hello_i).unwrap();
    let secret = Setup::default().secret_r;
    let (responder, frame) = greeted.accept(Status::Ok, &secret, Transport::Plain, NONCE_R);
    let mut hello_r = body(frame);
    let at = hello_r.windows(4).position(|w| w == b"\x03b@h").unwrap();
    hello_r[at..at + 4].copy_from_slice(b"\x03x@h");
    let (_, proof_i) = state.handle(&hello_r, Transport::Plain).unwrap();
    assert!(responder.handle(&body(proof_i)).is_err());
}

/// If any bit of either hello is changed on the way, one side refuses.
#[test]
fn no_bit_of_a_hello_can_be_changed() {
    let whole = Setup::default().run();
    for (role, length) in
        [(Role::Initiator, whole.hello_i.len()), (Role::Responder, whole.hello_r.len())]
    {
        for (at, bit) in (0..length).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let flip = |of: Role, hello: &mut Vec<u8>| {
                if of == role {
                    hello[at] ^= 1 << bit;
                }
            };
            if let Ok(halfway) = Setup::default().run_with(flip) {
                let proved = halfway.responder.handle(&halfway.proof_i);
                assert!(proved.is_err(), "{role:?} byte {at} bit {bit}");
            }
        }
    }
}

/// HS-8: both sides compare every bit of a proof.
#[test]
fn no_bit_of_a_proof_can_be_changed() {
    let proof_r = {
        let whole = Setup::default().run();
        body(whole.responder.handle(&whole.proof_i).unwrap().accept().1)
    };
    for (at, bit) in (0..proof_r.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let Halfway { initiator, responder, mut proof_i, .. } = Setup::default().run();
        proof_i[at] ^= 1 << bit;
        assert!(responder.handle(&proof_i).is_err(), "the initiator's, byte {at} bit {bit}");
        let mut proof_r = proof_r.clone();
        proof_r[at] ^= 1 << bit;
        assert!(initiator.handle(&proof_r).is_err(), "the responder's, byte {at} bit {bit}");
    }
}

/// An attacker can't remove versions or flags on the way.
#[test]
fn downgrade() {
    let lower = |of, hello: &mut Vec<u8>| {
        if of == Role::Initiator {
            let mut decoded = HelloI::decode(hello).unwrap();
            decoded.flags = Flags::MANDATORY;
            *hello = decoded.encode();
        }
    };
    let mut setup = Setup::default();
    setup.identity_i.flags = Flags::from_bits(1 << 40);
    let halfway = setup.run_with(lower).unwrap();
    assert!(halfway.responder.handle(&halfway.proof_i).is_err());

    let (state, _) = initiator("b@h");
    let mut hello = HelloR::decode(&Setup::default().run().hello_r).unwrap();
    hello.version = 0;
    let error = state.handle(&hello.encode(), Transport::Plain).err().unwrap();
    assert_eq!(error, HandshakeError::Misbehaved(PeerMisbehaved::VersionNotOffered(0)));
}

#[test]
fn no_common_version() {
    let (state, hello_i) = initiator("b@h");
    let mut hello = HelloI::decode(&hello_i).unwrap();
    hello.versions = Versions { lowest: 8, highest: 9 };
    let error = responder::AwaitHello::new(identity("b@h")).handle(&hello.encode()).err().unwrap();
    assert!(
        error.to_string().ends_with("it speaks versions 8 to 9, and this node 1 to 1"),
        "{error}"
    );
    let answer = body(error.answer().unwrap().to_vec());
    let error = state.handle(&answer, Transport::Plain).err().unwrap();
    let said = "it speaks versions up to 1, and this node only 1 to 1";
    assert!(error.to_string().ends_with(said), "{error}");
}

/// The largest frame before authentication, with long names in the hello.
#[test]
fn the_largest_frame() {
    let (_, hello_i) = initiator("b@h");
    let extended = |length: usize| {
        let mut hello = hello_i[..hello_i.len() - 1].to_vec();
        let extensions = length - hello.len() - 2;
        hello.extend([extensions as u8 | 0x80, (extensions >> 7) as u8]);
        hello.resize(length, 0);
        hello
    };
    let whole = |body: &[u8]| {
        let frame = [&(body.len() as u16).to_be_bytes()[..], body].concat();
        super::frame(&mut BytesMut::from(&frame[..]))
    };
    let largest = extended(1024);
    assert_eq!(whole(&largest), Ok(Some(largest.clone())));
    assert!(responder::AwaitHello::new(identity("b@h")).handle(&largest).is_ok());
    assert!(matches!(whole(&extended(1025)), Err(InvalidMessage::TooLong { max: 1024, .. })));
}

/// A peer with other versions is served if there is a common version.
#[test]
fn version_ranges() {
    for (lowest, highest, served) in
        [(1, 1, true), (0, 1, true), (1, 9, true), (0, 0, false), (2, 9, false), (9, 1, false)]
    {
        let (_, hello_i) = initiator("b@h");
        let mut hello = HelloI::decode(&hello_i).unwrap();
        hello.versions = Versions { lowest, highest };
        let greeted = responder::AwaitHello::new(identity("b@h")).handle(&hello.encode());
        assert_eq!(greeted.is_ok(), served, "{lowest} to {highest}");
    }
}

/// HS-10: both sides refuse a peer that lacks a mandatory flag.
#[test]
fn missing_flags() {
    let (state, hello_i) = initiator("b@h");
    let mut hello = HelloI::decode(&hello_i).unwrap();
    hello.flags = Flags::HIDDEN;
    let error = responder::AwaitHello::new(identity("b@h")).handle(&hello.encode()).err().unwrap();
    assert!(matches!(error, HandshakeError::Incompatible { answer: Some(_), .. }));
    assert_eq!(error.to_string(), "the handshake failed: it lacks the mandatory flags spawn");

    let mut hello = HelloR::decode(&Setup::default().run().hello_r).unwrap();
    hello.flags = Flags::HIDDEN;
    let error = state.handle(&hello.encode(), Transport::Plain).err().unwrap();
    assert_eq!(error, PeerIncompatible::MissingFlags(Flags::SPAWN).into());
}

/// DIST-2: both sides refuse to connect a short name with a long one.
#[test]
fn short_and_long_names() {
    let started = |own, peer| {
        let secret = secret("secret");
        initiator::AwaitHello::start(identity(own), name(peer), &secret, NONCE_I).map(|_| ())
    };
    let refused = Err(PeerIncompatible::ShortAndLongNames.into());
    assert_eq!(started("a@h", "b@h.example"), refused);
    assert_eq!(started("a@h.example", "b@h"), refused);
    let (_, hello_i) = initiator("b@h");
    let mut hello = HelloI::decode(&hello_i).unwrap();
    hello.name = name("a@h.example");
    let error = responder::AwaitHello::new(identity("b@h")).handle(&hello.encode()).err().unwrap();
    let why = PeerIncompatible::ShortAndLongNames;
    assert!(matches!(error, HandshakeError::Incompatible { why: found, .. } if found == why));
}

#[test]
fn names_at_the_limit() {
    // A name of 255 characters can have more bytes than a hello has room for.
    let fits = name(&format!("{}@h", "ö".repeat(239)));
    assert_eq!(fits.as_str().len(), NAME_BYTES_MAX);
    let other = name(&format!("{}@h", "ä".repeat(239)));
    let identity_i = Identity { name: fits, ..identity("a@h") };
    let identity_r = Identity { name: other, ..identity("b@h") };
    let halfway = Setup { identity_i, identity_r, ..Setup::default() }.run();
    assert!(halfway.hello_i.len() <= 1024 && halfway.responder.handle(&halfway.proof_i).is_ok());

    let above = name(&format!("{}x@h", "ö".repeat(239)));
    for (own, peer) in [(above.clone(), name("b@h")), (name("a@h"), above.clone())] {
        let own = Identity { name: own, ..identity("a@h") };
        let started = initiator::AwaitHello::start(own, peer, &secret("secret"), NONCE_I);
        assert_eq!(started.err(), Some(HandshakeError::NameTooLong(above.clone())));
    }
    let own = Identity { name: above, ..identity("a@h") };
    let error = responder::AwaitHello::new(own).handle(&initiator("b@h").1).err().unwrap();
    assert_eq!(error.answer(), None, "it would not fit either");
}

/// HS-9: a responder that was not meant answers with its own name, which the initiator reports.
#[test]
fn wrong_name() {
    let (state, hello_i) = initiator("b@h");
    let error = responder::AwaitHello::new(identity("c@h")).handle(&hello_i).err().unwrap();
    let answer = body(error.answer().unwrap().to_vec());
    let error = state.handle(&answer, Transport::Plain).err().unwrap();
    assert_eq!(error.to_string(), "the handshake failed: expected node `b@h`, found `c@h`");
}

/// HS-14: a truncated frame is an error, and so are extra bytes after a frame.
#[test]
fn truncation_and_surplus() {
    let whole = Setup::default().run();
    let hello_i_fails =
        |bytes: &[u8]| responder::AwaitHello::new(identity("b@h")).handle(bytes).is_err();
    let hello_r_fails = |bytes: &[u8]| initiator("b@h").0.handle(bytes, Transport::Plain).is_err();
    let proof_i_fails = |bytes: &[u8]| Setup::default().run().responder.handle(bytes).is_err();
    let proof_r_fails = |bytes: &[u8]| Setup::default().run().initiator.handle(bytes).is_err();
    let proof_r = body(whole.responder.handle(&whole.proof_i).unwrap().accept().1);
    type Step<'a> = (&'a [u8], &'a dyn Fn(&[u8]) -> bool);
    let steps: [Step; 4] = [
        (&whole.hello_i, &hello_i_fails),
        (&whole.hello_r, &hello_r_fails),
        (&whole.proof_i, &proof_i_fails),
        (&proof_r, &proof_r_fails),
    ];
    for (step, (bytes, fails)) in steps.into_iter().enumerate() {
        assert!(!fails(bytes), "step {step}");
        for end in 0..bytes.len() {
            assert!(fails(&bytes[..end]), "step {step} cut at {end}");
        }
        assert!(fails(&[bytes, b"\0"].concat()), "step {step} with a byte more");
    }
}

/// A frame of the wrong step is an error.
#[test]
fn wrong_role_and_wrong_order() {
    let whole = Setup::default().run();
    let proof_r = body(whole.responder.handle(&whole.proof_i).unwrap().accept().1);
    let steps = [&whole.hello_i, &whole.hello_r, &whole.proof_i, &proof_r];
    for (number, frame) in steps.into_iter().enumerate() {
        let fresh = Setup::default().run();
        let greeted = responder::AwaitHello::new(identity("b@h")).handle(frame);
        assert_eq!(greeted.is_ok(), number == 0);
        assert_eq!(initiator("b@h").0.handle(frame, Transport::Plain).is_ok(), number == 1);
        assert_eq!(fresh.responder.handle(frame).is_ok(), number == 2);
        assert_eq!(fresh.initiator.handle(frame).is_ok(), number == 3);
    }
}

#[test]
fn strangers() {
    let erlang = b"N\0\0\0\x0d\x07\xdf\x7f\xbd\0\0\0\x01\0\x03a@h";
    for first in [&erlang[..], b"GET / HT", b"\x16\x03\x01\x02\0\x01\0\x01", b"SSH-2.0-OpenSSH"] {
        let error = responder::AwaitHello::new(identity("b@h")).handle(first).err().unwrap();
        assert_eq!(error, HandshakeError::Invalid(InvalidMessage::NotFika));
    }
}

/// Later versions may extend their hellos: the extensions are ignored, but covered by the proofs.
#[test]
fn unknown_extensions_are_skipped_and_authenticated() {
    let extend = |hello: &mut Vec<u8>| {
        assert_eq!(hello.pop(), Some(0));
        hello.extend_from_slice(b"\x03new");
    };
    let (_, mut hello_i) = initiator("b@h");
    extend(&mut hello_i);
    assert!(responder::AwaitHello::new(identity("b@h")).handle(&hello_i).is_ok());
    let mut hello_r = Setup::default().run().hello_r;
    extend(&mut hello_r);
    assert!(initiator("b@h").0.handle(&hello_r, Transport::Plain).is_ok());
    let halfway = Setup::default().run_with(|_, hello| extend(hello)).unwrap();
    assert!(halfway.responder.handle(&halfway.proof_i).is_err(), "the extensions were not sent");
}

proptest! {
    #[test]
    fn any_bytes_are_handled(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0xf0..=0xf5_u8) {
        let fresh = Setup::default().run();
        for bytes in [bytes.clone(), [&[kind], &bytes[..]].concat()] {
            let _ = super::frame(&mut BytesMut::from(&bytes[..]));
            let _ = responder::AwaitHello::new(identity("b@h")).handle(&bytes);
            let _ = initiator("b@h").0.handle(&bytes, Transport::Plain);
        }
        let with_kind = [&[kind], &bytes[..]].concat();
        prop_assert!(fresh.responder.handle(&with_kind).is_err());
        prop_assert!(fresh.initiator.handle(&with_kind).is_err());
    }

    /// A correct hello with some bytes overwritten.
    #[test]
    fn nearly_valid_bytes_are_handled(changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..8)) {
        let change = |_, hello: &mut Vec<u8>| for (at, value) in &changes {
            let at = usize::from(*at) % hello.len();
            hello[at] = *value;
        };
        let _ = Setup::default().run_with(change);
    }
}
