//! The reports of a simulation: its log, its failures, and the processes that kept it waiting.

use std::time::Instant;

use fika::gen_server::{self, Call, Caller, GenServer, HandleCall, Init, Reply};
use fika::message::{MailboxLimit, SendOpts, alias, send_timeout, send_wait, send_with, try_send};
use fika::net::monitor_nodes;
use fika::prelude::*;
use fika::process::{SpawnOpts, spawn_blocking, spawn_opt, yield_now};
use fika::sim::{Failure, Sim};

/// Keeps this thread busy, like a blocking call.
#[allow(clippy::disallowed_methods, reason = "it is real time that is to pass")]
fn block(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {}
}

#[test]
fn a_blocking_call_is_reported() -> Result<(), Failure> {
    let mut sim = Sim::new(1);
    sim.set_blocking_limit(millis(40));
    let a = sim.node("a@host1", || async {
        register("sleeper", self_pid()).unwrap();
        sleep(secs(1)).await;
        block(millis(50));
        sleep(secs(1)).await;
        spawn_blocking(|| block(millis(50))).await;
    });
    sim.run_until(|sim| sim.main_end(a).is_some(), secs(10))?;
    // On a busy machine, other processes may have been slow too.
    let slow = sim.blocked().iter().filter(|blocked| blocked.took >= millis(50));
    let (turns, calls): (Vec<_>, Vec<_>) = slow.partition(|blocked| blocked.process.is_some());
    let is_sleeper = |process: &String| process.starts_with("sleeper <");
    assert!(turns.iter().any(|turn| turn.process.as_ref().is_some_and(is_sleeper)), "{turns:?}");
    assert!(turns.iter().chain(&calls).all(|of| of.name == "a@host1" && of.node == a));
    assert!(!calls.is_empty());
    let failure = sim.failure("it was slow").to_string();
    assert!(failure.contains("of a@host1 has kept the simulation waiting for "), "{failure}");
    Ok(())
}

#[test]
fn real_time_does_not_change_the_run() {
    let run = |time| {
        let mut sim = Sim::new(1);
        sim.set_blocking_limit(millis(5));
        sim.node("a@host1", move || async move { block(time) });
        sim.run_for(secs(1));
        (sim.trace_hash(), sim.blocked().len())
    };
    let ((quick, _), (slow, reports)) = (run(Duration::ZERO), run(millis(20)));
    assert!(quick == slow && reports > 0);
}

/// A send with a time limit to a peer that accepts nothing gives up in time. A process that a plain
/// send has suspended is reported after a second, once, by name.
#[test]
fn a_suspended_process_is_reported() {
    let mut sim = Sim::new(3);
    sim.keep_log();
    let b = sim.node("b@host2", || async {
        register("sink", self_pid()).unwrap();
        loop {
            receive! { _: Vec<u8> => {} }
        }
    });
    sim.node("a@host1", || async {
        let (now, to) = (|| self_node().env().now(), ("sink", "b@host2"));
        connect_node("b@host2").await;
        sleep(secs(1)).await;
        let mut last = now();
        let refused = loop {
            match send_timeout(to, vec![0_u8; 8 << 10], millis(300)).await {
                Ok(()) => last = now(),
                Err(refused) => break refused,
            }
        };
        let waited = now().since(last);
        assert!(refused.is_busy() && waited >= millis(300) && waited < millis(400), "{waited:?}");
        assert_eq!(refused.into_message().map(|bytes| bytes.len()), Some(8 << 10));
        spawn(async move {
            register("sender", self_pid()).unwrap();
            loop {
                send(to, vec![0_u8; 8 << 10]);
                yield_now().await;
            }
        });
        tracing::warn!("it is about to be suspended");
        std::future::pending::<()>().await;
    });
    sim.run_for(millis(500));
    sim.pause(b);
    sim.run_for(millis(1500));
    let log = sim.log();
    assert!(log.contains("about to be suspended") && !log.contains("is suspended"), "{log}");
    sim.run_for(secs(5));
    let log = sim.log();
    let reports: Vec<_> = log.lines().filter(|line| line.contains("is suspended")).collect();
    let [report] = &reports[..] else { panic!("{reports:?}") };
    // The line is cut off before its fields.
    assert!(report.contains("sender"), "{report}");
}

