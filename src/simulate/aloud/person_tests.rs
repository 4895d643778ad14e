use super::*;
use crate::dialplan::fixture::bank;
use crate::simulate::transcript;
use crate::time::{Clock as _, SystemClock};

/// A person, and the gateway's side of the line.
struct Line {
    person: Person,
    now: Instant,
}

const GREETING: &str = "bot Welcome to the bank.\nbot What can I do for you?";

impl Line {
    fn new(lines: &str) -> Self {
        let text = format!("```call\nplan: bank.yaml\n{lines}\n```\n");
        let part = Part::of(&transcript::parse(&text).unwrap()[0], &Arc::new(bank())).unwrap();
        let now = SystemClock.now().mono;
        Self { person: Person::new(Arc::new(part), now), now }
    }

    /// The bot says this and then listens to that question.
    fn bot(&mut self, lines: &[&str], step: &str, takes_yes: bool) {
        self.person.handle(News::Rests { listening: false, question: None }, self.now);
        for line in lines {
            self.person.handle(News::Says((*line).to_owned()), self.now);
            self.person.handle(News::Begins, self.now);
            self.now += Duration::from_secs(2);
        }
        let question = Some(Question { step: step.to_owned(), place: 0, takes_yes });
        self.person.handle(News::Rests { listening: true, question }, self.now);
    }

    fn heard(&mut self, words: &str, meaning: Option<&str>) {
        let news = News::Hears { words: Some(words.to_owned()), meaning: meaning.map(str::to_owned) };
        self.person.handle(news, self.now);
    }

    /// What the person does when it is their turn.
    fn does(&mut self) -> Option<Does> {
        if let Some(due) = self.person.due() {
            self.now = self.now.max(due);
            self.person.handle_timeout(self.now);
        }
        let does = self.person.poll();
        self.person.handle(News::Done, self.now);
        does
    }

    fn over(self, end: &str) -> Report {
        self.over_with(end, &[])
    }

    fn over_with(mut self, end: &str, came_to: &[&str]) -> Report {
        let came_to = came_to.iter().map(|line| (*line).to_owned()).collect();
        self.person.handle(News::Over(Ending { end: end.to_owned(), interrupted: 0, came_to }), self.now);
        self.person.into_report()
    }
}

fn speaks(words: &str) -> Option<Does> {
    speaks_again(words, 1)
}

fn speaks_again(words: &str, try_no: u32) -> Option<Does> {
    Some(Does::Speak { pieces: vec![(Duration::ZERO, words.to_owned())], try_no })
}

fn lost_card() -> Line {
    let mut line = Line::new(&format!("{GREETING}\nyou lost card\nbot …\nend completed: agent"));
    line.bot(&["Welcome to the bank.", "What can I do for you?"], "main", false);
    assert_eq!(line.does(), speaks("lost card"));
    line
}

#[test]
fn a_call_that_goes_as_written_is_without_fault() {
    let mut line = lost_card();
    line.heard("Lost card.", Some("lost"));
    line.bot(&["Somebody will help you."], "nowhere", false);
    let report = line.over("completed: agent");
    assert_eq!(report, Report { spoken: 1, words: Words { said: 2, wrong: 0 }, ..Report::default() });
}

#[test]
fn what_was_not_understood_is_said_again_and_told() {
    let mut line = lost_card();
    line.heard("Last cart.", None);
    line.bot(&["Sorry, what can I do for you?"], "main", false);
    // `bot …` fits anything: what tells is that the same question is open, which the person finds at the end.
    line.person.said.clear();
    assert_eq!(line.does(), speaks_again("lost card", 2));
    line.heard("lost card", Some("lost"));
    line.bot(&["Somebody will help you."], "nowhere", false);
    let report = line.over("completed: agent");
    assert!(report.faults.is_empty(), "{report:?}");
    assert_eq!((report.again.len(), &report.again[0].heard), (1, &Recalled::Words("Last cart.".into())));
    assert_eq!((report.spoken, report.words), (2, Words { said: 4, wrong: 2 }));
}

#[test]
fn a_line_that_is_never_understood_is_a_fault() {
    let mut line = Line::new(&format!("{GREETING}\nkeys 1\nbot Please key in …"));
    line.bot(&["Welcome to the bank.", "What can I do for you?"], "main", false);
    for _ in 0..TRIES {
        assert!(matches!(line.does(), Some(Does::Press(_))));
        line.bot(&["Sorry."], "main", false);
    }
    assert_eq!(line.does(), Some(Does::HangUp));
    let report = line.over("caller hung up");
    assert_eq!(report.faults.len(), 1);
    assert!(report.faults[0].1.contains("it was said 3 times"), "{report:?}");
}

