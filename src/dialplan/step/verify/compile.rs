//! A verification as it is written.

use super::{Factor, Verify};
use crate::dialplan::compile::{Compiler, INCOMPLETE};
use crate::dialplan::diagnostic::Spanned;
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::plan::Question;
use crate::dialplan::read::{self, Fields};
use crate::dialplan::schema::{self, QUESTION_KEYS};
use crate::dialplan::step::free::FreeEar;
use crate::dialplan::step::menu::{self, MenuOption, Options};
use crate::dialplan::step::value_ear::{VALUE_BELOW, ValueEar, WANT_KEYS, Want};
use crate::dialplan::step::{Ear, Quest, Run};
use crate::dialplan::yaml::{Node, Value as Yaml};

/// What one person knows, another may: fewer factors verify nobody.
const FEWEST: usize = 2;
/// A caller who is asked for more is questioned, not verified.
const MOST: usize = 6;
/// So often all factors are asked, unless the plan says otherwise.
const TRIES: u32 = 2;
/// Whoever needs more is guessing.
const MOST_TRIES: usize = 3;

pub const KEYS: &[Key] = &[
    key(
        "factors",
        Shape::Named(&Shape::Tables(&[FACTOR_KEYS, WANT_KEYS])),
        "What is asked, each under a name: two at least.",
    ),
    key("need", Shape::Count(FEWEST, MOST), "How many must fit; all if left out."),
    key("rounds", Shape::Count(1, MOST_TRIES), "How often all are asked, when not all fit: 2 if left out."),
    key("mismatch", Shape::Text, "Said before they are asked again."),
    key("passed", Shape::Target, "Where to when enough of them fit."),
    key("failed", Shape::Target, "Where to when they do not, or the caller does not answer."),
    key("unknown", Shape::Target, "Where to when we know too little of the person to ask; `failed` if left out."),
];
const FACTOR_KEYS: &[Key] = &[
    key("prompt", Shape::Text, "What is asked."),
    key("reprompt", Shape::Texts, "Asked instead the second, third… time."),
    key("expect", Shape::Value, "What the right person says, such as `{{ born }}`. It is never spoken."),
    key("words", Shape::Flag, "Words are wanted: a name, a street. Compared by how they sound."),
    key("options", Shape::Named(&Shape::Keys(CHOICE_KEYS)), "A choice is wanted; `expect` is the name of an option."),
];
const CHOICE_KEYS: &[Key] =
    &[key("key", Shape::Digit, "Its telephone key."), key("phrases", Shape::Phrases, "What callers say for it.")];
pub(in crate::dialplan) fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS, QUESTION_KEYS])?;
    let written = cx.written_question(&mut fields);
    let start = fields.start();
    let owner = cx.owner();
    let mut way = |name: &str, cx: &mut Compiler<'_>| {
        let target = cx.target_of(&mut fields, name);
        if target.is_none() {
            let message = format!("{owner} does not say where a caller goes who has {name}");
            cx.findings.error(start, message).help(format!("add `{name}:` and the name of a step"));
        }
        target.unwrap_or(crate::dialplan::plan::Target::End)
    };
    let (passed, failed) = (way("passed", cx), way("failed", cx));
    let unknown = cx.target_of(&mut fields, "unknown").unwrap_or(failed);
    let mismatch = cx.prompt_of(&mut fields, "mismatch").unwrap_or_else(|| cx.house_prompt("mismatch"));
    let rounds =
        fields.read("rounds", cx.findings, |node, findings| read::count(node, "`rounds`", 1..=MOST_TRIES, findings));
    let need = fields.read("need", cx.findings, |node, findings| read::count(node, "`need`", FEWEST..=MOST, findings));
    let given_up = written.exhausted.is_some();
    let factors = match fields.take("factors") {
        Some(node) => factors(node, &written, cx),
        None => Vec::new(),
    };
    if !(FEWEST..=MOST).contains(&factors.len()) {
        let message = format!("{owner} asks for {}", counted(factors.len()));
        let help = format!("one thing that somebody knows proves nothing: add `factors:`, {FEWEST} to {MOST} of them");
        cx.findings.error(start, message).help(help);
        return None;
    }
    let needed = need.as_ref().map_or(factors.len(), |need| need.value);
    if let Some(need) = need.filter(|need| need.value > factors.len()) {
        let message = format!("{} of {} factors cannot fit", need.value, factors.len());
        cx.findings.error(need.at, message).help("`need` can be as many as there are");
    }
    let (mut quests, mut compiled) = (Vec::new(), Vec::new());
    for (mut quest, factor) in factors {
        if !given_up {
            // Who does not answer is not the right person, wherever other questions lead.
            quest.question.exhausted = failed;
        }
        quests.push(quest);
        compiled.push(factor);
    }
    let tries = rounds.map_or(TRIES, |rounds| u32::try_from(rounds.value).unwrap_or(TRIES));
    Some(Box::new(Verify { quests, factors: compiled, needed, tries, mismatch, passed, failed, unknown }))
}

