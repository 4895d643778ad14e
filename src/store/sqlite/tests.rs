//! SQLite as itself: files, locks, damage. What every store does is in `conformance`.

use std::os::unix::fs::PermissionsExt as _;

use sqlx::Connection as _;

use super::*;
use crate::store::conformance::{self, full_record};

async fn fresh() -> (SqliteStore, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    (SqliteStore::open(&home.path().join("data/trunkline.db")).await.unwrap(), home)
}

/// Opens without waiting for anybody's lock.
async fn open_at_once(file: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open_patiently(file, Duration::ZERO).await
}

conformance::suite!(fresh);

#[tokio::test]
async fn the_database_and_all_beside_it_is_for_its_owner_only() {
    let (store, home) = fresh().await;
    store.save(&[full_record(1)]).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = home.path().join("data");
    assert_eq!(mode(&folder), 0o700);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_owned());
    }
    assert!(names.iter().any(|name| name == "trunkline.db-wal"), "{names:?}");
}

#[tokio::test]
async fn a_database_copied_here_with_a_wide_mode_is_narrowed() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("trunkline.db");
    std::fs::write(&file, b"").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    SqliteStore::open(&file).await.unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn calls_can_be_read_while_another_program_writes_and_after_it_is_gone() {
    let (store, home) = fresh().await;
    let file = home.path().join("data/trunkline.db");
    store.save(&[full_record(1)]).await.unwrap();
    let reader = SqliteStore::open_read_only(&file).await.unwrap();
    assert_eq!(reader.get("0").await.unwrap(), full_record(1));
    store.save(&[full_record(2)]).await.unwrap();
    assert_eq!(reader.list(&CallFilter::default()).await.unwrap().len(), 2);
    assert!(reader.save(&[full_record(3)]).await.is_err());
    reader.close().await;
    store.close().await;
    let reader = SqliteStore::open_read_only(&file).await.unwrap();
    assert_eq!(reader.list(&CallFilter::default()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn reading_before_anything_was_stored_says_so_and_makes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("data/trunkline.db");
    let error = SqliteStore::open_read_only(&file).await.unwrap_err();
    assert!(error.to_string().contains("there is no database at"), "{error}");
    assert!(!home.path().join("data").exists());
}

#[tokio::test]
async fn reading_while_the_database_is_being_made_says_that_it_is_not_there_yet() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("trunkline.db");
    std::fs::write(&file, b"").unwrap();
    let reading = || async { SqliteStore::open_read_only(&file).await.unwrap_err() };
    assert!(matches!(reading().await, StoreError::Missing { .. }), "an empty file");
    let mut maker = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
    MIGRATIONS.run_direct(None, &mut maker, false).await.unwrap();
    sqlx::query("delete from _sqlx_migrations").execute(&mut maker).await.unwrap();
    assert!(matches!(reading().await, StoreError::Missing { .. }), "no migration is done");
    sqlx::query("drop table _sqlx_migrations").execute(&mut maker).await.unwrap();
    let error = reading().await;
    assert!(error.to_string().contains("no tables of ours"), "{error}");
}

#[tokio::test]
async fn a_locked_database_is_a_failure_that_may_pass() {
    let (store, home) = fresh().await;
    let file = home.path().join("data/trunkline.db");
    store.close().await;
    let store = open_at_once(&file).await.unwrap();
    let mut other = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
    sqlx::query("begin exclusive").execute(&mut other).await.unwrap();
    let error = store.save(&[full_record(1)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }) && error.is_passing(), "{error}");
    assert!(error.to_string().contains("trunkline.db is locked by another program"), "{error}");
    other.close().await.unwrap();
    store.save(&[full_record(1)]).await.unwrap();
}

#[tokio::test]
async fn a_damaged_database_names_the_file_and_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("trunkline.db");
    std::fs::write(&file, b"Dear diary, this is not a database. ".repeat(200)).unwrap();
    for error in [SqliteStore::open(&file).await.unwrap_err(), SqliteStore::open_read_only(&file).await.unwrap_err()] {
        assert!(matches!(error, StoreError::Damaged { .. }) && !error.is_passing(), "{error}");
        let sentence = error.to_string();
        assert!(sentence.contains("trunkline.db is damaged") && sentence.contains("move it"), "{sentence}");
    }
    assert!(std::fs::read(&file).unwrap().starts_with(b"Dear diary"), "nothing is overwritten");
}

