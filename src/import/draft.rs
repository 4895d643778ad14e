//! A plan in the making: steps by name, to be tidied and printed as YAML.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Place, plain_name};

/// Where to next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum To {
    Step(String),
    Repeat,
}

impl To {
    pub fn step(name: &str) -> Self {
        Self::Step(name.to_owned())
    }

    fn print(&self) -> String {
        match self {
            Self::Step(name) => name.clone(),
            Self::Repeat => "$repeat".to_owned(),
        }
    }
}

/// What is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    pub text: String,
    pub file: Option<String>,
}

impl Words {
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), file: None }
    }

    /// One after the other; a recording of a part is no recording of the whole.
    pub fn join(&mut self, more: &Self) {
        let blank = self.text.is_empty();
        self.file = if blank { more.file.clone() } else { None };
        if !blank && !more.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(&more.text);
    }
}

/// How something is asked. What is `None` is left to the plan's defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asking {
    pub prompt: Words,
    pub reprompts: Vec<Words>,
    pub barge_in: Option<&'static str>,
    pub wait_ms: Option<u64>,
    pub complete_ms: Option<u64>,
    pub incomplete_ms: Option<u64>,
    pub tries: Option<u32>,
    pub exhausted: Option<To>,
    pub no_input: Option<To>,
    pub no_match: Option<To>,
    pub error: Option<To>,
    pub hangup: Option<To>,
    pub operator: Option<To>,
}

/// One choice of a menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub name: String,
    pub key: Option<char>,
    pub phrases: Vec<String>,
    pub go: To,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Say {
        words: Words,
        barge_in: Option<&'static str>,
        hangup: Option<To>,
        go: To,
    },
    Menu {
        asking: Asking,
        options: Vec<Choice>,
        reject_below: Option<String>,
    },
    Digits {
        asking: Asking,
        min: u32,
        max: u32,
        slot: String,
        sensitive: bool,
        go: To,
    },
    /// A value of a kind that everybody knows: `date`, `amount`.
    Value {
        asking: Asking,
        want: &'static str,
        slot: String,
        go: To,
    },
    /// Somebody else takes the call.
    Transfer {
        to: String,
        how: &'static str,
        ring_ms: Option<u64>,
        /// When they have talked; only where the call comes back.
        go: Option<To>,
        failed: To,
        busy: Option<To>,
        no_answer: Option<To>,
    },
    /// One of a group of people does.
    Queue {
        group: String,
        go: To,
        overflow: To,
    },
    /// What the caller says, kept.
    Record {
        words: Words,
        max_ms: Option<u64>,
        silence_ms: Option<u64>,
        go: To,
    },
    Branch {
        ways: Vec<(String, To)>,
        otherwise: To,
    },
    /// Names and values as YAML has them: `"text"`, `12`, `"= a + 1"`.
    Set {
        values: Vec<(String, String)>,
        go: To,
    },
    Tag {
        values: Vec<(String, String)>,
        go: To,
    },
    Goto(To),
    Hangup {
        words: Option<Words>,
        result: Option<String>,
    },
}

impl Kind {
    /// Everywhere it may lead, to be looked at or changed.
    pub fn targets(&mut self) -> Vec<&mut To> {
        let mut found: Vec<&mut To> = Vec::new();
        match self {
            Self::Say { go, hangup, .. } => {
                found.push(go);
                found.extend(hangup);
            }
            Self::Menu { asking, options, .. } => {
                found.extend(options.iter_mut().map(|option| &mut option.go));
                found.extend(asking.targets());
            }
            Self::Digits { asking, go, .. } | Self::Value { asking, go, .. } => {
                found.push(go);
                found.extend(asking.targets());
            }
            Self::Branch { ways, otherwise } => {
                found.extend(ways.iter_mut().map(|(_, go)| go));
                found.push(otherwise);
            }
            Self::Set { go, .. } | Self::Tag { go, .. } | Self::Record { go, .. } | Self::Goto(go) => found.push(go),
            Self::Transfer { go, failed, busy, no_answer, .. } => {
                found.extend(go);
                found.push(failed);
                found.extend([busy, no_answer].into_iter().flatten());
            }
            Self::Queue { go, overflow, .. } => found.extend([go, overflow]),
            Self::Hangup { .. } => {}
        }
        found
    }
}

impl Asking {
    fn targets(&mut self) -> impl Iterator<Item = &mut To> {
        let Self { exhausted, no_input, no_match, error, hangup, operator, .. } = self;
        [exhausted, no_input, no_match, error, hangup, operator].into_iter().flatten()
    }
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub name: String,
    /// The lines it was made of; none, where it was added.
    pub from: Vec<Place>,
    pub kind: Kind,
}

