//! What the voice detectors miss and invent on telephone speech, alone and in noise, and what they cost.
//!
//! ```sh
//! TRUNKLINE_SPEECH=path/to/speech cargo run --release --example vad
//! ```
//!
//! The folder holds `en/en.tsv`, `en/8k/ID.wav` and `noise/NAME.wav`. Everything passes through µ-law. Frames within
//! 25 dB of an utterance's loudest are speech, frames more than 300 ms away from the first and last of them are not,
//! the rest is not judged. Signal to noise is measured over the loud part of each utterance.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use trunkline::audio::FRAME_8K;
use trunkline::audio::g711::Law;
use trunkline::audio::level::rms_dbov as level_dbov;
use trunkline::media::Listen;
use trunkline::media::barge_in::{Act, EchoGuard, Reflex};
use trunkline::media::ear::{Ear, Thresholds};
use trunkline::media::endpointer::Signal;
use trunkline::media::vad::{Gate, NeuralVad};
use trunkline::time::{Clock, SystemClock};
use webrtc_vad::{SampleRate, Vad, VadMode};

/// Silence or noise before and after each utterance.
const AROUND: usize = 100;
const NOISES: [&str; 6] = ["babble", "street", "office", "music", "dishes_real", "line_hiss"];

type Frames = Vec<[i16; FRAME_8K]>;

struct Utterance {
    frames: Frames,
    first: usize,
    last: usize,
    loud_dbov: f32,
    threshold_dbov: f32,
}

fn main() -> ExitCode {
    let Some(speech) = std::env::var_os("TRUNKLINE_SPEECH").map(PathBuf::from) else {
        println!("set TRUNKLINE_SPEECH to the folder of the development speech set");
        return ExitCode::from(2);
    };
    let utterances = read_utterances(&speech);
    let noises: Vec<(&str, Frames)> =
        NOISES.iter().map(|name| (*name, read(&speech.join(format!("noise/{name}.wav"))))).collect();
    println!("{} utterances", utterances.len());
    cost(&utterances);
    frames_table(&utterances, &noises);
    ears_table(&utterances, &noises);
    barge_in_table(&utterances, &noises);
    ExitCode::SUCCESS
}

fn read(path: &Path) -> Frames {
    let mut wav = hound::WavReader::open(path).expect("a readable WAV");
    let samples: Vec<i16> = wav.samples::<i16>().map(|sample| sample.expect("whole samples")).collect();
    samples.as_chunks().0.to_vec()
}

/// Every third digit and everything else: digits are half of the set, by two speakers.
fn read_utterances(speech: &Path) -> Vec<Utterance> {
    let table = fs::read_to_string(speech.join("en/en.tsv")).expect("en/en.tsv");
    let rows = table.lines().skip(1).enumerate();
    let chosen = rows.filter(|(place, row)| place % 3 == 0 || row.split('\t').nth(2) != Some("digit"));
    let ids = chosen.filter_map(|(_, row)| row.split('\t').next());
    ids.map(|id| labelled(read(&speech.join(format!("en/8k/{id}.wav"))))).collect()
}

fn labelled(frames: Frames) -> Utterance {
    let levels: Vec<f32> = frames.iter().map(|frame| level_dbov(frame)).collect();
    let loudest = levels.iter().copied().fold(-90.0, f32::max);
    let threshold_dbov = loudest - 25.0;
    let powers: Vec<f32> =
        levels.iter().filter(|level| **level > loudest - 20.0).map(|l| 10f32.powf(l / 10.0)).collect();
    let loud_dbov = 10.0 * (powers.iter().sum::<f32>() / powers.len() as f32).log10();
    let first = levels.iter().position(|level| *level > threshold_dbov).unwrap_or(0);
    let last = levels.iter().rposition(|level| *level > threshold_dbov).unwrap_or(0);
    Utterance { frames, first, last, loud_dbov, threshold_dbov }
}

/// `utterance` with `AROUND` frames at either side, in `noise` at `snr_db`, through µ-law.
fn on_the_line(utterance: &Utterance, noise: Option<(&Frames, f32)>, offset: usize) -> Frames {
    let silence = [[0; FRAME_8K]; AROUND];
    let mut line: Frames = [&silence[..], &utterance.frames, &silence].concat();
    if let Some((noise, snr_db)) = noise {
        let level = level_dbov(noise.as_flattened());
        let gain = 10f32.powf((utterance.loud_dbov - snr_db - level) / 20.0);
        for (place, frame) in line.iter_mut().enumerate() {
            for (sample, hum) in frame.iter_mut().zip(noise[(place + offset) % noise.len()]) {
                *sample = (f32::from(*sample) + f32::from(hum) * gain) as i16;
            }
        }
    }
    through_ulaw(&mut line);
    line
}

