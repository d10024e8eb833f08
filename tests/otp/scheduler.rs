//! `scheduler_SUITE`: how much time each process gets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fika::prelude::*;
use fika::process::{Priority, SpawnOpts, set_priority, spawn_opt, yield_now};

use crate::wait::next;

/// PROC-12, FLAG-2: processes that always want to run get roughly equal shares.
#[fika::test(workers = 1)]
async fn equal() {
    let children: Vec<_> = (0..20)
        .map(|_| {
            spawn(async {
                let mut turns = 0_u64;
                loop {
                    turns += 1;
                    yield_now().await;
                    receive! { from: Pid => return send(from, turns), after Duration::ZERO => {} }
                }
            })
        })
        .collect();
    // The processes share time, so the test lets some time pass.
    sleep(millis(300)).await;
    for child in &children {
        send(child, self_pid());
    }
    let mut shares = Vec::new();
    for _ in &children {
        shares.push(next::<u64>().await);
    }
    let mean = shares.iter().sum::<u64>() / shares.len() as u64;
    let is_fair = |share: &u64| *share > mean / 2 && *share < mean * 2;
    assert!(shares.iter().all(is_fair), "mean {mean}: {shares:?}");
}

/// Starts processes of this priority that always want to run, and count their turns.
fn busy(count: usize, priority: Priority) -> Vec<(Pid, Arc<AtomicU64>)> {
    let one = |_| {
        let turns = Arc::new(AtomicU64::new(0));
        let counted = turns.clone();
        let work = async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        };
        (spawn_opt(SpawnOpts::new().priority(priority), work).pid, turns)
    };
    (0..count).map(one).collect()
}

fn turns(of: &[(Pid, Arc<AtomicU64>)]) -> u64 {
    of.iter().map(|(_, turns)| turns.load(Ordering::Relaxed)).sum()
}

/// Returns how many turns these processes have within this time. This process has a higher priority
/// and waits meanwhile.
async fn turns_in(time: Duration, of: &[(Pid, Arc<AtomicU64>)]) -> u64 {
    let before = turns(of);
    sleep(time).await;
    turns(of) - before
}

fn assert_equal_shares(of: &[(Pid, Arc<AtomicU64>)]) {
    let mean = turns(of) / of.len() as u64;
    for (_, turns) in of {
        let share = turns.load(Ordering::Relaxed);
        assert!(share > mean / 2 && share < mean * 2, "{share}, and {mean} on average");
    }
}

/// FLAG-2: normal processes have most of the turns, however many low processes there are. The low
/// processes have some.
#[fika::test(workers = 2)]
async fn many_low() {
    set_priority(Priority::Max);
    let low = busy(1000, Priority::Low);
    let normal = busy(10, Priority::Normal);
    let low_before = turns(&low);
    let of_normal = turns_in(millis(300), &normal).await;
    let of_low = turns(&low) - low_before;
    assert!(of_low > 0, "they starve");
    assert!(of_normal > 3 * of_low, "{of_normal} turns of normal ones, {of_low} of low ones");
}

/// FLAG-2: a process of priority max that waits most of the time runs first when it is woken.
#[fika::test(workers = 1)]
async fn equal_with_part_time_max() {
    const WAKE_UPS: u64 = 2000;
    let me = self_pid();
    let normal = busy(20, Priority::Normal);
    let counters: Vec<_> = normal.iter().map(|(_, turns)| turns.clone()).collect();
    let count = move || counters.iter().map(|turns| turns.load(Ordering::Relaxed)).sum::<u64>();
    let counts = count.clone();
    let part_time = spawn_opt(SpawnOpts::new().priority(Priority::Max), async move {
        for _ in 0..WAKE_UPS {
            // The turns of the other processes since this one was woken.
            receive! { before: u64 => send(me, counts() - before) }
        }
    });
    let mut late = 0;
    for _ in 0..WAKE_UPS {
        send(part_time.pid, count());
        let others: u64 = next().await;
        late += u64::from(others > 1);
        yield_now().await;
    }
    // A worker that the operating system delays for long is replaced, and then two workers run.
    assert!(late < WAKE_UPS / 10, "{late} of {WAKE_UPS} times others went first");
    assert_equal_shares(&normal);
}

/// FLAG-2: busy processes of these priorities may starve processes of lower ones, but the node
/// stays alive: it serves timers, messages and requests of processes of higher priority. The
/// starved processes continue when the busy ones are gone.
async fn check_node_responds_beside(priorities: &[Priority]) {
    set_priority(Priority::Max);
    let normal = busy(4, Priority::Normal);
    let low = busy(4, Priority::Low);
    // There are more hogs than workers at any time, including replacements of delayed workers.
    let hogs: Vec<_> = priorities.iter().flat_map(|priority| busy(50, *priority)).collect();
    sleep(millis(5)).await;
    let before = (turns(&normal), turns(&low));
    let of_hogs = turns_in(millis(100), &hogs).await;
    let starved = turns(&normal) + turns(&low) - before.0 - before.1;
    assert!(of_hogs > 20 * (starved + 1), "{of_hogs} turns of urgent ones, {starved} of others");
    for (pid, _) in hogs.iter().chain(&normal).chain(&low) {
        assert!(fika::inspect::is_process_alive(*pid).await);
    }
    let urgent = spawn_opt(SpawnOpts::new().priority(Priority::Max), crate::wait::serve()).pid;
    for _ in 0..100 {
        crate::wait::sync(urgent).await;
    }
    for (pid, _) in hogs {
        exit_process(pid, ExitReason::Kill);
    }
    let (normal_before, low_before) = (turns(&normal), turns(&low));
    let begun = self_node().env().now();
    while turns(&normal) < normal_before + 1000 || turns(&low) < low_before + 100 {
        assert!(self_node().env().now().since(begun) < crate::wait::LIMIT, "they do not go on");
        sleep(millis(1)).await;
    }
}

/// FLAG-2: a node lives beside busy processes of priority high.
#[fika::test(workers = 2)]
async fn equal_with_high() {
    check_node_responds_beside(&[Priority::High]).await;
}

/// FLAG-2: a node lives beside busy processes of priorities high and max.
#[fika::test(workers = 2)]
async fn equal_with_high_max() {
    check_node_responds_beside(&[Priority::High, Priority::Max]).await;
}
