//! Rewrites a file: text is inserted, and nothing is taken away.

use std::collections::HashMap;
use std::error::Error;
use std::ops::Range;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Arm, BinOp, Expr, ExprBinary, ExprMatch, ExprUnary, Pat};

use crate::mutant::{Genre, Mutant, Place};

/// A file with its mutants.
#[derive(Default)]
pub struct Rewritten {
    pub text: String,
    /// Where the text of each mutant is.
    pub pieces: Vec<(Range<usize>, String)>,
    /// Where the expressions and functions are that have mutants, with these.
    pub around: Vec<(Range<usize>, Vec<String>)>,
    /// Mutants that cannot compile.
    pub impossible: Vec<String>,
    /// Mutants that are not part of the text for another reason.
    pub left_out: Vec<String>,
}

/// Text to be inserted.
struct Insertion {
    at: usize,
    /// The order at one place: what ends there is closed, the innermost first, before anything is
    /// opened, the outermost first.
    order: isize,
    text: String,
    key: Option<String>,
}

struct Finder<'a> {
    source: &'a str,
    /// Those not yet found, by genre and by the offset at which they begin.
    mutants: HashMap<(Genre, usize), Vec<&'a Mutant>>,
    insertions: Vec<Insertion>,
    around: Vec<(Range<usize>, Vec<String>)>,
    impossible: Vec<String>,
    /// Whether the matches around have an arm for everything, the innermost last.
    catch_all: Vec<bool>,
}

/// The expression that is true if the mutant is active.
fn on(mutant: &Mutant) -> String {
    format!("crate::mutants::on({:#x})", mutant.number())
}

pub fn rewrite(source: &str, mutants: &[&Mutant]) -> Result<Rewritten, Box<dyn Error>> {
    if mutants.is_empty() {
        return Ok(Rewritten { text: source.into(), ..Rewritten::default() });
    }
    let lines: Vec<usize> =
        std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let offset = |place: &Place| {
        let line = lines[place.line - 1];
        let characters = source[line..].char_indices().nth(place.column - 1);
        line + characters.map_or(source.len() - line, |(at, _)| at)
    };
    let mut finder = Finder {
        source,
        mutants: HashMap::new(),
        insertions: Vec::new(),
        around: Vec::new(),
        impossible: Vec::new(),
        catch_all: Vec::new(),
    };
    for mutant in mutants {
        let start = offset(&mutant.span.start);
        if mutant.genre == Genre::FnValue {
            let text = format!("if {} {{ return {}; }} ", on(mutant), mutant.replacement);
            finder.insert(start, isize::MIN / 2, text, Some(mutant));
            finder.around.push((start..offset(&mutant.span.end), vec![mutant.key.clone()]));
        } else {
            finder.mutants.entry((mutant.genre, start)).or_default().push(mutant);
        }
    }
    finder.visit_file(&syn::parse_file(source)?);

    let left_out = finder.mutants.values().flatten().map(|mutant| mutant.key.clone()).collect();
    let mut rewritten =
        Rewritten { impossible: finder.impossible, left_out, ..Rewritten::default() };
    finder.insertions.sort_by_key(|insertion| (insertion.at, insertion.order));
    let (mut copied, mut moved) = (0, Vec::new());
    for insertion in finder.insertions {
        rewritten.text += &source[copied..insertion.at];
        copied = insertion.at;
        let start = rewritten.text.len();
        rewritten.text += &insertion.text;
        moved.push((insertion.at, insertion.text.len()));
        if let Some(key) = insertion.key {
            rewritten.pieces.push((start..rewritten.text.len(), key));
        }
    }
    rewritten.text += &source[copied..];
    let place = |at: usize, inclusive: bool| {
        let before = |(other, _): &&(usize, usize)| *other < at || inclusive && *other == at;
        at + moved.iter().filter(before).map(|(_, length)| length).sum::<usize>()
    };
    rewritten.around = finder
        .around
        .into_iter()
        .map(|(range, keys)| (place(range.start, false)..place(range.end, true), keys))
        .collect();
    Ok(rewritten)
}

impl<'a> Finder<'a> {
    fn insert(&mut self, at: usize, order: isize, text: String, mutant: Option<&Mutant>) {
        let key = mutant.map(|mutant| mutant.key.clone());
        self.insertions.push(Insertion { at, order, text, key });
    }

