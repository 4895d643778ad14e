//! From files to one network: names are looked up, tags read, and every rule becomes states and arcs.
//!
//! An expansion is laid between two states. Nothing it lays leads back into the first or on from the second, so
//! alternatives share both and sequences need no arcs of their own.

use std::collections::{BTreeMap, BTreeSet};

use crate::language::Language;

use super::ast::{Document, Expansion, Mode, Target};
use super::automaton::{Arc, Automaton, BuiltinCall, Label, RuleNet, Word};
use super::builtin::Kind;
use super::diagnostic::{self, Place, Problems};
use super::load::{Files, Link};
use super::semantics::Meaning;
use super::semantics::run::{Globals, Scope};
use super::semantics::script::{Names, Script, declared};
use super::{analysis, words};

/// Most states of one grammar. A list of ten thousand names needs about as many.
pub const MAX_STATES: usize = 100_000;
/// Most arcs of one grammar.
pub const MAX_ARCS: usize = 400_000;

/// Most different built-ins of one grammar.
const MAX_BUILTINS: usize = 100;

/// Each word that `$GARBAGE` swallows makes a way so much less likely (natural logarithm): words of the grammar win.
const GARBAGE: f32 = -2.3;
/// Each time a repetition without end is begun again costs this little, so that going round without a word never helps.
const AGAIN: f32 = -1e-5;
/// Probabilities of 0 and 1 are taken for this close to them: unlikely, and never impossible.
const ALMOST: f32 = 1e-4;

/// The grammar has grown too large; it has been told.
struct TooLarge;

/// Compiles what has been loaded. What it returns is only of use when `problems` holds no error.
pub fn compile(files: &Files, problems: &mut Problems) -> Automaton {
    let mut compiler = Compiler {
        files,
        problems,
        by_name: BTreeMap::new(),
        automaton: Automaton::default(),
        states: Vec::new(),
        arcs: 0,
        file: 0,
        rule: String::new(),
        blame: Place::default(),
        called: BTreeSet::new(),
        names: Vec::new(),
        functions: BTreeSet::new(),
    };
    compiler.declare();
    compiler.set_globals();
    let fits = if compiler.states.len() > MAX_STATES { Err(compiler.too_large()) } else { Ok(()) };
    let laid = fits.and_then(|()| compiler.lay_rules());
    let Compiler { mut automaton, states, problems, .. } = compiler;
    if laid.is_ok() && !problems.has_errors() {
        automaton.pack(states);
        analysis::finish(&mut automaton, problems);
    } else {
        automaton.pack(Vec::new());
        automaton.rules.clear();
    }
    automaton
}

struct Compiler<'a> {
    files: &'a Files,
    problems: &'a mut Problems,
    /// Numbers of rules by file and name.
    by_name: BTreeMap<(usize, &'a str), u32>,
    automaton: Automaton,
    states: Vec<Vec<Arc>>,
    arcs: usize,
    /// The file and the rule that are being laid.
    file: usize,
    rule: String,
    /// What to name when the grammar grows too large.
    blame: Place,
    /// Functions that the head of the file makes.
    functions: BTreeSet<String>,
    /// What the rule refers to, as its tags know it.
    called: BTreeSet<String>,
    /// What the tags of the rule read and set, and where.
    names: Vec<(Names, Place)>,
}

impl<'a> Compiler<'a> {
    /// Gives every rule of every file its number, its first and its last state.
    fn declare(&mut self) {
        for (file, document) in self.files.documents.iter().enumerate() {
            for rule in &document.rules {
                let number = self.automaton.rules.len() as u32;
                if self.by_name.insert((file, &rule.name), number).is_some() {
                    self.problems.error(rule.at, format!("rule `{}` is defined twice", rule.name));
                }
                let start = self.states.len() as u32;
                self.states.extend([Vec::new(), Vec::new()]);
                self.automaton.rules.push(RuleNet {
                    name: rule.name.clone(),
                    file,
                    at: rule.at,
                    public: rule.public,
                    start,
                    end: start + 1,
                    empty: false,
                    first: None,
                });
            }
        }
        for (file, document) in self.files.documents.iter().enumerate() {
            if let Some((root, at)) = &document.root
                && !self.by_name.contains_key(&(file, root))
            {
                let help = self.guess(root, document.rules.iter().map(|rule| rule.name.as_str()));
                self.problems.error(*at, format!("the root `{root}` is not defined")).help = help;
            }
            let own = self.files.documents[0].mode;
            if document.mode != own
                && let Some(rule) = document.rules.first()
            {
                let message = "a grammar listens to words or to keys: this file and the one that refers to it differ";
                self.problems.error(rule.at, message).help("make `mode` the same in both");
            }
            if document.mode == Mode::Voice
                && document.language.is_none()
                && let Some(rule) = document.rules.first()
            {
                let help = "write `language en-US;`, or xml:lang=\"en-US\" at <grammar>";
                self.problems.warn(rule.at, "the grammar does not say its language: taken for en-US").help(help);
            }
        }
    }

