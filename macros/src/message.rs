//! `derive(Message)` emits the tag, its hash, the fingerprint, and the encoding with postcard.
//!
//! serde decides what the fields need, and the runtime computes the fingerprint of their shape with
//! serde's `Deserialize`. The macro looks at the fields only to report one that can't be sent
//! before serde's derives report it in their own terms. A `local` message needs no serde, since it
//! is never encoded.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, GenericParam, Generics, LitStr, Path, Result, parse_quote};

use crate::fika_path::{Fika, path_of};
use crate::message_fields::{check_fields, fields_by_serde};
use crate::name::package_and;

pub(crate) fn derive(input: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    check(&input)?;
    let name = &input.ident;
    let settings = settings(&input)?;
    let fika = Fika::or_found(settings.fika);
    let tag = settings.tag.unwrap_or_else(|| package_and(name));
    if settings.local {
        return Ok(local(&input, &tag, &fika));
    }
    check_fields(&input)?;
    let bounds = fields_by_serde(&input).map(|field| {
        let (ty, fika) = (&field.ty, fika.at(field.ty.span()));
        quote_spanned!(ty.span()=> #fika::__private::field::<#ty>();)
    });
    let bounds: TokenStream = bounds.collect();
    let fika = fika.at(Span::call_site());
    let generics = with_bounds(input.generics, &fika);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    // All code that needs serde's derives goes through one function, with the span of the type's
    // name. If the derives are missing, the compiler then reports that only once.
    let codec = quote_spanned! {name.span()=> __codec::<Self>() };
    // A generic type is registered when it is first used.
    let (constant, entry) = if generics.params.is_empty() {
        (
            constant_methods(&codec, &fika),
            quote! {
                #fika::__private::inventory::submit! {
                    #fika::__private::TagEntry::new::<#name>(__TAG)
                }
            },
        )
    } else {
        (generic_methods(&generics, &codec, &fika), TokenStream::new())
    };
    Ok(quote! {
        #[allow(deprecated, clippy::type_complexity)]
        const _: () = {
            const __TAG: &str = #tag;

            #entry

            fn __codec<T: #fika::__private::SerdeMessage>() -> (
                fn(&T, &mut #fika::__private::Buffer) -> ::core::result::Result<(), #fika::__private::EncodeError>,
                fn(&#fika::__private::Bytes) -> ::core::result::Result<T, #fika::__private::DecodeError>,
                fn() -> u64,
            ) {
                (
                    #fika::__private::encode_postcard::<T>,
                    #fika::__private::decode_postcard_shared::<T>,
                    #fika::__private::fingerprint_of::<T>,
                )
            }

            // A process, and a function on another node, may return it.
            #[automatically_derived]
            impl #impl_generics #fika::__private::Ignored for #name #type_generics #where_clause {}

            #[automatically_derived]
            impl #impl_generics #fika::__private::Message for #name #type_generics #where_clause {
                #constant

                fn encode(
                    &self,
                    out: &mut #fika::__private::Buffer,
                ) -> ::core::result::Result<(), #fika::__private::EncodeError> {
                    // Never called: only the types are checked.
                    let _ = || { #bounds };
                    #codec.0(self, out)
                }

                fn decode(bytes: &#fika::__private::Bytes) -> ::core::result::Result<Self, #fika::__private::DecodeError> {
                    #codec.1(bytes)
                }
            }
        };
    })
}

/// Refuses a type that can't be a message, whatever else it derives.
fn check(input: &DeriveInput) -> Result<()> {
    if let Data::Union(data) = &input.data {
        let text = "a union can't be a message, since it does not record which field it holds: \
                    use an enum";
        return Err(Error::new(data.union_token.span, text));
    }
    match input.generics.lifetimes().next() {
        Some(lifetime) => Err(Error::new_spanned(
            lifetime,
            "a message must own its data, since it leaves its sender: \
             use `String` for `&str`, `Vec<T>` for `&[T]`, `T` for `&T`",
        )),
        None => Ok(()),
    }
}

/// The settings in `#[message(..)]`.
#[derive(Default)]
struct Settings {
    /// `tag = ".."`
    tag: Option<TokenStream>,
    /// `local`
    local: bool,
    /// `crate = ".."`
    fika: Option<Path>,
}

