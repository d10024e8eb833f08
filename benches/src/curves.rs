//! The curves of scale: workloads of fika at several sizes, with one worker and with more. The cost
//! of an operation should stay constant as the number of operations grows.

use crate::catalog::WORKLOADS;
use crate::rounds::Try;
use crate::system::System;
use crate::workload::Better::Lower;
use crate::workload::Measure::{Latency, Value};
use crate::workload::{Point, Workload};

/// The name that stands for all workloads on one node, besides the names of the curves.
const ALL_LOCAL: &str = "workers";

/// The numbers of workers.
pub(crate) const WORKERS: [u64; 2] = [1, 2];

/// The memory of any run.
const BASE_BYTES: u64 = 128 << 20;
/// The most memory that a workload of fika takes at its usual size.
const LOCAL_BYTES: u64 = 512 << 20;

/// A quick run does only this many of the sizes, the smallest ones.
const QUICK_SIZES: usize = 2;

/// A workload at several sizes.
#[derive(Debug)]
pub(crate) struct Curve {
    pub(crate) workload: Workload,
    /// The things that are counted, such as processes or timers.
    pub(crate) of: &'static str,
    /// The sizes, in ascending order.
    sizes: &'static [u64],
    /// The most memory of each thing, in addition to the memory of any run.
    bytes_each: u64,
}

pub(crate) const CURVES: &[Curve] = &[
    Curve {
        workload: Workload {
            name: "scale.processes",
            about: "spawn processes that wait for a message, measure the memory of each, then \
                    send each a message and wait for all answers",
            params: &[("process_limit", 6_000_000, 6_000_000)],
            measures: &[
                Value("ns_per_spawn", Lower),
                Value("wake_all_ns_each", Lower),
                Value("bytes_per_process", Lower),
            ],
            ..ALIKE
        },
        of: "processes",
        sizes: &[10_000, 100_000, 1_000_000, 5_000_000],
        bytes_each: 450,
    },
    Curve {
        workload: Workload {
            name: "scale.monitors",
            about: "kill a process with monitors, and wait for all DOWNs; one watcher has all \
                    monitors, or each of many watchers has one",
            measures: &[
                Value("ns_per_monitor", Lower),
                Value("ns_per_down_one_watcher", Lower),
                Value("ns_per_down_many_watchers", Lower),
            ],
            ..ALIKE
        },
        of: "monitors",
        sizes: &[1000, 10_000, 100_000, 1_000_000],
        bytes_each: 800,
    },
    Curve {
        workload: Workload {
            name: "scale.links",
            about: "spawn linked children, kill their parent, and wait until the end of each is \
                    known",
            measures: &[Value("ns_per_spawn_link", Lower), Value("ns_per_child", Lower)],
            ..ALIKE
        },
        of: "children",
        sizes: &[1000, 10_000, 100_000, 1_000_000],
        bytes_each: 900,
    },
    Curve {
        workload: Workload {
            name: "scale.children",
            about: "start children under a supervisor, ask it for their number while one of them \
                    does not end, and then end the supervisor with all of them",
            params: &[("asks", 2000, 200)],
            measures: &[
                Value("ns_per_start_child", Lower),
                Latency("answer_while_one_hangs"),
                Value("ms_until_all_ended", Lower),
            ],
            ..ALIKE
        },
        of: "children",
        sizes: &[1000, 10_000, 100_000, 1_000_000],
        bytes_each: 1500,
    },
    Curve {
        workload: Workload {
            name: "scale.mailbox",
            about: "send messages to a process that leaves them in its mailbox; the process then \
                    calls another process and finds the answer by a reference, and finally \
                    receives the messages in order",
            params: &[("calls", 20_000, 2000)],
            measures: &[
                Value("ns_per_send", Lower),
                Value("ns_per_receive", Lower),
                Value("ns_per_call_by_ref", Lower),
                Value("bytes_per_message", Lower),
            ],
            ..ALIKE
        },
        of: "messages",
        sizes: &[10_000, 100_000, 1_000_000, 10_000_000],
        bytes_each: 100,
    },
    Curve {
        workload: Workload {
            name: "scale.timers",
            about: "start timers and then cancel them; start and cancel timers one at a time",
            measures: &[
                Value("ns_per_start", Lower),
                Value("ns_per_cancel", Lower),
                Value("ns_per_start_and_cancel", Lower),
            ],
            ..ALIKE
        },
        of: "timers",
        sizes: &[10_000, 100_000, 1_000_000],
        bytes_each: 250,
    },
    Curve {
        workload: Workload {
            name: "scale.name",
            about: "processes send 2 million messages in total to one process, as fast as they \
                    can, by its registered name or by its pid",
            params: &[("total", 2_000_000, 200_000)],
            measures: &[
                Value("ns_per_message_by_name", Lower),
                Value("ns_per_message_by_pid", Lower),
            ],
            ..ALIKE
        },
        of: "senders",
        sizes: &[100, 1000, 10_000, 100_000],
        bytes_each: 1000,
    },
    Curve {
        workload: Workload {
            name: "scale.stop",
            about: "stop a node with waiting processes, and wait until its threads have ended",
            measures: &[Value("ms_until_stopped", Lower), Value("ns_per_process", Lower)],
            ..ALIKE
        },
        of: "processes",
        sizes: &[1000, 10_000, 100_000, 1_000_000],
        bytes_each: 450,
    },
];

