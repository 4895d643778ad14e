//! English word forms made one: "paid", "paying" and "pays" are `pay`.
//!
//! A light stemmer for short spoken wishes: the first steps of Porter (1980, "An algorithm for suffix stripping"),
//! which undo inflection, before which a table undoes the irregular verbs and nouns people use on the telephone.
//! Derivation ("pay", "payment") is left to the synonym lists and to [`super::lexicon`]'s family rule, because
//! cutting deeper joins words that are strangers ("accident", "accidental").

/// Irregular forms and the form they are folded into, sorted for the search.
const IRREGULAR: &[(&str, &str)] = &[
    ("ate", "eat"),
    ("began", "begin"),
    ("begun", "begin"),
    ("bought", "buy"),
    ("broke", "break"),
    ("broken", "break"),
    ("brought", "bring"),
    ("built", "build"),
    ("burnt", "burn"),
    ("came", "come"),
    ("children", "child"),
    ("chose", "choose"),
    ("chosen", "choose"),
    ("did", "do"),
    ("does", "do"),
    ("done", "do"),
    ("drank", "drink"),
    ("drove", "drive"),
    ("fallen", "fall"),
    ("feet", "foot"),
    ("fell", "fall"),
    ("felt", "feel"),
    ("flew", "fly"),
    ("forgot", "forget"),
    ("forgotten", "forget"),
    ("found", "find"),
    ("froze", "freeze"),
    ("frozen", "freeze"),
    ("gave", "give"),
    ("given", "give"),
    ("gotten", "get"),
    ("had", "have"),
    ("has", "have"),
    ("having", "have"),
    ("heard", "hear"),
    ("held", "hold"),
    ("hid", "hide"),
    ("hidden", "hide"),
    ("kept", "keep"),
    ("knew", "know"),
    ("known", "know"),
    ("left", "leave"),
    ("lent", "lend"),
    ("less", "little"),
    ("lost", "lose"),
    ("made", "make"),
    ("meant", "mean"),
    ("men", "man"),
    ("met", "meet"),
    ("mice", "mouse"),
    ("misled", "mislead"),
    ("mislaid", "mislay"),
    ("paid", "pay"),
    ("people", "person"),
    ("ran", "run"),
    ("rang", "ring"),
    ("said", "say"),
    ("sang", "sing"),
    ("sat", "sit"),
    ("saw", "see"),
    ("seen", "see"),
    ("sent", "send"),
    ("shown", "show"),
    ("slept", "sleep"),
    ("sold", "sell"),
    ("spent", "spend"),
    ("spoke", "speak"),
    ("spoken", "speak"),
    ("stole", "steal"),
    ("stolen", "steal"),
    ("stood", "stand"),
    ("stuck", "stick"),
    ("taken", "take"),
    ("taught", "teach"),
    ("teeth", "tooth"),
    ("thought", "think"),
    ("threw", "throw"),
    ("told", "tell"),
    ("took", "take"),
    ("torn", "tear"),
    ("tried", "try"),
    ("understood", "understand"),
    ("was", "be"),
    ("went", "go"),
    ("were", "be"),
    ("withdrawn", "withdraw"),
    ("withdrew", "withdraw"),
    ("woke", "wake"),
    ("women", "woman"),
    ("won", "win"),
    ("wrote", "write"),
    ("written", "write"),
];

/// Words that only look inflected.
const WHOLE: &[&str] = &[
    "address", "always", "anything", "bed", "bring", "bus", "business", "express", "during", "else", "evening", "feed",
    "gas", "king", "meeting", "minus", "morning", "need", "news", "nothing", "plus", "ring", "sing", "something", "speed",
    "spring", "status", "string", "thanks", "thing", "this", "us", "virus", "wedding", "wing", "yes", "is", "his",
];

