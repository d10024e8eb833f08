//! The quality of the network.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::random::Random;

/// How reads split the bytes that have arrived.
///
/// ```
/// # use fika_sim::{Reads, Sim};
/// let mut sim = Sim::new(1);
/// // A decoder must not depend on how the bytes are split.
/// sim.change_network(|network| network.reads = Reads::Bytes);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reads {
    /// A read returns all that has arrived, up to the size of its buffer.
    Whole,
    /// A read returns a piece of random length.
    Pieces,
    /// A read returns a single byte.
    Bytes,
}

/// The quality of the network. It can be changed while a simulation runs.
///
/// ```
/// # use std::time::Duration;
/// # use fika_sim::{Network, Sim};
/// /// A network on which packets are lost.
/// fn is_bad(network: &mut Network) {
///     network.latency = Duration::from_millis(20)..=Duration::from_millis(80);
///     network.lost = 30; // of a thousand
/// }
///
/// let mut sim = Sim::new(1);
/// sim.change_network(is_bad);
/// ```
#[derive(Clone, Debug)]
pub struct Network {
    /// The time that a packet takes from host to host, in one direction. Each time within the range
    /// is equally likely.
    pub latency: RangeInclusive<Duration>,
    /// How many packets of a thousand between hosts take `slow_latency` instead, as in a queue that
    /// is full now and then. A connection keeps its order, so packets behind a slow one wait for
    /// it.
    pub slow: u32,
    /// The time that slow packets take. Its logarithm is uniform: a time between 10 and 20 ms is as
    /// likely as one between 20 and 40 ms.
    pub slow_latency: RangeInclusive<Duration>,
    /// The time that a packet takes between two programs of a host.
    pub local_latency: RangeInclusive<Duration>,
    /// Bytes that each connection can carry per second, in each direction.
    pub bandwidth: u64,
    /// Bytes that a connection takes before its reader has read them. Then writes wait.
    pub window: usize,
    /// How reads split the bytes that have arrived.
    pub reads: Reads,
    /// How many writes of a thousand take only a part of their bytes.
    pub short_writes: u32,
    /// How many packets of a thousand are lost, and arrive later, when they are retransmitted.
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
    /// Returns a network of random quality.
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
