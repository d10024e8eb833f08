//! `#[remote]` turns a function into the constructor of a value that can run it, on this node or on
//! another. It also registers the function under a stable name, in a table that is built at link
//! time.
//!
//! All emitted code is inside the constructor's body. So nothing is added to the user's module,
//! associated functions work like free ones, and a call of the function in its own body is a call
//! of the constructor, as everywhere else.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, Error, FnArg, ItemFn, Pat, PatType, Result, ReturnType, Signature, Type,
};

use crate::fika_path::Fika;
use crate::name::{Settings, Spelling};
use crate::spell::{spell, spell_owned};

/// The most arguments that a remote function may have. They are sent as one tuple.
const ARGS_MAX: usize = 12;

pub(crate) fn remote(args: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = Settings::parse(args, &SETTINGS).and_then(|settings| {
        check_is_free(&item)?;
        let item = syn::parse2::<ItemFn>(item.clone())?;
        check(&item)?;
        Ok(expand(item, settings))
    });
    // Keeps the function as written, so that its callers cause no further errors.
    expanded.unwrap_or_else(|error| {
        let error = error.to_compile_error();
        quote!(#error #item)
    })
}

/// The settings of `#[remote]`.
const SETTINGS: Spelling = Spelling {
    key: "name",
    known: "the settings are a name that stays, `#[remote(name = \"crate::function\")]`, and the \
            path of fika, `crate = \"..\"`",
    empty: "a function's name is not empty",
};

/// Refuses a function without a body, which is a method of a trait.
fn check_is_free(item: &TokenStream) -> Result<()> {
    match item.clone().into_iter().last() {
        Some(TokenTree::Punct(end)) if end.as_char() == ';' => Err(Error::new(
            end.span(),
            "a function of a trait has no name by which other nodes can find it: \
             write a free `async fn` with a body",
        )),
        _ => Ok(()),
    }
}

fn check(item: &ItemFn) -> Result<()> {
    let sig = &item.sig;
    if sig.asyncness.is_none() {
        let text = format!("the function runs as a process: write `async fn {}`", sig.ident);
        return Err(Error::new(sig.fn_token.span, text));
    }
    let qualifier = (sig.constness.map(|token| token.span))
        .or(sig.unsafety.map(|token| token.span))
        .or(sig.abi.as_ref().map(|abi| abi.extern_token.span));
    if let Some(span) = qualifier {
        return Err(Error::new(span, "a remote function must be a plain `async fn`"));
    }
    if !sig.generics.params.is_empty() || sig.generics.where_clause.is_some() {
        let text = "a remote function can't be generic, since other nodes know only its name: \
                    write one function for each type";
        return Err(Error::new_spanned(&sig.generics, text));
    }
    if let ReturnType::Type(_, output) = &sig.output
        && let Type::Never(never) = &**output
    {
        let text = "a remote function that never returns has no result type: leave out `-> !`";
        return Err(Error::new_spanned(never, text));
    }
    sig.inputs.iter().try_for_each(check_arg)?;
    if let Some(arg) = sig.inputs.iter().nth(ARGS_MAX) {
        let text =
            format!("a remote function takes {ARGS_MAX} arguments at most: put them into a struct");
        return Err(Error::new_spanned(arg, text));
    }
    Ok(())
}

fn check_arg(arg: &FnArg) -> Result<()> {
    struct Refused(Option<Error>);

    impl<'ast> Visit<'ast> for Refused {
        fn visit_type(&mut self, ty: &'ast Type) {
            let text = match ty {
                Type::Reference(reference) => format!(
                    "the arguments are sent to another node: take `{}` instead of `{}`",
                    spell_owned(reference),
                    spell(ty)
                ),
                Type::Path(path)
                    if path.path.segments.first().is_some_and(|s| s.ident == "Self") =>
                {
                    "other nodes call this as a free function: write the type's name instead of \
                     `Self`"
                        .to_owned()
                }
                Type::ImplTrait(_) => "the types of the arguments must be known: write the type \
                                       instead of `impl ..`"
                    .to_owned(),
                _ => return visit::visit_type(self, ty),
            };
            self.0.get_or_insert_with(|| Error::new_spanned(ty, text));
        }
    }

    match arg {
        FnArg::Receiver(receiver) => Err(Error::new_spanned(
            receiver,
            "`self` can't be sent to another node: take the values that the function needs as \
             arguments",
        )),
        FnArg::Typed(PatType { ty, .. }) => {
            let mut refused = Refused(None);
            refused.visit_type(ty);
            refused.0.map_or(Ok(()), Err)
        }
    }
}

fn expand(item: ItemFn, settings: Settings) -> TokenStream {
    let ItemFn { attrs, vis, sig, block } = item;
    let Signature { ident: name, output, .. } = &sig;
    let remote_name = settings.name_of(name);
    let (outer_attrs, inner_attrs): (Vec<_>, Vec<_>) = attrs.into_iter().partition(describes);
    let output_type = match output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => quote!(#ty),
    };
    let (names, types): (Vec<_>, Vec<_>) = args(&sig).into_iter().unzip();
    let inner = inner(&sig, &inner_attrs, &block);
    // Arguments that can't be sent, and a future that can't move between threads, are errors of
    // the function. So the compiler should report them there.
    let at_name = name.span().resolved_at(Span::mixed_site());
    let found = Fika::or_found(settings.fika);
    let fika = found.at(at_name);
    let result = quote_spanned!(at_name=> impl #fika::__private::RemoteFn<Output = #output_type>);
    let values: Vec<_> =
        (0..names.len()).map(|i| format_ident!("arg{i}", span = at_name)).collect();
    let tuple = quote_spanned!(at_name=> (#(#types,)*));
    let start = quote_spanned! {at_name=>
        #[allow(unused_imports)]
        use #fika::__private::NotMessage as _;

        let (#(#values,)*) = <#tuple as #fika::__private::Args>::decoded(__args)?;
        ::core::result::Result::Ok(::std::boxed::Box::pin(async move {
            let value = #fika::__private::ended(__fika_run(#(#values),*).await)?;
            ::core::result::Result::Ok(#fika::__private::Returned(value).into_message())
        }))
    };
    let constructed = quote_spanned! {at_name=>
        #fika::__private::Remote::new(
            __FIKA_NAME,
            (#(#names,)*),
            |(#(#values,)*): #tuple| __fika_run(#(#values),*),
        )
    };
    // The entry is made at the function's name: reports show this place for processes that other
    // nodes spawn.
    let fika = found.at(name.span());
    let entry = quote_spanned! {name.span()=>
        #fika::__private::RemoteEntry::new(__FIKA_NAME, __fika_start)
    };
    let fika = found.at(Span::mixed_site());
    quote_spanned! {Span::mixed_site()=>
        #(#outer_attrs)*
        // Other nodes call the function by its name, so it may be unused here. The macro, not the
        // user, removes `async`.
        #[allow(dead_code, clippy::unused_async)]
        #vis fn #name(#(#names: #types),*) -> #result {
            #inner

            const __FIKA_NAME: &str = #remote_name;

            fn __fika_start(
                __args: &#fika::__private::Encoded,
            ) -> ::core::result::Result<#fika::__private::BoxFuture, #fika::__private::DecodeError> {
                #start
            }

            #fika::__private::inventory::submit! { #entry }

            #constructed
        }
    }
}

/// Returns the function as the user wrote it, under a name that the body can't use.
fn inner(sig: &Signature, attrs: &[Attribute], block: &Block) -> TokenStream {
    let inputs = &sig.inputs;
    let output = &sig.output;
    let (asyncness, fn_token) = (&sig.asyncness, &sig.fn_token);
    quote! {
        #(#attrs)*
        #asyncness #fn_token __fika_run(#inputs) #output #block
    }
}

/// Returns the arguments of the constructor. They keep the user's names if their patterns are plain
/// names.
fn args(sig: &Signature) -> Vec<(Ident, Type)> {
    let typed = sig.inputs.iter().filter_map(|arg| match arg {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    });
    typed
        .enumerate()
        .map(|(i, PatType { pat, ty, .. })| {
            let name = match &**pat {
                Pat::Ident(pat) if pat.subpat.is_none() => pat.ident.clone(),
                _ => format_ident!("arg{i}", span = Span::mixed_site()),
            };
            (name, (**ty).clone())
        })
        .collect()
}

/// Returns whether the attribute describes the function to its callers. All other attributes, such
/// as those that change or measure the body, stay with the body.
fn describes(attr: &Attribute) -> bool {
    const DESCRIBE: [&str; 10] = [
        "doc",
        "deprecated",
        "must_use",
        "cfg",
        "cfg_attr",
        "allow",
        "expect",
        "warn",
        "deny",
        "forbid",
    ];
    let path = attr.path();
    DESCRIBE.iter().any(|name| path.is_ident(name))
        || path
            .segments
            .first()
            .is_some_and(|tool| tool.ident == "clippy" || tool.ident == "rustfmt")
}
