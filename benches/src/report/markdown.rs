//! The report as a part of a Markdown file. Text around that part is kept.

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use super::canvas::file_name;
use super::chart::{base, charts};
use super::curves::grids;
use super::number::{number, ratio, with_range, words};
use super::table::Notes;
use super::{Report, Row};
use crate::catalog::WORKLOADS;
use crate::system::System;

/// The marks around the generated part.
struct Marks {
    begin: &'static str,
    end: &'static str,
}

const FIGURES: Marks = Marks {
    begin: "<!-- figures: begin (written by fika-bench, do not edit) -->",
    end: "<!-- figures: end -->",
};
const SCALE: Marks = Marks {
    begin: "<!-- scale: begin (written by fika-bench, do not edit) -->",
    end: "<!-- scale: end -->",
};

/// Writes the part of `file` between the report's two marks, or a new file. `charts` is the folder
/// of the charts, if there are any.
pub(crate) fn write_markdown(
    report: &Report,
    file: &Path,
    charts: Option<&Path>,
) -> Result<(), String> {
    let told = |error: io::Error| format!("{}: {error}", file.display());
    let old = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(told(error)),
    };
    let charts = charts.map(|charts| relative(charts, file.parent().unwrap_or(Path::new(""))));
    let charts = charts.as_deref();
    let new = if report.is_of_scale() {
        replaced(&old, &SCALE, &scale(report, charts))
    } else {
        replaced(&old, &FIGURES, &figures(report, charts))
    };
    fs::write(file, new.map_err(|why| format!("{}: {why}", file.display()))?).map_err(told)
}

/// Returns `text` with `figures` between the marks. A text without marks gets the part at its end.
fn replaced(text: &str, marks: &Marks, figures: &str) -> Result<String, String> {
    let Marks { begin, end } = marks;
    let part = format!("{begin}\n\n{}\n\n{end}", figures.trim());
    match (text.find(begin), text.find(end)) {
        (Some(from), Some(to)) if from < to => {
            Ok(format!("{}{part}{}", &text[..from], &text[to + end.len()..]))
        }
        (None, None) if text.is_empty() => Ok(format!("# Benchmarks\n\n{part}\n")),
        (None, None) => Ok(format!("{}\n\n{part}\n", text.trim_end())),
        _ => Err(format!("`{begin}` and `{end}` must come in this order, each once")),
    }
}

/// Returns the relative path from one folder to another. Both paths are relative to the current
/// folder.
fn relative(to: &Path, from: &Path) -> PathBuf {
    let (to, from) = (parts(to), parts(from));
    let same = to.iter().zip(&from).take_while(|(a, b)| a == b).count();
    let up = from[same..].iter().map(|_| Component::ParentDir);
    up.chain(to[same..].iter().copied()).collect()
}

fn parts(path: &Path) -> Vec<Component<'_>> {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

fn figures(report: &Report, charts_in: Option<&Path>) -> String {
    let mut text = head(report);
    text += &overview(report);
    for chart in charts(report) {
        let _ = write!(text, "\n### {chart}\n\n{}", abouts(report, &chart));
        text += &image(&chart, charts_in);
        text += &table(report, &chart);
    }
    text
}

/// Returns the curves, and the gain of several workers.
fn scale(report: &Report, charts_in: Option<&Path>) -> String {
    let mut text = head(report);
    text += "\nMedian (minimum – maximum).\n";
    for grid in grids(report) {
        let _ = write!(text, "\n### {}\n\n{}.\n", grid.title, grid.about);
        if grid.has_chart {
            text += &image(&grid.title, charts_in);
        }
        text += "\n";
        text += &row_of(grid.head.iter().cloned());
        text += &row_of(vec!["---".to_owned(); grid.head.len()].into_iter());
        for row in &grid.rows {
            text += &row_of(row.iter().cloned());
        }
        text += &notes_below(&grid.notes);
    }
    text
}

fn image(chart: &str, charts_in: Option<&Path>) -> String {
    let file = charts_in.map(|folder| folder.join(file_name(chart)));
    file.map_or(String::new(), |file| format!("\n![{chart}]({})\n", file.display()))
}

