//! Reads the XML form of SRGS 1.0.
//!
//! Only what the file itself says is read: a DOCTYPE, entities of its own and processing instructions that fetch are
//! refused, so a grammar can neither grow while it is read nor reach anything outside. Elements of other vocabularies
//! are skipped.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use crate::language::Language;

use super::ast::{
    Alternative, Document, Expansion, MAX_DEPTH, Mode, Rule, Target, decimal, is_rule_name, repeat_counts,
};
use super::diagnostic::{Lines, Place, Problems, did_you_mean};

/// The elements of SRGS.
const ELEMENTS: &[&str] =
    &["grammar", "rule", "item", "one-of", "ruleref", "token", "tag", "example", "lexicon", "meta", "metadata"];

/// Reads `text`, file number `file` of `problems`, which hears of every fault.
pub fn parse(text: &str, file: usize, problems: &mut Problems) -> Document {
    let lines = Lines::new(text, file);
    let mut builder = Builder {
        problems,
        open: Vec::new(),
        text: Vec::new(),
        document: Document::default(),
        prefix: None,
        seen_grammar: false,
    };
    let mut reader = Reader::from_str(text);
    loop {
        let start = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = reader.read_event();
        let at = lines.place(start);
        match event {
            Ok(Event::Eof) => break,
            Ok(Event::Start(element)) => {
                builder.flush(&lines);
                if !builder.start(&element, at) {
                    return builder.document;
                }
            }
            Ok(Event::Empty(element)) => {
                builder.flush(&lines);
                if !builder.start(&element, at) {
                    return builder.document;
                }
                builder.end();
            }
            Ok(Event::End(_)) => {
                builder.flush(&lines);
                builder.end();
            }
            Ok(Event::Text(words)) => builder.text.push((start, words.xml10_content().into_owned())),
            Ok(Event::CData(words)) => builder.text.push((start, words.xml10_content().into_owned())),
            Ok(Event::GeneralRef(name)) => match resolved(&name) {
                Some(letter) => builder.text.push((start, letter.to_string())),
                None => {
                    let help = "write the text itself; only &lt; &gt; &amp; &quot; &apos; and &#…; are known";
                    builder.problems.error(at, format!("the entity `&{};` is not read", &*name)).help(help);
                }
            },
            Ok(Event::DocType(_)) => {
                let help = "take the DOCTYPE out: the form of a grammar is known without it";
                builder.problems.error(at, "a DOCTYPE is refused: it can name files and entities").help(help);
                return builder.document;
            }
            Ok(Event::Decl(decl)) => {
                let encoding = decl.encoding().and_then(Result::ok).unwrap_or_default().to_ascii_lowercase();
                if !["", "utf-8", "utf8", "us-ascii"].contains(&encoding.as_str()) {
                    let message = format!("`{encoding}` is not read: grammars are UTF-8");
                    builder.problems.error(at, message).help("save the file as UTF-8 and say so in its first line");
                }
            }
            Ok(Event::PI(_) | Event::Comment(_)) => {}
            Err(error) => {
                let place = lines.place(usize::try_from(reader.error_position()).unwrap_or(start));
                builder.problems.error(place, format!("this is no sound XML: {error}"));
                return builder.document;
            }
        }
    }
    builder.finish(lines.place(text.len()));
    builder.document
}

/// One of the five entities of XML, or a character by its number.
fn resolved(name: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    match &**name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => name.resolve_char_ref().ok().flatten(),
    }
}

/// An element that has begun and not ended.
struct Open {
    kind: Kind,
    at: Place,
    language: Option<Language>,
    /// What stands in it.
    parts: Vec<Expansion>,
}

enum Kind {
    Grammar,
    Rule {
        name: String,
        public: bool,
    },
    Item {
        weight: Option<f32>,
        repeat: Option<(u32, Option<u32>)>,
        probability: Option<f32>,
    },
    OneOf(Vec<Alternative>),
    Token,
    Tag,
    /// Has no content of its own; what it means is in `parts` already.
    Reference,
    /// Whatever is in it is nothing to us.
    Skipped,
}

