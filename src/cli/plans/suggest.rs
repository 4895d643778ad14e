//! `trunkline plans suggest`: what callers said that a plan did not understand, as phrases its options should learn.
//!
//! What people said is shown here, on the terminal of whoever may read the database; it goes into no log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::call::record::CallRecord;
use crate::cli::calls::parse_since;
use crate::cli::{complain, fail, harmless, note, print};
use crate::config::Config;
use crate::dialplan::load::{Loaded, load};
use crate::dialplan::plan::Plan;
use crate::dialplan::step::menu::Options;
use crate::simulate::advice::{self, Addition, Advice};
use crate::store::hindsight::menu_of;
use crate::store::sqlite::SqliteStore;
use crate::store::{CallFilter, DATABASE_FILE, Store as _};
use crate::time::{Clock as _, SystemClock};
use crate::understand::suggest::Why;

/// Calls looked at, the latest: each is read whole.
const MOST_CALLS: u32 = 20_000;
/// Other wordings shown of a phrase, and strays and conversations that speak against it.
const SHOWN: usize = 3;

/// `trunkline plans suggest`
#[derive(Debug, clap::Args)]
pub struct SuggestArgs {
    /// The plan's file, or its name [default: every plan that answers a number]
    plan: Option<String>,
    /// Only calls since then: `2h`, `3d`, `today`, `2026-01-31`
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    since: String,
    /// Only at this step
    #[arg(long)]
    step: Option<String>,
    /// Only what was said in so many calls
    #[arg(long, value_name = "CALLS", default_value_t = 2)]
    min: usize,
    /// Write the phrases into the plan: those that change nothing that was right
    #[arg(long)]
    apply: bool,
    /// The data directory itself
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Reads the calls, and says what they teach.
pub fn run(args: &SuggestArgs, config: Option<&Path>, as_json: bool) -> ExitCode {
    match suggest(args, config) {
        Ok(told) => {
            let shown = if as_json {
                let plans: Vec<Value> = told.iter().map(|told| told.json.clone()).collect();
                print(&format!("{:#}\n", json!({ "plans": plans })))
            } else {
                print(&told.iter().map(|told| told.text.as_str()).collect::<Vec<_>>().join("\n"))
            };
            if told.iter().any(|told| told.failed) { ExitCode::FAILURE } else { shown }
        }
        Err(why) => fail(&why),
    }
}

/// What is told of one plan.
#[derive(Debug)]
struct Told {
    text: String,
    json: Value,
    failed: bool,
}

fn suggest(args: &SuggestArgs, config: Option<&Path>) -> Result<Vec<Told>, String> {
    let wanted = args.plan.as_deref().map(Path::new).filter(|path| path.is_file());
    let settings = match (wanted, &args.data) {
        (Some(_), Some(_)) => None,
        _ => Some(Config::load_without_passwords(config).map_err(|error| error.to_string())?),
    };
    let data = args.data.clone().or_else(|| settings.as_ref().map(|settings| settings.data_dir.clone()));
    let data = data.ok_or("no data directory is known; name it with --data")?;
    let mut plans = BTreeMap::new();
    let files: Vec<PathBuf> = match (wanted, &settings) {
        (Some(path), _) => vec![path.to_owned()],
        (None, Some(settings)) => settings.routes.iter().map(|route| route.plan.clone()).collect(),
        (None, None) => Vec::new(),
    };
    for file in files {
        if !plans.contains_key(&file) {
            let loaded = load(&file).map_err(|found| found.to_string())?;
            plans.insert(file, loaded);
        }
    }
    if let (None, Some(name)) = (wanted, &args.plan) {
        let known: Vec<String> = plans.values().map(|loaded| loaded.plan.name.clone()).collect();
        plans.retain(|_, loaded| loaded.plan.name == *name);
        if plans.is_empty() {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(format!("there is no file and no plan `{name}`; plans that answer numbers: {known}"));
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    let zone = TimeZone::system();
    let since = parse_since(&args.since, &zone, SystemClock.now().wall).map_err(|error| error.to_string())?;
    let names: Vec<&str> = plans.values().map(|loaded| loaded.plan.name.as_str()).collect();
    let calls = runtime.block_on(calls_of(&data, since, &names))?;
    let told = |(file, loaded): (PathBuf, Loaded)| {
        let ours: Vec<CallRecord> = calls.iter().filter(|call| call.plan == loaded.plan.name).cloned().collect();
        of_plan(&file, &loaded, &ours, args)
    };
    Ok(plans.into_iter().map(told).collect())
}

async fn calls_of(data: &Path, since: jiff::Timestamp, plans: &[&str]) -> Result<Vec<CallRecord>, String> {
    let sentence = |error: crate::store::StoreError| error.to_string();
    let store = SqliteStore::open_read_only(&data.join(DATABASE_FILE)).await.map_err(sentence)?;
    let listed = store.list(&CallFilter { limit: MOST_CALLS, since: Some(since) }).await.map_err(sentence)?;
    if listed.len() >= MOST_CALLS as usize {
        note(&format_args!("only the latest {MOST_CALLS} calls are looked at; --since takes fewer"));
    }
    let mut calls = Vec::new();
    for call in listed.iter().filter(|call| plans.contains(&call.plan.as_str())) {
        calls.push(store.get(call.id.as_str()).await.map_err(sentence)?);
    }
    store.close().await;
    Ok(calls)
}

fn of_plan(file: &Path, loaded: &Loaded, calls: &[CallRecord], args: &SuggestArgs) -> Told {
    let mut told = Told { text: String::new(), json: Value::Null, failed: false };
    if let Some(step) = &args.step
        && loaded.plan.step_named(step).is_none()
    {
        told.text = format!("{}: there is no step `{step}`\n", file.display());
        told.json = json!({ "plan": loaded.plan.name, "error": told.text.trim_end() });
        told.failed = true;
        return told;
    }
    let advice = advice::advise(file, loaded, calls, args.step.as_deref(), args.min);
    told.text = text(file, &loaded.plan, &advice);
    told.json = as_json(file, &loaded.plan, &advice);
    if args.apply {
        let (said, failed) = apply(file, loaded, &advice);
        told.text.push_str(&said);
        told.json["applied"] = json!(said.trim_end());
        told.failed = failed;
    }
    told
}

/// ```text
/// bank-main   dialplans/bank-main.yaml
///   41 calls; answers at menus: 63 understood, 12 not, 3 wrongly
///
/// menu main
///   balance
///     + am I skint                    3 calls; 3 of 3 came to it in the end
///         also: I'm skint aren't I
///         5 lost answers would be understood; everything else stays as it is
/// ```
fn text(file: &Path, plan: &Plan, advice: &Advice) -> String {
    let [clear, unclear, wrong] = advice.answers;
    let mut text = format!("{}   {}\n", plan.name, file.display());
    let calls = counted(advice.calls, "call", "calls");
    text.push_str(&format!("  {calls}; answers at menus: {clear} understood, {unclear} not, {wrong} wrongly\n"));
    let mut at = None;
    for addition in &advice.additions {
        let step = plan.step(addition.step);
        let place = (addition.step, &addition.language, addition.option);
        if at.is_none_or(|(before, language, _)| (before, language) != (addition.step, &addition.language)) {
            let language = if plan.languages.len() > 1 { format!(" in {}", addition.language) } else { String::new() };
            text.push_str(&format!("\nmenu {}{language}\n", step.name));
        }
        if at != Some(place) {
            text.push_str(&format!("  {}\n", option_name(plan, addition)));
        }
        at = Some(place);
        text.push_str(&one(addition));
    }
    if !advice.unanswered.is_empty() {
        text.push_str("\nasked in vain\n");
        for question in &advice.unanswered {
            let wordings = shown(question.wordings.iter().map(|wording| quoted(wording.reveal())));
            text.push_str(&format!("  {:>4} × at {}: {wordings}\n", question.count, question.step));
        }
    }
    if advice.additions.is_empty() && advice.unanswered.is_empty() {
        text.push_str("  nothing to learn from them\n");
    }
    text
}

fn one(addition: &Addition) -> String {
    let proposal = &addition.proposal;
    let phrase = harmless(proposal.phrase.reveal());
    let calls = counted(proposal.calls, "call", "calls");
    let mut text = format!("    + {phrase:<32}  {calls}; {}\n", advice::because(&proposal.why));
    if proposal.wordings.len() > 1 {
        let others = shown(proposal.wordings.iter().skip(1).map(|wording| quoted(wording.reveal())));
        text.push_str(&format!("        also {others}\n"));
    }
    let gains = counted(addition.gains, "lost answer", "lost answers");
    if addition.is_harmless() && addition.unwritten.is_none() {
        text.push_str(&format!("        {gains} would be understood; everything else stays as it is\n"));
    } else {
        text.push_str(&format!("        {gains} would be understood\n"));
    }
    if !addition.strays.is_empty() {
        let stray = |(text, to): &(crate::pii::Pii<String>, Option<String>)| {
            let to = to.as_ref().map_or_else(|| "nobody".to_owned(), |to| format!("`{to}`"));
            format!("{} to {to}", quoted(text.reveal()))
        };
        let strays = shown(addition.strays.iter().map(stray));
        text.push_str(&format!("        but these went right and would go elsewhere: {strays}\n"));
    }
    if !addition.breaks.is_empty() {
        let breaks = shown(addition.breaks.iter().map(|name| quoted(name)));
        text.push_str(&format!("        but these conversations would go another way: {breaks}\n"));
    }
    if let Some(why) = &addition.unwritten {
        text.push_str(&format!("        {why}\n"));
    }
    text
}

fn as_json(file: &Path, plan: &Plan, advice: &Advice) -> Value {
    let addition = |addition: &Addition| {
        let proposal = &addition.proposal;
        let wordings: Vec<&String> = proposal.wordings.iter().map(crate::pii::Pii::reveal).collect();
        let why = match proposal.why {
            Why::Reached(count, of) => json!({ "reached": count, "of": of }),
            Why::Nearest(confidence) => json!({ "confidence": confidence }),
        };
        let stray = |(text, to): &(crate::pii::Pii<String>, Option<String>)| json!({ "text": text.reveal(), "to": to });
        json!({
            "step": plan.step(addition.step).name,
            "option": option_name(plan, addition),
            "language": addition.language.as_str(),
            "phrase": proposal.phrase.reveal(),
            "wordings": wordings,
            "said": proposal.count,
            "calls": proposal.calls,
            "why": why,
            "gains": addition.gains,
            "strays": addition.strays.iter().map(stray).collect::<Vec<_>>(),
            "breaks": addition.breaks,
            "harmless": addition.is_harmless(),
            "by_hand": addition.unwritten.as_ref().map(ToString::to_string),
        })
    };
    let unanswered = |question: &advice::Unanswered| {
        let wordings: Vec<&String> = question.wordings.iter().map(crate::pii::Pii::reveal).collect();
        json!({ "step": question.step, "wordings": wordings, "said": question.count })
    };
    let [understood, not_understood, wrong] = advice.answers;
    json!({
        "plan": plan.name,
        "file": file.display().to_string(),
        "version": plan.version,
        "calls": advice.calls,
        "answers": { "understood": understood, "not_understood": not_understood, "wrong": wrong },
        "additions": advice.additions.iter().map(addition).collect::<Vec<_>>(),
        "unanswered": advice.unanswered.iter().map(unanswered).collect::<Vec<_>>(),
    })
}

/// Writes what is harmless into the plan's files, and says what was done; and whether anything went wrong.
fn apply(file: &Path, loaded: &Loaded, advice: &Advice) -> (String, bool) {
    let mut texts = loaded.texts.clone();
    let mut plan = loaded.plan.clone();
    let (mut added, mut left) = (0, 0);
    for addition in &advice.additions {
        // One after another: the next is tried on a plan that has learned the last.
        match advice::with(file, &plan, &texts, addition) {
            Ok(learned) if addition.is_harmless() => {
                (texts, plan) = (learned.texts, learned.plan);
                added += 1;
            }
            _ => left += 1,
        }
    }
    let left = match left {
        0 => String::new(),
        left => format!("{} left for you to decide.\n", counted(left, "phrase is", "phrases are")),
    };
    if added == 0 {
        return (format!("\nNothing was written.\n{left}"), false);
    }
    for (path, text) in advice::changed(&loaded.texts, &texts) {
        let before = loaded.texts.iter().find(|(other, _)| other == path).map_or("", |(_, text)| text);
        if let Err(why) = rewrite(path, before, text) {
            complain(&why);
            return (format!("\n{} could not be written.\n", path.display()), true);
        }
    }
    match load(file) {
        Ok(_) => {
            let added = counted(added, "phrase", "phrases");
            (format!("\n{}: {added} written, and the plan is sound.\n{left}", file.display()), false)
        }
        Err(found) => {
            complain(&found);
            (format!("\n{} is not sound any more.\n", file.display()), true)
        }
    }
}

/// Puts `after` in the place of `before`, whole or not at all; a file that somebody has edited meanwhile stays.
fn rewrite(path: &Path, before: &str, after: &str) -> Result<(), String> {
    const MARK: &str = "\u{feff}";
    let place = path.display();
    let fault = |error: std::io::Error| format!("{place}: {error}");
    let now = std::fs::read_to_string(path).map_err(fault)?;
    let (mark, text) = now.strip_prefix(MARK).map_or(("", now.as_str()), |text| (MARK, text));
    if text != before {
        return Err(format!("{place}: somebody has edited it meanwhile; try again"));
    }
    // Beside it, so that it is one step; through links, so that the file that is linked to changes.
    let path = path.canonicalize().map_err(fault)?;
    let beside = path.with_extension("yaml.new");
    let permissions = std::fs::metadata(&path).map_err(fault)?.permissions();
    let write = || {
        std::fs::write(&beside, format!("{mark}{after}"))?;
        std::fs::set_permissions(&beside, permissions)?;
        std::fs::rename(&beside, &path)
    };
    write().inspect_err(|_| drop(std::fs::remove_file(&beside))).map_err(fault)
}

fn option_name(plan: &Plan, addition: &Addition) -> String {
    let options: Option<&Options> = menu_of(plan, &plan.step(addition.step).name).map(|(_, menu)| menu.options());
    options.map(|options| options.option_name(addition.option)).unwrap_or_default()
}

fn quoted(words: &str) -> String {
    format!("“{}”", harmless(words))
}

fn shown(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(SHOWN);
    let mut shown = all.take(SHOWN).collect::<Vec<_>>().join(", ");
    if more > 0 {
        shown.push_str(&format!(" and {more} more"));
    }
    shown
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Digit;
    use crate::simulate::conversation::{Caller, Conversation};

    const PLAN: &str = "\
# The bank's plan.
dialplan: 1
name: bank
start: main
defaults: { question: { go: agent } }
steps:
  main:
    menu:
      prompt: \"What can I do for you?\"   # short
      options:
        balance: { key: 1, phrases: [my balance, how much is in my account], go: agent }
        lost:    { key: 3, phrases: [lost my card, my card was stolen], go: agent }
        question: { key: 4, phrases: [I have a question], go: wonder }
  wonder:
    answer:
      prompt: \"What would you like to know?\"
      file: answers.md
      go: agent
      unknown: agent
  agent: { hangup: \"Goodbye.\" }
";
    const ANSWERS: &str = "# en-US\n\n## When are you open?\n\nFrom nine to five.\n";

    struct Bench {
        folder: tempfile::TempDir,
        plan: PathBuf,
    }

    impl Bench {
        /// A plan, a conversation beside it, and calls with these lines (`#1` for keys).
        fn new(calls: &[&[&str]]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let plan = folder.path().join("bank.yaml");
            std::fs::write(&plan, PLAN).unwrap();
            std::fs::write(folder.path().join("answers.md"), ANSWERS).unwrap();
            let test =
                "## By word\n```call\nplan: bank.yaml\nbot …\nyou my balance\nbot Goodbye.\nend completed\n```\n";
            std::fs::write(folder.path().join("bank.test.md"), test).unwrap();
            let loaded = load(&plan).unwrap_or_else(|found| panic!("{found}")).plan;
            let mut records = Vec::new();
            for (number, lines) in calls.iter().enumerate() {
                let at = SystemClock.now().wall - jiff::SignedDuration::from_secs(60 * (number as i64 + 1));
                let mut talk = Conversation::begin(loaded.clone(), &Caller { at, ..Caller::default() });
                for line in *lines {
                    talk.until_listening();
                    match line.strip_prefix('#') {
                        Some(keys) => talk.press(&keys.chars().filter_map(Digit::new).collect::<Vec<_>>()),
                        None => talk.say(line, 0.95),
                    }
                }
                talk.to_the_end();
                records.push(talk.record().expect("over").clone());
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let store = SqliteStore::open(&folder.path().join(DATABASE_FILE)).await.unwrap();
                store.save(&records).await.unwrap();
                store.close().await;
            });
            Self { folder, plan }
        }

        fn told(&self, change: impl FnOnce(&mut SuggestArgs)) -> Told {
            let mut args = SuggestArgs {
                plan: Some(self.plan.display().to_string()),
                since: "1d".to_owned(),
                step: None,
                min: 2,
                apply: false,
                data: Some(self.folder.path().to_owned()),
            };
            change(&mut args);
            suggest(&args, None).unwrap().remove(0)
        }
    }

    const SKINT: &[&str] = &["am I skint", "#1"];

    #[test]
    fn what_callers_reached_by_key_is_proposed_with_what_it_would_change() {
        let bench = Bench::new(&[SKINT, SKINT, &["my balance"], &["purple zebras"]]);
        let told = bench.told(|_| {});
        assert!(told.text.contains("4 calls; answers at menus: 1 understood, "), "{}", told.text);
        let line = "menu main\n  balance\n    + am I skint                        2 calls; 2 of 2 came to it in the end\n\
                    \x20       2 lost answers would be understood; everything else stays as it is\n";
        assert!(told.text.contains(line), "{}", told.text);
        assert!(!told.text.contains("zebra"), "nobody knows what that meant: {}", told.text);
        assert_eq!(told.json["additions"][0]["phrase"], "am I skint");
        assert_eq!(std::fs::read_to_string(&bench.plan).unwrap(), PLAN, "nothing is written unless asked for");
    }

    #[test]
    fn one_caller_is_not_enough_unless_that_was_asked_for() {
        let bench = Bench::new(&[SKINT]);
        assert!(bench.told(|_| {}).text.contains("nothing to learn"));
        assert!(bench.told(|args| args.min = 1).text.contains("+ am I skint"));
        assert!(bench.told(|args| (args.min, args.step) = (1, Some("wonder".to_owned()))).text.contains("nothing to"));
        assert!(bench.told(|args| args.step = Some("mian".to_owned())).failed);
    }

    #[test]
    fn applied_phrases_stand_in_the_plan_and_its_comments_stay() {
        let bench = Bench::new(&[SKINT, SKINT]);
        let told = bench.told(|args| args.apply = true);
        assert!(told.text.ends_with("bank.yaml: 1 phrase written, and the plan is sound.\n"), "{}", told.text);
        let learned = PLAN.replace("how much is in my account]", "how much is in my account, am I skint]");
        assert_eq!(std::fs::read_to_string(&bench.plan).unwrap(), learned);
        let again = bench.told(|args| args.apply = true);
        assert!(
            again.text.contains("nothing to learn") && again.text.ends_with("Nothing was written.\n"),
            "{}",
            again.text
        );
    }

    #[test]
    fn a_phrase_that_would_change_a_conversation_is_left_to_a_person() {
        let bench = Bench::new(&[SKINT, SKINT]);
        let test = "## They should ask again\n```call\nplan: bank.yaml\nbot …\nyou am I skint\nbot Sorry, …\nyou hangs up\n```\n";
        std::fs::write(bench.folder.path().join("more.test.md"), test).unwrap();
        let told = bench.told(|args| args.apply = true);
        assert!(
            told.text.contains("these conversations would go another way: “They should ask again”"),
            "{}",
            told.text
        );
        assert!(told.text.ends_with("Nothing was written.\n1 phrase is left for you to decide.\n"), "{}", told.text);
        assert_eq!(std::fs::read_to_string(&bench.plan).unwrap(), PLAN);
    }

    #[test]
    fn a_phrase_that_would_change_a_case_beside_the_plan_is_left_to_a_person() {
        let bench = Bench::new(&[SKINT, SKINT]);
        std::fs::write(bench.folder.path().join("bank.cases.tsv"), "option\ttext\n-\tam I skint\n").unwrap();
        let told = bench.told(|args| args.apply = true);
        assert!(
            told.text.contains("these went right and would go elsewhere: “am I skint” to `balance`"),
            "{}",
            told.text
        );
        assert!(told.text.ends_with("1 phrase is left for you to decide.\n"), "{}", told.text);
    }

    #[test]
    fn questions_that_nobody_answered_are_listed_by_likeness() {
        let asked: &[&str] = &["#4", "do you deliver to the moon"];
        let bench = Bench::new(&[asked, asked, &["#4", "do you deliver on the moon"]]);
        let told = bench.told(|_| {});
        let line = "asked in vain\n     3 × at wonder: “do you deliver to the moon”, “do you deliver on the moon”\n";
        assert!(told.text.contains(line), "{}", told.text);
    }

    #[test]
    fn a_plan_that_is_not_known_is_named_with_those_that_are() {
        let bench = Bench::new(&[]);
        let args = SuggestArgs {
            plan: Some("bakn".to_owned()),
            since: "1d".to_owned(),
            step: None,
            min: 2,
            apply: false,
            data: Some(bench.folder.path().to_owned()),
        };
        let config = bench.folder.path().join("trunkline.toml");
        std::fs::write(&config, "[[route]]\nnumber = \"*\"\nplan = \"bank.yaml\"\n").unwrap();
        let why = suggest(&args, Some(&config)).unwrap_err();
        assert!(why.starts_with("there is no file and no plan `bakn`; plans that answer numbers: bank"), "{why}");
    }
}
