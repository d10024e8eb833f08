//! The client: a `ServerRef` with one method for each request.
//!
//! The client's type has a parameter that is always the server's type. Without it, `Deref` would
//! name the server in its associated type, and a server that is private could have no client that is
//! `pub`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{GenericParam, Generics};

use super::model::{Handler, Kind, Server};
use super::request::{Request, of_args};
use crate::fika_path::Fika;

/// The paths and names that the client's code needs.
pub(crate) struct Client<'a> {
    pub(crate) server: &'a Server,
    pub(crate) found: &'a Fika,
    pub(crate) fika: &'a TokenStream,
    /// The server's name on the wire.
    pub(crate) tag: &'a TokenStream,
}

pub(crate) fn name(server: &Server) -> Ident {
    format_ident!("{}Client", server.name, span = server.name.span())
}

impl Client<'_> {
    /// Returns the client's type with the parameters of the server's block.
    pub(crate) fn ty(&self) -> TokenStream {
        let name = name(self.server);
        let (_, arguments, _) = self.server.generics.split_for_impl();
        quote!(#name #arguments)
    }

    /// The type, which is outside of the unnamed constant.
    pub(crate) fn definition(&self) -> TokenStream {
        let (fika, server) = (self.fika, self.server);
        let (name, ty, vis) = (name(server), &server.ty, &server.init.vis);
        let doc = format!("The client of a [`{}`], with a method for each request.", server.name);
        let mut generics = server.generics.clone();
        generics.params.push(syn::parse_quote!(__Server = #ty));
        let (parameters, where_clause) = (&generics.params, &generics.where_clause);
        quote! {
            #[doc = #doc]
            ///
            /// It is the address of the server: cheap to clone, a message, and, by a name, valid after
            /// a restart. It derefs to the server's `ServerRef`.
            #[allow(unreachable_pub, private_interfaces, private_bounds)]
            #vis struct #name<#parameters> #where_clause {
                server: #fika::gen_server::ServerRef<__Server>,
                of: ::core::marker::PhantomData<fn() -> #ty>,
            }
        }
    }

    /// The methods that make requests.
    pub(crate) fn methods(&self) -> TokenStream {
        let (parameters, _, where_clause) = self.server.generics.split_for_impl();
        let ty = self.ty();
        let handlers = self.server.handlers.iter().filter(|handler| handler.kind != Kind::Info);
        let methods = handlers.map(|handler| self.method(handler));
        quote! {
            #[allow(private_interfaces, private_bounds)]
            impl #parameters #ty #where_clause {
                #(#methods)*
            }
        }
    }

    fn method(&self, handler: &Handler) -> TokenStream {
        let Handler { kind, name, vis, attrs, cfgs, output, .. } = handler;
        let at = name.span().resolved_at(Span::mixed_site());
        let fika = &self.found.at(at);
        let Request { ty: request, .. } = Request::of(handler, fika);
        let (names, types) = of_args(&handler.args);
        let reply = &output.reply;
        let (returns, method) = match kind {
            Kind::Call => {
                (quote_spanned!(at=> -> #fika::gen_server::Request<'_, #request, #reply>), "call")
            }
            Kind::Cast | Kind::Info => (TokenStream::new(), "cast"),
        };
        let method = Ident::new(method, at);
        quote_spanned! {at=>
            #(#cfgs)*
            #(#attrs)*
            #[allow(missing_docs, clippy::too_many_arguments, clippy::type_complexity)]
            #vis fn #name(&self, #(#names: #types),*) #returns {
                self.server.#method(<#request>::new((#(#names,)*)))
            }
        }
    }

    /// Returns the implementations that every client has.
    pub(crate) fn traits(&self) -> TokenStream {
        let (fika, server) = (self.fika, self.server);
        let (name, ty, client) = (name(server), &server.ty, self.ty());
        let (parameters, _, where_clause) = server.generics.split_for_impl();
        let mut of_any = server.generics.clone();
        of_any.params.push(syn::parse_quote!(__Server));
        let (any_parameters, any_arguments, _) = of_any.split_for_impl();
        let message = self.message();
        let serde = quote!(#fika::__private::serde);
        // `Deserialize` has a lifetime, which comes first.
        let mut read = server.generics.clone();
        read.params.insert(0, syn::parse_quote!('__de));
        let (read_parameters, _, _) = read.split_for_impl();
        quote! {
            #[automatically_derived]
            impl #any_parameters ::core::ops::Deref for #name #any_arguments #where_clause {
                type Target = #fika::gen_server::ServerRef<__Server>;

                fn deref(&self) -> &#fika::gen_server::ServerRef<__Server> {
                    &self.server
                }
            }

            #[automatically_derived]
            impl #parameters ::core::convert::From<#fika::gen_server::ServerRef<#ty>> for #client
            #where_clause {
                fn from(server: #fika::gen_server::ServerRef<#ty>) -> Self {
                    #name { server, of: ::core::marker::PhantomData }
                }
            }

            #[automatically_derived]
            impl #parameters #fika::supervisor::IntoStarted for #client #where_clause {
                fn into_started(
                    self,
                ) -> ::core::result::Result<#fika::supervisor::Started, #fika::gen_server::StartError>
                {
                    #fika::supervisor::IntoStarted::into_started(self.server)
                }
            }

            #[automatically_derived]
            impl #parameters ::core::clone::Clone for #client #where_clause {
                fn clone(&self) -> Self {
                    #name {
                        server: ::core::clone::Clone::clone(&self.server),
                        of: ::core::marker::PhantomData,
                    }
                }
            }

            #[automatically_derived]
            impl #parameters ::core::fmt::Debug for #client #where_clause {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    ::core::fmt::Debug::fmt(&self.server, f)
                }
            }

            #[automatically_derived]
            impl #parameters #serde::Serialize for #client #where_clause {
                fn serialize<__To: #serde::Serializer>(
                    &self,
                    to: __To,
                ) -> ::core::result::Result<__To::Ok, __To::Error> {
                    #serde::Serialize::serialize(&self.server, to)
                }
            }

            #[automatically_derived]
            impl #read_parameters #serde::Deserialize<'__de> for #client #where_clause {
                fn deserialize<__From: #serde::Deserializer<'__de>>(
                    from: __From,
                ) -> ::core::result::Result<Self, __From::Error> {
                    let server: #fika::gen_server::ServerRef<#ty> =
                        #serde::Deserialize::deserialize(from)?;
                    ::core::result::Result::Ok(::core::convert::From::from(server))
                }
            }

            #message
        }
    }

    fn message(&self) -> TokenStream {
        let (fika, server, tag) = (self.fika, self.server, self.tag);
        let (ty, client) = (&server.ty, self.ty());
        let private = quote!(#fika::__private);
        let generics = messages(&server.generics, fika);
        let (parameters, _, where_clause) = generics.split_for_impl();
        let own = quote!(::core::concat!(#tag, "Client"));
        let (tag, tag_hash) = if server.generics.params.is_empty() {
            (quote!(#own), quote!(const { #private::hash_tag(#own) }))
        } else {
            let parts = server.generics.params.iter().filter_map(|param| match param {
                GenericParam::Type(param) => {
                    let ident = &param.ident;
                    Some(quote!(<#ident as #private::Message>::tag()))
                }
                GenericParam::Const(param) => {
                    let ident = &param.ident;
                    Some(quote! {
                        ::std::borrow::Cow::<'static, str>::Owned(
                            ::std::string::ToString::to_string(&#ident),
                        )
                    })
                }
                GenericParam::Lifetime(_) => None,
            });
            let make = quote!(|| [#own, "<", &[#(#parts),*].join(","), ">"].concat());
            (
                quote!(#private::generic_tag::<Self>(#make)),
                quote!(#private::generic_tag_hash::<Self>(#make)),
            )
        };
        quote! {
            #[automatically_derived]
            impl #parameters #private::Message for #client #where_clause {
                fn tag() -> ::std::borrow::Cow<'static, str> {
                    ::std::borrow::Cow::Borrowed(#tag)
                }

                fn tag_hash() -> u64 {
                    #tag_hash
                }

                fn fingerprint() -> u64 {
                    <#fika::gen_server::ServerRef<#ty> as #private::Message>::fingerprint()
                }

                fn encode(
                    &self,
                    out: &mut #private::Buffer,
                ) -> ::core::result::Result<(), #private::EncodeError> {
                    #private::Message::encode(&self.server, out)
                }

                fn decode(
                    bytes: &#private::Bytes,
                ) -> ::core::result::Result<Self, #private::DecodeError> {
                    let server: #fika::gen_server::ServerRef<#ty> = #private::Message::decode(bytes)?;
                    ::core::result::Result::Ok(::core::convert::From::from(server))
                }
            }
        }
    }
}

/// Adds the bound of a message to each type parameter, whose tag is a part of the client's.
fn messages(generics: &Generics, fika: &TokenStream) -> Generics {
    let mut generics = generics.clone();
    for param in generics.type_params_mut() {
        param.bounds.push(syn::parse_quote!(#fika::__private::Message));
    }
    generics
}
