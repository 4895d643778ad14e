//! Is what was said what we expect, however it is written?

use pinyin::ToPinyin;

use crate::dialplan::step::Hearing;
use crate::grammar::builtin::{self, Kind, When};
use crate::grammar::normalize;
use crate::understand::phonetic::{Sound, misheard};
use crate::value::{Amount, Sort, Value};

/// Two words whose sounds are as near as this are one, misheard. 0..1.
const SAME_SOUND: f32 = 0.6;
/// The same for their spelling, where their sound cannot be told.
const SAME_SPELLING: f64 = 0.92;
/// Digits at the end by which a telephone number is told, with or without its country.
const TELLING_DIGITS: usize = 7;

/// Does an answer fit what is expected?
pub fn fits(answer: &Value, expected: &Value, hearing: &Hearing) -> bool {
    if expected.is_nothing() {
        return false;
    }
    match answer {
        Value::Date(date) => date_of(expected, hearing).is_some_and(|expected| expected == *date),
        Value::Moment(moment) => match expected {
            Value::Moment(expected) => expected == moment,
            other => date_of(other, hearing).is_some_and(|expected| expected == moment.date()),
        },
        Value::Time(time) => match expected {
            Value::Time(expected) => expected == time,
            other => Sort::Time.take(&other.plain()).is_ok_and(|expected| expected == *answer),
        },
        Value::Digits(digits) => !digits.is_empty() && *digits == digits_of(&expected.plain()),
        Value::Phone(number) => same_number(&digits_of(number), &digits_of(&expected.plain())),
        Value::Amount(amount) => match expected {
            Value::Amount(expected) => expected == amount,
            other => Amount::parse(other.plain().trim(), amount.currency) == Some(*amount),
        },
        Value::Integer(_) | Value::Number(_) => match (number_of(answer), number_of(expected)) {
            (Some(answer), Some(expected)) => answer == expected,
            _ => false,
        },
        Value::Boolean(_) => Sort::Boolean.take(&expected.plain()).is_ok_and(|expected| expected == *answer),
        Value::Text(text) => same_words(text, &expected.plain(), hearing),
        Value::Nothing | Value::List(_) | Value::Map(_) => false,
    }
}

/// A day in any of the ways in which lists write it.
fn date_of(value: &Value, hearing: &Hearing) -> Option<jiff::civil::Date> {
    match value {
        Value::Date(date) => Some(*date),
        Value::Moment(moment) => Some(moment.date()),
        other => {
            let text = other.plain();
            if let Ok(Value::Date(date)) = Sort::Date.take(&text) {
                return Some(date);
            }
            let found = builtin::find(&text, &Kind::Date { when: When::Any }, &hearing.language, hearing.now);
            found.into_iter().find_map(|found| match found.value {
                Value::Date(date) => Some(date),
                _ => None,
            })
        }
    }
}

fn number_of(value: &Value) -> Option<f64> {
    value.plain().trim().parse().ok()
}

fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn same_number(one: &str, other: &str) -> bool {
    let long = |number: &str| number.len() >= TELLING_DIGITS;
    // A number dialled at home begins with zeros that it has not abroad; nothing but zeros is no number.
    let ends = |one: &str, other: &str| {
        let other = other.trim_start_matches('0');
        long(other) && one.ends_with(other)
    };
    !one.is_empty() && (one == other || ends(one, other) || ends(other, one))
}

/// Are all words of what we expect among those that were said, in their order, however they were spelled?
fn same_words(said: &str, expected: &str, hearing: &Hearing) -> bool {
    if normalize::is_mandarin(&hearing.language) {
        let (said, expected) = (toneless(said), toneless(expected));
        return !expected.is_empty() && said.windows(expected.len()).any(|part| part == expected);
    }
    let (said, expected) = (normalize::words(said, &hearing.language), normalize::words(expected, &hearing.language));
    let mut left = said.iter();
    !expected.is_empty() && expected.iter().all(|wanted| left.any(|word| alike(word, wanted)))
}

/// Syllables of Mandarin without their tones, anything else letter by letter: 李明 and 黎明 sound alike.
fn toneless(text: &str) -> Vec<String> {
    let sound = |letter: char| match letter.to_pinyin() {
        Some(sound) => sound.plain().to_owned(),
        None => letter.to_lowercase().to_string(),
    };
    text.chars().filter(|letter| letter.is_alphanumeric()).map(sound).collect()
}

