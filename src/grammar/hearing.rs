//! Built-ins inside a grammar: what one hears in the middle of an utterance.
//!
//! ```text
//!   grammar    pay $<builtin:grammar/amount> on $<builtin:grammar/date>
//!   said       pay  two hundred dollars       on  friday
//!                   └── asked here: 200, 2, …     └── asked here
//! ```
//!
//! A built-in reads the text as it was said, for "$12.50" is no longer money once it is words. It is asked for all that
//! follows and for each of the next few words as an end, so that a grammar may stop it early.

use std::ops::Range;

use jiff::civil::DateTime;

use crate::language::Language;
use crate::spoken::heard::{Fit, find};
use crate::value::{Amount, Currency, Value};

use super::ast::Mode;
use super::automaton::BuiltinCall;
use super::builtin::{Keys, Kind, keys, say_back};
use super::normalize::is_mandarin;
use super::words;

/// Most words a built-in is stopped early at. No date and no sum is longer.
const MAX_STOPS: usize = 10;

/// What was said: words as they are compared, and the text they stand for.
#[derive(Clone, Debug)]
pub struct Said {
    /// The text.
    pub text: String,
    /// Its words as they are compared, or keys.
    pub words: Vec<String>,
    /// The bytes of the text each word stands for. "I'd" is two words of the same bytes.
    pub bytes: Vec<Range<usize>>,
    /// The language it was said in.
    pub language: Language,
    /// Said, or typed?
    pub mode: Mode,
}

impl Said {
    /// Splits an utterance.
    pub fn spoken(text: &str, language: &Language) -> Self {
        let (mut words, mut bytes) = (Vec::new(), Vec::new());
        for piece in pieces(text, is_mandarin(language)) {
            for word in words::compared(&text[piece.clone()], language) {
                words.push(word);
                bytes.push(piece.clone());
            }
        }
        Self { text: text.to_owned(), words, bytes, language: language.clone(), mode: Mode::Voice }
    }

    /// Splits keys; `None` when one of them is none.
    pub fn typed(text: &str, language: &Language) -> Option<Self> {
        let words = words::keys(text).ok()?;
        let bytes = (0..words.len()).map(|key| key..key + 1).collect();
        Some(Self { text: words.concat(), words, bytes, language: language.clone(), mode: Mode::Dtmf })
    }

    /// Forgets all but the first `count` words, and the text behind them: built-ins would read it from every word on.
    pub fn truncate(&mut self, count: usize) {
        if count < self.words.len() {
            self.words.truncate(count);
            self.bytes.truncate(count);
            self.text.truncate(self.bytes.last().map_or(0, |bytes| bytes.end));
        }
    }

    /// How many words after `from` end with byte `end`; `None` when it cuts a word in two.
    fn words_until(&self, from: usize, end: usize) -> Option<usize> {
        let whole = self.bytes[from..].iter().take_while(|bytes| bytes.end <= end).count();
        let cut = self.bytes.get(from + whole).is_some_and(|next| next.start < end);
        (!cut).then_some(whole)
    }
}

/// The stretches of a text that are words by themselves: in Mandarin each character is one.
fn pieces(text: &str, mandarin: bool) -> Vec<Range<usize>> {
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut grows = false;
    for (at, letter) in text.char_indices() {
        let end = at + letter.len_utf8();
        let mark = "'’‘ʼ`＇".contains(letter);
        let alone =
            mandarin && letter.is_alphanumeric() && !letter.is_ascii() && !('\u{ff00}'..='\u{ff5e}').contains(&letter);
        let word = letter.is_alphanumeric() || (mark && !mandarin);
        match pieces.last_mut() {
            Some(last) if word && grows && !alone => last.end = end,
            _ if word => pieces.push(at..end),
            _ => {}
        }
        grows = word && !alone;
    }
    pieces
}

/// What a built-in has heard.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// How many words it takes.
    pub words: usize,
    /// What they mean; `None` when they are only the beginning of something.
    pub value: Option<Value>,
    /// Does the end of the utterance call for more of it?
    pub open: bool,
    /// How likely, as a natural logarithm: at most 0.
    pub weight: f32,
}

/// Everything `call` may hear from word `from` on. `now` is the caller's clock.
pub fn hear(call: &BuiltinCall, said: &Said, from: usize, now: DateTime) -> Vec<Heard> {
    match said.mode {
        Mode::Voice => hear_words(call, said, from, now),
        Mode::Dtmf => hear_keys(call, said, from, now),
    }
}

