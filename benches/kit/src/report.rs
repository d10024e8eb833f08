//! The lines that a program prints; see the head of the crate.

use std::io::Write as _;

use serde_json::{Value, json};

fn line(object: &Value) {
    let mut out = std::io::stdout().lock();
    // Whoever does not read it any more has given this run up.
    let _ = writeln!(out, "{object}");
    let _ = out.flush();
}

/// A figure.
pub fn metric(name: &str, value: f64) {
    line(&json!({ "metric": name, "value": value }));
}

/// Every single time of something that was done many times, in nanoseconds.
pub fn latency(name: &str, ns: &[u64]) {
    line(&json!({ "latency": name, "ns": ns }));
}

/// This figure can't be had of this system.
pub fn cannot_metric(name: &str, why: &str) {
    line(&json!({ "metric": name, "cannot": why }));
}

/// The system has nothing that does this workload.
pub fn cannot(why: &str) {
    line(&json!({ "cannot": why }));
}

/// The system can do this workload, and it did not work.
pub fn failed(why: &str) {
    line(&json!({ "failed": why }));
}

/// The loss of a node was not noticed.
pub fn not_noticed(seconds: u64, why: &str) {
    hung(&format!("not noticed within {seconds} s: {why}"));
}

/// The system can do this workload, and it came to no end, as it would again.
pub fn hung(why: &str) {
    line(&json!({ "hung": why }));
}
