//! The arrows between the files of a crate: which file uses which.
//!
//! A name is followed to the file that defines it, through imports, re-exports and globs. So a type
//! that the crate's root re-exports counts as a use of its own file. A re-export alone is not a
//! use, since a `mod.rs` is a table of contents. Paths inside of macros are found. Uses by method
//! calls and by inference are not. Code for tests only is left out.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, Spacing, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree, Visibility};

use crate::house::{self, House, is_in, is_test};

/// The first use of one file by another.
#[derive(Debug)]
pub(crate) struct Arrow {
    pub(crate) from: String,
    pub(crate) line: usize,
    pub(crate) to: String,
    /// The path as it is written.
    pub(crate) path: String,
}

/// Returns the arrows between the files of the crate whose sources are in this folder.
pub(crate) fn arrows(house: &House, folder: &str) -> Vec<Arrow> {
    let root = format!("{folder}/lib.rs");
    let names = Names::new(house, &root, folder);
    let mut found: BTreeMap<(String, String), (usize, String)> = BTreeMap::new();
    for used in &names.uses {
        let from = &names.modules[used.module].file;
        let mut seen = BTreeSet::new();
        let to = match names.resolve(used.module, &used.path, &mut seen) {
            // A module is named only for the items in it.
            Some(Target::Module(_) | Target::Outside) | None => continue,
            Some(Target::Item(file)) => file,
        };
        if *from != to {
            let place = (used.line, used.path.join("::"));
            let first = found.entry((from.clone(), to)).or_insert_with(|| place.clone());
            if place.0 < first.0 {
                *first = place;
            }
        }
    }
    let arrow = |((from, to), (line, path))| Arrow { from, line, to, path };
    found.into_iter().map(arrow).collect()
}

/// Returns the Rust files in the folder that no `mod` leads to, starting at `main`.
pub(crate) fn unreached(house: &House, folder: &str, main: &str) -> Vec<String> {
    let names = Names::new(house, main, folder);
    let reached: BTreeSet<_> = names.modules.iter().map(|module| module.file.as_str()).collect();
    let files = house.under(folder).map(|(name, _)| name);
    files.filter(|name| !reached.contains(name)).map(str::to_owned).collect()
}

pub(crate) struct Module<'a> {
    pub(crate) file: String,
    /// The attributes of the `mod` and of its file, with the documentation.
    pub(crate) attributes: Vec<&'a Attribute>,
    pub(crate) syntax: &'a [Item],
    pub(crate) children: BTreeMap<String, usize>,
    parent: Option<usize>,
    items: BTreeSet<String>,
    imports: BTreeMap<String, Vec<Vec<String>>>,
    globs: Vec<Vec<String>>,
}

/// A path in the code of a module.
struct Used {
    module: usize,
    path: Vec<String>,
    line: usize,
}

#[derive(Clone)]
pub(crate) enum Target {
    Module(usize),
    /// An item that this file defines.
    Item(String),
    /// An item of another crate.
    Outside,
}

/// The modules of a crate, the root first.
pub(crate) struct Names<'a> {
    house: &'a House,
    pub(crate) modules: Vec<Module<'a>>,
    uses: Vec<Used>,
}

