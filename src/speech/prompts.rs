//! Prompts as sound: rendered when a plan loads, kept by content, handed out without waiting.
//!
//! ```text
//! prepare ─▶ each Utter ─▶ recorded file? ─────────▶ decoded ──┐
//!                          else  <key>.wav on disk? ─▶ read ────┼─▶ PromptBook: Utter → Arc<Pcm>
//!                          else  synthesised, levelled, stored ─┘
//! ```
//!
//! The key is the SHA-256 of voice, language, text and rate, or of the recorded file itself: changed words, another
//! voice or a new recording can never be answered with old sound. A [`PromptBook`] belongs to one plan and goes when
//! the last call on that plan has gone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sha2::{Digest as _, Sha256};

use super::driver::parallel;
use super::models::hex;
use super::{SynthesizeError, Synthesizer, Utter, compose, level};
use crate::audio::{Pcm, decode, resample, wav};
use crate::files;

/// Changes whenever what we do to the sound of a prompt changes (trimming, level, resampling), so that files made
/// the old way are not found any more.
const RECIPE: &str = "trunkline prompt 1";
/// No prompt is longer; a cached file that says so is damaged.
const LONGEST_MS: u64 = 10 * 60 * 1000;

/// Renders prompts and keeps them on disk; shared by all plans.
pub struct Prompts {
    folder: PathBuf,
    rate_hz: u32,
    voices: Arc<dyn Synthesizer>,
    /// The disk refuses: said once, then prompts live in memory only.
    disk_warned: AtomicBool,
}

impl std::fmt::Debug for Prompts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prompts").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The sound of every prompt of one plan. Immutable; looked up without a lock.
#[derive(Clone, Debug, Default)]
pub struct PromptBook {
    sounds: BTreeMap<Utter, Arc<Pcm>>,
}

/// Where the sound of one prompt came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Recorded,
    Cached,
    Synthesized,
}

/// A prompt that did not come out as its plan wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptProblem {
    /// Which.
    pub utter: Utter,
    /// What is wrong and what to do.
    pub sentence: String,
    /// There is no sound at all for it; otherwise synthesis stood in for a recording.
    pub silent: bool,
}

/// What came of preparing a plan's prompts.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// The sounds.
    pub book: PromptBook,
    /// Prompts taken from recorded files.
    pub recorded: usize,
    /// Prompts found in the cache.
    pub cached: usize,
    /// Prompts synthesised now.
    pub synthesized: usize,
    /// Prompts that are silent or not as wanted.
    pub problems: Vec<PromptProblem>,
}

/// Prompts of one plan that callers would not hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Prompts without sound.
    pub silent: usize,
    /// Prompts in all.
    pub total: usize,
    /// Why and what to do: each sentence once, however many prompts it keeps silent.
    pub reasons: Vec<String>,
}

impl Silence {
    /// Would callers hear nothing whatsoever?
    pub fn is_total(&self) -> bool {
        self.silent == self.total
    }

    /// `8 of 8 prompts of plan bank are silent: flite is not installed: …`
    pub fn sentence(&self, plan: &str) -> String {
        /// One cause is usual; a hundred missing recordings are not worth a hundred sentences.
        const TOLD: usize = 3;
        let more = self.reasons.len().saturating_sub(TOLD);
        let more = if more > 0 { format!("; and {more} more reasons") } else { String::new() };
        let reasons = self.reasons[..self.reasons.len().min(TOLD)].join("; ");
        format!("{} of {} prompts of plan {plan} are silent: {reasons}{more}", self.silent, self.total)
    }
}

/// How far [`Prompts::prepare`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Prompts done.
    pub done: usize,
    /// Prompts in all.
    pub total: usize,
}

impl Prompts {
    /// Keeps files in `folder` (created when the first one is written) and gives sound at `rate_hz`.
    pub fn new(folder: impl Into<PathBuf>, rate_hz: u32, voices: Arc<dyn Synthesizer>) -> Self {
        Self { folder: folder.into(), rate_hz, voices, disk_warned: AtomicBool::new(false) }
    }

    /// Renders what a plan can say, on all cores. Blocking: tens of milliseconds per new prompt, next to nothing for
    /// a known one. `progress` is called after each prompt, from several threads.
    pub fn prepare(&self, utters: impl IntoIterator<Item = Utter>, progress: impl Fn(Progress) + Sync) -> Prepared {
        self.prepare_again(utters, &PromptBook::default(), progress)
    }

