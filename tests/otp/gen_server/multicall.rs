//! Cases about servers of one name on many nodes.

use fika::node::NodeName;

use super::super::*;

fn names_of(nodes: &[&str]) -> Vec<NodeName> {
    nodes.iter().map(|node| node.parse().unwrap()).collect()
}

/// GS-16, GS-8: `multi_call` and `abcast` on several nodes; late replies are dropped.
#[test]
fn multicall() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        let (here, far) = (place.name("here"), there.name.clone());
        let nodes = names_of(&[&here, &far]);
        start_with(Start::name("multi"), Begin::Ok(Then::GoOn)).await;
        server_on(&there, Some("multi")).await;
        abcast::<Server, _>(&nodes, "multi", Tell(6, Then::GoOn));
        abcast::<Server, _>(&nodes, "nobody", Tell(1, Then::GoOn));
        saw(Saw::Cast(6)).await;
        saw(Saw::Cast(6)).await;
        let all = multi_call::<Server, _>(&nodes, "multi", Ask::Get, LIMIT).await;
        let expected = nodes.iter().map(|node| (node.clone(), 6)).collect::<Vec<_>>();
        assert_eq!((all.replies, all.bad_nodes), (expected, vec![]));
        let none = multi_call::<Server, _>(&nodes, "nobody", Ask::Get, LIMIT).await;
        assert_eq!((none.replies, none.bad_nodes), (vec![], nodes.clone()));
        let none = multi_call::<Server, _>(&[], "multi", Ask::Get, LIMIT).await;
        assert_eq!((none.replies, none.bad_nodes), (vec![], vec![]));

        // Late replies.
        let late = multi_call::<Server, _>(&nodes, "multi", Ask::Later, millis(50)).await;
        assert_eq!((late.replies, late.bad_nodes), (vec![], nodes.clone()));
        multi_call::<Server, _>(&nodes, "multi", Ask::Release(3), LIMIT).await;
        let all = multi_call::<Server, _>(&nodes, "multi", Ask::Get, LIMIT).await;
        assert_eq!(all.replies.len(), 2);
        assert_eq!(fika::inspect::info::message_queue_len(self_pid()).await, Some(0));
        // A server that ends.
        let ended = multi_call::<Server, _>(&nodes, "multi", Ask::End(reason("over")), LIMIT).await;
        assert_eq!(ended.bad_nodes, nodes);
    });
}

/// GS-16: a node that does not answer, and one that can't be reached.
#[test]
fn multicall_down() {
    let place = Place::new();
    let (there, frozen) = (place.os("there").start(), place.os("frozen").start());
    place.node("here").block_on(async move {
        let nobody = place.name("nobody");
        let nodes = names_of(&[&there.name, &frozen.name, &nobody]);
        server_on(&there, Some("multi")).await;
        server_on(&frozen, Some("multi")).await;
        let all = multi_call::<Server, _>(&nodes, "multi", Ask::Get, LIMIT).await;
        assert_eq!((all.replies.len(), &all.bad_nodes[..]), (2, &nodes[2..]));
        frozen.freeze();
        let some = multi_call::<Server, _>(&nodes, "multi", Ask::Get, secs(2)).await;
        assert_eq!(
            (&some.replies[..], &some.bad_nodes[..]),
            (&[(nodes[0].clone(), 0)][..], &nodes[1..])
        );
        frozen.thaw();
        let all = multi_call::<Server, _>(&nodes, "multi", Ask::Get, LIMIT).await;
        assert_eq!((all.replies.len(), &all.bad_nodes[..]), (2, &nodes[2..]));
        assert_eq!(fika::inspect::info::message_queue_len(self_pid()).await, Some(0));
    });
}

/// Returns how many messages `multi_call` looks at, with this many messages in the mailbox.
async fn looked_at(nodes: &[NodeName], waiting: u64, replies: usize) -> u64 {
    for n in 0..waiting {
        send(self_pid(), n);
    }
    let before = fika_runtime::messages_looked_at();
    for _ in 0..20 {
        let all = multi_call::<Server, _>(nodes, "multi", Ask::Get, LIMIT).await;
        assert_eq!(all.replies.len(), replies);
    }
    fika_runtime::messages_looked_at() - before
}

