//! Checks that the guard of an arm only looks at the message.
//!
//! While a guard runs, its message is not in the mailbox. So a guard must not wait, since dropping
//! the waiting receive would lose the message, and must not jump out, which would lose it as well.
//! The compiler would accept both. A `let` in a guard is refused, too: the expansion can't pass its
//! bindings to the arm.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    BinOp, Error, Expr, ExprAsync, ExprAwait, ExprBreak, ExprClosure, ExprContinue, ExprForLoop,
    ExprLoop, ExprReturn, ExprTry, ExprWhile, Item, Result,
};

/// Refuses a guard that waits, jumps or binds.
pub(super) fn check(guard: &Expr) -> Result<()> {
    if let Some(span) = binding(guard) {
        return Err(Error::new(span, "a guard of `receive!` can't bind: match in the arm itself"));
    }
    let mut jumps = Jumps { loops: 0, found: None };
    jumps.visit_expr(guard);
    jumps.found.map_or(Ok(()), |(span, what)| {
        let text = format!(
            "a guard can't {what}: it only decides whether the arm takes the message, which is \
             not in the mailbox while the guard runs"
        );
        Err(Error::new(span, text))
    })
}

/// Returns the span of a `let` condition of the guard itself, and not of an `if` inside it.
fn binding(guard: &Expr) -> Option<Span> {
    match guard {
        Expr::Let(condition) => Some(condition.let_token.span),
        Expr::Paren(inner) => binding(&inner.expr),
        Expr::Binary(both) if matches!(both.op, BinOp::And(_)) => {
            binding(&both.left).or_else(|| binding(&both.right))
        }
        _ => None,
    }
}

struct Jumps {
    /// The depth of loops inside the guard. A `break` in such a loop does not leave the guard.
    loops: usize,
    found: Option<(Span, &'static str)>,
}

impl Jumps {
    fn found(&mut self, span: Span, what: &'static str) {
        self.found.get_or_insert((span, what));
    }

    fn in_loop(&mut self, visit: impl FnOnce(&mut Self)) {
        self.loops += 1;
        visit(self);
        self.loops -= 1;
    }
}

impl<'ast> Visit<'ast> for Jumps {
    fn visit_expr_await(&mut self, expr: &'ast ExprAwait) {
        self.found(expr.await_token.span, "wait");
    }

    fn visit_expr_return(&mut self, expr: &'ast ExprReturn) {
        self.found(expr.return_token.span, "return");
    }

    fn visit_expr_try(&mut self, expr: &'ast ExprTry) {
        self.found(expr.question_token.span(), "return");
    }

    fn visit_expr_break(&mut self, expr: &'ast ExprBreak) {
        if self.loops == 0 {
            self.found(expr.break_token.span, "leave a loop");
        }
        visit::visit_expr_break(self, expr);
    }

    fn visit_expr_continue(&mut self, expr: &'ast ExprContinue) {
        if self.loops == 0 {
            self.found(expr.continue_token.span, "continue a loop");
        }
    }

    fn visit_expr_loop(&mut self, expr: &'ast ExprLoop) {
        self.in_loop(|jumps| visit::visit_expr_loop(jumps, expr));
    }

    fn visit_expr_while(&mut self, expr: &'ast ExprWhile) {
        self.in_loop(|jumps| visit::visit_expr_while(jumps, expr));
    }

    fn visit_expr_for_loop(&mut self, expr: &'ast ExprForLoop) {
        self.in_loop(|jumps| visit::visit_expr_for_loop(jumps, expr));
    }

    // A jump inside these does not leave the guard.
    fn visit_expr_async(&mut self, _: &'ast ExprAsync) {}
    fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}
    fn visit_item(&mut self, _: &'ast Item) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_has_no_control_flow() {
        let cases = [
            ("n > 0", None),
            ("known.contains(&n) && !matches!(x, Some(_))", None),
            ("v.iter().any(|x| { return x > n; })", None),
            ("loop { break true }", None),
            ("if let Some(x) = y { x } else { false }", None),
            ("n == read().await", Some("wait")),
            ("check(n)?", Some("return")),
            ("n > 0 || return", Some("return")),
            ("n > 0 && (let Some(_) = m)", Some("bind")),
            ("let Some(_) = m", Some("bind")),
            ("n > 0 || break", Some("leave a loop")),
            ("{ if n > 0 { continue } true }", Some("continue a loop")),
        ];
        for (source, error) in cases {
            let guard = syn::parse_str(source).expect(source);
            match (check(&guard), error) {
                (Ok(()), None) => {}
                (Err(found), Some(error)) => {
                    assert!(
                        found.to_string().contains(&format!("can't {error}")),
                        "{source}: {found}"
                    );
                }
                (found, _) => panic!("{source}: {found:?}"),
            }
        }
    }
}
