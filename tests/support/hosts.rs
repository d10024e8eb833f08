//! Hosts of a test, on a separate network: network namespaces that are joined by a bridge, and
//! faults of the packets between them.
//!
//! This needs Linux, root, and the programs `unshare`, `nsenter`, `ip` and `nft`. Without them a
//! test reports that it is skipped, or fails if `FIKA_REQUIRE_NETWORKS` is set. A namespace exists
//! as long as a program that holds it. That program ends with the test.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{MAPPER_PORT, Place};

/// The initial tables of a host: packets from hosts in the sets are dropped or reset.
const TABLE: &str = "
    add table inet faults
    add chain inet faults in { type filter hook input priority 0; }
    add set inet faults cut { type ipv4_addr; flags timeout; }
    add set inet faults broken { type ipv4_addr; }
    add set inet faults lossy { type ipv4_addr; }
    add rule inet faults in ip saddr @cut drop
    add rule inet faults in ip saddr @broken tcp flags & rst == 0 reject with tcp reset
    add rule inet faults in ip saddr @lossy numgen random mod 100 < 5 drop
";

/// A fault of the packets from a host.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The packets are dropped.
    Cut,
    /// The packets are dropped for this many milliseconds.
    CutFor(u32),
    /// The connection of the packets is reset.
    Reset,
    /// One packet in twenty is dropped.
    Lossy,
}

/// Some hosts on one network.
pub(crate) struct Hosts {
    _switch: Namespace,
    hosts: Vec<Host>,
}

/// A host.
pub(crate) struct Host {
    namespace: Namespace,
    /// The host's address, and its mapper's port.
    pub(crate) place: Place,
}

impl Hosts {
    /// Makes this many hosts, if this machine allows it.
    pub(crate) fn new(test: &str, count: u8) -> Option<Hosts> {
        available(test, Hosts::try_new(count))
    }

    fn try_new(count: u8) -> Result<Hosts, String> {
        let switch = Namespace::new()?;
        switch.run("ip", "link add bridge type bridge", "")?;
        switch.run("ip", "link set bridge up", "")?;
        let host = |n: u8| Host::new(&switch, n);
        let hosts = (1..=count).map(host).collect::<Result<_, _>>()?;
        Ok(Hosts { _switch: switch, hosts })
    }

    pub(crate) fn host(&self, n: usize) -> &Host {
        &self.hosts[n]
    }

    /// Applies a fault to the packets from `from` to `to`.
    pub(crate) fn one_way(&self, from: usize, to: usize, fault: Fault) {
        let (set, timeout) = match fault {
            Fault::Cut => ("cut", String::new()),
            Fault::CutFor(millis) => ("cut", format!(" timeout {millis}ms")),
            Fault::Reset => ("broken", String::new()),
            Fault::Lossy => ("lossy", String::new()),
        };
        let from = self.hosts[from].place.ip;
        let rule = format!("add element inet faults {set} {{ {from}{timeout} }}");
        self.hosts[to].namespace.run("nft", "-f -", &rule).expect("the table is there");
    }

    /// Applies a fault to the packets between two hosts.
    pub(crate) fn both_ways(&self, a: usize, b: usize, fault: Fault) {
        self.one_way(a, b, fault);
        self.one_way(b, a, fault);
    }

    /// Ends all faults.
    pub(crate) fn heal(&self) {
        for host in &self.hosts {
            for set in ["cut", "broken", "lossy"] {
                let flush = format!("flush set inet faults {set}");
                host.namespace.run("nft", "-f -", &flush).expect("the table is there");
            }
        }
    }
}

/// A host with chosen addresses and its own files, on a network with others. Programs can enter it,
/// and threads can't.
pub(crate) struct FileHost(Namespace);

/// A network for such hosts, if this machine allows it.
pub(crate) struct Switch(Namespace);

impl Switch {
    pub(crate) fn new(test: &str) -> Option<Switch> {
        let switch = Namespace::new().and_then(|switch| {
            switch.run("ip", "link add bridge type bridge", "")?;
            switch.run("ip", "link set bridge up", "")?;
            Ok(Switch(switch))
        });
        available(test, switch)
    }

    /// Makes a host with these addresses. The host knows only the hosts in `names`, which has the
    /// form of `/etc/hosts`. `sorted` has the form of `/etc/gai.conf`.
    pub(crate) fn host(&self, n: usize, ips: &[IpAddr], names: &str, sorted: &str) -> FileHost {
        self.try_host(n, ips, names, sorted).expect("a network can be made, and so can a host")
    }

    fn try_host(
        &self,
        n: usize,
        ips: &[IpAddr],
        names: &str,
        sorted: &str,
    ) -> Result<FileHost, String> {
        let host = FileHost(Namespace::with(&["--net", "--mount"])?);
        let holder = host.0.holder.id();
        self.0.run("ip", &format!("link add to{n} type veth peer eth0 netns {holder}"), "")?;
        self.0.run("ip", &format!("link set to{n} master bridge up"), "")?;
        let mut script = "mount -t tmpfs none /mnt; ip link set lo up; ip link set eth0 up; \
                          echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad;"
            .to_owned();
        for ip in ips {
            let (bits, how) = if ip.is_ipv4() { (24, "") } else { (64, "nodad") };
            script += &format!("ip address add {ip}/{bits} dev eth0 {how};");
        }
        let files = [("hosts", names), ("gai.conf", sorted), ("nsswitch.conf", "hosts: files\n")];
        for (file, text) in files {
            script += &format!("cat > /mnt/{file} <<'END'\n{text}\nEND\n");
            script += &format!("touch /etc/{file}; mount --bind /mnt/{file} /etc/{file};");
        }
        script += "nft -f - <<'END'\n";
        script += TABLE;
        script += "\nEND\n";
        host.run(&script)?;
        Ok(host)
    }
}

