//! Questions: fields and menus, how they are asked, asked again, and given up.

use super::answers::{self, Answer, Wanted};
use super::content::leaves;
use super::convert::{Converter, Cx, words};
use super::expr::{self, Expr, Known};
use super::tree::{Element, Node};
use crate::import::draft::{Asking, BYE, Choice, Kind, To, Words, quoted};
use crate::import::plain_name;
use crate::import::secrets::is_secret;

/// Askings of a question at most.
const MOST_TRIES: u32 = 10;
/// What people call a person by.
const OPERATOR: [&str; 6] = ["operator", "agent", "representative", "person", "help desk", "receptionist"];

impl<'a> Converter<'a> {
    /// A field: a question, and what is done with its answer.
    pub(super) fn field(&mut self, cx: &Cx<'a>, field: &'a Element, then: To) -> To {
        let at = self.at(cx, field);
        let mut asking = self.asking(cx, field);
        let Some(wanted) = self.wanted(cx, field) else {
            let why = "what it takes is no list and no number: the plan says its prompt and goes on";
            self.notes.lost(&at, field.gist(), why, "ask with a grammar of your own, or as a menu");
            let go = self.filled(cx, field, &Known::new(), then);
            return match asking.prompt.text.is_empty() {
                true => go,
                false => self.put(
                    &format!("{}-says", cx.step),
                    &at,
                    Kind::Say { words: asking.prompt, barge_in: None, hangup: None, go },
                ),
            };
        };
        let name = field.attribute("name").and_then(expr::name_of);
        let slot = name.clone().unwrap_or_else(|| plain_name(&cx.step));
        if asking.prompt.text.is_empty() {
            asking.prompt = Words::text(format!("Please say or enter {}.", crate::import::spoken_name(&slot)));
            let why = "it asks without a word: the plan says something";
            self.notes.changed(&at, field.gist(), why, "write what callers shall hear");
        }
        let kind = match wanted {
            Wanted::Kind(want) => {
                let go = self.filled(cx, field, &Known::new(), then);
                if self.uses.contains_key(&slot) {
                    let why = format!("its value is of the kind `{want}`, not the digits that VoiceXML has for one");
                    let help = "look at what is done with it: dates are 2026-03-01, times 17:30, amounts whole units";
                    self.notes.changed(&at, field.gist(), why, help);
                }
                Kind::Value { asking, want, slot, go }
            }
            Wanted::Digits { min, max } => {
                asking.incomplete_ms = self.time(cx, "interdigittimeout").or(asking.incomplete_ms);
                let go = self.filled(cx, field, &Known::new(), then);
                let sensitive = (is_secret(&slot) || max >= 13) && !self.spoken.contains(&slot);
                if sensitive {
                    let why = "it sounds secret: the plan keeps it out of transcripts, records and logs";
                    self.notes.changed(&at, field.gist(), why, "remove `sensitive: true` if it is not");
                }
                Kind::Digits { asking, min, max, slot, sensitive, go }
            }
            Wanted::Boolean { yes, no } => {
                let answers = self.yes_and_no(yes, no, &at);
                let options = self.choices(cx, field, name.as_deref(), answers, then);
                Kind::Menu { asking, options, reject_below: self.confidence(cx) }
            }
            Wanted::Answers(answers) => {
                let options = self.choices(cx, field, name.as_deref(), answers, then);
                Kind::Menu { asking, options, reject_below: self.confidence(cx) }
            }
        };
        self.draft.put(&cx.step, Some(&at), kind);
        To::step(&cx.step)
    }

    /// What is done once there is a value.
    pub(super) fn filled(&mut self, cx: &Cx<'a>, field: &'a Element, known: &Known, then: To) -> To {
        let all: Vec<&'a Element> = field.named("filled").collect();
        all.iter().rev().fold(then, |then, filled| {
            let nodes: Vec<&Node> = filled.children.iter().collect();
            self.run(cx, &nodes, known, then)
        })
    }

