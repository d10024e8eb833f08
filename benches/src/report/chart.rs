//! The report as bar charts: one SVG a workload, in it a panel a figure, in it a bar a system.
//!
//! A bar starts at zero, unless the figures of a panel are more than a decade apart: then the
//! scale is logarithmic, says so, and starts at a power of ten. The thin line on a bar goes
//! from the least to the greatest of the runs.

use std::fs;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::number::{number, words};
use super::{Cell, Report, Row};
use crate::system::System;
use crate::workload::{Better, CPU, PEAK};

const WIDTH: i32 = 760;
const MARGIN: i32 = 16;
const BAR_LEFT: i32 = 80;
const BAR_RIGHT: i32 = 620;
const BAR_HEIGHT: i32 = 16;
const BAR_STEP: i32 = 22;
const TITLE_HEIGHT: i32 = 34;
const PANEL_HEAD: i32 = 26;
const PANEL_GAP: i32 = 18;
/// So much of why there is no figure fits into a line.
const REASON_CHARS_MAX: usize = 88;

const INK: RGBColor = RGBColor(34, 34, 34);
const FAINT: RGBColor = RGBColor(120, 120, 120);
const GRID: RGBColor = RGBColor(222, 222, 222);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), String>;

/// One figure of all systems.
struct Panel<'a> {
    title: String,
    rows: Vec<&'a Row>,
}

