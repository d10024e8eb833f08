//! supervisor: start children, kill all of them, and wait until the last one has been restarted.
//! children: the costs of one supervisor with more and more children.

use fika::gen_server::Start;
use fika::prelude::*;
use fika::supervisor::{self, SupFlags, Template};
use fika_bench_kit::{Clock, Params, Stopwatch, latency, metric};

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

pub(super) async fn run_scale(p: Params) {
    let n = p.get("n");
    trap_exit(true);
    // A process that traps exits does not end when it is asked to.
    let child = Template::new(|hangs: bool| async move {
        spawn_link(async move {
            trap_exit(hangs);
            std::future::pending::<()>().await
        })
    });
    let started = supervisor::start_link_simple(Start::new(), SupFlags::one_for_one(), child).await;
    let supervisor = started.expect("it starts");
    let watch = Stopwatch::start();
    for _ in 1..n {
        supervisor.start_child(false).await.expect("it starts");
    }
    metric("ns_per_start_child", watch.stop().ns_each(n));
    let hangs = supervisor.start_child(true).await.expect("it starts").pid().expect("it runs");
    let asked = supervisor.clone();
    spawn(async move { asked.terminate_child(hangs).await });
    let mut answers = Vec::new();
    for _ in 0..p.get("asks") {
        let clock = Clock::start();
        supervisor.count_children().await.expect("it answers");
        answers.push(clock.ns());
        sleep(Duration::from_micros(100)).await;
    }
    latency("answer_while_one_hangs", &answers);
    exit_process(hangs, ExitReason::Kill);
    let pid = supervisor.whereis().expect("it runs");
    let watch = Stopwatch::start();
    exit_process(pid, ExitReason::Shutdown);
    receive! { exit: Exit if exit.from == pid => {} }
    metric("ms_until_all_ended", watch.stop().ms());
}
