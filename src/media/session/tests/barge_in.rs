//! Voices and keys over prompts: what is ducked, stopped, heard and offered.

use super::*;

#[test]
fn a_voice_ducks_an_armed_prompt_within_frames_and_stops_it_when_believed() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    leg.play(1, &hum(10_000), BargeIn::Speech);
    leg.hear(&noise(10, -60.0));
    let before = leg.sent.len();
    leg.hear(&voice(30, 16_000.0));
    assert_eq!(leg.events[..3], ["started 1", "speech 0", leg.events[2].as_str()]);
    assert!(leg.events[2].starts_with("BargedIn 1 "), "{:?}", leg.events);
    // Jitter buffer, three frames until it is believed, and the frame in which it fades.
    let sounding = (before..leg.sent.len()).filter(|&at| rms_dbov(&leg.payload(at)) > -50.0).count();
    assert!((3..=9).contains(&sounding), "the prompt went on for {sounding} frames");
    leg.hear(&[QUIET; 20]);
    assert_eq!(leg.events[3..], ["offer 0.0"]);
    assert_eq!(leg.offers[0].during, Some(PlayId(1)));
}

#[test]
fn a_voice_over_a_protected_prompt_is_heard_and_the_prompt_goes_on() {
    for barge_in in [BargeIn::Off, BargeIn::Keys] {
        let mut leg = Leg::new(params());
        leg.hear(&noise(50, -60.0));
        leg.play(1, &hum(1_000), barge_in);
        leg.hear(&voice(40, 16_000.0));
        leg.hear(&[QUIET; 30]);
        assert_eq!(leg.events, ["started 1", "speech 0", "Completed 1 1000/1000", "offer 0.0"]);
    }
}

#[test]
fn a_voice_that_began_over_a_protected_prompt_does_not_stop_the_next_but_after_a_pause_it_does() {
    for (pause, end) in [(0, "Completed 2 2000/2000"), (25, "BargedIn 2 ")] {
        let mut leg = Leg::new(params());
        leg.hear(&noise(50, -60.0));
        leg.play(1, &hum(1_000), BargeIn::Off);
        leg.play(2, &hum(2_000), BargeIn::Speech);
        leg.hear(&voice(50, 16_000.0));
        leg.hear(&vec![QUIET; pause]);
        if pause > 0 {
            leg.commit(0);
        }
        leg.hear(&voice(120, 16_000.0));
        let finished = leg.events.iter().find(|event| event.contains(" 2 ") && event.contains('/'));
        assert!(finished.is_some_and(|event| event.starts_with(end)), "{:?}", leg.events);
    }
}

#[test]
fn a_voice_that_the_call_has_given_up_stops_no_prompt_until_it_is_a_new_utterance() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    leg.hear(&voice(25, 16_000.0));
    // Answered by a key, or said over words that other words follow: given up before there was an offer.
    leg.commit(0);
    leg.play(1, &hum(4_000), BargeIn::Speech);
    leg.hear(&voice(40, 16_000.0));
    leg.hear(&noise(25, -60.0));
    leg.hear(&voice(25, 16_000.0));
    assert_eq!(leg.events, ["speech 0", "started 1", "offer 0.0", "resumed 0"]);
    leg.commit(0);
    leg.hear(&voice(10, 16_000.0));
    assert_eq!(leg.events[4], "speech 1");
    assert!(leg.events[5].starts_with("BargedIn 1 "), "{:?}", leg.events);
}

#[test]
fn an_utterance_that_a_late_commit_begins_was_said_to_what_plays_then() {
    let mut leg = Leg::new(params());
    leg.play(1, &hum(1_000), BargeIn::Off);
    leg.hear(&noise(30, -60.0));
    leg.hear(&voice(25, 16_000.0));
    leg.hear(&noise(25, -60.0));
    leg.hear(&voice(12, 16_000.0));
    leg.commit(0);
    leg.hear(&voice(12, 16_000.0));
    leg.hear(&noise(25, -60.0));
    let during: Vec<Option<PlayId>> = leg.offers.iter().map(|offer| offer.during).collect();
    assert_eq!(during, [Some(PlayId(1)), None], "{:?}", leg.events);
}

