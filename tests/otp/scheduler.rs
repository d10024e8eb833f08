//! `scheduler_SUITE`: who runs how much.

use fika::prelude::*;

use crate::wait::next;

/// PROC-12, FLAG-2: processes that always want to run get about equal shares.
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
    // Time is what is shared here.
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
