//! The reports of behaviours: ends by an error (PL-6, GS-14), the children of supervisors (SUP-31), and
//! calls that time out (GS-4).
#![deny(warnings)]

#[path = "support/log.rs"]
mod log;
#[allow(dead_code, reason = "other test binaries use the rest")]
#[path = "support/wait.rs"]
mod wait;

use fika::gen_server::{
    self, Call, Caller, Cast, Continue, GenServer, HandleCall, HandleCast, HandleContinue,
    HandleInfo, Info, Init, Next, Reply, ServerRef, Start, StartError,
};
use fika::inspect::set_label;
use fika::message::Term;
use fika::prelude::*;
use fika::proc_lib::{self, InitAck};
use fika::process::yield_now;
use fika::supervisor::{
    self, ChildSpec, Restart, Shutdown, Strategy, SupFlags, Supervisor, Template,
};

use log::lines_with;
use wait::{LIMIT, down, end_of, exit_from, next};

/// Runs a test on a node with one worker. A report is made before the process ends, and so before the
/// test learns of the end.
fn on_a_node<F: Future<Output = ()> + Send + 'static>(test: F) {
    let _listening = log::listen(tracing::Level::DEBUG);
    let node = Node::builder().workers(1).build().unwrap();
    node.block_on(async {
        trap_exit(true);
        test.await;
    });
    node.stop();
}

fn error() -> ExitReason {
    ExitReason::Error("as asked".into())
}

fn orderly() -> [ExitReason; 3] {
    [ExitReason::Normal, ExitReason::Shutdown, ExitReason::ShutdownWith(Term::new(&7_u64))]
}

/// Returns the crash reports of a process.
fn crashes_of(pid: Pid) -> Vec<String> {
    lines_with(&[&format!(" pid={pid} "), "a process ended by an error"])
}

/// Returns the only crash report of a process, which has all of these parts.
#[track_caller]
fn crash_of(pid: Pid, parts: &[&str]) -> String {
    let [report] = &crashes_of(pid)[..] else { panic!("{:#?}", crashes_of(pid)) };
    for part in parts {
        assert!(report.contains(part), "no `{part}` in: {report}");
    }
    let by_runtime = ["a panic ended a process", "an error ended a process"];
    for text in by_runtime {
        assert_eq!(lines_with(&[&format!(" pid={pid} "), text]), [""; 0], "once is enough");
    }
    report.clone()
}

/// How a callback ends.
#[message]
#[derive(Clone)]
enum How {
    Panics,
    Exits(ExitReason),
    Stops(ExitReason),
    /// The work that the server continues with ends in this way.
    Continues(Box<How>),
}

impl How {
    fn end(self) -> Next {
        match self {
            How::Panics => panic!("it fails as asked"),
            How::Exits(reason) => exit(reason),
            How::Stops(reason) => Next::stop(reason),
            How::Continues(how) => Next::proceed(*how),
        }
    }
}

/// A server that starts with a neighbour, and whose end is ordered.
struct Server {
    terminate: Option<How>,
}

impl GenServer for Server {
    type Args = Begin;
    type Receives = (Call<How>, Cast<How>, Info<How>, Continue<How>);

    async fn init(begin: Begin) -> Init<Self> {
        set_label("labelled 17");
        match begin {
            Begin::Ok => Init::ok(Server { terminate: None }),
            Begin::Terminates(how) => Init::ok(Server { terminate: Some(how) }),
            Begin::Panics => panic!("it fails as asked"),
            Begin::Stops(reason) => Init::stop(reason),
            Begin::Fails(reason) => Init::error(reason),
            Begin::Ignores => Init::ignore(),
        }
    }

    async fn terminate(&mut self, _: &ExitReason) {
        if let Some(how) = self.terminate.take() {
            let _ = how.end();
        }
    }

    fn format_status(&self) -> String {
        "the formatted state".to_owned()
    }
}

/// How a server begins.
enum Begin {
    Ok,
    /// Its `terminate` ends in this way.
    Terminates(How),
    Panics,
    Stops(ExitReason),
    Fails(ExitReason),
    Ignores,
}

impl HandleCall<How> for Server {
    type Reply = ();

    async fn handle_call(&mut self, how: How, _: &mut Caller<'_, ()>) -> Reply<()> {
        Reply::later().then(how.end())
    }
}

