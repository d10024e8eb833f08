//! EPMD-18, EPMD-15, EPMD-16: our nodes with Erlang's port mapper, Erlang's programs with ours, and
//! the two mapper programs side by side.
//!
//! If Erlang is not installed, these tests print a note and pass, unless `FIKA_REQUIRE_ERLANG` is
//! set.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fika_net::{EpmdClient, EpmdError, EpmdRegistration, NodeInfo, Poller, PublishedType};
use fika_runtime::{Node, timeout};

const OURS: &str = env!("CARGO_BIN_EXE_fika-epmd");

/// Far more than anything here takes.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A mapper that runs until this is dropped.
struct Mapper {
    child: Child,
    port: u16,
}

impl Mapper {
    fn start(program: &str, arguments: &[&str]) -> Mapper {
        let port = free_port();
        let mut command = epmd(program, port, arguments);
        // Erlang's mapper also writes refused requests there.
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "{program} has ended");
            std::thread::yield_now();
        }
        Mapper { child, port }
    }

    fn client(&self, poller: &Poller) -> EpmdClient {
        EpmdClient::new(
            Arc::new(poller.clone()),
            SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)),
        )
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Mapper {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns a port on which nothing listens. It is below those that the system gives to connections,
/// so that a connection of another test can't take it.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next =
            NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id().wrapping_mul(64));
        let port = 10_000 + (next % 20_000) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

fn epmd(program: &str, port: u16, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(["-port", &port.to_string()]).args(arguments);
    for name in ["ERL_EPMD_PORT", "ERL_EPMD_ADDRESS", "ERL_EPMD_RELAXED_COMMAND_CHECK"] {
        command.env_remove(name);
    }
    command
}

/// Returns whether this part of Erlang is installed.
fn is_installed(program: &str, argument: &str) -> bool {
    let result = Command::new(program).arg(argument).output();
    if result.is_err() {
        assert!(std::env::var_os("FIKA_REQUIRE_ERLANG").is_none(), "{program} is not installed");
        println!("skipped: {program} is not installed");
    }
    result.is_ok()
}

fn has_erl() -> bool {
    is_installed("erl", "-version")
}

fn has_epmd() -> bool {
    is_installed("epmd", "-help")
}

fn node() -> (Poller, Node) {
    let poller = Poller::new().unwrap();
    let node = Node::builder().driver(Arc::new(poller.clone())).build().unwrap();
    (poller, node)
}

fn info(name: &str, port: u16) -> NodeInfo {
    NodeInfo::new(name, port, PublishedType::HIDDEN).unwrap()
}

/// Checks what every mapper must do for our client.
async fn registration(client: EpmdClient) -> EpmdRegistration {
    let a = client.register(&info("fika_a", 4001)).await.unwrap();
    let ö = client.register(&info("fika_ö", 4002)).await.unwrap();
    let again = client.register(&info("fika_a", 4003)).await;
    assert!(matches!(again, Err(EpmdError::NameTaken { name }) if name == "fika_a"));

    assert_eq!(client.lookup("fika_a").await.unwrap(), Some(info("fika_a", 4001)));
    assert_eq!(client.lookup("fika_ö").await.unwrap(), Some(info("fika_ö", 4002)));
    assert_eq!(client.lookup("fika").await.unwrap(), None);
    let names = client.names().await.unwrap();
    assert_eq!(names.iter().collect::<Vec<_>>(), [("fika_ö", 4002), ("fika_a", 4001)]);

    let creation = a.creation();
    drop(a);
    while client.lookup("fika_a").await.unwrap().is_some() {}
    let anew = client.register(&info("fika_a", 4004)).await.unwrap();
    assert_ne!(anew.creation(), creation);
    drop(ö);
    anew
}

fn register_and_look_up(program: &str) {
    let mut mapper = Mapper::start(program, &[]);
    let (poller, node) = node();
    let client = mapper.client(&poller);
    let registration = node.block_on(timeout_of_test(registration(client.clone())));
    let lost = timeout_of_test(async move { registration.lost().await });
    mapper.kill();
    node.block_on(lost);
    let error = node.block_on(timeout_of_test(async move { client.names().await.unwrap_err() }));
    assert!(matches!(error, EpmdError::Unreachable { .. }), "{error}");
}

