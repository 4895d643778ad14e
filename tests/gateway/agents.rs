//! Callers handed to agents: who is asked, what they are told, what both hear, and how the caller comes back.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use trunkline::agents::handoff;
use trunkline::audio::g711::Law;

use super::callee::Callee;
use super::caller::{Caller, header};
use super::house::{Gateway, Settings};
use super::sound::{Frame, SILENCE, frames, loudest, share_found, sides, spoken, words};
use super::{LONG_ENOUGH, NUMBER};

/// An agent with a telephone that speaks µ-law.
struct Agent {
    phone: Callee,
    media: Option<SocketAddr>,
    sequence: u16,
    stamp: u32,
    heard: Vec<i16>,
}

impl Agent {
    fn new() -> Self {
        Self { phone: Callee::new(), media: None, sequence: 0, stamp: 0, heard: Vec::new() }
    }

    /// Rings, and answers at once, while `caller` waits on the line: who sends nothing for a while would send all of it
    /// at once afterwards.
    fn picks_up(&mut self, caller: &mut Caller) {
        std::thread::scope(|scope| {
            let answering = scope.spawn(|| self.answers());
            while !answering.is_finished() {
                caller.keep_silent(1);
            }
        });
    }

    fn answers(&mut self) {
        let invite = self.phone.wait_for("INVITE");
        let line = |start: &str| invite.lines().find_map(|line| line.strip_prefix(start).map(str::to_owned));
        let host = line("c=IN IP4 ").expect("an address for sound");
        let port = line("m=audio ").expect("sound");
        let port = port.split(' ').next().expect("a port");
        self.media = Some(format!("{host}:{port}").parse().expect("an address"));
        self.phone.reply(&invite, "180 Ringing", "");
        let sdp = self.phone.sdp("sendrecv");
        self.phone.reply(&invite, "200 OK", &sdp);
        self.phone.wait_for("ACK");
        self.phone.rtp.set_nonblocking(true).expect("a socket can be switched");
    }

    fn sends(&mut self, payload_type: u8, stamp: u32, payload: &[u8]) {
        let mut packet = vec![0x80, payload_type];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(stamp.to_be_bytes());
        packet.extend([0, 0, 7, 7]);
        packet.extend(payload);
        self.sequence = self.sequence.wrapping_add(1);
        let _ = self.phone.rtp.send_to(&packet, self.media.expect("the offer named a port"));
    }

    /// One frame of sound, without waiting; and hears what has come.
    fn speaks(&mut self, frame: &Frame) {
        let payload = frame.map(|sample| Law::Mu.encode(sample));
        self.sends(0, self.stamp, &payload);
        self.stamp = self.stamp.wrapping_add(160);
        let mut buffer = [0; 2048];
        while let Ok(size) = self.phone.rtp.recv(&mut buffer) {
            if buffer[1] & 0x7F == 0 && size > 12 {
                self.heard.extend(buffer[12..size].iter().map(|byte| Law::Mu.decode(*byte)));
            }
        }
    }

    /// A key, as long as a person presses it; `caller` waits meanwhile.
    fn presses(&mut self, key: u8, caller: &mut Caller) {
        for step in 0..7_u16 {
            let end = if step >= 4 { 0x8A } else { 0x0A };
            let [high, low] = ((step.min(4) + 1) * 160).to_be_bytes();
            caller.speak(&SILENCE);
            self.sends(101, self.stamp, &[key, end, high, low]);
        }
        self.stamp = self.stamp.wrapping_add(7 * 160);
    }

    fn hangs_up(&mut self) {
        let answer = self.phone.tell("BYE", &[], ("", ""));
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    }
}

fn gateway(agents: &[&Agent], group: &str) -> Gateway {
    let mut extra = format!("[agents.group.desk]\nwrap_up = \"0s\"\n{group}\n");
    for (place, agent) in agents.iter().enumerate() {
        extra +=
            &format!("[[agents.agent]]\nname = \"agent{place}\"\nto = {:?}\ngroups = [\"desk\"]\n", agent.phone.uri());
    }
    Gateway::start(Settings { plan: "tests/gateway/handover.yaml".into(), extra, ..Settings::default() })
}

/// Both talk, a frame at a time, for as long as the longer of them has to say.
fn talk(caller: &mut Caller, agent: &mut Agent, said: &[Frame], replied: &[Frame]) {
    for beat in 0..said.len().max(replied.len()) {
        caller.speak(said.get(beat).unwrap_or(&SILENCE));
        agent.speaks(replied.get(beat).unwrap_or(&SILENCE));
    }
}

