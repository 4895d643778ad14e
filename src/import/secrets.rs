//! What a plan may not do with a secret, taken out of a draft.
//!
//! Other systems compare a PIN with what stands in their own text. A plan never does: a sensitive answer is neither
//! said nor kept nor compared, and only an `http` step may send it to whoever knows the right one. `pin == "1234"`
//! becomes `pin_right`, which is false until such a step says otherwise.

use std::collections::BTreeSet;

use super::Notes;
use super::draft::{BYE, Draft, Kind, To};

/// Does this name sound like a secret? Short words count only as whole words: a `shipping` date is none for its `pin`.
pub(crate) fn is_secret(name: &str) -> bool {
    const ANYWHERE: [&str; 6] = ["passw", "passcode", "cardnumber", "secret", "securitycode", "pincode"];
    const WHOLE: [&str; 8] = ["pin", "pass", "cvv", "cvc", "ssn", "card", "cc", "ccn"];
    let mut spread = String::new();
    for letter in name.chars() {
        // `cardPin` is two words as `card_pin` is.
        if letter.is_uppercase() && spread.ends_with(char::is_lowercase) {
            spread.push(' ');
        }
        spread.push(if letter.is_alphanumeric() { letter } else { ' ' });
    }
    let spread = spread.to_lowercase();
    let joined: String = spread.split_whitespace().collect();
    let mut words = spread.split_whitespace().map(|word| word.trim_end_matches(|letter: char| letter.is_ascii_digit()));
    ANYWHERE.iter().any(|word| joined.contains(word)) || {
        // `card` alone is a card's number; `card_type` is not.
        let several = spread.split_whitespace().count() > 1;
        words.any(|word| WHOLE.contains(&word) && !(several && word == "card"))
    }
}

/// Takes secrets out of conditions and values. A test of one that is no plain comparison must not count as passed: from
/// there, callers go to the person whom the secret's own question offers, or the call ends.
pub(crate) fn withhold(draft: &mut Draft, notes: &mut Notes) {
    let mut secrets = BTreeSet::new();
    let mut refuge = To::step(BYE);
    for step in &draft.steps {
        if let Kind::Digits { slot, sensitive: true, asking, .. } = &step.kind {
            secrets.insert(slot.clone());
            refuge = asking.operator.clone().or_else(|| asking.exhausted.clone()).unwrap_or(refuge);
        }
    }
    let mut verdicts = BTreeSet::new();
    let told = |text: &str| names(text).find(|name| secrets.contains(*name)).map(str::to_owned);
    for step in &mut draft.steps {
        let from = step.from.first().cloned().unwrap_or_default();
        let what = format!("step {}", step.name);
        let onward = match &mut step.kind {
            Kind::Branch { ways, .. } => {
                let Some(secret) = ways.iter().find_map(|(condition, _)| told(condition)) else { continue };
                let judged: Vec<_> = ways.iter().map(|(condition, _)| judged(condition, &secrets)).collect();
                let why = format!("`{secret}` is a secret, which a plan never compares");
                if judged.iter().all(|condition| told(condition).is_none()) {
                    let verdict = verdict_of(&secret);
                    let why =
                        format!("{why}: `{verdict}` says whether it is the right one, and is false until it is set");
                    let help =
                        format!("send it by an `http` step to whoever knows, and `take` the answer as `{verdict}`");
                    notes.lost(&from, what, why, help);
                    ways.iter_mut().zip(judged).for_each(|((condition, _), judged)| *condition = judged);
                    verdicts.insert(verdict);
                    continue;
                }
                let why = format!("{why}: callers leave the plan here");
                notes.lost(&from, what, why, "send it to whoever knows the right one, by an `http` step");
                refuge.clone()
            }
            Kind::Set { values, go } | Kind::Tag { values, go } => {
                values.retain(|(name, value)| {
                    let Some(secret) = told(&calculation(value)) else { return true };
                    let why = format!("`{secret}` is a secret, which a plan does not copy: `{name}` stays as it was");
                    notes.lost(&from, &what, why, "ask for it where it is used, or send it by an `http` step");
                    false
                });
                if !values.is_empty() {
                    continue;
                }
                go.clone()
            }
            _ => continue,
        };
        step.kind = Kind::Goto(onward);
    }
    if !verdicts.is_empty() {
        let values = verdicts.into_iter().map(|verdict| (verdict, "false".to_owned())).collect();
        let start = std::mem::replace(&mut draft.start, "nothing-proved".to_owned());
        draft.put("nothing-proved", None, Kind::Set { values, go: To::Step(start) });
    }
}

/// What stands for "it was the right one".
fn verdict_of(secret: &str) -> String {
    format!("{secret}_right")
}

/// The condition with every comparison of a secret for (un)equality replaced by its verdict.
fn judged(condition: &str, secrets: &BTreeSet<String>) -> String {
    let mut pieces = pieces(condition);
    for at in 0..pieces.len().saturating_sub(2) {
        let [left, sign, right] = [&pieces[at], &pieces[at + 1], &pieces[at + 2]].map(|piece| piece.trim().to_owned());
        let other = |piece: &str| piece.starts_with(['"', '\'']) || piece.starts_with(char::is_alphanumeric);
        let secret = if secrets.contains(&left) && other(&right) {
            left
        } else if secrets.contains(&right) && other(&left) {
            right
        } else {
            continue;
        };
        let not = match sign.as_str() {
            "==" => "",
            "!=" => "!",
            _ => continue,
        };
        pieces[at].clear();
        pieces[at + 1] = format!("{not}{}", verdict_of(&secret));
        pieces[at + 2].clear();
    }
    pieces.concat()
}

