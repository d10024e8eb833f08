//! Code of the program that panics, exits or answers oddly, inside of behaviours.

extern crate fika_runtime as fika;

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fika::{
    Down, Ended, ExitReason, Node, exit, exit_process, monitor, self_pid, send, spawn, spawn_link,
    timeout, trap_exit, yield_now,
};
use fika_macros::{Message, receive};
use fika_otp::gen_server::{self, *};
use fika_otp::proc_lib;
use fika_otp::registry::{Keys, Registry};
use fika_otp::supervisor::{self, ChildSpec, FailedToStartChild, SupFlags};
use fika_otp::sys::{self, Control, Received};
use serde::{Deserialize, Serialize};

const LIMIT: Duration = Duration::from_secs(20);

fn run(test: impl Future<Output = ()> + Send + 'static) {
    let node = Node::builder().workers(2).build().unwrap();
    node.block_on(async {
        trap_exit(true);
        timeout(LIMIT, test).await.expect("the test hangs");
    });
    node.stop();
}

/// How the hooks of a server fail.
#[derive(Clone, Copy)]
enum Fails {
    ByPanic,
    ByExit,
}

impl Fails {
    fn fail(self) -> ! {
        match self {
            Fails::ByPanic => panic!("as it should"),
            Fails::ByExit => exit(ExitReason::Timeout),
        }
    }
}

#[derive(Serialize, Deserialize, Message)]
#[message(tag = "contained::Get")]
struct Get;

struct Server(Fails);

impl GenServer for Server {
    type Args = Fails;
    type Receives = (Call<Get>,);

    async fn init(fails: Fails) -> Init<Self> {
        Init::ok(Server(fails))
    }

    fn format_status(&self) -> String {
        self.0.fail()
    }
}

impl HandleCall<Get> for Server {
    type Reply = u64;

    async fn handle_call(&mut self, _: Get, _: &mut Caller<'_, u64>) -> Reply<u64> {
        7.into()
    }
}

/// The state of a process that is written by hand.
struct State(Fails);

impl std::fmt::Debug for State {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fail()
    }
}

/// GS-24, SYS-2, SYS-5: a hook that panics or exits does not end the server.
#[test]
fn a_server_survives_its_hooks() {
    run(async {
        for fails in [Fails::ByPanic, Fails::ByExit] {
            let server = gen_server::start::<Server>(Start::new(), fails).await.unwrap();
            let status = sys::get_status(&server).await.unwrap();
            assert!(status.state.contains("panicked"), "{status:?}");
            sys::install(&server, "hook", move |_| fails.fail()).await.unwrap();
            assert_eq!(server.call(Get).await.unwrap(), 7);
            sys::log(&server, 5).await.unwrap();
            assert_eq!(server.call(Get).await.unwrap(), 7);
            let failed = sys::with_state(&server, move |_: &Server| fails.fail()).await;
            let failed: CallError = failed.unwrap_err();
            match (fails, failed.function_failed()) {
                (Fails::ByPanic, Some(ExitReason::Panic(panic))) => {
                    assert_eq!(panic.message, "as it should");
                }
                (Fails::ByExit, Some(ExitReason::Timeout)) => {}
                (_, other) => panic!("{other:?}"),
            }
            // A call of the runtime that is wrong.
            let wrong = sys::with_state(&server, |_: &Server| fika::set_label("x".repeat(1 << 20)));
            let _ = wrong.await;
            assert_eq!(server.call(Get).await.unwrap(), 7);
            sys::replace_state(&server, move |_: &Server| fails.fail()).await.unwrap_err();
            assert_eq!(server.call(Get).await.unwrap(), 7);

            let by_hand = async move |ack: proc_lib::InitAck<()>| {
                let mut control = Control::new(&ack);
                ack.ok(());
                loop {
                    match control.next(&mut State(fails)).await {
                        Received::Message(_) => {}
                        Received::Stop(reason) => exit(reason),
                    }
                }
            };
            let (pid, ()) = proc_lib::start(Start::new(), by_hand).await.unwrap();
            let by_hand = ServerRef::<State>::pid(pid);
            for _ in 0..2 {
                let status = sys::get_status(&by_hand).await.unwrap();
                assert!(status.state.contains("panicked"), "{status:?}");
            }
        }
    });
}

