//! Markup in prompts: the part of SSML 1.1 (W3C, 2010) that plans need.
//!
//! | element | |
//! | --- | --- |
//! | `<break time="500ms"/>`, `<break strength="medium"/>` | a pause, at most ten seconds |
//! | `<say-as interpret-as="digits">4711</say-as>` | said as amount, date, time, digits, number (cardinal), ordinal, telephone (phone), characters (spell) |
//! | `<sub alias="World Wide Web Consortium">W3C</sub>` | said as something else |
//! | `<prosody rate="slow">…</prosody>` | slower or faster: x-slow, slow, medium, fast, x-fast, or 50% to 200% |
//! | `<audio src="chime.wav">words instead</audio>` | a recording |
//! | `<speak>`, `<s>`, `<p>` | allowed, and mean nothing more than their text |
//!
//! A text is markup only where it holds one of these: `5 < 6` is a text.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{SayAs, say};
use crate::language::Language;
use crate::value::Value;

/// Longest pause.
const LONGEST_BREAK: Duration = Duration::from_secs(10);
/// Elements within elements.
const DEEPEST: usize = 16;
/// The elements.
const ELEMENTS: [&str; 8] = ["speak", "break", "say-as", "sub", "prosody", "audio", "s", "p"];

/// A part of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Words, at this pace: 1 is the voice's own, 2 twice as fast.
    Words {
        /// What.
        text: String,
        /// How fast.
        rate: f32,
    },
    /// A pause.
    Break(Duration),
    /// A recording, and what it says.
    Audio {
        /// The file.
        file: PathBuf,
        /// For the transcript, and in case the file is lost.
        text: String,
    },
}

/// Does the text hold markup?
pub fn is_marked(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| {
        let name = text[at + 1..].trim_start_matches('/');
        ELEMENTS.iter().any(|element| {
            name.strip_prefix(element).is_some_and(|rest| {
                rest.starts_with(|letter: char| letter == '>' || letter == '/' || letter.is_whitespace())
            })
        })
    })
}

/// Can the markup be read? The error is a sentence for its author.
pub fn check(text: &str) -> Result<(), String> {
    if is_marked(text) { read(text).map(drop) } else { Ok(()) }
}

/// The recordings that the markup names.
pub fn recordings(text: &str) -> Vec<PathBuf> {
    let found = |piece| match piece {
        Piece::Audio { file, .. } => Some(file),
        Piece::Words { .. } | Piece::Break(_) => None,
    };
    pieces(text).into_iter().filter_map(found).collect()
}

/// The same text with every recording's path replaced.
pub fn with_recordings(text: &str, place: impl Fn(&str) -> PathBuf) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("<audio") {
        let Some(end) = rest[at..].find('>').map(|end| at + end) else { break };
        let tag = &rest[at..end];
        let source = ["src=\"", "src='"].iter().find_map(|open| {
            let from = tag.find(open)? + open.len();
            let to = from + tag[from..].find(open.chars().next_back()?)?;
            Some((at + from, at + to))
        });
        let Some((from, to)) = source else { break };
        replaced.push_str(&rest[..from]);
        replaced.push_str(&escape(&place(&rest[from..to]).to_string_lossy()));
        rest = &rest[to..];
    }
    replaced.push_str(rest);
    replaced
}

/// The parts of a text, in order. What cannot be read as markup is words without its tags.
pub fn pieces(text: &str) -> Vec<Piece> {
    if !is_marked(text) {
        return vec![Piece::Words { text: text.to_owned(), rate: 1.0 }];
    }
    read(text).unwrap_or_else(|_| vec![Piece::Words { text: stripped(text), rate: 1.0 }])
}

/// What is said, without its markup: for transcripts.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !is_marked(text) {
        return Cow::Borrowed(text);
    }
    let words = pieces(text).into_iter().filter_map(|piece| match piece {
        Piece::Words { text, .. } | Piece::Audio { text, .. } => Some(text),
        Piece::Break(_) => None,
    });
    let joined = words.collect::<Vec<_>>().join(" ");
    Cow::Owned(joined.split_whitespace().collect::<Vec<_>>().join(" ").replace(" ,", ",").replace(" .", "."))
}

