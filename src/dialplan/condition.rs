//! Conditions: `due > 100 && call.language == "zh-CN"`, in CEL, the Common Expression Language, by the `cel` crate.
//!
//! Money compares as a number of whole units (`due > 99.5`), days and times as the text they are written as
//! (`since < "2026-03-01"`, `now.time >= "17:00"`), what is not known as `null`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cel::common::ast::{CallExpr, EntryExpr, Expr};
use cel::objects::{Key, Map};
use cel::{Context, ExecutionError, IdedExpr, Program};

mod depth;
mod sums;

use crate::dialplan::scope::{CALENDARS, View, readable};
use crate::value::Value;

/// Longest condition, in bytes: the parser recurses.
const LONGEST: usize = 2_000;
/// Deepest nesting of brackets, choices and signs.
const DEEPEST: usize = 40;
/// Deepest nesting of all operators: `a + b + c` is two deep.
const DEEPEST_OPERATORS: usize = 120;

/// Most items that one evaluation looks at, over all its lists and lists in lists: `all` in `all` in `all` would
/// otherwise keep a call, and every other, waiting for minutes.
const MOST_ROUNDS: usize = 20_000;
/// What a comparison with a pattern counts for: the pattern is read anew each time.
const PATTERN: usize = 100;
/// Counts items, and patterns; no author can write these names.
const ROUNDS: &str = "@rounds";
const PATTERNS: &str = "@patterns";

/// A compiled condition or calculation.
pub struct Condition {
    text: String,
    program: IdedExpr,
    names: BTreeSet<String>,
}

impl Condition {
    /// Compiles `text`; the error is a sentence for its author.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("this condition is longer than {LONGEST} bytes"));
        }
        if depth::of_text(text) > DEEPEST {
            return Err(format!("this condition is nested deeper than {DEEPEST} levels"));
        }
        let program = Program::compile(text).map_err(|errors| {
            let why = errors.errors.first().map_or_else(String::new, |error| format!(": {}", error.msg));
            format!("this is no condition{why}")
        })?;
        if depth::of(program.expression()) > DEEPEST_OPERATORS {
            return Err(format!("this condition has more than {DEEPEST_OPERATORS} operators within each other"));
        }
        let (mut program, names) = sums::prepare(program.expression());
        count(&mut program);
        Ok(Self { text: text.to_owned(), program, names })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names it reads.
    pub const fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// What it comes to; the error names no value.
    pub fn value(&self, view: View<'_>) -> Result<Value, String> {
        let mut context = Context::default();
        sums::teach(&mut context);
        let rounds = Arc::new(AtomicUsize::new(0));
        for (function, cost) in [(ROUNDS, None), (PATTERNS, Some(PATTERN))] {
            let rounds = rounds.clone();
            let counted = move |value: cel::Value| counted(&rounds, value, cost);
            context.add_function(function, counted).map_err(|_| "it cannot be counted".to_owned())?;
        }
        for name in &self.names {
            let value = match name.as_str() {
                "call" => map_of(view.scope.facts()),
                "now" => now(view),
                CALENDARS => to_cel(view.scope.calendars()),
                name if view.scope.is_secret(name) => cel::Value::Null,
                name => view.scope.value(name).map_or(cel::Value::Null, to_cel),
            };
            context.add_variable_from_value(name.clone(), value);
        }
        let value = cel::Value::resolve(&self.program, &context);
        // An `all` goes on behind a failure, and may come to something all the same.
        if rounds.load(Ordering::Relaxed) > MOST_ROUNDS {
            return Err(too_long());
        }
        value.map(|value| from_cel(&value)).map_err(|error| self.failure(&error))
    }

    /// Does it hold? What is neither true nor false does not.
    pub fn holds(&self, view: View<'_>) -> Result<bool, String> {
        match self.value(view)? {
            Value::Boolean(truth) => Ok(truth),
            other => Err(format!("it came to a {}, neither true nor false", other.sort())),
        }
    }

    /// The evaluator's own words may hold values: only the sort of failure is told, and names that the author wrote.
    fn failure(&self, error: &ExecutionError) -> String {
        use ExecutionError as E;
        match error {
            E::NoSuchKey(key) if self.text.contains(key.as_str()) => format!("there is no `{key}`"),
            E::NoSuchKey(_) => "a map has no such entry".to_owned(),
            E::UndeclaredReference(name) => format!("there is no `{name}`"),
            E::DivisionByZero(_) | E::RemainderByZero(_) => "it divides by zero".to_owned(),
            E::Overflow(..) => "a number became too large".to_owned(),
            E::IndexOutOfBounds(_) => "the list is shorter than that".to_owned(),
            E::ValuesNotComparable(left, right) => {
                format!("a {} cannot be compared with a {}", left.type_of(), right.type_of())
            }
            _ => "its values do not fit together".to_owned(),
        }
    }
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Condition").field(&self.text).finish()
    }
}

