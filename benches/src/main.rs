//! Benchmarks that compare fika with the BEAM, with other actor systems in Rust, and with what the
//! machine itself can do.
//!
//! ```sh
//! cargo run --release -p fika-bench -- local
//! cargo run --release -p fika-bench -- all --against beam,tokio,ractor,kameo,actix,hydra,floor
//! cargo run --release -p fika-bench -- remote pingpong --runs 9 --against beam,floor
//! cargo run --release -p fika-bench -- scale processes mailbox
//! ```
//!
//! For each run, this program starts an OS process that does one workload on one system and prints
//! its figures (see `fika-bench-kit`). It collects the figures in rounds. For fika, the OS process
//! is this program again. For the BEAM, it runs the Erlang sources in `beam/`. For the others, it
//! is a program in `peers/`, a workspace of their own that is built when it is needed.
//!
//! | module | what |
//! |---|---|
//! | `catalog` | the list of workloads |
//! | `curves` | the workloads that run at several sizes |
//! | `fika/` | fika's side of each workload |
//! | `rounds`, `runner` | how workloads are measured |
//! | `report/` | how figures are shown |

mod beam;
mod catalog;
mod cli;
mod curves;
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

use crate::cli::{Cli, Command, MeasureArgs, OutputArgs, RoundsArgs, ScaleArgs};
use crate::curves::CURVES;
use crate::report::Report;
use crate::rounds::Try;
use crate::system::System;
use crate::workload::{Point, Workload};

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
        Command::Scale(args) => scale(&args),
        Command::List => {
            let curves = CURVES.iter().map(|curve| &curve.workload);
            catalog::WORKLOADS
                .iter()
                .chain(curves)
                .for_each(|workload| println!("{:<28} {}", workload.name, workload.about));
            Ok(())
        }
        Command::Prepare { systems } => prepare(&systems),
        Command::Report { file, output } => show(&report::read(&file)?, &output),
        Command::Run { workload, params, workers } => {
            die_with_parent();
            fika::run(&workload, &Params::parse(params)?, workers);
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
        Command::Warm { bytes } => {
            warm::run(bytes);
            Ok(())
        }
    }
}

fn measure(args: &MeasureArgs, groups: &[&str]) -> Result<(), String> {
    let workloads = chosen(&args.workloads, groups)?;
    let ours = if args.without_fika { None } else { Some(System::Fika) };
    let mut systems: Vec<System> = ours.into_iter().chain(args.against.iter().copied()).collect();
    systems.sort_unstable();
    systems.dedup();
    let of_workload = |workload: &'static Workload| {
        let concerned = systems.iter().filter(|system| workload.concerns(**system));
        concerned.map(move |system| Try {
            workload,
            point: Point::default(),
            system: *system,
            memory_bytes: warm::bytes_for(workload, args.rounds.quick),
        })
    };
    let tries: Vec<Try> = workloads.into_iter().flat_map(of_workload).collect();
    report_on(&tries, &systems, &args.rounds, &args.output)
}

fn scale(args: &ScaleArgs) -> Result<(), String> {
    let tries = curves::tries(&args.curves, args.rounds.quick)?;
    report_on(&tries, &[System::Fika], &args.rounds, &args.output)
}

fn report_on(
    tries: &[Try],
    systems: &[System],
    rounds: &RoundsArgs,
    output: &OutputArgs,
) -> Result<(), String> {
    if cfg!(debug_assertions) {
        return Err("figures of a debug build mean nothing: use `cargo run --release`".into());
    }
    prepare(systems)?;
    let versions = versions(systems);
    let rows = rounds::measure(tries, rounds.number(), rounds.quick);
    let date = humantime::format_rfc3339_seconds(
        std::time::UNIX_EPOCH + std::time::Duration::from_millis(epoch_ms()),
    );
    let report = Report {
        machine: machine::machine(),
        versions,
        date: date.to_string(),
        quick: rounds.quick,
        rows,
    };
    show(&report, output)
}

fn prepare(systems: &[System]) -> Result<(), String> {
    systems.iter().try_for_each(|system| {
        eprintln!("preparing {system}");
        system.prepare().map_err(|error| format!("{system}: {error}"))
    })
}

/// Returns the named workloads of these groups, or all of them if none is named.
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
    // Read first, since the new report may overwrite it. Then the new report is written, before
    // anything else can fail.
    let earlier = output.compare.as_deref().map(report::read).transpose()?;
    if let Some(file) = &output.json {
        report::write(report, file)?;
    }
    println!("{}", report::text(report));
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
