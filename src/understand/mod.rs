//! What did they mean? Words and sounds over a plan's own phrases, with the courage to say "I did not get that".
//!
//! ```text
//!   n-best ──▶ normalised words ──▶ a known phrase, politeness aside? ── yes ─▶ Full, sure
//!                     │                        │ no
//!                     │                        ▼
//!                     │              classifier: linear model, words, sounds ──▶ evidence per option
//!                     ▼                                                          │ calibrate
//!              beginning of one? ──▶ Prefix                                      ▼
//!                                                              confidence per option, the rest: none of these
//! ```
//!
//! Phrases are compiled when a plan loads; the classifier is trained on them by [`Matcher::warm`], or when it is first
//! needed, and is read-only afterwards. The lists it rests on (`words/`) know the language, never a plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::grammar::normalize::{self, is_mandarin};
use crate::language::Language;

pub mod benchmark;
pub mod calibrate;
pub mod classifier;
pub(crate) mod denial;
pub mod ending;
pub mod eval;
pub mod features;
mod fields;
mod hypothesis;
pub mod labelled;
pub(crate) mod lexicon;
pub mod linear;
pub mod mishear;
pub mod model;
pub(crate) mod phonetic;
pub mod refusal;
mod school;
pub mod segment;
pub mod sparse;
pub(crate) mod stem;
pub mod strangers;
pub mod suggest;
pub mod tasks;
mod terms;
pub mod trained;
mod universals;
pub mod upset;

use classifier::Evidence;
use denial::{Said, denied_words};
use ending::Ending;
use school::School;

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
/// What a recogniser's doubt costs: its confidence to this power. On whole phrases, which may be one short word that any
/// noise is taken for…
const DOUBT_EXACT: f32 = 0.33;
/// …and on loose matches, which are judged by how much of them makes sense. Mangled wishes have low confidences: of 279
/// that were misheard, a root of two understood 17 in 100 and refused 98 of 100 strangers, a root of four 24 and 98.
const DOUBT_LOOSE: f32 = 0.25;
/// Recognisers may report 0 for what they could not score.
const LEAST_HEARD: f32 = 0.05;
/// The most that may be claimed when the wish is denied: "I do not want to pay" must not pay, nor "I will not".
const DENIED: f32 = 0.4;
/// Words as alike as this cannot be told apart by whoever picks them.
const SOUNDS_ALIKE: f32 = 0.6;
/// Characters that are looked at, more than a minute of speech: what it costs to weigh words grows with their number.
const LONGEST_SAID: usize = 1_000;
/// More words than these are no mere repetition of a wish.
const LONGEST_REPEATED: usize = 12;
/// How near one of its phrases a loosely worded universal must be…
const UNIVERSAL_NEAREST: f32 = 0.7;
/// …and how much must be said: words that tell next to nothing ("this back") explain nothing either.
const UNIVERSAL_MASS: f32 = 0.18;

/// Would a telephone take one English word for the other, though they are written differently?
pub fn sounds_alike(one: &str, two: &str) -> bool {
    let sound = phonetic::Sound::of;
    match (sound(one), sound(two)) {
        (Some(first), Some(second)) => phonetic::misheard((one, &first), (two, &second)) >= SOUNDS_ALIKE,
        _ => false,
    }
}

/// Wishes understood at every question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Universal {
    /// A person, please.
    Operator,
    /// Say that again.
    Repeat,
    /// Go back.
    Back,
    /// Do not call again; take me off your list.
    StopCalling,
}

impl Universal {
    /// Every wish, in the order they claim phrases.
    pub const ALL: [Self; 4] = [Self::Operator, Self::Repeat, Self::Back, Self::StopCalling];
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
    /// Nothing known, or known only loosely: how it sounds must tell ([`ending`]).
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
    /// What each class says and denies.
    said: Vec<Said>,
    school: Arc<School>,
}

impl Matcher {
    /// Builds a matcher from the phrases of each option (in file order) and the universals in force. Where a phrase
    /// belongs to an option and to a universal, the option has it; an option that is the operator by one of its
    /// phrases is so by all of the operator's.
    pub fn compile(options: &[Vec<String>], universals: &[Universal], language: &Language) -> Self {
        Self::compile_with(options, universals, language, true)
    }

