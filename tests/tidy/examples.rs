//! Every public item has an example.
//!
//! The public items are those that a program reaches from the facade, with all features: functions,
//! types, traits and macros, and the methods of these types and traits. Items that are hidden from
//! the documentation are left out, and so are constants, fields and variants.
//!
//! An example is a code block of the documentation that is compiled. Only the lines that a reader
//! sees count. An item is shown by
//!
//! - an example in its own documentation;
//! - an example of a module that exports it, if the example names it;
//! - for a type or a trait, an example of one of its methods;
//! - for a method, an example of its type, of a module that exports the type, or of another method of
//!   the type, if the example calls the method;
//! - for a method of a trait, also an example there that implements it, or calls it on any type.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{Attribute, Expr, ExprLit, FnArg, ImplItem, Item, Lit, Meta, Signature, TraitItem};
use syn::{Type, UseTree, Visibility};

use crate::graph::{Names, Target, defined, flatten, plain};
use crate::house::{House, Violation, attributes, is_test};
use crate::shape::all_items;

/// A public item, by the path from the facade's root, and why it has no example.
pub(crate) type NoExample = (&'static str, &'static str);

/// Checks that each item that the first of these crates exports has an example. A crate has a name
/// and a folder with its sources.
pub(crate) fn check_examples(
    house: &House,
    crates: &[(String, &str)],
    reasons: &[NoExample],
) -> Vec<Violation> {
    let mut exports = Exports { house, crates: Vec::new(), found: BTreeMap::new() };
    for (name, folder) in crates {
        let names = Names::new(house, &format!("{folder}/lib.rs"), folder);
        exports.crates.push((name.clone(), names));
    }
    exports.module(0, 0, "");
    let mut found = Vec::new();
    let mut unused: Vec<&NoExample> = reasons.iter().collect();
    let mut say = |path: &str, file: &str, line| {
        let reason = unused.iter().position(|(listed, _)| *listed == path);
        if let Some(reason) = reason {
            unused.remove(reason);
        } else if !reasons.iter().any(|(listed, _)| *listed == path) {
            found.push(Violation {
                file: file.to_owned(),
                line,
                what: format!("`{path}` has no example"),
                remedy: "write one, or list the item in NO_EXAMPLE with a reason".to_owned(),
            });
        }
    };
    for (in_crate, item) in exports.found.values() {
        let methods = exports.methods(*in_crate, item);
        let is_shown = !item.examples.is_empty()
            || item.pages.iter().any(|page| names(page, &item.name))
            || methods.iter().any(|method| !method.examples.is_empty());
        if !is_shown {
            say(&item.path, &item.file, item.line);
        }
        let others: Vec<&String> = methods.iter().flat_map(|method| &method.examples).collect();
        for method in &methods {
            let mut near = others.iter().copied().chain(&item.examples).chain(&item.pages);
            if method.examples.is_empty() && !near.any(|code| method.is_called(code, &item.name)) {
                let path = format!("{}::{}", item.path, method.name);
                say(&path, &method.file, method.line);
            }
        }
    }
    for (path, _) in unused {
        found.push(Violation {
            file: "tests/tidy/tables.rs".to_owned(),
            line: 1,
            what: format!("there is no `{path}` without an example"),
            remedy: "remove it from NO_EXAMPLE".to_owned(),
        });
    }
    found
}

/// A public item that is not a method.
struct Public {
    /// The path from the facade's root.
    path: String,
    name: String,
    file: String,
    line: usize,
    /// The examples in its documentation.
    examples: Vec<String>,
    /// The examples of the modules that export it.
    pages: Vec<String>,
}

struct Method {
    name: String,
    file: String,
    line: usize,
    takes_self: bool,
    is_of_trait: bool,
    examples: Vec<String>,
}

impl Method {
    fn new(attrs: &[Attribute], signature: &Signature, file: &str, is_of_trait: bool) -> Method {
        Method {
            name: plain(&signature.ident),
            file: file.to_owned(),
            line: signature.ident.span().start().line,
            takes_self: matches!(signature.inputs.first(), Some(FnArg::Receiver(_))),
            is_of_trait,
            examples: examples(attrs.iter()),
        }
    }

