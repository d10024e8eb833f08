//! How files look: their heads and sizes, unsafe code, types that must be used, and the folders of
//! tests.

use std::collections::BTreeSet;

use syn::{Attribute, FnArg, ImplItem, Item, ReturnType, Type};

use crate::graph::unreached;
use crate::house::{File, House, Violation, attributes, is_test};
use crate::tables::CODE_LINES_MAX;

fn violation(file: &str, line: usize, what: String, remedy: &str) -> Violation {
    Violation { file: file.to_owned(), line, what, remedy: remedy.to_owned() }
}

/// Checks that every file begins with a head comment, and is not too long to read.
pub(crate) fn check_heads_and_sizes(house: &House, folder: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, file) in house.under(folder) {
        if !file.text.starts_with("//!") {
            let remedy = "say in its first line what it is, with `//!`";
            found.push(violation(name, 1, "the file has no head comment".to_owned(), remedy));
        }
        let lines = file.code().into_iter().filter(|(_, line)| !line.trim().is_empty());
        let lines: Vec<usize> = lines.map(|(n, _)| n).collect();
        if let Some(line) = lines.get(CODE_LINES_MAX) {
            let what =
                format!("the file has {} lines of code, more than {CODE_LINES_MAX}", lines.len());
            found.push(violation(name, *line, what, "split it"));
        }
    }
    found
}

/// Checks that the listed files, and no others, have unsafe code, and that `UNSAFE.md` names the
/// same files.
pub(crate) fn check_unsafe(house: &House, folders: &[&str], listed: &[&str]) -> Vec<Violation> {
    let document = &house.others["UNSAFE.md"];
    let mut found = Vec::new();
    let mut left: BTreeSet<&str> = listed.iter().copied().collect();
    for (name, file) in folders.iter().flat_map(|folder| house.under(folder)) {
        let line = file.code().into_iter().find(|(_, line)| line.contains("allow(unsafe_code)"));
        let is_listed = left.remove(name);
        if let (Some((line, _)), false) = (line, is_listed) {
            let remedy =
                "write it without, or list it in UNSAFE_FILES and UNSAFE.md with the reason";
            found.push(violation(
                name,
                line,
                "unsafe code in a file that is not listed".into(),
                remedy,
            ));
        } else if line.is_none() && is_listed {
            let what = "the file is listed, and has no unsafe code".to_owned();
            found.push(violation(name, 1, what, "remove it from UNSAFE_FILES and UNSAFE.md"));
        }
        if is_listed != document.contains(&format!("`{name}`")) {
            let what = "UNSAFE_FILES and UNSAFE.md differ in this file".to_owned();
            found.push(violation(name, 1, what, "name it in both or in neither"));
        }
    }
    for name in left {
        let what = format!("there is no {name}");
        found.push(violation("tests/tidy/tables.rs", 1, what, "remove it from UNSAFE_FILES"));
    }
    found
}

/// Checks that futures and builders are `#[must_use]`, since `sleep(..);` waits for nothing. (The
/// compiler knows `async fn` and `impl Future` by itself.)
pub(crate) fn check_must_use(house: &House, folder: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, file) in house.under(folder) {
        let mut items = Vec::new();
        all_items(&file.syntax.items, &mut items);
        let types = items.iter().filter_map(|item| match item {
            Item::Impl(block) if is_future(block) || is_builder(block) => named(&block.self_ty),
            _ => None,
        });
        for used in types.collect::<BTreeSet<_>>() {
            let defined = items.iter().find_map(|item| match item {
                Item::Struct(item) if item.ident == used => Some((&item.ident, &item.attrs)),
                Item::Enum(item) if item.ident == used => Some((&item.ident, &item.attrs)),
                _ => None,
            });
            let in_macro = || has_in_macro(file, &used);
            let (line, is_so) = match defined {
                Some((ident, attrs)) => (ident.span().start().line, has(attrs, "must_use")),
                None => (1, in_macro()),
            };
            if !is_so {
                let what = format!("`{used}` is a future or a builder, and is not `#[must_use]`");
                found.push(violation(name, line, what, "say there what happens without a use"));
            }
        }
    }
    found
}

/// Collects all items, including items of modules, and except for tests.
pub(crate) fn all_items<'a>(items: &'a [Item], into: &mut Vec<&'a Item>) {
    for item in items.iter().filter(|item| !is_test(attributes(item))) {
        into.push(item);
        if let Item::Mod(module) = item {
            module.content.iter().for_each(|(_, items)| all_items(items, into));
        }
    }
}

fn is_future(block: &syn::ItemImpl) -> bool {
    let is_named =
        |path: &syn::Path| path.segments.last().is_some_and(|last| last.ident == "Future");
    block.trait_.as_ref().is_some_and(|(_, path, _)| is_named(path))
}

/// Returns whether a public method takes the value and an argument, and returns the value.
fn is_builder(block: &syn::ItemImpl) -> bool {
    block.trait_.is_none()
        && block.items.iter().any(|item| {
            let ImplItem::Fn(function) = item else { return false };
            let inputs = &function.sig.inputs;
            let takes = matches!(inputs.first(), Some(FnArg::Receiver(it))
                if it.reference.is_none() && it.mutability.is_some());
            let gives = matches!(&function.sig.output, ReturnType::Type(_, ty)
                if named(ty).is_some_and(|name| name == "Self"));
            matches!(function.vis, syn::Visibility::Public(_)) && takes && gives && inputs.len() > 1
        })
}

fn named(ty: &Type) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    Some(path.path.segments.last()?.ident.to_string())
}

fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident(name))
}

