//! The functions that start a server, and those that return the client of a running server.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use super::client;
use super::model::{Init, Server};
use super::request::of_args;
use crate::fika_path::Fika;

pub(crate) fn functions(server: &Server, found: &Fika) -> TokenStream {
    let fika = &found.at(Span::mixed_site());
    let Server { ty, init: Init { vis, .. }, .. } = server;
    let (parameters, arguments, where_clause) = server.generics.split_for_impl();
    let name = client::name(server);
    let client = &quote!(#name #arguments);
    let gs = quote!(#fika::gen_server);
    let reference = quote!(#fika::__private::Reference);
    let starts = [
        start(server, found, "start", client),
        start(server, found, "start_link", client),
        start(server, found, "start_monitor", &quote!((#client, #reference))),
    ];
    let child_spec = child_spec(server, fika);
    quote! {
        #[allow(private_interfaces, private_bounds)]
        impl #parameters #ty #where_clause {
            #(#starts)*

            #child_spec

            /// Returns the client of the server with this pid, with this name on this node, or with
            /// this name on another node.
            ///
            /// # Panics
            /// If the name of a process or of a node is invalid.
            #[allow(dead_code)]
            #[must_use]
            #[track_caller]
            #vis fn at<'__name>(
                server: impl ::core::convert::Into<#fika::__private::Dest<'__name>>,
            ) -> #client {
                ::core::convert::From::from(#gs::ServerRef::<Self>::at(server))
            }

            /// Returns the client of the server with this name in a registry.
            #[allow(dead_code)]
            #[must_use]
            #vis fn via(name: ::std::sync::Arc<dyn #gs::Via>) -> #client {
                ::core::convert::From::from(#gs::ServerRef::<Self>::via(name))
            }
        }
    }
}

/// Generates a function that calls the function `name` of `gen_server` with the arguments of
/// `init`. Its documentation links to that function and contains the documentation of `init`.
fn start(server: &Server, found: &Fika, name: &str, started: &TokenStream) -> TokenStream {
    let fika = &found.at(Span::mixed_site());
    let link =
        format!("[`gen_server::{name}`]({})", found.text_of(&format!("::gen_server::{name}")));
    let client = if name == "start_monitor" { "its client and the monitor" } else { "its client" };
    let summary = format!("Starts a server by {link}, and returns {client}.");
    let errors = format!("Those of {link}.");
    let Init { vis, docs, args, .. } = &server.init;
    let (names, types) = of_args(args);
    let name = Ident::new(name, Span::mixed_site());
    // Hygienic, since an argument of `init` may be called `opts`, too.
    let opts = Ident::new("opts", Span::mixed_site());
    let gs = quote!(#fika::gen_server);
    let run = quote!(#gs::#name::<Self>(#opts, (#(#names,)*)).await?);
    let result = if name == "start_monitor" {
        quote! {
            let (server, monitor) = #run;
            ::core::result::Result::Ok((::core::convert::From::from(server), monitor))
        }
    } else {
        quote!(::core::result::Result::Ok(::core::convert::From::from(#run)))
    };
    quote! {
        #[doc = #summary]
        ///
        #(#docs)*
        ///
        /// # Errors
        #[doc = #errors]
        #[allow(dead_code, clippy::too_many_arguments)]
        #vis async fn #name(
            #opts: #gs::Start,
            #(#names: #types),*
        ) -> ::core::result::Result<#started, #gs::StartError> {
            #result
        }
    }
}

/// Generates the function that specifies the server as a child of a supervisor.
fn child_spec(server: &Server, fika: &TokenStream) -> TokenStream {
    let Init { vis, docs, args, .. } = &server.init;
    let (names, types) = of_args(args);
    let id = Ident::new("id", Span::mixed_site());
    let opts = Ident::new("opts", Span::mixed_site());
    let private = quote!(#fika::__private::otp);
    let sup = quote!(#fika::supervisor);
    quote! {
        /// Specifies the server as a child of a supervisor: permanent, with 5 seconds to end. Each
        /// start gets a clone of the arguments.
        ///
        #(#docs)*
        #[allow(dead_code, clippy::too_many_arguments)]
        #vis fn child_spec<__Id>(
            #id: __Id,
            #opts: #fika::gen_server::Start,
            #(#names: #types),*
        ) -> #sup::ChildSpec
        where
            __Id: ::core::convert::Into<#sup::ChildId>,
            (#(#types,)*): #private::StartArgs<__Id>,
        {
            #private::child_spec::<Self, __Id>(#id, #opts, (#(#names,)*))
        }
    }
}
