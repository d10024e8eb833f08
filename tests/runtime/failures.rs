//! Failures are visible: on stderr, without any set-up, and to links and watchers.
//!
//! The output of a program is observed from outside: this test binary runs itself again, and the
//! test `program` is the `main` of that run.
#![deny(warnings)]

use crate::wait;

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, take_hook};
use std::pin::{Pin, pin};
use std::process::{Command, ExitCode, Output, Termination};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use fika::inspect::{process_count, set_label};
use fika::message::Reference;
use fika::prelude::*;
use fika::process::{
    SpawnOpts, exit_reason, spawn_blocking, spawn_link_on, spawn_opt, spawn_opt_on, spawn_request,
    spawn_request_on, yield_now,
};

use wait::{down, end_of, next, serve};

/// The environment variable with the name of the program that this run is.
const PROGRAM: &str = "FIKA_TEST_PROGRAM";

/// Runs one of the programs below.
fn run(program: &str, set: impl FnOnce(&mut Command)) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("this program has a file"));
    command.args(["--exact", "failures::program", "--nocapture", "--test-threads=1"]);
    command.env(PROGRAM, program).env("RUST_BACKTRACE", "0").env_remove("RUST_LOG");
    set(&mut command);
    command.output().expect("this program can be started again")
}

/// Returns what a program writes to stderr before it ends successfully.
fn stderr_of(program: &str) -> String {
    let output = run(program, |_| ());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{}: {stderr}", output.status);
    stderr
}

#[track_caller]
fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

/// Runs the program of this name. In a normal run of the tests, there is no name, and it does
/// nothing.
#[test]
fn program() {
    let Ok(program) = std::env::var(PROGRAM) else { return };
    match &*program {
        "panics" => in_node(panics()),
        "errors" => in_node(errors()),
        "hooks" => hooks(),
        "backtrace" => in_node(backtrace()),
        "abort" => in_node(aborts()),
        "storm of panics" => in_node(storm(panic_of)),
        "storm of errors" => in_node(storm(error_of)),
        "long message" => in_node(long_message()),
        "closed" => closed(),
        "grows" => grows(),
        "main" => main_fails(),
        "lost threads" => in_node(lost_threads()),
        other => panic!("there is no program {other}"),
    }
}

/// A program as in the README: only the node is set up.
fn in_node(main: impl Future<Output = ()> + Send + 'static) {
    let node = Node::builder().workers(2).build().unwrap();
    node.block_on(main);
    node.stop();
}

async fn panics() {
    let (pid, monitor) = spawn_monitor(async {
        register("fragile", self_pid()).unwrap();
        panic!("it broke: {}", 7);
    });
    down(monitor).await;
    let reason = end_of(async { spawn_blocking(|| panic!("in a blocking call")).await }).await;
    eprintln!("pid {pid}, {reason}");
}

#[test]
fn a_panic_is_printed_without_any_set_up() {
    let stderr = stderr_of("panics");
    let pid = stderr.split_once("pid ").unwrap().1.split_once(',').unwrap().0;
    let report = format!("fika: ERROR a panic ended a process pid={pid} name=fragile");
    assert_has(&stderr, &[&report, "panicked=it broke: 7", "parent="]);
    // Rust's own lines, once each, and the place in the report and in the reason.
    for (message, line) in [("it broke: 7", 0), ("in a blocking call", 3)] {
        let at =
            format!("tests/runtime/failures.rs:{}:", line_of("register(\"fragile\"") + 1 + line);
        let header = stderr.lines().filter(|line| line.contains(&format!(" panicked at {at}")));
        assert_eq!(header.count(), 1, "{at} {stderr}");
        assert_eq!(stderr.lines().filter(|line| *line == message).count(), 1, "{stderr}");
        assert_has(&stderr, &[&format!("at={at}")]);
    }
    assert_has(&stderr, &["panic: in a blocking call at tests/runtime/failures.rs"]);
}

/// Returns the first line of this file with this text.
fn line_of(text: &str) -> usize {
    include_str!("failures.rs").lines().position(|line| line.contains(text)).unwrap() + 1
}

#[derive(Debug)]
struct Failed(&'static str, Option<Box<Failed>>);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_ref().map(|source| &**source as _)
    }
}

