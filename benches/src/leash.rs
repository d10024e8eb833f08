//! A program of others that is to end with this one, with all that it starts: `cargo`.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output, Stdio, exit};

use fika_bench_kit::end_group_with_stdin;

use crate::system::this_program;

/// Runs `command` to its end, or to that of this program.
pub(crate) fn output(command: &Command) -> std::io::Result<Output> {
    let mut leashed = this_program("leashed");
    leashed.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        leashed.current_dir(folder);
    }
    leashed.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = leashed.spawn()?;
    // Open until the output has ended.
    let _leash = child.stdin.take();
    child.wait_with_output()
}

/// The other end of the leash.
pub(crate) fn run(program: &str, args: &[String]) -> Result<(), String> {
    end_group_with_stdin();
    let status = Command::new(program).args(args).stdin(Stdio::null()).status();
    let status = status.map_err(|error| format!("{program} can't be run: {error}"))?;
    exit(status.code().unwrap_or(1));
}
