//! What a step says and hears, compiled: prompts, phrases, conditions, calculations.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Compiler;
use crate::dialplan::condition::Condition;
use crate::dialplan::diagnostic::{Span, Spanned, listed, nearest};
use crate::dialplan::house::House;
use crate::dialplan::lint;
use crate::dialplan::plan::{HousePhrases, Prompt, Universals};
use crate::dialplan::read::{self, Fields, Localized};
use crate::dialplan::schema;
use crate::dialplan::scope::{CALENDAR_FACTS, RESERVED_NAMES, View, readable};
use crate::dialplan::template;
use crate::dialplan::yaml::{Node, Value as Yaml};
use crate::language::Language;
use crate::routing::Calendar;
use crate::spoken::markup;
use crate::understand::{Matcher, Universal};
use crate::value::Value;

/// How a value is come by.
#[derive(Debug)]
pub enum Calculation {
    /// It stands in the plan.
    Given(Value),
    /// A text with `{{ … }}`.
    Template(String),
    /// `= ` and an expression.
    Expression(Condition),
}

impl Calculation {
    /// The value; the error names no other value. A text that is nothing but one name is that name's value, with its
    /// type. Secrets are nothing.
    pub fn value(&self, view: View<'_>) -> Result<Value, String> {
        match self {
            Self::Given(value) => Ok(value.clone()),
            Self::Template(text) => match alone(text) {
                Some(name) if view.scope.is_secret(name) => Ok(Value::Nothing),
                Some(name) => Ok(view.scope.value(name).cloned().unwrap_or_default()),
                None => template::fill_data(text, view).map(Value::text),
            },
            Self::Expression(expression) => expression.value(view),
        }
    }
}

impl Calculation {
    /// The same for another system, which may see secrets.
    pub fn value_for_system(&self, view: View<'_>) -> Result<Value, String> {
        match self {
            Self::Template(text) => match alone(text) {
                Some(name) => Ok(view.scope.value(name).cloned().unwrap_or_default()),
                None => template::fill_request(text, view).map(Value::text),
            },
            other => other.value(view),
        }
    }
}

/// The name in `{{ name }}`, when there is nothing else.
fn alone(text: &str) -> Option<&str> {
    let name = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let plain = !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    plain.then_some(name)
}

/// The calendars that a text speaks of, and what it wants to know of each.
fn calendar_facts(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let name = |text| -> &str {
        let text: &str = text;
        let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
        &text[..end]
    };
    let begins = |at: usize| !text[..at].ends_with(|letter: char| letter.is_alphanumeric() || "_.'\"".contains(letter));
    let prefix = "calendars.";
    text.match_indices(prefix).filter(move |(at, _)| begins(*at)).map(move |(at, _)| {
        let rest = &text[at + prefix.len()..];
        let calendar = name(rest);
        (calendar, rest[calendar.len()..].strip_prefix('.').map(name))
    })
}

