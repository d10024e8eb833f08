//! Finds the mutants that do not compile.

use std::collections::BTreeMap;
use std::error::Error;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::mutant::Mutant;
use crate::{Dropped, Rewritten};

#[derive(Deserialize)]
struct Line {
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Message {
    level: String,
    code: Option<Code>,
    rendered: Option<String>,
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct Span {
    file_name: String,
    byte_start: usize,
    byte_end: usize,
    is_primary: bool,
}

/// Checks the tree once. Returns the mutants that have errors; none if it compiles.
pub fn compile(
    tree: &Path,
    written: &BTreeMap<String, Rewritten>,
    mutants: &[Mutant],
) -> Result<Dropped, Box<dyn Error>> {
    let output = Command::new("cargo")
        .args(["check", "-p", "fika-runtime", "-p", "fika-otp", "-p", "fika-net"])
        .args(["--lib", "--bins"])
        .args(["--features=fika-runtime/observe,fika-net/fuzzing"])
        .args(["--message-format=json", "--keep-going"])
        .current_dir(tree)
        .stderr(Stdio::inherit())
        .output()?;
    let mut dropped = Dropped::new();
    if output.status.success() {
        return Ok(dropped);
    }
    let mut unknown = String::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let line: Line = serde_json::from_str(line)?;
        let Some(message) = line.message.filter(|message| message.level == "error") else {
            continue;
        };
        let keys = culprits(&message, written);
        if keys.is_empty() && !message.spans.is_empty() {
            unknown += message.rendered.as_deref().unwrap_or_default();
        }
        // A function that is called where a constant is computed.
        let constant = message.code.as_ref().is_some_and(|code| code.code == "E0015");
        for (key, sure) in keys {
            let mutant = mutants.iter().find(|mutant| mutant.key == key);
            let function = mutant.and_then(|mutant| mutant.function.as_ref());
            // A body of its own may have a type of its own.
            let other_type = function.is_some_and(|it| it.return_type.contains("impl "));
            let outcome = if constant || other_type || !sure { "unswitched" } else { "unviable" };
            dropped.insert(key, outcome.into());
        }
    }
    if dropped.is_empty() {
        return Err(format!("errors outside of mutants:\n{unknown}").into());
    }
    Ok(dropped)
}

/// The mutants to blame, and whether that is sure.
fn culprits(message: &Message, written: &BTreeMap<String, Rewritten>) -> Vec<(String, bool)> {
    let overlaps = |range: &Range<usize>, span: &Span| {
        range.start < span.byte_end && span.byte_start < range.end
    };
    let spans = |primary: bool| {
        let spans = message.spans.iter().filter(move |span| span.is_primary == primary);
        spans.filter_map(|span| Some((span, written.get(&span.file_name)?)))
    };
    for primary in [true, false] {
        let mut keys = Vec::new();
        for (span, file) in spans(primary) {
            let pieces = file.pieces.iter().filter(|(range, _)| overlaps(range, span));
            keys.extend(pieces.map(|(_, key)| (key.clone(), true)));
        }
        if !keys.is_empty() {
            return keys;
        }
    }
    // The innermost expression or body with mutants.
    for (span, file) in spans(true) {
        let around = file.around.iter().filter(|(range, _)| overlaps(range, span));
        if let Some((_, keys)) = around.min_by_key(|(range, _)| range.len()) {
            return keys.iter().map(|key| (key.clone(), false)).collect();
        }
    }
    Vec::new()
}
