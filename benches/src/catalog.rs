//! The list of workloads. It includes workloads for features that fika does not have yet, which
//! say so when they run.
//!
//! The file is long because it is data. Sizes are chosen so that every system needs at most a few
//! seconds. A quick run only checks that everything works, and its figures are rough.

use crate::system::System::{Hydra, Kameo, Ractor};
use crate::workload::Better::{Higher, Lower};
use crate::workload::Measure::{Latency, Value};
use crate::workload::{Measure, Param, Workload};

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload {
        name: "local.spawn",
        about: "spawn processes that send one message and end, in batches of 1,000; each batch is \
                waited for",
        params: &[("n", 400_000, 100_000), ("batch", 1000, 1000)],
        slow: &[(Kameo, 4)],
        measures: &[Value("ns_per_process", Lower)],
        ..ALIKE
    },
    Workload {
        name: "local.idle",
        about: "spawn processes that wait for a message, measure the memory of each, then send \
                each a message and wait for all answers",
        params: &[("n", 500_000, 100_000), ("settle_ms", 500, 300)],
        slow: &[(Ractor, 5), (Kameo, 5)],
        measures: &[
            Value("ns_per_spawn", Lower),
            Value("bytes_per_process", Lower),
            Value("wake_all_ns_each", Lower),
        ],
        ..ALIKE
    },
    Workload {
        name: "local.idle.hibernated",
        about: "as local.idle, with processes that hibernate",
        params: &[("n", 500_000, 100_000), ("settle_ms", 500, 300)],
        measures: &[Value("bytes_per_process", Lower), Value("wake_all_ns_each", Lower)],
        ..ALIKE
    },
    Workload {
        name: "local.pingpong",
        about: "round trips in one pair of processes",
        params: &[("n", 1_000_000, 200_000)],
        measures: &[Value("ns_per_round_trip", Lower)],
        ..ALIKE
    },
    Workload {
        name: "local.pairs",
        about: "round trips in 1,000 pairs at once",
        params: &[("pairs", 1000, 1000), ("each", 2000, 300)],
        measures: &[Value("round_trips_per_s", Higher)],
        ..ALIKE
    },
    Workload {
        name: "local.ring",
        about: "one token goes around through 1,000 processes",
        params: &[("members", 1000, 1000), ("hops", 2_000_000, 300_000)],
        measures: &[Value("ns_per_hop", Lower)],
        ..ALIKE
    },
    Workload {
        name: "local.fanin",
        about: "100 processes send to one, as fast as they can",
        params: &[("senders", 100, 100), ("each", 20_000, 3000)],
        measures: &[Value("messages_per_s", Higher)],
        ..ALIKE
    },
    Workload {
        name: "local.big",
        about: "1,000 processes ping all others and answer all others",
        params: &[("n", 1000, 300), ("rounds", 2, 2)],
        measures: &[Value("messages_per_s", Higher)],
        ..ALIKE
    },
    Workload {
        name: "local.selective",
        about: "a call while 10,000 other messages or none wait in the mailbox; the caller finds \
                the answer by a reference made for the call, or by its tag",
        params: &[("n", 1000, 200), ("queue", 10_000, 10_000)],
        measures: &[Value("us_empty", Lower), Value("us_by_ref", Lower), Value("us_by_tag", Lower)],
        ..ALIKE
    },
    Workload {
        name: "local.call.1_client",
        about: "calls of a gen_server by one client",
        params: &[("clients", 1, 1), ("each", 300_000, 50_000)],
        measures: CALLS,
        ..ALIKE
    },
    Workload {
        name: "local.call.100_clients",
        about: "calls of a gen_server by 100 clients",
        params: &[("clients", 100, 100), ("each", 5000, 500)],
        measures: CALLS,
        ..ALIKE
    },
    Workload {
        name: "local.timers.start_cancel",
        about: "start a million timers and then cancel them; start and cancel timers one at a time",
        params: &[("n", 1_000_000, 200_000), ("patience_s", 10, 4)],
        measures: &[
            Value("ns_per_start", Lower),
            Value("ns_per_cancel", Lower),
            Value("ns_per_start_and_cancel", Lower),
        ],
        ..ALIKE
    },
    Workload {
        name: "local.timers.fire",
        about: "100,000 timers are due within a second: how late their messages arrive",
        params: &[("n", 100_000, 20_000), ("lead_ms", 1000, 500), ("over_ms", 1000, 1000)],
        measures: &[Latency("late")],
        ..ALIKE
    },
    Workload {
        name: "local.links",
        about: "kill a process with 100,000 linked children, and wait until the end of each is \
                known",
        params: &[("n", 100_000, 20_000), ("settle_ms", 200, 200)],
        measures: &[Value("ms_until_all_died", Lower)],
        ..ALIKE
    },
    Workload {
        name: "local.monitors",
        about: "kill a process with 100,000 monitors, and wait for all DOWNs; one watcher has all \
                monitors, or each of many watchers has one",
        params: &[("n", 100_000, 20_000), ("settle_ms", 200, 200)],
        measures: &[
            Value("ns_per_monitor", Lower),
            Value("ms_one_watcher", Lower),
            Value("ms_many_watchers", Lower),
        ],
        ..ALIKE
    },
    Workload {
        name: "local.supervisor.1000",
        about: "start 1,000 children, kill all of them, and wait until the last one has been \
                restarted",
        params: &[("children", 1000, 1000)],
        measures: SUPERVISOR,
        ..ALIKE
    },
    Workload {
        name: "local.supervisor.10000",
        about: "start 10,000 children, kill all of them, and wait until the last one has been \
                restarted",
        params: &[("children", 10_000, 10_000)],
        measures: SUPERVISOR,
        ..ALIKE
    },
    Workload {
        name: "local.registry",
        about: "the cost of a send for its sender, by pid and by registered name, and of looking \
                up a name",
        params: &[("n", 1_000_000, 200_000)],
        measures: &[
            Value("ns_per_send_by_pid", Lower),
            Value("ns_per_send_by_name", Lower),
            Value("ns_per_whereis", Lower),
        ],
        ..ALIKE
    },
    Workload {
        name: "local.fairness.hard",
        about: "sleeps of 1 ms, each followed by a round trip, next to one loop per core that \
                never yields",
        params: &[("rounds", 300, 100), ("starved_s", 8, 2)],
        measures: FAIRNESS,
        ..ALIKE
    },
    Workload {
        name: "local.fairness.cooperative",
        about: "sleeps of 1 ms, each followed by a round trip, next to one loop per core that \
                yields every 10 µs",
        params: &[("rounds", 1000, 300), ("starved_s", 20, 10), ("slice_us", 10, 10)],
        measures: FAIRNESS,
        ..ALIKE
    },
    Workload {
        name: "remote.pingpong",
        about: "round trips between two nodes, one at a time",
        params: &[("n", 20_000, 3000), TICKTIME],
        slow: &[(Kameo, 4)],
        measures: &[Latency("round_trip")],
        ..ALIKE
    },
    Workload {
        name: "remote.pairs",
        about: "round trips between two nodes, in 100 pairs at once",
        params: &[("pairs", 100, 100), ("each", 2000, 300), TICKTIME],
        amount: "each",
        slow: &[(Kameo, 10)],
        measures: &[Value("round_trips_per_s", Higher), Value("cpu_us_per_round_trip", Lower)],
    },
    Workload {
        name: "remote.oneway.1_sender",
        about: "messages of 64 bytes in one direction; the receiver acknowledges every 1,000, and \
                the sender has at most 10,000 in flight",
        params: &[
            ("senders", 1, 1),
            ("each", 600_000, 60_000),
            ("size", 64, 64),
            ("window", 10_000, 10_000),
            ("ack_every", 1000, 1000),
            TICKTIME,
        ],
        slow: &[(Hydra, 2), (Kameo, 20)],
        measures: ONEWAY,
        ..ONE_WAY
    },
    Workload {
        name: "remote.oneway.10_senders",
        about: "as with one sender, but from 10 senders to 10 receivers",
        params: &[
            ("senders", 10, 10),
            ("each", 60_000, 6000),
            ("size", 64, 64),
            ("window", 10_000, 10_000),
            ("ack_every", 1000, 1000),
            TICKTIME,
        ],
        slow: &[(Hydra, 2), (Kameo, 20)],
        measures: ONEWAY,
        ..ONE_WAY
    },
    Workload {
        name: "remote.bulk.64_kib",
        about: "as remote.oneway, with messages of 64 KiB and at most 64 in flight",
        params: &[
            ("senders", 1, 1),
            ("each", 16_384, 2048),
            ("size", 64 << 10, 64 << 10),
            ("window", 64, 64),
            ("ack_every", 8, 8),
            TICKTIME,
        ],
        slow: &[(Kameo, 8)],
        measures: ONEWAY,
        ..ONE_WAY
    },
    Workload {
        name: "remote.bulk.1_mib",
        about: "as remote.oneway, with messages of 1 MiB and at most 16 in flight",
        params: &[
            ("senders", 1, 1),
            ("each", 1024, 128),
            ("size", 1 << 20, 1 << 20),
            ("window", 16, 16),
            ("ack_every", 2, 2),
            TICKTIME,
        ],
        slow: &[(Kameo, 8)],
        measures: ONEWAY,
        ..ONE_WAY
    },
    Workload {
        name: "remote.bulk.64_mib",
        about: "as remote.oneway, with messages of 64 MiB and at most 2 in flight",
        params: &[
            ("senders", 1, 1),
            ("each", 16, 4),
            ("size", 64 << 20, 64 << 20),
            ("window", 2, 2),
            ("ack_every", 1, 1),
            TICKTIME,
        ],
        slow: &[(Kameo, 4)],
        measures: ONEWAY,
        ..ONE_WAY
    },
    Workload {
        name: "remote.rpc.1_caller",
        about: "calls of a function on another node by one caller",
        params: &[("callers", 1, 1), ("each", 10_000, 2000), TICKTIME],
        measures: CALLS,
        ..ALIKE
    },
    Workload {
        name: "remote.rpc.64_callers",
        about: "calls of a function on another node by 64 callers",
        params: &[("callers", 64, 64), ("each", 500, 100), TICKTIME],
        measures: CALLS,
        ..ALIKE
    },
    Workload {
        name: "remote.spawn.in_flight",
        about: "spawn processes on another node that send one message back, 1,000 at a time",
        params: &[("n", 50_000, 10_000), ("batch", 1000, 1000), TICKTIME],
        measures: SPAWNS,
        ..ALIKE
    },
    Workload {
        name: "remote.spawn.one_by_one",
        about: "spawn processes on another node that send one message back, one at a time",
        params: &[("n", 10_000, 2000), ("batch", 1, 1), TICKTIME],
        measures: SPAWNS,
        ..ALIKE
    },
    Workload {
        name: "remote.headofline",
        about: "a round trip every millisecond next to messages of 64 MiB in the same direction",
        params: &[
            ("size", 64 << 20, 64 << 20),
            ("ms", 3000, 1500),
            ("settle_ms", 500, 500),
            TICKTIME,
        ],
        measures: &[Latency("round_trip"), Value("bulk_mb_per_s", Higher)],
        ..ALIKE
    },
    Workload {
        name: "remote.connect_beside_bulk",
        about: "connect to a third node while two others send messages of 1 MiB to this one",
        params: &[
            ("connects", 200, 30),
            ("size", 1 << 20, 1 << 20),
            ("settle_ms", 500, 500),
            TICKTIME,
        ],
        measures: &[
            Latency("idle_connect"),
            Latency("connect"),
            Value("times_idle", Lower),
            Value("bulk_mb_per_s", Higher),
        ],
        ..ALIKE
    },
    Workload {
        name: "remote.nodedown.kill",
        about: "kill the other node (kill -9), and wait until its loss is reported",
        params: &[("settle_ms", 300, 300), ("wait_s", 10, 10), TICKTIME],
        measures: &[Value("ms_until_nodedown", Lower)],
        ..ALIKE
    },
    Workload {
        name: "remote.nodedown.stop",
        about: "freeze the other node (SIGSTOP), with a ticktime of 4 s, and wait until its loss \
                is reported",
        params: &[("settle_ms", 300, 300), ("wait_s", 10, 6), ("ticktime_s", 4, 4)],
        measures: &[Value("ms_until_nodedown", Lower)],
        ..ALIKE
    },
    Workload {
        name: "remote.mesh",
        about: "30 nodes, each of which connects to the first: the time until all see all others, \
                and the memory of a node then",
        params: &[("nodes", 30, 30), ("wait_s", 20, 8), ("settle_ms", 500, 500), TICKTIME],
        measures: &[
            Value("ms_to_full_mesh", Lower),
            Value("disconnects", Lower),
            Value("rss_mib_per_node", Lower),
            Value("pss_mib_per_node", Lower),
        ],
        ..ALIKE
    },
    Workload {
        name: "floor.allocation",
        about: "allocate and free 256 bytes",
        params: &[("n", 20_000_000, 2_000_000)],
        measures: &[Value("ns_per_allocation", Lower)],
        ..ALIKE
    },
    Workload {
        name: "floor.queue",
        about: "push to and pop from a channel, on one thread and between two threads",
        params: &[("n", 5_000_000, 1_000_000)],
        measures: &[Value("ns_per_push_and_pop", Lower), Value("thread_to_thread_per_s", Higher)],
        ..ALIKE
    },
    Workload {
        name: "floor.wake",
        about: "two threads wake each other: by futex, by park and unpark, and by spinning on two \
                cores",
        params: &[("n", 30_000, 10_000)],
        measures: &[
            Value("ns_per_futex_round_trip", Lower),
            Value("ns_per_park_round_trip", Lower),
            Value("ns_per_spin_round_trip", Lower),
        ],
        ..ALIKE
    },
];

