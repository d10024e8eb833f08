//! Nodes on hosts with IPv4 addresses, IPv6 addresses and both. Each is found by the nodes that can
//! reach it, at every address on which it listens, in whichever order the nodes of a host start,
//! and whichever node starts the port mapper. The hosts are network namespaces with their own
//! `/etc/hosts`; see `support::hosts` for what a machine needs.
//!
//! `tests/sim/addresses.rs` has the cases that depend on chance and time.
#![deny(warnings)]

use crate::support;

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fika::prelude::*;
use support::hosts::{FileHost, Switch};
use support::process::{OsNode, OsNodeBuilder};
use support::{COOKIE, Clock, TestNode, connect, has_epmd, until};

/// The port of all mappers.
const MAPPER: u16 = 4369;

/// The environment variable that marks a program that looks for nodes.
const SEEKER: &str = "FIKA_TEST_SEEKER";

/// The hosts that all hosts know. `here` is the host of the nodes, with both families.
const NAMES: &str = "\
127.0.0.1 localhost
::1 localhost
10.0.0.1 here
fd00::1 here
fd00::6 six
";

/// An `/etc/gai.conf` that puts A records first.
const IPV4_FIRST: &str = "precedence ::ffff:0:0/96 100";

/// The hosts that look for the nodes of `here`.
struct World {
    here: FileHost,
    four: FileHost,
    six: FileHost,
    both: FileHost,
    /// A host with both addresses, which tries the IPv4 address first.
    both_four_first: FileHost,
    _switch: Switch,
}

impl World {
    fn new(test: &str) -> Option<World> {
        let switch = Switch::new(test)?;
        let ips = |ips: &str| ips.split(' ').map(|ip| ip.parse().unwrap()).collect::<Vec<IpAddr>>();
        let host = |n, own: &str, sorted| switch.host(n, &ips(own), NAMES, sorted);
        Some(World {
            here: host(1, "10.0.0.1 fd00::1", ""),
            four: host(4, "10.0.0.4", ""),
            six: host(6, "fd00::6", ""),
            both: host(7, "10.0.0.7 fd00::7", ""),
            both_four_first: host(8, "10.0.0.8 fd00::8", IPV4_FIRST),
            _switch: switch,
        })
    }

    fn start(&self, alive: &str) -> OsNode {
        node(alive, "here", listens(alive)).on(&self.here).start()
    }

    /// Checks which of these nodes of `here` each host finds: exactly the nodes that it can reach.
    /// The nodes of `here` must all find each other.
    #[track_caller]
    fn expect(&self, nodes: &[&str]) {
        let names: Vec<String> = nodes.iter().map(|alive| format!("{alive}@here")).collect();
        let seen = |host, from| Seeker::start(host, from, &names);
        let seekers = [
            (seen(&self.four, "seeker@four"), "4"),
            (seen(&self.six, "seeker@six"), "6"),
            (seen(&self.both, "seeker@both"), "46"),
            (seen(&self.both_four_first, "seeker@both2"), "46"),
            (seen(&self.here, "seeker@here"), "46L"),
        ];
        for (seeker, families) in seekers {
            let (from, found) = (seeker.from.clone(), seeker.found());
            for (alive, took) in nodes.iter().zip(found) {
                let is_reached = reached_over(alive).chars().any(|over| families.contains(over));
                assert_eq!(took.is_some(), is_reached, "{alive} from {from}: {took:?}");
                // No attempt hangs: a missing node refuses the connection.
                assert!(took.is_none_or(|took| took < Duration::from_secs(5)), "{took:?}");
            }
        }
    }
}

/// Returns where a node listens, from its name.
fn listens(alive: &str) -> Option<&'static str> {
    match alive {
        "loopback" => None,
        "loopback6" => Some("[::1]:0"),
        "four" => Some("10.0.0.1:0"),
        "six" => Some("[fd00::1]:0"),
        "all4" => Some("0.0.0.0:0"),
        "all" => Some("[::]:0"),
        _ => panic!("no such node: {alive}"),
    }
}

/// Returns the families over which another host reaches a node. `L` means from its own host only.
fn reached_over(alive: &str) -> &'static str {
    match alive {
        "four" | "all4" => "4L",
        "six" => "6L",
        "all" => "46L",
        _ => "L",
    }
}

fn node(alive: &str, host: &str, listens: Option<&str>) -> OsNodeBuilder {
    let node = OsNodeBuilder::new(&format!("{alive}@{host}"), MAPPER).cookie(COOKIE);
    match listens {
        Some(addr) => node.listen(addr.parse().unwrap()),
        None => node,
    }
}

