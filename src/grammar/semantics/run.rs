//! Runs a tag.
//!
//! Values are those of [`Value`], so that what a built-in heard (an amount, a date) passes through tags as what it is.
//! Three things differ from ECMAScript. Two for the caller's sake: a part of what was not said is nothing instead of a
//! failure, and nothing joins a text as no words instead of "undefined". And one for simplicity: whoever is given an
//! object has one of their own, so a function cannot change its caller's.
//!
//! Whatever a tag does is counted, so that loops and functions that never end are stopped.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::value::Value;

use super::script::{Expr, Function, Operator, Script, Statement, Turns};
use super::values::{
    as_number, binary, bounded, call, change_list, is_true, kind, math, member, of_list, of_text, said,
};

pub use super::values::number;

/// Steps of one tag: a statement, a turn of a loop, a call are one, and what is large counts more. People's tags take a
/// few dozen; this many take a quarter of a second without optimisation.
const MAX_STEPS: usize = 20_000;
/// A step more for so many bytes of text or parts of an object.
const LARGE: usize = 64;
/// Functions inside of one another.
const MAX_CALLS: usize = 30;
/// Statements and values inside of one another, calls included: it all stands on the stack.
const MAX_DEPTH: usize = 250;

/// What the tags of one rule know while it is interpreted.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The value of the rule so far.
    pub out: Value,
    /// Variables and functions of its tags.
    pub known: Globals,
    /// Values of the rules it went through, by name.
    pub rules: BTreeMap<String, Value>,
    /// What was said for them, by name.
    pub texts: BTreeMap<String, String>,
    /// The rule it went through last.
    pub latest: Option<String>,
    /// What was said for the rule itself.
    pub text: String,
}

/// What tags have named: those of a rule, or those in the head of a grammar, for all its rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Globals {
    /// Variables.
    pub variables: BTreeMap<String, Value>,
    /// Functions.
    pub functions: BTreeMap<String, Arc<Function>>,
}

/// What came of something, or a sentence about why nothing did.
pub(super) type Ran<T> = Result<T, String>;

/// How it goes on behind a statement.
enum Flow {
    On,
    Break,
    Continue,
    Return(Value),
}

impl Scope {
    /// At the beginning of a rule for which `text` was said.
    pub fn new(text: String) -> Self {
        Self { out: Value::Map(BTreeMap::new()), text, ..Self::default() }
    }

    /// Runs a tag with what the head of its grammar has named; the error is a sentence.
    pub fn run(&mut self, script: &Script, globals: &Globals) -> Ran<()> {
        for statement in &script.0 {
            if let Statement::Function(function) = statement {
                self.known.functions.insert(function.name.clone(), function.clone());
            }
        }
        let mut runner = Runner { scope: self, globals, locals: Vec::new(), steps: 0, depth: 0 };
        runner.statements(&script.0).map(|_| ())
    }
}

struct Runner<'a> {
    scope: &'a mut Scope,
    globals: &'a Globals,
    /// Variables of the functions that are under way, the innermost last.
    locals: Vec<BTreeMap<String, Value>>,
    steps: usize,
    depth: usize,
}