struct Builder<'a> {
    problems: &'a mut Problems,
    open: Vec<Open>,
    /// Text since the last element began or ended, in pieces, with the byte each begins at.
    text: Vec<(usize, String)>,
    document: Document,
    /// What the elements of the grammar begin with: `None` until `<grammar>`, then "" or "srgs:".
    prefix: Option<String>,
    seen_grammar: bool,
}

impl Builder<'_> {
    /// Takes in an element; false when nothing more of the file can be understood.
    fn start(&mut self, element: &BytesStart<'_>, at: Place) -> bool {
        if self.open.len() >= MAX_DEPTH {
            let message = format!("elements are nested deeper than {MAX_DEPTH}");
            self.problems.error(at, message).help("make a part a rule of its own");
            return false;
        }
        let attributes = self.attributes(element, at);
        let qualified = element.name().0.to_owned();
        let local = qualified.rsplit(':').next().unwrap_or_default();
        let prefix = &qualified[..qualified.len() - local.len()];
        let ours = self.prefix.get_or_insert_with(|| prefix.to_owned()) == prefix;
        let parent = self.open.last().map(|open| &open.kind);
        let kind = match (parent, local) {
            (Some(Kind::Skipped), _) => Kind::Skipped,
            _ if !ours => Kind::Skipped,
            (None, "grammar") if !self.seen_grammar => {
                self.seen_grammar = true;
                self.grammar(&attributes, at);
                Kind::Grammar
            }
            (None, other) => {
                self.problems.error(at, format!("a grammar begins with <grammar>, not with <{other}>"));
                return false;
            }
            (Some(Kind::Grammar), "rule") => self.rule(&attributes, at),
            (Some(Kind::Grammar), "lexicon" | "meta" | "metadata") => {
                self.problems.note(at, format!("<{local}> is read and changes nothing here"));
                Kind::Skipped
            }
            (Some(Kind::Grammar), "tag") => Kind::Tag,
            (Some(Kind::Rule { .. }), "example") => Kind::Skipped,
            (Some(Kind::Rule { .. } | Kind::Item { .. } | Kind::OneOf(_)), "item") => self.item(&attributes, at),
            (Some(Kind::Rule { .. } | Kind::Item { .. }), "one-of") => Kind::OneOf(Vec::new()),
            (Some(Kind::Rule { .. } | Kind::Item { .. }), "token") => Kind::Token,
            (Some(Kind::Rule { .. } | Kind::Item { .. }), "tag") => Kind::Tag,
            (Some(Kind::Rule { .. } | Kind::Item { .. }), "ruleref") => Kind::Reference,
            (Some(Kind::OneOf(_)), "ruleref" | "token" | "one-of" | "tag") => {
                let help = format!("put it into an item: <item><{local} …/></item>");
                self.problems.error(at, format!("<one-of> holds <item> elements, not <{local}>")).help(help);
                Kind::Skipped
            }
            (Some(_), other) => {
                let known = ELEMENTS.contains(&other);
                let message =
                    format!("<{other}> {}", if known { "cannot stand here" } else { "is no element of SRGS" });
                let help = if known { None } else { did_you_mean(other, ELEMENTS.iter().copied()) };
                self.problems.error(at, message).help = help;
                Kind::Skipped
            }
        };
        let mut parts = Vec::new();
        if matches!(kind, Kind::Reference) {
            parts.extend(self.reference(&attributes, at).map(|target| Expansion::Reference { target, at }));
        }
        let language = match &kind {
            Kind::Skipped | Kind::Grammar => None,
            _ => self.language(&attributes, at),
        };
        self.open.push(Open { kind, at, language, parts });
        true
    }

    fn end(&mut self) {
        let Some(Open { kind, at, language, mut parts }) = self.open.pop() else { return };
        let spoken = |body: Expansion| match &language {
            Some(language) => Expansion::Spoken { language: language.clone(), body: Box::new(body) },
            None => body,
        };
        match kind {
            Kind::Grammar | Kind::Skipped => {}
            Kind::Rule { name, public } => {
                if parts.is_empty() {
                    let help = "write <ruleref special=\"NULL\"/> where nothing need be said";
                    self.problems.error(at, format!("rule `{name}` is empty")).help(help);
                }
                let body = spoken(Expansion::sequence(parts));
                self.document.rules.push(Rule { name, public, body, at });
            }
            Kind::Item { weight, repeat, probability } => {
                let mut body = Expansion::sequence(parts);
                if let Some((min, max)) = repeat {
                    body = Expansion::Repeat { body: Box::new(body), min, max, probability, at };
                }
                let body = spoken(body);
                match self.open.last_mut() {
                    Some(Open { kind: Kind::OneOf(several), .. }) => several.push(Alternative { weight, body }),
                    Some(outer) => outer.parts.push(body),
                    None => {}
                }
            }
            Kind::OneOf(several) => {
                if several.is_empty() {
                    self.problems.error(at, "<one-of> is empty").help("give it an <item>");
                }
                self.add(spoken(Expansion::OneOf(several)));
            }
            Kind::Token => {
                let mut words = String::new();
                for part in &parts {
                    if let Expansion::Token { text, .. } = part {
                        words = words + text + " ";
                    }
                }
                self.add(spoken(Expansion::Token { text: words.trim().to_owned(), at }));
            }
            Kind::Tag => {
                let text = match parts.pop() {
                    Some(Expansion::Tag { text, .. }) => text,
                    _ => String::new(),
                };
                match self.open.last() {
                    Some(Open { kind: Kind::Grammar, .. }) => self.document.globals.push((text, at)),
                    _ => self.add(Expansion::Tag { text, at }),
                }
            }
            Kind::Reference => parts.into_iter().for_each(|part| self.add(spoken(part))),
        }
    }

    fn add(&mut self, part: Expansion) {
        if let Some(open) = self.open.last_mut() {
            open.parts.push(part);
        }
    }

    /// Takes in the text since the last element: words, or what a tag says.
    fn flush(&mut self, lines: &Lines<'_>) {
        let pieces = std::mem::take(&mut self.text);
        let Some((start, _)) = pieces.first() else { return };
        let start = *start;
        let text: String = pieces.iter().map(|(_, text)| text.as_str()).collect();
        let blank = text.trim().is_empty();
        let Some(open) = self.open.last_mut() else {
            if !blank {
                self.problems.error(lines.place(start), "text stands outside of the grammar");
            }
            return;
        };
        match &open.kind {
            Kind::Tag => {
                // A comment inside a tag splits its text.
                if let Some(Expansion::Tag { text: before, .. }) = open.parts.last_mut() {
                    before.push_str(text.trim_end());
                } else {
                    open.parts.push(Expansion::Tag { text: text.trim().to_owned(), at: open.at });
                }
            }
            Kind::Rule { .. } | Kind::Item { .. } | Kind::Token => {
                // Where a word stands is told to the byte, as long as no reference before it changed lengths.
                let exact = pieces.len() == 1;
                for (offset, word) in tokens(&text) {
                    let at = lines.place(if exact { start + offset } else { start });
                    open.parts.push(Expansion::Token { text: word.to_owned(), at });
                }
            }
            Kind::Skipped => {}
            Kind::Grammar | Kind::OneOf(_) | Kind::Reference => {
                if !blank {
                    let help = "words stand in a <rule> or an <item>";
                    self.problems.error(lines.place(start), "words cannot stand here").help(help);
                }
            }
        }
    }

    fn finish(&mut self, end: Place) {
        if let Some(open) = self.open.last() {
            self.problems.error(open.at, "this element is not closed");
        } else if !self.seen_grammar {
            self.problems.error(end, "the file holds no <grammar>");
        }
    }

    fn grammar(&mut self, attributes: &[(String, String)], at: Place) {
        self.document.language = self.language(attributes, at);
        let place = |value: &String| (value.clone(), at);
        self.document.root = find(attributes, "root").map(place);
        self.document.tag_format = find(attributes, "tag-format").map(place);
        self.document.base = find(attributes, "xml:base").map(place);
        match find(attributes, "mode").map(String::as_str) {
            None | Some("voice") => {}
            Some("dtmf") => self.document.mode = Mode::Dtmf,
            Some(other) => {
                self.problems.error(at, format!("`{other}` is no mode")).help("write mode=\"voice\" or mode=\"dtmf\"");
            }
        }
        match find(attributes, "version").map(String::as_str) {
            Some("1.0") => {}
            Some(other) => {
                self.problems.error(at, format!("version {other} of SRGS is not known")).help("write version=\"1.0\"");
            }
            None => {
                self.problems.warn(at, "<grammar> does not say its version").help("add version=\"1.0\"");
            }
        }
    }

    fn rule(&mut self, attributes: &[(String, String)], at: Place) -> Kind {
        let name = find(attributes, "id").cloned().unwrap_or_default();
        if !is_rule_name(&name) {
            let help = "give it an id of letters, digits and `_`, no digit first";
            self.problems.error(at, format!("`{name}` is no name of a rule")).help(help);
        }
        let public = match find(attributes, "scope").map(String::as_str) {
            None | Some("private") => false,
            Some("public") => true,
            Some(other) => {
                let message = format!("`{other}` is no scope");
                self.problems.error(at, message).help("write scope=\"public\" or scope=\"private\"");
                false
            }
        };
        Kind::Rule { name, public }
    }

    fn item(&mut self, attributes: &[(String, String)], at: Place) -> Kind {
        let repeat = find(attributes, "repeat").and_then(|text| match repeat_counts(text) {
            Ok(counts) => Some(counts),
            Err(why) => {
                self.problems.error(at, why);
                None
            }
        });
        let mut number = |name: &str, most: f32| {
            let text = find(attributes, name)?;
            let read = decimal(text).filter(|number| *number <= most);
            if read.is_none() {
                let message = format!("`{text}` is no {name}");
                self.problems.error(at, message).help(format!("write it as {name}=\"0.5\""));
            }
            read
        };
        let probability = number("repeat-prob", 1.0);
        let weight = number("weight", f32::MAX);
        Kind::Item { weight, repeat, probability }
    }

    fn reference(&mut self, attributes: &[(String, String)], at: Place) -> Option<Target> {
        let special = find(attributes, "special").map(String::as_str);
        match (special, find(attributes, "uri").map(|uri| uri.trim())) {
            (Some("NULL"), None) => Some(Target::Null),
            (Some("VOID"), None) => Some(Target::Void),
            (Some("GARBAGE"), None) => Some(Target::Garbage),
            (None, Some(uri)) => match uri.strip_prefix('#') {
                Some(name) if is_rule_name(name) => Some(Target::Rule(name.to_owned())),
                None if !uri.is_empty() => Some(Target::Uri(uri.to_owned())),
                _ => {
                    self.problems.error(at, format!("`{uri}` names no rule")).help("write uri=\"#name\"");
                    None
                }
            },
            (Some(other), None) => {
                let message = format!("`{other}` is no special rule");
                self.problems.error(at, message).help("there are NULL, VOID and GARBAGE");
                None
            }
            (Some(_), Some(_)) => {
                self.problems.error(at, "<ruleref> has either `uri` or `special`, not both");
                None
            }
            (None, None) => {
                self.problems.error(at, "<ruleref> refers to nothing").help("give it a uri=\"#name\"");
                None
            }
        }
    }

    fn language(&mut self, attributes: &[(String, String)], at: Place) -> Option<Language> {
        let tag = find(attributes, "xml:lang")?;
        Language::parse(tag).map_err(|error| _ = self.problems.error(at, error.to_string())).ok()
    }

    /// Names and values; a fault is told and the attribute left out.
    fn attributes(&mut self, element: &BytesStart<'_>, at: Place) -> Vec<(String, String)> {
        let mut read = Vec::new();
        for attribute in element.attributes() {
            let pair = attribute.map_err(|error| error.to_string()).and_then(|attribute| {
                let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
                Ok((attribute.key.0.to_owned(), value.into_owned()))
            });
            match pair {
                Ok(pair) => read.push(pair),
                Err(why) => _ = self.problems.error(at, format!("an attribute cannot be read: {why}")),
            }
        }
        read
    }
}

