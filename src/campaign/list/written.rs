//! Money and days as people write them in lists: read where they can mean one thing only, refused with a sentence where
//! they can mean two.

use jiff::civil::Date;

use crate::value::{Amount, Currency};

/// Which of two numbers in `03/04/2026` is the day?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// 3 April.
    DayFirst,
    /// 4 March.
    MonthFirst,
}

impl Order {
    /// As people of `country` write it.
    pub fn of(country: &str) -> Self {
        // Nearly everybody else writes the day first, or the year.
        if matches!(country, "US" | "PH" | "PR" | "GU" | "AS" | "VI" | "MP" | "FM" | "MH" | "PW") {
            Self::MonthFirst
        } else {
            Self::DayFirst
        }
    }
}

/// What a date says of the order in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// It can be read one way only.
    Only(Order),
    /// It can be read both ways.
    Either,
    /// It is written in a way that needs no order, or is no date.
    Nothing,
}

/// What `text` says of the order of days and months.
pub fn hint(text: &str) -> Hint {
    match Numbers::of(&plain(text)) {
        Some(Numbers { parts: [first, second, year], sign: '/' | '-', digits: [.., 4] }) if year > 0 => {
            match (first > 12, second > 12, first == second) {
                (true, false, _) => Hint::Only(Order::DayFirst),
                (false, true, _) => Hint::Only(Order::MonthFirst),
                (false, false, false) => Hint::Either,
                _ => Hint::Nothing,
            }
        }
        _ => Hint::Nothing,
    }
}

/// The day that `text` names; `order` where two numbers can be either.
///
/// # Errors
///
/// The end of a sentence that begins with the column.
pub fn date(text: &str, order: Order) -> Result<Date, &'static str> {
    const NONE: &str = "is no date: write it like 2026-11-22";
    const IMPOSSIBLE: &str = "is a day that does not exist";
    let text = plain(text);
    if let Some(numbers) = Numbers::of(&text) {
        let Numbers { parts: [first, second, third], sign, digits } = numbers;
        let (year, month, day) = match (digits[0], digits[2], sign) {
            (4, 1..=2, _) => (first, second, third),
            (1..=2, 4, '.') => (third, second, first),
            (1..=2, 4, _) if order == Order::DayFirst => (third, second, first),
            (1..=2, 4, _) => (third, first, second),
            (1..=2, 2, _) => return Err("has a year of two digits, and nobody knows the century"),
            _ => return Err(NONE),
        };
        return day_of(year, month, day).ok_or(IMPOSSIBLE);
    }
    if let Some((year, rest)) = text.split_once('年') {
        let (month, day) = rest.split_once('月').ok_or(NONE)?;
        let parsed = |part: &str| part.trim().parse::<u16>().ok();
        let day = day.trim().trim_end_matches(['日', '号', '號']);
        let (Some(year), Some(month), Some(day)) = (parsed(year), parsed(month), parsed(day)) else { return Err(NONE) };
        return day_of(year, month, day).ok_or(IMPOSSIBLE);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.len() {
            8 => {
                let part = |from: usize, to: usize| text[from..to].parse().unwrap_or_default();
                day_of(part(0, 4), part(4, 6), part(6, 8)).ok_or(IMPOSSIBLE)
            }
            5 => Err("is a number of days as spreadsheets count them; format the column as a date"),
            _ => Err(NONE),
        };
    }
    named_month(&text).ok_or(NONE)?.ok_or(IMPOSSIBLE)
}

/// Without the time of day, and with figures of one script.
fn plain(text: &str) -> String {
    let text: String = text.trim().chars().map(narrow).collect();
    // 2026-11-22T00:00:00Z, 2026-11-22 00:00
    let cut = text.find(['T', ' ']).filter(|at| {
        let rest = text[at + 1..].trim_start();
        text[..*at].ends_with(|last: char| last.is_ascii_digit())
            && rest.contains(':')
            && rest.starts_with(|first: char| first.is_ascii_digit())
    });
    cut.map_or(text.as_str(), |at| &text[..at]).to_owned()
}

