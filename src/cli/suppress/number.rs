//! One number as people write it in lists, or why it is none.

use crate::dialplan::outcome::number_in;

/// Countries whose numbers are completed when their country is left out.
pub(super) const REGIONS: [&str; 4] = ["US", "CA", "CN", "GB"];
/// Digits of the shortest number, its country included, that is somebody's.
const FEWEST_DIGITS: usize = 7;
/// Digits of the longest (ITU-T E.164).
const MOST_DIGITS: usize = 15;

/// Why a line closes nobody. Says nothing of what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// Nothing is there.
    Empty,
    /// A spreadsheet would compute it.
    Formula,
    /// Letters, or nothing that could be dialled.
    Words,
    /// A number and somebody's extension behind it.
    Extension,
    /// `2.02556E+09`: its last digits are gone.
    Rounded,
    /// A keyed hash out of an export.
    Hash,
    /// National, and nobody has said of which country.
    NoCountry,
    /// National, and no whole number of the region.
    NotOfRegion,
    /// Too few or too many digits.
    Length,
}

impl Fault {
    /// For whoever can mend it.
    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Self::Empty => "has no number",
            Self::Formula => "is a formula, and no number",
            Self::Words => "is no telephone number",
            Self::Extension => "has an extension; write the number without it, all of its extensions are closed then",
            Self::Rounded => "was rounded by a spreadsheet; export the column as text",
            Self::Hash => "is a hash of a number, which only the list it came from knows",
            Self::NoCountry => "has no country; write it like +12025550123, or say --region",
            Self::NotOfRegion => "is no whole number of the region; write it with its country, like +12025550123",
            Self::Length => "has too few or too many digits; with its country a number has 7 to 15",
        }
    }
}

/// The number in E.164, completed by `region` where its country is left out.
pub(super) fn read(text: &str, region: Option<&str>) -> Result<String, Fault> {
    if is_whole(text) {
        return Ok(text.to_owned());
    }
    let plain = plainly(text);
    // An apostrophe tells spreadsheets that what follows is text.
    let written = plain.strip_prefix('\'').unwrap_or(&plain).trim();
    let Some(first) = written.chars().next() else { return Err(Fault::Empty) };
    if matches!(first, '=' | '@') {
        return Err(Fault::Formula);
    }
    if let Some(hash) = written.strip_prefix('#') {
        return Err(if hash.bytes().all(|byte| byte.is_ascii_hexdigit()) { Fault::Hash } else { Fault::Words });
    }
    let whole_part = written.split_once('.').filter(|(digits, zeros)| {
        digits.len() >= FEWEST_DIGITS && !zeros.is_empty() && zeros.bytes().all(|digit| digit == b'0')
    });
    // `12025550123.0` is a number that a program took for an amount.
    let number = number_in(whole_part.map_or(written, |(digits, _)| digits), region);
    if is_whole(&number) {
        return Ok(number);
    }
    Err(fault_of(written, &number, region))
}

fn fault_of(written: &str, number: &str, region: Option<&str>) -> Fault {
    let digits = number.strip_prefix('+').unwrap_or(number);
    if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return match region {
            _ if number.starts_with('+') || digits.len() > MOST_DIGITS => Fault::Length,
            Some(_) => Fault::NotOfRegion,
            None if digits.len() < FEWEST_DIGITS => Fault::Length,
            None => Fault::NoCountry,
        };
    }
    let lower = written.to_lowercase();
    let count = lower.bytes().filter(u8::is_ascii_digit).count();
    let exponent = lower.split_once('e').is_some_and(|(amount, exponent)| {
        let of_amounts =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b"+-.,".contains(&b));
        of_amounts(amount) && of_amounts(exponent)
    });
    match () {
        () if exponent => Fault::Rounded,
        () if count > FEWEST_DIGITS && ["x", "ext", "#", "转", "分机"].iter().any(|mark| lower.contains(mark)) => {
            Fault::Extension
        }
        () => Fault::Words,
    }
}

