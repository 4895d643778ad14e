//! What did they mean? Words and sounds over a plan's own phrases, with the courage to say "I did not get that".

use crate::language::Language;
use crate::speech::NBest;

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
    phrases: Vec<(Meaning, String)>,
}

impl Matcher {
    /// Builds a matcher from the phrases of each option (in file order) and the universals in force.
    pub fn compile(options: &[Vec<String>], universals: &[Universal], language: &Language) -> Self {
        let _ = (universals, language);
        let of_option = |(place, phrases): (usize, &Vec<String>)| {
            phrases.iter().map(|phrase| (Meaning::Option(place), phrase.to_lowercase())).collect::<Vec<_>>()
        };
        Self { phrases: options.iter().enumerate().flat_map(of_option).collect() }
    }

    /// What the n-best list means here.
    pub fn understand(&self, nbest: &NBest) -> Understanding {
        for (hypothesis, guess) in nbest.hypotheses.iter().enumerate() {
            let text = guess.text.reveal().to_lowercase();
            if let Some((meaning, _)) = self.phrases.iter().find(|(_, phrase)| *phrase == text) {
                return Understanding {
                    candidates: vec![(meaning.clone(), guess.confidence)],
                    hypothesis,
                    fit: Fit::Full,
                };
            }
        }
        Understanding { candidates: Vec::new(), hypothesis: 0, fit: Fit::None }
    }
}