impl<'a> Names<'a> {
    /// Reads the crate with this root. `folder` is where the root's submodules have their files.
    pub(crate) fn new(house: &'a House, root: &str, folder: &str) -> Names<'a> {
        let mut names = Names { house, modules: Vec::new(), uses: Vec::new() };
        let syntax = &house.rust[root].syntax;
        names.module(root, None, &syntax.items, syntax.attrs.iter().collect(), folder);
        names
    }

    /// Adds a module. `folder` is where its submodules have their files.
    fn module(
        &mut self,
        file: &str,
        parent: Option<usize>,
        syntax: &'a [Item],
        attributes: Vec<&'a Attribute>,
        folder: &str,
    ) -> usize {
        let id = self.modules.len();
        self.modules.push(Module {
            file: file.to_owned(),
            attributes,
            syntax,
            children: BTreeMap::new(),
            parent,
            items: BTreeSet::new(),
            imports: BTreeMap::new(),
            globs: Vec::new(),
        });
        for item in syntax.iter().filter(|item| !is_test(house::attributes(item))) {
            self.item(id, item, folder);
        }
        id
    }

    fn item(&mut self, id: usize, item: &'a Item, folder: &str) {
        if let Item::Mod(module) = item {
            let name = plain(&module.ident);
            let below = format!("{folder}/{name}");
            let mut attributes: Vec<&Attribute> = module.attrs.iter().collect();
            let written = path_attribute(module).map(|path| joined(folder, &path));
            let child = if let Some((_, items)) = &module.content {
                let file = self.modules[id].file.clone();
                self.module(&file, Some(id), items, attributes, &written.unwrap_or(below))
            } else {
                let files = written
                    .into_iter()
                    .chain([format!("{below}.rs"), format!("{below}/mod.rs")])
                    .find(|file| self.house.rust.contains_key(file));
                let Some(file) = files else { return };
                let is_root = file.ends_with("/mod.rs");
                let below = if is_root { file.trim_end_matches("/mod.rs") } else { &below };
                let syntax = &self.house.rust[&file].syntax;
                attributes.extend(&syntax.attrs);
                self.module(&file, Some(id), &syntax.items, attributes, below)
            };
            self.modules[id].children.insert(name, child);
            return;
        }
        if let Some(name) = defined(item) {
            self.modules[id].items.insert(name);
        }
        if let Item::ExternCrate(item) = item
            && let ("self", Some((_, name))) = (&*item.ident.to_string(), &item.rename)
        {
            self.modules[id].imports.entry(plain(name)).or_default().push(vec!["crate".to_owned()]);
        }
        if let Item::Use(item) = item {
            let mut leaves = Vec::new();
            flatten(&item.tree, &mut Vec::new(), &mut leaves);
            let is_absolute = item.leading_colon.is_some();
            for leaf in leaves.into_iter().filter(|_| !is_absolute) {
                if matches!(item.vis, Visibility::Inherited) && !leaf.is_glob {
                    let (path, line) = (leaf.path.clone(), leaf.line);
                    self.uses.push(Used { module: id, path, line });
                }
                let module = &mut self.modules[id];
                match leaf.name {
                    _ if leaf.is_glob => module.globs.push(leaf.path),
                    Some(name) => module.imports.entry(name).or_default().push(leaf.path),
                    None => {}
                }
            }
            return;
        }
        let mut paths = Paths::default();
        paths.visit_item(item);
        self.uses.extend(paths.found.into_iter().map(|(path, line)| Used {
            module: id,
            path,
            line,
        }));
    }

    /// Returns the target of a path, if the target is in this crate.
    pub(crate) fn resolve(
        &self,
        from: usize,
        path: &[String],
        seen: &mut BTreeSet<(usize, String)>,
    ) -> Option<Target> {
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(from),
            "super" => Target::Module(self.modules[from].parent?),
            name => self.look_up(from, name, seen)?,
        };
        while let (Target::Module(module), Some((name, further))) = (&at, rest.split_first()) {
            at = match name.as_str() {
                "self" => at,
                "super" => Target::Module(self.modules[*module].parent?),
                name => match self.look_up(*module, name, seen) {
                    Some(found) => found,
                    // A macro has made the item, in that module's file.
                    None => return Some(Target::Item(self.modules[*module].file.clone())),
                },
            };
            rest = further;
        }
        Some(at)
    }

    /// Returns the meaning of a name in a module.
    fn look_up(
        &self,
        module: usize,
        name: &str,
        seen: &mut BTreeSet<(usize, String)>,
    ) -> Option<Target> {
        let here = &self.modules[module];
        if here.items.contains(name) {
            return Some(Target::Item(here.file.clone()));
        }
        if let Some(child) = here.children.get(name) {
            return Some(Target::Module(*child));
        }
        if !seen.insert((module, name.to_owned())) {
            return None;
        }
        if let Some(imports) = here.imports.get(name) {
            let found = imports.iter().find_map(|path| self.resolve(module, path, seen));
            return Some(found.unwrap_or(Target::Outside));
        }
        here.globs.iter().find_map(|path| {
            let mut way = seen.clone();
            match self.resolve(module, path, &mut way)? {
                Target::Module(globbed) if globbed != module => {
                    self.look_up(globbed, name, &mut way)
                }
                _ => None,
            }
        })
    }
}

