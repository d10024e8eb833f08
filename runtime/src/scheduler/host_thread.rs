//! What the operating system says of a worker's thread: how long it has run, and whether it
//! waits for something.
//!
//! Only Linux tells one thread about another. Elsewhere [`HostThread::cpu_time`] is `None`.

use std::time::Duration;

/// A thread, as the operating system knows it.
pub(super) struct HostThread {
    #[cfg(all(target_os = "linux", not(miri)))]
    tid: nix::unistd::Pid,
}

#[cfg(all(target_os = "linux", not(miri)))]
impl HostThread {
    /// The calling thread.
    pub(super) fn current() -> HostThread {
        HostThread { tid: nix::unistd::gettid() }
    }

    /// Returns the time for which the thread has run on a processor. `None` if the system does
    /// not say.
    pub(super) fn cpu_time(&self) -> Option<Duration> {
        /// Marks the clock of one thread that counts its run time to the nanosecond
        /// (`CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED` of the kernel). It is what
        /// `pthread_getcpuclockid` returns.
        const THREAD_CLOCK: i32 = 4 | 2;
        let clock = nix::time::ClockId::from_raw((!self.tid.as_raw() << 3) | THREAD_CLOCK);
        clock.now().ok().map(Duration::from)
    }

    /// Returns whether the thread waits for something other than a processor: for a lock, a
    /// timer or a file. `false` if the system does not say.
    pub(super) fn is_blocked(&self) -> bool {
        // Not opened ahead of time: a node should not need two descriptors for each worker.
        let stat = std::fs::read_to_string(format!("/proc/self/task/{}/stat", self.tid));
        stat.is_ok_and(|stat| matches!(state(&stat), Some('S' | 'D')))
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
#[allow(clippy::unused_self, reason = "what Linux can tell")]
impl HostThread {
    pub(super) fn current() -> HostThread {
        HostThread {}
    }

    pub(super) fn cpu_time(&self) -> Option<Duration> {
        None
    }

    pub(super) fn is_blocked(&self) -> bool {
        false
    }
}

/// The state in a line of `/proc/<pid>/stat`: the field after the thread's name, which is in
/// brackets and may itself have brackets and spaces.
#[cfg(all(target_os = "linux", not(miri)))]
fn state(stat: &str) -> Option<char> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.trim_start().chars().next()
}

#[cfg(all(test, target_os = "linux", not(any(loom, shuttle, miri))))]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn the_state_comes_after_the_name() {
        let cases = [
            ("12 (n@h worker) R 1 2 3", Some('R')),
            ("12 (a) S (b) D 1", Some('D')),
            ("12 (unfinished", None),
            ("", None),
        ];
        for (stat, expected) in cases {
            assert_eq!(state(stat), expected, "{stat}");
        }
    }

    /// The clock of a thread counts while it computes, and stands still while it waits.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "the thread of a test")]
    fn another_thread() {
        let (tell, told) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            let own = HostThread::current();
            let begun = own.cpu_time().unwrap();
            while own.cpu_time().unwrap() < begun + Duration::from_millis(20) {
                std::hint::spin_loop();
            }
            tell.send(own).unwrap();
            let _ = released.recv();
        });
        let other = told.recv().unwrap();
        let used = other.cpu_time().unwrap();
        assert!(used >= Duration::from_millis(20), "{used:?}");
        while !other.is_blocked() {
            thread::yield_now();
        }
        let waiting = other.cpu_time().unwrap();
        assert!(waiting < used + Duration::from_secs(1), "{waiting:?}");
        assert!(other.is_blocked());
        assert_eq!(other.cpu_time(), Some(waiting), "a thread that waits uses no time");
        assert!(!HostThread::current().is_blocked());
        release.send(()).unwrap();
        thread.join().unwrap();
    }
}
