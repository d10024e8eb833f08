//! The example `simple_cache` from outside: its demo, and its nodes as OS processes that are
//! spoken to over TCP.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use fika::node::{Env as _, SystemEnv};

/// The limit for waiting. Nothing here takes a tenth of it.
const LIMIT: Duration = Duration::from_secs(60);

/// The port of a mapper, at an address that no other test uses.
const MAPPER_PORT: &str = "14370";

/// The example, which cargo builds for this test.
fn example() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simple_cache"));
    command.env_remove("ERL_EPMD_PORT").env_remove("HOME");
    // On a busy machine, fika warns about processes that keep their worker.
    command.env("RUST_LOG", "error,simple_cache=warn");
    command
}

/// A running program, which is killed at the end of its test.
struct Program {
    child: Child,
    out: Lines,
    err: Lines,
}

impl Program {
    fn start(mut command: Command) -> Program {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Program { child, out: Lines::of(out), err: Lines::of(err) }
    }

    /// Waits until it and its children, which share its output, have ended.
    fn end(mut self) -> (ExitStatus, String, String) {
        let (out, err) = (self.out.rest(), self.err.rest());
        (self.child.wait().unwrap(), out, err)
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that a program prints.
struct Lines(Receiver<String>);

impl Lines {
    #[allow(clippy::disallowed_methods, reason = "the thread of a test")]
    fn of(output: impl Read + Send + 'static) -> Lines {
        let (sender, receiver) = channel();
        let lines = BufReader::new(output).lines();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Lines(receiver)
    }

    /// Returns the next line that contains this text.
    fn wait_for(&self, text: &str) -> String {
        loop {
            match self.0.recv_timeout(LIMIT) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(error) => panic!("`{text}` was not printed: {error}"),
            }
        }
    }

    /// Returns all lines up to the end.
    fn rest(&self) -> String {
        let mut rest = String::new();
        loop {
            match self.0.recv_timeout(LIMIT) {
                Ok(line) => rest = rest + &line + "\n",
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return rest,
                Err(error) => panic!("it does not end: {error}\n{rest}"),
            }
        }
    }
}

/// Nodes of one cluster, with their own address and home directory.
struct Cluster {
    ip: Ipv4Addr,
    home: PathBuf,
}

impl Cluster {
    fn new() -> Cluster {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let (pid, n) = (std::process::id(), LAST.fetch_add(1, Ordering::Relaxed));
        let ip = Ipv4Addr::new(127, (1 + pid / 256 % 254) as u8, pid as u8, 1 + n as u8);
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("simple_cache-{pid}-{n}"));
        fs::create_dir_all(&home).unwrap();
        Cluster { ip, home }
    }

    fn name(&self, alive: &str) -> String {
        format!("{alive}@{}", self.ip)
    }

    /// Returns the command for a node, with a port for clients that the system chooses.
    fn serve(&self, arguments: &[&str]) -> Command {
        let mut command = example();
        let any_port = format!("{}:0", self.ip);
        command.env("HOME", &self.home).args(["serve", "--epmd-port", MAPPER_PORT]);
        if !arguments.contains(&"--tcp") {
            command.args(["--tcp", &any_port]);
        }
        command.args(arguments);
        command
    }

    /// Starts a node that joins these.
    fn start(&self, alive: &str, join: &[&str]) -> Server {
        let mut command = self.serve(&["--name", &self.name(alive)]);
        for other in join {
            command.args(["--join", &self.name(other)]);
        }
        let program = Program::start(command);
        let up = program.out.wait_for(" is up; its clients connect to ");
        let tcp = up.rsplit(' ').next().unwrap().parse().unwrap();
        Server { program, tcp }
    }

    /// Returns a node's expected answer to `nodes`.
    fn nodes(&self, own: &str, others: &[&str]) -> String {
        let others: String = others.iter().map(|alive| format!(", {}", self.name(alive))).collect();
        format!("{} (this node){others}", self.name(own))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// A running node.
struct Server {
    program: Program,
    tcp: SocketAddr,
}

impl Server {
    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.tcp).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client(BufReader::new(stream))
    }
}

