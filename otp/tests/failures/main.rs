//! Failures that a supervisor and the other children of its tree must survive: storms, panics at
//! every place, full mailboxes, and starts that fail.

extern crate fika_runtime as fika;

mod bad_input;
mod mailboxes;
mod panics;
mod storms;

use std::fmt::{self, Write};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use fika::{
    Down, Exit, ExitReason, MailboxLimit, Node, Pid, Waiting, WhenFull, exit, exit_process,
    monitor, self_pid, send, spawn_link, spawn_monitor, trap_exit, try_send, whereis, yield_now,
};
use fika_macros::{Message, receive};
use fika_otp::gen_server::{
    Call, Caller, Cast, GenServer, HandleCall, HandleCast, Init, Next, Reply,
};
use fika_otp::supervisor::{
    self, AutoShutdown, ChildError, ChildSpec, ChildState, FailedToStartChild, Restart, Shutdown,
    SpecError, Strategy, SupFlags, Supervisor, Template,
};
use fika_otp::{ServerRef, Start, StartError, sys};
use parking_lot::Mutex;

const LIMIT: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(100_000);

/// The reports of all tests of this program.
static REPORTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps the text of each report.
struct ToReports;

struct Fields(String);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        write!(self.0, "{field}={value:?} ").expect("a string takes all");
    }
}

impl tracing::Subscriber for ToReports {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        REPORTS.lock().push(fields.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// Waits for a report with all of these texts.
async fn reported(texts: &[&str]) {
    let has = || {
        let reports = REPORTS.lock();
        reports.iter().any(|report| texts.iter().all(|text| report.contains(text)))
    };
    let began = fika::self_node().env().now();
    while !has() {
        let waited = fika::self_node().env().now().since(began);
        assert!(waited < LIMIT, "no report has {texts:?}: {:#?}", REPORTS.lock());
        yield_now().await;
    }
}

fn run(test: impl Future<Output = ()> + Send + 'static) {
    // Another test may have set it.
    let _ = tracing::subscriber::set_global_default(ToReports);
    let node = Node::builder().workers(2).build().unwrap();
    node.block_on(async {
        trap_exit(true);
        test.await;
    });
    node.stop();
}

#[derive(Message)]
#[message(local)]
struct Stop(ExitReason);

#[derive(Message)]
#[message(local)]
struct Up(&'static str, Pid);

async fn child() {
    receive! { Stop(reason) => exit(reason) }
}

/// A child that tells the running process of each start.
fn worker(id: &'static str) -> ChildSpec {
    let me = self_pid();
    ChildSpec::new(id, move || async move {
        let pid = spawn_link(child());
        send(me, Up(id, pid));
        pid
    })
}

/// Waits for the start of this child, which is the next one.
async fn up(id: &str) -> Pid {
    receive! {
        Up(started, pid) => {
            assert_eq!(started, id);
            pid
        },
        after LIMIT => panic!("{id} was not started"),
    }
}

async fn end_of(pid: Pid) -> ExitReason {
    let watch = monitor(pid);
    receive! {
        Down { monitor, reason, .. } if monitor == watch => reason,
        after LIMIT => panic!("{pid} does not end"),
    }
}

async fn exit_of(pid: Pid) -> ExitReason {
    receive! {
        Exit { from, reason } if from == pid => reason,
        after LIMIT => panic!("{pid} does not end"),
    }
}

/// Waits for what other processes do.
async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let began = fika::self_node().env().now();
    while !is_so().await {
        let waited = fika::self_node().env().now().since(began);
        assert!(waited < LIMIT, "{what} takes too long");
        yield_now().await;
    }
}

fn error() -> ExitReason {
    ExitReason::Error("as it should".into())
}