/// Returns whether a type that a macro such as `pin_project!` defines has the attribute.
fn has_in_macro(file: &File, name: &str) -> bool {
    let text = &file.text;
    let Some(at) = text.find(&format!("struct {name}")) else { return false };
    let start = text[..at].rfind("\n}\n").unwrap_or(0);
    text[start..at].contains("#[must_use")
}

/// Checks that each file in a folder of tests is a module of its binary, since its tests would not
/// run otherwise, and that each binary of one file has a reason to be one.
pub(crate) fn check_tests(house: &House, reasons: &[(&str, &str)]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut folders = BTreeSet::new();
    let mut singles = BTreeSet::new();
    for (name, _) in house.under("tests") {
        match name.split('/').collect::<Vec<_>>()[..] {
            [_, folder, "main.rs"] => drop(folders.insert(folder)),
            [_, file] => drop(singles.insert(file.trim_end_matches(".rs"))),
            _ => {}
        }
    }
    for folder in folders {
        let folder = format!("tests/{folder}");
        let main = format!("{folder}/main.rs");
        for file in unreached(house, &folder, &main) {
            let what =
                format!("{main} does not declare the file as a module, so its tests do not run");
            found.push(violation(&file, 1, what, "add `mod` with its name there"));
        }
    }
    for single in &singles {
        if !reasons.iter().any(|(name, _)| name == single) {
            let what = "the file is a test binary of its own, which takes time to link".to_owned();
            let remedy = "move it into the folder of its area, or give the reason in OWN_BINARIES";
            found.push(violation(&format!("tests/{single}.rs"), 1, what, remedy));
        }
    }
    for (name, _) in reasons.iter().filter(|(name, _)| !singles.contains(name)) {
        let what = format!("there is no tests/{name}.rs");
        found.push(violation("tests/tidy/tables.rs", 1, what, "remove it from OWN_BINARIES"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::testing::{house, lines};

    #[test]
    fn files_without_head_or_too_long_are_reported() {
        let long = format!("//! A head.\n{}", "const _: () = ();\n".repeat(CODE_LINES_MAX));
        let longer =
            format!("{long}#[cfg(test)]\nmod tests {{}}\n\n// Why.\nconst LAST: () = ();\n");
        let house =
            house(&[("a/ok.rs", &long), ("a/long.rs", &longer), ("a/head.rs", "// No head.\n")]);
        let last = CODE_LINES_MAX + 6;
        let found = lines(check_heads_and_sizes(&house, "a"));
        let long = format!("a/long.rs:{last}: the file has 601 lines of code, more than 600");
        assert_eq!(found, ["a/head.rs:1: the file has no head comment", &*long]);
    }

    #[test]
    fn unlisted_unsafe_code_is_reported() {
        let allows = "#![allow(unsafe_code)]\n";
        let house = house(&[
            ("UNSAFE.md", "`a/listed.rs` `a/safe.rs` `a/documented.rs`"),
            ("a/listed.rs", allows),
            ("a/safe.rs", "// #![allow(unsafe_code)]\n"),
            ("a/unlisted.rs", "mod m {\n#![allow(unsafe_code)]\n}"),
            ("a/documented.rs", ""),
        ]);
        let found = check_unsafe(&house, &["a"], &["a/listed.rs", "a/safe.rs", "a/gone.rs"]);
        let expected = [
            "a/documented.rs:1: UNSAFE_FILES and UNSAFE.md differ in this file",
            "a/safe.rs:1: the file is listed, and has no unsafe code",
            "a/unlisted.rs:2: unsafe code in a file that is not listed",
            "tests/tidy/tables.rs:1: there is no a/gone.rs",
        ];
        assert_eq!(lines(found), expected);
    }

    #[test]
    fn futures_and_builders_without_must_use_are_reported() {
        let text = "
            struct Wait;
            impl std::future::Future for Wait {}
            #[must_use = \"why\"]
            struct Used;
            impl Future for Used {}
            pub struct Opts;
            impl Opts { pub fn with(mut self, n: u8) -> Self { self } }
            struct Plain;
            impl Plain { pub fn get(self) -> Self { self } fn own(mut self, n: u8) -> Self { self } }
            pin_project! {
                #[must_use]
                struct Pinned { x: u8 }
            }
            impl Future for Pinned {}
            #[cfg(test)]
            mod tests { struct T; impl Future for T {} }
        ";
        let found = lines(check_must_use(&house(&[("a/x.rs", text)]), "a"));
        let what = "is a future or a builder, and is not `#[must_use]`";
        assert_eq!(found, [format!("a/x.rs:7: `Opts` {what}"), format!("a/x.rs:2: `Wait` {what}")]);
    }

    #[test]
    fn tests_that_never_run_and_unlisted_binaries_are_reported() {
        let house = house(&[
            ("tests/net/main.rs", "#[path = \"../support/mod.rs\"]\nmod support;\nmod a;\nmod d;"),
            ("tests/net/a.rs", ""),
            ("tests/net/b.rs", ""),
            ("tests/net/d/mod.rs", "mod e;"),
            ("tests/net/d/e.rs", ""),
            ("tests/support/mod.rs", ""),
            ("tests/c.rs", ""),
            ("tests/listed.rs", ""),
        ]);
        let found = lines(check_tests(&house, &[("listed", "why"), ("gone", "why")]));
        let expected = [
            "tests/net/b.rs:1: tests/net/main.rs does not declare the file as a module, so its tests do not run",
            "tests/c.rs:1: the file is a test binary of its own, which takes time to link",
            "tests/tidy/tables.rs:1: there is no tests/gone.rs",
        ];
        assert_eq!(found, expected);
    }
}
