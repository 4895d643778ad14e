//! WAV files, read and written whole (`hound`): recordings, prompts made by synthesisers, test material.
//!
//! Files from people go through [`super::decode`], which also knows telephone WAVs (µ-law, A-law), MP3 and the
//! rest; what is read here is plain PCM, integer or float.

use std::fs::File;
use std::io::{Cursor, Write};
use std::path::Path;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use super::Pcm;
use super::file::{AudioFileError, MAX_CHANNELS, MAX_DURATION};

/// Reads a WAV file of integer (8 to 32 bits) or float samples, any rate, channels mixed to mono.
pub fn read(path: &Path) -> Result<Pcm, AudioFileError> {
    parse(&super::file::read_bytes(path)?, path)
}

/// Reads a WAV file that is already in memory; `path` only names it in errors.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Pcm, AudioFileError> {
    let damaged = |cause: hound::Error| AudioFileError::Damaged { path: path.into(), cause: cause.to_string() };
    let reader = WavReader::new(Cursor::new(bytes)).map_err(|cause| match cause {
        hound::Error::Unsupported => AudioFileError::NotAudio { path: path.into() },
        cause => damaged(cause),
    })?;
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = reader.spec();
    if !(1..=MAX_CHANNELS).contains(&channels) || sample_rate == 0 {
        let cause = format!("it claims {channels} channels at {sample_rate} Hz");
        return Err(AudioFileError::Damaged { path: path.into(), cause });
    }
    if u64::from(reader.duration()) > MAX_DURATION.as_secs() * u64::from(sample_rate) {
        return Err(AudioFileError::TooLong { path: path.into() });
    }
    let interleaved = match sample_format {
        SampleFormat::Float => reader.into_samples::<f32>().collect::<Result<Vec<_>, _>>().map_err(damaged)?,
        SampleFormat::Int => {
            let scale = 1.0 / (1u64 << (bits_per_sample.clamp(1, 32) - 1)) as f32;
            let scaled = reader.into_samples::<i32>().map(|sample| sample.map(|value| value as f32 * scale));
            scaled.collect::<Result<Vec<_>, _>>().map_err(damaged)?
        }
    };
    Ok(Pcm { rate_hz: sample_rate, samples: super::file::mix_to_mono(&interleaved, usize::from(channels)) })
}

/// Reads the two sides of a recording of ours: 16-bit stereo.
pub fn read_stereo(path: &Path) -> Result<(Pcm, Pcm), AudioFileError> {
    let damaged = |cause: String| AudioFileError::Damaged { path: path.into(), cause };
    let bytes = super::file::read_bytes(path)?;
    let reader = WavReader::new(Cursor::new(bytes)).map_err(|cause| damaged(cause.to_string()))?;
    let WavSpec { channels, sample_rate: rate_hz, bits_per_sample, sample_format } = reader.spec();
    if (channels, bits_per_sample, sample_format) != (2, 16, SampleFormat::Int) {
        return Err(damaged("it is no recording with two sides of 16 bits".to_owned()));
    }
    let both = reader.into_samples::<i16>().collect::<Result<Vec<_>, _>>();
    let both = both.map_err(|cause| damaged(cause.to_string()))?;
    let side = |side: usize| Pcm { rate_hz, samples: both.iter().skip(side).step_by(2).copied().collect() };
    Ok((side(0), side(1)))
}

/// Writes 16-bit mono.
pub fn write_mono(path: &Path, pcm: &Pcm) -> Result<(), AudioFileError> {
    write(path, 1, pcm.rate_hz, pcm.samples.iter().copied())
}

/// Writes 16-bit stereo at `left`'s rate. The shorter side is filled with silence.
pub fn write_stereo(path: &Path, left: &Pcm, right: &Pcm) -> Result<(), AudioFileError> {
    let at = |side: &Pcm, index: usize| side.samples.get(index).copied().unwrap_or(0);
    let length = left.samples.len().max(right.samples.len());
    write(path, 2, left.rate_hz, (0..length).flat_map(|index| [at(left, index), at(right, index)]))
}

/// A whole 16-bit mono file, for who writes it himself.
///
/// # Errors
/// A sentence, when the sound has no sample rate or is too long for the format.
pub fn mono_bytes(pcm: &Pcm) -> Result<Vec<u8>, String> {
    encode(1, pcm.rate_hz, pcm.samples.iter().copied())
}