/// Full-width figures and signs, which Chinese keyboards write, as the usual ones.
fn narrow(letter: char) -> char {
    match letter {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(letter as u32 - 0xfee0).unwrap_or(letter),
        '\u{3000}' | '\u{a0}' | '\u{202f}' | '\u{2009}' => ' ',
        '−' | '–' => '-',
        _ => letter,
    }
}

/// Three numbers with the same sign between them.
struct Numbers {
    parts: [u16; 3],
    digits: [usize; 3],
    sign: char,
}

impl Numbers {
    fn of(text: &str) -> Option<Self> {
        let sign = text.chars().find(|letter| !letter.is_ascii_digit())?;
        if !matches!(sign, '/' | '-' | '.') {
            return None;
        }
        let mut pieces = text.split(sign).map(str::trim);
        let mut next = || -> Option<(u16, usize)> {
            let piece = pieces.next()?;
            let is_number = (1..=4).contains(&piece.len()) && piece.bytes().all(|byte| byte.is_ascii_digit());
            Some((is_number.then(|| piece.parse().ok())??, piece.len()))
        };
        let [first, second, third] = [next()?, next()?, next()?];
        let digits = [first.1, second.1, third.1];
        (pieces.next().is_none() && digits[1] <= 2).then_some(Self {
            parts: [first.0, second.0, third.0],
            digits,
            sign,
        })
    }
}

fn day_of(year: u16, month: u16, day: u16) -> Option<Date> {
    let known = (1900..=2200).contains(&year);
    known.then(|| Date::new(year as i16, month.try_into().ok()?, day.try_into().ok()?).ok())?
}

/// `Nov 22, 2026`, `22 November 2026`, `22-Nov-2026`. `Some(None)`: written so, and no such day.
fn named_month(text: &str) -> Option<Option<Date>> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let lower = text.to_lowercase();
    let mut words = lower.split([' ', ',', '-', '/', '.']).filter(|word| !word.is_empty());
    let three = [words.next()?, words.next()?, words.next()?];
    if words.next().is_some() {
        return None;
    }
    let place = three.iter().position(|word| word.starts_with(|first: char| first.is_alphabetic()))?;
    let name = three[place];
    let month = MONTHS
        .iter()
        .position(|month| name.len() >= 3 && month.starts_with(name) || name == "sept" && *month == "september")?;
    let day = match place {
        0 => three[1],
        1 => three[0],
        _ => return None,
    };
    let day = ["st", "nd", "rd", "th"].iter().find_map(|ending| day.strip_suffix(ending)).unwrap_or(day);
    let year = three[2];
    let is_year = year.len() == 4;
    Some(day_of(is_year.then(|| year.parse().ok())??, month as u16 + 1, day.parse().ok()?))
}