/// `+` and digits that a country may begin with.
fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default().as_bytes();
    (FEWEST_DIGITS..=MOST_DIGITS).contains(&digits.len()) && digits[0] != b'0' && digits.iter().all(u8::is_ascii_digit)
}

/// Without what address books and Chinese keyboards put there: marks for the direction of writing, wide digits, dashes
/// of every length.
fn plainly(text: &str) -> String {
    let plain = text.chars().filter_map(|letter| match letter {
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => None,
        '\u{ff10}'..='\u{ff19}' => char::from_u32(letter as u32 - 0xff10 + u32::from(b'0')),
        '\u{ff0b}' => Some('+'),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ff0d}' => Some('-'),
        '\u{a0}' | '\u{3000}' | '\u{2007}' | '\u{202f}' => Some(' '),
        '（' => Some('('),
        '）' => Some(')'),
        other => Some(other),
    });
    plain.collect::<String>().trim().trim_matches('"').trim().to_owned()
}

/// A cell that no spreadsheet computes: what would be a formula gets an apostrophe. A number in E.164 is none.
pub(super) fn tame(cell: &str) -> String {
    let begins = cell.trim_start_matches([' ', '\u{a0}']).chars().next();
    match begins {
        _ if is_whole(cell) => cell.to_owned(),
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '|' | '＝' | '＋' | '－' | '＠') => format!("'{cell}"),
        _ => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_however_people_write_it() {
        for (text, region, expect) in [
            ("+12025550123", None, "+12025550123"),
            (" +1 (202) 555-0123 ", None, "+12025550123"),
            ("0012025550123", None, "+12025550123"),
            ("(202) 555-0123", Some("US"), "+12025550123"),
            ("202.555.0123", Some("US"), "+12025550123"),
            ("'+12025550123", None, "+12025550123"),
            ("\u{202d}+1 202\u{a0}555\u{2011}0123\u{202c}", None, "+12025550123"),
            ("12025550123.0", Some("US"), "+12025550123"),
            ("１３８００１３８０００", Some("CN"), "+8613800138000"),
            ("020 7946 0000", Some("GB"), "+442079460000"),
            ("tel:+442079460000", None, "+442079460000"),
        ] {
            assert_eq!(read(text, region).as_deref(), Ok(expect), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_told_by_its_kind() {
        for (text, region, expect) in [
            ("", None, Fault::Empty),
            (" \u{feff} ", None, Fault::Empty),
            ("=cmd|' /C calc'!A0", None, Fault::Formula),
            ("@SUM(1+1)", None, Fault::Formula),
            ("Jane Doe", None, Fault::Words),
            ("1-800-FLOWERS", Some("US"), Fault::Words),
            ("+1 202 555 0123 ext. 4", None, Fault::Extension),
            ("(202) 555-0123 x17", Some("US"), Fault::Extension),
            ("2.02556E+09", None, Fault::Rounded),
            ("2025550123", None, Fault::NoCountry),
            ("555-0123", Some("US"), Fault::NotOfRegion),
            ("1234", Some("US"), Fault::NotOfRegion),
            ("911", None, Fault::Length),
            ("+123", None, Fault::Length),
            ("+1234567890123456", None, Fault::Length),
            ("+0202555012", None, Fault::Length),
            ("#0123456789abcdef0123456789abcdef", None, Fault::Hash),
            ("anonymous", None, Fault::Words),
        ] {
            assert_eq!(read(text, region), Err(expect), "{text}");
        }
    }

    #[test]
    fn no_cell_is_a_formula_and_a_tamed_number_is_read_again() {
        for (cell, expect) in [
            ("=1+1", "'=1+1"),
            ("+12025550123", "+12025550123"),
            ("+1|cmd", "'+1|cmd"),
            (" -2", "' -2"),
            ("@x", "'@x"),
            ("\tx", "'\tx"),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(tame(cell), expect);
        }
        assert_eq!(read(&tame("+1 202 555 0123"), None).as_deref(), Ok("+12025550123"));
    }
}
