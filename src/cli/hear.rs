//! `trunkline hear FILE…` and `trunkline hear eval MANIFEST`: recognition of recordings, as a call would hear them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Halt, complain, unwritten};
use crate::audio::codec::{Decoder, Encoder, MOST_SAMPLES, Unavailable};
use crate::audio::resample::resample;
use crate::audio::{FRAME_8K, Pcm, TELEPHONE_HZ, decode};
use crate::id::UtteranceId;
use crate::language::Language;
use crate::rtp::{Codec, OpusParams};
use crate::speech::driver::{PoolSettings, RecognizerPool};
use crate::speech::engines::Engines;
use crate::speech::models::ModelDirs;
use crate::speech::score::Score;
use crate::speech::{Cancel, RecognizeError, RecognizeJob};
use crate::understand::NBest;

/// Longest piece given to the recogniser at once; longer recordings are cut at their quietest moments.
const PIECE: Duration = Duration::from_secs(15);
/// A piece may be cut this much early, wherever it is quietest.
const CUT_WITHIN: Duration = Duration::from_secs(5);

/// Recognise recordings
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct HearArgs {
    #[command(subcommand)]
    command: Option<HearCommand>,
    /// Recordings: WAV, MP3, FLAC, Ogg or M4A
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    how: How,
}

/// What else `hear` does.
#[derive(Debug, Subcommand)]
enum HearCommand {
    /// Score recognition over a list of recordings with transcripts
    Eval(EvalArgs),
}

/// How to listen.
#[derive(Clone, Debug, Args)]
struct How {
    /// What is spoken
    #[arg(long, default_value = "en-US", value_parser = Language::parse)]
    lang: Language,
    /// Pass the sound through a telephone at 8 kHz first: G.711 µ-law (pcmu), or pcma, g722, opus, g729
    #[arg(long, value_name = "CODEC", num_args = 0..=1, require_equals = true, default_missing_value = "pcmu")]
    #[arg(value_parser = codec)]
    telephone: Option<Codec>,
}

fn codec(name: &str) -> Result<Codec, String> {
    let found = Codec::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name));
    found.ok_or_else(|| "codecs are pcmu, pcma, g722, opus and g729".to_owned())
}

/// Score recognition.
#[derive(Debug, Args)]
struct EvalArgs {
    /// Tab-separated, with a header naming `id`, `category` and `transcript`; `ID.wav` lies in `8k/`, `16k/` or beside it
    manifest: PathBuf,
    /// Only this category
    #[arg(long)]
    category: Option<String>,
    /// Recognise this many at once
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Print every utterance that was not heard exactly
    #[arg(long)]
    wrong: bool,
    /// Print every utterance as tab-separated values: id, category, right, score, confidence, said, heard
    #[arg(long)]
    rows: bool,
    #[command(flatten)]
    how: How,
}

/// Runs the command. 0: heard; 1: something could not be heard; 2: no recogniser, or a broken manifest.
pub fn run(args: HearArgs) -> ExitCode {
    let out = &mut io::stdout().lock();
    let outcome = match args.command {
        Some(HearCommand::Eval(eval)) => evaluate(&eval, out),
        None => hear(&args.files, &args.how, out),
    };
    match outcome {
        Ok(code) => code,
        Err(Halt::Unwritten(error)) => unwritten(&error),
        Err(Halt::Failed(sentence)) => {
            complain(&format_args!("trunkline hear: {sentence}"));
            ExitCode::from(2)
        }
    }
}

/// Starts a pool and waits until its engines are open, so that the first figure is no worse than the rest.
fn pool(workers: usize, language: &Language) -> Result<RecognizerPool, String> {
    let engines = Engines::auto(&ModelDirs::from_env());
    let settings = PoolSettings { workers: workers.max(1), ..PoolSettings::default() };
    let pool = RecognizerPool::start(engines, settings, Arc::new(crate::time::SystemClock));
    pool.wait_ready();
    pool.ready(language).map_err(|error| error.to_string())?;
    Ok(pool)
}