/// A path of a `use`, with the name that it gives.
pub(crate) struct Leaf {
    pub(crate) path: Vec<String>,
    pub(crate) name: Option<String>,
    is_glob: bool,
    line: usize,
}

pub(crate) fn flatten(tree: &UseTree, before: &mut Vec<String>, leaves: &mut Vec<Leaf>) {
    let mut leaf = |ident: &Ident, name: &Ident| {
        let mut path = before.clone();
        // `a::{self}` is `a`.
        if ident != "self" || path.is_empty() {
            path.push(plain(ident));
        }
        let name = if name == "self" { path.last().cloned() } else { Some(plain(name)) };
        let name = name.filter(|name| name != "_");
        leaves.push(Leaf { path, name, is_glob: false, line: ident.span().start().line });
    };
    match tree {
        UseTree::Name(tree) => leaf(&tree.ident, &tree.ident),
        UseTree::Rename(tree) => leaf(&tree.ident, &tree.rename),
        UseTree::Glob(tree) => {
            let line = tree.star_token.spans[0].start().line;
            leaves.push(Leaf { path: before.clone(), name: None, is_glob: true, line });
        }
        UseTree::Path(tree) => {
            before.push(plain(&tree.ident));
            flatten(&tree.tree, before, leaves);
            before.pop();
        }
        UseTree::Group(tree) => {
            tree.items.iter().for_each(|tree| flatten(tree, before, leaves));
        }
    }
}

/// All paths in a piece of code, with their lines.
#[derive(Default)]
pub(crate) struct Paths {
    pub(crate) found: Vec<(Vec<String>, usize)>,
    /// Whether paths in tests are collected, too.
    pub(crate) in_tests: bool,
}

impl<'a> Visit<'a> for Paths {
    fn visit_item(&mut self, item: &'a Item) {
        if self.in_tests || !is_test(house::attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        if self.in_tests || !is_test(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        if path.leading_colon.is_none() {
            self.add(path.segments.iter().map(|segment| &segment.ident));
        }
        visit::visit_path(self, path);
    }

    /// Visits a `use` in a function.
    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        let mut leaves = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut leaves);
        self.found.extend(leaves.into_iter().map(|leaf| (leaf.path, leaf.line)));
    }

    fn visit_attribute(&mut self, _: &'a syn::Attribute) {}

    /// Skips `pub(in path)`, which uses nothing.
    fn visit_visibility(&mut self, _: &'a Visibility) {}

    fn visit_macro(&mut self, called: &'a syn::Macro) {
        visit::visit_macro(self, called);
        self.tokens(called.tokens.clone());
    }
}

impl Paths {
    fn add<'a>(&mut self, segments: impl Iterator<Item = &'a Ident>) {
        let segments: Vec<_> = segments.collect();
        if let Some(first) = segments.first() {
            let line = first.span().start().line;
            self.found.push((segments.into_iter().map(plain).collect(), line));
        }
    }

    /// Collects everything that looks like a path in the input of a macro.
    fn tokens(&mut self, tokens: TokenStream) {
        let (mut path, mut colons, mut is_field) = (Vec::<Ident>::new(), 0, false);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.add(path.iter());
                        path.clear();
                    }
                    if !is_field {
                        path.push(ident);
                    }
                    (colons, is_field) = (0, false);
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += usize::from(punct.spacing() == Spacing::Joint || colons == 1);
                }
                token => {
                    self.add(path.iter());
                    path.clear();
                    colons = 0;
                    is_field = matches!(&token, TokenTree::Punct(dot) if dot.as_char() == '.');
                    if let TokenTree::Group(group) = token {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.add(path.iter());
    }
}

/// Returns the name that an item defines.
pub(crate) fn defined(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(plain(ident))
}

pub(crate) fn plain(ident: &Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").unwrap_or(&name).to_owned()
}

fn path_attribute(module: &syn::ItemMod) -> Option<String> {
    module.attrs.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    })
}

/// Returns the path from a folder, without `.` and `..`.
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Returns the file or folder in `folder` that a file belongs to, without its extension.
pub(crate) fn child_of<'a>(folder: &str, file: &'a str) -> Option<&'a str> {
    let inside = is_in(file, folder).then(|| &file[folder.len() + 1..])?;
    let child = inside.split('/').next().unwrap_or(inside);
    Some(child.strip_suffix(".rs").unwrap_or(child))
}
