//! Describes the machine that runs the benchmarks.

use std::collections::BTreeMap;
use std::fs;
use std::thread::available_parallelism;

use crate::system::output;

/// Returns the properties of the machine on which figures depend.
pub(crate) fn machine() -> BTreeMap<String, String> {
    let cores = available_parallelism().map_or(0, usize::from);
    let facts = [
        ("cpu", field("/proc/cpuinfo", "model name")),
        ("cores", cores.to_string()),
        ("memory", memory()),
        ("kernel", output("uname", &["-sr"])),
        ("os", field("/etc/os-release", "PRETTY_NAME").trim_matches('"').to_owned()),
    ];
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns the compiler. All Rust systems are built with the same compiler and profile.
pub(crate) fn rustc() -> String {
    format!("{}, release, thin LTO, one codegen unit", output("rustc", &["--version"]))
}

fn memory() -> String {
    let kib = field("/proc/meminfo", "MemTotal");
    let kib = kib.split(' ').next().and_then(|kib| kib.parse::<f64>().ok());
    kib.map_or("unknown".into(), |kib| format!("{:.0} GiB", kib / 1_048_576.0))
}

/// Returns the first value of a name in a file with lines `name: value` or `name=value`.
fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().find_map(|line| {
        let rest = line.strip_prefix(name)?.trim_start();
        rest.strip_prefix([':', '=']).map(|value| value.trim().to_owned())
    });
    value.unwrap_or_else(|| "unknown".into())
}