/// The same markup with everything in words that `language` and `today` turn into words; what is left of it is pauses,
/// pace and recordings.
pub fn in_words(text: &str, language: &Language, today: Date) -> String {
    if !is_marked(text) {
        return text.to_owned();
    }
    let said = |text: &str, how: SayAs| say(&Value::text(text), how, language, today);
    let Ok(pieces) = Parse { said: &said }.run(text) else { return stripped(text) };
    if let [Piece::Words { text, rate: 1.0 }] = pieces.as_slice() {
        return literal(text.clone());
    }
    pieces.iter().map(print).collect()
}

/// The same text, to be said letter by letter whatever it looks like: values in a text without markup bring none.
pub fn literal(text: String) -> String {
    if is_marked(&text) { format!("<speak>{}</speak>", escape(&text)) } else { text }
}

fn read(text: &str) -> Result<Vec<Piece>, String> {
    Parse { said: &|text, _| text.to_owned() }.run(text)
}

fn print(piece: &Piece) -> String {
    match piece {
        Piece::Words { text, rate: 1.0 } => escape(text),
        Piece::Words { text, rate } => format!("<prosody rate=\"{:.0}%\">{}</prosody>", rate * 100.0, escape(text)),
        Piece::Break(time) => format!("<break time=\"{}ms\"/>", time.as_millis()),
        Piece::Audio { file, text } => {
            format!("<audio src=\"{}\">{}</audio>", escape(&file.to_string_lossy()), escape(text))
        }
    }
}

/// A text that is no markup, to stand within some.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn stripped(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut inside = false;
    for letter in text.chars() {
        match letter {
            '<' => inside = true,
            '>' if inside => inside = false,
            letter if !inside => kept.push(letter),
            _ => {}
        }
    }
    kept
}

struct Parse<'a> {
    said: &'a dyn Fn(&str, SayAs) -> String,
}

/// An element that is open.
enum Open {
    Plain,
    Rate(f32),
    SayAs(SayAs),
    /// Its own text is not said.
    Sub,
    Audio(PathBuf, String),
}

impl Parse<'_> {
    fn run(&self, text: &str) -> Result<Vec<Piece>, String> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_end_names = true;
        let mut pieces = Vec::new();
        let mut open: Vec<Open> = Vec::new();
        loop {
            match reader.read_event() {
                Ok(Event::Eof) if open.is_empty() => return Ok(pieces),
                Ok(Event::Eof) => return Err("an element of this markup is never closed".to_owned()),
                Ok(Event::Start(tag)) => {
                    if open.len() >= DEEPEST {
                        return Err(format!("this markup is nested deeper than {DEEPEST} levels"));
                    }
                    let opened = self.open(&tag, &mut pieces, &open)?;
                    open.push(opened);
                }
                Ok(Event::Empty(tag)) => {
                    let opened = self.open(&tag, &mut pieces, &open)?;
                    close(opened, &mut pieces);
                }
                Ok(Event::End(_)) => close(open.pop().unwrap_or(Open::Plain), &mut pieces),
                Ok(Event::Text(words)) => self.words(&words, &mut open, &mut pieces),
                Ok(Event::GeneralRef(entity)) => {
                    let words = match &*entity {
                        "amp" => "&",
                        "lt" => "<",
                        "gt" => ">",
                        "quot" => "\"",
                        "apos" => "'",
                        other => return Err(format!("this markup has an entity `&{other};`; write the letter itself")),
                    };
                    self.words(words, &mut open, &mut pieces);
                }
                Ok(Event::Comment(_)) => {}
                Ok(_) => return Err("this markup holds something other than elements and text".to_owned()),
                Err(error) => return Err(format!("this markup cannot be read: {error}")),
            }
        }
    }

    fn open(&self, tag: &BytesStart<'_>, pieces: &mut Vec<Piece>, around: &[Open]) -> Result<Open, String> {
        let name = tag.name().as_ref().to_owned();
        let value = |wanted: &str| {
            let found = tag.attributes().flatten().find(|attribute| attribute.key.as_ref() == wanted)?;
            Some(unescape(&found.value))
        };
        match name.as_str() {
            "speak" | "s" | "p" => Ok(Open::Plain),
            "break" => {
                pieces.push(Piece::Break(pause(value("time").as_deref(), value("strength").as_deref())?));
                Ok(Open::Plain)
            }
            "prosody" => {
                let own = value("rate").map_or(Ok(1.0), |rate| pace(&rate))?;
                Ok(Open::Rate((own * rate_of(around)).clamp(0.5, 2.0)))
            }
            "sub" => {
                let alias = value("alias").ok_or("`<sub>` does not say what is said instead: add `alias=\"…\"`")?;
                push_words(pieces, &alias, rate_of(around));
                Ok(Open::Sub)
            }
            "say-as" => {
                let how = value("interpret-as").ok_or("`<say-as>` does not say how: add `interpret-as=\"digits\"`")?;
                let known = match how.as_str() {
                    "cardinal" => Some(SayAs::Number),
                    "telephone" => Some(SayAs::Phone),
                    "characters" | "spell-out" => Some(SayAs::Spell),
                    "currency" => Some(SayAs::Amount),
                    other => SayAs::parse(other),
                };
                known.map(Open::SayAs).ok_or_else(|| {
                    format!("`interpret-as` cannot be `{how}`: it is amount, date, time, digits, number, ordinal, phone or spell")
                })
            }
            "audio" => {
                let file = value("src").ok_or("`<audio>` names no recording: add `src=\"…\"`")?;
                Ok(Open::Audio(PathBuf::from(file), String::new()))
            }
            other => Err(format!("there is no markup `<{other}>`; there are {}", ELEMENTS.join(", "))),
        }
    }

    fn words(&self, words: &str, open: &mut [Open], pieces: &mut Vec<Piece>) {
        let rate = rate_of(open);
        match open.last_mut() {
            Some(Open::Sub) => {}
            Some(Open::Audio(_, text)) => text.push_str(words),
            Some(Open::SayAs(how)) => push_words(pieces, &(self.said)(words.trim(), *how), rate),
            _ => push_words(pieces, words, rate),
        }
    }
}

