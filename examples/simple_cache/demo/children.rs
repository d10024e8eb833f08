//! The demo's nodes as OS processes: this program again, with the hidden command `child`.
//!
//! A child's standard input is its leash. The first line is the cookie, so the cookie is not in any
//! file or list of processes. When standard input is closed, the child ends. The operating system
//! closes it when the demo ends for any reason, including Ctrl-C and kill -9.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::process::{Child, Command, Stdio};

use fika::prelude::*;
use fika::process::spawn_blocking;

use crate::cache;
use crate::member::{self, MemberArgs};

/// The children that have been started, by the names of their nodes. They are killed when this is
/// dropped.
pub(crate) struct Children {
    /// The node that the children join, so that the demo sees them come.
    join: &'static str,
    mapper: u16,
    cookie: String,
    running: BTreeMap<&'static str, Child>,
}

impl Children {
    pub(crate) fn new(join: &'static str, mapper: u16, cookie: String) -> Children {
        Children { join, mapper, cookie, running: BTreeMap::new() }
    }

    /// Starts a node, and returns the id of its OS process.
    pub(crate) async fn start(&mut self, node: &'static str) -> io::Result<u32> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["child", "--name", node, "--join", self.join]);
        command.args(["--epmd-port", &self.mapper.to_string()]).stdin(Stdio::piped());
        // Starting a process may take a while, and must not block the others.
        let mut child = spawn_blocking(move || command.spawn()).await?;
        let (id, leash) = (child.id(), child.stdin.as_mut());
        let told = leash.map_or(Ok(()), |leash| writeln!(leash, "{}", self.cookie));
        if let Some(mut earlier) = self.running.insert(node, child) {
            // Has been killed. The operating system keeps its id until it is waited for.
            earlier.wait()?;
        }
        told.map(|()| id)
    }

    /// Kills a node, as `kill -9` does.
    pub(crate) fn kill(&mut self, node: &str) -> io::Result<()> {
        self.running.get_mut(node).map_or(Ok(()), Child::kill)
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        // An error means that the child has already ended.
        self.running.values_mut().for_each(|child| drop(child.kill()));
        self.running.values_mut().for_each(|child| drop(child.wait()));
    }
}

/// Runs a node of the cache until standard input is closed.
pub(crate) fn run_child(args: &MemberArgs) -> fika::Result {
    let join = args.join()?;
    let mut cookie = String::new();
    io::stdin().read_line(&mut cookie)?;
    let node = args.builder()?.cookie(cookie.trim_end()).build()?;
    let ended = node.try_block_on(async {
        cache::start_link().await;
        for node in join {
            spawn_link(member::join(node));
        }
        spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await
    });
    node.stop();
    ended.map_err(|reason| format!("the main process ended: {reason}"))??;
    Ok(())
}
