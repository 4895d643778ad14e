//! `trunkline try PLAN`: talk to a dial plan in text. The real call core answers, on a clock that jumps.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::{Halt, complain, unwritten};
use crate::call::TimelineEvent;
use crate::dialplan::diagnostic::listed;
use crate::dialplan::load;
use crate::language::Language;
use crate::rtp::Digit;
use crate::simulate::conversation::{Caller, Conversation, Happening};
use crate::simulate::transcript::{USUAL_CONFIDENCE, print_end, print_line};

/// An empty line is silence for this long, or until the bot speaks.
const SILENCE: Duration = Duration::from_secs(60);

/// Talk to a dial plan in text.
#[derive(Debug, clap::Args)]
pub struct TryArgs {
    /// The plan.
    pub plan: PathBuf,
    /// What you speak; the plan's first language when not given.
    #[arg(long)]
    pub lang: Option<String>,
}

/// One line of a rehearsing caller.
#[derive(Clone, Debug, PartialEq)]
enum Turn {
    Says(String),
    Keys(Vec<Digit>),
    Silence,
    HangsUp,
}

impl Turn {
    const fn verb(&self) -> &'static str {
        match self {
            Self::Says(_) | Self::HangsUp => "you",
            Self::Keys(_) => "keys",
            Self::Silence => "...",
        }
    }
}

/// Rehearses on the terminal, or on lines piped in. Succeeds when the call came to its end.
pub fn run(args: &TryArgs) -> ExitCode {
    let stdin = std::io::stdin();
    let echo = !stdin.is_terminal();
    match rehearse(args, stdin.lock(), &mut std::io::stdout().lock(), echo) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Halt::Unwritten(error)) => unwritten(&error),
        Err(Halt::Failed(why)) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

fn rehearse(args: &TryArgs, lines: impl BufRead, out: &mut impl Write, echo: bool) -> Result<(), Halt> {
    let language = args.lang.as_deref().map(Language::parse).transpose().map_err(|wrong| wrong.to_string())?;
    let plan = load::load(&args.plan).map_err(|wrong| wrong.to_string())?.plan;
    if let Some(wrong) = language.as_ref().filter(|language| !plan.languages.contains(language)) {
        let spoken = listed(plan.languages.iter().map(Language::as_str));
        return Err(Halt::Failed(format!("{} does not speak {wrong}; it speaks {spoken}", args.plan.display())));
    }
    let mut talk = Conversation::begin(plan, &Caller { language, ..Caller::default() });
    hold(&mut talk, lines, out, echo)
}

/// `echo` repeats the caller's lines, for those whose lines come from a pipe.
fn hold(talk: &mut Conversation, lines: impl BufRead, out: &mut impl Write, echo: bool) -> Result<(), Halt> {
    if !echo {
        writeln!(out, "Speak in lines. `#1234` presses keys, an empty line is silence, `hangup` hangs up.\n")?;
    }
    talk.until_listening();
    show(talk, out)?;
    for line in lines.lines() {
        if talk.is_over() {
            break;
        }
        let line = line.map_err(|error| format!("the rehearsal was cut off: {error}"))?;
        let turn = read(&line);
        if echo {
            writeln!(out, "{}", print_line(turn.verb(), line.trim()).trim_end())?;
        }
        match turn {
            Turn::Says(words) => talk.say(&words, USUAL_CONFIDENCE),
            Turn::Keys(keys) => talk.press(&keys),
            Turn::HangsUp => talk.hang_up(),
            Turn::Silence => {
                talk.wait_for_bot(SILENCE);
            }
        }
        talk.until_listening();
        show(talk, out)?;
    }
    // The script has run out: nobody is on the line any more.
    if !talk.is_over() {
        talk.hang_up();
    }
    show(talk, out)?;
    if let Some(record) = talk.record() {
        let end = print_end(&record.end, record.result.as_deref());
        writeln!(out, "{}", print_line("end", &end))?;
    }
    Ok(())
}

