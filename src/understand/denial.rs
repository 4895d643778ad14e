//! What is denied: of "I will not pay" and 我不会付的 it is the paying.
//!
//! Words weighed one by one say much the same with and without a "not". So the word that a negation falls on is looked
//! up among those of each option: an option that has it, and has it nowhere denied, is not what was meant.

use std::collections::BTreeSet;

use super::stem::stem;
use crate::grammar::normalize::is_mandarin;
use crate::language::Language;

const ENGLISH: &[&str] = &["not", "never"];
/// What may stand between a negation and the word it falls on.
const ENGLISH_BETWEEN: &[&str] = &[
    "a",
    "able",
    "actually",
    "all",
    "an",
    "any",
    "been",
    "being",
    "be",
    "but",
    "currently",
    "even",
    "ever",
    "fully",
    "going",
    "had",
    "has",
    "have",
    "having",
    "just",
    "like",
    "mean",
    "need",
    "now",
    "our",
    "my",
    "planning",
    "quite",
    "really",
    "so",
    "still",
    "that",
    "the",
    "this",
    "to",
    "today",
    "too",
    "very",
    "want",
    "willing",
    "wish",
    "yet",
    "anymore",
    "more",
    "thanks",
    "thank",
    "please",
    "sorry",
    "afraid",
];
/// After these nothing is denied that a wish would name: "I do not see my balance" asks for it.
const ENGLISH_LIGHT: &[&str] = &[
    "i",
    "you",
    "we",
    "they",
    "he",
    "she",
    "it",
    "there",
    "only",
    "sure",
    "know",
    "get",
    "got",
    "find",
    "see",
    "hear",
    "receive",
    "received",
    "understand",
    "understood",
    "remember",
    "recall",
    "worry",
    "mind",
    "forget",
    "wait",
    "help",
    "matter",
];
/// A negation after one of these is none.
const ENGLISH_NONE_AFTER: &[&str] = &["why", "if", "or", "whether"];

const MANDARIN: &[&str] = &["不", "没", "别", "未", "甭"];
const MANDARIN_BETWEEN: &[&str] = &[
    "会", "能", "想", "要", "是", "有", "可", "以", "再", "太", "很", "真", "打", "算", "愿", "意", "肯", "敢", "用",
    "需", "得", "怎", "么", "了", "的", "吧", "啊", "呢", "呀", "嘛", "去", "来", "这", "那", "个", "谢",
];
/// The same that may be what is denied where nothing follows: 不来.
const MANDARIN_LAST: &[&str] = &["去", "来"];
const MANDARIN_LIGHT: &[&str] = &["收", "看", "听", "知", "懂", "明", "记", "找", "查", "清", "确"];
/// Words that hold such a character and deny nothing.
const MANDARIN_IDIOMS: &[&str] = &[
    "不好意思",
    "对不起",
    "差不多",
    "不过",
    "没问题",
    "没错",
    "没事",
    "没关系",
    "不客气",
    "不用谢",
    "不错",
    "不管",
    "不如",
    "不但",
    "不仅",
    "不然",
    "要不",
    "别人",
    "别的",
    "特别",
    "个别",
    "分别",
    "未来",
    "不止",
    "不久",
    "来不及",
    "不得不",
];

/// For each negation the place of the word it falls on; `None` where none stands behind it ("I will not").
pub fn denied(words: &[String], language: &Language) -> Vec<Option<usize>> {
    if is_mandarin(language) { in_mandarin(words) } else { in_english(words) }
}

fn in_english(words: &[String]) -> Vec<Option<usize>> {
    let is = |place: usize, list: &[&str]| words.get(place).is_some_and(|word| list.contains(&word.as_str()));
    let negations = (0..words.len())
        .filter(|at| is(*at, ENGLISH) && !at.checked_sub(1).is_some_and(|before| is(before, ENGLISH_NONE_AFTER)));
    let falls_on = |at: usize| (at + 1..words.len()).find(|place| !is(*place, ENGLISH_BETWEEN));
    negations.map(falls_on).filter(|place| place.is_none_or(|place| !is(place, ENGLISH_LIGHT))).collect()
}

fn in_mandarin(words: &[String]) -> Vec<Option<usize>> {
    let is = |place: usize, list: &[&str]| words.get(place).is_some_and(|word| list.contains(&word.as_str()));
    let text = words.concat();
    let begins: Vec<usize> = words
        .iter()
        .scan(0, |sum, word| {
            let begin = *sum;
            *sum += word.len();
            Some(begin)
        })
        .collect();
    let mut in_idiom = vec![false; text.len()];
    for idiom in MANDARIN_IDIOMS {
        text.match_indices(idiom).for_each(|(begin, _)| in_idiom[begin..begin + idiom.len()].fill(true));
    }
    // 能不能, 是不是, 有没有 ask.
    let asks = |at: usize| {
        let pair = at.checked_sub(1).map(|before| (words.get(before), words.get(at + 1)));
        pair.is_some_and(|(before, after)| before.is_some() && before == after)
    };
    let negations = (0..words.len()).filter(|at| is(*at, MANDARIN) && !in_idiom[begins[*at]] && !asks(*at));
    let next_content = next(words.len(), |place| !is(place, MANDARIN_BETWEEN) && !is(place, MANDARIN));
    let next_last = next(words.len(), |place| is(place, MANDARIN_LAST));
    let falls_on = |at: usize| next_content[at + 1].or(next_last[at + 1]);
    negations.map(falls_on).filter(|place| place.is_none_or(|place| !is(place, MANDARIN_LIGHT))).collect()
}

