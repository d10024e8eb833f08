//! How to run a seed again: the command, and the file with the log.
//!
//! libtest names each thread after the test that it runs, which gives the test's name.

use std::path::{Path, PathBuf};

/// Returns the command that runs a seed again, with its log.
///
/// For a test, the command builds only the package and target of the test, so it also works after a
/// change of the code. Any other program is run as it was started.
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

/// Returns the name of the running test; `None` if this thread runs none.
pub(crate) fn test() -> Option<String> {
    let thread = std::thread::current();
    thread.name().filter(|name| *name != "main").map(str::to_owned)
}

/// Returns cargo's options for this program, so that cargo builds no other program of the package.
/// The file name is the program's name and a hash.
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

/// Returns cargo's option for the profile, which is the name of a folder.
fn profile(program: &Path) -> String {
    let folder = program.ancestors().nth(2).and_then(|folder| folder.file_name()?.to_str());
    match folder {
        None | Some("debug") => String::new(),
        Some("release") => " --release".to_owned(),
        Some(other) => format!(" --profile {}", quoted(other)),
    }
}

/// Returns a program's name without cargo's hash.
fn stem(program: &Path) -> String {
    let stem = program.file_stem().unwrap_or_default().to_string_lossy();
    let is_hash = |end: &str| end.len() == 16 && end.bytes().all(|b| b.is_ascii_hexdigit());
    match stem.rsplit_once('-') {
        Some((name, end)) if is_hash(end) => name.to_owned(),
        _ => stem.into_owned(),
    }
}

/// Quotes an argument for a shell.
fn quoted(arg: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !arg.is_empty() && arg.chars().all(is_plain) {
        return arg.to_owned();
    }
    format!("'{}'", arg.replace('\'', r"'\''"))
}

/// Writes a log to cargo's target folder, or to the folder for temporary files, and returns its
/// path. Each test has its own files.
pub(crate) fn write(log: &str, seed: u64) -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    // Cargo marks its folder with this file.
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
    fn a_command_is_quoted_for_a_shell() {
        let cases = [("a/b-c", "a/b-c"), ("a b", "'a b'"), ("", "''"), ("it's", r"'it'\''s'")];
        for (arg, taken) in cases {
            assert_eq!(quoted(arg), taken);
        }
        let command = replay(7);
        let test = "replay::tests::a_command_is_quoted_for_a_shell -- --exact --nocapture";
        let of_lib = format!("-p fika-sim --lib {test}");
        assert!(command.starts_with("FIKA_SIM_SEED=7 cargo test "), "{command}");
        assert!(command.ends_with(&of_lib), "{command}");
    }

    #[test]
    fn the_command_names_the_program_and_its_profile() {
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
