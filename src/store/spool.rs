//! What the database would not take, each as a file until it does.
//!
//! `ID.json` is a call and `ID.….closed.json` a number closed in one; both are read back when the database works.
//! `….refused` (what breaks a rule of the tables) and `….unreadable` wait for a person. Nothing here is ever removed
//! before it is stored.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::entry::Entry;
use super::suppression::Suppression;
use crate::call::record::CallRecord;
use crate::files;

/// Name of the folder in the data directory.
pub const FOLDER: &str = "unsaved";

/// The folder of calls not yet stored.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: PathBuf,
}

/// What [`Spool::read`] found.
#[derive(Debug, Default)]
pub struct Found {
    /// The oldest entries.
    pub entries: Vec<Entry>,
    /// Their files, in the same order.
    pub files: Vec<PathBuf>,
    /// Names of files that hold nothing of the kind and were set aside as `NAME.unreadable`, where they could be.
    pub set_aside: Vec<String>,
    /// There are more.
    pub more: bool,
}

impl Spool {
    /// The spool of a data directory. Touches nothing yet.
    pub fn of(data_dir: &Path) -> Self {
        Self { folder: data_dir.join(FOLDER) }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps an entry until [`Spool::remove`]; once this returns, a crash does not lose it.
    pub fn put(&self, entry: &Entry) -> io::Result<()> {
        self.write(&self.path(entry), entry)
    }

    /// Keeps an entry where only a person looks.
    pub fn set_aside(&self, entry: &Entry) -> io::Result<()> {
        self.write(&self.path(entry).with_extension("json.refused"), entry)
    }

    /// The oldest `limit` entries, without removing them.
    pub fn read(&self, limit: usize) -> io::Result<Found> {
        let mut names = self.names()?;
        let more = names.len() > limit;
        // Ids sort by arrival.
        names.sort_unstable();
        names.truncate(limit);
        let mut found = Found { more, ..Found::default() };
        for name in names {
            let path = self.folder.join(&name);
            // serde's message may quote a number or a word: only the name is passed on.
            match std::fs::read(&path).ok().and_then(|bytes| parse(&name, &bytes)) {
                Some(entry) => {
                    found.entries.push(entry);
                    found.files.push(path);
                }
                None => {
                    // One that cannot even be renamed must not keep the others from being stored.
                    let _ = std::fs::rename(&path, path.with_extension("json.unreadable"));
                    found.set_aside.push(name);
                }
            }
        }
        Ok(found)
    }

    /// Every number that is closed and waits, wherever it waits in line. An error also where one cannot be read: it may be
    /// anybody's.
    pub fn closed(&self) -> io::Result<Vec<Suppression>> {
        let mut found = Vec::new();
        for name in self.names()?.into_iter().filter(|name| name.ends_with(CLOSED)) {
            match std::fs::read(self.folder.join(&name)) {
                Ok(bytes) => found.push(serde_json::from_slice(&bytes).map_err(|_| io::ErrorKind::InvalidData)?),
                // Stored meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// What one of [`Found::files`] holds is stored now.
    pub fn remove(file: &Path) -> io::Result<()> {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// How many entries wait to be stored.
    pub fn waiting(&self) -> usize {
        self.names().map_or(0, |names| names.len())
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter(|name| !name.starts_with('.') && name.ends_with(".json")).collect())
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        self.folder.join(match entry {
            Entry::Call(record) => format!("{}.json", record.id),
            Entry::Closed(closed) => name_of(closed),
        })
    }

    fn write(&self, path: &Path, entry: &Entry) -> io::Result<()> {
        files::create_private_folder(&self.folder)?;
        let json = match entry {
            Entry::Call(record) => serde_json::to_vec_pretty(&without_nan(record.as_ref().clone()))?,
            Entry::Closed(closed) => serde_json::to_vec_pretty(closed.as_ref())?,
        };
        files::write_private_file(path, &json)
    }
}

/// How the file of a number that is closed ends.
const CLOSED: &str = ".closed.json";

/// `ID.1f0c….closed.json`: the same for the same number and scope in the same call, and without the number.
fn name_of(closed: &Suppression) -> String {
    let Suppression { number, scope, call, .. } = closed;
    let mark = Sha256::new().chain_update(number.reveal()).chain_update([0]).chain_update(scope).finalize();
    let mark = mark.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
    let call = call.as_ref().map_or_else(String::new, |call| format!("{call}."));
    format!("{call}{mark}{CLOSED}")
}

fn parse(name: &str, bytes: &[u8]) -> Option<Entry> {
    match name.ends_with(CLOSED) {
        true => serde_json::from_slice::<Suppression>(bytes).ok().map(Entry::from),
        false => serde_json::from_slice::<CallRecord>(bytes).ok().map(Entry::from),
    }
}

/// JSON writes NaN and infinity as null, which would not be read back: a measurement that failed counts as none.
fn without_nan(mut record: CallRecord) -> CallRecord {
    let latencies = record.turns.iter_mut().filter_map(|turn| turn.latency.as_mut());
    let parts = latencies.flat_map(|it| {
        let crate::call::record::Latency {
            endpointing_ms,
            queue_ms,
            recognition_ms,
            understanding_ms,
            first_packet_ms,
            total_ms,
        } = it;
        [endpointing_ms, queue_ms, recognition_ms, understanding_ms, first_packet_ms, total_ms]
    });
    parts.chain([&mut record.media.jitter_ms]).filter(|number| !number.is_finite()).for_each(|number| *number = 0.0);
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{bare_record, closed, full_record};
    use crate::store::suppression::EVERYWHERE;

    #[test]
    fn a_call_comes_back_as_it_went_and_the_oldest_first() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::of(home.path());
        assert_eq!(spool.read(9).unwrap().entries, []);
        spool.put(&bare_record(2).into()).unwrap();
        spool.put(&full_record(1).into()).unwrap();
        let found = spool.read(1).unwrap();
        assert_eq!((found.entries, found.more), (vec![full_record(1).into()], true));
        Spool::remove(&found.files[0]).unwrap();
        Spool::remove(&found.files[0]).unwrap();
        let found = spool.read(9).unwrap();
        assert_eq!((found.entries, found.more, spool.waiting()), (vec![bare_record(2).into()], false, 1));
    }

    #[test]
    fn a_call_of_an_older_program_is_read() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::of(home.path());
        let mut json = serde_json::to_value(bare_record(1)).unwrap();
        for younger in ["disposition", "ladder", "reason", "made_for", "language", "outcomes"] {
            assert!(json.as_object_mut().unwrap().remove(younger).is_some(), "{younger}");
        }
        std::fs::create_dir(spool.folder()).unwrap();
        std::fs::write(spool.folder().join("0OLD.json"), json.to_string()).unwrap();
        assert_eq!(spool.read(9).unwrap().entries, [bare_record(1).into()]);
    }

    #[test]
    fn a_number_closed_in_a_call_waits_beside_it_and_twice_is_once() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::of(home.path());
        spool.put(&bare_record(1).into()).unwrap();
        spool.put(&closed(1, EVERYWHERE).into()).unwrap();
        spool.put(&closed(1, EVERYWHERE).into()).unwrap();
        spool.put(&closed(1, "spring").into()).unwrap();
        let found = spool.read(9).unwrap();
        assert_eq!((found.entries.len(), found.set_aside.len()), (3, 0));
        for entry in [bare_record(1).into(), closed(1, EVERYWHERE).into(), closed(1, "spring").into()] {
            assert!(found.entries.contains(&entry), "{entry:?}");
        }
        assert!(found.files.iter().all(|file| !file.to_string_lossy().contains("2025550123")), "{:?}", found.files);
        std::fs::write(&found.files[0], b"{}").unwrap();
        assert_eq!(spool.read(9).unwrap().set_aside.len(), 1);
    }

    #[test]
    fn a_torn_file_is_set_aside_and_does_not_hide_the_others() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::of(home.path());
        spool.put(&full_record(2).into()).unwrap();
        std::fs::write(spool.folder().join("0TORN.json"), br#"{"caller": "+12025550123"#).unwrap();
        std::fs::write(spool.folder().join(".part.json.part"), b"half").unwrap();
        std::fs::create_dir(spool.folder().join("0FOLDER.json")).unwrap();
        let found = spool.read(9).unwrap();
        assert_eq!(found.entries, [full_record(2).into()]);
        assert_eq!(found.set_aside, ["0FOLDER.json", "0TORN.json"]);
        assert!(spool.folder().join("0TORN.json.unreadable").exists());
    }

    #[test]
    fn a_failed_measurement_does_not_make_a_call_unreadable() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::of(home.path());
        let mut record = full_record(1);
        record.media.jitter_ms = f64::NAN;
        if let Some(latency) = record.turns[1].latency.as_mut() {
            latency.queue_ms = f64::INFINITY;
        }
        spool.put(&record.into()).unwrap();
        let found = spool.read(9).unwrap().entries;
        let Entry::Call(record) = &found[0] else { panic!("{found:?}") };
        assert_eq!(record.media.jitter_ms, 0.0);
        assert_eq!(record.turns[1].latency.unwrap().queue_ms, 0.0);
    }
}
