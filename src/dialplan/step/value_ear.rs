//! Understands one value: how keys and words become it, how sure that is, how it is read back.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::band::SURE;
use super::grammars::{self, Grammars};
use super::{Answer, Ear, Filled, Hearing, Judged, Keyed, answer_of, question};
use crate::dialplan::compile::{Compiler, INCOMPLETE, INCOMPLETE_DIGITS};
use crate::dialplan::diagnostic::{Findings, nearest};
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::lint;
use crate::dialplan::read::{self, Fields};
use crate::dialplan::yaml::{Node, Value as Yaml};
use crate::grammar::builtin::{self, Fit as Part, Keys, Kind};
use crate::language::Language;
use crate::pii::Pii;
use crate::understand::{Fit, Hypothesis, Matcher, Meaning, NBest};
use crate::value::Value;

/// A universal wish said instead of a value must be at least this sure. 0..1.
pub const WISH_BELOW: f32 = 0.6;
/// Values less sure than this are asked for again, unless the plan says otherwise. 0..1.
pub const VALUE_BELOW: f32 = 0.3;
/// Longest string of digits. Card numbers have 19, IBANs 34.
const MAX_DIGITS: usize = 40;
/// Recognisers may report 0 for what they could not score.
const LEAST_HEARD: f32 = 0.05;
/// What a lower place in the n-best list costs, per place.
const RANK_COST: f32 = 0.95;
/// Another guess this near says something else: "fifteen", or was it "fifty"?
const AS_LIKELY: f32 = 0.9;
/// What is left of a value beside such a rival.
const RIVALLED: f32 = 0.8;
/// Values kept of one answer, in case the likeliest turns out wrong.
const ALTERNATIVES: usize = 4;

/// The keys that say what is wanted.
pub const WANT_KEYS: &[Key] = &[
    key(
        "want",
        Shape::Line,
        "What is wanted: boolean, digits, number, amount, date, time, phone, rating, spelling or moment, with parameters \
         as in `amount?currency=USD;max=500`.",
    ),
    key(
        "digits",
        Shape::Either(&[Shape::Count(1, MAX_DIGITS), Shape::Keys(DIGITS_KEYS)]),
        "A string of digits is wanted: how many.",
    ),
    key(
        "grammar",
        Shape::Phrases,
        "What may be said, as W3C grammars: one or more files, or such for each language; keys have one of their own.",
    ),
];
const DIGITS_KEYS: &[Key] = &[
    key("min", Shape::Count(1, MAX_DIGITS), "At least so many."),
    key("max", Shape::Count(1, MAX_DIGITS), "At most so many."),
];

/// What is wanted.
#[derive(Clone, Debug)]
pub enum Want {
    /// A value of a kind that everybody knows.
    Kind(Kind),
    /// What the grammars of the plan give.
    Grammar(Arc<Grammars>),
}

/// A value found in what was said.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// [`Value::Nothing`] when it is still to come.
    pub value: Value,
    /// 0..1, were the words beyond doubt.
    pub sure: f32,
    /// Its words, counted as [`Words`](crate::spoken::heard::Words) does.
    pub words: Range<usize>,
    /// Could more follow?
    pub fit: Fit,
}

impl Want {
    /// So many digits.
    pub const fn digits(min: usize, max: usize) -> Self {
        Self::Kind(Kind::Digits { min, max })
    }

    /// Can it be typed on a telephone?
    pub fn takes_keys(&self) -> bool {
        match self {
            Self::Kind(kind) => !matches!(kind, Kind::Spelling { .. }),
            Self::Grammar(grammars) => grammars.takes_keys(),
        }
    }

    /// Yes or no?
    pub const fn is_boolean(&self) -> bool {
        matches!(self, Self::Kind(Kind::Boolean))
    }

    /// A day and a time?
    pub const fn is_moment(&self) -> bool {
        matches!(self, Self::Kind(Kind::Moment { .. }))
    }

    /// Is a value of this kind known for one wherever it stands? A bare number or a yes may belong to anything.
    pub const fn speaks_for_itself(&self) -> bool {
        let Self::Kind(kind) = self else { return true };
        matches!(kind, Kind::Amount { .. } | Kind::Date { .. } | Kind::Time | Kind::Moment { .. } | Kind::Phone { .. })
    }

