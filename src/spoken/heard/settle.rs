//! From readings at single places of an utterance to what was meant: which words were left over, which value took back
//! an earlier one, and whether more is to come.
//!
//! ```text
//!   "pay two hundred  no  three hundred  on friday"
//!        └─ taken ─┘  │   └── stands ──┘
//!           back ◀── a correction between two values
//! ```

use std::ops::Range;

use super::words::Words;
use crate::value::Value;

/// What one place of the utterance may mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The value.
    pub value: Value,
    /// Where its words end.
    pub end: usize,
    /// 0..1, were nothing else said.
    pub sure: f32,
    /// Could be another kind of value too, as "five" can: inside other words it is believed less.
    pub bare: bool,
}

impl Reading {
    /// Says what it is.
    pub const fn plain(value: Value, end: usize, sure: f32) -> Self {
        Self { value, end, sure, bare: false }
    }

    /// Could be something else.
    pub const fn bare(value: Value, end: usize, sure: f32) -> Self {
        Self { value, end, sure, bare: true }
    }
}

/// How much of what was said is the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Nothing else was said but courtesy.
    Full,
    /// It stands within other words.
    Inside,
    /// It calls for more ("two hundred and"), or is still to come ("on the"): then the value is [`Value::Nothing`].
    Prefix,
}

/// A value found in an utterance.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// What was meant, of the kind looked for; [`Value::Nothing`] only with [`Fit::Prefix`].
    pub value: Value,
    /// Its words.
    pub words: Range<usize>,
    /// Its bytes in the text.
    pub bytes: Range<usize>,
    /// Whether more was said, or is to come.
    pub fit: Fit,
    /// 0..1.
    pub sure: f32,
}

/// The words around values in one language.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// Courtesy that may stand around every value…
    pub fillers: &'static [&'static str],
    /// …and around this kind.
    pub own_fillers: &'static [&'static str],
    /// What takes back the value before it.
    pub corrections: &'static [&'static str],
    /// What denies the value after it.
    pub denials: &'static [&'static str],
    /// What may follow a value in the same breath: "two hundred *on* Friday".
    pub followers: &'static [&'static str],
    /// How an utterance of this kind does not end.
    pub tails: &'static [&'static str],
}

/// What is left of a value that was taken back or denied.
const TAKEN_BACK: f32 = 0.15;
/// What is left of a value that was denied: "not two hundred".
const DENIED: f32 = 0.05;
/// Two different values and no word that says which.
const TWO_MINDS: f32 = 0.6;
/// What the last of several has before the others.
const LATER_COUNTS: f32 = 0.05;
/// A reading this unlikely puts no other in doubt.
const FAINT: f32 = 0.4;
/// A bare value inside other words, when those next to it are such as stand beside values…
const BARE_INSIDE: f32 = 0.75;
/// …and when they are not: "ten inches", "bedroom two", 一首.
const BARE_AMONG_OTHERS: f32 = 0.4;
/// A bare value beside one that says what it is.
const BARE_BESIDE: f32 = 0.5;
/// Below this nothing is worth naming.
const WORTH_NAMING: f32 = 0.05;

struct Span {
    words: Range<usize>,
    readings: Vec<Reading>,
    weight: f32,
}

impl Span {
    fn bare(&self) -> bool {
        self.readings.iter().all(|reading| reading.bare)
    }

    fn denied(&self) -> bool {
        self.weight <= TAKEN_BACK
    }
}

/// Reads every place and weighs what is found; best first.
pub fn settle(words: &Words, manners: &Manners, read: impl Fn(usize) -> Vec<Reading>) -> Vec<Found> {
    let (mut spans, passed_over) = spans(words, read);
    weigh(words, manners, &mut spans);
    let last = spans.iter().filter(|span| !span.denied()).map(|span| span.words.end).max();
    let open = open_tail(words, manners).filter(|start| last.is_none_or(|last| last <= *start));
    let only = !passed_over && only_courtesy(words, manners, &spans);
    let mut found = Vec::new();
    for span in &spans {
        let fit = match () {
            () if open.is_some() && Some(span.words.end) == last => Fit::Prefix,
            () if only => Fit::Full,
            () => Fit::Inside,
        };
        for reading in &span.readings {
            let doubt = match reading.bare && !only {
                true if framed(words, manners, &spans, &span.words) => BARE_INSIDE,
                true => BARE_AMONG_OTHERS,
                false => 1.0,
            };
            let sure = reading.sure * span.weight * doubt;
            let bytes = words.bytes(&span.words);
            found.push(Found { value: reading.value.clone(), words: span.words.clone(), bytes, fit, sure });
        }
    }
    found.retain(|found| found.sure >= WORTH_NAMING);
    found.sort_by(|one, other| other.sure.total_cmp(&one.sure));
    if found.is_empty() && !words.is_empty() && (open.is_some() || (only && spans.is_empty())) {
        let end = words.len();
        found.push(Found { value: Value::Nothing, words: end..end, bytes: 0..0, fit: Fit::Prefix, sure: 0.0 });
    }
    found
}

