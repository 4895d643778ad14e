//! What a text is made of, seen several ways.

use super::fields::Fields;
use super::lexicon::Lexicon;
use super::phonetic::Sound;
use super::sparse::{Feature, VIEWS, gathered, hash};
use super::stem::stem;
use crate::grammar::normalize::{self, is_mandarin};
use crate::language::Language;

/// Views of a text. Each is brought to its own length, so their number does not weigh.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Words as they were said; in Mandarin as jieba cuts them.
    Words = 0,
    /// Words without their inflection; in Mandarin single characters.
    Stems = 1,
    /// Two stems or characters side by side, the ends of the sentence marked.
    Pairs = 2,
    /// Three.
    Triples = 3,
    /// Pieces of three to five letters.
    Pieces = 4,
    /// Lines of the synonym list.
    Senses = 5,
    /// Two of them, or of what stands on none, side by side.
    SensePairs = 6,
    /// Double Metaphone codes; in Mandarin two toneless syllables of pinyin.
    Sounds = 7,
    /// Two stems with one between them.
    Skips = 8,
    /// What is done with what kinds of things; in Mandarin word classes as jieba tells them, and two of them.
    Tags = 9,
    /// Fields: what kind of thing a word names.
    Fields = 10,
    /// Two of them, or of what is in none, side by side.
    FieldPairs = 11,
}

/// Found by search over folds of the training sentences of the development sets, whole and in draws of 5 to 20 of each
/// intent: one number at a time, kept while folds and draws together gained.
const EN: [f32; VIEWS] = [0.45, 0.45, 0.35, 0.2, 1.0, 0.3, 0.2, 0.3, 0.4, 0.75, 1.05, 0.75];
const ZH: [f32; VIEWS] = [0.31, 0.53, 0.67, 0.6, 0.0, 0.0, 0.0, 0.33, 0.0, 0.6, 0.7, 0.5];

/// What each view counts in `language`.
pub fn scale(language: &Language) -> [f32; VIEWS] {
    if is_mandarin(language) { ZH } else { EN }
}

/// The gathered features of a text. Politeness around the wish is left out.
pub fn features(text: &str, language: &Language) -> Vec<Feature> {
    let mut found = Found(Vec::with_capacity(128));
    if is_mandarin(language) {
        mandarin(text, language, &mut found)
    } else {
        english(text, language, &mut found)
    }
    gathered(found.0)
}

struct Found(Vec<Feature>);

impl Found {
    fn add(&mut self, view: View, parts: &[&str]) {
        self.weigh(view, parts, 1.0);
    }

    fn weigh(&mut self, view: View, parts: &[&str], count: f32) {
        let view = view as u8;
        self.0.push(Feature { key: hash(view, parts), view, count });
    }
}

fn english(text: &str, language: &Language, found: &mut Found) {
    let words = normalize::words(text, language);
    let words = normalize::unframed(&words, language);
    let lexicon = Lexicon::of(language);
    let stems: Vec<String> = words.iter().map(|word| stem(word)).collect();
    for (word, stem) in words.iter().zip(&stems) {
        found.add(View::Words, &[word]);
        found.add(View::Stems, &[stem]);
        pieces(word, found);
        if let Some(sound) = Sound::of(word) {
            found.add(View::Sounds, &[sound.primary()]);
        }
    }
    let bounded: Vec<&str> =
        std::iter::once("^").chain(stems.iter().map(String::as_str)).chain(std::iter::once("$")).collect();
    bounded.windows(2).for_each(|pair| found.add(View::Pairs, pair));
    bounded.windows(3).for_each(|triple| found.add(View::Triples, triple));
    bounded.windows(3).for_each(|triple| found.add(View::Skips, &[triple[0], triple[2]]));
    senses(&stems, lexicon, found);
    let named = fields(&stems, Fields::of(language), found);
    acts(words, &stems, &named, Fields::of(language), found);
}

/// What kinds of things are named, and the order of kinds and words.
fn fields(units: &[String], fields: &Fields, found: &mut Found) -> Vec<u16> {
    let mut at = 0;
    let mut named: Vec<u16> = Vec::new();
    let mut names: Vec<&str> = vec!["^"];
    while at < units.len() {
        let taken = match fields.at_front(&units[at..]) {
            Some((of, taken)) => {
                let share = 1.0 / (of.len() as f32).sqrt();
                for field in of {
                    found.weigh(View::Fields, &[fields.name(*field)], share);
                    if let Some(wider) = fields.wider(*field) {
                        found.weigh(View::Fields, &[fields.name(wider)], share * 0.5);
                    }
                }
                named.extend(of);
                names.push(fields.name(of[0]));
                taken
            }
            None => {
                names.push(&units[at]);
                1
            }
        };
        at += taken;
    }
    names.push("$");
    names.windows(2).for_each(|pair| found.add(View::FieldPairs, pair));
    named
}

