//! The report as a table for the terminal.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell as TableCell, CellAlignment, Table};

use super::number::{number, ratio, words};
use super::{Report, Row};
use crate::system::System;

/// Returns the table, with a head that describes the machine, and with notes below that say why
/// cells are empty.
pub(crate) fn table(report: &Report) -> String {
    let systems = report.systems();
    let mut notes = Notes::default();
    let mut table = Table::new();
    table.load_preset(NOTHING);
    let head = systems.iter().map(TableCell::new);
    table.set_header([TableCell::new("")].into_iter().chain(head));
    for (workload, metrics) in report.workloads() {
        table.add_row([""]);
        table.add_row([workload]);
        for metric in metrics {
            let cells = systems.iter().map(|system| {
                let row = report.row(workload, metric, *system);
                let times = report.ratio(workload, metric, *system);
                TableCell::new(cell(row, times, &mut notes)).set_alignment(CellAlignment::Right)
            });
            let cells: Vec<TableCell> = cells.collect();
            table
                .add_row([TableCell::new(format!("  {}", words(metric)))].into_iter().chain(cells));
        }
    }
    let head = head_lines(report);
    format!("{head}`n ×`: fika is n times better.\n\n{table}\n{}", notes.lines())
}

/// Returns the lines that describe the machine and the versions.
pub(super) fn head_lines(report: &Report) -> String {
    let pairs = report.machine.iter().chain(&report.versions);
    let lines = pairs.map(|(name, value)| format!("{name:>8}  {value}\n")).collect::<String>();
    let quick = if report.quick { "  a quick run: the figures are rough\n" } else { "" };
    format!("{:>8}  {}\n{lines}{quick}\nMedian, minimum and maximum.\n", "date", report.date)
}

fn cell(row: Option<&Row>, times: Option<f64>, notes: &mut Notes) -> String {
    let Some(row) = row else { return String::new() };
    let mark = row.cell.note().map(|note| notes.mark(note)).unwrap_or_default();
    let Some(figures) = row.cell.figures() else { return mark };
    let times = match (row.system, times) {
        (System::Fika, _) | (_, None) => String::new(),
        (_, Some(times)) => format!("  {}", ratio(times)),
    };
    let range = if figures.runs.len() == 1 {
        String::new()
    } else {
        format!("\n{} – {}", number(figures.min), number(figures.max))
    };
    format!("{mark}{}{times}{range}", number(figures.median))
}

/// The notes below a table, without duplicates.
#[derive(Default, Debug)]
pub(super) struct Notes(Vec<String>);

impl Notes {
    /// Returns the mark of a note, in brackets.
    pub(super) fn mark(&mut self, note: String) -> String {
        let at = self.0.iter().position(|known| *known == note).unwrap_or_else(|| {
            self.0.push(note);
            self.0.len() - 1
        });
        format!("[{}]", at + 1)
    }

    pub(super) fn lines(&self) -> String {
        self.0.iter().enumerate().map(|(i, note)| format!("[{}] {note}\n", i + 1)).collect()
    }

    pub(super) fn texts(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{report, row, without};
    use super::*;

    #[test]
    fn cells_have_figures_ranges_ratios_and_notes() {
        let text = table(&report(vec![
            row("ns", System::Fika, &[50.0, 51.0, 52.0]),
            row("ns", System::Beam, &[500.0, 510.0, 520.0]),
            without("ns", System::Actix, "it has none"),
            without("ns", System::Hydra, "it has none"),
        ]));
        for expected in ["510  10 ×", "500 – 520", "50 – 52", "[1] it has none", "a small one"]
        {
            assert!(text.contains(expected), "no {expected} in\n{text}");
        }
        assert!(!text.contains("[2]"), "{text}");
    }
}
