//! YAML 1.2 as a tree that remembers where everything was written.
//!
//! Scalars stay text: `no`, `off` and `04` mean what they look like, and whoever reads a field decides what it must
//! be. That keeps positions and spelling for every message, and lets one run report every fault, which a typed
//! deserialiser that stops at the first cannot. Duplicate keys are errors, tags and merge keys are refused, and
//! depth and size are bounded, aliases included (a few lines of nested aliases could otherwise grow to gigabytes).

use std::collections::BTreeMap;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError};

use super::diagnostic::{Findings, Span, Spanned};

/// Deepest nesting. The language itself needs eight levels.
const MAX_DEPTH: usize = 32;
/// Most nodes in one file, aliases counted each time they are used. A thousand rich menus have some 110,000.
const MAX_NODES: usize = 400_000;
/// So many bytes of a text behind an alias count as a value more.
const TEXT_A_NODE: usize = 64;

/// A piece of YAML and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub at: Span,
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Text; `plain` when it carries no quotes and is no block.
    Scalar { text: String, plain: bool },
    /// `- a` or `[a]`.
    List(Vec<Node>),
    /// `a: b`, in file order, no key twice.
    Map(Vec<(Spanned<String>, Node)>),
}

impl Node {
    /// Nothing was written: `hangup:`, `~` or `null`.
    pub fn is_nothing(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if ["", "~", "null"].contains(&text.as_str()))
    }

    /// For messages: "a list" where a text was wanted.
    pub fn sort(&self) -> &'static str {
        match self.value {
            Value::Scalar { .. } if self.is_nothing() => "nothing",
            Value::Scalar { .. } => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// In values. A long text counts as many: an alias of a megabyte is five letters long.
    fn size(&self) -> usize {
        let long = |text: &str| text.len() / TEXT_A_NODE;
        1 + match &self.value {
            Value::Scalar { text, .. } => long(text),
            Value::List(items) => items.iter().map(Node::size).sum(),
            Value::Map(entries) => entries.iter().map(|(key, value)| 1 + long(&key.value) + value.size()).sum(),
        }
    }
}

/// The tree of `text`; `None` when there is none, with the reason among the findings. Bounded in depth and size.
pub(crate) fn parse(text: &str, findings: &mut Findings) -> Option<Node> {
    let mut composer = Composer::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(next) => next,
            Err(error) => {
                report_syntax(text, &error, findings);
                return None;
            }
        };
        let at = Span { file: findings.file(), ..place(&span) };
        if let Err(Refused) = composer.handle(event, at, findings) {
            return None;
        }
    }
    let root = composer.root.filter(|root| !root.is_nothing());
    if root.is_none() {
        findings
            .file_error("is empty: there is no plan in it")
            .help("begin with `dialplan: 1`, see dialplans/README.md for the smallest plan");
    }
    root
}

/// Reading cannot go on; the reason has been reported.
struct Refused;

/// A collection whose end has not come yet.
enum Open {
    List { at: Span, anchor: usize, items: Vec<Node> },
    Map { at: Span, anchor: usize, entries: Vec<(Spanned<String>, Node)>, key: Option<Spanned<String>>, lines: Lines },
}

/// Line of each key of a map that is still open.
type Lines = BTreeMap<String, usize>;

#[derive(Default)]
struct Composer {
    open: Vec<Open>,
    root: Option<Node>,
    /// Finished nodes by anchor, with their size.
    anchors: BTreeMap<usize, (Node, usize)>,
    nodes: usize,
}

