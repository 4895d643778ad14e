//! Synthesis by programs of the system: flite for English, espeak-ng for every other language.
//!
//! Both run as separate programs (espeak-ng is GPL-3.0), read the text from a file, so that no text can be taken for
//! an option, and write a WAV file. Prompts are rendered ahead and cached; nothing here runs while a caller waits.

use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::driver::program::{self, ProgramError, Scratch};
use super::{SynthesizeError, Synthesizer};
use crate::audio::{Pcm, trim_silence, wav};
use crate::language::Language;

/// The English voice: the clearest of those Debian's flite carries.
const FLITE_VOICE: &str = "slt";
/// What is quieter than this at either end of a prompt is cut off: a caller hears it as hesitation.
const SILENCE_DBOV: f32 = -50.0;
/// espeak-ng's own pace, in words a minute.
const ESPEAK_PACE: f32 = 175.0;
/// Kept at either end all the same, for soft onsets and releases.
const KEEP: Duration = Duration::from_millis(20);

/// flite where it speaks the language, espeak-ng everywhere else.
#[derive(Clone, Debug)]
pub struct SystemVoices {
    flite: Flite,
    espeak: Espeak,
}

impl SystemVoices {
    /// The voices of Debian's packages.
    pub fn new() -> Self {
        Self::speaking(FLITE_VOICE)
    }

    /// The same, with another of flite's voices for English.
    pub fn speaking(english: &str) -> Self {
        Self { flite: Flite::voice(english), espeak: Espeak }
    }

    fn for_language(&self, language: &Language) -> &dyn Synthesizer {
        if language.primary() == "en" { &self.flite } else { &self.espeak }
    }
}

impl Default for SystemVoices {
    fn default() -> Self {
        Self::new()
    }
}

impl Synthesizer for SystemVoices {
    fn synthesize(&self, text: &str, language: &Language) -> Result<Pcm, SynthesizeError> {
        self.for_language(language).synthesize(text, language)
    }

    fn synthesize_at(&self, text: &str, language: &Language, rate: f32) -> Result<Pcm, SynthesizeError> {
        self.for_language(language).synthesize_at(text, language, rate)
    }

    fn voice(&self, language: &Language) -> String {
        self.for_language(language).voice(language)
    }
}

/// flite, English only.
#[derive(Clone, Debug)]
pub struct Flite {
    voice: String,
    /// Its voices, asked for once.
    voices: Arc<OnceLock<Vec<String>>>,
}

impl Flite {
    /// One of flite's own voices (`flite -lv`).
    pub fn voice(name: &str) -> Self {
        Self { voice: name.to_owned(), voices: Arc::default() }
    }

    /// Does flite have the voice? It does not say so itself: asked for one it has not, it ends with success and leaves
    /// a file that is no sound.
    fn check(&self) -> Result<(), SynthesizeError> {
        if self.voices.get().is_none() {
            let listed = program::output("flite", &["-lv"]).map_err(|error| unusable("flite", error))?;
            // Whoever was faster asked the same question.
            let _ = self.voices.set(parse_voices(&listed));
        }
        known(&self.voice, self.voices.get().map_or(&[], Vec::as_slice))
    }
}

/// `Voices available: kal awb_time slt`
fn parse_voices(listed: &str) -> Vec<String> {
    let names = listed.split_once(':').map_or(listed, |(_, names)| names);
    names.split_whitespace().map(str::to_owned).collect()
}

fn known(voice: &str, voices: &[String]) -> Result<(), SynthesizeError> {
    if voices.iter().any(|known| known == voice) {
        return Ok(());
    }
    let there = voices.join(", ");
    Err(SynthesizeError::Unavailable(format!(
        "flite has no voice `{voice}`; set `voice` in [speech] to one of {there}"
    )))
}

impl Synthesizer for Flite {
    fn synthesize(&self, text: &str, language: &Language) -> Result<Pcm, SynthesizeError> {
        self.synthesize_at(text, language, 1.0)
    }

    fn synthesize_at(&self, text: &str, _: &Language, rate: f32) -> Result<Pcm, SynthesizeError> {
        self.check()?;
        speak("flite", &plain(text), |text, sound| {
            let mut options: Vec<OsString> = vec!["-voice".into(), self.voice.clone().into()];
            if rate != 1.0 {
                options.extend(["--setf".into(), format!("duration_stretch={:.2}", 1.0 / rate).into()]);
            }
            options.extend(["-f".into(), text.into(), "-o".into(), sound.into()]);
            options
        })
    }

