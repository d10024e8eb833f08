//! What a pattern says about its arm: the type of the messages that it takes, and the
//! names that it binds.
//!
//! A macro sees names and no types, so the spelling decides: a name that begins with an
//! upper-case letter is a type, a variant or a constant, any other is a module or a
//! binding. Primitive types are known by name.

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Error, Expr, FieldPat, Lit, Pat, PatIdent, Path, Result, Token, Type, TypePath};

use crate::spell::spell;

/// The messages that an arm takes.
#[derive(Clone)]
pub(super) enum Takes {
    /// Those of one type.
    Type(Box<Type>),
    /// All of them; the pattern gets the envelope.
    Any,
}

/// A name that an arm binds.
pub(super) struct Binding {
    pub(super) ident: Ident,
    /// The user's `mut`. It belongs to the name that the arm's body sees, and to no other.
    pub(super) mutability: Option<Token![mut]>,
    /// Whether it stands for a field of its own name, as in `Ping { from }`.
    pub(super) shorthand: bool,
}

const PRIMITIVES: [&str; 16] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32",
    "u64", "u128", "usize",
];

/// Variants that are in scope everywhere without their type.
const BARE_VARIANTS: [(&str, &str); 4] =
    [("Some", "Option<T>"), ("None", "Option<T>"), ("Ok", "Result<T, E>"), ("Err", "Result<T, E>")];

/// The messages that an arm takes whose pattern has no type beside it.
pub(super) fn takes(pat: &Pat) -> Result<Takes> {
    match pat {
        Pat::Wild(_) => Ok(Takes::Any),
        Pat::Ident(PatIdent { subpat: Some((_, pat)), .. }) => takes(pat),
        Pat::Ident(pat) if is_binding(pat) => Ok(Takes::Any),
        Pat::Ident(pat) => type_of_path(&pat.ident.clone().into()),
        Pat::Path(pat) if pat.qself.is_none() => type_of_path(&pat.path),
        Pat::Struct(pat) if pat.qself.is_none() => type_of_path(&pat.path),
        Pat::TupleStruct(pat) if pat.qself.is_none() => type_of_path(&pat.path),
        Pat::Paren(pat) => takes(&pat.pat),
        Pat::Or(pat) => {
            let mut cases = pat.cases.iter();
            let first = cases.next().ok_or_else(|| Error::new(pat.span(), "an empty pattern"))?;
            let first = takes(first)?;
            cases.try_for_each(|case| same_type(&first, case))?;
            Ok(first)
        }
        other => Err(no_type(other)),
    }
}

fn same_type(first: &Takes, case: &Pat) -> Result<()> {
    match (first, takes(case)?) {
        (Takes::Any, Takes::Any) => Ok(()),
        (Takes::Type(first), Takes::Type(other)) if spell(first) == spell(&other) => Ok(()),
        (Takes::Type(first), Takes::Type(other)) => {
            let (first, other) = (spell(first), spell(&other));
            let text = format!(
                "an arm takes messages of one type: this is a `{other}`, and the first a `{first}`"
            );
            Err(Error::new_spanned(case, text))
        }
        _ => Err(Error::new_spanned(case, "an arm takes messages of one type, or all of them")),
    }
}

/// `Ping` is a type; `Msg::Add` is a variant of one.
fn type_of_path(path: &Path) -> Result<Takes> {
    let mut path = path.clone();
    if let Some((variant, of)) = BARE_VARIANTS.iter().find(|(variant, _)| path.is_ident(variant)) {
        let text =
            format!("`{variant}` has no type of its own: write it after the pattern, `: {of}`");
        return Err(Error::new_spanned(path, text));
    }
    let before_last = path.segments.iter().nth_back(1);
    if before_last.is_some_and(|segment| is_type_name(&segment.ident)) {
        path.segments.pop();
        path.segments.pop_punct();
    }
    Ok(Takes::Type(Box::new(TypePath { qself: None, path }.into())))
}

fn is_type_name(ident: &Ident) -> bool {
    is_upper(ident) || PRIMITIVES.iter().any(|primitive| ident == primitive)
}

fn is_upper(ident: &Ident) -> bool {
    ident.unraw().to_string().starts_with(char::is_uppercase)
}

