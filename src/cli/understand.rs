//! `trunkline understand`: how well are callers' words understood?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Subcommand};

use crate::dialplan::load;
use crate::dialplan::plan::Plan;
use crate::dialplan::step::menu::Menu;
use crate::language::Language;
use crate::time::{Clock, SystemClock};
use crate::understand::benchmark::{self, Findings, Judged, Measures};
use crate::understand::eval::{self, Outcome, Report};
use crate::understand::labelled::{self, Labelled, Sentence};
use crate::understand::model::Example;
use crate::understand::tasks::{self, Task};
use crate::understand::trained::{Recipe, Trained};
use crate::understand::{Matcher, Meaning, Universal, calibrate, features};

/// Menus drawn from a labelled set for a new calibration; chosen to keep it near a minute.
const DRAWS: u64 = 40;
/// In-scope cases count this much against strangers. Not a measured share of callers: 4 to 10 were tried, and 6 put
/// the thresholds plans use (0.5, 0.6) where drawn menus refuse about three strangers in four.
const IN_SCOPE_ODDS: f32 = 6.0;
/// What a menu of the development file counts against a drawn one: set by hand, those are closer to real plans.
const TASK_WEIGHT: f32 = 10.0;
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
    /// Learn from one file and try another, or try a file on a plan's menu: how many are understood, how many
    /// strangers refused
    Eval(EvalArgs),
    /// Find the calibration's weights again, from development tasks
    Fit(FitArgs),
}

#[derive(Debug, Args)]
struct EvalArgs {
    /// Learn from the sentences of this file: lines of `text<TAB>intent` under that heading.
    #[arg(long, requires = "test", conflicts_with = "plan", required_unless_present = "plan")]
    train: Option<PathBuf>,
    /// Try the sentences of this file, written the same way.
    #[arg(long, requires = "train")]
    test: Option<PathBuf>,
    /// The intent of sentences that belong to none of the others; in cases of a plan `-` says that too.
    #[arg(long)]
    oos: Option<String>,
    /// Learn from so many sentences of each intent only.
    #[arg(long, requires = "train", value_parser = clap::value_parser!(u32).range(1..))]
    shots: Option<u32>,
    /// Which sentences `--shots` draws.
    #[arg(long, requires = "shots", default_value_t = 1)]
    seed: u64,
    /// Write the numbers here as well, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measure a menu of this dial plan instead.
    #[arg(long, requires = "cases")]
    plan: Option<PathBuf>,
    /// What to try on the menu: lines of `option<TAB>text`, or of `text<TAB>intent` under that heading; `-` as the
    /// option of a sentence that is out of scope.
    #[arg(long, requires = "plan")]
    cases: Option<PathBuf>,
    /// The menu; the plan's first that has all the options of the cases when left out.
    #[arg(long, requires = "plan")]
    step: Option<String>,
    /// The language of the sentences; told by their letters when left out.
    #[arg(long, value_parser = Language::parse)]
    lang: Option<Language>,
    /// Refuse below this confidence; what the menu says when left out.
    #[arg(long, value_parser = confidence, requires = "plan")]
    below: Option<f32>,
    /// List every sentence that was not dealt with rightly.
    #[arg(long)]
    misses: bool,
}

#[derive(Debug, Args)]
struct FitArgs {
    /// Lines of `domain<TAB>phrase|case<TAB>option<TAB>text` under a heading.
    tasks: Option<PathBuf>,
    /// A labelled set to draw few-shot menus from as well: `text<TAB>intent` under a heading.
    #[arg(long)]
    draws: Option<PathBuf>,
    /// Leave these domains out, to measure on them later.
    #[arg(long, value_delimiter = ',')]
    without: Vec<String>,
    /// The language of all of it.
    #[arg(long, value_parser = Language::parse, default_value = "en")]
    lang: Language,
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
    match (&args.train, &args.test, &args.plan, &args.cases) {
        (Some(train), Some(test), ..) => evaluate_set(args, train, test),
        (.., Some(plan), Some(cases)) => evaluate_plan(args, plan, cases),
        _ => Err("say what to measure: `--train FILE --test FILE`, or `--plan FILE --cases FILE`".to_owned()),
    }
}

