//! The handshake's cryptography: a key from the cookie, and the two proofs.
//!
//! ```text
//! K       = HKDF-SHA256(salt = "fika1", ikm = cookie, info = cluster id)
//! TH      = SHA256(hello_i ‖ hello_r ‖ transport)       frames with their lengths
//! proof_i = HMAC-SHA256(K, "fika1 initiator" ‖ TH ‖ cb)
//! proof_r = HMAC-SHA256(K, "fika1 responder" ‖ TH ‖ proof_i ‖ cb)
//! refusal = HMAC-SHA256(K, "fika1 refusal" ‖ TH ‖ proof_i ‖ status ‖ cb)
//! ```
//!
//! The labels keep one side's proof from being the other's, the nonces in the hellos
//! make each transcript new, and everything that was agreed is in them. All that is secret
//! is wiped when it is dropped, and none of it has a `Debug` that shows it.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::frame::framed;
use crate::cookie::Cookie;

pub(super) const NONCE_BYTES: usize = 32;
pub(super) const PROOF_BYTES: usize = 32;
const KEY_BYTES: usize = 32;

pub(super) type Proof = [u8; PROOF_BYTES];

const SALT: &[u8] = b"fika1";
const INITIATOR: &[u8] = b"fika1 initiator";
const RESPONDER: &[u8] = b"fika1 responder";
const REFUSAL: &[u8] = b"fika1 refusal";

/// The secret that both ends must share.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    /// The cookie for this peer.
    pub(crate) cookie: Cookie,
    /// The cluster that the secret is for. Not secret, and empty by default. It distinguishes nodes
    /// that have the same cookie by mistake, for example from a copied disk image.
    pub(crate) cluster_id: String,
}

/// The security of the transport.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transport {
    /// A stream that others on its way can read and change.
    Plain,
    /// An encrypted stream, with a value that its two ends share and that no third party can give
    /// to another connection, for example TLS' exporter of RFC 9266.
    Bound([u8; 32]),
}

impl Transport {
    fn id(self) -> [u8; 1] {
        match self {
            Transport::Plain => [0],
            Transport::Bound(_) => [1],
        }
    }

    fn binding(self) -> [u8; 32] {
        match self {
            Transport::Plain => [0; 32],
            Transport::Bound(value) => value,
        }
    }
}

/// The key derived from the cookie.
pub(super) struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl Key {
    pub(super) fn of(secret: &Secret) -> Key {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        expand(SALT, secret.cookie.as_bytes(), &[secret.cluster_id.as_bytes()], &mut *key);
        Key(key)
    }

    /// Returns the prover for a handshake with these hellos.
    pub(super) fn bind(self, hello_i: &[u8], hello_r: &[u8], transport: Transport) -> Prover {
        let mut transcript = Sha256::new();
        transcript.update(framed(hello_i));
        transcript.update(framed(hello_r));
        transcript.update(transport.id());
        let (transcript, binding) = (transcript.finalize().into(), transport.binding());
        Prover { key: self, transcript, binding }
    }
}

/// Fills `out` by HKDF, with at most 8160 bytes.
fn expand(salt: &[u8], secret: &[u8], info: &[&[u8]], out: &mut [u8]) {
    let (mut prk, hkdf) = Hkdf::<Sha256>::extract(Some(salt), secret);
    prk.as_mut_slice().zeroize();
    hkdf.expand_multi_info(info, out).expect("far below HKDF's limit");
}

/// The key together with the transcript.
pub(super) struct Prover {
    key: Key,
    transcript: [u8; 32],
    binding: [u8; 32],
}

impl Prover {
    pub(super) fn initiator(&self) -> Proof {
        self.prove(INITIATOR, &[])
    }

    pub(super) fn responder(&self, proof_i: &Proof) -> Proof {
        self.prove(RESPONDER, proof_i)
    }

    /// Returns the proof that takes the place of the responder's if it does not want the
    /// connection.
    pub(super) fn refusal(&self, proof_i: &Proof, status: u8) -> Proof {
        self.prove(REFUSAL, &[&proof_i[..], &[status]].concat())
    }

    fn prove(&self, role: &[u8], before: &[u8]) -> Proof {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.key.0).expect("HMAC takes any key");
        for part in [role, &self.transcript, before, &self.binding] {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// Returns whether two proofs are equal, in a time that does not depend on where they differ.
pub(super) fn matches(ours: &Proof, theirs: &Proof) -> bool {
    ours.ct_eq(theirs).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cookie::Cookie;

    /// For equal inputs, the two roles make different proofs, so a node's own proof can't be
    /// returned to it.
    #[test]
    fn the_proofs_of_the_two_roles_differ() {
        let secret =
            Secret { cookie: Cookie::new_weak("secret").unwrap(), cluster_id: String::new() };
        let prover = Key::of(&secret).bind(b"hello_i", b"hello_r", Transport::Plain);
        for before in [&[][..], &[0; PROOF_BYTES], &prover.initiator()] {
            assert_ne!(prover.prove(INITIATOR, before), prover.prove(RESPONDER, before));
        }
        assert_eq!(prover.initiator(), prover.prove(INITIATOR, &[]));
        let proof_i = prover.initiator();
        assert_eq!(prover.responder(&proof_i), prover.prove(RESPONDER, &proof_i));
        // No label is a prefix of another, so the bytes after a label are never taken for a part of
        // it.
        let labels = [INITIATOR, RESPONDER, REFUSAL];
        for (n, label) in labels.iter().enumerate() {
            let others = labels.iter().enumerate().filter(|(other, _)| *other != n);
            assert!(others.into_iter().all(|(_, other)| !other.starts_with(label)));
        }
    }
}