impl Compiler<'_> {
    /// The `text` and `file` of a step that speaks.
    pub(in crate::dialplan) fn spoken(&mut self, fields: &mut Fields, required: bool) -> Option<schema::Text> {
        let owner = self.owner();
        schema::spoken(fields, &owner, required, self.findings)
    }

    /// A text, alone or with a recording.
    pub(in crate::dialplan) fn text(&mut self, node: &Node) -> Option<schema::Text> {
        schema::text(node, self.findings)
    }

    /// A text under some key, if it is there, as a prompt.
    pub(in crate::dialplan) fn prompt_of(&mut self, fields: &mut Fields, key: &str) -> Option<Prompt> {
        let text = fields.take(key).and_then(|node| self.text(&node))?;
        Some(self.prompt(&text))
    }

    pub(super) fn optional_prompt(&mut self, text: Option<&schema::Text>) -> Prompt {
        text.map_or_else(Prompt::none, |text| self.prompt(text))
    }

    /// A text in every language of the plan.
    pub(in crate::dialplan) fn prompt(&mut self, text: &schema::Text) -> Prompt {
        self.judge_lengths(text);
        self.prompt_of_any_length(text)
    }

    /// The same for a text that the law makes long.
    pub(in crate::dialplan) fn prompt_of_any_length(&mut self, text: &schema::Text) -> Prompt {
        match &text.text {
            Localized::One(_) => self.check_languages::<()>(text.at, None, "text"),
            Localized::Each(at, each) => self.check_languages(*at, Some(each), "text"),
        }
        self.prompt_in_some(text)
    }

    fn judge_lengths(&mut self, text: &schema::Text) {
        for (language, line) in self.per_language(&text.text) {
            lint::length(&line.value, &language, line.at, self.findings);
        }
    }

    /// A text in those languages of the plan it was written in.
    fn prompt_in_some(&mut self, text: &schema::Text) -> Prompt {
        let mut texts = BTreeMap::new();
        for (language, line) in self.per_language(&text.text) {
            self.check_template(&line);
            texts.insert(language, self.with_recordings(&line));
        }
        let mut files = BTreeMap::new();
        for (language, file) in text.file.iter().flat_map(|file| self.per_language(file)).collect::<Vec<_>>() {
            files.insert(language, self.shop.recording(&file, self.findings));
        }
        Prompt { texts, files }
    }

    /// The text with the recordings it names found, and a part of the version.
    fn with_recordings(&mut self, line: &Spanned<String>) -> String {
        for named in markup::recordings(&line.value) {
            let named = Spanned { at: line.at, value: named.to_string_lossy().into_owned() };
            self.shop.recording(&named, self.findings);
        }
        markup::with_recordings(&line.value, |named| self.shop.files.beside(line.at.file, named))
    }

    fn check_template(&mut self, line: &Spanned<String>) {
        if let Err(why) = template::check(&line.value) {
            self.findings.error(line.at, why).help(
                "values stand in double braces: `{{ name }}`; filters are amount, date, time, digits, number, ordinal, \
                 phone, spell and near",
            );
            return;
        }
        if let Err(why) = markup::check(&line.value) {
            self.findings.error(line.at, why).help("markup is a part of SSML, see dialplans/README.md");
        }
        self.reads(line.at, template::names(&line.value));
        if template::is_template(&line.value) {
            self.check_calendars(line.at, &line.value);
        }
    }

    /// `calendars.NAME.FACT`, wherever it stands.
    fn check_calendars(&mut self, at: Span, text: &str) {
        for (name, fact) in calendar_facts(text) {
            let known = |(known, _): &(Spanned<String>, _)| readable(&known.value) == name;
            if !self.written.calendars.iter().any(known) {
                self.unknown_calendar(at, name);
            } else if let Some(fact) = fact.filter(|fact| !CALENDAR_FACTS.contains(fact)) {
                let help = match nearest(fact, CALENDAR_FACTS) {
                    Some(right) => format!("did you mean `{right}`?"),
                    None => format!("it says {}", listed(CALENDAR_FACTS)),
                };
                self.findings.error(at, format!("no calendar says `{fact}`")).help(help);
            }
        }
    }

    fn unknown_calendar(&mut self, at: Span, name: &str) {
        let names = self.written.calendars.iter().map(|(known, _)| known.value.as_str());
        let help = match nearest(name, names) {
            Some(right) => format!("did you mean `{right}`?"),
            None => "write it under `calendars:` of this plan".to_owned(),
        };
        self.findings.error(at, format!("there is no calendar `{name}`")).help(help);
    }

    /// Names that are read at this place.
    fn reads(&mut self, at: Span, names: impl IntoIterator<Item = String>) {
        let names = names.into_iter().filter(|name| !RESERVED_NAMES.contains(&name.as_str()) && !name.starts_with('$'));
        let system = self.for_system;
        self.read_names.extend(names.map(|value| (Spanned { at, value }, system)));
    }

    /// A text with values in it, not for a caller's ears.
    pub(in crate::dialplan) fn template(&mut self, node: &Node) -> Option<Spanned<String>> {
        let written = read::line(node, self.findings)?;
        self.check_template(&written);
        Some(written)
    }

    /// A condition.
    pub(in crate::dialplan) fn condition(&mut self, node: &Node) -> Option<Condition> {
        let written = read::line(node, self.findings)?;
        match Condition::parse(&written.value) {
            Ok(condition) => {
                self.reads(written.at, condition.names().clone());
                self.check_calendars(written.at, &written.value);
                Some(condition)
            }
            Err(why) => {
                self.findings.error(written.at, why).help("write it like `due > 100 && call.language == \"zh-CN\"`");
                None
            }
        }
    }

    /// A value, a text to be filled in, or `= ` and an expression.
    pub(in crate::dialplan) fn calculation(&mut self, node: &Node) -> Option<Calculation> {
        let Yaml::Scalar { text, plain } = &node.value else {
            self.findings.error(node.at, format!("this must be a value, not {}", node.sort()));
            return None;
        };
        if node.is_nothing() {
            return Some(Calculation::Given(Value::Nothing));
        }
        if let Some(expression) = text.trim().strip_prefix('=') {
            return match Condition::parse(expression.trim()) {
                Ok(expression) => {
                    self.reads(node.at, expression.names().clone());
                    self.check_calendars(node.at, expression.text());
                    Some(Calculation::Expression(expression))
                }
                Err(why) => {
                    self.findings.error(node.at, why).help("write it like `= due * 0.5`");
                    None
                }
            };
        }
        if template::is_template(text) {
            self.check_template(&Spanned { at: node.at, value: text.clone() });
            return Some(Calculation::Template(text.clone()));
        }
        let value = match (text.as_str(), plain) {
            ("true", true) => Value::Boolean(true),
            ("false", true) => Value::Boolean(false),
            (number, true) => match (number.parse::<i64>(), number.parse::<f64>()) {
                (Ok(whole), _) if number == whole.to_string() => Value::Integer(whole),
                (Err(_), Ok(number)) if number.is_finite() => Value::Number(number),
                _ => Value::text(text.trim()),
            },
            _ => Value::text(text.trim()),
        };
        Some(Calculation::Given(value))
    }

    /// A calendar of the plan.
    pub(in crate::dialplan) fn calendar(&mut self, name: &Spanned<String>) -> Option<Arc<Calendar>> {
        let known = self.written.calendars.iter().find(|(known, _)| known.value == name.value);
        let calendar = known.map(|(_, calendar)| calendar.clone());
        if calendar.is_none() {
            self.unknown_calendar(name.at, &name.value);
        }
        calendar
    }

    /// Can values be kept under this name?
    pub(in crate::dialplan) fn value_name(&mut self, name: &Spanned<String>) -> bool {
        if RESERVED_NAMES.contains(&name.value.as_str()) {
            let message = format!("nothing can be called `{}`: the engine gives that name", name.value);
            self.findings.error(name.at, message).help("give it another name");
            return false;
        }
        read::name(name, "a value", self.findings)
    }

    /// A language that the plan speaks.
    pub(in crate::dialplan) fn language_of_plan(&mut self, written: &Spanned<String>) -> Option<Language> {
        let language = read::language(written, self.findings)?.value;
        if !self.languages.contains(&language) {
            let ours: Vec<&str> = self.languages.iter().map(Language::as_str).collect();
            self.findings
                .error(written.at, format!("{language} is not a language of this plan"))
                .help(format!("`languages` lists {}", listed(ours)));
            return None;
        }
        Some(language)
    }

    /// The phrases written for a language.
    pub(in crate::dialplan) fn phrases_in(
        &self,
        phrases: Option<&Localized<Vec<Spanned<String>>>>,
        language: &Language,
    ) -> Vec<Spanned<String>> {
        match phrases {
            Some(Localized::One(phrases)) if *language == self.languages[0] => phrases.value.clone(),
            Some(Localized::Each(_, each)) => {
                each.get(language).map(|phrases| phrases.value.clone()).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// Phrases must be there in every language of the plan.
    pub(in crate::dialplan) fn check_phrases(&mut self, phrases: &Localized<Vec<Spanned<String>>>) {
        match phrases {
            Localized::One(phrases) => self.check_languages::<()>(phrases.at, None, "phrases"),
            Localized::Each(at, each) => self.check_languages(*at, Some(each), "phrases"),
        }
    }

    /// A name whose value is read here.
    pub(in crate::dialplan) fn read_name(&mut self, name: &Spanned<String>) {
        self.reads(name.at, [readable(&name.value)]);
    }

    /// What understands options with these phrases, and the wishes in force.
    pub(in crate::dialplan) fn matchers(
        &mut self,
        options: &[Option<Localized<Vec<Spanned<String>>>>],
        universals: &Universals,
    ) -> BTreeMap<Language, Matcher> {
        for phrases in options {
            phrases.iter().for_each(|phrases| self.check_phrases(phrases));
        }
        let words = |phrases: &Option<_>, language: &Language, cx: &Self| {
            cx.phrases_in(phrases.as_ref(), language).into_iter().map(|phrase| phrase.value).collect()
        };
        let each: BTreeMap<Language, Vec<Vec<String>>> = self
            .languages
            .iter()
            .map(|language| (language.clone(), options.iter().map(|own| words(own, language, self)).collect()))
            .collect();
        self.matchers_of(|language| each.get(language).cloned().unwrap_or_default(), universals)
    }

    /// The same for phrases of the engine's own, by language.
    pub(in crate::dialplan) fn matchers_of(
        &mut self,
        phrases: impl Fn(&Language) -> Vec<Vec<String>>,
        universals: &Universals,
    ) -> BTreeMap<Language, Matcher> {
        let wishes: Vec<Universal> = universals.all().map(|(wish, _)| wish).collect();
        let matcher = |language: &Language| (language.clone(), Matcher::compile(&phrases(language), &wishes, language));
        let matchers: BTreeMap<Language, Matcher> = self.languages.iter().map(matcher).collect();
        self.shop.matchers.extend(matchers.values().cloned());
        matchers
    }

    /// What the engine says by itself: the plan's words before the built-in ones.
    pub(super) fn house(&mut self) -> HousePhrases {
        let mut missing: BTreeMap<Language, Vec<&str>> = BTreeMap::new();
        let mut phrase = |key: &'static str| {
            let own = self.written.phrases.iter().find(|(other, _)| *other == key);
            let mut prompt = own.map_or_else(Prompt::none, |(_, text)| self.prompt_in_some(text));
            for language in self
                .languages
                .iter()
                .filter(|language| !prompt.texts.contains_key(*language))
                .cloned()
                .collect::<Vec<_>>()
            {
                match House::built_in(&language).and_then(|house| house.phrase(key)) {
                    Some(built_in) => drop(prompt.texts.insert(language, built_in.to_owned())),
                    None => missing.entry(language).or_default().push(key),
                }
            }
            prompt
        };
        let phrases = HousePhrases {
            no_input: phrase("no_input"),
            no_match: phrase("no_match"),
            goodbye: phrase("goodbye"),
            failure: phrase("failure"),
            keys_only: phrase("keys_only"),
        };
        for (language, keys) in missing {
            let place = self.written.languages.iter().find(|listed| listed.value == language);
            self.findings
                .error(
                    place.map(|tag| tag.at).unwrap_or_default(),
                    format!("the engine has no words of its own in {language}"),
                )
                .help(format!("write them under `phrases:`, in {language}: {}", listed(keys)));
        }
        phrases
    }

    /// Words of the engine that only some steps need, as a prompt of theirs.
    pub(in crate::dialplan) fn house_prompt(&mut self, key: &'static str) -> Prompt {
        let own = self.written.phrases.iter().find(|(other, _)| *other == key);
        let mut prompt = own.map_or_else(Prompt::none, |(_, text)| self.prompt_in_some(text));
        for language in self.languages.clone() {
            if prompt.texts.contains_key(&language) {
                continue;
            }
            match House::built_in(&language).and_then(|house| house.phrase(key)) {
                Some(built_in) => drop(prompt.texts.insert(language, built_in.to_owned())),
                None => {
                    let message = format!("{} needs words that the engine does not have in {language}", self.owner());
                    let help = format!("write `{key}` under `phrases:`, in {language}");
                    self.findings.error(self.at(), message).help(help);
                }
            }
        }
        prompt
    }

    fn per_language(&self, written: &Localized<String>) -> Vec<(Language, Spanned<String>)> {
        match written {
            Localized::One(value) => vec![(self.languages[0].clone(), value.clone())],
            Localized::Each(_, each) => each.iter().map(|(tag, value)| (tag.clone(), value.clone())).collect(),
        }
    }

    /// Each language of the plan, and no other. `None`: written once, for the first.
    fn check_languages<T>(&mut self, at: Span, each: Option<&BTreeMap<Language, Spanned<T>>>, what: &str) {
        for (place, language) in self.languages.iter().enumerate() {
            if each.map_or(place == 0, |each| each.contains_key(language)) {
                continue;
            }
            let mut example: Vec<String> = self.languages.iter().map(|tag| format!("{tag}: …")).collect();
            example.dedup();
            self.findings
                .error(at, format!("no {what} in {language}, which `languages` lists"))
                .help(format!("write `{{ {} }}`", example.join(", ")));
        }
        for (language, value) in each.into_iter().flatten() {
            if !self.languages.contains(language) {
                let ours: Vec<&str> = self.languages.iter().map(Language::as_str).collect();
                self.findings
                    .error(value.at, format!("{language} is not a language of this plan"))
                    .help(format!("`languages` lists {}", listed(ours)));
            }
        }
    }

    /// What is compiled from now on goes to another system, or to callers and records again.
    pub(in crate::dialplan) const fn for_system(&mut self, system: bool) {
        self.for_system = system;
    }

    /// Reports names that are read and never set, and secrets that would be said.
    pub(super) fn judge_names(&mut self, known: &[(String, bool)]) {
        for (name, system) in std::mem::take(&mut self.read_names) {
            let mut same = known.iter().filter(|(known, _)| readable(known) == name.value).peekable();
            if same.peek().is_some() {
                if !system && same.any(|(_, secret)| *secret) {
                    self.findings
                        .error(name.at, format!("`{}` is a secret, which is never said, kept or compared", name.value))
                        .help("only `http` may send it on; or take `sensitive: true` away where it is asked for");
                }
                continue;
            }
            let help = match nearest(&name.value, known.iter().map(|(name, _)| name.as_str())) {
                Some(right) => format!("did you mean `{right}`?"),
                None => format!("add `inputs: {{ {}: text }}` if it is known before the call", name.value),
            };
            self.findings.regret(name.at, format!("nothing ever sets `{}`", name.value)).help(help);
        }
    }
}
