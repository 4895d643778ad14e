//! What the engine says by itself, in the languages it comes with. A plan may override each under `phrases:`.

use crate::language::Language;

/// The engine's own words in one language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct House {
    /// The caller said nothing.
    pub no_input: &'static str,
    /// The words fit nothing.
    pub no_match: &'static str,
    /// The call ends and the plan has no words for it.
    pub goodbye: &'static str,
    /// A fault of ours.
    pub failure: &'static str,
    /// There is no recogniser, or it is busy.
    pub keys_only: &'static str,
    /// Is this right? `it` is what was understood.
    pub check: &'static str,
    /// What was understood is told by the way.
    pub noted: &'static str,
    /// It was wrong: what next is asked.
    pub again: &'static str,
    /// Which of several is wrong? `it` lists them.
    pub which: &'static str,
}

const ENGLISH: House = House {
    no_input: "I did not hear you.",
    no_match: "Sorry, I did not get that.",
    goodbye: "Goodbye.",
    failure: "Something went wrong on our side. Goodbye.",
    keys_only: "I cannot hear speech just now. Please use the keys.",
    check: "{{ it }}. Is that right?",
    noted: "{{ it }}.",
    again: "Sorry. Let us try again.",
    which: "Which part is wrong: {{ it }}?",
};

const MANDARIN: House = House {
    no_input: "我没有听到您说话。",
    no_match: "抱歉，我没有听懂。",
    goodbye: "再见。",
    failure: "我们这边出了点问题，再见。",
    keys_only: "现在无法识别语音，请用按键选择。",
    check: "{{ it }}，对吗？",
    noted: "{{ it }}。",
    again: "抱歉，我们再来一次。",
    which: "哪一项不对：{{ it }}？",
};

impl House {
    /// The built-in words of a language; `None` where the plan has to bring its own.
    pub fn built_in(language: &Language) -> Option<Self> {
        match language.primary() {
            "en" => Some(ENGLISH),
            "zh" | "cmn" => Some(MANDARIN),
            _ => None,
        }
    }

    /// The words under the key of `phrases:`.
    pub fn phrase(&self, key: &str) -> Option<&'static str> {
        match key {
            "no_input" => Some(self.no_input),
            "no_match" => Some(self.no_match),
            "goodbye" => Some(self.goodbye),
            "failure" => Some(self.failure),
            "keys_only" => Some(self.keys_only),
            "check" => Some(self.check),
            "noted" => Some(self.noted),
            "again" => Some(self.again),
            "which" => Some(self.which),
            _ => None,
        }
    }
}
