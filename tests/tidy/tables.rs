//! The tables that the rules read: the crates and their arrows, the layers, the exceptions with
//! their reasons, and the lists of names that some code must not use. A change of these tables is a
//! change of the design.

use crate::examples::NoExample;

/// A crate, and the crates of this workspace that it may depend on.
pub(crate) struct Crate {
    pub(crate) folder: &'static str,
    pub(crate) may_use: &'static [&'static str],
    /// Crates from elsewhere that belong to a higher layer.
    pub(crate) must_not_use: &'static [&'static str],
}

/// The crates of the workspace. Development dependencies are free.
pub(crate) const CRATES: &[Crate] = &[
    Crate { folder: "macros", may_use: &[], must_not_use: &[] },
    Crate { folder: "runtime", may_use: &["fika-macros"], must_not_use: &["mio", "socket2"] },
    Crate {
        folder: "otp",
        may_use: &["fika-macros", "fika-runtime"],
        must_not_use: &["mio", "socket2"],
    },
    Crate { folder: "net", may_use: &["fika-macros", "fika-runtime"], must_not_use: &[] },
    Crate { folder: "sim", may_use: &["fika-net", "fika-runtime"], must_not_use: &[] },
    Crate {
        folder: "",
        may_use: &["fika-macros", "fika-net", "fika-otp", "fika-runtime", "fika-sim"],
        must_not_use: &["mio", "socket2"],
    },
    Crate { folder: "examples", may_use: &["fika"], must_not_use: &[] },
    Crate { folder: "tests/abort", may_use: &["fika-runtime"], must_not_use: &[] },
    Crate { folder: "benches", may_use: &["fika", "fika-bench-kit"], must_not_use: &[] },
    Crate { folder: "benches/kit", may_use: &[], must_not_use: &[] },
];

/// The folders of source that the rules cover, one for each crate.
pub(crate) const SOURCES: &[&str] =
    &["macros/src", "runtime/src", "otp/src", "net/src", "sim/src", "src"];

/// A folder and its layers, lowest first. A file may use the files of its own layer and of lower ones.
/// Every file and every folder in it has a layer. A folder without a row here has no layers, but no
/// circles either.
pub(crate) type Layers = (&'static str, &'static [&'static [&'static str]]);

pub(crate) const LAYERS: &[Layers] = &[
    (
        "runtime/src",
        &[
            &[
                "carrier",
                "contain",
                "dest",
                "exit_reason",
                "mailbox_limit",
                "message",
                "name",
                "node_id",
                "node_name",
                "oneshot",
                "outcome",
                "pid",
                "printable",
                "priority",
                "process_info",
                "reference",
                "remote",
                "report",
                "request",
                "signal",
                "sync",
                "system_message",
                "undecodable",
            ],
            &["env", "few_map", "log_rate", "observe", "time"],
            &["scheduler"],
            &["mailbox", "outlet", "registry", "room", "signal_queue", "timers", "vitals"],
            &["table"],
            &[
                "block_on",
                "context",
                "node",
                "process",
                "remote_call",
                "run_process",
                "stepper",
                "stop",
            ],
            &["otp"],
            // Models that combine several parts.
            &["models"],
        ],
    ),
    (
        "runtime/src/process",
        &[
            &["failure"],
            &["core"],
            &["deliver"],
            &["signals"],
            &["life"],
            &["wait"],
            &["receive"],
            &["relations"],
            &["spawn"],
            &["send"],
            &["inspect"],
            &["api"],
        ],
    ),
    (
        "otp/src",
        &[
            &["gen"],
            &["sys"],
            &["gen_server", "proc_lib"],
            &["agent", "registry", "supervisor", "supervisor_bridge", "task"],
        ],
    ),
    ("net/src", &[&["cookie"], &["proto"], &["io"], &["dist"], &["fuzzing"]]),
    (
        "net/src/dist",
        &[&["start_error"], &["discovery", "link"], &["state"], &["setup"], &["control"], &["api"]],
    ),
    (
        "net/src/proto",
        &[
            &["codec", "epmd", "error", "handshake", "limits", "tick"],
            &["atom_cache", "frame"],
            &[
                "assembly",
                "connection",
                "control",
                "lanes",
                "output",
                "parcel",
                "receiving",
                "sending",
            ],
            // Two ends in one thread, for tests and benchmarks.
            &["loopback"],
        ],
    ),
];

