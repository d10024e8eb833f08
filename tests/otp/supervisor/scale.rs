//! Costs that grow no faster than the number of children.

use std::time::Instant;

use fika::gen_server::Start;
use fika::prelude::*;
use fika::supervisor::{self, ChildSpec, Restart, SupFlags, Template};

use crate::supervisor::*;
use crate::wait::exit_from;

/// A cost per child may be this many times as large with ten times the children: the machine is
/// busy, and a cost that grows with their square is ten times as large.
const SLACK: u32 = 3;

/// Checks that ten times the work takes about ten times as long. Tries again if it does not: other
/// tests run meanwhile.
async fn is_linear<F: Future<Output = Duration>>(few: usize, work: impl Fn(usize) -> F) {
    let mut seen = Vec::new();
    for _ in 0..5 {
        let (short, long) = (work(few).await, work(10 * few).await);
        if long <= short * 10 * SLACK {
            return;
        }
        seen.push((short, long));
    }
    panic!("the cost grows faster than the children: {seen:?}");
}

#[allow(clippy::disallowed_methods, reason = "the time that the machine needs")]
fn clock() -> Instant {
    Instant::now()
}

fn quiet() -> ChildSpec {
    ChildSpec::new("", || async { spawn_link(child()) })
}

/// SUP-23, SUP-30: the cost of starting temporary children and ending them together is linear.
#[fika::test(workers = 2)]
async fn simple_one_for_one_scale_many_temporary_children() {
    trap_exit(true);
    is_linear(1000, async |n| {
        let template = Template::new(|()| async { spawn_link(child()) });
        let template = template.restart(Restart::Temporary);
        let flags = SupFlags::one_for_one();
        let top = supervisor::start_link_simple(Start::new(), flags, template).await.unwrap();
        let began = clock();
        for _ in 0..n {
            top.start_child(()).await.unwrap();
        }
        assert_eq!(count(&top).await, [n, n, 0, n]);
        exit_process(pid_of(&top), ExitReason::Shutdown);
        assert_eq!(exit_from(pid_of(&top)).await, ExitReason::Shutdown);
        began.elapsed()
    })
    .await;
}

/// SUP-30: the cost of starting children and ending them one by one is linear.
#[fika::test(workers = 2)]
async fn scale_start_stop_many_children() {
    is_linear(1000, async |n| {
        let sup = top(SupFlags::one_for_one(), vec![]).await;
        let began = clock();
        for id in 0..n {
            let spec = ChildSpec::new(id, || async { spawn_link(child()) });
            sup.start_child(spec).await.unwrap();
        }
        assert_eq!(count(&sup).await, [n, n, 0, n]);
        for id in 0..n {
            sup.terminate_child(id).await.unwrap();
            sup.delete_child(id).await.unwrap();
        }
        assert_eq!(count(&sup).await, [0; 4]);
        began.elapsed()
    })
    .await;
}

/// SUP-30: the cost of the ends of all children at once is linear.
#[fika::test(workers = 2)]
async fn scale_mass_exit_children() {
    trap_exit(true);
    is_linear(2000, async |n| {
        let flags = SupFlags::one_for_one();
        let top = supervisor::start_link_dynamic(Start::new(), flags).await.unwrap();
        let mut pids = Vec::new();
        for _ in 0..n {
            let spec = quiet().restart(Restart::Temporary);
            pids.push(top.start_child(spec).await.unwrap().pid().unwrap());
        }
        let began = clock();
        for pid in pids {
            exit_process(pid, ExitReason::Kill);
        }
        while count(&top).await[0] > 0 {
            fika::process::yield_now().await;
        }
        began.elapsed()
    })
    .await;
}
