//! The cost of the protocol without a socket: encoding a message into a frame, and decoding a frame
//! into a message.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fika::message::{Encoded, Envelope};
use fika::node::{Creation, NodeId};
use fika::prelude::*;
use fika_net::__private::Loopback;
use fika_runtime::{LocalId, Signal};
use serde::{Deserialize, Serialize};

/// The number of frames per batch, as between busy nodes.
const BATCH: u64 = 100;

#[derive(Clone, Message, Serialize, Deserialize)]
struct Ping {
    from: Pid,
    n: u64,
}

#[derive(Clone, Message, Serialize, Deserialize)]
struct Data(Bytes);

fn ping() -> Ping {
    let node = "near@loopback".parse().expect("a valid node name");
    let local = LocalId { slot: 7, generation: 3 };
    Ping { from: Pid::new(NodeId::of(&node, Creation(1)), local), n: 123_456 }
}

fn data(bytes: usize) -> Data {
    Data(Bytes::from(vec![7; bytes]))
}

fn frames(c: &mut Criterion) {
    frame(c, "ping", &ping());
    frame(c, "64_b", &data(64));
    frame(c, "64_kib", &data(64 << 10));
}

/// Measures encoding and decoding a message in a frame, after the numbers of its type and its nodes
/// have been defined.
fn frame<M: Message + Clone>(c: &mut Criterion, name: &str, message: &M) {
    let signal = || Signal::Message(Envelope::new(message.clone()));
    let mut wire = Loopback::default();
    let encode = |wire: &mut Loopback| wire.encode(signal()).expect("it is small enough");
    encode(&mut wire);
    let first = wire.output().to_vec();
    wire.advance_output();
    wire.decode(&first).expect("encoded by this program");

    let mut group = c.benchmark_group(format!("frame/{name}"));
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("encode_100", |b| {
        b.iter(|| {
            (0..BATCH).for_each(|_| encode(&mut wire));
            black_box(wire.output());
            wire.advance_output();
        });
    });
    (0..BATCH).for_each(|_| encode(&mut wire));
    let batch = wire.output().to_vec();
    group.bench_function("decode_100", |b| {
        b.iter(|| wire.decode(black_box(&batch)).expect("encoded by this program"));
    });
}

/// A generic type.
#[derive(Clone, Message, Serialize, Deserialize)]
struct Pair<A, B> {
    from: A,
    n: B,
}

/// A field that may be left out makes this type use the described form.
#[derive(Clone, Message, Serialize, Deserialize)]
struct Sparse {
    from: Pid,
    n: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<u64>,
}

/// An untagged type, whose `Deserialize` asks for the kind of the next value.
#[derive(Clone, Message, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Ping { from: Pid, n: u64 },
}

/// Measures encoding and decoding the message alone, without its frame.
fn messages(c: &mut Criterion) {
    let Ping { from, n } = ping();
    message(c, "ping", &ping());
    message(c, "generic", &Pair { from, n });
    message(c, "sparse", &Sparse { from, n, more: None });
    message(c, "untagged", &Untagged::Ping { from, n });
    message(c, "numbers", &(0..1000).collect::<Vec<u64>>());
}

fn message<M: Message>(c: &mut Criterion, name: &str, message: &M) {
    let mut group = c.benchmark_group(format!("message/{name}"));
    group.bench_function("encode", |b| {
        b.iter(|| black_box(Encoded::new(black_box(message)).expect("it is small enough")));
    });
    let encoded = Encoded::new(message).expect("it is small enough");
    group.bench_function("decode", |b| {
        b.iter(|| black_box(encoded.decode::<M>()).expect("encoded by this program"));
    });
}

/// Returns settings for short runs. Figures are still accurate to a few percent.
fn short() -> Criterion {
    Criterion::default().warm_up_time(millis(500)).measurement_time(secs(2))
}

criterion_group! {
    name = benches;
    config = short();
    targets = frames, messages
}
criterion_main!(benches);
