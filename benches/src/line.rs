//! Parses the lines that a program prints. `fika-bench-kit` describes them.

use hdrhistogram::Histogram;
use serde::Deserialize;

use crate::workload::{PERCENTILES, latency_metric};

/// A line of a program.
#[derive(Deserialize, Debug, PartialEq)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Line {
    Value {
        metric: String,
        value: f64,
    },
    Latency {
        latency: String,
        ns: Vec<u64>,
    },
    NoMetric {
        metric: String,
        cannot: String,
    },
    Cannot {
        cannot: String,
    },
    Failed {
        failed: String,
    },
    Hung {
        hung: String,
    },
    /// The last line: the resources that the kernel has counted, and how the program ended, if it
    /// failed.
    Used {
        cpu_s: f64,
        peak_mib: f64,
        failure: Option<String>,
    },
}

impl Line {
    pub(crate) fn parse(text: &str) -> Option<Line> {
        serde_json::from_str(text).ok()
    }
}

/// Returns the percentiles of single times, as figures.
pub(crate) fn percentiles(name: &str, ns: &[u64]) -> Vec<(String, f64)> {
    let mut histogram = Histogram::<u64>::new(3).expect("a histogram can have three digits");
    ns.iter().for_each(|ns| histogram.record(*ns).expect("the histogram resizes itself"));
    let at = |(percentile, quantile): (&str, f64)| {
        // The histogram's buckets end a little above the largest time.
        let ns = histogram.value_at_quantile(quantile).min(ns.iter().copied().max().unwrap_or(0));
        (latency_metric(name, percentile), ns as f64 / 1e3)
    };
    PERCENTILES.map(at).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line() {
        let s = String::from;
        let cases = [
            (r#"{"metric":"a","value":1.5}"#, Line::Value { metric: s("a"), value: 1.5 }),
            (r#"{"metric":"a","value":1}"#, Line::Value { metric: s("a"), value: 1.0 }),
            (r#"{"latency":"a","ns":[1,2]}"#, Line::Latency { latency: s("a"), ns: vec![1, 2] }),
            (r#"{"metric":"a","cannot":"b"}"#, Line::NoMetric { metric: s("a"), cannot: s("b") }),
            (r#"{"cannot":"b"}"#, Line::Cannot { cannot: s("b") }),
            (r#"{"failed":"b"}"#, Line::Failed { failed: s("b") }),
            (r#"{"hung":"b"}"#, Line::Hung { hung: s("b") }),
        ];
        for (text, line) in cases {
            assert_eq!(Line::parse(text), Some(line));
        }
        let used = r#"{"cpu_s":1,"peak_mib":2,"failure":null}"#;
        let expected = Line::Used { cpu_s: 1.0, peak_mib: 2.0, failure: None };
        assert_eq!(Line::parse(used), Some(expected));
        assert_eq!(Line::parse("thread main panicked"), None);
    }

    #[test]
    fn percentiles_are_within_a_thousandth() {
        let ns: Vec<u64> = (1..=100_000).collect();
        let figures = percentiles("x", &ns);
        let expected = [("x_p50_us", 50.0), ("x_p99_us", 99.0), ("x_p99_9_us", 99.9)];
        for ((name, value), (expected_name, expected)) in figures.iter().zip(expected) {
            assert_eq!(name, expected_name);
            assert!((value / expected - 1.0).abs() < 0.002, "{name} is {value}");
        }
        assert_eq!(figures[3], ("x_max_us".to_owned(), 100.0));
        assert_eq!(percentiles("x", &[])[0].1, 0.0);
    }
}
