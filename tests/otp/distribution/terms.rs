//! Cases of `distribution_SUITE` about the contents of messages.

use super::super::*;
use fika::net::monitor_nodes;
use fika::process::yield_now;

use fika::inspect::{InfoItem, Item, process_info};

/// Returns the types and numbers of the messages in a process's mailbox, and whether each can be
/// decoded.
async fn mailbox(pid: Pid) -> Vec<(String, bool)> {
    let told = process_info(pid, &[Item::Messages]).await.expect("it lives");
    let InfoItem::Messages(messages) = &told[0] else { panic!("{told:?}") };
    let is_ask = |message: &fika::inspect::Snapshot| message.get::<Ask>().is_some();
    messages.iter().map(|message| (message.type_name().to_owned(), is_ask(message))).collect()
}

/// DIST-19, INFO-10: an information request that finds a message that can't be decoded does no
/// harm. Only a receive drops the message.
#[test]
fn bad_dist_ext_process_info() {
    let place = Place::new();
    let here = place.node("here");
    let addr = place.addr_of("here");
    let (ready, is_ready) = mpsc::channel();
    let victim = here.spawn(async move {
        register("victim", self_pid()).unwrap();
        ready.send(()).unwrap();
        receive! { (): () => {} }
        answerer().await;
    });
    let victim = victim.expect("there is room");
    is_ready.recv_timeout(LIMIT).unwrap();
    let name = place.name("peer");
    let mut peer = Peer::connected(addr, &name, &place.name("here"));
    let define_name = frame(&[&[2, 0][..], &text("victim")].concat());
    let fingerprint = <Ask as fika::Message>::fingerprint().to_be_bytes();
    let define_type = frame(&[&[3, 0][..], &fingerprint, &text("test::Ask")].concat());
    // The pid belongs to a node that the message does not list.
    let bad = frame(&[0x90, 0, 0, 0, 0, 0, 0, 0, 4, 9, 1, 1, 1]);
    peer.write(&[define_name, define_type, bad].concat());
    here.block_on(async move {
        let len = || async { process_info(victim, &[Item::MessageQueueLen]).await.unwrap() };
        until_there("it has come", || async { !mailbox(victim).await.is_empty() }).await;
        monitor_nodes(true);
        let is_up = || nodes().iter().any(|node| node.as_str() == name);
        for _ in 0..3 {
            let found = mailbox(victim).await;
            assert_eq!(found.len(), 1, "it is still there");
            assert!(found[0].0.contains("test::Ask") && !found[0].1, "{found:?}");
            assert!(matches!(len().await[..], [InfoItem::MessageQueueLen(1)]));
            assert!(is_up(), "nobody has received it");
        }
        none!(NodeDown);
        send(victim, ());
        // The message behind the bad one is answered, and no process has died.
        assert_answers(victim, 7).await;
        assert!(is_up(), "it is one message that is lost, and no connection");
        none!(NodeDown);
        assert_eq!(mailbox(victim).await, []);
        assert_eq!(fika::inspect::info::undecodable(victim).await, Some(1));
    });
    // The node tells the peer which part it could not decode, its sender (none), its receiver, its
    // tag, and the reason.
    let said = loop {
        let body = peer.frame();
        if body[0] == 6 {
            break body;
        }
    };
    assert_eq!(said[..3], [6, 0, 0], "{said:x?}");
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("test::Ask") && said.contains("does not list"), "{said}");
}

/// Asks again until the answer is true.
async fn until_there<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let clock = support::Clock::new();
    while !is_so().await {
        assert!(clock.elapsed() < LIMIT, "not within the limit: {what}");
        yield_now().await;
    }
}

/// BUSY-7, PROC-10: a message that is too large is an error for its sender. An exit signal with a
/// reason that is too large arrives without the reason. Links, monitors, mailboxes and the
/// connection are unchanged.
#[test]
fn system_limit() {
    const MAX: usize = 64 << 10;
    let place = Place::new();
    let (there, here) = (
        place.builder("there").message_bytes_max(MAX),
        place.builder("here").message_bytes_max(MAX),
    );
    let (_there, here) = (TestNode::of(there), TestNode::of(here));
    here.block_on(async move {
        trap_exit(true);
        let name = place.name("there");
        let pid = spawn_on(&name, named_answerer("named".into(), self_pid())).await;
        assert_eq!(next!(Answer).from, pid);
        monitor_nodes(true);
        link(pid);
        let monitor = fika::process::monitor(pid);
        let huge = "x".repeat(MAX);

        // Messages that are too large, by pid and by name.
        let (text, node) = (huge.clone(), name.clone());
        let (_, by_pid) = spawn_monitor(async move { send(pid, text) });
        let text = huge.clone();
        let (_, by_name) = spawn_monitor(async move { send(("named", &*node), text) });
        for sender in [by_pid, by_name] {
            let reason = down(sender).await;
            let ExitReason::Badarg(why) = &reason else { panic!("{reason}") };
            assert!(why.contains("above the limit"), "{why}");
        }
        assert_answers(pid, 1).await;

        // A request to spawn that is too large.
        let asked = try_spawn_on(&name, named_answerer(huge.clone(), self_pid())).await;
        assert_eq!(asked.err(), Some(SpawnError::SystemLimit));
        assert_answers(pid, 2).await;
        none!(Exit);
        none!(Down);

        // An exit signal: the target learns of the end, and not of its reason.
        fika::process::exit_process(pid, ExitReason::term(huge));
        assert_eq!(down(monitor).await, ExitReason::SystemLimit);
        assert_eq!(exit_of(pid).await, ExitReason::SystemLimit);
        none!(NodeDown);
        assert_answers(spawn_on(&name, answerer()).await, 3).await;
    });
}

