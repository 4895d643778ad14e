//! What a call should do now: speak, ask, wait, end; and a prompt as it is said at this moment.

use std::path::PathBuf;
use std::time::Duration;

use crate::dialplan::handover::Handover;
use crate::dialplan::plan::{Prompt, StepIx};
use crate::dialplan::scope::View;
use crate::dialplan::step::{Errand, Hearing};
use crate::dialplan::template;
use crate::media::BargeIn;
use crate::spoken::markup;

/// One thing to say, in the call's language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The words, with the markup that is left of them ([`markup::in_words`]).
    pub text: String,
    /// A recorded file that wins over synthesis.
    pub file: Option<PathBuf>,
}

/// What the call should do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Speak, then report [`Event::Said`](crate::dialplan::step::Event::Said).
    Say {
        /// Who says it.
        step: StepIx,
        /// In this order.
        lines: Vec<Line>,
        /// Must be heard whole.
        protected: bool,
        /// Who may stop it.
        barge_in: BargeIn,
    },
    /// Ask, then report what came of it.
    Ask(Asking),
    /// Hand the caller to a person, then report what came of it.
    HandOver {
        /// Who wants it.
        step: StepIx,
        /// Whom, and what they are told.
        handover: Box<Handover>,
    },
    /// Say this to who waits, and go on waiting.
    Meanwhile {
        /// Who says it.
        step: StepIx,
        /// In this order.
        lines: Vec<Line>,
    },
    /// Have this done, then report [`Event::Done`](crate::dialplan::step::Event::Done).
    Errand {
        /// Who wants it.
        step: StepIx,
        /// What.
        errand: Errand,
        /// Said when it takes longer than `after`.
        filler: Vec<Line>,
        /// When the filler is due.
        after: Duration,
        /// Longest wait.
        patience: Duration,
    },
    /// Say these whole, then hang up.
    End {
        /// Who ends it.
        step: StepIx,
        /// Last words; may be none.
        lines: Vec<Line>,
        /// `result:` of the hangup step.
        result: Option<String>,
        /// The plan ran in circles; in words for its author.
        fault: Option<String>,
    },
}

/// A way that a call took: from a step, to a step or to the end of its plan.
pub type Way = (StepIx, Option<StepIx>);

/// One asking of one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The step that asks.
    pub step: StepIx,
    /// Which of its questions.
    pub quest: usize,
    /// In which language and at which moment the answer is heard.
    pub hearing: Hearing,
    /// 1 for the first.
    pub attempt: u32,
    /// Said first, in this order.
    pub lines: Vec<Line>,
    /// Who may stop them.
    pub barge_in: BargeIn,
}

/// A question that was not asked, because the caller had answered it by then.
#[derive(Clone, Debug, PartialEq)]
pub struct Forestalled {
    /// The step that would have asked.
    pub step: StepIx,
    /// Which of its questions.
    pub quest: usize,
    /// What it was understood as: an option, a slot.
    pub meaning: String,
    /// How sure the recogniser was of the words. 0..1.
    pub confidence: f32,
}

/// A prompt as it is said now, and what went wrong with it.
pub fn line_of(prompt: &Prompt, view: View<'_>) -> (Line, Option<String>) {
    let text = prompt.texts.get(view.language).or_else(|| prompt.texts.values().next());
    let written = text.map_or("", String::as_str);
    let (text, fault) = match template::fill(written, view) {
        Ok(text) if written.starts_with("{{") => (as_sentence(&text), None),
        Ok(text) => (text.into_owned(), None),
        Err((text, why)) => (text, Some(why)),
    };
    // Only the plan writes markup: in a text that was written without any, what looks like some came with a value.
    let text = match markup::is_marked(written) {
        true => markup::in_words(&text, view.language, view.now.date()),
        false => markup::literal(text),
    };
    (Line { text, file: prompt.files.get(view.language).cloned() }, fault)
}

/// A value that begins a text begins a sentence.
fn as_sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
