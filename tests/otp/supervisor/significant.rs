//! Automatic shutdown.

use fika::prelude::*;
use fika::supervisor::{AutoShutdown, Restart, Strategy, SupFlags};

use crate::supervisor::*;
use crate::wait::exit_from;

fn flags(auto: AutoShutdown) -> SupFlags {
    SupFlags::one_for_one().intensity(100).auto_shutdown(auto)
}

const BOTH: [AutoShutdown; 2] = [AutoShutdown::AnySignificant, AutoShutdown::AllSignificant];

fn reasons() -> [ExitReason; 4] {
    [ExitReason::Normal, ExitReason::Shutdown, shutdown_with(), error()]
}

/// SUP-24: the end of a temporary child that is not significant does not end the supervisor.
#[fika::test(workers = 2)]
async fn nonsignificant_temporary() {
    for auto in BOTH {
        for reason in reasons() {
            let spec = worker("t").restart(Restart::Temporary);
            let top = top(flags(auto), vec![worker("a"), spec]).await;
            up_of("a").await;
            end(up_of("t").await, reason).await;
            goes_on(&top).await;
            assert_eq!(count(&top).await, [1, 1, 0, 1]);
        }
    }
}

/// SUP-24: the end of a transient child that is not significant does not end the supervisor.
#[fika::test(workers = 2)]
async fn nonsignificant_transient() {
    for auto in BOTH {
        for reason in reasons() {
            let spec = worker("t").restart(Restart::Transient);
            let top = top(flags(auto), vec![worker("a"), spec]).await;
            up_of("a").await;
            let restarts = !reason.is_orderly();
            end(up_of("t").await, reason).await;
            if restarts {
                up_of("t").await;
            }
            goes_on(&top).await;
            assert_eq!(count(&top).await, [2, if restarts { 2 } else { 1 }, 0, 2]);
        }
    }
}

/// SUP-24, SUP-26: the end of one or all significant children ends the supervisor, unless the
/// supervisor itself ended the child.
#[fika::test(workers = 2)]
async fn significant_temporary() {
    for reason in reasons() {
        for auto in BOTH {
            let significant = |id| worker(id).restart(Restart::Temporary).significant(true);
            let specs = vec![worker("a"), significant("s"), significant("t"), significant("u")];
            let top = top(flags(auto), specs).await;
            let a = monitor(up_of("a").await);
            let (s, t) = (up_of("s").await, up_of("t").await);
            up_of("u").await;
            // An end that the supervisor has caused does not count.
            top.terminate_child("u").await.unwrap();
            goes_on(&top).await;
            assert_eq!(count(&top).await, [3, 3, 0, 3]);
            end(s, reason.clone()).await;
            if auto == AutoShutdown::AllSignificant {
                goes_on(&top).await;
                assert_eq!(count(&top).await, [2, 2, 0, 2]);
                end(t, reason.clone()).await;
            }
            assert_eq!(exit_from(pid_of(&top)).await, ExitReason::Shutdown);
            assert_eq!(down(a).await, ExitReason::Shutdown);
        }
    }
}

/// SUP-26: the end of a significant child whose sibling is restarted does not end the supervisor.
#[fika::test(workers = 2)]
async fn significant_bystander() {
    for auto in BOTH {
        for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
            let significant = worker("s").restart(Restart::Temporary).significant(true);
            let again = worker("t").restart(Restart::Transient).significant(true);
            let flags = SupFlags::new(strategy).intensity(100).auto_shutdown(auto);
            let top = top(flags, vec![worker("a"), significant, again]).await;
            let (a, s, t) = (up_of("a").await, up_of("s").await, up_of("t").await);
            let watches = [s, t].map(monitor);
            end(a, error()).await;
            let (_, t) = (up_of("a").await, up_of("t").await);
            for watch in watches {
                assert_eq!(down(watch).await, ExitReason::Shutdown);
            }
            goes_on(&top).await;
            // The temporary one is gone. The other counts: it is the last.
            assert_eq!(count(&top).await, [2, 2, 0, 2]);
            end(t, ExitReason::Normal).await;
            assert_eq!(exit_from(pid_of(&top)).await, ExitReason::Shutdown);
        }
    }
}
