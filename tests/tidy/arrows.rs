//! The arrows between parts of the code: which crate and which layer of a folder may use which, and
//! no circles.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Arrow, child_of};
use crate::house::{House, Violation, is_in};
use crate::tables::{Circle, Crate, Layers};

/// Compares the dependencies in each manifest with the table. Every member of the workspace has a row.
pub(crate) fn check_crates(house: &House, crates: &[Crate]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut say = |file: &str, line, what, remedy: &str| {
        let remedy = remedy.to_owned();
        found.push(Violation { file: file.to_owned(), line, what, remedy });
    };
    let workspace = &house.others["Cargo.toml"];
    for (n, line) in workspace.lines().enumerate() {
        let Some(members) = line.strip_prefix("members = ") else { continue };
        for member in members.split('"').skip(1).step_by(2) {
            if !crates.iter().any(|row| row.folder == member) {
                let what = format!("the crate `{member}` has no row in CRATES");
                say("Cargo.toml", n + 1, what, "add it, with the crates that it may use");
            }
        }
    }
    for row in crates {
        let manifest = manifest_of(row);
        let Some(text) = house.others.get(&manifest) else {
            let what = format!("there is no `{manifest}`");
            say("tests/tidy/tables.rs", 1, what, "remove the row from CRATES");
            continue;
        };
        let mut is_dependencies = false;
        for (n, line) in text.lines().enumerate() {
            if let Some(section) = line.strip_prefix('[') {
                let section = section.trim_end_matches(']');
                is_dependencies = section == "dependencies"
                    || section.starts_with("target.") && section.ends_with(".dependencies");
                continue;
            }
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if !is_dependencies || name.is_empty() || name.starts_with('#') {
                continue;
            }
            let is_ours = name == "fika" || name.starts_with("fika-");
            if is_ours && !row.may_use.contains(&name) || row.must_not_use.contains(&name) {
                let what = format!("this crate must not depend on `{name}`");
                say(
                    &manifest,
                    n + 1,
                    what,
                    "declare a trait here, which the higher crate implements",
                );
            }
        }
    }
    found
}

pub(crate) fn manifest_of(row: &Crate) -> String {
    if row.folder.is_empty() {
        "Cargo.toml".to_owned()
    } else {
        format!("{}/Cargo.toml", row.folder)
    }
}

/// Checks that no arrow between the files of a folder goes up.
pub(crate) fn check_layers(house: &House, arrows: &[Arrow], layers: &Layers) -> Vec<Violation> {
    let (folder, layers) = layers;
    let mut found = Vec::new();
    let level: BTreeMap<&str, usize> = layers
        .iter()
        .enumerate()
        .flat_map(|(n, names)| names.iter().map(move |name| (*name, n)))
        .collect();
    let children: BTreeMap<&str, &str> = house
        .under(folder)
        .filter_map(|(file, _)| Some((child_of(folder, file)?, file)))
        .filter(|(child, _)| !is_contents(child))
        .collect();
    for (child, file) in &children {
        if !level.contains_key(child) {
            found.push(Violation {
                file: (*file).to_owned(),
                line: 1,
                what: format!("`{child}` has no layer in `{folder}`"),
                remedy: "add it to the lowest layer of LAYERS that has all it uses".to_owned(),
            });
        }
    }
    for name in level.keys().filter(|name| !children.contains_key(**name)) {
        found.push(Violation {
            file: "tests/tidy/tables.rs".to_owned(),
            line: 1,
            what: format!("there is no `{name}` in `{folder}`"),
            remedy: "remove it from LAYERS".to_owned(),
        });
    }
    for arrow in arrows {
        let ends = (child_of(folder, &arrow.from), child_of(folder, &arrow.to));
        let (Some(from), Some(to)) = ends else { continue };
        let (Some(own), Some(theirs)) = (level.get(from), level.get(to)) else { continue };
        if theirs > own {
            found.push(Violation {
                file: arrow.from.clone(),
                line: arrow.line,
                what: format!("`{}` is in {}, a higher layer of `{folder}`", arrow.path, arrow.to),
                remedy: "move the shared part below both, or declare a trait here".to_owned(),
            });
        }
    }
    found
}

