//! `epmd_SUITE`: the port mapper, tested byte by byte. Each case runs with the mapper that a node
//! starts, and with Erlang's mapper if it is installed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::sync::Arc;

use fika::prelude::*;
use fika_net::{EpmdConfig, EpmdServer, Poller};

use crate::support::hosts::Hosts;
use crate::support::{self, Place, TestNode, connect, has_epmd, until, until_closed};

/// Registers a name by hand. The registration lasts as long as the connection.
pub(crate) fn register(place: Place, alive: &str, port: u16) -> TcpStream {
    let (stream, result) = try_register(place, alive.as_bytes(), port);
    assert_eq!(result.expect("it is answered")[1], 0, "{alive} is registered");
    stream
}

fn request(body: &[u8]) -> Vec<u8> {
    [&u16::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat()
}

fn registration(name: &[u8], port: u16) -> Vec<u8> {
    let mut body = vec![120];
    body.extend(port.to_be_bytes());
    body.extend([77, 0, 0, 6, 0, 5]);
    body.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
    body.extend(name);
    body.extend([0, 0]);
    body
}

/// Returns the answer, or `None` if the mapper closed the connection without an answer.
fn try_register(place: Place, name: &[u8], port: u16) -> (TcpStream, Option<[u8; 6]>) {
    let mut stream = connect(place.mapper_addr()).unwrap();
    stream.write_all(&request(&registration(name, port))).unwrap();
    let mut answer = [0; 6];
    let answered = stream.read_exact(&mut answer).is_ok();
    assert!(!answered || answer[0] == 118);
    (stream, answered.then_some(answer))
}

fn lookup(place: Place, name: &str) -> Vec<u8> {
    place.ask_mapper(&[b"z", name.as_bytes()].concat()).unwrap()
}

/// A mapper to test.
struct Mapper {
    place: Place,
    /// How many names the mapper's own node has registered.
    own: usize,
    _node: Option<TestNode>,
    program: Option<Child>,
}

impl Drop for Mapper {
    fn drop(&mut self) {
        if let Some(mut program) = self.program.take() {
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}

/// Returns the mapper of a node, and Erlang's mapper, started with these options.
fn mappers(test: &str, options: &[&str]) -> Vec<Mapper> {
    let place = Place::new();
    let node = place.node("node");
    let mut mappers = vec![Mapper { place, own: 1, _node: Some(node), program: None }];
    if has_epmd(test) {
        mappers.push(erlangs(options));
    }
    mappers
}

fn erlangs(options: &[&str]) -> Mapper {
    let place = Place::on_localhost();
    let mut command = Command::new("epmd");
    command.args(["-port", &place.mapper.to_string(), "-address", "127.0.0.1"]).args(options);
    command.env_remove("ERL_EPMD_ADDRESS").env_remove("ERL_EPMD_PORT");
    command.stderr(std::process::Stdio::null());
    let program = Some(command.spawn().unwrap());
    until("the mapper is up", || connect(place.mapper_addr()).is_ok());
    Mapper { place, own: 0, _node: None, program }
}

/// Returns our mapper with settings that no node gives it.
fn with_settings(relaxed: bool, idle: Duration) -> Mapper {
    let place = Place::new();
    let poller = Poller::new().unwrap();
    let driver = Arc::new(poller.clone());
    let node = fika_runtime::Node::builder().workers(2).driver(driver).build().unwrap();
    let config = EpmdConfig {
        port: place.mapper,
        addrs: vec![place.ip.into()],
        relaxed,
        idle,
        creation_seed: 1,
    };
    let server = EpmdServer::bind(&poller, &config).unwrap();
    node.spawn(server.run());
    // The mapper runs as long as the test program.
    std::mem::forget(node);
    Mapper { place, own: 0, _node: None, program: None }
}

/// EPMD-1, EPMD-2: a registered name is confirmed and listed with its port.
#[test]
fn register_name() {
    for mapper in mappers("epmd::register_name", &[]) {
        let (_stream, answer) = try_register(mapper.place, b"foobar", 1234);
        assert_eq!(answer.unwrap()[..2], [118, 0]);
        assert_eq!(mapper.place.names()[0], ("foobar".to_owned(), 1234));
    }
}

/// Registers two names, then unregisters them one after the other.
fn two_names(test: &str, first: usize) {
    for mapper in mappers(test, &[]) {
        let place = mapper.place;
        let mut both = [Some(register(place, "foo", 1)), Some(register(place, "bar", 2))];
        let left = |names: &[&str]| {
            until("the names are as they should be", || {
                let all = place.names();
                all.len() == names.len() + mapper.own
                    && names.iter().all(|name| all.iter().any(|(other, _)| other == name))
            });
        };
        left(&["foo", "bar"]);
        both[first] = None;
        left(&[["bar", "foo"][first]]);
        both[1 - first] = None;
        left(&[]);
    }
}

/// EPMD-4: a registration ends with its connection. The first one ends first.
#[test]
fn register_names_1() {
    two_names("epmd::register_names_1", 0);
}

/// EPMD-4: a registration ends with its connection. The second one ends first.
#[test]
fn register_names_2() {
    two_names("epmd::register_names_2", 1);
}

/// EPMD-5: registering a live name is an error, and the old registration stays.
#[test]
fn register_duplicate_name() {
    for mapper in mappers("epmd::register_duplicate_name", &[]) {
        let _first = register(mapper.place, "foobar", 1);
        let (_second, answer) = try_register(mapper.place, b"foobar", 2);
        assert_eq!(answer.unwrap()[1], 1);
        assert_eq!(mapper.place.names()[0], ("foobar".to_owned(), 1));
    }
}

/// EPMD-6, EPMD-7: a name in UTF-8 is registered and found.
#[test]
fn unicode_name() {
    for mapper in mappers("epmd::unicode_name", &[]) {
        let name = "ünï_ロボ_🦀";
        let _stream = register(mapper.place, name, 4711);
        let found = lookup(mapper.place, name);
        assert_eq!(found[..4], [119, 0, 0x12, 0x67]);
        assert_eq!(&found[12..12 + name.len()], name.as_bytes());
    }
}

/// EPMD-7: a lookup returns the port of a registered name, and an error for an unknown name.
#[test]
fn get_port_nr() {
    for mapper in mappers("epmd::get_port_nr", &[]) {
        let _stream = register(mapper.place, "foo", 4711);
        assert_eq!(lookup(mapper.place, "foo")[..4], [119, 0, 0x12, 0x67]);
        assert_eq!(lookup(mapper.place, "bar"), [119, 1]);
    }
}

/// EPMD-7, EPMD-14: a lookup that arrives byte by byte is answered, and delays no other.
#[test]
fn slow_get_port_nr() {
    for mapper in mappers("epmd::slow_get_port_nr", &[]) {
        let _registered = register(mapper.place, "foo", 4711);
        let mut stream = connect(mapper.place.mapper_addr()).unwrap();
        stream.set_nodelay(true).unwrap();
        for byte in request(b"zfoo") {
            stream.write_all(&[byte]).unwrap();
            // The mapper serves other clients between any two bytes.
            assert_eq!(lookup(mapper.place, "bar"), [119, 1]);
        }
        assert_eq!(until_closed(&mut stream)[..4], [119, 0, 0x12, 0x67]);
    }
}

/// EPMD-11: a relaxed mapper unregisters a name on request, and reports an unknown name.
#[test]
fn unregister_others_name_1() {
    let mut mappers = vec![with_settings(true, secs(60))];
    if has_epmd("epmd::unregister_others_name_1") {
        mappers.push(erlangs(&["-relaxed_command_check"]));
    }
    for mapper in mappers {
        let mut stream = register(mapper.place, "foo", 1);
        let answer = mapper.place.ask_mapper(b"sfoo").unwrap();
        assert_eq!(answer[..7], *b"STOPPED");
        assert_eq!(until_closed(&mut stream), b"");
        assert_eq!(lookup(mapper.place, "foo"), [119, 1]);
        assert_eq!(mapper.place.ask_mapper(b"sfoo").unwrap()[..7], *b"NOEXIST");
    }
}

/// EPMD-6: a name with a zero byte is refused without an answer.
#[test]
fn name_with_null_inside() {
    for mapper in mappers("epmd::name_with_null_inside", &[]) {
        assert_eq!(try_register(mapper.place, b"foo\0bar", 1).1, None);
        assert_eq!(mapper.place.names().len(), mapper.own);
    }
}

/// EPMD-8: a client that reads slowly receives a thousand names, without the name that was
/// unregistered before.
#[test]
fn stupid_names_req() {
    const NAMES: usize = 1000;
    for mapper in mappers("epmd::stupid_names_req", &[]) {
        let place = mapper.place;
        let mut all: Vec<_> =
            (0..NAMES).map(|n| register(place, &format!("name{n}"), n as u16 + 1)).collect();
        drop(all.remove(NAMES / 2));
        until("the one is gone", || place.names().len() == NAMES - 1 + mapper.own);
        let mut stream = connect(place.mapper_addr()).unwrap();
        stream.write_all(&request(b"n")).unwrap();
        let mut text = Vec::new();
        let mut piece = [0; 97];
        loop {
            let read = stream.read(&mut piece).unwrap();
            if read == 0 {
                break;
            }
            text.extend(&piece[..read]);
            std::thread::yield_now();
        }
        let text = String::from_utf8(text.split_off(4)).unwrap();
        for n in (0..NAMES).filter(|n| *n != NAMES / 2) {
            assert!(text.contains(&format!("name name{n} at port {}\n", n + 1)), "{n}");
        }
        assert_eq!(text.lines().count(), NAMES - 1 + mapper.own);
    }
}

/// Sends these bytes and waits for the close, which comes after the idle limit and not before.
fn idle(test: &str, bytes: &[u8]) {
    // Erlang's mapper counts whole seconds.
    let mut mappers = vec![(with_settings(false, millis(400)), millis(400))];
    if has_epmd(test) {
        mappers.push((erlangs(&["-packet_timeout", "1"]), millis(1)));
    }
    for (mapper, limit) in mappers {
        let clock = support::Clock::new();
        let mut stream = connect(mapper.place.mapper_addr()).unwrap();
        stream.write_all(bytes).unwrap();
        assert_eq!(until_closed(&mut stream), b"");
        assert!(clock.elapsed() >= limit && clock.elapsed() < secs(10));
    }
}

/// EPMD-14: a connection without a request is closed after the idle limit.
#[test]
fn no_data() {
    idle("epmd::no_data", b"");
}

/// EPMD-14: a connection with half a length is closed after the idle limit.
#[test]
fn one_byte() {
    idle("epmd::one_byte", b"\0");
}

/// EPMD-14: a connection with part of a request is closed after the idle limit.
#[test]
fn partial_packet() {
    idle("epmd::partial_packet", b"\0\x10xabc");
}

/// Sends these bytes. The mapper closes without an answer, long before the idle limit.
fn closed(test: &str, bytes: &[u8]) {
    for mapper in mappers(test, &[]) {
        let mut stream = connect(mapper.place.mapper_addr()).unwrap();
        stream.write_all(bytes).unwrap();
        assert_eq!(until_closed(&mut stream), b"");
        assert_eq!(mapper.place.names().len(), mapper.own);
    }
}

/// EPMD-13: a request of length zero is closed without an answer.
#[test]
fn zero_length() {
    closed("epmd::zero_length", &[0, 0, 0, 0, 0, 0, 0]);
}

/// EPMD-13: a request above the maximum length is closed without an answer.
#[test]
fn too_large() {
    let length = 63_000_u16.to_be_bytes();
    closed("epmd::too_large", &[&length[..], &[0; 4000]].concat());
}

/// EPMD-6: a registration with an empty name is closed without an answer.
#[test]
fn alive_req_too_small_1() {
    closed("epmd::alive_req_too_small_1", &request(&registration(b"", 1)));
}

/// EPMD-13: a registration that is cut off before the name is closed without an answer.
#[test]
fn alive_req_too_small_2() {
    closed("epmd::alive_req_too_small_2", &request(&registration(b"foo", 1)[..11]));
}

/// EPMD-7: a lookup of a name without extra data returns a length of zero for it.
#[test]
fn returns_valid_empty_extra() {
    for mapper in mappers("epmd::returns_valid_empty_extra", &[]) {
        let _stream = register(mapper.place, "foo", 0x1234);
        let found = lookup(mapper.place, "foo");
        let expected =
            [&[119, 0, 0x12, 0x34, 77, 0, 0, 6, 0, 5, 0, 3][..], b"foo", &[0, 0]].concat();
        assert_eq!(found, expected);
    }
}

/// EPMD-16: Erlang's program lists the names of a mapper that one of our nodes has started.
#[test]
fn names_stdout() {
    if !has_epmd("epmd::names_stdout") {
        return;
    }
    let place = Place::on_localhost();
    let node = place.node("node");
    let _foo = register(place, "foo", 4711);
    let output = Command::new("epmd").args(["-port", &place.mapper.to_string(), "-names"]).output();
    let expected = format!(
        "epmd: up and running on port {} with data:\nname foo at port 4711\nname node at port {}\n",
        place.mapper,
        place.addr_of("node").port()
    );
    assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), expected);
    drop(node);
}

/// EPMD-10, EPMD-11: a mapper that is not relaxed can't be ended while a name is registered, and
/// unregisters no name on request.
#[test]
fn no_live_killing() {
    let mut mappers = vec![with_settings(false, secs(60))];
    if has_epmd("epmd::no_live_killing") {
        mappers.push(erlangs(&[]));
    }
    for mapper in mappers {
        let place = mapper.place;
        let foo = register(place, "foo", 1);
        assert_eq!(place.ask_mapper(b"k").unwrap(), b"NO");
        assert_eq!(place.ask_mapper(b"sfoo").unwrap_or_default(), b"");
        assert_eq!(place.names().len(), 1);
        drop(foo);
        until("foo is gone", || place.names().is_empty());
        assert_eq!(place.ask_mapper(b"k").unwrap(), b"OK");
        until("the mapper is gone", || connect(place.mapper_addr()).is_err());
    }
}

/// EPMD-12: a name can be registered over the loopback address of IPv6, with the mapper that a node
/// of that host starts and with Erlang's mapper.
#[test]
fn register_name_ipv6() {
    let test = "epmd::register_name_ipv6";
    let Ok(free) = std::net::TcpListener::bind("[::1]:0") else {
        assert!(std::env::var_os("FIKA_REQUIRE_NETWORKS").is_none(), "{test}: there is no IPv6");
        let _ = std::io::stderr().write_all(b"skipped: epmd::register_name_ipv6: no IPv6\n");
        return;
    };
    let port = free.local_addr().unwrap().port();
    drop(free);
    let node = Node::builder().name("six@::1").cookie(support::COOKIE).epmd_port(port).workers(1);
    let node = TestNode::of(node);
    register_over_ipv6(port);
    drop(node);
    if has_epmd(test) {
        let port = std::net::TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("epmd");
        command.args(["-port", &port.to_string(), "-address", "::1"]);
        command.env_remove("ERL_EPMD_ADDRESS").env_remove("ERL_EPMD_PORT");
        let program = Some(command.stderr(std::process::Stdio::null()).spawn().unwrap());
        let place = Place::new();
        let _mapper = Mapper { place, own: 0, _node: None, program };
        until("the mapper is up", || connect(([0, 0, 0, 0, 0, 0, 0, 1], port).into()).is_ok());
        register_over_ipv6(port);
    }
}

fn register_over_ipv6(port: u16) {
    let addr = ([0, 0, 0, 0, 0, 0, 0, 1], port).into();
    let mut stream = connect(addr).unwrap();
    stream.write_all(&request(&registration(b"foo", 4711))).unwrap();
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[..2], [118, 0], "it is registered");
    let mut asks = connect(addr).unwrap();
    asks.write_all(&request(b"zfoo")).unwrap();
    let mut found = [0; 4];
    asks.read_exact(&mut found).unwrap();
    assert_eq!(found, [119, 0, 0x12, 0x67]);
}

