//! What a simulation says: its log, its failures, and who has kept it waiting.

use std::time::Instant;

use fika::prelude::*;
use fika::sim::{Failure, Sim};

/// Keeps this thread busy, as a call that blocks does.
#[allow(clippy::disallowed_methods, reason = "it is real time that is to pass")]
fn block(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {}
}

#[test]
fn a_call_that_blocks_is_reported() -> Result<(), Failure> {
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
    // On a busy machine others may have been slow, too.
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
fn what_is_real_does_not_change_the_run() {
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

/// A peer that takes nothing: a send with a limit gives up in time, and a process that a plain send
/// has suspended is reported after a second, once, by name.
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

/// Two nodes of which one goes down; the log is what is of interest.
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
fn the_log_is_for_people() {
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
    // The columns stand in line.
    let starts: Vec<_> = log.lines().filter(|line| line.ends_with("> runs")).collect();
    assert!(starts.iter().all(|line| line.len() == starts[0].len()), "{starts:#?}");
}

#[test]
fn a_failure_says_where_all_of_it_is() {
    let sim = crash();
    let failure = sim.failure("it was to be so");
    let file = failure.file.as_ref().expect("the log was kept");
    assert_eq!(std::fs::read_to_string(file).unwrap(), sim.log());
    let text = failure.to_string();
    assert!(text.contains(&file.display().to_string()) && failure.log.len() <= 60, "{text}");
    assert!(text.contains(
        "FIKA_SIM_SEED=5 cargo test -p fika --test sim_reports a_failure_says_where_all_of_it_is"
    ));
    // Where nobody asked for all, there is the end of it.
    let mut sim = Sim::new(5);
    sim.node("a@host1", || async {});
    sim.run_for(secs(1));
    let failure = sim.failure("it was to be so");
    assert!(!failure.log.is_empty() && sim.log().is_empty());
}