    /// The same, with or without phrases misheard in training, for measuring.
    pub fn compile_with(
        options: &[Vec<String>],
        universals: &[Universal],
        language: &Language,
        mishears: bool,
    ) -> Self {
        let mut known = Known::new(language);
        for (place, phrases) in options.iter().enumerate() {
            let class = known.class(Meaning::Option(place));
            phrases.iter().for_each(|phrase| known.add(class, phrase));
        }
        for universal in Universal::ALL {
            match known.owner(universal) {
                Some(class) => known.add_phrases(class, universal),
                None if universals.contains(&universal) => {
                    let class = known.class(Meaning::Universal(universal));
                    known.add_phrases(class, universal);
                }
                None => {}
            }
        }
        known.mishears = mishears;
        known.compile()
    }

    /// Trains the classifier now, some ten milliseconds, rather than at the first words that are no phrase. For
    /// whoever puts a plan live.
    pub fn warm(&self) {
        let _ = self.school.classifier();
    }

    /// The language it understands.
    pub const fn language(&self) -> &Language {
        &self.language
    }

    /// The phrases of each option, in order; of one that is a universal by another name, those of the universal too.
    pub fn options(&self) -> Vec<Vec<String>> {
        let options = self.meanings.iter().filter(|meaning| matches!(meaning, Meaning::Option(_))).count();
        let mut phrases = vec![Vec::new(); options];
        for (class, phrase) in self.school.lessons() {
            if let Meaning::Option(place) = self.meanings[*class] {
                phrases[place].push(phrase.clone());
            }
        }
        phrases
    }

    /// The wishes in force, but for those that an option is.
    pub fn universals(&self) -> Vec<Universal> {
        let universal = |meaning: &Meaning| match meaning {
            Meaning::Universal(universal) => Some(*universal),
            Meaning::Option(_) => None,
        };
        self.meanings.iter().filter_map(universal).collect()
    }

    /// How many phrases it knows, those of universals included.
    pub fn lessons(&self) -> usize {
        self.school.lessons().len()
    }

    /// What it was taught: phrases and their meanings.
    pub fn taught(&self) -> impl Iterator<Item = (&Meaning, &str)> {
        self.school.lessons().iter().map(|(class, phrase)| (&self.meanings[*class], phrase.as_str()))
    }

    /// A matcher that does not know every `of`-th phrase of each meaning, and those phrases, for measuring.
    pub fn without(&self, fold: usize, of: usize) -> (Self, Vec<(Meaning, String)>) {
        let mut known = Known::new(&self.language);
        known.meanings.clone_from(&self.meanings);
        let mut next = vec![0; self.meanings.len()];
        let mut held = Vec::new();
        for (class, phrase) in self.school.lessons() {
            next[*class] += 1;
            match next[*class] % of == fold {
                true => held.push((self.meanings[*class].clone(), phrase.clone())),
                false => known.add(*class, phrase),
            }
        }
        (known.compile(), held)
    }

    /// Is it a phrase that is known, politeness and word forms aside? Everything else is judged by resemblance.
    pub fn knows(&self, text: &str) -> bool {
        self.read(text).exact
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
        let text = looked_at(text);
        let weighed = self.weigh(text, &normalize::words(text, &self.language));
        weighed.into_iter().map(|(class, evidence)| (self.meanings[class].clone(), evidence)).collect()
    }

    /// Classes for which something speaks. People say little else when they ask for a universal, so a sentence that
    /// merely holds its words ("give it back") is no evidence for one.
    fn weigh(&self, text: &str, words: &[String]) -> Vec<(usize, Evidence)> {
        let speaks = |(class, of): &(usize, Evidence)| match self.meanings[*class] {
            Meaning::Option(_) => of.covered > 0.0,
            Meaning::Universal(_) => of.nearest >= UNIVERSAL_NEAREST && of.mass >= UNIVERSAL_MASS,
        };
        self.school.classifier().weigh(text, words).into_iter().enumerate().filter(speaks).collect()
    }

