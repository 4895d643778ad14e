//! A small classifier trained when a plan loads, from nothing but the plan's phrases.
//!
//! Each option is described to [`super::calibrate`] by a handful of numbers ([`Evidence`]) that mean the same for a
//! plan with two phrases per option and for one with twenty: how much of what was said the option explains, how much
//! of its nearest phrase was said, how specific the shared words are to it among its rivals.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::features;
use super::linear::Settings;
use super::mishear;
use super::model::{Example, Model};
use super::strangers;
use super::terms::{Term, terms};
use super::universals;
use crate::grammar::normalize;
use crate::language::Language;

/// How far a word that only one of many phrases holds still speaks for its option: share of phrases to this power.
const RARITY: f32 = 0.15;
/// The most that a word tells which the plan knows: rare or not, its neighbours tell as much.
const KNOWN_LIMIT: f32 = 0.5;
/// Words that tell more than this may name a thing.
const NAMING: f32 = 0.15;
/// Likeness from which an option knows a word.
const KNOWN: f32 = 0.3;
/// Smoothing of the share each rival gets of a word.
const SHARE_FLOOR: f32 = 0.08;

/// Phrases that are misheard at most, so that a plan of any size is put live at once; each in one way, as more helped no
/// further (docs/performance.md).
const MOST_MISHEARD: usize = 400;

/// Numbers in one row of [`Evidence`].
pub const NUMBERS: usize = 17;
/// What a difference of the linear model's values is worth in log shares: between what held-out rows of whole sets and
/// of few-shot draws ask for.
const SHARPNESS: f32 = 4.0;

/// What speaks for one option.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Share of what was said (by weight) that the option's words explain, 0..1.
    pub covered: f32,
    /// The same, counting each word by how much it belongs to this option rather than to its rivals.
    pub specific: f32,
    /// Likeness to the nearest phrase, 0..1.
    pub nearest: f32,
    /// Mean likeness to the three nearest phrases, 0..1.
    pub near: f32,
    /// How much of the nearest phrase was said, 0..1.
    pub phrase_said: f32,
    /// The strongest single word for this option.
    pub key: f32,
    /// Total weight explained, logarithmic.
    pub mass: f32,
    /// Total weight left unexplained, logarithmic.
    pub missing: f32,
    /// Word pairs in the order a phrase has them, 0..1.
    pub order: f32,
    /// Log of the naive Bayes posterior among the options.
    pub bayes: f32,
    /// How many phrases the option has, logarithmic: the more words it knows, the more it explains by chance.
    pub phrases: f32,
    /// The weightiest word left unexplained: "lost" is ours, but "dog" is not.
    pub stranger: f32,
    /// The weightiest word of a thing named that the option knows nothing of: "lost my dog", but not "lost my card
    /// at the zoo".
    pub alien: f32,
    /// Log of the share the linear model gives this option among its rivals.
    pub linear: f32,
    /// The linear model's value: above 0 where it says yes, whatever the rivals.
    pub value: f32,
    /// Cosine likeness of all features to the nearest phrase, 0..1.
    pub alike: f32,
    /// What the linear model's machine for sentences about something else says; the same for every option.
    pub outside: f32,
}

impl Evidence {
    /// As a row for the calibration, in a fixed order.
    pub fn row(&self) -> [f32; NUMBERS] {
        [
            self.covered,
            self.specific,
            self.nearest,
            self.near,
            self.phrase_said,
            self.key,
            self.mass,
            self.missing,
            self.order,
            self.bayes,
            self.phrases,
            self.stranger,
            self.alien,
            self.linear,
            self.value,
            self.alike,
            self.outside,
        ]
    }
}

/// One phrase of one option.
#[derive(Clone, Debug)]
struct Phrase {
    option: usize,
    /// Places in the vocabulary, in order.
    terms: Vec<usize>,
}

/// Trained on the phrases of one question.
#[derive(Clone, Debug)]
pub struct Classifier {
    language: Language,
    options: usize,
    vocabulary: Vec<Term>,
    /// Share of each option's phrases that hold each term: `[term][option]`.
    share: Vec<Vec<f32>>,
    /// How unevenly the options share each term, 0 (all alike) to 1 (one alone).
    uneven: Vec<f32>,
    phrases: Vec<Phrase>,
    model: Model,
}

impl Classifier {
    /// Trains on pairs of option (below `options`) and phrase text, as they are written and as a recogniser would mangle
    /// them.
    pub fn train(phrases: &[(usize, String)], options: usize, language: &Language) -> Self {
        Self::train_with(phrases, options, language, true)
    }

