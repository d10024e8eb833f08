//! ring: one token goes around through a thousand processes.

use fika::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric};
use serde::{Deserialize, Serialize};

use super::echo::{Done, all_done};

#[derive(Message, Serialize, Deserialize)]
struct Next(Pid);

/// The number of hops that are left.
#[derive(Message, Serialize, Deserialize)]
struct Token(u64);

pub(super) async fn run(p: Params) {
    let hops = p.get("hops");
    let members: Vec<Pid> = (0..p.get("members")).map(|_| spawn(member(self_pid()))).collect();
    for (i, pid) in members.iter().enumerate() {
        send(pid, Next(members[(i + 1) % members.len()]));
    }
    once(members[0], hops / 10).await;
    let watch = Stopwatch::start();
    once(members[0], hops).await;
    metric("ns_per_hop", watch.stop().ns_each(hops));
}

async fn once(first: Pid, hops: u64) {
    send(first, Token(hops));
    all_done(1).await;
}

async fn member(home: Pid) {
    let next = receive! { Next(pid) => pid };
    loop {
        receive! {
            Token(0) => send(home, Done),
            Token(left) => send(next, Token(left - 1)),
        }
    }
}
