//! Numbers in readable form.

use crate::stats::Figures;

/// Returns a number with about three significant digits, in groups of three.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 1e6 {
        return format!("{} M", number_below(value / 1e6));
    }
    number_below(value)
}

fn number_below(value: f64) -> String {
    let size = value.abs();
    if size >= 999.5 {
        grouped(value.round() as i64)
    } else if size >= 99.95 {
        format!("{value:.0}")
    } else if size >= 9.995 || value == value.round() {
        trimmed(format!("{value:.1}"))
    } else if size >= 0.9995 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

fn trimmed(text: String) -> String {
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

/// Returns the median of several runs with its range.
pub(crate) fn with_range(figures: &Figures) -> String {
    let median = number(figures.median);
    if figures.runs.len() == 1 {
        return median;
    }
    format!("{median} ({} – {})", number(figures.min), number(figures.max))
}

/// Returns a ratio as text.
pub(crate) fn ratio(ratio: f64) -> String {
    if ratio >= 99.5 {
        format!("{} ×", grouped(ratio.round() as i64))
    } else if ratio >= 9.95 {
        format!("{ratio:.0} ×")
    } else if ratio >= 0.095 {
        format!("{ratio:.1} ×")
    } else {
        format!("{ratio:.2} ×")
    }
}

/// Returns a metric's name as words.
pub(crate) fn words(metric: &str) -> String {
    metric.replace("p99_9", "p99.9").replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let cases = [
            (0.0, "0"),
            (0.034_56, "0.035"),
            (1.0, "1"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (12.0, "12"),
            (123.4, "123"),
            (1234.5, "1,235"),
            (987_654.0, "987,654"),
            (11_600_000.0, "11.6 M"),
            (1e9, "1,000 M"),
            (-3.0, "-3"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn ranges() {
        let text = |runs: &[f64]| with_range(&Figures::of(runs).unwrap());
        assert_eq!(text(&[2.0]), "2");
        assert_eq!(text(&[3.0, 1.0, 2.0]), "2 (1 – 3)");
    }

    #[test]
    fn ratios() {
        let cases =
            [(123.0, "123 ×"), (12.3, "12 ×"), (4.56, "4.6 ×"), (0.5, "0.5 ×"), (0.034, "0.03 ×")];
        for (value, text) in cases {
            assert_eq!(ratio(value), text);
        }
    }

    #[test]
    fn names_as_words() {
        assert_eq!(words("round_trip_p99_9_us"), "round trip p99.9 us");
        assert_eq!(words("ns_per_hop"), "ns per hop");
    }
}
