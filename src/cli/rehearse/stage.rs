//! The call being rehearsed. What was done in it is remembered, so that it can be held again without its last line, or with
//! a caller who does not wait for the bot's last word: the same lines always lead to the same call.

use std::path::Path;
use std::sync::Arc;

use super::line::Act;
use crate::dialplan::diagnostic::nearest;
use crate::dialplan::plan::{Plan, StepIx};
use crate::dialplan::scope::Scope;
use crate::simulate::conversation::{Caller, Conversation, Happening};
use crate::simulate::runner::{self, Plans, perform, when_of};
use crate::simulate::transcript::{self, What, When};

/// A rehearsal.
pub struct Stage {
    plan: Arc<Plan>,
    caller: Caller,
    /// Where the call begins, if not where the plan does.
    there: Option<(StepIx, Scope)>,
    /// What was done, each behind so many things that the bot has said or begun to say since the one before.
    acts: Vec<(Act, usize)>,
    talk: Conversation,
    /// Things the bot has said since the last was done.
    said: usize,
}

/// What the bot says is filled in where this stands.
const UNKNOWN: &str = "bot  ?";

impl Stage {
    /// The call is answered, and the bot has said its first words.
    pub fn new(plan: Arc<Plan>, caller: Caller) -> Self {
        let talk = begun(&plan, &caller, None);
        let mut stage = Self { plan, caller, there: None, acts: Vec::new(), talk, said: 0 };
        stage.go_on();
        stage
    }

    /// The plan.
    pub const fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The call.
    pub const fn talk(&self) -> &Conversation {
        &self.talk
    }

    /// What has happened since this was last asked.
    pub fn take_happenings(&mut self) -> Vec<Happening> {
        self.talk.take_happenings()
    }

    /// Is the call over?
    pub const fn is_over(&self) -> bool {
        self.talk.is_over()
    }

    /// This is done, and the bot answers.
    pub fn act(&mut self, act: Act) -> Result<(), String> {
        if let When { into: Some(into), .. } = when_of(&act.what) {
            // The bot has finished by now: once more, up to where it says its last line.
            self.replay();
            self.talk.into_bot_line(self.said, into);
            self.talk.take_happenings();
        }
        perform(&mut self.talk, &act.what)?;
        let answers = matches!(act.what, What::Http { .. });
        self.acts.push((act, self.said));
        if !answers {
            self.go_on();
        }
        Ok(())
    }

    /// The last line was never said. Returns whether there was one.
    pub fn back(&mut self) -> bool {
        let said = self.acts.pop().is_some();
        self.replay();
        self.go_on();
        said
    }

    /// A new call begins at that step, knowing what this one knows.
    pub fn go_to(&mut self, step: &str) -> Result<(), String> {
        let Some(place) = self.plan.step_named(step) else {
            let near = nearest(step, self.plan.steps.iter().map(|step| step.name.as_str()));
            let help = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Err(format!("there is no step `{step}`{help}"));
        };
        self.there = Some((place, self.talk.scope().clone()));
        self.acts.clear();
        self.talk = begun(&self.plan, &self.caller, self.there.clone());
        self.go_on();
        Ok(())
    }

    /// Nobody is on the line any more.
    pub fn leave(&mut self) {
        if !self.talk.is_over() {
            self.talk.hang_up();
        }
    }

    /// Writes the call so far as a conversation test, behind what the file holds already. Says what was done.
    pub fn save(&self, file: &Path, heading: &str) -> Result<String, String> {
        if self.there.is_some() {
            return Err("a call that began in the middle cannot be a test: tests begin where the plan does".to_owned());
        }
        if !file.to_string_lossy().ends_with(".test.md") {
            return Err(format!("tests are looked for in files named `….test.md`, which {} is not", file.display()));
        }
        let mut block = format!("```call\n{}\n", self.header(file)?);
        let mut lines: Vec<&str> = Vec::new();
        for (act, said) in &self.acts {
            // A moment within a line of the bot counts the lines above it.
            let counts = when_of(&act.what).into.is_some();
            lines.extend(std::iter::repeat_n(UNKNOWN, if counts { *said } else { 0 }));
            lines.push(&act.raw);
        }
        let whole = format!("## {heading}\n\n{block}{}\n```\n", lines.join("\n"));
        let script = transcript::parse(&whole).map_err(|_| "the lines cannot be written as a test".to_owned())?;
        let script = script.first().ok_or("nothing has been said yet")?;
        // What the bot says is what it says to these lines when nobody sits there.
        let outcome = runner::run(script, self.plan.clone());
        for line in runner::print_updated(&outcome) {
            block.push_str(&line);
            block.push('\n');
        }
        if let Some(record) = self.talk.record() {
            let end = transcript::print_end(&record.end, record.result.as_deref());
            block.push_str(&format!("{}\n", transcript::print_line("end", &end)));
        }
        let before = match std::fs::read_to_string(file) {
            Ok(text) => format!("{}\n\n", text.trim_end()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => format!("# {}\n\n", self.plan.name),
            Err(error) => return Err(format!("{}: {error}", file.display())),
        };
        let text = format!("{before}## {heading}\n\n{block}```\n");
        std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(format!("written to {}: `trunkline test {}` holds it again", file.display(), file.display()))
    }

    fn header(&self, file: &Path) -> Result<String, String> {
        let plan = &self.plan.file;
        let beside = plan.file_name().map(Path::new).into_iter().chain([plan.as_path()]);
        let ours = plan.canonicalize().ok();
        let found = |named: &&Path| Plans::find(named, file).and_then(|found| found.canonicalize().ok()) == ours;
        let named = beside.into_iter().find(found);
        let named = named.ok_or_else(|| format!("put it beside {}, or in a folder below it", plan.display()))?;
        let mut header = format!("plan: {}", named.display());
        if let Some(language) = &self.caller.language {
            header.push_str(&format!("   lang: {language}"));
        }
        if !self.caller.variables.is_empty() {
            let known = self.caller.variables.iter().map(|(name, value)| format!("{name}={}", value.reveal()));
            header.push_str(&format!("   with: {}", known.collect::<Vec<_>>().join(", ")));
        }
        Ok(header)
    }

    /// The same call again, up to what comes of its last line.
    fn replay(&mut self) {
        self.talk = begun(&self.plan, &self.caller, self.there.clone());
        for (act, said) in &self.acts {
            match when_of(&act.what).into {
                Some(into) => {
                    self.talk.into_bot_line(*said, into);
                }
                None if matches!(act.what, What::Http { .. }) => {}
                None => self.talk.until_listening(),
            }
            self.talk.take_happenings();
            // It could be done the first time.
            let _ = perform(&mut self.talk, &act.what);
        }
    }

    /// The bot answers, and listens.
    fn go_on(&mut self) {
        self.talk.until_listening();
        let bot = |happening: &&Happening| matches!(happening, Happening::Bot { .. });
        self.said = self.talk.happenings().iter().filter(bot).count();
    }
}

fn begun(plan: &Arc<Plan>, caller: &Caller, there: Option<(StepIx, Scope)>) -> Conversation {
    let mut talk = Conversation::begin_at(plan.clone(), caller, there);
    talk.tell_all();
    talk
}
