//! What an agent's telephone and other machines are told of the caller, so that nobody asks them twice.
//!
//! The agent's INVITE carries it as user-to-user information (RFC 7433): compact JSON in hexadecimal, short enough for a
//! datagram. The whole of it, words included, goes to a web address as an event, where one is configured.
//!
//! Values of sensitive slots never get here: whoever fills a [`Handoff`] leaves them out.

use serde_json::{Map, Value as Json, json};

use crate::id::CallId;
use crate::language::Language;
use crate::pii::Pii;
use crate::value::Value;

/// Most bytes of JSON in the header. In hexadecimal it is twice that, and an INVITE with a session description must stay
/// under the 1,300 bytes beyond which RFC 3261 §18.1.1 wants another transport.
pub const MOST_BYTES: usize = 240;
/// Header with the id of the caller's call, for those who look it up.
pub const CALL_HEADER: &str = "X-Trunkline-Call";
/// RFC 7433.
pub const USER_TO_USER: &str = "User-to-User";
/// What the information is for (RFC 7433 §4.1); other telephones pass over what they do not know.
const PURPOSE: &str = "trunkline";

/// One thing said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// By the caller; else by us.
    pub by_caller: bool,
    /// The words.
    pub text: Pii<String>,
}

/// What is known of a caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Handoff {
    /// Their call.
    pub call: CallId,
    /// What they want, in one word, as the plan calls it.
    pub intent: Option<String>,
    /// What they have told us, in the order they told it; nothing sensitive.
    pub slots: Vec<(String, Pii<Value>)>,
    /// They have proved who they are.
    pub verified: bool,
    /// What they speak.
    pub language: Language,
    /// What was said so far; sensitive words are hidden already.
    pub transcript: Vec<Said>,
}

impl Handoff {
    /// Of a call of which nothing is known yet.
    pub const fn of(call: CallId, language: Language) -> Self {
        Self { call, intent: None, slots: Vec::new(), verified: false, language, transcript: Vec::new() }
    }

    /// Header fields of the INVITE to the agent.
    pub fn headers(&self) -> Vec<(String, String)> {
        vec![(USER_TO_USER.to_owned(), self.user_to_user()), (CALL_HEADER.to_owned(), self.call.as_str().to_owned())]
    }

    /// The value of [`USER_TO_USER`]. What does not fit is left out: the longest slots first, then the intent.
    pub fn user_to_user(&self) -> String {
        let mut slots = self.slots.iter().collect::<Vec<_>>();
        let mut intent = self.intent.as_deref();
        let compact = loop {
            let compact = self.compact(intent, &slots).to_string();
            if compact.len() <= MOST_BYTES {
                break compact;
            }
            let length = |(name, value): &(String, Pii<Value>)| name.len() + value.reveal().plain().len();
            match (0..slots.len()).max_by_key(|place| length(slots[*place])) {
                Some(longest) => _ = slots.remove(longest),
                None if intent.is_some() => intent = None,
                // A call id and a language tag always fit; a tag of absurd length does not matter to anybody.
                None => break json!({ "call": self.call.as_str() }).to_string(),
            }
        };
        format!("{};encoding=hex;purpose={PURPOSE};content=json", hex(compact.as_bytes()))
    }

    fn compact(&self, intent: Option<&str>, slots: &[&(String, Pii<Value>)]) -> Json {
        let mut all = Map::new();
        all.insert("call".into(), self.call.as_str().into());
        all.insert("lang".into(), self.language.as_str().into());
        all.insert("verified".into(), self.verified.into());
        if let Some(intent) = intent {
            all.insert("intent".into(), intent.into());
        }
        if !slots.is_empty() {
            let slots = slots.iter().map(|(name, value)| (name.clone(), value.reveal().to_json()));
            all.insert("slots".into(), Json::Object(slots.collect()));
        }
        Json::Object(all)
    }

    /// Everything, for machines that were asked to be told. `event` says what has happened; `more` is laid over it.
    pub fn event(&self, event: &str, more: Json) -> Json {
        let slots: Map<_, _> =
            self.slots.iter().map(|(name, value)| (name.clone(), value.reveal().to_json())).collect();
        let said =
            |said: &Said| json!({ "by": if said.by_caller { "caller" } else { "bot" }, "text": said.text.reveal() });
        let mut all = json!({
            "event": event,
            "call": self.call.as_str(),
            "language": self.language.as_str(),
            "verified": self.verified,
            "intent": self.intent,
            "slots": slots,
            "transcript": self.transcript.iter().map(said).collect::<Vec<_>>(),
        });
        if let (Json::Object(all), Json::Object(more)) = (&mut all, more) {
            all.extend(more);
        }
        all
    }
}

