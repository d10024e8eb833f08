//! What is said when a simulation has not gone as it should.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a simulation failed, when, and how to see it again.
pub struct Failure {
    /// The seed of the simulation.
    pub seed: u64,
    /// When it was, in simulated time.
    pub at: Duration,
    /// What went wrong.
    pub why: String,
    /// What the seed led to: the network's quality and the faults.
    pub options: String,
    /// The last that happened, a line each: time, node, process, what.
    pub log: Vec<String>,
    /// Where all that happened is written, if the simulation kept its log.
    pub file: Option<PathBuf>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.log {
            writeln!(f, "{line}")?;
        }
        writeln!(f)?;
        writeln!(f, "seed {} failed after {:?}: {}", self.seed, self.at, self.why)?;
        writeln!(f, "  {}", self.options)?;
        if let Some(file) = &self.file {
            writeln!(f, "  the whole log: {}", file.display())?;
        }
        write!(f, "  to see it again: {}", replay(self.seed))
    }
}

/// As it is displayed: a test that returns it prints this.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl std::error::Error for Failure {}

/// The command that runs a seed again, with its log.
///
/// In a test it is known by the name of the thread; anything else is run as this program was.
pub(crate) fn replay(seed: u64) -> String {
    let thread = std::thread::current();
    let what = match thread.name().filter(|name| *name != "main") {
        Some(test) => {
            let package = std::env::var("CARGO_PKG_NAME");
            let package = package.map_or(String::new(), |name| format!(" -p {name}"));
            let file = test_file().map_or(String::new(), |name| format!(" --test {name}"));
            format!("cargo test{package}{file} {test} -- --exact --nocapture")
        }
        None => std::env::args().map(|arg| quoted(&arg)).collect::<Vec<_>>().join(" "),
    };
    format!("FIKA_SIM_SEED={seed} {what}")
}

/// The name of the file in `tests` that this program was made of, if it was: so that the command
/// builds nothing else. Cargo adds a hash to it.
fn test_file() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    let (name, _) = program.file_stem()?.to_str()?.rsplit_once('-')?;
    let tests = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR")?).join("tests");
    let is_there =
        tests.join(format!("{name}.rs")).is_file() || tests.join(name).join("main.rs").is_file();
    is_there.then(|| name.to_owned())
}

/// As a shell takes it.
fn quoted(arg: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !arg.is_empty() && arg.chars().all(is_plain) {
        return arg.to_owned();
    }
    format!("'{}'", arg.replace('\'', r"'\''"))
}

/// Writes a log into cargo's target folder, or where else there is room; where it is.
pub(crate) fn write(log: &str, seed: u64) -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    // Cargo marks its folder with this.
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let folder = target.map_or_else(std::env::temp_dir, Path::to_owned).join("sim");
    std::fs::create_dir_all(&folder).ok()?;
    let file = folder.join(format!("{seed}.log"));
    std::fs::write(&file, log).ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_as_a_shell_takes_it() {
        let cases = [("a/b-c", "a/b-c"), ("a b", "'a b'"), ("", "''"), ("it's", r"'it'\''s'")];
        for (arg, taken) in cases {
            assert_eq!(quoted(arg), taken);
        }
        let test = "failure::tests::a_command_is_as_a_shell_takes_it";
        let command =
            format!("FIKA_SIM_SEED=7 cargo test -p fika-sim {test} -- --exact --nocapture");
        assert_eq!(replay(7), command);
    }
}
