//! Runs workloads on the BEAM: compiles the Erlang sources in this package, and starts the virtual
//! machines with a port mapper of their own, so that nothing is left behind.

use std::fs;
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use fika_bench_kit::{Params, block_ms, failed, free_port};

use crate::system::{made, output, sources};

/// The process limit of a fika node.
const PROCESSES: &str = "1048576";

/// Compiles the sources that are newer than their compiled files.
pub(crate) fn compile() -> Result<(), String> {
    let to = compiled();
    fs::create_dir_all(&to).map_err(|error| format!("{}: {error}", to.display()))?;
    let listed = fs::read_dir(sources().join("beam")).map_err(|error| error.to_string())?;
    let is_source = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "erl");
    let files = listed.flatten().map(|entry| entry.path()).filter(is_source);
    let made = Command::new("erlc").arg("-o").arg(&to).args(files).output();
    let made = made.map_err(|error| format!("erlc can't be run (Debian: erlang-base): {error}"))?;
    if made.status.success() {
        return Ok(());
    }
    Err(format!("erlc: {}", String::from_utf8_lossy(&made.stdout).trim()))
}

/// Returns the versions of OTP and of its virtual machine.
pub(crate) fn version() -> String {
    let ask = "io:format(\"OTP ~s, erts ~s, ~s\", [erlang:system_info(otp_release), \
               erlang:system_info(version), erlang:system_info(emu_flavor)]), halt().";
    output("erl", &["-noshell", "-eval", ask])
}

/// Runs a workload: a local one in place of this OS process, a remote one together with the other
/// nodes that it needs.
pub(crate) fn run(workload: &str, params: &Params) {
    let mut words = vec![workload.to_owned()];
    words.extend(params.to_string().split(' ').map(str::to_owned));
    if !workload.starts_with("remote.") {
        let error =
            machine(&["+P", PROCESSES]).arg("-run").args(["bench", "main"]).args(words).exec();
        return failed(&format!("erl can't be run: {error}"));
    }
    let cluster = Cluster { mapper: free_port(), ticktime_s: params.get("ticktime_s") };
    let mut mapper = cluster.start_mapper();
    let names: Vec<String> = match workload {
        "remote.mesh" => (0..params.get("nodes")).map(|i| format!("n{i}")).collect(),
        _ => vec!["b".to_owned()],
    };
    let mut others: Vec<Child> = names.iter().map(|name| cluster.start(name)).collect();
    let hidden: &[&str] = if workload == "remote.mesh" { &["-hidden"] } else { &[] };
    let mut first = cluster.node("a");
    first.stdin(Stdio::null()).args(hidden);
    let ended = first.args(["-run", "bench", "main"]).args(words).status();
    others.iter_mut().chain([&mut mapper]).for_each(|child| {
        // An error means that the process has already ended. The kernel counts CPU time of children
        // only when they have been waited for.
        let _ = child.kill();
        let _ = child.wait();
    });
    if let Err(error) = ended {
        failed(&format!("erl can't be run: {error}"));
    }
}

fn compiled() -> PathBuf {
    made().join("beam")
}

fn machine(options: &[&str]) -> Command {
    let mut command = Command::new("erl");
    command.args(options).args(["-noshell", "-pa"]).arg(compiled());
    command
}

struct Cluster {
    mapper: u16,
    ticktime_s: u64,
}

impl Cluster {
    fn start_mapper(&self) -> Child {
        let mapper = Command::new("epmd")
            .args(["-port", &self.mapper.to_string(), "-address", "127.0.0.1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("epmd comes with erl");
        while TcpStream::connect(("127.0.0.1", self.mapper)).is_err() {
            block_ms(5);
        }
        mapper
    }

    fn node(&self, name: &str) -> Command {
        let mut command = machine(&["+P", PROCESSES]);
        command
            .args(["-name", &format!("{name}@127.0.0.1"), "-setcookie", "fika-bench"])
            .args(["-kernel", "inet_dist_use_interface", "{127,0,0,1}"])
            .args(["-kernel", "net_ticktime", &self.ticktime_s.to_string()])
            .args(["-start_epmd", "false"])
            .env("ERL_EPMD_PORT", self.mapper.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1");
        command
    }

    fn start(&self, name: &str) -> Child {
        let mut command = self.node(name);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.spawn().expect("erl can be run, as it was compiled for")
    }
}
