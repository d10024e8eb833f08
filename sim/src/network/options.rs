//! How good the network is.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::random::Random;

/// How a program's reads cut what has arrived into pieces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reads {
    /// All that is there, as much as the reader takes.
    Whole,
    /// Pieces of any length.
    Pieces,
    /// Single bytes.
    Bytes,
}

/// What the network is like. It can be changed while a simulation runs.
#[derive(Clone, Debug)]
pub struct Network {
    /// The time that a packet takes from host to host, in one direction: each within the range
    /// is as likely as the others.
    pub latency: RangeInclusive<Duration>,
    /// Of a thousand packets between hosts, so many take another time than that: the tail of
    /// the distribution, as of a queue that is full now and then. What a connection carries
    /// stays in order, so those behind a slow one wait for it.
    pub slow: u32,
    /// The time that those take. Its logarithm is uniform: one between 10 and 20 ms is as likely
    /// as one between 20 and 40.
    pub slow_latency: RangeInclusive<Duration>,
    /// The time that a packet takes between two programs of a host.
    pub local_latency: RangeInclusive<Duration>,
    /// Bytes that each connection can carry a second, in each direction.
    pub bandwidth: u64,
    /// Bytes that a connection takes that its reader has not read; then writes wait.
    pub window: usize,
    /// How reads cut what has arrived.
    pub reads: Reads,
    /// How many of a thousand writes take a part of what they are given.
    pub short_writes: u32,
    /// Of a thousand packets, so many are lost on their first way, and come later.
    pub lost: u32,
}

impl Default for Network {
    fn default() -> Network {
        let us = Duration::from_micros;
        Network {
            latency: us(200)..=us(800),
            slow: 0,
            slow_latency: us(800)..=us(100_000),
            local_latency: us(10)..=us(40),
            bandwidth: 125_000_000,
            window: 256 << 10,
            reads: Reads::Whole,
            short_writes: 0,
            lost: 0,
        }
    }
}

impl Network {
    /// A network of any quality.
    pub(crate) fn any(random: &mut Random) -> Network {
        let ms = Duration::from_millis;
        let latency = random.one_of(&[
            Duration::from_micros(50)..=Duration::from_micros(90),
            Duration::from_micros(200)..=ms(2),
            ms(1)..=ms(40),
            ms(50)..=ms(150),
        ]);
        Network {
            latency,
            bandwidth: random.one_of(&[100_000, 5_000_000, 125_000_000]),
            window: random.one_of(&[2 << 10, 16 << 10, 256 << 10]),
            reads: random.one_of(&[Reads::Whole, Reads::Whole, Reads::Pieces, Reads::Bytes]),
            short_writes: random.one_of(&[0, 0, 100, 700]),
            lost: random.one_of(&[0, 0, 10, 100]),
            slow: random.one_of(&[0, 0, 20, 200]),
            slow_latency: ms(1)..=random.one_of(&[ms(20), ms(500)]),
            ..Network::default()
        }
    }
}
