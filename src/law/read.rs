//! Rule packs as they are written: YAML, every fault at its line. A pack with a fault is no pack, and without its packs
//! a campaign does not dial.

use std::io;
use std::path::Path;

use jiff::civil::Date;

use super::decide::Act;
use super::duty::Duty;
use super::facts::Purpose;
use super::pack::Pack;
use super::rule::{Rule, Scope};
use crate::dialplan::diagnostic::{Diagnostics, Findings, Spanned};
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::read::{self, Fields};
use crate::dialplan::yaml::{self, Node, Value};
use crate::routing::region::LineType;

mod kinds;

/// Larger is no pack.
const MOST_BYTES: u64 = 1024 * 1024;

/// Keys of a pack.
const PACK: &[Key] = &[
    key("pack", Shape::Line, "its name"),
    key("version", Shape::Line, "which edition; every decision keeps it"),
    key("title", Shape::Line, "what it is about"),
    key("about", Shape::Keys(SCOPE), "whom its rules are about, unless they say otherwise"),
    key("rules", Shape::Any, "what it asks before somebody is called"),
    key("duties", Shape::Any, "what it asks of the plan that speaks"),
];

/// Keys of a scope.
const SCOPE: &[Key] = &[
    key("countries", Shape::Lines, "ISO 3166 codes"),
    key("states", Shape::Lines, "ISO 3166-2 codes"),
    key("purposes", Shape::Lines, "what the call is for"),
    key("lines", Shape::Lines, "kinds of line"),
];

/// Keys that every rule and duty has.
const COMMON: &[Key] = &[
    key("source", Shape::Line, "what it cites"),
    key("about", Shape::Keys(SCOPE), "whom it is about"),
    key("from", Shape::Line, "in force from that day on"),
    key("until", Shape::Line, "in force up to and including that day"),
];

/// Keys that every rule has besides.
const RULE: &[Key] = &[key("before", Shape::Word(&BEFORE), "what it is asked before, where not before both")];
const BEFORE: [&str; 2] = ["call", "message"];

/// Reads the pack in `path`. Blocking. On errors everything found comes back.
///
/// # Errors
///
/// Every fault with its place.
pub fn load(path: &Path) -> Result<Pack, Diagnostics> {
    let name = path.display().to_string();
    match bounded(path) {
        Ok(text) => load_str(&name, &text),
        Err(why) => {
            let mut findings = Findings::default();
            findings.file_error(why);
            Err(Diagnostics::new(&name, "", findings))
        }
    }
}

/// Is this file written as a rule pack? One that cannot be read is none.
pub fn is_pack(path: &Path) -> bool {
    let begins = |text: String| {
        let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim_end);
        lines.find(|line| !line.is_empty() && !line.starts_with('#') && *line != "---").map(str::to_owned)
    };
    bounded(path).ok().and_then(begins).is_some_and(|line| line.starts_with("pack:"))
}

fn bounded(path: &Path) -> Result<String, String> {
    use std::io::Read as _;
    let told = |error: io::Error| format!("it cannot be read: {error}");
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(told)?.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(told)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("it has more than {MOST_BYTES} bytes and can be no rule pack"));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8; save it as UTF-8".to_owned())
}

/// Reads a pack from a text; `name` is what messages call it.
///
/// # Errors
///
/// Every fault with its place.
pub fn load_str(name: &str, text: &str) -> Result<Pack, Diagnostics> {
    let mut findings = Findings::default();
    let pack = yaml::parse(text, &mut findings).and_then(|node| pack(node, &mut findings));
    findings.settle();
    match pack {
        Some(pack) if !findings.has_errors() => Ok(pack),
        _ => Err(Diagnostics::new(name, text, findings)),
    }
}

fn pack(node: Node, findings: &mut Findings) -> Option<Pack> {
    let mut fields = Fields::open(node, "a rule pack", &[PACK], findings)?;
    let start = fields.start();
    let mut needed = |key: &str, help: &str, findings: &mut Findings| {
        let line = fields.read(key, findings, read::line);
        if line.is_none() {
            findings.error(start, format!("the pack has no {key}")).help(help);
        }
        line
    };
    let name = needed("pack", "add `pack: house` and so on; campaigns call it by that name", findings);
    let version = needed("version", "add `version: \"2026-01-31\"`; change it with every change of a rule", findings);
    let title = needed("title", "add a sentence that says what it is about", findings);
    if let Some(name) = &name {
        read::name(name, "a rule pack", findings);
    }
    let about = fields.take("about").map(|node| scope(node, findings)).unwrap_or_default();
    let rules = each(fields.take("rules"), "`rules`", findings)
        .into_iter()
        .filter_map(|(id, node)| rule(&id, node, &about, findings))
        .collect::<Vec<_>>();
    let duties = each(fields.take("duties"), "`duties`", findings)
        .into_iter()
        .filter_map(|(id, node)| duty(&id, node, &about, findings))
        .collect::<Vec<_>>();
    if rules.is_empty() && duties.is_empty() && !findings.has_errors() {
        findings.error(start, "a pack without a rule allows nothing and forbids nothing").help("add `rules:`");
    }
    Some(Pack { name: name?.value, version: version?.value, title: title?.value, rules, duties })
}

