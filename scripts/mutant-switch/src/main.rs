//! Puts many mutants into one build. The variable `FIKA_MUTANT` says which of them is active.
//!
//!     mutant-switch SOURCE WORK
//!
//! Copies runtime/src, otp/src and net/src from SOURCE to WORK/tree, and writes mutants into the copies:
//! those of WORK/keys (lines of `key<TAB>name`), which WORK/list.json describes (the output of
//! `cargo mutants --list --json`). Then it checks the tree with cargo, and takes out what does
//! not compile, until the rest does.
//!
//! WORK/switched gets a line `key<TAB>value of FIKA_MUTANT` for each mutant in the build.
//! WORK/dropped gets a line `key<TAB>outcome` for each other one, and is also read, so that the
//! next call begins with it:
//!
//! - `unviable`: this change does not compile, however it is built
//! - `unswitched`: it may compile in a build of its own, as in constants
//!
//! A mutated expression becomes `(if mutants::on(number) { mutated } else { original })`,
//! and a replaced body begins with `if mutants::on(..) { return replacement; }`. These are
//! insertions only: all that is original stays in place, with the mutants within it.

mod check;
mod edits;
mod mutant;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

use crate::edits::{Rewritten, rewrite};
use crate::mutant::Mutant;

/// The outcome of the mutants that are not in the build, by key.
type Dropped = BTreeMap<String, String>;

/// The sources that can have mutants, and the crate roots among them.
const SOURCES: [&str; 3] = ["runtime/src", "otp/src", "net/src"];
const ROOTS: [&str; 4] =
    ["runtime/src/lib.rs", "otp/src/lib.rs", "net/src/lib.rs", "net/src/bin/fika-epmd.rs"];

const SWITCH: &str = r#"
#[doc(hidden)]
mod mutants {
    static ACTIVE: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| {
        let name = std::env::var("FIKA_MUTANT").unwrap_or_default();
        u64::from_str_radix(&name, 16).unwrap_or(0)
    });

    pub(crate) fn on(mutant: u64) -> bool {
        *ACTIVE == mutant
    }
}
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [source, work] = &arguments[..] else {
        eprintln!("usage: mutant-switch SOURCE WORK");
        process::exit(2);
    };
    let tree = work.join("tree");
    let mutants = mutant::read(&work.join("list.json"), &work.join("keys"))?;
    let mut dropped: Dropped = fs::read_to_string(work.join("dropped"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(key, outcome)| (key.into(), outcome.into()))
        .collect();
    let mut files = BTreeMap::new();
    for folder in SOURCES {
        for file in rust_files(&source.join(folder))? {
            let name = file.strip_prefix(source)?.to_string_lossy().into_owned();
            files.insert(name, fs::read_to_string(file)?);
        }
    }
    loop {
        let mut written = BTreeMap::new();
        for (name, text) in &files {
            let these: Vec<&Mutant> = mutants
                .iter()
                .filter(|mutant| mutant.file == *name && !dropped.contains_key(&mutant.key))
                .collect();
            let rewritten = rewrite(text, &these)?;
            for key in &rewritten.impossible {
                dropped.insert(key.clone(), "unviable".into());
            }
            for key in &rewritten.left_out {
                dropped.insert(key.clone(), "unswitched".into());
            }
            let switch = if ROOTS.contains(&name.as_str()) { SWITCH } else { "" };
            write_if_changed(&tree.join(name), &format!("{}{switch}", rewritten.text))?;
            written.insert(name.clone(), rewritten);
        }
        let found = check::compile(&tree, &written, &mutants)?;
        let done = found.is_empty();
        dropped.extend(found);
        let lines = dropped.iter().map(|(key, outcome)| format!("{key}\t{outcome}\n"));
        fs::write(work.join("dropped"), lines.collect::<String>())?;
        if done {
            let switched = mutants.iter().filter(|mutant| !dropped.contains_key(&mutant.key));
            let lines = switched.map(|mutant| format!("{}\t{:x}\n", mutant.key, mutant.number()));
            return Ok(fs::write(work.join("switched"), lines.collect::<String>())?);
        }
        eprintln!("{} of {} mutants are not in the build", dropped.len(), mutants.len());
    }
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

/// Leaves a file alone that has this text already, so that cargo does not build it again.
fn write_if_changed(path: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::write(path, text)?)
}