impl HandleCast<How> for Server {
    async fn handle_cast(&mut self, how: How) -> Next {
        how.end()
    }
}

impl HandleInfo<How> for Server {
    async fn handle_info(&mut self, how: How) -> Next {
        how.end()
    }
}

impl HandleContinue<How> for Server {
    async fn handle_continue(&mut self, how: How) -> Next {
        how.end()
    }
}

/// Starts a server with a name below this process.
async fn server(begin: Begin) -> (ServerRef<Server>, Pid) {
    let server = gen_server::start_link::<Server>(Start::name("the server"), begin).await.unwrap();
    let pid = server.whereis().unwrap();
    (server, pid)
}

/// PL-6, GS-14: the crash report of a server has its pid, name, label, type, reason, last message,
/// state, ancestors, links and neighbours, each exactly.
#[test]
fn the_report_of_a_server_tells_the_whole_story() {
    on_a_node(async {
        let me = self_pid();
        // The server's starter is a behaviour, too. It does not trap exits, so it is a neighbour.
        let middle = |ack: InitAck<Pid>| async move {
            register("the starter", self_pid()).unwrap();
            let (_, pid) = server(Begin::Ok).await;
            ack.ok(pid);
            std::future::pending::<()>().await;
        };
        let (starter, pid) = proc_lib::start_link(Start::new(), middle).await.unwrap();
        link(pid);
        send("the server", How::Panics);
        let reason = exit_from(pid).await;
        let line = crash_of(pid, &[]);
        let (before, fields) = line.split_once("a process ended by an error ").unwrap();
        assert!(before.contains("ERROR"), "{line}");
        let fields = fields.strip_suffix(&format!(
            " ancestors=[{starter}, {me}] links=[{links}] neighbours=[{starter} (the starter)]",
            links = sorted(&line, [starter, me]),
        ));
        let module = std::any::type_name::<Server>();
        let how = std::any::type_name::<How>();
        assert_eq!(
            fields.unwrap_or_else(|| panic!("{line}")),
            format!(
                "pid={pid} name=the server label=labelled 17 module=\"{module}\" reason={reason} \
                 last=handle_info of {how} state=the formatted state"
            )
        );
        let text = reason.to_string();
        assert!(text.contains("it fails as asked at tests/otp_reports.rs:"), "{text}");
    });
}

/// Two links, in the order of the line: a process keeps them in none.
fn sorted(line: &str, [a, b]: [Pid; 2]) -> String {
    let first = format!("links=[{a}, {b}]");
    if line.contains(&first) { format!("{a}, {b}") } else { format!("{b}, {a}") }
}

/// GS-14, PL-6: the last message of a report, for each callback and each way to end.
#[test]
fn each_callback_is_named_as_the_last_one() {
    on_a_node(async {
        for (how, reason) in [
            (How::Panics, "panic: it fails as asked"),
            (How::Exits(error()), "error: as asked"),
            (How::Stops(error()), "error: as asked"),
        ] {
            let reason = format!("reason={reason}");
            let continued = How::Continues(how.clone().into());
            for (callback, how) in [
                ("handle_call", how.clone()),
                ("handle_cast", how.clone()),
                ("handle_info", how.clone()),
                ("handle_continue", continued),
            ] {
                let (server, pid) = server(Begin::Ok).await;
                match callback {
                    "handle_call" => drop(server.call(how).await.unwrap_err()),
                    "handle_info" => server.info(how),
                    _ => server.cast(how),
                }
                exit_from(pid).await;
                let last = format!("last={callback} of {}", std::any::type_name::<How>());
                crash_of(pid, &[&reason, &last, "state=the formatted state"]);
            }
            // The reason of `terminate` is the one that counts, and the message is the last one.
            if !matches!(how, How::Stops(_)) {
                let (server, pid) = server(Begin::Terminates(how)).await;
                server.cast(How::Stops(ExitReason::Shutdown));
                exit_from(pid).await;
                let last = format!("last=handle_cast of {}", std::any::type_name::<How>());
                crash_of(pid, &[&reason, &last]);
            }
        }
        for reason in orderly() {
            for how in [How::Exits(reason.clone()), How::Stops(reason.clone())] {
                let (server, pid) = server(Begin::Ok).await;
                server.cast(how);
                assert_eq!((exit_from(pid).await, crashes_of(pid)), (reason.clone(), vec![]));
            }
        }
    });
}

