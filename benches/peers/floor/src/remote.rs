//! Sends only the bytes of each workload, over TCP between two OS processes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fika_bench_kit::{Clock, Params, Stopwatch, block_ms, latency, metric};

use crate::tcp::{ECHO, SINK, Server};

/// The size of a small message on the wire.
const MESSAGE_BYTES: usize = 64;

/// The most bytes in one write.
const WRITE_BYTES_MAX: usize = 1 << 20;

/// Sends a batch of messages in one write, and reads it back.
fn round_trip(stream: &mut TcpStream, buffer: &mut [u8]) {
    stream.write_all(buffer).expect("the other process is there");
    stream.read_exact(buffer).expect("the other process is there");
}

fn round_trips(stream: &mut TcpStream, at_once: usize, n: u64) {
    let mut buffer = vec![7; at_once * MESSAGE_BYTES];
    (0..n).for_each(|_| round_trip(stream, &mut buffer));
}

pub(crate) fn pingpong(p: &Params) {
    let server = Server::start();
    let mut stream = server.connect(ECHO);
    round_trips(&mut stream, 1, 1000);
    let mut times = Vec::with_capacity(p.size("n"));
    for _ in 0..p.get("n") {
        let clock = Clock::start();
        round_trips(&mut stream, 1, 1);
        times.push(clock.ns());
    }
    latency("round_trip", &times);
}

pub(crate) fn pairs(p: &Params) {
    let server = Server::start();
    let mut stream = server.connect(ECHO);
    let (pairs, each) = (p.get("pairs"), p.get("each"));
    round_trips(&mut stream, p.size("pairs"), each / 10);
    let watch = Stopwatch::start_with(&[server.peer.id()]);
    round_trips(&mut stream, p.size("pairs"), each);
    let elapsed = watch.stop();
    metric("round_trips_per_s", elapsed.per_s(pairs * each));
    metric("cpu_us_per_round_trip", elapsed.cpu_us_each(pairs * each));
}

pub(crate) fn rpc(p: &Params) {
    let server = Server::start();
    let mut stream = server.connect(ECHO);
    let (callers, each) = (p.get("callers"), p.get("each"));
    round_trips(&mut stream, p.size("callers"), each / 10);
    let watch = Stopwatch::start();
    round_trips(&mut stream, p.size("callers"), each);
    metric("calls_per_s", watch.stop().per_s(callers * each));
}

pub(crate) fn spawn(p: &Params) {
    let server = Server::start();
    let mut stream = server.connect(ECHO);
    let (n, batch) = (p.get("n"), p.get("batch"));
    round_trips(&mut stream, 1, 500);
    let watch = Stopwatch::start();
    round_trips(&mut stream, p.size("batch"), n / batch);
    metric("spawns_per_s", watch.stop().per_s(n));
}

pub(crate) fn oneway(p: &Params) {
    let server = Server::start();
    let mut stream = server.connect(SINK);
    let (n, size) = (p.get("senders") * p.get("each"), p.get("size"));
    let at_once = (p.size("window") * p.size("size")).min(WRITE_BYTES_MAX);
    let buffer = vec![7; at_once];
    let watch = Stopwatch::start_with(&[server.peer.id()]);
    let mut left = p.size("senders") * p.size("each") * p.size("size");
    while left > 0 {
        let count = left.min(at_once);
        stream.write_all(&buffer[..count]).expect("the other process is there");
        left -= count;
    }
    stream.shutdown(Shutdown::Write).expect("the other process is there");
    stream.read_exact(&mut [0; 8]).expect("it reports how much has arrived");
    let elapsed = watch.stop();
    metric("messages_per_s", elapsed.per_s(n));
    metric("mb_per_s", elapsed.per_s(n * size) / 1e6);
    metric("cpu_us_per_message", elapsed.cpu_us_each(n));
}

/// Makes round trips on one connection, next to a second connection that is always full.
pub(crate) fn headofline(p: &Params) {
    let server = Server::start();
    let (mut small, mut bulk) = (server.connect(ECHO), server.connect(SINK));
    let moved = AtomicU64::new(0);
    round_trips(&mut small, 1, 500);
    thread::scope(|scope| {
        scope.spawn(|| {
            let buffer = vec![7; WRITE_BYTES_MAX];
            while bulk.write_all(&buffer).is_ok() {
                moved.fetch_add(buffer.len() as u64, Ordering::Relaxed);
            }
        });
        block_ms(p.get("settle_ms"));
        let (all, before) = (Clock::start(), moved.load(Ordering::Relaxed));
        let mut times = Vec::new();
        while all.elapsed() < Duration::from_millis(p.get("ms")) {
            let clock = Clock::start();
            round_trips(&mut small, 1, 1);
            times.push(clock.ns());
            block_ms(1);
        }
        let bytes = moved.load(Ordering::Relaxed) - before;
        latency("round_trip", &times);
        metric("bulk_mb_per_s", bytes as f64 / all.elapsed().as_secs_f64() / 1e6);
        // The writer ends when the connection breaks.
        server.peer.kill();
    });
}

pub(crate) fn nodedown(p: &Params) {
    let server = Server::start();
    let mut stream = server.connect(ECHO);
    round_trips(&mut stream, 1, 100);
    block_ms(p.get("settle_ms"));
    let clock = Clock::start();
    server.peer.kill();
    // The end of the stream and an error both mean that the other process has ended.
    let _ = stream.read(&mut [0]);
    metric("ms_until_nodedown", clock.ns() as f64 / 1e6);
}
