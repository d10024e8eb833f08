//! The rules of the house that no compiler knows: who may use whom, where unsafe code may
//! be, what the protocol may not know. `ARCHITECTURE.md` gives the reasons.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The layers of the runtime, lowest first. A module may use those of its own layer and of
/// lower ones.
const RUNTIME_LAYERS: &[&[&str]] = &[
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
    &["block_on", "context", "node", "process", "stepper", "stop"],
    &["otp"],
    // They test the rest.
    &["models"],
];

/// Those of net: values, protocol, sockets, kernel.
const NET_LAYERS: &[&[&str]] = &[&["cookie"], &["proto"], &["io"], &["kernel"], &["fuzzing"]];

/// The files that may hold unsafe code; `UNSAFE.md` says why each must.
const UNSAFE_FILES: &[&str] = &[
    "runtime/src/context.rs",
    "runtime/src/mailbox.rs",
    "runtime/src/message/envelope.rs",
    "runtime/src/message/shared.rs",
    "runtime/src/scheduler/current.rs",
    "runtime/src/signal_queue.rs",
    "runtime/src/table.rs",
];

/// What the protocol gets as arguments, or does without.
const BANNED_IN_PROTO: &[&str] = &[
    "std::net",
    "std::time",
    "std::thread",
    "Instant",
    "SystemTime",
    "mio::",
    "socket2",
    "getrandom",
    "rand::",
    "fika_runtime::spawn",
    "fika_runtime::send",
];

/// The only files of net that have sockets of the operating system.
const NET_SOCKET_FILES: &[&str] = &[
    "net/src/io/mod.rs",
    "net/src/io/polled.rs",
    "net/src/io/poller.rs",
    "net/src/io/spare.rs",
    "net/src/io/tcp.rs",
    "net/src/io/socket_options.rs",
    "net/src/io/tcp_listener.rs",
    "net/src/io/unix.rs",
    "net/src/io/wait.rs",
];

/// What the rest of net gets through `Network` and `Env`, so that it runs in a simulation.
const BANNED_ABOVE_SOCKETS: &[&str] = &[
    "Poller",
    "mio::",
    "socket2",
    "rustix::event",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::thread",
    "thread::",
    "Instant",
    "SystemTime",
    "getrandom",
    "spawn_blocking",
];

/// More lines than this, and a file is two. Tests and comments count as half a line would:
/// not at all.
const CODE_LINES_MAX: usize = 600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "no files in {folder}");
    found.sort();
    found
}

fn all_files() -> Vec<PathBuf> {
    ["src", "runtime/src", "net/src", "macros/src", "sim/src"]
        .into_iter()
        .flat_map(rust_files)
        .collect()
}

fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/")
}

/// The file without its tests and comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let end = ["#[cfg(test)]", "#[cfg(all(test"]
        .iter()
        .filter_map(|mark| text.find(&format!("\n{mark}")))
        .min()
        .unwrap_or(text.len());
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The names that follow `crate::` in a piece of code.
fn uses(code: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let after = code.split("crate::").skip(1);
    let names = after.map(|rest| &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())]);
    names.filter(|name| !name.is_empty()).collect()
}

fn check_layers(folder: &str, layers: &[&[&str]]) {
    let level: BTreeMap<&str, usize> = layers
        .iter()
        .enumerate()
        .flat_map(|(n, names)| names.iter().map(move |m| (*m, n)))
        .collect();
    for path in rust_files(folder) {
        let file = name(&path);
        let inside = file.strip_prefix(folder).unwrap().trim_start_matches('/');
        let module = inside.split('/').next().unwrap().trim_end_matches(".rs");
        // The list of contents, programs and tests may use all.
        if module == "lib" || module == "bin" {
            continue;
        }
        let Some(own) = level.get(module) else { panic!("{file} is in no layer") };
        let code = code(&path);
        for used in uses(&code) {
            if let Some(theirs) = level.get(used) {
                assert!(theirs <= own, "{file} uses `{used}`, which is in a higher layer");
            }
        }
    }
}

#[test]
fn arrows_in_the_runtime_go_down() {
    check_layers("runtime/src", RUNTIME_LAYERS);
}