/// GS-2, PL-6: an `init` that panics or stops is reported, and one that returns an error is not.
#[test]
fn a_failed_init_is_reported_as_a_crash_or_not() {
    on_a_node(async {
        let module = std::any::type_name::<Server>();
        let crashes = || lines_with(&["a process ended by an error", module]);
        let mut seen = 0;
        for (begin, part) in [
            (Begin::Panics, Some("reason=panic: it fails as asked")),
            (Begin::Stops(error()), Some("reason=error: as asked")),
            (Begin::Stops(ExitReason::Shutdown), None),
            (Begin::Fails(error()), None),
            (Begin::Ignores, None),
        ] {
            let failed = gen_server::start::<Server>(Start::name("the server"), begin).await;
            failed.unwrap_err();
            let reports = crashes();
            let Some(part) = part else {
                assert_eq!(reports.len(), seen, "{reports:#?}");
                continue;
            };
            seen += 1;
            assert_eq!(reports.len(), seen, "{reports:#?}");
            let (ancestors, last) =
                (format!("ancestors=[{}]", self_pid()), format!("last=init of {module}"));
            for part in [part, "name=the server", "label=labelled 17", &ancestors, &last] {
                assert!(reports[seen - 1].contains(part), "no `{part}` in {}", reports[seen - 1]);
            }
        }
    });
}

/// PL-6: a function of `proc_lib` that fails is reported with its own name; one that ends in order is
/// not.
#[test]
fn a_function_that_fails_is_reported() {
    async fn works(ack: InitAck<()>) -> Result<(), ExitReason> {
        set_label("labelled 17");
        ack.ok(());
        receive! {
            how: How => match how {
                How::Stops(reason) => Err(reason),
                how => { let _ = how.end(); Ok(()) }
            }
        }
    }
    async fn refuses(ack: InitAck<()>) {
        receive! {
            reason: ExitReason => proc_lib::init_fail(ack, StartError::Ignored, reason).await
        }
    }
    on_a_node(async {
        let me = self_pid();
        for (how, reason) in [
            (How::Panics, "reason=panic: it fails as asked"),
            (How::Exits(error()), "reason=error: as asked"),
            (How::Stops(error()), "reason=error: as asked"),
        ] {
            let opts = Start::name("the function");
            let (pid, ()) = proc_lib::start_link(opts, works).await.unwrap();
            send(pid, how);
            exit_from(pid).await;
            let module = format!("module=\"{}\"", std::any::type_name_of_val(&works));
            let (ancestors, links) = (format!("ancestors=[{me}]"), format!("links=[{me}]"));
            let name = "name=the function";
            crash_of(pid, &[reason, name, "label=labelled 17", &module, &ancestors, &links]);
        }
        for reason in orderly() {
            for how in [How::Exits(reason.clone()), How::Stops(reason.clone())] {
                let (pid, ()) = proc_lib::start_link(Start::new(), works).await.unwrap();
                send(pid, how);
                assert_eq!((exit_from(pid).await, crashes_of(pid)), (reason.clone(), vec![]));
            }
        }
        // A start that fails by `init_fail`.
        let refused = lines_with(&["a process ended by an error", "refuses"]).len();
        assert_eq!(refused, 0);
        for (reason, reports) in [(ExitReason::Shutdown, 0), (error(), 1)] {
            let starter = fika::process::Ended::of(spawn(async {
                let refused = proc_lib::start(Start::name("refuses"), refuses).await;
                assert_eq!(refused.unwrap_err(), StartError::Ignored);
            }));
            while whereis("refuses").is_none() {
                yield_now().await;
            }
            send("refuses", reason);
            assert_eq!(starter.await, ExitReason::Normal);
            let refused = lines_with(&["a process ended by an error", "name=refuses"]);
            assert_eq!(refused.len(), reports, "{refused:#?}");
        }
    });
}

/// Waits for a message during a call.
#[message]
struct Await;

/// Asks for a reply that never comes.
#[message]
struct Never;

#[derive(Default)]
struct Waits(Vec<gen_server::ReplyTo<()>>);

