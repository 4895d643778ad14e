//! The program as its user meets it: what it prints, to whom, and how it ends.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const PLAN: &str =
    "dialplan: 1\nstart: hi\nsteps:\n  hi: { say: { text: Hello there., go: bye } }\n  bye: { hangup: }\n";

/// A folder with a plan, a test of nothing, and nothing else.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().expect("there is a place for temporary files"));
        std::fs::write(bench.path("hello.yaml"), PLAN).expect("the folder is ours");
        std::fs::write(bench.path("empty.test.md"), "# Nothing yet\n").expect("the folder is ours");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command.env("HOME", self.0.path()).env_remove("XDG_DATA_HOME").env_remove("UPDATE");
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

    /// Code and standard error of a command whose reader has gone before it writes its first line.
    fn unread(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let (reader, writer) = std::io::pipe().expect("pipes are there");
        drop(reader);
        let output = self.command(arguments).stdout(writer).output().expect("the program is built");
        (output.status.code(), String::from_utf8(output.stderr).expect("it writes text"))
    }
}

#[test]
fn a_reader_that_leaves_early_ends_a_command_quietly() {
    let bench = Bench::new();
    let rows: [(&[&str], i32); 7] = [
        (&["version"], 0),
        (&["prompts", "hello.yaml"], 0),
        (&["try", "hello.yaml"], 0),
        (&["say", "Hello.", "-o", "hello.wav"], 0),
        (&["models", "path"], 0),
        // Nothing is installed, nothing was proved sound, nothing was tested: true however little was read.
        (&["models", "list"], 1),
        (&["check", "hello.yaml"], 1),
    ];
    let speaks = Command::new("flite").arg("--version").stdout(Stdio::null()).status().is_ok();
    for (arguments, code) in rows {
        if !speaks && ["prompts", "say"].contains(&arguments[0]) {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "flite is not installed");
            println!("skipped: {} needs flite, which is not installed", arguments[0]);
            continue;
        }
        let (ended, complaint) = bench.unread(arguments);
        assert_eq!((ended, complaint.as_str()), (Some(code), ""), "{arguments:?}");
    }
}

#[test]
fn a_log_nobody_reads_does_not_bring_a_command_down() {
    let bench = Bench::new();
    let (reader, writer) = std::io::pipe().expect("pipes are there");
    drop(reader);
    let ended = bench.command(&["serve"]).stderr(writer).status().expect("the program is built");
    assert_eq!(ended.code(), Some(1), "not 101, a panic");
}

#[test]
fn serve_without_settings_or_plan_says_where_to_name_one() {
    let (code, _, complaint) = Bench::new().run(&["serve"]);
    assert_eq!(code, Some(1));
    let last = complaint.lines().last().unwrap_or_default();
    assert!(last.starts_with("the dial plan dialplans/bank-main.yaml does not exist; set `plan` of a"), "{complaint}");
    assert!(last.contains("`-c FILE`"), "{complaint}");
}

#[test]
fn test_says_what_it_was_given_and_what_it_wants() {
    let bench = Bench::new();
    let rows = [
        ("gone.test.md", 2, "gone.test.md: does not exist\n"),
        ("hello.yaml", 2, "hello.yaml: is no conversation test; give a `*.test.md`, or a folder of them\n"),
    ];
    for (path, code, sentence) in rows {
        assert_eq!(bench.run(&["test", path]), (Some(code), String::new(), sentence.to_owned()), "{path}");
    }
    let (code, said, complaint) = bench.run(&["test", "empty.test.md"]);
    assert_eq!((code, complaint.as_str()), (Some(1), ""));
    assert!(said.starts_with("empty.test.md: holds no conversation\n"), "{said}");
    std::fs::remove_file(bench.path("empty.test.md")).expect("the folder is ours");
    let (code, said, complaint) = bench.run(&["test", "."]);
    assert_eq!((code, said.as_str()), (Some(2), ""));
    assert!(complaint.starts_with(".: holds no conversations; they live in files named `*.test.md`"), "{complaint}");
}

#[test]
fn try_goes_on_to_the_end_of_what_is_piped_in() {
    let bench = Bench::new();
    let piped = bench.command(&["try", "hello.yaml"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = piped.expect("the program is built");
    child.stdin.take().expect("it was piped").write_all(b"\n").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stdout).expect("it writes text");
    assert!(said.contains("Hello there.") && output.status.success(), "{said}");
}

#[test]
fn understand_eval_wants_a_confidence() {
    let (code, _, complaint) =
        Bench::new().run(&["understand", "eval", "--cases", "x.tsv", "--plan", "hello.yaml", "--below", "7"]);
    assert_eq!(code, Some(2));
    assert!(complaint.contains("a confidence lies between 0 and 1"), "{complaint}");
}
