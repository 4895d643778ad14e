//! Reads the part of ECMAScript that tags are written in (SISR 1.0, `semantics/1.0`).
//!
//! ```text
//! out = {city: rules.city, seats: 1}; if (rules.count) out.seats = rules.count; else out.note = "one" + "?"
//! ```
//!
//! Values, objects, lists, arithmetic, comparison, `? :`, `var`, assignment, `if`, `switch`, the loops, functions of one's
//! own, and those of [`FUNCTIONS`] and [`METHODS`]. What is missing of the language (regular expressions, exceptions,
//! prototypes) is said when a grammar is read; what is here is counted when it runs, so that a tag always ends.

mod names;
mod statements;
mod tokens;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use self::names::Names;
use self::tokens::{Token, shown, tokens};
use crate::grammar::diagnostic::did_you_mean;
use crate::value::Value;

/// Functions that are called by their name.
pub const FUNCTIONS: &[&str] = &["Number", "String", "Boolean", "parseInt", "parseFloat", "isNaN"];
/// Functions of `Math`. Not `random`: the same words mean the same.
pub const MATH: &[&str] = &["floor", "ceil", "round", "abs", "min", "max", "pow", "sqrt"];
/// Functions that are called on a value.
pub const METHODS: &[&str] = &[
    "latest",
    "current",
    "toString",
    "toUpperCase",
    "toLowerCase",
    "concat",
    "substring",
    "charAt",
    "indexOf",
    "lastIndexOf",
    "charCodeAt",
    "slice",
    "split",
    "replace",
    "toFixed",
    "push",
    "pop",
    "shift",
    "unshift",
    "reverse",
    "sort",
    "join",
];

/// Most parts of one tag. Tags of people have ten; the bound keeps what is nested in them from filling a stack.
const MAX_NODES: usize = 400;
/// Deepest nesting of brackets in one tag.
const MAX_DEPTH: usize = 50;

/// A tag that can be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Script(pub Vec<Statement>);

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// `var x = 1`.
    Declare(String, Option<Expr>),
    /// Anything that has a value, assignments among them.
    Evaluate(Expr),
    /// `if (a) … else …`.
    If(Expr, Vec<Self>, Vec<Self>),
    /// `for (;;)`, `while`, `do … while`.
    Loop(Box<Turns>),
    /// `for (name in a)`: the names of an object's parts, the places of a list.
    Each(String, Expr, Vec<Self>),
    /// `switch (a) { case b: … default: … }`.
    Choose(Expr, Vec<(Option<Expr>, Vec<Self>)>),
    /// `break`.
    Break,
    /// `continue`.
    Continue,
    /// `return a`.
    Return(Option<Expr>),
    /// `function name(a, b) { … }`.
    Function(Arc<Function>),
}

/// A loop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turns {
    /// Done once.
    pub first: Vec<Statement>,
    /// Must hold before each turn.
    pub before: Option<Expr>,
    /// Done after each turn.
    pub step: Option<Expr>,
    /// Must hold after each turn.
    pub after: Option<Expr>,
    /// One turn.
    pub body: Vec<Statement>,
}

/// A function of the grammar's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// As it is called.
    pub name: String,
    /// Names of what it is given.
    pub parameters: Vec<String>,
    /// What it does.
    pub body: Vec<Statement>,
}

/// Something that has a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A literal.
    Constant(Value),
    /// `out`, `rules`, `meta`, or a variable.
    Name(String),
    /// `a.b`, `a["b"]`.
    Member(Box<Self>, Box<Self>),
    /// `Number(x)`, `Math.floor(x)`, or a function of the grammar's own.
    Call(String, Vec<Self>),
    /// `x.concat(y)`: one of [`METHODS`].
    Method(Box<Self>, String, Vec<Self>),
    /// `{a: 1}`.
    Object(Vec<(String, Self)>),
    /// `[1, 2]`.
    List(Vec<Self>),
    /// `!a`.
    Not(Box<Self>),
    /// `-a`.
    Negative(Box<Self>),
    /// `typeof a`.
    Kind(Box<Self>),
    /// `a++`, `--a`.
    Step {
        /// What is counted.
        target: Box<Self>,
        /// 1 or -1.
        by: i64,
        /// Is the value the one after the step?
        first: bool,
    },
    /// `a + b`.
    Binary(Operator, Box<Self>, Box<Self>),
    /// `a ? b : c`.
    Choice(Box<Self>, Box<Self>, Box<Self>),
    /// `a.b = c`; with an operator, `a.b += c`.
    Assign(Box<Self>, Option<Operator>, Box<Self>),
}

