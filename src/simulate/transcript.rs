//! A call written as text: reading the ```` ```call ```` blocks of a `*.test.md` file.
//!
//! ```text
//! plan: dialplans/pharmacy.yaml      at: Mon 10:00 America/New_York   lang: en-US   caller: +12025550123
//! bot   Say refill, or …                       what the bot says; … stands for anything
//! you   I need a fill up (0.41)                speech, and how sure the recogniser is (0.95 when not said)
//! you   pay (0.6) | play (0.3)                 … and what else it may have been
//! you   yes   @0.8s  interrupts                … begun 0.8 s into the bot's last line, which it must cut short
//! you   one two <0.6s> three four              … with a pause in it
//! keys  1234#                                  keys; @ and interrupts as above
//! noise 2s                                     a sound without words
//! ...   6s                                     silence, until the bot speaks or the time has passed
//! you hangs up
//! agent alice accepts                          who waits for an agent, or is transferred, gets one; also `declines`,
//!                                              `busy`, `no answer`, `hangs up`, `nobody`, `too long`, `full`, `place 2 3min`
//! end   completed: refill                      how it ended, and its result
//! outcome promise amount=200.00 USD date=…     what came of it, a line for each, in order (`came_to`); `none`: nothing
//! # a remark
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned, civil};

use crate::agents::Overflow;
use crate::call::record::CallEnd;
use crate::language::Language;
use crate::lookup::{Failure, Method, Trouble};
use crate::rtp::Digit;

/// How sure the recogniser is of words that do not say.
pub const USUAL_CONFIDENCE: f32 = 0.95;
/// The keys of a header line.
const HEADER_KEYS: [&str; 6] = ["plan:", "at:", "lang:", "caller:", "called:", "with:"];
/// The Monday that `at: Mon …` means.
const FIRST_MONDAY: Date = civil::date(2026, 1, 5);

/// One conversation of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// The heading above it.
    pub name: String,
    /// Its first line in the file (the header), from 1.
    pub line: usize,
    /// One past its last line: that of the closing fence.
    pub end_line: usize,
    /// What it says of the call.
    pub header: Header,
    /// The header as written.
    pub header_raw: String,
    /// What is said and done.
    pub items: Vec<Item>,
}

/// Who calls what, when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// As written; from the repository's root or beside the test.
    pub plan: PathBuf,
    /// When the call arrives.
    pub at: Option<Zoned>,
    /// What the caller speaks.
    pub language: Option<Language>,
    /// Their number.
    pub caller: Option<String>,
    /// The number they dialled.
    pub called: Option<String>,
    /// What is known of the caller beforehand.
    pub with: BTreeMap<String, String>,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// In the file, from 1.
    pub line: usize,
    /// Remarks and empty lines above it, as written.
    pub before: Vec<String>,
    /// As written.
    pub raw: String,
    /// What it says.
    pub what: What,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The bot should say this.
    Bot(String),
    /// The caller speaks.
    You {
        /// What the recogniser will make of it, piece by piece, each after its pause.
        pieces: Vec<(Duration, String)>,
        /// How sure it is, 0..1.
        confidence: f32,
        /// When.
        when: When,
    },
    /// The caller presses keys.
    Keys {
        /// In this order.
        keys: Vec<Digit>,
        /// When.
        when: When,
    },
    /// A sound without words.
    Noise {
        /// That long.
        lasting: Duration,
        /// When.
        when: When,
    },
    /// Silence.
    Silence(Duration),
    /// The caller hangs up.
    HangsUp {
        /// When.
        when: When,
    },
    /// A person the call is handed to does something, or nobody does.
    Agent(AgentDoes),
    /// Another system answers a look-up.
    Http {
        /// `GET https://…`, if that matters.
        asked: Option<String>,
        /// The status, or the name of a failure.
        answer: Result<(u16, serde_json::Value), Failure>,
    },
    /// The call should have ended like this.
    End(String),
    /// This should have come of it.
    CameTo(String),
}

