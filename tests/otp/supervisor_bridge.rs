//! `supervisor_bridge_SUITE`.

use std::time::Duration;

use fika::gen_server::{Start, StartError};
use fika::node::Node;
use fika::prelude::*;
use fika::process::{Ended, spawn_blocking};
use fika::supervisor_bridge::{self, Bridged, SupervisorBridge};

/// The thing that a bridge links into the tree.
enum Kind {
    Process(Pid),
    /// A thread that runs until it gets a message.
    Thread(std::sync::mpsc::Receiver<()>),
    Ignored,
    Failing,
}

struct Bridge;

impl SupervisorBridge for Bridge {
    type Args = Kind;

    async fn init(kind: Kind) -> Bridged<Self> {
        match kind {
            Kind::Process(pid) => Bridged::process(Bridge, pid),
            Kind::Thread(ends) => {
                let thread = spawn_blocking(move || ends.recv().map_err(|_| "the thread was left"));
                Bridged::resource(Bridge, thread)
            }
            Kind::Ignored => Bridged::ignore(),
            Kind::Failing => Bridged::error(ExitReason::Timeout),
        }
    }
}

async fn forever() {
    std::future::pending().await
}

fn run<F: Future<Output = ()> + Send + 'static>(test: F) {
    let node = Node::builder().build().unwrap();
    node.block_on(test);
    node.stop();
}

/// SUP-32: a bridge that starts, that is not wanted, and that fails.
#[test]
fn starting() {
    run(async {
        let start = |kind| supervisor_bridge::start_link::<Bridge>(Start::name("bridge"), kind);
        assert_eq!(start(Kind::Ignored).await.unwrap_err(), StartError::Ignored);
        let failed = StartError::Failed(ExitReason::Timeout);
        assert_eq!(start(Kind::Failing).await.unwrap_err(), failed);
        assert_eq!(whereis("bridge"), None);
        let process = spawn(forever());
        let bridge = start(Kind::Process(process)).await.unwrap();
        assert_eq!(bridge.whereis(), whereis("bridge"));
        assert!(fika::inspect::is_process_alive(process).await);
    });
}

/// SUP-32: the bridge ends with the process, and ends it when it is shut down.
#[test]
fn mini_terminate() {
    run(async {
        trap_exit(true);
        let process = spawn(forever());
        let bridge = supervisor_bridge::start_link::<Bridge>(Start::new(), Kind::Process(process));
        let bridge = bridge.await.unwrap().whereis().unwrap();
        let end = Ended::of(process);
        exit_process(bridge, ExitReason::Shutdown);
        assert_eq!(end.await, ExitReason::Shutdown);
        receive! {
            Exit { from, reason } if from == bridge => assert_eq!(reason, ExitReason::Shutdown),
            after Duration::from_secs(20) => panic!("the bridge does not end"),
        }

        let process = spawn(forever());
        let bridge = supervisor_bridge::start_link::<Bridge>(Start::new(), Kind::Process(process));
        let bridge = bridge.await.unwrap().whereis().unwrap();
        exit_process(process, ExitReason::Timeout);
        receive! {
            Exit { from, reason } if from == bridge => assert_eq!(reason, ExitReason::Timeout),
            after Duration::from_secs(20) => panic!("the bridge does not end"),
        }

        let (ends, thread) = std::sync::mpsc::channel();
        let bridge = supervisor_bridge::start_link::<Bridge>(Start::new(), Kind::Thread(thread));
        let bridge = bridge.await.unwrap().whereis().unwrap();
        drop(ends);
        receive! {
            Exit { from, reason } if from == bridge => {
                assert_eq!(reason.to_string(), "error: the thread was left");
            },
            after Duration::from_secs(20) => panic!("the bridge does not end"),
        }
    });
}

/// SUP-32: a name that is taken.
#[test]
fn badstart() {
    run(async {
        register("taken", self_pid()).unwrap();
        let start = supervisor_bridge::start_link::<Bridge>(Start::name("taken"), Kind::Ignored);
        assert_eq!(start.await.unwrap_err(), StartError::AlreadyStarted(self_pid()));
    });
}