fn failed() -> Failed {
    Failed("no cache", Some(Box::new(Failed("no file", Some(Box::new(Failed("no disk", None)))))))
}

#[remote]
async fn remote_fails() -> Result<(), Failed> {
    Err(failed())
}

async fn errors() {
    let reason = end_of(async {
        set_label("number 17");
        Err::<(), _>(failed())
    });
    eprintln!("{}", reason.await);
    assert_eq!(end_of(async { Err::<(), _>(ExitReason::Shutdown) }).await, ExitReason::Shutdown);
}

#[test]
fn an_error_is_printed_without_any_set_up() {
    let stderr = stderr_of("errors");
    let report = "label=number 17 reason=error: no cache: no file: no disk spawned=";
    assert_has(&stderr, &["fika: ERROR an error ended a process pid=", report]);
    assert_eq!(stderr.matches("ended a process").count(), 1, "{stderr}");
}

/// PROC-3: an error ends a process, however the process was made, and its links.
#[fika::test]
async fn an_error_ends_the_process_and_its_links() {
    let error = ExitReason::Error("no cache: no file: no disk".into());
    let fails = || async { Err::<u64, _>(failed()) };
    assert_eq!(end_of(fails()).await, error);
    assert_eq!(end_of(remote_fails().into_future()).await, error);
    let boxed: Box<dyn Error + Send + Sync> = failed().into();
    assert_eq!(end_of(async { Err::<(), _>(boxed) }).await, error);
    let text = || ExitReason::Error("text".into());
    assert_eq!(end_of(async { Err::<(), _>("text") }).await, text());
    assert_eq!(end_of(async { Err::<(), _>("text".to_owned()) }).await, text());
    assert_eq!(end_of(async { Ok::<_, Failed>(7) }).await, ExitReason::Normal);
    assert_eq!(end_of(async { Some(7) }).await, ExitReason::Normal);

    trap_exit(true);
    let exit = async |pid| receive! { Exit { from, reason } if from == pid => reason };
    assert_eq!(exit(spawn_link(fails())).await, error);
    assert_eq!(exit(spawn_opt(SpawnOpts::new().link(), fails()).pid).await, error);
    let here = self_node().name();
    assert_eq!(exit(spawn_link_on(&here, remote_fails()).await).await, error);
    let spawned = spawn_opt_on(&here, SpawnOpts::new().monitor(), remote_fails()).await;
    assert_eq!(down(spawned.monitor.unwrap()).await, error);
    let monitor = spawn_request(SpawnOpts::new().monitor(), fails());
    assert_eq!(down(monitor).await, error);
    let monitor = spawn_request_on(&here, SpawnOpts::new().monitor(), remote_fails());
    assert_eq!(down(monitor).await, error);
    // The process that it is linked to ends with it.
    let me = self_pid();
    let parent = spawn(async move {
        send(me, spawn_link(serve()));
        Err::<(), _>(failed())
    });
    let child = next::<Pid>().await;
    let reasons = [down(monitor_of(child)).await, down(monitor_of(parent)).await];
    for reason in reasons {
        assert!(reason == error || reason == ExitReason::Noproc, "{reason}");
    }
    // If making the text panics, it is a panic of the process.
    struct Bomb;
    impl From<Bomb> for Box<dyn Error + Send + Sync> {
        fn from(_: Bomb) -> Self {
            panic!("in a conversion")
        }
    }
    let reason = end_of(async { Err::<(), _>(Bomb) }).await;
    assert!(matches!(&reason, ExitReason::Panic(panic) if panic.message == "in a conversion"));
    // The value of `block_on` belongs to its caller, even if it is an error.
    let node = Node::builder().workers(1).build().unwrap();
    let caller = spawn_blocking(move || {
        let value = node.block_on(async { Err::<(), _>("mine") });
        let spawned = node.spawn(async { Err::<(), _>("mine") });
        node.stop();
        (value, spawned.is_some())
    });
    assert_eq!(caller.await, (Err("mine"), true));
}

fn monitor_of(pid: Pid) -> Reference {
    fika::process::monitor(pid)
}

