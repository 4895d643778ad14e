//! Callers who misbehave: silent, endless, deaf to SIP, gone, or not callers at all.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::NUMBER;
use super::caller::{Caller, status_of};
use super::house::{Gateway, Settings};
use super::sound::{SILENCE, loudest, sides, words};

#[test]
fn a_caller_who_never_acknowledges_is_given_up() {
    let gateway = Gateway::start(Settings::default());
    let mut caller = Caller::new(&gateway, NUMBER);
    assert_eq!(caller.invite("1000").0, 200);
    let record = gateway.record();
    assert_eq!(record["end"]["why"], "no_ack", "{record:#}");
    assert_eq!(record["prompts"], serde_json::json!([]), "nothing is said to nobody: {record:#}");
}

#[test]
fn a_caller_who_vanishes_in_mid_call_leaves_a_whole_record() {
    let gateway =
        Gateway::start(Settings { rtp_timeout: "1s", plan: "dialplans/bank-main.yaml".into(), ..Settings::default() });
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(50);
    drop(caller);
    // Our BYE meets a closed port and runs into timer F (32 s) before the leg is given up.
    let record = gateway.record();
    assert_eq!(record["end"]["why"], "no_media", "{record:#}");
    assert_eq!(record["media"]["recording"]["state"], "saved", "{record:#}");
}

#[test]
fn a_caller_who_sends_no_media_is_hung_up_on() {
    let gateway =
        Gateway::start(Settings { rtp_timeout: "1s", plan: "dialplans/bank-main.yaml".into(), ..Settings::default() });
    let caller = Caller::dial(&gateway, NUMBER);
    caller.wait_for_bye();
    let record = gateway.record();
    assert_eq!(record["end"]["why"], "no_media", "{record:#}");
    assert_eq!(record["media"]["packets_in"], 0, "{record:#}");
}

#[test]
fn a_caller_who_says_nothing_is_asked_again_and_let_go_politely() {
    let gateway = Gateway::start(Settings::default());
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.stay_silent();
    let record = gateway.record();
    assert_eq!((&record["result"], &record["end"]["why"]), (&"gave_up".into(), &"completed".into()), "{record:#}");
    let turns = record["turns"].as_array().expect("turns");
    assert_eq!(turns.len(), 2, "the question is asked twice: {record:#}");
    assert!(turns.iter().all(|turn| turn["outcome"] == "no_input"), "{record:#}");
}

/// Words without a pause. The usual run ends when the gateway has had enough of it; `TRUNKLINE_LONG=1` makes it a
/// caller of two minutes, at a plan that bears with him for as long.
#[test]
fn a_caller_who_talks_for_ever_is_let_go_politely() {
    let long = std::env::var("TRUNKLINE_LONG").as_deref() == Ok("1");
    let plan = if long { "tests/gateway/patient.yaml" } else { "tests/gateway/quick.yaml" };
    let gateway = Gateway::start(Settings { plan: plan.into(), ..Settings::default() });
    let babble = words("and then I said to him and he said to me and so we went on and on about this and that");
    let mut caller = Caller::dial(&gateway, NUMBER);
    let limit = Duration::from_secs(if long { 400 } else { 90 });
    caller.stay_for(limit, |frame| babble[frame % babble.len()]);
    let record = gateway.record();
    assert_eq!(record["end"]["why"], "completed", "{record:#}");
    assert!(!gateway.log().contains("ERROR"), "{}", gateway.log());
    let (left, _) = sides(record["media"]["recording"]["path"].as_str().expect("a recording was saved"));
    let spoke = left.len() / 8_000;
    println!("measured: the gateway bore with a caller who talks for ever for {spoke} s");
    assert!(!long || spoke >= 120, "the caller was let go after {spoke} s");
}

#[test]
fn a_caller_who_hangs_up_in_a_prompt_leaves_what_was_played_of_it() {
    let gateway = Gateway::start(Settings::default());
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(25);
    caller.hang_up();
    let record = gateway.record();
    assert_eq!(record["end"]["why"], "caller_hung_up", "{record:#}");
    let welcome = &record["prompts"][0];
    assert!(
        welcome["played_ms"].as_u64() < welcome["total_ms"].as_u64(),
        "what was not heard is not claimed: {welcome:#}"
    );
    assert_eq!(record["media"]["recording"]["state"], "saved", "{record:#}");
}

#[test]
fn a_caller_who_drums_on_the_keys_reaches_an_end() {
    let gateway = Gateway::start(Settings::default());
    let mut caller = Caller::dial(&gateway, NUMBER);
    for _ in 0..12 {
        "9*#7".chars().for_each(|key| caller.press(key));
    }
    caller.stay_silent();
    let record = gateway.record();
    assert_eq!(record["end"]["why"], "completed", "{record:#}");
}

