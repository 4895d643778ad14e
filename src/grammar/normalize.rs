//! One spelling for everything a recogniser, a keyboard or a plan author may write.
//!
//! ```text
//!   "Um, I’d like to PAY my card—please!"
//!    words    →  i would like to pay my card please       contractions open, hesitation gone
//!    unframed →                  pay my card              politeness around the wish gone
//! ```
//!
//! English comes out as words, Mandarin as single characters with Latin words and digits kept whole. Number words
//! stay words: `spoken` reads those. Pure functions over text; nothing here can fail.

use std::ops::Range;

use crate::language::Language;

/// Sounds that carry no meaning; dropped wherever they stand.
const HESITATIONS: &[&str] =
    &["um", "umm", "uh", "uhh", "uhm", "er", "erm", "hm", "hmm", "mm", "mmm", "ah", "eh", "huh", "em", "ehm"];

/// Irregular shortenings, opened into the words they stand for. Regular ones (`n't`, `'ll`…) are cut by ending.
const SHORTENINGS: &[(&str, &str)] = &[
    ("ain't", "is not"),
    ("can't", "can not"),
    ("cannot", "can not"),
    ("cant", "can not"),
    ("didnt", "did not"),
    ("doesnt", "does not"),
    ("dont", "do not"),
    ("dunno", "do not know"),
    ("gimme", "give me"),
    ("gonna", "going to"),
    ("gotta", "got to"),
    ("im", "i am"),
    ("isnt", "is not"),
    ("ive", "i have"),
    ("kinda", "kind of"),
    ("lemme", "let me"),
    ("let's", "let us"),
    ("mum", "mom"),
    ("o'clock", "oclock"),
    ("ok", "okay"),
    ("outta", "out of"),
    ("shan't", "shall not"),
    ("thats", "that is"),
    ("wanna", "want to"),
    ("whats", "what is"),
    ("wheres", "where is"),
    ("won't", "will not"),
    ("y'all", "you all"),
    ("ya", "you"),
    ("yea", "yeah"),
    ("yep", "yes"),
    ("yup", "yes"),
];

/// Words after which `'s` means "is"; after others it marks an owner and is dropped.
const IS_AFTER: &[&str] =
    &["it", "that", "what", "where", "who", "how", "when", "there", "here", "he", "she", "this", "something", "why"];

/// What people say before the wish itself, as [`words`] leaves it; the longest match wins.
const OPENINGS: &[&str] = &[
    "a question about",
    "actually",
    "alright",
    "am i able to",
    "and",
    "are you able to",
    "basically",
    "but",
    "can i",
    "can i get",
    "can i have",
    "can i please",
    "can we",
    "can you",
    "can you help me",
    "can you help me to",
    "can you please",
    "can you tell me",
    "could i",
    "could i get",
    "could i have",
    "could i please",
    "could we",
    "could you",
    "could you help me",
    "could you please",
    "could you tell me",
    "do you mind",
    "excuse me",
    "give me",
    "go ahead and",
    "good afternoon",
    "good day",
    "good evening",
    "good morning",
    "got to",
    "hello",
    "help me",
    "help me to",
    "help me with",
    "hey",
    "hey there",
    "hi",
    "hi there",
    "i am calling about",
    "i am calling because",
    "i am calling for",
    "i am calling in regards to",
    "i am calling regarding",
    "i am calling to",
    "i am calling to ask about",
    "i am here to",
    "i am interested in",
    "i am just calling to",
    "i am looking for",
    "i am looking to",
    "i am phoning about",
    "i am phoning to",
    "i am ringing about",
    "i am trying to",
    "i am wondering if",
    "i am wondering if i can",
    "i am wondering if i could",
    "i am wondering if you can",
    "i am wondering if you could",
    "i called to",
    "i have a question about",
    "i have got to",
    "i have to",
    "i just need",
    "i just need to",
    "i just want to",
    "i just want",
    "i just wanted to",
    "i just would like to",
    "i mean",
    "i need",
    "i need help to",
    "i need help with",
    "i need some help with",
    "i need to",
    "i need to know",
    "i need you to",
    "i think",
    "i think i",
    "i think i need to",
    "i think i want to",
    "i want",
    "i want to",
    "i want to ask about",
    "i want to know",
    "i want you to",
    "i wanted to",
    "i was hoping to",
    "i was hoping you could",
    "i was just wondering if",
    "i was wondering",
    "i was wondering if",
    "i was wondering if i could",
    "i was wondering if you could",
    "i wish to",
    "i would just like to",
    "i would like",
    "i would like to",
    "i would like to know",
    "i would like you to",
    "is it possible to",
    "it is",
    "it is about",
    "it would be",
    "just",
    "kindly",
    "let me",
    "let us",
    "like",
    "listen",
    "may i",
    "may i have",
    "maybe",
    "me",
    "oh",
    "okay",
    "please",
    "please help me",
    "right",
    "show me",
    "so",
    "sorry",
    "sure",
    "tell me",
    "thank you",
    "thanks",
    "that would be",
    "there",
    "to",
    "uh",
    "want to",
    "we need",
    "we need to",
    "we want to",
    "we would like to",
    "well",
    "what about",
    "would it be possible to",
    "would like to",
    "would you",
    "would you mind",
    "would you please",
    "yeah",
    "yes",
    "yes please",
    "you know",
];

