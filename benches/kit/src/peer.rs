//! The other OS process of a remote workload, which runs the same program.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::clock::block_ms;
use crate::life::tie;

/// The state of a listening socket in the kernel's table.
const LISTEN: &str = "0A";

/// Another OS process of the workload. Dropping this kills the process. Its standard input stays
/// open until then.
#[derive(Debug)]
pub struct Peer(Child);

impl Peer {
    /// Starts this program again, with these arguments.
    ///
    /// # Panics
    /// If the operating system can't start a process.
    #[must_use]
    pub fn start<S: AsRef<str>>(args: impl IntoIterator<Item = S>) -> Peer {
        let program = std::env::current_exe().expect("a program knows its file");
        let mut command = Command::new(program);
        for arg in args {
            command.arg(arg.as_ref());
        }
        let child = tie(&mut command).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        Peer(child.expect("the operating system starts a process"))
    }

    /// Starts this program again, and waits until it listens on this port.
    ///
    /// # Panics
    /// If the operating system can't start a process.
    #[must_use]
    pub fn start_server<S: AsRef<str>>(port: u16, args: impl IntoIterator<Item = S>) -> Peer {
        let peer = Peer::start(args);
        until_listening(port);
        peer
    }

    /// Returns the process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Kills the process, as `kill -9` does.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Freezes the process, as `kill -STOP` does.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.0);
        kill_process(pid, signal).expect("the child was not waited for, so its id is valid");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // An error means that the process has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Blocks until a socket listens on this port, without connecting to it.
fn until_listening(port: u16) {
    let address = format!(":{port:04X} ");
    let listens = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next().is_some_and(|local| format!("{local} ").ends_with(&address));
        local && fields.nth(1) == Some(LISTEN)
    };
    while !fs::read_to_string("/proc/net/tcp").is_ok_and(|table| table.lines().any(listens)) {
        block_ms(2);
    }
}

/// Returns a port on which no socket listens.
///
/// # Panics
/// If the machine has no free port.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}