fn hear_words(call: &BuiltinCall, said: &Said, from: usize, now: DateTime) -> Vec<Heard> {
    // The caller's own tag knows their region, and with it their money; the grammar's knows the language of its parts.
    let same = said.language.primary() == call.language.primary();
    let language = if same { &said.language } else { &call.language };
    // A currency sign belongs to the word behind it.
    let start = if from == 0 { 0 } else { said.bytes[from - 1].end.min(said.bytes[from].start) };
    let mut heard: Vec<Heard> = Vec::new();
    let mut ends: Vec<usize> = (from + 1..=said.words.len()).take(MAX_STOPS).collect();
    if ends.last() != Some(&said.words.len()) {
        ends.push(said.words.len());
    }
    for end in ends.into_iter().rev() {
        let last = end == said.words.len();
        let stop = if last { said.text.len() } else { said.bytes[end - 1].end };
        let text = &said.text[start..stop];
        for found in find(text, &call.kind, language, now) {
            let begins = start + found.bytes.start <= said.bytes[from].start;
            let count = said.words_until(from, start + found.bytes.end).filter(|count| *count > 0 && begins);
            let Some(count) = count.filter(|count| last || *count == end - from) else { continue };
            let value = (found.value != Value::Nothing).then_some(found.value);
            let open = last && found.fit == Fit::Prefix;
            if heard.iter().any(|known| known.words == count && known.value == value) {
                continue;
            }
            heard.push(Heard { words: count, value, open, weight: found.sure.clamp(1e-3, 1.0).ln() });
        }
    }
    heard
}

fn hear_keys(call: &BuiltinCall, said: &Said, from: usize, now: DateTime) -> Vec<Heard> {
    let mut heard = Vec::new();
    for end in from + 1..=said.words.len() {
        let last = end == said.words.len();
        let (value, open, done) = match keys(&call.kind, &said.text[from..end], now) {
            Keys::Complete(value) => (Some(value), false, true),
            Keys::More(value) => (value, last, false),
            Keys::Wrong | Keys::Ignored => break,
        };
        heard.push(Heard { words: end - from, value, open, weight: 0.0 });
        if done {
            break;
        }
    }
    heard
}

/// Phrases a built-in hears, one for each of a few ordinary values.
pub fn examples(call: &BuiltinCall, now: DateTime) -> Vec<String> {
    let today = now.date();
    let digits = |count: usize| "4072915836".chars().cycle().take(count).collect::<String>();
    let values = match &call.kind {
        Kind::Boolean => vec![Value::Boolean(true), Value::Boolean(false)],
        Kind::Digits { min, max } => vec![Value::Digits(digits(*min)), Value::Digits(digits((*max).min(min + 4)))],
        Kind::Number { .. } => [1, 2, 5, 12, 40].map(Value::Integer).to_vec(),
        Kind::Amount { currency, .. } => {
            let currency = currency.unwrap_or_else(|| crate::spoken::home_currency(&call.language));
            let sum = |currency: Currency, whole: i64| {
                Value::Amount(Amount { minor: whole * 10_i64.pow(currency.decimals()), currency })
            };
            [20, 50, 150, 300].map(|whole| sum(currency, whole)).to_vec()
        }
        Kind::Date { .. } => [-1, 0, 1, 10]
            .iter()
            .filter_map(|days| today.checked_add(jiff::Span::new().days(*days)).ok())
            .map(Value::Date)
            .collect(),
        Kind::Time => [(9, 0), (14, 30)]
            .iter()
            .filter_map(|(hour, minute)| jiff::civil::Time::new(*hour, *minute, 0, 0).ok())
            .map(Value::Time)
            .collect(),
        Kind::Rating { min, max } => (*min..=*max).take(10).map(Value::Integer).collect(),
        Kind::Phone { .. } | Kind::Spelling { .. } | Kind::Moment { .. } => Vec::new(),
    };
    let mut phrases: Vec<String> = values
        .iter()
        .filter(|value| call.kind.accepts(value, today))
        .map(|value| say_back(value, &call.kind, &call.language, today))
        .map(|phrase| phrase.replace([',', '.'], ""))
        .collect();
    phrases.dedup();
    phrases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_know_the_text_they_stand_for() {
        let said = Said::spoken("Um, I'd pay $12.50 now", &Language::english());
        assert_eq!(said.words, ["i", "would", "pay", "12", "50", "now"]);
        assert_eq!(said.bytes[..3], [4..7, 4..7, 8..11]);
        let said = Said::spoken("付ＶＩＳＡ卡12元", &Language::parse("zh-CN").unwrap());
        assert_eq!(said.words, ["付", "visa", "卡", "12", "元"]);
        assert_eq!(&said.text[said.bytes[1].clone()], "ＶＩＳＡ");
    }

    #[test]
    fn splitting_by_pieces_is_splitting_the_whole() {
        let texts = [
            "I'd like to; can't you?  what's UP",
            "rock 'n' roll -- 3.50",
            "请问，我的VISA卡１２３是多少？abc余额",
            "Ünïcode naïve İ",
            "’’' a'b",
            "1千5百",
        ];
        for text in texts {
            for language in ["en-US", "zh-CN", "de-DE"] {
                let language = Language::parse(language).unwrap();
                assert_eq!(Said::spoken(text, &language).words, words::compared(text, &language), "{text}");
            }
        }
    }
}
