//! Failures that a supervisor and the other children of its tree must survive: storms, panics at
//! every place, full mailboxes, and starts that fail.

extern crate fika_runtime as fika;

use std::fmt::{self, Write};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use fika::{
    Down, Exit, ExitReason, MailboxLimit, Node, Pid, Waiting, WhenFull, exit, exit_process,
    monitor, self_pid, send, spawn_link, spawn_monitor, trap_exit, try_send, whereis, yield_now,
};
use fika_macros::{Message, receive};
use fika_otp::gen_server::{
    Call, Caller, Cast, GenServer, HandleCall, HandleCast, Init, Next, Reply,
};
use fika_otp::supervisor::{
    self, AutoShutdown, ChildError, ChildSpec, ChildState, FailedToStartChild, Restart, Shutdown,
    SpecError, Strategy, SupFlags, Supervisor, Template,
};
use fika_otp::{ServerRef, Start, StartError, sys};
use parking_lot::Mutex;

const LIMIT: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(100_000);

/// The reports of all tests of this program.
static REPORTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps the text of each report.
struct ToReports;

struct Fields(String);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        write!(self.0, "{field}={value:?} ").expect("a string takes all");
    }
}

impl tracing::Subscriber for ToReports {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        REPORTS.lock().push(fields.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// Waits for a report with all of these texts.
async fn reported(texts: &[&str]) {
    let has = || {
        let reports = REPORTS.lock();
        reports.iter().any(|report| texts.iter().all(|text| report.contains(text)))
    };
    let began = fika::self_node().env().now();
    while !has() {
        let waited = fika::self_node().env().now().since(began);
        assert!(waited < LIMIT, "no report has {texts:?}: {:#?}", REPORTS.lock());
        yield_now().await;
    }
}

fn run(test: impl Future<Output = ()> + Send + 'static) {
    // Another test may have set it.
    let _ = tracing::subscriber::set_global_default(ToReports);
    let node = Node::builder().workers(2).build().unwrap();
    node.block_on(async {
        trap_exit(true);
        test.await;
    });
    node.stop();
}

#[derive(Message)]
#[message(local)]
struct Stop(ExitReason);

#[derive(Message)]
#[message(local)]
struct Up(&'static str, Pid);

async fn child() {
    receive! { Stop(reason) => exit(reason) }
}

/// A child that tells the running process of each start.
fn worker(id: &'static str) -> ChildSpec {
    let me = self_pid();
    ChildSpec::new(id, move || async move {
        let pid = spawn_link(child());
        send(me, Up(id, pid));
        pid
    })
}

/// Waits for the start of this child, which is the next one.
async fn up(id: &str) -> Pid {
    receive! {
        Up(started, pid) => {
            assert_eq!(started, id);
            pid
        },
        after LIMIT => panic!("{id} was not started"),
    }
}

async fn end_of(pid: Pid) -> ExitReason {
    let watch = monitor(pid);
    receive! {
        Down { monitor, reason, .. } if monitor == watch => reason,
        after LIMIT => panic!("{pid} does not end"),
    }
}

async fn exit_of(pid: Pid) -> ExitReason {
    receive! {
        Exit { from, reason } if from == pid => reason,
        after LIMIT => panic!("{pid} does not end"),
    }
}

/// Waits for what other processes do.
async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let began = fika::self_node().env().now();
    while !is_so().await {
        let waited = fika::self_node().env().now().since(began);
        assert!(waited < LIMIT, "{what} takes too long");
        yield_now().await;
    }
}

fn error() -> ExitReason {
    ExitReason::Error("as it should".into())
}

mod storms {
    use super::*;

    const COUNT: usize = 10_000;

    /// Counts a process until its future has been dropped.
    struct Alive(Arc<AtomicUsize>);

    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Starts children, and makes all of them crash at once. The restart of the first one waits for
    /// `gate`.
    async fn storm(
        flags: SupFlags,
        alive: &Arc<AtomicUsize>,
        gate: Option<Waiting<()>>,
    ) -> ServerRef<Supervisor> {
        let flags = flags.period(LONG);
        let gate = Arc::new(Mutex::new(gate));
        let top = supervisor::start_link(Start::new(), flags, []).await.unwrap();
        let mut pids = Vec::new();
        for id in 0..COUNT {
            let (alive, gate) = (alive.clone(), gate.clone());
            let mut times = 0;
            let spec = ChildSpec::new(id, move || {
                times += 1;
                let gate = if id == 0 && times == 2 { gate.lock().take() } else { None };
                let alive = alive.clone();
                async move {
                    if let Some(gate) = gate {
                        gate.await;
                    }
                    alive.fetch_add(1, Ordering::SeqCst);
                    let alive = Alive(alive);
                    spawn_link(async move {
                        let _alive = alive;
                        child().await;
                    })
                }
            });
            pids.push(top.start_child(spec).await.unwrap().pid().unwrap());
        }
        pids.into_iter().for_each(|pid| send(pid, Stop(error())));
        top
    }

    async fn is_whole(top: &ServerRef<Supervisor>, restarts: u64) -> bool {
        let children = top.which_children().await.unwrap();
        assert!(children.iter().all(|child| child.restarts <= restarts));
        children.len() == COUNT
            && children.iter().all(|child| child.pid().is_some() && child.restarts > 0)
    }

    /// All are restarted, once each. The supervisor answers while the last restart hangs.
    #[test]
    fn each_of_many_children_is_restarted() {
        run(async {
            let (alive, (open, gate)) = (Arc::default(), Waiting::new());
            let flags = SupFlags::one_for_one().intensity(u32::try_from(COUNT).unwrap());
            let top = storm(flags, &alive, Some(gate)).await;
            let mut answers = 0;
            loop {
                answers += 1;
                let children = top.which_children().await.unwrap();
                let first = children.last().unwrap();
                if first.restarts == 1 {
                    assert_eq!(first.child, ChildState::Restarting);
                    break;
                }
            }
            top.start_child(worker("another")).await.unwrap();
            top.terminate_child("another").await.unwrap();
            top.delete_child("another").await.unwrap();
            assert!(!is_whole(&top, 1).await, "{answers} answers");
            open.give(());
            until("the restart of all", || is_whole(&top, 1)).await;
            assert_eq!(alive.load(Ordering::SeqCst), COUNT);
            exit_process(top.whereis().unwrap(), ExitReason::Shutdown);
            assert_eq!(exit_of(top.whereis().unwrap()).await, ExitReason::Shutdown);
            assert_eq!(alive.load(Ordering::SeqCst), 0);
        });
    }

    /// A group that crashes as a whole is restarted as a whole.
    #[test]
    fn a_group_of_many_children_is_restarted() {
        run(async {
            let alive = Arc::default();
            let flags = SupFlags::one_for_all().intensity(u32::MAX);
            let top = storm(flags, &alive, None).await;
            until("the restart of all", || is_whole(&top, u64::MAX)).await;
            assert_eq!(alive.load(Ordering::SeqCst), COUNT);
        });
    }

    /// With too little intensity, the supervisor gives up, and no child is left.
    #[test]
    fn too_many_crashes_end_all() {
        run(async {
            for flags in [SupFlags::one_for_one().intensity(100), SupFlags::one_for_one()] {
                let alive = Arc::default();
                let top = storm(flags, &alive, None).await;
                assert_eq!(exit_of(top.whereis().unwrap()).await, ExitReason::Shutdown);
                assert_eq!(alive.load(Ordering::SeqCst), 0);
            }
        });
    }
}

mod panics {
    use super::*;

    /// Where a server panics next.
    #[derive(Default)]
    struct Charges {
        /// How often `init` panics.
        init: AtomicU32,
        terminate: AtomicBool,
        state: AtomicBool,
        status: AtomicBool,
    }

    /// Panics when it is dropped.
    #[derive(Message)]
    #[message(local)]
    struct Explosive;

    impl Drop for Explosive {
        fn drop(&mut self) {
            panic!("a message's destructor, as it should")
        }
    }

    #[derive(Message)]
    #[message(local)]
    struct Get;

    struct Bomb(Arc<Charges>);

    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.0.state.swap(false, Ordering::SeqCst), "the state, as it should");
        }
    }

    impl GenServer for Bomb {
        type Args = (Arc<Charges>, Pid);
        type Receives = (Call<Get>, Cast<Stop>, Cast<Explosive>);

        async fn init((charges, test): (Arc<Charges>, Pid)) -> Init<Self> {
            trap_exit(true);
            let less = |left: u32| left.checked_sub(1);
            let left = charges.init.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
            assert!(left.is_err(), "`init`, as it should");
            send(test, Up("bomb", self_pid()));
            Init::ok(Bomb(charges))
        }

        async fn terminate(&mut self, _: &ExitReason) {
            let panics = self.0.terminate.swap(false, Ordering::SeqCst);
            assert!(!panics, "`terminate`, as it should");
        }

        fn format_status(&self) -> String {
            assert!(!self.0.status.load(Ordering::SeqCst), "`format_status`, as it should");
            "a bomb".into()
        }
    }

    impl HandleCall<Get> for Bomb {
        type Reply = u64;

        async fn handle_call(&mut self, _: Get, _: &mut Caller<'_, u64>) -> Reply<u64> {
            7.into()
        }
    }

    impl HandleCast<Stop> for Bomb {
        async fn handle_cast(&mut self, Stop(reason): Stop) -> Next {
            Next::stop(reason)
        }
    }

    impl HandleCast<Explosive> for Bomb {
        async fn handle_cast(&mut self, _: Explosive) -> Next {
            Next::go_on()
        }
    }

    fn bomb(id: &'static str, charges: &Arc<Charges>) -> ChildSpec {
        ChildSpec::server::<Bomb>(id, Start::new(), (charges.clone(), self_pid()))
    }

    /// Starts a supervisor with a bomb between two workers.
    async fn tree(
        id: &'static str,
        flags: SupFlags,
        charges: &Arc<Charges>,
    ) -> (ServerRef<Supervisor>, [Pid; 3]) {
        let specs = [worker("a"), bomb(id, charges), worker("c")];
        let top = supervisor::start_link(Start::new(), flags.period(LONG), specs).await.unwrap();
        (top, [up("a").await, up("bomb").await, up("c").await])
    }

    /// SUP-10, SUP-12, SUP-14: a child whose `init` panics is restarted until it starts, with the
    /// siblings of its strategy, and each attempt counts.
    #[test]
    fn an_init_that_panics_is_tried_again() {
        run(async {
            let cases = [
                ("init of one", Strategy::OneForOne, ["bomb"].as_slice()),
                ("init of all", Strategy::OneForAll, &["a", "a", "a", "bomb", "c"]),
                ("init of the rest", Strategy::RestForOne, &["bomb", "c"]),
            ];
            for (id, strategy, started) in cases {
                let flags = SupFlags::new(strategy);
                let charges = Arc::<Charges>::default();
                let (top, pids) = tree(id, flags.intensity(3), &charges).await;
                charges.init.store(2, Ordering::SeqCst);
                ServerRef::<Bomb>::pid(pids[1]).cast(Stop(error()));
                for id in started {
                    up(id).await;
                }
                until("the start of all", || async {
                    top.count_children().await.unwrap().active == 3
                })
                .await;
                let children = top.which_children().await.unwrap();
                assert_eq!(children[1].restarts, 3, "{id}");
                assert_eq!(children[2].pid() == Some(pids[0]), started[0] != "a", "{id}");
                assert_eq!(children[0].pid() == Some(pids[2]), *started.last().unwrap() == "bomb");
                reported(&[id, "start_error", "`init`, as it should"]).await;
                reported(&["Bomb", "init of", "`init`, as it should"]).await;

                // With one attempt less, the supervisor gives up.
                let (top, pids) = tree(id, flags.intensity(2), &charges).await;
                charges.init.store(2, Ordering::SeqCst);
                let watches = [monitor(pids[0]), monitor(pids[2])];
                ServerRef::<Bomb>::pid(pids[1]).cast(Stop(error()));
                assert_eq!(exit_of(top.whereis().unwrap()).await, ExitReason::Shutdown, "{id}");
                for watch in watches {
                    receive! {
                        Down { monitor, reason, .. } if monitor == watch => {
                            assert_eq!(reason, ExitReason::Shutdown);
                        },
                        after LIMIT => panic!("a child is left"),
                    }
                }
                reported(&[id, "reached_max_restart_intensity"]).await;
                // The siblings that were started meanwhile.
                loop {
                    let pid = receive! { Up(_, pid) => pid, after Duration::ZERO => break };
                    end_of(pid).await;
                }
            }
        });
    }

    /// SUP-4, SUP-16: a first start whose `init` panics names the child.
    #[test]
    fn a_first_init_that_panics_fails_the_start() {
        run(async {
            let charges = Arc::<Charges>::default();
            charges.init.store(2, Ordering::SeqCst);
            let specs = [worker("a"), bomb("first", &charges), worker("c")];
            let started =
                supervisor::start_link(Start::new(), SupFlags::one_for_one(), specs).await;
            let failed = FailedToStartChild::of(&started.unwrap_err()).unwrap();
            assert_eq!(failed.id.unwrap(), "first");
            assert!(matches!(failed.error, StartError::Failed(ExitReason::Panic(_))));
            assert_eq!(end_of(up("a").await).await, ExitReason::Noproc, "it has ended");
            let top =
                supervisor::start_link(Start::new(), SupFlags::one_for_one(), []).await.unwrap();
            let failed = top.start_child(bomb("second", &charges)).await.unwrap_err();
            assert!(failed.to_string().contains("\"second\""), "{failed}");
            assert!(failed.to_string().contains("`init`, as it should"), "{failed}");
            assert_eq!(top.count_children().await.unwrap().specs, 0);
            top.start_child(bomb("second", &charges)).await.unwrap();
        });
    }

    /// SUP-7, GS-14: a panic in `terminate` is the child's exit reason, and stops nothing else.
    #[test]
    fn a_terminate_that_panics_stops_nothing_else() {
        run(async {
            let charges = Arc::<Charges>::default();
            let flags = SupFlags::one_for_one().intensity(5);
            let (top, [a, b, c]) = tree("terminates", flags, &charges).await;
            charges.terminate.store(true, Ordering::SeqCst);
            ServerRef::<Bomb>::pid(b).cast(Stop(ExitReason::Shutdown));
            let b = up("bomb").await;
            reported(&["terminates", "child_terminated", "`terminate`, as it should"]).await;

            charges.terminate.store(true, Ordering::SeqCst);
            top.terminate_child("terminates").await.unwrap();
            reported(&["terminates", "shutdown_error", "`terminate`, as it should"]).await;
            assert_ne!(top.restart_child("terminates").await.unwrap().pid(), Some(b));
            up("bomb").await;

            charges.terminate.store(true, Ordering::SeqCst);
            let watches = [a, c].map(monitor);
            exit_process(top.whereis().unwrap(), ExitReason::Shutdown);
            assert_eq!(exit_of(top.whereis().unwrap()).await, ExitReason::Shutdown);
            for watch in watches {
                receive! {
                    Down { monitor, reason, .. } if monitor == watch => {
                        assert_eq!(reason, ExitReason::Shutdown);
                    },
                    after LIMIT => panic!("a child is left"),
                }
            }
        });
    }

    /// A panic in the destructor of a child's state ends that child only, and it is restarted.
    #[test]
    fn a_state_whose_drop_panics_is_replaced() {
        run(async {
            let charges = Arc::<Charges>::default();
            let flags = SupFlags::one_for_one().intensity(5);
            let (top, [a, b, c]) = tree("drops", flags, &charges).await;
            for reason in [error(), ExitReason::Normal] {
                charges.state.store(true, Ordering::SeqCst);
                let bomb = top.which_children().await.unwrap()[1].pid().unwrap();
                ServerRef::<Bomb>::pid(bomb).cast(Stop(reason));
                up("bomb").await;
                assert!(!charges.state.load(Ordering::SeqCst), "the destructor ran");
            }
            charges.state.store(true, Ordering::SeqCst);
            top.terminate_child("drops").await.unwrap();
            top.restart_child("drops").await.unwrap();
            assert_ne!(up("bomb").await, b);
            let children = top.which_children().await.unwrap();
            assert_eq!([children[2].pid(), children[0].pid()], [Some(a), Some(c)]);
        });
    }

    /// GS-24: a panic in `format_status` harms neither the server nor its report.
    #[test]
    fn a_format_status_that_panics_harms_nothing() {
        run(async {
            let charges = Arc::<Charges>::default();
            let (_top, [.., b, _]) = tree("formats", SupFlags::one_for_one(), &charges).await;
            charges.status.store(true, Ordering::SeqCst);
            let server = ServerRef::<Bomb>::pid(b);
            let status = sys::get_status(&server).await.unwrap();
            assert!(status.state.contains("whose `format_status` panicked"), "{status:?}");
            assert_eq!(server.call(Get).await.unwrap(), 7);
            let why = ExitReason::Error("the reason of formats".into());
            server.cast(Stop(why.clone()));
            assert_ne!(up("bomb").await, b);
            let reason = "the reason of formats";
            reported(&["formats", "child_terminated", reason]).await;
            reported(&["whose `format_status` panicked", reason]).await;
        });
    }

    /// A panic in the destructor of a message ends the server that handles the message. A message
    /// that the server or the supervisor does not know harms neither.
    #[test]
    fn a_message_whose_drop_panics_ends_its_handler_only() {
        run(async {
            let charges = Arc::<Charges>::default();
            let (top, [a, b, c]) = tree("messages", SupFlags::one_for_one(), &charges).await;
            send(b, Explosive);
            assert_eq!(ServerRef::<Bomb>::pid(b).call(Get).await.unwrap(), 7);
            let pid = top.whereis().unwrap();
            send(pid, Explosive);
            let unknown = ServerRef::<Bomb>::pid(pid);
            unknown.cast(Explosive);
            let children = top.which_children().await.unwrap();
            let pids: Vec<_> = children.into_iter().rev().filter_map(|child| child.pid()).collect();
            assert_eq!(pids, [a, b, c]);
            ServerRef::<Bomb>::pid(b).cast(Explosive);
            assert_ne!(up("bomb").await, b);
            reported(&["messages", "child_terminated", "a message's destructor"]).await;
        });
    }

    /// A start function, and the value that it captures.
    fn fragile(id: &'static str, restart: Restart) -> ChildSpec {
        struct Captured;
        impl Drop for Captured {
            fn drop(&mut self) {
                panic!("a start function's destructor, as it should")
            }
        }
        let captured = Captured;
        let start = move || {
            let _captured = &captured;
            async { spawn_link(child()) }
        };
        ChildSpec::new(id, start).restart(restart)
    }

    /// A panic in the destructor of a start function does not end the supervisor.
    #[test]
    fn a_start_function_whose_drop_panics_is_dropped() {
        run(async {
            let (top, _) =
                tree("functions", SupFlags::one_for_one(), &Arc::<Charges>::default()).await;
            top.start_child(fragile("f", Restart::Permanent)).await.unwrap();
            top.terminate_child("f").await.unwrap();
            top.delete_child("f").await.unwrap();
            let pid = top.start_child(fragile("f", Restart::Temporary)).await.unwrap().pid();
            send(pid.unwrap(), Stop(error()));
            end_of(pid.unwrap()).await;
            for id in ["f", "g"] {
                let started = top.start_child(fragile(id, Restart::Permanent)).await;
                assert!(started.unwrap().pid().is_some());
            }
            let again = top.start_child(fragile("f", Restart::Permanent)).await;
            assert!(matches!(again, Err(ChildError::AlreadyStarted { .. })));
            assert_eq!(top.count_children().await.unwrap().active, 5);
            // Both are dropped at its end.
            exit_process(top.whereis().unwrap(), ExitReason::Shutdown);
            assert_eq!(exit_of(top.whereis().unwrap()).await, ExitReason::Shutdown);
        });
    }
}