/// In memory first: a file is then written in one go, or not at all.
fn write(path: &Path, channels: u16, rate_hz: u32, samples: impl Iterator<Item = i16>) -> Result<(), AudioFileError> {
    let failed = |cause: String| AudioFileError::Write { path: path.into(), cause };
    let bytes = encode(channels, rate_hz, samples).map_err(failed)?;
    let mut file = File::create(path).map_err(|cause| failed(cause.to_string()))?;
    file.write_all(&bytes).map_err(|cause| failed(cause.to_string()))
}

fn encode(channels: u16, rate_hz: u32, samples: impl Iterator<Item = i16>) -> Result<Vec<u8>, String> {
    if rate_hz == 0 {
        // `hound` divides by it.
        return Err("the sound has no sample rate".to_owned());
    }
    let spec = WavSpec { channels, sample_rate: rate_hz, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec).map_err(|cause| cause.to_string())?;
    for sample in samples {
        writer.write_sample(sample).map_err(|cause| cause.to_string())?;
    }
    writer.finalize().map_err(|cause| cause.to_string())?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone;
    use rand::{Rng, SeedableRng, rngs::StdRng};

    fn wav(spec: WavSpec, fill: impl Fn(&mut WavWriter<&mut Cursor<Vec<u8>>>)) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
        fill(&mut writer);
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    fn spec(channels: u16, bits_per_sample: u16, sample_format: SampleFormat) -> WavSpec {
        WavSpec { channels, sample_rate: 8_000, bits_per_sample, sample_format }
    }

    #[test]
    fn every_sample_width_reads_as_the_same_loudness() {
        for bits in [8, 16, 24, 32] {
            let half = 1i32 << (bits - 2);
            let bytes = wav(spec(1, bits, SampleFormat::Int), |writer| {
                [half, -half, 0].into_iter().for_each(|value| writer.write_sample(value).unwrap());
            });
            assert_eq!(parse(&bytes, Path::new("x.wav")).unwrap().samples, [16_384, -16_384, 0], "{bits} bits");
        }
        let bytes = wav(spec(1, 32, SampleFormat::Float), |writer| {
            [0.5f32, -0.5, 0.0, 7.0, f32::NAN].into_iter().for_each(|value| writer.write_sample(value).unwrap());
        });
        assert_eq!(parse(&bytes, Path::new("x.wav")).unwrap().samples, [16_384, -16_384, 0, 32_767, 0]);
    }

    #[test]
    fn channels_are_mixed_and_written_ones_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stereo.wav");
        let left = Pcm { rate_hz: 8_000, samples: vec![1_000, 2_000, 3_000] };
        let right = Pcm { rate_hz: 8_000, samples: vec![3_000] };
        write_stereo(&path, &left, &right).unwrap();
        assert_eq!(read(&path).unwrap().samples, [2_000, 1_000, 1_500]);
        let filled = Pcm { rate_hz: 8_000, samples: vec![3_000, 0, 0] };
        assert_eq!(read_stereo(&path).unwrap(), (left.clone(), filled));
        write_mono(&path, &left).unwrap();
        assert_eq!(read(&path).unwrap(), left);
    }

    #[test]
    fn errors_name_the_file_and_what_is_wrong() {
        let missing = read(Path::new("/nowhere/prompt.wav")).unwrap_err().to_string();
        assert!(missing.contains("/nowhere/prompt.wav"), "{missing}");
        let text = parse(b"this is a letter, not a sound", Path::new("letter.wav")).unwrap_err().to_string();
        assert!(text.contains("letter.wav"), "{text}");
        let unwritable = write_mono(Path::new("/nowhere/out.wav"), &tone::silence(20, 8_000)).unwrap_err().to_string();
        assert!(unwritable.starts_with("cannot write /nowhere/out.wav"), "{unwritable}");
        assert!(write_mono(Path::new("out.wav"), &Pcm::default()).unwrap_err().to_string().contains("no sample rate"));
    }

    #[test]
    fn truncated_and_mangled_files_are_errors_never_panics() {
        let pcm = tone::sine(440.0, -20.0, 50, 8_000);
        let whole = wav(spec(1, 16, SampleFormat::Int), |writer| {
            pcm.samples.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
        });
        for length in 0..whole.len() {
            assert!(parse(&whole[..length], Path::new("cut.wav")).is_err(), "{length} bytes");
        }
        let mut random = StdRng::seed_from_u64(0x5EED);
        for _ in 0..20_000 {
            let mut mangled = whole.clone();
            for _ in 0..random.random_range(1..4) {
                let place = random.random_range(0..60);
                mangled[place] = random.random();
            }
            let _ = parse(&mangled, Path::new("mangled.wav"));
        }
    }
}
