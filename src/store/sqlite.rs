//! The store in one file, through SQLite: no server to run, and fast enough for one node.
//!
//! The write-ahead log lets `trunkline calls` read while `serve` writes. `synchronous = full` makes a commit survive
//! a power cut, because the record is proof (of what was said, later of what was dialled); the background writer
//! puts many calls into one commit, so the price is one flush a batch, not one a call.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Row as _};
use tokio::sync::mpsc;

use super::lists::{Batch, ImportOrder, Imported, ListState};
use super::suppression::{Lifted, Lifting, Sought, Suppression, Tally, Which};
use super::{CallFilter, CallSummary, Store, StoreError};
use crate::call::record::CallRecord;
use crate::files;

mod insert;
mod lists;
mod rows;
mod suppression;

/// Tables, as steps from nothing to now.
static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a statement waits for another program's lock before it fails: longer than a backup's pauses. Only the
/// background writer waits, and it tries again.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// One connection writes (SQLite has one writer anyway), the others let somebody read meanwhile.
const CONNECTIONS: u32 = 3;
/// SQLite keeps its log and its shared index in files of these endings beside the database.
const SIDE_FILES: [&str; 2] = ["-wal", "-shm"];

/// An open database file.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    pool: SqlitePool,
    file: PathBuf,
    /// Device and inode, as opened.
    identity: Option<(u64, u64)>,
}

impl SqliteStore {
    /// Opens `file` for writing, makes it and its folder (both private) when missing, and brings its tables up to
    /// date.
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        Self::open_patiently(file, BUSY_TIMEOUT).await
    }

    /// Like [`SqliteStore::open`], waiting up to `busy_timeout` for other programs' locks, each time.
    pub async fn open_patiently(file: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        make_private(file).map_err(|error| of_io(file, &error))?;
        let store = Self::connect(file, writing(file).busy_timeout(busy_timeout)).await?;
        MIGRATIONS.run(&store.pool).await.map_err(|error| of_migration(file, error))?;
        Ok(store)
    }

    /// Opens an existing `file` only to read, which is safe while `trunkline serve` writes to it.
    pub async fn open_read_only(file: &Path) -> Result<Self, StoreError> {
        match std::fs::metadata(file) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Missing { file: file.to_owned() });
            }
            Err(error) => return Err(of_io(file, &error)),
        }
        let options = quiet(SqliteConnectOptions::new().filename(file).read_only(true)).busy_timeout(BUSY_TIMEOUT);
        let store = Self::connect(file, options).await?;
        store.check_version().await?;
        Ok(store)
    }

    /// Ends all connections; the log is folded into the file.
    pub async fn close(self) {
        self.pool.close().await;
    }

    /// Is its file still the one that was opened? One that somebody has moved or removed would swallow every commit.
    pub fn is_in_place(&self) -> bool {
        self.identity.is_some() && self.identity == identity(&self.file)
    }

    async fn connect(file: &Path, options: SqliteConnectOptions) -> Result<Self, StoreError> {
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            // A file does not hang up: neither age nor idleness is a reason to connect again.
            .max_lifetime(None)
            .idle_timeout(None)
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(|error| of_sqlx(file, &error))?;
        Ok(Self { pool, file: file.to_owned(), identity: identity(file) })
    }

    async fn check_version(&self) -> Result<(), StoreError> {
        let newest = MIGRATIONS.iter().map(|step| step.version).max().unwrap_or(0);
        let other = |fault: String, advice| StoreError::OtherVersion { file: self.file.clone(), fault, advice };
        const UPDATE: &str = "start `trunkline serve` once, it brings the tables up to date";
        // `trunkline serve` has just begun to make it: nothing is wrong, it only is not there yet.
        let not_yet = || StoreError::Missing { file: self.file.clone() };
        let tables = sqlx::query("select count(*), coalesce(sum(name = '_sqlx_migrations'), 0) from sqlite_schema");
        let row = tables.fetch_one(&self.pool).await.map_err(|error| self.fault(&error))?;
        let count = |column: usize| row.try_get::<i64, _>(column).map_err(|error| self.fault(&error));
        match (count(0)?, count(1)?) {
            (0, _) => return Err(not_yet()),
            (_, 0) => return Err(other("it has no tables of ours".to_owned(), UPDATE)),
            _ => {}
        }
        let applied = sqlx::query("select coalesce(max(version), 0) from _sqlx_migrations where success");
        let row = applied.fetch_one(&self.pool).await.map_err(|error| self.fault(&error))?;
        let found = row.try_get::<i64, _>(0).map_err(|error| self.fault(&error))?;
        if found == 0 {
            return Err(not_yet());
        }
        let fault = format!("its tables are of version {found}, ours of {newest}");
        match found.cmp(&newest) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less => Err(other(fault, UPDATE)),
            std::cmp::Ordering::Greater => Err(other(fault, NEWER)),
        }
    }

    fn fault(&self, error: &sqlx::Error) -> StoreError {
        of_sqlx(&self.file, error)
    }
}

