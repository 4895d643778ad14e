//! Makes a draft that was made line by line look as if somebody had written it, and sees to it that callers get out.

use std::collections::{BTreeMap, BTreeSet};

use super::Notes;
use super::draft::{BYE, Draft, Kind, Step, To};

/// More words than this are no longer put into one text: `check` warns of 48.
const MOST_WORDS: usize = 45;

/// Tidies a whole draft. What had to be changed in substance is noted.
pub(crate) fn tidy(draft: &mut Draft, notes: &mut Notes) {
    let with_bye = |draft: &mut Draft| {
        if !draft.has(BYE) {
            draft.put(BYE, None, Kind::Hangup { words: None, result: None });
        }
    };
    with_bye(draft);
    super::secrets::withhold(draft, notes);
    lead_nowhere(draft);
    cut_jumps(draft, notes);
    // What nobody comes to must not keep two texts apart.
    drop_unreached(draft);
    while merge_texts(draft) {}
    with_bye(draft);
    break_rings(draft, notes);
    drop_unreached(draft);
}

/// A target that does not exist is the end.
fn lead_nowhere(draft: &mut Draft) {
    let known: BTreeSet<String> = draft.steps.iter().map(|step| step.name.clone()).collect();
    for step in &mut draft.steps {
        for to in step.kind.targets() {
            if matches!(to, To::Step(name) if !known.contains(name)) {
                *to = To::step(BYE);
            }
        }
    }
    if !known.contains(&draft.start) {
        draft.start = BYE.to_owned();
    }
}

/// Whatever leads to a jump leads to where that leads. Jumps in a ring lead nowhere: the call ends there.
fn cut_jumps(draft: &mut Draft, notes: &mut Notes) {
    let jumps: BTreeMap<String, To> = draft
        .steps
        .iter()
        .filter_map(|step| match &step.kind {
            Kind::Goto(to) => Some((step.name.clone(), to.clone())),
            _ => None,
        })
        .collect();
    let mut rings = BTreeSet::new();
    let mut end = |from: &To| {
        let mut to = from;
        // Jumps in a ring end after as many as there are.
        for _ in 0..=jumps.len() {
            match to {
                To::Step(name) if jumps.contains_key(name) => to = &jumps[name],
                other => return other.clone(),
            }
        }
        if let To::Step(name) = to {
            rings.insert(name.clone());
        }
        To::step(BYE)
    };
    for step in draft.steps.iter_mut().filter(|step| !matches!(step.kind, Kind::Goto(_))) {
        step.kind.targets().into_iter().for_each(|to| *to = end(to));
    }
    if let To::Step(start) = end(&To::step(&draft.start)) {
        draft.start = start;
    }
    for name in rings {
        let from = draft.step(&name).and_then(|step| step.from.first().cloned()).unwrap_or_default();
        let why = "this goes round for ever and says nothing: the plan ends the call instead";
        notes.changed(&from, format!("step {name}"), why, "lead it where such callers should go");
    }
}

/// Two texts said one after the other are one, and a text before a wordless end is said by it. Was there such a pair?
fn merge_texts(draft: &mut Draft) -> bool {
    let mut came: BTreeMap<String, usize> = BTreeMap::from([(draft.start.clone(), 1)]);
    for step in &mut draft.steps {
        for to in step.kind.targets() {
            if let To::Step(name) = to {
                *came.entry(name.clone()).or_default() += 1;
            }
        }
    }
    for place in 0..draft.steps.len() {
        let Kind::Say { words, barge_in, hangup: None, go: To::Step(next) } = &draft.steps[place].kind else {
            continue;
        };
        let Some(follower) = draft.steps.iter().find(|step| step.name == *next) else { continue };
        let merged = match &follower.kind {
            Kind::Say { words: more, barge_in: theirs, hangup: None, go }
                if came.get(next) == Some(&1)
                    && barge_in == theirs
                    && words.file.is_none()
                    && more.file.is_none()
                    && words_of(&words.text) + words_of(&more.text) <= MOST_WORDS =>
            {
                let mut both = words.clone();
                both.join(more);
                Kind::Say { words: both, barge_in: *barge_in, hangup: None, go: go.clone() }
            }
            Kind::Hangup { words: None, result } if barge_in.is_none() || *barge_in == Some("off") => {
                Kind::Hangup { words: Some(words.clone()), result: result.clone() }
            }
            _ => continue,
        };
        let gone = matches!(merged, Kind::Say { .. }).then(|| next.clone());
        let more = if gone.is_some() { follower.from.clone() } else { Vec::new() };
        draft.steps[place].from.extend(more);
        draft.steps[place].kind = merged;
        draft.steps.retain(|step| Some(&step.name) != gone.as_ref());
        return true;
    }
    false
}