    /// Silence that ends an answer which could still grow: people pause between groups of digits and letters.
    pub const fn incomplete(&self) -> Duration {
        match self {
            Self::Kind(Kind::Digits { .. } | Kind::Phone { .. } | Kind::Spelling { .. }) => INCOMPLETE_DIGITS,
            Self::Kind(_) | Self::Grammar(_) => INCOMPLETE,
        }
    }

    /// Most digits an answer may have, where it is a string of them.
    pub const fn most_digits(&self) -> usize {
        match self {
            Self::Kind(Kind::Digits { max, .. }) => *max,
            Self::Kind(_) | Self::Grammar(_) => 0,
        }
    }

    /// Least digits an answer has, where it is a string of them.
    pub const fn least_digits(&self) -> Option<usize> {
        match self {
            Self::Kind(Kind::Digits { min, .. }) => Some(*min),
            Self::Kind(_) | Self::Grammar(_) => None,
        }
    }

    /// What keys typed so far come to.
    pub fn keys(&self, typed: &str, hearing: &Hearing) -> Keys {
        match self {
            Self::Kind(kind) => builtin::keys(&kind.at_home(&hearing.language), typed, hearing.now),
            Self::Grammar(grammars) => grammars.keys(typed, hearing),
        }
    }

    /// Every such value in a text, likeliest first.
    pub fn find(&self, text: &str, hearing: &Hearing) -> Vec<Heard> {
        match self {
            Self::Kind(kind) => {
                let today = hearing.now.date();
                let found = builtin::find(text, kind, &hearing.language, hearing.now).into_iter();
                let fits = |value: &Value| value.is_nothing() || kind.accepts(value, today);
                let heard = |found: builtin::Found| Heard {
                    value: if fits(&found.value) { found.value } else { Value::Nothing },
                    sure: found.sure,
                    words: found.words,
                    fit: match found.fit {
                        Part::Full => Fit::Full,
                        Part::Inside => Fit::None,
                        Part::Prefix => Fit::Prefix,
                    },
                };
                found.map(heard).collect()
            }
            Self::Grammar(grammars) => grammars.find(text, hearing),
        }
    }

    /// A value as it is read back.
    pub fn say_back(&self, value: &Value, hearing: &Hearing) -> String {
        match self {
            Self::Kind(kind) => builtin::say_back(value, kind, &hearing.language, hearing.now.date()),
            Self::Grammar(_) => grammars::say_back(value, hearing),
        }
    }

    /// Reads `want`, `digits` or `grammar`: exactly one of them.
    pub(in crate::dialplan) fn read(fields: &mut Fields, owner: &str, cx: &mut Compiler<'_>) -> Self {
        let want = fields.read("want", cx.findings, read::line);
        let digits = fields.take("digits");
        let grammar = fields.take("grammar");
        let at = fields.start();
        match (want, digits, grammar) {
            (None, None, Some(node)) => {
                if let Some(grammars) = Grammars::read(&node, cx) {
                    return Self::Grammar(Arc::new(grammars));
                }
            }
            (Some(want), None, None) => match Kind::parse(&want.value) {
                Ok(kind) => return Self::Kind(kind),
                Err(why) => {
                    let name = want.value.split('?').next().unwrap_or_default();
                    let near = nearest(name, Kind::NAMES).filter(|near| *near != name);
                    let help = near.map_or_else(
                        || "write it like `amount?currency=USD;max=500`".to_owned(),
                        |near| format!("did you mean `{near}`?"),
                    );
                    cx.findings.error(want.at, why.to_string()).help(help);
                }
            },
            (None, Some(node), None) => {
                if let Some((min, max)) = digits_of(node, cx.findings) {
                    return Self::digits(min, max);
                }
            }
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                let message = format!("{owner} says twice what it wants");
                cx.findings.error(at, message).help("keep one of `want`, `digits` and `grammar`");
            }
            (None, None, None) => {
                let help = "add `want: amount`, or `digits: 4`, or `grammar: account.grxml`";
                cx.findings.error(at, format!("{owner} does not say what it wants")).help(help);
            }
        }
        // Could not be read, as has been reported.
        Self::digits(1, 1)
    }
}