/// A program on a host that looks for nodes: this binary again, in the test [`seeks`].
struct Seeker {
    from: String,
    program: Child,
}

impl Seeker {
    fn start(host: &FileHost, from: &str, names: &[String]) -> Seeker {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "addresses::seeks", "--nocapture", "--test-threads=1"]);
        command.env(SEEKER, from).env("FIKA_TEST_NAMES", names.join(" "));
        let mut command = host.enters(&command);
        let program = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        Seeker { from: from.into(), program }
    }

    /// Returns how long it took to connect to each node. `None` for a node that was not found.
    fn found(self) -> Vec<Option<Duration>> {
        let output = self.program.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let found = |line: &str| {
            let found = line.strip_prefix("sought: ")?;
            Some(found.parse().ok().map(Duration::from_millis))
        };
        text.lines().filter_map(found).collect()
    }
}

/// The `main` of a [`Seeker`]. In a normal run of the tests, it does nothing.
#[test]
fn seeks() {
    let Ok(name) = std::env::var(SEEKER) else { return };
    let names = std::env::var("FIKA_TEST_NAMES").unwrap();
    let builder = Node::builder().name(name).cookie(COOKIE).epmd_port(MAPPER).workers(1);
    let node = TestNode::of(builder.connect_all(false).dist_listen(false));
    node.block_on(async move {
        println!();
        for name in names.split(' ') {
            let clock = Clock::new();
            match connect_node(name).await {
                Some(true) => println!("sought: {}", clock.elapsed().as_millis()),
                _ => println!("sought: none"),
            }
        }
    });
}

/// Returns the names that the mapper at an address of `here` knows. Empty if no mapper answers.
fn known(here: &FileHost, ip: &str) -> Vec<String> {
    let names = || -> std::io::Result<String> {
        let mut stream = connect(SocketAddr::new(ip.parse().unwrap(), MAPPER))?;
        stream.write_all(&[0, 1, b'n'])?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer[4..]).into_owned())
    };
    let text = here.enter(names).unwrap_or_default();
    text.lines().filter_map(|line| Some(line.split(' ').nth(1)?.to_owned())).collect()
}

/// Waits until the nodes are known at each address of `here` where others look for them.
#[track_caller]
fn until_known(world: &World, nodes: &[&str]) {
    for (ip, over) in [("127.0.0.1", 'L'), ("10.0.0.1", '4'), ("fd00::1", '6')] {
        let of_it = |alive: &&&str| reached_over(alive).contains(over);
        let wanted: Vec<&&str> = nodes.iter().filter(of_it).collect();
        until("all nodes are known again", || {
            let known = known(&world.here, ip);
            wanted.iter().all(|alive| known.iter().any(|known| known == *alive))
        });
    }
}

/// Starts these nodes on one host, in this order, and checks that they are found. Then ends the
/// first and the second node, which also ends the mappers that they have started.
#[track_caller]
fn order(test: &str, order: &[&str]) {
    let Some(world) = World::new(test) else { return };
    let mut nodes: VecDeque<OsNode> = order.iter().map(|alive| world.start(alive)).collect();
    world.expect(order);
    for ended in 1..3 {
        drop(nodes.pop_front());
        until_known(&world, &order[ended..]);
    }
    world.expect(&order[2..]);
}

#[test]
fn loopback_first() {
    order("loopback_first", &["loopback", "four", "six", "all4", "all", "loopback6"]);
}

#[test]
fn all_first() {
    order("all_first", &["all", "loopback", "four", "all4", "six"]);
}

#[test]
fn all_of_ipv4_first() {
    order("all_of_ipv4_first", &["all4", "six", "all", "loopback6", "four"]);
}

#[test]
fn one_address_first() {
    order("one_address_first", &["six", "four", "all", "loopback"]);
}

/// Many nodes start at the same time: each address gets a mapper, and all nodes are known
/// everywhere.
#[test]
fn all_at_once() {
    let Some(world) = World::new("all_at_once") else { return };
    let order = ["all", "four", "loopback", "six", "all4", "loopback6"];
    let _nodes: Vec<OsNode> = std::thread::scope(|scope| {
        let starting = order.map(|alive| scope.spawn(|| world.start(alive)));
        starting.into_iter().map(|node| node.join().unwrap()).collect()
    });
    world.expect(&order);
}

/// Erlang's mapper, which ends at the end of a test.
struct Epmd(Child);