    /// The same, or from nothing but what is written: for measuring what mishearings are worth.
    pub fn train_with(phrases: &[(usize, String)], options: usize, language: &Language, mishears: bool) -> Self {
        let mut vocabulary: Vec<Term> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut known = Vec::new();
        for (option, text) in phrases {
            let words = words_of(text, language);
            let place_of = |mut term: Term| {
                term.weight = term.weight.min(KNOWN_LIMIT);
                *places.entry(term.stem.clone()).or_insert_with(|| {
                    vocabulary.push(term);
                    vocabulary.len() - 1
                })
            };
            let said = terms(normalize::unframed(&words, language), language).into_iter();
            let terms = said.filter(|term| !term.repeated).map(place_of).collect();
            known.push(Phrase { option: *option, terms });
        }
        let share = shares(&known, vocabulary.len(), options);
        let uneven = share.iter().map(|row| unevenness(row)).collect();
        let example = |(option, text): &(usize, String)| match universals::known(text, language) {
            Some(known) => Example { features: known.features().0.clone(), class: Some(*option) },
            None => Example::new(text, Some(*option), language),
        };
        let examples: Vec<Example> = phrases.iter().map(example).collect();
        let scale = features::scale(language);
        let strangers = match mishears {
            true => strangers::misheard_apart_from(&examples, language, scale),
            false => strangers::apart_from(&examples, language, scale),
        };
        let misheard = if mishears { misheard(phrases, language) } else { Vec::new() };
        let lessons: Vec<&Example> = examples.iter().chain(&misheard).chain(&strangers).collect();
        let model = Model::train(&lessons, options, scale, &Settings::default());
        Self { language: language.clone(), options, vocabulary, share, uneven, phrases: known, model }
    }

    /// What speaks for each option, given a text and its normalised words; empty when no word does.
    pub fn weigh(&self, text: &str, words: &[String]) -> Vec<Evidence> {
        let mut heard = terms(normalize::unframed(words, &self.language), &self.language);
        heard.iter_mut().filter(|term| term.repeated).for_each(|term| term.weight = 0.0);
        let likeness: Vec<Vec<(usize, f32)>> = heard.iter().map(|term| self.neighbours(term)).collect();
        if likeness.iter().all(Vec::is_empty) {
            return Vec::new();
        }
        for (term, _) in heard.iter_mut().zip(&likeness).filter(|(_, near)| !near.is_empty()) {
            term.weight = term.weight.min(KNOWN_LIMIT);
        }
        let best = self.best_per_option(&likeness);
        let bayes = self.bayes(&heard, &likeness);
        let mut evidence: Vec<Evidence> =
            (0..self.options).map(|option| self.explained(option, &heard, &best, bayes[option])).collect();
        let mut near: Vec<[f32; 3]> = vec![[0.0; 3]; self.options];
        let likeness = Likeness::of(&likeness, self.vocabulary.len());
        for phrase in &self.phrases {
            let (likeness, said, order) = self.compare(phrase, &heard, &likeness);
            let of = &mut evidence[phrase.option];
            if likeness > of.nearest {
                of.nearest = likeness;
                of.phrase_said = said;
            }
            of.order = of.order.max(order);
            insert(&mut near[phrase.option], likeness);
        }
        for (of, near) in evidence.iter_mut().zip(near) {
            of.near = near.iter().sum::<f32>() / 3.0;
        }
        self.read(text, &mut evidence);
        evidence
    }

    fn read(&self, text: &str, evidence: &mut [Evidence]) {
        let reading = self.model.read(&features::features(text, &self.language));
        let top = reading.values.get(reading.best).copied().unwrap_or_default();
        let sum: f32 = reading.values.iter().map(|value| ((value - top) * SHARPNESS).exp()).sum();
        let alike = self.model.nearest(&reading);
        for ((of, value), alike) in evidence.iter_mut().zip(&reading.values).zip(alike) {
            of.linear = ((value - top) * SHARPNESS - sum.ln()).max(-8.0);
            of.value = *value;
            of.alike = alike;
            of.outside = reading.stranger.unwrap_or_default();
        }
    }

    fn neighbours(&self, heard: &Term) -> Vec<(usize, f32)> {
        let known = self.vocabulary.iter().enumerate();
        let mut near: Vec<(usize, f32)> =
            known.map(|(place, term)| (place, heard.likeness(term))).filter(|(_, likeness)| *likeness > 0.0).collect();
        // A word the plan itself uses is meant as the plan uses it; its synonyms still count, more weakly.
        if near.iter().any(|(_, likeness)| *likeness >= 1.0) {
            for (_, likeness) in near.iter_mut().filter(|(_, likeness)| *likeness < 1.0) {
                *likeness *= 0.6;
            }
        }
        near
    }

