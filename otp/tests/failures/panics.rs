//! Panics at every place of a child.

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
            until("the start of all", || async { top.count_children().await.unwrap().active == 3 })
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
        let started = supervisor::start_link(Start::new(), SupFlags::one_for_one(), specs).await;
        let failed = FailedToStartChild::of(&started.unwrap_err()).unwrap();
        assert_eq!(failed.id.unwrap(), "first");
        assert!(matches!(failed.error, StartError::Failed(ExitReason::Panic(_))));
        assert_eq!(end_of(up("a").await).await, ExitReason::Noproc, "it has ended");
        let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), []).await.unwrap();
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
        let (top, _) = tree("functions", SupFlags::one_for_one(), &Arc::<Charges>::default()).await;
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