/// Whether a lone name binds: an upper-case one is a unit struct or a constant.
fn is_binding(pat: &PatIdent) -> bool {
    pat.subpat.is_some()
        || pat.by_ref.is_some()
        || pat.mutability.is_some()
        || !is_upper(&pat.ident)
}

/// The error for a pattern that may be of many types, with an example of what to write.
fn no_type(pat: &Pat) -> Error {
    let example = match pat {
        Pat::Lit(lit) => match &lit.lit {
            Lit::Str(text) => {
                let text = spell(text);
                let text =
                    format!("a text arrives as a `String`: write `text: String if text == {text}`");
                return Error::new_spanned(pat, text);
            }
            Lit::Bool(_) => "bool",
            Lit::Char(_) => "char",
            Lit::Float(_) => "f64",
            _ => "u64",
        },
        Pat::Range(_) => "u64",
        Pat::Tuple(tuple) if tuple.elems.len() == 2 => "(Pid, u64)",
        Pat::Tuple(tuple) if tuple.elems.is_empty() => "()",
        Pat::Reference(reference) => {
            let inner = spell(&reference.pat);
            let text =
                format!("a message is owned by its receiver: write `{inner}`, without the `&`");
            return Error::new_spanned(pat, text);
        }
        Pat::Rest(_) => return Error::new_spanned(pat, "to take every message, write `_`"),
        _ => "Type",
    };
    let pattern = spell(pat);
    Error::new_spanned(pat, format!("write the type of the message: `{pattern}: {example}`"))
}

/// The names that the pattern binds, each once, in their order. The pattern loses every
/// `mut`: it is used where the names are only handed on.
pub(super) fn bindings(pat: &mut Pat) -> Result<Vec<Binding>> {
    let mut bindings = Bindings { found: Vec::new(), error: None };
    bindings.visit_pat_mut(pat);
    bindings.error.map_or(Ok(bindings.found), Err)
}

struct Bindings {
    found: Vec<Binding>,
    error: Option<Error>,
}

impl Bindings {
    fn bind(&mut self, pat: &mut PatIdent, shorthand: bool) {
        if let Some(by_ref) = &pat.by_ref {
            let text = format!(
                "a message is owned by its receiver: write `{}`, without the `ref`",
                pat.ident
            );
            self.error.get_or_insert(Error::new(by_ref.span, text));
        }
        let mutability = pat.mutability.take();
        match self.found.iter_mut().find(|binding| binding.ident == pat.ident) {
            // Another case of an or-pattern.
            Some(binding) => binding.mutability = binding.mutability.or(mutability),
            None => self.found.push(Binding { ident: pat.ident.clone(), mutability, shorthand }),
        }
    }
}

impl VisitMut for Bindings {
    fn visit_field_pat_mut(&mut self, field: &mut FieldPat) {
        match &mut *field.pat {
            // `Ping { n }` binds `n`, however it is spelled: no constant is called like a field.
            Pat::Ident(pat) if field.colon_token.is_none() => self.bind(pat, true),
            _ => visit_mut::visit_field_pat_mut(self, field),
        }
    }

    fn visit_pat_ident_mut(&mut self, pat: &mut PatIdent) {
        if is_binding(pat) {
            self.bind(pat, false);
        }
        visit_mut::visit_pat_ident_mut(self, pat);
    }

    // A constant or a range in a pattern binds nothing.
    fn visit_expr_mut(&mut self, _: &mut Expr) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::ToTokens;
    use syn::parse::Parser;

    fn parse(source: &str) -> Pat {
        Pat::parse_multi_with_leading_vert.parse_str(source).expect(source)
    }

