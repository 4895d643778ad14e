//! Understands what one utterance says to several slots at once.
//!
//! ```text
//!   "no, make it three hundred on Friday"
//!    │   └ takes ┘ amount ▸ USD 300  └ date ▸ 2026-03-06
//!    └ consent: no  back
//! ```
//!
//! Each slot looks for its own kind everywhere; where two want the same words, the slot that was asked for has them, then
//! the one whose name stands beside them, then the surer one. What has been filled before is not known here: the form
//! weighs that.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use jiff::ToSpan as _;
use jiff::civil::Time;

use super::day_part::{DayPart, names_a_day, part_of_day};
use super::words;
use crate::dialplan::step::value_ear::{Heard, Want, trust, wish};
use crate::dialplan::step::{Answer, Ear, Filled, Hearing, Judged, Keyed};
use crate::grammar::builtin::{self, Keys, Kind};
use crate::language::Language;
use crate::pii::Pii;
use crate::spoken::heard::Words;
use crate::understand::{Fit, Matcher, NBest, Universal};
use crate::value::Value;

/// Yes or no inside other words counts from here on. 0..1.
const CONSENT: f32 = 0.4;
/// The slot that was asked for is this much likelier to be meant…
const FOCUS: f32 = 1.3;
/// …and one whose name stands beside the value.
const CUED: f32 = 1.4;
/// Words between a slot's name and its value: "the amount is about two hundred".
const CUE_REACH: usize = 3;
/// Hypotheses looked at.
const HYPOTHESES: usize = 5;
/// A moment read from a time alone is less sure than this: which day it is was not said. 0..1.
const WHOLE: f32 = 0.88;
/// How sure the day is that a part of a day names: "tonight". 0..1.
const NAMED_DAY: f32 = 0.95;
/// Values kept of one slot.
const ALTERNATIVES: usize = 4;

/// A slot, as one listens for it.
#[derive(Debug)]
pub struct Wanted {
    /// What it is called in the plan.
    pub name: String,
    /// What belongs in it.
    pub want: Want,
    /// What callers call it, as words with blanks between them.
    pub phrases: BTreeMap<Language, Vec<String>>,
    /// Only taken where it is asked for.
    pub sensitive: bool,
    /// Of a moment: "tomorrow morning" is taken as a span of time.
    pub span: Option<Span>,
}

/// How a part of a day is taken instead of a time.
#[derive(Clone, Debug)]
pub struct Span {
    /// The name under which its end is kept.
    pub name: String,
    /// What counts of a day.
    pub hours: Option<(Time, Time)>,
}

/// What a question of the form is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Everything: the opening question.
    All,
    /// One slot.
    Slot(usize),
    /// What is missing of the moment of that slot.
    Rest(usize, Half),
    /// Is it right?
    Check,
    /// Which is wrong?
    Which,
}

/// One half of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// Its day.
    Day,
    /// Its time, or the part of the day.
    Time,
}

/// Understands answers to one question of a form.
#[derive(Debug)]
pub struct FormEar {
    /// All slots, in the order of the plan.
    pub slots: Arc<Vec<Wanted>>,
    /// What was asked.
    pub about: About,
    /// Understands universals, per language of the plan.
    pub matchers: BTreeMap<Language, Matcher>,
    /// Values less sure than this are asked for again. 0..1.
    pub below: f32,
    /// Does key 0 mean a person at a yes-no question?
    pub operator: bool,
}

/// What one hypothesis says.
#[derive(Debug, Default)]
struct Said {
    consent: Option<(bool, f32, Fit)>,
    values: Vec<(usize, Heard)>,
    parts: Vec<(usize, Value, f32)>,
    day_parts: Vec<(usize, DayPart)>,
    named: Vec<usize>,
    corrects: bool,
    /// Something has only begun.
    growing: bool,
}

impl Said {
    fn is_empty(&self) -> bool {
        let nothing = self.values.is_empty() && self.parts.is_empty() && self.day_parts.is_empty();
        nothing && self.consent.is_none() && self.named.is_empty()
    }