    /// The same for a plan that was edited: words that stood in `before`, a book of this folder and these voices, are
    /// taken from there, so that only what is new costs anything.
    pub fn prepare_again(
        &self,
        utters: impl IntoIterator<Item = Utter>,
        before: &PromptBook,
        progress: impl Fn(Progress) + Sync,
    ) -> Prepared {
        let mut wanted: Vec<Utter> = utters.into_iter().collect();
        wanted.sort();
        wanted.dedup();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let done = AtomicUsize::new(0);
        let rendered = parallel::each(&wanted, cores, |utter| {
            // A recording may be another under the same name.
            let known = before.get(utter).filter(|_| utter.file.is_none());
            let known = known.map(|sound| Rendered { sound: Ok((sound, Source::Cached)), complaint: None });
            let rendered = known.unwrap_or_else(|| self.find_or_make(utter));
            progress(Progress { done: done.fetch_add(1, Ordering::Relaxed) + 1, total: wanted.len() });
            rendered
        });
        let mut prepared = Prepared::default();
        for (utter, rendered) in wanted.into_iter().zip(rendered) {
            prepared.take(utter, rendered);
        }
        prepared
    }

    /// The sound of one prompt that no plan could foresee. Blocking.
    ///
    /// # Errors
    /// A sentence, when neither a recording nor a voice gives any sound.
    pub fn render(&self, utter: &Utter) -> Result<Arc<Pcm>, String> {
        let rendered = self.find_or_make(utter);
        if let (Some(sentence), Ok(_)) = (&rendered.complaint, &rendered.sound) {
            tracing::warn!(sentence, "recorded prompt replaced by synthesis");
        }
        rendered.sound.map(|(sound, _)| sound)
    }

    /// The same for what belongs to one call: words that may be personal, and the message of a caller, which is played to
    /// them. No copy of it is kept on disk.
    ///
    /// # Errors
    /// A sentence, when neither a recording nor a voice gives any sound.
    pub fn render_once(&self, utter: &Utter) -> Result<Arc<Pcm>, String> {
        let recorded = utter.file.as_ref().map(|file| self.recorded_once(file));
        match (recorded, utter.text.trim().is_empty()) {
            (Some(Ok(sound)), _) => return Ok(sound),
            (Some(Err(sentence)), true) => return Err(sentence),
            (Some(Err(sentence)), false) => tracing::warn!(sentence, "recorded prompt replaced by synthesis"),
            (None, _) => {}
        }
        self.at_our_level(self.speak(utter).map_err(|error| error.to_string())?).map(Arc::new)
    }

    /// A recorded file, as it was prepared before the call; one that was not is decoded and forgotten.
    fn recorded_once(&self, file: &Path) -> Result<Arc<Pcm>, String> {
        let bytes = crate::audio::file::read_bytes(file).map_err(|error| error.to_string())?;
        let key = self.key(&["recorded", &hex(&Sha256::digest(&bytes))]);
        if let Some(sound) = self.cached(&key) {
            return Ok(sound);
        }
        let sound = decode::parse(bytes, file).map_err(|error| error.to_string())?;
        self.at_our_level(sound).map(Arc::new).map_err(|error| format!("{}: {error}", file.display()))
    }

    fn at_our_level(&self, sound: Pcm) -> Result<Pcm, String> {
        let mut sound = resample(&sound, self.rate_hz).map_err(|error| error.to_string())?;
        level::to_prompt_level(&mut sound);
        Ok(sound)
    }

    fn find_or_make(&self, utter: &Utter) -> Rendered {
        let mut complaint = None;
        if let Some(file) = &utter.file {
            match self.recorded(file) {
                Ok(sound) => return Rendered { sound: Ok((sound, Source::Recorded)), complaint: None },
                Err(sentence) => complaint = Some(sentence),
            }
        }
        if utter.text.trim().is_empty() {
            let nothing = || "the prompt has neither words nor a recording".to_owned();
            return Rendered { sound: Err(complaint.unwrap_or_else(nothing)), complaint: None };
        }
        let sound = self.spoken(utter).map_err(|error| match &complaint {
            Some(recording) => format!("{recording}; and {error}"),
            None => error.to_string(),
        });
        Rendered { sound, complaint }
    }

