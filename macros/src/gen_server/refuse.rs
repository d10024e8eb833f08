//! Checks that a block has no invalid items. Each error points at the mistake and says what to
//! write instead.

use std::collections::HashMap;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Error, FnArg, GenericParam, Generics, ImplItemFn, ItemImpl, Receiver, Result,
    ReturnType, Signature, Type, WherePredicate,
};

use super::model::{Handler, Kind, typed};
use crate::spell::spell;
use crate::spell::spell_owned;

/// The most arguments that a request may have. They are sent as one tuple.
const ARGS_MAX: usize = 12;

/// The functions that the attribute adds to the server's type.
const ADDED: [&str; 6] = ["start", "start_link", "start_monitor", "child_spec", "at", "via"];

/// The errors of a block, which are reported together.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    pub(crate) fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        match (result, &mut self.0) {
            (Ok(value), _) => return Some(value),
            (Err(error), Some(all)) => all.combine(error),
            (Err(error), none) => *none = Some(error),
        }
        None
    }

    pub(crate) fn into_result(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// Explains why an item is not an `impl` block, or what is wrong in one.
pub(crate) fn not_a_block(item: TokenStream, error: Error) -> Error {
    // An `impl` block that does not parse has an error of its own.
    let mut tokens = item.into_iter();
    if tokens.any(|token| matches!(token, TokenTree::Ident(word) if word == "impl")) {
        return error;
    }
    let text = "a server is made from the functions of its type: write `#[gen_server]` on an \
                `impl` block";
    Error::new(Span::call_site(), text)
}

pub(crate) fn check_block(block: &ItemImpl) -> Result<()> {
    if let Some((_, of, _)) = &block.trait_ {
        let text = "`#[gen_server]` implements the traits of a server: write it on an `impl` block \
                    of the type itself, without a trait";
        return Err(Error::new_spanned(of, text));
    }
    if let Some(lifetime) = block.generics.lifetimes().next() {
        let text = "a server must own its data, since it outlives the function that starts it: \
                    leave out the lifetime";
        return Err(Error::new_spanned(lifetime, text));
    }
    check_bounds(&block.generics)
}

/// Refuses type parameters without bounds. A server is at least `Send + 'static`, and the compiler
/// would say so in dozens of errors.
fn check_bounds(generics: &Generics) -> Result<()> {
    let mut errors = Errors::default();
    for param in generics.type_params() {
        let in_where = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
        let in_where = in_where.into_iter().any(|predicate| names(predicate, &param.ident));
        if param.bounds.is_empty() && !in_where {
            let text = format!(
                "`{0}` needs a bound. If it is in a request or a reply, write `{0}: \
                 fika::message::Part`; otherwise `{0}: Send + 'static`",
                param.ident
            );
            errors.take::<()>(Err(Error::new_spanned(param, text)));
        }
    }
    errors.into_result()
}

/// Returns whether the predicate has a type in which this parameter occurs.
fn names(predicate: &WherePredicate, param: &Ident) -> bool {
    struct Find<'a>(&'a Ident, bool);

    impl<'ast> Visit<'ast> for Find<'_> {
        fn visit_ident(&mut self, ident: &'ast Ident) {
            self.1 |= ident == self.0;
        }
    }

    let mut find = Find(param, false);
    find.visit_where_predicate(predicate);
    find.1
}

/// Returns the name of the server's type.
pub(crate) fn name_of(ty: &Type) -> Result<Ident> {
    match ty {
        Type::Path(path) if path.qself.is_none() => {
            let last = path.path.segments.last();
            last.map(|last| last.ident.unraw()).ok_or_else(|| Error::new_spanned(ty, NO_NAME))
        }
        _ => Err(Error::new_spanned(ty, NO_NAME)),
    }
}

const NO_NAME: &str = "the client takes its name from the server's: write the block of a struct or \
                       an enum of this crate";

pub(crate) fn no_init(ty: &Type) -> Error {
    let text = format!(
        "a server starts with `init`, which this block lacks: write `pub async fn init() -> \
         Init<Self>`, or `-> Self`, with the arguments that `{}` starts with",
        spell(ty)
    );
    Error::new_spanned(ty, text)
}

/// Refuses an attribute that looks like the one of a handler.
pub(crate) fn wrong_attribute(attr: &Attribute) -> Option<Error> {
    let name = attr.path().get_ident()?.to_string();
    let meant = match name.as_str() {
        "handle_call" => "call",
        "handle_cast" => "cast",
        "handle_info" => "info",
        "handle_continue" | "terminate" | "init" | "format_status" => {
            let text = format!("`{name}` is known by its name: leave out the attribute");
            return Some(Error::new_spanned(attr, text));
        }
        _ => return None,
    };
    Some(Error::new_spanned(attr, format!("write `#[{meant}]`")))
}

