//! Cases about requests whose replies are asked for later.

use super::super::*;

/// GS-17: receive, wait, check; a dead server, a remote one, and a node that goes down.
#[test]
fn send_request() {
    let place = Place::new();
    let mut there = place.os("there").start();
    place.node("here").block_on(async move {
        let far = server_on(&there, Some("far")).await;
        let servers = [plain_server().await, Ref::pid(far), Ref::at(("far", there.name.as_str()))];
        for server in &servers {
            let id = server.call(Ask::Get).send();
            assert_eq!(id.receive_response(LIMIT).await.unwrap(), 0);
            // A reply that is not there yet can be waited for, again and again, and checked for.
            let mut id = server.call(Ask::Later).send();
            assert!(id.wait_response(Duration::ZERO).await.is_none());
            assert!(id.wait_response(millis(5)).await.is_none());
            assert!(id.check_response().await.is_none());
            server.call(Ask::Release(4)).await.unwrap();
            assert_eq!(id.wait_response(LIMIT).await.unwrap().unwrap(), 4);
            let mut id = server.call(Ask::Get).send();
            let reply = loop {
                match id.check_response().await {
                    Some(reply) => break reply,
                    None => fika::process::yield_now().await,
                }
            };
            assert_eq!(reply.unwrap(), 0);
            // An abandoned request: its late reply is dropped.
            let late = server.call(Ask::Later).send().receive_response(millis(5)).await;
            assert!(late.unwrap_err().is_timeout());
            drop(server.call(Ask::Later).send());
            server.call(Ask::Release(5)).await.unwrap();
            assert_eq!(server.call(Ask::Get).await.unwrap(), 0);
            assert_eq!(fika::inspect::info::message_queue_len(self_pid()).await, Some(0));
        }
        // The server ends.
        for server in [&servers[0], &servers[1]] {
            let kept = server.call(Ask::Later).send();
            let failed = server.call(Ask::End(reason("ends"))).send().receive_response(LIMIT).await;
            assert_eq!(failed.unwrap_err().exit_reason(), Some(&reason("ends")));
            let failed = kept.receive_response(LIMIT).await.unwrap_err();
            assert_eq!(failed.exit_reason(), Some(&reason("ends")), "{failed}");
            saw(Saw::Terminate(reason("ends"))).await;
        }
        for server in &servers {
            let nobody = server.call(Ask::Get).send().receive_response(LIMIT).await.unwrap_err();
            assert!(nobody.is_noproc(), "{nobody}");
        }
        let nobody = Ref::at("nobody").call(Ask::Get).send();
        assert!(nobody.receive_response(LIMIT).await.unwrap_err().is_noproc());
        // The node goes down.
        let far = Ref::pid(server_on(&there, None).await);
        let kept = far.call(Ask::Later).send();
        there.kill();
        assert!(kept.receive_response(LIMIT).await.unwrap_err().is_nodedown());
        let gone = far.call(Ask::Get).send().receive_response(LIMIT).await.unwrap_err();
        assert!(gone.is_nodedown(), "{gone}");
        assert_eq!(fika::inspect::info::message_queue_len(self_pid()).await, Some(0));
    });
}

/// Sends requests that are answered in another order than they were sent. Returns the labels in that
/// order.
async fn collect(
    server: &Ref,
    others: &[Ref; 2],
) -> (RequestIds<&'static str, u64>, [&'static str; 3]) {
    let mut ids = RequestIds::new();
    assert!(ids.is_empty());
    ids.add("first", server.call(Ask::Later).send());
    ids.add("second", others[0].call(Ask::Later).send());
    ids.add("third", others[1].call(Ask::Later).send());
    assert_eq!(ids.len(), 3);
    (ids, ["third", "first", "second"])
}

/// GS-18: responses come in the order of their arrival with their labels; a time limit abandons all
/// requests with `receive_response`, and none with `wait_response`.
#[fika::test(workers = 2)]
async fn send_request_receive_reqid_collection() {
    let servers = [plain_server().await, plain_server().await, plain_server().await];
    let [a, b, c] = servers.clone();
    let (mut ids, order) = collect(&a, &[b.clone(), c.clone()]).await;
    assert!(ids.wait_response(millis(5)).await.is_err());
    assert_eq!(ids.len(), 3, "they stay");
    for (label, server) in order.iter().zip([&c, &a, &b]) {
        server.call(Ask::Release(label.len() as u64)).await.unwrap();
        let (found, reply) = ids.receive_response(LIMIT).await.unwrap().unwrap();
        assert_eq!((found, reply.unwrap()), (*label, label.len() as u64));
    }
    assert!(ids.is_empty());
    assert!(ids.receive_response(LIMIT).await.unwrap().is_none(), "no request");
    assert!(ids.wait_response(LIMIT).await.unwrap().is_none());

    let (mut ids, _) = collect(&a, &[b.clone(), c.clone()]).await;
    a.call(Ask::Release(1)).await.unwrap();
    ids.receive_response(LIMIT).await.unwrap().unwrap().1.unwrap();
    assert!(ids.receive_response(millis(5)).await.is_err());
    assert!(ids.is_empty(), "they are abandoned");
    b.call(Ask::Release(1)).await.unwrap();
    assert!(ids.receive_response(LIMIT).await.unwrap().is_none());

    // A server that ends, and one that is not there.
    ids.add("ends", c.call(Ask::End(reason("over"))).send());
    ids.add("nobody", Ref::at("nobody").call(Ask::Get).send());
    let mut failed = Vec::new();
    while let Some((label, response)) = ids.receive_response(LIMIT).await.unwrap() {
        let error = response.unwrap_err();
        failed.push((label, error.is_noproc(), error.exit_reason().cloned()));
    }
    failed.sort_by_key(|(label, ..)| *label);
    assert_eq!(failed, [("ends", false, Some(reason("over"))), ("nobody", true, None)]);
    assert_eq!(fika::inspect::info::message_queue_len(self_pid()).await, Some(1), "Terminate");
}

/// GS-18: checks a collection, beside messages that do not concern it.
#[fika::test(workers = 2)]
async fn send_request_check_reqid_collection() {
    let servers = [plain_server().await, plain_server().await, plain_server().await];
    let [a, b, c] = servers.clone();
    let (mut ids, order) = collect(&a, &[b.clone(), c.clone()]).await;
    assert!(ids.check_response().await.is_none());
    for (label, server) in order.iter().zip([&c, &a, &b]) {
        send(self_pid(), "unrelated".to_owned());
        server.call(Ask::Release(label.len() as u64)).await.unwrap();
        let (found, reply) = ids.check_response().await.expect("it was replied before");
        assert_eq!((found, reply.unwrap()), (*label, label.len() as u64));
        assert!(ids.check_response().await.is_none());
    }
    assert!(ids.is_empty());
    assert_eq!(fika::inspect::info::message_queue_len(self_pid()).await, Some(3));
}
