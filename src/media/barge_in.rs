//! The reflex that gives the caller the floor, and the guard that keeps our own echo from triggering it.
//!
//! ```text
//!   prompt   ▓▓▓▓▓▓▓▓▒▒▒│          ducked at the third loud frame, flushed when confirmed
//!   caller          ▒▒▒▒▒▒▒▒▒▒
//!   prompt   ▓▓▓▓▓▓▓▓▒▒▒▒▒▒▓▓▓▓▓   a door slammed: never confirmed, so the prompt comes back
//! ```
//!
//! Noise that was doubted once is not ducked for again until it has been quiet for a while: a prompt must not pump.

/// Loud frames in a row that duck the prompt.
const DUCK_FRAMES: u32 = 3;
/// Frames that a ducked prompt waits for confirmation: 120 ms.
const CONFIRM_FRAMES: u32 = 6;
/// Quiet frames after which doubted noise may duck again: 400 ms.
const FORGIVE_FRAMES: u32 = 20;
/// How far below our own sound a frame from the caller must be to pass for its echo. Hybrids and cheap handsets
/// return 20 dB less than they get, usually far less; a caller who means to interrupt is about as loud as we are.
const ECHO_BELOW_DB: f32 = 15.0;
/// How long an echo takes to come back, at most, network and both jitter buffers included: 320 ms.
const ECHO_FRAMES: usize = 16;

/// What to do with the prompt that plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Lower it: somebody may be speaking.
    Duck,
    /// Nobody was: bring it back.
    Resume,
    /// Somebody is: stop it.
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Ready; `loud` frames in a row so far.
    Armed { loud: u32 },
    /// The prompt is low, waiting for confirmation.
    Ducked { frames: u32 },
    /// It was not confirmed; `quiet` frames in a row since.
    Doubted { quiet: u32 },
}

/// Decides, frame by frame, while a prompt that speech may stop is playing.
#[derive(Debug)]
pub struct Reflex {
    state: State,
}

impl Default for Reflex {
    fn default() -> Self {
        Self::new()
    }
}

impl Reflex {
    /// Armed.
    pub const fn new() -> Self {
        Self { state: State::Armed { loud: 0 } }
    }

    /// Takes one frame: is it `loud`, is it part of confirmed `speaking`, was that confirmed just now (`began`)?
    /// Per frame: no allocation, no lock, no log.
    pub fn frame(&mut self, loud: bool, speaking: bool, began: bool) -> Option<Act> {
        let (state, act) = match (self.state, loud) {
            _ if began => (State::Armed { loud: 0 }, Some(Act::Stop)),
            (State::Armed { loud: run }, true) if run + 1 >= DUCK_FRAMES => match speaking {
                true => (State::Armed { loud: 0 }, Some(Act::Stop)),
                false => (State::Ducked { frames: 0 }, Some(Act::Duck)),
            },
            (State::Armed { loud: run }, true) => (State::Armed { loud: run + 1 }, None),
            (State::Armed { .. }, false) => (State::Armed { loud: 0 }, None),
            (State::Ducked { .. }, _) if speaking => (State::Armed { loud: 0 }, Some(Act::Stop)),
            (State::Ducked { frames }, _) if frames + 1 >= CONFIRM_FRAMES => {
                (State::Doubted { quiet: 0 }, Some(Act::Resume))
            }
            (State::Ducked { frames }, _) => (State::Ducked { frames: frames + 1 }, None),
            (State::Doubted { .. }, true) if speaking => (State::Armed { loud: 0 }, Some(Act::Stop)),
            (State::Doubted { .. }, true) => (State::Doubted { quiet: 0 }, None),
            (State::Doubted { quiet }, false) if quiet + 1 >= FORGIVE_FRAMES => (State::Armed { loud: 0 }, None),
            (State::Doubted { quiet }, false) => (State::Doubted { quiet: quiet + 1 }, None),
        };
        self.state = state;
        act
    }

    /// Nothing that speech may stop is playing: forget. The prompt's gain is the caller's to restore.
    pub fn disarm(&mut self) {
        self.state = State::Armed { loud: 0 };
    }
}

/// Remembers how loud we have just been.
#[derive(Debug)]
pub struct EchoGuard {
    levels: [f32; ECHO_FRAMES],
    next: usize,
}

