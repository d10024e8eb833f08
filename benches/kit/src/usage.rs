//! CPU time and memory of OS processes, as the kernel reports them.

use std::fs;
use std::time::Duration;

/// The unit in which the kernel counts the CPU time of another process.
const TICKS_PER_S: u64 = 100;

/// Returns the CPU time that this OS process has used.
pub(crate) fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Returns the CPU time that another OS process has used; zero if it has ended.
pub(crate) fn cpu_of(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in parentheses, may contain spaces. The fields follow it.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_S)
}

/// Returns the resident memory of this OS process.
#[must_use]
pub fn rss_bytes() -> f64 {
    bytes("/proc/self/status", "VmRSS:")
}

/// Returns the resident memory of another OS process.
#[must_use]
pub fn rss_bytes_of(pid: u32) -> f64 {
    bytes(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// Returns the resident memory of another OS process, in which shared pages count in part.
#[must_use]
pub fn pss_bytes(pid: u32) -> f64 {
    bytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

fn bytes(file: &str, field: &str) -> f64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.split_whitespace().next());
    value.and_then(|kib| kib.parse::<f64>().ok()).map_or(f64::NAN, |kib| kib * 1024.0)
}
