//! What did they mean? Words and sounds over a plan's own phrases, with the courage to say "I did not get that".
//!
//! ```text
//!   n-best ──▶ normalised words ──▶ a known phrase, politeness aside? ── yes ─▶ Full, sure
//!                     │                        │ no
//!                     │                        ▼
//!                     │              classifier: words, synonyms, sounds ──▶ evidence per option
//!                     ▼                                                          │ calibrate
//!              beginning of one? ──▶ Prefix                                      ▼
//!                                                              confidence per option, the rest: none of these
//! ```
//!
//! Everything is compiled when a plan loads and is read-only afterwards. The lists it rests on (`words/`) know the
//! language, never a plan.

use std::collections::BTreeMap;

use crate::grammar::normalize::{self, is_mandarin};
use crate::language::Language;

pub mod calibrate;
pub mod classifier;
pub mod eval;
mod hypothesis;
mod lexicon;
mod phonetic;
mod stem;
pub mod tasks;
mod terms;
mod universals;

use calibrate::WEIGHTS;
use classifier::{Classifier, Evidence};

pub use hypothesis::{Hypothesis, NBest};

/// Confidence in a phrase said exactly, before the recogniser's own doubt.
const EXACT: f32 = 0.98;
/// The same when only articles and word forms differ.
const NEARLY_EXACT: f32 = 0.95;
/// The most a loose match may claim.
const LOOSE_LIMIT: f32 = 0.94;
/// Below this a candidate is not worth naming, not even to ask "did you mean…".
const WORTH_NAMING: f32 = 0.05;
/// A loose match this sure, with nothing left unexplained, ends the utterance like an exact one.
const SURE: f32 = 0.8;
/// Share of the weight said that must be explained for that.
const NOTHING_LEFT: f32 = 0.8;
/// What a lower place in the n-best list costs, per place.
const RANK_COST: f32 = 0.95;
/// A recogniser's doubt weighs less on a phrase known to be expected: its confidence to this power…
const DOUBT_EXACT: f32 = 0.33;
/// …than on a loose match.
const DOUBT_LOOSE: f32 = 0.5;
/// Recognisers may report 0 for what they could not score.
const LEAST_HEARD: f32 = 0.05;
/// The most that may be claimed when the wish is denied: "I do not want to pay" must not pay.
const DENIED: f32 = 0.4;
/// How near one of its phrases a loosely worded universal must be…
const UNIVERSAL_NEAREST: f32 = 0.7;
/// …and how much of what was said it must explain.
const UNIVERSAL_COVERED: f32 = 0.7;
/// A few words that tell next to nothing ("this back") explain nothing either.
const UNIVERSAL_MASS: f32 = 0.18;

/// Wishes understood at every question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Universal {
    /// A person, please.
    Operator,
    /// Say that again.
    Repeat,
    /// Go back.
    Back,
}

/// What an utterance turned out to mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The option at this place of the phrases given to [`Matcher::compile`].
    Option(usize),
    /// One of the wishes understood everywhere.
    Universal(Universal),
}

/// Could this still become something else if the caller went on?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// A whole phrase: the complete timeout applies.
    Full,
    /// The beginning of one.
    Prefix,
    /// Nothing known; or known only loosely: the incomplete timeout applies.
    None,
}

/// The verdict on one n-best list.
#[derive(Clone, Debug, PartialEq)]
pub struct Understanding {
    /// Candidates, best first, with confidence 0..1; empty when nothing is near.
    pub candidates: Vec<(Meaning, f32)>,
    /// Which hypothesis the best candidate came from.
    pub hypothesis: usize,
    /// For end-pointing.
    pub fit: Fit,
}

/// Understands one question in one language. Compiled when a plan loads, shared by every call.
#[derive(Clone, Debug)]
pub struct Matcher {
    language: Language,
    /// What each class of the classifier means.
    meanings: Vec<Meaning>,
    /// Known phrases as normalised words without politeness, and what they mean.
    phrases: BTreeMap<Vec<String>, usize>,
    /// The same reduced to [`skeleton`]s.
    skeletons: BTreeMap<Vec<String>, usize>,
    classifier: Classifier,
}

impl Matcher {
    /// Builds a matcher from the phrases of each option (in file order) and the universals in force. Where a phrase
    /// belongs to an option and to a universal, the option has it; an option that is the operator by one of its
    /// phrases is so by all of the operator's.
    pub fn compile(options: &[Vec<String>], universals: &[Universal], language: &Language) -> Self {
        let mut known = Known::new(language);
        for (place, phrases) in options.iter().enumerate() {
            let class = known.class(Meaning::Option(place));
            phrases.iter().for_each(|phrase| known.add(class, phrase));
        }
        for universal in [Universal::Operator, Universal::Repeat, Universal::Back] {
            match known.owner(universal) {
                Some(class) => known.add_phrases(class, universal),
                None if universals.contains(&universal) => {
                    let class = known.class(Meaning::Universal(universal));
                    known.add_phrases(class, universal);
                }
                None => {}
            }
        }
        known.compile()
    }

