//! Ends a benchmark program together with the program that started it, so that an interrupted or
//! killed benchmark leaves nothing behind.
//!
//! A program that calls [`die_with_parent`] is killed by the kernel when its parent ends. A program
//! whose children can't call it leads a process group instead, and kills the whole group when its
//! standard input is closed ([`end_group_with_stdin`]).

use std::io;
use std::process::{Command, id};
use std::thread;

use rustix::process::{
    Signal, getpgrp, getpid, getppid, kill_process_group, set_parent_process_death_signal,
};

/// The environment variable with the id of the OS process that started this one.
const PARENT: &str = "FIKA_BENCH_PARENT";

/// Passes the id of this OS process to the program that `command` starts, for its call of
/// [`die_with_parent`].
pub fn tie(command: &mut Command) -> &mut Command {
    command.env(PARENT, id().to_string())
}

/// Asks the kernel to kill this program when the thread that started it ends.
pub fn die_with_parent() {
    // If the kernel refuses, this program outlives an interrupted benchmark, and nothing else
    // changes.
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
