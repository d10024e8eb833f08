//! The arms of `receive!`, as they are written.
//!
//! `receive! { [for REFERENCE,] PATTERN [: TYPE] [if GUARD] => EXPR, .. [after DURATION => EXPR]
//! }`, with the commas of a `match`. For rustfmt, `receive!(match _ { ..
//! })` takes the same arms. There, `As::<TYPE>(PATTERN)` is a pattern with a type, `_ if
//! after(DURATION)` is the timeout, and `match since(REFERENCE) { .. }` is `for REFERENCE`.
//!
//! The errors of all arms are reported together; only a syntax error ends the parsing.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative as _;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, Ident, Pat, Path, Result, Token, Type, parse_quote};

use super::guard;
use super::pattern::{self, Binding, Takes};
use crate::fika_path::{self, Fika};

/// The input of a `receive!`.
pub(super) struct Receive {
    pub(super) fika: Fika,
    /// The reference after `for`: only messages that came after it was made are looked at.
    pub(super) since: Option<Expr>,
    pub(super) arms: Vec<Arm>,
    pub(super) after: Option<After>,
}

/// An arm that takes messages.
pub(super) struct Arm {
    /// Lint attributes, which apply to the body.
    pub(super) attrs: Vec<Attribute>,
    /// The pattern, without any `mut`.
    pub(super) pat: Pat,
    pub(super) takes: Takes,
    pub(super) bindings: Vec<Binding>,
    pub(super) guard: Option<Expr>,
    pub(super) body: Expr,
}

/// The timeout arm.
pub(super) struct After {
    pub(super) attrs: Vec<Attribute>,
    pub(super) duration: Expr,
    pub(super) body: Expr,
}

impl Parse for Receive {
    fn parse(input: ParseStream<'_>) -> Result<Receive> {
        let fika = Fika::or_found(parse_fika(input)?);
        if !input.peek(Token![match]) {
            let since = parse_since(input)?;
            return Receive::parse_arms(fika, since, input);
        }
        let since = parse_scrutinee(input)?;
        let arms;
        syn::braced!(arms in input);
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(input.error("`match` must be the only argument: it holds the arms"));
        }
        Receive::parse_arms(fika, since, &arms)
    }
}

impl Receive {
    fn parse_arms(fika: Fika, since: Option<Expr>, input: ParseStream<'_>) -> Result<Receive> {
        let mut receive = Receive { fika, since, arms: Vec::new(), after: None };
        let mut errors = Errors(None);
        // Whether an earlier arm takes every message, so that no arm can follow.
        let mut takes_all = false;
        if input.is_empty() {
            let text = "nothing to receive: write `PATTERN => EXPRESSION`, or \
                        `after DURATION => EXPRESSION` to let time pass";
            return Err(Error::new(Span::call_site(), text));
        }
        while !input.is_empty() {
            let attrs = input.call(Attribute::parse_outer)?;
            errors.note(check_attrs(&attrs));
            if at_after(input) {
                let after = input.call(Ident::parse_any)?;
                if receive.after.is_some() {
                    errors.add(Error::new(after.span(), "a `receive!` can have only one timeout"));
                }
                receive.after = Some(After::parse(attrs, &after, input)?);
                continue;
            }
            if input.peek(Token![for]) {
                return Err(input.error("`for REFERENCE,` comes before the arms"));
            }
            if input.peek(Token![if]) {
                let text = "an arm begins with a pattern: write `PATTERN if GUARD => ..`";
                return Err(input.error(text));
            }
            let (pat, ty) = parse_pattern(input)?;
            if let Some(after) = parse_after_guard(&pat, input) {
                if receive.after.is_some() {
                    errors.add(Error::new(pat.span(), "a `receive!` can have only one timeout"));
                }
                let (duration, body) = (after?, parse_body(input)?);
                receive.after = Some(After { attrs, duration, body });
                continue;
            }
            if receive.after.is_some() {
                let text = "the timeout comes last: move this arm before `after`";
                errors.add(Error::new_spanned(&pat, text));
            }
            let arm = Arm::parse(attrs, pat, ty, input)?;
            if let Some(arm) = errors.note(arm) {
                if takes_all && let Some(arm) = &receive.arms.last() {
                    let text = "this arm takes every message; put it last";
                    errors.add(Error::new_spanned(&arm.pat, text));
                }
                takes_all = matches!(arm.takes, Takes::Any) && arm.guard.is_none();
                receive.arms.push(arm);
            }
        }
        errors.0.map_or(Ok(receive), Err)
    }
}

