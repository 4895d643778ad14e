//! `trunkline check`: are these dial plans, grammars, rule packs and campaigns sound?

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::campaign;
use crate::dialplan::diagnostic::{Diagnostics, Severity};
use crate::dialplan::load;
use crate::grammar;
use crate::law;

use super::grammar::is_grammar;

/// Deepest folder that is looked into.
const MAX_FOLDERS: usize = 16;

/// Check dial plans, grammars, rule packs and campaigns: prints what is wrong, where, and what to do about it.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Plans, grammars, rule packs and campaigns, or folders that are searched for `*.yaml`, `*.grxml` and `*.abnf`.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// One line per finding, `file:line:column  sentence`, for editors and `grep`.
    #[arg(long)]
    pub plain: bool,
    /// `json`: one JSON object a finding, for editors and machines.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Fail on warnings too.
    #[arg(long)]
    pub deny_warnings: bool,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// One finding, for machines.
#[derive(serde::Serialize)]
struct Row<'a> {
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    severity: &'static str,
    message: &'a str,
    help: Option<&'a str>,
}

impl Row<'_> {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}", serde_json::to_string(self).expect("a row of texts and numbers is JSON"))
    }
}

/// Checks what `args` names and prints to standard output. Fails when a plan cannot be used.
pub fn run(args: &CheckArgs) -> ExitCode {
    let plain = args.plain || !io::stdout().is_terminal();
    match check(args, plain, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // A closed pipe (`| head`) is the reader's wish, but nothing has been proved sound.
            let _ = super::unwritten(&error);
            ExitCode::FAILURE
        }
    }
}

/// Writes findings and a summary; is all well?
fn check(args: &CheckArgs, plain: bool, out: &mut impl Write) -> io::Result<bool> {
    let mut plans = Vec::new();
    let mut errors = 0;
    for path in &args.paths {
        let before = plans.len();
        let (message, help) = match collect(path, MAX_FOLDERS, &mut plans) {
            Err(error) => (format!("cannot be read: {error}"), None),
            Ok(()) if plans.len() > before => continue,
            Ok(()) => ("holds no dial plans".to_owned(), Some("they end in `.yaml`, grammars in `.grxml` or `.abnf`")),
        };
        errors += 1;
        let file = &path.display().to_string();
        match args.format {
            Format::Json => {
                let row = Row { file, line: None, column: None, severity: "error", message: &message, help };
                row.write(out)?;
            }
            Format::Text => {
                writeln!(out, "{file}  {message}")?;
                help.map_or(Ok(()), |help| writeln!(out, "  help: {help}"))?;
            }
        }
    }
    plans.dedup();
    let mut warnings = 0;
    let (grammars, plans): (Vec<PathBuf>, Vec<PathBuf>) = plans.into_iter().partition(|path| is_grammar(path));
    for path in &grammars {
        for problem in super::grammar::problems(path) {
            errors += usize::from(problem.severity == grammar::Severity::Error);
            warnings += usize::from(problem.severity == grammar::Severity::Warning);
            match args.format {
                Format::Json => problem_row(&problem, out)?,
                Format::Text => writeln!(out, "{problem}")?,
            }
        }
    }
    let (packs, plans): (Vec<PathBuf>, Vec<PathBuf>) = plans.into_iter().partition(|path| law::read::is_pack(path));
    for found in packs.iter().filter_map(|path| law::read::load(path).err()) {
        errors += found.count(Severity::Error);
        print(&found, args.format, plain, out)?;
    }
    let (campaigns, plans): (Vec<PathBuf>, Vec<PathBuf>) =
        plans.into_iter().partition(|path| campaign::file::is_campaign(path));
    for found in campaigns.iter().filter_map(|path| campaign::file::load(path).err()) {
        errors += found.count(Severity::Error);
        print(&found, args.format, plain, out)?;
    }
    let loaded: Vec<_> = plans.iter().map(|path| (path, load::load(path))).collect();
    // What another plan includes has been checked with it, and is no plan by itself.
    let parts: BTreeSet<PathBuf> = loaded
        .iter()
        .flat_map(|(path, loaded)| {
            let read = match loaded {
                Ok(loaded) => loaded.plan.sources.clone(),
                Err(found) => found.names().map(PathBuf::from).collect(),
            };
            read.into_iter().filter(move |source| source != *path)
        })
        .collect();
    let checked: Vec<_> =
        loaded.into_iter().filter(|(path, loaded)| loaded.is_ok() || !parts.contains(*path)).collect();
    let count = checked.len();
    for (_, loaded) in checked {
        let found = loaded.map_or_else(|found| found, |loaded| loaded.warnings);
        errors += found.count(Severity::Error);
        warnings += found.count(Severity::Warning);
        print(&found, args.format, plain, out)?;
    }
    if args.format == Format::Json {
        return Ok(errors == 0 && !(args.deny_warnings && warnings > 0));
    }
    let counted = [
        (count, "plan"),
        (grammars.len(), "grammar"),
        (packs.len(), "rule pack"),
        (campaigns.len(), "campaign"),
        (errors, "error"),
        (warnings, "warning"),
    ];
    let told =
        counted.iter().filter(|(count, what)| *count > 0 || !["grammar", "rule pack", "campaign"].contains(what));
    let summary = told.map(|(count, what)| format!("{count} {what}{}", if *count == 1 { "" } else { "s" }));
    writeln!(out, "{}", summary.collect::<Vec<_>>().join(", "))?;
    Ok(errors == 0 && !(args.deny_warnings && warnings > 0))
}