/// Circles that are allowed: the folder, the files or folders in it that use each other, and why.
pub(crate) type Circle = (&'static str, &'static [&'static str], &'static str);

pub(crate) const CIRCLES: &[Circle] = &[
    (
        "macros/src",
        &["main_fn", "sim_test"],
        "`#[fika::test(sim)]` is `#[fika::test]` with another body",
    ),
    (
        "runtime/src",
        &[
            "carrier",
            "contain",
            "dest",
            "exit_reason",
            "message",
            "oneshot",
            "pid",
            "process_info",
            "reference",
            "request",
            "signal",
            "system_message",
            "undecodable",
        ],
        "a message holds pids, references and reasons, and each of these is a message; the code of a \
         message is contained, and what it panics with is a reason",
    ),
    (
        "runtime/src",
        &["context", "node", "process", "stepper", "stop"],
        "a node runs processes, and the code of a process uses the node that runs it",
    ),
    (
        "runtime/src/message",
        &[
            "canonical",
            "codec",
            "described",
            "encoder",
            "fingerprint",
            "form",
            "known",
            "mod",
            "tags",
        ],
        "`Message` is encoded by all of them, and a part of a message is a `Message`, too",
    ),
    (
        "runtime/src/scheduler",
        &["classes", "current", "idle", "mod", "monitor", "seat", "stepped", "worker"],
        "a scheduler has workers, and each worker uses its scheduler",
    ),
    (
        "otp/src/gen",
        &["reply_to", "wire"],
        "a reply to another node is a message, and a message from one has the way back",
    ),
    (
        "otp/src/gen",
        &["request", "request_id"],
        "a request that is sent becomes an id, which waits as the request does",
    ),
    (
        "otp/src/sys",
        &["debug", "wire"],
        "a function that watches a process is installed by a message, and gets events",
    ),
    (
        "otp/src/gen_server",
        &["handlers", "mod", "next", "run"],
        "a server has handlers, which say what the server does next",
    ),
    ("net/src/io", &["tcp", "tcp_listener"], "a listener makes sockets, and `Poller` makes both"),
    (
        "net/src/proto",
        &["assembly", "connection", "control", "lanes", "output", "parcel", "receiving", "sending"],
        "the parts of a connection share its configuration and the types of its events",
    ),
    (
        "net/src/proto",
        &["codec", "error", "handshake"],
        "the errors of the codec name the flags of a handshake, which the codec reads",
    ),
    (
        "net/src/proto/control",
        &["decoder", "event"],
        "an event that is decoded late calls the decoder",
    ),
    (
        "src",
        &["builder", "config", "node"],
        "a node has a builder, which makes the node from its settings",
    ),
    (
        "sim/src",
        &["blocked", "checks", "events", "failure", "node", "order", "sim", "watch"],
        "the checks report failures of the simulation, which holds the checks",
    ),
    (
        "sim/src",
        &["faults", "strike"],
        "a fault says how it strikes, and a strike which fault it is",
    ),
    (
        "sim/src/network",
        &["connection", "wires"],
        "a connection names the lives of its ends, which the wires number",
    ),
];

/// The files that may have unsafe code. `UNSAFE.md` gives the reason for each.
pub(crate) const UNSAFE_FILES: &[&str] = &[
    "runtime/src/context.rs",
    "runtime/src/mailbox.rs",
    "runtime/src/message/envelope.rs",
    "runtime/src/message/shared.rs",
    "runtime/src/oneshot.rs",
    "runtime/src/scheduler/current.rs",
    "runtime/src/signal_queue.rs",
    "runtime/src/table.rs",
];

/// Paths that the code under a folder must not name.
pub(crate) struct Ban {
    pub(crate) folder: &'static str,
    pub(crate) except: &'static [&'static str],
    /// Whether the tests beside the code must not name them either.
    pub(crate) in_tests: bool,
    pub(crate) names: &'static [&'static str],
    /// The alternative to the banned path.
    pub(crate) instead: &'static str,
}