/// Has every list counted before it is gone through, and every text before it is held against a pattern.
fn count(expression: &mut IdedExpr) {
    match &mut expression.expr {
        Expr::Call(call) => {
            call.target.iter_mut().for_each(|target| count(target));
            call.args.iter_mut().for_each(count);
            if call.func_name == "matches" {
                let text = call.target.as_deref_mut().or(call.args.first_mut());
                text.into_iter().for_each(|text| wrap(text, PATTERNS));
            }
        }
        Expr::Comprehension(inner) => {
            for part in [&mut inner.accu_init, &mut inner.loop_cond, &mut inner.loop_step, &mut inner.result] {
                count(part);
            }
            count(&mut inner.iter_range);
            wrap(&mut inner.iter_range, ROUNDS);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(count),
        Expr::Map(map) => map.entries.iter_mut().for_each(|entry| count_entry(&mut entry.expr)),
        Expr::Struct(made) => made.entries.iter_mut().for_each(|entry| count_entry(&mut entry.expr)),
        Expr::Select(select) => count(&mut select.operand),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
}

fn count_entry(entry: &mut EntryExpr) {
    match entry {
        EntryExpr::StructField(field) => count(&mut field.value),
        EntryExpr::MapEntry(entry) => {
            count(&mut entry.key);
            count(&mut entry.value);
        }
    }
}

fn wrap(expression: &mut IdedExpr, function: &str) {
    let id = expression.id;
    let inner = std::mem::take(expression);
    *expression =
        IdedExpr { id, expr: Expr::Call(CallExpr { func_name: function.into(), target: None, args: vec![inner] }) };
}

/// Lets a value through while there is patience for it.
fn counted(rounds: &AtomicUsize, value: cel::Value, cost: Option<usize>) -> Result<cel::Value, ExecutionError> {
    let cost = cost.unwrap_or(match &value {
        cel::Value::List(items) => items.len(),
        cel::Value::Map(entries) => entries.map.len(),
        _ => 1,
    });
    if rounds.fetch_add(cost, Ordering::Relaxed) + cost > MOST_ROUNDS {
        return Err(ExecutionError::function_error(ROUNDS, too_long()));
    }
    Ok(value)
}

fn too_long() -> String {
    format!("its lists in lists have more than {MOST_ROUNDS} items to look at")
}

fn now(view: View<'_>) -> cel::Value {
    let facts = view.clock();
    map_of(facts.iter().map(|(name, value)| (*name, value)))
}

#[expect(clippy::disallowed_types, reason = "the evaluator's maps are of this kind")]
fn map_of<'a>(entries: impl Iterator<Item = (&'a str, &'a Value)>) -> cel::Value {
    let map: std::collections::HashMap<Key, cel::Value> =
        entries.map(|(name, value)| (Key::from(readable(name)), to_cel(value))).collect();
    cel::Value::Map(Map { map: map.into() })
}

fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Nothing => cel::Value::Null,
        Value::Boolean(truth) => (*truth).into(),
        Value::Integer(number) => (*number).into(),
        Value::Number(number) => (*number).into(),
        Value::Amount(amount) => {
            let unit = 10_f64.powi(i32::try_from(amount.currency.decimals()).unwrap_or(2));
            (amount.minor as f64 / unit).into()
        }
        Value::List(items) => items.iter().map(to_cel).collect::<Vec<_>>().into(),
        Value::Map(entries) => map_of(entries.iter().map(|(name, value)| (name.as_str(), value))),
        other => other.plain().into(),
    }
}