fn through_ulaw(line: &mut Frames) {
    for sample in line.as_flattened_mut() {
        *sample = Law::Mu.decode(Law::Mu.encode(*sample));
    }
}

fn microseconds_per_second(frames: usize, work: impl FnOnce()) -> f64 {
    let began = SystemClock.now().mono;
    work();
    (SystemClock.now().mono - began).as_secs_f64() * 1e6 / (frames as f64 * 0.02)
}

fn cost(utterances: &[Utterance]) {
    let all: Frames = utterances.iter().flat_map(|utterance| utterance.frames.iter().copied()).collect();
    let (mut gate, mut neural) = (Gate::new(), NeuralVad::new());
    let gate_cost = microseconds_per_second(all.len(), || all.iter().for_each(|frame| _ = gate.frame(frame)));
    let neural_cost = microseconds_per_second(all.len(), || all.iter().for_each(|frame| _ = neural.frame(frame)));
    let mut ear = Ear::new(Listen::default(), Thresholds::default());
    let now = SystemClock.now().mono;
    let hear = |frame: &[i16; FRAME_8K]| _ = ear.frame(frame, f32::NEG_INFINITY, now);
    let ear_cost = microseconds_per_second(all.len(), || all.iter().for_each(hear));
    let mut idle = Ear::new(Listen::default(), Thresholds::default());
    let hear = |_| _ = idle.frame(&[8; FRAME_8K], f32::NEG_INFINITY, now);
    let idle_cost = microseconds_per_second(all.len(), || (0..all.len()).for_each(hear));
    println!(
        "\nµs per second of sound: gate {gate_cost:.0}, neural {neural_cost:.0}, whole ear while a caller talks \
              {ear_cost:.0}, on a silent line {idle_cost:.0}"
    );
}

/// Frame by frame: how much speech a judge misses, how much of the rest it takes for speech.
fn frames_table(utterances: &[Utterance], noises: &[(&str, Frames)]) {
    let names =
        ["webrtc 1", "webrtc 2", "webrtc 3", "gate", "neural .3", "neural .4", "neural .5", "neural .6", "neural .7"];
    println!("\n% of speech frames missed / % of other frames taken for speech\n{:<18}{}", "", columns(&names));
    for (label, noise, snr_db) in conditions(noises) {
        let mut counts = [[0_u32; 4]; 9];
        for (place, utterance) in utterances.iter().enumerate().step_by(2) {
            let line = on_the_line(utterance, noise.map(|noise| (noise, snr_db)), place * 37);
            let mut webrtc = [VadMode::LowBitrate, VadMode::Aggressive, VadMode::VeryAggressive]
                .map(|mode| Vad::new_with_rate_and_mode(SampleRate::Rate8kHz, mode));
            let (mut gate, mut neural) = (Gate::new(), NeuralVad::new());
            for (place, frame) in line.iter().enumerate() {
                let mut says = [false; 9];
                for (say, judge) in says.iter_mut().zip(&mut webrtc) {
                    *say = judge.is_voice_segment(frame).expect("20 ms frames");
                }
                says[3] = gate.frame(frame).loud;
                let score = neural.frame(frame);
                for (say, threshold) in says[4..].iter_mut().zip([0.3, 0.4, 0.5, 0.6, 0.7]) {
                    *say = score >= threshold;
                }
                let Some(speech) = is_speech(utterance, place) else { continue };
                for (count, say) in counts.iter_mut().zip(says) {
                    count[usize::from(!speech) * 2] += 1;
                    count[usize::from(!speech) * 2 + 1] += u32::from(say != speech);
                }
            }
        }
        let percent = |wrong: u32, all: u32| f64::from(wrong) * 100.0 / f64::from(all.max(1));
        let cells =
            counts.map(|[all, missed, rest, taken]| format!("{:.1}/{:.1}", percent(missed, all), percent(taken, rest)));
        println!("{label:<18}{}", columns(&cells));
    }
}

fn is_speech(utterance: &Utterance, place: usize) -> Option<bool> {
    let Some(inside) = place.checked_sub(AROUND).filter(|inside| *inside < utterance.frames.len()) else {
        return Some(false);
    };
    if level_dbov(&utterance.frames[inside]) > utterance.threshold_dbov {
        return Some(true);
    }
    (inside + 15 < utterance.first || inside > utterance.last + 15).then_some(false)
}