const ALIKE: Workload =
    Workload { name: "", about: "", params: &[], amount: "n", slow: &[], measures: &[] };

impl Curve {
    /// Returns the curve of this workload.
    pub(crate) fn of_workload(name: &str) -> Option<&'static Curve> {
        CURVES.iter().find(|curve| curve.workload.name == name)
    }

    /// Returns the points of the curve: each size with each number of workers, directly after each
    /// other.
    pub(crate) fn points(&self, quick: bool) -> Vec<Point> {
        let sizes = if quick { QUICK_SIZES.min(self.sizes.len()) } else { self.sizes.len() };
        let of_size = |size: &u64| {
            let size = Some(*size);
            WORKERS.map(|workers| Point { size, workers: Some(workers) })
        };
        self.sizes[..sizes].iter().flat_map(of_size).collect()
    }
}

/// Returns the runs for the named curves. Without names, returns those of all curves and of all
/// workloads on one node.
pub(crate) fn tries(names: &[String], quick: bool) -> Result<Vec<Try>, String> {
    let is_curve = |name: &String| CURVES.iter().any(|curve| curve.workload.is_named(name));
    if let Some(unknown) = names.iter().find(|name| *name != ALL_LOCAL && !is_curve(name)) {
        return Err(format!("there is no curve `{unknown}`; see `fika-bench list`"));
    }
    let is_chosen = |workload: &Workload| names.iter().any(|name| workload.is_named(name));
    let chosen = |curve: &&Curve| names.is_empty() || is_chosen(&curve.workload);
    let of_curve = |curve: &'static Curve| {
        let points = curve.points(quick).into_iter();
        points.map(|point| Try {
            workload: &curve.workload,
            point,
            system: System::Fika,
            memory_bytes: BASE_BYTES + point.size.unwrap_or(0) * curve.bytes_each,
        })
    };
    let mut tries: Vec<Try> = CURVES.iter().filter(chosen).flat_map(of_curve).collect();
    if names.is_empty() || names.iter().any(|name| name == ALL_LOCAL) {
        let local = WORKLOADS.iter().filter(|workload| workload.is_named("local"));
        tries.extend(local.flat_map(with_workers));
    }
    Ok(tries)
}

/// Returns a workload at its usual size, with each number of workers.
fn with_workers(workload: &'static Workload) -> [Try; WORKERS.len()] {
    let point = |workers| Point { size: None, workers: Some(workers) };
    WORKERS.map(|workers| Try {
        workload,
        point: point(workers),
        system: System::Fika,
        memory_bytes: LOCAL_BYTES,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn curves_are_named_once_and_have_sizes_that_grow() {
        let names: BTreeSet<_> = CURVES.iter().map(|curve| curve.workload.name).collect();
        assert_eq!(names.len(), CURVES.len());
        for curve in CURVES {
            assert!(curve.workload.is_named("scale"), "{}", curve.workload.name);
            assert!(curve.sizes.is_sorted() && curve.sizes.len() > QUICK_SIZES);
        }
    }

    #[test]
    fn every_size_is_done_with_each_number_of_workers() {
        let timers = Curve::of_workload("scale.timers").unwrap();
        let point = |size, workers| Point { size: Some(size), workers: Some(workers) };
        let small = [point(10_000, 1), point(10_000, 2), point(100_000, 1), point(100_000, 2)];
        assert_eq!(timers.points(true), small);
        assert_eq!(timers.points(false).len(), 6);
    }

    #[test]
    fn every_named_curve_is_run() {
        let named = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            tries(&names, false).map(|tries| tries.len())
        };
        let local = 2 * WORKLOADS.iter().filter(|workload| workload.is_named("local")).count();
        assert_eq!(named(&["timers"]), Ok(6));
        assert_eq!(named(&["scale.timers", "workers"]), Ok(6 + local));
        assert!(named(&[]).unwrap() > local + 6);
        assert!(named(&["pingpong"]).is_err());
    }
}
