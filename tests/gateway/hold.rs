//! Hold, from both ends, in the middle of a plan.

use std::time::{Duration, Instant};

use super::NUMBER;
use super::caller::Caller;
use super::house::{Gateway, Settings};
use super::sound::loudest;

/// How many RTP packets the caller hears in that time.
fn packets_in(caller: &mut Caller, frames: usize) -> usize {
    let before = caller.packets().len();
    caller.keep_silent(frames);
    caller.packets().len() - before
}

#[test]
fn a_caller_who_puts_us_on_hold_is_waited_for_and_asked_again_afterwards() {
    let gateway = Gateway::start(Settings::default());
    let mut caller = Caller::dial(&gateway, NUMBER);
    assert!(packets_in(&mut caller, 20) > 5, "the welcome is being said");
    let answer = caller.offer_again("sendonly");
    assert!(answer.contains("a=recvonly"), "{answer}");
    caller.keep_silent(10);
    // Longer than the plan waits in all: `wait: 500ms` and two tries.
    assert_eq!(packets_in(&mut caller, 200), 0, "on hold nothing is said, and nobody is given up");
    let answer = caller.offer_again("sendrecv");
    assert!(answer.contains("a=sendrecv"), "{answer}");
    assert!(packets_in(&mut caller, 25) > 5, "the welcome goes on");
    caller.press_all("2");
    caller.stay_silent();
    let record = gateway.record();
    assert_eq!((&record["end"]["why"], &record["result"]), (&"completed".into(), &"served".into()), "{record:#}");
    let welcome = &record["prompts"][0];
    assert_eq!(welcome["played_ms"], welcome["total_ms"], "a protected prompt is heard whole, hold or not");
}

#[test]
fn whom_we_put_on_hold_hears_the_music_and_the_plan_waits() {
    let folder = tempfile::tempdir().expect("a folder");
    let music = folder.path().join("music.wav");
    let note = trunkline::audio::tone::sine(440.0, -10.0, 1_000, 8_000);
    trunkline::audio::wav::write_mono(&music, &note).expect("the music can be written");
    let rtp = format!("hold_music = {music:?}");
    let gateway = Gateway::start(Settings { rtp, ..Settings::default() });
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(20);
    let live = gateway.ask(r#"{"do":"calls"}"#);
    let id = live["calls"][0]["call"].as_str().expect("a live call").to_owned();
    assert_eq!(gateway.ask(&format!(r#"{{"do":"hold","call":"{id}"}}"#))["ok"], id);
    let offer = wait_for_offer(&mut caller);
    assert!(offer.contains("a=sendonly"), "{offer}");
    let from = caller.packets().len();
    caller.keep_silent(150);
    let heard = caller.packets();
    let law = trunkline::audio::g711::Law::Mu;
    let music: Vec<i16> = heard[from..].iter().flat_map(|packet| &packet[12..]).map(|byte| law.decode(*byte)).collect();
    assert!(music.len() > 100 * 160 && loudest(&music) > 5_000, "{} samples, {}", music.len(), loudest(&music));
    assert_eq!(gateway.ask(&format!(r#"{{"do":"resume","call":"{id}"}}"#))["ok"], id);
    let offer = wait_for_offer(&mut caller);
    assert!(offer.contains("a=sendrecv"), "{offer}");
    caller.keep_silent(100);
    caller.press_all("2");
    caller.stay_silent();
    assert_eq!(gateway.record()["result"], "served");
}

/// Waits for our re-INVITE or UPDATE and agrees to it.
fn wait_for_offer(caller: &mut Caller) -> String {
    let give_up = Instant::now() + super::LONG_ENOUGH;
    while Instant::now() < give_up {
        caller.keep_silent(1);
        let Some(request) = caller.receive(Duration::from_millis(1)) else { continue };
        if request.starts_with("INVITE ") || request.starts_with("UPDATE ") {
            caller.agree(&request);
            return request;
        }
    }
    panic!("no offer came");
}
