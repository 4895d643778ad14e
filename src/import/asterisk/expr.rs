//! What Asterisk writes into texts and conditions, in our words: `${NAME}` is `{{ name }}`, `$[…]` is CEL.
//!
//! Asterisk knows only texts and compares them as numbers when both look like one. Names that a dialplan calculates or
//! orders with are numbers here, all others texts; what is empty there is `null` here.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

/// Names that hold numbers.
pub(super) type Numbers = BTreeSet<String>;

/// Deepest nesting of brackets.
const DEEPEST: usize = 20;
/// Longest condition, in bytes.
const LONGEST: usize = 2_000;

/// Our name for a variable of theirs. `None` where it is a function or a thing of theirs that we do not have.
pub(super) fn name_of(variable: &str) -> Option<String> {
    let name = variable.trim();
    let fact = match name.to_ascii_uppercase().as_str() {
        "CALLERID(NUM)" | "CALLERID(NUMBER)" | "CALLERIDNUM" => Some("call.caller"),
        "EXTEN" => Some("extension"),
        "STRFTIME(${EPOCH},,%H)" => Some("now.hour"),
        _ => None,
    };
    if let Some(fact) = fact {
        return Some(fact.to_owned());
    }
    let sound = !name.is_empty()
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && !name.starts_with(|letter: char| letter.is_ascii_digit());
    let theirs = ["HANGUPCAUSE", "CHANNEL", "CONTEXT", "PRIORITY", "UNIQUEID", "EPOCH", "ANSWEREDTIME"];
    let queue = name.to_ascii_uppercase();
    let theirs = theirs.contains(&queue.as_str()) || (queue.ends_with("STATUS") && queue != "DIALSTATUS");
    (sound && !theirs).then(|| format!("{}{}", if is_ours(name) { "v_" } else { "" }, name.to_lowercase()))
}

/// Names that our conditions and texts keep for themselves.
fn is_ours(name: &str) -> bool {
    let words = ["call", "now", "true", "false", "null", "in", "not", "and", "or", "is", "if", "loop", "self", "none"];
    words.contains(&name.to_lowercase().as_str())
}

/// Names that are calculated with, or put in an order, anywhere in this text of a dialplan.
pub(super) fn numbers_in(text: &str, numbers: &mut Numbers) {
    let mut rest = if text.len() > LONGEST { "" } else { text };
    while let Some(at) = rest.find("$[") {
        let inside = &rest[at + 2..];
        let end = inside.find(']').unwrap_or(inside.len());
        let expression = &inside[..end];
        if expression.contains(['+', '-', '*', '/', '%', '<', '>']) && !expression.contains('"') {
            numbers.extend(variables(expression).into_iter().filter_map(|name| name_of(&name)));
        }
        rest = inside;
    }
}

/// The names in `${…}`.
pub(super) fn variables(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (name, behind) = braced(&rest[at + 2..]);
        found.push(name.to_owned());
        rest = behind;
    }
    found
}

/// What stands up to the closing brace, and what behind it.
fn braced(text: &str) -> (&str, &str) {
    let mut depth = 1;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (&text[..at], &text[at + 1..]);
        }
    }
    (text, "")
}

/// A text with variables in it as a text of ours. The error is the variable that we do not have.
pub(super) fn template(text: &str, how: &str) -> Result<String, String> {
    let mut said = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        said.push_str(&rest[..at]);
        let (variable, behind) = braced(&rest[at + 2..]);
        let name = name_of(variable).ok_or_else(|| variable.to_owned())?;
        said.push_str(&format!("{{{{ {name}{how} }}}}"));
        rest = behind;
    }
    said.push_str(rest);
    Ok(said)
}

/// A condition of theirs, with or without `$[ ]` around it, in CEL. The error says what cannot be said.
pub(super) fn condition(text: &str, numbers: &Numbers) -> Result<String, String> {
    let text = text.trim();
    let inner = text.strip_prefix("$[").and_then(|inner| inner.strip_suffix(']')).unwrap_or(text);
    Ok(truth(whole(inner, numbers, 0)?))
}

/// A calculation of theirs in CEL.
pub(super) fn calculation(text: &str, numbers: &Numbers) -> Result<String, String> {
    Ok(whole(text.trim(), numbers, 0)?.text)
}

