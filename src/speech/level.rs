//! How loud prompts are, and whether anybody spoke.

use crate::audio::Pcm;
use crate::audio::level::{Level, SILENCE_DBOV, rms_dbov};

/// Level of the spoken parts of a prompt: what people hold comfortable on the telephone, and what the network is
/// planned for (ITU-T P.56 active speech level around −26 dBov for handsets; announcements run a little above).
pub const PROMPT_DBOV: f32 = -20.0;
/// No sample louder than this: G.711 and a conference bridge on the way keep some headroom.
const PEAK_DBOV: f32 = -1.0;
/// Stretches this far below the loudest one are pauses, not speech.
const PAUSE_DB: f32 = 25.0;

/// Level of the loudest 20 ms, in dBov.
pub fn loudest_dbov(audio: &Pcm) -> f32 {
    frames(audio).map(rms_dbov).fold(SILENCE_DBOV, f32::max)
}

/// Mean level of the stretches where somebody speaks, in dBov: pauses do not count.
pub fn active_dbov(audio: &Pcm) -> f32 {
    let floor = loudest_dbov(audio) - PAUSE_DB;
    let power = |dbov: f32| -> f32 { 10_f32.powf(dbov / 10.0) };
    let (sum, count) = frames(audio)
        .map(rms_dbov)
        .filter(|level| *level >= floor)
        .fold((0.0_f32, 0_u32), |(sum, count), level| (sum + power(level), count + 1));
    if count == 0 { SILENCE_DBOV } else { (10.0 * (sum / count as f32).log10()).max(SILENCE_DBOV) }
}

/// Brings a prompt to [`PROMPT_DBOV`], or as near as its peaks allow without clipping. Silence stays silent.
pub fn to_prompt_level(audio: &mut Pcm) {
    let active = active_dbov(audio);
    if active <= SILENCE_DBOV {
        return;
    }
    let headroom = PEAK_DBOV - Level::of(&audio.samples).peak_dbov;
    let gain = 10_f32.powf((PROMPT_DBOV - active).min(headroom) / 20.0);
    for sample in &mut audio.samples {
        // A float turned into an integer saturates: nothing wraps around.
        *sample = (f32::from(*sample) * gain).round() as i16;
    }
}

/// Stretches of 20 ms; the last may be shorter.
fn frames(audio: &Pcm) -> impl Iterator<Item = &[i16]> {
    audio.samples.chunks((audio.rate_hz as usize / 50).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone;

    fn speech_with_pause(dbov: f32) -> Pcm {
        let mut audio = tone::sine(400.0, dbov, 400, 8_000);
        audio.samples.extend(vec![0; 8_000]);
        audio.samples.extend(tone::sine(300.0, dbov, 400, 8_000).samples);
        audio
    }

    #[test]
    fn pauses_do_not_make_a_prompt_quieter() {
        assert!((active_dbov(&speech_with_pause(-30.0)) + 30.0).abs() < 0.3);
    }

    #[test]
    fn loud_and_quiet_prompts_come_out_alike() {
        for dbov in [-6.0, -20.0, -45.0] {
            let mut audio = speech_with_pause(dbov);
            to_prompt_level(&mut audio);
            assert!((active_dbov(&audio) - PROMPT_DBOV).abs() < 0.5, "{dbov}: {}", active_dbov(&audio));
        }
    }

    #[test]
    fn a_prompt_with_sharp_peaks_is_not_clipped() {
        let mut audio = speech_with_pause(-50.0);
        audio.samples[100] = 20_000;
        to_prompt_level(&mut audio);
        assert!(Level::of(&audio.samples).peak_dbov <= PEAK_DBOV + 0.01);
    }

    #[test]
    fn silence_stays_silent() {
        let mut audio = Pcm { rate_hz: 8_000, samples: vec![0; 800] };
        to_prompt_level(&mut audio);
        assert!(audio.samples.iter().all(|sample| *sample == 0));
        to_prompt_level(&mut Pcm::default());
    }
}
