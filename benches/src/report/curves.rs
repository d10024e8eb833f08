//! Tables that show how costs grow with the work, and the gain of a second worker.
//!
//! A curve's table has a column for each size, and a row for each figure and number of workers. So
//! a row shows a curve.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell as TableCell, CellAlignment, Table};

use super::chart::is_charted;
use super::number::{number, ratio, with_range, words};
use super::table::{Notes, head_lines};
use super::{Report, Row};
use crate::curves::{Curve, WORKERS};
use crate::workload::{Better, Point};

/// A table with the texts above and below it.
pub(super) struct Grid {
    pub(super) title: String,
    pub(super) about: String,
    pub(super) has_chart: bool,
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    pub(super) notes: Notes,
}

/// Returns a table for each curve, and one for the workloads at their usual size.
pub(super) fn grids(report: &Report) -> Vec<Grid> {
    let mut grids: Vec<Grid> = curves(report)
        .into_iter()
        .map(|(name, metrics)| of_curve(report, name, &metrics))
        .collect();
    grids.extend(of_workers(report));
    grids
}

/// Returns the tables for the terminal.
pub(super) fn text(report: &Report) -> String {
    let grids = grids(report);
    let tables = grids.iter().map(|grid| {
        let mut table = Table::new();
        table.load_preset(NOTHING).set_header(&grid.head);
        for row in &grid.rows {
            let cells = row.iter().enumerate().map(|(column, cell)| match column {
                0 => TableCell::new(cell),
                _ => TableCell::new(cell).set_alignment(CellAlignment::Right),
            });
            table.add_row(cells);
        }
        format!("\n{}\n{table}\n{}", grid.title, grid.notes.lines())
    });
    format!("{}{}", head_lines(report), tables.collect::<String>())
}

/// Returns the curves that were measured, with the names of their figures.
pub(super) fn curves(report: &Report) -> Vec<(&str, Vec<&str>)> {
    let is_curve = |(name, _): &(&str, Vec<&str>)| {
        report.rows.iter().any(|row| row.workload == *name && row.point.size.is_some())
    };
    charted(report).into_iter().filter(is_curve).collect()
}

fn charted(report: &Report) -> Vec<(&str, Vec<&str>)> {
    let mut all = report.workloads();
    all.iter_mut().for_each(|(_, metrics)| metrics.retain(|metric| is_charted(metric)));
    all
}

/// Returns the sizes of a curve.
pub(super) fn sizes(report: &Report, curve: &str) -> Vec<u64> {
    let rows = report.rows.iter().filter(|row| row.workload == curve);
    let mut sizes: Vec<u64> = rows.filter_map(|row| row.point.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// Returns the things that a curve counts.
pub(super) fn many(curve: &str) -> &'static str {
    Curve::of_workload(curve).map_or("size", |curve| curve.of)
}

pub(super) fn of_workers_named(workers: u64) -> String {
    format!("{workers} worker{}", if workers == 1 { "" } else { "s" })
}

fn of_curve(report: &Report, name: &str, metrics: &[&str]) -> Grid {
    let sizes = sizes(report, name);
    let mut notes = Notes::default();
    let mut rows = Vec::new();
    for metric in metrics {
        for workers in WORKERS {
            let label = format!("{}, {}", words(metric), of_workers_named(workers));
            let cells = sizes.iter().map(|size| {
                let point = Point { size: Some(*size), workers: Some(workers) };
                cell(report.at(name, metric, point), &mut notes)
            });
            rows.push([label].into_iter().chain(cells).collect());
        }
    }
    let columns = sizes.iter().map(|size| number(*size as f64));
    Grid {
        title: name.to_owned(),
        about: Curve::of_workload(name).map_or("", |curve| curve.workload.about).to_owned(),
        has_chart: true,
        head: [many(name).to_owned()].into_iter().chain(columns).collect(),
        rows,
        notes,
    }
}

fn of_workers(report: &Report) -> Option<Grid> {
    let mut notes = Notes::default();
    let mut rows = Vec::new();
    for (workload, metrics) in charted(report) {
        for metric in metrics {
            let found = WORKERS.map(|workers| {
                report.at(workload, metric, Point { size: None, workers: Some(workers) })
            });
            if found.iter().any(|row| row.is_some_and(|row| row.cell.figures().is_some())) {
                let cells = found.map(|row| cell(row, &mut notes));
                let brings = better_by(found[0], found[1]).map_or(String::new(), ratio);
                rows.push(
                    [workload.to_owned(), words(metric)]
                        .into_iter()
                        .chain(cells)
                        .chain([brings])
                        .collect(),
                );
            }
        }
    }
    let head = ["workload".to_owned(), "figure".to_owned()]
        .into_iter()
        .chain(WORKERS.map(of_workers_named))
        .chain(["better by".to_owned()]);
    (!rows.is_empty()).then(|| Grid {
        title: "Gain of a second worker".to_owned(),
        about: "All workloads on one node, at their usual size. Less than 1 is worse".to_owned(),
        has_chart: false,
        head: head.collect(),
        rows,
        notes,
    })
}

fn cell(row: Option<&Row>, notes: &mut Notes) -> String {
    let Some(row) = row else { return String::new() };
    let mark = row.cell.note().map(|note| notes.mark(note)).unwrap_or_default();
    let figures = row.cell.figures().map(with_range).unwrap_or_default();
    format!("{figures} {mark}").trim().to_owned()
}

/// Returns how many times better the second figure is than the first.
fn better_by(first: Option<&Row>, second: Option<&Row>) -> Option<f64> {
    let (first, second) = (first?, second?);
    let (a, b) = (first.cell.figures()?.median, second.cell.figures()?.median);
    let times = match first.better {
        Better::Lower => a / b,
        Better::Higher => b / a,
    };
    times.is_finite().then_some(times)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{curve, report, row, without};
    use super::*;
    use crate::system::System;

    fn with_workers(workers: u64, row: Row) -> Row {
        Row { point: Point { size: None, workers: Some(workers) }, ..row }
    }

    #[test]
    fn a_curve_is_a_row_with_a_column_a_size() {
        let report = report(curve("scale.timers", "ns_per_start", &[(1000, 5.0), (10_000, 7.0)]));
        let [grid] = &grids(&report)[..] else { panic!() };
        assert_eq!(grid.head, ["timers", "1,000", "10,000"]);
        assert_eq!(grid.rows[0], ["ns per start, 1 worker", "5", "7"]);
        assert_eq!(grid.rows[1], ["ns per start, 2 workers", "5", "7"]);
        assert!(text(&report).contains("ns per start, 2 workers"));
    }

    #[test]
    fn workers_are_beside_each_other_with_how_many_times_better() {
        let report = report(vec![
            with_workers(1, row("ns", System::Fika, &[30.0])),
            with_workers(1, row("per_s", System::Fika, &[30.0])),
            with_workers(2, row("ns", System::Fika, &[20.0])),
            with_workers(2, row("per_s", System::Fika, &[20.0])),
            with_workers(1, without("other", System::Fika, "not there")),
        ]);
        let [grid] = &grids(&report)[..] else { panic!() };
        assert_eq!(grid.head, ["workload", "figure", "1 worker", "2 workers", "better by"]);
        assert_eq!(grid.rows[0], ["local.pingpong", "ns", "30", "20", "1.5 ×"]);
        assert_eq!(grid.rows[1], ["local.pingpong", "per s", "30", "20", "0.7 ×"]);
        assert_eq!(grid.rows.len(), 2);
    }
}
