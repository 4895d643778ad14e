//! The ECMAScript of VoiceXML documents, as far as it is a condition or a sum: parsed, folded where values are known,
//! and printed as CEL. Everything else is an error that says what it was.

use std::collections::BTreeMap;

use crate::import::draft::quoted;

/// Deepest nesting.
const DEEPEST: usize = 30;
/// Longest expression, in characters.
const LONGEST: usize = 2_000;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Text(String),
    Number(String),
    Truth(bool),
    Nothing,
    /// By our name.
    Name(String),
    Not(Box<Expr>),
    Minus(Box<Expr>),
    Length(Box<Expr>),
    Two(Box<Expr>, &'static str, Box<Expr>),
    Either(Box<Expr>, Box<Expr>, Box<Expr>),
}

/// Values that are known before the call.
pub(super) type Known = BTreeMap<String, Expr>;

/// Our name for a variable of a document; scopes in front are dropped, as all values of a plan are in one.
pub(super) fn name_of(variable: &str) -> Option<String> {
    let scopes = ["session", "application", "document", "dialog"];
    let parts: Vec<&str> = variable.split('.').collect();
    let parts = match parts.as_slice() {
        [scope, rest @ ..] if scopes.contains(scope) && !rest.is_empty() => rest,
        all => all,
    };
    match parts.join(".").as_str() {
        "connection.remote.uri" | "telephone.ani" => return Some("call.caller".to_owned()),
        "connection.local.uri" | "telephone.dnis" => return Some("call.called".to_owned()),
        _ => {}
    }
    let sound = |part: &&str| {
        !part.is_empty()
            && part.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            && !part.starts_with(|letter: char| letter.is_ascii_digit())
    };
    if parts.len() > 2 || !parts.iter().all(sound) {
        return None;
    }
    // What a subdialog returns is `its name.the value`; a plan has one value each.
    let name = parts.join("_");
    let taken = ["call", "now", "true", "false", "null", "in", "loop", "self", "not", "and", "or", "is", "if"];
    Some(format!("{}{name}", if taken.contains(&name.as_str()) { "v_" } else { "" }))
}

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Expr, String> {
    if text.chars().count() > LONGEST {
        return Err("it is longer than any condition should be".to_owned());
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens, at: 0, depth: 0 };
    let expr = parser.either()?;
    match parser.tokens.get(parser.at) {
        None => Ok(expr),
        Some(token) => Err(format!("`{}` is not understood here", token.written())),
    }
}

/// With what is known put in, as far as that decides anything.
pub(super) fn fold(expr: &Expr, known: &Known) -> Expr {
    let fold = |inner: &Expr| fold(inner, known);
    match expr {
        Expr::Name(name) => known.get(name).cloned().unwrap_or_else(|| expr.clone()),
        Expr::Not(inner) => match fold(inner) {
            Expr::Truth(truth) => Expr::Truth(!truth),
            inner => Expr::Not(Box::new(inner)),
        },
        Expr::Minus(inner) => Expr::Minus(Box::new(fold(inner))),
        Expr::Length(inner) => Expr::Length(Box::new(fold(inner))),
        Expr::Either(condition, yes, no) => match fold(condition) {
            Expr::Truth(true) => fold(yes),
            Expr::Truth(false) => fold(no),
            condition => Expr::Either(Box::new(condition), Box::new(fold(yes)), Box::new(fold(no))),
        },
        Expr::Two(left, operator, right) => match (fold(left), *operator, fold(right)) {
            (Expr::Truth(false), "&&", _) | (_, "&&", Expr::Truth(false)) => Expr::Truth(false),
            (Expr::Truth(true), "||", _) | (_, "||", Expr::Truth(true)) => Expr::Truth(true),
            (Expr::Truth(true), "&&", other) | (other, "&&", Expr::Truth(true)) => other,
            (Expr::Truth(false), "||", other) | (other, "||", Expr::Truth(false)) => other,
            (left, "==", right) if literal(&left) && literal(&right) => Expr::Truth(alike(&left, &right)),
            (left, "!=", right) if literal(&left) && literal(&right) => Expr::Truth(!alike(&left, &right)),
            (left, operator, right) => Expr::Two(Box::new(left), operator, Box::new(right)),
        },
        other => other.clone(),
    }
}

const fn literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Text(_) | Expr::Number(_) | Expr::Truth(_) | Expr::Nothing)
}

/// ECMAScript's `==` for what is written out.
fn alike(left: &Expr, right: &Expr) -> bool {
    match (left, right) {
        (Expr::Text(text), Expr::Number(number)) | (Expr::Number(number), Expr::Text(text)) => text == number,
        (Expr::Text(text), Expr::Truth(truth)) | (Expr::Truth(truth), Expr::Text(text)) => *text == truth.to_string(),
        (left, right) => left == right,
    }
}

