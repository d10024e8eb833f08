//! A supervisor as the main of a program. Each case is a program of its own, which ends by itself, or
//! by a signal of the operating system.
#![deny(warnings)]
#![allow(clippy::disallowed_methods, reason = "threads beside the nodes")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdout, Command, ExitCode, ExitStatus, Stdio, Termination};

use fika::gen_server::ServerRef;
use fika::inspect::info;
use fika::node::{Env as _, SystemEnv};
use fika::prelude::*;
use fika::process::yield_now;
use fika::supervisor::{
    self, AutoShutdown, ChildSpec, Restart, Shutdown, SupFlags, Supervisor, SupervisorEnded,
};
use rustix::process::{Signal, kill_process};

type Top = fika::Result<ServerRef<Supervisor>>;

/// Reports its start, and its end when it is asked to end.
async fn work(name: &'static str) {
    trap_exit(true);
    println!("{name} runs");
    receive! {
        Exit { reason, .. } => {
            println!("{name} ends");
            exit(reason)
        }
    }
}

fn worker(name: &'static str) -> ChildSpec {
    ChildSpec::new(name, move || async move { spawn_link(work(name)) })
}

async fn start(flags: SupFlags, children: impl IntoIterator<Item = ChildSpec>) -> Top {
    let top = supervisor::start_link(Start::name("top"), flags, children).await?;
    register("main", self_pid())?;
    spawn(async {
        until_main_waits().await;
        println!("ready");
    });
    Ok(top)
}

/// Waits until the main process waits for the end of its tree.
async fn until_main_waits() {
    loop {
        if let Some(main) = whereis("main")
            && info::trap_exit(main).await == Some(true)
        {
            return;
        }
        yield_now().await;
    }
}

#[fika::main]
async fn tree() -> Top {
    let inner = || async {
        let children = [worker("two"), worker("three")];
        supervisor::start_link(Start::new(), SupFlags::one_for_one(), children).await
    };
    let inner = ChildSpec::supervisor("inner", inner);
    start(SupFlags::one_for_one(), [worker("one"), inner, worker("four")]).await
}

/// A main function that does something after its tree has ended.
#[fika::main]
async fn tree_by_hand() -> fika::Result {
    let top = start(SupFlags::one_for_one(), [worker("one"), worker("two")]).await?;
    supervisor::run_until_stopped(&top).await?;
    println!("after the tree");
    Ok(())
}

#[fika::main]
async fn gives_up() -> Top {
    let fails = || async { spawn_link(until_main_waits()) };
    start(SupFlags::one_for_one(), [worker("one"), ChildSpec::new("fails", fails)]).await
}

#[fika::main]
async fn is_killed() -> Top {
    let top = start(SupFlags::one_for_one(), [worker("one")]).await?;
    let pid = top.whereis().expect("it runs");
    spawn(async move {
        until_main_waits().await;
        exit_process(pid, ExitReason::Kill);
    });
    Ok(top)
}

/// The worker refuses to end.
#[fika::main(shutdown_time = millis(200))]
async fn hangs() -> Top {
    let refuses = || async {
        let work = async {
            trap_exit(true);
            std::future::pending::<()>().await;
        };
        spawn_link(work)
    };
    let refuses = ChildSpec::new("refuses", refuses).shutdown(Shutdown::Infinity);
    start(SupFlags::one_for_one(), [refuses]).await
}

/// A program that ends when its work is done, with `reason`.
async fn work_ends(reason: ExitReason) -> Top {
    let ends = move || {
        let reason = reason.clone();
        async move {
            let work = async move {
                until_main_waits().await;
                exit(reason)
            };
            spawn_link(work)
        }
    };
    let job = ChildSpec::new("job", ends).restart(Restart::Temporary).significant(true);
    let flags = SupFlags::one_for_one().auto_shutdown(AutoShutdown::AnySignificant);
    start(flags, [worker("one"), job]).await
}

#[fika::main]
async fn is_done() -> Top {
    work_ends(ExitReason::Normal).await
}

#[fika::main]
async fn work_fails() -> Top {
    work_ends(ExitReason::Timeout).await
}

#[fika::main]
async fn does_not_start() -> Top {
    let refused = ChildSpec::new("refused", || async { Err::<Pid, _>(ExitReason::Timeout) });
    start(SupFlags::one_for_one(), [worker("one"), refused]).await
}

const PROGRAM: &str = "FIKA_TEST_TOP";