fn find<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a String> {
    attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// The words of running text with the byte each begins at; what stands in quotes is one (SRGS 1.0 §2.1).
fn tokens(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(|c: char| !c.is_whitespace()).map(|blank| at + blank) {
        let rest = &text[start..];
        let (skip, length) = match rest.strip_prefix('"').and_then(|quoted| quoted.find('"')) {
            Some(length) => (1, length),
            None => (0, rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        found.push((start, text[start + skip..start + skip + length].trim()));
        at = start + 2 * skip + length;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let mut problems = Problems::default();
        let file = problems.file("g");
        parse(text, file, &mut problems);
        problems.sorted().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn entities_and_doctypes_are_refused() {
        let bomb = "<!DOCTYPE grammar [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>\n<grammar version=\"1.0\"/>";
        assert!(faults(bomb)[0].starts_with("g:1:1  a DOCTYPE is refused"), "{:?}", faults(bomb));
        let outside = "<grammar version=\"1.0\">\n<rule id=\"a\">&file;</rule></grammar>";
        assert!(faults(outside)[1].starts_with("g:2:14  the entity `&file;` is not read"), "{:?}", faults(outside));
        let hidden = "<grammar version=\"1.0\">\n<rule id=\"&x;\">a</rule></grammar>";
        assert!(faults(hidden)[0].starts_with("g:2:1  an attribute cannot be read"), "{:?}", faults(hidden));
    }

    #[test]
    fn what_is_not_srgs_is_named_where_it_stands() {
        let text = "<grammar version=\"1.0\">\n <rulle id=\"a\">x</rulle>\n <rule id=\"b\"><one-of>x</one-of></rule>\n \
                    <rule id=\"c\"><item repeat=\"many\" weight=\"-1\">y</item></rule>\n <rule id=\"d\"/>\n</grammar>";
        let faults = faults(text);
        for (fault, start) in faults.iter().zip([
            "g:2:2  <rulle> is no element of SRGS\n  help: did you mean `rule`?",
            "g:3:15  <one-of> is empty",
            "g:3:23  words cannot stand here",
            "g:4:15  `many` is no count",
            "g:4:15  `-1` is no weight",
            "g:5:2  rule `d` is empty",
        ]) {
            assert!(fault.starts_with(start), "{fault}");
        }
        assert_eq!(faults.len(), 6, "{faults:#?}");
    }

    #[test]
    fn other_vocabularies_are_skipped() {
        let text = "<g:grammar xmlns:g=\"http://www.w3.org/2001/06/grammar\" xmlns:x=\"urn:x\" version=\"1.0\">\
                    <g:rule id=\"a\"><x:note><x:b>deep</x:b></x:note>hello</g:rule></g:grammar>";
        let mut problems = Problems::default();
        let document = parse(text, 0, &mut problems);
        assert!(!problems.has_errors(), "{:?}", problems.sorted());
        assert!(matches!(&document.rules[0].body, Expansion::Token { text, .. } if text == "hello"));
    }

    #[test]
    fn a_tower_of_elements_is_refused() {
        let tower = "<item>".repeat(100_000);
        let text = format!("<grammar version=\"1.0\"><rule id=\"a\">{tower}");
        assert!(faults(&text)[0].contains("nested deeper"));
    }
}