impl Composer {
    fn handle(&mut self, event: Event<'_>, at: Span, findings: &mut Findings) -> Result<(), Refused> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.is_some(), at, findings);
                let value = Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                self.finish(Node { at, value }, anchor, findings)
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_tag(tag.is_some(), at, findings);
                self.begin(Open::List { at, anchor, items: Vec::new() }, at, findings)
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_tag(tag.is_some(), at, findings);
                let map = Open::Map { at, anchor, entries: Vec::new(), key: None, lines: Lines::new() };
                self.begin(map, at, findings)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { at, anchor, items }) => {
                    self.finish(Node { at, value: Value::List(items) }, anchor, findings)
                }
                Some(Open::Map { at, anchor, entries, .. }) => {
                    self.finish(Node { at, value: Value::Map(entries) }, anchor, findings)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => self.alias(anchor, at, findings),
            Event::DocumentStart(..) if self.root.is_some() => {
                findings.error(at, "a second document begins here").help("keep one plan per file");
                Err(Refused)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, open: Open, at: Span, findings: &mut Findings) -> Result<(), Refused> {
        if self.open.len() >= MAX_DEPTH {
            findings.error(at, too_deep());
            return Err(Refused);
        }
        self.open.push(open);
        Ok(())
    }

    fn alias(&mut self, anchor: usize, at: Span, findings: &mut Findings) -> Result<(), Refused> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            findings.error(at, "this alias stands inside what it names, so it would never end");
            return Err(Refused);
        };
        // Counted before it is copied.
        self.nodes += size;
        self.check_size(at, findings)?;
        let node = node.clone();
        self.place(node, findings);
        Ok(())
    }

    fn finish(&mut self, node: Node, anchor: usize, findings: &mut Findings) -> Result<(), Refused> {
        self.nodes += 1;
        self.check_size(node.at, findings)?;
        if anchor != 0 {
            let size = node.size();
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.place(node, findings);
        Ok(())
    }

    /// Puts a finished node where it belongs: a key, the value of the key before it, an item, or the root.
    fn place(&mut self, node: Node, findings: &mut Findings) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, lines, .. }) => match key.take() {
                None => *key = Some(key_of(node, findings)),
                Some(key) => match lines.get(&key.value) {
                    Some(line) => {
                        findings
                            .error(key.at, format!("`{}` is already written at line {line}", key.value))
                            .help("rename one of them, or remove it");
                    }
                    None => {
                        lines.insert(key.value.clone(), key.at.line);
                        entries.push((key, node));
                    }
                },
            },
        }
    }

    fn check_size(&self, at: Span, findings: &mut Findings) -> Result<(), Refused> {
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        findings.error(at, format!("more than {MAX_NODES} values, aliases counted each time they are used"));
        Err(Refused)
    }
}

fn key_of(node: Node, findings: &mut Findings) -> Spanned<String> {
    let value = match node.value {
        Value::Scalar { text, .. } => text,
        _ => {
            findings.error(node.at, format!("a key must be a word, not {}", node.sort()));
            String::new()
        }
    };
    if value == "<<" {
        findings
            .error(node.at, "merge keys left YAML with version 1.2")
            .help("write what they share under `defaults:`, or repeat it");
    }
    Spanned { at: node.at, value }
}

fn too_deep() -> String {
    format!("nested deeper than {MAX_DEPTH} levels")
}

fn refuse_tag(tagged: bool, at: Span, findings: &mut Findings) {
    if tagged {
        findings.error(at, "plans have no YAML tags").help("remove the `!…` word");
    }
}

fn report_syntax(text: &str, error: &ScanError, findings: &mut Findings) {
    let marker = error.marker();
    let line = marker.line().max(1);
    // A tab in the indentation surfaces as some other complaint on its own line or a later one.
    let tab = text.lines().take(line).enumerate().find_map(|(place, content)| {
        let indent = content.len() - content.trim_start().len();
        content[..indent].find('\t').map(|column| (place + 1, column))
    });
    if let Some((line, column)) = tab {
        let at =
            Span { file: findings.file(), offset: offset_of(text, line, column), len: 1, line, column: column + 1 };
        findings.error(at, "this line is indented with a tab").help("YAML is indented with spaces: two for each level");
        return;
    }
    let offset = marker.byte_offset().unwrap_or_else(|| offset_of(text, line, marker.col())).min(text.len());
    let at =
        Span { file: findings.file(), offset, len: usize::from(offset < text.len()), line, column: marker.col() + 1 };
    // The scanner reads ahead of the composer, and has bounds of its own.
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        findings.error(at, too_deep());
        return;
    }
    let help = "look at this line and the one above: a quote or bracket left open, a missing space after `:`, \
                or text that needs quotes because it holds `: ` or ` #`";
    findings.error(at, format!("not readable as YAML: {}", error.info())).help(help);
}

/// Bytes before `column` (from 0, in bytes) of `line` (from 1).
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>() + column
}

