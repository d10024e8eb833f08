//! Finds out from an arm's pattern which type of messages the arm takes, and which names it binds.
//!
//! A macro sees names, not types. If a pattern has only one type (`Ping { from, n }`,
//! `Cmd::Get(n)`, a constant, `Local(Cmd::Get(n))`, `true`), the compiler infers the type when it
//! checks the pattern, as in a `match`. This file only decides whether a pattern has only one type.
//! A pattern that fits several types, such as `(a, b)` or `5`, needs a type after it: otherwise the
//! compiler would choose one by how the bindings are used, or default to `i32`.
//!
//! A name that begins with an upper-case letter is a type, a variant or a constant; any other name
//! is a module or a binding.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Error, Expr, ExprLit, ExprPath, FieldPat, GenericArgument, Lit, Pat, PatIdent, PatTupleStruct,
    Path, PathArguments, Result, Token, Type, parse_quote, parse_quote_spanned,
};

use crate::spell::spell;

/// The messages that an arm takes.
#[derive(Clone)]
pub(super) enum Takes {
    /// Messages of one type.
    Type(Box<Type>),
    /// Messages of the pattern's own type. `key` is the type as far as the pattern spells it out:
    /// patterns with the same key have the same type. `span` is where errors about the type are
    /// reported.
    Pattern { key: String, span: Span },
    /// All messages. The pattern gets the envelope.
    Any,
}

impl Takes {
    /// Returns the key of the arm's message type; arms with the same key take the same type. `None`
    /// if the arm takes all messages.
    pub(super) fn key(&self) -> Option<String> {
        match self {
            Takes::Type(ty) => Some(spell(ty)),
            Takes::Pattern { key, .. } => Some(key.clone()),
            Takes::Any => None,
        }
    }
}

/// A name that an arm binds.
pub(super) struct Binding {
    pub(super) ident: Ident,
    /// The user's `mut`, which applies only to the name that the arm's body sees.
    pub(super) mutability: Option<Token![mut]>,
    /// Whether the binding is the shorthand for a field of that name, as in `Ping { from }`.
    pub(super) shorthand: bool,
}

const PRIMITIVES: [&str; 16] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32",
    "u64", "u128", "usize",
];

/// Splits `As::<TYPE>(PATTERN)`, which means `PATTERN: TYPE` and which rustfmt accepts as a
/// pattern.
pub(super) fn split_as(pat: Pat) -> (Pat, Option<Type>) {
    let Pat::TupleStruct(PatTupleStruct { path, elems, .. }) = &pat else { return (pat, None) };
    if let [segment] = &*path.segments.iter().collect::<Vec<_>>()
        && segment.ident == "As"
        && let PathArguments::AngleBracketed(args) = &segment.arguments
        && let [GenericArgument::Type(ty)] = &*args.args.iter().collect::<Vec<_>>()
        && let [inner] = &*elems.iter().collect::<Vec<_>>()
    {
        ((*inner).clone(), Some((*ty).clone()))
    } else {
        (pat, None)
    }
}

/// Returns whether the pattern is a string literal, such as `"stop"`, or several of them:
/// `"stop" | "halt"`.
pub(super) fn is_text(pat: &Pat) -> bool {
    match pat {
        Pat::Lit(lit) => matches!(lit.lit, Lit::Str(_)),
        Pat::Or(or) => or.cases.iter().all(is_text),
        Pat::Paren(paren) => is_text(&paren.pat),
        _ => false,
    }
}

