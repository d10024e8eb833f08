//! When a program of a benchmark ends: with the one that started it. Nothing is left behind
//! by a benchmark that is interrupted, or killed.
//!
//! A program that starts no others that it can't tie is tied by the kernel
//! ([`die_with_parent`]); one that does is on a leash, with its whole process group
//! ([`end_group_with_stdin`]).

use std::io;
use std::process::{Command, id};
use std::thread;

use rustix::process::{
    Signal, getpgrp, getpid, getppid, kill_process_group, set_parent_process_death_signal,
};

/// The environment variable that names the OS process that started this one.
const PARENT: &str = "FIKA_BENCH_PARENT";

/// Tells the program that `command` starts by whom it is started; it is to call
/// [`die_with_parent`].
pub fn tie(command: &mut Command) -> &mut Command {
    command.env(PARENT, id().to_string())
}

/// Has this program killed when the one that started it ends: the thread that did, to be
/// precise.
pub fn die_with_parent() {
    // Where it can't be had, only an interrupted benchmark leaves something behind.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let parent = getppid().map(|parent| parent.as_raw_nonzero().to_string());
    // It may have ended before.
    if std::env::var(PARENT).is_ok_and(|started_by| parent != Some(started_by)) {
        std::process::exit(1);
    }
}

/// Waits until standard input is closed: the leash of a node that another program started.
pub fn until_stdin_ends() {
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
}

/// Has this program, and all else of the process group that it leads, killed when standard
/// input is closed. If it leads none, it does nothing.
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
