//! English numbers: "two thousand and fifty", "two and a half", "twelve fifty", "1,234.50", "a hundred".

use crate::spoken::heard::decimal::Decimal;
use crate::spoken::heard::words::Words;

const ONES: [&str; 9] = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const TEENS: [&str; 10] =
    ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"];
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const ZEROS: [&str; 6] = ["zero", "oh", "o", "nought", "naught", "nil"];
const SCALES: [(&str, i64); 8] = [
    ("trillion", 1_000_000_000_000),
    ("billion", 1_000_000_000),
    ("million", 1_000_000),
    ("thousand", 1_000),
    ("grand", 1_000),
    ("k", 1_000),
    ("m", 1_000_000),
    ("mil", 1_000_000),
];
/// What is added to a number, in hundredths.
pub const AND_A_PART: &[(&str, &str)] = &[("and a half", "5"), ("and a quarter", "25"), ("and three quarters", "75")];
/// What a number may count in place of wholes: so many make one.
const PARTS: &[(&str, i64)] = &[
    ("quarters", 4),
    ("halves", 2),
    ("thirds", 3),
    ("fifths", 5),
    ("sixths", 6),
    ("sevenths", 7),
    ("eighths", 8),
    ("tenths", 10),
];
/// What recognisers write for a digit before "hundred" and "thousand".
const MISHEARD: [(&str, i64); 6] = [("to", 2), ("too", 2), ("for", 4), ("fore", 4), ("ate", 8), ("won", 1)];

/// A number as said, and how it was put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// What it counts to.
    pub value: Decimal,
    /// Where its words end.
    pub end: usize,
    /// Just strung together: "one fifty", "one two three".
    pub strung: Option<Strung>,
}

/// The pieces of a number that was strung together from smaller ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strung {
    /// All but the last piece, as a number.
    pub head: i64,
    /// The last piece, when it has two digits ("fifty", "oh five").
    pub tail: Option<i64>,
}

/// 1 to 9.
pub fn digit(words: &Words, at: usize) -> Option<i64> {
    let word = words.get(at);
    let place = ONES.iter().position(|name| *name == word);
    place
        .map(|place| place as i64 + 1)
        .or_else(|| word.parse().ok().filter(|digit| (1..=9).contains(digit) && word.len() == 1))
}

/// "zero", "oh", "0".
pub fn zero(words: &Words, at: usize) -> bool {
    ZEROS.contains(&words.get(at)) || words.get(at) == "0"
}

/// 1 to 99 in words or figures of one or two digits.
pub fn below_hundred(words: &Words, at: usize) -> Option<(i64, usize)> {
    let word = words.get(at);
    let place = |names: &[&str]| names.iter().position(|name| *name == word).map(|place| place as i64);
    if let Some(teen) = place(&TEENS) {
        return Some((10 + teen, at + 1));
    }
    if let Some(tens) = place(&TENS) {
        let tens = 20 + 10 * tens;
        let ones = ONES.iter().position(|name| *name == words.get(at + 1)).map(|place| place as i64 + 1);
        // In "twenty five hundred" the five belongs to twenty; in "twenty five hundred five" too.
        return Some(ones.map_or((tens, at + 1), |ones| (tens + ones, at + 2)));
    }
    if let Some(digit) = digit(words, at) {
        return Some((digit, at + 1));
    }
    let figures = word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_digit());
    figures.then(|| word.parse().ok().map(|number| (number, at + 1))).flatten().filter(|(number, _)| *number > 0)
}