fn head(report: &Report) -> String {
    let mut text = format!("Measured {}", report.date);
    if report.quick {
        text += " by a quick run: the figures are rough";
    }
    text += ".\n\n| | |\n|---|---|\n";
    for (name, value) in report.machine.iter().chain(&report.versions) {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    text
}

/// Returns the first figure of each workload: fika's, and how many times better it is.
fn overview(report: &Report) -> String {
    let systems = report.systems();
    let others: Vec<System> =
        systems.into_iter().filter(|system| *system != System::Fika).collect();
    let mut text = String::from(
        "\n## At a glance\n\nfika's figure, and how many times better it is than each other \
         system (less than 1 is worse).\n\n",
    );
    text += &row_of(
        ["workload", "figure", "fika"]
            .map(str::to_owned)
            .into_iter()
            .chain(others.iter().map(|system| format!("than {system}"))),
    );
    text += &row_of(vec!["---".to_owned(); others.len() + 3].into_iter());
    for (workload, metrics) in report.workloads() {
        let Some(metric) = metrics.first() else { continue };
        let Some(ours) = report.row(workload, metric, System::Fika) else { continue };
        let figure = ours.cell.figures().map_or("–".into(), |figures| number(figures.median));
        let times = others
            .iter()
            .map(|system| report.ratio(workload, metric, *system).map_or(String::new(), ratio));
        text += &row_of([workload.to_owned(), words(metric), figure].into_iter().chain(times));
    }
    text + "\n## Workload by workload\n\nMedian (minimum – maximum). **n ×** means that fika is n \
            times better. CPU time and peak memory include the start and the warm-up of a run: \
            the CPU time of all its OS processes, and the peak memory of the largest one.\n"
}

fn abouts(report: &Report, chart: &str) -> String {
    let workloads = report.workloads();
    let named = workloads.iter().filter(|(workload, _)| base(workload) == chart);
    let lines = named.filter_map(|(workload, _)| {
        let known = WORKLOADS.iter().find(|known| known.name == *workload)?;
        let exceptions = known.exceptions().map_or(String::new(), |text| format!(" {text}"));
        let variant = workload[chart.len()..].trim_start_matches('.').replace('_', " ");
        let variant = if variant.is_empty() { variant } else { format!("**{variant}**: ") };
        Some(format!("{variant}{}.{exceptions}\n", known.about))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn table(report: &Report, chart: &str) -> String {
    let named: Vec<_> =
        report.workloads().into_iter().filter(|(workload, _)| base(workload) == chart).collect();
    let has = |system: &System| {
        report.rows.iter().any(|row| row.system == *system && base(&row.workload) == chart)
    };
    let systems: Vec<System> = System::ALL.into_iter().filter(has).collect();
    let mut notes = Notes::default();
    let mut text = String::from("\n");
    text += &row_of([String::new()].into_iter().chain(systems.iter().map(System::to_string)));
    text += &row_of(vec!["---".to_owned(); systems.len() + 1].into_iter());
    for (workload, metrics) in named {
        let variant = workload[chart.len()..].trim_start_matches('.').replace('_', " ");
        for metric in metrics {
            let label = match variant.as_str() {
                "" => words(metric),
                variant => format!("{variant}: {}", words(metric)),
            };
            let cells = systems.iter().map(|system| {
                let times = report.ratio(workload, metric, *system);
                cell(report.row(workload, metric, *system), times, &mut notes)
            });
            text += &row_of([label].into_iter().chain(cells.collect::<Vec<_>>()));
        }
    }
    text + &notes_below(&notes)
}

fn notes_below(notes: &Notes) -> String {
    let told = notes
        .texts()
        .iter()
        .enumerate()
        .map(|(i, note)| format!("\n[{}] {}\n", i + 1, note.replace('|', "\\|")));
    told.collect()
}

fn cell(row: Option<&Row>, times: Option<f64>, notes: &mut Notes) -> String {
    let Some(row) = row else { return String::new() };
    let mark = row.cell.note().map(|note| notes.mark(note)).unwrap_or_default();
    let Some(figures) = row.cell.figures() else { return mark };
    let times = match (row.system, times) {
        (System::Fika, _) | (_, None) => String::new(),
        (_, Some(times)) => format!(" **{}**", ratio(times)),
    };
    format!("{}{times} {mark}", with_range(figures)).trim_end().to_owned()
}

fn row_of(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{report, row, without};
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let Marks { begin, end } = FIGURES;
        let old = format!("before\n\n{begin}\nold\n{end}\n\nafter\n");
        let new = replaced(&old, &FIGURES, "new\n").unwrap();
        assert_eq!(new, format!("before\n\n{begin}\n\nnew\n\n{end}\n\nafter\n"));
        assert_eq!(replaced(&new, &FIGURES, "new\n").unwrap(), new);
    }

    #[test]
    fn a_file_without_marks_gets_them() {
        let Marks { begin, end } = FIGURES;
        assert_eq!(
            replaced("", &FIGURES, "new").unwrap(),
            format!("# Benchmarks\n\n{begin}\n\nnew\n\n{end}\n")
        );
        assert_eq!(
            replaced("text\n", &FIGURES, "new").unwrap(),
            format!("text\n\n{begin}\n\nnew\n\n{end}\n")
        );
        for broken in [format!("{end}\n{begin}"), begin.to_owned(), end.to_owned()] {
            assert!(replaced(&broken, &FIGURES, "new").is_err(), "{broken}");
        }
    }

    #[test]
    fn each_kind_of_report_has_its_own_marks() {
        let text = replaced("", &FIGURES, "figures").unwrap();
        let text = replaced(&text, &SCALE, "curves").unwrap();
        assert_eq!(replaced(&text, &FIGURES, "figures").unwrap(), text);
        assert_eq!(replaced(&text, &SCALE, "curves").unwrap(), text);
    }

    #[test]
    fn charts_are_named_as_seen_from_the_file() {
        for (to, from, expected) in [
            ("benches/charts", "", "benches/charts"),
            ("./benches/charts", ".", "benches/charts"),
            ("/a/b/charts", "/a", "b/charts"),
            ("charts", "docs/deep", "../../charts"),
        ] {
            assert_eq!(relative(Path::new(to), Path::new(from)), Path::new(expected));
        }
    }

    #[test]
    fn a_workload_has_its_words_its_chart_and_its_table() {
        let report = report(vec![
            row("ns", System::Fika, &[50.0, 51.0, 52.0]),
            row("ns", System::Beam, &[510.0]),
            without("ns", System::Actix, "a | b"),
        ]);
        let text = figures(&report, Some(Path::new("charts")));
        for expected in [
            "| local.pingpong | ns | 51 | 10 × |  |",
            "round trips in one pair of processes.",
            "![local.pingpong](charts/local.pingpong.svg)",
            "| ns | 51 (50 – 52) | 510 **10 ×** | [1] |",
            "[1] a \\| b",
        ] {
            assert!(text.contains(expected), "no {expected:?} in\n{text}");
        }
    }
}
