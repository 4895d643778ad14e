//! What every way of reading a sound file shares: errors, limits, mixing to mono.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest sound we take from a file. Longer is not a prompt and hardly an utterance, and a small compressed file
/// can unpack to anything.
pub const MAX_DURATION: Duration = Duration::from_secs(3_600);
/// Largest file we load: an hour of 48 kHz, 32-bit stereo is 1.4 GB, which nobody plays to a telephone.
pub const MAX_FILE_BYTES: u64 = 512 * 1024 * 1024;
/// Most channels a file may have; 7.1 and a little.
pub const MAX_CHANNELS: u16 = 16;

/// Why a sound file could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudioFileError {
    /// The operating system said no.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// In its words.
        cause: String,
    },
    /// The operating system said no.
    #[error("cannot write {}: {cause}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// In its words.
        cause: String,
    },
    /// Not a sound, or a format we do not know.
    #[error("{} is not sound in a format we read (WAV, MP3, Ogg Vorbis, FLAC, M4A/AAC)", path.display())]
    NotAudio {
        /// Which file.
        path: PathBuf,
    },
    /// It began well.
    #[error("{} is damaged or cut short: {cause}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What broke.
        cause: String,
    },
    /// A sound file with no sound.
    #[error("{} holds no sound", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// Over [`MAX_DURATION`] or [`MAX_FILE_BYTES`].
    #[error("{} is too long: at most an hour of sound (512 MB) is read from one file", path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
    },
}

/// The whole file, unless it is larger than [`MAX_FILE_BYTES`].
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, AudioFileError> {
    use std::io::Read;
    let failed = |cause: std::io::Error| AudioFileError::Read { path: path.into(), cause: cause.to_string() };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    // `take`, because a length asked for beforehand says nothing about a pipe or a growing file.
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES { Err(AudioFileError::TooLong { path: path.into() }) } else { Ok(bytes) }
}

/// Averages interleaved samples in −1..1 to one channel of 16 bits. What exceeds the range clips, what is no
/// number is silent.
pub fn mix_to_mono(interleaved: &[f32], channels: usize) -> Vec<i16> {
    let channels = channels.max(1);
    let mono = |frame: &[f32]| (frame.iter().sum::<f32>() / channels as f32 * 32_768.0).round() as i16;
    interleaved.chunks_exact(channels).map(mono).collect()
}
