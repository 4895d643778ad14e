//! How sure is sure enough: what is taken at once, what is read back, what is asked for again.
//!
//! ```text
//!   0 ────────── below ─────────────────── above ────────── 1
//!     ask again   │   read back, confirm    │   take it
//! ```

use super::value_ear::VALUE_BELOW;
use crate::dialplan::compile::Compiler;
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::plan::Prompt;
use crate::dialplan::read::{self, Fields};
use crate::dialplan::yaml::{Node, Value as Yaml};

/// Values at least this sure need no confirmation. 0..1.
pub const SURE: f32 = 0.85;

/// Ways of an `ask`.
pub const ASK_WORDS: &[&str] = &["never", "implicit", "explicit", "auto"];
/// Ways of a `form`.
pub const FORM_WORDS: &[&str] = &["never", "always", "auto"];

/// The keys of a band, with the words that `how` may be.
pub const fn keys(words: &'static [&'static str]) -> [Key; 4] {
    [
        key("how", Shape::Word(words), "When what was understood is confirmed."),
        key("prompt", Shape::Text, "How it is read back; `{{ it }}` is all of it."),
        key("above", Shape::Fraction, "Values at least this sure need no confirmation under `auto`."),
        key("below", Shape::Fraction, "Values less sure than this are asked for again."),
    ]
}

/// When what was understood is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Never.
    Never,
    /// It is read back, with a moment to object.
    Implicit,
    /// It is read back as a question.
    Explicit,
    /// As a question, where it is not sure enough.
    Auto,
}

/// A confidence band.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// When.
    pub how: How,
    /// From here on it is sure enough. 0..1.
    pub above: f32,
    /// Below it is asked for again. 0..1.
    pub below: f32,
}

impl Band {
    /// Is a value this sure taken without a word?
    pub fn takes(&self, sure: f32) -> bool {
        match self.how {
            How::Never => true,
            How::Implicit | How::Explicit => false,
            How::Auto => sure >= self.above,
        }
    }

    /// Reads `confirm:`, with the author's words for the question.
    pub(in crate::dialplan) fn read(
        fields: &mut Fields,
        (words, table): (&[&str], &'static [Key]),
        otherwise: How,
        cx: &mut Compiler<'_>,
    ) -> (Self, Option<Prompt>) {
        let mut band = Self { how: otherwise, above: SURE, below: VALUE_BELOW };
        let Some(node) = fields.take("confirm") else { return (band, None) };
        if let Yaml::Scalar { .. } = node.value {
            band.how = how(&node, words, cx).unwrap_or(otherwise);
            return (band, None);
        }
        let Some(mut fields) = Fields::open(node, "`confirm`", &[table], cx.findings) else { return (band, None) };
        band.how = fields.take("how").map_or(Some(How::Auto), |node| how(&node, words, cx)).unwrap_or(otherwise);
        let prompt = cx.prompt_of(&mut fields, "prompt");
        band.below = fields.read("below", cx.findings, read::fraction).map_or(VALUE_BELOW, |below| below.value);
        if let Some(above) = fields.read("above", cx.findings, read::fraction) {
            if above.value < band.below {
                let message = format!("`above` lies under `below`, which is {}", band.below);
                cx.findings.error(above.at, message).help("what is sure enough must be surer than what is asked again");
            }
            band.above = above.value;
        }
        (band, prompt)
    }
}

fn how(node: &Node, words: &[&str], cx: &mut Compiler<'_>) -> Option<How> {
    let word = read::word(node, "`confirm`", words, cx.findings)?;
    Some(match word.value.as_str() {
        "never" => How::Never,
        "implicit" => How::Implicit,
        "explicit" | "always" => How::Explicit,
        _ => How::Auto,
    })
}