/// An expression in pieces: names and numbers, texts in quotes, and what is between.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut quote = None;
    let mut word = false;
    for letter in text.chars() {
        let wordly = letter.is_alphanumeric() || matches!(letter, '_' | '.');
        let same = quote.is_some() || (word == wordly && !matches!(letter, '"' | '\''));
        match (same, pieces.last_mut()) {
            (true, Some(piece)) => piece.push(letter),
            _ => pieces.push(letter.to_string()),
        }
        match (quote, letter) {
            (None, '"' | '\'') => (quote, word) = (Some(letter), false),
            // What follows the closing quote is a piece of its own.
            (Some(open), letter) if open == letter => {
                quote = None;
                pieces.push(String::new());
            }
            (None, _) => word = wordly,
            _ => {}
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// What is calculated in a value as YAML has it (`"= a + 1"`, `"{{ a }} days"`); nothing, where it is plain.
fn calculation(value: &str) -> String {
    let text = value.trim_matches('"').replace("\\\"", "\"");
    match text.strip_prefix('=') {
        Some(expression) => expression.to_owned(),
        None => text.split("{{").skip(1).filter_map(|part| part.split("}}").next()).collect::<Vec<_>>().join(" "),
    }
}

/// The names in an expression, without the words in quotes.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let mut quote = None;
    text.split(move |letter: char| {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            _ => {}
        }
        quote.is_some() || !(letter.is_alphanumeric() || letter == '_')
    })
    .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::draft::{Asking, quoted};
    use super::*;

    #[test]
    fn a_name_sounds_secret_by_whole_words() {
        for name in ["pin", "PIN2", "card_pin", "cardPin", "card", "cardNumber", "card_number", "user-password", "cvv"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in ["shipping_date", "opinion", "passenger", "card_type", "account", "accent", "discard"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn what_would_tell_a_secret_is_taken_out_and_told_and_nobody_passes_by_it() {
        let mut draft = Draft::default();
        let to = To::step;
        let asking = Asking { operator: Some(to("person")), ..Asking::default() };
        let digits = Kind::Digits { asking, min: 4, max: 4, slot: "pin".into(), sensitive: true, go: to("compare") };
        draft.put("ask", None, digits);
        let ways = vec![("pin.size() < 4".to_owned(), to("wrong")), ("tries > 2".to_owned(), to("wrong"))];
        draft.put("compare", None, Kind::Branch { ways, otherwise: to("in") });
        let ways = vec![("reason == \"pin\"".to_owned(), to("wrong"))];
        draft.put("harmless", None, Kind::Branch { ways, otherwise: to("in") });
        let values = vec![("copy".to_owned(), quoted("= pin")), ("why".to_owned(), quoted("pin forgotten"))];
        draft.put("keep", None, Kind::Set { values, go: to("in") });
        let values = vec![("copy".to_owned(), quoted("it is {{ pin }}"))];
        draft.put("tag", None, Kind::Tag { values, go: to("in") });
        let mut notes = Notes::default();
        withhold(&mut draft, &mut notes);
        let mut kind = |name: &str| draft.step(name).expect("it is there").kind.clone();
        assert_eq!(kind("compare"), Kind::Goto(to("person")));
        assert!(matches!(kind("harmless"), Kind::Branch { .. }));
        let Kind::Set { values, .. } = kind("keep") else { panic!("it still sets something") };
        assert_eq!(values, [("why".to_owned(), quoted("pin forgotten"))]);
        assert_eq!(kind("tag"), Kind::Goto(to("in")));
        assert_eq!(notes.sorted().iter().filter(|note| note.lost).count(), 3);
    }

    #[test]
    fn a_plain_comparison_becomes_a_verdict_that_is_false_until_somebody_gives_it() {
        let secrets = BTreeSet::from(["pin".to_owned()]);
        for (theirs, ours) in [
            ("pin == \"0000\"", "pin_right"),
            ("\"1 == 2\" != pin && tries < 3", "!pin_right && tries < 3"),
            ("(pin == 1234 || pin == other)", "(pin_right || pin_right)"),
            ("pin > 3", "pin > 3"),
            ("pincode == \"pin == 1\"", "pincode == \"pin == 1\""),
        ] {
            assert_eq!(judged(theirs, &secrets), ours);
        }
        let mut draft = Draft { start: "ask".into(), ..Draft::default() };
        let asking = Asking::default();
        let go = To::step("compare");
        draft.put("ask", None, Kind::Digits { asking, min: 4, max: 4, slot: "pin".into(), sensitive: true, go });
        let ways = vec![("pin == \"1234\"".to_owned(), To::step("in"))];
        draft.put("compare", None, Kind::Branch { ways, otherwise: To::step(BYE) });
        withhold(&mut draft, &mut Notes::default());
        let start = draft.start.clone();
        let start = draft.step(&start).expect("there is a start").kind.clone();
        assert_eq!(start, Kind::Set { values: vec![("pin_right".into(), "false".into())], go: To::step("ask") });
        let ways = vec![("pin_right".to_owned(), To::step("in"))];
        let compare = draft.step("compare").expect("it is there").kind.clone();
        assert_eq!(compare, Kind::Branch { ways, otherwise: To::step(BYE) });
    }
}
