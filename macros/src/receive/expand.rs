//! Emits the loop of a `receive!`.
//!
//! An arm's body has to run in the user's own function and outside the loop, so that its `return`,
//! `?`, `break` and `.await` keep their meaning. So the loop ends with an enum that has a variant
//! for each arm and holds the bindings of the arm that took the message. A second `match` runs the
//! body. The macro does not know types, so the enum has a type parameter for each binding. A
//! `Wanted` stands for each message type; where the user has not written the type, the compiler
//! infers it from the patterns.
//!
//! # Invariants
//! - **X1** The emitted code awaits only the future of `next`, and only the `Receive` is alive
//!   meanwhile. So the emitted code is `Send` if the messages are.
//! - **X2** A message that was taken out is either in the variant that ends the loop, or is put
//!   back by `keep` before the next message is looked at.
//! - **X3** A binding keeps the user's name and span, and is used once in the loop. So the compiler
//!   reports a problem with it where the body uses it.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::Expr;
use syn::spanned::Spanned as _;

use super::arm::{Arm, Receive};
use super::pattern::{Binding, Takes};
use crate::fika_path::Fika;

/// Emits tokens whose local names are invisible to the user's code, and the other way around.
macro_rules! emit {
    ($($tokens:tt)*) => { quote_spanned!(Span::mixed_site()=> $($tokens)*) };
}

