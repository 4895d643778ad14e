//! Plans made of VoiceXML documents and Asterisk dialplans: each sample in `tests/import` against the plan and the report
//! that are expected of it, and conversations with the plans. `UPDATE=1` rewrites what is expected.

use std::fs;
use std::path::{Path, PathBuf};

use trunkline::dialplan::load::load_str;
use trunkline::import::{Imported, asterisk, vxml};
use trunkline::simulate::runner::{Plans, run_file};

const SAMPLES: &[(&str, Option<&str>)] = &[
    ("vxml/pizza.vxml", None),
    ("vxml/weather.vxml", None),
    ("vxml/menu.vxml", None),
    ("vxml/survey.vxml", None),
    ("vxml/bank", None),
    ("vxml/rare.vxml", None),
    ("vxml/telecom", None),
    ("asterisk/office.conf", None),
    ("asterisk/numbers.conf", None),
    ("asterisk/old.conf", None),
    ("asterisk/support.conf", None),
    ("asterisk/odd.conf", None),
    ("asterisk/dealer.conf", None),
    ("asterisk/freepbx.conf", Some("ivr-3")),
];

fn imported(sample: &str, context: Option<&str>) -> Imported {
    let path = Path::new("tests/import").join(sample);
    let made = if sample.starts_with("vxml") {
        vxml::import(&path, &vxml::Options::default())
    } else {
        let context = context.map(str::to_owned);
        asterisk::import(&path, &asterisk::Options { context, sounds: None, language: "en-US".to_owned() })
    };
    made.unwrap_or_else(|error| panic!("{sample}: {error}"))
}

fn expected(sample: &str, ending: &str) -> PathBuf {
    let stem = Path::new(sample).file_stem().expect("a name").to_string_lossy().into_owned();
    Path::new("tests/import/expected").join(format!("{stem}{ending}"))
}

#[test]
fn every_sample_becomes_a_plan_that_holds_and_a_report_of_the_rest() {
    let update = std::env::var_os("UPDATE").is_some();
    let here = std::env::current_dir().expect("a folder").display().to_string();
    let mut wrong = Vec::new();
    for (sample, context) in SAMPLES {
        let made = imported(sample, *context);
        let loaded =
            load_str("plan.yaml", &made.plan).unwrap_or_else(|found| panic!("{sample}: {found}\n{}", made.plan));
        assert_eq!(loaded.plan.steps.len(), made.steps, "{sample}");
        let notes: String = made.notes.iter().map(ToString::to_string).collect();
        let report = format!("{notes}\n{}", loaded.warnings);
        for (ending, text) in [(".yaml", &made.plan), (".report", &report)] {
            let text = text.replace(&format!("{here}/"), "");
            let file = expected(sample, ending);
            if update {
                fs::write(&file, &text).expect("it is written");
            } else if fs::read_to_string(&file).unwrap_or_default() != text {
                wrong.push(format!("{} is not what is made now:\n{text}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "UPDATE=1 rewrites what is expected\n{}", wrong.join("\n"));
}

/// Lines that do something are in the plan, by the comments there, or in the report: nothing is passed over in silence.
#[test]
fn every_line_of_a_dialplan_that_does_something_is_in_the_plan_or_in_the_report() {
    const SILENT: [&str; 13] = [
        "answer",
        "noop",
        "wait(",
        "wait,",
        "timeout",
        "hangup",
        "macroexit",
        "return",
        "endwhile",
        "goto(",
        "goto,",
        "macro(",
        "gosub(",
    ];
    let mut missing = Vec::new();
    for (sample, context) in SAMPLES.iter().filter(|(sample, _)| sample.starts_with("asterisk")) {
        let made = imported(sample, *context);
        let text = fs::read_to_string(Path::new("tests/import").join(sample)).expect("a sample");
        let comments = made.plan.lines().filter_map(|line| line.trim().strip_prefix("# "));
        let numbers = comments.flat_map(|from| from.rsplit(':').next().unwrap_or_default().split(", "));
        let mut known: Vec<usize> = numbers.filter_map(|number| number.parse().ok()).collect();
        known.extend(made.notes.iter().map(|note| note.at.line));
        let unreached = made.notes.iter().filter(|note| note.what.starts_with('['));
        // An extension that nothing leads to is told once, by its first line.
        let skipped: Vec<usize> = unreached
            .flat_map(|note| {
                let rest = text.lines().enumerate().skip(note.at.line);
                let key = |line: &str| line.split([',', '>', '=']).nth(2).map(|part| part.trim().to_owned());
                let own = text.lines().nth(note.at.line - 1).and_then(key);
                let still = move |line: &&str| line.trim().starts_with("same") || key(line) == own;
                rest.take_while(move |(_, line)| still(line)).map(|(number, _)| number + 1).collect::<Vec<_>>()
            })
            .collect();
        for (number, line) in text.lines().enumerate().map(|(number, line)| (number + 1, line.trim().to_lowercase())) {
            let does = line.starts_with("exten") || line.starts_with("same");
            let silent = SILENT.iter().any(|word| line.contains(word));
            if does && !silent && !known.contains(&number) && !skipped.contains(&number) {
                missing.push(format!("{sample}:{number}  {line}"));
            }
        }
    }
    assert!(missing.is_empty(), "neither in the plan nor in the report:\n{}", missing.join("\n"));
}

/// Sixty ways to throw the event that is being handled, each of them handled: four deep that is thirteen million steps.
#[test]
fn a_handler_that_throws_what_it_catches_is_written_out_only_so_often() {
    let folder = tempfile::tempdir().expect("a folder");
    let ways: String = (0..60).map(|way| format!("<if cond=\"a == {way}\"><throw event=\"x\"/></if>")).collect();
    let document = format!(
        "<vxml version=\"2.1\"><catch event=\"x\">{ways}</catch><form><field name=\"a\" type=\"digits\">\
         <prompt>Say.</prompt><filled><throw event=\"x\"/></filled></field></form></vxml>"
    );
    let file = folder.path().join("again.vxml");
    fs::write(&file, document).expect("it is written");
    let made = vxml::import(&file, &vxml::Options::default()).expect("a plan");
    assert!(made.steps <= 5_000, "{}", made.steps);
    assert!(made.notes.iter().any(|note| note.why.contains("throws again and again")), "{:#?}", made.notes);
}

#[test]
fn conversations_with_imported_plans_go_as_they_went() {
    let mut plans = Plans::default();
    for name in ["pizza", "bank", "telecom", "office", "numbers", "dealer"] {
        let file = PathBuf::from(format!("tests/import/expected/{name}.test.md"));
        let report = run_file(&file, &mut plans);
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1")
            && let Some(updated) = report.updated
        {
            fs::write(&file, updated).expect("it is written");
        }
        assert!(report.failures.is_empty(), "{}", report.failures.join("\n"));
        assert!(report.conversations > 0, "{}", file.display());
    }
}
