//! Is somebody swearing? Whoever does, and says nothing else that is understood, is not asked again in the same words but
//! handed to a person.
//!
//! Only words that are thrown at somebody or at the machine; those that also mean something ("crap", 操作) stand here in a
//! phrase, or not at all.

use crate::language::Language;
use crate::spoken::heard::Words;

const ENGLISH: &[&str] = &[
    "fuck",
    "fucking",
    "fucked",
    "fucker",
    "motherfucker",
    "motherfucking",
    "shit",
    "shitty",
    "bullshit",
    "asshole",
    "arsehole",
    "bitch",
    "bastard",
    "bastards",
    "dickhead",
    "wanker",
    "bollocks",
    "goddamn",
    "goddamned",
    "damn it",
    "damn you",
    "damn machine",
    "damn robot",
    "piss off",
    "pissed off",
    "screw you",
    "screw this",
    "go to hell",
    "what the hell",
    "shut up",
    "you idiot",
    "you moron",
    "idiots",
    "morons",
    "stupid machine",
    "stupid robot",
    "stupid computer",
    "stupid thing",
    "you are stupid",
    "dumb machine",
    "dumb robot",
    "useless machine",
    "piece of crap",
    "this is ridiculous",
];
const MANDARIN: &[&str] = &[
    "他妈",
    "妈的",
    "你妈",
    "我操",
    "我草",
    "卧槽",
    "操你",
    "操蛋",
    "傻逼",
    "傻比",
    "傻叉",
    "煞笔",
    "混蛋",
    "王八蛋",
    "滚蛋",
    "滚开",
    "给我滚",
    "去死",
    "神经病",
    "你有病",
    "放屁",
    "狗屁",
    "白痴",
    "蠢货",
    "废物",
    "垃圾机器",
    "垃圾客服",
    "烦死了",
    "气死我",
    "去你的",
    "见鬼",
    "什么破",
    "闭嘴",
];

/// Does the text hold a swear word?
pub fn is_upset(text: &str, language: &Language) -> bool {
    without_swearing(text, language).is_some()
}

/// What is left of a text without its swear words; `None` where it has none.
pub fn without_swearing(text: &str, language: &Language) -> Option<String> {
    let list = match language.primary() {
        "en" => ENGLISH,
        "zh" | "cmn" => MANDARIN,
        _ => return None,
    };
    let words = Words::of(text, language);
    let (mut kept, mut from, mut at, mut found) = (String::new(), 0, 0, false);
    while at < words.len() {
        let Some((_, end)) = words.any(at, list) else {
            at += 1;
            continue;
        };
        found = true;
        // "You bastards": whom it is thrown at goes as well.
        let start = if words.before(at) == "you" { at - 1 } else { at };
        let gone = words.bytes(&(start..end));
        kept.push_str(text.get(from..gone.start).unwrap_or_default());
        (from, at) = (gone.end, end);
    }
    kept.push_str(text.get(from..).unwrap_or_default());
    let kept = kept.split_whitespace().collect::<Vec<_>>().join(" ");
    found.then(|| kept.trim_matches(|letter: char| !letter.is_alphanumeric()).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swearing_is_told_from_words_that_sound_like_it() {
        let upset = |text: &str, language: &str| is_upset(text, &Language::parse(language).unwrap());
        for text in [
            "oh fuck you",
            "this is bullshit!",
            "Stupid machine",
            "are you fucking kidding me",
            "what the hell is this",
        ] {
            assert!(upset(text, "en-US"), "{text}");
        }
        for text in ["I bought shitake mushrooms", "the Scunthorpe branch", "I am upset", "hello there", ""] {
            assert!(!upset(text, "en-US"), "{text}");
        }
        for text in ["你他妈的听不懂吗", "滚蛋", "傻逼机器"] {
            assert!(upset(text, "zh-CN"), "{text}");
        }
        for text in ["怎么操作", "我要投诉", "我妈妈病了", "滚动"] {
            assert!(!upset(text, "zh-CN"), "{text}");
        }
        assert!(!upset("merde", "fr-FR"));
        let rest = without_swearing("stop calling me, you bastards", &Language::english());
        assert_eq!(rest.as_deref(), Some("stop calling me"));
        assert_eq!(without_swearing("fuck you", &Language::english()).as_deref(), Some("you"));
    }
}