/// However a message is sent, the log has it when its process gets it.
#[test]
fn the_log_has_messages_of_all_ways() {
    #[message]
    struct Plain;
    #[message]
    struct Tried;
    #[message]
    struct Waited;
    #[message]
    struct BeyondLimit;
    #[message]
    struct ToAlias;
    #[message]
    struct Asked;

    struct Server;
    impl GenServer for Server {
        type Args = ();
        type Receives = Call<Asked>;

        async fn init(_: ()) -> Init<Self> {
            Init::ok(Server)
        }
    }
    impl HandleCall<Asked> for Server {
        type Reply = ();

        async fn handle_call(&mut self, _: Asked, _: &mut Caller<'_, ()>) -> Reply<()> {
            ().into()
        }
    }

    let mut sim = Sim::new(7);
    sim.keep_log();
    sim.node("a@host1", || async {
        let (me, limit) = (self_pid(), MailboxLimit::messages(1));
        let to_alias = alias();
        let bounded = async move {
            sleep(millis(10)).await;
            receive! { Plain => {} }
            receive! { Waited => {} }
        };
        let bounded = spawn_opt(SpawnOpts::new().mailbox_limit(limit), bounded).pid;
        send(me, Plain);
        try_send(me, Tried).unwrap();
        send_wait(bounded, Plain).await.unwrap();
        send_wait(bounded, Waited).await.unwrap();
        send_with(me, BeyondLimit, SendOpts::new().beyond_limit()).unwrap();
        send(to_alias, ToAlias);
        let server = gen_server::start::<Server>(Start::new(), ()).await.unwrap();
        server.call(Asked).await.unwrap();
    });
    sim.run_for(secs(5));
    let log = sim.log();
    for way in ["Plain", "Tried", "Waited", "BeyondLimit", "ToAlias", "Asked"] {
        assert!(log.lines().any(|line| line.contains("<- ") && line.contains(way)), "{way}: {log}");
    }
}

/// Makes two nodes, one of which crashes. The tests look at the log.
fn crash() -> Sim {
    let mut sim = Sim::new(5);
    sim.keep_log();
    let app = || async {
        register("keeper", self_pid()).unwrap();
        monitor_nodes(true);
        connect_node("a@host1").await;
        receive! { NodeDown { node, .. } => tracing::warn!(%node, "one is gone") }
        receive! { (): () => {} }
    };
    let a = sim.node("a@host1", app);
    let b = sim.node("b@another-host", app);
    sim.run_for(secs(5));
    assert_eq!(sim.nodes_of(a), [b]);
    sim.crash(b);
    sim.run_for(secs(1));
    sim
}

#[test]
fn the_log_is_readable() {
    let sim = crash();
    let log = sim.log();
    let wanted = [
        "== a@host1 starts",
        "has a name now",
        "net_kernel <",
        "is connected to host1:",
        "== b@another-host crashes",
        "gets no more from another-host:",
        "-- nodeup node=b@another-host",
        "-- nodedown node=b@another-host reason=connection_closed",
        "-- WARN: one is gone node=b@another-host",
    ];
    for text in wanted {
        assert!(log.contains(text), "no `{text}` in\n{log}");
    }
    // The columns are aligned.
    let starts: Vec<_> = log.lines().filter(|line| line.ends_with("> runs")).collect();
    assert!(starts.iter().all(|line| line.len() == starts[0].len()), "{starts:#?}");
}

#[test]
fn a_failure_names_the_file_of_the_whole_log() {
    let sim = crash();
    let failure = sim.failure("it was to be so");
    let file = failure.file.as_ref().expect("the log was kept");
    assert_eq!(std::fs::read_to_string(file).unwrap(), sim.log());
    let text = failure.to_string();
    assert!(text.contains(&file.display().to_string()) && failure.log.len() <= 60, "{text}");
    assert!(text.contains(
        "FIKA_SIM_SEED=5 cargo test -p fika --test simulator reports::a_failure_names_the_file_of_the_whole_log"
    ));
    // If the whole log is not requested, its end is printed.
    let mut sim = Sim::new(5);
    sim.node("a@host1", || async {});
    sim.run_for(secs(1));
    let failure = sim.failure("it was to be so");
    assert!(!failure.log.is_empty() && sim.log().is_empty());
}

#[remote]
async fn from_afar() {
    register("visitor", self_pid()).unwrap();
    receive! { (): () => {} }
}

/// Makes a program that does something besides everything that fika does by itself.
fn busy() -> Sim {
    let mut sim = Sim::new(5);
    let app = || async {
        register("keeper", self_pid()).unwrap();
        for _ in 0..100 {
            connect_node("b@host2").await;
        }
        let pid = spawn_on("b@host2", from_afar()).await;
        spawn(async {
            receive! { n: u8 => assert_eq!(n, 0) }
        });
        send(pid, 7_u64);
    };
    sim.node("b@host2", || async {
        receive! { (): () => {} }
    });
    sim.node("a@host1", app);
    sim.run_for(secs(5));
    sim
}

