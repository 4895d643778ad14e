//! Saving calls behind everybody's back, the pure part: what to do with a record when the database may be away.
//!
//! ```text
//!            saved                     failed, passing            failed again, or for good
//!  ┌─────────────────────┐       ┌─────────────────────┐         ┌──────────────────────────┐
//!  │ Working             │──────▶│ Retrying            │────────▶│ Away                     │
//!  │ records → database  │◀──────│ records wait in     │         │ alarm, once              │
//!  └─────────────────────┘ saved │ memory, again soon  │         │ records → spool          │
//!            ▲                   └─────────────────────┘         │ knocks now and then      │
//!            └───────────────────── spool read back ─────────────└──────────────────────────┘
//! ```
//!
//! One thing is carried out at a time; its outcome comes back as an input before the next is asked for.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::entry::Entry;
use crate::id::CallId;

/// Calls in one transaction: enough that one flush to the disk serves a burst of set-ups (1,500 a second), few enough
/// that a failed transaction is cheap to repeat.
pub const BATCH: usize = 256;
/// Calls kept in memory while the database is retried; beyond it nobody is asked for more, so that calls wait to be
/// taken instead of filling the memory.
const WAITING_LIMIT: usize = 4_096;
/// Failures in a row before a database that may come back by itself counts as away.
const TRIES: u32 = 3;
/// Pause after the first failure; doubled after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Pause before the first knock at a database that is away; doubled after each.
const FIRST_KNOCK: Duration = Duration::from_secs(1);
/// Longest pause between knocks: how long somebody who has repaired it waits to see that it works.
const LAST_KNOCK: Duration = Duration::from_secs(30);

/// Why the database did not take calls, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// May be over in a moment.
    pub passing: bool,
    /// For whoever must act.
    pub sentence: String,
}

/// What happens.
#[derive(Debug)]
pub enum Input {
    /// Calls are over, or must keep something at once.
    Records(Vec<Entry>),
    /// [`Output::Save`] is done.
    Saved(Result<(), (Vec<Entry>, Trouble)>),
    /// [`Output::Spool`] is done; these could not even be written to a file.
    Spooled {
        /// Still in memory.
        unwritten: Vec<Entry>,
        /// Why, for whoever must act.
        fault: Option<String>,
    },
    /// [`Output::Reload`] is done.
    Reloaded(Result<Reloaded, Trouble>),
    /// [`Backlog::poll_timeout`] has come.
    Timeout,
    /// No more records; put those at hand in a safe place.
    Close,
}

/// What becomes of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The database takes them.
    pub well: bool,
    /// Neither the database nor a file takes them: they are lost if the program ends.
    pub unkept: bool,
    /// Records that are neither in the database nor in a file.
    pub in_memory: usize,
}

/// What a reload achieved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// Calls moved from files to the database.
    pub stored: usize,
    /// More files wait.
    pub more: bool,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Store these.
    Save(Vec<Entry>),
    /// Write these to files.
    Spool(Vec<Entry>),
    /// Open the database if need be and move calls from files into it, [`BATCH`] at most.
    Reload,
    /// The database is away, and what comes goes to files: tell whoever must act. Once per outage.
    Alarm(String),
    /// No file takes them either, so they stay in memory: tell whoever must act. Once, until a file is written.
    Unkept(String),
    /// It works again; so many calls had waited in files.
    Recovered {
        /// Calls moved from files so far.
        stored: usize,
    },
    /// Neither database nor disk took these, and the program is about to end.
    Lost(Vec<CallId>),
}

/// The calls not yet stored, and what is known about the database.
#[derive(Debug)]
pub struct Backlog {
    waiting: VecDeque<Entry>,
    state: State,
    /// Files may lie in the spool.
    spooled: bool,
    /// No file could be written, so records stay in memory until the next knock.
    disk_refuses: bool,
    /// That has been told.
    disk_alarmed: bool,
    /// Something is being carried out.
    busy: bool,
    closing: bool,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Working,
    Retrying { failures: u32, at: Instant },
    Away { pause: Duration, at: Instant },
}