async fn timeout_of_test<T>(test: impl Future<Output = T>) -> T {
    timeout(TIMEOUT, test).await.expect("in time")
}

#[test]
fn our_client_and_erlangs_mapper() {
    if has_epmd() {
        register_and_look_up("epmd");
    }
}

#[test]
fn our_client_and_our_mapper() {
    register_and_look_up(OURS);
}

fn output(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// EPMD-16: each program's commands have the same output with each program's mapper.
#[test]
fn names_stdout() {
    let programs = if has_epmd() { vec!["epmd", OURS] } else { vec![OURS] };
    let (poller, node) = node();
    for daemon in &programs {
        let mapper = Mapper::start(daemon, &[]);
        let port = mapper.port;
        let client = mapper.client(&poller);
        let registrations = node.block_on(timeout_of_test(async move {
            let a = client.register(&info("a", 4001)).await.unwrap();
            let b = client.register(&info("b", 4002)).await.unwrap();
            (a, b)
        }));
        let head = format!("epmd: up and running on port {port} with data:\n");
        let names = head.clone() + "name b at port 4002\nname a at port 4001\n";
        let not_allowed = "Killing not allowed - living nodes in database.\n";
        for program in &programs {
            let run = |arguments: &[&str]| output(epmd(program, port, arguments));
            assert_eq!(run(&["-names"]), (Some(0), names.clone(), String::new()));
            assert_eq!(run(&["-kill"]), (Some(1), not_allowed.into(), String::new()));
            let refused = "epmd: local epmd responded with <>\n";
            assert_eq!(run(&["-stop", "a"]), (Some(1), refused.into(), String::new()));
            // EPMD-15: a second daemon ends, and does not affect the first.
            assert_eq!(run(&[]), (Some(0), String::new(), String::new()));
            assert_eq!(run(&["-daemon"]), (Some(0), String::new(), String::new()));
            assert_eq!(run(&["-names"]), (Some(0), names.clone(), String::new()));
        }
        drop(registrations);
        for program in &programs {
            while output(epmd(program, port, &["-names"])).1 != head {}
        }
    }
}

/// Ends the daemon even if a test fails.
struct End(u16);

impl Drop for End {
    fn drop(&mut self) {
        output(epmd(OURS, self.0, &["-kill"]));
    }
}

/// EPMD-10, EPMD-11, EPMD-16: a daemon in the background is started and ended.
#[test]
fn daemon_stop_and_kill() {
    let programs = if has_epmd() { vec!["epmd", OURS] } else { vec![OURS] };
    let (poller, node) = node();
    for program in &programs {
        let port = free_port();
        let run = |arguments: &[&str]| output(epmd(program, port, arguments));
        let no_mapper = (Some(1), String::new(), "epmd: Cannot connect to local epmd\n".into());
        assert_eq!(run(&["-names"]), no_mapper);
        assert_eq!(run(&["-kill"]), no_mapper);
        assert_eq!(run(&["-stop", "a"]), no_mapper);

        let _end = End(port);
        let started = output(epmd(OURS, port, &["-daemon", "-relaxed_command_check"]));
        assert_eq!(started, (Some(0), String::new(), String::new()));
        let client = EpmdClient::new(
            Arc::new(poller.clone()),
            SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        );
        let registration = node.block_on(timeout_of_test(async move {
            client.register(&info("a", 4001)).await.unwrap()
        }));
        let said = |text: &str| (Some(0), text.to_owned(), String::new());
        assert_eq!(run(&["-stop", "b"]), said("NOEXIST\n"));
        assert_eq!(run(&["-stop", "a"]), said("STOPPED\n"));
        node.block_on(timeout_of_test(async move { registration.lost().await }));
        assert_eq!(run(&["-kill"]), said("Killed\n"));
        while run(&["-names"]) != no_mapper {}
    }
}

/// EPMD-16: invalid command lines.
#[test]
fn usage_and_failures() {
    for arguments in [
        &["-bogus"][..],
        &["names"],
        &["-names", "extra"],
        &["-stop"],
        &["-port", "0"],
        &["-port", "x"],
        &["-packet_timeout", "0"],
        &["-address"],
    ] {
        let (code, stdout, stderr) = output(epmd(OURS, 1, arguments));
        assert_eq!((code, &*stdout), (Some(1), ""), "{arguments:?}");
        assert!(stderr.starts_with("usage: fika-epmd "), "{arguments:?}: {stderr}");
    }
    let failed = |text: &str| (Some(1), String::new(), format!("epmd: {text}\n"));
    let run = |arguments: &[&str]| output(epmd(OURS, free_port(), arguments));
    assert_eq!(run(&["-address", "x"]), failed("cannot parse IP address \"x\""));
    assert_eq!(
        run(&["--port", "70000", "--names"]),
        failed("`70000` is not a port; -port or ERL_EPMD_PORT must be from 1 to 65535")
    );
    // An address for documentation, which no host has.
    let (code, _, stderr) = run(&["-address", "192.0.2.1"]);
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("epmd: failed to bind on ipaddr 192.0.2.1: "), "{stderr}");
    assert!(!stderr.contains("os error"), "{stderr}");
}

