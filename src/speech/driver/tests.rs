//! The pool with a scripted engine: nobody sleeps, every wait ends by an event.

use std::sync::mpsc::{Receiver, sync_channel};

use super::*;
use crate::audio::Pcm;
use crate::id::UtteranceId;
use crate::speech::Cancel;
use crate::speech::engines::Engine;
use crate::speech::scripted::{Answer, Script};
use crate::time::SystemClock;
use crate::understand::Hypothesis;

type Outcome = Result<NBest, RecognizeError>;

fn pool_of(engine: Arc<dyn Engine>, workers: usize, queue: usize) -> RecognizerPool {
    RecognizerPool::start(Engines::of(vec![engine]), PoolSettings { workers, queue }, Arc::new(SystemClock))
}

fn pool(script: &Script, workers: usize, queue: usize) -> RecognizerPool {
    pool_of(Arc::new(script.clone()), workers, queue)
}

fn job(utterance: u64) -> RecognizeJob {
    let (language, audio) = (Language::english(), Arc::new(Pcm::default()));
    RecognizeJob { utterance: UtteranceId(utterance), revision: 2, language, audio, cancel: Cancel::default() }
}

/// Submits and gives where the answer will arrive. Panics when the pool refuses.
fn submit(pool: &RecognizerPool, job: RecognizeJob) -> Receiver<Outcome> {
    let (sender, receiver) = sync_channel(1);
    pool.submit(job, move |outcome| sender.send(outcome).unwrap()).unwrap();
    receiver
}

#[test]
fn an_answer_carries_the_ids_of_its_offer() {
    let script = Script::new([Answer::words("pay my bill")]);
    let heard = submit(&pool(&script, 1, 4), job(7)).recv().unwrap().unwrap();
    assert_eq!((heard.utterance, heard.revision), (UtteranceId(7), 2));
    assert_eq!(heard.hypotheses[0].text.reveal(), "pay my bill");
}

#[test]
fn a_full_queue_is_busy_at_once_and_nobody_waiting_is_forgotten() {
    let script = Script::new([Answer::Hold, Answer::words("one"), Answer::words("two")]);
    let pool = pool(&script, 1, 2);
    let held = submit(&pool, job(0));
    script.wait_held(1);
    let waiting = [submit(&pool, job(1)), submit(&pool, job(2))];
    assert_eq!(pool.submit(job(3), |_| panic!("never called")), Err(RecognizeError::Busy));
    let metrics = pool.metrics();
    assert_eq!((metrics.queued_now, metrics.running_now, metrics.busy), (2, 1, 1));
    script.release();
    assert!(held.recv().unwrap().unwrap().hypotheses.is_empty());
    let texts = waiting.map(|answer| answer.recv().unwrap().unwrap().hypotheses[0].text.reveal().clone());
    assert_eq!(texts, ["one", "two"]);
    assert_eq!(pool.metrics().recognized, 3);
}

#[test]
fn cancelled_jobs_make_room_in_a_full_queue() {
    let script = Script::new([Answer::Hold]);
    let pool = pool(&script, 1, 1);
    let _held = submit(&pool, job(0));
    script.wait_held(1);
    let stale = job(1);
    let cancel = stale.cancel.clone();
    let stale = submit(&pool, stale);
    cancel.cancel();
    let fresh = submit(&pool, job(2));
    assert_eq!(stale.recv().unwrap(), Err(RecognizeError::Cancelled));
    script.release();
    assert!(fresh.recv().unwrap().is_ok());
    assert_eq!(pool.metrics().cancelled, 1);
}

#[test]
fn a_running_job_stops_when_it_is_cancelled() {
    let script = Script::new([Answer::Hold]);
    let pool = pool(&script, 1, 1);
    let running = job(0);
    let cancel = running.cancel.clone();
    let answer = submit(&pool, running);
    script.wait_held(1);
    cancel.cancel();
    assert_eq!(answer.recv().unwrap(), Err(RecognizeError::Cancelled));
}

