//! The operating system's facts about a worker's thread: its CPU time, and whether it waits.
//!
//! Only Linux provides this. Elsewhere [`HostThread::cpu_time`] returns `None`.

use std::time::Duration;

/// A thread of the operating system.
pub(super) struct HostThread {
    #[cfg(all(target_os = "linux", not(miri)))]
    tid: nix::unistd::Pid,
}

#[cfg(all(target_os = "linux", not(miri)))]
impl HostThread {
    pub(super) fn current() -> HostThread {
        HostThread { tid: nix::unistd::gettid() }
    }

    /// Returns the CPU time that the thread has used. `None` if the system does not provide it.
    pub(super) fn cpu_time(&self) -> Option<Duration> {
        /// The low bits of a clock id: the clock of one thread, with nanosecond resolution
        /// (`CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED` of the kernel). `pthread_getcpuclockid`
        /// returns the same id.
        const THREAD_CLOCK: i32 = 4 | 2;
        let clock = nix::time::ClockId::from_raw((!self.tid.as_raw() << 3) | THREAD_CLOCK);
        clock.now().ok().map(Duration::from)
    }

    /// Returns whether the thread waits for something other than a processor: a lock, a timer or a
    /// file. `None` if the system does not say: without `/proc`, or if no file descriptor is left.
    pub(super) fn is_blocked(&self) -> Option<bool> {
        // Opened for each call: otherwise a node would need two file descriptors for each worker.
        let stat = std::fs::read_to_string(format!("/proc/self/task/{}/stat", self.tid));
        state(&stat.ok()?).map(|state| matches!(state, 'S' | 'D'))
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

    pub(super) fn is_blocked(&self) -> Option<bool> {
        None
    }
}

/// Returns the state in a line of `/proc/<pid>/stat`: the field after the thread's name. The name
/// is in parentheses and may itself contain parentheses and spaces.
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
    fn the_state_is_read_after_the_thread_name() {
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

    /// A thread's clock advances while the thread computes, and stands still while it waits.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "the thread of a test")]
    fn the_clock_of_another_thread() {
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
        while other.is_blocked() != Some(true) {
            thread::yield_now();
        }
        let waiting = other.cpu_time().unwrap();
        assert!(waiting < used + Duration::from_secs(1), "{waiting:?}");
        assert_eq!(other.is_blocked(), Some(true));
        assert_eq!(other.cpu_time(), Some(waiting), "a thread that waits uses no time");
        assert_eq!(HostThread::current().is_blocked(), Some(false));
        release.send(()).unwrap();
        thread.join().unwrap();
    }
}
