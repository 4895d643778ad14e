//! Streams as networks and telephones make them: set anew, renamed, doubled, mixed up, silent, too fast.

use std::time::Duration;

use trunkline::audio::g711::Law;

use super::NUMBER;
use super::caller::Caller;
use super::house::{Gateway, Settings};
use super::sound::{Frame, SILENCE, found, frames, is_heard_through, loudest, sides};

fn patient() -> Gateway {
    Gateway::start(Settings { plan: "tests/gateway/patient.yaml".into(), ..Settings::default() })
}

/// Half a second of a tone that rises from `hz`, by which it is known among others.
fn tone(hz: f64) -> Vec<i16> {
    let mut phase = 0.0_f64;
    let sample = |n: i32| {
        phase += (hz + f64::from(n) / 40.0) / 8_000.0 * std::f64::consts::TAU;
        (phase.sin() * 8_000.0) as i16
    };
    (0..4_000).map(sample).collect()
}

fn encoded(frame: &Frame) -> Vec<u8> {
    frame.iter().map(|&sample| Law::Mu.encode(sample)).collect()
}

/// Ends the call by a key, and gives its media as recorded and what was heard of the caller.
fn end(gateway: &Gateway, mut caller: Caller) -> (serde_json::Value, Vec<i16>) {
    caller.press('2');
    caller.stay_silent();
    let record = gateway.record();
    assert_eq!(record["result"], "enough", "{record:#}");
    let (heard, _) = sides(record["media"]["recording"]["path"].as_str().expect("a recording"));
    (record["media"].clone(), heard)
}

#[test]
fn a_stream_that_jumps_changes_its_name_comes_twice_and_out_of_order_is_heard_through() {
    let gateway = patient();
    let mut caller = Caller::dial(&gateway, NUMBER);
    let tones = [400.0, 700.0, 1_000.0, 1_300.0, 1_600.0].map(tone);
    caller.keep_silent(20);
    caller.say(&frames(&tones[0]));
    caller.keep_silent(20);
    // Its numbers are set anew, the time is not; believed from the second packet on.
    caller.sequence = caller.sequence.wrapping_add(20_000);
    caller.keep_silent(5);
    caller.say(&frames(&tones[1]));
    caller.keep_silent(20);
    // Another stream without a word of farewell; believed from the third packet on.
    (caller.ssrc, caller.sequence, caller.stamp) = (0xBEEF, 9, 4_000_000_000);
    caller.keep_silent(10);
    caller.say(&frames(&tones[2]));
    caller.keep_silent(20);
    for frame in frames(&tones[3]) {
        let (sequence, stamp) = (caller.sequence, caller.stamp);
        caller.speak(&frame);
        caller.sequence = sequence;
        caller.send_rtp(0, false, stamp, &encoded(&frame));
    }
    caller.keep_silent(20);
    // Of each two packets the second comes first.
    for pair in frames(&tones[4]).chunks_exact(2) {
        let (sequence, stamp) = (caller.sequence, caller.stamp);
        for (place, frame) in [(1, &pair[1]), (0, &pair[0])] {
            caller.pace();
            caller.sequence = sequence + place;
            caller.send_rtp(0, false, stamp + u32::from(place) * 160, &encoded(frame));
            caller.listen();
        }
        (caller.sequence, caller.stamp) = (sequence + 2, stamp + 320);
    }
    caller.keep_silent(20);
    let (media, heard) = end(&gateway, caller);
    is_heard_through(&tones, &heard, &media);
}

#[test]
fn comfort_noise_is_soft_noise_and_no_loss() {
    let gateway = patient();
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(20);
    caller.say(&frames(&tone(500.0)));
    // Noise of -40 dBov is announced (RFC 3389), then nothing is sent for two seconds.
    caller.pace();
    let stamp = caller.stamp;
    caller.send_rtp(13, false, stamp, &[40]);
    for _ in 0..100 {
        caller.pace();
        caller.listen();
    }
    caller.stamp = stamp + 101 * 160;
    caller.say(&frames(&tone(900.0)));
    caller.keep_silent(10);
    let (media, heard) = end(&gateway, caller);
    assert!(found(&tone(500.0)[..3_200], &heard) > 0.9 && found(&tone(900.0)[800..3_200], &heard) > 0.9, "{media:#}");
    assert_eq!((&media["lost"], &media["late"]), (&0.into(), &0.into()), "{media:#}");
    assert!(media["quality"]["concealed"].as_u64() < Some(10), "{media:#}");
    // In the middle of the pause.
    let begins = heard.iter().position(|sample| sample.unsigned_abs() > 4_000).expect("the first tone");
    let pause = &heard[begins + 4_000 + 4_000..][..4_000];
    assert!((100..2_000).contains(&loudest(pause)), "{}", loudest(pause));
}

