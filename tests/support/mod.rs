//! What the tests of the network share: an address and a port mapper of a test's own, nodes
//! in this program, nodes that are other programs, and peers that speak the protocol by hand.
//!
//! Each test has a loopback address of its own, so tests that run side by side see nothing
//! of each other. A node of another program is this test binary again, started by
//! [`process::OsNode`], and runs the same `#[remote]` functions; it is killed when the test
//! ends, however it ends.
#![allow(dead_code, reason = "each test binary uses a part of it")]

#[cfg(target_os = "linux")]
pub(crate) mod exhausted;
pub(crate) mod hosts;
pub(crate) mod peer;
pub(crate) mod process;
pub(crate) mod relay;
pub(crate) mod transport;
pub(crate) mod unknown;
pub(crate) mod valve;
pub(crate) mod watch;

use std::borrow::Cow;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Deref;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fika::message::Reference;
use fika::node::{Env as _, NodeBuilder, SystemEnv, Time};
use fika::prelude::*;
use fika::process::yield_now;

/// No event takes a tenth of it.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The cookie of nodes that were given no other.
pub(crate) const COOKIE: &str = "a cookie for the tests";

/// The port of the mapper of a place with an address of its own.
const MAPPER_PORT: u16 = 14_369;

/// Where the nodes of one test are: an address, and a port for their mapper.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) ip: Ipv4Addr,
    pub(crate) mapper: u16,
}

impl Place {
    /// A loopback address that no other test has.
    pub(crate) fn new() -> Place {
        show_log();
        static LAST: AtomicU32 = AtomicU32::new(0);
        let (pid, n) = (std::process::id(), LAST.fetch_add(1, Ordering::Relaxed));
        assert!(n < 254, "more places than addresses");
        let ip = Ipv4Addr::new(127, (1 + pid / 256 % 254) as u8, pid as u8, 1 + n as u8);
        Place { ip, mapper: MAPPER_PORT }
    }

    /// The address 127.0.0.1, for programs that know no other; the port is nobody else's.
    pub(crate) fn on_localhost() -> Place {
        // Below the ports that the system gives to connections.
        static LAST: AtomicU32 = AtomicU32::new(0);
        let ip = Ipv4Addr::LOCALHOST;
        loop {
            let n = std::process::id() % 1024 * 16 + LAST.fetch_add(1, Ordering::Relaxed) % 16;
            let mapper = 15_000 + n as u16;
            if TcpListener::bind((ip, mapper)).is_ok() {
                return Place { ip, mapper };
            }
        }
    }

    /// The name of a node here.
    pub(crate) fn name(&self, alive: &str) -> String {
        format!("{alive}@{}", self.ip)
    }

    pub(crate) fn builder(&self, alive: &str) -> NodeBuilder {
        self.builder_of(&self.name(alive))
    }

    /// A node whose host is spelled in another way.
    pub(crate) fn builder_of(&self, name: &str) -> NodeBuilder {
        let builder = Node::builder().name(name).cookie(COOKIE).epmd_port(self.mapper).workers(2);
        if self.ip.is_loopback() { builder } else { builder.listen((self.ip, 0).into()) }
    }

    /// A node in this program.
    pub(crate) fn node(&self, alive: &str) -> TestNode {
        TestNode::of(self.builder(alive))
    }

    /// A node in a program of its own, to be started.
    pub(crate) fn os(&self, alive: &str) -> process::OsNodeBuilder {
        let builder = process::OsNodeBuilder::new(&self.name(alive), self.mapper).cookie(COOKIE);
        if self.ip.is_loopback() { builder } else { builder.listen((self.ip, 0).into()) }
    }

    pub(crate) fn mapper_addr(&self) -> SocketAddr {
        (self.ip, self.mapper).into()
    }

    /// Sends the mapper a request, which is given its length, and returns all that it says.
    pub(crate) fn ask_mapper(&self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut stream = connect(self.mapper_addr())?;
        let length = u16::try_from(request.len()).expect("a short request");
        stream.write_all(&[&length.to_be_bytes()[..], request].concat())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }

