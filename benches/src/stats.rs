//! Summarizes the figures of several runs.

use serde::{Deserialize, Serialize};

/// The figures of several runs: median, minimum and maximum.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) runs: Vec<f64>,
}

impl Figures {
    /// Returns the summary of these runs; `None` if there are no runs.
    pub(crate) fn of(runs: &[f64]) -> Option<Figures> {
        let runs: Vec<f64> = runs.iter().copied().map(rounded).collect();
        let mut sorted = runs.clone();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            rounded((sorted[middle - 1] + sorted[middle]) / 2.0)
        };
        Some(Figures { median, min, max, runs })
    }

    /// Returns whether the difference is larger than the noise: the ranges do not overlap, and the
    /// medians differ by more than 5 %.
    pub(crate) fn differs(&self, other: &Figures) -> bool {
        const NOISE: f64 = 0.05;
        let apart = self.max < other.min || other.max < self.min;
        apart && (self.median - other.median).abs() > NOISE * other.median.abs()
    }
}

/// Rounds to six digits, which is more than any clock provides.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10_f64.powf(5.0 - value.abs().log10().floor());
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_ends() {
        let cases: [(&[f64], f64, f64, f64); 4] = [
            (&[3.0, 1.0, 2.0], 2.0, 1.0, 3.0),
            (&[4.0, 1.0, 2.0, 3.0], 2.5, 1.0, 4.0),
            (&[7.0], 7.0, 7.0, 7.0),
            (&[1e9, 2.0], 500_000_001.0_f64.round(), 2.0, 1e9),
        ];
        for (runs, median, min, max) in cases {
            let figures = Figures::of(runs).unwrap();
            assert!((figures.median / median - 1.0).abs() < 1e-5, "{figures:?}");
            assert_eq!((figures.min, figures.max), (min, max));
            assert_eq!(figures.runs, runs);
        }
        assert_eq!(Figures::of(&[]), None);
    }

    #[test]
    fn six_digits_are_kept() {
        for (value, expected) in
            [(0.0, 0.0), (123.456_789, 123.457), (98_765_432.0, 98_765_400.0), (-1.5, -1.5)]
        {
            assert_eq!(rounded(value), expected);
        }
    }

    #[test]
    fn only_what_is_apart_differs() {
        let of = |runs: &[f64]| Figures::of(runs).unwrap();
        let old = of(&[100.0, 102.0, 104.0]);
        let cases: [(&[f64], bool); 5] = [
            (&[110.0, 112.0, 114.0], true),
            (&[90.0, 91.0, 92.0], true),
            // The ranges overlap.
            (&[103.0, 112.0, 114.0], false),
            // The ranges do not overlap, but the medians differ by less than 5 %.
            (&[104.5, 105.0, 106.0], false),
            (&[102.0], false),
        ];
        for (new, expected) in cases {
            assert_eq!(of(new).differs(&old), expected, "{new:?}");
        }
    }
}
