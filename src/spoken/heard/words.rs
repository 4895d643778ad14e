//! The words of an utterance, as values are looked for in them.
//!
//! ```text
//!   "Uh-huh, $12.50 on 3/15 at 5pm"   uhhuh · $ · 12.50 · on · 3/15 · at · 5 · pm
//!   "下个月十五号，VISA 卡"             下 · 个 · 月 · 十 · 五 · 号 · visa · 卡
//! ```
//!
//! Unlike [`normalize::words`], which serves wishes, this keeps what values are written with (points, colons, slashes,
//! currency signs) and every Mandarin character, for 这个月 without 这个 is another month. Each word knows its bytes in the
//! text, so that a value can be cut out of it.

use std::ops::Range;

use crate::grammar::normalize::{self, is_mandarin};
use crate::language::Language;

/// One word, or one character of Mandarin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Lower case, half width, simplified.
    pub text: String,
    /// Where it stands in the text.
    pub bytes: Range<usize>,
}

/// The words of one utterance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(pub Vec<Word>);

/// No phrase of ours has more words, or characters.
const LONGEST_PHRASE: usize = 10;

/// Characters that recognisers write in their traditional form, and ours.
const TRADITIONAL: &str = "兩两點点號号萬万億亿後后個个塊块對对沒没錯错這这禮礼週周鐘钟幾几雙双電电話话銀银錢钱歐欧鎊镑港港幣币圓圆\
                           時时間间過过還还來来為为嗎吗麼么們们請请謝谢認认實实確确聖圣誕诞慶庆節节陰阴陽阳陳陈張张楊杨趙赵劉刘\
                           吳吴孫孙許许東东長长馬马於于貳贰陸陆參叁給给滿满顆颗從从應应該该會会當当樣样壹壹";

impl Words {
    /// Splits `text`; nothing is dropped but punctuation and, in English, hesitations.
    pub fn of(text: &str, language: &Language) -> Self {
        let mandarin = is_mandarin(language);
        let mut list = Vec::new();
        let mut rest = text.char_indices().peekable();
        while let Some((start, c)) = rest.next() {
            let c = folded(c);
            let taken = |end: usize| start..end;
            if c.is_ascii_digit() {
                let (figures, end) = figures(text, start);
                while rest.next_if(|(at, _)| *at < end).is_some() {}
                list.push(Word { text: figures, bytes: taken(end) });
            } else if c == '+' && text[start + c_len(text, start)..].starts_with(|c: char| c.is_ascii_digit()) {
                list.push(Word { text: "plus".to_owned(), bytes: taken(start + c_len(text, start)) });
            } else if is_money_sign(c) {
                list.push(Word { text: c.to_string(), bytes: taken(start + c_len(text, start)) });
            } else if mandarin && !c.is_ascii() && c.is_alphanumeric() {
                list.push(Word { text: simplified(c).to_string(), bytes: taken(start + c_len(text, start)) });
            } else if c.is_alphanumeric() {
                let mut word = String::from(c);
                let mut end = start + c_len(text, start);
                while let Some((at, next)) = rest.next_if(|(_, next)| in_word(folded(*next), mandarin)) {
                    word.push(folded(next));
                    end = at + next.len_utf8();
                }
                push_word(&word.to_lowercase(), taken(end), &mut list);
            }
        }
        Self(list)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Was nothing said?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The word at this place; empty past the end.
    pub fn get(&self, at: usize) -> &str {
        self.0.get(at).map_or("", |word| word.text.as_str())
    }

    /// The word before this place; empty at the start.
    pub fn before(&self, at: usize) -> &str {
        at.checked_sub(1).map_or("", |before| self.get(before))
    }

    /// Where `phrase` ends when it stands at this place: words with blanks between them, or characters.
    pub fn take(&self, at: usize, phrase: &str) -> Option<usize> {
        let mut at = at;
        let mut rest = phrase;
        while !rest.is_empty() {
            let word = self.0.get(at)?.text.as_str();
            let after = rest.strip_prefix(word)?;
            let cuts_a_word =
                |c: char| c.is_ascii_alphanumeric() && word.ends_with(|c: char| c.is_ascii_alphanumeric());
            if after.starts_with(cuts_a_word) {
                return None;
            }
            rest = after.trim_start();
            at += 1;
        }
        Some(at)
    }

    /// The longest of `phrases` that stands at this place, and its end.
    pub fn any<'p>(&self, at: usize, phrases: &[&'p str]) -> Option<(&'p str, usize)> {
        phrases.iter().filter_map(|phrase| Some((*phrase, self.take(at, phrase)?))).max_by_key(|(_, end)| *end)
    }

    /// The longest phrase of a table that stands at this place, what it means, and its end.
    pub fn find<T: Copy>(&self, at: usize, table: &[(&str, T)]) -> Option<(T, usize)> {
        let hits = table.iter().filter_map(|(phrase, meaning)| Some((*meaning, self.take(at, phrase)?)));
        hits.max_by_key(|(_, end)| *end)
    }

    /// The end of the longest of `phrases` here, or `at` itself: what may be said and need not.
    pub fn skip(&self, at: usize, phrases: &[&str]) -> usize {
        self.any(at, phrases).map_or(at, |(_, end)| end)
    }

    /// Does one of `phrases` end right before this place?
    pub fn after(&self, at: usize, phrases: &[&str]) -> bool {
        (at.saturating_sub(LONGEST_PHRASE)..at)
            .any(|start| phrases.iter().any(|phrase| self.take(start, phrase) == Some(at)))
    }

    /// Is there a blank or a mark before this word? Between Mandarin characters that is a pause.
    pub fn gap(&self, at: usize) -> bool {
        match (at.checked_sub(1).and_then(|before| self.0.get(before)), self.0.get(at)) {
            (Some(before), Some(word)) => before.bytes.end < word.bytes.start,
            _ => true,
        }
    }

    /// The bytes of a range of words.
    pub fn bytes(&self, words: &Range<usize>) -> Range<usize> {
        match (self.0.get(words.start), words.end.checked_sub(1).and_then(|last| self.0.get(last))) {
            (Some(first), Some(last)) if words.start < words.end => first.bytes.start..last.bytes.end,
            _ => 0..0,
        }
    }
}

