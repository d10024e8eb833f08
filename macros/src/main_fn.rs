//! `#[fika::main]` and `#[fika::test]`: an `async fn` that runs as a process of a new node.
//!
//! The settings become calls of the node's builder, so what they take and mean is written
//! there and not here; this file only knows their names, to say which there are.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, ItemFn, Result, ReturnType, Token};

use crate::sim_test;

/// The methods of the builder that can be called from here.
const SETTINGS: [&str; 8] = [
    "name",
    "cookie",
    "cookie_file",
    "workers",
    "hidden",
    "listen",
    "epmd_port",
    "stop_on_signals",
];

/// `#[fika::main]`.
pub(crate) fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = syn::parse2(item).and_then(|item: ItemFn| {
        check(&item, "main")?;
        let builder = builder(args)?;
        let ItemFn { attrs, vis, sig, block } = &item;
        let name = &sig.ident;
        let run = run("run_main", &builder, name);
        // A result that a program can't end with is the user's type's fault.
        let at = match &sig.output {
            ReturnType::Default => Span::mixed_site(),
            ReturnType::Type(_, ty) => ty.span(),
        };
        let output = quote_spanned!(at=> impl ::std::process::Termination);
        Ok(quote! {
            #[allow(clippy::unused_async)]
            #(#attrs)*
            #vis fn #name() -> #output {
                #sig #block
                #run
            }
        })
    });
    // The program needs a `main` all the same, or the compiler would ask for one.
    expanded.unwrap_or_else(|error| {
        let error = error.to_compile_error();
        quote!(#error fn main() {})
    })
}

/// `#[fika::test]`.
pub(crate) fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    if sim_test::is_meant(&args) {
        return sim_test::test(args, item);
    }
    let expanded = syn::parse2(item).and_then(|item: ItemFn| {
        check(&item, "test")?;
        let builder = builder(args)?;
        let ItemFn { attrs, vis, sig, block } = &item;
        let (name, output) = (&sig.ident, &sig.output);
        let run = run("run_test", &builder, name);
        // Named in full: a user may have imported this very macro as `test`.
        Ok(quote! {
            #[::core::prelude::v1::test]
            #[allow(clippy::unused_async)]
            #(#attrs)*
            #vis fn #name() #output {
                #sig #block
                #run
            }
        })
    });
    expanded.unwrap_or_else(|error| error.to_compile_error())
}

fn run(with: &str, builder: &TokenStream, name: &Ident) -> TokenStream {
    let with = Ident::new(with, Span::mixed_site());
    quote_spanned!(Span::mixed_site()=> ::fika::__private::#with(#builder, #name()))
}

pub(crate) fn check(item: &ItemFn, kind: &str) -> Result<()> {
    let sig = &item.sig;
    let error = |at: &dyn quote::ToTokens, text: String| {
        Err(Error::new_spanned(at.to_token_stream(), text))
    };
    if sig.asyncness.is_none() {
        return error(
            &sig.fn_token,
            format!("it runs as a process: write `async fn {}`", sig.ident),
        );
    }
    if !sig.generics.params.is_empty() || sig.generics.where_clause.is_some() {
        return error(
            &sig.generics,
            format!(
                "a {kind} function is called by nobody who could choose types: leave the generics out"
            ),
        );
    }
    if !sig.inputs.is_empty() {
        return error(&sig.inputs, format!("a {kind} function takes no arguments"));
    }
    let doubled = item.attrs.iter().find(|attr| attr.path().is_ident("test"));
    match doubled {
        Some(attr) if kind == "test" => {
            error(attr, "`#[fika::test]` is all that a test needs: leave `#[test]` out".to_owned())
        }
        _ => Ok(()),
    }
}

/// `key = expression`.
struct Setting {
    key: Ident,
    value: Expr,
}

impl Parse for Setting {
    fn parse(input: ParseStream<'_>) -> Result<Setting> {
        let key: Ident = input.parse()?;
        if !SETTINGS.iter().any(|known| key == known) {
            let known = SETTINGS.join("`, `");
            return Err(Error::new(key.span(), format!("the settings of a node are `{known}`")));
        }
        if !input.peek(Token![=]) {
            return Err(Error::new(key.span(), format!("write its value: `{key} = ..`")));
        }
        input.parse::<Token![=]>()?;
        Ok(Setting { key, value: input.parse()? })
    }
}

/// The node's builder, with one call for each setting.
fn builder(args: TokenStream) -> Result<TokenStream> {
    let settings = Punctuated::<Setting, Token![,]>::parse_terminated.parse2(args)?;
    let mut builder = quote!(::fika::Node::builder());
    let mut seen: Vec<String> = Vec::new();
    for Setting { key, value } in settings {
        if seen.iter().any(|other| key == other) {
            return Err(Error::new(key.span(), format!("`{key}` is set twice")));
        }
        seen.push(key.to_string());
        builder.extend(quote!(.#key(#value)));
    }
    Ok(builder)
}
