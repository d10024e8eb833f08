//! The report as JSON, for other programs and for comparison with later runs.

use std::fs;
use std::path::Path;

use super::Report;

/// Writes the report to a file, one row per line. Creates the folder if it is missing.
pub(crate) fn write(report: &Report, file: &Path) -> Result<(), String> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(file, text(report)));
    written.map_err(|error| format!("{}: {error}", file.display()))
}

/// Reads a report.
pub(crate) fn read(file: &Path) -> Result<Report, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

fn text(report: &Report) -> String {
    let head = Report { rows: Vec::new(), ..report.clone() };
    let head = serde_json::to_string_pretty(&head).expect("all keys are strings");
    let rows = report
        .rows
        .iter()
        .map(|row| format!("    {}", serde_json::to_string(row).expect("all keys are strings")));
    let rows = rows.collect::<Vec<_>>().join(",\n");
    head.replace("\"rows\": []", &format!("\"rows\": [\n{rows}\n  ]")) + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::testing::{report, row, without};
    use super::*;
    use crate::system::System;

    #[test]
    fn the_layout_is_the_one_promised() {
        let report = report(vec![
            row("ns_per_round_trip", System::Fika, &[3.0, 1.0, 2.0]),
            without("round_trips_per_s", System::Beam, "why"),
        ]);
        let text = text(&report);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "machine": { "cpu": "a small one" },
                "versions": { "fika": "0.1.0" },
                "date": "2026-01-02T03:04:05Z",
                "quick": false,
                "rows": [
                    {
                        "workload": "local.pingpong", "metric": "ns_per_round_trip",
                        "system": "fika", "median": 2.0, "min": 1.0, "max": 3.0,
                        "runs": [3.0, 1.0, 2.0], "better": "lower",
                    },
                    {
                        "workload": "local.pingpong", "metric": "round_trips_per_s",
                        "system": "beam", "error": "why", "better": "higher",
                    },
                ],
            })
        );
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
