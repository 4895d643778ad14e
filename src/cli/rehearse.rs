//! `trunkline try PLAN`: talk to a dial plan in text. The real call core answers, on a clock that jumps.
//!
//! ```text
//! bot  What can I do for you?
//! you  pay my bill (0.6) | play my bill (0.3)
//!      · “pay my bill” 0.60: repay 0.81 (known phrase), balance 0.07
//!      · “play my bill” 0.30: repay 0.42
//!      · takes 0.50 and more, 0.05 ahead of the next
//!      ← repay (0.81) from “pay my bill”
//! bot  How much would you like to pay?
//! ```

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use self::line::{Command, Line};
use self::show::{Level, Screen};
use self::stage::Stage;
use super::{Halt, complain, unwritten};
use crate::dialplan::diagnostic::listed;
use crate::dialplan::load;
use crate::dialplan::scope::Variables;
use crate::language::Language;
use crate::pii::Pii;
use crate::simulate::conversation::Caller;
use crate::simulate::transcript::{print_end, print_line};

mod line;
mod show;
mod stage;
#[cfg(feature = "mic")]
mod voice;

/// What may be typed.
const HELP: &str = "\
Speak in lines. What else may be typed:
  pay my bill (0.6) | play my bill (0.3)   what the recogniser may have heard, and how sure it is
  one two <0.6s> three                     with a pause in it
  stop that @0.8s                          0.8 s into what the bot says
  #1234        keys             (an empty line)   silence       hangup   hangs up
  :why         why the last words were taken so        :values      what the call knows
  :back        the last line was never said            :goto STEP   a new call begins there, knowing the same
  :save FILE   as a conversation test                  :explain, :usual, :quiet   how much is shown
  :http 200 {\"due\": 5}   what another system will answer   :noise 2s    a sound without words
  :agent Ada accepts        who is asked to take over; also declines, busy, no answer, hangs up
";

/// Talk to a dial plan in text.
#[derive(Debug, clap::Args)]
pub struct TryArgs {
    /// The plan.
    pub plan: PathBuf,
    /// What you speak; the plan's first language when not given.
    #[arg(long)]
    pub lang: Option<String>,
    /// Something known of the caller beforehand, such as `due=20`. May be given again.
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// Show every step, condition, value and deadline too.
    #[arg(short, long, conflicts_with = "quiet")]
    pub explain: bool,
    /// Show only what was understood, not why.
    #[arg(short, long)]
    pub quiet: bool,
    /// By voice, with the microphone and loudspeaker of this machine.
    #[arg(long, conflicts_with_all = ["lang", "variables", "explain", "quiet"])]
    pub mic: bool,
    /// Settings for `--mic` [default: trunkline.toml, if there is one]
    #[arg(short, long, value_name = "FILE", requires = "mic")]
    pub config: Option<PathBuf>,
}

/// Rehearses on the terminal, or on lines piped in. Succeeds when the call came to its end.
pub fn run(args: &TryArgs) -> ExitCode {
    if args.mic {
        return by_voice(args);
    }
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

#[cfg(feature = "mic")]
fn by_voice(args: &TryArgs) -> ExitCode {
    voice::run(&args.plan, args.config.as_deref())
}

#[cfg(not(feature = "mic"))]
fn by_voice(_: &TryArgs) -> ExitCode {
    complain(&"this trunkline was built without a voice for rehearsals; build it with `cargo build --features mic`");
    ExitCode::from(2)
}

fn rehearse(args: &TryArgs, lines: impl BufRead, out: &mut impl Write, echo: bool) -> Result<(), Halt> {
    let language = args.lang.as_deref().map(Language::parse).transpose().map_err(|wrong| wrong.to_string())?;
    let plan = load::load(&args.plan).map_err(|wrong| wrong.to_string())?.plan;
    if let Some(wrong) = language.as_ref().filter(|language| !plan.languages.contains(language)) {
        let spoken = listed(plan.languages.iter().map(Language::as_str));
        return Err(Halt::Failed(format!("{} does not speak {wrong}; it speaks {spoken}", args.plan.display())));
    }
    let variables = known(&args.variables)?;
    let level = match (args.explain, args.quiet) {
        (true, _) => Level::All,
        (_, true) => Level::Quiet,
        _ => Level::Usual,
    };
    let stage = Stage::new(plan, Caller { language, variables, ..Caller::default() });
    hold(stage, Screen::new(level), lines, out, echo)
}

fn known(with: &[String]) -> Result<Variables, String> {
    let one = |text: &String| match text.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_owned(), Pii::new(value.trim().to_owned()))),
        None => Err(format!("`{text}` is no value; write `--var due=20`")),
    };
    with.iter().map(one).collect()
}

