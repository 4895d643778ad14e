//! Runs a tag.
//!
//! Values are those of [`Value`], so that what a built-in heard (an amount, a date) passes through tags as what it is.
//! Two things differ from ECMAScript, both for the caller's sake: a part of what was not said is nothing instead of a
//! failure, and nothing joins a text as no words instead of "undefined".

use std::collections::BTreeMap;

use crate::value::Value;

use super::script::{Expr, Operator, Script, Statement};

/// Most values one value may hold, and how deep: a tag that doubles its own result is stopped here.
const MAX_PARTS: usize = 2_000;
const MAX_LEVELS: usize = 32;
/// Longest text, in bytes.
const MAX_TEXT: usize = 65_536;
/// Above this, floating-point numbers cannot count by one (2^53).
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// What the tags of one rule know while it is interpreted.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The value of the rule so far.
    pub out: Value,
    /// Variables of its tags.
    pub variables: BTreeMap<String, Value>,
    /// Values of the rules it went through, by name.
    pub rules: BTreeMap<String, Value>,
    /// What was said for them, by name.
    pub texts: BTreeMap<String, String>,
    /// The rule it went through last.
    pub latest: Option<String>,
    /// What was said for the rule itself.
    pub text: String,
}

type Ran<T> = Result<T, String>;

impl Scope {
    /// At the beginning of a rule for which `text` was said.
    pub fn new(text: String) -> Self {
        Self { out: Value::Map(BTreeMap::new()), text, ..Self::default() }
    }

    /// Runs a tag with the variables of its file; the error is a sentence.
    pub fn run(&mut self, script: &Script, globals: &BTreeMap<String, Value>) -> Ran<()> {
        Runner { scope: self, globals }.statements(&script.0)
    }
}

struct Runner<'a> {
    scope: &'a mut Scope,
    globals: &'a BTreeMap<String, Value>,
}