    fn wanted(&mut self, cx: &Cx, field: &Element) -> Option<Wanted> {
        let mut answers = answers::options(field);
        let count = field.named("option").count();
        if let Some(option) = field.named("option").nth(answers::MOST_ANSWERS) {
            let at = self.at(cx, option);
            let why = format!("this and what follows is left out: {count} options are more than a menu has");
            self.notes.lost(&at, option.gist(), why, "ask in two steps, or with a grammar");
        }
        if let Some(wanted) = field.attribute("type").and_then(answers::builtin) {
            for more in field.elements().filter(|inner| matches!(inner.name.as_str(), "grammar" | "option")) {
                let at = self.at(cx, more);
                let why = "a question takes a type or a list: the plan asks for the type";
                self.notes.lost(&at, more.gist(), why, "make it a menu in front, or a grammar of your own");
            }
            return Some(wanted);
        }
        let mut other: Option<Wanted> = None;
        for grammar in field.named("grammar") {
            let at = self.at(cx, grammar);
            let found = match grammar.attribute("src") {
                Some(src) => answers::builtin(src).or_else(|| self.grammar_beside(src)),
                None => answers::grammar(grammar),
            };
            match found {
                Some(Wanted::Answers(more)) => {
                    for phrase in answers::merge(&mut answers, more) {
                        let why = "two answers claim this phrase: it stays with the first";
                        self.notes.changed(&at, phrase, why, "look which of them callers mean");
                    }
                }
                Some(wanted) if other.as_ref().is_none_or(|known| *known == wanted) => other = Some(wanted),
                Some(_) => {
                    let why = "another grammar of this question takes something else, and comes first";
                    self.notes.lost(&at, grammar.gist(), why, "write one grammar of your own for both");
                }
                None => {
                    let why = "this grammar is more than a list of phrases, or is not here";
                    self.notes.lost(&at, grammar.gist(), why, "write what callers say as `phrases` of options");
                }
            }
        }
        if answers.is_empty() {
            return other;
        }
        if other.is_some() {
            let at = self.at(cx, field);
            let why = "it takes a list and numbers besides: the plan asks for the list";
            self.notes.lost(&at, field.gist(), why, "write one grammar of your own for both");
        }
        Some(Wanted::Answers(answers))
    }

    fn grammar_beside(&self, src: &str) -> Option<Wanted> {
        let (file, _) = super::beside(src)?;
        let text = std::fs::read_to_string(self.folder.join(&file)).ok().filter(|text| text.len() < 200_000)?;
        answers::grammar(&super::tree::parse(&file, &text).ok()?)
    }

    fn yes_and_no(&mut self, yes: char, no: char, at: &crate::import::Place) -> Vec<Answer> {
        let phrases: [&[&str]; 2] = match self.language.primary() {
            "en" => [&["yes", "yeah", "yes please", "right", "correct"], &["no", "nope", "no thanks", "wrong"]],
            "zh" | "cmn" => [&["是", "是的", "对", "好的"], &["不是", "不", "不对", "不要"]],
            _ => {
                let why = "yes and no are keys only: their words in this language are not known here";
                self.notes.changed(at, "type boolean", why, "add `phrases` to both options");
                [&[], &[]]
            }
        };
        let answer = |value: &str, key, phrases: &[&str]| Answer {
            value: value.to_owned(),
            key: Some(key),
            phrases: phrases.iter().map(|phrase| (*phrase).to_owned()).collect(),
        };
        vec![answer("true", yes, phrases[0]), answer("false", no, phrases[1])]
    }