/// A state whose destructor fails is replaced all the same.
#[test]
fn a_state_that_can_not_be_dropped_is_replaced() {
    struct Fragile(u64);
    impl Drop for Fragile {
        fn drop(&mut self) {
            assert!(self.0 != 1 || std::thread::panicking(), "as it should");
        }
    }
    impl GenServer for Fragile {
        type Args = ();
        type Receives = (Call<Get>,);
        async fn init(_: ()) -> Init<Self> {
            Init::ok(Fragile(1))
        }
    }
    impl HandleCall<Get> for Fragile {
        type Reply = u64;
        async fn handle_call(&mut self, _: Get, _: &mut Caller<'_, u64>) -> Reply<u64> {
            self.0.into()
        }
    }
    run(async {
        let server = gen_server::start::<Fragile>(Start::new(), ()).await.unwrap();
        sys::replace_state(&server, |_: &Fragile| Fragile(2)).await.unwrap();
        assert_eq!(server.call(Get).await.unwrap(), 2);
    });
}

/// A key whose copies, comparisons or destructors fail on request.
#[derive(Debug)]
struct Key {
    id: u32,
    /// The number of copies until one fails.
    copies: Arc<AtomicU32>,
    explodes: bool,
}

impl Clone for Key {
    fn clone(&self) -> Key {
        let left = self.copies.fetch_sub(1, Ordering::SeqCst);
        assert!(left != 1, "as it should");
        Key { id: self.id, copies: self.copies.clone(), explodes: self.explodes }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.id == other.id
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        assert!(!self.explodes || std::thread::panicking(), "as it should");
    }
}

/// No entry is left behind by keys whose code fails.
#[test]
fn a_registry_survives_its_keys() {
    run(async {
        for fails_at in 1..6 {
            let registry = Registry::<Key, ()>::new(Keys::Unique);
            registry.start_link(Start::new()).await.unwrap();
            let of = registry.clone();
            let process = spawn(async move {
                let copies = Arc::new(AtomicU32::new(fails_at));
                let key = Key { id: 1, copies, explodes: false };
                let _ = of.register(key, ()).await;
            });
            Ended::of(process).await;
            let gone = async {
                while registry.count() > 0 {
                    yield_now().await;
                }
            };
            timeout(LIMIT, gone).await.unwrap_or_else(|_| panic!("an entry is left: {fails_at}"));
        }
        // Keys that can't be dropped, among others.
        let registry = Registry::<Key, ()>::new(Keys::Unique);
        let cleaner = registry.start_link(Start::new()).await.unwrap();
        let of = registry.clone();
        let process = spawn(async move {
            for id in 0..10 {
                let copies = Arc::new(AtomicU32::new(1000));
                let key = Key { id, copies, explodes: id % 2 == 0 };
                let kept = std::mem::ManuallyDrop::new(key);
                // Its own copies are dropped by the registry.
                let _ = fika::catch_exit(of.register((*kept).clone(), ())).await;
            }
        });
        Ended::of(process).await;
        let gone = async {
            while registry.count() > 0 {
                yield_now().await;
            }
        };
        timeout(LIMIT, gone).await.expect("an entry is left");
        assert!(fika::is_process_alive(cleaner).await);
    });
}

/// A tree of any depth starts, fails to start, is shown and ends.
#[test]
fn a_deep_tree_is_no_trouble() {
    type Started = Result<ServerRef<supervisor::Supervisor>, StartError>;
    fn level(depth: u32, fails: bool) -> std::pin::Pin<Box<dyn Future<Output = Started> + Send>> {
        Box::pin(async move {
            let child = if depth == 0 {
                ChildSpec::new("leaf", move || async move {
                    match fails {
                        true => Err(StartError::Timeout),
                        false => Ok(spawn_link(std::future::pending::<()>())),
                    }
                })
            } else {
                ChildSpec::supervisor(depth, move || level(depth - 1, fails))
            };
            supervisor::start_link(Start::new(), SupFlags::one_for_one(), [child]).await
        })
    }
    run(async {
        for depth in [3, 1000] {
            let error = level(depth, true).await.unwrap_err();
            assert!(error.to_string().len() < 10_000);
            let failed = FailedToStartChild::of(&error).expect("the child that failed");
            assert_eq!(failed.id.unwrap(), &*depth.to_string());
            let top = level(depth, false).await.unwrap();
            let tree = supervisor::tree(&top).await.unwrap();
            assert!(tree.to_string().lines().count() > usize::try_from(depth).unwrap().min(255));
            assert_eq!(tree.clone(), tree);
            let pid = top.whereis().unwrap();
            exit_process(pid, ExitReason::Shutdown);
            let watch = monitor(pid);
            receive! { Down { monitor, .. } if monitor == watch => {}, after LIMIT => panic!("it stays") }
        }
        send(self_pid(), 1_u64);
    });
}
