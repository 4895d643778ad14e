//! From what was written to what runs: names become places, gaps are filled from `defaults`, every question gets a
//! way out, and speech gets its matchers.
//!
//! Compiling goes on after a fault, with a harmless stand-in for what is missing, so that one run reports them all;
//! a plan with an error among its findings is never handed out.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::diagnostic::{Findings, Span, Spanned, listed, nearest};
use super::house::House;
use super::plan::{
    Ask, Hangup, HousePhrases, Menu, MenuOption, Plan, Prompt, Question, Say, Step, StepIx, StepKind, Target,
    Universals, Want,
};
use super::read::Localized;
use super::schema::{self, Wish};
use crate::language::Language;
use crate::media::BargeIn;
use crate::understand::{Matcher, Universal};

/// Silence after a prompt that counts as no-input.
const WAIT: Duration = Duration::from_secs(4);
/// Askings of a question.
const TRIES: u32 = 3;
/// Silence that ends an utterance once its meaning is complete.
const COMPLETE: Duration = Duration::from_millis(300);
/// Silence that ends one which could still grow.
const INCOMPLETE: Duration = Duration::from_millis(1200);
/// The same while digits are read out: people pause between the groups.
const INCOMPLETE_DIGITS: Duration = Duration::from_millis(2000);
/// Below this confidence the words count as not understood.
const REJECT_BELOW: f32 = 0.5;
/// Words that begin with `$`.
const RESERVED: [&str; 3] = ["$repeat", "$back", "$end"];

/// Gives the bytes of a recording, or says why not. The path is resolved against the plan's folder.
pub(super) type ReadFile<'a> = &'a dyn Fn(&Path) -> Result<Vec<u8>, String>;

/// Compiles `written`, which was read from `text` in `file`.
pub(super) fn compile(
    written: &schema::Plan,
    text: &str,
    file: &Path,
    read_file: ReadFile<'_>,
    findings: &mut Findings,
) -> Plan {
    let names = written.steps.iter().enumerate().map(|(place, step)| (step.name.value.as_str(), place)).collect();
    let languages = match written.languages.as_slice() {
        [] => vec![Language::english()],
        listed => listed.iter().map(|language| language.value.clone()).collect(),
    };
    let folder = file.parent().unwrap_or(Path::new(""));
    let hash = Sha256::new_with_prefix(text);
    let mut compiler = Compiler { written, names, languages, folder, read_file, hash, findings };
    let phrases = compiler.house();
    let start = match written.start.as_ref().map(|start| (start, compiler.resolve(start))) {
        Some((_, Target::Step(place))) => place,
        Some((start, _)) if RESERVED.contains(&start.value.as_str()) => {
            compiler.findings.error(start.at, "a call cannot begin there").help("write the name of a step");
            StepIx(0)
        }
        _ => StepIx(0),
    };
    let steps = written.steps.iter().map(|step| compiler.step(step)).collect();
    let stem = || file.file_stem().map_or_else(|| "plan".into(), |stem| stem.to_string_lossy().into_owned());
    let digest = compiler.hash.finalize();
    Plan {
        name: written.name.as_ref().map_or_else(stem, |name| name.value.clone()),
        version: digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
        file: file.to_owned(),
        languages: compiler.languages,
        start,
        steps,
        phrases,
    }
}

struct Compiler<'a> {
    written: &'a schema::Plan,
    names: BTreeMap<&'a str, usize>,
    languages: Vec<Language>,
    folder: &'a Path,
    read_file: ReadFile<'a>,
    hash: Sha256,
    findings: &'a mut Findings,
}