    fn read(&self, text: &str) -> Reading {
        let text = looked_at(text);
        let words = normalize::words(text, &self.language);
        let core = normalize::unframed(&words, &self.language);
        if core.is_empty() {
            return Reading::nothing();
        }
        // Of "there is" politeness leaves "is", which means nothing by itself.
        let bare = skeleton(core, &self.language);
        let core = if bare.is_empty() { &words } else { core };
        if let Some((class, last)) = self.repeated(&words) {
            let fit = if self.may_become_another(last, class) { Fit::Prefix } else { Fit::Full };
            return Reading { classes: vec![(class, EXACT)], exact: true, fit };
        }
        let known = [(&self.phrases, words.clone(), EXACT), (&self.phrases, core.to_vec(), EXACT)]
            .into_iter()
            .chain([(&self.skeletons, bare, NEARLY_EXACT)])
            .find_map(|(known, key, confidence)| Some((*known.get(&key)?, confidence)));
        let calls_for_more = Ending::of(text, &self.language) == Ending::Unfinished;
        if let Some((class, confidence)) = known {
            let fit = match self.may_become_another(core, class) {
                true => Fit::Prefix,
                // "What is the" is only nearly "what".
                false if calls_for_more && confidence < EXACT => Fit::None,
                false => Fit::Full,
            };
            return Reading { classes: vec![(class, confidence)], exact: true, fit };
        }
        let weighed = self.weigh(text, &words);
        let evidence: Vec<Evidence> = weighed.iter().map(|(_, evidence)| *evidence).collect();
        let denied = denies(core);
        let denials = denied_words(&words, &self.language);
        let confidences = calibrate::confidences(&evidence, calibrate::weights(&self.language));
        let sure = confidences.iter().zip(&evidence).any(|(sure, of)| *sure >= SURE && of.covered >= NOTHING_LEFT);
        let begins = self.begins_one(&words) || self.begins_one(core) || self.begins_skeleton(core);
        let fit = match (begins, sure) {
            (true, _) => Fit::Prefix,
            (false, true) if !calls_for_more => Fit::Full,
            _ => Fit::None,
        };
        // "I do not want you to call" denies nothing: it is the wish.
        let limit = |class: usize| match self.meanings[class] {
            Meaning::Universal(Universal::StopCalling) => LOOSE_LIMIT,
            _ if denied || self.said[class].is_denied_by(&denials) => DENIED,
            _ => LOOSE_LIMIT,
        };
        let sure = weighed.iter().zip(confidences);
        let classes = sure.map(|((class, _), sure)| (*class, sure.min(limit(*class)))).collect();
        Reading { classes, exact: false, fit }
    }

