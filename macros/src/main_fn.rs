//! `#[fika::main]` and `#[fika::test]`: an `async fn` that runs as a process of a new node.
//!
//! Each setting becomes a call of a method of the node's builder, which documents it. This file
//! knows only the names of the settings, to report an unknown one. A test compares these names with
//! the methods of the builder.
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

use crate::sim_test;

/// The methods of the builder that can be settings, in the order of the builder's docs.
const SETTINGS: &[&str] = &[
    "name",
    "cookie",
    "cookie_file",
    "allow_weak_cookie",
    "cluster_id",
    "workers",
    "process_limit",
    "mailbox_limit",
    "long_message_queue",
    "env",
    "hidden",
    "listen",
    "listen_ports",
    "dist_listen",
    "start_epmd",
    "cookie_for",
    "cookie_file_for",
    "allow",
    "socket_options",
    "net_handler",
    "epmd_port",
    "resolver",
    "network",
    "unix_sockets",
    "net_ticktime",
    "net_tickintensity",
    "message_bytes_max",
    "output_bytes",
    "async_dist",
    "encode_messages",
    "net_setuptime",
    "handshake_time",
    "connect_all",
    "dist_auto_connect",
    "stop_on_signals",
];

/// Settings that may be repeated, each time for another node.
const REPEATED: &[&str] = &["cookie_for", "cookie_file_for", "allow"];

/// Expands `#[fika::main]`.
pub(crate) fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = syn::parse2(item).and_then(|item: ItemFn| {
        check(&item, "main")?;
        let cli = command_line(&item)?;
        let options = Ident::new("_node_options", Span::mixed_site());
        let variables = cli.as_ref().map(|(name, _)| Cli { name, options: &options });
        let builder = builder(args, Some(variables))?;
        let ItemFn { attrs, vis, sig, block } = &item;
        let name = &sig.ident;
        let cli_name = cli.iter().map(|(name, _)| name);
        let parse = cli.iter().map(|(name, ty)| {
            let parse = parse_args(ty);
            quote!(let (#name, #options) = #parse;)
        });
        // If a program can't return this type, the error belongs to the user's type.
        let at = match &sig.output {
            ReturnType::Default => Span::mixed_site(),
            ReturnType::Type(_, ty) => ty.span(),
        };
        let output = quote_spanned!(at=> impl ::std::process::Termination);
        let program = quote_spanned!(Span::mixed_site()=> move || #name(#(#cli_name)*));
        let run = quote_spanned!(at=> ::fika::__private::run_main(#builder, #program));
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
        let builder = builder(args, None)?;
        let ItemFn { attrs, vis, sig, block } = &item;
        let (name, output) = (&sig.ident, &sig.output);
        let run = run("run_test", &builder, quote!(#name()));
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

fn run(with: &str, builder: &TokenStream, call: TokenStream) -> TokenStream {
    let with = Ident::new(with, Span::mixed_site());
    quote_spanned!(Span::mixed_site()=> ::fika::__private::#with(#builder, move || #call))
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
fn parse_args(ty: &Type) -> TokenStream {
    quote_spanned!(ty.span()=> ::fika::__private::parse_args_of_main!(#ty))
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

/// A setting: `key = expression`, `key(expression, expression)`, or `args`.
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
        let is_args = key == "args";
        if !is_args && !SETTINGS.iter().any(|known| key == known) {
            return Err(unknown(&key));
        }
        if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            return Ok(Setting { key, value: Some(input.parse()?) });
        }
        if input.peek(token::Paren) {
            return Ok(Setting { key, value: Some(Expr::Tuple(input.parse()?)) });
        }
        match is_args {
            true => Ok(Setting { key, value: None }),
            false => Err(Error::new(key.span(), format!("write its value: `{key} = ..`"))),
        }
    }
}

fn unknown(key: &Ident) -> Error {
    let name = key.to_string();
    let nearest = SETTINGS.iter().min_by_key(|known| distance(&name, known));
    let nearest = nearest.filter(|known| distance(&name, known) <= 1 + name.len() / 3);
    let meant = nearest.map_or(String::new(), |known| format!("; did you mean `{known}`?"));
    let known = SETTINGS.join("`, `");
    let text = format!(
        "a node has no setting `{name}`{meant}\nthe settings are `args` and those of the node's \
         builder: `{known}`"
    );
    Error::new(key.span(), text)
}

/// Returns the Levenshtein distance of two words: how many letters must be added, removed or
/// replaced to turn one into the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

/// The names of the variables that hold the command line.
struct Cli<'a> {
    /// The argument of `main`.
    name: &'a Ident,
    /// The options of a node in the argument's type.
    options: &'a Ident,
}

/// Returns the node's builder with one call for each setting. The command line is applied last, so
/// that the other settings are the program's defaults.
///
/// `cli` is `None` if there is no command line, and `Some(None)` if `main` has no argument.
fn builder(args: TokenStream, cli: Option<Option<Cli<'_>>>) -> Result<TokenStream> {
    let settings = Punctuated::<Setting, Token![,]>::parse_terminated.parse2(args)?;
    let mut builder = quote!(::fika::Node::builder());
    let mut from_args = None;
    let mut seen: Vec<String> = Vec::new();
    for Setting { key, value } in settings {
        let is_repeated = REPEATED.iter().any(|repeated| key == repeated);
        if !is_repeated && seen.iter().any(|other| key == other) {
            return Err(Error::new(key.span(), format!("`{key}` is set twice: leave one out")));
        }
        seen.push(key.to_string());
        match value {
            _ if key == "args" => from_args = Some((key, value)),
            // The method has two arguments.
            Some(Expr::Tuple(values)) => {
                let values = &values.elems;
                builder.extend(quote!(.#key(#values)));
            }
            value => builder.extend(quote!(.#key(#value))),
        }
    }
    let args = match (from_args, cli) {
        (Some((key, _)), None) => {
            return Err(Error::new(key.span(), "a test has no command line: leave `args` out"));
        }
        (Some((_, Some(value))), _) => quote!(#value),
        (Some((key, None)), Some(Some(Cli { name, .. }))) => {
            quote_spanned!(key.span()=> *::fika::__private::args_of_main(&#name))
        }
        (Some((key, None)), Some(None)) => {
            let parse = parse_args(&parse_quote_spanned!(key.span()=> ::fika::NodeArgs));
            quote!(#parse.1)
        }
        (None, Some(Some(Cli { options, .. }))) => quote!(#options),
        (None, _) => return Ok(builder),
    };
    let at = args.span();
    let args = quote_spanned!(at=> &(#args));
    Ok(quote!(::fika::__private::apply_args(#args, #builder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_setting_is_proposed() {
        let cases = [
            ("nam", Some("name")),
            ("cookies", Some("cookie")),
            ("worker", Some("workers")),
            ("net_tick_time", Some("net_ticktime")),
            ("max_message_bytes", None),
            ("x", None),
        ];
        for (name, nearest) in cases {
            let text = unknown(&Ident::new(name, Span::call_site())).to_string();
            match nearest {
                Some(nearest) => assert!(text.contains(&format!("mean `{nearest}`?")), "{text}"),
                None => assert!(!text.contains("did you mean"), "{text}"),
            }
        }
    }
}
