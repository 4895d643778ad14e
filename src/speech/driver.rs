//! The recognition pool: a bounded queue and a fixed number of worker threads, each with recognisers of its own.
//!
//! ```text
//!  call ──submit──▶ queue (8 per worker; full: Busy at once) ──▶ worker 1..W ──reply──▶ call
//!        ──cancel─▶ a flag: dropped when its turn comes, or between two decoder steps
//! ```
//!
//! One thread per job and one worker per core: more of either only makes each caller wait longer. A panic inside an
//! engine is the answer to one job, and that worker opens a new recogniser.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::engines::Engines;
use super::{RecognizeError, RecognizeJob, Recognizer};
use crate::language::Language;
use crate::time::Clock;
use crate::understand::NBest;

pub mod parallel;
pub mod program;

/// Jobs that may wait for each worker. A short utterance takes 25 to 50 ms, so the last of eight waits 0.2 to 0.4 s:
/// the most a caller should; beyond it, offering keys at once is the better answer.
const QUEUE_PER_WORKER: usize = 8;

/// Size of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// Worker threads.
    pub workers: usize,
    /// Jobs that may wait, all workers together.
    pub queue: usize,
}

impl PoolSettings {
    /// So many workers and a queue to match.
    pub fn workers(workers: usize) -> Self {
        let workers = workers.max(1);
        Self { workers, queue: workers * QUEUE_PER_WORKER }
    }
}

impl Default for PoolSettings {
    /// One worker per core.
    fn default() -> Self {
        Self::workers(std::thread::available_parallelism().map_or(1, usize::from))
    }
}

/// What the pool has done and is doing. Counters only grow; gauges say what is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolMetrics {
    /// Jobs accepted.
    pub accepted: u64,
    /// Jobs turned away because the queue was full.
    pub busy: u64,
    /// Jobs answered with guesses, or with none.
    pub recognized: u64,
    /// Jobs cancelled, in the queue or while running.
    pub cancelled: u64,
    /// Jobs an engine failed on, panics among them.
    pub failed: u64,
    /// Time jobs spent waiting, all together.
    pub queued_for: Duration,
    /// Time workers spent recognising, all together.
    pub ran_for: Duration,
    /// Waiting now.
    pub queued_now: usize,
    /// Being recognised now.
    pub running_now: usize,
}

/// The pool. Dropping it lets running jobs finish and answers waiting ones with [`RecognizeError::Cancelled`].
pub struct RecognizerPool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    engines: Engines,
    clock: Arc<dyn Clock>,
    limit: usize,
    state: Mutex<State>,
    /// A job was queued, or the pool is closing.
    work: Condvar,
    /// A worker has warmed up.
    warmed: Condvar,
    counters: Counters,
}

struct State {
    queue: VecDeque<Queued>,
    running: usize,
    /// Workers still opening their engines.
    warming: usize,
    closing: bool,
    /// Per engine: why it cannot be used, once a worker has tried.
    unfit: Vec<Option<RecognizeError>>,
}

struct Queued {
    job: RecognizeJob,
    engine: usize,
    since: Instant,
    reply: Reply,
}

type Reply = Box<dyn FnOnce(Result<NBest, RecognizeError>) + Send>;

#[derive(Default)]
struct Counters {
    accepted: AtomicU64,
    busy: AtomicU64,
    recognized: AtomicU64,
    cancelled: AtomicU64,
    failed: AtomicU64,
    queued_us: AtomicU64,
    ran_us: AtomicU64,
}

impl RecognizerPool {
    /// Starts the workers and returns at once; they open and warm their engines meanwhile, and jobs may be submitted.
    pub fn start(engines: Engines, settings: PoolSettings, clock: Arc<dyn Clock>) -> Self {
        let count = settings.workers.max(1);
        let unfit = vec![None; engines.installed().len()];
        let state = State { queue: VecDeque::new(), running: 0, warming: count, closing: false, unfit };
        let shared = Arc::new(Shared {
            engines,
            clock,
            limit: settings.queue,
            state: Mutex::new(state),
            work: Condvar::new(),
            warmed: Condvar::new(),
            counters: Counters::default(),
        });
        let spawn = |number: usize| {
            let shared = shared.clone();
            let name = format!("recognize-{number}");
            let spawned = std::thread::Builder::new().name(name).spawn(move || Worker::start(shared).run());
            spawned.inspect_err(|error| tracing::error!(%error, "a recognition worker could not be started")).ok()
        };
        let workers: Vec<_> = (0..count).filter_map(spawn).collect();
        if workers.len() < count {
            shared.lock().warming -= count - workers.len();
        }
        Self { shared, workers }
    }

