//! Executable content: what is done one after the other, as steps that lead on.

use std::collections::BTreeSet;

use super::Document;
use super::convert::{Converter, Cx, MOST_STEPS};
use super::expr::{self, Expr, Known};
use super::prompts::SPOKEN;
use super::tree::{Element, Node};
use crate::import::draft::{BYE, Kind, To};
use crate::import::plain_name;

/// Events that throw events.
const MOST_THROWN: usize = 4;

/// One thing of a sequence.
enum Act<'a> {
    /// Words, and what else is only said.
    Say(Vec<&'a Node>),
    Do(&'a Element),
}

impl<'a> Converter<'a> {
    /// A sequence, and then that; where it begins.
    pub(super) fn run(&mut self, cx: &Cx<'a>, nodes: &[&'a Node], known: &Known, then: To) -> To {
        let mut acts: Vec<Act<'a>> = Vec::new();
        for node in nodes {
            match node {
                Node::Text(text) if text.trim().is_empty() => {}
                Node::Element(element) if !SPOKEN.contains(&element.name.as_str()) => acts.push(Act::Do(element)),
                spoken => match acts.last_mut() {
                    Some(Act::Say(said)) => said.push(spoken),
                    _ => acts.push(Act::Say(vec![spoken])),
                },
            }
        }
        let mut known = known.clone();
        for act in &acts {
            if let Act::Do(element) = act
                && matches!(element.name.as_str(), "assign" | "clear" | "script" | "var")
            {
                let names = element.attribute("name").or(element.attribute("namelist")).unwrap_or_default();
                let names: Vec<_> = names.split_whitespace().filter_map(expr::name_of).collect();
                known.retain(|name, _| !names.contains(name));
            }
        }
        let mut then = self.cleared(cx, &acts).unwrap_or(then);
        for act in acts.into_iter().rev() {
            then = match act {
                Act::Say(said) => {
                    let words = self.words(cx, &said);
                    let at = said.iter().find_map(|node| match node {
                        Node::Element(element) => Some(self.at(cx, element)),
                        Node::Text(_) => None,
                    });
                    let at = at.unwrap_or_else(|| self.at(cx, cx.field.unwrap_or(cx.dialog)));
                    self.say(cx, &at, words, None, then)
                }
                Act::Do(element) => self.act(cx, element, &known, then),
            };
        }
        then
    }

    fn say(
        &mut self,
        cx: &Cx,
        at: &crate::import::Place,
        words: crate::import::draft::Words,
        barge_in: Option<&'static str>,
        go: To,
    ) -> To {
        if words.text.is_empty() {
            return go;
        }
        self.put(&format!("{}-says", cx.step), at, Kind::Say { words, barge_in, hangup: None, go })
    }

    /// Where a form goes on when values were cleared: at the first item that has none any more.
    fn cleared(&self, cx: &Cx, acts: &[Act<'a>]) -> Option<To> {
        let clear = acts.iter().find_map(|act| match act {
            Act::Do(element) if element.name == "clear" => Some(*element),
            _ => None,
        })?;
        let wanted = clear.attribute("namelist").map(|names| names.split_whitespace().collect::<Vec<_>>());
        let first =
            cx.items.iter().find(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted.contains(&name.as_str())));
        first.map(|(_, step)| To::step(step))
    }

    fn act(&mut self, cx: &Cx<'a>, element: &'a Element, known: &Known, then: To) -> To {
        let at = self.at(cx, element);
        match element.name.as_str() {
            "prompt" => {
                let then = match element.attribute("cond") {
                    None => then,
                    Some(_) => return self.prompt_if(cx, element, known, then),
                };
                let words = self.words_in(cx, element);
                let barge_in = self.barge_in(cx, Some(element));
                self.say(cx, &at, words, barge_in, then)
            }
            "assign" | "var" => self.assign(cx, element, then),
            "clear" => {
                let names = element.attribute("namelist").unwrap_or_default();
                let names = names.split_whitespace().filter_map(expr::name_of);
                let values: Vec<_> = names.map(|name| (name, "null".to_owned())).collect();
                if values.is_empty() {
                    then
                } else {
                    self.put(&format!("{}-clear", cx.step), &at, Kind::Set { values, go: then })
                }
            }
            "if" => self.r#if(cx, element, known, then),
            "goto" => self.goto(cx, element),
            "submit" => self.submit(cx, element),
            "exit" | "disconnect" => {
                if element.attribute("namelist").is_some() {
                    let why = "what is handed back to the platform has no twin here";
                    self.notes.lost(&at, element.gist(), why, "`tag` the call with what should be kept of it");
                }
                let result = element.attribute("expr").and_then(|written| match expr::parse(written) {
                    Ok(Expr::Text(text)) => Some(plain_name(&text)),
                    Ok(Expr::Name(name)) => Some(plain_name(&name)),
                    _ => None,
                });
                match result {
                    None => To::step(BYE),
                    result => self.put(&format!("{}-end", cx.step), &at, Kind::Hangup { words: None, result }),
                }
            }
            "return" => {
                if element.attribute("event").or(element.attribute("eventexpr")).is_some() {
                    let why = "a sub-dialog that ends in an event: the plan goes back as if it had ended well";
                    self.notes.lost(&at, element.gist(), why, "keep what happened by `set`, and `branch` on it behind");
                }
                self.back(cx, element)
            }
            "throw" => match element.attribute("event") {
                Some(event) => self.throw(cx, event, element),
                None => {
                    let why = "which event it is depends on a value; the plan goes on behind it";
                    self.notes.lost(&at, element.gist(), why, "write a `branch` to where each of them leads");
                    then
                }
            },
            "reprompt" | "log" | "property" => then,
            name => {
                let (why, help) = match name {
                    "script" => ("a plan runs no script", "say what it computes by `set`, or ask an `http` service"),
                    "data" => ("what another system says is asked for otherwise", "write an `http` step"),
                    "foreach" => ("a plan has no loops over lists", "let an `http` service give the whole text"),
                    _ => ("plans know nothing like it", "write what it did as steps of the plan, or leave it out"),
                };
                self.notes.lost(&at, element.gist(), why, help);
                then
            }
        }
    }

    /// A prompt that is said only if.
    fn prompt_if(&mut self, cx: &Cx<'a>, element: &'a Element, known: &Known, then: To) -> To {
        let at = self.at(cx, element);
        let words = self.words_in(cx, element);
        let barge_in = self.barge_in(cx, Some(element));
        let said = self.say(cx, &at, words, barge_in, then.clone());
        self.choose(cx, element, element.attribute("cond").unwrap_or_default(), known, (said, then))
    }

    /// This way if the condition holds, else that way.
    fn choose(&mut self, cx: &Cx, element: &Element, written: &str, known: &Known, (yes, no): (To, To)) -> To {
        let at = self.at(cx, element);
        match expr::parse(written).map(|expr| expr::fold(&expr, known)) {
            Ok(Expr::Truth(true)) => yes,
            Ok(Expr::Truth(false)) => no,
            _ if yes == no => yes,
            Ok(condition) => {
                let ways = vec![(self.cel(&condition), yes)];
                self.put(&format!("{}-if", cx.step), &at, Kind::Branch { ways, otherwise: no })
            }
            Err(why) => {
                let why = format!("{why}: the plan takes the condition for not met");
                self.notes.lost(&at, element.gist(), why, "write a `branch` with a condition that says what it meant");
                no
            }
        }
    }

    fn r#if(&mut self, cx: &Cx<'a>, element: &'a Element, known: &Known, then: To) -> To {
        // <if cond> … <elseif cond/> … <else/> … </if>
        let mut parts: Vec<(&'a Element, Vec<&'a Node>)> = vec![(element, Vec::new())];
        for node in &element.children {
            match node {
                Node::Element(inner) if matches!(inner.name.as_str(), "elseif" | "else") => {
                    parts.push((inner, Vec::new()))
                }
                node => parts.last_mut().expect("there is a first part").1.push(node),
            }
        }
        let mut way = then.clone();
        for (head, nodes) in parts.into_iter().rev() {
            if head.name == "else" {
                way = self.run(cx, &nodes, known, then.clone());
                continue;
            }
            let written = head.attribute("cond").unwrap_or_default();
            let never = expr::parse(written).is_ok_and(|expr| expr::fold(&expr, known) == Expr::Truth(false));
            if !never {
                let yes = self.run(cx, &nodes, known, then.clone());
                way = self.choose(cx, head, written, known, (yes, way));
            }
        }
        way
    }

    fn assign(&mut self, cx: &Cx, element: &Element, then: To) -> To {
        let at = self.at(cx, element);
        let Some(written) = element.attribute("expr") else { return then };
        // Facts of the call can be read, not set.
        let name = element.attribute("name").and_then(expr::name_of).filter(|name| !name.contains('.'));
        match (name, self.value(written)) {
            (Some(name), Ok(value)) => {
                self.put(&format!("{}-set", cx.step), &at, Kind::Set { values: vec![(name, value)], go: then })
            }
            (_, value) => {
                let why = value.err().unwrap_or_else(|| "its name is none that a plan can use".to_owned());
                self.notes.lost(&at, element.gist(), why, "set it by `set`, in words of the plan");
                then
            }
        }
    }

    pub(super) fn goto(&mut self, cx: &Cx<'a>, element: &Element) -> To {
        let at = self.at(cx, element);
        if let Some(item) = element.attribute("nextitem")
            && let Some((_, step)) = cx.items.iter().find(|(name, _)| name == item)
        {
            return To::step(step);
        }
        if let Some(to) = element.attribute("next").and_then(|next| self.follow(cx, next)) {
            return to;
        }
        let why = "where it leads is not among the documents, or depends on a value: the plan hangs up";
        self.notes.lost(&at, element.gist(), why, "write where callers should go from here");
        To::step(BYE)
    }

    fn submit(&mut self, cx: &Cx<'a>, element: &Element) -> To {
        let at = self.at(cx, element);
        if let Some(to) = element.attribute("next").and_then(|next| self.follow(cx, next)) {
            return to;
        }
        let why = "a server answered this with the next document: what that says is not known, the plan hangs up";
        let help = "ask your system in an `http` step, and say what follows in steps of the plan";
        self.notes.lost(&at, element.gist(), why, help);
        self.put(&format!("{}-end", cx.step), &at, Kind::Hangup { words: None, result: Some("submitted".to_owned()) })
    }

    /// What an event leads to: the content of whoever catches it.
    pub(super) fn throw(&mut self, cx: &Cx<'a>, event: &str, element: &Element) -> To {
        let at = self.at(cx, element);
        // Handlers that throw what they catch would be written out again and again.
        let room = cx.thrown < MOST_THROWN && self.draft.steps.len() < MOST_STEPS;
        let caught = self.handler(cx, event, 1).filter(|_| room);
        match caught {
            Some(handler) => {
                let cx = Cx { thrown: cx.thrown + 1, ..cx.clone() };
                let nodes: Vec<&Node> = handler.children.iter().collect();
                // Behind an event, its form goes on where it was.
                let then = if cx.field.is_some() { To::step(&cx.step) } else { To::step(BYE) };
                self.run(&cx, &nodes, &Known::new(), then)
            }
            None => {
                let why = match room {
                    true => format!("nobody catches `{event}`: the plan hangs up"),
                    false => format!("who catches `{event}` throws again and again: the plan hangs up"),
                };
                self.notes.lost(&at, element.gist(), why, "write where callers should go from here");
                To::step(BYE)
            }
        }
    }

    /// Who catches an event that happens for the nth time (VoiceXML 2.0 §5.2.4): of those that count no higher, the
    /// highest count, and the nearest of them.
    pub(super) fn handler(&self, cx: &Cx<'a>, event: &str, count: u32) -> Option<&'a Element> {
        let documents: &'a [super::Document] = self.documents;
        let own = &documents[cx.document].root;
        let root = self.root_of(cx.document).map(|document| &document.root);
        let scopes = [cx.field, Some(cx.dialog), Some(own), root];
        let all = scopes.into_iter().flatten().flat_map(|scope| scope.elements());
        let mut best: Option<(u32, &'a Element)> = None;
        for element in all {
            let counts = element.attribute("count").and_then(|count| count.parse().ok()).unwrap_or(1);
            let catches = match element.name.as_str() {
                "catch" => element.attribute("event").unwrap_or(".").split_whitespace().any(|name| covers(name, event)),
                "noinput" | "nomatch" | "help" | "error" => covers(&element.name, event),
                _ => false,
            };
            if catches && counts <= count && best.is_none_or(|(best, _)| counts > best) {
                best = Some((counts, element));
            }
        }
        best.map(|(_, element)| element)
    }

    /// Handlers that nothing comes to: of events that no plan has, and around what is not asked again.
    pub(super) fn unheard(&mut self) {
        const OURS: [&str; 5] = ["noinput", "nomatch", "help", "error.semantic", "connection.disconnect.hangup"];
        let documents: &'a [Document] = self.documents;
        let mut events = BTreeSet::from(OURS.map(str::to_owned));
        documents.iter().for_each(|document| thrown(&document.root, &mut events));
        for document in documents {
            self.unheard_in(document, &document.root, &events);
        }
    }

    fn unheard_in(&mut self, document: &Document, around: &Element, events: &BTreeSet<String>) {
        for element in around.elements() {
            let names = match element.name.as_str() {
                "catch" => element.attribute("event").unwrap_or("."),
                "noinput" | "nomatch" | "help" | "error" => element.name.as_str(),
                _ => {
                    self.unheard_in(document, element, events);
                    continue;
                }
            };
            let heard = names.split_whitespace().any(|name| events.iter().any(|event| covers(name, event)));
            let why = match around.name.as_str() {
                "record" | "transfer" | "subdialog" => "only a question is asked again",
                _ if !heard => "nothing that happens in a plan is called so",
                _ => continue,
            };
            let help = "lead on by the targets of the step: `no_input`, `failed`, `busy`, `no_answer`, `error`";
            self.notes.lost(&document.at(element), element.gist(), why, help);
        }
    }
}

/// Events that documents throw themselves.
fn thrown(element: &Element, events: &mut BTreeSet<String>) {
    if matches!(element.name.as_str(), "throw" | "choice" | "link") {
        events.extend(element.attribute("event").map(str::to_owned));
    }
    element.elements().for_each(|inner| thrown(inner, events));
}

/// Does a name of events cover this one? `error` covers `error.badfetch`, `.` everything.
fn covers(name: &str, event: &str) -> bool {
    name == "." || name == event || event.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
}

/// Does it lead anywhere, whatever happens in it?
pub(super) fn leaves(element: &Element) -> bool {
    element.elements().any(|inner| {
        matches!(inner.name.as_str(), "goto" | "exit" | "disconnect" | "submit" | "return" | "throw") || leaves(inner)
    })
}