/// All of an expression, so deep in others.
fn whole(text: &str, numbers: &Numbers, depth: usize) -> Result<Part, String> {
    if text.len() > LONGEST {
        return Err("it is longer than any condition should be".to_owned());
    }
    let mut parser = Parser { letters: text.chars().peekable(), numbers, depth };
    let value = parser.either()?;
    match parser.letters.next() {
        None => Ok(value),
        Some(letter) => Err(format!("`{letter}` is not understood here")),
    }
}

/// A part of a condition in CEL, and what it comes to.
#[derive(Clone, Debug)]
struct Part {
    text: String,
    sort: Sort,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Sort {
    Truth,
    Number,
    /// The value of a name that holds a text.
    Name,
    /// A text that was written out.
    Literal(String),
}

struct Parser<'a> {
    letters: Peekable<Chars<'a>>,
    numbers: &'a Numbers,
    depth: usize,
}

impl Parser<'_> {
    fn either(&mut self) -> Result<Part, String> {
        let mut left = self.both()?;
        while self.takes('|') {
            self.takes('|');
            let right = self.both()?;
            left = Part { text: format!("({} || {})", truth(left), truth(right)), sort: Sort::Truth };
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Part, String> {
        let mut left = self.comparison()?;
        while self.takes('&') {
            self.takes('&');
            let right = self.comparison()?;
            left = Part { text: format!("({} && {})", truth(left), truth(right)), sort: Sort::Truth };
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Part, String> {
        let left = self.sum()?;
        self.blanks();
        let operator = match self.letters.peek() {
            Some('=') => {
                self.letters.next();
                if self.letters.peek() == Some(&'~') {
                    return Err("`=~` (a regular expression) has no twin here".to_owned());
                }
                self.takes('=');
                "=="
            }
            Some('!') => {
                self.letters.next();
                if !self.takes('=') {
                    return Err("`!` stands where `!=` should".to_owned());
                }
                "!="
            }
            Some('<') => {
                self.letters.next();
                if self.takes('=') { "<=" } else { "<" }
            }
            Some('>') => {
                self.letters.next();
                if self.takes('=') { ">=" } else { ">" }
            }
            Some(':') => return Err("`:` (a regular expression) has no twin here".to_owned()),
            _ => return Ok(left),
        };
        let right = self.sum()?;
        Ok(Part { text: compared(&left, operator, &right), sort: Sort::Truth })
    }

    fn sum(&mut self) -> Result<Part, String> {
        let mut left = self.product()?;
        loop {
            self.blanks();
            let Some(operator) = self.letters.peek().copied().filter(|letter| matches!(letter, '+' | '-')) else {
                return Ok(left);
            };
            self.letters.next();
            let right = self.product()?;
            left = calculated(&left, operator, &right);
        }
    }

    fn product(&mut self) -> Result<Part, String> {
        let mut left = self.value()?;
        loop {
            self.blanks();
            let Some(operator) = self.letters.peek().copied().filter(|letter| matches!(letter, '*' | '/' | '%')) else {
                return Ok(left);
            };
            self.letters.next();
            let right = self.value()?;
            left = calculated(&left, operator, &right);
        }
    }

    fn value(&mut self) -> Result<Part, String> {
        self.blanks();
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("too many brackets".to_owned());
        }
        let part = match self.letters.peek().copied() {
            Some('(') => {
                self.letters.next();
                let inner = self.either()?;
                if !self.takes(')') {
                    return Err("a bracket is not closed".to_owned());
                }
                Part { text: format!("({})", inner.text), sort: inner.sort }
            }
            Some('!') => {
                self.letters.next();
                let inner = self.value()?;
                Part { text: format!("!({})", truth(inner)), sort: Sort::Truth }
            }
            Some('"') => {
                self.letters.next();
                let mut text = String::new();
                loop {
                    match self.letters.next() {
                        Some('"') => break,
                        Some('\\') => text.extend(self.letters.next()),
                        Some(letter) => text.push(letter),
                        None => return Err("a quote is not closed".to_owned()),
                    }
                }
                self.text(&text)?
            }
            Some(_) => {
                let word = self.word();
                if word.is_empty() {
                    return Err("there is nothing to compare".to_owned());
                }
                self.text(&word)?
            }
            None => return Err("there is nothing to compare".to_owned()),
        };
        self.depth -= 1;
        Ok(part)
    }

    /// Letters up to an operator; `${…}` belongs to them whole, and so does `$[…]`.
    fn word(&mut self) -> String {
        let mut word = String::new();
        let mut depth = 0_usize;
        while let Some(letter) = self.letters.peek().copied() {
            let ends =
                letter.is_whitespace() || "=!<>|&+*/%():\"".contains(letter) || (letter == '-' && !word.is_empty());
            if ends && depth == 0 {
                break;
            }
            match letter {
                '{' | '[' => depth += 1,
                '}' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            word.push(letter);
            self.letters.next();
        }
        word
    }

    /// A text that was written out, or holds the value of a name.
    fn text(&self, text: &str) -> Result<Part, String> {
        if let Some(inner) = text.strip_prefix("$[").and_then(|inner| inner.strip_suffix(']')) {
            let text = truth(whole(inner, self.numbers, self.depth)?);
            return Ok(Part { text: format!("({text})"), sort: Sort::Truth });
        }
        if let Some(rest) = text.strip_prefix("${") {
            let (variable, behind) = braced(rest);
            if behind.is_empty() {
                if let Some(part) = function(variable) {
                    return Ok(part);
                }
                return match name_of(variable) {
                    Some(name) if self.numbers.contains(&name) => Ok(Part { text: name, sort: Sort::Number }),
                    Some(name) => Ok(Part { text: name, sort: Sort::Name }),
                    None => Err(format!("${{{variable}}} is nothing that a plan knows")),
                };
            }
        }
        // `x${NAME}` = `xyes` is how old dialplans compare what may be empty.
        if text.contains("${") || text.contains("$[") {
            return Err("several values are put together before they are compared".to_owned());
        }
        Ok(Part { text: super::super::draft::quoted(text), sort: Sort::Literal(text.to_owned()) })
    }

    fn blanks(&mut self) {
        while self.letters.peek().is_some_and(|letter| letter.is_whitespace()) {
            self.letters.next();
        }
    }

    fn takes(&mut self, wanted: char) -> bool {
        self.blanks();
        let there = self.letters.peek() == Some(&wanted);
        if there {
            self.letters.next();
        }
        there
    }
}

fn truth(part: Part) -> String {
    match part.sort {
        Sort::Truth => part.text,
        Sort::Number => format!("{} != 0", part.text),
        Sort::Name => format!("({name} != null && {name} != \"\" && {name} != \"0\")", name = part.text),
        Sort::Literal(text) => (!text.is_empty() && text != "0").to_string(),
    }
}

/// `LEN(${NAME})`, `ISNULL(${NAME})`, `EXISTS(${NAME})`.
fn function(written: &str) -> Option<Part> {
    let (function, inside) = written.trim().strip_suffix(')')?.split_once('(')?;
    let name = name_of(inside.trim().strip_prefix("${")?.strip_suffix('}')?)?;
    let (text, sort) = match function.to_ascii_uppercase().as_str() {
        "LEN" => (format!("({name} == null ? 0 : size({name}))"), Sort::Number),
        "ISNULL" => (format!("({name} == null || {name} == \"\")"), Sort::Truth),
        "EXISTS" => (format!("({name} != null && {name} != \"\")"), Sort::Truth),
        _ => return None,
    };
    Some(Part { text, sort })
}

fn compared(left: &Part, operator: &str, right: &Part) -> String {
    let empty = |part: &Part| matches!(&part.sort, Sort::Literal(text) if text.is_empty());
    match (operator, left, right) {
        ("==", part, other) | ("==", other, part) if empty(other) && !empty(part) => {
            return match part.sort {
                Sort::Number => format!("{} == null", part.text),
                _ => format!("({name} == null || {name} == \"\")", name = part.text),
            };
        }
        ("!=", part, other) | ("!=", other, part) if empty(other) && !empty(part) => {
            return match part.sort {
                Sort::Number => format!("{} != null", part.text),
                _ => format!("({name} != null && {name} != \"\")", name = part.text),
            };
        }
        _ => {}
    }
    let ordered = operator.starts_with(['<', '>']);
    let numeric = ordered || left.sort == Sort::Number || right.sort == Sort::Number;
    format!("{} {operator} {}", operand(left, numeric), operand(right, numeric))
}

fn calculated(left: &Part, operator: char, right: &Part) -> Part {
    Part { text: format!("{} {operator} {}", operand(left, true), operand(right, true)), sort: Sort::Number }
}

/// A side of a comparison, as a number where it must be one.
fn operand(part: &Part, numeric: bool) -> String {
    match (&part.sort, numeric) {
        (Sort::Literal(text), true) if text.parse::<i64>().is_ok() => text.clone(),
        (Sort::Name, true) => format!("int({})", part.text),
        _ => part.text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::condition::Condition;

    #[test]
    fn conditions_become_cel_that_compiles() {
        let numbers = Numbers::from(["count".to_owned()]);
        for (theirs, ours) in [
            ("$[\"${ANSWER}\" = \"yes\"]", "answer == \"yes\""),
            ("$[${COUNT} > 3]", "count > 3"),
            ("$[${COUNT} + 1 >= 3 * 2]", "count + 1 >= 3 * 2"),
            ("$[\"${PIN}\" = \"\"]", "(pin == null || pin == \"\")"),
            ("$[${PIN} != \"\"]", "(pin != null && pin != \"\")"),
            ("$[${AGE} < 18]", "int(age) < 18"),
            ("$[\"${A}\"=\"1\" & (\"${B}\"!=\"2\" | ${COUNT}=0)]", "(a == \"1\" && ((b != \"2\" || count == 0)))"),
            ("${VIP}", "(vip != null && vip != \"\" && vip != \"0\")"),
            ("$[!${COUNT}]", "!(count != 0)"),
            ("$[${CALLERID(num)} = 5551234]", "call.caller == \"5551234\""),
            ("1", "true"),
            ("$[${NOW} = 1]", "v_now == \"1\""),
            ("$[${LEN(${ZIP})} = 5]", "(zip == null ? 0 : size(zip)) == 5"),
            (
                "$[${ISNULL(${ZIP})} | ${EXISTS(${VIP})}]",
                "((zip == null || zip == \"\") || (vip != null && vip != \"\"))",
            ),
        ] {
            let converted = condition(theirs, &numbers).unwrap_or_else(|why| panic!("{theirs}: {why}"));
            assert_eq!(converted, ours, "{theirs}");
            Condition::parse(&converted).unwrap_or_else(|why| panic!("{ours}: {why}"));
        }
    }

    #[test]
    fn what_has_no_twin_is_said_and_never_guessed() {
        let deep = format!("$[{}1]", "(".repeat(500));
        let [nested, long] = [100, 50_000].map(|depth| format!("{}1{}", "$[".repeat(depth), "]".repeat(depth)));
        for theirs in [
            "$[\"${X}\" =~ \"a.*\"]",
            "$[\"x${X}\" = \"x1\"]",
            "$[\"${QUEUESTATUS}\" = \"FULL\"]",
            "$[${LEN(${QUEUESTATUS})} > 2]",
            "$[${MATH(1+2)} > 2]",
            "$[",
            "",
            "$[\"open]",
            "$[(1]",
            "$[1 2]",
            &deep,
            &nested,
            &long,
        ] {
            assert!(condition(theirs, &Numbers::new()).is_err(), "{theirs}");
        }
    }

    #[test]
    fn numbers_are_told_by_what_is_done_with_them() {
        let mut numbers = Numbers::new();
        numbers_in(
            "Set(COUNT=$[${COUNT} + 1]) GotoIf($[\"${ANSWER}\" = \"a-b\"]?x) GotoIf($[${AGE}>3]?x)",
            &mut numbers,
        );
        assert_eq!(numbers, Numbers::from(["count".to_owned(), "age".to_owned()]));
    }

    #[test]
    fn texts_hold_values_by_their_names() {
        assert_eq!(
            template("Agent ${NAME}, ${EXTEN}", " | spell").unwrap(),
            "Agent {{ name | spell }}, {{ extension | spell }}"
        );
        assert_eq!(template("${HASH(a,b)}", ""), Err("HASH(a,b)".to_owned()));
    }
}