/// A program whose main process fails ends with an error line and status 1.
fn main_fails() {
    static ENDED: AtomicUsize = AtomicUsize::new(0);

    #[fika::main(workers = 2)]
    async fn main() -> fika::Result {
        let me = self_pid();
        spawn(async move {
            trap_exit(true);
            link(me);
            send(me, ());
            receive! { Exit { reason, .. } => eprintln!("a link has seen {reason}") }
            ENDED.fetch_add(1, Ordering::SeqCst);
        });
        next::<()>().await;
        Err(failed())?;
        Ok(())
    }

    #[fika::main(workers = 1)]
    async fn leaves() {
        exit(ExitReason::Shutdown)
    }

    #[fika::main(workers = 1)]
    async fn code() -> Result<ExitCode, Failed> {
        Ok(ExitCode::from(7))
    }

    #[fika::main(workers = 1)]
    async fn panics() {
        panic!("a mistake in main")
    }

    assert!(main().report() == ExitCode::FAILURE);
    assert!(panics().report() == ExitCode::FAILURE);
    assert!(leaves().report() == ExitCode::FAILURE);
    assert!(code().report() == ExitCode::from(7));
}

#[test]
fn a_failing_main_exits_with_status_1() {
    let stderr = stderr_of("main");
    let line = "error: the main process ended: error: no cache: no file: no disk\n";
    assert_has(&stderr, &[line, "error: the main process ended: shutdown\n"]);
    assert_has(&stderr, &["a mistake in main\n", "error: the main process ended: panic"]);
    // The report of the process would say it again.
    assert!(!stderr.contains("ended a process"), "{stderr}");
}

/// The output of a failing test includes the output of its processes.
#[fika::test]
#[ignore = "it is a program"]
async fn failing_test() {
    assert!(std::env::var(PROGRAM).is_ok(), "it fails in its program only");
    let (_, monitor) = spawn_monitor(async { panic!("in a process of the test") });
    down(monitor).await;
    end_of(async { Err::<(), _>("an error of a process of the test") }).await;
    panic!("it is to fail");
}

#[test]
fn the_output_of_processes_is_part_of_the_test_output() {
    let lines = ["in a process of the test", "reason=error: an error of a process of the test"];
    for (nocapture, program) in [(false, "-"), (true, "-")] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "failures::failing_test", "--ignored"]).env(PROGRAM, program);
        if nocapture {
            command.arg("--nocapture");
        }
        let output = command.output().unwrap();
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(!output.status.success());
        let (shown, other) = if nocapture { (stderr, stdout) } else { (stdout, stderr) };
        assert_has(&shown, &lines);
        assert!(!lines.iter().any(|line| other.contains(line)), "{other}");
    }
}

/// Counts the panics, and calls the previous hook.
fn counting_hook(name: &'static str) {
    let outer = take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // It is called in the process, so it may query it.
        let pid = catch_unwind(self_pid).map_or("-".into(), |pid| pid.to_string());
        eprintln!("{name}: {} {pid}", info.payload_as_str().unwrap_or("?"));
        outer(info);
    }));
}

fn hooks() {
    counting_hook("before");
    let node = Node::builder().workers(2).build().unwrap();
    counting_hook("after");
    node.block_on(async {
        let (pid, monitor) = spawn_monitor(async { panic!("seen by both") });
        let reason = down(monitor).await;
        eprintln!("{reason} {pid}");
    });
    node.stop();
}

#[test]
fn panic_hooks_of_the_program_run_for_processes() {
    let stderr = stderr_of("hooks");
    let pid = stderr.rsplit_once(' ').unwrap().1.trim();
    for line in ["before: seen by both", "after: seen by both"] {
        let line = format!("{line} {pid}");
        assert_eq!(stderr.lines().filter(|of| *of == line).count(), 1, "{line} in {stderr}");
    }
    assert_has(&stderr, &["panic: seen by both at tests/runtime/failures.rs:"]);
}

async fn backtrace() {
    #[inline(never)]
    fn deep_in_the_program() {
        panic!("with a backtrace");
    }
    end_of(async { deep_in_the_program() }).await;
    end_of(async { spawn_blocking(deep_in_the_program).await }).await;
}

