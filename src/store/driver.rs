//! The background writer: a task that owns the database, the folder of unsaved calls and the clock for [`backlog`].
//!
//! A call hands its record to [`Writer::save`] and is done; nothing that is wrong with the database reaches it.
//!
//! [`backlog`]: super::backlog

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::asking::Asking;
pub use super::backlog::Condition;
use super::backlog::{BATCH, Backlog, Input, Output, Reloaded, Trouble};
use super::entry::{Entry, apart, together};
use super::numbers::NumberPolicy;
use super::spool::{Found, Spool};
use super::sqlite::{BUSY_TIMEOUT, SqliteStore};
use super::suppression::Suppression;
use super::{DATABASE_FILE, Store as _, StoreError};
use crate::call::driver::DoNotCall;
use crate::call::record::{CallRecord, OptOut};
use crate::dialplan::outcome::OutcomeKind;
use crate::time::{Clock, sleep_until};

/// Records on their way to the writer. Two thirds of a second of set-ups at 1,500 a second, while one transaction of
/// [`BATCH`] takes a few dozen milliseconds; when it is full a call that is over anyway waits.
const QUEUE: usize = 1_024;

/// How long the first record of a transaction waits for others to share its flush with: a machine under load flushes
/// fifty times a second at most. What a call would lose by it if the power failed then, it would mostly lose anyway.
const GATHERING: Duration = Duration::from_millis(20);

/// What the writer needs to know.
#[derive(Clone)]
pub struct WriterSetup {
    /// Holds the database and the folder of unsaved calls; made, private, when missing.
    pub data_dir: PathBuf,
    /// What becomes of callers' numbers before anything is written.
    pub numbers: NumberPolicy,
}

/// Takes the records of calls that are over, and numbers closed in those that go on. Clones feed the same writer.
#[derive(Clone)]
pub struct Writer {
    entries: mpsc::Sender<Entry>,
    numbers: NumberPolicy,
    spool: Spool,
    asking: Asking,
    condition: Arc<Mutex<Condition>>,
}

impl Writer {
    /// Where what it has written is looked up: is this number closed?
    pub const fn asking(&self) -> &Asking {
        &self.asking
    }

    /// Hands over a call. Waits only when thousands of calls are already waiting for a database that is away.
    pub async fn save(&self, record: Box<CallRecord>) {
        let mut record = *record;
        record.sip_call_id = self.numbers.call_id(&record.sip_call_id, [&record.caller, &record.called]);
        record.caller = self.numbers.apply(&record.caller);
        record.called = self.numbers.apply(&record.called);
        for outcome in &mut record.outcomes {
            match &mut outcome.kind {
                OutcomeKind::OptOut { number, .. } => *number = self.numbers.key(number),
                OutcomeKind::CallBack { number: Some(number), .. } => *number = self.numbers.apply(number),
                _ => {}
            }
        }
        self.hand_over(record.into()).await;
    }

    async fn hand_over(&self, entry: Entry) {
        let Err(mpsc::error::SendError(entry)) = self.entries.send(entry).await else { return };
        // The writer has been closed: the next start finds the file.
        let spool = self.spool.clone();
        let id = entry.call().map(ToString::to_string).unwrap_or_default();
        let kept = tokio::task::spawn_blocking(move || spool.put(&entry)).await;
        match kept {
            Ok(Ok(())) => info!(call = %id, "what came of a call after the store was closed is kept in a file"),
            Ok(Err(fault)) => error!(call = %id, %fault, "what came of a call after the store was closed is lost"),
            Err(fault) => error!(call = %id, %fault, "what came of a call after the store was closed is lost"),
        }
    }

    /// What becomes of calls, as far as is known; in memory are also those that the writer has not taken up yet.
    pub fn condition(&self) -> Condition {
        let condition = *self.condition.lock().unwrap_or_else(PoisonError::into_inner);
        let queued = self.entries.max_capacity() - self.entries.capacity();
        Condition { in_memory: condition.in_memory + queued, ..condition }
    }
}

#[async_trait]
impl DoNotCall for Writer {
    async fn close(&self, mut opt_out: OptOut) {
        opt_out.number = self.numbers.key(&opt_out.number);
        match Suppression::of_opt_out(&opt_out) {
            Some(closed) => self.hand_over(closed.into()).await,
            None => warn!(call = %opt_out.call, "somebody whose number is withheld asked not to be called again"),
        }
    }
}

/// The running task; keep it to end it well.
pub struct WriterTask {
    task: JoinHandle<()>,
    closing: CancellationToken,
}

impl WriterTask {
    /// Stores what has been handed over, or puts it in files, and ends. Takes a few seconds at most.
    pub async fn close(self) {
        self.closing.cancel();
        if let Err(fault) = self.task.await {
            error!(%fault, "the store's writer ended badly");
        }
    }
}

