//! Links, monitors, names, servers and supervisors.

use std::hint::black_box;
use std::time::Duration;

use fika_bench_kit::{Params, Stopwatch, metric};
use hydra::{
    ChildSpec, Dests, ExitReason, From as CallFrom, GenServer, GenServerOptions, Message, Pid,
    Process, Supervisor, SupervisorOptions, SystemMessage,
};

use crate::message::{Say, hear, hear_times, wait_forever};

pub(crate) async fn links(p: Params) {
    let n = p.get("n");
    let me = Process::current();
    let parent = Process::spawn(async move {
        let children = (0..n).map(|_| Process::spawn_link(wait_forever())).collect();
        Process::send(me, Say::Members(children));
        wait_forever().await;
    });
    let Say::Members(children) = hear().await else { return };
    for child in children {
        Process::monitor(child);
    }
    Process::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    let watch = Stopwatch::start();
    Process::exit(parent, ExitReason::Kill);
    downs(n).await;
    metric("ms_until_all_died", watch.stop().ms());
}

async fn downs(n: u64) {
    let mut left = n;
    while left > 0 {
        if let Message::System(SystemMessage::ProcessDown(..)) = Process::receive::<Say>().await {
            left -= 1;
        }
    }
}

pub(crate) async fn monitors(p: Params) {
    let (n, settle) = (p.get("n"), Duration::from_millis(p.get("settle_ms")));
    let target = Process::spawn(wait_forever());
    let watch = Stopwatch::start();
    for _ in 0..n {
        Process::monitor(target);
    }
    metric("ns_per_monitor", watch.stop().ns_each(n));
    Process::sleep(settle).await;
    let watch = Stopwatch::start();
    Process::exit(target, ExitReason::Kill);
    downs(n).await;
    metric("ms_one_watcher", watch.stop().ms());

    let (me, target) = (Process::current(), Process::spawn(wait_forever()));
    for _ in 0..n {
        Process::spawn(async move {
            Process::monitor(target);
            Process::send(me, Say::Go);
            downs(1).await;
            Process::send(me, Say::Done);
        });
    }
    hear_times(n).await;
    Process::sleep(settle).await;
    let watch = Stopwatch::start();
    Process::exit(target, ExitReason::Kill);
    hear_times(n).await;
    metric("ms_many_watchers", watch.stop().ms());
}

/// The sender yields after this many sends, as the BEAM would force it to.
const TURN: u64 = 1000;

pub(crate) async fn registry(p: Params) {
    let n = p.get("n");
    let by_pid = Process::spawn(count(Process::current(), n));
    metric("ns_per_send_by_pid", flood(by_pid, n).await);
    let by_name = Process::spawn(count(Process::current(), n));
    Process::register(by_name, "target").expect("the name is free");
    metric("ns_per_send_by_name", flood("target", n).await);
    Process::register(Process::spawn(wait_forever()), "idle").expect("the name is free");
    let watch = Stopwatch::start();
    for _ in 0..n {
        black_box(Process::whereis("idle"));
    }
    metric("ns_per_whereis", watch.stop().ns_each(n));
}

async fn count(home: Pid, n: u64) {
    hear_times(n).await;
    Process::send(home, Say::Done);
}

async fn flood(to: impl Into<Dests> + Copy, n: u64) -> f64 {
    let watch = Stopwatch::start();
    for _ in 0..n / TURN {
        (0..TURN).for_each(|_| Process::send(to, Say::Go));
        tokio::task::yield_now().await;
    }
    let elapsed = watch.stop();
    hear().await;
    elapsed.ns_each(n)
}

struct Server(u64);

impl GenServer for Server {
    type Message = u64;

    async fn init(&mut self) -> Result<(), ExitReason> {
        Ok(())
    }

    async fn handle_call(&mut self, by: u64, _: CallFrom) -> Result<Option<u64>, ExitReason> {
        self.0 += by;
        Ok(Some(self.0))
    }
}

pub(crate) async fn call(p: Params) {
    let (clients, each) = (p.get("clients"), p.get("each"));
    let server = Server(0).start(GenServerOptions::new()).await.expect("it starts");
    calls(server, each / 10).await;
    let me = Process::current();
    let one = |_| {
        Process::spawn(async move {
            hear().await;
            calls(server, each).await;
            Process::send(me, Say::Done);
        })
    };
    let all: Vec<Pid> = (0..clients).map(one).collect();
    let watch = Stopwatch::start();
    all.into_iter().for_each(|client| Process::send(client, Say::Go));
    hear_times(clients).await;
    metric("calls_per_s", watch.stop().per_s(clients * each));
}

async fn calls(server: Pid, n: u64) {
    for _ in 0..n {
        Server::call(server, 1, None).await.expect("it answers");
    }
}

pub(crate) async fn supervisor(p: Params) {
    let n = p.get("children");
    let me = Process::current();
    let supervisor = Supervisor::new().max_restarts(usize::MAX);
    let supervisor = supervisor.start(SupervisorOptions::new()).await.expect("it starts");
    let mut children = Vec::new();
    let watch = Stopwatch::start();
    for i in 0..n {
        let spec = ChildSpec::new(i.to_string()).start(move || async move {
            Ok(Process::spawn_link(async move {
                Process::send(me, Say::Go);
                wait_forever().await;
            }))
        });
        children.extend(Supervisor::start_child(supervisor, spec).await.expect("it starts"));
    }
    metric("start_child_per_s", watch.stop().per_s(n));
    hear_times(n).await;
    let watch = Stopwatch::start();
    children.into_iter().for_each(|child| Process::exit(child, ExitReason::Kill));
    hear_times(n).await;
    metric("restart_all_ms", watch.stop().ms());
}