fn counted(count: usize) -> String {
    match count {
        0 => "nothing".to_owned(),
        1 => "one factor only".to_owned(),
        count => format!("{count} factors"),
    }
}

fn factors(node: Node, step: &schema::Question, cx: &mut Compiler<'_>) -> Vec<(Quest, Factor)> {
    let owner = cx.owner();
    let Yaml::Map(entries) = node.value else {
        let message = format!("the factors of {owner} must be a map, not {}", node.sort());
        cx.findings.error(node.at, message).help("write each as `name: { prompt: …, want: date, expect: … }`");
        return Vec::new();
    };
    entries.into_iter().filter_map(|(name, node)| factor(&name, node, step, cx)).collect()
}

fn factor(
    name: &Spanned<String>,
    node: Node,
    step: &schema::Question,
    cx: &mut Compiler<'_>,
) -> Option<(Quest, Factor)> {
    let named = read::name(name, "a factor", cx.findings);
    let owner = format!("factor `{}`", name.value);
    let mut fields = Fields::open(node, &owner, &[FACTOR_KEYS, WANT_KEYS], cx.findings)?;
    let start = fields.start();
    let prompt = cx.prompt_of(&mut fields, "prompt");
    if prompt.is_none() {
        cx.findings.error(start, format!("{owner} asks nothing")).help("add `prompt:`");
    }
    let reprompts = fields.take("reprompt").map(|node| match node.value {
        Yaml::List(items) => items,
        value => vec![Node { at: node.at, value }],
    });
    let reprompts = reprompts.map(|items| {
        let texts: Vec<_> = items.iter().filter_map(|item| cx.text(item)).collect();
        texts.iter().map(|text| cx.prompt(text)).collect::<Vec<_>>()
    });
    let expected = match fields.take("expect") {
        Some(node) => cx.calculation(&node),
        None => {
            let message = format!("{owner} does not say what it expects");
            cx.findings.error(start, message).help("add `expect:`, such as `\"{{ born }}\"`");
            None
        }
    };
    let words = fields.read("words", cx.findings, read::flag).is_some_and(|flag| flag.value);
    let choice = fields.take("options");
    let incomplete;
    let mut options = Vec::new();
    let question = |incomplete, cx: &mut Compiler<'_>| {
        let mut question: Question = cx.question(step, incomplete);
        question.prompt = prompt.clone().unwrap_or_else(crate::dialplan::plan::Prompt::none);
        if let Some(reprompts) = reprompts.clone() {
            question.reprompts = reprompts;
        }
        question
    };
    let quest = if words {
        incomplete = INCOMPLETE;
        let question = question(incomplete, cx);
        let matchers = cx.matchers(&[], &question.universals);
        let name = name.value.clone();
        let ear = FreeEar { name, matchers, sensitive: true, skips: false, guesses: true, rambles: false };
        Quest { question, ear: Box::new(ear) }
    } else if let Some(node) = choice {
        let question = question(INCOMPLETE, cx);
        let choices = menu::choices(node, false, cx);
        options = choices.iter().map(|choice| choice.name.value.clone()).collect();
        let phrases: Vec<_> = choices.iter().map(|choice| choice.phrases.clone()).collect();
        let matchers = cx.matchers(&phrases, &question.universals);
        let known = choices.iter().map(|choice| MenuOption {
            name: choice.name.value.clone(),
            key: choice.key.as_ref().map(|key| key.value),
        });
        let operator = question.universals.operator.is_some();
        let ear = Options { options: known.collect(), matchers, reject_below: menu::REJECT_BELOW, operator };
        Quest { question, ear: Box::new(Secret(ear)) }
    } else {
        let want = Want::read(&mut fields, &owner, cx);
        let question = question(want.incomplete(), cx);
        let matchers = cx.matchers(&[], &question.universals);
        let slot = name.value.clone();
        let ear = ValueEar { slot, want, matchers, sensitive: true, below: VALUE_BELOW, weighs: true };
        Quest { question, ear: Box::new(ear) }
    };
    let factor = Factor { name: name.value.clone(), expected: expected?, options };
    named.then_some((quest, factor))
}

/// Options whose choice is nobody's business.
#[derive(Debug)]
struct Secret(Options);

impl Ear for Secret {
    fn keys(&self, typed: &str, hearing: &super::Hearing) -> crate::dialplan::step::Keyed {
        self.0.keys(typed, hearing)
    }

    fn speech(&self, nbest: &crate::understand::NBest, hearing: &super::Hearing) -> crate::dialplan::step::Judged {
        // The name of the option would tell what was answered.
        let judged = self.0.speech(nbest, hearing);
        let meaning = judged.answer.as_ref().map(|answer| self.name(answer));
        crate::dialplan::step::Judged { meaning, ..judged }
    }

    fn name(&self, answer: &super::Answer) -> String {
        match answer {
            super::Answer::Universal(universal) => super::question::universal_name(*universal).to_owned(),
            _ => "answered".to_owned(),
        }
    }

    fn takes_keys(&self) -> bool {
        self.0.takes_keys()
    }

    fn sensitive(&self) -> bool {
        true
    }
}
