//! What can be known about a network before anything is said: which rules can be complete at all, which without a word,
//! and with which words each can begin.

use std::collections::{BTreeMap, BTreeSet};

use super::automaton::{Arc, Automaton, Label};
use super::diagnostic::Problems;

/// Most first words kept, over all rules; beyond, a rule is tried whatever the word.
const MAX_FIRST: usize = 1_000_000;

/// Takes out ways that lead nowhere, learns what rules begin with, and tells of rules nobody can say.
pub fn finish(automaton: &mut Automaton, problems: &mut Problems) {
    trim(automaton, problems);
    let Silent { empty, reached } = silent(automaton);
    for (rule, empty) in automaton.rules.iter_mut().zip(empty) {
        rule.empty = empty;
    }
    let heads: Vec<Head> = reached.iter().map(|reached| head(automaton, reached)).collect();
    warn_of_left_recursion(automaton, &heads, problems);
    let first = first_words(&heads);
    for (rule, first) in automaton.rules.iter_mut().zip(first) {
        rule.first = first;
    }
}

/// Removes arcs from which their rule cannot be completed. A rule that cannot be completed at all is told of.
fn trim(automaton: &mut Automaton, problems: &mut Problems) {
    let states = automaton.size().0;
    let mut into: Vec<Vec<(u32, Label)>> = vec![Vec::new(); states];
    for state in 0..states as u32 {
        for arc in automaton.arcs(state) {
            into[arc.to as usize].push((state, arc.label));
        }
    }
    let mut waiting: BTreeMap<u32, Vec<u32>> = BTreeMap::new(); // rule → states whose only hope is that it can be said
    let mut by_start: BTreeMap<u32, u32> = BTreeMap::new();
    let mut alive = vec![false; states];
    let mut said = vec![false; automaton.rules.len()];
    let mut agenda: Vec<u32> = Vec::new();
    for (number, rule) in automaton.rules.iter().enumerate() {
        by_start.insert(rule.start, number as u32);
        alive[rule.end as usize] = true;
        agenda.push(rule.end);
    }
    while let Some(state) = agenda.pop() {
        let mut revive = Vec::new();
        for (from, label) in &into[state as usize] {
            match label {
                Label::Rule(rule) if !said[*rule as usize] => waiting.entry(*rule).or_default().push(*from),
                _ => revive.push(*from),
            }
        }
        if let Some(rule) = by_start.get(&state) {
            said[*rule as usize] = true;
            revive.extend(waiting.remove(rule).unwrap_or_default());
        }
        for from in revive {
            if !std::mem::replace(&mut alive[from as usize], true) {
                agenda.push(from);
            }
        }
    }
    for (rule, _) in automaton.rules.iter().zip(&said).filter(|(_, said)| !**said) {
        let message =
            format!("rule `{}` can never be said: every way through it needs something that cannot be", rule.name);
        problems.warn(rule.at, message).help("give it a way through that ends");
    }
    let kept = |arc: &&Arc| alive[arc.to as usize] && !matches!(arc.label, Label::Rule(rule) if !said[rule as usize]);
    let states = (0..states as u32).map(|state| automaton.arcs(state).iter().filter(kept).copied().collect()).collect();
    automaton.pack(states);
}

/// What can be reached in each rule without a word. Built-ins always need one.
struct Silent {
    /// By rule: can it be complete?
    empty: Vec<bool>,
    /// By rule: its states.
    reached: Vec<Vec<u32>>,
}

fn silent(automaton: &Automaton) -> Silent {
    let mut empty = vec![false; automaton.rules.len()];
    let mut reached: Vec<Vec<u32>> = vec![Vec::new(); automaton.rules.len()];
    let mut seen = vec![false; automaton.size().0];
    let mut waiting: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new(); // rule → where one is once it is known to be empty
    let mut agenda: Vec<(u32, u32)> =
        automaton.rules.iter().enumerate().map(|(number, rule)| (rule.start, number as u32)).collect();
    while let Some((state, rule)) = agenda.pop() {
        if std::mem::replace(&mut seen[state as usize], true) {
            continue;
        }
        reached[rule as usize].push(state);
        if state == automaton.rules[rule as usize].end {
            empty[rule as usize] = true;
            agenda.extend(waiting.remove(&rule).unwrap_or_default());
        }
        for arc in &automaton.arcs[automaton.other_arcs(state)] {
            match arc.label {
                Label::Nothing | Label::Tag(_) => agenda.push((arc.to, rule)),
                Label::Rule(called) if empty[called as usize] => agenda.push((arc.to, rule)),
                Label::Rule(called) => waiting.entry(called).or_default().push((arc.to, rule)),
                Label::Word(_) | Label::Anything | Label::Builtin(_) => {}
            }
        }
    }
    Silent { empty, reached }
}

/// What a rule can begin with.
#[derive(Default)]
struct Head {
    words: BTreeSet<u32>,
    rules: BTreeSet<u32>,
    anything: bool,
}

fn head(automaton: &Automaton, reached: &[u32]) -> Head {
    let mut head = Head::default();
    for arc in reached.iter().flat_map(|state| automaton.arcs(*state)) {
        match arc.label {
            Label::Word(word) => _ = head.words.insert(word),
            Label::Rule(rule) => _ = head.rules.insert(rule),
            Label::Anything | Label::Builtin(_) => head.anything = true,
            Label::Nothing | Label::Tag(_) => {}
        }
    }
    head
}

/// The words each rule can begin with, in order; `None` where it may be anything.
fn first_words(heads: &[Head]) -> Vec<Option<Vec<u32>>> {
    let mut left = MAX_FIRST;
    let mut first = Vec::with_capacity(heads.len());
    for start in 0..heads.len() as u32 {
        let mut words = BTreeSet::new();
        let mut seen = BTreeSet::from([start]);
        let mut agenda = vec![start];
        let mut anything = false;
        while let Some(rule) = agenda.pop() {
            let head = &heads[rule as usize];
            anything |= head.anything;
            words.extend(head.words.iter().copied());
            // Reading on costs time even where nothing new is found.
            left = left.saturating_sub(1 + head.words.len() + head.rules.len());
            if anything || left == 0 {
                break;
            }
            agenda.extend(head.rules.iter().copied().filter(|rule| seen.insert(*rule)));
        }
        first.push((!anything && left > 0).then(|| words.into_iter().collect()));
    }
    first
}

/// A rule that can begin with itself is matched well, but a recogniser that follows the network word by word follows it
/// only so deep.
fn warn_of_left_recursion(automaton: &Automaton, heads: &[Head], problems: &mut Problems) {
    let mut budget = MAX_FIRST;
    for (number, rule) in automaton.rules.iter().enumerate() {
        let mut seen = BTreeSet::new();
        let mut agenda: Vec<u32> = heads[number].rules.iter().copied().collect();
        while let Some(next) = agenda.pop() {
            if next as usize == number {
                let message = format!(
                    "rule `{}` begins with itself: it is followed {} deep",
                    rule.name,
                    super::automaton::MAX_STACK
                );
                problems.warn(rule.at, message).help("repeat with `<1->`, or let it end with itself");
                break;
            }
            budget = budget.saturating_sub(1);
            if budget == 0 {
                return;
            }
            if seen.insert(next) {
                agenda.extend(heads[next as usize].rules.iter().copied());
            }
        }
    }
}
