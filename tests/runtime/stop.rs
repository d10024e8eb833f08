//! The stop of a node: which code may request it, which processes are notified, and the effect of
//! signals.
#![deny(warnings)]
#![allow(clippy::disallowed_methods, reason = "threads beside the nodes")]

use crate::wait;

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use fika::inspect::process_info;
use fika::prelude::*;
use fika::process::{spawn_blocking, yield_now};
use futures_lite::future;

use wait::{LIMIT, end_of, next, serve, sync};

/// Reports its drop.
struct Dropped(mpsc::Sender<&'static str>, &'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(self.1);
    }
}

/// Any thread and any process may request a stop, once or often.
#[test]
fn any_number_of_threads_and_processes_may_stop_a_node() {
    for round in 0..20 {
        let node = Node::builder().workers(2).build().unwrap();
        let other = Node::builder().workers(1).build().unwrap();
        let (dropped, drops) = mpsc::channel();
        for _ in 0..10 {
            let (stops, dropped) = (node.clone(), Dropped(dropped.clone(), "a process"));
            node.spawn(async move {
                let _dropped = dropped;
                if round % 2 == 0 {
                    assert!(!stops.stop() && !self_node().stop(), "it does not wait");
                }
                std::future::pending::<()>().await;
            });
        }
        let stopped = std::thread::scope(|scope| {
            let threads = (0..4).map(|_| {
                let node = node.clone();
                scope.spawn(move || node.stop() && node.stop())
            });
            // The stop comes from a process of another node, and from one of the node's own
            // threads.
            let (of_other, blocking) = (node.clone(), node.clone());
            let by_other = other.spawn(async move { of_other.begin_stop() });
            assert!(by_other.is_some());
            node.spawn(async move { spawn_blocking(move || blocking.stop()).await });
            let threads: Vec<_> = threads.collect();
            threads.into_iter().all(|thread| thread.join().unwrap())
        });
        assert!(stopped && node.stop());
        assert_eq!((node.process_count(), drops.try_iter().count()), (0, 10));
        assert!(node.spawn(async {}).is_none());
        node.run_until_stopped().wait();
        future::block_on(node.run_until_stopped());
        other.stop();
    }
}

/// A process that waits for the stop is notified first, and has time to end. Other processes serve
/// it meanwhile.
#[test]
fn processes_that_wait_for_the_stop_end_in_an_orderly_way() {
    let node = Node::builder().workers(2).build().unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    let begun = node.env().now();
    for n in 0..3_u8 {
        let done = done.clone();
        node.spawn(async move {
            let server = spawn(serve());
            match n {
                0 => self_node().run_until_stopped().await,
                // The process waits beside other futures.
                1 => {
                    let receives = async {
                        receive! { _: i8 => {} }
                    };
                    future::or(self_node().run_until_stopped(), receives).await;
                }
                // The process has given up that wait, and nothing waits for the stop.
                _ => {
                    let _ = future::poll_once(self_node().run_until_stopped()).await;
                    std::future::pending::<()>().await;
                }
            }
            sync(server).await;
            spawn_blocking(|| {}).await;
            done.fetch_add(1, Ordering::SeqCst);
        });
    }
    let (tx, rx) = mpsc::channel();
    let outside = node.clone();
    let thread = std::thread::spawn(move || {
        tx.send(()).unwrap();
        outside.run_until_stopped().wait();
    });
    rx.recv().unwrap();
    // The processes wait before the stop is requested.
    while node.process_count() < 6 {
        std::thread::yield_now();
    }
    node.block_on(async {
        for _ in 0..100 {
            yield_now().await;
        }
    });
    assert!(!thread.is_finished());
    assert!(node.stop());
    thread.join().unwrap();
    assert_eq!(done.load(Ordering::SeqCst), 2);
    assert!(node.env().now().since(begun) < secs(4), "it waits for nobody else");
}

/// A process that does not end is killed after some time.
#[test]
fn the_time_for_an_orderly_end_is_limited() {
    let node = Node::builder().workers(1).build().unwrap();
    let ready = Arc::new(AtomicBool::new(false));
    let stopping = ready.clone();
    let begun = node.env().now();
    let pid = node.spawn(async move {
        self_node().run_until_stopped().await;
        stopping.store(true, Ordering::SeqCst);
        std::future::pending::<()>().await;
    });
    node.block_on(async move {
        while process_info(pid.unwrap(), &[fika::inspect::Item::Reductions]).await.is_none() {}
        yield_now().await;
    });
    assert!(node.stop() && ready.load(Ordering::SeqCst));
    let time = node.env().now().since(begun);
    assert!(time >= secs(5) && time < LIMIT, "{time:?}");
}