    /// Returns whether the code calls this method of the type, or implements it.
    fn is_called(&self, code: &str, of: &str) -> bool {
        let by_type = format!("{of}::");
        words(code, &self.name).any(|before| {
            without_arguments(before).ends_with(&by_type)
                || self.takes_self && before.ends_with('.')
                || self.is_of_trait && (before.ends_with("::") || before.ends_with("fn "))
        })
    }
}

/// The items that the facade exports, each by its file and its name, with the number of its crate.
struct Exports<'a> {
    house: &'a House,
    crates: Vec<(String, Names<'a>)>,
    found: BTreeMap<(String, String), (usize, Public)>,
}

impl<'a> Exports<'a> {
    /// Adds what a module exports.
    fn module(&mut self, in_crate: usize, id: usize, path: &str) {
        let module = &self.crates[in_crate].1.modules[id];
        let (file, syntax) = (module.file.clone(), module.syntax);
        let page = examples(module.attributes.iter().copied());
        for item in syntax.iter().filter(|item| is_shown(attributes(item))) {
            match item {
                Item::Mod(item) if is_public(&item.vis) => {
                    let name = plain(&item.ident);
                    let child = self.crates[in_crate].1.modules[id].children.get(&name).copied();
                    let path = joined(path, &name);
                    child.into_iter().for_each(|child| self.module(in_crate, child, &path));
                }
                Item::Use(item) if is_public(&item.vis) && !has_doc(&item.attrs, "no_inline") => {
                    self.reexport(in_crate, id, path, &item.tree, &page);
                }
                _ => {
                    for (name, line, code) in defined_by(item) {
                        let found = (in_crate, &*file, line);
                        self.add(found, joined(path, &name), name, code, &page);
                    }
                }
            }
        }
    }

    fn reexport(
        &mut self,
        in_crate: usize,
        id: usize,
        path: &str,
        tree: &UseTree,
        page: &[String],
    ) {
        let mut leaves = Vec::new();
        flatten(tree, &mut Vec::new(), &mut leaves);
        for leaf in leaves {
            let Some(name) = &leaf.name else { continue };
            let of = self.crates.iter().position(|(name, _)| *name == leaf.path[0]);
            let (of, from, rest) = match of {
                Some(of) => (of, 0, &leaf.path[1..]),
                None => (in_crate, id, &leaf.path[..]),
            };
            let path = joined(path, name);
            let names = &self.crates[of].1;
            let resolve = |from, path| names.resolve(from, path, &mut Default::default());
            let mut target = match rest {
                [] => Some(Target::Module(0)),
                rest => resolve(from, rest),
            };
            // A function and the private module that defines it may have the same name.
            if let (Some(Target::Module(module)), [.., last]) = (&target, rest)
                && let Some(Target::Item(file)) = resolve(*module, std::slice::from_ref(last))
            {
                target = Some(Target::Item(file));
            }
            match target {
                Some(Target::Module(module)) => self.module(of, module, &path),
                Some(Target::Item(file)) => {
                    let house = self.house;
                    let name = rest.last().expect("an item has a path");
                    let mut items = Vec::new();
                    all_items(&house.rust[&file].syntax.items, &mut items);
                    let found = items.into_iter().flat_map(defined_by);
                    for (_, line, code) in found.filter(|(other, ..)| other == name) {
                        let found = (of, &*file, line);
                        self.add(found, path.clone(), name.clone(), code, page);
                    }
                }
                // An item of another crate, or one that is found where it is exported from.
                Some(Target::Outside) | None => {}
            }
        }
    }

    fn add(
        &mut self,
        (in_crate, file, line): (usize, &str, usize),
        path: String,
        name: String,
        examples: Vec<String>,
        page: &[String],
    ) {
        let new = || {
            let (file, name) = (file.to_owned(), name.clone());
            (in_crate, Public { path, name, file, line, examples: Vec::new(), pages: Vec::new() })
        };
        let (_, item) = self.found.entry((file.to_owned(), name.clone())).or_insert_with(new);
        item.examples.extend(examples);
        item.pages.extend(page.iter().cloned());
    }

