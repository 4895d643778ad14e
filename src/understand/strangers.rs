//! Sentences that are about something else, whatever a question is about.
//!
//! A menu knows only what its options sound like, not what the rest of the world does. These lists stand for the rest
//! of the world. What comes near a question's own phrases is left out, so a taxi company's menu keeps its "get me a
//! taxi".

use std::sync::LazyLock;

use super::mishear;
use super::model::Example;
use super::sparse::{Dictionary, Postings, VIEWS};
use crate::grammar::normalize::is_mandarin;
use crate::language::Language;

/// A stranger this like one of our own sentences (cosine over all features) is no stranger.
const TOO_NEAR: f32 = 0.3;

const ENGLISH_TEXT: &str = include_str!("words/en-strangers.txt");
const MANDARIN_TEXT: &str = include_str!("words/zh-strangers.txt");

static ENGLISH: LazyLock<Vec<Example>> = LazyLock::new(|| read(ENGLISH_TEXT, &Language::english()));
static MANDARIN: LazyLock<Vec<Example>> =
    LazyLock::new(|| read(MANDARIN_TEXT, &Language::parse("zh-CN").expect("a tag")));
static ENGLISH_MISHEARD: LazyLock<Vec<Option<Example>>> =
    LazyLock::new(|| read_misheard(ENGLISH_TEXT, &Language::english()));
static MANDARIN_MISHEARD: LazyLock<Vec<Option<Example>>> =
    LazyLock::new(|| read_misheard(MANDARIN_TEXT, &Language::parse("zh-CN").expect("a tag")));

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn read(text: &str, language: &Language) -> Vec<Example> {
    lines(text).map(|line| Example::new(line, None, language)).collect()
}

fn read_misheard(text: &str, language: &Language) -> Vec<Option<Example>> {
    let heard = |line| mishear::misheard(line, 1, language).pop().map(|heard| Example::new(&heard, None, language));
    lines(text).map(heard).collect()
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
    places_apart_from(own, language, scale).into_iter().map(|place| all[place].clone()).collect()
}

/// The same, each of them also as a recogniser would mangle it: what is misheard is not ours for that.
pub fn misheard_apart_from(own: &[Example], language: &Language, scale: [f32; VIEWS]) -> Vec<Example> {
    let all = examples(language);
    let misheard: &[Option<Example>] = match language.primary() {
        "en" => &ENGLISH_MISHEARD,
        _ if is_mandarin(language) => &MANDARIN_MISHEARD,
        _ => &[],
    };
    let both = |place: usize| [Some(&all[place]), misheard.get(place).and_then(Option::as_ref)];
    places_apart_from(own, language, scale).into_iter().flat_map(both).flatten().cloned().collect()
}

fn places_apart_from(own: &[Example], language: &Language, scale: [f32; VIEWS]) -> Vec<usize> {
    let all = examples(language);
    // Weighed among both: what only strangers say is rare there, what everybody says is not.
    let dictionary = Dictionary::learn(own.iter().chain(all).map(|example| example.features.as_slice()), scale, 1);
    let rows: Vec<_> = own.iter().map(|example| dictionary.row(&example.features)).collect();
    let postings = Postings::of(&rows, dictionary.len());
    let length: f32 = scale.iter().map(|scale| scale * scale).sum();
    let is_apart = |place: &usize| {
        let row = dictionary.row(&all[*place].features);
        postings.products(&row).into_iter().all(|product| product < TOO_NEAR * length)
    };
    (0..all.len()).filter(is_apart).collect()
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
    fn a_stranger_misheard_is_a_stranger_still() {
        let language = Language::english();
        let own = [Example::new("I want to order a large pizza", Some(0), &language)];
        let scale = features::scale(&language);
        let (apart, both) = (apart_from(&own, &language, scale), misheard_apart_from(&own, &language, scale));
        assert!(both.len() > apart.len() * 3 / 2 && both.len() <= apart.len() * 2, "{} {}", apart.len(), both.len());
        assert!(both.iter().all(|example| example.class.is_none()));
    }

    #[test]
    fn both_languages_have_strangers_and_others_none() {
        let count = |tag: &str| examples(&Language::parse(tag).unwrap()).len();
        assert!(count("zh-CN") > 100 && count("cmn-Hans") == count("zh-CN"));
        assert_eq!(count("fr"), 0);
    }
}
