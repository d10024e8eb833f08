//! Curves as line charts: one SVG per curve, with a panel per unit and a line for each figure and
//! number of workers.
//!
//! The sizes are on a logarithmic scale. A flat line means that the cost of an operation does not
//! depend on the size. The thin vertical line at a point shows the range of the runs.

use std::path::Path;

use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::Report;
use super::canvas::{self, Area, Drawn, FAINT, GRID, INK, MARGIN, PANELS_TOP, Scale, text, told};
use super::curves::{curves, many, of_workers_named, sizes};
use super::number::{number, words};
use crate::curves::WORKERS;
use crate::stats::Figures;
use crate::workload::Point;

const PLOT_LEFT: i32 = 72;
const PLOT_RIGHT: i32 = 556;
const PLOT_HEIGHT: i32 = 190;
const PANEL_HEAD: i32 = 30;
const PANEL_GAP: i32 = 44;
const PANEL_HEIGHT: i32 = PANEL_HEAD + PLOT_HEIGHT + PANEL_GAP;
/// The smallest distance between the names of lines.
const NAME_STEP: i32 = 16;
const DASH: i32 = 5;

const COLOURS: [RGBColor; 4] = [canvas::VERMILLION, canvas::BLUE, canvas::GREEN, canvas::PURPLE];

/// The figures with one unit.
struct Panel<'a> {
    unit: &'static str,
    lines: Vec<Line<'a>>,
}

/// A figure for a number of workers, at all measured sizes.
struct Line<'a> {
    metric: &'a str,
    workers: u64,
    colour: RGBColor,
    points: Vec<(u64, &'a Figures)>,
}

/// Writes a chart for each curve.
pub(super) fn draw(report: &Report, folder: &Path) -> Result<(), String> {
    curves(report).into_iter().try_for_each(|(name, metrics)| {
        canvas::write(folder, name, &chart(report, name, &metrics)?)
    })
}

fn chart(report: &Report, name: &str, metrics: &[&str]) -> Result<String, String> {
    let (panels, sizes) = (panels(report, name, metrics), sizes(report, name));
    let key = 22;
    canvas::svg(name, key + PANEL_HEIGHT * panels.len() as i32, |area| {
        draw_key(area, PANELS_TOP)?;
        let tops = (0..).map(|i| PANELS_TOP + key + i * PANEL_HEIGHT);
        tops.zip(&panels).try_for_each(|(top, panel)| draw_panel(area, panel, &sizes, name, top))
    })
}

fn panels<'a>(report: &'a Report, name: &str, metrics: &[&'a str]) -> Vec<Panel<'a>> {
    let mut panels: Vec<Panel<'a>> = Vec::new();
    for metric in metrics {
        let unit = unit(metric);
        let at = panels.iter().position(|panel| panel.unit == unit).unwrap_or_else(|| {
            panels.push(Panel { unit, lines: Vec::new() });
            panels.len() - 1
        });
        let colour = COLOURS[panels[at].lines.len() / WORKERS.len() % COLOURS.len()];
        for workers in WORKERS {
            let figures = |size: &u64| {
                let point = Point { size: Some(*size), workers: Some(workers) };
                Some((*size, report.at(name, metric, point)?.cell.figures()?))
            };
            let points = sizes(report, name).iter().filter_map(figures).collect();
            panels[at].lines.push(Line { metric, workers, colour, points });
        }
    }
    panels
}

/// Returns the unit of a figure, which is part of its name.
fn unit(metric: &str) -> &'static str {
    let units = [("ns", "ns"), ("us", "µs"), ("ms", "ms"), ("bytes", "bytes")];
    let found = units.into_iter().find(|(unit, _)| metric.split('_').any(|part| part == *unit));
    found.map_or("", |(_, unit)| unit)
}

/// Draws the key: the style of line for each number of workers.
fn draw_key(area: &Area<'_>, top: i32) -> Drawn {
    let mut left = MARGIN;
    for workers in WORKERS {
        let middle = top + 7;
        draw_line(area, &[(left, middle), (left + 34, middle)], workers, INK)?;
        text(area, &of_workers_named(workers), (left + 42, top), HPos::Left, 13, INK)?;
        left += 130;
    }
    Ok(())
}

fn draw_panel(area: &Area<'_>, panel: &Panel<'_>, sizes: &[u64], name: &str, top: i32) -> Drawn {
    let (high, low) = (top + PANEL_HEAD, top + PANEL_HEAD + PLOT_HEIGHT);
    let all = panel.lines.iter().flat_map(|line| line.points.iter().map(|(_, figures)| *figures));
    let y = Scale::of(all, (low, high));
    let ends = |end: Option<&u64>| end.copied().unwrap_or(1).max(1) as f64;
    let x = Scale::log(ends(sizes.first()), ends(sizes.last()), (PLOT_LEFT, PLOT_RIGHT));
    let log = if y.is_log { ", logarithmic" } else { "" };
    text(area, &format!("{}{log}", panel.unit), (MARGIN, top), HPos::Left, 14, INK)?;
    for tick in y.ticks() {
        let at = y.at(tick);
        canvas::line(area, (PLOT_LEFT, at), (PLOT_RIGHT, at), GRID)?;
        text(area, &number(tick), (PLOT_LEFT - 8, at - 7), HPos::Right, 12, FAINT)?;
    }
    for size in sizes {
        let at = x.at(*size as f64);
        canvas::line(area, (at, high), (at, low), GRID)?;
        text(area, &number(*size as f64), (at, low + 6), HPos::Center, 12, FAINT)?;
    }
    text(area, many(name), (PLOT_RIGHT + 40, low + 6), HPos::Left, 12, FAINT)?;
    for line in &panel.lines {
        draw_curve(area, line, &x, &y)?;
    }
    draw_names(area, panel, &y)
}

