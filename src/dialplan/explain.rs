//! Why words or keys were taken for what they were taken for, in lines for whoever rehearses a plan: what was near, how
//! near, what would have been enough.
//!
//! They hold what the caller said, and so belong on the rehearser's own screen and nowhere else. Answers to sensitive
//! questions stay out even of that.

use std::any::Any;

use crate::dialplan::plan::Step;
use crate::dialplan::step::ask::Ask;
use crate::dialplan::step::band::{Band, How};
use crate::dialplan::step::form::ear::FormEar;
use crate::dialplan::step::menu::{AMBIGUITY_MARGIN, Options};
use crate::dialplan::step::question::universal_name;
use crate::dialplan::step::value_ear::{ValueEar, WISH_BELOW, Want, guesses, wish};
use crate::dialplan::step::{Hearing, Judged, Keyed};
use crate::grammar::normalize;
use crate::grammar::semantics::RuleSpan;
use crate::language::Language;
use crate::understand::{Fit, Matcher, Meaning, NBest};

/// Candidates named of one guess.
const NAMED: usize = 4;
/// Parts of a grammar named of one value.
const RULES: usize = 6;

/// Why words mean what they mean at this question of a step.
pub fn speech(step: &Step, quest: usize, nbest: &NBest, hearing: &Hearing) -> Vec<String> {
    let Some(quest) = step.quest(quest) else { return Vec::new() };
    let ear: &dyn Any = quest.ear.as_ref();
    let judged = quest.ear.speech(nbest, hearing);
    if quest.ear.sensitive() {
        return vec!["a secret: what it was taken for is not shown".to_owned(), verdict(&judged)];
    }
    let mut lines = Vec::new();
    if let Some(options) = ear.downcast_ref::<Options>() {
        if let Some(matcher) = options.matchers.get(&hearing.language) {
            lines = of_options(options, matcher, nbest);
        }
    } else if let Some(value) = ear.downcast_ref::<ValueEar>() {
        lines = of_value(value, band_of(step), nbest, hearing);
    } else if let Some(form) = ear.downcast_ref::<FormEar>() {
        lines = of_form(form, nbest, hearing);
    }
    lines.push(verdict(&judged));
    lines
}

/// What keys amount to at this question of a step, where they come to nothing: what would be taken.
pub fn keys(step: &Step, quest: usize, typed: &str, hearing: &Hearing) -> Vec<String> {
    let Some(quest) = step.quest(quest) else { return Vec::new() };
    let ear: &dyn Any = quest.ear.as_ref();
    if quest.ear.sensitive() {
        return Vec::new();
    }
    let fits = match quest.ear.keys(typed, hearing) {
        Keyed::Complete(_) => "a whole answer",
        Keyed::More(Some(_)) => "an answer that could go on: taken when no more keys come, or with #",
        Keyed::More(None) => "the beginning of one",
        Keyed::Wrong => "nothing here",
        Keyed::Ignored => "nothing here, and forgotten",
    };
    let mut lines = vec![format!("keys {typed} are {fits}")];
    if let Some(options) = ear.downcast_ref::<Options>() {
        let known = options.options.iter().filter_map(|option| {
            let key = option.key?;
            Some(format!("{} {}", key.face(), option.name))
        });
        let mut known: Vec<String> = known.collect();
        if options.operator && !options.options.iter().any(|option| option.key.is_some_and(|key| key.face() == '0')) {
            known.push("0 $operator".to_owned());
        }
        lines.push(format!("keys here: {}", known.join(", ")));
    } else if !quest.ear.takes_keys() {
        lines.push("this question takes no keys".to_owned());
    }
    lines
}

/// What was made of it, and whether more was waited for.
fn verdict(judged: &Judged) -> String {
    let fit = match judged.fit {
        Fit::Full => "a whole phrase",
        Fit::Prefix => "perhaps the beginning of more",
        Fit::None => "free words",
    };
    let sure = judged.confidence;
    match (&judged.answer, &judged.meaning) {
        (Some(_), Some(meaning)) => format!("taken as {meaning}, {sure:.2} sure, {fit}"),
        (Some(_), None) => format!("taken, {sure:.2} sure, {fit}"),
        (None, Some(meaning)) => format!("not taken: {meaning}, and neither is {AMBIGUITY_MARGIN:.2} ahead"),
        (None, None) if judged.rejected => format!("not taken: {sure:.2} is not sure enough"),
        (None, None) if judged.heard.is_none() => "no words in it".to_owned(),
        (None, None) => "not taken: near nothing".to_owned(),
    }
}