/// Hears the briefing, or as much of it as matters, and presses a key.
fn decides(caller: &mut Caller, agent: &mut Agent, key: u8) {
    let give_up = Instant::now() + LONG_ENOUGH;
    while loudest(&agent.heard) < 1_000 {
        assert!(Instant::now() < give_up, "the agent is told nothing");
        talk(caller, agent, &[SILENCE; 10], &[]);
    }
    agent.presses(key, caller);
    talk(caller, agent, &[SILENCE; 40], &[]);
}

/// Takes the caller, and is joined with them for the `nth` time of this gateway.
fn accepts(gateway: &Gateway, caller: &mut Caller, agent: &mut Agent, nth: usize) {
    decides(caller, agent, 1);
    let give_up = Instant::now() + LONG_ENOUGH;
    while gateway.log().matches("joined with a person").count() < nth {
        assert!(Instant::now() < give_up, "never joined:\n{}", gateway.log());
        talk(caller, agent, &[SILENCE; 5], &[]);
    }
    // Whoever sent a little faster than the beat is caught up with.
    talk(caller, agent, &[SILENCE; 50], &[]);
}

/// Stays on the line, pressing `key` when the bot has come to its question, until the gateway hangs up.
fn back_with_the_plan(caller: &mut Caller, key: char) {
    caller.keep_silent(60);
    caller.press(key);
    caller.stay_silent();
}

/// The caller's own record, and those of calls that were made for it.
fn the_call(records: Vec<Value>) -> (Value, Vec<Value>) {
    let (made_for, own): (Vec<_>, Vec<_>) = records.into_iter().partition(|record| !record["made_for"].is_null());
    assert_eq!(own.len(), 1, "{own:#?}");
    (own.into_iter().next().expect("one"), made_for)
}

fn outcome(record: &Value) -> Value {
    let outcomes = record["outcomes"].as_array().cloned().unwrap_or_default();
    outcomes.into_iter().find(|outcome| outcome["kind"] == "handed").unwrap_or_else(|| panic!("{record:#}"))
}

#[test]
fn an_agent_takes_the_caller_both_hear_each_other_and_the_plan_goes_on() {
    let mut agent = Agent::new();
    let gateway = gateway(&[&agent], "");
    let mut caller = Caller::dial(&gateway, NUMBER);
    agent.picks_up(&mut caller);
    let told = header(&agent.phone.invite, "User-to-User").and_then(handoff::read).expect("the caller is told of");
    assert_eq!((&told["intent"], &told["verified"], &told["lang"]), (&"refund".into(), &true.into(), &"en-US".into()));
    assert_eq!(told["slots"]["topic"], "bicycle");
    let call = header(&agent.phone.invite, "X-Trunkline-Call").expect("the call's id").to_owned();
    assert_eq!(told["call"], call.as_str());
    let log = gateway.log();
    let calling = log.lines().find(|line| line.contains("calling an agent")).expect("the log tells");
    assert!(calling.contains(&call), "what is done for a call is logged as of that call: {calling}");

    accepts(&gateway, &mut caller, &mut agent, 1);
    let (question, answer) = (words("Where is my refund?"), frames(&spoken("slt", "It was sent on Monday.")));
    agent.heard.clear();
    talk(&mut caller, &mut agent, &question, &answer);
    // A key of the caller's reaches the agent's telephone, and answers nothing here.
    caller.press('9');
    talk(&mut caller, &mut agent, &[SILENCE; 50], &[]);
    let likeness = share_found(question.as_flattened(), &agent.heard);
    assert!(likeness > 0.5, "the agent hears the caller: {likeness}\n{}", gateway.log());

    agent.hangs_up();
    back_with_the_plan(&mut caller, '1');
    let likeness = share_found(answer.as_flattened(), &caller.heard());
    assert!(likeness > 0.5, "the caller hears the agent: {likeness}");

    let (record, others) = the_call(gateway.wait_for_records(2));
    assert_eq!((&record["id"], &record["result"]), (&call.as_str().into(), &"served".into()), "{record:#}");
    let handed = outcome(&record);
    assert_eq!(
        (&handed["agent"], &handed["end"], &handed["group"]),
        (&"agent0".into(), &"served".into(), &"desk".into())
    );
    assert!(handed["talked_s"].as_u64() >= Some(1), "{handed}");
    assert_eq!((&others[0]["result"], &others[0]["made_for"]), (&"accepted".into(), &record["id"]));
    assert_eq!(others[0]["prompts"][0]["text"], "A refund for a bicycle. Press 1 to take the call, or 2 to decline.");
    let path = record["media"]["recording"]["path"].as_str().expect("a recording");
    let (left, right) = sides(path);
    assert!(share_found(question.as_flattened(), &left) > 0.5, "the caller is on the left");
    assert!(share_found(answer.as_flattened(), &right) > 0.5, "the agent is on the right");
    assert!(share_found(question.as_flattened(), &right) < 0.2, "and only there");
    assert_eq!(others[0]["media"]["recording"]["state"], "off", "one recording holds both");
    // The agent's name is no secret; numbers and words are.
    assert!(!gateway.log().contains(NUMBER) && !gateway.log().contains("bicycle"), "{}", gateway.log());
}

