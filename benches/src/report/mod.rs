//! The measured figures, and the forms in which they are shown.

mod canvas;
mod chart;
mod compare;
mod curves;
mod json;
mod lines;
mod markdown;
mod number;
mod table;

pub(crate) use compare::compare;
pub(crate) use json::{read, write};
pub(crate) use markdown::write_markdown;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::stats::Figures;
use crate::system::System;
use crate::workload::{Better, Point};

/// Returns the report as tables for the terminal.
pub(crate) fn text(report: &Report) -> String {
    if report.is_of_scale() { curves::text(report) } else { table::table(report) }
}

/// Draws the charts into a folder.
pub(crate) fn draw(report: &Report, folder: &Path) -> Result<(), String> {
    if report.is_of_scale() { lines::draw(report, folder) } else { chart::draw(report, folder) }
}

/// The results of one call of the program.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The machine.
    pub(crate) machine: BTreeMap<String, String>,
    /// The versions of the systems.
    pub(crate) versions: BTreeMap<String, String>,
    /// The date and time, in UTC.
    pub(crate) date: String,
    /// Whether the run was quick. Quick runs do less work, and can't be compared with full ones.
    pub(crate) quick: bool,
    pub(crate) rows: Vec<Row>,
}

/// One figure of one workload on one system.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) workload: String,
    #[serde(flatten)]
    pub(crate) point: Point,
    pub(crate) metric: String,
    pub(crate) system: System,
    #[serde(flatten)]
    pub(crate) cell: Cell,
    pub(crate) better: Better,
}

/// A figure, or why it is missing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Cell {
    Figures {
        #[serde(flatten)]
        figures: Figures,
        /// How many runs failed, and why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failures: Option<String>,
    },
    Error {
        error: String,
    },
}

impl Cell {
    pub(crate) fn figures(&self) -> Option<&Figures> {
        match self {
            Cell::Figures { figures, .. } => Some(figures),
            Cell::Error { .. } => None,
        }
    }

    /// Returns a note that must be shown with the figure.
    pub(crate) fn note(&self) -> Option<String> {
        match self {
            Cell::Figures { failures, .. } => {
                failures.as_ref().map(|failures| format!("failed in {failures}"))
            }
            Cell::Error { error } => Some(error.clone()),
        }
    }
}

impl Report {
    /// Returns the systems in the report, in their usual order.
    pub(crate) fn systems(&self) -> Vec<System> {
        let has = |system: &System| self.rows.iter().any(|row| row.system == *system);
        System::ALL.into_iter().filter(has).collect()
    }

    /// Returns the workloads, each with its metrics, in the order of their rows.
    pub(crate) fn workloads(&self) -> Vec<(&str, Vec<&str>)> {
        let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
        for row in &self.rows {
            let at = found.iter().position(|(name, _)| *name == row.workload);
            let at = at.unwrap_or_else(|| {
                found.push((&row.workload, Vec::new()));
                found.len() - 1
            });
            let metrics = &mut found[at].1;
            if !metrics.contains(&row.metric.as_str()) {
                metrics.push(&row.metric);
            }
        }
        found
    }

    /// Returns the row of a metric on a system.
    pub(crate) fn row(&self, workload: &str, metric: &str, system: System) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| row.system == system && row.workload == workload && row.metric == metric)
    }

    /// Returns whether the report has curves of scale.
    pub(crate) fn is_of_scale(&self) -> bool {
        self.rows.iter().any(|row| row.point != Point::default())
    }

    /// Returns fika's row at a point.
    pub(crate) fn at(&self, workload: &str, metric: &str, point: Point) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| row.point == point && row.workload == workload && row.metric == metric)
    }

    /// Returns this report's row for the same figure as `other`.
    pub(crate) fn same_figure(&self, other: &Row) -> Option<&Row> {
        self.rows.iter().find(|row| {
            row.system == other.system
                && row.workload == other.workload
                && row.point == other.point
                && row.metric == other.metric
        })
    }

    /// Returns how many times better fika is than `system` by this metric.
    pub(crate) fn ratio(&self, workload: &str, metric: &str, system: System) -> Option<f64> {
        let median = |system| {
            let row = self.row(workload, metric, system)?;
            row.cell.figures().map(|figures| (figures.median, row.better))
        };
        let ((ours, better), (theirs, _)) = (median(System::Fika)?, median(system)?);
        let ratio = match better {
            Better::Lower => theirs / ours,
            Better::Higher => ours / theirs,
        };
        ratio.is_finite().then_some(ratio)
    }
}

#[cfg(test)]
mod testing {
    //! A small report for tests.

    use super::*;
    use crate::curves::WORKERS;

    pub(super) fn row(metric: &str, system: System, runs: &[f64]) -> Row {
        Row {
            workload: "local.pingpong".into(),
            point: Point::default(),
            metric: metric.into(),
            system,
            cell: Cell::Figures { figures: Figures::of(runs).unwrap(), failures: None },
            better: if metric.ends_with("_s") { Better::Higher } else { Better::Lower },
        }
    }

    pub(super) fn without(metric: &str, system: System, why: &str) -> Row {
        Row { cell: Cell::Error { error: why.into() }, ..row(metric, system, &[1.0]) }
    }

    /// Returns the rows of a figure at these sizes, with each number of workers.
    pub(super) fn curve(workload: &str, metric: &str, figures: &[(u64, f64)]) -> Vec<Row> {
        let at = |(size, figure): &(u64, f64)| {
            WORKERS.map(|workers| Row {
                workload: workload.into(),
                point: Point { size: Some(*size), workers: Some(workers) },
                ..row(metric, System::Fika, &[*figure])
            })
        };
        figures.iter().flat_map(at).collect()
    }

    pub(super) fn report(rows: Vec<Row>) -> Report {
        let map = |name: &str, value: &str| BTreeMap::from([(name.into(), value.into())]);
        Report {
            machine: map("cpu", "a small one"),
            versions: map("fika", "0.1.0"),
            date: "2026-01-02T03:04:05Z".into(),
            quick: false,
            rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{report, row, without};
    use super::*;

    #[test]
    fn ratios_say_how_many_times_better_fika_is() {
        let report = report(vec![
            row("ns", System::Fika, &[50.0]),
            row("ns", System::Beam, &[500.0]),
            without("ns", System::Actix, "no"),
            row("per_s", System::Fika, &[3.0]),
            row("per_s", System::Beam, &[6.0]),
        ]);
        let ratio = |metric, system| report.ratio("local.pingpong", metric, system);
        assert_eq!(ratio("ns", System::Beam), Some(10.0));
        assert_eq!(ratio("per_s", System::Beam), Some(0.5));
        assert_eq!(ratio("ns", System::Actix), None);
        assert_eq!(report.workloads(), [("local.pingpong", vec!["ns", "per_s"])]);
        assert_eq!(report.systems(), [System::Fika, System::Beam, System::Actix]);
    }
}
