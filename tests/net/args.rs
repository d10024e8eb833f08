//! The options of a node on a program's command line (`NodeArgs`): their meaning, invalid values,
//! and their effect on the node.
#![deny(warnings)]

use crate::support;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{CommandFactory as _, Parser};
use fika::message::MailboxLimit;
use fika::net::{
    AutoConnect, NetTicktime, NodeKind, Ping as PingAnswer, get_net_ticktime, getopts, nodes_of,
    ping, set_net_ticktime,
};
use fika::node::{NodeArgs, NodeBuilder, NodeError};
use fika::prelude::*;
use fika::process::spawn_monitor_on;

use support::{COOKIE, Clock, LIMIT, Place, TestNode, answerer, assert_answers};

/// Keeps something
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    node: NodeArgs,
}

/// Parses a command line, which has no spaces inside words.
fn parse(line: &str) -> Result<NodeArgs, String> {
    let words = ["program"].into_iter().chain(line.split_whitespace());
    Cli::try_parse_from(words).map(|cli| cli.node).map_err(|error| error.to_string())
}

/// Returns all options, as they are written.
fn options() -> Vec<String> {
    let longs = |arg: &clap::Arg| arg.get_long().map(|long| format!("--{long}"));
    Cli::command().get_arguments().filter_map(longs).collect()
}

/// Checks that the lines contain every option.
fn assert_all<'a>(lines: impl Iterator<Item = &'a str> + Clone) {
    for option in options() {
        let has_it = |line: &str| line.split([' ', '=']).any(|word| word == option);
        assert!(lines.clone().any(has_it), "no case for {option}");
    }
}