fn digits_of(node: Node, findings: &mut Findings) -> Option<(usize, usize)> {
    if let Yaml::Scalar { .. } = node.value {
        let exactly = read::count(&node, "the number of digits", 1..=MAX_DIGITS, findings)?.value;
        return Some((exactly, exactly));
    }
    let mut fields = Fields::open(node, "`digits`", &[DIGITS_KEYS], findings)?;
    let bound =
        |node: &Node, findings: &mut Findings| read::count(node, "the number of digits", 1..=MAX_DIGITS, findings);
    let min = fields.read("min", findings, bound).map_or(1, |min| min.value);
    let max = fields.read("max", findings, bound)?;
    if max.value < min {
        findings.error(max.at, format!("at most {} digits cannot hold at least {min}", max.value));
        return None;
    }
    Some((min, max.value))
}

/// Card numbers that are kept are regretted.
pub(in crate::dialplan) fn judge(want: &Want, sensitive: bool, cx: &mut Compiler<'_>) {
    lint::digits(want.most_digits(), sensitive, cx);
}

/// Understands one value.
#[derive(Debug)]
pub struct ValueEar {
    /// Name the value is kept under.
    pub slot: String,
    /// What is wanted.
    pub want: Want,
    /// Understands universals while waiting for the value, per language of the plan.
    pub matchers: BTreeMap<Language, Matcher>,
    /// Keep it secret.
    pub sensitive: bool,
    /// Values less sure than this are asked for again. 0..1.
    pub below: f32,
    /// The step wants to know how sure a value is: it gets an [`Answer::Filled`].
    pub weighs: bool,
}

impl ValueEar {
    fn answer(&self, guesses: &[Guess]) -> Answer {
        match guesses {
            [best, ..] if !self.weighs => Answer::Value(Pii::new(best.value.clone())),
            guesses => Answer::Filled(Filled {
                values: guesses.iter().map(|guess| (0, Pii::new(guess.value.clone()), guess.sure)).collect(),
                ..Filled::default()
            }),
        }
    }

    fn typed(&self, value: Value) -> Answer {
        self.answer(&[Guess { value, sure: 1.0, rank: 0, fit: Fit::Full }])
    }
}

impl Ear for ValueEar {
    fn keys(&self, typed: &str, hearing: &Hearing) -> Keyed {
        match self.want.keys(typed, hearing) {
            Keys::Complete(value) => Keyed::Complete(self.typed(value)),
            Keys::More(value) => Keyed::More(value.map(|value| self.typed(value))),
            Keys::Wrong => Keyed::Wrong,
            Keys::Ignored => Keyed::Ignored,
        }
    }

    /// The likeliest value of all guesses; else a universal wish.
    fn speech(&self, nbest: &NBest, hearing: &Hearing) -> Judged {
        let nothing = Judged::nothing(nbest);
        let (guesses, growing) = guesses(&self.want, nbest, hearing);
        let wish = wish(&self.matchers, &hearing.language, nbest);
        let judged = |guess: &Guess| Judged {
            heard: nbest.hypotheses.get(guess.rank).map(|guess| guess.text.clone()),
            confidence: guess.sure,
            fit: guess.fit,
            ..nothing.clone()
        };
        let best = guesses.first();
        let outdone = |sure: f32| wish.as_ref().is_some_and(|wish| wish.answer.is_some() && wish.confidence > sure);
        if let Some(best) = best.filter(|best| best.sure >= self.below && !outdone(best.sure)) {
            let kept = guesses.iter().take_while(|guess| guess.sure >= self.below).cloned().collect::<Vec<_>>();
            return Judged { answer: Some(self.answer(&kept)), meaning: Some(self.slot.clone()), ..judged(best) };
        }
        let unsure = best.map(|best| Judged { rejected: true, ..judged(best) });
        wish.filter(|wish| wish.answer.is_some())
            .or(unsure)
            .or_else(|| growing.map(|guess| judged(&guess)))
            .or_else(|| self::wish(&self.matchers, &hearing.language, nbest))
            .unwrap_or(nothing)
    }

