//! Telephone numbers: the country's own are read as it reads them, others with their country code.

use crate::language::Language;
use crate::spoken::currencies::region;
use crate::spoken::digits;

/// "two zero two, five five five, zero one two three", "plus four four, …", 幺三八，零零幺三，八零零零.
pub fn said(number: &str, language: &Language) -> String {
    let home = match (language.primary(), region(language)) {
        ("en", None | Some("US" | "CA")) => "1",
        ("en", Some("GB")) => "44",
        ("zh" | "cmn", None | Some("CN")) => "86",
        _ => "",
    };
    let Some(international) = number.strip_prefix('+') else { return national(number, language) };
    match international.strip_prefix(home) {
        Some(rest) if home == "44" => national(&format!("0{rest}"), language),
        Some(rest) if home == "86" && is_line(rest) => national(&format!("0{rest}"), language),
        Some(rest) if !home.is_empty() => national(rest, language),
        _ => {
            let plus = match language.primary() {
                "en" => "plus ",
                "zh" | "cmn" => "加",
                _ => "+ ",
            };
            let (code, rest) = international.split_at(country_code(international));
            [format!("{plus}{}", digits::said(code, language)), digits::said(rest, language)].join(pause(language))
        }
    }
}

/// Is a Chinese number one of a line, dialled with a 0 before its area code? Mobiles begin with 13 to 19 and have eleven
/// digits, 400 and 800 numbers ten, service numbers five.
fn is_line(number: &str) -> bool {
    let mobile = number.len() == 11 && number.starts_with('1') && number.as_bytes()[1] >= b'3';
    let service = number.len() == 10 && (number.starts_with("400") || number.starts_with("800"));
    (9..=11).contains(&number.len()) && !mobile && !service
}

/// "one, eight zero zero, …": the 1 that long-distance numbers begin with in North America stands by itself.
fn national(number: &str, language: &Language) -> String {
    let long_distance = language.primary() == "en" && number.len() == 11 && number.starts_with('1');
    match number.split_at_checked(1) {
        Some((one, rest)) if long_distance => {
            [digits::said(one, language), digits::said(rest, language)].join(pause(language))
        }
        _ => digits::said(number, language),
    }
}

/// How many digits of an international number are its country code (ITU-T E.164; one for zones 1 and 7, two for these,
/// else three).
fn country_code(number: &str) -> usize {
    const TWO: &[&str] = &[
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49",
        "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84",
        "86", "90", "91", "92", "93", "94", "95", "98",
    ];
    let length = match number.get(..2) {
        Some(start) if start.starts_with(['1', '7']) => 1,
        Some(start) if TWO.contains(&start) => 2,
        _ => 3,
    };
    length.min(number.len())
}

fn pause(language: &Language) -> &'static str {
    if matches!(language.primary(), "zh" | "cmn") { "，" } else { ", " }
}
