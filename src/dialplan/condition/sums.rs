//! Sums of whole and other numbers: `due * 2`, `count * 1.5`.
//!
//! CEL keeps the two apart and refuses to mix them. Whoever writes a plan has money, counts and percentages, and no
//! reason to know which of them is written with a point: so a whole number beside another one counts as one of those.
//! Two whole numbers stay whole, and lists are counted by whole numbers.

use std::collections::BTreeSet;

use cel::common::ast::{EntryExpr, Expr, operators};
use cel::{Context, ExecutionError, IdedExpr, ResolveResult, Value};

/// The operators that mix, and what stands for them: names that no plan can write.
const MIXING: [(&str, &str, Sum); 5] = [
    (operators::ADD, "@sum", |left, right| left + right),
    (operators::SUBSTRACT, "@difference", |left, right| left - right),
    (operators::MULTIPLY, "@product", |left, right| left * right),
    (operators::DIVIDE, "@quotient", |left, right| match right {
        Value::Float(0.0) => Err(ExecutionError::DivisionByZero(left)),
        right => left / right,
    }),
    (operators::MODULO, "@rest", |left, right| left % right),
];

type Sum = fn(Value, Value) -> ResolveResult;

/// An expression as it is evaluated, and the names that it reads.
pub fn prepare(expression: &IdedExpr) -> (IdedExpr, BTreeSet<String>) {
    let mut prepared = expression.clone();
    let mut names = BTreeSet::new();
    walk(&mut prepared, &mut Vec::new(), &mut names);
    (prepared, names)
}

/// Teaches the evaluator what [`prepare`] writes.
pub fn teach(context: &mut Context<'_, '_>) {
    for (_, name, sum) in MIXING {
        let mixed = move |left: Value, right: Value| -> ResolveResult {
            let (left, right) = alike(left, right);
            sum(left, right)
        };
        context.add_function(name, mixed).expect("no function of the evaluator has such a name");
    }
}

fn alike(left: Value, right: Value) -> (Value, Value) {
    match (left, right) {
        (Value::Int(left), right @ Value::Float(_)) => (Value::Float(left as f64), right),
        (left @ Value::Float(_), Value::Int(right)) => (left, Value::Float(right as f64)),
        (Value::UInt(left), right @ Value::Float(_)) => (Value::Float(left as f64), right),
        (left @ Value::Float(_), Value::UInt(right)) => (left, Value::Float(right as f64)),
        alike => alike,
    }
}

/// Replaces the operators and gathers the names; `own` are those that the expression itself gives to what it goes through.
fn walk(expression: &mut IdedExpr, own: &mut Vec<String>, names: &mut BTreeSet<String>) {
    match &mut expression.expr {
        Expr::Unspecified | Expr::Literal(_) => {}
        Expr::Ident(name) => {
            let known = own.contains(name) || name.starts_with('@');
            names.extend((!known).then(|| name.clone()));
        }
        Expr::Call(call) => {
            // What gathers a list must stay what the evaluator knows: it does not copy the list each time.
            let gathers =
                matches!(call.args.first().map(|arg| &arg.expr), Some(Expr::Ident(name)) if name.starts_with('@'));
            let mixing = MIXING.iter().find(|(operator, ..)| *operator == call.func_name);
            if let Some((_, name, _)) = mixing.filter(|_| !gathers && call.target.is_none()) {
                call.func_name = (*name).to_owned();
            }
            call.target.iter_mut().for_each(|target| walk(target, own, names));
            call.args.iter_mut().for_each(|arg| walk(arg, own, names));
        }
        Expr::Comprehension(each) => {
            walk(&mut each.iter_range, own, names);
            walk(&mut each.accu_init, own, names);
            let before = own.len();
            own.extend([each.iter_var.clone(), each.accu_var.clone()].into_iter().chain(each.iter_var2.clone()));
            for part in [&mut each.loop_cond, &mut each.loop_step, &mut each.result] {
                walk(part, own, names);
            }
            own.truncate(before);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(|element| walk(element, own, names)),
        Expr::Map(map) => map.entries.iter_mut().for_each(|entry| walk_entry(&mut entry.expr, own, names)),
        Expr::Select(select) => walk(&mut select.operand, own, names),
        Expr::Struct(made) => made.entries.iter_mut().for_each(|entry| walk_entry(&mut entry.expr, own, names)),
    }
}

fn walk_entry(entry: &mut EntryExpr, own: &mut Vec<String>, names: &mut BTreeSet<String>) {
    match entry {
        EntryExpr::StructField(field) => walk(&mut field.value, own, names),
        EntryExpr::MapEntry(entry) => {
            walk(&mut entry.key, own, names);
            walk(&mut entry.value, own, names);
        }
    }
}
