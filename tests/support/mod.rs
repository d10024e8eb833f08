//! The support code of the network tests: addresses and port mappers for each test, nodes in this
//! program and in others, and peers that speak the protocol by hand.
//!
//! Each test has its own loopback address, so tests that run at the same time don't see each other.
//! A node in another program is this test binary again, started by [`process::OsNode`], and has the
//! same `#[remote]` functions. It is killed when the test ends, in whatever way.
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
use serde::{Deserialize, Serialize};

/// Whether a sanitizer checks the program, which `scripts/verify` says. The program may be twenty
/// times slower then, and the memory that it frees is not used again at once.
pub(crate) const IS_SANITIZED: bool = option_env!("FIKA_SANITIZER").is_some();

/// The limit for waiting. No event takes a tenth of it.
pub(crate) const LIMIT: Duration = Duration::from_secs(if IS_SANITIZED { 200 } else { 30 });

/// The default cookie of nodes.
pub(crate) const COOKIE: &str = "a cookie for the tests";

/// The port of the mapper of a place with its own address.
const MAPPER_PORT: u16 = 14_369;

/// The number of blocks of addresses of a test binary, and the number of addresses of a block.
const BLOCKS: u32 = 4;
const HOSTS: u32 = 254;

/// The location of the nodes of one test: an address, and a port for their mapper.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) ip: Ipv4Addr,
    pub(crate) mapper: u16,
}

impl Place {
    /// Returns a loopback address that no other test has.
    pub(crate) fn new() -> Place {
        show_log();
        static LAST: AtomicU32 = AtomicU32::new(0);
        let n = LAST.fetch_add(1, Ordering::Relaxed);
        assert!(n < BLOCKS * HOSTS, "this test binary has more places than addresses");
        // A program has some blocks of 254 addresses to itself.
        let block = std::process::id().wrapping_mul(BLOCKS) + n / HOSTS;
        let [.., high, low] = block.to_be_bytes();
        let ip = Ipv4Addr::new(127, 1 + high % 254, low, (1 + n % HOSTS) as u8);
        Place { ip, mapper: MAPPER_PORT }
    }

    /// Returns the address 127.0.0.1 with an unused port, for programs that know no other address.
    pub(crate) fn on_localhost() -> Place {
        // The port is below the ports that the system gives to connections.
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

    /// Returns the name of a node at this place.
    pub(crate) fn name(&self, alive: &str) -> String {
        format!("{alive}@{}", self.ip)
    }

    pub(crate) fn builder(&self, alive: &str) -> NodeBuilder {
        self.builder_of(&self.name(alive))
    }

    /// Returns the builder of a node whose host is spelled in another way.
    pub(crate) fn builder_of(&self, name: &str) -> NodeBuilder {
        let builder = Node::builder().name(name).cookie(COOKIE).epmd_port(self.mapper).workers(2);
        if self.ip.is_loopback() { builder } else { builder.listen((self.ip, 0).into()) }
    }

    /// Starts a node in this program.
    pub(crate) fn node(&self, alive: &str) -> TestNode {
        TestNode::of(self.builder(alive))
    }

    /// Returns the builder of a node in a separate program.
    pub(crate) fn os(&self, alive: &str) -> process::OsNodeBuilder {
        let builder = process::OsNodeBuilder::new(&self.name(alive), self.mapper).cookie(COOKIE);
        if self.ip.is_loopback() { builder } else { builder.listen((self.ip, 0).into()) }
    }

    pub(crate) fn mapper_addr(&self) -> SocketAddr {
        (self.ip, self.mapper).into()
    }

    /// Sends a request to the mapper, preceded by its length. Returns the whole reply.
    pub(crate) fn ask_mapper(&self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut stream = connect(self.mapper_addr())?;
        let length = u16::try_from(request.len()).expect("a short request");
        stream.write_all(&[&length.to_be_bytes()[..], request].concat())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }

    /// Returns the names that the mapper knows, with their ports, newest first.
    pub(crate) fn names(&self) -> Vec<(String, u16)> {
        let Ok(answer) = self.ask_mapper(b"n") else { return Vec::new() };
        let text = String::from_utf8(answer[4..].to_vec()).expect("names are text");
        let entry = |line: &str| {
            let (name, port) = line.strip_prefix("name ")?.split_once(" at port ")?;
            Some((name.to_owned(), port.parse().ok()?))
        };
        text.lines().map(|line| entry(line).expect("a name and a port")).collect()
    }

    /// Returns the address on which a node listens, according to the mapper.
    pub(crate) fn addr_of(&self, alive: &str) -> SocketAddr {
        let names = self.names();
        let found = names.iter().find(|(name, _)| name == alive);
        (self.ip, found.unwrap_or_else(|| panic!("no {alive} among {names:?}")).1).into()
    }
}

/// Shows the log of the nodes in this program, if `FIKA_TEST_LOG` is set.
fn show_log() {
    if std::env::var_os("FIKA_TEST_LOG").is_some() {
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG);
        // Another test of the program may have set the subscriber.
        let _ = log.with_ansi(false).with_writer(std::io::stderr).try_init();
    }
}

