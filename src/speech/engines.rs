//! Which engine hears which language.

use std::sync::Arc;

use super::models::ModelDirs;
use super::moonshine::MoonshineEngine;
use super::{RecognizeError, Recognizer};
use crate::language::Language;

/// An installed recognition engine; opens one recogniser for each worker.
pub trait Engine: Send + Sync {
    /// For logs, metrics and `trunkline doctor`.
    fn name(&self) -> &str;

    /// Does it understand this language?
    fn hears(&self, language: &Language) -> bool;

    /// A recogniser of its own for one worker. Blocking; may read files.
    ///
    /// # Errors
    /// [`RecognizeError::Unavailable`] with what to do, when its files cannot be used.
    fn open(&self) -> Result<Box<dyn Recognizer>, RecognizeError>;
}

/// The engines of this machine, best first, and why others are absent.
#[derive(Clone, Default)]
pub struct Engines {
    installed: Vec<Arc<dyn Engine>>,
    absent: Vec<Absent>,
}

/// An engine that could serve a language if its files were here.
#[derive(Clone)]
struct Absent {
    primary: &'static str,
    sentence: String,
}

impl Engines {
    /// Everything whose files are found in `dirs`.
    pub fn auto(dirs: &ModelDirs) -> Self {
        let mut engines = Self::default();
        match MoonshineEngine::find(dirs) {
            Ok(engine) => engines.installed.push(Arc::new(engine)),
            Err(sentence) => engines.absent.push(Absent { primary: "en", sentence }),
        }
        engines
    }

    /// Exactly these.
    pub fn of(installed: Vec<Arc<dyn Engine>>) -> Self {
        Self { installed, absent: Vec::new() }
    }

    /// Place in [`Self::installed`] of the engine for `language`.
    ///
    /// # Errors
    /// [`RecognizeError::Unavailable`]: which files are missing, or that no engine here knows the language.
    pub fn choose(&self, language: &Language) -> Result<usize, RecognizeError> {
        let place = self.installed.iter().position(|engine| engine.hears(language));
        place.ok_or_else(|| {
            let absent = self.absent.iter().find(|absent| absent.primary == language.primary());
            RecognizeError::Unavailable(absent.map_or_else(
                || format!("no speech recogniser here understands {language}; callers can use the keys"),
                |absent| absent.sentence.clone(),
            ))
        })
    }

    /// The engines that are here.
    pub fn installed(&self) -> &[Arc<dyn Engine>] {
        &self.installed
    }

    /// What to do about the engines that are not here, one sentence each.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.absent.iter().map(|absent| absent.sentence.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_model_says_what_to_run_and_where_it_belongs() {
        let folder = tempfile::tempdir().unwrap();
        let engines = Engines::auto(&ModelDirs::only(folder.path()));
        assert!(engines.installed().is_empty());
        let Err(RecognizeError::Unavailable(sentence)) = engines.choose(&Language::english()) else {
            panic!("nothing is installed");
        };
        assert!(sentence.contains("scripts/models"), "{sentence}");
        assert!(sentence.contains(&folder.path().display().to_string()), "{sentence}");
        assert_eq!(engines.missing().count(), 1);
    }

    #[test]
    fn a_language_nobody_knows_is_said_so() {
        let chinese = Language::parse("zh-CN").unwrap();
        let error = Engines::default().choose(&chinese).unwrap_err();
        assert!(error.to_string().contains("zh-CN"), "{error}");
    }
}
