//! `#[fika::test(sim)]`: a test that runs on a simulated node.
//!
//! Only the crate `fika` knows whether its feature `sim` is enabled. So the emitted code calls a
//! macro of that crate, which reports a missing feature.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, ItemFn, Result, ReturnType, Token};

use crate::fika_path::{self, Fika};
use crate::main_fn::check;

/// The settings of a simulated test.
const SETTINGS: [&str; 4] = ["sim", "seeds", "limit", "crate"];

/// Returns whether these are the settings of a simulated test.
pub(crate) fn is_meant(args: &TokenStream) -> bool {
    let mut is_start = true;
    args.clone().into_iter().any(|token| {
        let starts = std::mem::replace(
            &mut is_start,
            matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ','),
        );
        starts && matches!(&token, TokenTree::Ident(key) if key == "sim" || key == "seeds")
    })
}

pub(crate) fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = syn::parse2(item).and_then(|item: ItemFn| {
        check(&item, "test")?;
        let Settings { seeds, limit, fika } = syn::parse2(args)?;
        let ItemFn { attrs, vis, sig, block } = &item;
        let name = &sig.ident;
        // An error about an unsupported return type belongs to the user's type. A panic reports the
        // line of this span, which is that of the function and not of the attribute.
        let at = match &sig.output {
            ReturnType::Default => name.span(),
            ReturnType::Type(_, ty) => ty.span(),
        };
        let fika = fika.at(at);
        let run = quote_spanned!(at=> #fika::__private::sim_test!(#seeds, #limit, #name));
        Ok(quote! {
            #[::core::prelude::v1::test]
            #[allow(clippy::unused_async)]
            #(#attrs)*
            #vis fn #name() {
                #sig #block
                #run
            }
        })
    });
    expanded.unwrap_or_else(|error| error.to_compile_error())
}

/// The seeds, and the time limit of each run.
struct Settings {
    /// The seeds, as a range.
    seeds: TokenStream,
    /// The limit, as an `Option` of a duration.
    limit: TokenStream,
    fika: Fika,
}

impl Parse for Settings {
    fn parse(input: ParseStream<'_>) -> Result<Settings> {
        let all: Vec<Setting> =
            Punctuated::<Setting, Token![,]>::parse_terminated(input)?.into_iter().collect();
        for (place, setting) in all.iter().enumerate() {
            let key = &setting.key;
            if all[..place].iter().any(|other| other.key == *key) {
                return Err(Error::new(key.span(), format!("`{key}` is set twice")));
            }
        }
        let value_of = |key: &str| all.iter().find(|setting| setting.key == key)?.value.as_ref();
        let seeds = match (value_of("sim"), value_of("seeds")) {
            (Some(seed), Some(_)) => {
                let text = "`sim = ..` sets one seed, and `seeds = ..` sets several: leave one out";
                return Err(Error::new_spanned(seed, text));
            }
            (None, Some(count)) => quote!(0..#count),
            (Some(seed), None) => quote!(#seed..=#seed),
            (None, None) => quote!(1..=1),
        };
        let limit = match value_of("limit") {
            Some(limit) => quote!(::core::option::Option::Some(#limit)),
            None => quote!(::core::option::Option::None),
        };
        let fika = match all.iter().find(|setting| setting.key == "crate") {
            Some(Setting { key, value }) => Some(fika_path::path_in(key, value.as_ref())?),
            None => None,
        };
        Ok(Settings { seeds, limit, fika: Fika::or_found(fika) })
    }
}

/// `key`, or `key = expression`.
struct Setting {
    key: Ident,
    value: Option<Expr>,
}

impl Parse for Setting {
    fn parse(input: ParseStream<'_>) -> Result<Setting> {
        let key = Ident::parse_any(input)?;
        if !SETTINGS.iter().any(|known| key == known) {
            let known = SETTINGS.join("`, `");
            let text = format!("the settings of a simulated test are `{known}`");
            return Err(Error::new(key.span(), text));
        }
        if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            return Ok(Setting { key, value: Some(input.parse()?) });
        }
        if key == "sim" {
            return Ok(Setting { key, value: None });
        }
        Err(Error::new(key.span(), format!("write its value: `{key} = ..`")))
    }
}