impl Epmd {
    /// Starts Erlang's mapper on these addresses, or on all.
    fn start(host: &FileHost, addresses: &str) -> Epmd {
        let mut command = Command::new("epmd");
        command.env("ERL_EPMD_ADDRESS", addresses).env_remove("ERL_EPMD_PORT");
        let mut command = host.enters(&command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let epmd = Epmd(command.spawn().unwrap());
        until("Erlang's mapper is up", || {
            let addr = SocketAddr::from(([127, 0, 0, 1], MAPPER));
            host.enter(|| connect(addr).is_ok())
        });
        epmd
    }
}

impl Drop for Epmd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Erlang's mapper serves some addresses. Nodes start a mapper for the other addresses, and for all
/// of them when Erlang's mapper ends.
#[track_caller]
fn check_beside_erlangs_mapper(test: &str, addresses: &str) {
    let Some(world) = World::new(test) else { return };
    if !has_epmd(test) {
        return;
    }
    let epmd = Epmd::start(&world.here, addresses);
    let order = ["four", "all", "six", "loopback"];
    let _nodes = order.map(|alive| world.start(alive));
    world.expect(&order);
    drop(epmd);
    until_known(&world, &order);
    world.expect(&order);
}

#[test]
fn erlangs_mapper_on_all_addresses() {
    check_beside_erlangs_mapper("erlangs_mapper_on_all_addresses", "");
}

#[test]
fn erlangs_mapper_on_loopback() {
    check_beside_erlangs_mapper("erlangs_mapper_on_loopback", "127.0.0.1");
}

#[test]
fn erlangs_mapper_on_one_address() {
    check_beside_erlangs_mapper("erlangs_mapper_on_one_address", "10.0.0.1");
}

/// Erlang's programs query the mappers that nodes have started.
#[test]
fn erlangs_programs_query_our_mappers() {
    let test = "erlangs_programs_query_our_mappers";
    let Some(world) = World::new(test) else { return };
    if !has_epmd(test) {
        return;
    }
    let _nodes = ["loopback", "four"].map(|alive| world.start(alive));
    let mut names = Command::new("epmd");
    names.arg("-names").env_remove("ERL_EPMD_PORT");
    let output = world.here.enters(&names).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("name four at port") && text.contains("name loopback at"), "{text}");
    let port = text.split("name four at port ").nth(1).and_then(|text| text.lines().next());
    let mut look_up = Command::new("erl");
    let code = "io:format(\"~p\", [erl_epmd:port_please(\"four\", {10,0,0,1})]), halt().";
    look_up.args(["-noshell", "-eval", code]).env_remove("ERL_EPMD_PORT");
    let output = world.four.enters(&look_up).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with(&format!("{{port,{},", port.unwrap())), "{text}");
}

/// A host whose nodes listen on loopback has nothing open to the network. A node on one address
/// opens only that address.
#[test]
fn a_mapper_listens_only_where_its_node_does() {
    let Some(world) = World::new("a_mapper_listens_only_where_its_node_does") else { return };
    let is_open = |ip: &str| {
        let addr = SocketAddr::new(ip.parse().unwrap(), MAPPER);
        world.both.enter(|| match connect(addr) {
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
                false
            }
            Ok(_) => true,
        })
    };
    let _loopback = ["loopback", "loopback6"].map(|alive| world.start(alive));
    assert!(!is_open("10.0.0.1") && !is_open("fd00::1"));
    let _six = world.start("six");
    assert!(!is_open("10.0.0.1") && is_open("fd00::1"));
}

/// One of two addresses does not answer. Whichever address is tried first, the other one is tried
/// soon.
#[test]
fn an_address_that_does_not_answer() {
    let Some(world) = World::new("an_address_that_does_not_answer") else { return };
    let _node = world.start("all");
    let names = ["all@here".to_owned()];
    let cut = |rule: &str| {
        let rule = format!("nft flush chain inet faults in; nft add rule inet faults in {rule}");
        world.here.run(&rule).unwrap();
    };
    let took = |host| Seeker::start(host, "seeker@host", &names).found()[0].expect("it is found");
    let (delay, limit) = (Duration::from_millis(240), Duration::from_secs(5));
    cut("ip6 daddr fd00::1 drop");
    assert!((delay..limit).contains(&took(&world.both)));
    assert!(took(&world.both_four_first) < limit);
    cut("ip daddr 10.0.0.1 drop");
    assert!((delay..limit).contains(&took(&world.both_four_first)));
    assert!(took(&world.both) < limit);
}