#[test]
fn arrows_in_net_go_down() {
    check_layers("net/src", NET_LAYERS);
}

#[test]
fn crates_know_only_those_below_them() {
    for (folder, banned) in [
        ("runtime/src", &["fika_net", "mio"][..]),
        ("macros/src", &["fika_runtime", "fika_net"][..]),
        ("net/src", &["extern crate fika;"][..]),
    ] {
        for path in rust_files(folder) {
            let code = code(&path);
            for banned in banned {
                assert!(!code.contains(banned), "{} names `{banned}`", name(&path));
            }
        }
    }
}

#[test]
fn the_protocol_knows_no_socket_clock_thread_or_random_source() {
    for path in rust_files("net/src/proto") {
        // Its tests as well: they are to replay.
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in lines {
            for banned in BANNED_IN_PROTO {
                assert!(!line.contains(banned), "{} has `{banned}`: {line}", name(&path));
            }
        }
    }
}

#[test]
fn only_networks_know_sockets() {
    for path in rust_files("net/src") {
        let file = name(&path);
        // The last has an `Env` of its own, and its clock stands still.
        let other = ["net/src/lib.rs", "net/src/io/testing.rs", "net/src/fuzzing/node.rs"];
        let other = other.contains(&&*file);
        if other || file.starts_with("net/src/bin/") || NET_SOCKET_FILES.contains(&&*file) {
            continue;
        }
        let code = code(&path);
        for banned in BANNED_ABOVE_SOCKETS {
            assert!(!code.contains(banned), "{file} has `{banned}`");
        }
    }
}

#[test]
fn unsafe_code_is_where_it_is_listed() {
    let list = fs::read_to_string(root().join("UNSAFE.md")).unwrap();
    for path in all_files() {
        let file = name(&path);
        let has = code(&path).contains("allow(unsafe_code)");
        assert_eq!(has, UNSAFE_FILES.contains(&file.as_str()), "unsafe code in {file}");
        assert_eq!(has, list.contains(&format!("`{file}`")), "{file} in UNSAFE.md");
    }
}

#[test]
fn files_say_what_they_are_and_stay_small() {
    for path in all_files() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} has no head comment", name(&path));
        let lines = code(&path).lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines <= CODE_LINES_MAX, "{} has {lines} lines of code", name(&path));
    }
}

/// Without a subscriber, what the runtime reports goes to stderr: by the macro `report!`.
#[test]
fn reports_are_made_by_one_macro() {
    for path in ["runtime/src", "net/src", "sim/src"].into_iter().flat_map(rust_files) {
        let code = code(&path);
        for banned in ["tracing::error!", "tracing::warn!", "tracing::info!"] {
            assert!(!code.contains(banned), "{} has `{banned}`: use `report!`", name(&path));
        }
    }
}

/// A future that nobody awaits, and settings that nobody uses, are mistakes that the compiler
/// can tell: `sleep(..);` waits for nothing. (It knows by itself of `async fn` and of
/// `impl Future`.)
#[test]
fn futures_and_settings_must_be_used() {
    for path in all_files() {
        let code = code(&path);
        let mut types: Vec<&str> = Vec::new();
        for line in code.lines().filter(|line| line.starts_with("impl")) {
            types.extend(line.split(" Future for ").nth(1));
        }
        // Builders: each method takes the settings and gives them back.
        for block in code.split("\nimpl").skip(1) {
            let block = &block[..block.find("\n}").unwrap_or(block.len())];
            let is_builder = block.contains("pub fn") && block.contains("mut self, ");
            if is_builder && block.contains(") -> Self {") {
                types.extend(block.split(" for ").next());
            }
        }
        for name in types {
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            let name = name.trim_start_matches(|c: char| !c.is_uppercase());
            let name = &name[..name.find(|c| !is_name(c)).unwrap_or(name.len())];
            let at = code.find(&format!("struct {name}")).expect("a type and its impl in one file");
            let before = code[..at].rfind("\n}").unwrap_or(0);
            let says = code[before..at].contains("#[must_use");
            assert!(says, "{}: `{name}` is not `#[must_use]`", self::name(&path));
        }
    }
}
