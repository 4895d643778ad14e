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
    /// After an answer.
    pub helped: &'static str,
    /// Was this meant?
    pub meant: &'static str,
    /// Is this right? `it` is what was understood.
    pub check: &'static str,
    /// What was understood is told by the way.
    pub noted: &'static str,
    /// It was wrong: what next is asked.
    pub again: &'static str,
    /// Which of several is wrong? `it` lists them.
    pub which: &'static str,
    /// A number is closed: nobody will be called there again.
    pub closed: &'static str,
    /// Not all of what the right person knows fitted.
    pub mismatch: &'static str,
    /// How it was has been said; how many is it?
    pub in_numbers: &'static str,
    /// How much will be paid?
    pub how_much: &'static str,
    /// On which day?
    pub which_day: &'static str,
    /// What is promised leaves `it` unpaid.
    pub rest: &'static str,
    /// `it` is the least that is taken.
    pub least: &'static str,
    /// `it` is the most that is taken.
    pub most: &'static str,
    /// `it` is the last day that is taken.
    pub latest: &'static str,
    /// `it` is the day of the payment before this one.
    pub after: &'static str,
    /// The moment has passed.
    pub past: &'static str,
    /// `it` are the hours in which we call.
    pub hours: &'static str,
    /// The day is known; at what time?
    pub at_what_time: &'static str,
    /// The part of the day is known; of which day?
    pub on_what_day: &'static str,
    /// After a message, before it is played to who has left it.
    pub your_message: &'static str,
    /// What may become of it.
    pub keep_it: &'static str,
}

const ENGLISH: House = House {
    no_input: "I did not hear you.",
    no_match: "Sorry, I did not get that.",
    goodbye: "Goodbye.",
    failure: "Something went wrong on our side. Goodbye.",
    keys_only: "I cannot hear speech just now. Please use the keys.",
    helped: "Did that help?",
    meant: "Do you mean: {{ it }}?",
    check: "{{ it }}. Is that right?",
    noted: "{{ it }}.",
    again: "Sorry. Let us try again.",
    which: "Which part is wrong: {{ it }}?",
    closed: "You will not be called again.",
    mismatch: "That does not match what we have. Let us try once more.",
    in_numbers: "And as a number?",
    how_much: "How much will you pay?",
    which_day: "On which day?",
    rest: "That leaves {{ it }}.",
    least: "It has to be at least {{ it }}.",
    most: "It can be {{ it }} at most.",
    latest: "It can be {{ it }} at the latest.",
    after: "It has to be after {{ it }}.",
    past: "That moment has passed.",
    hours: "We call between {{ it }}.",
    at_what_time: "At what time?",
    on_what_day: "On which day?",
    your_message: "This is your message.",
    keep_it: "To keep it, press 1 or say keep. To record it again, press 2 or say redo. To delete it, press 3 or say delete.",
};

const MANDARIN: House = House {
    no_input: "我没有听到您说话。",
    no_match: "抱歉，我没有听懂。",
    goodbye: "再见。",
    failure: "我们这边出了点问题，再见。",
    keys_only: "现在无法识别语音，请用按键选择。",
    helped: "这样解答了您的问题吗？",
    meant: "您是想问：{{ it }}？",
    check: "{{ it }}，对吗？",
    noted: "{{ it }}。",
    again: "抱歉，我们再来一次。",
    which: "哪一项不对：{{ it }}？",
    closed: "我们不会再给您打电话了。",
    mismatch: "与我们的记录不符，我们再试一次。",
    in_numbers: "如果打分，是几分？",
    how_much: "您要付多少？",
    which_day: "哪一天付？",
    rest: "还剩{{ it }}。",
    least: "至少要{{ it }}。",
    most: "最多{{ it }}。",
    latest: "最晚{{ it }}。",
    after: "要在{{ it }}之后。",
    past: "这个时间已经过了。",
    hours: "我们只在{{ it }}之间致电。",
    at_what_time: "几点？",
    on_what_day: "哪一天？",
    your_message: "您的留言是：",
    keep_it: "保留请按一或说保留，重录请按二或说重录，删除请按三或说删除。",
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
            "helped" => Some(self.helped),
            "meant" => Some(self.meant),
            "check" => Some(self.check),
            "noted" => Some(self.noted),
            "again" => Some(self.again),
            "which" => Some(self.which),
            "closed" => Some(self.closed),
            "mismatch" => Some(self.mismatch),
            "in_numbers" => Some(self.in_numbers),
            "how_much" => Some(self.how_much),
            "which_day" => Some(self.which_day),
            "rest" => Some(self.rest),
            "least" => Some(self.least),
            "most" => Some(self.most),
            "latest" => Some(self.latest),
            "after" => Some(self.after),
            "past" => Some(self.past),
            "hours" => Some(self.hours),
            "at_what_time" => Some(self.at_what_time),
            "on_what_day" => Some(self.on_what_day),
            "your_message" => Some(self.your_message),
            "keep_it" => Some(self.keep_it),
            _ => None,
        }
    }
}
