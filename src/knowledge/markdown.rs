//! Questions and answers as their author writes them: a Markdown file that reads well by itself.
//!
//! ```text
//!   # en-US                         the language of what follows
//!   ## What are your opening hours? a question
//!   - when do you open              the same in other words: a list right below it
//!   We are open from nine to five.  the answer, to the next heading, as it is spoken
//! ```
//!
//! What cannot be spoken (tables, code, pictures, HTML) is a fault with its line, not something that a voice stumbles
//! over. Links are spoken as their text, lists as a sentence.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd};

use super::{Entry, Problem};
use crate::language::Language;

/// Longest file.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Most questions of all languages together.
pub const MAX_ENTRIES: usize = 5_000;
/// Most wordings of one question, its heading included.
pub const MAX_WORDINGS: usize = 50;
/// Longest wording, in characters: nobody asks longer.
pub const MAX_QUESTION: usize = 300;
/// Longest answer, in characters: about two minutes of speech.
pub const MAX_ANSWER: usize = 1_500;
/// Most faults told of one file.
const MAX_PROBLEMS: usize = 100;

/// Reads `text` into entries with their languages, in order.
///
/// # Errors
///
/// Everything that is wrong with it, in the order of its lines.
pub fn read(text: &str) -> Result<Vec<(Language, Entry)>, Vec<Problem>> {
    let mut reader = Reader::new(text);
    if text.len() > MAX_BYTES {
        reader.problem(0, "the file is larger than a megabyte", "split it into several");
        return Err(reader.problems);
    }
    // Tables are asked for only to be refused: unread, they would be spoken as text with bars.
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        reader.take(event, range);
        if reader.problems.len() >= MAX_PROBLEMS {
            break;
        }
    }
    reader.finish_entry();
    if reader.entries.is_empty() && reader.problems.is_empty() {
        reader.problem(0, "there is no question in it", "write `# en-US`, then `## your question?`, then its answer");
    }
    match reader.problems.is_empty() {
        true => Ok(reader.entries),
        false => {
            reader.problems.sort_by_key(|problem| (problem.line, problem.column));
            reader.problems.truncate(MAX_PROBLEMS);
            Err(reader.problems)
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
    problems: Vec<Problem>,
    entries: Vec<(Language, Entry)>,
    language: Option<Language>,
    draft: Option<Draft>,
    /// The heading or paragraph being read, and where it began.
    inline: Option<(usize, String)>,
    /// The list being read.
    list: Option<List>,
    /// Depth inside something that was refused: what it holds is not looked at.
    refused: usize,
    /// Was something before the first heading complained about?
    strayed: bool,
}

struct Draft {
    at: usize,
    wordings: Vec<(usize, String)>,
    answer: Vec<String>,
    /// Has the answer begun? Then a list is part of it.
    answering: bool,
    /// Something in it was refused: it is not empty, only wrong.
    refused: bool,
}

#[derive(Default)]
struct List {
    depth: usize,
    items: Vec<(usize, String)>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self {
            text,
            lines,
            problems: Vec::new(),
            entries: Vec::new(),
            language: None,
            draft: None,
            inline: None,
            list: None,
            refused: 0,
            strayed: false,
        }
    }

    fn problem(&mut self, at: usize, message: impl Into<String>, help: &str) {
        let line = self.line(at);
        let column = self.text.get(self.lines[line - 1]..at).map_or(0, |before| before.chars().count()) + 1;
        self.problems.push(Problem { line, column, message: message.into(), help: Some(help.to_owned()) });
    }

    /// From 1.
    fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= at).max(1)
    }

    fn refuse(&mut self, at: usize, what: &str, help: &str) {
        self.problem(at, format!("{what} cannot be spoken"), help);
        if let Some(draft) = &mut self.draft {
            draft.refused = true;
        }
    }

    fn take(&mut self, event: Event<'_>, range: Range<usize>) {
        if self.refused > 0 {
            match event {
                Event::Start(_) => self.refused += 1,
                Event::End(_) => self.refused -= 1,
                _ => {}
            }
            return;
        }
        match event {
            Event::Start(tag) => self.start(&tag, range),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.say(&text),
            // Whether the words on both sides want a blank between them is seen when they are whole.
            Event::SoftBreak | Event::HardBreak => self.say("\n"),
            Event::Code(_) => self.refuse(range.start, "code", "write it in words, without the backticks"),
            Event::InlineHtml(html) if !is_comment(&html) => {
                self.refuse(range.start, "HTML", "write it in words; comments (<!-- … -->) are left out");
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>, range: Range<usize>) {
        match tag {
            Tag::Heading { level, .. } => {
                self.finish_entry();
                if !matches!(level, HeadingLevel::H1 | HeadingLevel::H2) {
                    self.problem(
                        range.start,
                        "a heading of this depth is neither a language nor a question",
                        "write `## ` before a question; an answer has no headings",
                    );
                }
                self.inline = Some((range.start, String::new()));
            }
            Tag::Paragraph if self.list.is_none() => self.inline = Some((range.start, String::new())),
            Tag::List(_) => {
                if self.list.is_none() {
                    self.stray(range.start);
                }
                self.list.get_or_insert_default().depth += 1;
            }
            Tag::Item => {
                if let Some(list) = &mut self.list {
                    list.items.push((range.start, String::new()));
                }
            }
            Tag::Link { link_type: LinkType::Autolink | LinkType::Email, .. } => {
                self.refuse(range.start, "a bare address", "write how it is said, such as [our website](https://…)");
                self.refused = 1;
            }
            Tag::CodeBlock(_) => {
                self.refuse(range.start, "code", "write it in words; a paragraph begins at the edge of its line");
                self.refused = 1;
            }
            Tag::Table(_) => {
                self.refuse(range.start, "a table", "write what it says in a sentence or two");
                self.refused = 1;
            }
            Tag::Image { .. } => {
                self.refuse(range.start, "a picture", "write what it shows");
                self.refused = 1;
            }
            Tag::HtmlBlock => {
                if !is_comment(&self.text[range.clone()]) {
                    self.refuse(range.start, "HTML", "write it in words; comments (<!-- … -->) are left out");
                }
                self.refused = 1;
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(HeadingLevel::H1) => {
                let (at, text) = self.inline.take().unwrap_or_default();
                match Language::parse(text.trim()) {
                    Ok(language) => self.language = Some(language),
                    Err(_) => self.problem(
                        at,
                        format!("`{}` is no language", text.trim()),
                        "write `# en-US` or `# zh-CN` before the questions of a language, `## ` before each question",
                    ),
                }
            }
            TagEnd::Heading(HeadingLevel::H2) => {
                let (at, text) = self.inline.take().unwrap_or_default();
                let wordings = vec![(at, tidy(&text))];
                self.draft = Some(Draft { at, wordings, answer: Vec::new(), answering: false, refused: false });
            }
            TagEnd::Heading(_) => self.inline = None,
            TagEnd::Paragraph if self.list.is_none() => {
                let (at, text) = self.inline.take().unwrap_or_default();
                let text = tidy(&text);
                if text.is_empty() {
                    return;
                }
                self.stray(at);
                if let Some(draft) = &mut self.draft {
                    draft.answering = true;
                    draft.answer.push(text);
                }
            }
            TagEnd::Paragraph => self.say("\n"),
            TagEnd::List(_) => {
                let Some(list) = &mut self.list else { return };
                list.depth -= 1;
                if list.depth == 0 {
                    let list = self.list.take().unwrap_or_default();
                    self.finish_list(list);
                }
            }
            _ => {}
        }
    }

    fn say(&mut self, text: &str) {
        if let Some((_, last)) = self.list.as_mut().and_then(|list| list.items.last_mut()) {
            last.push_str(text);
        } else if let Some((_, inline)) = &mut self.inline {
            inline.push_str(text);
        }
    }

    /// Text that belongs to no question.
    fn stray(&mut self, at: usize) {
        if self.draft.is_none() && !self.strayed {
            self.strayed = true;
            self.problem(at, "this belongs to no question", "put it below a `## ` heading, or into <!-- a comment -->");
        }
    }

    fn finish_list(&mut self, list: List) {
        let Some(draft) = &mut self.draft else { return };
        let items: Vec<_> = list.items.into_iter().map(|(at, text)| (at, tidy(&text))).collect();
        if draft.answering {
            draft.answer.push(enumerated(items.into_iter().map(|(_, text)| text)));
        } else {
            draft.wordings.extend(items);
        }
    }

    fn finish_entry(&mut self) {
        let Some(Draft { at, wordings, answer, refused, .. }) = self.draft.take() else { return };
        let before = self.problems.len();
        let Some(language) = self.language.clone() else {
            if !self.problems.iter().any(|problem| problem.message.contains("language")) {
                self.problem(at, "this question has no language", "write `# en-US` (or another) before it");
            }
            return;
        };
        if wordings.len() > MAX_WORDINGS {
            let help = "the better half of them will do: near wordings are understood too";
            self.problem(at, format!("this question has more than {MAX_WORDINGS} wordings"), help);
        }
        for (at, wording) in &wordings {
            if !wording.chars().any(char::is_alphanumeric) {
                self.problem(*at, "there is no word in this question", "write what callers say");
            } else if wording.chars().count() > MAX_QUESTION {
                self.problem(
                    *at,
                    format!("a question of more than {MAX_QUESTION} characters"),
                    "nobody asks like that",
                );
            }
        }
        let answer = joined(&answer);
        if answer.is_empty() && !refused {
            self.problem(at, "this question has no answer", "write it below the heading and its list, as a paragraph");
        }
        if answer.chars().count() > MAX_ANSWER {
            let help = "say the most important, and how to hear more";
            self.problem(at, format!("the answer is longer than {MAX_ANSWER} characters, two minutes of speech"), help);
        }
        if answer.contains("{{") || answer.contains("{%") {
            self.problem(
                at,
                "an answer holds no values: `{{ }}` would be spoken as it stands",
                "ask for them by `http`",
            );
        }
        if self.entries.len() == MAX_ENTRIES {
            self.problem(at, format!("there are more than {MAX_ENTRIES} questions"), "split the file");
        }
        if self.problems.len() > before || refused {
            return;
        }
        let wordings = wordings.into_iter().map(|(at, text)| (text, self.line(at))).collect();
        let line = self.line(at);
        self.entries.push((language, Entry { wordings, answer, line }));
    }
}

fn is_comment(html: &str) -> bool {
    let html = html.trim();
    html.starts_with("<!--") && html.ends_with("-->")
}

/// One blank between words, none between characters that are written without.
pub(super) fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        let touches = tidy.chars().next_back().is_some_and(is_wide) && word.chars().next().is_some_and(is_wide);
        if !tidy.is_empty() && !touches {
            tidy.push(' ');
        }
        tidy.push_str(word);
    }
    tidy
}

