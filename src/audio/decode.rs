//! Sound files of people, any common format, to mono PCM: recorded prompts, `trunkline hear FILE`.
//!
//! WAV (also µ-law and A-law), MP3, Ogg Vorbis, FLAC and M4A/AAC by `symphonia`. Damage in the middle of a file
//! costs the damaged packets; a file that cannot be understood at all is an error that names it.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use super::Pcm;
use super::file::{AudioFileError, MAX_CHANNELS, MAX_DURATION, mix_to_mono, read_bytes};

/// Share of a file's packets that may be undecodable before the whole counts as damaged: 1 in 4. A click is better
/// than no prompt; a prompt nobody can follow is not.
const DAMAGE_TOLERATED: usize = 4;

/// Reads a sound file of any common format at its own sample rate, channels mixed to mono.
pub fn read(path: &Path) -> Result<Pcm, AudioFileError> {
    parse(read_bytes(path)?, path)
}

/// Decodes a file that is already in memory. `path` names it in errors, and its ending is taken as a hint.
pub fn parse(bytes: Vec<u8>, path: &Path) -> Result<Pcm, AudioFileError> {
    // Decoders of compressed sound are large and meet files from anywhere; a panic in one of them must cost this
    // file, not the gateway. Everything they touched is dropped with the closure.
    catch_unwind(AssertUnwindSafe(|| decode(bytes, path))).unwrap_or_else(|_| {
        Err(AudioFileError::Damaged { path: path.into(), cause: "the decoder gave up on it".to_owned() })
    })
}

fn decode(bytes: Vec<u8>, path: &Path) -> Result<Pcm, AudioFileError> {
    let mut hint = Hint::new();
    if let Some(ending) = path.extension().and_then(|ending| ending.to_str()) {
        hint.with_extension(ending);
    }
    let source = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
    let format = symphonia::default::get_probe()
        .probe(&hint, source, FormatOptions::default(), MetadataOptions::default())
        .map_err(|_| AudioFileError::NotAudio { path: path.into() })?;
    let track = format.default_track(TrackType::Audio);
    let Some((track, codec)) = track.and_then(|track| Some((track.id, track.codec_params.as_ref()?.audio()?))) else {
        return Err(AudioFileError::NotAudio { path: path.into() });
    };
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(codec, &AudioDecoderOptions::default())
        .map_err(|_| AudioFileError::NotAudio { path: path.into() })?;
    decode_track(format, decoder, track, path)
}