/// A number properly said: "two hundred and five thousand", "1.5 million", "two and a half", "zero".
pub fn cardinal(words: &Words, at: usize) -> Option<(Decimal, usize)> {
    if zero(words, at) && !matches!(words.get(at), "oh" | "o") {
        return fraction(words, Decimal::whole(0), at + 1).or(Some((Decimal::whole(0), at + 1)));
    }
    if let Some(end) = words.take(at, "half a").filter(|end| scale(words, *end).is_some_and(|(scale, _)| scale > 100)) {
        let (scale, end) = scale(words, end)?;
        return Some((Decimal::whole(scale / 2), end));
    }
    // "point five", with nothing before the point.
    if let Some(found) = fraction(words, Decimal::whole(0), at) {
        return Some(found);
    }
    let (mut total, mut end) = whole(words, at)?;
    if let Some((with_point, after)) = fraction(words, total, end) {
        (total, end) = (with_point, after);
    } else if let Some((hundredths, after)) = words.find(end, AND_A_PART) {
        (total, end) = (total.plus(Decimal::whole(0).with_fraction(hundredths)?)?, after);
    } else if let Some((parts, after)) = words.find(end, PARTS) {
        // "three quarters"; of thirds no decimal is exact, and "two thirds" are not two.
        let count = total.as_whole().filter(|count| (1..=parts).contains(count) && 100 % parts == 0)?;
        let part = format!("{:02}", count * 100 / parts);
        return Some((if count == parts { Decimal::whole(1) } else { Decimal::whole(0).with_fraction(&part)? }, after));
    } else {
        return Some((total, end));
    }
    match scale(words, end) {
        Some((scale, after)) => Some((total.times(scale)?, after)),
        None => Some((total, end)),
    }
}

/// A number as people throw it at a telephone: properly said, or strung together.
pub fn number(words: &Words, at: usize) -> Option<Number> {
    let (value, end) = cardinal(words, at).or_else(|| lone_oh(words, at))?;
    let proper = Some(Number { value, end, strung: None });
    let Some(first) = value.as_whole() else { return proper };
    let mut pieces = vec![(first, first.to_string().len())];
    let mut after = end;
    while let Some((piece, length, next)) = piece(words, after) {
        pieces.push((piece, length));
        after = next;
    }
    if pieces.len() == 1 || first == 0 {
        return proper;
    }
    let text = |pieces: &[(i64, usize)]| -> Option<i64> {
        pieces.iter().map(|(number, length)| format!("{number:0length$}")).collect::<String>().parse().ok()
    };
    let (last, before) = pieces.split_last()?;
    // "a hundred twenty fifty": only the last piece may follow a round number, and then it counts cents.
    let (Some(whole), Some(head)) = (text(&pieces), text(before)) else { return proper };
    let tail = (last.1 == 2).then_some(last.0);
    Some(Number { value: Decimal::whole(whole), end: after, strung: Some(Strung { head, tail }) })
}

/// A piece that follows another: two digits ("fifty", "oh five"), or one.
fn piece(words: &Words, at: usize) -> Option<(i64, usize, usize)> {
    if zero(words, at) {
        return match digit(words, at + 1) {
            Some(digit) => Some((digit, 2, at + 2)),
            None => Some((0, 1, at + 1)),
        };
    }
    let (number, end) = below_hundred(words, at)?;
    // In "five hundred six hundred" the six begins a number of its own.
    (words.get(end) != "hundred" && scale(words, end).is_none()).then(|| (number, number.to_string().len(), end))
}

fn lone_oh(words: &Words, at: usize) -> Option<(Decimal, usize)> {
    (words.len() == 1 && zero(words, at)).then(|| (Decimal::whole(0), at + 1))
}

/// A whole number with its scales in falling order.
fn whole(words: &Words, at: usize) -> Option<(Decimal, usize)> {
    let mut total = Decimal::whole(0);
    let mut limit = i64::MAX;
    let mut end = at;
    loop {
        let next = if end > at { words.skip(end, &["and"]) } else { end };
        let Some((chunk, after)) = chunk(words, next) else { break };
        let (chunk, after, unit) = match scale(words, after) {
            Some((unit, scaled)) => (chunk.times(unit)?, scaled, unit),
            None => (chunk, after, 1),
        };
        let fits = unit < limit && (limit == i64::MAX || chunk.as_whole().is_some_and(|chunk| chunk < limit));
        if !fits {
            break;
        }
        (total, end, limit) = (total.plus(chunk)?, after, unit);
        if unit == 1 {
            break;
        }
    }
    (end > at).then_some((total, end))
}

