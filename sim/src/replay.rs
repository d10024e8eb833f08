//! How a run is seen again: the command, and the file with the log.
//!
//! What test it is, is known by the name of the thread that libtest runs it in.

use std::path::{Path, PathBuf};

/// The command that runs a seed again, with its log.
///
/// It names no more than it has to, and builds what it names: so it is of use after a change,
/// too. What is no test is run as this program was.
pub(crate) fn replay(seed: u64) -> String {
    let what = match test() {
        Some(test) => {
            let package = std::env::var("CARGO_PKG_NAME");
            let package = package.map_or(String::new(), |name| format!(" -p {name}"));
            let program = std::env::current_exe().unwrap_or_default();
            let folder = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
            let target = folder.and_then(|folder| target(&program, &folder)).unwrap_or_default();
            let profile = profile(&program);
            format!("cargo test{profile}{package}{target} {test} -- --exact --nocapture")
        }
        None => std::env::args().map(|arg| quoted(&arg)).collect::<Vec<_>>().join(" "),
    };
    format!("FIKA_SIM_SEED={seed} {what}")
}

/// The name of the test that runs, if it is one.
pub(crate) fn test() -> Option<String> {
    let thread = std::thread::current();
    thread.name().filter(|name| *name != "main").map(str::to_owned)
}

/// How to tell cargo which of a package's programs this one is, so that it builds no other. The
/// file's name is its name, with a hash.
fn target(program: &Path, package: &Path) -> Option<String> {
    let name = stem(program);
    let tests = package.join("tests");
    if tests.join(format!("{name}.rs")).is_file() || tests.join(&name).join("main.rs").is_file() {
        return Some(format!(" --test {name}"));
    }
    let is_lib = package.join("src/lib.rs").is_file()
        && std::env::var("CARGO_PKG_NAME").is_ok_and(|package| package.replace('-', "_") == name);
    is_lib.then(|| " --lib".to_owned())
}

/// How to tell cargo the profile, which is a folder's name.
fn profile(program: &Path) -> String {
    let folder = program.ancestors().nth(2).and_then(|folder| folder.file_name()?.to_str());
    match folder {
        None | Some("debug") => String::new(),
        Some("release") => " --release".to_owned(),
        Some(other) => format!(" --profile {}", quoted(other)),
    }
}

/// A program's name, without cargo's hash.
fn stem(program: &Path) -> String {
    let stem = program.file_stem().unwrap_or_default().to_string_lossy();
    let is_hash = |end: &str| end.len() == 16 && end.bytes().all(|b| b.is_ascii_hexdigit());
    match stem.rsplit_once('-') {
        Some((name, end)) if is_hash(end) => name.to_owned(),
        _ => stem.into_owned(),
    }
}

/// As a shell takes it.
fn quoted(arg: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !arg.is_empty() && arg.chars().all(is_plain) {
        return arg.to_owned();
    }
    format!("'{}'", arg.replace('\'', r"'\''"))
}

/// Writes a log into cargo's target folder, or where else there is room; where it is. Each test
/// has files of its own.
pub(crate) fn write(log: &str, seed: u64) -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    // Cargo marks its folder with this.
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let folder = target.map_or_else(std::env::temp_dir, Path::to_owned).join("sim");
    std::fs::create_dir_all(&folder).ok()?;
    let test = test().map_or(String::new(), |test| format!("-{}", test.replace("::", ".")));
    let file = folder.join(format!("{}{test}-{seed}.log", stem(&program)));
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
        let command = replay(7);
        let test = "replay::tests::a_command_is_as_a_shell_takes_it -- --exact --nocapture";
        let of_lib = format!("-p fika-sim --lib {test}");
        assert!(command.starts_with("FIKA_SIM_SEED=7 cargo test "), "{command}");
        assert!(command.ends_with(&of_lib), "{command}");
    }

    #[test]
    fn programs_are_known_by_their_files() {
        let cases = [
            ("/t/debug/deps/sim-7de86202f6a9f754", "sim", ""),
            ("/t/release/deps/sim-7de86202f6a9f754", "sim", " --release"),
            ("/t/x86/quick/deps/some-tests-7de86202f6a9f754", "some-tests", " --profile quick"),
            ("/t/debug/examples/sim_partition", "sim_partition", ""),
            ("/t/debug/examples/two-words", "two-words", ""),
        ];
        for (program, name, with) in cases {
            assert_eq!(
                (stem(Path::new(program)), profile(Path::new(program))),
                (name.into(), with.into())
            );
        }
    }
}
