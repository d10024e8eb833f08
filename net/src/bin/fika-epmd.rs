//! The port mapper as a program: `fika-epmd`, a replacement for Erlang's `epmd`.
//!
//! Its options, output and exit statuses are those of `epmd`, with two differences. First, without
//! `-address` it only listens on the loopback addresses. To let other hosts find the nodes, use
//! `-address 0.0.0.0,::`. Second, options may come in any order, with one dash or two.
//!
//! It writes no log, and supports neither `-systemd` nor the delays for testing.

use std::env;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
#[cfg(unix)]
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fika_net::{DEFAULT_PORT, EpmdClient, EpmdConfig, EpmdError, EpmdServer, Poller};
use fika_runtime::{Node, Printable, timeout};

/// How long a command waits for the mapper.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take for its request, in seconds. `-packet_timeout` overrides this.
const PACKET_TIMEOUT_S: u64 = EpmdConfig::IDLE.as_secs();

/// The argument with which `-daemon` starts this program. It reports on standard output that it
/// listens, with one byte, and then prints nothing more.
const DETACHED: &str = "detached";

const USAGE: &str = "\
usage: fika-epmd [-port N] [-address LIST] [-daemon] [-relaxed_command_check]
                 [-packet_timeout SECONDS] [-debug]
       fika-epmd [-port N] -names | -kill | -stop NAME

Tells nodes the ports on which other nodes listen. It speaks the protocol of Erlang's epmd.

  -port N                 the port of the mapper (default: ERL_EPMD_PORT, or 4369)
  -address LIST           also listen on these IP addresses, separated by commas
                          (default: ERL_EPMD_ADDRESS, or only the loopback addresses)
  -daemon                 run in the background
  -relaxed_command_check  allow -kill while nodes are registered, and -stop
                          (also if ERL_EPMD_RELAXED_COMMAND_CHECK is set)
  -packet_timeout SECONDS how long a client may take for its request (default: 5)
  -debug, -d              report the start on standard error

  -names                  list the nodes that are registered
  -kill                   end the mapper that is running
  -stop NAME              unregister a node
";

/// Why the program fails, as printed on standard error.
struct Failure(String);

/// The options from the command line and the environment.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Options {
    port: Option<String>,
    address: Option<String>,
    relaxed: bool,
    packet_timeout_s: u64,
    debug: bool,
    action: Action,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Action {
    Serve,
    Daemon,
    /// The background part of `Daemon`.
    Detached,
    Names,
    Kill,
    Stop(String),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some(options) = Options::parse(&arguments, variable) else {
        eprint!("{USAGE}");
        return ExitCode::FAILURE;
    };
    let result = match options.action {
        Action::Serve | Action::Detached => serve(&options),
        Action::Daemon => daemon(&arguments),
        Action::Names | Action::Kill | Action::Stop(_) => command(&options),
    };
    result.unwrap_or_else(|Failure(text)| {
        eprintln!("epmd: {text}");
        ExitCode::FAILURE
    })
}

