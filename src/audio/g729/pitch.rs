//! Pitch: the excitation repeats itself (ITU-T G.729 §3.4 and §3.7, searched as in A.3.4 and A.3.7).
//!
//! ```text
//!            one lag ago          now
//!   ──────╱╲───────╱╲─────────╱╲──┊┄┄╱╲┄┄      lags of 20 to 143 samples, in thirds up to 85
//! ```

use super::filter::{Subframe, dot};
use super::{FRAME, SUBFRAME};

/// Shortest and longest lag, whole samples.
pub const SHORTEST: usize = 20;
/// See above.
pub const LONGEST: usize = 143;
/// Past needed: the longest lag, a third more, and what its interpolation reaches.
const PAST: usize = LONGEST + 11;
/// Samples on either side that an interpolated one is made of.
const REACH: usize = 10;
/// The longest lag of the first half that is coded in thirds.
const LONGEST_IN_THIRDS: usize = 84;
/// Lags of the second half lie this far below that of the first, at most, and span this.
const BELOW: usize = 5;
/// See above.
const SPAN: usize = 9;

/// Interpolation by thirds: a Hamming-windowed sinc with its edge at 3.6 kHz (`b30`, in steps of 2⁻¹⁵).
const SINC: [i16; 3 * REACH + 1] = [
    29_443, 25_207, 14_701, 3_143, -4_402, -5_850, -2_783, 1_211, 3_130, 2_259, 0, -1_652, -1_666, -464, 756, 1_099,
    550, -245, -634, -451, 0, 308, 296, 78, -120, -165, -79, 34, 91, 70, 0,
];
/// The same for a place 0, 1 and 2 thirds after a sample: weights of the ten up to it and the ten after it.
const PHASES: [[f32; 2 * REACH]; 3] = phases();

const fn phases() -> [[f32; 2 * REACH]; 3] {
    let mut phases = [[0.0; 2 * REACH]; 3];
    let mut thirds = 0;
    while thirds < 3 {
        let mut i = 0;
        while i < REACH {
            phases[thirds][REACH - 1 - i] = SINC[thirds + 3 * i] as f32 / 32_768.0;
            phases[thirds][REACH + i] = SINC[3 - thirds + 3 * i] as f32 / 32_768.0;
            i += 1;
        }
        thirds += 1;
    }
    phases
}

/// How long ago: whole samples, and −1, 0 or 1 third.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Samples.
    pub whole: usize,
    /// Thirds of one.
    pub thirds: i8,
}

impl Lag {
    /// Whole samples.
    pub const fn whole(whole: usize) -> Self {
        Self { whole, thirds: 0 }
    }

    /// What eight bits of the first half name (§4.1.3).
    pub const fn first(code: u8) -> Self {
        let code = code as usize;
        if code >= 197 {
            return Self::whole(code - 112);
        }
        let whole = code.div_ceil(3) + 19;
        Self { whole, thirds: (code as isize - 3 * whole as isize + 58) as i8 }
    }

    /// What five bits of the second half name, after the first half's lag.
    pub const fn second(code: u8, first: Self) -> Self {
        let steps = (code as usize).div_ceil(3);
        let thirds = code as isize - 3 * steps as isize + 1;
        Self { whole: nearby(first).0 + steps - 1, thirds: thirds as i8 }
    }

    /// The eight bits of this lag.
    pub const fn code_first(self) -> u8 {
        match self.whole {
            whole if whole > LONGEST_IN_THIRDS + 1 => (whole + 112) as u8,
            whole => (3 * whole as isize - 58 + self.thirds as isize) as u8,
        }
    }

    /// The five bits of this lag.
    pub const fn code_second(self, first: Self) -> u8 {
        (3 * (self.whole as isize - nearby(first).0 as isize) + 2 + self.thirds as isize) as u8
    }
}

/// The shortest and the longest whole lag of the second half.
const fn nearby(first: Lag) -> (usize, usize) {
    let shortest = if first.whole < SHORTEST + BELOW { SHORTEST } else { first.whole - BELOW };
    let shortest = if shortest + SPAN > LONGEST { LONGEST - SPAN } else { shortest };
    (shortest, shortest + SPAN)
}

