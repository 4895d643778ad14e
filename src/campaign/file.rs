//! Campaigns as they are written: YAML, every fault at its line. A campaign with a fault calls nobody; neither does one
//! whose plan or whose rules have one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use crate::call::disposition::Disposition;
use crate::dialplan::diagnostic::{Diagnostics, Findings, Severity, Span, Spanned, nearest};
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::load;
use crate::dialplan::plan::Plan;
use crate::dialplan::read::{self, Fields};
use crate::dialplan::yaml::{self, Node, Value as Written};
use crate::language::Language;
use crate::law::facts::Purpose;
use crate::law::pack::{Pack, Packs};
use crate::law::read as packs;
use crate::routing::dialling;
use crate::value::Value;

/// Larger is no campaign.
const MOST_BYTES: u64 = 1024 * 1024;
/// Most calls of one campaign at once.
const MOST_LINES: usize = 10_000;
/// Folder of the rule packs, looked for beside a campaign and above it.
const RULES: &str = "rules";

/// Keys of a campaign.
const CAMPAIGN: &[Key] = &[
    key("campaign", Shape::Line, "its name"),
    key("plan", Shape::Line, "the dial plan that speaks, from here"),
    key("purpose", Shape::Word(&PURPOSES), "what the calls are for"),
    key("packs", Shape::Lines, "the rules it runs under"),
    key("rules", Shape::Line, "folder of the rule packs"),
    key("region", Shape::Line, "country of numbers without a `+`"),
    key("languages", Shape::Lines, "what the calls may be held in; the first is the default"),
    key("values", Shape::Any, "inputs of the plan that are the same for everybody"),
    key("trunk", Shape::Line, "the trunk that the calls go through"),
    key("caller_ids", Shape::Lines, "numbers of ours that people may see"),
    key("lines", Shape::Count(1, MOST_LINES), "most calls at once"),
    key("cadence", Shape::Keys(CADENCE), "when somebody is called again"),
    key("quotas", Shape::Any, "how many of a result are enough"),
    key("starts", Shape::Line, "its first day"),
    key("ends", Shape::Line, "its last day"),
];

/// Keys of a cadence: `tries`, and what may end an attempt without a talk.
const CADENCE: &[Key] = &[
    key("tries", Shape::Count(1, 100), "calls until a person is given up"),
    key("no_answer", Shape::Line, "it rang and nobody took it"),
    key("busy", Shape::Line, "somebody was on the telephone"),
    key("rejected", Shape::Line, "somebody did not want it"),
    key("congestion", Shape::Line, "the way was full"),
    key("failed", Shape::Line, "it failed"),
    key("abandoned", Shape::Line, "taken, and left before anything was said"),
    key("machine", Shape::Line, "an answering machine took it"),
    key("screener", Shape::Line, "a telephone that asks what callers want took it"),
    key("announcement", Shape::Line, "an announcement of the network took it"),
    key("answered", Shape::Line, "a person took it, and the talk came to nothing"),
];

const PURPOSES: [&str; 4] = ["collection", "survey", "service", "marketing"];

/// The dispositions that a cadence has a delay for, as it writes them, with the delay where it writes none. Whatever is
/// not here closes the number.
const DELAYS: [(Disposition, &str, Duration); 10] = [
    (Disposition::NoAnswer, "no_answer", hours(4)),
    (Disposition::Busy, "busy", Duration::from_secs(20 * 60)),
    (Disposition::Rejected, "rejected", hours(48)),
    (Disposition::Congestion, "congestion", Duration::from_secs(5 * 60)),
    (Disposition::Failed, "failed", hours(1)),
    (Disposition::Abandoned, "abandoned", hours(72)),
    (Disposition::Machine, "machine", hours(24)),
    (Disposition::Screener, "screener", hours(24)),
    (Disposition::Announcement, "announcement", hours(24)),
    (Disposition::Answered, "answered", hours(72)),
];

const fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3600)
}