    fn voice(&self, _: &Language) -> String {
        format!("flite-{}", self.voice)
    }
}

/// espeak-ng, every other language.
#[derive(Clone, Copy, Debug)]
pub struct Espeak;

impl Espeak {
    /// Its name for a language: Mandarin is `cmn` there, the rest go by their first part.
    fn name(language: &Language) -> &str {
        match language.primary() {
            "zh" => "cmn",
            other => other,
        }
    }
}

impl Synthesizer for Espeak {
    fn synthesize(&self, text: &str, language: &Language) -> Result<Pcm, SynthesizeError> {
        self.synthesize_at(text, language, 1.0)
    }

    fn synthesize_at(&self, text: &str, language: &Language, rate: f32) -> Result<Pcm, SynthesizeError> {
        speak("espeak-ng", text, |text, sound| {
            let voice = Self::name(language).into();
            // UTF-8 in (-b 1), no pause after the last sentence (-z), words a minute (-s).
            vec![
                "-s".into(),
                format!("{:.0}", ESPEAK_PACE * rate).into(),
                "-v".into(),
                voice,
                "-b".into(),
                "1".into(),
                "-z".into(),
                "-f".into(),
                text.into(),
                "-w".into(),
                sound.into(),
            ]
        })
    }

    fn voice(&self, language: &Language) -> String {
        format!("espeak-ng-{}", Self::name(language))
    }
}

/// Runs `program` over a file with `text` and reads what it wrote.
fn speak(
    program: &str,
    text: &str,
    arguments: impl FnOnce(&Path, &Path) -> Vec<OsString>,
) -> Result<Pcm, SynthesizeError> {
    if !text.chars().any(char::is_alphanumeric) {
        return Err(SynthesizeError::Failed("there is nothing to say in the text".to_owned()));
    }
    let failed = |cause: &dyn std::fmt::Display| SynthesizeError::Failed(format!("{program}: {cause}"));
    let scratch = Scratch::new().map_err(|cause| failed(&cause))?;
    let (words, sound) = (scratch.file("text"), scratch.file("sound.wav"));
    std::fs::write(&words, text).map_err(|cause| failed(&cause))?;
    program::run(program, &arguments(&words, &sound)).map_err(|error| unusable(program, error))?;
    let spoken = wav::read(&sound).map_err(|cause| failed(&cause))?;
    let trimmed = trim_silence(&spoken, SILENCE_DBOV, KEEP);
    if trimmed.samples.is_empty() {
        return Err(failed(&"it gave only silence"));
    }
    Ok(trimmed)
}

fn unusable(program: &str, error: ProgramError) -> SynthesizeError {
    match error {
        ProgramError::Missing(_) => {
            SynthesizeError::Unavailable(format!("{program} is not installed: install it with `apt install {program}`"))
        }
        ProgramError::Failed(cause) => SynthesizeError::Failed(cause),
    }
}

/// flite reads ASCII: typographic signs become their plain cousins, accents are dropped, anything else is a space.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len() + 1);
    for letter in text.chars() {
        match letter {
            '\u{2018}' | '\u{2019}' => plain.push('\''),
            '\u{201c}' | '\u{201d}' => plain.push('"'),
            '\u{2013}' | '\u{2014}' => plain.push_str(", "),
            '\u{2026}' => plain.push_str("..."),
            '\u{20ac}' => plain.push_str(" euros "),
            '\u{a3}' => plain.push_str(" pounds "),
            letter if letter.is_ascii() && !letter.is_ascii_control() => plain.push(letter),
            letter => plain.push(without_accent(letter)),
        }
    }
    // flite leaves out a last line that is not ended.
    plain.push('\n');
    plain
}

