//! What documents say: texts, recordings with words beside them, values, and the lists that menus make of themselves.

use super::convert::{Converter, Cx};
use super::expr;
use super::tree::{Element, Node};
use crate::import::draft::Words;
use crate::import::spoken_name;

/// Elements that only say something.
pub(super) const SPOKEN: [&str; 15] = [
    "audio",
    "value",
    "enumerate",
    "break",
    "say-as",
    "emphasis",
    "prosody",
    "voice",
    "p",
    "s",
    "sub",
    "phoneme",
    "mark",
    "paragraph",
    "sentence",
];

impl Converter<'_> {
    /// The words of nodes that stand beside each other. A recording counts where it is all that is said.
    pub(super) fn words(&mut self, cx: &Cx, nodes: &[&Node]) -> Words {
        let mut said = Words::default();
        let mut recording = None;
        for node in nodes {
            let more = match node {
                Node::Text(text) => Words::text(plain(text)),
                Node::Element(element) => self.words_of(cx, element, ""),
            };
            if !more.text.is_empty() {
                recording = recording.or_else(|| match node {
                    Node::Element(element) if more.file.is_some() => Some(self.at(cx, element)),
                    _ => None,
                });
                said.join(&more);
            }
        }
        if let Some(at) = recording.filter(|_| said.file.is_none()) {
            let why = "a recording beside other words, or another: the plan speaks the words of all of them";
            self.notes.changed(&at, "audio", why, "make one recording of the whole, and name it in `file`");
        }
        said.text = said.text.split_whitespace().collect::<Vec<_>>().join(" ").replace(" .", ".").replace(" ,", ",");
        said.text = said.text.replace(" ?", "?").replace(" !", "!");
        said
    }

    pub(super) fn words_in(&mut self, cx: &Cx, element: &Element) -> Words {
        let nodes: Vec<&Node> = element.children.iter().collect();
        self.words(cx, &nodes)
    }

    fn words_of(&mut self, cx: &Cx, element: &Element, how: &str) -> Words {
        let at = self.at(cx, element);
        match element.name.as_str() {
            "audio" => self.audio(cx, element),
            "value" => {
                let written = element.attribute("expr").unwrap_or_default();
                match expr::parse(written) {
                    Ok(expr::Expr::Name(name)) => Words::text(format!("{{{{ {name}{how} }}}}")),
                    Ok(expr::Expr::Text(text) | expr::Expr::Number(text)) => Words::text(text),
                    Ok(_) => {
                        let why = "a text can hold a value, not a calculation";
                        self.notes.lost(&at, element.gist(), why, "keep it by `set` in front, and name it here");
                        Words::default()
                    }
                    Err(why) => {
                        self.notes.lost(
                            &at,
                            element.gist(),
                            why,
                            "keep what it is by `set` or `http`, and name it here",
                        );
                        Words::default()
                    }
                }
            }
            "say-as" => {
                let kind = element.attribute("interpret-as").or(element.attribute("type")).unwrap_or_default();
                self.said_as(cx, element, kind)
            }
            "sub" => Words::text(element.attribute("alias").map_or_else(|| plain(&element.text()), plain)),
            "break" | "mark" | "desc" => Words::default(),
            "enumerate" => Words::text(self.enumerated.clone()),
            "emphasis" | "prosody" | "voice" | "phoneme" => {
                let why = "it is spoken as any other text";
                self.notes.changed(&at, element.gist(), why, "listen to it with `trunkline prompts`");
                self.words_in(cx, element)
            }
            "p" | "s" | "paragraph" | "sentence" | "prompt" => self.words_in(cx, element),
            _ => {
                let why = "it cannot stand within what is said";
                self.notes.lost(&at, element.gist(), why, "say it in a step of its own, or leave it out");
                Words::default()
            }
        }
    }

    /// A value or digits, read out in a certain way.
    fn said_as(&mut self, cx: &Cx, element: &Element, kind: &str) -> Words {
        let kind = kind.strip_prefix("vxml:").unwrap_or(kind).split(':').next().unwrap_or_default();
        let how = match kind {
            "digits" => " | digits",
            "number" | "cardinal" => " | number",
            "ordinal" => " | ordinal",
            "currency" => " | amount",
            "date" => " | date",
            "time" => " | time",
            "phone" | "telephone" => " | phone",
            "characters" | "spell-out" | "letters" | "acronym" => " | spell",
            _ => "",
        };
        let value = element.named("value").next();
        match value {
            Some(value) => self.words_of(cx, value, how),
            None if matches!(how, " | digits" | " | spell" | " | phone") => Words::text(
                element.text().chars().filter(|c| c.is_alphanumeric()).map(String::from).collect::<Vec<_>>().join(" "),
            ),
            None => self.words_in(cx, element),
        }
    }

    fn audio(&mut self, cx: &Cx, audio: &Element) -> Words {
        let at = self.at(cx, audio);
        let mut words = self.words_in(cx, audio);
        let Some(src) = audio.attribute("src") else {
            if audio.attribute("expr").is_some() {
                let why = "which recording is played depends on a value";
                self.notes.lost(&at, audio.gist(), why, "write a `branch`, and a `say` for each");
            }
            return words;
        };
        if words.text.is_empty() {
            let name = src.rsplit('/').next().unwrap_or(src);
            words.text = format!("{}.", spoken_name(name.split('.').next().unwrap_or(name)));
            let why = "what this recording says is not known: its name stands in the plan";
            self.notes.changed(&at, audio.gist(), why, "write the words it says, word for word");
        }
        let inside = super::beside(src).map(|(file, _)| self.folder.join(file)).filter(|file| file.is_file());
        match inside {
            Some(file) => {
                words.file = Some(std::path::absolute(&file).unwrap_or(file).display().to_string());
            }
            None => {
                let why = "the recording is not here, or not in this folder: its words are synthesised";
                self.notes.changed(&at, audio.gist(), why, "put the file beside the plan, and name it as `file`");
            }
        }
        words
    }
}

/// Text as our texts have it: two braces would begin a value.
fn plain(text: &str) -> String {
    text.replace("{{", "{ {").replace("{%", "{ %").replace("{#", "{ #")
}
