//! Changes to a plan's text that leave everything else as its author wrote it: comments, layout, quotes, line ends.
//!
//! The place is found in the tree, the change made in the text. The tree of the new text must then be the old tree with
//! the phrase in it and nothing else, or the change is not made: YAML has more ways of writing than are known here.

use super::diagnostic::{Findings, Span};
use super::yaml::{self, Node, Value};
use crate::language::Language;

/// A phrase that an option of a menu shall learn.
#[derive(Clone, Debug)]
pub struct Lesson<'a> {
    /// The menu: line and column of its name ([`Step::at`](super::plan::Step::at)).
    pub step: (usize, usize),
    /// Its name in that file.
    pub name: &'a str,
    /// The option.
    pub option: &'a str,
    /// In which language callers say it.
    pub language: &'a Language,
    /// Is that the first language of the plan, the one of phrases written without any?
    pub first: bool,
    /// What they say.
    pub phrase: &'a str,
}

/// Why a phrase could not be written where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritten {
    /// Another file of the plan has it.
    #[error("the menu is not in this file")]
    Elsewhere,
    /// It is written in a way that only a person can change.
    #[error("the phrases are written in a way that cannot be added to here; add it by hand")]
    ByHand,
    /// The phrases have no language, so they are those of the first.
    #[error("the phrases stand for the first language only; write them as a map of one list for each language")]
    OneLanguage,
}

/// The text with the phrase added.
pub fn learn(text: &str, lesson: &Lesson<'_>) -> Result<String, Unwritten> {
    let before = tree(text).ok_or(Unwritten::Elsewhere)?;
    let option = option_of(&before, lesson).ok_or(Unwritten::Elsewhere)?;
    let insertion = insertion(text, option, lesson)?;
    let mut after = text.to_owned();
    after.insert_str(insertion.at, &insertion.text);
    if let Some(at) = insertion.and_before {
        after.insert(at, '[');
    }
    let made = tree(&after).ok_or(Unwritten::ByHand)?;
    let option = option_of(&made, lesson).ok_or(Unwritten::ByHand)?;
    let whole = phrases(option, lesson).is_some_and(|all| all.last().is_some_and(|last| *last == lesson.phrase));
    let mut expected = Vec::new();
    let mut found = Vec::new();
    flat(&before, &mut expected);
    flat(&made, &mut found);
    if whole && is_one_more(&expected, &found) { Ok(after) } else { Err(Unwritten::ByHand) }
}

struct Insertion {
    /// Byte in the text.
    at: usize,
    text: String,
    /// A bracket opens there: a single phrase becomes a list.
    and_before: Option<usize>,
}

impl Insertion {
    const fn new(at: usize, text: String) -> Self {
        Self { at, text, and_before: None }
    }
}

fn tree(text: &str) -> Option<Node> {
    let mut findings = Findings::default();
    yaml::parse(text, &mut findings).filter(|_| !findings.has_errors())
}

fn entry<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|(name, _)| name.value == key).map(|(_, value)| value)
}

fn option_of<'a>(root: &'a Node, lesson: &Lesson<'_>) -> Option<&'a Node> {
    let Value::Map(steps) = &entry(root, "steps")?.value else { return None };
    let at = |span: &Span| (span.line, span.column) == lesson.step;
    let (_, step) = steps.iter().find(|(name, _)| name.value == lesson.name && at(&name.at))?;
    entry(entry(entry(step, "menu")?, "options")?, lesson.option)
}

/// The phrases that the option has in that language now.
fn phrases<'a>(option: &'a Node, lesson: &Lesson<'_>) -> Option<Vec<&'a str>> {
    let phrases = entry(option, "phrases")?;
    let list = match &phrases.value {
        Value::Map(_) => entry(phrases, lesson.language.as_str())?,
        _ => phrases,
    };
    let text = |node: &'a Node| match &node.value {
        Value::Scalar { text, .. } => Some(text.as_str()),
        _ => None,
    };
    match &list.value {
        Value::List(items) => items.iter().map(text).collect(),
        _ => text(list).map(|one| vec![one]),
    }
}

fn insertion(text: &str, option: &Node, lesson: &Lesson<'_>) -> Result<Insertion, Unwritten> {
    let list = format!("[{}]", written(lesson.phrase));
    let Some(phrases) = entry(option, "phrases").filter(|node| !node.is_nothing()) else {
        let value = if lesson.first { list } else { format!("{{ {}: {list} }}", lesson.language) };
        return first_entry(text, option, &format!("phrases: {value}"));
    };
    match &phrases.value {
        Value::Map(_) => match entry(phrases, lesson.language.as_str()) {
            Some(list) => into_list(text, list, lesson),
            None => first_entry(text, phrases, &format!("{}: {list}", lesson.language)),
        },
        _ if !lesson.first => Err(Unwritten::OneLanguage),
        _ => into_list(text, phrases, lesson),
    }
}

