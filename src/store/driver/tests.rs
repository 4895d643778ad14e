//! The writer against real files and real locks. The clock is moved by hand: a pause of the backlog costs nothing.

use sqlx::{ConnectOptions as _, Connection as _};

use super::*;
use crate::config::LogFormat;
use crate::pii::Pii;
use crate::store::CallFilter;
use crate::store::conformance::{arrival, bare_record, closed, full_record};
use crate::store::suppression::EVERYWHERE;
use crate::time::{SimulatedClock, SystemClock};

/// Backlog and ports, driven by hand.
struct Bench {
    home: tempfile::TempDir,
    ports: Ports,
    backlog: Backlog,
    clock: SimulatedClock,
    alarms: Vec<String>,
    recovered: usize,
}

impl Bench {
    fn new() -> Self {
        Self::over(tempfile::tempdir().unwrap())
    }

    fn over(home: tempfile::TempDir) -> Self {
        let clock = SimulatedClock::starting_at(SystemClock.now().wall);
        let ports = Ports::new(&home.path().join("data"), Duration::ZERO);
        let backlog = Backlog::new(clock.now().mono);
        Self { home, ports, backlog, clock, alarms: Vec::new(), recovered: 0 }
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn database(&self) -> PathBuf {
        self.data().join(DATABASE_FILE)
    }

    /// Carries out whatever is due now.
    async fn settle(&mut self) {
        while let Some(output) = self.backlog.poll_output() {
            match &output {
                Output::Alarm(sentence) | Output::Unkept(sentence) => self.alarms.push(sentence.clone()),
                Output::Recovered { stored } => self.recovered += stored,
                _ => {}
            }
            if let Some(input) = self.ports.carry_out(output).await {
                self.backlog.handle(input, self.clock.now().mono);
            }
        }
    }

    async fn hand_over(&mut self, record: CallRecord) {
        self.backlog.handle(Input::Records(vec![record.into()]), self.clock.now().mono);
        self.settle().await;
    }

    /// Lets time pass to the next thing the backlog waits for.
    async fn wait(&mut self) {
        let at = self.backlog.poll_timeout().expect("the backlog waits for something");
        self.clock.advance(at.saturating_duration_since(self.clock.now().mono));
        self.backlog.handle(Input::Timeout, self.clock.now().mono);
        self.settle().await;
    }

    async fn wait_until_away(&mut self) {
        while self.backlog.condition().well {
            self.wait().await;
        }
    }

    async fn stored(&self) -> Vec<CallRecord> {
        let store = SqliteStore::open_read_only(&self.database()).await.unwrap();
        let mut records = Vec::new();
        for call in store.list(&CallFilter { limit: 1_000, since: None }).await.unwrap().iter().rev() {
            records.push(store.get(call.id.as_str()).await.unwrap());
        }
        records
    }

    fn files(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.data().join("unsaved")) else { return Vec::new() };
        let mut names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>();
        names.sort();
        names
    }
}

#[tokio::test]
async fn calls_handed_over_are_stored() {
    let mut bench = Bench::new();
    bench.settle().await;
    bench.hand_over(full_record(1)).await;
    bench.hand_over(bare_record(2)).await;
    assert_eq!(bench.stored().await, [full_record(1), bare_record(2)]);
    assert_eq!((bench.alarms.len(), bench.files().len()), (0, 0));
}

