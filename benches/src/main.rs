//! Benchmarks that tell the truth: fika beside the BEAM, other actor systems in Rust, and
//! what the machine itself gives.
//!
//! ```sh
//! cargo run --release -p fika-bench -- local
//! cargo run --release -p fika-bench -- all --against beam,tokio,ractor,kameo,actix,hydra,floor
//! cargo run --release -p fika-bench -- remote pingpong --runs 9 --against beam,floor
//! ```
//!
//! This program drives: it starts, for each run, an OS process that does one workload on one
//! system and prints its figures (`fika-bench-kit` says how), and collects them in rounds. For
//! fika that is this program again, for the BEAM the Erlang sources in `beam/`, for the others
//! the programs in `peers/`, a workspace of their own that is built when it is asked for.
//!
//! Where to read on: `catalog` is the list of workloads, `fika/` what fika does for each,
//! `rounds` and `runner` how it is measured, `report/` how it is shown.

mod beam;
mod catalog;
mod cli;
mod fika;
mod leash;
mod line;
mod machine;
mod report;
mod rounds;
mod runner;
mod stats;
mod system;
mod usage;
mod warm;
mod workload;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Parser as _;
use fika_bench_kit::{Params, die_with_parent, epoch_ms};

use crate::cli::{Cli, Command, MeasureArgs, OutputArgs};
use crate::report::Report;
use crate::rounds::Plan;
use crate::system::System;
use crate::workload::Workload;

fn main() -> ExitCode {
    match perform(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn perform(command: Command) -> Result<(), String> {
    match command {
        Command::Local(args) => measure(&args, &["local", "floor"]),
        Command::Remote(args) => measure(&args, &["remote"]),
        Command::All(args) => measure(&args, &["local", "remote", "floor"]),
        Command::List => {
            catalog::WORKLOADS.iter().for_each(|w| println!("{:<28} {}", w.name, w.about));
            Ok(())
        }
        Command::Prepare { systems } => prepare(&systems),
        Command::Report { file, output } => show(&report::read(&file)?, &output),
        Command::Run { workload, params } => {
            die_with_parent();
            fika::run(&workload, &Params::parse(params)?);
            Ok(())
        }
        Command::Node { name, params } => {
            die_with_parent();
            fika::run_node(&name, &Params::parse(params)?).map_err(|error| error.to_string())
        }
        Command::Beam { workload, params } => {
            beam::run(&workload, &Params::parse(params)?);
            Ok(())
        }
        Command::Leashed { program, args } => leash::run(&program, &args),
        Command::Warm => {
            warm::run();
            Ok(())
        }
    }
}

fn measure(args: &MeasureArgs, groups: &[&str]) -> Result<(), String> {
    if cfg!(debug_assertions) {
        return Err("figures of a debug build say nothing: use cargo run --release".into());
    }
    let workloads = chosen(&args.workloads, groups)?;
    let ours = if args.without_fika { None } else { Some(System::Fika) };
    let mut systems: Vec<System> = ours.into_iter().chain(args.against.iter().copied()).collect();
    systems.sort_unstable();
    systems.dedup();
    prepare(&systems)?;
    let rounds = args.runs.unwrap_or(if args.quick { 1 } else { 5 });
    let versions = versions(&systems);
    let rows = rounds::measure(&Plan { workloads, systems, rounds, quick: args.quick });
    let date = humantime::format_rfc3339_seconds(
        std::time::UNIX_EPOCH + std::time::Duration::from_millis(epoch_ms()),
    );
    let report = Report {
        machine: machine::machine(),
        versions,
        date: date.to_string(),
        quick: args.quick,
        rows,
    };
    show(&report, &args.output)
}

fn prepare(systems: &[System]) -> Result<(), String> {
    systems.iter().try_for_each(|system| {
        eprintln!("preparing {system}");
        system.prepare().map_err(|error| format!("{system}: {error}"))
    })
}

/// The workloads of these groups that are named; all of them where none is.
fn chosen(names: &[String], groups: &[&str]) -> Result<Vec<&'static Workload>, String> {
    let in_groups = || {
        let all = catalog::WORKLOADS.iter();
        all.filter(|workload| groups.iter().any(|group| workload.is_named(group)))
    };
    if let Some(unknown) = names.iter().find(|name| !in_groups().any(|w| w.is_named(name))) {
        return Err(format!("there is no workload `{unknown}` here; see `fika-bench list`"));
    }
    let is_chosen =
        |workload: &&Workload| names.is_empty() || names.iter().any(|name| workload.is_named(name));
    Ok(in_groups().filter(is_chosen).collect())
}

fn versions(systems: &[System]) -> BTreeMap<String, String> {
    let of_systems = systems.iter().map(|system| (system.name().to_owned(), system.version()));
    of_systems.chain([("rustc".to_owned(), machine::rustc())]).collect()
}

fn show(report: &Report, output: &OutputArgs) -> Result<(), String> {
    // First, so that it is kept if something goes wrong with the rest. An earlier report may
    // be overwritten by it.
    let earlier = output.compare.as_deref().map(report::read).transpose()?;
    if let Some(file) = &output.json {
        report::write(report, file)?;
    }
    println!("{}", report::table(report));
    if let Some(folder) = &output.charts {
        report::draw(report, folder)?;
    }
    if let Some(file) = &output.markdown {
        report::write_markdown(report, file, output.charts.as_deref())?;
    }
    if let Some(earlier) = earlier {
        print!("{}", report::compare(report, &earlier));
    }
    Ok(())
}