/// While a call goes on: noise from strangers at the SIP port and at every RTP port, and truncated, oversized and
/// mangled packets from the caller's own socket.
#[test]
fn random_datagrams_at_every_port_disturb_no_call() {
    let mut gateway = Gateway::start(Settings::default());
    let mut caller = Caller::dial(&gateway, NUMBER);
    let media = caller.media.expect("an RTP port");
    let strangers: Vec<_> = (0..4).map(|_| UdpSocket::bind("127.0.0.1:0").expect("a socket")).collect();
    let every: Vec<u16> = gateway.rtp_ports.clone().chain([gateway.sip.port()]).collect();
    let mut rng = StdRng::seed_from_u64(20_261_121);
    for frame in 0..200_usize {
        for count in 0..25_usize {
            let longest = if count == 0 { 9_000 } else { 300 };
            let mut bytes = vec![0_u8; rng.random_range(0..longest)];
            rng.fill(bytes.as_mut_slice());
            if rng.random_bool(0.5) && bytes.len() > 12 {
                // Dressed up as the caller's own stream.
                bytes[0] = 0x80;
                bytes[1] = [0, 101][rng.random_range(0..2)];
                bytes[8..12].copy_from_slice(&0xCA11_u32.to_be_bytes());
            }
            let target = match count % 3 {
                0 => gateway.sip,
                1 => media,
                _ => (media.ip(), every[(frame * 25 + count) % every.len()]).into(),
            };
            let _ = strangers[count % strangers.len()].send_to(&bytes, target);
        }
        let mut cut = vec![0x80, 0, 0];
        cut.resize(rng.random_range(0..12), 0);
        let _ = caller.rtp.send_to(&cut, media);
        if frame % 20 == 0 {
            let _ = caller.rtp.send_to(&[0x80; 3_000], media);
        }
        caller.speak(&SILENCE);
    }
    caller.press('2');
    caller.stay_silent();
    assert!(gateway.is_running(), "{}", gateway.log());
    let record = gateway.record();
    assert_eq!(record["result"], "served", "{record:#}");
    assert!(record["media"]["refused"].as_u64() > Some(1_000), "the noise has arrived: {record:#}");
    let (left, _) = sides(record["media"]["recording"]["path"].as_str().expect("a recording was saved"));
    assert!(loudest(&left) < 100, "nothing of it was heard");
}

/// Reports cut short, with lengths and counts that lie, of types nobody knows, and a farewell in the caller's name: from
/// strangers and from the caller's own port. The call goes on, and only the caller's honest report counts.
#[test]
fn malformed_reports_of_anybody_disturb_no_call() {
    let mut gateway = Gateway::start(Settings::default());
    let mut caller = Caller::dial(&gateway, NUMBER);
    let media = caller.media.expect("an RTP port");
    let reports = SocketAddr::new(media.ip(), media.port() + 1);
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let ssrc = 0xCA11_u32.to_be_bytes();
    let report = [&[0x81, 200, 0, 12][..], &ssrc, &[0x11; 44]].concat();
    let mut bad: Vec<Vec<u8>> = vec![
        vec![0x80],
        vec![0x80, 200],
        vec![0x80, 200, 0xff, 0xff],
        [&[0x9f, 201, 0, 1][..], &ssrc].concat(),
        [&[0x9f, 203, 0, 1][..], &ssrc].concat(),
        [&[0x81, 202, 0, 2][..], &ssrc, &[1, 255, b'x', b'y']].concat(),
        [&[0x81, 207, 0, 3][..], &ssrc, &[7, 0, 0xff, 0xff, 0, 0, 0, 0]].concat(),
        [&[0xa0, 201, 0, 1][..], &ssrc, &[0; 3]].concat(),
        [&report[..], &[0x80, 250, 0, 0]].concat(),
        [0x80, 201, 0, 0].repeat(350),
    ];
    // Each whole message cut at every place, and with every byte of its head turned.
    bad.extend((0..report.len()).map(|cut| report[..cut].to_vec()));
    bad.extend((0..16).map(|at| {
        let mut turned = report.clone();
        turned[at] ^= 0xff;
        turned
    }));
    let farewell = [&[0x80, 201, 0, 1][..], &ssrc, &[0x81, 203, 0, 1], &ssrc].concat();
    for _ in 0..3 {
        for bytes in &bad {
            for target in [media, reports] {
                let _ = stranger.send_to(bytes, target);
                let _ = caller.rtp.send_to(bytes, target);
            }
        }
        let _ = stranger.send_to(&farewell, reports);
        let _ = stranger.send_to(&farewell, media);
        caller.keep_silent(10);
    }
    caller.press('2');
    caller.stay_silent();
    assert!(gateway.is_running(), "{}", gateway.log());
    let record = gateway.record();
    assert_eq!(record["result"], "served", "{record:#}");
}