    /// Returns the public methods of a type, or those of a trait.
    fn methods(&self, in_crate: usize, item: &Public) -> Vec<Method> {
        let names = &self.crates[in_crate].1;
        let mut methods = Vec::new();
        for (id, module) in names.modules.iter().enumerate() {
            let is_item = |path: &[String]| {
                path.last() == Some(&item.name)
                    && matches!(names.resolve(id, path, &mut Default::default()),
                        Some(Target::Item(file)) if file == item.file)
            };
            let file = &module.file;
            for other in module.syntax.iter().filter(|item| !is_test(attributes(item))) {
                match other {
                    Item::Impl(block)
                        if block.trait_.is_none() && is_item(&path_of(&block.self_ty)) =>
                    {
                        methods.extend(block.items.iter().filter_map(|item| match item {
                            ImplItem::Fn(it) if is_public(&it.vis) && is_shown(&it.attrs) => {
                                Some(Method::new(&it.attrs, &it.sig, file, false))
                            }
                            _ => None,
                        }));
                    }
                    Item::Trait(defined) if defined.ident == item.name && *file == item.file => {
                        methods.extend(defined.items.iter().filter_map(|item| match item {
                            TraitItem::Fn(it) if is_shown(&it.attrs) => {
                                Some(Method::new(&it.attrs, &it.sig, file, true))
                            }
                            _ => None,
                        }));
                    }
                    Item::Macro(call)
                        if call.mac.path.is_ident("settings") && item.name == "NodeBuilder" =>
                    {
                        methods.extend(setters(call.mac.tokens.clone(), file));
                    }
                    _ => {}
                }
            }
        }
        methods
    }
}

/// Returns the methods that `settings!` makes: one for each entry `name: Type = ..;`.
fn setters(entries: TokenStream, file: &str) -> Vec<Method> {
    let (mut methods, mut docs, mut is_start) = (Vec::new(), String::new(), true);
    let mut tokens = entries.into_iter();
    while let Some(token) = tokens.next() {
        match &token {
            TokenTree::Punct(punct) if is_start && punct.as_char() == '#' => {
                docs.extend(tokens.next().as_ref().and_then(doc_in));
            }
            TokenTree::Ident(name) if is_start => {
                methods.push(Method {
                    name: plain(name),
                    file: file.to_owned(),
                    line: name.span().start().line,
                    takes_self: true,
                    is_of_trait: false,
                    examples: code_blocks(&std::mem::take(&mut docs)),
                });
                is_start = false;
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => is_start = true,
            _ => {}
        }
    }
    methods
}

/// Returns the public names that an item defines, with their lines and examples. A macro may define
/// several.
fn defined_by(item: &Item) -> Vec<(String, usize, Vec<String>)> {
    let own = attributes(item);
    let (vis, ident) = match item {
        Item::Enum(item) => (&item.vis, &item.ident),
        Item::Fn(item) => (&item.vis, &item.sig.ident),
        Item::Struct(item) => (&item.vis, &item.ident),
        Item::Trait(item) => (&item.vis, &item.ident),
        Item::Type(item) => (&item.vis, &item.ident),
        Item::Union(item) => (&item.vis, &item.ident),
        Item::Macro(item) => return in_tokens(item.mac.tokens.clone()),
        _ => return Vec::new(),
    };
    if !is_public(vis) || !is_shown(own) {
        return Vec::new();
    }
    let derive = own.iter().find(|attribute| attribute.path().is_ident("proc_macro_derive"));
    let derived = derive.and_then(|derive| match &derive.meta {
        Meta::List(list) => list.tokens.clone().into_iter().next(),
        _ => None,
    });
    let name = derived.map(|name| name.to_string()).or_else(|| defined(item));
    let line = ident.span().start().line;
    name.map(|name| (name, line, examples(own.iter()))).into_iter().collect()
}

/// Returns the public items in the input of a macro such as `pin_project!`, and in the expansion of
/// a `macro_rules!`.
fn in_tokens(tokens: TokenStream) -> Vec<(String, usize, Vec<String>)> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let (mut found, mut docs, mut n) = (Vec::new(), String::new(), 0);
    while let Some(token) = tokens.get(n) {
        n += 1;
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                docs.extend(tokens.get(n).and_then(doc_in));
                n += 1;
            }
            TokenTree::Ident(ident) if ident == "pub" => {
                let kinds = ["struct", "enum", "trait", "fn"];
                let mut rest = tokens[n..].iter().map(ToString::to_string);
                let kind = rest.next().unwrap_or_default();
                if let (true, Some(name)) = (kinds.contains(&&*kind), rest.next()) {
                    found.push((name, ident.span().start().line, code_blocks(&docs)));
                }
                docs.clear();
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                found.extend(in_tokens(group.stream()));
                docs.clear();
            }
            _ => docs.clear(),
        }
    }
    found
}