/// Writes a chart for each workload, and returns the names of the files with their
/// workloads.
pub(crate) fn draw(report: &Report, folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for name in charts(report) {
        let svg = chart(&name, &panels(report, &name))?;
        let file = folder.join(file_name(&name));
        fs::write(&file, svg).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

/// The names of the charts: workloads without their variants.
pub(super) fn charts(report: &Report) -> Vec<String> {
    let mut names: Vec<String> =
        report.workloads().iter().map(|(workload, _)| base(workload).to_owned()).collect();
    names.dedup();
    names
}

/// A workload without its variant: `remote.bulk` of `remote.bulk.1_mib`.
pub(super) fn base(workload: &str) -> &str {
    workload.match_indices('.').nth(1).map_or(workload, |(at, _)| &workload[..at])
}

pub(super) fn file_name(chart: &str) -> String {
    format!("{chart}.svg")
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

/// The tails and what is measured from outside are in the table.
fn is_charted(metric: &str) -> bool {
    !matches!(metric, CPU | PEAK) && !metric.ends_with("_p99_9_us") && !metric.ends_with("_max_us")
}

fn chart(name: &str, panels: &[Panel<'_>]) -> Result<String, String> {
    let height = |panel: &Panel<'_>| PANEL_HEAD + BAR_STEP * panel.rows.len() as i32 + PANEL_GAP;
    let total = TITLE_HEIGHT + panels.iter().map(height).sum::<i32>() + MARGIN;
    let mut svg = String::new();
    {
        let backend = SVGBackend::with_string(&mut svg, (WIDTH as u32, total as u32));
        let area = backend.into_drawing_area();
        area.fill(&WHITE).map_err(told)?;
        text(&area, name, (MARGIN, MARGIN), 20, INK)?;
        let mut top = TITLE_HEIGHT + MARGIN / 2;
        for panel in panels {
            draw_panel(&area, panel, top)?;
            top += height(panel);
        }
        area.present().map_err(told)?;
    }
    Ok(svg)
}

fn draw_panel(area: &Area<'_>, panel: &Panel<'_>, top: i32) -> Drawn {
    let scale = Scale::of(&panel.rows);
    let log = if scale.is_log { ", logarithmic" } else { "" };
    text(area, &format!("{}{log}", panel.title), (MARGIN, top), 14, INK)?;
    let (bars, bottom) = (top + PANEL_HEAD, top + PANEL_HEAD + BAR_STEP * panel.rows.len() as i32);
    for mark in scale.marks() {
        let x = scale.x(mark);
        area.draw(&PathElement::new([(x, bars - 4), (x, bottom)], GRID)).map_err(told)?;
    }
    for (i, row) in panel.rows.iter().enumerate() {
        draw_bar(area, row, &scale, bars + BAR_STEP * i as i32)?;
    }
    Ok(())
}

fn draw_bar(area: &Area<'_>, row: &Row, scale: &Scale, top: i32) -> Drawn {
    text(area, row.system.name(), (MARGIN, top + 1), 13, INK)?;
    let (figures, failures) = match &row.cell {
        Cell::Figures { figures, failures } => (figures, failures),
        Cell::Error { error } => {
            return text(area, &shortened(error), (BAR_LEFT + 4, top + 2), 12, FAINT);
        }
    };
    let (end, middle) = (scale.x(figures.median), top + BAR_HEIGHT / 2);
    let bar = [(BAR_LEFT, top), (end.max(BAR_LEFT + 1), top + BAR_HEIGHT)];
    area.draw(&Rectangle::new(bar, colour(row.system).filled())).map_err(told)?;
    let (from, to) = (scale.x(figures.min), scale.x(figures.max));
    area.draw(&PathElement::new([(from, middle), (to, middle)], INK)).map_err(told)?;
    let mark = if failures.is_some() { " (not every run worked)" } else { "" };
    let label = format!("{}{mark}", number(figures.median));
    text(area, &label, (end.max(to) + 6, top + 1), 13, INK)
}

fn text(area: &Area<'_>, text: &str, at: (i32, i32), size: u32, colour: RGBColor) -> Drawn {
    let font = ("sans-serif", size).into_font().color(&colour);
    let style = font.pos(Pos::new(HPos::Left, VPos::Top));
    area.draw(&Text::new(text, at, style)).map_err(told)
}

fn told(error: impl std::fmt::Display) -> String {
    format!("a chart can't be drawn: {error}")
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= REASON_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(REASON_CHARS_MAX - 1).chain(['…']).collect()
}

/// Okabe and Ito's colours, which nearly everybody can tell apart; fika's is the strongest.
fn colour(system: System) -> RGBColor {
    match system {
        System::Fika => RGBColor(213, 94, 0),
        System::Beam => RGBColor(0, 114, 178),
        System::Tokio => RGBColor(0, 158, 115),
        System::Ractor => RGBColor(204, 121, 167),
        System::Kameo => RGBColor(230, 159, 0),
        System::Actix => RGBColor(86, 180, 233),
        System::Hydra => RGBColor(200, 190, 60),
        System::Floor => RGBColor(150, 150, 150),
    }
}

/// Where on the width of a panel a figure is.
struct Scale {
    is_log: bool,
    from: f64,
    to: f64,
}

impl Scale {
    fn of(rows: &[&Row]) -> Scale {
        let figures = || rows.iter().filter_map(|row| row.cell.figures());
        let least = figures().map(|figures| figures.min).fold(f64::INFINITY, f64::min);
        let most = figures().map(|figures| figures.max).fold(0.0, f64::max);
        let is_log = least > 0.0 && least.is_finite() && most / least > 10.0;
        // So that the smallest bar is one.
        let from = if is_log { 10_f64.powf((least / 1.5).log10().floor()) } else { 0.0 };
        Scale { is_log, from, to: if most > from { most } else { from + 1.0 } }
    }

    fn x(&self, value: f64) -> i32 {
        let part = if self.is_log {
            (value / self.from).log10() / (self.to / self.from).log10()
        } else {
            value / self.to
        };
        BAR_LEFT + (part.clamp(0.0, 1.0) * f64::from(BAR_RIGHT - BAR_LEFT)).round() as i32
    }

    /// The powers of ten, or the ends.
    fn marks(&self) -> Vec<f64> {
        if !self.is_log {
            return vec![self.from];
        }
        let powers = (0..).map(|power| self.from * 10_f64.powi(power));
        powers.take_while(|mark| *mark <= self.to).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{report, row, without};
    use super::*;

    #[test]
    fn a_wide_range_is_drawn_by_its_logarithm() {
        let rows = [row("ns", System::Fika, &[20.0]), row("ns", System::Beam, &[2000.0])];
        let scale = Scale::of(&rows.iter().collect::<Vec<_>>());
        assert!(scale.is_log);
        assert_eq!(scale.marks(), [10.0, 100.0, 1000.0]);
        assert_eq!((scale.x(10.0), scale.x(2000.0)), (BAR_LEFT, BAR_RIGHT));

        let rows = [row("ns", System::Fika, &[20.0]), row("ns", System::Beam, &[100.0])];
        let scale = Scale::of(&rows.iter().collect::<Vec<_>>());
        assert!(!scale.is_log);
        assert_eq!((scale.x(0.0), scale.x(50.0)), (BAR_LEFT, (BAR_LEFT + BAR_RIGHT) / 2));
    }

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
