//! A rehearsal as it is shown. The words are the rehearser's own, so they may be.

use std::collections::BTreeMap;
use std::io::Write;

use super::stage::Stage;
use crate::call::{Reason, TimelineEvent};
use crate::cli::harmless;
use crate::dialplan::plan::Plan;
use crate::dialplan::scope::Scope;
use crate::dialplan::step::Told;
use crate::simulate::conversation::Happening;
use crate::simulate::transcript::print_line;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What was understood.
    Quiet,
    /// And why.
    Usual,
    /// And every step, condition, value and deadline.
    All,
}

/// What the rehearser sees, and has seen.
#[derive(Debug)]
pub struct Screen {
    level: Level,
    /// Why the last words were taken so.
    reasons: Vec<String>,
    /// Values as they were shown last.
    values: BTreeMap<String, String>,
}

impl Screen {
    /// Nothing has been shown yet.
    pub const fn new(level: Level) -> Self {
        Self { level, reasons: Vec::new(), values: BTreeMap::new() }
    }

    /// So much is shown from now on.
    pub const fn show_from_now_on(&mut self, level: Level) {
        self.level = level;
    }

    /// What has happened since the last line.
    pub fn exchange(&mut self, stage: &mut Stage, out: &mut impl Write) -> std::io::Result<()> {
        let plan = stage.plan().clone();
        for happening in stage.take_happenings() {
            self.happened(&plan, happening, out)?;
        }
        if self.level == Level::All {
            self.changed(stage.talk().scope(), out)?;
            self.waits(stage, out)?;
        }
        out.flush()
    }

    /// A word of the rehearsal itself.
    pub fn remark(&self, text: &str, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "{}", print_line("", &format!("! {text}")))
    }

    /// Why the last words were taken as they were.
    pub fn why(&self, out: &mut impl Write) -> std::io::Result<()> {
        if self.reasons.is_empty() {
            return self.remark("nothing has been said yet", out);
        }
        self.reasons.iter().try_for_each(|reason| writeln!(out, "{}", print_line("", &format!("· {reason}"))))
    }

    /// Everything the call knows.
    pub fn values(&self, scope: &Scope, out: &mut impl Write) -> std::io::Result<()> {
        let known = shown(scope);
        if known.is_empty() {
            return self.remark("nothing yet", out);
        }
        known.iter().try_for_each(|(name, value)| writeln!(out, "{}", print_line("", &format!("= {name}: {value}"))))
    }

    fn happened(&mut self, plan: &Plan, happening: Happening, out: &mut impl Write) -> std::io::Result<()> {
        let line = match happening {
            Happening::Bot { text, .. } => return writeln!(out, "{}", print_line("bot", &harmless(&text))),
            Happening::Timeline(event) => describe(&event),
            Happening::Told(told) if self.level == Level::All => Some(tell(plan, &told)),
            Happening::Told(_) => None,
            Happening::Reasons(reasons) => {
                self.reasons = reasons;
                if self.level != Level::Quiet {
                    self.why(out)?;
                }
                None
            }
            Happening::Asked { asked, answer } => Some(match answer {
                Some(Ok(answer)) => format!("⇄ {asked}: {} {}", answer.status, answer.json),
                Some(Err(failure)) => format!("⇄ {asked}: {failure}"),
                None => format!("⇄ {asked}: no answer; say `:http 200 {{…}}` before the line that leads here"),
            }),
        };
        line.map_or(Ok(()), |line| writeln!(out, "{}", print_line("", &harmless(&line))))
    }

    /// Values that are new or different.
    fn changed(&mut self, scope: &Scope, out: &mut impl Write) -> std::io::Result<()> {
        let now = shown(scope);
        for (name, value) in now.iter().filter(|(name, value)| self.values.get(*name) != Some(*value)) {
            writeln!(out, "{}", print_line("", &format!("= {name}: {value}")))?;
        }
        self.values = now;
        Ok(())
    }

    /// Which question is open, and until when.
    fn waits(&self, stage: &Stage, out: &mut impl Write) -> std::io::Result<()> {
        let talk = stage.talk();
        let (Some(asking), Some((time, reason))) = (talk.asking(), talk.deadline()) else { return Ok(()) };
        let step = stage.plan().step(asking.step);
        let Some(quest) = step.quest(asking.quest) else { return Ok(()) };
        let waits = match reason {
            Reason::NoInput => format!("silence counts after {:.1} s", time.as_secs_f64()),
            Reason::InterDigit => format!("keys are complete after {:.1} s", time.as_secs_f64()),
            other => format!("{other:?} in {:.1} s", time.as_secs_f64()),
        };
        let (attempt, tries) = (asking.attempt, quest.question.tries);
        let line = format!("… `{}` asks, try {attempt} of {tries}; {waits}", step.name);
        writeln!(out, "{}", print_line("", &line))
    }
}

fn tell(plan: &Plan, told: &Told) -> String {
    match told {
        Told::Came(place) => {
            let step = plan.step(*place);
            format!("→ {} {}", step.word, step.name)
        }
        Told::Weighed { condition, holds: Ok(holds) } => {
            format!("? {condition}: {}", if *holds { "yes" } else { "no" })
        }
        Told::Weighed { condition, holds: Err(why) } => format!("? {condition}: cannot be told, {why}"),
    }
}

/// Values as text; of secrets only that they are there.
fn shown(scope: &Scope) -> BTreeMap<String, String> {
    let open = scope.values().map(|(name, value)| (name.to_owned(), harmless(&value.plain())));
    let secret = scope.secrets().map(|(name, _)| (name.to_owned(), "(hidden)".to_owned()));
    open.chain(secret).collect()
}

/// What the bot made of the caller. The words are the rehearser's own, so they may be shown.
pub fn describe(event: &TimelineEvent) -> Option<String> {
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
