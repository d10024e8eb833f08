#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fika_net::fuzzing::responder(bytes));
