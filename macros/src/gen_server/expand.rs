//! What the attribute adds to a block.
//!
//! The code of a handler has the span of the handler's name, or of the type that it concerns, so that
//! an error of the compiler points there.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::client::{self, Client};
use super::model::{Handler, Init, Kind, Proceed, Server};
use super::parse::Settings;
use super::request::{Request, of_args};
use crate::fika_path::Fika;
use crate::name::package_and;

pub(crate) fn server(item: &TokenStream, server: &Server, settings: Settings) -> TokenStream {
    let found = &Fika::or_found(settings.fika);
    let fika = &found.at(Span::mixed_site());
    let tag = &settings.tag.map_or_else(|| package_and(&server.name), |tag| quote!(#tag));
    let client = Client { server, found, fika, tag };
    let definition = client.definition();
    let (methods, traits) = (client.methods(), client.traits());
    let start = start(server, fika);
    let names = names(server, fika, tag);
    let handlers = server.handlers.iter().map(|handler| match handler.kind {
        Kind::Call => call(server, handler, found),
        Kind::Cast => cast(server, handler, found),
        Kind::Info => info(server, handler, found),
    });
    let proceed = server.proceed.as_ref().map(|proceed| handle_continue(server, proceed, found));
    let (receives, behaviour) = (receives(server, found), behaviour(server, found));
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

/// Names that the user's code can't see.
fn values(count: usize) -> Vec<Ident> {
    (0..count).map(|n| format_ident!("arg{n}", span = Span::mixed_site())).collect()
}

/// The functions that start a server, and those that name a running one.
fn start(server: &Server, fika: &TokenStream) -> TokenStream {
    let Server { ty, init: Init { vis, docs, args, .. }, .. } = server;
    let (parameters, _, where_clause) = server.generics.split_for_impl();
    let client_name = client::name(server);
    let (_, arguments, _) = server.generics.split_for_impl();
    let client = quote!(#client_name #arguments);
    let (names, types) = of_args(args);
    let (opts, started, reference) = (
        Ident::new("opts", Span::mixed_site()),
        Ident::new("started", Span::mixed_site()),
        Ident::new("reference", Span::mixed_site()),
    );
    let gs = quote!(#fika::gen_server);
    let allow = quote!(#[allow(dead_code, clippy::too_many_arguments)]);
    quote! {
        #[allow(private_interfaces, private_bounds)]
        impl #parameters #ty #where_clause {
            /// Starts a server that is not linked to the caller, and returns its client.
            ///
            #(#docs)*
            ///
            /// # Errors
            /// If the name is taken, or if `init` fails or takes longer than the limit of the options.
            ///
            /// # Panics
            /// Outside of a process.
            #allow
            #vis async fn start(
                #opts: #gs::Start,
                #(#names: #types),*
            ) -> ::core::result::Result<#client, #gs::StartError> {
                let #started = #gs::start::<Self>(#opts, (#(#names,)*)).await?;
                ::core::result::Result::Ok(::core::convert::From::from(#started))
            }

            /// Starts a server that is linked to the caller, and returns its client.
            ///
            #(#docs)*
            ///
            /// # Errors
            /// If the name is taken, or if `init` fails or takes longer than the limit of the options.
            ///
            /// # Panics
            /// Outside of a process.
            #allow
            #vis async fn start_link(
                #opts: #gs::Start,
                #(#names: #types),*
            ) -> ::core::result::Result<#client, #gs::StartError> {
                let #started = #gs::start_link::<Self>(#opts, (#(#names,)*)).await?;
                ::core::result::Result::Ok(::core::convert::From::from(#started))
            }

            /// Starts a server that the caller monitors, and returns its client and the monitor.
            ///
            #(#docs)*
            ///
            /// # Errors
            /// If the name is taken, or if `init` fails or takes longer than the limit of the options.
            ///
            /// # Panics
            /// Outside of a process.
            #allow
            #vis async fn start_monitor(
                #opts: #gs::Start,
                #(#names: #types),*
            ) -> ::core::result::Result<(#client, #fika::__private::Reference), #gs::StartError> {
                let (#started, #reference) =
                    #gs::start_monitor::<Self>(#opts, (#(#names,)*)).await?;
                ::core::result::Result::Ok((::core::convert::From::from(#started), #reference))
            }

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

/// The types that carry the names of the requests.
fn names(server: &Server, fika: &TokenStream, tag: &TokenStream) -> TokenStream {
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
    // A reply that is no message is an error of the return type.
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

/// Converts what a callback returns. A type that can't be converted is an error of the return type.
fn into_next(output: Span, result: &TokenStream, found: &Fika) -> TokenStream {
    let at = output.resolved_at(Span::mixed_site());
    let fika = found.at(at);
    quote_spanned!(at=> #fika::gen_server::IntoNext::into_next(#result))
}

/// The list of what the server receives: a type of its own, since a type that lists the messages
/// could not be more private than the server.
fn receives(server: &Server, found: &Fika) -> TokenStream {
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
            ) -> #fika::__private::otp::Handled {
                #(
                    #(#cfgs)*
                    {
                        if #list::takes(&message) {
                            return #list::handle(server, message, behaviour).await;
                        }
                    }
                )*
                let _ = (server, behaviour);
                ::core::mem::drop(message);
                ::core::convert::From::from(#gs::Next::go_on())
            }
        }
    }
}

/// The `impl` of `GenServer`.
fn behaviour(server: &Server, found: &Fika) -> TokenStream {
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
    let format_status = server.format_status.map(|span| {
        let at = span.resolved_at(Span::mixed_site());
        quote_spanned! {at=>
            fn format_status(&self) -> ::std::string::String {
                Self::format_status(self)
            }
        }
    });
    quote_spanned! {at_type=>
        #[automatically_derived]
        impl #parameters #gs::GenServer for #ty #where_clause {
            type Args = (#(#types,)*);
            type Receives = __Receives;

            async fn init((#(#names,)*): Self::Args) -> #gs::Init<Self> {
                #started
            }

            #terminate
            #format_status
        }
    }
}