impl Runner<'_> {
    fn statements(&mut self, statements: &[Statement]) -> Ran<Flow> {
        for statement in statements {
            self.step(1)?;
            match self.deeper(|runner| runner.statement(statement))? {
                Flow::On => {}
                leaving => return Ok(leaving),
            }
        }
        Ok(Flow::On)
    }

    fn statement(&mut self, statement: &Statement) -> Ran<Flow> {
        match statement {
            Statement::Declare(name, value) => {
                let given = value.as_ref().map(|value| self.value(value)).transpose()?;
                match self.locals.last_mut() {
                    Some(locals) => _ = locals.insert(name.clone(), bounded(given.unwrap_or_default())?),
                    None => self.set_name(name, given.unwrap_or_default())?,
                }
            }
            Statement::Evaluate(expr) => _ = self.value(expr)?,
            Statement::If(condition, then, other) => {
                let branch = if is_true(&self.value(condition)?) { then } else { other };
                return self.statements(branch);
            }
            Statement::Loop(turns) => return self.turns(turns),
            Statement::Each(name, of, body) => return self.each(name, of, body),
            Statement::Choose(of, cases) => return self.choose(of, cases),
            Statement::Break => return Ok(Flow::Break),
            Statement::Continue => return Ok(Flow::Continue),
            Statement::Return(value) => {
                let value = value.as_ref().map_or(Ok(Value::Nothing), |value| self.value(value))?;
                return Ok(Flow::Return(value));
            }
            // Known since the tag began.
            Statement::Function(_) => {}
        }
        Ok(Flow::On)
    }

    fn turns(&mut self, turns: &Turns) -> Ran<Flow> {
        self.statements(&turns.first)?;
        let holds = |runner: &mut Self, condition: &Option<Expr>| {
            condition.as_ref().map_or(Ok(true), |condition| runner.value(condition).map(|value| is_true(&value)))
        };
        while holds(self, &turns.before)? {
            self.step(1)?;
            match self.statements(&turns.body)? {
                Flow::On | Flow::Continue => {}
                Flow::Break => break,
                leaving @ Flow::Return(_) => return Ok(leaving),
            }
            if let Some(step) = &turns.step {
                self.value(step)?;
            }
            if !holds(self, &turns.after)? {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn each(&mut self, name: &str, of: &Expr, body: &[Statement]) -> Ran<Flow> {
        let names: Vec<Value> = match self.value(of)? {
            Value::Map(entries) => entries.into_keys().map(Value::Text).collect(),
            Value::List(items) => (0..items.len()).map(|at| Value::Text(at.to_string())).collect(),
            _ => Vec::new(),
        };
        for one in names {
            match self.locals.last_mut() {
                Some(locals) => _ = locals.insert(name.to_owned(), one),
                None => self.set_name(name, one)?,
            }
            self.step(1)?;
            match self.statements(body)? {
                Flow::On | Flow::Continue => {}
                Flow::Break => break,
                leaving @ Flow::Return(_) => return Ok(leaving),
            }
        }
        Ok(Flow::On)
    }

    fn choose(&mut self, of: &Expr, cases: &[(Option<Expr>, Vec<Statement>)]) -> Ran<Flow> {
        let of = self.value(of)?;
        let mut from = None;
        for (place, (value, _)) in cases.iter().enumerate() {
            let Some(value) = value else { continue };
            let value = self.value(value)?;
            if is_true(&binary(Operator::Same, &of, &value)?) {
                from = Some(place);
                break;
            }
        }
        let from = from.or_else(|| cases.iter().position(|(value, _)| value.is_none()));
        for (_, body) in cases.iter().skip(from.unwrap_or(cases.len())) {
            match self.statements(body)? {
                Flow::On => {}
                Flow::Break => break,
                leaving => return Ok(leaving),
            }
        }
        Ok(Flow::On)
    }

    fn value(&mut self, expr: &Expr) -> Ran<Value> {
        self.deeper(|runner| runner.evaluated(expr))
    }

    fn evaluated(&mut self, expr: &Expr) -> Ran<Value> {
        match expr {
            Expr::Constant(value) => Ok(value.clone()),
            Expr::Name(name) => self.named(name),
            Expr::Member(of, name) => {
                let of = self.value(of)?;
                let name = self.value(name)?;
                Ok(member(&of, &name))
            }
            Expr::Call(name, given) => self.called(name, given),
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
            Expr::Kind(one) => {
                let value = match &**one {
                    Expr::Name(name) => self.named(name).unwrap_or_default(),
                    other => self.value(other)?,
                };
                Ok(Value::text(kind(&value)))
            }
            Expr::Step { target, by, first } => {
                let before = as_number(&self.value(target)?)?;
                let after = number(before + *by as f64);
                self.set(target, after.clone())?;
                Ok(if *first { after } else { number(before) })
            }
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

    fn named(&mut self, name: &str) -> Ran<Value> {
        let scope = &self.scope;
        let value = match name {
            "out" => scope.out.clone(),
            "rules" => Value::Map(scope.rules.clone()),
            "meta" => Value::Map(scope.texts.iter().map(|(name, text)| (name.clone(), said(text))).collect()),
            _ => {
                let local = self.locals.last().and_then(|locals| locals.get(name));
                let found = local.or_else(|| scope.known.variables.get(name));
                match found.or_else(|| self.globals.variables.get(name)) {
                    Some(value) => value.clone(),
                    None => return Err(format!("`{name}` has not been set yet")),
                }
            }
        };
        self.step(size(&value) / LARGE)?;
        Ok(value)
    }

    fn called(&mut self, name: &str, given: &[Expr]) -> Ran<Value> {
        let given = self.values(given)?;
        let own = self.scope.known.functions.get(name).or_else(|| self.globals.functions.get(name)).cloned();
        let Some(function) = own else {
            return match name.strip_prefix("Math.") {
                Some(name) => math(name, &given),
                None => call(name, given.first().unwrap_or(&Value::Nothing)),
            };
        };
        if self.locals.len() >= MAX_CALLS {
            return Err(format!("`{name}()` calls itself too often"));
        }
        let missing = std::iter::repeat(Value::Nothing);
        self.locals.push(function.parameters.iter().cloned().zip(given.into_iter().chain(missing)).collect());
        let ran = self.statements(&function.body);
        self.locals.pop();
        match ran? {
            Flow::Return(value) => bounded(value),
            _ => Ok(Value::Nothing),
        }
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
            (_, "push" | "pop" | "shift" | "unshift" | "reverse" | "sort") => {
                let Value::List(mut items) = self.value(of)? else {
                    return Err(format!("only a list has `{name}()`"));
                };
                let result = change_list(&mut items, name, given)?;
                // What was made up on the spot is nobody's afterwards.
                if matches!(of, Expr::Name(_) | Expr::Member(..)) {
                    self.set(of, Value::List(items))?;
                }
                return Ok(result);
            }
            _ => {}
        }
        match self.value(of)? {
            Value::List(items) => bounded(of_list(&items, name, &given)?),
            _ if name == "join" => Err("only a list has `join()`".into()),
            other => bounded(of_text(&other.plain(), name, &given)?),
        }
    }

    fn set_name(&mut self, name: &str, value: Value) -> Ran<()> {
        self.step(size(&value) / LARGE)?;
        let value = bounded(value)?;
        let local = self.locals.last_mut().and_then(|locals| locals.get_mut(name));
        match local {
            Some(local) => *local = value,
            None if name == "out" => self.scope.out = value,
            None => _ = self.scope.known.variables.insert(name.to_owned(), value),
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
                        let whole = at >= 0.0 && at.fract() == 0.0;
                        if whole && at as usize == items.len() {
                            items.push(value);
                        } else {
                            let slot = whole.then(|| items.get_mut(at as usize)).flatten();
                            *slot.ok_or_else(|| format!("the list has no place {at}"))? = value;
                        }
                    }
                    other => return Err(format!("a {} has no part `{}` to set", other.sort(), name.plain())),
                }
                self.set(of, outer)
            }
            _ => Err("only `out`, its parts and variables can be set".into()),
        }
    }

    fn step(&mut self, steps: usize) -> Ran<()> {
        self.steps += steps;
        if self.steps > MAX_STEPS {
            return Err(format!("it was stopped after {MAX_STEPS} steps: does a loop never end?"));
        }
        Ok(())
    }

    fn deeper<T>(&mut self, run: impl FnOnce(&mut Self) -> Ran<T>) -> Ran<T> {
        if self.depth >= MAX_DEPTH {
            return Err("its functions and values stand too deep inside of one another".into());
        }
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        result
    }
}