#[test]
fn a_doubt_is_affirmed_when_it_is_right_and_denied_when_it_is_not() {
    for (meaning, answer) in [(Some("balance"), "yes"), (Some("agent"), "no")] {
        let mut line = Line::new(&format!("{GREETING}\nyou balance\nbot Please key in …"));
        line.bot(&["Welcome to the bank.", "What can I do for you?"], "main", false);
        assert_eq!(line.does(), speaks("balance"));
        let expected = line.person.part.deeds[0].meaning.clone();
        let meaning = if answer == "yes" { expected.as_deref() } else { meaning };
        line.heard("ballads", meaning);
        line.bot(&["Sorry, was that your balance?"], "doubt", true);
        assert_eq!(line.does(), speaks(answer));
        assert!(line.person.report.again[0].doubted);
    }
}

#[test]
fn another_place_and_another_end_are_faults() {
    let mut line = Line::new(&format!("{GREETING}\nyou balance\nbot Please key in …"));
    line.bot(&["Welcome to the bank.", "What can I do for you?"], "main", false);
    line.does();
    line.heard("a loan", Some("loan"));
    line.bot(&["How much would you like?"], "loan", false);
    assert_eq!(line.does(), Some(Does::HangUp));
    let report = line.over("caller hung up");
    assert!(report.faults[0].1.contains("heard \"a loan\" for \"balance\""), "{report:?}");

    let mut line = lost_card();
    line.heard("lost card", Some("lost"));
    line.bot(&["Goodbye."], "nowhere", false);
    let report = line.over("completed: balance");
    assert!(report.faults[0].1.contains("should have ended `completed: agent`"), "{report:?}");
}

#[test]
fn a_call_that_ends_too_early_is_a_fault() {
    let mut line = Line::new(&format!("{GREETING}\nyou balance\nbot Please key in …"));
    line.bot(&["Welcome to the bank."], "main", false);
    let report = line.over("failed: something");
    assert!(report.faults[0].1.contains("over before that"), "{report:?}");
}

#[test]
fn a_caller_may_talk_into_the_bots_line() {
    let mut line = Line::new("bot Welcome …\nbot What can …\nyou balance @0.3s interrupts\nbot Please key in …");
    line.person.handle(News::Says("Welcome to the bank.".into()), line.now);
    line.person.handle(News::Begins, line.now);
    assert_eq!(line.person.due(), None, "the second line has not begun");
    line.now += Duration::from_secs(2);
    line.person.handle(News::Says("What can I do for you?".into()), line.now);
    line.person.handle(News::Begins, line.now);
    assert_eq!(line.person.due(), Some(line.now + Duration::from_millis(300)));
    assert_eq!(line.does(), speaks("balance"));
    line.bot(&["Please key in your PIN."], "verify", false);
    assert_eq!(line.does(), Some(Does::HangUp));
    let report = line.over("caller hung up");
    assert!(report.faults.iter().any(|(_, why)| why.contains("0 prompts were interrupted")), "{report:?}");
}

#[test]
fn who_is_asked_anew_from_an_earlier_question_on_answers_all_of_it_again() {
    let mut line = Line::new(&format!(
        "{GREETING}\nyou balance\nbot Please key in …\nkeys 1234\nbot You have …\nbot Goodbye then."
    ));
    line.bot(&["Welcome to the bank.", "What can I do for you?"], "main", false);
    assert_eq!(line.does(), speaks("balance"));
    line.bot(&["Please key in your PIN."], "verify", false);
    assert!(matches!(line.does(), Some(Does::Press(_))));
    line.person.said.clear();
    line.bot(&[], "main", false);
    assert_eq!(line.does(), speaks_again("balance", 2));
    line.bot(&["Please key in your PIN."], "verify", false);
    assert!(matches!(line.does(), Some(Does::Press(_))));
}

const DESK: &str = "dialplan: 1\nname: small\nlanguages: [en-US]\ndefaults: { question: { go: bye } }\nstart: want\nsteps:\n  \
                    want:\n    menu:\n      prompt: What is it about?\n      options:\n        bill: { key: 1, phrases: [my bill], \
                    go: desk }\n        hours: { key: 2, phrases: [opening hours], go: bye }\n  desk:\n    queue: { group: desk, go: \
                    bye, overflow: bye }\n  bye:\n    hangup: { text: Bye. }\n";

/// A small plan with a queue, and this conversation with it.
fn desk(lines: &str) -> Line {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("small.yaml"), DESK).unwrap();
    let plan = crate::dialplan::load::load(&folder.path().join("small.yaml")).unwrap().plan;
    let text = format!("```call\nplan: small.yaml\n{lines}\n```\n");
    let part = Part::of(&transcript::parse(&text).unwrap()[0], &plan).unwrap();
    let now = SystemClock.now().mono;
    Line { person: Person::new(Arc::new(part), now), now }
}

const SERVED: &str = "bot What is it about?\nyou my bill\nagent bob declines\nagent alice accepts\n... 5s\nagent hangs up\n\
                      bot Bye.\nend completed\noutcome handed group=desk agent=alice end=served waited=… talked=…";