impl Runner<'_> {
    fn statements(&mut self, statements: &[Statement]) -> Ran<()> {
        for statement in statements {
            match statement {
                Statement::Declare(name, value) => {
                    let value = value.as_ref().map_or(Ok(Value::Nothing), |value| self.value(value))?;
                    self.set_name(name, value)?;
                }
                Statement::Evaluate(expr) => _ = self.value(expr)?,
                Statement::If(condition, then, other) => {
                    let branch = if is_true(&self.value(condition)?) { then } else { other };
                    self.statements(branch)?;
                }
            }
        }
        Ok(())
    }

    fn value(&mut self, expr: &Expr) -> Ran<Value> {
        match expr {
            Expr::Constant(value) => Ok(value.clone()),
            Expr::Name(name) => self.named(name),
            Expr::Member(of, name) => {
                let of = self.value(of)?;
                let name = self.value(name)?;
                Ok(member(&of, &name))
            }
            Expr::Call(name, given) => {
                let given = self.values(given)?;
                call(name, given.first().unwrap_or(&Value::Nothing))
            }
            Expr::Method(of, name, given) => self.method(of, name, given),
            Expr::Object(entries) => {
                let mut map = BTreeMap::new();
                for (name, value) in entries {
                    map.insert(name.clone(), self.value(value)?);
                }
                bounded(Value::Map(map))
            }
            Expr::List(items) => bounded(Value::List(self.values(items)?)),
            Expr::Not(one) => Ok(Value::Boolean(!is_true(&self.value(one)?))),
            Expr::Negative(one) => Ok(number(-as_number(&self.value(one)?)?)),
            Expr::Binary(Operator::And, left, right) => {
                let left = self.value(left)?;
                if is_true(&left) { self.value(right) } else { Ok(left) }
            }
            Expr::Binary(Operator::Or, left, right) => {
                let left = self.value(left)?;
                if is_true(&left) { Ok(left) } else { self.value(right) }
            }
            Expr::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                binary(*operator, &left, &right)
            }
            Expr::Choice(condition, then, other) => {
                if is_true(&self.value(condition)?) {
                    self.value(then)
                } else {
                    self.value(other)
                }
            }
            Expr::Assign(target, operator, value) => {
                let mut value = self.value(value)?;
                if let Some(operator) = operator {
                    value = binary(*operator, &self.value(target)?, &value)?;
                }
                self.set(target, value.clone())?;
                Ok(value)
            }
        }
    }

    fn values(&mut self, exprs: &[Expr]) -> Ran<Vec<Value>> {
        exprs.iter().map(|expr| self.value(expr)).collect()
    }

    fn named(&self, name: &str) -> Ran<Value> {
        let scope = &self.scope;
        Ok(match name {
            "out" => scope.out.clone(),
            "rules" => Value::Map(scope.rules.clone()),
            "meta" => Value::Map(scope.texts.iter().map(|(name, text)| (name.clone(), said(text))).collect()),
            _ => match scope.variables.get(name).or_else(|| self.globals.get(name)) {
                Some(value) => value.clone(),
                None => return Err(format!("`{name}` has not been set yet")),
            },
        })
    }

    fn method(&mut self, of: &Expr, name: &str, given: &[Expr]) -> Ran<Value> {
        let given = self.values(given)?;
        match (of, name) {
            (Expr::Name(scope), "latest") if scope == "rules" => {
                let latest = self.scope.latest.as_ref().and_then(|name| self.scope.rules.get(name));
                return Ok(latest.cloned().unwrap_or_default());
            }
            (Expr::Name(scope), "latest") if scope == "meta" => {
                let latest = self.scope.latest.as_ref().and_then(|name| self.scope.texts.get(name));
                return Ok(said(latest.map_or("", String::as_str)));
            }
            (Expr::Name(scope), "current") if scope == "meta" => return Ok(said(&self.scope.text)),
            (_, "latest" | "current") => return Err(format!("`{name}()` is a part of `rules` or `meta` only")),
            (_, "push") => {
                let Value::List(mut items) = self.value(of)? else { return Err("only a list has `push()`".into()) };
                items.extend(given);
                let length = items.len();
                self.set(of, Value::List(items))?;
                return Ok(number(length as f64));
            }
            _ => {}
        }
        let of = self.value(of)?;
        let first = given.first().map(Value::plain);
        let text = of.plain();
        let letter = |at: usize| given.get(at).map(as_number).transpose().map(|at| at.map(|at| at.max(0.0) as usize));
        Ok(match name {
            "toString" => Value::Text(text),
            "toUpperCase" => Value::Text(text.to_uppercase()),
            "toLowerCase" => Value::Text(text.to_lowercase()),
            "concat" => return bounded(Value::Text(given.iter().fold(text, |text, more| text + &more.plain()))),
            "substring" => {
                let (start, end) = (letter(0)?.unwrap_or(0), letter(1)?.unwrap_or(usize::MAX));
                let (start, end) = (start.min(end), start.max(end));
                Value::Text(text.chars().skip(start).take(end - start).collect())
            }
            "charAt" => Value::Text(text.chars().skip(letter(0)?.unwrap_or(0)).take(1).collect()),
            "indexOf" => {
                let found = first.and_then(|part| text.find(&part)).map(|at| text[..at].chars().count());
                found.map_or(Value::Integer(-1), |at| number(at as f64))
            }
            "join" => {
                let Value::List(items) = of else { return Err("only a list has `join()`".into()) };
                let between = first.unwrap_or_else(|| ",".to_owned());
                return bounded(Value::Text(items.iter().map(Value::plain).collect::<Vec<_>>().join(&between)));
            }
            other => return Err(format!("`{other}()` is not known here")),
        })
    }

    fn set_name(&mut self, name: &str, value: Value) -> Ran<()> {
        let value = bounded(value)?;
        if name == "out" {
            self.scope.out = value;
        } else {
            self.scope.variables.insert(name.to_owned(), value);
        }
        Ok(())
    }

    fn set(&mut self, target: &Expr, value: Value) -> Ran<()> {
        match target {
            Expr::Name(name) => self.set_name(name, value),
            Expr::Member(of, name) => {
                let name = self.value(name)?;
                let mut outer = self.value(of)?;
                match &mut outer {
                    Value::Map(entries) => _ = entries.insert(name.plain(), value),
                    Value::Nothing => outer = Value::Map([(name.plain(), value)].into()),
                    Value::List(items) => {
                        let at = as_number(&name)?;
                        let slot = (at >= 0.0 && at.fract() == 0.0).then(|| items.get_mut(at as usize)).flatten();
                        *slot.ok_or_else(|| format!("the list has no place {at}"))? = value;
                    }
                    other => return Err(format!("a {} has no part `{}` to set", other.sort(), name.plain())),
                }
                self.set(of, outer)
            }
            _ => Err("only `out`, its parts and variables can be set".into()),
        }
    }
}

/// A number as the value it is: whole where it can be, nothing where it is none.
pub fn number(number: f64) -> Value {
    match number {
        _ if number.fract() == 0.0 && number.abs() < MAX_WHOLE => Value::Integer(number as i64),
        _ if number.is_finite() => Value::Number(number),
        _ => Value::Nothing,
    }
}