/// Starts the writer. Opening the database is part of its work: a broken one raises an alarm in the log and calls
/// are kept in files until it works, while the gateway answers as ever.
pub fn start(setup: WriterSetup, clock: Arc<dyn Clock>) -> (Writer, WriterTask) {
    let (entries, arriving) = mpsc::channel(QUEUE);
    let WriterSetup { data_dir, numbers } = setup;
    let condition = Arc::new(Mutex::new(Condition { well: true, unkept: false, in_memory: 0 }));
    let asking = Asking::of(&data_dir, numbers.clone());
    let writer = Writer { entries, numbers, spool: Spool::of(&data_dir), asking, condition: condition.clone() };
    let closing = CancellationToken::new();
    let task = tokio::spawn(run(Ports::new(&data_dir, BUSY_TIMEOUT), arriving, clock, closing.clone(), condition));
    (writer, WriterTask { task, closing })
}

async fn run(
    mut ports: Ports,
    mut arriving: mpsc::Receiver<Entry>,
    clock: Arc<dyn Clock>,
    closing: CancellationToken,
    condition: Arc<Mutex<Condition>>,
) {
    let mut backlog = Backlog::new(clock.now().mono);
    let mut accepts = true;
    loop {
        while let Some(output) = backlog.poll_output() {
            if let Some(input) = ports.carry_out(output).await {
                backlog.handle(input, clock.now().mono);
            }
            *condition.lock().unwrap_or_else(PoisonError::into_inner) = backlog.condition();
        }
        *condition.lock().unwrap_or_else(PoisonError::into_inner) = backlog.condition();
        if backlog.is_done() {
            break;
        }
        let timeout = backlog.poll_timeout();
        let mut arrived = Vec::new();
        let input = tokio::select! {
            // None means that every call is over.
            count = arriving.recv_many(&mut arrived, BATCH), if accepts && backlog.has_room() => match count {
                0 => Input::Close,
                _ => {
                    gather(&mut arriving, &mut arrived, &closing).await;
                    Input::Records(arrived)
                }
            },
            () = closing.cancelled(), if accepts => {
                arriving.close();
                while arriving.recv_many(&mut arrived, QUEUE).await > 0 {}
                backlog.handle(Input::Records(arrived), clock.now().mono);
                Input::Close
            }
            () = sleep_until(timeout) => Input::Timeout,
        };
        accepts &= !matches!(input, Input::Close);
        backlog.handle(input, clock.now().mono);
    }
    ports.forget_store().await;
}

/// Waits a little for more records, unless there are enough: those that end together share a transaction.
async fn gather(arriving: &mut mpsc::Receiver<Entry>, arrived: &mut Vec<Entry>, closing: &CancellationToken) {
    if arrived.len() >= BATCH {
        return;
    }
    tokio::select! {
        () = tokio::time::sleep(GATHERING) => {}
        () = closing.cancelled() => {}
    }
    while arrived.len() < BATCH
        && let Ok(entry) = arriving.try_recv()
    {
        arrived.push(entry);
    }
}

/// The database, opened when first needed and again after every failure, and the spool.
struct Ports {
    database: PathBuf,
    busy_timeout: Duration,
    store: Option<SqliteStore>,
    spool: Spool,
}

impl Ports {
    fn new(data_dir: &Path, busy_timeout: Duration) -> Self {
        let database = data_dir.join(DATABASE_FILE);
        Self { database, busy_timeout, store: None, spool: Spool::of(data_dir) }
    }