#[test]
fn a_backtrace_begins_at_the_program_s_code() {
    let output = run("backtrace", |command| _ = command.env("RUST_BACKTRACE", "1"));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.matches("stack backtrace:").count(), 2, "{stderr}");
    assert_eq!(stderr.matches("deep_in_the_program\n").count(), 2, "{stderr}");
    assert!(!stderr.contains("runtime/src"), "{stderr}");
}

async fn aborts() {
    extern "C" fn no_way_out() {
        panic!("it can't unwind");
    }
    end_of(async { no_way_out() }).await;
    unreachable!("the program has ended");
}

/// A report is printed even if the program ends at once, as with `panic = "abort"`.
#[test]
fn a_panic_that_aborts_is_printed_first() {
    let output = run("abort", |_| ());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.status.code().is_none(), "{}", output.status);
    assert_has(&stderr, &["it can't unwind", "panicked at tests/runtime/failures.rs"]);
}

const STORM: usize = 20_000;

/// Runs very many processes that fail.
async fn storm(fails: fn(usize) -> Result<(), String>) {
    for n in 0..STORM {
        end_of(async move { fails(n) }).await;
    }
}

fn panic_of(n: usize) -> Result<(), String> {
    panic!("panic {n}");
}

fn error_of(n: usize) -> Result<(), String> {
    Err(format!("error {n}"))
}

/// Returns the number of reports, and how many they report as left out.
fn reported(stderr: &str) -> (usize, usize) {
    let counts = stderr.lines().filter_map(|line| {
        let count = line.split_once("left_out=")?.1;
        count.split(' ').next()?.parse::<usize>().ok()
    });
    (stderr.matches(" ended a process ").count(), counts.sum())
}

#[test]
fn a_storm_of_reports_is_limited() {
    for (program, printed) in [("storm of panics", "panicked at"), ("storm of errors", "error 1")] {
        let stderr = stderr_of(program);
        assert!(stderr.len() < 200_000, "{program} has written {} bytes", stderr.len());
        let (reports, left_out) = reported(&stderr);
        assert!((32..200).contains(&reports), "{reports} reports of {program}");
        assert_eq!(reports + left_out, STORM, "all are counted: {program}");
        assert!(stderr.matches(printed).count() >= 11);
    }
}

async fn long_message() {
    let text = "é".repeat(1 << 20);
    let reason = end_of({
        let text = text.clone();
        async move { panic!("{text}") }
    });
    // The reason has the full text.
    assert!(matches!(reason.await, ExitReason::Panic(panic) if panic.message == text));
    end_of(async move { Err::<(), _>(text) }).await;
}

#[test]
fn a_long_message_is_truncated() {
    let stderr = stderr_of("long message");
    assert!(stderr.len() < 40_000, "{} bytes", stderr.len());
    assert_has(&stderr, &["... (2097152 bytes)"]);
}

/// If nothing reads stderr, nothing can be printed, and the program continues.
fn closed() {
    in_node(async {
        for n in 0..100 {
            end_of(async { panic!("nobody hears it") }).await;
            end_of(async move { Err::<(), _>(format!("{n}")) }).await;
        }
        assert_eq!(process_count(), 2);
        println!("it goes on");
    });
}

#[test]
fn the_program_continues_when_stderr_is_closed() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "failures::program", "--nocapture"])
        .env(PROGRAM, "closed")
        .stderr(writer);
    let output = command.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && stdout.contains("it goes on"), "{stdout}");
}

/// Waits for a message when it is dropped.
struct Receives;

impl Drop for Receives {
    fn drop(&mut self) {
        futures_lite::future::block_on(async {
            receive! { (): () => {} }
        });
    }
}

/// Processes that end, each with its thread, until the program ends.
async fn lost_threads() {
    for n in 0_u64.. {
        let end = end_of(async {
            let _receives = Receives;
            exit(ExitReason::Shutdown)
        });
        assert_eq!(end.await, ExitReason::Shutdown);
        eprintln!("lost: {}", n + 1);
    }
}