    /// Makes the original of `range` the last branch of a choice among `mutated`.
    fn choose(&mut self, range: Range<usize>, mutated: Vec<(&'a Mutant, String)>) {
        if mutated.is_empty() {
            return;
        }
        let outer = -(range.len() as isize);
        self.insert(range.start, outer, "(".into(), None);
        for (mutant, text) in &mutated {
            let text = format!("if {} {{ {text} }} else ", on(mutant));
            self.insert(range.start, outer, text, Some(mutant));
        }
        self.insert(range.start, outer, "{ ".into(), None);
        self.close(&range, " })");
        let keys = mutated.iter().map(|(mutant, _)| mutant.key.clone()).collect();
        self.around.push((range, keys));
    }

    fn close(&mut self, range: &Range<usize>, text: &str) {
        // Before all that opens at this place, even a body.
        let order = isize::MIN + range.len() as isize;
        self.insert(range.end, order, text.into(), None);
    }

    fn take(&mut self, genre: Genre, at: usize) -> Vec<&'a Mutant> {
        self.mutants.remove(&(genre, at)).unwrap_or_default()
    }
}

fn range(node: &impl Spanned) -> Range<usize> {
    node.span().byte_range()
}

/// Whether it is part of a chain with `let`, where only `&&` may be.
fn has_let(expression: &Expr) -> bool {
    match expression {
        Expr::Let(_) => true,
        Expr::Binary(ExprBinary { left, op: BinOp::And(_), right, .. }) => {
            has_let(left) || has_let(right)
        }
        _ => false,
    }
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_expr_binary(&mut self, node: &'a ExprBinary) {
        let operator = range(&node.op);
        let mutants = self.take(Genre::BinaryOperator, operator.start);
        if has_let(&node.left) || has_let(&node.right) {
            self.impossible.extend(mutants.iter().map(|mutant| mutant.key.clone()));
        } else {
            let left = &self.source[range(&node.left)];
            let right = &self.source[range(&node.right)];
            let mutated = mutants
                .iter()
                .map(|mutant| (*mutant, format!("({left}) {} ({right})", mutant.replacement)));
            self.choose(range(node), mutated.collect());
        }
        visit::visit_expr_binary(self, node);
    }

    fn visit_expr_unary(&mut self, node: &'a ExprUnary) {
        let mutants = self.take(Genre::UnaryOperator, range(&node.op).start);
        let operand = &self.source[range(&node.expr)];
        let mutated = mutants.iter().map(|mutant| (*mutant, operand.to_owned()));
        self.choose(range(node), mutated.collect());
        visit::visit_expr_unary(self, node);
    }

    fn visit_expr_match(&mut self, node: &'a ExprMatch) {
        let is_catch_all = |arm: &Arm| {
            arm.guard.is_none()
                && match &arm.pat {
                    Pat::Wild(_) => true,
                    // A name in upper case, such as `None`, does not bind a value.
                    Pat::Ident(name) => !name.ident.to_string().starts_with(char::is_uppercase),
                    _ => false,
                }
        };
        self.catch_all.push(node.arms.iter().any(is_catch_all));
        visit::visit_expr_match(self, node);
        self.catch_all.pop();
    }

    fn visit_arm(&mut self, node: &'a Arm) {
        // An arm with a guard no longer counts when the compiler looks for a missing one.
        let may_have_guard = node.guard.is_some() || self.catch_all.last() == Some(&true);
        let arm = match may_have_guard {
            true => self.take(Genre::MatchArm, range(node).start),
            false => Vec::new(),
        };
        let deleted = arm.first().map(|mutant| (*mutant, format!("!{}", on(mutant))));
        if let Some((_, guard)) = &node.guard {
            let range = range(guard);
            let mut close = String::new();
            let outer = -(range.len() as isize) - 1;
            if let Some((mutant, deleted)) = deleted {
                self.insert(range.start, outer, format!("{deleted} && ("), Some(mutant));
                close.push(')');
                self.around.push((range.clone(), vec![mutant.key.clone()]));
            }
            for mutant in self.take(Genre::MatchArmGuard, range.start) {
                let text = match mutant.replacement.as_str() {
                    "true" => format!("{} || (", on(mutant)),
                    _ => format!("!{} && (", on(mutant)),
                };
                self.insert(range.start, outer, text, Some(mutant));
                close.push(')');
                self.around.push((range.clone(), vec![mutant.key.clone()]));
            }
            self.insert(range.end, isize::MIN + range.len() as isize + 1, close, None);
        } else if let Some((mutant, deleted)) = deleted {
            let end = range(&node.pat).end;
            self.insert(end, 0, format!(" if {deleted}"), Some(mutant));
        }
        visit::visit_arm(self, node);
    }

    /// A pattern is not an expression, even if it looks like one.
    fn visit_pat(&mut self, _: &'a Pat) {}
}
