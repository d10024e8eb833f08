//! Links, monitors and names.

use std::hint::black_box;
use std::time::Duration;

use fika_bench_kit::{Params, Stopwatch, metric};
use ractor::{Actor, ActorRef, SupervisionEvent, registry};
use tokio::sync::mpsc::unbounded_channel;

use crate::echo::{Done, Echo, Handled, all_done, start, tell};
use crate::local::{Count, Counter, Counting};

/// Gets an event when an actor that it watches ends.
struct Watcher;

struct Nothing;

impl Actor for Watcher {
    type Msg = Nothing;
    type State = Done;
    type Arguments = Done;

    async fn pre_start(&self, _: ActorRef<Nothing>, done: Done) -> Handled<Done> {
        Ok(done)
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Nothing>,
        event: SupervisionEvent,
        done: &mut Done,
    ) -> Handled {
        let ended = matches!(
            event,
            SupervisionEvent::ActorTerminated(..) | SupervisionEvent::ActorFailed(..)
        );
        if ended {
            let _ = done.send(());
        }
        Ok(())
    }
}

/// Kills a supervisor with many children.
pub(crate) async fn links(p: Params) {
    let (done, _) = unbounded_channel();
    let parent = start(Watcher, done).await;
    let mut ends = Vec::with_capacity(p.size("n"));
    for _ in 0..p.get("n") {
        let child = Actor::spawn_linked(None, Echo, (), parent.get_cell()).await;
        ends.push(child.expect("it starts").1);
    }
    tokio::time::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    let watch = Stopwatch::start();
    parent.kill();
    for end in ends {
        let _ = end.await;
    }
    metric("ms_until_all_died", watch.stop().ms());
}

/// An actor can have only one monitor on another actor, so this measures many watchers only.
pub(crate) async fn monitors(p: Params) {
    let n = p.get("n");
    fika_bench_kit::cannot_metric("ms_one_watcher", "an actor has at most one monitor on another");
    let (done, mut all) = unbounded_channel();
    let target = start(Echo, ()).await;
    let mut watchers = Vec::with_capacity(p.size("n"));
    for _ in 0..n {
        watchers.push(start(Watcher, done.clone()).await);
    }
    let watch = Stopwatch::start();
    watchers.iter().for_each(|watcher| watcher.monitor(target.get_cell()));
    metric("ns_per_monitor", watch.stop().ns_each(n));
    tokio::time::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    let watch = Stopwatch::start();
    target.kill();
    all_done(&mut all, n).await;
    metric("ms_many_watchers", watch.stop().ms());
}

/// The sender yields after this many sends, as the BEAM would force it to.
const TURN: u64 = 1000;

/// Looks up a name for each send.
pub(crate) async fn registry(p: Params) {
    let n = p.get("n");
    let (done, mut all) = unbounded_channel();
    let counting = || Counting { n: 0, until: n, done: done.clone() };
    let target = start(Counter, counting()).await;
    let watch = Stopwatch::start();
    for i in 0..n {
        tell(&target, Count::Item(i));
        if i % TURN == 0 {
            tokio::task::yield_now().await;
        }
    }
    metric("ns_per_send_by_pid", watch.stop().ns_each(n));
    all_done(&mut all, 1).await;
    let name = Some("target".to_owned());
    Actor::spawn(name, Counter, counting()).await.expect("the name is free");
    let watch = Stopwatch::start();
    for i in 0..n {
        if let Some(target) = registry::where_is("target") {
            let _ = target.send_message(Count::Item(i));
        }
        if i % TURN == 0 {
            tokio::task::yield_now().await;
        }
    }
    metric("ns_per_send_by_name", watch.stop().ns_each(n));
    all_done(&mut all, 1).await;
    let watch = Stopwatch::start();
    for _ in 0..n {
        black_box(registry::where_is("target"));
    }
    metric("ns_per_whereis", watch.stop().ns_each(n));
}
