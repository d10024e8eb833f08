//! A request as a type.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::Type;

use super::model::{Arg, Handler};

pub(crate) struct Request {
    /// The type that has its name.
    pub(crate) name: TokenStream,
    pub(crate) ty: TokenStream,
}

impl Request {
    pub(crate) fn of(handler: &Handler, fika: &TokenStream) -> Request {
        let at = handler.name.span().resolved_at(Span::mixed_site());
        let ident = &handler.name;
        let name = quote_spanned!(at=> __requests::#ident);
        let (_, types) = of_args(&handler.args);
        let ty = quote_spanned!(at=> #fika::gen_server::Args<#name, (#(#types,)*)>);
        Request { name, ty }
    }
}

pub(crate) fn of_args(args: &[Arg]) -> (Vec<&Ident>, Vec<&Type>) {
    args.iter().map(|arg| (&arg.name, &arg.ty)).unzip()
}
