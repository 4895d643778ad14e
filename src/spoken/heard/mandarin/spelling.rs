//! Mandarin spelling: B O X, 大写A, 双L, and characters described: 弓长张, 北京的京.

use super::numbers::{digit, small};
use crate::spoken::heard::runs::Spelled;
use crate::spoken::heard::words::Words;

/// How people take common family names apart.
const DESCRIBED: &[(&str, char)] = &[
    ("弓长张", '张'),
    ("立早章", '章'),
    ("木子李", '李'),
    ("口天吴", '吴'),
    ("耳东陈", '陈'),
    ("古月胡", '胡'),
    ("双木林", '林'),
    ("三横王", '王'),
    ("言午许", '许'),
    ("草头黄", '黄'),
    ("双人徐", '徐'),
    ("走肖赵", '赵'),
    ("文刀刘", '刘'),
    ("卯金刀刘", '刘'),
    ("人可何", '何'),
    ("木易杨", '杨'),
    ("关耳郑", '郑'),
    ("禾呈程", '程'),
    ("水工江", '江'),
    ("三点水江", '江'),
    ("双口吕", '吕'),
    ("十八子李", '李'),
    ("三点水汪", '汪'),
    ("干勾于", '于'),
    ("言射谢", '谢'),
    ("马各骆", '骆'),
    ("奚隹雍", '雍'),
    ("两点水冯", '冯'),
    ("二马冯", '冯'),
    ("西早覃", '覃'),
    ("山石岩", '岩'),
    ("日月明", '明'),
    ("文武斌", '斌'),
];
const SIGNS: &[(&str, char)] =
    &[("横杠", '-'), ("减号", '-'), ("杠", '-'), ("下划线", '_'), ("空格", ' '), ("点", '.')];

/// What is spelled from this place on.
pub fn at(words: &Words, at: usize) -> Option<Spelled> {
    let mut spelled = Spelled { text: String::new(), end: at, certain: 0 };
    let mut proof = 0;
    loop {
        let start = words.skip(spelled.end, &["大写的", "大写", "小写的", "小写", "字母", "然后", "再"]);
        let Some((text, end, certain)) = piece(words, start, !spelled.text.is_empty()) else { break };
        spelled.text.push_str(&text);
        spelled.end = end;
        proof += certain;
    }
    spelled.certain = proof / 2;
    (!spelled.text.is_empty()).then_some(spelled)
}

fn piece(words: &Words, at: usize, within: bool) -> Option<(String, usize, usize)> {
    if let Some((character, end)) = words.find(at, DESCRIBED) {
        return Some((character.to_string(), end, 2));
    }
    if let Some((character, end)) = of_a_word(words, at) {
        return Some((character, end, 2));
    }
    // 双L, 两个L
    let twice = words.take(at, "双").map(|end| (2, end));
    let times = twice.or_else(|| {
        small(words, at)
            .filter(|(count, end)| *count < 5 && words.get(*end) == "个")
            .map(|(count, end)| (count, end + 1))
    });
    if let Some((times, next)) = times
        && let Some(letters) = letters(words.get(next)).filter(|letters| letters.len() == 1)
    {
        return Some((letters.repeat(times as usize), next + 1, 2));
    }
    if let Some(letters) = letters(words.get(at)) {
        // QQ and NBA are words, unless nothing else is said.
        let proof = if letters.len() == 1 { 2 } else { 0 };
        return Some((letters, at + 1, proof));
    }
    if let Some(digit) = if words.get(at) == "幺" { Some(1) } else { digit(words, at) } {
        return Some((digit.to_string(), at + 1, 0));
    }
    let figures = words.get(at);
    if !figures.is_empty() && figures.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some((figures.to_owned(), at + 1, 0));
    }
    words.find(at, SIGNS).filter(|_| within).map(|(sign, end)| (sign.to_string(), end, 0))
}

/// 北京的京: the character after 的 is one of the two to four before it.
fn of_a_word(words: &Words, at: usize) -> Option<(String, usize)> {
    (2..=4).find_map(|length| {
        let end = words.take(at + length, "的")?;
        let named = words.get(end);
        let one_of_them = (at..at + length).any(|place| words.get(place) == named) && !named.is_ascii();
        // 明天的天气 names no character.
        let after = end + 1;
        let closed =
            words.gap(after) || words.any(after, &["字", "然后", "再"]).is_some() || of_a_word(words, after).is_some();
        (one_of_them && closed).then(|| (named.to_owned(), after))
    })
}

fn letters(word: &str) -> Option<String> {
    (!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic())).then(|| word.to_ascii_uppercase())
}