    /// Each answer as an option, which leads to what is done with it.
    fn choices(
        &mut self,
        cx: &Cx<'a>,
        field: &'a Element,
        name: Option<&str>,
        mut answers: Vec<Answer>,
        then: To,
    ) -> Vec<Choice> {
        let boolean = answers.len() == 2 && answers[0].value == "true" && answers[1].value == "false";
        for (place, answer) in answers.iter_mut().enumerate() {
            if answer.key.is_none() && answer.phrases.is_empty() {
                answer.key = "123456789".chars().nth(place);
            }
        }
        let mut inside = 0;
        field.named("filled").for_each(|filled| conditions(filled, name, &mut inside));
        let read = name.is_some_and(|name| self.uses.get(name).copied().unwrap_or(0) > inside);
        let decides = inside > 0;
        let shared = (!decides).then(|| self.filled(cx, field, &Known::new(), then.clone()));
        let mut taken = Vec::new();
        let mut options = Vec::new();
        for answer in answers {
            let value = match (boolean, answer.value.as_str()) {
                (true, "true") => Expr::Truth(true),
                (true, _) => Expr::Truth(false),
                (false, text) => Expr::Text(text.to_owned()),
            };
            let go = match (&shared, name) {
                (Some(shared), _) => shared.clone(),
                (None, Some(name)) => {
                    let known = Known::from([(name.to_owned(), value.clone())]);
                    self.filled(cx, field, &known, then.clone())
                }
                (None, None) => self.filled(cx, field, &Known::new(), then.clone()),
            };
            let go = match name.filter(|_| read) {
                Some(name) => {
                    let written = match &value {
                        Expr::Truth(truth) => truth.to_string(),
                        _ => quoted(&answer.value),
                    };
                    let at = self.at(cx, field);
                    let step = format!("{}-is-{}", cx.step, answer.value);
                    self.put(&step, &at, Kind::Set { values: vec![(name.to_owned(), written)], go })
                }
                None => go,
            };
            let called = match answer.value.as_str() {
                "true" if boolean => "yes",
                "false" if boolean => "no",
                value => value,
            };
            options.push(choice(called, answer.key, answer.phrases, go, &mut taken));
        }
        options
    }

    /// A menu element.
    pub(super) fn menu(&mut self, cx: &Cx<'a>, menu: &'a Element) -> Kind {
        let at = self.at(cx, menu);
        let numbered = menu.attribute("dtmf") == Some("true");
        let mut taken = Vec::new();
        let mut options = Vec::new();
        let mut enumerated = Vec::new();
        for (place, choice_of) in menu.named("choice").enumerate() {
            let at = self.at(cx, choice_of);
            let key = answers::key_of(choice_of.attribute("dtmf"));
            let key = key.or_else(|| "123456789".chars().nth(place).filter(|_| numbered));
            let own: Vec<&Node> = choice_of
                .children
                .iter()
                .filter(
                    |node| !matches!(node, Node::Element(inner) if inner.name == "grammar" || inner.name == "audio"),
                )
                .collect();
            let said = self.words(cx, &own).text;
            let mut phrases: Vec<String> = Vec::new();
            for grammar in choice_of.named("grammar") {
                let beside = || grammar.attribute("src").and_then(|src| self.grammar_beside(src));
                if let Some(Wanted::Answers(answers)) = answers::grammar(grammar).or_else(beside) {
                    phrases.extend(answers.into_iter().flat_map(|answer| answer.phrases));
                } else {
                    let at = self.at(cx, grammar);
                    let why = "this grammar is more than a list of phrases, or is not here";
                    self.notes.lost(&at, grammar.gist(), why, "write what callers say as `phrases` of the option");
                }
            }
            if phrases.is_empty() && !said.is_empty() {
                phrases.push(said.trim_end_matches(['.', '?', '!']).to_owned());
            }
            let go = match (choice_of.attribute("next"), choice_of.attribute("event")) {
                (Some(_), _) => self.goto(cx, choice_of),
                (None, Some(event)) => self.throw(cx, event, choice_of),
                (None, None) => {
                    let why = "where it leads depends on a value: the plan hangs up";
                    self.notes.lost(&at, choice_of.gist(), why, "write where callers should go from here");
                    To::step(BYE)
                }
            };
            if let Some(key) = key {
                enumerated.push(format!("For {}, press {key}.", said.trim_end_matches('.')));
            }
            let name = if said.is_empty() { format!("choice-{}", place + 1) } else { said };
            let key = if key.is_none() && phrases.is_empty() { "123456789".chars().nth(place) } else { key };
            options.push(choice(&name, key, phrases, go, &mut taken));
        }
        self.enumerated = enumerated.join(" ");
        let mut asking = self.asking(cx, menu);
        self.enumerated.clear();
        if asking.prompt.text.is_empty() {
            asking.prompt = Words::text("What would you like?");
            let why = "it asks without a word: the plan says something";
            self.notes.changed(&at, menu.gist(), why, "write what callers shall hear");
        }
        if options.is_empty() {
            self.notes.lost(&at, menu.gist(), "it has no choices", "add some, or lead on");
            return Kind::Say { words: asking.prompt, barge_in: None, hangup: None, go: To::step(BYE) };
        }
        Kind::Menu { asking, options, reject_below: self.confidence(cx) }
    }

