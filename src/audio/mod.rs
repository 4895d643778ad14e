//! Sound as numbers: what a frame is, and everything that turns one representation into another.

use std::time::Duration;

pub mod codec;
pub mod decode;
pub mod file;
pub mod g711;
pub mod g722;
pub mod g729;
pub mod level;
pub mod opus;
pub mod plc;
pub mod resample;
pub mod tone;
pub mod trim;
pub mod wav;

pub use level::Level;
pub use resample::resample;
pub use trim::trim_silence;

/// Length of one frame, the beat of the media thread.
pub const FRAME_MS: u32 = 20;
/// Samples in one telephone frame (8 kHz).
pub const FRAME_8K: usize = 160;
/// Sample rate of the telephone network, in Hz.
pub const TELEPHONE_HZ: u32 = 8_000;
/// Sample rate that recognisers want, in Hz.
pub const WIDEBAND_HZ: u32 = 16_000;

/// Linear 16-bit mono sound and the rate it was sampled at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pcm {
    /// Samples per second.
    pub rate_hz: u32,
    /// Mono samples.
    pub samples: Vec<i16>,
}

impl Pcm {
    /// How long it sounds.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.samples.len() as f64 / f64::from(self.rate_hz.max(1)))
    }

    /// How long it sounds, in whole milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.samples.len() as u64 * 1000 / u64::from(self.rate_hz.max(1))
    }
}
