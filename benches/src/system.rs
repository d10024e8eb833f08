//! The systems that are compared, and how a workload is started on each.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fmt, fs};

use clap::ValueEnum;
use fika_bench_kit::Params;
use serde::{Deserialize, Serialize};

use crate::{beam, leash};

/// The prefix of workloads between nodes.
const REMOTE: &str = "remote.";

/// A system.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum System {
    /// This project
    Fika,
    /// Erlang/OTP, as installed
    Beam,
    /// Plain tokio: tasks with channels
    Tokio,
    /// ractor and ractor_cluster
    Ractor,
    /// kameo
    Kameo,
    /// actix
    Actix,
    /// hydra
    Hydra,
    /// The machine itself: allocation, queues, futexes, raw TCP
    Floor,
}

impl System {
    pub(crate) const ALL: [System; 8] = [
        System::Fika,
        System::Beam,
        System::Tokio,
        System::Ractor,
        System::Kameo,
        System::Actix,
        System::Hydra,
        System::Floor,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            System::Fika => "fika",
            System::Beam => "beam",
            System::Tokio => "tokio",
            System::Ractor => "ractor",
            System::Kameo => "kameo",
            System::Actix => "actix",
            System::Hydra => "hydra",
            System::Floor => "floor",
        }
    }

    /// Builds the system's programs, if necessary.
    pub(crate) fn prepare(self) -> Result<(), String> {
        match self {
            System::Fika => Ok(()),
            System::Beam => beam::compile(),
            _ => self.packages().into_iter().try_for_each(build),
        }
    }

    /// Returns the command that runs a workload once.
    pub(crate) fn command(self, workload: &str, params: &Params) -> Command {
        let mut command = match self {
            System::Fika => this_program("run"),
            System::Beam => this_program("beam"),
            _ => Command::new(peers_target().join("release").join(self.package_of(workload))),
        };
        command.arg(workload).args(params.to_string().split(' ').filter(|word| !word.is_empty()));
        command
    }

    /// Returns the system's version, as far as it is known.
    pub(crate) fn version(self) -> String {
        match self {
            System::Fika => format!("{}, commit {}", env!("CARGO_PKG_VERSION"), commit()),
            System::Beam => beam::version(),
            System::Floor => output("uname", &["-sr"]),
            _ => locked_version(&lock_file(), self.name()).unwrap_or_else(|| "unknown".into()),
        }
    }

    /// Returns the packages of the system's programs. If remote actors are a feature that makes
    /// local ones slower, the workloads between nodes have a package of their own.
    fn packages(self) -> Vec<&'static str> {
        let mut packages = vec![self.package_of("local"), self.package_of(REMOTE)];
        packages.dedup();
        packages
    }

    /// Returns the package that has a workload. The program has the name of the package.
    fn package_of(self, workload: &str) -> &'static str {
        match (self, workload.starts_with(REMOTE)) {
            (System::Ractor, true) => "ractor-cluster-peer",
            (System::Ractor, false) => "ractor-peer",
            (System::Kameo, true) => "kameo-remote-peer",
            (System::Kameo, false) => "kameo-peer",
            (System::Tokio, _) => "tokio-peer",
            (System::Actix, _) => "actix-peer",
            (System::Hydra, _) => "hydra-peer",
            (System::Floor | System::Fika | System::Beam, _) => "floor-peer",
        }
    }
}

/// Builds a package of `peers` by itself, so that only its own features are enabled.
fn build(package: &str) -> Result<(), String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut build = Command::new(cargo);
    build
        .args(["build", "--release", "--locked", "--quiet", "--package", package])
        .arg("--target-dir")
        .arg(peers_target())
        .current_dir(sources().join("peers"));
    let built = leash::output(&build).map_err(|error| format!("can't run the build: {error}"))?;
    if built.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&built.stderr);
    let first = told.lines().find(|line| line.starts_with("error")).unwrap_or("unknown error");
    Err(format!("it does not build: {first}"))
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Returns this package's folder.
pub(crate) fn sources() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the folder of the other systems' programs, next to this program.
pub(crate) fn made() -> PathBuf {
    let program = env::current_exe().expect("a program knows its file");
    let target = program.parent().and_then(Path::parent).expect("it is in target/release");
    target.join("fika-bench")
}

fn peers_target() -> PathBuf {
    made().join("peers")
}

pub(crate) fn this_program(subcommand: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("a program knows its file"));
    command.arg(subcommand);
    command
}

fn commit() -> String {
    let git = |args: &[&str]| output("git", &[&["-C", env!("CARGO_MANIFEST_DIR")], args].concat());
    let changed = git(&["status", "--porcelain", "--", "../runtime", "../net", "../src"]);
    let mark = if changed.is_empty() { "" } else { " with changes" };
    format!("{}{mark}", git(&["rev-parse", "--short=10", "HEAD"]))
}

/// Returns the output of a program; empty if the program can't be run.
pub(crate) fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).stderr(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_default()
}

fn lock_file() -> String {
    fs::read_to_string(sources().join("peers/Cargo.lock")).unwrap_or_default()
}

/// Returns the version of a package, from the text of a `Cargo.lock`.
fn locked_version(lock: &str, package: &str) -> Option<String> {
    let at = lock.find(&format!("\nname = \"{package}\"\n"))?;
    let line = lock[at..].lines().find_map(|line| line.strip_prefix("version = \""))?;
    Some(line.trim_end_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::locked_version;

    #[test]
    fn versions_come_from_the_lock_file() {
        let lock = "[[package]]\nname = \"actix\"\nversion = \"0.13.5\"\n\n[[package]]\nname = \
                    \"actix-rt\"\nversion = \"2.1.0\"\n";
        assert_eq!(locked_version(lock, "actix").as_deref(), Some("0.13.5"));
        assert_eq!(locked_version(lock, "kameo"), None);
    }
}