/// A plan in the making.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub(crate) name: String,
    pub(crate) language: String,
    /// What it was made of.
    pub(crate) source: String,
    pub(crate) start: String,
    /// What the engine says by itself, where the other system said something of its own.
    pub(crate) phrases: BTreeMap<&'static str, String>,
    pub(crate) steps: Vec<Step>,
}

/// The step that ends a call without a word.
pub(crate) const BYE: &str = "bye";

/// Names that steps have already, with those that mean something by themselves.
#[derive(Debug)]
pub(crate) struct Names(BTreeSet<String>);

impl Default for Names {
    fn default() -> Self {
        Self(BTreeSet::from([BYE.to_owned(), "off".to_owned()]))
    }
}

impl Names {
    /// A name nobody has, as near as can be.
    pub fn fresh(&mut self, wanted: &str) -> String {
        let plain = plain_name(wanted);
        let numbered = (2..).map(|number| format!("{plain}-{number}"));
        let name = std::iter::once(plain.clone()).chain(numbered).find(|name| !self.0.contains(name));
        let name = name.expect("numbers do not run out");
        self.0.insert(name.clone());
        name
    }
}

impl Draft {
    pub(crate) fn put(&mut self, name: &str, from: Option<&Place>, kind: Kind) {
        self.steps.push(Step { name: name.to_owned(), from: from.cloned().into_iter().collect(), kind });
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.steps.iter().any(|step| step.name == name)
    }

    pub(crate) fn step(&mut self, name: &str) -> Option<&mut Step> {
        self.steps.iter_mut().find(|step| step.name == name)
    }

    /// Is there a question whose way out is the plan's default?
    pub(crate) fn asks_without_way_out(&self) -> bool {
        self.steps.iter().any(|step| match &step.kind {
            Kind::Menu { asking, .. } | Kind::Digits { asking, .. } | Kind::Value { asking, .. } => {
                asking.exhausted.is_none()
            }
            _ => false,
        })
    }

