//! `menu`: one choice among options, by key, by phrase or in free words.

use std::collections::BTreeMap;

use super::question::{self, or_again};
use super::{Answer, Ear, Event, Excuse, Hearing, Judged, Keyed, Next, Quest, Run, Visit, Word, answer_of};
use crate::dialplan::compile::{Compiler, INCOMPLETE};
use crate::dialplan::diagnostic::{Findings, Spanned};
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::lint;
use crate::dialplan::plan::{Question, Target};
use crate::dialplan::read::{self, Fields, Localized};
use crate::dialplan::schema::{QUESTION_KEYS, exhausted_go};
use crate::dialplan::yaml::{Node, Value};
use crate::language::Language;
use crate::rtp::Digit;
use crate::understand::{Matcher, Meaning, NBest, Universal};

/// Two candidates nearer to each other than this are a question, not an answer.
pub const AMBIGUITY_MARGIN: f32 = 0.05;
/// Below this confidence the words count as not understood.
pub const REJECT_BELOW: f32 = 0.5;

const KEYS: &[Key] = &[
    key("prompt", Shape::Text, "What is asked."),
    key("options", Shape::Named(&Shape::Keys(OPTION_KEYS)), "What may be chosen, each under a name."),
    key("reject", Shape::Keys(REJECT_KEYS), "When words count as not understood."),
    key("go", Shape::Target, "Where to go when the tries are used up."),
];
const OPTION_KEYS: &[Key] = &[
    key("key", Shape::Digit, "Its telephone key."),
    key("phrases", Shape::Phrases, "What callers say for it; 5 to 20 of them teach it their other words."),
    key("go", Shape::Target, "Where it leads."),
];
const REJECT_KEYS: &[Key] = &[
    key("below", Shape::Fraction, "The confidence below which words count as not understood."),
    key("go", Shape::Target, "Where such words lead, instead of `no_match`."),
];

/// The word.
pub const WORD: Word = Word {
    name: "menu",
    about: "Ask, and choose among options by key, by phrase or in free words.",
    keys: &[KEYS, QUESTION_KEYS],
    short: false,
    compile,
};

/// Ask and choose among options.
#[derive(Debug)]
pub struct Menu {
    /// How it is asked, and who understands: an [`Options`].
    pub quest: Quest,
    /// Where each option leads, in file order.
    pub goes: Vec<Target>,
    /// Where words go that were near something but not sure enough, instead of `no_match`, if the author said.
    pub reject_go: Option<Target>,
}

/// Understands a choice among options.
#[derive(Debug)]
pub struct Options {
    /// In file order; [`Matcher`] meanings index it.
    pub options: Vec<MenuOption>,
    /// Understands speech, per language of the plan.
    pub matchers: BTreeMap<Language, Matcher>,
    /// Below this confidence the words count as not understood. 0..1.
    pub reject_below: f32,
    /// Does key 0 mean a person where no option has it?
    pub operator: bool,
}

/// One choice of a menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuOption {
    /// Its key under `options:`; what the record and tests call it.
    pub name: String,
    /// Its telephone key.
    pub key: Option<Digit>,
}

impl Menu {
    /// What may be chosen.
    pub fn options(&self) -> &Options {
        let ear: &dyn std::any::Any = self.quest.ear.as_ref();
        ear.downcast_ref().expect("a menu is understood by its options")
    }

    /// How it is asked.
    pub const fn question(&self) -> &Question {
        &self.quest.question
    }
}

impl Run for Menu {
    /// The option's target for an answer; the question's ways out for the rest.
    fn next<'plan>(&'plan self, event: &Event, _: &mut Visit<'_>) -> Next<'plan> {
        let question = &self.quest.question;
        match event {
            Event::Answered(Answer::Option(place)) => match self.goes.get(*place) {
                Some(go) => Next::Go(*go),
                None => or_again(0, question.no_match, Excuse::NoMatch),
            },
            Event::Answered(Answer::Universal(universal)) => question::wish(0, question, *universal),
            Event::NoMatch { rejected: true } => {
                or_again(0, self.reject_go.unwrap_or(question.no_match), Excuse::NoMatch)
            }
            other => question::next(0, question, other),
        }
    }

    fn quests(&self) -> Vec<&Quest> {
        vec![&self.quest]
    }

