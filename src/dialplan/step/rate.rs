//! `rate`: a score on a scale, by key or by speech.
//!
//! "Eight", "eight out of ten" and 八分 are scores. "Pretty good" is none: the caller is asked for the number, unless the
//! plan says what such words count as.

use std::collections::BTreeMap;

use super::question::{self, or_again};
use super::value_ear::{VALUE_BELOW, Want, guesses, trust, wish};
use super::{Answer, Ear, Event, Excuse, Hearing, Judged, Keyed, Next, Quest, Run, Visit, Word};
use crate::dialplan::compile::{Compiler, INCOMPLETE};
use crate::dialplan::diagnostic::{Findings, Spanned};
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::plan::{Question, Target};
use crate::dialplan::read::{self, Fields};
use crate::dialplan::schema::QUESTION_KEYS;
use crate::dialplan::yaml::{Node, Value as Yaml};
use crate::grammar::builtin::{Keys, Kind};
use crate::grammar::normalize::{self, is_mandarin};
use crate::language::Language;
use crate::pii::Pii;
use crate::understand::{Fit, Matcher, NBest, denial};
use crate::value::Value;

/// The best score of a scale: two keys hold it.
const HIGHEST: usize = 99;
/// Words of the plan for a score, such as "good", are as sure as this where they are heard beyond doubt. 0..1.
const BY_WORD: f32 = 0.9;

/// Words that say how, not how many.
const VAGUE: &[&str] = &[
    "good",
    "great",
    "excellent",
    "perfect",
    "fine",
    "okay",
    "ok",
    "alright",
    "average",
    "decent",
    "nice",
    "satisfied",
    "happy",
    "bad",
    "poor",
    "terrible",
    "awful",
    "horrible",
    "disappointed",
    "unhappy",
    "not great",
    "so so",
    "mediocre",
    "well",
    "the best",
    "the worst",
    "amazing",
    "wonderful",
    "likely",
    "unlikely",
];
const VAGUE_MANDARIN: &[&str] = &[
    "好",
    "不错",
    "满意",
    "一般",
    "还行",
    "可以",
    "还可以",
    "差",
    "糟糕",
    "很棒",
    "完美",
    "失望",
    "马马虎虎",
    "凑合",
    "会推荐",
    "不会",
];

const KEYS: &[Key] = &[
    key("prompt", Shape::Text, "What is asked."),
    key("min", Shape::Count(0, HIGHEST), "The worst score."),
    key("max", Shape::Count(1, HIGHEST), "The best score."),
    key("slot", Shape::Line, "The name under which the score is kept; the step's own if left out."),
    key("words", Shape::Named(&Shape::Count(0, HIGHEST)), "Words that count as a score, such as `good: 4`."),
    key("in_numbers", Shape::Text, "Asked of a caller who has said how, but not how many."),
    key("bands", Shape::List(&Shape::Keys(BAND_KEYS)), "Where scores lead that lie between two bounds."),
    key("go", Shape::Target, "Where every other score leads."),
];
const BAND_KEYS: &[Key] = &[
    key("from", Shape::Count(0, HIGHEST), "The lowest score of the band."),
    key("to", Shape::Count(0, HIGHEST), "The highest score of the band."),
    key("go", Shape::Target, "Where its scores lead."),
];

/// The word.
pub const WORD: Word =
    Word { name: "rate", about: "Ask for a score on a scale.", keys: &[KEYS, QUESTION_KEYS], short: false, compile };

/// Ask for a score.
#[derive(Debug)]
pub struct Rate {
    /// The question, and the one for callers who have said how and not how many; a [`RateEar`] understands both.
    pub quests: [Quest; 2],
    /// Name the score is kept under.
    pub slot: String,
    /// The worst.
    pub min: i64,
    /// The best.
    pub max: i64,
    /// Where some scores lead.
    pub bands: Vec<Band>,
    /// Where the others lead.
    pub go: Target,
}

/// Scores that lead somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// The lowest.
    pub from: i64,
    /// The highest.
    pub to: i64,
    /// Where to.
    pub go: Target,
}

/// Understands a score.
#[derive(Debug)]
pub struct RateEar {
    /// What records call it.
    pub slot: String,
    /// The scale.
    pub want: Want,
    /// Words of the plan that count as a score, per language, longest first.
    pub words: BTreeMap<Language, Vec<(Vec<String>, i64)>>,
    /// Understands universals, per language.
    pub matchers: BTreeMap<Language, Matcher>,
}

/// The question that is open.
#[derive(Clone, Copy, Debug, Default)]
struct At(usize);

