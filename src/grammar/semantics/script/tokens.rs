//! The tokens of a tag: the part of ECMAScript's lexical grammar that tags need.

/// Signs, longest first, so that `===` is not read as `==`.
const SIGNS: &[&str] = &[
    "===", "!==", "==", "!=", "<=", ">=", "&&", "||", "+=", "-=", "*=", "/=", "++", "--", "=", "<", ">", "+", "-", "*",
    "/", "%", "!", "?", ":", ";", ",", ".", "(", ")", "[", "]", "{", "}",
];

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Text(String),
    Word(String),
    Sign(&'static str),
}

/// The tokens of a tag, each with whether a new line begins before it.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, bool)>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut new_line = false;
    loop {
        let trimmed = rest.trim_start();
        new_line |= rest[..rest.len() - trimmed.len()].contains(['\n', '\r']);
        rest = trimmed;
        let Some(letter) = rest.chars().next() else { return Ok(found) };
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.find(['\n', '\r']).map_or("", |end| &comment[end..]);
            continue;
        }
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = &comment[comment.find("*/").ok_or("a comment has no end")? + 2..];
            continue;
        }
        let (token, length) = if letter == '"' || letter == '\'' {
            quoted(rest, letter)?
        } else if letter.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let number = rest[..end].parse().map_err(|_| format!("`{}` is no number", &rest[..end]))?;
            (Token::Number(number), end)
        } else if letter.is_alphabetic() || letter == '_' || letter == '$' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
            (Token::Word(rest[..end].to_owned()), end)
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| format!("`{letter}` is not understood in a tag"))?;
            (Token::Sign(sign), sign.len())
        };
        found.push((token, std::mem::take(&mut new_line)));
        rest = &rest[length..];
    }
}

/// A string in quotes, with the escapes of ECMAScript, and its length in bytes.
fn quoted(text: &str, quote: char) -> Result<(Token, usize), String> {
    let mut read = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            _ if letter == quote => return Ok((Token::Text(read), at + 1)),
            '\n' | '\r' => break,
            '\\' => match letters.next().map(|(_, escaped)| escaped) {
                Some('n') => read.push('\n'),
                Some('t') => read.push('\t'),
                Some('r') => read.push('\r'),
                Some('u') => {
                    let code: String = letters.by_ref().take(4).map(|(_, digit)| digit).collect();
                    let letter = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
                    read.push(letter.ok_or_else(|| format!("`\\u{code}` is no character"))?);
                }
                Some(other) => read.push(other),
                None => break,
            },
            other => read.push(other),
        }
    }
    Err(format!("a text that begins with {quote} has no end"))
}

pub(super) fn shown(token: &Token) -> String {
    match token {
        Token::Number(number) => format!("`{number}`"),
        Token::Text(text) => format!("\"{text}\""),
        Token::Word(word) => format!("`{word}`"),
        Token::Sign(sign) => format!("`{sign}`"),
    }
}
