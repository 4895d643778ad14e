//! Telephone numbers as people write them in lists: which number of the world that is, or why it is none.
//!
//! ```text
//!  (202) 555-0143   in the US      +12025550143
//!  020 7946 0143    in Britain     +442079460143
//!  0086 139 0001 1234              +8613900011234
//!  911, 202-555-CALL, 555-0143 x12 a sentence that says what is wrong
//! ```
//!
//! The tables are libphonenumber's (`data/README.md`): how many digits a number has by its first three, and what is
//! dialled before it. Whether somebody has the number, they cannot say. A number that begins like none is told, never
//! mended.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Most digits of a number (ITU-T E.164).
const MOST_DIGITS: usize = 15;
/// So many digits or fewer that fit no plan are a short number: a service, not a person.
const SHORT: usize = 6;

/// Why something is no number that can be called. Each is a sentence about "it", and none repeats the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotANumber {
    /// Nothing stands there.
    #[error("there is no number")]
    Empty,
    /// Letters, or other signs that no number has.
    #[error("it has letters or signs that no telephone number has; write its digits only")]
    Letters,
    /// Behind a switchboard.
    #[error(
        "it has an extension, and nobody can be asked for there; give the direct number, or remove the extension to \
         call the switchboard"
    )]
    Extension,
    /// `2.02556E+09`.
    #[error("a spreadsheet has rounded it and its last digits are lost; format the column as text and export it again")]
    Rounded,
    /// Two in one cell.
    #[error("there are several numbers in one cell; give each a column of its own")]
    Several,
    /// 911, 112, 110.
    #[error("it is an emergency number, and those are never called")]
    Emergency,
    /// 611, 95588.
    #[error("it is a short number of a service, and those are never called")]
    Short,
    /// Digits are missing.
    #[error("it is too short for a number of {0}; is its area code missing?")]
    TooShort(&'static str),
    /// There are too many.
    #[error("it is too long for a number of {0}; if it begins with the code of a country, write a `+` before it")]
    TooLong(&'static str),
    /// Not with these digits.
    #[error("no number of {0} begins so")]
    Unused(&'static str),
    /// A `+`, and then no calling code.
    #[error("it begins with the code of no country")]
    NoCountry,
    /// Without a `+`, and nobody said where.
    #[error("it has no `+` and its country is not known; give the campaign a `region`")]
    NoRegion,
}

/// One country's way of dialling.
#[derive(Clone, Copy, Debug)]
struct Dialling {
    country: &'static str,
    code: &'static str,
    before: &'static str,
    abroad: &'static str,
    emergency: &'static str,
}

/// Is `country` (`US`) one whose numbers are known?
pub fn is_country(country: &str) -> bool {
    TABLES.dialling.contains_key(country)
}

/// Every country whose numbers are known.
pub fn countries() -> impl Iterator<Item = &'static str> {
    TABLES.dialling.keys().copied()
}

/// The number that `text` is to somebody in `country` (`US`), as E.164 with its `+`.
///
/// # Errors
///
/// Why it is none, without repeating it.
pub fn parse(text: &str, country: &str) -> Result<String, NotANumber> {
    let bare = bare(text)?;
    let tables = &*TABLES;
    let home = tables.dialling.get(country);
    let digits = bare.digits.as_str();
    let is_emergency = |plan: &Dialling| plan.emergency.split(',').any(|number| number == digits);
    if digits.len() == 3 && home.map_or_else(|| tables.dialling.values().any(is_emergency), is_emergency) {
        return Err(NotANumber::Emergency);
    }
    if bare.plus {
        return tables.international(digits);
    }
    let home = home.ok_or(NotANumber::NoRegion)?;
    if let Some(abroad) = digits.strip_prefix(home.abroad).filter(|_| !home.abroad.is_empty()) {
        match tables.international(abroad) {
            // A number at home may begin like a call abroad.
            Err(why) if tables.national(home, digits).is_err() => return Err(why),
            Err(_) => {}
            found => return found,
        }
    }
    tables.national(home, digits)
}

struct Bare {
    plus: bool,
    digits: String,
}

/// The digits alone.
fn bare(text: &str) -> Result<Bare, NotANumber> {
    let text = text.trim().trim_start_matches('\'');
    let text = text.strip_prefix("tel:").unwrap_or(text);
    // A spreadsheet's number of ten digits is sometimes exported with a fraction.
    let text = text.strip_suffix(".0").filter(|whole| whole.bytes().all(|byte| byte.is_ascii_digit())).unwrap_or(text);
    let mut found = Bare { plus: false, digits: String::with_capacity(MOST_DIGITS) };
    let mut rest = text.char_indices();
    while let Some((at, letter)) = rest.next() {
        match letter {
            '0'..='9' => found.digits.push(letter),
            '０'..='９' => found.digits.extend(char::from_digit(letter as u32 - '０' as u32, 10)),
            '+' | '＋' if found.digits.is_empty() && !found.plus => found.plus = true,
            // +44 (0)20: the 0 is for those who call from inside.
            '(' | '（' if found.plus && text[at + letter.len_utf8()..].starts_with("0)") => {
                rest.next();
            }
            _ if between(letter) => {}
            ';' | ',' | '、' | '，' | '；' | '|' if !is_extension(&text[at..]) => return Err(NotANumber::Several),
            _ if !found.digits.is_empty() && is_extension(&text[at..]) => return Err(NotANumber::Extension),
            'e' | 'E' if is_exponent(&text[at + 1..]) => return Err(NotANumber::Rounded),
            _ => return Err(NotANumber::Letters),
        }
    }
    if found.digits.is_empty() {
        return Err(if text.is_empty() { NotANumber::Empty } else { NotANumber::Letters });
    }
    Ok(found)
}

/// What people put between digits, marks of direction among them, which come along when numbers are copied.
fn between(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '-' | '.' | '(' | ')' | '/' | '（' | '）' | '－' | '·' | '\u{2010}'..='\u{2015}')
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// `x12`, `ext. 12`, `;ext=12`, `#12`, `转12`, `分机12`.
fn is_extension(rest: &str) -> bool {
    const WORDS: [&str; 9] = [";ext=", "extension", "extn", "ext", "x", "#", "转", "转接", "分机"];
    let lower = rest.to_lowercase();
    let lower = lower.trim_start_matches([',', ' ']);
    WORDS.iter().filter_map(|word| lower.strip_prefix(word)).any(|number| {
        let number = number.trim_start_matches([' ', '.', ':', '：']);
        (1..=8).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// What follows the E of `2.02556E+09`.
fn is_exponent(rest: &str) -> bool {
    let power = rest.strip_prefix('+').unwrap_or(rest);
    (1..=2).contains(&power.len()) && power.bytes().all(|byte| byte.is_ascii_digit())
}

struct Tables {
    dialling: BTreeMap<&'static str, Dialling>,
    /// Calling code, and a country that has it.
    codes: BTreeMap<&'static str, &'static str>,
    /// Calling code, first and last of the three digits that numbers begin with; bit n: so they have n digits.
    lengths: Vec<(u16, u16, u16, u32)>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let dialling: BTreeMap<&str, Dialling> = super::region::rows(include_str!("data/dialling.tsv"))
        .map(|[country, code, before, abroad, emergency]| {
            (country, Dialling { country, code, before, abroad, emergency })
        })
        .collect();
    let lengths = super::region::rows(include_str!("data/lengths.tsv")).filter_map(|[code, first, last, lengths]| {
        let bits =
            lengths.split(',').filter_map(|length| length.parse::<u32>().ok()).fold(0, |bits, at| bits | 1 << at);
        Some((code.parse().ok()?, first.parse().ok()?, last.parse().ok()?, bits))
    });
    let mut codes = BTreeMap::new();
    for plan in dialling.values() {
        // A code that several share is told by the country it is known for.
        let known = matches!(plan.country, "US" | "GB" | "RU" | "IT" | "FR" | "AU" | "NO" | "MA");
        if known || !codes.contains_key(plan.code) {
            codes.insert(plan.code, plan.country);
        }
    }
    let mut lengths: Vec<_> = lengths.collect();
    lengths.sort_unstable();
    Tables { codes, lengths, dialling }
});

impl Tables {
    /// A number that begins with its calling code.
    fn international(&self, digits: &str) -> Result<String, NotANumber> {
        let (code, country) = (1..=3)
            .filter_map(|length| self.codes.get_key_value(digits.get(..length)?))
            .next()
            .ok_or(if digits.len() <= SHORT { NotANumber::Short } else { NotANumber::NoCountry })?;
        let inside = &digits[code.len()..];
        // Some write the 0 of calls inside the country too.
        let stripped = || inside.strip_prefix(self.dialling[country].before).filter(|rest| rest.len() < inside.len());
        match self.fits(code, inside) {
            true => Ok(format!("+{digits}")),
            false => match stripped().filter(|rest| self.fits(code, rest)) {
                Some(rest) => Ok(format!("+{code}{rest}")),
                None => Err(self.why(code, country, inside)),
            },
        }
    }

    /// A number as it is dialled at home.
    fn national(&self, home: &Dialling, digits: &str) -> Result<String, NotANumber> {
        let after = |prefix: &str| digits.strip_prefix(prefix).filter(|_| !prefix.is_empty());
        // The first that fits: without what is dialled before it, as it stands, with the country's code and no `+`.
        let candidates = [after(home.before), Some(digits), after(home.code)];
        match candidates.into_iter().flatten().find(|inside| self.fits(home.code, inside)) {
            Some(inside) => Ok(format!("+{}{inside}", home.code)),
            None if digits.len() <= SHORT => Err(NotANumber::Short),
            None => Err(self.why(home.code, home.country, after(home.before).unwrap_or(digits))),
        }
    }

    /// Which lengths have numbers that begin so? Bit n says n digits.
    fn lengths(&self, code: &str, inside: &str) -> u32 {
        let key = code.parse::<u16>().ok().zip(inside.get(..3).and_then(|first| first.parse::<u16>().ok()));
        let Some((code, first)) = key else { return 0 };
        let place = self.lengths.partition_point(|(other, begin, ..)| (*other, *begin) <= (code, first));
        let found = place.checked_sub(1).map(|place| self.lengths[place]);
        found.filter(|(other, _, last, _)| *other == code && first <= *last).map_or(0, |(.., bits)| bits)
    }

    fn fits(&self, code: &str, inside: &str) -> bool {
        // In North America exchanges begin with 2 to 9 (NANPA), which three digits cannot tell.
        let exchange = code != "1" || inside.as_bytes().get(3).is_some_and(|digit| (b'2'..=b'9').contains(digit));
        inside.len() <= MOST_DIGITS && exchange && self.lengths(code, inside) & (1 << inside.len()) != 0
    }

    fn why(&self, code: &str, country: &'static str, inside: &str) -> NotANumber {
        let number: u16 = code.parse().unwrap_or_default();
        let usual = || {
            let mut counts = [0_u32; MOST_DIGITS + 1];
            for (_, first, last, bits) in self.lengths.iter().filter(|(other, ..)| *other == number) {
                for (_, count) in counts.iter_mut().enumerate().filter(|(length, _)| bits & (1 << length) != 0) {
                    *count += u32::from(last - first) + 1;
                }
            }
            // A length that few beginnings have is no help to anybody.
            let most = counts.iter().max().copied().unwrap_or_default();
            let usual = counts.iter().enumerate().filter(|(_, count)| **count > 0 && **count * 10 >= most);
            usual.fold(0, |bits, (length, _)| bits | 1 << length)
        };
        let bits = match self.lengths(code, inside) {
            0 => usual(),
            bits => bits,
        };
        let name = super::region::country_name(country, &crate::language::Language::english()).unwrap_or(country);
        match inside.len() as u32 {
            length if length < bits.trailing_zeros() => NotANumber::TooShort(name),
            length if length > 31 - bits.leading_zeros().min(31) => NotANumber::TooLong(name),
            _ => NotANumber::Unused(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers reserved for fiction, and others made up.
    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        for (text, country, expect) in [
            ("(202) 555-0143", "US", "+12025550143"),
            ("1-202-555-0143", "US", "+12025550143"),
            ("202.555.0143", "US", "+12025550143"),
            ("+1 202 555 0143", "CN", "+12025550143"),
            ("2025550143.0", "US", "+12025550143"),
            ("011 44 20 7946 0143", "US", "+442079460143"),
            ("020 7946 0143", "GB", "+442079460143"),
            ("+44 (0)20 7946 0143", "US", "+442079460143"),
            ("+44 020 7946 0143", "US", "+442079460143"),
            ("442079460143", "GB", "+442079460143"),
            ("139 0001 1234", "CN", "+8613900011234"),
            ("１３９０００１１２３４", "CN", "+8613900011234"),
            ("010-6234 5678", "CN", "+861062345678"),
            ("0086 139 0001 1234", "CN", "+8613900011234"),
            ("8613900011234", "CN", "+8613900011234"),
            ("06 6982 0143", "IT", "+390669820143"),
            ("'+12025550143", "US", "+12025550143"),
            ("\u{202d}+12025550143\u{202c}", "US", "+12025550143"),
            ("tel:+12025550143", "", "+12025550143"),
        ] {
            assert_eq!(parse(text, country).as_deref(), Ok(expect), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_told_by_its_reason() {
        use NotANumber::*;
        for (text, country, expect) in [
            ("", "US", Empty),
            ("'", "US", Empty),
            ("n/a", "US", Letters),
            ("202-555-CALL", "US", Letters),
            ("2O2 555 0143", "US", Letters),
            ("+1 202 555 0143 x12", "US", Extension),
            ("202-555-0143 ext. 7", "US", Extension),
            ("+1-202-555-0143;ext=7", "US", Extension),
            ("010-62345678转801", "CN", Extension),
            ("2.02556E+09", "US", Rounded),
            ("2025550143; 2025550144", "US", Several),
            ("2025550143, 2025550144", "US", Several),
            ("911", "US", Emergency),
            ("110", "CN", Emergency),
            ("112", "", Emergency),
            ("999", "GB", Emergency),
            ("611", "US", Short),
            ("95588", "CN", Short),
            ("555-0143", "US", TooShort("United States")),
            ("20255501432", "US", TooLong("United States")),
            ("+1 115 055 0143", "US", Unused("United States")),
            ("202 155 0143", "US", Unused("United States")),
            ("12900011234", "CN", Unused("China")),
            ("+999 1234 5678", "US", NoCountry),
            ("2025550143", "", NoRegion),
        ] {
            assert_eq!(parse(text, country), Err(expect), "{text} in {country}");
        }
    }

    #[test]
    fn every_row_of_the_tables_is_read() {
        let count = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(TABLES.dialling.len(), count(include_str!("data/dialling.tsv")));
        assert_eq!(TABLES.lengths.len(), count(include_str!("data/lengths.tsv")));
        assert!(TABLES.lengths.iter().all(|(_, first, last, bits)| first <= last && *bits != 0));
        assert!(countries().all(is_country) && !is_country("XX"));
    }

    #[test]
    fn no_letters_make_it_fall() {
        let mut chance = proptest::test_runner::TestRunner::deterministic();
        let any = proptest::prelude::any::<String>();
        chance
            .run(&(any, "[0-9+xE.;() ０-９转-]{0,30}"), |(wild, near)| {
                for text in [wild, near] {
                    if let Ok(number) = parse(&text, "US") {
                        assert!(number.starts_with('+') && number.len() <= 16, "{text:?}");
                    }
                }
                Ok(())
            })
            .unwrap();
    }
}
