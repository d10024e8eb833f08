//! Cases of `process_SUITE` about spawning with nodes of other releases. The test plays the other
//! node, and writes its bytes.

use super::super::*;
use fika::process::{Priority, SpawnOpts, spawn_request_on};

use fika::process::RemoteFn as _;

use crate::support::TestNode;
use crate::support::peer::{
    Hello, Peer, SPAWN, frame, framed, is_refusal, text as peer_text, varint,
};

/// A peer with these properties, and the node that it connects to.
struct Release {
    place: Place,
    here: TestNode,
    hello: Hello,
}

/// A peer's answer to a spawn request, after the kind, the target and the reference.
const IS_SPAWNED: [u8; 3] = [0, 5, 9];
const IS_NOT_SUPPORTED: [u8; 1] = [2];

impl Release {
    fn new(versions: (u16, u16), flags: u64) -> Release {
        let place = Place::new();
        let here = place.node("here");
        let hello =
            Hello { versions, flags, ..Hello::new(&place.name("peer"), &place.name("here")) };
        Release { place, here, hello }
    }

    fn connect(&self) -> Peer {
        Peer::connected_as(self.place.addr_of("here"), &self.hello)
    }

    /// Checks that the node refuses the peer, and can't spawn on it.
    fn assert_refused(&self) {
        let mut peer = Peer::open(self.place.addr_of("here"));
        peer.write(&framed(&self.hello.body()));
        assert!(is_refusal(&peer.until_closed()));
        let name = self.hello.name.clone();
        self.here.block_on(async move {
            trap_exit(true);
            let opts = SpawnOpts::new().link().monitor();
            let asked = spawn_request_on(&name, opts, ends_with(ExitReason::Normal));
            assert_eq!(reply_to(asked).await, Err(SpawnError::Noconnection));
            assert!(nodes().is_empty());
            assert!(has_none::<Exit>().await && has_none::<Down>().await);
        });
    }

    /// Lets the node spawn a process on the peer, with a link and a monitor.
    fn is_asked(&self, peer: &mut Peer, answer: &[u8]) {
        let name = self.hello.name.clone();
        let (asked, asks) = std::sync::mpsc::channel();
        let (lost, loses) = std::sync::mpsc::channel();
        let process = self.here.spawn(async move {
            trap_exit(true);
            let opts = SpawnOpts::new().priority(Priority::Max).link().monitor();
            let request = spawn_request_on(&name, opts, ends_with(ExitReason::Normal));
            let reply = reply_to(request).await;
            asked.send(reply).unwrap();
            if let Ok(child) = reply {
                lost.send([exit_from(child).await, down(request).await]).unwrap();
            }
            assert!(has_none::<Exit>().await && has_none::<Down>().await);
            lost.send([ExitReason::Normal, ExitReason::Normal]).unwrap();
        });
        let body = loop {
            let body = peer.frame();
            if body[0] == 0x20 {
                break body;
            }
        };
        assert_eq!(body[1], 0b1111, "link, monitor, and the highest priority");
        let numbers = numbers::<4>(&body[2..]);
        let [reference, no_alias, slot, generation] = numbers;
        let from = process.expect("there is room").local();
        assert_eq!((slot, generation), (from.slot.into(), from.generation.into()));
        let target = [slot, generation, reference, no_alias].map(varint).concat();
        peer.write(&frame(&[&[0x18][..], &target, answer].concat()));
        let reply = asks.recv_timeout(LIMIT).unwrap();
        if answer == IS_NOT_SUPPORTED {
            assert_eq!(reply, Err(SpawnError::Notsup));
        } else {
            let child = reply.unwrap();
            let id = child.local();
            assert_eq!((id.slot, id.generation), (5, 9));
            assert_eq!(child.node().name().as_str(), self.hello.name);
            // From now on, the monitor and the link are active.
            let to = [varint(slot), varint(generation)].concat();
            let down = [&[0x17][..], &to, &[1, 5, 9]].concat();
            let down = [down, varint(reference), varint(no_alias)].concat();
            let exit = [&[0x14][..], &to, &[5, 9, 1]].concat();
            // The reason is shutdown.
            let reason = [0, 0, 0, 0, 1, 1];
            peer.write(
                &[frame(&[&exit[..], &reason].concat()), frame(&[&down[..], &reason].concat())]
                    .concat(),
            );
            let lost = loses.recv_timeout(LIMIT).unwrap();
            assert_eq!(lost, [ExitReason::Shutdown, ExitReason::Shutdown]);
        }
        loses.recv_timeout(LIMIT).expect("nothing more comes");
    }

    /// Lets the peer spawn a process of this function, which takes no arguments, on the node.
    /// Returns the answer. `number` is for the peer's definitions.
    fn asks(&self, peer: &mut Peer, number: u8, function: &str) -> Vec<u8> {
        let name = [&[2, number][..], &peer_text(function)].concat();
        let none = only_here().args().unwrap().wire_type;
        let fingerprint = none.fingerprint.to_be_bytes();
        let arguments = [&[3, number][..], &fingerprint, &peer_text(&none.tag)].concat();
        let request = [0x20, 0, 1, 0, 3, 4, 0, 3, 4, number, number, 0, 0, 0, 0, 0];
        peer.write(&[frame(&name), frame(&arguments), frame(&request)].concat());
        loop {
            let body = peer.frame();
            if body[0] == 0x18 {
                assert_eq!(body[1..5], [3, 4, 1, 0], "to the one who asked, for this request");
                return body[5..].to_vec();
            }
        }
    }
}

/// Reads the numbers at the beginning of a frame.
fn numbers<const N: usize>(mut bytes: &[u8]) -> [u64; N] {
    std::array::from_fn(|_| {
        let length = 1 + bytes.iter().position(|byte| *byte < 0x80).expect("it ends");
        let (number, rest) = bytes.split_at(length);
        bytes = rest;
        number.iter().rev().fold(0, |sum, byte| sum << 7 | u64::from(byte & 0x7f))
    })
}

/// A function without arguments.
#[remote(name = "test::only_here")]
async fn only_here() {}

/// HS-15, SPAWN-4: a node refuses a peer of an older release that can't spawn or shares no version
/// with it. Other older peers report the functions that they lack, and learn which functions the
/// node lacks.
#[test]
fn spawn_against_old_node() {
    Release::new((0, 0), SPAWN).assert_refused();
    Release::new((1, 1), 0).assert_refused();
    let old = Release::new((0, 1), SPAWN);
    let mut peer = old.connect();
    old.is_asked(&mut peer, &IS_NOT_SUPPORTED);
    old.is_asked(&mut peer, &IS_SPAWNED);
    assert_eq!(old.asks(&mut peer, 0, "test::no_such_function"), IS_NOT_SUPPORTED);
    assert_eq!(old.asks(&mut peer, 1, "test::only_here")[0], 0);
}

/// HS-15, SPAWN-4: a peer of a newer release may support more versions and flags than this node, as
/// long as it supports this node's version.
#[test]
fn spawn_against_new_node() {
    Release::new((2, 9), u64::MAX).assert_refused();
    const HIDDEN: u64 = 1;
    const NAME_ME: u64 = 8;
    let new = Release::new((1, 9), !(HIDDEN | NAME_ME));
    let mut peer = new.connect();
    new.is_asked(&mut peer, &IS_SPAWNED);
    new.is_asked(&mut peer, &IS_NOT_SUPPORTED);
    assert_eq!(new.asks(&mut peer, 0, "test::only_here")[0], 0);
    assert_eq!(new.asks(&mut peer, 1, "test::no_such_function"), IS_NOT_SUPPORTED);
}
