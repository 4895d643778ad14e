//! `comment`: what callers think, in their own words.

use std::collections::BTreeMap;
use std::time::Duration;

use super::free::FreeEar;
use super::question;
use super::{Answer, Event, Next, Quest, Run, Visit, Word};
use crate::dialplan::compile::Compiler;
use crate::dialplan::diagnostic::Spanned;
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::plan::Target;
use crate::dialplan::read::{self, Localized};
use crate::dialplan::schema::QUESTION_KEYS;
use crate::dialplan::yaml::{Node, Value as Yaml};
use crate::grammar::normalize;
use crate::id::UtteranceId;
use crate::language::Language;
use crate::pii::Pii;
use crate::understand::stem::stem;
use crate::understand::{Hypothesis, Matcher, Meaning, NBest};
use crate::value::Value;

/// Silence that ends a comment: people think in the middle of one.
const INCOMPLETE: Duration = Duration::from_millis(2_500);
/// A theme that no phrase names is found by the words around it when it is this likely. 0..1.
const LIKELY: f32 = 0.7;

const KEYS: &[Key] = &[
    key("prompt", Shape::Text, "What is asked, such as “Why?”"),
    key("slot", Shape::Line, "The name under which it is kept; the step's own if left out."),
    key("themes", Shape::Named(&Shape::Phrases), "Themes to look for, each with the words that speak of it."),
    key("optional", Shape::Flag, "May the caller say nothing, or press #?"),
    key("go", Shape::Target, "Where to next."),
];

/// The word.
pub const WORD: Word = Word {
    name: "comment",
    about: "Ask for an opinion in free words.",
    keys: &[KEYS, QUESTION_KEYS],
    short: false,
    compile,
};

/// Ask for an opinion.
#[derive(Debug)]
pub struct Comment {
    /// How it is asked, and who understands: a [`FreeEar`].
    pub quest: Quest,
    /// Name it is kept under.
    pub slot: String,
    /// May the caller say nothing?
    pub optional: bool,
    /// What to look for in it.
    pub themes: Themes,
    /// Where to next.
    pub go: Target,
}

/// Finds themes in free words.
#[derive(Debug, Default)]
pub struct Themes {
    names: Vec<String>,
    /// Per language of the plan.
    known: BTreeMap<Language, Known>,
}

#[derive(Debug)]
struct Known {
    /// Of each theme, its phrases as stems of their words.
    phrases: Vec<Vec<Vec<String>>>,
    matcher: Matcher,
}

impl Themes {
    /// Each theme with its phrases, per language.
    fn new(names: Vec<String>, phrases: BTreeMap<Language, Vec<Vec<String>>>) -> Self {
        let known = phrases.into_iter().map(|(language, phrases)| {
            let stems = phrases.iter().map(|of| of.iter().map(|phrase| stems(phrase, &language)).collect()).collect();
            let matcher = Matcher::compile(&phrases, &[], &language);
            (language, Known { phrases: stems, matcher })
        });
        Self { names, known: known.collect() }
    }

    /// The themes that `text` speaks of, in the order of the plan: by their phrases, whatever the form of the word, or as
    /// a whole by words like them.
    pub fn find(&self, text: &str, language: &Language) -> Vec<String> {
        let Some(known) = self.known.get(language) else { return Vec::new() };
        let said = stems(text, language);
        let named = |theme: usize| {
            let phrases = known.phrases.get(theme).into_iter().flatten();
            phrases
                .into_iter()
                .any(|phrase| !phrase.is_empty() && said.windows(phrase.len()).any(|part| part == phrase))
        };
        let guess =
            Hypothesis { text: Pii::new(text.to_owned()), confidence: 1.0, open_score: 0.0, grammar_score: None };
        let nbest = NBest {
            utterance: UtteranceId(0),
            revision: 0,
            hypotheses: vec![guess],
            queued: Duration::ZERO,
            ran: Duration::ZERO,
        };
        let verdict = known.matcher.understand(&nbest);
        let likely = |theme: usize| {
            verdict.candidates.iter().any(|(meaning, sure)| *meaning == Meaning::Option(theme) && *sure >= LIKELY)
        };
        let found = self.names.iter().enumerate().filter(|(theme, _)| named(*theme) || likely(*theme));
        found.map(|(_, name)| name.clone()).collect()
    }
}

fn stems(text: &str, language: &Language) -> Vec<String> {
    normalize::words(text, language).iter().map(|word| stem(word)).collect()
}

