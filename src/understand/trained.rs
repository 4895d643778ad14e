//! A classifier for a set of labelled sentences, with everything learned from the training rows alone.
//!
//! ```text
//!   rows ──┬─ all of them ───────────────────────────▶ model
//!          ├─ five folds, each read by the others ───▶ temperature (what a value is worth as a probability)
//!          │                                           thresholds (3 and 5 in 100 of our own refused)
//!          └─ strangers among the rows, or else folds ▶ refusal (does it belong to any class?)
//!             that leave whole classes out
//! ```

use super::benchmark;
use super::features;
use super::linear::Settings;
use super::model::{Doubt, Example, Model, Reading};
use super::refusal::{Lesson, Refusal};
use super::sparse::VIEWS;
use super::strangers;
use crate::language::Language;

/// Parts the rows are cut into, each read by a model of the others.
const FOLDS: usize = 5;
/// Parts the classes are cut into, each a stranger to a model of the others.
const CLASS_FOLDS: usize = 3;
/// With fewer strangers than these among the rows, sentences about something else are lent, and classes left out stand
/// in for strangers as well…
const ENOUGH_STRANGERS: usize = 60;
/// …each counting less than a true one, for there are many, and they are nearer to our own than strangers mostly are.
const STRANGER_WEIGHT: f32 = 5.0;

/// How a classifier is made.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// What each view of a text counts.
    pub scale: [f32; VIEWS],
    /// Of the linear model.
    pub settings: Settings,
    /// Learns when to refuse; otherwise the highest probability alone tells.
    pub learns_refusal: bool,
    /// Lends sentences about something else to sets that bring too few strangers of their own.
    pub lends_strangers: bool,
}

impl Recipe {
    /// The product's own.
    pub fn ours(language: &Language) -> Self {
        Self {
            scale: features::scale(language),
            settings: Settings::default(),
            learns_refusal: true,
            lends_strangers: true,
        }
    }

    /// The yardstick: words weighed by tf-idf, a linear model, the highest probability.
    pub fn plain() -> Self {
        let mut scale = [0.0; VIEWS];
        scale[features::View::Words as usize] = 1.0;
        Self { scale, settings: Settings::default(), learns_refusal: false, lends_strangers: false }
    }
}

/// A classifier, trained.
#[derive(Clone, Debug)]
pub struct Trained {
    model: Model,
    temperature: f32,
    refusal: Option<Refusal>,
    thresholds: [f32; 2],
}

/// What a classifier says of one text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The likeliest class.
    pub class: usize,
    /// Its probability among the classes, 0..1.
    pub confidence: f32,
    /// 0..1: how sure one may be that the text belongs to any class.
    pub belongs: f32,
}

impl Trained {
    /// Learns from examples of `classes` classes; those without a class are strangers and teach only when to refuse.
    pub fn learn(own: &[Example], classes: usize, language: &Language, recipe: &Recipe) -> Self {
        let strange = own.iter().filter(|example| example.class.is_none()).count();
        let lends = recipe.lends_strangers && strange < ENOUGH_STRANGERS;
        let lent = if lends { strangers::apart_from(own, language, recipe.scale) } else { Vec::new() };
        let examples: Vec<Example> = own.iter().chain(&lent).cloned().collect();
        let examples = examples.as_slice();
        let all: Vec<&Example> = examples.iter().collect();
        let model = Model::train(&all, classes, recipe.scale, &recipe.settings);
        let unseen = unseen(examples, classes, recipe);
        let temperature = temperature(&unseen);
        let refusal = recipe
            .learns_refusal
            .then(|| Refusal::learn(&lessons(examples, classes, recipe, &unseen, strange >= ENOUGH_STRANGERS)));
        let mut trained = Self { model, temperature, refusal, thresholds: [0.0; 2] };
        let own = unseen.iter().filter(|held| held.class.is_some());
        let sure = own.map(|held| trained.belongs(&held.reading, &held.doubt)).collect();
        trained.thresholds = benchmark::quantiles(sure);
        trained
    }

    /// What a text is taken for, given its gathered features.
    pub fn classify(&self, features: &[super::sparse::Feature]) -> Verdict {
        let reading = self.model.read(features);
        let doubt = if self.refusal.is_some() { self.model.doubt(&reading) } else { Doubt::default() };
        let confidence = probability(&reading, self.temperature, false);
        Verdict { class: reading.best, confidence, belongs: self.belongs(&reading, &doubt) }
    }

