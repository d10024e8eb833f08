//! A relay between two nodes that carries bytes in a manner of its own: byte by byte, or late and
//! sometimes much later, like a network that loses packets. As with TCP, nothing is lost for good
//! and nothing is reordered.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use fika::node::{Env as _, SystemEnv};

use super::Clock;

/// How bytes are carried.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Each byte is sent in a separate packet.
    ByteByByte,
    /// Each packet arrives after 100 ± 50 ms. One packet in twenty comes 300 ms later, like a
    /// retransmitted one.
    LateAndLossy,
}

/// Carries connections to `to` in this manner, until the program ends. Returns the address on which
/// it listens.
#[allow(clippy::disallowed_methods, reason = "the thread of a test")]
pub(crate) fn relay(ip: IpAddr, to: SocketAddr, manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind((ip, 0)).expect("there is a free port");
    let listens = listener.local_addr().expect("it listens");
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let (Ok(near), Ok(far)) = (near, TcpStream::connect(to)) else { continue };
            for stream in [&near, &far] {
                stream.set_nodelay(true).expect("a connected socket");
            }
            carry(&near, &far, manner);
            carry(&far, &near, manner);
        }
    });
    listens
}

/// Carries the bytes of one direction.
#[allow(clippy::disallowed_methods, reason = "the thread of a test")]
fn carry(from: &TcpStream, to: &TcpStream, manner: Manner) {
    let [mut from, mut to] = [from, to].map(|stream| stream.try_clone().expect("a descriptor"));
    let (packets, arriving) = mpsc::channel::<(Duration, Vec<u8>)>();
    let clock = Clock::new();
    let reads = move || {
        let mut buffer = [0; 4096];
        let mut last = Duration::ZERO;
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            // No packet overtakes another.
            last = last.max(clock.elapsed() + manner.delay());
            let packet = (last, buffer[..read].to_vec());
            if packets.send(packet).is_err() {
                return;
            }
        }
    };
    let writes = move || {
        let clock = Clock::new();
        for (due, packet) in arriving {
            while let Some(wait) = due.checked_sub(clock.elapsed()).filter(|wait| !wait.is_zero()) {
                std::thread::park_timeout(wait);
            }
            let pieces = match manner {
                Manner::ByteByByte => packet.chunks(1),
                Manner::LateAndLossy => packet.chunks(packet.len()),
            };
            for piece in pieces {
                if to.write_all(piece).is_err() {
                    return;
                }
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    };
    std::thread::spawn(reads);
    std::thread::spawn(writes);
}

impl Manner {
    fn delay(self) -> Duration {
        let env = SystemEnv::new();
        match self {
            Manner::ByteByByte => Duration::ZERO,
            Manner::LateAndLossy => {
                let again = if env.random().is_multiple_of(20) { 300 } else { 0 };
                Duration::from_millis(50 + env.random() % 100 + again)
            }
        }
    }
}
