//! Does it sound finished? What the last words of an utterance say about whether the caller is done.
//!
//! ```text
//!   "I lost my card and…"              and: more is to come         Unfinished
//!   "what is the weather on the moon"  nothing hangs in the air     Finished
//!   "我的银行卡"  Finished              "我的"                        Unfinished
//! ```
//!
//! People seldom end a sentence on an article, a conjunction, most prepositions or "um". Those tails are data,
//! `grammars/unfinished.tsv`, built into the binary: a line each of language, ending (`more` or `done`) and tail. The
//! longest tail that fits decides, so `done log in` is the exception to `more in`; `^` is the start of the utterance.
//!
//! This looks at words alone: a sentence cut after a content word sounds as finished as a whole one. What a recogniser
//! writes behind its last word helps little. Moonshine ends nearly every piece with a full stop or a question mark, cut
//! off or not, so those count for nothing; a comma, dash or ellipsis is rare, but does not stand behind whole sentences
//! (figures: `docs/performance.md`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::grammar::normalize::is_mandarin;
use crate::language::Language;

const FILE: &str = include_str!("../../grammars/unfinished.tsv");

/// Stands before the first word of an utterance.
const START: &str = "^";

/// How the end of an utterance sounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As sentences end.
    Finished,
    /// More words are called for.
    Unfinished,
    /// No words, or a language without tails.
    Unknown,
}

impl Ending {
    /// How `text`, as a recogniser wrote it, sounds in `language`.
    pub fn of(text: &str, language: &Language) -> Self {
        let units = units(text, language);
        if units.len() == 1 {
            return Self::Unknown; // The start alone: nothing was said.
        }
        if hangs(text) {
            return Self::Unfinished;
        }
        TAILS.get(primary(language)).map_or(Self::Unknown, |tails| tails.decide(&units, separator(language)))
    }
}

/// The tails of one language.
#[derive(Debug, Default)]
struct Tails {
    endings: BTreeMap<&'static str, Ending>,
    /// Units of the longest.
    longest: usize,
}

impl Tails {
    /// The longest tail of `units` that is known decides; where none is, nothing more is called for.
    fn decide(&self, units: &[String], separator: &str) -> Ending {
        let from = units.len().saturating_sub(self.longest);
        let known = (from..units.len()).find_map(|at| self.endings.get(units[at..].join(separator).as_str()));
        known.copied().unwrap_or(Ending::Finished)
    }
}

/// By primary language.
static TAILS: LazyLock<BTreeMap<&'static str, Tails>> = LazyLock::new(|| {
    let mut all: BTreeMap<&'static str, Tails> = BTreeMap::new();
    for line in FILE.lines().skip(1) {
        let line = read(line).expect("tests read every built-in line");
        let tails = all.entry(line.language).or_default();
        tails.endings.insert(line.tail, line.ending);
        tails.longest = tails.longest.max(line.length());
    }
    all
});

/// One line of the file.
#[derive(Debug)]
struct Line {
    language: &'static str,
    ending: Ending,
    tail: &'static str,
}

impl Line {
    /// Words, or characters where a language is written without spaces; the start counts as one.
    fn length(&self) -> usize {
        if self.language == "zh" { self.tail.chars().count() } else { self.tail.split(' ').count() }
    }
}

fn read(line: &'static str) -> Option<Line> {
    let mut cells = line.split('\t');
    let (language, ending, tail) = (cells.next()?, cells.next()?, cells.next()?);
    let ending = match ending {
        "more" => Ending::Unfinished,
        "done" => Ending::Finished,
        _ => return None,
    };
    (!tail.is_empty() && cells.next().is_none()).then_some(Line { language, ending, tail })
}

/// Mandarin goes by two names: `zh` in most tags, `cmn` in ISO 639-3.
fn primary(language: &Language) -> &str {
    if is_mandarin(language) { "zh" } else { language.primary() }
}

fn separator(language: &Language) -> &'static str {
    if is_mandarin(language) { "" } else { " " }
}

/// The start, then lower-case words as they were said, or single characters of Mandarin. Unlike
/// [`crate::grammar::normalize::words`] this keeps hesitations, particles and contractions: they are what tails are
/// made of.
fn units(text: &str, language: &Language) -> Vec<String> {
    let spoken: String = text.chars().map(|c| if c == '’' { '\'' } else { c }).flat_map(char::to_lowercase).collect();
    let start = std::iter::once(START.to_owned());
    if is_mandarin(language) {
        return start.chain(spoken.chars().filter(|c| c.is_alphanumeric()).map(String::from)).collect();
    }
    let words = spoken.split(|c: char| !(c.is_alphanumeric() || c == '\'')).map(|word| word.trim_matches('\''));
    start.chain(words.filter(|word| !word.is_empty()).map(str::to_owned)).collect()
}

