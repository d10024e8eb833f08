#![no_main]

#[path = "../counting.rs"]
mod counting;

use fika_net::fuzzing::{PAYLOAD_HEAP, payload};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let peak = counting::peak_of(|| payload(bytes));
    assert!(peak <= PAYLOAD_HEAP.0 * bytes.len() + PAYLOAD_HEAP.1, "{peak} bytes of heap");
});
