//! Workloads: their names, sizes and measures. `catalog` has the list.

use std::fmt;

use fika_bench_kit::Params;
use serde::{Deserialize, Serialize};

use crate::system::System;

/// A workload in one of its variants, which one OS process runs once.
#[derive(Debug)]
pub(crate) struct Workload {
    /// Its group, its name and, if there are several, its variant: `remote.bulk.1_mib`.
    pub(crate) name: &'static str,
    /// A description of the work.
    pub(crate) about: &'static str,
    /// Its parameters.
    pub(crate) params: &'static [Param],
    /// The parameter that sets how much is done.
    pub(crate) amount: &'static str,
    /// Slow systems, with a divisor: they do only one such part of the work. The measures are per
    /// operation.
    pub(crate) slow: &'static [(System, u64)],
    /// The measures that the programs print.
    pub(crate) measures: &'static [Measure],
}

/// A parameter: its name, its value, and its value in a quick run.
pub(crate) type Param = (&'static str, u64, u64);

/// A measure that a program prints.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure {
    /// A figure.
    Value(&'static str, Better),
    /// Many single times, from which percentiles are computed.
    Latency(&'static str),
}

/// Says which of two figures is better.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    Lower,
    Higher,
}

/// A figure of a workload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Metric {
    /// Its name, with its unit.
    pub(crate) name: String,
    pub(crate) better: Better,
}

/// The size and the number of fika's workers, for runs that vary them. Both are `None` for most
/// runs.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Point {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) workers: Option<u64>,
}

impl fmt::Display for Point {
    /// Formats the point as a suffix of the workload's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, number) in [("size", self.size), ("workers", self.workers)] {
            if let Some(number) = number {
                write!(f, " {name}={number}")?;
            }
        }
        Ok(())
    }
}

/// The percentiles that are computed from single times.
pub(crate) const PERCENTILES: [(&str, f64); 4] =
    [("p50", 0.5), ("p99", 0.99), ("p99_9", 0.999), ("max", 1.0)];

/// CPU time of the whole run, measured from outside.
pub(crate) const CPU: &str = "cpu_s";
/// The largest resident memory of any OS process of the run, measured from outside.
pub(crate) const PEAK: &str = "peak_mib";

/// The prefix of the floor's workloads, which show what the machine itself can do.
const GROUP_FLOOR: &str = "floor.";
/// The prefix of workloads on one node.
const GROUP_LOCAL: &str = "local.";

impl Workload {
    /// Returns the parameters for a system at a point. The number of workers is not a parameter.
    pub(crate) fn params(&self, system: System, point: Point, quick: bool) -> Params {
        let mut params = Params::default();
        for (name, full, small) in self.params {
            params.set(name, if quick { *small } else { *full });
        }
        if let Some((_, parts)) = self.slow.iter().find(|(slow, _)| *slow == system) {
            params.set(self.amount, (params.get(self.amount) / parts).max(1));
        }
        if let Some(size) = point.size {
            params.set(self.amount, size);
        }
        params
    }

    /// Returns a sentence that names the systems that do less of the work.
    pub(crate) fn exceptions(&self) -> Option<String> {
        let parts = self.slow.iter().map(|(system, parts)| format!("{system} 1/{parts}"));
        let parts: Vec<String> = parts.collect();
        (!parts.is_empty()).then(|| {
            format!(
                "Slow systems do only a part of the work, and their CPU time and memory are for \
                 that part: {}.",
                parts.join(", ")
            )
        })
    }

    /// Returns all figures: those that the programs print, and those measured from outside.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let mut metrics = Vec::new();
        for measure in self.measures {
            match *measure {
                Measure::Value(name, better) => metrics.push(Metric { name: name.into(), better }),
                Measure::Latency(name) => metrics.extend(PERCENTILES.map(|(percentile, _)| {
                    Metric { name: latency_metric(name, percentile), better: Better::Lower }
                })),
            }
        }
        for name in [CPU, PEAK] {
            metrics.push(Metric { name: name.into(), better: Better::Lower });
        }
        metrics
    }

    /// Returns whether the workload runs on one node.
    pub(crate) fn is_local(&self) -> bool {
        self.name.starts_with(GROUP_LOCAL)
    }

    /// Returns whether the workload runs on this system.
    pub(crate) fn concerns(&self, system: System) -> bool {
        !self.name.starts_with(GROUP_FLOOR) || system == System::Floor
    }

    /// Returns whether `filter` names the workload, as `pingpong` and `remote.pingpong` do, or
    /// names its group, as `bulk` does.
    pub(crate) fn is_named(&self, filter: &str) -> bool {
        let below = |name: &str| {
            name.strip_prefix(filter).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        below(self.name) || self.name.split_once('.').is_some_and(|(_, name)| below(name))
    }
}

/// Returns the name of a figure that is computed from single times.
pub(crate) fn latency_metric(name: &str, percentile: &str) -> String {
    format!("{name}_{percentile}_us")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BULK: Workload = Workload {
        name: "remote.bulk.1_mib",
        about: "",
        params: &[("each", 1000, 100), ("window", 16, 16)],
        amount: "each",
        slow: &[(System::Kameo, 8)],
        measures: &[Measure::Value("mb_per_s", Better::Higher), Measure::Latency("ack")],
    };

    #[test]
    fn slow_systems_do_less() {
        let params = |system, quick| BULK.params(system, Point::default(), quick).to_string();
        assert_eq!(params(System::Fika, false), "each=1000 window=16");
        assert_eq!(params(System::Kameo, true), "each=12 window=16");
        assert_eq!(
            BULK.exceptions().as_deref(),
            Some(
                "Slow systems do only a part of the work, and their CPU time and memory are for \
                 that part: kameo 1/8."
            )
        );
    }

    #[test]
    fn a_point_sets_the_amount() {
        let point = Point { size: Some(7), workers: Some(2) };
        let params = BULK.params(System::Fika, point, false).to_string();
        assert_eq!(params, "each=7 window=16");
        assert_eq!(point.to_string(), " size=7 workers=2");
        assert_eq!(Point::default().to_string(), "");
    }

    #[test]
    fn a_latency_is_four_figures() {
        let names: Vec<String> = BULK.metrics().into_iter().map(|metric| metric.name).collect();
        let latencies = ["ack_p50_us", "ack_p99_us", "ack_p99_9_us", "ack_max_us"];
        assert_eq!(names, [&["mb_per_s"], &latencies[..], &["cpu_s", "peak_mib"]].concat());
    }

    #[test]
    fn filters_name_whole_words() {
        for filter in ["bulk", "remote.bulk", "bulk.1_mib", "remote.bulk.1_mib", "remote"] {
            assert!(BULK.is_named(filter), "{filter}");
        }
        for filter in ["bul", "1_mib", "remote.b", "local"] {
            assert!(!BULK.is_named(filter), "{filter}");
        }
    }
}