/// For each of `many` places, and for the end, the first place from there on that `is_one`.
fn next(many: usize, is_one: impl Fn(usize) -> bool) -> Vec<Option<usize>> {
    let mut next = vec![None; many + 1];
    for place in (0..many).rev() {
        next[place] = if is_one(place) { Some(place) } else { next[place + 1] };
    }
    next
}

/// What the phrases of one option say, and what they deny.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Stems of the phrases without a negation.
    plain: BTreeSet<String>,
    /// Stems that some phrase denies; empty text for a denial of nothing in particular.
    denied: BTreeSet<String>,
}

impl Said {
    /// Another phrase of the option.
    pub fn add(&mut self, words: &[String], language: &Language) {
        let places = denied(words, language);
        if places.is_empty() {
            self.plain.extend(words.iter().map(|word| root(word, language)));
        }
        self.denied.extend(places.into_iter().map(|place| word_at(words, place, language)));
    }

    /// Is what an utterance denies ([`denied_words`]) what this option says?
    pub fn is_denied_by(&self, denied: &[String]) -> bool {
        let said = |word: &String| word.is_empty() || self.plain.contains(word);
        !self.plain.is_empty() && denied.iter().any(|word| said(word) && !self.denied.contains(word))
    }
}

/// The words denied in an utterance, as [`Said`] compares them.
pub fn denied_words(words: &[String], language: &Language) -> Vec<String> {
    denied(words, language).into_iter().map(|place| word_at(words, place, language)).collect()
}

fn word_at(words: &[String], place: Option<usize>, language: &Language) -> String {
    place.and_then(|place| words.get(place)).map(|word| root(word, language)).unwrap_or_default()
}

fn root(word: &str, language: &Language) -> String {
    match word {
        _ if is_mandarin(language) => word.to_owned(),
        "paid" => "pay".to_owned(),
        _ => stem(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::normalize;

    fn on(text: &str, tag: &str) -> Vec<String> {
        let language = Language::parse(tag).unwrap();
        denied_words(&normalize::words(text, &language), &language)
    }

    #[test]
    fn a_negation_falls_on_the_word_behind_it() {
        for (text, word) in [
            ("I will not pay", "pay"),
            ("I won't be able to pay next week", "pay"),
            ("I cannot pay next week", "pay"),
            ("that's not right", "right"),
            ("not a very good one", "good"),
            ("I am not", ""),
            ("I never ordered this", "order"),
        ] {
            assert_eq!(on(text, "en-US"), [stem(word)], "{text}");
        }
        for (text, word) in
            [("我不会付的", "付"), ("我不会来", "来"), ("不是很好", "好"), ("不是", ""), ("没有付", "付")]
        {
            assert_eq!(on(text, "zh-CN"), [word], "{text}");
        }
    }

    #[test]
    fn a_row_of_negations_falls_on_the_first_word_behind_it_however_long_it_is() {
        assert_eq!(on(&format!("{}付", "不别没".repeat(2)), "zh-CN"), ["付"; 6]);
        assert_eq!(on(&format!("{}付", "不别没".repeat(20_000)), "zh-CN").len(), 60_000);
        assert_eq!(on(&"未来不".repeat(3), "zh-CN"), ["来", "来", ""], "the future is no negation");
    }

    #[test]
    fn not_every_not_denies() {
        for text in ["why not", "can't you tell me my balance", "I don't know my balance", "I can not find my card"] {
            assert_eq!(on(text, "en-US"), Vec::<String>::new(), "{text}");
        }
        for text in ["不好意思我要付款", "能不能付款", "有没有余额", "没问题", "没错", "我没收到账单"]
        {
            assert_eq!(on(text, "zh-CN"), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn an_option_that_says_so_itself_is_not_denied() {
        let language = Language::english();
        let said = |phrases: &[&str]| {
            let mut said = Said::default();
            phrases.iter().for_each(|phrase| said.add(&normalize::words(phrase, &language), &language));
            said
        };
        let (promise, hardship) = (said(&["I will pay"]), said(&["I have no money", "I can not pay"]));
        let denied = on("I won't pay", "en");
        assert!(promise.is_denied_by(&denied) && !hardship.is_denied_by(&denied));
        assert!(!said(&["lost my card"]).is_denied_by(&on("I can't pay", "en")));
    }
}
