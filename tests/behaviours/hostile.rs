//! A peer that sends servers and supervisors what no peer should send.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fika::gen_server::*;
use fika::message::{Buffer, Bytes, DecodeError, EncodeError};
use fika::prelude::*;
use fika::supervisor::{self, ChildSpec, ChildState, SupFlags};
use fika::{gen_server as server, sys};

use crate::support::{LIMIT, Place};

struct Victim;

impl GenServer for Victim {
    type Args = ();
    type Receives = ((Call<u64>, Cast<u64>, Continue<u64>), (Info<Timeout>, Info<Exit>));

    async fn init(_: ()) -> Init<Self> {
        Init::ok(Victim)
    }
}

impl HandleCall<u64> for Victim {
    type Reply = u64;

    async fn handle_call(&mut self, n: u64, _: &mut Caller<'_, u64>) -> Reply<u64> {
        n.into()
    }
}

impl HandleCast<u64> for Victim {
    async fn handle_cast(&mut self, _: u64) -> Next {
        Next::go_on()
    }
}

impl HandleContinue<u64> for Victim {
    async fn handle_continue(&mut self, _: u64) -> Next {
        Next::go_on()
    }
}

impl HandleInfo<Timeout> for Victim {
    async fn handle_info(&mut self, _: Timeout) -> Next {
        Next::go_on()
    }
}

impl HandleInfo<Exit> for Victim {
    async fn handle_info(&mut self, _: Exit) -> Next {
        Next::go_on()
    }
}

macro_rules! forged {
    ($($name:ident $hash:literal $tag:literal $fingerprint:literal;)*) => {
        $(
            /// A message that pretends to be one of the library's own.
            struct $name(Vec<u8>);

            impl Message for $name {
                fn tag() -> Cow<'static, str> {
                    $tag.into()
                }

                fn tag_hash() -> u64 {
                    $hash
                }

                fn fingerprint() -> u64 {
                    $fingerprint
                }

                fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
                    out.put_slice(&self.0);
                    Ok(())
                }

                fn decode(_: &Bytes) -> Result<Self, DecodeError> {
                    Ok($name(Vec::new()))
                }
            }
        )*

        /// Sends each kind of forged message, with several contents, to a name on another node.
        fn send_forged(name: &str, node: &str) {
            for bytes in [&[][..], &[0; 3], &[255; 9], &[0; 8], &[0; 200]] {
                $(send((name, node), $name(bytes.to_vec()));)*
            }
        }
    };
}

forged! {
    LocalCall 11 "fika_otp::LocalCall" 0;
    Proceed 12 "fika_otp::ContinueMessage" 0;
    AnyCall 13 "call<u64,u64>" 0;
    OtherCall 14 "call<fika_otp::supervisor::WhichChildren,x>" 7;
    AnyCast 15 "cast<u64>" 0;
    Answered 16 "answered<u64>" 0;
    Refused 17 "fika_otp::Refused" 0;
    Odd 18 "call<" 1;
}

