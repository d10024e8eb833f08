//! Prints the results of a program as lines of JSON; the head of the crate describes them.

use std::io::Write as _;

use serde_json::{Value, json};

fn line(object: &Value) {
    let mut out = std::io::stdout().lock();
    // If this fails, the reader has abandoned the run.
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

/// Prints that the system can't provide this figure, and why.
pub fn cannot_metric(name: &str, why: &str) {
    line(&json!({ "metric": name, "cannot": why }));
}

/// Prints that the system can't do this workload, and why.
pub fn cannot(why: &str) {
    line(&json!({ "cannot": why }));
}

/// Prints that this run failed, although the system can do the workload.
pub fn failed(why: &str) {
    line(&json!({ "failed": why }));
}

/// Prints that the system did not notice the loss of a node within this time.
pub fn not_noticed(seconds: u64, why: &str) {
    hung(&format!("not noticed within {seconds} s: {why}"));
}

/// Prints that the workload hung, so it is not run again.
pub fn hung(why: &str) {
    line(&json!({ "hung": why }));
}
