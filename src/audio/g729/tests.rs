//! Both halves together: what is heard of what was said, with and without losses, and of bytes nobody meant.

use super::*;
use crate::audio::level::rms_dbov;
use rand::{Rng, SeedableRng, rngs::StdRng};

/// A voice of pulses through three resonances, which glide, in syllables with pauses of faint noise.
pub(super) fn voice(seconds: f64) -> Vec<i16> {
    let mut random = StdRng::seed_from_u64(729);
    let mut pitch_phase = 0.0_f64;
    let mut memory = [[0.0_f64; 2]; 3];
    (0..(seconds * 8_000.0) as usize)
        .map(|n| {
            let at = n as f64 / 8_000.0;
            pitch_phase += (130.0 + 40.0 * (at * 2.1).sin()) / 8_000.0;
            let pulse = if pitch_phase >= 1.0 { 1.0 } else { 0.0 };
            pitch_phase -= pulse;
            let loud = (at * 3.0 * std::f64::consts::PI).sin().max(0.0);
            let mut sound =
                loud * (pulse * 5_000.0 + random.random_range(-80.0..80.0)) + random.random_range(-8.0..8.0);
            let centres = [500.0 + 250.0 * (at * 4.7).sin(), 1_500.0 + 500.0 * (at * 3.1).cos(), 2_600.0];
            for (memory, centre) in memory.iter_mut().zip(centres) {
                let angle = centre / 8_000.0 * std::f64::consts::TAU;
                let made = sound + 2.0 * 0.96 * angle.cos() * memory[0] - 0.96 * 0.96 * memory[1];
                *memory = [made, memory[0]];
                sound = made * 0.6;
            }
            sound.clamp(-32_000.0, 32_000.0) as i16
        })
        .collect()
}

pub(super) fn encoded(sound: &[i16]) -> Vec<u8> {
    let mut bytes = vec![0; sound.len() / FRAME * FRAME_BYTES];
    let whole = sound.len() / FRAME * FRAME;
    assert_eq!(G729Encoder::default().encode(&sound[..whole], &mut bytes), bytes.len());
    bytes
}

/// Mean over frames of the signal-to-noise ratio, in dB, leaving out what is nearly silent; `delay` samples later.
fn segmental_snr(said: &[i16], heard: &[i16], delay: usize) -> f64 {
    let mut ratios = Vec::new();
    for (said, heard) in said.chunks_exact(160).zip(heard[delay..].chunks_exact(160)) {
        let power: f64 = said.iter().map(|&s| f64::from(s).powi(2)).sum();
        let noise: f64 = said.iter().zip(heard).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
        if power / 160.0 > 200.0_f64.powi(2) {
            ratios.push((10.0 * (power / noise.max(1.0)).log10()).clamp(-10.0, 35.0));
        }
    }
    ratios.iter().sum::<f64>() / ratios.len() as f64
}

#[test]
fn a_voice_is_heard_as_it_was_said() {
    let sound = voice(6.0);
    let bytes = encoded(&sound);
    let mut heard = vec![0; sound.len()];
    assert_eq!(G729Decoder::default().decode(&bytes, &mut heard), Some(sound.len()));
    // 5 ms of looking ahead.
    let snr = segmental_snr(&sound, &heard, SUBFRAME);
    assert!(snr > 6.0, "{snr:.2} dB");
    let (said, heard) = (rms_dbov(&sound), rms_dbov(&heard));
    assert!((said - heard).abs() < 1.0, "{said:.1} → {heard:.1} dBov");
}

#[test]
fn both_ends_make_the_same_excitation() {
    let sound = voice(3.0);
    let (mut encoder, mut decoder) = (G729Encoder::default(), G729Decoder::default());
    for (number, pcm) in sound.as_chunks::<FRAME>().0.iter().enumerate() {
        let (mut bytes, mut heard) = ([0; FRAME_BYTES], [0; FRAME]);
        encoder.encode(pcm, &mut bytes);
        decoder.decode(&bytes, &mut heard);
        assert_eq!(encoder.excited(), decoder.excited(), "frame {number}");
    }
}

