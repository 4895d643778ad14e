//! Pulses: four of them stand for what pitch does not explain (ITU-T G.729 §3.8, searched as in A.3.8).
//!
//! ```text
//!   track   0   0 5 10 15 20 25 30 35      3 bits      one pulse on each of the first three,
//!           1   1 6 11 …                   3 bits      one on either of the last two;
//!           2   2 7 12 …                   3 bits      each +1 or −1
//!           3   3 8 13 …   4   4 9 14 …    4 bits
//! ```

use super::SUBFRAME;
use super::filter::{Subframe, dot};

/// Tracks, and places on each.
const TRACKS: usize = 5;
/// See above.
const PLACES: usize = SUBFRAME / TRACKS;
/// The first pulse of a pair is tried at this many places of its track.
const TRIED: usize = 2;

/// Four pulses: where, and whether they point up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulses {
    /// Places, on tracks 0, 1, 2 and 3 or 4.
    places: [usize; 4],
    up: [bool; 4],
}

impl Pulses {
    /// What 13 bits and four bits name (§4.1.4).
    pub fn decode(positions: u16, signs: u8) -> Self {
        let place = |shift: u16| usize::from(positions >> shift & 7) * TRACKS;
        let last = usize::from(positions >> 10 & 7) * TRACKS + 3 + usize::from(positions >> 9 & 1);
        let places = [place(0), place(3) + 1, place(6) + 2, last];
        Self { places, up: std::array::from_fn(|pulse| signs >> pulse & 1 == 1) }
    }

    /// The 13 bits and the four.
    pub fn code(&self) -> (u16, u8) {
        let [a, b, c, d] = self.places.map(|place| (place / TRACKS) as u16);
        let other_track = (self.places[3] % TRACKS - 3) as u16;
        let signs = self.up.iter().rev().fold(0, |signs, &up| signs << 1 | u8::from(up));
        (a | b << 3 | c << 6 | other_track << 9 | d << 10, signs)
    }

    /// The pulses in their half frame, repeated at each lag with strength `sharpness` (§3.8, `P(z)`).
    pub fn vector(&self, lag: usize, sharpness: f32) -> Subframe {
        let mut vector = [0.0; SUBFRAME];
        for (&place, &up) in self.places.iter().zip(&self.up) {
            vector[place] += if up { 1.0 } else { -1.0 };
        }
        sharpen(&mut vector, lag, sharpness);
        vector
    }

    /// Those that, through a filter with this `response`, come nearest to `target`.
    pub fn search(target: &Subframe, response: &Subframe) -> Self {
        let search = Search::new(target, response);
        let mut best = Found::NOTHING;
        for last in [3, 4] {
            // Two tracks at a time, the second pair given the first.
            for [one, two, three, four] in [[2, last, 0, 1], [last, 0, 1, 2]] {
                let pair = search.first_pair(one, two);
                let found = search.second_pair(pair, three, four);
                if best.worse_than(found.gain, found.energy) {
                    best = found;
                }
            }
        }
        let mut places = [0; 4];
        for place in best.places {
            places[(place % TRACKS).min(3)] = place;
        }
        Self { places, up: places.map(|place| search.up[place]) }
    }
}

/// Adds what was a lag ago: a filter that makes pulses a voice.
pub fn sharpen(vector: &mut Subframe, lag: usize, sharpness: f32) {
    for n in lag..SUBFRAME {
        vector[n] += sharpness * vector[n - lag];
    }
}

/// The target filtered backwards: how each sample of an excitation would help to reach it.
pub fn correlate(target: &Subframe, response: &Subframe) -> Subframe {
    std::array::from_fn(|n| dot(&target[n..], &response[..SUBFRAME - n]))
}

/// What is known of every place and every two.
struct Search {
    /// How much a pulse there helps, pointing the way that does.
    gain: Subframe,
    up: [bool; SUBFRAME],
    /// What two of them add up to in energy; their signs are in it.
    energy: [Subframe; SUBFRAME],
}

/// A candidate; better when `gain² / energy` is larger.
#[derive(Clone, Copy)]
struct Found {
    places: [usize; 4],
    gain: f32,
    energy: f32,
}

impl Found {
    /// Worse than any other.
    const NOTHING: Self = Self { places: [0, 1, 2, 3], gain: 0.0, energy: 1.0 };

    fn worse_than(&self, gain: f32, energy: f32) -> bool {
        // Without dividing.
        gain * gain * self.energy > self.gain * self.gain * energy
    }
}

