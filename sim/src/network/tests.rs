//! Tests what programs see of the network, read by read and write by write.

use std::io::{ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fika_net::{Listener, Network as _, Socket};

use super::{HostId, LifeId, LifeNetwork, Network, Reads, Wires};
use crate::env::Clock;
use crate::log::Log;
use crate::random::Random;

const PORT: u16 = 4000;

/// Returns the address on which the second host listens.
fn addr() -> SocketAddr {
    ([10, 0, 0, 2], PORT).into()
}

struct World {
    clock: Arc<Clock>,
    wires: Arc<Wires>,
    listener: Box<dyn Listener>,
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

impl World {
    /// Two hosts, of which the second listens.
    fn new(options: Network) -> World {
        World::with_backlog(options, 16)
    }

    fn with_backlog(options: Network, backlog: u32) -> World {
        let clock = Arc::new(Clock::default());
        let log = Arc::new(Log::new(clock.clone(), false));
        let wires = Wires::new(clock.clone(), log, Random::new(1), options);
        for name in ["host0", "host1"] {
            wires.lock().hosts.named(name);
        }
        let addr = addr();
        let listener = network(&wires, 1).listen(addr, backlog).unwrap();
        World { clock, wires, listener }
    }

    fn connect(&self) -> Box<dyn Socket> {
        let addr = addr();
        network(&self.wires, 0).connect(addr).unwrap()
    }

    /// Makes a connection and returns both ends.
    fn pair(&self) -> [Box<dyn Socket>; 2] {
        let near = self.connect();
        self.pass(ms(10_000));
        near.connected().unwrap();
        [near, self.listener.try_accept().unwrap()]
    }

    fn pass(&self, time: Duration) {
        let until = self.clock.now() + time.as_nanos() as u64;
        while let Some(due) = self.wires.next_due().filter(|due| *due <= until) {
            self.clock.advance_to(due);
            self.wires.arrive();
        }
        self.clock.advance_to(until);
    }

    fn change(&self, change: impl FnOnce(&mut Network)) {
        change(&mut self.wires.lock().options);
    }
}

fn network(wires: &Arc<Wires>, host: usize) -> LifeNetwork {
    let life = LifeId { node: host, life: 1 };
    LifeNetwork { wires: wires.clone(), life, host: HostId(host) }
}

/// Returns the result of one read.
fn read(socket: &dyn Socket) -> Result<Vec<u8>> {
    let mut buf = [0; 4096];
    socket.try_read(&mut buf).map(|n| buf[..n].to_vec())
}

/// Reads until nothing is left.
fn reads(socket: &dyn Socket) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| read(socket).ok()).collect()
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[test]
fn writes_are_merged_and_reads_are_split() {
    let world = World::new(Network::default());
    let [near, far] = world.pair();
    let cases = [(Reads::Whole, 1..=1), (Reads::Bytes, 200..=200), (Reads::Pieces, 1..=100)];
    for (how, pieces) in cases {
        world.change(|network| network.reads = how);
        for half in [0..100, 100..200_u8] {
            let bytes: Vec<u8> = half.collect();
            assert_eq!(near.try_write(&bytes).unwrap(), 100);
        }
        assert_eq!(kind(read(&*far)), ErrorKind::WouldBlock);
        world.pass(ms(10));
        let got = reads(&*far);
        assert!(pieces.contains(&got.len()), "{how:?}: {got:?}");
        assert_eq!(got.concat(), (0..200).collect::<Vec<u8>>());
    }
}

#[test]
fn pieces_have_many_lengths() {
    let world = World::new(Network { reads: Reads::Pieces, ..Network::default() });
    let [near, far] = world.pair();
    let mut lengths = std::collections::BTreeSet::new();
    for _ in 0..100 {
        near.try_write(&[0; 4096]).unwrap();
        world.pass(ms(10));
        lengths.extend(reads(&*far).iter().map(Vec::len));
    }
    assert!(lengths.len() > 50 && lengths.iter().any(|n| *n < 100), "{lengths:?}");
}

#[test]
fn short_writes_accept_a_part() {
    let world = World::new(Network { short_writes: 500, ..Network::default() });
    let [near, _far] = world.pair();
    let taken: Vec<usize> = (0..200).map(|_| near.try_write(&[0; 100]).unwrap()).collect();
    let short = taken.iter().filter(|n| **n < 100).count();
    assert!((60..140).contains(&short) && taken.iter().all(|n| *n >= 1), "{taken:?}");
}

#[test]
fn a_full_window_accepts_nothing_until_it_is_read() {
    let world = World::new(Network { window: 1000, ..Network::default() });
    let [near, far] = world.pair();
    assert_eq!(near.try_write(&[7; 4000]).unwrap(), 1000);
    assert_eq!(kind(near.try_write(&[7])), ErrorKind::WouldBlock);
    world.pass(ms(100));
    assert_eq!(kind(near.try_write(&[7])), ErrorKind::WouldBlock);
    assert_eq!(read(&*far).unwrap().len(), 1000);
    assert_eq!(near.try_write(&[7; 4000]).unwrap(), 1000);
}

#[test]
fn the_bandwidth_limits_a_transfer_and_loses_nothing() {
    let bandwidth = 10_000;
    let world = World::new(Network { bandwidth, ..Network::default() });
    let [near, far] = world.pair();
    assert_eq!(near.try_write(&[7; 20_000]).unwrap(), 20_000);
    let mut got = 0;
    for tenth in 1..=19 {
        world.pass(ms(100));
        got += reads(&*far).concat().len();
        let (most, least) = (tenth * 1000, (tenth * 1000_usize).saturating_sub(1500));
        assert!((least..=most).contains(&got), "{got} after {tenth} tenths");
    }
    world.pass(ms(110));
    assert_eq!(got + reads(&*far).concat().len(), 20_000);
}

/// Returns the times in milliseconds that single packets take.
fn times(options: Network) -> Vec<u64> {
    let world = World::new(options);
    let [near, far] = world.pair();
    let mut times = Vec::new();
    for _ in 0..1000 {
        near.try_write(&[7]).unwrap();
        let start = world.clock.now();
        while read(&*far).is_err() {
            world.pass(ms(1));
        }
        times.push((world.clock.now() - start) / 1_000_000);
    }
    times
}

#[test]
fn latency_is_distributed() {
    let latency = ms(10)..=ms(19);
    let all = times(Network { latency: latency.clone(), ..Network::default() });
    assert!(all.iter().all(|time| (10..=20).contains(time)), "{all:?}");
    let mean = all.iter().sum::<u64>() / 1000;
    assert!((14..=16).contains(&mean) && all.contains(&11) && all.contains(&19), "{mean}");
    let slow_latency = ms(100)..=ms(799);
    let all = times(Network { latency, slow: 300, slow_latency, ..Network::default() });
    let between = |from, to| all.iter().filter(|time| (from..to).contains(*time)).count();
    assert_eq!(between(0, 21) + between(100, 801), 1000);
    let tail = [between(100, 200), between(200, 400), between(400, 801)];
    assert!(tail.iter().all(|count| (60..140).contains(count)), "{tail:?}");
}

#[test]
fn lost_packets_are_retransmitted_in_order() {
    let world = World::new(Network { lost: 500, ..Network::default() });
    let [near, far] = world.pair();
    let mut late = 0;
    for n in 0..100 {
        near.try_write(&[n]).unwrap();
        near.try_write(&[n + 100]).unwrap();
        world.pass(ms(5));
        let mut got = reads(&*far).concat();
        late += usize::from(got.len() < 2);
        world.pass(ms(500));
        got.extend(reads(&*far).concat());
        assert_eq!(got, [n, n + 100]);
    }
    assert!((50..100).contains(&late), "{late}");
}

#[test]
fn a_reset_ends_both_sides_and_loses_bytes_in_flight() {
    let world = World::new(Network::default());
    let [near, far] = world.pair();
    near.try_write(b"lost").unwrap();
    world.wires.lock().reset_between(HostId(0), HostId(1));
    world.pass(ms(10));
    for end in [&near, &far] {
        assert_eq!(kind(read(&**end)), ErrorKind::ConnectionReset);
        assert_eq!(kind(end.try_write(b"more")), ErrorKind::BrokenPipe);
    }
}

#[test]
fn a_cut_affects_one_direction_and_loses_nothing() {
    let world = World::new(Network::default());
    let [near, far] = world.pair();
    world.wires.lock().hosts.cut(HostId(0), HostId(1));
    near.try_write(b"to").unwrap();
    far.try_write(b"fro").unwrap();
    world.pass(ms(60_000));
    assert_eq!(kind(read(&*far)), ErrorKind::WouldBlock);
    assert_eq!(read(&*near).unwrap(), b"fro");
    let mut state = world.wires.lock();
    state.hosts.mend(HostId(0), HostId(1));
    state.send_held();
    drop(state);
    world.pass(ms(2_000));
    assert_eq!(read(&*far).unwrap(), b"to");
}

#[test]
fn a_full_backlog_makes_clients_retry() {
    let world = World::with_backlog(Network::default(), 2);
    let all: Vec<_> = (0..3).map(|_| world.connect()).collect();
    world.pass(ms(50));
    let made = |all: &[Box<dyn Socket>]| all.iter().filter(|of| of.connected().is_ok()).count();
    assert_eq!(made(&all), 2);
    let _accepted = world.listener.try_accept().unwrap();
    world.pass(ms(50));
    assert_eq!(made(&all), 2);
    // A host without room does not answer. The peer tries again a second later.
    world.pass(ms(1_000));
    assert_eq!(made(&all), 3);
}

#[test]
fn connecting_to_a_full_host_times_out() {
    let world = World::new(Network::default());
    world.wires.lock().hosts.set_full(HostId(1), true);
    let near = world.connect();
    world.pass(ms(60_000));
    assert_eq!(kind(near.connected()), ErrorKind::WouldBlock);
    world.pass(ms(70_000));
    assert_eq!(kind(near.connected()), ErrorKind::TimedOut);
    // Within the host, packets are not lost.
    let local = network(&world.wires, 1).connect(addr()).unwrap();
    world.pass(ms(10));
    local.connected().unwrap();
}

#[test]
fn a_host_that_lost_power_closes_nothing_and_resets_old_connections() {
    let world = World::new(Network::default());
    let [near, far] = world.pair();
    world.wires.lock().lose_power(HostId(1));
    drop(far);
    world.pass(ms(60_000));
    let mut state = world.wires.lock();
    state.hosts.set_off(HostId(1), false);
    state.send_held();
    drop(state);
    world.pass(ms(60_000));
    assert_eq!(kind(read(&*near)), ErrorKind::WouldBlock);
    // Its host has no such connection any more.
    near.try_write(b"hello?").unwrap();
    world.pass(ms(2_000));
    assert_eq!(kind(read(&*near)), ErrorKind::ConnectionReset);
}