/// `#1234` and `keys 1234` are keys; so is a lone `#…` of keys only, anything else is speech.
fn read(line: &str) -> Turn {
    let line = line.trim();
    let keys = line.strip_prefix("keys ").or_else(|| line.strip_prefix('#').filter(|rest| !rest.is_empty()));
    let keys = keys.and_then(|keys| keys.trim().chars().map(Digit::new).collect::<Option<Vec<Digit>>>());
    match (line, keys) {
        ("", _) => Turn::Silence,
        ("hangup" | "hang up", _) => Turn::HangsUp,
        (_, Some(keys)) => Turn::Keys(keys),
        ("#", None) => Turn::Keys(Digit::new('#').into_iter().collect()),
        (words, None) => Turn::Says(words.to_owned()),
    }
}

fn show(talk: &mut Conversation, out: &mut impl Write) -> std::io::Result<()> {
    for happening in talk.take_happenings() {
        match happening {
            Happening::Bot { text, .. } => writeln!(out, "{}", print_line("bot", &text))?,
            Happening::Timeline(event) => {
                if let Some(line) = describe(&event) {
                    writeln!(out, "{}", print_line("", &line))?;
                }
            }
        }
    }
    out.flush()
}

/// What the bot made of the caller. The words are the rehearser's own, so they may be shown.
fn describe(event: &TimelineEvent) -> Option<String> {
    match event {
        TimelineEvent::CallerSaid { confidence, meaning, heard, .. } => {
            let meaning = meaning.as_deref().unwrap_or("not understood");
            Some(format!("← {meaning} ({confidence:.2}) from “{}”", heard.reveal()))
        }
        TimelineEvent::Keys { meaning, keys } => {
            let meaning = meaning.as_deref().unwrap_or("not understood");
            Some(format!("← {meaning} from keys {}", keys.reveal()))
        }
        TimelineEvent::NoInput => Some("← silence".to_owned()),
        TimelineEvent::PlanFault { step, why } => Some(format!("! step `{step}`: {why}")),
        TimelineEvent::Waiting { group } => Some(format!("← waits for an agent of {group}")),
        TimelineEvent::HandedBack { end } => Some(format!("← back with the plan: {end}")),
        TimelineEvent::Ringing
        | TimelineEvent::Joined { .. }
        | TimelineEvent::Answered
        | TimelineEvent::Held
        | TimelineEvent::Resumed
        | TimelineEvent::Consulting
        | TimelineEvent::TakenOver
        | TimelineEvent::StandsBy
        | TimelineEvent::Transferring
        | TimelineEvent::TransferFailed { .. }
        | TimelineEvent::BotSaid { .. }
        | TimelineEvent::Waits { .. }
        | TimelineEvent::Replied { .. }
        | TimelineEvent::Ended { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dialplan::fixture::bank;

    fn rehearsed(lines: &str) -> String {
        let mut talk = Conversation::begin(Arc::new(bank()), &Caller::default());
        let mut out = Vec::new();
        hold(&mut talk, lines.as_bytes(), &mut out, true).unwrap();
        String::from_utf8(out).unwrap()
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
    fn a_language_the_plan_does_not_speak_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let plan = folder.path().join("a.yaml");
        std::fs::write(&plan, "dialplan: 1\nstart: a\nsteps: { a: { hangup: } }\n").unwrap();
        let tried = |lang: &str| {
            let args = TryArgs { plan: plan.clone(), lang: Some(lang.to_owned()) };
            rehearse(&args, &b""[..], &mut Vec::new(), true)
        };
        assert!(tried("en-US").is_ok());
        let Err(Halt::Failed(why)) = tried("fr-FR") else { panic!("French was taken") };
        assert!(why.contains("does not speak fr-FR; it speaks") && why.contains("en-US"), "{why}");
    }

    #[test]
    fn a_line_is_keys_only_when_all_of_it_is() {
        let keys = |keys: &str| Turn::Keys(keys.chars().filter_map(Digit::new).collect());
        assert_eq!(read("#1234"), keys("1234"));
        assert_eq!(read("keys 12#"), keys("12#"));
        assert_eq!(read("#"), keys("#"));
        assert_eq!(read("#hello"), Turn::Says("#hello".into()));
        assert_eq!(read("  "), Turn::Silence);
        assert_eq!(read("hangup"), Turn::HangsUp);
        assert_eq!(read("one two"), Turn::Says("one two".into()));
    }
}
