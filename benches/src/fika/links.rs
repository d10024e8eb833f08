//! links: a process with many linked children is killed, and all of them die.

use fika::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric};

use super::echo::wait_forever;

#[derive(Message, Serialize, Deserialize)]
struct Children(Vec<Pid>);

pub(super) async fn run(p: Params) {
    let n = p.get("n");
    let me = self_pid();
    let parent = spawn(async move {
        send(me, Children((0..n).map(|_| spawn_link(wait_forever())).collect()));
        wait_forever().await;
    });
    let children = receive! { Children(children) => children };
    for child in children {
        monitor(child);
    }
    sleep(millis(p.get("settle_ms"))).await;
    let watch = Stopwatch::start();
    exit_process(parent, ExitReason::Kill);
    for _ in 0..n {
        receive! { Down { .. } => {} }
    }
    metric("ms_until_all_died", watch.stop().ms());
}