impl Compiler<'_> {
    fn step(&mut self, step: &schema::Step) -> Step {
        let name = &step.name;
        let kind = match &step.kind {
            Some(schema::Kind::Say(say)) => StepKind::Say(self.say(say)),
            Some(schema::Kind::Menu(menu)) => StepKind::Menu(self.menu(name, menu)),
            Some(schema::Kind::Ask(ask)) => StepKind::Ask(self.ask(name, ask)),
            Some(schema::Kind::Goto(target)) => StepKind::Goto(self.resolve(target)),
            Some(schema::Kind::Hangup(hangup)) => StepKind::Hangup(Hangup {
                prompt: hangup.text.as_ref().map(|text| self.prompt(text)),
                result: hangup.result.as_ref().map(|result| result.value.clone()),
            }),
            // Could not be read, as has been reported.
            None => StepKind::Goto(Target::End),
        };
        let defaults = &self.written.defaults;
        let questions = kind.question().and(defaults.question.hangup.as_ref());
        let hangup = step.hangup.as_ref().or(questions).or(defaults.hangup.as_ref()).map(|target| self.hung_up(target));
        Step {
            name: name.value.clone(),
            at: (name.at.line, name.at.column),
            kind,
            hangup: hangup.unwrap_or(Target::End),
        }
    }

    fn say(&mut self, say: &schema::Say) -> Say {
        let written = say.barge_in.as_ref().or(self.written.defaults.say_barge_in.as_ref());
        let barge_in = match say.protected {
            true => BargeIn::Off,
            false => written.map(|barge_in| barge_in.value).unwrap_or_default(),
        };
        Say {
            prompt: self.optional_prompt(say.text.as_ref()),
            protected: say.protected,
            barge_in,
            go: self.optional_target(say.go.as_ref()),
        }
    }

    fn menu(&mut self, name: &Spanned<String>, menu: &schema::Menu) -> Menu {
        let question = self.question(name, "menu", &menu.question, INCOMPLETE);
        self.check_keys(&menu.options);
        self.check_phrases(&menu.options);
        let matchers = self.matchers(&menu.options, &question.universals);
        let option = |choice: &schema::Choice| MenuOption {
            name: choice.name.value.clone(),
            key: choice.key.as_ref().map(|key| key.value),
            go: self.optional_target(choice.go.as_ref()),
        };
        let options = menu.options.iter().map(option).collect();
        let reject_go = menu.reject_go.as_ref().map(|go| self.resolve(go));
        Menu { question, options, matchers, reject_below: menu.reject_below.unwrap_or(REJECT_BELOW), reject_go }
    }

    fn ask(&mut self, name: &Spanned<String>, ask: &schema::Ask) -> Ask {
        let question = self.question(name, "ask", &ask.question, INCOMPLETE_DIGITS);
        let matchers = self.matchers(&[], &question.universals);
        let (min, max) = ask.digits.unwrap_or((1, 1));
        Ask {
            question,
            slot: ask.slot.as_ref().unwrap_or(name).value.clone(),
            want: Want::Digits { min, max },
            matchers,
            sensitive: ask.sensitive,
            go: self.optional_target(ask.go.as_ref()),
        }
    }

    fn question(
        &mut self,
        name: &Spanned<String>,
        kind: &str,
        own: &schema::Question,
        incomplete: Duration,
    ) -> Question {
        let written = self.written;
        let defaults = &written.defaults.question;
        let exhausted = match own.exhausted.as_ref().or(defaults.exhausted.as_ref()) {
            Some(target) => self.onward(target),
            None => {
                let help = "add `tries: { max: 3, go: … }`, or give every question one with `go:` in \
                            `defaults.question`";
                self.findings
                    .error(name.at, format!("{kind} `{}` has no way out when its tries are used up", name.value))
                    .help(help);
                Target::End
            }
        };
        let complete = own.complete.as_ref().or(defaults.complete.as_ref());
        let growing = own.incomplete.as_ref().or(defaults.incomplete.as_ref());
        if let (Some(complete), Some(growing)) = (complete, growing)
            && growing.value < complete.value
        {
            self.findings
                .error(growing.at, "`incomplete` is shorter than `complete`")
                .help("the silence after which an unfinished answer is taken must be the longer one");
        }
        let own_or = |own: &Option<schema::Target>, default: &Option<schema::Target>| own.clone().or(default.clone());
        let no_input = own_or(&own.no_input, &defaults.no_input);
        let no_match = own_or(&own.no_match, &defaults.no_match);
        let error = own_or(&own.error, &defaults.error);
        let value = |own: &Option<Spanned<Duration>>, default: &Option<Spanned<Duration>>| {
            own.as_ref().or(default.as_ref()).map(|time| time.value)
        };
        let barge_in = own.barge_in.as_ref().or(defaults.barge_in.as_ref());
        let reprompts = own.reprompt.as_ref().or(defaults.reprompt.as_ref());
        Question {
            prompt: self.optional_prompt(own.prompt.as_ref()),
            reprompts: reprompts.into_iter().flatten().map(|text| self.prompt(text)).collect(),
            barge_in: barge_in.map(|barge_in| barge_in.value).unwrap_or_default(),
            wait: value(&own.wait, &defaults.wait).unwrap_or(WAIT),
            tries: own.tries.or(defaults.tries).unwrap_or(TRIES),
            complete: complete.map_or(COMPLETE, |time| time.value),
            incomplete: growing.map_or(incomplete, |time| time.value),
            no_input: no_input.map_or(Target::Repeat, |target| self.resolve(&target)),
            no_match: no_match.map_or(Target::Repeat, |target| self.resolve(&target)),
            exhausted,
            error: error.map_or(exhausted, |target| self.resolve(&target)),
            universals: self.universals(&own.universals, &defaults.universals),
        }
    }

    /// A question's own wishes, then those of `defaults.question`, then those of `defaults`, then the engine's.
    fn universals(&mut self, own: &schema::Universals, question: &schema::Universals) -> Universals {
        let written = self.written;
        let everywhere = &written.defaults.universals;
        let mut wish =
            |layers: [&Option<Wish>; 3], otherwise: Option<Target>| match layers.into_iter().find_map(Option::as_ref) {
                Some(Wish::Off) => None,
                Some(Wish::Go(target)) => Some(self.resolve(target)),
                None => otherwise,
            };
        Universals {
            operator: wish([&own.operator, &question.operator, &everywhere.operator], None),
            repeat: wish([&own.repeat, &question.repeat, &everywhere.repeat], Some(Target::Repeat)),
            back: wish([&own.back, &question.back, &everywhere.back], Some(Target::Back)),
        }
    }

    fn check_keys(&mut self, options: &[schema::Choice]) {
        let mut taken = BTreeMap::new();
        for choice in options {
            let Some(key) = &choice.key else { continue };
            if let Some(other) = taken.insert(key.value, &choice.name.value) {
                let face = key.value.face();
                let message = format!("key {face} is already that of option `{other}`");
                self.findings.error(key.at, message).help("give one of them another key");
            }
        }
    }

    /// The same words cannot stand for two options.
    fn check_phrases(&mut self, options: &[schema::Choice]) {
        for language in self.languages.clone() {
            let mut taken: BTreeMap<String, (usize, usize)> = BTreeMap::new();
            for (place, choice) in options.iter().enumerate() {
                for phrase in self.phrases_in(choice, &language) {
                    let bare = bare(&phrase.value);
                    if bare.is_empty() {
                        let message = format!("`{}` holds nothing that can be said", phrase.value);
                        self.findings.error(phrase.at, message).help("write the words a caller would say");
                        continue;
                    }
                    let Some((other, line)) = taken.insert(bare, (place, phrase.at.line)) else { continue };
                    if other == place {
                        let message = format!("`{}` stands here twice", phrase.value);
                        self.findings.warn(phrase.at, message).help(format!("it is also at line {line}"));
                    } else {
                        let rival = &options[other].name.value;
                        let message = format!("`{}` also stands for option `{rival}`", phrase.value);
                        self.findings
                            .error(phrase.at, message)
                            .help(format!("a caller can mean only one of them: change this one or line {line}"));
                    }
                }
            }
        }
    }

    fn phrases_in(&self, choice: &schema::Choice, language: &Language) -> Vec<Spanned<String>> {
        match &choice.phrases {
            Some(Localized::One(phrases)) if *language == self.languages[0] => phrases.value.clone(),
            Some(Localized::Each(_, each)) => {
                each.get(language).map(|phrases| phrases.value.clone()).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    fn matchers(&mut self, options: &[schema::Choice], universals: &Universals) -> BTreeMap<Language, Matcher> {
        for choice in options {
            match &choice.phrases {
                Some(Localized::One(phrases)) => self.check_languages::<()>(phrases.at, None, "phrases"),
                Some(Localized::Each(at, each)) => self.check_languages(*at, Some(each), "phrases"),
                None => {}
            }
        }
        let wishes = [
            (Universal::Operator, universals.operator),
            (Universal::Repeat, universals.repeat),
            (Universal::Back, universals.back),
        ];
        let wishes: Vec<Universal> = wishes.iter().filter(|(_, to)| to.is_some()).map(|(wish, _)| *wish).collect();
        let words = |choice: &schema::Choice, language: &Language| {
            self.phrases_in(choice, language).into_iter().map(|phrase| phrase.value).collect()
        };
        let matcher = |language: &Language| {
            let phrases: Vec<Vec<String>> = options.iter().map(|choice| words(choice, language)).collect();
            (language.clone(), Matcher::compile(&phrases, &wishes, language))
        };
        self.languages.iter().map(matcher).collect()
    }

    /// What the engine says by itself: the plan's words before the built-in ones.
    fn house(&mut self) -> HousePhrases {
        let mut missing: BTreeMap<Language, Vec<&str>> = BTreeMap::new();
        let mut phrase = |key: &'static str| {
            let own = self.written.phrases.iter().find(|(other, _)| *other == key);
            let mut prompt = own.map_or_else(no_prompt, |(_, text)| self.prompt_in_some(text));
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

    fn optional_prompt(&mut self, text: Option<&schema::Text>) -> Prompt {
        text.map_or_else(no_prompt, |text| self.prompt(text))
    }

    /// A text in every language of the plan.
    fn prompt(&mut self, text: &schema::Text) -> Prompt {
        match &text.text {
            Localized::One(_) => self.check_languages::<()>(text.at, None, "text"),
            Localized::Each(at, each) => self.check_languages(*at, Some(each), "text"),
        }
        self.prompt_in_some(text)
    }

    /// A text in those languages of the plan it was written in.
    fn prompt_in_some(&mut self, text: &schema::Text) -> Prompt {
        let texts = self.per_language(&text.text).into_iter().map(|(language, text)| (language, text.value)).collect();
        let mut files = BTreeMap::new();
        for (language, file) in text.file.iter().flat_map(|file| self.per_language(file)).collect::<Vec<_>>() {
            let path = self.folder.join(&file.value);
            self.read_recording(&file, &path);
            files.insert(language, path);
        }
        Prompt { texts, files }
    }

    fn per_language(&self, written: &Localized<String>) -> Vec<(Language, Spanned<String>)> {
        match written {
            Localized::One(value) => vec![(self.languages[0].clone(), value.clone())],
            Localized::Each(_, each) => each.iter().map(|(tag, value)| (tag.clone(), value.clone())).collect(),
        }
    }

    /// Recordings are part of the version: other sound under the same name is another plan.
    fn read_recording(&mut self, written: &Spanned<String>, path: &Path) {
        match (self.read_file)(path) {
            Ok(bytes) => {
                self.hash.update((written.value.len() as u64).to_be_bytes());
                self.hash.update(&written.value);
                self.hash.update((bytes.len() as u64).to_be_bytes());
                self.hash.update(&bytes);
            }
            Err(reason) => {
                let help = format!("looked for {}; paths are relative to the plan's folder", path.display());
                self.findings.error(written.at, format!("recording `{}` {reason}", written.value)).help(help);
            }
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

    fn optional_target(&mut self, target: Option<&schema::Target>) -> Target {
        target.map_or(Target::End, |target| self.resolve(target))
    }

    /// A target that must lead away, because staying would never end.
    fn onward(&mut self, target: &schema::Target) -> Target {
        if ["$repeat", "$back"].contains(&target.value.as_str()) {
            self.findings
                .error(target.at, format!("`{}` would keep a silent caller here for ever", target.value))
                .help("when the tries are used up the call must go on: to a step, or to `$end`");
        }
        self.resolve(target)
    }

    /// A target for a caller who has gone.
    fn hung_up(&mut self, target: &schema::Target) -> Target {
        let resolved = self.resolve(target);
        let fits = match resolved {
            Target::End => true,
            Target::Repeat | Target::Back => false,
            Target::Step(place) => !matches!(
                self.written.steps[place.0].kind,
                Some(schema::Kind::Say(_) | schema::Kind::Menu(_) | schema::Kind::Ask(_) | schema::Kind::Goto(_))
            ),
        };
        if !fits {
            self.findings
                .error(target.at, "the caller has hung up here, nobody would hear it")
                .help("`hangup:` leads to a `hangup` step, whose `result` is kept, or to `$end`");
        }
        resolved
    }

    fn resolve(&mut self, target: &schema::Target) -> Target {
        match target.value.as_str() {
            "$repeat" => Target::Repeat,
            "$back" => Target::Back,
            "$end" => Target::End,
            name => match self.names.get(name) {
                Some(place) => Target::Step(StepIx(*place)),
                None => {
                    // Without steps no name is right, and that has been said.
                    if !self.names.is_empty() {
                        self.unknown_target(target);
                    }
                    Target::End
                }
            },
        }
    }

    fn unknown_target(&mut self, target: &schema::Target) {
        let name = &target.value;
        let (sort, near) = match name.starts_with('$') {
            true => ("reserved target", nearest(name, RESERVED)),
            false => ("step", nearest(name, self.names.keys().copied())),
        };
        let reserved = RESERVED.iter().find(|word| word[1..] == **name);
        let help = match (reserved, near) {
            (Some(word), _) => format!("did you mean `{word}`?"),
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) if sort == "step" => format!("add a step `{name}`, or go to one that exists"),
            (None, None) => format!("there are {}", listed(RESERVED)),
        };
        self.findings.error(target.at, format!("there is no {sort} `{name}`")).help(help);
    }
}

/// Stands in for a text that could not be read.
fn no_prompt() -> Prompt {
    Prompt { texts: BTreeMap::new(), files: BTreeMap::new() }
}

/// Letters and digits only, in lower case: two phrases that sound the same are the same.
fn bare(phrase: &str) -> String {
    let kept = |letter: char| if letter.is_alphanumeric() { letter } else { ' ' };
    let text: String = phrase.to_lowercase().replace(['\'', '’'], "").chars().map(kept).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
