//! big: every process pings all others and answers all others, in rounds.

use fika::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric};
use serde::{Deserialize, Serialize};

use super::echo::{Done, Ping, Pong, all_done};

/// All processes.
#[derive(Message, Serialize, Deserialize)]
struct Members(Vec<Pid>);

pub(super) async fn run(p: Params) {
    let (n, rounds) = (p.get("n"), p.get("rounds"));
    let me = self_pid();
    let members: Vec<Pid> = (0..n).map(|_| spawn(member(me, rounds))).collect();
    let watch = Stopwatch::start();
    members.iter().for_each(|member| send(member, Members(members.clone())));
    all_done(n).await;
    metric("messages_per_s", watch.stop().per_s(2 * rounds * n * (n - 1)));
}

async fn member(home: Pid, rounds: u64) {
    let me = self_pid();
    let members = receive! { Members(members) => members };
    for _ in 0..rounds {
        members.iter().filter(|pid| **pid != me).for_each(|pid| send(pid, Ping(me)));
        let mut open = members.len() - 1;
        while open > 0 {
            receive! {
                Ping(from) => send(from, Pong),
                Pong => open -= 1,
            }
        }
    }
    send(home, Done);
    loop {
        receive! { Ping(from) => send(from, Pong) }
    }
}
