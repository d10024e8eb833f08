//! A peer whose every byte the test writes, according to `net/PROTOCOL.md`, so that it can send
//! frames that no node sends. It shares no code with the nodes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::{COOKIE, Clock, LIMIT, connect, until_closed};

/// The flag that a peer must have.
pub(crate) const SPAWN: u64 = 2;

const MAGIC: &[u8] = b"\xf1fika\r\n\0";

/// The contents of a peer's hello.
pub(crate) struct Hello {
    pub(crate) magic: Vec<u8>,
    pub(crate) versions: (u16, u16),
    pub(crate) flags: u64,
    pub(crate) creation: u32,
    pub(crate) name: String,
    pub(crate) wanted: String,
}

impl Hello {
    /// Returns the hello that a node would send.
    pub(crate) fn new(name: &str, wanted: &str) -> Hello {
        Hello {
            magic: MAGIC.into(),
            versions: (1, 1),
            flags: SPAWN,
            creation: 77,
            name: name.into(),
            wanted: wanted.into(),
        }
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let mut body = self.magic.clone();
        body.extend(self.versions.0.to_be_bytes());
        body.extend(self.versions.1.to_be_bytes());
        body.extend(self.flags.to_be_bytes());
        body.extend(self.creation.to_be_bytes());
        body.extend([0x11; 32]);
        body.extend(text(&self.name));
        body.extend(text(&self.wanted));
        body.push(0);
        body
    }
}

/// Encodes a varint.
pub(crate) fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    [varint(text.len() as u64), text.as_bytes().to_vec()].concat()
}

/// Returns the handshake's frame around a body.
pub(crate) fn framed(body: &[u8]) -> Vec<u8> {
    [&u16::try_from(body.len()).expect("a short body").to_be_bytes()[..], body].concat()
}

/// Returns the frames of a signal in pieces: `signal` is the part of its frame before a payload
/// that names no nodes, and `payload` is that payload.
pub(crate) fn in_pieces(signal: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = frame(&[&[0x04, 0][..], signal, &[0], &length].concat());
    let pieces = payload.chunks(64 << 10).map(|piece| frame(&[&[0x05, 0], piece].concat()));
    [head].into_iter().chain(pieces).flatten().collect()
}

/// Returns the frame around a body, after the handshake.
pub(crate) fn frame(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).expect("a short body").to_be_bytes()[..], body].concat()
}

/// Returns whether a node's hello refuses the peer with the expected version and status. If
/// versions are the reason, the version is the node's own.
pub(crate) fn is_refusal(answer: &[u8]) -> bool {
    let version_and_status = (&answer[2..5], answer[49]);
    [(&[0xf2, 0, 0][..], 3), (&[0xf2, 0, 1][..], 5)].contains(&version_and_status)
}

fn key(cookie: &str) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(b"fika1"), cookie.as_bytes()).expand(b"", &mut key).expect("short");
    key
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key will do");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn transcript(hello_i: &[u8], hello_r: &[u8]) -> [u8; 32] {
    let mut transcript = Sha256::new();
    transcript.update(framed(hello_i));
    transcript.update(framed(hello_r));
    transcript.update([0]);
    transcript.finalize().into()
}

/// Returns the frame of a responder that knows the cookie and refuses the connection with this
/// status.
pub(crate) fn refusal(cookie: &str, hello_i: &[u8], hello_r: &[u8], status: u8) -> Vec<u8> {
    let (proof_i, _) = proofs(cookie, hello_i, hello_r);
    let transcript = transcript(hello_i, hello_r);
    let parts = [&b"fika1 refusal"[..], &transcript, &proof_i[1..], &[status], &[0; 32]];
    [&[0xf5, status][..], &hmac(&key(cookie), &parts)].concat()
}

/// Returns the frames with the proofs of the initiator and of the responder.
pub(crate) fn proofs(cookie: &str, hello_i: &[u8], hello_r: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let transcript = transcript(hello_i, hello_r);
    let (key, binding) = (key(cookie), [0; 32]);
    let proof_i = hmac(&key, &[b"fika1 initiator", &transcript, &binding]);
    let proof_r = hmac(&key, &[b"fika1 responder", &transcript, &proof_i, &binding]);
    ([&[0xf3][..], &proof_i].concat(), [&[0xf4][..], &proof_r].concat())
}

/// Returns the hello of a responder with this version, status and name.
pub(crate) fn hello_r(version: u16, flags: u64, status: u8, name: &str) -> Vec<u8> {
    let mut body = vec![0xf2];
    body.extend(version.to_be_bytes());
    body.extend(flags.to_be_bytes());
    body.extend(78_u32.to_be_bytes());
    body.extend([0x22; 32]);
    body.push(status);
    body.extend(text(name));
    body.push(0);
    body
}

/// Reads the next frame of a handshake. Returns `None` if the connection ends.
pub(crate) fn read_framed(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut body = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

/// A connection to a node.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
}

