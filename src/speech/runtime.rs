//! The ONNX runtime: a shared library loaded while the program runs, so that a machine without it still answers
//! calls and takes keys.
//!
//! `ort` panics when it has to find the library by itself; so nothing of `ort` is touched before [`environment`]
//! has loaded a file that exists, and loading is fenced against panics as well.

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{InMemorySession, Session};

use super::RecognizeError;
use super::models::ModelDirs;

/// The one environment a process may have; `ort` refuses a second one even after the first was dropped.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// Model files already read; see [`weights`].
static WEIGHTS: Mutex<BTreeMap<PathBuf, &'static [u8]>> = Mutex::new(BTreeMap::new());

/// Loads the runtime once; later calls share it. A failure is not remembered: the next call tries again.
///
/// # Errors
/// [`RecognizeError::Unavailable`], saying what is missing or unfit and what to do.
pub fn environment(dirs: &ModelDirs) -> Result<Environment, RecognizeError> {
    let mut shared = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = shared.as_ref() {
        return Ok(environment.clone());
    }
    let path = dirs.runtime_library().map_err(RecognizeError::Unavailable)?;
    let environment = load(&path).map_err(|cause| {
        let advice = dirs.advice("onnxruntime/libonnxruntime.so");
        RecognizeError::Unavailable(format!("the ONNX runtime `{}` is unfit ({cause}): {advice}", path.display()))
    })?;
    tracing::info!(library = %path.display(), "ONNX runtime loaded");
    Ok(shared.insert(environment).clone())
}

/// Opens the library, checks its version, makes the environment. No usage reports leave the machine.
fn load(path: &Path) -> Result<Environment, String> {
    let attempt = || -> Result<Environment, String> {
        let builder = ort::init_from(path).map_err(|cause| cause.to_string())?;
        let builder = builder.with_name("trunkline").with_telemetry(false).with_logger(Arc::new(log));
        builder.build().map_err(|cause| cause.to_string())
    };
    catch_unwind(attempt).unwrap_or_else(|_| Err("it does not offer the interface we need".to_owned()))
}

/// The runtime's own complaints: whatever matters comes back as an error as well, so they are for debugging only.
fn log(level: LogLevel, _category: &str, _id: &str, place: &str, message: &str) {
    match level {
        LogLevel::Warning | LogLevel::Error | LogLevel::Fatal => tracing::debug!(place, message, "ONNX runtime"),
        LogLevel::Verbose | LogLevel::Info => {}
    }
}

/// A session over `weights`, for one thread: two threads a job were measured slower than one on a busy machine.
///
/// # Errors
/// A sentence from the runtime.
pub fn session(environment: &Environment, weights: &'static [u8]) -> Result<InMemorySession<'static>, String> {
    let build = || -> ort::Result<InMemorySession<'static>> {
        let mut builder = Session::builder(environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?;
        builder.commit_from_memory_directly(weights)
    };
    let fenced = catch_unwind(std::panic::AssertUnwindSafe(build));
    fenced.map_err(|_| "the runtime panicked".to_owned())?.map_err(|cause| cause.to_string())
}

/// The bytes of a model file, read once per process and never given back: every worker's session refers into them,
/// so that two workers cost the weights once, and weights are wanted for as long as calls are answered.
pub fn weights(path: &Path) -> std::io::Result<&'static [u8]> {
    let mut known = WEIGHTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(bytes) = known.get(path) {
        return Ok(bytes);
    }
    let bytes: &'static [u8] = Box::leak(std::fs::read(path)?.into_boxed_slice());
    known.insert(path.to_owned(), bytes);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_none_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libonnxruntime.so");
        std::fs::write(&path, b"this is no shared library").unwrap();
        let cause = load(&path).unwrap_err();
        assert!(!cause.is_empty());
    }
}
