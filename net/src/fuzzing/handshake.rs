//! Handshakes with an attacker who does not know the cookie: at the other end, or in the middle.

use bytes::BytesMut;
use fika_runtime::Creation;

use crate::cookie::Cookie;
use crate::proto::handshake::initiator;
use crate::proto::handshake::{
    Established, Flags, Identity, Secret, Status, Transport, frame, responder,
};

const NONCE_I: [u8; 32] = [0x11; 32];
const NONCE_R: [u8; 32] = [0x22; 32];

/// The nonces of the recorded handshake.
const OLD_NONCE_I: [u8; 32] = [0x33; 32];
const OLD_NONCE_R: [u8; 32] = [0x44; 32];

fn secret() -> Secret {
    let cookie = Cookie::new("what no fuzzer comes upon").expect("it is long");
    Secret { cookie, cluster_id: "fuzz".to_owned() }
}

fn identity(name: &str) -> Identity {
    let name = name.parse().expect("a valid node name");
    Identity { name, creation: Creation(7), flags: Flags::PRIORITY }
}

fn start(nonce: [u8; 32]) -> (initiator::AwaitHello, Vec<u8>) {
    let peer = "b@h".parse().expect("a valid node name");
    let started = initiator::AwaitHello::start(identity("a@h"), peer, &secret(), nonce);
    let (state, frame) = started.expect("the names fit together");
    (state, body(&frame))
}

fn start_nameless() -> initiator::AwaitHello {
    let (identity, peer) = (identity("undefined@h"), "b@h".parse().expect("a valid node name"));
    let identity = Identity { flags: Flags::NAME_ME, ..identity };
    let started = initiator::AwaitHello::start(identity, peer, &secret(), NONCE_I);
    started.expect("the names fit together").0
}

fn body(bytes: &[u8]) -> Vec<u8> {
    next(&mut BytesMut::from(bytes)).expect("it is a whole frame")
}

/// Accepts as the responder. Gives a name to an initiator that asks for one.
fn accept(greeted: responder::Greeted, nonce: [u8; 32]) -> (responder::AwaitProof, Vec<u8>) {
    let (greeted, status) = match greeted.asks_for_name() {
        true => (greeted.named("given@h".parse().expect("a valid node name")), Status::Named),
        false => (greeted, Status::Ok),
    };
    greeted.accept(status, &secret(), Transport::Plain, nonce)
}

fn next(bytes: &mut BytesMut) -> Option<Vec<u8>> {
    frame(bytes).ok().flatten()
}

/// A stranger's bytes to the initiator.
pub fn initiator(bytes: &[u8]) {
    let mut bytes = BytesMut::from(bytes);
    let Some(hello) = next(&mut bytes) else { return };
    let proof = next(&mut bytes);
    // An initiator that has a name, and one that asks for it.
    for state in [start(NONCE_I).0, start_nameless()] {
        if let Ok((state, _)) = state.handle(&hello, Transport::Plain)
            && let Some(proof) = &proof
        {
            assert!(state.handle(proof).is_err(), "a stranger is authenticated");
        }
    }
}

/// A stranger's bytes to the responder.
pub fn responder(bytes: &[u8]) {
    let mut bytes = BytesMut::from(bytes);
    let Some(hello) = next(&mut bytes) else { return };
    let greeted = match responder::AwaitHello::new(identity("b@h")).handle(&hello) {
        Ok(greeted) => greeted,
        Err(error) => {
            if let Some(answer) = error.answer() {
                body(answer);
            }
            return;
        }
    };
    assert_ne!(greeted.peer().as_str(), "b@h", "it is its own peer");
    let (state, _) = accept(greeted, NONCE_R);
    let Some(proof) = next(&mut bytes) else { return };
    assert!(state.handle(&proof).is_err(), "a stranger is authenticated");
}

