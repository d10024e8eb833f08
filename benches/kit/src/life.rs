//! When a program of a benchmark ends: with the one that started it.

use std::io;

/// Has this program killed when the one that started it ends, so that nothing is left
/// behind by an interrupted benchmark.
pub fn die_with_parent() {
    // Where it can't be had, only an interrupted benchmark leaves something behind.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
}

/// Waits until standard input is closed: the leash of a node that another program started.
pub fn until_stdin_ends() {
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
}