    /// `[heard][option]`: the best likeness to any of the option's words, discounted where few phrases hold it.
    fn best_per_option(&self, likeness: &[Vec<(usize, f32)>]) -> Vec<Vec<f32>> {
        let of_one = |near: &Vec<(usize, f32)>| {
            let mut best = vec![0.0_f32; self.options];
            for (place, likeness) in near {
                for (option, share) in self.share[*place].iter().enumerate().filter(|(_, share)| **share > 0.0) {
                    best[option] = best[option].max(likeness * share.powf(RARITY));
                }
            }
            best
        };
        likeness.iter().map(of_one).collect()
    }

    fn explained(&self, option: usize, heard: &[Term], best: &[Vec<f32>], bayes: f32) -> Evidence {
        let total: f32 = heard.iter().map(|term| term.weight).sum();
        let (mut covered, mut specific, mut key, mut stranger) = (0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32);
        for (term, best) in heard.iter().zip(best) {
            let all: f32 = best.iter().sum();
            let alone = best[option] / (all + SHARE_FLOOR);
            covered += term.weight * best[option];
            stranger = stranger.max(term.weight * (1.0 - best[option]));
            specific += term.weight * best[option] * alone;
            key = key.max(term.weight * best[option] * alone);
        }
        Evidence {
            covered: covered / total.max(f32::EPSILON),
            specific: specific / total.max(f32::EPSILON),
            key,
            mass: covered.ln_1p(),
            missing: (total - covered).max(0.0).ln_1p(),
            bayes,
            phrases: (self.phrases.iter().filter(|phrase| phrase.option == option).count() as f32).ln_1p(),
            stranger,
            alien: alien(option, heard, best),
            ..Evidence::default()
        }
    }

    /// Likeness of what was heard to one phrase (soft F-measure over weights), the share of the phrase that was said,
    /// and the share of its neighbouring pairs that were said in its order.
    fn compare(&self, phrase: &Phrase, heard: &[Term], likeness: &Likeness) -> (f32, f32, f32) {
        let to_phrase = |near: &[f32]| phrase.terms.iter().map(|place| near[*place]).fold(0.0, f32::max);
        let explained: f32 = heard.iter().zip(likeness.rows()).map(|(term, near)| term.weight * to_phrase(near)).sum();
        let total: f32 = heard.iter().map(|term| term.weight).sum();
        let worth = |place: usize| self.vocabulary[place].weight * (0.4 + 0.6 * self.uneven[place]);
        let said = |place: usize| likeness.best[place];
        let wanted: f32 = phrase.terms.iter().map(|place| worth(*place)).sum();
        let got: f32 = phrase.terms.iter().map(|place| worth(*place) * said(*place)).sum();
        let (precision, recall) = (explained / total.max(f32::EPSILON), got / wanted.max(f32::EPSILON));
        let harmonic = 2.0 * precision * recall / (precision + recall).max(f32::EPSILON);
        (harmonic, recall, in_order(phrase, likeness))
    }

    /// Log posterior of each option under naive Bayes with soft counts and a uniform prior.
    fn bayes(&self, heard: &[Term], likeness: &[Vec<(usize, f32)>]) -> Vec<f32> {
        let mut log = vec![0.0_f32; self.options];
        for (term, near) in heard.iter().zip(likeness) {
            if near.is_empty() || term.repeated {
                continue;
            }
            for (option, log) in log.iter_mut().enumerate() {
                let seen = near.iter().map(|(place, like)| like * self.share[*place][option]).fold(0.0, f32::max);
                *log += (0.3 + term.weight) * (seen + SHARE_FLOOR).ln();
            }
        }
        let top = log.iter().copied().fold(f32::MIN, f32::max);
        let sum: f32 = log.iter().map(|log| (log - top).exp()).sum();
        log.iter().map(|log| (log - top - sum.ln()).max(-8.0)).collect()
    }
}

/// Share of the phrase's neighbouring pairs that were said side by side, softly.
fn in_order(phrase: &Phrase, likeness: &Likeness) -> f32 {
    let pairs = phrase.terms.windows(2);
    if pairs.len() == 0 {
        return 0.0;
    }
    let of_pair = |pair: &[usize]| {
        let next = likeness.rows().skip(1);
        let both = likeness.rows().zip(next).map(|(one, two)| one[pair[0]] * two[pair[1]]);
        both.fold(0.0, f32::max).sqrt()
    };
    phrase.terms.windows(2).map(of_pair).sum::<f32>() / (phrase.terms.len() - 1) as f32
}

/// How like each word heard is to each of the vocabulary: looked up for every word of every phrase.
struct Likeness {
    vocabulary: usize,
    /// `[heard][vocabulary]`.
    cells: Vec<f32>,
    /// `[vocabulary]`: the most that any word heard is like it.
    best: Vec<f32>,
}