/// What `meta` tells about a rule.
fn said(text: &str) -> Value {
    Value::Map([("text".to_owned(), Value::text(text))].into())
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Nothing => false,
        Value::Boolean(truth) => *truth,
        Value::Integer(number) => *number != 0,
        Value::Number(number) => *number != 0.0,
        Value::Text(text) | Value::Digits(text) | Value::Phone(text) => !text.is_empty(),
        _ => true,
    }
}

fn to_number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        Value::Boolean(truth) => Some(f64::from(u8::from(*truth))),
        Value::Amount(amount) => amount.plain().parse().ok(),
        Value::Text(text) | Value::Digits(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

fn as_number(value: &Value) -> Ran<f64> {
    to_number(value).ok_or_else(|| format!("{} is no number", shown(value)))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Nothing => "nothing".to_owned(),
        Value::Text(text) => format!("\"{}\"", text.chars().take(40).collect::<String>()),
        Value::Map(_) | Value::List(_) => format!("a {}", value.sort()),
        other => other.plain(),
    }
}

fn member(of: &Value, name: &Value) -> Value {
    match of {
        Value::Map(entries) => entries.get(&name.plain()).cloned().unwrap_or_default(),
        Value::List(items) => match (name, to_number(name)) {
            (Value::Text(text), _) if text == "length" => number(items.len() as f64),
            (_, Some(at)) if at >= 0.0 && at.fract() == 0.0 => items.get(at as usize).cloned().unwrap_or_default(),
            _ => Value::Nothing,
        },
        Value::Text(text) | Value::Digits(text) | Value::Phone(text) if name.plain() == "length" => {
            number(text.chars().count() as f64)
        }
        _ => Value::Nothing,
    }
}

fn call(name: &str, given: &Value) -> Ran<Value> {
    match name {
        "String" => Ok(Value::Text(given.plain())),
        "Number" => Ok(number(as_number(given)?)),
        _ => {
            // `parseInt` and `parseFloat` read as far as there is a number.
            let text = given.plain();
            let text = text.trim();
            let whole = name == "parseInt";
            let end = text.char_indices().find(|(at, c)| {
                !(c.is_ascii_digit() || (*c == '-' && *at == 0) || (*c == '.' && !whole && !text[..*at].contains('.')))
            });
            let head = &text[..end.map_or(text.len(), |(at, _)| at)];
            head.parse().map(number).map_err(|_| format!("{} is no number", shown(given)))
        }
    }
}

fn binary(operator: Operator, left: &Value, right: &Value) -> Ran<Value> {
    use std::cmp::Ordering;
    let ordered = |right_order: fn(Ordering) -> bool| {
        let order = match (to_number(left), to_number(right)) {
            (Some(left), Some(right)) => left.partial_cmp(&right),
            _ => Some(left.plain().cmp(&right.plain())),
        };
        Ok(Value::Boolean(order.is_some_and(right_order)))
    };
    let arithmetic = |result: fn(f64, f64) -> f64| Ok(number(result(as_number(left)?, as_number(right)?)));
    match operator {
        Operator::Plus => {
            let counts = |value: &Value| matches!(value, Value::Integer(_) | Value::Number(_) | Value::Boolean(_));
            if counts(left) && counts(right) {
                return arithmetic(|left, right| left + right);
            }
            bounded(Value::Text(left.plain() + &right.plain()))
        }
        Operator::Minus => arithmetic(|left, right| left - right),
        Operator::Times => arithmetic(|left, right| left * right),
        Operator::Over => arithmetic(|left, right| left / right),
        Operator::Rest => arithmetic(|left, right| left % right),
        Operator::Less => ordered(Ordering::is_lt),
        Operator::More => ordered(Ordering::is_gt),
        Operator::AtMost => ordered(Ordering::is_le),
        Operator::AtLeast => ordered(Ordering::is_ge),
        Operator::Equal => Ok(Value::Boolean(loosely_equal(left, right))),
        Operator::Unequal => Ok(Value::Boolean(!loosely_equal(left, right))),
        Operator::Same => Ok(Value::Boolean(left == right)),
        Operator::Different => Ok(Value::Boolean(left != right)),
        Operator::And | Operator::Or => Ok(Value::Boolean(is_true(left) && is_true(right))),
    }
}

fn loosely_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Map(_) | Value::List(_) | Value::Nothing, _) | (_, Value::Map(_) | Value::List(_) | Value::Nothing) => {
            left == right
        }
        _ => match (to_number(left), to_number(right)) {
            (Some(left), Some(right)) => left == right,
            _ => left.plain() == right.plain(),
        },
    }
}

