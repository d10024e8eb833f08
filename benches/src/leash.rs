//! A small program, [`command`], between this program and a program that it starts. It has two
//! purposes:
//!
//! - It keeps what it starts on a leash, which is its standard input. When this program ends for
//!   any reason, standard input is closed, and the whole process group is killed.
//! - It is small. The kernel's count of a program's peak memory includes the memory of the program
//!   that started it. So a program that a large program starts would seem to be as large.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Output, Stdio, exit};

use fika_bench_kit::{end_group_with_stdin, tie};
use serde_json::json;

use crate::system::this_program;
use crate::usage;

/// Returns a command that runs `inner` on a leash. Its last line says what `inner` has used; see
/// [`crate::line`].
pub(crate) fn command(inner: &Command) -> Command {
    let mut leashed = this_program("leashed");
    leashed.arg(inner.get_program()).args(inner.get_args());
    if let Some(folder) = inner.get_current_dir() {
        leashed.current_dir(folder);
    }
    leashed
}

/// Starts a [`command`]. The returned child holds the leash.
pub(crate) fn start(command: &mut Command) -> std::io::Result<Child> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).spawn()
}

/// Runs `inner` until it or this program ends.
pub(crate) fn output(inner: &Command) -> std::io::Result<Output> {
    let mut child = start(&mut command(inner))?;
    // Keeps standard input open until the output has ended.
    let _leash = child.stdin.take();
    child.wait_with_output()
}

/// Runs the small program.
pub(crate) fn run(program: &str, args: &[String]) -> Result<(), String> {
    end_group_with_stdin();
    let mut command = Command::new(program);
    let child = tie(&mut command).args(args).stdin(Stdio::null()).spawn();
    let child = child.map_err(|error| format!("{program} can't be run: {error}"))?;
    let usage = usage::wait(&child).map_err(|error| format!("{program} is lost: {error}"))?;
    let peak_mib = usage.peak_bytes as f64 / 1_048_576.0;
    let used = json!({
        "cpu_s": usage.cpu.as_secs_f64(), "peak_mib": peak_mib, "failure": usage.failure(),
    });
    println!("{used}");
    exit(usage.exit_code());
}