/// `echo` repeats the caller's lines, for those whose lines come from a pipe.
fn hold(
    mut stage: Stage,
    mut screen: Screen,
    lines: impl BufRead,
    out: &mut impl Write,
    echo: bool,
) -> Result<(), Halt> {
    if !echo {
        writeln!(
            out,
            "Speak in lines. `#1234` presses keys, an empty line is silence, `hangup` hangs up, `:help` helps.\n"
        )?;
    }
    screen.exchange(&mut stage, out)?;
    let mut told = end(&stage, false, echo, out)?;
    for line in lines.lines() {
        let line = line.map_err(|error| format!("the rehearsal was cut off: {error}"))?;
        match line::read(&line) {
            // Nobody is there any more who could hear it.
            Ok(Line::Act(_)) if stage.is_over() => return Ok(()),
            Ok(Line::Act(act)) => {
                if echo {
                    writeln!(out, "{}", act.raw)?;
                }
                match stage.act(act) {
                    Ok(()) => screen.exchange(&mut stage, out)?,
                    Err(why) => screen.remark(&why, out)?,
                }
            }
            Ok(Line::Command(command)) => {
                if echo {
                    writeln!(out, "{}", line.trim())?;
                }
                order(&command, &mut stage, &mut screen, out)?;
            }
            Err(why) => screen.remark(&why, out)?,
        }
        told = end(&stage, told, echo, out)?;
    }
    // The script has run out: nobody is on the line any more.
    stage.leave();
    screen.exchange(&mut stage, out)?;
    end(&stage, told, true, out)?;
    Ok(())
}

/// Says how the call has ended, once. Returns whether that has been said.
fn end(stage: &Stage, told: bool, echo: bool, out: &mut impl Write) -> std::io::Result<bool> {
    let Some(record) = stage.talk().record() else { return Ok(false) };
    if !told {
        let end = print_end(&record.end, record.result.as_deref());
        writeln!(out, "{}", print_line("end", &end))?;
        if !echo {
            writeln!(out, "\n`:save FILE`, `:back` and `:goto STEP` still work; Enter leaves.")?;
        }
    }
    Ok(true)
}

fn order(command: &Command, stage: &mut Stage, screen: &mut Screen, out: &mut impl Write) -> std::io::Result<()> {
    match command {
        Command::Help => write!(out, "{HELP}"),
        Command::Why => screen.why(out),
        Command::Values => screen.values(stage.talk().scope(), out),
        Command::Show(level) => {
            screen.show_from_now_on(*level);
            Ok(())
        }
        Command::Back => {
            if !stage.back() {
                return screen.remark("nothing has been said yet", out);
            }
            screen.exchange(stage, out)
        }
        Command::Goto(step) => match stage.go_to(step) {
            Ok(()) => screen.exchange(stage, out),
            Err(why) => screen.remark(&why, out),
        },
        Command::Save(file, heading) => {
            let told = stage.save(file, heading).unwrap_or_else(|why| why);
            screen.remark(&told, out)
        }
    }
}

#[cfg(test)]
mod tests;