    /// The plan, as YAML.
    pub(crate) fn print(&self) -> String {
        let mut text = format!("# Made of {}. Comments say where each step comes from.\n", self.source);
        let _ = write!(
            text,
            "\ndialplan: 1\nname: {}\nlanguages: [{}]\nstart: {}\n",
            plain_name(&self.name),
            self.language,
            self.start
        );
        if self.asks_without_way_out() {
            let _ = write!(text, "\ndefaults:\n  question: {{ tries: 3, go: {BYE} }}\n");
        }
        if !self.phrases.is_empty() {
            text.push_str("\nphrases:\n");
            for (key, words) in &self.phrases {
                let _ = writeln!(text, "  {key}: {}", quoted(words));
            }
        }
        text.push_str("\nsteps:\n");
        for step in &self.steps {
            if !step.from.is_empty() {
                let _ = writeln!(text, "  # {}", lines_of(&step.from));
            }
            let _ = writeln!(text, "  {}:", step.name);
            print_kind(&mut text, &step.kind);
            text.push('\n');
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }
}

/// `a.vxml:3, 5, b.vxml:1`
fn lines_of(from: &[Place]) -> String {
    let mut places: Vec<&Place> = from.iter().collect();
    places.sort();
    places.dedup();
    let mut text = String::new();
    let mut file = "";
    for place in places {
        if !text.is_empty() {
            text.push_str(", ");
        }
        let name = place.file.rsplit('/').next().unwrap_or_default();
        if place.file == file {
            let _ = write!(text, "{}", place.line);
        } else {
            let _ = write!(text, "{name}:{}", place.line);
        }
        file = &place.file;
    }
    text
}

fn print_kind(text: &mut String, kind: &Kind) {
    let mut line = |indent: usize, words: String| {
        let _ = writeln!(text, "{}{words}", " ".repeat(indent));
    };
    match kind {
        Kind::Say { words, barge_in, hangup, go } => {
            line(4, "say:".into());
            line(6, format!("text: {}", quoted(&words.text)));
            words.file.iter().for_each(|file| line(6, format!("file: {}", quoted(file))));
            barge_in.iter().for_each(|who| line(6, format!("barge_in: {who}")));
            hangup.iter().for_each(|to| line(6, format!("hangup: {}", to.print())));
            line(6, format!("go: {}", go.print()));
        }
        Kind::Menu { asking, options, reject_below } => {
            line(4, "menu:".into());
            print_asking(&mut line, asking);
            line(6, "options:".into());
            for Choice { name, key, phrases, go } in options {
                let mut parts = Vec::new();
                parts.extend(key.map(|key| format!("key: \"{key}\"")));
                if !phrases.is_empty() {
                    let phrases: Vec<String> = phrases.iter().map(|phrase| quoted(phrase)).collect();
                    parts.push(format!("phrases: [{}]", phrases.join(", ")));
                }
                parts.push(format!("go: {}", go.print()));
                line(8, format!("{name}: {{ {} }}", parts.join(", ")));
            }
            reject_below.iter().for_each(|below| line(6, format!("reject: {{ below: {below} }}")));
        }
        Kind::Digits { asking, min, max, slot, sensitive, go } => {
            line(4, "ask:".into());
            print_asking(&mut line, asking);
            line(6, format!("digits: {{ min: {min}, max: {max} }}"));
            line(6, format!("slot: {slot}"));
            if *sensitive {
                line(6, "sensitive: true".into());
            }
            line(6, format!("go: {}", go.print()));
        }
        Kind::Value { asking, want, slot, go } => {
            line(4, "ask:".into());
            print_asking(&mut line, asking);
            line(6, format!("want: {want}"));
            line(6, format!("slot: {slot}"));
            line(6, format!("go: {}", go.print()));
        }
        Kind::Transfer { to, how, ring_ms, go, failed, busy, no_answer } => {
            line(4, "transfer:".into());
            line(6, format!("to: {}", quoted(to)));
            line(6, format!("how: {how}"));
            ring_ms.iter().for_each(|ms| line(6, format!("ring: {ms}ms")));
            go.iter().for_each(|go| line(6, format!("go: {}", go.print())));
            line(6, format!("failed: {}", failed.print()));
            busy.iter().for_each(|to| line(6, format!("busy: {}", to.print())));
            no_answer.iter().for_each(|to| line(6, format!("no_answer: {}", to.print())));
        }
        Kind::Queue { group, go, overflow } => {
            line(4, "queue:".into());
            line(6, format!("group: {group}"));
            line(6, format!("go: {}", go.print()));
            line(6, format!("overflow: {}", overflow.print()));
        }
        Kind::Record { words, max_ms, silence_ms, go } => {
            line(4, "record:".into());
            line(6, format!("prompt: {}", quoted_words(words)));
            max_ms.iter().for_each(|ms| line(6, format!("max: {ms}ms")));
            silence_ms.iter().for_each(|ms| line(6, format!("silence: {ms}ms")));
            line(6, format!("go: {}", go.print()));
        }
        Kind::Branch { ways, otherwise } => {
            line(4, "branch:".into());
            line(6, "when:".into());
            for (condition, go) in ways {
                line(8, format!("- {{ if: {}, go: {} }}", quoted(condition), go.print()));
            }
            line(6, format!("else: {}", otherwise.print()));
        }
        Kind::Set { values, go } | Kind::Tag { values, go } => {
            let (word, map) = if matches!(kind, Kind::Set { .. }) { ("set", "values") } else { ("tag", "tags") };
            line(4, format!("{word}:"));
            line(6, format!("{map}:"));
            for (name, value) in values {
                line(8, format!("{name}: {value}"));
            }
            line(6, format!("go: {}", go.print()));
        }
        Kind::Goto(to) => line(4, format!("goto: {}", to.print())),
        Kind::Hangup { words: None, result: None } => line(4, "hangup: {}".into()),
        Kind::Hangup { words, result } => {
            line(4, "hangup:".into());
            if let Some(words) = words {
                line(6, format!("text: {}", quoted(&words.text)));
                words.file.iter().for_each(|file| line(6, format!("file: {}", quoted(file))));
            }
            result.iter().for_each(|result| line(6, format!("result: {result}")));
        }
    }
}

fn quoted_words(words: &Words) -> String {
    match &words.file {
        Some(file) => format!("{{ text: {}, file: {} }}", quoted(&words.text), quoted(file)),
        None => quoted(&words.text),
    }
}

fn print_asking(line: &mut impl FnMut(usize, String), asking: &Asking) {
    let words = quoted_words;
    line(6, format!("prompt: {}", words(&asking.prompt)));
    if !asking.reprompts.is_empty() {
        line(6, "reprompt:".into());
        asking.reprompts.iter().for_each(|again| line(8, format!("- {}", words(again))));
    }
    asking.barge_in.iter().for_each(|who| line(6, format!("barge_in: {who}")));
    for (key, ms) in [("wait", asking.wait_ms), ("complete", asking.complete_ms), ("incomplete", asking.incomplete_ms)]
    {
        ms.iter().for_each(|ms| line(6, format!("{key}: {ms}ms")));
    }
    match (asking.tries, &asking.exhausted) {
        (None, None) => {}
        (tries, None) => line(6, format!("tries: {}", tries.unwrap_or(3))),
        (tries, Some(go)) => line(6, format!("tries: {{ max: {}, go: {} }}", tries.unwrap_or(3), go.print())),
    }
    for (key, to) in [
        ("no_input", &asking.no_input),
        ("no_match", &asking.no_match),
        ("error", &asking.error),
        ("hangup", &asking.hangup),
    ] {
        to.iter().for_each(|to| line(6, format!("{key}: {}", to.print())));
    }
    asking.operator.iter().for_each(|to| line(6, format!("universals: {{ operator: {} }}", to.print())));
}

/// A YAML string: JSON's escapes are YAML's.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::load::load_str;