impl Backlog {
    /// Begins by looking for what an earlier run left in files.
    pub fn new(now: Instant) -> Self {
        let mut backlog = Self {
            waiting: VecDeque::new(),
            state: State::Working,
            spooled: true,
            disk_refuses: false,
            disk_alarmed: false,
            busy: false,
            closing: false,
            outputs: VecDeque::new(),
        };
        backlog.decide(now);
        backlog
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Records(records) => self.waiting.extend(records),
            Input::Saved(Ok(())) => self.done(|backlog| backlog.state = State::Working),
            Input::Saved(Err((records, trouble))) => self.done(|backlog| {
                backlog.put_back(records);
                backlog.failed(&trouble, now);
            }),
            Input::Spooled { unwritten, fault } => self.done(|backlog| backlog.spooled(unwritten, fault)),
            Input::Reloaded(Ok(reloaded)) => self.done(|backlog| backlog.reloaded(reloaded)),
            Input::Reloaded(Err(trouble)) => self.done(|backlog| backlog.go_away(&trouble, now)),
            Input::Timeout => {}
            Input::Close => self.closing = true,
        }
        self.decide(now);
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to come back with [`Input::Timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            _ if self.busy => None,
            State::Working => None,
            State::Retrying { at, .. } | State::Away { at, .. } => Some(at),
        }
    }

    /// May more records come? Otherwise they should wait where they are.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_LIMIT
    }

    /// Closed, and nothing is left in memory.
    pub fn is_done(&self) -> bool {
        self.closing && !self.busy && self.waiting.is_empty() && self.outputs.is_empty()
    }

    /// What becomes of records, as far as is known.
    pub fn condition(&self) -> Condition {
        let away = matches!(self.state, State::Away { .. });
        Condition { well: !away, unkept: away && self.disk_alarmed, in_memory: self.waiting.len() }
    }

    fn decide(&mut self, now: Instant) {
        if self.busy {
            return;
        }
        match self.state {
            // What is only in memory comes before what is already safe in files.
            State::Working if !self.waiting.is_empty() => self.save_some(),
            State::Working if self.spooled && !self.closing => self.start(Output::Reload),
            State::Working => {}
            State::Retrying { at, .. } if self.closing || now >= at => self.save_some(),
            State::Retrying { .. } => {}
            State::Away { .. } if !self.waiting.is_empty() && !self.disk_refuses => self.spool_some(),
            State::Away { .. } if self.closing => self.give_up(),
            State::Away { at, .. } if now >= at => self.start(Output::Reload),
            State::Away { .. } => {}
        }
    }

    fn save_some(&mut self) {
        let batch = self.take_batch();
        match batch.is_empty() {
            true => self.state = State::Working,
            false => self.start(Output::Save(batch)),
        }
    }

    fn spool_some(&mut self) {
        let batch = self.take_batch();
        self.start(Output::Spool(batch));
    }

    fn start(&mut self, output: Output) {
        self.busy = true;
        self.outputs.push_back(output);
    }

    fn done(&mut self, then: impl FnOnce(&mut Self)) {
        self.busy = false;
        then(self);
    }

    fn failed(&mut self, trouble: &Trouble, now: Instant) {
        let failures = match self.state {
            State::Retrying { failures, .. } => failures + 1,
            State::Working | State::Away { .. } => 1,
        };
        if !trouble.passing || failures >= TRIES || self.closing {
            return self.go_away(trouble, now);
        }
        self.state = State::Retrying { failures, at: now + FIRST_PAUSE * 2_u32.pow(failures - 1) };
    }

    fn go_away(&mut self, trouble: &Trouble, now: Instant) {
        let pause = match self.state {
            State::Away { pause, .. } => (pause * 2).min(LAST_KNOCK),
            State::Working | State::Retrying { .. } => {
                self.outputs.push_back(Output::Alarm(trouble.sentence.clone()));
                FIRST_KNOCK
            }
        };
        self.state = State::Away { pause, at: now + pause };
        // Each knock also gives the disk another chance.
        self.disk_refuses = false;
    }

    fn spooled(&mut self, unwritten: Vec<Entry>, fault: Option<String>) {
        self.spooled = true;
        self.disk_refuses = !unwritten.is_empty();
        self.put_back(unwritten);
        match fault {
            Some(fault) if !self.disk_alarmed => self.outputs.push_back(Output::Unkept(fault)),
            _ => {}
        }
        self.disk_alarmed = self.disk_refuses;
    }

    fn reloaded(&mut self, Reloaded { stored, more }: Reloaded) {
        if matches!(self.state, State::Away { .. }) || stored > 0 {
            self.outputs.push_back(Output::Recovered { stored });
        }
        self.state = State::Working;
        self.spooled = more;
        self.disk_refuses = false;
        self.disk_alarmed = false;
    }

    /// The program ends and the disk has just refused.
    fn give_up(&mut self) {
        if !self.waiting.is_empty() {
            let ids = self.waiting.drain(..).filter_map(|entry| entry.call().cloned()).collect();
            self.outputs.push_back(Output::Lost(ids));
        }
    }

    fn put_back(&mut self, records: Vec<Entry>) {
        for record in records.into_iter().rev() {
            self.waiting.push_front(record);
        }
    }

    fn take_batch(&mut self) -> Vec<Entry> {
        self.waiting.drain(..self.waiting.len().min(BATCH)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::bare_record;
    use crate::time::{Clock as _, SystemClock};

    const NOTHING_THERE: Reloaded = Reloaded { stored: 0, more: false };

    fn trouble(passing: bool) -> Trouble {
        Trouble { passing, sentence: "the database is locked".into() }
    }

    /// A backlog that has found no files and a database that works.
    fn working() -> (Backlog, Instant) {
        let now = SystemClock.now().mono;
        let mut backlog = Backlog::new(now);
        assert_eq!(outputs(&mut backlog), [Output::Reload]);
        backlog.handle(Input::Reloaded(Ok(NOTHING_THERE)), now);
        (backlog, now)
    }

    fn outputs(backlog: &mut Backlog) -> Vec<Output> {
        std::iter::from_fn(|| backlog.poll_output()).collect()
    }

    fn record(number: u8) -> Input {
        Input::Records(vec![bare_record(number).into()])
    }

    fn fails(numbers: &[u8], passing: bool) -> Input {
        Input::Saved(Err((numbers.iter().map(|number| bare_record(*number).into()).collect(), trouble(passing))))
    }

    fn save(numbers: &[u8]) -> Output {
        Output::Save(numbers.iter().map(|number| bare_record(*number).into()).collect())
    }

    fn spool(numbers: &[u8]) -> Output {
        Output::Spool(numbers.iter().map(|number| bare_record(*number).into()).collect())
    }

    #[test]
    fn a_record_is_saved_at_once_and_those_that_come_meanwhile_together() {
        let (mut backlog, now) = working();
        backlog.handle(record(1), now);
        backlog.handle(record(2), now);
        backlog.handle(record(3), now);
        assert_eq!(outputs(&mut backlog), [save(&[1])]);
        backlog.handle(Input::Saved(Ok(())), now);
        assert_eq!(outputs(&mut backlog), [save(&[2, 3])]);
        backlog.handle(Input::Saved(Ok(())), now);
        assert_eq!(outputs(&mut backlog), []);
        assert_eq!(backlog.poll_timeout(), None);
    }

    #[test]
    fn a_passing_failure_is_retried_with_growing_pauses_and_no_alarm() {
        let (mut backlog, mut now) = working();
        backlog.handle(record(1), now);
        for pause_ms in [100, 200] {
            assert_eq!(outputs(&mut backlog), [save(&[1])]);
            backlog.handle(fails(&[1], true), now);
            assert_eq!(outputs(&mut backlog), []);
            let at = backlog.poll_timeout().unwrap();
            assert_eq!(at - now, Duration::from_millis(pause_ms));
            now = at;
            backlog.handle(Input::Timeout, now);
        }
        assert_eq!(outputs(&mut backlog), [save(&[1])]);
        backlog.handle(Input::Saved(Ok(())), now);
        assert!(backlog.condition().well);
    }

    #[test]
    fn the_third_failure_raises_one_alarm_and_records_go_to_files_until_it_works() {
        let (mut backlog, mut now) = working();
        backlog.handle(record(1), now);
        for _ in 0..3 {
            outputs(&mut backlog);
            backlog.handle(fails(&[1], true), now);
            now = backlog.poll_timeout().unwrap_or(now);
            if backlog.condition().well {
                backlog.handle(Input::Timeout, now);
            }
        }
        assert_eq!(outputs(&mut backlog), [Output::Alarm(trouble(true).sentence), spool(&[1])]);
        backlog.handle(Input::Spooled { unwritten: vec![], fault: None }, now);
        backlog.handle(record(2), now);
        assert_eq!(outputs(&mut backlog), [spool(&[2])], "no waiting while it is away");
        backlog.handle(Input::Spooled { unwritten: vec![], fault: None }, now);

        let mut pauses = Vec::new();
        for _ in 0..6 {
            let at = backlog.poll_timeout().unwrap();
            pauses.push((at - now).as_secs());
            now = at;
            backlog.handle(Input::Timeout, now);
            assert_eq!(outputs(&mut backlog), [Output::Reload]);
            backlog.handle(Input::Reloaded(Err(trouble(true))), now);
            assert_eq!(outputs(&mut backlog), [], "one alarm an outage");
        }
        assert_eq!(pauses[1..], [2, 4, 8, 16, 30]);

        now = backlog.poll_timeout().unwrap();
        backlog.handle(Input::Timeout, now);
        outputs(&mut backlog);
        backlog.handle(Input::Reloaded(Ok(Reloaded { stored: 2, more: false })), now);
        assert_eq!(outputs(&mut backlog), [Output::Recovered { stored: 2 }]);
        backlog.handle(record(3), now);
        assert_eq!(outputs(&mut backlog), [save(&[3])]);
    }

    #[test]
    fn a_failure_that_will_not_pass_is_not_retried() {
        let (mut backlog, now) = working();
        backlog.handle(record(1), now);
        outputs(&mut backlog);
        backlog.handle(fails(&[1], false), now);
        assert_eq!(outputs(&mut backlog), [Output::Alarm(trouble(false).sentence), spool(&[1])]);
    }

    #[test]
    fn with_no_database_and_no_disk_records_stay_in_memory_until_the_next_knock() {
        let (mut backlog, now) = working();
        backlog.handle(record(1), now);
        outputs(&mut backlog);
        backlog.handle(fails(&[1], false), now);
        outputs(&mut backlog);
        backlog.handle(Input::Spooled { unwritten: vec![bare_record(1).into()], fault: Some("disk full".into()) }, now);
        assert_eq!(outputs(&mut backlog), [Output::Unkept("disk full".into())]);
        assert!(backlog.condition().unkept && backlog.condition().in_memory > 0, "{:?}", backlog.condition());
        let now = backlog.poll_timeout().unwrap();
        backlog.handle(Input::Timeout, now);
        assert_eq!(outputs(&mut backlog), [Output::Reload]);
        backlog.handle(Input::Reloaded(Err(trouble(false))), now);
        assert_eq!(outputs(&mut backlog), [spool(&[1])], "each knock gives the disk another chance");
        backlog.handle(Input::Spooled { unwritten: vec![bare_record(1).into()], fault: Some("disk full".into()) }, now);
        assert_eq!(outputs(&mut backlog), [], "told once");
        let now = backlog.poll_timeout().unwrap();
        backlog.handle(Input::Timeout, now);
        assert_eq!(outputs(&mut backlog), [Output::Reload]);
        backlog.handle(Input::Reloaded(Ok(NOTHING_THERE)), now);
        assert_eq!(outputs(&mut backlog), [Output::Recovered { stored: 0 }, save(&[1])]);
    }

    #[test]
    fn a_full_memory_asks_nobody_for_more() {
        let (mut backlog, now) = working();
        assert!(backlog.has_room());
        for _ in 0..=WAITING_LIMIT {
            backlog.handle(record(1), now);
        }
        assert!(!backlog.has_room());
    }

    #[test]
    fn closing_puts_everything_in_a_safe_place_first() {
        let (mut backlog, now) = working();
        backlog.handle(record(1), now);
        backlog.handle(record(2), now);
        backlog.handle(Input::Close, now);
        assert!(!backlog.is_done());
        assert_eq!(outputs(&mut backlog), [save(&[1])]);
        backlog.handle(fails(&[1], true), now);
        // No time for retries.
        assert_eq!(outputs(&mut backlog), [Output::Alarm(trouble(true).sentence), spool(&[1, 2])]);
        backlog.handle(Input::Spooled { unwritten: vec![], fault: None }, now);
        assert!(backlog.is_done());
    }

    #[test]
    fn what_no_place_takes_at_the_end_is_at_least_named() {
        let (mut backlog, now) = working();
        backlog.handle(record(1), now);
        backlog.handle(Input::Close, now);
        outputs(&mut backlog);
        backlog.handle(fails(&[1], false), now);
        outputs(&mut backlog);
        backlog.handle(Input::Spooled { unwritten: vec![bare_record(1).into()], fault: None }, now);
        assert_eq!(outputs(&mut backlog), [Output::Lost(vec![bare_record(1).id])]);
        assert!(backlog.is_done());
    }

    #[test]
    fn a_long_spool_is_read_back_piece_by_piece() {
        let now = SystemClock.now().mono;
        let mut backlog = Backlog::new(now);
        outputs(&mut backlog);
        backlog.handle(Input::Reloaded(Ok(Reloaded { stored: BATCH, more: true })), now);
        assert_eq!(outputs(&mut backlog), [Output::Recovered { stored: BATCH }, Output::Reload]);
    }
}