/// What is done with what: "do I have an alarm" asks, "set an alarm" makes, and neither is known by "alarm". English
/// says first whether it asks or tells.
fn acts(words: &[String], stems: &[String], named: &[u16], fields: &Fields, found: &mut Found) {
    let Some((first, stem)) = words.first().zip(stems.first()) else { return };
    let asks = ["what", "which", "who", "when", "where", "how", "why", "whose"].contains(&first.as_str());
    let whether = ["do", "be", "have", "will", "is", "are", "am", "would", "should", "could", "can", "may"];
    let act = match fields.at_front(stems) {
        _ if asks => "asks",
        _ if whether.contains(&stem.as_str()) => "whether",
        Some((of, _)) => fields.name(of[0]),
        None => stem,
    };
    found.add(View::Tags, &[act]);
    for field in named {
        found.add(View::Tags, &[act, fields.name(*field)]);
        if asks {
            found.add(View::Tags, &[first, fields.name(*field)]);
        }
        if let Some(wider) = fields.wider(*field) {
            found.add(View::Tags, &[act, fields.name(wider)]);
        }
    }
}

/// Pieces of three to five letters, the ends of the word marked.
fn pieces(word: &str, found: &mut Found) {
    let marked = format!("<{word}>");
    let bounds: Vec<usize> = marked.char_indices().map(|(at, _)| at).chain([marked.len()]).collect();
    for length in 3..=5 {
        for ends in bounds.windows(length + 1) {
            found.add(View::Pieces, &[&marked[ends[0]..ends[length]]]);
        }
    }
}

/// Synonym lines: the words on one line are one feature.
fn senses(stems: &[String], lexicon: &Lexicon, found: &mut Found) {
    let mut at = 0;
    let mut names: Vec<String> = vec!["^".to_owned()];
    while at < stems.len() {
        let (name, taken) = match lexicon.expression(&stems[at..]) {
            Some((expression, taken)) => (expression.join("_"), taken),
            None => (stems[at].clone(), 1),
        };
        let lines = lexicon.lines(&name);
        for (line, strength) in lines {
            found.weigh(View::Senses, &[&line.to_string()], *strength);
        }
        match lines.first() {
            Some((line, _)) => names.push(format!("={line}")),
            None => names.push(name),
        }
        at += taken;
    }
    names.windows(2).for_each(|pair| found.add(View::SensePairs, &[&pair[0], &pair[1]]));
}

fn mandarin(text: &str, language: &Language, found: &mut Found) {
    use pinyin::ToPinyin;
    let plain: String = text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    let units = characters(&plain);
    let _ = fields(&units, Fields::of(language), found);
    let bounded: Vec<&str> =
        std::iter::once("^").chain(units.iter().map(String::as_str)).chain(std::iter::once("$")).collect();
    units.iter().for_each(|one| found.add(View::Stems, &[one]));
    bounded.windows(2).for_each(|pair| found.add(View::Pairs, pair));
    bounded.windows(3).for_each(|triple| found.add(View::Triples, triple));
    let sounds: Vec<&str> = plain.chars().filter_map(|c| c.to_pinyin()).map(|sound| sound.plain()).collect();
    sounds.windows(2).for_each(|pair| found.add(View::Sounds, pair));
    let mut tags: Vec<&str> = vec!["^"];
    for token in super::segment::jieba().tag(&plain, true) {
        found.add(View::Words, &[token.word]);
        tags.push(token.tag);
    }
    tags.push("$");
    tags.iter().for_each(|tag| found.add(View::Tags, &[tag]));
    tags.windows(2).for_each(|pair| found.add(View::Tags, pair));
}

/// Single characters of Mandarin; Latin words and numbers whole.
pub fn characters(text: &str) -> Vec<String> {
    let mut units: Vec<String> = Vec::new();
    let mut joins = false;
    for c in text.chars() {
        let latin = c.is_ascii_alphanumeric();
        match units.last_mut() {
            Some(last) if latin && joins => last.push(c),
            _ => units.push(c.to_string()),
        }
        joins = latin;
    }
    units
}
