//! The code that the attribute adds to a block.
//!
//! The code of a handler has the span of the handler's name, or of the type that it concerns. So
//! compiler errors point there.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::behaviour;
use super::client::Client;
use super::model::{Handler, Kind, Proceed, Server};
use super::request::{self, Request, of_args, values};
use super::start;
use crate::fika_path::Fika;
use crate::name::Settings;

pub(crate) fn server(item: &TokenStream, server: &Server, settings: Settings) -> TokenStream {
    let tag = &settings.name_of(&server.name);
    let found = &Fika::or_found(settings.fika);
    let fika = &found.at(Span::mixed_site());
    let client = Client { server, found, fika, tag };
    let definition = client.definition();
    let (methods, traits) = (client.methods(), client.traits());
    let start = start::functions(server, found);
    let names = request::names(server, fika, tag);
    let handlers = server.handlers.iter().map(|handler| match handler.kind {
        Kind::Call => call(server, handler, found),
        Kind::Cast => cast(server, handler, found),
        Kind::Info => info(server, handler, found),
    });
    let proceed = server.proceed.as_ref().map(|proceed| handle_continue(server, proceed, found));
    let receives = behaviour::receives(server, found);
    let behaviour = behaviour::behaviour(server, found);
    quote! {
        #item

        #definition

        #[allow(deprecated, clippy::type_complexity)]
        const _: () = {
            #start
            #methods
            #traits
            #names
            #(#handlers)*
            #proceed
            #receives
            #behaviour
        };
    }
}

/// Calls the user's function with these arguments and the caller.
fn run(handler: &Handler, args: &[Ident]) -> TokenStream {
    let name = &handler.name;
    let at = name.span().resolved_at(Span::mixed_site());
    let mut args: Vec<TokenStream> = args.iter().map(|arg| quote!(#arg)).collect();
    if let Some((place, span)) = handler.caller {
        let caller = Ident::new("caller", span.resolved_at(Span::mixed_site()));
        args.insert(place, quote!(#caller));
    }
    quote_spanned!(at=> Self::#name(self, #(#args),*).await)
}

fn call(server: &Server, handler: &Handler, found: &Fika) -> TokenStream {
    let at = handler.name.span().resolved_at(Span::mixed_site());
    let fika = &found.at(at);
    let (ty, cfgs) = (&server.ty, &handler.cfgs);
    let (parameters, _, where_clause) = server.generics.split_for_impl();
    let request = Request::of(handler, fika).ty;
    let args = values(handler.args.len());
    let result = run(handler, &args);
    let reply = &handler.output.reply;
    let caller = Ident::new("caller", Span::mixed_site());
    // If the reply is not a message, the error points at the return type.
    let at_output = handler.output.span.resolved_at(Span::mixed_site());
    let result = if handler.output.is_reply {
        result
    } else {
        quote_spanned!(at=> #fika::gen_server::Reply::now(#result))
    };
    let fika_at_output = &found.at(at_output);
    let reply_type = quote_spanned!(at_output=> type Reply = #reply;);
    let caller_type = quote_spanned!(at_output=> #fika_at_output::gen_server::Caller<'_, #reply>);
    quote_spanned! {at=>
        #(#cfgs)*
        #[automatically_derived]
        impl #parameters #fika::gen_server::HandleCall<#request> for #ty #where_clause {
            #reply_type

            async fn handle_call(
                &mut self,
                request: #request,
                #caller: &mut #caller_type,
            ) -> #fika::gen_server::Reply<#reply> {
                let (#(#args,)*) = request.into_inner();
                let _ = &#caller;
                #result
            }
        }
    }
}

fn cast(server: &Server, handler: &Handler, found: &Fika) -> TokenStream {
    let at = handler.name.span().resolved_at(Span::mixed_site());
    let fika = &found.at(at);
    let (ty, cfgs) = (&server.ty, &handler.cfgs);
    let (parameters, _, where_clause) = server.generics.split_for_impl();
    let request = Request::of(handler, fika).ty;
    let args = values(handler.args.len());
    let next = into_next(handler.output.span, &run(handler, &args), found);
    quote_spanned! {at=>
        #(#cfgs)*
        #[automatically_derived]
        impl #parameters #fika::gen_server::HandleCast<#request> for #ty #where_clause {
            async fn handle_cast(&mut self, request: #request) -> #fika::gen_server::Next {
                let (#(#args,)*) = request.into_inner();
                #next
            }
        }
    }
}

fn info(server: &Server, handler: &Handler, found: &Fika) -> TokenStream {
    let at = handler.name.span().resolved_at(Span::mixed_site());
    let fika = &found.at(at);
    let (ty, cfgs) = (&server.ty, &handler.cfgs);
    let (parameters, _, where_clause) = server.generics.split_for_impl();
    let (_, types) = of_args(&handler.args);
    let args = values(handler.args.len());
    let next = into_next(handler.output.span, &run(handler, &args), found);
    quote_spanned! {at=>
        #(#cfgs)*
        #[automatically_derived]
        impl #parameters #fika::gen_server::HandleInfo<#(#types)*> for #ty #where_clause {
            async fn handle_info(&mut self, #(#args: #types)*) -> #fika::gen_server::Next {
                #next
            }
        }
    }
}

fn handle_continue(server: &Server, proceed: &Proceed, found: &Fika) -> TokenStream {
    let ty = &server.ty;
    let (parameters, _, where_clause) = server.generics.split_for_impl();
    let arg = &proceed.arg;
    let at = proceed.output.resolved_at(Span::mixed_site());
    let fika = &found.at(at);
    let result = quote_spanned!(at=> Self::handle_continue(self, work).await);
    let next = into_next(proceed.output, &result, found);
    quote_spanned! {at=>
        #[automatically_derived]
        impl #parameters #fika::gen_server::HandleContinue<#arg> for #ty #where_clause {
            async fn handle_continue(&mut self, work: #arg) -> #fika::gen_server::Next {
                #next
            }
        }
    }
}

/// Converts the value that a callback returns. If its type can't be converted, the error points at
/// the return type.
fn into_next(output: Span, result: &TokenStream, found: &Fika) -> TokenStream {
    let at = output.resolved_at(Span::mixed_site());
    let fika = found.at(at);
    quote_spanned!(at=> #fika::gen_server::IntoNext::into_next(#result))
}
