//! Finds the figures that have changed since an earlier report by more than the noise.

use super::number::{number, ratio, words};
use super::{Report, Row};
use crate::workload::Better;

/// Returns a text with the figures that are better or worse, and those that only one of the reports
/// has.
pub(crate) fn compare(new: &Report, old: &Report) -> String {
    let mut text = format!("Compared with {} ({}):\n", old.date, versions(old));
    if new.quick != old.quick {
        return text + "  one is of a quick run and the other is not: they can't be compared\n";
    }
    if new.machine != old.machine {
        text += "  on another machine: only ratios can be compared\n";
    }
    let (mut better, mut worse, mut other, mut same) = (vec![], vec![], vec![], 0);
    for row in &new.rows {
        let Some(was) = old.same_figure(row) else { continue };
        match (row.cell.figures(), was.cell.figures()) {
            (Some(now), Some(before)) if now.differs(before) => {
                let grew = now.median > before.median;
                let by = factor(now.median, before.median);
                let what = change(row, number(before.median), number(now.median));
                let list =
                    if grew == (row.better == Better::Higher) { &mut better } else { &mut worse };
                list.push(format!("{what}  ({by})"));
            }
            (Some(now), None) => other.push(change(row, "no figure".into(), number(now.median))),
            (None, Some(before)) => {
                let why = row.cell.note().unwrap_or_default();
                other.push(change(row, number(before.median), why));
            }
            _ => same += 1,
        }
    }
    for (head, lines) in [("worse", worse), ("better", better), ("other", other)] {
        if !lines.is_empty() {
            text += &format!("{head}\n  {}\n", lines.join("\n  "));
        }
    }
    text + &format!("{same} figures changed by no more than the noise\n")
}

fn versions(report: &Report) -> String {
    report.versions.get("fika").map_or_else(String::new, |version| format!("fika {version}"))
}

fn change(row: &Row, before: String, now: String) -> String {
    let Row { workload, point, metric, system, .. } = row;
    format!("{system:<6} {workload}{point}, {}: {before} → {now}", words(metric))
}

fn factor(now: f64, before: f64) -> String {
    ratio(if now > before { now / before } else { before / now })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{report, row, without};
    use super::*;
    use crate::system::System;
    use crate::workload::Point;

    #[test]
    fn only_what_changed_by_more_than_the_noise() {
        let old = report(vec![
            row("ns_a", System::Fika, &[100.0, 101.0, 102.0]),
            row("ns_b", System::Fika, &[100.0, 101.0, 102.0]),
            row("c_per_s", System::Fika, &[100.0, 101.0, 102.0]),
            row("ns_d", System::Fika, &[100.0]),
            without("ns_e", System::Fika, "not there yet"),
        ]);
        let new = report(vec![
            row("ns_a", System::Fika, &[200.0, 202.0, 204.0]),
            row("ns_b", System::Fika, &[101.0, 103.0, 140.0]),
            row("c_per_s", System::Fika, &[200.0, 202.0, 204.0]),
            without("ns_d", System::Fika, "it hangs"),
            row("ns_e", System::Fika, &[7.0]),
            row("ns_new", System::Fika, &[7.0]),
        ]);
        assert_eq!(
            compare(&new, &old),
            "Compared with 2026-01-02T03:04:05Z (fika 0.1.0):\n\
             worse\n  fika local.pingpong, ns a: 101 → 202  (2.0 ×)\n\
             better\n  fika local.pingpong, c per s: 101 → 202  (2.0 ×)\n\
             other\n  fika local.pingpong, ns d: 100 → it hangs\n  \
             fika local.pingpong, ns e: no figure → 7\n\
             1 figures changed by no more than the noise\n"
        );
    }

    #[test]
    fn points_are_compared_with_their_own() {
        let at = |size, runs: &[f64]| Row {
            point: Point { size: Some(size), workers: None },
            ..row("ns", System::Fika, runs)
        };
        let old = report(vec![at(10, &[100.0]), at(20, &[500.0])]);
        let new = report(vec![at(10, &[100.0]), at(20, &[600.0])]);
        let text = compare(&new, &old);
        assert!(text.contains("worse\n  fika local.pingpong size=20, ns: 500 → 600"), "{text}");
        assert!(text.ends_with("1 figures changed by no more than the noise\n"), "{text}");
    }

    #[test]
    fn quick_runs_are_compared_with_quick_ones() {
        let old = report(vec![row("ns", System::Fika, &[1.0])]);
        let new = Report { quick: true, ..report(vec![row("ns", System::Fika, &[9.0])]) };
        assert!(compare(&new, &old).ends_with("they can't be compared\n"));
    }
}