impl Peer {
    /// Connects, and sends nothing yet.
    pub(crate) fn open(addr: SocketAddr) -> Peer {
        Peer { stream: connect(addr).expect("the node listens") }
    }

    /// Connects as [`connected`](Peer::connected) does, if the node allows it.
    pub(crate) fn try_connected(addr: SocketAddr, name: &str, wanted: &str) -> Option<Peer> {
        let mut peer = Peer { stream: connect(addr).ok()? };
        let hello = Hello::new(name, wanted).body();
        peer.stream.write_all(&framed(&hello)).ok()?;
        // If the node does not want the peer, it closes the connection.
        if peer.stream.peek(&mut [0]).ok()? == 0 {
            return None;
        }
        peer.prove(&hello, &[]);
        Some(peer)
    }

    /// Accepts a node's connection, as a peer with these flags and this name.
    pub(crate) fn accepted(listener: &TcpListener, flags: u64, name: &str) -> Peer {
        Peer::accepted_slowly(listener, flags, name, [Duration::ZERO; 2])
    }

    /// Accepts a node's connection, with a pause before each of the two answers. The node may give
    /// up before the second one.
    pub(crate) fn accepted_slowly(
        listener: &TcpListener,
        flags: u64,
        name: &str,
        pauses: [Duration; 2],
    ) -> Peer {
        // Nothing is ever sent over this channel.
        let (_silent, nothing) = std::sync::mpsc::channel::<()>();
        let pause = |time| assert!(nothing.recv_timeout(time).is_err());
        let (stream, _) = listener.accept().expect("a node connects");
        stream.set_read_timeout(Some(LIMIT)).expect("it is a time");
        let mut peer = Peer { stream };
        let (hello_i, hello_r) = (peer.handshake_frame(), hello_r(1, flags, 0, name));
        pause(pauses[0]);
        peer.write(&framed(&hello_r));
        let (theirs, ours) = proofs(COOKIE, &hello_i, &hello_r);
        assert_eq!(peer.handshake_frame(), theirs, "the node knows the cookie");
        pause(pauses[1]);
        peer.write_to_the_end(&framed(&ours));
        peer
    }

    /// Connects as a node does. `name` is the `alive@host` of this peer.
    pub(crate) fn connected(addr: SocketAddr, name: &str, wanted: &str) -> Peer {
        Peer::connected_and_said(addr, name, wanted, &[])
    }

    /// Connects, and sends further bytes in one write with the proof.
    pub(crate) fn connected_and_said(
        addr: SocketAddr,
        name: &str,
        wanted: &str,
        said: &[u8],
    ) -> Peer {
        Peer::connected_as_and_said(addr, &Hello::new(name, wanted), said)
    }

    /// Connects with this hello.
    pub(crate) fn connected_as(addr: SocketAddr, hello: &Hello) -> Peer {
        Peer::connected_as_and_said(addr, hello, &[])
    }

    fn connected_as_and_said(addr: SocketAddr, hello: &Hello, said: &[u8]) -> Peer {
        let mut peer = Peer::open(addr);
        let hello = hello.body();
        peer.write(&framed(&hello));
        peer.prove(&hello, said);
        peer
    }

    /// Completes the handshake after this hello.
    fn prove(&mut self, hello: &[u8], said: &[u8]) {
        let answer = self.handshake_frame();
        assert_eq!(answer[0], 0xf2, "the second frame is a hello");
        let (ours, theirs) = proofs(COOKIE, hello, &answer);
        self.write(&[framed(&ours), said.to_vec()].concat());
        assert_eq!(self.handshake_frame(), theirs, "the node knows the cookie");
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the node reads");
    }

    /// Writes to a node that may close before it has read everything.
    pub(crate) fn write_to_the_end(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Reads the next frame of the handshake.
    pub(crate) fn handshake_frame(&mut self) -> Vec<u8> {
        let mut length = [0; 2];
        self.stream.read_exact(&mut length).expect("the node answers");
        let mut body = vec![0; u16::from_be_bytes(length).into()];
        self.stream.read_exact(&mut body).expect("the node ends what it says");
        body
    }

    /// Reads the next frame after the handshake, and skips ticks.
    pub(crate) fn frame(&mut self) -> Vec<u8> {
        let clock = Clock::new();
        loop {
            assert!(clock.elapsed() < LIMIT, "the node says nothing but ticks");
            let mut length = [0; 4];
            self.stream.read_exact(&mut length).expect("the node says something");
            let mut body = vec![0; u32::from_be_bytes(length) as usize];
            self.stream.read_exact(&mut body).expect("the node ends what it says");
            if !body.is_empty() {
                return body;
            }
        }
    }

    /// Reads the next frame after the handshake. Returns `None` if the connection ends.
    pub(crate) fn try_frame(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut body).ok()?;
        Some(body)
    }

    /// Waits until the node has closed.
    pub(crate) fn until_closed(&mut self) -> Vec<u8> {
        until_closed(&mut self.stream)
    }
}