/// A campaign that may be run.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its name.
    pub name: String,
    /// Where it was read from.
    pub file: PathBuf,
    /// What speaks.
    pub plan: Arc<Plan>,
    /// What the calls are for.
    pub purpose: Purpose,
    /// The rules it runs under.
    pub packs: Packs,
    /// Country of numbers without a `+`: `US`.
    pub region: String,
    /// What the calls may be held in; never empty, the first is the default.
    pub languages: Vec<Language>,
    /// Inputs of the plan that are the same for everybody.
    pub values: BTreeMap<String, Value>,
    /// The trunk that the calls go through; `None`: whichever the settings choose.
    pub trunk: Option<String>,
    /// Numbers that people may see, as E.164.
    pub caller_ids: Vec<String>,
    /// Most calls at once.
    pub lines: usize,
    /// When somebody is called again.
    pub cadence: Cadence,
    /// How many of a result are enough, by its name.
    pub quotas: BTreeMap<String, usize>,
    /// Its first day, in the zone of whoever is called.
    pub starts: Option<Date>,
    /// Its last day, included.
    pub ends: Option<Date>,
}

/// When somebody is called again, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// Calls until a person is given up.
    pub tries: usize,
    /// By what the last call came to, how long is waited; what is not here closes the number.
    pub again: BTreeMap<Disposition, Duration>,
}

impl Default for Cadence {
    fn default() -> Self {
        Self { tries: 6, again: DELAYS.iter().map(|(disposition, _, delay)| (*disposition, *delay)).collect() }
    }
}

/// Is this file written as a campaign? One that cannot be read is none.
pub fn is_campaign(path: &Path) -> bool {
    let begins = |text: String| {
        let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim_end);
        lines.find(|line| !line.is_empty() && !line.starts_with('#') && *line != "---").map(str::to_owned)
    };
    bounded(path).ok().and_then(begins).is_some_and(|line| line.starts_with("campaign:"))
}

fn bounded(path: &Path) -> Result<String, String> {
    use std::io::Read as _;
    let told = |error: io::Error| format!("it cannot be read: {error}");
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(told)?.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(told)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("it has more than {MOST_BYTES} bytes and can be no campaign"));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8; save it as UTF-8".to_owned())
}

/// Reads the campaign in `path`, with its plan and its rules. Blocking.
///
/// # Errors
///
/// Every fault with its place.
pub fn load(path: &Path) -> Result<Campaign, Diagnostics> {
    let mut findings = Findings::default();
    let name = path.display().to_string();
    let text = match bounded(path) {
        Ok(text) => text,
        Err(why) => {
            findings.file_error(why);
            return Err(Diagnostics::new(&name, "", findings));
        }
    };
    let campaign = yaml::parse(&text, &mut findings).and_then(|node| campaign(path, node, &mut findings));
    findings.settle();
    match campaign {
        Some(campaign) if !findings.has_errors() => Ok(campaign),
        _ => Err(Diagnostics::new(&name, &text, findings)),
    }
}

