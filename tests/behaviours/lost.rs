//! Requests and replies between two nodes that could get lost: values that do not decode, large
//! replies of servers that end, and callers that give up.

use std::sync::atomic::{AtomicBool, Ordering};

use fika::gen_server::*;
use fika::message::Bytes;
use fika::prelude::*;
use fika::{gen_server as server, sys};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::support::{LIMIT, Place, TestNode};

/// Whether a [`Picky`] is refused when it is read.
static REFUSES: AtomicBool = AtomicBool::new(false);

/// A value that the receiver may refuse.
#[derive(Message, Clone, Serialize, Debug, PartialEq)]
#[message(tag = "lost::Picky")]
struct Picky(u8);

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Picky, D::Error> {
        let value = u8::deserialize(from)?;
        if REFUSES.load(Ordering::SeqCst) {
            return Err(de::Error::custom("it is refused"));
        }
        Ok(Picky(value))
    }
}

/// A request with this many bytes of reply, after which the server ends.
#[message]
#[derive(Clone)]
struct Last(usize);

struct Far;

impl GenServer for Far {
    type Args = ();
    type Receives = (Call<Picky>, Call<u64>, Call<Last>);

    async fn init(_: ()) -> Init<Self> {
        Init::ok(Far)
    }
}

impl HandleCall<Picky> for Far {
    type Reply = u64;

    async fn handle_call(&mut self, _: Picky, _: &mut Caller<'_, u64>) -> Reply<u64> {
        7.into()
    }
}

impl HandleCall<u64> for Far {
    type Reply = Picky;

    async fn handle_call(&mut self, _: u64, _: &mut Caller<'_, Picky>) -> Reply<Picky> {
        Picky(3).into()
    }
}

impl HandleCall<Last> for Far {
    type Reply = Bytes;

    async fn handle_call(&mut self, Last(size): Last, _: &mut Caller<'_, Bytes>) -> Reply<Bytes> {
        Reply::now(Bytes::from(vec![7; size])).then(Next::stop(ExitReason::Normal))
    }
}

/// Two nodes of this program.
fn nodes() -> (TestNode, TestNode) {
    let place = Place::new();
    (place.node("here"), place.node("there"))
}

/// Starts a server on a node. Returns its address for other nodes.
fn far(node: &TestNode, name: &str) -> ServerRef<Far> {
    let own = name.to_owned();
    let started = node.block_on(async move { server::start::<Far>(Start::name(own), ()).await });
    started.unwrap();
    ServerRef::at((name.to_owned(), node.name().to_string()))
}

/// A call whose request or reply does not decode fails at once, whatever its time limit is.
#[test]
fn a_value_that_does_not_decode_fails_the_call() {
    let (here, there) = nodes();
    let server = far(&there, "far");
    let simple = there.block_on(async {
        let template = fika::supervisor::Template::new(|_: Picky| async { spawn_link(async {}) });
        let flags = fika::supervisor::SupFlags::one_for_one();
        let top = spawn(async move {
            trap_exit(true);
            let opts = Start::name("simple");
            let started = fika::supervisor::start_link_simple(opts, flags, template).await;
            std::future::pending::<()>().await;
            drop(started);
        });
        while whereis("simple").is_none() {
            fika::process::yield_now().await;
        }
        top
    });
    here.block_on(async move {
        let top = ServerRef::<fika::supervisor::SimpleSupervisor<Picky>>::at((
            "simple".to_owned(),
            simple.node().name().to_string(),
        ));
        let all = async {
            assert_eq!(server.call(Picky(1)).await.unwrap(), 7);
            assert_eq!(server.call(1_u64).await.unwrap(), Picky(3));
            top.start_child(Picky(1)).await.unwrap();
            REFUSES.store(true, Ordering::SeqCst);
            let failed = server.call(Picky(1)).no_timeout().await.unwrap_err();
            assert!(!failed.is_timeout(), "{failed}");
            let failed = server.call(Picky(1)).send().receive_response(LIMIT).await.unwrap_err();
            assert!(!failed.is_timeout(), "{failed}");
            let failed = server.call(1_u64).no_timeout().await.unwrap_err();
            assert!(!failed.is_timeout(), "{failed}");
            top.start_child(Picky(1)).await.unwrap_err();
            REFUSES.store(false, Ordering::SeqCst);
            assert_eq!(server.call(Picky(1)).await.unwrap(), 7);
        };
        timeout(LIMIT, all).await.expect("a call hangs");
    });
}

/// GS-7: a reply that goes out in pieces comes before the end of its server.
#[test]
fn a_large_reply_comes_before_the_end_of_its_server() {
    let (here, there) = nodes();
    for size in [100, 1 << 20, 12 << 20] {
        let server = far(&there, "last");
        here.block_on(async move {
            let reply = server.call(Last(size)).timeout(LIMIT).await.unwrap();
            assert_eq!(reply.len(), size);
        });
    }
}

/// A process that waits on the other node for a caller ends when the caller gives up.
#[test]
fn a_caller_that_gives_up_leaves_no_process_on_the_other_node() {
    let (here, there) = nodes();
    let server = far(&there, "stopped");
    let suspended = server.clone();
    here.block_on(async move { sys::suspend(&suspended).await.unwrap() });
    let frozen = there.block_on(async {
        // A process that takes no message.
        let frozen = spawn(std::future::pending::<()>());
        register("frozen", frozen).unwrap();
        frozen
    });
    let before = (here.process_count(), there.process_count());
    let to = ServerRef::<Far>::at(("frozen".to_owned(), there.name().to_string()));
    here.block_on(async move {
        for _ in 0..20 {
            let stop = to.stop(ExitReason::Normal, None);
            timeout(millis(30), stop).await.unwrap_err();
            let call = server.call(Picky(1)).no_timeout().into_future();
            timeout(millis(1), call).await.unwrap_err();
        }
    });
    crate::support::until("no process is left", || {
        (here.process_count(), there.process_count()) == before
    });
    there.exit_process(frozen, ExitReason::Kill);
}

/// Text that may come from a peer is never shown raw.
#[test]
fn the_text_of_a_peer_is_escaped() {
    let event = sys::Event::State("a\u{1b}[2Jb\nc".to_owned());
    assert!(!event.to_string().contains(['\u{1b}', '\n']), "{event}");
    let event =
        sys::Event::In { callback: "a\u{1b}".to_owned(), message: "b\n".to_owned(), from: None };
    assert!(!event.to_string().contains(['\u{1b}', '\n']), "{event}");
}
