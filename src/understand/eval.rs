//! How well is a menu understood? Cases with known meaning in, a table out.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::benchmark::{self, Judged};
use super::{Matcher, Meaning};
use crate::id::UtteranceId;
use crate::pii::Pii;
use crate::understand::{Hypothesis, NBest};

/// One utterance and what it should be taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Place of the option meant; `None` when it is out of scope.
    pub meant: Option<usize>,
    /// As a recogniser would write it.
    pub text: String,
}

/// Why a file of cases cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CasesError {
    /// The bytes are not text.
    #[error("line {0}: these bytes are not UTF-8; save the file as UTF-8")]
    NotText(usize),
    /// A line without a tab.
    #[error("line {0}: expected `option<TAB>text`, with `-` as the option of what is out of scope")]
    NoTab(usize),
    /// A line with more columns, or fewer, than the heading, or than two where there is none.
    #[error("line {line}: there are {found} columns where {due} belong; no text may hold a tab")]
    Columns {
        /// Counted from 1.
        line: usize,
        /// As written.
        found: usize,
        /// As the heading has them.
        due: usize,
    },
    /// Nothing before or behind the tab.
    #[error("line {0}: the option or the text is missing")]
    Blank(usize),
    /// An option the menu does not have.
    #[error("line {line}: the menu has no option `{option}`; it has {known} (and `-` for what is out of scope)")]
    UnknownOption {
        /// Counted from 1.
        line: usize,
        /// As written.
        option: String,
        /// What there is, separated by commas.
        known: String,
    },
    /// Nothing in it.
    #[error("no cases in the file; a line is `option<TAB>text`")]
    Empty,
}

/// One line of a file of cases, before anybody knows the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Counted from 1.
    pub number: usize,
    /// As written; `-` is out of scope.
    pub option: String,
    /// As a recogniser would write it.
    pub text: String,
}

/// Reads `option<TAB>text` lines. Blank lines and `#` comments are passed over. A heading may name the columns, in any
/// order and among others: `option` or `intent`, and `text`.
///
/// # Errors
///
/// [`CasesError`], with the line.
pub fn parse_lines(bytes: &[u8]) -> Result<Vec<Line>, CasesError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        CasesError::NotText(1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count())
    })?;
    let written = text.trim_start_matches('\u{FEFF}').lines().enumerate();
    let mut lines: Vec<Line> = Vec::new();
    let (mut columns, mut due, mut at_top) = ((0, 1), 2, true);
    for (number, line) in written.map(|(at, line)| (at + 1, line.trim_end_matches('\r'))) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
        let named = |names: &[&str]| cells.iter().position(|cell| names.contains(&cell.to_lowercase().as_str()));
        if let Some(heading) = named(&["option", "intent"]).zip(named(&["text"])).filter(|_| at_top) {
            (columns, due, at_top) = (heading, cells.len(), false);
            continue;
        }
        at_top = false;
        if cells.len() == 1 {
            return Err(CasesError::NoTab(number));
        }
        if cells.len() != due {
            return Err(CasesError::Columns { line: number, found: cells.len(), due });
        }
        let (option, text) = (cells[columns.0].to_owned(), cells[columns.1].to_owned());
        if option.is_empty() || text.is_empty() {
            return Err(CasesError::Blank(number));
        }
        lines.push(Line { number, option, text });
    }
    if lines.is_empty() { Err(CasesError::Empty) } else { Ok(lines) }
}

/// What the lines mean for a menu with these options. `-`, and `oos` where it is given, are out of scope.
///
/// # Errors
///
/// [`CasesError::UnknownOption`].
pub fn cases(lines: &[Line], options: &[String], oos: Option<&str>) -> Result<Vec<Case>, CasesError> {
    let case = |line: &Line| {
        let meant = match options.iter().position(|name| *name == line.option) {
            Some(place) => Some(place),
            None if line.option == "-" || Some(line.option.as_str()) == oos => None,
            None => {
                let (option, known) = (line.option.clone(), options.join(", "));
                return Err(CasesError::UnknownOption { line: line.number, option, known });
            }
        };
        Ok(Case { meant, text: line.text.clone() })
    };
    lines.iter().map(case).collect()
}

