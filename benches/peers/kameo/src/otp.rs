//! Links, names and supervisors.

use std::hint::black_box;
use std::time::Duration;

use fika_bench_kit::{Params, Stopwatch, metric};
use kameo::error::Infallible;
use kameo::prelude::*;
use tokio::sync::mpsc::unbounded_channel;

use crate::echo::{Done, Echo, all_done, start, tell};
use crate::local::{Item, Receiver};

pub(crate) async fn links(p: Params) {
    let parent = start(Echo);
    let mut children = Vec::with_capacity(p.size("n"));
    for _ in 0..p.get("n") {
        let child = start(Echo);
        parent.link(&child).await;
        children.push(child);
    }
    tokio::time::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    let watch = Stopwatch::start();
    parent.kill();
    for child in &children {
        child.wait_for_shutdown().await;
    }
    metric("ms_until_all_died", watch.stop().ms());
}

#[derive(Actor)]
struct Overseer;

struct Child;

impl Actor for Child {
    type Args = Done;
    type Error = Infallible;

    async fn on_start(done: Done, _: ActorRef<Self>) -> Result<Self, Infallible> {
        let _ = done.send(());
        Ok(Child)
    }
}

pub(crate) async fn supervisor(p: Params) {
    let n = p.get("children");
    let (done, mut all) = unbounded_channel();
    let supervisor = start(Overseer);
    let mut children = Vec::with_capacity(p.size("children"));
    let watch = Stopwatch::start();
    for _ in 0..n {
        let child = Child::supervise(&supervisor, done.clone());
        let child = child.restart_limit(u32::MAX, Duration::from_secs(1));
        children.push(child.spawn_with_mailbox(mailbox::unbounded()).await);
    }
    metric("start_child_per_s", watch.stop().per_s(n));
    all_done(&mut all, n).await;
    let watch = Stopwatch::start();
    children.iter().for_each(ActorRef::kill);
    all_done(&mut all, n).await;
    metric("restart_all_ms", watch.stop().ms());
}

/// The sender yields after this many sends, as the BEAM would force it to.
const TURN: u64 = 1000;

/// Measures sends to a reference, sends to a name that is looked up each time, and look-ups alone.
pub(crate) async fn registry(p: Params) {
    let n = p.get("n");
    let (done, mut all) = unbounded_channel();
    let by_ref = start(Receiver { left: n, done: done.clone() });
    let watch = Stopwatch::start();
    for i in 0..n {
        tell(&by_ref, Item(i));
        if i % TURN == 0 {
            tokio::task::yield_now().await;
        }
    }
    metric("ns_per_send_by_pid", watch.stop().ns_each(n));
    all_done(&mut all, 1).await;
    let target = start(Receiver { left: n, done });
    target.register("target").expect("the name is free");
    let watch = Stopwatch::start();
    for i in 0..n {
        if let Ok(Some(target)) = ActorRef::<Receiver>::lookup("target") {
            tell(&target, Item(i));
        }
        if i % TURN == 0 {
            tokio::task::yield_now().await;
        }
    }
    metric("ns_per_send_by_name", watch.stop().ns_each(n));
    all_done(&mut all, 1).await;
    let watch = Stopwatch::start();
    for _ in 0..n {
        let _ = black_box(ActorRef::<Receiver>::lookup("target"));
    }
    metric("ns_per_whereis", watch.stop().ns_each(n));
}
