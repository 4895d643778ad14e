//! Single values of the language, read from a [`Node`] with a sentence for every way they can be wrong.
//!
//! Everything is parsed once, here: what comes out is a duration, a key, a language, not a string to be looked at
//! again. A value that cannot be read has been reported and comes back as `None`; reading goes on.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::diagnostic::{Findings, Span, Spanned, listed, nearest};
use super::key::{self, Key};
use super::yaml::{Node, Value};
use crate::language::Language;
use crate::media::BargeIn;
use crate::rtp::Digit;

/// Longest name of a step, option or slot, in characters.
const MAX_NAME: usize = 64;

/// Words other systems use for ours.
const SYNONYMS: &[(&str, &str)] = &[
    ("next", "go"),
    ("goto", "go"),
    ("target", "go"),
    ("transition", "go"),
    ("message", "text"),
    ("say", "text"),
    ("speak", "text"),
    ("question", "prompt"),
    ("ask", "prompt"),
    ("text", "prompt"),
    ("prompt", "text"),
    ("timeout", "wait"),
    ("retries", "tries"),
    ("attempts", "tries"),
    ("max_tries", "tries"),
    ("choices", "options"),
    ("dtmf", "key"),
    ("digit", "key"),
    ("examples", "phrases"),
    ("utterances", "phrases"),
    ("silence", "no_input"),
    ("threshold", "below"),
    ("confidence", "below"),
    ("interrupt", "barge_in"),
    ("interruptible", "barge_in"),
    ("audio", "file"),
    ("recording", "file"),
    ("resolution", "result"),
    ("outcome", "result"),
    ("language", "languages"),
    ("agent", "operator"),
    ("version", "dialplan"),
    ("first", "start"),
];

/// The fields of one map, each taken once by its name.
pub(crate) struct Fields {
    /// The whole map.
    pub at: Span,
    entries: Vec<(Spanned<String>, Node)>,
}

impl Fields {
    /// Opens a map that may hold `keys` and nothing else; `owner` names it in messages, such as ``the menu `main` ``.
    pub fn open(node: Node, owner: &str, tables: &[&[Key]], findings: &mut Findings) -> Option<Self> {
        let keys = &key::names(tables)[..];
        let at = node.at;
        let sort = node.sort();
        let Value::Map(entries) = node.value else {
            findings
                .error(at, format!("{owner} must be a map of keys, not {sort}"))
                .help(format!("its keys are {}", listed(keys.iter().copied())));
            return None;
        };
        for (key, _) in entries.iter().filter(|(key, _)| !keys.contains(&key.value.as_str())) {
            unknown_key(key, owner, keys, findings);
        }
        Some(Self { at, entries })
    }

    /// Where the map begins: a place for what is missing in it.
    pub fn start(&self) -> Span {
        Span { len: self.at.len.min(1), ..self.at }
    }

    /// The node under `key`, which is then gone.
    pub fn take(&mut self, key: &str) -> Option<Node> {
        let place = self.entries.iter().position(|(other, _)| other.value == key)?;
        Some(self.entries.remove(place).1)
    }

    /// What `read` makes of the node under `key`.
    pub fn read<T>(
        &mut self,
        key: &str,
        findings: &mut Findings,
        read: impl FnOnce(&Node, &mut Findings) -> Option<T>,
    ) -> Option<T> {
        self.take(key).and_then(|node| read(&node, findings))
    }
}

/// Reports a key that does not belong here, with the nearest one that does.
pub(crate) fn unknown_key(key: &Spanned<String>, owner: &str, keys: &[&str], findings: &mut Findings) {
    let known = |word: &&str| keys.contains(word);
    let synonym = SYNONYMS.iter().filter(|(theirs, _)| *theirs == key.value).map(|(_, ours)| *ours).find(known);
    let help = match synonym.or_else(|| nearest(&key.value, keys.iter().copied())) {
        Some(right) => format!("did you mean `{right}`?"),
        None => format!("its keys are {}", listed(keys.iter().copied())),
    };
    findings.error(key.at, format!("{owner} has no key `{}`", key.value)).help(help);
}

/// A text that is not empty; white space at its ends does not count, and any inside counts as one space.
pub(crate) fn line(node: &Node, findings: &mut Findings) -> Option<Spanned<String>> {
    let Value::Scalar { text, .. } = &node.value else {
        findings.error(node.at, format!("this must be a text, not {}", node.sort()));
        return None;
    };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if node.is_nothing() || text.is_empty() {
        findings.error(node.at, "there is no text here").help("write what is meant, or remove the key");
        return None;
    }
    Some(Spanned { at: node.at, value: text })
}