    /// What the n-best list means here.
    pub fn understand(&self, nbest: &NBest) -> Understanding {
        let mut best: Vec<(f32, usize)> = vec![(0.0, 0); self.meanings.len()];
        let mut fits = Vec::with_capacity(nbest.hypotheses.len());
        for (rank, guess) in nbest.hypotheses.iter().enumerate() {
            let reading = self.read(guess.text.reveal());
            let heard =
                if guess.confidence.is_finite() { guess.confidence.clamp(LEAST_HEARD, 1.0) } else { LEAST_HEARD };
            let trust = heard.powf(if reading.exact { DOUBT_EXACT } else { DOUBT_LOOSE }) * RANK_COST.powi(rank as i32);
            for (class, confidence) in &reading.classes {
                if confidence * trust > best[*class].0 {
                    best[*class] = (confidence * trust, rank);
                }
            }
            fits.push(reading.fit);
        }
        let mut order: Vec<usize> = (0..best.len()).filter(|class| best[*class].0 >= WORTH_NAMING).collect();
        order.sort_by(|a, b| best[*b].0.total_cmp(&best[*a].0));
        let hypothesis = order.first().map_or(0, |class| best[*class].1);
        Understanding {
            candidates: order.iter().map(|class| (self.meanings[*class].clone(), best[*class].0)).collect(),
            hypothesis,
            fit: fits.get(hypothesis).copied().unwrap_or(Fit::None),
        }
    }

    /// Evidence for whatever `text` may mean, as the calibration sees it. For fitting that.
    pub fn evidence(&self, text: &str) -> Vec<(Meaning, Evidence)> {
        let weighed = self.weigh(&normalize::words(text, &self.language));
        weighed.into_iter().map(|(class, evidence)| (self.meanings[class].clone(), evidence)).collect()
    }

    /// Classes for which something speaks. People say little else when they ask for a universal, so a sentence that
    /// merely holds its words ("give it back") is no evidence for one.
    fn weigh(&self, words: &[String]) -> Vec<(usize, Evidence)> {
        let speaks = |(class, of): &(usize, Evidence)| match self.meanings[*class] {
            Meaning::Option(_) => of.covered > 0.0,
            Meaning::Universal(_) => {
                of.nearest >= UNIVERSAL_NEAREST && of.covered >= UNIVERSAL_COVERED && of.mass >= UNIVERSAL_MASS
            }
        };
        self.classifier.weigh(words).into_iter().enumerate().filter(speaks).collect()
    }

    fn read(&self, text: &str) -> Reading {
        let words = normalize::words(text, &self.language);
        let core = normalize::unframed(&words, &self.language);
        if core.is_empty() {
            return Reading::nothing();
        }
        let known = [(&self.phrases, words.clone(), EXACT), (&self.phrases, core.to_vec(), EXACT)]
            .into_iter()
            .chain([(&self.skeletons, skeleton(core, &self.language), NEARLY_EXACT)])
            .find_map(|(known, key, confidence)| Some((*known.get(&key)?, confidence)));
        if let Some((class, confidence)) = known {
            let fit = if self.may_become_another(core, class) { Fit::Prefix } else { Fit::Full };
            return Reading { classes: vec![(class, confidence)], exact: true, fit };
        }
        let weighed = self.weigh(&words);
        let evidence: Vec<Evidence> = weighed.iter().map(|(_, evidence)| *evidence).collect();
        let limit = if denies(core) { DENIED } else { LOOSE_LIMIT };
        let confidences = calibrate::confidences(&evidence, &WEIGHTS);
        let sure = confidences.iter().zip(&evidence).any(|(sure, of)| *sure >= SURE && of.covered >= NOTHING_LEFT);
        let fit = match (self.begins_one(&words) || self.begins_one(core), sure) {
            (true, _) => Fit::Prefix,
            (false, true) if !dangles(core) => Fit::Full,
            _ => Fit::None,
        };
        let classes = weighed.iter().zip(confidences).map(|((class, _), sure)| (*class, sure.min(limit))).collect();
        Reading { classes, exact: false, fit }
    }

    /// Do `words` begin a longer phrase?
    fn begins_one(&self, words: &[String]) -> bool {
        self.longer(words).next().is_some()
    }