/// Does a comma, dash or ellipsis stand at the end?
fn hangs(text: &str) -> bool {
    let text = text.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '”' | '’' | '\''));
    let pauses = [',', '，', '、', '…', '-', '–', '—'];
    text.ends_with(pauses) || text.ends_with("...") || text.ends_with("。。。")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ending(text: &str, tag: &str) -> Ending {
        Ending::of(text, &Language::parse(tag).unwrap())
    }

    #[track_caller]
    fn all_sound(wanted: Ending, tag: &str, texts: &[&str]) {
        for text in texts {
            assert_eq!(ending(text, tag), wanted, "`{text}`");
        }
    }

    #[test]
    fn every_line_is_sound_and_no_tail_stands_there_twice() {
        assert_eq!(FILE.lines().next(), Some("language\tending\ttail"));
        let mut seen = BTreeSet::new();
        for text in FILE.lines().skip(1) {
            let line = read(text).unwrap_or_else(|| panic!("grammars/unfinished.tsv: cannot read `{text}`"));
            assert!(seen.insert((line.language, line.tail)), "`{text}` stands there twice");
            let language = Language::parse(line.language).unwrap();
            let anchored = line.tail.strip_prefix(START).unwrap_or(line.tail).trim_start();
            let spelled = units(anchored, &language)[1..].join(separator(&language));
            assert_eq!(spelled, anchored, "`{text}` is not written as it would be looked for");
        }
        for broken in ["en", "en\tmore", "en\tmore\t", "en\tmaybe\tthe", "en\tmore\tthe\tmore"] {
            assert!(read(broken).is_none(), "`{broken}` was read");
        }
    }

    #[test]
    fn every_line_changes_something() {
        for text in FILE.lines().skip(1) {
            let line = read(text).unwrap();
            let language = Language::parse(line.language).unwrap();
            // What the rest of the tail says already: its first word, or its anchor, must make a difference.
            let anchored = line.tail.starts_with(START);
            let rest = &units(line.tail, &language)[if anchored { 1 } else { 2 }..];
            let without = TAILS[line.language].decide(rest, separator(&language));
            assert_ne!(without, line.ending, "`{text}` changes nothing");
        }
    }

    #[test]
    fn a_sentence_that_stops_on_a_word_that_calls_for_another_is_unfinished() {
        let cut = [
            "I lost my card and",
            "I want to",
            "I want to pay my",
            "the",
            "my",
            "um",
            "my balance um",
            "so I was, uh,",
            "could you please",
            "what's the",
            "It’s",
            "where is",
            "how much is the",
            "I'm calling about",
            "you know",
            "Iced Coffee with.",
        ];
        all_sound(Ending::Unfinished, "en-US", &cut);
    }

    #[test]
    fn whole_sentences_and_single_words_are_finished() {
        let whole = [
            "what is the weather on the moon",
            "balance",
            "yes",
            "no",
            "help me",
            "my card was stolen",
            "four seven one one",
            "I cannot log in",
            "turn it on",
            "is there anyone I can talk to",
            "yes it is",
            "How many accounts do I have?",
            "I think so",
            "let you know",
        ];
        all_sound(Ending::Finished, "en-GB", &whole);
    }

    #[test]
    fn mandarin_is_told_by_its_last_characters() {
        let cut = [
            "我想",
            "我想查",
            "因为",
            "我的卡丢了然后",
            "但是",
            "把",
            "我找那个",
            "我的嗯",
            "丢了的话",
            "我的",
            "是不是",
        ];
        all_sound(Ending::Unfinished, "zh-CN", &cut);
        all_sound(Ending::Unfinished, "cmn-Hans", &cut);
        let whole = [
            "查余额",
            "我的卡丢了",
            "你们几点开门",
            "好的",
            "是的",
            "是",
            "嗯",
            "不是",
            "可以吗",
            "还没收到",
            "我要这个",
            "现在",
        ];
        all_sound(Ending::Finished, "zh-CN", &whole);
    }

    #[test]
    fn a_comma_a_dash_or_an_ellipsis_means_more_and_a_full_stop_means_nothing() {
        let cut = ["I lost my card,", "I lost my card...", "my card —", "my card…\"", "my card -"];
        all_sound(Ending::Unfinished, "en", &cut);
        all_sound(Ending::Unfinished, "zh", &["我的卡丢了，", "我的卡丢了……", "我的卡丢了、"]);
        all_sound(
            Ending::Finished,
            "en",
            &["I lost my card.", "I lost my card!", "is it lost?", "in the U. S..", "card"],
        );
        all_sound(Ending::Unfinished, "en", &["I lost my.", "Where is the?"]);
    }

    #[test]
    fn nothing_is_claimed_of_silence_or_of_languages_without_tails() {
        all_sound(Ending::Unknown, "en", &["", " ", "...", "😀", "'", "—"]);
        all_sound(Ending::Unknown, "zh", &["", "。", "，"]);
        all_sound(Ending::Unknown, "de", &["", "ich möchte meine Karte sperren"]);
        assert_eq!(ending("ich möchte,", "de"), Ending::Unfinished);
    }
}