/// Behind the last item of a list, in the way the list is written.
fn into_list(text: &str, list: &Node, lesson: &Lesson<'_>) -> Result<Insertion, Unwritten> {
    let phrase = written(lesson.phrase);
    let Value::List(items) = &list.value else {
        let end = end_of(text, list).ok_or(Unwritten::ByHand)?;
        return Ok(Insertion { at: end, text: format!(", {phrase}]"), and_before: Some(list.at.offset) });
    };
    let last = items.last().ok_or(Unwritten::ByHand)?;
    let end = end_of(text, last).ok_or(Unwritten::ByHand)?;
    if text[list.at.offset..].starts_with('[') {
        return Ok(Insertion::new(end, format!(", {phrase}")));
    }
    let begins = line_start(text, last.at.offset);
    let dash = &text[begins..last.at.offset];
    if dash.trim() != "-" {
        return Err(Unwritten::ByHand);
    }
    let (at, line_end) = line_end(text, end);
    Ok(Insertion::new(at, format!("{line_end}{dash}{phrase}")))
}

/// As the first entry of a map or, behind a short one, as its second.
fn first_entry(text: &str, map: &Node, entry: &str) -> Result<Insertion, Unwritten> {
    let Value::Map(entries) = &map.value else { return Err(Unwritten::ByHand) };
    let (key, _) = entries.first().ok_or(Unwritten::ByHand)?;
    let begins = line_start(text, key.at.offset);
    let indent = &text[begins..key.at.offset];
    if text[map.at.offset..].starts_with('{') {
        return Ok(Insertion::new(key.at.offset, format!("{entry}, ")));
    }
    if !indent.trim().is_empty() {
        return Err(Unwritten::ByHand);
    }
    let (_, line_end) = line_end(text, key.at.offset);
    Ok(Insertion::new(begins, format!("{indent}{entry}{line_end}")))
}

/// Where a text of one line ends; `None` for one of several.
fn end_of(text: &str, node: &Node) -> Option<usize> {
    let Value::Scalar { text: value, plain } = &node.value else { return None };
    let end = node.at.offset + node.at.len;
    let written = text.get(node.at.offset..end)?;
    let whole = if *plain { written == value } else { written.len() >= 2 && written.starts_with(['"', '\'']) };
    whole.then_some(end)
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |place| place + 1)
}

/// Where the line ends, and how lines end here.
fn line_end(text: &str, at: usize) -> (usize, &'static str) {
    let end = text[at..].find('\n').map_or(text.len(), |place| at + place);
    if text[..end].ends_with('\r') { (end - 1, "\r\n") } else { (end, "\n") }
}

/// A phrase as YAML has it, in quotes only where they are needed.
fn written(phrase: &str) -> String {
    let plain = phrase.starts_with(char::is_alphabetic)
        && phrase.chars().all(|letter| letter.is_alphanumeric() || [' ', '\'', '’', '-'].contains(&letter))
        && !phrase.ends_with(' ')
        && phrase != "null";
    if plain { phrase.to_owned() } else { format!("\"{}\"", phrase.replace('\\', "\\\\").replace('"', "\\\"")) }
}

/// The tree in one line of words: structure and texts, no places.
fn flat(node: &Node, into: &mut Vec<String>) {
    match &node.value {
        Value::Scalar { text, .. } => into.push(format!("={text}")),
        Value::List(items) => {
            into.push("[".to_owned());
            items.iter().for_each(|item| flat(item, into));
            into.push("]".to_owned());
        }
        Value::Map(entries) => {
            into.push("{".to_owned());
            for (key, value) in entries {
                into.push(format!(":{}", key.value));
                flat(value, into);
            }
            into.push("}".to_owned());
        }
    }
}