#[tokio::test]
async fn a_database_locked_for_long_loses_nothing_and_alarms_once() {
    let (log, _guard) = crate::observe::captured("info", LogFormat::Text);
    let mut bench = Bench::new();
    bench.settle().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(bench.database());
    let mut other = options.connect().await.unwrap();
    sqlx::query("begin exclusive").execute(&mut other).await.unwrap();

    bench.hand_over(full_record(1)).await;
    assert!(bench.files().is_empty(), "a lock may pass: first it is tried again");
    bench.wait_until_away().await;
    bench.hand_over(full_record(2)).await;
    bench.wait().await;
    assert_eq!(bench.alarms.len(), 1);
    assert!(bench.alarms[0].contains("trunkline.db is locked by another program"), "{:?}", bench.alarms);
    assert_eq!(bench.files(), [format!("{}.json", full_record(1).id), format!("{}.json", full_record(2).id)]);

    other.close().await.unwrap();
    bench.wait().await;
    assert_eq!(bench.stored().await, [full_record(1), full_record(2)]);
    assert_eq!((bench.files().len(), bench.recovered), (0, 2));
    bench.hand_over(full_record(3)).await;
    assert_eq!(bench.stored().await.len(), 3);

    let log = log.text();
    assert_eq!(log.matches("calls cannot be stored now").count(), 1, "{log}");
    assert!(log.contains("the database takes calls") && log.contains("stored=2"), "{log}");
    for secret in ["2025550123", "1234#", "how much"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[tokio::test]
async fn a_damaged_database_costs_no_call_and_is_replaced_once_it_is_moved_away() {
    let bench = Bench::new();
    std::fs::create_dir(bench.data()).unwrap();
    std::fs::write(bench.database(), b"not a database, not at all ".repeat(99)).unwrap();
    let mut bench = Bench::over(bench.home);
    bench.settle().await;
    assert!(bench.alarms[0].contains("is damaged"), "known before the first call: {:?}", bench.alarms);
    bench.hand_over(full_record(1)).await;
    assert_eq!(bench.files().len(), 1);
    std::fs::rename(bench.database(), bench.data().join("damaged.db")).unwrap();
    bench.wait().await;
    assert_eq!(bench.stored().await, [full_record(1)]);
    assert_eq!(bench.alarms.len(), 1);
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_written_keeps_calls_in_memory_until_it_can() {
    let bench = Bench::new();
    std::fs::write(bench.data(), b"a file where the folder should be").unwrap();
    let mut bench = Bench::over(bench.home);
    bench.hand_over(full_record(1)).await;
    bench.wait().await;
    bench.wait().await;
    assert_eq!(bench.alarms.len(), 2, "once for the database, once for the files: {:?}", bench.alarms);
    std::fs::remove_file(bench.data()).unwrap();
    bench.wait().await;
    assert_eq!(bench.stored().await, [full_record(1)]);
}

#[tokio::test]
async fn files_of_an_earlier_run_are_stored_at_the_start() {
    let bench = Bench::new();
    Spool::of(&bench.data()).put(&full_record(1).into()).unwrap();
    let unsaved = bench.data().join("unsaved");
    std::fs::write(unsaved.join("0.json"), b"{").unwrap();
    // Somebody gave a file another name: what counts is what it holds.
    std::fs::rename(unsaved.join(format!("{}.json", full_record(1).id)), unsaved.join("mine.json")).unwrap();
    let mut bench = Bench::over(bench.home);
    bench.settle().await;
    assert_eq!(bench.stored().await, [full_record(1)]);
    assert_eq!(bench.files(), ["0.json.unreadable"]);
}

#[tokio::test]
async fn a_call_the_tables_refuse_is_set_aside_and_the_others_are_stored() {
    let mut bench = Bench::new();
    let mut bad = full_record(2);
    bad.arrived_at = jiff::Timestamp::MIN;
    bench.settle().await;
    bench.backlog.handle(
        Input::Records(vec![full_record(1).into(), bad.clone().into(), full_record(3).into()]),
        bench.clock.now().mono,
    );
    bench.settle().await;
    assert_eq!(bench.stored().await, [full_record(1), full_record(3)]);
    assert_eq!(bench.files(), [format!("{}.json.refused", bad.id)]);
    assert!(bench.backlog.condition().well);
}

#[tokio::test]
async fn a_database_moved_away_under_us_is_made_anew() {
    let mut bench = Bench::new();
    bench.settle().await;
    bench.hand_over(full_record(1)).await;
    for ending in ["", "-wal", "-shm"] {
        let name = format!("{DATABASE_FILE}{ending}");
        std::fs::rename(bench.data().join(&name), bench.home.path().join(&name)).unwrap();
    }
    bench.hand_over(full_record(2)).await;
    assert_eq!(bench.stored().await, [full_record(2)]);
}

#[tokio::test]
async fn closing_ends_even_when_nothing_can_be_written_anywhere() {
    let (log, _guard) = crate::observe::captured("error", LogFormat::Text);
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    std::fs::write(&data_dir, b"a file where the folder should be").unwrap();
    let (writer, task) = start(WriterSetup { data_dir, numbers: NumberPolicy::FULL }, Arc::new(SystemClock));
    for number in 0..9 {
        writer.save(Box::new(full_record(number))).await;
    }
    task.close().await;
    assert!(!writer.condition().well);
    let log = log.text();
    assert!(log.contains("their records are lost") && log.contains(full_record(8).id.as_str()), "{log}");
}

#[tokio::test]
async fn the_task_stores_what_it_was_given_before_it_ends_and_numbers_as_the_setting_says() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().to_owned();
    let numbers = NumberPolicy::open(super::super::numbers::KeepNumbers::Last4, &data_dir, [0; 32]).unwrap();
    let (writer, task) = start(WriterSetup { data_dir: data_dir.clone(), numbers }, Arc::new(SystemClock));
    for number in 0..200 {
        writer.save(Box::new(full_record(number))).await;
    }
    task.close().await;
    let store = SqliteStore::open_read_only(&data_dir.join(DATABASE_FILE)).await.unwrap();
    let calls = store.list(&CallFilter { limit: 1_000, since: None }).await.unwrap();
    assert_eq!(calls.len(), 200);
    assert!(calls.iter().all(|call| call.caller.reveal() == "…0123"));
    assert!(writer.condition().well);

    // A call that ends after that is not lost either.
    writer.save(Box::new(full_record(250))).await;
    assert_eq!(Spool::of(&data_dir).read(9).unwrap().entries[0].call(), Some(&full_record(250).id));
}

#[tokio::test]
async fn an_opt_out_closes_the_number_while_the_call_goes_on_and_waits_in_a_file_when_it_must() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().to_owned();
    let numbers = NumberPolicy::open(super::super::numbers::KeepNumbers::Last4, &data_dir, [7; 32]).unwrap();
    let setup = WriterSetup { data_dir: data_dir.clone(), numbers: numbers.clone() };
    let (writer, task) = start(setup, Arc::new(SystemClock));
    let opt_out = |number: &str| OptOut {
        call: full_record(1).id,
        at: arrival(1),
        number: Pii::new(number.to_owned()),
        scope: EVERYWHERE.to_owned(),
        said: Pii::new("stop calling me".to_owned()),
    };
    writer.close(opt_out("+12025550123")).await;
    writer.close(opt_out("anonymous")).await;
    task.close().await;
    let store = SqliteStore::open_read_only(&data_dir.join(DATABASE_FILE)).await.unwrap();
    let number = |number: &str| numbers.sought(&Pii::new(number.to_owned()), None);
    let found = store.suppressed(&number("12025550123"), None, arrival(2)).await.unwrap().unwrap();
    assert!(found.number.reveal().starts_with('#'), "the setting holds here too");
    assert_eq!((found.call, found.created_at), (Some(full_record(1).id), arrival(1)));
    assert_eq!(store.suppressed(&number("+12025550124"), None, arrival(2)).await.unwrap(), None);
    assert!(store.list(&CallFilter::default()).await.unwrap().is_empty(), "the call goes on");
    store.close().await;

    // One that comes after the store was closed is found by the next start.
    writer.close(opt_out("+12025550124")).await;
    let (writer, task) =
        start(WriterSetup { data_dir: data_dir.clone(), numbers: numbers.clone() }, Arc::new(SystemClock));
    writer.save(Box::new(full_record(2))).await;
    task.close().await;
    let store = SqliteStore::open_read_only(&data_dir.join(DATABASE_FILE)).await.unwrap();
    assert!(store.suppressed(&number("+12025550124"), None, arrival(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn an_opt_out_waits_in_a_file_for_a_database_that_is_locked() {
    let mut bench = Bench::new();
    bench.settle().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(bench.database());
    let mut other = options.connect().await.unwrap();
    sqlx::query("begin exclusive").execute(&mut other).await.unwrap();
    bench.backlog.handle(Input::Records(vec![closed(1, EVERYWHERE).into()]), bench.clock.now().mono);
    bench.settle().await;
    bench.wait_until_away().await;
    assert!(matches!(&bench.files()[..], [name] if name.ends_with(".closed.json")), "{:?}", bench.files());
    other.close().await.unwrap();
    bench.wait().await;
    let store = SqliteStore::open_read_only(&bench.database()).await.unwrap();
    let number = NumberPolicy::FULL.sought(&closed(1, EVERYWHERE).number, None);
    assert_eq!(store.suppressed(&number, None, arrival(9)).await.unwrap(), Some(closed(1, EVERYWHERE)));
    assert_eq!(bench.files().len(), 0);
}
