//! English consent and refusal: "yeah sure", "uh huh", "that's right", "not really", "I don't think so".

use crate::spoken::heard::settle::Reading;
use crate::spoken::heard::words::Words;
use crate::value::Value;

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);

/// What people say for yes and no, as [`Words`] leaves it, and for neither: those that hold a yes or a no and mean none.
#[rustfmt::skip]
const PHRASES: &[(&str, (Option<bool>, f32))] = &[
    ("yes", (YES, 0.98)), ("yeah", (YES, 0.97)), ("yes please", (YES, 0.98)), ("that is a yes", (YES, 0.95)), ("that is a no", (NO, 0.95)), ("you are right", (YES, 0.9)), ("yes i do", (YES, 0.98)), ("aye", (YES, 0.8)),
    ("sure", (YES, 0.9)), ("sure thing", (YES, 0.95)), ("of course", (YES, 0.95)), ("for sure", (YES, 0.93)), ("yeah sure", (YES, 0.97)),
    ("correct", (YES, 0.96)), ("that is correct", (YES, 0.98)), ("that is right", (YES, 0.98)), ("right", (YES, 0.8)), ("that is it", (YES, 0.85)),
    ("that is me", (YES, 0.93)), ("that is fine", (YES, 0.93)), ("that is good", (YES, 0.9)), ("that works", (YES, 0.93)), ("works for me", (YES, 0.93)),
    ("sounds good", (YES, 0.94)), ("sounds right", (YES, 0.93)), ("sounds great", (YES, 0.94)), ("exactly", (YES, 0.95)), ("absolutely", (YES, 0.96)),
    ("definitely", (YES, 0.95)), ("certainly", (YES, 0.95)), ("affirmative", (YES, 0.97)), ("indeed", (YES, 0.92)), ("okay", (YES, 0.88)),
    ("alright", (YES, 0.85)), ("all right", (YES, 0.85)), ("uhhuh", (YES, 0.9)), ("mmhmm", (YES, 0.9)), ("mhm", (YES, 0.9)),
    ("go ahead", (YES, 0.93)), ("please do", (YES, 0.95)), ("do it", (YES, 0.88)), ("go for it", (YES, 0.92)), ("i do", (YES, 0.93)),
    ("i did", (YES, 0.9)), ("i am", (YES, 0.75)), ("i have", (YES, 0.75)), ("i would", (YES, 0.75)), ("i will", (YES, 0.75)), ("i can", (YES, 0.75)),
    ("it is", (YES, 0.8)), ("it does", (YES, 0.88)), ("it was", (YES, 0.8)), ("you got it", (YES, 0.92)), ("you bet", (YES, 0.93)), ("speaking", (YES, 0.85)),
    ("this is he", (YES, 0.92)), ("this is she", (YES, 0.92)), ("this is him", (YES, 0.9)), ("this is her", (YES, 0.9)),
    ("i think so", (YES, 0.88)), ("i guess so", (YES, 0.82)), ("i guess", (YES, 0.6)), ("i suppose so", (YES, 0.82)), ("i believe so", (YES, 0.88)),
    ("i would like that", (YES, 0.9)), ("i would love to", (YES, 0.93)), ("why not", (YES, 0.85)), ("perfect", (YES, 0.88)), ("fine", (YES, 0.8)), ("great", (YES, 0.75)), ("good", (YES, 0.6)),
    ("true", (YES, 0.88)), ("by all means", (YES, 0.93)), ("no problem", (YES, 0.8)), ("not a problem", (YES, 0.8)), ("no worries", (YES, 0.7)), ("i agree", (YES, 0.95)), ("i accept", (YES, 0.95)), ("i confirm", (YES, 0.95)), ("confirmed", (YES, 0.93)), ("confirm", (YES, 0.85)), ("totally", (YES, 0.88)),
    ("no", (NO, 0.98)), ("nope", (NO, 0.97)), ("nah", (NO, 0.95)), ("no thanks", (NO, 0.98)), ("no thank you", (NO, 0.98)), ("nay", (NO, 0.8)),
    ("no way", (NO, 0.97)), ("not really", (NO, 0.93)), ("not at all", (NO, 0.93)), ("not yet", (NO, 0.9)), ("not now", (NO, 0.88)), ("not today", (NO, 0.88)), ("not at the moment", (NO, 0.88)), ("not quite", (NO, 0.88)), ("not exactly", (NO, 0.88)), ("not me", (NO, 0.88)),
    ("not", (NO, 0.6)), ("never", (NO, 0.85)), ("negative", (NO, 0.95)), ("incorrect", (NO, 0.96)), ("wrong", (NO, 0.92)), ("that is wrong", (NO, 0.97)), ("that is incorrect", (NO, 0.97)),
    ("not right", (NO, 0.95)), ("not correct", (NO, 0.96)), ("that is not right", (NO, 0.97)), ("that is not correct", (NO, 0.97)), ("that is not it", (NO, 0.95)), ("that is not me", (NO, 0.95)), ("that is not true", (NO, 0.95)),
    ("i do not think so", (NO, 0.95)), ("do not think so", (NO, 0.93)), ("i do not believe so", (NO, 0.93)), ("i do not", (NO, 0.93)), ("i did not", (NO, 0.93)), ("i can not", (NO, 0.88)), ("i will not", (NO, 0.9)), ("i would not", (NO, 0.85)),
    ("i have not", (NO, 0.9)), ("i am not", (NO, 0.9)), ("it is not", (NO, 0.93)), ("it was not", (NO, 0.9)), ("it does not", (NO, 0.93)), ("do not", (NO, 0.8)), ("please do not", (NO, 0.9)), ("is not", (NO, 0.85)), ("i would rather not", (NO, 0.95)), ("rather not", (NO, 0.9)), ("i am afraid not", (NO, 0.95)), ("afraid not", (NO, 0.93)),
    ("absolutely not", (NO, 0.97)), ("definitely not", (NO, 0.97)), ("certainly not", (NO, 0.97)), ("of course not", (NO, 0.96)), ("probably not", (NO, 0.85)), ("i guess not", (NO, 0.85)), ("i hope not", (NO, 0.6)), ("uhuh", (NO, 0.75)), ("neither", (NO, 0.7)), ("none", (NO, 0.7)), ("false", (NO, 0.88)),
    ("yeah no", (NO, 0.8)), ("no yeah", (YES, 0.75)), ("no i do not", (NO, 0.98)), ("i do not want to", (NO, 0.93)), ("i do not want that", (NO, 0.95)), ("i decline", (NO, 0.95)), ("i refuse", (NO, 0.93)), ("i disagree", (NO, 0.95)), ("do not want", (NO, 0.85)), ("wrong number", (NO, 0.9)), ("wrong person", (NO, 0.9)),
    ("i do not know", (None, 0.0)), ("do not know", (None, 0.0)), ("no idea", (None, 0.0)), ("not sure", (None, 0.0)), ("i am not sure", (None, 0.0)), ("i am not certain", (None, 0.0)), ("not certain", (None, 0.0)), ("no one", (None, 0.0)), ("yes or no", (None, 0.0)), ("right now", (None, 0.0)), ("right away", (None, 0.0)), ("no clue", (None, 0.0)), ("i do not understand", (None, 0.0)), ("do not understand", (None, 0.0)), ("i did not hear", (None, 0.0)), ("i did not understand", (None, 0.0)), ("i did not catch", (None, 0.0)), ("i did not get", (None, 0.0)),
    ("i am sorry", (None, 0.0)), ("i would like to", (None, 0.0)), ("i would like", (None, 0.0)), ("i will have", (None, 0.0)), ("i have to", (None, 0.0)), ("i am calling", (None, 0.0)), ("i can pay", (None, 0.0)), ("i have a", (None, 0.0)), ("i am a", (None, 0.0)), ("i am the", (None, 0.0)), ("it is a", (None, 0.0)), ("it is the", (None, 0.0)), ("it is about", (None, 0.0)), ("make sure", (None, 0.0)), ("is it", (None, 0.0)), ("is that right", (None, 0.0)), ("is that correct", (None, 0.0)), ("good morning", (None, 0.0)), ("good afternoon", (None, 0.0)), ("good evening", (None, 0.0)), ("right hand", (None, 0.0)), ("the right", (None, 0.0)), ("maybe not", (NO, 0.5)), ("not the", (NO, 0.4)), ("no matter", (None, 0.0)), ("no longer", (None, 0.0)),
];