/// Refuses a function with the name of one that the attribute adds.
pub(crate) fn check_name(name: &Ident) -> Result<()> {
    let text = name.unraw().to_string();
    if ADDED.contains(&text.as_str()) {
        let text = format!("`#[gen_server]` makes a function `{text}`: give this one another name");
        return Err(Error::new(name.span(), text));
    }
    Ok(())
}

pub(crate) fn check_handler(kind: Kind, function: &ImplItemFn) -> Result<()> {
    let sig = &function.sig;
    let attr = kind.attr();
    check_name(&sig.ident)?;
    if ["init", "handle_continue", "terminate", "format_status"]
        .iter()
        .any(|name| sig.ident == name)
    {
        let text = format!(
            "`{}` is a function of every server, and no message is handled by it: leave out \
             `#[{attr}]`, or give it another name",
            sig.ident
        );
        return Err(Error::new(sig.ident.span(), text));
    }
    check_async(sig, "a handler")?;
    check_receiver(sig)?;
    check_plain(sig, "a message has one type: put the parameter on the `impl` block")?;
    if kind == Kind::Info && typed(sig).count() != 1 {
        let text = "`#[info]` handles the messages of one type: write `async fn NAME(&mut self, \
                    message: TYPE)`";
        return Err(Error::new(sig.ident.span(), text));
    }
    for (_, ty) in typed(sig) {
        check_arg(kind, ty)?;
    }
    if let Some(second) = typed(sig).filter(|(_, ty)| is_caller(ty)).nth(1) {
        return Err(Error::new_spanned(second.1, "a request has one caller: leave one out"));
    }
    let args = typed(sig).filter(|(_, ty)| !is_caller(ty));
    if let Some((_, ty)) = args.into_iter().nth(ARGS_MAX) {
        let text = format!("a request has {ARGS_MAX} arguments at most: put them into a struct");
        return Err(Error::new_spanned(ty, text));
    }
    Ok(())
}

fn check_async(sig: &Signature, what: &str) -> Result<()> {
    if sig.asyncness.is_none() {
        let text = format!("{what} is asynchronous: write `async fn {}`", sig.ident);
        return Err(Error::new(sig.fn_token.span, text));
    }
    Ok(())
}

/// Refuses what an `async fn` of a server can't be.
fn check_plain(sig: &Signature, generic: &str) -> Result<()> {
    let qualifier = (sig.constness.map(|token| token.span))
        .or(sig.unsafety.map(|token| token.span))
        .or(sig.abi.as_ref().map(|abi| abi.extern_token.span));
    if let Some(span) = qualifier {
        return Err(Error::new(span, "write a plain `async fn`"));
    }
    match sig.generics.params.first() {
        Some(param @ (GenericParam::Type(_) | GenericParam::Const(_))) => {
            Err(Error::new_spanned(param, generic))
        }
        _ => Ok(()),
    }
}

fn check_receiver(sig: &Signature) -> Result<()> {
    match sig.inputs.first() {
        Some(FnArg::Receiver(Receiver { reference: Some(_), colon_token: None, .. })) => Ok(()),
        Some(FnArg::Receiver(receiver)) => {
            Err(Error::new_spanned(receiver, "the server keeps its state: write `&mut self`"))
        }
        _ => {
            let text = format!(
                "this function works on the server's state: write `async fn {}(&mut self, ..)`",
                sig.ident
            );
            Err(Error::new(sig.ident.span(), text))
        }
    }
}

fn check_arg(kind: Kind, ty: &Type) -> Result<()> {
    if is_caller(ty) {
        return match kind {
            Kind::Call => Ok(()),
            _ => {
                let text = format!(
                    "`#[{}]` has no caller that waits for a reply: leave this out, or write \
                     `#[call]`",
                    kind.attr()
                );
                Err(Error::new_spanned(ty, text))
            }
        };
    }
    if names_caller(ty) {
        let text = "take the caller as `caller: &mut Caller<'_, T>`, where `T` is the type of the \
                    reply";
        return Err(Error::new_spanned(ty, text));
    }
    check_owned(ty)
}

/// Refuses a type that borrows, or that is not written out.
fn check_owned(ty: &Type) -> Result<()> {
    struct Refused(Option<Error>);

    impl<'ast> Visit<'ast> for Refused {
        fn visit_type(&mut self, ty: &'ast Type) {
            let text = match ty {
                Type::Reference(reference) => format!(
                    "the arguments leave the process that gives them: take `{}` instead of `{}`",
                    spell_owned(reference),
                    spell(ty)
                ),
                Type::ImplTrait(_) => {
                    "a message has one type: write it instead of `impl ..`".to_owned()
                }
                _ => return visit::visit_type(self, ty),
            };
            self.0.get_or_insert_with(|| Error::new_spanned(ty, text));
        }
    }

    let mut refused = Refused(None);
    refused.visit_type(ty);
    refused.0.map_or(Ok(()), Err)
}