/// Is everything of `before` in `after`, in its order, and at most a list, its phrase and its keys besides?
fn is_one_more(before: &[String], after: &[String]) -> bool {
    /// A phrase, the brackets of its list and map, their keys.
    const MOST: usize = 7;
    let mut rest = after.iter();
    let all = before.iter().all(|word| rest.any(|other| other == word));
    let phrases = |all: &[String]| all.iter().filter(|word| word.starts_with('=')).count();
    all && after.len() - before.len() <= MOST && phrases(after) == phrases(before) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"# Our plan.
dialplan: 1
steps:
  main:
    menu:
      prompt: "What?"          # asked first
      options:
        balance: { key: 1, phrases: [my balance, "how much, please"], go: x }  # money
        repay:
          key: 2
          phrases:
            # as people say it
            - pay my card      # usual
            - make a payment   # rare
          go: x
        lost: { key: 3, phrases: { en-US: [lost card], zh-CN: [挂失] }, go: x }
        hours: { key: 4, go: x }
        person:
          key: 0
          go: x
        one: { phrases: only this, go: x }
        same: { phrases: *shared, go: x }
        long:
          phrases:
            - >
              a folded
              phrase
          go: x
"#;

    fn at(option: &'static str, phrase: &'static str, language: &Language, first: bool) -> Result<String, Unwritten> {
        let text = PLAN.replace("steps:", "shared: &shared [a, b]\nsteps:");
        let lesson = Lesson { step: (5, 3), name: "main", option, language, first, phrase };
        learn(&text, &lesson)
    }

    /// The lines that are new.
    fn new_lines(option: &'static str, phrase: &'static str) -> Vec<String> {
        let text = PLAN.replace("steps:", "shared: &shared [a, b]\nsteps:");
        let learned = at(option, phrase, &Language::english(), true).unwrap();
        let old: Vec<&str> = text.lines().collect();
        learned.lines().filter(|line| !old.contains(line)).map(str::to_owned).collect()
    }

    #[test]
    fn a_phrase_joins_its_list_and_everything_else_stays_as_it_was_written() {
        assert_eq!(
            new_lines("balance", "am I skint"),
            ["        balance: { key: 1, phrases: [my balance, \"how much, please\", am I skint], go: x }  # money"]
        );
        let learned = at("repay", "top up: my card", &Language::english(), true).unwrap();
        assert!(learned.contains("- make a payment   # rare\n            - \"top up: my card\"\n          go: x"));
        assert_eq!(learned.lines().count(), PLAN.lines().count() + 2);
    }

    #[test]
    fn options_without_phrases_and_with_a_single_one_get_a_list() {
        assert_eq!(new_lines("hours", "when"), ["        hours: { phrases: [when], key: 4, go: x }"]);
        assert_eq!(new_lines("person", "Joe's \"mate\""), [r#"          phrases: ["Joe's \"mate\""]"#]);
        assert_eq!(new_lines("one", "and that"), ["        one: { phrases: [only this, and that], go: x }"]);
    }

    #[test]
    fn each_language_has_its_own_list() {
        let chinese = Language::parse("zh-CN").unwrap();
        let learned = at("lost", "卡丢了", &chinese, false).unwrap();
        assert!(learned.contains("{ en-US: [lost card], zh-CN: [挂失, 卡丢了] }"));
        let learned = at("hours", "几点开门", &chinese, false).unwrap();
        assert!(learned.contains("hours: { phrases: { zh-CN: [几点开门] }, key: 4, go: x }"));
        let french = Language::parse("fr-FR").unwrap();
        assert!(at("lost", "perdu", &french, false).unwrap().contains("{ fr-FR: [perdu], en-US: [lost card]"));
        assert_eq!(at("balance", "余额", &chinese, false), Err(Unwritten::OneLanguage));
    }

    #[test]
    fn what_only_a_person_can_change_is_left_to_one() {
        let english = Language::english();
        assert_eq!(at("same", "c", &english, true), Err(Unwritten::ByHand), "it would change the shared list");
        assert_eq!(at("long", "c", &english, true), Err(Unwritten::ByHand));
        assert_eq!(at("nowhere", "c", &english, true), Err(Unwritten::Elsewhere));
        let lesson =
            Lesson { step: (9, 9), name: "main", option: "balance", language: &english, first: true, phrase: "c" };
        assert_eq!(learn(PLAN, &lesson), Err(Unwritten::Elsewhere));
        assert_eq!(learn("not: [a plan", &lesson), Err(Unwritten::Elsewhere));
    }

    #[test]
    fn line_ends_of_other_systems_are_kept() {
        let text = PLAN.replace("        same: { phrases: *shared, go: x }\n", "").replace('\n', "\r\n");
        let english = Language::english();
        let lesson = Lesson {
            step: (4, 3),
            name: "main",
            option: "repay",
            language: &english,
            first: true,
            phrase: "settle up",
        };
        let learned = learn(&text, &lesson).unwrap();
        assert!(learned.contains("# rare\r\n            - settle up\r\n          go: x"), "{learned}");
    }
}
