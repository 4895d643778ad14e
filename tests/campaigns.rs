//! The campaign that ships with its list, read as its user reads it: `trunkline campaign check` and `import --dry-run`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const CAMPAIGN: &str = "dialplans/campaigns/collect-us.yaml";
const LIST: &str = "dialplans/campaigns/collect-us.csv";

/// Code, standard output, standard error.
fn trunkline(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().expect("the program is built");
    let text = |bytes| String::from_utf8(bytes).expect("it writes text");
    (status.code(), text(stdout), text(stderr))
}

fn import(list: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let list = list.to_str().expect("paths are text");
    let first = ["campaign", "import", list, "--campaign", CAMPAIGN];
    trunkline(&first.iter().chain(more).copied().collect::<Vec<_>>())
}

#[test]
fn the_campaign_that_ships_is_sound() {
    let (code, said, _) = trunkline(&["campaign", "check", CAMPAIGN]);
    assert_eq!((code, said.as_str()), (Some(0), "0 plans, 1 campaign, 0 errors, 0 warnings\n"));
    let (code, said, _) = trunkline(&["check", "dialplans/campaigns"]);
    assert_eq!((code, said.as_str()), (Some(0), "0 plans, 1 campaign, 0 errors, 0 warnings\n"));
}

/// The README beside the list shows exactly this.
#[test]
fn a_dry_run_tells_who_can_be_called_and_what_is_wrong_with_the_others() {
    let (code, said, noted) = import(Path::new(LIST), &["--dry-run", "--yes"]);
    assert_eq!(code, Some(0), "{noted}");
    let readme = std::fs::read_to_string("dialplans/campaigns/README.md").expect("there is a README");
    let expect = readme.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("it shows a run");
    assert_eq!(said, expect);
    assert!(noted.contains("Amount            due") && noted.contains("a guess"), "{noted}");
    for secret in ["0143", "Stone", "CALL"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn machines_get_counts_and_lines_and_nobody() {
    let (code, said, noted) = import(Path::new(LIST), &["--dry-run", "--yes", "--json"]);
    assert_eq!((code, noted.as_str()), (Some(0), ""));
    let told: Value = serde_json::from_str(&said).expect("it is JSON");
    assert_eq!(
        (&told["report"]["rows"], &told["report"]["good"], &told["stored"]),
        (&20.into(), &6.into(), &false.into())
    );
    assert_eq!(told["columns"][4], serde_json::json!({ "column": "Amount", "is": "due", "how": "guessed" }));
    for secret in ["0143", "Miller", "555"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn rows_in_quarantine_are_a_private_file_that_is_mended_and_imported_again() {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let rejects = folder.path().join("rejects.csv");
    let to = rejects.to_str().expect("paths are text");
    let (code, said, noted) = import(Path::new(LIST), &["--dry-run", "--yes", "--rejects", to]);
    assert_eq!(code, Some(0), "{noted}");
    assert!(said.contains("the rows in quarantine are in"), "{said}");
    let mode = std::fs::metadata(&rejects).expect("it was written").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let text = std::fs::read_to_string(&rejects).expect("it is text");
    assert_eq!(text.lines().count(), 15, "{text}");
    assert!(text.contains("\r\nC-1016,'=cmd|"), "no formula leaves the house: {text}");
    std::fs::write(&rejects, text.replace("202-555-CALL", "202-555-0159").replace("twelve", "12")).expect("it is ours");
    let (_, said, _) = import(&rejects, &["--dry-run", "--yes", "--json"]);
    let told: Value = serde_json::from_str(&said).expect("it is JSON");
    // Two were mended; one repeats a row that is not in this file, so that it is the first here.
    assert_eq!((&told["report"]["rows"], &told["report"]["good"]), (&14.into(), &3.into()), "{told}");
    let (code, _, noted) = import(&rejects, &["--dry-run", "--yes", "--rejects", to]);
    assert!(code == Some(1) && noted.contains("is the list itself"), "{noted}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("it is ours").count(), 1, "no part file stays");
}

#[test]
fn what_is_missing_or_wrong_is_a_sentence_and_no_success() {
    let rows: [(&[&str], &str); 4] = [
        (&["--yes"], "add --dry-run"),
        (&["--dry-run"], "add --yes"),
        (&["--dry-run", "--yes", "--map", "phon=Mobile"], "did you mean `phone`?"),
        (&["--dry-run", "--yes", "--sheet", "Leads"], "has no sheets"),
    ];
    for (arguments, expect) in rows {
        let (code, said, noted) = import(Path::new(LIST), arguments);
        assert!(code == Some(1) && said.is_empty() && noted.contains(expect), "{arguments:?}: {noted}");
    }
    let (code, _, noted) = import(Path::new("none.csv"), &["--dry-run", "--yes"]);
    assert!(code == Some(1) && noted.contains("none.csv cannot be read"), "{noted}");
}