/// Returns whether a file is a crate's list of contents, or a program. These may use all files.
fn is_contents(child: &str) -> bool {
    matches!(child, "lib" | "mod" | "bin")
}

/// Checks that in no folder of the crate the files and folders use each other in a circle, unless it is
/// listed.
pub(crate) fn check_circles(
    house: &House,
    sources: &str,
    arrows: &[Arrow],
    allowed: &[Circle],
) -> Vec<Violation> {
    let mut folders = BTreeSet::from([sources]);
    for (mut file, _) in house.under(sources) {
        while let Some((folder, _)) = file.rsplit_once('/').filter(|(up, _)| is_in(up, sources)) {
            folders.insert(folder);
            file = folder;
        }
    }
    let mut found = Vec::new();
    let mut needed = BTreeSet::new();
    for folder in folders {
        // The first arrow between each two children of the folder.
        let mut between: BTreeMap<(&str, &str), &Arrow> = BTreeMap::new();
        for arrow in arrows {
            let ends = (child_of(folder, &arrow.from), child_of(folder, &arrow.to));
            if let (Some(from), Some(to)) = ends
                && from != to
            {
                between.entry((from, to)).or_insert(arrow);
            }
        }
        for circle in circles(&between.keys().copied().collect()) {
            let row = allowed.iter().position(|(of, names, _)| {
                *of == folder && circle.iter().all(|name| names.contains(name))
            });
            if let Some(row) = row {
                needed.insert(row);
                continue;
            }
            let inside = between
                .iter()
                .filter(|((from, to), _)| circle.contains(from) && circle.contains(to));
            let lines = inside.map(|(_, arrow)| {
                format!(
                    "\n      {}:{} uses {} (`{}`)",
                    arrow.from, arrow.line, arrow.to, arrow.path
                )
            });
            let names = circle.iter().copied().collect::<Vec<_>>().join(", ");
            let file = between.iter().find(|((from, _), _)| circle.contains(from));
            let (_, first) = file.expect("a circle has arrows");
            found.push(Violation {
                file: first.from.clone(),
                line: first.line,
                what: format!(
                    "{} parts of `{folder}` use each other in a circle: {names}{}",
                    circle.len(),
                    lines.collect::<String>()
                ),
                remedy:
                    "merge them, move the shared part below them, or list the circle in CIRCLES \
                         with a reason"
                        .to_owned(),
            });
        }
    }
    for (n, (folder, names, _)) in allowed.iter().enumerate() {
        let is_here = *folder == sources || is_in(folder, sources);
        if is_here && !needed.contains(&n) {
            found.push(Violation {
                file: "tests/tidy/tables.rs".to_owned(),
                line: 1,
                what: format!("there is no circle of {names:?} in `{folder}`"),
                remedy: "remove the row from CIRCLES".to_owned(),
            });
        }
    }
    found
}