    fn exits(&self) -> Vec<(String, Target)> {
        let options = self.options().options.iter().zip(&self.goes).map(|(option, go)| (option.name.clone(), *go));
        options.chain(self.reject_go.map(|go| ("unsure".to_owned(), go))).collect()
    }
}

impl Ear for Options {
    /// One key is an answer; `0` that no option uses means a person, where one may be asked for.
    fn keys(&self, typed: &str, _: &Hearing) -> Keyed {
        let Some(key) = typed.chars().next() else { return Keyed::More(None) };
        if let Some(place) = self.options.iter().position(|option| option.key.is_some_and(|digit| digit.face() == key))
        {
            return Keyed::Complete(Answer::Option(place));
        }
        match (key, self.operator) {
            ('0', true) => Keyed::Complete(Answer::Universal(Universal::Operator)),
            _ => Keyed::Wrong,
        }
    }

    /// The best candidate, unless it is too weak or another is as good.
    fn speech(&self, nbest: &NBest, hearing: &Hearing) -> Judged {
        let nothing = Judged::nothing(nbest);
        let Some(matcher) = self.matchers.get(&hearing.language) else { return nothing };
        let verdict = matcher.understand(nbest);
        let name = |meaning: &Meaning| match meaning {
            Meaning::Option(place) => self.option_name(*place),
            Meaning::Universal(universal) => question::universal_name(*universal).to_owned(),
        };
        let Some((best, confidence)) = verdict.candidates.first() else { return nothing };
        let judged = Judged {
            confidence: *confidence,
            fit: verdict.fit,
            heard: nbest.hypotheses.get(verdict.hypothesis).map(|guess| guess.text.clone()).or(nothing.heard),
            ..nothing
        };
        match weigh(&verdict.candidates, self.reject_below) {
            Weighed::Weak => Judged { rejected: true, ..judged },
            Weighed::Rivals(other) => Judged { meaning: Some(format!("{} or {}", name(best), name(other))), ..judged },
            Weighed::Sure => Judged { answer: Some(answer_of(best)), meaning: Some(name(best)), ..judged },
        }
    }

    fn name(&self, answer: &Answer) -> String {
        match answer {
            Answer::Option(place) => self.option_name(*place),
            _ => String::new(),
        }
    }

    fn takes_keys(&self) -> bool {
        self.operator || self.options.iter().any(|option| option.key.is_some())
    }
}

impl Options {
    /// The option's key under `options:`.
    pub fn option_name(&self, place: usize) -> String {
        self.options.get(place).map(|option| option.name.clone()).unwrap_or_default()
    }
}

#[derive(Debug, PartialEq)]
enum Weighed<'a> {
    /// The first candidate, beyond doubt.
    Sure,
    /// The first, but this one is as likely.
    Rivals(&'a Meaning),
    /// Not even the first is sure enough.
    Weak,
}

/// Weighs candidates, best first.
fn weigh(candidates: &[(Meaning, f32)], reject_below: f32) -> Weighed<'_> {
    let Some((best, confidence)) = candidates.first() else { return Weighed::Weak };
    if *confidence < reject_below {
        return Weighed::Weak;
    }
    match candidates.iter().find(|(meaning, _)| meaning != best) {
        Some((other, near)) if *near >= reject_below && confidence - near < AMBIGUITY_MARGIN => Weighed::Rivals(other),
        _ => Weighed::Sure,
    }
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS, QUESTION_KEYS])?;
    let mut written = cx.written_question(&mut fields);
    exhausted_go(&mut fields, &mut written, cx.findings);
    written.prompt = cx.required_prompt(&mut fields);
    let choices = match fields.take("options") {
        Some(node) => choices(node, true, cx),
        None => {
            let message = format!("{} has no options", cx.owner());
            let help = "add `options:`, each with a `key`, `phrases` and `go`";
            cx.findings.error(fields.start(), message).help(help);
            Vec::new()
        }
    };
    let (mut reject_below, mut reject_go) = (None, None);
    if let Some(node) = fields.take("reject")
        && let Some(mut reject) = Fields::open(node, "`reject`", &[REJECT_KEYS], cx.findings)
    {
        reject_below = reject.read("below", cx.findings, read::fraction).map(|below| below.value);
        reject_go = cx.target_of(&mut reject, "go");
    }
    let question = cx.question(&written, INCOMPLETE);
    let phrases: Vec<_> = choices.iter().map(|choice| choice.phrases.clone()).collect();
    let matchers = cx.matchers(&phrases, &question.universals);
    lint::menu(&choices, &question, cx);
    let options = Options {
        options: choices
            .iter()
            .map(|choice| MenuOption { name: choice.name.value.clone(), key: choice.key.as_ref().map(|key| key.value) })
            .collect(),
        matchers,
        reject_below: reject_below.unwrap_or(REJECT_BELOW),
        operator: question.universals.operator.is_some(),
    };
    let goes = choices.iter().map(|choice| choice.go).collect();
    Some(Box::new(Menu { quest: Quest { question, ear: Box::new(options) }, goes, reject_go }))
}