    /// Runs the tags of the files themselves.
    fn set_globals(&mut self) {
        for (file, document) in self.files.documents.iter().enumerate() {
            self.of_file(file);
            let mut scope = Scope::default();
            for (text, at) in &document.globals {
                let Some(Meaning::Script(script)) = self.meaning(text, *at) else { continue };
                if let Err(why) = scope.run(&script, &Globals::default()) {
                    self.problems.error(*at, why);
                }
            }
            self.automaton.globals.push(scope.known);
        }
    }

    fn of_file(&mut self, file: usize) {
        self.file = file;
        let heads = self.files.documents[file].globals.iter();
        self.functions = heads.flat_map(|(text, _)| declared(text)).collect();
    }

    fn lay_rules(&mut self) -> Result<(), TooLarge> {
        let mut number = 0;
        for (file, document) in self.files.documents.iter().enumerate() {
            self.of_file(file);
            for rule in &document.rules {
                self.rule.clone_from(&rule.name);
                self.called.clear();
                self.names.clear();
                self.blame = rule.at;
                let RuleNet { start, end, .. } = self.automaton.rules[number];
                self.lay(&rule.body, start, end, &language_of(document))?;
                self.check_names();
                number += 1;
            }
        }
        Ok(())
    }

    /// Lays `expansion` between two states.
    fn lay(&mut self, expansion: &'a Expansion, from: u32, to: u32, language: &Language) -> Result<(), TooLarge> {
        match expansion {
            Expansion::Token { text, at } => self.lay_words(text, *at, from, to, language),
            Expansion::Sequence(parts) => match parts.split_last() {
                None => self.arc(from, Label::Nothing, to, 0.0),
                Some((last, before)) => {
                    let mut at = from;
                    for part in before {
                        let next = self.state()?;
                        self.lay(part, at, next, language)?;
                        at = next;
                    }
                    self.lay(last, at, to, language)
                }
            },
            Expansion::OneOf(several) => {
                let weight = |weight: Option<f32>| weight.unwrap_or(1.0);
                let most = several.iter().map(|one| weight(one.weight)).fold(0.0, f32::max);
                for one in several {
                    let weight = weight(one.weight) / most;
                    if weight.is_nan() || weight <= 0.0 {
                        continue; // A weight of 0: it cannot be said.
                    }
                    let before = self.states[from as usize].len();
                    self.lay(&one.body, from, to, language)?;
                    // What begins here is all of this alternative, for nothing leads back here.
                    self.states[from as usize][before..].iter_mut().for_each(|arc| arc.weight += weight.ln());
                }
                Ok(())
            }
            Expansion::Repeat { body, min, max, probability, at } => {
                let outer = std::mem::replace(&mut self.blame, *at);
                self.lay_repeat(body, (*min, *max), *probability, from, to, language)?;
                self.blame = outer;
                Ok(())
            }
            Expansion::Reference { target, at } => self.lay_reference(target, *at, from, to, language),
            Expansion::Tag { text, at } => {
                let label = match self.meaning(text, *at) {
                    Some(meaning) => {
                        if let Meaning::Script(script) = &meaning {
                            self.names.push((script.names(), *at));
                        }
                        self.automaton.tags.push(meaning);
                        Label::Tag(self.automaton.tags.len() as u32 - 1)
                    }
                    None => Label::Nothing,
                };
                self.arc(from, label, to, 0.0)
            }
            Expansion::Spoken { language, body } => self.lay(body, from, to, language),
        }
    }

    fn lay_words(&mut self, text: &str, at: Place, from: u32, to: u32, language: &Language) -> Result<(), TooLarge> {
        let units = match self.files.documents[self.file].mode {
            Mode::Voice => words::compared_and_written(text, language),
            Mode::Dtmf => match words::keys(text) {
                Ok(keys) => keys.into_iter().map(|key| (key.clone(), key)).collect(),
                Err(key) => {
                    self.problems.error(at, format!("`{key}` is no key")).help("keys are 0 to 9, * # and A to D");
                    Vec::new()
                }
            },
        };
        let Some(((last, written), before)) = units.split_last() else {
            return self.arc(from, Label::Nothing, to, 0.0);
        };
        let mut place = from;
        for (heard, written) in before {
            let next = self.state()?;
            let word = self.word(heard, written);
            self.arc(place, word, next, 0.0)?;
            place = next;
        }
        let word = self.word(last, written);
        self.arc(place, word, to, 0.0)
    }

