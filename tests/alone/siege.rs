//! Strangers and members attack a node in every way, all at the same time and for long. A
//! hand-written peer sends thousands of broken hellos, wrong proofs and broken requests to the
//! mapper. With the cookie, it sends frames of every kind, to existing and missing processes, with
//! forged contents and broken ends. At the end the node has its name and is reachable, nothing has
//! panicked, and no process is left over.
//!
//! Nothing here depends on a program's speed, so a memory checker may run it.

use crate::alone;
use crate::support;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Once};

use fika::net::{Ping as PingAnswer, ping};
use fika::prelude::*;
use socket2::{Domain, Socket, Type};
use support::peer::{Hello, frame, framed, proofs, read_framed, text, varint};
use support::{COOKIE, LIMIT, Place, TestNode, connect, times, until};

/// The total number of broken hellos, and of members' frames.
const HELLOS: (u64, u64) = (2_000, 100_000);
const FRAMES: (u64, u64) = (100_000, 10_000_000);

/// How many connections attack in each way at the same time.
const STRANGERS: u64 = 2;
const MEMBERS: u64 = 2;

/// A member breaks the rules after this many frames, and connects again.
const FRAMES_EACH: u64 = 5_000;

/// `net_sup`, `net_kernel`, the process that accepts connections, the port mapper, the process with
/// which the mapper serves this node, and the process that keeps the node registered there.
const OWN_PROCESSES: usize = 6;

/// The names that a member uses.
const NAMES: u64 = 16;

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Counts the panics of all threads, including those of processes.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            before(panic);
        }));
    });
}

/// Numbers that are equal in each run (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.byte()).collect()
    }

    /// Changes, removes or appends some bytes.
    fn break_bytes(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len().max(1) as u64) as usize;
            match self.below(4) {
                0 => bytes.truncate(at),
                1 => bytes.extend(self.bytes(40)),
                _ => {
                    let bits = self.byte() | 1;
                    bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= bits);
                }
            }
        }
    }
}

/// Connects from one of many addresses, so that the ports are not used up.
fn open(random: &mut Random, to: SocketAddr) -> Option<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
    let from = Ipv4Addr::new(127, 200, random.below(16) as u8, 1 + random.below(16) as u8);
    socket.bind(&SocketAddr::from((from, 0)).into()).ok()?;
    socket.set_read_timeout(Some(LIMIT)).ok()?;
    socket.set_write_timeout(Some(LIMIT)).ok()?;
    socket.connect(&to.into()).ok()?;
    Some(socket.into())
}

/// The targets of the attacks.
#[derive(Clone, Copy)]
struct Target<'a> {
    place: Place,
    addr: SocketAddr,
    /// The node's own processes.
    own: &'a [Vec<u8>],
}