/// What becomes of a call that is being handed to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentDoes {
    /// Takes the caller.
    Accepts(String),
    /// Does not: of a queue, the next agent is asked.
    Declines,
    /// Talks to somebody else already.
    Busy,
    /// Does not pick up.
    NoAnswer,
    /// Hangs up, so that the caller is back.
    HangsUp,
    /// No agent comes.
    Nobody(Overflow),
    /// The caller is told where they stand.
    Place(usize, Duration),
}

impl What {
    /// Is it something the bot does, rather than the caller?
    pub const fn is_expected(&self) -> bool {
        matches!(self, Self::Bot(_) | Self::End(_) | Self::CameTo(_))
    }
}

/// When a caller acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// So far into the bot's last line; when it has finished, if `None`.
    pub into: Option<Duration>,
    /// It must cut that line short.
    pub interrupts: bool,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Unreadable {
    /// In the file, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Reads every conversation of a test file. Text outside the blocks is for people.
pub fn parse(text: &str) -> Result<Vec<Script>, Vec<Unreadable>> {
    let mut reader = Reader { scripts: Vec::new(), wrong: Vec::new(), heading: String::new(), open: None };
    for (place, line) in text.lines().enumerate() {
        reader.line(place + 1, line);
    }
    if let Some(open) = reader.open.take() {
        reader.wrong(open.line, "this ```call block is never closed");
    }
    if reader.wrong.is_empty() { Ok(reader.scripts) } else { Err(reader.wrong) }
}

/// Does what the bot said fit the line that expects it? `…` stands for any text, spaces count once.
pub fn fits(expected: &str, said: &str) -> bool {
    let expected = squeeze(expected).replace("...", "…");
    let said = squeeze(said).replace("...", "…");
    let mut parts = expected.split('…').map(str::trim);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = said.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// How an `end` line prints what became of a call.
pub fn print_end(end: &CallEnd, result: Option<&str>) -> String {
    match (end, result) {
        (CallEnd::Completed, Some(result)) => format!("completed: {result}"),
        (CallEnd::Completed, None) => "completed".to_owned(),
        (CallEnd::CallerHungUp, _) => "caller hung up".to_owned(),
        (CallEnd::Cancelled, _) => "cancelled".to_owned(),
        (CallEnd::Rejected(status), _) => format!("rejected: {status}"),
        (CallEnd::Refused(status), _) => format!("refused: {status}"),
        (CallEnd::NoAnswer, _) => "no answer".to_owned(),
        (CallEnd::Unreachable(None), _) => "unreachable".to_owned(),
        (CallEnd::Unreachable(Some(why)), _) => format!("unreachable: {why}"),
        (CallEnd::Transferred, _) => "transferred".to_owned(),
        (CallEnd::Expired, _) => "expired".to_owned(),
        (CallEnd::Interrupted, _) => "interrupted".to_owned(),
        (CallEnd::NoAck, _) => "no ack".to_owned(),
        (CallEnd::NoMedia, _) => "no media".to_owned(),
        (CallEnd::Drained, _) => "drained".to_owned(),
        (CallEnd::Failed(why), _) => format!("failed: {why}"),
    }
}

/// A line as it is written into a test.
pub fn print_line(verb: &str, text: &str) -> String {
    if verb.len() < 5 { format!("{verb:<5}{text}") } else { format!("{verb} {text}") }
}

struct Reader {
    scripts: Vec<Script>,
    wrong: Vec<Unreadable>,
    heading: String,
    open: Option<Open>,
}

struct Open {
    line: usize,
    header: Option<(usize, Header, String)>,
    before: Vec<String>,
    items: Vec<Item>,
}

impl Reader {
    fn line(&mut self, number: usize, raw: &str) {
        let line = raw.trim();
        let Some(open) = &mut self.open else {
            if let Some(heading) = line.strip_prefix('#') {
                heading.trim_start_matches('#').trim().clone_into(&mut self.heading);
            } else if line == "```call" {
                self.open = Some(Open { line: number, header: None, before: Vec::new(), items: Vec::new() });
            }
            return;
        };
        if line.starts_with("```") {
            self.close(number);
        } else if line.is_empty() || line.starts_with('#') {
            open.before.push(raw.to_owned());
        } else if open.header.is_none() {
            match header(line) {
                Ok(header) => open.header = Some((number, header, raw.to_owned())),
                Err(message) => {
                    open.header = Some((number, no_header(), raw.to_owned()));
                    self.wrong(number, &message);
                }
            }
        } else {
            match what(line) {
                Ok(what) => {
                    let before = std::mem::take(&mut open.before);
                    open.items.push(Item { line: number, before, raw: raw.trim_end().to_owned(), what });
                }
                Err(message) => self.wrong(number, &message),
            }
        }
    }

    fn close(&mut self, number: usize) {
        let Some(open) = self.open.take() else { return };
        let Some((line, header, header_raw)) = open.header else {
            self.wrong(open.line, "an empty ```call block; begin it with `plan: path/of/plan.yaml`");
            return;
        };
        let name = if self.heading.is_empty() { format!("line {line}") } else { self.heading.clone() };
        let came_to = |item: &&Item| matches!(item.what, What::CameTo(_));
        let mut rest = open.items.iter().skip_while(|item| !matches!(item.what, What::End(_)));
        let before = open.items.iter().take_while(|item| !matches!(item.what, What::End(_))).find(came_to);
        if let Some(after_end) = rest.by_ref().skip(1).find(|item| !came_to(item)) {
            let line = after_end.line;
            self.wrong(line, "nothing but what came of the call can follow `end`");
        }
        if let Some(before) = before {
            let line = before.line;
            self.wrong(line, "what came of a call is known at its end: write `outcome` below `end`");
        }
        self.scripts.push(Script { name, line, end_line: number, header, header_raw, items: open.items });
    }

    fn wrong(&mut self, line: usize, message: &str) {
        self.wrong.push(Unreadable { line, message: message.to_owned() });
    }
}

fn no_header() -> Header {
    Header { plan: PathBuf::new(), at: None, language: None, caller: None, called: None, with: BTreeMap::new() }
}

fn header(line: &str) -> Result<Header, String> {
    let mut header = no_header();
    let mut key = None;
    let mut values: Vec<(&str, Vec<&str>)> = Vec::new();
    for word in line.split_whitespace() {
        if HEADER_KEYS.contains(&word) {
            key = Some(word);
            values.push((word, Vec::new()));
        } else if let (Some(_), Some((_, value))) = (key, values.last_mut()) {
            value.push(word);
        } else {
            return Err(format!("`{word}` is not known here; a call begins with `plan: path/of/plan.yaml`"));
        }
    }
    for (key, value) in values {
        let value = value.join(" ");
        match key {
            "plan:" => header.plan = PathBuf::from(&value),
            "at:" => header.at = Some(moment(&value)?),
            "lang:" => header.language = Some(Language::parse(&value).map_err(|wrong| wrong.to_string())?),
            "caller:" => header.caller = Some(value),
            "with:" => header.with = known(&value)?,
            _ => header.called = Some(value),
        }
    }
    if header.plan.as_os_str().is_empty() {
        return Err("which plan? Begin with `plan: path/of/plan.yaml`".to_owned());
    }
    Ok(header)
}

/// `Mon 10:00 America/New_York`, or `2026-11-21 10:00 America/New_York`; UTC when no zone is named.
fn moment(text: &str) -> Result<Zoned, String> {
    let wrong = || format!("`{text}` is not a time; write `Mon 10:00 America/New_York` or `2026-01-05 10:00`");
    let mut words = text.split_whitespace();
    let (day, time) = (words.next().ok_or_else(wrong)?, words.next().ok_or_else(wrong)?);
    let date = match weekday(day) {
        Some(weekday) => {
            let days = i64::from(weekday.since(Weekday::Monday));
            FIRST_MONDAY.checked_add(days.days()).map_err(|_| wrong())?
        }
        None => day.parse::<Date>().map_err(|_| wrong())?,
    };
    let time = civil::Time::strptime("%H:%M", time).map_err(|_| wrong())?;
    let zone = words.next().map_or(Ok(TimeZone::UTC), TimeZone::get);
    let zone = zone.map_err(|_| format!("`{text}` names a time zone that does not exist"))?;
    date.to_datetime(time).to_zoned(zone).map_err(|_| wrong())
}

/// `name=Ada, due=200.00`.
fn known(text: &str) -> Result<BTreeMap<String, String>, String> {
    let one = |part: &str| {
        let (name, value) =
            part.split_once('=').ok_or_else(|| format!("`{part}` is no value; write `name=Ada, due=20`"))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    text.split([',', ';']).filter(|part| !part.trim().is_empty()).map(one).collect()
}

fn weekday(name: &str) -> Option<Weekday> {
    let day = match name.get(..3)?.to_ascii_lowercase().as_str() {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
        _ => return None,
    };
    Some(day)
}

/// What one line of a conversation says.
pub fn what(line: &str) -> Result<What, String> {
    let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    match verb {
        "bot" => Ok(What::Bot(rest.to_owned())),
        "end" => Ok(What::End(rest.to_owned())),
        "outcome" if rest.is_empty() => {
            Err("which outcome? Write one as `outcome promise …`, or `outcome none`".into())
        }
        "outcome" => Ok(What::CameTo(rest.to_owned())),
        "..." | "…" => Ok(What::Silence(duration(rest)?)),
        "http" => http(rest),
        "you" => {
            let (words, when) = when(rest)?;
            if squeeze(words) == "hangs up" {
                return Ok(What::HangsUp { when });
            }
            // Of several guesses each says for itself how sure it is.
            let (words, confidence) = match words.contains('|') {
                true => (words, USUAL_CONFIDENCE),
                false => confidence(words)?,
            };
            Ok(What::You { pieces: pieces(words)?, confidence, when })
        }
        "keys" => {
            let (keys, when) = when(rest)?;
            let keys: Option<Vec<Digit>> = keys.chars().filter(|key| !key.is_whitespace()).map(Digit::new).collect();
            match keys.filter(|keys| !keys.is_empty()) {
                Some(keys) => Ok(What::Keys { keys, when }),
                None => Err("keys are 0 to 9, * and #, such as `keys 1234#`".to_owned()),
            }
        }
        "noise" => {
            let (lasting, when) = when(rest)?;
            Ok(What::Noise { lasting: duration(lasting.trim())?, when })
        }
        "agent" => Ok(What::Agent(agent(rest)?)),
        other => Err(format!("`{other}` is not one of bot, you, keys, noise, agent, http, ..., end, outcome")),
    }
}

fn agent(text: &str) -> Result<AgentDoes, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    Ok(match words.as_slice() {
        ["hangs", "up"] | [_, "hangs", "up"] => AgentDoes::HangsUp,
        ["declines"] | [_, "declines"] => AgentDoes::Declines,
        ["busy"] => AgentDoes::Busy,
        ["no", "answer"] => AgentDoes::NoAnswer,
        ["nobody"] => AgentDoes::Nobody(Overflow::NobodyThere),
        ["too", "long"] => AgentDoes::Nobody(Overflow::TooLong),
        ["full"] => AgentDoes::Nobody(Overflow::Full),
        ["accepts"] => AgentDoes::Accepts("somebody".to_owned()),
        [name, "accepts"] => AgentDoes::Accepts((*name).to_owned()),
        ["place", position, minutes] => {
            let minutes = minutes.trim_end_matches("min").parse::<u64>();
            let (Ok(position), Ok(minutes)) = (position.parse(), minutes) else {
                return Err(format!("`{text}` is no place in line; write `agent place 2 3min`"));
            };
            AgentDoes::Place(position, Duration::from_secs(minutes.min(600) * 60))
        }
        _ => {
            return Err(format!(
                "`{text}` is nothing an agent does; write `agent alice accepts`, `declines`, `busy`, `no answer`, `hangs \
                 up`, `nobody`, `too long`, `full` or `place 2 3min`"
            ));
        }
    })
}

/// `200 {"due": 12.5}`, `GET https://crm.example/orders 404`, or `timeout`.
fn http(text: &str) -> Result<What, String> {
    let (asked, rest) = match text.split_once(' ') {
        Some((method, rest)) if Method::parse(method).is_some() => {
            let (url, rest) = rest.trim().split_once(' ').unwrap_or((rest.trim(), "200"));
            (Some(format!("{method} {url}")), rest.trim())
        }
        _ => (None, text),
    };
    let (first, body) = rest.split_once(' ').unwrap_or((rest, ""));
    let answer = match first.parse::<u16>() {
        Ok(status @ 200..=299) => {
            let body = if body.trim().is_empty() { "null" } else { body };
            let json =
                serde_json::from_str(body).map_err(|wrong| format!("what follows {status} is no JSON: {wrong}"))?;
            Ok((status, json))
        }
        Ok(status) => Err(Failure::Status(status)),
        Err(_) => match first {
            "timeout" => Err(Failure::Timeout { after: Duration::from_secs(5) }),
            "unreachable" => Err(Failure::Unreachable { host: "the other system".to_owned(), why: Trouble::Connect }),
            "not_json" => Err(Failure::NotJson),
            "busy" => Err(Failure::Busy),
            _ => return Err("write `http 200 {…}`, a status such as `http 404`, or `http timeout`".to_owned()),
        },
    };
    Ok(What::Http { asked, answer })
}

/// Takes `@0.8s` and `interrupts` off the end of a line.
fn when(text: &str) -> Result<(&str, When), String> {
    let mut when = When::default();
    let mut rest = text.trim_end();
    loop {
        let (before, word) = rest.rsplit_once(char::is_whitespace).unwrap_or(("", rest));
        if word == "interrupts" {
            when.interrupts = true;
        } else if let Some(into) = word.strip_prefix('@') {
            when.into = Some(duration(into)?);
        } else {
            return Ok((rest, when));
        }
        rest = before.trim_end();
    }
}

/// `one two <0.6s> three four` is two pieces.
fn pieces(words: &str) -> Result<Vec<(Duration, String)>, String> {
    let mut pieces = Vec::new();
    let mut rest = words;
    let mut after = Duration::ZERO;
    while let Some((before, tail)) = rest.split_once('<') {
        let (pause, tail) = tail.split_once('>').ok_or_else(|| "a pause is written `<0.6s>`".to_owned())?;
        pieces.push((after, squeeze(before)));
        after = duration(pause)?;
        rest = tail;
    }
    pieces.push((after, squeeze(rest)));
    if pieces.iter().any(|(_, words)| words.is_empty()) {
        return Err("say something, before a pause and after it".to_owned());
    }
    Ok(pieces)
}

fn confidence(words: &str) -> Result<(&str, f32), String> {
    let Some(inside) = words.trim_end().strip_suffix(')') else { return Ok((words, USUAL_CONFIDENCE)) };
    let Some((before, number)) = inside.rsplit_once('(') else { return Ok((words, USUAL_CONFIDENCE)) };
    match number.trim().parse::<f32>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok((before, value)),
        _ => Err(format!("`({number})` is not a confidence between 0 and 1, such as (0.71)")),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let seconds = match text.strip_suffix("ms") {
        Some(number) => number.parse::<f64>().map(|millis| millis / 1_000.0),
        None => text.strip_suffix('s').unwrap_or("").parse::<f64>(),
    };
    match seconds {
        Ok(seconds) if (0.0..=3_600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("`{text}` is not a length of time, such as 6s or 0.8s")),
    }
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(block: &str) -> Script {
        let text = format!("# Title\n\n## A name\n\n```call\n{block}\n```\n");
        parse(&text).unwrap().remove(0)
    }

    fn said(pieces: &[(u64, &str)], confidence: f32, when: When) -> What {
        let piece = |(after, words): &(u64, &str)| (Duration::from_millis(*after), (*words).to_owned());
        What::You { pieces: pieces.iter().map(piece).collect(), confidence, when }
    }

    #[test]
    fn a_block_is_read_with_its_heading_and_its_lines() {
        let script = one("plan: dialplans/pharmacy.yaml      at: Mon 10:00 America/New_York   lang: en-us\n\
                          bot  Say refill.\nyou  I need a fill up (0.41)\n...  6s\n\
                          you  yes        @0.8s   interrupts\nyou one  two <0.6s> three\nkeys 12#  @50ms\nyou hangs up\nend  caller hung up");
        assert_eq!((script.name.as_str(), script.line, script.end_line), ("A name", 6, 15));
        assert_eq!(script.header.plan, PathBuf::from("dialplans/pharmacy.yaml"));
        assert_eq!(script.header.at.as_ref().unwrap().timestamp().as_second(), 1_767_625_200);
        assert_eq!(script.header.language, Some(Language::english()));
        let whats: Vec<What> = script.items.into_iter().map(|item| item.what).collect();
        let into = |millis| When { into: Some(Duration::from_millis(millis)), interrupts: false };
        assert_eq!(
            whats,
            [
                What::Bot("Say refill.".into()),
                said(&[(0, "I need a fill up")], 0.41, When::default()),
                What::Silence(Duration::from_secs(6)),
                said(&[(0, "yes")], 0.95, When { interrupts: true, ..into(800) }),
                said(&[(0, "one two"), (600, "three")], 0.95, When::default()),
                What::Keys { keys: "12#".chars().filter_map(Digit::new).collect(), when: into(50) },
                What::HangsUp { when: When::default() },
                What::End("caller hung up".into()),
            ]
        );
    }

    #[test]
    fn every_line_that_cannot_be_read_is_named() {
        let text = "```call\nplan: a.yaml\nboth Hello\nkeys 12x\nyou yes @soon\n... 6\nyou yes (1.7)\n```\n\
                    ```call\nbot Hello\n```\n```call\n```\n```call\nplan: a.yaml at: Someday 10:00\nend\nbot Hi\n```\n\
                    ```call\nplan: a.yaml\noutcome rating a=1 of 0..2\noutcome\nend\noutcome none\n```";
        let lines: Vec<usize> = parse(text).unwrap_err().iter().map(|wrong| wrong.line).collect();
        assert_eq!(lines, [3, 4, 5, 6, 7, 10, 12, 15, 17, 22, 21]);
        let open = parse("```call\nplan: a.yaml\n").unwrap_err();
        assert_eq!(open[0].message, "this ```call block is never closed");
    }

    #[test]
    fn dots_stand_for_any_text() {
        assert!(fits("What can I do for you? …", "What can I do for you? You can say balance."));
        assert!(fits("… press 0.", "For a person press 0."));
        assert!(fits("Your … card … blocked", "Your credit card is now blocked"));
        assert!(fits("…", ""));
        assert!(fits("a  b", "a b"));
        assert!(!fits("Welcome", "Welcome to the bank"));
        assert!(!fits("Welcome … shop.", "Welcome to the bank."));
    }

    #[test]
    fn words_in_brackets_that_are_no_number_must_not_pass_for_words() {
        assert!(what("you  balance (please)").is_err());
    }

    #[test]
    fn random_text_never_panics() {
        use rand::{Rng, SeedableRng};
        let mut random = rand::rngs::StdRng::seed_from_u64(7);
        let pieces = [
            "```call\n",
            "plan: ",
            "a.yaml",
            "\n",
            "you ",
            "bot ",
            "(0.",
            ")",
            "@",
            "s",
            "…",
            "...",
            "é",
            "```",
            "# ",
            "at: ",
            "Mon",
            " 1",
        ];
        for _ in 0..2_000 {
            let text: String = (0..40).map(|_| pieces[random.random_range(0..pieces.len())]).collect();
            let _ = parse(&text);
            let _ = fits(&text, "a … b");
        }
    }
}