/// GS-16, RECV-9: `multi_call` looks at no message of the caller's mailbox.
#[test]
fn multicall_recv_opt_success() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        server_on(&there, Some("multi")).await;
        start_with(Start::name("multi"), Begin::Ok(Then::GoOn)).await;
        let nodes = names_of(&[&place.name("here"), &there.name]);
        assert_eq!(looked_at(&nodes, 0, 2).await, 0);
        assert_eq!(looked_at(&nodes, 100_000, 2).await, 0);
    });
}

/// GS-16, RECV-9: nor if nodes are missing.
#[test]
fn multicall_recv_opt_noconnection() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        server_on(&there, Some("multi")).await;
        let (x, y) = (place.name("x"), place.name("y"));
        let nodes = names_of(&[&there.name, &x, &y]);
        assert_eq!(looked_at(&nodes, 0, 1).await, 0);
        assert_eq!(looked_at(&nodes, 100_000, 1).await, 0);
    });
}

/// GS-4: a call to a server of another node by its pid: the server is stopped, the node ends.
#[test]
fn call_remote1() {
    let place = Place::new();
    let mut there = place.os("there").start();
    place.node("here").block_on(async move {
        let pid = server_on(&there, None).await;
        let far = Ref::pid(pid);
        assert_eq!(far.call(Ask::Get).await.unwrap(), 0);
        assert_eq!(far.call(Ask::ByAnother(3)).await.unwrap(), 3);
        assert!(far.call(Ask::Never).await.unwrap_err().is_no_reply());
        assert!(far.call(Ask::Later).timeout(millis(30)).await.unwrap_err().is_timeout());
        let failed = far.call(Ask::End(reason("stopped"))).await.unwrap_err();
        assert_eq!(failed.exit_reason(), Some(&reason("stopped")), "{failed}");
        saw(Saw::Terminate(reason("stopped"))).await;
        assert!(far.call(Ask::Get).await.unwrap_err().is_noproc());
        let far = Ref::pid(server_on(&there, None).await);
        let failed = far.call(Ask::Panic).await.unwrap_err();
        assert!(matches!(failed.exit_reason(), Some(ExitReason::Panic(_))), "{failed}");
        assert!(matches!(next::<Saw>().await, Saw::Terminate(ExitReason::Panic(_))));
        let far = Ref::pid(server_on(&there, None).await);
        let kept = far.call(Ask::Later).send();
        there.kill();
        assert!(kept.receive_response(LIMIT).await.unwrap_err().is_nodedown());
        let lost = far.call(Ask::Get).await.unwrap_err();
        assert!(lost.is_nodedown() && lost.to_string().contains("failed: nodedown: "), "{lost}");
        assert_eq!(ExitReason::from(lost), ExitReason::Noconnection);
    });
}

/// GS-4: a call to a server of another node by its name there.
#[test]
fn call_remote2() {
    let place = Place::new();
    let mut there = place.os("there").start();
    place.node("here").block_on(async move {
        let far = Ref::at(("far", there.name.as_str()));
        assert!(far.call(Ask::Get).await.unwrap_err().is_noproc());
        server_on(&there, Some("far")).await;
        assert_eq!(far.call(Ask::Get).await.unwrap(), 0);
        far.cast(Tell(4, Then::GoOn));
        assert_eq!(far.call(Ask::Get).await.unwrap(), 4, "in order");
        let failed = far.call(Ask::End(reason("stopped"))).await.unwrap_err();
        assert_eq!(failed.exit_reason(), Some(&reason("stopped")), "{failed}");
        assert!(far.call(Ask::Get).await.unwrap_err().is_noproc());
        there.kill();
        let gone = far.call(Ask::Get).await.unwrap_err();
        assert!(gone.is_nodedown(), "{gone}");
    });
}
