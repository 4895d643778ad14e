//! A form as it is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ear::{About, FormEar, Half, Wanted};
use super::{Form, Slot, words};
use crate::dialplan::compile::{Compiler, INCOMPLETE};
use crate::dialplan::diagnostic::Spanned;
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::plan::{Prompt, Question, Target};
use crate::dialplan::read::{self, Fields, Localized};
use crate::dialplan::schema::{self, QUESTION_KEYS};
use crate::dialplan::step::band::{self, Band, How};
use crate::dialplan::step::value_ear::{WANT_KEYS, Want, judge};
use crate::dialplan::step::{Quest, Run};
use crate::dialplan::yaml::{Node, Value as Yaml};
use crate::language::Language;
use crate::spoken::heard::Words;

/// Most slots of a form: nobody answers more without a pause, and each listens to every utterance.
const MOST_SLOTS: usize = 20;

pub const KEYS: &[Key] = &[
    key("prompt", Shape::Text, "The opening question, which may be answered with several values at once."),
    key("slots", Shape::Named(&Shape::Keys(SLOT_TABLE)), "What is wanted, each under a name."),
    key(
        "confirm",
        Shape::Either(&[Shape::Word(band::FORM_WORDS), Shape::Keys(BAND_KEYS)]),
        "When everything is read back at the end.",
    ),
    key("which", Shape::Text, "Asked after a mere no; `{{ it }}` lists the parts."),
    key("go", Shape::Target, "Where to next, when nothing is missing."),
];
const BAND_KEYS: &[Key] = &band::keys(band::FORM_WORDS);
const SLOT_KEYS: &[Key] = &[
    key("prompt", Shape::Text, "How it is asked for."),
    key("label", Shape::Words, "How it is spoken of: “the amount”."),
    key("phrases", Shape::Phrases, "What callers call it: “the date”, “the day”."),
    key("required", Shape::Flag, "Is it asked for? Otherwise it is only taken where the caller says it."),
    key("if", Shape::Condition, "Wanted only while this holds."),
    key("sensitive", Shape::Flag, "Never in transcripts, records, recordings and logs, and never read back."),
    key("say_back", Shape::Flag, "Is it read back?"),
];
const SLOT_TABLE: &[Key] = &table::<{ SLOT_KEYS.len() + WANT_KEYS.len() + QUESTION_KEYS.len() }>();

/// All keys of a slot in one table.
const fn table<const COUNT: usize>() -> [Key; COUNT] {
    let mut all = [SLOT_KEYS[0]; COUNT];
    let tables = [SLOT_KEYS, WANT_KEYS, QUESTION_KEYS];
    let (mut table, mut to) = (0, 0);
    while table < tables.len() {
        let mut at = 0;
        while at < tables[table].len() {
            all[to] = tables[table][at];
            (at, to) = (at + 1, to + 1);
        }
        table += 1;
    }
    all
}

/// A slot as it is written.
pub(in crate::dialplan) struct Written {
    pub wanted: Wanted,
    pub slot: Slot,
    pub question: Question,
}

pub(in crate::dialplan) fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS, QUESTION_KEYS])?;
    let mut written = cx.written_question(&mut fields);
    written.prompt = fields.take("prompt").and_then(|node| cx.text(&node));
    let start = fields.start();
    let (band, prompt) = Band::read(&mut fields, (band::FORM_WORDS, BAND_KEYS), How::Auto, cx);
    let which = cx.prompt_of(&mut fields, "which");
    let slots = match fields.take("slots") {
        Some(node) => slots(node, &written, cx),
        None => {
            let message = format!("{} wants nothing", cx.owner());
            cx.findings.error(start, message).help("add `slots:`, each with a `prompt` and what it wants");
            Vec::new()
        }
    };
    let go = cx.go(&mut fields);
    if slots.is_empty() {
        return None;
    }
    Some(Box::new(assemble(slots, written, (band, prompt, which), go, cx)))
}

