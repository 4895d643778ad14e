//! Rehearsals as they are seen.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::dialplan::fixture::bank;
use crate::dialplan::plan::Plan;
use crate::simulate::runner::{Plans, run_file};

fn shown(plan: Plan, level: Level, lines: &str) -> String {
    let stage = Stage::new(Arc::new(plan), Caller::default());
    let mut out = Vec::new();
    hold(stage, Screen::new(level), lines.as_bytes(), &mut out, true).unwrap();
    String::from_utf8(out).unwrap()
}

fn rehearsed(lines: &str) -> String {
    shown(bank(), Level::Quiet, lines)
}

#[test]
fn keys_and_words_walk_the_plan_to_its_end() {
    let shown = rehearsed("balance\n#123456\n");
    assert!(shown.contains("bot  Welcome to the bank.\nbot  What can I do for you?\nyou  balance\n"), "{shown}");
    assert!(shown.contains("← balance ("), "{shown}");
    assert!(shown.contains("← pin from keys (hidden)\nbot  You have ten dollars.\n"), "{shown}");
    assert!(shown.ends_with("end  completed: balance\n"), "{shown}");
}

#[test]
fn an_empty_line_is_silence_and_the_end_of_input_hangs_up() {
    let shown = rehearsed("\n");
    assert!(shown.contains("← silence\nbot  I did not hear you. Say balance, or lost card.\n"), "{shown}");
    assert!(shown.ends_with("end  caller hung up\n"), "{shown}");
}

#[test]
fn what_words_were_taken_for_is_shown_with_every_guess_and_what_it_takes() {
    let usual = shown(bank(), Level::Usual, "valance (0.6) | my balance (0.5)\n#9\n");
    assert!(usual.contains("you  valance (0.6) | my balance (0.5)\n     · “valance” 0.60: "), "{usual}");
    assert!(usual.contains("     · “my balance” 0.50: balance 0."), "{usual}");
    assert!(usual.contains("     · takes 0.50 and more, 0.05 ahead of the next\n"), "{usual}");
    let keys = shown(bank(), Level::Usual, "#9\n");
    assert!(keys.contains("· keys 9 are nothing here\n     · keys here: 1 balance, 2 lost, 0 $operator\n"), "{keys}");
    let quiet = rehearsed("valance (0.6) | my balance (0.5)\n");
    assert!(!quiet.contains('·'), "{quiet}");
}

#[test]
fn steps_values_and_deadlines_are_shown_to_who_wants_them() {
    let all = shown(bank(), Level::All, "balance\n#1234\n");
    assert!(all.contains("… `main` asks, try 1 of 3; silence counts after 3.6 s\n"), "{all}");
    assert!(all.contains("     → ask verify\nbot  Please key in your PIN.\n"), "{all}");
    assert!(all.contains("     = pin: (hidden)\n"), "{all}");
    assert!(!all.contains("= pin: 1234"), "{all}");
}