#[tokio::test]
async fn pages_torn_in_the_middle_are_an_error_and_never_a_panic() {
    let (store, home) = fresh().await;
    let file = home.path().join("data/trunkline.db");
    store.save(&(0..40).map(full_record).collect::<Vec<_>>()).await.unwrap();
    store.close().await;
    let mut bytes = std::fs::read(&file).unwrap();
    let (from, to) = (4_096, bytes.len());
    bytes[from..to].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    let failed = match SqliteStore::open_read_only(&file).await {
        Err(error) => error,
        Ok(store) => store.list(&CallFilter::default()).await.unwrap_err(),
    };
    assert!(matches!(failed, StoreError::Damaged { .. }), "{failed}");
}

#[tokio::test]
async fn calls_of_an_older_program_are_kept_when_its_tables_are_brought_up_to_date() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("trunkline.db");
    let mut connection = SqliteConnectOptions::new().filename(&file).create_if_missing(true).connect().await.unwrap();
    MIGRATIONS.run_to(1, &mut connection).await.unwrap();
    let expect = conformance::bare_record(1);
    let insert = "insert into calls values
        (?, 'inbound', 'local', '1@192.0.2.7', '+12025550123', '1000', 'bank-main', '0123456789abcdef', ?, null, ?,
         'cancelled', null, null, '[]', 0, 0, 0, 0, 0, 0.0, 0, 'off', null, null)";
    let nanos = |at: jiff::Timestamp| i64::try_from(at.as_nanosecond()).unwrap();
    let query = sqlx::query(insert).bind(expect.id.as_str()).bind(nanos(expect.arrived_at));
    query.bind(nanos(expect.ended_at)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let error = SqliteStore::open_read_only(&file).await.unwrap_err();
    assert!(error.to_string().contains("start `trunkline serve` once"), "{error}");
    let store = SqliteStore::open(&file).await.unwrap();
    assert_eq!(store.get(expect.id.as_str()).await.unwrap(), expect);
}

#[tokio::test]
async fn numbers_closed_by_an_older_program_stay_closed_when_its_tables_are_brought_up_to_date() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("trunkline.db");
    let mut connection = SqliteConnectOptions::new().filename(&file).create_if_missing(true).connect().await.unwrap();
    MIGRATIONS.run_to(12, &mut connection).await.unwrap();
    let expect = conformance::closed(1, "spring");
    let insert = "insert into suppression values (?, 'spring', 'opt_out', 'call', ?, 'stop calling me', ?, null)";
    let since = i64::try_from(expect.created_at.as_nanosecond()).unwrap();
    let query = sqlx::query(insert).bind(expect.number.reveal()).bind(expect.call.as_ref().unwrap().as_str());
    query.bind(since).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let store = SqliteStore::open(&file).await.unwrap();
    let number = crate::store::numbers::NumberPolicy::FULL.sought(&expect.number, None);
    assert_eq!(store.entries(&number).await.unwrap(), [expect]);
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_left_alone() {
    let (store, home) = fresh().await;
    let file = home.path().join("data/trunkline.db");
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 values (9999, 'from the future', true, x'00', 0)";
    sqlx::query(newer).execute(&store.pool).await.unwrap();
    store.close().await;
    for error in [SqliteStore::open(&file).await.unwrap_err(), SqliteStore::open_read_only(&file).await.unwrap_err()] {
        assert!(matches!(error, StoreError::OtherVersion { .. }), "{error}");
        assert!(error.to_string().contains("use the newer trunkline that wrote it"), "{error}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_names_the_file() {
    let home = tempfile::tempdir().unwrap();
    // A file where a folder should be: refused to everybody, root included.
    std::fs::write(home.path().join("data"), b"").unwrap();
    let error = SqliteStore::open(&home.path().join("data/trunkline.db")).await.unwrap_err();
    assert!(matches!(error, StoreError::Forbidden { .. }), "{error}");
    assert!(error.to_string().contains("data/trunkline.db cannot be opened or written"), "{error}");
}

#[tokio::test]
async fn a_full_disk_says_so() {
    let (store, _home) = fresh().await;
    let mut connection = store.pool.acquire().await.unwrap();
    // The nearest to a full disk that a test can have: the file may not grow.
    sqlx::query("pragma max_page_count = 1").execute(&mut *connection).await.unwrap();
    let error = sqlx::query("create table ballast as select zeroblob(10000000)").execute(&mut *connection).await;
    let error = store.fault(&error.unwrap_err());
    assert!(matches!(error, StoreError::Full { .. }) && !error.is_passing(), "{error}");
    assert!(error.to_string().contains("no room is left on the disk of"), "{error}");
}

#[tokio::test]
async fn a_database_that_was_moved_away_is_noticed() {
    let (store, home) = fresh().await;
    let file = home.path().join("data/trunkline.db");
    assert!(store.is_in_place());
    std::fs::rename(&file, home.path().join("data/old.db")).unwrap();
    assert!(!store.is_in_place());
    std::fs::write(&file, b"").unwrap();
    assert!(!store.is_in_place(), "another file at the same place");
}