/// Up to 9,900: "two hundred and five", "twenty five hundred", "a hundred", or any figures.
fn chunk(words: &Words, at: usize) -> Option<(Decimal, usize)> {
    let word = words.get(at);
    if word.starts_with(|c: char| c.is_ascii_digit()) && word.len() > 2 {
        return Some((Decimal::parse(word)?, at + 1));
    }
    let counted =
        |end: usize| words.get(end) == "hundred" || scale(words, end).is_some_and(|(scale, _)| scale >= 1_000);
    let (number, end) = match word {
        "a" | "an" if counted(at + 1) || words.get(at + 1) == "dozen" => (1, at + 1),
        "dozen" if words.before(at) == "a" => return None,
        _ => match below_hundred(words, at) {
            Some(found) => found,
            None => {
                let misheard = MISHEARD.iter().find(|(heard, _)| *heard == word && counted(at + 1));
                misheard.map(|(_, digit)| (*digit, at + 1))?
            }
        },
    };
    if words.get(end) == "dozen" {
        return Some((Decimal::whole(number * 12), end + 1));
    }
    if words.get(end) != "hundred" {
        return Some((Decimal::whole(number), end));
    }
    let end = end + 1;
    let rest = below_hundred(words, words.skip(end, &["and"]))
        .filter(|(_, after)| words.get(*after) != "hundred")
        // In "two hundred three dollars" it counts; in "two hundred 12.50" it would not.
        .filter(|_| number < 100);
    let (rest, end) = rest.unwrap_or((0, end));
    Some((Decimal::whole(number * 100 + rest), end))
}

fn scale(words: &Words, at: usize) -> Option<(i64, usize)> {
    let (scale, end) = words.find(at, &SCALES)?;
    // "p m" after an hour is no million.
    (words.get(at) != "m" || words.before(at).parse::<f64>().is_ok()).then_some((scale, end))
}

/// "point two five", "point oh five", "point twenty five".
fn fraction(words: &Words, whole: Decimal, at: usize) -> Option<(Decimal, usize)> {
    let mut end = words.take(at, "point")?;
    let mut digits = String::new();
    loop {
        if zero(words, end) {
            digits.push('0');
            end += 1;
        } else if let Some((number, after)) = below_hundred(words, end) {
            digits.push_str(&number.to_string());
            end = after;
        } else if words.get(end).len() > 2 && words.get(end).bytes().all(|byte| byte.is_ascii_digit()) {
            digits.push_str(words.get(end));
            end += 1;
        } else {
            break;
        }
    }
    (!digits.is_empty()).then(|| whole.with_fraction(&digits).map(|number| (number, end))).flatten()
}

/// "first" to "thirty first", "15th": a day of the month or a place.
pub fn ordinal(words: &Words, at: usize) -> Option<(i64, usize)> {
    const FIRST: [&str; 20] = [
        "first",
        "second",
        "third",
        "fourth",
        "fifth",
        "sixth",
        "seventh",
        "eighth",
        "ninth",
        "tenth",
        "eleventh",
        "twelfth",
        "thirteenth",
        "fourteenth",
        "fifteenth",
        "sixteenth",
        "seventeenth",
        "eighteenth",
        "nineteenth",
        "twentieth",
    ];
    let place = |word: &str| FIRST.iter().position(|name| *name == word).map(|place| place as i64 + 1);
    let word = words.get(at);
    if let Some(place) = place(word) {
        return Some((place, at + 1));
    }
    if word == "thirtieth" {
        return Some((30, at + 1));
    }
    let tens = match word {
        "twenty" | "20" => 20,
        "thirty" | "30" => 30,
        _ => {
            let figures = ["st", "nd", "rd", "th"].into_iter().find_map(|ending| word.strip_suffix(ending))?;
            return figures.parse().ok().map(|number| (number, at + 1));
        }
    };
    place(words.get(at + 1)).filter(|ones| *ones < 10).map(|ones| (tens + ones, at + 2))
}