/// A name somebody gives to a step, an option or a slot. Any script; no spaces, no leading `$`.
pub(crate) fn name(name: &Spanned<String>, what: &str, findings: &mut Findings) -> bool {
    let text = &name.value;
    let fits = |(place, letter): (usize, char)| match place {
        0 => letter.is_alphanumeric() || letter == '_',
        _ => letter.is_alphanumeric() || letter == '_' || letter == '-',
    };
    if text.is_empty() || text.chars().count() > MAX_NAME || !text.chars().enumerate().all(fits) {
        findings
            .error(name.at, format!("`{text}` cannot be the name of {what}"))
            .help("names are letters, digits, `_` and `-`, at most 64 of them, and begin with a letter");
        return false;
    }
    true
}

/// Where to go: a step or a word that begins with `$`. Whether it exists is known once every step has been read.
pub(crate) fn target(node: &Node, findings: &mut Findings) -> Option<Spanned<String>> {
    if !matches!(node.value, Value::Scalar { .. }) || node.is_nothing() {
        findings
            .error(node.at, format!("this must be the name of a step, not {}", node.sort()))
            .help("write a step's name, `$repeat`, `$back` or `$end`");
        return None;
    }
    line(node, findings)
}

/// `true` or `false`.
pub(crate) fn flag(node: &Node, findings: &mut Findings) -> Option<Spanned<bool>> {
    let value = match &node.value {
        Value::Scalar { text, plain: true } if text == "true" => true,
        Value::Scalar { text, plain: true } if text == "false" => false,
        _ => {
            findings.error(node.at, "this must be `true` or `false`").help(match &node.value {
                Value::Scalar { text, .. } if ["no", "off", "n", "0"].contains(&text.to_lowercase().as_str()) => {
                    "write `false`"
                }
                _ => "write `true`, or remove the key",
            });
            return None;
        }
    };
    Some(Spanned { at: node.at, value })
}

/// A time with its unit: `4s`, `1.5s`, `300ms`, `1min`; within `range`.
pub(crate) fn time(node: &Node, range: RangeInclusive<Duration>, findings: &mut Findings) -> Option<Spanned<Duration>> {
    let text = line(node, findings)?.value;
    let split = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let millis_each = match unit.trim() {
        "ms" => 1.0,
        "s" => 1_000.0,
        "min" => 60_000.0,
        "" if number.parse::<f64>().is_ok() => {
            let say = if number.len() > 2 { format!("{number}ms") } else { format!("{number}s") };
            findings.error(node.at, format!("`{text}` has no unit")).help(format!("did you mean `{say}`?"));
            return None;
        }
        _ => f64::NAN,
    };
    let millis = number.parse::<f64>().unwrap_or(f64::NAN) * millis_each;
    if !millis.is_finite() {
        findings.error(node.at, format!("`{text}` is not a time")).help("write it like `4s`, `1.5s` or `300ms`");
        return None;
    }
    let value = Duration::from_millis(millis.min(1e12) as u64);
    if !range.contains(&value) {
        let (least, most) = (range.start().as_secs_f64(), range.end().as_secs_f64());
        findings.error(node.at, format!("`{text}` is out of bounds")).help(format!("from {least}s to {most}s"));
        return None;
    }
    Some(Spanned { at: node.at, value })
}

/// A whole number within `range`; `what` begins the sentence if it is not.
pub(crate) fn count(
    node: &Node,
    what: &str,
    range: RangeInclusive<usize>,
    findings: &mut Findings,
) -> Option<Spanned<usize>> {
    let text = line(node, findings)?.value;
    match text.parse::<usize>() {
        Ok(value) if range.contains(&value) => Some(Spanned { at: node.at, value }),
        _ => {
            let help = match (range.start(), range.end()) {
                (least, most) if least == most => format!("write `{least}`"),
                (least, most) => format!("write a whole number from {least} to {most}"),
            };
            findings.error(node.at, format!("{what} cannot be `{text}`")).help(help);
            None
        }
    }
}

