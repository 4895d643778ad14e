//! Has the utterance begun, paused, gone on, ended?
//!
//! Fed one verdict per frame, it counts silence in frames, so the same verdicts always give the same signals.
//!
//! ```text
//!   verdict   ..ll lvvvvvvv.............vvvvv...................................
//!   state     Quiet│Starting│Speaking│Stopping   │Speaking│Stopping              │Quiet
//!   signal                  Started  ↑   Offer 0 Resumed  ↑   Offer 1        Ended
//!                                    └ offer_after        └── close_after ───┘
//! ```
//!
//! `l` is loud, `v` is voiced. Renewed speech after an offer must last `RENEWED_FRAMES` frames before the offer is
//! called stale: a click must not throw away a recognition that is half done. A [`commit`](Endpointer::commit) takes
//! the utterance; speech renewed before it arrived becomes a new utterance, so that no word is lost between two turns.

use std::time::{Duration, Instant};

use crate::audio::FRAME_MS;
use crate::id::UtteranceId;
use crate::media::Listen;

/// Sound kept from before the first voiced frame: soft consonants come before what a detector hears.
pub const PRE_ROLL_FRAMES: u64 = 15;
/// Sound kept after the last voiced frame, for the same reason.
pub const TAIL_FRAMES: u64 = 10;
/// Voiced frames among the last [`BELIEF_WINDOW`] that make noise speech.
const BELIEF_FRAMES: u32 = 2;
/// Frames looked back on for them: one soft frame in the middle of a consonant cluster does not start the count anew.
const BELIEF_WINDOW: u32 = 5;
/// Frames without anything loud or voiced after which a start was a false one.
const FALSE_START_FRAMES: u32 = 8;
/// Loudness believed only after this many frames was noise before it was speech: the utterance then begins where
/// belief began, not where the noise did.
const LATE_BELIEF_FRAMES: u64 = 15;
/// Voiced frames after an offer that make it stale.
const RENEWED_FRAMES: u32 = 3;
/// Whatever [`Listen`] says, no utterance is longer: it bounds the memory of a leg.
pub const LONGEST: Duration = Duration::from_secs(60);

/// What the judges say of one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The gate heard something.
    pub loud: bool,
    /// It is believed to be speech.
    pub voiced: bool,
}

/// A place in the leg's stream of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Frames since the leg was opened.
    pub frame: u64,
    /// When it arrived.
    pub at: Instant,
}

/// What the endpointer found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Speech, believed. Keep sound from `from` on.
    Started {
        /// New.
        utterance: UtteranceId,
        /// First voiced frame.
        began: Mark,
        /// First frame to keep: pre-roll included.
        from: u64,
    },
    /// A pause, or too long: recognise the frames `from..until`.
    Offer {
        /// Which.
        utterance: UtteranceId,
        /// From 0.
        revision: u32,
        /// First voiced frame.
        began: Mark,
        /// Last voiced frame.
        ended: Mark,
        /// First frame to recognise.
        from: u64,
        /// First frame not to.
        until: u64,
        /// Ran into [`Listen::longest`]: final, nothing more comes of this utterance.
        cut: bool,
    },
    /// The last offer is stale.
    Resumed {
        /// Which.
        utterance: UtteranceId,
    },
    /// Nobody committed it, nothing more will come of it.
    Ended {
        /// Which.
        utterance: UtteranceId,
    },
}

/// At most two signals come of one frame.
pub type Signals = [Option<Signal>; 2];

const NOTHING: Signals = [None, None];

/// Where we are. Utterance data lives in the states that have an utterance.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing worth hearing.
    Quiet,
    /// Something loud, not yet believed. `belief` holds one bit per frame, newest lowest.
    Starting { first: Mark, belief: u32, idle: u32 },
    /// Somebody speaks.
    Speaking(Utterance),
    /// Silence within or after an utterance. `renewed` counts voiced frames since the offer, the first at `renewal`.
    Stopping { utterance: Utterance, silent: u32, offered: bool, renewed: u32, renewal: Mark },
}