/// A connection to a node's cache.
struct Client(BufReader<TcpStream>);

impl Client {
    fn write(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// Returns the next line. Empty at the end.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ask(&mut self, command: &str) -> String {
        self.write(format!("{command}\n").as_bytes());
        self.line()
    }

    #[track_caller]
    fn check(&mut self, command: &str, expected: &str) {
        assert_eq!(self.ask(command), expected, "{command}");
    }

    /// Repeats the command until the answer is as expected. There is no other sign of the caches'
    /// progress.
    #[track_caller]
    fn wait_for(&mut self, command: &str, expected: &str) {
        let env = SystemEnv::new();
        loop {
            let answer = self.ask(command);
            if answer == expected {
                return;
            }
            assert!(env.now().since_start() < LIMIT, "{command}: {answer}, not {expected}");
            std::thread::yield_now();
        }
    }
}

/// The lines of a demo, in order. Other lines may come between them, and lines around a `|` may
/// come in any order.
const TIMELINE: &[&str] = &[
    "three programs start, each a node",
    "demo  starts a@127.0.0.1 as OS process",
    "demo  starts b@127.0.0.1 as OS process",
    "demo  starts c@127.0.0.1 as OS process",
    "demo  nodeup a@127.0.0.1|demo  nodeup b@127.0.0.1|demo  nodeup c@127.0.0.1",
    "a     has creation|b     has creation|c     has creation",
    "the nodes find each other",
    "a     nodeup b@127.0.0.1|a     nodeup c@127.0.0.1|b     nodeup a@127.0.0.1|\
     b     nodeup c@127.0.0.1|c     nodeup a@127.0.0.1|c     nodeup b@127.0.0.1",
    "a key that is put on one node is read on all",
    "a     put tea green",
    "a     the cache has tea = green|b     the cache has tea = green|c     the cache has tea = green",
    "b     get tea gives green",
    "c     get tea gives green",
    "a     get coffee gives black",
    "c     get milk gives nothing",
    "processes on different nodes",
    "a     spawn_on gave <",
    "demo  sent hello to <",
    "a node dies",
    "demo  kill -9 of c@127.0.0.1",
    "a     nodedown c@127.0.0.1: connection_closed|b     nodedown c@127.0.0.1: connection_closed|\
     a     EXIT <|a     DOWN <",
    "a     the cache has water = still|b     the cache has water = still",
    "it comes back",
    "demo  starts c@127.0.0.1 as OS process",
    "c     has creation",
    "c     get tea gives nothing",
    "c     the cache has coffee = black|c     the cache has tea = green|\
     c     the cache has water = still|a     nodeup c@127.0.0.1|b     nodeup c@127.0.0.1",
    "c     has its copy of the whole cache",
    "c     get milk gives nothing",
    "pids of its earlier life stay dead",
    "demo  spawn_on gave <",
    "demo  sends hello to <",
    "demo  no answer, and a monitor gives DOWN <",
    "demo  all steps happened",
];

fn check_demo((status, out, err): (ExitStatus, String, String)) {
    assert!(status.success() && err.is_empty(), "{status}\n{err}\n{out}");
    let mut rest = &out[..];
    for texts in TIMELINE {
        let ends = texts.split('|').map(|text| {
            let start =
                rest.find(text).unwrap_or_else(|| panic!("no `{text}` in\n{rest}\n\nof\n{out}"));
            start + text.len()
        });
        rest = &rest[ends.max().unwrap()..];
    }
    for line in out.lines().filter(|line| line.contains("nodedown") || line.contains(": noconn")) {
        assert!(line.ends_with(" ms later)"), "{line}");
    }
}

#[test]
fn the_demo_tells_each_step() {
    check_demo(Program::start(example()).end());
}

