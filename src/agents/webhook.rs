//! What a house's own system is told, by HTTP, of a caller who is handed to a person: so that the right page is open on
//! the agent's screen before the first word.
//!
//! ```text
//!   agent.ringing ─▶ agent.joined ─▶ agent.over (served, talked_s)
//!        └────────────────────────▶ agent.over (declined, busy, no_answer, failed, cancelled)
//!   queue.left (too_long, full, nobody_there, nobody_fits)
//! ```
//!
//! An event is a POST of JSON. It goes the way of all look-ups: to hosts on the allow list only, with a deadline, with
//! repeats under one idempotency key. What the far end answers beyond "yes" is of no interest.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::handoff::Handoff;
use crate::dialplan::handover::HandedEnd;
use crate::lookup::Request;
use crate::pii::Pii;

/// Things said that an event carries at most, the latest: a talk of an hour must not become a request of a megabyte.
const MOST_SAID: usize = 60;
/// Characters of one of them.
const LONGEST_SAID: usize = 1_000;
/// Repeats while there is time.
const RETRIES: u32 = 3;

/// Whom to tell. Whatever identifies us stands in it as a marker that only the wire exchanges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where.
    pub url: Pii<String>,
    /// Header fields besides those of every look-up.
    pub headers: BTreeMap<String, Pii<String>>,
    /// All the time there is for one event, repeats included.
    pub timeout: Duration,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The agent's telephone is called.
    Ringing,
    /// Agent and caller talk.
    Joined,
    /// The agent's call is over, whatever came of it.
    Over {
        /// What, in the words of [`HandedEnd`]; `cancelled` when it was wanted no more; `transferred`.
        end: &'static str,
        /// How long they talked, if they did.
        talked: Option<Duration>,
    },
    /// Nobody came: the caller is back in the plan.
    Left {
        /// Why.
        why: &'static str,
    },
}

impl Happening {
    /// The caller's telephone talks to the agent's without us.
    pub const TRANSFERRED: Self = Self::Over { end: "transferred", talked: None };

    /// The end of a call to an agent that a SIP status ended; `None`: we did not want it any more.
    pub fn over(status: Option<u16>, talked: Option<Duration>) -> Self {
        let end = match (status, talked) {
            (_, Some(_)) => HandedEnd::Served.name(),
            (Some(status), None) => HandedEnd::of_status(status).name(),
            (None, None) => "cancelled",
        };
        Self::Over { end, talked }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Ringing => "agent.ringing",
            Self::Joined => "agent.joined",
            Self::Over { .. } => "agent.over",
            Self::Left { .. } => "queue.left",
        }
    }
}

/// Of whom an event tells.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// What is known of the caller; nothing sensitive.
    pub handoff: Handoff,
    /// Their number.
    pub caller: Pii<String>,
    /// The agent, by name, or the number or address a plan hands callers to; `None` while there is nobody.
    pub agent: Option<Pii<String>>,
}

impl About {
    /// The event as it is sent.
    pub fn event(&self, happening: Happening, at: Timestamp) -> Json {
        let mut more = Map::new();
        more.insert("at".into(), at.to_string().into());
        more.insert("caller".into(), self.caller.reveal().as_str().into());
        if let Some(agent) = &self.agent {
            more.insert("agent".into(), agent.reveal().as_str().into());
        }
        match happening {
            Happening::Ringing | Happening::Joined => {}
            Happening::Over { end, talked } => {
                more.insert("end".into(), end.into());
                more.extend(talked.map(|talked| ("talked_s".to_owned(), talked.as_secs().into())));
            }
            Happening::Left { why } => _ = more.insert("why".into(), why.into()),
        }
        let mut event = self.handoff.event(happening.name(), Json::Object(more));
        shorten(&mut event);
        event
    }
}

/// Keeps what was said last, and no endless word.
fn shorten(event: &mut Json) {
    let Some(said) = event.get_mut("transcript").and_then(Json::as_array_mut) else { return };
    let earlier = said.len().saturating_sub(MOST_SAID);
    said.drain(..earlier);
    for line in said.iter_mut() {
        if let Some(text) = line.get("text").and_then(Json::as_str)
            && text.chars().nth(LONGEST_SAID).is_some()
        {
            line["text"] = text.chars().take(LONGEST_SAID).chain(['…']).collect::<String>().into();
        }
    }
    if earlier > 0 {
        event["earlier"] = json!(earlier);
    }
}