/// Nodes work on a host with IPv6 only, without even the loopback address of IPv4.
#[test]
fn a_host_without_ipv4() {
    let Some(world) = World::new("a_host_without_ipv4") else { return };
    world.six.run("ip address del 127.0.0.1/8 dev lo").unwrap();
    let start = |alive, addr| node(alive, "six", Some(addr)).on(&world.six).start();
    let _nodes = [("a", "[fd00::6]:0"), ("b", "[::1]:0"), ("c", "[::]:0")]
        .map(|(alive, addr)| start(alive, addr));
    let names = ["a@six", "b@six", "c@six"].map(String::from);
    let found = |host, from| {
        let found = Seeker::start(host, from, &names).found();
        found.iter().map(Option::is_some).collect::<Vec<_>>()
    };
    assert_eq!(found(&world.both, "seeker@both"), [true, false, true]);
    assert_eq!(found(&world.six, "seeker@six"), [true, true, true]);
}

/// A setting that can't work is an error. A setting that might not work is a warning.
#[test]
fn a_start_reports_invalid_addresses() {
    let Some(world) = World::new("a_start_reports_invalid_addresses") else { return };
    let start = |name: &str, addr: &str| {
        let (alive, host) = name.split_once('@').unwrap();
        node(alive, host, Some(addr).filter(|addr| !addr.is_empty())).on(&world.here)
    };
    let covered = "but it listens on";
    let unserved = "no port mapper answers at 10.0.0.1:4369";
    let errors = [
        // The name stands for an address of this host, and the node does not listen on that
        // address.
        (start("a@10.0.0.1", "[fd00::1]:0"), covered),
        (start("a@fd00::1", "0.0.0.0:0"), covered),
        (start("a@127.0.0.1", "10.0.0.1:0"), covered),
        // No mapper serves the address at which other nodes look.
        (start("a@10.0.0.1", "10.0.0.1:0").env("FIKA_TEST_NO_START_EPMD", "1"), unserved),
        (start("a@10.0.0.1", "0.0.0.0:0").env("FIKA_TEST_NO_START_EPMD", "1"), unserved),
        (start("a@here", "10.0.0.9:0"), "this host does not have the address"),
    ];
    let _mapper = node("mapper", "127.0.0.1", None).on(&world.here).start();
    for (node, expected) in errors {
        let log = node.try_start().err().expect("it can't be found");
        assert!(log.contains(expected), "{expected} is not in {log}");
        assert!(!log.contains("WARN"), "{log}");
    }
    let warnings = [
        (start("b@10.0.0.1", ""), "the node listens on loopback only"),
        (start("b@10.0.0.77", "0.0.0.0:0"), "this host does not have the address"),
        (start("b@10.0.0.77", "10.0.0.1:0"), "does not listen on the address in its name"),
        (start("b@nowhere", "10.0.0.1:0"), "can't be looked up"),
        (start("b@six", "[fd00::1]:0"), "has addresses on which the node does not listen"),
        (
            start("b@here", "0.0.0.0:0").env("FIKA_TEST_NO_START_EPMD", "1"),
            "at some of its addresses",
        ),
    ];
    for (node, expected) in warnings {
        let node = node.start();
        node.await_log(expected, 1);
        assert_eq!(node.logged("WARN"), 1, "{}", node.log());
        node.stop();
    }
    for (name, addr) in [
        ("c@here", "10.0.0.1:0"),
        ("c@here", "[fd00::1]:0"),
        ("c@here", "[::]:0"),
        ("c@10.0.0.1", "[::]:0"),
        ("c@fd00::1", "[::]:0"),
        ("c@localhost", ""),
        ("c@here", ""),
    ] {
        let node = start(name, addr).start();
        assert_eq!(node.logged("WARN"), 0, "{name} {addr}: {}", node.log());
        node.stop();
    }
}

/// A host has fewer ports than there are connections between its nodes. Connections to different
/// nodes share a port, so many nodes neither use up the ports nor make the system search.
#[test]
fn ports_are_reused() {
    const PORTS: usize = 200;
    let Some(world) = World::new("ports_are_reused") else { return };
    let ports = "echo 40000 40199 > /proc/sys/net/ipv4/ip_local_port_range";
    world.here.run(ports).unwrap();
    let nodes: Vec<TestNode> = world.here.enter(|| {
        let node = |n| Node::builder().name(format!("n{n}@127.0.0.1")).workers(1).cookie(COOKIE);
        (0..24).map(|n| TestNode::of(node(n).epmd_port(MAPPER))).collect()
    });
    for (n, node) in nodes.iter().enumerate() {
        node.block_on(async move {
            for other in 0..n {
                assert_eq!(connect_node(format!("n{other}@127.0.0.1")).await, Some(true));
            }
        });
    }
    let connections = nodes.iter().map(|node| node.nodes().len()).sum::<usize>() / 2;
    assert!(connections > PORTS, "{connections}");
}