/// As CEL. `digits` says which names hold digits, which are texts here.
pub(super) fn print(expr: &Expr, digits: &dyn Fn(&str) -> bool) -> String {
    let print = |inner: &Expr| print(inner, digits);
    match expr {
        Expr::Text(text) => quoted(text),
        Expr::Number(number) => number.clone(),
        Expr::Truth(truth) => truth.to_string(),
        Expr::Nothing => "null".to_owned(),
        Expr::Name(name) => name.clone(),
        Expr::Not(inner) => format!("!({})", print(inner)),
        Expr::Minus(inner) => format!("-{}", print(inner)),
        Expr::Length(inner) => format!("size({})", print(inner)),
        Expr::Either(condition, yes, no) => format!("({} ? {} : {})", print(condition), print(yes), print(no)),
        Expr::Two(left, operator, right) => {
            let same = matches!(*operator, "==" | "!=");
            let side = |side: &Expr, other: &Expr, is_right: bool| match (side, other) {
                // Digits are texts: leading zeros count.
                (Expr::Number(number), Expr::Name(name)) if same && digits(name) => quoted(number),
                (Expr::Name(name), _) if !same && !matches!(*operator, "&&" | "||") && digits(name) => {
                    format!("int({name})")
                }
                (Expr::Two(_, inner, _), _) => {
                    let (ours, theirs) = (binds(operator), binds(inner));
                    let loose = theirs < ours || theirs == ours && (is_right || ours == binds("=="));
                    if loose { format!("({})", print(side)) } else { print(side) }
                }
                (side, _) => print(side),
            };
            format!("{} {operator} {}", side(left, right, false), side(right, left, true))
        }
    }
}

