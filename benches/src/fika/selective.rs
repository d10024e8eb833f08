//! selective: a call while many other messages wait. The caller finds the answer by a reference
//! made for the call, or by its tag.

use fika::message::{Reference, make_ref};
use fika::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric};
use serde::{Deserialize, Serialize};

use super::echo::{Done, all_done};

#[derive(Message, Serialize, Deserialize)]
pub(super) struct Junk(pub(super) u64);

#[derive(Message, Serialize, Deserialize)]
struct ByRef(Pid, Reference);
#[derive(Message, Serialize, Deserialize)]
struct RefAnswer(Reference);

#[derive(Message, Serialize, Deserialize)]
struct ByTag(Pid);
#[derive(Message, Serialize, Deserialize)]
struct TagAnswer;

pub(super) async fn run(p: Params) {
    let (n, queue) = (p.get("n"), p.get("queue"));
    let server = spawn(serve());
    for (name, junk, by_ref) in
        [("us_empty", 0, true), ("us_by_ref", queue, true), ("us_by_tag", queue, false)]
    {
        let me = self_pid();
        spawn(async move {
            (0..junk).for_each(|i| send(self_pid(), Junk(i)));
            calls(server, n / 10, by_ref).await;
            let watch = Stopwatch::start();
            calls(server, n, by_ref).await;
            metric(name, watch.stop().ns_each(n) / 1e3);
            send(me, Done);
        });
        all_done(1).await;
    }
}

pub(super) async fn serve() {
    loop {
        receive! {
            ByRef(from, reference) => send(from, RefAnswer(reference)),
            ByTag(from) => send(from, TagAnswer),
        }
    }
}

/// Makes calls, and finds their answers by a reference or by their tag.
pub(super) async fn calls(server: Pid, n: u64, by_ref: bool) {
    let me = self_pid();
    for _ in 0..n {
        if by_ref {
            let mine = make_ref();
            send(server, ByRef(me, mine));
            receive! { for mine, RefAnswer(reference) if reference == mine => {} }
        } else {
            send(server, ByTag(me));
            receive! { TagAnswer => {} }
        }
    }
}