/// A run of figures with what holds them together: `1,234.50`, `5:30`, `3/15/2026`, `2026-03-01`, and `15th`. Commas
/// between thousands go.
fn figures(text: &str, start: usize) -> (String, usize) {
    let mut figures = String::new();
    let mut end = start;
    let digits_after =
        |end: usize, skip: usize| text[end + skip..].chars().take_while(|c| folded(*c).is_ascii_digit()).count();
    for c in text[start..].chars() {
        let plain = folded(c);
        let after = digits_after(end, c.len_utf8());
        let joins = match plain {
            '0'..='9' => true,
            ',' => after == 3 && c == ',',
            '.' => after > 0 && !figures.contains(['.', ':', '/']),
            ':' => after == 2 && !figures.contains(['.', '/']),
            '/' => after > 0 && !figures.contains(['.', ':']),
            '-' => is_iso_date(&text[start..]) && figures.len() < 8,
            _ => false,
        };
        if !joins {
            break;
        }
        if plain != ',' {
            figures.push(plain);
        }
        end += c.len_utf8();
    }
    let ending =
        text.get(end..end + 2).filter(|two| ["st", "nd", "rd", "th"].contains(&two.to_ascii_lowercase().as_str()));
    if let Some(ending) = ending.filter(|_| !text[end + 2..].starts_with(|c: char| c.is_alphanumeric())) {
        figures.push_str(&ending.to_ascii_lowercase());
        end += 2;
    }
    (figures, end)
}

fn is_iso_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10
        && bytes[..10].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// "uh huh" and "mm hmm" are answers; by themselves their halves are hesitations, and those go, as contractions do.