#[test]
fn a_stranger_who_sends_rtp_is_neither_heard_nor_answered() {
    let gateway = Gateway::start(Settings::default());
    let mut caller = Caller::dial(&gateway, NUMBER);
    let mut stranger = Caller::new(&gateway, NUMBER);
    stranger.media = caller.media;
    let babble = words("balance balance balance");
    caller.keep_silent(10);
    for frame in 0..100 {
        caller.speak(&SILENCE);
        stranger.speak(&babble[frame % babble.len()]);
        if frame % 20 == 0 {
            stranger.press('1');
            caller.keep_silent(7);
        }
    }
    caller.press('2');
    caller.stay_silent();
    assert!(stranger.packets().is_empty(), "the stranger was sent something");
    let record = gateway.record();
    assert_eq!(record["result"], "served", "{record:#}");
    assert!(record["media"]["refused"].as_u64() >= Some(100), "{record:#}");
    let (left, _) = sides(record["media"]["recording"]["path"].as_str().expect("a recording was saved"));
    assert!(loudest(&left) < 100, "the stranger is in the recording");
}

#[test]
fn malformed_signalling_during_a_call_is_refused_and_disturbs_nobody() {
    let mut gateway = Gateway::start(Settings::default());
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.keep_silent(10);
    // After RFC 4475: what to change in a sound INVITE, and the answer it must get. `None`: none at all.
    let rows: &[(&str, &str, Option<u16>)] = &[
        ("SIP/2.0\r\nVia", "SIP/7.0\r\nVia", Some(505)),
        ("INVITE sip:1000@", "INVITE lmnop:1000@", Some(416)),
        ("CSeq: 1 INVITE", "CSeq: 99999999999 INVITE", Some(400)),
        ("CSeq: 1 INVITE", "CSeq: 1 OPTIONS", Some(400)),
        ("Max-Forwards: 70", "Max-Forwards: 70\r\nRequire: nothingSupportsThis", Some(420)),
        ("Content-Length: 0", "Content-Length: -999", Some(400)),
        ("Content-Length: 0", "Content-Length: 9999", Some(400)),
        ("INVITE sip:1000@", "DANCE sip:1000@", Some(501)),
        ("Via: SIP/2.0/UDP ", "Via: SIP/2.0/UDP", None),
        ("Call-ID", "Call-Idea", Some(400)),
    ];
    for (sound, broken, expected) in rows {
        let other = Caller::new(&gateway, NUMBER);
        let text = other.request("INVITE", "1000", "");
        assert!(text.contains(sound), "{sound}");
        let text = text.replacen(sound, broken, 1);
        // An unknown method is one in its CSeq too.
        other.send(&if broken.starts_with("DANCE") { text.replace("1 INVITE", "1 DANCE") } else { text });
        let answer = other.receive(Duration::from_millis(if expected.is_some() { 5_000 } else { 300 }));
        assert_eq!(answer.as_deref().and_then(status_of), *expected, "{broken}: {answer:?}");
        other.hears_nothing_more();
        caller.keep_silent(2);
    }
    caller.press('2');
    caller.stay_silent();
    assert!(gateway.is_running());
    assert_eq!(gateway.wait_for_records(1)[0]["result"], "served", "{}", gateway.log());
}

#[test]
fn malformed_session_descriptions_are_refused_each_with_its_status_and_the_next_call_is_served() {
    let mut gateway = Gateway::start(Settings::default());
    let sound = Caller::new(&gateway, NUMBER).sdp();
    let bodies = [
        "v=0\r\nthis is no session description\r\n".to_owned(),
        "v=0".to_owned(),
        "\0\0\0\0".to_owned(),
        sound.replace("m=audio", "m=video"),
        sound.replace("RTP/AVP", "RTP/SAVP"),
        sound.replace("m=audio", "m=audio 99999 m=audio"),
        sound.replace("c=IN IP4 127.0.0.1", "c=IN IP4 999.999.999.999"),
        sound.replace("c=IN IP4 127.0.0.1\r\n", ""),
        sound.replace("v=0", "v=42"),
        sound.repeat(200),
        "a=".repeat(20_000),
    ];
    for body in bodies {
        let mut caller = Caller::new(&gateway, NUMBER);
        let (status, answer) = caller.invite_with("1000", &body);
        let too_large = body.len() > 20_000 && status == 513;
        assert!((400..500).contains(&status) || too_large, "{} bytes, {body:.60}: {answer}", body.len());
        caller.ack("1000", "");
    }
    let mut caller = Caller::dial(&gateway, NUMBER);
    caller.press('2');
    caller.stay_silent();
    assert!(gateway.is_running());
}