/// Left to right, the longest reading at each place; and whether words were passed over that hold a value and mean none,
/// such as "I do not know".
fn spans(words: &Words, read: impl Fn(usize) -> Vec<Reading>) -> (Vec<Span>, bool) {
    let mut spans = Vec::new();
    let mut passed_over = false;
    let mut at = 0;
    while at < words.len() {
        let readings = read(at);
        let Some(end) = readings.iter().map(|reading| reading.end).max().filter(|end| *end > at) else {
            at += 1;
            continue;
        };
        let readings: Vec<Reading> = readings.into_iter().filter(|reading| reading.end == end).collect();
        if readings.iter().all(|reading| reading.value.is_nothing()) {
            passed_over = true;
        } else {
            spans.push(Span { words: at..end, readings, weight: 1.0 });
        }
        at = end;
    }
    (spans, passed_over)
}

fn weigh(words: &Words, manners: &Manners, spans: &mut [Span]) {
    for span in &mut *spans {
        if denied(words, manners, span.words.start) {
            span.weight = DENIED;
        }
    }
    // A lone denial behind a value may as well be a correction: "两百，不是，三百".
    if let [.., before, last] = &mut *spans
        && last.denied()
        && !before.denied()
        && corrected(words, manners, &(before.words.end..last.words.start))
    {
        last.weight = TWO_MINDS;
        before.weight = TWO_MINDS - LATER_COUNTS;
        return;
    }
    for at in 1..spans.len() {
        let between = spans[at - 1].words.end..spans[at].words.start;
        if !spans[at].denied() && corrected(words, manners, &between) {
            spans[..at].iter_mut().for_each(|span| span.weight = TAKEN_BACK);
        }
    }
    let value = |span: &Span| span.readings.first().map(|reading| reading.value.clone());
    let sure = |span: &Span| span.readings.iter().map(|reading| reading.sure).fold(0.0, f32::max);
    let live: Vec<usize> = (0..spans.len()).filter(|at| !spans[*at].denied() && sure(&spans[*at]) >= FAINT).collect();
    let stated = live.iter().filter(|at| !spans[**at].bare()).count();
    for (place, at) in live.iter().enumerate() {
        // Said more than once: the surest time counts.
        let rank = |at: usize| (!spans[at].bare(), sure(&spans[at]));
        let same = |other: &&usize| **other != *at && value(&spans[**other]) == value(&spans[*at]);
        let outdone = |other: &usize| rank(*other) > rank(*at) || (rank(*other) == rank(*at) && other > at);
        let repeated = live.iter().filter(same).any(outdone);
        let differs = live.iter().any(|other| value(&spans[*other]) != value(&spans[*at]));
        let bare = spans[*at].bare();
        spans[*at].weight = match () {
            () if repeated => TAKEN_BACK,
            () if !differs || (stated == 1 && !bare) => 1.0,
            () if stated > 0 && bare => BARE_BESIDE,
            () if place + 1 < live.len() => TWO_MINDS - LATER_COUNTS,
            () => TWO_MINDS,
        };
    }
}

/// Is the value that begins here denied by what stands before it, small words aside?
fn denied(words: &Words, manners: &Manners, start: usize) -> bool {
    const SMALL: [&str; 8] = ["on", "at", "for", "by", "in", "the", "a", "it"];
    let mut at = start;
    while at > 0 && SMALL.contains(&words.get(at - 1)) {
        at -= 1;
    }
    // 不，是十五号 denies what was asked; 不是十五号 denies the day.
    let unbroken = |start: usize| words.get(start).is_ascii() || !(start + 1..=at).any(|place| words.gap(place));
    (0..at).any(|start| unbroken(start) && words.any(start, manners.denials).is_some_and(|(_, end)| end == at))
}

/// Do the words next to a value belong beside one?
fn framed(words: &Words, manners: &Manners, spans: &[Span], value: &Range<usize>) -> bool {
    let lists = [manners.fillers, manners.own_fillers, manners.corrections, manners.denials];
    let before = value.start == 0
        || spans.iter().any(|span| span.words.end == value.start)
        || lists.iter().any(|list| words.after(value.start, list));
    let after = value.end == words.len()
        || spans.iter().any(|span| span.words.start == value.end)
        || lists.iter().chain([&manners.followers]).any(|list| words.any(value.end, list).is_some());
    before && after
}

fn corrected(words: &Words, manners: &Manners, between: &Range<usize>) -> bool {
    between.clone().any(|at| words.any(at, manners.corrections).is_some_and(|(_, end)| end <= between.end))
}

/// Where the words that call for more begin, if the utterance ends in such.
fn open_tail(words: &Words, manners: &Manners) -> Option<usize> {
    let ends = |at: &usize| manners.tails.iter().any(|tail| words.take(*at, tail) == Some(words.len()));
    (words.len().saturating_sub(4)..words.len()).find(ends)
}

fn only_courtesy(words: &Words, manners: &Manners, spans: &[Span]) -> bool {
    let mut at = 0;
    while at < words.len() {
        if let Some(span) = spans.iter().find(|span| span.words.start == at) {
            at = span.words.end;
            continue;
        }
        let lists = [manners.fillers, manners.own_fillers, manners.corrections, manners.denials, manners.tails];
        let limit = spans.iter().map(|span| span.words.start).find(|start| *start > at).unwrap_or(words.len());
        let end =
            lists.iter().filter_map(|list| words.any(at, list)).map(|(_, end)| end).filter(|end| *end <= limit).max();
        match end {
            Some(end) => at = end,
            None => return false,
        }
    }
    true
}
