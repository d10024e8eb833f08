//! The report as bar charts: one SVG per workload, with a panel per figure and a bar per system.
//!
//! A bar starts at zero, unless the figures of a panel differ by more than a factor of ten. Then
//! the scale is logarithmic, is labelled so, and starts at a power of ten. The thin line on a bar
//! shows the range of the runs.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos::Left;

use super::canvas::{self, Area, Drawn, FAINT, GRID, INK, MARGIN, PANELS_TOP, Scale, text, told};
use super::number::{number, words};
use super::{Cell, Report, Row};
use crate::system::System;
use crate::workload::{Better, CPU, PEAK};

const BAR_LEFT: i32 = 80;
const BAR_RIGHT: i32 = 620;
const BAR_HEIGHT: i32 = 16;
const BAR_STEP: i32 = 22;
const PANEL_HEAD: i32 = 26;
const PANEL_GAP: i32 = 18;
/// The longest reason for a missing figure that fits into a line.
const REASON_CHARS_MAX: usize = 88;

/// One figure of all systems.
struct Panel<'a> {
    title: String,
    rows: Vec<&'a Row>,
}

/// Writes a chart for each workload.
pub(crate) fn draw(report: &Report, folder: &Path) -> Result<(), String> {
    charts(report)
        .into_iter()
        .try_for_each(|name| canvas::write(folder, &name, &chart(&name, &panels(report, &name))?))
}

/// Returns the names of the charts: workloads without their variants.
pub(super) fn charts(report: &Report) -> Vec<String> {
    let mut names: Vec<String> =
        report.workloads().iter().map(|(workload, _)| base(workload).to_owned()).collect();
    names.dedup();
    names
}

/// Returns a workload without its variant: `remote.bulk` for `remote.bulk.1_mib`.
pub(super) fn base(workload: &str) -> &str {
    workload.match_indices('.').nth(1).map_or(workload, |(at, _)| &workload[..at])
}

fn panels<'a>(report: &'a Report, chart: &str) -> Vec<Panel<'a>> {
    let mut panels = Vec::new();
    for (workload, metrics) in report.workloads() {
        if base(workload) != chart {
            continue;
        }
        let variant = workload[chart.len()..].trim_start_matches('.').replace('_', " ");
        for metric in metrics.into_iter().filter(|metric| is_charted(metric)) {
            let systems = System::ALL.into_iter();
            let rows: Vec<&Row> =
                systems.filter_map(|system| report.row(workload, metric, system)).collect();
            let better = match rows.first().map(|row| row.better) {
                Some(Better::Higher) => "more is better",
                _ => "less is better",
            };
            let variant = if variant.is_empty() { String::new() } else { format!("{variant}: ") };
            panels.push(Panel { title: format!("{variant}{} ({better})", words(metric)), rows });
        }
    }
    panels
}

/// Returns whether the charts show this metric. The tails of latencies, and metrics that are
/// measured from outside, are only in the tables.
pub(super) fn is_charted(metric: &str) -> bool {
    !matches!(metric, CPU | PEAK) && !metric.ends_with("_p99_9_us") && !metric.ends_with("_max_us")
}

fn chart(name: &str, panels: &[Panel<'_>]) -> Result<String, String> {
    let height = |panel: &Panel<'_>| PANEL_HEAD + BAR_STEP * panel.rows.len() as i32 + PANEL_GAP;
    canvas::svg(name, panels.iter().map(height).sum(), |area| {
        let mut top = PANELS_TOP;
        for panel in panels {
            draw_panel(area, panel, top)?;
            top += height(panel);
        }
        Ok(())
    })
}

fn draw_panel(area: &Area<'_>, panel: &Panel<'_>, top: i32) -> Drawn {
    let scale = scale(&panel.rows);
    let log = if scale.is_log { ", logarithmic" } else { "" };
    text(area, &format!("{}{log}", panel.title), (MARGIN, top), Left, 14, INK)?;
    let (bars, bottom) = (top + PANEL_HEAD, top + PANEL_HEAD + BAR_STEP * panel.rows.len() as i32);
    for mark in scale.marks() {
        let x = scale.at(mark);
        canvas::line(area, (x, bars - 4), (x, bottom), GRID)?;
    }
    for (i, row) in panel.rows.iter().enumerate() {
        draw_bar(area, row, &scale, bars + BAR_STEP * i as i32)?;
    }
    Ok(())
}

fn draw_bar(area: &Area<'_>, row: &Row, scale: &Scale, top: i32) -> Drawn {
    text(area, row.system.name(), (MARGIN, top + 1), Left, 13, INK)?;
    let (figures, failures) = match &row.cell {
        Cell::Figures { figures, failures } => (figures, failures),
        Cell::Error { error } => {
            return text(area, &shortened(error), (BAR_LEFT + 4, top + 2), Left, 12, FAINT);
        }
    };
    let (end, middle) = (scale.at(figures.median), top + BAR_HEIGHT / 2);
    let bar = [(BAR_LEFT, top), (end.max(BAR_LEFT + 1), top + BAR_HEIGHT)];
    area.draw(&Rectangle::new(bar, colour(row.system).filled())).map_err(told)?;
    let (from, to) = (scale.at(figures.min), scale.at(figures.max));
    canvas::line(area, (from, middle), (to, middle), INK)?;
    let mark = if failures.is_some() { " (not every run worked)" } else { "" };
    let label = format!("{}{mark}", number(figures.median));
    text(area, &label, (end.max(to) + 6, top + 1), Left, 13, INK)
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= REASON_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(REASON_CHARS_MAX - 1).chain(['…']).collect()
}

/// Returns a system's colour. fika's is the strongest.
fn colour(system: System) -> RGBColor {
    match system {
        System::Fika => canvas::VERMILLION,
        System::Beam => canvas::BLUE,
        System::Tokio => canvas::GREEN,
        System::Ractor => canvas::PURPLE,
        System::Kameo => canvas::ORANGE,
        System::Actix => canvas::SKY,
        System::Hydra => canvas::YELLOW,
        System::Floor => canvas::GREY,
    }
}

/// Returns the scale of a panel.
fn scale(rows: &[&Row]) -> Scale {
    Scale::of(rows.iter().filter_map(|row| row.cell.figures()), (BAR_LEFT, BAR_RIGHT))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{report, row, without};
    use super::*;

    #[test]
    fn a_chart_has_figures_and_reasons() {
        let report = report(vec![
            row("ns", System::Fika, &[20.0]),
            row("cpu_s", System::Fika, &[77.0]),
            without("ns", System::Beam, "it has none"),
        ]);
        assert_eq!(charts(&report), ["local.pingpong"]);
        let svg = chart("local.pingpong", &panels(&report, "local.pingpong")).unwrap();
        for expected in ["less is better", "fika", "beam", "\n20\n", "it has none"] {
            assert!(svg.contains(expected), "no {expected:?} in\n{svg}");
        }
        assert!(!svg.contains("\n77\n"), "{svg}");
    }

    #[test]
    fn a_report_without_figures_can_be_drawn() {
        let report = report(vec![without("ns", System::Beam, "it has none")]);
        assert!(chart("local.pingpong", &panels(&report, "local.pingpong")).is_ok());
    }
}
