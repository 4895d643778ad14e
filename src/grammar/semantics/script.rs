//! Reads the part of ECMAScript that tags are written in (SISR 1.0, `semantics/1.0`).
//!
//! ```text
//! out = {city: rules.city, seats: 1}; if (rules.count) out.seats = rules.count; else out.note = "one" + "?"
//! ```
//!
//! Values, objects, lists, arithmetic, comparison, `? :`, `var`, assignment, `if` and the functions of [`FUNCTIONS`] and
//! [`METHODS`]. No loops and no functions of one's own: a tag always ends.

mod tokens;

use std::collections::BTreeSet;

use self::tokens::{Token, shown, tokens};
use crate::grammar::diagnostic::did_you_mean;
use crate::value::Value;

/// Functions that are called by their name.
pub const FUNCTIONS: &[&str] = &["Number", "String", "parseInt", "parseFloat"];
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
    "push",
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
    /// `Number(x)`: one of [`FUNCTIONS`].
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

/// Words of ECMAScript that begin what is not read here.
const UNREAD: &[&str] = &[
    "for",
    "while",
    "do",
    "function",
    "return",
    "switch",
    "new",
    "delete",
    "throw",
    "try",
    "with",
    "typeof",
    "this",
    "let",
    "const",
    "in",
    "instanceof",
    "void",
];

impl Script {
    /// Reads a tag; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0, nodes: 0, depth: 0 };
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

    fn statements(&mut self, statements: &[Statement]) {
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
            Expr::Not(one) | Expr::Negative(one) => self.expr(one),
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

struct Parser {
    tokens: Vec<(Token, bool)>,
    at: usize,
    nodes: usize,
    depth: usize,
}

type Parsed<T> = Result<T, String>;

impl Parser {
    fn statement(&mut self, into: &mut Vec<Statement>) -> Parsed<()> {
        self.nested(|parser| match parser.peek() {
            Some(Token::Sign(";")) => {
                parser.at += 1;
                Ok(())
            }
            Some(Token::Sign("{")) => {
                parser.at += 1;
                while !parser.takes("}") {
                    parser.peek().ok_or("`}` is missing")?;
                    parser.statement(into)?;
                }
                Ok(())
            }
            Some(Token::Word(word)) if word == "var" => {
                parser.at += 1;
                loop {
                    let name = parser.variable()?;
                    let value = if parser.takes("=") { Some(parser.expr()?) } else { None };
                    parser.count()?;
                    into.push(Statement::Declare(name, value));
                    if !parser.takes(",") {
                        return parser.end_of_statement();
                    }
                }
            }
            Some(Token::Word(word)) if word == "if" => {
                parser.at += 1;
                parser.expect("(")?;
                let condition = parser.expr()?;
                parser.expect(")")?;
                let (mut then, mut other) = (Vec::new(), Vec::new());
                parser.statement(&mut then)?;
                if parser.peek() == Some(&Token::Word("else".into())) {
                    parser.at += 1;
                    parser.statement(&mut other)?;
                }
                parser.count()?;
                into.push(Statement::If(condition, then, other));
                Ok(())
            }
            _ => {
                let expr = parser.expr()?;
                into.push(Statement::Evaluate(expr));
                parser.end_of_statement()
            }
        })
    }

    /// `;`, or what ECMAScript lets stand for it: the end, a `}`, a new line.
    fn end_of_statement(&mut self) -> Parsed<()> {
        match self.tokens.get(self.at) {
            None | Some((Token::Sign("}"), _)) | Some((_, true)) => Ok(()),
            Some((Token::Sign(";"), _)) => {
                self.at += 1;
                Ok(())
            }
            Some((token, false)) => Err(format!("`;` is missing before {}", shown(token))),
        }
    }

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
                    known(&name, METHODS)?;
                    value = Expr::Method(Box::new(value), name, given);
                } else {
                    value = Expr::Member(Box::new(value), Box::new(Expr::Constant(Value::Text(name))));
                }
            } else if self.takes("[") {
                let name = self.expr()?;
                self.expect("]")?;
                value = Expr::Member(Box::new(value), Box::new(name));
            } else if self.takes("++") {
                assignable(&value)?;
                value = Expr::Assign(Box::new(value), Some(Plus), Box::new(Expr::Constant(Value::Integer(1))));
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
                return Err(format!("`{word}` is not understood: tags know values, `var`, `if` and assignments"));
            }
            Token::Word(word) => match word.as_str() {
                "true" => Expr::Constant(Value::Boolean(true)),
                "false" => Expr::Constant(Value::Boolean(false)),
                "null" | "undefined" => Expr::Constant(Value::Nothing),
                _ if self.takes("(") => {
                    let given = self.list(")")?;
                    known(&word, FUNCTIONS)?;
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

    fn variable(&mut self) -> Parsed<String> {
        match self.peek().cloned() {
            Some(Token::Word(name)) if !UNREAD.contains(&name.as_str()) => {
                self.at += 1;
                Ok(name)
            }
            _ => Err("a name is missing behind `var`".into()),
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

    fn expect(&mut self, sign: &str) -> Parsed<()> {
        if self.takes(sign) {
            return Ok(());
        }
        let found = self.peek().map_or("at the end".to_owned(), |token| format!("before {}", shown(token)));
        Err(format!("`{sign}` is missing {found}"))
    }
}

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
            ("for (;;) {}", "`for` is not understood"),
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
