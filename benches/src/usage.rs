//! The end of a child, with what the kernel counted for it and for all that it waited for.
//!
//! The one file of the benchmarks with unsafe code: the standard library waits for a child,
//! and forgets what it used.
#![allow(unsafe_code)]

use std::io;
use std::process::Child;
use std::time::Duration;

/// What a child and its own children used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    /// The largest of them. The kernel counts the memory of the program that started the
    /// child as well, so no less than that can be seen.
    pub(crate) peak_bytes: u64,
    /// As wait(2) encodes it.
    status: i32,
}

impl Usage {
    /// How it ended, if not well.
    pub(crate) fn failure(&self) -> Option<String> {
        if libc::WIFSIGNALED(self.status) {
            return Some(format!("killed by signal {}", libc::WTERMSIG(self.status)));
        }
        match libc::WEXITSTATUS(self.status) {
            0 => None,
            code => Some(format!("exit code {code}")),
        }
    }

    /// What to end with after it: the same, if it has ended by itself.
    pub(crate) fn exit_code(&self) -> i32 {
        if libc::WIFEXITED(self.status) { libc::WEXITSTATUS(self.status) } else { 1 }
    }
}

/// Waits for the end of `child`. Nobody else may: its number would be another's then.
pub(crate) fn wait(child: &Child) -> io::Result<Usage> {
    let pid = i32::try_from(child.id()).expect("the kernel's numbers fit");
    let mut status = 0;
    // SAFETY: `rusage` is a C struct of numbers, for which zeros are values.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to locals that outlive the call.
    if unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    let peak_bytes = u64::try_from(usage.ru_maxrss).unwrap_or_default() * 1024;
    Ok(Usage { cpu: time(usage.ru_utime) + time(usage.ru_stime), peak_bytes, status })
}