/// The value, unless it has grown too large.
fn bounded(value: Value) -> Ran<Value> {
    fn parts(value: &Value, level: usize, left: &mut usize) -> bool {
        if level > MAX_LEVELS || *left == 0 {
            return false;
        }
        *left -= 1;
        match value {
            Value::Text(text) => text.len() <= MAX_TEXT,
            Value::List(items) => items.iter().all(|item| parts(item, level + 1, left)),
            Value::Map(entries) => entries.values().all(|item| parts(item, level + 1, left)),
            _ => true,
        }
    }
    let mut left = MAX_PARTS;
    if parts(&value, 0, &mut left) { Ok(value) } else { Err("the result of a tag has grown too large".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(text: &str) -> Result<String, String> {
        let mut scope = Scope::new("two pizzas".into());
        scope.rules.insert("count".into(), Value::Integer(2));
        scope.rules.insert("size".into(), Value::text("large"));
        scope.texts.insert("count".into(), "two".into());
        scope.latest = Some("count".into());
        let globals = [("shop".to_owned(), Value::text("Roma"))].into();
        scope.run(&Script::parse(text)?, &globals)?;
        Ok(scope.out.to_json().to_string())
    }

    #[test]
    fn tags_compute_what_ecmascript_would() {
        for (text, result) in [
            ("out = 'a' + \"b\"", r#""ab""#),
            ("out = 1 + 2 * 3 - 4 / 8", "6.5"),
            ("out = 7 % 4", "3"),
            ("out = -rules.count + 5", "3"),
            ("out = rules.size + rules.count", r#""large2""#),
            ("out = rules.latest()", "2"),
            ("out.n = rules.latest(); out.s = rules.size", r#"{"n":2,"s":"large"}"#),
            ("out = {n: rules.count, 'with': [1, true, null]}", r#"{"n":2,"with":[1,true,null]}"#),
            ("out = rules.count > 1 ? 'many' : 'one'", r#""many""#),
            ("out = rules.count == '2' && rules.count !== '2'", "true"),
            ("out = !rules.absent || 0", "true"),
            ("out = rules.absent.deep", "null"),
            ("out = 'x' + rules.absent", r#""x""#),
            ("out = meta.current().text + '/' + meta.count.text + '/' + meta.latest().text", r#""two pizzas/two/two""#),
            ("var a = 1, b; b = a; b += 2; out = b", "3"),
            ("if (rules.count < 2) { out = 'a' } else if (rules.count == 2) out = 'b'; else out = 'c'", r#""b""#),
            ("out = 'a'; // note\n/* more */ out += 'b'", r#""ab""#),
            ("out.a = 1\nout.b = 2", r#"{"a":1,"b":2}"#),
            ("out.a = {}; out.a.b = {}; out.a.b.c = 1", r#"{"a":{"b":{"c":1}}}"#),
            ("out.deep.er = 1", r#"{"deep":{"er":1}}"#),
            ("out['two words'] = 1", r#"{"two words":1}"#),
            ("out = [1]; out.push(2); out.push(3); out = out.join('-') + out.length", r#""1-2-33""#),
            ("out = shop.toUpperCase() + shop.length + shop.charAt(1) + shop.substring(2)", r#""ROMA4oma""#),
            ("out = shop.indexOf('m') + shop.indexOf('z')", "1"),
            ("out = Number('12') + parseInt('3 apples') + parseFloat('.5x')", "15.5"),
            ("out = String(5) + 5", r#""55""#),
            ("var n = 1; n++; out = n", "2"),
            ("out = '\\u4f60\\'\\n'", "\"你'\\n\""),
            ("out = 'b' > 'a'", "true"),
            ("out = 10 > '9'", "true"),
        ] {
            assert_eq!(ran(text).as_deref(), Ok(result), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_computed_is_said() {
        for (text, fault) in [
            ("out = 'x' * 2", "\"x\" is no number"),
            ("out = unset", "`unset` has not been set yet"),
            ("out = 'x'; out.y = 1", "a text has no part `y` to set"),
            ("out = 1; out.push(2)", "only a list has `push()`"),
            ("out = out.latest()", "is a part of `rules` or `meta` only"),
        ] {
            let error = ran(text).unwrap_err();
            assert!(error.contains(fault), "{text}: {error}");
        }
    }

    #[test]
    fn a_tag_that_doubles_its_result_is_stopped() {
        let texts = format!("out = 'xxxxxxxxxxxxxxxx'; {}", "out = out + out; ".repeat(40));
        let maps = format!("out = 1; {}", "out = {a: out, b: out}; ".repeat(40));
        let deep = format!("out = 1; {}", "out = [out]; ".repeat(40));
        for bomb in [texts, maps, deep] {
            assert!(ran(&bomb).unwrap_err().contains("too large"), "{bomb}");
        }
    }
}