/// Connects. Reads and writes on the connection have a time limit.
pub(crate) fn connect(addr: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// Waits until the other end has closed. Returns the bytes that came before.
pub(crate) fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            panic!("the connection was not closed; it said {bytes:?}")
        }
        // The connection was closed in order, or reset because not everything was read.
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

/// The clock of a node's environment.
pub(crate) struct Clock(SystemEnv);

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock(SystemEnv::new())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.now().since(Time::default())
    }
}

/// Polls until `is_so` returns true.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let clock = Clock::new();
    while !is_so() {
        assert!(clock.elapsed() < LIMIT, "not within the limit: {what}");
        std::thread::yield_now();
    }
}

/// Polls until `is_so` returns true, in a process. Other processes run meanwhile.
pub(crate) async fn until_in_process(what: &str, mut is_so: impl FnMut() -> bool) {
    let clock = Clock::new();
    while !is_so() {
        assert!(clock.elapsed() < LIMIT, "not within the limit: {what}");
        yield_now().await;
    }
}

/// Returns the number of repetitions: `long` if `FIKA_LONG=1` is set.
pub(crate) fn times(short: u64, long: u64) -> u64 {
    if std::env::var_os("FIKA_LONG").is_some_and(|value| value == "1") { long } else { short }
}

/// Returns whether a program of Erlang is installed. If not, prints a note, or fails if
/// `FIKA_REQUIRE_ERLANG` is set.
pub(crate) fn has_erlang(test: &str, program: &str, argument: &str) -> bool {
    let there = Command::new(program).arg(argument).output().is_ok();
    if !there {
        assert!(
            std::env::var_os("FIKA_REQUIRE_ERLANG").is_none(),
            "{test}: {program} is not installed, and FIKA_REQUIRE_ERLANG is set"
        );
        // Written to the real standard error: the output of a test that passes is not shown.
        let line = format!("skipped: {test}: {program} is not installed\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    there
}

/// Returns whether Erlang's port mapper is installed.
pub(crate) fn has_epmd(test: &str) -> bool {
    has_erlang(test, "epmd", "-help")
}

/// Receives the next message of this type.
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

/// Waits for this node's `nodeup`, and skips the `nodeup`s of others.
pub(crate) async fn nodeup(name: &str) -> NodeUp {
    receive! {
        NodeUp { node, node_type, connection } if node.as_str() == name => NodeUp { node, node_type, connection },
        after LIMIT => panic!("no nodeup of {name}"),
    }
}

/// Waits for this node's `nodedown`, and skips the `nodedown`s of others.
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

/// A question. The answer contains the number and the process that was asked.
#[derive(Message, Serialize, Deserialize, Debug)]
#[message(tag = "test::Ask")]
pub(crate) struct Ask {
    pub(crate) from: Pid,
    pub(crate) n: u64,
}

/// The type that a program of another version has under the name of [`Ask`]. In one program two
/// types can't have one tag, so this type pretends to have another hash.
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

/// Answers questions until it is told to end.
#[remote(name = "test::answerer")]
pub(crate) async fn answerer() {
    loop {
        receive! {
            Ask { from, n } => send(from, Answer { from: self_pid(), n }),
            EndWith(reason) => exit(reason),
        }
    }
}

/// Answers questions under a registered name, and reports when it has the name.
#[remote(name = "test::named_answerer")]
pub(crate) async fn named_answerer(name: String, starter: Pid) {
    register(name.as_str(), self_pid()).expect("the name is free");
    send(starter, Answer { from: self_pid(), n: 0 });
    answerer().await;
}

/// Checks that a process answers a question.
pub(crate) async fn assert_answers(pid: Pid, n: u64) {
    send(pid, Ask { from: self_pid(), n });
    receive! {
        Answer { from, n: answer } if from == pid && answer == n => {}
        after LIMIT => panic!("no answer number {n} of {pid}"),
    }
}
