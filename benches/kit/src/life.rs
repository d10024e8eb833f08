//! Ends a benchmark program together with the program that started it, so that an interrupted or
//! killed benchmark leaves nothing behind.
//!
//! The kernel kills a program whose parent ends ([`die_with_parent`]). A program that starts other
//! programs without this protection is ended with its whole process group when its standard input
//! is closed ([`end_group_with_stdin`]).

use std::io;
use std::process::{Command, id};
use std::thread;

use rustix::process::{
    Signal, getpgrp, getpid, getppid, kill_process_group, set_parent_process_death_signal,
};

/// The environment variable that names the OS process that started this one.
const PARENT: &str = "FIKA_BENCH_PARENT";

/// Tells the program that `command` starts which process started it. The program must call
/// [`die_with_parent`].
pub fn tie(command: &mut Command) -> &mut Command {
    command.env(PARENT, id().to_string())
}

/// Has this program killed when the thread that started it ends.
pub fn die_with_parent() {
    // If the kernel refuses, only an interrupted benchmark leaves this program behind.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let parent = getppid().map(|parent| parent.as_raw_nonzero().to_string());
    // The parent may have ended before the call.
    if std::env::var(PARENT).is_ok_and(|started_by| parent != Some(started_by)) {
        std::process::exit(1);
    }
}

/// Waits until standard input is closed.
pub fn until_stdin_ends() {
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
}

/// Kills the process group that this program leads when standard input is closed. Does nothing if
/// this program is not the leader of a group.
#[allow(clippy::disallowed_methods, reason = "a thread of the benchmark")]
pub fn end_group_with_stdin() {
    if getpgrp() != getpid() {
        return;
    }
    thread::spawn(|| {
        until_stdin_ends();
        let _ = kill_process_group(getpgrp(), Signal::KILL);
    });
}
