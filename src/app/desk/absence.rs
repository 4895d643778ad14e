//! Who is away because somebody said so, in a file: a restart must not send callers to an empty chair.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::files;

/// Its name in the data directory: agents' names, a line each.
const FILE: &str = "agents-away";

/// Agents who are away until they are told back.
#[derive(Debug)]
pub(super) struct Absence {
    path: PathBuf,
    names: BTreeSet<String>,
}

impl Absence {
    /// As it was kept last; everybody is there, where nothing was.
    ///
    /// # Errors
    ///
    /// The disk's: who was away is not known.
    pub fn read(data_dir: &Path) -> (Self, io::Result<()>) {
        let path = data_dir.join(FILE);
        let (names, read) = match std::fs::read_to_string(&path) {
            Ok(text) => (text.lines().map(str::to_owned).filter(|name| !name.is_empty()).collect(), Ok(())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (BTreeSet::new(), Ok(())),
            Err(error) => (BTreeSet::new(), Err(error)),
        };
        (Self { path, names }, read)
    }

    /// Who is away.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Somebody goes, or is back; kept when this returns.
    ///
    /// # Errors
    ///
    /// The disk's: it is forgotten by the next start.
    pub fn set(&mut self, name: &str, away: bool) -> io::Result<()> {
        let changed = if away { self.names.insert(name.to_owned()) } else { self.names.remove(name) };
        if !changed {
            return Ok(());
        }
        let text: String = self.names.iter().map(|name| format!("{name}\n")).collect();
        files::write_private_file(&self.path, text.as_bytes())
    }
}