fn close(closed: Open, pieces: &mut Vec<Piece>) {
    if let Open::Audio(file, text) = closed {
        pieces.push(Piece::Audio { file, text: text.trim().to_owned() });
    }
}

fn rate_of(open: &[Open]) -> f32 {
    let rate = |open: &Open| if let Open::Rate(rate) = open { Some(*rate) } else { None };
    open.iter().rev().find_map(rate).unwrap_or(1.0)
}

fn push_words(pieces: &mut Vec<Piece>, words: &str, rate: f32) {
    match pieces.last_mut() {
        Some(Piece::Words { text, rate: same }) if *same == rate => text.push_str(words),
        _ if words.trim().is_empty() => {}
        _ => pieces.push(Piece::Words { text: words.to_owned(), rate }),
    }
}

fn unescape(text: &str) -> String {
    text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&apos;", "'").replace("&amp;", "&")
}

fn pause(time: Option<&str>, strength: Option<&str>) -> Result<Duration, String> {
    let wrong = |text: &str| format!("`<break>` cannot last `{text}`: write `500ms` or `1.5s`, at most ten seconds");
    let millis = match (time, strength) {
        (Some(time), _) => {
            let number =
                |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
            let millis = match time.strip_suffix("ms") {
                Some(millis) => number(millis),
                None => time.strip_suffix('s').and_then(number).map(|seconds| seconds * 1_000.0),
            };
            millis.ok_or_else(|| wrong(time))?
        }
        (None, Some("none")) => 0.0,
        (None, Some("x-weak")) => 100.0,
        (None, Some("weak")) => 200.0,
        (None, None | Some("medium")) => 400.0,
        (None, Some("strong")) => 700.0,
        (None, Some("x-strong")) => 1_200.0,
        (None, Some(other)) => return Err(wrong(other)),
    };
    let time = Duration::from_millis(millis.min(1e9) as u64);
    if time > LONGEST_BREAK { Err(wrong(&format!("{}s", time.as_secs()))) } else { Ok(time) }
}