#[test]
fn silence_stays_silent_and_what_is_loudest_stays_whole() {
    let through = |sound: &[i16]| {
        let mut heard = vec![0; sound.len()];
        G729Decoder::default().decode(&encoded(sound), &mut heard).unwrap();
        rms_dbov(&heard[800..])
    };
    assert!(through(&[0; 8_000]) < -70.0);
    let mut random = StdRng::seed_from_u64(1);
    let square: Vec<i16> = (0..16_000).map(|n| if n / 37 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    let noise: Vec<i16> = (0..16_000).map(|_| random.random()).collect();
    assert!((through(&square) + 1.5).abs() < 3.0, "{}", through(&square));
    // No voice sounds like this: four pulses are too few for it, in anybody's G.729.
    assert!((through(&noise) + 13.0).abs() < 3.0, "{}", through(&noise));
}

#[test]
fn frames_of_anything_end_with_the_next_that_were_meant() {
    // What the compiler has not made quick would take half a minute.
    let frames = if cfg!(debug_assertions) { 20_000 } else { 100_000 };
    let mut random = StdRng::seed_from_u64(1_729);
    let mut decoder = G729Decoder::default();
    let mut heard = [0; FRAME];
    for frame in 0..frames {
        match random.random_range(0..20) {
            0 => assert!(decoder.conceal(&mut heard)),
            1 => assert_eq!(decoder.decode(&random.random::<[u8; SILENCE_BYTES]>(), &mut heard), Some(FRAME)),
            // The same again and again: gains that only grow.
            2 => {
                let bytes: [u8; FRAME_BYTES] = random.random();
                (0..5).for_each(|_| assert_eq!(decoder.decode(&bytes, &mut heard), Some(FRAME)));
            }
            _ => assert_eq!(decoder.decode(&random.random::<[u8; FRAME_BYTES]>(), &mut heard), Some(FRAME)),
        }
        assert!(decoder.is_sound(), "frame {frame}");
    }
    // A voice after that: a second later it sounds as if nothing had been.
    let sound = voice(4.0);
    let (mut after, mut undisturbed) = (vec![0; sound.len()], vec![0; sound.len()]);
    decoder.decode(&encoded(&sound), &mut after);
    G729Decoder::default().decode(&encoded(&sound), &mut undisturbed);
    let likeness = segmental_snr(&undisturbed[8_000..], &after[8_000..], 0);
    assert!(likeness > 15.0, "{likeness:.1} dB");
}

#[test]
fn only_whole_frames_are_payloads_and_only_whole_frames_are_coded() {
    let (mut encoder, mut decoder) = (G729Encoder::default(), G729Decoder::default());
    let mut out = [0; 4 * FRAME];
    let rows = [
        (0, None),
        (1, None),
        (2, Some(80)),
        (9, None),
        (10, Some(80)),
        (12, Some(160)),
        (20, Some(160)),
        (21, None),
        (32, Some(320)),
        (40, Some(320)),
        (50, None),
    ];
    for (bytes, samples) in rows {
        assert_eq!(decoder.decode(&[0x5A; 50][..bytes], &mut out), samples, "{bytes} bytes");
    }
    for (samples, bytes) in [(0, 0), (79, 0), (80, 10), (160, 20), (200, 0), (240, 30)] {
        assert_eq!(encoder.encode(&[0; 240][..samples], &mut [0; 30]), bytes, "{samples} samples");
    }
    assert_eq!(encoder.encode(&[0; 160], &mut [0; 19]), 0);
    for (samples, concealed) in [(0, false), (40, false), (80, true), (160, true), (200, false)] {
        assert_eq!(decoder.conceal(&mut [0; 200][..samples]), concealed, "{samples}");
    }
}

#[test]
fn a_voice_goes_on_through_a_loss_and_fades_in_a_long_one() {
    let sound = voice(2.0);
    let bytes = encoded(&sound);
    // In the middle of a syllable.
    let (before, lost) = bytes.split_at(50 * FRAME_BYTES);
    let (mut decoder, mut heard) = (G729Decoder::default(), vec![0; 50 * FRAME]);
    decoder.decode(before, &mut heard);
    let level = rms_dbov(&heard[46 * FRAME..]);
    let levels: Vec<f32> = (0..200)
        .map(|_| {
            let mut made_up = [0; FRAME];
            assert!(decoder.conceal(&mut made_up));
            rms_dbov(&made_up)
        })
        .collect();
    assert!((levels[0] - level).abs() < 6.0, "{level} {levels:?}");
    assert!(levels[50] < level - 6.0 && levels[199] < level - 20.0, "{level} {levels:?}");
    // And is back with the next frames.
    let mut again = vec![0; lost.len() / FRAME_BYTES * FRAME];
    decoder.decode(lost, &mut again);
    assert!((rms_dbov(&again) - rms_dbov(&sound[50 * FRAME..])).abs() < 3.0);
}

#[test]
fn a_silence_that_was_described_is_heard_until_somebody_speaks() {
    let mut decoder = G729Decoder::default();
    let mut noise = vec![0; 40 * FRAME];
    assert!(!decoder.is_silent());
    // Loudness 12 of 31: 28 dB, and what the filter adds.
    assert_eq!(decoder.decode(&[0, 12 << 1], &mut noise), Some(FRAME));
    assert!(decoder.is_silent() && decoder.conceal(&mut noise));
    let level = rms_dbov(&noise);
    assert!((-62.0..-40.0).contains(&level), "{level}");
    // Another one, fainter: it does not jump there.
    decoder.decode(&[0, 8 << 1], &mut noise);
    let first = rms_dbov(&noise[..FRAME]);
    decoder.conceal(&mut noise);
    let last = rms_dbov(&noise[30 * FRAME..]);
    assert!(first > level - 4.0 && (level - 11.0..level - 5.0).contains(&last), "{level} {first} {last}");
    decoder.decode(&encoded(&voice(0.1))[..FRAME_BYTES], &mut noise);
    assert!(!decoder.is_silent());
}
