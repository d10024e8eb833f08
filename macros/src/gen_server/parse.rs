//! Reads a block: its handlers, and the functions with a special meaning, such as `init`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Error, GenericArgument, ImplItem, ImplItemFn, ItemImpl, Pat, PathArguments, Result,
    ReturnType, Signature, Type, TypePath, parse_quote,
};

use super::model::{Arg, Handler, Init, Kind, Output, Proceed, Server, typed};
use super::refuse::{self, Errors};
use crate::name::Spelling;

/// The settings of `#[gen_server]`.
pub(crate) const SETTINGS: Spelling = Spelling {
    key: "tag",
    known: "the settings are a name on the wire that stays, `#[gen_server(tag = \
            \"crate::Server\")]`, and the path of fika, `crate = \"..\"`",
    empty: "a tag must not be empty",
};

/// Reads a block. Returns the block without the attributes of its handlers, even if it contains
/// errors.
pub(crate) fn server(item: TokenStream) -> (TokenStream, Result<Server>) {
    let mut block = match syn::parse2::<ItemImpl>(item.clone()) {
        Ok(block) => block,
        Err(error) => return (item.clone(), Err(refuse::not_a_block(item, error))),
    };
    let server = read(&mut block);
    (block.into_token_stream(), server)
}

fn read(block: &mut ItemImpl) -> Result<Server> {
    if let Err(error) = refuse::check_block(block) {
        // Without their attributes, the functions cause no further errors.
        block.items.iter_mut().for_each(|item| {
            if let ImplItem::Fn(function) = item {
                let _ = kind_of(function);
            }
        });
        return Err(error);
    }
    let mut errors = Errors::default();
    let ty = (*block.self_ty).clone();
    let (mut init, mut proceed, mut terminate, mut format_status) = (None, None, None, None);
    let mut handlers = Vec::new();
    for item in &mut block.items {
        let ImplItem::Fn(function) = item else { continue };
        let name = function.sig.ident.unraw().to_string();
        match kind_of(function) {
            Ok(Some(kind)) => {
                let handler = refuse::check_handler(kind, function)
                    .map(|()| handler(kind, function, &ty))
                    .and_then(|handler| refuse::check_reply(&handler).map(|()| handler));
                handlers.extend(errors.take(handler));
                // The attribute, not the user, demands `async`.
                function.attrs.push(parse_quote!(#[allow(clippy::unused_async)]));
            }
            Ok(None) if name == "init" => {
                errors.take(refuse::check_init(function, init.is_some()));
                init.get_or_insert_with(|| init_of(function, &ty));
            }
            Ok(None) if name == "handle_continue" => {
                if errors.take(refuse::check_proceed(function)).is_some() {
                    proceed = proceed_of(function, &ty);
                }
            }
            Ok(None) if name == "terminate" => {
                errors.take(refuse::check_terminate(function));
                terminate = Some(function.sig.ident.span());
            }
            Ok(None) if name == "format_status" => {
                errors.take(refuse::check_format_status(function));
                format_status = Some(function.sig.ident.span());
            }
            Ok(None) => {
                errors.take(refuse::check_name(&function.sig.ident));
            }
            Err(error) => {
                errors.take::<()>(Err(error));
            }
        }
    }
    errors.take(refuse::check_twice(&handlers));
    if init.is_none() {
        errors.take::<()>(Err(refuse::no_init(&ty)));
    }
    let name = errors.take(refuse::name_of(&ty));
    errors.into_result()?;
    let (Some(init), Some(name)) = (init, name) else {
        return Err(Error::new(Span::call_site(), "the block could not be read"));
    };
    let generics = block.generics.clone();
    Ok(Server { ty, name, generics, init, handlers, proceed, terminate, format_status })
}

/// Removes the attribute that makes a function a handler, and returns its kind.
fn kind_of(function: &mut ImplItemFn) -> Result<Option<Kind>> {
    let mut found: Option<(Kind, Attribute)> = None;
    let mut error = None;
    function.attrs.retain(|attr| {
        let kind = Kind::ALL.iter().find(|(_, name)| attr.path().is_ident(name));
        let Some((kind, _)) = kind else {
            if let Some(wrong) = refuse::wrong_attribute(attr) {
                error.get_or_insert(wrong);
                return false;
            }
            return true;
        };
        if let Err(wrong) = attr.meta.require_path_only() {
            let text = format!("`#[{}]` has no settings", kind.attr());
            error.get_or_insert(Error::new(wrong.span(), text));
        }
        if found.replace((*kind, attr.clone())).is_some() {
            let text = "a function handles one kind of message: leave all but one of `#[call]`, \
                        `#[cast]` and `#[info]` out";
            error.get_or_insert(Error::new_spanned(attr, text));
        }
        false
    });
    match error {
        Some(error) => Err(error),
        None => Ok(found.map(|(kind, _)| kind)),
    }
}

fn handler(kind: Kind, function: &ImplItemFn, server: &Type) -> Handler {
    let sig = &function.sig;
    let caller = typed(sig).position(|(_, ty)| refuse::is_caller(ty));
    let caller_span = typed(sig).find(|(_, ty)| refuse::is_caller(ty)).map(|(_, ty)| ty.span());
    let (cfgs, others): (Vec<_>, Vec<_>) =
        function.attrs.iter().cloned().partition(|attr| attr.path().is_ident("cfg"));
    Handler {
        kind,
        name: sig.ident.clone(),
        vis: function.vis.clone(),
        attrs: others.into_iter().filter(describes).collect(),
        cfgs,
        args: args(sig, server)
            .enumerate()
            .filter(|(at, _)| Some(*at) != caller)
            .map(second)
            .collect(),
        caller: caller.zip(caller_span),
        output: output(sig, server),
    }
}

fn second<A, B>((_, second): (A, B)) -> B {
    second
}

fn init_of(function: &ImplItemFn, server: &Type) -> Init {
    Init {
        vis: function.vis.clone(),
        docs: function.attrs.iter().filter(|attr| attr.path().is_ident("doc")).cloned().collect(),
        args: args(&function.sig, server).collect(),
        output: span_of_output(&function.sig),
    }
}

fn proceed_of(function: &ImplItemFn, server: &Type) -> Option<Proceed> {
    let arg = args(&function.sig, server).next()?.ty;
    Some(Proceed { arg, output: span_of_output(&function.sig) })
}

fn args(sig: &Signature, server: &Type) -> impl Iterator<Item = Arg> {
    typed(sig).enumerate().map(|(at, (pat, ty))| {
        let name = match pat {
            Pat::Ident(pat) if pat.subpat.is_none() => pat.ident.clone(),
            _ => format_ident!("arg{at}"),
        };
        Arg { name, ty: without_self(ty.clone(), server) }
    })
}

/// Finds the type of the reply: `T` for a function that returns a `T`, or a `Reply<T>`.
fn output(sig: &Signature, server: &Type) -> Output {
    let span = span_of_output(sig);
    let ReturnType::Type(_, ty) = &sig.output else {
        return Output { reply: parse_quote!(()), is_reply: false, span };
    };
    let inner = match &**ty {
        Type::Path(TypePath { qself: None, path }) => path.segments.last().and_then(|last| {
            let PathArguments::AngleBracketed(args) = &last.arguments else { return None };
            match args.args.first() {
                Some(GenericArgument::Type(inner)) if last.ident == "Reply" => Some(inner),
                _ => None,
            }
        }),
        _ => None,
    };
    let reply = without_self(inner.unwrap_or(ty).clone(), server);
    Output { reply, is_reply: inner.is_some(), span }
}

fn span_of_output(sig: &Signature) -> Span {
    match &sig.output {
        ReturnType::Default => sig.ident.span(),
        ReturnType::Type(_, ty) => ty.span(),
    }
}

/// Writes the server's type in place of `Self`, which means something else in the client.
fn without_self(mut ty: Type, server: &Type) -> Type {
    struct Replace<'a>(&'a Type);

    impl VisitMut for Replace<'_> {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            match ty {
                Type::Path(TypePath { qself: None, path }) if path.is_ident("Self") => {
                    *ty = self.0.clone();
                }
                _ => visit_mut::visit_type_mut(self, ty),
            }
        }
    }

    Replace(server).visit_type_mut(&mut ty);
    ty
}

/// Returns whether the attribute describes a request to its callers.
fn describes(attr: &Attribute) -> bool {
    const DESCRIBE: [&str; 3] = ["doc", "deprecated", "allow"];
    DESCRIBE.iter().any(|name| attr.path().is_ident(name))
}
