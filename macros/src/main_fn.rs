//! `#[fika::main]` and `#[fika::test]`: an `async fn` that runs as a process of a new node.
//!
//! Each setting becomes a call of the method of that name on the node's builder. `settings` has the
//! names of these methods. This file itself knows only `args` and `crate`.
//!
//! If `main` has an argument, it receives the parsed command line. The command line is parsed
//! before the settings are evaluated, so that they can use it. This macro can't see whether the
//! argument's type has the options of a node. So `parse_args_of_main` returns these options, too.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{
    Error, Expr, FnArg, ItemFn, Pat, PatType, Result, ReturnType, Token, Type, parse_quote_spanned,
    token,
};

use crate::fika_path::{self, Fika};
use crate::{settings, sim_test};

/// Expands `#[fika::main]`.
pub(crate) fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = syn::parse2(item).and_then(|item: ItemFn| {
        check(&item, "main")?;
        let cli = command_line(&item)?;
        let options = Ident::new("_node_options", Span::mixed_site());
        let variables = cli.as_ref().map(|(name, _)| Cli { name, options: &options });
        let (fika, builder) = builder(args, Some(variables))?;
        let ItemFn { attrs, vis, sig, block } = &item;
        let name = &sig.ident;
        let cli_name = cli.iter().map(|(name, _)| name);
        let parse = cli.iter().map(|(name, ty)| {
            let parse = parse_args(ty, &fika);
            quote!(let (#name, #options) = #parse;)
        });
        // If a program can't return this type, the error belongs to the user's type.
        let at = match &sig.output {
            ReturnType::Default => Span::mixed_site(),
            ReturnType::Type(_, ty) => ty.span(),
        };
        let output = quote_spanned!(at=> impl ::std::process::Termination);
        let program = quote_spanned!(Span::mixed_site()=> move || #name(#(#cli_name)*));
        let fika = fika.at(at);
        let run = quote_spanned!(at=> #fika::__private::run_main(#builder, #program));
        Ok(quote! {
            #[allow(clippy::unused_async)]
            #(#attrs)*
            #vis fn #name() -> #output {
                #sig #block
                #(#parse)*
                #run
            }
        })
    });
    // Without a `main`, the compiler would report a second error.
    expanded.unwrap_or_else(|error| {
        let error = error.to_compile_error();
        quote!(#error fn main() {})
    })
}

/// Expands `#[fika::test]`.
pub(crate) fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    if sim_test::is_meant(&args) {
        return sim_test::test(args, item);
    }
    let expanded = syn::parse2(item).and_then(|item: ItemFn| {
        check(&item, "test")?;
        let (fika, builder) = builder(args, None)?;
        let ItemFn { attrs, vis, sig, block } = &item;
        let (name, output) = (&sig.ident, &sig.output);
        let fika = fika.at(Span::mixed_site());
        let run = quote_spanned! {Span::mixed_site()=>
            #fika::__private::run_test(#builder, move || #name())
        };
        // A full path, since a user may have imported this macro as `test`.
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

/// Returns the name and the type of `main`'s argument, which receives the command line.
fn command_line(main: &ItemFn) -> Result<Option<(Ident, Type)>> {
    let Some(FnArg::Typed(PatType { pat, ty, .. })) = main.sig.inputs.first() else {
        return Ok(None);
    };
    match &**pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
            Ok(Some((pat.ident.clone(), (**ty).clone())))
        }
        other => Err(Error::new_spanned(
            other,
            "the command line needs a name, as in `async fn main(cli: Cli)`",
        )),
    }
}

/// Returns code that parses the command line, as a pair: a value of this type, and the options of
/// a node that the type has.
fn parse_args(ty: &Type, fika: &Fika) -> TokenStream {
    let fika = fika.at(ty.span());
    quote_spanned!(ty.span()=> #fika::__private::parse_args_of_main!(#ty))
}

pub(crate) fn check(item: &ItemFn, kind: &str) -> Result<()> {
    let sig = &item.sig;
    let error = |at: &dyn quote::ToTokens, text: String| {
        Err(Error::new_spanned(at.to_token_stream(), text))
    };
    if sig.asyncness.is_none() {
        return error(
            &sig.fn_token,
            format!("the function runs as a process: write `async fn {}`", sig.ident),
        );
    }
    if !sig.generics.params.is_empty() || sig.generics.where_clause.is_some() {
        return error(
            &sig.generics,
            format!(
                "a {kind} function can't be generic, since no caller chooses its types: leave the \
                 generics out"
            ),
        );
    }
    if kind == "main" && sig.inputs.len() > 1 {
        return error(
            &sig.inputs,
            "a main function takes one argument at most: the program's command line, a type that \
             derives `clap::Parser`"
                .to_owned(),
        );
    }
    if kind != "main" && !sig.inputs.is_empty() {
        return error(&sig.inputs, format!("a {kind} function takes no arguments"));
    }
    let doubled = item.attrs.iter().find(|attr| attr.path().is_ident("test"));
    match doubled {
        Some(attr) if kind == "test" => {
            error(attr, "`#[fika::test]` already makes this a test: leave `#[test]` out".to_owned())
        }
        _ => Ok(()),
    }
}

/// A setting: `key = expression`, `key(expression, expression)`, `args`, or `crate = "path"`.
struct Setting {
    key: Ident,
    value: Option<Expr>,
}

impl Parse for Setting {
    fn parse(input: ParseStream<'_>) -> Result<Setting> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error("a setting needs a name, as in `name = \"a@127.0.0.1\"`"));
        }
        let key = Ident::parse_any(input)?;
        if key != "crate" && syn::parse_str::<Ident>(&key.to_string()).is_err() {
            return Err(Error::new(key.span(), format!("`{key}` is a keyword, and not a setting")));
        }
        settings::check(&key)?;
        if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            return Ok(Setting { key, value: Some(input.parse()?) });
        }
        if input.peek(token::Paren) {
            return Ok(Setting { key, value: Some(Expr::Tuple(input.parse()?)) });
        }
        match key == "args" {
            true => Ok(Setting { key, value: None }),
            false => Err(Error::new(key.span(), format!("write its value: `{key} = ..`"))),
        }
    }
}

/// The names of the variables that hold the command line.
struct Cli<'a> {
    /// The argument of `main`.
    name: &'a Ident,
    /// The options of a node in the argument's type.
    options: &'a Ident,
}

/// Returns the path of fika, and the node's builder with one call for each setting. The command
/// line is applied last, so that the other settings are the program's defaults.
///
/// `cli` is `None` if there is no command line, and `Some(None)` if `main` has no argument.
fn builder(args: TokenStream, cli: Option<Option<Cli<'_>>>) -> Result<(Fika, TokenStream)> {
    let settings = Punctuated::<Setting, Token![,]>::parse_terminated.parse2(args)?;
    let mut calls = TokenStream::new();
    let (mut from_args, mut path) = (None, None);
    let mut seen: Vec<Ident> = Vec::new();
    for Setting { key, value } in settings {
        // A setting in parentheses is about one of several things, such as the cookie of one node.
        let is_repeatable = matches!(value, Some(Expr::Tuple(_)));
        if !is_repeatable && seen.contains(&key) {
            return Err(Error::new(key.span(), format!("`{key}` is set twice: leave one out")));
        }
        seen.push(key.clone());
        match value {
            _ if key == "args" => from_args = Some((key, value)),
            value if key == "crate" => path = Some(fika_path::path_in(&key, value.as_ref())?),
            // The method has two arguments.
            Some(Expr::Tuple(values)) => {
                let values = &values.elems;
                calls.extend(quote!(.#key(#values)));
            }
            value => calls.extend(quote!(.#key(#value))),
        }
    }
    let found = Fika::or_found(path);
    let fika = found.at(Span::call_site());
    let builder = quote!(#fika::Node::builder() #calls);
    let args = match (from_args, cli) {
        (Some((key, _)), None) => {
            return Err(Error::new(key.span(), "a test has no command line: leave `args` out"));
        }
        (Some((_, Some(value))), _) => quote!(#value),
        (Some((key, None)), Some(Some(Cli { name, .. }))) => {
            let fika = found.at(key.span());
            quote_spanned!(key.span()=> *#fika::__private::args_of_main(&#name))
        }
        (Some((key, None)), Some(None)) => {
            let fika = found.at(key.span());
            let options = parse_quote_spanned!(key.span()=> #fika::node::NodeArgs);
            let parse = parse_args(&options, &found);
            quote!(#parse.1)
        }
        (None, Some(Some(Cli { options, .. }))) => quote!(#options),
        (None, _) => return Ok((found, builder)),
    };
    let at = args.span();
    let args = quote_spanned!(at=> &(#args));
    Ok((found, quote!(#fika::__private::apply_args(#args, #builder))))
}