/// Returns the sets of two names or more that lead to each other.
fn circles<'a>(arrows: &BTreeSet<(&'a str, &'a str)>) -> Vec<BTreeSet<&'a str>> {
    let names: BTreeSet<&str> = arrows.iter().flat_map(|(from, to)| [*from, *to]).collect();
    let reach: BTreeMap<&str, BTreeSet<&str>> = names
        .iter()
        .map(|name| {
            let (mut reached, mut left) = (BTreeSet::new(), vec![*name]);
            while let Some(at) = left.pop() {
                let next = arrows.iter().filter(|(from, _)| *from == at).map(|(_, to)| *to);
                left.extend(next.filter(|to| reached.insert(*to)));
            }
            (*name, reached)
        })
        .collect();
    let mut found: Vec<BTreeSet<&str>> = Vec::new();
    for name in names {
        let mutual = |other: &&&str| reach[*other].contains(name);
        let circle: BTreeSet<&str> = reach[name].iter().filter(mutual).copied().collect();
        if circle.len() > 1 && !found.contains(&circle) {
            found.push(circle);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::arrows;
    use crate::house::testing::{house, lines};

    const LAYERS: Layers = ("a/src", &[&["low", "side"], &["high"]]);

    fn layers(low: &str) -> Vec<String> {
        let root =
            "mod high;\nmod low;\nmod side;\npub use high::Upper;\npub use std::x::Outside;\n";
        let files = [
            ("a/src/lib.rs", root),
            ("a/src/low.rs", low),
            ("a/src/side.rs", "pub(crate) struct Side;\n"),
            ("a/src/high/mod.rs", "mod part;\npub use part::Upper;\npub(crate) fn up() {}\n"),
            ("a/src/high/part.rs", "use crate::low;\npub struct Upper;\nfn f() { low::g() }\n"),
        ];
        let house = house(&files);
        lines(check_layers(&house, &arrows(&house, "a/src"), &LAYERS))
    }

    #[test]
    fn an_upward_arrow_is_reported() {
        let to_part = "is in a/src/high/part.rs, a higher layer of `a/src`";
        let to_mod = "is in a/src/high/mod.rs, a higher layer of `a/src`";
        let cases = [
            // The path is the file's own, or leads through the crate's root, a group, a glob, an
            // alias or a macro.
            ("use crate::high::Upper;", 1, "crate::high::Upper", to_part),
            ("\nuse crate::Upper;", 2, "crate::Upper", to_part),
            ("use crate::{side::Side, Upper as U};", 1, "crate::Upper", to_part),
            ("use crate::*;\nfn f(_: Upper) {}", 2, "Upper", to_part),
            ("fn f() { let _ = crate::Upper; }", 1, "crate::Upper", to_part),
            ("use crate::high;\nfn f() { high::up(); }", 2, "high::up", to_mod),
            ("use super::high as h;\nfn f() { h::up(); }", 2, "h::up", to_mod),
            ("fn f() { println!(\"{}\", super::high::up()); }", 1, "super::high::up", to_mod),
            ("fn f() {\n use crate::high::up;\n up(); }", 2, "crate::high::up", to_mod),
            ("mod inner { use super::super::Upper; }", 1, "super::super::Upper", to_part),
            // The path follows an item that is for tests.
            ("#[cfg(test)]\nuse x::y;\nimpl crate::Upper {}", 3, "crate::Upper", to_part),
            ("#[cfg(not(test))]\nuse crate::Upper;", 2, "crate::Upper", to_part),
        ];
        for (low, line, path, to) in cases {
            assert_eq!(layers(low), [format!("a/src/low.rs:{line}: `{path}` {to}")], "{low}");
        }
    }

    #[test]
    fn arrows_within_or_below_a_layer_are_allowed() {
        let cases = [
            "",
            "use crate::side::Side;",
            "use std::fmt::Debug as Upper; fn f(_: &dyn Upper) {}",
            "use crate::Outside;",
            "struct Upper; fn f(_: Upper) {}",
            "fn f(x: X) { x.up(); println!(\"{}\", x.up); }",
            "#[cfg(test)] mod tests { use crate::Upper; }",
            "#[cfg(all(test, unix))] use crate::Upper;",
            "impl A { #[cfg(test)] fn f(_: crate::Upper) {} }",
        ];
        for low in cases {
            assert_eq!(layers(low), [""; 0], "{low}");
        }
    }

    #[test]
    fn layers_list_exactly_the_existing_modules() {
        let house =
            house(&[("a/src/lib.rs", "mod new;"), ("a/src/new.rs", ""), ("a/src/low.rs", "")]);
        let found = lines(check_layers(&house, &[], &("a/src", &[&["low", "gone"]])));
        let new = "a/src/new.rs:1: `new` has no layer in `a/src`";
        let gone = "tests/tidy/tables.rs:1: there is no `gone` in `a/src`";
        assert_eq!(found, [new, gone]);
    }

    fn circles_of(files: &[(&str, &str)], allowed: &[Circle]) -> Vec<String> {
        let house = house(files);
        lines(check_circles(&house, "a/src", &arrows(&house, "a/src"), allowed))
    }

    #[test]
    fn files_that_use_each_other_are_reported() {
        let files = [
            (
                "a/src/lib.rs",
                "mod b;\nmod c;\nmod d;\npub use b::B;\npub use c::C;\npub use d::D;\n",
            ),
            ("a/src/b.rs", "use crate::C;\npub struct B;\n"),
            ("a/src/c.rs", "pub struct C;\n\nfn f(_: crate::D) {}\n"),
            ("a/src/d.rs", "pub struct D(super::b::B);\n"),
        ];
        let found = circles_of(&files, &[]);
        let expected = "a/src/b.rs:1: 3 parts of `a/src` use each other in a circle: b, c, d\
            \n      a/src/b.rs:1 uses a/src/c.rs (`crate::C`)\
            \n      a/src/c.rs:3 uses a/src/d.rs (`crate::D`)\
            \n      a/src/d.rs:1 uses a/src/b.rs (`super::b::B`)";
        assert_eq!(found, [expected]);
        assert_eq!(circles_of(&files, &[("a/src", &["b", "c", "d"], "why")]), [""; 0]);
        // A part of the list is not enough, and neither is the list of another folder.
        assert_eq!(circles_of(&files, &[("a/src", &["b", "c"], "why")]).len(), 2);
        assert_eq!(circles_of(&files, &[("b/src", &["b", "c", "d"], "why")]).len(), 1);
    }

    #[test]
    fn folders_that_use_each_other_are_reported() {
        let files = [
            ("a/src/lib.rs", "mod x;\nmod y;\n"),
            ("a/src/x/mod.rs", "pub mod low;\npub mod high;\n"),
            ("a/src/x/low.rs", "pub struct Low;\n"),
            ("a/src/x/high.rs", "use crate::y::mid::Mid;\n"),
            ("a/src/y/mod.rs", "pub mod mid;\n"),
            ("a/src/y/mid.rs", "use crate::x::low::Low;\npub struct Mid;\n"),
        ];
        let found = circles_of(&files, &[]);
        assert!(found.len() == 1 && found[0].contains("2 parts of `a/src`"), "{found:#?}");
    }

    #[test]
    fn a_folder_and_parts_that_use_each_other_are_reported() {
        let files = [
            ("a/src/lib.rs", "mod x;\n"),
            ("a/src/x/mod.rs", "mod part;\nuse part::Part;\npub struct Whole(Part);\n"),
            ("a/src/x/part.rs", "use super::Whole;\npub struct Part(Box<Whole>);\n"),
        ];
        let found = circles_of(&files, &[]);
        assert!(found.len() == 1 && found[0].contains("`a/src/x`"), "{found:#?}");
        // A list of contents uses nothing.
        let contents = ("a/src/x/mod.rs", "mod part;\npub use part::Part;\npub struct Whole;\n");
        assert_eq!(circles_of(&[files[0], contents, files[2]], &[]), [""; 0]);
    }

    #[test]
    fn a_listed_circle_that_is_gone_is_reported() {
        let files = [("a/src/lib.rs", "mod b;\n"), ("a/src/b.rs", "")];
        let found = circles_of(&files, &[("a/src", &["b", "c"], "why")]);
        assert_eq!(
            found,
            ["tests/tidy/tables.rs:1: there is no circle of [\"b\", \"c\"] in `a/src`"]
        );
    }

    #[test]
    fn a_dependency_on_a_higher_crate_is_reported() {
        let row = |folder, may_use, must_not_use| Crate { folder, may_use, must_not_use };
        let crates = [row("", &["fika-low"][..], &[][..]), row("low", &[], &["mio"])];
        let manifests = |low: &str| {
            let root =
                "[workspace]\nmembers = [\"low\"]\n[dependencies]\nfika-low.workspace = true\n";
            lines(check_crates(&house(&[("Cargo.toml", root), ("low/Cargo.toml", low)]), &crates))
        };
        assert_eq!(manifests("[dev-dependencies]\nfika.path = \"..\"\nmio = \"1\"\n"), [""; 0]);
        let what = "this crate must not depend on";
        for (name, line) in [("fika-net", "fika-net.workspace = true"), ("mio", "mio = \"1\"")] {
            let expected = format!("low/Cargo.toml:2: {what} `{name}`");
            assert_eq!(manifests(&format!("[dependencies]\n{line}\n")), [&*expected]);
            assert_eq!(manifests(&format!("[target.'x'.dependencies]\n{line}\n")), [&*expected]);
        }
        let new = house(&[("Cargo.toml", "members = [\"new\"]\n"), ("low/Cargo.toml", "")]);
        let expected = "Cargo.toml:1: the crate `new` has no row in CRATES";
        assert_eq!(lines(check_crates(&new, &crates)), [expected]);
    }
}