    fn fit(&self, about: About, slots: usize) -> Fit {
        if self.growing {
            return Fit::Prefix;
        }
        let whole = |heard: &Heard| heard.fit == Fit::Full;
        match (&self.consent, &self.values[..]) {
            (_, [(_, only)]) if whole(only) => Fit::Full,
            (Some((_, _, Fit::Full)), []) => Fit::Full,
            (_, values) if about == About::All && slots > 1 && values.len() == slots => Fit::Full,
            (_, []) if !self.named.is_empty() => Fit::Full,
            _ => Fit::None,
        }
    }
}

impl FormEar {
    /// The slot asked for.
    const fn focus(&self) -> Option<usize> {
        match self.about {
            About::Slot(place) | About::Rest(place, _) => Some(place),
            About::All | About::Check | About::Which => None,
        }
    }

    fn read(&self, text: &str, hearing: &Hearing) -> Said {
        let words = Words::of(text, &hearing.language);
        let language = &hearing.language;
        let cues: Vec<Vec<Range<usize>>> =
            self.slots.iter().map(|slot| stand_at(&words, slot.phrases.get(language).into_iter().flatten())).collect();
        let mut said = Said::default();
        let mut taken = Vec::new();
        let candidates = self.candidates(text, hearing, &cues, &mut said.growing);
        if let Some(pair) = self.range(&words, &candidates, &cues, language) {
            taken.extend(pair.iter().map(|(_, heard)| heard.words.clone()));
            said.values.extend(pair);
        }
        for (place, heard) in candidates.iter().cloned() {
            if self.is_a_guess(place, &heard, &candidates, &said, &cues) {
                continue;
            }
            let overlaps = |range: &Range<usize>| range.start < heard.words.end && heard.words.start < range.end;
            let same_words = |(slot, other): &(usize, Heard)| *slot == place && other.words == heard.words;
            if said.values.iter().any(same_words) {
                // Another reading of the same words.
                said.values.push((place, heard));
            } else if !said.values.iter().any(|(slot, _)| *slot == place) && !taken.iter().any(overlaps) {
                taken.push(heard.words.clone());
                said.values.push((place, heard));
            }
        }
        if !self.focus().is_some_and(|place| self.slots[place].want.is_boolean()) {
            said.consent = consent(text, hearing, &taken);
        }
        said.corrects =
            !stand_at(&words, words::takes_back(language)).is_empty() || matches!(said.consent, Some((false, ..)));
        said.named = self.named(&words, &cues, &said, language);
        said.parts = self.parts(text, &words, hearing);
        said.day_parts = self.day_parts(text, &words, &mut said.parts, hearing);
        said
    }

    /// Could a value belong to another slot of its kind as well, and nothing says to which? Then each is asked for.
    fn is_a_guess(
        &self,
        place: usize,
        heard: &Heard,
        candidates: &[(usize, Heard)],
        said: &Said,
        cues: &[Vec<Range<usize>>],
    ) -> bool {
        let filled = |slot: usize| said.values.iter().any(|(filled, _)| *filled == slot);
        let told = self.focus() == Some(place) || is_cued(cues, place, &heard.words);
        let rival = |(slot, other): &(usize, Heard)| {
            *slot != place && other.words == heard.words && self.alike(*slot, place) && !filled(*slot)
        };
        !told && !filled(place) && candidates.iter().any(rival)
    }

    /// "From the first to the fifteenth": two values with a word of reaching between them are those of the only two slots
    /// of their kind, in the order of the plan, where the caller names neither.
    fn range(
        &self,
        words: &Words,
        candidates: &[(usize, Heard)],
        cues: &[Vec<Range<usize>>],
        language: &Language,
    ) -> Option<[(usize, Heard); 2]> {
        let bare = |(place, heard): &&(usize, Heard)| !is_cued(cues, *place, &heard.words);
        candidates.iter().filter(bare).find_map(|(from, first)| {
            let alike: Vec<usize> = (0..self.slots.len()).filter(|slot| self.alike(*slot, *from)).collect();
            let [one, to] = alike[..] else { return None };
            let reaches = |(place, second): &&(usize, Heard)| {
                let between = (first.words.end..second.words.start).map(|at| words.get(at));
                let between: Vec<&str> = between.collect();
                *place == to
                    && !between.is_empty()
                    && between.iter().all(|word| words::reaches(language).contains(word))
            };
            let (_, second) = candidates.iter().filter(bare).find(reaches)?;
            (one == *from).then(|| [(one, first.clone()), (to, second.clone())])
        })
    }

