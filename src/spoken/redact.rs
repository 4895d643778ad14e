//! Takes out of a text what may be a secret: long strings of digits, however they are said.
//!
//! ```text
//!   "my card is four one one one 1111 double two three four"   (16 digits kept, of which none may be)
//!   "my card is …"
//! ```

use std::ops::Range;

use crate::grammar::normalize::is_mandarin;
use crate::language::Language;
use crate::spoken::heard::Words;

/// What stands in the place of what was taken out.
const GONE: &str = "…";
/// So many digits and more are counted in pairs, too ("forty-one eleven"): years and sums are never that long.
const IN_PAIRS: usize = 8;

/// A string of digits in a text.
#[derive(Debug)]
struct Run {
    digits: String,
    bytes: Range<usize>,
}

/// `text` without its strings of at least `least` digits, but for those that `keep` wants; `None` where there is none.
pub fn without_digits(text: &str, language: &Language, least: usize, keep: impl Fn(&str) -> bool) -> Option<String> {
    let runs = runs(text, language, least >= IN_PAIRS).into_iter();
    let secret: Vec<Run> = runs.filter(|run| run.digits.len() >= least && !keep(&run.digits)).collect();
    if secret.is_empty() {
        return None;
    }
    let (mut kept, mut from) = (String::with_capacity(text.len()), 0);
    for run in secret {
        kept.push_str(text.get(from..run.bytes.start).unwrap_or_default());
        kept.push_str(GONE);
        from = run.bytes.end;
    }
    kept.push_str(text.get(from..).unwrap_or_default());
    Some(kept)
}

fn runs(text: &str, language: &Language, in_pairs: bool) -> Vec<Run> {
    let words = Words::of(text, language);
    let mut runs: Vec<Run> = Vec::new();
    let (mut open, mut times) = (None::<Run>, None::<(usize, Range<usize>)>);
    for word in words.0 {
        if let Some(count) = multiple(&word.text) {
            times = Some((count, word.bytes));
            continue;
        }
        let before = times.take();
        match digits(&word.text, is_mandarin(language), in_pairs) {
            Some(digits) => {
                let (count, from) = before.map_or((1, word.bytes.start), |(count, bytes)| (count, bytes.start));
                let run = open.get_or_insert_with(|| Run { digits: String::new(), bytes: from..from });
                run.digits.push_str(&digits.repeat(count));
                run.bytes.end = word.bytes.end;
            }
            None => runs.extend(open.take()),
        }
    }
    runs.extend(open);
    runs
}

/// "double four".
fn multiple(word: &str) -> Option<usize> {
    match word {
        "double" => Some(2),
        "triple" | "treble" => Some(3),
        _ => None,
    }
}

/// The digits that a word is; `None` for any other word, and for figures that are a sum, a date or a time.
fn digits(word: &str, mandarin: bool, in_pairs: bool) -> Option<String> {
    const DIGITS: [&[&str]; 10] = [
        &["zero", "oh", "o", "nought"],
        &["one"],
        &["two"],
        &["three"],
        &["four"],
        &["five"],
        &["six"],
        &["seven"],
        &["eight"],
        &["nine", "niner"],
    ];
    const PAIRS: [(&str, &str); 18] = [
        ("ten", "10"),
        ("eleven", "11"),
        ("twelve", "12"),
        ("thirteen", "13"),
        ("fourteen", "14"),
        ("fifteen", "15"),
        ("sixteen", "16"),
        ("seventeen", "17"),
        ("eighteen", "18"),
        ("nineteen", "19"),
        ("twenty", "20"),
        ("thirty", "30"),
        ("forty", "40"),
        ("fifty", "50"),
        ("sixty", "60"),
        ("seventy", "70"),
        ("eighty", "80"),
        ("ninety", "90"),
    ];
    const MANDARIN: [&str; 10] = ["零〇洞", "一幺", "二两", "三", "四", "五", "六", "七拐", "八", "九勾"];
    if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(word.to_owned());
    }
    if mandarin {
        return MANDARIN.iter().position(|faces| faces.contains(word)).map(|digit| digit.to_string());
    }
    let single = DIGITS.iter().position(|names| names.contains(&word)).map(|digit| digit.to_string());
    let pair = PAIRS.iter().find(|(name, _)| in_pairs && *name == word).map(|(_, digits)| (*digits).to_owned());
    single.or(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str, language: &str, least: usize) -> Option<String> {
        without_digits(text, &Language::parse(language).unwrap(), least, |_| false)
    }

    #[test]
    fn a_card_number_goes_however_it_is_said_and_the_words_around_it_stay() {
        for (text, left) in [
            ("my card is 4111 1111 1111 1111 and I lost it", "my card is … and I lost it"),
            ("it's four one one one, one one one one, double one double one, 1111 thanks", "it's … thanks"),
            ("forty-one eleven eleven eleven eleven eleven eleven eleven please", "… please"),
            ("4111-1111-1111-1111", "…"),
        ] {
            assert_eq!(redacted(text, "en-US", 13).as_deref(), Some(left), "{text}");
        }
        assert_eq!(
            redacted("我的卡号是六二二二 零二零零 1122 3344 挂失", "zh-CN", 13).as_deref(),
            Some("我的卡号是… 挂失")
        );
    }

    #[test]
    fn sums_days_and_shorter_numbers_stay() {
        for text in [
            "pay two hundred on the fifteenth",
            "12.50 on 3/15/2026 at 5:30",
            "gate four five six",
            "one hundred and one",
        ] {
            assert_eq!(redacted(text, "en-US", 4), None, "{text}");
        }
        assert_eq!(redacted("my PIN is one two three four", "en-US", 4).as_deref(), Some("my PIN is …"));
        assert_eq!(redacted("两百块，三月十五号", "zh-CN", 4), None);
        let keep = |digits: &str| "12345678".contains(digits);
        let text = "customer one two three four five six seven eight";
        assert_eq!(without_digits(text, &Language::english(), 4, keep), None);
    }
}
