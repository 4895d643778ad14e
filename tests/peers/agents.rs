//! Agents with telephones of other makers: SIPp is told who waits and is busy; baresip takes the caller by key, and both
//! hear each other.

use std::time::Instant;

use serde_json::Value;
use trunkline::audio::g711::Law;

use super::caller::Caller;
use super::house::{Gateway, Settings};
use super::softphone::Softphone;
use super::sound::{Frame, share_found, sides, spoken, words};
use super::uas::{Scenario, Uas};
use super::{LONG_ENOUGH, NUMBER};

const ACCOUNT: &str = "<sip:ann@127.0.0.1>;regint=0;answermode=auto;dtmfmode=rtpevent\n";

fn gateway(agents: &[(&str, String)]) -> Gateway {
    let agent = |(name, to): &(&str, String)| {
        format!("[[agents.agent]]\nname = \"{name}\"\nto = \"{to}\"\ngroups = [\"desk\"]\n")
    };
    let extra = format!("[agents.group.desk]\n{}", agents.iter().map(agent).collect::<String>());
    Gateway::start(Settings { plan: "tests/gateway/handover.yaml".into(), extra, ..Settings::default() })
}

/// The caller is taken by baresip, says `said`, listens for so many frames, and is asked by the plan when baresip has
/// hung up. Its record, and both sides of its recording.
fn talks_to_baresip(
    gateway: &Gateway,
    caller: &mut Caller,
    phone: &Softphone,
    (said, listens): (&[Frame], usize),
) -> (Value, Vec<i16>, Vec<i16>) {
    let give_up = Instant::now() + LONG_ENOUGH;
    while !gateway.log().contains("joined with a person") {
        assert!(Instant::now() < give_up, "{}\n{}", gateway.log(), phone.log());
        // Taken as soon as the telephone is there to press it; whoever gives it an order is kept waiting a while.
        std::thread::scope(|scope| {
            let pressing = scope.spawn(|| phone.order("sndcode", "1"));
            while !pressing.is_finished() {
                caller.keep_silent(5);
            }
        });
    }
    caller.say(said);
    caller.keep_silent(listens);
    phone.order("hangup", "");
    let give_up = Instant::now() + LONG_ENOUGH;
    while !gateway.log().contains("back with the plan") {
        assert!(Instant::now() < give_up, "{}\n{}", gateway.log(), phone.log());
        caller.keep_silent(5);
    }
    caller.keep_silent(30);
    caller.press('1');
    caller.stay_silent();
    let give_up = Instant::now() + LONG_ENOUGH;
    loop {
        let records = gateway.records();
        let Some(record) = records.into_iter().find(|record| record["made_for"].is_null()) else {
            assert!(Instant::now() < give_up, "no record:\n{}", gateway.log());
            continue;
        };
        assert_eq!(record["result"], "served", "{record:#}\n{}", gateway.log());
        let (left, right) = sides(record["media"]["recording"]["path"].as_str().expect("a recording"));
        return (record, left, right);
    }
}

/// What the caller has heard, but for keys: those of the agent cross too.
fn sound_of(caller: &mut Caller) -> Vec<i16> {
    let packets = caller.packets();
    let sound = packets.iter().filter(|packet| packet[1] & 0x7F == 0).flat_map(|packet| &packet[12..]);
    sound.map(|byte| Law::Mu.decode(*byte)).collect()
}

#[test]
fn baresip_takes_a_caller_whom_sipp_was_too_busy_for() {
    let context = [
        ("User-to-User:", "[0-9a-f]+;encoding=hex;purpose=trunkline;content=json"),
        ("X-Trunkline-Call:", "[0-9A-HJKMNP-TV-Z]+"),
    ];
    let busy = Scenario::default().invited_again(&context).says("486 Busy Here", "a", "").receives("ACK");
    let Some(sipp) = Uas::start(&busy) else { return };
    let answer = spoken("kal", "Your refund was sent on Monday.");
    // Quiet while the briefing is said: who talks into it passes for a machine. Then said again and again, so that some of
    // it falls into the talk.
    let says = [answer.clone(), vec![0; 4_000]].concat();
    let Some(phone) = Softphone::speaking(ACCOUNT, &[vec![0; 6 * 8_000], says.repeat(12)].concat()) else { return };
    let gateway =
        gateway(&[("sipp", format!("sip:bob@127.0.0.1:{}", sipp.port)), ("ann", format!("sip:ann@{}", phone.sip))]);
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(20);
    let once = says.len() / 160;
    let (record, _, right) = talks_to_baresip(&gateway, &mut caller, &phone, (&[], 350 + 2 * once));
    sipp.finish();
    let handed = record["outcomes"].as_array().into_iter().flatten().find(|outcome| outcome["kind"] == "handed");
    assert_eq!(handed.map(|handed| handed["agent"].clone()), Some("ann".into()), "{record:#}");
    let (heard, kept) = (share_found(&answer, &sound_of(&mut caller)), share_found(&answer, &right));
    println!("measured: of what baresip says {heard:.2} is heard by the caller, {kept:.2} recorded");
    assert!(heard > 0.5 && kept > 0.5, "{heard} {kept}");
}

#[test]
fn baresip_hears_the_caller_and_what_it_says_back_is_heard_and_recorded() {
    let Some(phone) = Softphone::echoing(ACCOUNT) else { return };
    let gateway = gateway(&[("ann", format!("sip:ann@{}", phone.sip))]);
    let mut caller = Caller::dial(&gateway, NUMBER);
    let question = words("Where is my refund?");
    let (_, left, right) = talks_to_baresip(&gateway, &mut caller, &phone, (&question, 100));
    let question = question.as_flattened();
    let heard = sound_of(&mut caller);
    let shares = [&left, &heard, &right].map(|sound| share_found(question, sound));
    println!("measured: of what is said, recorded, heard back from baresip, and recorded from it: {shares:.2?}");
    assert!(shares.iter().all(|share| *share > 0.5), "said on the left, heard back, and on the right: {shares:?}");
}
