//! What a plan should learn from its calls: phrases for the options that callers meant, and what each of them would
//! change in everything that is known of the plan.
//!
//! ```text
//!  calls ──▶ hindsight ──▶ per menu and language: not understood, understood wrongly ──▶ suggest ──▶ phrases
//!                 └──────▶ understood rightly ─────────────────────────────┐                           │
//!           conversations, cases beside the plan ─────────────────┴──▶ tried with each ◀──────┘
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::call::record::CallRecord;
use crate::dialplan::edit::{self, Lesson};
use crate::dialplan::load::{Loaded, Texts, load_kept};
use crate::dialplan::outcome::OutcomeKind;
use crate::dialplan::plan::{Plan, StepIx};
use crate::dialplan::step::menu::{Menu, Options};
use crate::dialplan::step::{Answer, Ear as _, Hearing};
use crate::language::Language;
use crate::pii::Pii;
use crate::simulate::runner::{self, Plans};
use crate::simulate::transcript::{self, Script};
use crate::store::hindsight::{self, Heard, Made, menu_of};
use crate::understand::Matcher;
use crate::understand::eval::{self, Case};
use crate::understand::suggest::{self, Kept, Proposal, Why};

/// Additions tried on the conversations; each is a plan of its own.
const TRIED: usize = 40;

/// What the calls teach.
#[derive(Debug, Default)]
pub struct Advice {
    /// Calls looked at.
    pub calls: usize,
    /// Answers at menus that were understood, not understood, and understood wrongly.
    pub answers: [usize; 3],
    /// Phrases to add, by menu and option.
    pub additions: Vec<Addition>,
    /// Questions that no answer was found for.
    pub unanswered: Vec<Unanswered>,
}

/// A phrase an option should learn.
#[derive(Clone, Debug)]
pub struct Addition {
    /// The menu.
    pub step: StepIx,
    /// The option's place.
    pub option: usize,
    /// In which language callers say it.
    pub language: Language,
    /// The phrase, what is like it, how often it was said, and what speaks for it.
    pub proposal: Proposal,
    /// Of the answers that were lost, how many would reach the option.
    pub gains: usize,
    /// Answers, and cases beside the plan, that are right and would go elsewhere, each with the option it would go to;
    /// nothing if it would not be understood any more.
    pub strays: Vec<(Pii<String>, Option<String>)>,
    /// Conversations beside the plan that would not go as written any more.
    pub breaks: Vec<String>,
    /// Why it cannot be written into the plan by itself, if it cannot.
    pub unwritten: Option<edit::Unwritten>,
}

impl Addition {
    /// Would everything that is known to be right stay so?
    pub const fn is_harmless(&self) -> bool {
        self.strays.is_empty() && self.breaks.is_empty()
    }
}

/// A question that callers asked in vain.
#[derive(Clone, Debug)]
pub struct Unanswered {
    /// The step that looked for the answer.
    pub step: String,
    /// In the words of callers, the commonest first.
    pub wordings: Vec<Pii<String>>,
    /// How often.
    pub count: usize,
}

/// What these calls of the plan teach: only at the menu called `only`, if one is named; only what was said in at least
/// `least` calls.
pub fn advise(path: &Path, loaded: &Loaded, records: &[CallRecord], only: Option<&str>, least: usize) -> Advice {
    let plan = &loaded.plan;
    let mut advice = Advice { calls: records.len(), ..Advice::default() };
    let mut asked: BTreeMap<(StepIx, Language), Vec<(usize, Heard)>> = BTreeMap::new();
    for (call, record) in records.iter().enumerate() {
        for heard in hindsight::heard(record, plan) {
            advice.answers[match heard.made {
                Made::Clear(_) => 0,
                Made::Unclear(_) => 1,
                Made::Wrong { .. } => 2,
            }] += 1;
            if only.is_none_or(|only| plan.step(heard.step).name == only) {
                asked.entry((heard.step, heard.language.clone())).or_default().push((call, heard));
            }
        }
    }
    for ((step, language), heard) in asked {
        let Some((_, menu)) = menu_of(plan, &plan.step(step).name) else { continue };
        let cases = cases_of(path, menu, plan.languages.first() == Some(&language));
        advice.additions.extend(of_menu((step, menu), &language, &heard, &cases, least));
    }
    let mut trial = Trial::of(path, loaded);
    for addition in advice.additions.iter_mut().take(TRIED) {
        trial.judge(addition);
    }
    advice.unanswered = unanswered(records, only, least);
    advice
}