    /// Prompts by their counts, and who catches silence and what fits nothing.
    fn asking(&mut self, cx: &Cx<'a>, question: &'a Element) -> Asking {
        let mut prompts: Vec<(u32, Words)> = Vec::new();
        let mut barge_in = self.barge_in(cx, None);
        let mut wait_ms = self.time(cx, "timeout");
        // Words may stand in a question without a `prompt` around them.
        let bare: Vec<&Node> = question
            .children
            .iter()
            .filter(|node| match node {
                Node::Text(text) => !text.trim().is_empty() && question.name != "menu",
                Node::Element(inner) => inner.name == "audio" || inner.name == "value",
            })
            .collect();
        let bare = self.words(cx, &bare);
        if !bare.text.is_empty() {
            prompts.push((1, bare));
        }
        for prompt in question.named("prompt") {
            let at = self.at(cx, prompt);
            let count = prompt.attribute("count").and_then(|count| count.parse().ok()).unwrap_or(1);
            if prompt.attribute("cond").is_some() {
                let why = "whether it is said depends on a value: the plan says it always";
                self.notes.changed(&at, prompt.gist(), why, "put a `branch` and a `say` in front");
            }
            let more = self.words_in(cx, prompt);
            barge_in = self.barge_in(cx, Some(prompt)).or(barge_in);
            wait_ms = prompt.attribute("timeout").and_then(time).or(wait_ms);
            match prompts.iter_mut().find(|(known, _)| *known == count) {
                Some((_, words)) => words.join(&more),
                None => prompts.push((count, more)),
            }
        }
        prompts.sort_by_key(|(count, _)| *count);
        let prompt = |count: u32| {
            let fitting = prompts.iter().rev().find(|(known, _)| *known <= count);
            fitting.map(|(_, words)| words.clone()).unwrap_or_default()
        };
        let mut asking = Asking {
            prompt: prompt(1),
            barge_in,
            wait_ms,
            complete_ms: self.time(cx, "completetimeout"),
            incomplete_ms: self.time(cx, "incompletetimeout"),
            operator: self.operator(cx),
            ..Asking::default()
        };
        self.failures(cx, &mut asking, &prompt);
        let most = prompts.last().map_or(1, |(count, _)| *count).min(MOST_TRIES);
        while asking.reprompts.len() + 1 < most as usize {
            asking.reprompts.push(prompt(asking.reprompts.len() as u32 + 2));
        }
        if asking.reprompts.iter().all(|again| *again == asking.prompt) {
            asking.reprompts.clear();
        }
        // As many askings as there are words for, if nothing says when to stop.
        if asking.tries.is_none() && asking.reprompts.len() > 2 {
            asking.tries = u32::try_from(asking.reprompts.len() + 1).ok();
        }
        self.other_events(cx, &mut asking);
        asking
    }

    fn failures(&mut self, cx: &Cx<'a>, asking: &mut Asking, prompt: &dyn Fn(u32) -> Words) {
        let mut said: Option<(u32, Words)> = None;
        for count in 1..=MOST_TRIES {
            let silence = self.handler(cx, "noinput", count);
            let nonsense = self.handler(cx, "nomatch", count);
            if let (1, Some(handler)) = (count, silence.filter(|handler| leaves(handler))) {
                asking.no_input = Some(self.caught(cx, handler));
            }
            if let (1, Some(handler)) = (count, nonsense.filter(|handler| leaves(handler))) {
                asking.no_match = Some(self.caught(cx, handler));
            }
            if count > 1
                && asking.no_input.is_none()
                && let Some(handler) = [nonsense, silence].into_iter().flatten().find(|handler| leaves(handler))
            {
                asking.tries = Some(count);
                asking.exhausted = Some(self.caught(cx, handler));
                if let (Some(one), Some(other)) = (silence, nonsense)
                    && one != other
                    && leaves(one)
                    && leaves(other)
                {
                    let at = self.at(cx, one);
                    let why = "silence and misunderstanding end in two ways: the plan takes that of misunderstanding";
                    self.notes.changed(&at, one.gist(), why, "tell them apart with `no_input` and `no_match`");
                }
                break;
            }
            let words = [("no_match", nonsense), ("no_input", silence)].map(|(phrase, handler)| {
                let handler = handler.filter(|handler| !leaves(handler))?;
                self.said_again(cx, phrase, handler)
            });
            let [nonsense, silence] = words;
            let Some((own, again)) = nonsense.or(silence) else { continue };
            let mut words = own;
            if again {
                words.join(&prompt(count + 1));
            }
            let new = said.as_ref().is_none_or(|(_, before)| *before != words);
            if new && !words.text.is_empty() {
                while asking.reprompts.len() < count as usize - 1 {
                    asking.reprompts.push(said.as_ref().map_or_else(|| prompt(count), |(_, before)| before.clone()));
                }
                asking.reprompts.push(words.clone());
                said = Some((count, words));
            }
        }
    }

