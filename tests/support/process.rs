//! Nodes in separate programs: this test binary again, with the name and settings in its
//! environment. The test `node_process` below is its `main`, and does nothing in a normal run of
//! the tests.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fika::Node;
use fika::net::discovery::StaticNodes;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use super::LIMIT;
use super::transport::{Way, Wrapped};

/// The environment variable with the name of the node in such a program.
const NAME: &str = "FIKA_TEST_NODE";

/// The line that reports to the test that the node is up.
const READY: &str = "node: ready";

/// A node that has not been started.
pub(crate) struct OsNodeBuilder {
    name: String,
    command: Command,
}

impl OsNodeBuilder {
    pub(crate) fn new(name: &str, mapper: u16) -> OsNodeBuilder {
        let mut command = Command::new(std::env::current_exe().expect("this program has a file"));
        command
            .args(["--exact", "support::process::node_process", "--nocapture", "--test-threads=1"])
            .env(NAME, name)
            .env("FIKA_TEST_MAPPER", mapper.to_string())
            .env_remove("RUST_LOG")
            .env_remove("FIKA_TEST_COOKIE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        OsNodeBuilder { name: name.into(), command }
    }

    pub(crate) fn env(mut self, key: &str, value: &str) -> OsNodeBuilder {
        self.command.env(key, value);
        self
    }

    pub(crate) fn without(mut self, key: &str) -> OsNodeBuilder {
        self.command.env_remove(key);
        self
    }

    pub(crate) fn cookie(self, cookie: &str) -> OsNodeBuilder {
        self.env("FIKA_TEST_COOKIE", cookie)
    }

    pub(crate) fn ticktime(self, time: Duration) -> OsNodeBuilder {
        self.env("FIKA_TEST_TICKTIME", &time.as_millis().to_string())
    }

    pub(crate) fn intensity(self, intensity: u32) -> OsNodeBuilder {
        self.env("FIKA_TEST_INTENSITY", &intensity.to_string())
    }

    pub(crate) fn handshake_time(self, time: Duration) -> OsNodeBuilder {
        self.env("FIKA_TEST_HANDSHAKE_TIME", &time.as_millis().to_string())
    }

    pub(crate) fn setup_time(self, time: Duration) -> OsNodeBuilder {
        self.env("FIKA_TEST_SETUP_TIME", &time.as_millis().to_string())
    }

    /// Sets the address on which the node listens. The default is loopback.
    pub(crate) fn listen(self, addr: SocketAddr) -> OsNodeBuilder {
        self.env("FIKA_TEST_LISTEN", &addr.to_string())
    }

    /// Limits the node's open files.
    pub(crate) fn files(self, files: u64) -> OsNodeBuilder {
        self.env("FIKA_TEST_FILES", &files.to_string())
    }

    /// Uses Unix sockets in this directory.
    pub(crate) fn unix_sockets(self, directory: &std::path::Path) -> OsNodeBuilder {
        self.env("FIKA_TEST_UNIX_SOCKETS", directory.to_str().expect("a path that is text"))
    }

    /// Uses this table of nodes, and no port mapper.
    pub(crate) fn nodes(self, nodes: &[String]) -> OsNodeBuilder {
        self.env("FIKA_TEST_NODES", &nodes.join(" "))
    }

    pub(crate) fn hidden(self) -> OsNodeBuilder {
        self.env("FIKA_TEST_HIDDEN", "1")
    }

    /// Runs the node on this host.
    pub(crate) fn on(mut self, host: &super::hosts::FileHost) -> OsNodeBuilder {
        self.command = host.enters(&self.command);
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self
    }

    /// Starts the node, and waits until it is up.
    #[track_caller]
    pub(crate) fn start(self) -> OsNode {
        self.try_start().unwrap_or_else(|log| panic!("the node did not start:\n{log}"))
    }

    /// Starts the node. Returns its log if it does not start.
    #[allow(clippy::disallowed_methods, reason = "the thread of a test")]
    pub(crate) fn try_start(mut self) -> Result<OsNode, String> {
        let mut child = self.command.spawn().expect("this program can be started again");
        let log = Log::of(child.stderr.take().expect("it is piped"));
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let stdin = child.stdin.take();
        let node = OsNode { name: self.name, child, stdin, log };
        let mut line = String::new();
        while !line.contains(READY) {
            line.clear();
            if stdout.read_line(&mut line).expect("it writes text") == 0 {
                return Err(node.into_log());
            }
        }
        // The program's further output is ignored, but must not fill a pipe.
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Ok(node)
    }
}

/// A node in a separate program. It is killed when this is dropped.
pub(crate) struct OsNode {
    pub(crate) name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    log: Arc<Log>,
}

impl OsNode {
    /// Kills the node with SIGKILL.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().expect("it is our child");
    }