    /// Queues a job. `reply` is called once, on a worker thread, and must not block; when this returns an error it is
    /// not called at all.
    ///
    /// # Errors
    /// At once: [`RecognizeError::Busy`] when the queue is full, [`RecognizeError::Unavailable`] when no engine for
    /// the language can be used.
    pub fn submit(
        &self,
        job: RecognizeJob,
        reply: impl FnOnce(Result<NBest, RecognizeError>) + Send + 'static,
    ) -> Result<(), RecognizeError> {
        let engine = self.ready(&job.language)?;
        let since = self.shared.clock.now().mono;
        let mut state = self.shared.lock();
        let dropped = if state.queue.len() < self.shared.limit { Vec::new() } else { state.take_cancelled() };
        let full = state.queue.len() >= self.shared.limit || self.workers.is_empty();
        if !full {
            state.queue.push_back(Queued { job, engine, since, reply: Box::new(reply) });
        }
        drop(state);
        self.shared.answer_cancelled(dropped);
        let counters = &self.shared.counters;
        if full {
            counters.busy.fetch_add(1, Ordering::Relaxed);
            return Err(RecognizeError::Busy);
        }
        counters.accepted.fetch_add(1, Ordering::Relaxed);
        self.shared.work.notify_one();
        Ok(())
    }

    /// Submits a job and waits for its result without blocking a thread.
    ///
    /// # Errors
    /// Whatever [`Self::submit`] or the engine says.
    pub async fn recognize(&self, job: RecognizeJob) -> Result<NBest, RecognizeError> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.submit(job, move |result| drop(sender.send(result)))?;
        receiver.await.unwrap_or(Err(RecognizeError::Cancelled))
    }

    /// Can `language` be heard? Gives the place of its engine.
    ///
    /// # Errors
    /// [`RecognizeError::Unavailable`]: what to install, or why what is installed cannot be used.
    pub fn ready(&self, language: &Language) -> Result<usize, RecognizeError> {
        let engine = self.shared.engines.choose(language)?;
        match &self.shared.lock().unfit[engine] {
            Some(error) => Err(error.clone()),
            None => Ok(engine),
        }
    }

    /// Waits until every worker has opened and warmed its engines. Blocking.
    pub fn wait_ready(&self) {
        let mut state = self.shared.lock();
        while state.warming > 0 {
            state = self.shared.warmed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What it has done so far.
    pub fn metrics(&self) -> PoolMetrics {
        let counters = &self.shared.counters;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let state = self.shared.lock();
        PoolMetrics {
            accepted: count(&counters.accepted),
            busy: count(&counters.busy),
            recognized: count(&counters.recognized),
            cancelled: count(&counters.cancelled),
            failed: count(&counters.failed),
            queued_for: Duration::from_micros(count(&counters.queued_us)),
            ran_for: Duration::from_micros(count(&counters.ran_us)),
            queued_now: state.queue.len(),
            running_now: state.running,
        }
    }
}

impl Drop for RecognizerPool {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closing = true;
        let waiting: Vec<Queued> = state.queue.drain(..).collect();
        drop(state);
        self.shared.answer_cancelled(waiting);
        self.shared.work.notify_all();
        for worker in self.workers.drain(..) {
            // A reply may own the last handle to the pool, and then this runs on one of its own workers.
            if worker.thread().id() != std::thread::current().id() {
                let _ = worker.join();
            }
        }
    }
}

impl Shared {
    /// Nothing panics while holding it; were it to, the state is still sound.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer_cancelled(&self, queued: Vec<Queued>) {
        self.counters.cancelled.fetch_add(queued.len() as u64, Ordering::Relaxed);
        for waiting in queued {
            answer(waiting.reply, Err(RecognizeError::Cancelled));
        }
    }
}

