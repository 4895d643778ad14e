//! Events the webhook has not been told yet, each as a private file: what a stop or a crash leaves behind is told after the
//! next start.
//!
//! ```text
//!   happened ─▶ KEY.json ─ told, or refused for good ─▶ removed
//!                  └ stopped in between ─ start ─▶ told again, under the same key, for a day
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::files;

/// Name of the folder in the data directory.
pub const FOLDER: &str = "untold";
/// Events kept at most: a webhook that is away for a busy day must not fill a disk.
pub const MOST: usize = 2_000;
/// A longer file is none of ours: 60 lines of a thousand characters fit four times.
const LONGEST_FILE: u64 = 1 << 20;
/// Nobody needs to know later than this that a telephone rang.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 3_600);

/// An event, and what its repeats are known by. It holds a caller's number and words.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Untold {
    /// Its idempotency key, and its file's name: begins with the call's id, so that names sort by time.
    pub key: String,
    /// When it happened.
    pub at: Timestamp,
    /// As it is sent.
    pub event: Json,
}

impl std::fmt::Debug for Untold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Untold").field("key", &self.key).field("at", &self.at).finish_non_exhaustive()
    }
}

/// The folder of such files. Clones are the same.
#[derive(Clone, Debug)]
pub struct Untolds {
    folder: PathBuf,
    /// Files in it, as far as this process knows.
    kept: Arc<AtomicUsize>,
}

impl Untolds {
    /// That of a data directory.
    pub fn of(data_dir: &Path) -> Self {
        let folder = data_dir.join(FOLDER);
        let kept = names(&folder).map_or(0, |names| names.len());
        Self { folder, kept: Arc::new(AtomicUsize::new(kept)) }
    }

    /// Keeps an event until [`Untolds::forget`]. `false`: there are too many already.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn keep(&self, untold: &Untold) -> io::Result<bool> {
        if self.kept.load(Ordering::Relaxed) >= MOST {
            return Ok(false);
        }
        files::create_private_folder(&self.folder)?;
        files::write_private_file(&self.file(&untold.key), &serde_json::to_vec(untold)?)?;
        self.kept.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    }

    /// It was told, or never will be.
    pub fn forget(&self, key: &str) {
        if std::fs::remove_file(self.file(key)).is_ok() {
            let _ = self.kept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |kept| Some(kept.saturating_sub(1)));
        }
    }

    /// What an earlier run has left, the oldest first. What is too old at `now`, or nothing of ours, is removed.
    pub fn left(&self, now: Timestamp) -> Vec<Untold> {
        let mut names = names(&self.folder).unwrap_or_default();
        names.sort_unstable();
        let mut left = Vec::new();
        for key in names.iter().filter_map(|name| name.strip_suffix(".json")) {
            match self.read(key).filter(|untold| now.duration_since(untold.at).unsigned_abs() <= KEPT_FOR) {
                Some(untold) => left.push(untold),
                None => self.forget(key),
            }
        }
        left
    }

    fn read(&self, key: &str) -> Option<Untold> {
        let path = self.file(key);
        let length = std::fs::metadata(&path).ok()?.len();
        let bytes = (length <= LONGEST_FILE).then(|| std::fs::read(&path).ok())??;
        serde_json::from_slice(&bytes).ok().filter(|untold: &Untold| untold.key == key)
    }

    fn file(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.json"))
    }
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let names = std::fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| !name.starts_with('.') && name.ends_with(".json")).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn untold(key: &str, at: i64) -> Untold {
        Untold { key: key.into(), at: Timestamp::from_second(at).unwrap(), event: json!({ "event": "agent.over" }) }
    }

    #[test]
    fn what_a_stop_leaves_is_found_again_in_order_and_what_was_told_is_not() {
        let home = tempfile::tempdir().unwrap();
        let before = Untolds::of(home.path());
        for key in ["01-b-2", "01-a-1", "01-b-1"] {
            assert!(before.keep(&untold(key, 1_000)).unwrap());
        }
        before.forget("01-b-1");
        let left = Untolds::of(home.path()).left(Timestamp::from_second(1_060).unwrap());
        assert_eq!(left, [untold("01-a-1", 1_000), untold("01-b-2", 1_000)]);
        assert!(!format!("{left:?}").contains("agent.over"), "it holds a caller's words");
    }

    #[test]
    fn what_is_old_or_strange_is_removed_and_a_full_folder_takes_no_more() {
        let home = tempfile::tempdir().unwrap();
        let untolds = Untolds::of(home.path());
        untolds.keep(&untold("01-old-1", 1_000)).unwrap();
        untolds.keep(&untold("01-new-1", 90_000)).unwrap();
        let folder = home.path().join(FOLDER);
        std::fs::write(folder.join("strange.json"), "{}").unwrap();
        // A file that claims to be another would remove that one.
        std::fs::write(folder.join("other.json"), serde_json::to_vec(&untold("01-new-1", 90_000)).unwrap()).unwrap();
        let left = untolds.left(Timestamp::from_second(90_000).unwrap());
        assert_eq!(left, [untold("01-new-1", 90_000)]);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        untolds.kept.store(MOST, Ordering::Relaxed);
        assert!(!untolds.keep(&untold("01-more-1", 90_000)).unwrap());
    }
}
