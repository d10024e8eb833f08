//! connect_beside_bulk with blocking sockets: the connects and round trips of a look-up and a
//! handshake, beside two connections over which two other OS processes send without end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use fika_bench_kit::{Clock, Params, Peer, block_ms, free_port, latency, metric};

use crate::tcp::{SOURCE, Server, echo};

/// The most bytes of one read, as in fika.
const READ_BYTES: usize = 64 << 10;

/// About as many bytes as a frame of the handshake.
const FRAME_BYTES: usize = 128;

pub(crate) fn connect_beside_bulk(p: &Params) {
    let busy = [Server::start(), Server::start()];
    // The port mapper is a thread of this program, as it is in fika's row.
    let (mapper, third) = (free_port(), free_port());
    let mut at_mapper = p.clone();
    at_mapper.set("port", mapper.into());
    thread::spawn(move || echo(&at_mapper));
    let _third = Peer::start_server(third, ["echo".to_owned(), format!("port={third}")]);
    while TcpStream::connect(("127.0.0.1", mapper)).is_err() {
        block_ms(1);
    }
    let idle = connects(p.get("connects"), mapper, third);
    let moved = AtomicU64::new(0);
    thread::scope(|scope| {
        for server in &busy {
            scope.spawn(|| {
                let (mut stream, mut buffer) = (server.connect(SOURCE), vec![0; READ_BYTES]);
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    moved.fetch_add(read as u64, Ordering::Relaxed);
                }
            });
        }
        block_ms(p.get("settle_ms"));
        let (before, all) = (moved.load(Ordering::Relaxed), Clock::start());
        let times = connects(p.get("connects"), mapper, third);
        let bytes = moved.load(Ordering::Relaxed) - before;
        metric("bulk_mb_per_s", bytes as f64 / all.elapsed().as_secs_f64() / 1e6);
        latency("idle_connect", &idle);
        latency("connect", &times);
        metric("times_idle", median(times) as f64 / median(idle) as f64);
        // The readers end when their connections break.
        busy.iter().for_each(|server| server.peer.kill());
    });
}

/// Connects so many times, and returns how long each took, in nanoseconds.
fn connects(count: u64, mapper: u16, third: u16) -> Vec<u64> {
    let times = (0..count).map(|_| {
        block_ms(10);
        let clock = Clock::start();
        drop(connect(mapper, 1));
        let _connection = connect(third, 2);
        clock.ns()
    });
    times.collect()
}

/// Connects, and makes so many round trips.
fn connect(port: u16, round_trips: u64) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_nodelay(true).expect("it is a TCP socket");
    let mut frame = [7; FRAME_BYTES];
    for _ in 0..round_trips {
        stream.write_all(&frame).expect("the other end is there");
        stream.read_exact(&mut frame).expect("the other end is there");
    }
    stream
}

fn median(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(1)
}