    /// A recorded file, decoded, at our rate and level.
    fn recorded(&self, file: &Path) -> Result<Arc<Pcm>, String> {
        let bytes = crate::audio::file::read_bytes(file).map_err(|error| error.to_string())?;
        let key = self.key(&["recorded", &hex(&Sha256::digest(&bytes))]);
        if let Some(sound) = self.cached(&key) {
            return Ok(sound);
        }
        let sound = decode::parse(bytes, file).map_err(|error| error.to_string())?;
        self.finish(&key, sound).map_err(|error| format!("{}: {error}", file.display()))
    }

    /// Synthesised words, from the cache when they were spoken before.
    fn spoken(&self, utter: &Utter) -> Result<(Arc<Pcm>, Source), SynthesizeError> {
        let voice = self.voices.voice(&utter.language);
        let key = self.key(&["spoken", &voice, utter.language.as_str(), &utter.text]);
        if let Some(sound) = self.cached(&key) {
            return Ok((sound, Source::Cached));
        }
        let sound = self.speak(utter)?;
        self.finish(&key, sound).map(|sound| (sound, Source::Synthesized)).map_err(SynthesizeError::Failed)
    }

    fn speak(&self, utter: &Utter) -> Result<Pcm, SynthesizeError> {
        let recorded = |file: &Path| self.recorded(file).map(|sound| Pcm::clone(&sound));
        compose::speak(&utter.text, &utter.language, &*self.voices, recorded)
    }

    /// Brings sound to our rate and level and stores it.
    fn finish(&self, key: &str, sound: Pcm) -> Result<Arc<Pcm>, String> {
        let sound = self.at_our_level(sound)?;
        if let Err(cause) = self.store(key, &sound)
            && !self.disk_warned.swap(true, Ordering::Relaxed)
        {
            let folder = self.folder.display();
            tracing::warn!(%folder, cause, "prompts cannot be kept on disk and will be rendered again next time");
        }
        Ok(Arc::new(sound))
    }

    /// The name of the cache file: every part counts, and no two lists of parts run into the same text.
    fn key(&self, parts: &[&str]) -> String {
        let mut hasher = Sha256::new();
        let rate = self.rate_hz.to_string();
        for part in [RECIPE, &rate].iter().chain(parts) {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hex(&hasher.finalize())
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.wav"))
    }

    /// What lies on disk under `key`; `None` when there is nothing, or nothing whole.
    fn cached(&self, key: &str) -> Option<Arc<Pcm>> {
        let path = self.path(key);
        if !path.exists() {
            return None;
        }
        let sound = wav::read(&path).ok().filter(|sound| {
            sound.rate_hz == self.rate_hz && !sound.samples.is_empty() && sound.duration_ms() <= LONGEST_MS
        });
        if sound.is_none() {
            tracing::warn!(file = %path.display(), "cached prompt is damaged and will be rendered again");
        }
        sound.map(Arc::new)
    }

    /// For the owner only, as prompts may name people; a file under its final name is whole.
    fn store(&self, key: &str, sound: &Pcm) -> Result<(), String> {
        let bytes = wav::mono_bytes(sound)?;
        let stored = files::create_private_folder(&self.folder)
            .and_then(|()| files::narrow_folder(&self.folder))
            .and_then(|()| files::write_private_file(&self.path(key), &bytes));
        stored.map_err(|cause| cause.to_string())
    }
}

/// One prompt's outcome.
struct Rendered {
    sound: Result<(Arc<Pcm>, Source), String>,
    /// Why the recording could not be used, when synthesis stood in.
    complaint: Option<String>,
}

impl Prepared {
    fn take(&mut self, utter: Utter, rendered: Rendered) {
        let silent = rendered.sound.is_err();
        let sentence = match rendered.sound {
            Ok((sound, source)) => {
                match source {
                    Source::Recorded => self.recorded += 1,
                    Source::Cached => self.cached += 1,
                    Source::Synthesized => self.synthesized += 1,
                }
                self.book.sounds.insert(utter.clone(), sound);
                rendered.complaint.map(|complaint| format!("{complaint}; the words are synthesised instead"))
            }
            Err(sentence) => Some(sentence),
        };
        if let Some(sentence) = sentence {
            self.problems.push(PromptProblem { utter, sentence, silent });
        }
    }

