//! Reads the ABNF form of SRGS 1.0 (its Appendix D).
//!
//! ```text
//! #ABNF 1.0 UTF-8;
//! language en-US; mode voice; root $pay; tag-format <semantics/1.0>;
//! public $pay = [please] (pay | settle) [my] $what <1-3 /0.2/> {out.what = rules.what;};
//! ```
//!
//! A fault in one rule does not keep the next from being read, so one run shows them all.

use crate::language::Language;

use super::ast::{
    Alternative, Document, Expansion, MAX_DEPTH, Mode, Rule, Target, decimal, is_rule_name, repeat_counts,
};
use super::diagnostic::{Lines, Place, Problem, Problems, did_you_mean};

/// What may stand at the head of a file.
const HEADERS: &[&str] = &["language", "mode", "root", "tag-format", "base", "lexicon", "meta", "http-equiv"];

/// Most languages and repetitions behind one part: one of each is what people write.
const MAX_BEHIND: usize = 4;

/// A fault has been told; whoever reads goes on behind the next `;`.
struct Told;

type Read<T> = Result<T, Told>;

/// Repetitions: at least, and at most.
type Counts = (u32, Option<u32>);

/// Reads `text`, file number `file` of `problems`, which hears of every fault.
pub fn parse(text: &str, file: usize, problems: &mut Problems) -> Document {
    let mut reader =
        Reader { text, at: 0, lines: Lines::new(text, file), problems, depth: 0, document: Document::default() };
    if reader.self_identifies().is_ok() {
        while reader.statement() {}
    }
    reader.document
}

struct Reader<'a> {
    text: &'a str,
    /// Bytes read so far.
    at: usize,
    lines: Lines<'a>,
    problems: &'a mut Problems,
    depth: usize,
    document: Document,
}

impl<'a> Reader<'a> {
    fn self_identifies(&mut self) -> Read<()> {
        let missing = |reader: &mut Self| {
            let help = "begin with `#ABNF 1.0 UTF-8;`, or with `<` for the XML form";
            reader.fault(0, "this is no ABNF grammar: its first line is missing").help(help);
            Told
        };
        self.take("#ABNF").ok_or(()).map_err(|()| missing(self))?;
        let Some(end) = self.rest().find(';') else { return Err(missing(self)) };
        let head = &self.rest()[..end];
        let mut words = head.split_whitespace();
        if words.next().map(|version| version.trim_start_matches(['v', 'V'])) != Some("1.0") {
            self.fault(0, "this version of ABNF is not known").help("write `#ABNF 1.0 UTF-8;`");
        }
        if let Some(charset) = words.next().filter(|charset| !is_utf8(charset)) {
            self.fault(0, format!("`{charset}` is not read: grammars are UTF-8")).help("save the file as UTF-8");
        }
        self.at += end + 1;
        Ok(())
    }

    /// Reads one header, tag or rule; false at the end of the text.
    fn statement(&mut self) -> bool {
        self.skip_space();
        let start = self.at;
        let read = match self.peek() {
            None => return false,
            Some('{') => self.global(),
            Some('$') => self.rule(start, false),
            Some(_) => match self.word() {
                "public" => self.rule(start, true),
                "private" => self.rule(start, false),
                name => self.header(start, name),
            },
        };
        if read.is_err() {
            let left = self.rest();
            self.at += left.find(';').map_or(left.len(), |end| end + 1);
        }
        true
    }

    fn global(&mut self) -> Read<()> {
        let place = self.place(self.at);
        let text = self.tag()?;
        self.expect(';', "a tag of the file")?;
        self.document.globals.push((text, place));
        Ok(())
    }