fn without_accent(letter: char) -> char {
    match letter {
        'à'..='å' => 'a',
        'ç' => 'c',
        'è'..='ë' => 'e',
        'ì'..='ï' => 'i',
        'ñ' => 'n',
        'ò'..='ö' | 'ø' => 'o',
        'ù'..='ü' => 'u',
        'À'..='Å' => 'A',
        'Ç' => 'C',
        'È'..='Ë' => 'E',
        'Ñ' => 'N',
        'Ò'..='Ö' | 'Ø' => 'O',
        'Ù'..='Ü' => 'U',
        _ => ' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::level::rms_dbov;

    /// These tests speak where Debian's flite and espeak-ng are installed; elsewhere they say that they did nothing.
    fn installed(program: &str) -> bool {
        let here = program::run(program, &["--version"]) != Err(ProgramError::Missing(program.to_owned()));
        if !here {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{program} is not installed");
            println!("skipped: {program} is not installed");
        }
        here
    }

    #[test]
    fn english_is_spoken_at_once_and_ends_when_it_ends() {
        if !installed("flite") {
            return;
        }
        let spoken = SystemVoices::new().synthesize("Say balance, or press one.", &Language::english()).unwrap();
        assert!((1_000..4_000).contains(&spoken.duration_ms()), "{} ms", spoken.duration_ms());
        let edge = spoken.rate_hz as usize / 25;
        assert!(rms_dbov(&spoken.samples[..edge]) > -60.0);
        assert!(rms_dbov(&spoken.samples[spoken.samples.len() - edge..]) > -60.0);
    }

    #[test]
    fn text_that_looks_like_options_or_shell_is_only_text() {
        if !installed("flite") {
            return;
        }
        let flite = Flite::voice("slt");
        for text in
            ["-o /tmp/x", "--help", "-t", "$(touch x); `ls` && \"quoted\"", "one\ntwo", "it\u{2019}s 5\u{20ac} — now"]
        {
            let spoken = flite.synthesize(text, &Language::english()).unwrap();
            assert!(spoken.duration_ms() > 200, "{text}: {} ms", spoken.duration_ms());
        }
        let long = "Please listen carefully, as our options have changed. ".repeat(20);
        assert!(flite.synthesize(&long, &Language::english()).unwrap().duration_ms() > 40_000);
    }

    #[test]
    fn a_slower_pace_takes_longer() {
        if !installed("flite") || !installed("espeak-ng") {
            return;
        }
        for tag in ["en-US", "zh-CN"] {
            let language = Language::parse(tag).unwrap();
            let long = |rate| SystemVoices::new().synthesize_at("seven 七八九", &language, rate).unwrap().duration_ms();
            assert!(long(0.5) > long(1.0) * 5 / 4, "{tag}: {} {}", long(0.5), long(1.0));
        }
    }

    #[test]
    fn a_voice_flite_has_not_is_refused_with_those_it_has() {
        let voices = parse_voices("Voices available: kal awb_time slt \n");
        assert_eq!(voices, ["kal", "awb_time", "slt"]);
        assert!(known("slt", &voices).is_ok());
        let refused = known("sltt", &voices).unwrap_err().to_string();
        assert!(refused.contains("no voice `sltt`") && refused.ends_with("kal, awb_time, slt"), "{refused}");
        if installed("flite") {
            let refused = SystemVoices::speaking("nobody").synthesize("hello", &Language::english()).unwrap_err();
            assert!(refused.to_string().contains("set `voice` in [speech] to one of"), "{refused}");
        }
    }

    #[test]
    fn a_text_without_a_word_is_refused() {
        for text in ["", " \n", "...!"] {
            let refused = SystemVoices::new().synthesize(text, &Language::english());
            assert!(matches!(refused, Err(SynthesizeError::Failed(_))), "{text:?}");
        }
    }

    #[test]
    fn mandarin_is_spoken_by_espeak() {
        if !installed("espeak-ng") {
            return;
        }
        let chinese = Language::parse("zh-CN").unwrap();
        let voices = SystemVoices::new();
        assert_eq!(voices.voice(&chinese), "espeak-ng-cmn");
        assert!(voices.synthesize("您好，请问需要什么帮助？", &chinese).unwrap().duration_ms() > 1_000);
        let klingon = Language::parse("tlh").unwrap();
        assert!(matches!(voices.synthesize("x y", &klingon), Err(SynthesizeError::Failed(_))));
    }

    #[test]
    fn a_program_that_is_not_installed_says_how_to_install_it() {
        let error = speak("trunkline-no-flite", "hello", |_, _| Vec::new()).unwrap_err();
        assert!(matches!(error, SynthesizeError::Unavailable(_)));
        assert!(error.to_string().contains("apt install trunkline-no-flite"), "{error}");
    }
}