impl GenServer for Waits {
    type Args = ();
    type Receives = (Call<Await>, Call<Never>);

    async fn init(_: ()) -> Init<Self> {
        Init::ok(Waits::default())
    }
}

impl HandleCall<Await> for Waits {
    type Reply = ();

    async fn handle_call(&mut self, _: Await, _: &mut Caller<'_, ()>) -> Reply<()> {
        receive! { () => {} }
        ().into()
    }
}

impl HandleCall<Never> for Waits {
    type Reply = ();

    async fn handle_call(&mut self, _: Never, caller: &mut Caller<'_, ()>) -> Reply<()> {
        self.0.push(caller.reply_later());
        Reply::later()
    }
}

/// GS-4: a call that times out says what the server does, for how long it has certainly done so, and
/// how many messages wait.
#[fika::test(sim)]
async fn a_late_call_says_what_the_server_does() {
    let server = gen_server::start::<Waits>(Start::name("waits"), ()).await.unwrap();
    let pid = server.whereis().unwrap();
    let late_call = async |limit| {
        let late = server.call(Await).timeout(limit).await.unwrap_err();
        late.to_string()
    };
    let name = std::any::type_name::<Await>();
    let text = |limit: &str, held: &str, waiting: usize| {
        format!(
            "the call `{name}` of {server} failed: timeout: no reply within {limit}; the server was \
             in `handle_call` of `{name}` for at least {held}; {waiting} messages were waiting"
        )
    };
    let _first = server.call(Await).send();
    let _second = server.call(Await).send();
    // It is in the first call all the time. The call has waited for a quarter of a second before it
    // looked for the first time.
    assert_eq!(late_call(secs(1)).await, text("1s", "750ms", 2));
    // Too short to look twice.
    assert_eq!(late_call(millis(100)).await, text("100ms", "0ns", 3));
    // Half-way, the server begins the second call.
    spawn(async move {
        sleep(millis(500)).await;
        send(pid, ());
    });
    assert_eq!(late_call(secs(1)).await, text("1s", "0ns", 3));
    for _ in 0..4 {
        send(pid, ());
    }
    // An idle server, which replies later.
    let late = server.call(Never).timeout(secs(1)).await.unwrap_err().to_string();
    assert!(late.ends_with("timeout: no reply within 1s; 0 messages were waiting"), "{late}");
}

// --- Supervisors. ---

/// A child was started. Sent to the process that made its specification.
#[message]
struct Up(Pid);

#[message]
struct Stop(ExitReason);

async fn child() {
    receive! { Stop(reason) => exit(reason) }
}

/// Ends with this reason when it is asked to shut down.
async fn ends_with(reason: ExitReason) {
    trap_exit(true);
    receive! { Exit { .. } => exit(reason) }
}

fn worker(id: &str) -> ChildSpec {
    let me = self_pid();
    ChildSpec::new(id, move || async move {
        let pid = spawn_link(child());
        send(me, Up(pid));
        pid
    })
}

async fn up() -> Pid {
    next::<Up>().await.0
}

async fn top(flags: SupFlags, children: Vec<ChildSpec>) -> (ServerRef<Supervisor>, Pid) {
    let top = supervisor::start_link(Start::name("top"), flags, children).await.unwrap();
    let pid = top.whereis().unwrap();
    (top, pid)
}

/// Ends a supervisor in order.
async fn shut_down(pid: Pid) {
    exit_process(pid, ExitReason::Shutdown);
    exit_from(pid).await;
}

/// Returns the reports of a supervisor, without what each has.
fn reports_of(supervisor: Pid) -> Vec<String> {
    let start = format!("a supervisor's child failed supervisor={supervisor} ");
    let lines = lines_with(&[&start]);
    lines.iter().map(|line| line.split_once(&start).unwrap().1.to_owned()).collect()
}

