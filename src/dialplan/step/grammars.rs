//! Grammars that a plan brings along, as what a question wants: one or more files a language, and for keys.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use super::Hearing;
use super::value_ear::Heard;
use crate::dialplan::compile::Compiler;
use crate::dialplan::diagnostic::Spanned;
use crate::dialplan::read::{self, Localized};
use crate::dialplan::yaml::Node;
use crate::grammar::builtin::Keys;
use crate::grammar::{Grammar, Keyed, Mode, Severity};
use crate::language::Language;
use crate::spoken::{SayAs, say};
use crate::understand::Fit;
use crate::value::Value;

/// How sure an utterance is that is nothing but what the grammar hears…
const WHOLE: f32 = 0.97;
/// …and one that holds it among other words. 0..1.
const INSIDE: f32 = 0.9;

/// The grammars of one question.
#[derive(Debug)]
pub struct Grammars {
    /// For what is said, by language.
    voice: BTreeMap<Language, Vec<Grammar>>,
    /// For what is typed.
    keys: Vec<Grammar>,
}

impl Grammars {
    /// Can it be answered by key?
    pub const fn takes_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// What keys typed so far come to: the first grammar that knows them.
    pub fn keys(&self, typed: &str, hearing: &Hearing) -> Keys {
        if !self.takes_keys() {
            return Keys::Ignored;
        }
        // A grammar may have `#` among its own keys; else it ends what was typed.
        if typed.contains('#') {
            for grammar in &self.keys {
                match grammar.match_keys(typed, hearing.now) {
                    Keyed::Complete(value) => return Keys::Complete(value),
                    Keyed::More(value) => return Keys::More(value),
                    Keyed::Wrong => {}
                }
            }
        }
        let (typed, ended) = typed.strip_suffix('#').map_or((typed, false), |typed| (typed, true));
        let mut verdict = Keys::Wrong;
        for grammar in &self.keys {
            match (grammar.match_keys(typed, hearing.now), ended) {
                (Keyed::Complete(value) | Keyed::More(Some(value)), true) | (Keyed::Complete(value), false) => {
                    return Keys::Complete(value);
                }
                (Keyed::More(value), false) => verdict = Keys::More(value),
                _ => {}
            }
        }
        verdict
    }

    /// Those that hear words in that language.
    pub fn spoken(&self, language: &Language) -> &[Grammar] {
        self.voice.get(language).map_or(&[], Vec::as_slice)
    }

    /// Everything the grammars hear in a text.
    pub fn find(&self, text: &str, hearing: &Hearing) -> Vec<Heard> {
        let mut heard = Vec::new();
        for grammar in self.voice.get(&hearing.language).into_iter().flatten() {
            let grows = grammar.fit(text, &hearing.language, hearing.now).prefix;
            let found = grammar.spot(text, &hearing.language, hearing.now);
            if found.is_empty() && grows {
                heard.push(Heard { value: Value::Nothing, sure: 0.0, words: 0..0, fit: Fit::Prefix });
            }
            for found in found {
                let fit = if grows {
                    Fit::Prefix
                } else if found.whole {
                    Fit::Full
                } else {
                    Fit::None
                };
                let sure = if found.whole { WHOLE } else { INSIDE };
                heard.push(Heard { value: found.interpretation, sure, words: found.words, fit });
            }
        }
        heard
    }

    /// Reads `grammar:` a file, several, or such for each language.
    pub(in crate::dialplan) fn read(node: &Node, cx: &mut Compiler<'_>) -> Option<Self> {
        let written = read::localized(node, cx.findings, read::lines)?;
        let mut grammars = Self { voice: BTreeMap::new(), keys: Vec::new() };
        let files: Vec<(Option<Language>, Spanned<String>)> = match written {
            Localized::One(files) => files.value.into_iter().map(|file| (None, file)).collect(),
            Localized::Each(_, each) => each
                .into_iter()
                .flat_map(|(language, files)| files.value.into_iter().map(move |file| (Some(language.clone()), file)))
                .collect(),
        };
        let mut whole = true;
        for (language, file) in files {
            let Some(grammar) = cx.grammar(&file) else {
                whole = false;
                continue;
            };
            if grammar.mode() == Mode::Dtmf {
                grammars.keys.push(grammar);
                continue;
            }
            let spoken = |of: &&Language| match &language {
                Some(language) => language == *of,
                None => of.primary() == grammar.language().primary(),
            };
            let languages: Vec<Language> = cx.languages().iter().filter(spoken).cloned().collect();
            whole &= !languages.is_empty();
            if languages.is_empty() {
                let message = format!("that grammar is {}, which this plan does not speak", grammar.language());
                cx.findings.error(file.at, message).help("name it under the language it is for: `{ en-US: … }`");
            }
            for language in languages {
                grammars.voice.entry(language).or_default().push(grammar.clone());
            }
        }
        for language in cx.languages().to_vec() {
            if whole && !grammars.voice.contains_key(&language) && !grammars.takes_keys() {
                let message = format!("nothing that is said in {language} is understood here");
                cx.findings.error(node.at, message).help(format!("add a grammar for it: `{{ {language}: … }}`"));
            }
        }
        Some(grammars)
    }
}

/// What a grammar gave, as it is read back: its words, or each of its parts that is more than a yes or no.
pub fn say_back(value: &Value, hearing: &Hearing) -> String {
    let listed = |parts: &mut dyn Iterator<Item = &Value>| {
        let telling = parts.filter(|part| !matches!(part, Value::Boolean(_)));
        telling.map(|part| say_back(part, hearing)).collect::<Vec<_>>().join(", ")
    };
    match value {
        Value::Map(parts) => listed(&mut parts.values()),
        Value::List(parts) => listed(&mut parts.iter()),
        value => say(value, SayAs::Auto, &hearing.language, hearing.now.date()),
    }
}

impl Compiler<'_> {
    /// The grammar in a file beside the plan. `None` when it cannot be used; why has been reported.
    fn grammar(&mut self, written: &Spanned<String>) -> Option<Grammar> {
        let files = self.files();
        let path = files.beside(written.at.file, &written.value);
        let files = RefCell::new(files);
        let grammar = Grammar::load(&path, &|path: &Path| files.borrow_mut().grammar(path));
        let problems = grammar.as_ref().map_or_else(Clone::clone, |grammar| grammar.problems().to_vec());
        for problem in problems {
            let message = format!("{}:{}:{}: {}", problem.file, problem.line, problem.column, problem.message);
            let finding = match problem.severity {
                Severity::Error => self.findings.error(written.at, message),
                Severity::Warning => self.findings.warn(written.at, message),
                Severity::Note => continue,
            };
            if let Some(help) = problem.help {
                finding.help(help);
            }
        }
        grammar.ok()
    }
}
