//! Cases of `distribution_SUITE` about port mappers, resolvers and creations.

use super::super::*;
use fika::net::Ping as PingAnswer;

/// EPMD-19: a node that starts no port mapper needs a running one.
#[test]
fn start_epmd_false() {
    let place = Place::new();
    let start = |alive: &str| place.os(alive).env("FIKA_TEST_NO_START_EPMD", "1");
    let log = start("early").try_start().err().expect("there is no mapper");
    assert!(log.contains("mapper"), "{log}");
    assert!(place.names().is_empty(), "no port mapper was started");
    let here = place.node("here");
    let there = start("there").start();
    let name = place.name("there");
    here.block_on(async move { assert_eq!(fika::net::ping(name).await, PingAnswer::Pong) });
    drop(there);
}

/// EPMD-19, DIST-12: a node that does not listen and has no port mapper connects to others, and is
/// used as any node.
#[test]
fn no_epmd() {
    let place = Place::new();
    let table = [format!("{}:4711", place.name("there"))];
    let there = place.os("there").nodes(&table).start();
    let nodes = fika::net::discovery::StaticNodes::new(&table).unwrap();
    let here = TestNode::of(place.builder("here").dist_listen(false).resolver(nodes));
    here.block_on(async move {
        let name = place.name("there");
        let remote = spawn_on(&name, answerer()).await;
        support::assert_answers(remote, 1).await;
        assert_eq!(
            fika::net::nodes_of(fika::net::NodeKind::Hidden).len(),
            1,
            "who does not listen is hidden"
        );
        // The peer reaches the node over the connection that the node has made.
        let monitor = fika::process::monitor(remote);
        exit_process(remote, ExitReason::Kill);
        assert_eq!(support::down(monitor).await, ExitReason::Killed);
    });
    assert!(place.names().is_empty(), "there is no mapper");
    // With a mapper, such a node is not registered either.
    let place = Place::new();
    let other = place.node("other");
    let here = TestNode::of(place.builder("here").dist_listen(false));
    let name = place.name("other");
    here.block_on(async move { assert_eq!(fika::net::ping(name).await, PingAnswer::Pong) });
    assert_eq!(place.names().len(), 1);
    let name = place.name("here");
    TestNode::of(place.builder("third")).block_on(async move {
        assert_eq!(fika::net::ping(name).await, PingAnswer::Pang, "nobody finds it");
    });
    drop((there, other));
}

/// A resolver that counts its calls.
#[derive(Default)]
struct Counted {
    calls: std::sync::Mutex<Vec<String>>,
    nodes: std::sync::Mutex<std::collections::BTreeMap<String, std::net::SocketAddr>>,
}

impl Counted {
    fn called(&self, what: &str, node: &fika::node::NodeName) {
        self.calls.lock().unwrap().push(format!("{what} {}", node.alive()));
    }
}

/// A handle of one resolver that several nodes use.
struct Shared(Arc<Counted>);

impl fika::net::discovery::Resolver for Shared {
    fn listen_port(&self, own: &fika::node::NodeName) -> u16 {
        self.0.called("listen_port", own);
        0
    }

    fn register<'a>(
        &'a self,
        own: &'a fika::node::NodeName,
        listens: std::net::SocketAddr,
    ) -> fika::net::discovery::Resolving<'a, ()> {
        self.0.called("register", own);
        self.0.nodes.lock().unwrap().insert(own.to_string(), listens);
        Box::pin(std::future::ready(Ok(())))
    }

    fn unregister<'a>(
        &'a self,
        own: &'a fika::node::NodeName,
    ) -> fika::net::discovery::Resolving<'a, ()> {
        self.0.called("unregister", own);
        self.0.nodes.lock().unwrap().remove(own.as_str());
        Box::pin(std::future::ready(Ok(())))
    }

    fn resolve<'a>(
        &'a self,
        node: &'a fika::node::NodeName,
    ) -> fika::net::discovery::Resolving<'a, Option<fika::net::discovery::NodeAddr>> {
        self.0.called("resolve", node);
        let found = self.0.nodes.lock().unwrap().get(node.as_str()).copied();
        Box::pin(std::future::ready(Ok(found.map(Into::into))))
    }
}

/// EPMD-19: a node registers with the user's resolver, is looked up by it, and leaves it.
#[test]
fn epmd_module() {
    let place = Place::new();
    let counted = Arc::new(Counted::default());
    let node = |alive: &str| TestNode::of(place.builder(alive).resolver(Shared(counted.clone())));
    let (here, there) = (node("here"), node("there"));
    let name = place.name("there");
    here.block_on(async move {
        assert_eq!(fika::net::ping(name).await, PingAnswer::Pong);
    });
    assert!(there.stop_distribution());
    let name = place.name("there");
    here.block_on(async move {
        support::until_in_process("it is gone", || nodes().is_empty()).await;
        assert_eq!(fika::net::ping(name).await, PingAnswer::Pang);
    });
    let calls = counted.calls.lock().unwrap().clone();
    let expected = [
        "listen_port here",
        "register here",
        "listen_port there",
        "register there",
        "resolve there",
        "unregister there",
        "resolve there",
    ];
    assert_eq!(calls, expected);
    assert!(place.names().is_empty(), "no mapper was brought up");
}

/// DIST-10, EPMD-3: each start has a creation that no recent start had, with a port mapper and
/// without one.
#[test]
fn creation_selection() {
    for with_mapper in [true, false] {
        let place = Place::new();
        let table = ["here", "there"].map(|alive| format!("{}:4712", place.name(alive)));
        let mut builder = Node::builder().cookie(support::COOKIE).epmd_port(place.mapper);
        let mut there = place.os("there");
        if !with_mapper {
            builder =
                builder.resolver(fika::net::discovery::StaticNodes::new(&table[..1]).unwrap());
            there = there.nodes(&[table[0].clone(), format!("{}:4713", place.name("there"))]);
        }
        // With the mapper the peer exists from the start. Otherwise the resolver tells it where to
        // look.
        let node = TestNode::of(builder);
        let there = there.start();
        let name = place.name("here");
        let peer = place.name("there");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let (name, peer) = (name.clone(), peer.clone());
            let creation = node.block_on(async move {
                fika::net::start_distribution(&name).await.unwrap();
                let creation = match with_mapper {
                    true => {
                        spawn_on(&peer, reports_creation(self_pid())).await;
                        next!(u32)
                    }
                    false => self_pid().node().creation().0,
                };
                fika::net::stop_distribution().await;
                creation
            });
            assert!(creation > 3, "those are left to old mappers");
            assert!(seen.insert(creation), "{creation} again");
        }
        drop(there);
    }
}

/// Tells a process the creation of its node.
#[remote]
async fn reports_creation(of: Pid) {
    send(of, of.node().creation().0);
}