    /// Has every prompt a sound?
    pub fn is_complete(&self) -> bool {
        self.silence().is_none()
    }

    /// The prompts that have no sound, all together; `None` when every one has.
    pub fn silence(&self) -> Option<Silence> {
        let without: Vec<_> = self.problems.iter().filter(|problem| problem.silent).collect();
        let mut reasons: Vec<String> = Vec::new();
        for problem in &without {
            if !reasons.contains(&problem.sentence) {
                reasons.push(problem.sentence.clone());
            }
        }
        let silent = without.len();
        (silent > 0).then(|| Silence { silent, total: self.book.len() + silent, reasons })
    }
}

impl PromptBook {
    /// The sound of a prompt that was prepared.
    pub fn get(&self, utter: &Utter) -> Option<Arc<Pcm>> {
        self.sounds.get(utter).cloned()
    }

    /// Prompts in the book.
    pub fn len(&self) -> usize {
        self.sounds.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.sounds.is_empty()
    }

    /// Bytes of sound held in memory.
    pub fn bytes(&self) -> usize {
        self.sounds.values().map(|sound| sound.samples.len() * 2).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::Level;
    use crate::audio::tone;
    use crate::language::Language;

    /// Says everything as a tone as long as the text, and counts.
    #[derive(Default)]
    struct Whistle {
        said: AtomicUsize,
        fails: bool,
    }

    impl Synthesizer for Whistle {
        fn synthesize(&self, text: &str, _: &Language) -> Result<Pcm, SynthesizeError> {
            self.said.fetch_add(1, Ordering::Relaxed);
            if self.fails {
                return Err(SynthesizeError::Unavailable("install it with `apt install whistle`".into()));
            }
            Ok(tone::sine(500.0, -35.0, 50 * text.len() as u32, 16_000))
        }

        fn voice(&self, _: &Language) -> String {
            "whistle".into()
        }
    }

    fn utter(text: &str, file: Option<PathBuf>) -> Utter {
        Utter { text: text.into(), language: Language::english(), file }
    }

    fn prompts(folder: &Path, whistle: &Arc<Whistle>) -> Prompts {
        Prompts::new(folder.join("prompts"), 8_000, whistle.clone())
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder.join("prompts")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn a_prompt_is_spoken_once_and_kept_for_the_next_start() {
        let (folder, whistle) = (tempfile::tempdir().unwrap(), Arc::new(Whistle::default()));
        let wanted = [utter("hello", None), utter("hello", None), utter("goodbye", None)];
        let steps = std::sync::Mutex::new(Vec::new());
        let first = prompts(folder.path(), &whistle).prepare(wanted.clone(), |step| steps.lock().unwrap().push(step));
        assert_eq!((first.synthesized, first.cached, first.book.len()), (2, 0, 2));
        assert!(steps.into_inner().unwrap().contains(&Progress { done: 2, total: 2 }));
        let again = prompts(folder.path(), &whistle).prepare(wanted.clone(), |_| ());
        assert_eq!((again.synthesized, again.cached), (0, 2));
        assert_eq!(whistle.said.load(Ordering::Relaxed), 2);
        assert_eq!(first.book.get(&wanted[0]), again.book.get(&wanted[0]));
        assert!(files(folder.path()).iter().all(|path| path.extension().is_some_and(|end| end == "wav")));
    }

    #[test]
    fn what_an_edit_has_left_as_it_was_is_taken_from_memory_but_recordings_are_read_again() {
        let (folder, whistle) = (tempfile::tempdir().unwrap(), Arc::new(Whistle::default()));
        let wav = folder.path().join("hello.wav");
        let record = |ms| wav::write_mono(&wav, &tone::sine(500.0, -20.0, ms, 8_000)).unwrap();
        record(200);
        let prompts = prompts(folder.path(), &whistle);
        let [old, new, recorded] = [utter("old", None), utter("new", None), utter("hello", Some(wav.clone()))];
        let first = prompts.prepare([old.clone(), recorded.clone()], |_| ());
        // Nothing on disk may be needed.
        std::fs::remove_dir_all(folder.path().join("prompts")).unwrap();
        record(400);
        let again = prompts.prepare_again([old.clone(), new, recorded.clone()], &first.book, |_| ());
        assert_eq!((again.cached, again.synthesized, again.recorded), (1, 1, 1));
        assert!(Arc::ptr_eq(&first.book.get(&old).unwrap(), &again.book.get(&old).unwrap()), "one sound, held once");
        assert_eq!(again.book.get(&recorded).unwrap().duration_ms(), 400);
    }

    #[test]
    fn sound_comes_at_the_leg_rate_and_a_comfortable_level() {
        let (folder, whistle) = (tempfile::tempdir().unwrap(), Arc::new(Whistle::default()));
        let hello = utter("hello there", None);
        let prepared = prompts(folder.path(), &whistle).prepare([hello.clone()], |_| ());
        let sound = prepared.book.get(&hello).unwrap();
        assert_eq!((sound.rate_hz, sound.duration_ms()), (8_000, 550));
        assert!((level::active_dbov(&sound) - level::PROMPT_DBOV).abs() < 1.0);
        assert!(Level::of(&sound.samples).peak_dbov < 0.0);
    }

    #[test]
    fn a_damaged_cache_file_is_rendered_again() {
        let (folder, whistle) = (tempfile::tempdir().unwrap(), Arc::new(Whistle::default()));
        let hello = utter("hello", None);
        prompts(folder.path(), &whistle).prepare([hello.clone()], |_| ());
        let path = files(folder.path()).pop().unwrap();
        let whole = std::fs::read(&path).unwrap();
        for damaged in [&b""[..], b"not sound at all", &whole[..whole.len() / 2], &whole[..44]] {
            std::fs::write(&path, damaged).unwrap();
            let again = prompts(folder.path(), &whistle).prepare([hello.clone()], |_| ());
            assert_eq!((again.synthesized, again.is_complete()), (1, true), "{} bytes", damaged.len());
            assert_eq!(std::fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn a_recording_wins_over_synthesis_and_a_new_recording_over_the_old() {
        let (folder, whistle) = (tempfile::tempdir().unwrap(), Arc::new(Whistle::default()));
        let file = folder.path().join("welcome.wav");
        let welcome = utter("welcome", Some(file.clone()));
        let prompts = prompts(folder.path(), &whistle);
        for duration_ms in [700, 900] {
            wav::write_mono(&file, &tone::sine(300.0, -20.0, duration_ms, 44_100)).unwrap();
            let prepared = prompts.prepare([welcome.clone()], |_| ());
            assert_eq!(prepared.recorded, 1);
            assert_eq!(prepared.book.get(&welcome).unwrap().duration_ms(), u64::from(duration_ms));
        }
        assert_eq!(whistle.said.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_missing_or_unreadable_recording_falls_back_to_the_words_and_says_so() {
        let (folder, whistle) = (tempfile::tempdir().unwrap(), Arc::new(Whistle::default()));
        let (missing, broken) = (folder.path().join("gone.wav"), folder.path().join("broken.wav"));
        std::fs::write(&broken, "RIFFnonsense").unwrap();
        let prompts = prompts(folder.path(), &whistle);
        let prepared = prompts.prepare([utter("a", Some(missing.clone())), utter("b", Some(broken.clone()))], |_| ());
        assert!(prepared.is_complete());
        assert_eq!((prepared.synthesized, prepared.problems.len()), (2, 2));
        for (problem, path) in prepared.problems.iter().zip([missing, broken]) {
            assert!(problem.sentence.contains(&path.display().to_string()), "{}", problem.sentence);
            assert!(problem.sentence.contains("synthesised instead"), "{}", problem.sentence);
        }
        let wordless = prompts.prepare([utter(" ", Some(folder.path().join("gone.wav")))], |_| ());
        assert!(!wordless.is_complete() && wordless.book.is_empty());
    }

    #[test]
    fn what_belongs_to_one_call_leaves_no_copy_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let prompts = prompts(&folder.path().join("cache"), &Arc::new(Whistle::default()));
        let message = folder.path().join("message.wav");
        wav::write_mono(&message, &tone::sine(300.0, -20.0, 200, 8_000)).unwrap();
        let sound = prompts.render_once(&utter("This is your message.", Some(message.clone()))).unwrap();
        assert_eq!(sound.duration_ms(), 200);
        assert!(prompts.render_once(&utter("You owe ten dollars.", None)).is_ok());
        let copies = || files(&folder.path().join("cache")).len();
        assert_eq!(copies(), 0);
        // One that was prepared for every call is taken from there.
        assert!(prompts.prepare([utter("Hello.", Some(message.clone()))], |_| ()).is_complete());
        assert_eq!(copies(), 1);
        assert!(prompts.render_once(&utter("Hello, Ada.", Some(message))).is_ok());
        // Where it cannot be played, it is spoken of.
        let lost = utter("This is your message.", Some(folder.path().join("gone.wav")));
        assert!(prompts.render_once(&lost).is_ok());
        assert_eq!(copies(), 1);
    }

    #[test]
    fn a_missing_voice_leaves_a_sentence_and_no_sound() {
        let folder = tempfile::tempdir().unwrap();
        let whistle = Arc::new(Whistle { fails: true, ..Whistle::default() });
        let prompts = prompts(folder.path(), &whistle);
        let prepared = prompts.prepare([utter("hello", None)], |_| ());
        assert!(prepared.problems[0].silent && prepared.problems[0].sentence.contains("apt install"));
        assert!(prompts.render(&utter("hello", None)).unwrap_err().contains("apt install"));
    }

    #[test]
    fn many_silent_prompts_with_one_cause_are_one_sentence() {
        let (folder, mute) = (tempfile::tempdir().unwrap(), Whistle { fails: true, ..Whistle::default() });
        let file = folder.path().join("recorded.wav");
        wav::write_mono(&file, &tone::sine(300.0, -20.0, 200, 8_000)).unwrap();
        let prompts = prompts(folder.path(), &Arc::new(mute));
        let wanted = [utter("a", None), utter("b", None), utter("c", Some(file))];
        let silence = prompts.prepare(wanted.clone(), |_| ()).silence().unwrap();
        let expected = "2 of 3 prompts of plan bank are silent: install it with `apt install whistle`";
        assert_eq!((silence.sentence("bank").as_str(), silence.is_total()), (expected, false));
        assert!(prompts.prepare(wanted[..2].to_vec(), |_| ()).silence().unwrap().is_total());
        let reasons = ["one", "two", "three", "four"].map(str::to_owned).to_vec();
        let many = Silence { silent: 4, total: 4, reasons };
        assert!(many.sentence("x").ends_with("silent: one; two; three; and 1 more reasons"));
    }

    #[test]
    fn rendered_prompts_are_for_the_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, whistle) = (tempfile::tempdir().unwrap(), Arc::new(Whistle::default()));
        let cache = folder.path().join("prompts");
        // As an earlier version left it.
        std::fs::create_dir(&cache).unwrap();
        std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o755)).unwrap();
        prompts(folder.path(), &whistle).prepare([utter("hello", None)], |_| ());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&cache), mode(&files(folder.path())[0])), (0o700, 0o600));
    }