/// Returns the value of an environment variable, if it is set. A value that is not UTF-8 counts as
/// set, but is invalid.
fn variable(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

impl Options {
    /// Parses the arguments. Returns `None` if the usage is to be shown.
    fn parse(arguments: &[String], env: impl Fn(&str) -> Option<String>) -> Option<Options> {
        let mut options = Options {
            port: env("ERL_EPMD_PORT"),
            address: env("ERL_EPMD_ADDRESS"),
            relaxed: env("ERL_EPMD_RELAXED_COMMAND_CHECK").is_some(),
            packet_timeout_s: PACKET_TIMEOUT_S,
            debug: false,
            action: Action::Serve,
        };
        let mut arguments = arguments.iter().cloned();
        while let Some(argument) = arguments.next() {
            let option = argument.strip_prefix("--").or(argument.strip_prefix('-'))?;
            match option {
                "port" => options.port = Some(positive(&arguments.next()?)?.to_string()),
                "address" => options.address = Some(arguments.next()?),
                "relaxed_command_check" => options.relaxed = true,
                "packet_timeout" => options.packet_timeout_s = positive(&arguments.next()?)?,
                "d" | "debug" => options.debug = true,
                "daemon" => options.action = Action::Daemon,
                DETACHED => options.action = Action::Detached,
                "names" => options.action = Action::Names,
                "kill" => options.action = Action::Kill,
                "stop" => options.action = Action::Stop(arguments.next()?),
                _ => return None,
            }
        }
        Some(options)
    }

    fn port(&self) -> Result<u16, Failure> {
        let Some(port) = &self.port else { return Ok(DEFAULT_PORT) };
        let number = port.parse().ok().filter(|port| *port != 0);
        number.ok_or_else(|| {
            Failure(format!(
                "`{port}` is not a port; -port or ERL_EPMD_PORT must be from 1 to 65535"
            ))
        })
    }

    /// Returns the loopback addresses and the requested ones.
    fn addrs(&self) -> Result<Vec<IpAddr>, Failure> {
        let mut addrs = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let list = self.address.as_deref().unwrap_or_default();
        for addr in list.split(',').map(str::trim).filter(|addr| !addr.is_empty()) {
            let bad = || Failure(format!("cannot parse IP address \"{addr}\""));
            addrs.push(addr.parse().map_err(|_| bad())?);
        }
        Ok(addrs)
    }
}

fn positive(number: &str) -> Option<u64> {
    number.parse().ok().filter(|number| *number > 0)
}

fn node() -> Result<(Poller, Node), Failure> {
    let poller = Poller::new().map_err(|error| Failure(error.to_string()))?;
    // A mapper has little to do, and a command does one thing at a time.
    let builder = Node::builder().workers(1).driver(Arc::new(poller.clone()));
    let node = builder.build().map_err(|error| Failure(error.to_string()))?;
    Ok((poller, node))
}

fn serve(options: &Options) -> Result<ExitCode, Failure> {
    let port = options.port()?;
    let addrs = options.addrs()?;
    let (poller, node) = node()?;
    let config = EpmdConfig {
        port,
        addrs,
        relaxed: options.relaxed,
        idle: Duration::from_secs(options.packet_timeout_s),
        creation_seed: node.env().random() as u32,
    };
    let server = match EpmdServer::bind(&poller, &config) {
        Ok(server) => server,
        Err(error) if error.is_in_use() => {
            // Not an error: a program that starts a mapper only needs one to be running.
            if options.debug {
                eprintln!("epmd: a mapper is already running on port {port}");
            }
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => {
            // The error's text, without the `(os error N)` that Rust appends.
            let text = error.to_string();
            return Err(Failure(text.split(" (os error ").next().unwrap_or_default().into()));
        }
    };
    if options.debug {
        eprintln!("epmd: epmd running - daemon = 0");
    }
    if options.action == Action::Detached {
        say("\n");
    }
    node.block_on(server.run());
    Ok(ExitCode::SUCCESS)
}

/// Starts this program again, detached from this terminal, and waits until it listens.
fn daemon(arguments: &[String]) -> Result<ExitCode, Failure> {
    let failure = |error: io::Error| Failure(format!("cannot start in the background: {error}"));
    let mut command = Command::new(env::current_exe().map_err(failure)?);
    command.args(arguments).arg(format!("-{DETACHED}")).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // The terminal sends signals, such as that of Ctrl-C, to its foreground group only.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(failure)?;
    let mut stdout = child.stdout.take().expect("stdout is piped");
    if stdout.read(&mut [0]).map_err(failure)? > 0 {
        return Ok(ExitCode::SUCCESS);
    }
    // It has ended without listening. If a mapper is already running, this is not a failure.
    let status = child.wait().map_err(failure)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn command(options: &Options) -> Result<ExitCode, Failure> {
    let no_mapper = || Failure("Cannot connect to local epmd".into());
    let port = options.port()?;
    let (poller, node) = node()?;
    let ask = |ip: IpAddr| {
        let client = EpmdClient::new(Arc::new(poller.clone()), SocketAddr::new(ip, port));
        let action = options.action.clone();
        node.block_on(timeout_of_command(async move {
            match action {
                Action::Stop(name) => client.stop(&name).await,
                Action::Kill => client.kill().await,
                _ => client.names().await.map(|names| names.text().to_owned()),
            }
        }))
    };
    let mut text = ask(Ipv4Addr::LOCALHOST.into());
    // A host may lack the loopback address of IPv4.
    if let Some(Err(EpmdError::Unreachable { .. })) = text {
        text = ask(Ipv6Addr::LOCALHOST.into());
    }
    let text = match text {
        None => return Err(Failure("local epmd does not respond".into())),
        Some(Err(EpmdError::Unreachable { .. })) => return Err(no_mapper()),
        Some(Err(error)) => return Err(Failure(error.to_string())),
        Some(Ok(text)) => text,
    };
    let (said, code) = match (&options.action, &*text) {
        (Action::Kill, "OK") => ("Killed\n".into(), ExitCode::SUCCESS),
        (Action::Kill, "NO") => {
            ("Killing not allowed - living nodes in database.\n".into(), ExitCode::FAILURE)
        }
        // Erlang's daemon appends its second word to the first one.
        (Action::Stop(_), text) if text.starts_with("NOEXIST") => {
            ("NOEXIST\n".into(), ExitCode::SUCCESS)
        }
        (Action::Stop(_), "STOPPED") => ("STOPPED\n".into(), ExitCode::SUCCESS),
        (Action::Kill | Action::Stop(_), text) => {
            let text = Printable(text);
            (format!("epmd: local epmd responded with <{text}>\n"), ExitCode::FAILURE)
        }
        (_, text) => {
            let head = format!("epmd: up and running on port {port} with data:\n");
            let lines = text.lines().map(|line| format!("{}\n", Printable(line)));
            (lines.fold(head, |all, line| all + &line), ExitCode::SUCCESS)
        }
    };
    say(&said);
    Ok(code)
}

async fn timeout_of_command<T>(command: impl Future<Output = T>) -> Option<T> {
    timeout(COMMAND_TIMEOUT, command).await.ok()
}

/// Prints the text. A closed standard output is not an error.
fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
