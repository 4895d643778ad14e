//! What the caller of a conversation has to do, and where the call should stand each time.

use std::sync::Arc;
use std::time::Duration;

use crate::call::Question;
use crate::dialplan::plan::Plan;
use crate::language::Language;
use crate::rtp::Digit;
use crate::simulate::came_to;
use crate::simulate::conversation::{Caller, Expected};
use crate::simulate::runner;
use crate::simulate::transcript::{AgentDoes, Item, Script, USUAL_CONFIDENCE, What, When, fits};

/// A call by voice takes longer than in text: voices are slower, and lines are said again. So many times as long…
const SLOWER: u32 = 3;
/// … and so much more, for setting up and taking leave.
const MORE: Duration = Duration::from_secs(60);
/// No conversation is given longer.
const LONGEST: Duration = Duration::from_secs(900);

/// One conversation, ready to be played.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its heading.
    pub name: String,
    /// Its first line in the file.
    pub line: usize,
    /// Who calls.
    pub caller: Caller,
    /// What they speak.
    pub language: Language,
    /// How other systems answer.
    pub lookups: Vec<Expected>,
    /// What they do, in order.
    pub deeds: Vec<Deed>,
    /// What the bot says after that.
    pub last_words: Vec<String>,
    /// Line and text of how it should end; `None`: where the bot listens.
    pub end: Option<(usize, String)>,
    /// Line and text of everything that should come of it; empty: that is not written.
    pub came_to: Vec<(usize, String)>,
    /// It is given up after this.
    pub patience: Duration,
}

/// One thing the caller does.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// In the file.
    pub line: usize,
    /// What the bot should have said since the deed before: as written, with `…`.
    pub before: Vec<String>,
    /// What.
    pub act: Act,
    /// When.
    pub when: When,
    /// The question that should be open.
    pub question: Option<Question>,
    /// What it should mean there.
    pub meaning: Option<String>,
}

/// What a caller does.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Says this, each piece after its pause.
    Speak(Vec<(Duration, String)>),
    /// Presses these.
    Press(Vec<Digit>),
    /// Makes a sound without words.
    Rustle(Duration),
    /// Nothing, until the bot speaks or that has passed.
    Wait(Duration),
    /// Nothing themselves: the person they are handed to does this, or nobody comes.
    Agent(AgentDoes),
    /// Hangs up.
    HangUp,
}

/// Why a conversation is not played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unplayable {
    /// It does not even pass in text.
    #[error("it fails in text already; run `trunkline test` without --audio")]
    FailsInText,
    /// It is about a recogniser that doubts.
    #[error("line {0} says how sure the recogniser is, which a real one decides for itself")]
    Doubt(usize),
    /// It needs a telephone that follows a REFER.
    #[error("line {0} has the caller's own telephone sent on, and the one here cannot call anybody else")]
    SentOn(usize),
    /// It needs a voice for another language than the caller's.
    #[error("line {0} is not in the language of the call, and a caller here has voices for one only")]
    OtherTongue(usize),
    /// It needs a recogniser that is not there.
    #[error("nothing here understands {language} by voice: {why}")]
    Deaf {
        /// What the caller speaks.
        language: Language,
        /// What is missing.
        why: String,
    },
}

impl Part {
    /// Holds the conversation in text and learns from it.
    ///
    /// # Errors
    ///
    /// [`Unplayable`].
    pub fn of(script: &Script, plan: &Arc<Plan>) -> Result<Self, Unplayable> {
        for item in &script.items {
            match &item.what {
                What::You { confidence, .. } if *confidence < USUAL_CONFIDENCE => {
                    return Err(Unplayable::Doubt(item.line));
                }
                // Several guesses at one utterance.
                What::You { pieces, .. } if pieces.iter().any(|(_, words)| words.contains('|')) => {
                    return Err(Unplayable::Doubt(item.line));
                }
                _ => {}
            }
        }
        let caller = runner::caller_of(script);
        let language = caller.language.clone().or_else(|| plan.languages.first().cloned());
        let language = language.unwrap_or_else(Language::english);
        let foreign = |item: &&Item| matches!(&item.what, What::You { pieces, .. } if pieces.iter().any(|(_, words)| is_foreign(words, &language)));
        if let Some(item) = script.items.iter().find(foreign) {
            return Err(Unplayable::OtherTongue(item.line));
        }
        let outcome = runner::run(script, plan.clone());
        if !outcome.passed() {
            return Err(Unplayable::FailsInText);
        }
        if let Some(line) = outcome.sent_on {
            return Err(Unplayable::SentOn(line));
        }
        let mut part = Self {
            name: script.name.clone(),
            line: script.line,
            caller,
            language,
            lookups: runner::lookups_of(script),
            deeds: Vec::new(),
            last_words: Vec::new(),
            end: None,
            came_to: Vec::new(),
            patience: (outcome.lasted * SLOWER + MORE).min(LONGEST),
        };
        let mut cues = outcome.cues.into_iter();
        for item in &script.items {
            let (act, when) = match &item.what {
                What::Bot(text) => {
                    part.last_words.push(text.clone());
                    continue;
                }
                What::End(text) => {
                    part.end = Some((item.line, text.clone()));
                    continue;
                }
                What::CameTo(text) => {
                    part.came_to.push((item.line, text.clone()));
                    continue;
                }
                What::Http { .. } => continue,
                What::Agent(does) => (Act::Agent(does.clone()), When::default()),
                What::You { pieces, when, .. } => (Act::Speak(pieces.clone()), *when),
                What::Keys { keys, when } => (Act::Press(keys.clone()), *when),
                What::Noise { lasting, when } => (Act::Rustle(*lasting), *when),
                What::Silence(time) => (Act::Wait(*time), When::default()),
                What::HangsUp { when } => (Act::HangUp, *when),
            };
            let cue = cues.next();
            let (question, meaning) = cue.map_or((None, None), |cue| (cue.question, cue.meaning));
            let before = std::mem::take(&mut part.last_words);
            part.deeds.push(Deed { line: item.line, before, act, when, question, meaning });
        }
        Ok(part)
    }