/// What people say after the wish.
const CLOSINGS: &[&str] = &[
    "actually",
    "as soon as possible",
    "cheers",
    "for me",
    "for me please",
    "i guess",
    "i think",
    "if i may",
    "if possible",
    "if you can",
    "if you could",
    "if you do not mind",
    "if you please",
    "if you would",
    "instead",
    "just now",
    "now",
    "okay",
    "please",
    "right away",
    "right now",
    "sir",
    "thank you",
    "thank you so much",
    "thank you very much",
    "thanks",
    "thanks a lot",
    "then",
    "today",
    "you know",
];

/// Particles and courtesies of Mandarin that say nothing about the wish; the longest match wins, wherever it stands.
const MANDARIN_FRAMES: &[&str] = &[
    "我想要",
    "我想",
    "我要",
    "我需要",
    "需要",
    "想要",
    "请帮我",
    "帮我",
    "帮忙",
    "请问",
    "请你",
    "请",
    "麻烦你",
    "麻烦您",
    "麻烦",
    "你好",
    "您好",
    "喂",
    "给我",
    "一下",
    "可以",
    "能不能",
    "可不可以",
    "能",
    "谢谢",
    "那个",
    "这个",
    "就是",
    "嗯",
    "呃",
    "啊",
    "吧",
    "呢",
    "吗",
    "嘛",
    "呀",
    "哦",
    "噢",
    "哎",
    "诶",
    "了",
    "的",
];

/// Characters of the longest of them.
const LONGEST_FRAME: usize = 4;

/// Splits `text` into lower-case words (English) or characters (Mandarin): punctuation, case, full-width forms,
/// contractions and hesitations no longer differ.
pub fn words(text: &str, language: &Language) -> Vec<String> {
    if is_mandarin(language) { mandarin(text) } else { english(text) }
}

/// As [`words`], but with everything that is said: Mandarin courtesies stay. What a grammar compares.
pub fn units(text: &str, language: &Language) -> Vec<String> {
    if is_mandarin(language) { characters(text) } else { english(text) }
}

/// The part of `units` that is no courtesy around the wish; all of them when nothing else is left.
pub fn core(units: &[String], language: &Language) -> Range<usize> {
    if !is_mandarin(language) {
        let (front, back) = frames(units);
        return front..units.len() - back;
    }
    let frame = |rest: &[String]| MANDARIN_FRAMES.iter().filter_map(|frame| spells(rest, frame)).max();
    let mut front = 0;
    while let Some(length) = frame(&units[front..]) {
        front += length;
    }
    let mut back = units.len();
    let ending = |back: usize| {
        let begin = back.saturating_sub(LONGEST_FRAME).max(front);
        (begin..back).find(|start| frame(&units[*start..back]) == Some(back - start))
    };
    while let Some(start) = ending(back) {
        back = start;
    }
    if front < back { front..back } else { 0..units.len() }
}

/// Takes politeness from around the wish: "can you pay my card please" is "pay my card". Leaves at least one word
/// of whatever it is given, so "please" alone stays "please".
pub fn unframed<'words>(words: &'words [String], language: &Language) -> &'words [String] {
    if is_mandarin(language) {
        return words; // Mandarin frames are cut while the characters are split.
    }
    let (front, back) = frames(words);
    &words[front..words.len() - back]
}