/// What the webhook heard so far.
fn told(port: u16) -> Vec<Value> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("the far end listens");
    stream.write_all(b"GET /told HTTP/1.0\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let rows: Vec<(String, Option<String>, Value)> = serde_json::from_str(body).expect("rows of three");
    rows.into_iter().map(|(_, _, event)| event).collect()
}

#[test]
fn a_system_of_the_house_is_told_of_caller_and_agent_and_of_no_secret() {
    let far_end = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lookup/far_end.py");
    let server = Command::new("python3").arg(far_end).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut server) = server else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "python3 must be here in CI");
        println!("skipped: no python3");
        return;
    };
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("it was piped")).read_line(&mut line).expect("it says its port");
    let port: u16 = line.trim().parse().expect("a port");

    let mut agent = Agent::new();
    let extra = format!(
        "[agents.group.desk]\nwrap_up = \"0s\"\n[[agents.agent]]\nname = \"ada\"\nto = {:?}\ngroups = [\"desk\"]\n\
         [lookups]\nallow = [\"127.0.0.1:{port}\"]\n[agents.webhook]\nurl = \"http://127.0.0.1:{port}/hook\"\n",
        agent.phone.uri()
    );
    let gateway = Gateway::start(Settings { plan: "tests/gateway/webhook.yaml".into(), extra, ..Settings::default() });
    let mut caller = Caller::dial(&gateway, NUMBER);
    for key in ['4', '7', '1', '1'] {
        caller.keep_silent(20);
        caller.press(key);
    }
    agent.picks_up(&mut caller);
    accepts(&gateway, &mut caller, &mut agent, 1);
    talk(&mut caller, &mut agent, &[SILENCE; 60], &[]);
    agent.hangs_up();
    caller.stay_silent();
    let (record, _) = the_call(gateway.wait_for_records(2));
    let give_up = Instant::now() + LONG_ENOUGH;
    while told(port).len() < 3 {
        assert!(Instant::now() < give_up, "{:#?}\n{}", told(port), gateway.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    let events = told(port);
    let names: Vec<_> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names, ["agent.ringing", "agent.joined", "agent.over"]);
    for event in &events {
        assert_eq!((&event["call"], &event["agent"]), (&record["id"], &"ada".into()), "{event:#}");
        assert_eq!((&event["intent"], &event["slots"]["topic"]), (&"refund".into(), &"bicycle".into()), "{event:#}");
        assert_eq!(event["caller"], NUMBER);
        assert!(event["slots"].get("pin").is_none(), "{event:#}");
        assert!(event["transcript"].as_array().is_some_and(|said| !said.is_empty()), "{event:#}");
    }
    assert_eq!(events[2]["end"], "served");
    assert!(events[2]["talked_s"].as_u64() >= Some(1), "{:#}", events[2]);
    let all = Value::from(events).to_string();
    assert!(!all.contains("4711") && !all.contains("4 7 1 1"), "{all}");
    assert!(!gateway.log().contains(NUMBER) && !gateway.log().contains("4711"), "{}", gateway.log());
    let _ = server.kill();
    let _ = server.wait();
}

#[test]
fn who_declines_or_is_busy_passes_the_caller_on_to_the_next() {
    let (mut busy, mut declines, mut takes) = (Agent::new(), Agent::new(), Agent::new());
    let gateway = gateway(&[&busy, &declines, &takes], "");
    let mut caller = Caller::dial(&gateway, NUMBER);
    let invite = busy.phone.wait_for("INVITE");
    busy.phone.reply(&invite, "486 Busy Here", "");
    declines.picks_up(&mut caller);
    decides(&mut caller, &mut declines, 2);
    declines.phone.be_hung_up_on();
    takes.picks_up(&mut caller);
    accepts(&gateway, &mut caller, &mut takes, 1);
    talk(&mut caller, &mut takes, &words("Hello?"), &[]);
    takes.hangs_up();
    back_with_the_plan(&mut caller, '1');
    let (record, others) = the_call(gateway.wait_for_records(4));
    assert_eq!((&record["result"], &outcome(&record)["agent"]), (&"served".into(), &"agent2".into()), "{record:#}");
    let results: Vec<_> = others.iter().map(|record| record["result"].clone()).collect();
    assert_eq!(results.iter().filter(|result| **result == "declined").count(), 1, "{results:?}");
    assert!(!takes.heard.is_empty() && loudest(&takes.heard) > 1_000);
}