impl Likeness {
    fn of(near: &[Vec<(usize, f32)>], vocabulary: usize) -> Self {
        let mut all = Self { vocabulary, cells: vec![0.0; near.len() * vocabulary], best: vec![0.0; vocabulary] };
        for (at, near) in near.iter().enumerate() {
            for (place, likeness) in near {
                all.cells[at * vocabulary + place] = *likeness;
                all.best[*place] = all.best[*place].max(*likeness);
            }
        }
        all
    }

    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        // A chunk of nothing would be a fault; without words there is nothing to compare.
        self.cells.chunks(self.vocabulary.max(1))
    }
}

/// Each phrase, or of a menu with very many every so-manieth, misheard in one way. The evidence of single words is not
/// told of them: that compares sounds by itself.
fn misheard(phrases: &[(usize, String)], language: &Language) -> Vec<Example> {
    let step = phrases.len().div_ceil(MOST_MISHEARD).max(1);
    let heard = |(option, text): &(usize, String)| {
        let features = match universals::known(text, language) {
            Some(known) => known.features().1.clone()?,
            None => features::features(&mishear::misheard(text, 1, language).pop()?, language),
        };
        Some(Example { features, class: Some(*option) })
    };
    phrases.iter().step_by(step).filter_map(heard).collect()
}

fn words_of(text: &str, language: &Language) -> Cow<'static, [String]> {
    match universals::known(text, language) {
        Some(known) => Cow::Borrowed(&known.words),
        None => Cow::Owned(normalize::words(text, language)),
    }
}

/// The weightiest word among the things named (a determiner and the telling words after it) of which the option knows
/// no word at all; 0 when it knows something of each.
fn alien(option: usize, heard: &[Term], best: &[Vec<f32>]) -> f32 {
    let mut worst = 0.0_f32;
    for (at, _) in heard.iter().enumerate().filter(|(_, term)| term.is_determiner()) {
        if at > 0 && heard[at - 1].is_circumstance() {
            continue;
        }
        let named = heard.iter().zip(best).skip(at + 1).take_while(|(term, _)| term.weight > NAMING);
        let (mut known, mut weightiest) = (0.0_f32, 0.0_f32);
        for (term, best) in named {
            known = known.max(best[option]);
            weightiest = weightiest.max(term.weight);
        }
        if known < KNOWN {
            worst = worst.max(weightiest);
        }
    }
    worst
}

fn shares(phrases: &[Phrase], terms: usize, options: usize) -> Vec<Vec<f32>> {
    let mut count = vec![0.0_f32; options];
    let mut share = vec![vec![0.0_f32; options]; terms];
    for phrase in phrases {
        count[phrase.option] += 1.0;
        for term in &phrase.terms {
            share[*term][phrase.option] += 1.0;
        }
    }
    for row in &mut share {
        for (cell, count) in row.iter_mut().zip(&count) {
            *cell /= count.max(1.0);
        }
    }
    share
}

/// One minus the normalised entropy of a row of shares.
fn unevenness(row: &[f32]) -> f32 {
    let total: f32 = row.iter().sum();
    if row.len() < 2 || total <= 0.0 {
        return 1.0;
    }
    let entropy: f32 = row.iter().map(|cell| cell / total).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum();
    1.0 - entropy / (row.len() as f32).ln()
}

fn insert(top: &mut [f32; 3], value: f32) {
    if let Some(place) = top.iter().position(|kept| value > *kept) {
        top[place..].rotate_right(1);
        top[place] = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weighed(text: &str) -> Vec<Evidence> {
        let language = Language::english();
        let phrases = [(0, "lost my card"), (0, "stolen card"), (1, "pay my bill"), (1, "make a payment")];
        let phrases = phrases.map(|(option, phrase)| (option, phrase.to_owned()));
        Classifier::train(&phrases, 2, &language).weigh(text, &normalize::words(text, &language))
    }

    #[test]
    fn evidence_favours_the_option_that_was_meant() {
        let found = weighed("somebody has stolen my card");
        assert!(found[0].covered > found[1].covered && found[0].nearest > found[1].nearest, "{found:?}");
        assert!(found[0].bayes > found[1].bayes && found[0].specific > found[1].specific, "{found:?}");
    }

    #[test]
    fn a_thing_the_option_does_not_know_counts_and_a_circumstance_does_not() {
        assert!(weighed("I lost my dog")[0].alien > 0.9);
        assert_eq!(weighed("I lost my card at the zoo")[0].alien, 0.0);
        assert_eq!(weighed("I lost my bank card")[0].alien, 0.0);
    }

    #[test]
    fn nothing_near_is_no_evidence() {
        assert!(weighed("purple zebras").is_empty());
        assert!(weighed("").is_empty());
    }
}