/// ```text
/// “pay my bill” 0.60: repay 0.81 (known phrase), balance 0.07
/// “play my bill” 0.30: repay 0.42, balance 0.10
/// takes 0.50 and more, 0.05 ahead of the next
/// ```
fn of_options(options: &Options, matcher: &Matcher, nbest: &NBest) -> Vec<String> {
    let mut lines = Vec::new();
    for guess in &nbest.hypotheses {
        let text = guess.text.reveal();
        let alone = NBest { hypotheses: vec![guess.clone()], ..nbest.clone() };
        let found = matcher.understand(&alone).candidates;
        let known = if matcher.knows(text) { " (known phrase)" } else { "" };
        let named = found.iter().take(NAMED).enumerate().map(|(place, (meaning, sure))| {
            let name = match meaning {
                Meaning::Option(place) => options.option_name(*place),
                Meaning::Universal(universal) => universal_name(*universal).to_owned(),
            };
            format!("{name} {sure:.2}{}", if place == 0 { known } else { "" })
        });
        let named: Vec<String> = named.collect();
        let named = if named.is_empty() { "near no option".to_owned() } else { named.join(", ") };
        lines.push(format!("“{text}” {:.2}: {named}", guess.confidence));
    }
    lines.push(format!("takes {:.2} and more, {AMBIGUITY_MARGIN:.2} ahead of the next", options.reject_below));
    lines
}

fn of_value(ear: &ValueEar, band: Option<&Band>, nbest: &NBest, hearing: &Hearing) -> Vec<String> {
    let mut lines = Vec::new();
    let (found, growing) = guesses(&ear.want, nbest, hearing);
    for guess in &nbest.hypotheses {
        lines.extend(of_grammar(&ear.want, guess.text.reveal(), hearing));
    }
    for guess in found.iter().take(NAMED) {
        let text = nbest.hypotheses.get(guess.rank).map_or("", |guess| guess.text.reveal().as_str());
        let said = ear.want.say_back(&guess.value, hearing);
        lines.push(format!("{} “{said}” {:.2} from “{text}”", ear.slot, guess.sure));
    }
    if found.is_empty() {
        lines.push(match growing {
            Some(_) => format!("only the beginning of a {}", ear.slot),
            None => format!("no {} in it", ear.slot),
        });
    }
    lines.extend(of_wish(wish(&ear.matchers, &hearing.language, nbest).as_ref()));
    lines.push(match band {
        Some(Band { how: How::Auto, above, below }) => {
            format!("takes {above:.2} and more, asks back from {below:.2}, below that asks again")
        }
        Some(Band { how: How::Explicit, below, .. }) => format!("always asks back, below {below:.2} asks again"),
        Some(Band { how: How::Implicit, below, .. }) => format!("always says it back, below {below:.2} asks again"),
        Some(Band { how: How::Never, .. }) | None => format!("takes {:.2} and more", ear.below),
    });
    lines
}

fn of_form(ear: &FormEar, nbest: &NBest, hearing: &Hearing) -> Vec<String> {
    let mut lines = Vec::new();
    for slot in ear.slots.iter().filter(|slot| !slot.sensitive) {
        let (found, _) = guesses(&slot.want, nbest, hearing);
        let named = found.iter().take(NAMED).map(|guess| {
            let text = nbest.hypotheses.get(guess.rank).map_or("", |guess| guess.text.reveal().as_str());
            format!("“{}” {:.2} from “{text}”", slot.want.say_back(&guess.value, hearing), guess.sure)
        });
        let named: Vec<String> = named.collect();
        if !named.is_empty() {
            lines.push(format!("{} {}", slot.name, named.join(", ")));
        }
        for guess in &nbest.hypotheses {
            lines.extend(of_grammar(&slot.want, guess.text.reveal(), hearing));
        }
    }
    lines.extend(of_wish(wish(&ear.matchers, &hearing.language, nbest).as_ref()));
    lines.push(format!("takes {:.2} and more", ear.below));
    lines
}

/// Which rules of which grammar took which words: ``account.abnf: $account “checking account”, $kind “checking”``.
fn of_grammar(want: &Want, text: &str, hearing: &Hearing) -> Vec<String> {
    let Want::Grammar(grammars) = want else { return Vec::new() };
    let words = normalize::words(text, &hearing.language);
    let mut lines = Vec::new();
    for grammar in grammars.spoken(&hearing.language) {
        let found = grammar.spot(text, &hearing.language, hearing.now);
        if found.is_empty() {
            lines.push(format!("{}: no rule takes “{text}”", grammar.name()));
        }
        for found in found.iter().take(NAMED) {
            let span = |RuleSpan { rule, words: span, .. }: &RuleSpan| {
                let took = words.get(span.clone()).map(|words| join(words, &hearing.language)).unwrap_or_default();
                format!("${rule} “{took}”")
            };
            let rules: Vec<String> = found.rules.iter().take(RULES).map(span).collect();
            let whole = if found.whole { "" } else { ", among other words" };
            let fault = found.fault.as_ref().map_or_else(String::new, |fault| format!("; a tag failed: {fault}"));
            let weight = found.weight;
            lines.push(format!("{}: {} (weight {weight:.2}{whole}{fault})", grammar.name(), rules.join(", ")));
        }
    }
    lines
}