/// Replaces each string literal in the pattern by a binding, and returns the guard that compares
/// the bindings with the literals. A message holds a `String`, which a literal can't match.
pub(super) fn take_texts(pat: &mut Pat) -> Option<Expr> {
    struct Texts(Vec<Expr>);

    impl VisitMut for Texts {
        fn visit_pat_mut(&mut self, pat: &mut Pat) {
            if is_text(pat) {
                let text = format_ident!("__text{}", self.0.len(), span = Span::mixed_site());
                let (span, texts) = (pat.span(), &*pat);
                self.0.push(parse_quote_spanned! {span=>
                    ::core::matches!(::core::convert::AsRef::<str>::as_ref(&#text), #texts)
                });
                *pat = parse_quote!(#text);
            } else if !matches!(pat, Pat::Or(_)) {
                // All cases of an or-pattern must have the same bindings.
                visit_mut::visit_pat_mut(self, pat);
            }
        }

        fn visit_expr_mut(&mut self, _: &mut Expr) {}
    }

    let mut texts = Texts(Vec::new());
    texts.visit_pat_mut(pat);
    texts.0.into_iter().reduce(|all, text| parse_quote!(#all && #text))
}

/// Refuses a slice pattern for a `Vec`: only arrays can be matched item by item.
pub(super) fn check_slice(pat: &Pat, ty: &Type) -> Result<()> {
    let is_list = |path: &Path| path.segments.last().is_some_and(|last| last.ident == "Vec");
    match (pat, ty) {
        (Pat::Slice(_), Type::Path(ty)) if is_list(&ty.path) => {
            let text = format!(
                "a pattern can't look into a `Vec`: bind it, as in `list: {}`, and match \
                 `&list[..]` in the body or the guard",
                spell(ty)
            );
            Err(Error::new_spanned(pat, text))
        }
        _ => Ok(()),
    }
}

/// Returns which messages an arm takes whose pattern has no type after it.
pub(super) fn takes(pat: &Pat) -> Result<Takes> {
    match pat {
        Pat::Wild(_) => Ok(Takes::Any),
        Pat::Ident(PatIdent { subpat: Some((_, pat)), .. }) => takes(pat),
        Pat::Ident(pat) if is_binding(pat) => Ok(Takes::Any),
        Pat::Paren(pat) => takes(&pat.pat),
        Pat::Or(or) => {
            let cases: Vec<_> = or.cases.iter().map(takes).collect();
            let all = cases.iter().filter(|case| matches!(case, Ok(Takes::Any))).count();
            if all == cases.len() {
                return Ok(Takes::Any);
            }
            if all > 0 {
                return Err(Error::new_spanned(
                    pat,
                    "an arm takes messages of one type, or all of them",
                ));
            }
            only_type(pat)
        }
        _ => only_type(pat),
    }
}

/// Returns the one type that a pattern can have.
fn only_type(pat: &Pat) -> Result<Takes> {
    match key(pat) {
        Some(key) => Ok(Takes::Pattern { key, span: name_span(pat) }),
        None => Err(no_type(pat)),
    }
}

/// Returns the spelling of the pattern's type as far as the pattern shows it. `None` if the pattern
/// fits more than one type.
fn key(pat: &Pat) -> Option<String> {
    match pat {
        Pat::Ident(PatIdent { subpat: Some((_, pat)), .. }) => key(pat),
        Pat::Ident(pat) if is_binding(pat) => None,
        Pat::Ident(pat) => key_of_path(&pat.ident.clone().into()),
        Pat::Path(ExprPath { qself: Some(_), .. }) => Some(spell(pat)),
        Pat::Path(pat) => key_of_path(&pat.path),
        Pat::Struct(pat) if pat.qself.is_none() => key_of_path(&pat.path),
        Pat::TupleStruct(pat) if pat.qself.is_none() => key_of_tuple_struct(pat),
        Pat::Paren(pat) => key(&pat.pat),
        Pat::Tuple(pat) => {
            let keys: Option<Vec<_>> = pat.elems.iter().map(key).collect();
            Some(format!("({})", keys?.join(", ")))
        }
        Pat::Or(or) => {
            let keys: Vec<_> = or.cases.iter().map(key).collect();
            match &*keys {
                [first, others @ ..] if others.iter().all(|other| other == first) => first.clone(),
                // Imported variants, or a literal and a constant.
                _ if keys.iter().any(Option::is_some) => Some(spell(pat)),
                _ => None,
            }
        }
        Pat::Lit(lit) => key_of_literal(lit),
        Pat::Range(range) => {
            let bounds = range.start.iter().chain(&range.end);
            bounds.map(|bound| key_of_bound(bound)).find(Option::is_some).flatten()
        }
        _ => None,
    }
}

/// Returns the key of a path. `Ping` is a type, an imported variant, or a constant; `Msg::Add` is a
/// variant of a type.
fn key_of_path(path: &Path) -> Option<String> {
    if path.segments.last().is_some_and(|last| last.ident == "None") && !has_arguments(path) {
        return None;
    }
    let mut path = path.clone();
    let before_last = path.segments.iter().nth_back(1);
    if before_last.is_some_and(|segment| is_type_name(&segment.ident)) {
        path.segments.pop();
        path.segments.pop_punct();
    }
    Some(spell(&path))
}

/// Returns the key of a tuple struct. The well-known generic types have the type of their contents;
/// a pattern for a `Result` shows only one of the two types.
fn key_of_tuple_struct(pat: &PatTupleStruct) -> Option<String> {
    let last = pat.path.segments.last()?;
    let around = ["Some", "Local", "Ok", "Err"].into_iter().find(|name| last.ident == name);
    let Some(around) = around.filter(|_| !has_arguments(&pat.path)) else {
        return key_of_path(&pat.path);
    };
    match (around, pat.elems.iter().collect::<Vec<_>>().as_slice()) {
        ("Some", [inner]) => Some(format!("Option<{}>", key(inner)?)),
        ("Local", [inner]) => Some(format!("Local<{}>", key(inner)?)),
        _ => None,
    }
}

fn has_arguments(path: &Path) -> bool {
    path.segments.iter().any(|segment| !segment.arguments.is_none())
}

fn key_of_literal(lit: &ExprLit) -> Option<String> {
    let suffix = match &lit.lit {
        Lit::Bool(_) => return Some("bool".to_owned()),
        Lit::Char(_) => return Some("char".to_owned()),
        Lit::Byte(_) => return Some("u8".to_owned()),
        Lit::Int(lit) => lit.suffix(),
        Lit::Float(lit) => lit.suffix(),
        _ => "",
    };
    (!suffix.is_empty()).then(|| suffix.to_owned())
}

fn key_of_bound(bound: &Expr) -> Option<String> {
    match bound {
        Expr::Lit(lit) => key_of_literal(lit),
        Expr::Path(path) if path.qself.is_none() => key_of_path(&path.path),
        Expr::Unary(negative) => key_of_bound(&negative.expr),
        _ => None,
    }
}

/// Returns the span for errors about the pattern's type: that of its name rather than of the whole
/// pattern.
fn name_span(pat: &Pat) -> Span {
    match pat {
        Pat::Struct(pat) => pat.path.span(),
        Pat::TupleStruct(pat) => pat.path.span(),
        Pat::Ident(PatIdent { subpat: Some((_, pat)), .. }) => name_span(pat),
        Pat::Paren(pat) => name_span(&pat.pat),
        Pat::Or(or) => or.cases.first().map_or_else(|| pat.span(), name_span),
        _ => pat.span(),
    }
}

fn is_type_name(ident: &Ident) -> bool {
    is_upper(ident) || PRIMITIVES.iter().any(|primitive| ident == primitive)
}

fn is_upper(ident: &Ident) -> bool {
    ident.unraw().to_string().starts_with(char::is_uppercase)
}

/// Returns whether a single name is a binding. An upper-case name is a unit struct or a constant.
fn is_binding(pat: &PatIdent) -> bool {
    pat.subpat.is_some()
        || pat.by_ref.is_some()
        || pat.mutability.is_some()
        || !is_upper(&pat.ident)
}

/// Returns the error for a pattern that fits several types, with an example of what to write.
fn no_type(pat: &Pat) -> Error {
    let text = match pat {
        Pat::Ident(PatIdent { subpat: Some((_, pat)), .. }) => return no_type(pat),
        Pat::Reference(reference) => {
            let inner = spell(&reference.pat);
            format!("a message is owned by its receiver: write `{inner}`, without the `&`")
        }
        Pat::Rest(_) => "to take every message, write `_`".to_owned(),
        _ => {
            let (pattern, example) = (spell(pat), example(pat));
            format!(
                "this pattern fits more than one type: write the type of the message after it, \
                 such as `{pattern}: {example}`"
            )
        }
    };
    Error::new_spanned(pat, text)
}

/// Returns a type that the pattern fits, for an error message. Parts that the pattern leaves open
/// become `T`, or the most common type.
fn example(pat: &Pat) -> String {
    if let Some(key) = key(pat) {
        return key;
    }
    match pat {
        Pat::Lit(lit) => match &lit.lit {
            Lit::Str(_) => "String",
            Lit::ByteStr(_) => "Vec<u8>",
            Lit::Float(_) => "f64",
            _ => "u64",
        }
        .to_owned(),
        Pat::Range(_) => "u64".to_owned(),
        Pat::Ident(PatIdent { subpat: Some((_, pat)), .. }) => example(pat),
        Pat::Ident(pat) if pat.ident == "None" => "Option<T>".to_owned(),
        Pat::Ident(pat) => match &*pat.ident.to_string() {
            "pid" | "from" | "to" | "who" | "sender" | "client" | "peer" | "caller" => "Pid",
            "n" | "i" | "count" | "id" => "u64",
            "text" | "name" => "String",
            "monitor" | "reference" | "mark" | "call" | "tag" => "Reference",
            _ => "T",
        }
        .to_owned(),
        Pat::Paren(pat) => example(&pat.pat),
        Pat::Or(or) => or.cases.first().map_or_else(|| "T".to_owned(), example),
        Pat::Tuple(pat) => {
            let elems = pat.elems.iter().filter(|elem| !matches!(elem, Pat::Rest(_)));
            let elems: Vec<_> = elems.map(example).collect();
            let rest = if elems.len() < pat.elems.len() { ", .." } else { "" };
            let comma = if elems.len() == 1 && rest.is_empty() { "," } else { "" };
            format!("({}{comma}{rest})", elems.join(", "))
        }
        Pat::Slice(_) => "Vec<T>".to_owned(),
        Pat::TupleStruct(pat) => {
            let last = pat.path.segments.last().map(|last| last.ident.to_string());
            let inner = pat.elems.first().map_or_else(|| "T".to_owned(), example);
            match last.as_deref() {
                Some("Some") => format!("Option<{inner}>"),
                Some("Ok") => format!("Result<{inner}, E>"),
                Some("Err") => format!("Result<T, {inner}>"),
                _ => format!("{}<{inner}>", spell(&pat.path)),
            }
        }
        Pat::Path(_) => "Option<T>".to_owned(),
        _ => "T".to_owned(),
    }
}

/// Rewrites each constant, unit struct and unit variant so that the compiler can't take it for a
/// binding: a misspelled name would otherwise be a binding that takes every value.
pub(super) fn name_constants(pat: &mut Pat) {
    struct Constants;

    impl VisitMut for Constants {
        fn visit_field_pat_mut(&mut self, field: &mut FieldPat) {
            if field.colon_token.is_some() {
                visit_mut::visit_field_pat_mut(self, field);
            }
        }

        fn visit_pat_mut(&mut self, pat: &mut Pat) {
            visit_mut::visit_pat_mut(self, pat);
            if let Pat::Ident(name) = pat
                && !is_binding(name)
            {
                let ident = &name.ident;
                *pat = Pat::Path(parse_quote_spanned!(ident.span()=> #ident::<>));
            }
        }

        fn visit_expr_mut(&mut self, _: &mut Expr) {}
    }

    Constants.visit_pat_mut(pat);
}

/// Returns the names that the pattern binds, in order and without duplicates. Removes every `mut`
/// from the pattern, since the loop only passes the bindings on.
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
            // Another case of an or-pattern binds the same name.
            Some(binding) => binding.mutability = binding.mutability.or(mutability),
            None => self.found.push(Binding { ident: pat.ident.clone(), mutability, shorthand }),
        }
    }
}

impl VisitMut for Bindings {
    fn visit_field_pat_mut(&mut self, field: &mut FieldPat) {
        match &mut *field.pat {
            // `Ping { n }` binds `n`, whatever its case: a field can't have the name of a constant
            // here.
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
    fn the_type_is_read_from_the_pattern() {
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
            ("Local(Cmd::Get(n))", Ok("Local<Cmd>")),
            ("fika::Local(Cmd::Get(n))", Ok("Local<Cmd>")),
            ("Local::<Cmd>(x)", Ok("Local::<Cmd>")),
            ("Some(Cmd::Get(n))", Ok("Option<Cmd>")),
            ("(Stop, Ping { n })", Ok("(Stop, Ping)")),
            ("(Stop, true)", Ok("(Stop, bool)")),
            ("()", Ok("()")),
            ("true | false", Ok("bool")),
            ("'a'..='z'", Ok("char")),
            ("5_u8", Ok("u8")),
            ("b'x'", Ok("u8")),
            ("-1_i64", Ok("i64")),
            ("1..=5_u16", Ok("u16")),
            ("..=LIMIT", Ok("LIMIT")),
            ("0 | LIMIT", Ok("0|LIMIT")),
            ("Get(_) | Put(_)", Ok("Get(_)|Put(_)")),
            ("<T as Trait>::NAME", Ok("<T as Trait>::NAME")),
            ("Ping { .. } | _", Err("of one type, or all of them")),
            ("(a, b)", Err("such as `(a, b): (T, T)`")),
            ("(pid, Local(tx))", Err("`(pid, Local(tx)): (Pid, Local<T>)`")),
            ("(from, Cmd::Get(n))", Err("`(from, Cmd::Get(n)): (Pid, Cmd)`")),
            ("(from, ..)", Err("`(from, ..): (Pid, ..)`")),
            ("(n,)", Err("`(n,): (u64,)`")),
            ("1", Err("`1: u64`")),
            ("-1", Err("`-1: ")),
            ("1..=5", Err("`1..=5: u64`")),
            ("(from, \"x\")", Err("`(from, \"x\"): (Pid, String)`")),
            ("n @ 1..", Err("`1..: u64`")),
            ("[a, b]", Err("`[a, b]: Vec<T>`")),
            ("&x", Err("write `x`, without the `&`")),
            ("..", Err("write `_`")),
            ("Some(x)", Err("`Some(x): Option<T>`")),
            ("None", Err("`None: Option<T>`")),
            ("Option::None", Err("`Option::None: Option<T>`")),
            ("Ok(n)", Err("`Ok(n): Result<u64, E>`")),
            ("Err(_)", Err("`Err(_): Result<T, T>`")),
            ("Local(tx)", Err("`Local(tx): Local<T>`")),
        ];
        for (source, expected) in cases {
            let found = match takes(&parse(source)) {
                Ok(takes) => Ok(takes.key().unwrap_or_else(|| "any message".to_owned())),
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
    fn as_names_the_type_around_a_pattern() {
        let cases = [
            ("As::<(Pid, u64)>((a, b))", "(a, b)", Some("(Pid, u64)")),
            ("As::<u64>(n)", "n", Some("u64")),
            ("As(n)", "As(n)", None),
            ("As::<u64>(n, m)", "As::<u64>(n, m)", None),
            ("my::As::<u64>(n)", "my::As::<u64>(n)", None),
        ];
        for (source, pattern, expected) in cases {
            let (pat, ty) = split_as(parse(source));
            assert_eq!(
                (spell(&pat), ty.as_ref().map(spell).as_deref()),
                (pattern.into(), expected)
            );
        }
    }

    #[test]
    fn a_constant_is_not_a_binding() {
        let cases = [
            ("LIMIT", "LIMIT::<>"),
            ("Pong(LIMIT, n)", "Pong(LIMIT::<>, n)"),
            ("P { LIMIT, x: LIMIT, .. }", "P { LIMIT, x:LIMIT::<>, .. }"),
            ("A::B | None", "A::B|None::<>"),
        ];
        for (source, named) in cases {
            let mut pat = parse(source);
            name_constants(&mut pat);
            assert_eq!(spell(&pat), named, "{source}");
        }
    }

    #[test]
    fn borrowing_a_message_is_refused() {
        for source in ["Pong(ref n)", "Ping { ref mut n, .. }", "ref any", "ref any @ Ping { .. }"]
        {
            let error = bindings(&mut parse(source)).err().expect(source);
            assert!(error.to_string().contains("without the `ref`"), "{error}");
        }
    }
}