/// What stands between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `||`
    Or,
    /// `&&`
    And,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `===`
    Same,
    /// `!==`
    Different,
    /// `<`
    Less,
    /// `>`
    More,
    /// `<=`
    AtMost,
    /// `>=`
    AtLeast,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Times,
    /// `/`
    Over,
    /// `%`
    Rest,
}

use Operator::{And, AtLeast, AtMost, Different, Equal, Less, Minus, More, Or, Over, Plus, Rest, Same, Times, Unequal};

/// Operators by how tightly they bind, loosest first.
const LEVELS: &[&[(&str, Operator)]] = &[
    &[("||", Or)],
    &[("&&", And)],
    &[("===", Same), ("!==", Different), ("==", Equal), ("!=", Unequal)],
    &[("<=", AtMost), (">=", AtLeast), ("<", Less), (">", More)],
    &[("+", Plus), ("-", Minus)],
    &[("*", Times), ("/", Over), ("%", Rest)],
];

/// Words of ECMAScript that no variable may be called…
const RESERVED: &[&str] = &[
    "for", "while", "do", "function", "return", "switch", "case", "default", "break", "continue", "if", "else", "var",
    "new", "typeof", "in",
];
/// …and those of them that begin what is not read here.
const UNREAD: &[&str] = &["delete", "throw", "try", "with", "this", "let", "const", "instanceof", "void", "class"];

impl Script {
    /// Reads a tag; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_with(text, [])
    }

    /// Reads a tag that may call these functions besides its own; the error is a sentence.
    pub fn parse_with<'a>(text: &str, functions: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let tokens = tokens(text)?;
        let mut known: BTreeSet<String> = functions.into_iter().map(str::to_owned).collect();
        // A function may be called above where it stands.
        known.extend(made(&tokens));
        let mut parser = Parser { tokens, at: 0, nodes: 0, depth: 0, loops: 0, in_function: false, functions: known };
        let mut statements = Vec::new();
        while parser.peek().is_some() {
            parser.statement(&mut statements)?;
        }
        Ok(Self(statements))
    }

    /// The names it reads, those it sets, and the rules it asks for.
    pub fn names(&self) -> Names {
        let mut names = Names::default();
        names.statements(&self.0);
        names
    }
}

/// Names of the functions that a tag makes; none when it cannot be read.
pub fn declared(text: &str) -> BTreeSet<String> {
    tokens(text).map(|tokens| made(&tokens).collect()).unwrap_or_default()
}

fn made(tokens: &[(Token, bool)]) -> impl Iterator<Item = String> {
    tokens.windows(2).filter_map(|two| match [&two[0].0, &two[1].0] {
        [Token::Word(word), Token::Word(name)] if word == "function" => Some(name.clone()),
        _ => None,
    })
}

struct Parser {
    tokens: Vec<(Token, bool)>,
    at: usize,
    nodes: usize,
    depth: usize,
    /// Loops and switches around the statement.
    loops: usize,
    in_function: bool,
    /// Those of the grammar's own.
    functions: BTreeSet<String>,
}

type Parsed<T> = Result<T, String>;

impl Parser {
    fn expr(&mut self) -> Parsed<Expr> {
        self.nested(|parser| {
            let left = parser.binary(0)?;
            if parser.takes("?") {
                let then = parser.expr()?;
                parser.expect(":")?;
                let other = parser.expr()?;
                parser.count()?;
                return Ok(Expr::Choice(Box::new(left), Box::new(then), Box::new(other)));
            }
            let signs = [("=", None), ("+=", Some(Plus)), ("-=", Some(Minus)), ("*=", Some(Times)), ("/=", Some(Over))];
            for (sign, operator) in signs {
                if parser.takes(sign) {
                    assignable(&left)?;
                    let value = parser.expr()?;
                    parser.count()?;
                    return Ok(Expr::Assign(Box::new(left), operator, Box::new(value)));
                }
            }
            Ok(left)
        })
    }