/// An invalid value is named in the error, whether it is UTF-8 or not, and is not replaced by a
/// default.
#[test]
fn invalid_variables() {
    use std::os::unix::ffi::OsStrExt as _;
    for value in [&b""[..], b"0", b"65536", b"epmd", b"4369\xff"] {
        for arguments in [&[][..], &["-names"], &["-kill"]] {
            let mut command = Command::new(OURS);
            command.args(arguments).env("ERL_EPMD_PORT", std::ffi::OsStr::from_bytes(value));
            let (status, _, errors) = output(command);
            assert_eq!(status, Some(1), "{value:?} {arguments:?}");
            assert!(errors.contains("ERL_EPMD_PORT"), "{value:?} {arguments:?}: {errors}");
        }
    }
}

/// EPMD-18: a node of Erlang registers with our mapper, finds our node and itself there, and our
/// node finds it.
#[test]
fn erlangs_node_and_our_mapper() {
    if !has_erl() {
        return;
    }
    let mapper = Mapper::start(OURS, &[]);
    let (poller, node) = node();
    let client = mapper.client(&poller);
    let ours = client.clone();
    let _registration =
        node.block_on(timeout_of_test(
            async move { ours.register(&info("fika", 4001)).await.unwrap() },
        ));
    // The program prints its results, and ends with standard input.
    let code = r#"
        {port, Port, Version} = erl_epmd:port_please("fika", {127,0,0,1}),
        {ok, Names} = erl_epmd:names({127,0,0,1}),
        noport = erl_epmd:port_please("nobody", {127,0,0,1}),
        io:format("~p ~p ~p~n", [Port, Version, lists:sort([Name || {Name, _} <- Names])]),
        io:get_line(""),
        halt()."#;
    let mut erl = Command::new("erl")
        .args(["-noshell", "-name", "erlang@127.0.0.1", "-start_epmd", "false", "-eval", code])
        .env("ERL_EPMD_PORT", mapper.port.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(erl.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    let found = client.clone();
    let found = node
        .block_on(timeout_of_test(async move { found.lookup("erlang").await.unwrap().unwrap() }));
    drop(erl.stdin.take());
    assert!(erl.wait().unwrap().success());
    assert_eq!(line, "4001 6 [\"erlang\",\"fika\"]\n");
    assert_eq!((found.node_type(), found.highest_version()), (PublishedType::NORMAL, 6));
    node.block_on(timeout_of_test(async move {
        while client.lookup("erlang").await.unwrap().is_some() {}
    }));
}

/// On a host without the loopback address of IPv4, the mapper starts and answers. The host is a
/// network namespace, which needs Linux and root.
#[test]
fn a_host_without_ipv4() {
    let script = "ip link set lo up && ip address del 127.0.0.1/8 dev lo || exit 7
                  $0 -daemon && $0 -names && $0 -kill";
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", script, OURS]);
    command.env_remove("ERL_EPMD_PORT").env_remove("ERL_EPMD_ADDRESS");
    let output = command.output();
    let Some(output) =
        output.ok().filter(|output| ![Some(1), Some(7)].contains(&output.status.code()))
    else {
        assert!(std::env::var_os("FIKA_REQUIRE_NETWORKS").is_none(), "no network can be made");
        return println!("skipped: no network can be made");
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text, "epmd: up and running on port 4369 with data:\nKilled\n", "{output:?}");
}
