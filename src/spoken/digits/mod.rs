//! Strings of digits as people say them, and as they like them read back.
//!
//! ```text
//!   "it's four two oh double five"   42055      "forty two seventeen"     4217
//!   "four hundred and five"          405        "for to won ate"          4218   (what recognisers write)
//!   "尾号是幺三八零零"                 13800      "二十三"                   23
//! ```

use crate::grammar::normalize::is_mandarin;
use crate::language::Language;
use crate::understand::Fit;

mod english;
mod mandarin;

/// What a text came to: digits, and whether its last words could still change or lengthen them.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    digits: String,
    /// The last word asks for another ("double…"), or may still take one in ("twenty…").
    open: bool,
}

/// Digits heard in `text`: "four two oh double five" → `42055`. The value is there only when there are `min` to `max`
/// of them and nothing but courtesy ("it's", "my card ends in", "please") stands among them. The fit tells
/// end-pointing whether they are complete:
///
/// * `Full`: `max` digits, and none of them can still change;
/// * `Prefix`: fewer, or the last word is open ("double", "twenty"): the caller may go on;
/// * `None`: other words, or too many digits.
pub fn heard(text: &str, language: &Language, min: usize, max: usize) -> (Option<String>, Fit) {
    let read = match language {
        _ if is_mandarin(language) => mandarin::read(text),
        _ => english::read(text),
    };
    match read {
        Some(Read { digits, open: false }) if digits.len() == max && max >= min => (Some(digits), Fit::Full),
        Some(Read { digits, open }) if digits.len() <= max => {
            let complete = digits.len() >= min && !digits.is_empty() && !(open && digits.len() < min);
            (complete.then_some(digits), Fit::Prefix)
        }
        _ => (None, Fit::None),
    }
}

/// Digits to be spoken one by one, in groups a listener can hold: "four two one seven", "one three eight, zero zero
/// one three, eight zero zero zero". Anything but an ASCII digit is passed over.
pub fn said(digits: &str, language: &Language) -> String {
    let digits: Vec<usize> = digits.bytes().filter(u8::is_ascii_digit).map(|digit| usize::from(digit - b'0')).collect();
    let (names, between, pause) = match language.primary() {
        "en" => (&english::NAMES, " ", ", "),
        "zh" | "cmn" => (&mandarin::NAMES, "", "，"),
        _ => (&PLAIN, " ", ", "),
    };
    let mut rest = digits.as_slice();
    let mut spoken = Vec::new();
    for length in groups(digits.len()) {
        let (group, after) = rest.split_at(length);
        spoken.push(group.iter().map(|digit| names[*digit]).collect::<Vec<_>>().join(between));
        rest = after;
    }
    spoken.join(pause)
}

/// For languages without names of their own: most synthesisers read a lone digit well.
const PLAIN: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// Lengths of the groups `count` digits are read in: up to five at once, else fours, or threes ending in fours
/// (3-3-4 for ten, 3-4-4 for eleven, as telephone numbers are read in America and in China).
fn groups(count: usize) -> Vec<usize> {
    match count {
        0 => Vec::new(),
        1..=5 => vec![count],
        _ if count.is_multiple_of(4) => vec![4; count / 4],
        _ => {
            let fours = count % 3;
            let threes = (count - 4 * fours) / 3;
            [vec![3; threes], vec![4; fours]].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english(text: &str, min: usize, max: usize) -> (Option<String>, Fit) {
        heard(text, &Language::english(), min, max)
    }

    #[test]
    fn a_fixed_length_is_full_when_met_and_a_prefix_before() {
        assert_eq!(english("four two one seven", 4, 4), (Some("4217".into()), Fit::Full));
        assert_eq!(english("four two one", 4, 4), (None, Fit::Prefix));
        assert_eq!(english("four two one seven nine", 4, 4), (None, Fit::None));
        assert_eq!(english("", 4, 4), (None, Fit::Prefix));
    }

    #[test]
    fn between_the_least_and_the_most_the_caller_may_go_on() {
        assert_eq!(english("four two one", 2, 6), (Some("421".into()), Fit::Prefix));
        assert_eq!(english("four two one four two one", 2, 6), (Some("421421".into()), Fit::Full));
    }

    #[test]
    fn an_open_last_word_waits_for_its_partner() {
        assert_eq!(english("forty two twenty", 4, 4), (Some("4220".into()), Fit::Prefix));
        assert_eq!(english("four two double", 2, 4), (Some("42".into()), Fit::Prefix));
        assert_eq!(english("four two double one", 2, 4), (Some("4211".into()), Fit::Full));
    }

    #[test]
    fn other_words_are_not_digits() {
        assert_eq!(english("I want to talk to a person", 4, 4), (None, Fit::None));
        assert_eq!(english("four two pizza seven", 4, 4), (None, Fit::None));
    }

    #[test]
    fn digits_are_read_back_singly_in_groups() {
        let said_in = |digits, tag: &str| said(digits, &Language::parse(tag).unwrap());
        assert_eq!(said_in("4217", "en-US"), "four two one seven");
        assert_eq!(said_in("2025550123", "en-US"), "two zero two, five five five, zero one two three");
        assert_eq!(said_in("13800138000", "zh-CN"), "幺三八，零零幺三，八零零零");
        assert_eq!(said_in("42", "de"), "4 2");
        assert_eq!(said_in("", "en"), "");
        assert_eq!(said_in("4-2", "en"), "four two");
    }

    #[test]
    fn what_is_read_back_is_heard_again() {
        for tag in ["en-US", "zh-CN"] {
            let language = Language::parse(tag).unwrap();
            for digits in ["0", "42", "4217", "000111", "2025550123", "13800138000", "4111111111111111"] {
                let (back, fit) = heard(&said(digits, &language), &language, digits.len(), digits.len());
                assert_eq!((back.as_deref(), fit), (Some(digits), Fit::Full), "{tag}");
            }
        }
    }
}
