//! The microphone and the loudspeaker of this machine, through `cpal`, as a [`Handset`].
//!
//! ```text
//!  card's callback ──ring──▶ to 8 kHz ──▶ listen()
//!  card's callback ◀──ring── to its rate ◀── play()
//! ```
//!
//! Callbacks run on the card's own threads and only move samples through rings; resampling happens on ours. Streams stay
//! with the thread that made them, which lives as long as the handset.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{Device, FromSample, SampleFormat, SizedSample, Stream, StreamConfig, SupportedStreamConfig};
use rtrb::{Consumer, Producer, RingBuffer};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

use super::Handset;
use crate::audio::{FRAME_8K, TELEPHONE_HZ};

/// Sound kept on either side, in seconds: far more than the 20 ms beat and the card's own buffers differ by. What does not
/// fit is lost.
const KEPT_S: usize = 2;
/// More than this waiting to be heard is delay, not sound: clocks drift, and a stall leaves a heap behind. Samples.
const MOST_WAITING: usize = FRAME_8K * 10;
/// Faults that may wait to be told; the first is enough.
const FAULTS: usize = 4;

/// The default microphone and loudspeaker.
pub struct SoundCard {
    heard: Consumer<f32>,
    said: Producer<f32>,
    to_telephone: Converter,
    from_telephone: Converter,
    /// At 8 kHz, not listened to yet.
    waiting: Vec<i16>,
    faults: Receiver<String>,
    /// Dropped, the streams end.
    _open: SyncSender<()>,
    name: String,
}