const PLAN: &str = "dialplan: 1
languages: [en-US]
start: ask
inputs: { due: { type: amount USD } }
defaults: { question: { go: bye } }
steps:
  ask: { ask: { prompt: \"How many?\", want: number, go: which } }
  which: { branch: { when: [{ if: ask > 5, go: many }], else: few } }
  many: { hangup: { text: \"Many.\", result: many } }
  few: { say: { text: \"Few. {{ due }}.\", go: ask } }
  bye: { hangup: \"Bye.\" }
";

fn planned(lines: &str, level: Level) -> (String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("many.yaml");
    std::fs::write(&plan, PLAN).unwrap();
    let args = TryArgs {
        plan,
        lang: None,
        variables: vec!["due=20".to_owned()],
        explain: level == Level::All,
        quiet: level == Level::Quiet,
        mic: false,
        config: None,
    };
    let lines = lines.replace("FILE", &folder.path().join("many.test.md").display().to_string());
    let mut out = Vec::new();
    rehearse(&args, lines.as_bytes(), &mut out, true).unwrap_or_else(|halt| panic!("{halt:?}"));
    (String::from_utf8(out).unwrap(), folder)
}

#[test]
fn conditions_are_shown_with_what_came_of_them() {
    let (all, _folder) = planned("three\nseven\n", Level::All);
    assert!(all.contains("     → branch which\n     ? ask > 5: no\n     → say few\nbot  Few. "), "{all}");
    assert!(all.contains("     = ask: 3\n"), "{all}");
    assert!(all.contains("     ? ask > 5: yes\n     → hangup many\nbot  Many.\n"), "{all}");
    assert!(all.ends_with("end  completed: many\n"), "{all}");
}

#[test]
fn a_line_can_be_unsaid_and_a_step_gone_to() {
    let (shown, _folder) = planned("three\n:back\nseven\n", Level::Quiet);
    assert_eq!(shown.matches("bot  How many?").count(), 3, "asked, asked after few, asked again: {shown}");
    assert!(shown.ends_with("bot  Many.\nend  completed: many\n"), "{shown}");
    let (shown, _folder) = planned(":goto few\n:values\n", Level::Quiet);
    assert!(shown.contains(":goto few\nbot  Few. twenty dollars.\nbot  How many?\n"), "what is known stays: {shown}");
    assert!(shown.contains("     = due: "), "{shown}");
    let (shown, _folder) = planned(":goto fwe\n:back\n", Level::Quiet);
    assert!(shown.contains("! there is no step `fwe`; did you mean `few`?"), "{shown}");
    assert!(shown.contains("! nothing has been said yet"), "{shown}");
}

#[test]
fn a_rehearsal_saved_is_a_test_that_passes() {
    let lines = "three\nfour (0.9) | five (0.2) @0.3s\n:save FILE By word\nseven\n:save FILE To the end\n";
    let (shown, folder) = planned(lines, Level::Quiet);
    assert_eq!(shown.matches("! written to ").count(), 2, "{shown}");
    let file = folder.path().join("many.test.md");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with(
            "# many\n\n## By word\n\n```call\nplan: many.yaml   with: due=20\nbot  How many?\nyou  three\n"
        ),
        "{text}"
    );
    assert!(text.contains("bot  Few. twenty dollars.\nbot  How many?\nyou  four (0.9) | five (0.2) @0.3s\n"), "{text}");
    assert!(
        text.contains("## To the end\n") && text.ends_with("you  seven\nbot  Many.\nend  completed: many\n```\n"),
        "{text}"
    );
    let report = run_file(&file, &mut Plans::default());
    assert_eq!((report.conversations, report.failures), (2, Vec::new()), "{text}");
}

#[test]
fn a_call_that_is_over_can_be_taken_back_and_ends_once_for_each_end() {
    let (shown, _folder) = planned("seven\n:back\nthree\nseven\nnobody hears this\n", Level::Quiet);
    assert_eq!(shown.matches("end  completed: many\n").count(), 2, "{shown}");
    assert!(!shown.contains("nobody hears"), "{shown}");
}

#[test]
fn only_tests_are_written_and_only_of_whole_calls() {
    let (shown, folder) = planned(":save FILE.txt\n:goto few\n:save FILE\n", Level::Quiet);
    assert!(shown.contains("! tests are looked for in files named `….test.md`"), "{shown}");
    assert!(shown.contains("! a call that began in the middle cannot be a test"), "{shown}");
    assert!(!Path::new(&folder.path().join("many.test.md")).exists());
}

#[test]
fn who_speaks_into_what_the_bot_says_cuts_it_short() {
    let mut stage = Stage::new(Arc::new(bank()), Caller::default());
    let Ok(Line::Act(act)) = line::read("balance @0.2s") else { panic!("an act") };
    stage.act(act).unwrap();
    assert_eq!(stage.talk().interruptions(), 1);
    assert!(stage.back() && stage.talk().interruptions() == 0, "and it can be unsaid");
}

#[test]
fn a_language_the_plan_does_not_speak_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("a.yaml");
    std::fs::write(&plan, "dialplan: 1\nstart: a\nsteps: { a: { hangup: } }\n").unwrap();
    let tried = |lang: &str, with: &[&str]| {
        let variables = with.iter().map(|one| (*one).to_owned()).collect();
        let args = TryArgs {
            plan: plan.clone(),
            lang: Some(lang.to_owned()),
            variables,
            explain: false,
            quiet: true,
            mic: false,
            config: None,
        };
        rehearse(&args, &b""[..], &mut Vec::new(), true)
    };
    assert!(tried("en-US", &["due=5"]).is_ok());
    let Err(Halt::Failed(why)) = tried("fr-FR", &[]) else { panic!("French was taken") };
    assert!(why.contains("does not speak fr-FR; it speaks") && why.contains("en-US"), "{why}");
    let Err(Halt::Failed(why)) = tried("en-US", &["due"]) else { panic!("a name without a value") };
    assert!(why.contains("--var due=20"), "{why}");
}