impl Run for Rate {
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        let At(at) = *visit.memory::<At>();
        let question = &self.quests[at].question;
        match event {
            Event::Answered(Answer::Value(value)) => match value.reveal() {
                Value::Integer(score) => self.rated(*score, visit),
                _ if at == 0 => {
                    *visit.memory() = At(1);
                    Next::ask(1)
                }
                _ => or_again(1, question.no_match, Excuse::NoMatch),
            },
            Event::Answered(Answer::Universal(universal)) => question::wish(at, question, *universal),
            other => question::next(at, question, other),
        }
    }

    fn quests(&self) -> Vec<&Quest> {
        self.quests.iter().collect()
    }

    fn exits(&self) -> Vec<(String, Target)> {
        let bands = self.bands.iter().map(|band| (format!("{} to {}", band.from, band.to), band.go));
        bands.chain([("go".to_owned(), self.go)]).collect()
    }

    fn keeps(&self) -> Vec<(&str, bool)> {
        vec![(&self.slot, false)]
    }
}

impl Rate {
    fn rated(&self, score: i64, visit: &mut Visit<'_>) -> Next<'_> {
        visit.keep(&self.slot, Value::Integer(score), false);
        visit.came_to(OutcomeKind::Rating { name: self.slot.clone(), score, min: self.min, max: self.max });
        let band = self.bands.iter().find(|band| (band.from..=band.to).contains(&score));
        Next::Go(band.map_or(self.go, |band| band.go))
    }
}

impl Ear for RateEar {
    fn keys(&self, typed: &str, hearing: &Hearing) -> Keyed {
        let answer = |value: Value| Answer::Value(Pii::new(value));
        match self.want.keys(typed, hearing) {
            Keys::Complete(value) => Keyed::Complete(answer(value)),
            Keys::More(value) => Keyed::More(value.map(answer)),
            Keys::Wrong => Keyed::Wrong,
            Keys::Ignored => Keyed::Ignored,
        }
    }

    /// A number, else words of the plan, else a wish, else words that say how.
    fn speech(&self, nbest: &NBest, hearing: &Hearing) -> Judged {
        let nothing = Judged::nothing(nbest);
        let (found, growing) = guesses(&self.want, nbest, hearing);
        let heard = |rank: usize| nbest.hypotheses.get(rank).map(|guess| guess.text.clone());
        let best = found.into_iter().next();
        let sure = best.as_ref().filter(|best| best.sure >= VALUE_BELOW);
        if let Some(best) = sure {
            let judged = Judged { heard: heard(best.rank), confidence: best.sure, fit: best.fit, ..nothing };
            return self.answered(best.value.clone(), judged);
        }
        if let Some((score, rank, sure)) = self.by_word(nbest, &hearing.language) {
            let judged = Judged { heard: heard(rank), confidence: sure, fit: Fit::None, ..nothing };
            return self.answered(Value::Integer(score), judged);
        }
        if let Some(wish) = wish(&self.matchers, &hearing.language, nbest).filter(|wish| wish.answer.is_some()) {
            return wish;
        }
        if let Some(best) = best {
            return Judged { rejected: true, heard: heard(best.rank), confidence: best.sure, fit: best.fit, ..nothing };
        }
        if let Some((rank, sure)) = vague(nbest, &hearing.language) {
            let judged = Judged { heard: heard(rank), confidence: sure, fit: Fit::None, ..nothing };
            return self.answered(Value::Nothing, judged);
        }
        match growing {
            Some(guess) => Judged { heard: heard(guess.rank), confidence: guess.sure, fit: guess.fit, ..nothing },
            None => nothing,
        }
    }

    fn name(&self, answer: &Answer) -> String {
        match answer {
            Answer::Value(value) if value.reveal().is_nothing() => "in words".to_owned(),
            _ => self.slot.clone(),
        }
    }
}

impl RateEar {
    fn answered(&self, value: Value, judged: Judged) -> Judged {
        let answer = Answer::Value(Pii::new(value));
        Judged { meaning: Some(self.name(&answer)), answer: Some(answer), ..judged }
    }

