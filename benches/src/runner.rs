//! One run: a program in an OS process of its own, with a limit of time, measured from
//! outside.
//!
//! 1. It is started as the leader of a process group, so that all that it starts can be
//!    ended with it. It is tied to this program, or on the leash of its standard input, which
//!    is open for as long as this program runs.
//! 2. Two threads read what it prints, until the last that holds its output has ended.
//! 3. Its end is awaited without being collected, so that its number stays its own while
//!    whatever is left of the group is killed.
//! 4. It is collected, with what the kernel counted.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use fika_bench_kit::tie;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::line::{Line, percentiles};
use crate::usage::{self, Usage};
use crate::workload::{CPU, PEAK};

/// Of what a program prints besides figures, so much is kept: its last words.
const LAST_WORDS_BYTES_MAX: usize = 300;

/// What came of a run.
#[derive(Debug)]
pub(crate) enum Run {
    /// Figures, or why there are none, by the metric's name.
    Done(Vec<(String, Result<f64, String>)>),
    /// The system has nothing that does this workload. It is not run again.
    Cannot(String),
    /// It did not work this time.
    Failed(String),
    /// It hung. It is not run again.
    Hung(String),
}

impl Run {
    /// What a line of progress adds.
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
pub(crate) fn run(mut command: Command, limit: Duration) -> Run {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    tie(&mut command);
    // Its last words are to be what went wrong.
    command.env("RUST_BACKTRACE", "0");
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Run::Failed(format!("can't be started: {error}")),
    };
    let out = child.stdout.take().map(|out| thread::spawn(move || read(out)));
    let err = child.stderr.take().map(|err| thread::spawn(move || read(err)));
    let (usage, in_time) = await_end(&child, limit);
    let said = |reader: Option<thread::JoinHandle<Said>>| {
        reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
    };
    let (out, err) = (said(out), said(err));
    let last = if err.last_words.is_empty() { out.last_words } else { err.last_words };
    conclude(out.lines, &last, usage, in_time, limit)
}

/// Waits for the end of the group's leader, or ends it, and then whatever is left.
fn await_end(child: &Child, limit: Duration) -> (Result<Usage, String>, bool) {
    let pid = Pid::from_child(child);
    let (ended, end) = channel();
    let waiter = thread::spawn(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let _ = ended.send(waitid(WaitId::Pid(pid), options).is_ok());
    });
    let in_time = end.recv_timeout(limit) != Err(RecvTimeoutError::Timeout);
    // The leader has not been collected, so the group is still its own. None may be left.
    let _ = kill_process_group(pid, Signal::KILL);
    let _ = waiter.join();
    (usage::wait(child).map_err(|error| format!("lost: {error}")), in_time)
}

#[derive(Default)]
struct Said {
    lines: Vec<Line>,
    /// What was no line of ours.
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

/// What Rust adds to every panic says nothing about this one.
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

fn conclude(
    lines: Vec<Line>,
    last_words: &str,
    usage: Result<Usage, String>,
    in_time: bool,
    limit: Duration,
) -> Run {
    let because = |why: String| match last_words {
        "" => why,
        words => format!("{why}: {words}"),
    };
    let mut figures = Vec::new();
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
        }
    }
    if !in_time {
        return Run::Hung(because(format!("no end after {} s", limit.as_secs())));
    }
    match usage {
        Err(why) => Run::Failed(because(why)),
        Ok(usage) => match usage.failure() {
            Some(why) => Run::Failed(because(why)),
            None => {
                figures.push((CPU.into(), Ok(usage.cpu.as_secs_f64())));
                figures.push((PEAK.into(), Ok(usage.peak_bytes as f64 / 1_048_576.0)));
                Run::Done(figures)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Run {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, Duration::from_secs(20))
    }

    #[test]
    fn figures_come_with_what_the_kernel_counted() {
        let Run::Done(figures) = shell(r#"echo '{"metric":"a","value":2}'"#) else { panic!() };
        let names: Vec<&str> = figures.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", CPU, PEAK]);
        assert!(figures[2].1.as_ref().is_ok_and(|mib| *mib > 0.1), "{figures:?}");
    }

    #[test]
    fn failures_say_the_last_words() {
        let cases = [
            ("echo first >&2; echo 'out of luck' >&2; exit 3", "exit code 3: out of luck"),
            ("echo '{\"failed\":\"lost 3\"}'; exit 1", "lost 3"),
            ("kill -9 $$", "killed by signal 9"),
        ];
        for (script, expected) in cases {
            assert!(matches!(shell(script), Run::Failed(why) if why == expected), "{script}");
        }
        assert!(matches!(shell("echo '{\"cannot\":\"b\"}'"), Run::Cannot(why) if why == "b"));
        assert!(matches!(shell("echo '{\"hung\":\"b\"}'"), Run::Hung(why) if why == "b"));
    }

    #[test]
    fn one_that_hangs_is_ended_with_all_that_it_started() {
        let mut command = Command::new("sh");
        // The reader of the output would wait for the second of them.
        command.args(["-c", "echo here; sleep 1000 & sleep 1000"]);
        let run = run(command, Duration::from_millis(300));
        assert!(matches!(&run, Run::Hung(why) if why == "no end after 0 s: here"), "{run:?}");
    }

    #[test]
    fn what_is_left_behind_is_ended() {
        assert!(matches!(shell("sleep 1000 & true"), Run::Done(_)));
    }
}