/// Cases in `PLAN.cases.tsv` beside the plan, which are in its first language, if they are about the options of this menu.
fn cases_of(path: &Path, menu: &Menu, first: bool) -> Vec<Case> {
    let text = std::fs::read_to_string(path.with_extension("cases.tsv")).ok().filter(|_| first).unwrap_or_default();
    let options: Vec<String> = menu.options().options.iter().map(|option| option.name.clone()).collect();
    eval::parse_cases(&text, &options).unwrap_or_default()
}

fn of_menu(
    (step, menu): (StepIx, &Menu),
    language: &Language,
    heard: &[(usize, Heard)],
    cases: &[Case],
    least: usize,
) -> Vec<Addition> {
    let options = menu.options();
    let Some(matcher) = options.matchers.get(language) else { return Vec::new() };
    let (phrases, universals) = (matcher.options(), matcher.universals());
    let lost = |(call, heard): &(usize, Heard)| match heard.made {
        Made::Clear(_) => None,
        Made::Unclear(meant) => Some(Kept { text: heard.text.clone(), meant, call: *call }),
        Made::Wrong { meant, .. } => Some(Kept { text: heard.text.clone(), meant: Some(meant), call: *call }),
    };
    let lost: Vec<Kept> = heard.iter().filter_map(lost).collect();
    // Heard by ear it may have been surer than it is in writing: only what goes right now can go wrong.
    let mut right: BTreeMap<Pii<String>, Option<usize>> = BTreeMap::new();
    let clear = heard.iter().filter_map(|(_, heard)| match heard.made {
        Made::Clear(option) => Some((heard.text.clone(), Some(option))),
        Made::Unclear(_) | Made::Wrong { .. } => None,
    });
    right.extend(clear.chain(cases.iter().map(|case| (Pii::new(case.text.clone()), case.meant))));
    right.retain(|text, meant| chosen(options, text, language) == *meant);
    let added = |proposal: Proposal| {
        let mut learned = phrases.clone();
        learned[proposal.option].push(proposal.phrase.reveal().clone());
        let after = Options {
            options: options.options.clone(),
            matchers: BTreeMap::from([(language.clone(), Matcher::compile(&learned, &universals, language))]),
            ..*options
        };
        let gains = lost.iter().filter(|kept| chosen(&after, &kept.text, language) == Some(proposal.option)).count();
        let stray = |(text, meant): (&Pii<String>, &Option<usize>)| {
            let now = chosen(&after, text, language);
            (now != *meant).then(|| (text.clone(), now))
        };
        let strays: Vec<_> = right.iter().filter_map(stray).collect();
        let name = |place: Option<usize>| place.map(|place| options.option_name(place));
        Addition {
            step,
            option: proposal.option,
            language: language.clone(),
            gains,
            strays: strays.into_iter().map(|(text, place)| (text, name(place))).collect(),
            breaks: Vec::new(),
            unwritten: None,
            proposal,
        }
    };
    let mut additions: Vec<Addition> =
        suggest::propose(&phrases, &universals, language, &lost, least).into_iter().map(added).collect();
    additions.sort_by_key(|addition| addition.option);
    additions
}

/// The option that words heard clearly would choose.
fn chosen(options: &Options, text: &Pii<String>, language: &Language) -> Option<usize> {
    let hearing = Hearing { language: language.clone(), now: jiff::civil::DateTime::default() };
    match options.speech(&eval::heard_clearly(text.reveal()), &hearing).answer {
        Some(Answer::Option(place)) => Some(place),
        _ => None,
    }
}

fn unanswered(records: &[CallRecord], only: Option<&str>, least: usize) -> Vec<Unanswered> {
    let mut asked: BTreeMap<(String, Option<Language>), Vec<&str>> = BTreeMap::new();
    for record in records {
        for outcome in record.outcomes.iter().filter(|outcome| only.is_none_or(|only| outcome.step == only)) {
            if let OutcomeKind::Unanswered { question } = &outcome.kind {
                asked.entry((outcome.step.clone(), record.language.clone())).or_default().push(question.reveal());
            }
        }
    }
    let mut all: Vec<Unanswered> = Vec::new();
    for ((step, language), questions) in asked {
        let language = language.unwrap_or_else(Language::english);
        for (wordings, count) in suggest::alike_said(questions, &language) {
            if count >= least {
                all.push(Unanswered {
                    step: step.clone(),
                    wordings: wordings.into_iter().map(Pii::new).collect(),
                    count,
                });
            }
        }
    }
    all
}