/// Roughly how much there is to copy.
fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) | Value::Digits(text) | Value::Phone(text) => text.len(),
        Value::List(items) => items.iter().map(|item| 8 + size(item)).sum(),
        Value::Map(entries) => entries.iter().map(|(name, item)| 8 + name.len() + size(item)).sum(),
        _ => 1,
    }
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
        let globals = Globals { variables: [("shop".to_owned(), Value::text("Roma"))].into(), ..Globals::default() };
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

    /// Behaviours of ECMA-327, which SISR 1.0 §6 takes for its scripts.
    #[test]
    fn loops_choices_and_functions_run_as_in_ecmascript() {
        for (text, result) in [
            ("out = 0; for (var i = 1; i <= 10; i++) out += i;", "55"),
            ("out = ''; for (;;) { out += 'x'; if (out.length == 3) break; }", r#""xxx""#),
            ("var n = 5; out = 1; while (n > 1) { out *= n; n--; }", "120"),
            ("out = 0; do { out++; } while (out < 0)", "1"),
            ("out = []; for (var i = 0; i < 5; i++) { if (i % 2) continue; out.push(i); }", "[0,2,4]"),
            ("var o = {b: 2, a: 1}; out = ''; for (var k in o) out += k + o[k];", r#""a1b2""#),
            ("out = 0; var l = [3, 4]; for (i in l) out += l[i];", "7"),
            ("out = 0; for (var i = 0; i < 3; i++) for (var j = 0; j < 3; j++) { if (j == 1) break; out++; }", "3"),
            (
                "switch (rules.count) { case 1: out = 'one'; break; case 2: out = 'two'; break; default: out = 'many'; }",
                r#""two""#,
            ),
            ("switch ('x') { case 1: out = 1; default: out = 2; case 3: out += 3; }", "5"),
            ("switch ('2') { case 2: out = 'loose'; break; default: out = 'strict' }", r#""strict""#),
            ("out = sum(1, 2) + sum(3, 4); function sum(a, b) { return a + b; }", "10"),
            ("function fac(n) { if (n < 2) return 1; return n * fac(n - 1); } out = fac(10);", "3628800"),
            ("var seen = 0; function f(x) { seen++; var y = x * 2; return y } out = f(2) + f(3) + seen;", "12"),
            ("function f(a) { a = 5; } var a = 1; f(a); out = a;", "1"),
            ("function f() {} out = typeof f();", r#""undefined""#),
            ("function first(l) { for (var i in l) return l[i]; } out = first([7, 8]);", "7"),
            (
                "out = typeof nowhere + typeof 1 + typeof 'a' + typeof {} + typeof true",
                r#""undefinednumberstringobjectboolean""#,
            ),
            ("var n = 1; out = [n++, n, ++n, n--, --n]", "[1,2,3,3,1]"),
            ("out = new Object(); out.l = new Array(1, 2); out.l[2] = 3", r#"{"l":[1,2,3]}"#),
            (
                "out = Math.floor(2.7) + Math.ceil(2.1) + Math.round(-2.5) + Math.max(1, 9, 3) + Math.min(4, 2) + Math.abs(-1) + Math.pow(2, 3)",
                "23",
            ),
            ("out = '2-0-7'.split('-').reverse().join('')", r#""702""#),
            (
                "var l = [3, 1, 2]; l.sort(); out = l.shift() + '' + l.pop() + l.length; l.unshift(9); out += l[0]",
                r#""1319""#,
            ),
            (
                "out = 'banana'.lastIndexOf('a') + 'banana'.slice(-2) + 'banana'.replace('a', 'o') + 'a'.charCodeAt(0)",
                r#""5nabonana97""#,
            ),
            ("out = (1.25).toFixed(1) + [1, 2, 3].slice(1).concat([4], 5).join(',')", r#""1.22,3,4,5""#),
            ("out = isNaN('x') && !isNaN('4') && Boolean('a')", "true"),
        ] {
            assert_eq!(ran(text).as_deref(), Ok(result), "{text}");
        }
    }

    #[test]
    fn what_never_ends_is_stopped() {
        let endless = [
            "while (true) {}",
            "for (;;) out = 1;",
            "do { out = 1 } while (1)",
            "function f() { return f(); } out = f();",
            "function f(n) { return f(n) + f(n); } out = f(1);",
            "function a() { return b(); } function b() { return a(); } a();",
            "out = 'x'; while (out.length < 1000000) out += 'xxxxxxxxxxxxxxxx';",
            "var l = []; for (;;) l.push(l);",
            "var l = [1]; for (var i in l) { while (1) { l.push(i); l.reverse(); } }",
            "for (var i = 0; i < 1000000000; i++) { switch (i) { default: continue; } }",
        ];
        for text in endless {
            let error = ran(text).unwrap_err();
            let stops = ["stopped after", "too often", "too deep", "too large"];
            assert!(stops.iter().any(|stop| error.contains(stop)), "{text}: {error}");
        }
        // Deep, but with an end: tests run on two megabytes of stack.
        let deep = format!(
            "function f(n) {{ return n ? {}f(n - 1){} : 0; }} out = f(25);",
            "(1 * ".repeat(12),
            ")".repeat(12)
        );
        assert!(ran(&deep).is_ok_and(|out| out == "0") || ran(&deep).is_err_and(|error| error.contains("too deep")));
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