    /// Do the words of one meaning begin a phrase of another? Then the caller may not have finished.
    fn may_become_another(&self, words: &[String], class: usize) -> bool {
        self.longer(words).any(|other| other != class)
    }

    fn longer<'a>(&'a self, words: &'a [String]) -> impl Iterator<Item = usize> + 'a {
        // Ordered by words, so every phrase that begins with `words` follows `words` itself.
        let following = self.phrases.range(words.to_vec()..);
        following
            .take_while(move |(phrase, _)| phrase.starts_with(words))
            .filter(move |(phrase, _)| phrase.len() > words.len() && !words.is_empty())
            .map(|(_, class)| *class)
    }
}

/// One hypothesis, read.
struct Reading {
    classes: Vec<(usize, f32)>,
    exact: bool,
    fit: Fit,
}

impl Reading {
    fn nothing() -> Self {
        Self { classes: Vec::new(), exact: false, fit: Fit::None }
    }
}

/// Phrases being gathered.
struct Known {
    language: Language,
    meanings: Vec<Meaning>,
    phrases: BTreeMap<Vec<String>, usize>,
    lessons: Vec<(usize, String)>,
}

impl Known {
    fn new(language: &Language) -> Self {
        Self { language: language.clone(), meanings: Vec::new(), phrases: BTreeMap::new(), lessons: Vec::new() }
    }

    fn class(&mut self, meaning: Meaning) -> usize {
        self.meanings.push(meaning);
        self.meanings.len() - 1
    }

    /// First come, first served: the phrase stays with whoever has it already.
    fn add(&mut self, class: usize, phrase: &str) {
        let words = normalize::words(phrase, &self.language);
        let core = normalize::unframed(&words, &self.language).to_vec();
        if core.is_empty() || self.phrases.contains_key(&core) {
            return;
        }
        self.phrases.insert(core, class);
        self.phrases.entry(words).or_insert(class);
        self.lessons.push((class, phrase.to_owned()));
    }

    fn add_phrases(&mut self, class: usize, universal: Universal) {
        universals::phrases(universal, &self.language).iter().for_each(|phrase| self.add(class, phrase));
    }

    /// The option that is this universal by another name: it has one of the operator's phrases, or two of another's
    /// ("repeat" alone may be about a prescription).
    fn owner(&self, universal: Universal) -> Option<usize> {
        let enough = if universal == Universal::Operator { 1 } else { 2 };
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        for phrase in universals::phrases(universal, &self.language) {
            let words = normalize::words(phrase, &self.language);
            if let Some(class) = self.phrases.get(normalize::unframed(&words, &self.language)) {
                *shared.entry(*class).or_default() += 1;
            }
        }
        shared.into_iter().find(|(_, count)| *count >= enough).map(|(class, _)| class)
    }

    fn compile(self) -> Matcher {
        let mut skeletons: BTreeMap<Vec<String>, usize> = BTreeMap::new();
        for (words, class) in &self.phrases {
            let bare = skeleton(words, &self.language);
            if !bare.is_empty() {
                skeletons.entry(bare).or_insert(*class);
            }
        }
        let classifier = Classifier::train(&self.lessons, self.meanings.len(), &self.language);
        Matcher { meanings: self.meanings, phrases: self.phrases, skeletons, classifier, language: self.language }
    }
}

/// A phrase without articles and owners, in stems: "paying the card", "pay my cards" are `pay card`.
fn skeleton(words: &[String], language: &Language) -> Vec<String> {
    if is_mandarin(language) {
        return words.to_vec();
    }
    let empty = ["a", "an", "the", "my", "our", "some", "i", "is", "am", "are", "have", "has", "been"];
    words.iter().filter(|word| !empty.contains(&word.as_str())).map(|word| stem::stem(word)).collect()
}

/// Does the wish begin by denying it: "not", "i do not want to"?
fn denies(core: &[String]) -> bool {
    let wish = ["want", "need", "wish", "mean"];
    let position = core.iter().position(|word| word == "not");
    position.is_some_and(|at| at == 0 || core.get(at + 1).is_some_and(|word| wish.contains(&word.as_str())))
}

/// Ends on a word that asks for another: "I want to pay my".
fn dangles(core: &[String]) -> bool {
    let open = [
        "a", "an", "the", "my", "your", "our", "to", "of", "for", "from", "in", "on", "at", "with", "about", "and",
        "or", "but", "if", "is", "are", "am", "would", "could", "can", "want", "need", "because", "some", "any",
        "that",
    ];
    core.last().is_some_and(|word| open.contains(&word.as_str()))
}
