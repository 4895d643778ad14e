//! Dialogs and their items, as steps.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use super::answers::{self, Wanted};
use super::expr::{self, Known};
use super::tree::{Element, Node};
use super::{Document, beside};
use crate::import::draft::{BYE, Draft, Kind, Names, To, quoted};
use crate::import::{Notes, Place};
use crate::language::Language;

/// Steps at most: a plan takes 5,000.
pub(super) const MOST_STEPS: usize = 4_500;
/// Subdialogs within subdialogs.
const MOST_NESTED: usize = 5;
/// Copies of subdialogs, one for each place they are called from.
const MOST_FRAMES: usize = 200;

/// What `<transfer>` may say and a plan's does not.
const TRANSFERRED: [(&str, &str); 3] = [
    ("maxtime", "look at `max_call` in config.example.toml"),
    ("transferaudio", "callers hear the far end ring, and music on hold where the gateway is given some"),
    ("aai", "what the far end is told is in docs/agents.md"),
];

/// Where a converter is: in which document, dialog, copy of it, and item.
#[derive(Clone, Debug)]
pub(super) struct Cx<'a> {
    pub document: usize,
    pub dialog: &'a Element,
    pub frame: usize,
    /// Items that can be gone to: their variable, their step.
    pub items: Vec<(String, String)>,
    /// The item in hand, and the field it is.
    pub step: String,
    pub field: Option<&'a Element>,
    /// Events thrown within events.
    pub thrown: usize,
}

#[derive(Debug)]
struct Frame {
    back: To,
    depth: usize,
    /// What the caller of a subdialog calls it: what it returns is `name_value`.
    name: Option<String>,
    /// What it is given, which wins over values of its own (VoiceXML 2.0 §5.3.1).
    given: BTreeSet<String>,
}

pub(super) struct Converter<'a> {
    pub documents: &'a [Document],
    pub folder: &'a Path,
    pub language: &'a Language,
    pub notes: &'a mut Notes,
    pub draft: Draft,
    /// Fields that hold digits.
    pub digits: BTreeSet<String>,
    /// How often names are read anywhere.
    pub uses: BTreeMap<String, usize>,
    /// Names whose values are spoken.
    pub spoken: BTreeSet<String>,
    /// What `<enumerate>` says just now.
    pub enumerated: String,
    frames: Vec<Frame>,
    dialogs: BTreeMap<(usize, usize, usize), String>,
    waiting: VecDeque<(usize, usize, usize, String)>,
    taken: Names,
}

/// Converts what can be reached from the first document.
pub(super) fn convert(
    documents: &[Document],
    folder: &Path,
    language: &Language,
    draft: Draft,
    notes: &mut Notes,
) -> Draft {
    let (mut digits, mut uses, mut spoken) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
    let mut subdialogs = BTreeSet::new();
    for document in documents {
        survey(&document.root, &mut digits, &mut uses, &mut spoken);
        named("subdialog", &document.root, &mut subdialogs);
    }
    // Digits that a subdialog returns are digits.
    let returned = |name: &&String| {
        name.match_indices('_').any(|(at, _)| subdialogs.contains(&name[..at]) && digits.contains(&name[at + 1..]))
    };
    digits.extend(uses.keys().filter(returned).cloned().collect::<Vec<_>>());
    let mut converter = Converter {
        documents,
        folder,
        language,
        notes,
        draft,
        digits,
        uses,
        spoken,
        enumerated: String::new(),
        frames: vec![Frame { back: To::step(BYE), depth: 0, name: None, given: BTreeSet::new() }],
        dialogs: BTreeMap::new(),
        waiting: VecDeque::new(),
        taken: Names::default(),
    };
    converter.start();
    while let Some((document, dialog, frame, name)) = converter.waiting.pop_front() {
        let element = documents[document].dialogs()[dialog];
        converter.dialog(document, element, frame, &name);
    }
    converter.unreached();
    converter.unheard();
    converter.draft
}

