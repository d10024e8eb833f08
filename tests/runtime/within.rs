//! `Waiting::within`: the waits of a process share a timer.

use fika::inspect::{Status, info};
use fika::prelude::*;
use fika::process::{Answer, Waiting, hibernate, yield_now};
use fika::time::Elapsed;
use futures_lite::future::zip;

/// Waits, and returns the result and how long it took.
async fn timed<T>(waiting: Waiting<T>, limit: Duration) -> (Result<Option<T>, Elapsed>, Duration) {
    let clock = self_node();
    let began = clock.env().now();
    let result = waiting.within(limit).await;
    (result, clock.env().now().since(began))
}

/// A limit may be exceeded by a tick, and by the steps of the simulated clock.
fn is_about(took: Duration, limit: Duration) -> bool {
    (limit..limit + millis(11)).contains(&took)
}

#[fika::test(sim)]
async fn limits_are_kept() {
    for limit in [millis(0), millis(5), millis(199)] {
        let (_answer, waiting) = Waiting::<u64>::new();
        let (result, took) = timed(waiting, limit).await;
        assert!(result == Err(Elapsed) && (limit..limit + millis(1)).contains(&took), "{took:?}");
    }
    for limit in [millis(200), secs(5), secs(3600)] {
        let (_answer, waiting) = Waiting::<u64>::new();
        let (result, took) = timed(waiting, limit).await;
        assert!(result == Err(Elapsed) && is_about(took, limit), "{took:?}");
    }
}

/// The tick ends while two waits run, which began at different times in it. A third begins after it.
#[fika::test(sim)]
async fn a_tick_ends_while_two_waits_run() {
    let limits = [millis(300), millis(400), millis(250)];
    for delays in [[0, 5, 12], [9, 0, 3], [0, 0, 0], [0, 10, 20]] {
        let ends: Vec<(Answer<u64>, Waiting<u64>)> = (0..3).map(|_| Waiting::new()).collect();
        let (answers, waits): (Vec<_>, Vec<_>) = ends.into_iter().unzip();
        let mut waits =
            waits.into_iter().zip(limits).zip(delays).map(|((wait, limit), delay)| async move {
                sleep(millis(delay)).await;
                timed(wait, limit).await
            });
        let [a, b, c] = [(); 3].map(|()| waits.next().unwrap());
        let (a, (b, c)) = zip(a, zip(b, c)).await;
        for ((result, took), limit) in [a, b, c].into_iter().zip(limits) {
            assert!(result == Err(Elapsed) && is_about(took, limit), "{delays:?}: {took:?}");
        }
        drop(answers);
    }
}

#[fika::test(sim)]
async fn an_answer_comes_before_and_after_the_end_of_a_tick() {
    for delay in [0, 1, 9, 10, 11, 150, 1990] {
        let (answer, waiting) = Waiting::new();
        spawn(async move {
            sleep(millis(delay)).await;
            answer.give(delay);
        });
        let (result, took) = timed(waiting, secs(2)).await;
        assert!(result == Ok(Some(delay)) && took < millis(delay + 2), "{took:?}");
        let (answer, waiting) = Waiting::<u64>::new();
        spawn(async move {
            sleep(millis(delay)).await;
            drop(answer);
        });
        assert_eq!(timed(waiting, secs(2)).await.0, Ok(None));
    }
}

/// A wait ends in time if the process hibernates beside it, since the shared timer is kept.
#[fika::test(sim)]
async fn a_wait_beside_a_hibernation_ends_in_time() {
    for early in [0, 5, 30] {
        let me = self_pid();
        spawn(async move {
            for n in 0..3_u64 {
                sleep(millis(early + n)).await;
                send(me, n);
            }
        });
        let (_answer, waiting) = Waiting::<u64>::new();
        let hibernates = async {
            for expected in 0..3 {
                hibernate().await;
                receive! { n: u64 => assert_eq!(n, expected) }
            }
            hibernate_briefly().await;
        };
        let ((result, took), ()) = zip(timed(waiting, secs(1)), hibernates).await;
        assert!(result == Err(Elapsed) && is_about(took, secs(1)), "{took:?}");
    }
}

async fn hibernate_briefly() {
    send_after(millis(500), self_pid(), 9_u64);
    hibernate().await;
    receive! { n: u64 => assert_eq!(n, 9) }
}

/// The shared timer costs a process that hibernates nothing once it has ended.
#[fika::test(sim)]
async fn a_hibernated_process_keeps_no_tick() {
    let sleeper = |waits: bool| async move {
        if waits {
            let (answer, waiting) = Waiting::new();
            spawn(async move { answer.give(1_u64) });
            assert_eq!(waiting.within(secs(5)).await, Ok(Some(1)));
            // Until the tick has ended.
            sleep(millis(50)).await;
        }
        loop {
            hibernate().await;
            receive! { _: () => {} }
        }
    };
    let (plain, waited) = (spawn(sleeper(false)), spawn(sleeper(true)));
    sleep(secs(1)).await;
    for pid in [plain, waited] {
        // The answer to `memory` wakes nobody; a message and a new hibernation shrink the process.
        send(pid, ());
        while info::status(pid).await != Some(Status::Waiting) {
            yield_now().await;
        }
    }
    assert_eq!(info::memory(waited).await, info::memory(plain).await);
}