/// Returns the answers of one host's mappers to a request from another host. The mappers are a
/// node's and Erlang's, both reached by the host's address.
fn from_another_host(test: &str, body: &[u8]) {
    let Some(hosts) = Hosts::new(test, 2) else { return };
    let (host, place) = (hosts.host(0), hosts.host(0).place);
    let _node = host.enter(|| place.os("node").start());
    let mut mappers = vec![(place.mapper, 1)];
    let mut erlangs = None;
    if has_epmd(test) {
        let port = place.mapper + 1;
        let mut command = Command::new("epmd");
        command.args(["-port", &port.to_string(), "-relaxed_command_check"]);
        command.env_remove("ERL_EPMD_ADDRESS").env_remove("ERL_EPMD_PORT");
        let program = host.enter(|| command.stderr(std::process::Stdio::null()).spawn().unwrap());
        erlangs = Some(Mapper { place, own: 0, _node: None, program: Some(program) });
        mappers.push((port, 0));
    }
    hosts.host(1).enter(|| {
        for (port, names) in mappers {
            let addr = std::net::SocketAddr::from((place.ip, port));
            until("the mapper is up", || connect(addr).is_ok());
            let mut stream = connect(addr).unwrap();
            stream.write_all(&request(body)).unwrap();
            assert_eq!(until_closed(&mut stream), [0; 0], "closed without an answer");
            // The mapper continues, and lists its names for all hosts.
            let mut stream = connect(addr).unwrap();
            stream.write_all(&request(b"n")).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            let lines = String::from_utf8(answer[4..].to_vec()).unwrap();
            assert_eq!(lines.lines().count(), names, "{lines}");
        }
    });
    drop(erlangs);
}

/// EPMD-12: a mapper refuses a registration from another host.
#[test]
fn no_nonlocal_register() {
    from_another_host("epmd::no_nonlocal_register", &registration(b"foo", 4711));
}

/// EPMD-12: a mapper refuses to be ended from another host.
#[test]
fn no_nonlocal_kill() {
    from_another_host("epmd::no_nonlocal_kill", b"k");
}