    /// What a handler says before the question is asked again, and whether the prompt follows. Words that all questions
    /// share are the plan's own `no_input` and `no_match`, and then nothing is left to say.
    fn said_again(&mut self, cx: &Cx<'a>, phrase: &'static str, handler: &'a Element) -> Option<(Words, bool)> {
        let again = handler.named("reprompt").next().is_some();
        let mut words = Words::default();
        let bare: Vec<&Node> = handler
            .children
            .iter()
            .filter(|node| !matches!(node, Node::Element(inner) if matches!(inner.name.as_str(), "prompt" | "reprompt" | "log" | "assign" | "if")))
            .collect();
        words.join(&self.words(cx, &bare));
        for prompt in handler.named("prompt") {
            words.join(&self.words_in(cx, prompt));
        }
        let plain = words.file.is_none() && !words.text.contains("{{");
        let first = handler.attribute("count").is_none_or(|count| count == "1");
        if again && plain && first && !words.text.is_empty() {
            let known = self.draft.phrases.get(phrase);
            if known.is_none() || known == Some(&words.text) {
                self.draft.phrases.insert(phrase, words.text);
                return None;
            }
        }
        Some((words, again))
    }

    fn caught(&mut self, cx: &Cx<'a>, handler: &'a Element) -> To {
        let nodes: Vec<&Node> = handler.children.iter().collect();
        self.run(cx, &nodes, &Known::new(), To::step(BYE))
    }

    /// `help`, faults of ours, and callers who hang up.
    fn other_events(&mut self, cx: &Cx<'a>, asking: &mut Asking) {
        if let Some(help) = self.handler(cx, "help", 1).filter(|help| matches!(help.name.as_str(), "help" | "catch")) {
            let at = self.at(cx, help);
            if covers_all(help) {
                // A handler for everything is no help.
            } else if leaves(help) {
                let why = "a plan has no wish `help`";
                self.notes.lost(&at, help.gist(), why, "make it an option of the menus where it matters");
            } else {
                let words = self.words_in(cx, help);
                if asking.reprompts.is_empty() && !words.text.is_empty() {
                    let why = "a plan has no wish `help`: its words are said when the question is asked again";
                    self.notes.changed(&at, help.gist(), why, "look whether they fit there");
                    let mut again = words;
                    again.join(&asking.prompt);
                    asking.reprompts.push(again);
                } else if !words.text.is_empty() {
                    let why = "a plan has no wish `help`, and the question has words for being asked again already";
                    self.notes.lost(&at, help.gist(), why, "put what it says into the `reprompt`");
                }
            }
        }
        if let Some(error) = self.handler(cx, "error.semantic", 1).filter(|error| leaves(error)) {
            asking.error = Some(self.caught(cx, error));
        }
        if let Some(gone) = self.handler(cx, "connection.disconnect.hangup", 1).filter(|gone| !covers_all(gone)) {
            let at = self.at(cx, gone);
            let why = "what is done after the caller has hung up is none of the plan's";
            self.notes.lost(&at, gone.gist(), why, "the record of the call says what had been reached");
        }
    }