    /// Does it; what came of it, where somebody waits for that.
    async fn carry_out(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Save(records) => Some(Input::Saved(self.save(records).await)),
            Output::Spool(records) => Some(self.put_in_files(records).await),
            Output::Reload => Some(Input::Reloaded(self.reload().await)),
            Output::Alarm(fault) => {
                let unsaved = self.spool.folder().display();
                error!(%fault, %unsaved, "calls cannot be stored now; they go to files, to be stored later");
                None
            }
            Output::Unkept(fault) => {
                error!(%fault, "calls stay in memory, and are lost if the gateway ends; make room in the data folder");
                None
            }
            Output::Recovered { stored } => {
                info!(stored, "the database takes calls, and those that waited in files");
                None
            }
            Output::Lost(calls) => {
                let calls = calls.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                error!(%calls, "neither the database nor the disk took these calls; their records are lost");
                None
            }
        }
    }

    async fn save(&mut self, entries: Vec<Entry>) -> Result<(), (Vec<Entry>, Trouble)> {
        let store = match self.open().await {
            Ok(store) => store,
            Err(error) => return Err((entries, trouble(&error))),
        };
        let (closed, records) = apart(entries);
        let done = match store.suppress(&closed).await {
            Ok(()) => store.save(&records).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(()) => Ok(()),
            Err(error) if error.is_of_a_record() => self.save_one_by_one(&store, together(closed, records)).await,
            Err(error) => {
                self.forget_store().await;
                Err((together(closed, records), trouble(&error)))
            }
        }
    }

    /// One of these breaks a rule of the tables; the others must not suffer.
    async fn save_one_by_one(&mut self, store: &SqliteStore, entries: Vec<Entry>) -> Result<(), (Vec<Entry>, Trouble)> {
        let mut entries = entries.into_iter();
        while let Some(entry) = entries.next() {
            let stored = match &entry {
                Entry::Call(record) => store.save(std::slice::from_ref(record)).await,
                Entry::Closed(closed) => store.suppress(std::slice::from_ref(closed.as_ref())).await,
            };
            let failed = match stored {
                Ok(()) => None,
                Err(error) if error.is_of_a_record() => self.set_aside(&entry, &error).await.err(),
                Err(error) => Some(trouble(&error)),
            };
            if let Some(trouble) = failed {
                self.forget_store().await;
                return Err((std::iter::once(entry).chain(entries).collect(), trouble));
            }
        }
        Ok(())
    }

    async fn set_aside(&self, entry: &Entry, error: &StoreError) -> Result<(), Trouble> {
        let call = entry.call().map(ToString::to_string).unwrap_or_default();
        error!(call, %error, unsaved = %self.spool.folder().display(), "what came of a call is kept in a file");
        let (spool, kept) = (self.spool.clone(), entry.clone());
        on_disk(move || spool.set_aside(&kept))
            .await
            .map_err(|fault| Trouble { passing: false, sentence: self.unwritable(&fault) })
    }

    async fn put_in_files(&self, entries: Vec<Entry>) -> Input {
        let spool = self.spool.clone();
        // A copy, should the runtime end before the files are written: then they are still ours to lose or keep.
        let kept = entries.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut entries = entries.into_iter();
            while let Some(entry) = entries.next() {
                if let Err(fault) = spool.put(&entry) {
                    return (std::iter::once(entry).chain(entries).collect(), Some(fault));
                }
            }
            (Vec::new(), None)
        });
        let stopped = |error| (kept, Some(std::io::Error::other(error)));
        let (unwritten, fault) = written.await.unwrap_or_else(stopped);
        Input::Spooled { unwritten, fault: fault.map(|fault| self.unwritable(&fault)) }
    }

    async fn reload(&mut self) -> Result<Reloaded, Trouble> {
        // Also when no file waits: this is how an alarm is raised at the start, and how a knock is answered.
        self.open().await.map_err(|error| trouble(&error))?;
        let spool = self.spool.clone();
        let Found { entries, files, set_aside, more } = match on_disk(move || spool.read(BATCH)).await {
            Ok(found) => found,
            Err(fault) => {
                warn!(%fault, unsaved = %self.spool.folder().display(), "files of unsaved calls cannot be read");
                Found::default()
            }
        };
        for file in set_aside {
            warn!(%file, "a file among the unsaved calls holds no call; it was set aside as .unreadable");
        }
        if !entries.is_empty() {
            self.save(entries).await.map_err(|(_, trouble)| trouble)?;
        }
        let stored = files.len();
        let removed = on_disk(move || {
            for file in &files {
                if let Err(fault) = Spool::remove(file) {
                    warn!(file = %file.display(), %fault, "a call is stored, but the file it waited in cannot be removed");
                }
            }
            Ok(())
        });
        removed.await.map_err(|fault| Trouble { passing: true, sentence: self.unwritable(&fault) })?;
        Ok(Reloaded { stored, more })
    }

    async fn open(&mut self) -> Result<SqliteStore, StoreError> {
        match &self.store {
            Some(store) if store.is_in_place() => return Ok(store.clone()),
            Some(_) => {
                warn!(database = %self.database.display(), "somebody moved the database away; a new one is made")
            }
            None => {}
        }
        self.forget_store().await;
        let store = SqliteStore::open_patiently(&self.database, self.busy_timeout).await?;
        debug!(database = %self.database.display(), "database opened");
        Ok(self.store.insert(store).clone())
    }

    /// The next use opens anew, perhaps another file at the same place.
    async fn forget_store(&mut self) {
        if let Some(store) = self.store.take() {
            store.close().await;
        }
    }

    fn unwritable(&self, fault: &std::io::Error) -> String {
        format!("unsaved calls cannot be kept in {} either: {fault}", self.spool.folder().display())
    }
}

fn trouble(error: &StoreError) -> Trouble {
    Trouble { passing: error.is_passing(), sentence: error.to_string() }
}

/// Work on files, away from the threads that carry calls: a disk may stall.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|stopped| Err(std::io::Error::other(stopped)))
}

#[cfg(test)]
mod tests;
