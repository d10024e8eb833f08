//! What the kernel says that an OS process uses.

use std::fs;
use std::time::Duration;

/// The kernel counts the CPU time of another process in these.
const TICKS_PER_S: u64 = 100;

/// CPU time of this OS process so far.
pub(crate) fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// CPU time of another OS process so far; zero if it has gone.
pub(crate) fn cpu_of(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in brackets, may have spaces; what is counted comes after it.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_S)
}

/// Resident memory of this OS process.
#[must_use]
pub fn rss_bytes() -> f64 {
    bytes("/proc/self/status", "VmRSS:")
}

/// Resident memory of another OS process.
#[must_use]
pub fn rss_bytes_of(pid: u32) -> f64 {
    bytes(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// Resident memory of another OS process, where what is shared counts for a share.
#[must_use]
pub fn pss_bytes(pid: u32) -> f64 {
    bytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

fn bytes(file: &str, field: &str) -> f64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.split_whitespace().next());
    value.and_then(|kib| kib.parse::<f64>().ok()).map_or(f64::NAN, |kib| kib * 1024.0)
}
