//! Runs a speech program of the system: text in by file, sound out by file, never through a shell.

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io::Read as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::time::{Clock as _, SystemClock};

/// A prompt takes 10 to 100 ms to speak; a program that needs this long hangs.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How often we look whether it has ended: well below what a prompt takes.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// What we keep of its complaints.
const COMPLAINT_BYTES: u64 = 300;
/// What we read of an answer.
const ANSWER_BYTES: u64 = 4096;

/// Why a program gave nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// There is no such program on the path.
    #[error("there is no program `{0}`")]
    Missing(String),
    /// It ran and failed; in its own words where it had any.
    #[error("{0}")]
    Failed(String),
}

/// A folder only we can read, for one run; removed when dropped. Prompt texts may name people.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new folder in the system's temporary directory.
    pub fn new() -> std::io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let temporary = std::env::temp_dir();
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = temporary.join(format!("trunkline-speech-{}-{number}", std::process::id()));
            // Creating fails on anything that exists, a planted link among them.
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `program` with `arguments` and waits, at most 20 seconds.
///
/// # Errors
/// When it is not there, ends with a failure, or has to be stopped.
pub fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<(), ProgramError> {
    run_within(program, arguments, Stdio::null(), TIMEOUT)
}

/// The same; gives the first 4 KB it wrote to its standard output.
///
/// # Errors
/// As [`run`].
pub fn output<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<String, ProgramError> {
    let failed = |cause: &dyn std::fmt::Display| ProgramError::Failed(format!("{program}: {cause}"));
    let scratch = Scratch::new().map_err(|cause| failed(&cause))?;
    let answer = scratch.file("stdout");
    let stdout = std::fs::File::create(&answer).map_err(|cause| failed(&cause))?;
    run_within(program, arguments, stdout.into(), TIMEOUT)?;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(&answer).and_then(|file| file.take(ANSWER_BYTES).read_to_end(&mut bytes));
    read.map_err(|cause| failed(&cause))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn run_within<S: AsRef<OsStr>>(
    program: &str,
    arguments: &[S],
    stdout: Stdio,
    timeout: Duration,
) -> Result<(), ProgramError> {
    let failed = |cause: &dyn std::fmt::Display| ProgramError::Failed(format!("{program}: {cause}"));
    let scratch = Scratch::new().map_err(|cause| failed(&cause))?;
    // Into a file: a pipe that nobody empties would block a talkative program.
    let complaints = scratch.file("stderr");
    let stderr = std::fs::File::create(&complaints).map_err(|cause| failed(&cause))?;
    let spawned = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn();
    let mut child = spawned.map_err(|cause| match cause.kind() {
        std::io::ErrorKind::NotFound => ProgramError::Missing(program.to_owned()),
        _ => failed(&cause),
    })?;
    let deadline = SystemClock.now().mono + timeout;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(failed(&complaint(&complaints, status))),
            Ok(None) if SystemClock.now().mono < deadline => std::thread::sleep(LOOK_EVERY),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(&format!("stopped after {} seconds", timeout.as_secs())));
            }
            Err(cause) => return Err(failed(&cause)),
        }
    }
}

/// The first line it wrote to its standard error, else its exit status.
fn complaint(file: &Path, status: ExitStatus) -> String {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(file).and_then(|file| file.take(COMPLAINT_BYTES).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.filter(|_| read.is_ok()).map_or_else(|| status.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let missing = run("trunkline-no-such-program", &["x"]);
        assert_eq!(missing, Err(ProgramError::Missing("trunkline-no-such-program".into())));
    }

    #[test]
    fn a_failing_program_is_quoted_and_a_silent_one_gives_its_status() {
        let quoted = run("sh", &["-c", "echo; echo no such voice >&2; exit 3"]).unwrap_err();
        assert_eq!(quoted.to_string(), "sh: no such voice");
        assert!(run("false", &[] as &[&str]).unwrap_err().to_string().contains("exit status: 1"));
    }

    #[test]
    fn an_answer_is_read_but_not_without_end() {
        assert_eq!(output("echo", &["two", "words"]), Ok("two words\n".to_owned()));
        let endless = output("sh", &["-c", "head -c 100000 /dev/zero"]).unwrap();
        assert_eq!(endless.len() as u64, ANSWER_BYTES);
    }

    #[test]
    fn a_program_that_hangs_is_stopped() {
        let error = run_within("sleep", &["600"], Stdio::null(), Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("stopped"), "{error}");
    }

    #[test]
    fn the_scratch_folder_is_private_and_goes_away() {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = Scratch::new().unwrap();
        let path = scratch.0.clone();
        std::fs::write(scratch.file("text"), "x").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(scratch);
        assert!(!path.exists());
    }
}
