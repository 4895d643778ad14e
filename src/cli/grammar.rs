//! `trunkline grammar`: what grammars hear, from the shell.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::grammar::diagnostic::Problems;
use crate::grammar::{Grammar, Problem, Severity, abnf, print, xml};
use crate::language::Language;
use crate::time::{Clock as _, SystemClock};

use super::Halt;

/// Try grammars (W3C SRGS): what words mean, what may be said, the same in the other form.
#[derive(Debug, clap::Args)]
pub struct GrammarArgs {
    #[command(subcommand)]
    command: GrammarCommand,
}

#[derive(Debug, clap::Subcommand)]
enum GrammarCommand {
    /// What these words (or keys) mean, likeliest first
    Match {
        /// The grammar: `*.grxml` or `*.abnf`.
        file: PathBuf,
        /// What is said. Several guesses of a recogniser may be given, best first.
        #[arg(required = true)]
        said: Vec<String>,
        /// The language of the words, when not that of the grammar.
        #[arg(long)]
        language: Option<String>,
        /// The rule that is meant, when not the root.
        #[arg(long)]
        rule: Option<String>,
        /// Look for it among other words.
        #[arg(long)]
        spot: bool,
    },
    /// Phrases it hears
    Phrases {
        /// The grammar.
        file: PathBuf,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// The rule that is meant, when not the root.
        #[arg(long)]
        rule: Option<String>,
    },
    /// The same grammar in the other form: XML as ABNF, ABNF as XML
    Convert {
        /// The grammar.
        file: PathBuf,
    },
}

/// Does what `args` asks and prints to standard output.
pub fn run(args: &GrammarArgs) -> ExitCode {
    let mut out = io::stdout().lock();
    let done = match &args.command {
        GrammarCommand::Match { file, said, language, rule, spot } => {
            opened(file, rule.as_deref()).and_then(|grammar| {
                let language =
                    language.as_deref().map(Language::parse).transpose().map_err(|error| error.to_string())?;
                means(&grammar, said, language.as_ref().unwrap_or(grammar.language()), *spot, &mut out)
            })
        }
        GrammarCommand::Phrases { file, limit, rule } => opened(file, rule.as_deref()).and_then(|grammar| {
            for phrase in grammar.expansions(*limit, now()) {
                writeln!(out, "{phrase}")?;
            }
            Ok(true)
        }),
        GrammarCommand::Convert { file } => convert(file, &mut out),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Halt::Failed(why)) => {
            super::complain(&why);
            ExitCode::FAILURE
        }
        Err(Halt::Unwritten(error)) => super::unwritten(&error),
    }
}

/// "Friday" counts from the clock of this machine.
fn now() -> DateTime {
    SystemClock.now().wall.to_zoned(TimeZone::system()).datetime()
}

/// Is this a grammar, by its name?
pub fn is_grammar(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "grxml" || extension == "abnf")
}

/// Everything to say about a grammar file.
pub fn problems(path: &Path) -> Vec<Problem> {
    match Grammar::open(path) {
        Ok(grammar) => grammar.problems().to_vec(),
        Err(problems) => problems,
    }
}

fn opened(file: &Path, rule: Option<&str>) -> Result<Grammar, Halt> {
    let grammar = Grammar::open(file).map_err(|problems| {
        let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
        errors.map(|problem| format!("{problem}\n")).collect::<String>()
    })?;
    match rule {
        None => Ok(grammar),
        Some(rule) => {
            let rooted = grammar.rooted(rule);
            rooted.ok_or_else(|| Halt::Failed(format!("trunkline: {} has no rule `{rule}`", file.display())))
        }
    }
}

/// Writes one line of JSON for each meaning of the first guess that has one.
fn means(
    grammar: &Grammar,
    said: &[String],
    language: &Language,
    spot: bool,
    out: &mut impl Write,
) -> Result<bool, Halt> {
    for guess in said {
        let found = match spot {
            false => grammar.matches(guess, language, now()),
            true => grammar.spot(guess, language, now()),
        };
        for one in &found {
            let line = serde_json::json!({
                "means": one.interpretation.to_json(),
                "fault": one.fault,
                "words": [one.words.start, one.words.end],
                "whole": one.whole,
                "weight": one.weight,
            });
            writeln!(out, "{line}")?;
        }
        if !found.is_empty() {
            return Ok(true);
        }
    }
    let fit = said.first().map(|first| grammar.fit(first, language, now())).unwrap_or_default();
    writeln!(out, "{}", if fit.prefix { "nothing yet: it could go on" } else { "nothing" })?;
    Ok(false)
}

fn convert(file: &Path, out: &mut impl Write) -> Result<bool, Halt> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}  cannot be read: {error}", file.display()))?;
    let mut problems = Problems::default();
    let number = problems.file(&file.display().to_string());
    let is_xml = text.trim_start().starts_with('<');
    let document = match is_xml {
        true => xml::parse(&text, number, &mut problems),
        false => abnf::parse(&text, number, &mut problems),
    };
    if problems.has_errors() {
        let lines = problems.sorted().iter().map(|problem| format!("{problem}\n")).collect::<String>();
        return Err(Halt::Failed(lines));
    }
    let other = if is_xml { print::abnf(&document) } else { print::xml(&document) };
    out.write_all(other.as_bytes())?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(grammar: &Grammar, said: &[&str], spot: bool) -> String {
        let said: Vec<String> = said.iter().map(|guess| (*guess).to_owned()).collect();
        let mut out = Vec::new();
        means(grammar, &said, grammar.language(), spot, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_grammar_is_tried_from_the_shell() {
        let grammar = opened(Path::new("grammars/departments.abnf"), None).unwrap();
        let billing = "{\"fault\":null,\"means\":\"billing\",\"weight\":1.0,\"whole\":true,\"words\":[0,1]}\n";
        assert_eq!(said(&grammar, &["building", "billing"], false), billing);
        assert_eq!(said(&grammar, &["connect me"], false), "nothing yet: it could go on\n");
        assert_eq!(said(&grammar, &["moon"], false), "nothing\n");
        assert!(said(&grammar, &["oh well sales I guess or not"], true).contains("\"words\":[2,3]"));
        assert!(matches!(opened(Path::new("grammars/departments.abnf"), Some("x")), Err(Halt::Failed(_))));
    }

    #[test]
    fn a_grammar_is_written_in_the_other_form() {
        for (file, begins) in [("grammars/departments.abnf", "<?xml"), ("grammars/account-type.grxml", "#ABNF 1.0")] {
            let mut out = Vec::new();
            assert!(convert(Path::new(file), &mut out).unwrap());
            let text = String::from_utf8(out).unwrap();
            assert!(text.starts_with(begins), "{text}");
            Grammar::parse("converted", &text).unwrap();
        }
    }
}
