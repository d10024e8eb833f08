//! The settings that `#[fika::main]` knows are those that a node has.

use std::collections::BTreeSet;

use fika::node::Config;

/// Reads a source file of the project.
fn source(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_macro_knows_all_settings() {
    let macros = source("macros/src/settings.rs");
    let (_, list) = macros.split_once("const OF_BUILDER: &[&str] = &[").unwrap();
    let (list, _) = list.split_once("];").unwrap();
    let known: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
    // The error for an unknown key lists all keys.
    let error = Config::from_toml("colour = 1").unwrap_err().to_string();
    let (_, keys) = error.split_once("expected one of ").unwrap();
    let builder = source("src/builder.rs");
    let methods = builder.split("    pub fn ").skip(1).map(|text| text.split(['(', '<']).next());
    let methods = methods.map(|name| name.unwrap()).filter(|name| *name != "build");
    let settings: BTreeSet<&str> = keys.split('`').skip(1).step_by(2).chain(methods).collect();
    assert_eq!(known, settings);
}
