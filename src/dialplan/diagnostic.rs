//! What is wrong with a file, told so that its author can put it right.
//!
//! Reading goes on after a fault, so that one run shows them all. A [`Finding`] is a sentence about a place in the
//! text; [`Diagnostics`] binds the findings of one file to that text and prints them, either drawn around the
//! source line or as one plain line each:
//!
//! ```text
//! dialplans/pharmacy.yaml:31:9  step `confirm` has no way out when the caller says nothing
//!   help: add `no_input: $repeat`, or inherit it from `defaults.question`
//! ```

use std::fmt;

use miette::{GraphicalReportHandler, LabeledSpan, NamedSource, SourceCode, SourceSpan};

/// Most findings drawn for one file: nobody reads more, and each costs a walk through the text.
const MAX_DRAWN: usize = 100;

/// A place in a text: where something begins and how far it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Which of the files that were read together; 0 is the first.
    pub file: usize,
    /// Bytes from the start of the text.
    pub offset: usize,
    /// Bytes.
    pub len: usize,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// Where.
    pub at: Span,
    /// What.
    pub value: T,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The plan cannot be used.
    Error,
    /// It can, but somebody will regret it.
    Warning,
    /// Worth knowing.
    Note,
}

/// One sentence about one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// Which of the files that were read together.
    pub file: usize,
    /// Where; `None` when it is about the file as a whole.
    pub at: Option<Span>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Finding {
    /// Says what to do about it.
    pub fn help(&mut self, text: impl Into<String>) {
        self.help = Some(text.into());
    }
}

/// Collects findings while a file is read, compiled and judged.
#[derive(Debug, Default)]
pub struct Findings {
    list: Vec<Finding>,
    /// Regrets: worth saying only about a plan that can be used.
    later: Vec<Finding>,
    /// The file being read.
    file: usize,
}

impl Findings {
    /// The plan cannot be used because of what stands `at`.
    pub fn error(&mut self, at: Span, message: impl Into<String>) -> &mut Finding {
        self.push(Severity::Error, Some(at), message.into())
    }

    /// Somebody will regret what stands `at`.
    pub fn warn(&mut self, at: Span, message: impl Into<String>) -> &mut Finding {
        self.push(Severity::Warning, Some(at), message.into())
    }

    /// Something to know about what stands `at`.
    pub fn note(&mut self, at: Span, message: impl Into<String>) -> &mut Finding {
        self.push(Severity::Note, Some(at), message.into())
    }

    /// The file as a whole cannot be used.
    pub fn file_error(&mut self, message: impl Into<String>) -> &mut Finding {
        self.push(Severity::Error, None, message.into())
    }

    /// A warning that is worth saying only when there is no error.
    pub fn regret(&mut self, at: Span, message: impl Into<String>) -> &mut Finding {
        self.later.push(Finding {
            severity: Severity::Warning,
            file: at.file,
            at: Some(at),
            message: message.into(),
            help: None,
        });
        self.later.last_mut().expect("a finding was pushed just now")
    }

    /// A note that is worth saying only when there is no error.
    pub fn remark(&mut self, at: Span, message: impl Into<String>) -> &mut Finding {
        let finding = self.regret(at, message);
        finding.severity = Severity::Note;
        finding
    }

    /// Everything has been looked at: without an error the regrets stand.
    pub fn settle(&mut self) {
        let later = std::mem::take(&mut self.later);
        if !self.has_errors() {
            self.list.extend(later);
        }
    }

    /// From now on this file is being read.
    pub const fn reading(&mut self, file: usize) {
        self.file = file;
    }

    /// The file being read.
    pub const fn file(&self) -> usize {
        self.file
    }

    /// How many there are so far.
    pub const fn len(&self) -> usize {
        self.list.len()
    }

    /// Is there none yet?
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Is there an error among them?
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|finding| finding.severity == Severity::Error)
    }

    fn push(&mut self, severity: Severity, at: Option<Span>, message: String) -> &mut Finding {
        let file = at.map_or(self.file, |at| at.file);
        self.list.push(Finding { severity, file, at, message, help: None });
        self.list.last_mut().expect("a finding was pushed just now")
    }
}

/// Everything found in one file, and those read with it, in the order of their lines.
pub struct Diagnostics {
    /// Never empty; findings index it.
    sources: Vec<NamedSource<String>>,
    findings: Vec<Finding>,
}

impl Diagnostics {
    /// Binds findings to the file they are about; `name` is how the reader knows the file.
    pub fn new(name: &str, text: &str, findings: Findings) -> Self {
        Self::of(vec![(name.to_owned(), text.to_owned())], findings)
    }

    /// The same for several files, by name and text, in the order in which findings count them; at least one.
    pub fn of(sources: Vec<(String, String)>, findings: Findings) -> Self {
        let mut findings = findings.list;
        findings.sort_by_key(|finding| (finding.file, finding.at, finding.severity));
        // An alias is read once for each place it is used; its faults are the same every time.
        findings.dedup();
        let sources = sources.into_iter().map(|(name, text)| NamedSource::new(name, text)).collect();
        Self { sources, findings }
    }