    /// Who may stop a prompt.
    pub(super) fn barge_in(&self, cx: &Cx, prompt: Option<&Element>) -> Option<&'static str> {
        let own = prompt.and_then(|prompt| prompt.attribute("bargein")).map(str::to_owned);
        match own.or_else(|| self.property(cx, "bargein").filter(|_| prompt.is_none())).as_deref() {
            Some("false") => Some("off"),
            _ => None,
        }
    }

    fn confidence(&self, cx: &Cx) -> Option<String> {
        let level = self.property(cx, "confidencelevel")?;
        level.parse::<f64>().ok().filter(|level| (0.0..=1.0).contains(level)).map(|level| level.to_string())
    }

    fn time(&self, cx: &Cx, name: &str) -> Option<u64> {
        self.property(cx, name).and_then(|written| time(&written))
    }

    /// A property, the nearest.
    fn property(&self, cx: &Cx, name: &str) -> Option<String> {
        let own = &self.documents[cx.document].root;
        let root = self.root_of(cx.document).map(|document| &document.root);
        let scopes = [cx.field, Some(cx.dialog), Some(own), root];
        let mut all = scopes.into_iter().flatten().flat_map(|scope| scope.named("property"));
        all.find(|property| property.attribute("name") == Some(name))
            .and_then(|found| found.attribute("value"))
            .map(str::to_owned)
    }

    /// The link that leads to a person; other links are told.
    fn operator(&mut self, cx: &Cx<'a>) -> Option<To> {
        let documents: &'a [super::Document] = self.documents;
        let root = self.root_of(cx.document).map(|document| &document.root);
        let scopes = [Some(cx.dialog), Some(&documents[cx.document].root), root];
        let mut found = None;
        for link in scopes.into_iter().flatten().flat_map(|scope| scope.named("link")) {
            let at = self.at(cx, link);
            let grammars: Vec<Wanted> = link.named("grammar").filter_map(answers::grammar).collect();
            let mut phrases = Vec::new();
            for wanted in grammars {
                if let Wanted::Answers(answers) = wanted {
                    phrases.extend(answers.into_iter().flat_map(|answer| answer.phrases));
                }
            }
            let person = phrases.iter().any(|phrase| OPERATOR.iter().any(|word| phrase.to_lowercase().contains(word)));
            if person || link.attribute("dtmf") == Some("0") {
                let to = match link.attribute("event") {
                    Some(event) => self.throw(cx, event, link),
                    None => self.goto(cx, link),
                };
                found = found.or(Some(to));
            } else {
                let why = "only a person can be asked for everywhere; this wish is not heard";
                self.notes.lost(&at, link.gist(), why, "make it an option of the menus where it matters");
            }
        }
        found
    }
}

/// An option with a name nobody else has.
fn choice(named: &str, key: Option<char>, phrases: Vec<String>, go: To, taken: &mut Vec<String>) -> Choice {
    let plain = plain_name(named).to_lowercase();
    let short: String = plain.chars().take(40).collect();
    let mut name = short.clone();
    let mut number = 2;
    while taken.contains(&name) {
        name = format!("{short}-{number}");
        number += 1;
    }
    taken.push(name.clone());
    Choice { name, key, phrases, go }
}

fn covers_all(handler: &Element) -> bool {
    handler.name == "catch" && handler.attribute("event").is_none_or(|event| event == ".")
}

/// How often a name is read by conditions in here.
fn conditions(element: &Element, name: Option<&str>, count: &mut usize) {
    let Some(name) = name else { return };
    if matches!(element.name.as_str(), "if" | "elseif" | "prompt") {
        words(element.attribute("cond").unwrap_or_default(), |word| *count += usize::from(word == name));
    }
    element.elements().for_each(|inner| conditions(inner, Some(name), count));
}

/// `5s`, `500ms`, within what a question takes.
pub(super) fn time(written: &str) -> Option<u64> {
    let written = written.trim();
    let ms = match written.strip_suffix("ms") {
        Some(ms) => ms.trim().parse::<f64>().ok()?,
        None => written.strip_suffix('s').unwrap_or(written).trim().parse::<f64>().ok()? * 1000.0,
    };
    (ms > 0.0).then(|| (ms as u64).clamp(500, 60_000))
}
