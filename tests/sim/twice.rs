//! Runs each scenario in two programs, which differ in their addresses and in the hash keys of
//! their tables.

use std::process::Command;

/// The number of seeds for each scenario.
const SEEDS: &str = if cfg!(debug_assertions) { "2" } else { "20" };

/// Returns the hash of each simulation, with the simulation's name.
fn traces(threads: &str) -> Vec<String> {
    let program = std::env::current_exe().expect("it runs");
    let output = Command::new(program)
        .args(["--nocapture", "--skip", "twice::", "--test-threads", threads])
        .env("FIKA_SIM_SEEDS", SEEDS)
        .env("FIKA_SIM_TRACE", "1")
        .output()
        .expect("it can run again");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let lines = text.lines().filter_map(|line| Some(line[line.find("trace ")?..].to_owned()));
    let mut all: Vec<String> = lines.collect();
    all.sort_unstable();
    all
}

#[test]
fn every_scenario_runs_the_same_way_in_another_program() {
    let (first, second) = (traces("2"), traces("1"));
    assert!(first.len() > 20, "{first:#?}");
    for (first, second) in first.iter().zip(&second) {
        assert_eq!(first, second);
    }
    assert_eq!(first.len(), second.len());
}