/// A number from 0 to 1.
pub(crate) fn fraction(node: &Node, findings: &mut Findings) -> Option<Spanned<f32>> {
    let text = line(node, findings)?.value;
    match text.parse::<f32>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Some(Spanned { at: node.at, value }),
        _ => {
            let help = match text.trim_end_matches('%').parse::<f32>() {
                Ok(percent) if (1.0..=100.0).contains(&percent) => format!("did you mean `{}`?", percent / 100.0),
                _ => "write a number from 0 to 1, such as `0.5`".to_owned(),
            };
            findings.error(node.at, format!("`{text}` is not a confidence")).help(help);
            None
        }
    }
}

/// One of some words.
pub(crate) fn word(node: &Node, what: &str, words: &[&str], findings: &mut Findings) -> Option<Spanned<String>> {
    let text = line(node, findings)?;
    if !words.contains(&text.value.as_str()) {
        let help = match nearest(&text.value, words.iter().copied()) {
            Some(right) => format!("did you mean `{right}`?"),
            None => format!("write one of {}", listed(words.iter().copied())),
        };
        findings.error(node.at, format!("{what} cannot be `{}`", text.value)).help(help);
        return None;
    }
    Some(text)
}

/// `off`, `keys` or `speech`.
pub(crate) fn barge_in(node: &Node, findings: &mut Findings) -> Option<Spanned<BargeIn>> {
    let text = line(node, findings)?.value;
    let value = match text.as_str() {
        "off" => BargeIn::Off,
        "keys" => BargeIn::Keys,
        "speech" => BargeIn::Speech,
        _ => {
            let help = match (text.as_str(), nearest(&text, ["off", "keys", "speech"])) {
                ("false" | "no" | "never", _) => "write `off`".to_owned(),
                ("true" | "yes" | "on", _) => "write `speech`".to_owned(),
                (_, Some(right)) => format!("did you mean `{right}`?"),
                (_, None) => "write `off`, `keys` or `speech`".to_owned(),
            };
            findings.error(node.at, format!("`barge_in` cannot be `{text}`")).help(help);
            return None;
        }
    };
    Some(Spanned { at: node.at, value })
}

/// One key of a telephone.
pub(crate) fn digit(node: &Node, findings: &mut Findings) -> Option<Spanned<Digit>> {
    let text = match &node.value {
        Value::Scalar { text, .. } if !node.is_nothing() => text.trim(),
        _ => "",
    };
    let mut letters = text.chars();
    match (letters.next().and_then(Digit::new), letters.next()) {
        (Some(value), None) => Some(Spanned { at: node.at, value }),
        _ => {
            let help = if text.is_empty() {
                "a key is one of 0 to 9, `*` or `#`; the last two need quotes: `key: \"#\"`"
            } else {
                "a key is one of 0 to 9, `*` or `#`"
            };
            let message = match text {
                "" => "no telephone key is given here".to_owned(),
                _ => format!("`{text}` is not a telephone key"),
            };
            findings.error(node.at, message).help(help);
            None
        }
    }
}

/// A language tag.
pub(crate) fn language(written: &Spanned<String>, findings: &mut Findings) -> Option<Spanned<Language>> {
    match Language::parse(&written.value) {
        Ok(value) => Some(Spanned { at: written.at, value }),
        Err(error) => {
            findings.error(written.at, error.to_string());
            None
        }
    }
}

/// One value for the first language, or one for each language of the plan.
#[derive(Clone, Debug)]
pub(crate) enum Localized<T> {
    /// Written without a language.
    One(Spanned<T>),
    /// Written as `{en-US: …, zh-CN: …}`.
    Each(Span, BTreeMap<Language, Spanned<T>>),
}

/// Reads a value, or a map of one for each language.
pub(crate) fn localized<T>(
    node: &Node,
    findings: &mut Findings,
    read: impl Fn(&Node, &mut Findings) -> Option<Spanned<T>>,
) -> Option<Localized<T>> {
    let Value::Map(entries) = &node.value else { return read(node, findings).map(Localized::One) };
    let mut each = BTreeMap::new();
    for (key, value) in entries {
        if let (Some(language), Some(value)) = (language(key, findings), read(value, findings)) {
            each.insert(language.value, value);
        }
    }
    Some(Localized::Each(node.at, each))
}

/// A list of lines, or a single one.
pub(crate) fn lines(node: &Node, findings: &mut Findings) -> Option<Spanned<Vec<Spanned<String>>>> {
    let value = match &node.value {
        Value::List(items) => items.iter().filter_map(|item| line(item, findings)).collect(),
        _ => vec![line(node, findings)?],
    };
    Some(Spanned { at: node.at, value })
}
