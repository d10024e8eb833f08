//! `catch_exit`, `exit_async` and `exit_reason`.

use std::sync::mpsc::{Sender, channel};

use fika::prelude::*;
use fika::process::{catch_exit, exit_async, exit_reason, try_self_pid};

use crate::wait::{LIMIT, down, end_of, next};

/// Sends what `exit_reason` says when it is dropped.
struct Tells(Sender<Option<ExitReason>>);

impl Drop for Tells {
    fn drop(&mut self) {
        self.0.send(exit_reason()).unwrap();
    }
}

/// Ends the process when it is dropped, unless something unwinds already.
struct ExitsInDrop(ExitReason);

impl Drop for ExitsInDrop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            exit(self.0.clone());
        }
    }
}

/// Checks that the process goes on as if nothing had happened.
async fn goes_on() {
    assert_eq!(exit_reason(), None);
    send(self_pid(), 7_u64);
    assert_eq!(next::<u64>().await, 7);
    sleep(millis(1)).await;
    assert!(catch_exit(async {}).await.is_ok());
}

#[fika::test(workers = 2)]
async fn a_process_survives_what_it_catches() {
    let body = async {
        assert_eq!(catch_exit(async { 7 }).await, Ok(7));
        let caught: Result<(), _> = catch_exit(async { exit(ExitReason::Timeout) }).await;
        assert_eq!(caught, Err(ExitReason::Timeout));
        goes_on().await;
        // After a suspension, and by a mistake in a call.
        let caught: Result<(), _> = catch_exit(async {
            sleep(millis(1)).await;
            exit(ExitReason::Kill)
        })
        .await;
        assert_eq!(caught, Err(ExitReason::Kill));
        let caught = catch_exit(async { send("nobody has this name", 1_u64) }).await;
        assert!(matches!(caught, Err(ExitReason::Badarg(_))), "{caught:?}");
        let caught: Result<(), _> = catch_exit(async { panic!("as it should") }).await;
        assert!(matches!(caught, Err(ExitReason::Panic(_))), "{caught:?}");
        goes_on().await;
    };
    assert_eq!(end_of(body).await, ExitReason::Normal);
}

/// An `exit` in a destructor, in one that another destructor runs, and in one of a future that is
/// caught within another one.
#[fika::test(workers = 2)]
async fn an_exit_in_nested_destructors_is_caught() {
    let body = async {
        let (first, second) = (ExitReason::term(1_u64), ExitReason::term(2_u64));
        let exits = |reason: &ExitReason| ExitsInDrop(reason.clone());
        let (value, expected) = (exits(&first), Err(first.clone()));
        assert_eq!(catch_exit(async move { drop(value) }).await, expected);
        goes_on().await;
        // The second one sees that the first one unwinds.
        let values = (exits(&first), exits(&second));
        assert_eq!(catch_exit(async move { drop(values) }).await, expected);
        goes_on().await;
        let values = (exits(&first), exits(&second));
        let outer = catch_exit(async move {
            let (value, later) = values;
            let _later = later;
            let inner = catch_exit(async move { drop(value) }).await;
            assert_eq!(inner, expected);
            assert_eq!(exit_reason(), None);
        });
        assert_eq!(outer.await, Err(second));
        goes_on().await;
    };
    assert_eq!(end_of(body).await, ExitReason::Normal);
}

#[fika::test(workers = 2)]
async fn an_exit_signal_is_not_caught() {
    for reason in [ExitReason::Shutdown, ExitReason::Kill] {
        let (child, monitor) = spawn_monitor(async {
            catch_exit(std::future::pending::<()>()).await.unwrap();
            unreachable!("it goes on");
        });
        exit_process(child, reason.clone());
        let seen = if reason == ExitReason::Kill { ExitReason::Killed } else { reason };
        assert_eq!(down(monitor).await, seen);
    }
    // A signal to itself takes effect in the call.
    let body = async {
        let _ = catch_exit(async {
            exit_process(self_pid(), ExitReason::Shutdown);
            exit(ExitReason::Timeout)
        })
        .await;
        std::future::pending::<()>().await;
    };
    assert_eq!(end_of(body).await, ExitReason::Shutdown);
}

#[fika::test(workers = 2)]
#[allow(clippy::disallowed_methods, reason = "a thread that is not a process")]
async fn destructors_know_the_reason() {
    let (tell, told) = channel();
    let tells = || Tells(tell.clone());
    drop(tells());
    assert_eq!(told.recv(), Ok(None));
    // In a future that is caught, and after it.
    let value = tells();
    let caught: Result<(), _> = catch_exit(async move {
        let _value = value;
        exit(ExitReason::Timeout)
    })
    .await;
    assert_eq!((caught, told.recv()), (Err(ExitReason::Timeout), Ok(Some(ExitReason::Timeout))));
    drop(tells());
    assert_eq!(told.recv(), Ok(None));
    // In a process that ends in each way.
    let value = tells();
    spawn(async move { drop(value) });
    assert_eq!(told.recv(), Ok(None), "it ends in order, later");
    let value = tells();
    let child = spawn(async move {
        let _value = value;
        std::future::pending::<()>().await;
    });
    exit_process(child, ExitReason::Shutdown);
    assert_eq!(told.recv(), Ok(Some(ExitReason::Shutdown)));
    let value = tells();
    spawn(async move {
        let _value = value;
        exit(ExitReason::Shutdown)
    });
    assert_eq!(told.recv(), Ok(Some(ExitReason::Shutdown)));
    let value = tells();
    spawn(async move {
        let _value = value;
        panic!("as it should")
    });
    assert!(matches!(told.recv(), Ok(Some(ExitReason::Panic(_)))));
    // Outside of a process.
    let value = tells();
    std::thread::spawn(move || {
        assert_eq!(try_self_pid(), None);
        drop(value);
    });
    assert_eq!(told.recv(), Ok(None));
}

#[fika::test(workers = 2)]
async fn a_process_leaves_without_unwinding() {
    let (tell, told) = channel();
    for reason in [ExitReason::Normal, ExitReason::Shutdown, ExitReason::term(1_u64)] {
        let (value, ends) = (Tells(tell.clone()), reason.clone());
        let (_, monitor) = spawn_monitor(async move {
            trap_exit(true);
            let _value = value;
            // Also where it is caught, and beside another branch.
            let leaves = catch_exit(async move {
                let other = async { std::future::pending::<()>().await };
                futures_lite::future::or(other, async move { exit_async(ends).await }).await
            });
            let _ = leaves.await;
            unreachable!("it goes on");
        });
        assert_eq!(down(monitor).await, reason);
        assert_eq!(told.recv_timeout(LIMIT), Ok(Some(reason)));
    }
}