/// One option of a menu, as it is written.
#[derive(Debug)]
pub(in crate::dialplan) struct Choice {
    pub name: Spanned<String>,
    pub key: Option<Spanned<Digit>>,
    pub phrases: Option<Localized<Vec<Spanned<String>>>>,
    pub go: Target,
}

/// The options of a step; those that lead nowhere by themselves have no `go`.
pub(in crate::dialplan) fn choices(node: Node, lead: bool, cx: &mut Compiler<'_>) -> Vec<Choice> {
    let owner = cx.owner();
    let Node { at, value: Value::Map(entries) } = node else {
        let help = "write each as `name: { key: 1, phrases: [ … ], go: … }`";
        let message = format!("the options of {owner} must be a map, not {}", node.sort());
        cx.findings.error(node.at, message).help(help);
        return Vec::new();
    };
    if entries.is_empty() {
        cx.findings.error(at, format!("{owner} has no options")).help("a menu needs at least one");
    }
    let choices: Vec<Choice> = entries.into_iter().filter_map(|(name, node)| choice(name, node, lead, cx)).collect();
    check_keys(&choices, cx.findings);
    check_phrases(&choices, cx);
    choices
}

fn choice(name: Spanned<String>, node: Node, lead: bool, cx: &mut Compiler<'_>) -> Option<Choice> {
    let named = read::name(&name, "an option", cx.findings);
    let owner = format!("option `{}`", name.value);
    let keys = if lead { OPTION_KEYS } else { &OPTION_KEYS[..2] };
    let mut fields = Fields::open(node, &owner, &[keys], cx.findings)?;
    let key = fields.take("key");
    let written = fields.take("phrases");
    if key.is_none() && written.as_ref().is_none_or(holds_nothing) {
        let help = "give it a `key`, some `phrases`, or both";
        cx.findings.error(name.at, format!("nobody can choose {owner}")).help(help);
    }
    let key = key.and_then(|node| read::digit(&node, cx.findings));
    let phrases = written.and_then(|node| read::localized(&node, cx.findings, read::lines));
    let go = if lead { cx.go_of(&mut fields, &owner) } else { Target::End };
    named.then_some(Choice { name, key, phrases, go })
}

/// An empty list, or a map of them.
fn holds_nothing(node: &Node) -> bool {
    match &node.value {
        Value::Scalar { .. } => node.is_nothing(),
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.iter().all(|(_, value)| holds_nothing(value)),
    }
}

fn check_keys(choices: &[Choice], findings: &mut Findings) {
    let mut taken = BTreeMap::new();
    for choice in choices {
        let Some(key) = &choice.key else { continue };
        if let Some(other) = taken.insert(key.value, &choice.name.value) {
            let face = key.value.face();
            let message = format!("key {face} is already that of option `{other}`");
            findings.error(key.at, message).help("give one of them another key");
        }
    }
}

/// The same words cannot stand for two options.
fn check_phrases(choices: &[Choice], cx: &mut Compiler<'_>) {
    for language in cx.languages().to_vec() {
        let all: Vec<(usize, Spanned<String>)> = choices
            .iter()
            .enumerate()
            .flat_map(|(place, choice)| {
                cx.phrases_in(choice.phrases.as_ref(), &language).into_iter().map(move |phrase| (place, phrase))
            })
            .collect();
        lint::phrases(&all, &language, cx.findings);
        let mut taken: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for (place, choice) in choices.iter().enumerate() {
            for phrase in cx.phrases_in(choice.phrases.as_ref(), &language) {
                let bare = bare(&phrase.value);
                if bare.is_empty() {
                    let message = format!("`{}` holds nothing that can be said", phrase.value);
                    cx.findings.error(phrase.at, message).help("write the words a caller would say");
                    continue;
                }
                let Some((other, line)) = taken.insert(bare, (place, phrase.at.line)) else { continue };
                if other == place {
                    let message = format!("`{}` stands here twice", phrase.value);
                    cx.findings.warn(phrase.at, message).help(format!("it is also at line {line}"));
                } else {
                    let rival = &choices[other].name.value;
                    let message = format!("`{}` also stands for option `{rival}`", phrase.value);
                    cx.findings
                        .error(phrase.at, message)
                        .help(format!("a caller can mean only one of them: change this one or line {line}"));
                }
            }
        }
    }
}

