//! Calls that the database would not take, each as a file until it does.
//!
//! `ID.json` is read back when the database works; `ID.json.refused` (a record that breaks a rule of the tables) and
//! `ID.json.unreadable` wait for a person. Nothing here is ever removed before it is stored.

use std::io;
use std::path::{Path, PathBuf};

use crate::call::record::CallRecord;
use crate::files;
use crate::id::CallId;

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
    /// The oldest calls.
    pub records: Vec<CallRecord>,
    /// Their files, in the same order.
    pub files: Vec<PathBuf>,
    /// Names of files that hold no call and were set aside as `NAME.unreadable`, where they could be.
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

    /// Keeps a call until [`Spool::remove`]; once this returns, a crash does not lose it.
    pub fn put(&self, record: &CallRecord) -> io::Result<()> {
        self.write(&self.path(&record.id), record)
    }

    /// Keeps a call where only a person looks.
    pub fn set_aside(&self, record: &CallRecord) -> io::Result<()> {
        self.write(&self.path(&record.id).with_extension("json.refused"), record)
    }

    /// The oldest `limit` calls, without removing them.
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
            match std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
                Some(record) => {
                    found.records.push(record);
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

    /// The call of one of [`Found::files`] is stored now.
    pub fn remove(file: &Path) -> io::Result<()> {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// How many calls wait to be stored.
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

    fn path(&self, id: &CallId) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    fn write(&self, path: &Path, record: &CallRecord) -> io::Result<()> {
        files::create_private_folder(&self.folder)?;
        files::write_private_file(path, &serde_json::to_vec_pretty(&without_nan(record.clone()))?)
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
    use crate::store::conformance::{bare_record, full_record};

    #[test]
    fn a_call_comes_back_as_it_went_and_the_oldest_first() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::of(home.path());
        assert_eq!(spool.read(9).unwrap().records, []);
        spool.put(&bare_record(2)).unwrap();
        spool.put(&full_record(1)).unwrap();
        let found = spool.read(1).unwrap();
        assert_eq!((found.records, found.more), (vec![full_record(1)], true));
        Spool::remove(&found.files[0]).unwrap();
        Spool::remove(&found.files[0]).unwrap();
        let found = spool.read(9).unwrap();
        assert_eq!((found.records, found.more, spool.waiting()), (vec![bare_record(2)], false, 1));
    }

    #[test]
    fn a_call_of_an_older_program_is_read() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::of(home.path());
        let mut json = serde_json::to_value(bare_record(1)).unwrap();
        for younger in ["disposition", "ladder", "reason", "made_for"] {
            assert!(json.as_object_mut().unwrap().remove(younger).is_some(), "{younger}");
        }
        std::fs::create_dir(spool.folder()).unwrap();
        std::fs::write(spool.folder().join("0OLD.json"), json.to_string()).unwrap();
        assert_eq!(spool.read(9).unwrap().records, [bare_record(1)]);
    }

    #[test]
    fn a_torn_file_is_set_aside_and_does_not_hide_the_others() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::of(home.path());
        spool.put(&full_record(2)).unwrap();
        std::fs::write(spool.folder().join("0TORN.json"), br#"{"caller": "+12025550123"#).unwrap();
        std::fs::write(spool.folder().join(".part.json.part"), b"half").unwrap();
        std::fs::create_dir(spool.folder().join("0FOLDER.json")).unwrap();
        let found = spool.read(9).unwrap();
        assert_eq!(found.records, [full_record(2)]);
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
        spool.put(&record).unwrap();
        let found = spool.read(9).unwrap().records;
        assert_eq!(found[0].media.jitter_ms, 0.0);
        assert_eq!(found[0].turns[1].latency.unwrap().queue_ms, 0.0);
    }
}