fn settings(input: &DeriveInput) -> Result<Settings> {
    let mut settings = Settings::default();
    for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("message")) {
        attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("local") {
                settings.local = true;
                return Ok(());
            }
            if meta.path.is_ident("crate") {
                settings.fika = Some(path_of(&meta.value()?.parse()?)?);
                return Ok(());
            }
            if !meta.path.is_ident("tag") {
                return Err(meta.error(
                    "the settings of a message are `tag = \"..\"`, `local` and `crate = \"..\"`",
                ));
            }
            let given: LitStr = meta.value()?.parse()?;
            if given.value().is_empty() {
                return Err(Error::new_spanned(given, "a tag must not be empty"));
            }
            if settings.tag.replace(quote!(#given)).is_some() {
                return Err(meta.error("the tag is set twice: leave one out"));
            }
            Ok(())
        })?;
    }
    Ok(settings)
}

/// Implements `Message` for a type whose values never leave their node.
fn local(input: &DeriveInput, tag: &TokenStream, fika: &Fika) -> TokenStream {
    let fika = fika.at(Span::call_site());
    let name = &input.ident;
    let mut generics = input.generics.clone();
    for param in generics.type_params_mut() {
        param.bounds.push(parse_quote!(::core::marker::Send));
        param.bounds.push(parse_quote!('static));
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        #[allow(deprecated, clippy::type_complexity)]
        impl #impl_generics #fika::__private::Ignored for #name #type_generics #where_clause {}

        #[automatically_derived]
        #[allow(deprecated, clippy::type_complexity)]
        impl #impl_generics #fika::__private::Message for #name #type_generics #where_clause {
            fn tag() -> ::std::borrow::Cow<'static, str> {
                ::std::borrow::Cow::Borrowed(#tag)
            }

            fn tag_hash() -> u64 {
                const { #fika::__private::hash_tag(#tag) }
            }

            fn fingerprint() -> u64 {
                0
            }

            fn check_sendable() -> ::core::result::Result<(), #fika::__private::EncodeError> {
                ::core::result::Result::Err(#fika::__private::stays_here::<Self>())
            }

            fn encode(
                &self,
                _: &mut #fika::__private::Buffer,
            ) -> ::core::result::Result<(), #fika::__private::EncodeError> {
                Self::check_sendable()
            }

            fn decode(
                _: &#fika::__private::Bytes,
            ) -> ::core::result::Result<Self, #fika::__private::DecodeError> {
                ::core::result::Result::Err(#fika::__private::DecodeError::malformed::<Self>(
                    "messages that are `#[message(local)]` never cross the wire",
                ))
            }
        }
    }
}

/// Adds the bounds of a message to each type parameter.
fn with_bounds(mut generics: Generics, fika: &TokenStream) -> Generics {
    for param in generics.type_params_mut() {
        param.bounds.push(parse_quote!(#fika::__private::Part));
    }
    generics
}

/// Emits the methods that describe a type without parameters. The tag and its hash are constants;
/// the fingerprint is computed once.
fn constant_methods(codec: &TokenStream, fika: &TokenStream) -> TokenStream {
    quote! {
        fn tag() -> ::std::borrow::Cow<'static, str> {
            ::std::borrow::Cow::Borrowed(__TAG)
        }

        fn tag_hash() -> u64 {
            const { #fika::__private::hash_tag(__TAG) }
        }

        fn fingerprint() -> u64 {
            static FINGERPRINT: ::std::sync::OnceLock<u64> = ::std::sync::OnceLock::new();
            *FINGERPRINT.get_or_init(#codec.2)
        }
    }
}

/// Emits the methods that describe a generic type. All instances of a generic type would share a
/// static, so these methods use none.
fn generic_methods(generics: &Generics, codec: &TokenStream, fika: &TokenStream) -> TokenStream {
    let parts = generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(param) => {
            let ident = &param.ident;
            Some(quote!(<#ident as #fika::__private::Message>::tag()))
        }
        GenericParam::Const(param) => {
            let ident = &param.ident;
            Some(quote! {
                ::std::borrow::Cow::<'static, str>::Owned(::std::string::ToString::to_string(&#ident))
            })
        }
        GenericParam::Lifetime(_) => None,
    });
    let tag = quote!([__TAG, "<", &[#(#parts),*].join(","), ">"].concat());
    quote! {
        fn tag() -> ::std::borrow::Cow<'static, str> {
            ::std::borrow::Cow::Borrowed(#fika::__private::generic_tag::<Self>(|| #tag))
        }

        fn tag_hash() -> u64 {
            #fika::__private::generic_tag_hash::<Self>(|| #tag)
        }

        fn fingerprint() -> u64 {
            #codec.2()
        }
    }
}
