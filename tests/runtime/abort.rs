//! A program built with `panic = "abort"`: the first panic ends it, and is reported.
#![deny(warnings)]
#![cfg(unix)]

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Builds the program of `tests/abort`. Returns its file.
fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // This test's file is in `<target>/<profile>/deps`.
    let own = std::env::current_exe().unwrap();
    let target = own.ancestors().nth(3).unwrap();
    let built = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["build", "--quiet", "--package", "fika-abort", "--profile", "abort"])
        .arg("--target-dir")
        .arg(target)
        .env_remove("CARGO_BUILD_TARGET")
        .status()
        .unwrap();
    assert!(built.success(), "{built}");
    target.join("abort/fika-abort")
}

fn run(program: &Path, way: Option<&str>) -> (Output, String) {
    let output = Command::new(program).args(way).env("RUST_BACKTRACE", "0").output().unwrap();
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    (output, stderr)
}

#[test]
fn the_reason_is_printed_before_the_program_aborts() {
    let program = build();
    let (output, stderr) = run(&program, None);
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
    let own = "the program ends with it, since its profile has `panic = \"abort\"`";
    let cases: [(&str, &[&str]); 4] = [
        ("panic", &["panicked at tests/abort/src/main.rs", "it broke: 7"]),
        ("blocking", &["panicked at tests/abort/src/main.rs", "it broke: 7"]),
        ("exit", &["a process ends with reason shutdown", own]),
        ("error", &["a process ends with reason badarg", "nobody has this name", own]),
    ];
    for (way, parts) in cases {
        let (output, stderr) = run(&program, Some(way));
        // SIGABRT.
        assert_eq!(output.status.signal(), Some(6), "{way}: {}", output.status);
        for part in parts {
            assert!(stderr.contains(part), "{way}: no `{part}` in:\n{stderr}");
        }
    }
}