/// Learns from one file of labelled sentences and tries another.
fn evaluate_set(args: &EvalArgs, train: &Path, test: &Path) -> Result<String, String> {
    let labelled = |path: &Path| {
        let bytes = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Labelled::parse(path, &bytes).map_err(|error| error.to_string())
    };
    let (mut train, test) = (labelled(train)?, labelled(test)?);
    let oos = args.oos.as_deref();
    let names = train.intents(oos);
    if let Some(oos) =
        oos.filter(|oos| [&train, &test].iter().all(|set| set.sentences.iter().all(|row| row.intent != **oos)))
    {
        let path = test.path.display();
        return Err(format!(
            "{path}:1: no sentence has the intent `{oos}` that --oos names, here or in the training file"
        ));
    }
    if names.len() < 2 {
        return Err(format!("{}:1: there must be at least two intents to tell apart", train.path.display()));
    }
    test.check(&names, oos).map_err(|error| error.to_string())?;
    if let Some(shots) = args.shots {
        train = train.drawn(shots as usize, args.seed);
    }
    let language = args.lang.clone().unwrap_or_else(|| train.language());
    let strangers = |set: &Labelled| set.sentences.iter().filter(|row| Some(row.intent.as_str()) == oos).count();
    let (train_strangers, test_strangers) = (strangers(&train), strangers(&test));
    let (measures, judged) =
        Trial { train: &train, test: &test, names: &names, language: &language }.run(&Recipe::ours(&language));
    let (yardstick, _) = Trial { train: &train, test: &test, names: &names, language: &language }.run(&Recipe::plain());
    let findings = Findings {
        language: language.to_string(),
        train_rows: train.sentences.len() - train_strangers,
        train_strangers,
        test_rows: test.sentences.len() - test_strangers,
        test_strangers,
        classes: names.len(),
        measures,
        yardstick: Some(yardstick),
        confusions: benchmark::confusions(&judged, &names),
    };
    write_json(args, &findings)?;
    let misses = if args.misses { misses(&test, &judged, &names) } else { String::new() };
    Ok(format!("{findings}{misses}"))
}

/// Two files and what they are about.
#[derive(Clone, Copy)]
struct Trial<'a> {
    train: &'a Labelled,
    test: &'a Labelled,
    names: &'a [String],
    language: &'a Language,
}

impl Trial<'_> {
    fn run(self, recipe: &Recipe) -> (Measures, Vec<Judged>) {
        let class = |row: &Sentence| self.names.binary_search(&row.intent).ok();
        let began = SystemClock.now().mono;
        let examples: Vec<Example> =
            self.train.sentences.iter().map(|row| Example::new(&row.text, class(row), self.language)).collect();
        let trained = Trained::learn(&examples, self.names.len(), self.language, recipe);
        let train_ms = (SystemClock.now().mono - began).as_secs_f64() * 1000.0;
        let began = SystemClock.now().mono;
        let judge = |row: &Sentence| {
            let verdict = trained.classify(&features::features(&row.text, self.language));
            Judged {
                meant: class(row),
                taken: Some(verdict.class),
                confidence: verdict.confidence,
                belongs: verdict.belongs,
            }
        };
        let judged: Vec<Judged> = self.test.sentences.iter().map(judge).collect();
        let classify_us = (SystemClock.now().mono - began).as_secs_f64() * 1e6 / judged.len().max(1) as f64;
        (Measures::of(&judged, self.names.len(), trained.thresholds(), train_ms, classify_us), judged)
    }
}