    fn header(&mut self, start: usize, name: &str) -> Read<()> {
        self.skip_space();
        let at = self.at;
        let place = self.place(at);
        match name {
            "language" => {
                let tag = self.until_end();
                match Language::parse(tag) {
                    Ok(language) => self.document.language = Some(language),
                    Err(error) => _ = self.fault(at, error.to_string()),
                }
            }
            "mode" => match self.until_end() {
                "voice" => self.document.mode = Mode::Voice,
                "dtmf" => self.document.mode = Mode::Dtmf,
                other => self.fault(at, format!("`{other}` is no mode")).help("write `voice` or `dtmf`"),
            },
            "root" => {
                if self.take("$").is_none() {
                    self.fault(at, "a root is a rule of this file").help("write it as `root $name;`");
                    return Err(Told);
                }
                let name = self.rule_name()?;
                self.document.root = Some((name, place));
            }
            "tag-format" => self.document.tag_format = Some((self.uri()?.to_owned(), place)),
            "base" => self.document.base = Some((self.uri()?.to_owned(), place)),
            "lexicon" => {
                self.uri()?;
                self.media_type()?;
                self.problems.note(place, "a lexicon changes nothing here: words are matched as they are written");
            }
            "meta" | "http-equiv" => {
                self.quoted()?;
                self.skip_space();
                if self.take("is").is_none() {
                    self.fault(self.at, "`is` is missing between the name and its content");
                    return Err(Told);
                }
                self.skip_space();
                self.quoted()?;
                self.problems.note(place, "what is said about the grammar changes nothing here");
            }
            other => {
                let message = match other {
                    "" => "neither a rule nor a header begins here".to_owned(),
                    other => format!("`{other}` is no header of a grammar"),
                };
                let help = did_you_mean(other, HEADERS.iter().copied().chain(["public", "private"]));
                let help = help.unwrap_or_else(|| "rules look like `$name = words;`".to_owned());
                self.fault(start, message).help(help);
                return Err(Told);
            }
        }
        self.expect(';', "a header")
    }

    fn rule(&mut self, start: usize, public: bool) -> Read<()> {
        self.skip_space();
        let place = self.place(start);
        if self.take("$").is_none() {
            self.fault(self.at, "the name of a rule is missing").help("write it as `$name = words;`");
            return Err(Told);
        }
        let name = self.rule_name()?;
        self.expect('=', "the name of a rule")?;
        let body = self.alternatives()?;
        self.expect(';', "a rule")?;
        self.document.rules.push(Rule { name, public, body, at: place });
        Ok(())
    }

    fn alternatives(&mut self) -> Read<Expansion> {
        if self.depth >= MAX_DEPTH {
            self.fault(self.at, format!("brackets are nested deeper than {MAX_DEPTH}")).help("name a part as a rule");
            return Err(Told);
        }
        self.depth += 1;
        let mut several = Vec::new();
        let read = loop {
            match self.alternative() {
                Ok(one) => several.push(one),
                Err(Told) => break Err(Told),
            }
            if self.take("|").is_none() {
                break Ok(());
            }
        };
        self.depth -= 1;
        read?;
        match several.as_mut_slice() {
            [Alternative { weight: None, .. }] => Ok(several.remove(0).body),
            _ => Ok(Expansion::OneOf(several)),
        }
    }

