//! What an agent hears before they take a caller: one sentence, and which key does what.
//!
//! A plan may word the sentence itself; this is what is said where it does not.

use crate::agents::handoff::Handoff;
use crate::grammar::normalize::is_mandarin;
use crate::language::Language;

/// The result of a briefing whose hearer takes the call.
pub const ACCEPTED: &str = "accepted";
/// The result of one who does not.
pub const DECLINED: &str = "declined";
/// The result of one whom nobody answered: silence, or a machine that talks.
pub const UNHEARD: &str = "unheard";
/// The variable that holds the sentence.
pub const SENTENCE: &str = "briefing";

/// What an agent who speaks `language` is spoken to in: English and Mandarin are known here, and English is what others
/// are most likely to follow.
pub fn heard_in(language: &Language) -> Language {
    if language.primary() == "en" || is_mandarin(language) { language.clone() } else { Language::english() }
}

/// Does whoever heard a briefing with this result stay on the line, for the caller?
pub fn stays(result: Option<&str>) -> bool {
    !matches!(result, Some(DECLINED | UNHEARD))
}

/// "Mandarin speaker, verified, wants: repay", for an agent who is spoken to in `language` ([`heard_in`]).
pub fn sentence(handoff: &Handoff, language: &Language) -> String {
    let intent = handoff.intent.as_ref().map(|intent| intent.replace(['_', '-', '.'], " "));
    let mut parts = Vec::new();
    if is_mandarin(language) {
        if !is_mandarin(&handoff.language) {
            parts.push(format!("来电者说{}", name_in_chinese(&handoff.language)));
        }
        parts.push(if handoff.verified { "身份已核实" } else { "身份未核实" }.to_owned());
        parts.extend(intent.map(|intent| format!("需要：{intent}")));
        return format!("{}。", parts.join("，"));
    }
    if handoff.language.primary() != language.primary() {
        parts.push(format!("{} speaker", name_in_english(&handoff.language)));
    }
    parts.push(if handoff.verified { "verified" } else { "not verified" }.to_owned());
    parts.extend(intent.map(|intent| format!("wants: {intent}")));
    format!("A caller: {}.", parts.join(", "))
}

/// The plan that says `{{ briefing }}` and takes yes or no by key, in `language` ([`heard_in`]). Whoever presses neither is
/// not there.
///
/// No word is a yes: a mailbox says "I can't take your call right now", and whoever picks up says "hello?", before the
/// first word of ours, which stops nothing for that reason and is repeated whole.
pub fn plan(language: &Language) -> String {
    let prompt = match is_mandarin(language) {
        true => "接听请按一，不接请按二。",
        false => "Press 1 to take the call, or 2 to decline.",
    };
    format!(
        "dialplan: 1\nname: briefing\nlanguages: [{language}]\nstart: offer\nsteps:\n\
         \x20 offer:\n\
         \x20   menu:\n\
         \x20     prompt: \"{{{{{SENTENCE}}}}} {prompt}\"\n\
         \x20     reprompt: [\"{{{{{SENTENCE}}}}} {prompt}\"]\n\
         \x20     barge_in: keys\n\
         \x20     options:\n\
         \x20       take: {{ key: 1, go: taken }}\n\
         \x20       leave: {{ key: 2, go: left }}\n\
         \x20     tries: 3\n\
         \x20     wait: 5s\n\
         \x20     go: silent\n\
         \x20 taken: {{ hangup: {{ result: {ACCEPTED} }} }}\n\
         \x20 left: {{ hangup: {{ result: {DECLINED} }} }}\n\
         \x20 silent: {{ hangup: {{ result: {UNHEARD} }} }}\n"
    )
}

fn name_in_english(language: &Language) -> &str {
    match language.primary() {
        "en" => "English",
        "zh" | "cmn" => "Mandarin",
        "yue" => "Cantonese",
        "es" => "Spanish",
        "fr" => "French",
        "de" => "German",
        "pt" => "Portuguese",
        "it" => "Italian",
        "ja" => "Japanese",
        "ko" => "Korean",
        "vi" => "Vietnamese",
        "ru" => "Russian",
        "ar" => "Arabic",
        "hi" => "Hindi",
        _ => language.as_str(),
    }
}

