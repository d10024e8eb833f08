//! The rounds. Each round runs everything once. Systems that are compared run directly after each
//! other, so that a change of the machine's speed affects all of them.

use std::collections::BTreeMap;
use std::fmt;
use std::process::Command;
use std::time::Duration;

use fika_bench_kit::Clock;
use indicatif::{ProgressBar, ProgressStyle};

use crate::report::{Cell, Row};
use crate::runner::{self, Run};
use crate::stats::Figures;
use crate::system::System;
use crate::warm;
use crate::workload::{Metric, Point, Workload};

/// A run that takes longer hangs.
const RUN_LIMIT: Duration = Duration::from_secs(40);
const QUICK_RUN_LIMIT: Duration = Duration::from_secs(12);

/// A run that each round does once: a workload at a point on a system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Try {
    pub(crate) workload: &'static Workload,
    pub(crate) point: Point,
    pub(crate) system: System,
    /// The memory that is made ready before the run.
    pub(crate) memory_bytes: u64,
}

/// Does all runs, in this many rounds.
pub(crate) fn measure(tries: &[Try], rounds: u64, quick: bool) -> Vec<Row> {
    let limit = if quick { QUICK_RUN_LIMIT } else { RUN_LIMIT };
    let mut tallies: Vec<Tally> = tries.iter().map(|_| Tally::default()).collect();
    let bar = progress(rounds * tries.len() as u64);
    for round in 1..=rounds {
        for (this, tally) in tries.iter().zip(&mut tallies) {
            bar.set_message(format!("round {round}: {this}"));
            if tally.goes_on() {
                warm::memory(this.memory_bytes);
                let clock = Clock::start();
                let run = runner::run(&this.command(quick), limit);
                if bar.is_hidden() {
                    let seconds = clock.elapsed().as_secs_f64();
                    eprintln!("round {round}: {this}: {seconds:.1} s{}", run.sign());
                }
                tally.add(run);
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    tries.iter().zip(tallies).flat_map(|(this, tally)| tally.rows(this)).collect()
}

impl Try {
    fn command(&self, quick: bool) -> Command {
        let params = self.workload.params(self.system, self.point, quick);
        let mut command = self.system.command(self.workload.name, &params);
        if let Some(workers) = self.point.workers {
            command.arg(format!("--workers={workers}"));
        }
        command
    }
}

impl fmt::Display for Try {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} on {}", self.workload.name, self.point, self.system)
    }
}

fn progress(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed}/{duration} {msg}");
    let bar = ProgressBar::new(length).with_style(style.expect("the template is valid"));
    bar.set_message("starting");
    bar
}

/// The results of one [`Try`].
#[derive(Default, Debug)]
struct Tally {
    figures: BTreeMap<String, Vec<f64>>,
    /// Why a figure can't be provided.
    without: BTreeMap<String, String>,
    runs: usize,
    failures: Vec<String>,
    /// Why it is not run again.
    ended: Option<String>,
}

impl Tally {
    fn goes_on(&self) -> bool {
        self.ended.is_none()
    }

    fn add(&mut self, run: Run) {
        self.runs += 1;
        match run {
            Run::Done(figures) => {
                for (name, figure) in figures {
                    match figure {
                        Ok(value) => self.figures.entry(name).or_default().push(value),
                        Err(why) => drop(self.without.insert(name, why)),
                    }
                }
            }
            Run::Failed(why) => self.failures.push(why),
            Run::Cannot(why) => self.ended = Some(why),
            Run::Hung(why) => {
                self.failures.push(why.clone());
                self.ended = Some(why);
            }
        }
    }

    fn rows(&self, this: &Try) -> Vec<Row> {
        let row = |metric: Metric| Row {
            workload: this.workload.name.to_owned(),
            point: this.point,
            cell: self.cell(&metric.name),
            metric: metric.name,
            system: this.system,
            better: metric.better,
        };
        this.workload.metrics().into_iter().map(row).collect()
    }

    fn cell(&self, metric: &str) -> Cell {
        let figures = self.figures.get(metric).and_then(|runs| Figures::of(runs));
        let failed = self.failures.last();
        match figures {
            Some(figures) => Cell::Figures {
                figures,
                failures: failed
                    .map(|why| format!("{} of {} runs: {why}", self.failures.len(), self.runs)),
            },
            None => {
                let why = self.ended.as_ref().or(failed).or_else(|| self.without.get(metric));
                let why = why.map_or("it did not print this figure", String::as_str);
                Cell::Error { error: why.to_owned() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(value: f64) -> Run {
        Run::Done(vec![("a".into(), Ok(value)), ("b".into(), Err("no b".into()))])
    }

    fn error(why: &str) -> Cell {
        Cell::Error { error: why.into() }
    }

    #[test]
    fn figures_errors_and_gaps() {
        let mut tally = Tally::default();
        assert_eq!(tally.cell("a"), error("it did not print this figure"));
        tally.add(done(1.0));
        tally.add(done(3.0));
        let figures = Figures::of(&[1.0, 3.0]).unwrap();
        assert_eq!(tally.cell("a"), Cell::Figures { figures: figures.clone(), failures: None });
        assert_eq!(tally.cell("b"), error("no b"));
        tally.add(Run::Failed("lost 3".into()));
        let failures = Some("1 of 3 runs: lost 3".into());
        assert_eq!(tally.cell("a"), Cell::Figures { figures, failures });
        assert!(tally.goes_on());
    }

    #[test]
    fn a_failed_workload_gives_its_reason() {
        for (run, goes_on) in [
            (Run::Failed("why".into()), true),
            (Run::Cannot("why".into()), false),
            (Run::Hung("why".into()), false),
        ] {
            let mut tally = Tally::default();
            tally.add(run);
            assert_eq!((tally.cell("a"), tally.goes_on()), (error("why"), goes_on));
        }
    }
}