/// A node that loses one thread after another does not hang.
#[test]
fn too_many_lost_threads_end_the_program() {
    let output = run("lost threads", |_| ());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code().is_none(), "{}: {stderr}", output.status);
    assert_has(&stderr, &["lost: 64\n", "has lost 64 threads", "it aborts"]);
    assert!(!stderr.contains("lost: 66"), "{stderr}");
}

/// A process whose mailbox grows is reported with the type of most of its messages. A process that
/// receives its messages is not.
fn grows() {
    let node = Node::builder().workers(2).long_message_queue(1000).build().unwrap();
    node.block_on(async {
        let me = self_pid();
        // This process waits for numbers, and also gets texts.
        let forgetful = spawn(async move {
            register("forgetful", self_pid()).unwrap();
            loop {
                receive! { n: u64 => send(me, n) }
            }
        });
        for n in 0..2500_u64 {
            send(forgetful, "nobody takes it".to_owned());
            send(forgetful, n);
            assert_eq!(next::<u64>().await, n);
        }
        // This process receives nothing.
        let deaf = spawn(std::future::pending::<()>());
        for n in 0..2500_u64 {
            send(deaf, n as u8);
            // When the process answers, it has handled the message.
            let _ = fika::inspect::info::message_queue_len(deaf).await;
        }
        // This process receives everything, however much waits.
        let busy = spawn(async move {
            loop {
                receive! { n: u32 => if n == 9999 { send(me, ()) } }
            }
        });
        for n in 0..10_000_u32 {
            send(busy, n);
        }
        next::<()>().await;
        eprintln!("forgetful {forgetful} deaf {deaf} busy {busy}");
    });
    node.stop();
}

#[test]
fn a_growing_mailbox_is_reported() {
    let stderr = stderr_of("grows");
    let words: Vec<&str> = stderr.lines().last().unwrap().split(' ').collect();
    let [_, forgetful, _, deaf, _, busy] = words[..] else { panic!("{stderr}") };
    let warnings = |pid: &str| -> Vec<&str> {
        let of = "fika: WARN a mailbox only grows: ";
        let of_pid = format!(" pid={pid} ");
        let lines = stderr.lines();
        lines.filter(|line| line.starts_with(of) && line.contains(&of_pid)).collect()
    };
    let warned = warnings(forgetful);
    // The reports come at 1000 and 2000 messages.
    assert_eq!(warned.len(), 2, "{stderr}");
    let most = "of type \"alloc::string::String\"";
    assert_has(
        warned[0],
        &["name=forgetful", "messages=1000 ", " of its oldest 1000 messages are ", most],
    );
    let warned = warnings(deaf);
    assert_eq!(warned.len(), 2, "{stderr}");
    assert_has(warned[0], &["of type \"u8\"", "messages=1000 "]);
    assert!(warnings(busy).is_empty(), "{stderr}");
}

/// Polls a future inside a `catch_unwind`.
async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}

/// Sends what its destructor sees as the reason for which the process ends.
struct Sees(std::sync::mpsc::Sender<Option<ExitReason>>);

impl Drop for Sees {
    fn drop(&mut self) {
        self.0.send(exit_reason()).unwrap();
    }
}

/// A destructor sees the reason for which its process ends, and none when the process goes on.
#[fika::test]
async fn destructors_see_the_reason() {
    let mine = || ExitReason::Error("mine".into());
    let (tx, rx) = std::sync::mpsc::channel();
    let sees = || Sees(tx.clone());

    let value = sees();
    end_of(async move { drop(value) }).await;
    assert_eq!(rx.recv().unwrap(), None);

    let value = sees();
    end_of(async move {
        let _value = value;
        exit(mine());
    })
    .await;
    assert_eq!(rx.recv().unwrap(), Some(mine()));

    // The unwinding is that of any fatal signal.
    let value = sees();
    end_of(async move {
        let _value = value;
        exit_process(self_pid(), mine());
    })
    .await;
    assert_eq!(rx.recv().unwrap(), Some(mine()));

    let value = sees();
    let (pid, monitor) = spawn_monitor(async move {
        let _value = value;
        serve().await;
    });
    exit_process(pid, mine());
    assert_eq!((down(monitor).await, rx.recv().unwrap()), (mine(), Some(mine())));

    // A value in the mailbox is dropped after the process has returned.
    let value = sees();
    end_of(async move { send(self_pid(), fika::message::Local(value)) }).await;
    assert_eq!(rx.recv().unwrap(), Some(ExitReason::Normal));
}