type Numbers = (i64, f64, Vec<u16>);

/// Everything that a message may contain: millions of bytes, ids of other nodes, and nested values.
#[derive(Message, Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[message(tag = "test::Hopeful")]
struct Hopeful {
    round: u64,
    pids: Vec<Pid>,
    references: Vec<Reference>,
    nested: Vec<Option<std::collections::BTreeMap<String, Numbers>>>,
    huge: Vec<u8>,
}

impl Hopeful {
    fn new(other: Pid, reference: Reference, bytes: usize) -> Hopeful {
        let entry =
            |n: i64| (format!("ключ {n}"), (-n, n as f64 / 7.0, vec![n as u16; n as usize]));
        Hopeful {
            round: 0,
            pids: vec![other, self_pid(), other],
            references: vec![reference, fika::message::make_ref()],
            nested: (0..16).map(|n| (n % 3 > 0).then(|| (0..n).map(entry).collect())).collect(),
            huge: (0..bytes).map(|n| (n % 251) as u8).collect(),
        }
    }
}

/// Forwards data to the process that it names.
#[remote(name = "test::bounces")]
async fn bounces() {
    loop {
        receive! { (to, data): (Pid, Hopeful) => send(to, data) }
    }
}

/// Makes data, shows it to a process, and has it bounced there, first over a connection that does
/// not exist yet and then over one that does.
#[remote(name = "test::hopeful_proxy")]
async fn hopeful_proxy(tester: Pid, reference: Reference, bouncer: Pid) {
    let data = Hopeful::new(tester, reference, 6 << 20);
    send(tester, data.clone());
    assert_eq!(fika::net::nodes_of(fika::net::NodeKind::Hidden), [], "it is still to come");
    send(bouncer, (tester, Hopeful { round: 1, ..data.clone() }));
    send(bouncer, (self_pid(), Hopeful::new(tester, reference, 0)));
    next!(Hopeful);
    send(bouncer, (tester, Hopeful { round: 2, ..data }));
}

/// SIG-8, HS-11: data that is sent before the other node is known arrives as it would later, also
/// over a connection by a third node, and whatever the peer supports.
#[test]
fn hopeful_data_encoding() {
    let place = Place::new();
    let (proxy, bouncer) = (place.os("proxy").start(), place.os("bouncer").hidden().start());
    place.node("here").block_on(async move {
        let bouncer = spawn_on(place.name("bouncer"), bounces()).await;
        let me = self_pid();
        spawn_on(place.name("proxy"), hopeful_proxy(me, fika::message::make_ref(), bouncer)).await;
        let data = next!(Hopeful);
        for round in [1, 2] {
            let bounced = next!(Hopeful);
            assert!(bounced == Hopeful { round, ..data.clone() }, "round {round}");
        }
    });
    drop((proxy, bouncer));
    const PRIORITY: u64 = 1 << 2;
    for flags in [SPAWN, SPAWN | PRIORITY, SPAWN | PRIORITY | 1 << 40 | 1 << 63] {
        same_to_a_peer(flags);
    }
}

/// Checks that a peer with these flags gets the same message before and after the connection is up.
fn same_to_a_peer(flags: u64) {
    let place = Place::new();
    let listener = std::net::TcpListener::bind((place.ip, 0)).unwrap();
    let (port, name) = (listener.local_addr().unwrap().port(), place.name("peer"));
    let table = fika::net::discovery::StaticNodes::new([format!("{name}:{port}")]).unwrap();
    let here = TestNode::of(place.builder("here").resolver(table));
    let to = name.clone();
    here.spawn(async move {
        let data = Hopeful::new(self_pid(), fika::message::make_ref(), 3000);
        monitor_nodes(true);
        send(("anybody", &*to), data.clone());
        next!(NodeUp);
        send(("anybody", &*to), data);
    });
    let mut peer = Peer::accepted(&listener, flags, &name);
    let is_message = |frame: &Vec<u8>| frame[0] == 0x90 && frame.len() > 3000;
    let mut messages = std::iter::repeat_with(|| peer.frame()).filter(is_message);
    let (before, after) = (messages.next().unwrap(), messages.next().unwrap());
    assert_eq!(before, after, "{flags:#x}");
}