    fn binary(&mut self, level: usize) -> Parsed<Expr> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.takes(sign)) {
            let right = self.binary(level + 1)?;
            self.count()?;
            left = Expr::Binary(*operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Expr> {
        self.nested(|parser| {
            parser.count()?;
            if parser.takes("!") {
                return Ok(Expr::Not(Box::new(parser.unary()?)));
            }
            if parser.takes("-") {
                return Ok(Expr::Negative(Box::new(parser.unary()?)));
            }
            if parser.takes("+") {
                return Ok(Expr::Call("Number".into(), vec![parser.unary()?]));
            }
            if parser.takes_word("typeof") {
                return Ok(Expr::Kind(Box::new(parser.unary()?)));
            }
            for (sign, by) in STEPS {
                if parser.takes(sign) {
                    let target = parser.unary()?;
                    assignable(&target)?;
                    return Ok(Expr::Step { target: Box::new(target), by, first: true });
                }
            }
            parser.postfix()
        })
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        let mut value = self.primary()?;
        loop {
            self.count()?;
            if self.takes(".") {
                let Some(Token::Word(name)) = self.peek().cloned() else {
                    return Err("a name is missing behind `.`".into());
                };
                self.at += 1;
                if self.takes("(") {
                    let given = self.list(")")?;
                    value = if matches!(&value, Expr::Name(of) if of == "Math") {
                        known(&name, MATH)?;
                        Expr::Call(format!("Math.{name}"), given)
                    } else {
                        known(&name, METHODS)?;
                        Expr::Method(Box::new(value), name, given)
                    };
                } else {
                    value = Expr::Member(Box::new(value), Box::new(Expr::Constant(Value::Text(name))));
                }
            } else if self.takes("[") {
                let name = self.expr()?;
                self.expect("]")?;
                value = Expr::Member(Box::new(value), Box::new(name));
            } else if let Some((_, by)) = STEPS.into_iter().find(|(sign, _)| self.takes(sign)) {
                assignable(&value)?;
                value = Expr::Step { target: Box::new(value), by, first: false };
            } else {
                return Ok(value);
            }
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let token = self.peek().cloned().ok_or("a value is missing at the end")?;
        self.at += 1;
        Ok(match token {
            Token::Number(number) => Expr::Constant(super::run::number(number)),
            Token::Text(text) => Expr::Constant(Value::Text(text)),
            Token::Sign("(") => {
                let inner = self.expr()?;
                self.expect(")")?;
                inner
            }
            Token::Sign("[") => Expr::List(self.list("]")?),
            Token::Sign("{") => Expr::Object(self.entries()?),
            Token::Word(word) if UNREAD.contains(&word.as_str()) => {
                return Err(format!(
                    "`{word}` is not understood: tags know values, assignments, `var`, `if`, `switch`, loops and functions"
                ));
            }
            Token::Word(word) if word == "new" => self.constructed()?,
            Token::Word(word) if RESERVED.contains(&word.as_str()) => {
                return Err(format!("a value is missing before `{word}`"));
            }
            Token::Word(word) => match word.as_str() {
                "true" => Expr::Constant(Value::Boolean(true)),
                "false" => Expr::Constant(Value::Boolean(false)),
                "null" | "undefined" => Expr::Constant(Value::Nothing),
                _ if self.takes("(") => {
                    let given = self.list(")")?;
                    if !self.functions.contains(&word) {
                        known(&word, FUNCTIONS)?;
                    }
                    Expr::Call(word, given)
                }
                _ => Expr::Name(word),
            },
            other => return Err(format!("a value is missing before {}", shown(&other))),
        })
    }

    fn list(&mut self, end: &str) -> Parsed<Vec<Expr>> {
        let mut items = Vec::new();
        while !self.takes(end) {
            items.push(self.expr()?);
            if !self.takes(",") {
                self.expect(end)?;
                break;
            }
        }
        Ok(items)
    }

    fn entries(&mut self) -> Parsed<Vec<(String, Expr)>> {
        let mut entries = Vec::new();
        while !self.takes("}") {
            let name = match self.peek().cloned() {
                Some(Token::Word(name) | Token::Text(name)) => name,
                Some(Token::Number(number)) => number.to_string(),
                _ => return Err("a name is missing in `{ … }`".into()),
            };
            self.at += 1;
            self.expect(":")?;
            entries.push((name, self.expr()?));
            if !self.takes(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(entries)
    }

    /// `new Object()` and `new Array(a, b)`, which are `{}` and `[a, b]`.
    fn constructed(&mut self) -> Parsed<Expr> {
        let made = if self.takes_word("Object") {
            Expr::Object(Vec::new())
        } else if self.takes_word("Array") {
            Expr::List(Vec::new())
        } else {
            return Err("only `new Object()` and `new Array()` are understood".into());
        };
        let given = if self.takes("(") { self.list(")")? } else { Vec::new() };
        match made {
            Expr::List(_) => Ok(Expr::List(given)),
            made => Ok(made),
        }
    }

    fn variable(&mut self, behind: &str) -> Parsed<String> {
        match self.peek().cloned() {
            Some(Token::Word(name)) if !UNREAD.contains(&name.as_str()) && !RESERVED.contains(&name.as_str()) => {
                self.at += 1;
                Ok(name)
            }
            _ => Err(format!("a name is missing behind `{behind}`")),
        }
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return Err(format!("it is nested deeper than {MAX_DEPTH}"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn count(&mut self) -> Parsed<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES { Err("one tag does too much: split it into several".into()) } else { Ok(()) }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(there);
        there
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, sign: &str) -> Parsed<()> {
        if self.takes(sign) {
            return Ok(());
        }
        let found = self.peek().map_or("at the end".to_owned(), |token| format!("before {}", shown(token)));
        Err(format!("`{sign}` is missing {found}"))
    }
}

const STEPS: [(&str, i64); 2] = [("++", 1), ("--", -1)];

/// May a value be put there?
fn assignable(target: &Expr) -> Parsed<()> {
    let root = |mut target: &Expr| {
        while let Expr::Member(of, _) = target {
            target = of;
        }
        target.clone()
    };
    match root(target) {
        Expr::Name(name) if name == "rules" || name == "meta" => {
            Err(format!("`{name}` can be read, not set: set `out` or a variable"))
        }
        Expr::Name(_) => Ok(()),
        _ => Err("only `out`, its parts and variables can be set".into()),
    }
}

fn known(name: &str, among: &[&str]) -> Parsed<()> {
    if among.contains(&name) {
        return Ok(());
    }
    let guess = did_you_mean(name, among.iter().copied());
    Err(format!("`{name}()` is not known here: {}", guess.unwrap_or_else(|| format!("there are {}", among.join(", ")))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_sentences() {
        for (text, fault) in [
            ("out = ", "a value is missing at the end"),
            ("out = 'x", "a text that begins with ' has no end"),
            ("rules.x = 1", "`rules` can be read, not set"),
            ("out = 1 2", "`;` is missing before `2`"),
            ("try { out = 1 } catch (e) {}", "`try` is not understood"),
            ("out = new Date()", "only `new Object()` and `new Array()`"),
            ("break;", "`break` stands in no loop"),
            ("return 1;", "`return` stands in no function"),
            ("for (var i = 0; i < 3) {}", "`;` is missing before `)`"),
            ("while out", "`(` is missing before `out`"),
            ("function () {}", "a name is missing behind `function`"),
            ("if (1) { function f() {} }", "a function stands inside of `if`"),
            ("switch (1) { out = 2 }", "`case` or `default` is missing before `out`"),
            ("out = Math.random()", "`random()` is not known here"),
            ("var for = 1", "a name is missing behind `var`"),
            ("out = lower('X')", "`lower()` is not known here"),
            ("out = x.toUppercase()", "did you mean `toUpperCase`?"),
            ("out = {a: 1", "`}` is missing at the end"),
            ("out = #", "`#` is not understood"),
            ("1 = 2", "only `out`"),
        ] {
            let error = Script::parse(text).unwrap_err();
            assert!(error.contains(fault), "{text}: {error}");
        }
    }

    #[test]
    fn a_tag_cannot_fill_the_stack() {
        for bomb in ["(".repeat(100_000), "!".repeat(100_000), format!("out = 1{}", "+1".repeat(100_000))] {
            assert!(Script::parse(&bomb).is_err());
        }
        assert!(Script::parse(&"{".repeat(100_000)).is_err());
        assert!(Script::parse(&"if (1) ".repeat(100_000)).is_err());
        assert!(Script::parse(&"while (1) ".repeat(100_000)).is_err());
        assert!(Script::parse(&"function f() {".repeat(100_000)).is_err());
        assert!(Script::parse(&format!("out{}", ".x".repeat(100_000))).is_err());
    }

    #[test]
    fn names_are_known_before_a_call_needs_them() {
        let names = Script::parse("var a = rules.city.code; b = a + c; out.x = meta.count.text").unwrap().names();
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(list(&names.rules), "city count");
        assert_eq!(list(&names.set), "a b");
        assert_eq!(list(&names.read), "a c meta out rules");
    }
}
