//! Paths that some code must not name.

use std::collections::BTreeMap;

use syn::visit::Visit as _;
use syn::{Item, UseTree};

use crate::graph::Paths;
use crate::house::{File, House, Violation, is_in};
use crate::tables::Ban;

/// Checks that no code under the ban's folder uses a banned name, however it imports the name.
pub(crate) fn check_ban(house: &House, ban: &Ban) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, file) in house.under(ban.folder) {
        let is_excepted =
            |except: &&str| *except == name || is_in(name, except.trim_end_matches('/'));
        if ban.except.iter().any(is_excepted) {
            continue;
        }
        for (path, line) in paths(file, ban.in_tests) {
            if let Some(banned) = ban.names.iter().find(|banned| is_named(&path, banned)) {
                found.push(Violation {
                    file: name.to_owned(),
                    line,
                    what: format!("`{}` is banned in {}: `{banned}`", path.join("::"), ban.folder),
                    remedy: ban.instead.to_owned(),
                });
            }
        }
    }
    for except in ban.except {
        let mut names = house.rust.keys();
        if !names.any(|name| name == except || is_in(name, except.trim_end_matches('/'))) {
            found.push(Violation {
                file: "tests/tidy/tables.rs".to_owned(),
                line: 1,
                what: format!("there is no {except}, which is excepted in {}", ban.folder),
                remedy: "remove it from BANS".to_owned(),
            });
        }
    }
    found
}

/// Returns whether a path has a banned name. A single name is banned as any part of a path, a
/// longer one only as its beginning.
fn is_named(path: &[String], banned: &str) -> bool {
    let banned: Vec<&str> = banned.split("::").collect();
    match banned[..] {
        [name] => path.iter().any(|part| part == name),
        _ => path.iter().map(String::as_str).take(banned.len()).eq(banned.iter().copied()),
    }
}

/// Returns all paths in the file, with the imported names spelled out.
fn paths(file: &File, in_tests: bool) -> Vec<(Vec<String>, usize)> {
    let mut all = Paths { in_tests, ..Paths::default() };
    all.visit_file(&file.syntax);
    let mut imports: BTreeMap<String, Vec<String>> = BTreeMap::new();
    file.syntax.items.iter().for_each(|item| imported(item, &mut imports));
    let spelled = |(path, line): (Vec<String>, usize)| match imports.get(&path[0]) {
        Some(whole) if path.len() > 1 => ([&whole[..], &path[1..]].concat(), line),
        _ => (path, line),
    };
    all.found.into_iter().map(spelled).collect()
}

fn imported(item: &Item, imports: &mut BTreeMap<String, Vec<String>>) {
    match item {
        Item::Use(item) => {
            let mut left: Vec<(Vec<String>, &UseTree)> = vec![(Vec::new(), &item.tree)];
            while let Some((mut path, tree)) = left.pop() {
                match tree {
                    UseTree::Path(tree) => {
                        path.push(tree.ident.to_string());
                        left.push((path, &tree.tree));
                    }
                    UseTree::Group(tree) => {
                        left.extend(tree.items.iter().map(|tree| (path.clone(), tree)));
                    }
                    UseTree::Name(tree) if tree.ident == "self" => {
                        imports.insert(path.last().cloned().unwrap_or_default(), path);
                    }
                    UseTree::Name(tree) => {
                        path.push(tree.ident.to_string());
                        imports.insert(tree.ident.to_string(), path);
                    }
                    UseTree::Rename(tree) => {
                        if tree.ident != "self" {
                            path.push(tree.ident.to_string());
                        }
                        imports.insert(tree.rename.to_string(), path);
                    }
                    UseTree::Glob(_) => {}
                }
            }
        }
        Item::Mod(module) => {
            let items = module.content.iter().flat_map(|(_, items)| items);
            items.for_each(|item| imported(item, imports));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banned_lines(text: &str, in_tests: bool) -> Vec<usize> {
        let mut house = House::default();
        house.add("a/src/x.rs", text);
        let names = &["std::net", "Instant", "tracing::warn"];
        let ban = Ban { folder: "a/src", except: &[], in_tests, names, instead: "" };
        check_ban(&house, &ban).into_iter().map(|one| one.line).collect()
    }

    #[test]
    fn a_banned_path_is_reported() {
        let cases: [(&str, &[usize]); 10] = [
            ("use std::net::IpAddr;", &[1]),
            ("use std::{fmt, net};\nfn f(_: net::IpAddr) {}", &[1, 2]),
            ("use std::{net as wire};\nfn f(_: wire::IpAddr) {}", &[1, 2]),
            ("use std::net::{self};", &[1]),
            ("\nfn f() -> std::time::Instant { Instant::now() }", &[2, 2]),
            ("fn f() { g!(a, std::net::X); }", &[1]),
            ("fn f() { tracing::warn!(\"x\"); }", &[1]),
            ("use tracing::warn as say;", &[1]),
            ("fn f() {\n use std::net::X; }", &[2]),
            ("mod m {\n use std::net::X; }", &[2]),
        ];
        for (text, lines) in cases {
            assert_eq!(banned_lines(text, false), lines, "{text}");
        }
    }

    #[test]
    fn other_paths_are_allowed() {
        for text in
            ["use core::net::X;", "fn net() { net(); }", "// std::net", "use tracing::trace;"]
        {
            assert_eq!(banned_lines(text, false), [0; 0], "{text}");
        }
        let tests = "#[cfg(test)]\nmod tests {\n use std::net::X;\n}";
        assert_eq!(banned_lines(tests, false), [0; 0]);
        assert_eq!(banned_lines(tests, true), [3]);
    }

    #[test]
    fn exceptions_name_existing_files() {
        let mut house = House::default();
        house.add("a/src/x.rs", "use std::net::X;");
        house.add("a/src/bin/y.rs", "use std::net::X;");
        let except = &["a/src/x.rs", "a/src/bin/", "a/src/gone.rs"];
        let ban =
            Ban { folder: "a/src", except, in_tests: false, names: &["std::net"], instead: "" };
        let found = check_ban(&house, &ban);
        assert!(found.len() == 1 && found[0].what.contains("no a/src/gone.rs"), "{found:?}");
    }
}