#[test]
fn a_failure_leaves_out_lines_of_the_runtime() {
    let failure = busy().failure("it was to be so");
    let text = failure.to_string();
    for wanted in ["== a@host1 starts", "-- nodeup node=b@host2", "visitor <", "<- u64"] {
        assert!(failure.log.iter().any(|line| line.contains(wanted)), "no `{wanted}` in {text}");
    }
    // These reports come from the runtime.
    let of_runtime = ["net_kernel <", "net_sup <", "network :", "Answer<bool>"];
    for line in &failure.log {
        let is_of_runtime = of_runtime.iter().any(|of| line.contains(of));
        assert!(!is_of_runtime || line.contains(" -- "), "{line}");
    }
    assert!(text.contains("FIKA_SIM_RUNTIME=1"), "{text}");
}

/// Set in the environment of tests that must fail.
const FAIL: &str = "FIKA_SIM_REPORTS_FAIL";

fn must_fail() -> bool {
    std::env::var_os(FAIL).is_some()
}

/// Lets a test of this file fail, in a separate program with this variable. Returns its output.
fn failing_output(test: &str, variable: &str) -> String {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(FAIL, "1").env(variable, "1");
    let output = command.env_remove("RUST_BACKTRACE").output().unwrap();
    assert!(!output.status.success(), "{test} is to fail");
    [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat()
}

#[test]
fn fails_busily() {
    if must_fail() {
        panic!("{}", busy().failure("it was to be so"));
    }
}

#[test]
fn lines_of_the_runtime_are_shown_on_request() {
    let text = failing_output("reports::fails_busily", "FIKA_SIM_RUNTIME");
    assert!(text.contains("net_kernel <") && text.contains("<- Local<Command>"), "{text}");
    assert!(!text.contains("FIKA_SIM_RUNTIME"), "{text}");
}

/// Returns `file:line` of the line that is this many lines above.
macro_rules! line_above {
    ($lines:expr) => {
        format!("{}:{}:", file!(), line!() - $lines)
    };
}

#[test]
fn a_failure_names_the_line_of_the_scenario() {
    let mut sim = Sim::new(1);
    let a = sim.node("a@host1", std::future::pending::<()>);
    let mut found = Vec::new();
    let mut add = |failure: Failure, line: String| {
        assert!(failure.location.starts_with(&line), "{} is not {line}", failure.location);
        assert!(failure.to_string().contains(&format!("  at {line}")), "{failure}");
        found.push(failure.why);
    };
    add(sim.failure("a"), line_above!(0));
    add(sim.check(false, "b").unwrap_err(), line_above!(0));
    add(sim.run_until(|_| false, secs(1)).unwrap_err(), line_above!(0));
    add(sim.run_on(a, secs(1), std::future::pending::<()>()).unwrap_err(), line_above!(0));
    add(sim.run_main("b@host", secs(1), std::future::pending::<()>).unwrap_err(), line_above!(0));
    let census = sim.census().unwrap();
    sim.crash(a);
    add(sim.settle(&census, secs(1)).unwrap_err(), line_above!(0));
    let mut panics = Sim::new(1);
    let failure = panics.run_main("c@host", secs(1), || async { panic!("by the program") });
    add(failure.unwrap_err(), line_above!(1));
    sim.checks().violated("c");
    add(sim.verdict().unwrap_err(), line_above!(0));
    add(sim.finish().unwrap_err(), line_above!(0));
    assert_eq!(found.len(), 9);
}

#[test]
fn fails_with_a_seed() {
    fika::sim::seeds(3..4, |seed| Sim::new(seed).check(!must_fail(), "for nothing"));
}
const SEEDS: u32 = line!() - 2;

#[fika::test(sim)]
async fn fails_in_a_process() {
    assert!(!must_fail());
}
const FUNCTION: u32 = line!() - 3;

#[test]
fn a_panic_is_reported_at_a_line_of_the_test() {
    let at = |line| format!("panicked at {}:{line}:", file!());
    let seeds = failing_output("reports::fails_with_a_seed", "FIKA_SIM_REPORTS");
    assert!(seeds.contains(&at(SEEDS)), "{seeds}");
    let test = failing_output("reports::fails_in_a_process", "FIKA_SIM_REPORTS");
    assert!(test.contains(&at(FUNCTION)), "{test}");
    assert!(test.contains(&format!("  at {}:{}:", file!(), FUNCTION + 1)), "{test}");
}