/// Sentences of our classes taken for another: meant, taken for, confidence, text.
fn misses(test: &Labelled, judged: &[Judged], names: &[String]) -> String {
    let name = |class: Option<usize>| class.and_then(|class| names.get(class)).map_or("-", String::as_str);
    let wrong = test.sentences.iter().zip(judged).filter(|(_, one)| one.meant.is_some() && one.taken != one.meant);
    let line = |(row, one): (&Sentence, &Judged)| {
        format!("{:<28}{:<28}{:.2}  {}\n", name(one.meant), name(one.taken), one.confidence, row.text)
    };
    std::iter::once("\n".to_owned()).chain(wrong.map(line)).collect()
}

fn write_json(args: &EvalArgs, findings: &Findings) -> Result<(), String> {
    let Some(path) = &args.json else { return Ok(()) };
    let text = serde_json::to_string_pretty(findings).map_err(|error| format!("cannot write the numbers: {error}"))?;
    fs::write(path, text + "\n").map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn evaluate_plan(args: &EvalArgs, file: &Path, cases: &Path) -> Result<String, String> {
    let plan = load::load(file).map_err(|found| found.to_string())?.plan;
    let path = cases.display();
    let bytes = fs::read(cases).map_err(|error| format!("cannot read {path}: {error}"))?;
    let lines = eval::parse_lines(&bytes).map_err(|error| format!("{path}: {error}"))?;
    let oos = args.oos.as_deref();
    let (name, menu) = menu_of(&plan, args.step.as_deref(), &lines, oos)?;
    let written = labelled::language_of(lines.iter().map(|line| line.text.as_str()));
    let language = match &args.lang {
        Some(language) => language,
        None => plan.languages.iter().find(|one| one.primary() == written.primary()).unwrap_or(&plan.languages[0]),
    };
    let spoken = || plan.languages.iter().map(Language::as_str).collect::<Vec<_>>().join(", ");
    let menu = menu.options();
    let matcher = menu
        .matchers
        .get(language)
        .ok_or_else(|| format!("the plan does not speak {language}; it speaks {}", spoken()))?;
    let options: Vec<String> = menu.options.iter().map(|option| option.name.clone()).collect();
    let cases = eval::cases(&lines, &options, oos).map_err(|error| format!("{path}: {error}"))?;
    let reject_below = args.below.unwrap_or(menu.reject_below);
    let began = SystemClock.now().mono;
    matcher.warm();
    let train_ms = since(began) * 1e3;
    let thresholds = eval::thresholds(matcher);
    let began = SystemClock.now().mono;
    let outcomes = eval::measure(matcher, &cases);
    let classify_us = since(began) * 1e6 / cases.len() as f64;
    let judged: Vec<Judged> = outcomes.iter().map(Outcome::judged).collect();
    let of_options = cases.iter().filter(|case| case.meant.is_some()).count();
    let findings = Findings {
        language: language.to_string(),
        train_rows: matcher.lessons(),
        train_strangers: 0,
        test_rows: of_options,
        test_strangers: cases.len() - of_options,
        classes: options.len(),
        measures: Measures::of(&judged, options.len(), thresholds, train_ms, classify_us),
        yardstick: Some(plan_yardstick(matcher, &cases, options.len(), language)),
        confusions: benchmark::confusions(&judged, &options),
    };
    write_json(args, &findings)?;
    let report = Report { options: &options, outcomes: &outcomes, reject_below };
    let misses = if args.misses { format!("\n{}", report.misses()) } else { String::new() };
    Ok(format!("{} step `{name}`\n{findings}\n{report}{misses}", file.display()))
}

/// What words weighed by tf-idf and a linear model make of the same phrases and cases. A universal is a class of its
/// own, and no option.
fn plan_yardstick(matcher: &Matcher, cases: &[eval::Case], options: usize, language: &Language) -> Measures {
    let mut universals: Vec<Universal> = Vec::new();
    let mut class = |meaning: &Meaning| match meaning {
        Meaning::Option(option) => *option,
        Meaning::Universal(universal) => {
            options
                + universals.iter().position(|known| known == universal).unwrap_or_else(|| {
                    universals.push(*universal);
                    universals.len() - 1
                })
        }
    };
    let began = SystemClock.now().mono;
    let examples: Vec<Example> =
        matcher.taught().map(|(meaning, phrase)| Example::new(phrase, Some(class(meaning)), language)).collect();
    let trained = Trained::learn(&examples, options + universals.len(), language, &Recipe::plain());
    let train_ms = since(began) * 1e3;
    let began = SystemClock.now().mono;
    let judge = |case: &eval::Case| {
        let verdict = trained.classify(&features::features(&case.text, language));
        let (taken, belongs) = (Some(verdict.class).filter(|class| *class < options), verdict.belongs);
        Judged { meant: case.meant, taken, confidence: verdict.confidence, belongs }
    };
    let judged: Vec<Judged> = cases.iter().map(judge).collect();
    let classify_us = since(began) * 1e6 / cases.len().max(1) as f64;
    Measures::of(&judged, options, trained.thresholds(), train_ms, classify_us)
}

/// Seconds since then.
fn since(began: Instant) -> f64 {
    (SystemClock.now().mono - began).as_secs_f64()
}

/// The menu that was named; else the plan's first that has every option of the cases, so that a complaint is about the
/// first where none has.
fn menu_of<'a>(
    plan: &'a Plan,
    wanted: Option<&str>,
    lines: &[eval::Line],
    oos: Option<&str>,
) -> Result<(&'a str, &'a Menu), String> {
    let menus = || plan.steps.iter().filter_map(|step| Some((step.name.as_str(), step.is::<Menu>()?)));
    if let Some(wanted) = wanted {
        let found = menus().find(|(name, _)| *name == wanted);
        let known = || menus().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
        return found.ok_or_else(|| format!("the plan has no menu named `{wanted}`; its menus are {}", known()));
    }
    let has_all = |menu: &Menu| {
        let options: Vec<String> = menu.options().options.iter().map(|option| option.name.clone()).collect();
        eval::cases(lines, &options, oos).is_ok()
    };
    let fits = menus().find(|(_, menu)| has_all(menu));
    fits.or_else(|| menus().next()).ok_or_else(|| "the plan has no menu".to_owned())
}