fn path_of(of: &Type) -> Vec<String> {
    let Type::Path(of) = of else { return Vec::new() };
    of.path.segments.iter().map(|segment| plain(&segment.ident)).collect()
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}::{name}") }
}

fn is_public(vis: &Visibility) -> bool {
    matches!(vis, Visibility::Public(_))
}

/// Returns whether the documentation shows an item with these attributes.
fn is_shown(attributes: &[Attribute]) -> bool {
    !is_test(attributes) && !has_doc(attributes, "hidden")
}

/// Returns whether there is a `#[doc(word)]`.
fn has_doc(attributes: &[Attribute], word: &str) -> bool {
    let is_so = |attribute: &Attribute| {
        matches!(&attribute.meta, Meta::List(list)
        if list.path.is_ident("doc") && list.tokens.to_string() == word)
    };
    attributes.iter().any(is_so)
}

/// Returns the examples in the documentation that these attributes hold.
fn examples<'a>(attributes: impl Iterator<Item = &'a Attribute>) -> Vec<String> {
    code_blocks(&attributes.filter_map(|attribute| doc_line(&attribute.meta)).collect::<String>())
}

/// Returns the line of documentation in the brackets of an attribute.
fn doc_in(brackets: &TokenTree) -> Option<String> {
    let TokenTree::Group(group) = brackets else { return None };
    doc_line(&syn::parse2(group.stream()).ok()?)
}

fn doc_line(meta: &Meta) -> Option<String> {
    let Meta::NameValue(pair) = meta else { return None };
    match &pair.value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if pair.path.is_ident("doc") => {
            Some(format!("{}\n", text.value()))
        }
        _ => None,
    }
}

/// Returns the code blocks that are compiled as Rust, without hidden lines.
fn code_blocks(docs: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = docs.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else { continue };
        let block = lines.by_ref().take_while(|line| *line != "```");
        let seen: Vec<&str> =
            block.filter(|line| *line != "#" && !line.starts_with("# ")).collect();
        let compiled = ["", "no_run", "should_panic", "standalone_crate"];
        let is_compiled = kind.split(',').all(|word| compiled.contains(&word.trim()));
        if is_compiled && !seen.is_empty() {
            blocks.push(seen.join("\n"));
        }
    }
    blocks
}

/// Returns whether the code uses this name, not only in a `use`.
fn names(code: &str, name: &str) -> bool {
    let mut code = code.lines().filter(|line| !line.starts_with("use "));
    code.any(|line| words(line, name).next().is_some())
}

/// Returns the text before each place of the word.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).filter_map(move |(at, _)| {
        let (before, after) = (&code[..at], &code[at + word.len()..]);
        (!before.ends_with(is_part) && !after.starts_with(is_part)).then_some(before)
    })
}