fn campaign(path: &Path, node: Node, findings: &mut Findings) -> Option<Campaign> {
    let mut fields = Fields::open(node, "a campaign", &[CAMPAIGN], findings)?;
    let start = fields.start();
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut needed = |key: &str, help: &str, findings: &mut Findings| {
        let line = fields.read(key, findings, read::line);
        if line.is_none() {
            findings.error(start, format!("the campaign has no {key}")).help(help);
        }
        line
    };
    let name = needed("campaign", "add `campaign: spring-reminders` and so on", findings);
    let plan = needed("plan", "add `plan: ../collect-reminder.yaml`: who speaks, and what", findings);
    let region = needed("region", "add `region: US`: the country of numbers without a `+`", findings);
    if let Some(name) = &name {
        read::name(name, "a campaign", findings);
    }
    let purpose = match fields.take("purpose") {
        Some(node) => read::word(&node, "`purpose`", &PURPOSES, findings)
            .and_then(|word| Purpose::ALL.into_iter().find(|one| one.name() == word.value)),
        None => {
            let help = "add `purpose:` and one of collection, survey, service, marketing: rules differ by it";
            findings.error(start, "the campaign does not say what its calls are for").help(help);
            None
        }
    };
    let region = region.and_then(|region| country(&region, findings));
    let plan = plan.and_then(|plan| speaks(&folder, &plan, findings));
    let packs = rules(&mut fields, &folder, findings);
    let languages = fields.read("languages", findings, read::lines);
    let values = fields.take("values");
    let trunk = fields.read("trunk", findings, read::line).map(|line| line.value);
    let caller_ids = fields.read("caller_ids", findings, read::lines);
    let lines = fields
        .read("lines", findings, |node, findings| read::count(node, "`lines`", 1..=MOST_LINES, findings))
        .map_or(1, |count| count.value);
    let cadence = fields.take("cadence").map_or_else(Cadence::default, |node| cadence(node, findings));
    let quotas = fields.take("quotas").map(|node| quotas(node, findings)).unwrap_or_default();
    let starts = fields.read("starts", findings, date);
    let ends = fields.read("ends", findings, date);
    if let (Some(starts), Some(ends)) = (starts, ends)
        && ends < starts
    {
        findings.error(start, "the campaign ends before it starts");
    }
    let caller_ids = caller_ids.map(|ids| own_numbers(ids.value, region.as_deref(), findings)).unwrap_or_default();
    let plan = plan?;
    let languages = spoken(languages, &plan, findings);
    let values = values.map(|node| same_for_all(node, &plan, findings)).unwrap_or_default();
    Some(Campaign {
        name: name?.value,
        file: path.to_owned(),
        purpose: purpose?,
        packs: packs?,
        region: region?,
        plan,
        languages,
        values,
        trunk,
        caller_ids,
        lines,
        cadence,
        quotas,
        starts,
        ends,
    })
}

fn country(written: &Spanned<String>, findings: &mut Findings) -> Option<String> {
    if dialling::is_country(&written.value) {
        return Some(written.value.clone());
    }
    let upper = written.value.to_uppercase();
    let help = match upper.as_str() {
        "UK" => "did you mean `GB`?".to_owned(),
        known if dialling::is_country(known) => format!("did you mean `{known}`?"),
        _ => "write its ISO 3166 code, such as US, GB or CN".to_owned(),
    };
    findings.error(written.at, format!("`{}` is no country", written.value)).help(help);
    None
}

fn speaks(folder: &Path, written: &Spanned<String>, findings: &mut Findings) -> Option<Arc<Plan>> {
    let path = folder.join(&written.value);
    match load::load(&path) {
        Ok(loaded) => Some(loaded.plan),
        Err(found) => {
            let told = first_fault(&found);
            let help = format!("mend the plan: `trunkline check {}` says all", path.display());
            findings.error(written.at, format!("the plan `{}` cannot be used: {told}", written.value)).help(help);
            None
        }
    }
}

fn first_fault(found: &Diagnostics) -> String {
    let first = found.findings().iter().find(|finding| finding.severity == Severity::Error);
    first.map_or_else(String::new, |finding| finding.message.clone())
}

/// The packs by their names. `None` when one of them cannot be used.
fn rules(fields: &mut Fields, folder: &Path, findings: &mut Findings) -> Option<Packs> {
    let start = fields.start();
    let home = match fields.read("rules", findings, read::line) {
        Some(written) => {
            let home = folder.join(&written.value);
            if !home.is_dir() {
                findings.error(written.at, format!("there is no folder `{}`", written.value));
                return None;
            }
            Some(home)
        }
        None => [folder.join(RULES), folder.join("..").join(RULES)].into_iter().find(|home| home.is_dir()),
    };
    let names = fields.read("packs", findings, read::lines).map(|lines| lines.value).unwrap_or_default();
    if names.is_empty() {
        let help = "add `packs: [house]` and those of the places you call; without rules nobody is called";
        findings.error(start, "the campaign names no rule packs").help(help);
        return None;
    }
    let Some(home) = home else {
        findings
            .error(names[0].at, "the folder of the rule packs is not found")
            .help("put it beside the campaign as `rules`, or say where it is with `rules:`");
        return None;
    };
    let count = names.len();
    let mut taken: Vec<Pack> = Vec::with_capacity(count);
    for name in names {
        if taken.iter().any(|pack| pack.name == name.value) {
            findings.error(name.at, format!("the pack `{}` is named twice", name.value));
        } else if let Some(pack) = pack(&home, &name, findings) {
            taken.push(pack);
        }
    }
    (taken.len() == count).then(|| Packs::new(taken))
}