/// Which fields hold digits, and which names are read.
fn survey(
    element: &Element,
    digits: &mut BTreeSet<String>,
    uses: &mut BTreeMap<String, usize>,
    spoken: &mut BTreeSet<String>,
) {
    if element.name == "value" || element.name == "assign" {
        words(element.attribute("expr").unwrap_or_default(), |word| {
            spoken.insert(word);
        });
    }
    if element.name == "field"
        && let Some(name) = element.attribute("name").and_then(expr::name_of)
    {
        let builtin = element.attribute("type").and_then(answers::builtin);
        let grammar = || element.named("grammar").find_map(answers::grammar);
        if matches!(builtin.or_else(grammar), Some(Wanted::Digits { .. })) {
            digits.insert(name);
        }
    }
    for (name, value) in &element.attributes {
        let reads = name.ends_with("expr") || matches!(name.as_str(), "cond" | "namelist" | "expritem");
        if reads {
            words(value, |word| *uses.entry(word).or_default() += 1);
        }
    }
    element.elements().for_each(|child| survey(child, digits, uses, spoken));
}

/// What elements of this kind are called, everywhere.
fn named(kind: &str, element: &Element, names: &mut BTreeSet<String>) {
    if element.name == kind {
        names.extend(element.attribute("name").and_then(expr::name_of));
    }
    element.elements().for_each(|inner| named(kind, inner, names));
}

fn returns(element: &Element) -> bool {
    element.elements().any(|inner| inner.name == "return" || returns(inner))
}

/// The names in an expression, roughly.
pub(super) fn words(text: &str, mut found: impl FnMut(String)) {
    let split = text.split(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '_' | '.' | '$'));
    for word in split.filter(|word| !word.is_empty()) {
        if let Some(name) = expr::name_of(word) {
            found(name);
        }
    }
}

impl<'a> Converter<'a> {
    pub(super) fn at(&self, cx: &Cx, element: &Element) -> Place {
        self.documents[cx.document].at(element)
    }

    /// A name nobody has.
    pub(super) fn fresh(&mut self, wanted: &str) -> String {
        self.taken.fresh(wanted)
    }

    /// Puts a step under a name made for it; the way there.
    pub(super) fn put(&mut self, wanted: &str, from: &Place, kind: Kind) -> To {
        if self.draft.steps.len() >= MOST_STEPS {
            let why = "the plan has as many steps as a plan may have";
            self.notes.lost(from, wanted, why, "import a part of the application at a time");
            return To::step(BYE);
        }
        let name = self.fresh(wanted);
        self.draft.put(&name, Some(from), kind);
        To::Step(name)
    }