fn fit(args: &FitArgs) -> Result<String, String> {
    let found = match &args.tasks {
        Some(path) => tasks::parse(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))?,
        None => Vec::new(),
    };
    let kept: Vec<Task> = found.into_iter().filter(|task| !args.without.contains(&task.name)).collect();
    let of = |task: &Task, weight: f32| lessons(task, &args.lang, weight);
    let mut lessons: Vec<calibrate::Lesson> = kept.iter().flat_map(|task| of(task, TASK_WEIGHT)).collect();
    if let Some(set) = &args.draws {
        let (phrases, sentences) = tasks::halves(&tasks::by_intent(&read(set)?));
        let drawn = (0..DRAWS).filter_map(|seed| tasks::draw(&phrases, &sentences, seed));
        lessons.extend(drawn.flat_map(|task| of(&task, 1.0)));
    }
    if lessons.is_empty() {
        return Err("nothing to learn from".to_owned());
    }
    let weights = calibrate::fit(&lessons, DECAY, ROUNDS, &args.lang);
    Ok(format!("{} lessons\nconst WEIGHTS: Weights = {weights:.2?};\n", lessons.len()))
}

/// One menu's cases as lessons. Together they weigh `weight` whatever their number.
fn lessons(task: &Task, language: &Language, weight: f32) -> Vec<calibrate::Lesson> {
    let universals = [Universal::Operator, Universal::Repeat, Universal::Back];
    let matcher = Matcher::compile(&task.phrases, &universals, language);
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

    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: UnderstandArgs,
    }

    fn evaluated(words: &[&str]) -> Result<String, String> {
        let line = Line::try_parse_from(["understand"].iter().chain(words)).map_err(|error| error.to_string())?;
        match &line.args.what {
            What::Eval(args) => evaluate(args),
            What::Fit(_) => Err("not an evaluation".to_owned()),
        }
    }

    fn file(folder: &Path, name: &str, text: &str) -> String {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }

    #[test]
    fn two_files_become_numbers_for_people_and_programs() {
        let folder = tempfile::tempdir().unwrap();
        let said = [("light", "on"), ("lamp", "on"), ("rain", "weather"), ("snow", "weather"), ("joke", "chat")];
        let row = |(at, (word, intent)): (usize, (&str, &str))| format!("the {word} number {at} please\t{intent}\n");
        let rows =
            |from: usize| said.iter().cycle().skip(from).take(40).copied().enumerate().map(row).collect::<String>();
        let train = file(folder.path(), "train.tsv", &format!("text\tintent\n{}", rows(0)));
        let test = file(folder.path(), "test.tsv", &format!("text\tintent\n{}", rows(3)));
        let json = folder.path().join("out.json");
        let words = ["eval", "--train", &train, "--test", &test, "--oos", "chat", "--json", json.to_str().unwrap()];
        let table = evaluated(&words).unwrap();
        let written: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
        for name in
            ["accuracy", "macro_f1", "micro_f1", "oos_recall_at_3", "oos_recall_at_5", "ece", "train_ms", "classify_us"]
        {
            assert!(written[name].is_f64(), "{name} is missing from {written}");
            assert!(written["yardstick"][name].is_f64(), "{name} is missing from the yardstick");
            assert!(table.lines().any(|line| line.starts_with(name)), "{name} is missing from\n{table}");
        }
        assert_eq!(written["accuracy"], 1.0, "{table}");
        assert_eq!((&written["test_rows"], &written["test_strangers"]), (&32.into(), &8.into()));
    }

    #[test]
    fn files_that_cannot_be_used_are_complained_of_by_line() {
        let folder = tempfile::tempdir().unwrap();
        let good = file(folder.path(), "good.tsv", "text\tintent\na b\tone\nc d\ttwo\n");
        let other = file(folder.path(), "other.tsv", "text\tintent\na b\tthree\n");
        let alone = file(folder.path(), "alone.tsv", "text\tintent\na b\tone\n");
        let bare = file(folder.path(), "bare.tsv", "a b\tone\n");
        for (train, test, said) in [
            (&good, &other, "other.tsv:2: the training file has no sentence for the intent `three`"),
            (&alone, &alone, "alone.tsv:1: there must be at least two intents"),
            (&bare, &good, "bare.tsv:1: the first line must be the heading"),
            (&good, &"/nowhere.tsv".to_owned(), "cannot read /nowhere.tsv"),
        ] {
            let found = evaluated(&["eval", "--train", train, "--test", test]).unwrap_err();
            assert!(found.contains(said), "{found}");
        }
        for words in [&["eval"][..], &["eval", "--train", &good], &["eval", "--plan", "p.yaml"]] {
            assert!(evaluated(words).unwrap_err().contains("required"), "{words:?}");
        }
        let typo = evaluated(&["eval", "--train", &good, "--test", &good, "--oos", "chta"]).unwrap_err();
        assert!(typo.contains("good.tsv:1: no sentence has the intent `chta`"), "{typo}");
        let none = evaluated(&["eval", "--train", &good, "--test", &good, "--shots", "0"]).unwrap_err();
        assert!(none.contains("--shots"), "{none}");
    }

    #[test]
    fn every_shipped_plan_that_has_cases_is_measured_by_them() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans");
        let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.to_string_lossy().ends_with(".cases.tsv"));
        files.sort();
        assert!(files.len() >= 8, "{files:?}");
        for cases in files {
            let name = cases.file_name().unwrap().to_string_lossy().into_owned();
            let plan = folder.join(format!("{}.yaml", name.split('.').next().unwrap()));
            let json = tempfile::NamedTempFile::new().unwrap();
            let words = [
                "eval",
                "--plan",
                plan.to_str().unwrap(),
                "--cases",
                cases.to_str().unwrap(),
                "--json",
                json.path().to_str().unwrap(),
            ];
            let table = evaluated(&words).unwrap_or_else(|error| panic!("{name}: {error}"));
            let written: serde_json::Value = serde_json::from_slice(&fs::read(json.path()).unwrap()).unwrap();
            for measure in [
                "accuracy",
                "macro_f1",
                "micro_f1",
                "oos_recall_at_3",
                "oos_recall_at_5",
                "ece",
                "train_ms",
                "classify_us",
            ] {
                assert!(written[measure].is_f64(), "{name}: {measure} is missing from {written}");
                assert!(written["yardstick"][measure].is_f64(), "{name}: the yardstick lacks {measure}");
                assert!(table.lines().any(|line| line.starts_with(measure)), "{measure} is missing from\n{table}");
            }
            let (ours, plain) =
                (written["accuracy"].as_f64().unwrap(), written["yardstick"]["accuracy"].as_f64().unwrap());
            println!("measured: {name}: accuracy {ours:.3}, tf-idf and a linear model {plain:.3}");
            assert!(ours >= 0.7 && ours >= plain, "{name}: {ours} against {plain}\n{table}");
            assert_eq!(written["language"], if name.contains("zh-CN") { "zh-CN" } else { "en-US" }, "{name}");
        }
    }

    #[test]
    fn cases_that_cannot_be_used_are_complained_of_in_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/pharmacy.yaml");
        let plan = plan.to_str().unwrap();
        let write = |bytes: &[u8]| {
            let path = folder.path().join("c.tsv");
            fs::write(&path, bytes).unwrap();
            path.to_string_lossy().into_owned()
        };
        let rows: [(&[u8], &str); 5] = [
            (b"", "c.tsv: no cases in the file"),
            (b"refill\tfill it \xff again\n", "c.tsv: line 1: these bytes are not UTF-8; save the file as UTF-8"),
            (b"option\ttext\nrefil\tfill it\n", "c.tsv: line 2: the menu has no option `refil`; it has refill, hours"),
            (b"refill\tfill\tit\n", "c.tsv: line 1: there are 3 columns where 2 belong"),
            (b"refill fill it\n", "c.tsv: line 1: expected `option<TAB>text`"),
        ];
        for (bytes, said) in rows {
            let cases = write(bytes);
            let found = evaluated(&["eval", "--plan", plan, "--cases", &cases]).unwrap_err();
            assert!(found.contains(said), "{found}");
        }
        let cases = write("\u{FEFF}text\tintent\r\nmore of my pills please\trefill\r\npizza\tchat\r\n".as_bytes());
        let found = evaluated(&["eval", "--plan", plan, "--cases", &cases, "--oos", "chat"]).unwrap();
        assert!(found.contains("step `main`") && found.contains("tried on 1 and 1 strangers"), "{found}");
        let found = evaluated(&["eval", "--plan", plan, "--cases", &cases]).unwrap_err();
        assert!(found.contains("the menu has no option `chat`"), "{found}");
        let found = evaluated(&["eval", "--plan", plan, "--cases", &cases, "--step", "mian"]).unwrap_err();
        assert!(found.contains("no menu named `mian`; its menus are main, was_that_a_refill"), "{found}");
        let found = evaluated(&["eval", "--plan", plan, "--cases", "/nowhere.tsv"]).unwrap_err();
        assert!(found.contains("cannot read /nowhere.tsv"), "{found}");
    }

    #[test]
    fn a_confidence_lies_between_0_and_1() {
        let taken = ["0", "0.6", "1", "1.0"].map(confidence);
        assert!(taken.iter().all(Result::is_ok), "{taken:?}");
        for text in ["7", "-0.1", "1.01", "NaN", "inf", "", "60%"] {
            assert!(confidence(text).unwrap_err().contains("between 0 and 1"), "{text}");
        }
    }
}