#[derive(Clone, Copy, Debug)]
struct Utterance {
    id: UtteranceId,
    /// Of the next offer.
    revision: u32,
    began: Mark,
    ended: Mark,
    from: u64,
    /// Where speech renewed after the last offer, once it has been called stale.
    resumed: Option<Mark>,
}

/// Finds utterances in a stream of verdicts.
#[derive(Debug)]
pub struct Endpointer {
    listen: Listen,
    state: State,
    /// Index of the frame that comes next.
    frame: u64,
    next_utterance: u64,
}

impl Endpointer {
    /// Quiet, with nothing heard.
    pub fn new(listen: Listen) -> Self {
        Self { listen, state: State::Quiet, frame: 0, next_utterance: 0 }
    }

    /// Listens like this from now on, in the middle of an utterance too.
    pub fn listen(&mut self, listen: Listen) {
        self.listen = listen;
    }

    /// Takes the verdict on the next frame, which arrived at `at`. Per frame: no allocation, no lock, no log.
    pub fn frame(&mut self, verdict: Verdict, at: Instant) -> Signals {
        let here = Mark { frame: self.frame, at };
        self.frame += 1;
        match self.state {
            State::Quiet if verdict.loud || verdict.voiced => {
                self.state = State::Starting { first: here, belief: u32::from(verdict.voiced), idle: 0 };
                NOTHING
            }
            State::Quiet => NOTHING,
            State::Starting { first, belief, idle } => self.starting(first, belief, idle, verdict, here),
            State::Speaking(utterance) if verdict.voiced => self.speaking(Utterance { ended: here, ..utterance }),
            State::Speaking(utterance) => {
                self.state = State::Stopping { utterance, silent: 1, offered: false, renewed: 0, renewal: here };
                self.pausing(utterance, 1, here)
            }
            State::Stopping { utterance, offered: false, .. } if verdict.voiced => {
                self.speaking(Utterance { ended: here, ..utterance })
            }
            State::Stopping { utterance, silent, offered: false, .. } => {
                let silent = silent + 1;
                self.state = State::Stopping { utterance, silent, offered: false, renewed: 0, renewal: here };
                self.pausing(utterance, silent, here)
            }
            State::Stopping { utterance, silent, renewed, renewal, .. } => {
                let renewal = if renewed == 0 { here } else { renewal };
                // One voiceless frame takes back one voiced one, so that clicks never add up to speech.
                let renewed = if verdict.voiced { renewed + 1 } else { renewed.saturating_sub(1) };
                if renewed >= RENEWED_FRAMES {
                    self.state = State::Speaking(Utterance { ended: here, resumed: Some(renewal), ..utterance });
                    return [Some(Signal::Resumed { utterance: utterance.id }), None];
                }
                let silent = silent + 1;
                if renewed == 0 && lasts(silent, self.listen.close_after.max(self.listen.offer_after)) {
                    self.state = State::Quiet;
                    return [Some(Signal::Ended { utterance: utterance.id }), None];
                }
                self.state = State::Stopping { utterance, silent, offered: true, renewed, renewal };
                NOTHING
            }
        }
    }

    /// The call has taken `utterance`: what comes after is a new one. Speech that was renewed before this arrived
    /// starts it at once. A commit of anything but the current, offered utterance is late or mistaken and ignored.
    pub fn commit(&mut self, utterance: UtteranceId) -> Option<Signal> {
        match self.state {
            State::Stopping { utterance: current, offered: true, renewed, renewal, .. } if current.id == utterance => {
                self.state = match renewed {
                    0 => State::Quiet,
                    _ => State::Starting { first: renewal, belief: (1 << renewed) - 1, idle: 0 },
                };
                None
            }
            State::Speaking(current) if current.id == utterance => {
                let (next, started) = self.renewed(current)?;
                self.state = State::Speaking(next);
                Some(started)
            }
            State::Stopping { utterance: current, silent, offered: false, .. } if current.id == utterance => {
                let (next, started) = self.renewed(current)?;
                let renewal = next.ended;
                self.state = State::Stopping { utterance: next, silent, offered: false, renewed: 0, renewal };
                Some(started)
            }
            _ => None,
        }
    }

