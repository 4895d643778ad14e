//! English digit strings.

use super::Read;
use crate::grammar::normalize::words;
use crate::language::Language;

/// Names to speak.
pub const NAMES: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// Other words for a digit.
const ALIASES: &[(&str, u8)] =
    &[("oh", 0), ("o", 0), ("nought", 0), ("naught", 0), ("aught", 0), ("nil", 0), ("null", 0), ("niner", 9)];

/// What recognisers write for a digit. Believed only when everything around is digits.
const HOMOPHONES: &[(&str, u8)] = &[
    ("won", 1),
    ("to", 2),
    ("too", 2),
    ("tree", 3),
    ("free", 3),
    ("for", 4),
    ("fore", 4),
    ("fife", 5),
    ("sex", 6),
    ("sicks", 6),
    ("ate", 8),
];

const TEENS: [&str; 10] = [
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
];
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// Words people put around their digits.
const COURTESY: &[&str] = &[
    "it", "is", "its", "the", "my", "yes", "yeah", "okay", "so", "well", "please", "thanks", "thank", "you", "sure",
    "number", "numbers", "card", "account", "code", "pin", "id", "digits", "digit", "are", "ends", "ending", "end", "in",
    "with", "starts", "last", "first", "that", "would", "be", "and", "then", "here", "of", "phone", "telephone", "zip",
    "this", "member", "customer", "order", "reference", "case", "hi", "hello", "there", "i", "think", "have", "space",
    "dash", "hyphen", "i'm", "by", "on", "a", "for", "to", "now", "security", "access", "pass", "passcode", "birth",
];

/// One word's part in a number.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// One digit, named.
    Digit(u8),
    /// One digit, if the rest are digits too.
    Maybe(u8),
    /// 10 to 19.
    Teen(u8),
    /// 20 to 90.
    Tens(u8),
    Hundred,
    Thousand,
    /// The next digit so many times.
    Times(usize),
    /// Written in figures.
    Figures(String),
    Courtesy,
}

/// Reads `text`; `None` when other words are in it.
pub fn read(text: &str) -> Option<Read> {
    let spelled = text.replace(['-', '.', ','], " ");
    let words = without_counts(words(&spelled, &Language::english()));
    let parts: Vec<Part> = words.iter().map(|word| part(word)).collect::<Option<_>>()?;
    let parts = without_frames(&parts)?;
    Some(Reader { parts: &parts, at: 0, read: Read { digits: String::new(), open: false } }.run())
}

/// "The last four digits are…" names a count, not a digit.
fn without_counts(words: Vec<String>) -> Vec<String> {
    let is_count = |at: usize| {
        at > 0
            && matches!(words[at - 1].as_str(), "last" | "first" | "final")
            && words.get(at + 1).is_some_and(|next| ["digits", "numbers", "are", "is", "of"].contains(&next.as_str()))
    };
    words.iter().enumerate().filter(|(at, _)| !is_count(*at)).map(|(_, word)| word.clone()).collect()
}

fn part(word: &str) -> Option<Part> {
    let place = |names: &[&str]| names.iter().position(|name| *name == word).map(|place| place as u8);
    let alias = |names: &[(&str, u8)]| names.iter().find(|(name, _)| *name == word).map(|(_, digit)| *digit);
    if let Some(digit) = place(&NAMES).or_else(|| alias(ALIASES)) {
        return Some(Part::Digit(digit));
    }
    if let Some(digit) = alias(HOMOPHONES) {
        return Some(Part::Maybe(digit));
    }
    let compound = place(&TEENS).map(|teen| Part::Teen(10 + teen));
    let compound = compound.or_else(|| place(&TENS).map(|tens| Part::Tens(20 + 10 * tens)));
    compound.or_else(|| match word {
        "hundred" => Some(Part::Hundred),
        "thousand" => Some(Part::Thousand),
        "double" => Some(Part::Times(2)),
        "triple" | "treble" => Some(Part::Times(3)),
        "quadruple" => Some(Part::Times(4)),
        _ if word.bytes().all(|byte| byte.is_ascii_digit()) => Some(Part::Figures(word.to_owned())),
        _ if COURTESY.contains(&word) => Some(Part::Courtesy),
        _ => None,
    })
}

/// Takes courtesy away. Homophones before the first or after the last sure digit belong to it ("the code for my card
/// is…") when courtesy stands among them, and so do all of them when it stands among the digits; a homophone that is
/// no courtesy word by itself ("tree") then makes the whole text foreign.
fn without_frames(parts: &[Part]) -> Option<Vec<Part>> {
    let after_lead = parts.iter().position(|part| *part != Part::Courtesy).unwrap_or(parts.len());
    let before_tail = parts.iter().rposition(|part| *part != Part::Courtesy).map_or(after_lead, |last| last + 1);
    let middle = &parts[after_lead..before_tail.max(after_lead)];
    if !middle.contains(&Part::Courtesy) {
        return Some(middle.iter().map(sure).collect());
    }
    let mut kept = Vec::new();
    for (at, part) in middle.iter().enumerate() {
        let number_follows = matches!(middle.get(at + 1), Some(Part::Hundred | Part::Thousand));
        match part {
            Part::Courtesy => {}
            Part::Maybe(2 | 4) if !number_follows => {} // to, too, for
            Part::Maybe(_) => return None,
            part => kept.push(part.clone()),
        }
    }
    Some(kept)
}

fn sure(part: &Part) -> Part {
    match part {
        Part::Maybe(digit) => Part::Digit(*digit),
        part => part.clone(),
    }
}

/// Turns parts into digits, left to right.
struct Reader<'a> {
    parts: &'a [Part],
    at: usize,
    read: Read,
}