/// The excitation of the frame and of the time before it.
#[derive(Clone, Debug)]
pub struct Excitation {
    line: [f32; PAST + FRAME],
}

impl Default for Excitation {
    fn default() -> Self {
        Self { line: [0.0; PAST + FRAME] }
    }
}

impl Excitation {
    /// Another frame begins.
    pub fn begin_frame(&mut self) {
        self.line.copy_within(FRAME.., 0);
    }

    /// Half `half` of the frame.
    pub fn half(&self, half: usize) -> &Subframe {
        self.line[PAST + half * SUBFRAME..].first_chunk().expect("a frame has two halves")
    }

    /// See [`Self::half`].
    pub fn half_mut(&mut self, half: usize) -> &mut Subframe {
        self.line[PAST + half * SUBFRAME..].first_chunk_mut().expect("a frame has two halves")
    }

    /// Fills half `half` with what was one lag ago (§3.7.1). A lag shorter than the half repeats what is being filled.
    pub fn repeat(&mut self, half: usize, lag: Lag) {
        let (back, phase) = match lag.thirds {
            1.. => (lag.whole + 1, 3 - lag.thirds as usize),
            thirds => (lag.whole, thirds.unsigned_abs() as usize),
        };
        let start = PAST + half * SUBFRAME;
        for at in start..start + SUBFRAME {
            let from = at - back + 1 - REACH;
            self.line[at] = dot(&self.line[from..from + 2 * REACH], &PHASES[phase]);
        }
    }

    /// Where the first half repeats, near a lag found from afar. See [`Self::search`].
    pub fn search_first(&mut self, around: usize, correlated: &Subframe) -> Lag {
        let shortest = around.saturating_sub(3).clamp(SHORTEST, LONGEST - 6);
        self.search(0, (shortest, shortest + 6), LONGEST_IN_THIRDS, correlated)
    }

    /// Where the second half repeats, near the lag of the first.
    pub fn search_second(&mut self, first: Lag, correlated: &Subframe) -> Lag {
        self.search(1, nearby(first), LONGEST, correlated)
    }

    /// The lag of half `half` within `range`, in thirds up to a length, and fills the half with what was then. Until
    /// then it holds the residual, of which short lags take what they lack. `correlated` is the target, filtered
    /// backwards.
    fn search(&mut self, half: usize, range: (usize, usize), thirds_up_to: usize, correlated: &Subframe) -> Lag {
        let start = PAST + half * SUBFRAME;
        let likeness = |lag: &usize| dot(correlated, &self.line[start - lag..][..SUBFRAME]);
        let whole = (range.0..=range.1).max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap_or(range.0);
        let thirds = if whole <= thirds_up_to { -1..=1 } else { 0..=0 };
        let mut best = (f32::NEG_INFINITY, Lag::whole(whole));
        for thirds in thirds {
            let lag = Lag { whole, thirds };
            self.repeat(half, lag);
            let likeness = dot(correlated, self.half(half));
            if likeness > best.0 {
                best = (likeness, lag);
            }
        }
        self.repeat(half, best.1);
        best.1
    }
}

/// Weighted sound, in which the pitch of a frame is looked for from afar (§3.4, A.3.4).
#[derive(Clone, Debug)]
pub struct OpenLoop {
    line: [f32; LONGEST + FRAME],
}

impl Default for OpenLoop {
    fn default() -> Self {
        Self { line: [0.0; LONGEST + FRAME] }
    }
}

impl OpenLoop {
    /// Adds half `half` of a frame; the first makes room.
    pub fn push(&mut self, half: usize, weighted: &Subframe) {
        if half == 0 {
            self.line.copy_within(FRAME.., 0);
        }
        self.line[LONGEST + half * SUBFRAME..][..SUBFRAME].copy_from_slice(weighted);
    }