fn pace(text: &str) -> Result<f32, String> {
    let rate = match text {
        "x-slow" => Some(0.6),
        "slow" => Some(0.8),
        "medium" | "default" => Some(1.0),
        "fast" => Some(1.25),
        "x-fast" => Some(1.5),
        percent => {
            percent.strip_suffix('%').and_then(|percent| percent.parse::<f32>().ok()).map(|percent| percent / 100.0)
        }
    };
    let fits = |rate: &f32| (0.5..=2.0).contains(rate);
    rate.filter(fits).ok_or_else(|| format!("`rate` cannot be `{text}`: it is slow, medium, fast, or 50% to 200%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, rate: f32) -> Piece {
        Piece::Words { text: text.to_owned(), rate }
    }

    #[test]
    fn a_text_is_markup_only_where_it_holds_some() {
        for text in ["Hello.", "5 < 6", "a <b> c", "<nothing>", "1<2>3"] {
            assert!(!is_marked(text), "{text}");
            assert_eq!((check(text), plain(text)), (Ok(()), Cow::Borrowed(text)));
        }
        assert!(is_marked("One <break/> two") && is_marked("<s>One.</s>"));
    }

    #[test]
    fn pauses_pace_and_recordings_become_pieces() {
        let text =
            "One <break time=\"1.5s\"/> two <prosody rate=\"slow\">three</prosody> <audio src=\"a.wav\">ding</audio>";
        assert_eq!(
            pieces(text),
            [
                words("One ", 1.0),
                Piece::Break(Duration::from_millis(1_500)),
                words(" two ", 1.0),
                words("three", 0.8),
                Piece::Audio { file: "a.wav".into(), text: "ding".into() },
            ]
        );
        assert_eq!(plain(text), "One two three ding");
        assert_eq!(recordings(text), [PathBuf::from("a.wav")]);
        let moved = with_recordings(text, |named| PathBuf::from("/plans").join(named));
        assert_eq!(recordings(&moved), [PathBuf::from("/plans/a.wav")]);
    }

    #[test]
    fn values_and_abbreviations_become_words_once() {
        let today = jiff::civil::date(2026, 3, 2);
        let in_words = |text: &str| in_words(text, &Language::english(), today);
        let digits =
            in_words("Card <say-as interpret-as=\"digits\">42</say-as> of <sub alias=\"the bank\">B&amp;K</sub>.");
        assert_eq!(digits, "Card four two of the bank.");
        let paused = in_words("Due <break time=\"300ms\"/><say-as interpret-as=\"ordinal\">3</say-as> &lt;");
        assert_eq!(paused, "Due <break time=\"300ms\"/>third &lt;");
        assert_eq!(in_words(&paused), paused);
    }

    #[test]
    fn what_is_meant_letter_by_letter_is_never_obeyed() {
        let today = jiff::civil::date(2026, 3, 2);
        let name = "<sub alias=\"PWNED\">x</sub><audio src=\"/etc/passwd\"/>";
        for text in [literal(format!("Hello {name}")), format!("<s>Hello {}</s>", escape(name))] {
            let text = in_words(&text, &Language::english(), today);
            assert_eq!(pieces(&text), [words(&format!("Hello {name}"), 1.0)]);
            assert_eq!(in_words(&text, &Language::english(), today), text);
        }
        assert_eq!(literal("5 < 6 & 7".to_owned()), "5 < 6 & 7");
    }

    #[test]
    fn what_is_wrong_with_markup_is_said() {
        for (text, why) in [
            ("<s>open", "never closed"),
            ("<p><blink>x</blink></p>", "there is no markup `<blink>`"),
            ("<break time=\"1h\"/>", "cannot last `1h`"),
            ("<break time=\"11s\"/>", "at most ten seconds"),
            ("<prosody rate=\"900%\">x</prosody>", "50% to 200%"),
            ("<say-as interpret-as=\"poem\">x</say-as>", "cannot be `poem`"),
            ("<say-as>x</say-as>", "does not say how"),
            ("<audio/>", "names no recording"),
            ("<s>&bomb;</s>", "entity `&bomb;`"),
            ("<s><!DOCTYPE x [<!ENTITY a \"b\">]></s>", "other than elements"),
        ] {
            assert!(check(text).unwrap_err().contains(why), "{text}: {:?}", check(text));
            let _ = (plain(text), pieces(text));
        }
        let deep = "<s>".repeat(100) + &"</s>".repeat(100);
        assert!(check(&deep).unwrap_err().contains("nested deeper"));
    }
}
