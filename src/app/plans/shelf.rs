//! Earlier versions of a plan in the data folder: what they said, by content hash, and which of them was in force when.
//!
//! ```text
//! plans/bank-main-1f0c9a3e/            the file's name, and where it lies, as a hash
//!   history.json                       what was in force, in that order; what was put aside by hand
//!   4be1d5c07a2f9e31.json              what the file, and all that it includes and runs, said then
//! ```
//!
//! Recordings are not kept: they are large, and belong to whoever made them. A version whose recordings have changed
//! since has another hash and is not taken for itself.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::versions::Versions;
use crate::dialplan::load::Texts;
use crate::files::{create_private_folder, write_private_file};

/// Texts kept of one plan; the oldest go first.
const MOST_TEXTS: usize = 50;

/// What is kept of one plan.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// Of the plan in `file`, in this data folder. Nothing is made until there is something to keep.
    pub fn of(data_dir: &Path, file: &Path) -> Self {
        let place = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let digest = Sha256::digest(place.as_os_str().as_encoded_bytes());
        let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let stem: String =
            stem.chars().map(|c| if c.is_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect();
        Self { folder: data_dir.join("plans").join(format!("{stem}-{short}")) }
    }

    /// What was in force before; nothing where nobody has kept anything yet.
    pub fn versions(&self) -> io::Result<Versions> {
        match std::fs::read(self.history()) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Versions::default()),
            Err(error) => Err(error),
        }
    }

    /// Keeps what was in force. Blocking.
    pub fn keep(&self, versions: &Versions) -> io::Result<()> {
        create_private_folder(&self.folder)?;
        let text = serde_json::to_vec_pretty(versions).map_err(io::Error::other)?;
        write_private_file(&self.history(), &text)?;
        self.forget(versions);
        Ok(())
    }

    /// Keeps what the plan's files say in this version. Blocking.
    pub fn keep_texts(&self, version: &str, texts: &Texts) -> io::Result<()> {
        let place = self.texts_of(version);
        if place.exists() {
            return Ok(());
        }
        create_private_folder(&self.folder)?;
        let bytes = serde_json::to_vec(texts).map_err(io::Error::other)?;
        write_private_file(&place, &bytes)
    }

    /// What the plan's files said in this version.
    pub fn texts(&self, version: &str) -> io::Result<Texts> {
        serde_json::from_slice(&std::fs::read(self.texts_of(version))?).map_err(io::Error::other)
    }

    /// Removes the texts of versions that fell out of memory, and the oldest where there are too many.
    fn forget(&self, versions: &Versions) {
        let known = versions.in_force().into_iter().chain(versions.before()).take(MOST_TEXTS);
        let mut kept: BTreeSet<&str> = known.map(|seen| seen.version.as_str()).collect();
        kept.extend(versions.put_aside());
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        for place in entries.flatten().map(|entry| entry.path()) {
            let version = place.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if place != self.history() && !kept.contains(version.as_str()) {
                // Only room is lost if it stays.
                let _ = std::fs::remove_file(place);
            }
        }
    }

    fn history(&self) -> PathBuf {
        self.folder.join("history.json")
    }

    fn texts_of(&self, version: &str) -> PathBuf {
        self.folder.join(format!("{version}.json"))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn plans_of_one_name_in_two_folders_are_kept_apart() {
        let data = Path::new("/data");
        let [one, other, odd] =
            ["/a/bank.yaml", "/b/bank.yaml", "/a/b k\n.yaml"].map(|file| Shelf::of(data, Path::new(file)).folder);
        assert!(one.starts_with("/data/plans") && one != other);
        assert!(odd.file_name().unwrap().to_str().unwrap().starts_with("b_k_-"), "{odd:?}");
    }

    #[test]
    fn what_was_kept_is_read_again_and_what_was_damaged_is_no_history() {
        let data = tempfile::tempdir().unwrap();
        let shelf = Shelf::of(data.path(), Path::new("/etc/bank.yaml"));
        assert_eq!(shelf.versions().unwrap(), Versions::default());
        let mut versions = Versions::default();
        versions.enforce("aa", Timestamp::UNIX_EPOCH);
        let texts = vec![("/etc/bank.yaml".into(), "dialplan: 1\n".to_owned())];
        shelf.keep_texts("aa", &texts).unwrap();
        shelf.keep(&versions).unwrap();
        assert_eq!(shelf.versions().unwrap(), versions);
        assert_eq!(shelf.texts("aa").unwrap(), texts);
        std::fs::write(shelf.history(), "{").unwrap();
        assert!(shelf.versions().is_err());
    }

    #[test]
    fn only_so_many_texts_are_kept_and_never_without_the_one_in_force() {
        let data = tempfile::tempdir().unwrap();
        let shelf = Shelf::of(data.path(), Path::new("/etc/bank.yaml"));
        let mut versions = Versions::default();
        for number in 0..MOST_TEXTS + 3 {
            let version = format!("v{number:03}");
            shelf.keep_texts(&version, &Texts::new()).unwrap();
            versions.enforce(&version, Timestamp::UNIX_EPOCH);
            shelf.keep(&versions).unwrap();
        }
        let texts = std::fs::read_dir(&shelf.folder).unwrap().count() - 1;
        assert_eq!(texts, MOST_TEXTS);
        assert!(shelf.texts("v052").is_ok() && shelf.texts("v000").is_err());
    }
}