    /// The same wish said twice and more: `words` are whole phrases of one meaning, one after the other ("yes, there
    /// is", "nope, I'm done"). Gives the meaning and the last of the phrases.
    fn repeated<'a>(&self, words: &'a [String]) -> Option<(usize, &'a [String])> {
        // `begins[end]`: where the last phrase begins when the first `end` words are such a row.
        let row = |class: usize| {
            let mut begins: Vec<Option<usize>> = vec![None; words.len() + 1];
            for end in 1..=words.len() {
                begins[end] = (0..end).find(|&begin| {
                    // A whole phrase by itself is no repetition.
                    (begin == 0 || begins[begin].is_some())
                        && end - begin < words.len()
                        && self.phrases.get(&words[begin..end]) == Some(&class)
                });
            }
            begins[words.len()]
        };
        (0..words.len()).filter(|_| words.len() <= LONGEST_REPEATED).find_map(|end| {
            let class = *self.phrases.get(&words[..=end])?;
            row(class).map(|begin| (class, &words[begin..]))
        })
    }

    /// Do `words` begin a longer phrase?
    fn begins_one(&self, words: &[String]) -> bool {
        self.longer(words).next().is_some()
    }

    /// Do `words` begin a phrase, articles and word forms aside: "I lost my" and `lost card`?
    fn begins_skeleton(&self, words: &[String]) -> bool {
        let bare = skeleton(words, &self.language);
        let next = self.skeletons.range(bare.clone()..).next();
        !bare.is_empty() && next.is_some_and(|(phrase, _)| phrase.starts_with(&bare))
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

/// As much of what was said as is worth it.
pub(crate) fn looked_at(text: &str) -> &str {
    text.char_indices().nth(LONGEST_SAID).map_or(text, |(end, _)| &text[..end])
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
    mishears: bool,
}

impl Known {
    fn new(language: &Language) -> Self {
        Self {
            language: language.clone(),
            meanings: Vec::new(),
            phrases: BTreeMap::new(),
            lessons: Vec::new(),
            mishears: true,
        }
    }

    fn class(&mut self, meaning: Meaning) -> usize {
        self.meanings.push(meaning);
        self.meanings.len() - 1
    }

    /// First come, first served: the phrase stays with whoever has it already.
    fn add(&mut self, class: usize, phrase: &str) {
        let (words, core) = match universals::known(phrase, &self.language) {
            Some(known) => (known.words.clone(), known.core.clone()),
            None => {
                let words = normalize::words(phrase, &self.language);
                let core = normalize::unframed(&words, &self.language).to_vec();
                (words, core)
            }
        };
        if core.is_empty() || self.phrases.contains_key(&core) {
            return;
        }
        self.phrases.insert(core, class);
        self.phrases.entry(words).or_insert(class);
        self.lessons.push((class, phrase.to_owned()));
    }

    fn add_phrases(&mut self, class: usize, universal: Universal) {
        universals::phrases(universal, &self.language).for_each(|phrase| self.add(class, phrase));
    }

    /// The option that is this universal by another name: it has one of the phrases for a person or for the end of all
    /// calls, or two of another's ("repeat" alone may be about a prescription).
    fn owner(&self, universal: Universal) -> Option<usize> {
        let enough = match universal {
            Universal::Operator | Universal::StopCalling => 1,
            Universal::Repeat | Universal::Back => 2,
        };
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        let known = universals::phrases(universal, &self.language)
            .filter_map(|phrase| universals::known(phrase, &self.language));
        for class in known.filter_map(|known| self.phrases.get(&known.core)) {
            *shared.entry(*class).or_default() += 1;
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
        let mut said = vec![Said::default(); self.meanings.len()];
        for (class, phrase) in &self.lessons {
            match universals::known(phrase, &self.language) {
                Some(known) => said[*class].add(&known.words, &self.language),
                None => said[*class].add(&normalize::words(phrase, &self.language), &self.language),
            }
        }
        let school = School::of(self.language.clone(), self.lessons, self.meanings.len(), self.mishears);
        Matcher { language: self.language, meanings: self.meanings, phrases: self.phrases, skeletons, said, school }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::understand::Hypothesis;

    const CLINIC: &[&[&str]] = &[
        &["book an appointment", "see a doctor", "make an appointment", "I need to see someone"],
        &["test results", "are my results back", "blood test", "lab report"],
        &["cancel my appointment", "change my appointment", "reschedule"],
        &["lost my insurance card", "new insurance card", "update my insurance"],
    ];
    const ALL: &[Universal] = &[Universal::Operator, Universal::Repeat, Universal::Back];

    fn matcher_in(options: &[&[&str]], tag: &str) -> Matcher {
        let options: Vec<Vec<String>> =
            options.iter().map(|phrases| phrases.iter().map(|phrase| (*phrase).to_owned()).collect()).collect();
        Matcher::compile(&options, ALL, &Language::parse(tag).unwrap())
    }

    fn clinic(text: &str) -> Understanding {
        matcher_in(CLINIC, "en-US").understand(&eval::heard_clearly(text))
    }

    fn best(understanding: &Understanding) -> Option<(&Meaning, f32)> {
        understanding.candidates.first().map(|(meaning, confidence)| (meaning, *confidence))
    }

    fn is(understanding: &Understanding, meaning: &Meaning, at_least: f32) -> bool {
        best(understanding).is_some_and(|(best, confidence)| best == meaning && confidence >= at_least)
    }

    #[test]
    fn a_known_phrase_is_sure_and_full_whatever_the_politeness() {
        for text in ["test results", "Hi, um, can I get my test results please?", "I'd like the TEST RESULTS, thanks"] {
            let found = clinic(text);
            assert!(is(&found, &Meaning::Option(1), 0.9), "{text}: {found:?}");
            assert_eq!(found.fit, Fit::Full, "{text}");
        }
    }

    #[test]
    fn a_wish_said_twice_is_as_whole_as_one_said_once() {
        let yes_no: &[&[&str]] = &[&["yes", "there is", "yes please"], &["no", "nope", "I am done", "that is all"]];
        for (text, option) in
            [("Yes, there is.", 0), ("yes yes please", 0), ("Nope. I'm done.", 1), ("no no that's all", 1)]
        {
            let found = matcher_in(yes_no, "en-US").understand(&eval::heard_clearly(text));
            assert!(is(&found, &Meaning::Option(option), 0.9), "{text}: {found:?}");
            assert_eq!(found.fit, Fit::Full, "{text}");
        }
        let torn = matcher_in(yes_no, "en-US").understand(&eval::heard_clearly("nope there is"));
        assert_ne!(torn.fit, Fit::Full, "{torn:?}");
    }

    #[test]
    fn free_wordings_are_understood() {
        for (text, option) in [
            ("hello I wanted to ask whether my blood tests have come back yet", 1),
            ("could you set up an appointment with the doctor", 0),
            ("I have to move my appointment to another day", 2),
            ("I think I misplaced my insurance card somewhere yesterday", 3),
        ] {
            let found = clinic(text);
            assert!(is(&found, &Meaning::Option(option), 0.6), "{text}: {found:?}");
        }
    }

    #[test]
    fn misheard_words_are_understood_by_their_sound() {
        let found = clinic("lost my insurence cart");
        assert!(is(&found, &Meaning::Option(3), 0.6), "{found:?}");
    }

    #[test]
    fn strangers_are_refused() {
        for text in
            ["what's the weather like today", "I want to order a pizza", "tell me a joke", "I lost my dog", "la la la"]
        {
            let found = clinic(text);
            // What plans that care refuse below; "lost" is half of a lost card, so the dog comes near.
            assert!(best(&found).is_none_or(|(_, confidence)| confidence < 0.6), "{text}: {found:?}");
        }
    }

    #[test]
    fn a_denied_wish_is_not_granted() {
        let found = clinic("I don't want to cancel my appointment");
        assert!(best(&found).is_none_or(|(_, confidence)| confidence < 0.5), "{found:?}");
    }

    #[test]
    fn what_is_denied_is_not_what_was_meant_in_either_language() {
        let debt: &[&[&str]] = &[
            &["I will pay", "I can pay next week", "I want to pay", "pay on friday"],
            &["I have paid", "I already paid it", "it is paid"],
            &["I have no money", "I lost my job"],
        ];
        let debt_zh: &[&[&str]] = &[&["我会付的", "我下周付款"], &["我已经付了", "付过了"], &["好的我会来", "我来"]];
        let denied = [
            (
                debt,
                "en-US",
                ["I will not pay", "I cannot pay next week", "I have not paid yet", "no I'm not going to pay"],
            ),
            (debt_zh, "zh-CN", ["我不会付的", "我不会来", "我还没有付", "我不来了"]),
        ];
        for (options, tag, texts) in denied {
            for text in texts {
                let found = matcher_in(options, tag).understand(&eval::heard_clearly(text));
                assert!(best(&found).is_none_or(|(_, confidence)| confidence < 0.5), "{text}: {found:?}");
            }
        }
        for (options, tag, text, option) in [
            (debt, "en-US", "yes I will pay it next week", 0),
            (debt_zh, "zh-CN", "不好意思，我下周付款", 0),
            (debt_zh, "zh-CN", "能不能我下周付款", 0),
        ] {
            let found = matcher_in(options, tag).understand(&eval::heard_clearly(text));
            assert!(is(&found, &Meaning::Option(option), 0.5), "{text}: {found:?}");
        }
    }

    #[test]
    fn the_beginning_of_a_phrase_may_go_on() {
        assert_eq!(clinic("I lost my").fit, Fit::Prefix);
        assert_eq!(clinic("cancel my").fit, Fit::Prefix);
        assert_eq!(clinic("la la la").fit, Fit::None);
    }

    #[test]
    fn a_phrase_that_begins_another_meaning_waits() {
        let matcher = matcher_in(&[&["balance"], &["balance transfer"]], "en");
        let found = matcher.understand(&eval::heard_clearly("balance"));
        assert_eq!((best(&found).map(|(meaning, _)| meaning), found.fit), (Some(&Meaning::Option(0)), Fit::Prefix));
        let same = matcher_in(&[&["balance", "balance please tell me"], &["transfer"]], "en");
        assert_eq!(same.understand(&eval::heard_clearly("balance")).fit, Fit::Full);
    }

    #[test]
    fn universals_are_understood_at_every_question() {
        for (text, universal) in [
            ("operator", Universal::Operator),
            ("I want to speak with a real person please", Universal::Operator),
            ("sorry could you say that again", Universal::Repeat),
            ("go back please", Universal::Back),
        ] {
            let found = matcher_in(&[], "en").understand(&eval::heard_clearly(text));
            assert!(is(&found, &Meaning::Universal(universal), 0.6), "{text}: {found:?}");
        }
        assert_eq!(best(&matcher_in(&[], "en").understand(&eval::heard_clearly("give this back"))), None);
    }

    #[test]
    fn whoever_wants_no_more_calls_is_understood_where_that_is_asked_for() {
        let understood = |text: &str, tag: &str, universals: &[Universal]| {
            let options: Vec<Vec<String>> = [vec!["I do not want to cancel", "取消预约"], vec!["pay my bill", "付款"]]
                .map(|phrases| phrases.into_iter().map(str::to_owned).collect())
                .to_vec();
            let matcher = Matcher::compile(&options, universals, &Language::parse(tag).unwrap());
            matcher.understand(&eval::heard_clearly(text))
        };
        let stop = Meaning::Universal(Universal::StopCalling);
        for (text, tag) in [
            ("stop calling me", "en"),
            ("please take me off your list", "en"),
            ("I really don't want you to call me any more", "en"),
            ("你们不要再给我打电话了", "zh-CN"),
            ("别再打了", "zh-CN"),
            ("请以后不要再打给我了", "zh-CN"),
        ] {
            let found = understood(text, tag, &Universal::ALL);
            assert!(is(&found, &stop, 0.6), "{text}: {found:?}");
            let found = understood(text, tag, ALL);
            assert!(found.candidates.iter().all(|(meaning, _)| *meaning != stop), "{text}: {found:?}");
        }
    }

    #[test]
    fn a_plans_own_phrase_beats_a_universal() {
        let matcher =
            matcher_in(&[&["my balance"], &["agent", "a person"], &["repeat my prescription", "repeat"]], "en");
        let meaning =
            |text: &str| best(&matcher.understand(&eval::heard_clearly(text))).map(|(meaning, _)| meaning.clone());
        assert_eq!(meaning("agent please"), Some(Meaning::Option(1)));
        assert_eq!(meaning("let me talk to a human"), Some(Meaning::Option(1)));
        assert_eq!(meaning("repeat"), Some(Meaning::Option(2)));
        assert_eq!(meaning("say that again"), Some(Meaning::Universal(Universal::Repeat)));
    }

    fn guesses(texts: &[(&str, f32)]) -> NBest {
        let guess = |(text, confidence): &(&str, f32)| Hypothesis {
            text: crate::pii::Pii::new((*text).to_owned()),
            confidence: *confidence,
            open_score: 0.0,
            grammar_score: None,
        };
        NBest { hypotheses: texts.iter().map(guess).collect(), ..eval::heard_clearly("") }
    }

    #[test]
    fn a_later_guess_that_makes_sense_wins() {
        let found = matcher_in(CLINIC, "en").understand(&guesses(&[("less pizzas", 0.7), ("test results", 0.6)]));
        assert!(is(&found, &Meaning::Option(1), 0.6), "{found:?}");
        assert_eq!((found.hypothesis, found.fit), (1, Fit::Full));
    }

    #[test]
    fn the_right_guess_is_found_in_second_place_and_below_by_what_the_guesses_are_worth() {
        let matcher = matcher_in(CLINIC, "en");
        type Row<'a> = (&'a [(&'a str, f32)], usize, usize);
        let rows: [Row<'_>; 4] = [
            // The first means nothing.
            (&[("camp sell my a point meant", 0.5), ("cancel my appointment", 0.45)], 2, 1),
            // The first is something, but less so than the second.
            (&[("my results of the election", 0.5), ("are my results back", 0.5)], 1, 1),
            (&[("new in sure", 0.3), ("I would like a new insurance card", 0.45)], 3, 1),
            // The first is as good, and comes first.
            (&[("book an appointment", 0.8), ("cancel my appointment", 0.8)], 0, 0),
        ];
        for (heard, option, place) in rows {
            let found = matcher.understand(&guesses(heard));
            assert!(is(&found, &Meaning::Option(option), 0.5), "{heard:?}: {found:?}");
            assert_eq!(found.hypothesis, place, "{heard:?}");
        }
        // What is only guessed, far down, does not win against what was heard clearly; both are named.
        let found = matcher.understand(&guesses(&[("book an appointment", 0.9), ("blood test", 0.1)]));
        assert!(is(&found, &Meaning::Option(0), 0.9), "{found:?}");
        assert!(found.candidates.iter().any(|(meaning, _)| *meaning == Meaning::Option(1)), "{found:?}");
        assert!(matcher.understand(&guesses(&[])).candidates.is_empty());
    }

    #[test]
    fn the_recognisers_doubt_lowers_confidence() {
        let matcher = matcher_in(CLINIC, "en");
        let at =
            |confidence| best(&matcher.understand(&guesses(&[("test results", confidence)]))).map(|(_, sure)| sure);
        assert!(at(1.0) > at(0.7) && at(0.7) > at(0.2));
        assert_eq!(at(f32::NAN), at(0.0));
    }

    #[test]
    fn mandarin_is_understood_by_its_characters() {
        let matcher = matcher_in(&[&["查余额", "我的账户还有多少钱"], &["挂失银行卡", "我的卡丢了"]], "zh-CN");
        let found = |text: &str| matcher.understand(&eval::heard_clearly(text));
        assert!(is(&found("请问，我想查一下余额"), &Meaning::Option(0), 0.9));
        assert!(is(&found("我的银行卡昨天丢了"), &Meaning::Option(1), 0.5), "{:?}", found("我的银行卡昨天丢了"));
        assert!(is(&found("转人工"), &Meaning::Universal(Universal::Operator), 0.9));
        assert!(best(&found("今天天气怎么样")).is_none_or(|(_, confidence)| confidence < 0.5));
    }

    #[test]
    fn words_that_call_for_more_are_no_whole_phrase_unless_the_plan_says_so() {
        let matcher = matcher_in(&[&["balance", "what do I pay for"], &["lost card", "I lost my card"]], "en");
        let fit = |text: &str| matcher.understand(&eval::heard_clearly(text)).fit;
        assert_eq!(fit("I lost my cards"), Fit::Full);
        assert_eq!(fit("what do I pay for"), Fit::Full);
        for open in ["what is the", "I lost my card and", "I lost my card because I", "I lost my cards uh"] {
            assert_eq!(fit(open), Fit::None, "{open}");
        }
    }

    #[test]
    fn questions_that_are_taught_the_same_learn_it_once() {
        let school = |options: &[&[&str]], universals: &[Universal]| {
            let options: Vec<Vec<String>> =
                options.iter().map(|phrases| phrases.iter().map(|phrase| (*phrase).to_owned()).collect()).collect();
            Matcher::compile(&options, universals, &Language::english()).school
        };
        let clinic = school(CLINIC, ALL);
        assert!(Arc::ptr_eq(&clinic, &school(CLINIC, ALL)));
        for other in [school(&CLINIC[1..], ALL), school(CLINIC, &Universal::ALL)] {
            assert!(!Arc::ptr_eq(&clinic, &other));
        }
    }

    #[test]
    fn of_ten_thousand_words_said_at_once_only_the_first_are_looked_at() {
        let alike = |matcher: &Matcher, said: &str| {
            let cut: String = said.chars().take(LONGEST_SAID).collect();
            assert!(said.chars().count() > 10 * LONGEST_SAID);
            let (whole, begun) = (matcher.understand(&eval::heard_clearly(said)), eval::heard_clearly(&cut));
            assert_eq!(whole, matcher.understand(&begun), "{cut}");
            assert_eq!(matcher.evidence(said), matcher.evidence(&cut));
        };
        let english = matcher_in(CLINIC, "en");
        let (wish, story): (&str, String) =
            ("I lost my insurance card ", (0..10_000).map(|at| format!("w{at} ")).collect());
        alike(&english, &format!("{wish}{story}"));
        alike(&english, &format!("{wish}{}", "cancel my appointment please ".repeat(2_500)));
        alike(&english, &format!("{wish}{}", "not to ".repeat(5_000)));
        let mandarin = matcher_in(&[&["查余额", "我的账户还有多少钱"], &["挂失银行卡", "我的卡丢了"]], "zh-CN");
        let characters = ('\u{4E00}'..='\u{9FFF}').cycle().take(10_500).collect::<String>();
        for said in [characters, "不".repeat(10_500), "查余额吧了的".repeat(2_000), "谢谢".repeat(5_500)] {
            alike(&mandarin, &format!("我的卡丢了{said}"));
        }
    }

    #[test]
    fn nothing_and_nonsense_are_survived() {
        assert_eq!(matcher_in(CLINIC, "en").understand(&guesses(&[])).candidates, Vec::new());
        for text in ["", " ", "。。。", "😀😀", "'", "a", "\u{0}", &"word ".repeat(2000)] {
            for tag in ["en", "zh", "fr"] {
                let _ = matcher_in(CLINIC, tag).understand(&eval::heard_clearly(text));
            }
        }
        assert_eq!(matcher_in(&[&[""], &[]], "en").understand(&eval::heard_clearly("hello")).candidates, Vec::new());
    }
}
