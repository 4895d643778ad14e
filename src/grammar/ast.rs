//! A grammar file as it was written, whether in XML or in ABNF (SRGS 1.0 §1: both say the same).

use crate::language::Language;

use super::diagnostic::Place;

/// Deepest nesting of brackets or elements: people write five.
pub const MAX_DEPTH: usize = 100;

/// One file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// What it listens to.
    pub mode: Mode,
    /// The language of words that name no other; `None` when the file says none.
    pub language: Option<Language>,
    /// The rule a reference to the whole file means, and where that is said.
    pub root: Option<(String, Place)>,
    /// How its tags are written, and where that is said.
    pub tag_format: Option<(String, Place)>,
    /// What relative references are relative to, when not the file itself, and where that is said.
    pub base: Option<(String, Place)>,
    /// Tags of the file itself, run before those of any rule.
    pub globals: Vec<(String, Place)>,
    /// In the order they are written.
    pub rules: Vec<Rule>,
}

/// What a grammar listens to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Words.
    #[default]
    Voice,
    /// Keys of a telephone.
    Dtmf,
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name, without `$`.
    pub name: String,
    /// May other files refer to it?
    pub public: bool,
    /// What may be said.
    pub body: Expansion,
    /// Where it is defined.
    pub at: Place,
}

/// What may be said (SRGS 1.0 §2).
#[derive(Clone, Debug, PartialEq)]
pub enum Expansion {
    /// A word, or several in quotes.
    Token {
        /// As written.
        text: String,
        /// Where.
        at: Place,
    },
    /// One after the other; none at all is an empty sequence.
    Sequence(Vec<Self>),
    /// One of them.
    OneOf(Vec<Alternative>),
    /// Several times.
    Repeat {
        /// What.
        body: Box<Self>,
        /// At least.
        min: u32,
        /// At most; `None` is without end.
        max: Option<u32>,
        /// How likely each repetition more is, 0 to 1.
        probability: Option<f32>,
        /// Where.
        at: Place,
    },
    /// What another rule allows.
    Reference {
        /// Which.
        target: Target,
        /// Where.
        at: Place,
    },
    /// What it means.
    Tag {
        /// As written.
        text: String,
        /// Where.
        at: Place,
    },
    /// In another language than what is around it.
    Spoken {
        /// Which.
        language: Language,
        /// What.
        body: Box<Self>,
    },
}

/// One of several.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternative {
    /// How likely beside the others: above 0, and 1 when nothing is said.
    pub weight: Option<f32>,
    /// What may be said.
    pub body: Expansion,
}

/// What a reference means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `NULL`: nothing need be said.
    Null,
    /// `VOID`: nothing can be said here.
    Void,
    /// `GARBAGE`: anything may be said.
    Garbage,
    /// A rule of the same file.
    Rule(String),
    /// Another file, a rule in it (`uri#rule`), or a `builtin:`.
    Uri(String),
}

impl Expansion {
    /// One after the other, without needless nesting.
    pub fn sequence(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::Sequence(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match flat.len() {
            1 => flat.remove(0),
            _ => Self::Sequence(flat),
        }
    }
}

/// A rule name: letters, digits and `_`, no digit first. SRGS 1.0 §3.1 keeps `.`, `:` and `-` out, so that
/// `rules.name` can be written in a tag.
pub fn is_rule_name(name: &str) -> bool {
    !name.starts_with(|letter: char| letter.is_numeric())
        && !name.is_empty()
        && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

/// Reads `3`, `3-`, `3-5` (SRGS 1.0 §2.5): least and most. The error is a sentence.
pub fn repeat_counts(text: &str) -> Result<(u32, Option<u32>), String> {
    let number = |digits: &str| {
        let digits = digits.trim();
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<u32>().unwrap_or(u32::MAX))
    };
    let counts = match text.split_once('-') {
        None => number(text).map(|count| (count, Some(count))),
        Some((min, max)) if max.trim().is_empty() => number(min).map(|min| (min, None)),
        Some((min, max)) => number(min).zip(number(max)).map(|(min, max)| (min, Some(max))),
    };
    match counts {
        Some((min, Some(max))) if min > max => {
            Err(format!("it cannot be repeated at least {min} and at most {max} times"))
        }
        Some(counts) => Ok(counts),
        None => Err(format!("`{}` is no count of repetitions: write 2, 0-1, 3-5 or 1-", text.trim())),
    }
}

/// Reads a weight or a probability: `3`, `.5`, `0.5`; no exponents (SRGS 1.0 §2.4.1).
pub fn decimal(text: &str) -> Option<f32> {
    let text = text.trim();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let points = text.bytes().filter(|byte| *byte == b'.').count();
    let plain = digits > 0 && points <= 1 && digits + points == text.len();
    plain.then(|| text.parse().ok()).flatten().filter(|number: &f32| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_repetitions_are_read_as_the_specification_writes_them() {
        assert_eq!(repeat_counts("3"), Ok((3, Some(3))));
        assert_eq!(repeat_counts(" 0-1 "), Ok((0, Some(1))));
        assert_eq!(repeat_counts("2-"), Ok((2, None)));
        assert_eq!(repeat_counts("99999999999"), Ok((u32::MAX, Some(u32::MAX))));
        for wrong in ["", "-", "-3", "a", "1-b", "5-3", "1-2-3", "+1"] {
            assert!(repeat_counts(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn weights_are_plain_decimals() {
        assert_eq!(
            [decimal("1"), decimal(" 10. "), decimal(".5"), decimal("2.25")].map(Option::unwrap),
            [1.0, 10.0, 0.5, 2.25]
        );
        for wrong in ["", ".", "1e5", "-1", "nan", "inf", "1.2.3"] {
            assert_eq!(decimal(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn rule_names_can_stand_in_a_script() {
        assert!(is_rule_name("city_2") && is_rule_name("城市") && is_rule_name("_x"));
        assert!(!is_rule_name("") && !is_rule_name("a-b") && !is_rule_name("a.b") && !is_rule_name("2nd"));
    }
}