impl State {
    /// Removes the jobs nobody waits for any more.
    fn take_cancelled(&mut self) -> Vec<Queued> {
        let all = std::mem::take(&mut self.queue);
        let (cancelled, live): (Vec<_>, Vec<_>) = all.into_iter().partition(|queued| queued.job.cancel.is_cancelled());
        self.queue = live.into();
        cancelled
    }
}

/// Calls a reply; its panics are its own affair.
fn answer(reply: Reply, result: Result<NBest, RecognizeError>) {
    if catch_unwind(AssertUnwindSafe(|| reply(result))).is_err() {
        tracing::error!("whoever waited for a recognition panicked on its result");
    }
}

/// One thread and its recognisers, one per engine.
struct Worker {
    shared: Arc<Shared>,
    recognizers: Vec<Option<Box<dyn Recognizer>>>,
}

impl Worker {
    /// Opens and warms every engine.
    fn start(shared: Arc<Shared>) -> Self {
        let count = shared.engines.installed().len();
        let mut worker = Self { shared, recognizers: (0..count).map(|_| None).collect() };
        for engine in 0..count {
            let warm = catch_unwind(AssertUnwindSafe(|| worker.open(engine).map(|recognizer| recognizer.warm_up())));
            let error = match warm {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error,
                Err(_) => RecognizeError::Unavailable("the recogniser panicked while it was opened".to_owned()),
            };
            let name = worker.shared.engines.installed()[engine].name();
            tracing::error!(engine = name, %error, "recogniser unusable");
            worker.recognizers[engine] = None;
            worker.shared.lock().unfit[engine] = Some(error);
        }
        worker.shared.lock().warming -= 1;
        worker.shared.warmed.notify_all();
        worker
    }

    /// Works until the pool closes.
    fn run(mut self) {
        while let Some(queued) = self.next() {
            let Queued { job, engine, since, reply } = queued;
            let began = self.shared.clock.now().mono;
            let result = self.recognize(&job, engine);
            let ended = self.shared.clock.now().mono;
            let (queued, ran) = (began.saturating_duration_since(since), ended.saturating_duration_since(began));
            self.count(&result, queued, ran);
            let (utterance, revision) = (job.utterance, job.revision);
            let nbest = |hypotheses| NBest { utterance, revision, hypotheses, queued, ran };
            self.shared.lock().running -= 1;
            answer(reply, result.map(nbest));
        }
    }

    /// The next job, waited for; `None` when the pool closes.
    fn next(&self) -> Option<Queued> {
        let mut state = self.shared.lock();
        loop {
            if let Some(queued) = state.queue.pop_front() {
                state.running += 1;
                return Some(queued);
            }
            if state.closing {
                return None;
            }
            state = self.shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Runs the engine, fenced: a panic costs this job and the recogniser, not the worker.
    fn recognize(
        &mut self,
        job: &RecognizeJob,
        engine: usize,
    ) -> Result<Vec<crate::understand::Hypothesis>, RecognizeError> {
        if job.cancel.is_cancelled() {
            return Err(RecognizeError::Cancelled);
        }
        let fenced = catch_unwind(AssertUnwindSafe(|| self.open(engine)?.recognize(&job.audio, &job.cancel)));
        fenced.unwrap_or_else(|_| {
            let name = self.shared.engines.installed()[engine].name();
            tracing::error!(engine = name, "the recogniser panicked; a new one will be opened");
            self.recognizers[engine] = None;
            Err(RecognizeError::Failed(format!("{name} panicked")))
        })
    }

    /// This worker's recogniser of an engine, opened when there is none.
    fn open(&mut self, engine: usize) -> Result<&mut Box<dyn Recognizer>, RecognizeError> {
        let slot = &mut self.recognizers[engine];
        match slot {
            Some(recognizer) => Ok(recognizer),
            None => Ok(slot.insert(self.shared.engines.installed()[engine].open()?)),
        }
    }

    fn count<T>(&self, result: &Result<T, RecognizeError>, queued: Duration, ran: Duration) {
        let counters = &self.shared.counters;
        let counter = match result {
            Ok(_) => &counters.recognized,
            Err(RecognizeError::Cancelled) => &counters.cancelled,
            Err(_) => &counters.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        counters.queued_us.fetch_add(micros(queued), Ordering::Relaxed);
        counters.ran_us.fetch_add(micros(ran), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