fn rule(id: &Spanned<String>, node: Node, about: &Scope, findings: &mut Findings) -> Option<Rule> {
    read::name(id, "a rule", findings);
    let owner = format!("rule `{}`", id.value);
    let mut fields = Fields::open(node, &owner, &[COMMON, RULE, kinds::KINDS], findings)?;
    let common = common(&mut fields, &owner, about, findings);
    let before = fields.read("before", findings, |node, findings| read::word(node, "`before`", &BEFORE, findings));
    let before = before.map(|word| if word.value == "message" { Act::Message } else { Act::Call });
    let kind = kinds::read(&mut fields, &owner, findings)?;
    let Common { source, scope, from, until } = common?;
    Some(Rule { id: id.value.clone(), source, scope, from, until, before, kind })
}

fn duty(id: &Spanned<String>, node: Node, about: &Scope, findings: &mut Findings) -> Option<Duty> {
    read::name(id, "a duty", findings);
    let owner = format!("duty `{}`", id.value);
    let mut fields = Fields::open(node, &owner, &[COMMON, kinds::DUTIES], findings)?;
    let common = common(&mut fields, &owner, about, findings);
    let kind = kinds::duty(&mut fields, &owner, findings)?;
    let Common { source, scope, from, until } = common?;
    Some(Duty { id: id.value.clone(), source, scope, from, until, kind })
}

struct Common {
    source: String,
    scope: Scope,
    from: Option<Date>,
    until: Option<Date>,
}

fn common(fields: &mut Fields, owner: &str, about: &Scope, findings: &mut Findings) -> Option<Common> {
    let source = fields.read("source", findings, read::line);
    if source.is_none() {
        let help = "add `source:` and the paragraph it comes from; a rule of your own has `source: house`";
        findings.error(fields.start(), format!("{owner} cites nothing")).help(help);
    }
    let scope = fields.take("about").map_or_else(|| about.clone(), |node| scope(node, findings));
    let from = fields.read("from", findings, date);
    let until = fields.read("until", findings, date);
    if let (Some(from), Some(until)) = (from, until)
        && until < from
    {
        findings.error(fields.start(), format!("{owner} ends before it begins"));
    }
    Some(Common { source: source?.value, scope, from, until })
}

fn scope(node: Node, findings: &mut Findings) -> Scope {
    let Some(mut fields) = Fields::open(node, "`about`", &[SCOPE], findings) else { return Scope::default() };
    let code = |text: &str, fits: fn(&str) -> bool, example: &str| match fits(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{text}` is no such code; write it like `{example}`")),
    };
    let is_country = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_state =
        |text: &str| text.split_once('-').is_some_and(|(country, rest)| country.len() == 2 && !rest.is_empty());
    let countries = list(&mut fields, "countries", findings, |text| code(text, is_country, "US"));
    let states = list(&mut fields, "states", findings, |text| code(text, is_state, "US-FL"));
    let purposes =
        list(&mut fields, "purposes", findings, |text| named(text, "purpose", &Purpose::ALL, |one| one.name()));
    let lines = list(&mut fields, "lines", findings, line_type);
    Scope { countries, states, purposes, lines }
}

/// Kinds of line that a rule may be about.
fn line_type(text: &str) -> Result<LineType, String> {
    const LINES: [LineType; 7] = [
        LineType::Mobile,
        LineType::Fixed,
        LineType::TollFree,
        LineType::Premium,
        LineType::Shared,
        LineType::Voip,
        LineType::Unknown,
    ];
    named(text, "kind of line", &LINES, |one| one.name())
}

/// The one of `all` that is called so.
fn named<T: Copy>(text: &str, what: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, String> {
    use crate::dialplan::diagnostic::{listed, nearest};
    all.iter().copied().find(|one| name(*one) == text).ok_or_else(|| {
        let names = || all.iter().map(|one| name(*one));
        match nearest(text, names()) {
            Some(right) => format!("`{text}` is no {what}; did you mean `{right}`?"),
            None => format!("`{text}` is no {what}; write one of {}", listed(names())),
        }
    })
}

/// One value, or a list of them.
fn list<T>(
    fields: &mut Fields,
    key: &str,
    findings: &mut Findings,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    let Some(node) = fields.take(key) else { return Vec::new() };
    let at = node.at;
    let nodes = match node.value {
        Value::List(nodes) => nodes,
        _ => vec![node],
    };
    if nodes.is_empty() {
        findings.error(at, format!("`{key}` is an empty list")).help("name at least one, or remove the key for any");
    }
    let mut values = Vec::new();
    for node in nodes {
        let Some(line) = read::line(&node, findings) else { continue };
        match parse(&line.value) {
            Ok(value) => values.push(value),
            Err(why) => {
                findings.error(line.at, why);
            }
        }
    }
    values
}

fn date(node: &Node, findings: &mut Findings) -> Option<Date> {
    let line = read::line(node, findings)?;
    let date = line.value.parse().ok();
    if date.is_none() {
        findings.error(line.at, format!("`{}` is no date", line.value)).help("write it like 2026-08-02");
    }
    date
}

fn each(node: Option<Node>, owner: &str, findings: &mut Findings) -> Vec<(Spanned<String>, Node)> {
    match node {
        None => Vec::new(),
        Some(Node { value: Value::Map(entries), .. }) => entries,
        Some(node) => {
            findings.error(node.at, format!("{owner} must be a map of names, not {}", node.sort()));
            Vec::new()
        }
    }
}