    /// The file, the first of them.
    pub fn name(&self) -> &str {
        self.sources.first().map_or("", NamedSource::name)
    }

    /// Every file that was read, the first of them first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(NamedSource::name)
    }

    /// The file a finding is about.
    pub fn name_of(&self, finding: &Finding) -> &str {
        self.sources.get(finding.file).map_or(self.name(), NamedSource::name)
    }

    /// What was found, in the order of the lines.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Drawn around the source lines, in colour where the terminal likes it.
    pub fn drawn(&self) -> String {
        let handler = GraphicalReportHandler::new();
        let mut text = String::new();
        for finding in self.findings.iter().take(MAX_DRAWN) {
            let drawn = self.sources.get(finding.file).is_some_and(|source| {
                let shown = Shown { finding, source };
                handler.render_report(&mut text, &shown).is_ok()
            });
            if !drawn {
                text.push_str(&plain(self.name_of(finding), finding));
            }
            text.push('\n');
        }
        if self.findings.len() > MAX_DRAWN {
            let more = self.findings.len() - MAX_DRAWN;
            text.push_str(&format!("{}  {more} more findings: `--plain` prints them all\n", self.name()));
        }
        text
    }
}

/// One line per finding and one per help, without the source: for terminals, editors and `grep`.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings.iter().try_for_each(|finding| f.write_str(&plain(self.name_of(finding), finding)))
    }
}

impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for Diagnostics {}

fn plain(file: &str, finding: &Finding) -> String {
    let place = finding.at.map(|at| format!(":{}:{}", at.line, at.column)).unwrap_or_default();
    let severity = match finding.severity {
        Severity::Error => "",
        Severity::Warning => "warning: ",
        Severity::Note => "note: ",
    };
    let help = finding.help.as_ref().map(|help| format!("  help: {help}\n")).unwrap_or_default();
    format!("{file}{place}  {severity}{}\n{help}", finding.message)
}

/// A finding beside its source, as `miette` wants it.
struct Shown<'a> {
    finding: &'a Finding,
    source: &'a NamedSource<String>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.finding.at {
            Some(_) => f.write_str(&self.finding.message),
            None => write!(f, "{}  {}", self.source.name(), self.finding.message),
        }
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Note => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.finding.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.finding.at.map(|_| self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let at = self.finding.at?;
        let span = SourceSpan::new(at.offset.into(), at.len);
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(None, span))))
    }
}

/// The candidate most like `word`, if one is like it at all.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Fewer letters in common than this and a guess would confuse more than help.
    const LIKE_AT_ALL: f64 = 0.5;
    let word = word.to_lowercase();
    let likeness = |candidate: &str| strsim::normalized_damerau_levenshtein(&word, &candidate.to_lowercase());
    candidates
        .into_iter()
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKE_AT_ALL)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// `a`, `b` and `c`.
pub fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_error() -> Diagnostics {
        let mut findings = Findings::default();
        let at = Span { file: 0, offset: 6, len: 4, line: 1, column: 7 };
        findings.error(at, "there is no step `mian`").help("did you mean `main`?");
        Diagnostics::new("plans/a.yaml", "start: mian\n", findings)
    }

    #[test]
    fn a_plain_finding_is_one_line_with_its_place_and_one_of_help() {
        let plain = one_error().to_string();
        assert_eq!(plain, "plans/a.yaml:1:7  there is no step `mian`\n  help: did you mean `main`?\n");
    }

    #[test]
    fn a_drawn_finding_shows_the_line_it_is_about() {
        let drawn = one_error().drawn();
        for part in ["plans/a.yaml:1:7", "there is no step `mian`", "start: mian", "did you mean `main`?"] {
            assert!(drawn.contains(part), "{part} in {drawn}");
        }
    }

    #[test]
    fn the_nearest_word_is_found_and_far_ones_are_not_guessed() {
        let keys = ["prompt", "reprompt", "options", "wait"];
        assert_eq!(nearest("promt", keys), Some("prompt"));
        assert_eq!(nearest("Wiat", keys), Some("wait"));
        assert_eq!(nearest("zebra", keys), None);
    }

    #[test]
    fn findings_come_in_the_order_of_the_lines() {
        let mut findings = Findings::default();
        findings.warn(Span { file: 0, offset: 50, len: 1, line: 9, column: 1 }, "later");
        findings.error(Span { file: 0, offset: 5, len: 1, line: 2, column: 1 }, "sooner");
        let diagnostics = Diagnostics::new("a.yaml", "", findings);
        let order: Vec<&str> = diagnostics.findings().iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(order, ["sooner", "later"]);
        assert_eq!((diagnostics.count(Severity::Error), diagnostics.count(Severity::Warning)), (1, 1));
    }
}