    fn alternative(&mut self) -> Read<Alternative> {
        self.skip_space();
        let weight = if self.take("/").is_some() { Some(self.ratio("weight")?) } else { None };
        let mut parts = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                None | Some(';' | ')' | ']' | '|') => break,
                Some(_) => parts.push(self.part()?),
            }
        }
        if parts.is_empty() {
            self.fault(self.at, "nothing stands here").help("write `$NULL` where nothing need be said");
            return Err(Told);
        }
        Ok(Alternative { weight, body: Expansion::sequence(parts) })
    }

    /// One word, reference, tag or bracket, with its language and repetition.
    fn part(&mut self) -> Read<Expansion> {
        let start = self.at;
        let at = self.place(start);
        let mut part = match self.peek() {
            Some('(') => {
                self.at += 1;
                self.skip_space();
                let inner =
                    if self.peek() == Some(')') { Expansion::Sequence(Vec::new()) } else { self.alternatives()? };
                self.close(')', start)?;
                inner
            }
            Some('[') => {
                self.at += 1;
                let body = Box::new(self.alternatives()?);
                self.close(']', start)?;
                Expansion::Repeat { body, min: 0, max: Some(1), probability: None, at }
            }
            Some('{') => return Ok(Expansion::Tag { text: self.tag()?, at }),
            Some('$') => Expansion::Reference { target: self.reference()?, at },
            Some('"') => Expansion::Token { text: self.quoted()?.to_owned(), at },
            _ => Expansion::Token { text: self.token()?.to_owned(), at },
        };
        for _ in 0..MAX_BEHIND {
            self.skip_space();
            let at = self.place(self.at);
            if self.take("!").is_some() {
                let start = self.at;
                let end = self.rest().find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
                self.at += end.unwrap_or(self.rest().len());
                match Language::parse(&self.text[start..self.at]) {
                    Ok(language) => part = Expansion::Spoken { language, body: Box::new(part) },
                    Err(error) => _ = self.fault(start, error.to_string()),
                }
            } else if self.take("<").is_some() {
                let ((min, max), probability) = self.repetition()?;
                part = Expansion::Repeat { body: Box::new(part), min, max, probability, at };
            } else {
                return Ok(part);
            }
        }
        self.fault(self.at, "one part cannot be repeated again and again").help("put it in brackets in between");
        Err(Told)
    }

    fn repetition(&mut self) -> Read<(Counts, Option<f32>)> {
        let start = self.at;
        let Some(end) = self.rest().find(['/', '>', ';']) else { return self.unclosed(start, '>') };
        let counts = &self.rest()[..end];
        self.at += end;
        let counts = repeat_counts(counts).map_err(|why| {
            self.fault(start, why);
            Told
        })?;
        let mut probability = None;
        if self.take("/").is_some() {
            let at = self.at;
            let read = self.ratio("probability")?;
            if read > 1.0 {
                self.fault(at, format!("{read} is no probability: they end at 1"));
            }
            probability = Some(read);
        }
        self.skip_space();
        if self.take(">").is_none() {
            return self.unclosed(start, '>');
        }
        Ok((counts, probability))
    }

    /// A number and the `/` behind it.
    fn ratio(&mut self, what: &str) -> Read<f32> {
        let start = self.at;
        let Some(end) = self.rest().find(['/', ';']) else { return self.unclosed(start, '/') };
        let number = decimal(&self.rest()[..end]);
        self.at += end;
        match (number, self.take("/")) {
            (Some(number), Some(())) => Ok(number),
            _ => {
                self.fault(start, format!("this is no {what}")).help("write it as /2/ or /0.5/");
                Err(Told)
            }
        }
    }

    fn reference(&mut self) -> Read<Target> {
        self.at += 1;
        let target = if self.peek() == Some('<') {
            let start = self.at;
            let uri = self.uri()?;
            match uri.strip_prefix('#') {
                Some(name) if is_rule_name(name) => Target::Rule(name.to_owned()),
                None if !uri.is_empty() => Target::Uri(uri.to_owned()),
                _ => {
                    self.fault(start, format!("`{uri}` names no rule"));
                    return Err(Told);
                }
            }
        } else {
            match self.rule_name()?.as_str() {
                "NULL" => Target::Null,
                "VOID" => Target::Void,
                "GARBAGE" => Target::Garbage,
                name => Target::Rule(name.to_owned()),
            }
        };
        self.media_type()?;
        Ok(target)
    }

    /// `~<application/srgs>`: read, and no more, since the first letter of a file tells its form.
    fn media_type(&mut self) -> Read<()> {
        if self.take("~").is_some() {
            self.uri()?;
        }
        Ok(())
    }

    fn uri(&mut self) -> Read<&'a str> {
        let start = self.at;
        if self.take("<").is_none() {
            self.fault(start, "a URI in angle brackets is missing").help("write it as `<uri>`");
            return Err(Told);
        }
        self.up_to(start, '>')
    }

    fn quoted(&mut self) -> Read<&'a str> {
        let start = self.at;
        if self.take("\"").is_none() {
            self.fault(start, "words in quotes are missing");
            return Err(Told);
        }
        self.up_to(start, '"')
    }

    fn tag(&mut self) -> Read<String> {
        let start = self.at;
        if self.take("{!{").is_some() {
            let Some(end) = self.rest().find("}!}") else { return self.endless(start, '}') };
            let text = &self.rest()[..end];
            self.at += end + 3;
            return Ok(text.trim().to_owned());
        }
        // The first `}` ends a tag; braces that pair up inside it, as in `{out = {a: 1}}`, are let stand.
        let mut open = 0_usize;
        for (index, letter) in self.rest().char_indices() {
            match letter {
                '{' => open += 1,
                '}' if open == 1 => {
                    let text = self.rest()[1..index].trim().to_owned();
                    self.at += index + 1;
                    return Ok(text);
                }
                '}' => open -= 1,
                _ => {}
            }
        }
        self.endless(start, '}')
    }

    fn token(&mut self) -> Read<&'a str> {
        let keys = self.document.mode == Mode::Dtmf;
        let ends = |c: char| c.is_whitespace() || ";=|<>()[]{}!$\"/".contains(c) || (!keys && "*+".contains(c));
        let start = self.at;
        let end = self.rest().find(ends).unwrap_or(self.rest().len());
        if end == 0 {
            let letter = self.peek().unwrap_or_default();
            let help = match letter {
                '*' | '+' => "repeat with <0-> or <1->".to_owned(),
                '<' => "a repetition stands behind what is repeated".to_owned(),
                '/' => "a weight stands before a whole alternative".to_owned(),
                _ => format!("put it in quotes if it is said: \"{letter}\""),
            };
            self.fault(start, format!("`{letter}` cannot stand here")).help(help);
            return Err(Told);
        }
        self.at += end;
        Ok(&self.text[start..self.at])
    }

    fn rule_name(&mut self) -> Read<String> {
        let start = self.at;
        let end = self.rest().find(|c: char| !c.is_alphanumeric() && !"_-.:".contains(c));
        self.at += end.unwrap_or(self.rest().len());
        let name = &self.text[start..self.at];
        if is_rule_name(name) {
            return Ok(name.to_owned());
        }
        self.fault(start, format!("`{name}` is no name of a rule")).help("use letters, digits and `_`, no digit first");
        Err(Told)
    }

    fn until_end(&mut self) -> &'a str {
        let start = self.at;
        let end = self.rest().find(|c: char| c.is_whitespace() || c == ';');
        self.at += end.unwrap_or(self.rest().len());
        &self.text[start..self.at]
    }

    fn up_to(&mut self, start: usize, end: char) -> Read<&'a str> {
        let Some(length) = self.rest().find(end) else { return self.endless(start, end) };
        let text = &self.rest()[..length];
        self.at += length + end.len_utf8();
        Ok(text.trim())
    }

    /// Reads the bracket that closes the one at `start`.
    fn close(&mut self, bracket: char, start: usize) -> Read<()> {
        self.skip_space();
        if self.peek() == Some(bracket) {
            self.at += 1;
            return Ok(());
        }
        self.unclosed(start, bracket)
    }

    /// As [`Self::unclosed`], for what swallows all that follows: nothing more can be read.
    fn endless<T>(&mut self, start: usize, bracket: char) -> Read<T> {
        self.at = self.text.len();
        self.unclosed(start, bracket)
    }

    fn unclosed<T>(&mut self, start: usize, bracket: char) -> Read<T> {
        self.fault(start, format!("what begins here is not closed with `{bracket}`"));
        Err(Told)
    }

    fn expect(&mut self, letter: char, behind: &str) -> Read<()> {
        self.skip_space();
        if self.peek() == Some(letter) {
            self.at += 1;
            return Ok(());
        }
        let found = self.peek().map_or("the file ends".to_owned(), |found| format!("`{found}` stands there"));
        self.fault(self.at, format!("`{letter}` is missing behind {behind}: {found}"));
        Err(Told)
    }

    /// Skips blanks and comments, `// …` and `/* … */`.
    fn skip_space(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{feff}']).len();
            self.at += blank;
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                match rest.find("*/") {
                    Some(end) => self.at += end + 2,
                    None => {
                        self.fault(self.at, "this comment has no end").help("close it with `*/`");
                        self.at = self.text.len();
                    }
                }
            } else if blank == 0 {
                return;
            }
        }
    }

    fn word(&mut self) -> &'a str {
        let start = self.at;
        let end = self.rest().find(|c: char| !c.is_ascii_alphabetic() && c != '-');
        self.at += end.unwrap_or(self.rest().len());
        &self.text[start..self.at]
    }

    fn take(&mut self, text: &str) -> Option<()> {
        self.rest().starts_with(text).then(|| self.at += text.len())
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn place(&self, offset: usize) -> Place {
        self.lines.place(offset)
    }

    fn fault(&mut self, offset: usize, message: impl Into<String>) -> &mut Problem {
        let place = self.place(offset);
        self.problems.error(place, message)
    }
}