    /// The names that the mapper knows, with their ports, the newest first.
    pub(crate) fn names(&self) -> Vec<(String, u16)> {
        let Ok(answer) = self.ask_mapper(b"n") else { return Vec::new() };
        let text = String::from_utf8(answer[4..].to_vec()).expect("names are text");
        let entry = |line: &str| {
            let (name, port) = line.strip_prefix("name ")?.split_once(" at port ")?;
            Some((name.to_owned(), port.parse().ok()?))
        };
        text.lines().map(|line| entry(line).expect("a name and a port")).collect()
    }

    /// Where a node listens, by what the mapper says.
    pub(crate) fn addr_of(&self, alive: &str) -> SocketAddr {
        let names = self.names();
        let found = names.iter().find(|(name, _)| name == alive);
        (self.ip, found.unwrap_or_else(|| panic!("no {alive} among {names:?}")).1).into()
    }
}

/// Shows what the nodes of this program log, if the environment has `FIKA_TEST_LOG`.
fn show_log() {
    if std::env::var_os("FIKA_TEST_LOG").is_some() {
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG);
        // Another test of the program may have done it.
        let _ = log.with_ansi(false).with_writer(std::io::stderr).try_init();
    }
}

/// A connection whose reads and writes do not hang for ever.
pub(crate) fn connect(addr: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// Waits until the other end has closed; what came before that is returned.
pub(crate) fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            panic!("the connection was not closed; it said {bytes:?}")
        }
        // Closed in order, or reset since not all was read.
        Ok(_) | Err(_) => bytes,
    }
}

/// A node that is stopped at the end of its test.
#[derive(Clone)]
pub(crate) struct TestNode(Node);

impl TestNode {
    pub(crate) fn of(builder: NodeBuilder) -> TestNode {
        TestNode(builder.build().unwrap_or_else(|error| panic!("the node did not start: {error}")))
    }
}

impl Deref for TestNode {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.0
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// A clock: that of a node's environment.
pub(crate) struct Clock(SystemEnv);

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock(SystemEnv::new())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.now().since(Time::default())
    }
}

/// Asks again and again until the answer is true.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let clock = Clock::new();
    while !is_so() {
        assert!(clock.elapsed() < LIMIT, "not within the limit: {what}");
        std::thread::yield_now();
    }
}

/// The same inside of a process, which lets others run meanwhile.
pub(crate) async fn until_in_process(what: &str, mut is_so: impl FnMut() -> bool) {
    let clock = Clock::new();
    while !is_so() {
        assert!(clock.elapsed() < LIMIT, "not within the limit: {what}");
        yield_now().await;
    }
}

/// How often something is done: more often where the environment has `FIKA_LONG=1`.
pub(crate) fn times(short: u64, long: u64) -> u64 {
    if std::env::var_os("FIKA_LONG").is_some_and(|value| value == "1") { long } else { short }
}