impl Reader<'_> {
    fn run(mut self) -> Read {
        while self.at < self.parts.len() {
            self.read.open = false;
            if let Some(times) = self.times() {
                self.repeat(times);
            } else {
                self.number();
            }
        }
        self.read
    }

    fn times(&mut self) -> Option<usize> {
        let Some(Part::Times(times)) = self.parts.get(self.at) else { return None };
        self.at += 1;
        Some(*times)
    }

    fn repeat(&mut self, times: usize) {
        let digit = match self.parts.get(self.at) {
            Some(Part::Digit(digit)) => char::from(b'0' + digit),
            Some(Part::Figures(figures)) if figures.len() == 1 => figures.chars().next().unwrap_or('0'),
            _ => {
                self.read.open = true;
                return;
            }
        };
        self.at += 1;
        self.read.digits.extend(std::iter::repeat_n(digit, times));
    }

    /// "forty two", "four hundred and five", "four thousand two hundred", "oh", "42".
    fn number(&mut self) {
        let Some(mut text) = self.below_hundred() else {
            // "hundred" by itself is what is left of "a hundred".
            text_of_lone(self.parts.get(self.at), &mut self.read.digits);
            self.at += 1;
            return;
        };
        for (part, digits) in [(Part::Thousand, 3), (Part::Hundred, 2)] {
            if self.parts.get(self.at) == Some(&part) && text.len() <= 2 + 3 - digits {
                self.at += 1;
                text = self.scaled(&text, digits);
            }
        }
        self.read.digits.push_str(&text);
    }

    /// `text` hundreds or thousands, and what follows that fits in the places they leave.
    fn scaled(&mut self, text: &str, places: usize) -> String {
        self.read.open = self.at >= self.parts.len();
        let zero_first = self.parts.get(self.at) == Some(&Part::Digit(0));
        let before = self.at;
        self.at += usize::from(zero_first);
        let mut rest = match self.below_hundred() {
            Some(rest) => rest,
            None => {
                self.at = before;
                String::new()
            }
        };
        if places == 3 && self.parts.get(self.at) == Some(&Part::Hundred) && rest.len() == 1 {
            self.at += 1;
            rest = self.scaled(&rest, 2);
        }
        // In "five hundred five hundred" the second five begins its own number.
        let begins_next = matches!(self.parts.get(self.at), Some(Part::Hundred | Part::Thousand)) && !rest.is_empty();
        if rest.len() > places || begins_next {
            self.at = before;
            rest.clear();
        }
        format!("{text}{rest:0>places$}")
    }

    fn below_hundred(&mut self) -> Option<String> {
        let text = match self.parts.get(self.at)? {
            Part::Digit(digit) => digit.to_string(),
            Part::Teen(teen) => teen.to_string(),
            Part::Figures(figures) => figures.clone(),
            Part::Tens(tens) => match self.parts.get(self.at + 1) {
                Some(Part::Digit(digit @ 1..)) => {
                    self.at += 1;
                    (tens + digit).to_string()
                }
                next => {
                    self.read.open = next.is_none();
                    tens.to_string()
                }
            },
            _ => return None,
        };
        self.at += 1;
        Some(text)
    }
}

fn text_of_lone(part: Option<&Part>, into: &mut String) {
    match part {
        Some(Part::Hundred) => into.push_str("100"),
        Some(Part::Thousand) => into.push_str("1000"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Option<String> {
        read(text).map(|read| read.digits)
    }

    #[test]
    fn digits_as_people_say_them() {
        for (text, expected) in [
            ("four two one seven", "4217"),
            ("4 2 1 7", "4217"),
            ("4217", "4217"),
            ("42-17", "4217"),
            ("4,217", "4217"),
            ("four two oh double five", "42055"),
            ("O one nought zero", "0100"),
            ("triple seven", "777"),
            ("twenty three", "23"),
            ("twenty-three", "23"),
            ("forty two seventeen", "4217"),
            ("nineteen eighty four", "1984"),
            ("twenty twenty", "2020"),
            ("four hundred", "400"),
            ("four hundred and five", "405"),
            ("four hundred oh five", "405"),
            ("four hundred twenty three", "423"),
            ("forty two hundred", "4200"),
            ("four thousand two hundred seventeen", "4217"),
            ("four thousand and seventeen", "4017"),
            ("a hundred", "100"),
            ("five hundred five hundred", "500500"),
            ("six five 43 two", "65432"),
            ("Um, it's four, two, uh, one seven please.", "4217"),
            ("my card ends in 4 2 1 7", "4217"),
            ("the last four digits are 4217", "4217"),
            ("the last four are four two one seven thanks", "4217"),
            ("double 5 double 6", "5566"),
        ] {
            assert_eq!(digits(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn homophones_count_among_digits_only() {
        assert_eq!(digits("for to won ate").as_deref(), Some("4218"));
        assert_eq!(digits("it's for two one seven").as_deref(), Some("4217"));
        assert_eq!(digits("sex fife tree too").as_deref(), Some("6532"));
        assert_eq!(digits("the code for my card is 4217").as_deref(), Some("4217"));
        assert_eq!(digits("free my card 4"), None);
        assert_eq!(digits("for the weather"), None);
    }

    #[test]
    fn courtesy_alone_is_no_digit_yet() {
        assert_eq!(read("it's um"), Some(Read { digits: String::new(), open: false }));
        assert_eq!(read("my card number is").map(|read| read.digits), Some(String::new()));
    }

    #[test]
    fn strange_words_never_panic() {
        for text in ["double", "double double", "hundred hundred", "thousand", "double hundred", "½", "٣", "99999 hundred"] {
            let _ = read(text);
        }
    }
}