impl Webhook {
    /// The request that tells it. `key` is this event's own, and the same for its repeats.
    pub fn request(&self, event: Json, key: String) -> Request {
        Request {
            headers: self.headers.clone(),
            timeout: Some(self.timeout),
            retries: RETRIES,
            idempotency_key: Some(key),
            ..Request::post(self.url.reveal().clone(), event)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::handoff::Said;
    use crate::id::CallId;
    use crate::language::Language;
    use crate::value::Value;

    fn about(transcript: Vec<Said>) -> About {
        let call = CallId::new(Timestamp::UNIX_EPOCH, 7);
        let slots = vec![("topic".to_owned(), Value::text("bicycle").into())];
        let handoff =
            Handoff { intent: Some("refund".into()), slots, transcript, ..Handoff::of(call, Language::english()) };
        About { handoff, caller: "+12025550123".to_owned().into(), agent: Some("alice".to_owned().into()) }
    }

    fn said(text: String) -> Said {
        Said { by_caller: true, text: text.into() }
    }

    #[test]
    fn an_event_says_what_has_happened_to_whom_and_when() {
        let told = |happening| about(vec![said("my bicycle".to_owned())]).event(happening, Timestamp::UNIX_EPOCH);
        let ringing = told(Happening::Ringing);
        assert_eq!((&ringing["event"], &ringing["agent"]), (&"agent.ringing".into(), &"alice".into()));
        assert_eq!((&ringing["at"], &ringing["caller"]), (&"1970-01-01T00:00:00Z".into(), &"+12025550123".into()));
        assert_eq!((&ringing["intent"], &ringing["slots"]["topic"]), (&"refund".into(), &"bicycle".into()));
        assert_eq!(ringing["transcript"][0]["text"], "my bicycle");
        assert!(ringing.get("end").is_none() && ringing.get("earlier").is_none());
        for (happening, name, key, value) in [
            (Happening::Joined, "agent.joined", "call", json!("00000000000000000000000007")),
            (Happening::over(Some(200), Some(Duration::from_secs(95))), "agent.over", "talked_s", json!(95)),
            (Happening::over(Some(603), None), "agent.over", "end", json!("declined")),
            (Happening::over(Some(486), None), "agent.over", "end", json!("busy")),
            (Happening::over(None, None), "agent.over", "end", json!("cancelled")),
            (Happening::Left { why: "too_long" }, "queue.left", "why", json!("too_long")),
        ] {
            let event = told(happening);
            assert_eq!((&event["event"], &event[key]), (&name.into(), &value), "{event}");
        }
    }

    #[test]
    fn a_long_talk_is_told_from_its_end_and_no_word_is_endless() {
        let mut lines: Vec<Said> = (0..500).map(|at| said(format!("sentence {at}"))).collect();
        lines.push(said("啊".repeat(5_000)));
        let event = about(lines).event(Happening::Joined, Timestamp::UNIX_EPOCH);
        let told = event["transcript"].as_array().unwrap();
        assert_eq!((told.len(), &event["earlier"]), (MOST_SAID, &json!(441)));
        assert_eq!(told[MOST_SAID - 2]["text"], "sentence 499");
        assert_eq!(told[MOST_SAID - 1]["text"].as_str().unwrap().chars().count(), LONGEST_SAID + 1);
    }

    #[test]
    fn a_request_may_be_repeated_and_shows_nothing_of_a_person() {
        let headers = [("authorization".to_owned(), Pii::new("Bearer s3cret".to_owned()))].into();
        let url = "https://crm.example/calls".to_owned().into();
        let hook = Webhook { url, headers, timeout: Duration::from_secs(5) };
        let event = about(Vec::new()).event(Happening::Ringing, Timestamp::UNIX_EPOCH);
        let request = hook.request(event, "key-1".into());
        assert_eq!(request.idempotency_key.as_deref(), Some("key-1"));
        assert_eq!(request.timeout, Some(Duration::from_secs(5)));
        let shown = format!("{request:?} {hook:?} {:?}", about(Vec::new()));
        for hidden in ["2025550123", "bicycle", "s3cret"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
}