impl Search {
    fn new(target: &Subframe, response: &Subframe) -> Self {
        let correlation = correlate(target, response);
        let up = correlation.map(|gain| gain >= 0.0);
        let mut backwards = *response;
        backwards.reverse();
        let mut energy = [[0.0; SUBFRAME]; SUBFRAME];
        // Two pulses a sample earlier reach one sample further.
        for at in (0..SUBFRAME).rev() {
            let (row, later) = energy[at..].split_first_mut().expect("there is a row at every place");
            let one = backwards[at];
            row.iter_mut().zip(&backwards).for_each(|(energy, two)| *energy = one * two);
            if let Some(later) = later.first() {
                row.iter_mut().zip(&later[1..]).for_each(|(energy, shorter)| *energy += shorter);
            }
        }
        let sign = up.map(|up| if up { 1.0 } else { -1.0 });
        for (row, one) in energy.iter_mut().zip(sign) {
            row.iter_mut().zip(sign).for_each(|(energy, two)| *energy *= one * two);
        }
        Self { gain: correlation.map(f32::abs), up, energy }
    }

    fn track(first: usize) -> impl Iterator<Item = usize> {
        (first..SUBFRAME).step_by(TRACKS)
    }

    /// The best two pulses on two tracks, the first being where it helps most by itself, or second most.
    fn first_pair(&self, one: usize, two: usize) -> Found {
        let mut places: [usize; PLACES] = std::array::from_fn(|n| one + n * TRACKS);
        places.sort_unstable_by(|&a, &b| self.gain[b].total_cmp(&self.gain[a]));
        let mut best = Found::NOTHING;
        for &a in &places[..TRIED] {
            for b in Self::track(two) {
                let energy = self.energy[a][a] + self.energy[b][b] + 2.0 * self.energy[a][b];
                let gain = self.gain[a] + self.gain[b];
                if best.worse_than(gain, energy) {
                    best = Found { places: [a, b, a, b], gain, energy };
                }
            }
        }
        if best.gain > 0.0 { best } else { Found { places: [one, two, one, two], ..best } }
    }

    /// The best two more on the other tracks.
    fn second_pair(&self, pair: Found, three: usize, four: usize) -> Found {
        let [a, b, ..] = pair.places;
        let with_pair = |n: usize| self.energy[n][n] + 2.0 * (self.energy[a][n] + self.energy[b][n]);
        let fourth: [usize; PLACES] = std::array::from_fn(|n| four + n * TRACKS);
        let more = fourth.map(with_pair);
        let mut best = Found { places: [a, b, three, four], ..Found::NOTHING };
        for c in Self::track(three) {
            let (gain, energy) = (pair.gain + self.gain[c], pair.energy + with_pair(c));
            for (d, more) in fourth.into_iter().zip(more) {
                let (gain, energy) = (gain + self.gain[d], energy + more + 2.0 * self.energy[c][d]);
                if best.worse_than(gain, energy) {
                    best = Found { places: [a, b, c, d], gain, energy };
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::g729::filter::convolve;

    #[test]
    fn every_code_is_four_pulses_and_back() {
        for positions in 0..1 << 13 {
            let pulses = Pulses::decode(positions, (positions % 16) as u8);
            assert_eq!(pulses.code(), (positions, (positions % 16) as u8));
            assert!(pulses.places.iter().enumerate().all(|(n, place)| (place % TRACKS).min(3) == n), "{pulses:?}");
        }
        // §3.8.1: i0, i1, i2 and i3 from the lowest bit up.
        let pulses = Pulses::decode(7 << 10 | 1 << 9 | 2 << 6 | 1 << 3 | 3, 0b0101);
        assert_eq!((pulses.places, pulses.up), ([15, 6, 12, 39], [true, false, true, false]));
    }

    #[test]
    fn the_pulses_that_made_a_target_are_found() {
        let response: Subframe = std::array::from_fn(|n| 0.8_f32.powi(n as i32) * (n as f32 * 0.7).cos());
        let mut found = 0;
        for code in (0..1_u16 << 13).step_by(37) {
            let pulses = Pulses::decode(code, (code % 16) as u8);
            let target = convolve(&pulses.vector(SUBFRAME, 0.0), &response);
            found += u32::from(Pulses::search(&target, &response) == pulses);
        }
        // Not all: few are looked at, and that is meant.
        assert!(found > 120, "{found} of 222");
    }

    #[test]
    fn silence_has_pulses_too() {
        let pulses = Pulses::search(&[0.0; SUBFRAME], &[0.0; SUBFRAME]);
        assert!(pulses.places.iter().enumerate().all(|(n, place)| (place % TRACKS).min(3) == n), "{pulses:?}");
        assert_eq!(Pulses::decode(pulses.code().0, pulses.code().1), pulses);
    }

    #[test]
    fn short_lags_repeat_pulses() {
        let vector = Pulses::decode(0, 0b1111).vector(25, 0.5);
        assert_eq!((vector[0], vector[25], vector[28], vector[24]), (1.0, 0.5, 0.5, 0.0));
    }
}
