//! Cases about time limits that callbacks return.

use super::super::*;

/// GS-11: a time limit without an end never fires.
#[fika::test(sim)]
async fn handle_event_timeout_infinity() {
    // Type `Then` has none: a callback that returns no time limit ends the one before.
    let server = plain_server().await;
    server.cast(Tell(1, Then::Timeout(1000)));
    server.cast(Tell(2, Then::GoOn));
    saw(Saw::Cast(1)).await;
    saw(Saw::Cast(2)).await;
    sleep(secs(100)).await;
    assert!(saw_nothing().await);
    // The longest time is as good.
    sys::with_state(&server, |_| ()).await.unwrap();
    server.cast(Tell(3, Then::Timeout(u64::MAX)));
    saw(Saw::Cast(3)).await;
    sleep(secs(80_000)).await;
    assert!(saw_nothing().await);
    assert_eq!(server.call(Ask::Get).await.unwrap(), 3);
}

/// GS-10, GS-11: a time limit gives a message, unless another one comes before. A system message
/// begins it again, and keeps an absolute time. With zero, a waiting message wins.
#[fika::test(sim)]
async fn handle_event_timeout_plain() {
    let server = plain_server().await;
    let elapsed = |since| self_node().env().now().since(since);
    let limits = [Then::Timeout(1000), Then::TimeoutWith(1000, 7), Then::TimeoutAt(1000, 7)];
    for then in limits {
        let came = if let Then::Timeout(_) = then { Saw::Timeout } else { Saw::Note(7) };
        let is_at = matches!(then, Then::TimeoutAt(..));
        // Not interrupted, after each kind of callback.
        for way in 0..3 {
            let began = self_node().env().now();
            match way {
                0 => drop(server.call(Ask::Do(then.clone())).await.unwrap()),
                1 => {
                    server.cast(Tell(0, then.clone()));
                    saw(Saw::Cast(0)).await;
                }
                _ => {
                    server.info(Note(1, Box::new(then.clone())));
                    saw(Saw::Note(1)).await;
                }
            }
            saw(came.clone()).await;
            let took = elapsed(began);
            assert!((millis(1000)..millis(1100)).contains(&took), "{took:?}");
            sleep(secs(3)).await;
            assert!(saw_nothing().await, "once");
        }
        // Interrupted by a message that the server lists, and by one that it does not.
        for n in 0..2 {
            server.call(Ask::Do(then.clone())).await.unwrap();
            sleep(millis(900)).await;
            if n == 0 {
                server.call(Ask::Get).await.unwrap();
            } else {
                send(server.whereis().unwrap(), "unlisted".to_owned());
            }
            sleep(secs(3)).await;
            assert!(saw_nothing().await, "{then:?} {n}");
        }
        // A system message begins it again. An absolute time stays.
        let began = self_node().env().now();
        server.call(Ask::Do(then.clone())).await.unwrap();
        sleep(millis(900)).await;
        sys::get_status(&server).await.unwrap();
        saw(came.clone()).await;
        let (took, expected) = (elapsed(began), if is_at { 1000 } else { 1900 });
        assert!((millis(expected)..millis(expected + 100)).contains(&took), "{took:?} {then:?}");
        // So do two that suspend the server and let it go on.
        server.call(Ask::Do(then.clone())).await.unwrap();
        sys::suspend(&server).await.unwrap();
        sleep(secs(5)).await;
        assert!(saw_nothing().await, "{then:?}");
        sys::resume(&server).await.unwrap();
        saw(came.clone()).await;
    }
    // Zero: the server is suspended, so both messages wait when it goes on.
    sys::suspend(&server).await.unwrap();
    server.cast(Tell(1, Then::Timeout(0)));
    server.cast(Tell(2, Then::TimeoutWith(0, 9)));
    server.cast(Tell(3, Then::Timeout(0)));
    sys::resume(&server).await.unwrap();
    for expected in [Saw::Cast(1), Saw::Cast(2), Saw::Cast(3), Saw::Timeout] {
        saw(expected).await;
    }
}