fn words_of(text: &str) -> usize {
    text.split_whitespace().count()
}

/// A caller who says nothing, ever, must leave: every ring that such a caller goes round is opened.
fn break_rings(draft: &mut Draft, notes: &mut Notes) {
    // Each round opens one ring for good.
    for _ in 0..=draft.steps.len() {
        let Some(ring) = ring(draft) else { return };
        let asks = ring.iter().find(|name| draft.step(name).is_some_and(|step| is_question(step)));
        let opened = asks.unwrap_or(ring.last().expect("a ring has a step")).clone();
        let Some(step) = draft.step(&opened) else { return };
        let from = step.from.first().cloned().unwrap_or_default();
        let why = match &mut step.kind {
            Kind::Menu { asking, .. } | Kind::Digits { asking, .. } | Kind::Value { asking, .. } => {
                // What would have led round asks again, and then lets go.
                asking.no_input = Some(To::Repeat);
                asking.exhausted = Some(To::step(BYE));
                "a caller who says nothing would go round here for ever: the plan asks three times, then hangs up"
            }
            kind => {
                for to in kind.targets() {
                    if matches!(to, To::Step(name) if ring.contains(name)) {
                        *to = To::step(BYE);
                    }
                }
                "this goes round for ever without a question: the plan ends the call instead"
            }
        };
        notes.changed(&from, format!("step {opened}"), why, "lead it where such callers should go");
    }
}

fn is_question(step: &Step) -> bool {
    matches!(step.kind, Kind::Menu { .. } | Kind::Digits { .. } | Kind::Value { .. })
}

/// Where a caller goes from here who does nothing.
fn onward(step: &Step) -> Option<&To> {
    match &step.kind {
        Kind::Say { go, .. }
        | Kind::Set { go, .. }
        | Kind::Tag { go, .. }
        | Kind::Record { go, .. }
        | Kind::Goto(go) => Some(go),
        Kind::Menu { asking, .. } | Kind::Digits { asking, .. } | Kind::Value { asking, .. } => {
            match &asking.no_input {
                None | Some(To::Repeat) => asking.exhausted.as_ref(),
                other => other.as_ref(),
            }
        }
        Kind::Branch { .. } | Kind::Transfer { .. } | Kind::Queue { .. } | Kind::Hangup { .. } => None,
    }
}

/// One ring of them, if there is one.
fn ring(draft: &Draft) -> Option<Vec<String>> {
    let places: BTreeMap<&str, &Step> = draft.steps.iter().map(|step| (step.name.as_str(), step)).collect();
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    for start in &draft.steps {
        let mut path: Vec<&str> = Vec::new();
        let mut here = Some(start.name.as_str());
        while let Some(name) = here.filter(|name| !settled.contains(name)) {
            if let Some(entry) = path.iter().position(|seen| *seen == name) {
                return Some(path[entry..].iter().map(|name| (*name).to_owned()).collect());
            }
            path.push(name);
            here = places.get(name).and_then(|step| onward(step)).and_then(|to| match to {
                To::Step(name) => Some(name.as_str()),
                To::Repeat => None,
            });
        }
        settled.extend(path);
    }
    None
}