impl Target<'_> {
    /// A peer without the cookie sends something broken. Only a refusal comes back.
    fn stranger(self, random: &mut Random) {
        let Some(mut stream) = open(random, self.addr) else { return };
        let hello = Hello::new(&self.place.name("stranger"), &self.place.name("node")).body();
        let mut said = framed(&hello);
        match random.below(64) {
            // A wrong proof. Few are sent, since too many would affect others.
            0 => {
                let _ = stream.write_all(&said);
                let Some(answer) = read_framed(&mut stream) else { return };
                said = framed(&proofs("a guess", &hello, &answer).0);
            }
            1..8 => said = random.bytes(1200),
            8 => said = framed(&vec![0xf1; 1024]),
            9 => said = u16::MAX.to_be_bytes().to_vec(),
            _ => random.break_bytes(&mut said),
        }
        let _ = stream.write_all(&said);
        // If the bytes are too few, the node waits for the rest.
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.windows(3).any(|bytes| bytes == [0, 33, 0xf4]), "it has proved itself");
    }

    /// A client sends something to the mapper.
    fn to_mapper(self, random: &mut Random) {
        let Some(mut stream) = open(random, self.place.mapper_addr()) else { return };
        let mut said = match random.below(4) {
            0 => b"\0\x05znode".to_vec(),
            1 => b"\0\x01n".to_vec(),
            2 => [&b"\0\x12x\x11\x11\x48\0\0\x06\0\x05\0\x05"[..], b"other\0\0"].concat(),
            _ => random.bytes(300),
        };
        if random.below(2) == 0 {
            random.break_bytes(&mut said);
        }
        let _ = stream.write_all(&said);
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }

    /// Returns a connection of a member, if it can connect. It can't while its last connection is
    /// about to end, or while too many wrong proofs come from this host.
    fn connected(self, name: &str) -> Option<TcpStream> {
        let mut stream = connect(self.addr).ok()?;
        let hello = Hello::new(&self.place.name(name), &self.place.name("node")).body();
        stream.write_all(&framed(&hello)).ok()?;
        let answer = read_framed(&mut stream)?;
        let (ours, theirs) = proofs(COOKIE, &hello, &answer);
        stream.write_all(&framed(&ours)).ok()?;
        (read_framed(&mut stream)? == theirs).then_some(stream)
    }

    /// A peer with the cookie sends this many frames, and then a broken one. Returns whether it
    /// could connect.
    fn member(self, random: &mut Random, name: &str, frames: u64) -> bool {
        let Some(mut stream) = self.connected(name) else { return false };
        let is_over = Arc::new(AtomicBool::new(false));
        let reader = {
            let (mut stream, is_over) = (stream.try_clone().unwrap(), is_over.clone());
            move || {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
                assert!(is_over.load(Ordering::SeqCst), "it is closed before it breaks the rules");
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(reader);
            let mut said = frame(&[&[2, 0][..], &text("net_kernel")].concat());
            said.extend(frame(&[&[3, 0][..], &[0; 8], &text("t")].concat()));
            let mut left = frames;
            while left > 0 {
                for _ in 0..left.min(100) {
                    said.extend(frame(&self.frame(random)));
                    left -= 1;
                }
                stream.write_all(&said).expect("it keeps to the rules, so the node reads");
                said.clear();
            }
            is_over.store(true, Ordering::SeqCst);
            let mut last = frame(&self.frame(random));
            random.break_bytes(&mut last);
            let _ = stream.write_all(&[last, frame(&[0])].concat());
            let _ = stream.shutdown(Shutdown::Write);
        });
        true
    }

    /// Returns the body of a frame that follows the protocol's format, with arbitrary contents.
    fn frame(self, random: &mut Random) -> Vec<u8> {
        let target = match random.below(3) {
            0 => [varint(random.below(1 << 16)), varint(random.below(3))].concat(),
            _ => self.own[random.below(self.own.len() as u64) as usize].clone(),
        };
        let own = [varint(random.below(50)), vec![0]].concat();
        let reference = [varint(random.below(5000)), vec![0]].concat();
        let payload = {
            let bytes = random.bytes(20);
            [&[0][..], &(bytes.len() as u32).to_be_bytes(), &bytes].concat()
        };
        let kill = [0, 0, 0, 0, 1, 3];
        let bit = random.byte() & 1;
        let body = |parts: &[&[u8]]| parts.concat();
        match random.below(18) {
            0 => body(&[]),
            1 => body(&[&[0x11], &target, &own]),
            2 => body(&[&[0x12], &target, &own, &varint(random.below(100))]),
            3 => body(&[&[0x13], &target, &own, &varint(random.below(100))]),
            4 => body(&[&[0x14], &target, &own, &[bit], &kill]),
            5 => body(&[&[0x14], &target, &own, &[bit], &payload]),
            6 => body(&[&[0x15], &target, &own, &reference]),
            7 => body(&[&[0x16], &target, &own, &reference]),
            8 => body(&[&[0x17], &target, &[0], &reference, &kill]),
            9 => body(&[&[0x17], &target, &[1], &own, &reference, &payload]),
            10 => body(&[&[0x18], &target, &reference, &[1 + bit]]),
            11 => body(&[&[0x18], &target, &reference, &[0], &own]),
            12 => body(&[&[0x19], &target, &[bit], &own]),
            13 => body(&[&[0x10], &target, &[0, 0], &payload]),
            14 => body(&[&[0x90, 0, 0, 0], &payload]),
            15 => body(&[&[0x20, bit * 3], &reference, &own, &[0], &own, &[0, 0], &payload]),
            16 => body(&[&[0x06, 0, 0, 0], &text("t"), &text("why"), &[3]]),
            _ => body(&[&[0x54], &varint(random.below(500)), &[1], &[0], &own, &[0], &kill]),
        }
    }
}

#[test]
fn a_node_under_siege() {
    let _alone = alone();
    count_panics();
    let place = Place::new();
    let node = place.node("node");
    until("nothing is left of its start", || node.process_count() == OWN_PROCESSES);
    let processes: Vec<Pid> = node.processes().collect();
    let bytes = |pid: &Pid| {
        let local = pid.local();
        [varint(local.slot.into()), varint(local.generation.into())].concat()
    };
    let own: Vec<Vec<u8>> = processes.iter().map(bytes).collect();
    let target = Target { place, addr: place.addr_of("node"), own: &own };
    let (hellos, frames) = (times(HELLOS.0, HELLOS.1), times(FRAMES.0, FRAMES.1));
    let (said, sent) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for n in 0..STRANGERS {
            let said = &said;
            scope.spawn(move || {
                let mut random = Random(0x5eed + n);
                while said.fetch_add(1, Ordering::Relaxed) < hellos {
                    target.stranger(&mut random);
                    if random.below(4) == 0 {
                        target.to_mapper(&mut random);
                    }
                }
            });
        }
        for n in 0..MEMBERS {
            let sent = &sent;
            scope.spawn(move || {
                let mut random = Random(0xfeed + n);
                while sent.load(Ordering::Relaxed) < frames {
                    // The name is greater than the node's, so if the node connects to it too, its
                    // own attempt survives.
                    let name = format!("peer{}", n * NAMES + random.below(NAMES));
                    if target.member(&mut random, &name, FRAMES_EACH) {
                        sent.fetch_add(FRAMES_EACH, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    println!("{hellos} hellos and {frames} frames");
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "something has panicked");
    assert!(node.is_distributed() && node.name().as_str() == place.name("node"));
    until("the members have gone", || node.nodes().is_empty());
    until("no process is left over", || node.process_count() == processes.len());
    assert!(processes.iter().all(|pid| node.processes().any(|other| other == *pid)));
    let newcomer = place.node("newcomer");
    let ping_from = |node: &TestNode, to: String| node.block_on(async move { ping(to).await });
    // It shares the address with the attackers, whose connections have used up what an address may
    // do at once.
    let is_let_in = || ping_from(&newcomer, place.name("node")) == PingAnswer::Pong;
    until("a newcomer is let in", is_let_in);
    drop(newcomer);
    let _newcomer = place.node("newcomer2");
    assert_eq!(ping_from(&node, place.name("newcomer2")), PingAnswer::Pong);
}