    /// Do both slots want the same kind of thing, and neither is secret?
    fn alike(&self, one: usize, other: usize) -> bool {
        let open = !self.slots[one].sensitive && !self.slots[other].sensitive;
        let same = match (&self.slots[one].want, &self.slots[other].want) {
            (Want::Kind(one), Want::Kind(other)) => one.name() == other.name(),
            (Want::Grammar(_), Want::Grammar(_)) => true,
            _ => false,
        };
        open && same
    }

    /// Of the moments that are wanted, what was said when it was only a day, or only a time.
    fn parts(&self, text: &str, words: &Words, hearing: &Hearing) -> Vec<(usize, Value, f32)> {
        let mut parts = Vec::new();
        for (place, slot) in self.slots.iter().enumerate() {
            let Want::Kind(Kind::Moment { when }) = &slot.want else { continue };
            if slot.sensitive && self.focus() != Some(place) {
                continue;
            }
            let find = |kind: &Kind| -> Vec<Heard> {
                let found = Want::Kind(kind.clone()).find(text, hearing).into_iter();
                found.filter(|heard| !heard.value.is_nothing() && heard.sure >= CONSENT).collect()
            };
            let (days, times) = (find(&Kind::Date { when: *when }), find(&Kind::Time));
            // "In two hours" and "tonight at eight" are moments by themselves, "at eleven in the morning" is not.
            let longest = times.iter().map(|time| time.words.len()).max().unwrap_or(0);
            let whole = |moment: &Heard| {
                moment.words.len() > longest || (moment.sure >= WHOLE && names_a_day(words, &moment.words))
            };
            let known = match (days.is_empty(), times.is_empty()) {
                (true, false) if !find(&Kind::Moment { when: *when }).iter().any(whole) => times,
                (false, true) => days,
                _ => continue,
            };
            parts.extend(known.into_iter().take(ALTERNATIVES).map(|heard| (place, heard.value, heard.sure)));
        }
        parts
    }

    /// Parts of the day for the moments that take one, where no time was said. The day that is said with one is a part of
    /// the moment, too.
    fn day_parts(
        &self,
        text: &str,
        words: &Words,
        parts: &mut Vec<(usize, Value, f32)>,
        hearing: &Hearing,
    ) -> Vec<(usize, DayPart)> {
        let takes = |place: &usize| self.slots[*place].span.is_some();
        let slots: Vec<usize> = (0..self.slots.len()).filter(takes).collect();
        let Some((part, day)) = part_of_day(words, &hearing.language).filter(|_| !slots.is_empty()) else {
            return Vec::new();
        };
        let times = Want::Kind(Kind::Time).find(text, hearing);
        if times.iter().any(|time| !time.value.is_nothing() && time.sure >= CONSENT) {
            return Vec::new();
        }
        let day = day.and_then(|ahead| hearing.now.date().checked_add(i64::from(ahead).days()).ok());
        for place in &slots {
            let dated = parts.iter().any(|(of, ..)| of == place);
            parts.extend(day.filter(|_| !dated).map(|day| (*place, Value::Date(day), NAMED_DAY)));
        }
        slots.into_iter().map(|place| (place, part)).collect()
    }

    /// Every value that may be meant, likeliest first.
    fn candidates(
        &self,
        text: &str,
        hearing: &Hearing,
        cues: &[Vec<Range<usize>>],
        growing: &mut bool,
    ) -> Vec<(usize, Heard)> {
        let mut candidates = Vec::new();
        for (place, slot) in self.slots.iter().enumerate() {
            let focus = self.focus() == Some(place);
            if slot.sensitive && !focus {
                continue;
            }
            for mut heard in slot.want.find(text, hearing) {
                let cued = is_cued(cues, place, &heard.words);
                // A bare number or a yes may belong to anything.
                if !(focus || cued || slot.want.speaks_for_itself()) {
                    continue;
                }
                if heard.value.is_nothing() {
                    *growing |= focus && heard.fit == Fit::Prefix;
                    continue;
                }
                *growing |= heard.fit == Fit::Prefix;
                if cued {
                    heard.sure = (heard.sure * CUED).min(1.0);
                }
                let weight = heard.sure * if focus { FOCUS } else { 1.0 } * if cued { CUED } else { 1.0 };
                candidates.push((weight, place, heard));
            }
        }
        let length = |heard: &Heard| heard.words.len();
        candidates.sort_by(|(weight, place, one), (other_weight, other_place, other)| {
            other_weight
                .total_cmp(weight)
                .then(length(other).cmp(&length(one)))
                .then(one.words.start.cmp(&other.words.start))
                .then(place.cmp(other_place))
        });
        candidates.into_iter().map(|(_, place, heard)| (place, heard)).collect()
    }