#[test]
fn a_panic_costs_one_job_and_a_new_recognizer_is_opened() {
    let script = Script::new([Answer::Panic, Answer::words("yes")]);
    let pool = pool(&script, 1, 4);
    let failed = submit(&pool, job(0)).recv().unwrap();
    assert_eq!(failed, Err(RecognizeError::Failed("scripted panicked".into())));
    assert_eq!(submit(&pool, job(1)).recv().unwrap().unwrap().hypotheses[0].text.reveal(), "yes");
    assert_eq!(script.opened(), 2);
    assert_eq!(pool.metrics().failed, 1);
}

#[test]
fn a_reply_that_panics_does_not_take_the_worker_with_it() {
    let script = Script::default();
    let pool = pool(&script, 1, 4);
    pool.submit(job(0), |_| panic!("the caller's own bug")).unwrap();
    assert!(submit(&pool, job(1)).recv().unwrap().is_ok());
}

#[test]
fn closing_answers_everybody() {
    let script = Script::new([Answer::Hold]);
    let pool = pool(&script, 1, 4);
    let running = submit(&pool, job(0));
    script.wait_held(1);
    let waiting = submit(&pool, job(1));
    script.release();
    drop(pool);
    assert!(running.recv().unwrap().is_ok());
    assert!(waiting.recv().is_ok());
}

#[test]
fn workers_hear_side_by_side() {
    let script = Script::new([Answer::Hold, Answer::Hold]);
    let pool = pool(&script, 2, 4);
    let answers = [submit(&pool, job(0)), submit(&pool, job(1))];
    script.wait_held(2);
    script.release();
    assert!(answers.iter().all(|answer| answer.recv().unwrap().is_ok()));
}

#[test]
fn without_an_engine_every_job_is_told_so_at_once() {
    let pool = RecognizerPool::start(Engines::default(), PoolSettings::workers(1), Arc::new(SystemClock));
    let refused = pool.submit(job(0), |_| panic!("never called"));
    assert!(matches!(refused, Err(RecognizeError::Unavailable(_))), "{refused:?}");
    pool.wait_ready();
}

/// An engine whose files turn out to be broken.
struct Broken;

impl Engine for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn hears(&self, _: &Language) -> bool {
        true
    }

    fn open(&self) -> Result<Box<dyn Recognizer>, RecognizeError> {
        Err(RecognizeError::Unavailable("copy it again".into()))
    }
}

#[test]
fn an_engine_that_cannot_be_opened_says_why_from_then_on() {
    let pool = pool_of(Arc::new(Broken), 2, 4);
    pool.wait_ready();
    let refused = pool.submit(job(0), |_| panic!("never called"));
    assert_eq!(refused, Err(RecognizeError::Unavailable("copy it again".into())));
}

/// An engine that panics while it warms up.
struct Cold;

impl Engine for Cold {
    fn name(&self) -> &str {
        "cold"
    }

    fn hears(&self, _: &Language) -> bool {
        true
    }

    fn open(&self) -> Result<Box<dyn Recognizer>, RecognizeError> {
        Ok(Box::new(Self))
    }
}

impl Recognizer for Cold {
    fn recognize(&mut self, _: &Pcm, _: &Cancel) -> Result<Vec<Hypothesis>, RecognizeError> {
        Ok(Vec::new())
    }

    fn warm_up(&mut self) {
        panic!("cold");
    }
}

#[test]
fn a_panic_while_warming_up_is_an_unusable_engine_not_a_dead_worker() {
    let pool = pool_of(Arc::new(Cold), 1, 4);
    pool.wait_ready();
    assert!(matches!(pool.ready(&Language::english()), Err(RecognizeError::Unavailable(_))));
}

#[tokio::test]
async fn a_task_can_wait_for_its_words() {
    let script = Script::new([Answer::words("operator")]);
    let heard = pool(&script, 1, 1).recognize(job(0)).await.unwrap();
    assert_eq!(heard.hypotheses[0].text.reveal(), "operator");
}