fn decode_track(
    mut format: Box<dyn FormatReader + '_>,
    mut decoder: Box<dyn AudioDecoder>,
    track: u32,
    path: &Path,
) -> Result<Pcm, AudioFileError> {
    let damaged = |cause: String| AudioFileError::Damaged { path: path.into(), cause };
    let mut pcm = Pcm::default();
    let mut interleaved: Vec<f32> = Vec::new();
    let (mut good, mut bad) = (0usize, 0usize);
    let mut cut_short = None;
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            // Chained Ogg streams ask for a reset; the first of them is the prompt.
            Ok(None) | Err(Error::ResetRequired) => break,
            Err(cause) => {
                cut_short = Some(cause.to_string());
                break;
            }
        };
        if packet.track_id != track {
            continue;
        }
        let sound = match decoder.decode(&packet) {
            Ok(sound) => sound,
            Err(Error::DecodeError(_) | Error::IoError(_)) => {
                bad += 1;
                continue;
            }
            Err(cause) => return Err(damaged(cause.to_string())),
        };
        good += 1;
        let (rate_hz, channels) = (sound.spec().rate(), sound.spec().channels().count());
        if rate_hz == 0 || !(1..=usize::from(MAX_CHANNELS)).contains(&channels) {
            return Err(damaged(format!("it claims {channels} channels at {rate_hz} Hz")));
        }
        if pcm.rate_hz == 0 {
            pcm.rate_hz = rate_hz;
        } else if pcm.rate_hz != rate_hz {
            return Err(damaged(format!("its sample rate changes from {} to {rate_hz} Hz", pcm.rate_hz)));
        }
        sound.copy_to_vec_interleaved(&mut interleaved);
        pcm.samples.extend(mix_to_mono(&interleaved, channels));
        if pcm.samples.len() as u64 > MAX_DURATION.as_secs() * u64::from(rate_hz) {
            return Err(AudioFileError::TooLong { path: path.into() });
        }
    }
    match (pcm.samples.is_empty(), cut_short) {
        (true, Some(cause)) => Err(damaged(cause)),
        (true, None) if bad > 0 => Err(damaged("no packet of it could be decoded".to_owned())),
        (true, None) => Err(AudioFileError::Empty { path: path.into() }),
        _ if bad * DAMAGE_TOLERATED > good + bad => Err(damaged(format!("{bad} of {} packets are lost", good + bad))),
        _ => Ok(pcm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::rms_dbov;
    use rand::{Rng, SeedableRng, rngs::StdRng};

    /// Name, sample rate, milliseconds, level.
    const FILES: [(&str, u32, u64, f32); 7] = [
        ("tone.mp3", 16_000, 400, -20.0),
        ("tone.m4a", 16_000, 400, -20.0),
        ("tone.ogg", 8_000, 400, -20.0),
        ("tone.flac", 8_000, 400, -20.0),
        ("tone-mulaw.wav", 8_000, 400, -20.0),
        ("tone-alaw.wav", 8_000, 400, -20.0),
        ("tone-24bit-stereo.wav", 8_000, 200, -23.0),
    ];

    fn path(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/audio/testdata").join(name)
    }

    #[test]
    fn every_common_format_sounds_as_it_was_made() {
        for (name, rate_hz, duration_ms, loud) in FILES {
            let pcm = read(&path(name)).unwrap();
            assert_eq!(pcm.rate_hz, rate_hz, "{name}");
            // Lossy formats pad to whole packets; AAC's are 64 ms at this rate, and its encoder's delay stays.
            assert!((duration_ms..duration_ms + 150).contains(&pcm.duration_ms()), "{name}: {} ms", pcm.duration_ms());
            let level = rms_dbov(&pcm.samples[pcm.samples.len() / 3..pcm.samples.len() / 3 * 2]);
            assert!((level - loud).abs() < 1.0, "{name}: {level} dBov");
        }
    }

    #[test]
    fn what_is_no_sound_is_refused_with_the_name_of_the_file() {
        for bytes in [&b""[..], b"hello, I am a prompt", &[0; 5_000], &[0xFF; 5_000]] {
            let error = parse(bytes.to_vec(), Path::new("prompts/welcome.mp3")).unwrap_err();
            assert!(error.to_string().starts_with("prompts/welcome.mp3 "), "{error}");
        }
        let error = read(Path::new("/nowhere/welcome.ogg")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read /nowhere/welcome.ogg"), "{error}");
        assert!(read(Path::new("/")).is_err());
    }

    #[test]
    fn files_cut_short_never_panic_and_never_grow() {
        for (name, _, duration_ms, _) in FILES {
            let whole = std::fs::read(path(name)).unwrap();
            for length in (0..whole.len()).step_by(whole.len() / 97 + 1) {
                if let Ok(pcm) = decode(whole[..length].to_vec(), &path(name)) {
                    assert!(pcm.duration_ms() < duration_ms + 150, "{name} cut at {length}");
                }
            }
        }
    }

    #[test]
    fn mangled_files_are_errors_or_sound_never_a_panic_or_a_hang() {
        let mut random = StdRng::seed_from_u64(0xBAD);
        for (name, ..) in FILES {
            let whole = std::fs::read(path(name)).unwrap();
            for _ in 0..150 {
                let mut mangled = whole.clone();
                for _ in 0..random.random_range(1..8) {
                    let reach = if random.random_bool(0.5) { 200.min(mangled.len()) } else { mangled.len() };
                    mangled[random.random_range(0..reach)] = random.random();
                }
                let _ = parse(mangled, &path(name));
            }
        }
        for _ in 0..200 {
            let noise: Vec<u8> = (0..random.random_range(0..3_000)).map(|_| random.random()).collect();
            assert!(parse(noise, Path::new("noise.mp3")).is_err());
        }
    }
}