/// Dropping the last handle outside its processes stops a node.
#[test]
fn a_node_without_handles_stops() {
    let (sender, drops) = mpsc::channel();
    let node = Node::builder().workers(1).build().unwrap();
    let dropped = Dropped(sender, "the process");
    let (tx, rx) = mpsc::channel();
    node.spawn(async move {
        let _dropped = dropped;
        // The process's own handle does not count.
        let _own = self_node();
        tx.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    rx.recv().unwrap();
    let second = node.clone();
    drop(node);
    second.block_on(async {});
    assert!(drops.try_recv().is_err(), "there is a handle");
    drop(second);
    assert_eq!(drops.recv_timeout(LIMIT), Ok("the process"));
}

#[fika::test]
async fn blocking_in_a_process_is_refused() {
    let end = end_of(async { self_node().run_until_stopped().wait() });
    match end.await {
        ExitReason::Panic(panic) => assert!(panic.message.contains("await the future instead")),
        other => panic!("{other}"),
    }
    send(self_pid(), 1_u64);
    assert_eq!(next::<u64>().await, 1);
}

/// A simulated node can be stopped from inside, in simulated time.
#[fika::test(sim)]
async fn a_simulated_node_stops_from_inside() {
    spawn(async {
        let begun = self_node().env().now();
        self_node().run_until_stopped().await;
        // The process has 5 s left.
        sleep(secs(4)).await;
        assert!(self_node().env().now().since(begun) >= secs(4));
    });
    yield_now().await;
    sleep(secs(1)).await;
    // Every wait for the stop continues. The main process of the test must return before it is
    // killed.
    assert!(!self_node().stop());
    self_node().begin_stop();
    self_node().run_until_stopped().await;
}

// The programs of the tests below.

#[fika::main]
async fn waits() {
    spawn(async {
        println!("ready");
        std::future::pending::<()>().await;
    });
    self_node().run_until_stopped().await;
    println!("in order");
}

#[fika::main]
async fn does_not_wait() {
    println!("ready");
    std::future::pending::<()>().await;
}

#[fika::main(stop_on_signals = false)]
async fn ignores_signals() {
    println!("ready");
    self_node().run_until_stopped().await;
    println!("in order");
}

#[fika::main]
async fn never_ends() {
    self_node().spawn(async {
        self_node().run_until_stopped().await;
        println!("in order");
        std::future::pending::<()>().await;
    });
    sleep(millis(1)).await;
    println!("ready");
    std::future::pending::<()>().await;
}

#[fika::main]
async fn stops_itself() {
    println!("ready");
    spawn(async { self_node().stop() });
    std::future::pending::<()>().await;
}

const PROGRAM: &str = "FIKA_TEST_PROGRAM";

/// Runs this test binary as one of the programs above.
#[test]
fn program() {
    use std::process::{ExitCode, Termination};
    let code = match std::env::var(PROGRAM).as_deref() {
        Ok("waits") => waits().report(),
        Ok("does not wait") => does_not_wait().report(),
        Ok("ignores signals") => ignores_signals().report(),
        Ok("never ends") => never_ends().report(),
        Ok("stops itself") => stops_itself().report(),
        _ => return,
    };
    std::process::exit(i32::from(code != ExitCode::SUCCESS));
}

/// Returns whether programs that this one starts ignore a signal. A shell that starts a program in the
/// background lets it ignore ctrl-c.
fn is_ignored(signal: rustix::process::Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    ignored.unwrap_or(0) & 1 << (signal.as_raw() - 1) != 0
}

/// A program that is killed when the test ends, in whatever way.
struct Program(Child, mpsc::Receiver<String>);

impl Program {
    fn start(name: &str) -> Program {
        use std::io::BufRead as _;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "stop::program", "--nocapture"])
            .env(PROGRAM, name)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let output = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in std::io::BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let program = Program(child, lines);
        program.until("ready");
        program
    }

    fn until(&self, wanted: &str) {
        while !self.1.recv_timeout(LIMIT).expect("a line").contains(wanted) {}
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the program's end. Returns its status and the lines that it has printed.
    fn end(mut self) -> (ExitStatus, Vec<String>) {
        let lines = self.1.iter().collect();
        (self.0.wait().unwrap(), lines)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

#[test]
fn signals_stop_a_program() {
    use rustix::process::Signal;
    use std::os::unix::process::ExitStatusExt as _;
    for signal in [Signal::INT, Signal::TERM] {
        let number = signal.as_raw();
        // A main function that returns gives its own status.
        let program = Program::start("waits");
        program.signal(signal);
        let (status, lines) = program.end();
        assert_eq!(status.code(), Some(0), "{status}");
        assert!(lines.iter().any(|line| line == "in order"), "{lines:?}");
        // This program does not end by the signal.
        let program = Program::start("does not wait");
        program.signal(signal);
        assert_eq!(program.end().0.signal(), Some(number));
        // The second signal ends the program at once.
        let program = Program::start("never ends");
        program.signal(signal);
        program.until("in order");
        let begun = fika::node::SystemEnv::new();
        program.signal(signal);
        assert_eq!(program.end().0.signal(), Some(number));
        assert!(fika::node::Env::now(&begun).since_start() < secs(4), "at once");
        // Without a handler, a signal has its usual effect.
        if is_ignored(signal) {
            continue;
        }
        let program = Program::start("ignores signals");
        program.signal(signal);
        let (status, lines) = program.end();
        assert_eq!(status.signal(), Some(number));
        assert!(!lines.iter().any(|line| line == "in order"));
    }
    let (status, _) = Program::start("stops itself").end();
    assert_eq!(status.code(), Some(0), "{status}");
}