#[test]
fn every_option_sets_its_value() {
    type Case = (&'static str, fn(&NodeArgs) -> bool);
    let cases: [Case; 42] = [
        ("--hidden=false", |args| args.config.hidden == Some(false)),
        ("--name a@127.0.0.1", |args| args.config.name.as_deref() == Some("a@127.0.0.1")),
        ("--sname a", |args| args.sname.as_deref() == Some("a")),
        ("--cookie-file /some/file", |args| args.config.cookie_file == Some("/some/file".into())),
        ("--hidden", |args| args.config.hidden == Some(true)),
        ("--listen 10.0.0.1:7", |args| args.config.listen == Some(([10, 0, 0, 1], 7).into())),
        ("--listen [::1]:7", |args| args.config.listen == Some("[::1]:7".parse().unwrap())),
        ("--listen-ports 9100-9105", |args| args.config.listen_ports == Some(9100..=9105)),
        ("--listen-ports 1-65535", |args| args.config.listen_ports == Some(1..=65535)),
        ("--listen-ports 7-7", |args| args.config.listen_ports == Some(7..=7)),
        ("--dist-listen=false", |args| args.config.dist_listen == Some(false)),
        ("--start-epmd=false", |args| args.config.start_epmd == Some(false)),
        ("--cookie-file-for a@h=/a=b --cookie-file-for b@h=c", |args| {
            let of = |node: &str, file: &str| (node.to_owned(), PathBuf::from(file));
            args.config.cookie_file_for == [of("a@h", "/a=b"), of("b@h", "c")]
        }),
        ("--allow a@h --allow h --allow b", |args| args.config.allow == ["a@h", "h", "b"]),
        ("--dist-auto-connect always", |args| {
            args.config.dist_auto_connect == Some(AutoConnect::Always)
        }),
        ("--dist-auto-connect once", |args| {
            args.config.dist_auto_connect == Some(AutoConnect::Once)
        }),
        ("--dist-auto-connect never", |args| {
            args.config.dist_auto_connect == Some(AutoConnect::Never)
        }),
        ("--connect-all=false", |args| args.config.connect_all == Some(false)),
        ("--net-ticktime 0.5", |args| args.config.net_ticktime == Some(millis(500))),
        ("--net-tickintensity 4", |args| args.config.net_tickintensity == Some(4)),
        ("--net-tickintensity 1000", |args| args.config.net_tickintensity == Some(1000)),
        ("--net-setuptime 12", |args| args.config.net_setuptime == Some(secs(12))),
        ("--nodelay=false", |args| args.config.nodelay == Some(false)),
        ("--keepalive", |args| args.config.keepalive == Some(true)),
        ("--send-buffer 30000", |args| args.config.send_buffer == Some(30_000)),
        ("--recv-buffer 20000", |args| args.config.recv_buffer == Some(20_000)),
        ("--mailbox-limit 1", |args| args.config.mailbox_limit == Some(MailboxLimit::messages(1))),
        ("--epmd-port 65535", |args| args.config.epmd_port == Some(65535)),
        ("--allow-weak-cookie", |args| args.config.allow_weak_cookie == Some(true)),
        ("--cluster-id blue", |args| args.config.cluster_id.as_deref() == Some("blue")),
        ("--unix-sockets /run/x", |args| args.config.unix_sockets == Some("/run/x".into())),
        ("--handshake-time 1.5", |args| args.config.handshake_time == Some(millis(1500))),
        ("--shutdown-time 2.5", |args| args.config.shutdown_time == Some(millis(2500))),
        ("--message-bytes-max 4096", |args| args.config.message_bytes_max == Some(4096)),
        ("--message-bytes-max 2GiB", |args| args.config.message_bytes_max == Some(2 << 30)),
        ("--output-bytes 64KiB-1MiB", |args| args.config.output_bytes == Some((64 << 10, 1 << 20))),
        ("--output-bytes 1B-1B", |args| args.config.output_bytes == Some((1, 1))),
        ("--async-dist", |args| args.config.async_dist == Some(true)),
        ("--workers 3", |args| args.config.workers == Some(3)),
        ("--process-limit 1000", |args| args.config.process_limit == Some(1000)),
        ("--long-message-queue 50", |args| args.config.long_message_queue == Some(50)),
        ("--config /dev/null", |args| args.file.is_some()),
    ];
    assert_all(cases.iter().map(|(line, _)| *line));
    for (line, says) in cases {
        assert!(says(&parse(line).unwrap()), "{line}");
        assert!(!says(&parse("").unwrap()), "{line} does not change the value");
    }
}

#[test]
fn invalid_options_are_refused() {
    let cases = [
        ("--name", "value is required"),
        ("--name a@h.example --sname a", "cannot be used with"),
        ("--name a", "`a`"),
        ("--name @h", "`@h`"),
        ("--name a@b@127.0.0.1", "`a@b@127.0.0.1`"),
        ("--sname", "value is required"),
        ("--sname a@h.example", "the host of a short name has no dot and is not an address"),
        ("--sname a@::1", "the host of a short name has no dot and is not an address"),
        ("--sname a.b", "`a.b@localhost`"),
        ("--cookie-file", "value is required"),
        ("--hidden=yes", "write true or false"),
        ("--listen 10.0.0.1", "write an IP address and a port"),
        ("--listen localhost:1", "write an IP address and a port"),
        ("--listen-ports 9100", "write the lowest and the highest port, like 9100-9105"),
        ("--listen-ports 1-65536", "write the lowest and the highest port"),
        ("--listen-ports 0-5", "port 0 means any port"),
        ("--listen-ports 9-8", "the lowest port is above the highest"),
        ("--dist-listen=no", "write true or false"),
        ("--start-epmd=1", "write true or false"),
        ("--cookie-file-for a@h", "write alive@host=FILE"),
        ("--cookie-file-for a@h=", "the path is empty"),
        ("--cookie-file-for a=file", "`a`"),
        ("--allow", "value is required"),
        ("--dist-auto-connect Never", "write always, once or never"),
        ("--connect-all=1", "write true or false"),
        ("--net-ticktime 0", "write a number of seconds, like 60 or 0.5"),
        ("--net-ticktime=-1", "write a number of seconds"),
        ("--net-ticktime NaN", "write a number of seconds"),
        ("--net-ticktime inf", "write a number of seconds"),
        ("--net-ticktime 60s", "write a number of seconds"),
        ("--net-tickintensity few", "write a whole number"),
        ("--net-setuptime 1e99", "write a number of seconds"),
        ("--nodelay=1", "write true or false"),
        ("--keepalive=1", "write true or false"),
        ("--send-buffer=-1", "write a number of bytes"),
        ("--recv-buffer 1K", "write a number of bytes, like 4096, 64KiB, 16MiB or 1GiB"),
        ("--allow-weak-cookie=1", "write true or false"),
        ("--cluster-id", "value is required"),
        ("--unix-sockets", "value is required"),
        ("--handshake-time 0", "write a number of seconds"),
        ("--shutdown-time 0", "write a number of seconds"),
        ("--message-bytes-max MiB", "write a number of bytes"),
        ("--message-bytes-max 99999999999GiB", "write a number of bytes"),
        ("--message-bytes-max ö", "write a number of bytes"),
        ("--output-bytes 1MiB", "write both limits, like 512KiB-1MiB"),
        ("--output-bytes 2MiB-1MiB", "the lower limit is above the upper one"),
        ("--output-bytes 1-x", "write a number of bytes"),
        ("--async-dist=1", "write true or false"),
        ("--workers=-1", "write a whole number"),
        ("--workers many", "write a whole number"),
        ("--process-limit x", "write a whole number"),
        ("--long-message-queue x", "write a whole number"),
        ("--mailbox-limit many", "write a whole number"),
        ("--epmd-port 65536", "write a port from 1 to 65535"),
        ("--config /no/such/file", "/no/such/file: the file can't be read"),
        ("--no-such-option", "unexpected argument"),
    ];
    assert_all(cases.iter().map(|(line, _)| *line));
    for (line, why) in cases {
        let error = parse(line).expect_err(line);
        let option = line.split([' ', '=']).next().unwrap();
        assert!(error.contains(why) && error.contains(option), "{line}: {error}");
    }
}

/// An invalid value that only the node can detect is an error of `build`, which names it.
#[test]
fn invalid_values_are_reported_by_build() {
    let place = Place::new();
    let file = Cookies::new(&place).file("readable", 0o644);
    let (name, port) = (place.name("n"), place.mapper);
    let taken = TcpListener::bind((place.ip, 0)).unwrap();
    let taken = taken.local_addr().unwrap();
    let cases = [
        (format!("--name {name} --cookie-file /no/such/file"), "/no/such/file"),
        (format!("--name {name} --cookie-file {}", file.display()), "readable"),
        (format!("--name {name} --cookie-file-for a@h={}", file.display()), "readable"),
        (format!("--name {name} --listen {taken}"), "in use"),
        (format!("--name {name} --start-epmd=false --epmd-port {port}"), "port mapper"),
    ];
    for (line, why) in cases {
        let args = parse(&line).unwrap();
        let mut builder = args.builder();
        if args.config.cookie_file.is_none() {
            builder = builder.cookie(COOKIE);
        }
        if args.config.epmd_port.is_none() {
            builder = builder.epmd_port(port);
        }
        let error = builder.build().expect_err(&line).to_string();
        assert!(error.contains(why), "{line}: {error}");
    }
}

/// The cookie files of a place.
struct Cookies(PathBuf);

impl Cookies {
    fn new(place: &Place) -> Cookies {
        let directory = std::env::temp_dir().join(format!("fika-args-{}", place.ip));
        std::fs::create_dir_all(&directory).unwrap();
        Cookies(directory)
    }

    /// Makes a file with this mode. Its cookie contains its name.
    fn file(&self, name: &str, mode: u32) -> PathBuf {
        let file = self.0.join(name);
        std::fs::write(&file, format!("the cookie of {name}, a long one")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }
}

impl Drop for Cookies {
    fn drop(&mut self) {
        // A leftover directory does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Returns the builder of a node from a command line, with the place and the name added.
fn builder(place: &Place, alive: &str, line: &str) -> NodeBuilder {
    let (name, port) = (place.name(alive), place.mapper);
    parse(&format!("--name {name} --epmd-port {port} {line}")).unwrap().builder().workers(2)
}

fn node(place: &Place, alive: &str, line: &str) -> TestNode {
    TestNode::of(builder(place, alive, line).cookie(COOKIE))
}

#[test]
fn names() {
    let place = Place::on_localhost();
    let port = place.mapper;
    let start = |line: &str| {
        let args = parse(&format!("{line} --epmd-port {port}")).unwrap();
        TestNode::of(args.builder().cookie(COOKIE))
    };
    assert_eq!(start("--name long@127.0.0.1").name().as_str(), "long@127.0.0.1");
    assert_eq!(start("--sname short@localhost").name().as_str(), "short@localhost");
    let host = gethostname();
    assert_eq!(start("--sname short").name().as_str(), format!("short@{host}"));
    let nameless = start("");
    assert!(!nameless.is_distributed());
}

/// Returns this host's name up to its first dot, from the system's own program.
fn gethostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    name.trim().split('.').next().unwrap().to_owned()
}

/// The options decide where a node listens and which port mapper it uses.
#[test]
fn listening() {
    let place = Place::new();
    let free = TcpListener::bind((place.ip, 0)).unwrap().local_addr().unwrap();
    let there = node(&place, "there", &format!("--listen {free}"));
    assert_eq!(place.addr_of("there"), free);
    let range = node(&place, "range", "--listen-ports 23100-23101");
    assert!((23_100..=23_101).contains(&place.addr_of("range").port()));
    let quiet = node(&place, "quiet", "--dist-listen=false");
    assert!(place.names().iter().all(|(name, _)| name != "quiet"));
    let mut names = [place.name("there"), place.name("range")];
    names.sort();
    quiet.block_on(async move {
        for name in &names {
            assert_eq!(ping(name).await, PingAnswer::Pong);
        }
        // A node that does not listen is hidden.
        let connected = nodes_of(NodeKind::Hidden);
        assert_eq!(connected.iter().map(|name| name.to_string()).collect::<Vec<_>>(), names);
    });
    drop((there, range));
    let other = Place { mapper: place.mapper + 1, ..place };
    let line = format!("--start-epmd=false --name {}", other.name("there"));
    let error = parse(&format!("{line} --epmd-port {}", other.mapper)).unwrap().builder();
    let error = error.cookie(COOKIE).build().unwrap_err();
    assert!(matches!(error, NodeError::Start(_)), "{error}");
}

#[test]
fn hidden() {
    let place = Place::new();
    let (here, there) = (node(&place, "here", "--hidden"), node(&place, "there", ""));
    let (name, own) = (place.name("there"), place.name("here"));
    here.block_on(async move { assert_eq!(ping(name).await, PingAnswer::Pong) });
    there.block_on(async move {
        support::until_in_process("it is connected", || !nodes_of(NodeKind::Connected).is_empty())
            .await;
        assert_eq!(nodes_of(NodeKind::Hidden), [own.parse().unwrap()]);
    });
}

/// The options set a cookie for all nodes, and a cookie for one peer.
#[test]
fn cookies() {
    let place = Place::new();
    let cookies = Cookies::new(&place);
    let file = |name| cookies.file(name, 0o600);
    let (most, one) = (file("most"), file("one"));
    let of = |alive: &str, file: &Path, more: &str| {
        TestNode::of(builder(&place, alive, &format!("--cookie-file {} {more}", file.display())))
    };
    let (first, second) = (of("first", &most, ""), of("second", &one, ""));
    let for_second = format!("--cookie-file-for {}={}", place.name("second"), one.display());
    let here = of("here", &most, &for_second);
    let stranger = of("stranger", &most, "");
    let pings = |node: &TestNode, alive: &str| {
        let name = place.name(alive);
        node.block_on(async move { ping(name).await == PingAnswer::Pong })
    };
    assert!(pings(&here, "first") && pings(&here, "second"));
    assert!(pings(&stranger, "first") && !pings(&stranger, "second"));
    drop((first, second));
}

/// The options decide which nodes may be connected, and when nodes connect by themselves.
#[test]
fn connecting() {
    let place = Place::new();
    let [a, b, c] = ["a", "b", "c"].map(|alive| node(&place, alive, ""));
    let reaches = |node: &TestNode, alive: &str| {
        let name = place.name(alive);
        node.block_on(async move { ping(name).await == PingAnswer::Pong })
    };
    let choosy = node(&place, "choosy", "--allow a --connect-all=false");
    assert!(reaches(&choosy, "a") && !reaches(&choosy, "b") && !reaches(&b, "choosy"));
    let alone = node(&place, "alone", "--connect-all=false");
    assert!(reaches(&b, "c") && reaches(&alone, "b"));
    let shy = node(&place, "shy", "--dist-auto-connect never --connect-all=false");
    let name = place.name("c");
    shy.block_on(async move {
        let (_, refused) = spawn_monitor_on(&name, answerer()).await;
        assert_eq!(support::down(refused).await, ExitReason::Noconnection);
        assert_eq!(connect_node(&name).await, Some(true));
        assert_answers(spawn_on(&name, answerer()).await, 1).await;
    });
    // By now it would have been notified of the other nodes, in order.
    assert!(reaches(&alone, "b"));
    assert_eq!(alone.nodes(), [place.name("b").parse().unwrap()]);
    drop((a, c));
}

/// Registers a node with the port mapper until the connection ends.
fn register(place: &Place, alive: &str, port: u16) -> TcpStream {
    let mut request = vec![120];
    request.extend(port.to_be_bytes());
    request.extend([77, 0, 0, 6, 0, 5, 0, alive.len() as u8]);
    request.extend(alive.bytes());
    request.extend([0, 0]);
    let mut mapper = support::connect(place.mapper_addr()).unwrap();
    let length = (request.len() as u16).to_be_bytes();
    mapper.write_all(&[&length[..], &request].concat()).unwrap();
    let mut answer = [0; 2];
    mapper.read_exact(&mut answer).unwrap();
    assert_eq!(answer[1], 0, "it is registered");
    mapper
}

#[test]
fn times() {
    let place = Place::new();
    let here =
        node(&place, "here", "--net-ticktime 8 --net-tickintensity 1000 --net-setuptime 0.2");
    // This listener accepts connections, and sends nothing.
    let silent = TcpListener::bind((place.ip, 0)).unwrap();
    let _registered = register(&place, "silent", silent.local_addr().unwrap().port());
    let name = place.name("silent");
    here.block_on(async move {
        assert_eq!(get_net_ticktime().await.unwrap(), NetTicktime::Is(secs(8)));
        let clock = Clock::new();
        // The ticktime is rounded up to a multiple of the number of checks, in milliseconds.
        set_net_ticktime(millis(8001), Duration::ZERO).await.unwrap();
        while get_net_ticktime().await.unwrap() != NetTicktime::Is(secs(9)) {
            assert!(clock.elapsed() < LIMIT);
        }
        let clock = Clock::new();
        assert_eq!(ping(name).await, PingAnswer::Pang);
        let took = clock.elapsed();
        assert!(took >= millis(200) && took < secs(5), "{took:?}");
    });
}

#[test]
fn sockets() {
    let place = Place::new();
    let there = node(&place, "there", "");
    let line = "--nodelay=false --keepalive --send-buffer 30000 --recv-buffer 20000";
    let name = place.name("there");
    node(&place, "here", line).block_on(async move {
        assert_eq!(ping(&name).await, PingAnswer::Pong);
        let set = getopts(&name).unwrap();
        assert_eq!((set.nodelay, set.keepalive), (Some(false), Some(true)));
        assert!((30_000..=60_000).contains(&set.send_buffer.unwrap()), "{set:?}");
        assert!((20_000..=40_000).contains(&set.recv_buffer.unwrap()), "{set:?}");
    });
    drop(there);
}

/// A setting that the program makes before is a default, and the command line overrides it.
#[test]
fn defaults_of_the_program() {
    let node = |line: &str| {
        let builder = fika::Node::builder().workers(3).process_limit(1000);
        TestNode::of(parse(line).unwrap().apply(builder))
    };
    let limit = |node: &TestNode| {
        node.block_on(async {
            let mut count = 0;
            while self_node().spawn(std::future::pending::<()>()).is_some() {
                count += 1;
            }
            count
        })
    };
    assert!((900..=1024).contains(&limit(&node(""))));
    assert!((90..=128).contains(&limit(&node("--process-limit 100"))));
}

/// Nodes of two clusters with the same cookie do not connect.
#[test]
fn clusters() {
    let place = Place::new();
    let [a, b] = ["a", "b"].map(|alive| node(&place, alive, "--cluster-id blue"));
    let c = node(&place, "c", "--cluster-id red");
    let reaches = |node: &TestNode, alive: &str| {
        let name = place.name(alive);
        node.block_on(async move { ping(name).await == PingAnswer::Pong })
    };
    assert!(reaches(&a, "b") && !reaches(&a, "c") && !reaches(&c, "b"));
    drop(b);
}

/// The options set the sizes of messages and of the output, and decide which processes a connection
/// suspends.
#[test]
fn sizes() {
    let place = Place::new();
    let line = "--message-bytes-max 8KiB --output-bytes 64KiB-128KiB --async-dist";
    let (here, there) = (node(&place, "here", line), node(&place, "there", line));
    let name = place.name("there");
    here.block_on(async move {
        let there = spawn_on(&name, answerer()).await;
        assert_answers(there, 1).await;
        assert!(fika::net::async_dist(true), "it was on");
        let (_, ends) = spawn_monitor(async move { send(there, vec![0_u8; 9 << 10]) });
        let reason = support::down(ends).await.to_string();
        assert!(reason.contains("8192"), "{reason}");
        assert_answers(there, 2).await;
    });
    drop(there);
}

/// The options make nodes whose sockets no other user can reach.
#[cfg(unix)]
#[test]
fn unix_sockets() {
    let directory = std::env::temp_dir().join(format!("fika-args-unix-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let start = |name: &str| {
        let line = format!("--name {name}@127.0.0.1 --unix-sockets {}", directory.display());
        TestNode::of(parse(&line).unwrap().builder().cookie(COOKIE))
    };
    let (here, there) = (start("here"), start("there"));
    here.block_on(async { assert_eq!(ping("there@127.0.0.1").await, PingAnswer::Pong) });
    drop((here, there));
    std::fs::remove_dir_all(&directory).unwrap();
}

/// The command line takes precedence over the file, and the file over the program's defaults.
#[test]
fn a_file_with_settings() {
    let path = std::env::temp_dir().join(format!("fika-args-{}.toml", std::process::id()));
    let text = "name = 'file@127.0.0.1'\nworkers = 2\nprocess_limit = 77\nallow = ['a']\n";
    std::fs::write(&path, text).unwrap();
    let config = |line: &str| {
        parse(&format!("--config {} {line}", path.display())).map(|args| args.config())
    };
    let alone = config("").unwrap();
    assert_eq!(alone.name.as_deref(), Some("file@127.0.0.1"));
    let with_options = config("--sname other@host --workers 3 --allow b").unwrap();
    assert_eq!(with_options.name.as_deref(), Some("other@host"));
    assert_eq!((with_options.workers, with_options.process_limit), (Some(3), Some(77)));
    assert_eq!(with_options.allow, ["a", "b"]);
    let defaults = Node::builder().workers(1).process_limit(64);
    let node = parse(&format!("--config {} --cookie-file /dev/null", path.display()));
    let error = node.unwrap().apply(defaults).build().unwrap_err().to_string();
    assert!(error.contains("/dev/null"), "the file gives the node a name: {error}");
    std::fs::write(&path, "workers = 2\nworkesr = 3\n").unwrap();
    let error = config("").unwrap_err();
    std::fs::remove_file(&path).unwrap();
    for part in ["--config <FILE>", "line 2", "did you mean `workers`"] {
        assert!(error.contains(part), "{error}");
    }
}

/// `-h` prints a table that fits a terminal. `--help` prints longer texts.
#[test]
fn help_is_readable() {
    let mut command = Cli::command();
    let help = command.render_help().to_string();
    assert!(help.contains("Node options:"), "{help}");
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    for argument in command.get_arguments().filter(|argument| argument.get_id() != "help") {
        let text = argument.get_help().expect("it has a text").to_string();
        assert!(text.starts_with(char::is_uppercase) && !text.ends_with('.'), "{text}");
        assert!(!argument.is_positional());
    }
    assert!(command.render_long_help().to_string().lines().all(|line| line.len() <= 100));
    // The documentation of `NodeArgs` does not become the documentation of the program.
    assert!(help.starts_with("Keeps something\n\nUsage:"), "{help}");
    assert!(NodeArgs::command().render_help().to_string().starts_with("Usage:"));
}

#[test]
fn mailboxes() {
    let place = Place::new();
    node(&place, "here", "--mailbox-limit 3").block_on(async {
        let (pid, end) = spawn_monitor(async {
            receive! { (): () => {} }
        });
        for n in 0..4_u64 {
            send(pid, n);
        }
        assert_eq!(support::down(end).await, ExitReason::Killed);
    });
}