    /// Slots that are named and not filled: where that was asked, or with a word that wants them changed.
    fn named(&self, words: &Words, cues: &[Vec<Range<usize>>], said: &Said, language: &Language) -> Vec<usize> {
        let wants_change = !stand_at(words, words::changes(language)).is_empty();
        let unfilled = |place: &usize| !said.values.iter().any(|(slot, _)| slot == place);
        let named = (0..self.slots.len()).filter(|place| !cues[*place].is_empty()).filter(unfilled);
        let named: Vec<usize> = match self.about {
            About::Which => named.collect(),
            _ if wants_change || matches!(said.consent, Some((false, ..))) => named.collect(),
            About::Check => named.filter(|place| nothing_else(words, &cues[*place], language)).collect(),
            About::All | About::Slot(_) | About::Rest(..) => Vec::new(),
        };
        // "The date", and nothing is called so but it: a slot whose own name stands there goes before those of its kind.
        let longest = |place: &usize| cues[*place].iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        let most = named.iter().map(longest).max().unwrap_or(0);
        named.into_iter().filter(|place| longest(place) == most).collect()
    }
}

impl Ear for FormEar {
    /// Keys fill the slot that was asked for, at the opening question the first; else 1 is yes, 2 no, and the number of
    /// a slot names it.
    fn keys(&self, typed: &str, hearing: &Hearing) -> Keyed {
        let filled = |place: usize, value: Value| {
            Answer::Filled(Filled { values: vec![(place, Pii::new(value), 1.0)], ..Filled::default() })
        };
        match self.about {
            About::Rest(place, half) => {
                let kind = match (half, &self.slots[place].want) {
                    (Half::Time, _) => Kind::Time,
                    (Half::Day, Want::Kind(Kind::Moment { when })) => Kind::Date { when: *when },
                    (Half::Day, _) => return Keyed::Wrong,
                };
                let part = |value: Value| {
                    let parts = vec![(place, Pii::new(value), 1.0)];
                    Answer::Filled(Filled { parts, ..Filled::default() })
                };
                keyed(Want::Kind(kind).keys(typed, hearing), part)
            }
            About::All | About::Slot(_) => {
                let place = self.focus().unwrap_or(0);
                let Some(slot) = self.slots.get(place).filter(|slot| !slot.sensitive || self.about != About::All)
                else {
                    return Keyed::Wrong;
                };
                keyed(slot.want.keys(typed, hearing), |value| filled(place, value))
            }
            About::Check => match typed {
                "1" => Keyed::Complete(consents(true)),
                "2" => Keyed::Complete(consents(false)),
                "0" if self.operator => Keyed::Complete(Answer::Universal(Universal::Operator)),
                _ => Keyed::Wrong,
            },
            About::Which => match typed.parse::<usize>() {
                Ok(0) if self.operator => Keyed::Complete(Answer::Universal(Universal::Operator)),
                Ok(number) if (1..=self.slots.len()).contains(&number) => {
                    Keyed::Complete(Answer::Filled(Filled { named: vec![number - 1], ..Filled::default() }))
                }
                _ => Keyed::Wrong,
            },
        }
    }