    fn lay_repeat(
        &mut self,
        body: &'a Expansion,
        (min, max): (u32, Option<u32>),
        probability: Option<f32>,
        from: u32,
        to: u32,
        language: &Language,
    ) -> Result<(), TooLarge> {
        let probability = probability.map(|given| given.clamp(ALMOST, 1.0 - ALMOST));
        let again = probability.map_or(0.0, f32::ln);
        let done = probability.map_or(0.0, |again| (1.0 - again).ln());
        // The body is laid from a state of its own when its first arcs must carry a weight or be shared.
        let mut at = from;
        for _ in 0..min {
            let next = self.state()?;
            self.lay(body, at, next, language)?;
            at = next;
        }
        match max {
            Some(max) => {
                for _ in min..max {
                    self.arc(at, Label::Nothing, to, done)?;
                    let (inside, next) = (self.state()?, self.state()?);
                    self.arc(at, Label::Nothing, inside, again)?;
                    self.lay(body, inside, next, language)?;
                    at = next;
                }
                self.arc(at, Label::Nothing, to, 0.0)
            }
            None => {
                let (hub, inside, next) = (self.state()?, self.state()?, self.state()?);
                self.arc(at, Label::Nothing, hub, 0.0)?;
                self.arc(hub, Label::Nothing, inside, again)?;
                self.lay(body, inside, next, language)?;
                self.arc(next, Label::Nothing, hub, AGAIN)?;
                self.arc(hub, Label::Nothing, to, done)
            }
        }
    }

    fn lay_reference(
        &mut self,
        target: &'a Target,
        at: Place,
        from: u32,
        to: u32,
        language: &Language,
    ) -> Result<(), TooLarge> {
        let label = match target {
            Target::Null => Label::Nothing,
            Target::Void => return Ok(()),
            Target::Garbage => {
                let any = self.state()?;
                self.arc(from, Label::Nothing, any, 0.0)?;
                self.arc(any, Label::Anything, any, GARBAGE)?;
                return self.arc(any, Label::Nothing, to, 0.0);
            }
            Target::Rule(name) => match self.by_name.get(&(self.file, name.as_str())) {
                Some(rule) => Label::Rule(*rule),
                None => {
                    let names = self.files.documents[self.file].rules.iter().map(|rule| rule.name.as_str());
                    let help = self.guess(name, names);
                    let message = format!("rule `{}` refers to `{name}`, which is not defined", self.rule);
                    self.problems.error(at, message).help = help;
                    return Ok(());
                }
            },
            Target::Uri(uri) => match self.files.links.get(&(self.file, uri.clone())) {
                Some(Link::Rule(file, name)) => match self.foreign(*file, name.as_deref(), uri, at) {
                    Some(rule) => Label::Rule(rule),
                    None => return Ok(()),
                },
                Some(Link::Builtin(words)) => {
                    let kind = match Kind::parse(words) {
                        Ok(kind) => kind,
                        Err(error) => {
                            self.problems.error(at, error.to_string());
                            return Ok(());
                        }
                    };
                    let call = BuiltinCall { kind, language: language.clone() };
                    let builtins = &mut self.automaton.builtins;
                    if builtins.len() >= MAX_BUILTINS && !builtins.contains(&call) {
                        let message = format!("a grammar has at most {MAX_BUILTINS} different built-ins");
                        self.problems.error(at, message);
                        return Ok(());
                    }
                    let number = builtins.iter().position(|known| *known == call).unwrap_or_else(|| {
                        builtins.push(call);
                        builtins.len() - 1
                    });
                    Label::Builtin(number as u32)
                }
                Some(Link::Broken) | None => return Ok(()),
            },
        };
        match label {
            Label::Rule(rule) => _ = self.called.insert(self.automaton.rules[rule as usize].name.clone()),
            Label::Builtin(call) => {
                self.called.insert(self.automaton.builtins[call as usize].kind.name().to_owned());
            }
            _ => {}
        }
        self.arc(from, label, to, 0.0)
    }

    /// The rule of another file that a reference means.
    fn foreign(&mut self, file: usize, name: Option<&str>, uri: &str, at: Place) -> Option<u32> {
        let document = &self.files.documents[file];
        let name = match (name, &document.root) {
            (Some(name), _) => name,
            (None, Some((root, _))) => root,
            (None, None) => {
                let help = "name a rule as `file#rule`, or give the file a root";
                self.problems.error(at, format!("`{uri}` has no root")).help(help);
                return None;
            }
        };
        let Some(number) = self.by_name.get(&(file, name)).copied() else {
            let help = self.guess(name, document.rules.iter().map(|rule| rule.name.as_str()));
            self.problems.error(at, format!("`{uri}` names a rule that is not defined there")).help = help;
            return None;
        };
        let rooted = document.root.as_ref().is_some_and(|(root, _)| root == name);
        if file != self.file && !rooted && !self.automaton.rules[number as usize].public {
            let help = format!("make `{name}` public where it is defined");
            self.problems.error(at, format!("`{uri}` names a rule that is private to its file")).help(help);
        }
        Some(number)
    }

