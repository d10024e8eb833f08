//! The handshake's cryptography: a key from the cookie, and the two proofs.
//!
//! ```text
//! K       = HKDF-SHA256(salt = "fika1", ikm = cookie, info = cluster id)
//! TH      = SHA256(hello_i ‖ hello_r ‖ transport)       frames with their lengths
//! proof_i = HMAC-SHA256(K, "fika1 initiator" ‖ TH ‖ cb)
//! proof_r = HMAC-SHA256(K, "fika1 responder" ‖ TH ‖ proof_i ‖ cb)
//! ```
//!
//! The labels keep one side's proof from being the other's, the nonces in the hellos
//! make each transcript new, and everything that was agreed is in them. The cluster id
//! is empty, the transport is the one byte 0 and the channel binding `cb` is 32 zeros:
//! a plain connection. A transport that binds a channel gets other values.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::frame::framed;
use crate::cookie::Cookie;

pub(super) const NONCE_BYTES: usize = 32;
pub(super) const PROOF_BYTES: usize = 32;

pub(super) type Proof = [u8; PROOF_BYTES];

const SALT: &[u8] = b"fika1";
const CLUSTER_ID: &[u8] = b"";
const TRANSPORT_PLAIN: [u8; 1] = [0];
const NO_CHANNEL_BINDING: [u8; 32] = [0; 32];
const INITIATOR: &[u8] = b"fika1 initiator";
const RESPONDER: &[u8] = b"fika1 responder";

/// What the cookie is turned into; wiped when it is dropped.
pub(super) struct Key(Zeroizing<[u8; 32]>);

impl Key {
    pub(super) fn of(cookie: &Cookie) -> Key {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(SALT), cookie.as_bytes())
            .expand(CLUSTER_ID, &mut *key)
            .expect("32 bytes are below HKDF's limit of 8160");
        Key(key)
    }

    /// The proofs for a handshake with these hellos.
    pub(super) fn bind(self, hello_i: &[u8], hello_r: &[u8]) -> Prover {
        let mut transcript = Sha256::new();
        transcript.update(framed(hello_i));
        transcript.update(framed(hello_r));
        transcript.update(TRANSPORT_PLAIN);
        Prover { key: self, transcript: transcript.finalize().into() }
    }
}

/// The key together with the transcript.
pub(super) struct Prover {
    key: Key,
    transcript: [u8; 32],
}

impl Prover {
    pub(super) fn initiator(&self) -> Proof {
        self.prove(INITIATOR, &[])
    }

    pub(super) fn responder(&self, proof_i: &Proof) -> Proof {
        self.prove(RESPONDER, proof_i)
    }

    fn prove(&self, role: &[u8], before: &[u8]) -> Proof {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.key.0).expect("HMAC takes any key");
        for part in [role, &self.transcript, before, &NO_CHANNEL_BINDING] {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// Whether two proofs are equal, in a time that does not tell where they differ.
pub(super) fn matches(ours: &Proof, theirs: &Proof) -> bool {
    ours.ct_eq(theirs).into()
}