fn from_cel(value: &cel::Value) -> Value {
    match value {
        cel::Value::Bool(truth) => Value::Boolean(*truth),
        cel::Value::Int(number) => Value::Integer(*number),
        cel::Value::UInt(number) => i64::try_from(*number).map_or(Value::Number(*number as f64), Value::Integer),
        cel::Value::Float(number) => Value::Number(*number),
        cel::Value::String(text) => Value::Text(text.to_string()),
        cel::Value::List(items) => Value::List(items.iter().map(from_cel).collect()),
        cel::Value::Map(map) => {
            let entries = map.map.iter().map(|(key, value)| (key.to_string(), from_cel(value)));
            Value::Map(entries.collect())
        }
        _ => Value::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::scope::Scope;
    use crate::language::Language;
    use crate::value::{Amount, Currency};

    fn value(text: &str) -> Result<Value, String> {
        let mut scope = Scope::default();
        scope.set_fact("language", Value::text("zh-CN"));
        scope.keep("due", Value::Amount(Amount { minor: 12_050, currency: Currency::USD }));
        scope.keep("since", Value::Date(jiff::civil::date(2026, 3, 6)));
        scope.keep("tier", Value::text("gold"));
        scope.keep("order", Value::from_json(&serde_json::json!({"total": 3, "lines": [{"sku": "a"}]})));
        let now = jiff::civil::datetime(2026, 3, 2, 17, 5, 0, 0);
        Condition::parse(text)?.value(View { scope: &scope, language: &Language::english(), now })
    }

    #[test]
    fn conditions_read_what_the_call_knows() {
        for text in [
            "due > 100 && due < 120.6",
            "due == 120.5",
            "since < '2026-04-01'",
            "call.language == 'zh-CN'",
            "tier in ['gold', 'silver']",
            "order.lines[0].sku == 'a' && order.total == 3",
            "stranger == null",
            "now.hour >= 17 && now.weekday == 'mon' && now.time >= '17:00'",
            "tier.startsWith('go') && size(order.lines) == 1",
        ] {
            assert_eq!(value(text), Ok(Value::Boolean(true)), "{text}");
        }
        assert_eq!(value("order.total * 2"), Ok(Value::Integer(6)));
        assert_eq!(value("due * 0.5"), Ok(Value::Number(60.25)));
    }

    #[test]
    fn whole_and_other_numbers_mix() {
        for (text, expected) in [
            ("due * 2", Value::Number(241.0)),
            ("2 * due - 1", Value::Number(240.0)),
            ("due / 100", Value::Number(1.205)),
            ("order.total * 1.5 + 1", Value::Number(5.5)),
            ("order.total / 2", Value::Integer(1)),
            ("7 % 4", Value::Integer(3)),
            ("size([1, 2, 3].map(x, x * due)) + 1", Value::Integer(4)),
            ("[1, 2].map(x, x * 1.5)", Value::List(vec![Value::Number(1.5), Value::Number(3.0)])),
            ("order.lines[order.total - 3].sku + '!'", Value::text("a!")),
            ("[1] + [2]", Value::List(vec![Value::Integer(1), Value::Integer(2)])),
            ("due >= 50 && due * 2 > order.total", Value::Boolean(true)),
            ("[1, 2, 3].exists(x, x * due > 300)", Value::Boolean(true)),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
        for text in ["due / 0", "due / (order.total - 3)", "due + tier", "due % 2"] {
            assert!(value(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_condition_names_what_it_reads_and_not_what_it_goes_through() {
        let names = |text: &str| Condition::parse(text).unwrap().names().iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(names("order.lines.map(x, x.sku + tier)[0] == due"), "due order tier");
        assert_eq!(names("has(call.caller) && stranger == null"), "call stranger");
        assert_eq!(names("x.all(x, x > 1)"), "x");
    }

    #[test]
    fn what_stands_beside_each_other_is_not_deep() {
        for text in [
            vec!["due - 1 > 0"; 60].join(" && "),
            vec!["!(due == 1)"; 60].join(" && "),
            vec!["due == -1.0"; 60].join(" || "),
            format!("tier == '{}'", "(-!?".repeat(60)),
            vec!["(due > 1 ? 1 : 2)"; 60].join(" + "),
        ] {
            assert!(value(&text).is_ok(), "{text}: {:?}", value(&text));
        }
        for text in ["-(".repeat(41), "!".repeat(41) + "true", "- ".repeat(41) + "1", "true ? 1 : ".repeat(41) + "1"] {
            assert!(Condition::parse(&text).unwrap_err().contains("nested deeper"), "{text}");
        }
        // In the longest text that there can be.
        let _ = value(&(vec!["1"; 1_000].join("+")));
        let _ = value(&format!("{}1", "a=='(' && ".repeat(199)));
    }

    #[test]
    fn what_cannot_be_read_or_fails_is_a_sentence_without_a_value_in_it() {
        for text in ["due >", "", "&&", "a b", "'open"] {
            assert!(Condition::parse(text).is_err(), "{text}");
        }
        assert!(Condition::parse(&"(".repeat(500)).unwrap_err().contains("nested deeper"));
        assert!(Condition::parse(&"a+".repeat(5_000)).unwrap_err().contains("longer than"));
        for text in
            ["tier / 2", "order.nothing == 1", "1 / 0", "order.lines[9] == 1", "tier > 3", "9223372036854775807 + 1"]
        {
            let why = value(text).unwrap_err();
            assert!(!why.contains("gold"), "{text}: {why}");
        }
        assert_eq!(value("order[tier] == 1").unwrap_err(), "a map has no such entry");
        assert_eq!(value("order.nothing == 1").unwrap_err(), "there is no `nothing`");
    }

    #[test]
    fn lists_in_lists_in_lists_are_not_gone_through_for_ever() {
        let list = format!("[{}]", vec!["1"; 100].join(","));
        for inner in ["true", "'aaaa'.matches('a{1,9}')", "[1].all(e, e == 1)"] {
            let bomb = ["a", "b", "c", "d"]
                .iter()
                .rev()
                .fold(inner.to_owned(), |inner, name| format!("{list}.all({name}, {inner})"));
            assert_eq!(value(&bomb).unwrap_err(), too_long(), "{inner}");
        }
        let bomb = format!("{list}.map(a, {list}.map(b, {list}.filter(c, c > b)))");
        assert_eq!(value(&bomb).unwrap_err(), too_long());
        // What fails within an `exists` may be passed over, but not that.
        let bomb = format!("{list}.exists(a, {list}.all(b, {list}.all(c, c == 1)) && a == 100)");
        assert_eq!(value(&bomb).unwrap_err(), too_long());
    }

    #[test]
    fn lists_are_gone_through_as_before() {
        for (text, expected) in [
            ("order.lines.exists(line, line.sku == 'a')", Value::Boolean(true)),
            ("order.lines.all(line, line.sku.matches('^[a-z]$'))", Value::Boolean(true)),
            ("[1, 2, 3].filter(n, n > 1)", Value::List(vec![Value::Integer(2), Value::Integer(3)])),
            ("size([1, 2, 3].map(n, [n].map(m, m * 2)))", Value::Integer(3)),
            ("order.all(key, key.matches('^[a-z]+$'))", Value::Boolean(true)),
            ("tier.matches('gold') && {'a': [1].all(x, x == 1)}.a", Value::Boolean(true)),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }
}