    /// The score that the plan gives to words of some guess: it, its place, how sure.
    fn by_word(&self, nbest: &NBest, language: &Language) -> Option<(i64, usize, f32)> {
        let known = self.words.get(language)?;
        nbest.hypotheses.iter().enumerate().find_map(|(rank, guess)| {
            let said = normalize::words(guess.text.reveal(), language);
            let denied = denial::denied(&said, language);
            let meant = |word: &[String]| {
                // Of "not good" nothing is good, unless the plan has "not good" itself.
                let begins = |at: &usize| said[*at..].starts_with(word) && !denied.contains(&Some(*at));
                !word.is_empty() && (0..said.len()).any(|at| begins(&at))
            };
            let (_, score) = known.iter().find(|(word, _)| meant(word))?;
            let sure = trust(guess, rank) * BY_WORD;
            (sure >= VALUE_BELOW).then_some((*score, rank, sure))
        })
    }
}

fn holds(said: &[String], phrase: &[String]) -> bool {
    !phrase.is_empty() && said.windows(phrase.len()).any(|part| part == phrase)
}

/// Has the caller said how it was? Where, and how surely.
fn vague(nbest: &NBest, language: &Language) -> Option<(usize, f32)> {
    let known = if is_mandarin(language) { VAGUE_MANDARIN } else { VAGUE };
    let says_how = |text: &str| {
        let said = normalize::words(text, language);
        known.iter().any(|phrase| holds(&said, &normalize::words(phrase, language)))
    };
    let place = nbest.hypotheses.iter().position(|guess| says_how(guess.text.reveal()))?;
    Some((place, trust(&nbest.hypotheses[place], place)))
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS, QUESTION_KEYS])?;
    let mut written = cx.written_question(&mut fields);
    written.prompt = cx.required_prompt(&mut fields);
    let at = fields.start();
    let score = |node: &Node, findings: &mut Findings| whole(node, 0..=HIGHEST, findings);
    let min = fields.read("min", cx.findings, score).map_or(0, |min| min.value);
    let max = fields.read("max", cx.findings, |node, findings| whole(node, 1..=HIGHEST, findings));
    let max = max.unwrap_or_else(|| {
        let message = format!("{} does not say how good it can be", cx.owner());
        cx.findings.error(at, message).help("add `max: 5`, or `min: 0` and `max: 10`");
        Spanned { at, value: min + 1 }
    });
    if max.value <= min {
        let message = format!("a scale from {min} to {} holds no two scores", max.value);
        cx.findings.error(max.at, message).help("`max` must be more than `min`, which is 0 if left out");
    }
    let scale = min..=max.value;
    let slot = fields.read("slot", cx.findings, read::line).filter(|slot| cx.value_name(slot));
    let slot = slot.map_or_else(|| cx.name().to_owned(), |slot| slot.value);
    let words = fields.take("words").map(|node| words(node, &scale, cx)).unwrap_or_default();
    let in_numbers = cx.prompt_of(&mut fields, "in_numbers").unwrap_or_else(|| cx.house_prompt("in_numbers"));
    let bands = fields.take("bands").map(|node| bands(node, &scale, cx)).unwrap_or_default();
    let go = cx.go(&mut fields);
    let quests = [None, Some(in_numbers)].map(|instead| {
        let question = cx.question(&written, INCOMPLETE);
        let question = match instead {
            None => question,
            Some(prompt) => Question { prompt, ..question },
        };
        let matchers = cx.matchers(&[], &question.universals);
        let want = Want::Kind(Kind::Rating { min, max: max.value });
        Quest { question, ear: Box::new(RateEar { slot: slot.clone(), want, words: words.clone(), matchers }) }
    });
    Some(Box::new(Rate { quests, slot, min, max: max.value, bands, go }))
}

fn whole(node: &Node, range: std::ops::RangeInclusive<usize>, findings: &mut Findings) -> Option<Spanned<i64>> {
    let count = read::count(node, "a score", range, findings)?;
    Some(Spanned { at: count.at, value: i64::try_from(count.value).unwrap_or(i64::MAX) })
}

/// `words: { good: 4 }`: in every language of the plan, since nobody says them in another.
fn words(
    node: Node,
    scale: &std::ops::RangeInclusive<i64>,
    cx: &mut Compiler<'_>,
) -> BTreeMap<Language, Vec<(Vec<String>, i64)>> {
    let Yaml::Map(entries) = node.value else {
        let message = format!("`words` must be a map of words and their scores, not {}", node.sort());
        cx.findings.error(node.at, message).help("write `words: { good: 4 }`");
        return BTreeMap::new();
    };
    let mut known = Vec::new();
    for (word, node) in entries {
        let Some(score) = whole(&node, 0..=HIGHEST, cx.findings) else { continue };
        if !scale.contains(&score.value) {
            let message = format!("`{}` counts as {}, which is not on the scale", word.value, score.value);
            cx.findings.error(score.at, message).help(format!("it goes from {} to {}", scale.start(), scale.end()));
        }
        known.push((word.value, score.value));
    }
    let in_words = |language: &Language| {
        let mut known: Vec<(Vec<String>, i64)> =
            known.iter().map(|(word, score)| (normalize::words(word, language), *score)).collect();
        // "Not good" before "good".
        known.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        known
    };
    cx.languages().iter().map(|language| (language.clone(), in_words(language))).collect()
}