/// How many English words at the front and at the back are courtesy.
fn frames(words: &[String]) -> (usize, usize) {
    let (mut front, mut back) = (0, 0);
    loop {
        let rest = &words[front..words.len() - back];
        let opening = longest(OPENINGS, |frame| starts_with(rest, frame)).unwrap_or(0);
        front += opening;
        let closing = longest(CLOSINGS, |frame| ends_with(&rest[opening..], frame)).unwrap_or(0);
        back += closing;
        if opening + closing == 0 {
            return (front, back);
        }
    }
}

/// Does this language write without spaces, so that characters are the units?
pub fn is_mandarin(language: &Language) -> bool {
    matches!(language.primary(), "zh" | "cmn")
}

fn english(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for raw in folded(text).split(|c: char| !(c.is_alphanumeric() || c == '\'')) {
        let word = raw.trim_matches('\'');
        if !word.is_empty() && !HESITATIONS.contains(&word) {
            open_contraction(word, &mut words);
        }
    }
    words
}

fn open_contraction(word: &str, into: &mut Vec<String>) {
    if let Ok(place) = SHORTENINGS.binary_search_by_key(&word, |(short, _)| short) {
        into.extend(SHORTENINGS[place].1.split(' ').map(str::to_owned));
        return;
    }
    let opened = [("n't", "not"), ("'re", "are"), ("'ll", "will"), ("'ve", "have"), ("'d", "would"), ("'m", "am")]
        .into_iter()
        .find_map(|(ending, full)| Some((word.strip_suffix(ending)?, full)));
    match (opened, word.strip_suffix("'s")) {
        (Some((stem, full)), _) if !stem.is_empty() => into.extend([stem.to_owned(), full.to_owned()]),
        (_, Some(stem)) if IS_AFTER.contains(&stem) => into.extend([stem.to_owned(), "is".to_owned()]),
        (_, Some(stem)) => into.push(stem.to_owned()),
        _ => into.push(word.replace('\'', "")),
    }
}

fn mandarin(text: &str) -> Vec<String> {
    without_frames(&characters(text))
}

fn characters(text: &str) -> Vec<String> {
    let mut units: Vec<String> = Vec::new();
    let mut joins = false; // the last unit is a Latin word or a number that may still grow
    for c in folded(text).chars() {
        let latin = c.is_ascii_alphanumeric();
        match units.last_mut() {
            Some(last) if latin && joins => last.push(c),
            _ if c.is_alphanumeric() => units.push(c.to_string()),
            _ => {}
        }
        joins = latin;
    }
    units
}

fn without_frames(units: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < units.len() {
        let rest = &units[at..];
        let frame = MANDARIN_FRAMES.iter().filter_map(|frame| spells(rest, frame)).max();
        match frame {
            Some(length) => at += length,
            None => {
                kept.push(rest[0].clone());
                at += 1;
            }
        }
    }
    // "可以吗" is all courtesy, yet it is all there is.
    if kept.is_empty() { units.to_vec() } else { kept }
}

/// How many units at the front spell `frame` out; `None` when they do not.
fn spells(units: &[String], frame: &str) -> Option<usize> {
    let length = frame.chars().count();
    let mut letters = [0; 4];
    let matches = length <= units.len()
        && frame.chars().zip(units).all(|(letter, unit)| unit.as_str() == &*letter.encode_utf8(&mut letters));
    matches.then_some(length)
}

/// Lower case, full-width forms made half-width (Unicode block FF01–FF5E mirrors ASCII 21–7E), every apostrophe `'`.
fn folded(text: &str) -> String {
    let half_width = |c: char| match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{3000}' => ' ',
        '’' | '‘' | 'ʼ' | '`' => '\'',
        _ => c,
    };
    text.chars().map(half_width).flat_map(char::to_lowercase).collect()
}

fn longest(frames: &[&str], matches: impl Fn(&str) -> Option<usize>) -> Option<usize> {
    frames.iter().filter_map(|frame| matches(frame)).max()
}

fn starts_with(words: &[String], frame: &str) -> Option<usize> {
    // Most frames differ in their first word: plans of a thousand menus have millions of looks here.
    let rest = frame.strip_prefix(words.first()?.as_str())?;
    if !rest.is_empty() && !rest.starts_with(' ') {
        return None;
    }
    let length = frame.split(' ').count();
    (length < words.len() && frame.split(' ').zip(words).all(|(a, b)| a == b)).then_some(length)
}

