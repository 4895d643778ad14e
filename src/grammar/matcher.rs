//! What an utterance means to a grammar.
//!
//! ```text
//!   caller   hello can i   pay   two hundred dollars   please
//!            └─ courtesy ┘ └────── the grammar ─────┘ └courtesy┘      whole
//!            well my card  pay   …                                    spotted
//! ```

use std::ops::Range;

use jiff::civil::DateTime;

use crate::language::Language;
use crate::value::Value;

use super::automaton::Automaton;
use super::chart::{self, Chart, MAX_WORDS};
use super::hearing::Said;
use super::semantics::{self, RuleSpan};
use super::{Mode, normalize, readings};

/// Most matches one utterance has: an ambiguity with more cannot be asked about.
const MAX_MATCHES: usize = 8;
/// Ways through the grammar that are looked at to find them: most ambiguities mean the same.
const MAX_READINGS: usize = 32;

/// One meaning of an utterance.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// What it means; nothing when a tag failed.
    pub interpretation: Value,
    /// Why a tag failed, as a sentence.
    pub fault: Option<String>,
    /// Which of the words, as they are compared.
    pub words: Range<usize>,
    /// Is everything else courtesy?
    pub whole: bool,
    /// How likely the grammar finds it, 0 to 1: 1 is the likeliest thing to say.
    pub weight: f32,
    /// Which rule took which words, in the order in which they begin.
    pub rules: Vec<RuleSpan>,
}

/// How an utterance stands to a grammar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// It is something the grammar hears.
    pub full: bool,
    /// It may be the beginning of something (longer).
    pub prefix: bool,
}

/// What typed keys mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Keyed {
    /// They mean this, and no key can follow.
    Complete(Value),
    /// More may follow; they mean this when none does.
    More(Option<Value>),
    /// No grammar begins like this.
    Wrong,
}

/// An utterance, ready to be compared.
pub(super) struct Utterance {
    pub said: Said,
    /// Without courtesy.
    pub core: Range<usize>,
    now: DateTime,
}

impl Utterance {
    /// `None` when it is no utterance in this mode: a letter is no key.
    pub fn new(text: &str, mode: Mode, language: &Language, now: DateTime) -> Option<Self> {
        let said = match mode {
            Mode::Dtmf => Said::typed(text, language)?,
            Mode::Voice => Said::spoken(text, language),
        };
        let mut utterance = Self { core: 0..said.words.len(), said, now };
        utterance.said.truncate(MAX_WORDS);
        if mode == Mode::Voice {
            utterance.core = normalize::core(&utterance.said.words, language);
        }
        Some(utterance)
    }

    /// The chart of everything the utterance as a whole may be, and nothing else.
    pub fn chart(&self, automaton: &Automaton, rule: u32) -> Chart {
        let starts: Vec<usize> = (0..=self.core.start).collect();
        chart::parse(automaton, rule, &self.said, &starts, self.now)
    }

    pub fn fit(&self, automaton: &Automaton, rule: u32) -> Fit {
        let chart = self.chart(automaton, rule);
        let full = chart.complete.iter().any(|(end, _)| chart.nodes[*end as usize].at >= self.core.end);
        Fit { full, prefix: chart.could_go_on }
    }

    /// What the utterance as a whole means, likeliest first.
    pub fn whole(&self, automaton: &Automaton, rule: u32) -> Vec<Match> {
        let chart = self.chart(automaton, rule);
        self.matches(automaton, &chart, |from, to| from <= self.core.start && to >= self.core.end)
    }

    /// What parts of the utterance mean: those with most words first, then the likeliest.
    pub fn spotted(&self, automaton: &Automaton, rule: u32) -> Vec<Match> {
        let starts: Vec<usize> = (0..self.said.words.len()).collect();
        let chart = chart::parse(automaton, rule, &self.said, &starts, self.now);
        self.matches(automaton, &chart, |from, to| from < to)
    }

    fn matches(&self, automaton: &Automaton, chart: &Chart, wanted: impl Fn(usize, usize) -> bool) -> Vec<Match> {
        let span = |(end, from): (u32, usize)| (end, from..chart.nodes[end as usize].at);
        let mut ends: Vec<(u32, Range<usize>)> =
            chart.complete.iter().copied().map(span).filter(|(_, span)| wanted(span.start, span.end)).collect();
        let best = |end: u32| chart.nodes[end as usize].best;
        ends.sort_by(|(one, a), (other, b)| {
            b.len().cmp(&a.len()).then(best(*other).total_cmp(&best(*one))).then(a.start.cmp(&b.start))
        });
        ends.truncate(MAX_MATCHES);
        let mut matches: Vec<Match> = Vec::new();
        for (end, span) in ends {
            for reading in readings::best(automaton, chart, end, MAX_READINGS) {
                let (value, rules) = semantics::interpret(automaton, &reading.events, &self.said.words);
                let (interpretation, fault) = match value {
                    Ok(value) => (value, None),
                    Err(fault) => (Value::Nothing, Some(fault)),
                };
                if matches.iter().any(|known| known.interpretation == interpretation && known.fault == fault) {
                    continue;
                }
                let whole = span.start <= self.core.start && span.end >= self.core.end;
                let weight = reading.weight.exp();
                matches.push(Match { interpretation, fault, words: span.clone(), whole, weight, rules });
                if matches.len() == MAX_MATCHES {
                    return matches;
                }
            }
        }
        matches
    }
}
