//! Checks that no process of a benchmark outlives the program that started it.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use fika_bench_kit::free_port;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fika-bench");

fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Reads a word that the child prints.
fn await_word(child: &mut Child, word: &str) {
    let mut read = vec![0; word.len()];
    child.stdout.as_mut().unwrap().read_exact(&mut read).unwrap();
    assert_eq!(String::from_utf8(read).unwrap(), word);
}

/// Waits until no process holds the child's output. Then the child and all processes that it has
/// started have ended.
#[allow(clippy::disallowed_methods, reason = "the thread of a test")]
fn await_end_of_all(child: &mut Child) {
    let mut out = child.stdout.take().unwrap();
    let (ended, end) = channel();
    thread::spawn(move || ended.send(out.read_to_end(&mut Vec::new())));
    assert!(end.recv_timeout(Duration::from_secs(20)).is_ok(), "something is left");
    let _ = child.wait();
}

/// Starts a script as the leader of a process group, so that this test is not killed with the
/// group.
fn leashed(script: &str) -> Child {
    start(Command::new(PROGRAM).args(["leashed", "sh", "-c", script]).process_group(0))
}

fn node() -> String {
    format!("{PROGRAM} node n0@127.0.0.1 mapper={} ticktime_s=60", free_port())
}

#[test]
fn a_leashed_program_ends_with_standard_input() {
    let mut child = leashed("sleep 1000 & echo up; sleep 1000");
    await_word(&mut child, "up\n");
    drop(child.stdin.take());
    await_end_of_all(&mut child);
}

#[test]
fn a_leashed_program_says_how_it_ended_and_what_it_used() {
    for (script, code, failure) in [
        ("exit 0", 0, "null"),
        ("exit 3", 3, "\"exit code 3\""),
        ("kill -9 $$", 1, "\"killed by signal 9\""),
    ] {
        let mut child = leashed(script);
        let _leash = child.stdin.take();
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(text.contains(&format!("\"failure\":{failure}")), "{text}");
        assert!(text.contains("\"cpu_s\":0.0"), "{text}");
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
}

#[test]
fn a_node_ends_with_the_one_that_started_it() {
    // The node's standard input stays open, so that closing it does not end the node.
    let node = format!("FIKA_BENCH_PARENT=$$ {} <&3", node());
    let script = format!("exec 3<&0; {node} & echo up; wait; sleep 1000");
    let mut child = start(Command::new("sh").args(["-c", &script]));
    await_word(&mut child, "up\n");
    child.kill().unwrap();
    await_end_of_all(&mut child);
}

#[test]
fn a_program_without_a_parent_ends_at_once() {
    let script = format!("FIKA_BENCH_PARENT=1 exec {}", node());
    let mut child = start(Command::new("sh").args(["-c", &script]));
    await_end_of_all(&mut child);
}