/// Puts a form together: its slots, what all its questions share, when and how all is read back, and what is asked when
/// something of it is wrong.
pub(in crate::dialplan) fn assemble(
    slots: Vec<Written>,
    written: schema::Question,
    (band, prompt, which): (Band, Option<Prompt>, Option<Prompt>),
    go: Target,
    cx: &mut Compiler<'_>,
) -> Form {
    let opening = written.prompt.is_some().then(|| cx.question(&written, INCOMPLETE));
    let quiet = schema::Question { prompt: None, reprompt: Some(Vec::new()), ..written };
    let asks = |prompt: Prompt, cx: &mut Compiler<'_>| Question { prompt, ..cx.question(&quiet, INCOMPLETE) };
    let prompt = prompt.unwrap_or_else(|| cx.house_prompt("check"));
    let check = asks(prompt, cx);
    let prompt = which.unwrap_or_else(|| cx.house_prompt("which"));
    let which = asks(prompt, cx);
    let (noted, again) = (cx.house_prompt("noted"), cx.house_prompt("again"));

    let opens = opening.is_some();
    let mut abouts: Vec<(About, Question)> = opening.map(|question| (About::All, question)).into_iter().collect();
    let (mut wanted, mut compiled) = (Vec::new(), Vec::new());
    for (place, written) in slots.into_iter().enumerate() {
        abouts.push((About::Slot(place), written.question));
        wanted.push(written.wanted);
        compiled.push(written.slot);
    }
    abouts.extend([(About::Check, check), (About::Which, which)]);
    for (place, _) in wanted.iter().enumerate().filter(|(_, slot): &(usize, &Wanted)| slot.want.is_moment()) {
        for (half, key) in [(Half::Time, "at_what_time"), (Half::Day, "on_what_day")] {
            let prompt = cx.house_prompt(key);
            abouts.push((About::Rest(place, half), asks(prompt, cx)));
        }
    }
    let wanted = Arc::new(wanted);
    let quests = abouts.into_iter().map(|(about, question)| {
        let matchers = cx.matchers(&[], &question.universals);
        let operator = question.universals.operator.is_some();
        let ear = FormEar { slots: Arc::clone(&wanted), about, matchers, below: band.below, operator };
        Quest { question, ear: Box::new(ear) }
    });
    let quests = quests.collect();
    Form { quests, opens, slots: compiled, wanted, band, noted, again, go }
}

/// A slot that a step of its own kind asks for: `name` is what its value is kept under, `called` how it is spoken of.
pub(in crate::dialplan) fn slot_of(
    (name, called): (String, &Spanned<String>),
    want: Want,
    prompt: Prompt,
    form: &schema::Question,
    cx: &mut Compiler<'_>,
) -> Written {
    let quiet = schema::Question::default().over(form);
    let question = Question { prompt, ..cx.question(&quiet, want.incomplete()) };
    let label = default_label(called, &want, cx);
    let phrases = phrases_of(None, called, &want, cx);
    let slot = Slot { required: true, condition: None, says_back: true, label };
    Written { wanted: Wanted { name, want, phrases, sensitive: false, span: None }, slot, question }
}

fn slots(node: Node, form: &schema::Question, cx: &mut Compiler<'_>) -> Vec<Written> {
    let owner = cx.owner();
    let Node { at, value: Yaml::Map(entries) } = node else {
        let message = format!("the slots of {owner} must be a map, not {}", node.sort());
        cx.findings.error(node.at, message).help("write each as `name: { prompt: …, want: … }`");
        return Vec::new();
    };
    if entries.is_empty() || entries.len() > MOST_SLOTS {
        let message = format!("{owner} has {} slots", entries.len());
        cx.findings.error(at, message).help(format!("a form has 1 to {MOST_SLOTS}"));
    }
    entries.into_iter().filter_map(|(name, node)| slot(&name, node, form, cx)).collect()
}

