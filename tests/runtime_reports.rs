//! The reports of processes that end (PROC-13), and of services that do not stop.
#![deny(warnings)]

#[allow(dead_code, reason = "other test binaries use the rest")]
#[path = "support/wait.rs"]
mod wait;

#[path = "support/log.rs"]
mod log;

use std::error::Error;
use std::sync::MutexGuard;

use fika::inspect::set_label;
use fika::prelude::*;
use fika_runtime::{NodeService, StopService};

use wait::{down, end_of, next, serve};

/// Collects the log for one test at a time.
fn listen() -> MutexGuard<'static, ()> {
    log::listen(tracing::Level::INFO)
}

/// Returns the reports that mention this process.
fn reports_of(pid: Pid) -> Vec<String> {
    let reports = log::lines_with(&[&format!("pid={pid} ")]);
    // The first backtrace takes long, and a report of that is not meant.
    reports.into_iter().filter(|line| !line.contains("kept its worker")).collect()
}

/// Runs `body` as a process, on a node with one worker. Returns its reason, and the reports about
/// it.
async fn reported(
    body: impl Future<Output: fika::process::Outcome> + Send + 'static,
) -> (ExitReason, Vec<String>) {
    let (pid, monitor) = spawn_monitor(body);
    let reason = down(monitor).await;
    // The report comes after the `Down`, but before the only worker runs this process again.
    (reason, reports_of(pid))
}

#[test]
fn an_error_is_reported_once() {
    let _listening = listen();
    let node = Node::builder().workers(1).process_limit(64).build().unwrap();
    node.block_on(async {
        let (_, reports) = reported(async {
            register("the crashing one", self_pid()).unwrap();
            set_label("number 17");
            panic!("as it should")
        })
        .await;
        assert_eq!(reports.len(), 1, "{reports:#?}");
        let parent = format!("parent={}", self_pid());
        for part in [
            "as it should",
            "the crashing one",
            "number 17",
            "runtime_reports.rs",
            &*parent,
            "ERROR",
            "a panic ended a process",
        ] {
            assert!(reports[0].contains(part), "no `{part}` in: {}", reports[0]);
        }
        // The future returns this error.
        let own = ExitReason::Error("of its own".into());
        let failure = own.clone();
        let (reason, reports) = reported(async { Err::<(), _>(failure) }).await;
        assert_eq!((reason, reports.len()), (own, 1));
        assert!(reports[0].contains("of its own"), "{}", reports[0]);
        // A call raises these errors.
        let (reason, reports) = reported(async { send("nobody has this name", ()) }).await;
        assert!(matches!(reason, ExitReason::Badarg(_)));
        assert_eq!(reports.len(), 1);
        assert!(reports[0].contains("badarg"), "{}", reports[0]);
        let (reason, reports) = reported(async {
            let _ = spawn_on("", nothing()).await;
        })
        .await;
        assert!(matches!(reason, ExitReason::Badarg(_)));
        assert_eq!(reports.len(), 1);
        let (reason, reports) = reported(async {
            loop {
                spawn_link(serve());
            }
        })
        .await;
        assert_eq!((reason, reports.len()), (ExitReason::SystemLimit, 1));
    });
    node.stop();
}

#[remote]
async fn nothing() {}

#[test]
fn orderly_and_propagated_exits_are_not_reported() {
    let _listening = listen();
    let node = Node::builder().workers(1).build().unwrap();
    node.block_on(async {
        let reasons = [
            ExitReason::Normal,
            ExitReason::Shutdown,
            ExitReason::Kill,
            ExitReason::Killed,
            ExitReason::term("mine".to_owned()),
            ExitReason::Error("of another process".into()),
            ExitReason::badarg("of another process"),
        ];
        for reason in reasons {
            let by_exit = reason.clone();
            let (ended, reports) = reported(async move { exit(by_exit) }).await;
            assert_eq!((ended, reports), (reason.clone(), vec![]));
            let parent = self_pid();
            let (ended, reports) = reported(async move {
                send(parent, ());
                exit_process(self_pid(), reason);
            })
            .await;
            next::<()>().await;
            assert_eq!(reports, Vec::<String>::new(), "{ended}");
        }
        let (ended, reports) = reported(async { Err::<(), _>(ExitReason::Shutdown) }).await;
        assert_eq!((ended, reports), (ExitReason::Shutdown, vec![]));
        // The process ends by the panic of another process, through a link.
        let (panics, reports) = reported(async {
            spawn_link(async { panic!("of the child") });
            serve().await;
        })
        .await;
        assert!(matches!(panics, ExitReason::Panic(_)));
        assert_eq!(reports, Vec::<String>::new());
        // A panic in a destructor of a process that ended in an orderly way is reported for itself.
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("in a destructor");
            }
        }
        let (_, reports) = reported(async {
            let _panics = Panics;
        })
        .await;
        assert_eq!(reports.len(), 1);
        assert_eq!(end_of(async {}).await, ExitReason::Normal);
    });
    node.stop();
}

/// A service that panics or hangs when it is stopped.
struct Stops(&'static str);

impl NodeService for Stops {
    fn name(&self) -> &str {
        self.0
    }

    fn start(&self, _: &fika_runtime::Node) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }

    fn stop(&self, _: &fika_runtime::Node) -> StopService {
        let panics = self.0 == "panics";
        Box::pin(async move {
            assert!(!panics, "while it stops");
            std::future::pending().await
        })
    }
}

/// The report names the service that does not stop as it should.
#[test]
fn services_that_do_not_stop_are_reported() {
    let _listening = listen();
    let node = fika_runtime::Node::builder().workers(1);
    let node = node.service(Stops("hangs")).service(Stops("panics")).build().unwrap();
    assert!(node.stop());
    let all = log::lines_with(&[]).join("\n");
    let has_line = |parts: [&str; 4]| !log::lines_with(&parts).is_empty();
    assert!(
        has_line(["ERROR", "a service failed to stop", "\"panics\"", "while it stops"]),
        "{all}"
    );
    assert!(has_line(["ERROR", "a service did not stop in time", "\"hangs\"", "ms=5000"]), "{all}");
}
