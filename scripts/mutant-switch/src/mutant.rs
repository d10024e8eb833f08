//! A mutant, as described by `cargo mutants --list --json`.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use serde::Deserialize;

#[derive(Deserialize)]
pub struct Mutant {
    /// Its name in the results, which outlasts edits elsewhere in the file.
    #[serde(skip)]
    pub key: String,
    pub name: String,
    pub file: String,
    pub genre: Genre,
    pub replacement: String,
    pub span: Span,
    pub function: Option<Function>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Genre {
    FnValue,
    BinaryOperator,
    UnaryOperator,
    MatchArm,
    MatchArmGuard,
    StructField,
}

#[derive(Deserialize)]
pub struct Function {
    pub return_type: String,
}

#[derive(Deserialize)]
pub struct Span {
    pub start: Place,
    pub end: Place,
}

/// Counted from 1, in characters.
#[derive(Deserialize)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Mutant {
    /// The FNV-1a hash of the key: it stays the same whatever other mutants a build has.
    pub fn number(&self) -> u64 {
        self.key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

/// The mutants of `list` that `keys` names.
pub fn read(list: &Path, keys: &Path) -> Result<Vec<Mutant>, Box<dyn Error>> {
    let keys = fs::read_to_string(keys)?;
    let keys: HashMap<&str, &str> = keys
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(key, name)| (name, key))
        .collect();
    let all: Vec<Mutant> = serde_json::from_str(&fs::read_to_string(list)?)?;
    let known = all.into_iter().filter_map(|mutant| {
        let key = keys.get(mutant.name.as_str())?.to_string();
        Some(Mutant { key, ..mutant })
    });
    Ok(known.collect())
}
