//! Stereo recordings, written off the media thread: caller left, bot right.
//!
//! A media thread pushes one `[left, right]` pair per sample into a preallocated ring; one recorder thread drains
//! all rings every `BEAT`, and another sees finished files safely to the disk, which may take its time. A recording is `NAME.wav.part` until it is whole: then it is flushed to disk and renamed,
//! so that a file called `.wav` never misses its end, whatever crashed. A disk that is full or unwritable costs the
//! recording, never the call.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use hound::{SampleFormat, WavSpec, WavWriter};
use rtrb::{Consumer, Producer, RingBuffer};

use super::Recording;
use crate::audio::TELEPHONE_HZ;
use crate::id::LegId;
use crate::time::{Clock, SystemClock};

/// One sample of both sides: caller, bot.
pub type Pair = [i16; 2];

/// Room of one leg's ring: a second, ten times what collects between two drains. 32 kB.
const RING_PAIRS: usize = TELEPHONE_HZ as usize;
/// How often rings are drained.
const BEAT: Duration = Duration::from_millis(100);
/// Drains between two rewritings of a file's header, so that even a `.part` found after a crash can be played.
const HEADER_EVERY: u32 = 20;
/// Finished files that may wait for the disk; with so many, the drains wait too.
const CLOSINGS: usize = 1_024;
/// What stands before the samples of a WAV file of 16 bits: RIFF, format and data chunk.
const HEADER_BYTES: u64 = 44;
/// Bytes of a pair.
const PAIR_BYTES: usize = size_of::<Pair>();
/// Pairs that are rewritten at once.
const TAKE_OUT_PAIRS: usize = 2_000;
/// A start and a finish for each of a thousand calls may wait at once; beyond that the media thread keeps a
/// short backlog of its own and tries again with the next tick.
const JOBS: usize = 2_048;

const STEREO: WavSpec =
    WavSpec { channels: 2, sample_rate: TELEPHONE_HZ, bits_per_sample: 16, sample_format: SampleFormat::Int };

/// A ring between the media thread and the recorder.
pub fn ring() -> (Producer<Pair>, Consumer<Pair>) {
    RingBuffer::new(RING_PAIRS)
}

/// Told what became of a recording once it is closed. Runs on a recorder thread; must not block.
pub type OnClosed = Box<dyn FnOnce(Recording) + Send>;

/// What the recorder thread is asked to do.
pub enum Job {
    /// Begin a recording.
    Start {
        /// Whose.
        leg: LegId,
        /// Final path.
        path: PathBuf,
        /// Where its sound comes from.
        ring: Consumer<Pair>,
    },
    /// The caller is to be taken out of what is recorded.
    TakeOut {
        /// Whose.
        leg: LegId,
        /// Pairs of samples, counted from the beginning; everything up to their end is in the ring.
        pairs: Range<u64>,
    },
    /// Everything is in the ring: finish.
    Finish {
        /// Whose.
        leg: LegId,
        /// Whom to tell.
        closed: OnClosed,
    },
}

/// The way to the recorder thread, which ends when all of these are dropped and everything given to it is finished.
#[derive(Clone)]
pub struct Recorder {
    jobs: SyncSender<Job>,
}

impl Recorder {
    /// Starts the thread.
    pub fn start() -> io::Result<Self> {
        let (jobs, inbox) = sync_channel(JOBS);
        thread::Builder::new().name("recorder".to_owned()).spawn(move || run(&inbox))?;
        Ok(Self { jobs })
    }

    /// One that takes no job while what comes with it is kept.
    #[cfg(test)]
    pub(super) fn that_hangs() -> (Self, Receiver<Job>) {
        let (jobs, inbox) = sync_channel(0);
        (Self { jobs }, inbox)
    }

    /// Hands over a job, or hands it back when too many wait. Never blocks.
    pub fn submit(&self, job: Job) -> Result<(), Job> {
        match self.jobs.try_send(job) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => Err(job),
        }
    }
}