impl FileHost {
    /// Runs a shell script on the host.
    pub(crate) fn run(&self, script: &str) -> Result<(), String> {
        self.0.run("sh", "-e", script)
    }

    /// Runs `job` on the host's network, but with the files of this host. The programs and the
    /// threads that it starts stay on that network.
    pub(crate) fn enter<T: Send>(&self, job: impl FnOnce() -> T + Send) -> T {
        self.0.enter(job)
    }

    /// Returns the command that runs a program on the host, with its arguments and environment.
    pub(crate) fn enters(&self, command: &Command) -> Command {
        let mut entered = Command::new("nsenter");
        entered.args(self.0.flags()).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => entered.env(key, value),
                None => entered.env_remove(key),
            };
        }
        entered
    }
}

/// Returns the networks, if they could be made. Otherwise prints why the test is skipped.
fn available<T>(test: &str, made: Result<T, String>) -> Option<T> {
    let why = match made {
        Ok(made) => return Some(made),
        Err(why) => why,
    };
    assert!(
        std::env::var_os("FIKA_REQUIRE_NETWORKS").is_none(),
        "{test}: no networks can be made, and FIKA_REQUIRE_NETWORKS is set: {why}"
    );
    // Written to the real standard error: the output of a test that passes is not shown.
    let line = format!("skipped: {test}: no networks can be made: {why}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    None
}

impl Host {
    fn new(switch: &Namespace, n: u8) -> Result<Host, String> {
        let namespace = Namespace::new()?;
        let holder = namespace.holder.id();
        let ip = Ipv4Addr::new(10, 0, 0, n);
        switch.run("ip", &format!("link add to{n} type veth peer eth0 netns {holder}"), "")?;
        switch.run("ip", &format!("link set to{n} master bridge up"), "")?;
        namespace.run("ip", "link set lo up", "")?;
        namespace.run("ip", &format!("address add {ip}/24 dev eth0"), "")?;
        namespace.run("ip", "link set eth0 up", "")?;
        namespace.run("nft", "-f -", TABLE)?;
        Ok(Host { namespace, place: Place { ip, mapper: MAPPER_PORT } })
    }

    /// Runs `job` on the host. The programs and the threads that it starts stay there.
    pub(crate) fn enter<T: Send>(&self, job: impl FnOnce() -> T + Send) -> T {
        self.namespace.enter(job)
    }
}

/// A network namespace.
struct Namespace {
    /// The program that holds the namespace. It ends when its standard input is closed.
    holder: Child,
    /// The kinds of namespaces, with their names for `unshare` and `nsenter`.
    kinds: &'static [&'static str],
}

impl Namespace {
    fn new() -> Result<Namespace, String> {
        Namespace::with(&["--net"])
    }

    fn with(kinds: &'static [&'static str]) -> Result<Namespace, String> {
        let mut command = Command::new("unshare");
        command.args(kinds).arg("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut holder = command.spawn().map_err(|error| format!("unshare: {error}"))?;
        let stdin = holder.stdin.as_mut().expect("it is piped");
        let mut stdout = BufReader::new(holder.stdout.take().expect("it is piped"));
        // The echo shows that the program runs in the namespace.
        let echoed =
            stdin.write_all(b"there\n").and_then(|()| stdout.read_line(&mut String::new()));
        let namespace = Namespace { holder, kinds };
        match echoed {
            Ok(6) => Ok(namespace),
            _ => Err("unshare --net: not permitted".to_owned()),
        }
    }

    fn enter<T: Send>(&self, job: impl FnOnce() -> T + Send) -> T {
        let entered = || {
            let file = format!("/proc/{}/ns/net", self.holder.id());
            let file = File::open(file).expect("the namespace is there");
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(file.as_fd(), kind).expect("it was made by this program");
            job()
        };
        // The calling thread stays in its own namespace.
        let result = std::thread::scope(|scope| scope.spawn(entered).join());
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Returns the arguments with which `nsenter` finds the namespace.
    fn flags(&self) -> Vec<String> {
        let target = ["--target".to_owned(), self.holder.id().to_string()];
        target.into_iter().chain(self.kinds.iter().map(|kind| (*kind).to_owned())).collect()
    }

    /// Runs a program in the namespace.
    fn run(&self, program: &str, args: &str, input: &str) -> Result<(), String> {
        let mut command = Command::new("nsenter");
        command.args(self.flags()).arg(program).args(args.split(' '));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let failed = |why: &dyn std::fmt::Display| format!("{program} {args}: {why}");
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(input.as_bytes()).map_err(|error| failed(&error))?;
        drop(stdin);
        let output = child.wait_with_output().map_err(|error| failed(&error))?;
        let why = || failed(&String::from_utf8_lossy(&output.stderr));
        output.status.success().then_some(()).ok_or_else(why)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