/// A value whose destructor calls `exit`, and catches the unwinding.
struct Swallows;

impl Drop for Swallows {
    fn drop(&mut self) {
        let _ = catch_unwind(|| exit(ExitReason::Timeout));
    }
}

/// PROC-4: nothing that a process does after `exit` keeps it alive.
#[fika::test]
async fn a_caught_exit_still_ends_the_process() {
    type Body = fn(Pid) -> Pin<Box<dyn Future<Output = ()> + Send>>;
    let cases: [(&str, Body); 9] = [
        ("caught, then it waits", |me| {
            Box::pin(async move {
                assert!(catch_unwind(|| exit(ExitReason::Timeout)).is_err());
                sleep(Duration::ZERO).await;
                send(me, "it went on".to_owned());
            })
        }),
        ("caught, then it receives what is there", |me| {
            Box::pin(async move {
                send(self_pid(), 7_u64);
                assert!(catch_unwind(|| exit(ExitReason::Timeout)).is_err());
                receive! { _: u64 => send(me, "it went on".to_owned()) }
            })
        }),
        ("caught, then it yields", |me| {
            Box::pin(async move {
                let _ = catch_unwind(|| exit(ExitReason::Timeout));
                yield_now().await;
                send(me, "it went on".to_owned());
            })
        }),
        ("caught, then a foreign future waits", |me| {
            Box::pin(async move {
                let _ = catch_unwind(|| exit(ExitReason::Timeout));
                let mut polled = false;
                std::future::poll_fn(|context| {
                    context.waker().wake_by_ref();
                    if std::mem::replace(&mut polled, true) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
                send(me, "it went on".to_owned());
            })
        }),
        ("caught, then it is ready", |_| {
            Box::pin(async { drop(catch_unwind(|| exit(ExitReason::Timeout))) })
        }),
        ("caught, then it panics", |_| {
            Box::pin(async {
                let _ = catch_unwind(|| exit(ExitReason::Timeout));
                panic!("it was over before");
            })
        }),
        ("in a nested future", |me| {
            Box::pin(async move {
                let left = async {
                    yield_now().await;
                    exit(ExitReason::Timeout)
                };
                assert_eq!(caught(left).await, None::<()>);
                serve().await;
                send(me, "it went on".to_owned());
            })
        }),
        ("in a destructor", |me| {
            Box::pin(async move {
                drop(Swallows);
                serve().await;
                send(me, "it went on".to_owned());
            })
        }),
        ("in a destructor of what unwinds, which is caught", |me| {
            Box::pin(async move {
                let _ = catch_unwind(|| {
                    let _swallows = Swallows;
                    panic_any(7);
                });
                serve().await;
                send(me, "it went on".to_owned());
            })
        }),
    ];
    let me = self_pid();
    for (name, body) in cases {
        assert_eq!(end_of(body(me)).await, ExitReason::Timeout, "{name}");
    }
    // A panic can be caught, as an error can in Erlang. So can the panic of a blocking call, and a
    // panic that the runtime raises.
    let reason = end_of(async move {
        assert!(catch_unwind(|| panic!("caught")).is_err());
        assert_eq!(caught(async { spawn_blocking(|| panic!("caught")).await }).await, None::<()>);
        assert!(catch_unwind(|| send("nobody has this name", ())).is_err());
        yield_now().await;
        send(me, 7_u64);
    });
    assert_eq!(reason.await, ExitReason::Normal);
    assert_eq!(next::<u64>().await, 7);
    // `exit` also ends the main process of `block_on`, even if its future returns a value.
    let value = spawn_blocking(|| {
        let node = Node::builder().workers(1).build().unwrap();
        let value = node.try_block_on(async {
            let _ = catch_unwind(|| exit(ExitReason::Timeout));
            7
        });
        node.stop();
        value
    });
    assert_eq!(value.await, Err(ExitReason::Timeout));
    receive! { text: String => panic!("{text}"), after Duration::ZERO => {} }
}
