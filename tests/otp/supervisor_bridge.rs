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
    /// A process that the bridge ends in its own way. The owner gets the arguments of `terminate`.
    Custom(Pid, Pid),
}

/// The owner of a bridge that ends its process in its own way.
struct Bridge(Option<Pid>);

impl SupervisorBridge for Bridge {
    type Args = Kind;

    async fn init(kind: Kind) -> Bridged<Self> {
        match kind {
            Kind::Process(pid) => Bridged::process(Bridge(None), pid),
            Kind::Thread(ends) => {
                let thread = spawn_blocking(move || ends.recv().map_err(|_| "the thread was left"));
                Bridged::resource(Bridge(None), thread)
            }
            Kind::Ignored => Bridged::ignore(),
            Kind::Failing => Bridged::error(ExitReason::Timeout),
            Kind::Custom(pid, owner) => Bridged::process(Bridge(Some(owner)), pid),
        }
    }

    async fn terminate(&mut self, process: Pid, reason: &ExitReason) {
        match self.0 {
            Some(owner) => send(owner, (process, reason.clone())),
            None => {
                let ended = Ended::of(process);
                exit_process(process, ExitReason::Shutdown);
                ended.await;
            }
        }
    }
}

/// A bridge that does nothing of its own.
struct Plain;

impl SupervisorBridge for Plain {
    type Args = Pid;

    async fn init(process: Pid) -> Bridged<Self> {
        Bridged::process(Plain, process)
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

/// SUP-32: a bridge waits for the end of its process, which may trap exits. It outlives other processes
/// that are linked to it, and has its own way to end the process if it needs one.
#[test]
fn a_bridge_waits_for_its_process() {
    run(async {
        trap_exit(true);
        let me = self_pid();
        let process = spawn(async move {
            trap_exit(true);
            send(me, ());
            receive! {
                Exit { from, reason } => {
                    send(me, (fika::inspect::is_process_alive(from).await, reason));
                }
            }
            receive! { () => {} }
        });
        receive! { () => {} }
        let plain = supervisor_bridge::start_link::<Plain>(Start::new(), process).await.unwrap();
        let bridge = plain.whereis().unwrap();
        // The end of another linked process is not that of the process behind the bridge.
        let other = spawn(async move { link(bridge) });
        Ended::of(other).await;
        let failing = spawn(async move {
            link(bridge);
            exit(ExitReason::Timeout)
        });
        Ended::of(failing).await;
        assert_eq!(fika::sys::get_status(&plain).await.unwrap().parent, Some(me));
        exit_process(bridge, ExitReason::Shutdown);
        assert_eq!(receive! { seen: (bool, ExitReason) => seen }, (true, ExitReason::Shutdown));
        assert!(fika::inspect::is_process_alive(bridge).await, "it waits");
        let end = Ended::of(bridge);
        send(process, ());
        assert_eq!(end.await, ExitReason::Shutdown);

        let process = spawn(forever());
        let kind = Kind::Custom(process, me);
        let bridge = supervisor_bridge::start_link::<Bridge>(Start::new(), kind).await.unwrap();
        bridge.stop(ExitReason::Shutdown, None).await.unwrap();
        let seen = receive! { seen: (Pid, ExitReason) => seen };
        assert_eq!(seen, (process, ExitReason::Shutdown));
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