    /// Does the caller say anything?
    pub fn speaks(&self) -> bool {
        self.deeds.iter().any(|deed| matches!(deed.act, Act::Speak(_)))
    }

    /// What came of the call otherwise than is written, if anything is: line and sentence. `again`: a line was said again.
    pub fn outcome_fault(&self, happened: &[String], again: bool) -> Option<(usize, String)> {
        if self.came_to.is_empty() {
            return None;
        }
        let nothing = [came_to::NONE.to_owned()];
        let happened = if happened.is_empty() { nothing.as_slice() } else { happened };
        for (place, (line, written)) in self.came_to.iter().enumerate() {
            match happened.get(place) {
                Some(happened) if fits(&came_to::by_voice(written, again), happened) => {}
                Some(happened) => {
                    return Some((*line, format!("`{written}` should have come of it, not `{happened}`")));
                }
                None => return Some((*line, format!("`{written}` should have come of it, and did not"))),
            }
        }
        let (more, (line, _)) = (happened.get(self.came_to.len())?, self.came_to.last()?);
        Some((*line, format!("`{more}` came of it, which is not written")))
    }

    /// Everything the caller may have to say, each once.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.deeds.iter().flat_map(|deed| {
            match &deed.act {
                Act::Speak(pieces) => pieces.as_slice(),
                _ => &[],
            }
            .iter()
            .map(|(_, words)| words.as_str())
        })
    }
}

/// Words in which a voice of that language finds nothing to say: Chinese ones, for an English voice.
fn is_foreign(words: &str, language: &Language) -> bool {
    language.primary() == "en"
        && words.chars().any(char::is_alphanumeric)
        && !words.chars().any(|letter| letter.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::fixture::bank;
    use crate::simulate::transcript;

    fn part(lines: &str) -> Result<Part, Unplayable> {
        let text = format!("# Bank\n\n```call\nplan: bank.yaml\n{lines}\n```\n");
        Part::of(&transcript::parse(&text).unwrap()[0], &Arc::new(bank()))
    }

    #[test]
    fn a_part_knows_what_is_to_be_done_where_and_what_it_should_mean() {
        let part = part("bot Welcome …\nbot What can …\nyou lost card\nbot …\nend completed: agent").unwrap();
        assert_eq!(part.deeds.len(), 1);
        let deed = &part.deeds[0];
        assert_eq!(deed.before, ["Welcome …", "What can …"]);
        assert_eq!(deed.act, Act::Speak(vec![(Duration::ZERO, "lost card".to_owned())]));
        let question = deed.question.as_ref().unwrap();
        assert_eq!((question.step.as_str(), question.place), ("main", 0));
        assert!(deed.meaning.is_some());
        assert_eq!((part.last_words.len(), part.end), (1, Some((9, "completed: agent".to_owned()))));
        assert!(part.patience > MORE && part.patience < LONGEST);
    }

    #[test]
    fn what_cannot_be_played_says_why() {
        let doubt = part("bot Welcome …\nbot What …\nyou mumble (0.2)").unwrap_err();
        assert_eq!(doubt, Unplayable::Doubt(7));
        let foreign = part("bot Welcome …\nbot What …\nyou 查余额").unwrap_err();
        assert_eq!(foreign, Unplayable::OtherTongue(7));
        assert_eq!(part("bot Goodbye.\nend completed").unwrap_err(), Unplayable::FailsInText);
    }
}