#[test]
fn two_demos_at_once() {
    let demos = [Program::start(example()), Program::start(example())];
    demos.into_iter().for_each(|demo| check_demo(demo.end()));
}

/// Its nodes share its output, which ends when all of them have ended.
#[test]
fn a_demo_that_is_killed_leaves_nobody_behind() {
    let mut demo = Program::start(example());
    demo.out.wait_for("starts c@127.0.0.1");
    demo.kill();
    let (status, out, _) = demo.end();
    assert!(!status.success(), "{out}");
}

#[test]
fn a_key_that_is_put_on_one_node_is_read_on_all() {
    let cluster = Cluster::new();
    let servers = [
        cluster.start("a", &[]),
        cluster.start("b", &["a"]),
        // This node learns of the third one from the other.
        cluster.start("c", &["b"]),
    ];
    let [mut a, mut b, mut c] = servers.each_ref().map(Server::connect);
    a.wait_for("nodes", &cluster.nodes("a", &["b", "c"]));
    b.wait_for("nodes", &cluster.nodes("b", &["a", "c"]));
    c.wait_for("nodes", &cluster.nodes("c", &["a", "b"]));
    a.check("put tea green, with milk", "ok");
    a.check("get tea", "tea = green, with milk");
    for client in [&mut b, &mut c] {
        client.wait_for("get tea", "tea = green, with milk");
    }
    c.check("put tea black", "ok");
    for client in [&mut a, &mut b] {
        client.wait_for("get tea", "tea = black");
    }
    b.check("del tea", "ok");
    b.check("del tea", "not found: tea");
    for client in [&mut a, &mut c] {
        client.wait_for("get tea", "not found: tea");
    }
    b.check("quit", "bye");
    assert_eq!(b.line(), "", "it is closed");
    a.check("get tea", "not found: tea");
}

/// Nodes that were apart and changed the same keys agree after they have met.
#[test]
fn caches_agree_after_they_meet() {
    let cluster = Cluster::new();
    let servers = [cluster.start("a", &[]), cluster.start("b", &[])];
    let [mut a, mut b] = servers.each_ref().map(Server::connect);
    a.check("put same a", "ok");
    b.check("put same b", "ok");
    a.check("put often 1", "ok");
    a.check("put often 2", "ok");
    b.check("put often 3", "ok");
    b.check("put gone 4", "ok");
    b.check("del gone", "ok");
    a.check("put gone 5", "ok");
    let third = cluster.start("c", &["a", "b"]);
    let mut c = third.connect();
    for client in [&mut a, &mut b, &mut c] {
        // Equal counters, and b comes after a; a higher counter; and a deletion with one.
        client.wait_for("get same", "same = b");
        client.wait_for("get often", "often = 2");
        client.wait_for("get gone", "not found: gone");
    }
}

#[test]
fn a_node_that_was_killed_gets_its_copy() {
    let cluster = Cluster::new();
    let first = cluster.start("a", &["b"]);
    first.program.err.wait_for(&format!("{} does not answer; trying again", cluster.name("b")));
    let mut second = cluster.start("b", &[]);
    let (mut a, mut b) = (first.connect(), second.connect());
    a.wait_for("nodes", &cluster.nodes("a", &["b"]));
    a.check("put one 1", "ok");
    a.check("put two 2", "ok");
    b.wait_for("get two", "two = 2");
    second.program.kill();
    first.program.out.wait_for(&format!("nodedown {}: connection_closed", cluster.name("b")));
    a.check("nodes", &cluster.nodes("a", &[]));
    a.check("del one", "ok");
    a.check("put three 3", "ok");
    // It joins no node: the other one comes back to it.
    let second = cluster.start("b", &[]);
    let mut b = second.connect();
    b.wait_for("get three", "three = 3");
    b.wait_for("get two", "two = 2");
    b.check("get one", "not found: one");
    b.check("nodes", &cluster.nodes("b", &["a"]));
}

