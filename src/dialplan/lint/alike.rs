//! Phrases of different options that a telephone cannot tell apart: "pay" and "day", 报价 and 报驾.

use pinyin::ToPinyin;

use crate::dialplan::diagnostic::{Findings, Spanned};
use crate::language::Language;
use crate::understand::sounds_alike;

/// Phrases of one question and language that are compared with each other; more would take too long.
const MOST: usize = 400;

/// Remarks on phrases, each with the place of its option, that sound like those of another option.
pub fn judge(phrases: &[(usize, Spanned<String>)], language: &Language, findings: &mut Findings) {
    if phrases.len() > MOST {
        return;
    }
    for (place, (option, phrase)) in phrases.iter().enumerate() {
        let rival = phrases[..place]
            .iter()
            .find(|(other, rival)| other != option && alike(&rival.value, &phrase.value, language));
        if let Some((_, rival)) = rival {
            findings
                .regret(
                    phrase.at,
                    format!("`{}` sounds like `{}`, which means another option", phrase.value, rival.value),
                )
                .help(format!(
                    "on the telephone one is taken for the other: change this one or line {}",
                    rival.at.line
                ));
        }
    }
}

/// Do two different phrases sound the same, or nearly so?
fn alike(one: &str, two: &str, language: &Language) -> bool {
    let words = |text: &str| text.to_lowercase().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    match language.primary() {
        "en" => {
            let (one, two) = (words(one), words(two));
            one != two
                && one.len() == two.len()
                && one.iter().zip(&two).all(|(one, two)| one == two || sounds_alike(one, two))
        }
        "zh" | "cmn" => {
            let sound =
                |text: &str| -> Vec<&'static str> { text.to_pinyin().flatten().map(|sound| sound.plain()).collect() };
            let (first, second) = (sound(one), sound(two));
            one != two && !first.is_empty() && first == second
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_ear_confuses_is_alike_and_other_words_are_not() {
        let english = Language::english();
        for (one, two) in [("lost card", "lost cart"), ("my fliers", "my flyers")] {
            assert!(alike(one, two, &english), "{one} / {two}");
        }
        for (one, two) in [("lost card", "balance"), ("pay my card", "lost card"), ("yes", "yes")] {
            assert!(!alike(one, two, &english), "{one} / {two}");
        }
        let chinese = Language::parse("zh-CN").unwrap();
        assert!(alike("报价", "报驾", &chinese));
        assert!(!alike("余额", "还款", &chinese));
    }
}
