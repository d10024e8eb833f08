//! Runs the inputs that the fuzzers have found through the fuzz targets, without a fuzzer
//! (`scripts/fuzz`, `net/src/fuzzing`).

use crate::alone;
use crate::counting;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fika_net::fuzzing::{PAYLOAD_HEAP, TARGETS};

/// Runs a target with each input of its corpus, and with each prefix of the inputs.
fn replay(name: &str) {
    // The heap is counted, so no other test may use it meanwhile.
    let _alone = alone();
    let (_, target) = TARGETS.into_iter().find(|(found, _)| *found == name).expect("it is one");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("net/fuzz/corpus").join(name);
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("it has a corpus") {
        let path = entry.expect("the folder can be read").path();
        let bytes = fs::read(&path).expect("it is a file");
        count += 1;
        for end in [0, bytes.len() / 3, bytes.len() / 2, bytes.len()] {
            let input = &bytes[..end];
            let peak = counting::peak_of(|| {
                let run = catch_unwind(AssertUnwindSafe(|| target(input)));
                assert!(run.is_ok(), "{}: {input:02x?}", path.display());
            });
            let most = PAYLOAD_HEAP.0 * input.len() + PAYLOAD_HEAP.1;
            assert!(name != "payload" || peak <= most, "{}: {peak} bytes", path.display());
        }
    }
    assert!(count > 0, "no inputs in {}", folder.display());
}

macro_rules! replay {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*

        #[test]
        fn every_fuzz_target_is_replayed() {
            let _alone = alone();
            assert_eq!([$(stringify!($name)),*], TARGETS.map(|(name, _)| name));
        }
    };
}

replay! { frames initiator responder handshake epmd_server epmd_client payload node }