fn hear(files: &[PathBuf], how: &How, out: &mut impl Write) -> Result<ExitCode, Halt> {
    let pool = pool(1, &how.lang)?;
    let mut all_heard = true;
    for file in files {
        match hear_file(&pool, file, how) {
            Ok(line) => writeln!(out, "{line}")?,
            Err(sentence) => {
                complain(&format_args!("trunkline hear: {sentence}"));
                all_heard = false;
            }
        }
    }
    Ok(if all_heard { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `file  text  (confidence 0.93, 0.02 × real time)`.
fn hear_file(pool: &RecognizerPool, file: &Path, how: &How) -> Result<String, String> {
    let audio = load(file, how.telephone)?;
    let (mut texts, mut confidence, mut ran) = (Vec::new(), 1.0_f32, Duration::ZERO);
    for piece in pieces(&audio) {
        let heard = recognize(pool, piece, &how.lang).map_err(|error| format!("{}: {error}", file.display()))?;
        ran += heard.ran;
        if let Some(best) = heard.hypotheses.into_iter().next() {
            confidence = confidence.min(best.confidence);
            texts.push(best.text.into_inner());
        }
    }
    let real_time = ran.as_secs_f64() / audio.duration().as_secs_f64().max(1e-3);
    let name = file.display();
    if texts.is_empty() {
        return Ok(format!("{name}  (no words, {real_time:.3} × real time)"));
    }
    Ok(format!("{name}  {}  (confidence {confidence:.2}, {real_time:.3} × real time)", texts.join(" ")))
}

/// One offer, waited for.
fn recognize(pool: &RecognizerPool, audio: Pcm, language: &Language) -> Result<NBest, RecognizeError> {
    let (language, cancel) = (language.clone(), Cancel::default());
    let job = RecognizeJob { utterance: UtteranceId(0), revision: 0, language, audio: Arc::new(audio), cancel };
    // One answer for one job.
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    pool.submit(job, move |result| drop(sender.send(result)))?;
    receiver.recv().unwrap_or_else(|_| Err(RecognizeError::Failed("the worker is gone".to_owned())))
}

/// A recording at its own rate, or as it comes out of a telephone.
fn load(file: &Path, telephone: Option<Codec>) -> Result<Pcm, String> {
    let audio = decode::read(file).map_err(|error| error.to_string())?;
    let Some(codec) = telephone else { return Ok(audio) };
    let narrow = resample(&audio, TELEPHONE_HZ).map_err(|error| error.to_string())?;
    let samples = through(codec, &narrow.samples).map_err(|error| error.to_string())?;
    Ok(Pcm { samples, ..narrow })
}

/// What is heard of sound that was sent in packets of 20 ms, none of which got lost.
fn through(codec: Codec, sound: &[i16]) -> Result<Vec<i16>, Unavailable> {
    let (mut encoder, mut decoder) = (Encoder::new(codec, &OpusParams::default())?, Decoder::new(codec)?);
    let (mut payload, mut out) = ([0; 1_500], [0; MOST_SAMPLES]);
    let mut heard = Vec::with_capacity(sound.len() + FRAME_8K);
    for part in sound.chunks(FRAME_8K) {
        // The last packet is filled up with silence.
        let mut frame = [0; FRAME_8K];
        frame[..part.len()].copy_from_slice(part);
        let length = encoder.encode(&frame, &mut payload);
        let samples = decoder.decode(&payload[..length], &mut out).unwrap_or(0);
        heard.extend(&out[..samples]);
    }
    Ok(heard)
}

/// Stretches no longer than [`PIECE`], cut at the quietest 20 ms near the end of each.
fn pieces(audio: &Pcm) -> Vec<Pcm> {
    let samples_in = |span: Duration| (span.as_secs_f64() * f64::from(audio.rate_hz)) as usize;
    let (longest, within) = (samples_in(PIECE).max(1), samples_in(CUT_WITHIN));
    let frame = samples_in(Duration::from_millis(20)).max(1);
    let energy = |at: usize| -> i64 {
        audio.samples[at..at + frame].iter().map(|sample| i64::from(*sample) * i64::from(*sample)).sum()
    };
    let (mut cut, mut rest) = (Vec::new(), 0);
    while audio.samples.len() - rest > longest {
        let last = rest + longest - frame;
        let quietest = (last.saturating_sub(within)..=last).step_by(frame).min_by_key(|at| energy(*at));
        let end = quietest.map_or(last, |at| at + frame / 2).max(rest + 1);
        cut.push(rest..end);
        rest = end;
    }
    cut.push(rest..audio.samples.len());
    cut.into_iter().map(|range| Pcm { rate_hz: audio.rate_hz, samples: audio.samples[range].to_vec() }).collect()
}

/// One line of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    id: String,
    category: String,
    transcript: String,
}

/// Reads a tab-separated list with a header; other columns are ignored. Transcripts of the form `slots: a=b; c=d`
/// hold no words to compare with, so those rows are left out.
fn parse_manifest(text: &str) -> Result<Vec<Row>, String> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let column = |name: &str| {
        header.iter().position(|title| *title == name).ok_or_else(|| format!("the header names no column `{name}`"))
    };
    let (id, category, transcript) = (column("id")?, column("category")?, column("transcript")?);
    let mut rows = Vec::new();
    for (number, line) in lines.enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split('\t').collect();
        let cell = |place: usize| {
            let cell = cells.get(place).map(|cell| (*cell).to_owned());
            cell.ok_or_else(|| format!("line {} has too few columns", number + 2))
        };
        let row = Row { id: cell(id)?, category: cell(category)?, transcript: cell(transcript)? };
        if !row.transcript.starts_with("slots:") {
            rows.push(row);
        }
    }
    if rows.is_empty() { Err("the manifest holds no transcript".to_owned()) } else { Ok(rows) }
}