fn pack(home: &Path, name: &Spanned<String>, findings: &mut Findings) -> Option<Pack> {
    let fits = name.value.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_'));
    let path = home.join(format!("{}.yaml", name.value));
    if !fits || !path.is_file() {
        let files = std::fs::read_dir(home).into_iter().flatten().flatten().map(|entry| entry.path());
        let known: Vec<String> = files
            .filter(|file| file.extension().is_some_and(|ending| ending == "yaml"))
            .filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()))
            .collect();
        let help = match nearest(&name.value, known.iter().map(String::as_str)) {
            Some(right) => format!("did you mean `{right}`?"),
            None => format!("packs are files in {}, named without their ending", home.display()),
        };
        findings.error(name.at, format!("there is no rule pack `{}`", name.value)).help(help);
        return None;
    }
    match packs::load(&path) {
        Ok(pack) if pack.name == name.value => Some(pack),
        Ok(pack) => {
            let told = format!("the pack in {} calls itself `{}`", path.display(), pack.name);
            findings.error(name.at, told).help("a pack is called like its file");
            None
        }
        Err(found) => {
            let told = first_fault(&found);
            let help = format!("mend it: `trunkline check {}` says all; without it nobody is called", path.display());
            findings.error(name.at, format!("the rule pack `{}` cannot be used: {told}", name.value)).help(help);
            None
        }
    }
}

/// The languages that were named, all of the plan's when none are.
fn spoken(named: Option<Spanned<Vec<Spanned<String>>>>, plan: &Plan, findings: &mut Findings) -> Vec<Language> {
    let Some(named) = named else { return plan.languages.clone() };
    let mut languages = Vec::new();
    for name in &named.value {
        let Some(language) = read::language(name, findings) else { continue };
        if plan.languages.contains(&language.value) {
            languages.push(language.value);
        } else {
            let known: Vec<&str> = plan.languages.iter().map(Language::as_str).collect();
            let told = format!("the plan does not speak {}", language.value);
            findings.error(language.at, told).help(format!("it speaks {}", known.join(", ")));
        }
    }
    if named.value.is_empty() {
        findings
            .error(named.at, "`languages` is an empty list")
            .help("name one, or remove the key for all of the plan's");
    }
    languages
}

fn same_for_all(node: Node, plan: &Plan, findings: &mut Findings) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    for (name, node) in entries(node, "`values`", findings) {
        let Some(input) = plan.inputs.iter().find(|input| input.name == name.value) else {
            let help = match nearest(&name.value, plan.inputs.iter().map(|input| input.name.as_str())) {
                Some(right) => format!("did you mean `{right}`?"),
                None => "its inputs are named in the plan under `inputs`".to_owned(),
            };
            findings.error(name.at, format!("the plan has no input `{}`", name.value)).help(help);
            continue;
        };
        let Some(line) = read::line(&node, findings) else { continue };
        match input.sort.take(&line.value) {
            Ok(value) => {
                values.insert(name.value, value);
            }
            Err(why) => {
                findings.error(line.at, format!("`{}` {why}", line.value));
            }
        }
    }
    values
}

fn own_numbers(ids: Vec<Spanned<String>>, region: Option<&str>, findings: &mut Findings) -> Vec<String> {
    let mut numbers = Vec::new();
    for id in ids {
        match dialling::parse(&id.value, region.unwrap_or_default()) {
            Ok(number) => numbers.push(number),
            Err(why) => {
                findings.error(id.at, format!("`{}` cannot be shown to anybody: {why}", id.value));
            }
        }
    }
    numbers
}