/// What a [`USER_TO_USER`] value of ours says: for whoever receives it, and for proof. `None`: not one of ours, or broken.
pub fn read(value: &str) -> Option<Json> {
    let mut parts = value.split(';').map(str::trim);
    let digits = parts.next()?;
    let parameters: Vec<_> = parts.collect();
    let is_ours = parameters.iter().any(|one| one.strip_prefix("purpose=") == Some(PURPOSE));
    let is_hex = parameters.iter().any(|one| one.eq_ignore_ascii_case("encoding=hex"));
    if !is_ours || !is_hex || digits.len() > MOST_BYTES * 2 {
        return None;
    }
    serde_json::from_slice(&unhex(digits)?).ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok().filter(|_| pair.len() == 2)).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::value::{Amount, Currency};

    fn handoff() -> Handoff {
        let due = Amount { minor: 20_000, currency: Currency::USD };
        Handoff {
            intent: Some("repay".into()),
            slots: vec![("amount".into(), Value::Amount(due).into()), ("name".into(), Value::text("王小明").into())],
            verified: true,
            transcript: vec![
                Said { by_caller: false, text: "What can I do?".to_owned().into() },
                Said { by_caller: true, text: "pay my card".to_owned().into() },
            ],
            ..Handoff::of(CallId::new(Timestamp::UNIX_EPOCH, 7), Language::parse("zh-CN").unwrap())
        }
    }

    #[test]
    fn the_header_is_hexadecimal_and_says_it_all_in_json() {
        let value = handoff().user_to_user();
        let (digits, parameters) = value.split_once(';').unwrap();
        assert!(digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{value}");
        assert_eq!(parameters, "encoding=hex;purpose=trunkline;content=json");
        let expect = json!({
            "call": "00000000000000000000000007", "lang": "zh-CN", "verified": true, "intent": "repay",
            "slots": { "amount": "200.00", "name": "王小明" },
        });
        assert_eq!(read(&value), Some(expect));
        let names: Vec<_> = handoff().headers().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["User-to-User", "X-Trunkline-Call"]);
    }

    #[test]
    fn what_does_not_fit_is_left_out_longest_first() {
        let mut long = handoff();
        long.slots.push(("essay".into(), Value::text("x".repeat(500)).into()));
        long.slots.push(("note".into(), Value::text("y".repeat(60)).into()));
        let value = long.user_to_user();
        assert!(value.len() <= MOST_BYTES * 2 + 60, "{}", value.len());
        let slots = read(&value).unwrap()["slots"].clone();
        assert_eq!(slots.as_object().unwrap().keys().collect::<Vec<_>>(), ["amount", "name", "note"]);
        long.intent = Some("z".repeat(400));
        let read = read(&long.user_to_user()).unwrap();
        assert_eq!(read.get("intent"), None);
        assert_eq!(read["verified"], true);
    }

    #[test]
    fn a_header_of_others_or_a_broken_one_is_passed_over() {
        let good = handoff().user_to_user();
        let odd = format!("7{good}");
        for value in [
            "",
            ";",
            "7b7d;encoding=hex",
            "7b7d;purpose=trunkline",
            "7b7d;encoding=hex;purpose=isdn-uui",
            "zz;encoding=hex;purpose=trunkline",
            "é7;encoding=hex;purpose=trunkline",
            odd.as_str(),
        ] {
            assert_eq!(read(value), None, "{value}");
        }
        let endless = format!("{};encoding=hex;purpose=trunkline", "7b".repeat(10_000));
        assert_eq!(read(&endless), None);
    }

    #[test]
    fn an_event_tells_machines_what_was_said_and_what_has_happened() {
        let event = handoff().event("queue.joined", json!({ "agent": "alice", "waited_s": 12 }));
        assert_eq!(event["event"], "queue.joined");
        assert_eq!(event["agent"], "alice");
        assert_eq!(event["transcript"][1], json!({ "by": "caller", "text": "pay my card" }));
        assert_eq!(event["slots"]["amount"], "200.00");
    }
}