impl Default for EchoGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl EchoGuard {
    /// We have been silent.
    pub const fn new() -> Self {
        Self { levels: [f32::NEG_INFINITY; ECHO_FRAMES], next: 0 }
    }

    /// We have just played a frame this loud.
    pub fn played(&mut self, level_dbov: f32) {
        self.levels[self.next] = level_dbov;
        self.next = (self.next + 1) % ECHO_FRAMES;
    }

    /// A frame from the caller that is fainter than this may be our own echo.
    pub fn threshold_dbov(&self) -> f32 {
        self.levels.iter().copied().fold(f32::NEG_INFINITY, f32::max) - ECHO_BELOW_DB
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `.` quiet, `l` loud, `v` loud and confirmed, `p` a pause in confirmed speech,
    /// `b` where it is confirmed.
    fn acts(reflex: &mut Reflex, row: &str) -> Vec<(usize, Act)> {
        let frame = |(place, mark): (usize, char)| {
            reflex
                .frame(matches!(mark, 'l' | 'v'), matches!(mark, 'v' | 'p' | 'b'), mark == 'b')
                .map(|act| (place, act))
        };
        row.chars().enumerate().filter_map(frame).collect()
    }

    #[test]
    fn the_third_loud_frame_ducks_and_confirmation_stops() {
        assert_eq!(acts(&mut Reflex::new(), "..lllllv"), [(4, Act::Duck), (7, Act::Stop)]);
        assert_eq!(acts(&mut Reflex::new(), "llllp"), [(2, Act::Duck), (4, Act::Stop)]);
    }

    #[test]
    fn a_caller_who_is_already_believed_stops_the_prompt_without_ducking_it() {
        assert_eq!(acts(&mut Reflex::new(), "vvv"), [(2, Act::Stop)]);
    }

    #[test]
    fn confirmation_stops_the_prompt_however_few_frames_were_loud() {
        assert_eq!(acts(&mut Reflex::new(), "l.b"), [(2, Act::Stop)]);
        assert_eq!(acts(&mut Reflex::new(), "llll......l......b"), [(2, Act::Duck), (8, Act::Resume), (17, Act::Stop)]);
    }

    #[test]
    fn two_loud_frames_do_nothing() {
        assert_eq!(acts(&mut Reflex::new(), "ll.ll.ll.ll."), []);
    }

    #[test]
    fn an_unconfirmed_noise_gives_the_prompt_back_after_120_ms() {
        assert_eq!(acts(&mut Reflex::new(), "lll........"), [(2, Act::Duck), (8, Act::Resume)]);
    }

    #[test]
    fn lasting_noise_ducks_once_and_speech_out_of_it_still_stops_the_prompt() {
        let mut reflex = Reflex::new();
        assert_eq!(acts(&mut reflex, &"l".repeat(500)), [(2, Act::Duck), (8, Act::Resume)]);
        assert_eq!(acts(&mut reflex, "lv"), [(1, Act::Stop)]);
    }

    #[test]
    fn noise_may_duck_again_after_a_quiet_while() {
        let mut reflex = Reflex::new();
        acts(&mut reflex, "lllllllll");
        assert_eq!(acts(&mut reflex, &format!("{}lll", ".".repeat(19))), []);
        assert_eq!(acts(&mut reflex, &format!("{}lll", ".".repeat(20))), [(22, Act::Duck)]);
    }

    #[test]
    fn disarming_forgets() {
        let mut reflex = Reflex::new();
        acts(&mut reflex, "ll");
        reflex.disarm();
        assert_eq!(acts(&mut reflex, "ll"), []);
    }

    #[test]
    fn the_guard_remembers_our_loudest_frame_for_as_long_as_an_echo_travels() {
        let mut guard = EchoGuard::new();
        assert_eq!(guard.threshold_dbov(), f32::NEG_INFINITY);
        guard.played(-20.0);
        for _ in 0..ECHO_FRAMES - 1 {
            guard.played(-90.0);
        }
        assert_eq!(guard.threshold_dbov(), -35.0);
        guard.played(-90.0);
        assert_eq!(guard.threshold_dbov(), -105.0);
    }
}