fn name_in_chinese(language: &Language) -> &str {
    match language.primary() {
        "en" => "英语",
        "zh" | "cmn" => "普通话",
        "yue" => "粤语",
        "es" => "西班牙语",
        "fr" => "法语",
        "de" => "德语",
        "pt" => "葡萄牙语",
        "it" => "意大利语",
        "ja" => "日语",
        "ko" => "韩语",
        "vi" => "越南语",
        "ru" => "俄语",
        "ar" => "阿拉伯语",
        "hi" => "印地语",
        _ => language.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::dialplan::fixture::{heard, hearing};
    use crate::dialplan::load::load_str;
    use crate::dialplan::step::{Hearing, Keyed};
    use crate::id::CallId;

    fn language(tag: &str) -> Language {
        Language::parse(tag).unwrap()
    }

    #[test]
    fn the_sentence_says_what_the_agent_would_ask_first() {
        let caller = |tag: &str, verified, intent: Option<&str>| Handoff {
            verified,
            intent: intent.map(str::to_owned),
            ..Handoff::of(CallId::new(Timestamp::UNIX_EPOCH, 1), language(tag))
        };
        let rows = [
            (
                caller("zh-CN", true, Some("pay_card")),
                "en-US",
                "A caller: Mandarin speaker, verified, wants: pay card.",
            ),
            (caller("en-GB", false, None), "en-US", "A caller: not verified."),
            (caller("en-US", true, Some("repay")), "zh-CN", "来电者说英语，身份已核实，需要：repay。"),
            (caller("zh-CN", false, None), "zh-CN", "身份未核实。"),
            (caller("zh-CN", false, None), "cmn-Hans-CN", "身份未核实。"),
            (caller("it-IT", false, None), "zh-CN", "来电者说意大利语，身份未核实。"),
            (caller("tlh", false, None), "en-US", "A caller: tlh speaker, not verified."),
        ];
        for (handoff, agent, expect) in rows {
            assert_eq!(sentence(&handoff, &language(agent)), expect);
        }
    }

    #[test]
    fn the_briefing_is_a_plan_without_faults_in_each_language() {
        for (tag, heard) in [("en-GB", "en-GB"), ("zh-CN", "zh-CN"), ("cmn-Hans-CN", "cmn-Hans-CN"), ("es-MX", "en-US")]
        {
            let heard_in = heard_in(&language(tag));
            let loaded = load_str("briefing", &plan(&heard_in)).unwrap_or_else(|faults| panic!("{tag}: {faults}"));
            assert_eq!(loaded.plan.languages, [language(heard)]);
            assert_eq!(loaded.plan.steps.len(), 4);
        }
    }

    #[test]
    fn no_word_takes_a_call_and_a_mailbox_has_nothing_but_words() {
        let english = [
            "sorry i can't take the call right now please leave a message",
            "no one is available to take your call",
            "take the call",
            "yes",
            "okay go ahead",
        ];
        for (tag, sayings) in [("en-US", english.as_slice()), ("zh-CN", &["您好，我现在不方便接听", "好", "是"])]
        {
            let loaded = load_str("briefing", &plan(&language(tag))).unwrap_or_else(|faults| panic!("{faults}"));
            let offer =
                loaded.plan.steps.iter().find(|step| step.name == "offer").and_then(|step| step.quest(0)).unwrap();
            let hearing = Hearing { language: language(tag), ..hearing() };
            for words in sayings {
                let judged = offer.ear.speech(&heard(words, 0.95), &hearing);
                assert!(judged.answer.is_none(), "{words}: {judged:?}");
            }
            for key in ["1", "2"] {
                assert!(matches!(offer.ear.keys(key, &hearing), Keyed::Complete(_)), "{key}");
            }
        }
    }
}
