//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::system::System;

/// Benchmarks of fika and of other systems that do the same work
#[derive(Parser, Debug)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Measure workloads on one node
    Local(MeasureArgs),
    /// Measure workloads between nodes, each of which is an OS process
    Remote(MeasureArgs),
    /// Measure both
    All(MeasureArgs),
    /// Measure how fika's costs grow with the work, and the gain of a second worker
    Scale(ScaleArgs),
    /// List the workloads
    List,
    /// Build the programs of these systems without measuring
    Prepare {
        /// The systems
        #[arg(value_delimiter = ',')]
        systems: Vec<System>,
    },
    /// Show a report that was written with --json in other forms
    Report {
        /// The report
        file: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Run one workload of fika once, and print its figures
    #[command(hide = true)]
    Run {
        workload: String,
        params: Vec<String>,
        /// The number of workers; by default, the number of cores
        #[arg(long)]
        workers: Option<usize>,
    },
    /// Run one of the nodes of a remote workload
    #[command(hide = true)]
    Node { name: String, params: Vec<String> },
    /// Run one workload of the BEAM once
    #[command(hide = true)]
    Beam { workload: String, params: Vec<String> },
    /// Touch this much memory
    #[command(hide = true)]
    Warm { bytes: usize },
    /// Run a program until it ends or standard input is closed, and then kill all that it has
    /// started
    #[command(hide = true)]
    Leashed {
        program: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct MeasureArgs {
    /// Only these workloads, such as `pingpong`, `bulk` or `bulk.1_mib`
    pub(crate) workloads: Vec<String>,
    /// The systems to compare fika with
    #[arg(long, value_delimiter = ',', value_name = "SYSTEMS")]
    pub(crate) against: Vec<System>,
    /// Do not run fika itself
    #[arg(long)]
    pub(crate) without_fika: bool,
    #[command(flatten)]
    pub(crate) rounds: RoundsArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ScaleArgs {
    /// Only these curves, such as `processes`; `workers` stands for all workloads on one node, with
    /// one worker and with two
    pub(crate) curves: Vec<String>,
    #[command(flatten)]
    pub(crate) rounds: RoundsArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct RoundsArgs {
    /// The number of rounds, each of which runs everything once [default: 5, or 1 in a quick run]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) runs: Option<u64>,
    /// Do little of everything, to see whether it works
    #[arg(long)]
    pub(crate) quick: bool,
}

impl RoundsArgs {
    pub(crate) fn number(&self) -> u64 {
        self.runs.unwrap_or(if self.quick { 1 } else { 5 })
    }
}

#[derive(Args, Debug)]
pub(crate) struct OutputArgs {
    /// Write the report as JSON to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report into a Markdown file, between its marks
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Draw charts (SVG) into this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) charts: Option<PathBuf>,
    /// Show what has changed since an earlier report (JSON) by more than the noise
    #[arg(long, value_name = "OLD")]
    pub(crate) compare: Option<PathBuf>,
}
