//! The lines that others can make a behaviour write to the log.

extern crate fika_runtime as fika;

use std::sync::atomic::{AtomicU64, Ordering};

use fika::{Node, send, trap_exit};
use fika_otp::Start;
use fika_otp::supervisor::{self, SupFlags};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static LINES: AtomicU64 = AtomicU64::new(0);

/// Counts the lines of this crate's reports.
struct Log;

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if event.metadata().module_path().is_some_and(|path| path.starts_with("fika_otp")) {
            LINES.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A supervisor reports messages that it does not know, at a limited rate.
#[test]
fn unknown_messages_do_not_flood_the_log() {
    tracing::subscriber::set_global_default(Log).unwrap();
    let node = Node::builder().workers(2).build().unwrap();
    node.block_on(async {
        trap_exit(true);
        let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), []).await.unwrap();
        let pid = top.whereis().unwrap();
        for n in 0..5_000_u64 {
            send(pid, n);
        }
        top.count_children().await.unwrap();
    });
    node.stop();
    let lines = LINES.load(Ordering::SeqCst);
    assert!((1..1000).contains(&lines), "{lines}");
}