/// What the call would see: utterances missed and invented, and how long it waits.
fn ears_table(utterances: &[Utterance], noises: &[(&str, Frames)]) {
    println!(
        "\nutterances: % missed, false starts per minute of noise, start and last offer after first and last voiced \
              frame, ms p50/p95, % whose end was never noticed within 2 s"
    );
    for (believe, keep) in [([0.5, 0.5], [0.5, 0.5]), ([0.5, 0.6], [0.5, 0.65]), ([0.5, 0.7], [0.5, 0.65])] {
        let thresholds = Thresholds {
            believe_quiet: believe[0],
            believe_noisy: believe[1],
            keep_quiet: keep[0],
            keep_noisy: keep[1],
        };
        println!("believe {believe:?} keep {keep:?} (quiet, noisy line)");
        for (label, noise, snr_db) in conditions(noises) {
            let mut seen = Seen::default();
            for (place, utterance) in utterances.iter().enumerate().step_by(2) {
                let line = on_the_line(utterance, noise.map(|noise| (noise, snr_db)), place * 37);
                seen.judge(utterance, &line, thresholds);
            }
            println!("{label:<18}{seen}");
        }
    }
}

#[derive(Default)]
struct Seen {
    utterances: u32,
    missed: u32,
    false_starts: u32,
    noise_frames: usize,
    starts_ms: Vec<i64>,
    offers_ms: Vec<i64>,
    endless: u32,
}

impl Seen {
    fn judge(&mut self, utterance: &Utterance, line: &Frames, thresholds: Thresholds) {
        let (first, last) = (utterance.first + AROUND, utterance.last + AROUND);
        let mut ear = Ear::new(Listen::default(), thresholds);
        let began = SystemClock.now().mono;
        let (mut start, mut offer) = (None, None);
        for (place, frame) in line.iter().enumerate() {
            let at = began + Duration::from_millis(20) * place as u32;
            for signal in ear.frame(frame, f32::NEG_INFINITY, at).signals.into_iter().flatten() {
                match signal {
                    Signal::Started { .. } if place + 10 < first || place > last + 15 => self.false_starts += 1,
                    Signal::Started { .. } => start = start.or(Some(place)),
                    Signal::Offer { .. } if place >= first => offer = offer.or(Some(place)),
                    Signal::Resumed { .. } if place <= last + 15 => offer = None,
                    Signal::Offer { .. } | Signal::Resumed { .. } | Signal::Ended { .. } => {}
                }
            }
        }
        self.utterances += 1;
        self.noise_frames += first + line.len() - last;
        let ms = |place: usize, from: usize| (place as i64 - from as i64) * 20;
        match (start, offer) {
            (None, None) => self.missed += 1,
            (_, None) => self.endless += 1,
            (start, Some(offer)) => {
                self.offers_ms.push(ms(offer, last));
                self.starts_ms.extend(start.map(|start| ms(start, first)));
            }
        }
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = |part: u32| f64::from(part) * 100.0 / f64::from(self.utterances.max(1));
        let per_minute = f64::from(self.false_starts) / (self.noise_frames as f64 / 3_000.0);
        let spread = |of: &[i64]| {
            let mut sorted = of.to_vec();
            sorted.sort_unstable();
            let at = |part: usize| sorted.get(sorted.len() * part / 100).copied().unwrap_or_default();
            format!("{}/{}", at(50), at(95))
        };
        let (starts, offers) = (spread(&self.starts_ms), spread(&self.offers_ms));
        let (missed, endless) = (percent(self.missed), percent(self.endless));
        write!(
            f,
            "missed {missed:4.1} %  false {per_minute:4.1}/min  start {starts:<9} offer {offers:<10} endless {endless:.1} %"
        )
    }
}