fn push_word(word: &str, bytes: Range<usize>, list: &mut Vec<Word>) {
    const FIRST_HALVES: [&str; 6] = ["uh", "mm", "mhm", "hm", "uhhuh", "mmhmm"];
    if let Some(last) = list.last_mut().filter(|last| FIRST_HALVES.contains(&last.text.as_str())) {
        let answer = match (last.text.as_str(), word) {
            ("uh", "huh") => Some("uhhuh"),
            ("uh", "uh") => Some("uhuh"),
            ("mm" | "hm", "hmm" | "hm" | "mm") => Some("mmhmm"),
            _ => None,
        };
        match answer {
            Some(answer) => {
                answer.clone_into(&mut last.text);
                last.bytes.end = bytes.end;
                return;
            }
            None if matches!(last.text.as_str(), "uh" | "mm" | "hm") => {
                list.pop();
            }
            None => {}
        }
    }
    if FIRST_HALVES.contains(&word) {
        list.push(Word { text: word.to_owned(), bytes });
        return;
    }
    for text in normalize::words(word, &Language::english()) {
        list.push(Word { text, bytes: bytes.clone() });
    }
}

fn in_word(c: char, mandarin: bool) -> bool {
    if mandarin { c.is_ascii_alphabetic() } else { (c.is_alphabetic() || c == '\'') && !is_money_sign(c) }
}

const fn is_money_sign(c: char) -> bool {
    matches!(c, '$' | '£' | '€' | '¥')
}

fn c_len(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(0, char::len_utf8)
}

/// Half width, and one apostrophe.
fn folded(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '￥' => '¥',
        '’' | '‘' | 'ʼ' | '`' => '\'',
        _ => c,
    }
}

fn simplified(c: char) -> char {
    let mut pairs = TRADITIONAL.chars().filter(|c| !c.is_whitespace());
    while let (Some(traditional), Some(ours)) = (pairs.next(), pairs.next()) {
        if traditional == c {
            return ours;
        }
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, tag: &str) -> String {
        let words = Words::of(text, &Language::parse(tag).unwrap());
        for word in &words.0 {
            assert!(text.get(word.bytes.clone()).is_some(), "{text}: {word:?}");
        }
        words.0.into_iter().map(|word| word.text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn figures_keep_what_holds_them_together() {
        for (text, words) in [
            ("$1,234.50, please.", "$ 1234.50 please"),
            ("on 3/15 at 5:30pm.", "on 3/15 at 5:30 pm"),
            ("2026-03-01 or 555-1234", "2026-03-01 or 555 1234"),
            ("March 3rd, 2026", "march 3rd 2026"),
            ("1, 2, 3", "1 2 3"),
            ("uh, twenty-one o'clock", "twenty one oclock"),
            ("Uh-huh. mm-hmm, uh uh um", "uhhuh mmhmm uhuh"),
            ("I'd say I can't", "i would say i can not"),
            ("at 5p.m.", "at 5 p m"),
        ] {
            assert_eq!(split(text, "en-US"), words);
        }
    }

    #[test]
    fn mandarin_keeps_every_character_in_simplified_form() {
        for (text, words) in [
            ("嗯，下個月十五號", "嗯 下 个 月 十 五 号"),
            ("１２．５塊", "12.5 块"),
            ("VISA卡3月15日下午5:30", "visa 卡 3 月 15 日 下 午 5:30"),
        ] {
            assert_eq!(split(text, "zh-CN"), words);
        }
    }

    #[test]
    fn phrases_are_found_at_word_boundaries() {
        let words = Words::of("a day after tomorrow", &Language::english());
        assert_eq!(words.take(1, "day after tomorrow"), Some(4));
        assert_eq!(words.take(0, "a da"), None);
        assert_eq!(words.take(3, "tomorrow night"), None);
        assert!(words.after(3, &["day after"]));
    }

    #[test]
    fn any_text_is_survived() {
        for text in
            ["", "'", "5:", "5.", "1,2,3,4", "12/", "İ1st", "９９：９９", "😀$", "-1-1-1", "2026-03-011", "½٣", "1STé"]
        {
            let _ = (split(text, "en"), split(text, "zh"));
        }
    }
}
