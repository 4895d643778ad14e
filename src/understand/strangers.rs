//! Sentences that are about something else, whatever a question is about.
//!
//! A menu knows only what its options sound like, not what the rest of the world does. These lists stand for the rest
//! of the world. What comes near a question's own phrases is left out, so a taxi company's menu keeps its "get me a
//! taxi".

use std::sync::LazyLock;

use super::model::Example;
use super::sparse::{Dictionary, Postings, VIEWS};
use crate::grammar::normalize::is_mandarin;
use crate::language::Language;

/// A stranger this like one of our own sentences (cosine over all features) is no stranger.
const TOO_NEAR: f32 = 0.3;

static ENGLISH: LazyLock<Vec<Example>> =
    LazyLock::new(|| read(include_str!("words/en-strangers.txt"), &Language::english()));
static MANDARIN: LazyLock<Vec<Example>> =
    LazyLock::new(|| read(include_str!("words/zh-strangers.txt"), &Language::parse("zh-CN").expect("a tag")));

fn read(text: &str, language: &Language) -> Vec<Example> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| Example::new(line, None, language)).collect()
}

/// The strangers of `language`, taken apart; none in a language without a list.
pub fn examples(language: &Language) -> &'static [Example] {
    match language.primary() {
        "en" => &ENGLISH,
        _ if is_mandarin(language) => &MANDARIN,
        _ => &[],
    }
}

/// Those that are strangers to `own` as well.
pub fn apart_from(own: &[Example], language: &Language, scale: [f32; VIEWS]) -> Vec<Example> {
    let all = examples(language);
    // Weighed among both: what only strangers say is rare there, what everybody says is not.
    let dictionary = Dictionary::learn(own.iter().chain(all).map(|example| example.features.as_slice()), scale, 1);
    let rows: Vec<_> = own.iter().map(|example| dictionary.row(&example.features)).collect();
    let postings = Postings::of(&rows, dictionary.len());
    let length: f32 = scale.iter().map(|scale| scale * scale).sum();
    let is_apart = |stranger: &&Example| {
        let row = dictionary.row(&stranger.features);
        postings.products(&row).into_iter().all(|product| product < TOO_NEAR * length)
    };
    all.iter().filter(is_apart).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::understand::features;

    #[test]
    fn what_a_question_is_about_is_no_stranger_to_it() {
        let language = Language::english();
        let scale = features::scale(&language);
        let all = examples(&language).len();
        assert!(all > 150, "{all}");
        let own = |text: &str| vec![Example::new(text, Some(0), &language)];
        let apart = |text: &str| apart_from(&own(text), &language, scale);
        assert_eq!(apart("where is the branch of the bank").len(), all);
        let pizza = apart("I want to order a large pizza");
        assert!(pizza.len() < all && pizza.len() > all / 2, "{}", pizza.len());
        let ordered = Example::new("order a pizza", None, &language);
        assert!(pizza.iter().all(|stranger| stranger.features != ordered.features));
        assert_eq!(apart_from(&[], &language, scale).len(), all);
    }

    #[test]
    fn both_languages_have_strangers_and_others_none() {
        let count = |tag: &str| examples(&Language::parse(tag).unwrap()).len();
        assert!(count("zh-CN") > 100 && count("cmn-Hans") == count("zh-CN"));
        assert_eq!(count("fr"), 0);
    }
}