/// Refuses a reply to a message that nobody waits for.
pub(crate) fn check_reply(handler: &Handler) -> Result<()> {
    if handler.kind == Kind::Call || !handler.output.is_reply {
        return Ok(());
    }
    let text = format!(
        "`#[{}]` has no caller that waits for a reply: return `Next` or nothing, or write `#[call]`",
        handler.kind.attr()
    );
    Err(Error::new(handler.output.span, text))
}

/// Refuses a second handler of the same type of message.
pub(crate) fn check_twice(handlers: &[Handler]) -> Result<()> {
    let mut seen: HashMap<String, &Ident> = HashMap::new();
    for handler in handlers.iter().filter(|handler| handler.kind == Kind::Info) {
        let Some(arg) = handler.args.first() else { continue };
        let known = seen.insert(spell(&arg.ty), &handler.name);
        if let Some(first) = known.filter(|_| handler.cfgs.is_empty()) {
            let text = format!("`{first}` handles the messages of type `{}`, too", spell(&arg.ty));
            return Err(Error::new_spanned(&arg.ty, text));
        }
    }
    Ok(())
}

pub(crate) fn check_init(function: &ImplItemFn, is_second: bool) -> Result<()> {
    let sig = &function.sig;
    if is_second {
        let text = "a server has one `init`: give this function another name";
        return Err(Error::new(sig.ident.span(), text));
    }
    check_async(sig, "`init`")?;
    if let Some(FnArg::Receiver(receiver)) = sig.inputs.first() {
        let text = "`init` makes the server, so there is none yet: leave out `self`";
        return Err(Error::new_spanned(receiver, text));
    }
    check_plain(sig, "a server starts in one way: put the parameter on the `impl` block")?;
    if let ReturnType::Default = sig.output {
        let text = "`init` returns the server: write `-> Init<Self>`, `-> Self` or `-> Result<Self, \
                    E>`";
        return Err(Error::new(sig.ident.span(), text));
    }
    typed(sig).try_for_each(|(_, ty)| check_static(ty))
}

/// Refuses an argument of `init` that borrows for less than the whole program.
fn check_static(ty: &Type) -> Result<()> {
    match ty {
        Type::Reference(reference)
            if reference.lifetime.as_ref().is_some_and(|name| name.ident == "static") =>
        {
            Ok(())
        }
        _ => check_owned(ty),
    }
}

pub(crate) fn check_proceed(function: &ImplItemFn) -> Result<()> {
    let sig = &function.sig;
    check_async(sig, "`handle_continue`")?;
    check_receiver(sig)?;
    check_plain(sig, "the work has one type: put the parameter on the `impl` block")?;
    if typed(sig).count() != 1 {
        let text = "write `async fn handle_continue(&mut self, work: TYPE) -> Next`, with the type of \
                    the value of `Next::proceed`";
        return Err(Error::new(sig.ident.span(), text));
    }
    typed(sig).try_for_each(|(_, ty)| check_owned(ty))
}

pub(crate) fn check_terminate(function: &ImplItemFn) -> Result<()> {
    let sig = &function.sig;
    check_async(sig, "`terminate`")?;
    check_receiver(sig)?;
    let is_reference = |ty: &Type| matches!(ty, Type::Reference(to) if to.mutability.is_none());
    if typed(sig).count() != 1 || !typed(sig).all(|(_, ty)| is_reference(ty)) {
        let text = "write `async fn terminate(&mut self, reason: &ExitReason)`";
        return Err(Error::new(sig.ident.span(), text));
    }
    match &sig.output {
        ReturnType::Type(_, ty) if !matches!(&**ty, Type::Tuple(unit) if unit.elems.is_empty()) => {
            Err(Error::new(ty.span(), "`terminate` returns nothing: the server ends"))
        }
        _ => Ok(()),
    }
}

pub(crate) fn check_format_status(function: &ImplItemFn) -> Result<()> {
    let sig = &function.sig;
    let is_shared = matches!(
        sig.inputs.first(),
        Some(FnArg::Receiver(Receiver { reference: Some(_), mutability: None, .. }))
    );
    let returns = matches!(sig.output, ReturnType::Type(..));
    if sig.asyncness.is_some() || sig.inputs.len() != 1 || !is_shared || !returns {
        return Err(Error::new(sig.ident.span(), "write `fn format_status(&self) -> String`"));
    }
    Ok(())
}

/// Returns whether this is `&mut Caller<..>`.
pub(crate) fn is_caller(ty: &Type) -> bool {
    matches!(ty, Type::Reference(to) if to.mutability.is_some() && is_named_caller(&to.elem))
}

/// Returns whether this is a `Caller` in another way than [`is_caller`].
fn names_caller(ty: &Type) -> bool {
    match ty {
        Type::Reference(to) => is_named_caller(&to.elem),
        other => is_named_caller(other),
    }
}

fn is_named_caller(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Caller"))
}