impl Run for Comment {
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        let question = &self.quest.question;
        match event {
            Event::Answered(Answer::Value(value)) => {
                if let Value::Text(text) = value.reveal() {
                    let themes = self.themes.find(text, visit.language);
                    visit.keep(&self.slot, Value::text(text.as_str()), false);
                    let text = Pii::new(text.clone());
                    visit.came_to(OutcomeKind::Comment { name: self.slot.clone(), text, themes });
                }
                Next::Go(self.go)
            }
            Event::Answered(Answer::Universal(universal)) => question::wish(0, question, *universal),
            Event::NoInput | Event::Error if self.optional => Next::Go(self.go),
            other => question::next(0, question, other),
        }
    }

    fn onward(&self) -> Option<Target> {
        self.optional.then_some(self.go)
    }

    fn quests(&self) -> Vec<&Quest> {
        vec![&self.quest]
    }

    fn exits(&self) -> Vec<(String, Target)> {
        vec![("go".to_owned(), self.go)]
    }

    fn keeps(&self) -> Vec<(&str, bool)> {
        vec![(&self.slot, false)]
    }
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS, QUESTION_KEYS])?;
    let mut written = cx.written_question(&mut fields);
    written.prompt = cx.required_prompt(&mut fields);
    let slot = fields.read("slot", cx.findings, read::line).filter(|slot| cx.value_name(slot));
    let slot = slot.map_or_else(|| cx.name().to_owned(), |slot| slot.value);
    let themes = fields.take("themes").map(|node| themes(node, cx)).unwrap_or_default();
    let optional = fields.read("optional", cx.findings, read::flag).is_some_and(|flag| flag.value);
    let go = cx.go(&mut fields);
    let question = cx.question(&written, INCOMPLETE);
    let matchers = cx.matchers(&[], &question.universals);
    let ear =
        FreeEar { name: slot.clone(), matchers, sensitive: false, skips: optional, guesses: false, rambles: true };
    Some(Box::new(Comment { quest: Quest { question, ear: Box::new(ear) }, slot, optional, themes, go }))
}

fn themes(node: Node, cx: &mut Compiler<'_>) -> Themes {
    let Yaml::Map(entries) = node.value else {
        let message = format!("`themes` must be a map of names, not {}", node.sort());
        cx.findings.error(node.at, message).help("write `themes: { price: [expensive, cost] }`");
        return Themes::default();
    };
    let mut names = Vec::new();
    let mut written: Vec<Localized<Vec<Spanned<String>>>> = Vec::new();
    for (name, node) in entries {
        let named = read::name(&name, "a theme", cx.findings);
        let phrases = read::localized(&node, cx.findings, read::lines);
        if let Some(phrases) = phrases.filter(|_| named) {
            cx.check_phrases(&phrases);
            names.push(name.value);
            written.push(phrases);
        }
    }
    let languages = cx.languages().to_vec();
    let phrases = languages.into_iter().map(|language| {
        let of = |phrases: &_| -> Vec<String> {
            cx.phrases_in(Some(phrases), &language).into_iter().map(|phrase| phrase.value).collect()
        };
        let phrases = written.iter().map(of).collect();
        (language, phrases)
    });
    let phrases = phrases.collect();
    Themes::new(names, phrases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn themes_are_written_in_every_language_and_an_optional_comment_in_a_ring_never_ends() {
        let said = |themes: &str, go: &str| {
            let plan = format!(
                "dialplan: 1\nlanguages: [en-US, zh-CN]\nstart: why\ndefaults: {{ question: {{ go: $end }} }}\nsteps:\n  why: \
                 {{ comment: {{ prompt: {{ en-US: Why?, zh-CN: 为什么？ }}, themes: {{ price: {themes} }}, optional: true, go: {go} }} }}\n"
            );
            crate::dialplan::load::load_str("p.yaml", &plan).err().map(|found| found.to_string()).unwrap_or_default()
        };
        assert_eq!(said("{ en-US: [cost], zh-CN: [贵] }", "$end"), "");
        assert!(said("[cost]", "$end").contains("no phrases in zh-CN"));
        assert!(said("{ en-US: [cost], zh-CN: [贵] }", "why").contains("a caller who says nothing never leaves"));
    }

    #[test]
    fn themes_are_found_by_their_phrases_in_any_form_and_several_at_once() {
        let (english, mandarin) = (Language::english(), Language::parse("zh-CN").unwrap());
        let list = |phrases: &[&str]| phrases.iter().map(|phrase| (*phrase).to_owned()).collect::<Vec<_>>();
        let themes = Themes::new(
            vec!["price".into(), "staff".into()],
            BTreeMap::from([
                (english.clone(), vec![list(&["expensive", "cost", "too much money"]), list(&["agent", "staff"])]),
                (mandarin.clone(), vec![list(&["贵", "价格"]), list(&["客服", "态度"])]),
            ]),
        );
        for (text, language, expect) in [
            ("it costs too much and the agents were rude", &english, vec!["price", "staff"]),
            ("really expensive", &english, vec!["price"]),
            ("I just like the colour", &english, vec![]),
            ("价格太贵了，客服态度也不好", &mandarin, vec!["price", "staff"]),
            ("没什么", &mandarin, vec![]),
            ("", &english, vec![]),
        ] {
            assert_eq!(themes.find(text, language), expect, "{text}");
        }
    }
}