    /// Stops the node in order, and waits for its end.
    pub(crate) fn stop(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().expect("it is our child").success(), "{}", self.log());
    }

    /// Freezes the node with SIGSTOP. Returns when all of its threads have stopped.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
        super::until("the node is frozen", || {
            let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
            tasks.expect("it is there").all(|task| {
                let stat = std::fs::read_to_string(task.expect("an entry").path().join("stat"));
                // The state is behind the name in parentheses. A thread may have ended meanwhile.
                stat.map_or(true, |stat| {
                    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
                })
            })
        });
    }

    /// Continues the node after [`freeze`](OsNode::freeze).
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Returns the CPU time that the node has used so far, in the system's ticks.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.expect("it is there");
        // The fields after the name in parentheses. The user's and the system's time are the 14th
        // and 15th.
        let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
        Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is there");
    }

    /// Returns everything that the node has written to its standard error so far: its log.
    pub(crate) fn log(&self) -> String {
        self.log.text.lock().expect("nobody panics with it").0.clone()
    }

    /// Returns how often this text is in the node's log.
    pub(crate) fn logged(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    /// Waits until this text is in the node's log this many times.
    #[track_caller]
    pub(crate) fn await_log(&self, text: &str, times: usize) {
        let is_there = |log: &str| log.matches(text).count() >= times;
        if !self.log.wait(is_there) {
            panic!("`{text}` is not {times} times in the log of {}:\n{}", self.name, self.log());
        }
    }

    fn into_log(mut self) -> String {
        let _ = self.child.wait();
        self.log.wait_end();
        self.log()
    }
}

impl Drop for OsNode {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the log of {}:\n{}", self.name, self.log());
        }
    }
}

/// The output of a program.
struct Log {
    /// The text, and whether it has ended.
    text: std::sync::Mutex<(String, bool)>,
    grown: std::sync::Condvar,
}

impl Log {
    #[allow(clippy::disallowed_methods, reason = "the thread of a test")]
    fn of(mut source: impl Read + Send + 'static) -> Arc<Log> {
        let log =
            Arc::new(Log { text: std::sync::Mutex::default(), grown: std::sync::Condvar::new() });
        let to = log.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let read = source.read(&mut buffer).unwrap_or(0);
                let mut text = to.text.lock().expect("nobody panics with it");
                text.0.push_str(&String::from_utf8_lossy(&buffer[..read]));
                text.1 = read == 0;
                to.grown.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        log
    }

    fn wait(&self, is_so: impl Fn(&str) -> bool) -> bool {
        let text = self.text.lock().expect("nobody panics with it");
        let wait = self.grown.wait_timeout_while(text, LIMIT, |text| !is_so(&text.0) && !text.1);
        is_so(&wait.expect("nobody panics with it").0.0)
    }

    fn wait_end(&self) {
        let text = self.text.lock().expect("nobody panics with it");
        drop(self.grown.wait_timeout_while(text, LIMIT, |text| !text.1));
    }
}

/// Raises this program's limit of open files as far as allowed. Returns the limit.
pub(crate) fn allow_files() -> u64 {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("it is allowed");
    maximum.unwrap_or(u64::MAX)
}

/// The `main` of a node in a separate program. In a normal run of the tests, it does nothing.
#[test]
fn node_process() {
    let Ok(name) = std::env::var(NAME) else { return };
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(std::io::stderr)
        .init();
    let set = |key: &str| std::env::var(format!("FIKA_TEST_{key}")).ok();
    let number = |key: &str| set(key).map(|value| value.parse::<u64>().expect("a number"));
    let millis = |key: &str| number(key).map(Duration::from_millis);
    if let Some(files) = number("FILES") {
        let limit = Rlimit { current: Some(files), maximum: Some(files) };
        setrlimit(Resource::Nofile, limit).expect("it is made smaller");
    }
    let mut builder = Node::builder().name(name).workers(2).hidden(set("HIDDEN").is_some());
    if let Some(port) = number("MAPPER") {
        builder = builder.epmd_port(port as u16);
    }
    if let Some(cookie) = set("COOKIE") {
        builder = builder.cookie(cookie);
    }
    if let Some(time) = millis("TICKTIME") {
        builder = builder.net_ticktime(time);
    }
    if let Some(intensity) = number("INTENSITY") {
        builder = builder.net_tickintensity(intensity as u32);
    }
    if let Some(time) = millis("HANDSHAKE_TIME") {
        builder = builder.handshake_time(time);
    }
    if let Some(time) = millis("SETUP_TIME") {
        builder = builder.net_setuptime(time);
    }
    if let Some(addr) = set("LISTEN") {
        builder = builder.listen(addr.parse().expect("an address"));
    }
    if set("SCRAMBLED").is_some() {
        builder = builder.network(|poller| Ok(Wrapped(poller, Way::Scrambled)));
    }
    if set("NO_LISTEN").is_some() {
        builder = builder.dist_listen(false);
    }
    if set("NO_START_EPMD").is_some() {
        builder = builder.start_epmd(false);
    }
    if let Some(pairs) = set("COOKIES_FOR") {
        for pair in pairs.split(';') {
            let (node, cookie) = pair.split_once('=').expect("a node and a cookie");
            builder = builder.cookie_for(node, cookie);
        }
    }
    if let Some(nodes) = set("NODES") {
        builder = builder.resolver(StaticNodes::new(nodes.split(' ')).expect("a table"));
    }
    if let Some(directory) = set("UNIX_SOCKETS") {
        builder = builder.unix_sockets(directory);
    }
    match builder.build() {
        Ok(node) => {
            println!("{READY}");
            // The test closes this to stop the node. The end of the test closes it too.
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            node.stop();
            std::process::exit(0);
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            std::process::exit(3);
        }
    }
}