fn cadence(node: Node, findings: &mut Findings) -> Cadence {
    let mut cadence = Cadence::default();
    let Some(mut fields) = Fields::open(node, "`cadence`", &[CADENCE], findings) else { return cadence };
    if let Some(tries) =
        fields.read("tries", findings, |node, findings| read::count(node, "`tries`", 1..=100, findings))
    {
        cadence.tries = tries.value;
    }
    for (disposition, name, _) in DELAYS {
        let Some(line) = fields.read(name, findings, read::line) else { continue };
        if line.value == "never" {
            cadence.again.remove(&disposition);
        } else if let Some(delay) = delay(&line, findings) {
            cadence.again.insert(disposition, delay);
        }
    }
    cadence
}

/// `20min`, `4h`, `3 days`.
fn delay(line: &Spanned<String>, findings: &mut Findings) -> Option<Duration> {
    let split = line.value.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(line.value.len());
    let (number, unit) = line.value.split_at(split);
    let seconds_each: u64 = match unit.trim() {
        "min" => 60,
        "h" | "hour" | "hours" => 3600,
        "d" | "day" | "days" => 24 * 3600,
        _ => 0,
    };
    let delay = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds_each));
    // A year later nobody remembers why.
    match delay.filter(|seconds| (60..=366 * 24 * 3600).contains(seconds)) {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => {
            let help = "write it like `20min`, `4h` or `3 days`; `never` closes the number";
            findings.error(line.at, format!("`{}` is no time to wait", line.value)).help(help);
            None
        }
    }
}

fn quotas(node: Node, findings: &mut Findings) -> BTreeMap<String, usize> {
    let mut quotas = BTreeMap::new();
    for (name, node) in entries(node, "`quotas`", findings) {
        if let Some(count) = read::count(&node, "a quota", 1..=100_000_000, findings) {
            quotas.insert(name.value, count.value);
        }
    }
    quotas
}

fn date(node: &Node, findings: &mut Findings) -> Option<Date> {
    let line = read::line(node, findings)?;
    let date = line.value.parse().ok();
    if date.is_none() {
        findings.error(line.at, format!("`{}` is no date", line.value)).help("write it like 2026-11-22");
    }
    date
}

