//! `trunkline understand`: how well are callers' words understood?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::dialplan::load;
use crate::dialplan::plan::Plan;
use crate::dialplan::step::menu::Menu;
use crate::language::Language;
use crate::time::{Clock, SystemClock};
use crate::understand::eval::{self, Report};
use crate::understand::tasks::{self, Task};
use crate::understand::{Matcher, Meaning, Universal, calibrate};

/// Menus drawn from a labelled set for a new calibration; chosen to keep it near a minute.
const DRAWS: u64 = 40;
/// In-scope cases count this much against strangers. Not a measured share of callers: 4 to 10 were tried, and 6 put
/// the thresholds plans use (0.5, 0.6) where drawn menus refuse about three strangers in four.
const IN_SCOPE_ODDS: f32 = 6.0;
/// What a menu of the development file counts against a drawn one: set by hand, those are closer to real plans.
const TASK_WEIGHT: f32 = 4.0;
/// Rounds of the fit; set by hand.
const ROUNDS: usize = 1500;
/// Pull of the weights towards zero.
const DECAY: f32 = 1e-4;

/// How well callers' words are understood
#[derive(Debug, Args)]
pub struct UnderstandArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Try the sentences of a file on a menu: how many are understood, how many strangers are refused
    Eval(EvalArgs),
    /// Find the calibration's weights again, from development tasks
    Fit(FitArgs),
}

#[derive(Debug, Args)]
struct EvalArgs {
    /// Lines of `option<TAB>text`; `-` as the option of a sentence that is out of scope.
    cases: PathBuf,
    /// The dial plan.
    #[arg(long)]
    plan: PathBuf,
    /// The menu; the plan's first when left out.
    #[arg(long)]
    step: Option<String>,
    /// The language of the sentences; the plan's first when left out.
    #[arg(long, value_parser = Language::parse)]
    lang: Option<Language>,
    /// Refuse below this confidence; what the menu says when left out.
    #[arg(long, value_parser = confidence)]
    below: Option<f32>,
    /// List every sentence that was not dealt with rightly.
    #[arg(long)]
    misses: bool,
}

#[derive(Debug, Args)]
struct FitArgs {
    /// Lines of `domain<TAB>phrase|case<TAB>option<TAB>text` under a heading.
    tasks: PathBuf,
    /// A labelled set to draw few-shot menus from as well: `text<TAB>intent` under a heading.
    #[arg(long)]
    draws: Option<PathBuf>,
    /// Leave these domains out, to measure on them later.
    #[arg(long, value_delimiter = ',')]
    without: Vec<String>,
}

/// Does what `args` asks and prints to standard output.
pub fn run(args: &UnderstandArgs) -> ExitCode {
    let answer = match &args.what {
        What::Eval(args) => evaluate(args),
        What::Fit(args) => fit(args),
    };
    match answer {
        Ok(text) => super::print(&text),
        Err(why) => super::fail(&why),
    }
}

fn evaluate(args: &EvalArgs) -> Result<String, String> {
    let plan = load::load(&args.plan).map_err(|found| found.to_string())?.plan;
    let (name, menu) = menu_of(&plan, args.step.as_deref())?;
    let language = args.lang.as_ref().unwrap_or(&plan.languages[0]);
    let spoken = || plan.languages.iter().map(Language::as_str).collect::<Vec<_>>().join(", ");
    let menu = menu.options();
    let matcher = menu
        .matchers
        .get(language)
        .ok_or_else(|| format!("the plan does not speak {language}; it speaks {}", spoken()))?;
    let options: Vec<String> = menu.options.iter().map(|option| option.name.clone()).collect();
    let path = args.cases.display();
    let cases = eval::parse_cases(&read(&args.cases)?, &options).map_err(|error| format!("{path}: {error}"))?;
    let began = SystemClock.now().mono;
    let outcomes = eval::measure(matcher, &cases);
    let each_ms = (SystemClock.now().mono - began).as_secs_f64() * 1000.0 / cases.len() as f64;
    let reject_below = args.below.unwrap_or(menu.reject_below);
    let report = Report { options: &options, outcomes: &outcomes, reject_below };
    let misses = if args.misses { format!("\n{}", report.misses()) } else { String::new() };
    let file = args.plan.display();
    Ok(format!("{file} step `{name}`, {language}, {each_ms:.3} ms a sentence\n{report}{misses}"))
}

