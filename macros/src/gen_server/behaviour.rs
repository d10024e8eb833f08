//! The `impl` of `GenServer`, and the list of what the server receives.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::model::{Init, Kind, Proceed, Server};
use super::request::{Request, of_args, values};
use crate::fika_path::Fika;

/// The list of what the server receives: a type of its own, since a type that lists the messages
/// could not be more private than the server.
pub(crate) fn receives(server: &Server, found: &Fika) -> TokenStream {
    let ty = &server.ty;
    let (parameters, _, where_clause) = server.generics.split_for_impl();
    let fika = found.at(Span::mixed_site());
    let gs = quote!(#fika::gen_server);
    let list = server.handlers.iter().map(|handler| {
        let at = handler.name.span().resolved_at(Span::mixed_site());
        let fika = &found.at(at);
        let (_, types) = of_args(&handler.args);
        let request = || Request::of(handler, fika).ty;
        let (kind, message) = match handler.kind {
            Kind::Call => ("Call", request()),
            Kind::Cast => ("Cast", request()),
            Kind::Info => ("Info", quote!(#(#types)*)),
        };
        let kind = Ident::new(kind, at);
        let entry = quote_spanned! {at=>
            <#fika::gen_server::#kind<#message> as #fika::gen_server::Receives<#ty>>
        };
        (handler.cfgs.clone(), entry)
    });
    let proceed = server.proceed.as_ref().map(|Proceed { arg, .. }| {
        (Vec::new(), quote!(<#gs::Continue<#arg> as #gs::Receives<#ty>>))
    });
    let (cfgs, list): (Vec<_>, Vec<_>) = list.chain(proceed).unzip();
    quote! {
        #[allow(unreachable_pub, missing_docs, missing_debug_implementations)]
        pub enum __Receives {}

        #[automatically_derived]
        impl #parameters #gs::Receives<#ty> for __Receives #where_clause {
            #[inline]
            fn takes(message: &#fika::__private::Envelope) -> bool {
                #(
                    #(#cfgs)*
                    {
                        if #list::takes(message) {
                            return true;
                        }
                    }
                )*
                let _ = message;
                false
            }

            fn describe(message: &#fika::__private::Envelope) -> #fika::__private::otp::Kind {
                #(
                    #(#cfgs)*
                    {
                        if #list::takes(message) {
                            return #list::describe(message);
                        }
                    }
                )*
                let _ = message;
                ::core::default::Default::default()
            }

            #[inline]
            async fn handle(
                server: &mut #ty,
                message: #fika::__private::Envelope,
                behaviour: &::std::sync::Arc<#fika::__private::otp::Behaviour>,
            ) -> ::core::result::Result<
                #fika::__private::otp::Handled,
                #fika::__private::Envelope,
            > {
                #(
                    #(#cfgs)*
                    {
                        if #list::takes(&message) {
                            return #list::handle(server, message, behaviour).await;
                        }
                    }
                )*
                let _ = (server, behaviour);
                ::core::result::Result::Err(message)
            }
        }
    }
}

/// The `impl` of `GenServer`.
pub(crate) fn behaviour(server: &Server, found: &Fika) -> TokenStream {
    let Server { ty, init: Init { args, output, .. }, .. } = server;
    let (parameters, _, where_clause) = server.generics.split_for_impl();
    let at_type = ty.span().resolved_at(Span::mixed_site());
    let fika = found.at(at_type);
    let gs = quote_spanned!(at_type=> #fika::gen_server);
    let (_, types) = of_args(args);
    let names = values(args.len());
    let at = output.resolved_at(Span::mixed_site());
    let fika_at = found.at(at);
    let started = quote_spanned! {at=>
        #fika_at::gen_server::IntoInit::<Self>::into_init(Self::init(#(#names),*).await)
    };
    let terminate = server.terminate.map(|span| {
        let at = span.resolved_at(Span::mixed_site());
        quote_spanned! {at=>
            async fn terminate(&mut self, reason: &#fika::__private::ExitReason) {
                Self::terminate(self, reason).await;
            }
        }
    });
    let status = match server.format_status {
        Some(span) => quote_spanned! {span.resolved_at(Span::mixed_site())=>
            Self::format_status(self)
        },
        // `Debug` if the server has it.
        None => quote_spanned! {at_type=>
            #[allow(unused_imports)]
            use #fika::__private::otp::NoDebug as _;
            #fika::__private::otp::State(self).format()
        },
    };
    quote_spanned! {at_type=>
        #[automatically_derived]
        impl #parameters #gs::GenServer for #ty #where_clause {
            type Args = (#(#types,)*);
            type Receives = __Receives;

            async fn init((#(#names,)*): Self::Args) -> #gs::Init<Self> {
                #started
            }

            #terminate

            fn format_status(&self) -> ::std::string::String {
                #status
            }
        }
    }
}