/// Said behind an answer without changing it.
const CLOSING: &[&str] = &[
    "please",
    "thanks",
    "thank you",
    "sir",
    "maam",
    "ma am",
    "you",
    "that",
    "so",
    "very much",
    "for me",
    "with me",
    "with you",
    "it",
    "indeed",
    "actually",
    "sorry",
    "though",
    "then",
    "too",
    "now",
    "by me",
    "to me",
    "dear",
];
/// Phrases this sure answer whatever follows; others must close the sentence, for "I have" begins many.
const WHATEVER_FOLLOWS: f32 = 0.94;

/// What consent or refusal at this place may be: surest where the utterance begins.
pub fn at(words: &Words, at: usize) -> Vec<Reading> {
    let Some(((truth, sure), end)) = words.find(at, PHRASES) else { return Vec::new() };
    let Some(truth) = truth else { return vec![Reading::plain(Value::Nothing, end, 0.0)] };
    let first = (0..at).all(|before| matches!(words.get(before), "well" | "oh" | "um" | "so" | "and" | "ah"));
    let closed = end == words.len() || words.any(end, CLOSING).is_some() || answers(words, end);
    let (weight, bare) = match (first, closed) {
        (true, true) => (1.0, sure < 0.85),
        // "no fees" and "no notifications" refuse nothing; "no, the fifteenth" does.
        (true, false) if words.get(at) == "no" && end == at + 1 && !begins_a_clause(words, end) => (0.6, true),
        (true, false) if sure >= WHATEVER_FOLLOWS => (1.0, false),
        (true, false) if end == at + 1 => (0.5, true),
        (false, true) if sure >= 0.85 || after_a_clause(words, at) => (1.0, true),
        (false, false) if sure >= WHATEVER_FOLLOWS && end > at + 1 => (0.8, true),
        _ => return Vec::new(),
    };
    vec![Reading { value: Value::Boolean(truth), end, sure: sure * weight, bare }]
}

/// Does another answer stand here?
fn answers(words: &Words, at: usize) -> bool {
    words.find(at, PHRASES).is_some_and(|((truth, _), _)| truth.is_some())
}

/// After "no": a pronoun, an article, a number, a day… begin something new; a bare noun goes with it.
fn begins_a_clause(words: &Words, at: usize) -> bool {
    const BEGINNINGS: &[&str] = &[
        "i", "it", "that", "this", "the", "a", "my", "we", "you", "he", "she", "not", "on", "at", "make", "wait",
        "next", "tomorrow", "today", "actually", "sorry", "but", "because", "let", "just", "there", "they", "what",
        "can", "could", "in", "its", "change",
    ];
    words.any(at, BEGINNINGS).is_some()
        || super::numbers::cardinal(words, at).is_some()
        || super::weekday(words.get(at)).is_some()
        || super::month(words.get(at)).is_some()
        || words.get(at) == "$"
}

/// "I think that's right": the words before it lead up to an answer.
fn after_a_clause(words: &Words, at: usize) -> bool {
    words.after(
        at,
        &["i think", "i said", "that is", "it is", "i guess", "i believe", "is", "all", "sounds", "looks", "seems"],
    )
}