/// SUP-31: each start and restart of a child is logged, as progress.
#[test]
fn the_start_of_a_child_is_logged() {
    on_a_node(async {
        let (top, pid) = top(SupFlags::one_for_one(), vec![worker("a")]).await;
        let a = up().await;
        send(a, Stop(error()));
        let again = up().await;
        let b = top.start_child(worker("b")).await.unwrap().pid().unwrap();
        let ignored = || async { Err::<Pid, _>(StartError::Ignored) };
        top.start_child(ChildSpec::new("c", ignored)).await.unwrap();
        let text = "a child was started";
        let expected =
            |id, child| format!("{text} supervisor={pid} name=\"top\" id=\"{id}\" pid={child}");
        let seen: Vec<String> = lines_with(&[text])
            .iter()
            .map(|line| line[line.find(text).unwrap()..].to_owned())
            .collect();
        assert_eq!(seen, [expected("a", a), expected("a", again), expected("b", b)]);
        shut_down(pid).await;
    });
}

/// SUP-31: the end of a child is reported, except for the benign ends of transient and temporary
/// children.
#[test]
fn the_end_of_a_child_is_reported() {
    on_a_node(async {
        let [normal, shutdown, with] = orderly();
        for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
            for (reason, is_benign) in [
                (normal.clone(), true),
                (shutdown.clone(), true),
                (with.clone(), true),
                (error(), false),
                (ExitReason::Killed, false),
            ] {
                let (top, pid) =
                    top(SupFlags::one_for_one(), vec![worker("a").restart(restart)]).await;
                let a = up().await;
                let watch = monitor(a);
                match &reason {
                    ExitReason::Killed => exit_process(a, ExitReason::Kill),
                    reason => send(a, Stop(reason.clone())),
                }
                down(watch).await;
                top.count_children().await.unwrap();
                let expected = format!(
                    "name=\"top\" context=\"child_terminated\" id=\"a\" pid={a} reason={reason} \
                     restart={restart:?} shutdown=Timeout(5s) kind=Worker restarts=0"
                );
                let is_reported = restart == Restart::Permanent || !is_benign;
                if is_reported && restart != Restart::Temporary {
                    up().await;
                }
                let expected = if is_reported { vec![expected] } else { vec![] };
                assert_eq!(reports_of(pid), expected, "{restart:?} {reason}");
                shut_down(pid).await;
                assert_eq!(reports_of(pid), expected, "{restart:?} {reason}");
            }
        }
    });
}

/// SUP-31: a start that fails is reported if the supervisor itself made it, and not if a caller gets
/// the error.
#[test]
fn a_failed_start_is_reported() {
    on_a_node(async {
        let fails = |id: &str| ChildSpec::new(id, || async { Err::<Pid, _>(error()) });
        let specs = [worker("a"), fails("b")];
        let flags = SupFlags::one_for_one();
        let failed = supervisor::start_link(Start::name("top"), flags, specs).await;
        assert!(matches!(failed, Err(StartError::Failed(ExitReason::ShutdownWith(_)))));
        up().await;
        let reports = lines_with(&["a supervisor's child failed"]);
        assert_eq!(reports.len(), 1, "{reports:#?}");
        for part in ["name=\"top\" context=\"start_error\" id=\"b\" reason=", "error: as asked"] {
            assert!(reports[0].contains(part), "no `{part}` in {}", reports[0]);
        }
        // The start failed with `{shutdown, _}`, which is not a crash.
        assert_eq!(lines_with(&["a process ended by an error"]), [""; 0]);

        // A restart that fails.
        let (me, mut starts) = (self_pid(), 0);
        let fragile = ChildSpec::new("fragile", move || {
            starts += 1;
            async move {
                if starts == 2 {
                    return Err(StartError::Failed(error()));
                }
                let pid = spawn_link(child());
                send(me, Up(pid));
                Ok(pid)
            }
        });
        let (top, pid) = top(flags.intensity(5), vec![fragile]).await;
        let first = up().await;
        send(first, Stop(error()));
        up().await;
        let reports = reports_of(pid);
        assert_eq!(reports.len(), 2, "{reports:#?}");
        let start = "name=\"top\" context=\"start_error\" id=\"fragile\" reason=";
        assert!(reports[1].starts_with(start), "{}", reports[1]);
        assert!(reports[1].contains("error: as asked"), "{}", reports[1]);
        assert!(reports[1].ends_with("restarts=1"), "{}", reports[1]);

        // Starts that a caller asks for.
        top.start_child(fails("by request")).await.unwrap_err();
        assert_eq!(reports_of(pid).len(), 2);
        shut_down(pid).await;
    });
}

