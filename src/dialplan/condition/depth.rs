//! How deep a condition goes, before anything that recurses has a look at it.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr};

/// How many brackets, choices (`a ? b : c`) and signs in a row (`!!a`) stand within each other in `text`; what stands in
/// quotes or behind `//` counts for nothing.
pub fn of_text(text: &str) -> usize {
    let letters: Vec<char> = text.chars().collect();
    // How deep it was before each bracket that is open.
    let mut open: Vec<usize> = Vec::new();
    let (mut depth, mut deepest, mut signs, mut at) = (0, 0, 0, 0);
    while let Some(&letter) = letters.get(at) {
        match letter {
            '"' | '\'' => at = past_quote(&letters, at),
            '/' if letters.get(at + 1) == Some(&'/') => {
                at += letters[at..].iter().position(|letter| *letter == '\n').unwrap_or(letters.len() - at);
            }
            _ => at += 1,
        }
        signs = match letter {
            '-' | '!' => signs + 1,
            letter if letter.is_whitespace() => signs,
            _ => 0,
        };
        match letter {
            '(' | '[' | '{' => {
                open.push(depth);
                depth += 1;
            }
            '?' => depth += 1,
            ')' | ']' | '}' => depth = open.pop().unwrap_or(depth),
            _ => {}
        }
        deepest = deepest.max(depth + signs);
    }
    deepest
}

/// The place behind the text in quotes that begins at `at`.
fn past_quote(letters: &[char], at: usize) -> usize {
    let quote = letters[at];
    let raw = at > 0 && matches!(letters[at - 1], 'r' | 'R');
    let thrice = |at: usize| letters.get(at..at + 3).is_some_and(|three| three.iter().all(|letter| *letter == quote));
    let (long, mut at) = if thrice(at) { (true, at + 3) } else { (false, at + 1) };
    while let Some(&letter) = letters.get(at) {
        match letter {
            '\\' if !raw => at += 2,
            '\n' if !long => return at,
            letter if letter == quote && !long => return at + 1,
            letter if letter == quote && thrice(at) => return at + 3,
            _ => at += 1,
        }
    }
    letters.len()
}

/// How many levels an expression has.
pub fn of(expression: &IdedExpr) -> usize {
    let mut deepest = 0;
    let mut open = vec![(expression, 1)];
    while let Some((expression, depth)) = open.pop() {
        deepest = deepest.max(depth);
        open.extend(parts(&expression.expr).into_iter().map(|part| (part, depth + 1)));
    }
    deepest
}

fn parts(expression: &Expr) -> Vec<&IdedExpr> {
    match expression {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(each) => {
            vec![&each.iter_range, &each.accu_init, &each.loop_cond, &each.loop_step, &each.result]
        }
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => entries(map.entries.iter().map(|entry| &entry.expr)),
        Expr::Select(select) => vec![&select.operand],
        Expr::Struct(made) => entries(made.entries.iter().map(|entry| &entry.expr)),
    }
}

fn entries<'a>(entries: impl Iterator<Item = &'a EntryExpr>) -> Vec<&'a IdedExpr> {
    let parts = entries.flat_map(|entry| match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    });
    parts.collect()
}