/// Both at once, out of a text.
///
/// # Errors
///
/// [`CasesError`], with the line.
pub fn parse_cases(text: &str, options: &[String]) -> Result<Vec<Case>, CasesError> {
    cases(&parse_lines(text.as_bytes())?, options, None)
}

/// A recogniser's answer that is sure of `text`.
pub fn heard_clearly(text: &str) -> NBest {
    let hypothesis =
        Hypothesis { text: Pii::new(text.to_owned()), confidence: 1.0, open_score: 0.0, grammar_score: None };
    NBest {
        utterance: UtteranceId(0),
        revision: 0,
        hypotheses: vec![hypothesis],
        queued: Duration::ZERO,
        ran: Duration::ZERO,
    }
}

/// What came of one case: what was meant, the best candidate, its confidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The case.
    pub case: Case,
    /// The best candidate, whatever its confidence.
    pub best: Option<Meaning>,
    /// Its confidence; 0 without one.
    pub confidence: f32,
}

impl Outcome {
    /// As the benchmark counts it: a universal is a refusal.
    pub fn judged(&self) -> Judged {
        let taken = match self.best {
            Some(Meaning::Option(option)) => Some(option),
            _ => None,
        };
        Judged { meant: self.case.meant, taken, confidence: self.confidence, belongs: self.confidence }
    }

    fn accepted(&self, reject_below: f32) -> Option<&Meaning> {
        self.best.as_ref().filter(|_| self.confidence >= reject_below)
    }

    /// In scope, and taken for what was meant at the first try.
    pub fn is_right(&self, reject_below: f32) -> bool {
        self.case.meant.is_some() && self.accepted(reject_below) == self.case.meant.map(Meaning::Option).as_ref()
    }

    /// Not taken for any option. Universals ("operator", "again") do no harm and count as refusing.
    pub fn is_refused(&self, reject_below: f32) -> bool {
        !matches!(self.accepted(reject_below), Some(Meaning::Option(_)))
    }
}

/// Runs every case through `matcher`.
pub fn measure(matcher: &Matcher, cases: &[Case]) -> Vec<Outcome> {
    let run = |case: &Case| {
        let understanding = matcher.understand(&heard_clearly(&case.text));
        let (best, confidence) = understanding
            .candidates
            .into_iter()
            .next()
            .map_or((None, 0.0), |(meaning, confidence)| (Some(meaning), confidence));
        Outcome { case: case.clone(), best, confidence }
    };
    cases.iter().map(run).collect()
}

/// Parts a question's phrases are cut into, each tried on a matcher of the others.
const FOLDS: usize = 5;

/// Confidences below which 3 and 5 in 100 of a question's own phrases are refused by a matcher that never saw them.
pub fn thresholds(matcher: &Matcher) -> [f32; 2] {
    let unseen = (0..FOLDS).flat_map(|fold| {
        let (others, held) = matcher.without(fold, FOLDS);
        let sure = move |(meaning, text): (Meaning, String)| {
            let found = others.understand(&heard_clearly(&text)).candidates.into_iter().next();
            matches!(meaning, Meaning::Option(_)).then(|| found.map_or(0.0, |(_, confidence)| confidence))
        };
        held.into_iter().filter_map(sure).collect::<Vec<_>>()
    });
    benchmark::quantiles(unseen.collect())
}

/// Totals at one threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// In-scope cases.
    pub in_scope: usize,
    /// Of those, taken for what was meant.
    pub right: usize,
    /// Of those, taken for something else.
    pub wrong: usize,
    /// Out-of-scope cases.
    pub out_of_scope: usize,
    /// Of those, refused.
    pub refused: usize,
}