    fn belongs(&self, reading: &Reading, doubt: &Doubt) -> f32 {
        match &self.refusal {
            Some(refusal) => refusal.belongs(doubt),
            None => probability(reading, self.temperature, true),
        }
    }

    /// Below these values of [`Verdict::belongs`], 3 and 5 in 100 held-out training rows of the classes are refused.
    pub fn thresholds(&self) -> [f32; 2] {
        self.thresholds
    }
}

/// A training row as a model that had not seen it read it.
struct Held {
    class: Option<usize>,
    reading: Reading,
    doubt: Doubt,
}

/// Every row, read by a model of the other folds. Folds are dealt class by class.
fn unseen(examples: &[Example], classes: usize, recipe: &Recipe) -> Vec<Held> {
    let folds = dealt(examples, classes);
    let mut held = Vec::with_capacity(examples.len());
    for fold in 0..FOLDS {
        let others: Vec<&Example> =
            examples.iter().zip(&folds).filter(|(_, of)| **of != fold).map(|(row, _)| row).collect();
        let model = Model::train(&others, classes, recipe.scale, &recipe.settings);
        for (row, _) in examples.iter().zip(&folds).filter(|(_, of)| **of == fold) {
            let reading = model.read(&row.features);
            let doubt = if recipe.learns_refusal { model.doubt(&reading) } else { Doubt::default() };
            held.push(Held { class: row.class, reading, doubt });
        }
    }
    held
}

/// The fold of each row: every class is dealt out evenly.
fn dealt(examples: &[Example], classes: usize) -> Vec<usize> {
    let mut next: Vec<usize> = (0..=classes).collect();
    let deal = |example: &Example| {
        let next = &mut next[example.class.unwrap_or(classes)];
        *next += 1;
        *next % FOLDS
    };
    examples.iter().map(deal).collect()
}

/// What teaches to refuse. Real strangers do; where there are too few, models that never saw a third of the classes
/// read the rows of those.
fn lessons(examples: &[Example], classes: usize, recipe: &Recipe, unseen: &[Held], enough: bool) -> Vec<Lesson> {
    let lesson = |held: &Held| {
        let belongs = held.class.is_some();
        Lesson { doubt: held.doubt, belongs, weight: if belongs { 1.0 } else { STRANGER_WEIGHT } }
    };
    let mut lessons: Vec<Lesson> = unseen.iter().map(lesson).collect();
    if enough {
        return lessons;
    }
    let folds = dealt(examples, classes);
    for out in 0..CLASS_FOLDS {
        let places: Vec<Option<usize>> = (0..classes)
            .scan(0, |next, class| {
                let place = (class % CLASS_FOLDS != out).then_some(*next);
                *next += usize::from(place.is_some());
                Some(place)
            })
            .collect();
        let kept = places.iter().flatten().count();
        if kept == 0 || kept == classes {
            continue;
        }
        let is_stranger = |example: &Example| example.class.is_some_and(|class| places[class].is_none());
        let known: Vec<Example> = examples
            .iter()
            .zip(&folds)
            .filter(|(example, fold)| **fold != out && !is_stranger(example))
            .map(|(example, _)| Example { class: example.class.and_then(|class| places[class]), ..example.clone() })
            .collect();
        let model = Model::train(&known.iter().collect::<Vec<_>>(), kept, recipe.scale, &recipe.settings);
        for (example, fold) in examples.iter().zip(&folds) {
            let belongs = !is_stranger(example);
            if *fold == out && example.class.is_some() {
                let doubt = model.doubt(&model.read(&example.features));
                lessons.push(Lesson { doubt, belongs, weight: 1.0 });
            }
        }
    }
    lessons
}

/// The probability of the best class: values, sharpened, against one another, and against the strangers' if wanted.
fn probability(reading: &Reading, temperature: f32, with_strangers: bool) -> f32 {
    let top = reading.values.get(reading.best).copied().unwrap_or(0.0);
    let others = reading.values.iter().chain(reading.stranger.iter().filter(|_| with_strangers));
    1.0 / others.map(|value| ((value - top) * temperature).exp()).sum::<f32>().max(1.0)
}

