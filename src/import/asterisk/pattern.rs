//! Extension patterns: `_1XX` is any extension of three digits that begins with 1.

/// What a pattern takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// The whole of it as a regular expression.
    regex: String,
    /// Its fewest and most digits.
    pub least: u32,
    pub most: u32,
    /// How many keys it leaves open: Asterisk takes the tightest pattern first.
    open: u32,
}

/// Longest string of digits that a plan asks for.
const MOST_DIGITS: u32 = 40;

/// A number that begins with its country code: called numbers do, and no caller presses a plus.
pub(super) fn is_international(pattern: &str) -> bool {
    pattern.strip_prefix('_').unwrap_or(pattern).starts_with('+')
}

/// The plus of such a number, in a regular expression.
const PLUS: &str = "[+]";

impl Pattern {
    /// `100`, `_1XX` or `_+1NXXNXXXXXX`; `None` where a key is named that is no digit.
    pub fn parse(pattern: &str) -> Option<Self> {
        let plus = if is_international(pattern) { PLUS } else { "" };
        let Some(open) = pattern.strip_prefix('_') else {
            let number = pattern.strip_prefix('+').unwrap_or(pattern);
            let digits = u32::try_from(number.len()).ok()?;
            let sound = digits > 0 && digits <= MOST_DIGITS && number.bytes().all(|byte| byte.is_ascii_digit());
            return sound.then(|| Self { regex: format!("^{plus}{number}$"), least: digits, most: digits, open: 0 });
        };
        let mut parsed = Self { regex: format!("^{plus}"), least: 0, most: 0, open: 0 };
        let mut letters = open.strip_prefix('+').unwrap_or(open).chars();
        while let Some(letter) = letters.next() {
            let (one, choices) = match letter.to_ascii_uppercase() {
                'X' => ("[0-9]".to_owned(), 9),
                'Z' => ("[1-9]".to_owned(), 8),
                'N' => ("[2-9]".to_owned(), 7),
                '0'..='9' => (letter.to_string(), 0),
                '-' => continue,
                '[' => {
                    let inside: String = letters.by_ref().take_while(|letter| *letter != ']').collect();
                    let sound =
                        !inside.is_empty() && inside.chars().all(|letter| letter.is_ascii_digit() || letter == '-');
                    if !sound || inside.starts_with('-') || inside.ends_with('-') {
                        return None;
                    }
                    (format!("[{inside}]"), 5)
                }
                '.' | '!' => {
                    parsed.regex.push_str(if letter == '.' { "[0-9]+" } else { "[0-9]*" });
                    parsed.least += u32::from(letter == '.');
                    parsed.most = MOST_DIGITS;
                    parsed.open += 1_000;
                    break;
                }
                _ => return None,
            };
            parsed.regex.push_str(&one);
            parsed.least += 1;
            parsed.most += 1;
            parsed.open += choices;
        }
        parsed.regex.push('$');
        let sound = parsed.most > 0 && parsed.least <= MOST_DIGITS;
        parsed.most = parsed.most.min(MOST_DIGITS);
        sound.then_some(parsed)
    }

    /// How little it says: patterns are tried from the tightest to the loosest.
    pub const fn looseness(&self) -> u32 {
        self.open
    }

    /// The condition that a name holds such a number.
    pub fn condition(&self, name: &str) -> String {
        match self.open {
            0 => format!("{name} == \"{}\"", self.regex.trim_matches(['^', '$']).replace(PLUS, "+")),
            _ => format!("{name}.matches(\"{}\")", self.regex),
        }
    }

    /// Is this number one of them?
    pub fn takes(&self, number: &str) -> bool {
        regex_lite(&self.regex, number)
    }
}

/// Matches the few forms that [`Pattern`] writes.
fn regex_lite(regex: &str, text: &str) -> bool {
    let mut pattern = regex.trim_start_matches('^').trim_end_matches('$');
    let mut digits = text.chars();
    while let Some(letter) = pattern.chars().next() {
        if letter != '[' {
            if digits.next() != Some(letter) {
                return false;
            }
            pattern = &pattern[letter.len_utf8()..];
            continue;
        }
        let end = pattern.find(']').unwrap_or(pattern.len() - 1);
        let class = &pattern[1..end];
        pattern = &pattern[end + 1..];
        let rest = digits.as_str();
        match pattern.chars().next() {
            Some('+') => return !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()),
            Some('*') => return rest.bytes().all(|byte| byte.is_ascii_digit()),
            _ => {}
        }
        if !digits.next().is_some_and(|digit| in_class(class, digit)) {
            return false;
        }
    }
    digits.next().is_none()
}

fn in_class(class: &str, digit: char) -> bool {
    let letters: Vec<char> = class.chars().collect();
    (0..letters.len()).any(|place| match letters.get(place + 1) {
        Some('-') => letters.get(place + 2).is_some_and(|end| (letters[place]..=*end).contains(&digit)),
        _ => letters[place] == digit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::condition::Condition;

    #[test]
    fn patterns_take_what_asterisk_lets_them_take() {
        for (pattern, bounds, takes, refuses) in [
            ("100", (3, 3), vec!["100"], vec!["10", "1000", "101"]),
            ("_1XX", (3, 3), vec!["100", "199"], vec!["200", "10"]),
            ("_[2-46]Z", (2, 2), vec!["29", "31", "61"], vec!["50", "20"]),
            ("_9NXX-XXXX", (8, 8), vec!["92001234"], vec!["91001234"]),
            ("_0.", (2, 40), vec!["01", "0123456789"], vec!["0", "1"]),
            ("_X!", (1, 40), vec!["5", "512"], vec![""]),
            ("+12025550143", (11, 11), vec!["+12025550143"], vec!["12025550143", "+1202555014"]),
            ("_+1NXX555XXXX", (11, 11), vec!["+12025550143"], vec!["12025550143", "+11025550143"]),
            ("_+X.", (2, 40), vec!["+12", "+861012345678"], vec!["+", "+1", "12"]),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!((parsed.least, parsed.most), bounds, "{pattern}");
            takes.iter().for_each(|number| assert!(parsed.takes(number), "{pattern} {number}"));
            refuses.iter().for_each(|number| assert!(!parsed.takes(number), "{pattern} {number}"));
            Condition::parse(&parsed.condition("extension")).unwrap();
        }
        assert_eq!(Pattern::parse("+12").unwrap().condition("called"), "called == \"+12\"");
        for none in [
            "",
            "_",
            "+",
            "_+",
            "_1+2",
            "s",
            "*72",
            "_*X",
            "_[a-c]",
            "_[]",
            "_[-1]",
            "12345678901234567890123456789012345678901",
        ] {
            assert_eq!(Pattern::parse(none), None, "{none}");
        }
        let looseness = |pattern| Pattern::parse(pattern).unwrap().looseness();
        assert!(looseness("100") < looseness("_10X") && looseness("_10X") < looseness("_1XX"));
        assert!(looseness("_XXXX") < looseness("_1."));
    }
}