#[test]
fn when_nobody_picks_up_the_caller_goes_back_to_the_plan() {
    let mut agent = Agent::new();
    let gateway = gateway(&[&agent], "ring = \"5s\"\nmax_wait = \"6s\"");
    let mut caller = Caller::dial(&gateway, NUMBER);
    let telephone = std::thread::spawn(move || {
        let invite = agent.phone.wait_for("INVITE");
        agent.phone.reply(&invite, "180 Ringing", "");
        let cancel = agent.phone.wait_for("CANCEL");
        agent.phone.reply(&cancel, "200 OK", "");
        agent.phone.reply(&invite, "487 Request Terminated", "");
        agent.phone.wait_for("ACK");
    });
    caller.stay_silent();
    telephone.join().expect("it rang, and was given up");
    assert!(loudest(&caller.heard()) > 500, "a ringing tone, and what the plan says");
    let (record, others) = the_call(gateway.wait_for_records(2));
    assert_eq!((&record["result"], &outcome(&record)["end"]), (&"nobody".into(), &"too_long".into()), "{record:#}");
    let last = record["prompts"].as_array().and_then(|prompts| prompts.last().cloned()).expect("a last word");
    assert_eq!(last["text"], "Nobody is there. too_long");
    assert_eq!(others[0]["end"]["why"], "no_answer");
}

#[test]
fn a_caller_who_hangs_up_lets_the_agent_go_before_and_in_the_talk() {
    let mut agent = Agent::new();
    let gateway = gateway(&[&agent], "");
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(10);
    let invite = agent.phone.wait_for("INVITE");
    agent.phone.reply(&invite, "180 Ringing", "");
    caller.hang_up();
    let cancel = agent.phone.wait_for("CANCEL");
    agent.phone.reply(&cancel, "200 OK", "");
    agent.phone.reply(&invite, "487 Request Terminated", "");
    agent.phone.wait_for("ACK");

    let mut caller = Caller::dial(&gateway, NUMBER);
    agent.picks_up(&mut caller);
    accepts(&gateway, &mut caller, &mut agent, 1);
    talk(&mut caller, &mut agent, &words("Never mind."), &[]);
    caller.hang_up();
    agent.phone.be_hung_up_on();
    let records = gateway.wait_for_records(4);
    let ends: Vec<_> = records.iter().filter(|record| record["made_for"].is_null()).map(outcome).collect();
    assert_eq!((&ends[0]["end"], &ends[0]["agent"]), (&"hung_up".into(), &Value::Null));
    assert_eq!((&ends[1]["end"], &ends[1]["agent"]), (&"hung_up".into(), &"agent0".into()));
    let give_up = Instant::now() + LONG_ENOUGH;
    while !gateway.ask(r#"{"do":"calls"}"#)["calls"].as_array().is_some_and(Vec::is_empty) {
        assert!(Instant::now() < give_up, "nobody is left behind");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_second_caller_waits_until_the_agent_is_free() {
    let mut agent = Agent::new();
    let gateway = gateway(&[&agent], "announce = \"10s\"");
    let mut first = Caller::dial(&gateway, NUMBER);
    agent.picks_up(&mut first);
    accepts(&gateway, &mut first, &mut agent, 1);
    let mut second = Caller::dial(&gateway, NUMBER);
    for _ in 0..700 {
        first.speak(&SILENCE);
        agent.speaks(&SILENCE);
        second.speak(&SILENCE);
    }
    agent.hangs_up();
    back_with_the_plan(&mut first, '1');
    let mut next = Agent { phone: agent.phone, ..Agent::new() };
    next.phone.rtp.set_nonblocking(false).expect("a socket can be switched");
    next.picks_up(&mut second);
    accepts(&gateway, &mut second, &mut next, 2);
    next.hangs_up();
    back_with_the_plan(&mut second, '1');
    let (waited, texts): (Vec<_>, Vec<_>) = gateway
        .wait_for_records(4)
        .iter()
        .filter(|record| record["made_for"].is_null())
        .map(|record| (outcome(record)["waited_s"].as_u64(), record["prompts"].to_string()))
        .unzip();
    assert!(waited[1] >= Some(10) && waited[0] < Some(10), "{waited:?}");
    assert!(texts[1].contains("You are next."), "{}", texts[1]);
    assert!(!texts[0].contains("You are next."), "{}", texts[0]);
}