#[test]
fn who_is_handed_over_waits_until_others_have_done_what_is_written() {
    let mut line = desk(SERVED);
    line.bot(&["What is it about?"], "want", true);
    assert_eq!(line.does(), speaks("my bill"));
    line.heard("My bill.", Some("bill"));
    line.person.handle(News::Rests { listening: true, question: None }, line.now);
    assert_eq!(line.does(), Some(Does::Agent(AgentDoes::Declines)));
    assert_eq!(line.does(), Some(Does::Agent(AgentDoes::Accepts("alice".into()))));
    // Silence, on purpose, while both talk.
    assert_eq!(line.does(), None);
    assert_eq!(line.does(), None);
    assert_eq!(line.does(), Some(Does::Agent(AgentDoes::HangsUp)));
    line.bot(&["Bye."], "nowhere", false);
    let served = "handed group=desk agent=alice end=served waited=9s talked=6s";
    assert_eq!(line.over_with("completed", &[served]).faults, []);
}

#[test]
fn nobody_is_sought_while_the_bot_still_asks() {
    let mut line = desk(SERVED);
    line.bot(&["What is it about?"], "want", true);
    line.does();
    line.heard("Mabel.", None);
    line.bot(&["Sorry, what is it about?"], "want", true);
    line.person.said.clear();
    assert_eq!(line.does(), speaks_again("my bill", 2));
}

#[test]
fn what_came_of_a_call_is_compared_in_order() {
    let served = "handed group=desk agent=alice end=served waited=9s talked=6s";
    let busy = "handed group=desk agent=alice end=busy waited=9s talked=6s";
    for (came_to, wrong) in [
        (vec![], "not `none`"),
        (vec![busy], "end=busy"),
        (vec![served, "tag topic=hours"], "`tag topic=hours` came of it"),
    ] {
        let mut line = desk(SERVED);
        line.person.next = line.person.part.deeds.len();
        line.person.said.push(Said { text: "Bye.".into(), began: None, into_words: false });
        let report = line.over_with("completed", &came_to);
        assert!(report.faults.len() == 1 && report.faults[0].1.contains(wrong), "{report:?}");
    }
}

#[test]
fn a_pause_may_be_taken_for_the_end_of_a_line_or_not() {
    for (asks_into_words, goes_on) in [(true, true), (false, false)] {
        let lines = "you balance\nbot Please key in …\nkeys 1234\nbot You have …\nbot Goodbye then.";
        let mut line = Line::new(&format!("{GREETING}\n{lines}"));
        let part = Arc::make_mut(&mut line.person.part);
        let Act::Speak(pieces) = &mut part.deeds[0].act else { panic!("it is spoken") };
        pieces.push((Duration::from_millis(900), "please".into()));
        let question = part.deeds[1].question.clone();
        line.bot(&["Welcome to the bank.", "What can I do for you?"], "main", false);
        line.now = line.person.due().unwrap();
        line.person.handle_timeout(line.now);
        assert!(matches!(line.person.poll(), Some(Does::Speak { .. })));
        let early = News::Says("Sorry, what can I do for you?".into());
        if asks_into_words {
            line.person.handle(early, line.now);
            line.person.handle(News::Done, line.now);
        } else {
            line.person.handle(News::Done, line.now);
            line.person.handle(early, line.now);
        }
        line.person.handle(News::Says("Please key in your PIN.".into()), line.now);
        line.person.handle(News::Rests { listening: true, question }, line.now);
        let next = line.does();
        assert_eq!(matches!(next, Some(Does::Press(_))), goes_on, "{next:?}");
        assert_eq!(next == Some(Does::HangUp), !goes_on, "{next:?}");
    }
}

#[test]
fn a_question_that_yes_does_not_answer_hears_the_line_again() {
    let mut line = Line::new(&format!("{GREETING}\nyou balance\nbot Please key in …"));
    line.bot(&["Welcome to the bank.", "What can I do for you?"], "main", false);
    assert_eq!(line.does(), speaks("balance"));
    line.heard("ballads", None);
    line.bot(&["Ballads, and what else?"], "doubt", true);
    assert_eq!(line.does(), speaks("yes"));
    line.bot(&["Ballads, and what else?"], "doubt", true);
    assert_eq!(line.does(), speaks_again("balance", 2));
}

#[test]
fn who_makes_a_sound_stops_when_the_bot_has_heard_enough() {
    let mut line = Line::new(&format!("{GREETING}\nnoise 60s\nbot …\nkeys 2\nbot …\nend completed: agent"));
    line.bot(&["Welcome to the bank.", "What can I do for you?"], "main", false);
    line.now = line.person.due().unwrap();
    line.person.handle_timeout(line.now);
    assert_eq!(line.person.poll(), Some(Does::Rustle(Duration::from_secs(60))));
    line.person.handle(News::Says("Say balance, or lost card.".into()), line.now);
    assert_eq!(line.person.poll(), Some(Does::Hush));
    line.person.handle(News::Done, line.now);
    line.person.handle(News::Says("And more.".into()), line.now);
    assert_eq!(line.person.poll(), None, "it is silent already");
}
