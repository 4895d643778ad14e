//! Anything at all, in any order.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::call::{Consult, Consulted};

/// Whatever comes, in whatever order: no panic, no spinning, and after the leg has ended exactly one record, last.
#[test]
fn random_happenings_always_end_in_exactly_one_record() {
    for seed in 0..300 {
        let mut random = StdRng::seed_from_u64(seed);
        let outbound = seed % 3 == 0;
        let plan = if seed % 2 == 0 { bank() } else { super::handing::desk() };
        let mut rig = if outbound { Rig::dialling(plan, Duration::from_secs(30)) } else { Rig::new(plan) };
        for _ in 0..random.random_range(0..250) {
            let input = any_input(&mut random, &rig);
            rig.input(input);
            let time = [0, 1, 40, 300, 1_500, 5_000][random.random_range(0..6)];
            let woken = rig.now().mono;
            rig.pass(time);
            assert!(
                rig.call.poll_timeout().is_none_or(|(at, _)| at > woken),
                "seed {seed}: a deadline stays in the past"
            );
            assert!(rig.call.is_over() || rig.call.poll_timeout().is_some(), "seed {seed}: no deadline");
        }
        rig.leg_ends(LegEnd::RemoteHangup);
        rig.pass(6_000);
        rig.media_closes();
        rig.established();
        rig.record();
    }
}

fn any_input(random: &mut StdRng, rig: &Rig) -> Input {
    let at = rig.now().mono;
    let utterance = UtteranceId(random.random_range(0..6));
    let revision = random.random_range(0..3);
    let play = PlayId(random.random_range(0..=rig.playing.last().map_or(0, |play| play.0)));
    let end = [PlayEnd::Completed, PlayEnd::BargedIn, PlayEnd::Keyed, PlayEnd::Flushed][random.random_range(0..4)];
    let event = match random.random_range(0..46) {
        0 => return Input::Leg(LegEvent::Established { sdp: None }),
        1..=6 => return Input::Leg(LegEvent::Established { sdp: Some("v=0".into()) }),
        7..=13 => {
            let words = ["balance", "lost card", "", "one two three four", "go back", "operator", "mumble"];
            let words = words[random.random_range(0..words.len())];
            let result = match random.random_range(0..8) {
                0 => Err(RecognizeError::Busy),
                1 => Err(RecognizeError::Cancelled),
                2 => Err(RecognizeError::Failed("broken".into())),
                3 if random.random_bool(0.3) => Err(RecognizeError::Unavailable("none".into())),
                _ => Ok(heard(words, random.random())),
            };
            return Input::Heard { utterance, revision, result };
        }
        14 if random.random_bool(0.05) => return Input::Drain,
        15 if random.random_bool(0.05) => MediaEvent::Closed(MediaSummary::default()),
        16 if random.random_bool(0.05) => MediaEvent::RtpTimeout { silent_for: Duration::from_secs(20) },
        17..=21 => MediaEvent::SpeechStarted { utterance, at },
        22..=26 => MediaEvent::Offered(Offer {
            utterance,
            revision,
            audio: Arc::new(Pcm::default()),
            began_at: at,
            ended_at: at,
            during: random.random_bool(0.3).then_some(play),
            cut: random.random_bool(0.1),
        }),
        27..=28 => MediaEvent::Resumed { utterance },
        29 => MediaEvent::SpeechEnded { utterance },
        30..=31 => MediaEvent::PromptStarted { play, total_ms: 2_000, at },
        32..=37 => MediaEvent::PromptFinished { play, played_ms: 100, total_ms: 2_000, end, at },
        40 | 41 => return Input::Held(random.random_bool(0.5)),
        42 => return any_news(random),
        43 if random.random_bool(0.02) => return Input::Order(Order::Hangup),
        44 if random.random_bool(0.02) => return Input::Incompatible("no codec in common".into()),
        _ => {
            let face = "0123456789*#A".chars().nth(random.random_range(0..13)).unwrap();
            MediaEvent::Digit { digit: Digit::new(face).unwrap(), at }
        }
    };
    Input::Media(event)
}

/// What a leg may tell besides its beginning and its end.
fn any_news(random: &mut StdRng) -> Input {
    let status = [100, 180, 183, 202, 408, 486, 603][random.random_range(0..7)];
    Input::Leg(match random.random_range(0..12) {
        0 => LegEvent::Progress { status, sdp: None },
        1 => LegEvent::Referred { status, last: random.random_bool(0.5) },
        2 => LegEvent::Offered { sdp: None },
        3 => LegEvent::OfferRefused { status },
        4 => return Input::Order(Order::Transfer { to: "sip:bob@host".into() }),
        6 => {
            let (to, ring) = (Pii::new("sip:bob@host".into()), Duration::from_secs(9));
            return Input::Order(Order::Attend(Consult { to, trunk: None, briefing: None, ring, introduction: None }));
        }
        7 => return Input::Consulted(Consulted::Ready { leg: crate::id::LegId(3) }),
        8 => return Input::Consulted(Consulted::Over { status }),
        9 => return Input::Consulted(Consulted::Place { position: 3, wait: Duration::from_secs(60) }),
        10 => return Input::Consulted(Consulted::Taken { agent: "ann".into(), waited: Duration::from_secs(4) }),
        11 => return Input::Consulted(Consulted::Left { why: crate::agents::Overflow::TooLong }),
        _ => LegEvent::Key { digit: Digit::new('5').unwrap(), duration_ms: None },
    })
}