/// The sum that `text` names in `currency`: `$1,234.50`, `1.234,50 €`, `1 234,50`, `1,200元`, `1.2万`.
///
/// # Errors
///
/// The end of a sentence that begins with the column.
pub fn money(text: &str, currency: Currency) -> Result<Amount, &'static str> {
    const NONE: &str = "is no amount: write it in digits, like 1234.50";
    const OTHER: &str = "is in another currency than the plan's";
    /// Where a point is a decimal mark and nothing else.
    const POINTS: [&str; 12] = ["USD", "GBP", "CNY", "CAD", "AUD", "NZD", "HKD", "SGD", "TWD", "MXN", "INR", "CHF"];
    /// Signs and words of money, and whose they are; a sign that several share is for any of them.
    const SIGNS: [(&str, &[&str]); 12] = [
        ("us$", &["USD"]),
        ("$", &["USD", "CAD", "AUD", "NZD", "HKD", "SGD", "TWD", "MXN"]),
        ("€", &["EUR"]),
        ("£", &["GBP"]),
        ("¥", &["CNY", "JPY"]),
        ("￥", &["CNY", "JPY"]),
        ("人民币", &["CNY"]),
        ("rmb", &["CNY"]),
        ("元整", &["CNY", "TWD", "HKD"]),
        ("元", &["CNY", "TWD", "HKD"]),
        ("块", &["CNY"]),
        ("円", &["JPY"]),
    ];
    // The full-width ¥ is no ASCII sign and stays.
    let lower = text.trim().chars().map(narrow).collect::<String>().to_lowercase();
    let mut bare = lower.trim();
    let in_brackets = bare.strip_prefix('(').and_then(|inside| inside.strip_suffix(')'));
    let mut negative = in_brackets.is_some();
    bare = in_brackets.unwrap_or(bare).trim();
    loop {
        let before = bare;
        if let Some(rest) = bare.strip_prefix('-').filter(|_| !negative) {
            (negative, bare) = (true, rest.trim_start());
        }
        for (sign, currencies) in SIGNS {
            if let Some(rest) = bare.strip_prefix(sign).or_else(|| bare.strip_suffix(sign)) {
                if !currencies.contains(&currency.code()) {
                    return Err(OTHER);
                }
                bare = rest.trim();
            }
        }
        // Three letters beside figures are a currency; more of them are words.
        let letters = bare.bytes().filter(u8::is_ascii_alphabetic).count();
        let code = |part: &str| letters == 3 && part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_alphabetic());
        let ends =
            [bare.get(..3).map(|part| (part, 3)), bare.len().checked_sub(3).and_then(|at| Some((bare.get(at..)?, 0)))];
        if let Some((found, first)) = ends.into_iter().flatten().find(|(part, _)| code(part)) {
            if !found.eq_ignore_ascii_case(currency.code()) {
                return Err(OTHER);
            }
            bare = if first == 3 { bare[3..].trim() } else { bare[..bare.len() - 3].trim() };
        }
        if bare == before {
            break;
        }
    }
    let (bare, zeros) = match bare.strip_suffix('万').or_else(|| bare.strip_suffix('萬')) {
        Some(rest) => (rest.trim_end(), 4),
        None => (bare, 0),
    };
    let places = currency.decimals() as usize + zeros;
    let (whole, part) = split(bare, places, !POINTS.contains(&currency.code())).ok_or(NONE)?;
    let part = part.trim_end_matches('0');
    if part.len() > places {
        return Err("has more decimals than its currency");
    }
    let digits = format!("{whole}{part:0<places$}");
    let minor: i64 = digits.parse().map_err(|_| NONE)?;
    Ok(Amount { minor: if negative { -minor } else { minor }, currency })
}