fn ends_with(words: &[String], frame: &str) -> Option<usize> {
    let rest = frame.strip_suffix(words.last()?.as_str())?;
    if !rest.is_empty() && !rest.ends_with(' ') {
        return None;
    }
    let length = frame.split(' ').count();
    let start = words.len().checked_sub(length).filter(|start| *start > 0)?;
    frame.split(' ').zip(&words[start..]).all(|(a, b)| a == b).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english(text: &str) -> String {
        words(text, &Language::english()).join(" ")
    }

    fn core(text: &str) -> String {
        let language = Language::english();
        unframed(&words(text, &language), &language).join(" ")
    }

    fn mandarin(text: &str) -> String {
        words(text, &Language::parse("zh-CN").unwrap()).join(" ")
    }

    #[test]
    fn spelling_no_longer_matters() {
        assert_eq!(english("Um, I’D like to PAY—my card!"), "i would like to pay my card");
        assert_eq!(english("what's up, can't you? won't   gonna"), "what is up can not you will not going to");
        assert_eq!(english("my mother's card isn't here"), "my mother card is not here");
        assert_eq!(english("ｌｏｓｔ　ＣＡＲＤ"), "lost card");
        assert_eq!(english("rock 'n' roll"), "rock n roll");
    }

    #[test]
    fn politeness_around_the_wish_goes() {
        assert_eq!(core("Hi there, can you please tell me my balance, thanks"), "my balance");
        assert_eq!(core("I would like to pay my card please"), "pay my card");
        assert_eq!(
            core("yes hello good morning i was wondering if i could make a payment right now"),
            "make a payment"
        );
    }

    #[test]
    fn courtesy_alone_is_left_alone() {
        assert_eq!(core("please"), "please");
        assert_eq!(core("hello"), "hello");
        assert_eq!(core("yes please"), "please");
        assert_eq!(core(""), "");
    }

    #[test]
    fn mandarin_comes_out_in_characters() {
        assert_eq!(mandarin("请问，我的余额是多少？"), "我 余 额 是 多 少");
        assert_eq!(mandarin("我要查一下VISA卡１２３"), "查 visa 卡 123");
        assert_eq!(mandarin("谢谢"), "谢 谢");
    }

    #[test]
    fn units_keep_the_courtesies_and_the_core_leaves_them_out() {
        let zh = Language::parse("zh-CN").unwrap();
        let core_of = |text: &str, language: &Language| {
            let units = units(text, language);
            units[super::core(&units, language)].join(" ")
        };
        assert_eq!(units("请问，我要查余额", &zh).join(""), "请问我要查余额");
        assert_eq!(core_of("请问，我要查余额，谢谢了", &zh), "查 余 额");
        assert_eq!(core_of("可以吗", &zh), "可 以 吗");
        assert_eq!(core_of("查的", &zh), "查");
        assert_eq!(core_of("Could you please pay my card, thanks", &Language::english()), "pay my card");
        assert_eq!(core_of("", &zh), "");
    }

    #[test]
    fn shortenings_stay_sorted_for_the_search() {
        assert!(SHORTENINGS.is_sorted_by_key(|(short, _)| *short));
    }

    #[test]
    fn ten_thousand_courtesies_are_cut_as_one_is() {
        let zh = Language::parse("zh-CN").unwrap();
        for (text, language) in [
            (format!("查余额{}", "谢谢了".repeat(10_000)), &zh),
            (format!("{}查余额", "请帮我".repeat(10_000)), &zh),
            (format!("{}my balance{}", "please ".repeat(10_000), " thanks".repeat(10_000)), &Language::english()),
        ] {
            let units = units(&text, language);
            assert!(
                ["查余额", "mybalance"].contains(&units[super::core(&units, language)].concat().as_str()),
                "{language}"
            );
        }
    }

    #[test]
    fn no_courtesy_is_longer_than_what_is_looked_for() {
        assert_eq!(MANDARIN_FRAMES.iter().map(|frame| frame.chars().count()).max(), Some(LONGEST_FRAME));
    }

    #[test]
    fn any_bytes_are_survived() {
        for text in ["", "'", "''''", "'s", "n't", "\u{0}\u{FFFF}", "İ'd", "😀 ok", "。。。"] {
            let _ = (english(text), mandarin(text), core(text));
        }
    }
}
