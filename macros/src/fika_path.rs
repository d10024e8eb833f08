//! The path of the crate `fika` in the crate that uses a macro.
//!
//! It is `::fika`, unless the user's `Cargo.toml` gives the dependency another name (`actors = {
//! package = "fika", .. }`), or the macro's setting `crate = ".."` names a path. The setting is for
//! macros of other crates that expand to macros of fika, where the user's `Cargo.toml` need not
//! list fika at all.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::parse::ParseStream;
use syn::{Error, Expr, ExprLit, Lit, LitStr, Path, Result, Token};

/// The path, to be put in front of what a macro emits: `quote!(#fika::Node)`.
#[derive(Clone)]
pub(crate) struct Fika(TokenStream);

impl Fika {
    /// The path that the setting names, or the name of the dependency if there is no setting.
    pub(crate) fn or_found(setting: Option<Path>) -> Fika {
        setting.map_or_else(Fika::find, |path| Fika(quote!(#path)))
    }

    /// Looks the name up in the user's `Cargo.toml`.
    pub(crate) fn find() -> Fika {
        // Fika's own crates call it `fika` too, by `extern crate self as fika`.
        let name = match crate_name("fika") {
            Ok(FoundCrate::Name(name)) => name,
            Ok(FoundCrate::Itself) | Err(_) => "fika".to_owned(),
        };
        let name =
            syn::parse_str(&name).unwrap_or_else(|_| Ident::new_raw(&name, Span::mixed_site()));
        Fika(quote!(::#name))
    }

    /// The path with the span to which errors about what follows should point.
    pub(crate) fn at(&self, span: Span) -> TokenStream {
        at(self.0.clone(), span)
    }

    /// The path as serde's attribute `crate` takes it.
    pub(crate) fn text_of(&self, rest: &str) -> String {
        let path: String = self.0.clone().into_iter().map(|token| token.to_string()).collect();
        format!("{path}{rest}")
    }
}

fn at(tokens: TokenStream, span: Span) -> TokenStream {
    let respanned = tokens.into_iter().map(|token| match token {
        TokenTree::Group(group) => {
            TokenTree::Group(Group::new(group.delimiter(), at(group.stream(), span)))
        }
        // `$crate` keeps its span, which says what crate it is.
        TokenTree::Ident(ident) if ident == "$crate" => TokenTree::Ident(ident),
        mut token => {
            token.set_span(span);
            token
        }
    });
    respanned.collect()
}

/// Parses the value of `crate = "shop::fika"`, after the word `crate`.
pub(crate) fn parse_value(input: ParseStream<'_>) -> Result<Path> {
    input.parse::<Token![=]>()?;
    path_of(&input.parse()?)
}

/// Parses the path in the text.
pub(crate) fn path_of(text: &LitStr) -> Result<Path> {
    text.parse().map_err(|_| Error::new(text.span(), NO_PATH))
}

/// Parses the path in the value of the setting `crate`.
pub(crate) fn path_in(key: &Ident, value: Option<&Expr>) -> Result<Path> {
    match value {
        Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => path_of(text),
        _ => Err(Error::new(key.span(), NO_PATH)),
    }
}

const NO_PATH: &str = "write the path of fika as text, like `crate = \"shop::fika\"`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crate_path_is_the_default_or_the_given_one() {
        assert_eq!(Fika::find().text_of("::Node"), "::fika::Node");
        let given = syn::parse_str("shop::fika").expect("a path");
        assert_eq!(Fika::or_found(Some(given)).text_of(""), "shop::fika");
    }
}