    fn speech(&self, nbest: &NBest, hearing: &Hearing) -> Judged {
        let nothing = Judged::nothing(nbest);
        let mut filled = Filled::default();
        let mut best: Option<(usize, Fit, f32)> = None;
        let mut growing = None;
        let mut unsure = None;
        for (rank, hypothesis) in nbest.hypotheses.iter().take(HYPOTHESES).enumerate() {
            let said = self.read(hypothesis.text.reveal(), hearing);
            let trust = trust(hypothesis, rank);
            if said.is_empty() {
                growing = growing.or(said.growing.then_some(rank));
                continue;
            }
            let mut sure = f32::INFINITY;
            for (place, heard) in &said.values {
                let weighed = heard.sure * trust;
                let first = !filled.values.iter().any(|(slot, ..)| slot == place);
                let known =
                    filled.values.iter().any(|(slot, value, _)| slot == place && *value.reveal() == heard.value);
                let several = filled.values.iter().filter(|(slot, ..)| slot == place).count();
                if weighed < self.below {
                    unsure = unsure.or(Some((rank, weighed)));
                } else if !known && several < ALTERNATIVES {
                    filled.values.push((*place, Pii::new(heard.value.clone()), weighed));
                    sure = if first { sure.min(weighed) } else { sure };
                }
            }
            // What is not a value counts as the best hypothesis that says anything has it.
            if best.is_none() {
                if let Some((truth, how, _)) = said.consent
                    && how * trust >= self.below
                {
                    filled.consent = Some(truth);
                    sure = sure.min(how * trust);
                }
                if !said.named.is_empty() {
                    sure = sure.min(trust);
                }
                let parts = said.parts.iter().map(|(place, value, sure)| (*place, value, sure * trust));
                for (place, value, weighed) in parts.filter(|(.., weighed)| *weighed >= self.below) {
                    filled.parts.push((place, Pii::new(value.clone()), weighed));
                    sure = sure.min(weighed);
                }
                if !said.day_parts.is_empty() {
                    filled.day_parts = said.day_parts.clone();
                    sure = sure.min(trust);
                }
                (filled.corrects, filled.named) = (said.corrects, said.named.clone());
                if sure.is_finite() {
                    best = Some((rank, said.fit(self.about, self.slots.len()), sure));
                }
            }
        }
        let heard = |rank: usize| nbest.hypotheses.get(rank).map(|guess| guess.text.clone());
        let wish = wish(&self.matchers, &hearing.language, nbest);
        let wished = wish.as_ref().filter(|wish| wish.answer.is_some()).map_or(0.0, |wish| wish.confidence);
        if let Some((rank, fit, confidence)) = best.filter(|(_, _, sure)| *sure >= self.below && *sure >= wished) {
            filled.values.sort_by(|one, other| other.2.total_cmp(&one.2));
            let answer = Answer::Filled(filled);
            let meaning = Some(self.name(&answer));
            return Judged { answer: Some(answer), meaning, heard: heard(rank), confidence, fit, rejected: false };
        }
        let rejected = unsure.map(|(rank, confidence)| Judged {
            heard: heard(rank),
            confidence,
            rejected: true,
            ..nothing.clone()
        });
        let begun = growing.map(|rank| Judged { heard: heard(rank), fit: Fit::Prefix, ..nothing.clone() });
        wish.or(rejected).or(begun).unwrap_or(nothing)
    }

    fn ahead(&self, nbest: &NBest, hearing: &Hearing) -> Option<Answer> {
        let slots = Arc::clone(&self.slots);
        let everything =
            Self { slots, about: About::All, matchers: BTreeMap::new(), below: self.below, operator: false };
        match everything.speech(nbest, hearing).answer {
            Some(Answer::Filled(Filled { values, parts, day_parts, .. }))
                if !(values.is_empty() && parts.is_empty() && day_parts.is_empty()) =>
            {
                Some(Answer::Filled(Filled { values, parts, day_parts, ..Filled::default() }))
            }
            _ => None,
        }
    }

    /// `no, date, amount`.
    fn name(&self, answer: &Answer) -> String {
        let Answer::Filled(filled) = answer else { return String::new() };
        let consent = filled.consent.filter(|truth| !truth || filled.values.is_empty());
        let mut names: Vec<&str> = consent.map(|truth| if truth { "yes" } else { "no" }).into_iter().collect();
        let parts = filled.day_parts.iter().map(|(place, _)| place);
        let values = filled.values.iter().chain(&filled.parts).map(|(place, ..)| place);
        for place in values.chain(parts).chain(&filled.named) {
            if let Some(slot) = self.slots.get(*place).filter(|slot| !names.contains(&slot.name.as_str())) {
                names.push(&slot.name);
            }
        }
        names.join(", ")
    }