impl SoundCard {
    /// Opens both. Blocking.
    pub fn open() -> Result<Self, String> {
        let (faults_in, faults) = sync_channel(FAULTS);
        // One answer, and one end.
        let (opened_in, opened) = sync_channel(1);
        let (open, closed) = sync_channel::<()>(1);
        let run = move || match Streams::open(&faults_in) {
            Ok((streams, ends)) => {
                let _ = opened_in.send(Ok(ends));
                let _ = closed.recv();
                drop(streams);
            }
            Err(why) => drop(opened_in.send(Err(why))),
        };
        thread::Builder::new().name("sound-card".to_owned()).spawn(run).map_err(|error| error.to_string())?;
        let ends = opened.recv().map_err(|_| "the sound card could not be opened".to_owned())??;
        Ok(Self {
            to_telephone: Converter::new(ends.input_hz, TELEPHONE_HZ)?,
            from_telephone: Converter::new(TELEPHONE_HZ, ends.output_hz)?,
            heard: ends.heard,
            said: ends.said,
            waiting: Vec::new(),
            faults,
            _open: open,
            name: ends.name,
        })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Handset for SoundCard {
    fn listen(&mut self, frame: &mut [i16; FRAME_8K]) {
        let there = self.heard.slots();
        if let Ok(chunk) = self.heard.read_chunk(there) {
            let samples: Vec<f32> = chunk.into_iter().collect();
            self.waiting.extend(self.to_telephone.push(&samples).into_iter().map(to_pcm));
        }
        let late = self.waiting.len().saturating_sub(MOST_WAITING);
        self.waiting.drain(..late);
        let some = self.waiting.len().min(FRAME_8K);
        frame.fill(0);
        frame[..some].copy_from_slice(&self.waiting[..some]);
        self.waiting.drain(..some);
    }

    fn play(&mut self, samples: &[i16]) {
        let samples: Vec<f32> = samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
        for sample in self.from_telephone.push(&samples) {
            // A loudspeaker that does not keep up loses sound, as a telephone would.
            let _ = self.said.push(sample);
        }
    }

    fn fault(&mut self) -> Option<String> {
        self.faults.try_recv().ok()
    }
}

/// What the handset keeps of the streams.
struct Ends {
    heard: Consumer<f32>,
    said: Producer<f32>,
    input_hz: u32,
    output_hz: u32,
    name: String,
}

/// They must stay where they were made.
struct Streams {
    _input: Stream,
    _output: Stream,
}

impl Streams {
    fn open(faults: &SyncSender<String>) -> Result<(Self, Ends), String> {
        let host = cpal::default_host();
        let microphone = host.default_input_device().ok_or("this machine has no microphone that could be used")?;
        let loudspeaker = host.default_output_device().ok_or("this machine has no loudspeaker that could be used")?;
        let input = microphone.default_input_config().map_err(|error| format!("the microphone: {error}"))?;
        let output = loudspeaker.default_output_config().map_err(|error| format!("the loudspeaker: {error}"))?;
        let (input_hz, output_hz) = (input.sample_rate(), output.sample_rate());
        let (heard_in, heard) = RingBuffer::new(input_hz as usize * KEPT_S);
        let (said, to_say) = RingBuffer::new(output_hz as usize * KEPT_S);
        let listening = listening(&microphone, &input, heard_in, told("the microphone", faults))?;
        let speaking = speaking(&loudspeaker, &output, to_say, told("the loudspeaker", faults))?;
        for stream in [&listening, &speaking] {
            stream.play().map_err(|error| format!("the sound card does not begin: {error}"))?;
        }
        let named = |device: &Device| device.id().map_or_else(|_| "unnamed".to_owned(), |id| id.to_string());
        let name = format!("{} at {input_hz} Hz, {} at {output_hz} Hz", named(&microphone), named(&loudspeaker));
        Ok((Self { _input: listening, _output: speaking }, Ends { heard, said, input_hz, output_hz, name }))
    }
}

/// Tells faults that end a stream.
fn told(what: &'static str, faults: &SyncSender<String>) -> impl FnMut(cpal::Error) + Send + 'static {
    let faults = faults.clone();
    move |error| {
        use cpal::ErrorKind::{DeviceNotAvailable, StreamInvalidated};
        // Anything else, such as a late buffer, passes by itself.
        if matches!(error.kind(), DeviceNotAvailable | StreamInvalidated) {
            let _ = faults.try_send(format!("{what}: {error}"));
        }
    }
}

fn listening(
    device: &Device,
    config: &SupportedStreamConfig,
    ring: Producer<f32>,
    fault: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<Stream, String> {
    let stream = match config.sample_format() {
        SampleFormat::F32 => listen_in::<f32>(device, config.config(), ring, fault),
        SampleFormat::I16 => listen_in::<i16>(device, config.config(), ring, fault),
        SampleFormat::I32 => listen_in::<i32>(device, config.config(), ring, fault),
        SampleFormat::U8 => listen_in::<u8>(device, config.config(), ring, fault),
        other => return Err(format!("the microphone speaks {other}, which is not understood")),
    };
    stream.map_err(|error| format!("the microphone: {error}"))
}

fn speaking(
    device: &Device,
    config: &SupportedStreamConfig,
    ring: Consumer<f32>,
    fault: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<Stream, String> {
    let stream = match config.sample_format() {
        SampleFormat::F32 => speak_in::<f32>(device, config.config(), ring, fault),
        SampleFormat::I16 => speak_in::<i16>(device, config.config(), ring, fault),
        SampleFormat::I32 => speak_in::<i32>(device, config.config(), ring, fault),
        SampleFormat::U8 => speak_in::<u8>(device, config.config(), ring, fault),
        other => return Err(format!("the loudspeaker wants {other}, which is not spoken")),
    };
    stream.map_err(|error| format!("the loudspeaker: {error}"))
}

/// All channels as one.
fn listen_in<T: SizedSample>(
    device: &Device,
    config: StreamConfig,
    mut ring: Producer<f32>,
    fault: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<Stream, cpal::Error>
where
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels.max(1));
    let heard = move |samples: &[T], _: &cpal::InputCallbackInfo| {
        for frame in samples.chunks(channels) {
            let sum: f32 = frame.iter().map(|sample| f32::from_sample_(*sample)).sum();
            let _ = ring.push(sum / channels as f32);
        }
    };
    device.build_input_stream(config, heard, fault, None)
}

/// The same on every channel.
fn speak_in<T: SizedSample + FromSample<f32>>(
    device: &Device,
    config: StreamConfig,
    mut ring: Consumer<f32>,
    fault: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<Stream, cpal::Error> {
    let channels = usize::from(config.channels.max(1));
    let said = move |samples: &mut [T], _: &cpal::OutputCallbackInfo| {
        for frame in samples.chunks_mut(channels) {
            let sample = ring.pop().unwrap_or(0.0);
            frame.fill(T::from_sample_(sample));
        }
    };
    device.build_output_stream(config, said, fault, None)
}

/// Changes the rate of sound that goes on and on.
struct Converter {
    /// `None`: it stays as it is.
    fft: Option<Fft<f32>>,
    waiting: Vec<f32>,
}

impl Converter {
    fn new(from_hz: u32, to_hz: u32) -> Result<Self, String> {
        let (from, to) = (from_hz as usize, to_hz as usize);
        // 20 ms at a time.
        let fft = (from != to).then(|| Fft::new(from, to, from / 50, 1, FixedSync::Input)).transpose();
        let fft = fft.map_err(|error| format!("sound cannot be made of {from_hz} Hz at {to_hz} Hz: {error}"))?;
        Ok(Self { fft, waiting: Vec::new() })
    }

    /// What these samples, and what was left of those before, come to.
    fn push(&mut self, samples: &[f32]) -> Vec<f32> {
        let Some(fft) = &mut self.fft else { return samples.to_vec() };
        self.waiting.extend_from_slice(samples);
        let mut converted = Vec::new();
        while self.waiting.len() >= fft.input_frames_next() {
            let wanted = fft.input_frames_next();
            let Ok(input) = InterleavedSlice::new(&self.waiting[..wanted], 1, wanted) else { break };
            match fft.process(&input, None) {
                Ok(output) => converted.extend(output.take_data()),
                Err(error) => tracing::debug!(%error, "sound was lost in resampling"),
            }
            self.waiting.drain(..wanted);
        }
        converted
    }
}

fn to_pcm(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::rms_dbov;
    use crate::audio::tone;

    #[test]
    fn sound_that_comes_in_pieces_keeps_its_length_and_level() {
        for (from, to) in [(48_000, 8_000), (44_100, 8_000), (8_000, 44_100), (16_000, 8_000), (8_000, 8_000)] {
            let mut converter = Converter::new(from, to).unwrap();
            let tone = tone::sine(440.0, -20.0, 1_000, from);
            let samples: Vec<f32> = tone.samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
            let out: Vec<i16> = samples.chunks(333).flat_map(|piece| converter.push(piece)).map(to_pcm).collect();
            let length = to as usize;
            assert!(out.len().abs_diff(length) <= length / 25, "{from}→{to}: {} samples", out.len());
            let middle = &out[length / 4..length / 2];
            assert!((rms_dbov(middle) - rms_dbov(&tone.samples)).abs() < 0.5, "{from}→{to}: {}", rms_dbov(middle));
        }
    }
}
