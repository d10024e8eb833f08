//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::system::System;

/// Benchmarks of fika, beside other systems that do the same work.
#[derive(Parser, Debug)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Measure what happens on one node
    Local(MeasureArgs),
    /// Measure what happens between nodes, each an OS process of its own
    Remote(MeasureArgs),
    /// Measure both
    All(MeasureArgs),
    /// Measure how fika's costs grow with the work, and what a second worker brings
    Scale(ScaleArgs),
    /// Say what workloads there are
    List,
    /// Build the programs of these systems, and measure nothing
    Prepare {
        /// The systems
        #[arg(value_delimiter = ',')]
        systems: Vec<System>,
    },
    /// Show a report that was written with --json, in other forms
    Report {
        /// The report
        file: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Do one workload of fika's own once, and print its figures
    #[command(hide = true)]
    Run {
        workload: String,
        params: Vec<String>,
        /// So many workers; as many as there are cores if not given
        #[arg(long)]
        workers: Option<usize>,
    },
    /// Be one of the nodes of a remote workload
    #[command(hide = true)]
    Node { name: String, params: Vec<String> },
    /// Do one workload of the BEAM's once
    #[command(hide = true)]
    Beam { workload: String, params: Vec<String> },
    /// Touch a lot of memory
    #[command(hide = true)]
    Warm { bytes: usize },
    /// Run a program until it or standard input ends, and kill then all that it has started
    #[command(hide = true)]
    Leashed {
        program: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct MeasureArgs {
    /// Only these workloads, as `pingpong`, `bulk` or `bulk.1_mib`
    pub(crate) workloads: Vec<String>,
    /// The systems to compare fika with
    #[arg(long, value_delimiter = ',', value_name = "SYSTEMS")]
    pub(crate) against: Vec<System>,
    /// Leave fika itself out
    #[arg(long)]
    pub(crate) without_fika: bool,
    #[command(flatten)]
    pub(crate) rounds: RoundsArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ScaleArgs {
    /// Only these curves, as `processes`; `workers` are all workloads on one node with one
    /// worker and with two
    pub(crate) curves: Vec<String>,
    #[command(flatten)]
    pub(crate) rounds: RoundsArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct RoundsArgs {
    /// How many rounds, in each of which everything is done once [default: 5, or 1 of a quick
    /// run]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) runs: Option<u64>,
    /// Do little of everything, to see that it works
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
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write it into a Markdown file, between its marks
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Draw charts (SVG) into this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) charts: Option<PathBuf>,
    /// Say what changed since an earlier report (JSON) by more than the noise
    #[arg(long, value_name = "OLD")]
    pub(crate) compare: Option<PathBuf>,
}
