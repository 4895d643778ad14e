//! What tags do with values.

use super::run::Ran;
use super::script::Operator;
use crate::value::Value;

/// Most values one value may hold, and how deep: a tag that doubles its own result is stopped here.
const MAX_PARTS: usize = 2_000;
const MAX_LEVELS: usize = 32;
/// Longest text, in bytes.
const MAX_TEXT: usize = 65_536;
/// Above this, floating-point numbers cannot count by one (2^53).
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// A number as the value it is: whole where it can be, nothing where it is none.
pub fn number(number: f64) -> Value {
    match number {
        _ if number.fract() == 0.0 && number.abs() < MAX_WHOLE => Value::Integer(number as i64),
        _ if number.is_finite() => Value::Number(number),
        _ => Value::Nothing,
    }
}

/// What `meta` tells about a rule.
pub(super) fn said(text: &str) -> Value {
    Value::Map([("text".to_owned(), Value::text(text))].into())
}

pub(super) fn is_true(value: &Value) -> bool {
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

pub(super) fn as_number(value: &Value) -> Ran<f64> {
    to_number(value).ok_or_else(|| format!("{} is no number", shown(value)))
}

pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Nothing => "nothing".to_owned(),
        Value::Text(text) => format!("\"{}\"", text.chars().take(40).collect::<String>()),
        Value::Map(_) | Value::List(_) => format!("a {}", value.sort()),
        other => other.plain(),
    }
}

pub(super) fn member(of: &Value, name: &Value) -> Value {
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

pub(super) fn call(name: &str, given: &Value) -> Ran<Value> {
    match name {
        "String" => Ok(Value::Text(given.plain())),
        "Boolean" => Ok(Value::Boolean(is_true(given))),
        "isNaN" => Ok(Value::Boolean(to_number(given).is_none())),
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

/// `Math.name(…)`.
pub(super) fn math(name: &str, given: &[Value]) -> Ran<Value> {
    let given = given.iter().map(as_number).collect::<Ran<Vec<f64>>>()?;
    let one = || given.first().copied().ok_or_else(|| format!("`Math.{name}()` wants a number"));
    Ok(number(match name {
        "floor" => one()?.floor(),
        "ceil" => one()?.ceil(),
        // Halves go up, below zero too (ECMA-327 §15.8.2.15).
        "round" => (one()? + 0.5).floor(),
        "abs" => one()?.abs(),
        "sqrt" => one()?.sqrt(),
        "pow" => one()?.powf(given.get(1).copied().unwrap_or(f64::NAN)),
        "min" => given.iter().copied().fold(f64::INFINITY, f64::min),
        "max" => given.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        other => return Err(format!("`Math.{other}()` is not known here")),
    }))
}

/// What `typeof` calls it.
pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nothing => "undefined",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::Map(_) | Value::List(_) => "object",
        _ => "string",
    }
}

/// `text.name(…)`.
pub(super) fn of_text(text: &str, name: &str, given: &[Value]) -> Ran<Value> {
    let first = given.first().map(Value::plain);
    let letter = |at: usize| given.get(at).map(as_number).transpose();
    let natural = |at: usize| letter(at).map(|at| at.map(|at| at.max(0.0) as usize));
    let place = |found: Option<usize>| found.map_or(Value::Integer(-1), |at| number(text[..at].chars().count() as f64));
    Ok(match name {
        "toString" => Value::Text(text.to_owned()),
        "toUpperCase" => Value::Text(text.to_uppercase()),
        "toLowerCase" => Value::Text(text.to_lowercase()),
        "concat" => Value::Text(given.iter().fold(text.to_owned(), |text, more| text + &more.plain())),
        "substring" => {
            let (start, end) = (natural(0)?.unwrap_or(0), natural(1)?.unwrap_or(usize::MAX));
            let (start, end) = (start.min(end), start.max(end));
            Value::Text(text.chars().skip(start).take(end - start).collect())
        }
        "slice" => {
            let letters: Vec<char> = text.chars().collect();
            let span = sliced(letters.len(), letter(0)?, letter(1)?);
            Value::Text(letters[span].iter().collect())
        }
        "charAt" => Value::Text(text.chars().skip(natural(0)?.unwrap_or(0)).take(1).collect()),
        "charCodeAt" => {
            let found = text.encode_utf16().nth(natural(0)?.unwrap_or(0));
            found.map_or(Value::Nothing, |code| Value::Integer(i64::from(code)))
        }
        "indexOf" => place(first.and_then(|part| text.find(&part))),
        "lastIndexOf" => place(first.and_then(|part| text.rfind(&part))),
        "split" => match first {
            None => Value::List(vec![Value::text(text)]),
            Some(by) if by.is_empty() => {
                Value::List(text.chars().map(|letter| Value::Text(letter.to_string())).collect())
            }
            Some(by) => Value::List(text.split(by.as_str()).map(Value::text).collect()),
        },
        "replace" => {
            let by = given.get(1).map(Value::plain).unwrap_or_default();
            Value::Text(text.replacen(first.as_deref().unwrap_or("undefined"), &by, 1))
        }
        "toFixed" => {
            let value = as_number(&Value::text(text))?;
            Value::Text(format!("{value:.*}", natural(0)?.unwrap_or(0).min(20)))
        }
        other => return Err(format!("`{other}()` is not known here")),
    })
}

/// `items.name(…)` where it changes nothing.
pub(super) fn of_list(items: &[Value], name: &str, given: &[Value]) -> Ran<Value> {
    let letter = |at: usize| given.get(at).map(as_number).transpose();
    Ok(match name {
        "join" => {
            let between = given.first().map_or_else(|| ",".to_owned(), Value::plain);
            Value::Text(items.iter().map(Value::plain).collect::<Vec<_>>().join(&between))
        }
        "slice" => Value::List(items[sliced(items.len(), letter(0)?, letter(1)?)].to_vec()),
        "concat" => {
            let more = given.iter().flat_map(|one| match one {
                Value::List(items) => items.clone(),
                other => vec![other.clone()],
            });
            Value::List(items.iter().cloned().chain(more).collect())
        }
        "toString" => Value::Text(items.iter().map(Value::plain).collect::<Vec<_>>().join(",")),
        other => return Err(format!("a list has no `{other}()`")),
    })
}

/// `items.name(…)` where it changes the list: what comes of it.
pub(super) fn change_list(items: &mut Vec<Value>, name: &str, given: Vec<Value>) -> Ran<Value> {
    Ok(match name {
        "push" => {
            items.extend(given);
            number(items.len() as f64)
        }
        "unshift" => {
            items.splice(0..0, given);
            number(items.len() as f64)
        }
        "pop" => items.pop().unwrap_or_default(),
        "shift" if items.is_empty() => Value::Nothing,
        "shift" => items.remove(0),
        "reverse" => {
            items.reverse();
            Value::List(items.clone())
        }
        "sort" => {
            items.sort_by_key(Value::plain);
            Value::List(items.clone())
        }
        other => return Err(format!("a list has no `{other}()`")),
    })
}

/// From and to; below zero from the end.
fn sliced(length: usize, from: Option<f64>, to: Option<f64>) -> std::ops::Range<usize> {
    let place = |at: f64| if at < 0.0 { (length as f64 + at).max(0.0) as usize } else { (at as usize).min(length) };
    let (from, to) = (from.map_or(0, place), to.map_or(length, place));
    from..to.max(from)
}

pub(super) fn binary(operator: Operator, left: &Value, right: &Value) -> Ran<Value> {
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
pub(super) fn bounded(value: Value) -> Ran<Value> {
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