    fn takes_keys(&self) -> bool {
        match self.about {
            About::All => self.slots.first().is_some_and(|slot| !slot.sensitive && slot.want.takes_keys()),
            About::Slot(place) | About::Rest(place, _) => {
                self.slots.get(place).is_some_and(|slot| slot.want.takes_keys())
            }
            About::Check | About::Which => true,
        }
    }

    fn sensitive(&self) -> bool {
        self.focus().is_some_and(|place| self.slots[place].sensitive)
    }

    fn secret_digits(&self) -> Option<usize> {
        self.focus().filter(|_| self.sensitive()).and_then(|place| self.slots[place].want.least_digits())
    }
}

fn keyed(keys: Keys, answer: impl Fn(Value) -> Answer) -> Keyed {
    match keys {
        Keys::Complete(value) => Keyed::Complete(answer(value)),
        Keys::More(value) => Keyed::More(value.map(answer)),
        Keys::Wrong => Keyed::Wrong,
        Keys::Ignored => Keyed::Ignored,
    }
}

/// Yes or no, and nothing else.
pub fn consents(truth: bool) -> Answer {
    Answer::Filled(Filled { consent: Some(truth), ..Filled::default() })
}

/// Yes or no in a text, where no value has those words. What comes first counts: "no, that is right for the other one".
fn consent(text: &str, hearing: &Hearing, taken: &[Range<usize>]) -> Option<(bool, f32, Fit)> {
    let found = builtin::find(text, &Kind::Boolean, &hearing.language, hearing.now);
    let free = |found: &&builtin::Found| {
        let words = &found.words;
        found.sure >= CONSENT && !taken.iter().any(|range| range.start < words.end && words.start < range.end)
    };
    let first = found.iter().filter(free).min_by_key(|found| found.words.start)?;
    let Value::Boolean(truth) = first.value else { return None };
    let fit = if first.fit == builtin::Fit::Full { Fit::Full } else { Fit::None };
    Some((truth, first.sure, fit))
}

/// Where any of `phrases` stands.
fn stand_at<T: AsRef<str>>(words: &Words, phrases: impl IntoIterator<Item = T>) -> Vec<Range<usize>> {
    let phrases: Vec<T> = phrases.into_iter().collect();
    let longest = |at: usize| phrases.iter().filter_map(|phrase| words.take(at, phrase.as_ref())).max();
    (0..words.len()).filter_map(|at| longest(at).filter(|end| *end > at).map(|end| at..end)).collect()
}

/// Does a slot's name stand beside a value, and no other slot's between them or around it? "From savings to checking".
fn is_cued(cues: &[Vec<Range<usize>>], place: usize, value: &Range<usize>) -> bool {
    let others = || cues.iter().enumerate().filter(|(other, _)| *other != place).flat_map(|(_, theirs)| theirs);
    let own = |theirs: &Range<usize>| cues[place].contains(theirs);
    cues[place].iter().filter(|cue| beside(cue, value)).any(|cue| {
        let covered =
            others().any(|theirs| theirs.start <= cue.start && cue.end <= theirs.end && theirs.len() > cue.len());
        let nearer = others().any(|theirs| !own(theirs) && cue.end <= theirs.start && theirs.end <= value.start);
        !covered && !nearer
    })
}

/// Is a slot's name near enough to a value to speak of it?
fn beside(cue: &Range<usize>, value: &Range<usize>) -> bool {
    let before = cue.end <= value.start && value.start - cue.end <= CUE_REACH;
    let behind = value.end <= cue.start && cue.start == value.end;
    before || behind
}

/// Is nothing said but these words, and what may stand around them?
fn nothing_else(words: &Words, cues: &[Range<usize>], language: &Language) -> bool {
    let mut at = 0;
    while at < words.len() {
        let cue = cues.iter().find(|cue| cue.start == at).map(|cue| cue.end);
        match cue.or_else(|| words.any(at, words::around(language)).map(|(_, end)| end)) {
            Some(end) => at = end,
            None => return false,
        }
    }
    true
}
