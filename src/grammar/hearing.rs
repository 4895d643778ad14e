//! What a grammar asks of built-ins.

use crate::value::Value;

use super::automaton::BuiltinCall;

/// Hears built-in grammars: `builtin:grammar/digits?length=4` and the like.
pub trait Builtins {
    /// Everything `call` may hear in `words` from the first of them on: as many words as one likes, never none. `words`
    /// are as they are compared (see [`super::words`]), or keys.
    fn hear(&self, call: &BuiltinCall, words: &[String]) -> Vec<Heard>;

    /// What is wrong with a call, as a sentence; `None` when it can be heard.
    fn fault(&self, call: &BuiltinCall) -> Option<String>;

    /// Phrases `call` hears, a few of each kind, for whoever wants examples.
    fn examples(&self, call: &BuiltinCall) -> Vec<String> {
        let _ = call;
        Vec::new()
    }
}

/// What a built-in has heard.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// How many words it takes.
    pub words: usize,
    /// What they mean; `None` when they are only the beginning of something.
    pub value: Option<Value>,
    /// Could more words belong to it?
    pub open: bool,
    /// How likely, as a natural logarithm: at most 0.
    pub weight: f32,
}

/// No built-ins at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBuiltins;

impl Builtins for NoBuiltins {
    fn hear(&self, _: &BuiltinCall, _: &[String]) -> Vec<Heard> {
        Vec::new()
    }

    fn fault(&self, call: &BuiltinCall) -> Option<String> {
        Some(format!("the built-in `{}` is not known", call.kind()))
    }
}