mod mailboxes {
    use super::*;

    fn limits() -> [MailboxLimit; 4] {
        [
            MailboxLimit::messages(0).when_full(WhenFull::Wait),
            MailboxLimit::messages(0).when_full(WhenFull::DropNewest),
            MailboxLimit::messages(0).when_full(WhenFull::Kill),
            MailboxLimit::messages(3).when_full(WhenFull::DropNewest),
        ]
    }

    /// The ends of children, retries of restarts, system messages and the order to end pass the
    /// full mailbox of a supervisor.
    #[test]
    fn a_supervisor_works_with_a_full_mailbox() {
        run(async {
            for limit in limits() {
                let broken = Arc::new(AtomicU32::new(0));
                let (fails, me) = (broken.clone(), self_pid());
                let fragile = ChildSpec::new("a", move || {
                    let less = |left: u32| left.checked_sub(1);
                    let fails =
                        fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
                    async move {
                        if fails {
                            return Err(StartError::Timeout);
                        }
                        let pid = spawn_link(child());
                        send(me, Up("a", pid));
                        Ok(pid)
                    }
                });
                let opts = Start::name("full").mailbox_limit(limit);
                let flags = SupFlags::one_for_one().intensity(10);
                let top =
                    supervisor::start_link(opts, flags, [fragile, worker("b")]).await.unwrap();
                let (pid, a, b) = (top.whereis().unwrap(), up("a").await, up("b").await);
                let full = || try_send(pid, 1_u64).is_err_and(|error| error.is_full());

                // A suspended supervisor leaves messages in its mailbox.
                sys::suspend(&top).await.unwrap();
                until("a full mailbox", || async { full() }).await;
                send(b, Stop(error()));
                end_of(b).await;
                assert!(sys::get_status(&top).await.unwrap().suspended);
                assert!(full(), "a system message gives no room back");
                sys::resume(&top).await.unwrap();
                up("b").await;

                // A restart that fails is tried again, though its message finds no room.
                broken.store(3, Ordering::SeqCst);
                send(a, Stop(error()));
                let a = up("a").await;

                sys::suspend(&top).await.unwrap();
                until("a full mailbox", || async { full() }).await;
                let watch = monitor(a);
                top.stop(ExitReason::Shutdown, Some(LIMIT)).await.unwrap();
                assert_eq!(exit_of(pid).await, ExitReason::Shutdown);
                receive! {
                    Down { monitor, reason, .. } if monitor == watch => {
                        assert_eq!(reason, ExitReason::Shutdown);
                    },
                    after LIMIT => panic!("a child is left"),
                }
                assert_eq!(whereis("full"), None);
            }
        });
    }