/// SUP-7, SUP-31: a child that was asked to end and ends with another reason is reported.
#[test]
fn an_unexpected_end_after_a_shutdown_is_reported() {
    on_a_node(async {
        let spec = |reason: ExitReason| {
            let me = self_pid();
            ChildSpec::new("a", move || {
                let reason = reason.clone();
                async move {
                    spawn_link(async move {
                        send(me, Up(self_pid()));
                        ends_with(reason).await;
                    })
                }
            })
        };
        let late = |shutdown| {
            let me = self_pid();
            ChildSpec::new("a", move || async move {
                spawn_link(async move {
                    trap_exit(true);
                    send(me, Up(self_pid()));
                    std::future::pending::<()>().await;
                })
            })
            .shutdown(shutdown)
        };
        let kills = Shutdown::BrutalKill;
        let late_ms = Shutdown::Timeout(millis(5));
        for (spec, reported) in [
            (spec(ExitReason::Shutdown), None),
            (spec(ExitReason::Normal), Some(ExitReason::Normal)),
            (spec(ExitReason::Normal).restart(Restart::Transient), None),
            (spec(error()).restart(Restart::Transient), Some(error())),
            (spec(error()), Some(error())),
            (late(kills), None),
            (late(late_ms), Some(ExitReason::Killed)),
        ] {
            let shown = format!("{spec:?}");
            let (_, pid) = top(SupFlags::one_for_one(), vec![spec]).await;
            let a = up().await;
            shut_down(pid).await;
            let reports = reports_of(pid);
            match reported {
                None => assert_eq!(reports, [""; 0], "{shown}"),
                Some(reason) => {
                    assert_eq!(reports.len(), 1, "{shown}: {reports:#?}");
                    let start = format!(
                        "name=\"top\" context=\"shutdown_error\" id=\"a\" pid={a} reason={reason} "
                    );
                    assert!(reports[0].starts_with(&start), "{}", reports[0]);
                }
            }
        }
        // This also holds for `terminate_child`, and for siblings of a child that is restarted.
        let flags = SupFlags::new(Strategy::OneForAll);
        let (top, pid) = top(flags, vec![spec(error()), worker("b")]).await;
        let (_, _) = (up().await, up().await);
        let b = top.which_children().await.unwrap()[0].pid().unwrap();
        send(b, Stop(ExitReason::Normal));
        let (_, _) = (up().await, up().await);
        top.terminate_child("a").await.unwrap();
        let contexts: Vec<String> =
            reports_of(pid).iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
        let expected = ["child_terminated", "shutdown_error", "shutdown_error"];
        assert_eq!(contexts, expected.map(|context| format!("context=\"{context}\"")));
        shut_down(pid).await;
    });
}

/// SUP-12, SUP-31: a supervisor that gives up is reported, with the child that ended too often. Its
/// own end is not a crash.
#[test]
fn too_many_restarts_are_reported() {
    on_a_node(async {
        let (_, pid) = top(SupFlags::one_for_one().intensity(1), vec![worker("a")]).await;
        for _ in 0..2 {
            let a = up().await;
            send(a, Stop(error()));
        }
        assert_eq!(exit_from(pid).await, ExitReason::Shutdown);
        let reports = reports_of(pid);
        assert_eq!(reports.len(), 3, "{reports:#?}");
        let expected =
            "name=\"top\" context=\"reached_max_restart_intensity\" id=\"a\" reason=shutdown";
        assert!(reports[2].starts_with(expected), "{}", reports[2]);
        assert!(reports[2].ends_with("restarts=1"), "{}", reports[2]);
        assert_eq!(crashes_of(pid), [""; 0]);
    });
}

/// SUP-31: the children of a simple supervisor have no ids, and the supervisor has no name.
#[test]
fn a_child_without_an_id_is_reported() {
    on_a_node(async {
        let template = Template::new(|()| async { spawn_link(child()) });
        let template = template.restart(Restart::Temporary).shutdown(Shutdown::BrutalKill);
        let flags = SupFlags::one_for_one();
        let top = supervisor::start_link_simple(Start::new(), flags, template).await.unwrap();
        let a = top.start_child(()).await.unwrap().pid().unwrap();
        let watch = monitor(a);
        send(a, Stop(error()));
        down(watch).await;
        assert_eq!(top.count_children().await.unwrap().specs, 0);
        let expected = format!(
            "context=\"child_terminated\" pid={a} reason={} restart=Temporary shutdown=BrutalKill \
             kind=Worker restarts=0",
            error()
        );
        assert_eq!(reports_of(top.whereis().unwrap()), [expected]);
    });
}

