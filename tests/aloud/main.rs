//! `trunkline test --audio`: the same conversations in text and as real calls, with synthesised callers.
//!
//! A call takes its time, so each test makes as few as it can. They assert on where calls went, never on how long it
//! took.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run said, and how it ended.
struct Run {
    said: String,
    code: Option<i32>,
}

/// Runs `trunkline test` over the file of these tests.
fn test(arguments: &[&str], models: Option<&Path>) -> Run {
    run("tests/aloud/shop.test.md", arguments, models)
}

fn run(file: &str, arguments: &[&str], models: Option<&Path>) -> Run {
    let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aloud");
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    command.args(["test", file]).args(arguments).stdin(Stdio::null()).env_remove("UPDATE");
    // Prompts are kept by content, so that every run finds what one has rendered.
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env("TRUNKLINE_DATA_DIR", data);
    if let Some(models) = models {
        command.env("TRUNKLINE_MODELS", models).env_remove("ORT_DYLIB_PATH").env("XDG_DATA_HOME", models);
    }
    let output = command.output().expect("trunkline runs");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    Run { said, code: output.status.code() }
}

/// Models that a stranger's clone may lack.
fn have_models() -> bool {
    let found = std::env::var_os("TRUNKLINE_MODELS").map(PathBuf::from);
    let found = found.is_some_and(|folder| folder.join("moonshine-tiny-en/encoder_model.ort").exists());
    if !found {
        let why = "TRUNKLINE_MODELS does not lead to moonshine-tiny-en";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must have its data: {why}");
        println!("skipped: {why}");
    }
    found
}

#[test]
fn what_passes_in_text_passes_by_telephone() {
    if !have_models() {
        return;
    }
    let text = test(&[], None);
    assert_eq!(text.code, Some(0), "{}", text.said);
    assert!(text.said.contains("7 conversations, 7 passed"), "{}", text.said);
    let folder = tempfile::tempdir().expect("a folder");
    let kept = folder.path().to_str().expect("a plain path");
    for heading in ["in words", "keys that interrupt", "then a hang-up", "agent declines", "用按键"] {
        let call = test(&["--audio", "--keep", kept, "-k", heading], None);
        assert_eq!(call.code, Some(0), "{heading}: {}", call.said);
        assert!(call.said.contains("1 passed, 0 failed"), "{heading}: {}", call.said);
    }
    let files: Vec<_> =
        std::fs::read_dir(folder.path()).expect("recordings").flatten().map(|file| file.path()).collect();
    assert_eq!(files.len(), 5, "{files:?}");
    for file in files {
        let wav = hound::WavReader::open(&file).expect("a whole WAV file");
        let samples: Vec<i16> = wav.into_samples().map(|sample| sample.expect("a whole sample")).collect();
        let loudest = |side: usize| samples.iter().skip(side).step_by(2).map(|sample| sample.unsigned_abs()).max();
        assert!(loudest(0) > Some(2_000), "the caller heard the bot: {}", file.display());
        let speaks = file.to_string_lossy().contains("in-words");
        assert!((loudest(1) > Some(2_000)) == speaks, "and said something, or nothing: {}", file.display());
    }
}

#[test]
fn a_call_that_does_not_go_where_the_conversation_says_fails() {
    if !have_models() {
        return;
    }
    let riddle = test(&["--audio", "-k", "riddle"], None);
    assert_eq!(riddle.code, Some(1), "{}", riddle.said);
    assert!(riddle.said.contains("0 passed, 1 failed"), "{}", riddle.said);
    assert!(riddle.said.contains("for \"qwzx vrrk\""), "what was heard instead stands there: {}", riddle.said);
    // The wrong end is a fault of the conversation already when it is only read.
    let folder = tempfile::tempdir_in(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aloud")).expect("a folder");
    let file = folder.path().join("wrong.test.md");
    let wrong = "```call\nplan: shop.yaml   lang: en-US\nbot …\nkeys 1\nbot …\nend completed: order\n```\n";
    std::fs::write(&file, wrong).expect("the folder is ours");
    let wrong = run(file.to_str().expect("a plain path"), &["--audio"], None);
    assert_eq!(wrong.code, Some(1), "{}", wrong.said);
    assert!(wrong.said.contains("fails in text already"), "{}", wrong.said);
}

#[test]
fn what_nothing_here_understands_is_left_out_and_says_why() {
    let empty = tempfile::tempdir().expect("a folder");
    let deaf = test(&["--audio", "-k", "in words"], Some(empty.path()));
    assert_eq!(deaf.code, Some(2), "{}", deaf.said);
    assert!(deaf.said.contains("scripts/models") && deaf.said.contains("1 left out"), "{}", deaf.said);
    // No model that this product knows hears Mandarin by voice; keys need none.
    let mandarin = test(&["--audio", "-k", "查营业时间"], Some(empty.path()));
    assert_eq!(mandarin.code, Some(0), "{}", mandarin.said);
    assert!(mandarin.said.contains("1 passed, 0 failed, 1 left out"), "{}", mandarin.said);
    assert!(mandarin.said.contains("nothing here understands zh-CN by voice"), "{}", mandarin.said);
}