    /// Every kind of step, with everything it may have and with nothing of it.
    #[test]
    fn whatever_is_drafted_is_a_plan() {
        let to = To::step;
        let words = Words::text("“Quotes”, back\\slash: yes #1 {{ name }}");
        let all = Asking {
            prompt: words.clone(),
            reprompts: vec![Words::text("Again: 1 or 2?")],
            barge_in: Some("keys"),
            wait_ms: Some(2_500),
            complete_ms: Some(200),
            incomplete_ms: Some(900),
            tries: Some(2),
            exhausted: Some(to("b")),
            no_input: Some(To::Repeat),
            no_match: Some(to("b")),
            error: Some(to(BYE)),
            hangup: Some(to(BYE)),
            operator: Some(to(BYE)),
        };
        let plain = Asking { prompt: Words::text("Which?"), ..Asking::default() };
        let options = vec![
            Choice { name: "one".into(), key: Some('1'), phrases: vec!["yes".into(), "a \"b\"".into()], go: to("c") },
            Choice { name: "hash".into(), key: Some('#'), phrases: Vec::new(), go: to("d") },
        ];
        let mut draft = Draft { name: "x y".into(), language: "en-US".into(), start: "a".into(), ..Draft::default() };
        draft.phrases.insert("no_match", "What?".into());
        draft.put("a", None, Kind::Menu { asking: all.clone(), options, reject_below: Some("0.4".into()) });
        draft.put("b", None, Kind::Say { words, barge_in: Some("off"), hangup: Some(to(BYE)), go: to("c") });
        let from = Place { file: "x.vxml".into(), line: 3 };
        draft.put(
            "c",
            Some(&from),
            Kind::Digits { asking: plain, min: 1, max: 4, slot: "pin".into(), sensitive: true, go: to("e") },
        );
        draft.put("d", None, Kind::Hangup { words: Some(Words::text("Goodbye.")), result: Some("done".into()) });
        let ways = vec![("name == \"Ann\"".to_owned(), to("f"))];
        draft.put("e", None, Kind::Branch { ways, otherwise: to(BYE) });
        let values = vec![("name".to_owned(), quoted("= 1 + 1")), ("n".to_owned(), "3".to_owned())];
        draft.put("f", None, Kind::Set { values: values.clone(), go: to("g") });
        draft.put("g", None, Kind::Tag { values, go: to("v") });
        let asking = Asking { prompt: Words::text("When?"), ..Asking::default() };
        draft.put("v", None, Kind::Value { asking, want: "date", slot: "day".into(), go: to("r") });
        let words = Words::text("Please leave a message.");
        draft.put("r", None, Kind::Record { words, max_ms: Some(60_000), silence_ms: Some(3_000), go: to("t") });
        let (go, busy, no_answer) = (Some(to(BYE)), Some(to("b")), Some(to("q")));
        let call = |how, go| Kind::Transfer {
            to: "sip:{{ name }}@pbx.example".into(),
            how,
            ring_ms: Some(20_000),
            go,
            failed: to("u"),
            busy: busy.clone(),
            no_answer: no_answer.clone(),
        };
        draft.put("t", None, call("bridge", go));
        draft.put("u", None, call("refer", None));
        draft.put("q", None, Kind::Queue { group: "sales".into(), go: to(BYE), overflow: to("h") });
        draft.put("h", None, Kind::Goto(to(BYE)));
        draft.put(BYE, None, Kind::Hangup { words: None, result: None });
        let text = draft.print();
        let loaded = load_str("draft.yaml", &text).unwrap_or_else(|found| panic!("{found}\n{text}"));
        assert_eq!(loaded.plan.steps.len(), 14);
        assert!(text.contains("  # x.vxml:3\n  c:\n"), "{text}");
    }
}