/// Han characters and the punctuation that goes with them.
const fn is_wide(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{303f}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}')
}

/// The items of a list as one speaks them: sentences stay sentences, the rest is counted up.
fn enumerated(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.filter(|item| !item.is_empty()).collect();
    let is_sentence = |item: &String| item.ends_with(['.', '!', '?', '。', '！', '？']);
    if items.iter().all(is_sentence) {
        return joined(&items);
    }
    let is_han = items.iter().any(|item| item.chars().any(is_wide));
    let (comma, stop) = if is_han { ("、", "。") } else { (", ", ".") };
    let bare: Vec<&str> = items.iter().map(|item| item.trim_end_matches([',', ';', '.', '，', '；', '。'])).collect();
    format!("{}{stop}", bare.join(comma))
}

fn joined(parts: &[String]) -> String {
    tidy(&parts.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(body: &str) -> Entry {
        let entries = read(&format!("# en-US\n\n## Question?\n\n{body}\n")).unwrap();
        assert_eq!(entries.len(), 1);
        entries.into_iter().next().unwrap().1
    }

    fn faults(text: &str) -> Vec<String> {
        let problems = read(text).expect_err("something is wrong");
        problems.iter().map(|problem| format!("{}:{} {}", problem.line, problem.column, problem.message)).collect()
    }

    #[test]
    fn a_list_right_below_the_question_is_the_same_question_and_a_later_one_is_part_of_the_answer() {
        let entry = one("- when\n- *at what*\n  time\n\nFrom nine.\n\n- Monday\n- Tuesday;\n\nAnd so on.");
        let wordings: Vec<&str> = entry.wordings.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(wordings, ["Question?", "when", "at what time"]);
        assert_eq!(entry.wordings[1].1, 5);
        assert_eq!(entry.answer, "From nine. Monday, Tuesday. And so on.");
    }

    #[test]
    fn markup_is_not_spoken() {
        let entry =
            one("Under **Near me** in [our app](https://a.example/x), or\nask\\\n*us* <!-- really? --> &amp; wait.");
        assert_eq!(entry.answer, "Under Near me in our app, or ask us & wait.");
        assert_eq!(one("> Quoted.\n\n1. One.\n2. Two!").answer, "Quoted. One. Two!");
        let mandarin = read("# zh-CN\n## 几点？\n周一\n到周五。\n\n- 上午\n- 下午\n").unwrap();
        assert_eq!(mandarin[0].1.answer, "周一到周五。上午、下午。");
    }

    #[test]
    fn what_cannot_be_spoken_is_a_fault_with_its_place() {
        let text = "# en-US\n## A?\nPay `now`.\n\n## B?\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n## C?\n```\ncode\n```\n\n## D?\nSee ![map](m.png).\n\n## E?\n<b>bold</b>\n\n## F?\nAt <https://a.example>.\n\n## G?\n<div>\n\nx\n";
        let expect = [
            "3:5 code cannot be spoken",
            "7:1 a table cannot be spoken",
            "12:1 code cannot be spoken",
            "17:5 a picture cannot be spoken",
            "20:1 HTML cannot be spoken",
            "20:8 HTML cannot be spoken",
            "23:4 a bare address cannot be spoken",
            "26:1 HTML cannot be spoken",
        ];
        assert_eq!(faults(text), expect);
    }

    #[test]
    fn what_is_missing_is_told_where_it_is_missing() {
        assert_eq!(faults("# en-US\n## A?\n- b\n## C?\nyes\n"), ["2:1 this question has no answer"]);
        assert_eq!(faults("## A?\nyes\n## B?\nno\n"), ["1:1 this question has no language"]);
        assert_eq!(faults("# Our bank\n## A?\nyes\n"), ["1:1 `Our bank` is no language"]);
        assert_eq!(faults("Hello.\n\nYou.\n# en-US\n## A?\nyes\n"), ["1:1 this belongs to no question"]);
        assert_eq!(faults("# en-US\n## A?\nyes\n### More\nno\n").len(), 2, "and what follows belongs to no question");
        assert_eq!(faults("# en-US\n## ?!\nyes\n"), ["2:1 there is no word in this question"]);
        assert_eq!(faults(""), ["1:1 there is no question in it"]);
        assert_eq!(faults("# en-US\n## A?\n{{ name }}\n").len(), 1);
    }

    #[test]
    fn nothing_is_read_without_end() {
        let long = format!("# en-US\n## {}?\n{}\n", "a".repeat(301), "word ".repeat(400));
        assert_eq!(faults(&long).len(), 2);
        let many = format!("# en-US\n## A?\n{}\nyes\n", "- b\n".repeat(60));
        assert_eq!(faults(&many), ["2:1 this question has more than 50 wordings"]);
        let all = "# en-US\n".to_owned() + &(0..5_002).map(|n| format!("## q{n}\na\n")).collect::<String>();
        assert!(faults(&all)[0].ends_with("there are more than 5000 questions"));
        assert_eq!(faults(&"## a\n".repeat(300_000)), ["1:1 the file is larger than a megabyte"]);
        assert!(read(&format!("# en-US\n## A?\n{}yes", "> ".repeat(20_000))).is_ok());
        assert!(faults(&"# en-US\n## A?\n".repeat(1_000)).len() <= 100);
    }
}