fn is_utf8(charset: &str) -> bool {
    ["utf-8", "utf8", "us-ascii", "ascii"].contains(&charset.to_ascii_lowercase().as_str())
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
    fn one_run_shows_every_fault_with_its_place() {
        let text =
            "#ABNF 1.0;\nlangauge en;\n$a = x | ;\n$b = (x;\n$c = x <3-1>;\n$d = y*;\n$e-f = z;\n$g = fine;\nmode x;\n";
        let starts = [
            "g:2:1  `langauge` is no header",
            "g:3:10  nothing stands here",
            "g:4:6  what begins here is not closed with `)`",
            "g:5:9  it cannot be repeated at least 3 and at most 1",
            "g:6:7  `*` cannot stand here\n  help: repeat with <0->",
            "g:7:2  `e-f` is no name",
            "g:9:6  `x` is no mode",
        ];
        let faults = faults(text);
        assert_eq!(faults.len(), starts.len(), "{faults:#?}");
        for (fault, start) in faults.iter().zip(starts) {
            assert!(fault.starts_with(start), "{fault}");
        }
    }

    #[test]
    fn comments_and_tags_with_braces_are_read() {
        let mut problems = Problems::default();
        let text = "#ABNF 1.0 UTF-8; // head\n/** doc\n * @example x\n */\npublic $a = x {out = {b: 1};} // }\n y {!{ if (1) {} }!};";
        let document = parse(text, 0, &mut problems);
        assert_eq!(problems.sorted(), []);
        let Expansion::Sequence(parts) = &document.rules[0].body else { panic!("{document:?}") };
        let tags: Vec<&str> = parts
            .iter()
            .filter_map(|part| if let Expansion::Tag { text, .. } = part { Some(&**text) } else { None })
            .collect();
        assert_eq!(tags, ["out = {b: 1};", "if (1) {}"]);
    }

    #[test]
    fn a_file_of_nothing_but_faults_is_read_in_one_go() {
        for piece in ["{;", "\"", "$<;", "$a=x<1><1>", "$a = $b", "(", "$a=(x", "/*", "x!"] {
            let text = format!("#ABNF 1.0;\n{}", piece.repeat(200_000 / piece.len()));
            assert!(!faults(&text).is_empty(), "{piece}");
        }
        assert!(faults(&format!("#ABNF 1.0;\n$a = x{};", "<1>".repeat(100_000)))[0].contains("again and again"));
    }

    #[test]
    fn a_tower_of_brackets_is_refused() {
        let text = format!("#ABNF 1.0;\n$a = {}x{};", "(".repeat(5000), ")".repeat(5000));
        assert!(faults(&text)[0].contains("nested deeper"));
    }
}