    fn ahead(&self, nbest: &NBest, hearing: &Hearing) -> Option<Answer> {
        if self.sensitive || !self.want.speaks_for_itself() {
            return None;
        }
        let (guesses, _) = guesses(&self.want, nbest, hearing);
        // Nobody will read it back where it is never confirmed: only what is sure counts then.
        let least = if self.weighs { self.below } else { self.below.max(SURE) };
        let sure: Vec<Guess> = guesses.into_iter().take_while(|guess| guess.sure >= least).collect();
        (!sure.is_empty()).then(|| self.answer(&sure))
    }

    fn name(&self, _: &Answer) -> String {
        self.slot.clone()
    }

    fn takes_keys(&self) -> bool {
        self.want.takes_keys()
    }

    fn sensitive(&self) -> bool {
        self.sensitive
    }

    fn secret_digits(&self) -> Option<usize> {
        self.want.least_digits().filter(|_| self.sensitive)
    }
}

/// A value that an n-best list may mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Guess {
    /// The value.
    pub value: Value,
    /// 0..1, the recogniser's doubt included.
    pub sure: f32,
    /// Which hypothesis it stands in.
    pub rank: usize,
    /// Could more follow?
    pub fit: Fit,
}

/// The values an n-best list may mean, likeliest first and each once; and what is only the beginning of one.
pub fn guesses(want: &Want, nbest: &NBest, hearing: &Hearing) -> (Vec<Guess>, Option<Guess>) {
    let mut guesses: Vec<Guess> = Vec::new();
    let mut growing = None;
    for (rank, hypothesis) in nbest.hypotheses.iter().enumerate() {
        let text = hypothesis.text.reveal();
        if text.trim().is_empty() {
            continue;
        }
        let trust = trust(hypothesis, rank);
        for heard in want.find(text, hearing) {
            let guess = Guess { value: heard.value, sure: heard.sure * trust, rank, fit: heard.fit };
            if guess.value.is_nothing() {
                // Too few digits yet, or only "my card ends in".
                growing.get_or_insert(Guess { sure: heard_of(hypothesis), ..guess });
                continue;
            }
            match guesses.iter_mut().find(|known| known.value == guess.value) {
                Some(known) if known.sure < guess.sure => *known = guess,
                Some(_) => {}
                None => guesses.push(guess),
            }
        }
    }
    guesses.sort_by(|one, other| other.sure.total_cmp(&one.sure));
    rival(&mut guesses);
    guesses.truncate(ALTERNATIVES);
    (guesses, growing)
}

/// The likeliest of several loses by another that is as likely and stands in another hypothesis.
fn rival(guesses: &mut [Guess]) {
    if let [best, rivals @ ..] = guesses
        && rivals.iter().any(|rival| rival.rank != best.rank && rival.sure >= best.sure * AS_LIKELY)
    {
        let doubted = best.sure * RIVALLED;
        best.sure = doubted;
        rivals.iter_mut().for_each(|rival| rival.sure = rival.sure.min(doubted));
    }
}

/// How far a hypothesis is believed, by its own confidence and its place. 0..1.
pub fn trust(hypothesis: &Hypothesis, rank: usize) -> f32 {
    heard_of(hypothesis) * RANK_COST.powi(i32::try_from(rank).unwrap_or(i32::MAX))
}

const fn heard_of(hypothesis: &Hypothesis) -> f32 {
    if hypothesis.confidence.is_finite() { hypothesis.confidence.clamp(LEAST_HEARD, 1.0) } else { LEAST_HEARD }
}

/// A universal wish, said instead of an answer.
pub fn wish(matchers: &BTreeMap<Language, Matcher>, language: &Language, nbest: &NBest) -> Option<Judged> {
    let verdict = matchers.get(language)?.understand(nbest);
    let (meaning, confidence) = verdict.candidates.first()?;
    let Meaning::Universal(universal) = meaning else { return None };
    let sure = *confidence >= WISH_BELOW;
    Some(Judged {
        answer: sure.then(|| answer_of(meaning)),
        meaning: sure.then(|| question::universal_name(*universal).to_owned()),
        heard: nbest.hypotheses.get(verdict.hypothesis).map(|guess| guess.text.clone()),
        confidence: *confidence,
        fit: if sure { verdict.fit } else { Fit::None },
        rejected: !sure,
    })
}
