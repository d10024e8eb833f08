//! Programs to which the system refuses threads or descriptors: this test binary again, as a
//! program and a user of its own, so that nobody else is short of them.

use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, getuid, setrlimit};

/// Says in the environment that the program is such a one.
const INNER: &str = "FIKA_TEST_ALONE";

/// Runs the test with this name again, in a program of its own; true in that program.
#[must_use]
pub(crate) fn is_alone(test: &str) -> bool {
    if std::env::var_os(INNER).is_some() {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().expect("this program has a file"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(INNER, "1");
    // The superuser is refused nothing.
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

/// What the system gives this program from now on.
pub(crate) struct Limits {
    resource: Resource,
    before: Rlimit,
}

impl Limits {
    /// No further thread.
    pub(crate) fn no_threads() -> Limits {
        Limits::set(Resource::Nproc, 1)
    }

    /// So many further descriptors.
    pub(crate) fn descriptors(further: usize) -> Limits {
        // The limit is above the numbers, of which the lowest free one is given.
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

/// All that it gave before.
impl Drop for Limits {
    fn drop(&mut self) {
        setrlimit(self.resource, self.before).expect("it was so before");
    }
}

/// How many threads, and how many descriptors, this program has.
pub(crate) fn used() -> (usize, usize) {
    let count = |folder: &str| std::fs::read_dir(folder).expect("Linux has it").count();
    // The one by which they are counted is gone again.
    (count("/proc/self/task"), count("/proc/self/fd") - 1)
}