/// The common values of most workloads.
const ALIKE: Workload =
    Workload { name: "", about: "", params: &[], amount: "n", slow: &[], measures: &[] };

const ONE_WAY: Workload = Workload { amount: "each", ..ALIKE };

/// Long enough that no tick disturbs a run.
const TICKTIME: Param = ("ticktime_s", 60, 60);

const CALLS: &[Measure] = &[Value("calls_per_s", Higher)];
const SPAWNS: &[Measure] = &[Value("spawns_per_s", Higher)];
const SUPERVISOR: &[Measure] =
    &[Value("start_child_per_s", Higher), Value("restart_all_ms", Lower)];
const FAIRNESS: &[Measure] = &[Latency("round_trip"), Latency("sleep_late")];
const ONEWAY: &[Measure] = &[
    Value("messages_per_s", Higher),
    Value("mb_per_s", Higher),
    Value("cpu_us_per_message", Lower),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::WORKLOADS;

    #[test]
    fn names_are_unique_and_grouped() {
        let names: BTreeSet<_> = WORKLOADS.iter().map(|workload| workload.name).collect();
        assert_eq!(names.len(), WORKLOADS.len());
        for name in names {
            let group = name.split('.').next();
            assert!(matches!(group, Some("local" | "remote" | "floor")), "{name}");
        }
    }

    #[test]
    fn amounts_reduced_for_slow_systems_are_parameters() {
        for workload in WORKLOADS.iter().filter(|workload| !workload.slow.is_empty()) {
            let found = workload.params.iter().any(|(name, ..)| *name == workload.amount);
            assert!(found, "{} has no {}", workload.name, workload.amount);
        }
    }
}
