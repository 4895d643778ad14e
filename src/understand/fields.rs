//! Fields of words: what kind of thing a word names.
//!
//! "Monday" and "Friday" are no synonyms, yet they do one job in a sentence. Ten examples with "Monday" must do for
//! "Friday", so the fields of the words are features beside the words themselves. The lists are plain text in `words/`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::stem::stem;
use crate::grammar::normalize::is_mandarin;
use crate::language::Language;

static ENGLISH: LazyLock<Fields> = LazyLock::new(|| Fields::read(include_str!("words/en-fields.txt"), false));
static MANDARIN: LazyLock<Fields> = LazyLock::new(|| Fields::read(include_str!("words/zh-fields.txt"), true));
static NONE: LazyLock<Fields> = LazyLock::new(|| Fields::read("", false));

/// The fields of one language.
#[derive(Debug, Default)]
pub struct Fields {
    /// Narrow and wide fields by name, in the order they are first named.
    names: Vec<&'static str>,
    /// By the first unit of an entry; the longest first.
    entries: BTreeMap<String, Vec<Entry>>,
    /// The wider field of each.
    wider: Vec<Option<u16>>,
}

/// A word or an expression, but for its first unit.
#[derive(Debug)]
struct Entry {
    rest: Vec<String>,
    fields: Vec<u16>,
}

impl Fields {
    /// The shared fields of `language`; empty for languages without lists.
    pub fn of(language: &Language) -> &'static Self {
        match language.primary() {
            "en" => &ENGLISH,
            _ if is_mandarin(language) => &MANDARIN,
            _ => &NONE,
        }
    }

    fn read(text: &'static str, characters: bool) -> Self {
        let mut fields = Self::default();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines {
            let (head, words) = line.split_once(':').expect("tests read every built-in line");
            let (narrow, wide) = head.split_once('/').map_or((head, None), |(narrow, wide)| (narrow, Some(wide)));
            let wide = wide.map(|wide| fields.named(wide));
            let narrow = fields.named(narrow);
            if wide != Some(narrow) {
                fields.wider[usize::from(narrow)] = wide;
            }
            for entry in words.split_whitespace() {
                fields.enter(units(entry, characters), narrow);
            }
        }
        for group in fields.entries.values_mut() {
            group.sort_by_key(|entry| std::cmp::Reverse(entry.rest.len()));
        }
        fields
    }

    fn named(&mut self, name: &'static str) -> u16 {
        if let Some(place) = self.names.iter().position(|known| *known == name) {
            return place as u16;
        }
        self.names.push(name);
        self.wider.push(None);
        (self.names.len() - 1) as u16
    }

    fn enter(&mut self, mut units: Vec<String>, field: u16) {
        if units.is_empty() {
            return;
        }
        let rest = units.split_off(1);
        let group = self.entries.entry(units.remove(0)).or_default();
        match group.iter_mut().find(|entry| entry.rest == rest) {
            Some(entry) if !entry.fields.contains(&field) => entry.fields.push(field),
            Some(_) => {}
            None => group.push(Entry { rest, fields: vec![field] }),
        }
    }

    /// The longest entry at the front of `units` (stems, or Mandarin characters): its fields, and how many units it
    /// takes. `None` when no entry begins so.
    pub fn at_front(&self, units: &[String]) -> Option<(&[u16], usize)> {
        let group = self.entries.get(units.first()?)?;
        let found = group.iter().find(|entry| units[1..].starts_with(&entry.rest))?;
        Some((found.fields.as_slice(), found.rest.len() + 1))
    }

    /// The name of a field.
    pub fn name(&self, field: u16) -> &'static str {
        self.names.get(usize::from(field)).copied().unwrap_or_default()
    }

    /// The field around a field.
    pub fn wider(&self, field: u16) -> Option<u16> {
        self.wider.get(usize::from(field)).copied().flatten()
    }
}

fn units(entry: &str, characters: bool) -> Vec<String> {
    if characters { super::features::characters(entry) } else { entry.split('_').map(stem).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(words: &str, tag: &str) -> Vec<&'static str> {
        let language = Language::parse(tag).unwrap();
        let fields = Fields::of(&language);
        let units = units(words, is_mandarin(&language));
        fields.at_front(&units).map_or(Vec::new(), |(of, _)| of.iter().map(|field| fields.name(*field)).collect())
    }

    #[test]
    fn words_are_found_whatever_their_inflection() {
        assert_eq!(named("tuesdays", "en"), ["weekday"]);
        assert!(named("san_francisco", "en").contains(&"city"));
        assert!(named("星期三", "zh-CN").contains(&"weekday"));
        assert!(named("zyzzyva", "en").is_empty());
        assert!(named("monday", "fr").is_empty());
    }

    #[test]
    fn every_built_in_line_holds_a_name_and_words() {
        for (file, text) in [("en", include_str!("words/en-fields.txt")), ("zh", include_str!("words/zh-fields.txt"))] {
            for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
                let (head, words) = line.split_once(':').unwrap_or_else(|| panic!("{file}: no colon in `{line}`"));
                assert!(!head.contains(' ') && words.split_whitespace().count() >= 3, "{file}: `{line}`");
            }
        }
        let english = Fields::of(&Language::english());
        let weekday = english.names.iter().position(|name| *name == "weekday").unwrap() as u16;
        assert_eq!(english.wider(weekday).map(|wide| english.name(wide)), Some("when"));
    }
}
