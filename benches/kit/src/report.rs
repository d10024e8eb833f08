//! The lines that a program prints; see the head of the crate.

use std::io::Write as _;

use serde_json::{Value, json};

fn line(object: &Value) {
    let mut out = std::io::stdout().lock();
    // An error means that the reader has given up this run.
    let _ = writeln!(out, "{object}");
    let _ = out.flush();
}

/// Prints a figure.
pub fn metric(name: &str, value: f64) {
    line(&json!({ "metric": name, "value": value }));
}

/// Prints the single times of many operations, in nanoseconds.
pub fn latency(name: &str, ns: &[u64]) {
    line(&json!({ "latency": name, "ns": ns }));
}

/// Prints that this system can't provide this figure.
pub fn cannot_metric(name: &str, why: &str) {
    line(&json!({ "metric": name, "cannot": why }));
}

/// Prints that the system has nothing that does this workload.
pub fn cannot(why: &str) {
    line(&json!({ "cannot": why }));
}

/// Prints that the system can do this workload, but this run failed.
pub fn failed(why: &str) {
    line(&json!({ "failed": why }));
}

/// Prints that the loss of a node was not noticed.
pub fn not_noticed(seconds: u64, why: &str) {
    hung(&format!("not noticed within {seconds} s: {why}"));
}

/// Prints that the workload hung, and would do so again.
pub fn hung(why: &str) {
    line(&json!({ "hung": why }));
}