#[test]
fn commands() {
    let cluster = Cluster::new();
    let server = cluster.start("a", &[]);
    let mut client = server.connect();
    let cases = [
        ("put", "usage: put KEY VALUE"),
        ("put key", "usage: put KEY VALUE"),
        ("put key ", "usage: put KEY VALUE"),
        ("get", "usage: get KEY"),
        ("get two keys", "usage: get KEY"),
        ("del", "usage: del KEY"),
        ("PUT key value", "error: there is no such command; try help"),
        ("\n  \r\nget key\r", "not found: key"),
        (" put \t key   the  value  ", "ok"),
        ("get key", "key = the  value"),
        ("put schlüssel wert ✓", "ok"),
        ("get schlüssel", "schlüssel = wert ✓"),
    ];
    for (command, answer) in cases {
        client.check(command, answer);
    }
    client.write(b"get \xff\n");
    assert_eq!(client.line(), "error: that is not UTF-8");
    client.check("help", "put KEY VALUE   give a key a value, which may have spaces");
    for command in ["get", "del", "nodes", "quit"] {
        assert!(client.line().starts_with(command));
    }
    // Many commands at once, the last one without an end of line.
    client.write(b"get key\nget none\nget key");
    client.0.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
    let answers = [client.line(), client.line(), client.line(), client.line()];
    assert_eq!(answers, ["key = the  value", "not found: none", "key = the  value", ""]);

    let mut client = server.connect();
    client.write(&[b'x'; 64 << 10]);
    assert_eq!(client.line(), "error: a line may have 65536 bytes at most");
    assert_eq!(client.line(), "", "it is closed");
    server.connect().check("get key", "key = the  value");
}

#[test]
fn errors_are_one_line() {
    let cluster = Cluster::new();
    let _a = cluster.start("a", &[]);
    let listener = TcpListener::bind((cluster.ip, 0)).unwrap();
    let taken_port = listener.local_addr().unwrap().to_string();
    let cookie = cluster.home.join("cookie");
    fs::write(&cookie, "a cookie that others can read").unwrap();
    fs::set_permissions(&cookie, fs::Permissions::from_mode(0o644)).unwrap();
    let (a, b) = (cluster.name("a"), cluster.name("b"));
    let file = cookie.to_str().unwrap();
    let cases: [(&[&str], String); 7] = [
        (&[], "the node has no name; give it one with --name alive@host or --sname alive".into()),
        (&["--name", &b, "--join", "a"], "`a` is not a node name: it has no `@`".into()),
        (&["--name", &a], format!("the name `{a}` is taken")),
        (
            &["--name", &b, "--tcp", &taken_port],
            format!("can't listen for clients on {taken_port}: Address already in use"),
        ),
        (
            &["--name", &b, "--listen", &taken_port],
            format!("can't listen on {taken_port}: Address already in use"),
        ),
        (
            &["--name", &b, "--cookie-file", file],
            format!("the cookie file {file} is open to other users (mode 644); chmod 600 {file}"),
        ),
        (
            &["--name", &b, "--cookie-file", "/nowhere"],
            "the cookie file /nowhere: No such file or directory".into(),
        ),
    ];
    for (arguments, expected) in cases {
        let (status, out, err) = Program::start(cluster.serve(arguments)).end();
        assert_eq!((status.code(), &out[..]), (Some(1), ""), "{arguments:?}: {err}");
        assert!(err.starts_with(&format!("error: {expected}")), "{arguments:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{arguments:?}: {err}");
    }
    // The command line detects invalid values by itself.
    for (name, expected) in [
        ("a", "`a` is not a node name: it has no `@`"),
        ("a b@c.d", "`a b@c.d` is not a node name: only letters"),
    ] {
        let (status, out, err) = Program::start(cluster.serve(&["--name", name])).end();
        assert_eq!((status.code(), &out[..]), (Some(2), ""), "{name}: {err}");
        let expected =
            format!("error: invalid value '{name}' for '--name <ALIVE@HOST>': {expected}");
        assert!(err.starts_with(&expected), "{name}: {err}");
    }
}