fn alike(word: &str, wanted: &str) -> bool {
    if word == wanted {
        return true;
    }
    match (Sound::of(word), Sound::of(wanted)) {
        (Some(one), Some(other)) => misheard((word, &one), (wanted, &other)) >= SAME_SOUND,
        // Short words are told apart by every letter.
        _ => word.len().min(wanted.len()) > 3 && strsim::jaro_winkler(word, wanted) >= SAME_SPELLING,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::fixture::hearing;
    use crate::language::Language;
    use crate::value::Currency;

    fn fit(answer: &Value, expected: &str, language: &str) -> bool {
        let hearing = Hearing { language: Language::parse(language).unwrap(), ..hearing() };
        fits(answer, &Value::text(expected), &hearing)
    }

    #[test]
    fn a_day_fits_however_the_list_writes_it_and_no_other_day_does() {
        let born = Value::Date(jiff::civil::date(1985, 3, 4));
        for written in ["1985-03-04", "1985-03-04T00:00:00", "March 4, 1985", "March 4th 1985"] {
            assert!(fit(&born, written, "en-US"), "{written}");
        }
        assert!(fit(&born, "1985年3月4日", "zh-CN"));
        for written in ["1985-04-03", "1986-03-04", "", "unknown", "4"] {
            assert!(!fit(&born, written, "en-US"), "{written}");
        }
        assert!(!fits(&born, &Value::Nothing, &hearing()));
    }

    #[test]
    fn digits_and_numbers_fit_without_what_stands_between_them() {
        let digits = |text: &str| Value::Digits(text.into());
        assert!(fit(&digits("94110"), "94110", "en-US") && fit(&digits("021234"), "02-12-34", "en-US"));
        assert!(!fit(&digits("4110"), "94110", "en-US"), "a part is not the whole");
        assert!(!fit(&digits(""), "none", "en-US"));
        let phone = |text: &str| Value::Phone(text.into());
        assert!(fit(&phone("+14155550100"), "(415) 555-0100", "en-US"));
        assert!(fit(&phone("4155550100"), "+1 415 555 0100", "en-US"));
        assert!(!fit(&phone("+14155550101"), "+14155550100", "en-US"));
        assert!(!fit(&phone("100"), "+14155550100", "en-US"));
        assert!(
            fit(&phone("02079460958"), "+442079460958", "en-GB") && fit(&phone("5550100"), "+14155550100", "en-US")
        );
        for guess in ["0000000", "0000003", "00000000000", "0555010", "0000000100"] {
            assert!(!fit(&phone(guess), "+12025550103", "en-US"), "{guess}");
            assert!(!fit(&phone(guess), "+14155550100", "en-US"), "{guess}");
        }
        let amount = Value::Amount(Amount { minor: 12_050, currency: Currency::USD });
        assert!(fit(&amount, "120.50", "en-US") && !fit(&amount, "120", "en-US"));
        assert!(fit(&Value::Integer(12), "12", "en-US") && fit(&Value::Integer(12), "12.0", "en-US"));
    }

    #[test]
    fn names_fit_by_how_they_sound_and_strangers_do_not() {
        let said = |said: &str, expected: &str| fit(&Value::text(said), expected, "en-US");
        assert!(said("it's Ada Lovelace", "Ada Lovelace"));
        assert!(said("Catherine Smyth", "Katherine Smith") || said("Katherine Smith", "Katherine Smith"));
        assert!(said("steven", "Stephen"));
        for (other, expected) in [
            ("Lovelace", "Ada Lovelace"),
            ("Lovelace Ada", "Ada Lovelace"),
            ("Bob", "Rob"),
            ("Ann", "Jan"),
            ("", "Ada"),
            ("Ada", ""),
        ] {
            assert!(!said(other, expected), "{other} for {expected}");
        }
        let mandarin = |said: &str, expected: &str| fit(&Value::text(said), expected, "zh-CN");
        assert!(mandarin("我叫黎明", "李明") && mandarin("李明", "李明"));
        assert!(!mandarin("李红", "李明"));
    }
}
