//! Voices for callers, and proof that what went in is what came out.

use std::path::Path;
use std::process::Command;

use trunkline::audio::{decode, resample};

/// 20 ms at 8 kHz.
pub type Frame = [i16; 160];

pub const SILENCE: Frame = [0; 160];

/// `text` in `voice`, as samples at 8 kHz.
pub fn spoken(voice: &str, text: &str) -> Vec<i16> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("spoken.wav");
    let made = Command::new("flite").args(["-voice", voice, "-t", text, "-o"]).arg(&path).status();
    assert!(made.is_ok_and(|status| status.success()), "flite speaks for the caller");
    samples(&path)
}

/// Samples of a sound file at 8 kHz.
pub fn samples(path: &Path) -> Vec<i16> {
    let sound = decode::read(path).expect("a sound file");
    resample(&sound, 8_000).expect("resampling to 8 kHz works").samples
}

/// `text` as a caller of the other sex than the gateway's voice sends it.
pub fn words(text: &str) -> Vec<Frame> {
    frames(&spoken("rms", text))
}

pub fn frames(samples: &[i16]) -> Vec<Frame> {
    let mut padded = samples.to_vec();
    padded.resize(samples.len().next_multiple_of(160), 0);
    padded.as_chunks::<160>().0.to_vec()
}

/// Both sides of a recording: the caller, the bot.
pub fn sides(path: &str) -> (Vec<i16>, Vec<i16>) {
    let wav = hound::WavReader::open(path).expect("the recording is a whole WAV file");
    assert_eq!((wav.spec().channels, wav.spec().sample_rate), (2, 8_000));
    let samples: Vec<i16> = wav.into_samples().map(|sample| sample.expect("a whole sample")).collect();
    let side = |side: usize| samples.iter().skip(side).step_by(2).copied().collect();
    (side(0), side(1))
}

pub fn loudest(samples: &[i16]) -> u16 {
    samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
}

/// How well `part` is found, whole, anywhere in `whole`: the best correlation among the places where its loudest
/// 100 ms fit.
pub fn found(part: &[i16], whole: &[i16]) -> f64 {
    const CUE: usize = 800;
    /// Every so many samples of the cue are compared to find the places.
    const STRIDE: usize = 2;
    let starts = (0..part.len().saturating_sub(CUE)).step_by(CUE / 2);
    let cue = starts.max_by_key(|&at| energy(&part[at..at + CUE])).expect("a part of 100 ms at least");
    let pattern: Vec<i64> = part[cue..cue + CUE].iter().step_by(STRIDE).map(|&sample| i64::from(sample)).collect();
    let pattern_energy = pattern.iter().map(|sample| sample * sample).sum::<i64>() as f64;
    let mut best = 0.0;
    // Where the part would begin; only places that hold all of it.
    for at in 0..(whole.len() + 1).saturating_sub(part.len()) {
        let (mut dot, mut energy) = (0, 0);
        let mut place = at + cue;
        for sample in &pattern {
            let other = i64::from(whole[place]);
            dot += sample * other;
            energy += other * other;
            place += STRIDE;
        }
        let fits = dot as f64 > 0.9 * (pattern_energy * energy as f64).sqrt();
        if fits && dot > 0 {
            best = correlation(part, &whole[at..at + part.len()]).max(best);
        }
    }
    best
}

/// How much of `part` is found in `whole`, in pieces of a fifth of a second: a telephone that bends time by a frame here
/// and there, as buffers do on a busy machine, has still been heard.
pub fn share_found(part: &[i16], whole: &[i16]) -> f64 {
    const PIECE: usize = 1_600;
    let loudest = part.chunks_exact(PIECE).map(energy).max().unwrap_or(0);
    let loud: Vec<_> = part.chunks_exact(PIECE).filter(|piece| energy(piece) > loudest / 50).collect();
    let heard = loud.iter().filter(|piece| found(piece, whole) > 0.9).count();
    heard as f64 / loud.len().max(1) as f64
}

fn energy(samples: &[i16]) -> i64 {
    samples.iter().map(|&sample| i64::from(sample).pow(2)).sum()
}

fn correlation(one: &[i16], other: &[i16]) -> f64 {
    let dot = one.iter().zip(other).map(|(&a, &b)| i64::from(a) * i64::from(b)).sum::<i64>() as f64;
    dot / (energy(one) as f64 * energy(other) as f64).sqrt().max(1.0)
}

/// Every tone of a stream that jumped once, was renamed once, came doubled for 25 packets and in the wrong order for 12
/// pairs was heard, and `media` of the record counts just that, and no loss.
pub fn is_heard_through(tones: &[Vec<i16>], heard: &[i16], media: &serde_json::Value) {
    for (place, tone) in tones.iter().enumerate() {
        let likeness = found(&tone[800..3_200], heard);
        assert!(likeness > 0.9, "tone {place}: {likeness}, {media:#}");
    }
    let quality = &media["quality"];
    assert_eq!((&quality["jumps"], &quality["ssrc_changes"]), (&1.into(), &1.into()), "{media:#}");
    assert_eq!((&quality["duplicates"], &quality["reordered"]), (&25.into(), &12.into()), "{media:#}");
    assert_eq!(media["lost"], 0, "{media:#}");
}
