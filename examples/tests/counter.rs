//! The example `counter` from outside: a node with the counter, and nodes with clients, each an OS
//! process of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

/// The port of a mapper, at an address that no other test uses.
const MAPPER_PORT: &str = "14371";

/// Nodes with their own address and home directory.
struct Place {
    ip: Ipv4Addr,
    home: PathBuf,
}

impl Place {
    fn new() -> Place {
        let pid = std::process::id();
        let ip = Ipv4Addr::new(127, (1 + pid / 256 % 254) as u8, pid as u8, 200);
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("counter-{pid}"));
        fs::create_dir_all(&home).unwrap();
        Place { ip, home }
    }

    fn name(&self, alive: &str) -> String {
        format!("{alive}@{}", self.ip)
    }

    fn command(&self, alive: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_counter"));
        command.env_remove("ERL_EPMD_PORT").env("HOME", &self.home).stdin(Stdio::null());
        command.args(["--name", &self.name(alive), "--epmd-port", MAPPER_PORT]).args(arguments);
        command
    }

    /// Runs a client to its end.
    fn run(&self, arguments: &[&str]) -> Output {
        self.command("client", arguments).output().unwrap()
    }

    /// Runs a client, and returns what it prints.
    fn asks(&self, arguments: &[&str]) -> String {
        let output = self.run(&[arguments, &["--at", &self.name("server")]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// A running program, which is killed at the end of its test.
struct Program(Child);

impl Program {
    fn start(mut command: Command) -> (Program, BufReader<ChildStdout>) {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        (Program(child), out)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn line(out: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    line.trim().to_owned()
}

#[test]
fn clients_on_other_nodes() {
    let place = Place::new();
    let (server, mut out) = Program::start(place.command("server", &["serve"]));
    assert_eq!(line(&mut out), format!("{} has the counter", place.name("server")));
    assert_eq!(place.asks(&["add", "5"]), "5");
    assert_eq!(place.asks(&["add", "-7"]), "-2");
    let at = place.name("server");
    let (waits, mut waited) = Program::start(place.command("waits", &["wait", "9", "--at", &at]));
    assert_eq!(place.asks(&["reset"]), "0");
    assert_eq!(place.asks(&["add", "8"]), "8");
    assert_eq!(place.asks(&["add", "1"]), "9");
    assert_eq!(line(&mut waited), "9");
    drop(waits);
    assert_eq!(place.asks(&["stop"]), "shutdown");
    assert_eq!(line(&mut out), "the counter ended: shutdown");
    drop(server);
    let output = place.run(&["add", "1", "--at", &at]);
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("the call `Counter::add` of {counter,server@"), "{error}");
    assert!(error.contains("nodedown"), "{error}");
}