/// The form that stands for all inflections of `word` (lower-case ASCII; anything else comes back as it is).
pub fn stem(word: &str) -> String {
    if !word.is_ascii() || word.len() < 3 || WHOLE.contains(&word) || word.bytes().any(|byte| byte.is_ascii_digit()) {
        return word.to_owned();
    }
    let whole = IRREGULAR.iter().find(|(form, _)| *form == word).map_or(word, |(_, whole)| whole);
    let singular = without_plural(whole);
    let bare = without_tense(&singular);
    match bare.strip_suffix('y') {
        // happy/happi, tries/tri: one spelling for both (Porter step 1c), but never for words of one syllable.
        Some(front) if has_vowel(front) && !ends_in_vowel(front) => format!("{front}i"),
        _ => bare,
    }
}

fn without_plural(word: &str) -> String {
    let cut = |by: usize| word[..word.len() - by].to_owned();
    if word.ends_with("sses") {
        cut(2)
    } else if word.ends_with("ies") {
        if word.len() > 4 { format!("{}y", cut(3)) } else { cut(1) }
    } else if ["ches", "shes", "xes", "zes", "oes"].iter().any(|ending| word.ends_with(ending)) {
        cut(2)
    } else if word.ends_with('s') && !["ss", "us", "is"].iter().any(|ending| word.ends_with(ending)) {
        cut(1)
    } else {
        word.to_owned()
    }
}

fn without_tense(word: &str) -> String {
    if let Some(front) = word.strip_suffix("ied").filter(|front| front.len() > 1) {
        return format!("{front}y");
    }
    let front = ["ing", "ed"].iter().find_map(|ending| word.strip_suffix(ending)).filter(|front| {
        front.len() >= 2 && has_vowel(front) && !front.ends_with('e')
    });
    front.map_or_else(|| without_silent_e(word), mended)
}

/// After cutting a tense: "stopp" → "stop", "schedul" stays as "schedule" is cut to the same.
fn mended(front: &str) -> String {
    let bytes = front.as_bytes();
    let doubled = bytes.len() > 3 && bytes[bytes.len() - 1] == bytes[bytes.len() - 2];
    if doubled && !matches!(bytes[bytes.len() - 1], b'l' | b's' | b'z' | b'e' | b'o') {
        front[..front.len() - 1].to_owned()
    } else if doubled && front.ends_with("ll") && front.len() > 5 {
        front[..front.len() - 1].to_owned() // cancelled, cancel; but call, called
    } else {
        front.to_owned()
    }
}

fn without_silent_e(word: &str) -> String {
    match word.strip_suffix('e') {
        Some(front) if front.len() > 2 && !ends_in_vowel(front) => front.to_owned(),
        _ => word.to_owned(),
    }
}

fn is_vowel(byte: u8) -> bool {
    matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

fn has_vowel(word: &str) -> bool {
    word.bytes().any(is_vowel)
}

fn ends_in_vowel(word: &str) -> bool {
    word.bytes().last().is_some_and(is_vowel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inflections_meet_in_one_form() {
        for family in [
            &["pay", "pays", "paid", "paying"][..],
            &["lose", "losing", "lost", "loses"],
            &["cancel", "cancelled", "canceling", "cancels"],
            &["stop", "stopped", "stopping"],
            &["schedule", "scheduled", "scheduling"],
            &["delivery", "deliveries"],
            &["try", "tried", "tries", "trying"],
            &["box", "boxes"],
            &["charge", "charges", "charged", "charging"],
            &["call", "called", "calling"],
            &["renew", "renewed", "renewing"],
        ] {
            for form in family {
                assert_eq!(stem(form), stem(family[0]), "{form}");
            }
        }
    }

    #[test]
    fn strangers_are_not_joined() {
        for (one, other) in [("card", "care"), ("new", "news"), ("thing", "the"), ("bill", "be"), ("meter", "meeting")] {
            assert_ne!(stem(one), stem(other));
        }
    }

    #[test]
    fn stemming_a_stem_changes_no_family() {
        for word in ["", "a", "余额", "naïve", "x1", "eed", "ing", "sses", "ies"] {
            let _ = stem(word);
        }
    }
}