    /// The exit signal of the parent passes the full mailbox of a supervisor and of a server.
    #[test]
    fn the_end_of_the_parent_passes_a_full_mailbox() {
        run(async {
            for limit in limits() {
                let me = self_pid();
                let (parent, _) = spawn_monitor(async move {
                    trap_exit(true);
                    let opts = Start::new().mailbox_limit(limit);
                    let spec = ChildSpec::new("a", move || async move {
                        let pid = spawn_link(child());
                        send(me, Up("a", pid));
                        pid
                    });
                    let top = supervisor::start_link(opts, SupFlags::one_for_one(), [spec]).await;
                    send(me, Up("top", top.unwrap().whereis().unwrap()));
                    child().await;
                });
                let (a, top) = (up("a").await, up("top").await);
                let server = ServerRef::<Supervisor>::pid(top);
                sys::suspend(&server).await.unwrap();
                until("a full mailbox", || async {
                    try_send(top, 1_u64).is_err_and(|error| error.is_full())
                })
                .await;
                let watches = [monitor(a), monitor(top)];
                send(parent, Stop(error()));
                for (watch, expected) in watches.into_iter().zip([ExitReason::Shutdown, error()]) {
                    receive! {
                        Down { monitor, reason, .. } if monitor == watch => {
                            assert_eq!(reason, expected);
                        },
                        after LIMIT => panic!("a process is left"),
                    }
                }
            }
        });
    }
}