    #[test]
    fn prompts_live_in_memory_when_the_disk_refuses() {
        let (folder, whistle) = (tempfile::tempdir().unwrap(), Arc::new(Whistle::default()));
        std::fs::write(folder.path().join("prompts"), "a file where the folder should be").unwrap();
        let prepared = prompts(folder.path(), &whistle).prepare([utter("hello", None)], |_| ());
        assert!(prepared.is_complete() && prepared.book.len() == 1);
    }

    #[test]
    fn language_voice_and_text_all_count() {
        let (folder, whistle) = (tempfile::tempdir().unwrap(), Arc::new(Whistle::default()));
        let prompts = prompts(folder.path(), &whistle);
        let keys = [
            prompts.key(&["spoken", "v", "en-US", "a"]),
            prompts.key(&["spoken", "v", "en-GB", "a"]),
            prompts.key(&["spoken", "w", "en-US", "a"]),
            prompts.key(&["spoken", "v", "en-US", "b"]),
            prompts.key(&["spoken", "v", "en-USa", ""]),
            Prompts::new(folder.path(), 16_000, whistle.clone()).key(&["spoken", "v", "en-US", "a"]),
        ];
        for (place, key) in keys.iter().enumerate() {
            assert!(!keys[..place].contains(key), "{place}");
        }
    }
}