#[test]
fn whom_we_put_on_hold_without_music_hears_silence_that_keeps_the_line_open() {
    let gateway = patient();
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(10);
    let live = gateway.ask(r#"{"do":"calls"}"#);
    let id = live["calls"][0]["call"].as_str().expect("a live call").to_owned();
    assert_eq!(gateway.ask(&format!(r#"{{"do":"hold","call":"{id}"}}"#))["ok"], id);
    let offer = (0..500).find_map(|_| {
        caller.keep_silent(1);
        caller.receive(Duration::from_millis(1)).filter(|message| message.contains("a=sendonly"))
    });
    caller.agree(&offer.expect("we offer to send only"));
    caller.keep_silent(20);
    let before = caller.packets().len();
    caller.keep_silent(100);
    let heard = caller.packets();
    let on_hold = &heard[before..];
    assert!((90..=110).contains(&on_hold.len()), "{} packets in two seconds", on_hold.len());
    assert!(on_hold.iter().all(|packet| packet[12..].iter().all(|&byte| Law::Mu.decode(byte) == 0)));
    assert_eq!(gateway.ask(&format!(r#"{{"do":"hangup","call":"{id}"}}"#))["ok"], id);
    caller.wait_for_bye();
}

#[test]
fn an_encrypted_call_refuses_to_become_plain_and_goes_on() {
    let gateway = Gateway::start(Settings {
        plan: "tests/gateway/patient.yaml".into(),
        rtp: "srtp = \"optional\"".to_owned(),
        ..Settings::default()
    });
    let mut caller = Caller::new(&gateway, NUMBER);
    let plain = caller.sdp();
    let key = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
    let line = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n");
    let sealed = plain.replace("RTP/AVP", "RTP/SAVP") + &line;
    let (status, answer) = caller.invite_with("1000", &sealed);
    assert!(status == 200 && answer.contains("RTP/SAVP") && answer.contains("a=crypto:1 "), "{answer}");
    caller.ack("1000", "");
    let (status, refusal) = caller.invite_again(&plain);
    assert!(status == 488 && refusal.contains("the call is encrypted and stays so"), "{refusal}");
    let (status, answer) = caller.invite_again(&sealed);
    assert!(status == 200 && answer.contains("a=crypto:1 "), "{answer}");
    caller.hang_up();
    let record = gateway.record();
    assert_eq!(record["media"]["secured"], "AES_CM_128_HMAC_SHA1_80", "{record:#}");
}

#[test]
fn a_telephone_whose_clock_is_fast_loses_nothing_and_is_found_out() {
    if std::env::var("TRUNKLINE_LONG").as_deref() != Ok("1") {
        println!("skipped: forty seconds of a clock that runs fast run with TRUNKLINE_LONG=1");
        return;
    }
    let gateway = patient();
    let mut caller = Caller::dial(&gateway, NUMBER);
    // One packet more than time allows every four seconds: 5,000 ppm.
    for beat in 0..2_000 {
        caller.speak(&SILENCE);
        if beat % 200 == 100 {
            let stamp = caller.stamp;
            caller.send_rtp(0, false, stamp, &[0xFF; 160]);
            caller.stamp += 160;
        }
    }
    let (media, _) = end(&gateway, caller);
    let drift = media["quality"]["drift_ppm"].as_f64().expect("forty seconds tell");
    assert!((3_000.0..7_000.0).contains(&drift), "{media:#}");
    assert_eq!((&media["lost"], &media["late"]), (&0.into(), &0.into()), "{media:#}");
    assert!(media["quality"]["buffer_ms"].as_u64() <= Some(120), "{media:#}");
}