    /// Is somebody speaking, as far as we believe? False from the first voiceless frame on.
    pub fn is_speaking(&self) -> bool {
        matches!(self.state, State::Speaking(_))
    }

    /// Is there an utterance, spoken or pausing?
    pub fn has_utterance(&self) -> bool {
        matches!(self.state, State::Speaking(_) | State::Stopping { .. })
    }

    /// Is there anything the neural judge should look at?
    pub fn is_attentive(&self) -> bool {
        !matches!(self.state, State::Quiet)
    }

    /// The first frame that may still be asked for.
    pub fn keeps_from(&self) -> u64 {
        match self.state {
            State::Speaking(utterance) | State::Stopping { utterance, .. } => utterance.from,
            State::Starting { first, .. } => first.frame.saturating_sub(PRE_ROLL_FRAMES),
            State::Quiet => self.frame.saturating_sub(PRE_ROLL_FRAMES),
        }
    }

    fn starting(&mut self, first: Mark, belief: u32, idle: u32, verdict: Verdict, here: Mark) -> Signals {
        let belief = (belief << 1) | u32::from(verdict.voiced);
        let recent = belief & ((1 << BELIEF_WINDOW) - 1);
        if recent.count_ones() >= BELIEF_FRAMES {
            let late = here.frame - first.frame > LATE_BELIEF_FRAMES;
            let ago = u64::from(u32::BITS - 1 - recent.leading_zeros());
            let began = match late {
                true => Mark { frame: here.frame - ago, at: before(here.at, ago) },
                false => first,
            };
            let utterance = self.utterance(began, here);
            self.state = State::Speaking(utterance);
            return [Some(started(utterance)), None];
        }
        let idle = if verdict.loud || verdict.voiced { 0 } else { idle + 1 };
        self.state = match idle >= FALSE_START_FRAMES {
            true => State::Quiet,
            false => State::Starting { first, belief, idle },
        };
        NOTHING
    }

    fn speaking(&mut self, utterance: Utterance) -> Signals {
        let length = utterance.ended.frame + 1 - utterance.began.frame;
        if !lasts(u32::try_from(length).unwrap_or(u32::MAX), self.listen.longest.min(LONGEST)) {
            self.state = State::Speaking(utterance);
            return NOTHING;
        }
        // The voice goes on, so the next utterance begins where this one is cut, without a pre-roll to repeat.
        let mut next = self.utterance(utterance.ended, utterance.ended);
        next.from = utterance.ended.frame + 1;
        self.state = State::Speaking(next);
        [Some(offer(utterance, self.frame, true)), Some(started(next))]
    }

    fn pausing(&mut self, utterance: Utterance, silent: u32, here: Mark) -> Signals {
        if !lasts(silent, self.listen.offer_after) {
            return NOTHING;
        }
        let offered = Utterance { revision: utterance.revision + 1, resumed: None, ..utterance };
        self.state = State::Stopping { utterance: offered, silent, offered: true, renewed: 0, renewal: here };
        [Some(offer(utterance, self.frame, false)), None]
    }

    /// The part of `current` renewed after its last offer, as an utterance of its own.
    fn renewed(&mut self, current: Utterance) -> Option<(Utterance, Signal)> {
        let next = self.utterance(current.resumed?, current.ended);
        Some((next, started(next)))
    }

    fn utterance(&mut self, began: Mark, ended: Mark) -> Utterance {
        let id = UtteranceId(self.next_utterance);
        self.next_utterance += 1;
        Utterance { id, revision: 0, began, ended, from: began.frame.saturating_sub(PRE_ROLL_FRAMES), resumed: None }
    }
}

fn started(utterance: Utterance) -> Signal {
    Signal::Started { utterance: utterance.id, began: utterance.began, from: utterance.from }
}