    /// The document an application shares, if this one has it.
    pub(super) fn root_of(&self, document: usize) -> Option<&'a Document> {
        let documents: &'a [Document] = self.documents;
        let named = documents[document].root.attribute("application").and_then(beside);
        let (file, _) = named?;
        documents.iter().find(|document| document.name == file)
    }

    fn start(&mut self) {
        let documents: &'a [Document] = self.documents;
        let first = if documents[0].dialogs().is_empty() {
            documents.iter().position(|one| !one.dialogs().is_empty())
        } else {
            Some(0)
        };
        let Some(first) = first else {
            let at = documents[0].at(&documents[0].root);
            self.notes.lost(
                &at,
                documents[0].root.gist(),
                "there is no form and no menu in it",
                "name another document",
            );
            self.draft.start = BYE.to_owned();
            return;
        };
        let mut go = self.enter(first, 0, 0);
        // Variables of every document are values of the one plan.
        let roots = documents.iter().filter(|document| document.root.elements().any(|element| element.name == "var"));
        for document in roots {
            let cx = self.cx(documents.iter().position(|one| one.name == document.name).unwrap_or(0), &document.root);
            let vars: Vec<&Element> = document.root.named("var").collect();
            go = self.vars(&cx, &vars, go);
        }
        for (place, document) in documents.iter().enumerate() {
            self.beside_items(&self.cx(place, &document.root), &document.root);
        }
        self.draft.start = match go {
            To::Step(name) => name,
            _ => BYE.to_owned(),
        };
    }

    fn cx(&self, document: usize, dialog: &'a Element) -> Cx<'a> {
        Cx { document, dialog, frame: 0, items: Vec::new(), step: "start".to_owned(), field: None, thrown: 0 }
    }

    /// `var` elements, as values that are set before `then`.
    pub(super) fn vars(&mut self, cx: &Cx, vars: &[&Element], then: To) -> To {
        let mut values = Vec::new();
        for var in vars {
            let at = self.at(cx, var);
            // Without a value it is nothing, as every name is until it is set.
            let value = match (var.attribute("expr"), var.attribute("value")) {
                (Some(written), _) => self.value(written),
                (None, Some(text)) => Ok(quoted(text)),
                (None, None) => continue,
            };
            let Some(name) = var.attribute("name").and_then(expr::name_of).filter(|name| !name.contains('.')) else {
                let why = "its name is none that a plan can use";
                self.notes.lost(&at, var.gist(), why, "set it by `set`, under another name");
                continue;
            };
            match value {
                Ok(value) => values.push((name, value)),
                Err(why) => {
                    self.notes.lost(&at, var.gist(), why, "set it by `set`, in words of the plan");
                }
            }
        }
        let Some(first) = vars.first().filter(|_| !values.is_empty()) else { return then };
        let at = self.at(cx, first);
        self.put(&format!("{}-vars", cx.step), &at, Kind::Set { values, go: then })
    }

    /// An expression as a value of `set`, in YAML.
    pub(super) fn value(&self, written: &str) -> Result<String, String> {
        Ok(match expr::parse(written)? {
            expr::Expr::Text(text) => quoted(&text),
            expr::Expr::Number(number) => number,
            expr::Expr::Truth(truth) => truth.to_string(),
            expr::Expr::Nothing => "null".to_owned(),
            other => quoted(&format!("= {}", self.cel(&other))),
        })
    }

    pub(super) fn cel(&self, expr: &expr::Expr) -> String {
        expr::print(expr, &|name| self.digits.contains(name))
    }

    /// The step that a dialog begins with, which is made if it is new.
    pub(super) fn enter(&mut self, document: usize, dialog: usize, frame: usize) -> To {
        if let Some(name) = self.dialogs.get(&(document, dialog, frame)) {
            return To::step(name);
        }
        let found = &self.documents[document];
        let stem = found.name.rsplit('/').next().unwrap_or(&found.name).trim_end_matches(".vxml");
        let id = found.dialogs().get(dialog).and_then(|dialog| dialog.attribute("id"));
        let wanted = match (id, self.documents.len()) {
            (Some(id), 1) => id.to_owned(),
            (Some(id), _) => format!("{stem}-{id}"),
            (None, _) if dialog == 0 => stem.to_owned(),
            (None, _) => format!("{stem}-{}", dialog + 1),
        };
        let name = self.fresh(&wanted);
        self.dialogs.insert((document, dialog, frame), name.clone());
        self.waiting.push_back((document, dialog, frame, name.clone()));
        To::Step(name)
    }

    /// Where an address leads; `None` where that is no dialog of these documents.
    pub(super) fn follow(&mut self, cx: &Cx, address: &str) -> Option<To> {
        let (document, dialog) = self.lookup(cx, address)?;
        // Where nothing returns, the way back need not be known: one copy does for all.
        let frame = if returns(&self.documents[document].root) { cx.frame } else { 0 };
        Some(self.enter(document, dialog, frame))
    }

    fn lookup(&self, cx: &Cx, address: &str) -> Option<(usize, usize)> {
        let (file, dialog) = beside(address)?;
        let document = match file.as_str() {
            "" => cx.document,
            file => self.documents.iter().position(|document| document.name == file)?,
        };
        let dialogs = self.documents[document].dialogs();
        let place = match dialog {
            Some(id) => dialogs.iter().position(|dialog| dialog.attribute("id") == Some(&id))?,
            None if !dialogs.is_empty() => 0,
            None => return None,
        };
        Some((document, place))
    }

    /// Leads back from a subdialog, with what it returns as far as anybody reads it.
    pub(super) fn back(&mut self, cx: &Cx, element: &Element) -> To {
        let frame = &self.frames[cx.frame];
        let back = frame.back.clone();
        let Some(caller) = frame.name.clone() else { return back };
        let returned = element.attribute("namelist").unwrap_or_default().split_whitespace().filter_map(expr::name_of);
        let values = returned.map(|name| (format!("{caller}_{name}"), quoted(&format!("= {name}"))));
        let values: Vec<_> = values.filter(|(name, _)| self.uses.contains_key(name)).collect();
        if values.is_empty() {
            return back;
        }
        let at = self.at(cx, element);
        self.put(&format!("{}-returns", cx.step), &at, Kind::Set { values, go: back })
    }

    fn dialog(&mut self, document: usize, dialog: &'a Element, frame: usize, name: &str) {
        let mut cx = Cx { frame, step: name.to_owned(), ..self.cx(document, dialog) };
        let at = self.at(&cx, dialog);
        if dialog.name == "menu" {
            let kind = self.menu(&cx, dialog);
            self.draft.put(name, Some(&at), kind);
            return;
        }
        const ITEMS: [&str; 8] = ["field", "block", "record", "transfer", "subdialog", "initial", "object", "filled"];
        let all = dialog.elements().filter(|element| ITEMS.contains(&element.name.as_str()));
        let (filled, items): (Vec<&Element>, Vec<&Element>) = all.partition(|element| element.name == "filled");
        for item in &items {
            let variable = item.attribute("name").unwrap_or_default().to_owned();
            let wanted =
                if variable.is_empty() { format!("{name}-{}", item.name) } else { format!("{name}-{variable}") };
            let step = self.fresh(&wanted);
            cx.items.push((variable, step));
        }
        self.beside_items(&cx, dialog);
        for filled in filled.iter().filter(|filled| self.last_of(filled, &items).is_none()).collect::<Vec<_>>() {
            let at = self.at(&cx, filled);
            let why = "it waits for fields that this form does not have";
            self.notes.lost(&at, filled.gist(), why, "write what it did as steps of the plan, or leave it out");
        }
        let mut then = To::step(BYE);
        for (place, item) in items.iter().enumerate().rev() {
            let step = cx.items[place].1.clone();
            // What is asked under a condition stands behind the branch that others come to.
            let asked = match item.name.as_str() {
                "field" | "record" if item.attribute("cond").is_some() => self.fresh(&format!("{step}-asked")),
                _ => step.clone(),
            };
            let own = Cx { step: asked, field: (item.name == "field").then_some(*item), ..cx.clone() };
            // What is to happen when several have been filled happens behind the last of them.
            let mut after = then.clone();
            for filled in filled.iter().rev() {
                if self.last_of(filled, &items) == Some(place) {
                    let nodes: Vec<&Node> = filled.children.iter().collect();
                    after = self.run(&own, &nodes, &Known::new(), after);
                }
            }
            let entry = self.item(&own, item, after);
            let entry = self.guarded(&own, item, entry, then);
            let from = self.at(&cx, item);
            if entry != To::step(&step) {
                self.draft.put(&step, Some(&from), Kind::Goto(entry));
            }
            then = To::Step(step);
        }
        let given = |var: &&Element| {
            let name = var.attribute("name").and_then(expr::name_of);
            name.is_some_and(|name| self.frames[frame].given.contains(&name))
        };
        let vars: Vec<&Element> = dialog.named("var").filter(|var| !given(var)).collect();
        let entry = self.vars(&cx, &vars, then);
        self.draft.put(name, Some(&at), Kind::Goto(entry));
    }

    /// The place of the last item that a form-level `filled` waits for.
    fn last_of(&self, filled: &Element, items: &[&Element]) -> Option<usize> {
        let wanted: Vec<&str> =
            filled.attribute("namelist").map(|names| names.split_whitespace().collect()).unwrap_or_default();
        let is_wanted = |item: &Element| match item.attribute("name") {
            Some(name) => wanted.is_empty() || wanted.contains(&name),
            None => false,
        };
        items.iter().rposition(|item| item.name != "block" && is_wanted(item))
    }

    /// What stands in a form beside its items, and has no place in a plan.
    fn beside_items(&mut self, cx: &Cx, dialog: &Element) {
        for element in dialog.elements() {
            let (why, help) = match element.name.as_str() {
                "script" => ("a plan runs no script", "say what it computes by `set`, or ask an `http` service"),
                "data" => ("what another system says is asked for otherwise", "write an `http` step"),
                "grammar" => ("a grammar for the whole form fills several fields at once", "write a `form` step"),
                _ => continue,
            };
            let at = self.at(cx, element);
            self.notes.lost(&at, element.gist(), why, help);
        }
    }

    /// With its `cond` in front.
    fn guarded(&mut self, cx: &Cx, item: &Element, entry: To, then: To) -> To {
        let at = self.at(cx, item);
        if let Some(written) = item.attribute("expr").filter(|written| !matches!(*written, "" | "undefined" | "null")) {
            let why = format!("it begins with a value ({written}), so that it is skipped at first: the plan visits it");
            self.notes.changed(&at, item.gist(), why, "put a `branch` in front");
        }
        let Some(written) = item.attribute("cond") else { return entry };
        match expr::parse(written).map(|expr| expr::fold(&expr, &Known::new())) {
            Ok(expr::Expr::Truth(true)) => entry,
            Ok(expr::Expr::Truth(false)) => then,
            Ok(condition) => {
                let ways = vec![(self.cel(&condition), entry)];
                self.put(&format!("{}-if", cx.step), &at, Kind::Branch { ways, otherwise: then })
            }
            Err(why) => {
                let why = format!("{why}: the plan takes the condition for met");
                self.notes.lost(&at, item.gist(), why, "put a `branch` in front");
                entry
            }
        }
    }

    fn item(&mut self, cx: &Cx<'a>, item: &'a Element, then: To) -> To {
        let at = self.at(cx, item);
        let nodes: Vec<&Node> = item.children.iter().collect();
        match item.name.as_str() {
            "field" => self.field(cx, item, then),
            "block" => self.run(cx, &nodes, &Known::new(), then),
            "subdialog" => self.subdialog(cx, item, then),
            "transfer" => self.transfer(cx, item, then),
            "initial" => {
                let why = "several answers to one open question fill a form";
                self.notes.lost(&at, item.gist(), why, "write a `form` step with a slot for each field");
                then
            }
            "record" => self.record(cx, item, then),
            kind => {
                let help = "write what it did as steps of the plan, or leave it out";
                self.notes.lost(
                    &at,
                    item.gist(),
                    format!("<{kind}> is not converted; the plan goes on behind it"),
                    help,
                );
                let go = self.filled(cx, item, &Known::new(), then);
                self.said_first(cx, item, go)
            }
        }
    }

    /// A transfer, and what is done for each of its ends.
    fn transfer(&mut self, cx: &Cx<'a>, item: &'a Element, then: To) -> To {
        let at = self.at(cx, item);
        let to = match (item.attribute("dest"), item.attribute("destexpr").map(expr::parse)) {
            (Some(dest), _) => dest.strip_prefix("tel:").unwrap_or(dest).split(';').next().unwrap_or(dest).to_owned(),
            (None, Some(Ok(expr::Expr::Name(name)))) => format!("{{{{ {name} }}}}"),
            (None, Some(Ok(expr::Expr::Text(text)))) => text.strip_prefix("tel:").unwrap_or(&text).to_owned(),
            _ => {
                let why = "whom to call is worked out in the document: the plan goes on behind it";
                self.notes.lost(&at, item.gist(), why, "keep the number by `set`, and write a `transfer` to it");
                return self.said_first(cx, item, then);
            }
        };
        let bridged = item.attribute("bridge") == Some("true") || item.attribute("type") == Some("bridge");
        let how = if bridged { "bridge" } else { "refer" };
        for (name, help) in TRANSFERRED {
            if let Some(value) = item.attribute(name) {
                self.notes.lost(&at, format!("{name}=\"{value}\""), "a `transfer` has nothing like it", help);
            }
        }
        let variable = item.attribute("name").and_then(expr::name_of);
        let mut end = |value: &str| {
            let text = expr::Expr::Text(value.to_owned());
            let known = variable.iter().map(|name| (name.clone(), text.clone())).collect::<Known>();
            let filled: Vec<&'a Element> = item.named("filled").collect();
            filled.iter().rev().fold(then.clone(), |then, filled| {
                let nodes: Vec<&Node> = filled.children.iter().collect();
                self.run(cx, &nodes, &known, then)
            })
        };
        let [talked, busy, no_answer, failed] = ["far_end_disconnect", "busy", "noanswer", "unknown"].map(&mut end);
        let own = |to: To| (to != failed).then_some(to);
        let kind = Kind::Transfer {
            to,
            how,
            ring_ms: item.attribute("connecttimeout").and_then(super::field::time).map(|ms| ms.clamp(5_000, 120_000)),
            go: bridged.then_some(talked),
            busy: own(busy),
            no_answer: own(no_answer),
            failed,
        };
        let entry = self.put(&format!("{}-call", cx.step), &at, kind);
        self.said_first(cx, item, entry)
    }

    fn record(&mut self, cx: &Cx<'a>, item: &'a Element, then: To) -> To {
        let at = self.at(cx, item);
        let go = self.filled(cx, item, &Known::new(), then);
        let mut words = crate::import::draft::Words::default();
        for prompt in item.named("prompt") {
            let more = self.words_in(cx, prompt);
            words.join(&more);
        }
        if words.text.is_empty() {
            words.text = "Please leave your message after the tone.".to_owned();
            let why = "it records without a word: the plan says something";
            self.notes.changed(&at, item.gist(), why, "write what callers shall hear");
        }
        let time = |name: &str| item.attribute(name).and_then(super::field::time);
        let (max_ms, silence_ms) = (time("maxtime"), time("finalsilence").map(|ms| ms.clamp(1_000, 30_000)));
        self.draft.put(&cx.step, Some(&at), Kind::Record { words, max_ms, silence_ms, go });
        To::step(&cx.step)
    }

    /// The prompts of an item, said before something else.
    fn said_first(&mut self, cx: &Cx, item: &Element, go: To) -> To {
        let at = self.at(cx, item);
        let mut words = crate::import::draft::Words::default();
        for prompt in item.named("prompt") {
            let more = self.words_in(cx, prompt);
            words.join(&more);
        }
        if words.text.is_empty() {
            return go;
        }
        self.put(&format!("{}-says", cx.step), &at, Kind::Say { words, barge_in: None, hangup: None, go })
    }

    fn subdialog(&mut self, cx: &Cx<'a>, item: &'a Element, then: To) -> To {
        let at = self.at(cx, item);
        let back = self.filled(cx, item, &Known::new(), then);
        let depth = self.frames[cx.frame].depth + 1;
        let found = item.attribute("src").and_then(|src| self.lookup(cx, src));
        let Some((document, dialog)) = found.filter(|_| depth <= MOST_NESTED && self.frames.len() < MOST_FRAMES) else {
            let why = match found {
                Some(_) => "subdialogs call each other in a circle, or too often",
                None => "this subdialog is not among the documents",
            };
            self.notes.lost(&at, item.gist(), why, "write what it did as a plan of its own, and `run` it");
            return back;
        };
        let params: Vec<&Element> = item.named("param").collect();
        let given = params.iter().filter_map(|param| param.attribute("name").and_then(expr::name_of)).collect();
        let name = item.attribute("name").and_then(expr::name_of);
        self.frames.push(Frame { back, depth, name, given });
        let entry = self.enter(document, dialog, self.frames.len() - 1);
        self.vars(cx, &params, entry)
    }

    /// Documents and dialogs that nothing leads to.
    fn unreached(&mut self) {
        for (place, document) in self.documents.iter().enumerate() {
            for (number, dialog) in document.dialogs().iter().enumerate() {
                if !self.dialogs.keys().any(|(document, dialog, _)| (*document, *dialog) == (place, number)) {
                    let at = document.at(dialog);
                    let help = "lead to it by hand if callers shall come here; --start begins with another document";
                    self.notes.lost(&at, dialog.gist(), "no way leads here from where calls begin", help);
                }
            }
        }
    }
}