fn of_wish(wish: Option<&Judged>) -> Option<String> {
    let wish = wish?;
    match &wish.meaning {
        Some(meaning) => Some(format!("{meaning} {:.2}", wish.confidence)),
        None => Some(format!("a wish {:.2}, below {WISH_BELOW:.2}", wish.confidence)),
    }
}

fn band_of(step: &Step) -> Option<&Band> {
    let kind: &dyn Any = step.kind.as_ref();
    kind.downcast_ref::<Ask>().map(|ask| &ask.band)
}

fn join(words: &[String], language: &Language) -> String {
    words.join(if normalize::is_mandarin(language) { "" } else { " " })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::fixture::{bank, heard, hearing};
    use crate::dialplan::load::load_str;
    use crate::pii::Pii;
    use crate::understand::Hypothesis;

    fn at(plan: &crate::dialplan::plan::Plan, step: &str, text: &str, sure: f32) -> Vec<String> {
        let place = plan.step_named(step).unwrap();
        speech(plan.step(place), 0, &heard(text, sure), &hearing())
    }

    #[test]
    fn a_menu_names_what_was_near_and_what_it_takes() {
        let plan = bank();
        let lines = at(&plan, "main", "balance", 0.9);
        assert!(
            lines[0].starts_with("“balance” 0.90: balance 0.9") && lines[0].contains("(known phrase)"),
            "{lines:?}"
        );
        assert_eq!(lines[1], "takes 0.50 and more, 0.05 ahead of the next");
        assert!(lines[2].starts_with("taken as balance, 0.9"), "{lines:?}");
        let lines = at(&plan, "main", "balance", 0.05);
        assert!(lines[2].starts_with("not taken: 0.3") && lines[2].ends_with("is not sure enough"), "{lines:?}");
        let lines = at(&plan, "main", "xylophone quartz", 0.9);
        assert_eq!(lines[2], "not taken: near nothing");
    }

    #[test]
    fn every_guess_of_the_recogniser_is_weighed_by_itself() {
        let plan = bank();
        let mut nbest = heard("valance", 0.6);
        let other =
            Hypothesis { confidence: 0.3, text: Pii::new("lost card".to_owned()), ..nbest.hypotheses[0].clone() };
        nbest.hypotheses.push(other);
        let place = plan.step_named("main").unwrap();
        let lines = speech(plan.step(place), 0, &nbest, &hearing());
        assert!(lines[0].starts_with("“valance” 0.60: "), "{lines:?}");
        assert!(lines[1].starts_with("“lost card” 0.30: lost 0."), "{lines:?}");
    }

    #[test]
    fn a_value_names_its_guesses_and_its_band() {
        let plan = load_str(
            "pay.yaml",
            "dialplan: 1\nstart: due\ndefaults: { question: { go: end } }\nsteps:\n  due:\n    ask: { prompt: \"How \
             much?\", want: amount?currency=USD, confirm: auto, go: end }\n  end: { hangup: }\n",
        );
        let plan = plan.unwrap().plan;
        let lines = at(&plan, "due", "fifty dollars", 0.7);
        assert!(lines[0].starts_with("due “") && lines[0].contains(" from “fifty dollars”"), "{lines:?}");
        assert!(
            lines.contains(&"takes 0.85 and more, asks back from 0.30, below that asks again".to_owned()),
            "{lines:?}"
        );
        let lines = at(&plan, "due", "purple", 0.7);
        assert_eq!(lines[0], "no due in it");
    }

    #[test]
    fn secrets_stay_secret_and_wrong_keys_are_told_which_are_right() {
        let plan = bank();
        let lines = at(&plan, "verify", "one two three four", 0.9);
        assert!(!lines.join(" ").contains("1234") && !lines.join(" ").contains("two"), "{lines:?}");
        let step = |name: &str| plan.step(plan.step_named(name).unwrap());
        assert!(keys(step("verify"), 0, "1234", &hearing()).is_empty());
        assert_eq!(
            keys(step("main"), 0, "9", &hearing()),
            ["keys 9 are nothing here", "keys here: 1 balance, 2 lost, 0 $operator"]
        );
    }
}