    #[test]
    fn a_pattern_tells_its_type() {
        let cases = [
            ("Ping { from, n }", Ok("Ping")),
            ("Pong(n)", Ok("Pong")),
            ("Stop", Ok("Stop")),
            ("module::Ping { .. }", Ok("module::Ping")),
            ("module::Stop", Ok("module::Stop")),
            ("::krate::Stop", Ok("::krate::Stop")),
            ("Msg::Add(x)", Ok("Msg")),
            ("Msg::Reset", Ok("Msg")),
            ("my::Msg::Add { .. }", Ok("my::Msg")),
            ("Self::Add(..)", Ok("Self")),
            ("u64::MAX", Ok("u64")),
            ("Msg::<u8>::Add(x)", Ok("Msg::<u8>")),
            ("Timeout::<Tick> { message, .. }", Ok("Timeout::<Tick>")),
            ("ping @ Ping { .. }", Ok("Ping")),
            ("(Ping { .. })", Ok("Ping")),
            ("Msg::Add(1) | Msg::Reset", Ok("Msg")),
            ("| Msg::Add(1) | Msg::Reset", Ok("Msg")),
            ("(any)", Ok("any message")),
            ("any", Ok("any message")),
            ("mut any", Ok("any message")),
            ("any @ _", Ok("any message")),
            ("_any", Ok("any message")),
            ("r#type", Ok("any message")),
            ("_", Ok("any message")),
            ("Ping { .. } | Stop", Err("this is a `Stop`, and the first a `Ping`")),
            ("Ping { .. } | _", Err("of one type, or all of them")),
            ("(a, b)", Err("write the type of the message: `(a, b): (Pid, u64)`")),
            ("()", Err("`(): ()`")),
            ("1", Err("`1: u64`")),
            ("-1", Err("`-1: ")),
            ("1..=5", Err("`1..=5: u64`")),
            ("true", Err("`true: bool`")),
            ("'c'", Err("`'c': char`")),
            ("\"x\"", Err("write `text: String if text == \"x\"`")),
            ("n @ 1..", Err("`1..: u64`")),
            ("[a, b]", Err("`[a, b]: Type`")),
            ("&x", Err("write `x`, without the `&`")),
            ("..", Err("write `_`")),
            ("Some(x)", Err("`: Option<T>`")),
            ("<T as Trait>::NAME", Err("write the type")),
        ];
        for (source, expected) in cases {
            let found = match takes(&parse(source)) {
                Ok(Takes::Type(ty)) => Ok(spell(&ty)),
                Ok(Takes::Any) => Ok("any message".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            match (&found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{source}"),
                (Err(found), Err(expected)) => {
                    assert!(found.contains(expected), "{source}: {found}")
                }
                _ => panic!("{source}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_pattern_binds_its_names_once() {
        let cases = [
            ("Ping { from, n: mut count }", "Ping { from, n: count }", "from* mut count"),
            ("Ping { mut from, .. }", "Ping { from, .. }", "mut from*"),
            ("Pong(LIMIT, None, x)", "Pong(LIMIT, None, x)", "x"),
            ("P { LIMIT: LIMIT, X }", "P { LIMIT: LIMIT, X }", "X*"),
            ("all @ Ping { n: Some(1..=MAX), .. }", "all @ Ping { n: Some(1..=MAX), .. }", "all"),
            ("A::X(n) | A::Y { n, .. }", "A::X(n) | A::Y { n, .. }", "n"),
            ("Stop", "Stop", ""),
            ("mut any", "any", "mut any"),
            ("(a, [b, .., c @ ..])", "(a, [b, .., c @ ..])", "a b c"),
            ("_", "_", ""),
        ];
        for (source, stripped, expected) in cases {
            let mut pat = parse(source);
            let found = bindings(&mut pat).expect(source);
            let names = found.iter().map(|binding| {
                let mutability = if binding.mutability.is_some() { "mut " } else { "" };
                let shorthand = if binding.shorthand { "*" } else { "" };
                format!("{mutability}{}{shorthand}", binding.ident)
            });
            assert_eq!(names.collect::<Vec<_>>().join(" "), expected, "{source}");
            let stripped = parse(stripped).to_token_stream().to_string();
            assert_eq!(pat.to_token_stream().to_string(), stripped, "{source}");
        }
    }

    #[test]
    fn a_message_is_not_borrowed() {
        for source in ["Pong(ref n)", "Ping { ref mut n, .. }", "ref any", "ref any @ Ping { .. }"]
        {
            let error = bindings(&mut parse(source)).err().expect(source);
            assert!(error.to_string().contains("without the `ref`"), "{error}");
        }
    }
}
