//! A request as a type, and the types that carry the names of the requests.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Type;

use super::model::{Arg, Handler, Kind, Server};

pub(crate) struct Request {
    /// The type that carries the request's name.
    name: TokenStream,
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

/// Returns `count` names that the user's code can't see.
pub(crate) fn values(count: usize) -> Vec<Ident> {
    (0..count).map(|n| format_ident!("arg{n}", span = Span::mixed_site())).collect()
}

/// Generates the types that carry the names of the requests, and registers their tags.
pub(crate) fn names(server: &Server, fika: &TokenStream, tag: &TokenStream) -> TokenStream {
    let requests: Vec<_> =
        server.handlers.iter().filter(|handler| handler.kind != Kind::Info).collect();
    let types = requests.iter().map(|Handler { name, cfgs, .. }| {
        quote! {
            #(#cfgs)*
            #[allow(non_camel_case_types, unreachable_pub, missing_docs, missing_debug_implementations)]
            pub enum #name {}
        }
    });
    let named = requests.iter().map(|handler| {
        let (name, cfgs) = (Request::of(handler, fika).name, &handler.cfgs);
        let ident = handler.name.to_string();
        let ident = ident.trim_start_matches("r#");
        let readable = format!("{}::{ident}", server.name);
        quote! {
            #(#cfgs)*
            impl #fika::gen_server::RequestName for #name {
                const NAME: &'static str = #readable;
                const TAG: &'static str = ::core::concat!(#tag, "::", #ident);
            }

            #(#cfgs)*
            #fika::__private::inventory::submit! {
                #fika::__private::TagEntry::new::<#name>(::core::concat!(#tag, "::", #ident))
            }
        }
    });
    quote! {
        mod __requests {
            #(#types)*
        }
        #(#named)*
    }
}
