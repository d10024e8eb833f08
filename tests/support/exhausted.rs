//! Programs to which the system refuses threads or descriptors. Each program is this test binary
//! again, with a separate user, so that no other program is affected.

use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, getuid, setrlimit};

/// The environment variable that marks such a program.
const INNER: &str = "FIKA_TEST_ALONE";

/// Runs the test with this name again, in a separate program. Returns true in that program.
#[must_use]
pub(crate) fn is_alone(test: &str) -> bool {
    if std::env::var_os(INNER).is_some() {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().expect("this program has a file"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(INNER, "1");
    // The system refuses the superuser nothing.
    if getuid().is_root() {
        let user = 60_000 + std::process::id() % 5000;
        command.uid(user).gid(user);
    }
    let output = command.output().expect("this program can be started again");
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success() && text[0].contains("1 passed"), "{}", text.concat());
    false
}

/// A limit on a resource that the system gives to this program.
pub(crate) struct Limits {
    resource: Resource,
    before: Rlimit,
}

impl Limits {
    /// Allows no further thread.
    pub(crate) fn no_threads() -> Limits {
        Limits::set(Resource::Nproc, 1)
    }

    /// Allows this many further descriptors.
    pub(crate) fn descriptors(further: usize) -> Limits {
        // The limit applies to descriptor numbers, and the system assigns the lowest free number.
        let mut free = Vec::new();
        while free.len() <= further {
            free.push(std::fs::File::open("/dev/null").expect("there are descriptors"));
        }
        let highest = free[further].as_raw_fd();
        drop(free);
        Limits::set(Resource::Nofile, u64::try_from(highest).expect("it is open"))
    }

    fn set(resource: Resource, current: u64) -> Limits {
        let before = getrlimit(resource);
        let limit = Rlimit { current: Some(current), maximum: before.maximum };
        setrlimit(resource, limit).expect("it is made smaller");
        Limits { resource, before }
    }
}

/// Restores the previous limit.
impl Drop for Limits {
    fn drop(&mut self) {
        setrlimit(self.resource, self.before).expect("it was so before");
    }
}

/// Returns the number of threads and of descriptors of this program.
pub(crate) fn used() -> (usize, usize) {
    let count = |folder: &str| std::fs::read_dir(folder).expect("Linux has it").count();
    // The descriptor that was used for counting is closed again.
    (count("/proc/self/task"), count("/proc/self/fd") - 1)
}
