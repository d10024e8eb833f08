//! Waits for a child, and returns the resources that the kernel has counted for the child and for
//! all children that it has waited for.
//!
//! This is the only file of the benchmarks with unsafe code. The standard library waits for a child
//! without returning what the child has used.
#![allow(unsafe_code)]

use std::io;
use std::process::Child;
use std::time::Duration;

/// The resources that a child and its own children have used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    /// The peak memory of the largest of these processes. The kernel also counts the memory of the
    /// program that started the child, so the figure is never smaller than that.
    pub(crate) peak_bytes: u64,
    /// The status, as wait(2) encodes it.
    status: i32,
}

impl Usage {
    /// Returns how the child failed, if it did.
    pub(crate) fn failure(&self) -> Option<String> {
        if libc::WIFSIGNALED(self.status) {
            return Some(format!("killed by signal {}", libc::WTERMSIG(self.status)));
        }
        match libc::WEXITSTATUS(self.status) {
            0 => None,
            code => Some(format!("exit code {code}")),
        }
    }

    /// Returns the exit code of the child, if it ended by itself.
    pub(crate) fn exit_code(&self) -> i32 {
        if libc::WIFEXITED(self.status) { libc::WEXITSTATUS(self.status) } else { 1 }
    }
}

/// Waits for the end of `child`. Nothing else may wait for it, or another process could get its
/// number.
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