/// What makes the held-out rows of the classes likeliest (Guo et al. 2017, "On calibration of modern neural
/// networks"): a search along the one number there is.
fn temperature(unseen: &[Held]) -> f32 {
    let likelihood = |temperature: f32| -> f32 {
        let own = unseen.iter().filter_map(|held| Some((held.class?, &held.reading)));
        own.map(|(class, reading)| {
            let top = reading.values[reading.best];
            let sum: f32 = reading.values.iter().map(|value| ((value - top) * temperature).exp()).sum();
            (reading.values[class] - top) * temperature - sum.ln()
        })
        .sum()
    };
    let steps = (0..60).map(|step| 0.5 * 1.07_f32.powi(step));
    steps.map(|step| (step, likelihood(step))).max_by(|a, b| a.1.total_cmp(&b.1)).map_or(1.0, |(step, _)| step)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &[(&str, usize)] = &[
        ("turn on the light in the kitchen", 0),
        ("switch the lamp on please", 0),
        ("lights on in the hall", 0),
        ("put the lights on", 0),
        ("turn the bedroom light on", 0),
        ("could you switch on the lamp", 0),
        ("what is the weather tomorrow", 1),
        ("will it rain on monday", 1),
        ("is it going to be cold tonight", 1),
        ("weather forecast for the weekend", 1),
        ("do i need an umbrella today", 1),
        ("how warm is it outside", 1),
        ("play some jazz music", 2),
        ("put on my favourite song", 2),
        ("i want to hear the beatles", 2),
        ("play the next track", 2),
        ("start my playlist", 2),
        ("can you play a rock song", 2),
    ];

    fn examples(tag: &str, said: &[(&str, usize)]) -> Vec<Example> {
        let language = Language::parse(tag).unwrap();
        said.iter().map(|(text, class)| Example::new(text, (*class < 9).then_some(*class), &language)).collect()
    }

    fn classified(text: &str, trained: &Trained) -> Verdict {
        trained.classify(&features::features(text, &Language::english()))
    }

    #[test]
    fn a_few_sentences_of_each_class_teach_it() {
        let trained =
            Trained::learn(&examples("en", SAID), 3, &Language::english(), &Recipe::ours(&Language::english()));
        for (text, class) in
            [("switch on the hall light", 0), ("will there be snow on friday", 1), ("play a song by adele", 2)]
        {
            let verdict = classified(text, &trained);
            assert_eq!(verdict.class, class, "{text}: {verdict:?}");
            assert!(verdict.confidence > 0.4 && verdict.confidence <= 1.0, "{verdict:?}");
        }
        let (own, strange) =
            (classified("play my favourite song", &trained), classified("quarterly tax return", &trained));
        assert!(own.belongs > strange.belongs, "{own:?} {strange:?}");
        assert!(trained.thresholds()[0] <= trained.thresholds()[1]);
    }

    #[test]
    fn strangers_teach_refusal_and_never_become_a_class() {
        let strangers = ["tell me a joke", "who are you", "i love you", "are you a robot", "what is your name"];
        let said: Vec<(&str, usize)> = SAID.iter().copied().chain(strangers.map(|text| (text, 9))).collect();
        let trained =
            Trained::learn(&examples("en", &said), 3, &Language::english(), &Recipe::ours(&Language::english()));
        let verdict = classified("do you love me robot", &trained);
        assert!(verdict.class < 3);
        assert!(verdict.belongs < classified("put the lamp on", &trained).belongs);
    }

    #[test]
    fn mandarin_is_learned_from_words_characters_and_sounds() {
        let said = [
            ("打开客厅的灯", 0),
            ("把灯打开", 0),
            ("开一下卧室的灯", 0),
            ("明天天气怎么样", 1),
            ("后天会下雨吗", 1),
            ("今天冷不冷", 1),
        ];
        let language = Language::parse("zh-CN").unwrap();
        let trained = Trained::learn(&examples("zh-CN", &said), 2, &language, &Recipe::ours(&language));
        for (text, class) in [("厨房的灯开一下", 0), ("北京后天天气", 1)] {
            assert_eq!(trained.classify(&features::features(text, &language)).class, class, "{text}");
        }
    }

    #[test]
    fn hardly_anything_to_learn_from_is_survived() {
        for said in [&SAID[..1], &SAID[..2], &[SAID[0], SAID[7]][..], &[]] {
            for recipe in [Recipe::ours(&Language::english()), Recipe::plain()] {
                let trained = Trained::learn(&examples("en", said), 2, &Language::english(), &recipe);
                for text in ["", "play", "。", &"word ".repeat(3000)] {
                    let verdict = classified(text, &trained);
                    assert!(verdict.confidence.is_finite() && verdict.belongs.is_finite(), "{text}: {verdict:?}");
                }
            }
        }
    }
}