/// A prompt plays all the while: what stops it, and how soon a caller does.
fn barge_in_table(utterances: &[Utterance], noises: &[(&str, Frames)]) {
    let prompt: Frames = utterances.iter().rev().take(60).flat_map(|utterance| utterance.frames.clone()).collect();
    println!("\nbarge-in: prompts ducked and stopped per minute by what is no caller");
    let mut lines: Vec<(String, Frames)> = Vec::new();
    for (name, noise) in noises {
        for level in [-40.0, -30.0] {
            let gain = 10f32.powf((level - level_dbov(noise.as_flattened())) / 20.0);
            let scaled = noise.iter().map(|frame| frame.map(|sample| (f32::from(sample) * gain) as i16)).collect();
            lines.push((format!("{name} at {level} dBov"), scaled));
        }
    }
    for below in [15.0, 18.0, 20.0, 26.0] {
        for delay in [0, 5, 12] {
            let echo = (0..prompt.len()).map(|place| echo(&prompt, place, delay, below)).collect();
            lines.push((format!("echo -{below} dB, {} ms", delay * 20), echo));
        }
    }
    for (name, mut line) in lines {
        through_ulaw(&mut line);
        let acts = play_over(&prompt, &line);
        let minutes = line.len() as f64 / 3_000.0;
        let count = |which: Act| acts.iter().filter(|(_, act)| *act == which).count() as f64 / minutes;
        println!("{name:<26} ducked {:5.1}/min  stopped {:4.1}/min", count(Act::Duck), count(Act::Stop));
    }
    println!("\nbarge-in: from the caller's first voiced frame to duck and stop, ms p50/p95, % never stopped");
    for (label, noise, snr_db) in conditions(noises) {
        for echo_below in [None, Some(20.0)] {
            let (mut ducks, mut stops, mut never) = (Vec::new(), Vec::new(), 0);
            for (place, utterance) in utterances.iter().enumerate().step_by(2) {
                let mut line = on_the_line(utterance, noise.map(|noise| (noise, snr_db)), place * 37);
                let from = place * 53 % prompt.len();
                let spoken: Frames = (0..line.len()).map(|at| prompt[(from + at) % prompt.len()]).collect();
                if let Some(below) = echo_below {
                    for (at, frame) in line.iter_mut().enumerate() {
                        let returned = echo(&spoken, at, 5, below);
                        frame.iter_mut().zip(returned).for_each(|(sample, back)| *sample = sample.saturating_add(back));
                    }
                    through_ulaw(&mut line);
                }
                let first = AROUND + utterance.first;
                let after = |which: Act| {
                    let mut acts = play_over(&spoken, &line).into_iter();
                    acts.find(|(at, act)| *act == which && *at >= first).map(|(at, _)| (at - first) as i64 * 20)
                };
                ducks.extend(after(Act::Duck));
                match after(Act::Stop) {
                    Some(stop) => stops.push(stop),
                    None => never += 1,
                }
            }
            let seen = Seen { starts_ms: ducks, offers_ms: stops, missed: never, ..Seen::default() };
            let all = (utterances.len().div_ceil(2)) as f64;
            let mut stops = seen.offers_ms.clone();
            stops.sort_unstable();
            let at = |part: usize| stops.get(stops.len() * part / 100).copied().unwrap_or_default();
            println!(
                "{label:<18}{:<12} stop {}/{}  never {:.1} %",
                if echo_below.is_some() { "echo -20 dB" } else { "" },
                at(50),
                at(95),
                f64::from(seen.missed) * 100.0 / all
            );
        }
    }
}

fn echo(prompt: &Frames, place: usize, delay: usize, below_db: f32) -> [i16; FRAME_8K] {
    let gain = 10f32.powf(-below_db / 20.0);
    let Some(earlier) = place.checked_sub(delay) else { return [0; FRAME_8K] };
    prompt[earlier].map(|sample| (f32::from(sample) * gain) as i16)
}

fn play_over(prompt: &Frames, line: &Frames) -> Vec<(usize, Act)> {
    let mut ear = Ear::new(Listen::default(), Thresholds::default());
    let (mut reflex, mut guard) = (Reflex::new(), EchoGuard::new());
    let began = SystemClock.now().mono;
    let mut acts = Vec::new();
    for (place, frame) in line.iter().enumerate() {
        let heard = ear.frame(frame, guard.threshold_dbov(), began + Duration::from_millis(20) * place as u32);
        let act = reflex.frame(heard.loud, ear.is_speaking(), heard.speech_began());
        acts.extend(act.map(|act| (place, act)));
        guard.played(level_dbov(&prompt[place % prompt.len()]));
    }
    acts
}

fn conditions<'a>(noises: &'a [(&'a str, Frames)]) -> Vec<(String, Option<&'a Frames>, f32)> {
    let noisy = noises
        .iter()
        .flat_map(|(name, noise)| [20.0, 10.0].map(|snr_db| (format!("{name} {snr_db} dB"), Some(noise), snr_db)));
    std::iter::once(("clean".to_owned(), None, 0.0)).chain(noisy).collect()
}

fn columns<S: AsRef<str>>(cells: &[S]) -> String {
    cells.iter().map(|cell| format!("{:>12}", cell.as_ref())).collect()
}
