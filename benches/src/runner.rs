//! One run: a program in an OS process of its own, with a time limit, measured from outside.
//!
//! 1. The program starts on a leash, in a process group of its own. So everything that it starts
//!    can be ended with it.
//! 2. Two threads read its output until the last process that holds the output has ended.
//! 3. This program waits until the group's leader ends, without reaping it. So the leader's number
//!    stays taken while the rest of the group is killed.
//! 4. The leader is reaped.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::leash;
use crate::line::{Line, percentiles};
use crate::workload::{CPU, PEAK};

/// How many bytes are kept of the output that is not figures.
const LAST_WORDS_BYTES_MAX: usize = 300;

/// The result of a run.
#[derive(Debug)]
pub(crate) enum Run {
    /// The figures by the metric's name, or why a figure is missing.
    Done(Vec<(String, Result<f64, String>)>),
    /// The system has nothing that does this workload. It is not run again.
    Cannot(String),
    /// The run failed.
    Failed(String),
    /// The run hung. It is not run again.
    Hung(String),
}

impl Run {
    /// Returns the text that a line of progress adds for this result.
    pub(crate) fn sign(&self) -> &'static str {
        match self {
            Run::Done(_) => "",
            Run::Cannot(_) => ", not possible",
            Run::Failed(_) => ", failed",
            Run::Hung(_) => ", hung",
        }
    }
}

/// Runs a program that does a workload once.
pub(crate) fn run(program: &Command, limit: Duration) -> Run {
    let mut command = leash::command(program);
    // The last words should name the error, and not be a backtrace.
    run_leashed(command.env("RUST_BACKTRACE", "0"), limit)
}

#[allow(clippy::disallowed_methods, reason = "a thread of the benchmark")]
fn run_leashed(command: &mut Command, limit: Duration) -> Run {
    let mut child = match leash::start(command) {
        Ok(child) => child,
        Err(error) => return Run::Failed(format!("can't be started: {error}")),
    };
    let out = child.stdout.take().map(|out| thread::spawn(move || read(out)));
    let err = child.stderr.take().map(|err| thread::spawn(move || read(err)));
    let in_time = await_end(&mut child, limit);
    let said = |reader: Option<thread::JoinHandle<Said>>| {
        reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
    };
    let (out, err) = (said(out), said(err));
    let last = if err.last_words.is_empty() { out.last_words } else { err.last_words };
    conclude(out.lines, &last, in_time, limit)
}

/// Waits for the group's leader to end, or kills it at the time limit, and then kills the rest of
/// the group. Returns whether the leader ended by itself.
#[allow(clippy::disallowed_methods, reason = "a thread of the benchmark")]
fn await_end(child: &mut Child, limit: Duration) -> bool {
    let pid = Pid::from_child(child);
    let (ended, end) = channel();
    let waiter = thread::spawn(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let _ = ended.send(waitid(WaitId::Pid(pid), options).is_ok());
    });
    let in_time = end.recv_timeout(limit) != Err(RecvTimeoutError::Timeout);
    // The leader has not been reaped, so the group's number is still its own. An error means
    // that no process is left.
    let _ = kill_process_group(pid, Signal::KILL);
    let _ = waiter.join();
    let _ = child.wait();
    in_time
}

#[derive(Default)]
struct Said {
    lines: Vec<Line>,
    /// The last lines that are not figures.
    last_words: String,
}

fn read(from: impl Read) -> Said {
    let mut said = Said::default();
    for text in BufReader::new(from).lines().map_while(Result::ok) {
        match Line::parse(&text) {
            Some(line) => said.lines.push(line),
            None if text.trim().is_empty() || is_note(&text) => {}
            None => said.last_words = shortened(text.trim()),
        }
    }
    said
}

/// Returns whether Rust adds this text to every panic.
fn is_note(text: &str) -> bool {
    text.starts_with("note: run with `RUST_BACKTRACE")
}

fn shortened(text: &str) -> String {
    let mut end = text.len().min(LAST_WORDS_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

fn conclude(lines: Vec<Line>, last_words: &str, in_time: bool, limit: Duration) -> Run {
    let because = |why: String| match last_words {
        "" => why,
        words => format!("{why}: {words}"),
    };
    let (mut figures, mut has_ended) = (Vec::new(), false);
    for line in lines {
        match line {
            Line::Value { metric, value } => figures.push((metric, Ok(value))),
            Line::Latency { latency, ns } => {
                let made = percentiles(&latency, &ns).into_iter();
                figures.extend(made.map(|(name, value)| (name, Ok(value))));
            }
            Line::NoMetric { metric, cannot } => figures.push((metric, Err(cannot))),
            Line::Cannot { cannot } => return Run::Cannot(cannot),
            Line::Failed { failed } => return Run::Failed(failed),
            Line::Hung { hung } => return Run::Hung(hung),
            Line::Used { failure: Some(why), .. } => return Run::Failed(because(why)),
            Line::Used { cpu_s, peak_mib, failure: None } => {
                figures.extend([(CPU.into(), Ok(cpu_s)), (PEAK.into(), Ok(peak_mib))]);
                has_ended = true;
            }
        }
    }
    match (has_ended, in_time) {
        (true, _) => Run::Done(figures),
        (false, true) => Run::Failed(because("lost".into())),
        (false, false) => Run::Hung(because(format!("no end after {} s", limit.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a script that plays the part of the leash, and prints what it used.
    fn shell(script: &str, limit_ms: u64) -> Run {
        run_leashed(Command::new("sh").args(["-c", script]), Duration::from_millis(limit_ms))
    }

    const USED: &str = r#"echo '{"cpu_s":1.5,"peak_mib":2.5,"failure":null}'"#;
    const LONG: u64 = 20_000;

    #[test]
    fn figures_come_with_what_was_used() {
        let script = format!(r#"echo '{{"metric":"a","value":2}}'; {USED}"#);
        let Run::Done(figures) = shell(&script, LONG) else { panic!() };
        let expected = [("a", 2.0), (CPU, 1.5), (PEAK, 2.5)];
        assert_eq!(figures, expected.map(|(name, figure)| (name.to_owned(), Ok(figure))));
    }

    #[test]
    fn failures_say_the_last_words() {
        let failure = r#"{"cpu_s":1,"peak_mib":1,"failure":"exit code 3"}"#;
        let script = format!("echo first >&2; echo 'out of luck' >&2; echo '{failure}'");
        let cases = [
            (script.as_str(), "exit code 3: out of luck"),
            ("echo '{\"failed\":\"lost 3\"}'; exit 1", "lost 3"),
            ("kill -9 $$", "lost"),
        ];
        for (script, expected) in cases {
            assert!(matches!(shell(script, LONG), Run::Failed(why) if why == expected), "{script}");
        }
        assert!(matches!(shell("echo '{\"cannot\":\"b\"}'", LONG), Run::Cannot(why) if why == "b"));
        assert!(matches!(shell("echo '{\"hung\":\"b\"}'", LONG), Run::Hung(why) if why == "b"));
    }

    #[test]
    fn one_that_hangs_is_ended_with_all_that_it_started() {
        // The `sleep` in the background holds the output.
        let run = shell("echo here; sleep 1000 & sleep 1000", 300);
        assert!(matches!(&run, Run::Hung(why) if why == "no end after 0 s: here"), "{run:?}");
    }

    #[test]
    fn leftover_processes_are_ended() {
        assert!(matches!(shell(&format!("sleep 1000 & {USED}"), LONG), Run::Done(_)));
    }
}