/// How tightly CEL binds an operator.
fn binds(operator: &str) -> u8 {
    match operator {
        "||" => 1,
        "&&" => 2,
        "+" | "-" => 4,
        "*" | "/" | "%" => 5,
        _ => 3,
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Text(String),
    Number(String),
    Word(String),
    Mark(&'static str),
}

impl Token {
    fn written(&self) -> &str {
        match self {
            Self::Text(text) | Self::Number(text) | Self::Word(text) => text,
            Self::Mark(mark) => mark,
        }
    }
}

const MARKS: [&str; 24] = [
    "===", "!==", "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "!", "(", ")", "?", ":", "=",
    "[", "]", ",",
];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if matches!(first, '\'' | '"') {
            let mut said = String::new();
            let mut letters = rest[1..].char_indices();
            let end = loop {
                match letters.next() {
                    Some((at, letter)) if letter == first => break at + 2,
                    Some((_, '\\')) => said.extend(letters.next().map(|(_, letter)| letter)),
                    Some((_, letter)) => said.push(letter),
                    None => return Err("a quote is not closed".to_owned()),
                }
            };
            tokens.push(Token::Text(said));
            rest = rest[end..].trim_start();
        } else if first.is_ascii_digit() {
            let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
            tokens.push(Token::Number(rest[..end].to_owned()));
            rest = rest[end..].trim_start();
        } else if first.is_alphabetic() || first == '_' || first == '$' {
            let word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$' | '.');
            let end = rest.find(|letter| !word(letter)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = rest[end..].trim_start();
        } else if let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            tokens.push(Token::Mark(mark));
            rest = rest[mark.len()..].trim_start();
        } else {
            return Err(format!("`{first}` is not understood here"));
        }
    }
    Ok(tokens)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

/// From the loosest to the tightest.
const LEVELS: [&[(&str, &str)]; 6] = [
    &[("||", "||")],
    &[("&&", "&&")],
    &[("===", "=="), ("!==", "!="), ("==", "=="), ("!=", "!=")],
    &[("<=", "<="), (">=", ">="), ("<", "<"), (">", ">")],
    &[("+", "+"), ("-", "-")],
    &[("*", "*"), ("/", "/"), ("%", "%")],
];

impl Parser {
    fn either(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("too many brackets".to_owned());
        }
        let condition = self.level(0)?;
        let whole = if self.takes("?") {
            let yes = self.either()?;
            if !self.takes(":") {
                return Err("`?` stands without `:`".to_owned());
            }
            Expr::Either(Box::new(condition), Box::new(yes), Box::new(self.either()?))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(whole)
    }

    fn level(&mut self, level: usize) -> Result<Expr, String> {
        let Some(operators) = LEVELS.get(level) else { return self.value() };
        let mut left = self.level(level + 1)?;
        'next: loop {
            for (theirs, ours) in *operators {
                if self.takes(theirs) {
                    let right = self.level(level + 1)?;
                    left = Expr::Two(Box::new(left), ours, Box::new(right));
                    continue 'next;
                }
            }
            return Ok(left);
        }
    }

    fn value(&mut self) -> Result<Expr, String> {
        if self.takes("(") {
            let inner = self.either()?;
            return if self.takes(")") { Ok(inner) } else { Err("a bracket is not closed".to_owned()) };
        }
        for (mark, of) in [("!", Expr::Not as fn(Box<Expr>) -> Expr), ("-", Expr::Minus)] {
            if self.takes(mark) {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err("too many signs".to_owned());
                }
                let inner = self.value()?;
                self.depth -= 1;
                return Ok(of(Box::new(inner)));
            }
        }
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token {
            Some(Token::Text(text)) => Ok(Expr::Text(text)),
            Some(Token::Number(number)) => Ok(Expr::Number(number)),
            Some(Token::Word(word)) => {
                if matches!(self.tokens.get(self.at), Some(Token::Mark("(" | "["))) {
                    return Err(format!("`{word}` is a function or a list of the document's own"));
                }
                match word.as_str() {
                    "true" => return Ok(Expr::Truth(true)),
                    "false" => return Ok(Expr::Truth(false)),
                    "null" | "undefined" => return Ok(Expr::Nothing),
                    "typeof" | "new" | "function" | "void" | "delete" | "instanceof" => {
                        return Err(format!("`{word}` has no twin here"));
                    }
                    _ => {}
                }
                if let Some(name) = word.strip_suffix(".length") {
                    let name = name_of(name).ok_or_else(|| format!("`{name}` is nothing that a plan knows"))?;
                    return Ok(Expr::Length(Box::new(Expr::Name(name))));
                }
                name_of(&word).map(Expr::Name).ok_or_else(|| format!("`{word}` is nothing that a plan knows"))
            }
            Some(Token::Mark(mark)) => Err(format!("`{mark}` is not understood here")),
            None => Err("something is missing at its end".to_owned()),
        }
    }

    fn takes(&mut self, mark: &str) -> bool {
        let there = matches!(self.tokens.get(self.at), Some(Token::Mark(known)) if *known == mark);
        self.at += usize::from(there);
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::condition::Condition;

    fn cel(text: &str) -> String {
        print(&parse(text).unwrap_or_else(|why| panic!("{text}: {why}")), &|name| name == "pin")
    }

    #[test]
    fn conditions_become_cel_that_compiles() {
        for (theirs, ours) in [
            ("answer == 'yes'", "answer == \"yes\""),
            ("pin==1234 && tries < 3", "pin == \"1234\" && tries < 3"),
            ("pin > 5", "int(pin) > 5"),
            ("!(confirmed === true)", "!(confirmed == true)"),
            ("application.count + 1", "count + 1"),
            ("acct.length != 8", "size(acct) != 8"),
            ("name == undefined || name == ''", "name == null || name == \"\""),
            ("(a || b) && !(c - (d - 1) > 2 * 3)", "(a || b) && !(c - (d - 1) > 2 * 3)"),
            ("a == 1 ? 'x' : \"y\\\"z\"", "(a == 1 ? \"x\" : \"y\\\"z\")"),
            ("result.status == 'ok' && dialog.status", "result_status == \"ok\" && status"),
            ("session.telephone.ani == '123'", "call.caller == \"123\""),
            ("now == 1", "v_now == 1"),
        ] {
            let converted = cel(theirs);
            assert_eq!(converted, ours, "{theirs}");
            Condition::parse(&converted).unwrap_or_else(|why| panic!("{converted}: {why}"));
        }
    }

    #[test]
    fn what_has_no_twin_is_said() {
        let deep = "(".repeat(100);
        for theirs in [
            "getTime()",
            "a[0]",
            "typeof x",
            "field$.confidence > 0.5",
            "a.b.c.d",
            "x = 1",
            "'open",
            "1 +",
            "",
            "a ~ b",
            "(1",
            &deep,
            "a ? b",
        ] {
            assert!(parse(theirs).is_err(), "{theirs}");
        }
    }

    #[test]
    fn what_is_known_decides_before_the_call() {
        let known = Known::from([("choice".to_owned(), Expr::Text("sales".to_owned()))]);
        let folded = |text: &str| fold(&parse(text).unwrap(), &known);
        assert_eq!(folded("choice == 'sales'"), Expr::Truth(true));
        assert_eq!(folded("choice == 'support' && other == 1"), Expr::Truth(false));
        assert_eq!(folded("!(choice != 'sales') && other == 1"), parse("other == 1").unwrap());
        let flag = Known::from([("ok".to_owned(), Expr::Truth(true))]);
        assert_eq!(fold(&parse("ok ? 1 : 2").unwrap(), &flag), Expr::Number("1".to_owned()));
        assert_eq!(fold(&parse("ok == 'true'").unwrap(), &flag), Expr::Truth(true));
    }
}