/// Collects the errors of all arms into one.
struct Errors(Option<Error>);

impl Errors {
    fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            none => *none = Some(error),
        }
    }

    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }
}

/// Refuses a `cfg` on an arm. Attributes are emitted on the arm's body, which can't be removed.
fn check_attrs(attrs: &[Attribute]) -> Result<()> {
    match attrs.iter().find(|attr| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr"))
    {
        Some(attr) => {
            let text = "an arm can't be configured away: put the `cfg` on the whole `receive!`";
            Err(Error::new_spanned(attr, text))
        }
        None => Ok(()),
    }
}

/// Parses `crate = "..",` before everything else. A pattern may begin with `crate::`.
fn parse_fika(input: ParseStream<'_>) -> Result<Option<Path>> {
    if !(input.peek(Token![crate]) && input.peek2(Token![=]) && !input.peek2(Token![=>])) {
        return Ok(None);
    }
    input.parse::<Token![crate]>()?;
    let path = fika_path::parse_value(input)?;
    input.parse::<Token![,]>()?;
    Ok(Some(path))
}

/// Parses `for REFERENCE,` before the arms.
fn parse_since(input: ParseStream<'_>) -> Result<Option<Expr>> {
    if input.parse::<Option<Token![for]>>()?.is_none() {
        return Ok(None);
    }
    let since = input.parse()?;
    input.parse::<Token![,]>()?;
    Ok(Some(since))
}

/// Parses `match _` or `match since(REFERENCE)`.
fn parse_scrutinee(input: ParseStream<'_>) -> Result<Option<Expr>> {
    input.parse::<Token![match]>()?;
    let scrutinee = input.call(Expr::parse_without_eager_brace)?;
    let text = "`receive!` matches the messages of the mailbox: write `match _ { .. }`, or \
                `match since(REFERENCE) { .. }` for messages that came after a reference was made";
    match scrutinee {
        Expr::Infer(_) => Ok(None),
        Expr::Call(call) if is_name(&call.func, "since") && call.args.len() == 1 => {
            Ok(call.args.into_iter().next())
        }
        other => Err(Error::new_spanned(other, text)),
    }
}

/// Parses the duration of `_ if after(DURATION)`. Returns `None` for any other arm, and then
/// consumes nothing.
fn parse_after_guard(pat: &Pat, input: ParseStream<'_>) -> Option<Result<Expr>> {
    let ahead = input.fork();
    let guard = ahead.parse::<Token![if]>().and_then(|_| ahead.parse::<Expr>()).ok()?;
    match guard {
        Expr::Call(call) if matches!(pat, Pat::Wild(_)) && is_name(&call.func, "after") => {
            input.advance_to(&ahead);
            let text = "write the time after which the receive gives up: `after(DURATION)`";
            let error = Error::new_spanned(&call, text);
            let mut args = call.args.into_iter();
            Some(match (args.next(), args.next()) {
                (Some(duration), None) => Ok(duration),
                _ => Err(error),
            })
        }
        _ => None,
    }
}

fn is_name(function: &Expr, name: &str) -> bool {
    matches!(function, Expr::Path(path) if path.path.is_ident(name))
}

/// Returns whether the arm begins with `after`, which makes it the timeout.
fn at_after(input: ParseStream<'_>) -> bool {
    input.fork().call(Ident::parse_any).is_ok_and(|ident| ident == "after")
}

/// Parses `PATTERN [: TYPE]`.
fn parse_pattern(input: ParseStream<'_>) -> Result<(Pat, Option<Type>)> {
    let pat = Pat::parse_multi_with_leading_vert(input)?;
    match input.parse::<Option<Token![:]>>()? {
        Some(_) => Ok((pat, Some(input.parse()?))),
        None => Ok(pattern::split_as(pat)),
    }
}

/// Parses `=> EXPR`, and the comma where a `match` needs one.
fn parse_body(input: ParseStream<'_>) -> Result<Expr> {
    if input.is_empty() {
        let text = "the last arm has no body: write `=> EXPRESSION` after it";
        return Err(Error::new(input.span(), text));
    }
    if input.peek(Token![<]) && !input.peek(Token![<-]) {
        return Err(
            input.error("type parameters in a pattern follow `::`, as in `Tagged::<u64>(n)`")
        );
    }
    if !input.peek(Token![=>]) {
        return Err(input.error("expected `=>` and an expression that handles the message"));
    }
    input.parse::<Token![=>]>()?;
    if input.is_empty() {
        let text = "the last arm has no body: write an expression after `=>`";
        return Err(Error::new(input.span(), text));
    }
    let body = Expr::parse_with_earlier_boundary_rule(input)?;
    if input.peek(Token![;]) {
        return Err(input.error("arms end with `,`: write the body in braces to use `;`"));
    }
    let comma: Option<Token![,]> = input.parse()?;
    if comma.is_none() && !input.is_empty() && needs_comma(&body) {
        return Err(input.error("expected `,` before the next arm"));
    }
    Ok(body)
}

fn needs_comma(body: &Expr) -> bool {
    !matches!(
        body,
        Expr::Block(_)
            | Expr::Const(_)
            | Expr::ForLoop(_)
            | Expr::If(_)
            | Expr::Loop(_)
            | Expr::Match(_)
            | Expr::Unsafe(_)
            | Expr::While(_)
    )
}

impl Arm {
    /// Parses the rest of an arm. A syntax error is returned as the outer error, any other as the
    /// inner one.
    fn parse(
        attrs: Vec<Attribute>,
        mut pat: Pat,
        ty: Option<Type>,
        input: ParseStream<'_>,
    ) -> Result<Result<Arm>> {
        let guard = match input.parse::<Option<Token![if]>>()? {
            Some(_) => Some(input.parse::<Expr>()?),
            None => None,
        };
        let body = parse_body(input)?;
        let checked = guard.as_ref().map_or(Ok(()), guard::check);
        let takes = match ty {
            Some(ty) => pattern::check_slice(&pat, &ty).map(|()| Takes::Type(Box::new(ty))),
            None if pattern::is_text(&pat) => Ok(Takes::Type(parse_quote!(::std::string::String))),
            None => pattern::takes(&pat),
        };
        let bindings = pattern::bindings(&mut pat);
        pattern::name_constants(&mut pat);
        let guard = match (pattern::take_texts(&mut pat), guard) {
            (Some(are_equal), Some(guard)) => Some(parse_quote!(#are_equal && (#guard))),
            (are_equal, guard) => are_equal.or(guard),
        };
        Ok(takes.and_then(|takes| {
            checked?;
            Ok(Arm { attrs, pat, takes, bindings: bindings?, guard, body })
        }))
    }
}

impl After {
    fn parse(attrs: Vec<Attribute>, after: &Ident, input: ParseStream<'_>) -> Result<After> {
        let names = input.peek(Token![=>])
            || input.peek(Token![@])
            || input.peek(Token![|])
            || input.peek(Token![:]) && !input.peek(Token![::]);
        if names {
            let text = "`after` begins the timeout: write `after DURATION => EXPRESSION`";
            return Err(Error::new(after.span(), text));
        }
        Ok(After { attrs, duration: input.parse()?, body: parse_body(input)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_parse_like_match_arms() {
        let cases = [
            (
                "Ping { from, n } if n > 0 => send(from, n), Stop => return, after idle => break",
                Ok(2),
            ),
            ("Stop => {} Pong(n) => if n > 0 { a() } else { b() } any => drop(any)", Ok(3)),
            ("Stop => { 1 } - 1: i64 => 2,", Ok(2)),
            ("Some(x): Option<u64> if x > 1 => x", Ok(1)),
            ("n: Vec<Vec<u8>> => n.len(),", Ok(1)),
            ("m if m.is::<u8>() => 1, Stop => 2", Ok(2)),
            ("#[allow(unused)] Pong(n) => 1", Ok(1)),
            ("after if x { y } else { z } => {}", Ok(0)),
            ("after ::std::time::Duration::ZERO => {}", Ok(0)),
            ("_ => 1, after secs(1) => 2,", Ok(1)),
            ("for mark, Pong(r) if r == mark => 1, after t => 2", Ok(1)),
            ("for self.calls[0].mark, _ => 1", Ok(1)),
            ("for mark, after t => 2", Ok(0)),
            ("match _ { Ping { n } if n > 0 => 1, As::<u64>(n) => n, _ if after(t) => 2 }", Ok(2)),
            ("match since(self.mark) { _ => 1 },", Ok(1)),
            ("match _ { n: u64 => n, after t => 2 }", Ok(1)),
            ("_ if done(t) => 1", Ok(1)),
            ("match messages { _ => 1 }", Err("write `match _ { .. }`")),
            ("match _ { _ => 1 }, 5", Err("the only argument")),
            ("_ if after(t) => 1, Stop => 2", Err("the timeout comes last")),
            ("_ if after(t) => 1, after t => 2", Err("one timeout")),
            ("_ if after() => 1", Err("write the time")),
            ("_ if after(a, b) => 1", Err("write the time")),
            ("for mark => 1", Err("expected `,`")),
            ("for mark", Err("expected `,`")),
            ("for , _ => 1", Err("expected an expression")),
            ("_ => 1, for mark, _ => 2", Err("comes before the arms")),
            ("", Err("nothing to receive")),
            ("Stop => a() Pong(n) => b()", Err("expected `,`")),
            ("any => 1, Stop => 2", Err("takes every message; put it last")),
            ("after a => 1, Stop => 2", Err("the timeout comes last")),
            ("after a => 1, after b => 2", Err("one timeout")),
            ("after => 1", Err("`after` begins the timeout")),
            ("after: u64 => 1", Err("`after` begins the timeout")),
            ("#[cfg(test)] Stop => 1", Err("can't be configured away")),
            ("Stop => 1; Pong(n) => 2", Err("arms end with `,`")),
            ("Tagged<u64> { n } => 1", Err("follow `::`")),
            ("Stop -> 1", Err("expected `=>` and an expression")),
            ("timeout secs(1) => 1", Err("expected `=>` and an expression")),
            ("Stop", Err("the last arm has no body")),
            ("Stop =>", Err("an expression after `=>`")),
            ("Stop => 1, after secs(1)", Err("the last arm has no body")),
            ("if let Some(x) = y => 1", Err("an arm begins with a pattern")),
            ("[a, ..]: Vec<u8> => 1", Err("a pattern can't look into a `Vec`")),
            ("[a, b]: [u8; 2] => 1", Ok(1)),
            ("(from, \"stop\"): (Pid, String) if from == me => 1", Ok(1)),
        ];
        for (source, expected) in cases {
            match (syn::parse_str::<Receive>(source), expected) {
                (Ok(receive), Ok(arms)) => {
                    assert_eq!(receive.arms.len(), arms, "{source}");
                    assert_eq!(receive.after.is_some(), source.contains("after"), "{source}");
                }
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().contains(expected), "{source}: {error}");
                }
                (Err(error), Ok(_)) => panic!("{source}: {error}"),
                (Ok(_), Err(expected)) => panic!("{source}: no error, but {expected}"),
            }
        }
    }

    #[test]
    fn every_invalid_arm_is_reported() {
        let source = "(a, b) => 1, 5 => 2, _ => 3, Stop => 4, ref x => 5";
        let error = syn::parse_str::<Receive>(source).err().expect("four arms are wrong");
        assert_eq!(error.into_iter().count(), 4);
    }
}