pub(super) fn expand(receive: &Receive) -> TokenStream {
    let Receive { fika: found, since, arms, after } = receive;
    let fika = found.at(Span::mixed_site());
    let arms: Vec<Carried<'_>> =
        arms.iter().enumerate().map(|(i, arm)| Carried { i, arm }).collect();
    let arm_enum = arm_enum(&arms, after.is_some());
    let types = Types::new(&arms);
    let (wanted, test, take) =
        (types.declarations(found), types.test(&arms, found), take(&types, &arms, found));
    let mut bodies: TokenStream = arms.iter().map(Carried::body).collect();
    let mut begin = emit!(begin());
    let mut timeout = emit!({});
    let mut reference = TokenStream::new();
    if let Some(after) = after {
        let (attrs, duration, body) = (&after.attrs, &after.duration, &after.body);
        bodies.extend(emit!(#(#attrs)* __FikaArm::After => #body,));
        begin = emit!(begin_after(#duration));
        timeout = emit!(break __FikaArm::After);
    }
    if let Some(since) = since {
        reference = emit!(let __since: #fika::__private::Reference = #since;);
        begin.extend(emit!(.since(__since)));
    }
    emit! {
        {
            #arm_enum
            #[allow(clippy::never_loop, clippy::used_underscore_binding)]
            let __arm = {
                #reference
                #wanted
                let mut __receive = #fika::__private::Receive::#begin;
                loop {
                    match __receive.next(#test).await {
                        #fika::__private::Next::Message(__message) => { #take }
                        #fika::__private::Next::Timeout => #timeout,
                    }
                }
            };
            match __arm { #bodies }
        }
    }
}

/// Returns the enum that holds the bindings, with a field for each of them.
fn arm_enum(arms: &[Carried<'_>], after: bool) -> TokenStream {
    let mut params = Vec::new();
    let mut variants = Vec::new();
    for arm in arms {
        let variant = arm.variant();
        let fields = arm.arm.bindings.iter().enumerate().map(|(i, binding)| {
            let param = format_ident!("{variant}B{i}");
            params.push(param.clone());
            let field = field(i, binding);
            emit!(#field: #param)
        });
        variants.push(emit!(#variant { #(#fields),* }));
    }
    if after {
        variants.push(emit!(After));
    }
    emit! {
        #[allow(non_snake_case)]
        enum __FikaArm<#(#params),*> { #(#variants),* }
    }
}

/// The types of the messages that arms take, without duplicates.
struct Types<'a>(Vec<(String, Vec<&'a Takes>)>);

impl<'a> Types<'a> {
    fn new(arms: &[Carried<'a>]) -> Types<'a> {
        let mut types = Types(Vec::new());
        for arm in arms {
            let Some(key) = arm.arm.takes.key() else { continue };
            match types.0.iter_mut().find(|(other, _)| *other == key) {
                Some((_, takes)) => takes.push(&arm.arm.takes),
                None => types.0.push((key, vec![&arm.arm.takes])),
            }
        }
        types
    }

    /// Returns the name of the `Wanted` for the type of these messages.
    fn wanted(&self, takes: &Takes) -> Ident {
        let key = takes.key();
        let place = self.0.iter().position(|(other, _)| Some(other) == key.as_ref());
        format_ident!("__fika_wanted{}", place.unwrap_or_default(), span = span(takes))
    }

    /// Declares a `Wanted` for each type.
    fn declarations(&self, fika: &Fika) -> TokenStream {
        let declarations = self.0.iter().map(|(_, takes)| {
            let (name, span) = (self.wanted(takes[0]), span(takes[0]));
            let ty = takes.iter().find_map(|takes| match takes {
                Takes::Type(ty) => Some(ty),
                _ => None,
            });
            let ty = ty.map(|ty| quote_spanned!(span=> ::<#ty>));
            let fika = fika.at(span);
            let new = quote_spanned!(span=> #fika::__private::wanted #ty());
            emit!(let #name = #new;)
        });
        declarations.collect()
    }

    /// Returns the test that the mailbox applies to each message without removing it.
    fn test(&self, arms: &[Carried<'_>], found: &Fika) -> TokenStream {
        let fika = found.at(Span::mixed_site());
        if arms.iter().any(|arm| matches!(arm.arm.takes, Takes::Any)) {
            return emit!(|_: &#fika::__private::Envelope| true);
        }
        if self.0.is_empty() {
            return emit!(|_: &#fika::__private::Envelope| false);
        }
        // A test has the span of the declaration of its `Wanted`, so that the compiler reports a
        // type that is not a message only once.
        let tests = self.0.iter().map(|(_, takes)| {
            let (name, span) = (self.wanted(takes[0]), span(takes[0]));
            let message = emit!(__message);
            let fika = found.at(span);
            quote_spanned!(span=> #fika::__private::is_wanted(#name, #message))
        });
        emit!(move |__message: &#fika::__private::Envelope| #(#tests)||*)
    }
}

/// The span of errors about the type. It is the user's own span: with a span of the macro the
/// compiler would report the error twice.
fn span(takes: &Takes) -> Span {
    match takes {
        Takes::Type(ty) => ty.span(),
        Takes::Pattern { span, .. } => *span,
        Takes::Any => Span::mixed_site(),
    }
}

/// Offers the message to each arm in turn. Consecutive arms of one type open the message once.
fn take(types: &Types<'_>, arms: &[Carried<'_>], found: &Fika) -> TokenStream {
    let fika = found.at(Span::mixed_site());
    let mut steps = TokenStream::new();
    for run in arms.chunk_by(|a, b| a.arm.takes.key() == b.arm.takes.key()) {
        let cases: TokenStream = run.iter().map(Carried::case).collect();
        match &run[0].arm.takes {
            Takes::Any if run.iter().any(|arm| arm.arm.guard.is_none()) => {
                steps.extend(emit!(match __message { #cases }));
                return steps;
            }
            Takes::Any => steps.extend(emit! {
                let __message = match __message {
                    #cases
                    __message => __message,
                };
            }),
            takes => {
                let (wanted, span) = (types.wanted(takes), span(takes));
                let message = emit!(&mut __receive, __message);
                let at = found.at(span);
                let open = quote_spanned!(span=> #at::__private::open_wanted(#wanted, #message));
                steps.extend(emit! {
                    let __message = match #open {
                        #fika::__private::Opened::Is(__node) => match __node.body {
                            #cases
                            #[allow(unreachable_patterns)]
                            _ => #fika::__private::Envelope::from(__node),
                        },
                        #fika::__private::Opened::Other(__message) => __message,
                        #fika::__private::Opened::Gone => continue,
                    };
                });
            }
        }
    }
    steps.extend(emit!(__receive.keep(__message);));
    steps
}

/// An arm, with its index.
struct Carried<'a> {
    i: usize,
    arm: &'a Arm,
}

impl Carried<'_> {
    fn variant(&self) -> Ident {
        format_ident!("A{}", self.i, span = Span::mixed_site())
    }

    /// Returns the arm inside the loop, which takes the message and ends the loop.
    fn case(&self) -> TokenStream {
        let variant = self.variant();
        let Arm { pat, guard, bindings, .. } = self.arm;
        let guard = guard.iter();
        let fields = bindings.iter().enumerate().map(|(i, binding)| {
            let ident = &binding.ident;
            let field = field(i, binding);
            if binding.shorthand { emit!(#ident) } else { emit!(#field: #ident) }
        });
        emit!(#pat #(if #guard)* => break __FikaArm::#variant { #(#fields),* },)
    }

    /// Returns the arm after the loop, which has the bindings and runs the body.
    fn body(&self) -> TokenStream {
        let variant = self.variant();
        let Arm { attrs, guard, bindings, body, .. } = self.arm;
        let fields = bindings.iter().enumerate().map(|(i, binding)| {
            let Binding { ident, mutability, shorthand } = binding;
            // An exception to X3: a name that only the guard reads must not be reported as unused.
            let allow = guard
                .as_ref()
                .filter(|guard| mentions(guard, ident))
                .map(|_| emit!(#[allow(unused_variables)]));
            let field = field(i, binding);
            if *shorthand {
                emit!(#allow #mutability #ident)
            } else {
                emit!(#allow #field: #mutability #ident)
            }
        });
        emit!(#(#attrs)* __FikaArm::#variant { #(#fields),* } => #body,)
    }
}

/// Returns the field that holds the binding. A binding named like a field of the message keeps its
/// name, so that the compiler's suggestions fit the user's pattern.
fn field(i: usize, binding: &Binding) -> Ident {
    if binding.shorthand {
        binding.ident.clone()
    } else {
        format_ident!("__b{i}", span = Span::mixed_site())
    }
}

/// Returns whether the name occurs in the expression, including in format strings.
fn mentions(expr: &Expr, name: &Ident) -> bool {
    fn among(tokens: TokenStream, name: &str) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == name,
            TokenTree::Literal(literal) => literal.to_string().contains(name),
            TokenTree::Group(group) => among(group.stream(), name),
            TokenTree::Punct(_) => false,
        })
    }
    among(expr.to_token_stream(), &name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spell::spell;

    fn expansion(source: &str) -> String {
        spell(&expand(&syn::parse_str(source).expect(source)))
    }

    #[test]
    fn adjacent_arms_of_one_type_open_the_message_once() {
        let cases = [
            ("A::X(n) => n, A::Y => 0", 1, 1),
            ("A::X(n) => n, B(n) => n, A::Y => 0", 3, 2),
            ("A::X(n) => n, any => 0", 1, 0),
            ("any if f(&any) => 1, B(n) => n", 1, 0),
            ("after t => 0", 0, 0),
            ("Some(A::X) => 0, None: Option<A> => 1", 1, 1),
        ];
        for (source, opened, tested) in cases {
            let expansion = expansion(source);
            assert_eq!(expansion.matches("open_wanted(").count(), opened, "{source}: {expansion}");
            assert_eq!(expansion.matches("is_wanted(").count(), tested, "{source}: {expansion}");
        }
    }

    #[test]
    fn messages_are_kept_only_if_no_arm_takes_all() {
        let cases =
            [("any => 0", 0), ("any if f(&any) => 0", 1), ("n: u64 => n", 1), ("after t => 0", 1)];
        for (source, kept) in cases {
            assert_eq!(expansion(source).matches(".keep(").count(), kept, "{source}");
        }
    }

    #[test]
    fn the_reference_is_evaluated_before_the_receive_begins() {
        let expansion = expansion("for call.mark, n: u64 => n, after t => 0");
        let read = expansion.find("call.mark").expect("it is there");
        assert!(read < expansion.find("begin_after(t).since(__since)").expect("it is there"));
    }

    #[test]
    fn a_name_in_a_format_string_is_mentioned() {
        let guard = syn::parse_str("f(format!(\"{n}\"))").expect("an expression");
        assert!(mentions(&guard, &format_ident!("n")));
        assert!(!mentions(&guard, &format_ident!("m")));
    }
}