impl Score {
    /// Counts outcomes when what is below `reject_below` is refused.
    pub fn of(outcomes: &[Outcome], reject_below: f32) -> Self {
        let mut score = Self::default();
        for outcome in outcomes {
            let (right, refused) = (outcome.is_right(reject_below), outcome.is_refused(reject_below));
            match outcome.case.meant {
                Some(_) => {
                    score.in_scope += 1;
                    score.right += usize::from(right);
                    score.wrong += usize::from(!right && outcome.accepted(reject_below).is_some());
                }
                None => {
                    score.out_of_scope += 1;
                    score.refused += usize::from(refused);
                }
            }
        }
        score
    }

    /// Percent of in-scope cases understood; 100 when there are none.
    pub fn right_percent(&self) -> f64 {
        percent(self.right, self.in_scope)
    }

    /// Percent of out-of-scope cases refused; 100 when there are none.
    pub fn refused_percent(&self) -> f64 {
        percent(self.refused, self.out_of_scope)
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 100.0 } else { 100.0 * part as f64 / whole as f64 }
}

/// A report for people: totals, confusion, and what other thresholds would give.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// Names of the options, in order.
    pub options: &'a [String],
    /// What came of each case.
    pub outcomes: &'a [Outcome],
    /// The threshold the totals and the confusion are for.
    pub reject_below: f32,
}

