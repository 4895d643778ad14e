//! What a tag reads and sets, found before a call needs it.

use std::collections::BTreeSet;

use super::{Expr, Statement};
use crate::value::Value;

/// What a tag reads and sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Variables it reads.
    pub read: BTreeSet<String>,
    /// Variables it sets.
    pub set: BTreeSet<String>,
    /// Rules it asks for, as `rules.name` or `meta.name`.
    pub rules: BTreeSet<String>,
}

impl Names {
    /// Takes in those of another tag.
    pub fn extend(&mut self, other: Self) {
        self.read.extend(other.read);
        self.set.extend(other.set);
        self.rules.extend(other.rules);
    }

    pub(super) fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            match statement {
                Statement::Declare(name, value) => {
                    self.set.insert(name.clone());
                    value.iter().for_each(|value| self.expr(value));
                }
                Statement::Evaluate(expr) => self.expr(expr),
                Statement::If(condition, then, other) => {
                    self.expr(condition);
                    self.statements(then);
                    self.statements(other);
                }
                Statement::Loop(turns) => {
                    self.statements(&turns.first);
                    turns.before.iter().chain(&turns.step).chain(&turns.after).for_each(|expr| self.expr(expr));
                    self.statements(&turns.body);
                }
                Statement::Each(name, of, body) => {
                    self.set.insert(name.clone());
                    self.expr(of);
                    self.statements(body);
                }
                Statement::Choose(of, cases) => {
                    self.expr(of);
                    for (value, body) in cases {
                        value.iter().for_each(|value| self.expr(value));
                        self.statements(body);
                    }
                }
                Statement::Return(value) => value.iter().for_each(|value| self.expr(value)),
                Statement::Function(function) => {
                    self.set.extend(function.parameters.iter().cloned());
                    self.statements(&function.body);
                }
                Statement::Break | Statement::Continue => {}
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Constant(_) => {}
            Expr::Name(name) => _ = self.read.insert(name.clone()),
            Expr::Member(of, name) => {
                if let (Expr::Name(scope), Expr::Constant(Value::Text(rule))) = (&**of, &**name)
                    && (scope == "rules" || scope == "meta")
                {
                    self.rules.insert(rule.clone());
                }
                self.expr(of);
                self.expr(name);
            }
            Expr::Call(_, given) | Expr::List(given) => given.iter().for_each(|one| self.expr(one)),
            Expr::Method(of, _, given) => {
                self.expr(of);
                given.iter().for_each(|one| self.expr(one));
            }
            Expr::Object(entries) => entries.iter().for_each(|(_, value)| self.expr(value)),
            Expr::Not(one) | Expr::Negative(one) | Expr::Kind(one) | Expr::Step { target: one, .. } => self.expr(one),
            Expr::Binary(_, left, right) => {
                self.expr(left);
                self.expr(right);
            }
            Expr::Choice(condition, then, other) => [condition, then, other].into_iter().for_each(|one| self.expr(one)),
            Expr::Assign(target, operator, value) => {
                match &**target {
                    Expr::Name(name) => {
                        self.set.insert(name.clone());
                        if operator.is_some() {
                            self.read.insert(name.clone());
                        }
                    }
                    other => self.expr(other),
                }
                self.expr(value);
            }
        }
    }
}
