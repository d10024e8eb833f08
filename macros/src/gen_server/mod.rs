//! `#[gen_server]`: a server and its typed client, from an `impl` block.
//!
//! The functions of the block stay as they are, without `#[call]`, `#[cast]` and `#[info]`. The
//! attribute adds, in this order:
//!
//! 1. the client, a type that holds a `ServerRef` and has one method for each request;
//! 2. the functions that start the server and name a running one;
//! 3. for each request, a type without values that carries its name, and the `impl` of its handler
//!    trait, which calls the user's function;
//! 4. the `impl` of `GenServer`, and the list of what the server receives.
//!
//! All but the client is inside of an unnamed constant, so the user's module gets one new name.

mod behaviour;
mod client;
mod expand;
mod model;
mod parse;
mod refuse;
mod request;
mod start;

use proc_macro2::TokenStream;
use quote::quote;

use crate::name::Settings;

pub(crate) fn gen_server(args: TokenStream, item: TokenStream) -> TokenStream {
    let settings = Settings::parse(args, &parse::SETTINGS);
    let (item, server) = parse::server(item);
    let server = match (settings, server) {
        (Ok(settings), Ok(server)) => return expand::server(&item, &server, settings),
        (Err(mut error), Err(other)) => {
            error.combine(other);
            error
        }
        (Err(error), _) | (_, Err(error)) => error,
    };
    // Keeps the block, so that its uses cause fewer further errors.
    let error = server.to_compile_error();
    quote!(#error #item)
}

/// `#[call]`, `#[cast]` and `#[info]` in a block without `#[gen_server]`.
pub(crate) fn misplaced(attr: &str, item: TokenStream) -> TokenStream {
    let text = format!(
        "`#[{attr}]` marks a handler of a server: write `#[gen_server]` on the `impl` block of the \
         server's type"
    );
    let error = syn::Error::new(proc_macro2::Span::call_site(), text).to_compile_error();
    quote!(#error #item)
}