/// Digits before and behind the decimal mark, whichever mark that is; may a point stand between thousands?
fn split(text: &str, most_places: usize, points_group: bool) -> Option<(String, String)> {
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let last = text.rfind(['.', ',']);
    let decimal = last.filter(|at| {
        let mark = &text[*at..=*at];
        let behind = text[at + 1..].len();
        let only = text.matches(mark).count() == 1;
        let other = text[..*at].contains(if mark == "." { ',' } else { '.' });
        // One mark with three digits behind it stands between thousands, unless there is another one, or none fit.
        let may_group = mark == "," || points_group && most_places < 3;
        let thousand = behind == 3 && !other && (1..=3).contains(at) && !text.starts_with('0') && may_group;
        only && behind > 0 && !thousand
    });
    let (whole, part) = match decimal {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    };
    if !part.is_empty() && !is_digits(part) {
        return None;
    }
    let marks: Vec<char> = whole.chars().filter(|letter| !letter.is_ascii_digit()).collect();
    let Some(mark) = marks.first() else { return Some((whole.to_owned(), part.to_owned())) };
    let decimal_mark = decimal.and_then(|at| text[at..].chars().next());
    let one_kind = matches!(mark, ',' | '.' | ' ' | '\'' | '’') && marks.iter().all(|other| other == mark);
    let mut groups = whole.split(*mark);
    let first = groups.next()?;
    let well = one_kind
        && decimal_mark != Some(*mark)
        && (1..=3).contains(&first.len())
        && is_digits(first)
        && groups.all(|group| group.len() == 3 && is_digits(group));
    well.then(|| (whole.replace(*mark, ""), part.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date as day;

    #[test]
    fn days_are_read_in_the_common_forms_of_both_languages() {
        let expect = Ok(day(2026, 11, 22));
        for text in [
            "2026-11-22",
            "2026/11/22",
            "2026.11.22",
            "20261122",
            "2026年11月22日",
            "2026年11月22号",
            "２０２６年１１月２２日",
            "22.11.2026",
            "Nov 22 2026",
            "Nov 22, 2026",
            "November 22nd, 2026",
            "22 November 2026",
            "22-Nov-2026",
            "2026-11-22T00:00:00Z",
            "2026-11-22 09:30",
            "22/11/2026 00:00",
        ] {
            assert_eq!(date(text, Order::DayFirst), expect, "{text}");
        }
        assert_eq!(date("11/22/2026", Order::MonthFirst), expect);
        assert_eq!(date("03/04/2026", Order::DayFirst), Ok(day(2026, 4, 3)));
        assert_eq!(date("03/04/2026", Order::MonthFirst), Ok(day(2026, 3, 4)));
    }

    #[test]
    fn days_that_do_not_exist_and_years_nobody_knows_are_refused() {
        let told = |text: &str| date(text, Order::DayFirst).unwrap_err();
        for text in ["2026-02-30", "30/02/2026", "2026年2月30日", "Feb 30 2026", "20260230", "2026-13-01", "0000-01-01"]
        {
            assert_eq!(told(text), "is a day that does not exist", "{text}");
        }
        assert!(told("22/11/26").contains("century"));
        assert!(told("45983").contains("spreadsheets"));
        for text in
            ["soon", "", "2026", "2026-11", "1-2-3-4", "22-11", "Smarch 3 2026", "99999999999999", "2026年", "12:30"]
        {
            assert!(told(text).contains("no date"), "{text}");
        }
    }

    #[test]
    fn a_column_decides_which_number_is_the_day() {
        assert_eq!(hint("22/11/2026"), Hint::Only(Order::DayFirst));
        assert_eq!(hint("11/22/2026"), Hint::Only(Order::MonthFirst));
        assert_eq!(hint("03/04/2026"), Hint::Either);
        for text in ["04/04/2026", "2026-11-22", "03.04.2026", "", "x", "03/04/26"] {
            assert_eq!(hint(text), Hint::Nothing, "{text}");
        }
        assert_eq!((Order::of("US"), Order::of("GB")), (Order::MonthFirst, Order::DayFirst));
    }

    #[test]
    fn money_is_read_with_the_marks_of_either_side_of_the_sea() {
        for (text, currency, minor) in [
            ("¥1,234.50", Currency::CNY, 123_450),
            ("￥1234.5", Currency::CNY, 123_450),
            ("1,234.50元", Currency::CNY, 123_450),
            ("1200元", Currency::CNY, 120_000),
            ("1.2万", Currency::CNY, 1_200_000),
            ("RMB 300", Currency::CNY, 30_000),
            ("1.234,50 €", Currency::EUR, 123_450),
            ("1 234,50 EUR", Currency::EUR, 123_450),
            ("1.234", Currency::EUR, 123_400),
            ("12,5", Currency::EUR, 1_250),
            ("1'234.50", Currency::EUR, 123_450),
            ("$1,234,567.80", Currency::USD, 123_456_780),
            ("USD 12", Currency::USD, 1_200),
            ("$ 12.50", Currency::USD, 1_250),
            ("-$12.50", Currency::USD, -1_250),
            ("($12.50)", Currency::USD, -1_250),
            ("0.50", Currency::USD, 50),
            ("1234.500", Currency::USD, 123_450),
            ("１２．５０", Currency::USD, 1_250),
        ] {
            assert_eq!(money(text, currency), Ok(Amount { minor, currency }), "{text}");
        }
        let yen = Currency::parse("JPY").unwrap();
        assert_eq!(money("1,200", yen).unwrap().minor, 1200);
        assert_eq!(money("300.0", yen).unwrap().minor, 300);
    }

    #[test]
    fn what_is_no_money_is_refused() {
        for text in [
            "",
            "-",
            "$",
            "twelve",
            "1.2.3",
            "1,2345",
            "12.345",
            "1,23,456",
            "12-13",
            "1..2",
            "#N/A",
            ".5",
            "1,234.567",
            "99999999999999999999",
            "1,234,50",
            "1.234.50",
        ] {
            assert!(money(text, Currency::USD).is_err(), "{text}");
        }
        assert!(money("€12", Currency::USD).unwrap_err().contains("another currency"));
        assert!(money("12 EUR", Currency::USD).unwrap_err().contains("another currency"));
    }
}