/// The conversations beside a plan, and those of them that go as written now.
struct Trial<'a> {
    path: &'a Path,
    loaded: &'a Loaded,
    scripts: Vec<Script>,
}

impl<'a> Trial<'a> {
    fn of(path: &'a Path, loaded: &'a Loaded) -> Self {
        let whole = |script: &Script| runner::run(script, loaded.plan.clone()).passed();
        let scripts = beside(path).into_iter().filter(whole).collect();
        Self { path, loaded, scripts }
    }

    fn judge(&mut self, addition: &mut Addition) {
        match with(self.path, &self.loaded.plan, &self.loaded.texts, addition) {
            Ok(loaded) => {
                let broken = |script: &&Script| !runner::run(script, loaded.plan.clone()).passed();
                addition.breaks = self.scripts.iter().filter(broken).map(|script| script.name.clone()).collect();
            }
            Err(why) => addition.unwritten = Some(why),
        }
    }
}

/// The conversations in the plan's folder that are about it.
fn beside(path: &Path) -> Vec<Script> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let ours = path.canonicalize().ok();
    let mut scripts = Vec::new();
    for file in runner::find(folder).unwrap_or_default() {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let about = |script: &Script| {
            let named = Plans::find(&script.header.plan, &file);
            named.and_then(|named| named.canonicalize().ok()) == ours
        };
        scripts.extend(transcript::parse(&text).unwrap_or_default().into_iter().filter(about));
    }
    scripts
}

/// The plan with the phrase in it, made of its texts as they stand in `texts`.
pub fn with(path: &Path, plan: &Arc<Plan>, texts: &Texts, addition: &Addition) -> Result<Loaded, edit::Unwritten> {
    let step = plan.step(addition.step);
    let (_, menu) = menu_of(plan, &step.name).ok_or(edit::Unwritten::Elsewhere)?;
    let option = menu.options().option_name(addition.option);
    let lesson = Lesson {
        step: step.at,
        // Of a sub-plan's step, its name in the sub-plan's own file.
        name: step.name.rsplit('/').next().unwrap_or(&step.name),
        option: &option,
        language: &addition.language,
        first: plan.languages.first() == Some(&addition.language),
        phrase: addition.proposal.phrase.reveal(),
    };
    let mut fault = edit::Unwritten::Elsewhere;
    for place in 0..texts.len() {
        match edit::learn(&texts[place].1, &lesson) {
            Ok(text) => {
                let mut texts = texts.clone();
                texts[place].1 = text;
                let loaded = load_kept(path, texts).map_err(|_| edit::Unwritten::ByHand)?;
                let knows = |menu: &Menu| {
                    let matcher = menu.options().matchers.get(&addition.language);
                    matcher.is_some_and(|matcher| {
                        matcher.options()[addition.option].iter().any(|has| has == lesson.phrase)
                    })
                };
                let learned = menu_of(&loaded.plan, &step.name).is_some_and(|(_, menu)| knows(menu));
                return if learned { Ok(loaded) } else { Err(edit::Unwritten::ByHand) };
            }
            Err(edit::Unwritten::Elsewhere) => {}
            Err(why) => fault = why,
        }
    }
    Err(fault)
}

/// Texts that differ from what they were: what is to be written.
pub fn changed<'a>(before: &Texts, after: &'a Texts) -> Vec<(&'a PathBuf, &'a str)> {
    let old: BTreeSet<(&PathBuf, &str)> = before.iter().map(|(path, text)| (path, text.as_str())).collect();
    after.iter().map(|(path, text)| (path, text.as_str())).filter(|one| !old.contains(one)).collect()
}

/// What speaks for a phrase, in words.
pub fn because(why: &Why) -> String {
    match why {
        Why::Reached(count, of) => format!("{count} of {of} came to it in the end"),
        Why::Nearest(sure) => format!("nearest, {sure:.2}"),
    }
}