mod bad_input {
    use super::*;

    /// A server that tells of its start.
    struct Named;

    impl GenServer for Named {
        type Args = (&'static str, Pid);
        type Receives = ();

        async fn init((id, test): (&'static str, Pid)) -> Init<Self> {
            send(test, Up(id, self_pid()));
            Init::ok(Named)
        }
    }

    fn named(id: &'static str, name: &'static str) -> ChildSpec {
        ChildSpec::server::<Named>(id, Start::name(name), (id, self_pid()))
    }

    /// A server that tells of its start and of its end.
    struct Witness(&'static str, Pid);

    #[derive(Message)]
    #[message(local)]
    struct Ended(&'static str);

    impl GenServer for Witness {
        type Args = (&'static str, Pid);
        type Receives = ();

        async fn init((id, test): (&'static str, Pid)) -> Init<Self> {
            trap_exit(true);
            send(test, Up(id, self_pid()));
            Init::ok(Witness(id, test))
        }

        async fn terminate(&mut self, _: &ExitReason) {
            send(self.1, Ended(self.0));
        }
    }

    fn witness(id: &'static str, test: Pid) -> ChildSpec {
        ChildSpec::server::<Witness>(id, Start::new(), (id, test)).shutdown(Shutdown::Infinity)
    }

    async fn ended() -> &'static str {
        receive! { Ended(id) => id, after LIMIT => panic!("nothing ends") }
    }

    fn failed(error: &StartError) -> (String, StartError) {
        let FailedToStartChild { id, error } =
            FailedToStartChild::of(error).expect("a child failed");
        (id.unwrap().as_str().to_owned(), error)
    }

    /// SUP-4: a start that fails half-way ends what was started, in reverse order, and its error
    /// names the child.
    #[test]
    fn a_start_that_fails_half_way_is_undone() {
        run(async {
            type Make = fn() -> ChildSpec;
            let failing: [(Make, &str); 4] = [
                (|| ChildSpec::new("bad", || async { Err::<Pid, _>(error()) }), "as it should"),
                (|| ChildSpec::new("bad", || async { panic!("a start") as Pid }), "a start"),
                (
                    || ChildSpec::new("bad", || async { exit(ExitReason::Timeout) as Pid }),
                    "timeout",
                ),
                (|| ChildSpec::new("bad", || async { Err::<Pid, _>(StartError::Timeout) }), "time"),
            ];
            for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
                for (bad, text) in failing {
                    let witness = |id| witness(id, self_pid());
                    let specs = [witness("a"), witness("b"), witness("c"), bad(), witness("d")];
                    let flags = SupFlags::new(strategy);
                    let opts = Start::name("never");
                    let error = supervisor::start_link(opts, flags, specs).await.unwrap_err();
                    let (id, why) = failed(&error);
                    assert_eq!(id, "bad");
                    assert!(why.to_string().contains(text), "{why}");
                    assert!(
                        error.to_string().contains("failed_to_start_child: \"bad\""),
                        "{error}"
                    );
                    assert_eq!([ended().await, ended().await, ended().await], ["c", "b", "a"]);
                    for id in ["a", "b", "c"] {
                        assert_eq!(end_of(up(id).await).await, ExitReason::Noproc);
                    }
                    assert_eq!(whereis("never"), None);
                }
            }
            receive! { Up(id, _) => panic!("{id} was started"), after Duration::ZERO => {} }
        });
    }

    /// A nested supervisor that fails half-way is the child that fails.
    #[test]
    fn a_nested_start_that_fails_is_undone_on_each_level() {
        run(async {
            let me = self_pid();
            let inner = move || {
                let bad = ChildSpec::new("bad", || async { Err::<Pid, _>(error()) });
                supervisor::start_link(
                    Start::new(),
                    SupFlags::one_for_one(),
                    [witness("inner witness", me), bad],
                )
            };
            let inner = ChildSpec::supervisor("inner", inner);
            let specs = [witness("a", me), inner, witness("c", me)];
            let error = supervisor::start_link(Start::new(), SupFlags::one_for_all(), specs).await;
            let error = error.unwrap_err();
            let (outer, why) = failed(&error);
            let (inner, why) = (outer, failed(&why));
            assert_eq!((inner.as_str(), why.0.as_str()), ("inner", "bad"));
            assert_eq!(why.1, StartError::Failed(super::error()));
            for id in ["inner", "bad", "as it should"] {
                assert!(error.to_string().contains(id), "{error}");
            }
            assert_eq!([ended().await, ended().await], ["inner witness", "a"]);
        });
    }

    /// GS-1, SUP-4, SUP-13, SUP-29: a name that is taken is an error that names the holder and the
    /// child.
    #[test]
    fn a_taken_name_is_an_error() {
        run(async {
            let holder = spawn_link(child());
            fika::register("taken", holder).unwrap();
            let flags = SupFlags::one_for_one().intensity(u32::MAX);
            let started = supervisor::start_link(Start::name("taken"), flags, [worker("w")]).await;
            assert_eq!(started.unwrap_err(), StartError::AlreadyStarted(holder));
            let started = supervisor::start_link_dynamic(Start::name("taken"), flags).await;
            assert_eq!(started.unwrap_err(), StartError::AlreadyStarted(holder));
            let template = Template::new(|()| async { spawn_link(child()) });
            let started =
                supervisor::start_link_simple(Start::name("taken"), flags, template).await;
            assert_eq!(started.unwrap_err(), StartError::AlreadyStarted(holder));

            let specs = [witness("a", self_pid()), named("b", "taken")];
            let started = supervisor::start_link(Start::new(), flags, specs).await.unwrap_err();
            assert_eq!(failed(&started), ("b".to_owned(), StartError::AlreadyStarted(holder)));
            assert!(started.to_string().contains(&holder.to_string()), "{started}");
            assert_eq!(ended().await, "a");
            up("a").await;

            let top =
                supervisor::start_link(Start::new(), flags, [named("b", "free")]).await.unwrap();
            let b = up("b").await;
            let error = top.start_child(named("c", "taken")).await.unwrap_err();
            assert!(matches!(
                &error,
                ChildError::Failed { id: Some(id), error: StartError::AlreadyStarted(pid) }
                    if *id == "c" && *pid == holder
            ));
            assert!(error.to_string().contains("\"c\"") && error.to_string().contains("already"));

            // The name is taken when the child is restarted, and is free again later.
            let thief = spawn_link(async {
                receive! { pid: Pid => {
                    let watch = monitor(pid);
                    receive! { Down { monitor, .. } if monitor == watch => {} }
                } }
                while fika::register("free", self_pid()).is_err() {
                    yield_now().await;
                }
                child().await;
            });
            send(thief, b);
            top.terminate_child("b").await.unwrap();
            until("the name", || async { whereis("free") == Some(thief) }).await;
            let error = top.restart_child("b").await.unwrap_err();
            assert!(error.to_string().contains("\"b\""), "{error}");
            send(thief, Stop(ExitReason::Normal));
            end_of(thief).await;
            top.restart_child("b").await.unwrap();
            up("b").await;
            receive! { Up(id, _) => panic!("{id} was started"), after Duration::ZERO => {} }
        });
    }

    /// SUP-1, SUP-25: each error of a specification names the child. Nothing is started.
    #[test]
    fn contradictory_specifications_are_refused() {
        run(async {
            let flags = SupFlags::one_for_one();
            let auto = flags.auto_shutdown(AutoShutdown::AnySignificant);
            type Make = fn() -> Vec<ChildSpec>;
            let cases: [(SupFlags, Make, SpecError, &str); 4] = [
                (flags.period(Duration::ZERO), Vec::new, SpecError::ZeroPeriod, "period"),
                (
                    flags,
                    || vec![worker("a"), worker("b"), worker("a")],
                    SpecError::DuplicateId("a".into()),
                    "\"a\"",
                ),
                (
                    auto,
                    || vec![worker("a"), worker("b").significant(true)],
                    SpecError::PermanentSignificant("b".into()),
                    "\"b\"",
                ),
                (
                    flags,
                    || vec![worker("b").significant(true).restart(Restart::Transient)],
                    SpecError::SignificantWithoutAutoShutdown("b".into()),
                    "\"b\"",
                ),
            ];
            for (flags, specs, expected, text) in cases {
                let error = supervisor::start_link(Start::new(), flags, specs()).await.unwrap_err();
                let StartError::Failed(reason) = &error else { panic!("{error}") };
                assert_eq!(reason.get::<SpecError>().as_ref(), Some(&expected));
                assert!(error.to_string().contains(text), "{error}");
            }
            let zero = flags.period(Duration::ZERO);
            let error = supervisor::start_link_dynamic(Start::new(), zero).await.unwrap_err();
            assert!(error.to_string().contains("period"), "{error}");
            let template = Template::new(|()| async { spawn_link(child()) });
            let error =
                supervisor::start_link_simple(Start::new(), zero, template).await.unwrap_err();
            assert!(error.to_string().contains("period"), "{error}");

            let top = supervisor::start_link(Start::new(), flags, []).await.unwrap();
            let transient = worker("s").significant(true).restart(Restart::Transient);
            for spec in [worker("s").significant(true), transient] {
                let error = top.start_child(spec).await.unwrap_err();
                assert!(matches!(error, ChildError::Invalid(_)), "{error}");
                assert!(error.to_string().contains("\"s\""), "{error}");
            }
            assert_eq!(top.count_children().await.unwrap().specs, 0);
            receive! { Up(id, _) => panic!("{id} was started"), after Duration::ZERO => {} }
        });
    }

    /// SUP-16: an id that is taken names its child.
    #[test]
    fn a_taken_id_is_an_error() {
        run(async {
            let flags = SupFlags::one_for_one();
            let top = supervisor::start_link(Start::new(), flags, [worker("a")]).await.unwrap();
            let a = up("a").await;
            let error = top.start_child(worker("a")).await.unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, ChildError::AlreadyStarted { pid, .. } if pid == a));
            assert!(text.contains("\"a\"") && text.contains(&a.to_string()), "{text}");
            top.terminate_child("a").await.unwrap();
            let error = top.start_child(worker("a")).await.unwrap_err();
            assert!(matches!(error, ChildError::AlreadyPresent { .. }), "{error}");
            assert!(error.to_string().contains("\"a\""), "{error}");
            receive! { Up(id, _) => panic!("{id} was started"), after Duration::ZERO => {} }
        });
    }
}
