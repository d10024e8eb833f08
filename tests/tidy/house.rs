//! The files that the rules read: the sources with their syntax trees, and some documents and manifests.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Meta};

/// A file of Rust.
pub(crate) struct File {
    pub(crate) text: String,
    pub(crate) syntax: syn::File,
}

/// All files, by their paths from the root of the project.
#[derive(Default)]
pub(crate) struct House {
    pub(crate) rust: BTreeMap<String, File>,
    pub(crate) others: BTreeMap<String, String>,
}

/// A place where the code breaks a rule.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) what: String,
    /// How to repair it.
    pub(crate) remedy: String,
}

impl House {
    /// Reads the Rust files in these folders, and the other files.
    pub(crate) fn read(root: &Path, folders: &[&str], others: &[String]) -> House {
        let mut house = House::default();
        let mut left: Vec<String> = folders.iter().map(|folder| (*folder).to_owned()).collect();
        while let Some(folder) = left.pop() {
            let entries = fs::read_dir(root.join(&folder));
            for entry in entries.unwrap_or_else(|error| panic!("{folder}: {error}")) {
                let entry = entry.expect("the folder can be read");
                let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
                if entry.path().is_dir() {
                    // These are separate programs, and some of them do not compile.
                    if !matches!(&*name, "tests/ui" | "tests/abort") {
                        left.push(name);
                    }
                } else if name.ends_with(".rs") {
                    house.add(&name, &fs::read_to_string(entry.path()).expect("the file is text"));
                }
            }
        }
        for name in others {
            // The rule that needs a file reports it if it is missing.
            if let Ok(text) = fs::read_to_string(root.join(name)) {
                house.add(name, &text);
            }
        }
        house
    }

    pub(crate) fn add(&mut self, name: &str, text: &str) {
        if name.ends_with(".rs") {
            let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            self.rust.insert(name.to_owned(), File { text: text.to_owned(), syntax });
        } else {
            self.others.insert(name.to_owned(), text.to_owned());
        }
    }

    /// Returns the Rust files in a folder and in the folders below.
    pub(crate) fn under<'a>(
        &'a self,
        folder: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a File)> + Clone {
        let files = self.rust.iter().map(|(name, file)| (name.as_str(), file));
        files.filter(move |(name, _)| is_in(name, folder))
    }
}

/// Returns whether a file is in the folder, at any depth.
pub(crate) fn is_in(file: &str, folder: &str) -> bool {
    file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

impl File {
    /// Returns the lines with their numbers. Lines of tests and of comments are empty.
    pub(crate) fn code(&self) -> Vec<(usize, &str)> {
        let mut lines: Vec<&str> = self.text.lines().collect();
        for line in &mut lines {
            if line.trim_start().starts_with("//") {
                *line = "";
            }
        }
        let mut tests = Tests::default();
        tests.visit_file(&self.syntax);
        for (first, last) in tests.0 {
            lines[first - 1..last].fill("");
        }
        lines.into_iter().enumerate().map(|(n, line)| (n + 1, line)).collect()
    }
}

/// The lines of items that are compiled for tests only.
#[derive(Default)]
struct Tests(Vec<(usize, usize)>);

impl Tests {
    fn add(&mut self, span: Span) {
        self.0.push((span.start().line, span.end().line));
    }
}

impl<'a> Visit<'a> for Tests {
    fn visit_item(&mut self, item: &'a Item) {
        if is_test(attributes(item)) {
            self.add(item.span());
        } else {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'a syn::ImplItem) {
        let attributes = match item {
            syn::ImplItem::Fn(item) => &item.attrs[..],
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            _ => &[],
        };
        if is_test(attributes) {
            self.add(item.span());
        } else {
            visit::visit_impl_item(self, item);
        }
    }
}

/// Returns whether these attributes leave an item out of every build except that of tests.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<Meta>().is_ok_and(|predicate| needs_test(&predicate))
    })
}

fn needs_test(predicate: &Meta) -> bool {
    let parts = |list: &syn::MetaList| {
        list.parse_args_with(syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated)
            .map(|parts| parts.into_iter().collect::<Vec<_>>())
            .unwrap_or_default()
    };
    match predicate {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => parts(list).iter().any(needs_test),
        Meta::List(list) if list.path.is_ident("any") => parts(list).iter().all(needs_test),
        _ => false,
    }
}

pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(text: &str) -> String {
        let mut house = House::default();
        house.add("a.rs", text);
        let lines = house.rust["a.rs"].code().into_iter().map(|(_, line)| line.trim());
        lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn code_after_a_test_item_is_code() {
        let text = "//! A head.\nfn a() {}\n#[cfg(test)]\nuse x::y;\n\n// Why.\nfn b() {}\n";
        assert_eq!(code_of(text), "fn a() {} fn b() {}");
        let text = "#[cfg(all(test, not(loom)))]\nmod tests {\n fn t() {}\n}\nstruct C;\n";
        assert_eq!(code_of(text), "struct C;");
        let text = "impl A {\n #[cfg(test)]\n fn t() {}\n fn c() {}\n}\n";
        assert_eq!(code_of(text), "impl A { fn c() {} }");
    }

    #[test]
    fn code_of_other_builds_is_code() {
        for predicate in ["not(test)", "any(test, feature = \"x\")", "loom", "unix"] {
            let text = format!("#[cfg({predicate})]\nfn a() {{}}\n");
            assert!(code_of(&text).ends_with("fn a() {}"), "{predicate}");
        }
    }
}

/// Helpers for the tests of the rules.
#[cfg(test)]
pub(crate) mod testing {
    use super::{House, Violation};

    /// Makes a house of these files: their paths and texts.
    pub(crate) fn house(files: &[(&str, &str)]) -> House {
        let mut house = House::default();
        files.iter().for_each(|(name, text)| house.add(name, text));
        house
    }

    /// Returns one line for each violation.
    pub(crate) fn lines(found: Vec<Violation>) -> Vec<String> {
        found.iter().map(|one| format!("{}:{}: {}", one.file, one.line, one.what)).collect()
    }
}