fn menu_of<'a>(plan: &'a Plan, wanted: Option<&str>) -> Result<(&'a str, &'a Menu), String> {
    let mut menus = plan.steps.iter().filter_map(|step| Some((step.name.as_str(), step.is::<Menu>()?)));
    match wanted {
        Some(wanted) => {
            menus.find(|(name, _)| *name == wanted).ok_or_else(|| format!("the plan has no menu named `{wanted}`"))
        }
        None => menus.next().ok_or_else(|| "the plan has no menu".to_owned()),
    }
}

fn fit(args: &FitArgs) -> Result<String, String> {
    let found = tasks::parse(&read(&args.tasks)?).map_err(|error| format!("{}: {error}", args.tasks.display()))?;
    let kept: Vec<Task> = found.into_iter().filter(|task| !args.without.contains(&task.name)).collect();
    let mut lessons: Vec<calibrate::Lesson> = kept.iter().flat_map(|task| lessons(task, TASK_WEIGHT)).collect();
    if let Some(set) = &args.draws {
        let (phrases, sentences) = tasks::halves(&tasks::by_intent(&read(set)?));
        let drawn = (0..DRAWS).filter_map(|seed| tasks::draw(&phrases, &sentences, seed));
        lessons.extend(drawn.flat_map(|task| self::lessons(&task, 1.0)));
    }
    if lessons.is_empty() {
        return Err("nothing to learn from".to_owned());
    }
    let weights = calibrate::fit(&lessons, DECAY, ROUNDS);
    Ok(format!("{} lessons\npub const WEIGHTS: Weights = {weights:.2?};\n", lessons.len()))
}

/// One menu's cases as lessons. Together they weigh `weight` whatever their number.
fn lessons(task: &Task, weight: f32) -> Vec<calibrate::Lesson> {
    let universals = [Universal::Operator, Universal::Repeat, Universal::Back];
    let matcher = Matcher::compile(&task.phrases, &universals, &Language::english());
    let in_scope = task.cases.iter().filter(|case| case.meant.is_some()).count().max(1) as f32;
    let strangers = task.cases.iter().filter(|case| case.meant.is_none()).count().max(1) as f32;
    let lesson = |case: &eval::Case| {
        let evidence = matcher.evidence(&case.text);
        let place = |option| evidence.iter().position(|(meaning, _)| *meaning == Meaning::Option(option));
        // What nothing speaks for cannot be learned, however right it would be.
        let (meant, share) = match case.meant {
            Some(option) => (Some(place(option)?), IN_SCOPE_ODDS / in_scope),
            None => (None, 1.0 / strangers),
        };
        let evidence = evidence.into_iter().map(|(_, evidence)| evidence).collect();
        Some(calibrate::Lesson { evidence, meant, weight: share * weight })
    };
    task.cases.iter().filter_map(lesson).collect()
}

/// Confidences are shares.
fn confidence(text: &str) -> Result<f32, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a confidence lies between 0 and 1, such as 0.6".to_owned())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confidence_lies_between_0_and_1() {
        let taken = ["0", "0.6", "1", "1.0"].map(confidence);
        assert!(taken.iter().all(Result::is_ok), "{taken:?}");
        for text in ["7", "-0.1", "1.01", "NaN", "inf", "", "60%"] {
            assert!(confidence(text).unwrap_err().contains("between 0 and 1"), "{text}");
        }
    }
}