/// Letters and digits only, in lower case: two phrases that sound the same are the same.
fn bare(phrase: &str) -> String {
    let kept = |letter: char| if letter.is_alphanumeric() { letter } else { ' ' };
    let text: String = phrase.to_lowercase().replace(['\'', '’'], "").chars().map(kept).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::fixture::{bank, heard, hearing, menu_of, next_of};

    #[test]
    fn an_unused_zero_means_a_person_and_other_unused_keys_mean_nothing() {
        let plan = bank();
        let options = menu_of(&plan, "main").options();
        let keys = |typed: &str| options.keys(typed, &hearing());
        assert_eq!(keys("1"), Keyed::Complete(Answer::Option(0)));
        assert_eq!(keys("0"), Keyed::Complete(Answer::Universal(Universal::Operator)));
        assert_eq!(keys("9"), Keyed::Wrong);
        assert_eq!(keys("*"), Keyed::Wrong);
    }

    #[test]
    fn an_option_may_take_zero_for_itself() {
        let plan = bank();
        let main = menu_of(&plan, "main").options();
        let mut options = main.options.clone();
        options[1].key = Digit::new('0');
        let options = Options { options, matchers: BTreeMap::new(), reject_below: 0.5, operator: true };
        assert_eq!(options.keys("0", &hearing()), Keyed::Complete(Answer::Option(1)));
    }

    #[test]
    fn sure_words_are_an_answer_and_unsure_words_are_rejected() {
        let plan = bank();
        let options = menu_of(&plan, "main").options();
        let judged = |text: &str, sure: f32| options.speech(&heard(text, sure), &hearing());
        let sure = judged("balance", 0.9);
        assert_eq!((sure.answer, sure.meaning.as_deref()), (Some(Answer::Option(0)), Some("balance")));
        let unsure = judged("balance", 0.1);
        assert_eq!((unsure.answer, unsure.rejected), (None, true));
        let other = judged("xylophone quartz", 0.9);
        assert_eq!((other.answer, other.rejected), (None, false));
        let mandarin = Hearing { language: Language::parse("zh-CN").unwrap(), ..hearing() };
        assert!(options.speech(&heard("balance", 0.9), &mandarin).answer.is_none());
    }

    #[test]
    fn two_meanings_as_likely_as_each_other_are_not_guessed_between() {
        let option = Meaning::Option;
        assert_eq!(weigh(&[(option(0), 0.90), (option(1), 0.88)], 0.5), Weighed::Rivals(&option(1)));
        assert_eq!(weigh(&[(option(0), 0.90), (option(1), 0.80)], 0.5), Weighed::Sure);
        assert_eq!(weigh(&[(option(0), 0.52), (option(1), 0.49)], 0.5), Weighed::Sure);
        assert_eq!(weigh(&[(option(0), 0.49), (option(1), 0.48)], 0.5), Weighed::Weak);
        assert_eq!(weigh(&[], 0.5), Weighed::Weak);
    }

    #[test]
    fn rejected_words_go_where_the_author_said() {
        let mut plan = bank();
        let rejected = Event::NoMatch { rejected: true };
        assert!(next_of(menu_of(&plan, "main"), &rejected).starts_with("AskAgain"));
        let place = plan.step_named("main").unwrap().0;
        let menu: &mut dyn std::any::Any = plan.steps[place].kind.as_mut();
        menu.downcast_mut::<Menu>().unwrap().reject_go = Some(Target::End);
        assert_eq!(next_of(menu_of(&plan, "main"), &rejected), "Go(End)");
        assert!(next_of(menu_of(&plan, "main"), &Event::NoMatch { rejected: false }).starts_with("AskAgain"));
    }
}
