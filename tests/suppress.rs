//! `trunkline suppress` as a compliance officer meets it: real files, what is said of them, and how it ends.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder with settings, and a database once somebody closes a number.
struct Office(tempfile::TempDir);

impl Office {
    fn new() -> Self {
        Self::with("")
    }

    fn with(settings: &str) -> Self {
        let office = Self(tempfile::tempdir().expect("there is a place for temporary files"));
        let text = format!("data_dir = {:?}\n{settings}", office.path("data"));
        fs::write(office.path("trunkline.toml"), text).expect("the folder is ours");
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("the folder is ours");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
        command.arg("suppress").args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command.env("HOME", self.0.path()).env("USER", "ada").env_remove("SUDO_USER").env("TZ", "UTC");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRUNKLINE_")) {
            command.env_remove(name);
        }
        command
    }

    /// How it ends: code, standard output, standard error.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.command(arguments).output().expect("the program is built");
        let text = |bytes| String::from_utf8(bytes).expect("it writes text");
        (status.code(), text(stdout), text(stderr))
    }

    /// What it says when it does what was asked.
    fn does(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.run(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {out}{err}");
        out
    }

    fn is_closed(&self, number: &str) -> bool {
        match self.run(&["check", number]) {
            (Some(0), ..) => false,
            (Some(10), ..) => true,
            other => panic!("{other:?}"),
        }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

const FIRST: &str = "+12025550100";
const LAST: &str = "+12025550199";

/// The hundred numbers from [`FIRST`] to [`LAST`].
fn hundred() -> String {
    (100..200).map(|number| format!("+1202555{number:04}\n")).collect()
}

#[test]
fn a_list_is_imported_from_every_shape_of_file() {
    for (name, bytes, more) in [
        ("plain.txt", hundred(), &[][..]),
        ("crlf.txt", format!("\u{feff}{}", hundred().replace('\n', "\r\n")), &[]),
        ("national.csv", format!("Name,Phone\n{}", hundred().replace("+1", "x,")), &["--region", "US"]),
        ("named.tsv", format!("who\tnr\n{}", hundred().replace('+', "x\t+")), &["--column", "nr"]),
    ] {
        let office = Office::new();
        office.file(name, bytes);
        let told = office.does(&[&["import", name, "--list", "national"], more].concat());
        assert!(told.contains("100 added, 0 lifted, 0 kept; 100 numbers are on it now"), "{name}: {told}");
        assert!(office.is_closed(FIRST) && office.is_closed(LAST) && !office.is_closed("+12025550200"), "{name}");
        assert_eq!(mode(&office.path("data/trunkline.db")), 0o600);
    }
}

#[test]
fn bad_lines_are_told_by_number_kept_for_mending_and_stop_nothing() {
    let office = Office::new();
    let bad = "=cmd|' /C calc'!A0\n2025550377\nJane\n";
    office.file("list.txt", format!("{}{bad}{FIRST}\n", hundred()));
    let (code, out, err) = office.run(&["import", "list.txt", "--list", "national", "--rejects", "bad.csv"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("104 rows: 100 numbers, 1 of them repeated, 3 rows refused.\n"), "{out}");
    assert!(err.contains("list.txt:101  is a formula, and no number\n"), "{err}");
    assert!(err.contains("list.txt:102  has no country; write it like +12025550123, or say --region\n"), "{err}");
    assert!(err.contains("list.txt:103  is no telephone number\n") && err.contains("all 3 are in bad.csv"), "{err}");
    assert!(!err.contains("5550377") && !err.contains("Jane"), "what stands there is nobody's business: {err}");
    let rejects = fs::read_to_string(office.path("bad.csv")).expect("it is there");
    assert!(
        rejects.starts_with("line,reason,original\n101,\"is a formula, and no number\",'=cmd|' /C calc'!A0\n"),
        "{rejects}"
    );
    assert_eq!(mode(&office.path("bad.csv")), 0o600);
    // Mended and added: nobody else is opened by it.
    let told =
        office.does(&["import", "bad.csv", "--list", "national", "--add", "--region", "US", "--column", "original"]);
    assert!(told.contains("1 added, 0 lifted, 100 kept; 101 numbers are on it now"), "{told}");
    assert!(office.is_closed("+12025550377"));
}

#[test]
fn the_same_file_twice_changes_nothing_and_a_newer_one_replaces_its_own_entries_only() {
    let office = Office::new();
    office.file("list.txt", hundred());
    office.does(&["add", FIRST, "--reason", "deceased", "--note", "a letter"]);
    office.does(&["import", "list.txt", "--list", "national", "--fresh-until", "2199-01-31"]);
    let told = office.does(&["import", "list.txt", "--list", "national"]);
    assert!(told.ends_with("List `national`: nothing has changed; it counts as read now.\n"), "{told}");
    office.file("newer.txt", hundred().replace(&format!("{FIRST}\n"), "").replace(LAST, "+12025550300"));
    let tried = office.does(&["import", "newer.txt", "--list", "national", "--dry-run"]);
    assert!(tried.contains("would have 1 added, 2 lifted, 98 kept; nothing was written"), "{tried}");
    assert!(office.is_closed(LAST));
    let told = office.does(&["import", "newer.txt", "--list", "national"]);
    assert!(told.contains("1 added, 2 lifted, 98 kept; 99 numbers are on it now"), "{told}");
    assert!(!office.is_closed(LAST) && office.is_closed("+12025550300"));
    assert!(office.is_closed(FIRST), "that somebody died is no list's affair");
    let (_, told, _) = office.run(&["check", LAST]);
    assert!(told.contains("by ada: “it is no longer on the list”"), "{told}");
}

#[test]
fn what_is_no_list_opens_nobody() {
    let office = Office::new();
    office.file("list.txt", hundred());
    office.does(&["import", "list.txt", "--list", "national"]);
    office.file("empty.txt", "");
    office.file("header.csv", "\u{feff}Name,Phone\r\n");
    office.file("torn.txt", hundred().lines().take(20).collect::<Vec<_>>().join("\n"));
    office.file("quote.csv", format!("Phone,Note\n{FIRST},\"oops\n{}", hundred().replace('\n', ",\n")));
    office.file("wide.txt", b"\xff\xfe+\x001\x002\x00");
    for (name, why) in [
        ("empty.txt", "There is no number in it; list `national` stays as it was."),
        ("header.csv", "There is no number in it; list `national` stays as it was."),
        ("torn.txt", "less than half of it would be left"),
        ("quote.csv", "quote.csv:2  opens a quote that is not closed again; the list stays as it was"),
        ("wide.txt", "is no plain text; export it as CSV in UTF-8; the list stays as it was"),
        ("absent.txt", "absent.txt cannot be read"),
    ] {
        let (code, out, err) = office.run(&["import", name, "--list", "national"]);
        assert_eq!(code, Some(1), "{name}: {out}{err}");
        assert!(out.contains(why) || err.contains(why), "{name}: {out}{err}");
    }
    assert!(office.is_closed(FIRST) && office.is_closed(LAST));
    let told = office.does(&["import", "torn.txt", "--list", "national", "--even-if-shorter"]);
    assert!(told.contains("0 added, 80 lifted, 20 kept"), "{told}");
}

#[test]
fn an_import_that_is_killed_leaves_the_list_as_it_was() {
    let office = Office::new();
    office.file("list.txt", hundred());
    office.does(&["import", "list.txt", "--list", "national"]);
    let pipe = office.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there").success());
    let mut import = office.command(&["import", "pipe", "--list", "national", "--even-if-shorter"]);
    let mut import = import.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut writer = fs::File::options().write(true).open(&pipe).expect("it reads");
    // More than the pipe and all buffers hold: it has read some of it when we are through.
    let many: String = (0..100_000).map(|number| format!("+1303{number:07}\n")).collect();
    writer.write_all(many.as_bytes()).expect("it reads");
    import.kill().expect("it runs");
    import.wait().expect("it ends");
    drop(writer);
    assert!(office.is_closed(FIRST) && office.is_closed(LAST) && !office.is_closed("+13030000000"));
    let told = office.does(&["import", "list.txt", "--list", "national"]);
    assert!(told.contains("nothing has changed"), "{told}");
}

#[test]
fn a_number_is_closed_told_of_and_opened_with_proof_kept() {
    let office = Office::new();
    let told = office.does(&["add", "(202) 555-0123", "--region", "US", "--scope", "spring", "--note", "=1+1"]);
    assert!(told.starts_with("+12025550123 is closed from now on: for `spring` since "), "{told}");
    let again = office.does(&["add", "+12025550123", "--scope", "spring"]);
    assert!(again.contains("was closed already, and nothing has changed"), "{again}");
    assert_eq!(office.run(&["check", "+12025550123"]).0, Some(0), "nothing closes it everywhere");
    let (code, told, _) = office.run(&["check", "+12025550123", "--scope", "spring"]);
    assert_eq!(code, Some(10));
    assert!(told.contains("(do_not_call, says hand, closed by ada: “=1+1”), for good; it opens when"), "{told}");
    office.does(&["add", "+12025550123", "--reason", "opt_out", "--source", "mail"]);
    let (code, told, _) =
        office.run(&["remove", "+12025550123", "--reason", "opt_out", "--note", "asked to be called"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("lifts it with --lift-opt-out and a --note") && told.ends_with("Nothing was lifted.\n"),
        "{told}"
    );
    assert_eq!(
        office.run(&["remove", "+12025550123", "--lift-opt-out"]).0,
        Some(2),
        "without a reason nothing is lifted"
    );
    let told = office.does(&["remove", "+12025550123", "--lift-opt-out", "--note", "asked to be called"]);
    assert!(told.matches("Lifted: ").count() == 2 && told.ends_with("+12025550123 is open.\n"), "{told}");
    let (code, told, _) = office.run(&["check", "+12025550123", "--scope", "spring"]);
    assert_eq!((code, told.matches("by ada: “asked to be called”").count()), (Some(0), 2), "{told}");
    let told = office.does(&["list"]);
    let row = |reason: &str| {
        told.lines().find(|line| line.contains(reason)).expect("a row").split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(row("opt_out"), ["global", "opt_out", "mail", "–", "0", "0", "1"], "{told}");
    assert_eq!(row("do_not_call"), ["spring", "do_not_call", "hand", "–", "0", "0", "1"], "{told}");
    let csv = office.does(&["export"]);
    assert_eq!(csv.lines().count(), 3);
    assert!(csv.contains("+12025550123,spring,do_not_call,hand,,lifted,") && csv.contains(",ada,'=1+1,"), "{csv}");
    let json: serde_json::Value = serde_json::from_str(&office.does(&["export", "--format", "json"])).expect("JSON");
    assert_eq!(json[1]["lifted"]["why"], "asked to be called");
    let (_, told, _) = office.run(&["export", "--scope", "spring", "-o", "out.csv"]);
    assert_eq!((told.as_str(), mode(&office.path("out.csv"))), ("", 0o600));
    assert_eq!(office.run(&["export", "-o", "out.csv"]).0, Some(1), "nothing is overwritten");
}

#[test]
fn an_end_in_the_past_closes_nobody_and_says_so() {
    let office = Office::new();
    office.file("list.txt", hundred());
    for arguments in [
        &["add", FIRST, "--expires", "2020-01-31"][..],
        &["import", "list.txt", "--list", "national", "--expires", "2020-01-31"],
        &["import", "list.txt", "--list", "national", "--fresh-until", "2020-01-31T18:00"],
    ] {
        let (code, _, err) = office.run(arguments);
        assert_eq!(code, Some(1));
        assert!(err.contains("is over already; nobody would be closed by it"), "{err}");
    }
    assert!(!office.is_closed(FIRST));
    let told = office.does(&["add", FIRST, "--expires", "2199-01-31"]);
    assert!(told.contains("until 2199-02-01 00:00"), "the whole day: {told}");
    for wrong in ["tomorrow", "2026-02-30", "2300-01-01", ""] {
        assert_eq!(office.run(&["add", FIRST, "--expires", wrong]).0, Some(1), "{wrong}");
    }
    for wrong in [&["add", "911"][..], &["add", "Jane"], &["add", FIRST, "--reason", "do not call"]] {
        let (code, _, err) = office.run(wrong);
        assert!(matches!(code, Some(1 | 2)) && !err.contains("Jane"), "{err}");
    }
}

#[test]
fn hashed_numbers_are_shown_as_hashes_and_it_is_said_why() {
    let office = Office::with("[privacy]\nnumbers = \"hashed\"\n");
    office.file("list.txt", hundred());
    let told = office.does(&["import", "list.txt", "--list", "national"]);
    assert!(told.contains("100 added"), "{told}");
    assert!(office.is_closed(FIRST) && office.is_closed("0012025550100") && !office.is_closed("+12025550200"));
    for arguments in [&["export"][..], &["list", "--numbers"], &["export", "--format", "json"]] {
        let (code, out, err) = office.run(arguments);
        assert_eq!(code, Some(0), "{err}");
        assert!(out.contains('#') && !out.contains("20255501"), "{out}");
        assert!(
            err.contains("privacy.numbers = \"hashed\": a number closed since then is kept, and shown, as a hash"),
            "{err}"
        );
    }
    let database = fs::read(office.path("data/trunkline.db")).expect("it is there");
    assert!(!database.windows(8).any(|bytes| bytes == b"20255501"), "no number is in the file");
}

#[test]
fn a_locked_database_is_waited_for_and_then_named() {
    let office = Office::new();
    office.does(&["add", FIRST]);
    let mut lock = Command::new("python3");
    lock.arg("-c").arg(
        "import sqlite3,sys\nlock = sqlite3.connect('data/trunkline.db', isolation_level=None)\n\
         lock.execute('begin immediate')\nprint('held', flush=True)\nsys.stdin.read()",
    );
    let mut lock =
        lock.current_dir(office.0.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
    let mut held = [0; 4];
    lock.stdout.as_mut().expect("a pipe").read_exact(&mut held).expect("it holds the lock");
    let (code, out, err) = office.run(&["add", LAST]);
    assert!(code == Some(1) && err.contains("is locked by another program"), "{out}{err}");
    assert!(office.is_closed(FIRST), "who only reads does not wait");
    drop(lock.stdin.take());
    lock.wait().expect("it ends");
    office.does(&["add", LAST]);
    assert!(office.is_closed(LAST));
}