    /// The lag of the frame: the most alike of three ranges, short ones favoured when a longer is a multiple of it.
    pub fn lag(&self) -> usize {
        let halved = Halved::new(&self.line);
        let [mut short, mut middle, long] =
            [(20, 39, 1), (40, 79, 1), (80, LONGEST, 2)].map(|range| halved.best(range));
        let near = |a: usize, b: usize, within: usize| a.abs_diff(b) < within;
        if near(2 * middle.0, long.0, 5) {
            middle.1 += 0.25 * long.1;
        }
        if near(3 * middle.0, long.0, 7) {
            middle.1 += 0.25 * long.1;
        }
        if near(2 * short.0, middle.0, 5) {
            short.1 += 0.2 * middle.1;
        }
        if near(3 * short.0, middle.0, 7) {
            short.1 += 0.2 * middle.1;
        }
        let shorter = if middle.1 > short.1 { middle } else { short };
        if long.1 > shorter.1 { long.0 } else { shorter.0 }
    }
}

/// Every second sample, which is enough: those at even and those at odd places.
struct Halved([[f32; (LONGEST + FRAME) / 2 + 1]; 2]);

impl Halved {
    fn new(line: &[f32; LONGEST + FRAME]) -> Self {
        let mut halved = Self([[0.0; (LONGEST + FRAME) / 2 + 1]; 2]);
        for (n, &sample) in line.iter().enumerate() {
            halved.0[n % 2][n / 2] = sample;
        }
        halved
    }

    /// The frame as it was so long ago.
    fn then(&self, lag: usize) -> &[f32] {
        let start = LONGEST - lag;
        &self.0[start % 2][start / 2..][..FRAME / 2]
    }

    /// The lag of a range, and how alike sound is to what was then.
    fn best(&self, (from, to, step): (usize, usize, usize)) -> (usize, f32) {
        let better = |best: (usize, f32), lag: usize| {
            let product = dot(self.then(0), self.then(lag));
            if product > best.1 { (lag, product) } else { best }
        };
        let mut best = (from..=to).step_by(step).fold((from, f32::NEG_INFINITY), better);
        if step > 1 {
            let coarse = best.0;
            best = [coarse - 1, coarse + 1].into_iter().filter(|lag| (from..=to).contains(lag)).fold(best, better);
        }
        let then = self.then(best.0);
        (best.0, best.1 / (dot(then, then) + 0.01).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_a_lag_and_every_lag_a_code() {
        for code in 0..=255 {
            let first = Lag::first(code);
            assert_eq!(first.code_first(), code, "{first:?}");
            assert!((19..=LONGEST).contains(&first.whole) && (-1..=1).contains(&first.thirds), "{code}: {first:?}");
            for code in 0..32 {
                let second = Lag::second(code, first);
                assert_eq!(second.code_second(first), code, "{first:?} {second:?}");
                assert!((19..=LONGEST + 1).contains(&second.whole) && (-1..=1).contains(&second.thirds), "{second:?}");
            }
        }
        // §3.7.3 and §4.1.3: the ends of each range.
        assert_eq!(Lag::first(0), Lag { whole: 19, thirds: 1 });
        assert_eq!((Lag::first(196), Lag::first(197)), (Lag { whole: 85, thirds: -1 }, Lag::whole(85)));
        assert_eq!(Lag::first(255), Lag::whole(143));
    }

    #[test]
    fn what_is_repeated_is_what_was_a_lag_ago() {
        // A wave of 37⅓ samples.
        let wave = |n: f32| (n * std::f32::consts::TAU / (112.0 / 3.0)).sin();
        let mut excitation = Excitation::default();
        for (n, sample) in excitation.line.iter_mut().enumerate() {
            *sample = wave(n as f32);
        }
        for lag in [Lag { whole: 37, thirds: 1 }, Lag { whole: 75, thirds: -1 }, Lag::whole(112)] {
            let expected = *excitation.half(0);
            excitation.repeat(0, lag);
            let off = expected.iter().zip(excitation.half(0)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 0.02, "{lag:?}: {off}");
        }
    }

    #[test]
    fn the_pitch_of_a_buzz_is_found_from_afar() {
        for period in [25, 37, 52, 71, 90, 120, 141] {
            let mut open = OpenLoop::default();
            for (n, sample) in open.line.iter_mut().enumerate() {
                let phase = n as f32 / period as f32 * std::f32::consts::TAU;
                *sample = 1_000.0 * (phase.cos() + (2.0 * phase).cos() + (3.0 * phase).cos());
            }
            let lag = open.lag();
            assert!(lag % period <= 2 || lag % period >= period - 2, "{period}: {lag}");
        }
    }
}