fn run(inbox: &Receiver<Job>) {
    let mut desk = Desk::default();
    let (closings, finished) = sync_channel(CLOSINGS);
    // Without the second thread the first closes files itself.
    let closer = thread::Builder::new().name("recorder-close".to_owned());
    desk.closings = closer.spawn(move || finished.iter().for_each(Closing::finish)).is_ok().then_some(closings);
    let mut drain_at = SystemClock.now().mono + BEAT;
    loop {
        let now = SystemClock.now().mono;
        if now >= drain_at {
            desk.drain();
            drain_at = now + BEAT;
        }
        match inbox.recv_timeout(drain_at.saturating_duration_since(now)) {
            Ok(job) => desk.handle(job),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// All recordings under way.
#[derive(Default)]
struct Desk {
    takes: BTreeMap<LegId, Take>,
    alarm: Alarm,
    /// To the thread that closes files; `None`: they are closed here.
    closings: Option<SyncSender<Closing>>,
}

/// Raised by the first failure, taken back by the next success: one alarm a night, not one a call.
#[derive(Clone, Default)]
struct Alarm(Arc<AtomicBool>);

impl Alarm {
    /// Why there is no recording, in words; logged aloud when the alarm was not raised yet.
    fn raise(&self, leg: LegId, path: &Path, error: &io::Error) -> String {
        let folder = path.parent().unwrap_or(path).display().to_string();
        // A recording is named after its call.
        let call = path.file_stem().unwrap_or_default().display();
        if !self.0.swap(true, Ordering::Relaxed) {
            tracing::error!(%call, leg = leg.0, folder, %error, "recordings cannot be kept; calls go on without them");
        } else {
            tracing::debug!(%call, leg = leg.0, folder, %error, "a recording cannot be kept");
        }
        format!("cannot write in {folder}: {error}")
    }

    fn take_back(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A file with everything in it, to be closed, and whom to tell.
struct Closing {
    leg: LegId,
    file: WavFile,
    closed: OnClosed,
    alarm: Alarm,
}

impl Closing {
    fn finish(self) {
        let Self { leg, file, closed, alarm } = self;
        let path = file.path.clone();
        closed(match file.finish() {
            Ok(()) => {
                alarm.take_back();
                Recording::Saved { path }
            }
            Err(error) => Recording::Failed { reason: alarm.raise(leg, &path, &error) },
        });
    }
}

struct Take {
    ring: Consumer<Pair>,
    track: Track,
}

/// A recording begins with the first sound of either side, and the silence before it: a call that nobody answers leaves
/// no file.
enum Track {
    /// So many pairs, all of them silent.
    Silent { path: PathBuf, pairs: usize },
    /// In a file.
    Begun(WavFile),
    /// Why there is none.
    Lost(String),
}

impl Track {
    /// Takes what came next. The error is what the disk says, and where.
    fn append(&mut self, blocks: [&[Pair]; 2]) -> Result<(), (PathBuf, io::Error)> {
        let count = blocks[0].len() + blocks[1].len();
        if let Self::Silent { path, pairs } = self {
            if blocks.into_iter().flatten().all(|pair| *pair == [0, 0]) {
                *pairs += count;
                return Ok(());
            }
            let begun = WavFile::create(path).and_then(|mut file| {
                file.append_silence(*pairs)?;
                Ok(file)
            });
            *self = Self::Begun(begun.map_err(|error| (path.clone(), error))?);
        }
        let Self::Begun(file) = self else { return Ok(()) };
        blocks.into_iter().try_for_each(|block| file.append(block)).map_err(|error| (file.path.clone(), error))
    }

    /// Makes the caller silent in these pairs.
    fn take_out(&mut self, pairs: Range<u64>) -> Result<(), (PathBuf, io::Error)> {
        let Self::Begun(file) = self else { return Ok(()) };
        file.take_out(pairs).map_err(|error| (file.path.clone(), error))
    }
}

impl Desk {
    fn handle(&mut self, job: Job) {
        match job {
            Job::Start { leg, path, ring } => {
                self.takes.insert(leg, Take { ring, track: Track::Silent { path, pairs: 0 } });
            }
            Job::TakeOut { leg, pairs } => {
                self.drain_one(leg);
                self.change(leg, |track| track.take_out(pairs));
            }
            Job::Finish { leg, closed } => {
                self.drain_one(leg);
                self.finish(leg, closed);
            }
        }
    }

    fn drain(&mut self) {
        let legs: Vec<LegId> = self.takes.keys().copied().collect();
        legs.into_iter().for_each(|leg| self.drain_one(leg));
    }

    fn drain_one(&mut self, leg: LegId) {
        let Some(take) = self.takes.get_mut(&leg) else { return };
        let waiting = take.ring.slots();
        let Ok(chunk) = take.ring.read_chunk(waiting) else { return };
        let (early, late) = chunk.as_slices();
        let result = take.track.append([early, late]);
        chunk.commit_all();
        self.lose(leg, result);
    }

    /// Changes what is recorded; what cannot be changed is not kept.
    fn change(&mut self, leg: LegId, change: impl FnOnce(&mut Track) -> Result<(), (PathBuf, io::Error)>) {
        if let Some(result) = self.takes.get_mut(&leg).map(|take| change(&mut take.track)) {
            self.lose(leg, result);
        }
    }

    fn lose(&mut self, leg: LegId, result: Result<(), (PathBuf, io::Error)>) {
        let Err((path, error)) = result else { return };
        let reason = self.alarm.raise(leg, &path, &error);
        if let Some(take) = self.takes.get_mut(&leg) {
            take.track = Track::Lost(reason);
        }
    }

    fn finish(&mut self, leg: LegId, closed: OnClosed) {
        let failed = |reason| Recording::Failed { reason };
        let file = match self.takes.remove(&leg).map(|take| take.track) {
            Some(Track::Begun(file)) => file,
            Some(Track::Silent { .. }) => return closed(Recording::Off),
            Some(Track::Lost(reason)) => return closed(failed(reason)),
            None => return closed(failed("the recorder was too busy to begin it".to_owned())),
        };
        let closing = Closing { leg, file, closed, alarm: self.alarm.clone() };
        match &self.closings {
            None => closing.finish(),
            Some(closings) => {
                if let Err(SendError(closing)) = closings.send(closing) {
                    closing.finish();
                }
            }
        }
    }
}

/// A WAV file that looks whole only when it is.
struct WavFile {
    /// `None` once finished.
    writer: Option<WavWriter<BufWriter<File>>>,
    /// The same file, for `fsync`.
    disk: File,
    path: PathBuf,
    part: PathBuf,
    appended: u32,
}

impl WavFile {
    /// Creates `PATH.part`, readable by us alone, in a folder that is made likewise. A `.part` left behind by a crash
    /// under the same name is thrown away; a recording that is whole is never overwritten.
    fn create(path: &Path) -> io::Result<Self> {
        if path.exists() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a recording of that name exists"));
        }
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let part = part_of(path);
        match fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&part)?;
        Self::begin(file, path.to_owned(), part)
    }

    fn begin(file: File, path: PathBuf, part: PathBuf) -> io::Result<Self> {
        let disk = file.try_clone()?;
        let writer = Some(WavWriter::new(BufWriter::new(file), STEREO).map_err(as_io)?);
        Ok(Self { writer, disk, path, part, appended: 0 })
    }

    /// In blocks, so that an hour of it needs no memory.
    fn append_silence(&mut self, mut pairs: usize) -> io::Result<()> {
        let silence = [[0, 0]; RING_PAIRS];
        while pairs > 0 {
            let block = pairs.min(RING_PAIRS);
            self.append(&silence[..block])?;
            pairs -= block;
        }
        Ok(())
    }

    fn append(&mut self, pairs: &[Pair]) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let samples = pairs.as_flattened();
        let count = u32::try_from(samples.len()).map_err(io::Error::other)?;
        let mut block = writer.get_i16_writer(count);
        samples.iter().for_each(|&sample| block.write_sample(sample));
        block.flush().map_err(as_io)?;
        self.appended += 1;
        if self.appended.is_multiple_of(HEADER_EVERY) {
            writer.flush().map_err(as_io)?;
        }
        Ok(())
    }

    /// Writes silence over the caller in these pairs, where they lie in the file.
    fn take_out(&mut self, pairs: Range<u64>) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.flush().map_err(as_io)?;
        let end = pairs.end.min(u64::from(writer.duration()));
        let mut block = [0; TAKE_OUT_PAIRS * PAIR_BYTES];
        let mut at = pairs.start;
        while at < end {
            let count = (end - at).min(TAKE_OUT_PAIRS as u64);
            let bytes = &mut block[..count as usize * PAIR_BYTES];
            let place = HEADER_BYTES + at * PAIR_BYTES as u64;
            self.disk.read_exact_at(bytes, place)?;
            bytes.chunks_exact_mut(PAIR_BYTES).for_each(|pair| pair[..PAIR_BYTES / 2].fill(0));
            self.disk.write_all_at(bytes, place)?;
            at += count;
        }
        Ok(())
    }

    /// Header, data and name on disk, in this order.
    fn finish(mut self) -> io::Result<()> {
        if let Some(writer) = self.writer.take() {
            writer.finalize().map_err(as_io)?;
        }
        self.disk.sync_all()?;
        fs::rename(&self.part, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for WavFile {
    /// Whatever was not renamed goes: after [`WavFile::finish`] there is nothing left to remove.
    fn drop(&mut self) {
        // The writer first: dropping it writes the header once more.
        drop(self.writer.take());
        let _ = fs::remove_file(&self.part);
    }
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

fn as_io(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Mutex;

    const LEG: LegId = LegId(3);

    fn record(desk: &mut Desk, path: &Path, blocks: &[&[Pair]]) -> Recording {
        let (mut producer, ring) = ring();
        desk.handle(Job::Start { leg: LEG, path: path.to_owned(), ring });
        for block in blocks {
            block.iter().for_each(|pair| producer.push(*pair).unwrap());
            desk.drain();
        }
        finish(desk)
    }

    fn finish(desk: &mut Desk) -> Recording {
        let told = Arc::new(Mutex::new(None));
        let tell = Arc::clone(&told);
        desk.handle(Job::Finish { leg: LEG, closed: Box::new(move |end| *tell.lock().unwrap() = Some(end)) });
        told.lock().unwrap().take().expect("a finish is always answered")
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_recording_is_a_private_stereo_wav_with_every_sample_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("call.wav");
        let end = record(&mut Desk::default(), &path, &[&[[1, -1], [2, -2]], &[], &[[i16::MIN, i16::MAX]]]);
        assert_eq!(end, Recording::Saved { path: path.clone() });
        assert_eq!(names(path.parent().unwrap()), ["call.wav"]);
        let mut wav = hound::WavReader::open(&path).unwrap();
        assert_eq!(wav.spec(), STEREO);
        let samples: Vec<i16> = wav.samples().map(|sample| sample.unwrap()).collect();
        assert_eq!(samples, [1, -1, 2, -2, i16::MIN, i16::MAX]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn the_caller_is_taken_out_of_what_is_on_the_disk_already_and_we_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("call.wav");
        let mut desk = Desk::default();
        let (mut producer, ring) = ring();
        desk.handle(Job::Start { leg: LEG, path: path.clone(), ring });
        let push = |producer: &mut Producer<Pair>, value: i16| producer.push([value, -value]).unwrap();
        (1..=5_000).for_each(|value| push(&mut producer, value));
        desk.drain();
        (5_001..=6_000).for_each(|value| push(&mut producer, value));
        desk.handle(Job::TakeOut { leg: LEG, pairs: 1_000..6_000 });
        (6_001..=6_010).for_each(|value| push(&mut producer, value));
        desk.handle(Job::TakeOut { leg: LEG, pairs: 6_009..9_000 });
        assert!(matches!(finish(&mut desk), Recording::Saved { .. }));
        let samples: Vec<i16> = hound::WavReader::open(&path).unwrap().samples().map(Result::unwrap).collect();
        let wanted = (1..=6_010).flat_map(|value| {
            let heard = value <= 1_000 || (6_001..=6_009).contains(&value);
            [if heard { value } else { 0 }, -value]
        });
        assert!(samples.into_iter().eq(wanted));
    }

    #[test]
    fn a_call_without_any_sound_leaves_no_file_and_silence_before_the_first_sound_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("call.wav");
        let mut desk = Desk::default();
        assert_eq!(record(&mut desk, &path, &[&[[0, 0]; 160], &[], &[[0, 0]; 160]]), Recording::Off);
        assert!(!path.parent().unwrap().exists(), "not even a folder");
        let end = record(&mut desk, &path, &[&[[0, 0]; RING_PAIRS], &[[0, 0]; 5], &[[0, 0], [0, 7]]]);
        assert_eq!(end, Recording::Saved { path: path.clone() });
        let samples: Vec<i16> =
            hound::WavReader::open(&path).unwrap().samples().map(|sample| sample.unwrap()).collect();
        assert_eq!(samples.len(), (RING_PAIRS + 7) * 2);
        assert_eq!(samples.iter().position(|sample| *sample != 0), Some(samples.len() - 1));
    }

    #[test]
    fn an_unfinished_recording_does_not_look_whole_but_can_be_played() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("call.wav");
        let mut desk = Desk::default();
        let (mut producer, ring) = ring();
        desk.handle(Job::Start { leg: LEG, path: path.clone(), ring });
        for _ in 0..HEADER_EVERY {
            producer.push([5, 6]).unwrap();
            desk.drain();
        }
        assert_eq!(names(folder.path()), ["call.wav.part"]);
        assert_eq!(hound::WavReader::open(part_of(&path)).unwrap().duration(), HEADER_EVERY);
    }

    #[test]
    fn a_part_left_by_a_crash_is_replaced_and_a_whole_recording_never() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("call.wav");
        fs::write(part_of(&path), "half of an old one").unwrap();
        assert!(matches!(record(&mut Desk::default(), &path, &[&[[1, 1]]]), Recording::Saved { .. }));
        let whole = fs::read(&path).unwrap();
        let again = record(&mut Desk::default(), &path, &[&[[2, 2]]]);
        assert!(matches!(&again, Recording::Failed { reason } if reason.contains("exists")), "{again:?}");
        assert_eq!(fs::read(&path).unwrap(), whole);
        assert_eq!(names(folder.path()), ["call.wav"]);
    }

    #[test]
    fn an_unwritable_folder_is_a_reason_in_words_and_the_ring_is_emptied_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("not a folder");
        fs::write(&file, "").unwrap();
        let mut desk = Desk::default();
        let end = record(&mut desk, &file.join("call.wav"), &[&[[1, 1]; RING_PAIRS], &[[1, 1]; RING_PAIRS]]);
        assert!(matches!(&end, Recording::Failed { reason } if reason.contains("not a folder")), "{end:?}");
        assert!(desk.alarm.0.load(Ordering::Relaxed));
        assert!(matches!(record(&mut desk, &folder.path().join("good.wav"), &[&[[1, 1]]]), Recording::Saved { .. }));
        assert!(!desk.alarm.0.load(Ordering::Relaxed), "a success takes the alarm back");
    }

    #[test]
    fn a_full_disk_costs_the_recording_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("call.wav");
        let part = part_of(&path);
        fs::write(&part, "").unwrap();
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (mut producer, ring) = ring();
        let mut desk = Desk::default();
        // The header is buffered, so the disk is found full when sound comes.
        let track = Track::Begun(WavFile::begin(full, path, part).unwrap());
        desk.takes.insert(LEG, Take { ring, track });
        for _ in 0..RING_PAIRS {
            producer.push([1, 1]).unwrap();
        }
        desk.drain();
        assert_eq!(names(folder.path()), Vec::<String>::new());
        let end = finish(&mut desk);
        assert!(matches!(&end, Recording::Failed { reason } if reason.contains("No space left")), "{end:?}");
    }

    #[test]
    fn a_finish_without_a_start_is_answered() {
        assert!(matches!(finish(&mut Desk::default()), Recording::Failed { .. }));
    }
}