/// Advice for a database that a newer program has had.
const NEWER: &str = "use the newer trunkline that wrote it, or move the file away";

#[async_trait]
impl Store for SqliteStore {
    async fn save(&self, records: &[CallRecord]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        // `immediate` takes the write lock at once: a deferred one could lose it between two statements.
        let fault = |error: sqlx::Error| self.fault(&error);
        let mut transaction = self.pool.begin_with("begin immediate").await.map_err(fault)?;
        if let Err(error) = insert::insert(&mut transaction, records).await {
            // Said and awaited: a dropped transaction is rolled back some time later, and holds the lock till then.
            transaction.rollback().await.map_err(fault)?;
            return Err(self.fault(&error));
        }
        transaction.commit().await.map_err(fault)
    }

    async fn suppress(&self, closed: &[Suppression]) -> Result<(), StoreError> {
        if closed.is_empty() {
            return Ok(());
        }
        let fault = |error: sqlx::Error| self.fault(&error);
        let mut transaction = self.pool.begin_with("begin immediate").await.map_err(fault)?;
        if let Err(error) = suppression::close(&mut transaction, closed).await {
            transaction.rollback().await.map_err(fault)?;
            return Err(self.fault(&error));
        }
        transaction.commit().await.map_err(fault)
    }

    async fn suppressed(
        &self,
        number: &Sought,
        scope: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Suppression>, StoreError> {
        suppression::find(&self.pool, number, scope, now).await.map_err(|error| self.fault(&error))
    }

    async fn entries(&self, number: &Sought) -> Result<Vec<Suppression>, StoreError> {
        suppression::entries(&self.pool, number).await.map_err(|error| self.fault(&error))
    }

    async fn lift(&self, number: &Sought, which: &Lifting, lifted: &Lifted) -> Result<Vec<Suppression>, StoreError> {
        let fault = |error: sqlx::Error| self.fault(&error);
        let mut transaction = self.pool.begin_with("begin immediate").await.map_err(fault)?;
        match suppression::lift(&mut transaction, number, which, lifted).await {
            Ok(entries) => transaction.commit().await.map(|()| entries).map_err(fault),
            Err(error) => {
                transaction.rollback().await.map_err(fault)?;
                Err(self.fault(&error))
            }
        }
    }

    async fn import(&self, order: &ImportOrder, batches: mpsc::Receiver<Batch>) -> Result<Imported, StoreError> {
        lists::import(&self.pool, order, batches).await.map_err(|error| self.fault(&error))
    }

    async fn lists(&self) -> Result<Vec<ListState>, StoreError> {
        lists::lists(&self.pool).await.map_err(|error| self.fault(&error))
    }

    async fn tally(&self, which: &Which, now: Timestamp) -> Result<Vec<Tally>, StoreError> {
        lists::tally(&self.pool, which, now).await.map_err(|error| self.fault(&error))
    }

    async fn page(&self, which: &Which, place: i64, limit: u32) -> Result<(Vec<Suppression>, i64), StoreError> {
        lists::page(&self.pool, which, (place, limit)).await.map_err(|error| self.fault(&error))
    }

    async fn list(&self, filter: &CallFilter) -> Result<Vec<CallSummary>, StoreError> {
        rows::list(&self.pool, filter).await.map_err(|error| self.fault(&error))
    }

    async fn get(&self, id: &str) -> Result<CallRecord, StoreError> {
        let typed = id.trim().to_ascii_uppercase();
        // One transaction, so that the tables are read as of one moment.
        let mut reading = self.pool.begin().await.map_err(|error| self.fault(&error))?;
        let found = rows::starting_with(&mut reading, &typed).await.map_err(|error| self.fault(&error))?;
        let mut found = found.into_iter();
        let Some(first) = found.next() else { return Err(StoreError::NoSuchCall(typed)) };
        if let Some(second) = found.next() {
            return Err(StoreError::Ambiguous { typed, first, second });
        }
        rows::read(&mut reading, first).await.map_err(|error| self.fault(&error))
    }
}

fn writing(file: &Path) -> SqliteConnectOptions {
    quiet(SqliteConnectOptions::new().filename(file))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
}

/// Statements are ours and hold no values, but nobody wants thousands a minute in a debug log.
fn quiet(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options.disable_statement_logging()
}

/// SQLite gives its side files the mode of the database, so making that one private is enough. One that was copied
/// here with a wider mode is narrowed.
fn make_private(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.parent().map_or(Ok(()), files::create_private_folder)?;
    match files::create_private_file(file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => return other.map(drop),
    }
    let side_files = SIDE_FILES.iter().map(|ending| PathBuf::from(format!("{}{ending}", file.display())));
    for path in std::iter::once(file.to_owned()).chain(side_files) {
        let Ok(found) = std::fs::metadata(&path) else { continue };
        if found.is_file() && found.permissions().mode() & 0o077 != 0 {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}

fn identity(file: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(file).ok().map(|found| (found.dev(), found.ino()))
}

fn of_io(file: &Path, error: &io::Error) -> StoreError {
    let file = file.to_owned();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { file },
        _ => StoreError::Forbidden { file, fault: error.to_string() },
    }
}

fn of_migration(file: &Path, error: MigrateError) -> StoreError {
    let other = |fault: String, advice| StoreError::OtherVersion { file: file.to_owned(), fault, advice };
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => of_sqlx(file, &error),
        MigrateError::VersionMissing(version) => other(format!("it has step {version}, which we do not know"), NEWER),
        error => other(error.to_string(), "move the file away and report this: released tables never change"),
    }
}

/// Sorts by what somebody would do about it. Codes are SQLite's primary ones (<https://sqlite.org/rescode.html>), in
/// the low byte of the extended ones.
fn of_sqlx(file: &Path, error: &sqlx::Error) -> StoreError {
    let file = file.to_owned();
    let code = match error {
        sqlx::Error::Encode(fault) => return StoreError::Refused { file, fault: fault.to_string() },
        sqlx::Error::Io(error) => return of_io(&file, error),
        sqlx::Error::Database(error) => error.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or(0) & 0xff,
        sqlx::Error::PoolTimedOut => return StoreError::Locked { file },
        _ => 0,
    };
    let fault = error.to_string();
    match code {
        5 | 6 => StoreError::Locked { file },
        3 | 8 | 14 | 23 => StoreError::Forbidden { file, fault },
        // 10, an input/output error, is a failing disk or a vanished one: the file itself may be whole.
        10 => StoreError::Forbidden { file, fault },
        11 | 26 => StoreError::Damaged { file, fault },
        13 => StoreError::Full { file },
        18..=20 => StoreError::Refused { file, fault },
        _ => StoreError::Failed { file, fault },
    }
}

#[cfg(test)]
mod tests;