    /// Reads a tag by the format of its file.
    fn meaning(&mut self, text: &str, at: Place) -> Option<Meaning> {
        let format = self.files.documents[self.file].tag_format.as_ref();
        match format.map(|(format, _)| format.as_str()) {
            Some("semantics/1.0-literals") => Some(Meaning::Literal(text.to_owned())),
            None | Some("semantics/1.0") => match Script::parse_with(text, self.functions.iter().map(String::as_str)) {
                Ok(script) => Some(Meaning::Script(script)),
                Err(why) => {
                    let problem = self.problems.error(at, format!("this tag cannot be read: {why}"));
                    if format.is_none() {
                        problem.help("say `tag-format` semantics/1.0-literals when tags are plain words");
                    }
                    None
                }
            },
            Some(other) => {
                let place = format.map_or(at, |(_, place)| *place);
                let help = "write semantics/1.0 or semantics/1.0-literals";
                self.problems.error(place, format!("tags in the format `{other}` are not understood")).help(help);
                None
            }
        }
    }

    /// Do the tags of the rule ask for what there is?
    fn check_names(&mut self) {
        let globals = &self.automaton.globals[self.file];
        let mut set = Names::default();
        self.names.iter().for_each(|(names, _)| set.extend(names.clone()));
        for (names, at) in &self.names {
            for name in names.rules.iter().filter(|name| !self.called.contains(*name)) {
                let message =
                    format!("a tag of rule `{}` asks for `rules.{name}`, which it does not refer to", self.rule);
                let help = self.guess(name, self.called.iter().map(String::as_str));
                self.problems.error(*at, message).help = help;
            }
            let known = |name: &str| {
                ["out", "rules", "meta"].contains(&name)
                    || set.set.contains(name)
                    || globals.variables.contains_key(name)
            };
            for name in names.read.iter().filter(|name| !known(name)) {
                let message = format!("a tag of rule `{}` reads `{name}`, which nothing sets", self.rule);
                let candidates = ["out", "rules", "meta"].into_iter().chain(set.set.iter().map(String::as_str));
                let guess = self.guess(name, candidates);
                let help = guess.unwrap_or_else(|| format!("put it in quotes if it is a text: '{name}'"));
                self.problems.error(*at, message).help(help);
            }
        }
    }

    /// The nearest of several words, unless nobody will read it.
    fn guess<'w>(&self, word: &str, candidates: impl IntoIterator<Item = &'w str>) -> Option<String> {
        if self.problems.is_full() { None } else { diagnostic::did_you_mean(word, candidates) }
    }

    fn word(&mut self, heard: &str, written: &str) -> Label {
        if let Some(number) = self.automaton.numbers.get(heard) {
            return Label::Word(*number);
        }
        let number = self.automaton.words.len() as u32;
        self.automaton.numbers.insert(heard.to_owned(), number);
        self.automaton.words.push(Word { heard: heard.to_owned(), written: written.to_owned() });
        Label::Word(number)
    }

    fn state(&mut self) -> Result<u32, TooLarge> {
        if self.states.len() >= MAX_STATES {
            return Err(self.too_large());
        }
        self.states.push(Vec::new());
        Ok(self.states.len() as u32 - 1)
    }

    fn arc(&mut self, from: u32, label: Label, to: u32, weight: f32) -> Result<(), TooLarge> {
        if self.arcs >= MAX_ARCS {
            return Err(self.too_large());
        }
        self.arcs += 1;
        self.states[from as usize].push(Arc { label, to, weight });
        Ok(())
    }

    fn too_large(&mut self) -> TooLarge {
        let message = format!(
            "the grammar grows too large here: {MAX_STATES} states and {MAX_ARCS} arcs are the most, and every repetition \
             with a count is laid out as often as it counts"
        );
        self.problems.error(self.blame, message).help("repeat without an upper count (`<1->`), or fewer times");
        TooLarge
    }
}

fn language_of(document: &Document) -> Language {
    document.language.clone().unwrap_or_else(Language::english)
}

impl Automaton {
    /// Puts the arcs of all states into one row, words first and in order.
    pub(super) fn pack(&mut self, states: Vec<Vec<Arc>>) {
        self.offsets = Vec::with_capacity(states.len() + 1);
        self.offsets.push(0);
        self.arcs = Vec::with_capacity(states.iter().map(Vec::len).sum());
        for mut arcs in states {
            // Stable: of equal arcs the one written first comes first.
            arcs.sort_by_key(|arc| arc.label);
            self.arcs.append(&mut arcs);
            self.offsets.push(self.arcs.len() as u32);
        }
    }
}