/// SUP-31: a storm of ends fills no disk: after a burst of lines, each line counts those left out.
#[test]
fn many_reports_are_limited() {
    on_a_node(async {
        let flags = SupFlags::one_for_one();
        let top = supervisor::start_link_dynamic(Start::new(), flags).await.unwrap();
        let mut pids = Vec::new();
        for _ in 0..500 {
            let spec = ChildSpec::new("", || async { spawn_link(child()) });
            let spec = spec.restart(Restart::Temporary);
            pids.push(top.start_child(spec).await.unwrap().pid().unwrap());
        }
        for pid in pids {
            send(pid, Stop(error()));
        }
        while top.count_children().await.unwrap().specs > 0 {
            yield_now().await;
        }
        let reports = reports_of(top.whereis().unwrap());
        // One more a second, on a machine that may be busy.
        assert!((32..100).contains(&reports.len()), "{}", reports.len());
    });
}

/// SUP-27: a supervisor logs a message that is not a request, and goes on. The lines are limited.
#[test]
fn an_unexpected_message_is_logged() {
    on_a_node(async {
        let (top, pid) = top(SupFlags::one_for_one(), vec![worker("a")]).await;
        up().await;
        send(pid, "text".to_owned());
        assert_eq!(top.count_children().await.unwrap().active, 1);
        let text = "a supervisor dropped a message that is not a request";
        let lines = lines_with(&[text]);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        let fields = format!("{text} supervisor={pid} name=\"top\" message_type=");
        assert!(lines[0].contains("WARN") && lines[0].contains(&fields), "{}", lines[0]);
        assert!(lines[0].contains("String"), "{}", lines[0]);
        for _ in 0..500 {
            send(pid, "text".to_owned());
        }
        assert_eq!(top.count_children().await.unwrap().active, 1);
        let lines = lines_with(&[text]).len();
        assert!((32..100).contains(&lines), "{lines}");
        shut_down(pid).await;
    });
}

/// PL-6, SUP-27, SUP-28: a supervisor whose init fails, or which ends by an error of its parent, is
/// reported as any server.
#[test]
fn the_crash_of_a_supervisor_is_reported() {
    on_a_node(async {
        let crashes =
            || lines_with(&["a process ended by an error", "module=\"fika_otp::supervisor"]);
        let init = || async { panic!("it fails as asked") };
        supervisor::start_link_with(Start::name("top"), init).await.unwrap_err();
        let flags = SupFlags::one_for_one();
        let twice = [worker("a"), worker("a")];
        supervisor::start_link(Start::name("top"), flags, twice).await.unwrap_err();
        let ignored = || async { Err(StartError::Ignored) };
        supervisor::start_link_with(Start::name("top"), ignored).await.unwrap_err();
        let reports = crashes();
        assert_eq!(reports.len(), 2, "{reports:#?}");
        let ancestors = format!("ancestors=[{}]", self_pid());
        for (report, reason) in reports.iter().zip(["it fails as asked", "\"a\""]) {
            for part in ["name=top ", "last=init of supervisor", reason, &ancestors] {
                assert!(report.contains(part), "no `{part}` in {report}");
            }
        }

        // Its parent ends by an error.
        let me = self_pid();
        let parent = spawn(async move {
            let flags = SupFlags::one_for_one();
            let top = supervisor::start_link(Start::name("below"), flags, []).await.unwrap();
            send(me, Up(top.whereis().unwrap()));
            child().await;
        });
        let below = up().await;
        let watch = monitor(below);
        send(parent, Stop(error()));
        assert_eq!(down(watch).await, error());
        let ancestors = format!("ancestors=[{parent}]");
        crash_of(below, &["name=below", "reason=error: as asked", &ancestors]);

        // A supervisor that is stopped or shut down is not.
        let (top, pid) = top(flags, vec![]).await;
        top.stop(ExitReason::Shutdown, LIMIT).await.unwrap();
        assert_eq!(crashes_of(pid), [""; 0]);
        assert_eq!(end_of(async {}).await, ExitReason::Normal);
    });
}