pub(crate) const BANS: &[Ban] = &[
    Ban {
        folder: "net/src/proto",
        except: &[],
        // A test of the protocol can be replayed, too.
        in_tests: true,
        names: &[
            "std::net",
            "std::time",
            "std::thread",
            "Instant",
            "SystemTime",
            "mio",
            "socket2",
            "getrandom",
            "rand",
            "fika_runtime::spawn",
            "fika_runtime::send",
        ],
        instead: "pass the time, the random bits or the bytes to the protocol as an argument",
    },
    Ban {
        folder: "net/src",
        except: &[
            // These files have the sockets of the operating system.
            "net/src/io/mod.rs",
            "net/src/io/polled.rs",
            "net/src/io/poller.rs",
            "net/src/io/spare.rs",
            "net/src/io/tcp.rs",
            "net/src/io/socket_options.rs",
            "net/src/io/tcp_listener.rs",
            "net/src/io/unix.rs",
            "net/src/io/wait.rs",
            // This file names the items that the crate exports.
            "net/src/lib.rs",
            // These files have tests, and a node for fuzzers whose clock stands still.
            "net/src/io/testing.rs",
            "net/src/fuzzing/node.rs",
            // This folder has a separate program.
            "net/src/bin/",
        ],
        in_tests: false,
        names: &[
            "Poller",
            "mio",
            "socket2",
            "rustix::event",
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "ToSocketAddrs",
            "std::thread",
            "Instant",
            "SystemTime",
            "getrandom",
            "spawn_blocking",
        ],
        instead: "use the traits of `net/src/io/network.rs` and the node's `Env`, which a simulation replaces",
    },
    Ban {
        folder: "runtime/src",
        except: &["runtime/src/report.rs"],
        in_tests: false,
        names: REPORTS,
        instead: USE_REPORT,
    },
    Ban { folder: "net/src", except: &[], in_tests: false, names: REPORTS, instead: USE_REPORT },
    Ban { folder: "sim/src", except: &[], in_tests: false, names: REPORTS, instead: USE_REPORT },
];

const REPORTS: &[&str] = &["tracing::error", "tracing::warn", "tracing::info"];
const USE_REPORT: &str = "use `report!`, which writes to stderr if the program has no subscriber";

/// The maximum of a file's lines of code, without blank lines, comments and tests.
pub(crate) const CODE_LINES_MAX: usize = 600;

/// The files directly in `tests`. Each is a separate binary, which takes time to link, so each has a
/// reason.
pub(crate) const OWN_BINARIES: &[(&str, &str)] = &[
    ("message_tags", "two message types have one tag, so no node of the program can get a name"),
    ("net_panics", "installs a global tracing subscriber, and reads the log of all nodes"),
    ("net_reports", "installs a global tracing subscriber that uses the nodes which report to it"),
    ("otp_reports", "installs a global tracing subscriber, and reads the log of all nodes"),
    ("runtime_fairness", "measures how long processes wait, and reads the log of all nodes"),
    ("runtime_reports", "installs a global tracing subscriber, and reads the log of all nodes"),
];

/// Public items without an example, by their paths from the facade's root, and why.
pub(crate) const NO_EXAMPLE: &[NoExample] = &[
    ("gen_server::RequestName", "`#[gen_server]` implements it, and only the types name it"),
    ("message::array::deserialize", "serde calls it, as the example of its module shows"),
    ("message::array::serialize", "serde calls it, as the example of its module shows"),
];
