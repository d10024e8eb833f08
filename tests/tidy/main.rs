//! The rules of this project that no compiler checks: which code may use which, which files may
//! contain unsafe code, which names the protocol must not use, how files look, and which items have
//! examples.
//! `ARCHITECTURE.md` gives the reasons.
//!
//! The parts that change are in `tables`: layers, exceptions, lists. All violations are reported at
//! once, with the file, the line and the remedy. Each rule is itself tested on small sources that
//! break it.

mod arrows;
mod bans;
mod examples;
mod graph;
mod house;
mod shape;
mod tables;

use std::path::Path;

use house::{House, Violation};
use tables::{BANS, CIRCLES, CRATES, LAYERS, NO_EXAMPLE, OWN_BINARIES, SOURCES, UNSAFE_FILES};

#[test]
fn the_project_follows_its_rules() {
    let mut others: Vec<String> = CRATES.iter().map(arrows::manifest_of).collect();
    others.push("UNSAFE.md".to_owned());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let house = House::read(root, &[SOURCES, &["tests"]].concat(), &others);

    let mut found = arrows::check_crates(&house, CRATES);
    for sources in SOURCES {
        let arrows = graph::arrows(&house, sources);
        for layers in LAYERS.iter().filter(|(folder, _)| folder.starts_with(sources)) {
            found.extend(arrows::check_layers(&house, &arrows, layers));
        }
        found.extend(arrows::check_circles(&house, sources, &arrows, CIRCLES));
        found.extend(shape::check_heads_and_sizes(&house, sources));
        found.extend(shape::check_must_use(&house, sources));
    }
    found.extend(BANS.iter().flat_map(|ban| bans::check_ban(&house, ban)));
    found.extend(shape::check_unsafe(&house, SOURCES, UNSAFE_FILES));
    found.extend(shape::check_tests(&house, OWN_BINARIES));

    let crate_of = |sources: &'static str| match sources.strip_suffix("/src") {
        Some(folder) => (format!("fika_{folder}"), sources),
        None => ("fika".to_owned(), sources),
    };
    let mut crates: Vec<_> = SOURCES.iter().copied().map(crate_of).collect();
    // The facade comes first.
    crates.sort_by_key(|(name, _)| name != "fika");
    found.extend(examples::check_examples(&house, &crates, NO_EXAMPLE));

    let lines = found.iter().map(|one| {
        let Violation { file, line, what, remedy } = one;
        format!("\n{file}:{line}: {what}\n    to do: {remedy}")
    });
    let lines: Vec<String> = lines.collect();
    assert!(lines.is_empty(), "{} violations:{}", lines.len(), lines.concat());
}