/// Runs this test binary as one of the programs above.
#[test]
fn program() {
    let code = match std::env::var(PROGRAM).as_deref() {
        Ok("tree") => tree().report(),
        Ok("tree by hand") => tree_by_hand().report(),
        Ok("gives up") => gives_up().report(),
        Ok("is killed") => is_killed().report(),
        Ok("hangs") => hangs().report(),
        Ok("is done") => is_done().report(),
        Ok("work fails") => work_fails().report(),
        Ok("does not start") => does_not_start().report(),
        _ => return,
    };
    std::process::exit(i32::from(code != ExitCode::SUCCESS));
}

/// A program that is killed when the test ends, in whatever way.
struct Program(Child, BufReader<ChildStdout>);

impl Program {
    fn start(name: &str) -> Program {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "top::program", "--nocapture"])
            .env(PROGRAM, name)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Program(child, stdout)
    }

    /// Waits until the tree has started, and sends a signal.
    fn signal(&mut self, signal: Signal) {
        let mut line = String::new();
        while !line.contains("ready") {
            line.clear();
            assert_ne!(self.1.read_line(&mut line).unwrap(), 0, "it has ended");
        }
        kill_process(rustix::process::Pid::from_child(&self.0), signal).unwrap();
    }

    /// Waits for the end. Returns the status, the lines about workers since the last wait, and the
    /// error lines.
    fn end(mut self) -> (ExitStatus, Vec<String>, Vec<String>) {
        let (mut out, mut err) = (String::new(), String::new());
        self.1.read_to_string(&mut out).unwrap();
        self.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let of = |text: &str, is_told: fn(&&str) -> bool| -> Vec<String> {
            text.lines().filter(is_told).map(str::to_owned).collect()
        };
        let told = of(&out, |line| line.ends_with(" ends") || line.contains("after"));
        (self.0.wait().unwrap(), told, of(&err, |line| line.starts_with("error: ")))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

#[test]
fn a_signal_stops_the_tree_in_reverse_order() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut program = Program::start("tree");
        program.signal(signal);
        let (status, told, errors) = program.end();
        assert_eq!(told, ["four ends", "three ends", "two ends", "one ends"]);
        assert_eq!((status.code(), errors.len()), (Some(0), 0), "{status} {errors:?}");

        let mut program = Program::start("tree by hand");
        program.signal(signal);
        let (status, told, errors) = program.end();
        assert_eq!(told, ["two ends", "one ends", "after the tree"]);
        assert_eq!((status.code(), errors.len()), (Some(0), 0), "{status} {errors:?}");
    }
}

/// A tree that does not stop in time is killed, and the program ends by the signal.
#[test]
fn the_stop_has_a_limit() {
    let mut program = Program::start("hangs");
    let clock = SystemEnv::new();
    program.signal(Signal::TERM);
    let (status, _, errors) = program.end();
    assert_eq!((status.signal(), errors.len()), (Some(Signal::TERM.as_raw()), 0), "{errors:?}");
    assert!(clock.now().since_start() < secs(4), "the limit is 200 ms");
}

#[test]
fn a_tree_that_ends_by_itself_gives_the_status() {
    let cases = [
        (
            "gives up",
            "error: the supervisor top has ended: the child \"fails\" failed, and a restart would \
             exceed the intensity of 1 in 5s",
        ),
        ("is killed", "error: the supervisor top has ended: killed"),
        (
            "work fails",
            "error: the supervisor top has ended: the child \"job\", which is significant, ended: \
             timeout",
        ),
        (
            "does not start",
            "error: the main process ended: error: the process did not start: {shutdown,\
             failed_to_start_child: \"refused\": the process did not start: timeout}",
        ),
    ];
    for (name, line) in cases {
        let (status, told, errors) = Program::start(name).end();
        assert_eq!((status.code(), &errors[..]), (Some(1), &[line.to_owned()][..]), "{name}");
        // A worker that has not run yet is not asked to end.
        let is_asked = !["is killed", "does not start"].contains(&name);
        let ends = if is_asked { 1..=1 } else { 0..=1 };
        assert!(ends.contains(&told.len()), "{name}: {told:?}");
    }
    let (status, told, errors) = Program::start("is done").end();
    assert_eq!((status.code(), &told[..]), (Some(0), &["one ends".to_owned()][..]), "{errors:?}");
    assert!(errors.is_empty(), "{errors:?}");
}

/// The error has the reason alone, too.
#[fika::test]
async fn the_error_has_the_reason() {
    let children: [ChildSpec; 0] = [];
    let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), children).await;
    let top = top.unwrap();
    let pid = top.whereis().unwrap();
    spawn(async move { exit_process(pid, ExitReason::Kill) });
    let error: SupervisorEnded = supervisor::run_until_stopped(&top).await.unwrap_err();
    assert_eq!(*error.reason(), ExitReason::Killed);
    let error = supervisor::run_until_stopped(&top).await.unwrap_err();
    assert_eq!(ExitReason::from(error), ExitReason::Noproc);
}