fn slot(name: &Spanned<String>, node: Node, form: &schema::Question, cx: &mut Compiler<'_>) -> Option<Written> {
    let named = cx.value_name(name);
    let owner = format!("slot `{}`", name.value);
    let mut fields = Fields::open(node, &owner, &[SLOT_KEYS, WANT_KEYS, QUESTION_KEYS], cx.findings)?;
    let mut own = schema::question(&mut fields, cx.findings);
    let start = fields.start();
    let flag = |fields: &mut Fields, key: &str, cx: &mut Compiler<'_>| {
        fields.read(key, cx.findings, read::flag).map(|flag| flag.value)
    };
    let required = flag(&mut fields, "required", cx).unwrap_or(true);
    let sensitive = flag(&mut fields, "sensitive", cx).unwrap_or(false);
    let says_back = flag(&mut fields, "say_back", cx);
    if sensitive && says_back == Some(true) {
        let help = "a sensitive value is never said: leave `say_back` out";
        cx.findings.error(start, format!("{owner} would be read back")).help(help);
    }
    let prompt = fields.take("prompt");
    if prompt.is_none() && required {
        let help = "add `prompt:`, or `required: false` if it is only taken where the caller says it";
        cx.findings.error(start, format!("{owner} asks nothing")).help(help);
    }
    if sensitive && !required {
        let help = "a sensitive value is taken at its own question only: remove `required: false`";
        cx.findings.error(start, format!("{owner} could never be filled")).help(help);
    }
    own.prompt = prompt.and_then(|node| cx.text(&node));
    let condition = fields.take("if").and_then(|node| cx.condition(&node));
    let want = Want::read(&mut fields, &owner, cx);
    judge(&want, sensitive, cx);
    let label = fields.take("label").and_then(|node| cx.text(&node)).map(|text| cx.prompt(&text));
    let label = label.unwrap_or_else(|| default_label(name, &want, cx));
    let phrases = fields.take("phrases").and_then(|node| read::localized(&node, cx.findings, read::lines));
    let phrases = phrases_of(phrases.as_ref(), name, &want, cx);
    let question = cx.question(&own.over(form), want.incomplete());
    let slot = Slot { required, condition, says_back: says_back.unwrap_or(!sensitive), label };
    let wanted = Wanted { name: name.value.clone(), want, phrases, sensitive, span: None };
    named.then_some(Written { wanted, slot, question })
}

/// What callers call a slot, per language.
fn phrases_of(
    written: Option<&Localized<Vec<Spanned<String>>>>,
    name: &Spanned<String>,
    want: &Want,
    cx: &Compiler<'_>,
) -> BTreeMap<Language, Vec<String>> {
    let languages = cx.languages().iter().cloned();
    let phrases = languages.map(|language| {
        let own = cx.phrases_in(written, &language).into_iter().map(|phrase| phrase.value);
        let built_in = words::phrases(want, &language).iter().map(|phrase| (*phrase).to_owned());
        let own_name = (language.primary() == "en").then(|| name.value.replace(['_', '-'], " "));
        let all = own.chain(built_in).chain(own_name).map(|phrase| as_words(&phrase, &language));
        let all = all.filter(|phrase| !phrase.is_empty()).collect();
        (language, all)
    });
    phrases.collect()
}

fn as_words(phrase: &str, language: &Language) -> String {
    let words: Vec<String> = Words::of(phrase, language).0.into_iter().map(|word| word.text).collect();
    words.join(" ")
}

/// How a slot is spoken of that has no `label`.
fn default_label(name: &Spanned<String>, want: &Want, cx: &mut Compiler<'_>) -> Prompt {
    let mut label = Prompt::none();
    for language in cx.languages().to_vec() {
        match words::label(&name.value, want, &language) {
            Some(words) => drop(label.texts.insert(language, words)),
            None => {
                let message = format!("slot `{}` has no name to be spoken of in {language}", name.value);
                cx.findings.error(name.at, message).help(format!("add `label: {{ {language}: … }}`"));
            }
        }
    }
    label
}