fn entries(node: Node, owner: &str, findings: &mut Findings) -> Vec<(Spanned<String>, Node)> {
    let (at, sort): (Span, _) = (node.at, node.sort());
    match node.value {
        Written::Map(entries) => entries,
        _ => {
            findings.error(at, format!("{owner} must be a map of names, not {sort}"));
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "dialplan: 1\nstart: a\ninputs: { name: text, due: amount USD }\nsteps: { a: { hangup: } }\n";
    const PACK: &str = "pack: ours\nversion: \"1\"\ntitle: t\nrules: { a: { ring: 15s, source: house } }\n";
    const SOUND: &str = "# spring\ncampaign: spring\nplan: plan.yaml\npurpose: service\npacks: [ours]\nregion: US\n";

    /// What comes of a campaign beside a plan and a pack.
    fn read(text: &str) -> Result<Campaign, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(RULES)).unwrap();
        std::fs::write(folder.path().join("plan.yaml"), PLAN).unwrap();
        std::fs::write(folder.path().join("broken.yaml"), PLAN.replace("start: a", "start: b")).unwrap();
        std::fs::write(folder.path().join("rules/ours.yaml"), PACK).unwrap();
        std::fs::write(folder.path().join("rules/broken.yaml"), PACK.replace("ring", "rong")).unwrap();
        let path = folder.path().join("c.yaml");
        std::fs::write(&path, text).unwrap();
        assert!(is_campaign(&path) || !text.contains("campaign:"), "{text}");
        let told = |found: Diagnostics| found.to_string().replace(folder.path().to_str().unwrap(), "x");
        load(&path).map_err(told)
    }

    #[test]
    fn a_campaign_has_its_plan_its_rules_and_what_was_left_to_us() {
        let more = "values: { due: \"12.50\" }\ncaller_ids: 202-555-0100\nlines: 3\ncadence: { tries: 2, busy: 30min, machine: never }\n\
                    quotas: { done: 10 }\nstarts: 2026-11-23\nends: 2026-12-01\n";
        let campaign = read(&format!("{SOUND}{more}")).unwrap();
        assert_eq!((campaign.name.as_str(), campaign.region.as_str(), campaign.lines), ("spring", "US", 3));
        assert_eq!(campaign.packs.each()[0].name, "ours");
        assert_eq!(campaign.languages, campaign.plan.languages);
        assert_eq!(campaign.values["due"].plain(), "12.50");
        assert_eq!(campaign.caller_ids, ["+12025550100"]);
        let cadence = &campaign.cadence;
        assert_eq!((cadence.tries, cadence.again[&Disposition::Busy]), (2, Duration::from_secs(1800)));
        assert_eq!(cadence.again.get(&Disposition::Machine), None);
        assert_eq!(cadence.again[&Disposition::NoAnswer], hours(4), "what is not written has a delay of ours");
        let plain = read(SOUND).unwrap();
        assert_eq!((plain.cadence, plain.lines, plain.starts), (Cadence::default(), 1, None));
    }

    #[test]
    fn every_fault_is_told_at_its_line_with_what_to_do() {
        for (from, to, expect) in [
            (
                "region: US",
                "regoin: US",
                "x/c.yaml:6:1  a campaign has no key `regoin`\n  help: did you mean `region`?",
            ),
            ("region: US", "region: UK", "x/c.yaml:6:9  `UK` is no country\n  help: did you mean `GB`?"),
            ("region: US\n", "", "the campaign has no region"),
            ("purpose: service", "purpose: servise", "help: did you mean `service`?"),
            ("purpose: service\n", "", "does not say what its calls are for"),
            ("plan: plan.yaml", "plan: plam.yaml", "the plan `plam.yaml` cannot be used"),
            (
                "plan: plan.yaml",
                "plan: broken.yaml",
                "x/c.yaml:3:7  the plan `broken.yaml` cannot be used: there is no step `b`",
            ),
            ("packs: [ours]", "packs: [our]", "there is no rule pack `our`\n  help: did you mean `ours`?"),
            ("packs: [ours]", "packs: [ours, ours]", "is named twice"),
            ("packs: [ours]", "packs: [../ours]", "there is no rule pack"),
            ("packs: [ours]", "packs: [broken]", "the rule pack `broken` cannot be used: rule `a` asks nothing"),
            ("packs: [ours]\n", "", "the campaign names no rule packs"),
            ("region: US", "region: US\nrules: elsewhere", "there is no folder `elsewhere`"),
            ("region: US", "region: US\nlanguages: [zh-CN]", "the plan does not speak zh-CN"),
            (
                "region: US",
                "region: US\nvalues: { duee: 1 }",
                "the plan has no input `duee`\n  help: did you mean `due`?",
            ),
            ("region: US", "region: US\nvalues: { due: twelve }", "`twelve` is no amount"),
            ("region: US", "region: US\ncaller_ids: [555-0100]", "cannot be shown to anybody: it is too short"),
            ("region: US", "region: US\nlines: 0", "`lines` cannot be `0`"),
            ("region: US", "region: US\ncadence: { bussy: 1h }", "did you mean `busy`?"),
            ("region: US", "region: US\ncadence: { busy: 20 }", "`20` is no time to wait"),
            ("region: US", "region: US\nquotas: { done: no }", "a quota cannot be"),
            ("region: US", "region: US\nstarts: 2026-02-30", "`2026-02-30` is no date"),
            ("region: US", "region: US\nstarts: 2026-03-01\nends: 2026-02-01", "ends before it starts"),
        ] {
            assert!(SOUND.contains(from), "{from}");
            let told = read(&SOUND.replace(from, to)).unwrap_err();
            assert!(told.contains(expect), "{to}:\n{told}");
        }
    }

    #[test]
    fn a_file_that_is_no_campaign_is_no_campaign() {
        assert!(!is_campaign(Path::new("dialplans/hello.yaml")) && !is_campaign(Path::new("none.yaml")));
        assert!(load(Path::new("none.yaml")).unwrap_err().to_string().contains("cannot be read"));
    }
}