fn place(span: &granit_parser::Span) -> Span {
    let (start, end) = (&span.start, &span.end);
    let offset = start.byte_offset().unwrap_or(0);
    // A collection spans to its last line; for a message its first character is enough.
    let len = match end.line() == start.line() {
        true => end.byte_offset().unwrap_or(offset).saturating_sub(offset),
        false => 1,
    };
    Span { file: 0, offset, len, line: start.line(), column: start.col() + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> String {
        let mut findings = Findings::default();
        let tree = parse(text, &mut findings);
        assert!(tree.is_none() || findings.has_errors(), "{tree:?}");
        super::super::diagnostic::Diagnostics::new("x.yaml", text, findings).to_string()
    }

    fn tree(text: &str) -> Node {
        let mut findings = Findings::default();
        let tree = parse(text, &mut findings).expect("readable");
        assert!(!findings.has_errors());
        tree
    }

    #[test]
    fn words_stay_words_and_know_their_place() {
        let Value::Map(entries) = tree("# c\nno: off\n'yes': 04\n").value else { panic!("a map") };
        let shown: Vec<_> = entries
            .iter()
            .map(|(key, node)| {
                let Value::Scalar { text, .. } = &node.value else { panic!("a scalar") };
                (key.value.as_str(), key.at.line, key.at.column, text.as_str(), node.at.column, node.at.len)
            })
            .collect();
        assert_eq!(shown, [("no", 2, 1, "off", 5, 3), ("yes", 3, 1, "04", 8, 2)]);
    }

    #[test]
    fn every_duplicate_key_is_reported_at_its_place() {
        let text = "a: 1\nb:\n  c: 1\n  c: 2\na: 3\n";
        let expected = "x.yaml:4:3  `c` is already written at line 3\n  help: rename one of them, or remove it\n\
                        x.yaml:5:1  `a` is already written at line 1\n  help: rename one of them, or remove it\n";
        assert_eq!(faults(text), expected);
    }

    #[test]
    fn a_tab_is_named_where_it_stands() {
        let said = faults("steps:\n  a:\n\t  say: x\n");
        assert!(said.starts_with("x.yaml:3:1  this line is indented with a tab\n"), "{said}");
    }

    #[test]
    fn aliases_are_bounded() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let before = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", "));
        }
        assert!(faults(&bomb).contains("more than 400000 values"));
        assert!(faults("a: &a [*a]\n").contains("would never end"));
        // One long text, named over and over: 200 GB.
        let bomb = format!("a: &a {}\nb: [{}]\n", "x".repeat(1_000_000), vec!["*a"; 200_000].join(", "));
        assert!(faults(&bomb).starts_with("x.yaml:2:"), "{}", faults(&bomb));
        tree("a: &a {b: c}\nd: *a\n");
    }

    #[test]
    fn depth_is_bounded_without_deep_recursion() {
        assert!(faults(&"[".repeat(100_000)).contains("nested deeper than 32 levels"));
        let indented: String = (0..200).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
        assert!(faults(&indented).contains("nested deeper than 32 levels"));
    }

    #[test]
    fn tags_merge_keys_and_second_documents_are_refused() {
        assert!(faults("a: !!str b\n").contains("no YAML tags"));
        assert!(faults("a: &a {b: c}\nd:\n  <<: *a\n").contains("merge keys"));
        assert!(faults("a: b\n---\nc: d\n").contains("a second document"));
        assert!(faults("? [a]\n: b\n").contains("a key must be a word, not a list"));
    }

    #[test]
    fn random_text_never_panics() {
        use rand::{Rng, SeedableRng};
        let mut random = rand::rngs::StdRng::seed_from_u64(7);
        let alphabet: Vec<char> = "ab:-[]{}\"'&*!|>#,? \n\t\\é你%@`~<0".chars().collect();
        for _ in 0..5_000 {
            let length = random.random_range(0..60);
            let text: String = (0..length).map(|_| alphabet[random.random_range(0..alphabet.len())]).collect();
            let mut findings = Findings::default();
            let tree = parse(&text, &mut findings);
            assert!(tree.is_some() || findings.has_errors(), "{text:?}");
            super::super::diagnostic::Diagnostics::new("x.yaml", &text, findings).drawn();
        }
    }
}