/// Where the recording of `id` lies: ids never leave the manifest's folder.
fn recording(folder: &Path, id: &str) -> Option<PathBuf> {
    let plain = !id.is_empty() && !id.contains(['/', '\\']) && id != "..";
    let file = format!("{id}.wav");
    plain.then(|| ["8k", "16k", ""].map(|sub| folder.join(sub).join(&file)))?.into_iter().find(|path| path.is_file())
}

/// What was measured of one category.
#[derive(Debug, Default)]
struct Tally {
    score: Score,
    ran: Duration,
    sound: Duration,
}

fn evaluate(args: &EvalArgs, out: &mut impl Write) -> Result<ExitCode, Halt> {
    let text = std::fs::read_to_string(&args.manifest)
        .map_err(|cause| format!("cannot read `{}`: {cause}", args.manifest.display()))?;
    let mut rows = parse_manifest(&text).map_err(|cause| format!("{}: {cause}", args.manifest.display()))?;
    rows.retain(|row| args.category.as_ref().is_none_or(|only| *only == row.category));
    let folder = args.manifest.parent().unwrap_or(Path::new("."));
    let pool = pool(args.workers, &args.how.lang)?;
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut unheard = 0;
    for (row, result) in in_order(&pool, folder, rows, args) {
        match result {
            Ok((heard, sound)) => {
                tallies.entry(row.category.clone()).or_default().take(&row, &heard, sound, args, out)?;
            }
            Err(sentence) => {
                complain(&format_args!("{}: {sentence}", row.id));
                unheard += 1;
            }
        }
    }
    write_table(&tallies, out)?;
    Ok(if unheard == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A row and what came of it: the guesses and how long the sound was.
type Heard = (Row, Result<(NBest, Duration), String>);

/// Recognises the rows with as many in flight as there are workers, and gives them back in order.
fn in_order(pool: &RecognizerPool, folder: &Path, rows: Vec<Row>, args: &EvalArgs) -> Vec<Heard> {
    let next = std::sync::Mutex::new(rows.into_iter().enumerate());
    let done = std::sync::Mutex::new(BTreeMap::new());
    let one = |row: &Row| -> Result<(NBest, Duration), String> {
        let file = recording(folder, &row.id).ok_or("there is no such recording beside the manifest")?;
        let audio = load(&file, args.how.telephone)?;
        let sound = audio.duration();
        Ok((recognize(pool, audio, &args.how.lang).map_err(|error| error.to_string())?, sound))
    };
    std::thread::scope(|scope| {
        for _ in 0..args.workers.max(1) {
            scope.spawn(|| {
                loop {
                    let taken = next.lock().expect("taking a row never panics").next();
                    let Some((place, row)) = taken else { break };
                    let heard = one(&row);
                    done.lock().expect("keeping a result never panics").insert(place, (row, heard));
                }
            });
        }
    });
    done.into_inner().expect("every thread has ended").into_values().collect()
}

impl Tally {
    fn take(
        &mut self,
        row: &Row,
        heard: &NBest,
        sound: Duration,
        args: &EvalArgs,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let best = heard.hypotheses.first();
        let text = best.map_or("", |best| best.text.reveal());
        let right = self.score.add(&row.transcript, text);
        self.ran += heard.ran;
        self.sound += sound;
        let (score, confidence) = best.map_or((0.0, 0.0), |best| (best.open_score, best.confidence));
        if args.rows {
            let Row { id, category, transcript } = row;
            let right = u8::from(right);
            writeln!(out, "{id}\t{category}\t{right}\t{score:.4}\t{confidence:.3}\t{transcript}\t{text}")?;
        } else if args.wrong && !right {
            writeln!(out, "{}: said `{}`, heard `{text}` ({confidence:.2})", row.id, row.transcript)?;
        }
        Ok(())
    }
}

/// One line per category and one for all.
fn write_table(tallies: &BTreeMap<String, Tally>, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{:<18} {:>6} {:>8} {:>8} {:>10} {:>10}", "category", "count", "exact", "WER", "ms each", "× real")?;
    let mut all = Tally::default();
    for (category, tally) in tallies {
        write_line(category, tally, out)?;
        all.score.utterances += tally.score.utterances;
        all.score.exact += tally.score.exact;
        all.score.words += tally.score.words;
        all.score.errors += tally.score.errors;
        all.ran += tally.ran;
        all.sound += tally.sound;
    }
    write_line("all", &all, out)
}

fn write_line(name: &str, tally: &Tally, out: &mut impl Write) -> io::Result<()> {
    let count = tally.score.utterances;
    let each_ms = tally.ran.as_secs_f64() * 1e3 / count.max(1) as f64;
    let real_time = tally.ran.as_secs_f64() / tally.sound.as_secs_f64().max(1e-3);
    let (exact, wer) = (tally.score.exact_rate() * 100.0, tally.score.word_error_rate() * 100.0);
    writeln!(out, "{name:<18} {count:>6} {exact:>7.1}% {wer:>7.1}% {each_ms:>10.1} {real_time:>10.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_by_the_names_in_its_header() {
        let text = "id\tdur_s\tcategory\ttranscript\na\t1\tword\tyes\n\nb\t1\tslots\tslots: size=big\n";
        let rows = parse_manifest(text).unwrap();
        assert_eq!(rows, [Row { id: "a".into(), category: "word".into(), transcript: "yes".into() }]);
    }

    #[test]
    fn a_broken_manifest_says_what_is_missing() {
        assert!(parse_manifest("id\tcategory\n").unwrap_err().contains("transcript"));
        assert!(parse_manifest("id\tcategory\ttranscript\nx\ty\n").unwrap_err().contains("line 2"));
        assert!(parse_manifest("").is_err());
    }

    #[test]
    fn a_table_that_cannot_be_written_is_an_error_and_no_panic() {
        // No room at all: what a full disk is to a file.
        let error = write_table(&BTreeMap::new(), &mut &mut [][..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
        let mut out = Vec::new();
        write_table(&BTreeMap::from([("word".to_owned(), Tally::default())]), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap().lines().count(), 3);
    }

    #[test]
    fn an_id_cannot_lead_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.wav"), b"").unwrap();
        assert!(recording(folder.path(), "x").is_some());
        assert!(recording(&folder.path().join("8k"), "../x").is_none());
    }

    #[test]
    fn a_telephone_of_any_codec_passes_the_whole_sound_on() {
        let said = crate::audio::tone::sine(440.0, -20.0, 1_010, TELEPHONE_HZ).samples;
        for name in ["pcmu", "PCMA", "g722", "opus", "g729"] {
            let heard = through(codec(name).unwrap(), &said).unwrap();
            let level = crate::audio::level::rms_dbov(&heard[1_600..8_000]);
            assert!(heard.len() == 8_160 && (level + 20.0).abs() < 1.5, "{name}: {level:.1} dBov, {}", heard.len());
        }
        assert_eq!(codec("gsm"), Err("codecs are pcmu, pcma, g722, opus and g729".to_owned()));
    }

    #[test]
    fn a_long_recording_is_cut_where_it_is_quiet_and_nothing_is_lost() {
        let mut audio = Pcm { rate_hz: 1_000, samples: vec![1_000; 40_000] };
        audio.samples[12_000..12_100].fill(0);
        let cut = pieces(&audio);
        assert!(cut.iter().all(|piece| piece.duration() <= PIECE));
        assert!((12_000..12_100).contains(&cut[0].samples.len()), "{}", cut[0].samples.len());
        assert_eq!(cut.iter().map(|piece| piece.samples.len()).sum::<usize>(), 40_000);
        assert_eq!(pieces(&Pcm::default()).len(), 1);
    }
}