fn draw_curve(area: &Area<'_>, line: &Line<'_>, x: &Scale, y: &Scale) -> Drawn {
    let at = |(size, figures): &(u64, &Figures)| (x.at(*size as f64), y.at(figures.median));
    let points: Vec<(i32, i32)> = line.points.iter().map(at).collect();
    for ((across, _), (_, figures)) in points.iter().zip(&line.points) {
        let (least, most) = ((*across, y.at(figures.min)), (*across, y.at(figures.max)));
        canvas::line(area, least, most, line.colour)?;
    }
    draw_line(area, &points, line.workers, line.colour)?;
    points
        .into_iter()
        .try_for_each(|point| area.draw(&Circle::new(point, 3, line.colour.filled())).map_err(told))
}

/// Draws a line, dashed for a single worker.
fn draw_line(area: &Area<'_>, points: &[(i32, i32)], workers: u64, colour: RGBColor) -> Drawn {
    let points = points.to_vec();
    let style = colour.stroke_width(2);
    if workers == 1 {
        area.draw(&DashedPathElement::new(points, DASH, DASH, style)).map_err(told)
    } else {
        area.draw(&PathElement::new(points, style)).map_err(told)
    }
}

/// Writes the name of each figure where its lines end.
fn draw_names(area: &Area<'_>, panel: &Panel<'_>, y: &Scale) -> Drawn {
    let mut names: Vec<(i32, &Line<'_>)> = Vec::new();
    for lines in panel.lines.chunks(WORKERS.len()) {
        let ends = lines.iter().filter_map(|line| line.points.last());
        let ends: Vec<i32> = ends.map(|(_, figures)| y.at(figures.median)).collect();
        if !ends.is_empty() {
            names.push((ends.iter().sum::<i32>() / ends.len() as i32 - 7, &lines[0]));
        }
    }
    names.sort_by_key(|(at, _)| *at);
    let wanted: Vec<i32> = names.iter().map(|(at, _)| *at).collect();
    for (at, (_, line)) in apart(wanted).into_iter().zip(&names) {
        text(area, &words(line.metric), (PLOT_RIGHT + 12, at), HPos::Left, 13, line.colour)?;
    }
    Ok(())
}

/// Moves sorted heights apart, about their middle, so that their names do not overlap.
fn apart(mut heights: Vec<i32>) -> Vec<i32> {
    let before = heights.iter().sum::<i32>();
    for i in 1..heights.len() {
        heights[i] = heights[i].max(heights[i - 1] + NAME_STEP);
    }
    let moved = heights.iter().sum::<i32>() - before;
    let number = i32::try_from(heights.len().max(1)).unwrap_or(i32::MAX);
    heights.iter().map(|height| height - moved / number).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{curve, report};
    use super::*;

    #[test]
    fn a_chart_has_a_panel_a_unit_and_a_name_a_figure() {
        let points = [(10_000, 40.0), (1_000_000, 60.0)];
        let mut rows = curve("scale.timers", "ns_per_start", &points);
        rows.extend(curve("scale.timers", "ns_per_cancel", &points));
        rows.extend(curve("scale.timers", "bytes_per_timer", &points));
        let report = report(rows);
        let [(name, metrics)] = &curves(&report)[..] else { panic!() };
        let panels = panels(&report, name, metrics);
        let shape: Vec<_> = panels.iter().map(|panel| (panel.unit, panel.lines.len())).collect();
        assert_eq!(shape, [("ns", 4), ("bytes", 2)]);
        let svg = chart(&report, name, metrics).unwrap();
        for expected in ["ns per start", "ns per cancel", "1 worker", "timers", "\n1 M\n"] {
            assert!(svg.contains(expected), "no {expected:?} in\n{svg}");
        }
    }

    #[test]
    fn names_do_not_lie_on_each_other() {
        assert_eq!(apart(vec![10, 100]), [10, 100]);
        assert_eq!(apart(vec![50, 50]), [42, 58]);
        assert!(apart(Vec::new()).is_empty());
    }

    #[test]
    fn units_are_a_part_of_the_name() {
        let cases = [("wake_all_ns_each", "ns"), ("bytes_per_process", "bytes"), ("messages", "")];
        for (metric, expected) in cases {
            assert_eq!(unit(metric), expected);
        }
    }
}