impl Report<'_> {
    /// Sentences that were not dealt with rightly, one a line: meant, taken for, confidence, text.
    pub fn misses(&self) -> String {
        let fine = |outcome: &&Outcome| match outcome.case.meant {
            Some(_) => outcome.is_right(self.reject_below),
            None => outcome.is_refused(self.reject_below),
        };
        let line = |outcome: &Outcome| {
            let meant = self.name(outcome.case.meant.map(Meaning::Option).as_ref());
            let best = self.name(outcome.best.as_ref());
            format!("{meant:<16} {best:<16} {:.2}  {}\n", outcome.confidence, outcome.case.text)
        };
        self.outcomes.iter().filter(|outcome| !fine(outcome)).map(line).collect()
    }

    fn name(&self, meaning: Option<&Meaning>) -> String {
        match meaning {
            Some(Meaning::Option(place)) => self.options.get(*place).cloned().unwrap_or_else(|| place.to_string()),
            Some(Meaning::Universal(universal)) => format!("${universal:?}").to_lowercase(),
            None => "-".to_owned(),
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let score = Score::of(self.outcomes, self.reject_below);
        writeln!(
            f,
            "right {:.1} % ({}/{}, {} taken for another), refused {:.1} % ({}/{}) at {:.2}\n",
            score.right_percent(),
            score.right,
            score.in_scope,
            score.wrong,
            score.refused_percent(),
            score.refused,
            score.out_of_scope,
            self.reject_below
        )?;
        let mut confusion: BTreeMap<(String, String), usize> = BTreeMap::new();
        for outcome in self.outcomes {
            let meant = self.name(outcome.case.meant.map(Meaning::Option).as_ref());
            let taken = self.name(outcome.accepted(self.reject_below));
            *confusion.entry((meant, taken)).or_default() += 1;
        }
        writeln!(f, "{:<16} {:<16} cases   (- is out of scope, or refused)", "meant", "taken for")?;
        for ((meant, taken), count) in &confusion {
            writeln!(f, "{meant:<16} {taken:<16} {count:>5}{}", if meant == taken { "" } else { "  x" })?;
        }
        writeln!(f, "\nbelow   right %   wrong %   refused %")?;
        for step in 3..=9 {
            let threshold = step as f32 / 10.0;
            let score = Score::of(self.outcomes, threshold);
            let wrong = percent(score.wrong, score.in_scope);
            writeln!(
                f,
                "{threshold:.1} {:>9.1} {wrong:>9.1} {:>11.1}",
                score.right_percent(),
                score.refused_percent()
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    fn names() -> Vec<String> {
        ["balance", "lost"].map(str::to_owned).to_vec()
    }

    #[test]
    fn cases_are_read_and_complaints_name_the_line() {
        let cases = parse_cases("option\ttext\n# why\n\nlost\tmy card is gone\n-\tpizza\n", &names()).unwrap();
        assert_eq!(cases[0], Case { meant: Some(1), text: "my card is gone".into() });
        assert_eq!(cases[1].meant, None);
        assert_eq!(parse_cases("lost my card", &names()), Err(CasesError::NoTab(1)));
        assert_eq!(parse_cases("# nothing", &names()), Err(CasesError::Empty));
        let wrong = parse_cases("\nlots\tmy card", &names()).unwrap_err();
        let said = "line 2: the menu has no option `lots`; it has balance, lost (and `-` for what is out of scope)";
        assert_eq!(wrong.to_string(), said);
    }

    #[test]
    fn cases_come_out_of_whatever_a_spreadsheet_or_an_editor_makes_of_them() {
        let due = [Case { meant: Some(1), text: "my card is gone".into() }, Case { meant: None, text: "pizza".into() }];
        for written in [
            "lost\tmy card is gone\n-\tpizza",
            "\u{FEFF}option\ttext\r\nlost\tmy card is gone\r\n-\tpizza\r\n",
            "# why\n\nText\tIntent\nmy card is gone\tlost\npizza\toos\n",
            "id\toption\ttext\tnote\n1\tlost\tmy card is gone\t\n\n2\t-\tpizza\tout\n",
        ] {
            let lines = parse_lines(written.as_bytes()).unwrap_or_else(|error| panic!("{error}: {written:?}"));
            assert_eq!(cases(&lines, &names(), Some("oos")).as_deref(), Ok(&due[..]), "{written:?}");
        }
        let rows: [(&[u8], &str); 7] = [
            (b"", "no cases in the file"),
            (b"\xef\xbb\xbf\r\n", "no cases in the file"),
            (b"option\ttext\n", "no cases in the file"),
            (b"lost\tmy card\nlost\tmy \xffcard\n", "line 2: these bytes are not UTF-8"),
            (b"lost\tmy card\tgone\n", "line 1: there are 3 columns where 2 belong"),
            (b"lost\t \n", "line 1: the option or the text is missing"),
            (b"lost my card\n", "line 1: expected `option<TAB>text`"),
        ];
        for (bytes, said) in rows {
            let error = parse_lines(bytes).expect_err(said).to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }

    #[test]
    fn a_questions_thresholds_come_from_phrases_held_out() {
        let phrases = [
            vec![
                "my balance",
                "check my balance",
                "what is my balance",
                "balance of my account",
                "tell me the balance",
            ],
            vec!["lost card", "I lost my card", "my card was stolen", "card is gone", "cannot find my card"],
        ];
        let phrases = phrases.map(|all| all.into_iter().map(str::to_owned).collect::<Vec<_>>());
        let matcher = Matcher::compile(&phrases, &[], &Language::english());
        assert_eq!(matcher.lessons(), 10);
        let (others, held) = matcher.without(0, 5);
        assert_eq!((others.lessons(), held.len()), (8, 2));
        let [three, five] = thresholds(&matcher);
        assert!(three > 0.0 && three <= five && five < 0.98, "{three} {five}");
    }

    #[test]
    fn a_score_counts_what_a_caller_would_live_through() {
        let phrases = [vec!["my balance".to_owned()], vec!["lost card".to_owned()]];
        let matcher = Matcher::compile(&phrases, &[], &Language::english());
        let cases = parse_cases("balance\tmy balance\nlost\tmy balance\n-\tfeed the zebras\n", &names()).unwrap();
        let outcomes = measure(&matcher, &cases);
        let score = Score::of(&outcomes, 0.6);
        assert_eq!(score, Score { in_scope: 2, right: 1, wrong: 1, out_of_scope: 1, refused: 1 });
        let report = Report { options: &names(), outcomes: &outcomes, reject_below: 0.6 }.to_string();
        assert!(report.starts_with("right 50.0 % (1/2, 1 taken for another), refused 100.0 % (1/1)"), "{report}");
    }
}
