//! Phrases a grammar hears: examples for whoever learns from them, and for people who want to see what they wrote.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use rand::Rng as _;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use super::automaton::{Automaton, Cursor, Mark};
use super::hearing;
use super::words;

/// Longest phrase, in words: longer ones are nothing people say in one breath.
const MAX_WORDS: usize = 30;
/// Most steps of one phrase; those without words count too.
const MAX_STEPS: usize = 400;
/// Steps that may be spent for each phrase that is asked for: to list them all, and to draw some.
const STEPS_TO_LIST: usize = 200;
const STEPS_TO_DRAW: usize = 2_000;
/// The same phrases come every time.
const SEED: u64 = 1;

/// At most `limit` different phrases of `rule`. All of them when there are no more; else a fair choice, the same every
/// time. `$GARBAGE` is left out, and built-ins give the examples they have.
pub fn expansions(automaton: &Automaton, rule: u32, limit: usize, now: DateTime) -> Vec<String> {
    let mut lister = Lister { automaton, now, limit, found: BTreeSet::new() };
    if let Some(all) = lister.all(rule) {
        return all;
    }
    lister.some(rule)
}

struct Lister<'a> {
    automaton: &'a Automaton,
    now: DateTime,
    limit: usize,
    found: BTreeSet<Vec<String>>,
}

impl Lister<'_> {
    /// Every phrase in the order of the grammar; `None` when there are too many.
    fn all(&mut self, rule: u32) -> Option<Vec<String>> {
        let mut phrases = Vec::new();
        let mut seen = BTreeSet::new();
        let mut agenda: Vec<(Cursor, Vec<String>, usize)> = vec![(self.automaton.enter(rule), Vec::new(), 0)];
        let mut left = self.limit.saturating_mul(STEPS_TO_LIST);
        while let Some((cursor, phrase, steps)) = agenda.pop() {
            left = left.checked_sub(1)?;
            if self.automaton.is_complete(&cursor) && seen.insert(phrase.clone()) && !phrase.is_empty() {
                phrases.push(words::joined(phrase.iter().cloned()));
                if phrases.len() > self.limit {
                    return None;
                }
            }
            let next: Vec<_> = self.automaton.steps(&cursor).collect();
            if steps >= MAX_STEPS || (phrase.len() >= MAX_WORDS && !next.is_empty()) {
                return None; // It goes on without end, or nearly so.
            }
            let first = agenda.len();
            for step in next {
                for said in self.said(&step.mark) {
                    agenda.push((step.next.clone(), [phrase.clone(), said].concat(), steps + 1));
                }
            }
            agenda[first..].reverse(); // The first way is taken first.
        }
        Some(phrases)
    }

    /// Phrases from walks at random: at each fork, likelier ways are taken more often.
    fn some(&mut self, rule: u32) -> Vec<String> {
        let mut random = SmallRng::seed_from_u64(SEED);
        let mut phrases = Vec::new();
        let mut left = self.limit.saturating_mul(STEPS_TO_DRAW);
        while phrases.len() < self.limit && left > 0 {
            let phrase = self.walk(rule, &mut random, &mut left);
            if let Some(phrase) = phrase.filter(|phrase| !phrase.is_empty() && self.found.insert(phrase.clone())) {
                phrases.push(words::joined(phrase));
            }
        }
        phrases
    }

    fn walk(&self, rule: u32, random: &mut SmallRng, left: &mut usize) -> Option<Vec<String>> {
        let mut cursor = self.automaton.enter(rule);
        let mut phrase = Vec::new();
        for _ in 0..MAX_STEPS {
            *left = left.saturating_sub(1);
            if self.automaton.is_complete(&cursor) {
                return Some(phrase);
            }
            let ways: Vec<_> = self.automaton.steps(&cursor).filter(|step| step.mark != Mark::Anything).collect();
            *left = left.saturating_sub(ways.len() / 16);
            let sum: f32 = ways.iter().map(|step| step.weight.exp()).sum();
            let mut drawn = random.random_range(0.0..1.0) * sum;
            let step = ways.iter().find(|step| {
                drawn -= step.weight.exp();
                drawn <= 0.0
            });
            let step = step.or(ways.last())?;
            let said = self.said(&step.mark);
            phrase.extend(said.get(random.random_range(0..said.len().max(1)))?.clone());
            if phrase.len() > MAX_WORDS {
                return None;
            }
            cursor = step.next.clone();
        }
        None
    }

    /// What can be said for a step: one thing for most, none for `$GARBAGE`.
    fn said(&self, mark: &Mark<'_>) -> Vec<Vec<String>> {
        match mark {
            Mark::Word(word) => vec![vec![self.spelling(word)]],
            Mark::Anything => Vec::new(),
            Mark::Builtin(call) => hearing::examples(call, self.now).into_iter().map(|example| vec![example]).collect(),
            Mark::Nothing | Mark::Tag(_) | Mark::Enter(_) | Mark::Leave(_) => vec![Vec::new()],
        }
    }

    fn spelling(&self, word: &str) -> String {
        let number = self.automaton.number(word);
        number.map_or_else(|| word.to_owned(), |number| self.automaton.words[number as usize].written.clone())
    }
}
