//! `optout`: the caller is not to be called again, and hears so.
//!
//! The number is closed the moment the call comes to this step, before a word is said: whoever hangs up in the middle of
//! the sentence has said enough.

use super::{Event, Next, Run, Visit, Word, Words};
use crate::dialplan::compile::{Calculation, Compiler};
use crate::dialplan::key::{Key, Shape, key};
use crate::dialplan::outcome::{EVERYWHERE, OutcomeKind};
use crate::dialplan::plan::{Prompt, Target};
use crate::dialplan::read;
use crate::dialplan::yaml::Node;
use crate::media::BargeIn;
use crate::pii::Pii;
use crate::value::Value;

const SCOPES: &[&str] = &["everywhere", "plan"];

const KEYS: &[Key] = &[
    key("text", Shape::Text, "Said once the number is closed, and heard whole."),
    key("file", Shape::Line, "A recording of it."),
    key("scope", Shape::Word(SCOPES), "For every plan and campaign, or for this one only."),
    key("number", Shape::Value, "Which number is closed."),
    key("withheld", Shape::Target, "Where to when the number is not known, so that nothing can be closed."),
    key("go", Shape::Target, "Where to next."),
    key("hangup", Shape::Target, "Where the call stands when the caller hangs up here."),
];

/// The word.
pub const WORD: Word = Word {
    name: "optout",
    about: "Never call this number again, from now on, and say so.",
    keys: &[KEYS],
    short: false,
    compile,
};

/// Never call this number again.
#[derive(Debug)]
pub struct OptOut {
    /// Said once it is closed.
    pub prompt: Prompt,
    /// For every plan and campaign?
    pub everywhere: bool,
    /// Which number; the far end's if it is not said.
    pub number: Option<Calculation>,
    /// Where to when the number is not known.
    pub withheld: Option<Target>,
    /// Where to next.
    pub go: Target,
}

impl Run for OptOut {
    fn next<'plan>(&'plan self, event: &Event, visit: &mut Visit<'_>) -> Next<'plan> {
        if *event == Event::Said {
            return Next::Go(self.go);
        }
        let number = self.number_of(visit);
        let withheld = number.is_empty();
        let said = visit.said.cloned().unwrap_or_default();
        let scope = if self.everywhere { EVERYWHERE.to_owned() } else { plan_of(visit) };
        visit.came_to(OutcomeKind::OptOut { scope, number: Pii::new(number), said });
        if withheld {
            visit.faults.push("the number is withheld, so it cannot be closed".to_owned());
            return Next::Go(self.withheld.unwrap_or(self.go));
        }
        Next::Say { words: vec![Words::Prompt(&self.prompt)], protected: true, barge_in: BargeIn::Off }
    }

    fn prompts(&self) -> Vec<&Prompt> {
        vec![&self.prompt]
    }

    fn exits(&self) -> Vec<(String, Target)> {
        let withheld = self.withheld.map(|target| ("withheld".to_owned(), target));
        withheld.into_iter().chain([("go".to_owned(), self.go)]).collect()
    }

    fn onward(&self) -> Option<Target> {
        Some(self.go)
    }
}

impl OptOut {
    fn number_of(&self, visit: &mut Visit<'_>) -> String {
        let number = match &self.number {
            None => visit.far_number(),
            Some(number) => match number.value(visit.view()) {
                Ok(number) => number.plain(),
                Err(why) => {
                    // Better the number we are talking to than none.
                    visit.faults.push(format!("the number to be closed cannot be told: {why}"));
                    visit.far_number()
                }
            },
        };
        visit.complete_number(&number)
    }
}

/// What an opt-out of "this one only" is about: the campaign, where there is one.
fn plan_of(visit: &Visit<'_>) -> String {
    let fact = |name: &str| visit.scope.fact(name).map(Value::plain).filter(|name| !name.is_empty());
    // A plan without a name cannot be told from others.
    fact("campaign").or_else(|| fact("plan")).unwrap_or_else(|| EVERYWHERE.to_owned())
}

fn compile(node: Node, cx: &mut Compiler<'_>) -> Option<Box<dyn Run>> {
    let mut fields = cx.open(node, &[KEYS])?;
    let prompt = match cx.spoken(&mut fields, false) {
        Some(text) => cx.prompt(&text),
        None => cx.house_prompt("closed"),
    };
    let word = |node: &Node, findings: &mut _| read::word(node, "`scope`", SCOPES, findings);
    let scope = fields.read("scope", cx.findings, word);
    let number = fields.take("number").and_then(|node| cx.calculation(&node));
    let withheld = cx.target_of(&mut fields, "withheld");
    cx.take_hangup(&mut fields);
    let go = cx.go(&mut fields);
    let everywhere = scope.is_none_or(|scope| scope.value == "everywhere");
    Some(Box::new(OptOut { prompt, everywhere, number, withheld, go }))
}

#[cfg(test)]
mod tests {
    use crate::dialplan::outcome::OutcomeKind;
    use crate::dialplan::rehearsal::Rehearsal;

    fn plan(keys: &str) -> String {
        format!(
            "dialplan: 1\nlanguages: [en-US, zh-CN]\ninputs: {{ home: phone }}\ndefaults:\n  question: {{ go: bye }}\n  \
             universals: {{ stop: stop }}\nstart: ask\nsteps:\n  ask:\n    ask: {{ prompt: {{ en-US: \"Your number?\", \
             zh-CN: \"号码？\" }}, digits: 4, go: bye }}\n  stop:\n    optout: {{ {keys} go: bye }}\n  bye: {{ hangup: \
             {{ result: bye }} }}\n  nobody: {{ hangup: {{ result: nobody }} }}\n"
        )
    }

    fn closed(talk: &Rehearsal) -> Vec<(&str, &str, &str)> {
        let closed = talk.outcomes().into_iter().map(|kind| match kind {
            OutcomeKind::OptOut { scope, number, said } => {
                (scope.as_str(), number.reveal().as_str(), said.reveal().as_str())
            }
            other => panic!("{other:?}"),
        });
        closed.collect()
    }

    #[test]
    fn whoever_says_stop_is_closed_at_once_in_their_words_and_hears_so() {
        for (language, words, confirmed) in [
            ("en-US", "stop calling me", "You will not be called again."),
            ("zh-CN", "不要再打电话给我了", "我们不会再给您打电话了。"),
        ] {
            let mut talk = Rehearsal::of(&plan(""), language, &[]);
            talk.say(words);
            assert!(talk.bot().starts_with(confirmed) && talk.bot().ends_with("[bye]"), "{}", talk.bot());
            assert_eq!(closed(&talk), [("global", "+12025550123", words)]);
        }
    }

    #[test]
    fn this_plan_only_or_another_number_where_the_plan_says_so() {
        let mut talk =
            Rehearsal::of(&plan("scope: plan, number: \"{{ home }}\","), "en-US", &[("home", "+1 415 555 0100")]);
        talk.say("stop calling me");
        assert_eq!(closed(&talk), [("spring", "+14155550100", "stop calling me")]);
    }

    #[test]
    fn nothing_is_promised_to_a_number_that_is_withheld() {
        let mut talk = Rehearsal::from(&plan("withheld: nobody,"), "en-US", &[], "anonymous");
        talk.say("stop calling me");
        assert!(!talk.bot().contains("not be called"), "{}", talk.bot());
        assert!(talk.bot().ends_with("[nobody]"), "{}", talk.bot());
        assert_eq!(closed(&talk), [("global", "", "stop calling me")]);
        assert!(talk.faults()[0].contains("withheld"), "{:?}", talk.faults());
    }
}
