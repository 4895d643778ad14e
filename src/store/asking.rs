//! Is this number closed? Asked just before it is called.
//!
//! What callers asked for a moment ago may wait in a file while the database is away, so both are asked, the files first:
//! an entry only ever moves from there to the database. Who cannot be told does not call.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::numbers::NumberPolicy;
use super::spool::Spool;
use super::sqlite::SqliteStore;
use super::suppression::Suppression;
use super::{DATABASE_FILE, Store as _, StoreError};
use crate::pii::Pii;

/// The writer brings the tables of an older program up to date when it starts, which may be right now: so often, and so
/// far apart, it is looked again.
const LOOKS: u32 = 20;
const LOOKS_APART: Duration = Duration::from_millis(100);

/// Where closed numbers are looked up. Every look-up reads the database anew: what is closed now counts now.
#[derive(Clone)]
pub struct Asking {
    database: PathBuf,
    spool: Spool,
    numbers: NumberPolicy,
}

/// It cannot be told whether a number is closed.
#[derive(Debug, thiserror::Error)]
pub enum AskingError {
    /// The database does not say.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nor do the files beside it.
    #[error("{folder} cannot be read: {cause}")]
    Waiting {
        /// Where they are.
        folder: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

impl Asking {
    /// Of the database in `data_dir`, whose numbers are kept like that.
    pub fn of(data_dir: &Path, numbers: NumberPolicy) -> Self {
        Self { database: data_dir.join(DATABASE_FILE), spool: Spool::of(data_dir), numbers }
    }

    /// What closes this number, dialled in `region`, for everybody or in `scope`. `None`: it may be called.
    ///
    /// # Errors
    ///
    /// When that cannot be told.
    pub async fn closing(
        &self,
        number: &Pii<String>,
        region: Option<&str>,
        scope: &str,
        now: Timestamp,
    ) -> Result<Option<Suppression>, AskingError> {
        let sought = self.numbers.sought(number, region);
        let waiting = self.spool.closed();
        let waiting =
            waiting.map_err(|cause| AskingError::Waiting { folder: self.spool.folder().to_owned(), cause })?;
        let closes = |entry: &Suppression| sought.fits(&entry.number) && entry.holds(now) && entry.concerns(&[scope]);
        if let Some(entry) = waiting.into_iter().find(closes) {
            return Ok(Some(entry));
        }
        let store = match self.open().await {
            // Nobody has ever closed anything.
            Err(StoreError::Missing { .. }) => return Ok(None),
            other => other?,
        };
        let found = store.suppressed(&sought, Some(scope), now).await;
        store.close().await;
        Ok(found?)
    }

    async fn open(&self) -> Result<SqliteStore, StoreError> {
        for _ in 1..LOOKS {
            match SqliteStore::open_read_only(&self.database).await {
                Err(StoreError::OtherVersion { .. }) => tokio::time::sleep(LOOKS_APART).await,
                other => return other,
            }
        }
        SqliteStore::open_read_only(&self.database).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{arrival, closed};
    use crate::store::suppression::EVERYWHERE;

    async fn ask(data_dir: &Path, number: &str, scope: &str) -> Result<Option<Suppression>, AskingError> {
        let asking = Asking::of(data_dir, NumberPolicy::FULL);
        asking.closing(&Pii::new(number.to_owned()), Some("US"), scope, arrival(9)).await
    }

    #[tokio::test]
    async fn what_is_closed_now_counts_now_and_where_it_was_closed() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(ask(home.path(), "2025550123", "bank").await.unwrap(), None, "there is no database yet");
        let store = SqliteStore::open(&home.path().join(DATABASE_FILE)).await.unwrap();
        assert_eq!(ask(home.path(), "2025550123", "bank").await.unwrap(), None);
        store.suppress(&[closed(1, "bank")]).await.unwrap();
        assert_eq!(ask(home.path(), "2025550123", "bank").await.unwrap(), Some(closed(1, "bank")));
        assert_eq!(ask(home.path(), "2025550123", "spring").await.unwrap(), None);
        store.suppress(&[closed(2, EVERYWHERE)]).await.unwrap();
        assert_eq!(ask(home.path(), "+1 202 555 0123", "spring").await.unwrap(), Some(closed(2, EVERYWHERE)));
        assert_eq!(ask(home.path(), "+12025550124", "bank").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_number_that_waits_in_a_file_for_the_database_is_closed() {
        let home = tempfile::tempdir().unwrap();
        Spool::of(home.path()).put(&closed(1, EVERYWHERE).into()).unwrap();
        assert_eq!(ask(home.path(), "+12025550123", "bank").await.unwrap(), Some(closed(1, EVERYWHERE)));
        assert_eq!(ask(home.path(), "+12025550124", "bank").await.unwrap(), None);
    }

    #[tokio::test]
    async fn who_cannot_be_told_does_not_call() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(DATABASE_FILE), b"Dear diary, this is not a database. ".repeat(200)).unwrap();
        let error = ask(home.path(), "+12025550123", "bank").await.unwrap_err();
        assert!(error.to_string().contains("is damaged"), "{error}");
        let home = tempfile::tempdir().unwrap();
        Spool::of(home.path()).put(&closed(1, EVERYWHERE).into()).unwrap();
        let waiting = std::fs::read_dir(home.path().join("unsaved")).unwrap().next().unwrap().unwrap().path();
        std::fs::write(&waiting, b"{").unwrap();
        let error = ask(home.path(), "+12025550123", "bank").await.unwrap_err();
        assert!(error.to_string().contains("unsaved cannot be read"), "{error}");
    }
}