/// Returns the text without the generic arguments at its end: `Map::` for `Map::<K, V>::`.
fn without_arguments(text: &str) -> &str {
    let Some(inner) = text.strip_suffix(">::") else { return text };
    let mut depth = 1;
    let start = inner.char_indices().rev().find(|(_, c)| {
        match c {
            '>' => depth += 1,
            '<' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    start.map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::testing::{house, lines};

    const BLOCK: &str = "/// ```\n/// x();\n/// ```\n";

    fn check(files: &[(&str, &str)], reasons: &[NoExample]) -> Vec<String> {
        let crates = [("top".to_owned(), "top/src"), ("low".to_owned(), "low/src")];
        lines(check_examples(&house(files), &crates, reasons))
    }

    #[test]
    fn a_public_item_has_no_example() {
        let top = "pub mod m { pub use low::{shown, bare}; }\npub use low::Type;\npub fn own() {}\n\
                   #[doc(hidden)]\npub mod hidden { pub fn f() {} }\nfn private() {}\n";
        let low = "mod part;\npub use part::{Type, shown, unused};\npub fn bare() {}\n\
                   #[cfg(test)]\npub fn test() {}\n";
        let part = format!("{BLOCK}pub fn shown() {{}}\npub fn unused() {{}}\npub struct Type;\n");
        let files = [("top/src/lib.rs", top), ("low/src/lib.rs", low), ("low/src/part.rs", &part)];
        let expected = [
            "low/src/lib.rs:3: `m::bare` has no example",
            "low/src/part.rs:6: `Type` has no example",
            "top/src/lib.rs:3: `own` has no example",
        ];
        assert_eq!(check(&files, &[]), expected);
        let reasons = [("m::bare", "why"), ("Type", "why"), ("own", "why")];
        assert_eq!(check(&files, &reasons), [""; 0]);
        let gone = "tests/tidy/tables.rs:1: there is no `m::shown` without an example";
        assert_eq!(
            check(&files, &[reasons[0], reasons[1], reasons[2], ("m::shown", "why")]),
            [gone]
        );
    }

    fn check_one(text: &str) -> Vec<String> {
        let found = check(&[("top/src/lib.rs", text), ("low/src/lib.rs", "")], &[]);
        let name = |line: &String| line.split('`').nth(1).unwrap_or_default().to_owned();
        found.iter().map(name).collect()
    }

    #[test]
    fn an_example_is_a_block_that_is_compiled_and_seen() {
        let cases = [
            ("/// ```\n/// f();\n/// ```\n", true),
            ("/// ```no_run\n/// f();\n/// ```\n", true),
            ("/// ```standalone_crate, no_run\n/// f();\n/// ```\n", true),
            ("/// ```ignore\n/// f();\n/// ```\n", false),
            ("/// ```text\n/// f();\n/// ```\n", false),
            ("/// `f();`\n", false),
        ];
        for (docs, is_example) in cases {
            assert_eq!(
                check_one(&format!("{docs}pub fn f() {{}}")).is_empty(),
                is_example,
                "{docs}"
            );
        }
    }

    #[test]
    fn another_example_shows_an_item() {
        let of = |code: &str| format!("/// ```\n/// {code}\n/// ```\n");
        let types = |on_type: &str, on_new: &str, on_get: &str| {
            let methods = format!("{on_new}pub fn new() {{}}\n{on_get}pub fn get(&self) {{}}");
            check_one(&format!("{on_type}pub struct T;\nimpl T {{ {methods} fn own() {{}} }}"))
        };
        assert_eq!(types("", "", ""), ["T", "T::new", "T::get"]);
        assert_eq!(types(&of("T::new().get()"), "", ""), [""; 0]);
        assert_eq!(types("", &of("T::new().get()"), ""), [""; 0]);
        assert_eq!(types(&of("T::<V<u8>>::new().get()"), "", ""), [""; 0]);
        assert_eq!(types(&of("U::<T>::new().get()"), "", ""), ["T::new"]);
        assert_eq!(types("", "", &of("t.get()")), ["T::new"]);
        // A method of another type, a longer name, and a hidden line.
        assert_eq!(types(&of("U::new().get_all()"), "", ""), ["T::new", "T::get"]);
        assert_eq!(types(&of("# T::new().get()"), "", ""), ["T", "T::new", "T::get"]);

        let of_trait = "pub trait T { fn given(&self); fn made() {} }";
        assert_eq!(check_one(&format!("{}{of_trait}", of("U::made()"))), ["T::given"]);
        let implemented = of("impl T for U { fn given(&self) {} fn made() {} }");
        assert_eq!(check_one(of_trait), ["T", "T::given", "T::made"]);
        assert_eq!(check_one(&format!("{implemented}{of_trait}")), [""; 0]);

        let page = "//! ```\n//! use a::f;\n//! g();\n//! ```\npub fn f() {}\npub fn g() {}";
        assert_eq!(check_one(page), ["f"]);
    }

    #[test]
    fn a_macro_defines_items() {
        let made = "pin_project! { pub struct P { #[pin] f: u8 } }\n\
                    macro_rules! m { () => { pub struct M; } }\n\
                    pub struct NodeBuilder;\n\
                    settings! { name: Option<u8> = TEXT, option \"x\", [by], [builder]; \
                    #[cfg(unix)] dir: u8 = DIR; }";
        let expected = ["M", "NodeBuilder", "NodeBuilder::name", "NodeBuilder::dir", "P"];
        assert_eq!(check_one(made), expected);
    }
}