#[test]
fn a_voice_that_was_cut_for_its_length_does_not_stop_what_is_said_about_that() {
    let mut leg = Leg::new(params());
    leg.session.command(MediaCommand::Listen(Listen { longest: Duration::from_secs(2), ..Listen::default() }), leg.now);
    leg.hear(&noise(50, -60.0));
    leg.hear(&voice(110, 16_000.0));
    assert!(leg.offers[0].cut, "{:?}", leg.events);
    leg.play(1, &hum(1_000), BargeIn::Speech);
    leg.hear(&voice(60, 16_000.0));
    assert!(leg.events.contains(&"Completed 1 1000/1000".to_owned()), "{:?}", leg.events);
}

#[test]
fn a_slammed_door_ducks_the_prompt_and_gives_it_back() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    leg.play(1, &hum(1_600), BargeIn::Speech);
    leg.hear(&noise(10, -60.0));
    leg.hear(&noise(8, -12.0));
    leg.hear(&noise(70, -60.0));
    assert_eq!(leg.events, ["started 1", "Completed 1 1600/1600"]);
    let levels: Vec<f32> = (50..130).map(|at| rms_dbov(&leg.payload(at))).collect();
    let faintest = levels.iter().copied().fold(0.0, f32::min);
    assert!((-36.0..-34.0).contains(&faintest), "ducked by 15 dB: {faintest}");
    assert!((levels[79] + 20.0).abs() < 0.5, "and back: {}", levels[79]);
}

#[test]
fn our_own_voice_coming_back_does_not_interrupt_us() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    let prompt = voice(200, 16_000.0);
    leg.play(1, &prompt, BargeIn::Speech);
    for place in 0..205_usize {
        // 100 ms later and 20 dB fainter.
        let echo = place.checked_sub(5).and_then(|earlier| prompt.get(earlier)).unwrap_or(&QUIET);
        leg.hear(&[echo.map(|sample| sample / 10)]);
    }
    assert_eq!(leg.events, ["started 1", "Completed 1 4000/4000"]);
}

#[test]
fn a_key_stops_what_keys_may_stop_and_is_reported_once() {
    for (barge_in, end) in
        [(BargeIn::Off, "Completed 1 1000/1000"), (BargeIn::Keys, "Keyed"), (BargeIn::Speech, "Keyed")]
    {
        let mut leg = Leg::new(params());
        leg.play(1, &hum(1_000), barge_in);
        leg.ticks(10);
        for duration in [160_u16, 320, 480, 480, 480] {
            let [high, low] = duration.to_be_bytes();
            let flags = if duration == 480 { 0x8A } else { 0x0A };
            leg.datagram(101, 77, &[5, flags, high, low]);
            leg.tick(0);
        }
        leg.ticks(50);
        assert_eq!(leg.events.iter().filter(|event| *event == "key 5").count(), 1);
        assert!(leg.events.last().is_some_and(|last| last.starts_with(end)), "{:?}", leg.events);
    }
}

#[test]
fn words_after_a_commit_are_a_new_utterance_even_when_they_came_before_it() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    leg.hear(&voice(25, 16_000.0));
    leg.hear(&noise(25, -60.0));
    assert_eq!(leg.events, ["speech 0", "offer 0.0"]);
    leg.hear(&voice(12, 16_000.0));
    assert_eq!(leg.events[2..], ["resumed 0"]);
    leg.commit(0);
    leg.hear(&voice(12, 16_000.0));
    leg.hear(&noise(25, -60.0));
    assert_eq!(leg.events[3..], ["speech 1", "offer 1.0"]);
    let ms = leg.offers[1].audio.duration_ms();
    assert!((700..1_100).contains(&ms), "both halves with their pre-roll and tail: {ms} ms");
}

#[test]
fn an_offer_tells_when_speech_arrived_not_when_it_left_the_jitter_buffer() {
    let mut leg = Leg::new(params());
    leg.hear(&noise(50, -60.0));
    let spoke_at = leg.now;
    leg.hear(&voice(25, 16_000.0));
    let silent_at = leg.now;
    leg.hear(&[QUIET; 30]);
    let offer = &leg.offers[0];
    let apart = |one: Instant, other: Instant| one.max(other) - one.min(other);
    assert!(apart(offer.began_at, spoke_at) <= FRAME * 2, "{:?}", apart(offer.began_at, spoke_at));
    // The judge hears the voice's last resonances for a frame or two.
    assert!(apart(offer.ended_at, silent_at) <= FRAME * 4, "{:?}", apart(offer.ended_at, silent_at));
}