fn bands(node: Node, scale: &std::ops::RangeInclusive<i64>, cx: &mut Compiler<'_>) -> Vec<Band> {
    let Yaml::List(items) = node.value else {
        let message = format!("`bands` must be a list, not {}", node.sort());
        cx.findings.error(node.at, message).help("write `bands: [{ from: 0, to: 6, go: why }]`");
        return Vec::new();
    };
    let mut bands: Vec<Band> = Vec::new();
    for item in items {
        let at = item.at;
        let Some(mut fields) = Fields::open(item, "a band", &[BAND_KEYS], cx.findings) else { continue };
        let score = |node: &Node, findings: &mut Findings| whole(node, 0..=HIGHEST, findings);
        let from = fields.read("from", cx.findings, score).map_or(*scale.start(), |from| from.value);
        let to = fields.read("to", cx.findings, score).map_or(*scale.end(), |to| to.value);
        let go = cx.go_of(&mut fields, "a band");
        let help = || format!("the scale goes from {} to {}", scale.start(), scale.end());
        if from > to || !scale.contains(&from) || !scale.contains(&to) {
            cx.findings.error(at, format!("no score lies between {from} and {to}")).help(help());
        } else if let Some(other) = bands.iter().find(|band| from <= band.to && band.from <= to) {
            let message = format!("the band from {from} to {to} meets the one from {} to {}", other.from, other.to);
            cx.findings.error(at, message).help("a score can lead to one place only");
        }
        bands.push(Band { from, to, go });
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::fixture::{heard, hearing};
    use crate::dialplan::load::load_str;
    use crate::dialplan::rehearsal::Rehearsal;

    fn judged(text: &str, language: &str, (min, max): (i64, i64)) -> Judged {
        let language = Language::parse(language).unwrap();
        let words = [("not bad", 4), ("brilliant", 5), ("满意", 5)];
        let words = words.map(|(word, score)| (normalize::words(word, &language), score)).to_vec();
        let ear = RateEar {
            slot: "nps".into(),
            want: Want::Kind(Kind::Rating { min, max }),
            words: [(language.clone(), words)].into(),
            matchers: BTreeMap::new(),
        };
        ear.speech(&heard(text, 0.9), &Hearing { language, ..hearing() })
    }

    #[test]
    fn numbers_are_scores_however_they_are_said_and_words_ask_for_the_number() {
        let score = |score| Some(Answer::Value(Pii::new(Value::Integer(score))));
        let how = Some(Answer::Value(Pii::new(Value::Nothing)));
        for (text, language, expect) in [
            ("eight", "en-US", score(8)),
            ("eight out of ten", "en-US", score(8)),
            ("I'd say a nine", "en-US", score(9)),
            ("ten", "en-US", score(10)),
            ("zero", "en-US", score(0)),
            ("八分", "zh-CN", score(8)),
            ("我给九分吧", "zh-CN", score(9)),
            ("pretty good", "en-US", how.clone()),
            ("terrible", "en-US", how.clone()),
            ("还不错", "zh-CN", how.clone()),
            ("not bad", "en-US", score(4)),
            ("it was brilliant", "en-US", score(5)),
            ("not brilliant", "en-US", None),
            ("not really brilliant, just good", "en-US", how.clone()),
            ("很满意", "zh-CN", score(5)),
            ("不太满意，一般", "zh-CN", how.clone()),
            ("purple", "en-US", None),
            ("", "en-US", None),
        ] {
            assert_eq!(judged(text, language, (0, 10)).answer, expect, "{text}");
        }
        assert_eq!(judged("eleven", "en-US", (0, 10)).answer, None, "off the scale");
        assert_eq!(judged("six", "en-US", (1, 5)).answer, None);
    }

    const PLAN: &str = r#"
dialplan: 1
languages: [en-US, zh-CN]
defaults: { question: { go: bye, tries: 3 } }
start: nps
steps:
  nps:
    rate:
      prompt: { en-US: "From zero to ten?", zh-CN: "零到十分，您打几分？" }
      max: 10
      words: { brilliant: 10 }
      bands: [{ from: 0, to: 6, go: why }, { from: 7, to: 8, go: bye }]
      go: fan
  why:
    comment:
      prompt: { en-US: "Why?", zh-CN: "为什么？" }
      themes: { price: { en-US: [expensive, cost], zh-CN: [贵] }, staff: { en-US: [rude], zh-CN: [态度] } }
      optional: true
      go: bye
  fan: { hangup: { result: fan } }
  bye: { hangup: { result: bye } }
"#;

    fn rated(talk: &Rehearsal) -> Option<i64> {
        talk.outcomes().into_iter().find_map(|kind| match kind {
            OutcomeKind::Rating { name, score, min: 0, max: 10 } if name == "nps" => Some(*score),
            _ => None,
        })
    }

    #[test]
    fn a_score_leads_by_its_band_and_is_kept() {
        for (said, score, end) in [("nine", 9, "[fan]"), ("eight out of ten", 8, "[bye]"), ("brilliant", 10, "[fan]")] {
            let mut talk = Rehearsal::of(PLAN, "en-US", &[]);
            assert!(talk.say(said).bot().ends_with(end), "{said}: {}", talk.bot());
            assert_eq!(
                (rated(&talk), talk.scope().value("nps")),
                (Some(score), Some(&Value::Integer(score))),
                "{said}"
            );
        }
        let mut talk = Rehearsal::of(PLAN, "en-US", &[]);
        assert_eq!(talk.press("10").bot().split(' ').next_back(), Some("[fan]"));
        assert_eq!(rated(&talk), Some(10));
        assert_eq!(Rehearsal::of(PLAN, "en-US", &[]).press("3").bot(), "Why?");
    }

    #[test]
    fn who_says_how_is_asked_how_many() {
        let mut talk = Rehearsal::of(PLAN, "en-US", &[]);
        assert_eq!(talk.say("pretty good").bot(), "And as a number?");
        assert_eq!(rated(&talk), None);
        assert!(talk.say("eight").bot().ends_with("[bye]"));
        assert_eq!(rated(&talk), Some(8));
        let mut talk = Rehearsal::of(PLAN, "zh-CN", &[]);
        assert_eq!(talk.say("还不错").bot(), "如果打分，是几分？");
        assert_eq!(talk.say("三分").bot(), "为什么？");
        assert_eq!(rated(&talk), Some(3));
    }

    #[test]
    fn why_is_kept_in_their_words_with_its_themes_and_may_be_kept_silent() {
        let comment = |talk: &Rehearsal| {
            talk.outcomes().into_iter().find_map(|kind| match kind {
                OutcomeKind::Comment { name, text, themes } if name == "why" => {
                    Some((text.reveal().clone(), themes.clone()))
                }
                _ => None,
            })
        };
        let mut talk = Rehearsal::of(PLAN, "en-US", &[]);
        let words = "it costs too much and they were rude";
        assert!(talk.say("two").say(words).bot().ends_with("[bye]"));
        assert_eq!(comment(&talk), Some((words.to_owned(), vec!["price".to_owned(), "staff".to_owned()])));
        let mut talk = Rehearsal::of(PLAN, "zh-CN", &[]);
        talk.say("两分").say("太贵了");
        assert_eq!(comment(&talk), Some(("太贵了".to_owned(), vec!["price".to_owned()])));
        for silent in [false, true] {
            let mut talk = Rehearsal::of(PLAN, "en-US", &[]);
            talk.say("two");
            if silent {
                talk.wait()
            } else {
                talk.press("#")
            };
            assert!(talk.bot().ends_with("[bye]"), "{}", talk.bot());
            assert_eq!(comment(&talk), None);
        }
    }

    #[test]
    fn a_scale_and_bands_that_cannot_be_are_errors() {
        for (wrong, why) in [
            ("min: 5, max: 5", "holds no two scores"),
            ("", "does not say how good it can be"),
            ("max: 5, bands: [{ from: 4, to: 9, go: bye }]", "no score lies between 4 and 9"),
            ("max: 5, bands: [{ from: 0, to: 3, go: bye }, { from: 3, to: 5, go: bye }]", "meets the one from 0 to 3"),
            ("max: 5, words: { good: 7 }", "not on the scale"),
        ] {
            let plan = format!(
                "dialplan: 1\nstart: r\ndefaults: {{ question: {{ go: bye }} }}\nsteps:\n  r:\n    rate: {{ prompt: Well?, \
                 {wrong}{comma} go: bye }}\n  bye: {{ hangup: }}\n",
                comma = if wrong.is_empty() { "" } else { "," }
            );
            let Err(found) = load_str("p.yaml", &plan) else { panic!("{wrong}") };
            assert!(found.to_string().contains(why), "{wrong}: {found}");
        }
    }
}
