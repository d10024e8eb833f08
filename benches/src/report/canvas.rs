//! The common parts of all charts: paper, ink and scales.

use std::fs;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::stats::Figures;

pub(super) const WIDTH: i32 = 760;
pub(super) const MARGIN: i32 = 16;
const TITLE_HEIGHT: i32 = 34;
/// The top of the panels, below the title.
pub(super) const PANELS_TOP: i32 = TITLE_HEIGHT + MARGIN / 2;

pub(super) const INK: RGBColor = RGBColor(34, 34, 34);
pub(super) const FAINT: RGBColor = RGBColor(120, 120, 120);
pub(super) const GRID: RGBColor = RGBColor(222, 222, 222);

// The colours of Okabe and Ito, which nearly everybody can tell apart.
pub(super) const VERMILLION: RGBColor = RGBColor(213, 94, 0);
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(super) const GREEN: RGBColor = RGBColor(0, 158, 115);
pub(super) const PURPLE: RGBColor = RGBColor(204, 121, 167);
pub(super) const ORANGE: RGBColor = RGBColor(230, 159, 0);
pub(super) const SKY: RGBColor = RGBColor(86, 180, 233);
pub(super) const YELLOW: RGBColor = RGBColor(200, 190, 60);
pub(super) const GREY: RGBColor = RGBColor(150, 150, 150);

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Drawn = Result<(), String>;

/// Returns a chart with its title and, below it, panels of this height.
pub(super) fn svg(
    title: &str,
    panels_height: i32,
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<String, String> {
    let mut svg = String::new();
    {
        let height = TITLE_HEIGHT + panels_height + MARGIN;
        let backend = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32));
        let area = backend.into_drawing_area();
        area.fill(&WHITE).map_err(told)?;
        text(&area, title, (MARGIN, MARGIN), HPos::Left, 20, INK)?;
        draw(&area)?;
        area.present().map_err(told)?;
    }
    Ok(svg)
}

/// Writes a chart to its file.
pub(super) fn write(folder: &Path, chart: &str, svg: &str) -> Result<(), String> {
    let file = folder.join(file_name(chart));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&file, svg));
    written.map_err(|error| format!("{}: {error}", file.display()))
}

pub(super) fn file_name(chart: &str) -> String {
    format!("{chart}.svg")
}

/// Draws a text whose left end, middle or right end is at `at`.
pub(super) fn text(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    side: HPos,
    size: u32,
    colour: RGBColor,
) -> Drawn {
    let font = ("sans-serif", size).into_font().color(&colour);
    let style = font.pos(Pos::new(side, VPos::Top));
    area.draw(&Text::new(text, at, style)).map_err(told)
}

pub(super) fn line(area: &Area<'_>, from: (i32, i32), to: (i32, i32), colour: RGBColor) -> Drawn {
    area.draw(&PathElement::new([from, to], colour)).map_err(told)
}

pub(super) fn told(error: impl std::fmt::Display) -> String {
    format!("a chart can't be drawn: {error}")
}

/// A scale. It starts at zero, unless the figures differ by more than a factor of ten: then it is
/// logarithmic and starts at a power of ten.
pub(super) struct Scale {
    pub(super) is_log: bool,
    from: f64,
    to: f64,
    pixels: (i32, i32),
}

impl Scale {
    /// Returns a scale that contains all of these figures.
    pub(super) fn of<'a>(
        figures: impl Iterator<Item = &'a Figures> + Clone,
        pixels: (i32, i32),
    ) -> Scale {
        let least = figures.clone().map(|figures| figures.min).fold(f64::INFINITY, f64::min);
        let most = figures.map(|figures| figures.max).fold(0.0, f64::max);
        let is_log = least > 0.0 && least.is_finite() && most / least > 10.0;
        // Leaves some length for the smallest bar.
        let from = if is_log { 10_f64.powf((least / 1.5).log10().floor()) } else { 0.0 };
        Scale { is_log, from, to: if most > from { most } else { from + 1.0 }, pixels }
    }

    /// Returns a logarithmic scale between two positive ends.
    pub(super) fn log(from: f64, to: f64, pixels: (i32, i32)) -> Scale {
        Scale { is_log: true, from, to: if to > from { to } else { from * 10.0 }, pixels }
    }

    /// Returns the pixel of a value.
    pub(super) fn at(&self, value: f64) -> i32 {
        let part = if self.is_log {
            (value / self.from).log10() / (self.to / self.from).log10()
        } else {
            value / self.to
        };
        let (first, last) = self.pixels;
        first + (part.clamp(0.0, 1.0) * f64::from(last - first)).round() as i32
    }

    /// Returns the marks of the scale: powers of ten, or zero.
    pub(super) fn marks(&self) -> Vec<f64> {
        if !self.is_log {
            return vec![self.from];
        }
        let powers = (0..).map(|power| self.from * 10_f64.powi(power));
        powers.take_while(|mark| *mark <= self.to).collect()
    }

    /// Returns round values along the scale.
    pub(super) fn ticks(&self) -> Vec<f64> {
        if self.is_log {
            let all = self.marks();
            let parts: &[f64] = if all.len() > 3 { &[1.0] } else { &[1.0, 2.0, 5.0] };
            let within = all.iter().flat_map(|mark| parts.iter().map(move |part| mark * part));
            return within.filter(|tick| *tick <= self.to).collect();
        }
        let step = round_step(self.to / 5.0);
        (0..).map(|i| step * f64::from(i)).take_while(|tick| *tick <= self.to).collect()
    }
}

/// Returns the smallest of 1, 2, 5, 10, 20, 50 and so on that is at least `least`.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let parts = [1.0, 2.0, 5.0, 10.0];
    parts.into_iter().map(|part| part * power).find(|step| *step >= least).unwrap_or(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Scale {
        let figures: Vec<Figures> =
            values.iter().map(|value| Figures::of(&[*value]).unwrap()).collect();
        Scale::of(figures.iter(), (100, 500))
    }

    #[test]
    fn a_wide_range_goes_by_its_logarithm() {
        let scale = of(&[20.0, 2000.0]);
        assert!(scale.is_log);
        assert_eq!(scale.marks(), [10.0, 100.0, 1000.0]);
        assert_eq!((scale.at(10.0), scale.at(2000.0)), (100, 500));
        assert_eq!(scale.ticks().first_chunk(), Some(&[10.0, 20.0, 50.0, 100.0]));

        let scale = of(&[20.0, 100.0]);
        assert!(!scale.is_log);
        assert_eq!((scale.at(0.0), scale.at(50.0)), (100, 300));
        assert_eq!(scale.ticks(), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(of(&[37.0]).ticks(), [0.0, 10.0, 20.0, 30.0]);
    }

    #[test]
    fn a_scale_of_nothing_has_one_end() {
        assert_eq!(of(&[]).marks(), [0.0]);
        assert_eq!(Scale::log(5.0, 5.0, (0, 100)).at(5.0), 0);
    }
}
