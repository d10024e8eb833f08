//! `#[fika::message]`: all derives that a message needs, by fika's own paths.
//!
//! The settings go to the derive of `Message`, as its attribute `#[message(..)]`. Serde's two
//! derives name the serde that fika has, so the user's crate needs no serde of its own.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::quote;
use syn::parse::{Parser as _, discouraged::AnyDelimiter as _};
use syn::punctuated::Punctuated;
use syn::{Attribute, DeriveInput, Error, Meta, Path, Result, Token};

use crate::fika_path::{Fika, path_of};
use crate::message_fields::check_fields;

/// The derives that the attribute stands for.
const DERIVES: [&str; 3] = ["Message", "Serialize", "Deserialize"];

pub(crate) fn message(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item.clone()).map_err(|_| {
        let at = item.clone().into_iter().next().map_or_else(Span::call_site, |token| token.span());
        Error::new(at, "a message is a struct or an enum: write `#[message]` on its type")
    })?;
    input.attrs.iter().try_for_each(check)?;
    let settings = Settings::parse(args.clone())?;
    let fika = settings.fika;
    let at_fika = fika.at(Span::call_site());
    let message = quote!(#at_fika::Message);
    if settings.local {
        return Ok(quote! {
            #[derive(#message)]
            #[message(#args)]
            #item
        });
    }
    // The derive reports a type with a lifetime.
    let borrows = input.generics.lifetimes().next().is_some();
    let fields = if borrows { Ok(()) } else { check_fields(&input) };
    if let Err(error) = fields {
        // Serde's derives would report the field once more. A `local` message needs none of them,
        // and its uses cause no further errors.
        let error = error.to_compile_error();
        return Ok(quote! {
            #error
            #[derive(#message)]
            #[message(local, #args)]
            #item
        });
    }
    let serde = quote!(#at_fika::__private::serde);
    let path = fika.text_of("::__private::serde");
    let own = input.attrs.iter().any(names_serde);
    let path = (!own).then(|| quote!(#[serde(crate = #path)]));
    let settings = (!args.is_empty()).then(|| quote!(#[message(#args)]));
    // `Message` is first, so that its errors come before those of serde.
    Ok(quote! {
        #[derive(#message, #serde::Serialize, #serde::Deserialize)]
        #settings
        #path
        #item
    })
}

/// The settings that the attribute itself needs; the derive checks them.
struct Settings {
    local: bool,
    fika: Fika,
}

impl Settings {
    fn parse(args: TokenStream) -> Result<Settings> {
        let (mut local, mut path): (bool, Option<Path>) = (false, None);
        let parser = syn::meta::parser(|meta| {
            if meta.path.is_ident("crate") {
                path = Some(path_of(&meta.value()?.parse()?)?);
            } else if meta.input.peek(Token![=]) {
                meta.value()?.parse::<TokenTree>()?;
            } else if meta.input.peek(syn::token::Paren) {
                meta.input.parse_any_delimiter()?;
            } else {
                local |= meta.path.is_ident("local");
            }
            Ok(())
        });
        parser.parse2(args)?;
        Ok(Settings { local, fika: Fika::or_found(path) })
    }
}

/// Refuses a derive that would be the second one.
fn check(attr: &Attribute) -> Result<()> {
    if !attr.path().is_ident("derive") {
        return Ok(());
    }
    let derives = attr.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)?;
    for path in derives {
        let name = path.segments.last().map(|segment| segment.ident.to_string());
        if let Some(name) = name.filter(|name| DERIVES.contains(&name.as_str())) {
            let text = format!("`#[message]` derives `{name}`, too: leave it out here");
            return Err(Error::new_spanned(path, text));
        }
    }
    Ok(())
}

/// Whether the attribute already says which serde to use.
fn names_serde(attr: &Attribute) -> bool {
    let Meta::List(list) = &attr.meta else { return false };
    let is_crate = |token: TokenTree| matches!(token, TokenTree::Ident(ident) if ident == "crate");
    list.path.is_ident("serde") && list.tokens.clone().into_iter().any(is_crate)
}