fn print(found: &Diagnostics, format: Format, plain: bool, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Json => rows(found, out),
        Format::Text if plain => out.write_all(found.to_string().as_bytes()),
        Format::Text => out.write_all(found.drawn().as_bytes()),
    }
}

fn problem_row(problem: &grammar::Problem, out: &mut impl Write) -> io::Result<()> {
    let row = Row {
        file: &problem.file,
        line: Some(problem.line),
        column: Some(problem.column),
        severity: match problem.severity {
            grammar::Severity::Error => "error",
            grammar::Severity::Warning => "warning",
            grammar::Severity::Note => "note",
        },
        message: &problem.message,
        help: problem.help.as_deref(),
    };
    row.write(out)
}

fn rows(found: &Diagnostics, out: &mut impl Write) -> io::Result<()> {
    for finding in found.findings() {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let row = Row {
            file: found.name_of(finding),
            line: finding.at.map(|at| at.line),
            column: finding.at.map(|at| at.column),
            severity,
            message: &finding.message,
            help: finding.help.as_deref(),
        };
        row.write(out)?;
    }
    Ok(())
}

/// Plans under `path`, in a stable order. A file that was named is taken whatever it is called.
fn collect(path: &Path, deeper: usize, plans: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        plans.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    entries.sort();
    for entry in entries {
        // A link to a folder may lead round in a ring.
        let folder = entry.is_dir() && !entry.is_symlink();
        let plan =
            entry.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") || is_grammar(&entry);
        if folder && deeper > 0 {
            collect(&entry, deeper - 1, plans)?;
        } else if plan && !entry.is_dir() {
            plans.push(entry);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "dialplan: 1\nstart: a\nsteps: { a: { hangup: } }\n";
    const UNREACHED: &str = "dialplan: 1\nstart: a\nsteps:\n  a: { hangup: }\n  b: { hangup: }\n";
    const BROKEN: &str = "dialplan: 1\nstart: b\nsteps: { a: { hangup: } }\n";

    /// What `trunkline check` prints about these files in a folder, and whether it is content.
    fn checked(files: &[(&str, &str)], deny_warnings: bool) -> (String, bool) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let paths = vec![folder.path().to_owned()];
        let args = CheckArgs { paths, plain: true, format: Format::Text, deny_warnings };
        let mut out = Vec::new();
        let content = check(&args, true, &mut out).unwrap();
        (String::from_utf8(out).unwrap().replace(folder.path().to_str().unwrap(), "plans"), content)
    }

    #[test]
    fn sound_plans_are_counted_in_every_folder() {
        let (said, content) = checked(&[("a.yaml", SOUND), ("deep/er/b.yaml", SOUND), ("note.md", "x")], true);
        assert_eq!((said.as_str(), content), ("2 plans, 0 errors, 0 warnings\n", true));
    }

    #[test]
    fn a_broken_plan_fails_the_check_and_the_others_are_still_read() {
        let (said, content) = checked(&[("a.yaml", BROKEN), ("b.yaml", UNREACHED)], false);
        let expected = "plans/a.yaml:2:8  there is no step `b`\n  help: add a step `b`, or go to one that exists\n\
                        plans/b.yaml:5:3  warning: nothing leads to step `b`\n  help: lead to it with a `go:`, or remove it\n\
                        2 plans, 1 error, 1 warning\n";
        assert_eq!((said.as_str(), content), (expected, false));
    }

    #[test]
    fn warnings_fail_only_when_denied() {
        assert!(checked(&[("b.yaml", UNREACHED)], false).1);
        assert!(!checked(&[("b.yaml", UNREACHED)], true).1);
    }

    #[test]
    fn what_a_plan_includes_is_checked_with_it_and_not_again() {
        let main = "dialplan: 1\nstart: a\ninclude: part.yaml\nsteps: { a: { goto: b } }\n";
        let part = "dialplan: 1\nsteps: { b: { hangup: } }\n";
        let (said, content) = checked(&[("main.yaml", main), ("part.yaml", part)], true);
        assert_eq!((said.as_str(), content), ("1 plan, 0 errors, 0 warnings\n", true));
        let (said, content) = checked(&[("part.yaml", part)], true);
        assert!(said.contains("does not say where a call begins") && !content, "{said}");
    }

    #[test]
    fn machines_read_one_object_a_finding() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), BROKEN).unwrap();
        let paths = vec![folder.path().to_owned()];
        let args = CheckArgs { paths, plain: false, format: Format::Json, deny_warnings: false };
        let mut out = Vec::new();
        assert!(!check(&args, false, &mut out).unwrap());
        let row: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&row["line"], &row["severity"]), (&2.into(), &"error".into()));
        assert_eq!(row["message"], "there is no step `b`");
    }

    #[test]
    fn machines_read_one_object_about_a_folder_without_plans_too() {
        let folder = tempfile::tempdir().unwrap();
        let paths = vec![folder.path().to_owned(), folder.path().join("missing")];
        let args = CheckArgs { paths, plain: false, format: Format::Json, deny_warnings: false };
        let mut out = Vec::new();
        assert!(!check(&args, false, &mut out).unwrap());
        let rows: Vec<serde_json::Value> =
            String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&rows[0]["message"], &rows[0]["severity"]), (&"holds no dial plans".into(), &"error".into()));
    }

    #[test]
    fn a_part_is_not_told_to_be_a_broken_plan_when_its_whole_is_broken() {
        let main = "dialplan: 1\nstart: a\ninclude: part.yaml\nsteps: { a: { goto: c } }\n";
        let part = "dialplan: 1\nsteps: { b: { hangup: } }\n";
        let (said, content) = checked(&[("main.yaml", main), ("part.yaml", part)], false);
        assert!(!content && said.contains("there is no step `c`") && !said.contains("where a call begins"), "{said}");
        assert!(said.ends_with("1 plan, 1 error, 0 warnings\n"), "{said}");
    }

    #[test]
    fn grammars_are_checked_by_their_ending() {
        let sound = "#ABNF 1.0;\nlanguage en-US; root $a;\n$a = hello;\n";
        let broken = "<grammar version=\"1.0\" xml:lang=\"en-US\" root=\"a\"><rule id=\"b\">x</rule></grammar>";
        let (said, content) = checked(&[("a.yaml", SOUND), ("a.abnf", sound)], true);
        assert_eq!((said.as_str(), content), ("1 plan, 1 grammar, 0 errors, 0 warnings\n", true));
        let (said, content) = checked(&[("b.grxml", broken), ("a.abnf", sound)], false);
        let expected = "plans/b.grxml:1:1  the root `a` is not defined\n0 plans, 2 grammars, 1 error, 0 warnings\n";
        assert_eq!((said.as_str(), content), (expected, false));
    }

    #[test]
    fn rule_packs_are_checked_by_how_they_begin() {
        let sound = "# ours\npack: ours\nversion: \"1\"\ntitle: t\nrules: { a: { ring: 15s, source: house } }\n";
        let (said, content) = checked(&[("a.yaml", SOUND), ("rules/ours.yaml", sound)], true);
        assert_eq!((said.as_str(), content), ("1 plan, 1 rule pack, 0 errors, 0 warnings\n", true));
        let (said, content) = checked(&[("ours.yaml", &sound.replace("ring", "rong"))], false);
        assert!(said.contains("plans/ours.yaml:5:15  rule `a` has no key `rong`") && !content, "{said}");
    }

    #[test]
    fn a_folder_without_plans_is_not_called_sound() {
        let (said, content) = checked(&[("note.md", "x")], false);
        assert!(said.contains("plans  holds no dial plans") && !content, "{said}");
    }
}
