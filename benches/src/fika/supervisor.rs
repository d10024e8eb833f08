//! supervisor: start children, kill all of them, and wait until the last one has been restarted.

use fika::gen_server::Start;
use fika::prelude::*;
use fika::supervisor::{self, SupFlags, Template};
use fika_bench_kit::{Params, Stopwatch, metric};

/// A child has started.
#[message]
struct Up(Pid);

pub(super) async fn run(p: Params) {
    let children = p.get("children");
    let me = self_pid();
    let child = Template::new(move |_: ()| async move {
        spawn_link(async move {
            send(me, Up(self_pid()));
            std::future::pending::<()>().await
        })
    });
    // More restarts than there are children.
    let flags = SupFlags::one_for_one().intensity(u32::MAX).period(secs(1));
    let started = supervisor::start_link_simple(Start::new(), flags, child).await;
    let supervisor = started.expect("it starts");
    let watch = Stopwatch::start();
    for _ in 0..children {
        supervisor.start_child(()).await.expect("it starts");
    }
    metric("start_child_per_s", watch.stop().per_s(children));
    let pids = ups(children).await;
    let watch = Stopwatch::start();
    for pid in pids {
        exit_process(pid, ExitReason::Kill);
    }
    ups(children).await;
    metric("restart_all_ms", watch.stop().ms());
}

/// Waits until this many children have started.
async fn ups(count: u64) -> Vec<Pid> {
    let mut pids = Vec::new();
    for _ in 0..count {
        receive! { Up(pid) => pids.push(pid) }
    }
    pids
}
