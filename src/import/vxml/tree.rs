//! XML as a tree of elements with their lines. Document types that declare anything are refused: entities are how a
//! small file becomes a large one, and how a file reads others.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::super::{ImportError, Place};

/// Deepest nesting, and most elements of one document.
const DEEPEST: usize = 64;
const MOST_ELEMENTS: usize = 100_000;

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Without its prefix.
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Node>,
    pub line: usize,
}

/// What stands in an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Element(Element),
    Text(String),
}

impl Element {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
    }

    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.elements().filter(move |element| element.name == name)
    }

    /// Its words, blanks made one.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.gather(&mut text);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn gather(&self, text: &mut String) {
        for node in &self.children {
            match node {
                Node::Text(more) => text.push_str(more),
                Node::Element(element) => {
                    text.push(' ');
                    element.gather(text);
                    text.push(' ');
                }
            }
        }
    }

    /// As it was written, its beginning, for notes.
    pub fn gist(&self) -> String {
        let attributes: String =
            self.attributes.iter().map(|(name, value)| format!(" {name}=\"{}\"", value.trim())).collect();
        format!("<{}{attributes}>", self.name)
    }
}

/// Reads a document.
pub(crate) fn parse(file: &str, text: &str) -> Result<Element, ImportError> {
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut open: Vec<Element> = Vec::new();
    let mut root: Option<Element> = None;
    let mut count = 0;
    let mut lines = Lines { text, offset: 0, line: 1 };
    loop {
        // Where the event begins, so that an element has the line of its name.
        let line = lines.at(usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX));
        let broken = |why: String| ImportError::Broken { at: Place { file: file.to_owned(), line }, why };
        let event = reader.read_event().map_err(|error| broken(format!("this is not XML: {error}")))?;
        match event {
            Event::Start(start) => {
                count += 1;
                if open.len() >= DEEPEST || count > MOST_ELEMENTS {
                    return Err(broken(format!(
                        "more than {DEEPEST} elements within each other, or {MOST_ELEMENTS} in all"
                    )));
                }
                open.push(element(&start, line).map_err(broken)?);
            }
            Event::Empty(empty) => {
                count += 1;
                if count > MOST_ELEMENTS {
                    return Err(broken(format!("more than {MOST_ELEMENTS} elements")));
                }
                let element = element(&empty, line).map_err(broken)?;
                put(element, &mut open, &mut root);
            }
            Event::End(_) => {
                let Some(element) = open.pop() else { return Err(broken("an element ends that never began".into())) };
                put(element, &mut open, &mut root);
            }
            Event::Text(text) => say(&text, &mut open),
            Event::CData(text) => say(&text, &mut open),
            Event::GeneralRef(reference) => {
                let letter = match &*reference {
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "amp" => Some('&'),
                    "apos" => Some('\''),
                    "quot" => Some('"'),
                    _ => reference.resolve_char_ref().map_err(|error| broken(error.to_string()))?,
                };
                match letter {
                    Some(letter) => say(letter.encode_utf8(&mut [0; 4]), &mut open),
                    None => {
                        return Err(broken(format!("`&{};` is an entity, and entities are not expanded", &*reference)));
                    }
                }
            }
            Event::DocType(kind) if kind.contains('[') => {
                return Err(broken(
                    "a document type that declares anything is refused: remove what stands in [ ]".into(),
                ));
            }
            Event::Eof => break,
            Event::DocType(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    let at = Place { file: file.to_owned(), line: 1 };
    match root {
        Some(root) if open.is_empty() => Ok(root),
        Some(_) | None => Err(ImportError::Broken { at, why: "this is no whole XML document".to_owned() }),
    }
}

fn element(start: &BytesStart<'_>, line: usize) -> Result<Element, String> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| format!("this is not XML: {error}"))?;
        let value =
            attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| format!("this is not XML: {error}"))?;
        attributes.push((attribute.key.into_inner().to_owned(), value.into_owned()));
    }
    let name = start.local_name().into_inner().to_owned();
    Ok(Element { name, attributes, children: Vec::new(), line })
}

fn put(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(Node::Element(element)),
        None if root.is_none() => *root = Some(element),
        None => {}
    }
}

fn say(text: &str, open: &mut [Element]) {
    let Some(parent) = open.last_mut() else { return };
    match parent.children.last_mut() {
        Some(Node::Text(before)) => before.push_str(text),
        _ => parent.children.push(Node::Text(text.to_owned())),
    }
}

/// Counts lines as a reader goes on.
struct Lines<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of what begins at this byte, blanks skipped.
    fn at(&mut self, offset: usize) -> usize {
        let end = offset.min(self.text.len()).max(self.offset);
        let passed = &self.text.as_bytes()[self.offset..end];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.offset = end;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse("a.vxml", text).expect_err(text).to_string()
    }

    #[test]
    fn elements_know_their_lines_words_and_attributes() {
        let root = parse(
            "a.vxml",
            "<?xml version=\"1.0\"?>\n<!DOCTYPE vxml PUBLIC \"-//W3C//DTD VOICEXML 2.1//EN\" \"x.dtd\">\n\
             <v:vxml version='2.1'>\n  <form id=\"a&amp;b\">\n   one &lt; <b>two</b> &#65;<![CDATA[<three>]]>\n  </form>\n</v:vxml>\n",
        )
        .unwrap();
        let form = root.named("form").next().unwrap();
        assert_eq!((root.name.as_str(), root.line, form.line), ("vxml", 3, 4));
        assert_eq!((form.attribute("id"), form.text().as_str()), (Some("a&b"), "one < two A<three>"));
        assert_eq!(form.gist(), "<form id=\"a&b\">");
    }

    #[test]
    fn bombs_and_foreign_files_are_refused_before_they_are_opened() {
        let bomb = "<!DOCTYPE a [<!ENTITY x \"y\"><!ENTITY z \"&x;&x;\">]><a>&z;</a>";
        assert!(refused(bomb).contains("a.vxml:1  a document type that declares anything is refused"));
        assert!(refused("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>").contains("refused"));
        assert!(refused("<a>\n&x;</a>").contains("a.vxml:2  `&x;` is an entity"));
        assert!(refused("<a b='&x;'/>").contains("not XML"));
        assert!(refused(&"<a>".repeat(DEEPEST + 1)).contains("within each other"));
        assert!(refused(&format!("<a>{}</a>", "<b/>".repeat(MOST_ELEMENTS))).contains("more than"));
    }

    #[test]
    fn what_is_no_document_says_where_it_breaks() {
        assert!(refused("<a>\n<b>\n</a>").starts_with("a.vxml:3  this is not XML"), "{}", refused("<a>\n<b>\n</a>"));
        for broken in ["", "words", "<a>", "</a>", "<a", "<a b=c/>", "<a b='1' b='2'/>", "<a>&#0;</a>"] {
            refused(broken);
        }
    }
}