/// What nothing leads to any more is gone; the rest stands in the order in which a caller may come to it, the wordless
/// end last.
fn drop_unreached(draft: &mut Draft) {
    let mut order: BTreeMap<String, usize> = BTreeMap::new();
    let mut waiting = vec![draft.start.clone()];
    while let Some(name) = waiting.pop() {
        if order.contains_key(&name) {
            continue;
        }
        order.insert(name.clone(), order.len());
        let Some(step) = draft.step(&name) else { continue };
        let nexts: Vec<String> = step
            .kind
            .targets()
            .into_iter()
            .filter_map(|to| match to {
                To::Step(next) => Some(next.clone()),
                To::Repeat => None,
            })
            .collect();
        // The first of them is looked at first.
        waiting.extend(nexts.into_iter().rev());
    }
    let reached: BTreeSet<String> = order.keys().cloned().collect();
    draft.steps.retain(|step| reached.contains(&step.name) || step.name == BYE);
    // What is left may ask, and then the plan's default way out leads there.
    let wanted = draft.asks_without_way_out() || reached.contains(BYE);
    draft.steps.retain(|step| step.name != BYE || wanted);
    draft.steps.sort_by_key(|step| (step.name == BYE, order.get(&step.name).copied()));
}

#[cfg(test)]
mod tests {
    use super::super::draft::{Asking, Choice, Words};
    use super::*;
    use crate::dialplan::load::load_str;

    fn say(text: &str, go: &str) -> Kind {
        Kind::Say { words: Words::text(text), barge_in: None, hangup: None, go: To::step(go) }
    }

    fn tidied(steps: Vec<(&str, Kind)>) -> (Draft, Vec<super::super::Note>) {
        let mut draft = Draft { name: "x".into(), language: "en-US".into(), start: "a".into(), ..Draft::default() };
        steps.into_iter().for_each(|(name, kind)| draft.put(name, None, kind));
        let mut notes = Notes::default();
        tidy(&mut draft, &mut notes);
        let text = draft.print();
        let loaded = load_str("x.yaml", &text).unwrap_or_else(|found| panic!("{found}\n{text}"));
        assert_eq!(loaded.warnings.to_string(), "", "{text}");
        (draft, notes.sorted())
    }

    fn names(draft: &Draft) -> Vec<&str> {
        draft.steps.iter().map(|step| step.name.as_str()).collect()
    }

    #[test]
    fn jumps_go_texts_are_joined_and_what_nothing_leads_to_is_dropped() {
        let (mut draft, notes) = tidied(vec![
            ("lost", say("Nobody comes here.", "a")),
            ("a", Kind::Goto(To::step("b"))),
            ("b", say("One.", "c")),
            ("c", Kind::Goto(To::step("d"))),
            ("d", say("Two.", "e")),
            ("e", Kind::Hangup { words: None, result: Some("done".into()) }),
        ]);
        assert_eq!((names(&draft), notes.len()), (vec!["b"], 0));
        let end = Kind::Hangup { words: Some(Words::text("One. Two.")), result: Some("done".into()) };
        assert_eq!(draft.step("b").unwrap().kind, end);
    }

    #[test]
    fn callers_get_out_of_rings_and_somebody_hears_of_it() {
        let asking = Asking {
            prompt: Words::text("Press 1."),
            no_input: Some(To::step("quiet")),
            exhausted: Some(To::step("a")),
            ..Asking::default()
        };
        let options = vec![Choice { name: "one".into(), key: Some('1'), phrases: Vec::new(), go: To::step("round") }];
        let (mut draft, notes) = tidied(vec![
            ("a", Kind::Menu { asking, options, reject_below: None }),
            ("quiet", say("I hear nothing.", "a")),
            ("round", say("Round", "and")),
            ("and", Kind::Set { values: vec![("x".into(), "1".into())], go: To::step("round") }),
        ]);
        assert_eq!(notes.len(), 2, "{notes:?}");
        let Kind::Menu { asking, .. } = &draft.step("a").unwrap().kind else { panic!("a menu") };
        assert_eq!((&asking.no_input, &asking.exhausted), (&Some(To::Repeat), &Some(To::step(BYE))));
    }

    #[test]
    fn jumps_in_a_ring_and_to_nowhere_end_the_call() {
        let (draft, notes) = tidied(vec![("a", Kind::Goto(To::step("b"))), ("b", Kind::Goto(To::step("a")))]);
        assert_eq!((names(&draft), notes.len()), (vec![BYE], 1), "{notes:?}");
        let (draft, _) = tidied(vec![("a", say("Hello.", "nowhere"))]);
        assert_eq!(names(&draft), ["a"]);
    }
}
