//! A rehearsal by voice, with recordings for a microphone and a loudspeaker that remembers what it was given.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;
use trunkline::app::handset::{Handset, VoiceError, rehearse};
use trunkline::audio::{FRAME_8K, decode, resample};
use trunkline::call::TimelineEvent;
use trunkline::call::record::{CallEnd, CallRecord};
use trunkline::config::Config;
use trunkline::rtp::Digit;
use trunkline::time::SystemClock;

/// What came out of the loudspeaker.
type Heard = Arc<Mutex<Vec<i16>>>;

/// Speaks when the loudspeaker has been silent for a while after it had something to say.
struct Recording {
    words: Vec<i16>,
    at: Option<usize>,
    heard: Heard,
    /// Frames of silence since somebody spoke.
    silent_for: Option<usize>,
    /// Breaks after so many frames.
    breaks_after: Option<usize>,
    frames: usize,
}

/// The bot has finished when it has been silent for half a second.
const PAUSE: usize = 25;
/// Louder than this somebody speaks.
const SPEECH: u16 = 500;

impl Handset for Recording {
    fn listen(&mut self, frame: &mut [i16; FRAME_8K]) {
        self.frames += 1;
        frame.fill(0);
        if self.at.is_none() && self.silent_for.is_some_and(|frames| frames > PAUSE) {
            self.at = Some(0);
        }
        if let Some(at) = &mut self.at {
            let said = self.words.get(*at..(*at + FRAME_8K).min(self.words.len())).unwrap_or_default();
            frame[..said.len()].copy_from_slice(said);
            *at += FRAME_8K;
        }
    }

    fn play(&mut self, samples: &[i16]) {
        self.heard.lock().expect("no test panics holding it").extend_from_slice(samples);
        let loud = samples.iter().any(|sample| sample.unsigned_abs() > SPEECH);
        self.silent_for = if loud { Some(0) } else { self.silent_for.map(|frames| frames + 1) };
    }

    fn fault(&mut self) -> Option<String> {
        self.breaks_after.is_some_and(|after| self.frames > after).then(|| "the microphone is gone".to_owned())
    }
}

/// `text` as a caller says it, at 8 kHz.
fn spoken(text: &str) -> Vec<i16> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("spoken.wav");
    let made = Command::new("flite").args(["-voice", "rms", "-t", text, "-o"]).arg(&path).status();
    assert!(made.is_ok_and(|status| status.success()), "flite speaks for the caller");
    resample(&decode::read(&path).expect("a sound file"), 8_000).expect("8 kHz").samples
}

fn models() -> Option<PathBuf> {
    let found = std::env::var_os("TRUNKLINE_MODELS").map(PathBuf::from);
    let found = found.filter(|folder| folder.join("moonshine-tiny-en").exists());
    if found.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must have its data: TRUNKLINE_MODELS");
        println!("skipped: TRUNKLINE_MODELS does not lead to models");
    }
    found
}

async fn held(
    data: &Path,
    words: Vec<i16>,
    keys: &str,
    breaks_after: Option<usize>,
) -> (Result<CallRecord, VoiceError>, Vec<TimelineEvent>, Vec<i16>) {
    let heard = Heard::default();
    let handset = Recording { words, at: None, heard: heard.clone(), silent_for: None, breaks_after, frames: 0 };
    let config = Config { data_dir: data.to_owned(), ..Config::default() };
    let (keys_in, keys_out) = mpsc::channel(16);
    for key in keys.chars().filter_map(Digit::new) {
        keys_in.send(key).await.expect("there is room");
    }
    drop(keys_in);
    let (watch, mut events) = mpsc::channel(1_000);
    let plan = Path::new("dialplans/bank-main.yaml");
    let ended = rehearse(config, plan, Box::new(handset), keys_out, watch, Arc::new(SystemClock)).await;
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        told.push(event);
    }
    let heard = heard.lock().expect("no test panics holding it").clone();
    (ended, told, heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_into_the_microphone_is_understood_and_answered_aloud() {
    if models().is_none() {
        return;
    }
    let data = tempfile::tempdir().expect("a folder");
    let (record, told, heard) = held(data.path(), spoken("I lost my credit card"), "", None).await;
    let record = record.expect("a call");
    let lost = record.turns.iter().find(|turn| turn.meaning.as_deref() == Some("lost"));
    assert!(lost.is_some(), "{:#?}", record.turns);
    assert!(told.iter().any(|event| matches!(event, TimelineEvent::BotSaid { .. })), "the bot is shown: {told:?}");
    assert!(told.iter().any(|event| matches!(event, TimelineEvent::CallerSaid { .. })), "and the caller");
    let loud = heard.iter().filter(|sample| sample.unsigned_abs() > SPEECH).count();
    assert!(loud > 8_000, "a second of speech at least came out of the loudspeaker: {loud} loud samples");
    println!(
        "measured: {:.1} s played, latency {:?}",
        heard.len() as f64 / 8_000.0,
        lost.and_then(|turn| turn.latency)
    );
    let kept = std::fs::read_dir(data.path()).expect("the folder").flatten().map(|entry| entry.file_name());
    let kept: Vec<_> = kept.filter(|name| name.to_string_lossy().contains("trunkline.db")).collect();
    assert!(kept.is_empty(), "a rehearsal is no call of the gateway's: {kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_pressed_and_a_microphone_that_goes_away_hangs_up() {
    let data = tempfile::tempdir().expect("a folder");
    let (record, told, _) = held(data.path(), Vec::new(), "0", None).await;
    let record = record.expect("a call");
    assert!(told.iter().any(|event| matches!(event, TimelineEvent::Keys { .. })), "{told:?}");
    assert_eq!(record.end, CallEnd::Completed, "{:#?}", record.turns);
    let (broken, ..) = held(data.path(), Vec::new(), "", Some(100)).await;
    let why = broken.expect_err("nobody is there any more").to_string();
    assert_eq!(why, "the microphone is gone");
}