/// An attacker between two honest nodes changes each of the four frames in one way. The remaining
/// bytes of the input say how.
pub fn handshake(bytes: &[u8]) {
    let mut middle = Middle { script: bytes, said: recorded() };
    let (initiator, hello_i) = start(NONCE_I);
    let hello_i_there = middle.pass(&hello_i);
    let Ok(greeted) = responder::AwaitHello::new(identity("b@h")).handle(&hello_i_there) else {
        return;
    };
    let (responder, hello_r) = accept(greeted, NONCE_R);
    let hello_r = body(&hello_r);
    let hello_r_there = middle.pass(&hello_r);
    let Ok((initiator, proof_i)) = initiator.handle(&hello_r_there, Transport::Plain) else {
        return;
    };
    let proof_i = body(&proof_i);
    let Ok(proved) = responder.handle(&middle.pass(&proof_i)) else { return };
    let (at_responder, proof_r) = proved.accept();
    assert_eq!(hello_i_there, hello_i, "a changed hello was taken");
    assert_eq!(hello_r_there, hello_r, "a changed hello was taken");
    let proof_r = body(&proof_r);
    let proof_r_there = middle.pass(&proof_r);
    let Ok(at_initiator) = initiator.handle(&proof_r_there) else {
        assert_ne!(proof_r_there, proof_r, "an honest proof was refused");
        return;
    };
    assert_eq!(proof_r_there, proof_r, "a changed proof was taken");
    let Established { flags, version, .. } = at_responder;
    assert_eq!((at_initiator.flags, at_initiator.version), (flags, version));
}

/// Returns the frames of a recorded handshake between the same nodes.
fn recorded() -> Vec<Vec<u8>> {
    let (initiator, hello_i) = start(OLD_NONCE_I);
    let greeted = responder::AwaitHello::new(identity("b@h")).handle(&hello_i);
    let greeted = greeted.expect("it is an honest one");
    let (_, hello_r) = accept(greeted, OLD_NONCE_R);
    let hello_r = body(&hello_r);
    let outcome = initiator.handle(&hello_r, Transport::Plain);
    let (_, proof_i) = outcome.unwrap_or_else(|error| panic!("it is an honest one: {error}"));
    let proof_i = body(&proof_i);
    vec![hello_i, hello_r, proof_i]
}

struct Middle<'a> {
    script: &'a [u8],
    /// All frames that the attacker has seen.
    said: Vec<Vec<u8>>,
}

impl Middle<'_> {
    fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.script.split_first() else { return 0 };
        self.script = rest;
        *byte
    }

    /// Returns what the attacker makes of a frame. Passes it on if no script is left.
    fn pass(&mut self, frame: &[u8]) -> Vec<u8> {
        self.said.push(frame.to_vec());
        let mut frame = frame.to_vec();
        match self.byte() % 8 {
            // Changes some bytes.
            1 => {
                for _ in 0..=self.byte() % 4 {
                    let at = usize::from(self.byte()) % frame.len();
                    frame[at] ^= self.byte();
                }
            }
            2 => frame.truncate(usize::from(self.byte())),
            3 => frame.extend((0..self.byte() % 8).map(|_| 0)),
            // Replays a frame that it has seen now or in the recorded handshake.
            4 => frame = self.heard(),
            // Combines the head of one frame with the tail of another.
            5 => {
                let (other, at) = (self.heard(), usize::from(self.byte()));
                frame.truncate(at);
                frame.extend(other.get(at..).unwrap_or_default());
            }
            // Sends its own frame.
            6 => {
                let length = usize::from(self.byte()).min(self.script.len());
                let (own, rest) = self.script.split_at(length);
                frame = own.to_vec();
                self.script = rest;
            }
            // Overwrites a part with its own bytes.
            7 => {
                let (at, length) = (usize::from(self.byte()), usize::from(self.byte()));
                let own: Vec<u8> = (0..length % 64).map(|_| self.byte()).collect();
                let at = at.min(frame.len());
                let end = (at + own.len()).min(frame.len());
                frame.splice(at..end, own);
            }
            _ => {}
        }
        frame
    }

    fn heard(&mut self) -> Vec<u8> {
        let which = usize::from(self.byte()) % self.said.len();
        self.said[which].clone()
    }
}