fn offer(of: Utterance, next_frame: u64, cut: bool) -> Signal {
    let until = (of.ended.frame + 1 + if cut { 0 } else { TAIL_FRAMES }).min(next_frame);
    let Utterance { id: utterance, revision, began, ended, from, .. } = of;
    Signal::Offer { utterance, revision, began, ended, from, until, cut }
}

/// Do so many frames last as long as `time`?
fn lasts(frames: u32, time: Duration) -> bool {
    u128::from(frames) * u128::from(FRAME_MS) >= time.as_millis()
}

fn before(at: Instant, frames: u64) -> Instant {
    at.checked_sub(Duration::from_millis(frames * u64::from(FRAME_MS))).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock, SystemClock};

    /// 60 ms offer, 200 ms close, 400 ms longest: short enough to write as rows.
    const SHORT: Listen = Listen {
        offer_after: Duration::from_millis(60),
        close_after: Duration::from_millis(200),
        longest: Duration::from_millis(400),
    };

    struct Row {
        endpointer: Endpointer,
        began: Instant,
        frames: u64,
    }

    impl Row {
        fn new() -> Self {
            Self { endpointer: Endpointer::new(SHORT), began: SystemClock.now().mono, frames: 0 }
        }

        /// `.` quiet, `l` loud, `v` loud and voiced, `s` voiced but faint. What came of it, frame by frame from 0.
        fn hear(&mut self, row: &str) -> String {
            let mut said = Vec::new();
            for mark in row.chars().filter(|mark| !mark.is_whitespace()) {
                let verdict = Verdict { loud: matches!(mark, 'l' | 'v'), voiced: matches!(mark, 'v' | 's') };
                let at = self.began + Duration::from_millis(self.frames * 20);
                for signal in self.endpointer.frame(verdict, at).into_iter().flatten() {
                    said.push(format!("{}:{}", self.frames, self.name(signal)));
                }
                self.frames += 1;
            }
            said.join(" ")
        }

        fn commit(&mut self, utterance: u64) -> String {
            self.endpointer.commit(UtteranceId(utterance)).map(|signal| self.name(signal)).unwrap_or_default()
        }

        fn name(&self, signal: Signal) -> String {
            match signal {
                Signal::Started { utterance, began, from } => {
                    assert_eq!(began.at, self.began + Duration::from_millis(began.frame * 20));
                    format!("start{utterance}@{}<{from}", began.frame)
                }
                Signal::Offer { utterance, revision, began, ended, from, until, cut } => {
                    assert_eq!(ended.at, self.began + Duration::from_millis(ended.frame * 20));
                    let cut = if cut { "!" } else { "" };
                    format!("offer{utterance}.{revision}@{}..{}<{from}..{until}{cut}", began.frame, ended.frame)
                }
                Signal::Resumed { utterance } => format!("resume{utterance}"),
                Signal::Ended { utterance } => format!("end{utterance}"),
            }
        }
    }

    #[test]
    fn speech_is_believed_at_the_second_voiced_frame_and_dated_to_the_first_loud_one() {
        let mut row = Row::new();
        assert_eq!(row.hear(".... .... .... .... llvvv"), "19:start0@16<1");
        assert!(row.endpointer.is_speaking());
    }

    #[test]
    fn loud_noise_that_nobody_believes_never_becomes_an_utterance() {
        let mut row = Row::new();
        assert_eq!(row.hear(&"llllll....v....".repeat(20)), "");
        assert_eq!(row.hear("........"), "");
        assert!(!row.endpointer.is_attentive());
    }

    #[test]
    fn speech_out_of_lasting_noise_begins_where_belief_does() {
        let mut row = Row::new();
        assert_eq!(row.hear(&format!("{}vlvv", "l".repeat(40))), "42:start0@40<25");
    }

    #[test]
    fn a_pause_is_offered_with_its_tail_and_closed_when_nobody_commits() {
        let mut row = Row::new();
        assert_eq!(row.hear("vvvv ... .. ....."), "1:start0@0<0 6:offer0.0@0..3<0..7 13:end0");
        assert!(!row.endpointer.is_attentive());
    }

    #[test]
    fn renewed_speech_makes_the_offer_stale_and_the_next_one_a_revision() {
        let mut row = Row::new();
        assert_eq!(
            row.hear("vvvv...  .vvv ..."),
            "1:start0@0<0 6:offer0.0@0..3<0..7 10:resume0 13:offer0.1@0..10<0..14"
        );
    }

    #[test]
    fn a_click_after_the_offer_changes_nothing() {
        let mut row = Row::new();
        assert_eq!(row.hear("vvvv...  .v..v...."), "1:start0@0<0 6:offer0.0@0..3<0..7 13:end0");
    }

    #[test]
    fn a_short_gap_inside_a_word_is_no_pause() {
        let mut row = Row::new();
        assert_eq!(row.hear("vvvv..v.vvl.v"), "1:start0@0<0");
    }

    #[test]
    fn a_commit_in_silence_makes_the_next_speech_a_new_utterance() {
        let mut row = Row::new();
        row.hear("vvvv....");
        assert_eq!(row.commit(0), "");
        assert!(!row.endpointer.is_attentive());
        assert_eq!(row.hear("....vvv"), "13:start1@12<0");
    }

    #[test]
    fn a_commit_that_races_with_renewed_speech_turns_it_into_a_new_utterance() {
        let mut row = Row::new();
        row.hear(&format!("vvvv...{}", ".vvvv"));
        assert_eq!(row.commit(0), "start1@8<0");
        assert_eq!(row.hear("vv..."), "16:offer1.0@8..13<0..17");
    }

    #[test]
    fn a_commit_between_renewed_speech_and_its_offer_keeps_the_pause_already_heard() {
        let mut row = Row::new();
        row.hear("vvvv... .vvv..");
        assert_eq!(row.commit(0), "start1@8<0");
        assert_eq!(row.hear("."), "13:offer1.0@8..10<0..14");
    }

    #[test]
    fn a_commit_while_renewal_is_still_doubtful_keeps_the_doubt() {
        let mut row = Row::new();
        row.hear("vvvv... .vv");
        assert_eq!(row.commit(0), "");
        assert_eq!(row.hear("v"), "10:start1@8<0");
    }

    #[test]
    fn a_commit_of_something_else_is_ignored() {
        let mut row = Row::new();
        row.hear("vvvv");
        assert_eq!(row.commit(0), "", "not offered yet");
        assert_eq!(row.commit(7), "");
        assert_eq!(row.hear("..."), "6:offer0.0@0..3<0..7");
        assert_eq!(row.commit(7), "");
        assert_eq!(row.hear("......."), "13:end0");
        assert_eq!(row.commit(0), "");
    }

    #[test]
    fn endless_sound_is_cut_and_goes_on_as_a_new_utterance_without_repeating_a_frame() {
        let mut row = Row::new();
        let said = row.hear(&"v".repeat(45));
        assert_eq!(
            said,
            "1:start0@0<0 19:offer0.0@0..19<0..20! 19:start1@19<20 38:offer1.0@19..38<20..39! 38:start2@38<39"
        );
    }

    #[test]
    fn patience_can_change_in_the_middle_of_an_utterance() {
        let mut row = Row::new();
        row.hear("vvvv..");
        row.endpointer.listen(Listen { offer_after: Duration::from_millis(120), ..SHORT });
        assert_eq!(row.hear("...."), "9:offer0.0@0..3<0..10");
        row.endpointer.listen(Listen { close_after: Duration::ZERO, ..SHORT });
        assert_eq!(row.hear("."), "10:end0");
    }

    #[test]
    fn sound_is_kept_for_whatever_may_still_be_offered() {
        let mut row = Row::new();
        row.hear(&".".repeat(100));
        assert_eq!(row.endpointer.keeps_from(), 85);
        row.hear("l");
        assert_eq!(row.endpointer.keeps_from(), 85);
        row.hear("vvvvv....");
        assert_eq!(row.endpointer.keeps_from(), 85);
    }
}