/// Whether a program of Erlang is there. If not, the test says so, and fails where the
/// environment demands Erlang.
pub(crate) fn has_erlang(test: &str, program: &str, argument: &str) -> bool {
    let there = Command::new(program).arg(argument).output().is_ok();
    if !there {
        assert!(
            std::env::var_os("FIKA_REQUIRE_ERLANG").is_none(),
            "{test}: {program} is not installed, and FIKA_REQUIRE_ERLANG is set"
        );
        // To the real standard error: what a test that passes prints is not shown.
        let line = format!("skipped: {test}: {program} is not installed\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    there
}

/// Whether Erlang's port mapper is there.
pub(crate) fn has_epmd(test: &str) -> bool {
    has_erlang(test, "epmd", "-help")
}

/// Takes the next message of this type.
#[macro_export]
macro_rules! next {
    ($type:ty) => {
        receive! {
            message: $type => message,
            after $crate::support::LIMIT => panic!("no {} came", stringify!($type)),
        }
    };
}

/// Asserts that there is no message of this type.
#[macro_export]
macro_rules! none {
    ($type:ty) => {
        receive! {
            message: $type => panic!("not expected: {message:?}"),
            after Duration::ZERO => {}
        }
    };
}

/// Waits for this node's `nodeup`, past those of others.
pub(crate) async fn nodeup(name: &str) -> NodeUp {
    receive! {
        NodeUp { node, node_type, connection } if node.as_str() == name => NodeUp { node, node_type, connection },
        after LIMIT => panic!("no nodeup of {name}"),
    }
}

/// Waits for this node's `nodedown`, past those of others.
pub(crate) async fn nodedown(name: &str) -> NodeDown {
    receive! {
        NodeDown { node, node_type, connection, reason } if node.as_str() == name => NodeDown { node, node_type, connection, reason },
        after LIMIT => panic!("no nodedown of {name}"),
    }
}

/// Waits for the `Down` of this monitor.
pub(crate) async fn down(monitor: Reference) -> ExitReason {
    receive! {
        Down { monitor: m, reason, .. } if m == monitor => reason,
        after LIMIT => panic!("no DOWN of {monitor}"),
    }
}

/// Waits for the exit signal of this process.
pub(crate) async fn exit_of(pid: Pid) -> ExitReason {
    receive! {
        Exit { from, reason } if from == pid => reason,
        after LIMIT => panic!("no EXIT of {pid}"),
    }
}

/// Something to be answered: the answer is the number, from the process that was asked.
#[derive(Message, Serialize, Deserialize, Debug)]
#[message(tag = "test::Ask")]
pub(crate) struct Ask {
    pub(crate) from: Pid,
    pub(crate) n: u64,
}

/// What a program of another version has under the name of [`Ask`]. In one program two types can't
/// have one tag, so this one pretends to have another hash.
pub(crate) struct AskOfAnotherShape;

impl Message for AskOfAnotherShape {
    fn tag() -> Cow<'static, str> {
        Ask::tag()
    }

    fn tag_hash() -> u64 {
        1
    }

    fn fingerprint() -> u64 {
        1
    }

    fn encode(&self, _: &mut fika::__private::Buffer) -> Result<(), fika::message::EncodeError> {
        Ok(())
    }

    fn decode(_: &fika::message::Bytes) -> Result<Self, fika::message::DecodeError> {
        Ok(AskOfAnotherShape)
    }
}

/// The answer to [`Ask`].
#[derive(Message, Serialize, Deserialize, Debug, PartialEq)]
#[message(tag = "test::Answer")]
pub(crate) struct Answer {
    pub(crate) from: Pid,
    pub(crate) n: u64,
}

/// Tells a process of these tests to end with this reason.
#[derive(Message, Serialize, Deserialize, Debug)]
#[message(tag = "test::EndWith")]
pub(crate) struct EndWith(pub(crate) ExitReason);

/// Answers until it is told to end.
#[remote(name = "test::answerer")]
pub(crate) async fn answerer() {
    loop {
        receive! {
            Ask { from, n } => send(from, Answer { from: self_pid(), n }),
            EndWith(reason) => exit(reason),
        }
    }
}

/// The same, registered. It says when it has its name.
#[remote(name = "test::named_answerer")]
pub(crate) async fn named_answerer(name: String, starter: Pid) {
    register(name.as_str(), self_pid()).expect("the name is free");
    send(starter, Answer { from: self_pid(), n: 0 });
    answerer().await;
}

/// Asks a process, and asserts that it answers.
pub(crate) async fn assert_answers(pid: Pid, n: u64) {
    send(pid, Ask { from: self_pid(), n });
    receive! {
        Answer { from, n: answer } if from == pid && answer == n => {}
        after LIMIT => panic!("no answer number {n} of {pid}"),
    }
}