/// A forged message, of whatever type, neither ends nor blocks a server or a supervisor.
#[test]
fn forged_messages_do_no_harm() {
    let place = Place::new();
    let (here, there) = (place.node("here"), place.node("there"));
    let node = here.name().to_string();
    let starts = Arc::new(AtomicU32::new(0));
    let count = starts.clone();
    let parent = here.block_on(async move {
        let child = ChildSpec::new("child", move || {
            count.fetch_add(1, Ordering::SeqCst);
            async { spawn_link(std::future::pending::<()>()) }
        });
        server::start::<Victim>(Start::name("server"), ()).await.unwrap();
        let suspended = server::start::<Victim>(Start::name("suspended"), ()).await.unwrap();
        sys::suspend(&suspended).await.unwrap();
        let me = self_pid();
        spawn(async move {
            trap_exit(true);
            let flags = SupFlags::one_for_one();
            let top = supervisor::start_link(Start::name("top"), flags, [child]).await.unwrap();
            send(me, self_pid());
            std::future::pending::<()>().await;
            drop(top);
        });
        next!(Pid)
    });
    there.block_on(async move {
        let at = |name: &str| ServerRef::<Victim>::at((name.to_owned(), node.clone()));
        for name in ["server", "suspended", "top"] {
            let status = sys::get_status(&at(name)).await.unwrap();
            assert_eq!(status.suspended, name == "suspended");
            send_forged(name, &node);
            // A message that only looks like an exit signal of the parent.
            send((name, node.as_str()), Exit { from: parent, reason: ExitReason::Shutdown });
        }
        assert_eq!(at("server").call(7).timeout(LIMIT).await.unwrap(), 7);
        sys::resume(&at("suspended")).await.unwrap();
        assert_eq!(at("suspended").call(7).timeout(LIMIT).await.unwrap(), 7);
        let top = ServerRef::<supervisor::Supervisor>::at(("top".to_owned(), node.clone()));
        let children = timeout(LIMIT, top.which_children()).await.unwrap().unwrap();
        assert!(children[0].pid().is_some());
        // Requests about children and servers that do not exist.
        top.terminate_child("x".repeat(100_000)).await.unwrap_err();
        for nobody in ["no\u{1b}body", &*"x".repeat(5000)] {
            let failed = at(nobody).stop(ExitReason::Kill, LIMIT).await.unwrap_err();
            assert!(!failed.is_timeout(), "{failed}");
            assert!(!failed.to_string().contains('\u{1b}'), "{failed}");
        }
    });
    assert_eq!(starts.load(Ordering::SeqCst), 1);
}

/// A tree in which supervisors list each other can be shown: the output ends.
#[test]
fn a_tree_without_an_end_is_shown() {
    let place = Place::new();
    place.node("here").block_on(async move {
        trap_exit(true);
        let flags = SupFlags::one_for_one();
        let a = supervisor::start_link(Start::new(), flags, []).await.unwrap();
        let b = supervisor::start_link(Start::new(), flags, []).await.unwrap();
        for (one, other) in [(&a, &b), (&b, &a)] {
            let pid = other.whereis().unwrap();
            let spec = ChildSpec::supervisor("other", move || async move { pid });
            one.start_child(spec).await.unwrap();
        }
        let tree = timeout(LIMIT, supervisor::tree(&a)).await.unwrap().unwrap();
        let text = tree.to_string();
        assert!(text.lines().count() < 10, "{text}");
        let other = &tree.children.as_ref().unwrap()[0];
        assert_eq!(other.state, ChildState::Running(b.whereis().unwrap()));
    });
}

/// A process of another node that sends an exit signal while it lives.
#[remote(name = "hostile::liar")]
async fn liar(parent: Pid, owner: Pid) {
    send(owner, self_pid());
    next!(u64);
    exit_process(parent, ExitReason::Timeout);
    send(owner, 1_u64);
    next!(u64);
    exit(ExitReason::Timeout)
}

/// A child on another node that sends an exit signal to its supervisor is not restarted until it
/// has ended.
#[test]
fn a_child_on_another_node_that_only_says_so_has_not_ended() {
    let place = Place::new();
    let (here, there) = (place.node("here"), place.node("there"));
    let name = there.name();
    here.block_on(async move {
        trap_exit(true);
        let me = self_pid();
        let spec = ChildSpec::new("liar", move || {
            let name = name.clone();
            async move { spawn_on(&name, liar(self_pid(), me)).await }
        });
        let flags = SupFlags::one_for_one().intensity(5);
        let top = supervisor::start_link(Start::new(), flags, [spec]).await.unwrap();
        let pid = next!(Pid);
        send(pid, 1_u64);
        next!(u64);
        // The signal came before this message, over the same connection.
        assert_eq!(top.which_children().await.unwrap()[0].pid(), Some(pid));
        receive! { _: Pid => panic!("it was started again"), after Duration::ZERO => {} }
        send(pid, 1_u64);
        assert_ne!(next!(Pid), pid);
        assert_eq!(top.which_children().await.unwrap()[0].restarts, 1);
    });
    drop(there);
}
